"""Power laws and equal compute, against laws that were put in."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import saewidgets as sw
from saewidgets.analysis.quality.scaling import iso_compute, power_law, scaling_law, training_compute


def test_three_points_by_hand():
    """log10 x = 0, 1, 2 and log10 y = 0, -1, -1: slope -1/2, through the means (1, -2/3), so a = 10^(-1/6)."""
    law = power_law([1, 10, 100], [1, 0.1, 0.1])
    assert law.exponent == pytest.approx(-0.5, abs=1e-12)
    assert law.coefficient == pytest.approx(10 ** (-1 / 6), rel=1e-12)
    assert law.r_squared == pytest.approx(0.75, abs=1e-12)  # residuals 1/6, -1/3, 1/6: 1/6 of a spread of 2/3
    assert law.n == 3 and law(10) == pytest.approx(10 ** (-2 / 3))


@given(st.floats(0.01, 100), st.floats(-2, 2), st.integers(2, 20))
def test_an_exact_law_is_found_and_polyfit_agrees(a, b, n):
    x = np.geomspace(3, 3e4, n)
    law = power_law(x, a * x**b)
    assert law.coefficient == pytest.approx(a, rel=1e-6) and law.exponent == pytest.approx(b, abs=1e-9)
    noisy = a * x**b * np.exp(np.sin(np.arange(n)))
    slope, intercept = np.polyfit(np.log(x), np.log(noisy), 1)
    law = power_law(x, noisy)
    assert (law.exponent, math.log(law.coefficient)) == (
        pytest.approx(slope, abs=1e-8),
        pytest.approx(intercept, abs=1e-6),
    )


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ([1], [1], "two different x"),
        ([2, 2], [1, 3], "two different x"),
        ([1, 2], [0, 1], "positive"),
        ([1, 2], [1], "one length"),
    ],
)
def test_what_has_no_law_is_refused(x, y, words):
    with pytest.raises(ValueError, match=words):
        power_law(x, y)


def chinchilla(sizes=(64, 128, 256, 512, 1024), steps=4000, d_in=10):
    """L(N, D) = N^-1/2 + 40 D^-1/2. At C = 120 N D the best has N^-1/2 = 40 D^-1/2, so N = sqrt(C/120) / 40 and
    D = 40 sqrt(C/120): both grow as C^1/2, and L = 2 sqrt(40) (C/120)^-1/4."""
    frames = []
    for size in sizes:
        tokens = np.unique(np.geomspace(100, 1e8, steps).astype(int))
        loss = size**-0.5 + 40 * tokens**-0.5
        frames.append(pd.DataFrame({"run": str(size), "d_in": d_in, "d_sae": size, "tokens": tokens, "fvu": loss}))
    return pd.concat(frames)


def test_the_best_size_at_each_budget_is_the_one_that_calculus_says():
    table = chinchilla()
    for n in (128, 256, 512):
        budget = 120 * n * (1600.0 * n)
        found = iso_compute(table, [budget], smooth=1)
        best = found[found["best"]].iloc[0]
        assert best["d_sae"] == n and best["fvu"] == pytest.approx(2 * n**-0.5, rel=1e-4)
        assert best["tokens"] == pytest.approx(1600 * n)
        assert len(found) == 5 and found["best"].sum() == 1


def test_the_exponents_come_out():
    budgets = [120 * n * (1600.0 * n) for n in (128, 256, 512)]
    law = scaling_law(chinchilla(), budgets, smooth=1)
    assert law.features.exponent == pytest.approx(0.5, abs=1e-6)
    assert law.tokens.exponent == pytest.approx(0.5, abs=1e-6)
    assert law.loss.exponent == pytest.approx(-0.25, abs=1e-4)
    assert law.loss.coefficient == pytest.approx(2 * math.sqrt(40) * 120**0.25, rel=1e-3)


def test_the_figure_has_a_curve_a_budget_and_the_law_that_was_fitted():
    budgets = [120 * n * (1600.0 * n) for n in (128, 256, 512)]
    law = scaling_law(chinchilla(), budgets, smooth=1)
    figure = sw.views.scaling_curves(law.table)
    *curves, best, line = figure.data
    assert [curve.x[list(curve.marker.symbol).index("circle")] for curve in curves] == [128, 256, 512]
    assert list(best.y) == pytest.approx([2 * n**-0.5 for n in (128, 256, 512)], rel=1e-4)
    assert list(line.y) == pytest.approx([law.loss(c) for c in budgets], rel=1e-9)


def test_a_run_counts_only_where_it_has_been():
    table = pd.concat([chinchilla((64,)).query("tokens < 1000"), chinchilla((128,)).query("tokens > 2000")])
    with pytest.raises(ValueError, match="within reach of two runs"):
        iso_compute(table)
    found = iso_compute(table, [training_compute(10, 64, 500)])
    assert found["run"].tolist() == ["64"]
    with pytest.raises(ValueError, match="lacks loss"):
        iso_compute(table, measure="loss")


def test_smoothing_is_the_mean_of_the_last_steps():
    table = pd.DataFrame({"run": "a", "d_in": 1, "d_sae": 1, "tokens": [1, 2, 3], "fvu": [0.9, 0.5, 0.1]})
    at = [training_compute(1, 1, tokens) for tokens in (1, 2, 3)]
    assert iso_compute(table, at, smooth=2)["fvu"].tolist() == pytest.approx([0.9, 0.7, 0.3])


def test_a_finished_sweep_goes_straight_in():
    import torch

    grid = sw.training.sweep_grid(6, (4, 8, 16), (2,), sw.TrainConfig(steps=60, lr=1e-2, lr_decay=0.0))
    batches = [torch.randn(64, 6, generator=torch.Generator().manual_seed(i)) for i in range(60)]
    sweep = sw.train_sweep(grid, batches)
    list(sweep)
    law = sw.analysis.scaling_law(sweep, smooth=5)
    assert set(law.table["d_sae"]) <= {4, 8, 16} and law.loss.n == 8
    assert law.table.groupby("compute")["best"].sum().ge(1).all()
    assert law.features.exponent + law.tokens.exponent == pytest.approx(1, abs=1e-9)
