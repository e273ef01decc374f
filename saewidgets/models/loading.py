"""From a name or a folder to a `Model`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from saewidgets.files import LoadError, open_regular, read_json, read_tensors, unknown
from saewidgets.models.model import Model
from saewidgets.models.vocabulary import Vocabulary

BUNDLED = Path(__file__).parents[1] / "miniworld" / "model"
HUB = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "distilgpt2")  # names without a slash that the hub knows
MAX_WEIGHTS = 8 << 30  # bytes: GPT-2 XL in float32 is 6.4 GB
MAX_TOKENIZER = 64 << 20
MAX_TEMPLATE = 1 << 20


def load_model(
    name: str | os.PathLike[str] = "miniworld", *, backend: str = "hooked", device: str | torch.device | None = None
) -> Model:
    """Load a model.

    Args:
        name: "miniworld", bundled and read offline; a folder that holds a GPT-2 in Hugging Face's layout (config.json,
            model.safetensors, tokenizer.json, and of a chat model chat_template.jinja or tokenizer_config.json), read
            offline; or a name on the Hugging Face hub, such as "gpt2".
        backend: "hooked" for a HookedTransformer, "bridge" for a TransformerBridge. TransformerLens 4 has the latter only,
            and it is used there whatever is asked.
        device: None is the CPU; a model as small as the bundled one is quickest there.

    A folder's weights are used as they are (`weight_processing` "none"). A hub model gets TransformerLens's processing, layer
    norms folded and writing weights centered ("folded"), because published SAEs were trained on that.

    Raises:
        ValueError: an unknown name (with the nearest ones) or backend.
        LoadError: a folder that does not hold a sound GPT-2, or a hub model that cannot be had.
        ImportError: TransformerLens is not installed; it comes with the extra `models`.

    Example:
        >>> load_model().d_model  # doctest: +SKIP
        160
    """
    if backend not in ("hooked", "bridge"):
        raise ValueError(unknown("backend", backend, ("hooked", "bridge")))
    device = torch.device("cpu" if device is None else device)
    if name == "miniworld":
        model = _from_folder(BUNDLED, "miniworld", backend, device)
        model.chat_format = "Human: {}\nAssistant:"
        return model
    text = os.fspath(name)
    if os.path.isdir(text):
        return _from_folder(Path(text), Path(text).resolve().name, backend, device)
    if not isinstance(name, str) or text.startswith((".", "/", "~")) or text.count("/") > 1 or "\\" in text:
        raise LoadError(text, "no such folder")
    if text not in HUB and "/" not in text:
        raise ValueError(unknown("model", text, ("miniworld", *HUB)) + "; or give a folder, or owner/name on the hub")
    return _from_hub(text, backend, device)


def _require_transformer_lens() -> None:
    for package in ("transformers", "transformer_lens"):
        try:
            found = find_spec(package) is not None
        except ImportError:
            found = False
        if not found:
            raise ImportError(
                'a language model needs TransformerLens, which is an extra: pip install "saewidgets[models]"'
            )


def _from_hub(name: str, backend: str, device: torch.device) -> Model:
    _require_transformer_lens()
    hooked_class = _hooked_class() if backend == "hooked" else None
    with _quiet():
        try:
            if hooked_class is not None:
                return Model(hooked_class.from_pretrained(name, device=str(device)), name=name)
            from transformer_lens.model_bridge import TransformerBridge

            bridge = TransformerBridge.boot_transformers(name, device=str(device))
            bridge.enable_compatibility_mode(disable_warnings=True)
            return Model(bridge, name=name)
        except Exception as error:  # whatever the hub, the network or TransformerLens raises is one kind of news
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise LoadError(
                name, f"not loaded from the Hugging Face hub ({first}); load_model() needs no network"
            ) from error


def _from_folder(folder: Path, name: str, backend: str, device: torch.device) -> Model:
    _require_transformer_lens()
    config = _read_config(folder / "config.json")
    weights = _read_weights(folder / "model.safetensors", config)
    tokenizer = _read_tokenizer(folder / "tokenizer.json")
    hooked_class = _hooked_class() if backend == "hooked" else None
    facade = _tokenizer_facade(tokenizer, config, folder)
    facade.chat_template = _chat_template(folder)
    with _quiet():
        if hooked_class is not None:
            hooked = _hooked_transformer(hooked_class, config, weights, name)
            # Not `set_tokenizer`, which may ask the hub for a variant that adds a beginning-of-text token by itself.
            hooked.tokenizer = facade
            hooked.cfg.tokenizer_prepends_bos = len(facade.encode("")) > 0
            if device.type != "cpu":
                hooked.to(device)
        else:
            hooked = _bridge(config, weights, name, facade, device)
    model = Model(hooked, name=name, vocabulary=Vocabulary(tokenizer, config["vocab_size"]))
    model.bos_token_id, model.eos_token_id = config["bos_token_id"], config["eos_token_id"]
    model.prepend_bos = model.bos_token_id is not None
    return model


def _read_config(path: Path) -> dict[str, Any]:
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
    if activation not in ("gelu_new", "gelu", "relu", "silu"):
        raise LoadError(path, f"activation_function {activation!r} is not one of gelu_new, gelu, relu, silu")
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


def _read_weights(path: Path, config: dict[str, Any]) -> dict[str, Tensor]:
    """The arrays of a GPT-2 under their names within `transformer.`, in float32, every shape checked."""
    arrays = read_tensors(path, max_bytes=MAX_WEIGHTS, max_tensors=16 + 16 * config["n_layer"])
    found = {name.removeprefix("transformer."): array for name, array in arrays.items()}
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


def _read_tokenizer(path: Path) -> Tokenizer:
    read_json(path, max_bytes=MAX_TOKENIZER)  # bounded, and sound as JSON, before the library sees it
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise LoadError(path, f"not a tokenizer: {error}") from error


def _chat_template(folder: Path) -> str | None:
    """The chat template of a folder: chat_template.jinja, or what tokenizer_config.json says; None where there is none.

    Of several with names, the one called "default" or the only one. It is run, in a sandbox, by `Model.chat` alone.
    """
    path = folder / "chat_template.jinja"
    if path.exists():
        try:
            with open_regular(path, MAX_TEMPLATE) as (file, _size):
                return file.read(MAX_TEMPLATE).decode("utf-8")
        except (OSError, ValueError) as error:
            raise LoadError(path, f"not a chat template: {error}") from error
    path = folder / "tokenizer_config.json"
    found: Any = read_json(path, max_bytes=MAX_TOKENIZER).get("chat_template") if path.exists() else None
    if found is None or isinstance(found, str):
        return found
    entries: list[Any] = found if isinstance(found, list) else [None]
    if not all(
        isinstance(e, dict) and isinstance(e.get("name"), str) and isinstance(e.get("template"), str) for e in entries
    ):
        raise LoadError(path, "chat_template must be a text, or a list of objects with a name and a template")
    named = {entry["name"]: entry["template"] for entry in entries}
    return named.get("default", next(iter(named.values())) if len(named) == 1 else None)


def _tokenizer_facade(tokenizer: Tokenizer, config: dict[str, Any], folder: Path) -> Any:
    """The same tokenizer in the class that TransformerLens expects, so that its own helpers work on `model.hooked`."""
    from transformers import PreTrainedTokenizerFast

    def token(key: str) -> str | None:
        return None if config[key] is None else tokenizer.id_to_token(config[key])

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=token("bos_token_id"),
        eos_token=token("eos_token_id"),
        pad_token=token("eos_token_id"),
        padding_side="right",
        name_or_path=str(folder),  # without these two TransformerLens looks for another tokenizer on the hub
        add_bos_token=True,
    )


def _hooked_class() -> Any:
    """HookedTransformer, or None where TransformerLens no longer has it (4.0 on)."""
    with _quiet():
        import transformer_lens

        try:
            return transformer_lens.HookedTransformer
        except (AttributeError, ImportError):
            return None


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
    wanting = [
        key for key in missing if not key.endswith((".mask", ".IGNORE"))
    ]  # constants that the class makes itself
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


def _bridge(config: dict[str, Any], weights: dict[str, Tensor], name: str, tokenizer: Any, device: torch.device) -> Any:
    """A TransformerBridge over Hugging Face's own GPT-2 with these weights, nothing folded or centered."""
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import GPT2Config, GPT2LMHeadModel

    tied = "lm_head.weight" not in weights
    hf_config = GPT2Config(**{**config, "tie_word_embeddings": tied})
    state = {k if k.startswith("lm_head") else f"transformer.{k}": v for k, v in weights.items()}
    # eager: the other attention kernels give hooks nothing to read, and differ by about 1e-3
    hf_model = GPT2LMHeadModel.from_pretrained(None, config=hf_config, state_dict=state, attn_implementation="eager")
    return TransformerBridge.boot_transformers(
        name, hf_model=hf_model.eval().to(device), tokenizer=tokenizer, device=str(device)
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """No word and no trace: neither deprecations that are our affair, nor progress bars, nor a changed global random state."""
    from transformers.utils import logging as hf_logging

    bars = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()
    try:
        # Hugging Face initializes what the weights then overwrite.
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        if bars:
            hf_logging.enable_progress_bar()
