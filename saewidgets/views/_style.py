"""Colors, fonts and the token scale, said once for all charts. `frontend/styles/base.css` holds the same colors."""

from __future__ import annotations

import unicodedata
from typing import Any

import plotly.graph_objects as go

HOT = "#ff8a1f"  # an activation at the feature's maximum
PAPER, INK = "#ffffff", "#000000"  # words on a filled mark, whichever reads better: see `on`
HEAT = [(0.0, "#ffffff"), (1.0, HOT)]  # white to orange, linear in the activation
UP, DOWN = "#d9730d", "#2a6fb5"  # signed values: orange raises, blue lowers; signs are written out as well
CURVES = (
    "#d9730d",
    "#0072b2",
    "#009e73",
    "#b03a86",
)  # tests/house/test_color.py holds them apart for color-blind readers too
PROMPT = "#6b5300"  # what a prompt does instead of a clamp
DIRECTIONS = ("#3aa589", "#3a6ea5", "#e07800", "#ff2b7d", "#2092f4", "#7d4e00", "#786f6e", "#5909f9")
CATEGORIES = (
    "#3252f0",
    "#e86e71",
    "#47951f",
    "#ba4672",
    "#0b5591",
    "#804111",
    "#7c87bf",
)  # unordered kinds on one chart
SEQUENCE = ("#43349c", "#7a4fb5", "#b5628f", "#d98a5a", "#e8b73f")  # many features in their order, dark to light
RAMP = ("#b4c4d6", "#7fa6c6", "#4d80b3", "#355592", "#2b2763")  # a magnitude, least first
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif'
MONO = 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace'
# 4.0 to 1 on white and on near-black alike, the most that one gray can: a figure does not know its theme.
NEUTRAL = "#77808b"
GRID = "rgba(128, 136, 146, 0.22)"

_GLYPHS = {"\n": "⏎", "\r": "␍", "\t": "⇥", " ": "·", "\u00a0": "⍽"}


def figure(*, title: str, x: str, y: str, height: int = 320, **layout: Any) -> go.Figure:
    """An empty figure in the house style: transparent, so that it stands in a light and in a dark notebook."""
    fig = go.Figure()
    fig.update_layout(
        title={"text": text(title), "font": {"size": 16, "weight": 600}, "x": 0.01, "xanchor": "left"},
        font={"family": FONT, "size": 13, "color": NEUTRAL},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 64, "r": 16, "t": 44, "b": 48},
        height=height,
        bargap=0.06,
        showlegend=False,
        **layout,
    )
    axis = {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": NEUTRAL}
    fig.update_xaxes(title_text=x, **axis)
    fig.update_yaxes(title_text=y, **axis)
    return fig


def without_axes(title: str, **layout: Any) -> dict[str, Any]:
    """The house style without the axes of a single chart: the layout of a figure of several."""
    base = figure(title=title, x="", y="", **layout).layout.to_plotly_json()
    return {key: value for key, value in base.items() if key not in ("xaxis", "yaxis")}


def on(color: str) -> str:
    """The color of words on a mark of `color`, "#rrggbb": PAPER or INK, whichever has the larger contrast (WCAG 2.2).

    Example:
        >>> on("#5909f9"), on("#e07800")
        ('#ffffff', '#000000')
    """
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return PAPER if (luminance + 0.05) ** 2 < 1.05 * 0.05 else INK


def shared(layout: go.Layout) -> dict[str, Any]:
    """The house style without the axes of a single chart, for a figure of several."""
    return {key: value for key, value in layout.to_plotly_json().items() if key not in ("xaxis", "yaxis")}


def text(value: str) -> str:
    """Plain text for a place where Plotly reads markup: tags, entities and TeX come out as they went in.

    Example:
        >>> text("<b>$x^2$</b>")
        '&lt;b&gt;&#36;x^2&#36;&lt;/b&gt;'
    """
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("$", "&#36;")):
        value = value.replace(character, entity)
    return value


def token(value: str, limit: int = 24) -> str:
    """A token for an axis or a hover label: everything in it visible, and no markup.

    Example:
        >>> token(" Golden")
        '·Golden'
    """
    if value == "":
        return "⟨empty⟩"
    shown = "".join(_GLYPHS.get(c) or (c if _visible(c) else f"⟨U+{ord(c):04X}⟩") for c in value[:limit])
    return text(shown) + ("…" if len(value) > limit else "")


def _visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ"
