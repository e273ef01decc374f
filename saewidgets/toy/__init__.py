"""The models of *Toy Models of Superposition* (Elhage et al. 2022): sample sparse features, train many instances, keep
snapshots.

    import saewidgets as sw

    config = sw.toy.experiment("M0")                 # or sw.ToyConfig(n_features=5, n_hidden=2, ...)
    run = sw.train_toy(config).run()                 # a ToyRun
    diagram = sw.toy.phase_diagram(2, 1)             # a PhaseDiagram
    acts = sw.toy.activations(run)                   # hidden activations, for an SAE to train on

Torch is loaded by the parts that compute with it, so that configurations cost nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from saewidgets.elsewhere import torch_for
from saewidgets.records import ToyConfig
from saewidgets.toy.experiments import Experiment, experiment, experiments
from saewidgets.toy.phase import PhaseExperiment, PhaseTraining, phase_diagram, phase_experiments
from saewidgets.toy.training import ToyStep, ToyTraining, train_toy, training_inputs

if TYPE_CHECKING:
    from saewidgets.toy.sampling import ToyActivations, activations, sample_features

__all__ = [
    "Experiment",
    "PhaseExperiment",
    "PhaseTraining",
    "ToyActivations",
    "ToyConfig",
    "ToyStep",
    "ToyTraining",
    "activations",
    "experiment",
    "experiments",
    "phase_diagram",
    "phase_experiments",
    "sample_features",
    "train_toy",
    "training_inputs",
]


def __getattr__(name: str) -> Any:
    if name in ("ToyActivations", "activations", "sample_features"):
        with torch_for(f"sw.toy.{name}"):
            return getattr(import_module("saewidgets.toy.sampling"), name)
    raise AttributeError(f"saewidgets.toy has no name {name!r}", name=name)
