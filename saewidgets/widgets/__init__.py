"""The instruments: anywidgets that draw records, or drive a function of a stated shape; none holds a model."""

from saewidgets.widgets.architecture import ArchitecturePanel
from saewidgets.widgets.clamp import ClampPanel
from saewidgets.widgets.completeness import CompletenessLab
from saewidgets.widgets.dashboard import FeatureDashboard
from saewidgets.widgets.directions import DirectionsLab
from saewidgets.widgets.dose_response import DoseResponse
from saewidgets.widgets.grading import GradingSheet
from saewidgets.widgets.map import FeatureMap
from saewidgets.widgets.plane import FeaturePlane
from saewidgets.widgets.probe import FeatureProbe
from saewidgets.widgets.search import FeatureSearch
from saewidgets.widgets.selection import Selection
from saewidgets.widgets.specificity import SpecificityLab
from saewidgets.widgets.superposition import SuperpositionLab
from saewidgets.widgets.training import TrainingMonitor

__all__ = [
    "ArchitecturePanel",
    "ClampPanel",
    "CompletenessLab",
    "DirectionsLab",
    "DoseResponse",
    "FeatureDashboard",
    "FeatureMap",
    "FeaturePlane",
    "FeatureProbe",
    "FeatureSearch",
    "GradingSheet",
    "Selection",
    "SpecificityLab",
    "SuperpositionLab",
    "TrainingMonitor",
]
