"""Many texts of one prompt written together: one row per text, with interventions and a seed of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from saewidgets.models import Edit, Model, Prompt
from saewidgets.records import Dialogue, Generation, Intervention, Token
from saewidgets.records.dialogues import prompt_of
from saewidgets.sae import SAE
from saewidgets.steering.edits import Spans, row_edit
from saewidgets.steering.turns import until

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


@dataclass(frozen=True)
class Settings:
    """How the rows of a batch are written."""

    n_tokens: int
    temperature: float
    kl: bool = True  # whether KL(edited || unedited) is measured at every token
    rows_per_batch: int = ROWS


@dataclass(frozen=True)
class Asked:
    """A prompt that was found to be one."""

    shown: str | Dialogue  # as a record keeps it
    ids: Tensor  # [pos]
    answers: Spans  # the tokens of the assistant's earlier turns, where a clamp asks for them
    end: str  # text at which the answer ends, "" for none


class BatchStream:
    """Texts that are written side by side, see `Steerer.stream_batch`.

    To iterate over it writes them: after each step comes how many of its `total` tokens the work is further, where a
    text that ends early counts as one of full length. `texts()` is what is there, at any time. Whoever stops to iterate
    stops the writing.
    """

    def __init__(
        self, model: Model, sae: SAE, hook_name: str, asked: Sequence[Asked], rows: Sequence[Row], how: Settings
    ) -> None:
        self._model, self._sae, self._hook_name, self._rows, self._how = model, sae, hook_name, rows, how
        self._asked = [(one, {row: _Growing(model, one, row) for row in rows}) for one in asked]
        self.total = len(asked) * len(set(rows)) * how.n_tokens

    def __iter__(self) -> Iterator[int]:
        """Write on, from the beginning."""
        for asked, texts in self._asked:
            written = {row: text.begin() for row, text in texts.items()}
            yield from row_steps(
                self._model, self._sae, self._hook_name, asked.ids, written, self._how, answers=asked.answers
            )

    def texts(self) -> list[Generation]:
        """The texts as far as they got: all of the first prompt, of which all of the first set of clamps, one per seed."""
        return [
            texts[row].generation(asked, row, self._how.temperature)
            for asked, texts in self._asked
            for row in self._rows
        ]


class _Growing:
    """One text of a stream, and what of it has been read as text."""

    def __init__(self, model: Model, asked: Asked, row: Row) -> None:
        self._reader: Callable[[], Callable[[int], str]] = lambda: model.text_reader(after=asked.ids)
        self._otherwise = math.nan if row[0] else 0.0  # the KL of a token where none was measured
        self.begin()

    def begin(self) -> WrittenRow:
        self._read, self._tokens, self._written = self._reader(), list[Token](), WrittenRow()
        return self._written

    def generation(self, asked: Asked, row: Row, temperature: float) -> Generation:
        written = self._written
        for at in range(len(self._tokens), len(written.ids)):
            kl = written.kls[at] if written.kls else self._otherwise
            self._tokens.append(Token(written.ids[at], self._read(written.ids[at]), written.logprobs[at], kl))
        tokens = tuple(until(self._tokens, asked.end))
        return Generation(asked.shown, tokens, *row, temperature, written.stopped)


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
    answers: Spans = (),
) -> list[WrittenRow]:
    """The texts that continue a prompt [pos], one per row; equal rows are written once.

    `advance` is told how many tokens further the work is, each text counting as `n_tokens`. `answers` are the tokens of
    the assistant's earlier turns, where the prompt is a dialogue.
    """
    found: dict[Row, WrittenRow] = {row: WrittenRow() for row in rows}
    how = Settings(n_tokens, temperature, kl, rows_per_batch)
    for n in row_steps(model, sae, hook_name, prompt, found, how, answers=answers):
        advance(n)
    return [found[row] for row in rows]


def row_steps(
    model: Model,
    sae: SAE,
    hook_name: str,
    prompt: Tensor,
    found: Mapping[Row, WrittenRow],
    how: Settings,
    *,
    answers: Spans = (),
) -> Iterator[int]:
    """Write the texts of rows, which are empty, into them: after each step how many tokens further the work is."""

    def edit_of(sets: Sequence[Clamps]) -> Edit:
        return Edit(hook_name, row_edit(sae, sets, n_prompt=len(prompt), answers=answers))

    for batch, groups in _batches(list(found), how.rows_per_batch, reference=how.kl):
        done = 0
        for n in _steps(model, prompt, batch, groups, edit_of, [found[row] for row in batch], how):
            yield n
            done += n
        yield how.n_tokens * len(batch) - done


def _steps(
    model: Model,
    prompt: Tensor,
    batch: Sequence[Row],
    groups: Sequence[Clamps],
    edit_of: Callable[[Sequence[Clamps]], Edit],
    written: Sequence[WrittenRow],
    how: Settings,
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

    kl = how.kl
    steps = model.batch(
        prompt,
        n_tokens=how.n_tokens,
        temperature=how.temperature,
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


def _batches(
    rows: Sequence[Row], rows_per_batch: int, *, reference: bool = True
) -> list[tuple[list[Row], list[Clamps]]]:
    """(rows, their groups): interventions that share all their seeds are groups of one batch, each of which reads the
    prompt once. Where the others have a `reference` beside them, texts with nothing done are a batch of their own,
    which needs none.
    """
    seeds_of: dict[Clamps, list[int]] = {}
    for clamps, seed in rows:
        seeds_of.setdefault(clamps, []).append(seed)
    bare: list[Row] = [((), seed) for seed in (seeds_of.pop((), []) if reference else ())]
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
