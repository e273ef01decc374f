"""What a clamp does to the text, dose by dose: how often the concept appears, and whether the text stays fluent.

One row of a sweep is one text: a feature clamped to a multiple of its maximum, with one seed. All rows of a sweep are written
in one batch, so a grid of some hundred texts costs little more than one.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from saewidgets.models import Edit, Model
from saewidgets.sae import SAE
from saewidgets.steering import Steerer

TURN = re.compile(r"\n\s*(Human|Assistant):")


@dataclass(frozen=True)
class Dose:
    """One feature at one strength: `value = multiple * maximum`, in SAE activation units."""

    feature: int
    multiple: float
    maximum: float  # the feature's largest activation over a corpus

    @property
    def value(self) -> float:
        """What the feature is set to."""
        return self.multiple * self.maximum


def answer(text: str) -> str:
    """The answer itself: what comes before the next turn of the dialogue."""
    found = TURN.search(text)
    return (text[: found.start()] if found else text).strip()


def trigram_repeats(text: str) -> int:
    """How often the most frequent three words in a row stand in a text (case and punctuation aside); 0 below three words."""
    words = re.findall(r"[^\W_]+", text.lower())
    counts = Counter(zip(words, words[1:], words[2:], strict=False))
    return max(counts.values(), default=0)


def dose_answers(
    model: Model,
    sae: SAE,
    prompt: str,
    doses: Iterable[Dose],
    *,
    seeds: Sequence[int] = range(20),
    n_tokens: int = 60,
    temperature: float = 0.5,
    rows_per_batch: int = 320,
) -> pd.DataFrame:
    """The clamped answers: one row a (dose, seed), with columns feature, multiple, seed, answer, repeats.

    The clamp covers every position (S15, scope "all"), as `Steerer` does with `Clamp(feature, multiple * maximum)`.
    Raises ValueError where the SAE does not belong to the model.
    """
    hook_name = Steerer(model, sae).hook_name  # refuses an SAE of other coordinates
    grid = [(dose, seed) for dose in doses for seed in seeds]
    tokens = model.tokens(prompt)
    found: list[str] = []
    for begin in range(0, len(grid), rows_per_batch):
        part = grid[begin : begin + rows_per_batch]
        edit = Edit(hook_name, row_clamps(sae, [d.feature for d, _ in part], [d.value for d, _ in part]))
        rows = model.sample(tokens, n_tokens=n_tokens, temperature=temperature, seeds=[s for _, s in part], edit=edit)
        found += [answer("".join(model.token_text(row))) for row in rows]
    return pd.DataFrame(
        [
            (dose.feature, dose.multiple, seed, text, trigram_repeats(text))
            for (dose, seed), text in zip(grid, found, strict=True)
        ],
        columns=["feature", "multiple", "seed", "answer", "repeats"],
    )


def row_clamps(sae: SAE, features: Sequence[int], values: Sequence[float]) -> Callable[[Tensor, int], Tensor]:
    """The clamp of `steering`, another one in each row of a batch: row r has `features[r]` set to `values[r]` everywhere."""
    index, value = torch.tensor(features), torch.tensor(values)[:, None]
    with torch.no_grad():
        directions = sae.decoder_directions[index].float()  # [row, d_in], model units
    distinct, place = index.unique(return_inverse=True)

    @torch.no_grad()
    def edit(x: Tensor, start: int) -> Tensor:
        own = sae.activations_of(x.float(), distinct.tolist())  # [row, pos, distinct]
        own = own.gather(-1, place[:, None, None].expand(-1, x.shape[1], 1))[..., 0]  # [row, pos]
        return x + (value - own)[..., None] * directions[:, None]

    return edit


def forced_logprobs(
    model: Model, sae: SAE, prompt: str, doses: Sequence[Dose], answers: Sequence[str], *, rows_per_batch: int = 256
) -> np.ndarray:
    """float64 [dose], mean log-probability (nats a token) of given answers after `prompt`, under each dose's clamp.

    It tells what a clamp does to text without sampling any: all features of an SAE take seconds.
    """
    hook_name = Steerer(model, sae).hook_name
    before = model.tokens(prompt)
    total = np.zeros(len(doses))
    for text in answers:
        own = model.tokens(" " + text, prepend_bos=False)
        row = torch.cat([before, own])
        for begin in range(0, len(doses), rows_per_batch):
            part = doses[begin : begin + rows_per_batch]
            edit = Edit(hook_name, row_clamps(sae, [d.feature for d in part], [d.value for d in part]))
            logits = model.logits(row.expand(len(part), -1), edit)[:, len(before) - 1 : -1]
            logprobs = logits.log_softmax(-1).gather(-1, own.expand(len(part), -1)[..., None])[..., 0]
            total[begin : begin + len(part)] += logprobs.double().mean(1).cpu().numpy()
    return total / len(answers)


def perplexities(model: Model, prompt: str, answers: Sequence[str]) -> list[float]:
    """exp(mean negative log-probability of an answer's tokens after `prompt`), one an answer, under the model as it is.

    An empty answer has infinite perplexity: it says nothing.
    """
    before = model.tokens(prompt)
    own = [model.tokens(" " + text, prepend_bos=False) for text in answers]
    width = max((len(o) for o in own), default=0)
    if not width:
        return [math.inf] * len(answers)
    rows = torch.full((len(answers), len(before) + width), -1)
    for row, o in zip(rows, own, strict=True):
        row[: len(before)] = before
        row[len(before) : len(before) + len(o)] = o
    found: list[float] = []
    for part in rows.split(64):
        target = part[:, len(before) :]
        logits = model.logits(part)[:, len(before) - 1 : -1].double()
        picked = logits.log_softmax(-1).gather(-1, target.clamp(min=0)[..., None])[..., 0].cpu()
        real = target >= 0
        n = real.sum(1)
        mean = -(picked * real).sum(1) / n.clamp(min=1)
        found += [float(m.exp()) if k else math.inf for m, k in zip(mean, n, strict=True)]
    return found
