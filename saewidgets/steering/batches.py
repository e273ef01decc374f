"""Many texts of one prompt written together: one row per text, with interventions and a seed of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from saewidgets.models import Edit, Model, Prompt
from saewidgets.records import Dialogue, Intervention
from saewidgets.records.dialogues import prompt_of
from saewidgets.sae import SAE
from saewidgets.steering.edits import Spans, row_edit

ROWS = 64  # texts in one batch

T = TypeVar("T")
Clamps = tuple[Intervention, ...]
Row = tuple[Clamps, int]  # what is done, and the seed


@dataclass
class WrittenRow:
    """One text, as far as it got."""

    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)  # of its tokens, at temperature 1, under the interventions
    kls: list[float] = field(default_factory=list)  # KL(edited || unedited), nats, of each; [] if not asked
    stopped: str = ""  # why it broke off: logits that are not finite


def write_rows(
    model: Model,
    sae: SAE,
    hook_name: str,
    prompt: Tensor,
    rows: Sequence[Row],
    *,
    n_tokens: int,
    temperature: float,
    kl: bool = True,
    rows_per_batch: int = ROWS,
    advance: Callable[[int], None] = lambda n: None,
    cancel: Callable[[], bool] | None = None,
    answers: Spans = (),
) -> list[WrittenRow]:
    """The texts that continue a prompt [pos], one per row; equal rows are written once.

    `advance` is told how many tokens further the work is, each text counting as `n_tokens`. Once `cancel()` is true the
    texts end where they are. `answers` are the tokens of the assistant's earlier turns, where the prompt is a dialogue.
    """
    found: dict[Row, WrittenRow] = {row: WrittenRow() for row in rows}

    def edit_of(sets: Sequence[Clamps]) -> Edit:
        return Edit(hook_name, row_edit(sae, sets, n_prompt=len(prompt), answers=answers))

    for batch, groups in _batches(list(found), rows_per_batch):
        written, done = [found[row] for row in batch], 0
        for n in _steps(model, prompt, batch, groups, edit_of, written, n_tokens, temperature, kl, cancel):
            advance(n)
            done += n
        advance(n_tokens * len(batch) - done)
    return [found[row] for row in rows]


def _steps(
    model: Model,
    prompt: Tensor,
    batch: Sequence[Row],
    groups: Sequence[Clamps],
    edit_of: Callable[[Sequence[Clamps]], Edit],
    written: Sequence[WrittenRow],
    n_tokens: int,
    temperature: float,
    kl: bool,
    cancel: Callable[[], bool] | None,
) -> Iterator[int]:
    """Write the texts of one batch, whose rows are the groups in order, each repeated for its seeds: after each step how
    many tokens it gave. `edit_of` makes an edit of what is done in each row.
    """
    edit = edit_of(groups) if any(groups) else None

    def edit_of_kept(kept: Sequence[int]) -> Edit:  # of the rows that go on
        return edit_of([batch[row][0] for row in kept])

    def broken(lost: list[int]) -> None:
        for row in lost:
            written[row].stopped = str(model.not_finite(f"after {len(written[row].ids)} tokens", edit))

    if cancel is not None and cancel():
        return
    steps = model.batch(
        prompt,
        n_tokens=n_tokens,
        temperature=temperature,
        seeds=[seed for _, seed in batch],
        groups=len(groups),
        edit=edit,
        edit_of=None if edit is None else edit_of_kept,
        reference=kl and edit is not None,
        broken=broken,
    )
    for on, new, edited, plain in steps:
        p = edited.log_softmax(-1)
        logprobs = p.gather(-1, new[:, None])[:, 0].tolist()
        nats = [0.0] * len(logprobs)
        if kl and edit is not None:
            q = plain.log_softmax(-1)
            nats = (p.exp() * (p - q)).sum(-1).clamp(min=0).tolist()
        for row, token, logprob, own in zip(on.tolist(), new.tolist(), logprobs, nats, strict=True):
            written[row].ids.append(token)
            written[row].logprobs.append(logprob)
            if kl:
                written[row].kls.append(own)
        yield len(logprobs)
        if cancel is not None and cancel():
            return


def _batches(rows: Sequence[Row], rows_per_batch: int) -> list[tuple[list[Row], list[Clamps]]]:
    """(rows, their groups): interventions that share all their seeds are groups of one batch, each of which reads the
    prompt once. Texts with nothing done are a batch of their own, which needs no reference beside it.
    """
    seeds_of: dict[Clamps, list[int]] = {}
    for clamps, seed in rows:
        seeds_of.setdefault(clamps, []).append(seed)
    bare = [((), seed) for seed in seeds_of.pop((), [])]
    alike: dict[tuple[int, ...], list[Clamps]] = {}
    for clamps, seeds in seeds_of.items():
        if len(seeds) > 1:
            alike.setdefault(tuple(seeds), []).append(clamps)
    batches: list[tuple[list[Row], list[Clamps]]] = [(list(part), [()]) for part in parts(bare, rows_per_batch)]
    batches += [
        ([(group, seed) for group in groups for seed in own], list(groups))
        for seeds, alike_ones in alike.items()
        for own in parts(seeds, rows_per_batch)
        for groups in parts(alike_ones, max(rows_per_batch // len(own), 1))
    ]
    single = [(clamps, seeds[0]) for clamps, seeds in seeds_of.items() if len(seeds) == 1]
    return batches + [(list(part), [clamps for clamps, _ in part]) for part in parts(single, rows_per_batch)]


def several(prompts: Any) -> list[Prompt]:
    """What a person gave as one prompt or several, each a text, a dialogue or token ids, as a list.

    Example:
        >>> several("The cat"), several([0, 872]), several(["The", [0, 872]])
        (['The cat'], [[0, 872]], ['The', [0, 872]])
    """
    prompts = prompt_of(prompts)
    one = isinstance(prompts, str | bytes | Dialogue) or not hasattr(prompts, "__iter__")
    given = [prompts] if one else list(prompts)
    if not one and given and all(_is_id(token) for token in given):
        given = [prompts]  # token ids of one prompt
    return [prompt_of(prompt) for prompt in given]


def _is_id(token: Any) -> bool:
    return (token.ndim == 0) if isinstance(token, torch.Tensor) else not hasattr(token, "__len__")


def parts(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """The items in order, at most `most` at a time."""
    return (items[begin : begin + most] for begin in range(0, len(items), most))
