"""Charts of features as detectors of concepts, beside what else one could read a concept from."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from saewidgets.files import unknown
from saewidgets.languages import said, to_say
from saewidgets.records import Completeness, DetectorComparison, NeuronOverlap
from saewidgets.views import _style

__all__ = ["completeness", "detector_comparison", "neuron_overlap"]

_MEASURES = {"f1": "F1", "precision": to_say("precision"), "recall": to_say("recall"), "auroc": "AUROC"}
_LOOKS = {  # method -> (what it is called, color, symbol, size)
    "feature": (to_say("best feature"), _style.CURVES[0], "circle", 10),
    "neuron": (to_say("best neuron"), _style.CURVES[1], "diamond", 7),
    "direction": (to_say("best random direction"), _style.CURVES[3], "x", 6),
    "probe": (to_say("linear probe"), _style.CURVES[2], "line-ns-open", 14),
}
_ROW = 17  # pixels


def detector_comparison(found: DetectorComparison, measure: str = "f1", n: int | None = None) -> go.Figure:
    """One row per concept, the best told by the SAE's feature first: how well it is told on documents that chose
    nothing, by each method.

    `measure` is "f1", "precision", "recall" or "auroc"; `n` shows that many concepts, spread evenly over the order. The
    line through a feature's F1 is its 95 % interval over documents. Where the probe stands right of the feature, the
    model knows more of the concept than any one feature tells.
    """
    if measure not in _MEASURES:
        raise ValueError(unknown("measure", measure, _MEASURES))
    table, whole = found.table(measure), found.to_dataframe().set_index(["method", "concept"])
    first = found.methods[0]
    told = table[first].dropna().sort_values(ascending=False, kind="stable")
    concepts = list(told.index)
    if n is not None and n < len(concepts):
        concepts = [concepts[i] for i in np.linspace(0, len(concepts) - 1, n).round().astype(int)]
    what = said(_MEASURES[measure])
    medians = ", ".join(f"{_named(m)[0]} {table.loc[told.index, m].median():.2f}" for m in found.methods[:4])
    fig = _style.figure(
        title=said("Median {what} over {n} concepts: {medians}", what=what, n=len(told), medians=medians),
        x=said("{what} on documents that chose nothing", what=what),
        y="",
        height=150 + _ROW * len(concepts),
    )
    fig.update_layout(title_font_size=14)
    names = [_style.text(c.replace("_", " ")) for c in concepts]
    # The feature last, so that it lies above the others.
    for method in (*(m for m in found.methods if m != first), first):
        name, color, symbol, size = _named(method)
        rows = whole.loc[method].loc[concepts]
        value = rows[measure].to_numpy(float)
        bars = {}
        if method == first and measure == "f1":
            over, under = rows["f1_high"].to_numpy(float) - value, value - rows["f1_low"].to_numpy(float)
            bars = {"error_x": {"type": "data", "array": np.maximum(over, 0), "arrayminus": np.maximum(under, 0)}}
            bars["error_x"] |= {"thickness": 1, "width": 0, "color": _style.NEUTRAL}
        fig.add_scatter(
            x=value,
            y=names,
            mode="markers",
            name=name,
            marker={
                "color": color,
                "symbol": symbol,
                "size": size,
                "line": {"width": 2.5 if "line" in symbol else 0, "color": color},
            },
            customdata=[(_style.text(r.unit), r.precision, r.recall, r.auroc, r.n_tokens) for r in rows.itertuples()],
            hovertemplate=said(
                "<b>%{{y}}</b>, {name} %{{customdata[0]}}<br>{what} %{{x:.2f}}; precision %{{customdata[1]:.2f}}, recall %{{customdata[2]:.2f}}, AUROC %{{customdata[3]:.3f}}; %{{customdata[4]:,}} tokens<extra></extra>",
                name=name,
                what=what,
            ),
            **bars,
        )
    fig.update_xaxes(range=[-0.02, 1.02] if measure != "auroc" else None, side="top")
    fig.update_yaxes(autorange="reversed", automargin=True, tickfont={"size": 11}, dtick=1)
    fig.update_layout(
        showlegend=True,
        legend={"orientation": "h", "y": 0, "yanchor": "top", "x": 0, "traceorder": "reversed"},
        margin={"t": 96, "b": 40},
    )
    return fig


def _named(method: str) -> tuple[str, str, str, int]:
    if method in _LOOKS:
        name, color, symbol, size = _LOOKS[method]
        return (said(name), color, symbol, size)
    k = int(method.removeprefix("k="))
    size = int(np.clip(np.log2(k), 0, 4))
    return (said("probe of 1 feature" if k == 1 else "probe of {k} features", k=k), _style.RAMP[size], "circle-open", 6)


def neuron_overlap(found: NeuronOverlap, bins: int = 40, bound: float = 0.3) -> go.Figure:
    """The largest |r| of each feature with any neuron, and of the two controls: random neurons with one another, and
    the features over shuffled tokens.
    """
    groups = (
        (said("features"), np.abs(found.r), _style.CURVES[0]),
        (said("random neurons, with the others"), np.abs(found.control), _style.CURVES[1]),
        (said("features, tokens shuffled"), np.abs(found.shuffled), _style.NEUTRAL),
    )
    share = found.share_at_most(bound)
    fig = _style.figure(
        title=said(
            "{share:.0%} of {n:,} features reach |r| = {bound:g} with none of {n_neurons:,} neurons",
            share=share,
            n=len(found.feature),
            bound=bound,
            n_neurons=found.n_neurons,
        ),
        x=said("largest |r| with any neuron, over {n_tokens:,} tokens", n_tokens=found.n_tokens),
        y=said("share of the group"),
        height=380,
    )
    edges = np.linspace(0, 1, bins + 1)
    for name, r, color in groups:
        r = r[np.isfinite(r)]
        if not len(r):
            continue
        fig.add_scatter(
            x=np.repeat(edges, 2)[1:-1],
            y=np.repeat(np.histogram(r, edges)[0] / len(r), 2),
            mode="lines",
            fill="tozeroy",
            name=said("{name}: median {median:.2f}", name=name, median=np.median(r)),
            line={"color": color, "width": 1.5},
            hovertemplate=f"{name}<br>|r| %{{x:.2f}}: %{{y:.1%}}<extra></extra>",
        )
    fig.add_vline(x=bound, line={"color": _style.NEUTRAL, "dash": "dash", "width": 1})
    fig.update_yaxes(tickformat=".0%", rangemode="tozero")
    fig.update_layout(
        showlegend=True, legend={"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0}, margin={"b": 90}
    )
    return fig


def completeness(found: Completeness, bins: int = 8) -> go.Figure:
    """The share of concepts that have a feature against their frequency, and against frequency x live features.

    A point is a group of concepts of like frequency, a curve the fitted sigmoid, a dashed line 1 / (live features). The
    ticks along the edges are the concepts themselves, those with a feature above, those without below: pointing at one
    names it, and what fires on it instead. On the right the curves of all sizes should be one.
    """
    table = found.to_dataframe()
    base = _style.figure(title="", x="", y="", height=420).layout
    fig = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.04)
    fig.update_layout(_style.shared(base))
    logs = np.log10(found.alive.clip(1))
    for i, (name, curve) in enumerate(zip(found.saes, found.curves, strict=True)):
        color, symbol = _style.CURVES[i % len(_style.CURVES)], ("circle", "diamond", "square", "cross")[i % 4]
        own = table[table["sae"] == name].sort_values("frequency", kind="stable")
        x, has = np.log10(own["frequency"].to_numpy(float)), own["has"].to_numpy(bool)
        groups = found.groups(name, bins)
        words = [_made_up(found, name, r.concept, r.feature, r.f1, r.frequency) for r in own.itertuples()]
        line = np.linspace(x.min() - 0.2, x.max() + 0.2, 80)
        for col, shift in ((1, 0.0), (2, float(logs[i]))):
            at = {"row": 1, "col": col}
            shown = _style.text(name)
            fig.add_scatter(
                x=groups["x"] + shift,
                y=groups["share"],
                mode="markers",
                marker={"color": color, "symbol": symbol, "size": 9},
                name=said("{shown}: {share:.0%} of {n}", shown=shown, share=has.mean(), n=len(has)),
                legendgroup=name,
                showlegend=col == 1,
                customdata=groups["n"],
                hovertemplate=said(
                    "{shown}<br>%{{customdata}} concepts: %{{y:.0%}} have a feature<extra></extra>", shown=shown
                ),
                **at,
            )
            if np.isfinite(curve.middle):
                fig.add_scatter(
                    x=line + shift, y=curve.at(line), mode="lines", line={"color": color, "width": 2}, hoverinfo="skip",
                    legendgroup=name, showlegend=False, **at,
                )  # fmt: skip
            fig.add_scatter(
                x=x + shift,
                y=np.where(has, 1.06 + 0.035 * i, -0.06 - 0.035 * i),
                mode="markers",
                marker={"color": color, "symbol": "line-ns-open", "size": 9, "line": {"width": 1.5, "color": color}},
                hovertext=words,
                hoverinfo="text",
                legendgroup=name,
                showlegend=False,
                **at,
            )
            if found.alive[i]:
                fig.add_vline(x=shift - float(logs[i]), line={"color": color, "dash": "dash", "width": 1}, **at)
    axis = {"gridcolor": _style.GRID, "zerolinecolor": _style.GRID}
    fig.update_xaxes(title_text=said("log10 of the share of tokens"), row=1, col=1, **axis)
    fig.update_xaxes(title_text=said("log10 of that share x live features"), row=1, col=2, **axis)
    fig.update_yaxes(tickformat=".0%", tickvals=[0, 0.25, 0.5, 0.75, 1], **axis)
    fig.update_yaxes(
        title_text=said("concepts with a feature of F1 {bound:g} or more", bound=found.bound), row=1, col=1
    )
    title = said(
        "One curve over frequency costs {loss:.3f} nats per concept, over frequency x features {rescaled:.3f}",
        loss=found.plain.loss,
        rescaled=found.rescaled.loss,
    )
    fig.update_layout(
        title={"text": title, "font": {"size": 14}, "x": 0.01, "xanchor": "left"},
        showlegend=True,
        legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0},
        margin={"b": 90},
    )
    return fig


def _made_up(found: Completeness, sae: str, concept: str, feature: int, f1: float, frequency: float) -> str:
    """What a concept's mark says: its best feature, and what else fires on it."""
    lines = [
        said(
            "<b>{concept}</b>, {frequency:.2g} of the tokens",
            concept=_style.text(concept.replace("_", " ")),
            frequency=frequency,
        ),
        said("best feature {feature}, F1 {f1:.2f}", feature=feature, f1=f1),
    ]
    lines += [
        said(
            "feature {feature} fires on {recall:.0%} of it; {precision:.0%} of where that fires is it",
            feature=int(r.feature),
            recall=r.recall,
            precision=r.precision,
        )
        for r in found.parts(sae, concept).head(4).itertuples()
    ]
    return "<br>".join(lines)
