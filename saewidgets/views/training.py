"""Charts of a training run."""

from __future__ import annotations

import math
from collections.abc import Iterable

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from saewidgets.records import TrainStep
from saewidgets.views import _style

__all__ = ["training_curves"]

_CURVES = (
    ("loss", "Loss"),
    ("fvu", "Fraction of variance unexplained"),
    ("l0", "Active features per token"),
    ("dead", "Share of dead features"),
)


def training_curves(steps: Iterable[TrainStep]) -> go.Figure:
    """Loss (logarithmic), unexplained variance, L0 and dead features by step. What is not finite leaves a gap."""
    steps = list(steps)
    base = _style.figure(title="Training", x="step", y="", height=460).layout
    fig = make_subplots(rows=2, cols=2, subplot_titles=[title for _, title in _CURVES], vertical_spacing=0.16)
    fig.update_layout(_layout(base))
    for i, (name, title) in enumerate(_CURVES):
        values = [getattr(s, name) for s in steps]
        fig.add_scatter(
            x=[s.step for s in steps],
            y=[v if math.isfinite(v) else None for v in values],
            mode="lines",
            line={"color": _style.CURVES[i], "width": 2},
            connectgaps=False,
            hovertemplate=f"step %{{x:,}}<br>{title}: %{{y:.4g}}<extra></extra>",
            row=i // 2 + 1,
            col=i % 2 + 1,
        )
    fig.update_xaxes(gridcolor=_style.GRID, zerolinecolor=_style.GRID)
    fig.update_yaxes(gridcolor=_style.GRID, zerolinecolor=_style.GRID, rangemode="tozero")
    fig.update_yaxes(type="log", rangemode="normal", row=1, col=1)
    fig.update_yaxes(tickformat=".0%", row=2, col=2)
    return fig


def _layout(layout: go.Layout) -> dict[str, object]:
    """The house style without the axes of a single chart."""
    return {key: value for key, value in layout.to_plotly_json().items() if key not in ("xaxis", "yaxis")}
