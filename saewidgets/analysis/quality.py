"""How good an SAE is: what it loses, what the model loses by it, and how well its features match known concepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from saewidgets.activations import TOKENS_PER_PASS, check_site, corpus_rows, harvest, length_sorted
from saewidgets.models import Edit, Model
from saewidgets.records import FeatureActivations
from saewidgets.sae import SAE, refuse_transcoder


@dataclass(frozen=True)
class Quality:
    """One SAE on one corpus. Tokens are the counted ones: neither padding nor beginning-of-text."""

    fvu: float  # fraction of variance unexplained: sum |x - x_hat|^2 / sum |x - mean x|^2
    l0: float  # mean number of active features a token
    dead_share: float  # share (0 to 1) of features that never fired on this corpus
    loss_clean: float  # next-token cross-entropy of the model itself, nats a token
    loss_spliced: float  # the same with x_hat in place of x
    loss_ablated: float  # the same with 0 in place of x
    n_tokens: int  # tokens behind fvu, l0 and dead_share
    n_predictions: int  # next tokens behind the three losses

    @property
    def explained_variance(self) -> float:
        """1 - fvu: variance about the mean. 0 for an SAE that always gives the mean, 1 for a perfect one."""
        return 1.0 - self.fvu

    @property
    def loss_recovered(self) -> float:
        """(ablated - spliced) / (ablated - clean): 1 if the SAE costs the model nothing, 0 if it is as bad as nothing."""
        return (self.loss_ablated - self.loss_spliced) / (self.loss_ablated - self.loss_clean)


@torch.inference_mode()
def quality(model: Model | nn.Module, sae: SAE, corpus: Any) -> Quality:
    """Measure an SAE on a corpus (see `activations.corpus_rows` for what a corpus can be).

    The replaced activations are those of counted tokens; the beginning-of-text token keeps its own, which no SAE here was
    trained on. Losses are over the real tokens that follow another one, separators included.
    Raises ValueError if the model does not have the SAE's site in the same coordinates, or if the corpus is empty.

    Example:
        >>> quality(model, sae, sw.load_corpus(200, seed=2)).loss_recovered  # doctest: +SKIP
    """
    refuse_transcoder(sae.config, "quality")
    model = Model.wrap(model)
    site = check_site(model, sae.config.site)
    rows, counted = corpus_rows(model, corpus)
    d_in, device = sae.config.d_in, sae.W_enc.device

    # Sums are kept in float64 and about the first pass's mean: E x^2 - (E x)^2 would cancel for activations far from 0.
    n, active, squared_error, squared = 0, 0, 0.0, 0.0
    shift: Tensor | None = None
    total = torch.zeros(d_in, dtype=torch.float64, device=device)
    fired = torch.zeros(sae.config.d_sae, dtype=torch.bool, device=device)
    for _, _, acts in harvest(model, site.hook_name, rows, counted):
        x = acts.to(device)
        a = sae.encode(x)
        squared_error += float((sae.decode(a, x) - x).square().sum(dtype=torch.float64))
        shift = x.mean(0) if shift is None else shift
        total += (x - shift).sum(0, dtype=torch.float64)
        squared += float((x - shift).square().sum(dtype=torch.float64))
        active += int((a > 0).sum())
        fired |= (a > 0).any(0)
        n += len(x)
    if not n:
        raise ValueError("the corpus has no tokens besides special ones")
    variance = squared - float(total.square().sum()) / n
    n_predictions, clean, spliced, ablated = _losses(model, sae, site.hook_name, rows, counted)
    return Quality(
        fvu=squared_error / variance if variance else float("nan"),
        l0=active / n,
        dead_share=1.0 - float(fired.double().mean()),
        loss_clean=clean,
        loss_spliced=spliced,
        loss_ablated=ablated,
        n_tokens=n,
        n_predictions=n_predictions,
    )


def _losses(
    model: Model, sae: SAE, hook_name: str, rows: np.ndarray, counted: np.ndarray
) -> tuple[int, float, float, float]:
    """(number of predictions, mean cross-entropy clean, spliced, zero-ablated)."""
    sums, n = [0.0, 0.0, 0.0], 0
    for own in length_sorted(rows, (rows >= 0).sum(1) > 1, TOKENS_PER_PASS):
        width = int((rows[own] >= 0).sum(1).max())
        tokens = torch.from_numpy(rows[own, :width].astype(np.int64)).to(model.device)
        mask = torch.from_numpy(counted[own, :width]).to(model.device)[..., None]

        def splice(x: Tensor, start: int, mask: Tensor = mask) -> Tensor:
            return torch.where(mask, sae(x.to(sae.W_enc.device)).to(x), x)

        def ablate(x: Tensor, start: int, mask: Tensor = mask) -> Tensor:
            return torch.where(mask, 0.0, x)

        target = tokens[:, 1:]
        real = target >= 0
        n += int(real.sum())
        for i, edit in enumerate((None, Edit(hook_name, splice), Edit(hook_name, ablate))):
            logits = model.logits(tokens, edit)[:, :-1][real].float()
            sums[i] += float(nn.functional.cross_entropy(logits, target[real], reduction="sum"))
    clean, spliced, ablated = (s / n if n else float("nan") for s in sums)
    return n, clean, spliced, ablated


class Labeled(Protocol):
    """A corpus whose tokens carry known concepts: one entry of the three arrays a (token, concept) pair."""

    @property
    def concepts(self) -> tuple[str, ...]:
        """Names."""

    @property
    def label_doc(self) -> np.ndarray:
        """int32 [label], the row of each label's token."""

    @property
    def label_pos(self) -> np.ndarray:
        """int32 [label], the column of each label's token."""

    @property
    def label_concept(self) -> np.ndarray:
        """int32 [label], index into `concepts`."""


def concept_scores(acts: FeatureActivations, corpus: Labeled) -> pd.DataFrame:
    """For each concept, the feature that tells its tokens best from all others.

    AUROC is exact: the chance that a token of the concept has a larger activation than another token, ties (most tokens
    have 0) counted half. Precision, recall and F1 take the feature as saying yes wherever it is active.

    Returns:
        One row a concept, in the corpus's order: concept, feature (-1 if the concept has no counted token or all of them),
        auroc, precision, recall, f1, n_tokens (counted tokens of the concept). Of equal features the lowest is taken.

    Raises ValueError if `acts` is over another corpus.

    Example:
        >>> concept_scores(acts, corpus).set_index("concept").loc["golden gate bridge"]  # doctest: +SKIP
    """
    auroc, hits, n_active, n_tokens = _auroc(acts, corpus)
    rows = []
    for c, concept in enumerate(corpus.concepts):
        known = bool(np.isfinite(auroc[:, c]).any())
        best = int(np.argmax(auroc[:, c])) if known else -1
        hit = int(hits[best, c]) if known else 0
        precision = hit / n_active[best] if known and n_active[best] else float("nan")
        recall = hit / n_tokens[c] if known else float("nan")
        f1 = 2 * hit / (n_active[best] + n_tokens[c]) if known else float("nan")
        rows.append((concept, best, auroc[best, c] if known else float("nan"), precision, recall, f1, int(n_tokens[c])))
    return pd.DataFrame(rows, columns=["concept", "feature", "auroc", "precision", "recall", "f1", "n_tokens"])


def concept_auroc(acts: FeatureActivations, corpus: Labeled) -> np.ndarray:
    """float64 [d_sae, concepts]: the AUROC of every feature for every concept; nan where a concept has no counted token
    or has them all. See `concept_scores`."""
    return _auroc(acts, corpus)[0]


def _auroc(acts: FeatureActivations, corpus: Labeled) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(AUROC [d_sae, concepts], active tokens of the concept [d_sae, concepts], active tokens [d_sae], tokens [concepts]).

    With N tokens, P of the concept, and n0 at which the feature is 0: the zeros share the middle rank (n0 + 1) / 2, an active
    token has rank n0 + its rank r among the active ones, and
        AUROC = (sum of the concept's ranks - P (P + 1) / 2) / (P (N - P)).
    Only active tokens of the concept need be visited, so the cost does not grow with d_sae x N.
    """
    columns = (corpus.label_doc, corpus.label_pos, corpus.label_concept)
    doc, position, concept = (np.asarray(column, np.int64) for column in columns)
    width, n_concepts = acts.tokens.shape[1], len(corpus.concepts)
    own = getattr(corpus, "token_rows", None)
    if own is not None and not np.array_equal(own, acts.tokens):
        raise ValueError("the activations are over another corpus than the labels")
    if len(doc) and (doc.max() >= len(acts.tokens) or position.max() >= width):
        raise ValueError("the labels reach beyond the corpus of the activations")

    label = np.unique((doc * width + position) * n_concepts + concept)  # once each, by token
    token, concept = np.divmod(label, n_concepts)
    kept = acts.counted.ravel()[token]
    token, concept = token[kept], concept[kept]
    n_tokens = np.bincount(concept, minlength=n_concepts)
    first = np.searchsorted(token, np.arange(acts.tokens.size + 1))  # labels of token t: first[t] .. first[t + 1]

    n_active = np.diff(acts.start)
    rank = _ranks(acts)
    at = acts.context.astype(np.int64) * width + acts.position
    feature = np.repeat(np.arange(acts.d_sae), n_active)
    hits = np.zeros(acts.d_sae * n_concepts)
    rank_sum = np.zeros(acts.d_sae * n_concepts)
    for part in np.array_split(np.arange(len(at)), max(1, len(at) >> 21)):  # bounds the memory of the pairs below
        count = first[at[part] + 1] - first[at[part]]
        pair = np.repeat(part, count)  # one entry a (activation, label of its token)
        which = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first[at[part]], count)
        cell = feature[pair] * n_concepts + concept[which]
        hits += np.bincount(cell, minlength=len(hits))
        rank_sum += np.bincount(cell, rank[pair], minlength=len(hits))
    on, ranked = hits.reshape(acts.d_sae, n_concepts), rank_sum.reshape(acts.d_sae, n_concepts)

    n = acts.n_tokens
    zeros = (n - n_active)[:, None]
    ranks = on * zeros + ranked + (n_tokens - on) * (zeros + 1) / 2
    with np.errstate(invalid="ignore"):
        auroc = (ranks - n_tokens * (n_tokens + 1) / 2) / (n_tokens * (n - n_tokens))
    return auroc, on, n_active, n_tokens


def _ranks(acts: FeatureActivations) -> np.ndarray:
    """float64 [nnz]: the rank of each activation among its feature's, 1 for the smallest; equal ones share the middle."""
    feature = np.repeat(np.arange(acts.d_sae, dtype=np.uint64), np.diff(acts.start))
    # The bits of a positive float32 sort as it does.
    key = feature << np.uint64(32) | np.ascontiguousarray(acts.value).view(np.uint32)
    order = np.argsort(key)
    key = key[order]
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.zeros(0, np.int64)
    ends = np.append(starts[1:], len(key))
    middle = (starts + ends + 1) / 2  # of the 1-based places of each run of equal values
    rank = np.empty(len(key))
    rank[order] = np.repeat(middle, ends - starts)
    return rank - acts.start[feature.astype(np.int64)]
