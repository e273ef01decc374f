"""How a TransformerLens object is laid out, in a decoder's words: its parts, and its weights where they lie.

A TransformerBridge names the same components in every family (`blocks[i].attn.q`, `ln1_post`, `mlp.gate`), each over a
module of transformers, so its parts are read from those modules; a HookedTransformer says them in its configuration. What
is said here is a guess until it is proven (`decoder.proof`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from saewidgets.decoder import DecoderParts, DecoderWeights, LayerWeights, Linear, Norm, Rotary, joined

# The names of others -> ours.
_ACTIVATION_NAMES = dict.fromkeys(("gelu_new", "gelu_fast", "gelu_pytorch_tanh"), "gelu_tanh") | {"swish": "silu"}

# Scalings of RoPE whose angles depend on the length of the text.
_CHANGING_ROPE = ("dynamic", "longrope")

# What a configuration calls a way of attention that only a long text would show, and that is not known here.
_LONG_TEXTS = (
    "attention_layers",
    "attention_chunk_size",
    "attention_window",
    "attn_temperature_tuning",
    "llama_4_scaling_beta",
    "use_dynamic_ntk",
    "use_logn_attn",
    "window_size",
)

# Whose blocks TransformerLens 3 builds with ln1 and ln2 after attention and MLP, and nothing before them.
POST_NORM = ("Olmo2ForCausalLM", "Olmo3ForCausalLM")

SMALL = 16 << 20  # bytes of all query, key and value weights up to which they are put in one matrix by copying


def laid_out(hooked: Any) -> tuple[DecoderParts, DecoderWeights]:
    """The parts and weights of a TransformerLens object.

    Raises ValueError for parts that a decoder does not compute, AttributeError, KeyError, TypeError or ValueError where
    it is not laid out as is known here.
    """
    if hasattr(hooked, "original_model"):
        return _bridged(hooked)
    parts = parts_of(hooked.cfg)
    parts.check()
    return _hooked(hooked, parts)


def parts_of(cfg: Any) -> DecoderParts:
    """What a TransformerLens configuration says of its model's parts, in a `Decoder`'s words.

    A word that is TransformerLens's alone stays as it is, to be refused. A setting that is not there counts as GPT-2's:
    the numbers decide.

    Example:
        >>> parts_of(load_model("gpt2").hooked.cfg).not_computed()  # doctest: +SKIP
        []
    """

    def said(name: str, default: Any = None) -> Any:
        return getattr(cfg, name, default)

    def cap(name: str) -> float | None:
        value = said(name)
        return None if value is None or value <= 0 else float(value)  # -1: none

    norm = str(said("normalization_type")).removesuffix("Pre")
    norm = "rms" if said("uses_rms_norm") else {"LN": "layer", "RMS": "rms"}.get(norm, norm)
    scale = said("attn_scale", -1.0)
    positions, direction, d_head = cfg.positional_embedding_type, said("attention_dir", "causal"), cfg.d_head
    embedding_scale = said("scale_embedding") or 1.0
    return DecoderParts(
        n_ctx=cfg.n_ctx,
        n_heads=cfg.n_heads,
        d_head=d_head,
        n_kv_heads=said("n_key_value_heads"),
        norm=norm,
        norm_eps=float(cfg.eps),
        norm_place="around"
        if said("use_normalization_before_and_after")
        else "after"
        if said("original_architecture") in POST_NORM
        else "before",
        embedding_norm=bool(said("post_embedding_ln")),
        positions="learned" if positions == "standard" else str(positions),
        attention=str(direction),
        windows=tuple(cfg.window_size if kind == "local" else None for kind in cfg.attn_types)
        if said("use_local_attn")
        else None,
        attention_scale=1.0 if not said("use_attn_scale", True) else 1 / float(scale) if scale and scale > 0 else None,
        attention_scale_by_layer=bool(said("scale_attn_by_inverse_layer_idx")),
        qk_norm="head" if said("use_qk_norm") else "none",
        score_cap=cap("attn_scores_soft_cap"),
        mlp="none"
        if said("attn_only")
        else "experts"
        if said("num_experts")
        else "gated"
        if said("gated_mlp")
        else "plain",
        activation=_ACTIVATION_NAMES.get(cfg.act_fn, str(cfg.act_fn)),
        residual="parallel" if said("parallel_attn_mlp") else "sequential",
        embedding_scale=float(cfg.d_model**0.5 if embedding_scale is True else embedding_scale),
        logit_cap=cap("output_logits_soft_cap"),
    )


# -- a HookedTransformer ---------------------------------------------------------------------------------------------


def _hooked(hooked: Any, parts: DecoderParts) -> tuple[DecoderParts, DecoderWeights]:
    """Parts and weights of a HookedTransformer. Its weights per head are laid out anew."""
    gated = parts.mlp == "gated"
    places = {
        "before": ("ln1", "ln2", "", ""),
        "around": ("ln1", "ln2", "ln1_post", "ln2_post"),
        "after": ("", "", "ln1", "ln2"),
    }
    first = hooked.blocks[0].attn
    if getattr(first, "q_norm", None) is not None and first.q_norm.w.shape[0] != parts.d_head:
        parts = replace(parts, qk_norm="whole")

    def layer(block: Any) -> LayerWeights:
        attn, mlp = block.attn, block.mlp
        kv = [getattr(attn, f"_{name}", getattr(attn, name)) for name in ("W_K", "W_V", "b_K", "b_V")]
        W = torch.cat([_heads(w) for w in (attn.W_Q, *kv[:2])], 1)
        b = torch.cat([b.detach().reshape(-1) for b in (attn.b_Q, *kv[2:])])
        plain = Linear(mlp.W_in.detach(), mlp.b_in.detach())
        before, before_mlp, after, after_mlp = (
            _norm(getattr(block, name)) if name else None for name in places[parts.norm_place]
        )
        return LayerWeights(
            qkv=(Linear(W, b),),
            out=Linear(attn.W_O.detach().flatten(0, 1), attn.b_O.detach()),
            mlp_in=(Linear(mlp.W_gate.detach(), None), plain) if gated else (plain,),
            mlp_out=Linear(mlp.W_out.detach(), mlp.b_out.detach()),
            norm_attention=before,
            norm_mlp=before_mlp,
            norm_attention_out=after,
            norm_mlp_out=after_mlp,
            norm_q=None if parts.qk_norm == "none" else _norm(attn.q_norm),
            norm_k=None if parts.qk_norm == "none" else _norm(attn.k_norm),
        )

    tables: list[Rotary] = []
    if parts.positions == "rotary":
        parts, tables = _hooked_rotary(hooked, parts)
    return parts, DecoderWeights(
        embedding=hooked.embed.W_E.detach(),
        positions=hooked.pos_embed.W_pos.detach() if parts.positions == "learned" else None,
        layers=[layer(block) for block in hooked.blocks],
        norm_final=_norm(hooked.ln_final),
        unembedding=Linear(hooked.unembed.W_U.detach(), hooked.unembed.b_U.detach()),
        rotaries=tables,
    )


def _hooked_rotary(hooked: Any, parts: DecoderParts) -> tuple[DecoderParts, list[Rotary]]:
    """The tables that a HookedTransformer's layers turn by, each once; the layers may have more than one base."""
    cfg, bases, tables, numbers = hooked.cfg, [], [], []
    for block in hooked.blocks:
        base = block.attn._rotary_base()
        if base not in bases:
            sin, cos = block.attn.calculate_sin_cos_rotary(cfg.rotary_dim, cfg.n_ctx, base=base, dtype=cfg.dtype)
            bases.append(base)
            tables.append(Rotary.of_tables(cos, sin, "adjacent" if cfg.rotary_adjacent_pairs else "halves"))
        numbers.append(bases.index(base))
    return replace(parts, rotary=tuple(numbers)), tables


def _heads(W: Tensor) -> Tensor:
    """[head, d_model, d_head] -> [d_model, head * d_head]."""
    return W.detach().transpose(0, 1).flatten(1)


def _norm(norm: Any) -> Norm:
    """Gain and bias of a norm; none where they are folded into the next weights."""
    gain, bias = (getattr(norm, short, getattr(norm, long, None)) for short, long in (("w", "weight"), ("b", "bias")))
    return Norm(None if gain is None else gain.detach(), None if bias is None else bias.detach())


# -- a TransformerBridge ---------------------------------------------------------------------------------------------


def _bridged(bridge: Any) -> tuple[DecoderParts, DecoderWeights]:
    """Parts and weights of a TransformerBridge, from the modules of transformers below its components."""
    blocks, cfg, config = list(bridge.blocks), bridge.cfg, bridge.original_model.config.get_text_config()
    attention = [_bare(block.attn) for block in blocks]
    first = blocks[0]
    rotary = "rotary_emb" in bridge._modules
    norm_place, places = _norm_places(first)
    said = parts_of(cfg)
    parts = replace(
        said,
        n_kv_heads=_linear(first.attn.k).W.shape[1] // cfg.d_head,
        **_norm_parts(_bare(getattr(first, next(name for name in places[::-1] if name)))),
        norm_place=norm_place,
        positions="rotary" if rotary else said.positions,
        attention=_attention_kind(config),
        windows=_windows(config, attention),
        attention_scale=getattr(attention[0], "scaling", None),
        attention_scale_by_layer=bool(getattr(config, "scale_attn_by_inverse_layer_idx", False)),
        qk_norm=_qk_norm(first.attn, cfg.d_head),
        score_cap=getattr(attention[0], "attn_logit_softcapping", None),
        mlp="experts" if "experts" in first.mlp.submodules else "gated" if hasattr(first.mlp, "gate") else "plain",
        activation=_activation(config),
        residual="parallel" if type(first).__name__.startswith("Parallel") else "sequential",
        embedding_scale=float(getattr(_bare(bridge.embed), "embed_scale", 1.0)),
        logit_cap=getattr(config, "final_logit_softcapping", None),
    )
    parts.check()
    tables: list[Rotary] = []
    if rotary:
        tables, numbers = _rotaries(_bare(bridge.rotary_emb), config, attention)
        parts = replace(parts, rotary=numbers)
    size = sum(_linear(m).W.nbytes for block in blocks for m in (block.attn.q, block.attn.k, block.attn.v))
    return parts, DecoderWeights(
        embedding=_bare(bridge.embed).weight.detach(),
        positions=_bare(bridge.pos_embed).weight.detach() if parts.positions == "learned" else None,
        layers=[_bridged_layer(block, parts, copied=size <= SMALL) for block in blocks],
        norm_final=_norm(_bare(bridge.ln_final)),
        unembedding=_linear(bridge.unembed),
        rotaries=tables,
    )


def _bridged_layer(block: Any, parts: DecoderParts, *, copied: bool) -> LayerWeights:
    attn, mlp = block.attn, block.mlp
    _, places = _norm_places(block)
    before, before_mlp, after, after_mlp = (_norm(_bare(getattr(block, name))) if name else None for name in places)
    gated = [mlp.gate, getattr(mlp, "in")] if parts.mlp == "gated" else [getattr(mlp, "in")]
    return LayerWeights(
        qkv=_together([_linear(m) for m in (attn.q, attn.k, attn.v)], copied=copied),
        out=_linear(attn.o),
        mlp_in=_together([_linear(m) for m in gated], copied=False),
        mlp_out=_linear(mlp.out),
        norm_attention=before,
        norm_mlp=before_mlp,
        norm_attention_out=after,
        norm_mlp_out=after_mlp,
        norm_q=_norm(_bare(attn.q_norm)) if parts.qk_norm != "none" else None,
        norm_k=_norm(_bare(attn.k_norm)) if parts.qk_norm != "none" else None,
    )


def _bare(module: Any) -> Any:
    """The module of transformers below a bridge's component, or below several."""
    while getattr(module, "original_component", None) is not None:
        module = module.original_component
    return module


def _linear(component: Any) -> Linear:
    """The map of a linear module: nn.Linear keeps [d_out, d_in], Conv1D [d_in, d_out]."""
    module = _bare(component)
    W, b = module.weight.detach(), getattr(module, "bias", None)
    return Linear(W.T if isinstance(module, nn.Linear) else W, None if b is None else b.detach())


def _together(linears: list[Linear], *, copied: bool) -> tuple[Linear, ...]:
    """One map where the matrices are neighbors in memory, or may be copied; else each for itself."""
    one = joined(linears)
    if one is None and copied and len({linear.b is None for linear in linears}) == 1:
        biases = [linear.b for linear in linears if linear.b is not None]
        matrices = [linear.W for linear in linears]
        turned = all(W.t().is_contiguous() for W in matrices)  # [out, in] in memory, as a fused layer reads them
        W = torch.cat([W.t() for W in matrices]).t() if turned else torch.cat(matrices, 1)
        one = Linear(W, torch.cat(biases) if biases else None)
    return tuple(linears) if one is None else (one,)


def _norm_places(block: Any) -> tuple[str, tuple[str, str, str, str]]:
    """Where a block's norms stand, and the names of those before attention and MLP, and after them; "" for none.

    TransformerLens 3 calls norms ln1 that follow attention and have nothing before it; that is what attention adds then.
    """
    if "ln1_post" in block.submodules:
        around = "ln1" in block.submodules
        return ("around" if around else "after"), (*(("ln1", "ln2") if around else ("", "")), "ln1_post", "ln2_post")
    if str(block.hook_aliases.get("hook_attn_out", "")).startswith("ln1."):
        return "after", ("", "", "ln1", "ln2")
    return "before", ("ln1", "ln2", "", "")


def _norm_parts(norm: Any) -> dict[str, Any]:
    """What kind of norm a module is. How an RMSNorm takes its gain is seen by asking it."""
    eps = getattr(norm, "eps", getattr(norm, "variance_epsilon", None))
    if isinstance(norm, nn.LayerNorm):
        return {"norm": "layer", "norm_eps": float(norm.eps)}
    if "RMSNorm" not in type(norm).__name__ or not isinstance(eps, float):
        return {"norm": type(norm).__name__}
    weight = norm.weight.detach()
    x = torch.linspace(-3, 2, len(weight), device=weight.device).to(weight.dtype)
    with torch.no_grad():
        given = norm(x[None])[0].float()
    wide = x.float()
    wide = wide * torch.rsqrt(wide.pow(2).mean() + eps)
    ways = {}
    for offset in (0.0, 1.0):
        ways[offset, "before gain"] = (wide.to(weight.dtype) * (weight + offset)).float()
        ways[offset, "after gain"] = (wide * (weight.float() + offset)).to(weight.dtype).float()
    offset, rounds = min(ways, key=lambda way: float((ways[way] - given).abs().sum()))
    return {"norm": "rms", "norm_eps": eps, "norm_offset": offset, "norm_rounds": rounds}


def _qk_norm(attn: Any, d_head: int) -> str:
    if "q_norm" not in attn.submodules:
        return "none"
    return "head" if _bare(attn.q_norm).weight.shape[-1] == d_head else "whole"


def _attention_kind(config: Any) -> str:
    """ "causal", or the first word by which a configuration says something else."""
    said = [kind for kind in getattr(config, "layer_types", None) or () if kind not in _KINDS]
    rope = getattr(config, "rope_parameters", None) or {}
    said += [name for name in _LONG_TEXTS if getattr(config, name, None) or rope.get(name)]
    return said[0] if said else "causal"


_KINDS = ("full_attention", "sliding_attention")


def _windows(config: Any, attention: list[Any]) -> tuple[int | None, ...] | None:
    """How many tokens each layer sees: as its attention says, or the configuration where that says nothing."""
    window = getattr(config, "sliding_window", None)
    if getattr(config, "use_sliding_window", True) is False:
        window = None
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * len(attention)
    said = [window if kind == "sliding_attention" else None for kind in kinds]
    found = tuple(getattr(module, "sliding_window", own) for module, own in zip(attention, said, strict=True))
    return found if any(found) else None


def _activation(config: Any) -> str:
    names = [getattr(config, name, None) for name in ("hidden_activation", "hidden_act", "activation_function")]
    name = next((str(name) for name in names if name is not None), "none")
    return _ACTIVATION_NAMES.get(name, name)


def _rotaries(rotary: Any, config: Any, attention: list[Any]) -> tuple[list[Rotary], tuple[int | None, ...]]:
    """The rotary tables of a model, and which of them each layer has."""
    kinds = [getattr(module, "layer_type", None) for module in attention]
    types = getattr(rotary, "rope_type", "default")
    changing = [t for t in (types.values() if isinstance(types, dict) else [types]) if t in _CHANGING_ROPE]
    if changing:
        raise ValueError(
            f"a Decoder does not compute positions {changing[0]!r}: its angles depend on the text's length"
        )
    pairs = "adjacent" if getattr(config, "rotary_adjacent_pairs", False) else "halves"
    if isinstance(getattr(rotary, "inv_freq", None), Tensor):
        found, options, numbers = [(rotary.inv_freq, rotary.attention_scaling)], {}, [0] * len(kinds)
    else:
        names = sorted({str(kind) for kind in kinds})
        found = [(getattr(rotary, f"{n}_inv_freq"), getattr(rotary, f"{n}_attention_scaling")) for n in names]
        options, numbers = {"layer_type": names[0]}, [names.index(str(kind)) for kind in kinds]
    x = torch.zeros(1, 1, 1, dtype=torch.bfloat16, device=found[0][0].device)
    wide = rotary(x, torch.zeros(1, 1, dtype=torch.long, device=x.device), **options)[0].dtype == torch.float32
    tables = [Rotary(inv_freq, scale, pairs=pairs, wide=wide) for inv_freq, scale in found]
    used = [getattr(module, "use_rope", True) for module in attention]
    return tables, tuple(number if use else None for number, use in zip(numbers, used, strict=True))
