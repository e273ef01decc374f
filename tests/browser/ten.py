"""A notebook that shows each of the instruments once, of the sample records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from live_lab import Lab, write_notebook

TESTS = Path(__file__).parents[1]
SETUP = f"import sys; sys.path.insert(0, {str(TESTS)!r})\nimport saewidgets as sw, sample_records\n"
CELLS = [
    "sw.FeaturePlane()",
    "sw.ClampPanel(sample_records.Writer(), sample_records.dashboard(), features=[31])",
    "sw.FeatureDashboard(sample_records.dashboard())",
    "sw.FeatureMap(sample_records.feature_map())",
    "sw.FeatureProbe(sample_records.prompt())",
    'sw.FeatureSearch(sample_records.dashboard(), "bridge")',
    "sw.SuperpositionLab(run=sample_records.toy_run())",
    "sw.TrainingMonitor(sample_records.training(5))",
    "sw.DoseResponse(sample_records.dose_response())",
    "sw.ArchitecturePanel(sample_records.token_parts())",
    "sw.SpecificityLab(sample_records.specificity())",
    "sw.DirectionsLab(sample_records.directions())",
    "sw.CompletenessLab(sample_records.completeness())",
    "sw.GradingSheet(sample_records.specificity(), n=12)",
]
TALL = 20_000  # px of a window in which JupyterLab draws every cell at once


def write_ten(lab: Lab, name: str) -> Path:
    """Write the notebook where `lab` shows it; one cell per instrument."""
    return write_notebook(lab, name, SETUP + CELLS[0], *CELLS[1:])


def wait_for_ten(page: Any) -> None:
    """Wait until all of them are drawn."""
    shown = "(n) => document.querySelectorAll('.saew-host > .saew').length === n"
    page.wait_for_function(shown, arg=len(CELLS), timeout=120_000)
