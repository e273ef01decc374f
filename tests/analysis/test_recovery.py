"""Recovery of known directions: the assignment against every permutation, and the counts by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.analysis.toys.recovery import assign, recovery


@given(seed=st.integers(0, 100_000), n=st.integers(1, 5), m=st.integers(1, 5), ties=st.booleans())
@settings(max_examples=150, deadline=None)
def test_assignment_is_the_best_of_all(seed, n, m, ties):
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 3, (n, m)).astype(float) if ties else rng.normal(size=(n, m))
    rows, columns = assign(score)
    assert len(set(rows)) == len(set(columns)) == len(rows) == min(n, m)
    wide = score if n <= m else score.T
    best = max(sum(wide[i, j] for i, j in enumerate(order)) for order in permutations(range(wide.shape[1]), len(wide)))
    assert score[rows, columns].sum() == pytest.approx(best)


def test_a_shuffled_and_rescaled_dictionary_is_recovered():
    rng = np.random.default_rng(0)
    true = rng.normal(size=(30, 8))
    order = rng.permutation(30)
    result = recovery(true, true[order] * rng.uniform(0.1, 9, (30, 1)))
    assert result.mean_max_cosine == pytest.approx(1)
    assert order[result.match].tolist() == list(range(30))
    assert len(result.missed) == len(result.strange) == 0


def test_missed_split_and_strange_by_hand():
    true = np.eye(4)
    learned = [[1, 0, 0, 0], [0, 2, 0, 0], [0, 5, 0.1, 0], [0, 0, 1, 1], [0, 0, 0, -1]]
    result = recovery(true, learned)
    assert result.best == pytest.approx([1, 1, np.sqrt(0.5), np.sqrt(0.5)])
    assert result.missed.tolist() == [2, 3]
    assert result.split.tolist() == [1]
    assert result.strange.tolist() == [3, 4]  # a mixture, and an opposite: a sign is not a matter of taste
    assert result.mean_max_cosine == pytest.approx((2 + 2 * np.sqrt(0.5)) / 4)
    table = result.to_dataframe()
    assert table["copies"].tolist() == [1, 2, 0, 0]
    assert table["match"].tolist()[:2] == [0, 1]


def test_dead_features_and_too_few_match_nothing():
    result = recovery(np.eye(3), np.eye(3), alive=[True, False, True])
    assert result.match.tolist() == [0, -1, 2]
    assert np.isnan(result.matched[1])
    assert result.missed.tolist() == [1]
    zero = recovery(np.eye(2), [[0.0, 0.0], [1.0, 0.0]])
    assert zero.match.tolist() == [1, -1]
    none = recovery(np.eye(2), np.zeros((0, 2)))
    assert none.match.tolist() == [-1, -1] and none.mean_max_cosine == -1


def test_recovery_refuses():
    with pytest.raises(ValueError, match=r"\[2, 2\] and \[2, 3\]"):
        recovery(np.eye(2), np.ones((2, 3)))
    with pytest.raises(ValueError, match="true direction 1 has length 0"):
        recovery([[1.0, 0.0], [0.0, 0.0]], np.eye(2))
