"""Which examples a dashboard shows of a feature, and the text around each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saewidgets.records import FeatureActivations, FeatureExample, Histogram

N_BINS = 50  # of the histogram of non-zero activations


@dataclass(frozen=True, eq=False)
class Entries:
    """The non-zero activations of the chosen features, still sorted by (feature, context, position)."""

    index: np.ndarray  # int64 [n], into the arrays of FeatureActivations
    row: np.ndarray  # int64 [n], which of the chosen features
    context: np.ndarray  # int32 [n]
    value: np.ndarray  # float32 [n]
    maximum: np.ndarray  # float32 [chosen]

    @classmethod
    def of(cls, acts: FeatureActivations, chosen: np.ndarray) -> Entries:
        """The entries of chosen features [chosen], ascending."""
        first, count = acts.start[chosen], np.diff(acts.start)[chosen]
        row = np.repeat(np.arange(len(chosen)), count)
        index = np.arange(len(row)) + (first - (np.cumsum(count) - count))[row]
        value = acts.value[index]
        maximum = np.zeros(len(chosen), np.float32)
        alive = np.flatnonzero(count)
        if len(alive):
            maximum[alive] = np.maximum.reduceat(value, (np.cumsum(count) - count)[alive])
        return cls(index, row, acts.context[index], value, maximum)

    def only(self, kept: np.ndarray) -> Entries:
        """Some of the entries, by their positions, ascending; maxima stay those of all."""
        return Entries(self.index[kept], self.row[kept], self.context[kept], self.value[kept], self.maximum)


def _starts(*columns: np.ndarray) -> np.ndarray:
    """Where a new group begins, in columns whose equal rows stand together."""
    new = np.ones(len(columns[0]), bool)
    new[1:] = False
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(new)


def first_n(n: int, *columns: np.ndarray) -> np.ndarray:
    """bool: the first n rows of each group."""
    starts = _starts(*columns)
    length = np.diff(np.append(starts, len(columns[0])))
    value: np.ndarray = np.arange(len(columns[0])) - np.repeat(starts, length) < n
    return value


def top_positions(entries: Entries, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(positions in `entries`, -1 each) of the strongest activations, strongest first within a feature."""
    if not len(entries.value):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    starts = _starts(entries.row, entries.context)
    length = np.diff(np.append(starts, len(entries.value)))
    is_peak = entries.value == np.repeat(np.maximum.reduceat(entries.value, starts), length)
    peaks = np.flatnonzero(is_peak)
    group = np.repeat(np.arange(len(starts)), length)[peaks]
    peaks = peaks[first_n(1, group)]  # the first of equal ones in a context
    # The bits of a positive float32 sort as it does: feature and descending value in one integer.
    falling = np.uint64(0xFFFFFFFF) - entries.value[peaks].view(np.uint32).astype(np.uint64)
    key = entries.row[peaks].astype(np.uint64) << np.uint64(32) | falling
    peaks = peaks[np.argsort(key, kind="stable")]
    peaks = peaks[first_n(n, entries.row[peaks])]
    return peaks, np.full(len(peaks), -1)


def drawn_tokens(counted: np.ndarray, n: int, seed: int) -> np.ndarray:
    """bool [context, pos]: n of the counted tokens of each context, at random; all of a context that has no more."""
    chances = np.where(counted, np.random.default_rng(seed).random(counted.shape), 2.0)
    drawn: np.ndarray = np.zeros(counted.shape, bool)
    np.put_along_axis(drawn, np.argsort(chances, axis=1, kind="stable")[:, :n], True, axis=1)
    drawn &= counted
    return drawn


def chance(entries: Entries, seed: int) -> np.ndarray:
    """uint64 below 2^32, one an activation: a hash of its place in the corpus, so a draw does not depend on what else
    is asked for.

    SplitMix64 (Steele, Lea, Flood 2014) of the place, with the seed as its starting state.
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    start = np.uint64((seed * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF)
    with np.errstate(over="ignore"):
        z = start + (entries.index.astype(np.uint64) + np.uint64(1)) * golden
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))) >> np.uint64(32)


def drawn_positions(entries: Entries, n: int, per_interval: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(positions in `entries`, interval) of activations drawn from each interval, strongest interval first."""
    if n < 1:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    interval = bins_of(entries, n)
    group = entries.row * n + (n - 1 - interval)
    order = np.argsort(group.astype(np.uint64) << np.uint64(32) | chance(entries, seed), kind="stable")
    order = order[first_n(per_interval, group[order])]
    return order, interval[order]


def bins_of(entries: Entries, n: int) -> np.ndarray:
    """Which of n equal parts of [0, maximum] holds each activation; the last one holds the maximum too."""
    part = entries.value.astype(np.float64) * n / entries.maximum.astype(np.float64)[entries.row]
    value: np.ndarray = np.minimum(part.astype(np.int64), n - 1)
    return value


def windows(
    acts: FeatureActivations,
    entries: Entries,
    picked: np.ndarray,
    interval: np.ndarray,
    window: int,
    texts: Sequence[str],
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
    begin = np.argmax(acts.counted[context], axis=1)  # a text is shown without its beginning-of-text token
    length = (acts.tokens[context] >= 0).sum(1)
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


def histograms(entries: Entries) -> list[Histogram]:
    """Of the non-zero activations of each chosen feature, `N_BINS` equal bins between 0 and its maximum."""
    n = len(entries.maximum)
    counts = np.bincount(entries.row * N_BINS + bins_of(entries, N_BINS), minlength=n * N_BINS).reshape(n, N_BINS)
    # In float64, as numpy.histogram has them; a dead feature gets empty bins up to 1.
    limits = np.where(entries.maximum > 0, entries.maximum, 1.0).astype(np.float64)
    edges = np.linspace(0.0, limits, N_BINS + 1, axis=1)
    return [Histogram(tuple(e), tuple(c)) for e, c in zip(edges.tolist(), counts.tolist(), strict=True)]
