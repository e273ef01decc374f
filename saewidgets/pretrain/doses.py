"""Many features clamped at once, one per row of a batch: how the candidates of a concept are told apart before one is
measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn

from saewidgets.activations import check_pair
from saewidgets.analysis.doses.text_measures import answer, trigram_repeats
from saewidgets.models import Edit, Model
from saewidgets.records import TEMPERATURE, Clamp
from saewidgets.records.arguments import listed, seed_of
from saewidgets.records.tables import frame
from saewidgets.sae import SAE
from saewidgets.steering import row_edit


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

    @property
    def clamp(self) -> Clamp:
        """The dose at every position."""
        return Clamp(self.feature, self.value)


def dose_answers(
    model: Model | nn.Module,
    sae: SAE,
    prompt: str,
    doses: Iterable[Dose],
    *,
    seeds: Sequence[int] = range(20),
    n_tokens: int = 60,
    temperature: float = TEMPERATURE,
    rows_per_batch: int = 320,
) -> pd.DataFrame:
    """The clamped answers: one row per (dose, seed), with columns feature, multiple, seed, answer, repeats.

    Raises ValueError where the SAE does not belong to the model.
    """
    model, site = check_pair(model, sae, "a clamp", reconstructs=True)
    seeds = [seed_of(seed) for seed in listed(seeds, "seeds", "0")]
    grid = [(dose, seed) for dose in doses for seed in seeds]
    tokens = model.tokens(prompt)
    found: list[str] = []
    for begin in range(0, len(grid), rows_per_batch):
        part = grid[begin : begin + rows_per_batch]
        edit = Edit(site.hook_name, row_edit(sae, [dose.clamp for dose, _ in part]))
        rows = model.sample(tokens, n_tokens=n_tokens, temperature=temperature, seeds=[s for _, s in part], edit=edit)
        found += [answer("".join(model.token_text(row, after=tokens))) for row in rows]
    return frame(
        [
            (dose.feature, dose.multiple, seed, text, trigram_repeats(text))
            for (dose, seed), text in zip(grid, found, strict=True)
        ],
        columns=["feature", "multiple", "seed", "answer", "repeats"],
    )


def forced_logprobs(
    model: Model | nn.Module,
    sae: SAE,
    prompt: str,
    doses: Sequence[Dose],
    answers: Sequence[str],
    *,
    rows_per_batch: int = 256,
) -> np.ndarray:
    """float64 [dose], mean log-probability (nats per token) of given answers after `prompt`, under each dose's clamp.

    It shows what a clamp does to text without sampling any: all features of an SAE take seconds.
    """
    model, site = check_pair(model, sae, "a clamp", reconstructs=True)
    before = model.tokens(prompt)
    total = np.zeros(len(doses))
    for text in answers:
        own = model.continuation(" " + text)
        row = torch.cat([before, own])
        for begin in range(0, len(doses), rows_per_batch):
            part = doses[begin : begin + rows_per_batch]
            edit = Edit(site.hook_name, row_edit(sae, [dose.clamp for dose in part]))
            logits = model.logits(row.expand(len(part), -1), edit)[:, len(before) - 1 : -1]
            logprobs = logits.log_softmax(-1).gather(-1, own.expand(len(part), -1)[..., None])[..., 0]
            total[begin : begin + len(part)] += logprobs.double().mean(1).cpu().numpy()
    return total / len(answers)
