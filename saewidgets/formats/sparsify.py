"""sparsify (EleutherAI): `cfg.json` and `sae.safetensors`, one folder a hook point, such as `layers.24` or
`layers.24.mlp`.

    encoder.weight [d_sae, d_in], encoder.bias, W_dec [d_sae, d_in] (not transposed), b_dec;
    a = TopK_k(max(0, (x - b_dec) W_enc + b_enc)), the k largest of each token.

A hook point is a module's output: `layers.24` is blocks.24.hook_resid_post. A transcoder (`transcode`) reads its
module's input instead, subtracts no b_dec, and may have W_skip [d_out, d_in]; its sites are known where the module is
an MLP.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from saewidgets.files import LoadError, read_json, read_tensors
from saewidgets.formats.assemble import assemble, count, matrix, placed
from saewidgets.records import ActivationSite
from saewidgets.sae import MAX_BYTES, SAE

FILES = ("cfg.json", "sae.safetensors")
_RENAMED = {"encoder.bias": "b_enc", "W_dec": "W_dec", "b_dec": "b_dec"}


def read(folder: Path, *, origin: str, site: ActivationSite | None) -> SAE:
    """The SAE in a folder that sparsify wrote. Raises LoadError."""
    path = folder / FILES[0]
    cfg = read_json(path, foreign=True)
    weights = read_tensors(folder / FILES[1], max_bytes=MAX_BYTES)
    across = bool(cfg.get("transcode"))
    if not across and (cfg.get("skip_connection") or "W_skip" in weights):
        raise LoadError(path, "an SAE with a skip connection, which is read of transcoders only")
    if cfg.get("activation", "topk") != "topk" or cfg.get("signed"):
        raise LoadError(path, f"its activation is {str(cfg.get('activation', 'signed topk'))[:60]!r}; readable is topk")
    k = count(path, cfg, "k")
    renamed = {"W_enc": matrix(path, weights, "encoder.weight").T}
    renamed |= {ours: weights[theirs] for theirs, ours in _RENAMED.items() if theirs in weights}
    if "W_skip" in weights:
        renamed["W_skip"] = matrix(path, weights, "W_skip").T
    if len(renamed) != len(weights) or cfg.get("d_in", len(renamed["W_enc"])) != len(renamed["W_enc"]):
        raise LoadError(path, "the config and the arrays do not fit together")
    model, hook = _model(folder), _hook(folder, origin)
    options: dict[str, Any] = {}
    if across:
        mlp = hook is not None and hook.endswith("hook_mlp_out")
        d_out = matrix(path, weights, "W_dec").shape[1]
        options = {"d_out": d_out, "out_site": placed(model, hook if mlp else None, d_out), "skip": "W_skip" in weights}
        hook = hook.replace("hook_mlp_out", "mlp.hook_in") if hook and mlp else None
    if site is None:
        site = placed(model, hook, len(renamed["W_enc"]))
    return assemble(folder / FILES[1], "topk", renamed, site=site, name=origin, k=k, **options)


def _hook(folder: Path, origin: str) -> str | None:
    name = origin.rstrip("/").split("/")[-1] if origin else folder.name
    if name == "embed_tokens":
        return "hook_embed"
    found = re.fullmatch(r"layers[._](\d+)(\.mlp)?", name)
    return f"blocks.{found[1]}.{'hook_mlp_out' if found[2] else 'hook_resid_post'}" if found else None


def _model(folder: Path) -> str | None:
    """The model that the run's own config, one folder up, was started with."""
    path = folder.parent / "config.json"
    model = read_json(path, foreign=True).get("model") if path.is_file() else None
    return model.split("/")[-1] if isinstance(model, str) else None
