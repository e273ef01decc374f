"""FeatureMap: decoder directions of one or several SAEs as points in a plane; a click opens the feature."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import traitlets

from saewidgets.frontend import css, esm, payloads
from saewidgets.frontend.payloads import settable
from saewidgets.languages import said
from saewidgets.records import Subject
from saewidgets.records.arguments import expect
from saewidgets.records.candidates import SteeringScores
from saewidgets.records.code import opening_of
from saewidgets.records.map import FeatureMapData
from saewidgets.records.states import MapState
from saewidgets.widgets._base import Instrument
from saewidgets.widgets._traits import Whole
from saewidgets.widgets.dashboard import HOW_SCORED
from saewidgets.widgets.selection import Selection

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLORS = ("concept", "density", "cluster", "sae", "output", "input")
SIZES = ("density", "maximum", "same")
LINKS = ("selected", "all", "none")
_NO_SCORES = "the color {color!r} needs scores: give scores=sw.analysis.steering_scores(model, sae, acts)"


class FeatureMap(Instrument):
    """Features as points, near those whose decoder rows point the same way; several SAEs of different size on one map
    (Bricken et al. 2023, Templeton et al. 2024).

    The pointer tells what a point is, a click selects it in whatever shares the selection, dragging moves the map; Ctrl
    or Cmd and the wheel zoom, and after a click on the map the wheel alone. Words on the map are frequent there
    (`FeatureMapData.regions`). A lasso or a box chooses many: `chosen`, `to_dataframe()`. The search dims what it does
    not find. Lines join the selected feature to those that it splits into in larger SAEs. All of it works in an
    exported page as well.

    Args:
        data: of `feature_map`, or `FeatureMapData.load`.
        feature: what is selected first, by its number in `sae`; by default the selection's.
        sae: the SAE whose features `feature` and the selection mean, by name or index; by default the first. A point of
            another SAE can be selected too; the views beside the map then stay where they are.
        color: "concept", "density" (logarithmic), "cluster" (`feature_map(..., clusters=True)`) or "sae"; by default
            the first of concept, density and sae that the data tell. With `scores` also "output" (logarithmic) and
            "input".
        size: of the points: "density" (logarithmic), "maximum" (as a share of its SAE's largest) or "same".
        links: "selected", "all" or "none".
        selection: share the feature with other instruments.
        scores: of `analysis.steering_scores`, for one SAE of the map or a list for several: two more colors.

    Raises:
        ValueError: the map is empty, the SAE, the feature or the SAE of `scores` is not on it, or a color needs scores
            that were not given.

    Example:
        >>> features = FeatureMap(data, selection=selection)  # doctest: +SKIP
        >>> features.chosen = [3, 14]  # as a lasso would  # doctest: +SKIP
        >>> features.to_dataframe()  # doctest: +SKIP
    """

    _esm = esm("map")
    _css = css("map")
    _instrument = "map"
    _states = MapState
    _carried = (
        *("feature", "point", "chosen", "color", "size", "links", "shown"),
        *("_map", "_names", "_home", "_shared", "_passport"),
    )

    feature = Whole(None, allow_none=True, help="The selected feature of the SAE that the map is about.").tag(sync=True)
    point = Whole(None, allow_none=True, help="The selected point, of any SAE: a row of the data.").tag(sync=True)
    chosen: traitlets.List[int] = traitlets.List(Whole(), help="Points inside the lasso, ascending.").tag(sync=True)
    color = traitlets.Enum(COLORS, "density", help="What the colors tell.").tag(sync=True)
    size = traitlets.Enum(SIZES, "density", help="What the sizes tell.").tag(sync=True)
    links = traitlets.Enum(LINKS, "selected", help="Which links between SAEs are drawn.").tag(sync=True)
    shown: traitlets.List[int] = traitlets.List(Whole(), help="Indices of the SAEs that are drawn.").tag(sync=True)
    _map = traitlets.Dict().tag(sync=True)
    _names = traitlets.Dict().tag(sync=True)  # {point: label} of the reader, before those of the record
    _home = Whole().tag(sync=True)
    _shared = traitlets.Bool().tag(sync=True)
    _passport = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        data: FeatureMapData,
        *,
        feature: int | None = None,
        sae: str | int = 0,
        color: str | None = None,
        size: str | None = None,
        links: str = "selected",
        selection: Selection | None = None,
        scores: SteeringScores | Sequence[SteeringScores] = (),
    ) -> None:
        expect(data, FeatureMapData, "data", "FeatureMap")
        given = [scores] if isinstance(scores, SteeringScores) else list(scores)
        self.scores = tuple(expect(one, SteeringScores, "scores", "FeatureMap", HOW_SCORED) for one in given)
        if color in ("output", "input") and not self.scores:
            raise ValueError(_NO_SCORES.format(color=color))
        if not len(data):
            raise ValueError("there is no feature to show: this map is empty")
        self.data = data
        home = data.which(sae)
        known = bool((data.density > 0).any())
        if color is None:
            color = "concept" if (data.concept >= 0).any() else "density" if known else "sae"
        if size is None:
            size = "density" if known else "same"
        if feature is None and selection is not None and selection.feature is not None:
            feature = selection.feature
        super().__init__(
            feature=feature,
            point=None if feature is None else data.point(feature, home),
            color=color,
            size=size,
            links=links,
            shown=list(range(len(data.saes))),
            _map=payloads.map_points(data, self.scores),
            _home=home,
            _shared=selection is not None,
            _passport=data.sentence(),
        )
        self._follow(selection)

    # -- what one asks of it -----------------------------------------------------------------------------------------

    @property
    def figure(self) -> Figure:
        """The map as a plain Plotly figure; see `views.feature_map`."""
        from saewidgets.views import feature_map

        return feature_map(self.data, color=self.color, scores=self.scores)

    def choose(self, polygon: Sequence[tuple[float, float]]) -> pd.DataFrame:
        """Choose the points inside a polygon of places (x, y) of the map, as a lasso does; gives `to_dataframe()`.

        Raises ValueError on fewer than three corners.
        """
        if len(polygon) < 3:
            raise ValueError(f"a polygon has three corners or more, not {len(polygon)}")
        within = self.data.inside(polygon)
        drawn = set(self.shown)
        self.chosen = [i for i in within.tolist() if int(self.data.sae[i]) in drawn]
        return self.to_dataframe()

    def to_dataframe(self) -> pd.DataFrame:
        """One row a chosen point; without chosen ones all. See `FeatureMapData.to_dataframe`."""
        return self.data.to_dataframe(self.chosen or None)

    def to_code(self) -> str:
        """Python that shows this map again, to paste in a cell."""
        names, home = [s.name for s in self.data.saes], self.data.saes[self._home]
        planted = ", corpus=corpus" if self.data.concepts else ""  # only a labeled corpus has concepts
        feature = f", feature={self.feature}" if self.feature is not None else ""
        how = f"method={self.data.method!r}, neighbors={self.data.neighbors}, min_dist={self.data.min_dist}, seed={self.data.seed}"
        several = "[sw.analysis.steering_scores(model, sae, a) for sae, a in zip(saes, acts)]"
        scored = f", scores={several}" if self.scores else ""
        return (
            f"{opening_of(home.model, home.weights, None, corpus=home.corpus)}"
            f"saes = [sw.load_sae(name) for name in {names!r}]\n"
            "acts = [sw.feature_activations(model, sae, corpus) for sae in saes]\n"
            f"data = sw.feature_map(saes, acts, model=model{planted}, {how})\n"
            f"sw.FeatureMap(data, sae={names[self._home]!r}, color={self.color!r}, size={self.size!r}{feature}{scored})"
        )

    # -- traits ------------------------------------------------------------------------------------------------------

    @traitlets.validate("feature")
    def _check_feature(self, proposal: Any) -> int | None:
        if proposal["value"] is not None and self._home is not None:
            self._point_of(proposal["value"])
        value: int | None = proposal["value"]
        return value

    @traitlets.validate("point")
    def _check_point(self, proposal: Any) -> int | None:
        if proposal["value"] is not None and not 0 <= proposal["value"] < len(self.data):
            raise traitlets.TraitError(
                f"point {proposal['value']} does not exist: this map has 0 to {len(self.data) - 1}"
            )
        value: int | None = proposal["value"]
        return value

    @traitlets.validate("color")
    def _check_color(self, proposal: Any) -> str:
        if proposal["value"] in ("output", "input") and not self.scores:
            raise traitlets.TraitError(_NO_SCORES.format(color=proposal["value"]))
        return str(proposal["value"])

    @traitlets.validate("chosen")
    def _check_chosen(self, proposal: Any) -> list[int]:
        chosen = sorted(set(proposal["value"]))
        if chosen and not (chosen[0] >= 0 and chosen[-1] < len(self.data)):
            raise traitlets.TraitError(f"a chosen point does not exist: this map has 0 to {len(self.data) - 1}")
        return chosen

    @traitlets.validate("shown")
    def _check_shown(self, proposal: Any) -> list[int]:
        if not set(proposal["value"]) <= set(range(len(self.data.saes))):
            raise traitlets.TraitError(
                f"the SAEs of this map are 0 to {len(self.data.saes) - 1}, not {proposal['value']}"
            )
        return sorted(set(proposal["value"]))

    @traitlets.observe("feature")
    def _feature_changed(self, change: Any) -> None:
        if change["new"] is not None:
            self.error = ""
            self.point = self._point_of(change["new"])

    @traitlets.observe("point")
    def _point_changed(self, change: Any) -> None:
        if change["new"] is not None and int(self.data.sae[change["new"]]) == self._home:
            self.feature = int(self.data.feature[change["new"]])

    def _relabel(self) -> None:
        own = [self._own_labels(s.sae) for s in self.data.saes]
        points = enumerate(zip(self.data.sae.tolist(), self.data.feature.tolist(), strict=True))
        self._names = {str(i): own[sae][f] for i, (sae, f) in points if f in own[sae]}

    def _point_of(self, feature: int) -> int:
        try:
            return self.data.point(feature, self._home)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None

    # -- pictures without a kernel -----------------------------------------------------------------------------------

    def _links(self) -> dict[str, settable.Allowed]:
        point, saes = settable.whole(0, len(self.data) - 1), len(self.data.saes)
        return {
            "feature": settable.optional(settable.whole(0, max(s.d_sae for s in self.data.saes) - 1)),
            "point": settable.optional(point),
            "chosen": settable.several(point, len(self.data)),
            "color": settable.one_of(COLORS),
            "size": settable.one_of(SIZES),
            "links": settable.one_of(LINKS),
            "shown": settable.several(settable.whole(0, saes - 1), saes),
        }

    def _subject(self) -> Subject:
        saes = self.data.saes
        return Subject(saes[0].model, saes=tuple(s.name for s in saes), digests=tuple(s.sae for s in saes))

    def _summary(self) -> dict[str, Any]:
        return {
            "feature": self.feature,
            "points": len(self.data),
            "saes": [s.name for s in self.data.saes],
            "chosen": len(self.chosen),
        }

    def _fallback(self) -> str:
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
            for cells in (
                (
                    f"#{row['feature']}",
                    row["sae"],
                    row["label"][:200],
                    row["concept"],
                    f"{row['density']:.3%}",
                    " ".join(repr(t[:40]) for t in row["tokens"]),
                )
                for row in self.data.to_dataframe(
                    [self.point] if self.point is not None else range(min(10, len(self.data)))
                ).to_dict("records")
            )
        )
        head = "".join(
            f"<th>{said(name)}</th>" for name in ("feature", "SAE", "label", "concept", "density", "promotes")
        )
        told = html.escape(said("{n:,} points. {sentence}", n=len(self.data), sentence=self.data.sentence()))
        return (
            f'<table class="tex2jax_ignore mathjax_ignore"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
            f'<p class="tex2jax_ignore mathjax_ignore">{told}</p>'
        )
