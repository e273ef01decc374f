"""A steered model as a page carries it: the model, the SAE at its site, and how text is read and written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from torch import Tensor

from saewidgets.models.carried import carried_model
from saewidgets.models.model import Model
from saewidgets.records.arguments import require_features
from saewidgets.records.carried import Carried, check_size, flat
from saewidgets.sae import SAE


def carried(model: Model, sae: SAE, hook_name: str, features: Iterable[int]) -> Carried:
    """The model, and of the SAE what these features need: of a TopK SAE the whole encoder, since which features are on
    depends on all.

    Raises ValueError, in one sentence, for what a page cannot carry; see `models.carried`.
    """
    config = sae.config
    chosen = sorted(set(require_features(list(features), config.d_sae)))
    topk = config.architecture == "topk"
    read = range(config.d_sae) if topk else chosen
    n_model = sum(p.numel() for p in model.hooked.parameters())
    check_size(n_model + (len(read) + len(chosen)) * config.d_in, f"the weights of {model.name} and this SAE")
    about, arrays = carried_model(model, hook_name)
    about["speech"]["max_norm"] = None if config.site is None else config.site.max_norm
    arrays |= _weights(sae, chosen, None if topk else chosen)
    shapes, weights = flat(arrays, f"{model.name} or its SAE")
    said: dict[str, Any] = {
        "architecture": config.architecture,
        "k": config.k,
        "d_in": config.d_in,
        "d_sae": config.d_sae,
        "scale": sae.scale,
        "subtracts_b_dec": config.subtracts_b_dec,
        "input_normalization": config.input_normalization,
        "features": chosen,
        "whole": topk,
    }
    return Carried({**about, "sae": said, "shapes": shapes}, weights)


def _weights(sae: SAE, chosen: list[int], read: list[int] | None) -> dict[str, np.ndarray]:
    def own(tensor: Tensor) -> np.ndarray:
        found: np.ndarray = tensor.detach().float().cpu().contiguous().numpy()
        return found

    encoder = {name: own(tensor if read is None else tensor[..., read]) for name, tensor in sae.encoder().items()}
    found = {f"sae.{name}": array for name, array in encoder.items()}
    found["sae.W_enc"] = np.ascontiguousarray(found["sae.W_enc"].T)  # a row per feature
    return found | {"sae.W_dec": own(sae.W_dec[chosen]), "sae.b_dec": own(sae.b_dec)}
