"""What a clamp panel is made of: checked, and made where only a model and an SAE are at hand."""

from __future__ import annotations

from typing import Any

from saewidgets.records import DashboardData
from saewidgets.records.arguments import asked, expect

_HOW = "give what writes text, sw.ClampPanel(sw.Steerer(model, sae), data), or a ClampRecording; sw.explore(model, sae) opens one"


def checked_data(source: Any, data: Any) -> DashboardData:
    """The records that a panel of this source takes its names and maxima from; of a `Steerer` without records they are
    made.

    Raises TypeError, with what to type, on a source that writes no text, and on data of another kind.
    """
    expect(source, asked(source), "source", "ClampPanel", _HOW)
    model, sae = getattr(source, "model", None), getattr(source, "sae", None)
    if data is not None or model is None or sae is None:
        value: DashboardData = expect(data, DashboardData, "data", "ClampPanel")
        return value
    from saewidgets.analysis.setup import set_up  # with torch, which a panel with records does without

    return set_up(model, sae).data
