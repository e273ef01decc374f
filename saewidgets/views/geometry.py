"""Charts of directions in a plane."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from saewidgets.languages import said
from saewidgets.views import _style

__all__ = ["feature_plane"]

REACH = 1.5


LABELS = ("green", "blue", "orange", "pink", "sky", "brown", "gray", "violet")


def feature_plane(
    angles: Sequence[float], point: tuple[float, float], labels: Sequence[str] = LABELS, *, unit: float = 1.0
) -> go.Figure:
    """Feature directions as arrows, an activation as a point, and the point's dashed projection on each direction.

    Args:
        angles: of the directions, degrees counterclockwise from the x axis; at most eight.
        point: the activation, (x, y).
        labels: names of the directions.
        unit: length at which the directions are drawn, in the units of the point.
    """
    fig = _style.figure(
        title=said("An activation and what each feature reads of it"), x="", y="", height=460, width=480
    )
    x, y = point
    for angle, label, color in zip(angles, labels, _style.DIRECTIONS, strict=False):
        dx, dy = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        read = x * dx + y * dy
        name = _style.text(label)
        fig.add_scatter(
            x=[x, read * dx],
            y=[y, read * dy],
            mode="lines+markers",
            line={"color": color, "dash": "dash", "width": 1.5},
            marker={"size": [0, 8], "color": color},
            hovertemplate=said("{name} reads {read:.4g}<extra></extra>", name=name, read=read),
        )
        fig.add_annotation(
            x=unit * dx,
            y=unit * dy,
            ax=0,
            ay=0,
            xref="x",
            yref="y",
            axref="x",
            ayref="y",
            arrowcolor=color,
            arrowwidth=3,
            text="",
        )
        fig.add_annotation(
            x=1.22 * unit * dx,
            y=1.22 * unit * dy,
            text=f"{name} {read:.3f}",
            showarrow=False,
            font={"color": color, "size": 13},
        )
    fig.add_scatter(
        x=[x],
        y=[y],
        mode="markers",
        marker={"size": 14, "color": _style.NEUTRAL, "line": {"width": 2, "color": "white"}},
        hovertemplate=said("activation ({x:.4g}, {y:.4g})<extra></extra>", x=x, y=y),
    )
    fig.update_xaxes(range=[-REACH * unit, REACH * unit], zeroline=True)
    fig.update_yaxes(range=[-REACH * unit, REACH * unit], zeroline=True, scaleanchor="x")
    return fig
