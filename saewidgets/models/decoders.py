"""The decoder of a TransformerLens object: its parts and weights, read once, and whether they are still what was read.

A decoder is used only where it was seen to give what TransformerLens gives: `decoder.proof` runs both on the same
tokens and compares logits, residual stream and every site that is edited or read. For another architecture, and while a
hook of the user's own is on the model, it steps aside.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from saewidgets.decoder import Decoder, DecoderParts, DecoderWeights, LayerWeights, WeightStamp, fused_of, proven

# Modules whose hooks read and change nothing, in a pass that is not their own.
OWN_HOOKS = ("transformer_lens.model_bridge.", "transformers.utils.", "saewidgets.models.")

# TransformerLens's -> ours.
_ACTIVATION_NAMES = dict.fromkeys(("gelu_new", "gelu_fast", "gelu_pytorch_tanh"), "gelu_tanh")

# What is known of each TransformerLens object: its decoder, or None where it has none.
_KNOWN: weakref.WeakKeyDictionary[nn.Module, HookedDecoder | None] = weakref.WeakKeyDictionary()
_GUARD = threading.Lock()


class HookedDecoder(Decoder):
    """The decoder of a TransformerLens object, which knows whether that is still what it was and would do nothing else.

    It holds the weights and never the object, so that neither keeps the other alive.
    """

    def __init__(self, hooked: Any) -> None:
        """Raises AttributeError, KeyError, TypeError or ValueError where the model is not laid out as GPT-2 is."""
        parts = parts_of(hooked.cfg)
        parts.check()
        self._places = [
            (module._parameters, name, parameter)
            for module in hooked.modules()
            for name, parameter in module._parameters.items()
            if parameter is not None
        ]
        # By weak references, and the children by number: a number is taken again only once its module is gone.
        self._tree = [(weakref.ref(m), tuple(map(id, m._modules.values()))) for m in hooked.modules()]
        self._hooks = [hooks for m in hooked.modules() for hooks in (m._forward_hooks, m._forward_pre_hooks)]
        self._switches = [
            weakref.ref(m) for m in (hooked, getattr(hooked, "original_model", None)) if isinstance(m, nn.Module)
        ]
        with torch.no_grad():
            self._stamp = WeightStamp(p for *_, p in self._places)
            super().__init__(parts, weights_of(hooked))

    def quiet(self) -> bool:
        """Whether a forward pass is nothing but arithmetic: not in training mode, and no hook on it but those by which
        a TransformerBridge reads for itself.
        """
        if any(m is None or m.training for m in (ref() for ref in self._switches)):
            return False
        if any(self._hooks):
            for hooks in self._hooks:
                for hook in list(hooks.values()):
                    if not getattr(hook, "__module__", "").startswith(OWN_HOOKS):
                        return False
        return not (nn.modules.module._global_forward_hooks or nn.modules.module._global_forward_pre_hooks)

    def current(self) -> bool:
        """Whether the modules and all their weights are those that were laid out. It reads all of them (see
        `WeightStamp`).
        """
        for ref, children in self._tree:
            module = ref()
            if module is None or tuple(map(id, module._modules.values())) != children:
                return False
        return self._stamp.holds(place.get(name) for place, name, _ in self._places)


def decoder_of(
    hooked: nn.Module, forward: Callable[[Tensor], Tensor], read: Callable[[Tensor, str], Tensor]
) -> HookedDecoder | None:
    """The decoder of a model, proven on first use and after every change of its weights, or None where it has none.

    `forward(tokens)` and `read(tokens, hook name)` are the model's own passes. Call it with the model's lock held.
    """
    with _GUARD:
        known = _KNOWN.get(hooked, ...)
    if isinstance(known, HookedDecoder) and known.current():
        return known
    if known is None:
        return None
    try:
        decoder: HookedDecoder | None = HookedDecoder(hooked)
    except (AttributeError, TypeError, ValueError, RuntimeError, KeyError):
        decoder = None
    if decoder is not None and not decoder.quiet():
        return None  # not now; another time it may be
    if decoder is not None and not proven(decoder, forward, read):
        decoder = None
    if decoder is not None:
        decoder.fused = fused_of(decoder)
        if decoder.fused is not None and not proven(decoder, forward, read):
            decoder.fused = None
    with _GUARD:
        _KNOWN[hooked] = decoder
    return decoder


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
        norm_place="around" if said("use_normalization_before_and_after") else "before",
        embedding_norm=bool(said("post_embedding_ln")),
        positions="learned" if positions == "standard" else str(positions),
        attention="local" if said("use_local_attn") else str(direction),
        attention_scale=1.0 if not said("use_attn_scale", True) else 1 / float(scale) if scale and scale > 0 else None,
        attention_scale_by_layer=bool(said("scale_attn_by_inverse_layer_idx")),
        qk_norm=bool(said("use_qk_norm")),
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


def weights_of(hooked: Any) -> DecoderWeights:
    """The weights of a TransformerLens object of GPT-2's layout. Only those per head are laid out anew."""
    W_U = hooked.unembed.W_U.detach()  # [d_model, d_vocab]
    b_U = getattr(hooked.unembed, "b_U", None)
    return DecoderWeights(
        embedding=hooked.embed.W_E.detach(),
        positions=hooked.pos_embed.W_pos.detach(),
        layers=[_layer(block, W_U.shape[0]) for block in hooked.blocks],
        norm_final=_norm(hooked.ln_final),
        W_U=W_U,
        b_U=torch.zeros_like(W_U[0]) if b_U is None else b_U.detach(),
    )


def _layer(block: Any, d_model: int) -> LayerWeights:
    attn, mlp = block.attn, block.mlp

    def heads(W: Tensor) -> Tensor:  # [head, d_model, d_head] -> [d_model, d_heads]
        return W.detach().transpose(0, 1).reshape(d_model, -1)

    return LayerWeights(
        _norm(block.ln1),
        torch.cat([heads(attn.W_Q), heads(attn.W_K), heads(attn.W_V)], 1),
        torch.cat([b.detach().reshape(-1) for b in (attn.b_Q, attn.b_K, attn.b_V)]),
        attn.W_O.detach().reshape(-1, d_model),
        attn.b_O.detach(),
        _norm(block.ln2),
        *(w.detach() for w in (mlp.W_in, mlp.b_in, mlp.W_out, mlp.b_out)),
    )


def _norm(norm: Any) -> tuple[Tensor | None, Tensor | None]:
    """(gain, bias) of a layer norm; (None, None) where they are folded into the next weights."""
    gain, bias = (getattr(norm, short, getattr(norm, long, None)) for short, long in (("w", "weight"), ("b", "bias")))
    return (None if gain is None else gain.detach()), (None if bias is None else bias.detach())
