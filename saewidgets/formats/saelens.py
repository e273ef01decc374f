"""SAELens: `cfg.json` and `sae_weights.safetensors`, before 6.0 with a flat config, since with the model's part under
"metadata".

    standard -> relu, topk, jumprelu, gated; BatchTopK and Matryoshka SAEs are published as jumprelu.
    W_enc [d_in, d_sae], W_dec [d_sae, d_in]; b_dec is subtracted from the input unless apply_b_dec_to_input is false.

`normalize_activations`: "none", "layer_norm" and "constant_norm_rescale" (here "unit_norm") are read. With
"expected_average_only_in" inputs are multiplied by sqrt(d_in) / mean |x|, a number that the files do not hold:
`published` has it for some, for others give a site with that scale. Of attention heads' outputs (`hook_z`), all heads
of a token are one vector. Transcoders predict `hook_name_out`; W_skip [d_out, d_in]. Whitening and SAEs on single heads
are refused.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.files import LoadError, read_pair, unknown, write_pair
from saewidgets.formats import published
from saewidgets.formats.assemble import NO_SCALE, assemble, count, matrix, mean_count, named_text, number, placed
from saewidgets.records import ActivationSite
from saewidgets.sae import MAX_BYTES, SAE, refuse_transcoder

FILES = ("cfg.json", "sae_weights.safetensors")
LAYOUT = "6.0.0"  # of what `write` writes, as sae_lens_version: the first version with "metadata"

_ARCHITECTURES = {
    "standard": "relu",
    "topk": "topk",
    "jumprelu": "jumprelu",
    "gated": "gated",
    "batchtopk": "batchtopk",
    "matryoshka_batchtopk": "batchtopk",
}
_TRANSCODERS = {
    "transcoder": "relu",
    "skip_transcoder": "relu",
    "jumprelu_transcoder": "jumprelu",
    "jumprelu_skip_transcoder": "jumprelu",
}
_WRITTEN_AS = {"relu": "standard", "topk": "topk", "jumprelu": "jumprelu", "gated": "gated", "batchtopk": "jumprelu"}
_NORMALIZATIONS = {"none": "none", "layer_norm": "layer_norm", "constant_norm_rescale": "unit_norm"}
_OLD_NAMES = {
    "hook_point": "hook_name",
    "hook_point_head_index": "hook_head_index",
    "activation_fn_str": "activation_fn",
}


def read(folder: Path, *, origin: str, site: ActivationSite | None) -> SAE:
    """The SAE in a folder that SAELens wrote. Raises LoadError."""
    path = folder / FILES[0]
    found, weights = read_pair(path, folder / FILES[1], max_bytes=MAX_BYTES, foreign=True)
    cfg = {_OLD_NAMES.get(name, name): value for name, value in found.items()}
    about = cfg.get("metadata", cfg)
    if not isinstance(about, dict):
        raise LoadError(path, "metadata is not an object")
    architecture = _architecture(path, cfg, about)
    known = published.facts(origin)
    if known.normalization:
        cfg["normalize_activations"] = known.normalization
    _drop_ones(path, weights)
    W_enc, _ = matrix(path, weights, "W_enc"), matrix(path, weights, "W_dec")
    options: dict[str, Any] = {
        "apply_b_dec_to_input": _flag(path, cfg, "apply_b_dec_to_input", cfg.get("architecture") not in _TRANSCODERS),
        "input_normalization": _normalization(path, cfg, site, known.scale),
    }
    if architecture in ("topk", "batchtopk"):
        options["k"] = (count if architecture == "topk" else mean_count)(path, _holder_of_k(cfg), "k")
        if _flag(path, cfg, "rescale_acts_by_decoder_norm", False):
            _unit_rows(path, weights)
    if "topk_threshold" in weights:  # one that was saved in the middle of its training
        threshold = number(path, weights, "topk_threshold")
        del weights["topk_threshold"]
        weights["threshold"] = np.full(W_enc.shape[1], threshold, np.float32)
    for name, size in zip(("d_in", "d_sae"), W_enc.shape, strict=True):
        if name in cfg and cfg[name] != size:
            raise LoadError(path, f"{name} = {cfg[name]!r}, and W_enc is {list(W_enc.shape)}")
    if cfg.get("architecture") in _TRANSCODERS:
        options |= _across(path, about, weights)
    if site is None:
        site = _site(path, about, "", len(W_enc))
        if site and known.scale and _scaled(cfg):
            site = replace(site, scale=known.scale)
    return assemble(folder / FILES[1], architecture, weights, site=site, name=origin, **options)


def write(sae: SAE, folder: str | Path) -> None:
    """Write the SAE so that SAELens >= 6 loads it, as `SAE.save` does: features and reconstructions are the same there.

    After a crash SAELens finds the old SAE, the new one, or in between a config that it refuses and `load_sae` reads.

    The scale is folded into the weights (SAELens has none), BatchTopK is written as jumprelu. Raises ValueError, and
    writes nothing, if a weight is not finite, or for a transcoder.
    """
    refuse_transcoder(sae.config, "an export to SAELens")
    config = sae.config
    weights = {name: weight.detach().cpu().float().numpy() for name, weight in sae.fold_scale().weights.items()}
    if not all(np.isfinite(weight).all() for weight in weights.values()):
        raise ValueError("not saved: it holds values that are not finite")
    metadata: dict[str, Any] = {"sae_lens_version": LAYOUT, "sae_lens_training_version": None}
    if config.site is not None:
        folded = config.site.weight_processing == "folded"
        metadata |= {
            "model_name": config.site.model_name,
            "hook_name": config.site.hook_name,
            "prepend_bos": config.site.prepend_bos,
            "model_from_pretrained_kwargs": {"center_writing_weights": True} if folded else {},
        }
    backward = {ours: theirs for theirs, ours in _NORMALIZATIONS.items()}
    cfg = {
        "d_in": config.d_in,
        "d_sae": config.d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": config.subtracts_b_dec,
        "normalize_activations": backward[config.input_normalization],
        "reshape_activations": "hook_z" if _of_heads(config.site) else "none",
        "metadata": metadata,
        **({"k": config.k, "rescale_acts_by_decoder_norm": False} if config.architecture == "topk" else {}),
        "architecture": _WRITTEN_AS[config.architecture],
    }
    write_pair(Path(folder) / FILES[0], cfg, Path(folder) / FILES[1], weights)


def _architecture(path: Path, cfg: dict[str, Any], about: dict[str, Any]) -> str:
    found = cfg.get("architecture", "standard")
    if isinstance(found, str) and found in _TRANSCODERS:
        return _TRANSCODERS[found]
    if not isinstance(found, str) or found not in _ARCHITECTURES:
        raise LoadError(path, unknown("architecture", str(found)[:60], _ARCHITECTURES | _TRANSCODERS))
    if about.get("hook_name_out") not in (None, about.get("hook_name")):
        raise LoadError(
            path, f"a {found} that predicts another site than it reads: readable are {', '.join(_TRANSCODERS)}"
        )
    activation = cfg.get("activation_fn", "relu")
    if found == "standard" and activation == "topk":
        return "topk"
    if activation not in ("relu", "topk", None):
        raise LoadError(path, f"its activation function is {str(activation)[:60]!r}; readable are relu and topk")
    return _ARCHITECTURES[found]


def _holder_of_k(cfg: dict[str, Any]) -> dict[str, Any]:
    """Before 6.0, k stood among the activation function's arguments."""
    arguments = cfg.get("activation_fn_kwargs")
    return arguments if isinstance(arguments, dict) and "k" in arguments else cfg


def _unit_rows(path: Path, weights: dict[str, np.ndarray]) -> None:
    """TopK of pre |W_dec| and x_hat = (a / |W_dec|) W_dec are those of a TopK SAE whose decoder rows have norm 1."""
    W_enc, W_dec = weights["W_enc"], weights["W_dec"]
    norm = np.maximum(np.linalg.norm(W_dec, axis=1), 1e-12)
    if len(norm) != W_enc.shape[1] or "b_enc" not in weights or weights["b_enc"].shape != norm.shape:
        raise LoadError(path, f"W_enc {list(W_enc.shape)}, W_dec {list(W_dec.shape)} and b_enc do not fit together")
    weights |= {"W_enc": W_enc * norm, "b_enc": weights["b_enc"] * norm, "W_dec": W_dec / norm[:, None]}


def _scaled(cfg: dict[str, Any]) -> bool:
    """Whether its inputs were multiplied by a number that the files do not hold."""
    return cfg.get("normalize_activations") in (True, "expected_average_only_in")


def _normalization(path: Path, cfg: dict[str, Any], site: ActivationSite | None, scale: float | None) -> str:
    found = cfg.get("normalize_activations")
    if _scaled(cfg):
        if site is None and scale is None:
            raise LoadError(path, NO_SCALE)
        return "none"
    found = "none" if found is None or found is False else found
    if not isinstance(found, str) or found not in _NORMALIZATIONS:
        raise LoadError(path, f"it normalizes its inputs by {str(found)[:60]!r}, which is not read here")
    return _NORMALIZATIONS[found]


def _across(path: Path, about: dict[str, Any], weights: dict[str, np.ndarray]) -> dict[str, Any]:
    """The settings of a transcoder's output; its W_skip is turned to [d_in, d_out]."""
    if "W_skip" in weights:
        weights["W_skip"] = matrix(path, weights, "W_skip").T
    d_out = weights["W_dec"].shape[1]
    return {"d_out": d_out, "out_site": _site(path, about, "_out", d_out), "skip": "W_skip" in weights}


def _of_heads(site: ActivationSite | None) -> bool:
    """Whether a site's vectors are a layer's heads, one after the other, which SAELens gets as [head, d_head]."""
    return site is not None and site.hook_name.endswith("hook_z")


def _drop_ones(path: Path, weights: dict[str, np.ndarray]) -> None:
    """Some versions saved a factor a feature that was never used: all ones."""
    for name in ("scaling_factor", "finetuning_scaling_factor"):
        if name in weights and not np.allclose(weights.pop(name), 1.0):
            raise LoadError(path, f"{name} scales its features one by one, which is not read here")


def _flag(path: Path, cfg: dict[str, Any], name: str, default: bool) -> bool:
    found = cfg.get(name)
    if found is None:  # null as well: not said
        return default
    if type(found) is not bool:
        raise LoadError(path, f"{name} must be true or false, not {str(found)[:60]!r}")
    return found


def _site(path: Path, about: dict[str, Any], side: str, width: int) -> ActivationSite | None:
    """Where it reads (side ""), or what it predicts ("_out")."""
    model, hook = named_text(path, about, "model_name"), named_text(path, about, f"hook_name{side}")
    if about.get(f"hook_head_index{side}") is not None:
        raise LoadError(path, f"it reads head {str(about[f'hook_head_index{side}'])[:20]} of {hook} alone")
    loading = about.get("model_from_pretrained_kwargs")
    centered = isinstance(loading, dict) and loading.get("center_writing_weights") is True
    bos = _flag(path, about, "prepend_bos", True)
    return placed(model, hook, width, weight_processing="folded" if centered else "none", prepend_bos=bos)
