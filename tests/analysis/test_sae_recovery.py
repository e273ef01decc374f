"""An SAE recovers the features of a toy model: 20 of them in 6 dimensions, whose directions are known, found again or not."""

from __future__ import annotations

import numpy as np
import pytest
from toy_models import trained

import saewidgets as sw
from saewidgets.analysis.toys.sae_recovery import RecoveryTraining, recover_features, recovery_table
from saewidgets.records import ToyRun

N = 20


@pytest.fixture(scope="module")
def toy():
    run = trained(
        "M0", 4, n_features=N, n_hidden=6, n_instances=1, feature_probability=0.05, importance=1.0, steps=3000
    )
    assert np.linalg.norm(run.final[run.best[0]], axis=0).min() > 1  # all twenty are represented
    return run


@pytest.fixture(scope="module")
def table(toy):
    return recovery_table(toy, [N // 2, N, 2 * N, 4 * N], l1_coefficient=0.3).set_index("d_sae")


def test_enough_features_find_every_direction(table):
    """Six numbers were observed, twenty directions come out. With exactly as many SAE features some starts leave a few
    out.
    """
    assert table.loc[2 * N, "mean_max_cosine"] > 0.99
    assert table.loc[2 * N, "missed"] == 0
    exact = table.loc[N]
    assert exact["mean_max_cosine"] > 0.85
    assert exact["missed"] <= N // 4


def test_too_few_features_miss_nearly_all(table):
    """Half as many: not the ten most useful ones, but mixtures near none."""
    assert table.loc[N // 2, "mean_max_cosine"] < 0.85
    assert table.loc[N // 2, "missed"] > N * 0.75


def test_too_many_features_split_directions(table):
    """A ReLU SAE spends what it has: nothing missed, but twice as many features split half of them, four times as many
    all.
    """
    assert (table.loc[[2 * N, 4 * N], "mean_max_cosine"] > 0.99).all()
    assert (table.loc[[2 * N, 4 * N], "missed"] == 0).all()
    assert 0 < table.loc[2 * N, "split"] < table.loc[4 * N, "split"]
    assert table.loc[4 * N, "split"] >= N - 2
    assert table.loc[4 * N, "l0"] > 2 * table.loc[N, "l0"]  # and fires several for one


def test_too_little_sparsity_finds_another_basis(toy, table):
    """With a third of the penalty twenty features explain more, and are not the true ones."""
    loose = recover_features(toy, N, l1_coefficient=0.1)
    assert loose.fvu < table.loc[N, "fvu"]
    assert loose.l0 > 1.5 * table.loc[N, "l0"]
    assert loose.recovery.mean_max_cosine < 0.93
    assert len(loose.recovery.missed) >= 5


def test_topk_with_room_finds_every_direction(toy):
    """Exactly as many leave a few missed; twice as many find all, and the rest of them are mixtures or dead, not
    copies.
    """
    roomy = recover_features(toy, 2 * N, architecture="topk", k=2, lr=3e-3)
    assert roomy.recovery.mean_max_cosine > 0.99
    assert len(roomy.recovery.missed) == 0
    assert len(roomy.recovery.split) <= 2
    assert np.nanmin(roomy.recovery.matched) > 0.95
    assert len(set(roomy.recovery.match)) == N
    assert recover_features(toy, N // 2, architecture="topk", k=2, steps=600).recovery.mean_max_cosine < 0.85


def test_the_pentagon_comes_apart_again():
    """Five directions from two numbers, by an SAE with room for ten."""
    run = trained("M0", 4, n_instances=1, feature_probability=0.05, importance=1.0)
    result = recover_features(run, 10, architecture="topk", k=1)
    assert result.recovery.mean_max_cosine > 0.95
    assert len(result.recovery.missed) == 0


def test_a_model_of_nothing_is_refused():
    zero = np.zeros((1, 1, 2, 3), np.float32)
    ones = np.ones((1, 3), np.float32)
    run = ToyRun(zero, zero[:, :, 0], np.array([0]), np.ones((1, 1), np.float32), ones, ones)
    with pytest.raises(ValueError, match="represents no feature"):
        recover_features(run, 4)


def test_looking_while_it_learns_changes_nothing():
    run = trained("M0", 4, n_instances=1, feature_probability=0.05, importance=1.0, steps=300)
    given = {"architecture": "topk", "steps": 60, "batch_size": 64, "n": 2000, "seed": 3}
    training = RecoveryTraining(run, 6, **given)
    shares, early = [], training.record().learned
    for share in training:
        shares.append(share)
        training.record()
    assert shares == sorted(shares) and shares[-1] == 1.0
    told: list[float] = []
    whole = recover_features(run, 6, progress=told.append, **given)
    np.testing.assert_array_equal(training.record().learned, whole.learned)
    assert told[-1] == 1.0 and np.abs(early - whole.learned).max() > 0.01


def test_the_old_name_says_where_it_went():
    for room in (sw.analysis, sw.analysis.toys):
        with pytest.raises(AttributeError, match=r"no 'undo' any more; type sw.analysis.sae_recovery.recover_features"):
            _ = room.undo
