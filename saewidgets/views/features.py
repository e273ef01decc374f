"""Charts of features."""

from __future__ import annotations

import math
from itertools import pairwise

import plotly.graph_objects as go

from saewidgets.languages import said
from saewidgets.records import ConceptProxy, DashboardData, FeatureActivations, FeatureData
from saewidgets.views import _style

__all__ = ["activation_histogram", "density_histogram", "logit_effects", "proxy_histogram"]


def activation_histogram(feature: FeatureData) -> go.Figure:
    """Counted tokens by activation, zeros left out; the count axis is logarithmic.

    Each bar has the heat that a token of that activation has in the examples.

    Example:
        >>> activation_histogram(data.features[31]).show()  # doctest: +SKIP
    """
    edges, counts = feature.histogram.edges, feature.histogram.counts
    bins = list(pairwise(edges))
    middles = [(a + b) / 2 for a, b in bins]
    total = sum(counts)
    fig = _style.figure(title=_name(feature), x=said("activation (SAE units)"), y=said("tokens"))
    fig.add_bar(
        x=middles,
        y=counts,
        width=[b - a for a, b in bins],
        marker={
            "color": middles,
            "colorscale": _style.HEAT,
            "cmin": -0.35 * edges[-1],  # the weakest bars keep some color: white would not be seen
            "cmax": edges[-1],
            "line": {"color": _style.UP, "width": 0.6},
        },
        customdata=[(a, b, n / max(total, 1)) for (a, b), n in zip(bins, counts, strict=True)],
        hovertemplate=said(
            "%{customdata[0]:.3g} to %{customdata[1]:.3g}<br>%{y:,} tokens (%{customdata[2]:.2%})<extra></extra>"
        ),
    )
    fig.update_yaxes(type="log", dtick=1, rangemode="normal")
    return fig


def proxy_histogram(found: ConceptProxy) -> go.Figure:
    """The activation histogram, each bar in the color of what a proxy says of its tokens (Bricken et al. 2023).

    Where the score is yes or no, the color is the share of yes; else the mean score. A feature of the concept is orange
    on the right and may be blue on the left, where weak activations are about something else.
    """
    drawn = [i for i, n in enumerate(found.n.tolist()) if n]
    low, high = found.edges[:-1], found.edges[1:]
    means = [float(found.mean[i]) for i in drawn]
    share = all(math.isclose(m * n, y) for m, n, y in zip(means, found.n[drawn], found.yes[drawn], strict=True))
    most = 1.0 if share else max((abs(m) for m in means), default=1.0) or 1.0
    title = said(
        "Feature {feature} and {name}: r {pearson:.2f}, of yes and no {pearson_binary:.2f}",
        feature=found.feature,
        name=found.name or said("a proxy"),
        pearson=found.pearson,
        pearson_binary=found.pearson_binary,
    )
    fig = _style.figure(
        title=title,
        x=said("activation (SAE units); active at {recall:.0%} of the tokens that say yes", recall=found.recall),
        y=said("tokens"),
    )
    fig.add_bar(
        x=[float(low[i] + high[i]) / 2 for i in drawn],
        y=found.n[drawn].tolist(),
        width=[float(high[i] - low[i]) for i in drawn],
        marker={
            "color": means,
            "colorscale": [(0, _style.DOWN), (0.5, _style.NEUTRAL), (1, _style.UP)],
            "cmin": 0.0 if share else -most,
            "cmax": most,
            "colorbar": {"title": {"text": said("share of yes") if share else said("mean score")}, "thickness": 12},
        },
        customdata=[(low[i], high[i], int(found.yes[i]), m) for i, m in zip(drawn, means, strict=True)],
        hovertemplate=said(
            "%{customdata[0]:.3g} to %{customdata[1]:.3g}<br>%{y:,} tokens, %{customdata[2]:,} of them yes<br>mean score %{customdata[3]:.3g}<extra></extra>"
        ),
    )
    fig.update_yaxes(type="log", dtick=1, rangemode="normal")
    return fig


def logit_effects(feature: FeatureData) -> go.Figure:
    """The tokens that the feature promotes and suppresses most, by direct logit effect per unit of activation."""
    effects = [*feature.promoted, *reversed(feature.suppressed)]
    fig = _style.figure(
        title=said("{name}: direct effect on the next token", name=_name(feature)),
        x=said("logits per unit of activation"),
        y="",
        height=80 + 20 * len(effects),
    )
    rows = list(range(len(effects)))
    fig.add_bar(
        x=[e.logit for e in effects],
        y=rows,
        orientation="h",
        marker_color=[_style.UP if e.logit > 0 else _style.DOWN for e in effects],
        customdata=[(_style.token(e.token), e.token_id) for e in effects],
        hovertemplate=said("%{customdata[0]}  id %{customdata[1]}<br>%{x:+.4g}<extra></extra>"),
    )
    fig.update_yaxes(
        tickvals=rows,  # rows are numbered: two tokens may look the same
        ticktext=[_style.token(e.token) for e in effects],
        autorange="reversed",
        tickfont={"family": _style.MONO},
    )
    return fig


def density_histogram(data: DashboardData | FeatureActivations, bins: int = 50) -> go.Figure:
    """How many features fire on which share of the tokens, on a logarithmic axis (Bricken et al. 2023).

    Features that never fire have no place on a logarithmic axis: the title counts them.
    """
    if isinstance(data, DashboardData):
        densities = [f.density for f in data.features.values()]
    else:
        densities = data.density.tolist()
    logs = [math.log10(d) for d in densities if d > 0]
    silent = len(densities) - len(logs)
    title = said("Density of {n:,} features", n=len(logs)) + (
        said("; {silent:,} never fire", silent=silent) if silent else ""
    )
    fig = _style.figure(title=title, x=said("share of tokens on which a feature fires"), y=said("features"))
    low, high = (math.floor(min(logs)), math.ceil(max(logs))) if logs else (-6, 0)
    size = max(high - low, 1) / bins
    counts = [0] * bins
    for value in logs:
        counts[min(bins - 1, int((value - low) / size))] += 1
    fig.add_bar(
        x=[low + (i + 0.5) * size for i in range(bins)],
        y=counts,
        width=size,
        marker_color=_style.UP,
        customdata=[(10 ** (low + i * size), 10 ** (low + (i + 1) * size)) for i in range(bins)],
        hovertemplate=said("%{customdata[0]:.2g} to %{customdata[1]:.2g}<br>%{y} features<extra></extra>"),
    )
    ticks = list(range(low, high + 1))
    fig.update_xaxes(tickvals=ticks, ticktext=[f"{10.0**t:g}" for t in ticks])
    return fig


def _name(feature: FeatureData) -> str:
    return said(
        "Feature {feature}: {label}" if feature.label else "Feature {feature}",
        feature=feature.feature,
        label=feature.label,
    )
