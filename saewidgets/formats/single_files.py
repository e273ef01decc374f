"""SAEs that are one `.pt` or `.pth` file each, a state dict, with all that is said of them in the file's name and its
folder's.

| producer | file | arrays | here |
|---|---|---|---|
| Qwen-Scope | `SAE-Res-<model>-W32K-L0_50/layer3.sae.pt` | W_enc [d_sae, d_in], W_dec [d_in, d_sae], b_enc, b_dec | topk, k from L0, b_dec not subtracted |
| Goodfire | `Llama-3.1-8B-Instruct-SAE-l19.pth` | encoder_linear.weight [d_sae, d_in], .bias, decoder_linear likewise | relu, b_dec not subtracted |
| qresearch | `DeepSeek-R1-Distill-Llama-8B-SAE-l19.pt` | encoder.weight [d_sae, d_in], .bias, decoder likewise | relu, b_dec not subtracted |
| Kissane et al. 2024 | `gpt2-small_L3_Hcat_z_....pt`, `..._cfg.json` | W_enc [d_in, d_sae], W_dec, b_enc, b_dec | relu, b_dec subtracted, heads' outputs |

All are one vector per token of `blocks.n.hook_resid_post`, but for the last, which are of `blocks.n.attn.hook_z`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from saewidgets.files import LoadError, read_json, short
from saewidgets.formats.assemble import assemble, matrix, named_text, placed
from saewidgets.records import ActivationSite
from saewidgets.sae import SAE

_PLAIN = {"W_enc", "W_dec", "b_enc", "b_dec"}
_QWEN = re.compile(r"SAE-Res-([\w.-]+)-W\d+K-L0_(\d+)/layer(\d+)\.sae\.pt$")
_NAMED = re.compile(r"(?:^|/)(Llama-[\w.-]+B-Instruct|DeepSeek-R1-Distill-Llama-8B)-SAE-l(\d+)\.pth?$")
_OWNERS = {"Llama": "meta-llama", "DeepSeek": "deepseek-ai"}


def recognizes(state: dict[str, Any]) -> bool:
    """Whether these are the arrays of such a file."""
    names = set(state)
    return names in (_PLAIN, _linear("encoder_linear", "decoder_linear"), _linear("encoder", "decoder"))


def from_state(path: Path, state: dict[str, Any], *, origin: str, site: ActivationSite | None) -> SAE:
    """The SAE of a state dict. Raises LoadError."""
    about = path.with_name(path.name.removesuffix(".pt") + "_cfg.json")
    if set(state) == _PLAIN and about.is_file():
        return _of_heads(path, about, state, origin=origin, site=site)
    if set(state) == _PLAIN:
        return _qwen_scope(path, state, origin=origin, site=site)
    encoder, decoder = (
        next(n.removesuffix(".weight") for n in state if n.startswith(w) and n.endswith(".weight"))
        for w in ("enc", "dec")
    )
    weights = {
        "W_enc": matrix(path, state, f"{encoder}.weight").T,
        "W_dec": matrix(path, state, f"{decoder}.weight").T,
        "b_enc": state[f"{encoder}.bias"],
        "b_dec": state[f"{decoder}.bias"],
    }
    named = _NAMED.search(origin)
    if site is None and named:
        model = f"{_OWNERS[named[1].split('-')[0]]}/{named[1]}"
        site = placed(model, f"blocks.{int(named[2])}.hook_resid_post", len(weights["W_enc"]))
    return assemble(path, "relu", weights, site=site, name=origin)


def _qwen_scope(path: Path, state: dict[str, Any], *, origin: str, site: ActivationSite | None) -> SAE:
    named = _QWEN.search(origin)
    if not named:
        raise LoadError(
            path,
            "how many features are on, and where it reads, stand in the names of a Qwen-Scope file and its folder: keep them, as "
            "in SAE-Res-Qwen3-1.7B-Base-W32K-L0_50/layer3.sae.pt",
        )
    weights = state | {name: matrix(path, state, name).T for name in ("W_enc", "W_dec")}
    if site is None:
        site = placed(f"Qwen/{named[1]}", f"blocks.{int(named[3])}.hook_resid_post", len(weights["W_enc"]))
    k = int(named[2])
    return assemble(path, "topk", weights, site=site, name=origin, k=k, apply_b_dec_to_input=False)


def _of_heads(path: Path, about: Path, state: dict[str, Any], *, origin: str, site: ActivationSite | None) -> SAE:
    cfg = read_json(about, foreign=True)
    W_enc = matrix(path, state, "W_enc")
    for name, size in zip(("act_size", "dict_size"), W_enc.shape, strict=True):
        if cfg.get(name, size) != size:
            raise LoadError(about, f"{name} = {short(cfg[name])}, and W_enc is {list(W_enc.shape)}")
    if site is None:
        model = named_text(about, cfg, "model_name") or "gpt2-small"
        site = placed(model, named_text(about, cfg, "act_name"), len(W_enc))
    return assemble(path, "relu", state, site=site, name=origin, apply_b_dec_to_input=True)


def _linear(encoder: str, decoder: str) -> set[str]:
    return {f"{layer}.{part}" for layer in (encoder, decoder) for part in ("weight", "bias")}
