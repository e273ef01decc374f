"""How each instrument is made from sample records."""

from __future__ import annotations

from collections.abc import Callable

import sample_records

import saewidgets as sw
from saewidgets.widgets import _base


def half_graded() -> sw.GradingSheet:
    """Twelve passages of the bridge, seven of them graded, one of these left out."""
    sheet = sw.GradingSheet(sample_records.specificity(), n=12, seed=1)
    sheet.grades = [[3, 2.5], [0, 1.5], [3, 2.0], [None, 6.0], [2, 4.0], [1, 3.0], [3, 1.0]]
    return sheet


MAKE: dict[str, Callable[..., _base.Instrument]] = {
    "ArchitecturePanel": lambda **s: sw.ArchitecturePanel(sample_records.token_parts(), **s),
    "ClampPanel": lambda **s: sw.ClampPanel(sample_records.Writer(), sample_records.dashboard(), features=[31], **s),
    "CompletenessLab": lambda **s: sw.CompletenessLab(sample_records.completeness(), **s),
    "DirectionsLab": lambda **s: sw.DirectionsLab(sample_records.directions(), **s),
    "DoseResponse": lambda **s: sw.DoseResponse(sample_records.dose_response(), **s),
    "FeatureDashboard": lambda **s: sw.FeatureDashboard(sample_records.dashboard(), **s),
    "FeatureMap": lambda **s: sw.FeatureMap(sample_records.feature_map(), **s),
    "FeaturePlane": lambda: sw.FeaturePlane(),
    "FeatureProbe": lambda **s: sw.FeatureProbe(sample_records.prompt(), **s),
    "FeatureSearch": lambda **s: sw.FeatureSearch(sample_records.dashboard(), "bridge", **s),
    "GradingSheet": lambda: half_graded(),
    "SpecificityLab": lambda **s: sw.SpecificityLab(sample_records.specificity(), **s),
    "SuperpositionLab": lambda: sw.SuperpositionLab(run=sample_records.toy_run()),
    "TrainingMonitor": lambda: sw.TrainingMonitor(sample_records.training(5)),
}

# What a person might set, and the whole record then; the rest of each record is what the instrument begins with.
CHANGES = {
    "ArchitecturePanel": {"position": 1, "feature": 31},
    "ClampPanel": {
        "multiples": {31: 1.5},
        "seed": 7,
        "temperature": 0.25,
        "scope": "token 3",
        "prompt": "An owl \ud83d",
        "n_answers": 3,
        "look_for": "owl, night",
        "logprobs": True,
    },
    "CompletenessLab": {"sae": "large", "concept": "owl"},
    "DirectionsLab": {"space": "blocks.2.hook_resid_post", "relation": "capital"},
    "DoseResponse": {"multiple": 0.0},
    "FeatureDashboard": {"feature": 42, "token": (3, 5), "interval": (42.0, 1.0, 2.5)},
    "FeatureMap": {"color": "density", "shown": (1,), "chosen": (0, 2)},
    "FeaturePlane": {"point": (0.25, -0.5), "angles": (10.0, 100.0, 250.0)},
    "FeatureProbe": {"position": 2, "sort": "share"},
    "FeatureSearch": {"query": "owl", "case": True},
    "GradingSheet": {"grades": ((2, 1.0), (None, 3.5))},
    "SpecificityLab": {"level": 3, "score": 0, "judge": "a small model"},
    "SuperpositionLab": {"snapshot": 1},
    "TrainingMonitor": {},
}
