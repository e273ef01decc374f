"""Loss against the one setting in which models differ: closed forms by hand, and against trained models."""

from __future__ import annotations

import numpy as np
import pytest

import saewidgets as sw
from saewidgets.analysis.toys import superposition_theory as theory
from saewidgets.analysis.toys.loss_curves import crossings, loss_curves
from saewidgets.records import ToyRun


def run_of(p, importance=1.0, m: int = 2, **changes) -> ToyRun:
    """A run of models that represent nothing, with these densities [instance, n]."""
    p = np.float32(p)
    i, n = p.shape
    weights = np.zeros((1, i, m, n), np.float32)
    importance = np.broadcast_to(np.float32(importance), p.shape)
    biases = np.broadcast_to(p / 2, (1, i, n))
    return ToyRun(weights, biases, np.array([0]), np.ones((1, i), np.float32), p, importance, **changes)


def test_solutions_of_any_size_cost_what_their_parts_cost():
    """p = 1/2: ignored p/3 - p^2/4 = 5/48; a pair (I_i + I_j) p^2 / 6 = (I_i + I_j) / 24. Three features, m = 1."""
    losses = theory.solution_losses(1, [[0.5, 0.5, 0.5]], [[1.0, 0.5, 0.1]])
    assert losses["one per dimension"][0] == pytest.approx(0.6 * 5 / 48)
    assert losses["two per dimension"][0] == pytest.approx(1.5 / 24 + 0.1 * 5 / 48)
    assert losses["best of both"][0] == pytest.approx(0.6 * 5 / 48)  # 0.0625 against 0.0729 for the pair
    # four features in three dimensions: one pair is all that can be, of the two that matter least
    one_pair = theory.solution_losses(3, [[0.2] * 4], [[4.0, 3.0, 2.0, 1.0]])["two per dimension"][0]
    assert one_pair == pytest.approx(3 * 0.2**2 / 6)


def test_pairs_take_the_dearest_with_the_cheapest():
    """Densities 0.4, 0.3, 0.2, 0.1 in two dimensions: (0.4 x 0.1 + 0.3 x 0.2) x 2 / 6 is the least of three pairings."""
    assert theory.solution_losses(2, [[0.1, 0.4, 0.3, 0.2]])["two per dimension"][0] == pytest.approx(0.1 / 3)


def test_the_mix_is_never_dearer_than_a_trained_model_is_cheap():
    """No best model is worse than a model that exists: against training, twenty features in five dimensions."""
    config = sw.ToyConfig(
        20, 5, 16, np.repeat([[0.3], [0.1]], 8, 0).tolist(), (0.7 ** np.arange(20)).tolist(), steps=1000, batch_size=256
    )
    run = sw.train_toy(config).run()
    for setting, p in zip(run.settings, (0.3, 0.1), strict=True):
        known = theory.solution_losses(5, [[p] * 20], run.importance[:1])
        found = run.losses[-1, setting[0]]
        assert 0.8 * known["best of both"][0] < found < 1.05 * known["best of both"][0]
        assert known["best of both"][0] < 0.98 * min(known["one per dimension"][0], known["two per dimension"][0])


def test_the_density_at_which_two_share_is_named():
    curves = loss_curves(run_of([[0.05, 0.05], [0.9, 0.9]], m=1))
    assert (curves.name, curves.features.tolist(), curves.settings.round(3).tolist()) == (
        "density",
        [0, 1],
        [0.05, 0.9],
    )
    assert curves.x[0] == pytest.approx(0.05 / 1.15, rel=1e-6) and curves.x[-1] == 1  # no density is above 1
    (crossing,) = curves.crossings
    assert crossing.x == pytest.approx(4 / 7, abs=2e-3)  # p/3 - p^2/4 = 2 p^2 / 6
    assert (crossing.below, crossing.above) == ("two per dimension", "one per dimension")


def test_importance_is_a_setting_too():
    p = np.full((3, 2), 0.9)
    curves = loss_curves(run_of(p, [[1, 0.1], [1, 1], [1, 10]], m=1))
    assert curves.name == "importance" and curves.features.tolist() == [1]
    ignored = 0.9 / 3 - 0.9**2 / 4
    assert np.interp(1.0, curves.x, curves.losses["one per dimension"]) == pytest.approx(ignored, rel=0.02)


@pytest.mark.parametrize(
    ("run", "lines"),
    [
        (run_of([[0.1, 0.1], [0.1, 0.1]]), None),  # one setting
        (run_of([[0.1, 0.1], [0.2, 0.3]]), None),  # two numbers differ
        (run_of([[0.1, 0.1], [0.2, 0.2]], [[1, 1], [1, 2]]), None),
        (run_of([[0.1, 0.1], [0.2, 0.2]], activation="linear"), ["one per dimension"]),
        (run_of([[0.1, 0.1], [0.2, 0.2]], hidden="relu"), []),
        (run_of([[0.1, 0.1], [0.2, 0.2]], sets=((0, 1),), relation="correlated"), []),
    ],
)
def test_no_curve_stands_where_no_closed_form_holds(run, lines):
    curves = loss_curves(run)
    assert curves is None if lines is None else list(curves.losses) == lines


def test_models_that_differ_in_their_data_have_their_training_loss_as_a_line():
    config = sw.ToyConfig(6, 2, 4, 0.3, data_size=[3, 3, 9, 27], inputs="normalized", steps=40, snapshots=2)
    run = sw.train_toy(config).run()
    curves = loss_curves(run)
    assert (curves.name, curves.settings.tolist(), curves.x.tolist()) == ("inputs", [3, 3, 9, 27], [3, 9, 27])
    assert curves.found == pytest.approx(run.losses[-1]) and curves.crossings == ()
    assert curves.losses["on its own inputs"] == pytest.approx(run.train_losses[-1, [0, 2, 3]])


def test_no_closed_form_is_drawn_for_other_inputs():
    for changes in ({"inputs": "normalized"}, {"l1": 0.1}):
        config = sw.ToyConfig(3, 2, 2, [[0.1], [0.3]], steps=2, snapshots=2, **changes)
        assert loss_curves(sw.train_toy(config).run()).losses == {}


def test_where_a_third_is_cheaper_nothing_crosses():
    x = np.array([1.0, 4.0, 16.0])
    falling, rising = np.array([4.0, 2.0, 0.0]), np.array([0.0, 2.5, 5.0])
    (one,) = crossings(x, {"a": falling, "b": rising})
    assert (one.below, one.above) == ("b", "a") and one.x == pytest.approx(4 ** (8 / 9))  # 4 - 2 t = 2.5 t
    assert crossings(x, {"a": falling, "b": rising, "c": np.ones(3)}) != (one,)
    assert all({c.below, c.above} != {"a", "b"} for c in crossings(x, {"a": falling, "b": rising, "c": np.ones(3)}))


def test_the_two_families_of_the_odd_feature_cross():
    """One of five rarer: at a common density of 0.1 some 2.35 times, as `families` says."""
    p = np.full((3, 5), 0.1)
    p[:, 2] = [0.03, 0.05, 0.1]
    quick, curves = loss_curves(run_of(p), followed=False), loss_curves(run_of(p))
    assert list(quick.losses) == ["one per dimension", "two per dimension"]
    assert list(curves.losses) == ["pentagon", "digons"] and curves.features.tolist() == [2]
    (crossing,) = curves.crossings
    assert 0.1 / crossing.x == pytest.approx(2.35, abs=0.1)
    assert (crossing.below, crossing.above) == ("digons", "pentagon")


def test_the_losses_found_have_no_sampling_noise_where_they_can_be_summed():
    """A model of nothing with each bias at the mean costs the variance p/3 - p^2/4 a feature; its run says 1."""
    p = [[0.2, 0.2], [0.6, 0.6]]
    curves = loss_curves(run_of(p, m=1))
    assert curves.found == pytest.approx([2 * (q / 3 - q * q / 4) for q in (0.2, 0.6)], rel=1e-3)
    assert loss_curves(run_of(p, m=1), followed=False).found.tolist() == [1, 1]
    many = np.full((2, 12), 0.2)
    many[1] = 0.1
    assert loss_curves(run_of(many, m=1)).found == pytest.approx(
        [12 * (q / 3 - q * q / 4) for q in (0.2, 0.1)], rel=0.05
    )
    many[1, 0] = 0.05  # two numbers differ
    assert loss_curves(run_of(many)) is None
