"""Activations at one site for many tokens: GPT-2's arithmetic without TransformerLens's Python, up to the site and no further.

Where `lean_proof` has seen that the lean weights give what TransformerLens gives, a forward pass for training an SAE is a few
dozen tensor operations: queries, keys and values in one product, attention without its pattern, and each product by the faster
exact way that `kernels.product` has found. A site is read so only after its activations on probe rows were seen to be
TransformerLens's; any other is left to hooks.
"""

from __future__ import annotations

import weakref

import torch
import torch.nn.functional as F
from torch import Tensor

from saewidgets.kernels.product import product
from saewidgets.models.lean import Lean
from saewidgets.models.lean_proof import TOLERANCE
from saewidgets.models.model import Model

_PROBE = (3, 24)  # rows and tokens on which a site is compared
_READ: weakref.WeakKeyDictionary[Lean, dict[str, bool]] = weakref.WeakKeyDictionary()  # sites that were tried


def fast_activations(model: Model, tokens: Tensor, hook_name: str) -> Tensor | None:
    """`model.activations(tokens, hook_name)`, [batch, pos, d] for int64 [batch, pos], to float rounding; None where only hooks can.

    Tokens as for `Model.activations`: padding (negative) on the right.
    """
    if tokens.ndim != 2 or not tokens.numel() or tokens.shape[1] > model.n_ctx or int(tokens.max()) >= model.d_vocab:
        return None  # `Model.activations` says what is wrong
    if getattr(type(model), "activations", None) is not Model.activations:
        return None  # it has a way of its own
    with model.lock, torch.no_grad():
        lean = model._lean()
        if lean is None or not lean.quiet() or not _proven(lean, model, hook_name):
            return None
        return _read(lean, tokens.to(model.device).clamp(min=0), hook_name)


def _proven(lean: Lean, model: Model, hook_name: str) -> bool:
    known = _READ.setdefault(lean, {})
    if hook_name not in known:
        known[hook_name] = False
        if lean.site(hook_name) is not None:
            rows, n = _PROBE[0], min(_PROBE[1], lean.n_ctx)
            ids = torch.arange(rows * n, device=lean.embed.device).view(rows, n)
            ids = (7919 * ids + 104729) % lean.embed.shape[0]
            found, expected = _read(lean, ids, hook_name), model.activations(ids, hook_name)
            known[hook_name] = found.shape == expected.shape and bool(
                (found - expected).abs().max() <= TOLERANCE * expected.abs().max().clamp(min=1.0)
            )
    return known[hook_name]


def _read(lean: Lean, tokens: Tensor, hook_name: str) -> Tensor:
    """[batch, pos, d] at a site that `lean` has; tokens are int64 [batch, pos]."""
    site = lean.site(hook_name)
    assert site is not None
    last, inner = site
    x = lean.embedded(tokens, 0)
    for index in range(last):
        x = _block(lean, index, x, "")
    return _block(lean, last, x, inner) if inner else x


def _block(lean: Lean, index: int, x: Tensor, inner: str) -> Tensor:
    """One layer on x [batch, pos, d_model]: what leaves it, or what stands at the place `inner` within it."""
    w = lean.layers[index]
    batch, n, d = x.shape
    h = torch.layer_norm(x, (d,), *w.ln1, lean.eps).view(-1, d)
    q, k, v = _times(h, w.W_QKV, w.b_QKV).view(batch, n, 3, lean.n_heads, lean.d_head).permute(2, 0, 3, 1, 4)
    z = F.scaled_dot_product_attention(q, k, v, is_causal=n > 1).transpose(1, 2).reshape(batch * n, -1)
    out = _times(z, w.W_O, w.b_O).view(batch, n, d)
    if inner == "hook_attn_out":
        return out
    x = out.add_(x)
    if inner == "hook_resid_mid":
        return x
    h = torch.layer_norm(x, (d,), *w.ln2, lean.eps).view(-1, d)
    out = _times(lean.activation(_times(h, w.W_in, w.b_in)), w.W_out, w.b_out).view(batch, n, d)
    return out if inner == "hook_mlp_out" else out.add_(x)


def _times(a: Tensor, b: Tensor, bias: Tensor) -> Tensor:
    """a @ b + bias, in fresh memory."""
    if a.device.type != "cpu" or a.dtype != torch.float32:
        return torch.addmm(bias, a, b)
    return product(a, b, bias, out=a.new_empty(len(a), b.shape[1]))
