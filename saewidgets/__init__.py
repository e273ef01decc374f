"""Interactive instruments to learn, control and improve a language model through a sparse autoencoder.

    import saewidgets as sw

    model, sae = sw.load_model(), sw.load_sae()  # bundled, offline
    acts = sw.feature_activations(model, sae, sw.load_corpus())
    sw.FeatureDashboard(sw.dashboard_data(model, sae, acts))

The names listed here are those that one types first; the rest stands in rooms, `sw.records.Generation`,
`sw.analysis.quality.firing`, and an old name says in which. Each is imported when it is first used (PEP 562), so
`import saewidgets` costs next to nothing, and saved records open where torch is not installed: `pip install saewidgets`
alone. What needs it says which extra brings it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Room -> the public names that live there. `__all__` and the TYPE_CHECKING block say the same to type checkers and
# editors, which read no tables; tests/house/test_import.py holds the three together.
_ROOMS: dict[str, tuple[str, ...]] = {
    "files": ("LoadError",),
    "languages": ("set_language",),
    "records": (
        "Clamp",
        "ClampRecording",
        "DashboardData",
        "Dialogue",
        "DoseResponseData",
        "Findings",
        "Specificity",
        "Steer",
        "TrainingRecord",
    ),
    "miniworld": (
        "load_clamps",
        "load_corpus",
    ),
    "corpora": ("open_corpus",),
    "models": (
        "Edit",
        "Model",
        "load_model",
        "site",
    ),
    "sae": (
        "SAE",
        "SAEConfig",
    ),
    "formats": (
        "load_sae",
        "save_sae",
    ),
    "activations": ("ActivationStore",),
    "activations.harvesting": ("harvest",),
    "toy": (
        "ToyConfig",
        "train_toy",
    ),
    "training": (
        "TrainConfig",
        "train",
    ),
    "training.progress": ("progress",),
    "training.sweep": ("train_sweep",),
    "cluster": (
        "Processes",
        "Ray",
        "save_job",
    ),
    "steering": (
        "Steerer",
        "clamp_edit",
        "record_clamps",
    ),
    "doctor": ("diagnose",),
    "analysis.doses": ("dose_response",),
    "analysis.features": ("dashboard_data", "feature_activations"),
    "analysis.judges": ("specificity",),
    "analysis.map": ("feature_map",),
    "analysis.prompts": ("prober", "prompt_activations", "token_parts"),
    "analysis.quality": (
        "concept_scores",
        "quality",
    ),
    "analysis.search": ("searcher",),
    "analysis.setup": ("load_demo",),
    "course": ("check", "hint", "solution"),
    "quickstart": ("explore",),
    "widgets": (
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
    ),
    "widgets.projector": ("projector",),
}
_HOME = {name: f"saewidgets.{room}" for room, names in _ROOMS.items() for name in names}

# Names that stood at the top once, or that one may look for there: room -> names, typed as `sw.<room>.<name>`.
_MOVED: dict[str, tuple[str, ...]] = {
    "records": (
        "Absorption",
        "ActivationSite",
        "ConceptDetectors",
        "ConceptProxy",
        "Diagnosis",
        "DoseText",
        "ExampleSearch",
        "JudgeRun",
        "Passage",
        "Verdict",
        "FeatureActivations",
        "FeatureData",
        "FeatureExample",
        "FeatureMatches",
        "Firing",
        "FeatureMapData",
        "Generation",
        "Histogram",
        "Neighbor",
        "Passport",
        "PhaseDiagram",
        "PromptActivations",
        "RunRecord",
        "Quality",
        "Splitting",
        "TextSource",
        "Token",
        "TokenEffect",
        "TokenParts",
        "ToyRun",
        "TrainStep",
        "quality_table",
    ),
    "miniworld": ("Corpus",),
    "formats": ("releases",),
    "training": ("Run", "Sweep", "sweep_grid"),
    "steering": (
        "add_feature",
        "mean_difference",
        "noise_like",
        "random_live_feature",
    ),
    "analysis": (
        "absorption",
        "attribution",
        "compare_detectors",
        "completeness",
        "label_tokens",
        "planted_judge",
        "read_spans",
        "concept_detectors",
        "concept_proxy",
        "firing",
        "iso_compute",
        "log_likelihood_ratio",
        "logit_pair",
        "match_features",
        "neuron_overlap",
        "power_law",
        "saebench_absorption",
        "scaling_law",
        "splitting",
        "token_scores",
    ),
}
_PATHS = {name: f"sw.{room}.{name}" for room, names in _MOVED.items() for name in names}

# Rooms that are reached as an attribute, `sw.views.activation_histogram(...)`, without an import of their own.
_MODULES = (
    "analysis",
    "course",
    "export",
    "formats",
    "miniworld",
    "records",
    "share",
    "steering",
    "toy",
    "training",
    "views",
    "widgets",
)

__all__ = [
    "SAE",
    "ActivationStore",
    "ArchitecturePanel",
    "Clamp",
    "ClampPanel",
    "ClampRecording",
    "CompletenessLab",
    "DashboardData",
    "Dialogue",
    "DirectionsLab",
    "DoseResponse",
    "DoseResponseData",
    "Edit",
    "FeatureDashboard",
    "FeatureMap",
    "FeaturePlane",
    "FeatureProbe",
    "FeatureSearch",
    "Findings",
    "GradingSheet",
    "LoadError",
    "Model",
    "Processes",
    "Ray",
    "SAEConfig",
    "Selection",
    "Specificity",
    "SpecificityLab",
    "Steer",
    "Steerer",
    "SuperpositionLab",
    "ToyConfig",
    "TrainConfig",
    "TrainingMonitor",
    "TrainingRecord",
    "__version__",
    "analysis",
    "check",
    "clamp_edit",
    "concept_scores",
    "course",
    "dashboard_data",
    "diagnose",
    "dose_response",
    "explore",
    "export",
    "feature_activations",
    "feature_map",
    "formats",
    "harvest",
    "hint",
    "load_clamps",
    "load_corpus",
    "load_demo",
    "load_model",
    "load_sae",
    "miniworld",
    "open_corpus",
    "prober",
    "progress",
    "projector",
    "prompt_activations",
    "quality",
    "record_clamps",
    "records",
    "save_job",
    "save_sae",
    "searcher",
    "set_language",
    "share",
    "site",
    "solution",
    "specificity",
    "steering",
    "token_parts",
    "toy",
    "train",
    "train_sweep",
    "train_toy",
    "training",
    "views",
    "widgets",
]

if TYPE_CHECKING:
    from saewidgets import (
        analysis,
        course,
        export,
        formats,
        miniworld,
        records,
        share,
        steering,
        toy,
        training,
        views,
        widgets,
    )
    from saewidgets.activations import ActivationStore
    from saewidgets.activations.harvesting import harvest
    from saewidgets.analysis.doses import dose_response
    from saewidgets.analysis.features import dashboard_data, feature_activations
    from saewidgets.analysis.judges import specificity
    from saewidgets.analysis.map import feature_map
    from saewidgets.analysis.prompts import prober, prompt_activations, token_parts
    from saewidgets.analysis.quality import concept_scores, quality
    from saewidgets.analysis.search import searcher
    from saewidgets.analysis.setup import load_demo
    from saewidgets.cluster import Processes, Ray, save_job
    from saewidgets.corpora import open_corpus
    from saewidgets.course import check, hint, solution
    from saewidgets.doctor import diagnose
    from saewidgets.files import LoadError
    from saewidgets.formats import load_sae, save_sae
    from saewidgets.languages import set_language
    from saewidgets.miniworld import load_clamps, load_corpus
    from saewidgets.models import Edit, Model, load_model, site
    from saewidgets.quickstart import explore
    from saewidgets.records import (
        Clamp,
        ClampRecording,
        DashboardData,
        Dialogue,
        DoseResponseData,
        Findings,
        Specificity,
        Steer,
        TrainingRecord,
    )
    from saewidgets.sae import SAE, SAEConfig
    from saewidgets.steering import Steerer, clamp_edit, record_clamps
    from saewidgets.toy import ToyConfig, train_toy
    from saewidgets.training import TrainConfig, train
    from saewidgets.training.progress import progress
    from saewidgets.training.sweep import train_sweep
    from saewidgets.widgets import (
        ArchitecturePanel,
        ClampPanel,
        CompletenessLab,
        DirectionsLab,
        DoseResponse,
        FeatureDashboard,
        FeatureMap,
        FeaturePlane,
        FeatureProbe,
        FeatureSearch,
        GradingSheet,
        Selection,
        SpecificityLab,
        SuperpositionLab,
        TrainingMonitor,
    )
    from saewidgets.widgets.projector import projector


def __getattr__(name: str) -> Any:
    if name in _HOME or name in _MODULES:
        from saewidgets.elsewhere import torch_for

        with torch_for(f"sw.{name}"):
            room = import_module(_HOME.get(name, f"saewidgets.{name}"))
            value = getattr(room, name) if name in _HOME else room
    else:
        from difflib import get_close_matches  # only a mistake needs it

        from saewidgets.elsewhere import PACKAGE, instead

        if name in _PATHS:
            raise AttributeError(f"saewidgets has no {name!r} at the top; type {_PATHS[name]}", name=name)
        if name in PACKAGE:
            raise AttributeError(instead("saewidgets", name, PACKAGE), name=name)
        near = [] if name.startswith("_") else get_close_matches(name, __all__, n=3, cutoff=0.4)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        raise AttributeError(f"saewidgets has no public name {name!r}{hint}", name=name)
    globals()[name] = value  # the next use finds it at once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
