"""The losses, one file an architecture. `objective(sae, config)` makes the one that a run needs."""

from __future__ import annotations

from saewidgets.files import unknown
from saewidgets.sae import SAE
from saewidgets.training.config import TrainConfig
from saewidgets.training.objectives.base import DenseObjective, Gradients, Objective
from saewidgets.training.objectives.batchtopk import BatchTopK
from saewidgets.training.objectives.gated import Gated
from saewidgets.training.objectives.jumprelu import JumpReLUL0, JumpReLUTanh
from saewidgets.training.objectives.relu import PAnnealing, ReLU, UnitNormReLU, geometric_median, relu_loss
from saewidgets.training.objectives.topk import TopK

__all__ = ["OBJECTIVES", "DenseObjective", "Gradients", "Objective", "geometric_median", "objective", "relu_loss"]

OBJECTIVES: dict[str, type[Objective]] = {  # the first of an architecture is what it gets unless told otherwise
    "relu": ReLU,
    "relu_unit_norm": UnitNormReLU,
    "relu_p_annealing": PAnnealing,
    "topk": TopK,
    "batchtopk": BatchTopK,
    "jumprelu": JumpReLUL0,
    "jumprelu_tanh": JumpReLUTanh,
    "gated": Gated,
}
_SELECTING = ("topk", "batchtopk")


def objective(sae: SAE, config: TrainConfig) -> Objective:
    """The objective that `config.objective` names, or else the first of the SAE's architecture.

    Raises ValueError on a name that does not exist or is another architecture's, and on settings that mean nothing to
    it.
    """
    architecture = sae.config.architecture
    name = config.objective or architecture
    if name not in OBJECTIVES:
        raise ValueError(unknown("objective", name, OBJECTIVES))
    kind = OBJECTIVES[name]
    if architecture not in kind.architectures:
        own = [other for other, its in OBJECTIVES.items() if architecture in its.architectures]
        raise ValueError(f"the objective {name!r} is not for {architecture} SAEs, whose are: {', '.join(own)}")
    if config.prefixes and architecture not in _SELECTING:
        raise ValueError(f"prefixes nest the dictionaries of topk and batchtopk SAEs; this one is {architecture}")
    if config.prefixes and config.prefixes[-1] != sae.config.d_sae:
        raise ValueError(f"the last of prefixes {config.prefixes} must be d_sae = {sae.config.d_sae}")
    if config.k_start is not None and architecture not in _SELECTING:
        raise ValueError(f"k_start is for topk and batchtopk SAEs; this one is {architecture}")
    if config.resample_at and not kind.resampled:
        revived = "AuxK revives its dead features" if architecture in _SELECTING else "its paper has no resampling"
        raise ValueError(f"resample_at is for relu and gated SAEs; this one is trained by {name!r}: {revived}")
    return kind(sae, config)
