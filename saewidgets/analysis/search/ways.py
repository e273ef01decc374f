"""Find features: by a token of a prompt, by prompts with and without, by direction, by what they promote, by text, by
concept.

One function per way of asking. Each gives the columns of `records.Searcher`, the best feature first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from saewidgets.activations import check_pair
from saewidgets.analysis.features.activations import feature_activations
from saewidgets.analysis.prompts.activations import check_acts, prompt_activations
from saewidgets.analysis.quality import concept_auroc
from saewidgets.files import unknown
from saewidgets.memory import CELLS
from saewidgets.miniworld import Corpus
from saewidgets.models import Model
from saewidgets.records import FeatureActivations
from saewidgets.records.arguments import require_features
from saewidgets.records.search import COLUMNS, N_BARS, N_FOUND, N_TOKENS, by_text
from saewidgets.records.tables import frame
from saewidgets.sae import SAE, check_sae, refuse_transcoder

__all__ = ["by_concept", "by_direction", "by_prompt", "by_prompts", "by_text", "by_token_promoted"]

_STRONGEST = 256  # activations of a feature among which its top tokens are sought

Labels = Mapping[int, str] | None


def by_prompt(
    model: Model | nn.Module,
    sae: SAE,
    text: str,
    position: int = -1,
    acts: FeatureActivations | None = None,
    *,
    relative: bool = False,
    n: int = N_FOUND,
    labels: Labels = None,
) -> pd.DataFrame:
    """The features that are active at one token of one text.

    Args:
        position: of the token, the beginning-of-text token being 0 where there is one; negative: from the end.
        relative: measure each activation as a share of the feature's maximum over the corpus, which brings specific
            features before those that are strong everywhere; needs `acts`, and leaves out features that never fire in
            the corpus.

    Returns:
        Score is the activation in SAE units, or that share.

    Raises IndexError on a position outside the text; ValueError as `prompt_activations` does, and on `relative` without
    `acts`.

    Example:
        >>> by_prompt(model, sae, "They walked over the Golden Gate Bridge", -1, acts).head()
    """
    model = Model.wrap(model)
    if relative and acts is None:
        raise ValueError("relative=True needs the corpus maxima: give acts=feature_activations(model, sae, corpus)")
    found = prompt_activations(model, sae, text, acts)
    if not -len(found) <= position < len(found):
        raise IndexError(f"position {position} does not exist: the text has tokens 0 to {len(found) - 1}")
    own = found.position == position % len(found)
    feature, score = found.feature[own], found.value[own].astype(np.float64)
    if relative:
        maximum = found.maximum[np.searchsorted(found.listed, feature)]
        feature, score = feature[maximum > 0], score[maximum > 0] / maximum[maximum > 0]
    return found_frame(model, acts, labels, feature, score, n)


def by_prompts(
    model: Model | nn.Module,
    sae: SAE,
    positive: Sequence[str],
    negative: Sequence[str] = (),
    acts: FeatureActivations | None = None,
    *,
    at_least: float = 0.0,
    at_most: float = 0.0,
    n: int = N_FOUND,
    labels: Labels = None,
) -> pd.DataFrame:
    """The features that are active in every positive text and in no negative one.

    With m_f(t) the largest activation of feature f at any token of text t, a feature is found where

        m_f(t) > at_least in all positive texts, and m_f(t) <= at_most in all negative ones.

    Args:
        positive, negative: texts; the beginning-of-text token does not count. One longer than the model's context is
            read in pieces, as in a corpus, with a warning.
        at_least, at_most: thresholds in SAE units, 0 or more.

    Returns:
        Score is the smallest m_f over the positive texts; the column negative holds the largest over the negative ones
        (0 without).

    Raises ValueError without a positive text, on one without a token besides the beginning of text, and on a threshold
    below 0 or not finite.

    Example:
        >>> by_prompts(model, sae, ["The Golden Gate Bridge is red."], ["The old bridge is red."], acts)
    """
    model = Model.wrap(model)
    texts = [[positive] if isinstance(positive, str) else list(positive)]
    texts.append([negative] if isinstance(negative, str) else list(negative))
    if not texts[0]:
        raise ValueError("give at least one positive text: without one, every silent feature would be found")
    for name, threshold in (("at_least", at_least), ("at_most", at_most)):
        if not (threshold >= 0 and math.isfinite(threshold)):
            raise ValueError(f"{name} must be a finite number of 0 or more, not {threshold}")
    check_acts(sae, acts)
    activation = strongest(model, sae, texts[0] + texts[1])
    least = activation[: len(texts[0])].min(0)
    most = activation[len(texts[0]) :].max(0, initial=0.0)
    feature = np.flatnonzero((least > at_least) & (most <= at_most))
    return found_frame(model, acts, labels, feature, least[feature], n, negative=most[feature])


def by_direction(
    model: Model | nn.Module,
    sae: SAE,
    direction: int | Tensor | np.ndarray | Sequence[float],
    acts: FeatureActivations | None = None,
    *,
    n: int = N_FOUND,
    labels: Labels = None,
) -> pd.DataFrame:
    """The features whose decoder rows point the way of a feature, or of any direction.

    Args:
        direction: a feature, which is itself left out of the result; or a vector [d_in] of the site, at any length.

    Returns:
        Score is the cosine, -1 to 1. With `acts`, only features that fire in the corpus.

    Raises IndexError on a feature that does not exist, ValueError on a vector of another width, of length 0 or not
    finite.

    Example:
        >>> by_direction(model, sae, 31, acts).head()
    """
    check_sae(sae, "a search by direction")
    refuse_transcoder(sae.config, "a search by direction")
    check_acts(sae, acts)
    rows = sae.W_dec.detach().double()
    itself = -1
    if isinstance(direction, int | np.integer) and not isinstance(direction, bool):
        (itself,) = require_features([direction], len(rows))
        vector = rows[itself]
    else:
        vector = torch.as_tensor(direction, dtype=torch.float64).detach().to(rows.device)
    if vector.shape != rows.shape[1:]:
        raise ValueError(f"a direction at this site is {rows.shape[1]} numbers, not of shape {list(vector.shape)}")
    length = float(vector.norm())
    if not (length > 0 and math.isfinite(length)):
        raise ValueError("the direction has length 0 or is not finite: it points nowhere")
    cosine = (rows @ vector / (rows.norm(dim=-1) * length).clamp_min(torch.finfo(torch.float64).tiny)).cpu().numpy()
    feature = np.arange(len(rows)) if acts is None else np.flatnonzero(np.diff(acts.start))
    feature = feature[feature != itself]
    return found_frame(Model.wrap(model), acts, labels, feature, cosine[feature], n)


def by_token_promoted(
    model: Model | nn.Module,
    sae: SAE,
    token: str | int,
    acts: FeatureActivations | None = None,
    *,
    n: int = N_FOUND,
    labels: Labels = None,
) -> pd.DataFrame:
    """The features that raise the logit of a token most, by direct effect (see `Model.direction_logits`).

    Args:
        token: the text of one token, as exact as a space before it, or its id.

    Returns:
        Score is the logit added for each unit of activation, less its mean over the vocabulary. With `acts`, only
        features that fire in the corpus.

    Raises ValueError on a text that is not one token.

    Example:
        >>> by_token_promoted(model, sae, " Bridge", acts).head()
    """
    model, _ = check_pair(model, sae, "a search by promoted token", reconstructs=True)
    check_acts(sae, acts)
    wanted = model.one_token(token)
    directions = sae.decoder_directions.to(model.device)
    blocks = directions.split(max(1, CELLS // model.d_vocab))
    # A copy of the column: a view of it would keep the whole block, and with it all blocks, in memory.
    columns = [model.direction_logits(block)[:, wanted].clone() for block in blocks]
    effect = torch.cat(columns).double().cpu().numpy()
    feature = np.arange(len(effect)) if acts is None else np.flatnonzero(np.diff(acts.start))
    return found_frame(model, acts, labels, feature, effect[feature], n)


def by_concept(
    model: Model | nn.Module,
    acts: FeatureActivations,
    corpus: Corpus,
    concept: str,
    *,
    n: int = N_FOUND,
    labels: Labels = None,
) -> pd.DataFrame:
    """The features that tell the tokens of a planted concept from all others.

    Args:
        acts: over `corpus`.
        corpus: text whose tokens are labeled with the concepts that they express.

    Returns:
        Score is the AUROC: the chance that a token of the concept has a higher activation than another one, ties
        counting half. precision is the share of the feature's active tokens that express the concept, recall the share
        of the concept's tokens at which it is active. Only features that fire on the concept.

    Raises ValueError on an unknown concept, with the nearest names, on one with no token in the corpus, or if `acts`
    are over another corpus.

    Example:
        >>> by_concept(model, acts, sw.load_corpus(), "golden_gate_bridge").head()  # doctest: +SKIP
    """
    if concept not in corpus.concepts:
        raise ValueError(unknown("concept", concept, corpus.concepts))
    own = corpus.label_concept == corpus.concepts.index(concept)
    alone = replace(
        corpus,
        label_doc=corpus.label_doc[own],
        label_pos=corpus.label_pos[own],
        label_concept=np.zeros(int(own.sum()), np.int32),
        concepts=(concept,),
    )
    auroc = concept_auroc(acts, alone)[:, 0]
    if not np.isfinite(auroc).any():
        raise ValueError(f"no token of {corpus.name} expresses {concept!r}, or all do: take a larger corpus")
    mask = corpus.concept_mask(concept) & acts.counted
    on = mask[acts.context, acts.position].astype(np.int64)
    hits = np.diff(np.append(0, np.cumsum(on))[acts.start])
    feature = np.flatnonzero(hits)
    precision = hits[feature] / np.diff(acts.start)[feature]
    recall = hits[feature] / mask.sum()
    return found_frame(Model.wrap(model), acts, labels, feature, auroc[feature], n, precision=precision, recall=recall)


def strongest(model: Model, sae: SAE, texts: Sequence[str]) -> np.ndarray:
    """float64 [text, d_sae]: the largest activation of each feature in each text, in however many contexts it stands.

    Raises ValueError on a text without a token besides the beginning of text.
    """
    if not all(map(model.vocabulary.encode, texts)):
        raise ValueError("one of the texts is empty: leave it out, or write something in it")
    acts = feature_activations(model, sae, texts, progress=False)
    text = acts.text_of_context
    out = np.zeros((int(text[-1]) + 1, acts.d_sae))
    feature = np.repeat(np.arange(acts.d_sae), np.diff(acts.start))
    np.maximum.at(out, (text[acts.context], feature), acts.value)
    return out


@dataclass(frozen=True)
class _Known:
    """What the corpus says of one feature."""

    density: float
    maximum: float
    tokens: tuple[str, ...]
    histogram: tuple[int, ...]


def _known(model: Model, acts: FeatureActivations | None, feature: int) -> _Known:
    if acts is None:
        return _Known(math.nan, math.nan, (), ())
    context, position, value = acts.of(feature)
    if not len(value):
        return _Known(0.0, 0.0, (), (0,) * N_BARS)
    order = np.argsort(-value, kind="stable")[:_STRONGEST]
    ids = list(dict.fromkeys(acts.tokens[context[order], position[order]].tolist()))[:N_TOKENS]
    counts = np.histogram(value, bins=N_BARS, range=(0.0, float(value.max())))[0]
    share = len(value) / max(acts.n_tokens, 1)
    return _Known(share, float(value.max()), tuple(model.display(ids)), tuple(counts.tolist()))


def found_frame(
    model: Model,
    acts: FeatureActivations | None,
    labels: Labels,
    feature: np.ndarray,
    score: np.ndarray,
    n: int,
    **extra: np.ndarray,
) -> pd.DataFrame:
    """The table of a search: the n best by score, the lower feature first where two are equal, with columns of the
    mode's own, [n] each.
    """
    order = np.lexsort((feature, -score))[: max(0, n)]
    rows = []
    for i in order.tolist():
        f = int(feature[i])
        known = _known(model, acts, f)
        listed = (
            f,
            (labels or {}).get(f, ""),
            float(score[i]),
            known.density,
            known.maximum,
            known.tokens,
            known.histogram,
        )
        rows.append((*listed, *(_plain(column[i]) for column in extra.values())))
    return frame(rows, columns=[*COLUMNS, *extra])


def _plain(value: object) -> object:
    """A number of a column as a float; a text as it is."""
    return value if isinstance(value, str) else float(value)  # type: ignore[arg-type]
