"""Rows of a streamed corpus, as many as a buffer holds, and the activations at their tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from saewidgets.activations.rows import harvest, passes
from saewidgets.corpora import Position
from saewidgets.models import Model, padded_rows
from saewidgets.models.streams import Row
from saewidgets.ranks import ALONE, Ranks
from saewidgets.records import ActivationSite

NONE = "the corpus has no tokens besides special ones"


@dataclass(frozen=True, eq=False)
class Group:
    """Rows of one epoch that follow one another."""

    rows: list[Row]
    wanted: list[np.ndarray]  # bool [pos] of each, the tokens whose activations count
    n: int  # of these

    @property
    def at(self) -> Position:
        """Where its first row stands."""
        return self.rows[0].at

    @property
    def after(self) -> Position:
        """Where the row after its last one stands."""
        return self.rows[-1].after


def groups(rows: Iterable[Row], most: int, include_special: bool) -> Iterator[Group]:
    """Rows in groups of at most `most` wanted tokens, or one row. Rows without any are in none.

    Raises ValueError where a whole epoch has none.
    """
    held: list[Row] = []
    wanted: list[np.ndarray] = []
    n, last = 0, None  # tokens in the group, the last epoch that had any
    for row in rows:
        own = np.ones(len(row.ids), bool) if include_special else row.counted
        count = int(own.sum())
        if last is None:
            last = row.at.epoch
        elif row.at.epoch > last + 1:
            raise ValueError(NONE)
        if held and (n + count > most or held[0].at.epoch != row.at.epoch):
            yield Group(held, wanted, n)
            held, wanted, n = [], [], 0
        if count:
            held.append(row)
            wanted.append(own)
            n, last = n + count, row.at.epoch
    if held:
        yield Group(held, wanted, n)


def read_group(model: Model, hook_name: str, group: Group) -> Iterator[tuple[np.ndarray, np.ndarray, Tensor]]:
    """(number of the row in the group [n], position [n], activations [n, d_in]) of the wanted tokens, a forward pass at a
    time, rows of like length together; padded for that pass alone.
    """
    for own in _passes(group):
        yield from _read(model, hook_name, group, own)


def _passes(group: Group) -> Iterator[np.ndarray]:
    """The rows of each forward pass."""
    length = np.array([len(row.ids) for row in group.rows])
    return passes(length, np.arange(len(length)))


def _read(
    model: Model, hook_name: str, group: Group, own: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, Tensor]]:
    """What `read_group` gives, of some rows that fit in a pass."""
    block = padded_rows([group.rows[i].ids for i in own])
    wanted = np.zeros(block.shape, bool)
    for mask, i in zip(wanted, own, strict=True):
        mask[: len(group.wanted[i])] = group.wanted[i]
    for row, position, acts in harvest(model, hook_name, block, wanted):
        yield own[row], position, acts


def group_activations(
    model: Model, site: ActivationSite, group: Group, device: torch.device, ranks: Ranks = ALONE
) -> Tensor:
    """Activations float32 [n, d_in] of a group's wanted tokens, in the order of `read_group`.

    Where several processes read, all of the same group, each runs the model on every so-manieth pass, and all get all.
    """
    found = torch.empty(group.n, site.d_in, dtype=torch.float32, device=device)
    filled = 0
    waiting: list[Tensor] = []  # of each pass of a round, the place of its rows
    for number, own in enumerate(_passes(group)):
        n = int(sum(group.wanted[i].sum() for i in own))
        place = found[filled : filled + n]
        if number % ranks.size == ranks.rank:
            at = 0
            for _, _, acts in _read(model, site.hook_name, group, own):
                place[at : at + len(acts)] = acts
                at += len(acts)
        waiting.append(place)
        filled += n
        if len(waiting) == ranks.size:
            _told(waiting, ranks)
            waiting = []
    _told(waiting, ranks)
    return found


def _told(waiting: list[Tensor], ranks: Ranks) -> None:
    """The rows of one round of passes, from each rank that read one to all the others."""
    for source, place in enumerate(waiting):
        ranks.same([place], source)
