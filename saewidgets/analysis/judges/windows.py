"""Windows of a corpus in which a feature is active, and in which it is not: what scores of an explanation ask about."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from saewidgets.analysis.judges.passages import Passages
from saewidgets.models import Model
from saewidgets.records import FeatureActivations
from saewidgets.records.arguments import require_features
from saewidgets.records.judging import Passage

PEAK = 0.75  # of a window, where its strongest token stands


@dataclass(frozen=True)
class Window:
    """Some columns of one row, and a feature's activations there."""

    context: int
    first: int
    values: tuple[float, ...]  # of each token, SAE units
    peak: int  # index of the strongest token; of an inactive window, the middle

    @property
    def maximum(self) -> float:
        """The strongest activation in it, 0 where there is none."""
        return max(self.values, default=0.0)


class Windows:
    """The windows of one feature: each row's strongest activation with the text around it, at most one a row, and
    windows without an activation.

    As in delphi (EleutherAI), a window has 32 tokens and its strongest one stands at three quarters of it, as far as
    the row goes. Active windows are sorted by their maximum, the strongest first, and told into ten equal parts.
    """

    def __init__(self, model: Model, acts: FeatureActivations, feature: int, *, width: int = 32, seed: int = 0) -> None:
        (self.feature,) = require_features([feature], acts.d_sae)
        self.acts, self.width = acts, width
        self.cuts = Passages(model, acts)
        self.rng = np.random.default_rng(seed)
        self._dense = acts.dense(self.feature)
        row, column, value = acts.of(self.feature)
        rows, place = np.unique(row, return_index=True)
        peaks = np.array([column[p] for p in self._peaks(place, value)], np.int64)
        found = [self._at(int(r), int(p)) for r, p in zip(rows, peaks, strict=True)]
        self.active = sorted(found, key=lambda w: (-w.maximum, w.context))
        self._quiet: list[int] = np.flatnonzero(acts.counted.any(1)).tolist()

    @staticmethod
    def _peaks(place: np.ndarray, value: np.ndarray) -> list[int]:
        """Where each row's strongest activation stands, the first of equal ones."""
        ends = np.append(place[1:], len(value)) if len(place) else place
        return [int(a + np.argmax(value[a:b])) for a, b in zip(place, ends, strict=True)]

    def _at(self, row: int, peak: int) -> Window:
        begin, end = int(self.cuts.first[row]), int(self.cuts.stop[row])
        first = min(max(peak - int(PEAK * self.width), begin), max(begin, end - self.width))
        stop = min(first + self.width, end)
        return Window(row, first, tuple(self._dense[row, first:stop].tolist()), peak - first)

    def tenths(self) -> list[list[Window]]:
        """The active windows in ten equal parts, the strongest first."""
        return [[self.active[i] for i in part] for part in np.array_split(np.arange(len(self.active)), 10)]

    def spread(self, n: int, without: Collection[int] = ()) -> list[Window]:
        """n active windows, as many from each tenth as will go, drawn at random; rows in `without` are left out."""
        tenths = [[w for w in part if w.context not in without] for part in self.tenths()]
        drawn: list[Window] = []
        for i, part in enumerate(tenths):
            share = n * (i + 1) // 10 - n * i // 10
            chosen = self.rng.permutation(len(part))[:share]
            drawn += [part[j] for j in np.sort(chosen).tolist()]
        return drawn

    def quiet(self, n: int, without: Collection[int] = ()) -> list[Window]:
        """n windows in which the feature is off throughout, or as many as a fair number of tries finds."""
        found: list[Window] = []
        for _ in range(20 * n):
            if len(found) == n or not self._quiet:
                break
            row = self._quiet[int(self.rng.integers(len(self._quiet)))]
            if row in without:
                continue
            begin, end = int(self.cuts.first[row]), int(self.cuts.stop[row])
            first = int(self.rng.integers(begin, max(begin, end - self.width) + 1))
            values = self._dense[row, first : min(first + self.width, end)]
            if len(values) and not values.any():
                found.append(Window(row, first, tuple(values.tolist()), len(values) // 2))
        return found

    def passage(self, window: Window, marked: list[int] | None = None) -> Passage:
        """The text of a window, with some of its tokens marked."""
        first = window.first
        columns = tuple(first + i for i in marked or ())
        return self.cuts.cut(window.context, columns, first, first + len(window.values))
