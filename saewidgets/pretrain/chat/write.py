"""The corpus: texts that the chat model writes itself about the subjects, one JSON line each."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from saewidgets.files import LoadError
from saewidgets.models import Model, continue_each
from saewidgets.models.prompts import Prompts
from saewidgets.pretrain.chat.plan import Assignment
from saewidgets.pretrain.chat.prompts import SYSTEMS
from saewidgets.records.arguments import real, seed_of, whole

TEXTS = "texts.jsonl"
N_TOKENS = 112
TEMPERATURE = 0.8
ROWS = 256  # texts at a time
BLOCK = 9 * ROWS  # texts that are put in order of length together: what is cut short lacks no more than the end of one


@dataclass(frozen=True)
class Written(Assignment):
    """A text that was written.

    Attributes:
        answer: what the model wrote.
        ids: all its tokens, those of the prompt too.
        n_prompt: how many of them are the prompt's.
    """

    answer: str
    ids: tuple[int, ...]
    n_prompt: int


def batches_of(plan: Sequence[Assignment], rows: int = ROWS, block: int = BLOCK) -> list[list[int]]:
    """The numbers of the texts that are written together, batch after batch: of one block of the plan, those of one
    system prompt and of like length beside each other. The system prompts that name a subject count as one.
    """
    found = []
    for first in range(0, len(plan), block):
        groups: dict[str, list[int]] = {}
        for i in range(first, min(first + block, len(plan))):
            groups.setdefault(plan[i].system if plan[i].system in SYSTEMS else "", []).append(i)
        for group in groups.values():
            group.sort(key=lambda i: (len(plan[i].system) + len(plan[i].user), i))
            parts = np.array_split(np.array(group), -(-len(group) // rows))
            found += [part.tolist() for part in parts]
    return found


def write_texts(
    model: Model,
    plan: Sequence[Assignment],
    folder: Path,
    *,
    n_tokens: int = N_TOKENS,
    temperature: float = TEMPERATURE,
    rows: int = ROWS,
    seed: int = 0,
) -> Path:
    """Write the texts of a plan to `folder`/texts.jsonl, a batch at a time, and give that path.

    What is there already stays: a run that was stopped goes on at the first batch that is not whole, and the file is
    the one that a run without a break would have written. Raises ValueError for numbers that cannot be, and LoadError
    for a file of another plan, before anything is written.
    """
    n_tokens, rows = whole(n_tokens, "n_tokens", minimum=1), whole(rows, "rows", minimum=1)
    temperature, seed = real(temperature, "temperature", minimum=0), seed_of(seed)
    folder.mkdir(parents=True, exist_ok=True)
    path, batches = folder / TEXTS, batches_of(plan, rows)
    done = _go_on(path, plan, batches)
    began, tokens = time.monotonic(), 0
    with path.open("a", encoding="utf-8") as file:
        for n, batch in enumerate(batches[done:], done + 1):
            texts = _written(model, [plan[i] for i in batch], n_tokens, temperature, seed)
            file.write("".join(json.dumps(asdict(text), ensure_ascii=False) + "\n" for text in texts))
            file.flush()
            tokens += sum(len(text.ids) for text in texts)
            rate = tokens / (time.monotonic() - began)
            print(f"batch {n}/{len(batches)}: {tokens:,} tokens, {rate:.0f} a second", flush=True)
    return path


def read_texts(folder: Path) -> list[Written]:
    """The whole lines of `folder`/texts.jsonl. Raises LoadError where there are none."""
    path = folder / TEXTS
    if not path.is_file():
        raise LoadError(path, "it is not there: run `python -m saewidgets.pretrain chat write` first")
    lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last line end is the beginning of one
    found = []
    for n, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            found.append(Written(**{**entry, "ids": tuple(entry["ids"])}))
        except (ValueError, TypeError, KeyError) as error:
            raise LoadError(
                path, f"line {n} is no text of this stage ({error}); remove the file to begin anew"
            ) from error
    return found


def _go_on(path: Path, plan: Sequence[Assignment], batches: Sequence[Sequence[int]]) -> int:
    """How many batches are there, after the end of the file is cut to the last whole one."""
    if not path.exists():
        return 0
    texts = read_texts(path.parent)
    order = [i for batch in batches for i in batch]
    for n, (text, i) in enumerate(zip(texts, order, strict=False), 1):
        if any(getattr(text, name) != value for name, value in asdict(plan[i]).items()):
            raise LoadError(path, f"line {n} is of another plan (text {text.number}): give another folder")
    if len(texts) > len(order):
        raise LoadError(path, f"it has {len(texts)} texts and the plan {len(order)}: give another folder")
    done = whole_texts = 0
    for batch in batches:
        if whole_texts + len(batch) > len(texts):
            break
        done, whole_texts = done + 1, whole_texts + len(batch)
    kept = b"".join(line + b"\n" for line in path.read_bytes().split(b"\n")[:whole_texts])
    if len(kept) != path.stat().st_size:
        path.write_bytes(kept)
    return done


def _written(model: Model, part: Sequence[Assignment], n_tokens: int, temperature: float, seed: int) -> list[Written]:
    prompt_of = Prompts(model)
    prompts = [prompt_of(own.user, own.system).tolist() for own in part]
    seeds = [(seed << 32) + own.number for own in part]
    texts = continue_each(model, prompts, n_tokens=n_tokens, temperature=temperature, seeds=seeds)
    return [
        Written(
            **asdict(own),
            answer="".join(model.token_text(text, after=prompt)),
            ids=(*prompt, *text),
            n_prompt=len(prompt),
        )
        for own, prompt, text in zip(part, prompts, texts, strict=True)
    ]
