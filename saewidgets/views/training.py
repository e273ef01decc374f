"""Charts of training runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from saewidgets.languages import said, to_say
from saewidgets.records import TrainingRecord, TrainStep, firing_histogram
from saewidgets.views import _style

__all__ = ["firing_rates", "scaling_curves", "sweep_frontier", "training_curves"]

_CURVES = (
    ("loss", to_say("Loss")),
    ("fvu", to_say("Fraction of variance unexplained")),
    ("l0", to_say("Active features per token")),
    ("dead", to_say("Share of dead features")),
)


def training_curves(steps: Iterable[TrainStep] | Mapping[str, Iterable[TrainStep]]) -> go.Figure:
    """Loss (logarithmic), unexplained variance, L0 and dead features by step, of one run or of several by name. What is
    not finite leaves a gap.
    """
    runs = {str(name): list(own) for name, own in steps.items()} if isinstance(steps, Mapping) else {"": list(steps)}
    base = _style.figure(title=said("Training"), x=said("step"), y="", height=460).layout
    fig = make_subplots(rows=2, cols=2, subplot_titles=[said(title) for _, title in _CURVES], vertical_spacing=0.16)
    fig.update_layout(_layout(base), showlegend=len(runs) > 1)
    for i, (name, title) in enumerate(_CURVES):
        for j, (run, own) in enumerate(runs.items()):
            values = [getattr(s, name) for s in own]
            color = _style.CURVES[i] if len(runs) == 1 else _style.DIRECTIONS[j % len(_style.DIRECTIONS)]
            fig.add_scatter(
                x=[s.step for s in own],
                y=[v if math.isfinite(v) else None for v in values],
                mode="lines",
                line={"color": color, "width": 2},
                connectgaps=False,
                name=_style.text(run),
                legendgroup=str(j),
                showlegend=len(runs) > 1 and i == 0,
                hovertemplate=said("step %{{x:,}}<br>{title}: %{{y:.4g}}<extra></extra>", title=said(title)),
                row=i // 2 + 1,
                col=i % 2 + 1,
            )
    fig.update_xaxes(gridcolor=_style.GRID, zerolinecolor=_style.GRID)
    fig.update_yaxes(gridcolor=_style.GRID, zerolinecolor=_style.GRID, rangemode="tozero")
    fig.update_yaxes(type="log", rangemode="normal", row=1, col=1)
    fig.update_yaxes(tickformat=".0%", row=2, col=2)
    return fig


def sweep_frontier(record: TrainingRecord) -> go.Figure:
    """Unexplained variance against L0, one point a run, the Pareto front drawn; a run that failed is a cross."""
    table = record.frontier()
    fig = _style.figure(
        title=said("What each active feature buys"), x=said("active features per token"), y=said("variance unexplained")
    )
    front = table[table["on_front"]].sort_values(["l0", "fvu"])
    fig.add_scatter(
        x=front["l0"],
        y=front["fvu"],
        mode="lines",
        line={"color": _style.NEUTRAL, "width": 1.5, "dash": "dash"},
        hoverinfo="skip",
        showlegend=False,
    )
    fig.update_layout(showlegend=True)
    for i, row in table.iterrows():
        failed = bool(row["failed"])
        color = _style.DIRECTIONS[int(i) % len(_style.DIRECTIONS)]
        fig.add_scatter(
            x=[row["l0"]],
            y=[row["fvu"]],
            mode="markers+text",
            marker={
                "color": color,
                "size": 20,
                "symbol": "x" if failed else ("circle" if row["on_front"] else "circle-open"),
                "line": {"width": 2},
            },
            text=["" if failed else str(int(i) + 1)],
            textfont={"size": 11, "color": _style.on(color) if row["on_front"] else _style.NEUTRAL},
            name=f"{int(i) + 1}. {_style.text(row['run'])}",
            showlegend=True,
            cliponaxis=False,
            hovertemplate=f"{_style.text(row['run'])}<br>L0 %{{x:.4g}}<br>FVU %{{y:.4g}}<extra></extra>",
        )
    fig.update_xaxes(rangemode="tozero")
    fig.update_yaxes(rangemode="tozero")
    return fig


def firing_rates(rates: np.ndarray) -> go.Figure:
    """How many features fire at how large a share of tokens, on a logarithmic axis; silent ones are in the title."""
    histogram, silent = firing_histogram(rates)
    edges = np.asarray(histogram.edges)
    fig = _style.figure(
        title=said("How often features fire ({silent:,} of {n:,} never did)", silent=silent, n=len(rates)),
        x=said("share of tokens"),
        y=said("features"),
    )
    fig.add_bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=histogram.counts,
        width=np.diff(edges),
        marker={"color": _style.DIRECTIONS[0]},
        customdata=np.stack([10 ** edges[:-1], 10 ** edges[1:]], axis=1),
        hovertemplate=said("%{customdata[0]:.2g} to %{customdata[1]:.2g} of tokens: %{y:,} features<extra></extra>"),
    )
    ticks = list(range(int(edges[0]), 1))
    fig.update_xaxes(tickvals=ticks, ticktext=[f"10<sup>{t}</sup>" if t else "1" for t in ticks])
    return fig


def scaling_curves(table: pd.DataFrame, measure: str = "fvu") -> go.Figure:
    """Sizes at equal compute: left a curve a budget, the measure against the number of features, its best point filled;
    right the best of each budget against compute, with the power law nearest to them.

    Args:
        table: of `sw.analysis.iso_compute(sweep)`, or `sw.analysis.scaling_law(sweep).table`: compute, d_sae, the
            measure, best.
        measure: its column.
    """
    base = _style.figure(title=said("Sizes at equal compute"), x="", y="", height=380).layout
    fig = make_subplots(rows=1, cols=2, horizontal_spacing=0.12)
    fig.update_layout(_layout(base))
    budgets = sorted(table["compute"].unique())
    for i, budget in enumerate(budgets):
        own = table[table["compute"] == budget].sort_values("d_sae")
        shade = 0.3 + 0.7 * (i + 1) / len(budgets)
        fig.add_scatter(
            x=own["d_sae"],
            y=own[measure],
            mode="lines+markers",
            line={"color": _style.DIRECTIONS[1], "width": 2},
            opacity=shade,
            marker={"size": 9, "symbol": ["circle" if best else "circle-open" for best in own["best"]]},
            name=f"{budget:.2g}",
            hovertemplate=said("compute {budget:.3g}<br>%{{x:,}} features: %{{y:.4g}}<extra></extra>", budget=budget),
            row=1,
            col=1,
        )
    best = table[table["best"]].drop_duplicates("compute").sort_values("compute")
    fig.add_scatter(
        x=best["compute"],
        y=best[measure],
        mode="markers",
        marker={"color": _style.DIRECTIONS[1], "size": 9},
        hovertemplate=said("compute %{x:.3g}: %{y:.4g}<extra></extra>"),
        row=1,
        col=2,
    )
    if len(best) > 1:
        slope, height = np.polyfit(np.log(best["compute"]), np.log(best[measure]), 1)
        fig.add_scatter(
            x=best["compute"],
            y=np.exp(height) * best["compute"] ** slope,
            mode="lines",
            line={"color": _style.NEUTRAL, "dash": "dash", "width": 1.5},
            name=f"compute^{slope:.3f}",
            hovertemplate=f"compute^{slope:.3f}<extra></extra>",
            row=1,
            col=2,
        )
    fig.update_xaxes(type="log", gridcolor=_style.GRID)
    fig.update_yaxes(type="log", gridcolor=_style.GRID)
    fig.update_xaxes(title_text=said("features"), row=1, col=1)
    fig.update_xaxes(title_text=said("compute (operations)"), row=1, col=2)
    fig.update_yaxes(title_text=measure, row=1, col=1)
    return fig


def _layout(layout: go.Layout) -> dict[str, object]:
    """The house style without the axes of a single chart."""
    return {key: value for key, value in layout.to_plotly_json().items() if key not in ("xaxis", "yaxis")}
