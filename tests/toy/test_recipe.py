"""A run keeps its whole recipe: what trained it is said in one place, saved, opened, and trains the same run again."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from saewidgets.analysis.toys import gallery
from saewidgets.files import LoadError, read_tensors, write_tensors
from saewidgets.records import ToyRun
from saewidgets.toy import ToyConfig, experiments, train_toy

# Every field of a configuration with a value that is not its default, all of them together a model that can be.
OTHER = {
    "n_features": 4,
    "n_hidden": 2,
    "n_instances": 2,
    "feature_probability": [[0.1, 0.2, 0.3, 0.2], [0.3, 0.2, 0.1, 0.2]],
    "importance": [1.0, 0.7, 0.49, 0.3],
    "activation": "linear",
    "hidden": "relu",
    "task": "absolute",
    "sets": ((0, 2), (1, 3)),
    "relation": "anticorrelated",
    "steps": 6,
    "batch_size": 32,
    "inputs": "normalized",
    "data_size": (20, 40),
    "data_seed": 9,
    "optimizer": "sgd",
    "lr": 0.02,
    "schedule": "linear",
    "weight_decay": 0.01,
    "l1": 0.1,
    "adversarial": 0.2,
    "snapshots": 3,
    "spacing": "even",
    "seed": 5,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def run() -> ToyRun:
    return train_toy(ToyConfig(**OTHER)).run()


def same(a: ToyRun, b: ToyRun) -> None:
    for field in fields(ToyRun):
        one, two = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == two.dtype and np.array_equal(one, two), field.name
        else:
            assert one == two, field.name


def made(code: str) -> ToyConfig:
    found: dict = {}
    exec(code, found)
    return found["config"]


def test_the_table_above_has_every_field_of_a_configuration():
    """So a field that is added cannot be forgotten by the tests below: they save, open, write and train all of them."""
    assert set(OTHER) == {field.name for field in fields(ToyConfig)}
    config = ToyConfig(**OTHER)
    assert [f.name for f in fields(ToyConfig) if getattr(config, f.name) == f.default] == []


def test_a_run_keeps_what_trained_it_through_a_file_and_trains_again_bit_for_bit(run, tmp_path):
    assert run.recipe == ToyConfig(**OTHER)
    run.save(tmp_path / "run.safetensors")
    opened = ToyRun.load(tmp_path / "run.safetensors")
    same(run, opened)
    assert opened.recipe == run.recipe and hash(opened.recipe) == hash(run.recipe)
    same(train_toy(opened.recipe).run(), run)


def test_the_code_of_a_configuration_makes_it():
    config = ToyConfig(**OTHER)
    assert made(config.to_code()) == config
    for name, row in experiments().items():
        assert made(row.config.to_code()) == row.config, name
    rows = np.repeat([[0.1, 0.2], [0.3, 0.4]], 3, axis=0)
    uneven = [[0.1]] * 3 + [[0.2]] * 2 + [[0.1]]
    for p in (rows, uneven, [[0.5]] * 6, 0.1, [1 / 3, 2 / 3]):
        for importance in (1.0, 0.7 ** np.arange(2), [2.0, 2.0], rows):
            config = ToyConfig(2, 1, 6, p, importance)
            assert made(config.to_code()) == config
    assert "np.repeat([[0.1, 0.2], [0.3, 0.4]], 3, axis=0)" in ToyConfig(2, 1, 6, rows).to_code()
    assert "0.7 ** np.arange(5)" in ToyConfig(5, 2, importance=0.7 ** np.arange(5)).to_code()


def test_the_code_leaves_out_what_has_its_default():
    assert ToyConfig(5, 2, seed=3).to_code() == (
        "import saewidgets as sw\n\nconfig = sw.ToyConfig(\n    n_features=5,\n    n_hidden=2,\n    seed=3,\n)"
    )


def rewritten(path, **changes) -> None:
    tensors = {k: v for k, v in {**read_tensors(path), **changes}.items() if v is not None}
    write_tensors(path, tensors)


def test_a_file_from_before_runs_kept_their_recipe_opens_and_says_that_it_is_unknown(run, tmp_path):
    path = tmp_path / "old.safetensors"
    run.save(path)
    rewritten(path, recipe=None)
    old = ToyRun.load(path)
    assert old.recipe is None
    same(replace(old, recipe=run.recipe), run)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lr": "fast"}, "recipe.lr is 'fast', not a number"),
        ({"lr": -1.0}, "recipe: lr must be above 0, not -1.0"),
        ({"steps": 2.5}, r"recipe.steps is 2.5, not a whole number"),
        ({"color": 1}, "recipe has an unknown field 'color'"),
        ({"feature_probability": [[True]]}, r"recipe.feature_probability\[0\]\[0\] is true, not a number"),
        ({"importance": {"decay": 1}}, "recipe.importance is an object, not a number"),
        ({"data_size": [2.5, 3]}, "recipe.data_size"),
        ({"data_size": None, "data_seed": None}, "the recipe has data_size None, and the run has train_losses"),
        ({"n_hidden": 3}, "the recipe has n_hidden 3, the run 2"),
        ({"task": "reconstruct"}, "the recipe has task 'reconstruct', the run 'absolute'"),
        ({"importance": 1.0}, "the importance of the recipe is not that of the run's models"),
        ({"n_instances": 1, "feature_probability": 0.1, "data_size": 20}, "the recipe has 1 instances, the run 2"),
    ],
)
def test_a_damaged_recipe_is_a_load_error(run, tmp_path, changes, words):
    path = tmp_path / "run.safetensors"
    run.save(path)
    text = json.dumps({**run.recipe.to_dict(), **changes}).encode()
    rewritten(path, recipe=np.frombuffer(text, np.uint8))
    with pytest.raises(LoadError, match=words):
        ToyRun.load(path)


def test_some_models_of_a_run_say_which_they_were_and_keep_the_recipe_of_all(tmp_path):
    config = ToyConfig(3, 2, 6, np.repeat([0.1, 0.2, 0.4], 2)[:, None], steps=3, batch_size=16, snapshots=2)
    run = train_toy(config).run()
    some = gallery.chosen(gallery.chosen(run, np.array([5, 2, 1])), np.array([0, 2]))
    assert some.instances.tolist() == [5, 1] and some.recipe == config
    assert some.feature_probability[:, 0] == pytest.approx([0.4, 0.1])
    some.save(tmp_path)
    same(ToyRun.load(tmp_path), some)
    with pytest.raises(ValueError, match="instances has 9; the recipe has instances 0 to 5"):
        replace(some, instances=np.array([5, 9]))


def ran(losses, p, importance=None) -> ToyRun:
    """A run of made-up models with these final losses and densities."""
    n = len(losses)
    W, ones = np.ones((1, n, 1, 2), np.float32), np.ones((n, 2), np.float32)
    importance = ones if importance is None else np.float32(importance)
    return ToyRun(W, W[:, :, 0], np.array([0]), np.float32([losses]), np.float32(p)[:, None] * ones, importance)


@pytest.mark.parametrize(
    ("losses", "p", "settings"),
    [
        ([3, 1, 2], [0.1] * 3, [[1, 2, 0]]),  # all of one setting
        ([3, 1, 2, 9], [0.1, 0.2, 0.1, 0.2], [[2, 0], [1, 3]]),
        ([1, 2, 3], [0.9, 0.1, 0.5], [[0], [1], [2]]),  # they stand in their own order, not in that of the numbers
        ([2, 2, 2], [0.1] * 3, [[0, 1, 2]]),  # equal losses: the first
        ([np.nan, 5, np.inf], [0.1] * 3, [[1, 0, 2]]),  # what is no number is the worst
    ],
)
def test_settings_and_the_best_of_each(losses, p, settings):
    run = ran(losses, p)
    assert [setting.tolist() for setting in run.settings] == settings
    assert run.best.tolist() == [setting[0] for setting in settings] and run.best.dtype == np.int64


def test_sizes_of_the_data_set_tell_settings_apart_and_the_loss_on_it_ranks():
    config = ToyConfig(3, 2, 4, 0.5, data_size=(50, 3, 3, 50), steps=200, batch_size=16, snapshots=2)
    run = train_toy(config).run()
    first, second = run.settings
    assert sorted(first) == [0, 3] and sorted(second) == [1, 2]
    for setting in run.settings:
        assert (np.diff(run.train_losses[-1, setting]) >= 0).all()
    swapped = replace(run, train_losses=run.train_losses[:, [0, 2, 1, 3]])
    assert swapped.settings[1].tolist() == second[::-1].tolist()
    some = gallery.chosen(run, np.array([3, 1]))
    assert some.data_sizes.tolist() == [50, 3]
    assert (some.train_losses == run.train_losses[:, [3, 1]]).all()


def test_importances_tell_settings_apart_too():
    run = ran([1, 2, 0.5], [0.1] * 3, [[1, 1], [1, 2], [1, 1]])
    assert [setting.tolist() for setting in run.settings] == [[2, 0], [1]]


def test_the_best_of_a_thousand_is_the_best_of_a_thousand():
    losses = np.random.default_rng(0).random(1000)
    run = ran(losses, [0.2] * 1000)
    assert run.best.tolist() == [np.argmin(losses)]
    assert run.settings[0].tolist() == np.argsort(losses.astype(np.float32), kind="stable").tolist()
