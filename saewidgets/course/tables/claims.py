"""Exercises of 06_is_it_real.ipynb."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from saewidgets.analysis.quality import concept_scores
from saewidgets.course import answers, setting
from saewidgets.course.exercise import Exercise, Said, Wrong, right
from saewidgets.files import nearest
from saewidgets.records.agreement import agreement

FIRST = (3, 3, 3, 3, 3, 3, 3, 3, 0, 0)  # ten passages, scored by one judge
SECOND = (3, 3, 3, 3, 3, 3, 3, 0, 0, 3)  # and by another
NEAR = 0.01
BRIDGE = "golden_gate_bridge"
HOLDS = 0.8  # share of the strong activations that a claim must be right about
TOPIC = "planet"
FINDS = 0.95  # share of the documents, both ways


def kappa(answer: Any) -> Said:
    """Cohen's kappa of two judges of ten passages."""
    found = answers.number(answer)
    expected = agreement(FIRST, SECOND)
    if abs(found - expected.kappa) <= NEAR:
        return right("Yes, {kappa:.3f}: 80 % equal scores, of which chance alone gives 68 %.", kappa=expected.kappa)
    if abs(found - expected.same.value) <= NEAR or found in (8, 80):
        raise Wrong("{found:g} is how often they agree. Kappa takes away what chance would give.", found=found)
    if abs(found - 0.68) <= NEAR:
        raise Wrong("0.68 is what chance gives. How far above it are they, as a share of what is left?")
    if abs(found - 0.12) <= NEAR:
        raise Wrong("0.12 is what is left above chance; divide it by what could be left, 1 − 0.68.")
    if not -1 <= found <= 1:
        raise Wrong("Kappa is at most 1: {found:g} cannot be.", found=found)
    raise Wrong("Not {found:g}: (agreement − chance) / (1 − chance).", found=found)


def better_claim(answer: Any) -> Said:
    """A concept that holds for at least 80 % of the strong activations of the bridge's best detector."""
    corpus = setting.corpus()
    claim = answers.text(answer).strip().replace(" ", "_").lower()
    if claim not in corpus.concepts:
        near = ", ".join(nearest(claim, corpus.concepts))
        raise Wrong("The mini-world has no concept {claim!r}; nearest: {near}.", claim=claim, near=near)
    share = _holds(claim)
    said = {"claim": claim.replace("_", " "), "share": share}
    if share >= HOLDS:
        return right("Yes: {share:.0%} of its strong activations are on a token about {claim}.", **said)
    if claim == BRIDGE:
        raise Wrong("That is the claim that failed: {share:.0%}. What have the other tokens in common?", **said)
    raise Wrong("{claim} holds for {share:.0%} of the strong activations; asked was 80 %.", **said)


def _holds(claim: str) -> float:
    acts, corpus = setting.acts(), setting.corpus()
    scores = concept_scores(acts, corpus, progress=False).set_index("concept")
    context, position, value = acts.of(int(scores.loc[BRIDGE, "feature"]))
    strong = value > value.max() / 2
    about: np.ndarray = corpus.concept_mask(claim)[context[strong], position[strong]]
    return float(about.mean())


def pattern(answer: Any) -> Said:
    """A regular expression that finds the documents about planets, nearly all of them and nearly nothing else."""
    given = answer.pattern if isinstance(answer, re.Pattern) else answers.text(answer)
    try:
        finds = re.compile(given)
    except re.error as error:
        raise Wrong("{given!r} is no regular expression: {why}.", given=given, why=str(error)) from None
    corpus = setting.corpus()
    about = set(corpus.label_doc[corpus.label_concept == corpus.concepts.index(TOPIC)].tolist())
    hit = {i for i, text in enumerate(corpus.texts) if finds.search(text)}
    if not hit:
        raise Wrong("It matches none of the {n:,} documents.", n=len(corpus.texts))
    if len(hit) == len(corpus.texts):
        raise Wrong("It matches every document: a judge that says the same of everything.")
    recall, precision = len(hit & about) / len(about), len(hit & about) / len(hit)
    if precision < FINDS:
        example = corpus.texts[min(hit - about)]
        raise Wrong(
            "Of what it matches {p:.0%} is about a planet; this is not: {text!r}", p=precision, text=example[:120]
        )
    if recall < FINDS:
        example = corpus.texts[min(about - hit)]
        raise Wrong("It finds {r:.0%} of the documents about planets; it misses {text!r}", r=recall, text=example[:120])
    return right("Yes: it finds {r:.0%}, and {p:.0%} of what it finds is right.", r=recall, p=precision)


EXERCISES = (
    Exercise(
        "06.1",
        "The feature that tells the bridge best is also strong on other places. Name a concept of the mini-world that is "
        "true of at least 80 % of its activations above half of the maximum.",
        (
            "Section 3 has a table of concepts; `corpus.concepts` lists them all.",
            "What kind of thing are the bridge, the Eiffel Tower and Big Ben?",
        ),
        '`"landmark"`, the wider claim. A claim that is too narrow fails at once; one that is too wide '
        '("a noun") would hold as well, and say little.',
        better_claim,
    ),
    Exercise(
        "06.2",
        "Two judges score ten passages: `[3,3,3,3,3,3,3,3,0,0]` and `[3,3,3,3,3,3,3,0,0,3]`. They agree on eight. "
        "What is their kappa?",
        (
            "Each says 3 in eight of ten. If they did so independently, how often would they agree?",
            "By chance 0.8 × 0.8 + 0.2 × 0.2 = 0.68. Kappa is (agreement − chance) / (1 − chance).",
        ),
        "(0.80 − 0.68) / (1 − 0.68) = 0.375. Where nearly everything is a 3, two judges agree often without judging.",
        kappa,
    ),
    Exercise(
        "06.3",
        "A rule is a judge, too. Write a regular expression that matches at least 95 % of the documents about planets, "
        "and hardly any others: 95 % of its matches must be right.",
        (
            "Search `corpus.texts` for a name or two first. Which names do the texts use?",
            'Words joined with | match any of them: `"Mars|Venus"`. The mini-world has five planets.',
        ),
        '`"planet|Mars|Jupiter|Saturn|Venus|Neptune"`. It misses Spanish texts, which say *Marte*. A rule is only as good '
        "as the words that came to your mind.",
        pattern,
    ),
)
