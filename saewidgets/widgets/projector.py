"""The clamp panel beside its dose-response, in larger type: for a room that looks at one screen."""

from __future__ import annotations

from typing import Any

import ipywidgets

from saewidgets.records.arguments import expect, real
from saewidgets.widgets.clamp import ClampPanel
from saewidgets.widgets.dose_response import DoseResponse

SCALE = 1.25  # of an instrument's own sizes
CLASS = "saew-projector"
# For a room: larger; both texts beside each other; and without what nobody sets in front of others, so that the slider,
# the texts and the first charts stand on one screen.
STYLE = """
.saew-projector .saew { zoom: %g }
.saew-projector > * { min-width: 0; width: auto }
.saew-projector .saew .saew-panes { grid-template-columns: repeat(2, minmax(0, 1fr)) }
.saew-projector .saew .saew-pane + .saew-pane { margin-top: 0 }
.saew-projector .saew :is(.saew-tries, .saew-picker, .saew-legend, .saew-tick-box, .saew-dose-kinds, .saew-dose-says),
.saew-projector .saew :is(.saew-settings > .saew-field, .saew-scope, .saew-dose-head .saew-note),
.saew-projector .saew :is(.saew-pane-head > .saew-pill),
.saew-projector .saew > :is(.saew-pre, .saew-turns) { display: none }
.saew-projector .saew .saew-dose-charts > :nth-child(n) { grid-column: span 3 }
"""


class Projector(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """What `projector` makes: `panel` and `dose` side by side."""

    def __init__(self, panel: ClampPanel, dose: DoseResponse, scale: float) -> None:
        self.panel, self.dose = panel, dose
        style = ipywidgets.HTML(f"<style>{STYLE % scale}</style>", layout=ipywidgets.Layout(display="none"))
        beside = ipywidgets.GridBox(
            [panel, dose],
            layout=ipywidgets.Layout(
                grid_template_columns="repeat(auto-fit, minmax(min(100%, 560px), 1fr))", grid_gap="12px", width="100%"
            ),
        )
        beside.add_class(CLASS)
        super().__init__([style, beside])
        panel.observe(self._follow, "multiples")
        self._follow()

    def _follow(self, _: Any = None) -> None:
        """The chart shows the texts of the measured strength nearest to the slider; while the feature is off, it stays."""
        multiple = self.panel.multiples.get(self.dose.feature)
        if multiple is not None and "clamp" in self.dose.data.kinds:
            self.dose.kind, self.dose.multiple = "clamp", multiple


def projector(panel: ClampPanel, dose: DoseResponse, *, scale: float = SCALE) -> Projector:
    """The clamp panel beside the dose-response of its feature, in larger type; the chart follows the slider.

    Side by side where there is room for 560 px each, as with JupyterLab's side bar closed on a screen of 1440 px; under
    each other where there is not. Both stay the instruments that they are; what one seldom sets in front of others
    (scope, temperature, length, examples, other interventions) is hidden, and can be set in code or on the panel itself.

    Args:
        panel: with a row of the feature that `dose` is of.
        dose: a sweep of it.
        scale: of the instruments' own sizes, between 1 and 2.

    Raises:
        TypeError: for other things than a panel and a dose-response.
        ValueError: if the panel has no row of the feature, or a scale is outside its bounds.

    Example:
        >>> sw.projector(sw.ClampPanel(steer, data, features=[96]), sw.DoseResponse(sweep))  # doctest: +SKIP
    """
    expect(panel, ClampPanel, "panel", "projector", "give sw.ClampPanel(steer, data)")
    expect(dose, DoseResponse, "dose", "projector", "give sw.DoseResponse(sweep)")
    scale = real(scale, "scale", minimum=1, maximum=2)
    if dose.feature not in panel.features:
        raise ValueError(
            f"the panel has no row of feature {dose.feature}, which the dose-response is of; "
            f"give sw.ClampPanel(..., features=[{dose.feature}])"
        )
    return Projector(panel, dose, scale)
