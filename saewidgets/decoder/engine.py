"""A transformer decoder on plain tensors: the arithmetic of the common families without the Python of a model library.

TransformerLens calls some 25 modules and 15 hook points per layer and lays its weights out anew in every call: at the
bundled model's size that is nine tenths of the time. Here a layer is a dozen or two of tensor operations (`layer`), or
one compiled function where numba is there and few tokens are read (`fused`). What a clamp cannot change is computed once
and kept: the prompt below the edited site, and the unedited model on the prompt.

A `Decoder` knows its architecture as `DecoderParts` and refuses what it does not compute by its name. Whether it gives
what the model gives whose weights it has is seen, not assumed (`proof`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from saewidgets.decoder.attention import Masks, Moving
from saewidgets.decoder.layer import Layer
from saewidgets.decoder.norms import normed, prepared
from saewidgets.decoder.parts import DecoderParts
from saewidgets.decoder.products import Product, plain_product, quick_product
from saewidgets.decoder.weights import DecoderWeights

PREFIXES = 8  # prompts that are kept
PREFIX_BYTES = 128 << 20  # and the most memory that they take together
RESIDUAL_BYTES = 16 << 20  # of one prompt's residual stream that is kept; of a longer one only what is asked for

# An edit: (activation [row, pos, d], position of its first column) -> the same shape.
Function = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Prefix:
    """The unedited model on a prompt."""

    residual: OrderedDict[int, Tensor]  # what flows into some layers, and out of the last, [pos, d_model] each
    cache: tuple[Tensor, ...]  # for each layer the keys and values, [1, pos, 2, kv_head, d_head]
    logits: Tensor  # [1, d_vocab] after the last token

    @property
    def n_bytes(self) -> int:
        """Memory that it takes."""
        return sum(t.nbytes for t in (*self.residual.values(), self.logits, *self.cache))


class Fast(Protocol):
    """A quicker way to compute a layer and the logits for few tokens, such as `fused.Fused`.

    It reads `decoder.parts`, `decoder.weights.layers` (see `LayerWeights`) and, for a rotary table and the gains as they
    are multiplied, `decoder.layers` (see `Layer`).
    """

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
        if (weights.positions is None) != (parts.positions != "learned"):
            raise ValueError(
                f"positions {parts.positions!r} {'without' if weights.positions is None else 'with'} a table"
            )
        self.parts, self.weights = parts, weights
        self.n_ctx = parts.n_ctx
        self.embedding, self.positions = weights.embedding, weights.positions
        self.n_layers, self.d_model = len(weights.layers), weights.embedding.shape[1]
        masks, layers = Masks(), []
        for i, w in enumerate(weights.layers):
            table = parts.table(i)
            layers.append(Layer(parts, i, w, None if table is None else weights.rotaries[table], masks))
        self.layers = layers
        self.norm_final = prepared(weights.norm_final, parts)
        self.embedding_scale = torch.tensor(parts.embedding_scale, dtype=torch.float64).to(self.embedding)
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
        start: int | Moving = 0,
        inner: str = "",
        edit: Function | None = None,
        *,
        last: bool = False,
        product: Product | None = None,
    ) -> Tensor:
        """One layer on x [row, pos, d_model]; the first rows of cache [row, n, 2, kv_head, d_head] take its keys and
        values.

        Without a cache the tokens begin a text, and nothing of them is kept. `edit` acts at the place `inner` within
        the layer. With `last`, only the last token is asked for: [row, pos, d_model] may then hold it alone. `product`
        computes the matrix products, and attention then goes the quickest way too; without one it is the fused layer
        where that is quicker, and else torch's own products and the models' own rounding.
        """
        rows, n, _ = x.shape
        assert edit is None or isinstance(start, int), "an edit's function is told the position as a number"
        at = start if isinstance(start, int) else 0  # what edits are told
        kept = 1 if last and edit is None else n
        stepwise = product is None
        if product is None:
            quick = self.fused if edit is None and isinstance(start, int) else None
            if quick is not None and cache is not None and rows * n <= quick.most:
                return quick.block(index, x, cache, at, kept)
            product = plain_product
        layer = self.layers[index]
        added = layer.attention(x, cache, start, kept, product, stepwise=stepwise)
        x = x[:, n - kept :]
        if inner == "hook_attn_out" and edit is not None:
            added = edit(added, at).clone()  # what the edit gave may be its own
        if self.parts.residual == "parallel":
            out = layer.mlp(x, product)
            if inner == "hook_mlp_out" and edit is not None:
                out = edit(out, at).clone()
            return out.add_(added).add_(x)
        x = added.add_(x)
        if inner == "hook_resid_mid" and edit is not None:
            x = edit(x, at)
        out = layer.mlp(x, product)
        if inner == "hook_mlp_out" and edit is not None:
            out = edit(out, at).clone()
        return out.add_(x)

    # -- before and after the layers ---------------------------------------------------------------------------------

    def embedded(self, tokens: Tensor, start: int | Moving) -> Tensor:
        """Tokens [row, pos] from position `start` on -> what flows into layer 0, [row, pos, d_model]."""
        x = F.embedding(tokens, self.embedding)
        if self.parts.embedding_scale != 1.0:
            x = x * self.embedding_scale
        if self.positions is None:
            return x
        if isinstance(start, Moving):
            return x + self.positions.index_select(0, start.position)
        return x + self.positions[start : start + tokens.shape[1]]

    def logits(self, x: Tensor) -> Tensor:
        """What flows out of the last layer, [row, d_model] -> logits [row, d_vocab]."""
        if self.fused is not None and len(x) <= self.fused.most:
            found = self.fused.logits(x)
            if found is not None:
                return found
        return self.unembedded(x)

    def unembedded(self, x: Tensor) -> Tensor:
        """`logits` by torch's own operations alone."""
        h = x if self.norm_final is None else normed(x, self.norm_final, self.parts)
        found, cap = plain_product(self.weights.unembedding.b, h, self.weights.unembedding.W), self.parts.logit_cap
        return found if cap is None else torch.tanh(found / cap) * cap

    # -- passes over several layers ----------------------------------------------------------------------------------

    def site(self, hook_name: str) -> tuple[int, str] | None:
        """(first layer that an edit there changes, place within it: "" before it), or None where only hooks can reach."""
        parts = hook_name.split(".")
        if len(parts) != 3 or parts[0] != "blocks" or not parts[1].isdecimal() or int(parts[1]) >= self.n_layers:
            return None
        layer, name = int(parts[1]), parts[2]
        if name in ("hook_resid_pre", "hook_resid_post"):
            return layer + (name == "hook_resid_post"), ""
        if self.parts.residual == "parallel" and name == "hook_resid_mid":
            return None  # the MLP reads what attention reads
        return (layer, name) if name in ("hook_attn_out", "hook_resid_mid", "hook_mlp_out") else None

    def place(self, hook_name: str) -> tuple[int, str] | None:
        """`site` for what is only read: the neurons of an MLP (`mlp.hook_post`) as well."""
        before, _, name = hook_name.rpartition(".mlp.")
        if name != "hook_post":
            return self.site(hook_name)
        found = self.site(f"{before}.hook_mlp_out")
        return None if found is None else (found[0], "mlp.hook_post")

    def read(self, tokens: Tensor, hook_name: str) -> Tensor:
        """What flows through a place that `place` knows, [row, pos, d] for tokens int64 [row, pos]; no layer above it is
        computed.

        Many tokens are read so, which is why its products go by the faster exact way that `kernels.product` has found,
        and attention by torch's own, in 16 bits as well.
        Raises ValueError for a site that it does not know.
        """
        place = self.place(hook_name)
        if place is None:
            raise ValueError(f"{hook_name} is no place of the residual stream, nor what attention or MLP adds to it")
        layer, inner = place
        x = self.embedded(tokens, 0)
        # Neurons are read as the models round: in 16 bits what is left of a residual stream's rounding is much of one.
        neurons = inner == "mlp.hook_post"
        for i in range(layer):
            x = self.block(i, x, self.room(*x.shape[:2])) if neurons else self.block(i, x, product=quick_product)
        if not inner:
            return x
        own = self.layers[layer]
        if inner in ("hook_attn_out", "hook_resid_mid") or self.parts.residual != "parallel":
            out = own.attention(x, None, 0, x.shape[1], quick_product, stepwise=neurons)
            if inner == "hook_attn_out":
                return out
            x = out.add_(x)  # what the MLP reads
        if inner == "hook_resid_mid":
            return x
        if inner == "hook_mlp_out":
            return own.mlp(x, quick_product)
        return own.hidden(x, quick_product).view(*x.shape[:2], -1)

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
            x = self.block(i, x, self.room(count, n + more, known), n)
        return torch.cat([first, self.logits(x.flatten(0, 1)).view(count, more, -1)], 1)

    def pushed(self, prompt: Sequence[int], layer: int, at: int, push: Tensor) -> Tensor:
        """Logits [row, d_vocab] after a prompt, with push [row, d_model] added at token `at` to what flows into
        `layer`.

        Tokens before `at` and layers below stay as they are.
        """
        prefix, rows = self.prefix(prompt), len(push)
        x = self.residual(prompt, layer)[at:].repeat(rows, 1, 1)  # [row, pos - at, d_model]
        x[:, 0] += push
        for i in range(layer, self.n_layers):
            cache = self.room(rows, len(prompt), prefix.cache[i][:, :at])
            x = self.block(i, x, cache, at, last=i == self.n_layers - 1)
        return self.logits(x[:, -1])

    def resumed(self, layer: int, x: Tensor, row: Tensor, position: Tensor) -> Tensor:
        """Logits [n, d_vocab] at some tokens (row and position int64 [n]) with x [row, pos, d_model] flowing into
        `layer`.
        """
        return self.logits(self.flown(layer, x)[row, position])

    def flown(self, layer: int, x: Tensor) -> Tensor:
        """What flows out of the last layer, [row, pos, d_model], with x of that shape flowing into `layer`."""
        for i in range(layer, self.n_layers):
            x = self.block(i, x, self.room(*x.shape[:2]))
        return x

    # -- what is kept ------------------------------------------------------------------------------------------------

    def room(self, rows: int, n: int, known: Tensor | None = None) -> Tensor:
        """A cache of one layer for `rows` rows of `n` tokens: empty, or with the keys and values of the first of them,
        known [row, pos, 2, kv_head, d_head] or those of one row for all.
        """
        cache = self.embedding.new_empty(rows, n, 2, self.parts.kv_heads, self.parts.d_head)
        if known is not None:
            cache[:, : known.shape[1]] = known
        return cache

    def prefix(self, tokens: Sequence[int]) -> Prefix:
        """The unedited model on a prompt, from memory where it is there."""
        key = tuple(tokens)
        found = self.prefixes.pop(key, None)
        if found is None:
            x = self.embedded(torch.tensor([key], device=self.embedding.device), 0)
            few = x.nbytes * (self.n_layers + 1) <= RESIDUAL_BYTES
            residual, caches = OrderedDict({0: x[0]} if few else {}), []
            for i in range(self.n_layers):
                caches.append(self.room(1, len(key)))
                x = self.block(i, x, caches[-1], last=not few and i == self.n_layers - 1)
                if few:
                    residual[i + 1] = x[0]
            found = Prefix(residual, tuple(caches), self.logits(x[:, -1]))
        self.prefixes[key] = found  # the latest last
        while len(self.prefixes) > 1 and (
            len(self.prefixes) > PREFIXES or sum(p.n_bytes for p in self.prefixes.values()) > PREFIX_BYTES
        ):
            self.prefixes.popitem(last=False)
        return found

    def residual(self, tokens: Sequence[int], layer: int) -> Tensor:
        """What flows into `layer` of the unedited model on a prompt, [pos, d_model]; out of the last with their number.

        Of a long prompt it is computed when it is asked for, from the nearest layer below, and the latest are kept.
        """
        kept = self.prefix(tokens).residual
        if layer not in kept:
            below = max((i for i in kept if i < layer), default=0)
            x = (
                kept[below][None]
                if below in kept
                else self.embedded(torch.tensor([tokens], device=self.embedding.device), 0)
            )
            for i in range(below, layer):
                x = self.block(i, x)
            kept[layer] = x[0]
            while len(kept) > 1 and sum(t.nbytes for t in kept.values()) > RESIDUAL_BYTES:
                kept.popitem(last=False)
        kept.move_to_end(layer)
        return kept[layer]
