"""Each concept by an SAE's best feature, and beside it by what needs no SAE: neurons, random directions, probes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.activations import check_pair
from saewidgets.analysis.features.activations import feature_activations
from saewidgets.analysis.quality.concepts import Labeled, check_labeled
from saewidgets.analysis.quality.dense import best_dense, best_of, exact_auroc, resampled_f1
from saewidgets.analysis.quality.detectors import best_thresholds, over
from saewidgets.analysis.quality.halved import Halved, column, fit_probes, ranked
from saewidgets.analysis.quality.probes import fit_nested, nested_aside
from saewidgets.bars import bar, muted
from saewidgets.models import Model
from saewidgets.records import DetectorComparison, FeatureActivations
from saewidgets.records.arguments import expect, listed, seed_of, whole
from saewidgets.sae import SAE

MAX_TOKENS = 100_000  # read by default, in whole documents
RESAMPLES = 1000  # of the documents, for the intervals of F1

_LAYER = re.compile(r"blocks\.(\d+)\.(.*)")


@torch.inference_mode()
def compare_detectors(
    model: Model | nn.Module,
    sae: SAE,
    corpus: Labeled,
    *,
    acts: FeatureActivations | None = None,
    ks: Sequence[int] = (1, 2, 5, 16),
    baselines: bool = True,
    max_tokens: int = MAX_TOKENS,
    seed: int = 0,
    progress: bool = True,
) -> DetectorComparison:
    """How well each concept is told by the SAE's best feature, and by what one could read it from instead.

    The documents are halved at random by `seed`. Units, thresholds and probes are chosen and fitted on one half, by F1
    over its tokens; precision, recall, F1 and AUROC are of the other half. The methods:

        feature     the best of the SAE's features;
        neuron      the best neuron of any MLP up to the SAE's site, after its nonlinearity;
        direction   the best of as many random directions, at the site, as the SAE has features;
        probe       a logistic regression on the activations at the site, L2-penalized, on standardized numbers: about
                    the most that any linear reading of them can tell;
        k=1, ...    the same on the k features whose means on and off the concept differ most (Gurnee et al. 2023;
                    SAEBench's sparse probing).

    The threshold of a probe is chosen on documents that it was not fitted to: the choosing half is halved once more.

    Args:
        corpus: with labels (see `Labeled`): `sw.load_corpus()`, or `label_spans` of texts of your own.
        acts: `sw.feature_activations(model, sae, corpus)`, if it is at hand.
        ks: numbers of features of the sparse probes; `()` for none.
        baselines: False leaves out neurons, directions and the probe, which take most of the time.
        max_tokens: of a larger corpus, documents are drawn by `seed` until they hold as many.
        seed: of the halves and of the random directions.
        progress: show bars, where a part of it takes more than half a second.

    Raises TypeError for a corpus without labels, ValueError if model, SAE, corpus and `acts` do not belong together.

    Example:
        >>> compare_detectors(model, sae, sw.load_corpus()).summary()  # doctest: +SKIP
    """
    model, site = check_pair(model, sae, "compare_detectors")
    check_labeled(corpus, "compare_detectors")
    ks = tuple(whole(k, "k", minimum=1, maximum=sae.config.d_sae) for k in listed(ks, "ks", "k"))
    seed, max_tokens = seed_of(seed), whole(max_tokens, "max_tokens", minimum=2)
    with muted(not progress):
        acts = feature_activations(model, sae, corpus) if acts is None else acts
        halved = Halved.of(_sampled(acts, max_tokens, seed), corpus, seed)
        told = [_features(halved, corpus)]
        if baselines:
            told += [t for t in (_neurons(halved, model, site.hook_name),) if t is not None]
            x = halved.read(model, site.hook_name)
            told += [_directions(halved, x, sae.config.d_sae, seed), _probe(halved, x)]
            del x
        told += _sparse_probes(halved, ks)
    return _compared(told, halved, corpus, sae, model)


@dataclass(frozen=True, eq=False)
class _Told:
    """What one method makes of every concept: scores on the telling half, from what was chosen on the other."""

    method: str
    n_units: int
    units: list[str]  # per concept
    threshold: np.ndarray  # float64 [concept]
    chosen_f1: np.ndarray  # float64 [concept]
    score: Callable[[int], np.ndarray]  # concept -> float [row of the telling half]


def _sampled(acts: FeatureActivations, max_tokens: int, seed: int) -> FeatureActivations:
    """The activations over whole documents, drawn until they hold `max_tokens` tokens."""
    expect(acts, FeatureActivations, "acts", "compare_detectors")
    if acts.n_tokens <= max_tokens:
        return acts
    text = acts.text_of_context
    order = np.random.default_rng([seed, 3]).permutation(int(text.max()) + 1)
    held = np.cumsum(np.bincount(text, acts.counted.sum(1), minlength=len(order))[order])
    return over(acts, np.isin(text, order[: max(2, int(np.searchsorted(held, max_tokens, side="right")))]))


def _best(f1: np.ndarray, threshold: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(unit, threshold, F1) per concept, of tables [unit, concept]; -1 and nan where nothing tells it."""
    unit = f1.argmax(0)
    each = np.arange(f1.shape[1])
    best, at = f1[unit, each], threshold[unit, each]
    known = best > 0
    return np.where(known, unit, -1), np.where(known, at, np.nan), np.where(known, best, np.nan)


def _features(halved: Halved, corpus: Labeled) -> _Told:
    unit, threshold, f1 = _best(*best_thresholds(halved.choosing, corpus))
    names = [str(u) if u >= 0 else "" for u in unit]

    def score(c: int) -> np.ndarray:
        return column(halved, halved.telling, int(unit[c]))

    return _Told("feature", halved.acts.d_sae, names, threshold, f1, score)


def neuron_layers(hook_name: str) -> list[str]:
    """The hook points of the neurons of every MLP up to a site, itself included; [] for a site outside the blocks.

    Example:
        >>> neuron_layers("blocks.1.hook_resid_post")
        ['blocks.0.mlp.hook_post', 'blocks.1.mlp.hook_post']
    """
    found = _LAYER.match(hook_name)
    if not found:
        return []
    after = found[2] in ("hook_resid_post", "hook_mlp_out", "mlp.hook_post")
    return [f"blocks.{n}.mlp.hook_post" for n in range(int(found[1]) + after)]


def _neurons(halved: Halved, model: Model, site: str) -> _Told | None:
    """The best neuron of all layers; None where the model has none in sight."""
    n_concepts = len(halved.labels.n_tokens)
    best, at = np.full(n_concepts, np.nan), np.full(n_concepts, np.nan)
    names = [""] * n_concepts
    scores = np.zeros((n_concepts, halved.telling.n_tokens), np.float32)
    n_units = 0
    for hook_name in neuron_layers(site):
        try:
            choosing, telling = (half.T.contiguous().cpu().numpy() for half in halved.read(model, hook_name))
        except ValueError:  # this model computes its MLP elsewhere
            return None
        n_units += len(choosing)
        unit, threshold, f1 = _best(*_dense(halved, choosing, "trying neurons"))
        better = (unit >= 0) & ~(f1 <= best)
        best[better], at[better] = f1[better], threshold[better]
        for c in np.flatnonzero(better):
            names[c] = f"{hook_name.removesuffix('.mlp.hook_post')} neuron {unit[c]}"
            scores[c] = telling[unit[c]]
    return _Told("neuron", n_units, names, at, best, lambda c: scores[c]) if n_units else None


def _directions(halved: Halved, x: tuple[Tensor, Tensor], n: int, seed: int) -> _Told:
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(x[0].shape[1], n, generator=generator).to(x[0])
    directions = nn.functional.normalize(directions, dim=0)
    mean = x[0].mean(0)
    f1, threshold = [], []
    for block in directions.split(256, dim=1):  # bounds the memory of the scores
        found = _dense(halved, (block.T @ (x[0] - mean).T).cpu().numpy(), "trying random directions")
        f1.append(found[0])
        threshold.append(found[1])
    unit, at, best = _best(np.concatenate(f1), np.concatenate(threshold))
    scores = ((x[1] - mean) @ directions[:, unit]).T.cpu().numpy()
    names = [f"direction {u}" if u >= 0 else "" for u in unit]
    return _Told("direction", n, names, at, best, lambda c: scores[c])


def _dense(halved: Halved, x: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray]:
    row = halved.rows(halved.choosing, halved.labels.token)
    return best_dense(x, row, halved.labels.concept, len(halved.labels.n_tokens), what)


def _probe(halved: Halved, x: tuple[Tensor, Tensor]) -> _Told:
    fitted = fit_probes(halved, x, halved.truth_of_choosing(x[0].device))
    f1, at = _own_thresholds(halved, fitted.aside.T.cpu().numpy())
    names = ["" if np.isnan(f) else f"C={c:g}" for f, c in zip(f1, fitted.strength.tolist(), strict=True)]
    scores = fitted.scores.T.cpu().numpy()
    return _Told("probe", 1, names, at, f1, lambda c: scores[c])


def _own_thresholds(halved: Halved, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(best F1, its threshold) per concept, of scores [concept, row of the choosing half]; nan for no token."""
    found = [best_of(own, halved.chosen(c)) for c, own in enumerate(scores)]
    f1, at = np.array(found).reshape(-1, 2).T
    return f1, at


def _sparse_probes(halved: Halved, ks: Sequence[int]) -> list[_Told]:
    """Probes on the k features that differ most, of each k."""
    if not ks:
        return []
    n_concepts, most = len(halved.labels.n_tokens), max(ks)
    order = ranked(halved, np.arange(n_concepts), most)
    shape = (len(ks), n_concepts)
    f1, at = np.full(shape, np.nan), np.full(shape, np.nan)
    scores = np.zeros((*shape, halved.telling.n_tokens), np.float32)
    units = [[""] * n_concepts for _ in ks]
    ascending = np.argsort(ks, kind="stable").tolist()  # each k begins where the one before ended
    with bar(n_concepts, "fitting sparse probes", "concepts") as advance:
        for c in range(n_concepts):
            advance(1)
            mine = halved.chosen(c)
            if not len(mine):
                continue
            choosing, telling = (
                np.stack([column(halved, half, int(f)) for f in order[c]], 1)
                for half in (halved.choosing, halved.telling)
            )
            scale = np.maximum(choosing.std(0), 1e-6)
            choosing, telling = choosing / scale, telling / scale
            y = np.zeros(len(choosing))
            y[mine] = 1
            aside = nested_aside(choosing, y, halved.fold, sorted(ks))
            for i, own, w in zip(ascending, aside, fit_nested(choosing, y, sorted(ks)), strict=True):
                f1[i, c], at[i, c] = best_of(own.astype(np.float32), mine)
                scores[i, c] = telling[:, : ks[i]] @ w[:-1].astype(np.float32) + np.float32(w[-1])
                units[i][c] = ", ".join(str(f) for f in order[c, : ks[i]])
    return [
        _Told(f"k={k}", halved.acts.d_sae, units[i], at[i], f1[i], lambda c, i=i: scores[i, c])  # type: ignore[misc]
        for i, k in enumerate(ks)
    ]


def _compared(told: Sequence[_Told], halved: Halved, corpus: Labeled, sae: SAE, model: Model) -> DetectorComparison:
    """Every (concept, method) counted on the telling half."""
    n_docs = int(halved.document.max()) + 1
    # Float32 counts up to 2^24 exactly, and multiplies many times as fast as integers do.
    draws = np.random.default_rng(0).multinomial(n_docs, np.full(n_docs, 1 / n_docs), RESAMPLES).astype(np.float32)
    rows: list[tuple[Any, ...]] = []
    row = halved.rows(halved.telling, halved.truth.token)
    for c, concept in enumerate(corpus.concepts):
        own = row[halved.truth.concept == c]
        true = np.zeros(halved.telling.n_tokens, bool)
        true[own] = True
        for t in told:
            cut, known = t.threshold[c], bool(np.isfinite(t.threshold[c]))
            score = t.score(c) if known else np.zeros(len(true), np.float32)
            said = score >= cut
            low, high = resampled_f1(said, true, halved.document, draws) if known else (np.nan, np.nan)
            auroc = exact_auroc(score, own) if known else np.nan
            counts = int((said & true).sum()), int(said.sum()), len(own)
            rows.append((concept, t.method, t.units[c], cut, t.chosen_f1[c], *counts, auroc, low, high))
    names = (
        "concept",
        "method",
        "unit",
        "threshold",
        "chosen_f1",
        "hits",
        "said",
        "true",
        "auroc",
        "f1_low",
        "f1_high",
    )
    columns: dict[str, Any] = dict(zip(names, zip(*rows, strict=True), strict=True))
    for name in names[3:]:
        columns[name] = np.array(columns[name], np.int64 if name in ("hits", "said", "true") else np.float64)
    return DetectorComparison(
        methods=tuple(t.method for t in told),
        n_units=tuple(t.n_units for t in told),
        n_tokens=halved.telling.n_tokens,
        n_choosing=halved.choosing.n_tokens,
        corpus=halved.acts.corpus,
        sae_name=sae.name,
        model_name=model.name,
        **columns,
    )
