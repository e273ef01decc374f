"""What a feature responds to and what it does: its activations over a corpus, and everything a dashboard shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.activations import check_site, corpus_rows, harvest
from saewidgets.doctor.meeting import verdict
from saewidgets.models import Model
from saewidgets.records import (
    DashboardData,
    FeatureActivations,
    FeatureData,
    FeatureExample,
    Histogram,
    Neighbor,
    Passport,
    TokenEffect,
)
from saewidgets.sae import SAE

N_BINS = 50  # of the histogram of non-zero activations
N_EFFECTS = 10  # tokens promoted, and suppressed
N_NEIGHBORS = 5
_ENCODER_CELLS = 1 << 24  # pre-activations held at once: 64 MB
_EFFECT_CELLS = 1 << 24


@torch.inference_mode()
def feature_activations(model: Model | nn.Module, sae: SAE, corpus: Any) -> FeatureActivations:
    """Every non-zero activation of every feature over a corpus.

    Args:
        model: the model that the SAE reads.
        sae: its `config.site` says where.
        corpus: a `Corpus`, a list of texts, or token rows (see `activations.corpus_rows`).

    The beginning-of-text token and padding do not count: they hold no activation and are in no denominator.
    Raises ValueError if the model does not have the SAE's site in the same coordinates, or if the corpus is empty.

    Example:
        >>> acts = feature_activations(model, sae, sw.load_corpus())  # doctest: +SKIP
        >>> acts.density[31], acts.maximum[31]  # doctest: +SKIP
    """
    model = Model.wrap(model)
    site = check_site(model, sae.config.site)
    rows, counted = corpus_rows(model, corpus)
    verdict(model, sae, rows)  # warns if the two do not belong together
    n_cells = rows.size
    keys: list[np.ndarray] = []  # feature, then context, then position, as one number
    values: list[np.ndarray] = []
    for context, position, x in harvest(model, site.hook_name, rows, counted):
        cell = context * rows.shape[1] + position
        for first, token, feature, value in _non_zero(sae, x.to(sae.W_enc.device)):
            keys.append(feature * n_cells + cell[first:][token])
            values.append(value)
    key = np.concatenate(keys) if keys else np.zeros(0, np.int64)
    order = np.argsort(key)
    key = key[order]
    feature, cell = np.divmod(key, n_cells)
    context, position = np.divmod(cell, rows.shape[1])
    return FeatureActivations(
        tokens=rows,
        context=context.astype(np.int32),
        position=position.astype(np.int32),
        value=(np.concatenate(values) if values else np.zeros(0, np.float32))[order],
        start=np.searchsorted(feature, np.arange(sae.config.d_sae + 1)).astype(np.int64),
        counted=counted,
        corpus=getattr(corpus, "name", "") or f"{len(rows):,} texts",
    )


def _non_zero(sae: SAE, x: Tensor) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """(first row, row from there, feature, value) of the activations of x [n, d_in], some rows at a time."""
    step = max(1, _ENCODER_CELLS // sae.config.d_sae)
    for first in range(0, len(x), step):
        block = x[first : first + step]
        if sae.config.architecture == "topk":
            indices, values = sae.encode_sparse(block)
            row, column = (values > 0).nonzero(as_tuple=True)
            feature, value = indices[row, column], values[row, column]
        else:
            activations = sae.encode(block)
            row, feature = activations.nonzero(as_tuple=True)
            value = activations[row, feature]
        yield first, row.cpu().numpy(), feature.cpu().numpy(), value.cpu().numpy()


@torch.inference_mode()
def dashboard_data(
    model: Model | nn.Module,
    sae: SAE,
    acts: FeatureActivations,
    features: Sequence[int] | None = None,
    *,
    n_top: int = 20,
    n_intervals: int = 10,
    per_interval: int = 5,
    window: int = 8,
    labels: Mapping[int, str] | None = None,
    corpus_name: str = "",
    seed: int = 0,
) -> DashboardData:
    """What a dashboard shows of some features, or of all that fired.

    Args:
        model: for token texts and direct logit effects.
        sae: whose features they are.
        acts: from `feature_activations` with the same SAE.
        features: which ones, in any order; None: every feature with an activation. The result is sorted by feature.
        n_top: strongest examples, at most one a context; of equal ones, the first in the corpus.
        n_intervals: intervals of equal width between 0 and the feature's maximum (S10); an interval holds its lower edge.
        per_interval: examples drawn from each, at random by `seed`. A feature's draw does not depend on `features`.
        window: tokens shown on each side of the activation.
        labels: what features stand for, where known.
        corpus_name: printed in the passport; by default the name that `acts` carries.
        seed: of the draw.

    Raises ValueError if `acts`, `sae` and `model` do not belong together, IndexError on a feature that does not exist.

    Example:
        >>> data = dashboard_data(model, sae, acts, labels={31: "golden gate bridge"})  # doctest: +SKIP
        >>> [t.token for t in data[31].promoted]  # doctest: +SKIP
    """
    model = Model.wrap(model)
    site = check_site(model, sae.config.site)
    if acts.d_sae != sae.config.d_sae:
        raise ValueError(f"the activations are of {acts.d_sae} features, the SAE has {sae.config.d_sae}")
    alive = np.flatnonzero(np.diff(acts.start))
    chosen = alive if features is None else np.unique(np.asarray(features, np.int64))
    for feature in chosen[(chosen < 0) | (chosen >= acts.d_sae)][:1]:
        raise IndexError(f"feature {feature} does not exist: this SAE has features 0 to {acts.d_sae - 1}")

    entries = _Entries.of(acts, chosen)
    texts = list(model.display(list(range(model.d_vocab))))
    top = _examples(acts, entries, *_top(entries, n_top), window, texts)
    drawn = _examples(acts, entries, *_draw(acts, entries, n_intervals, per_interval, seed), window, texts)
    histograms = _histograms(entries)
    effects = _logit_effects(model, sae, chosen, texts)
    neighbors = _neighbors(sae, chosen, alive)
    density = acts.density
    labels = labels or {}
    return DashboardData(
        Passport(
            site,
            corpus_name or acts.corpus,
            acts.n_tokens,
            acts.d_sae,
            sae.config.architecture,
            sae.name,
            verdict(model, sae, acts.tokens),
        ),
        {
            feature: FeatureData(
                feature=feature,
                maximum=float(entries.maximum[i]),
                density=float(density[feature]),
                top=tuple(top[i]),
                intervals=tuple(drawn[i]),
                histogram=histograms[i],
                promoted=effects[i][0],
                suppressed=effects[i][1],
                neighbors=neighbors[i],
                label=labels.get(feature, ""),
            )
            for i, feature in enumerate(chosen.tolist())
        },
    )


@dataclass(frozen=True, eq=False)
class _Entries:
    """The non-zero activations of the chosen features, still sorted by (feature, context, position)."""

    index: np.ndarray  # int64 [n], into the arrays of FeatureActivations
    row: np.ndarray  # int64 [n], which of the chosen features
    context: np.ndarray  # int32 [n]
    value: np.ndarray  # float32 [n]
    maximum: np.ndarray  # float32 [chosen]

    @classmethod
    def of(cls, acts: FeatureActivations, chosen: np.ndarray) -> _Entries:
        first, count = acts.start[chosen], np.diff(acts.start)[chosen]
        row = np.repeat(np.arange(len(chosen)), count)
        index = np.arange(len(row)) + (first - (np.cumsum(count) - count))[row]
        return cls(index, row, acts.context[index], acts.value[index], acts.maximum[chosen])


def _starts(*columns: np.ndarray) -> np.ndarray:
    """Where a new group begins, in columns whose equal rows stand together."""
    new = np.ones(len(columns[0]), bool)
    new[1:] = False
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(new)


def _first_n(n: int, *columns: np.ndarray) -> np.ndarray:
    """bool: the first n rows of each group."""
    starts = _starts(*columns)
    length = np.diff(np.append(starts, len(columns[0])))
    return np.arange(len(columns[0])) - np.repeat(starts, length) < n


def _top(entries: _Entries, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(positions in `entries`, -1 each) of the strongest activations, strongest first within a feature."""
    if not len(entries.value):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    starts = _starts(entries.row, entries.context)
    length = np.diff(np.append(starts, len(entries.value)))
    is_peak = entries.value == np.repeat(np.maximum.reduceat(entries.value, starts), length)
    peaks = np.flatnonzero(is_peak)
    group = np.repeat(np.arange(len(starts)), length)[peaks]
    peaks = peaks[_first_n(1, group)]  # the first of equal ones in a context
    # The bits of a positive float32 sort as it does: feature and descending value in one integer.
    falling = np.uint64(0xFFFFFFFF) - entries.value[peaks].view(np.uint32).astype(np.uint64)
    key = entries.row[peaks].astype(np.uint64) << np.uint64(32) | falling
    peaks = peaks[np.argsort(key, kind="stable")]
    peaks = peaks[_first_n(n, entries.row[peaks])]
    return peaks, np.full(len(peaks), -1)


def _draw(
    acts: FeatureActivations, entries: _Entries, n: int, per_interval: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """(positions in `entries`, interval) of activations drawn from each interval, strongest interval first."""
    if n < 1:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    interval = _bins(entries, n)
    # One number an activation of the whole corpus, so that a feature's draw is the same whatever else was asked for.
    chance = np.random.default_rng(seed).integers(0, 1 << 32, len(acts.value), dtype=np.uint32)[entries.index]
    group = entries.row * n + (n - 1 - interval)
    order = np.argsort(group.astype(np.uint64) << np.uint64(32) | chance, kind="stable")
    order = order[_first_n(per_interval, group[order])]
    return order, interval[order]


def _bins(entries: _Entries, n: int) -> np.ndarray:
    """Which of n equal parts of [0, maximum] holds each activation; the last one holds the maximum too."""
    part = entries.value.astype(np.float64) * n / entries.maximum.astype(np.float64)[entries.row]
    return np.minimum(part.astype(np.int64), n - 1)


def _examples(
    acts: FeatureActivations,
    entries: _Entries,
    picked: np.ndarray,
    interval: np.ndarray,
    window: int,
    texts: list[str],
) -> list[list[FeatureExample]]:
    """Windows of text around the picked activations, by chosen feature."""
    out: list[list[FeatureExample]] = [[] for _ in entries.maximum]
    if not len(picked):
        return out
    row, context, position = entries.row[picked], entries.context[picked], acts.position[entries.index[picked]]
    shown = np.zeros((len(picked), 2 * window + 1), np.float32)
    for step in range(-window, window + 1):
        # In the sorted arrays, a neighbor in the text is at most `window` entries away.
        near = np.clip(picked + step, 0, len(entries.row) - 1)
        other = entries.index[near]
        away = acts.position[other] - position
        same = (entries.row[near] == row) & (acts.context[other] == context) & (np.abs(away) <= window)
        shown[np.flatnonzero(same), away[same] + window] = acts.value[other[same]]
    begin = np.argmax(acts.counted, axis=1)[context]  # a text is shown without its beginning-of-text token
    length = (acts.tokens >= 0).sum(1)[context]
    first, last = np.maximum(position - window, begin), np.minimum(position + window + 1, length)
    columns = np.clip(position[:, None] + np.arange(-window, window + 1), 0, acts.tokens.shape[1] - 1)
    token_ids = acts.tokens[context[:, None], columns].tolist()
    skip = (first - position + window).tolist()
    stop = (last - position + window).tolist()
    rows, contexts, firsts, intervals = (a.tolist() for a in (row, context, first, interval))
    values = shown.tolist()
    for i, ids in enumerate(token_ids):
        ids = tuple(ids[skip[i] : stop[i]])
        out[rows[i]].append(
            FeatureExample(
                tokens=tuple([texts[t] for t in ids]),
                token_ids=ids,
                activations=tuple(values[i][skip[i] : stop[i]]),
                peak=window - skip[i],
                context=contexts[i],
                position=firsts[i],
                interval=intervals[i],
            )
        )
    return out


def _histograms(entries: _Entries) -> list[Histogram]:
    n = len(entries.maximum)
    counts = np.bincount(entries.row * N_BINS + _bins(entries, N_BINS), minlength=n * N_BINS).reshape(n, N_BINS)
    # In float64, as numpy.histogram has them; a dead feature gets empty bins up to 1.
    limits = np.where(entries.maximum > 0, entries.maximum, 1.0).astype(np.float64)
    edges = np.linspace(0.0, limits, N_BINS + 1, axis=1)
    return [Histogram(tuple(e), tuple(c)) for e, c in zip(edges.tolist(), counts.tolist(), strict=True)]


def _logit_effects(
    model: Model, sae: SAE, chosen: np.ndarray, texts: list[str]
) -> list[tuple[tuple[TokenEffect, ...], tuple[TokenEffect, ...]]]:
    """(promoted, suppressed) tokens by direct effect, for each unit of activation."""
    out = []
    directions = sae.decoder_directions[torch.from_numpy(chosen).to(sae.W_dec.device)].to(model.device)
    n = min(N_EFFECTS, model.d_vocab)
    for block in directions.split(max(1, _EFFECT_CELLS // model.d_vocab)):
        logits = model.direction_logits(block)  # [features, d_vocab]
        ends = [logits.topk(n, dim=-1, largest=largest) for largest in (True, False)]
        listed = [(end.indices.tolist(), end.values.tolist()) for end in ends]
        for i in range(len(block)):
            promoted, suppressed = (
                tuple(TokenEffect(texts[t], t, v) for t, v in zip(ids[i], values[i], strict=True))
                for ids, values in listed
            )
            out.append((promoted, suppressed))
    return out


def _neighbors(sae: SAE, chosen: np.ndarray, alive: np.ndarray) -> list[tuple[Neighbor, ...]]:
    """The live features with the nearest decoder directions."""
    out: list[tuple[Neighbor, ...]] = []
    unit = torch.nn.functional.normalize(sae.W_dec.detach(), dim=-1)
    others = torch.from_numpy(alive).to(unit.device)
    for block in torch.from_numpy(chosen).to(unit.device).split(max(1, _EFFECT_CELLS // max(1, len(alive)))):
        cosine = unit[block] @ unit[others].T
        cosine[block[:, None] == others] = -2.0  # itself
        best = cosine.topk(min(N_NEIGHBORS, len(alive)), dim=-1)
        for ids, values in zip(others[best.indices].tolist(), best.values.tolist(), strict=True):
            out.append(tuple(Neighbor(f, v) for f, v in zip(ids, values, strict=True) if v > -2.0))
    return out
