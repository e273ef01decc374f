"""Charts of toy models that trained on a finite data set, and of the coordinates of their hidden layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from saewidgets.analysis.toys.bases import BasisAlignment
from saewidgets.analysis.toys.gallery import spread
from saewidgets.analysis.toys.memorization import DataSetSize
from saewidgets.languages import said
from saewidgets.records import ToyRun
from saewidgets.records.arguments import expect
from saewidgets.toy import training_inputs
from saewidgets.views import _style

__all__ = ["double_descent", "features_and_examples", "hidden_coordinates"]

MOST = 6  # models side by side
EXAMPLES = 400  # hidden vectors drawn of one model


def double_descent(rows: Sequence[DataSetSize]) -> go.Figure:
    """Losses and dimensionalities against the number of training inputs T (Henighan et al. 2023).

    Left: the loss on fresh inputs and on the data set, the median of the starts, each start a dot. Right: the share of a
    dimension that each feature and each training input has, in the start with the lowest loss on its data; the dashed
    line is m / T, what T inputs that fill the space evenly have.

    Args:
        rows: of `analysis.toys.memorization.double_descent`.
    """
    rows = list(rows)
    expect(rows, bool(rows), "rows", "double_descent", "give those of memorization.double_descent(run)")
    sizes = [row.size for row in rows]
    fig = make_subplots(
        rows=1, cols=2, horizontal_spacing=0.1, subplot_titles=[said("loss"), said("share of a dimension")]
    )
    fig.update_layout(_style.without_axes(said("Training inputs, from few to many")))
    for name, color, losses in (
        (said("on fresh inputs"), _style.UP, [row.test_losses for row in rows]),
        (said("on its own data"), _style.DOWN, [row.train_losses for row in rows]),
    ):
        medians = [float(np.median(values)) for values in losses]
        fig.add_scatter(x=sizes, y=medians, name=name, mode="lines", line={"color": color, "width": 2}, row=1, col=1)
        fig.add_scatter(
            x=np.repeat(sizes, [len(values) for values in losses]), y=np.concatenate(losses), mode="markers",
            marker={"color": color, "size": 5, "opacity": 0.6}, showlegend=False,
            hovertemplate="T = %{x}: %{y:.3g}<extra>" + name + "</extra>", row=1, col=1,
        )  # fmt: skip
    for name, color, shares in (
        (said("features"), _style.UP, [row.features for row in rows]),
        (said("training inputs"), _style.DOWN, [row.examples[:EXAMPLES] for row in rows]),
    ):
        fig.add_scatter(
            x=np.repeat(sizes, [len(values) for values in shares]), y=np.concatenate(shares), name=name, mode="markers",
            marker={"color": color, "size": 5, "opacity": 0.35}, row=1, col=2,
            hovertemplate="T = %{x}: %{y:.3f}<extra>" + name + "</extra>",
        )  # fmt: skip
    fig.add_scatter(
        x=sizes, y=[min(1.0, row.n_hidden / row.size) for row in rows], name="m / T", mode="lines", row=1, col=2,
        line={"color": _style.NEUTRAL, "width": 1, "dash": "dash"}, hoverinfo="skip",
    )  # fmt: skip
    axis = {"gridcolor": _style.GRID, "zerolinecolor": _style.GRID, "linecolor": _style.NEUTRAL}
    fig.update_yaxes(**axis)
    fig.update_xaxes(type="log", title=said("training inputs T"), **axis)
    top = max(float(np.median(row.test_losses)) for row in rows)  # a start far above its fellows may stand outside
    fig.update_yaxes(range=[0, 1.2 * top], row=1, col=1)
    fig.update_layout(showlegend=True, width=920, height=420, legend={"orientation": "h", "y": -0.25}, margin={"t": 76})
    return fig


def features_and_examples(run: ToyRun, instances: Sequence[int] | None = None) -> go.Figure:
    """What is in superposition: the features' directions above, the hidden vectors of the training inputs below.

    A model per column, titled with its number of training inputs; of many inputs the first 400 are drawn.

    Args:
        run: models with two hidden dimensions that trained on a finite data set.
        instances: which of them, six at most; by default the best of each size, evenly spread.

    Raises:
        ValueError: other than two hidden dimensions, or no data set.
    """
    expect(run, ToyRun, "run", "features_and_examples")
    if run.n_hidden != 2:
        raise ValueError(f"arrows in the plane need 2 hidden dimensions, not {run.n_hidden}; see double_descent")
    inputs = training_inputs(run)
    if instances is None:
        instances = spread(np.array(sorted(run.best.tolist(), key=lambda i: len(inputs[i]))), MOST).tolist()
    chosen = list(instances)[:MOST]
    titles = [f"T = {len(inputs[i]):,}" for i in chosen]
    fig = make_subplots(rows=2, cols=len(chosen), subplot_titles=titles, horizontal_spacing=0.02, vertical_spacing=0.03)
    fig.update_layout(_style.without_axes(said("Features above, training inputs below")))
    for k, i in enumerate(chosen):
        W = run.final[i].astype(np.float64)
        for row, points, color in ((1, W, _style.UP), (2, W @ inputs[i][:EXAMPLES].T, _style.DOWN)):
            where: dict[str, Any] = {"row": row, "col": k + 1}
            reach = 1.1 * max(float(np.abs(points).max()), 1e-6)
            lines = np.full((points.shape[1] * 3, 2), np.nan)
            lines[0::3], lines[1::3] = 0, points.T
            thin = {"color": color, "width": 2 if points.shape[1] <= 20 else 1}
            fig.add_scatter(x=lines[:, 0], y=lines[:, 1], mode="lines", line=thin, hoverinfo="skip", **where)
            fig.add_scatter(
                x=points[0], y=points[1], mode="markers", marker={"color": color, "size": 5},
                hovertemplate=said("feature %{pointNumber}" if row == 1 else "input %{pointNumber}") + "<extra></extra>", **where,
            )  # fmt: skip
            fig.update_xaxes(range=[-reach, reach], visible=False, **where)
            axis = (row - 1) * len(chosen) + k + 1
            fig.update_yaxes(range=[-reach, reach], visible=False, scaleanchor=f"x{axis if axis > 1 else ''}", **where)
    fig.update_layout(
        showlegend=False, width=160 * len(chosen) + 40, height=450, margin={"l": 12, "r": 12, "t": 76, "b": 12}
    )
    return fig


def hidden_coordinates(found: BasisAlignment) -> go.Figure:
    """Each coordinate's share of |h|^2, model by model, the largest first: outliers where the basis is privileged.

    The dashed line is 1 / m, what each coordinate has where all are alike. The legend has each model's kurtosis.

    Args:
        found: of `analysis.toys.bases.basis_alignment`.
    """
    expect(found, BasisAlignment, "found", "hidden_coordinates", "give the result of bases.basis_alignment(run)")
    m = found.shares.shape[1]
    fig = _style.figure(
        title=said("Shares of the hidden coordinates"), x=said("coordinate, the largest first"), y=said("share of |h|²")
    )
    for i, (shares, kurtosis) in enumerate(zip(found.shares, found.kurtosis, strict=True)):
        color = _style.DIRECTIONS[i % len(_style.DIRECTIONS)]
        fig.add_scatter(
            x=np.arange(1, m + 1), y=np.sort(shares)[::-1], mode="lines+markers", line={"color": color, "width": 1.5},
            name=said("model {number}: kurtosis {kurtosis:.1f}", number=i + 1, kurtosis=kurtosis), hovertemplate="%{y:.3f}<extra></extra>",
        )  # fmt: skip
    fig.add_hline(y=1 / m, line={"color": _style.NEUTRAL, "width": 1, "dash": "dash"})
    fig.update_yaxes(range=[0, 1])
    fig.update_layout(showlegend=True)
    return fig
