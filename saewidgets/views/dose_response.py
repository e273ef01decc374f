"""Charts of a dose-response: what a strength does to the text, with its controls."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from saewidgets.languages import said, to_say
from saewidgets.records import DoseResponseData
from saewidgets.views import _style

__all__ = ["DOSE_KINDS", "DOSE_MEASURES", "dose_response"]

# kind -> (its name for people, color, symbol); what is not here is drawn in gray.
DOSE_KINDS: dict[str, tuple[str, str, str]] = {
    "clamp": (to_say("clamp the feature"), _style.CURVES[0], "circle"),
    "add": (to_say("add its direction"), _style.CURVES[1], "square"),
    "mean_difference": (to_say("mean-difference vector"), _style.CURVES[2], "diamond"),
    "random_feature": (to_say("clamp a random feature"), _style.CURVES[3], "triangle-up"),
    "noise": (to_say("noise of equal length"), _style.NEUTRAL, "x"),
    "prompt": (to_say("a prompt instead"), _style.PROMPT, "star"),
    "none": (to_say("nothing done"), _style.NEUTRAL, "line-ew"),
}
# column of `DoseResponseData.summary` -> (its name, logarithmic, shown as a percentage)
DOSE_MEASURES: dict[str, tuple[str, bool, bool]] = {
    "concept_rate": (to_say("Texts with the concept"), False, True),
    "perplexity_ratio": (to_say("Perplexity, times the model's"), True, False),
    "kl": (to_say("KL (nats per token)"), False, False),
    "repeats": (to_say("Most repeats of three words"), False, False),
    "distinct_2": (to_say("Distinct pairs of words"), False, True),
}
DECADES = 3  # up to so many decades a logarithmic axis shows 1, 2 and 5 of each
TICKS = (-10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100)


def dose_response(data: DoseResponseData, **bounds: float) -> go.Figure:
    """Each measure against the multiple of the feature's maximum: one line a kind, 95 % bands, the usable window
    shaded.

    The axis of the multiples is a signed square root, so that the window near 1 and the stammering at 10 are both seen.
    What has no strength (nothing done, a prompt instead) is a dotted level. `bounds` are those of
    `DoseResponseData.summary`.

    Example:
        >>> dose_response(data).show()  # doctest: +SKIP
    """
    table = data.summary(**bounds)
    window = data.window_of("clamp", **bounds) if "clamp" in data.kinds else None
    fig = make_subplots(rows=2, cols=3, subplot_titles=[said(name) for name, _, _ in DOSE_MEASURES.values()])
    base = _style.figure(title=_title(data), x="", y="", height=560).layout
    fig.update_layout({key: value for key, value in base.to_plotly_json().items() if key not in ("xaxis", "yaxis")})
    fig.update_layout(
        margin_t=84,
        showlegend=True,
        legend={"orientation": "v", "x": 0.70, "y": 0.36, "xanchor": "left", "yanchor": "top"},
    )
    steps = sorted(table["multiple"])
    for i, (measure, (_, log, share)) in enumerate(DOSE_MEASURES.items()):
        place = {"row": i // 3 + 1, "col": i % 3 + 1}
        for kind, rows in table.groupby("kind", sort=False):
            _line(fig, str(kind), rows.sort_values("multiple"), measure, steps, place, first=i == 0)
        if window is not None:
            fig.add_vrect(
                x0=_root(window[0]) - 0.02,
                x1=_root(window[1]) + 0.02,
                fillcolor=_style.CURVES[2],
                opacity=0.25,
                line_width=0,
                layer="below",
                **place,
            )
        bound = {**data.bounds, **bounds}.get(measure)
        if bound is not None:
            fig.add_hline(y=bound, line={"color": _style.NEUTRAL, "width": 1, "dash": "dash"}, **place)
        if share:
            fig.update_yaxes(tickformat=".0%", range=[-0.03, 1.03], **place)
        elif log:
            fig.update_yaxes(type="log", tickvals=_levels(table[measure]), exponentformat="power", **place)
        else:
            fig.update_yaxes(rangemode="tozero", **place)
    ticks = [t for t in TICKS if steps and steps[0] <= t <= steps[-1]]
    axis = {"gridcolor": _style.GRID, "zerolinecolor": _style.GRID, "linecolor": _style.NEUTRAL}
    fig.update_xaxes(tickvals=[_root(t) for t in ticks], ticktext=[f"{t}×" for t in ticks], **axis)
    fig.update_yaxes(**axis)
    return fig


def _line(
    fig: go.Figure,
    kind: str,
    rows: pd.DataFrame,
    measure: str,
    steps: Sequence[float],
    place: dict[str, int],
    *,
    first: bool,
) -> None:
    """One kind in one chart: its band, then its line."""
    name, color, symbol = DOSE_KINDS.get(kind, (kind, _style.NEUTRAL, "circle"))
    x = [_root(m) for m in rows["multiple"]]
    y = [v if math.isfinite(v) else None for v in map(float, rows[measure])]
    level = len(rows) == 1  # no strength to vary
    if level and steps:
        x, y = [_root(steps[0]), _root(steps[-1])], y * 2
    low, high = (rows.get(f"{measure}_{end}") for end in ("low", "high"))
    sound = (
        [(a, b, c) for a, b, c in zip(x, low, high, strict=False) if math.isfinite(b) and math.isfinite(c)]
        if low is not None and high is not None and not level
        else []
    )
    if len(sound) > 1:
        fig.add_scatter(
            x=[a for a, _, _ in sound] + [a for a, _, _ in reversed(sound)],
            y=[c for _, _, c in sound] + [b for _, b, _ in reversed(sound)],
            fill="toself",
            fillcolor=color,
            opacity=0.11,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            legendgroup=kind,
            **place,
        )
    fig.add_scatter(
        x=x,
        y=y,
        name=_style.text(said(name)),
        legendgroup=kind,
        showlegend=first,
        mode="lines" if level else "lines+markers",
        connectgaps=False,
        line={"color": color, "width": 3 if kind == "clamp" else 1.6, "dash": "dot" if level else "solid"},
        marker={"symbol": symbol, "size": 7, "color": color},
        customdata=[*map(float, rows["multiple"])] * (2 if level else 1),
        hovertemplate=f"{_style.text(said(name))}<br>%{{customdata:.4g}}×: %{{y:.4g}}<extra></extra>",
        **place,
    )


def _root(multiple: float) -> float:
    """A place on the axis: sign(m) sqrt(|m|)."""
    return math.copysign(math.sqrt(abs(multiple)), multiple)


def _levels(values: pd.Series) -> list[float]:
    """Where a logarithmic axis over these values has its ticks."""
    logs = [math.log10(v) for v in values if math.isfinite(v) and v > 0] or [0.0]
    low, high = math.floor(min(logs)), math.ceil(max(logs))
    steps = (1, 2, 5) if high - low <= DECADES else (1,)
    return [x * 10.0**d for d in range(low, high + 1, max(1, math.ceil((high - low) / 5))) for x in steps]


def _title(data: DoseResponseData) -> str:
    label = f" ({data.label})" if data.label else ""
    sought = said(", looking for {concept}", concept=data.concept) if data.concept else ""
    return said(
        "Feature {feature}{label}: {n:,} texts after one prompt{sought}",
        feature=data.feature,
        label=label,
        n=len(data.texts),
        sought=sought,
    )
