"""The texts of a sweep, written in batches, and how likely the model finds them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saewidgets.analysis.doses.text_measures import answer, answer_length
from saewidgets.bars import bar
from saewidgets.models import Model, Prompt
from saewidgets.records import Intervention
from saewidgets.sae import SAE
from saewidgets.steering import write_rows
from saewidgets.steering.turns import answers_asked

Row = tuple[Intervention | None, int]  # what is done, and the seed


@dataclass(frozen=True)
class Written:
    """One text under one intervention."""

    answer: str  # up to the next turn of a dialogue
    n_tokens: int  # of the answer
    kl: float  # mean over them of KL(edited || unedited), nats; 0 without any
    stopped: str  # why it broke off; "" if it did not


def perplexities(model: Model, prompt: Prompt, answers: Sequence[str]) -> list[float]:
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
    prompt: Prompt,
    rows: Sequence[Row],
    *,
    n_tokens: int,
    temperature: float,
    rows_per_batch: int,
    progress: bool = True,
) -> list[Written]:
    """The text of each (intervention, seed); equal rows are written once."""
    tokens = model.tokens(prompt)
    asked = [(() if intervention is None else (intervention,), seed) for intervention, seed in rows]
    with bar(len(set(asked)) * n_tokens, "writing", "tokens", progress=progress) as advance:
        texts = write_rows(
            model,
            sae,
            hook_name,
            tokens,
            asked,
            n_tokens=n_tokens,
            temperature=temperature,
            rows_per_batch=rows_per_batch,
            advance=advance,
            answers=answers_asked(model, prompt, (clamp for own, _ in asked for clamp in own)),
        )
    end, written = model.turn_end_text(prompt), []
    for text in texts:
        pieces = model.token_text(text.ids, after=tokens)
        n = answer_length(pieces, end)
        kl = float(np.mean(text.kls[:n])) if n else 0.0
        written.append(Written(answer("".join(pieces), end), n, kl, text.stopped))
    return written
