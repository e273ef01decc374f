"""A lean decode loop for GPT-2's architecture: the same arithmetic as TransformerLens, without its Python.

TransformerLens calls some 25 modules and 15 hook points a layer and lays its weights out anew in every call: at the bundled model's size that is
nine tenths of the time. Here a layer is eleven tensor operations, or one compiled function where numba is there and few tokens
are read (`lean_fused`). What a clamp cannot change is computed once and kept: the prompt below the edited site, and the
unedited model on the prompt.

The loop is used only where it was seen to give what TransformerLens gives: `lean_proof` runs both on the same tokens and compares
logits, residual stream and every site that is edited. For another architecture, and while a hook of the user's own is on the model, it steps aside.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saewidgets.models.lean_fused import Fused
from saewidgets.models.stamp import Stamp

PREFIXES = 8  # prompts that are kept
PREFIX_BYTES = 128 << 20  # and the most memory that they take together

# Modules whose hooks read and change nothing, in a pass that is not their own.
OWN_HOOKS = ("transformer_lens.model_bridge.", "transformers.utils.", "saewidgets.models.")

Function = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Layer:
    """One block's weights, laid out for `x @ W`."""

    ln1: tuple[Tensor | None, Tensor | None]
    W_QKV: Tensor  # [d_model, 3 d_heads]
    b_QKV: Tensor
    W_O: Tensor  # [d_heads, d_model]
    b_O: Tensor
    ln2: tuple[Tensor | None, Tensor | None]
    W_in: Tensor  # [d_model, d_mlp]
    b_in: Tensor
    W_out: Tensor  # [d_mlp, d_model]
    b_out: Tensor


@dataclass(frozen=True)
class Prefix:
    """The unedited model on a prompt."""

    residual: Tensor  # [layer + 1, pos, d_model]: what flows into each layer, and out of the last
    cache: tuple[Tensor, ...]  # for each layer the keys and values, [1, pos, 2, head, d_head]
    logits: Tensor  # [1, d_vocab] after the last token

    @property
    def n_bytes(self) -> int:
        """Memory that it takes."""
        return sum(t.nbytes for t in (self.residual, self.logits, *self.cache))


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "gelu": F.gelu,
    "relu": F.relu,
    "silu": F.silu,
}
_ALSO_CALLED = dict.fromkeys(("gelu_new", "gelu_fast", "gelu_pytorch_tanh"), "gelu_tanh")


class Lean:
    """The weights of one TransformerLens object, laid out, and the prompts that were run through them.

    It holds the weights and never the object, so that neither keeps the other alive.
    """

    def __init__(self, hooked: Any) -> None:
        """Raises AttributeError, KeyError, TypeError or ValueError where the model is not laid out as GPT-2 is."""
        cfg = hooked.cfg
        if cfg.positional_embedding_type != "standard" or cfg.attn_only or cfg.parallel_attn_mlp or cfg.gated_mlp:
            raise ValueError("not GPT-2's architecture")
        if cfg.use_local_attn or getattr(cfg, "attention_dir", "causal") != "causal" or cfg.n_key_value_heads:
            raise ValueError("not GPT-2's attention")
        self.n_heads, self.d_head, self.d_model, self.eps = cfg.n_heads, cfg.d_head, cfg.d_model, float(cfg.eps)
        self.n_layers, self.n_ctx = cfg.n_layers, cfg.n_ctx
        self.activation_name = _ALSO_CALLED.get(cfg.act_fn, cfg.act_fn)
        self.activation = _ACTIVATIONS[self.activation_name]
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
        if len({(p.dtype, p.device) for *_, p in self._places}) != 1:
            raise ValueError("the weights differ in type or place")
        with torch.no_grad():
            self._stamp = Stamp(p for *_, p in self._places)
            self.embed, self.positions = hooked.embed.W_E.detach(), hooked.pos_embed.W_pos.detach()
            self.layers = [_layer(block, self.d_model) for block in hooked.blocks]
            self.ln_final = _norm(hooked.ln_final)
            W_U = hooked.unembed.W_U.detach()  # [d_model, d_vocab]
            b_U = getattr(hooked.unembed, "b_U", None)
            self.W_U = W_U
            self.b_U = torch.zeros_like(W_U[0]) if b_U is None else b_U.detach()
        self.fused: Fused | None = None  # set once both are proven
        self.prefixes: OrderedDict[tuple[int, ...], Prefix] = OrderedDict()
        self.reached: dict[str, bool] = {}  # sites that were tried (`lean_proof.reaches`)

    # -- whether it may be used --------------------------------------------------------------------------------------

    def quiet(self) -> bool:
        """Whether a forward pass is nothing but arithmetic: not in training mode, and no hook on it but those by which a
        TransformerBridge reads for itself."""
        if any(m is None or m.training for m in (ref() for ref in self._switches)):
            return False
        if any(self._hooks):
            for hooks in self._hooks:
                for hook in list(hooks.values()):
                    if not getattr(hook, "__module__", "").startswith(OWN_HOOKS):
                        return False
        return not (nn.modules.module._global_forward_hooks or nn.modules.module._global_forward_pre_hooks)

    def current(self) -> bool:
        """Whether the modules and all their weights are those that were laid out. It reads all of them (see `Stamp`)."""
        for ref, children in self._tree:
            module = ref()
            if module is None or tuple(map(id, module._modules.values())) != children:
                return False
        return self._stamp.holds(place.get(name) for place, name, _ in self._places)

    # -- arithmetic --------------------------------------------------------------------------------------------------

    def site(self, hook_name: str) -> tuple[int, str] | None:
        """(first layer that an edit there changes, place within it: "" before it), or None where only hooks can reach."""
        parts = hook_name.split(".")
        if len(parts) != 3 or parts[0] != "blocks" or not parts[1].isdigit() or int(parts[1]) >= self.n_layers:
            return None
        layer, name = int(parts[1]), parts[2]
        if name in ("hook_resid_pre", "hook_resid_post"):
            return layer + (name == "hook_resid_post"), ""
        return (layer, name) if name in ("hook_attn_out", "hook_resid_mid", "hook_mlp_out") else None

    def embedded(self, tokens: Tensor, start: int) -> Tensor:
        """Tokens [row, pos] from position `start` on -> what flows into layer 0, [row, pos, d_model]."""
        return F.embedding(tokens, self.embed) + self.positions[start : start + tokens.shape[1]]

    def block(
        self,
        index: int,
        x: Tensor,
        cache: Tensor,
        start: int,
        inner: str = "",
        edit: Function | None = None,
        *,
        last: bool = False,
    ) -> Tensor:
        """One layer on x [row, pos, d_model]; the first rows of cache [row, n, 2, head, d_head] take its keys and values.

        `edit` acts at the place `inner` within it. With `last`, only the last token is asked for: [row, pos, d_model] may then
        hold it alone.
        """
        w = self.layers[index]
        rows, n, d = x.shape
        kept = 1 if last and edit is None else n
        if self.fused is not None and edit is None and rows * n <= self.fused.most:
            return self.fused.block(index, x, cache, start, kept)
        h = torch.layer_norm(x, (d,), *w.ln1, self.eps)
        qkv = torch.addmm(w.b_QKV, h.view(-1, d), w.W_QKV).view(rows, n, 3, self.n_heads, self.d_head)
        cache = cache[:rows, : start + n]
        cache[:, start:] = qkv[:, :, 1:]
        q, k, v = qkv[:, n - kept :, 0].transpose(1, 2), cache[:, :, 0].transpose(1, 2), cache[:, :, 1].transpose(1, 2)
        if kept == 1 or start == 0:
            z = F.scaled_dot_product_attention(q, k, v, is_causal=kept > 1)
        else:
            seen = torch.ones(n, start + n, dtype=torch.bool, device=x.device).tril(start)
            z = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        x = x[:, n - kept :]
        z = z.transpose(1, 2).reshape(rows * kept, -1)
        out = torch.addmm(w.b_O, z, w.W_O).view(rows, kept, d)
        if inner == "hook_attn_out" and edit is not None:
            out = edit(out, start)
        x = x + out
        if inner == "hook_resid_mid" and edit is not None:
            x = edit(x, start)
        h = torch.layer_norm(x, (d,), *w.ln2, self.eps)
        h = self.activation(torch.addmm(w.b_in, h.view(-1, d), w.W_in))
        out = torch.addmm(w.b_out, h, w.W_out).view(rows, kept, d)
        if inner == "hook_mlp_out" and edit is not None:
            out = edit(out, start)
        return x + out

    def logits(self, x: Tensor) -> Tensor:
        """What flows out of the last layer, [row, d_model] -> logits [row, d_vocab]."""
        if self.fused is not None and len(x) <= self.fused.most:
            found = self.fused.logits(x)
            if found is not None:
                return found
        return torch.addmm(self.b_U, torch.layer_norm(x, (self.d_model,), *self.ln_final, self.eps), self.W_U)

    def forced(self, prompt: Sequence[int], rows: Tensor) -> Tensor:
        """Logits [row, n, d_vocab] at the last token of a prompt and at all tokens but the last of rows [row, n] after it."""
        prefix, n = self.prefix(prompt), len(prompt)
        count, more = rows.shape[0], rows.shape[1] - 1
        first = prefix.logits.expand(count, 1, -1)
        if not more:
            return first
        x = self.embedded(rows[:, :-1], n)
        for i, known in enumerate(prefix.cache):
            cache = self.room(count, n + more)
            cache[:, :n] = known
            x = self.block(i, x, cache, n)
        return torch.cat([first, self.logits(x.flatten(0, 1)).view(count, more, -1)], 1)

    def pushed(self, prompt: Sequence[int], layer: int, at: int, push: Tensor) -> Tensor:
        """Logits [row, d_vocab] after a prompt, with push [row, d_model] added at token `at` to what flows into `layer`.

        Tokens before `at` and layers below stay as they are. Call it with the model's lock held.
        """
        prefix, rows = self.prefix(prompt), len(push)
        x = prefix.residual[layer, at:].repeat(rows, 1, 1)  # [row, pos - at, d_model]
        x[:, 0] += push
        for i in range(layer, self.n_layers):
            cache = self.room(rows, len(prompt))
            cache[:, :at] = prefix.cache[i][:, :at]
            x = self.block(i, x, cache, at, last=i == self.n_layers - 1)
        return self.logits(x[:, -1])

    def room(self, rows: int, n: int) -> Tensor:
        """An empty cache of one layer for `rows` rows of `n` tokens."""
        return self.embed.new_empty(rows, n, 2, self.n_heads, self.d_head)

    def prefix(self, tokens: Sequence[int]) -> Prefix:
        """The unedited model on a prompt, from memory where it is there. Call it with the model's lock held."""
        key = tuple(tokens)
        found = self.prefixes.pop(key, None)
        if found is None:
            x = self.embedded(torch.tensor([key], device=self.embed.device), 0)
            residual, caches = [x[0]], []
            for i in range(self.n_layers):
                caches.append(self.room(1, len(key)))
                x = self.block(i, x, caches[-1], 0)
                residual.append(x[0])
            found = Prefix(torch.stack(residual), tuple(caches), self.logits(x[:, -1]))
        self.prefixes[key] = found  # the latest last
        while len(self.prefixes) > 1 and (
            len(self.prefixes) > PREFIXES or sum(p.n_bytes for p in self.prefixes.values()) > PREFIX_BYTES
        ):
            self.prefixes.popitem(last=False)
        return found


def _layer(block: Any, d_model: int) -> Layer:
    attn, mlp = block.attn, block.mlp

    def heads(W: Tensor) -> Tensor:  # [head, d_model, d_head] -> [d_model, d_heads]
        return W.detach().transpose(0, 1).reshape(d_model, -1)

    return Layer(
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
