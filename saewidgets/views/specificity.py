"""Charts of specificity: how judges score a feature's activations, by how strong they are."""

from __future__ import annotations

from itertools import pairwise

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from saewidgets.languages import said
from saewidgets.records import RUBRIC, Specificity
from saewidgets.views import _style

__all__ = ["specificity"]

# score -> fill; nothing is drawn for a 0, so that what is filled is what has to do with the claim
_FILLS = {3: _style.RAMP[4], 2: _style.RAMP[2], 1: _style.RAMP[0], 0: "rgba(0,0,0,0)"}


def specificity(data: Specificity, judge: str | None = None) -> go.Figure:
    """Stacked shares of the scores 3 to 0 by interval of activation, with Wilson's interval of the share of 3, over the
    histogram of all non-zero activations.

    `judge` is the first by default. Raises ValueError on one that is not there.

    Example:
        >>> specificity(data).show()  # doctest: +SKIP
    """
    table = data.table(judge)
    run = data.run_of(judge)
    fig = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.06)
    title = said(
        "Specificity of #{feature}: {claim} (judge: {name})",
        feature=data.feature,
        claim=data.claim.replace("_", " "),
        name=run.name,
    )
    fig.update_layout(_style.without_axes(title, height=440))
    fig.update_layout(barmode="stack", showlegend=True, legend={"orientation": "h", "y": 1.04, "yanchor": "bottom"})
    fig.update_layout(margin_t=88)
    middle = (table["low"] + table["high"]) / 2
    width = (table["high"] - table["low"]) * 0.94
    for score in sorted(RUBRIC, reverse=True):
        fig.add_bar(
            x=middle,
            y=table[f"s{score}"],
            width=width,
            name=said("score {score}", score=score),
            marker={"color": _FILLS[score], "line": {"color": _style.NEUTRAL, "width": 0.6}},
            customdata=table[["low", "high", "n"]],
            hovertemplate=said(
                "score {score}: %{{y:.0%}} of %{{customdata[2]}}<br>activation %{{customdata[0]:.3g}} to %{{customdata[1]:.3g}}<extra></extra>",
                score=score,
            ),
            row=1,
            col=1,
        )
    fig.add_scatter(
        x=middle,
        y=table["s3"],
        mode="markers",
        marker={"size": 1, "color": _style.CURVES[0]},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": table["s3_high"] - table["s3"],
            "arrayminus": table["s3"] - table["s3_low"],
            "color": _style.CURVES[0],
            "thickness": 1.5,
        },
        name=said("95 % interval of 3"),
        hoverinfo="skip",
        row=1,
        col=1,
    )
    edges = data.histogram.edges
    fig.add_bar(
        x=[(a + b) / 2 for a, b in pairwise(edges)],
        y=data.histogram.counts,
        marker_color=_style.HOT,
        showlegend=False,
        hovertemplate=said("%{y:,} activations near %{x:.3g}<extra></extra>"),
        row=2,
        col=1,
    )
    axis = {"gridcolor": _style.GRID, "zerolinecolor": _style.GRID, "linecolor": _style.NEUTRAL}
    fig.update_xaxes(**axis)
    fig.update_yaxes(**axis)
    fig.update_yaxes(title_text=said("share"), tickformat=".0%", range=[0, 1.02], row=1, col=1)
    fig.update_yaxes(title_text=said("activations"), type="log", row=2, col=1)
    fig.update_xaxes(title_text=said("activation, SAE units"), row=2, col=1)
    return fig
