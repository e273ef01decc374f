"""Llama Scope (He et al. 2024): JumpReLU SAEs on activations times s = sqrt(d_in) / (their mean norm).

    encoder.weight [d_sae, d_in], encoder.bias, decoder.weight [d_out, d_sae], decoder.bias; b_dec is not subtracted.
    pre = s x W_enc + b_enc, and a feature is on where pre > threshold.

The base model's folders hold `hyperparams.json` and `checkpoints/final.safetensors`, with one threshold for all
features: it is one of a |d_i| / s, the length in model units of what a feature adds, so a feature's own is s *
jump_relu_threshold / |d_i| (without `sparsity_include_decoder_norm`: s * jump_relu_threshold). The R1 distill's hold
`config.json` and `sae_weights.safetensors`, with log_jumprelu_threshold [d_sae], and leave s out; `published` has it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.files import LoadError, read_json, read_tensors, short
from saewidgets.formats import published
from saewidgets.formats.assemble import NO_SCALE, assemble, matrix, named_text, number, placed
from saewidgets.records import ActivationSite
from saewidgets.sae import MAX_BYTES, SAE

FILES = ("hyperparams.json", "checkpoints")
FILES_R1 = ("config.json", "sae_weights.safetensors")
BASE, R1 = "meta-llama/Llama-3.1-8B", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"


def read(folder: Path, *, origin: str, site: ActivationSite | None) -> SAE:
    """The SAE or transcoder in a folder of the base model's. Raises LoadError."""
    about, path = folder / FILES[0], folder / "checkpoints/final.safetensors"
    cfg, weights = read_json(about, foreign=True), _weights(path)
    if cfg.get("act_fn", "jumprelu") != "jumprelu":
        raise LoadError(about, f"its activation is {short(cfg['act_fn'])}; readable is jumprelu")
    if cfg.get("apply_decoder_bias_to_pre_encoder"):
        raise LoadError(about, "it subtracts its decoder's bias first, which no published Llama Scope SAE does")
    norms = cfg.get("dataset_average_activation_norm")
    if not isinstance(norms, dict):
        raise LoadError(about, "it holds no dataset_average_activation_norm")
    (d_in, d_sae), W_dec = weights["W_enc"].shape, weights["W_dec"]
    scale = _scale(about, d_in, norms, "in")
    threshold = np.full(d_sae, scale * number(about, cfg, "jump_relu_threshold"))
    if cfg.get("sparsity_include_decoder_norm", True):
        threshold /= np.maximum(np.linalg.norm(W_dec, axis=1), np.finfo(np.float32).tiny)
    first, last = (named_text(about, cfg, f"hook_point_{side}") for side in ("in", "out"))
    options: dict[str, Any] = {}
    if last is not None and last != first:
        out = placed(BASE, last, W_dec.shape[1], scale=_scale(about, W_dec.shape[1], norms, "out"))
        options = {"d_out": W_dec.shape[1], "out_site": out}
    if site is None:
        site = placed(BASE, first, d_in, scale=scale)
    weights["threshold"] = threshold.astype(np.float32)
    return assemble(path, "jumprelu", weights, site=site, name=origin, **options)


def read_r1(folder: Path, *, origin: str, site: ActivationSite | None) -> SAE:
    """The SAE in a folder of the R1 distill's. Raises LoadError, also where neither a site nor a release gives the
    scale.
    """
    about, path = folder / FILES_R1[0], folder / FILES_R1[1]
    cfg, weights = read_json(about, foreign=True), _weights(path)
    scale = published.facts(origin).scale
    if site is None and scale is None:
        raise LoadError(about, NO_SCALE)
    log = weights.pop("log_jumprelu_threshold", None)
    if log is None or not np.all(log < 80):  # e^88 is no float32
        raise LoadError(path, "it holds no usable log_jumprelu_threshold")
    weights["threshold"] = np.exp(log)
    if site is None:
        site = placed(R1, named_text(about, cfg, "hook_point_in"), len(weights["W_enc"]), scale=scale)
    return assemble(path, "jumprelu", weights, site=site, name=origin)


def _weights(path: Path) -> dict[str, np.ndarray]:
    """The arrays under our names; what is none of the four linear ones keeps its own."""
    found = read_tensors(path, max_bytes=MAX_BYTES)
    named = {"W_enc": matrix(path, found, "encoder.weight").T, "W_dec": matrix(path, found, "decoder.weight").T}
    for ours, theirs in {"b_enc": "encoder.bias", "b_dec": "decoder.bias"}.items():
        if theirs in found:
            named[ours] = found[theirs]
    linear = ("encoder.weight", "decoder.weight", "encoder.bias", "decoder.bias")
    if named["W_dec"].shape[0] != named["W_enc"].shape[1]:
        raise LoadError(path, f"encoder.weight {list(named['W_enc'].T.shape)} and decoder.weight do not fit together")
    return named | {name: array for name, array in found.items() if name not in linear}


def _scale(path: Path, width: int, norms: dict[str, Any], side: str) -> float:
    """SAE units per model unit."""
    norm = number(path, norms, side)
    if norm < 1e-30:
        raise LoadError(path, f"dataset_average_activation_norm is {norm:g} at {side!r}: not a norm")
    return float(width**0.5 / norm)
