"""Charts of generated text."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from saewidgets.languages import said
from saewidgets.records import Generation
from saewidgets.views import _style

__all__ = ["token_shift"]


def token_shift(generation: Generation) -> go.Figure:
    """How far the clamps moved the prediction of each generated token: KL(clamped || unclamped), in nats."""
    tokens = generation.tokens
    rows = list(range(len(tokens)))
    fig = _style.figure(
        title=said("How far the clamps moved each prediction"),
        x=said("generated token"),
        y=said("KL (nats)"),
        height=300,
    )
    fig.add_bar(
        x=rows,
        y=[t.kl if math.isfinite(t.kl) else None for t in tokens],
        marker_color=_style.UP,
        customdata=[(_style.token(t.text), math.exp(t.logprob)) for t in tokens],
        hovertemplate=said("%{customdata[0]}<br>KL %{y:.3g} nats<br>probability %{customdata[1]:.2%}<extra></extra>"),
    )
    fig.update_xaxes(tickvals=rows, ticktext=[_style.token(t.text, 12) for t in tokens], tickangle=-60)
    return fig
