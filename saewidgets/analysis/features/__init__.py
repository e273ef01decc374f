"""What features respond to over a corpus, and the records of them that a dashboard shows."""

from saewidgets.analysis.features.activations import dashboard_data, feature_activations

__all__ = [
    "dashboard_data",
    "feature_activations",
]
