"""Feature absorption by SAEBench's definition: a probe's direction, and how much of it the concept's own features leave
to others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.activations import check_pair
from saewidgets.analysis.features.activations import feature_activations
from saewidgets.analysis.features.correlations import TokenIndex
from saewidgets.analysis.quality.concepts import Labeled, check_labeled, numbered
from saewidgets.analysis.quality.dense import best_of
from saewidgets.analysis.quality.halved import Halved, column, fit_probes, ranked
from saewidgets.analysis.quality.probes import nested_aside
from saewidgets.bars import bar, muted
from saewidgets.models import Model
from saewidgets.records import AbsorptionRates, FeatureActivations
from saewidgets.records.arguments import seed_of
from saewidgets.sae import SAE

# The constants of SAEBench's absorption evaluation (Karvonen et al. 2025; after Chanin et al. 2024).
JUMP = 0.03  # of F1, from which one more feature is a main one
MOST_MAIN = 10
PROBE_F1 = 0.6  # of the probe, below which a concept is left out
FULL_COSINE = 0.025  # of the taking feature with the probe
FULL_SHARE = 0.4  # of the activation along the probe, that it must give
PART_COSINE = 0.1  # of features that may take a part
PART_FEATURES = 3
PART_SHARE = 0.4  # that they must give together


@torch.inference_mode()
def saebench_absorption(
    model: Model | nn.Module,
    sae: SAE,
    corpus: Labeled,
    concepts: Sequence[str] | None = None,
    *,
    acts: FeatureActivations | None = None,
    seed: int = 0,
    progress: bool = True,
) -> AbsorptionRates:
    """How much of a concept its own features leave to others, as SAEBench measures it.

    With p the direction of length 1 of a logistic-regression probe of the concept, d_f the decoder rows in the model's
    units of length 1, and f's part in a token's activation c_f = a_f |W_dec[f]| (d_f . p):

        main features   of the features ranked by |mean on - mean off the concept|, the first, and one more for as long
                        as a logistic regression on them gains more than 0.03 of F1; at most 10;
        fully absorbed  no main feature fires, and the feature with the largest c_f has d_f . p of at least 0.025 and
                        gives at least 0.4 of x . p, which is above 0;
        fraction        a / (a + m): m is what the main features give, a what the three other features that give most,
                        of d_f . p at least 0.1, give, but no more than the main ones leave of x . p. It is 0 where
                        those three give less than 0.4 of x . p, and 1 where m is not above 0.

    Probe, ranking and main features are of one half of the documents. Tokens are the concept's in the other half that
    the probe tells rightly; a concept whose probe has an F1 below 0.6 there is left out. What is counted here for each
    token SAEBench counts once per word.

    Args:
        concepts: which ones; None: all.
        acts: `sw.feature_activations(model, sae, corpus)`, if it is at hand.

    Raises ValueError on an unknown concept, or if model, SAE and corpus do not belong together.

    Example:
        >>> saebench_absorption(model, sae, sw.load_corpus(), ["city", "food"]).to_dataframe()  # doctest: +SKIP
    """
    model, site = check_pair(model, sae, "saebench_absorption", reconstructs=True)
    check_labeled(corpus, "saebench_absorption")
    names, numbers = numbered(corpus, concepts)
    seed = seed_of(seed)
    with muted(not progress):
        acts = feature_activations(model, sae, corpus) if acts is None else acts
        halved = Halved.of(acts, corpus, seed)
        return _rates(halved, halved.read(model, site.hook_name), sae, names, numbers)


def _rates(
    halved: Halved, x: tuple[Tensor, Tensor], sae: SAE, names: list[str], numbers: np.ndarray
) -> AbsorptionRates:
    scale = 1.0 if sae.config.site is None else sae.config.site.scale
    W_dec = sae.W_dec.detach().float().cpu().double() / scale  # in the model's units
    length = W_dec.norm(dim=1).clamp_min(1e-30)
    probes = fit_probes(halved, x, halved.truth_of_choosing(x[0].device)[:, numbers])
    aside, scores = (s.T.cpu().numpy() for s in (probes.aside, probes.scores))
    order = ranked(halved, numbers, MOST_MAIN)
    row = halved.rows(halved.telling, halved.truth.token)
    index, cells = TokenIndex(halved.telling), np.flatnonzero(halved.telling.counted)
    rows = []
    with bar(len(names), "measuring absorption", "concepts") as advance:
        for i, name in enumerate(names):
            advance(1)
            own = row[halved.truth.concept == numbers[i]]
            told = scores[i] >= best_of(aside[i], halved.chosen(int(numbers[i])))[1]
            said, hits = int(told.sum()), int(told[own].sum())
            f1 = 2 * hits / (said + len(own)) if len(own) else np.nan
            if not f1 >= PROBE_F1:
                continue
            main = _main(halved, int(numbers[i]), order[i])
            p = nn.functional.normalize(probes.directions[:, i].double().cpu(), dim=0)
            along = (W_dec @ p).numpy()  # |W_dec[f]| (d_f . p)
            cosine = along / length.numpy()
            at = own[told[own]]
            projection = (x[1][torch.from_numpy(at).to(x[1].device)].double().cpu() @ p).numpy()
            which, feature, value = index.at(cells[at])
            edges = np.searchsorted(which, np.arange(len(at) + 1))
            parts = [
                _part(feature[a:b], value[a:b], along, cosine, main, float(v))
                for a, b, v in zip(edges[:-1], edges[1:], projection, strict=True)
            ]
            full, fraction = np.array(parts).reshape(-1, 2).T
            rows.append(
                (name, tuple(main), f1, len(parts), int(full.sum()), float(fraction.mean()) if len(parts) else np.nan)
            )
    out = list(zip(*rows, strict=True)) if rows else [()] * 6
    return AbsorptionRates(
        concept=tuple(out[0]),
        main=tuple(out[1]),
        probe_f1=np.array(out[2], np.float64),
        n_tokens=np.array(out[3], np.int64),
        full=np.array(out[4], np.int64),
        fraction=np.array(out[5], np.float64),
        n_left_out=len(names) - len(rows),
        sae_name=sae.name,
    )


def _main(halved: Halved, concept: int, order: np.ndarray) -> list[int]:
    """The features that stand for the concept."""
    row = halved.chosen(concept)
    x = np.stack([column(halved, halved.choosing, int(f)) for f in order], 1)
    values = x / np.maximum(x.std(0), 1e-6)
    y = np.zeros(len(x))
    y[row] = 1
    best = 0.0
    for k in range(1, len(order) + 1):
        (s,) = nested_aside(values[:, :k], y, halved.fold, [k])
        f1 = best_of(s.astype(np.float32), row)[0]
        if k > 1 and f1 <= best + JUMP:
            return [int(f) for f in order[: k - 1]]
        best = f1
    return [int(f) for f in order]


def _part(
    feature: np.ndarray, value: np.ndarray, along: np.ndarray, cosine: np.ndarray, main: list[int], projection: float
) -> tuple[bool, float]:
    """(whether a token is fully absorbed, the absorbed fraction of it), of the features active there."""
    given = value * along[feature]
    mine = np.isin(feature, main)
    full = False
    if not mine.any() and len(given) and projection > 0:
        top = int(given.argmax())
        full = bool(cosine[feature[top]] >= FULL_COSINE and given[top] >= FULL_SHARE * projection)
    m = float(given[mine].sum())
    others = np.sort(given[~mine & (cosine[feature] >= PART_COSINE)])[::-1][:PART_FEATURES].sum()
    if projection <= 0 or others < PART_SHARE * projection:
        return full, 0.0
    if m <= 0:
        return full, 1.0
    a = max(min(float(others), projection - m), 0.0)
    return full, a / (a + m)
