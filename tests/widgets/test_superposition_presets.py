"""The superposition lab's experiments, phase diagrams and SAEs: what is set, what is drawn, what can be stopped."""

from __future__ import annotations

import threading
from dataclasses import replace

import ipywidgets
import numpy as np
import pytest
import traitlets

import saewidgets as sw
from saewidgets.analysis.toys import superposition_theory as theory
from saewidgets.frontend import payloads
from saewidgets.records import PhaseDiagram, ToyRun
from saewidgets.records.states import SuperpositionState
from saewidgets.toy import experiment, experiments, phase_diagram
from saewidgets.widgets import SuperpositionLab, _toy_jobs
from saewidgets.widgets._toy_presets import catalog

PATIENCE = 60.0  # seconds after which a test gives up


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()


def quick(config):
    """Train nothing: models that represent nothing, of the densities that the configuration asks for."""
    made = sw.ToyConfig(**{**config, "steps": 1, "snapshots": 2, "batch_size": 1})
    zero = np.zeros((1, made.n_instances, made.n_hidden, made.n_features), np.float32)
    losses = np.full((1, made.n_instances), 0.5, np.float32)
    yield ToyRun(zero, zero[:, :, 0], np.array([0]), losses, made.probabilities, made.importances)


@pytest.fixture(scope="module")
def diagram():
    return phase_diagram(2, 1, [0.05, 0.2, 0.9], [0.25, 1.0, 4.0], 4, steps=300, seed=1)


# -- experiments -----------------------------------------------------------------------------------------------------


def test_every_experiment_stands_in_the_list_with_what_to_look_for():
    rows = catalog()
    assert set(rows) == {*experiments(), "M4", "M5"}
    names = list(rows)
    assert names[:6] == ["M0", "M1", "M1-linear", "M2", "M4", "M5"]
    for row in rows.values():
        assert all(row[key] for key in ("part", "title", "question", "look_for", "outcome"))
        assert row["look_for"].endswith(".") and row["question"].endswith("?")
    assert 4 <= len({row["part"] for row in rows.values()}) <= 7


@pytest.mark.parametrize("name", ["M0", "M10", "M12", "M18", "M21", "M23"])
def test_a_chosen_experiment_trains_what_it_says(name):
    lab = SuperpositionLab(train=quick)
    lab.preset = name
    want, got = experiment(name), sw.ToyConfig(**lab.config)
    for field in ("n_features", "n_hidden", "activation", "hidden", "task", "sets", "relation", "l1", "adversarial"):
        assert getattr(got, field) == getattr(want, field), field
    np.testing.assert_array_equal(np.unique(got.probabilities, axis=0), np.unique(want.probabilities, axis=0))
    np.testing.assert_array_equal(got.importances[0], want.importances[0])
    assert lab.changed == {} and lab.status == "ready"  # nothing was trained, and nobody has asked


def test_a_choice_trains_once_and_what_is_moved_after_it_is_said():
    configs = []
    lab = SuperpositionLab(train=lambda config: configs.append(config) or quick(config))
    lab.start()
    assert lab.wait(PATIENCE)
    lab.preset = "M12"
    assert lab.wait(PATIENCE) and len(configs) == 2 and lab.run.relation == "independent"  # quick knows no sets
    lab.n_features = 6
    assert lab.changed == {"n_features": (6, 4)} and lab.preset == "M12"
    lab.n_features = 4
    assert lab.changed == {}
    lab.n_features = 6
    lab._message("again")
    assert lab.changed == {} and lab.n_features == 4


def test_a_choice_is_taken_back():
    lab = SuperpositionLab(7, 3, densities=[0.3, 0.1], seed=5, train=quick)
    before = lab.state()
    with pytest.raises(ValueError, match="no experiment was chosen that could be taken back"):
        lab.back()
    lab.preset = "M17"
    assert (lab.n_features, lab._chosen_before) == (6, True)
    lab.back()
    assert lab.state() == before and not lab._chosen_before
    lab.preset = "M4"
    assert lab.shows == "phases"
    lab.preset = "M12"
    lab.back()
    assert (lab.preset, lab.shows, lab.n_features) == ("M4", "phases", 2)


def test_a_state_keeps_the_experiment_and_what_was_changed_in_it():
    lab = SuperpositionLab(preset="M12", train=quick)
    lab.seed = 9
    state = SuperpositionState.from_dict(lab.state().to_dict())
    other = SuperpositionLab(train=quick)
    other.set(state)
    assert other.preset == "M12" and other.changed == {"seed": (9, 0)} and other.config == lab.config
    lab.reset()
    assert lab.changed == {"seed": (9, 0)}  # nothing was set before it was first shown


def test_an_experiment_that_there_is_not_is_refused_with_the_nearest():
    with pytest.raises(traitlets.TraitError, match="unknown experiment 'M99'"):
        SuperpositionLab(preset="M99")
    lab = SuperpositionLab()
    lab.set_state({"preset": "m12"})
    assert "unknown experiment 'm12'" in lab.error and lab.preset == ""


def test_given_settings_replace_those_of_the_experiment():
    lab = SuperpositionLab(preset="M12", seed=3, train=quick)
    assert lab.changed == {"seed": (3, 0)} and lab.relation == "anticorrelated"


# -- phase diagrams --------------------------------------------------------------------------------------------------


def test_a_phase_diagram_grows_and_ends_with_its_record(diagram):
    seen = []

    def phases(config):
        seen.append(config)
        yield 0.25, replace(diagram, weights=diagram.weights * 0)
        yield 1.0, diagram

    lab = SuperpositionLab(preset="M4", phases=phases, seed=3)
    shares = []
    lab.observe(lambda change: shares.append(change["new"]["share"]), "_diagram")
    lab.start()
    assert lab.wait(PATIENCE) and lab.status == "finished"
    assert shares == [0.25, 1] and seen == [{"n_features": 2, "n_hidden": 1, "seed": 3}]
    assert lab.diagram is diagram and lab.data is diagram
    frame = lab.to_dataframe()
    assert len(frame) == 9 and set(frame["phase"]) <= set(theory.PHASES)
    assert "phase_diagram(2, 1, seed=3)" in lab.to_code() and len(lab.figure.data) >= 2
    lab.n_features = 4  # a slider is about models side by side
    assert lab.shows == "models" and lab.changed["shows"] == ("models", "phases")


def test_a_phase_diagram_can_be_stopped(diagram):
    gate = threading.Semaphore(1)

    def phases(config):
        for k in range(100):
            gate.acquire(timeout=PATIENCE)
            yield k / 100, diagram

    lab = SuperpositionLab(preset="M5", phases=phases)
    lab.start()
    while not lab._diagram:
        threading.Event().wait(0.01)
    lab.stop()
    gate.release()
    assert lab.wait(PATIENCE) and lab.status == "stopped" and lab._diagram["share"] == 0


def test_the_picture_of_a_diagram_by_hand():
    """One cell with an antipodal pair that won, one with a feature left out."""
    W = np.zeros((1, 2, 2, 1, 2), np.float32)
    W[0, 0, :, 0] = [[1, -1], [1, 0]]
    W[0, 1, :, 0] = [[1, 0.25], [0, 1]]
    x, y = np.array([0.1, 0.9]), np.array([0.5])
    losses = np.float32([[[0.01, 0.02], [0.1, 0.2]]])
    density, importance = np.meshgrid(x, y)
    made = PhaseDiagram("density", "importance", x, y, W, losses, density, importance, np.full((1, 2), 2), 0)
    picture = _toy_jobs.diagram_picture(made, 0.5)
    assert picture["phases"] == [[theory.SUPERPOSITION, theory.NOT_LEARNED]] == picture["theory"]
    assert picture["same"] == [[1, 1]] and picture["agree"] == 2  # of two models, and of two cells
    assert picture["norms"] == [[1, 0.25]] and picture["shared"] == [[1, 1]]
    assert picture["weights"] == [[[1, -1], [1, 0.25]]] and picture["losses"] == [[0.01, 0.1]]
    pair = next(one for one in picture["candidates"] if one["name"] == "extra one in a pair")
    assert pair["losses"][0] == pytest.approx([1.5 * 0.01 / 6, 1.5 * 0.81 / 6], rel=1e-5)


# -- an SAE on a toy -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pentagon():
    config = sw.ToyConfig(5, 2, 6, 0.05, steps=800, batch_size=256)
    return sw.train_toy(config).run()


def test_an_sae_recovers_the_shown_model_and_is_drawn_as_it_learns(pentagon, monkeypatch):
    monkeypatch.setattr(_toy_jobs, "SAE_STEPS", 400)
    lab = SuperpositionLab(run=pentagon)
    with pytest.raises(ValueError, match=r"no SAE is trained yet; call recover\(\)"):
        _ = lab.recovered
    lab.selected, lab.sae_architecture = 1, "topk"
    shares = []
    lab.observe(lambda change: shares.append(change["new"].get("share")), "_recovered")
    lab.recover()
    assert lab.wait(PATIENCE)
    lab.check()
    picture = lab._recovered
    assert (picture["model"], picture["busy"], picture["size"]) == (1, False, 10)
    assert shares == sorted(shares) and shares[-1] == 1 and lab.status == "recorded"
    result = lab.recovered
    assert picture["missed"] == len(result.recovery.missed) == 0
    # the learned directions stand in the picture as the arrows do
    arrows = lab.run.final[1] / np.linalg.norm(lab.run.final[1], axis=0)
    learned = np.array(picture["learned"])
    assert np.linalg.norm(learned, axis=1)[picture["alive"]] == pytest.approx(1, abs=1e-2)
    assert (learned @ arrows).max(0) == pytest.approx(picture["best"], abs=1e-2)
    lab.start()
    lab.stop()
    assert lab._recovered == {}  # the models are gone
    assert lab.wait(PATIENCE)


def test_the_picture_of_a_recovery_by_hand():
    """Three true features; one found twice, one once, one missed; a mixture and a dead SAE feature."""
    cosine = np.array([[0.99, 0.95, 0.1, 0.5, -1], [0.2, 0.1, 0.97, 0.5, -1], [0.3, 0.2, 0.1, 0.6, -1]])
    picture = payloads.recovery_picture(
        model=2,
        busy=True,
        share=0.5,
        found=0.9,
        features=np.array([0, 2, 5]),
        cosine=cosine,
        match=np.array([0, 2, 3]),
        learned=np.zeros((5, 8)),
        alive=np.array([True] * 4 + [False]),
        l0=1.5,
        fvu=float("nan"),
    )
    assert picture["of"] == [0, 0, 1, -1, -1] and picture["best"] == [0.99, 0.97, 0.6]
    counts = {name: picture[name] for name in ("missed", "split", "mixtures", "dead")}
    assert counts == {"missed": 1, "split": 1, "mixtures": 1, "dead": 1}
    assert picture["matched"] == [0.99, 0.97, 0.6] and picture["fvu"] is None
    assert picture["learned"] == [] and len(picture["cosines"]) == 15  # eight dimensions: no directions to draw


def test_what_cannot_be_recovered_is_said_and_leaves_the_models(pentagon):
    nothing = replace(pentagon, weights=pentagon.weights * 0)
    lab = SuperpositionLab(run=nothing)
    lab.recover()
    with pytest.raises(ValueError, match="represents no feature"):
        lab.wait(PATIENCE)
    assert lab.status == "recorded" and lab._recovered == {}


def test_an_sae_can_be_stopped(pentagon):
    gate = threading.Semaphore(1)

    def recover(run, instance, settings):
        from saewidgets.analysis.toys.sae_recovery import RecoveryTraining

        made = RecoveryTraining(run, settings["d_sae"], instance=instance, steps=2, batch_size=8, n=100)
        for share in (0.1, 0.2, 0.3):
            gate.acquire(timeout=PATIENCE)
            yield share, made.record()

    lab = SuperpositionLab(run=pentagon, recover=recover)
    lab.sae_features = 7
    lab.recover()
    while not lab._recovered:
        threading.Event().wait(0.01)
    assert lab._recovered["busy"] and lab._recovered["size"] == 7
    lab._message("stop")
    gate.release()
    assert lab.wait(PATIENCE) and not lab._recovered["busy"] and lab._recovered["share"] == 0.1


def test_a_page_of_the_lab_says_its_experiment(diagram):
    lab = SuperpositionLab(preset="M4", phases=lambda config: iter([(1.0, diagram)]))
    lab.start()
    assert lab.wait(PATIENCE)
    state = lab._view()["state"]
    assert [row["name"] for row in state["_presets"]] == ["M4"] and state["_diagram"]["models"] == 4
    assert len(lab.to_html()) < 600_000
