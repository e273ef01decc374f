"""Phase diagrams of toy models: what was found, beside what theory says (Elhage et al. 2022)."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from saewidgets.analysis.toys import superposition_theory as theory
from saewidgets.languages import said, to_say
from saewidgets.records import PhaseDiagram
from saewidgets.views import _style

__all__ = ["phase_diagram"]

# -1: a dimension of its own, 0: not learned, 1: in superposition
SCALE = [(0.0, _style.DOWN), (0.5, "rgba(128, 136, 146, 0.12)"), (1.0, _style.UP)]
SCORE = {theory.DEDICATED: -1.0, theory.NOT_LEARNED: 0.0, theory.SUPERPOSITION: 1.0}
TITLES = {
    "density": to_say("density of every feature"),
    "importance": to_say("importance of the extra feature"),
    "features": to_say("number of features"),
}


def phase_diagram(diagram: PhaseDiagram, *, beside: bool = True, best: bool = False) -> go.Figure:
    """What becomes of the last feature, cell by cell: a dimension of its own (blue), shared (orange), or not learned
    (gray).

    Color is |W_last|, at most 1, times (2 superposition - 1), superposition at most 1, both averaged over the models
    that were kept. So a cell whose models disagree looks gray, too: the numbers under the mouse tell it from one that
    was not learned. Dashed: where theory has the border of superposition, for two features in one dimension.

    Args:
        diagram: the record, e.g. of `sw.toy.phase_diagram(2, 1)`.
        best: take the model with the lowest loss of each cell, instead of the average: nearer to what would be optimal,
            and farther from what training usually finds.
        beside: draw the theoretical map at its side, where theory covers the case (2 features in 1 dimension, 3 in 2).
    """
    known = _theory(diagram) if beside else None
    trained = said(
        "Trained, best of {n} a cell" if best else "Trained, mean of {n} a cell",
        n=diagram.n_models - (0 if best else diagram.dropped),
    )
    if best:
        diagram = diagram.of_best
    norms, shared = diagram.norms, diagram.superposition
    found = np.minimum(norms, 1) * (2 * np.minimum(shared, 1) - 1)
    panels: list[tuple[str, np.ndarray]] = [(trained, found)]
    if known is not None:
        panels.append((said("Theory"), np.vectorize(SCORE.__getitem__)(known)))
    fig = make_subplots(
        rows=1, cols=len(panels), subplot_titles=[title for title, _ in panels], horizontal_spacing=0.08
    )
    base = _style.figure(title=said("What becomes of the extra feature"), x="", y="", height=420)
    fig.update_layout({k: v for k, v in base.layout.to_plotly_json().items() if k not in ("xaxis", "yaxis")})
    fig.update_layout(margin={"t": 72})
    (x, xticks), (y, yticks) = _axis(diagram.x_name, diagram.x), _axis(diagram.y_name, diagram.y)
    for column, (_, z) in enumerate(panels, 1):
        detail = [norms, shared, diagram.loss] if column == 1 else []
        fig.add_heatmap(
            x=x,
            y=y,
            z=z,
            zmin=-1,
            zmax=1,
            colorscale=SCALE,
            showscale=column == len(panels),
            colorbar={
                "thickness": 12,
                "len": 0.8,
                "tickvals": [-1, 0, 1],
                "ticktext": [said("its own"), said("not learned"), said("shared")],
            },
            customdata=_numbers(diagram, known if column == 2 else None, detail),
            hovertemplate="%{customdata}<extra></extra>",
            row=1,
            col=column,
        )
        if known is not None and diagram.n_hidden == 1:
            fig.add_scatter(
                x=np.log10(theory.pair_boundary(diagram.y)),
                y=y,
                mode="lines",
                line={"color": _style.NEUTRAL, "width": 2, "dash": "dash"},
                hoverinfo="skip",
                row=1,
                col=column,
            )
    edge = (x[1] - x[0]) / 2 if len(x) > 1 else 0.5
    fig.update_xaxes(
        title_text=said(TITLES[diagram.x_name]), range=[x[0] - edge, x[-1] + edge], showgrid=False, zeroline=False
    )
    fig.update_xaxes(tickvals=xticks[0], ticktext=xticks[1])
    fig.update_yaxes(tickvals=yticks[0], ticktext=yticks[1], showgrid=False, zeroline=False)
    fig.update_yaxes(title_text=said(TITLES[diagram.y_name]), col=1)
    return fig


def _theory(diagram: PhaseDiagram) -> np.ndarray | None:
    """int64 [y, x]: phases by theory; None where it does not cover the case."""
    if (diagram.x_name, diagram.y_name) != ("density", "importance"):
        return None
    size = (int(diagram.features.max()), diagram.n_hidden)
    if size not in ((2, 1), (3, 2)) or diagram.features.min() != size[0]:
        return None
    return theory.theory_phases(*size, diagram.x, diagram.y)


def _numbers(diagram: PhaseDiagram, phases: np.ndarray | None, detail: list[np.ndarray]) -> list[list[str]]:
    """What to say of each cell."""
    out = []
    for i in range(len(diagram.y)):
        row = []
        for j in range(len(diagram.x)):
            words = said(
                "density {density:.3g}, importance {importance:.3g}",
                density=diagram.density[i, j],
                importance=diagram.importance[i, j],
            )
            if phases is not None:
                words += f"<br>{said(theory.PHASES[phases[i, j]])}"
            else:
                norm, shared, loss = (float(part[i, j]) for part in detail)
                words += said(
                    "<br>|W| {norm:.2f}, superposition {shared:.2f}<br>loss {loss:.4g}",
                    norm=norm,
                    shared=shared,
                    loss=loss,
                )
            row.append(words)
        out.append(row)
    return out


def _axis(name: str, values: np.ndarray) -> tuple[np.ndarray, tuple[list[float], list[str]]]:
    """(positions, (tick positions, tick words)); all but the number of features on a logarithmic scale."""
    if name == "features":
        return values, (values.tolist(), [f"{v:g}" for v in values])
    ticks: list[Any] = [
        v for v in (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30) if values.min() * 0.99 <= v <= values.max() * 1.01
    ]
    return np.log10(values), (np.log10(ticks).tolist(), [f"{v:g}" for v in ticks])
