"""What must come out of the presets of three papers that followed (row M24), and their measures by hand.

Seeds are those of no preset; sizes of data sets, and starts, are fewer than the presets'.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from saewidgets.analysis.toys import bases, codes, memorization
from saewidgets.records import ToyRun
from saewidgets.toy import ToyConfig, experiment, train_toy, training_inputs

SIZES = (5, 8, 30, 40, 400, 2000)
SEED = 2024


# -- memorization ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_size() -> dict[int, memorization.DataSetSize]:
    """100 features in 2 dimensions, ten on in an input, three starts for each size of the data set."""
    sizes = np.repeat(SIZES, 3).tolist()
    config = experiment("M24-memorization", data_size=sizes, n_instances=len(sizes), seed=SEED, snapshots=2)
    return {row.size: row for row in memorization.double_descent(train_toy(config).run())}


def test_m24_the_loss_on_fresh_inputs_rises_and_falls_again(by_size):
    """Double descent over the size of the data set, the loss on the set itself ascending all the while."""
    assert tuple(by_size) == SIZES
    test = {size: float(np.median(row.test_losses)) for size, row in by_size.items()}
    few, peak = max(test[5], test[8]), max(test[30], test[40])
    assert peak > 1.5 * few
    assert test[2000] < test[400] < 0.95 * min(test[5], test[8])
    train = [float(np.median(row.train_losses)) for row in by_size.values()]
    assert train == sorted(train)
    assert train[0] < 0.2 and train[-1] == pytest.approx(test[2000], rel=0.03)


def test_m24_few_inputs_are_stored_as_a_polygon_and_many_as_five_features(by_size):
    for size in (5, 8):
        row = by_size[size]
        assert np.median(row.examples) == pytest.approx(2 / size, rel=0.15)
        assert np.sort(row.features)[-5:].mean() < 0.25
    for size in (30, 40):  # neither
        row = by_size[size]
        assert row.examples.max() < 0.15 and np.sort(row.features)[-5:].mean() < 0.25
    row = by_size[2000]
    learned = np.sort(row.features)[::-1]
    assert learned[:5].mean() == pytest.approx(2 / 5, abs=0.06)
    assert learned[:5].min() > 0.25 and learned[5] < 0.15
    assert row.examples.max() < 0.05


def test_example_dimensionality_by_hand():
    """Two inputs opposite and one at a right angle to them: 1/2, 1/2, 1; an input that W sends to 0 has none."""
    W = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    x = np.array([[1.0, 0.0, 3.0], [-1.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 1.0]])
    assert memorization.example_dimensionality(W, x) == pytest.approx([0.5, 0.5, 1.0, 0.0])


def test_the_model_shown_of_a_size_is_the_one_with_the_lowest_loss_on_its_data():
    config = ToyConfig(6, 2, 4, 0.5, data_size=(4, 20, 4, 4), steps=100, batch_size=16, snapshots=2)
    run = train_toy(config).run()
    small, large = memorization.double_descent(run)
    assert (small.size, large.size) == (4, 20) and large.instances.tolist() == [1]
    assert sorted(small.instances) == [0, 2, 3] and (np.diff(small.train_losses) >= 0).all()
    assert (small.test_losses == run.losses[-1, small.instances]).all()
    own = training_inputs(run)[small.instances[0]]
    assert small.examples == pytest.approx(memorization.example_dimensionality(run.final[small.instances[0]], own))


# -- privileged bases ------------------------------------------------------------------------------------------------


def test_m24_adam_makes_outlier_coordinates_and_gradient_descent_none():
    """64 features, always on, in 16 dimensions: kurtosis of h over its coordinates, 2.65 where none is special."""
    adam = train_toy(experiment("M24-privileged", seed=SEED, n_instances=4, snapshots=2)).run()
    sgd = train_toy(experiment("M24-privileged-sgd", seed=SEED, n_instances=4, snapshots=2)).run()
    assert adam.losses[-1].mean() == pytest.approx(sgd.losses[-1].mean(), rel=0.15)  # models as good as one another
    found, plain = bases.basis_alignment(adam), bases.basis_alignment(sgd)
    assert found.isotropic == pytest.approx(45 / 17)
    assert found.kurtosis.min() > 1.5 * found.isotropic and found.kurtosis.mean() > 2.5 * found.isotropic
    assert found.shares.max(1).mean() > 0.5  # of |h|^2, in one of 16 coordinates
    assert plain.kurtosis.mean() == pytest.approx(plain.isotropic, rel=0.25)
    assert plain.shares.max(1).mean() < 0.4
    assert found.shares.sum(1) == pytest.approx(1)
    for both in (found, plain):  # in a random basis, where Adam's models are like the others
        assert both.turned.mean() == pytest.approx(both.isotropic, rel=0.1)
    turned = bases.in_random_basis(adam, seed=3)
    assert bases.basis_alignment(turned).kurtosis.mean() < 1.5 * found.isotropic
    gram = np.swapaxes(adam.final, 1, 2) @ adam.final
    assert np.allclose(np.swapaxes(turned.final, 1, 2) @ turned.final, gram, atol=1e-4)


def test_m24_with_rare_features_adam_evens_the_coordinates_out():
    """Not what the paper sees in transformers: 100 rare features in 30 dimensions end with less kurtosis than chance."""
    common = {
        "n_instances": 3,
        "feature_probability": 0.02,
        "steps": 1500,
        "batch_size": 64,
        "snapshots": 2,
        "seed": SEED,
    }
    adam = bases.basis_alignment(train_toy(ToyConfig(100, 30, **common)).run(), 1000)
    sgd = bases.basis_alignment(train_toy(ToyConfig(100, 30, optimizer="sgd", lr=0.3, **common)).run(), 1000)
    assert (adam.kurtosis < adam.turned - 0.1).all()
    assert sgd.kurtosis.mean() == pytest.approx(sgd.turned.mean(), abs=0.1)


@pytest.mark.parametrize(("optimizer", "turns"), [("sgd", True), ("adam", False)])
def test_gradient_descent_turns_with_w_and_adam_does_not(optimizer, turns):
    """From Q W, gradient descent ends at Q times where it ends from W: the reason why it can have no basis of its own."""
    config = ToyConfig(
        8, 4, feature_probability=0.3, steps=150, batch_size=64, optimizer=optimizer, lr=0.02, snapshots=2
    )
    plain, turned = train_toy(config), train_toy(config)
    Q = np.linalg.qr(np.random.default_rng(5).standard_normal((4, 4)))[0]
    turned.state.W[0] = Q @ plain.state.W[0]
    ends = plain.run().final[0], turned.run().final[0]
    assert np.allclose(Q @ ends[0], ends[1], atol=1e-4) == turns
    if not turns:
        assert np.abs(Q @ ends[0] - ends[1]).max() > 0.02


def test_kurtosis_by_hand_and_by_chance():
    assert bases.kurtosis([1.0, -1.0, -1.0, 1.0]) == 1
    # 15 coordinates at 0 and one at 16: less the mean, 15 of -1 and one of 15
    assert bases.kurtosis([16.0] + [0.0] * 15) == pytest.approx(((15 + 15**4) / 16) / ((15 + 15**2) / 16) ** 2)
    h = np.random.default_rng(0).standard_normal((200_000, 6))
    assert bases.kurtosis(h).mean() == pytest.approx(bases.isotropic_kurtosis(6), abs=0.01)
    assert math.isnan(bases.kurtosis([2.0, 2.0]))


def test_a_turned_run_gives_the_same_outputs():
    run = train_toy(ToyConfig(6, 3, 2, 0.4, task="absolute", steps=20, batch_size=32, snapshots=2)).run()
    turned = bases.in_random_basis(run, 7)
    assert not np.allclose(turned.final, run.final, atol=0.1)
    assert np.allclose(turned.decoders[-1] @ turned.final, run.decoders[-1] @ run.final, atol=1e-5)


# -- composition -----------------------------------------------------------------------------------------------------


def trained(name: str) -> codes.Generalization:
    return codes.generalization(train_toy(experiment(name, seed=SEED, snapshots=2)).run())


def test_m24_features_of_attributes_give_back_combinations_never_seen():
    found = trained("M24-distributed")
    assert found.combinations.shape == (36, 12) and (found.combinations.sum(1) == 2).all()
    assert 2 <= (~found.seen[0]).sum() <= 12 and (found.seen == found.seen[0]).all()
    assert found.seen_loss[found.best] < 0.01
    assert found.unseen_loss[found.best] < 0.05
    learned = found.seen_loss < 0.01
    assert learned.sum() >= 2 and np.median(found.unseen_loss[learned]) < 0.05


def test_m24_features_of_items_lose_every_item_never_seen():
    found = trained("M24-local")
    assert (found.combinations == np.eye(36)).all()
    assert found.seen_loss[found.best] < 0.1  # about 30 items in 4 dimensions, one on at a time
    assert found.unseen_loss == pytest.approx(1, abs=0.02)  # what an output of 0 costs


def test_generalization_by_hand():
    """Two colors and two shapes, one feature each, W the identity: all is given back; with one row missing, one is not."""
    config = ToyConfig(4, 4, 2, 0.5, inputs="binary", sets=((0, 1), (2, 3)), relation="anticorrelated", data_size=(1, 50),
                       steps=1, snapshots=2)  # fmt: skip
    run = train_toy(config).run()
    W = np.stack([np.eye(4), np.diag([1.0, 1.0, 1.0, 0.0])]).astype(np.float32)
    run = replace(run, weights=np.stack([W, W]), biases=np.zeros_like(run.biases))
    found = codes.generalization(run)
    assert found.combinations.tolist() == [[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1]]
    assert found.losses.tolist() == [[0, 0, 0, 0], [0, 1, 0, 1]]
    assert found.seen.sum(1).tolist() == [1, 4]
    assert found.unseen_loss[0] == 0 and math.isnan(found.unseen_loss[1])
    assert found.seen_loss.tolist() == [0, 0.5]


def test_codes_by_hand():
    """Nine items, three colors and three shapes: neurons, linear functions, and what a linear reader can tell."""
    local, composed, dense = codes.codes(3, 3)
    assert [code.n_neurons for code in (local, composed, dense)] == [9, 6, 4]
    assert [code.linear_functions for code in (local, composed, dense)] == [9, 5, 5]  # a + b - 1; bits + 1
    assert [(code.reads(0), code.reads(1), code.reads_items) for code in (local, composed, dense)] == [
        (True, True, True), (True, True, False), (False, False, False),
    ]  # fmt: skip
    assert composed.patterns[5].tolist() == [0, 1, 0, 0, 0, 1]  # the second color, the third shape
    assert dense.patterns[5].tolist() == [0, 1, 0, 1]
    assert all(len(np.unique(code.patterns, axis=0)) == 9 for code in (local, composed, dense))
    assert codes.capacity(6) == {"local": 6, "compositional": 9, "dense": 64}
    assert codes.capacity(7, 3) == {"local": 7, "compositional": 3 * 2 * 2, "dense": 128}


def test_a_probe_generalizes_on_the_compositional_code_and_not_on_the_local_one():
    """36 items, fitted on all but six, none of which has the first color or shape, so that these are the commonest."""
    local, composed, _ = codes.codes(6, 6)
    fitted = np.ones(36, bool)
    fitted[[7, 8, 14, 21, 28, 35]] = False
    for attribute in (0, 1):
        labels = local.attributes[:, attribute]
        assert codes.probe_accuracy(composed.patterns, labels, fitted) == (1, 1)
        # for all that has no neuron with a weight there is one answer, the commonest, and it is wrong
        assert codes.probe_accuracy(local.patterns, labels, fitted) == (1, 0)


# -- what cannot be --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fresh() -> ToyRun:
    return train_toy(ToyConfig(4, 2, steps=1, snapshots=2)).run()


def test_what_a_measure_cannot_use_is_refused(fresh):
    for measure in (memorization.double_descent, codes.generalization, training_inputs):
        with pytest.raises(ValueError, match="saw fresh inputs at every step and have no data set; give data_size"):
            measure(fresh)
        with pytest.raises(ValueError, match="does not say how it was trained"):
            measure(replace(fresh, recipe=None))
        with pytest.raises(TypeError, match="ToyRun"):
            measure("M24")
    with pytest.raises(ValueError, match="does not say how it was trained"):
        bases.basis_alignment(replace(fresh, recipe=None))
    neurons = train_toy(ToyConfig(4, 2, hidden="relu", steps=1, snapshots=2)).run()
    for measure in (bases.basis_alignment, bases.in_random_basis):
        with pytest.raises(ValueError, match="the hidden layer is 'relu': its coordinates are neurons"):
            measure(neurons)
    finite = train_toy(ToyConfig(4, 2, data_size=5, steps=1, snapshots=2)).run()
    with pytest.raises(ValueError, match=r'generalization is for inputs that combine .* inputs="binary"'):
        codes.generalization(finite)
    with pytest.raises(ValueError, match="m must be a whole number of 2 or more, not 1"):
        bases.isotropic_kurtosis(1)
    with pytest.raises(ValueError, match="values must be a whole number of 2 or more, not 1"):
        codes.codes(6, 1)
    with pytest.raises(ValueError, match=r"e\.g\. codes\(6, 6\)"):
        codes.codes()


# -- in the lab ------------------------------------------------------------------------------------------------------


def test_the_lab_is_sent_the_inputs_that_its_models_share_and_how_many_each_has():
    from saewidgets.widgets import SuperpositionLab

    config = ToyConfig(9, 2, 3, 0.4, inputs="normalized", data_size=(3, 200, 20), steps=2, snapshots=2)
    run = train_toy(config).run()
    picture = SuperpositionLab(run=run)._picture
    assert picture["sizes"] == [3, 200, 20] and picture["labels"] == ["3", "200", "20"]
    assert "trained on the same T = 3 to 200 inputs again and again" in picture["about"]
    own = training_inputs(run)[1]
    assert len(picture["examples"]) == 60
    for sent, row in zip(picture["examples"], own, strict=False):
        assert [i for i, _ in sent] == np.flatnonzero(row).tolist()
        assert [value for _, value in sent] == pytest.approx(row[row != 0].tolist(), abs=1e-4)
    assert not picture["attackable"]  # the attack's inputs are drawn on the page, uniform
    fresh = SuperpositionLab(run=train_toy(ToyConfig(9, 2, steps=2, snapshots=2)).run())._picture
    assert fresh["sizes"] == [0] and fresh["examples"] == [] and fresh["attackable"]
    other = replace(config, feature_probability=[[0.4], [0.3], [0.2]])  # each has a list of its own
    assert SuperpositionLab(run=train_toy(other).run())._picture["examples"] == []


def test_the_lab_shows_coordinates_as_training_had_them():
    """Its pictures are turned, the coordinates are not: the outlier of a hand-made model is where it was."""
    from saewidgets.widgets import SuperpositionLab

    run = train_toy(ToyConfig(6, 4, steps=1, snapshots=2)).run()
    W = np.full((2, 1, 4, 6), 0.1, np.float32)
    W[..., 2, :] = 2.0
    (found,) = SuperpositionLab(run=replace(run, weights=W))._picture["coordinates"]
    assert found["shares"] == pytest.approx([0.0025, 0.0025, 0.9925, 0.0025], abs=2e-4)
    assert found["kurtosis"] == pytest.approx(21 / 9, abs=1e-3)  # 3 coordinates at -1, one at 3, less the mean
    assert SuperpositionLab(run=train_toy(ToyConfig(6, 3, steps=1, snapshots=2)).run())._picture["coordinates"] == []
