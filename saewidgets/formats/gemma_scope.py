"""Gemma Scope: JumpReLU SAEs and transcoders without a pre-encoder bias (Lieberum et al. 2024).

Gemma Scope 1 is one `params.npz` a folder, and where it reads stands in the folder's path alone, as in
`google/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71`. Gemma Scope 2 is one `params.safetensors` beside a
`config.json` that names the modules that it reads and predicts; the path tells where there is no config.

| module of Gemma 3 | hook point |
|---|---|
| layers.n output | blocks.n.hook_resid_post |
| layers.n.self_attn.o_proj input | blocks.n.attn.hook_z, head after head |
| layers.n.post_feedforward_layernorm output | blocks.n.hook_mlp_out, which is what joins the residual stream |
| layers.n.pre_feedforward_layernorm output | blocks.n.mlp.hook_in, after the norm's gain |

Transcoders of Gemma Scope 1 read blocks.n.ln2.hook_normalized, before the gain; an affine skip connection is W_skip.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from saewidgets.files import LoadError, read_json, read_tensors, short
from saewidgets.formats.assemble import assemble, matrix, named_text, placed
from saewidgets.formats.untrusted import read_npz
from saewidgets.records import ActivationSite
from saewidgets.sae import MAX_BYTES, SAE

T = TypeVar("T")
Hooks = tuple[str | None, str | None]  # what it reads, and what a transcoder predicts
FILES_1, FILES_2 = ("params.npz",), ("params.safetensors",)
_KINDS: dict[str, Hooks] = {
    "res": ("hook_resid_post", None),
    "mlp": ("hook_mlp_out", None),
    "att": ("attn.hook_z", None),
    "transcoders": ("ln2.hook_normalized", "hook_mlp_out"),
}
_FOLDERS_2: dict[str, Hooks] = {
    "resid_post": ("hook_resid_post", None),
    "mlp_out": ("hook_mlp_out", None),
    "attn_out": ("attn.hook_z", None),
    "transcoder": ("mlp.hook_in", "hook_mlp_out"),
}
_MODULES_2 = {
    "output": "hook_resid_post",
    "self_attn.o_proj.input": "attn.hook_z",
    "post_feedforward_layernorm.output": "hook_mlp_out",
    "pre_feedforward_layernorm.output": "mlp.hook_in",
}


def read_1(folder: Path, *, origin: str, site: ActivationSite | None) -> SAE:
    """The SAE or transcoder in a folder with a `params.npz`. Raises LoadError."""
    path = folder / FILES_1[0]
    weights = _upper(read_npz(path, check=lambda shapes: _require_arrays(path, _upper(shapes))))
    layer = re.search(r"layer_(\d+)", origin)
    model = re.search(r"gemma-scope-(\d+b)-(pt|it)-(res|mlp|att|transcoders)", origin)
    hooks: Hooks = (None, None)
    if layer and model:
        hooks = _in_block(int(layer[1]), _KINDS[model[3]])
    W_enc, W_dec = matrix(path, weights, "W_enc"), matrix(path, weights, "W_dec")
    if re.search(r"(^|/)embedding(/|$)", origin):
        # trained on embeddings times sqrt(d_in), as the model scales them; a hook on the embedding sees them unscaled
        hooks, root = ("hook_embed", None), np.float32(len(W_enc) ** 0.5)
        weights |= {"W_enc": W_enc / root, "W_dec": W_dec * root}
    name = f"gemma-2-{model[1]}" + ("-it" if model[2] == "it" else "") if model else None
    return _assembled(path, weights, name, hooks, bool(model and model[3] == "transcoders"), origin=origin, site=site)


def read_2(folder: Path, *, origin: str, site: ActivationSite | None) -> SAE:
    """The SAE or transcoder in a folder with a `params.safetensors`. Raises LoadError.

    Warns where the folder's path and the config name different sites: the config is taken.
    """
    path, about = folder / FILES_2[0], folder / "config.json"
    cfg = read_json(about, foreign=True) if about.is_file() else {}
    if cfg.get("architecture", "jump_relu") != "jump_relu":
        raise LoadError(about, f"its architecture is {str(cfg['architecture'])[:60]!r}, not 'jump_relu'")
    weights = _upper(read_tensors(path, max_bytes=MAX_BYTES))
    if "W_dec" in weights and weights["W_dec"].ndim == 3:
        raise LoadError(
            path, "a cross-layer transcoder, which writes to several layers: only one that writes to one is read"
        )
    if "affine_skip_connection" in weights:
        weights["W_skip"] = weights.pop("affine_skip_connection")  # [d_in, d_out], as here
    by_path = _hooks_of(origin)
    said, said_out = (named_text(about, cfg, f"hf_hook_point_{side}") for side in ("in", "out"))
    hooks = (_hook_point(about, said), _hook_point(about, said_out if said_out != said else None)) if said else by_path
    if said and by_path[0] and hooks[0] and hooks != by_path:
        warnings.warn(
            f"{folder}: its config says {_line(hooks)}, and its path {_line(by_path)}: the config is taken",
            stacklevel=2,
        )
    repo = re.search(r"gemma-scope-2-([\w.-]+)", origin)
    by_repo, model = f"gemma-3-{repo[1]}" if repo else None, named_text(about, cfg, "model_name")
    model, by_repo = (name and _model_name(name) for name in (model or by_repo, by_repo))
    if by_repo and model != by_repo:
        warnings.warn(f"{folder}: its config says {model}, and its path {by_repo}: the config is taken", stacklevel=2)
    across = bool(said_out and said_out != said) or (not said and by_path[1] is not None)
    return _assembled(path, weights, model, hooks, across, origin=origin, site=site)


def _assembled(
    path: Path,
    weights: dict[str, Any],
    model: str | None,
    hooks: Hooks,
    across: bool,
    *,
    origin: str,
    site: ActivationSite | None,
) -> SAE:
    W_enc, W_dec = matrix(path, weights, "W_enc"), matrix(path, weights, "W_dec")
    options: dict[str, Any] = {}
    across_by_arrays = "W_skip" in weights or W_dec.shape[1] != len(W_enc)
    if hooks[0] and across_by_arrays and not across:
        raise LoadError(
            path,
            f"its arrays are a transcoder's, from {len(W_enc)} to {W_dec.shape[1]} numbers, and it is said to reconstruct {hooks[0]}",
        )
    if across or across_by_arrays:
        d_out = W_dec.shape[1]
        options = {"d_out": d_out, "out_site": placed(model, hooks[1], d_out), "skip": "W_skip" in weights}
    if site is None:
        site = placed(model, hooks[0], len(W_enc))
    return assemble(path, "jumprelu", weights, site=site, name=origin, **options)


def _in_block(layer: int, hooks: Hooks) -> Hooks:
    first, out = (hook and f"blocks.{layer}.{hook}" for hook in hooks)
    return first, out


def _hooks_of(origin: str) -> Hooks:
    """The hook points that a Gemma Scope 2 path names."""
    layer = re.search(r"layer_(\d+)", origin)
    kind = re.search(rf"(?:^|/)({'|'.join(_FOLDERS_2)})(?:_all)?/", origin)
    return _in_block(int(layer[1]), _FOLDERS_2[kind[1]]) if layer and kind else (None, None)


def _hook_point(path: Path, module: str | None) -> str | None:
    """The hook point of a module's output or input, as a config names it; None, with a warning, where none is known."""
    if module is None:
        return None
    found = re.search(r"(?:^|\.)layers\.(\d+)\.(.+)$", module)
    if not found or found[2] not in _MODULES_2:
        warnings.warn(
            f"{path}: which hook point {short(module)} is, is not known here: give load_sae(..., site=sw.site(model, hook))",
            stacklevel=3,
        )
        return None
    return f"blocks.{int(found[1])}.{_MODULES_2[found[2]]}"


def _line(hooks: Hooks) -> str:
    return " -> ".join(hook for hook in hooks if hook)


def _model_name(name: str) -> str:
    name = name.removeprefix("google/").replace("-v3", "-3")
    return name.removesuffix("-pt") if "270m" in name else name  # the hub has the 270m without the suffix


def _upper(named: Mapping[str, T]) -> dict[str, T]:
    """w_enc and w_dec under the names W_enc and W_dec."""
    return {"W_" + name[2:] if name.startswith("w_") else name: value for name, value in named.items()}


def _require_arrays(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """LoadError unless these are a JumpReLU SAE's or transcoder's arrays, in shapes that fit one another."""
    for name in ("W_enc", "W_dec"):
        if len(shapes.get(name, ())) != 2:
            raise LoadError(path, f"it holds no matrix {name}")
    (d_in, d_sae), d_out = shapes["W_enc"], shapes["W_dec"][1]
    wanted = {
        "W_enc": (d_in, d_sae),
        "b_enc": (d_sae,),
        "threshold": (d_sae,),
        "W_dec": (d_sae, d_out),
        "b_dec": (d_out,),
    }
    if set(shapes) != set(wanted):
        raise LoadError(path, f"expected the arrays {sorted(wanted)}, found {sorted(name[:40] for name in shapes)}")
    for name, shape in wanted.items():
        if shapes[name] != shape:
            raise LoadError(path, f"{name} is {short(list(shapes[name]))}, expected {list(shape)}")
