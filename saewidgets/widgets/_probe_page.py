"""A feature probe as a page that reads by itself: the model and the SAE travel in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saewidgets.frontend import payloads
from saewidgets.frontend.payloads.features import PROMOTED
from saewidgets.records import PromptActivations


def live_page(probe: Any, path: str | Path | None) -> str:
    """See `FeatureProbe.to_html`."""
    source: Any = probe.source
    if isinstance(source, PromptActivations) or not callable(getattr(source, "carried", None)):
        what = "a saved reading" if isinstance(source, PromptActivations) else type(source).__name__
        raise TypeError(
            f"live=True carries a model into the page, and the source, {what}, has none to give: make the probe of "
            "sw.prober(model, sae)"
        )
    carried = source.carried()
    view = probe._view()
    prompt = {**view["state"]["_prompt"], "losses": {}, "measured": None}
    state = {**view["state"], "_can": ["read"], "_prompt": prompt}
    live = {"tokens": payloads.sendable(source.display()), "known": _known(probe)}
    html: str = probe._live_page({**view, "state": state, "live": live}, path, carried)
    return html


def _known(probe: Any) -> dict[str, Any]:
    """{feature: [label, promoted, maximum, density]} of every feature of which something is known."""
    source: Any = probe.source
    rows = {} if probe.dashboard is None else {row.feature: row for row in probe.dashboard.summaries}
    own = {**source.labels, **probe.labels, **probe._own_labels(probe.data.passport.sae)}
    corpus: dict[int, tuple[float, float]] = source.known()
    found = {}
    for feature in sorted({*rows, *own, *corpus}):
        row = rows.get(feature)
        maximum, density = corpus.get(feature, (None, None))
        label = own.get(feature) or ("" if row is None else row.label)
        promoted = [] if row is None else list(row.promoted[:PROMOTED])
        numbers = [None if x is None else payloads.number(x) for x in (maximum, density)]
        found[str(feature)] = [label, promoted, *numbers]
    return found
