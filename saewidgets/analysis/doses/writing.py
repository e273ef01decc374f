"""The texts of a sweep, written in batches: one row per text, an intervention and a seed of its own in each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from saewidgets.analysis.doses.text_measures import answer, answer_length
from saewidgets.bars import bar
from saewidgets.models import Edit, Model
from saewidgets.records import Intervention
from saewidgets.sae import SAE
from saewidgets.steering import row_edit

T = TypeVar("T")
Row = tuple[Intervention | None, int]  # what is done, and the seed


@dataclass(frozen=True)
class Written:
    """One text under one intervention."""

    answer: str  # up to the next turn of a dialogue
    n_tokens: int  # of the answer
    kl: float  # mean over them of KL(edited || unedited), nats; 0 without any
    stopped: str  # why it broke off; "" if it did not


def perplexities(model: Model, prompt: str, answers: Sequence[str]) -> list[float]:
    """exp(mean negative log-probability of an answer's tokens after `prompt`), one per answer, under the model as it
    is.

    An answer follows a space, so that an empty one is the space alone.
    """
    own = [model.continuation(" " + text).tolist() for text in answers]
    logprobs = model.logprobs(model.tokens(prompt), own)
    return [math.exp(-float(row.mean())) if len(row) else math.inf for row in logprobs]


def write(
    model: Model,
    sae: SAE,
    hook_name: str,
    prompt: str,
    rows: Sequence[Row],
    *,
    rows_per_batch: int,
    progress: bool = True,
    **options: Any,
) -> list[Written]:
    """The text of each (intervention, seed); equal rows are written once. `options` are n_tokens and temperature."""
    batches = _batches(list(dict.fromkeys(rows)), rows_per_batch)
    found: dict[Row, Written] = {}
    with bar(sum(len(batch) for batch, _ in batches), "writing", "texts", progress=progress) as advance:
        for batch, groups in batches:
            found |= zip(batch, _write_batch(model, sae, hook_name, prompt, batch, groups, **options), strict=True)
            advance(len(batch))
    return [found[row] for row in rows]


def _batches(rows: Sequence[Row], rows_per_batch: int) -> list[tuple[list[Row], list[Intervention | None]]]:
    """(rows, their groups): interventions that share all their seeds are groups of one batch, each of which reads the
    prompt once.
    """
    seeds_of: dict[Intervention | None, list[int]] = {}
    for intervention, seed in rows:
        seeds_of.setdefault(intervention, []).append(seed)
    alike: dict[tuple[int, ...], list[Intervention | None]] = {}
    for intervention, seeds in seeds_of.items():
        if len(seeds) > 1:
            alike.setdefault(tuple(seeds), []).append(intervention)
    batches = [
        ([(group, seed) for group in part for seed in seeds], list(part))
        for seeds, groups in alike.items()
        for part in _parts(groups, max(rows_per_batch // len(seeds), 1))
    ]
    single = [(i, seeds[0]) for i, seeds in seeds_of.items() if len(seeds) == 1]
    return batches + [(list(part), [i for i, _ in part]) for part in _parts(single, rows_per_batch)]


def _write_batch(
    model: Model,
    sae: SAE,
    hook_name: str,
    prompt: str,
    batch: Sequence[Row],
    groups: Sequence[Intervention | None],
    **options: Any,
) -> list[Written]:
    """The texts of one batch, whose rows are the groups in order, each repeated for its seeds."""
    tokens = model.tokens(prompt)
    edit = Edit(hook_name, row_edit(sae, groups, n_prompt=len(tokens)))
    ids: list[list[int]] = [[] for _ in batch]
    nats: list[list[float]] = [[] for _ in batch]
    stopped = [""] * len(batch)

    def edit_of(kept: Sequence[int]) -> Edit:  # of the rows that go on
        return Edit(hook_name, row_edit(sae, [batch[row][0] for row in kept], n_prompt=len(tokens)))

    def broken(lost: list[int]) -> None:
        for row in lost:
            stopped[row] = str(model.not_finite(f"after {len(ids[row])} tokens", edit))

    for on, new, edited, plain in model.batch(
        tokens,
        seeds=[seed for _, seed in batch],
        groups=len(groups),
        edit=edit,
        broken=broken,
        edit_of=edit_of,
        reference=True,
        **options,
    ):
        p, q = edited.log_softmax(-1), plain.log_softmax(-1)
        kl = (p.exp() * (p - q)).sum(-1).clamp(min=0)
        for row, token, measured in zip(on.tolist(), new.tolist(), kl.tolist(), strict=True):
            ids[row].append(token)
            nats[row].append(measured)
    written = []
    for own, kls, reason in zip(ids, nats, stopped, strict=True):
        pieces = model.token_text(own, after=tokens)
        n = answer_length(pieces)
        written.append(Written(answer("".join(pieces)), n, float(np.mean(kls[:n])) if n else 0.0, reason))
    return written


def _parts(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """The items in order, at most `most` at a time."""
    return (items[begin : begin + most] for begin in range(0, len(items), most))
