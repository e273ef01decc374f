"""FeatureDashboard: everything that is known of one feature."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import traitlets

from saewidgets import export
from saewidgets.frontend import css, esm, payload
from saewidgets.records import DashboardData, FeatureData
from saewidgets.widgets._base import Instrument, present
from saewidgets.widgets.selection import Selection

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


class FeatureDashboard(Instrument):
    """One feature at a time: its strongest examples, weaker ones by level, activations, logit effects, nearest features.

    The layout follows the feature pages of Bricken et al. 2023, "Towards Monosemanticity", and Templeton et al. 2024,
    "Scaling Monosemanticity". It needs no model: `data` is all that it draws.

    Args:
        data: the records, e.g. of `dashboard_data` or `DashboardData.load`.
        feature: which feature to show first; by default the selection's, or else the first that has a label.
        selection: share the feature with other instruments.

    Raises:
        ValueError: `data` is empty, or `feature` is not in it; the message names the nearest ones that are.

    Example:
        >>> board = FeatureDashboard(data, feature=31)  # doctest: +SKIP
        >>> board.feature = 42  # the page follows  # doctest: +SKIP
        >>> board.shown.density  # doctest: +SKIP
        0.0042
    """

    _esm = esm("dashboard")
    _css = css()
    _instrument = "dashboard"

    feature = traitlets.Int(help="The feature that is shown.").tag(sync=True)
    _index: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _shown = traitlets.Dict().tag(sync=True)
    _passport = traitlets.Unicode().tag(sync=True)

    def __init__(self, data: DashboardData, *, feature: int | None = None, selection: Selection | None = None) -> None:
        if not data.features:
            raise ValueError("there is no feature to show: this dashboard is empty")
        self.data = data
        if feature is None and selection is not None and selection.feature in data.features:
            feature = selection.feature
        if feature is None:
            ordered = sorted(data.features)
            feature = next((f for f in ordered if data.features[f].label), ordered[0])
        feature = index(feature)
        export.require(data, feature)
        super().__init__(
            feature=feature,
            _index=payload.wire(payload.index(data)),
            _shown=payload.wire(payload.feature(data[feature])),
            _passport=payload.wire(payload.passport(data)),
        )
        self._follow(selection)

    @property
    def shown(self) -> FeatureData:
        """The record of the feature that is shown."""
        return self.data[self.feature]

    @property
    def figure(self) -> Figure:
        """The activation histogram as a plain Plotly figure; `saewidgets.views` has the other charts."""
        from saewidgets.views import activation_histogram

        return activation_histogram(self.shown)

    def to_dataframe(self) -> pd.DataFrame:
        """One row a feature: feature, label, density, maximum, and the three most promoted tokens."""
        return self.data.to_dataframe()

    def to_html(self, path: str | Path | None = None, *, features: Iterable[int] | None = None) -> str:
        """The dashboard as one self-contained page, open on the feature that is shown; written to `path` if given.

        Args:
            path: the file to write.
            features: which features the page carries; all by default.
        """
        chosen = None if features is None else {*features, self.feature}
        return export.dashboard_html(self.data, path, features=chosen, feature=self.feature)

    def to_code(self) -> str:
        """Python that shows this feature again, to paste in a cell."""
        return (
            "import saewidgets as sw\n"
            "model, sae = sw.load_model(), sw.load_sae()\n"
            "acts = sw.feature_activations(model, sae, sw.load_corpus())\n"
            f"sw.FeatureDashboard(sw.dashboard_data(model, sae, acts), feature={self.feature})"
        )

    @traitlets.validate("feature")
    def _check_feature(self, proposal: Any) -> int:
        return present(self.data, proposal["value"])

    @traitlets.observe("feature")
    def _feature_changed(self, change: Any) -> None:
        if self._shown and self._shown["feature"] != self.feature:
            self.error = ""
            self._shown = payload.wire(payload.feature(self.shown))

    def _summary(self) -> dict[str, Any]:
        return {"feature": self.feature, "label": self.shown.label, "features": len(self.data.features)}

    def _fallback(self) -> str:
        return export.feature_table(self.data, [self.feature])
