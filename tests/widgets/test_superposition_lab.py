"""The superposition lab: what it draws of a record, what a slider does, and the charts beside it."""

from __future__ import annotations

import gc
import math
import threading
import time
import weakref
from dataclasses import replace

import ipywidgets
import numpy as np
import pytest
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st

import saewidgets as sw
from saewidgets import views
from saewidgets.analysis.toys import gallery, geometry
from saewidgets.records import PhaseDiagram, ToyRun
from saewidgets.widgets import SuperpositionLab, superposition

PATIENCE = 60.0  # seconds after which a test gives up


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()


def record(
    snapshots: int = 4, densities=(1.0, 0.2, 0.05), tries: int = 2, m: int = 2, n: int = 5, seed: int = 0, **changes
) -> ToyRun:
    """A run of made-up numbers, `tries` instances for each density; the second of each has the lower loss."""
    dice = np.random.default_rng(seed)
    instances = len(densities) * tries
    losses = dice.random((snapshots, instances)).astype(np.float32) * 0.1 + 1
    losses[-1] = np.tile([0.5, 0.3, *[0.7] * tries][:tries], len(densities))
    return ToyRun(
        weights=dice.normal(size=(snapshots, instances, m, n)).astype(np.float32),
        biases=dice.normal(size=(snapshots, instances, n)).astype(np.float32),
        steps=np.arange(snapshots) * 10,
        losses=losses,
        feature_probability=np.repeat(np.float32(densities), tries)[:, None] * np.ones((1, n), np.float32),
        importance=np.ones((instances, 1), np.float32) * 0.9 ** np.arange(n, dtype=np.float32),
        **changes,
    )


def unpacked(picture) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Weights, biases and decoder of a picture, as the front end reads them."""
    s, i, m, n = (picture[name] for name in ("snapshots", "instances", "hidden", "features"))
    values = np.frombuffer(picture["values"], "<i2") * picture["scale"]
    W, b, D = np.split(values, [s * i * m * n, s * i * n * (m + 1)])
    return W.reshape(s, i, m, n), b.reshape(s, i, n), D.reshape(s, i, n, m) if picture["untied"] else None


class Trainer:
    """Trains nothing: gives `runs` records whose last loss tells which settings they belong to; `gate` holds it back."""

    def __init__(self, runs: int = 3, gate: threading.Semaphore | None = None, fail: Exception | None = None) -> None:
        self.runs, self.gate, self.fail = runs, gate, fail
        self.configs: list[dict] = []
        self.closed = 0

    def __call__(self, config):
        self.configs.append(dict(config))
        p = np.float32(config["feature_probability"])
        try:
            for k in range(self.runs):
                if self.gate is not None:
                    self.gate.acquire(timeout=PATIENCE)
                if self.fail is not None and k == 1:
                    raise self.fail
                made = record(k + 2, tuple(range(len(p))), 1, config["n_hidden"], config["n_features"], seed=k)
                yield replace(
                    made,
                    feature_probability=np.repeat(p, config["n_features"], axis=1),
                    losses=np.full_like(made.losses, config["seed"]),
                )
        finally:
            self.closed += 1


# -- records -> picture ----------------------------------------------------------------------------------------------


def test_a_recorded_run_is_drawn_with_the_best_model_of_each_density():
    run = record()
    lab = SuperpositionLab(run=run)
    assert lab.status == "recorded"
    assert run.best.tolist() == [1, 3, 5]
    W, b, D = unpacked(lab._picture)
    assert W.shape == (4, 3, 2, 5) and D is None
    step = lab._picture["scale"]
    np.testing.assert_allclose(b, run.biases[:, [1, 3, 5]], atol=step)
    # turned, but nothing that it computes has changed: W'W is what it was
    np.testing.assert_allclose(geometry.gram(W), geometry.gram(run.weights[:, [1, 3, 5]]), atol=40 * step)
    np.testing.assert_allclose(lab.run.weights, W, atol=step)
    assert lab._picture["labels"] == ["1", "0.2", "0.05"]
    assert lab._picture["steps"] == [0, 10, 20, 30]
    assert (lab.n_features, lab.n_hidden, lab.importance_decay) == (5, 2, 0.9)
    assert lab.densities == pytest.approx([1.0, 0.2, 0.05], abs=1e-4)


def test_pictures_stand_as_canonical_has_them_and_each_path_turns_as_one():
    run = record(6)
    lab = SuperpositionLab(run=run)
    np.testing.assert_allclose(lab.run.final, geometry.canonical(run.final[[1, 3, 5]]), atol=1e-5)
    steps_before = np.linalg.norm(np.diff(run.weights[:, [1, 3, 5]], axis=0), axis=(2, 3))
    steps_after = np.linalg.norm(np.diff(lab.run.weights, axis=0), axis=(2, 3))
    np.testing.assert_allclose(steps_after, steps_before, rtol=1e-4)


def test_neurons_are_not_turned():
    run = record(hidden="relu")
    lab = SuperpositionLab(run=run)
    np.testing.assert_array_equal(lab.run.weights, run.weights[:, [1, 3, 5]])
    assert lab._picture["privileged"]


def test_an_untied_decoder_turns_with_the_weights():
    dice = np.random.default_rng(1)
    run = replace(record(), decoder=dice.normal(size=(4, 6, 5, 2)).astype(np.float32), task="absolute")
    W, _, D = unpacked(SuperpositionLab(run=run)._picture)
    expected = run.decoder[:, [1, 3, 5]] @ run.weights[:, [1, 3, 5]]
    np.testing.assert_allclose(D @ W, expected, atol=5e-3)


def test_one_setting_shows_its_starts_the_best_first():
    run = record(densities=(0.1,), tries=3)  # losses 0.5, 0.3, 0.7
    assert run.best.tolist() == [1]
    lab = SuperpositionLab(run=run)
    assert lab._picture["label_name"] == "model" and lab._picture["labels"] == ["1", "0", "2"]
    assert lab._picture["losses"][-1] == pytest.approx([0.3, 0.5, 0.7])
    assert lab._picture["about"].endswith(
        "each on in 10 % of inputs. 3 models of one setting, all shown, from the best to the worst."
    )
    assert lab.densities == pytest.approx([0.1])
    only = SuperpositionLab(run=record(densities=(0.1,), tries=1))
    assert only._picture["about"].endswith(" 1 model.")


def test_the_best_of_a_thousand_models_of_one_setting_is_drawn():
    run = record(2, densities=(0.1,), tries=1000)
    run.losses[-1] = np.float32(2) - np.arange(1000, dtype=np.float32) / 1000
    run.losses[-1, 627] = 0.01
    run.losses[-1, 628] = np.nan
    lab = SuperpositionLab(run=run)
    assert lab._picture["labels"] == ["627", *(str(i) for i in range(999, 984, -1))]
    np.testing.assert_allclose(geometry.gram(lab.run.final[0]), geometry.gram(run.final[627]), atol=1e-4)
    assert "1,000 models of one setting, the best 16 shown" in lab._picture["about"]


@pytest.mark.parametrize(
    ("settings", "tries", "shown", "words"),
    [
        (9, 1, list(range(9)), ". 9 models."),
        (12, 2, list(range(1, 24, 2)), ". 24 models trained, the best of each 2 shown."),
        (20, 1, [0, 1, 3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16, 18, 19], ". 20 models, 16 of them shown."),
        (17, 2, None, ". 34 models trained, the best of each 2 shown, for 16 of 17 settings."),
    ],
)
def test_more_settings_than_cards_are_said_to_be_left_out(settings, tries, shown, words):
    run = record(2, tuple(np.geomspace(1, 0.01, settings)), tries)
    gallery_of = gallery.shown(run)
    if shown is not None:
        assert gallery_of.instances.tolist() == shown
    lab = SuperpositionLab(run=run)
    assert lab._picture["instances"] == min(settings, 16) and lab._picture["about"].endswith(words)
    assert len(lab.densities) == min(settings, 8) and lab.densities[0] == 1 and lab.densities[-1] == pytest.approx(0.01)


def test_settings_of_different_size_keep_their_order_and_their_best():
    run = record(2, (0.2, 0.9, 0.2), 2)  # the first and the last are one setting of four
    run.losses[-1] = [4, 3, 9, 8, 2, 5]
    assert run.best.tolist() == [4, 3]
    assert "6 models trained, the best of each 3 shown" in SuperpositionLab(run=run)._picture["about"]


def test_models_are_called_by_what_tells_them_apart():
    run = record(densities=(0.1, 0.2, 0.3), tries=1)
    p = np.full((3, 5), np.float32(0.05))
    p[:, 2] = [0.01, 0.02, 0.05]
    one = SuperpositionLab(run=replace(run, feature_probability=p))
    assert (one._picture["label_name"], one._picture["labels"]) == ("density of 2:", ["0.01", "0.02", "0.05"])
    p[:, 3] = [0.3, 0.2, 0.1]  # two that vary, each its own way
    assert SuperpositionLab(run=replace(run, feature_probability=p))._picture["label_name"] == "model"
    important = run.importance * np.float32([[1], [2], [3]])
    p[:] = np.float32(0.1)
    lab = SuperpositionLab(run=replace(run, feature_probability=p, importance=important))
    assert lab._picture["label_name"] == "model"  # the importances vary by a factor, not to one value
    important[:] = np.float32([[1], [2], [3]])
    lab = SuperpositionLab(run=replace(run, feature_probability=p, importance=important))
    assert (lab._picture["label_name"], lab._picture["labels"]) == ("importance", ["1", "2", "3"])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(1, 12), st.integers(1, 5), st.floats(1e-3, 1e3))
def test_quantized_weights_are_within_half_a_step(m, n, snapshots, size):
    run = record(max(snapshots, 1), (0.5,), 1, m, n, hidden="relu")
    run = replace(run, weights=run.weights * np.float32(size))
    lab = SuperpositionLab(run=run)
    W, b, _ = unpacked(lab._picture)
    step = lab._picture["scale"]
    largest = max(np.abs(run.weights).max(), np.abs(run.biases).max())
    assert step == pytest.approx(largest / 32767, rel=1e-6)
    assert np.abs(W - run.weights).max() <= 0.51 * step and np.abs(b - run.biases).max() <= 0.51 * step
    lab.close()


def test_the_parts_of_the_loss_add_up_to_the_loss_and_says_who_is_to_blame():
    pairs = np.array([[1, -1, 0, 0, 0], [0, 0, 1, -1, 0.0]], np.float32)  # and the fifth is left out, with no bias
    run = replace(
        record(2, (0.2,), 1), weights=np.stack([pairs] * 2)[:, None], biases=np.zeros((2, 1, 5), np.float32)
    )  # fmt: skip
    run = replace(run, importance=np.ones((1, 5), np.float32))
    (parts,) = SuperpositionLab(run=run)._picture["loss_parts"]
    p = 0.2
    alone = p * (1 - p) ** 4
    assert parts[0] == [0, 0]
    assert parts[1] == pytest.approx(
        [alone / 3, 0], rel=1e-4
    )  # E x^2 = 1/3 for the one that is left out; pairs err not at all
    # two opposites both on cost p^2 / 6 each, 4 of them; the fifth costs p / 3
    assert np.sum(parts) == pytest.approx(4 * p**2 / 6 + p / 3, rel=0.05)
    for changes in ({"relation": "correlated", "sets": ((0, 1),)}, {"activation": "linear"}, {"hidden": "relu"}):
        assert SuperpositionLab(run=replace(run, **changes))._picture["loss_parts"] == []


def test_a_long_run_of_large_models_is_thinned_and_keeps_its_ends():
    run = record(60, (0.5, 0.1), 1, 30, 100)
    lab = SuperpositionLab(run=run)
    picture = lab._picture
    assert len(picture["values"]) <= 2 * superposition.VALUES
    assert picture["steps"][0] == 0 and picture["steps"][-1] == 590 and 2 <= picture["snapshots"] < 60
    assert len(picture["losses"]) == picture["snapshots"]


def test_a_page_of_the_lab_stays_small():
    run = record(50, (1, 0.5, 0.3, 0.2, 0.1, 0.07, 0.05, 0.03), 1)
    bare = SuperpositionLab(run=record(2, (1.0, 0.5), 1)).to_html()
    assert len(SuperpositionLab(run=run).to_html()) - len(bare) < 40_000


# -- settings --------------------------------------------------------------------------------------------------------


def test_nothing_runs_until_the_front_end_or_a_person_asks():
    trainer = Trainer()
    lab = SuperpositionLab(train=trainer)
    lab.n_features = 7
    assert lab.status == "ready" and not trainer.configs
    with pytest.raises(ValueError, match="nothing is trained yet"):
        _ = lab.run
    lab._handle_custom_msg({"kind": "ready"}, [])
    assert lab.wait(PATIENCE) and lab.status == "finished"
    lab._handle_custom_msg({"kind": "ready"}, [])  # a second view starts nothing
    assert len(trainer.configs) == 1 and trainer.configs[0]["n_features"] == 7


def test_a_slider_trains_anew_and_the_picture_is_of_the_new_models():
    trainer = Trainer()
    lab = SuperpositionLab(5, 2, densities=[1.0, 0.1], tries=4, train=trainer)
    lab.start()
    lab.wait(PATIENCE)
    assert trainer.configs[-1]["n_instances"] == 8
    assert trainer.configs[-1]["feature_probability"] == [[1.0]] * 4 + [[0.1]] * 4
    before = lab._picture["values"]
    lab.set_state({"n_features": 6, "n_hidden": 3, "densities": [1, 0.2, 0.05]})
    assert lab.wait(PATIENCE) and lab.status == "finished"
    assert (lab._picture["features"], lab._picture["hidden"], lab._picture["instances"]) == (6, 3, 3)
    assert lab._picture["values"] != before
    assert lab.run.n_features == 6 and lab.population.n_instances == 12


def test_sets_follow_the_sliders():
    lab = SuperpositionLab(7, 3, relation="correlated", set_size=3, densities=[0.1])
    assert lab.config["sets"] == ((0, 1, 2), (3, 4, 5))
    lab.relation = "independent"
    assert lab.config["sets"] == ()
    lab.relation, lab.set_size, lab.densities = "anticorrelated", 2, [1.0, 0.1]
    assert lab.config["sets"] == ((0, 1), (2, 3), (4, 5))
    assert [row[0] for row in lab.config["feature_probability"][:: lab.tries]] == [0.5, 0.1]  # at most one of two is on
    lab.n_features = 1  # fewer than a set
    assert lab.config["sets"] == ((0,),)


def test_the_latest_setting_wins_and_one_worker_does_it_all():
    trainer = Trainer(runs=4)
    lab = SuperpositionLab(4, 2, tries=1, train=trainer)
    lab.start()
    for seed in range(1, 200):
        lab.set_state({"seed": seed})
        assert sum(t.name == "saewidgets-live" for t in threading.enumerate()) <= 1
        if seed % 25 == 0:
            time.sleep(0.01)
    assert lab.wait(PATIENCE)
    assert lab.status == "finished" and lab.error == ""
    assert lab.run.losses[-1].tolist() == [199.0] * 8
    assert lab._picture["losses"][-1] == [199] * 8
    assert trainer.closed == len(trainer.configs)  # what was dropped was ended, too


def test_what_was_begun_is_shown_before_it_is_dropped():
    gate = threading.Semaphore(0)
    trainer = Trainer(runs=50, gate=gate)
    lab = SuperpositionLab(4, 2, tries=1, train=trainer)
    shown = []
    lab.observe(lambda change: shown.append(change["new"]["losses"][-1][0]), names=["_picture"])
    lab.start()
    for seed in range(1, 6):  # a drag that never rests: each time one picture's worth of work is done
        while len(trainer.configs) < seed:
            time.sleep(0.001)
        lab.set_state({"seed": seed})
        gate.release()
    gate.release(100)
    assert lab.wait(PATIENCE)
    assert {0, 1, 2, 3, 4, 5} <= set(shown)


def test_stop_keeps_what_was_learned():
    gate = threading.Semaphore(2)
    trainer = Trainer(runs=10, gate=gate)
    lab = SuperpositionLab(4, 2, tries=1, train=trainer)
    lab.start()
    while lab._picture.get("snapshots", 0) < 3:
        time.sleep(0.001)
    lab._handle_custom_msg({"kind": "stop"}, [])
    assert lab.status == "stopped"
    gate.release(20)
    assert lab.wait(PATIENCE)
    assert lab.status == "stopped" and lab._picture["snapshots"] == 3
    lab._handle_custom_msg({"kind": "start"}, [])
    gate.release(20)
    assert lab.wait(PATIENCE) and lab.status == "finished" and lab._picture["snapshots"] == 11


def test_an_exception_is_shown_and_the_next_setting_works():
    trainer = Trainer(fail=RuntimeError("the weights took a holiday"))
    lab = SuperpositionLab(4, 2, tries=1, train=trainer)
    lab.start()
    with pytest.raises(RuntimeError, match="holiday"):
        lab.wait(PATIENCE)
    assert lab.status == "error" and lab.error == "RuntimeError: the weights took a holiday"
    assert lab._picture["snapshots"] == 2  # what came before it is still there
    trainer.fail = None
    lab.seed = 5
    assert lab.wait(PATIENCE) and (lab.status, lab.error) == ("finished", "")


@pytest.mark.parametrize(
    "state",
    [
        {"n_features": 0},
        {"n_features": 10**6},
        {"n_features": 2.5},
        {"n_hidden": -1},
        {"densities": []},
        {"densities": [0.0]},
        {"densities": [1.5]},
        {"densities": [math.nan]},
        {"densities": [0.1] * 9},
        {"densities": "all"},
        {"importance_decay": 0},
        {"importance_decay": math.nan},
        {"relation": "friends"},
        {"l1": -1},
        {"l1": math.inf},
        {"steps": 10**9},
        {"tries": 0},
        {"seed": -1},
        {"snapshot": -2},
        {"selected": -1},
        {"task": None},
    ],
)
def test_bad_settings_from_the_browser_are_refused_and_said(state):
    lab = SuperpositionLab(train=Trainer())
    before = {name: getattr(lab, name) for name in state}
    lab.set_state(state)
    assert {name: getattr(lab, name) for name in state} == before
    assert lab.error


def test_the_largest_setting_is_a_valid_configuration():
    lab = SuperpositionLab(1000, 200, densities=[0.1] * 8, tries=100, steps=1, set_size=50, relation="anticorrelated")
    assert sw.ToyConfig(**lab.config).n_instances == 8  # one each: these are large
    with pytest.raises(traitlets.TraitError, match="n_hidden must be a whole number from 1 to 200, not 201"):
        lab.n_hidden = 201
    lab.n_features, lab.n_hidden = 20, 5
    assert lab.models_each == 100
    lab.n_features, lab.n_hidden = 400, 30
    assert lab.models_each == 3


def test_a_record_larger_than_the_sliders_opens_all_the_same():
    run = record(2, (0.1,), 1, 3, 1200)
    lab = SuperpositionLab(run=run)
    assert lab._picture["features"] == 1200 and lab.n_features == 1000


# -- real training ---------------------------------------------------------------------------------------------------


def test_dense_features_take_a_dimension_each_and_rare_ones_share():
    """M0 by the sliders: two orthogonal ones when dense; all five when rare, none with more than half a dimension."""
    lab = SuperpositionLab(5, 2, densities=[1.0, 0.05], tries=6, steps=600, importance_decay=0.9)
    lab.start()
    assert lab.wait(PATIENCE)
    frame = lab.to_dataframe().groupby("model")
    dense, sparse = (frame.get_group(i) for i in (0, 1))
    assert (dense["norm"] > 0.7).tolist() == [True, True, False, False, False]
    assert (sparse["norm"] > 0.9).all() and sparse["dimensionality"].between(0.3, 0.5).all()
    assert sparse["dimensionality"].mean() == pytest.approx(0.4, abs=0.03)  # the pentagon's share
    losses = lab.population.losses[-1].reshape(2, 6)
    np.testing.assert_allclose(lab.run.losses[-1], losses.min(1))


def test_the_code_trains_the_same_models():
    lab = SuperpositionLab(3, 2, densities=[0.5, 0.1], tries=2, steps=20, seed=3)
    lab.start()
    assert lab.wait(PATIENCE)
    made: dict = {}
    exec(lab.to_code().replace("sw.SuperpositionLab(run=", "made = (", 1), made)
    np.testing.assert_array_equal(made["made"].weights, lab.population.weights)


def test_frame_figure_and_fallback():
    run = record()
    lab = SuperpositionLab(run=run)
    lab.snapshot = 1
    frame = lab.to_dataframe()
    assert len(frame) == 15
    by_hand = np.linalg.norm(run.weights[1, 3], axis=0)
    np.testing.assert_allclose(frame[frame["model"] == 1]["norm"], by_hand, rtol=1e-4)
    assert len(lab.figure.data) == 3 * 6  # five arrows and a circle each
    assert SuperpositionLab(run=record(m=3)).figure.data[0].type == "heatmap"
    bundle, _ = lab._repr_mimebundle_()
    assert "features represented" in bundle["text/html"]
    assert bundle["text/plain"] == "SuperpositionLab(n_features=5, n_hidden=2, models=6, status='recorded')"
    assert "run the cell" in SuperpositionLab()._fallback()


# -- nothing is left behind ------------------------------------------------------------------------------------------


def test_closing_ends_the_work_and_frees_the_lab():
    trainer = Trainer(runs=10**6)
    lab = SuperpositionLab(4, 2, tries=1, train=trainer)
    lab.start()
    while not lab._picture:
        time.sleep(0.001)
    gone = weakref.ref(lab)
    lab.close()
    lab.close()
    del lab
    end = time.monotonic() + PATIENCE
    while (gone() is not None or not trainer.closed) and time.monotonic() < end:
        gc.collect()
        time.sleep(0.005)
    assert gone() is None and trainer.closed == 1
    assert len(ipywidgets.widgets.widget._instances) == 0


def test_a_forgotten_lab_ends_its_own_work():
    trainer = Trainer(runs=10**6)
    before = len(ipywidgets.widgets.widget._instances)
    lab = SuperpositionLab(4, 2, tries=1, train=trainer)
    lab.start()
    while not lab._picture:
        time.sleep(0.001)
    lab.stop()
    assert lab.wait(PATIENCE)
    lab.close()
    assert len(ipywidgets.widgets.widget._instances) == before


# -- charts ----------------------------------------------------------------------------------------------------------


def pentagon(snapshots: int = 3) -> ToyRun:
    """Two models: a pentagon, and two antipodal pairs with the fifth feature left out; known numbers throughout."""
    star = geometry.POLYTOPES["pentagon"].points
    pairs = np.array([[1, -1, 0, 0, 0], [0, 0, 1, -1, 0.0]])
    weights = np.stack([star, pairs])[None].repeat(snapshots, 0).astype(np.float32)
    weights[0] *= 0.1
    run = record(snapshots, (0.05, 0.2), 1)
    return replace(run, weights=weights, biases=np.zeros_like(run.biases) + np.float32(-0.25))


def test_arrows_end_where_the_columns_are():
    fig = views.superposition_arrows(pentagon())
    tips = [trace for trace in fig.data if trace.mode == "lines+markers"]
    assert len(tips) == 10
    ends = np.array([(trace.x[1], trace.y[1]) for trace in tips[:5]])
    np.testing.assert_allclose(ends.T, geometry.POLYTOPES["pentagon"].points, atol=1e-6)
    assert [a.text for a in fig.layout.annotations] == ["density 0.05", "density 0.2"]
    with pytest.raises(ValueError, match="need 2 hidden dimensions, not 3"):
        views.superposition_arrows(record(m=3))


def test_the_gram_figure_holds_the_cosines_of_a_pentagon():
    fig = views.gram_matrix(pentagon())
    expected = np.cos(2 * np.pi * np.subtract.outer(range(5), range(5)) / 5)
    np.testing.assert_allclose(fig.data[0].z, expected, atol=1e-6)
    np.testing.assert_allclose(fig.data[1].z, -0.25)
    early = views.gram_matrix(pentagon(), snapshot=0)
    np.testing.assert_allclose(early.data[0].z, 0.01 * expected, atol=1e-7)


def test_neurons_pass_only_what_is_positive():
    run = replace(pentagon(), hidden="relu")
    W = run.final[1].astype(float)
    np.testing.assert_allclose(views.gram_matrix(run, 1).data[0].z, W.T @ np.maximum(W, 0), atol=1e-6)


def test_bars_scatter_and_trajectory_hold_the_measures():
    run = pentagon()
    (bars,) = views.norm_bars(run, 1).data
    np.testing.assert_allclose(bars.y, [1, 1, 1, 1, 0], atol=1e-6)
    np.testing.assert_allclose(bars.marker.color, [1, 1, 1, 1, 0], atol=1e-6)
    dots, star = views.dimensionality_scatter(run).data
    np.testing.assert_allclose(dots.y, [0.4] * 5 + [0.5] * 4 + [0], atol=1e-6)
    np.testing.assert_allclose(star.x, [5, 20])
    np.testing.assert_allclose(star.y, [2 / 4, 2 / 5], atol=1e-6)
    (curve,) = views.dimensions_per_feature(run).data
    np.testing.assert_allclose(curve.y, [2 / 4, 2 / 5], atol=1e-6)
    loss, *lines = views.toy_trajectory(run, 0).data
    np.testing.assert_allclose(loss.y, run.losses[:, 0])
    assert len(lines) == 5 and lines[0].y[-1] == pytest.approx(0.4, abs=1e-6)
    assert lines[0].x[0] == 1  # step 0 on a logarithmic axis


def test_stacks_add_up_to_the_rows():
    run = record(m=6, n=4)
    fig = views.stack_plot(run, 2)
    order = fig.data[0].customdata
    assert sorted(order) == list(range(6))
    np.testing.assert_allclose(np.sum([trace.y for trace in fig.data], axis=0), run.final[2].sum(1)[order], atol=1e-5)
    assert fig.layout.barmode == "relative"


@pytest.mark.parametrize(
    ("name", "points", "edges", "share"),
    [
        ("tetrahedron", 4, 6, 0.75),
        ("octahedron", 6, 12, 0.5),
        ("square antiprism", 8, 16, 0.375),
        ("pentagon", 5, 5, 0.4),
    ],
)
def test_polytopes_have_their_edges_and_shares(name, points, edges, share):
    fig = views.polytope(geometry.POLYTOPES[name].points, name=name)
    assert fig.layout.width is None  # as wide as its output
    lines = [trace for trace in fig.data if trace.mode == "lines"]
    rays = [trace for trace in fig.data if trace.mode == "lines+markers+text"]
    assert (len(rays), len(lines)) == (points, edges)
    assert {trace.text[1] for trace in rays} == {f"{share:.3f}"}
    with pytest.raises(ValueError, match="m up to 3"):
        views.polytope(np.eye(4))


def diagram(n: int = 2, m: int = 1, x_name: str = "density") -> PhaseDiagram:
    """Three by two cells: every model pairs up, but in the top row it leaves the first feature out for the extra one."""
    x, y = np.array([0.01, 0.1, 1.0]), np.array([0.5, 2.0])
    weights = np.zeros((2, 3, 3, m, n), np.float32)
    weights[..., 0, 0], weights[..., 0, -1] = 1, -1
    weights[1, ..., 0, 0] = 0
    weights[:, :, 2] = 0  # the worst model learned nothing, and is dropped
    density, importance = np.meshgrid(x, y)
    losses = np.full((2, 3, 3), 0.25, np.float32)
    return PhaseDiagram(x_name, "importance", x, y, weights, losses, density, importance, np.full((2, 3), n), 1)


def test_the_phase_diagram_stands_beside_its_theory():
    fig = views.phase_diagram(diagram())
    found, border, known, _ = fig.data
    np.testing.assert_allclose(found.z, [[1, 1, 1], [-1, -1, -1]], atol=1e-6)
    # by hand: at density 1 the pair costs (1 + I) / 6 against 1 / 12 for the less important one alone
    np.testing.assert_allclose(known.z, [[1, 1, 0], [1, 1, -1]])
    np.testing.assert_allclose(10 ** np.array(border.x), [2 * 0.5 / 2.25, 2 / 4.5])
    assert "superposition 1.00" in found.customdata[0][0] and "in superposition" in known.customdata[0][0]
    assert len(views.phase_diagram(diagram(), beside=False).data) == 1
    assert len(views.phase_diagram(diagram(4, 2)).data) == 1  # theory does not cover it
    assert len(views.phase_diagram(diagram(3, 2)).data) == 2


def test_the_best_model_of_a_cell_may_be_shown_alone():
    made = diagram()
    made.weights[:, :, 1] = 0
    np.testing.assert_allclose(views.phase_diagram(made).data[0].z[0], 0.5 * (2 * 0.5 - 1), atol=1e-6)
    np.testing.assert_allclose(views.phase_diagram(made, best=True).data[0].z[0], 1, atol=1e-6)


def test_vulnerability_is_drawn_against_features_per_dimension():
    fig = views.vulnerability([1, 0.1], [1, 3], [1, 0.5])
    assert list(fig.data[0].y) == [1, 3] and list(fig.data[1].y) == [1, 2] and list(fig.data[0].x) == [1, 10]


def test_toy_figures_stand_on_any_background():
    run = pentagon()
    figures = [
        views.superposition_arrows(run),
        views.gram_matrix(run),
        views.norm_bars(run),
        views.dimensionality_scatter(run),
        views.dimensions_per_feature(run),
        views.stack_plot(run),
        views.toy_trajectory(run),
        views.polytope(run.final[0]),
        views.phase_diagram(diagram()),
        views.vulnerability([1], [1], [1]),
    ]
    for fig in figures:
        assert fig.layout.paper_bgcolor == fig.layout.plot_bgcolor == "rgba(0,0,0,0)"
        fig.to_json()
