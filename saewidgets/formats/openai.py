"""OpenAI's GPT-2 autoencoders (Gao et al. 2024): one `.pt` state dict each.

    encoder.weight [d_sae, d_in], latent_bias, decoder.weight [d_in, d_sae], pre_bias, "activation" and its settings.
    ReLU: a = max(0, (x - pre_bias) W_enc + latent_bias) TopK: the k largest of that, and x is (x - mean) / std of
    itself first; x_hat is scaled back by the same two numbers.

The files do not say which model and layer they are for: give `site=` to use one with a model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saewidgets.files import LoadError
from saewidgets.formats.assemble import assemble, count, matrix
from saewidgets.formats.untrusted import read_pt
from saewidgets.records import ActivationSite
from saewidgets.sae import SAE


def read(path: Path, *, origin: str, site: ActivationSite | None) -> SAE:
    """The SAE in one `.pt` file. Raises LoadError."""
    return from_state(path, read_pt(path), origin=origin, site=site)


def from_state(path: Path, state: dict[str, Any], *, origin: str, site: ActivationSite | None) -> SAE:
    """The SAE of a state dict. Raises LoadError."""
    W_enc = matrix(path, state, "encoder.weight").T
    tied = "decoder.linear.weight" in state  # the encoder's own weight, once more
    weights = {
        "W_enc": W_enc,
        "W_dec": W_enc.T if tied else matrix(path, state, "decoder.weight").T,
        "b_enc": state["latent_bias"],
        "b_dec": state["pre_bias"],
    }
    activation, settings = state.get("activation", "ReLU"), state.get("activation_state_dict", {})
    if activation == "ReLU":
        return assemble(path, "relu", weights, site=site, name=origin, apply_b_dec_to_input=True)
    if activation != "TopK" or not isinstance(settings, dict) or settings.get("postact_fn", "ReLU") != "ReLU":
        raise LoadError(
            path, f"its activation is {str(activation)[:60]!r}; readable are ReLU, and TopK with ReLU after it"
        )
    k = count(path, settings, "k")
    return assemble(path, "topk", weights, site=site, name=origin, k=k, input_normalization="layer_norm")


def recognizes(state: dict[str, Any]) -> bool:
    """Whether these are the arrays of such a file."""
    return {"encoder.weight", "latent_bias", "pre_bias"} <= set(state)
