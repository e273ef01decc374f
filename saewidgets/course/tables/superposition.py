"""Exercises of 01_superposition.ipynb."""

from __future__ import annotations

from typing import Any

import numpy as np

from saewidgets.analysis.toys import geometry
from saewidgets.analysis.toys.superposition_theory import antipodal_loss, ignored_loss
from saewidgets.course import answers
from saewidgets.course.exercise import Exercise, Said, Wrong, right

N_FEATURES = 11  # of the first exercise
STEP = 0.01  # how near a density must be


def after_relu(answer: Any) -> Said:
    """Of eleven features spread evenly in a plane, one at 1: how many others read more than 0."""
    cosines = np.cos(2 * np.pi * np.arange(1, N_FEATURES) / N_FEATURES)
    expected = int((cosines > 0).sum())
    found = answers.whole(answer)
    if found == expected:
        return right("Yes: two neighbors on either side are less than 90° away. The other six read less than 0.")
    if found == len(cosines):
        raise Wrong("All ten read something before the ReLU. Which of their cosines are positive?")
    if found == len(cosines) - expected:
        raise Wrong("{n} read less than 0, and those are what the ReLU removes. Count the others.", n=found)
    if found == expected + 1:
        raise Wrong("That counts green itself. How many of the others?")
    if found == 2:
        raise Wrong(
            "Two was the answer for five features. Eleven stand only {angle:.0f}° apart.", angle=360 / N_FEATURES
        )
    raise Wrong("Not {n}. Write down the cosines of all ten angles and count those above 0.", n=found)


def border(answer: Any) -> Said:
    """The density at which a pair of opposites costs as much as leaving one of two features out."""
    low, high = 0.01, 1.0  # at the one the pair is cheaper, at the other dearer
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _pair(middle) < float(ignored_loss(middle)) else (low, middle)
    found = answers.number(answer)
    if not 0 < found <= 1:
        raise Wrong("A density is a share of the inputs, above 0 and at most 1: not {p:g}.", p=found)
    if abs(found - low) <= STEP:
        return right("Yes: at p = {p:.3f}, 4/7, both cost {cost:.3f}.", p=low, cost=_pair(low))
    if abs(found - (1 - low)) <= STEP:
        raise Wrong("{p:g} is the sparsity, 1 − p. Asked was the density p.", p=found)
    if abs(found - 0.8) <= STEP:
        raise Wrong("At 0.8 one feature of the pair costs as much as the one left out. Both of a pair cost something.")
    costs = {"p": found, "pair": _pair(found), "left": float(ignored_loss(found))}
    if costs["pair"] < costs["left"]:
        raise Wrong(
            "At {p:g} the pair costs {pair:.3f} and leaving one out {left:.3f}: go to denser features.", **costs
        )
    raise Wrong("At {p:g} the pair costs {pair:.3f} and leaving one out {left:.3f}: go to rarer features.", **costs)


def _pair(p: float) -> float:
    return 2 * float(antipodal_loss(p))


def bipyramid(answer: Any) -> Said:
    """A W of five features in three dimensions: a triangle and, at a right angle to it, a pair of opposites."""
    try:
        W = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError):
        raise Wrong(
            "This takes an array of numbers, W[dimension, feature], not {given}.", given=answers.shown(answer)
        ) from None
    if W.shape == (5, 3):
        raise Wrong("The columns of W are the features: give W.T, of shape (3, 5).")
    if W.shape != (3, 5):
        raise Wrong("W must have the shape (3, 5), 3 dimensions and 5 features; yours has {shape}.", shape=W.shape)
    if not np.isfinite(W).all():
        raise Wrong("Some numbers of W are not finite.")
    lengths = geometry.norms(W)
    if lengths.min() < 1e-6:
        raise Wrong("Feature {i} has length 0: it is left out.", i=int(lengths.argmin()))
    if lengths.max() - lengths.min() > 0.01 * lengths.max():
        raise Wrong(
            "The features are not equally long: {low:.2f} to {high:.2f}.", low=lengths.min(), high=lengths.max()
        )
    cosines = (W / lengths).T @ (W / lengths) - np.eye(5)
    if cosines.max() > 0.99:
        i, j = np.unravel_index(cosines.argmax(), cosines.shape)
        raise Wrong(
            "Features {i} and {j} point the same way; opposites point away from each other.", i=int(i), j=int(j)
        )
    D = geometry.feature_dimensionality(W)
    triangle, pair = (np.abs(D - share) < 0.01 for share in (2 / 3, 1 / 2))
    if triangle.sum() == 3 and pair.sum() == 2:
        return right("Yes, a triangular bipyramid: three shares of ⅔, two of ½, and all three dimensions are used.")
    if np.linalg.matrix_rank(W, tol=1e-6 * lengths.max()) < 3:
        raise Wrong(
            "Your features use {n} of the 3 dimensions.", n=int(np.linalg.matrix_rank(W, tol=1e-6 * lengths.max()))
        )
    shares = ", ".join(f"{share:.2f}" for share in D)
    if pair.sum() == 2:
        raise Wrong("The pair is right; the other three have shares {shares}: stand them 120° apart.", shares=shares)
    raise Wrong("The shares are {shares}: the triangle and the pair are not at a right angle.", shares=shares)


EXERCISES = (
    Exercise(
        "01.1",
        "*Eleven* features stand in a plane, spread evenly. Green is at 1, the others are at 0. How many of the other ten "
        "read something after a ReLU?",
        (
            "What a feature reads is the cosine of its angle to green. For which angles is a cosine positive?",
            "The angles are `360 / 11 * np.arange(1, 11)`. A cosine is positive below 90° and above 270°.",
        ),
        "Four. The angles are 32.7° apart, so 32.7° and 65.5° on either side are below 90°: "
        "`(np.cos(2 * np.pi * np.arange(1, 11) / 11) > 0).sum()`. The more features share a plane, the more of them the "
        "ReLU cannot silence.",
        after_relu,
    ),
    Exercise(
        "01.2",
        "Two features of equal importance, one dimension. At which density $p$ does a pair of opposites cost exactly as "
        "much as keeping one feature and leaving the other out?",
        (
            "Left out, a feature costs $p/3 - p^2/4$. In a pair *each* of the two costs $p^2/6$.",
            "Set $p/3 - p^2/4 = 2 \\cdot p^2/6$ and divide by $p$.",
        ),
        "$p/3 - p^2/4 = p^2/3$ gives $1/3 = \\tfrac{7}{12}\\,p$, so $p = 4/7 \\approx 0.571$. Below it sharing is cheaper: "
        'that is the border in the diagram, on the line "equally important".',
        border,
    ),
    Exercise(
        "01.3",
        "Write a $W$, an array of shape (3, 5), in which three features form a triangle and the two others a pair of "
        "opposites, in a dimension of their own.",
        (
            "A column is a feature. Put the triangle into the first two rows, at 0°, 120° and 240°.",
            "The pair is (0, 0, 1) and (0, 0, −1). `geometry.feature_dimensionality(W)` should say ⅔ three times, ½ twice.",
        ),
        "`angles = np.radians([0, 120, 240])`, then `W = np.zeros((3, 5))`, `W[0, :3] = np.cos(angles)`, "
        "`W[1, :3] = np.sin(angles)`, `W[2, 3:] = 1, -1`.",
        bipyramid,
    ),
)
