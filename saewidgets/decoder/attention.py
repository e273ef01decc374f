"""Causal attention over keys and values in a cache: of as many heads as there are queries, or of fewer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CELLS = 1 << 24  # scores at a time where they are written out: 64 MB of float32


class Seen:
    """Which keys the last queries of a pass see: every key up to their own, or the last `window` of those."""

    def __init__(self, total: int, queries: int, window: int | None) -> None:
        """`total` tokens are known, of which the last `queries` ask; `window` counts the token itself; None: all."""
        self.total, self.queries = total, queries
        self.window = window if window is not None and window < total else None
        self.all = queries == 1 and self.window is None
        self.triangle = queries == total and self.window is None
        self._mask: Tensor | None = None

    def mask(self, device: torch.device) -> Tensor:
        """bool [queries, total], made once."""
        if self._mask is None or self._mask.device != device:
            before = self.total - self.queries
            with torch.inference_mode(False):  # kept, and a gradient may need it
                mask = torch.ones(self.queries, self.total, dtype=torch.bool, device=device).tril(before)
                self._mask = mask if self.window is None else mask.triu(before + 1 - self.window)
        return self._mask


class Moving:
    """The position of the one token of a pass, which the device alone knows, in caches of a fixed length: what a step
    needs whose shapes never change, so that it can be captured once and run again (`graphs`).
    """

    def __init__(self, position: Tensor) -> None:
        """`position` is int64 [1]."""
        self.position = position
        self._seen: dict[tuple[int, int | None], Seen] = {}

    def of(self, total: int, window: int | None) -> Seen:
        """The token sees all of `total` places up to its own, or the last `window` of those."""
        found = self._seen.get((total, window))
        if found is None:
            place = torch.arange(total, device=self.position.device)
            mask = place <= self.position
            if window is not None and window < total:
                mask = mask & (place > self.position - window)
            found = self._seen[total, window] = Seen(total, 1, window)
            found.all, found._mask = False, mask[None]
        return found


class Masks:
    """What is seen in the pass that is under way, so that its layers share one mask."""

    def __init__(self) -> None:
        self._kept: dict[int | None, tuple[tuple[int, int], Seen]] = {}

    def of(self, total: int, queries: int, window: int | None) -> Seen:
        """See `Seen`."""
        known = self._kept.get(window)
        if known is None or known[0] != (total, queries):
            known = self._kept[window] = ((total, queries), Seen(total, queries, window))
        return known[1]


def attended(q: Tensor, k: Tensor, v: Tensor, seen: Seen, scale: float, cap: float | None, *, stepwise: bool) -> Tensor:
    """What queries q [row, n, head, d_head] gather from k and v [row, m, kv_head, d_head], [row, n, head * d_head].

        softmax(mask(cap tanh(q k scale / cap))) v

    Head h reads key and value head h // (head / kv_head). It goes through torch's own attention, or step by step where
    there is a cap or 16 bits are to be rounded as the models round them (`stepwise`): the scores, and the shares after
    a softmax in float32.
    """
    rows, n, heads, d = q.shape
    kv = k.shape[2]
    group = heads // kv
    k, v = k.transpose(1, 2), v.transpose(1, 2)  # [row, kv_head, m, d_head]
    if cap is None and (q.dtype == torch.float32 or not stepwise):
        if seen.all:  # the heads of a group are as several queries
            z = F.scaled_dot_product_attention(q.reshape(rows, kv, group, d), k, v, scale=scale)
            return z.reshape(rows, 1, heads * d)
        mask = None if seen.triangle else seen.mask(q.device)
        z = F.scaled_dot_product_attention(
            q.transpose(1, 2), k, v, attn_mask=mask, is_causal=seen.triangle, scale=scale, enable_gqa=group > 1
        )
        return z.transpose(1, 2).reshape(rows, n, heads * d)
    q = q.unflatten(2, (kv, group)).permute(0, 2, 3, 1, 4)  # [row, kv_head, group, n, d_head]
    mask, step = None if seen.all else seen.mask(q.device), max(1, CELLS // (rows * heads * seen.total))
    parts = [
        _stepwise(q[:, :, :, at : at + step], k, v, None if mask is None else mask[at : at + step], scale, cap)
        for at in range(0, n, step)
    ]
    z = parts[0] if len(parts) == 1 else torch.cat(parts, 3)
    return z.permute(0, 3, 1, 2, 4).reshape(rows, n, heads * d)


def _stepwise(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float, cap: float | None) -> Tensor:
    """The same with every step written out, for q [row, kv_head, group, n, d_head]; its shape."""
    rows, kv, group, n, d = q.shape
    scores = (q.reshape(rows, kv, group * n, d) @ k.transpose(-1, -2)).view(rows, kv, group, n, -1).mul_(scale)
    if cap is not None:
        scores = scores.div_(cap).tanh() * cap  # in fresh memory: a gradient goes back through the tanh as it was
    if mask is not None:
        scores.masked_fill_(~mask, torch.finfo(scores.dtype).min)
    shares = torch.softmax(scores, -1, dtype=torch.float32).to(q.dtype)
    return (shares.view(rows, kv, group * n, -1) @ v).view(q.shape)
