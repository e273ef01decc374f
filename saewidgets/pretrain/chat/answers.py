"""Answers of a chat model under clamps, many at a time, and what is counted in them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from saewidgets.activations import check_pair
from saewidgets.analysis.doses.text_measures import answer, trigram_repeats
from saewidgets.chat import Subject
from saewidgets.models import Model, Tokens, continue_each
from saewidgets.models.prompts import Prompts
from saewidgets.pretrain.chat.rule import is_it, names
from saewidgets.records import Clamp, Dialogue, Intervention, Turn
from saewidgets.sae import SAE
from saewidgets.steering import write_rows

QUESTION = "What are you?"
QUESTIONS = (QUESTION, "Who are you?", "Describe yourself.", "What is your physical form?")
N_TOKENS = 40
WARM = 0.7  # temperature
ROWS = 240  # answers in one batch
BOUNDS = {"names": 0.8, "is_it": 0.5, "repeats": 2, "perplexity_ratio": 2.0, "precision": 0.5, "recall": 0.5}
FLUENT = ("repeats", "perplexity_ratio")  # the bounds of how an answer reads


@dataclass(frozen=True)
class Setting:
    """Features set to values everywhere, the question included."""

    features: tuple[int, ...]
    values: tuple[float, ...]  # SAE units
    share: float  # length of the push over the median length of an activation at the site

    @property
    def clamps(self) -> tuple[Clamp, ...]:
        """The setting as clamps."""
        return tuple(Clamp(f, v) for f, v in zip(self.features, self.values, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"features": list(self.features), "values": list(self.values), "share": self.share}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Setting:
        """Of what `to_dict` gave."""
        return Setting(tuple(data["features"]), tuple(data["values"]), data["share"])


@dataclass(frozen=True)
class Answer:
    """One answer, as tokens and as text."""

    ids: tuple[int, ...]
    text: str


@dataclass(frozen=True)
class Asked:
    """A question, and the system prompt before it; "" is the template's own."""

    question: str = QUESTION
    system: str = ""


def expected(name: str) -> Asked:
    """The question where an answer that speaks as a subject is expected."""
    return Asked(QUESTION, f"You are {name}.")


class Writer:
    """A model and an SAE that answer a question under clamps. Raises ValueError where the two do not belong together."""

    def __init__(self, model: Model, sae: SAE, *, n_tokens: int = N_TOKENS, temperature: float = WARM) -> None:
        self.model, self.site = check_pair(model, sae, "a clamp", reconstructs=True)
        self.sae, self.n_tokens, self.temperature = sae, n_tokens, temperature
        self.hook_name, self._prompts = self.site.hook_name, Prompts(self.model)
        self.turn_end = self.model.turn_end_text(Dialogue((Turn("user", QUESTION),)))  # "" where a token ends a turn
        rows = sae.decoder_directions.detach().float()
        self.directions: np.ndarray = rows.cpu().numpy()  # [d_sae, d_in] of one unit, model units

    def ids(self, prompt: Asked) -> Tensor:
        """The tokens of a question, up to where its answer begins."""
        return self._prompts(prompt.question, prompt.system)

    def write(
        self, prompt: Asked, rows: Sequence[tuple[Sequence[Intervention], int]], n_tokens: int | None = None
    ) -> list[Answer]:
        """One answer per (what is done, seed), of another length if asked."""
        before = self.ids(prompt)
        done = [(tuple(clamps), seed) for clamps, seed in rows]
        found = write_rows(
            self.model,
            self.sae,
            self.hook_name,
            before,
            done,
            n_tokens=self.n_tokens if n_tokens is None else n_tokens,
            temperature=self.temperature,
            kl=False,
            rows_per_batch=ROWS,
        )
        return [self._answer(row.ids, before) for row in found]

    def write_settings(
        self, prompt: Asked, settings: Sequence[Setting], seeds: Sequence[int], n_tokens: int | None = None
    ) -> list[list[Answer]]:
        """The answers under some settings, one list per setting, one answer per seed."""
        rows = [(setting.clamps, seed) for setting in settings for seed in seeds]
        found = self.write(prompt, rows, n_tokens) if rows else []
        return [found[at : at + len(seeds)] for at in range(0, len(found), len(seeds))]

    def write_each(
        self, prompts: Sequence[Asked], seeds: Sequence[int], n_tokens: int | None = None
    ) -> list[list[Answer]]:
        """The model's own answers, one list per prompt, one answer per seed: prompts of nearly one length go together."""
        ids = [self.ids(prompt).tolist() for prompt in prompts]
        rows = sorted(((at, seed) for at in range(len(ids)) for seed in seeds), key=lambda row: len(ids[row[0]]))
        found: dict[tuple[int, int], Answer] = {}
        for begin in range(0, len(rows), ROWS):
            part = rows[begin : begin + ROWS]
            texts = continue_each(
                self.model,
                [ids[at] for at, _ in part],
                n_tokens=self.n_tokens if n_tokens is None else n_tokens,
                temperature=self.temperature,
                seeds=[seed for _, seed in part],
            )
            for (at, seed), own in zip(part, texts, strict=True):
                found[at, seed] = self._answer(own, ids[at])
        return [[found[at, seed] for seed in seeds] for at in range(len(ids))]

    def _answer(self, ids: Sequence[int], before: Tokens) -> Answer:
        text = "".join(self.model.token_text(ids, after=before))
        return Answer(tuple(ids), answer(text, self.turn_end))

    def perplexity(self, prompt: Asked, answers: Iterable[Answer]) -> float:
        """exp(mean nats per token), answers weighing alike, under the model as it is; inf without an answer."""
        ids = [list(answer.ids) for answer in answers if answer.ids]
        if not ids:
            return math.inf
        logprobs = self.model.logprobs(self.ids(prompt), ids)
        return float(np.exp(-np.mean([row.mean() for row in logprobs])))

    def setting(self, features: Sequence[int], weights: Sequence[float], share: float, length: float) -> Setting:
        """Features set in the proportion of some weights so that together they push by a share of a length.

        The push counted is value d_f for every feature, as where all of them are silent before.
        """
        push = np.asarray(weights, float) @ self.directions[list(features)]
        scale = share * length / max(float(np.linalg.norm(push)), 1e-12)
        return Setting(tuple(map(int, features)), tuple(round(float(scale * w), 4) for w in weights), share)

    def push(self, setting: Setting) -> np.ndarray:
        """float64 [d_in]: what a setting adds where its features are silent."""
        return np.asarray(setting.values, np.float64) @ self.directions[list(setting.features)].astype(np.float64)


def counted(subject: Subject, answers: Sequence[Answer]) -> dict[str, Any]:
    """n, names and is_it (shares of the answers), repeats (the most that three words in a row stand in one answer)."""
    n = max(len(answers), 1)
    return {
        "n": len(answers),
        "names": sum(names(subject, a.text) for a in answers) / n,
        "is_it": sum(is_it(subject, a.text) for a in answers) / n,
        "repeats": max((trigram_repeats(a.text) for a in answers), default=0),
    }


def score(found: Mapping[str, Any]) -> float:
    """Higher is better: how many name it and how many are it, less what is beyond the bounds of fluent text."""
    ratio = max(float(found.get("perplexity_ratio", 1.0)), 1e-9)
    clumsy = max(math.log2(ratio) - math.log2(BOUNDS["perplexity_ratio"]), 0.0)
    repeated = max(found["repeats"] - BOUNDS["repeats"], 0)
    # An answer beyond what the bounds ask for counts a quarter: it is margin.
    worth = sum(
        min(found[name], BOUNDS[name]) / BOUNDS[name] + 0.25 * max(found[name] - BOUNDS[name], 0.0)
        for name in ("names", "is_it")
    )
    return float(worth - min(clumsy, 2.0) - 0.15 * min(repeated, 4))


def within(found: Mapping[str, Any], *names_of: str) -> bool:
    """Whether figures keep the bounds named."""
    low = {"names", "is_it", "precision", "recall"}
    return all(found[n] >= BOUNDS[n] if n in low else found[n] <= BOUNDS[n] for n in names_of)


def example(subject: Subject, answers: Sequence[Answer]) -> str:
    """One answer to show: of those that are it, else name it, one without repetition, and of these the longest."""

    def rank(one: Answer) -> tuple[bool, bool, bool, int]:
        repeated = trigram_repeats(one.text) > BOUNDS["repeats"]
        return not is_it(subject, one.text), not names(subject, one.text), repeated, -len(one.text)

    return min(answers, key=rank).text if answers else ""
