"""Interactive instruments to learn, control and improve a language model through a sparse autoencoder.

    import saewidgets as sw

    model, sae = sw.load_model(), sw.load_sae()  # bundled, offline
    acts = sw.feature_activations(model, sae, sw.load_corpus())
    sw.FeatureDashboard(sw.dashboard_data(model, sae, acts))

The names listed here are the public ones. Each is imported when it is first used (PEP 562), so `import saewidgets` costs
next to nothing, and saved dashboards open where torch is not installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Room -> the public names that live there. `__all__` and the TYPE_CHECKING block say the same to type checkers and
# editors, which read no tables; tests/house/test_import.py holds the three together.
_ROOMS: dict[str, tuple[str, ...]] = {
    "files": ("LoadError",),
    "records": (
        "Absorption",
        "ActivationSite",
        "Clamp",
        "ClampRecording",
        "ConceptDetectors",
        "ConceptProxy",
        "DashboardData",
        "Diagnosis",
        "DoseResponseData",
        "DoseText",
        "ExampleSearch",
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
        "Steer",
        "TextSource",
        "Token",
        "TokenEffect",
        "TokenParts",
        "ToyRun",
        "TrainStep",
        "TrainingRecord",
        "quality_table",
    ),
    "miniworld": ("Corpus", "load_clamps", "load_corpus"),
    "models": ("Edit", "Model", "load_model", "site"),
    "sae": ("SAE", "SAEConfig"),
    "formats": ("load_sae", "releases", "save_sae"),
    "activations": ("ActivationStore",),
    "toy": ("ToyConfig", "train_toy"),
    "training": ("Run", "TrainConfig", "train"),
    "training.progress": ("progress",),
    "training.sweep": ("Sweep", "sweep_grid", "train_sweep"),
    "steering": (
        "Steerer",
        "add_feature",
        "clamp_edit",
        "mean_difference",
        "noise_like",
        "random_live_feature",
        "record_clamps",
    ),
    "doctor": ("diagnose",),
    "analysis.doses": ("dose_response",),
    "analysis.features": ("dashboard_data", "feature_activations"),
    "analysis.map": ("feature_map",),
    "analysis.prompts": ("attribution", "prober", "prompt_activations", "token_parts"),
    "analysis.quality": (
        "absorption",
        "concept_detectors",
        "concept_proxy",
        "concept_scores",
        "firing",
        "iso_compute",
        "log_likelihood_ratio",
        "match_features",
        "power_law",
        "quality",
        "scaling_law",
        "splitting",
        "token_scores",
    ),
    "analysis.search": ("searcher",),
    "analysis.setup": ("load_demo",),
    "quickstart": ("explore",),
    "widgets": (
        "ArchitecturePanel",
        "ClampPanel",
        "DoseResponse",
        "FeatureDashboard",
        "FeatureMap",
        "FeaturePlane",
        "FeatureProbe",
        "FeatureSearch",
        "Selection",
        "SuperpositionLab",
        "TrainingMonitor",
    ),
}
_HOME = {name: f"saewidgets.{room}" for room, names in _ROOMS.items() for name in names}

# Rooms that are reached as an attribute, `sw.views.activation_histogram(...)`, without an import of their own.
_MODULES = ("analysis", "export", "miniworld", "records", "toy", "views", "widgets")

__all__ = [
    "SAE",
    "Absorption",
    "ActivationSite",
    "ActivationStore",
    "ArchitecturePanel",
    "Clamp",
    "ClampPanel",
    "ClampRecording",
    "ConceptDetectors",
    "ConceptProxy",
    "Corpus",
    "DashboardData",
    "Diagnosis",
    "DoseResponse",
    "DoseResponseData",
    "DoseText",
    "Edit",
    "ExampleSearch",
    "FeatureActivations",
    "FeatureDashboard",
    "FeatureData",
    "FeatureExample",
    "FeatureMap",
    "FeatureMapData",
    "FeatureMatches",
    "FeaturePlane",
    "FeatureProbe",
    "FeatureSearch",
    "Firing",
    "Generation",
    "Histogram",
    "LoadError",
    "Model",
    "Neighbor",
    "Passport",
    "PhaseDiagram",
    "PromptActivations",
    "Quality",
    "Run",
    "RunRecord",
    "SAEConfig",
    "Selection",
    "Splitting",
    "Steer",
    "Steerer",
    "SuperpositionLab",
    "Sweep",
    "TextSource",
    "Token",
    "TokenEffect",
    "TokenParts",
    "ToyConfig",
    "ToyRun",
    "TrainConfig",
    "TrainStep",
    "TrainingMonitor",
    "TrainingRecord",
    "__version__",
    "absorption",
    "add_feature",
    "analysis",
    "attribution",
    "clamp_edit",
    "concept_detectors",
    "concept_proxy",
    "concept_scores",
    "dashboard_data",
    "diagnose",
    "dose_response",
    "explore",
    "export",
    "feature_activations",
    "feature_map",
    "firing",
    "iso_compute",
    "load_clamps",
    "load_corpus",
    "load_demo",
    "load_model",
    "load_sae",
    "log_likelihood_ratio",
    "match_features",
    "mean_difference",
    "miniworld",
    "noise_like",
    "power_law",
    "prober",
    "progress",
    "prompt_activations",
    "quality",
    "quality_table",
    "random_live_feature",
    "record_clamps",
    "records",
    "releases",
    "save_sae",
    "scaling_law",
    "searcher",
    "site",
    "splitting",
    "sweep_grid",
    "token_parts",
    "token_scores",
    "toy",
    "train",
    "train_sweep",
    "train_toy",
    "views",
    "widgets",
]

if TYPE_CHECKING:
    from saewidgets import analysis, export, miniworld, records, toy, views, widgets
    from saewidgets.activations import ActivationStore
    from saewidgets.analysis.doses import dose_response
    from saewidgets.analysis.features import dashboard_data, feature_activations
    from saewidgets.analysis.map import feature_map
    from saewidgets.analysis.prompts import attribution, prober, prompt_activations, token_parts
    from saewidgets.analysis.quality import (
        absorption,
        concept_detectors,
        concept_proxy,
        concept_scores,
        firing,
        iso_compute,
        log_likelihood_ratio,
        match_features,
        power_law,
        quality,
        scaling_law,
        splitting,
        token_scores,
    )
    from saewidgets.analysis.search import searcher
    from saewidgets.analysis.setup import load_demo
    from saewidgets.doctor import diagnose
    from saewidgets.files import LoadError
    from saewidgets.formats import load_sae, releases, save_sae
    from saewidgets.miniworld import Corpus, load_clamps, load_corpus
    from saewidgets.models import Edit, Model, load_model, site
    from saewidgets.quickstart import explore
    from saewidgets.records import (
        Absorption,
        ActivationSite,
        Clamp,
        ClampRecording,
        ConceptDetectors,
        ConceptProxy,
        DashboardData,
        Diagnosis,
        DoseResponseData,
        DoseText,
        ExampleSearch,
        FeatureActivations,
        FeatureData,
        FeatureExample,
        FeatureMapData,
        FeatureMatches,
        Firing,
        Generation,
        Histogram,
        Neighbor,
        Passport,
        PhaseDiagram,
        PromptActivations,
        Quality,
        RunRecord,
        Splitting,
        Steer,
        TextSource,
        Token,
        TokenEffect,
        TokenParts,
        ToyRun,
        TrainingRecord,
        TrainStep,
        quality_table,
    )
    from saewidgets.sae import SAE, SAEConfig
    from saewidgets.steering import (
        Steerer,
        add_feature,
        clamp_edit,
        mean_difference,
        noise_like,
        random_live_feature,
        record_clamps,
    )
    from saewidgets.toy import ToyConfig, train_toy
    from saewidgets.training import Run, TrainConfig, train
    from saewidgets.training.progress import progress
    from saewidgets.training.sweep import Sweep, sweep_grid, train_sweep
    from saewidgets.widgets import (
        ArchitecturePanel,
        ClampPanel,
        DoseResponse,
        FeatureDashboard,
        FeatureMap,
        FeaturePlane,
        FeatureProbe,
        FeatureSearch,
        Selection,
        SuperpositionLab,
        TrainingMonitor,
    )


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    elif name in _MODULES:
        value = import_module(f"saewidgets.{name}")
    else:
        from difflib import get_close_matches  # only a mistake needs it

        near = [] if name.startswith("_") else get_close_matches(name, __all__, n=3, cutoff=0.4)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        raise AttributeError(f"saewidgets has no public name {name!r}{hint}", name=name)
    globals()[name] = value  # the next use finds it at once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
