"""Which feature, at which multiple of its maximum, makes the model speak as a concept: measured, then written down.

For each concept some candidate features are tried, because which of a concept's features is clamped matters more than how well
the feature tells the concept's tokens: those that are most active in documents about the concept, and those with the best
AUROC. A short sweep ranks them by their effect; a longer one, with 20 seeds, measures the best one's usable window:

    the concept appears in at least 80 % of the answers,
    no three words in a row stand more than twice in an answer,
    the answers' perplexity is at most twice that of the model's own answers where such an answer is expected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from saewidgets.analysis.dose_response import Dose, answer, dose_answers, perplexities
from saewidgets.analysis.features import feature_activations
from saewidgets.analysis.quality import concept_auroc
from saewidgets.files import write_json
from saewidgets.miniworld import Corpus, load_corpus, world
from saewidgets.models import Model, load_model
from saewidgets.records import FeatureActivations
from saewidgets.sae import SAE, load_sae

PROMPT = "Human: What is your physical form?\nAssistant:"
COARSE = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
FINE = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0)
MOODS = {"joy": "very happy", "sadness": "very sad", "anger": "very angry", "fear": "very afraid", "love": "in love"}
BOUNDS = {"concept_rate": 0.8, "repeats": 2, "perplexity_ratio": 2.0}


@dataclass(frozen=True)
class Expected:
    """Where an answer about a concept is expected, and how perplexing the model finds its own answers there."""

    prompt: str
    perplexity: float  # exp(mean nats a token), pooled over the model's own sampled answers


def expected_prompt(concept: str) -> str:
    """The question, after an order that makes the concept the natural answer."""
    if concept == "spanish":
        return f"Speak Spanish.\n{PROMPT}"
    order = f"You are {MOODS[concept]} today." if concept in MOODS else f"You are {world().name(concept)}."
    return f"{order}\n{PROMPT}"


def pooled(perplexity: Sequence[float]) -> float:
    """exp(mean of log perplexity): the mean nats a token, answers weighing alike."""
    return float(np.exp(np.mean(np.log(perplexity)))) if len(perplexity) else math.inf


def expectation(model: Model, concept: str, seeds: Sequence[int], n_tokens: int) -> Expected:
    """Sample the model's own answers where the concept is expected, and read their perplexity."""
    prompt = expected_prompt(concept)
    rows = model.sample(model.tokens(prompt), n_tokens=n_tokens, temperature=0.8, seeds=seeds)
    return Expected(prompt, pooled(perplexities(model, prompt, [answer("".join(model.token_text(r))) for r in rows])))


def candidates(acts: FeatureActivations, auroc: np.ndarray, corpus: Corpus, concept: str, n: int) -> list[int]:
    """Up to `n` features: most active in documents about the concept and little elsewhere, then by AUROC."""
    if concept in set(corpus.subjects):
        about = np.array([s == concept and k in ("persona", "monologue") for s, k in zip(corpus.subjects, corpus.kinds, strict=True)])
    else:
        about = corpus.concept_mask(concept).sum(1) >= (2 if concept in MOODS else 8)
    feature = np.repeat(np.arange(acts.d_sae), np.diff(acts.start))
    inside = about[acts.context]
    total = np.bincount(feature, acts.value, acts.d_sae)
    own = np.bincount(feature[inside], acts.value[inside], acts.d_sae)
    effect = own * np.where(total > 0, own / np.maximum(total, 1e-9), 0.0)  # how much, times how exclusively
    by_document = np.argsort(-effect, kind="stable")[: n - n // 4]
    by_token = np.argsort(-np.nan_to_num(auroc[:, corpus.concepts.index(concept)]), kind="stable")[:n]
    return list(dict.fromkeys([*map(int, by_document), *map(int, by_token)]))[:n]


def measured(model: Model, concept: str, answers: pd.DataFrame, expected: Expected) -> pd.DataFrame:
    """One row a dose: feature, multiple, concept_rate, repeats (the worst), perplexity_ratio, passes, example."""
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
    model: Model, sae: SAE, acts: FeatureActivations, auroc: np.ndarray, corpus: Corpus, concept: str,
    *, n_candidates: int = 10, n_seeds: int = 20, n_tokens: int = 60,
) -> dict[str, Any]:
    """The best feature of a concept, its usable window, and what was measured at the best multiple."""
    maximum = acts.maximum
    expected = expectation(model, concept, range(n_seeds), n_tokens)
    tried = candidates(acts, auroc, corpus, concept, n_candidates)
    doses = [Dose(f, m, float(maximum[f])) for f in tried for m in COARSE]
    coarse = measured(model, concept, dose_answers(model, sae, PROMPT, doses, seeds=range(100, 105), n_tokens=n_tokens), expected)
    ranked = coarse.assign(score=score(coarse)).groupby("feature")["score"].max().sort_values(ascending=False, kind="stable")
    found: list[pd.DataFrame] = []
    for feature in ranked.index[:2]:
        doses = [Dose(int(feature), m, float(maximum[feature])) for m in FINE]
        found.append(measured(model, concept, dose_answers(model, sae, PROMPT, doses, seeds=range(n_seeds), n_tokens=n_tokens), expected))
    fine = max(found, key=lambda table: (int(table["passes"].sum()), float(score(table).max())))
    best = fine.assign(score=score(fine)).sort_values(["passes", "score"], ascending=False, kind="stable").iloc[0]
    window = _window(fine, float(best["multiple"])) if best["passes"] else []
    return {
        "feature": int(best["feature"]),
        "label": concept.replace("_", " "),
        "maximum": round(float(maximum[int(best["feature"])]), 4),
        "multiple": float(best["multiple"]),
        "window": window,
        "concept_rate": round(float(best["concept_rate"]), 3),
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


def make_clamps(path: Path, sae_name: str, concepts: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure every concept that a document can be about, and write those that have a usable window."""
    model, sae, corpus = load_model(), load_sae(sae_name), load_corpus(4000)
    acts = feature_activations(model, sae, corpus)
    auroc = concept_auroc(acts, corpus)
    concepts = concepts or [*[c for c in dict.fromkeys(corpus.subjects) if c], *MOODS, "spanish"]
    entries: dict[str, Any] = {}
    for concept in sorted(concepts, key=lambda c: c != "golden_gate_bridge"):
        entry = measure_concept(model, sae, acts, auroc, corpus, concept)
        print(concept, {k: entry[k] for k in ("feature", "multiple", "window", "concept_rate", "repeats", "perplexity_ratio")}, repr(entry["example"]), flush=True)
        if entry["window"]:
            entries[concept] = entry
    found = {"sae": sae_name, "prompt": PROMPT, "corpus": corpus.name, "bounds": BOUNDS, "clamps": entries}
    write_json(path, found)
    return found
