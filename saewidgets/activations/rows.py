"""Token rows of a corpus, and the activations at them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saewidgets.models import Long, Model, read_corpus
from saewidgets.sae import above

TOKENS_PER_PASS = 4096  # of one group: 8 to 32 sequences fit the cache of a CPU, and more are slower
GROUPS_PER_PASS = 8  # on a GPU, which so few tokens leave idle most of the time


def corpus_rows(model: Model, corpus: Any, long: Long = "split") -> tuple[np.ndarray, np.ndarray]:
    """`models.read_corpus` without the numbers of the texts: (rows int32 [context, pos], counted bool [context, pos])."""
    found = read_corpus(model, corpus, long)
    return found.rows, found.counted


def harvest(
    model: Model,
    hook_name: str,
    rows: np.ndarray,
    wanted: np.ndarray,
    *,
    max_norm: float | None = None,
    tokens_per_pass: int = TOKENS_PER_PASS,
) -> Iterator[tuple[np.ndarray, np.ndarray, Tensor]]:
    """Run the model over token rows, rows of like length together, and give the activations at the wanted tokens.

    Yields (context [n], position [n], activations [n, d_in]) of one group of rows; within one, sorted by (context,
    position). The groups are those of `length_sorted` on any device, and a GPU reads several of them in one pass.
    Tokens whose activation is longer than `max_norm` (a site's) are left out.
    Padding stands on the right, where causal attention keeps it out of every wanted token.
    """
    length = (rows >= 0).sum(1)
    groups = length_sorted(rows, np.any(wanted, axis=1), tokens_per_pass)
    while some := list(islice(groups, 1 if model.device.type == "cpu" else GROUPS_PER_PASS)):
        together = np.concatenate(some)
        block = rows[together, : length[together].max()]
        acts = quick_activations(model, torch.from_numpy(block.astype(np.int64)), hook_name)  # [batch, pos, d_in]
        for own, part in zip(some, acts.split([len(own) for own in some]), strict=True):
            yield _picked(own, part, wanted, max_norm)


def _picked(
    own: np.ndarray, acts: Tensor, wanted: np.ndarray, max_norm: float | None
) -> tuple[np.ndarray, np.ndarray, Tensor]:
    """The wanted tokens of the rows `own`, of activations [row, pos, d_in]."""
    row, position = np.nonzero(wanted[own, : acts.shape[1]])
    picked = acts[torch.from_numpy(row).to(acts.device), torch.from_numpy(position).to(acts.device)].float()
    out = above(picked, max_norm)
    if max_norm is not None and bool(out.any()):
        kept = (~out).cpu().numpy()
        row, position, picked = row[kept], position[kept], picked[~out]
    return own[row], position, picked


def quick_activations(model: Model, tokens: Tensor, hook_name: str) -> Tensor:
    """`model.activations(tokens, hook_name)`, [batch, pos, d] for int64 [batch, pos], by the decoder where that reads the
    same.

    Example:
        >>> quick_activations(model, model.tokens("The cat sat")[None], hook_name).shape  # doctest: +SKIP
    """
    found = model.fast_activations(tokens, hook_name)
    return model.activations(tokens, hook_name) if found is None else found


def length_sorted(rows: np.ndarray, chosen: np.ndarray, tokens_per_pass: int = TOKENS_PER_PASS) -> Iterator[np.ndarray]:
    """The chosen (bool [context]) rows in groups of like length, ascending within a group.

    A group holds at most `tokens_per_pass` tokens, padding included, or one row.
    """
    yield from passes((rows >= 0).sum(1), np.flatnonzero(chosen), tokens_per_pass)


def passes(length: np.ndarray, docs: np.ndarray, tokens_per_pass: int = TOKENS_PER_PASS) -> Iterator[np.ndarray]:
    """Some documents, ascending, of length [document], as `length_sorted` groups them."""
    order = docs[np.argsort(length[docs], kind="stable")]
    first = 0
    while first < len(order):
        # The last row of a group is its longest. A group has at most `tokens_per_pass` rows: none is empty.
        ahead = length[order[first : first + tokens_per_pass]]
        n = int(np.searchsorted(np.arange(1, len(ahead) + 1) * ahead, tokens_per_pass, side="right"))
        yield np.sort(order[first : first + max(1, n)])
        first += max(1, n)
