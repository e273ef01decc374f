"""Instruments inside a page: the frame that shows an exported page, and a chart as such a page."""

from __future__ import annotations

import html
import json
from typing import Any

# Height of a frame in px until its page has told its own, which assets/frames.js reads (where the site is opened from a
# disk a browser does not let it): about what each instrument takes in a column of 1,000 px.
HEIGHTS = {
    "ArchitecturePanel": 620,
    "ClampPanel": 900,
    "CompletenessLab": 760,
    "DirectionsLab": 760,
    "DoseResponse": 900,
    "FeatureDashboard": 1500,
    "FeatureMap": 820,
    "FeaturePlane": 560,
    "FeatureProbe": 700,
    "FeatureSearch": 620,
    "Figure": 480,
    "GradingSheet": 560,
    "SpecificityLab": 900,
    "SuperpositionLab": 900,
    "TrainingMonitor": 820,
}
LIVE = "clamp.html"  # the instrument of the front page
PLOTLY = "plotly.min.js"  # beside the charts, once for all of them

_CHART = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>html {{ color-scheme: light; }} body {{ margin: 0; background: #fff; }} #chart {{ height: {height}px; }}</style>
</head>
<body>
<main>
<h1 style="position:absolute;width:1px;height:1px;margin:-1px;overflow:hidden;clip-path:inset(50%)">{title}</h1>
<div id="chart"></div>
</main>
<script src="{plotly}"></script>
<script>
const figure = {figure};
Plotly.newPlot("chart", figure.data, {{ ...figure.layout, autosize: true, width: undefined }}, {{ responsive: true }});
</script>
</body>
</html>
"""


def frame(page: str, title: str, instrument: str) -> str:
    """A frame of the site that shows `page` (a path relative to the Markdown file), as a block of Markdown."""
    said = html.escape(title, quote=True)
    height = HEIGHTS.get(instrument, 700)
    return (
        f'<figure class="live"><iframe src="{page}" title="{said}" loading="lazy" height="{height}"></iframe>'
        f'<figcaption><a href="{page}" target="_blank" rel="noopener">Open in a page of its own</a></figcaption></figure>'
    )


def chart(title: str, figure: dict[str, Any]) -> str:
    """A Plotly figure as a page that takes its script from the file beside it."""
    told = json.dumps({"data": figure["data"], "layout": figure.get("layout", {})}, separators=(",", ":"))
    told = told.replace("<", "\\u003c")
    height = int(figure.get("layout", {}).get("height") or HEIGHTS["Figure"] - 10)
    return _CHART.format(title=html.escape(title), plotly=PLOTLY, figure=told, height=height)
