"""How much of a concept a feature finds: over its labeled spans, and over texts that the grammar writes anew."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
from torch import nn

from saewidgets.analysis.features.activations import feature_activations
from saewidgets.analysis.judges.labels import LabelJudge
from saewidgets.analysis.quality.concepts import Labeled
from saewidgets.miniworld import world
from saewidgets.miniworld.corpus import Corpus, label
from saewidgets.miniworld.grammar import Document
from saewidgets.models import Model
from saewidgets.records import FeatureActivations
from saewidgets.records.arguments import require_features, seed_of, whole
from saewidgets.records.specificity import Sensitivity
from saewidgets.sae import SAE

NEW_SEED = 0x5EED  # away from the seeds that corpora are made with
TRIED = 50  # documents that are written for each that is wanted, before one gives up


def span_sensitivity(
    acts: FeatureActivations, feature: int, corpus: Labeled, concept: str, *, most: int = 1000, seed: int = 0
) -> Sensitivity:
    """The largest activation of a feature inside each labeled span of a concept: an unbroken run of labeled tokens in
    one row. Of more than `most` spans, so many drawn by `seed`.

    Raises ValueError for a concept that the corpus does not have, IndexError for a feature that does not exist.

    Example:
        >>> span_sensitivity(acts, 31, corpus, "golden_gate_bridge").recall()
    """
    (feature,) = require_features([feature], acts.d_sae)
    most, seed = whole(most, "most", minimum=1), seed_of(seed)
    runs = LabelJudge(corpus).labels(concept).runs
    counted = [bool(acts.counted[row, first:stop].any()) for row, first, stop in runs.tolist()]
    runs = runs[np.array(counted, bool)]
    n_spans = len(runs)
    if n_spans > most:
        drawn = np.random.default_rng(seed).permutation(n_spans)[:most]
        runs = runs[np.sort(drawn)]
    dense = acts.dense(feature)
    maxima = tuple(float(dense[row, first:stop].max()) for row, first, stop in runs.tolist())
    drawn_from = f", drawn from {n_spans:,}" if n_spans > most else ""
    return Sensitivity("spans", f"labeled spans of {concept} in {acts.corpus or 'the corpus'}{drawn_from}", maxima)


def new_text_sensitivity(
    model: Model | nn.Module, sae: SAE, feature: int, concept: str, *, n: int = 200, seed: int = 0
) -> Sensitivity:
    """The largest activation of a feature over each of n documents that the grammar of the mini-world writes anew, each
    with the concept in it ("Measuring SAE feature sensitivity", arXiv 2509.23717, has a language model write them).

    Fewer than n where the concept is so rare that 50 n documents do not hold as many. Raises ValueError for a concept
    that the mini-world does not have.

    Example:
        >>> new_text_sensitivity(model, sae, 31, "golden_gate_bridge").recall()
    """
    corpus = new_texts(concept, n=n, seed=seed)
    acts = feature_activations(model, sae, corpus, progress=False)
    (feature,) = require_features([feature], acts.d_sae)
    maxima = np.zeros(acts.text_of_context.max() + 1)
    row, _, value = acts.of(feature)
    np.maximum.at(maxima, acts.text_of_context[row], value)
    return Sensitivity("new texts", f"documents with {concept} that the grammar wrote anew", tuple(maxima.tolist()))


def new_texts(concept: str, *, n: int = 200, seed: int = 0) -> Corpus:
    """n documents of the mini-world that express a concept, in no corpus of `load_corpus`; see `new_text_sensitivity`.

    Raises ValueError for a concept that the mini-world does not have, or that no document expressed.

    Example:
        >>> bool(new_texts("owl", n=5).concept_mask("owl").any(1).all())
        True
    """
    n, seed = whole(n, "n, the number of texts,", minimum=1), seed_of(seed)
    try:
        world().describe(concept)
    except KeyError as error:
        raise ValueError(error.args[0]) from None
    documents = list(_with(concept, n, random.Random(f"new texts {NEW_SEED} {seed}")))
    if not documents:
        raise ValueError(f"none of {TRIED * n:,} documents of the mini-world expresses {concept!r}")
    return label(documents, name=f"{len(documents):,} new documents with {concept}")


def _with(concept: str, n: int, rng: random.Random) -> Iterator[Document]:
    """Up to n documents in which the grammar has marked a concept, or what implies it."""
    source, found = world(), 0
    for _ in range(TRIED * n):
        document = source.write(rng)
        if any(concept in source.implied[m] for _, _, marked in document.spans for m in marked):
            yield document
            found += 1
            if found == n:
                return
