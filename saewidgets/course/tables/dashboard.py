"""Exercises of 03_feature_dashboard.ipynb."""

from __future__ import annotations

from typing import Any

import numpy as np

from saewidgets.course import answers, setting
from saewidgets.course.exercise import Exercise, Said, Wrong, right
from saewidgets.miniworld import Corpus
from saewidgets.records import FeatureActivations

RAREST = 0.002  # density: 1 token in 500
PURE = 0.9  # share of a feature's tokens that are about one concept
FIRES = 20  # tokens: with fewer, a share says little
LEAST_DOCUMENTS = 1000  # of which that many tokens can be asked
NEAR = 0.02


def never_on(answer: Any) -> Said:
    """A feature that fires at no token of the corpus."""
    acts = setting.acts()
    found = answers.feature(answer, acts.d_sae)
    value = acts.of(found)[2]
    if not len(value):
        return right(
            "Yes: feature {f} fires at none of the {n:,} tokens. It is dead, on this corpus.", f=found, n=acts.n_tokens
        )
    if found == int((acts.maximum == 0).sum()):
        raise Wrong("There are {f} such features. Asked was the number of one of them.", f=found)
    raise Wrong(
        "Feature {f} fires at {n:,} tokens, at up to {most:.1f}. Look for one whose acts.maximum is 0.",
        f=found,
        n=len(value),
        most=float(value.max()),
    )


def per_token(answer: Any) -> Said:
    """The sum of all densities: how many features are active per token."""
    density = setting.acts().density
    expected = float(density.sum())
    found = answers.number(answer)
    if abs(found / expected - 1) <= NEAR:
        return right("Yes: {l0:.1f} features per token. That is L0, the k of this SAE.", l0=expected)
    if abs(found / float(density.mean()) - 1) <= NEAR:
        raise Wrong("{found:.4f} is the mean density, of one feature. Asked was the sum over all of them.", found=found)
    if abs(found / expected - 100) <= 100 * NEAR:
        raise Wrong("The densities are shares of 1, not percent: divide by 100.")
    if found == len(density):
        raise Wrong("{n} is how many features there are.", n=len(density))
    raise Wrong("Not {found:g}: add up acts.density, one share per feature.", found=found)


def narrow(answer: Any) -> Said:
    """A feature that fires rarely, and nearly always on tokens of one planted concept."""
    acts, corpus = setting.acts(), setting.corpus()
    found = answers.feature(answer, acts.d_sae)
    density = float(acts.density[found])
    if density == 0:
        raise Wrong("Feature {f} never fires on this corpus.", f=found)
    if density > RAREST:
        raise Wrong("Feature {f} fires at 1 token in {n:.0f}; asked was at most 1 in 500.", f=found, n=1 / density)
    n = round(density * acts.n_tokens)
    if n < FIRES and len(corpus) >= LEAST_DOCUMENTS:
        raise Wrong(
            "Feature {f} fires at {n} tokens only, too few to tell: at least {least}.", f=found, n=n, least=FIRES
        )
    concept, share = commonest_concept(acts, corpus, found)
    said = {"f": found, "share": share, "concept": concept.replace("_", " ")}
    if share < PURE:
        raise Wrong("Of feature {f}'s tokens {share:.0%} are about {concept}, the commonest; asked was 90 %.", **said)
    return right("Yes: {share:.0%} of feature {f}'s tokens are about {concept}.", **said)


def commonest_concept(acts: FeatureActivations, corpus: Corpus, feature: int) -> tuple[str, float]:
    """The concept that most tokens of a feature express, and the share of them that do."""
    context, position, _ = acts.of(feature)
    width = corpus.token_rows.shape[1]
    own = np.isin(corpus.label_doc * width + corpus.label_pos, context * width + position)
    counts = np.bincount(corpus.label_concept[own], minlength=len(corpus.concepts))
    return corpus.concepts[int(counts.argmax())], float(counts.max() / len(context))


EXERCISES = (
    Exercise(
        "03.1",
        "Add up the densities of all features, `acts.density`. What is the sum?",
        (
            "A density is the share of the tokens at which a feature fires. What does it count, summed over the features?",
            "`acts.density.sum()`",
        ),
        "`acts.density.sum()` is 24, and has a name: **L0**, the mean number of features that are active at a token. A TopK "
        "SAE has it fixed; other architectures do not.",
        per_token,
    ),
    Exercise(
        "03.2",
        "One feature of this SAE never fires on the corpus. Which?",
        (
            "It has no page on the dashboard: `data` holds the features that fired.",
            "`acts.maximum` has the largest activation of each feature. Where is it 0?",
        ),
        "`int((acts.maximum == 0).nonzero()[0][0])`. *Dead* is always meant on a corpus: on other texts it might fire. An SAE "
        "with many such features wastes its size.",
        never_on,
    ),
    Exercise(
        "03.3",
        "Find a *narrow* feature: it fires at no more than 1 token in 500, at 20 tokens at least, and 90 % of those "
        "tokens are about one and the same planted concept. A broad concept, such as *food*, will do.",
        (
            'Candidates have an AUROC near 1: `scores[scores["auroc"] > 0.999]`.',
            "Near 1 is not enough: the guitar's feature is also weakly on elsewhere. Open candidates on the dashboard and "
            "read the *weakest* examples.",
        ),
        '`int(scores.loc["rice", "feature"])` is one: 94 % of its tokens are about food. The guitar\'s has an AUROC of 1 '
        "and still only 62 %: AUROC asks whether the right tokens have the *higher* activations, not whether the others "
        "have none.",
        narrow,
    ),
)
