"""The losses, one file an architecture. `objective(sae, config)` makes the one that a run needs."""

from __future__ import annotations

from saewidgets.sae import SAE
from saewidgets.training.config import TrainConfig
from saewidgets.training.objectives.base import DenseObjective, Gradients, Objective
from saewidgets.training.objectives.relu import ReLU, relu_loss
from saewidgets.training.objectives.topk import TopK

__all__ = ["OBJECTIVES", "DenseObjective", "Gradients", "Objective", "objective", "relu_loss"]

OBJECTIVES: dict[str, type[Objective]] = {
    "relu": ReLU,
    "topk": TopK,
}


def objective(sae: SAE, config: TrainConfig) -> Objective:
    """The objective of this SAE's architecture.

    Raises ValueError where there is none.
    """
    if sae.config.to_dict()["format"] != 1:
        raise ValueError(
            f"train makes relu and topk SAEs as their papers have them; this one is {sae.config.architecture}, with "
            f"apply_b_dec_to_input={sae.config.subtracts_b_dec} and input_normalization="
            f"{sae.config.input_normalization!r}: load it trained, or train another"
        )
    if config.prefixes and config.prefixes[-1] != sae.config.d_sae:
        raise ValueError(f"the last of prefixes {config.prefixes} must be d_sae = {sae.config.d_sae}")
    return OBJECTIVES[sae.config.architecture](sae, config)
