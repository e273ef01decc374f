"""A transformer decoder on plain tensors: GPT-2's arithmetic without the Python of a model library.

TransformerLens calls some 25 modules and 15 hook points per layer and lays its weights out anew in every call: at the
bundled model's size that is nine tenths of the time. Here a layer is eleven tensor operations, or one compiled function
where numba is there and few tokens are read (`fused`). What a clamp cannot change is computed once and kept: the prompt
below the edited site, and the unedited model on the prompt.

A `Decoder` knows its architecture as `DecoderParts`, computes GPT-2's and refuses every other part by its name. Whether
it gives what the model gives whose weights it has is seen, not assumed (`proof`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from saewidgets.decoder.parts import ACTIVATIONS, DecoderParts
from saewidgets.kernels.product import product as chosen_product

PREFIXES = 8  # prompts that are kept
PREFIX_BYTES = 128 << 20  # and the most memory that they take together

# An edit: (activation [row, pos, d], position of its first column) -> the same shape.
Function = Callable[[Tensor, int], Tensor]
Product = Callable[[Tensor, Tensor, Tensor], Tensor]  # (bias [p], a [n, m], W [m, p]) -> a W + bias, as `torch.addmm`
# Gain and bias, [d_model] each; None where folded into the weights that follow.
Norm = tuple[Tensor | None, Tensor | None]


@dataclass(frozen=True)
class LayerWeights:
    """The weights of one layer, laid out for `x @ W`; d_heads = n_heads * d_head."""

    norm_attention: Norm
    W_QKV: Tensor  # [d_model, 3 d_heads]
    b_QKV: Tensor
    W_O: Tensor  # [d_heads, d_model]
    b_O: Tensor
    norm_mlp: Norm
    W_in: Tensor  # [d_model, d_mlp]
    b_in: Tensor
    W_out: Tensor  # [d_mlp, d_model]
    b_out: Tensor


@dataclass(frozen=True)
class DecoderWeights:
    """All weights of a decoder. They are used where they lie: none is copied, and a change in place is a change of the
    decoder.
    """

    embedding: Tensor  # [d_vocab, d_model]
    positions: Tensor  # [n_ctx, d_model]
    layers: Sequence[LayerWeights]
    norm_final: Norm
    W_U: Tensor  # [d_model, d_vocab]
    b_U: Tensor  # [d_vocab]

    def tensors(self) -> list[Tensor]:
        """All of them in one list."""
        parts = [vars(self), *map(vars, self.layers)]
        flat = [
            t for part in parts for value in part.values() for t in (value if isinstance(value, tuple) else (value,))
        ]
        return [t for t in flat if isinstance(t, Tensor)]


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


class Fast(Protocol):
    """A quicker way to compute a layer and the logits for few tokens, such as `fused.Fused`."""

    most: int  # tokens up to which it is to be used

    def block(self, index: int, x: Tensor, cache: Tensor, start: int, kept: int) -> Tensor:
        """`Decoder.block` at the last `kept` tokens of x [row, pos, d_model]."""
        ...

    def logits(self, x: Tensor) -> Tensor | None:
        """`Decoder.logits`, or None where it has no way of its own."""
        ...


class Decoder:
    """A decoder of given parts over given weights, and the prompts that were run through it.

    Call it within `torch.no_grad()`, in one thread at a time: prompts and caches are shared.

    Example:
        >>> decoder = Decoder(parts, weights)  # doctest: +SKIP
        >>> decoder.logits(decoder.read(tokens, "blocks.5.hook_resid_post")[:, -1])  # of 6 layers  # doctest: +SKIP
    """

    def __init__(self, parts: DecoderParts, weights: DecoderWeights) -> None:
        """Raises ValueError for parts that it does not compute, or weights that do not fit them or each other."""
        parts.check()
        kinds = {(str(t.dtype), str(t.device)) for t in weights.tensors()}
        if len(kinds) != 1:
            raise ValueError(f"the weights differ in type or place: {', '.join(sorted(map(' on '.join, kinds)))}")
        self.parts, self.weights = parts, weights
        self.n_heads, self.d_head, self.n_ctx, self.eps = parts.n_heads, parts.d_head, parts.n_ctx, parts.norm_eps
        self.activation = ACTIVATIONS[parts.activation]
        self.embedding, self.positions, self.layers = weights.embedding, weights.positions, weights.layers
        self.norm_final, self.W_U, self.b_U = weights.norm_final, weights.W_U, weights.b_U
        self.n_layers, self.d_model = len(weights.layers), weights.embedding.shape[1]
        expected = [self.d_model, 3 * self.n_heads * self.d_head]
        for i, layer in enumerate(self.layers):
            if list(layer.W_QKV.shape) != expected:
                raise ValueError(
                    f"W_QKV of layer {i} is {list(layer.W_QKV.shape)}, and {self.n_heads} heads of {self.d_head} on {self.d_model} "
                    f"dimensions need {expected}"
                )
        self.fused: Fast | None = None  # set once both are proven
        self.prefixes: OrderedDict[tuple[int, ...], Prefix] = OrderedDict()
        self.reached: dict[str, bool] = {}  # sites whose edits were tried (`proof.reaches`)
        self.readable: dict[str, bool] = {}  # sites that were read and compared (`proof.reads`)

    # -- one layer ---------------------------------------------------------------------------------------------------

    def block(
        self,
        index: int,
        x: Tensor,
        cache: Tensor | None = None,
        start: int = 0,
        inner: str = "",
        edit: Function | None = None,
        *,
        last: bool = False,
        product: Product | None = None,
    ) -> Tensor:
        """One layer on x [row, pos, d_model]; the first rows of cache [row, n, 2, head, d_head] take its keys and
        values.

        Without a cache the tokens begin a text, and nothing of them is kept. `edit` acts at the place `inner` within
        the layer. With `last`, only the last token is asked for: [row, pos, d_model] may then hold it alone. `product`
        computes the matrix products; without one it is the fused layer where that is quicker, and else `torch.addmm`.
        """
        rows, n, _ = x.shape
        kept = 1 if last and edit is None else n
        if product is None:
            if self.fused is not None and edit is None and cache is not None and rows * n <= self.fused.most:
                return self.fused.block(index, x, cache, start, kept)
            product = torch.addmm
        out = self._attention(index, x, cache, start, kept, product)
        x = x[:, n - kept :]
        if inner == "hook_attn_out" and edit is not None:
            out = edit(out, start).clone()  # what the edit gave may be its own
        x = out.add_(x)
        if inner == "hook_resid_mid" and edit is not None:
            x = edit(x, start)
        out = self._mlp(index, x, product)
        if inner == "hook_mlp_out" and edit is not None:
            out = edit(out, start).clone()
        return out.add_(x)

    def _attention(
        self, index: int, x: Tensor, cache: Tensor | None, start: int, kept: int, product: Product
    ) -> Tensor:
        """What attention adds to the last `kept` tokens of x [row, pos, d_model], in fresh memory."""
        w = self.layers[index]
        rows, n, d = x.shape
        h = torch.layer_norm(x, (d,), *w.norm_attention, self.eps)
        qkv = product(w.b_QKV, h.view(-1, d), w.W_QKV).view(rows, n, 3, self.n_heads, self.d_head)
        if cache is None:
            known = qkv[:, :, 1:]
        else:
            known = cache[:rows, : start + n]
            known[:, start:] = qkv[:, :, 1:]
        q, k, v = qkv[:, n - kept :, 0].transpose(1, 2), known[:, :, 0].transpose(1, 2), known[:, :, 1].transpose(1, 2)
        if kept == 1 or start == 0:
            z = F.scaled_dot_product_attention(q, k, v, is_causal=kept > 1)
        else:
            seen = torch.ones(n, start + n, dtype=torch.bool, device=x.device).tril(start)
            z = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        z = z.transpose(1, 2).reshape(rows * kept, -1)
        return product(w.b_O, z, w.W_O).view(rows, kept, d)

    def _mlp(self, index: int, x: Tensor, product: Product) -> Tensor:
        """What the MLP adds to x [row, pos, d_model], in fresh memory."""
        w, d = self.layers[index], x.shape[-1]
        h = torch.layer_norm(x, (d,), *w.norm_mlp, self.eps)
        h = self.activation(product(w.b_in, h.view(-1, d), w.W_in))
        return product(w.b_out, h, w.W_out).view(x.shape)

    # -- before and after the layers ---------------------------------------------------------------------------------

    def embedded(self, tokens: Tensor, start: int) -> Tensor:
        """Tokens [row, pos] from position `start` on -> what flows into layer 0, [row, pos, d_model]."""
        return F.embedding(tokens, self.embedding) + self.positions[start : start + tokens.shape[1]]

    def logits(self, x: Tensor) -> Tensor:
        """What flows out of the last layer, [row, d_model] -> logits [row, d_vocab]."""
        if self.fused is not None and len(x) <= self.fused.most:
            found = self.fused.logits(x)
            if found is not None:
                return found
        return torch.addmm(self.b_U, torch.layer_norm(x, (self.d_model,), *self.norm_final, self.eps), self.W_U)

    # -- passes over several layers ----------------------------------------------------------------------------------

    def site(self, hook_name: str) -> tuple[int, str] | None:
        """(first layer that an edit there changes, place within it: "" before it), or None where only hooks can reach."""
        parts = hook_name.split(".")
        if len(parts) != 3 or parts[0] != "blocks" or not parts[1].isdecimal() or int(parts[1]) >= self.n_layers:
            return None
        layer, name = int(parts[1]), parts[2]
        if name in ("hook_resid_pre", "hook_resid_post"):
            return layer + (name == "hook_resid_post"), ""
        return (layer, name) if name in ("hook_attn_out", "hook_resid_mid", "hook_mlp_out") else None

    def read(self, tokens: Tensor, hook_name: str) -> Tensor:
        """What flows through a site that `site` knows, [row, pos, d_model] for tokens int64 [row, pos]; no layer above
        it is computed.

        Many tokens are read so, which is why its products go by the faster exact way that `kernels.product` has found.
        Raises ValueError for a site that it does not know.
        """
        site = self.site(hook_name)
        if site is None:
            raise ValueError(f"{hook_name} is no place of the residual stream, nor what attention or MLP adds to it")
        layer, inner = site
        x = self.embedded(tokens, 0)
        for i in range(layer):
            x = self.block(i, x, product=quick_product)
        if not inner:
            return x
        out = self._attention(layer, x, None, 0, x.shape[1], quick_product)
        if inner == "hook_attn_out":
            return out
        x = out.add_(x)
        return x if inner == "hook_resid_mid" else self._mlp(layer, x, quick_product)

    def forced(self, prompt: Sequence[int], rows: Tensor) -> Tensor:
        """Logits [row, n, d_vocab] at the last token of a prompt and at all tokens but the last of rows [row, n] after
        it.
        """
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
        """Logits [row, d_vocab] after a prompt, with push [row, d_model] added at token `at` to what flows into
        `layer`.

        Tokens before `at` and layers below stay as they are.
        """
        prefix, rows = self.prefix(prompt), len(push)
        x = prefix.residual[layer, at:].repeat(rows, 1, 1)  # [row, pos - at, d_model]
        x[:, 0] += push
        for i in range(layer, self.n_layers):
            cache = self.room(rows, len(prompt))
            cache[:, :at] = prefix.cache[i][:, :at]
            x = self.block(i, x, cache, at, last=i == self.n_layers - 1)
        return self.logits(x[:, -1])

    def resumed(self, layer: int, x: Tensor, row: Tensor, position: Tensor) -> Tensor:
        """Logits [n, d_vocab] at some tokens (row and position int64 [n]) with x [row, pos, d_model] flowing into
        `layer`.
        """
        for i in range(layer, self.n_layers):
            x = self.block(i, x, self.room(*x.shape[:2]))
        return self.logits(x[row, position])

    # -- what is kept ------------------------------------------------------------------------------------------------

    def room(self, rows: int, n: int) -> Tensor:
        """An empty cache of one layer for `rows` rows of `n` tokens."""
        return self.embedding.new_empty(rows, n, 2, self.n_heads, self.d_head)

    def prefix(self, tokens: Sequence[int]) -> Prefix:
        """The unedited model on a prompt, from memory where it is there."""
        key = tuple(tokens)
        found = self.prefixes.pop(key, None)
        if found is None:
            x = self.embedded(torch.tensor([key], device=self.embedding.device), 0)
            residual, caches = [x[0]], []
            for i in range(self.n_layers):
                caches.append(self.room(1, len(key)))
                x = self.block(i, x, caches[-1])
                residual.append(x[0])
            found = Prefix(torch.stack(residual), tuple(caches), self.logits(x[:, -1]))
        self.prefixes[key] = found  # the latest last
        while len(self.prefixes) > 1 and (
            len(self.prefixes) > PREFIXES or sum(p.n_bytes for p in self.prefixes.values()) > PREFIX_BYTES
        ):
            self.prefixes.popitem(last=False)
        return found


def quick_product(bias: Tensor, a: Tensor, W: Tensor) -> Tensor:
    """a [n, m] W [m, p] + bias [p] by the way that `kernels.product` has chosen on this machine, in fresh memory.

    That knows float32 on the CPU; for anything else it is `torch.addmm`.
    """
    if a.device.type != "cpu" or a.dtype != torch.float32:
        return torch.addmm(bias, a, W)
    return chosen_product(a, W, bias, out=a.new_empty(len(a), W.shape[1]))
