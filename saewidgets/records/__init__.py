"""The frozen data that cross floors.

Each record is plain numbers and text: it saves, opens and compares without a model, without torch and without pickle.
Compute rooms return records, views draw them, widgets move them.
"""

from saewidgets.records.activations import FeatureActivations
from saewidgets.records.dose_response import DoseResponseData, DoseText
from saewidgets.records.features import (
    DashboardData,
    FeatureData,
    FeatureExample,
    Histogram,
    Neighbor,
    Passport,
    TokenEffect,
)
from saewidgets.records.map import FeatureMapData, MapSAE
from saewidgets.records.parts import TokenParts
from saewidgets.records.prompts import Prober, PromptActivations
from saewidgets.records.recordings import ClampRecording
from saewidgets.records.search import ExampleSearch, Searcher
from saewidgets.records.site import ActivationSite
from saewidgets.records.steering import (
    TEMPERATURE,
    Clamp,
    Generation,
    Intervention,
    Steer,
    TextSource,
    Token,
    clamp_code,
)
from saewidgets.records.toy import PhaseDiagram, ToyRun
from saewidgets.records.training import TrainStep

__all__ = [
    "TEMPERATURE",
    "ActivationSite",
    "Clamp",
    "ClampRecording",
    "DashboardData",
    "DoseResponseData",
    "DoseText",
    "ExampleSearch",
    "FeatureActivations",
    "FeatureData",
    "FeatureExample",
    "FeatureMapData",
    "Generation",
    "Histogram",
    "Intervention",
    "MapSAE",
    "Neighbor",
    "Passport",
    "PhaseDiagram",
    "Prober",
    "PromptActivations",
    "Searcher",
    "Steer",
    "TextSource",
    "Token",
    "TokenEffect",
    "TokenParts",
    "ToyRun",
    "TrainStep",
    "clamp_code",
]
