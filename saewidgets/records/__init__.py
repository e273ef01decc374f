"""The frozen data that cross floors.

Each record is plain numbers and text: it saves, opens and compares without a model, without torch and without pickle.
Compute rooms return records, views draw them, widgets move them.
"""

from saewidgets.records.activations import FeatureActivations
from saewidgets.records.clamps import MeasuredClamp, MeasuredClamps
from saewidgets.records.completeness import Completeness, Sigmoid
from saewidgets.records.dashboards import DashboardData
from saewidgets.records.detectors import AbsorptionRates, DetectorComparison, NeuronOverlap
from saewidgets.records.diagnosis import Diagnosis, Finding, Trial
from saewidgets.records.dialogues import Dialogue, Turn
from saewidgets.records.dose_response import DoseResponseData, DoseText
from saewidgets.records.effects import EffectRanking, FeatureEffect
from saewidgets.records.features import (
    Correlation,
    FeatureData,
    FeatureExample,
    FeatureSummary,
    Histogram,
    MovedLogits,
    Neighbor,
    NeuronLink,
    Passport,
    TokenEffect,
)
from saewidgets.records.labels import ReaderLabels
from saewidgets.records.map import FeatureMapData, MapRegion, MapSAE
from saewidgets.records.parts import TokenParts
from saewidgets.records.prompts import Prober, PromptActivations
from saewidgets.records.proxy import ConceptProxy
from saewidgets.records.quality import (
    AbsorbedPair,
    Absorption,
    ConceptDetectors,
    FeatureMatches,
    Firing,
    LogitPair,
    Quality,
    Splitting,
    quality_table,
)
from saewidgets.records.recordings import ClampRecording
from saewidgets.records.runs import RunRecord, TrainingRecord, firing_histogram, pareto, settled, steps_frame
from saewidgets.records.search import ExampleSearch, Searcher
from saewidgets.records.site import ActivationSite
from saewidgets.records.states import InstrumentState
from saewidgets.records.steering import (
    OPENINGS,
    QUESTIONS,
    TEMPERATURE,
    Clamp,
    Generation,
    Intervention,
    NotFiniteError,
    Steer,
    TextSource,
    Token,
    clamp_code,
    interventions,
)
from saewidgets.records.toy import PhaseDiagram, ToyRun
from saewidgets.records.toy_config import ToyConfig
from saewidgets.records.training import TrainStep

__all__ = [
    "OPENINGS",
    "QUESTIONS",
    "TEMPERATURE",
    "AbsorbedPair",
    "Absorption",
    "AbsorptionRates",
    "ActivationSite",
    "Clamp",
    "ClampRecording",
    "Completeness",
    "ConceptDetectors",
    "ConceptProxy",
    "Correlation",
    "DashboardData",
    "DetectorComparison",
    "Diagnosis",
    "Dialogue",
    "DoseResponseData",
    "DoseText",
    "EffectRanking",
    "ExampleSearch",
    "FeatureActivations",
    "FeatureData",
    "FeatureEffect",
    "FeatureExample",
    "FeatureMapData",
    "FeatureMatches",
    "FeatureSummary",
    "Finding",
    "Firing",
    "Generation",
    "Histogram",
    "InstrumentState",
    "Intervention",
    "LogitPair",
    "MapRegion",
    "MapSAE",
    "MeasuredClamp",
    "MeasuredClamps",
    "MovedLogits",
    "Neighbor",
    "NeuronLink",
    "NeuronOverlap",
    "NotFiniteError",
    "Passport",
    "PhaseDiagram",
    "Prober",
    "PromptActivations",
    "Quality",
    "ReaderLabels",
    "RunRecord",
    "Searcher",
    "Sigmoid",
    "Splitting",
    "Steer",
    "TextSource",
    "Token",
    "TokenEffect",
    "TokenParts",
    "ToyConfig",
    "ToyRun",
    "TrainStep",
    "TrainingRecord",
    "Trial",
    "Turn",
    "clamp_code",
    "firing_histogram",
    "interventions",
    "pareto",
    "quality_table",
    "settled",
    "steps_frame",
]
