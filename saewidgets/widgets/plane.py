"""FeaturePlane: an activation is a point, a feature is a direction."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import traitlets

from saewidgets.frontend import css, esm
from saewidgets.frontend.payloads import settable
from saewidgets.languages import said, to_say
from saewidgets.records.arguments import listed, real
from saewidgets.records.states import PlaneState
from saewidgets.records.tables import frame
from saewidgets.widgets._base import Instrument
from saewidgets.widgets._traits import Real

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# the colors of the directions
LABELS = (
    to_say("green"),
    to_say("blue"),
    to_say("orange"),
    to_say("pink"),
    to_say("sky"),
    to_say("brown"),
    to_say("gray"),
    to_say("violet"),
)
MOST = len(LABELS)
REACH = 1.5  # the plane shows -REACH to REACH times `unit` on both axes


class FeaturePlane(Instrument):
    """Up to eight feature directions in the plane, and an activation; all of them can be dragged.

    A feature's read-out is the dot product of the activation with its direction, `a_f = x . d_f`: how far the point
    lies along it. With two orthogonal directions each reads its own. A third one no longer fits, and a point on one
    direction also reads `cos(angle between)` on the others: interference, the price of superposition (Elhage et al.
    2022). A ReLU lets only the positive part of a read-out through, which is why opposite directions disturb each other
    least.

    Args:
        angles: of the directions, degrees counterclockwise from the x axis; one to eight.
        point: the activation, (x, y), each within -1.5 to 1.5 times `unit`.
        labels: names of the directions; the names of their colors where there are fewer labels than directions.
        unit: length at which the directions are drawn, in the units of the activation. Read-outs do not depend on it.
        note: what the picture is of, in a sentence; shown under it.

    Raises:
        ValueError: no direction, more than eight, too few labels, or a unit that is not a positive number.
        TraitError: a point off the plane.

    Example:
        >>> plane = FeaturePlane(angles=[90, 0], point=(0.0, 1.0))
        >>> [round(r, 6) for r in plane.readouts]
        [1.0, 0.0]
    """

    _esm = esm("plane")
    _css = css("plane")
    _instrument = "plane"
    _states = PlaneState
    _carried = ("point", "angles", "labels", "unit", "note")

    point = traitlets.Tuple(Real(), Real(), help="The activation, (x, y).").tag(sync=True)
    angles = traitlets.List(Real(), minlen=1, maxlen=MOST, help="Of the directions, degrees.").tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    unit = Real(1.0, help="Length at which the directions are drawn.").tag(sync=True)
    note = traitlets.Unicode("", help="What the picture is of.").tag(sync=True)
    readouts = traitlets.Tuple(
        read_only=True, help="The dot product of the point with each direction; follows `point` and `angles`."
    )

    def __init__(
        self,
        angles: Sequence[float] = (90.0, 0.0),
        *,
        point: tuple[float, float] = (0.45, 0.9),
        labels: Sequence[str] = LABELS,
        unit: float = 1.0,
        note: str = "",
    ) -> None:
        angles = [real(angle, "an angle") for angle in listed(angles, "angles", "90.0")]
        if not 1 <= len(angles) <= MOST:
            raise ValueError(f"the plane takes one to {MOST} directions, not {len(angles)}")
        if len(labels) < len(angles):
            raise ValueError(f"{len(angles)} directions need as many labels, not {len(labels)}")
        if not (math.isfinite(unit) and unit > 0):
            raise ValueError(f"the unit must be a positive length, not {unit}")
        own = list(map(said, LABELS))
        names = own if labels is LABELS else [*labels, *own[len(labels) :]]
        super().__init__(
            unit=float(unit),
            angles=[float(a) for a in angles],
            point=(float(point[0]), float(point[1])),
            labels=names,
            note=note,
        )
        self._read()

    @classmethod
    def of(cls, activation: Any, directions: Any, *, labels: Sequence[str] = LABELS) -> FeaturePlane:
        """One token of a real model, seen in the plane of two feature directions.

        The first direction lies along the x axis, the second at its true angle. Whatever of the activation stands out
        of the plane is not drawn, and does not matter to either read-out: `x . d_f` is the same in the plane and in the
        whole space, for the plane contains d_f.

        Args:
            activation: [d_model], the token's activation; anything NumPy can read.
            directions: [2, d_model], e.g. two rows of W_dec; they are brought to length 1.
            labels: names of the two.

        Raises:
            ValueError: shapes that do not fit, a value that is not finite, or two directions on one line.

        Example:
            >>> plane = FeaturePlane.of([3.0, 4.0, 12.0], [[2.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
            >>> [round(r, 6) for r in plane.readouts]
            [3.0, 4.0]
        """
        x = np.asarray(activation, dtype=np.float64)  # [d_model]
        pair = np.asarray(directions, dtype=np.float64)  # [2, d_model]
        if x.ndim != 1 or pair.shape != (2, len(x)):
            raise ValueError(f"an activation [d] goes with directions [2, d], not {x.shape} with {pair.shape}")
        if not (np.isfinite(x).all() and np.isfinite(pair).all()):
            raise ValueError("the activation or a direction holds a value that is not finite")
        lengths = np.linalg.norm(pair, axis=1, keepdims=True)
        if not lengths.all():
            raise ValueError("a direction of length 0 points nowhere; choose a feature that is not dead")
        first, second = pair / lengths
        across = second - (first @ second) * first
        if np.linalg.norm(across) < 1e-6:
            raise ValueError("the two directions lie on one line, which leaves the plane open; choose another feature")
        across /= np.linalg.norm(across)
        point = (float(x @ first), float(x @ across))
        angle = math.degrees(math.atan2(second @ across, second @ first))
        length = float(np.linalg.norm(x))
        inside = math.hypot(*point)
        share = inside / length if length else 1.0
        note = said(
            "A point in {n} dimensions, {length:.4g} long; {share:.0%} of its length lies in this plane. "
            "The rest is not drawn: neither of the two features reads it.",
            n=len(x),
            length=length,
            share=share,
        )
        return cls([0.0, angle], point=point, labels=labels, unit=_round_up(inside / 1.2), note=note)

    @property
    def directions(self) -> list[tuple[float, float]]:
        """The unit vectors d_f, one a direction."""
        return [(math.cos(math.radians(a)), math.sin(math.radians(a))) for a in self.angles]

    @property
    def interference(self) -> pd.DataFrame:
        """cos(angle) between each two directions: what a unit of the row's feature adds to the column's read-out."""
        units, names = self.directions, self.labels[: len(self.angles)]
        return frame([[a[0] * b[0] + a[1] * b[1] for b in units] for a in units], names, names)

    @property
    def figure(self) -> Figure:
        """The plane as a plain Plotly figure."""
        from saewidgets.views import feature_plane

        return feature_plane(self.angles, self.point, self.labels, unit=self.unit)

    @property
    def data(self) -> pd.DataFrame:
        """What is drawn, as a table: the plane has no record of its own."""
        return self.to_dataframe()

    def to_dataframe(self) -> pd.DataFrame:
        """One row a direction: label, angle, read-out, and what a ReLU leaves of it."""
        return frame(
            {
                "label": self.labels[: len(self.angles)],
                "angle": self.angles,
                "readout": list(self.readouts),
                "relu": [max(0.0, read) for read in self.readouts],
            }
        )

    def to_code(self) -> str:
        """Python that shows this plane again, to paste in a cell."""
        unit = "" if self.unit == 1 else f", unit={self.unit!r}"
        note = f", note={self.note!r}" if self.note else ""
        labels = self.labels[: len(self.angles)]
        return (
            "import saewidgets as sw\n"
            f"sw.FeaturePlane({self.angles!r}, point={self.point!r}, labels={labels!r}{unit}{note})"
        )

    @traitlets.observe("point", "angles")
    def _moved(self, change: Any) -> None:
        self._read()

    def _read(self) -> None:
        x, y = self.point
        self.set_trait("readouts", tuple(x * dx + y * dy for dx, dy in self.directions))

    @traitlets.validate("point")
    def _check_point(self, proposal: Any) -> tuple[float, float]:
        x, y = proposal["value"]
        reach = REACH * self.unit * (1 + 1e-9)
        if not (abs(x) <= reach and abs(y) <= reach):  # NaN fails too
            raise traitlets.TraitError(
                f"the point must lie within {-REACH * self.unit:g} to {REACH * self.unit:g} on both axes, not at ({x}, {y})"
            )
        return (x, y)

    @traitlets.validate("unit")
    def _check_unit(self, proposal: Any) -> float:
        if not (math.isfinite(proposal["value"]) and proposal["value"] > 0):
            raise traitlets.TraitError(f"the unit must be a positive length, not {proposal['value']}")
        value: float = proposal["value"]
        return value

    @traitlets.validate("labels")
    def _check_labels(self, proposal: Any) -> list[str]:
        if len(proposal["value"]) < len(self.angles):
            raise traitlets.TraitError(
                f"{len(self.angles)} directions need as many labels, not {len(proposal['value'])}"
            )
        value: list[str] = proposal["value"]
        return value

    @traitlets.validate("angles")
    def _check_angles(self, proposal: Any) -> list[float]:
        if len(self.labels) < len(proposal["value"]):
            raise traitlets.TraitError(
                f"{len(proposal['value'])} directions need as many labels, not {len(self.labels)}"
            )
        if not all(math.isfinite(a) for a in proposal["value"]):
            raise traitlets.TraitError(f"an angle must be a finite number of degrees: {proposal['value']}")
        value: list[float] = proposal["value"]
        return value

    def _links(self) -> dict[str, settable.Allowed]:
        side = settable.number(-REACH * self.unit, REACH * self.unit)
        return {
            "point": settable.several(side, 2, 2),
            "angles": settable.several(settable.number(-360, 360), len(self.labels), 1),
        }

    def _summary(self) -> dict[str, Any]:
        return {"angles": self.angles, "point": self.point}

    def _fallback(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(label)}</td><td>{angle:g}°</td><td>{read:.3f}</td><td>{relu:.3f}</td></tr>"
            for label, angle, read, relu in self.to_dataframe().itertuples(index=False)
        )
        head = "".join(f"<th>{said(name)}</th>" for name in ("feature", "angle", "read-out", "ReLU"))
        return f"<table><tr>{head}</tr>{rows}</table>"


def _round_up(x: float) -> float:
    """The least of 1, 1.5, 2, 3, 5, 7 times a power of ten that is not below `x`; 1 for 0."""
    if x <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(x))
    return next(step * power for step in (1, 1.5, 2, 3, 5, 7, 10) if step * power >= x * (1 - 1e-12))
