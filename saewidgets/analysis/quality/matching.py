"""The features of two SAEs against one another: the same ones again, or one split into several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from numbers import Integral

import numpy as np
import torch
from torch import nn

from saewidgets.analysis.quality.concepts import feature_of, token_of
from saewidgets.bars import bar
from saewidgets.models import Model
from saewidgets.records import FeatureActivations, FeatureMatches, LogitPair, Splitting
from saewidgets.records.arguments import expect, require_features
from saewidgets.sae import SAE, check_sae

CHILD_COSINE = 0.5  # between decoder rows, from which a feature may be another's child
CHILD_TOGETHER = 0.5  # share of the child's tokens at which the parent is active too
_CELLS = 1 << 22  # pairs of features, and of activations, treated at once


def match_features(
    first: FeatureActivations,
    second: FeatureActivations,
    saes: tuple[SAE, SAE] | None = None,
    model: Model | nn.Module | None = None,
    *,
    null: bool = False,
    progress: bool = True,
) -> FeatureMatches:
    """For each live feature of one SAE, the feature of another that is most alike in its activations (universality).

    Alike is Pearson's correlation over all counted tokens, zeros included. Both activations must be over the same
    tokens: two seeds of one SAE, or SAEs of two sizes, layers or models with one tokenizer. With the SAEs, decoder
    cosines too; with the model as well, correlations of the direct logit effects of matched pairs.

    `null=True` finds the best match a second time with the second SAE's tokens shuffled: what the largest of so many
    correlations is by chance.

    `progress=False` draws no bar. Raises ValueError if they are over different tokens.

    Example:
        >>> (match_features(a, b).correlation > 0.9).mean()  # doctest: +SKIP
    """
    _same_tokens(first, second)
    best, at, back_at = _best_matches(first, second, progress)
    at[best == -np.inf] = -1
    alive = np.flatnonzero(np.diff(first.start))
    match = at[alive]
    found = match >= 0
    cosine, logits = (np.full(len(alive), np.nan) for _ in range(2))
    if saes is not None:
        one, two = (sae.decoder_directions.float().cpu() for sae in saes)
        pair = one[alive[found]], two[match[found]]
        if one.shape[1] == two.shape[1]:
            cosine[found] = nn.functional.cosine_similarity(*pair, dim=-1).double().numpy()
        if model is not None:
            logits[found] = _logit_correlation(Model.wrap(model), *pair)
    return FeatureMatches(
        feature=alive,
        match=match,
        correlation=np.where(found, np.clip(best[alive], -1.0, 1.0), np.nan),  # 1 + 2e-16 is rounding
        mutual=found & (back_at[match] == alive),
        cosine=cosine,
        logit_correlation=logits,
        null=np.clip(_best_matches(first, _shuffled(second), progress)[0][alive], -1.0, 1.0) if null else np.zeros(0),
    )


def _best_matches(
    first: FeatureActivations, second: FeatureActivations, progress: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(largest r of each feature of the first, -inf for none; which of the second; which of the first is the best of
    each of the second).
    """
    n = first.n_tokens
    mean_1, sd_1 = _moments(first)
    mean_2, sd_2 = _moments(second)
    d_1, d_2 = first.d_sae, second.d_sae
    best, at = np.full(d_1, -np.inf), np.full(d_1, -1)
    back, back_at = np.full(d_2, -np.inf), np.full(d_2, -1)
    with bar(d_1, "matching features", "features", progress=progress) as advance:
        for rows, product in _together(first, second, first.value, second.value):
            scale = sd_1[rows, None] * sd_2
            with np.errstate(divide="ignore", invalid="ignore"):
                r = np.where((product > 0) & (scale > 0), (product / n - mean_1[rows, None] * mean_2) / scale, -np.inf)
            at[rows], best[rows] = r.argmax(1), r.max(1)
            better = r.max(0) > back
            back_at[better], back[better] = (r.argmax(0) + rows.start)[better], r.max(0)[better]
            advance(rows.stop - rows.start)
    return best, at, back_at


def _shuffled(acts: FeatureActivations) -> FeatureActivations:
    """The same activations with every counted token's standing at another one, all features together."""
    cells = np.flatnonzero(acts.counted)
    moved = np.arange(acts.tokens.size)
    moved[cells] = np.random.default_rng(0).permutation(cells)
    context, position = np.divmod(moved[token_of(acts)], acts.tokens.shape[1])
    return replace(acts, context=context, position=position)


@torch.inference_mode()
def logit_pair(model: Model | nn.Module, saes: tuple[SAE, SAE], features: tuple[int, int]) -> LogitPair:
    """What one feature of each of two SAEs adds to every token's logit, to see whether they promote the same tokens.

    Raises ValueError where an SAE's decoder does not write in the model's residual stream, IndexError on a feature that
    an SAE does not have.

    Example:
        >>> pair = logit_pair(model, (first, second), (31, int(match)))  # doctest: +SKIP
        >>> views.logit_pair(pair)  # doctest: +SKIP
    """
    model = Model.wrap(model)
    two = isinstance(saes, (tuple, list)) and len(saes) == 2 and all(isinstance(sae, SAE) for sae in saes)
    expect(saes, two, "saes", "logit_pair", "give (first, second)")
    whole = isinstance(features, (tuple, list)) and len(features) == 2
    whole = whole and all(isinstance(f, Integral) for f in features)
    expect(features, whole, "features", "logit_pair", "give one of each SAE, such as (31, 7)")
    effects = []
    for sae, feature in zip(saes, features, strict=True):
        (own,) = require_features([feature], sae.config.d_sae)
        effects.append(model.direction_logits(sae.decoder_directions[own][None].detach().to(model.device))[0])
    first, second = (e.double().cpu().numpy() for e in effects)
    tokens = tuple(model.display(range(model.d_vocab)))
    names = (saes[0].name, saes[1].name)
    return LogitPair(tokens, first, second, (int(features[0]), int(features[1])), names)


def splitting(
    small: SAE,
    large: SAE,
    small_acts: FeatureActivations,
    large_acts: FeatureActivations,
    *,
    min_cosine: float = CHILD_COSINE,
    min_together: float = CHILD_TOGETHER,
    progress: bool = True,
) -> Splitting:
    """Which features of a larger SAE continue each feature of a smaller one at the same site.

    A live feature of the larger SAE is the child of that live feature of the smaller one whose decoder row has the
    largest cosine with its own, among those of cosine >= `min_cosine` that are active on at least `min_together` of its
    tokens.

    `progress=False` draws no bar. Raises ValueError if the SAEs read different widths, or the activations are over
    different tokens.

    Example:
        >>> np.bincount(splitting(small, large, a, b).n_children)  # doctest: +SKIP
    """
    for sae in (small, large):
        check_sae(sae, "splitting")
    _same_tokens(small_acts, large_acts)
    if small.config.d_in != large.config.d_in:
        raise ValueError(f"the SAEs read vectors of {small.config.d_in} and {large.config.d_in} numbers: no cosine")
    unit_small, unit_large = (
        nn.functional.normalize(sae.W_dec.detach().float().cpu(), dim=-1).numpy() for sae in (small, large)
    )
    alive = np.diff(small_acts.start) > 0
    n_own = np.diff(large_acts.start)
    d = large_acts.d_sae
    parent, cosine, together = np.full(d, -1), np.full(d, np.nan), np.full(d, np.nan)
    if alive.any():
        with bar(d, "matching features", "features", progress=progress) as advance:
            for rows, count in _together(large_acts, small_acts):
                near = np.where(alive, unit_large[rows] @ unit_small.T, -2.0)
                share = count / np.maximum(n_own[rows, None], 1)
                fits = (near >= min_cosine) & (share >= min_together) & (n_own[rows, None] > 0)
                best = np.where(fits.any(1), np.where(fits, near, -2.0).argmax(1), near.argmax(1))
                each = np.arange(len(best))
                parent[rows] = np.where(fits.any(1), best, -1)
                cosine[rows], together[rows] = near[each, best], share[each, best]
                advance(rows.stop - rows.start)
    return Splitting(parent, cosine, together, alive)


def _same_tokens(first: FeatureActivations, second: FeatureActivations) -> None:
    for own in (first, second):
        expect(own, FeatureActivations, "acts", "a comparison of two SAEs")
    if not (np.array_equal(first.tokens, second.tokens) and np.array_equal(first.counted, second.counted)):
        raise ValueError("the two activations are over different tokens: compute both on one corpus")


def _moments(acts: FeatureActivations) -> tuple[np.ndarray, np.ndarray]:
    """(mean, standard deviation) of each feature over all counted tokens, float64 [d_sae]."""
    feature, value = feature_of(acts), acts.value.astype(np.float64)
    n = max(acts.n_tokens, 1)
    mean = np.bincount(feature, value, minlength=acts.d_sae) / n
    # About the mean: the active tokens one by one, the silent ones together.
    apart = np.bincount(feature, (value - mean[feature]) ** 2, minlength=acts.d_sae)
    return mean, np.sqrt((apart + (n - np.diff(acts.start)) * mean**2) / n)


def _together(
    first: FeatureActivations,
    second: FeatureActivations,
    weight_1: np.ndarray | None = None,
    weight_2: np.ndarray | None = None,
) -> Iterator[tuple[slice, np.ndarray]]:
    """(features of the first, sum over tokens of the products of weights [those, d_sae of the second]), block by block.

    Weights are one an activation; None: 1, which counts the tokens that two features share.
    """
    token_1, token_2 = token_of(first), token_of(second)
    order = np.argsort(token_2, kind="stable")
    begin = np.searchsorted(token_2[order], np.arange(second.tokens.size + 1))
    other = feature_of(second)[order]
    times = None if weight_2 is None else weight_2[order].astype(np.float64)
    feature = feature_of(first)
    d = second.d_sae
    step = max(1, _CELLS // d)
    for low in range(0, first.d_sae, step):
        rows = slice(low, min(low + step, first.d_sae))
        total = np.zeros((rows.stop - low) * d)
        entries = np.arange(first.start[low], first.start[rows.stop])
        count = begin[token_1[entries] + 1] - begin[token_1[entries]]
        for part in np.array_split(np.arange(len(entries)), int(max(1, count.sum() // _CELLS + 1))):
            n = count[part]
            source = np.repeat(entries[part], n)
            which = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n) + begin[token_1[source]]
            cell = (feature[source] - low) * d + other[which]
            if weight_1 is None or times is None:
                total += np.bincount(cell, minlength=len(total))
            else:
                total += np.bincount(cell, weight_1[source] * times[which], minlength=len(total))
        yield rows, total.reshape(-1, d)


@torch.inference_mode()
def _logit_correlation(model: Model, one: torch.Tensor, two: torch.Tensor) -> np.ndarray:
    """float64 [n]: Pearson's correlation over the vocabulary between the direct logit effects of each pair."""
    out = [np.zeros(0)]
    for a, b in zip(*(x.split(max(1, _CELLS // model.d_vocab)) for x in (one, two)), strict=True):
        # `direction_logits` has mean 0 over the vocabulary, so the cosine is the correlation.
        first, second = (model.direction_logits(x.to(model.device)).double() for x in (a, b))
        out.append(nn.functional.cosine_similarity(first, second, dim=-1).cpu().numpy())
    return np.concatenate(out)
