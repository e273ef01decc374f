"""The frozen data that cross floors.

Each record is plain numbers and text: it saves, opens and compares without a model, without torch and without pickle.
Compute rooms return records, views draw them, widgets move them.
"""

from saewidgets.records.activations import FeatureActivations
from saewidgets.records.agreement import Agreement, agreement, altered
from saewidgets.records.axbench import RatedText, SteeringBenchmark
from saewidgets.records.candidates import JacobianLens, SteeringScores
from saewidgets.records.chat_clamps import ChatClamp, ChatClamps
from saewidgets.records.clamps import MeasuredClamp, MeasuredClamps
from saewidgets.records.completeness import Completeness, Sigmoid
from saewidgets.records.dashboards import DashboardData
from saewidgets.records.detectors import AbsorptionRates, DetectorComparison, NeuronOverlap
from saewidgets.records.diagnosis import Diagnosis, Finding, Trial
from saewidgets.records.dialogues import Dialogue, Turn
from saewidgets.records.directions import (
    Analogy,
    AnalogySet,
    AnsweredAnalogy,
    DirectionsData,
    FeatureShare,
    PlacedPair,
    WordRelation,
    WordSpace,
    WordVectors,
)
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
from saewidgets.records.findings import Findings, FoundLabel, Note, TriedClamp
from saewidgets.records.grading import Grade, Grading
from saewidgets.records.judging import RUBRIC, Judge, JudgeRun, Passage, Verdict
from saewidgets.records.labels import ReaderLabels
from saewidgets.records.map import FeatureMapData, MapRegion, MapSAE
from saewidgets.records.parts import TokenParts
from saewidgets.records.presets import Preset, Subject
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
from saewidgets.records.shares import Share, share
from saewidgets.records.sheet import ScoreSheet, SheetLine
from saewidgets.records.site import ActivationSite
from saewidgets.records.specificity import FieldScore, Sensitivity, Specificity, WrittenLabel
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
from saewidgets.records.swaps import SwapCount, SwapScores
from saewidgets.records.toy import PhaseDiagram, ToyRun
from saewidgets.records.toy_config import ToyConfig
from saewidgets.records.training import TrainStep

__all__ = [
    "OPENINGS",
    "QUESTIONS",
    "RUBRIC",
    "TEMPERATURE",
    "AbsorbedPair",
    "Absorption",
    "AbsorptionRates",
    "ActivationSite",
    "Agreement",
    "Analogy",
    "AnalogySet",
    "AnsweredAnalogy",
    "ChatClamp",
    "ChatClamps",
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
    "DirectionsData",
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
    "FeatureShare",
    "FeatureSummary",
    "FieldScore",
    "Finding",
    "Findings",
    "Firing",
    "FoundLabel",
    "Generation",
    "Grade",
    "Grading",
    "Histogram",
    "InstrumentState",
    "Intervention",
    "JacobianLens",
    "Judge",
    "JudgeRun",
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
    "Note",
    "Passage",
    "Passport",
    "PhaseDiagram",
    "PlacedPair",
    "Preset",
    "Prober",
    "PromptActivations",
    "Quality",
    "RatedText",
    "ReaderLabels",
    "RunRecord",
    "ScoreSheet",
    "Searcher",
    "Sensitivity",
    "Share",
    "SheetLine",
    "Sigmoid",
    "Specificity",
    "Splitting",
    "Steer",
    "SteeringBenchmark",
    "SteeringScores",
    "Subject",
    "SwapCount",
    "SwapScores",
    "TextSource",
    "Token",
    "TokenEffect",
    "TokenParts",
    "ToyConfig",
    "ToyRun",
    "TrainStep",
    "TrainingRecord",
    "Trial",
    "TriedClamp",
    "Turn",
    "Verdict",
    "WordRelation",
    "WordSpace",
    "WordVectors",
    "WrittenLabel",
    "agreement",
    "altered",
    "clamp_code",
    "firing_histogram",
    "interventions",
    "pareto",
    "quality_table",
    "settled",
    "share",
    "steps_frame",
]
