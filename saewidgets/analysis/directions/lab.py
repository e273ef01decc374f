"""Whether relations between words are directions: everything that `DirectionsLab` shows, in one call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import nn

from saewidgets.activations import check_pair
from saewidgets.analysis.directions.analogies import answers, score_analogies
from saewidgets.analysis.directions.offsets import N_SHUFFLES, known_pairs, parallelism, plane, shares
from saewidgets.analysis.directions.questions import load_analogies
from saewidgets.analysis.directions.words import vocabulary_words, word_vectors
from saewidgets.bars import bar
from saewidgets.models import Model
from saewidgets.records import (
    AnalogySet,
    AnsweredAnalogy,
    DirectionsData,
    PlacedPair,
    WordRelation,
    WordSpace,
    WordVectors,
)
from saewidgets.records.arguments import expect, listed, whole
from saewidgets.records.directions import EMBEDDING
from saewidgets.sae import SAE

SHOWN = 40  # pairs of a relation in the picture, and questions that are listed


def directions(
    model: Model | nn.Module,
    questions: AnalogySet | None = None,
    sae: SAE | None = None,
    *,
    hook_names: Sequence[str] | None = None,
    template: str = "{}",
    candidates: Sequence[str] | None = None,
    labels: Mapping[int, str] | None = None,
    n_shuffles: int = N_SHUFFLES,
    seed: int = 0,
    progress: bool = True,
) -> DirectionsData:
    """Analogies, parallel offsets and what offsets are made of, in the embedding and in the middle of the model.

    In each space, per relation: how many questions are answered right by x_b - x_a + x_c, with and without the three
    words among the candidates, and by the nearest neighbor of c alone; how parallel the offsets of its pairs are,
    against shuffled pairs; the pairs on the two principal axes of their words; and, at the SAE's site, the features
    that the mean offset is made of. Questions with a word of several tokens are skipped, and counted.

    Args:
        questions: from `read_analogies`; by default the package's own (`load_analogies`).
        sae: one whose site is among the hook points, or is added to them.
        hook_names: by default the embedding, "hook_embed", and the SAE's site or the middle layer.
        template: what words are read in where the space is not the embedding: see `word_vectors`.
        candidates: for an answer, beside the words of the questions; by default every word of the vocabulary that is
            one token (`vocabulary_words`).
        labels: what features stand for.
        n_shuffles, seed: of the null of the parallelism.
        progress: show a bar, if it takes more than half a second.

    Raises ValueError where no question can be asked, and if model and SAE do not belong together.

    Example:
        >>> data = directions(model, sae=sae)  # doctest: +SKIP
        >>> data.to_dataframe()[["space", "relation", "accuracy", "inputs_kept", "neighbor"]]  # doctest: +SKIP
    """
    site = None
    if sae is not None:
        model, found = check_pair(model, sae, "directions", reconstructs=True)
        site = found.hook_name
    model = Model.wrap(model)
    questions = (
        load_analogies()
        if questions is None
        else expect(questions, AnalogySet, "questions", "directions", "give read_analogies(path)")
    )
    n_shuffles = whole(n_shuffles, "n_shuffles", minimum=1)
    middle = site or f"blocks.{(model.n_layers - 1) // 2}.hook_resid_post"
    names = [EMBEDDING, middle] if hook_names is None else listed(hook_names, "hook_names", "'hook_embed'")
    names = list(dict.fromkeys([*names, *([site] if site else [])]))
    words = vocabulary_words(model, questions.words) if candidates is None else (*questions.words, *candidates)
    spaces: list[WordSpace] = []
    asked = set(questions.words)
    skipped: tuple[str, ...] = ()
    with bar(len(names) * len(questions.sections), "asking", "relations", progress=progress) as advance:
        for name in names:
            vectors = word_vectors(model, words, name, template=template, progress=False)
            skipped = tuple(word for word in vectors.skipped if word in asked)
            taken = sae if name == site else None
            relations = []
            for section in questions.sections:
                relations.append(_relation(vectors, questions.section(section), taken, labels, n_shuffles, seed))
                advance(1)
            spaces.append(
                WordSpace(name, len(vectors.words), tuple(relations), "" if taken is None else taken.name or "SAE")
            )
    if not any(relation.n for space in spaces for relation in space.relations):
        raise ValueError(
            f"no question of {questions.name} can be asked: each has a word that is not one token of {model.name}, such as "
            f"{', '.join(skipped[:3])}"
        )
    return DirectionsData(questions.name, len(questions), tuple(spaces), skipped, template, model.name, model.weights)


def _relation(
    vectors: WordVectors,
    questions: AnalogySet,
    sae: SAE | None,
    labels: Mapping[int, str] | None,
    n_shuffles: int,
    seed: int,
) -> WordRelation:
    """One relation in one space."""
    (section,) = questions.sections
    answered = answers(vectors, questions)
    told = score_analogies(answered)
    pairs = known_pairs(vectors, questions.pairs(section))
    offsets = parallelism(vectors, pairs, n_shuffles=n_shuffles, seed=seed)
    places, explained = plane(vectors, pairs)
    features, error = shares(sae, vectors, pairs, labels=labels) if sae is not None and pairs else ((), math.nan)
    return WordRelation(
        section,
        n=int(told["n"]),
        skipped=len(questions) - int(told["n"]),
        correct=int(told["correct"]),
        kept=int(told["kept"]),
        neighbor=int(told["neighbor"]),
        chance=told["chance"],
        parallel=offsets.mean,
        null=offsets.null,
        null_high=offsets.null_high,
        p=offsets.p,
        length=offsets.length,
        explained=explained,
        pairs=tuple(PlacedPair(*pair, *place) for pair, place in zip(pairs[:SHOWN], places[:SHOWN], strict=True)),
        answers=_spread(answered),
        features=features,
        error=error,
    )


def _spread(answered: list[AnsweredAnalogy]) -> tuple[AnsweredAnalogy, ...]:
    """Some of the questions, evenly over all."""
    step = max(1, -(-len(answered) // SHOWN))
    return tuple(answered[::step])
