"""Explorer: clamp panel, dashboard and probe under each other, on one selection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ipywidgets
import pandas as pd

from saewidgets import export
from saewidgets.files import write_text
from saewidgets.languages import said, spoken
from saewidgets.records import Findings
from saewidgets.records.code import opening
from saewidgets.widgets import _cells
from saewidgets.widgets.clamp import ClampPanel
from saewidgets.widgets.dashboard import FeatureDashboard
from saewidgets.widgets.probe import FeatureProbe
from saewidgets.widgets.selection import Selection

CARRIED = 20  # features whose records a page carries by default


class Explorer(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Three instruments in one view: a feature that is chosen in one is shown, clamped and colored by the others.

    `explore(model, sae)` makes one. Each part is an instrument of its own: `clamp`, `dashboard` and `probe`;
    `selection` is what they share.

    Args:
        clamp, dashboard, probe: instruments that share `selection`.
        n_texts: of the short corpus that was read; None where a corpus was given.

    Example:
        >>> view = sw.explore(model, sae)  # doctest: +SKIP
        >>> view.selection.feature = 31  # all three follow  # doctest: +SKIP
        >>> view.clamp.multiples = {31: 2.0}  # doctest: +SKIP
    """

    def __init__(
        self, clamp: ClampPanel, dashboard: FeatureDashboard, probe: FeatureProbe, *, n_texts: int | None = None
    ) -> None:
        super().__init__([clamp, dashboard, probe])
        self.clamp, self.dashboard, self.probe = clamp, dashboard, probe
        self.selection: Selection | None = dashboard.selection
        self.data = dashboard.data
        self._n_texts = n_texts
        _cells.add(self)

    @property
    def feature(self) -> int:
        """The feature that is looked at."""
        return int(self.dashboard.feature)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per feature: feature, label, density, maximum, and the three most promoted tokens."""
        return self.dashboard.to_dataframe()

    def to_code(self) -> str:
        """Python that opens this view again, to paste in a cell."""
        options = f"feature={self.feature}"
        if self._n_texts is None:
            return f"{opening(self.data.passport)}sw.explore(model, sae, corpus, {options})"
        return f"{opening(self.data.passport, corpus=False)}sw.explore(model, sae, {options}, n_texts={self._n_texts})"

    def to_html(self, path: str | Path | None = None) -> str:
        """The three as one self-contained page, with the records of the rows of the panel and of the first features
        that have a label, 20 in all; written to `path` if given.
        """
        first = [self.feature, *self.clamp.features]
        labeled = [s.feature for s in self.data.summaries if s.label]
        chosen = list(dict.fromkeys([*first, *labeled]))[: max(CARRIED, len(set(first)))]
        with spoken(self.dashboard._language):
            board = export.dashboard_view(self.data, chosen, feature=self.feature)
            views = [self.clamp._view(), board, self.probe._view()]
            text = export.page(said("Explorer"), views, fallback=export.feature_table(self.data, chosen))
        if path is not None:
            write_text(path, text)
        return text

    def findings(self) -> Findings:
        """The reader's labels and the finished tries of the panel."""
        return self.clamp.findings() + self.dashboard.findings()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until what is written, measured and read in the background is there; False where `timeout` seconds each
        did not suffice.
        """
        return all([self.clamp.wait(timeout), self.dashboard.wait(timeout), self.probe.wait(timeout)])

    def __repr__(self) -> str:
        return f"Explorer(feature={self.feature}, features={len(self.data.features)})"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        shown = super()._repr_mimebundle_(**kwargs)
        return shown if shown is None else {**shown, "text/plain": repr(self)}

    def close(self) -> None:
        """End the three and the view."""
        for part in (self.clamp, self.dashboard, self.probe):
            part.close()
        super().close()
