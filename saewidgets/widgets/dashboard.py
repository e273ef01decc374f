"""FeatureDashboard: everything that is known of one feature."""

from __future__ import annotations

import math
from collections.abc import Iterable
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import traitlets

from saewidgets import export
from saewidgets.frontend import css, esm, payloads
from saewidgets.records import DashboardData, FeatureData, FeatureExample, SteeringScores
from saewidgets.records.arguments import expect
from saewidgets.records.code import opening
from saewidgets.records.labels import ReaderLabels
from saewidgets.records.states import DashboardState
from saewidgets.widgets._base import Instrument, present
from saewidgets.widgets._live import Live, Ticket
from saewidgets.widgets._traits import Real, Whole
from saewidgets.widgets.selection import Selection

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


# What somebody who gave a model or an SAE wants to type.
_HOW = "sw.explore(model, sae) opens one, or make it with sw.dashboard_data(model, sae, acts)"

HOW_SCORED = "give sw.analysis.steering_scores(model, sae, acts)"


class FeatureDashboard(Instrument):
    """One feature at a time: where it is active, how strongly and how often, what it writes, and what it is like.

    The layout follows the feature pages of Bricken et al. 2023, "Towards Monosemanticity", and Templeton et al. 2024,
    "Scaling Monosemanticity". It needs no model: `data` is all that it draws. With the `data` of `dashboard_data`,
    where the model is at hand, what ablating the feature does to every token is measured in the background once a
    feature is shown, and a bin of the histogram shows examples from the whole corpus.

    A click on its label, or the pencil beside it, names a feature: `names` here, `selection.labels` where a selection
    is shared.

    Args:
        data: the records, e.g. of `dashboard_data` or `DashboardData.load`.
        feature: which feature to show first; by default the selection's, or else the first that has a label.
        selection: share the feature, the token, the interval and the reader's labels with other instruments.
        scores: of `analysis.steering_scores(model, sae, acts)`, or `SteeringScores.load`: each feature's input and
            output score, in the heading and as two more orders of the list.

    Raises:
        ValueError: `data` is empty, `scores` are of another SAE, or `feature` is not in it; the message names the
            nearest ones that are.

    Example:
        >>> board = FeatureDashboard(data, feature=31)  # doctest: +SKIP
        >>> board.feature = 42  # the page follows  # doctest: +SKIP
        >>> board.interval = [42, 3.0, 3.5]  # as a click on a bin: its examples are in board.bin  # doctest: +SKIP
        >>> board.shown.density  # doctest: +SKIP
        0.0042
    """

    _esm = esm("dashboard")
    _css = css("dashboard")
    _instrument = "dashboard"
    _states = DashboardState
    _shares = ("feature", "token", "interval")

    feature = Whole(help="The feature that is shown.").tag(sync=True)
    token = traitlets.List(
        Whole(), None, allow_none=True, help="The chosen token, [context, position] in the corpus; None: none."
    ).tag(sync=True)
    interval = traitlets.List(
        Real(), None, allow_none=True, help="The chosen bin, [feature, low, high] in SAE units; None: none."
    ).tag(sync=True)
    names: traitlets.Dict[Any, Any] = traitlets.Dict(
        help="{feature: label} that the reader gave, beside the labels of the data; also in the selection's `labels`."
    ).tag(
        sync=True,
        to_json=lambda value, _: {str(k): v for k, v in value.items()},
        from_json=lambda value, _: {int(k): v for k, v in value.items()},
    )
    _index: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _shown = traitlets.Dict().tag(sync=True)
    _bin: Any = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)
    _measuring = traitlets.Bool(False).tag(sync=True)
    _passport = traitlets.Unicode().tag(sync=True)
    _about = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        data: DashboardData,
        *,
        feature: int | None = None,
        selection: Selection | None = None,
        scores: SteeringScores | None = None,
    ) -> None:
        expect(data, DashboardData, "data", "FeatureDashboard", _HOW)
        if not data.features:
            raise ValueError("there is no feature to show: this dashboard is empty")
        self.data, self.scores = data, None if scores is None else scores_of(scores, data, "FeatureDashboard")
        if feature is None and selection is not None and selection.feature in data.features:
            feature = selection.feature
        if feature is None:
            feature = next((s.feature for s in data.summaries if s.label), data.summaries[0].feature)
        feature = index(feature)
        export.require(data, feature)
        super().__init__(
            feature=feature,
            _index=payloads.index(data, scores=self.scores),
            _shown=self._drawn(data[feature]),
            _passport=payloads.passport(data),
            _about=payloads.about(data),
        )
        if data.live:
            self._live = Live(self)
        self._measure()
        self._follow(selection)

    @property
    def shown(self) -> FeatureData:
        """The record of the feature that is shown."""
        return self.data[self.feature]

    @property
    def bin(self) -> tuple[FeatureExample, ...]:
        """Examples of the chosen interval, strongest first; () where none is chosen."""
        if self.interval is None:
            return ()
        feature, low, high = self.interval
        return self.data.between(int(feature), low, high)

    @property
    def figure(self) -> Figure:
        """The activation histogram as a plain Plotly figure; `saewidgets.views` has the other charts."""
        from saewidgets.views import activation_histogram

        return activation_histogram(self.shown)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per feature: feature, label, density, maximum, and the three most promoted tokens; and `own`, what
        the reader calls it, where one has been named; input_score and output_score, where scores were given.
        """
        frame = self.data.to_dataframe()
        if self.names:
            frame.insert(2, "own", [self.names.get(f, "") for f in frame["feature"]])
        if self.scores is not None:
            for name in ("input", "output"):
                frame[f"{name}_score"] = self.scores.column(name, frame["feature"].tolist())
        return frame

    def to_html(
        self,
        path: str | Path | None = None,
        *,
        features: Iterable[int] | None = None,
        effects: bool = True,
        progress: bool = True,
    ) -> str:
        """The dashboard as one self-contained page, open on the feature that is shown; written to `path` if given.

        Args:
            path: the file to write.
            features: which features the page carries; all by default, about 10 KB each.
            effects: measure what ablating each feature does, where the model is at hand: two forward passes of its
                texts.
            progress: show bars, where a part of it takes more than half a second.
        """
        chosen = None if features is None else {*features, self.feature}
        return export.dashboard_html(
            self.data,
            path,
            features=chosen,
            feature=self.feature,
            effects=effects,
            progress=progress,
            names=self.names,
            scores=self.scores,
        )

    def to_code(self) -> str:
        """Python that shows this feature again, to paste in a cell."""
        scores = ", scores=sw.analysis.steering_scores(model, sae, acts)" if self.scores is not None else ""
        among = f", per_context={self.data.per_context}" if self.data.per_context is not None else ""
        return (
            f"{opening(self.data.passport)}"
            "acts = sw.feature_activations(model, sae, corpus)\n"
            f"sw.FeatureDashboard(sw.dashboard_data(model, sae, acts{among}), feature={self.feature}{scores})"
        )

    def wait(self, timeout: float | None = None) -> bool:
        """Block until what is measured in the background is there; False where `timeout` seconds did not suffice."""
        return self._live is None or self._live.wait(timeout)

    # -- the reader's labels -----------------------------------------------------------------------------------------

    def _relabel(self) -> None:
        self.names = self._own_labels(self.data.passport.sae)

    @traitlets.observe("names")
    def _named(self, change: Any) -> None:
        """A label that was given here is the selection's, and so that of every instrument that shares it."""
        sae = self.data.passport.sae
        if self.selection is not None and sae and self.selection.labels.of(sae) != self.names:
            self.selection.labels = self.selection.labels.replaced(sae, self.names)

    @traitlets.validate("names")
    def _check_names(self, proposal: Any) -> dict[int, str]:
        names, passport = proposal["value"], self.data.passport
        if not names:
            return {}
        if not passport.sae:
            raise traitlets.TraitError(
                "these records do not say of which SAE they are, so no label can be tied to it: make them again with dashboard_data"
            )
        for feature in names:
            if not 0 <= feature < passport.d_sae:
                raise traitlets.TraitError(f"this SAE has features 0 to {passport.d_sae - 1}, not {feature}")
        try:
            return ReaderLabels().replaced(passport.sae, names).of(passport.sae)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None

    # -- inside ------------------------------------------------------------------------------------------------------

    def _drawn(self, feature: FeatureData) -> Any:
        return payloads.feature(feature, self.data.token_bytes)

    def _measure(self) -> None:
        """Have the effects of the feature that is shown measured, unless they are known."""
        if self._live is None or self._shown["measured"]:
            self._measuring = False
            return
        self._measuring = True
        self._live.submit(FeatureDashboard._measure_step, self.feature)

    def _measure_step(self, ticket: Ticket) -> None:
        if ticket.replaced:
            return
        found = self.data.measured(ticket.request, progress=False)
        with self._guard:
            if self.feature == ticket.request:
                self._shown = self._drawn(found)
                self._measuring = False

    def _failed(self, error: BaseException) -> None:
        super()._failed(error)
        self._measuring = False

    @traitlets.validate("feature")
    def _check_feature(self, proposal: Any) -> int:
        return present(self.data, proposal["value"])

    @traitlets.validate("token")
    def _check_token(self, proposal: Any) -> Any:
        value = proposal["value"]
        if value is not None and (len(value) != 2 or min(value) < 0):
            raise traitlets.TraitError(f"a token is [context, position], both 0 or more, not {value}")
        return value

    @traitlets.validate("interval")
    def _check_interval(self, proposal: Any) -> Any:
        value = proposal["value"]
        if value is not None and (len(value) != 3 or not all(map(math.isfinite, value)) or not value[1] <= value[2]):
            raise traitlets.TraitError(f"an interval is [feature, low, high] with low <= high, not {value}")
        return value

    @traitlets.observe("feature")
    def _feature_changed(self, change: Any) -> None:
        with self._guard:
            if self._shown and self._shown["feature"] != self.feature:
                self.error = ""
                self._shown = self._drawn(self.shown)
                self._measure()

    @traitlets.observe("interval")
    def _interval_changed(self, change: Any) -> None:
        """Only an interval of a feature that is here has examples; another instrument may hold more features than this
        one.
        """
        value = change["new"]
        known = value is not None and value[0] == int(value[0]) and int(value[0]) in self.data.features
        found = payloads.examples_between(self.data, int(value[0]), value[1], value[2]) if known else None
        self.set_trait("_bin", found)

    def _found_labels(self, sae: str) -> dict[int, str]:
        return dict(self.names)

    def _summary(self) -> dict[str, Any]:
        return {
            "feature": self.feature,
            "label": self.names.get(self.feature, self.shown.label),
            "features": len(self.data.features),
        }

    def _fallback(self) -> str:
        return export.feature_table(self.data, [self.feature], names=self.names)


def scores_of(scores: SteeringScores, data: DashboardData, to: str) -> SteeringScores:
    """Scores that were given beside a dashboard's records. Raises ValueError where they are of another SAE."""
    expect(scores, SteeringScores, "scores", to, HOW_SCORED)
    return scores.of_sae(data.passport.sae_name)
