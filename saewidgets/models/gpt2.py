"""A GPT-2 folder in Hugging Face's layout, read without transformers' loader: every key and shape checked, nothing
folded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from saewidgets.files import LoadError, TensorEntry, read_json, read_tensors
from saewidgets.models.bridged import bridge_over, facade, fold, hooked_class, quiet
from saewidgets.models.folder_files import read_chat_template, stored_dtype, weight_files
from saewidgets.models.model import Model
from saewidgets.models.options import Options
from saewidgets.models.tokenizers import read_tokenizer
from saewidgets.models.vocabulary import Vocabulary

MAX_WEIGHTS = 8 << 30  # bytes: GPT-2 XL in float32 is 6.4 GB
ACTIVATIONS = ("gelu_new", "gelu_pytorch_tanh", "gelu", "relu", "silu")


def load_gpt2(folder: Path, name: str, options: Options) -> Model:
    """A `Model` of a GPT-2's folder, as HookedTransformer where there is one and none other is asked for.

    Raises LoadError for a folder that does not hold a sound GPT-2.
    """
    config = read_gpt2_config(folder / "config.json")
    files = weight_files(folder)
    weights = _read_weights(files, config)
    tokenizer = None if options.tokenizer is None else read_tokenizer(folder / "tokenizer.json", config["vocab_size"])
    cls = None if options.backend == "bridge" else hooked_class()
    shown = None if tokenizer is None else facade(tokenizer, _special_tokens(tokenizer, config), folder)
    if shown is not None:
        shown.chat_template = read_chat_template(folder)
    if options.tokenizer != "auto":
        shown = options.tokenizer
    dtype = stored_dtype(files) if options.dtype is None else options.dtype
    with quiet():
        if cls is not None:
            hooked = _hooked_transformer(cls, config, weights, name)
            # Not `set_tokenizer`, which may ask the hub for a variant that adds a beginning-of-text token by itself.
            hooked.tokenizer = shown
            hooked.cfg.tokenizer_prepends_bos = shown is not None and len(shown.encode("")) > 0
            if dtype != torch.float32:
                hooked.to(dtype)
            if options.device.type != "cpu":
                hooked.to(options.device)
        else:
            hooked = bridge_over(_hf_gpt2(config, weights).to(dtype), shown, name, options.device)
        if options.weight_processing == "folded":
            fold(hooked)
    vocabulary = (
        Vocabulary(tokenizer, config["vocab_size"]) if tokenizer is not None and options.tokenizer == "auto" else None
    )
    model = Model(hooked, name=name, vocabulary=vocabulary)
    model.bos_token_id, model.eos_token_id = config["bos_token_id"], config["eos_token_id"]
    model.prepend_bos = model.bos_token_id is not None
    return model


def read_gpt2_config(path: Path) -> dict[str, Any]:
    """A GPT-2's config.json with defaults filled in; LoadError names the key that is wrong."""
    config = read_json(path)
    if config.get("model_type") != "gpt2":
        raise LoadError(path, f"model_type is {config.get('model_type')!r}; a folder is read if it holds a 'gpt2'")
    for key, most in (
        ("n_layer", 512),
        ("n_embd", 1 << 16),
        ("n_head", 1 << 10),
        ("vocab_size", 1 << 22),
        ("n_positions", 1 << 20),
    ):
        value = config.get(key)
        if type(value) is not int or not 1 <= value <= most:
            raise LoadError(path, f"{key} must be a whole number from 1 to {most:,}, not {value!r}")
    if config["n_embd"] % config["n_head"]:
        raise LoadError(path, f"n_embd = {config['n_embd']} is not a multiple of n_head = {config['n_head']}")
    d_mlp = config.get("n_inner") or 4 * config["n_embd"]
    if type(d_mlp) is not int or not 1 <= d_mlp <= 1 << 18:
        raise LoadError(path, f"n_inner must be a whole number, not {d_mlp!r}")
    eps = config.setdefault("layer_norm_epsilon", 1e-5)
    if type(eps) is not float or not 0 < eps < 1:
        raise LoadError(path, f"layer_norm_epsilon must lie between 0 and 1, not {eps!r}")
    activation = config.setdefault("activation_function", "gelu_new")
    if activation not in ACTIVATIONS:
        raise LoadError(path, f"activation_function {activation!r} is not one of {', '.join(ACTIVATIONS)}")
    for key, plain in (
        ("scale_attn_weights", True),
        ("scale_attn_by_inverse_layer_idx", False),
        ("add_cross_attention", False),
    ):
        if config.get(key, plain) is not plain:
            raise LoadError(path, f"{key} must be {plain}")
    for key in ("bos_token_id", "eos_token_id"):
        value = config.setdefault(key, None)
        if value is not None and (type(value) is not int or not 0 <= value < config["vocab_size"]):
            raise LoadError(path, f"{key} must be a token of the vocabulary, not {value!r}")
    return config | {"n_inner": d_mlp}


def _read_weights(files: dict[Path, dict[str, TensorEntry]], config: dict[str, Any]) -> dict[str, Tensor]:
    """The arrays of a GPT-2 under their names within `transformer.`, in float32, every shape checked."""
    found: dict[str, np.ndarray] = {}
    for file in files:
        arrays = read_tensors(file, max_bytes=MAX_WEIGHTS, max_tensors=16 + 16 * config["n_layer"])
        found |= {name.removeprefix("transformer."): array for name, array in arrays.items()}
    path = next(iter(files)) if len(files) == 1 else next(iter(files)).parent
    shapes = _shapes(config)
    if "lm_head.weight" in found:  # absent where it is tied to the embedding
        shapes["lm_head.weight"] = shapes["wte.weight"]
    for name, shape in shapes.items():
        if name not in found:
            raise LoadError(path, f"{name} is missing")
        if found[name].shape != shape or found[name].dtype.kind != "f":
            is_ = f"{found[name].dtype} {list(found[name].shape)}"
            raise LoadError(path, f"{name} is {is_}, expected floats {list(shape)}")
    return {name: torch.from_numpy(found[name].astype(np.float32, copy=False)) for name in shapes}


def _shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    d, m = config["n_embd"], config["n_inner"]
    shapes: dict[str, tuple[int, ...]] = {
        "wte.weight": (config["vocab_size"], d),
        "wpe.weight": (config["n_positions"], d),
    }
    block = {
        "ln_1": (d,),
        "attn.c_attn": (d, 3 * d),
        "attn.c_proj": (d, d),
        "ln_2": (d,),
        "mlp.c_fc": (d, m),
        "mlp.c_proj": (m, d),
    }
    for layer in range(config["n_layer"]):
        for part, shape in block.items():
            shapes[f"h.{layer}.{part}.weight"] = shape
            shapes[f"h.{layer}.{part}.bias"] = shape[-1:]
    return shapes | {"ln_f.weight": (d,), "ln_f.bias": (d,)}


def _special_tokens(tokenizer: Tokenizer, config: dict[str, Any]) -> dict[str, str]:
    texts = {key: tokenizer.id_to_token(config[f"{key}_id"] or 0) for key in ("bos_token", "eos_token")}
    return {key: text for key, text in texts.items() if text is not None and config[f"{key}_id"] is not None}


def _hooked_transformer(hooked_class: Any, config: dict[str, Any], weights: dict[str, Tensor], name: str) -> Any:
    """A HookedTransformer with these weights, nothing folded or centered, nothing initialized twice."""
    from transformer_lens import HookedTransformerConfig

    d, n_heads = config["n_embd"], config["n_head"]
    cfg = HookedTransformerConfig(
        n_layers=config["n_layer"],
        d_model=d,
        n_heads=n_heads,
        d_head=d // n_heads,
        d_mlp=config["n_inner"],
        d_vocab=config["vocab_size"],
        n_ctx=config["n_positions"],
        act_fn=config["activation_function"],
        normalization_type="LN",
        eps=config["layer_norm_epsilon"],
        model_name=name,
        original_architecture="GPT2LMHeadModel",
        default_prepend_bos=config["bos_token_id"] is not None,
        init_weights=False,
        device="cpu",
    )
    hooked = hooked_class(cfg, move_to_device=False)
    state = _hooked_state(weights, config["n_layer"], n_heads)
    missing, unexpected = hooked.load_state_dict(state, strict=False)
    # Constants that the class makes itself.
    wanting = [key for key in missing if not key.endswith((".mask", ".IGNORE"))]
    if wanting or unexpected:
        raise RuntimeError(f"this TransformerLens lays GPT-2 out differently: {[*wanting, *unexpected][:4]}")
    return hooked.eval()


def _hooked_state(weights: dict[str, Tensor], n_layers: int, n_heads: int) -> dict[str, Tensor]:
    """GPT-2's arrays under HookedTransformer's names and shapes."""
    W_U = weights.get("lm_head.weight", weights["wte.weight"]).T
    state = {
        "embed.W_E": weights["wte.weight"],
        "pos_embed.W_pos": weights["wpe.weight"],
        "ln_final.w": weights["ln_f.weight"],
        "ln_final.b": weights["ln_f.bias"],
        "unembed.W_U": W_U,
        "unembed.b_U": torch.zeros(W_U.shape[1], dtype=torch.float32),
    }
    for layer in range(n_layers):
        at, to = f"h.{layer}.", f"blocks.{layer}."
        for hf, tl in (("ln_1", "ln1"), ("ln_2", "ln2")):
            state |= {f"{to}{tl}.w": weights[f"{at}{hf}.weight"], f"{to}{tl}.b": weights[f"{at}{hf}.bias"]}
        # One matrix holds [q | k | v], each with its heads side by side.
        for letter, W, b in zip(
            "QKV",
            weights[f"{at}attn.c_attn.weight"].chunk(3, -1),
            weights[f"{at}attn.c_attn.bias"].chunk(3),
            strict=True,
        ):
            state[f"{to}attn.W_{letter}"] = W.unflatten(-1, (n_heads, -1)).transpose(0, 1)  # [head, d_model, d_head]
            state[f"{to}attn.b_{letter}"] = b.unflatten(0, (n_heads, -1))
        state[f"{to}attn.W_O"] = weights[f"{at}attn.c_proj.weight"].unflatten(
            0, (n_heads, -1)
        )  # [head, d_head, d_model]
        state[f"{to}attn.b_O"] = weights[f"{at}attn.c_proj.bias"]
        for hf, tl in (("c_fc", "in"), ("c_proj", "out")):
            state |= {
                f"{to}mlp.W_{tl}": weights[f"{at}mlp.{hf}.weight"],
                f"{to}mlp.b_{tl}": weights[f"{at}mlp.{hf}.bias"],
            }
    return state


def _hf_gpt2(config: dict[str, Any], weights: dict[str, Tensor]) -> Any:
    """Hugging Face's own GPT-2 with these weights."""
    from transformers import GPT2Config, GPT2LMHeadModel

    tied = "lm_head.weight" not in weights
    hf_config = GPT2Config(**{**config, "tie_word_embeddings": tied})
    state = {k if k.startswith("lm_head") else f"transformer.{k}": v for k, v in weights.items()}
    # eager: the other attention kernels give hooks nothing to read, and differ by about 1e-3
    return GPT2LMHeadModel.from_pretrained(None, config=hf_config, state_dict=state, attn_implementation="eager")
