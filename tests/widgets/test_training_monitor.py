"""TrainingMonitor over runs, sweeps and records: what it shows, what it keeps, and what it says when something breaks."""

from __future__ import annotations

import errno
import gc
import itertools
import math
import threading
import time
import weakref
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sample_records
import torch
import traitlets

import saewidgets as sw
from saewidgets import views
from saewidgets.files import LoadError
from saewidgets.frontend import payloads
from saewidgets.records import RunRecord, TrainingRecord, firing_histogram, pareto, settled
from saewidgets.widgets import TrainingMonitor
from saewidgets.widgets import training as module

PATIENCE = 60
D = 6


def batches(n=10_000, bad_at=None):
    for i in range(n):
        x = torch.randn(32, D, generator=torch.Generator().manual_seed(i))
        yield x if i != bad_at else x * float("nan")


class Stream:
    """Batches that can be entered anywhere, and broken at one place."""

    def __init__(self, error=None, at=-1):
        self.error, self.at = error, at

    def __iter__(self):
        return self.batches()

    def batches(self, start=0):
        for i in itertools.count(start):
            if i == self.at and self.error is not None:
                error, self.error = self.error, None
                raise error
            yield torch.randn(32, D, generator=torch.Generator().manual_seed(i))


def sae_of(d_sae=16, k=2):
    return sw.SAE(sw.SAEConfig(D, d_sae, architecture="topk", k=k))


def config(steps=30):
    return sw.TrainConfig(steps=steps, lr=1e-2)


def run_of(steps=30, stream=None, **sizes):
    return sw.train(sae_of(**sizes), stream or Stream(), config(steps))


def finished(monitor):
    monitor.start()
    assert monitor.wait(PATIENCE)
    assert monitor.status == "finished"
    return monitor


# -- one run ---------------------------------------------------------------------------------------------------------


def test_what_is_sent_is_what_the_run_measured():
    run = run_of()
    monitor = finished(TrainingMonitor(run))
    (sent,) = monitor._runs
    last = run.history[-1]
    assert monitor.total == 30 and monitor.steps == run.history
    assert sent["points"][-1] == [
        30,
        960,
        *(payloads.number(getattr(last, n)) for n in ("loss", "fvu", "l0", "dead", "lr", "sparsity")),
    ]
    assert sent["facts"] == "topk, 16 features, k = 2"
    histogram, silent = firing_histogram(run.firing_rates())
    assert sent["density"] == {
        "edges": [payloads.number(e) for e in (histogram.edges[0], histogram.edges[-1])],  # bins of equal width
        "counts": list(histogram.counts),
        "silent": silent,
    }
    assert sum(histogram.counts) + silent == 16
    assert len(monitor.to_dataframe()) == 30 and monitor.to_dataframe()["fvu"].iloc[-1] == last.fvu


def test_before_the_first_step_it_says_what_will_be_trained_and_when_a_feature_is_dead(tmp_path):
    run = sw.train(sae_of(), Stream(), replace(config(), dead_window=640))
    monitor = TrainingMonitor(run)
    (sent,) = monitor._runs
    assert (sent["facts"], sent["points"], sent["l0"], sent["front"]) == ("topk, 16 features, k = 2", [], None, False)
    assert sent["dead_window"] == 640
    finished(monitor).record().save(tmp_path / "training.safetensors")
    again = TrainingMonitor(TrainingRecord.load(tmp_path / "training.safetensors"))
    assert again._runs[0]["dead_window"] == 640
    assert TrainingMonitor(sample_records.training(3))._runs[0]["dead_window"] == 0  # nobody says it


def test_speed_and_time_left_by_hand(monkeypatch):
    clock = itertools.count(100.0, 0.5)  # half a second between two looks
    steps = [replace(step, tokens=1000 * step.step) for step in sample_records.training(40)]
    monitor = TrainingMonitor(steps, total=40)
    monitor._times.clear()
    for step in steps[:10]:
        monitor._tracks["run"].steps.append(step)
        monitor._times.append((next(clock), step.step, step.tokens))
    assert monitor._measured_speed() == [2000, 15]  # 9,000 tokens in 4.5 s; 30 steps at 2 a second


def test_messages_stay_below_twenty_a_second():
    """A run as fast as it can be: states are sent no more often than every INTERVAL, whatever the number of steps."""
    sent = []
    monitor = TrainingMonitor(iter(sample_records.training(20_000)), total=20_000)
    monitor.observe(lambda change: sent.append(time.monotonic()), names=["_runs"])
    began = time.monotonic()
    finished(monitor)
    lasted = time.monotonic() - began
    assert len(monitor.steps) == 20_000
    assert len(sent) <= lasted / module.INTERVAL + 3
    assert module.INTERVAL >= 0.05


def test_stop_keeps_the_sae_of_the_last_whole_step():
    run = run_of(steps=100_000)
    monitor = TrainingMonitor(run)
    monitor.start()
    while len(monitor.steps) < 5:
        time.sleep(0.001)
    monitor.stop()
    assert monitor.wait(PATIENCE) and monitor.status == "stopped"
    n = run.step
    assert len(monitor.steps) == n
    again = run_of(steps=100_000)
    for _ in range(n):
        next(again)
    assert torch.equal(run.sae.W_dec, again.sae.W_dec)  # exactly the weights after n steps
    assert run.sae(torch.ones(2, D)).isfinite().all()  # and of use at once


def test_an_interrupted_cell_pauses_after_the_step_under_way(monkeypatch):
    run = run_of(steps=100_000)
    monitor = TrainingMonitor(run)
    monitor.start()
    real, asked = monitor._live.wait, []

    def wait(timeout=None):
        asked.append(timeout)
        if len(asked) == 1:
            while len(monitor.steps) < 3:
                time.sleep(0.001)
            raise KeyboardInterrupt
        return real(timeout)

    monkeypatch.setattr(monitor._live, "wait", wait)
    with pytest.raises(KeyboardInterrupt):
        monitor.wait()
    assert asked == [None, 2.0] and monitor.status == "paused" and not monitor._live.busy
    n = run.step
    again = run_of(steps=100_000)
    for _ in range(n):
        next(again)
    assert torch.equal(run.sae.W_enc, again.sae.W_enc)
    monkeypatch.undo()
    monitor.start()
    while len(monitor.steps) < n + 2:
        time.sleep(0.001)
    monitor.stop()
    assert monitor.wait(PATIENCE)


def test_an_interrupted_cell_is_told_where_the_run_is_also_after_steps_beside_the_monitor():
    run = run_of(steps=100_000)
    monitor = TrainingMonitor(run)
    for _ in range(4):
        next(run)  # a loop in another cell
    stop = KeyboardInterrupt()
    monitor._tell(stop)
    assert stop.args[0].startswith("Paused at step 4 of 100,000. ")


def test_the_kernel_is_free_meanwhile_and_one_worker_serves():
    monitor = TrainingMonitor(run_of(steps=400))
    monitor.start()
    before = threading.active_count()
    for _ in range(50):  # a flood of clicks
        monitor._handle_custom_msg({"kind": "pause"}, [])
        monitor._handle_custom_msg({"kind": "start"}, [])
    assert threading.active_count() <= before + 1
    assert monitor.wait(PATIENCE) and monitor.status == "finished"
    assert [step.step for step in monitor.steps] == list(range(1, 401))  # no step lost or done twice


def test_the_model_can_be_used_while_its_activations_train_an_sae(tiny_model):
    """A worker that harvests and a cell that runs the model do not mix: one forward pass at a time, no hook left."""
    texts = ["The bridge is red", "The bay is cold and the fog", "fog over the bay", "red"]
    store = sw.ActivationStore(
        tiny_model, sw.site(tiny_model, "blocks.1.hook_resid_post"), texts, batch_size=8, buffer_tokens=8
    )
    sae = sw.SAE(sw.SAEConfig(32, 16, architecture="topk", k=2, site=store.site))
    clean = [tiny_model.logits(tiny_model.tokens(text)) for text in texts]
    monitor = TrainingMonitor(sw.train(sae, store, sw.TrainConfig(steps=10**6)))
    monitor.start()
    while len(monitor.steps) < 3:
        time.sleep(0.001)
    for i in range(200):
        assert torch.equal(tiny_model.logits(tiny_model.tokens(texts[i % 4])), clean[i % 4])
    monitor.stop()
    assert monitor.wait(PATIENCE) and monitor.status == "stopped"
    n = len(monitor.steps)
    again = sw.SAE(sw.SAEConfig(32, 16, architecture="topk", k=2, site=store.site))
    for _, _ in zip(range(n), sw.train(again, store, sw.TrainConfig(steps=10**6)), strict=False):
        pass
    assert torch.equal(sae.W_dec, again.W_dec)  # nor did the cell disturb the training


def test_a_resumed_run_shows_what_it_goes_on_from(tmp_path):
    run = run_of()
    for _ in range(12):
        next(run)
    monitor = TrainingMonitor(run)
    assert [point[0] for point in monitor._runs[0]["points"]] == list(range(1, 13))
    assert [step.step for step in finished(monitor).steps] == list(range(1, 31))


@pytest.mark.parametrize(
    "message", [None, 3, [], {}, {"kind": 3}, {"kind": "explode"}, {"kind": "start", "x": float("nan")}, "start"]
)
def test_odd_messages_change_nothing_but_the_banner(message):
    monitor = TrainingMonitor(iter(sample_records.training(3)))
    monitor._handle_custom_msg(message, [])
    if isinstance(message, dict) and message.get("kind") == "start":
        assert monitor.wait(PATIENCE)
    else:
        assert monitor.status == "ready" and "unknown kind" in monitor.error


@pytest.mark.parametrize("value", ["nobody", None, 3, float("nan"), ["run"]])
def test_a_run_that_is_not_there_cannot_be_selected(value):
    monitor = TrainingMonitor(sample_records.training(3))
    monitor.set_state({"selected": value})
    assert monitor.selected == "run" and monitor.error


def test_a_monitor_that_nobody_holds_ends_its_own_work():
    run = run_of(steps=10**9)
    monitor = TrainingMonitor(run)
    monitor.start()
    while run.step < 3:
        time.sleep(0.001)
    gone = weakref.ref(monitor)
    monitor.close()
    del monitor
    for _ in range(600):
        gc.collect()
        if gone() is None:
            break
        time.sleep(0.01)
    assert gone() is None
    at = run.step
    time.sleep(0.02)
    assert run.step == at


# -- when something breaks -------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_is_said_and_the_good_weights_are_kept():
    run = sw.train(sae_of(), batches(bad_at=7), config())
    monitor = TrainingMonitor(run)
    monitor.start()
    with pytest.raises(FloatingPointError):
        monitor.wait(PATIENCE)
    assert monitor.status == "error" and run.step == 7
    assert "the weights are still those of step 7" in monitor.error
    assert all(weight.isfinite().all() for weight in run.sae.weights.values())


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            MemoryError("no memory for one row of the batch"),
            "Out of memory: no memory for one row of the batch. Make the store's",
        ),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."), "Out of memory: CUDA out of memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full. Free some space, then press the button"),
        (RuntimeError("<b>the hook is gone</b>"), "RuntimeError: <b>the hook is gone</b>"),
    ],
)
def test_an_error_says_what_to_do_and_the_run_can_go_on(error, words):
    run = run_of(steps=10, stream=Stream(error, at=4))
    monitor = TrainingMonitor(run)
    monitor.start()
    with pytest.raises(type(error)):
        monitor.wait(PATIENCE)
    assert monitor.status == "error" and monitor._again and words in monitor.error
    assert run.step == 4
    if not isinstance(error, RuntimeError) or isinstance(error, torch.OutOfMemoryError):
        assert "keeps the weights of step 4" in monitor.error
    finished(monitor)  # the same button again: the interrupted step is done anew
    assert not monitor.error
    whole = run_of(steps=10)
    list(whole)
    assert torch.equal(whole.sae.W_dec, run.sae.W_dec)


def test_a_generator_that_broke_is_over():
    def broken():
        yield from sample_records.training(3)
        raise RuntimeError("gone")

    monitor = TrainingMonitor(broken())
    monitor.start()
    with pytest.raises(RuntimeError):
        monitor.wait(PATIENCE)
    assert not monitor._again
    monitor.start()
    assert monitor.status == "error"


def test_checkpoints_are_written_on_the_way_and_at_the_end(tmp_path):
    path = tmp_path / "run.safetensors"
    run = run_of(steps=25)
    seen = []
    real = run.save
    run.save = lambda target: (seen.append(run.step), real(target))
    finished(TrainingMonitor(run, checkpoint=path, every=10))
    assert seen == [10, 20, 25]
    assert sw.train(sae_of(), Stream(), config(25), resume=path).step == 25


def test_a_full_disk_ends_no_training(tmp_path):
    run = run_of(steps=25)
    tries = []

    def save(path):
        tries.append(run.step)
        if run.step != 10:
            raise OSError(errno.ENOSPC, "No space left on device")

    run.save = save
    monitor = finished(TrainingMonitor(run, checkpoint=tmp_path / "x", every=10))
    assert tries == [10, 20, 25] and run.step == 25
    assert "No checkpoint at step 25: the disk is full. That of step 10 stands" in monitor.error


def test_a_checkpoint_needs_a_run_that_can_save_itself():
    with pytest.raises(ValueError, match="save itself; list cannot"):
        TrainingMonitor(sample_records.training(3), checkpoint="x")
    with pytest.raises(ValueError, match="every must be 1 step or more, not 0"):
        TrainingMonitor(run_of(), checkpoint="x", every=0)


# -- several runs ----------------------------------------------------------------------------------------------------


def sweep_of(steps=30, **kwargs):
    return sw.train_sweep(sw.training.sweep_grid(D, (8, 16), (1, 2), config(steps)), Stream(), **kwargs)


def test_a_sweep_shows_its_frontier():
    sweep = sweep_of()
    monitor = finished(TrainingMonitor(sweep))
    assert [run["name"] for run in monitor._runs] == list(sweep.runs) == list(monitor.names)
    assert monitor.selected == monitor.names[0] and monitor.total == 30
    for sent, run in zip(monitor._runs, sweep.runs.values(), strict=True):
        last = run.history[-3:]  # a tenth of 30 steps
        assert sent["fvu"] == pytest.approx(np.mean([s.fvu for s in last]), rel=1e-5)
        assert sent["l0"] == pytest.approx(np.mean([s.l0 for s in last]), rel=1e-5)
        assert len(sent["points"]) == 30 and sent["density"] is not None
    on_front = [run["front"] for run in monitor._runs]
    assert on_front == pareto([r["l0"] for r in monitor._runs], [r["fvu"] for r in monitor._runs]) and any(on_front)
    monitor.selected = "topk 16, k = 2"
    assert monitor.steps == sweep.runs["topk 16, k = 2"].history
    table = monitor.to_dataframe()
    assert list(table.columns)[:2] == ["run", "step"] and len(table) == 120
    assert len(monitor.figure.data) == 16 and len(monitor.frontier.data) == 5


def test_a_run_that_fails_in_a_sweep_is_marked_and_the_others_finish():
    grid = sw.training.sweep_grid(D, (8,), (1, 2), config())
    grid["broken"] = (sae_of(), config())
    with torch.no_grad():
        grid["broken"][0].W_enc.fill_(float("inf"))
    with pytest.warns(UserWarning, match="'broken' stopped, the others go on"):
        monitor = finished(TrainingMonitor(sw.train_sweep(grid, Stream())))
    broken = monitor._runs[-1]
    assert "step 1" in broken["failed"] and broken["points"] == [] and not broken["front"] and broken["l0"] is None
    assert [len(run["points"]) for run in monitor._runs[:2]] == [30, 30]


def test_a_whole_sweep_is_checkpointed(tmp_path):
    finished(TrainingMonitor(sweep_of(), checkpoint=tmp_path / "sweep", every=20))
    assert sweep_of(resume=tmp_path / "sweep").step == 30


def test_two_runs_and_a_recorded_one_stand_side_by_side():
    alone = list(run_of())
    yesterday = list(run_of(d_sae=8))
    monitor = TrainingMonitor({"now": run_of(), "shorter": run_of(steps=10), "yesterday": yesterday})
    assert monitor.status == "ready" and len(monitor._runs[2]["points"]) == 30
    finished(monitor)
    assert monitor.steps == alone and monitor.record().runs["yesterday"].steps == tuple(yesterday)
    assert [len(run["points"]) for run in monitor._runs] == [30, 10, 30]


def test_of_two_runs_one_may_fail():
    monitor = TrainingMonitor({"good": run_of(), "bad": sw.train(sae_of(), batches(bad_at=4), config())})
    finished(monitor)
    assert [len(run["points"]) for run in monitor._runs] == [30, 4]
    assert "step 5: the " in monitor._runs[1]["failed"] and not monitor._runs[0]["failed"]


def test_no_run_at_all_is_refused():
    with pytest.raises(ValueError, match="no run to show"):
        TrainingMonitor({})


# -- records ---------------------------------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_was(tmp_path):
    nan = replace(sample_records.training(1)[0], fvu=math.nan, parts={"l2": 1.5, "aux": 0.25})
    record = TrainingRecord(
        {
            **sample_records.training_record().runs,
            "<i>λ</i>": RunRecord((nan,), None, 3, "why", "facts"),
            "none": RunRecord(()),
        }
    )
    record.save(tmp_path / "record.safetensors")
    again = TrainingRecord.load(tmp_path / "record.safetensors")
    assert list(again.runs) == list(record.runs)
    for name, run in record.runs.items():
        own = again.runs[name]
        assert (own.total, own.failed, own.facts) == (run.total, run.failed, run.facts)
        assert str(own.steps) == str(run.steps)  # nan is not equal to itself
        assert (run.rates is None and own.rates is None) or np.array_equal(own.rates, run.rates)
    pd.testing.assert_frame_equal(again.frontier(), record.frontier())


def test_a_damaged_record_is_refused(tmp_path):
    path = tmp_path / "record.safetensors"
    sample_records.training_record().save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(150):
        data = bytearray(whole)
        if rng.random() < 0.3:
            del data[int(rng.integers(len(data))) :]
        else:
            data[int(rng.integers(1500))] ^= int(rng.integers(1, 256))
        path.write_bytes(data)
        try:
            TrainingRecord.load(path).frontier()
        except LoadError:
            pass


def test_a_recorded_training_is_shown_finished_with_its_selection():
    record = sample_records.training_record()
    monitor = TrainingMonitor(record)
    assert monitor.status == "finished" and monitor.total == 120
    assert [run["front"] for run in monitor._runs] == [True, False, True, True, False]
    assert monitor._runs[4]["failed"] == "step 41: the loss is nan; lower lr"
    monitor.start()
    assert monitor.status == "finished"
    assert str(monitor.record().runs["2048, k = 12"].steps) == str(record.runs["2048, k = 12"].steps)
    page = monitor.to_html()
    assert "2048, k = 12" in page and page == TrainingMonitor(record).to_html()
    assert repr(monitor) == "TrainingMonitor(status='finished', steps=120, runs=5)"
    with pytest.raises(traitlets.TraitError, match="there is no run 'x'"):
        monitor.selected = "x"


def test_the_frontier_by_hand():
    """(8, .13) is beaten by none; (12, .14) by (8, .13); (12, .09) and (24, .05) by none."""
    assert pareto([8, 12, 12, 24], [0.13, 0.14, 0.09, 0.05]) == [True, False, True, True]
    assert pareto([1, 1], [2, 2]) == [True, True]
    assert pareto([1, math.nan, 2], [3, 1, math.nan]) == [True, False, False]
    steps = [replace(s, l0=float(s.step), fvu=1 / s.step) for s in sample_records.training(30)]
    assert settled(steps) == pytest.approx((29, (1 / 28 + 1 / 29 + 1 / 30) / 3))
    assert all(math.isnan(v) for v in settled([]))


def test_rates_fall_into_their_decades():
    rates = np.array([0, 0, 1e-9, 1e-6, 1.1e-3, 1.2e-3, 0.5, 1.0])
    histogram, silent = firing_histogram(rates)
    by_edge = dict(zip(histogram.edges, histogram.counts, strict=False))
    assert silent == 2 and sum(histogram.counts) == 6
    assert by_edge[-6.0] == 2 and by_edge[-3.0] == 2 and by_edge[-0.5] == 1 and by_edge[-0.25] == 1
    figure = views.firing_rates(rates)
    assert sum(figure.data[0].y) == 6 and "2 of 8 never did" in figure.layout.title.text


def test_the_frontier_figure_draws_every_run_once_and_the_front_in_order():
    figure = views.sweep_frontier(sample_records.training_record())
    front, *points = figure.data
    assert list(front.x) == [8, 12, 24] and len(points) == 5
    assert [point.marker.symbol for point in points] == ["circle", "circle-open", "circle", "circle", "x"]


def test_names_of_runs_are_text(tmp_path):
    hostile = "<img src=x onerror=alert(1)>\ud83d"
    monitor = TrainingMonitor({hostile: sample_records.training(3), "b": sample_records.training(3)})
    page = monitor.to_html(tmp_path / "page.html")
    assert "<img src=x" not in page
    assert "&lt;img" in views.training_curves({hostile[:-1]: sample_records.training(3)}).data[0].name
