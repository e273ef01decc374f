"""dictionary_learning: `ae.pt`, a state dict, and `config.json` with the trainer's settings.

| class | arrays | here |
|---|---|---|
| AutoEncoder | encoder.weight, encoder.bias, decoder.weight, bias | relu, bias subtracted |
| AutoEncoderNew | encoder.weight, encoder.bias, decoder.weight, decoder.bias | relu |
| GatedAutoEncoder | encoder.weight, gate_bias, mag_bias, r_mag, decoder.weight, decoder_bias | gated |
| JumpReluAutoEncoder | W_enc, b_enc, threshold [d_sae], W_dec, b_dec | jumprelu, b_dec not subtracted |
| AutoEncoderTopK | encoder.weight, encoder.bias, decoder.weight, b_dec, k, threshold | topk: the threshold is not used |
| BatchTopKSAE | the same | batchtopk |
| MatryoshkaBatchTopKSAE | W_enc, b_enc, W_dec, b_dec, k, threshold, group_sizes | batchtopk |

Linear layers keep their weights as [out, in]. Weights are read as they stand; the package's own loader of AutoEncoder
scales decoder rows to norm 1 on top, which is `sae.fold_W_dec_norm()` here.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.files import LoadError, read_json, short
from saewidgets.formats.assemble import assemble, count, matrix, mean_count, number, placed
from saewidgets.formats.untrusted import read_pt
from saewidgets.records import ActivationSite
from saewidgets.sae import SAE

FILES = ("ae.pt",)


def read(folder: Path, *, origin: str, site: ActivationSite | None) -> SAE:
    """The SAE in a folder with an `ae.pt`. Raises LoadError."""
    config = read_json(folder / "config.json", foreign=True) if (folder / "config.json").is_file() else {}
    return from_state(folder / FILES[0], read_pt(folder / FILES[0]), config, origin=origin, site=site)


def from_state(
    path: Path, state: dict[str, Any], config: dict[str, Any], *, origin: str, site: ActivationSite | None
) -> SAE:
    """The SAE of a state dict that one of the package's classes saved. Raises LoadError."""
    trainer = config.get("trainer", {})
    if not isinstance(trainer, dict):
        raise LoadError(path, "the config's trainer is not an object")
    kind = _kind(path, state, trainer)
    options: dict[str, Any] = {}
    if "encoder.weight" in state:
        W_enc, W_dec = matrix(path, state, "encoder.weight").T, matrix(path, state, "decoder.weight").T
    else:
        W_enc, W_dec = matrix(path, state, "W_enc"), matrix(path, state, "W_dec")
    weights: dict[str, Any] = {"W_enc": W_enc, "W_dec": W_dec}
    if kind in ("AutoEncoder", "AutoEncoderNew"):
        architecture, b_dec = "relu", "bias" if kind == "AutoEncoder" else "decoder.bias"
        weights |= {"b_enc": state.get("encoder.bias"), "b_dec": state.get(b_dec)}
        options["apply_b_dec_to_input"] = kind == "AutoEncoder"
    elif kind == "GatedAutoEncoder":
        architecture = "gated"
        weights |= {ours: state.get(theirs) for ours, theirs in {"b_gate": "gate_bias", "b_mag": "mag_bias"}.items()}
        weights |= {"r_mag": state.get("r_mag"), "b_dec": state.get("decoder_bias")}
    elif kind == "JumpReluAutoEncoder":
        architecture = "jumprelu"
        weights |= {name: state.get(name) for name in ("b_enc", "threshold", "b_dec")}
    else:
        architecture = "topk" if kind == "AutoEncoderTopK" else "batchtopk"
        weights |= {"b_enc": state.get("encoder.bias", state.get("b_enc")), "b_dec": state.get("b_dec")}
        whole = count if architecture == "topk" else mean_count
        k = whole(path, state if "k" in state else trainer, "k")
        if trainer.get("k", k) != k:
            raise LoadError(path, f"k = {k} in the weights, and {str(trainer.get('k'))[:20]} in the config")
        options["k"] = k
        if architecture == "batchtopk":
            weights["threshold"] = np.full(W_enc.shape[1], number(path, state, "threshold"), np.float32)
    missing = sorted(name for name, array in weights.items() if not isinstance(array, np.ndarray))
    if missing:
        raise LoadError(path, f"a {kind} without its {', '.join(missing)}")
    side = _side(path, config)
    if site is None:
        site = _site(path, trainer, side, len(W_enc))
    return assemble(path, architecture, weights, site=site, name=origin, **options)


def recognizes(state: dict[str, Any]) -> bool:
    """Whether these are arrays of one of the package's classes."""
    return {"encoder.weight", "decoder.weight"} <= set(state) or {
        "W_enc",
        "W_dec",
        "b_enc",
        "b_dec",
        "threshold",
    } <= set(state)


def _kind(path: Path, state: dict[str, Any], trainer: dict[str, Any]) -> str:
    """The class that saved the arrays. The config's word is taken where arrays leave it open, and held against them
    elsewhere.
    """
    said = trainer.get("dict_class")
    if "group_sizes" in state:
        shown = ["MatryoshkaBatchTopKSAE"]
    elif "r_mag" in state:
        shown = ["GatedAutoEncoder"]
    elif "k" in state or ("encoder.weight" in state and "threshold" in state):
        shown = ["AutoEncoderTopK", "BatchTopKSAE"]
    elif "W_enc" in state and getattr(state.get("threshold"), "ndim", 0) == 1:
        shown = ["JumpReluAutoEncoder"]
    elif "encoder.weight" in state:
        shown = (
            ["AutoEncoder"]
            if "bias" in state
            else ["AutoEncoderNew"]
            if "decoder.bias" in state
            else ["AutoEncoderTopK"]
        )
    else:
        raise LoadError(path, f"its arrays are of no class that is read here: {', '.join(sorted(state))[:120]}")
    if said is None and len(shown) == 1:
        return shown[0]
    if said is None:
        raise LoadError(
            path, "AutoEncoderTopK and BatchTopKSAE save the same arrays; the config.json beside it says which it is"
        )
    if said not in shown:
        raise LoadError(path, f"the config says {str(said)[:60]!r}, and the arrays are of {' or '.join(shown)}")
    return str(said)


def _side(path: Path, config: dict[str, Any]) -> str:
    """Which side of its module it was trained on: "out", or "in", as the buffer's settings say."""
    buffer = config.get("buffer")
    side = buffer.get("io", "out") if isinstance(buffer, dict) else "out"
    if side == "in_and_out":
        raise LoadError(path, "a transcoder: it reads one site and writes another, which an SAE does not")
    if side not in ("in", "out", None):
        raise LoadError(path, f"its buffer took the side {short(side)} of the module; readable are 'in' and 'out'")
    return side or "out"


def _site(path: Path, trainer: dict[str, Any], side: str, d_in: int) -> ActivationSite | None:
    """Where the settings say that it reads; None where they do not, or name what is no hook point of every model."""
    model, layer, module = (trainer.get(name) for name in ("lm_name", "layer", "submodule_name"))
    if not (isinstance(model, str) and type(layer) is int):
        return None
    kind = re.match(r"(resid_post|mlp_out|resid)?", module if isinstance(module, str) else "")
    if module is not None and not (kind and kind[1]):
        return None
    named = kind[1] if kind and kind[1] else "resid_post"
    if side == "in" and named == "mlp_out":
        # What an MLP is given: after the norm and its gain, which TransformerLens has a hook point for in some models
        # only.
        warnings.warn(
            f"{path}: it reads what the MLP of layer {layer} is given, and where a model has that differs: give "
            "load_sae(..., site=sw.site(model, hook)) to use it with a model",
            stacklevel=2,
        )
        return None
    hook = {"mlp_out": "hook_mlp_out"}.get(named, "hook_resid_pre" if side == "in" else "hook_resid_post")
    return placed(model.split("/")[-1], f"blocks.{layer}.{hook}", d_in)
