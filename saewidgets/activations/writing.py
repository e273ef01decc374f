"""From activations as tensors, a forward pass at a time, to a cache on disk, a document at a time; and its rows as
tensors again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from saewidgets.activations.cache import write_cache
from saewidgets.bars import bar
from saewidgets.records import ActivationSite
from saewidgets.sae import above


def write_store(
    path: str | Path,
    parts: Iterable[Tensor],
    *,
    order: np.ndarray,
    rows: np.ndarray,
    wanted: np.ndarray,
    site: ActivationSite,
    dtype: str,
    shard_bytes: int,
) -> None:
    """Write the activations of one epoch, with a bar. What is longer than the site's `max_norm` is written as zeros.

    Args:
        parts: activations [tokens, d_in] of the documents, in `order`, however they are cut.
        order: int [document], the documents as they come.
        rows: token ids [document, position]; -1 is padding.
        wanted: bool [document, position], the tokens that have a row in `parts`.

    Raises what `write_cache` does.
    """
    sizes = wanted.sum(1)[order]
    start = np.zeros(len(rows), np.int64)
    start[order] = np.cumsum(sizes) - sizes
    flags: list[np.ndarray] = []  # of the rows in the file: whether they count

    def without(part: Tensor) -> Tensor:
        """The rows, with zeros for those that are left out: float16 could not hold them."""
        out = above(part, site.max_norm)
        flags.append((~out).cpu().numpy())
        return part.masked_fill(out[:, None], 0.0) if bool(out.any()) else part

    def kept() -> np.ndarray:
        doc, position = np.nonzero(wanted[order])
        mask = np.zeros_like(wanted)
        mask[order[doc], position] = np.concatenate(flags)
        return mask

    with bar(int(sizes.sum()), "writing activations", "tokens") as advance:
        write_cache(
            path,
            _told(_documents((as_numpy(without(part), dtype) for part in parts), sizes), advance),
            sizes=sizes.tolist(),
            tokens=rows,
            wanted=wanted,
            kept=kept if site.max_norm is not None else None,
            start=start,
            site=site,
            dtype=dtype,
            shard_bytes=shard_bytes,
        )


def _documents(parts: Iterable[np.ndarray], sizes: np.ndarray) -> Iterator[np.ndarray]:
    """Rows that come a forward pass at a time, a document at a time."""
    n = 0
    for part in parts:
        first = 0
        while first < len(part):
            yield part[first : first + sizes[n]]
            first += int(sizes[n])
            n += 1


def _told(rows: Iterable[np.ndarray], advance: Callable[[int], None]) -> Iterator[np.ndarray]:
    """The same, counted."""
    for block in rows:
        advance(len(block))  # before it is given: nobody asks for more than the last
        yield block


def as_numpy(rows: Tensor, dtype: str) -> np.ndarray:
    """Rows as a cache holds them."""
    rows = rows.detach().cpu()
    if dtype == "bfloat16":
        return rows.to(torch.bfloat16).contiguous().view(torch.int16).numpy().view(np.uint16)
    return rows.to(getattr(torch, dtype)).numpy()


def as_tensor(rows: np.ndarray, dtype: str) -> Tensor:
    """The inverse of `as_numpy`, as float32."""
    if dtype == "bfloat16":
        return torch.from_numpy(rows.view(np.int16)).view(torch.bfloat16).float()
    return torch.from_numpy(rows).float()
