"""One layer of a decoder on plain tensors: what attention adds to the residual stream, and what the MLP adds."""

from __future__ import annotations

from torch import Tensor

from saewidgets.decoder.attention import Masks, Moving, attended
from saewidgets.decoder.norms import normed, prepared
from saewidgets.decoder.parts import ACTIVATIONS, DecoderParts
from saewidgets.decoder.positions import Rotary
from saewidgets.decoder.products import Product
from saewidgets.decoder.weights import LayerWeights, Norm


class Layer:
    """A layer of given parts over given weights. Its number decides on its window, rotary table and scale."""

    def __init__(
        self, parts: DecoderParts, index: int, weights: LayerWeights, rotary: Rotary | None, masks: Masks
    ) -> None:
        """Raises ValueError for weights that do not fit the parts."""
        _fit(parts, index, weights)
        self.parts, self.weights, self.rotary, self.masks = parts, weights, rotary, masks
        self.scale, self.window = parts.scale(index), parts.window(index)
        self.activation = ACTIVATIONS[parts.activation]
        w = weights
        self.norm_attention, self.norm_mlp, self.norm_attention_out, self.norm_mlp_out, self.norm_q, self.norm_k = (
            prepared(norm, parts)
            for norm in (
                w.norm_attention, w.norm_mlp, w.norm_attention_out, w.norm_mlp_out, w.norm_q, w.norm_k,
            )
        )  # fmt: skip

    def attention(
        self,
        x: Tensor,
        cache: Tensor | None,
        start: int | Moving,
        kept: int,
        product: Product,
        *,
        stepwise: bool = True,
    ) -> Tensor:
        """What attention adds to the last `kept` tokens of x [row, pos, d_model], in fresh memory.

        With `stepwise`, 16 bits are rounded as the models round them; without, it is quicker, and nearer to float32.

        The first rows of cache [row, n, 2, kv_head, d_head] take the keys and values; without one the tokens begin a
        text. Of one token the position may be the device's: all of the cache is then looked at, behind a mask.
        """
        rows, n, d = x.shape
        q, k, v = self._queries(self._normed(x, self.norm_attention), start, kept, product)
        if isinstance(start, Moving):
            assert cache is not None
            known_k, known_v = cache[:rows, :, 0], cache[:rows, :, 1]
            known_k.index_copy_(1, start.position, k)
            known_v.index_copy_(1, start.position, v)
            seen = start.of(cache.shape[1], self.window)
        elif cache is None:
            known_k, known_v, seen = k, v, self.masks.of(start + n, kept, self.window)
        else:
            known = cache[:rows, : start + n]
            known[:, start:, 0], known[:, start:, 1] = k, v
            known_k, known_v, seen = known[:, :, 0], known[:, :, 1], self.masks.of(start + n, kept, self.window)
        z = attended(q, known_k, known_v, seen, self.scale, self.parts.score_cap, stepwise=stepwise)
        out = product(self.weights.out.b, z.view(rows * kept, -1), self.weights.out.W).view(rows, kept, d)
        return self._normed(out, self.norm_attention_out)

    def mlp(self, x: Tensor, product: Product) -> Tensor:
        """What the MLP adds to x [row, pos, d_model], in fresh memory."""
        w, hidden = self.weights, self.hidden(x, product)
        return self._normed(product(w.mlp_out.b, hidden, w.mlp_out.W).view(x.shape), self.norm_mlp_out)

    def hidden(self, x: Tensor, product: Product) -> Tensor:
        """The neurons of the MLP on x [row, pos, d_model], [row * pos, d_mlp]: with a gate, its activation function times
        the other.
        """
        rows, w = self._normed(x, self.norm_mlp).reshape(-1, x.shape[-1]), self.weights
        first = [product(linear.b, rows, linear.W) for linear in w.mlp_in]
        if self.parts.mlp == "gated":
            gate, up = first if len(first) == 2 else first[0].chunk(2, -1)
            return self.activation(gate) * up
        return self.activation(first[0])

    def _queries(self, x: Tensor, start: int | Moving, kept: int, product: Product) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of the last `kept` tokens of x [row, pos, d_model], keys and values of all, [row, pos, head, d_head]."""
        parts, (rows, n, d) = self.parts, x.shape
        heads, kv, d_head = parts.n_heads, parts.kv_heads, parts.d_head
        flat, sizes = x.reshape(rows * n, d), [heads * d_head, kv * d_head, kv * d_head]
        found = [product(linear.b, flat, linear.W) for linear in self.weights.qkv]
        q, k, v = (t.view(rows, n, -1) for t in (found if len(found) == 3 else found[0].split(sizes, -1)))
        q = q[:, n - kept :]
        if parts.qk_norm == "whole":
            q, k = self._normed(q, self.norm_q), self._normed(k, self.norm_k)
        q, k, v = (t.unflatten(-1, (-1, d_head)) for t in (q, k, v))
        if parts.qk_norm == "head":
            q, k = self._normed(q, self.norm_q), self._normed(k, self.norm_k)
        if self.rotary is not None:
            at, last = (start.position,) * 2 if isinstance(start, Moving) else (start, start + n - kept)
            q, k = self.rotary.turned(q, last), self.rotary.turned(k, at)
        return q, k, v

    def _normed(self, x: Tensor, norm: Norm | None) -> Tensor:
        return x if norm is None else normed(x, norm, self.parts)


def _fit(parts: DecoderParts, index: int, w: LayerWeights) -> None:
    """Raises ValueError for weights of a layer that do not fit the parts or each other."""
    d, d_q, d_kv = w.out.W.shape[1], parts.n_heads * parts.d_head, parts.kv_heads * parts.d_head
    heads = f"{parts.n_heads} heads of {parts.d_head}, {parts.kv_heads} with keys and values, on {d} dimensions"
    found, needed = [list(linear.W.shape) for linear in w.qkv], [[d, d_q], [d, d_kv], [d, d_kv]]
    if found not in (needed, [[d, d_q + 2 * d_kv]]):
        raise ValueError(f"W_QKV of layer {index} is {found}, and {heads} need {[d, d_q + 2 * d_kv]} or {needed}")
    d_mlp, gates = w.mlp_out.W.shape[0], 1 + (parts.mlp == "gated")
    found = [list(linear.W.shape) for linear in w.mlp_in]
    if found not in ([[d, gates * d_mlp]], [[d, d_mlp]] * gates):
        raise ValueError(
            f"W_in of layer {index} is {found}, and a {parts.mlp} MLP of {d_mlp} needs {[d, gates * d_mlp]}"
        )
    wanted = {
        "norm_attention": parts.norm_place != "after", "norm_mlp": parts.norm_place != "after",
        "norm_attention_out": parts.norm_place != "before", "norm_mlp_out": parts.norm_place != "before",
        "norm_q": parts.qk_norm != "none", "norm_k": parts.qk_norm != "none",
    }  # fmt: skip
    wrong = [name for name, there in wanted.items() if (getattr(w, name) is not None) != there]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} of layer {index}: norms {parts.norm_place}, q/k norm {parts.qk_norm!r}")
