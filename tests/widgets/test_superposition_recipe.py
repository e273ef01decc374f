"""The superposition lab on a run: what it trains next is that run's recipe, its settings show it, its code makes it."""

from __future__ import annotations

from dataclasses import fields, replace

import ipywidgets
import numpy as np
import pytest

import saewidgets as sw
from saewidgets.records import ToyRun
from saewidgets.records.states import InstrumentState
from saewidgets.toy import experiment, experiments
from saewidgets.widgets import SuperpositionLab
from saewidgets.widgets._toy_recipe import plain_values

PATIENCE = 60.0  # seconds after which a test gives up
TINY = {"steps": 4, "batch_size": 16, "snapshots": 3}
# Preset -> what makes its recipe one that no slider says; and what a lab on its run must show.
RUNS = {
    "a penalty": ("M23", {}, {"l1": 0.3, "importance_decay": 0.75, "tries": 5}),
    "a density per feature": ("M10", {}, {"densities": [0.042, 0.0425, 0.043, 0.0435, 0.045, 0.047, 0.05, 0.055]}),
    "an attack": ("M18", {"n_features": 12, "n_hidden": 4, "adversarial": 0.1}, {"tries": 1, "importance_decay": 1.0}),
    "another schedule": ("M17", {}, {"relation": "correlated", "set_size": 3, "steps": 4, "n_hidden": 3}),
    "sets and starts": ("M15", {"seed": 9}, {"seed": 9, "tries": 12, "set_size": 2}),
    "more starts than the slider": ("M19", {"n_instances": 150}, {"tries": 100, "hidden": "relu"}),
    "weight decay and a decoder": ("M22", {"weight_decay": 0.1, "spacing": "even"}, {"task": "absolute"}),
    "a linear read-out": ("M1-linear", {"importance": np.arange(20)}, {"activation": "linear"}),
}


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()


def trained(name: str, **changes) -> ToyRun:
    return sw.train_toy(experiment(name, **{**TINY, **changes})).run()


def same(a: ToyRun, b: ToyRun) -> None:
    for field in fields(ToyRun):
        one, two = getattr(a, field.name), getattr(b, field.name)
        assert np.array_equal(one, two) if isinstance(one, np.ndarray) else one == two, field.name


def of_code(code: str) -> SuperpositionLab:
    """The lab that the last line of the code shows."""
    *lines, last = code.splitlines()
    found: dict = {}
    exec("\n".join([*lines, f"lab = {last}"]), found)
    return found["lab"]


@pytest.mark.parametrize(("name", "changes", "shown"), RUNS.values(), ids=RUNS)
def test_a_lab_on_a_run_trains_it_again_and_its_code_makes_it_bit_for_bit(name, changes, shown):
    run = trained(name, **changes)
    lab = SuperpositionLab(run=run)
    assert {key: getattr(lab, key) for key in shown} == shown
    assert sw.ToyConfig(**lab.config) == run.recipe and lab.moved == set()
    assert lab.recipe_note.startswith("Trained next: the run again, seed and all.")
    other = of_code(lab.to_code())
    same(other.population, run)
    same(other.run, lab.run)
    lab.start()
    assert lab.wait(PATIENCE)
    same(lab.population, run)
    same(lab.run, other.run)
    assert lab.to_code() == other.to_code()


def test_the_code_of_a_lab_without_a_run_makes_what_it_trained():
    lab = SuperpositionLab(
        4, 2, densities=[0.5, 0.1], tries=2, relation="anticorrelated", l1=0.1, **{"steps": 4, "seed": 3}
    )
    lab.start()
    assert lab.wait(PATIENCE)
    assert lab.recipe is None and lab.recipe_note == ""
    same(of_code(lab.to_code()).population, lab.population)


@pytest.fixture(scope="module")
def rare() -> ToyRun:
    return trained("M10", starts=2, lr=0.02, seed=4, importance=[1.0, 0.9, 0.7, 0.9, 1.0])


MOVES = {
    "a number": ({"steps": 9, "l1": 0.2}, {"steps": 9, "l1": 0.2}),
    "the read-out": ({"activation": "linear"}, {"activation": "linear"}),
    "the hidden size": ({"n_hidden": 3}, {"n_hidden": 3}),
    "fewer starts": (
        {"tries": 1},
        {"n_instances": 9, "feature_probability": [[p, *[0.05] * 4] for p in (0.01, 0.0125, 0.015, 0.0175, 0.02)]
         + [[p, *[0.05] * 4] for p in (0.025, 0.035, 0.05, 0.075)]},
    ),
    "the importances": ({"importance_decay": 0.5}, {"importance": [1.0, 0.5, 0.25, 0.125, 0.0625]}),
    "the densities": (
        {"densities": [0.2, 0.1]},
        {"n_instances": 4, "feature_probability": [[0.2], [0.2], [0.1], [0.1]]},
    ),
    "sets": (
        {"densities": [0.9], "relation": "anticorrelated"},
        {"n_instances": 2, "feature_probability": [[0.5], [0.5]], "relation": "anticorrelated", "sets": [[0, 1], [2, 3]]},
    ),
    "sets that are not there": ({"set_size": 3}, {}),
    "more features": (
        {"n_features": 6, "densities": [0.2]},
        {"n_features": 6, "n_instances": 2, "feature_probability": [[0.2], [0.2]],
         "importance": [1.0, 0.9, 0.81, 0.729, 0.6561, 0.59049]},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("moves", "becomes"), MOVES.values(), ids=MOVES)
def test_a_slider_replaces_what_it_stands_for_and_nothing_else(rare, moves, becomes):
    lab = SuperpositionLab(run=rare)
    before = dict(rare.recipe.to_dict())
    for name, value in moves.items():
        lab.set_trait(name, value)
    after = sw.ToyConfig(**lab.config)
    expected = sw.ToyConfig(**{**before, **becomes})
    assert replace(after, importance=1.0) == replace(expected, importance=1.0)
    assert after.importances == pytest.approx(expected.importances)
    assert after.lr == 0.02  # it has no slider
    for name, value in sw.widgets._toy_recipe.settings_of(rare.recipe).items():  # and back
        lab.set_trait(name, value)
    assert sw.ToyConfig(**lab.config) == rare.recipe


def test_what_no_slider_shows_is_said_and_so_is_what_a_slider_takes_away(rare):
    lab = SuperpositionLab(run=rare)
    assert lab.recipe_note == (
        "Trained next: the run again, seed and all. No slider shows: one density per feature; importances of their own; "
        "9 settings, 8 of them on the sliders; learning rate 0.02; batches of 16."
    )
    lab.seed = 5
    assert lab.recipe_note.startswith("Trained next: the run's recipe, but for seed. No slider shows: one density per")
    lab.densities = [0.2]
    assert lab.recipe_note == (
        "Trained next: the run's recipe, but for densities, seed. No slider shows: importances of their own; "
        "learning rate 0.02; batches of 16. No longer, as a slider was moved: one density per feature."
    )
    slow = SuperpositionLab(run=trained("M17", seed=2))
    assert "learning rate 0.001, constant; batches of 16" in slow.recipe_note
    attacked = SuperpositionLab(run=trained("M18", n_features=6, n_hidden=2, adversarial=0.1, weight_decay=0.1))
    assert "; an attack of 0.1 of the mean length of x; weight decay 0.1." in attacked.recipe_note
    assert "150 models of each setting" in SuperpositionLab(run=trained("M19", n_instances=150)).recipe_note


def test_what_is_given_beside_a_run_replaces_what_it_stands_for(rare):
    lab = SuperpositionLab(run=rare, seed=7, n_hidden=3)
    assert sw.ToyConfig(**lab.config) == replace(rare.recipe, seed=7, n_hidden=3) and lab.moved == {"seed", "n_hidden"}


def test_a_run_that_does_not_say_how_it_was_trained_keeps_what_is_known_and_says_so(rare):
    lab = SuperpositionLab(run=replace(rare, recipe=None))
    assert lab.recipe_note.startswith("How this run was trained is not recorded: the lab's own rate, batches and seed")
    known = sw.ToyConfig(**lab.config)
    assert (known.probabilities == rare.feature_probability).all() and (known.importances == rare.importance).all()
    assert (known.steps, known.lr, known.seed) == (4, 0.01, 0)
    impossible = replace(rare, recipe=None, sets=((0, 1),), relation="correlated")  # of two densities
    assert SuperpositionLab(run=impossible).recipe is None


def test_some_models_of_a_run_train_all_of_them_again():
    run = trained("M0", starts=3)
    lab = SuperpositionLab(run=SuperpositionLab(run=run).run)  # the best of each density
    assert lab.population.n_instances == 3
    same(of_code(lab.to_code()).population, run)


def test_a_state_keeps_the_recipe(rare, tmp_path):
    lab = SuperpositionLab(run=rare)
    lab.l1 = 0.5
    lab.state().save(tmp_path / "state.json")
    other = SuperpositionLab()
    other.set(InstrumentState.load(tmp_path / "state.json"))
    assert sw.ToyConfig(**other.config) == replace(rare.recipe, l1=0.5)
    assert other.recipe_note == lab.recipe_note
    assert sw.ToyConfig(**SuperpositionLab().config).n_features == 5 and SuperpositionLab().state().recipe is None


def test_a_lab_follows_a_recipe_and_starts_nothing_by_it():
    lab = SuperpositionLab()
    lab.follow(experiment("M10", **TINY))
    assert lab.status == "ready" and lab.tries == 6 and "one density per feature" in lab.recipe_note
    lab.start()
    assert lab.wait(PATIENCE) and lab.population.recipe == experiment("M10", **TINY)


def test_a_preset_is_trained_as_it_is_and_its_code_says_so():
    """All of them, untrained: only the batches are the lab's, so that a picture can follow."""
    lab = SuperpositionLab()
    for name, one in experiments().items():
        lab.preset = name
        expected = replace(one.config, batch_size=min(256, one.config.batch_size))
        assert sw.ToyConfig(**lab.config) == expected and lab.moved == set() and lab.changed == {}, name
        found: dict = {}
        exec(lab.to_code().rsplit("\n", 1)[0], found)
        assert found["config"] == expected, name
    assert SuperpositionLab(preset="M10").recipe_note == (
        "No slider shows: one density per feature; 9 settings, 8 of them on the sliders."
    )


def test_a_preset_that_is_taken_back_leaves_the_recipe_of_the_run(rare):
    lab = SuperpositionLab(run=rare)
    lab.train = lambda config: iter(())  # nothing need be trained here
    lab.preset = "M23"
    lab.l1 = 0.5
    assert lab.config["l1"] == 0.5 and lab.config["n_features"] == 10
    lab.back()
    assert sw.ToyConfig(**lab.config) == rare.recipe
    with pytest.raises(TypeError, match="a run or a preset, not both"):
        SuperpositionLab(run=rare, preset="M0")


def test_settings_of_data_sets_stay_apart_until_the_densities_are_moved():
    config = sw.ToyConfig(3, 2, 4, 0.2, data_size=(5, 5, 9, 9), **TINY)
    lab = SuperpositionLab(run=sw.train_toy(config).run())
    assert len(lab.population.settings) == 2 and "data sets of several sizes" in lab.recipe_note
    lab.tries = 1
    assert lab.config["data_size"] == [5, 9] and lab.config["n_instances"] == 2
    lab.densities = [0.5]
    assert lab.config["data_size"] == 9 and lab.config["feature_probability"] == [[0.5]]
    assert lab.recipe_note.endswith("No longer, as a slider was moved: data sets of several sizes.")
    assert "a data set of 9 inputs, not fresh ones" in lab.recipe_note


@pytest.mark.parametrize(
    ("values", "plain"),
    [
        ([[0.2, 0.2], [0.2, 0.2]], 0.2),
        ([[0.2, 0.3], [0.2, 0.3]], [0.2, 0.3]),
        ([[0.2, 0.2], [0.3, 0.3]], [[0.2], [0.3]]),
        ([[0.2, 0.1], [0.3, 0.3]], [[0.2, 0.1], [0.3, 0.3]]),
    ],
)
def test_recorded_values_are_written_as_a_person_would(values, plain):
    assert plain_values(np.float32(values)) == plain
