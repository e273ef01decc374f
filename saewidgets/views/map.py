"""A map of features as a chart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from saewidgets.files import unknown
from saewidgets.languages import said
from saewidgets.records.candidates import SteeringScores
from saewidgets.records.map import FeatureMapData
from saewidgets.views import _style

__all__ = ["feature_map"]

COLORS = ("concept", "density", "cluster", "sae", "output", "input")


def feature_map(
    data: FeatureMapData, *, color: str = "density", height: int = 620, scores: Sequence[SteeringScores] = ()
) -> go.Figure:
    """Features as points in the plane.

    Args:
        data: the map.
        color: "concept" (the most common ones named, the rest gray), "density" (logarithmic), "cluster" (several share
            a color), "sae", or, of `scores`, "output" (logarithmic) or "input".
        height: in px.
        scores: of `analysis.steering_scores`, for SAEs of the map.

    Raises ValueError on another color.
    """
    if color not in COLORS:
        raise ValueError(unknown("color", color, COLORS))
    fig = _style.figure(title=said("Features by the direction of their decoder rows"), x="", y="", height=height)
    names = [
        said("#{feature} of {sae}", feature=feature, sae=_style.text(data.saes[sae].name))
        + f"<br>{_style.token(label, 60) if label else ''}<br>{' '.join(_style.token(t, 16) for t in tokens[:3])}"
        for feature, sae, label, tokens in zip(
            data.feature.tolist(), data.sae.tolist(), data.labels, data.tokens, strict=True
        )
    ]

    def add(own: np.ndarray, name: str, marker: dict[str, object]) -> None:
        fig.add_scattergl(
            x=data.x[own],
            y=data.y[own],
            mode="markers",
            name=_style.text(name),
            text=[names[i] for i in np.flatnonzero(own)],
            hovertemplate="%{text}<extra></extra>",
            marker={"size": 4, "opacity": 0.85, **marker},
        )

    def ramp(value: np.ndarray, known: np.ndarray, title: str, names: tuple[str, str]) -> None:
        add(~known, names[0], {"color": _style.NEUTRAL, "opacity": 0.4})
        scale = [[i / (len(_style.RAMP) - 1), c] for i, c in enumerate(_style.RAMP)]
        add(known, names[1], {"color": value[known], "colorscale": scale, "colorbar": {"title": {"text": title}}})

    if color == "density":
        fired = data.density > 0
        log = np.log10(np.where(fired, data.density, 1))
        ramp(log, fired, said("density, log10"), (said("never active, or not known"), said("active")))
    elif color == "cluster":
        add(data.cluster < 0, said("in no cluster"), {"color": _style.NEUTRAL, "opacity": 0.4})
        inks = np.asarray(_style.CATEGORIES)[data.cluster % len(_style.CATEGORIES)]
        add(data.cluster >= 0, said("in a cluster"), {"color": inks[data.cluster >= 0]})
    elif color in ("output", "input"):
        told = data.scored(scores, color)
        known = told > 0 if color == "output" else told >= 0
        value = np.log10(np.where(known, told, 1)) if color == "output" else told
        title = said("output score, log10") if color == "output" else said("input score")
        ramp(value, known, title, (said("not known"), said("scored")))
    elif color == "sae":
        for i, sae in enumerate(data.saes):
            add(data.sae == i, sae.name, {"color": _style.CATEGORIES[i % len(_style.CATEGORIES)]})
    else:
        counts = np.bincount(data.concept[data.concept >= 0], minlength=len(data.concepts))
        common = [int(c) for c in np.argsort(-counts, kind="stable")[: len(_style.CATEGORIES)] if counts[c]]
        add(~np.isin(data.concept, common), said("no or another concept"), {"color": _style.NEUTRAL, "opacity": 0.4})
        for rank, concept in enumerate(common):
            own = data.concept == concept
            add(own, data.concepts[concept].replace("_", " "), {"color": _style.CATEGORIES[rank], "size": 6})
    fig.update_layout(showlegend=color in ("concept", "sae"))
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False, scaleanchor="x")
    return fig
