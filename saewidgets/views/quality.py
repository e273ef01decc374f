"""Charts of how good an SAE is."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from saewidgets.languages import said, to_say
from saewidgets.records import Absorption, ConceptDetectors, FeatureMatches, Firing, LogitPair, Quality, Splitting
from saewidgets.views import _style

__all__ = [
    "absorption",
    "concept_detectors",
    "feature_matches",
    "firing_density",
    "logit_pair",
    "quality_measures",
    "split_counts",
]

# (attribute, what the axis says), each 1 for an SAE that costs nothing
_SHARES = (
    ("explained_variance", to_say("explained variance")),
    ("cosine", to_say("cosine of x and x̂")),
    ("l2_ratio", "|x̂| / |x|"),
    ("loss_recovered", to_say("loss recovered, over zeros")),
    ("loss_recovered_mean", to_say("loss recovered, over the mean")),
    ("kl_recovered", to_say("KL recovered, over zeros")),
    ("kl_recovered_mean", to_say("KL recovered, over the mean")),
)
_PAIRS = 20  # of the absorption chart


def quality_measures(found: Quality | Mapping[str, Quality]) -> go.Figure:
    """The measures that are 1 for an SAE that costs nothing, one row a measure, one color an SAE.

    The legend says each SAE's L0, and the share of dead features with the number of tokens in which they did not fire.
    """
    named = {"SAE": found} if isinstance(found, Quality) else dict(found)
    fig = _style.figure(title=said("What the SAE keeps (1: everything)"), x="", y="", height=360 + 22 * len(named))
    rows = list(range(len(_SHARES)))
    for i, (name, q) in enumerate(named.items()):
        values = [getattr(q, key) for key, _ in _SHARES]
        dead = said(
            "{dead_share:.1%} dead in {dead_window:,} tokens", dead_share=q.dead_share, dead_window=q.dead_window
        )
        fig.add_scatter(
            x=[v if math.isfinite(v) else None for v in values],
            y=[r + 0.14 * (i - (len(named) - 1) / 2) for r in rows],
            mode="markers",
            name=f"{_style.text(name)}: L0 {q.l0:.3g}, {dead}",
            marker={"size": 10, "color": _color(i), "symbol": _SYMBOLS[i % len(_SYMBOLS)]},
            customdata=[said(text) for _, text in _SHARES],
            hovertemplate=f"{_style.text(name)}<br>%{{customdata}}: %{{x:.4f}}<extra></extra>",
        )
    fig.update_yaxes(tickvals=rows, ticktext=[said(text) for _, text in _SHARES], autorange="reversed")
    fig.update_layout(
        showlegend=True,
        legend={"orientation": "h", "yanchor": "top", "y": -0.12, "x": 0},
        margin={"l": 190, "b": 60 + 22 * len(named)},
    )
    return fig


def firing_density(found: Firing, bins: int = 50) -> go.Figure:
    """Features by the share of tokens on which they fire, above; below, each one's bias and encoder-decoder cosine.

    The ultralow cluster (see `Firing.ultralow_below`) has a color and a shape of its own; features that never fired
    have no place on a logarithmic axis, so the title counts them, with the tokens over which they were silent.
    """
    table = found.to_dataframe()
    n_dead = int(found.dead.sum())
    title = said(
        "Firing density; {n_dead:,} of {n:,} never fired in {n_tokens:,} tokens",
        n_dead=n_dead,
        n=len(table),
        n_tokens=found.n_tokens,
    )
    base = _style.figure(title=title, x="", y="", height=560).layout
    fig = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.5, 0.25, 0.25])
    fig.update_layout(_style.shared(base))
    logs = np.log10(np.where(found.dead, 1.0, found.density))
    own = logs[~found.dead]
    low, high = (math.floor(own.min()), math.ceil(own.max())) if len(own) else (-6, 0)
    edges = np.linspace(low, max(high, low + 1), bins + 1)
    for i, cluster in enumerate((to_say("usual"), to_say("ultralow"))):
        is_it = (table["cluster"] == cluster).to_numpy()
        if not is_it.any():
            continue
        color, symbol = _color(i), _SYMBOLS[i]
        fig.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=np.histogram(logs[is_it], edges)[0],
            width=edges[1] - edges[0],
            marker_color=color,
            name=f"{said(cluster)}: {int(is_it.sum()):,}",
            customdata=np.stack([10 ** edges[:-1], 10 ** edges[1:]], axis=1),
            hovertemplate=said(
                "%{customdata[0]:.2g} to %{customdata[1]:.2g} of the tokens<br>%{y} features<extra></extra>"
            ),
            row=1,
            col=1,
        )
        for row, key in ((2, to_say("bias")), (3, to_say("alignment"))):
            fig.add_scattergl(
                x=logs[is_it],
                y=table[key][is_it],
                mode="markers",
                marker={"color": color, "size": 4, "symbol": symbol, "opacity": 0.7},
                showlegend=False,
                customdata=np.stack([table["feature"][is_it], table["density"][is_it]], axis=1),
                hovertemplate=said(
                    "feature %{{customdata[0]:.0f}}<br>fires on %{{customdata[1]:.2g}} of the tokens<br>{key} %{{y:.3g}}<extra></extra>",
                    key=said(key),
                ),
                row=row,
                col=1,
            )
    fig.update_layout(
        barmode="stack", showlegend=bool(found.ultralow.any()), legend={"x": 1, "xanchor": "right", "y": 1}
    )
    axis = {"gridcolor": _style.GRID, "zerolinecolor": _style.GRID}
    ticks = list(range(low, max(high, low + 1) + 1))
    fig.update_xaxes(**axis, tickvals=ticks, ticktext=[f"{10.0**t:g}" for t in ticks])
    fig.update_yaxes(**axis)
    for row, label in enumerate((said("features"), said("encoder bias"), said("enc · dec cosine")), 1):
        fig.update_yaxes(title_text=label, row=row, col=1)
    fig.update_xaxes(title_text=said("share of tokens on which a feature fires"), row=3, col=1)
    return fig


def concept_detectors(found: ConceptDetectors) -> go.Figure:
    """Recall against precision of each concept's best feature, on documents that did not choose it. Thin lines have one
    F1.
    """
    table = found.to_dataframe()
    known = table[np.isfinite(table["f1"]) & np.isfinite(table["precision"])]
    missing = len(table) - len(known)
    median = known["f1"].median() if len(known) else float("nan")
    title = said("Best feature of {n} concepts: median F1 {median:.2f}", n=len(known), median=median)
    title += said("; {missing} not seen in both halves", missing=missing) if missing else ""
    fig = _style.figure(title=title, x=said("recall"), y=said("precision"), height=460)
    for f1 in (0.2, 0.4, 0.6, 0.8):
        recall = np.linspace(f1 / (2 - f1), 1, 60)
        precision = f1 * recall / (2 * recall - f1)
        fig.add_scatter(
            x=recall, y=precision, mode="lines", line={"color": _style.GRID, "width": 1.5}, hoverinfo="skip"
        )
        fig.add_annotation(x=1, y=precision[-1], text=f"F1 {f1:g}", showarrow=False, xanchor="left", font={"size": 10})
    fig.add_scatter(
        x=known["recall"],
        y=known["precision"],
        mode="markers",
        marker={
            "size": 6 + 3 * np.log10(np.maximum(known["n_tokens"], 1)),
            "color": known["auroc"],
            "colorscale": [(0, _style.DOWN), (0.5, _style.NEUTRAL), (1, _style.UP)],
            "cmin": 0.5,
            "cmax": 1,
            "colorbar": {"title": {"text": "AUROC"}, "thickness": 12},
            "line": {"color": _style.NEUTRAL, "width": 0.5},
        },
        customdata=[
            (_style.text(r.concept), r.feature, r.f1, r.auroc, r.n_tokens, r.n_features) for r in known.itertuples()
        ],
        hovertemplate=said(
            "<b>%{customdata[0]}</b>, feature %{customdata[1]}<br>precision %{y:.2f}, recall %{x:.2f}, F1 %{customdata[2]:.2f}<br>AUROC %{customdata[3]:.3f}; %{customdata[4]:,} tokens; %{customdata[5]} features share it<extra></extra>"
        ),
    )
    fig.update_xaxes(range=[-0.03, 1.09])
    fig.update_yaxes(range=[-0.03, 1.05])
    return fig


def absorption(found: Absorption, n: int = _PAIRS) -> go.Figure:
    """The pairs of nested concepts with the most absorption: the share of the child's tokens at which its feature
    stands in for the silent features of the general concept. The lighter part is silence that nothing of the child's
    explains.
    """
    pairs = [p for p in found.pairs if p.n_tokens and p.silent]
    pairs.sort(key=lambda p: (-p.rate, -p.silent / p.n_tokens, -p.n_tokens))
    shown = pairs[:n]
    tokens = sum(p.n_tokens for p in found.pairs)
    title = (
        said("Absorbed: {rate:.2%} of {tokens:,} tokens", rate=found.rate, tokens=tokens)
        if tokens
        else said("Absorption: no token to count")
    )
    fig = _style.figure(
        title=title, x=said("share of the specific concept's tokens"), y="", height=140 + 22 * len(shown)
    )
    names = [_style.text(said("{child} in {parent}", child=p.child, parent=p.parent).replace("_", " ")) for p in shown]
    data = [(p.absorbed, p.silent, p.n_tokens, p.child_feature) for p in shown]
    for share, label, color in (
        ([p.rate for p in shown], said("absorbed by the specific feature"), _style.UP),
        ([(p.silent - p.absorbed) / p.n_tokens for p in shown], said("silent for another reason"), _style.GRID),
    ):
        fig.add_bar(
            x=share,
            y=names,
            orientation="h",
            name=label,
            marker={"color": color, "line": {"color": _style.NEUTRAL, "width": 0.6}},
            customdata=data,
            hovertemplate=said(
                "%{y}: %{customdata[0]} absorbed, %{customdata[1]} silent of %{customdata[2]} tokens<br>feature %{customdata[3]} of the specific concept<extra></extra>"
            ),
        )
    fig.update_yaxes(autorange="reversed", automargin=True)
    fig.update_xaxes(tickformat=".0%", rangemode="tozero")
    fig.update_layout(
        barmode="stack",
        showlegend=True,
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        margin={"t": 84},
    )
    return fig


def split_counts(found: Splitting | ConceptDetectors) -> go.Figure:
    """How many features a concept, or a feature of a smaller SAE, is split into."""
    if isinstance(found, Splitting):
        counts = found.n_children[found.alive]
        title = said(
            "{children:,} features of the larger SAE continue {continued:,} of {n:,}",
            children=int(counts.sum()),
            continued=int((counts > 0).sum()),
            n=len(counts),
        )
        x, y = said("children in the larger SAE"), said("features of the smaller SAE")
    else:
        counts = np.array([len(s) for s in found.splits], np.int64)
        title, x, y = said("Features that share one of {n} concepts", n=len(counts)), said("features"), said("concepts")
    n = np.bincount(counts, minlength=1)
    fig = _style.figure(title=title, x=x, y=y)
    fig.add_bar(
        x=np.arange(len(n)),
        y=n,
        marker_color=_style.UP,
        text=[str(v) if v else "" for v in n],
        textposition="outside",
        cliponaxis=False,
        hovertemplate=said("%{{y:,}} {y} with %{{x}}<extra></extra>", y=y),
    )
    fig.update_xaxes(tickvals=list(range(len(n))) if len(n) <= 24 else None)
    return fig


def feature_matches(found: FeatureMatches, bins: int = 40) -> go.Figure:
    """How well each feature is found again in another SAE: correlation of activations and, where known, of logit
    effects.
    """
    known = found.match >= 0
    scatter = bool(np.isfinite(found.logit_correlation).any())
    median = float(np.median(found.correlation[known])) if known.any() else float("nan")
    title = said(
        "{found:,} features found again: median correlation {median:.2f}, {mutual:,} mutual",
        found=int(known.sum()),
        median=median,
        mutual=int(found.mutual.sum()),
    )
    base = _style.figure(title=title, x="", y="", height=360).layout
    fig = make_subplots(rows=1, cols=2 if scatter else 1, horizontal_spacing=0.1)
    fig.update_layout(_style.shared(base))
    edges = np.linspace(min(0.0, float(found.correlation[known].min(initial=0))), 1, bins + 1)
    for i, (label, own) in enumerate(
        ((said("mutual best"), known & found.mutual), (said("one way"), known & ~found.mutual))
    ):
        fig.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=np.histogram(found.correlation[own], edges)[0],
            width=edges[1] - edges[0],
            marker_color=_color(i),
            name=label,
            hovertemplate=said("correlation %{x:.2f}<br>%{y} features<extra></extra>"),
            row=1,
            col=1,
        )
        if scatter:
            fig.add_scattergl(
                x=found.correlation[own],
                y=found.logit_correlation[own],
                mode="markers",
                marker={"color": _color(i), "symbol": _SYMBOLS[i], "size": 5, "opacity": 0.6},
                showlegend=False,
                customdata=np.stack([found.feature[own], found.match[own]], axis=1),
                hovertemplate=said(
                    "feature %{customdata[0]} and %{customdata[1]}<br>activations %{x:.2f}, logits %{y:.2f}<extra></extra>"
                ),
                row=1,
                col=2,
            )
    if len(found.null):
        fig.add_scatter(
            x=np.repeat(edges, 2)[1:-1],
            y=np.repeat(np.histogram(found.null[found.null >= edges[0]], edges)[0], 2),
            mode="lines",
            name=said("by chance"),
            line={"color": _style.NEUTRAL, "dash": "dot", "width": 2},
            hovertemplate=said("tokens shuffled: best correlation %{x:.2f}<br>%{y} features<extra></extra>"),
            row=1,
            col=1,
        )
    axis = {"gridcolor": _style.GRID, "zerolinecolor": _style.GRID}
    fig.update_xaxes(title_text=said("correlation of activations"), **axis)
    fig.update_yaxes(**axis)
    fig.update_yaxes(title_text=said("features"), row=1, col=1)
    if scatter:
        fig.update_yaxes(title_text=said("correlation of logit effects"), row=1, col=2)
    fig.update_layout(barmode="stack", showlegend=True, legend={"x": 0, "y": 1})
    return fig


def logit_pair(found: LogitPair, n: int = 8) -> go.Figure:
    """What a feature of each of two SAEs adds to every token's logit: one point per token, on a line where both agree.

    The `n` tokens that either raises most are named.
    """
    names = [
        said("feature {feature} of {sae}" if name else "feature {feature}", feature=f, sae=name)
        for f, name in zip(found.features, found.saes, strict=True)
    ]
    fig = _style.figure(
        title=said(
            "{first} and {second}: r = {correlation:.2f} over {n:,} tokens",
            first=names[0],
            second=names[1],
            correlation=found.correlation,
            n=len(found.tokens),
        ),
        x=said("logit effect of {feature}", feature=_style.text(names[0])),
        y=said("of {feature}", feature=_style.text(names[1])),
        height=460,
    )
    tokens = [_style.token(t) for t in found.tokens]
    fig.add_scattergl(
        x=found.first,
        y=found.second,
        mode="markers",
        marker={"color": _style.UP, "size": 5, "opacity": 0.5},
        customdata=tokens,
        hovertemplate="%{customdata}<br>%{x:.2f}, %{y:.2f}<extra></extra>",
    )
    named = sorted({int(i) for own in (found.first, found.second) for i in np.argsort(-own, kind="stable")[:n]})
    fig.add_scatter(
        x=found.first[named],
        y=found.second[named],
        mode="text",
        text=[tokens[i] for i in named],
        textposition="middle left",
        textfont={"size": 11},
        hoverinfo="skip",
    )
    return fig


_SYMBOLS = ("circle", "diamond", "square", "cross")  # told apart without colors


def _color(i: int) -> str:
    return _style.CURVES[i % len(_style.CURVES)]
