"""Rotary positions: queries and keys turned by an angle that grows with the position."""

from __future__ import annotations

import torch
from torch import Tensor

FIRST = 256  # positions for which angles are computed at first; as many again each time that they do not suffice


class Rotary:
    """cos and sin of the angles of each position.

        angle of pair i at position p:  p * inv_freq[i],  both times `scale`

    Angles are float32 whatever the weights are. In 16 bits cos and sin are rounded before they are multiplied with, as
    transformers does in most families, or what has been turned is, with `wide`, as in OLMo's. All scalings of RoPE but
    those that change with the length of the text (linear, llama3, yarn) are in inv_freq and scale.

    Example:
        >>> cos, sin = Rotary(torch.tensor([1.0, 0.1])).at(0, 3, torch.float32)
        >>> cos.shape, cos[0].tolist(), sin[0].tolist()
        (torch.Size([3, 1, 4]), [[1.0, 1.0, 1.0, 1.0]], [[-0.0, -0.0, 0.0, 0.0]])
    """

    def __init__(self, inv_freq: Tensor, scale: float = 1.0, *, pairs: str = "halves", wide: bool = False) -> None:
        """`pairs` says which numbers turn together: "halves" (i and i + d/2) or "adjacent" (2i and 2i + 1)."""
        self.inv_freq, self.scale, self.pairs, self.wide = inv_freq.detach().float().clone(), scale, pairs, wide
        self.d = 2 * len(inv_freq)  # numbers of a head that turn; the rest pass
        self._tables: tuple[Tensor, Tensor] | None = None
        self._asked: tuple[int, int, torch.dtype] | None = None
        self._found: tuple[Tensor, Tensor] | None = None

    @classmethod
    def of_tables(cls, cos: Tensor, sin: Tensor, pairs: str) -> Rotary:
        """From cos and sin that are there already, [pos, d] each."""
        made = cls(cos.new_empty(cos.shape[1] // 2), pairs=pairs)
        sign = torch.ones(made.d, device=cos.device)
        sign[slice(None, None, 2) if pairs == "adjacent" else slice(made.d // 2)] = -1
        made._tables = (cos.detach(), sin.detach() * sign.to(sin.dtype))
        return made

    def at(self, start: int, n: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """cos and signed sin, [n, 1, d] each, of n positions from `start` on. The sign is that of `turned`."""
        asked = (start, n, dtype)
        if self._found is None or asked != self._asked:
            with torch.inference_mode(False):  # kept, and a gradient may need them
                if self._tables is None or len(self._tables[0]) < start + n:
                    self._tables = self._computed(max(FIRST, 2 * (start + n)))
                cos, sin = (table[start : start + n, None].to(dtype) for table in self._tables)
            self._asked, self._found = asked, (cos, sin)
        return self._found

    def _looked_up(self, position: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """`at` for one position, int64 [1], below the number of `ready`."""
        assert self._tables is not None
        cos, sin = (table.index_select(0, position)[:, None].to(dtype) for table in self._tables)
        return cos, sin

    def ready(self, n: int) -> None:
        """Angles of the first n positions, so that none is computed later."""
        self.at(0, n, torch.float32)

    def _computed(self, n: int) -> tuple[Tensor, Tensor]:
        angles = torch.arange(n, device=self.inv_freq.device).float()[:, None] * self.inv_freq
        cos, sin = angles.cos() * self.scale, angles.sin() * self.scale
        if self.pairs == "adjacent":
            cos, sin = cos.repeat_interleave(2, -1), torch.stack([-sin, sin], -1).flatten(-2)
        else:
            cos, sin = torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)
        return cos, sin

    def turned(self, x: Tensor, start: int | Tensor) -> Tensor:
        """x [row, pos, head, d_head] with its first `d` numbers turned, in fresh memory. `start` may be int64 [1] for one
        token.
        """
        dtype = torch.float32 if self.wide else x.dtype
        cos, sin = self.at(start, x.shape[1], dtype) if isinstance(start, int) else self._looked_up(start, dtype)
        own = x[..., : self.d]
        if self.pairs == "adjacent":
            swapped = own.unflatten(-1, (-1, 2)).flip(-1).flatten(-2)
        else:
            half = self.d // 2
            swapped = torch.cat([own[..., half:], own[..., :half]], -1)
        if x.dtype == torch.float32:
            found = torch.addcmul(own * cos, swapped, sin)
        else:  # each product is rounded, as in the models themselves
            found = (own * cos + swapped * sin).to(x.dtype)
        return found if self.d == x.shape[-1] else torch.cat([found, x[..., self.d :]], -1)
