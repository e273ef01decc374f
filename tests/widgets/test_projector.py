"""The clamp panel beside its dose-response."""

from __future__ import annotations

import pytest
import sample_records
from instruments import MAKE

import saewidgets as sw


def beside(**options):
    return sw.projector(MAKE["ClampPanel"](), sw.DoseResponse(sample_records.dose_response()), **options)


def test_the_chart_follows_the_slider_to_the_nearest_strength_that_was_measured():
    view = beside()
    feature, steps = view.dose.feature, view.dose.data.multiples("clamp")
    assert view.panel.features == [feature]
    low, high = sorted(steps)[1:3]
    view.panel.multiples = {feature: low + 0.4 * (high - low)}
    assert (view.dose.kind, view.dose.multiple) == ("clamp", low)
    view.panel.multiples = {feature: low + 0.6 * (high - low)}
    assert view.dose.multiple == high
    before = view.dose._point
    view.panel.multiples = {feature: None}
    assert view.dose._point == before, "off is no strength"
    view.panel.close()


def test_what_does_not_go_together_is_refused():
    panel, dose = MAKE["ClampPanel"](), sw.DoseResponse(sample_records.dose_response())
    other = sw.ClampPanel(sample_records.Writer(), sample_records.dashboard(), features=[42])
    with pytest.raises(ValueError, match=rf"no row of feature {dose.feature}, .*features=\[{dose.feature}\]"):
        sw.projector(other, dose)
    with pytest.raises(TypeError, match="panel"):
        sw.projector(dose, panel)
    with pytest.raises(ValueError, match="scale"):
        sw.projector(panel, dose, scale=5)
    panel.close()
    other.close()
