"""Charts of toy models of superposition (Elhage et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from saewidgets.analysis.toys import geometry
from saewidgets.languages import said
from saewidgets.records import ToyRun
from saewidgets.views import _style
from saewidgets.views._style import without_axes as _layout

__all__ = [
    "dimensionality_scatter",
    "dimensions_per_feature",
    "gram_matrix",
    "norm_bars",
    "polytope",
    "stack_plot",
    "superposition_arrows",
    "toy_trajectory",
    "vulnerability",
]

FRACTIONS = {1: "1", 3 / 4: "3/4", 2 / 3: "2/3", 1 / 2: "1/2", 2 / 5: "2/5", 3 / 8: "3/8"}  # shares of known polytopes
SIGNED = [(0.0, _style.DOWN), (0.5, "rgba(128, 136, 146, 0.06)"), (1.0, _style.UP)]
SHARED = [(0.0, _style.DOWN), (1.0, _style.UP)]  # a direction of one's own, one that is shared


def superposition_arrows(
    run: ToyRun, instances: Sequence[int] | None = None, *, snapshot: int = -1, columns: int = 4
) -> go.Figure:
    """The columns of W as arrows in the plane, one small picture a model; the circle has radius 1.

    Args:
        run: models with two hidden dimensions.
        instances: which of them; the first eight by default.
        snapshot: index into `run.steps`.
        columns: pictures in a row.

    Raises:
        ValueError: other than two hidden dimensions.
    """
    if run.n_hidden != 2:
        raise ValueError(
            f"arrows in the plane need 2 hidden dimensions, not {run.n_hidden}; see gram_matrix or polytope"
        )
    chosen = list(range(min(8, run.n_instances))) if instances is None else list(instances)
    columns = min(columns, len(chosen))
    rows = -(-len(chosen) // columns)
    fig = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=[model_name(run, i) for i in chosen],
        horizontal_spacing=0.02,
        vertical_spacing=0.1 / rows,
    )
    fig.update_layout(_layout(said("Directions of the features"), height=90 + 230 * rows))
    fig.update_layout(margin={"l": 12, "t": 72, "b": 12})
    reach = 1.15 * max(1.0, float(geometry.norms(run.weights[snapshot][chosen]).max()))
    circle = np.linspace(0, 2 * np.pi, 73)
    for k, instance in enumerate(chosen):
        where: dict[str, Any] = {"row": k // columns + 1, "col": k % columns + 1}
        ring = {"color": _style.GRID, "width": 1.5}
        fig.add_scatter(x=np.cos(circle), y=np.sin(circle), mode="lines", line=ring, hoverinfo="skip", **where)
        for i, (x, y) in enumerate(run.weights[snapshot, instance].T.tolist()):
            color = _color(i, run.n_features)
            fig.add_scatter(
                x=[0, x],
                y=[0, y],
                mode="lines+markers",
                line={"color": color, "width": 3},
                marker={
                    "symbol": ["circle", "arrow"],
                    "size": [0.1, 11],
                    "angleref": "previous",
                    "color": color,
                    "opacity": 1,
                },
                hovertemplate=said("feature {i}: length {length:.3f}<extra></extra>", i=i, length=np.hypot(x, y)),
                **where,
            )
        axis = f"x{k + 1 if k else ''}"
        fig.update_yaxes(scaleanchor=axis, **where)
    fig.update_xaxes(range=[-reach, reach], visible=False)
    fig.update_yaxes(range=[-reach, reach], visible=False)
    return fig


def gram_matrix(run: ToyRun, instance: int = 0, *, snapshot: int = -1) -> go.Figure:
    """W^T W beside the bias b: entry (i, j) is what feature j alone, at 1, adds to the read-out of feature i.

    With a decoder of its own it is D W; with a ReLU on the hidden layer, D ReLU(W) or W^T ReLU(W).
    """
    W = run.weights[snapshot, instance].astype(np.float64)
    D = run.decoders[snapshot, instance].astype(np.float64)
    read = D @ (np.maximum(W, 0) if run.hidden == "relu" else W)  # [feature, feature]
    bias = run.biases[snapshot, instance].astype(np.float64)
    most = max(1.0, float(np.abs(read).max()))
    fig = make_subplots(
        rows=1, cols=2, column_widths=[run.n_features, 1], horizontal_spacing=0.03, subplot_titles=["", "b"]
    )
    fig.update_layout(
        _layout(said("What is read of what: {model_name}", model_name=model_name(run, instance)), height=430, width=480)
    )
    shown = {"zmid": 0.0, "zmin": -most, "zmax": most, "colorscale": SIGNED, "xgap": 1, "ygap": 1}
    fig.add_heatmap(
        z=read,
        colorbar={"thickness": 12, "len": 0.7},
        hovertemplate=said("feature %{x} adds %{z:.3f}<br>to the read-out of %{y}<extra></extra>"),
        row=1,
        col=1,
        **shown,
    )
    fig.add_heatmap(
        z=bias[:, None],
        hovertemplate=said("bias of feature %{y}: %{z:.3f}<extra></extra>"),
        showscale=False,
        row=1,
        col=2,
        **shown,
    )
    fig.update_yaxes(autorange="reversed", showgrid=False, zeroline=False)
    fig.update_xaxes(showgrid=False, zeroline=False)
    fig.update_xaxes(showticklabels=False, col=2)
    fig.update_yaxes(showticklabels=False, col=2)
    fig.update_xaxes(title_text=said("feature that is on"), col=1)
    fig.update_yaxes(title_text=said("feature that is read"), col=1)
    return fig


def norm_bars(run: ToyRun, instance: int = 0, *, snapshot: int = -1) -> go.Figure:
    """|W_i| of every feature; the color is how far others share its direction, sum_{j != i} (W^_i . W_j)^2."""
    W = run.weights[snapshot, instance]
    norms, shared = geometry.norms(W), geometry.superposition(W)
    fig = _style.figure(
        title=said("Represented, and shared? {model_name}", model_name=model_name(run, instance)),
        x=said("feature"),
        y="|W|",
    )
    fig.add_bar(
        x=np.arange(run.n_features),
        y=norms,
        marker={
            "color": shared,
            "colorscale": SHARED,
            "cmin": 0,
            "cmax": 1,
            "colorbar": {"title": {"text": said("superposition")}, "thickness": 12, "tickvals": [0, 0.5, 1]},
        },
        customdata=shared,
        hovertemplate=said("feature %{x}<br>|W| %{y:.3f}<br>superposition %{customdata:.3f}<extra></extra>"),
    )
    return fig


def dimensionality_scatter(run: ToyRun, *, snapshot: int = -1) -> go.Figure:
    """D_i of every feature against 1/density, on top of the curve of D* = m / |W|_F^2 (as in the paper's scatter).

    Dashed: the share that each point of a known polytope has. Features that are not represented lie at 0.
    """
    x = 1 / run.feature_probability.mean(1)
    W = run.weights[snapshot]
    dimension = geometry.feature_dimensionality(W)  # [instance, feature]
    fig = _style.figure(
        title=said("Feature dimensionality"),
        x=said("1 / density (log scale)"),
        y=said("dimensions for each feature"),
        height=460,
    )
    order = np.argsort(x)
    fig.add_scattergl(
        x=np.repeat(x, run.n_features),
        y=dimension.ravel(),
        mode="markers",
        marker={"size": 4, "color": _style.DOWN, "opacity": 0.5},
        customdata=np.tile(np.arange(run.n_features), run.n_instances),
        hovertemplate=said("feature %{customdata}<br>D %{y:.3f}<br>1/density %{x:.3g}<extra></extra>"),
    )
    fig.add_scatter(
        x=x[order],
        y=geometry.dimensions_per_feature(W)[order],
        mode="lines",
        line={"color": _style.UP, "width": 2},
        hovertemplate="m / |W|² %{y:.3f}<extra></extra>",
    )
    _fractions(fig)
    fig.update_xaxes(type="log")
    fig.update_yaxes(range=[-0.03, 1.1])
    return fig


def dimensions_per_feature(run: ToyRun, *, snapshot: int = -1) -> go.Figure:
    """D* = m / |W|_F^2, hidden dimensions for each represented feature, against 1/density: it stays a while at 1 and at
    1/2.
    """
    x = 1 / run.feature_probability.mean(1)
    order = np.argsort(x)
    fig = _style.figure(title=said("Hidden dimensions per feature"), x=said("1 / density (log scale)"), y="m / |W|²")
    fig.add_scatter(
        x=x[order],
        y=geometry.dimensions_per_feature(run.weights[snapshot])[order],
        mode="lines+markers",
        line={"color": _style.UP, "width": 2},
        marker={"size": 6},
        hovertemplate=said("1/density %{x:.3g}<br>m / |W|² %{y:.3f}<extra></extra>"),
    )
    for value in (1, 1 / 2):
        fig.add_hline(y=value, line={"color": _style.NEUTRAL, "width": 1, "dash": "dash"})
    fig.update_xaxes(type="log")
    fig.update_yaxes(rangemode="tozero")
    return fig


def stack_plot(run: ToyRun, instance: int = 0, *, snapshot: int = -1) -> go.Figure:
    """The rows of W, one bar a hidden neuron, each feature's weight stacked in its color: a neuron for one feature, or
    for many.

    Neurons are sorted by their most important feature.
    """
    W = run.weights[snapshot, instance]  # [m, n]
    order = np.lexsort((-np.abs(W).max(1), np.abs(W).argmax(1)))
    fig = _style.figure(
        title=said("What each neuron listens to: {model_name}", model_name=model_name(run, instance)),
        x=said("neuron"),
        y=said("weight"),
    )
    for i in range(run.n_features):
        fig.add_bar(
            x=np.arange(run.n_hidden),
            y=W[order, i],
            marker={"color": _color(i, run.n_features), "line": {"width": 0}},
            customdata=order,
            hovertemplate=said("feature {i}<br>neuron %{{customdata}}<br>weight %{{y:.3f}}<extra></extra>", i=i),
        )
    fig.update_layout(barmode="relative", bargap=0.2)
    fig.update_xaxes(
        tickvals=list(range(run.n_hidden)), ticktext=[str(k) for k in order] if run.n_hidden <= 40 else None
    )
    return fig


def toy_trajectory(run: ToyRun, instance: int = 0) -> go.Figure:
    """One training: the loss above, the dimensionality D_i of every feature below, by step (both on a logarithmic
    axis).
    """
    steps = run.steps + 1.0  # step 0 has no place on a logarithmic axis
    fig = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.4, 0.6])
    fig.update_layout(_layout(said("Learning: {model_name}", model_name=model_name(run, instance)), height=520))
    fig.add_scatter(
        x=steps,
        y=run.losses[:, instance],
        mode="lines",
        line={"color": _style.NEUTRAL, "width": 2},
        customdata=run.steps,
        hovertemplate=said("step %{customdata:,}<br>loss %{y:.4g}<extra></extra>"),
        row=1,
        col=1,
    )
    dimension = geometry.feature_dimensionality(run.weights[:, instance])  # [snapshot, feature]
    for i in range(run.n_features):
        fig.add_scatter(
            x=steps,
            y=dimension[:, i],
            mode="lines",
            line={"color": _color(i, run.n_features), "width": 1.5},
            customdata=run.steps,
            hovertemplate=said("step %{{customdata:,}}<br>D of feature {i}: %{{y:.3f}}<extra></extra>", i=i),
            row=2,
            col=1,
        )
    _fractions(fig, row=2, col=1)
    fig.update_xaxes(type="log", gridcolor=_style.GRID)
    fig.update_yaxes(gridcolor=_style.GRID, zerolinecolor=_style.GRID)
    fig.update_xaxes(title_text=said("step"), row=2)
    fig.update_yaxes(title_text=said("loss"), type="log", row=1)
    fig.update_yaxes(title_text="D", range=[-0.03, 1.08], row=2)
    return fig


def polytope(W: Any, *, name: str = "", dimensionality: bool = True) -> go.Figure:
    """Feature directions in space as a polytope: points, the lines to them, edges between nearest neighbors; D_i
    written at each.

    Args:
        W: [m, n], m up to 3: a model's weights, or `POLYTOPES["tetrahedron"].points`. Features shorter than 1/2 are
            left out.
        name: title.
        dimensionality: write D_i at the points.

    Raises:
        ValueError: more than three dimensions.
    """
    W = np.asarray(W, np.float64)
    if W.ndim != 2 or len(W) > 3:
        raise ValueError(f"a picture in space needs W [m, n] with m up to 3, not {list(W.shape)}")
    points = np.zeros((3, W.shape[1]))
    points[: len(W)] = W
    kept = np.flatnonzero(geometry.norms(W) > geometry.REPRESENTED)
    share = geometry.feature_dimensionality(W)
    fig = go.Figure()
    fig.update_layout(_layout(name or said("Directions of the features"), height=460))
    for i, j in _edges(points, kept):
        fig.add_scatter3d(
            **dict(zip("xyz", points[:, [i, j]], strict=True)),
            mode="lines",
            line={"color": _style.NEUTRAL, "width": 2},
            hoverinfo="skip",
        )
    for i in kept.tolist():
        color = _color(i, W.shape[1])
        fig.add_scatter3d(
            **{axis: [0, value] for axis, value in zip("xyz", points[:, i].tolist(), strict=True)},
            mode="lines+markers+text",
            line={"color": color, "width": 6},
            marker={"size": [0.1, 6], "color": color},
            text=["", f"{share[i]:.3f}" if dimensionality else str(i)],
            textposition="top center",
            hovertemplate=said("feature {i}<br>D {share:.3f}<extra></extra>", i=i, share=share[i]),
        )
    reach = 1.2 * max(1.0, float(np.abs(points).max()))
    axis = {"range": [-reach, reach], "visible": False}  # a grid in space cannot be made faint
    fig.update_layout(scene={"xaxis": axis, "yaxis": axis, "zaxis": axis, "aspectmode": "cube"})
    fig.update_layout(scene_camera_eye={"x": 1.0, "y": 0.9, "z": 0.55}, margin={"l": 0, "r": 0, "b": 0})
    return fig


def vulnerability(densities: Sequence[float], relative: Sequence[float], per_feature: Sequence[float]) -> go.Figure:
    """How much easier a model is to fool than one without superposition, and how many features share a dimension (M18).

    Args:
        densities: P(x_i != 0) of each model.
        relative: vulnerability to an attack of one length, divided by that of a model without superposition.
        per_feature: D* = m / |W|_F^2 of each model; 1 / D* features share a dimension.
    """
    x = 1 / np.asarray(densities, np.float64)
    order = np.argsort(x)
    fig = _style.figure(title=said("Superposition makes vulnerable"), x=said("1 / density (log scale)"), y="")
    for name, values, color, dash in (
        (said("vulnerability, against no superposition"), np.asarray(relative), _style.UP, "solid"),
        (said("features per dimension"), 1 / np.asarray(per_feature, np.float64), _style.DOWN, "dash"),
    ):
        fig.add_scatter(
            x=x[order],
            y=values[order],
            name=name,
            mode="lines+markers",
            line={"color": color, "width": 2, "dash": dash},
            hovertemplate=f"{name}: %{{y:.3g}}<extra></extra>",
        )
    fig.update_xaxes(type="log")
    fig.update_layout(showlegend=True, legend={"x": 0.02, "y": 0.98})
    return fig


def model_name(run: ToyRun, instance: int) -> str:
    """What to call one model of a run: its density, if its features have one; else its number."""
    p = run.feature_probability[instance]
    return said("density {p:.3g}", p=p[0]) if (p == p[0]).all() else said("model {number}", number=instance + 1)


def _edges(points: np.ndarray, kept: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of points that are nearest neighbors, or nearly so."""
    gap = np.linalg.norm(points[:, kept, None] - points[:, None, kept], axis=0) + np.diag([np.inf] * len(kept))
    near = gap < 1.25 * gap.min(1, keepdims=True) if len(kept) > 1 else np.zeros_like(gap, bool)
    return [(int(kept[i]), int(kept[j])) for i, j in np.argwhere(np.triu(near | near.T, 1))]


def _fractions(fig: go.Figure, **where: Any) -> None:
    for value, words in FRACTIONS.items():
        fig.add_hline(
            y=value,
            line={"color": _style.NEUTRAL, "width": 1, "dash": "dash"},
            opacity=0.6,
            annotation={"text": words, "font": {"size": 10}, "yanchor": "top" if value == 3 / 8 else "bottom"},
            **where,
        )


def _color(i: int, n: int) -> str:
    """The color of feature i of n: one of eight where these suffice, else a place on a scale, dark first, light last."""
    if n <= len(_style.DIRECTIONS):
        return _style.DIRECTIONS[i]
    stops = [[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in _style.SEQUENCE]
    at = (len(stops) - 1) * i / (n - 1)
    low = min(len(stops) - 2, int(at))
    r, g, b = (round(x + (y - x) * (at - low)) for x, y in zip(stops[low], stops[low + 1], strict=True))
    return f"rgb({r},{g},{b})"
