"""FeaturePlane: an activation is a point, a feature is a direction."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import traitlets

from saewidgets.frontend import css, esm, payload
from saewidgets.widgets._base import Instrument

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LABELS = ("green", "blue", "orange")  # the colors that the directions are drawn in
REACH = 1.5  # the plane shows -REACH to REACH on both axes


class FeaturePlane(Instrument):
    """Up to three feature directions in the plane, and an activation that one drags.

    A feature's read-out is the dot product of the activation with its direction, `a_f = x . d_f`: how far the point lies
    along it. With two orthogonal directions each reads its own. A third one no longer fits, and a point on one direction
    also reads `cos(angle between)` on the others: interference, the price of superposition (Elhage et al. 2022).

    Args:
        angles: of the directions, degrees counterclockwise from the x axis; one to three.
        point: the activation, (x, y), each within -1.5 to 1.5.
        labels: names of the directions.

    Raises:
        ValueError: no direction, more than three, a point off the plane, or too few labels.

    Example:
        >>> plane = FeaturePlane(angles=[90, 0], point=(0.0, 1.0))
        >>> [round(r, 6) for r in plane.readouts]
        [1.0, 0.0]
    """

    _esm = esm("plane")
    _css = css()
    _instrument = "plane"
    _carried = ("point", "angles", "labels")

    point = traitlets.Tuple(traitlets.Float(), traitlets.Float(), help="The activation, (x, y).").tag(sync=True)
    angles = traitlets.List(traitlets.Float(), minlen=1, maxlen=3, help="Of the directions, degrees.").tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    readouts = traitlets.Tuple(help="The dot product of the point with each direction; follows `point` and `angles`.")

    def __init__(
        self,
        angles: Sequence[float] = (90.0, 0.0),
        *,
        point: tuple[float, float] = (0.45, 0.9),
        labels: Sequence[str] = LABELS,
    ) -> None:
        if not 1 <= len(angles) <= 3:
            raise ValueError(f"the plane takes one to three directions, not {len(angles)}")
        if len(labels) < len(angles):
            raise ValueError(f"{len(angles)} directions need as many labels, not {len(labels)}")
        names = [*labels, *LABELS[len(labels) :]]
        super().__init__(angles=[float(a) for a in angles], point=tuple(map(float, point)), labels=payload.wire(names))
        self._read()

    @property
    def directions(self) -> list[tuple[float, float]]:
        """The unit vectors d_f, one a direction."""
        return [(math.cos(math.radians(a)), math.sin(math.radians(a))) for a in self.angles]

    @property
    def interference(self) -> pd.DataFrame:
        """cos(angle) between each two directions: what a unit of the row's feature adds to the column's read-out."""
        units, names = self.directions, self.labels[: len(self.angles)]
        return pd.DataFrame([[a[0] * b[0] + a[1] * b[1] for b in units] for a in units], names, names)

    @property
    def figure(self) -> Figure:
        """The plane as a plain Plotly figure."""
        from saewidgets.views import feature_plane

        return feature_plane(self.angles, self.point, self.labels)

    def to_dataframe(self) -> pd.DataFrame:
        """One row a direction: label, angle, read-out."""
        return pd.DataFrame(
            {"label": self.labels[: len(self.angles)], "angle": self.angles, "readout": list(self.readouts)}
        )

    def to_code(self) -> str:
        """Python that shows this plane again, to paste in a cell."""
        return (
            f"import saewidgets as sw\nsw.FeaturePlane({self.angles!r}, point={self.point!r}, labels={self.labels!r})"
        )

    @traitlets.observe("point", "angles")
    def _moved(self, change: Any) -> None:
        self._read()

    def _read(self) -> None:
        x, y = self.point
        self.readouts = tuple(x * dx + y * dy for dx, dy in self.directions)

    @traitlets.validate("point")
    def _check_point(self, proposal: Any) -> tuple[float, float]:
        x, y = proposal["value"]
        if not (abs(x) <= REACH and abs(y) <= REACH):  # NaN fails too
            raise traitlets.TraitError(f"the point must lie within {-REACH} to {REACH} on both axes, not at ({x}, {y})")
        return (x, y)

    @traitlets.validate("angles")
    def _check_angles(self, proposal: Any) -> list[float]:
        if not all(math.isfinite(a) for a in proposal["value"]):
            raise traitlets.TraitError(f"an angle must be a finite number of degrees: {proposal['value']}")
        return proposal["value"]

    def _summary(self) -> dict[str, Any]:
        return {"angles": self.angles, "point": self.point}

    def _fallback(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(label)}</td><td>{angle:g}°</td><td>{read:.3f}</td></tr>"
            for label, angle, read in self.to_dataframe().itertuples(index=False)
        )
        return f"<table><tr><th>feature</th><th>angle</th><th>read-out</th></tr>{rows}</table>"
