"""Gemma Scope: JumpReLU SAEs without a pre-encoder bias (Lieberum et al. 2024).

Gemma Scope 1 is one `params.npz` a folder, Gemma Scope 2 one `params.safetensors` beside a `config.json` that may be missing.
Neither file says where the SAE reads: the folder's path does, as in
`google/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71`. Transcoders and SAEs on attention heads are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from saewidgets.files import LoadError, read_json, read_tensors, short
from saewidgets.formats.assemble import TRANSCODER, assemble, matrix, placed, refuse_head_vectors
from saewidgets.formats.untrusted import read_npz
from saewidgets.records import ActivationSite
from saewidgets.sae import MAX_BYTES, SAE

T = TypeVar("T")
FILES_1, FILES_2 = ("params.npz",), ("params.safetensors",)
_KINDS = {"res": "hook_resid_post", "mlp": "hook_mlp_out", "att": "attn.hook_z"}
_KINDS_2 = {"resid_post": "hook_resid_post", "mlp_out": "hook_mlp_out", "attn_out": "attn.hook_z"}


def read_1(folder: Path, *, origin: str, site: ActivationSite | None) -> SAE:
    """The SAE in a folder with a `params.npz`. Raises LoadError."""
    path = folder / FILES_1[0]

    def check(shapes: Mapping[str, tuple[int, ...]]) -> None:
        found = _upper(shapes)
        _refuse_transcoder(path, found, origin)
        _require_arrays(path, found)

    weights = _upper(read_npz(path, check=check))
    layer = re.search(r"layer_(\d+)", origin)
    model = re.search(r"gemma-scope-(\d+b)-(pt|it)-(res|mlp|att)", origin)
    hook = f"blocks.{layer[1]}.{_KINDS[model[3]]}" if layer and model else None
    W_enc, W_dec = matrix(path, weights, "W_enc"), matrix(path, weights, "W_dec")
    if re.search(r"(^|/)embedding(/|$)", origin):
        # trained on embeddings times sqrt(d_in), as the model scales them; a hook on the embedding sees them unscaled
        hook, root = "hook_embed", np.float32(len(W_enc) ** 0.5)
        weights |= {"W_enc": W_enc / root, "W_dec": W_dec * root}
    refuse_head_vectors(path, hook)
    if site is None and model:
        site = placed(f"gemma-2-{model[1]}" + ("-it" if model[2] == "it" else ""), hook, len(W_enc))
    return assemble(path, "jumprelu", weights, site=site, name=origin)


def read_2(folder: Path, *, origin: str, site: ActivationSite | None) -> SAE:
    """The SAE in a folder with a `params.safetensors`. Raises LoadError."""
    path = folder / FILES_2[0]
    cfg = read_json(folder / "config.json", foreign=True) if (folder / "config.json").is_file() else {}
    if cfg.get("architecture", "jump_relu") != "jump_relu":
        raise LoadError(
            folder / "config.json", f"its architecture is {str(cfg['architecture'])[:60]!r}, not 'jump_relu'"
        )
    weights = _upper(read_tensors(path, max_bytes=MAX_BYTES))
    if cfg.get("hf_hook_point_out") not in (None, cfg.get("hf_hook_point_in")):
        raise LoadError(path, f"a transcoder: {TRANSCODER}")
    _refuse_transcoder(path, {name: array.shape for name, array in weights.items()}, origin)
    layer, repo = re.search(r"layer_(\d+)", origin), re.search(r"gemma-scope-2-([\w.-]+)", origin)
    kind = next((hook for word, hook in _KINDS_2.items() if word in origin), None)
    hook = f"blocks.{layer[1]}.{kind}" if layer and kind else None
    refuse_head_vectors(path, hook)
    model = cfg.get("model_name") or (f"gemma-3-{repo[1]}" if repo else None)
    if model is not None and not isinstance(model, str):
        raise LoadError(folder / "config.json", "model_name must be text")
    if model:
        model = model.removeprefix("google/").replace("-v3", "-3")
        model = model.removesuffix("-pt") if "270m" in model else model  # the hub has the 270m without the suffix
    if site is None:
        site = placed(model, hook, len(matrix(path, weights, "W_enc")))
    return assemble(path, "jumprelu", weights, site=site, name=origin)


def _upper(named: Mapping[str, T]) -> dict[str, T]:
    """w_enc and w_dec under the names W_enc and W_dec."""
    return {"W_" + name[2:] if name.startswith("w_") else name: value for name, value in named.items()}


def _refuse_transcoder(path: Path, shapes: Mapping[str, tuple[int, ...]], origin: str) -> None:
    W_enc, W_dec = (shapes.get(name, ()) for name in ("W_enc", "W_dec"))
    across = len(W_enc) == len(W_dec) == 2 and W_dec != W_enc[::-1]
    if across or "affine_skip_connection" in shapes or "W_skip" in shapes or "transcoder" in origin:
        raise LoadError(path, f"a transcoder: {TRANSCODER}")


def _require_arrays(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """LoadError unless these are a JumpReLU SAE's arrays, in shapes that fit one another."""
    if len(shapes.get("W_enc", ())) != 2:
        raise LoadError(path, "it holds no matrix W_enc")
    d_in, d_sae = shapes["W_enc"]
    wanted = {
        "W_enc": (d_in, d_sae),
        "b_enc": (d_sae,),
        "threshold": (d_sae,),
        "W_dec": (d_sae, d_in),
        "b_dec": (d_in,),
    }
    if set(shapes) != set(wanted):
        raise LoadError(path, f"expected the arrays {sorted(wanted)}, found {sorted(name[:40] for name in shapes)}")
    for name, shape in wanted.items():
        if shapes[name] != shape:
            raise LoadError(path, f"{name} is {short(list(shapes[name]))}, expected {list(shape)}")
