"""Toy models of superposition: what a configuration may be, what a training leaves behind, and that it opens anywhere."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import saewidgets as sw
from saewidgets.files import LoadError, read_tensors, write_tensors
from saewidgets.records import PhaseDiagram, ToyRun
from saewidgets.toy import (
    PhaseTraining,
    ToyConfig,
    activations,
    experiment,
    experiments,
    phase_diagram,
    sample_features,
    train_toy,
)

ROOT = Path(__file__).parents[2]
SETS = {"sets": ((0, 2), (1, 3)), "relation": "correlated"}


def small(**changes) -> ToyConfig:
    return ToyConfig(
        **{"n_features": 5, "n_hidden": 2, "n_instances": 3, "feature_probability": 0.2, "steps": 40, "batch_size": 64,
           "snapshots": 6, **changes}
    )  # fmt: skip


# -- configuration ---------------------------------------------------------------------------------------------------


def test_values_broadcast_to_instance_and_feature():
    by_feature = small(importance=[1, 2, 3, 4, 5]).importances
    assert by_feature.tolist() == [[1, 2, 3, 4, 5]] * 3
    by_instance = small(feature_probability=[[1.0], [0.5], [0.25]]).probabilities
    assert by_instance.tolist() == [[1.0] * 5, [0.5] * 5, [0.25] * 5]
    assert small(importance=np.arange(15).reshape(3, 5)).importances.tolist() == np.arange(15).reshape(3, 5).tolist()
    assert small().probabilities.dtype == np.float32


def test_a_configuration_compares_hashes_and_survives_json():
    config = small(importance=np.arange(5), **SETS)
    assert config == small(importance=[0, 1, 2, 3, 4], **SETS)
    assert hash(config) == hash(small(importance=[0, 1, 2, 3, 4], **SETS))
    assert ToyConfig(**config.to_dict()) == config
    assert replace(config, seed=1) != config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_features": 0}, "n_features must be a whole number, 1 or more, not 0"),
        ({"n_hidden": 2.5}, "n_hidden must be a whole number, 1 or more, not 2.5"),
        ({"n_instances": True}, "n_instances must be a whole number, 1 or more, not True"),
        ({"steps": -1}, "steps must be a whole number, 1 or more, not -1"),
        ({"snapshots": 1}, "snapshots must be a whole number, 2 or more, not 1"),
        ({"seed": -1}, "seed must be a whole number, 0 or more, not -1"),
        ({"n_instances": 10**9}, "train fewer at a time"),
        ({"feature_probability": 1.5}, "feature_probability must be 0 to 1, not 1.5"),
        ({"feature_probability": [0.1, 0.2, 0.3]}, r"shape \[3\], which does not broadcast to .* = \[3, 5\]; one value an"),
        ({"feature_probability": "dense"}, "feature_probability must be a number or an array of numbers"),
        ({"importance": -1}, "importance must be finite and 0 or more, not -1"),
        ({"importance": [1, 1, float("nan"), 1, 1]}, "importance must be finite and 0 or more, not nan"),
        ({"activation": "gelu"}, "unknown activation 'gelu'; nearest: .*relu"),
        ({"hidden": "rleu"}, "unknown hidden 'rleu'; nearest: relu"),
        ({"task": "abs"}, "unknown task 'abs'; nearest: absolute"),
        ({"schedule": "cosin"}, "unknown schedule 'cosin'; nearest: cosine"),
        ({"spacing": "logs"}, "unknown spacing 'logs'; nearest: log"),
        ({"relation": "anti"}, "unknown relation 'anti'; nearest: anticorrelated"),
        ({"lr": 0}, "lr must be above 0, not 0"),
        ({"lr": float("inf")}, "lr must be above 0, not inf"),
        ({"l1": -0.1}, "l1 must be 0 or more, not -0.1"),
        ({"inputs": "normal"}, "unknown inputs 'normal'; nearest: normalized"),
        ({"optimizer": "adamw"}, "unknown optimizer 'adamw'; nearest: adam"),
        ({"data_size": 0}, "data_size must be a whole number, 1 or more, or 3 of them, one per instance, not 0"),
        ({"data_size": [5, 6]}, r"or 3 of them, one per instance, not \[5, 6\]"),
        ({"data_size": 2.5}, "data_size must be a whole number, .* not 2.5"),
        ({"data_size": 10**9}, "a data set of 1,000,000,000 inputs of 5 features, .* take a smaller one"),
        ({"data_seed": 3}, "data_seed=3 needs data_size"),
        ({"data_size": 5, "data_seed": -1}, "data_seed must be a whole number, 0 or more, not -1"),
        ({"sets": ((0, 5),)}, "sets names feature 5; there are features 0 to 4"),
        ({"sets": ((0, 1), (1, 2))}, "sets names feature 1 more than once"),
        ({"sets": ((), (1, 2))}, "an empty set"),
        ({"relation": "correlated"}, "relation 'correlated' needs sets"),
        ({**SETS, "feature_probability": [0.1, 0.1, 0.2, 0.1, 0.1]}, "needs one feature_probability"),
        ({"sets": ((0, 1, 2),), "relation": "anticorrelated", "feature_probability": 0.4}, "summing to 1.2, more than 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_sentence(changes, words):
    with pytest.raises(ValueError, match=words):
        small(**changes)


@pytest.mark.parametrize("spacing", ["log", "even"])
@given(steps=st.integers(1, 100_000), snapshots=st.integers(2, 300))
def test_snapshots_begin_at_0_end_at_the_last_step_and_ascend(spacing, steps, snapshots):
    marks = small(steps=steps, snapshots=snapshots, spacing=spacing).snapshot_steps
    assert marks[0] == 0 and marks[-1] == steps
    assert (np.diff(marks) > 0).all()
    assert len(marks) <= max(snapshots, 2)


# -- training --------------------------------------------------------------------------------------------------------


def test_a_run_holds_what_was_trained():
    config = small(importance=[1, 0.9, 0.8, 0.7, 0.6])
    run = train_toy(config).run()
    assert run.steps.tolist() == config.snapshot_steps.tolist()
    assert run.weights.shape == (len(run.steps), 3, 2, 5)
    assert run.biases.shape == (len(run.steps), 3, 5)
    assert (run.biases[0] == 0).all() and (run.biases[-1] != 0).any()
    assert all(a.dtype == np.float32 for a in (run.weights, run.biases, run.losses))
    assert (run.importance == config.importances).all() and (run.feature_probability == config.probabilities).all()
    assert (run.losses[-1] < run.losses[0]).all()
    assert (run.n_features, run.n_hidden, run.n_instances) == (5, 2, 3)
    assert (run.final == run.weights[-1]).all() and run.best.tolist() == [run.losses[-1].argmin()]
    assert (run.decoders == run.weights.swapaxes(-1, -2)).all()
    untied = train_toy(small(task="absolute")).run()
    assert untied.decoder.shape == (len(run.steps), 3, 5, 2)
    assert not np.allclose(untied.decoder, untied.weights.swapaxes(-1, -2), atol=0.1)


def test_the_losses_are_the_expected_loss_of_each_snapshot():
    """By torch's own random numbers and the definition, to within what a sample of 400,000 allows."""
    run = train_toy(small(importance=[1, 0.9, 0.8, 0.7, 0.6])).run()
    x = sample_features(small(), 400_000, torch.Generator().manual_seed(1))
    for s in (0, 2, -1):
        W, b = torch.tensor(run.weights[s]), torch.tensor(run.biases[s])
        y = (x @ W.mT @ W + b[:, None]).relu()
        loss = ((x - y).square() * torch.tensor(run.importance)[:, None]).sum(-1).mean(-1)
        assert np.allclose(run.losses[s], loss, rtol=0.05)


def test_a_model_with_few_inputs_learns_them_and_not_the_others():
    """Four inputs against 4,000, the same start: low on its own and high on fresh ones, or alike on both."""
    run = train_toy(small(n_features=20, n_instances=2, data_size=[4, 4000], inputs="normalized", steps=600)).run()
    few, many = run.train_losses[-1], run.losses[-1]
    assert run.train_losses.shape == run.losses.shape
    assert few[0] < 0.3 * many[0]
    assert few[1] == pytest.approx(many[1], rel=0.05)
    assert train_toy(small()).run().train_losses is None


def test_how_the_work_is_cut_changes_nothing():
    whole = train_toy(small()).run()
    training, looked = train_toy(small()), []
    training._pace = 3.0
    for step in training:
        looked.append(step)
        so_far = training.record()
        assert so_far.steps[-1] == training.steps_done == step.steps_done
        training._pace = 3.0
    assert training.done and looked[-1].steps_done == 40
    assert (training.record().weights == whole.weights).all()
    assert (training.record().losses == whole.losses).all()
    with pytest.raises(StopIteration):
        next(training)


def test_a_look_between_snapshots_shows_the_present_weights():
    training = train_toy(small(steps=1000, snapshots=2))
    training._engine.advance(7)
    run = training.record()
    assert run.steps.tolist() == [0, 7]
    assert (run.final == training.state.W).all() and run.final is not training.state.W
    later = training.run()
    assert later.steps.tolist() == [0, 1000]
    assert not np.allclose(run.final, later.final)


def test_the_seed_decides():
    a, b, c = (train_toy(small(seed=s)).run() for s in (0, 0, 1))
    assert (a.weights == b.weights).all() and (a.losses == b.losses).all()
    assert not np.allclose(a.final, c.final, atol=0.01)


def test_a_training_that_blows_up_says_so():
    training = train_toy(small(lr=1e30, activation="linear", schedule="constant", steps=500))
    with pytest.raises(FloatingPointError, match=r"not finite after \d+ steps; lower lr"):
        training.run()


def test_dense_features_get_two_orthogonal_directions_and_sparse_ones_a_pentagon():
    """M0, the best of eight starts: norms 1, 1, 0, 0, 0 at a right angle; then five of norm above 1, 72 degrees apart."""
    p = np.repeat([[1.0], [0.1]], 8, axis=0)
    run = train_toy(experiment("M0", n_instances=16, feature_probability=p, snapshots=2)).run()
    dense, sparse = run.losses[-1, :8].argmin(), 8 + run.losses[-1, 8:].argmin()
    W = run.final[dense]
    assert np.allclose(np.linalg.norm(W, axis=0), [1, 1, 0, 0, 0], atol=0.05)
    assert abs(W[:, 0] @ W[:, 1]) < 0.02
    assert np.allclose(run.biases[-1, dense], [0, 0, 0.5, 0.5, 0.5], atol=0.05)  # E[x] of what is left out
    W = run.final[sparse]
    assert np.allclose(np.linalg.norm(W, axis=0), 1.1, atol=0.06)
    angles = np.sort(np.degrees(np.arctan2(W[1], W[0])))
    assert np.allclose(np.diff([*angles, angles[0] + 360]), 72, atol=4)


def test_anticorrelated_features_lie_opposite_and_correlated_ones_at_a_right_angle():
    """M11 and M12, the best of eight starts."""
    for name, cosine in (("M11", 0.0), ("M12", -1.0)):
        run = train_toy(experiment(name, n_instances=8, steps=2000, snapshots=2)).run()
        W = run.final[run.best[0]] / np.linalg.norm(run.final[run.best[0]], axis=0)
        assert abs(W[:, 0] @ W[:, 1] - cosine) < 0.1, name
        assert abs(W[:, 2] @ W[:, 3] - cosine) < 0.1, name


def test_training_against_an_attack_represents_less():
    plain = train_toy(small(steps=300, snapshots=2)).run()
    hard = train_toy(small(steps=300, snapshots=2, adversarial=1.0)).run()
    # An attack as long as the input itself: what shares a dimension is punished, so less is represented.
    assert np.square(hard.final).sum((1, 2)).mean() < 0.8 * np.square(plain.final).sum((1, 2)).mean()


def test_an_l1_penalty_on_the_hidden_layer_makes_it_sparse():
    free = train_toy(small(steps=600, snapshots=2)).run()
    bound = train_toy(small(steps=600, snapshots=2, l1=0.5)).run()
    sizes = [np.abs(activations(r, 0, 5000).hidden.numpy()).mean() for r in (free, bound)]
    assert sizes[1] < 0.7 * sizes[0]
    assert (bound.losses[-1] > free.losses[-1]).all()  # the loss that is recorded leaves the penalty out


# -- what comes out for an SAE ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", ["linear", "relu"])
def test_activations_are_the_hidden_layer_of_the_chosen_model(hidden):
    run = train_toy(small(hidden=hidden, feature_probability=[[0.1], [0.3], [0.9]])).run()
    acts = activations(run, 2, 2000, seed=5)
    W = torch.tensor(run.final[2])
    h = acts.features @ W.T
    assert torch.allclose(acts.hidden, h.relu() if hidden == "relu" else h, atol=1e-6)
    assert torch.equal(acts.directions, W.T)
    assert abs((acts.features != 0).float().mean() - 0.9) < 0.02
    assert torch.equal(activations(run, 2, 2000, seed=5).hidden, acts.hidden)
    one = train_toy(small(hidden=hidden)).run()
    best = activations(one, int(one.losses[-1].argmin()), n=10)
    assert torch.equal(activations(one, n=10).hidden, best.hidden) and len(best.hidden) == 10
    with pytest.raises(ValueError, match=r"models of 3 settings: say which, e.g. instance=0; run.best has the best"):
        activations(run)  # a loss of another density is of another problem
    batches = acts.batches(64, steps=3)
    assert [list(b.shape) for b in batches] == [[64, 2]] * 3
    with pytest.raises(IndexError, match="instance 3 does not exist: this run has instances 0 to 2"):
        activations(run, 3)


def test_an_sae_trains_on_them():
    acts = activations(train_toy(small()).run(), n=2000)
    sae = sw.SAE(sw.SAEConfig(d_in=2, d_sae=5, architecture="topk", k=1))
    steps = list(sw.train(sae, acts.batches(256, steps=20), sw.TrainConfig(steps=20, lr=1e-2)))
    assert steps[-1].loss < steps[0].loss


def test_samples_keep_the_relation_of_a_set():
    x = sample_features(small(**SETS), 500)
    assert ((x[..., 0] != 0) == (x[..., 2] != 0)).all()
    assert list(x.shape) == [3, 500, 5]
    with pytest.raises(ValueError, match="n must be 1 input or more, not 0"):
        sample_features(small(), 0)


# -- experiments and maps --------------------------------------------------------------------------------------------


def test_every_experiment_is_whole_and_trains():
    for name, e in experiments().items():
        assert e.title and e.question.endswith("?") and e.outcome.endswith("."), name
        tiny = replace(e.config, steps=2, snapshots=2, batch_size=8)
        if tiny.n_instances * tiny.n_features * tiny.n_hidden < 50_000:
            assert train_toy(tiny).run().n_features == e.config.n_features
    with pytest.raises(ValueError, match="unknown experiment 'M99'"):
        experiment("M99")
    assert experiment("M12", seed=4).seed == 4
    assert experiment("M0").feature_probability == ((1.0,),) * 8 + ((0.2,),) * 8 + ((0.1,),) * 8
    assert experiment("M0", n_instances=3).feature_probability == ((1.0,), (0.2,), (0.1,))  # all that were asked for
    three = experiment("M10", starts=3, seed=1)
    assert three.n_instances == 27 and three.feature_probability[5] == (0.0125, 0.05, 0.05, 0.05, 0.05)
    both = experiment("M14", starts=2, n_instances=2, importance=np.repeat([[1.0], [2.0]], 20, axis=1))
    assert both.importances[:, 0].tolist() == [1, 1, 2, 2] and both.feature_probability == 0.05
    with pytest.raises(ValueError, match="starts must be a whole number of 1 or more, not 0"):
        experiment("M0", starts=0)
    assert np.allclose(experiment("M1").importances[0], 0.7 ** np.arange(20), rtol=1e-6)


def test_a_phase_diagram_has_its_cells_where_the_axes_say():
    diagram = phase_diagram(3, 2, [0.9, 0.05], [0.2, 5.0, 1.0], n_models=4, steps=3)
    assert (diagram.x_name, diagram.y_name) == ("density", "importance")
    assert diagram.x.tolist() == [0.05, 0.9] and diagram.y.tolist() == [0.2, 1.0, 5.0]
    assert diagram.density.tolist() == [[0.05, 0.9]] * 3
    assert diagram.importance.tolist() == [[0.2] * 2, [1.0] * 2, [5.0] * 2]
    assert diagram.weights.shape == (3, 2, 4, 2, 3)
    assert (np.diff(diagram.losses, axis=-1) >= 0).all()
    assert (
        diagram.losses[2, 1, 0] > diagram.losses[0, 1, 0]
    )  # an untrained feature of importance 5 costs more than one of 0.2
    assert np.allclose(diagram.loss, diagram.losses[..., :3].mean(-1))


def test_the_number_of_features_can_be_an_axis():
    diagram = phase_diagram([4, 2, 3], 1, [0.1, 1.0], 1.0, n_models=3, steps=2)
    assert (diagram.x_name, diagram.y_name) == ("density", "features")
    assert diagram.features.tolist() == [[2, 2], [3, 3], [4, 4]]
    assert (diagram.weights[0, ..., 2:] == 0).all() and (diagram.weights[0, ..., :2] != 0).all()
    last = diagram.weights[1, :, :2, 0, 2]
    assert np.allclose(diagram.norms[1], np.abs(last).mean(-1))


def test_norms_and_superposition_by_hand():
    """Three models in one cell: [1, 0] leaves the last feature out, [0, 2] dedicates, [1, -1] shares; the worst is
    dropped.
    """
    weights = np.array([[0.0, 2.0], [1.0, -1.0], [1.0, 0.0]], np.float32).reshape(1, 1, 3, 1, 2)
    one = np.ones((1, 1))
    diagram = PhaseDiagram(
        "density", "importance", np.ones(1), np.ones(1), weights, np.array([[[1, 2, 4]]], np.float32), one, one,
        np.full((1, 1), 2),
    )  # fmt: skip
    assert diagram.norms.tolist() == [[1.5]] and diagram.superposition.tolist() == [[0.5]] and diagram.loss == [[1.5]]
    everything = replace(diagram, dropped=0)
    assert everything.norms.tolist() == [[1.0]]
    assert np.allclose(everything.superposition, 1 / 3)


def test_phase_diagrams_regions_are_those_of_the_theory():
    """M4, three cells far from the borders (p < 2 I / (1 + 2.5 I), p < 2 / (2.5 + I)): left out, dedicated, shared."""
    diagram = phase_diagram(2, 1, [0.1, 0.9], [0.2, 5.0], n_models=12, dropped=9, steps=1500)
    assert diagram.norms[0, 1] < 0.1  # dense and unimportant: not learned
    assert (
        diagram.norms[1, 1] > 0.9 and diagram.superposition[1, 1] < 0.1
    )  # dense and important: a dimension of its own
    assert diagram.norms[0, 0] > 0.8 and diagram.superposition[0, 0] > 0.8  # sparse: antipodal


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((2, 1, 0.1, [1, 2]), "exactly two of densities, importances and n_features must be sequences, not 1"),
        (([2, 3], 1, [0.1, 1], [1, 2]), "not 3"),
        ((1, 1), "n_features must be 2 or more, not 1"),
        ((2, 1, [0.1, 1.5]), "feature_probability must be 0 to 1, not 1.5"),
    ],
)
def test_a_map_that_cannot_be_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        phase_diagram(*arguments, n_models=2, steps=1)
    with pytest.raises(ValueError, match="dropped must be 0 to 1"):
        phase_diagram(n_models=2, dropped=2)


def test_progress_ascends_to_one():
    told = []
    phase_diagram([2, 3], 1, [0.1, 1.0], 1.0, n_models=2, steps=5, progress=told.append)
    assert told == sorted(told) and abs(told[-1] - 1) < 1e-9


def test_looking_at_a_diagram_while_it_trains_changes_nothing_in_it():
    given = {"densities": [0.1, 0.9], "importances": 1.0, "n_models": 3, "steps": 40, "seed": 7}
    training = PhaseTraining([3, 2], 1, **given)
    begun, looks = training.record(), []
    for share in training:
        looks.append((share, training.record()))
    assert training.done and looks[-1][0] == 1.0
    assert begun.losses.shape == looks[0][1].losses.shape == (2, 2, 3)  # every cell is there from the start
    assert begun.losses.mean() > looks[-1][1].losses.mean()
    the_same(looks[-1][1], phase_diagram([3, 2], 1, **given))


# -- files -----------------------------------------------------------------------------------------------------------


def the_same(a, b) -> None:
    for name, value in vars(a).items():
        other = getattr(b, name)
        if isinstance(value, np.ndarray):
            assert value.dtype == other.dtype and np.array_equal(value, other), name
        else:
            assert value == other, name


@pytest.mark.parametrize("changes", [{}, {"task": "absolute", "hidden": "relu"}, {"activation": "linear"}, SETS])
def test_a_run_comes_back_as_it_was(tmp_path, changes):
    run = train_toy(small(**changes)).run()
    run.save(tmp_path / "run.safetensors")
    the_same(run, ToyRun.load(tmp_path / "run.safetensors"))
    run.save(tmp_path)  # a folder
    the_same(run, ToyRun.load(tmp_path))
    assert (tmp_path / "toy_run.safetensors").is_file()


def test_a_phase_diagram_comes_back_as_it_was(tmp_path):
    diagram = phase_diagram([2, 3], 1, [0.1, 1.0], 1.0, n_models=2, steps=1)
    diagram.save(tmp_path)
    the_same(diagram, PhaseDiagram.load(tmp_path / "phase_diagram.safetensors"))


def text(word: str) -> np.ndarray:
    return np.frombuffer(word.encode(), np.uint8)


RUN_DAMAGE = {
    "no weights": ({"weights": None}, "expected the arrays"),
    "a stranger": ({"extra": np.zeros(1, np.float32)}, "expected the arrays"),
    "flat weights": ({"weights": np.zeros(4, np.float32)}, r"weights has shape \[4\], not \["),
    "no instance": ({"weights": np.zeros((2, 0, 2, 5), np.float32)}, "expected 0 as in weights"),
    "other biases": (
        {"biases": np.zeros((2, 3, 4), np.float32)},
        'biases has 4 entries along "n_features", expected 5',
    ),
    "double weights": ({"weights": np.zeros((2, 3, 2, 5))}, "weights is float64"),
    "float steps": ({"steps": np.array([0.0, 40.0])}, "steps is float64"),
    "steps that fall": ({"steps": np.array([0, -40])}, "do not begin at 0 and ascend"),
    "a late start": ({"steps": np.array([5, 40])}, "do not begin at 0 and ascend"),
    "one step": ({"steps": np.array([0])}, 'steps has 1 entry along "snapshot", expected 2'),
    "probability 2": ({"feature_probability": np.full((3, 5), 2, np.float32)}, "outside 0 to 1"),
    "importance -1": ({"importance": np.full((3, 5), -1, np.float32)}, "negative"),
    "another activation": (
        {"activation": text("<b>gelu</b>")},
        "activation is '<b>gelu</b>', not one of 'relu', 'linear'",
    ),
    "another task": ({"task": text("x" * 999)}, "task is 'xxxx"),
    "set 9": ({"set_of": np.full(5, 9)}, "set_of does not say"),
    "a set without members": ({"set_of": np.array([1, 1, -1, -1, -1])}, "one of the sets is empty"),
    "a short set_of": ({"set_of": np.array([-1, -1])}, "set_of has 2 entries for 5 features"),
    "a flat decoder": ({"decoder": np.zeros(3, np.float32)}, "decoder has shape"),
}


@pytest.mark.parametrize(("damage", "words"), RUN_DAMAGE.values(), ids=RUN_DAMAGE)
def test_a_damaged_run_is_a_load_error(tmp_path, damage, words):
    path = tmp_path / "run.safetensors"
    train_toy(small(snapshots=2)).run().save(path)
    tensors = {**read_tensors(path), "recipe": None, **damage}  # a recipe would give the other numbers away as wrong
    write_tensors(path, {k: v for k, v in tensors.items() if v is not None})
    with pytest.raises(LoadError, match=words):
        ToyRun.load(path)


MAP_DAMAGE = {
    "no losses": ({"losses": None}, "expected the arrays"),
    "flat weights": ({"weights": np.zeros(4, np.float32)}, r"weights has shape \[4\], not \["),
    "a strange axis": ({"x_name": text("width")}, "x_name is 'width', not one of 'density'"),
    "one axis twice": ({"x_name": text("importance")}, "both axes are 'importance'"),
    "too many features": ({"features": np.full((2, 2), 3)}, "outside 1 to 2"),
    "no features": ({"features": np.full((2, 2), 0)}, "outside 1 to 2"),
    "a long axis": ({"x": np.zeros(3)}, "expected 3 as in x"),
    "all dropped": ({"dropped": np.array([2])}, "2 of 2 models dropped"),
}


@pytest.mark.parametrize(("damage", "words"), MAP_DAMAGE.values(), ids=MAP_DAMAGE)
def test_a_damaged_map_is_a_load_error(tmp_path, damage, words):
    path = tmp_path / "map.safetensors"
    phase_diagram(2, 1, [0.1, 1.0], [1.0, 2.0], n_models=2, steps=1).save(path)
    tensors = {k: v for k, v in {**read_tensors(path), **damage}.items() if v is not None}
    write_tensors(path, tensors)
    with pytest.raises(LoadError, match=words):
        PhaseDiagram.load(path)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=4), st.floats(0.2, 1))
def test_a_mutated_file_loads_or_is_a_load_error(tmp_path_factory, changes, keep):
    folder = tmp_path_factory.mktemp("mutated")
    run = ToyRun(
        np.zeros((2, 1, 2, 3), np.float32), np.zeros((2, 1, 3), np.float32), np.array([0, 5]),
        np.zeros((2, 1), np.float32), np.ones((1, 3), np.float32), np.ones((1, 3), np.float32),
    )  # fmt: skip
    run.save(folder / "a")
    raw = bytearray((folder / "a").read_bytes())
    for at, value in changes:
        raw[at % len(raw)] = value
    (folder / "a").write_bytes(raw if keep > 0.9 else raw[: int(keep * len(raw))])
    for kind in (ToyRun, PhaseDiagram):
        try:
            assert np.isfinite(kind.load(folder / "a").weights).all()
        except LoadError:
            pass


# -- what need not be installed --------------------------------------------------------------------------------------

BLOCK = """
    import sys

    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in {blocked!r}:
                raise ImportError(f"{{name}} is blocked in this test")

    sys.meta_path.insert(0, Blocked())
    import numpy as np
    import saewidgets as sw
"""


def blocked(names: tuple[str, ...], code: str) -> str:
    script = textwrap.dedent(BLOCK).format(blocked=names) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_numba_everything_works_by_the_plain_kernel():
    out = blocked(
        ("numba", "llvmlite"),
        """
        training = sw.train_toy(sw.toy.experiment("M0", steps=300, snapshots=5))
        assert type(training._engine).__name__ == "TorchToy"
        run = training.run()
        assert (run.losses[-1] < run.losses[0]).all() and run.steps[-1] == 300
        again = sw.train_toy(sw.toy.experiment("M0", steps=300, snapshots=5)).run()
        assert (run.weights == again.weights).all()
        sw.toy.phase_diagram(2, 1, [0.1, 1.0], [1.0, 2.0], n_models=2, steps=5)
        assert "numba" not in sys.modules
        print(run.losses[-1].tolist())
        """,
    )
    slow = np.array(eval(out))
    fast = train_toy(experiment("M0", steps=300, snapshots=5)).run().losses[-1]
    assert np.allclose(slow, fast, rtol=0.5)  # 300 steps by different random numbers, from the same weights


def test_with_numba_toy_models_train_without_torch():
    pytest.importorskip("numba")
    blocked(
        ("torch", "transformer_lens", "transformers", "tokenizers"),
        """
        run = sw.train_toy(sw.toy.experiment("M11", steps=20, snapshots=5)).run()
        assert run.weights.shape[1:] == (5, 2, 4) and "torch" not in sys.modules
        """,
    )


def test_where_no_compiled_code_can_be_kept_it_is_compiled_each_time():
    caching = pytest.importorskip("numba.core.caching")
    assert caching.CacheImpl._locator_classes
    blocked(
        (),
        """
        import numba.core.caching
        for kind in vars(numba.core.caching).values():
            if isinstance(kind, type) and issubclass(kind, numba.core.caching.CacheImpl):
                kind._locator_classes = []
        from saewidgets.kernels.toy_numba import _mix
        from saewidgets.kernels.toy import mix
        assert _mix(np.uint64(5)) == mix(np.array([5], np.uint64))[0]
        """,
    )


def test_the_lab_and_toy_models_need_no_transformer_lens():
    out = blocked(
        ("transformer_lens", "transformers"),
        """
        import saewidgets.records, saewidgets.toy
        run = sw.train_toy(sw.ToyConfig(5, 2, steps=5, snapshots=2)).run()
        print(sw.toy.activations(run, n=10).hidden.shape)
        lab = sw.SuperpositionLab(run=run)
        assert lab._repr_mimebundle_()
        for name in ("miniworld", "gpt2", "miniwrld"):
            try:
                sw.load_model(name)
            except ImportError as error:
                print(error)
        """,
    )
    assert "torch.Size([10, 2])" in out
    assert out.count('a language model needs TransformerLens, which is an extra: pip install "saewidgets[models]"') == 3


def test_an_install_without_extras_brings_no_transformer_lens():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    core = {d.split(">")[0] for d in project["dependencies"]}
    assert not core & {"torch", "transformer-lens", "transformers", "gguf", "platformdirs", "numba"}
    extras = project["optional-dependencies"]
    of_models = {"saewidgets[torch]", "transformer-lens", "transformers", "gguf", "platformdirs"}
    assert {d.split(">")[0] for d in extras["models"]} == of_models
    assert "saewidgets[models,fast]" in extras["lab"] and "saewidgets[lab,docs]" in extras["test"]
