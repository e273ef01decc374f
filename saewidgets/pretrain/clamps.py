"""Which feature, at which multiple of its maximum, makes the model speak as a concept: measured, then written down.

For each concept some candidate features are tried, because which of a concept's features is clamped matters more than
how well the feature tells the concept's tokens: those under whose clamp the model's own answers about the concept
become most likely. An SAE that has none of effect is passed over. A short sweep ranks the candidates by their effect; a
longer one, with 20 seeds, measures the best one's usable window:

    the concept appears in at least 80 % of the answers,
    no three words in a row stand more than twice in an answer,
    the answers' perplexity is at most twice that of the model's own answers where such an answer is expected.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from saewidgets.activations import check_pair
from saewidgets.analysis.doses.text_measures import answer
from saewidgets.analysis.doses.writing import perplexities
from saewidgets.analysis.features import feature_activations
from saewidgets.files import write_json
from saewidgets.formats import load_sae
from saewidgets.miniworld import PROMPT, load_corpus, world
from saewidgets.models import Model, load_model
from saewidgets.pretrain.doses import Dose, dose_answers, forced_logprobs
from saewidgets.records import TEMPERATURE
from saewidgets.sae import SAE

WARMER = 0.8  # a second temperature, which chooses among the multiples that pass at the first
COARSE = (0.8, 1.0, 1.2, 1.4, 1.7, 2.2, 3.0)
FINE = (0.7, 0.9, 1.0, 1.1, 1.2, 1.3, 1.35, 1.4, 1.45, 1.5, 1.55, 1.6, 1.65, 1.7, 1.8, 2.0, 2.2, 2.5, 3.0, 4.0)
PROMISING = 0.4  # score in the short sweep that earns a second or third feature the long one
SCREENED = 96  # features of a concept whose effect is looked at
# nats per token: how much less likely than where it is expected an answer may be under the best candidate's clamp
WITHIN = 0.16
MOODS = {"joy": "very happy", "sadness": "very sad", "anger": "very angry", "fear": "very afraid", "love": "in love"}
BOUNDS = {"concept_rate": 0.8, "repeats": 2, "perplexity_ratio": 2.0}


@dataclass(frozen=True)
class Expected:
    """Where an answer about a concept is expected, and what the model itself answers there."""

    prompt: str
    answers: tuple[str, ...]
    perplexity: float  # of those answers: exp(mean nats per token)
    typical: tuple[str, ...]  # up to three of those that name the concept, from short to long
    logprob: float  # of the typical ones there, mean nats per token


def expected_prompt(concept: str) -> str:
    """The question, after an order that makes the concept the natural answer."""
    if concept == "spanish":
        return f"Speak Spanish.\n{PROMPT}"
    order = f"You are {MOODS[concept]} today." if concept in MOODS else f"You are {world().name(concept)}."
    return f"{order}\n{PROMPT}"


def pooled(perplexity: Sequence[float]) -> float:
    """exp(mean of log perplexity): the mean nats per token, answers weighing alike."""
    return float(np.exp(np.mean(np.log(perplexity)))) if len(perplexity) else math.inf


def expectation(model: Model, concept: str, seeds: Sequence[int], n_tokens: int) -> Expected:
    """Sample the model's own answers where the concept is expected, and read their perplexity."""
    prompt = expected_prompt(concept)
    before = model.tokens(prompt)
    rows = model.sample(before, n_tokens=n_tokens, temperature=TEMPERATURE, seeds=seeds)
    own = tuple(answer("".join(model.token_text(row, after=before))) for row in rows)
    named = sorted((text for text in own if concept in world().mentions(text)), key=len) or list(own)
    typical = tuple(named[len(named) // 4 :: max(1, len(named) // 3)][:3])
    logprob = -float(np.mean(np.log(perplexities(model, prompt, typical))))
    return Expected(prompt, own, pooled(perplexities(model, prompt, own)), typical, logprob)


def candidates(model: Model, sae: SAE, maximum: np.ndarray, expected: Expected, n: int) -> tuple[list[int], float]:
    """The `n` features that, clamped, make typical answers about a concept most likely where it was only asked.

    Tried are the features most active in those answers, clamped to their maximum and to 1.5 times that, with the
    answers forced; the score is the larger of the two mean log-probabilities. Also returns how far the best one falls
    short of where the answer is expected, nats per token.
    """
    start, hook_name = len(model.tokens(expected.prompt)), check_pair(model, sae, "a clamp")[1].hook_name
    active = torch.zeros(sae.config.d_sae)
    for text in expected.typical:
        x = model.activations(model.tokens(f"{expected.prompt} {text}"), hook_name)[0, start - 1 :]
        active += sae.encode(x).detach().mean(0)
    features = [int(f) for f in active.argsort(descending=True)[:SCREENED] if active[f] > 0 and maximum[f] > 0]
    best = np.full(len(features), -math.inf)
    for multiple in (1.0, 1.5):
        doses = [Dose(f, multiple, float(maximum[f])) for f in features]
        best = np.maximum(best, forced_logprobs(model, sae, PROMPT, doses, expected.typical))
    order = np.argsort(-best, kind="stable")[:n]
    return [features[i] for i in order], expected.logprob - float(best.max())


def measured(model: Model, concept: str, answers: pd.DataFrame, expected: Expected) -> pd.DataFrame:
    """One row per dose: feature, multiple, concept_rate, repeats (the worst), perplexity_ratio, passes, example."""
    answers = answers.assign(
        expressed=[concept in world().mentions(text) for text in answers["answer"]],
        perplexity=perplexities(model, expected.prompt, answers["answer"].tolist()),
    )
    rows = []
    for (feature, multiple), group in answers.groupby(["feature", "multiple"], sort=False):
        ratio = pooled(group["perplexity"]) / expected.perplexity
        rate, repeats = float(group["expressed"].mean()), int(group["repeats"].max())
        passes = rate >= BOUNDS["concept_rate"] and repeats <= BOUNDS["repeats"] and ratio <= BOUNDS["perplexity_ratio"]
        best = group[group["expressed"]].sort_values("perplexity")
        example = (best if len(best) else group)["answer"].iloc[len(best) // 2 if len(best) else 0]
        rows.append((int(feature), float(multiple), rate, repeats, ratio, bool(passes), example))
    columns = ["feature", "multiple", "concept_rate", "repeats", "perplexity_ratio", "passes", "example"]
    return pd.DataFrame(rows, columns=columns)


def score(table: pd.DataFrame) -> pd.Series:
    """Higher is better: the concept's rate, less what the text loses in fluency beyond the bounds."""
    clumsy = np.maximum(np.log2(table["perplexity_ratio"].clip(lower=1.0)) - 1.0, 0.0)
    return table["concept_rate"] - clumsy - 0.1 * (table["repeats"] - BOUNDS["repeats"]).clip(lower=0)


def measure_concept(
    model: Model,
    sae: SAE,
    maximum: np.ndarray,
    concept: str,
    expected: Expected,
    tried: Sequence[int],
    *,
    n_seeds: int = 20,
    n_tokens: int = 60,
) -> dict[str, Any]:
    """The best of some features of a concept, its usable window, and what was measured at the best multiple."""
    doses = [Dose(f, m, float(maximum[f])) for f in tried for m in COARSE]
    coarse = measured(model, concept, _answers(model, sae, doses, range(100, 105), n_tokens), expected)
    ranked = (
        coarse.assign(score=score(coarse)).groupby("feature")["score"].max().sort_values(ascending=False, kind="stable")
    )
    found: list[pd.DataFrame] = []
    for feature in [*ranked.index[:1], *ranked.index[1:3][ranked.iloc[1:3] >= PROMISING]]:
        doses = [Dose(int(feature), m, float(maximum[feature])) for m in FINE]
        found.append(measured(model, concept, _answers(model, sae, doses, range(n_seeds), n_tokens), expected))
        if found[-1]["passes"].any():
            break
    fine = max(found, key=lambda table: (int(table["passes"].sum()), float(score(table).max())))
    fine = fine.assign(score=score(fine), warmer=0.0)
    passing = fine[fine["passes"]]
    if len(passing):  # of those, the one that bears a warmer temperature best
        doses = [Dose(int(r.feature), r.multiple, float(maximum[int(r.feature)])) for r in passing.itertuples()]
        answers = _answers(model, sae, doses, range(n_seeds), n_tokens, WARMER)
        fine.loc[passing.index, "warmer"] = measured(model, concept, answers, expected)["concept_rate"].to_numpy()
    best = fine.sort_values(["passes", "warmer", "score"], ascending=False, kind="stable").iloc[0]
    window = _window(fine, float(best["multiple"])) if best["passes"] else []
    return {
        "feature": int(best["feature"]),
        "label": concept.replace("_", " "),
        "maximum": round(float(maximum[int(best["feature"])]), 4),
        "multiple": float(best["multiple"]),
        "window": window,
        "concept_rate": round(float(best["concept_rate"]), 3),
        "warmer_rate": round(float(best["warmer"]), 3),
        "repeats": int(best["repeats"]),
        "perplexity_ratio": round(float(best["perplexity_ratio"]), 3),
        "expected": expected.prompt,
        "example": best["example"],
    }


def _window(fine: pd.DataFrame, multiple: float) -> list[float]:
    """The lowest and highest multiple that pass, with no failing one between them and the best."""
    passing = fine.set_index("multiple")["passes"].sort_index()
    multiples = list(passing.index)
    low = high = multiples.index(multiple)
    while low > 0 and passing.iloc[low - 1]:
        low -= 1
    while high + 1 < len(multiples) and passing.iloc[high + 1]:
        high += 1
    return [float(multiples[low]), float(multiples[high])]


def _answers(
    model: Model,
    sae: SAE,
    doses: Sequence[Dose],
    seeds: Sequence[int],
    n_tokens: int,
    temperature: float = TEMPERATURE,
) -> pd.DataFrame:
    return dose_answers(model, sae, PROMPT, doses, seeds=seeds, n_tokens=n_tokens, temperature=temperature)


def make_clamps(
    path: Path, sae_names: Sequence[str], concepts: Sequence[str] | None = None, *, n_candidates: int = 10
) -> dict[str, Any]:
    """Measure every concept that a document can be about, and write those that have a usable window.

    The SAEs are tried in order: a concept without a window in the first is tried in the next. What was found is written
    after each concept.
    """
    model, corpus = load_model(), load_corpus()
    subjects = Counter(s for s in corpus.subjects if s)
    concepts = list(concepts or ["spanish", *MOODS, *(s for s, _ in subjects.most_common())])
    saes = {name: load_sae(name) for name in sae_names}
    maximum = {name: feature_activations(model, sae, corpus).maximum for name, sae in saes.items()}
    found: dict[str, Any] = {"prompt": PROMPT, "temperature": TEMPERATURE, "corpus": corpus.name, "bounds": BOUNDS}
    entries: dict[str, Any] = {}
    for n_tried, concept in enumerate(concepts, 1):
        expected = expectation(model, concept, range(20), 60)
        for name, sae in saes.items():
            tried, short = candidates(model, sae, maximum[name], expected, n_candidates)
            if short > WITHIN:
                print(concept, name, f"no candidate of effect: {short:.3f} nats per token short", flush=True)
                continue
            entry = {"sae": name, **measure_concept(model, sae, maximum[name], concept, expected, tried)}
            shown = ("sae", "feature", "multiple", "window", "concept_rate", "repeats", "perplexity_ratio")
            print(concept, {k: entry[k] for k in shown}, repr(entry["example"]), flush=True)
            if entry["window"]:
                entries[concept] = entry
                break
        ordered = sorted(entries, key=lambda c: (c != "golden_gate_bridge", -entries[c]["concept_rate"], c))
        found |= {"tried": n_tried, "clamps": {c: entries[c] for c in ordered}}
        write_json(path, found, indent=1)
    return found
