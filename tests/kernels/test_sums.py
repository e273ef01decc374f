"""Weighted sums of words: Python's own integers modulo 2^64, by either way."""

from __future__ import annotations

import numpy as np
import pytest

from saewidgets.kernels import sums


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 7, 40])
@pytest.mark.parametrize("n", [1, 6, 512])
@pytest.mark.parametrize("compiled", [False, True])
def test_every_row_is_summed_modulo_2_to_the_64(monkeypatch, rows, n, compiled):
    if compiled:
        pytest.importorskip("numba")
        monkeypatch.setattr(sums, "MANY", 0)
        monkeypatch.setattr(sums, "plain_sums", None)  # and by no other way
    rng = np.random.default_rng(rows + n)
    words, weights = (rng.integers(-(1 << 63), (1 << 63) - 1, size, dtype=np.int64) for size in (rows * n, n))
    found = sums.weighted_sums(words, weights)
    rows_of = words.reshape(rows, n).tolist()
    expected = [sum(a * b for a, b in zip(row, weights.tolist(), strict=True)) % 2**64 for row in rows_of]
    assert found.dtype == np.int64 and [int(x) % 2**64 for x in found] == expected


def test_arrays_that_may_not_be_written_are_read_too():
    pytest.importorskip("numba")
    words = np.arange(sums.MANY, dtype=np.int64)
    words.flags.writeable = False
    assert np.array_equal(sums.weighted_sums(words, np.ones(512, np.int64)), words.reshape(-1, 512).sum(1))
