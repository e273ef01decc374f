"""Feature absorption: a general feature that is silent where a specific one takes over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.activations import check_pair, harvest
from saewidgets.analysis.features.activations import feature_activations
from saewidgets.analysis.quality.concepts import LabelsByToken, check_labeled, token_of
from saewidgets.analysis.quality.detectors import concept_detectors, halves
from saewidgets.bars import bar, muted
from saewidgets.miniworld import world
from saewidgets.models import Model
from saewidgets.records import AbsorbedPair, Absorption, ConceptDetectors, FeatureActivations
from saewidgets.records.arguments import seed_of
from saewidgets.sae import SAE

MIN_COSINE = 0.025  # between the child's decoder row and the parent's direction (Chanin et al. 2024 use the same)


@torch.inference_mode()
def absorption(
    model: Model | nn.Module,
    sae: SAE,
    corpus: Any,
    implied: Mapping[str, Sequence[str]] | None = None,
    *,
    acts: FeatureActivations | None = None,
    detectors: ConceptDetectors | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Absorption:
    """How often a general concept's features are silent because a specific concept's feature says it instead.

    After Chanin et al. 2024, "A is for Absorption", whose general concepts are first letters and whose truth is a
    probe. Here concepts are planted and nested (a fruit is a food), so the truth is known. A token counts for (parent
    P, child C) when

        1. it carries both labels, and the model represents P there: with d_P the mean activation on P minus that off P,
           x . d_P lies beyond the middle of the two means;

    and it is absorbed when, besides,

        2. the features of P (`concept_detectors(...).splits`) are all 0 there;
        3. the feature of C says yes (reaches its threshold), is none of P's, and its decoder row has a cosine of at
           least 0.025 with d_P;
        4. of all features active there it adds most along d_P: a_f (W_dec[f] . d_P) is the largest.

    Features, thresholds and directions are fixed on one half of the documents, tokens counted on the other. Where the
    paper measures 4 by ablation, this takes the direct contribution, which is what ablation to first order gives.

    Args:
        corpus: with labels (see `Labeled`) and token rows, such as `load_corpus()`.
        implied: each concept with all that it implies; None: as the mini-world plants them.
        acts: `feature_activations(model, sae, corpus)`, if it is at hand.
        detectors: `concept_detectors(acts, corpus, seed=seed)`, if it is at hand; of the same seed.
        progress: show bars, where a part of it takes more than half a second.

    Raises ValueError if model, SAE and corpus do not belong together.

    Example:
        >>> absorption(model, sae, sw.load_corpus()).to_dataframe().sort_values("rate").tail()  # doctest: +SKIP
    """
    seed = seed_of(seed)
    model, site = check_pair(model, sae, "absorption", reconstructs=True)
    check_labeled(corpus, "absorption")
    acts = feature_activations(model, sae, corpus, progress=progress) if acts is None else acts
    detectors = concept_detectors(acts, corpus, seed=seed, progress=progress) if detectors is None else detectors
    if tuple(detectors.concepts) != tuple(corpus.concepts) or acts.d_sae != sae.config.d_sae:
        raise ValueError("the detectors or activations are of another corpus or SAE")
    implied = world().implied if implied is None else implied
    number = {concept: i for i, concept in enumerate(corpus.concepts)}
    nested = [
        (number[p], number[c])
        for c, listed in implied.items()
        for p in listed
        if c in number and p in number and p != c and detectors.splits[number[p]] and detectors.splits[number[c]]
    ]
    choosing, telling = halves(acts, seed)
    told = LabelsByToken.of(telling, corpus)
    with muted(not progress):
        direction, middle = _directions(model, site.hook_name, choosing, LabelsByToken.of(choosing, corpus))
        represented = _represented(model, site.hook_name, telling, told, direction, middle)
    at_token = _ByToken(telling)
    W_dec = sae.W_dec.detach().float().cpu()
    tokens_of = {c: told.token[told.concept == c] for c in {c for _, c in nested}}
    held = {p: told.token[(told.concept == p) & represented] for p in {p for p, _ in nested}}

    pairs = []
    for p, c in sorted(nested):
        parents, child = detectors.splits[p], int(detectors.feature[c])
        along = W_dec @ nn.functional.normalize(direction[p].float(), dim=0).cpu()  # [d_sae]
        cosine = float(along[child] / W_dec[child].norm().clamp_min(1e-30))
        token = np.intersect1d(tokens_of[c], held[p], assume_unique=True)
        silent = token[~np.isin(token, at_token.of(parents))]
        absorbed = 0
        if child not in parents and cosine >= MIN_COSINE:
            saying = at_token.of([child], float(detectors.threshold[c]))
            takers = at_token.strongest(silent[np.isin(silent, saying)], along.numpy())
            absorbed = int((takers == child).sum())
        pairs.append(
            AbsorbedPair(
                corpus.concepts[p], corpus.concepts[c], parents, child, cosine, len(token), len(silent), absorbed
            )
        )
    return Absorption(tuple(pairs))


class _ByToken:
    """Activations, to be asked for by token."""

    def __init__(self, acts: FeatureActivations) -> None:
        self.acts = acts
        self.token = token_of(acts)
        self.order = np.argsort(self.token, kind="stable")
        self.first = np.searchsorted(self.token[self.order], np.arange(acts.tokens.size + 1))
        self.feature = np.repeat(np.arange(acts.d_sae), np.diff(acts.start))

    def of(self, features: Sequence[int], threshold: float = 0.0) -> np.ndarray:
        """int64: the tokens at which any of the features is active, at least that much."""
        slices = [slice(int(self.acts.start[f]), int(self.acts.start[f + 1])) for f in features]
        return np.unique(np.concatenate([self.token[s][self.acts.value[s] >= threshold] for s in slices]))

    def strongest(self, tokens: np.ndarray, along: np.ndarray) -> np.ndarray:
        """int64 [token]: the active feature with the largest activation * along[feature] at each token."""
        out = np.full(len(tokens), -1)
        for i, t in enumerate(tokens):
            own = self.order[self.first[t] : self.first[t + 1]]
            if len(own):
                out[i] = self.feature[own[np.argmax(self.acts.value[own] * along[self.feature[own]])]]
        return out


def _directions(model: Model, hook_name: str, acts: FeatureActivations, labels: LabelsByToken) -> tuple[Tensor, Tensor]:
    """(mean on minus mean off each concept, float64 [concept, d_in]; the middle of the two along it, [concept])."""
    sums: Tensor | None = None
    total: Tensor | None = None
    with bar(acts.n_tokens, "reading directions of concepts", "tokens") as advance:
        for context, position, x in harvest(model, hook_name, acts.tokens, acts.counted):
            row, concept = _labels_at(acts, labels, context, position)[:2]
            x = x.double()
            if sums is None or total is None:
                sums = torch.zeros(len(labels.n_tokens), x.shape[1], dtype=torch.float64, device=x.device)
                total = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
            sums.index_add_(0, torch.from_numpy(concept).to(x.device), x[torch.from_numpy(row).to(x.device)])
            total += x.sum(0)
            advance(len(context))
    assert sums is not None and total is not None  # a corpus has tokens
    n = torch.from_numpy(labels.n_tokens).to(sums)[:, None]
    on, off = sums / n.clamp_min(1), (total - sums) / (acts.n_tokens - n).clamp_min(1)
    return on - off, ((on + off) / 2 * (on - off)).sum(-1)


def _represented(
    model: Model, hook_name: str, acts: FeatureActivations, labels: LabelsByToken, direction: Tensor, middle: Tensor
) -> np.ndarray:
    """bool [label]: whether the activation at the label's token lies on the concept's side of the middle."""
    out = np.zeros(len(labels.token), bool)
    with bar(acts.n_tokens, "reading concepts that are there", "tokens") as advance:
        for context, position, x in harvest(model, hook_name, acts.tokens, acts.counted):
            row, concept, which = _labels_at(acts, labels, context, position)
            for part in np.array_split(np.arange(len(row)), max(1, len(row) * x.shape[1] >> 22)):
                c = torch.from_numpy(concept[part]).to(direction.device)
                along = (x[torch.from_numpy(row[part]).to(x.device)].to(direction) * direction[c]).sum(-1)
                out[which[part]] = (along > middle[c]).cpu().numpy()
            advance(len(context))
    return out


def _labels_at(
    acts: FeatureActivations, labels: LabelsByToken, context: np.ndarray, position: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row of the block, concept, index of the label) for every label of the block's tokens."""
    token = context.astype(np.int64) * acts.tokens.shape[1] + position
    count = labels.first[token + 1] - labels.first[token]
    row = np.repeat(np.arange(len(token)), count)
    which = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + labels.first[token][row]
    return row, labels.concept[which], which
