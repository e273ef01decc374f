"""What features respond to over a corpus, and the records of them that a dashboard shows."""

from saewidgets.analysis.features.activations import MONOSEMANTICITY, dashboard_data, feature_activations

__all__ = [
    "MONOSEMANTICITY",
    "dashboard_data",
    "feature_activations",
]
