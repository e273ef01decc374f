"""Weighted kappa against sums over pairs of passages, and its interval against resampled passages."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from saewidgets.records import agreement, altered, share

RNG = random.Random(4)
FIRST = [RNG.choice([0, 1, 2, 3, 3]) for _ in range(60)]
SECOND = [s if RNG.random() < 0.6 else RNG.randrange(4) for s in FIRST]


@pytest.mark.parametrize("weights", ["quadratic", "linear", "none"])
def test_kappa_is_one_minus_seen_over_expected_disagreement(weights):
    """Expected: of each score of the one with each of the other."""
    apart = {"quadratic": lambda a, b: (a - b) ** 2, "linear": lambda a, b: abs(a - b), "none": lambda a, b: a != b}[
        weights
    ]
    seen = sum(apart(a, b) for a, b in zip(FIRST, SECOND, strict=True)) / 60
    expected = sum(apart(a, b) for a in FIRST for b in SECOND) / 3600
    assert agreement(FIRST, SECOND, weights=weights).kappa == pytest.approx(1 - seen / expected)


def test_the_interval_is_that_of_resampled_passages():
    found = agreement(FIRST, SECOND)
    rng = np.random.default_rng(1)
    a, b = np.array(FIRST), np.array(SECOND)
    kappas = []
    for _ in range(1000):
        i = rng.integers(60, size=60)
        x, y = a[i], b[i]
        kappas.append(1 - ((x - y) ** 2).mean() / ((x[:, None] - y[None]) ** 2).mean())
    assert (found.low, found.high) == pytest.approx(np.percentile(kappas, [2.5, 97.5]), abs=0.04)
    assert found.low < found.kappa < found.high


def test_by_hand():
    # 2 x 2: 20 + 15 agree of 50; by chance .5; Cohen's kappa .4
    first = [0] * 25 + [3] * 25
    second = [0] * 20 + [3] * 5 + [0] * 10 + [3] * 15
    for weights in ("quadratic", "linear", "none"):
        assert agreement(first, second, weights=weights).kappa == pytest.approx(0.4)
    assert agreement(first, second).table[0] == (20, 0, 0, 5)
    assert altered(second, first).value == 15 / 50


def test_refusals_are_left_out_and_judges_who_never_vary_have_no_kappa():
    assert agreement([3, None, 0], [3, 1, None]).n == 1
    same = agreement([3, 3, 3], [3, 3, 3])
    assert math.isnan(same.kappa) and math.isnan(same.low) and same.same.value == 1
    with pytest.raises(ValueError, match="no passage that both"):
        agreement([None], [3])
    with pytest.raises(ValueError, match="2 and 1 passages"):
        agreement([1, 2], [1])
    with pytest.raises(ValueError, match="quadratic, linear, none"):
        agreement([1], [1], weights="cubic")


def test_shares_at_the_ends():
    assert (share(0, 8).low, share(8, 8).high) == (0.0, 1.0)
    assert share(8, 8).low == pytest.approx(1 - share(0, 8).high) == pytest.approx(8 / (8 + 1.959963984540054**2))
    assert math.isnan(share(0, 0).value)
    with pytest.raises(ValueError, match="3 of 2"):
        share(3, 2)
