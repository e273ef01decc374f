"""What a clamp panel is made of: checked, and made where only a model and an SAE are at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saewidgets import export
from saewidgets.records import DashboardData
from saewidgets.records.arguments import asked, expect, kind_of, real, whole

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


def checked_presets(data: DashboardData, presets: Any) -> dict[str, dict[int, float]]:
    """{name: {feature: multiple}} of features that the records have. Raises TypeError on another form, ValueError on a
    feature that is not there or a multiple that is not finite; both name the preset.
    """
    if presets is None:
        return {}
    how = "give {'pirate': {3881: 1.0}}: what the model becomes, and the features' multiples"
    if not isinstance(presets, Mapping):
        raise TypeError(f"presets is {kind_of(presets)}: {how}")
    found: dict[str, dict[int, float]] = {}
    for name, clamps in presets.items():
        if not isinstance(name, str) or not isinstance(clamps, Mapping) or not clamps:
            raise TypeError(f"presets[{name!r:.60}] is {kind_of(clamps)} {clamps!r:.60}: {how}")
        found[name] = {
            whole(f, f"a feature of presets[{name!r}]"): real(m, f"a multiple of presets[{name!r}]")
            for f, m in clamps.items()
        }
        for feature in found[name]:
            export.require(data, feature)
    return found
