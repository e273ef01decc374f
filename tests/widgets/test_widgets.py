"""The instruments through their traits: what they answer, what they refuse, and that nothing is left behind."""

from __future__ import annotations

import gc
import math
import threading
import time
import weakref
from dataclasses import replace
from itertools import pairwise

import ipywidgets
import numpy as np
import pytest
import sample_records
import traitlets

from saewidgets import widgets
from saewidgets.records import Clamp, DashboardData, Token
from saewidgets.widgets import (
    ClampPanel,
    DoseResponse,
    FeatureDashboard,
    FeaturePlane,
    Selection,
    TrainingMonitor,
    _base,
    _live,
)
from saewidgets.widgets.clamp.settings import Settings

PATIENCE = 20.0  # seconds after which a test gives up; nothing here takes a tenth of it


@pytest.fixture
def data() -> DashboardData:
    return sample_records.dashboard()


@pytest.fixture(autouse=True)
def closed():
    """Close what a test opened, so that the next one counts from zero."""
    yield
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


def live_threads() -> int:
    return sum(t.name == "saewidgets-live" for t in threading.enumerate())


def from_front_end(widget, **state) -> None:
    """What ipywidgets calls when a browser changes traits."""
    widget.set_state(state)


# -- FeatureDashboard ------------------------------------------------------------------------------------------------


def test_dashboard_shows_a_feature_and_follows_the_trait(data):
    board = FeatureDashboard(data, feature=42)
    assert board.shown is data[42]
    assert board._shown["label"] == "owl"
    assert board._shown["top"][0]["a"][board._shown["top"][0]["p"]] == pytest.approx(data[42].top[0].maximum, rel=1e-3)
    board.feature = 57
    assert board._shown["label"] == "Spanish"
    assert repr(board) == "FeatureDashboard(feature=57, label='Spanish', features=5)"


def test_dashboard_begins_with_a_labelled_feature(data):
    unlabelled_first = DashboardData(data.passport, {88: data[88], 104: data[104]})
    assert FeatureDashboard(unlabelled_first).feature == 104


def test_dashboard_refuses_what_is_not_there(data):
    with pytest.raises(ValueError, match=r"feature 43 is not in this dashboard; nearest: 42, 31"):
        FeatureDashboard(data, feature=43)
    with pytest.raises(ValueError, match="empty"):
        FeatureDashboard(DashboardData(data.passport, {}))
    board = FeatureDashboard(data, feature=31)
    with pytest.raises(traitlets.TraitError, match="feature 43 is not in"):
        board.feature = 43
    assert board.feature == 31


@pytest.mark.parametrize("bad", [43, -1, "31", None, 3.5, math.nan, math.inf, [31], 10**400])
def test_a_bad_value_from_the_browser_is_refused_and_said(data, bad):
    board = FeatureDashboard(data, feature=31)
    from_front_end(board, feature=bad)
    assert board.feature == 31
    assert board.error
    with pytest.raises((ValueError, traitlets.TraitError)):
        board.check()
    from_front_end(board, feature=42)  # and it goes on
    assert (board.feature, board.error) == (42, "")
    board.check()


def test_selection_is_shared_and_keeps_nobody_alive(data):
    selection = Selection()
    one = FeatureDashboard(data, feature=31, selection=selection)
    two = FeatureDashboard(data, selection=selection)
    assert (selection.feature, two.feature) == (31, 31)
    two.feature = 57
    assert (one.feature, selection.feature) == (57, 57)
    selection.feature = 7  # elsewhere there may be other features: said, and nothing moves
    assert one.feature == 57 and "feature 7 is not in this dashboard" in one.error
    gone = weakref.ref(one)
    one.close()
    del one
    gc.collect()
    assert gone() is None
    selection.feature = 42
    assert two.feature == 42


def test_dashboard_as_data_figure_code_and_bundle(data):
    board = FeatureDashboard(data, feature=31)
    assert list(board.to_dataframe()["feature"]) == [31, 42, 57, 88, 104]
    assert board.figure.data[0].type == "bar"
    assert "sw.FeatureDashboard(sw.dashboard_data(model, sae, acts), feature=31)" in board.to_code()
    bundle, _ = board._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "Golden Gate Bridge" in bundle["text/html"] and "<script" not in bundle["text/html"]
    assert bundle["text/plain"] == repr(board)


def test_selection_carries_the_token_and_the_interval(data):
    selection = Selection()
    one = FeatureDashboard(data, feature=31, selection=selection)
    two = FeatureDashboard(data, selection=selection)
    one.token = [12, 3]
    assert selection.token == two.token == [12, 3]
    strong = data[31].intervals[7].maximum
    low, high = next((a, b) for a, b in pairwise(data[31].histogram.edges) if a <= strong < b)
    selection.interval = [31, low, high]
    inside = [e for e in data[31].intervals + data[31].top if low <= e.maximum < high]
    assert {e.maximum for e in one.bin} == {e.maximum for e in two.bin} == {e.maximum for e in inside} != set()
    assert len(one._bin["items"]) == len(one.bin)
    two.interval = None
    assert one._bin is None and one.bin == () and selection.interval is None
    assert FeatureDashboard(data, feature=31)._bin is None  # before any choice, too
    selection.interval = [7, 0.0, 1.0]  # of a feature that is not here: nothing to show, and no error
    assert one._bin is None and not one.error
    late = FeatureDashboard(data, selection=selection)
    assert late.token == [12, 3] and late.interval == [7, 0.0, 1.0]


def test_an_empty_bar_gives_the_examples_of_its_level(data):
    board = FeatureDashboard(data, feature=31)
    f = data[31]
    edges = f.histogram.edges
    empty = next(
        (a, b)
        for a, b in pairwise(edges)
        if not any(a <= e.maximum < b for e in f.top + f.intervals) and a > f.maximum / 2
    )
    board.interval = [31, *empty]
    level = int(10 * sum(empty) / 2 / f.maximum)
    assert board._bin["around"] == pytest.approx([f.maximum * level / 10, f.maximum * (level + 1) / 10], rel=1e-5)
    assert {(i["c"], i["s"]) for i in board._bin["items"]} == {
        (e.context, e.position) for e in f.intervals if e.interval == level
    }


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("token", [1]),
        ("token", [1, -2]),
        ("token", "ab"),
        ("token", [1.5, 2]),
        ("interval", [31, 1.0]),
        ("interval", [31, 2.0, 1.0]),
        ("interval", [31, math.nan, 1.0]),
        ("interval", [31, 0.0, math.inf]),
        ("interval", 3),
    ],
)
def test_a_bad_token_or_interval_from_the_browser_is_refused_and_said(data, name, bad):
    board = FeatureDashboard(data, feature=31)
    from_front_end(board, **{name: bad})
    assert getattr(board, name) is None
    assert board.error


def test_lone_surrogates_do_not_reach_the_comm(data):
    broken = FeatureDashboard(sample_records.with_token(data, "a\ud83d"), feature=31)
    shown = broken.get_state("_shown")["_shown"]
    assert shown["pool"][shown["top"][0]["t"][0]][1] == "a⟨U+D83D⟩"
    str(broken.get_state()).encode("utf-8")  # what the kernel does before it sends


# -- ClampPanel ------------------------------------------------------------------------------------------------------


def panel_of(data, writer, **options) -> ClampPanel:
    return ClampPanel(writer, data, **{"multiples": {31: 4.0}, **options})


def test_panel_writes_both_texts(data):
    panel = panel_of(data, sample_records.Writer())
    assert (panel.status, panel.default.text) == ("idle", "")
    panel.write()
    assert panel.wait(PATIENCE)
    assert panel.status == "idle"
    assert panel.default.text.startswith(" I am an AI .")
    assert panel.clamped.text.startswith(" I am the Golden Gate Bridge .")
    assert panel.clamps == (Clamp(31, 4.0 * 12.5),)
    frame = panel.to_dataframe()
    assert set(frame["pane"]) == {"default", "clamped"} and frame["kl"].max() > 1
    assert [row[1] for row in panel._texts["clamped"]] == [t.text for t in panel.clamped.tokens]


def test_off_is_not_zero(data):
    panel = panel_of(data, sample_records.Writer(), multiples={31: 0.0, 42: None})
    assert panel.clamps == (Clamp(31, 0.0),)
    panel.multiples = {31: None, 42: None}
    assert panel.clamps == ()
    panel.write()
    panel.wait(PATIENCE)
    assert panel.clamped == panel.default


def test_default_text_is_written_once_for_each_setting(data):
    writer = sample_records.Writer()
    panel = panel_of(data, writer)
    panel.write()
    panel.wait(PATIENCE)
    for multiple in (1.0, 2.0, -3.0):
        panel.multiples = {31: multiple}
        panel.wait(PATIENCE)
    assert [clamps for _, clamps in writer.calls].count(()) == 1
    panel.seed = 7
    panel.wait(PATIENCE)
    assert [clamps for _, clamps in writer.calls].count(()) == 2
    panel.seed = 0  # remembered
    panel.wait(PATIENCE)
    assert [clamps for _, clamps in writer.calls].count(()) == 2


def test_a_thousand_slider_events_end_in_the_right_text_with_one_worker(data):
    panel = panel_of(data, sample_records.Writer(delay=0.001))
    sent = []
    panel.observe(lambda change: sent.append(time.monotonic()), names=["_texts"])
    panel.write()
    began = time.monotonic()
    most = 0
    for i in range(1000):
        from_front_end(panel, multiples={"31": (i % 80 - 40) / 4, "42": 1.0})
        most = max(most, live_threads())
        if i % 20 == 0:
            time.sleep(0.01)
    from_front_end(panel, multiples={"31": 2.25})
    assert panel.wait(PATIENCE)
    assert most == 1
    assert panel.clamped.tokens[-2].text == f" {2.25 * 12.5:g}"
    assert panel._texts["clamped"][-2][1] == f" {2.25 * 12.5:g}"
    assert panel.status == "idle"
    assert len(sent) <= 20 * (time.monotonic() - began) + 2  # updates a second, whatever the flood
    assert panel.error == ""


def test_what_was_started_is_shown_before_it_is_replaced(data):
    panel = panel_of(data, sample_records.Writer(delay=0.005))
    shown = []
    panel.observe(lambda change: shown.append(len(change["new"]["clamped"])), names=["_texts"])
    panel.write()
    end = time.monotonic() + 0.5
    i = 0
    while time.monotonic() < end:  # a drag that never rests
        i += 1
        panel.multiples = {31: i / 100}
        time.sleep(0.005)
    panel.stop()
    panel.wait(PATIENCE)
    assert len(shown) >= 3 and all(n >= 1 for n in shown)


def test_stop_keeps_what_was_written(data):
    panel = panel_of(data, sample_records.Writer(delay=0.01))
    panel.write()
    while len(panel.clamped.tokens) < 4:
        time.sleep(0.002)
    panel._message("stop")
    assert panel.status == "stopped"
    panel.wait(PATIENCE)
    n = len(panel.clamped.tokens)
    assert 4 <= n <= 8 and len(panel._texts["clamped"]) == n
    panel._message("write")
    panel.wait(PATIENCE)
    assert panel.status == "idle" and len(panel.clamped.tokens) > n


def test_an_exception_is_shown_and_the_next_text_works(data):
    writer = sample_records.Writer(fail=RuntimeError("the model is on fire"))
    panel = panel_of(data, writer)
    panel.write()
    with pytest.raises(RuntimeError, match="on fire"):
        panel.wait(PATIENCE)
    assert panel.status == "error"
    assert panel.error == "RuntimeError: the model is on fire"
    writer.fail = None
    panel.multiples = {31: 1.0}
    assert panel.wait(PATIENCE)
    assert (panel.status, panel.error) == ("idle", "")
    assert panel.default.text.startswith(" I am an AI")


@pytest.mark.parametrize(
    "state",
    [
        {"multiples": {"31": math.nan}},
        {"multiples": {"31": math.inf}},
        {"multiples": {"31": "4"}},
        {"multiples": {"31": [4]}},
        {"multiples": {"31": True}},
        {"multiples": {"31": 1e308}},
        {"multiples": {"43": 1.0}},
        {"multiples": {"x": 1.0}},
        {"multiples": None},
        {"features": [43]},
        {"features": ["31"]},
        {"scope": "nowhere"},
        {"scope": -1},
        {"temperature": math.nan},
        {"temperature": -1},
        {"seed": -1},
        {"seed": 1.5},
        {"n_tokens": 0},
        {"n_tokens": 10**9},
        {"prompt": 3},
        {"prompt": None},
    ],
)
def test_bad_settings_from_the_browser_are_refused_and_said(data, state):
    panel = panel_of(data, sample_records.Writer())
    before = {name: getattr(panel, name) for name in state}
    from_front_end(panel, **state)
    assert {name: getattr(panel, name) for name in state} == before
    assert panel.error
    panel.write()
    assert panel.wait(PATIENCE)


@pytest.mark.parametrize("content", [None, 3, [], {}, {"kind": None}, {"kind": "explode"}, {"kind": ["stop"]}])
def test_malformed_messages_are_shown(data, content):
    panel = panel_of(data, sample_records.Writer())
    panel._handle_custom_msg(content, [])
    assert "unknown kind" in panel.error


def test_the_front_end_begins_and_the_default_code_says_the_same(data):
    panel = panel_of(data, sample_records.Writer(), windows={31: (2.0, 5.0)}, scope="generated", seed=3)
    panel._handle_custom_msg({"kind": "ready"}, [])
    panel.wait(PATIENCE)
    panel._handle_custom_msg({"kind": "ready"}, [])  # a second view of the same panel starts nothing
    assert len(panel.source.calls) == 2
    assert panel._rows[0]["window"] == [2, 5]
    assert "sw.Clamp(feature=31, value=50.0, scope='generated')" in panel.to_code()
    assert panel._texts["code"] == panel.to_code()


def test_the_selected_feature_gets_a_row(data):
    selection = Selection()
    panel = ClampPanel(sample_records.Writer(), data, features=[31], selection=selection)
    selection.feature = 42
    assert panel.features == [31, 42]
    selection.feature = 57  # the row of a visitor that stayed off goes again
    assert panel.features == [31, 57]
    panel.multiples = {57: 2.0}
    selection.feature = 104
    assert panel.features == [31, 57, 104]
    panel.feature = 31
    assert selection.feature == 31


def test_many_stops_are_prompt_and_close_the_source(data):
    writer = sample_records.Writer(delay=0.002)
    panel = panel_of(data, writer)
    for i in range(30):
        panel.multiples = {31: 1 + i / 8}
        panel.write()
        time.sleep(0.002 * (i % 5))
        panel.stop()
    assert panel.wait(PATIENCE)
    panel.close()
    del panel
    gc.collect()
    assert writer.closed == sum(1 for _ in writer.calls) or writer.closed >= 1


# -- nothing is left behind ------------------------------------------------------------------------------------------


def test_a_cell_that_runs_again_closes_what_it_made(data, monkeypatch):
    selection = Selection()
    run = 0
    monkeypatch.setattr(_base._cells, "now", lambda: ("cell-1", str(run)))
    counts = []
    writer = sample_records.Writer(delay=0.001)
    sweep = sample_records.dose_response(1)
    sweep = replace(sweep, texts=sweep.texts[:3])
    for run in range(100):  # noqa: B007 - read by the lambda
        FeatureDashboard(data, selection=selection)
        panel = panel_of(data, writer, selection=selection)
        panel.write()
        TrainingMonitor(iter(sample_records.training(50))).start()
        DoseResponse(sweep)
        counts.append(len(ipywidgets.widgets.widget._instances))
        assert live_threads() <= 6
    assert counts[0] == 4 + 4  # each brings a Layout
    assert set(counts) == {8}
    panel.close()
    ipywidgets.Widget.close_all()
    end = time.monotonic() + _live.LINGER + PATIENCE
    while live_threads() and time.monotonic() < end:
        time.sleep(0.01)
    assert live_threads() == 0


def test_other_cells_are_left_alone(data, monkeypatch):
    cell = "a"
    monkeypatch.setattr(_base._cells, "now", lambda: (cell, f"run of {cell}"))
    one = FeatureDashboard(data)
    two = FeatureDashboard(data)  # the same run: a cell may make several
    cell = "b"
    three = FeatureDashboard(data)
    assert all(w.comm is not None for w in (one, two, three))


def test_a_worker_does_not_keep_its_owner_alive():
    class Owner:
        steps = 0

        def _failed(self, error):
            raise AssertionError(error)

        def _dropped(self, ticket):
            pass

        def step(self, ticket):
            Owner.steps += 1
            time.sleep(0.001)
            return 0.0  # never done by itself

    owner = Owner()
    live = _live.Live(owner)
    live.submit(Owner.step)
    while Owner.steps < 3:
        time.sleep(0.001)
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert live.wait(PATIENCE)
    assert gone() is None


def test_without_threads_the_event_loop_takes_over(data, monkeypatch):
    import asyncio

    def no_threads(self):
        raise RuntimeError("can't start new thread")

    async def scene():
        monkeypatch.setattr(threading.Thread, "start", no_threads)
        panel = panel_of(data, sample_records.Writer())
        panel.write()
        for _ in range(2000):
            await asyncio.sleep(0.001)
            if not panel._live.busy:
                break
        return panel

    made = []
    elsewhere = threading.Thread(
        target=lambda: made.append(asyncio.run(scene()))
    )  # a loop may run in this thread already
    elsewhere.start()
    elsewhere.join(PATIENCE)
    (panel,) = made
    assert panel.status == "idle" and "Golden Gate" in panel.clamped.text


# -- TrainingMonitor (more in test_training_monitor.py) --------------------------------------------------------------


def points(monitor):
    (run,) = monitor._runs
    return run["points"]


def test_monitor_runs_pauses_resumes_and_finishes():
    steps = sample_records.training(60)
    gate = threading.Semaphore(0)
    ended = []

    def run():
        try:
            for step in steps:
                gate.acquire(timeout=PATIENCE)
                yield step
        finally:
            ended.append(True)

    monitor = TrainingMonitor(run(), total=60)
    assert (monitor.status, monitor.steps) == ("ready", [])  # nothing runs until it is asked to
    monitor._handle_custom_msg({"kind": "start"}, [])
    gate.release(5)
    while len(monitor.steps) < 5:
        time.sleep(0.001)
    monitor._handle_custom_msg({"kind": "pause"}, [])
    gate.release(1)  # the step that was under way
    assert monitor.wait(PATIENCE)
    assert monitor.status == "paused" and 5 <= len(monitor.steps) <= 6
    assert [p[0] for p in points(monitor)] == [s.step for s in monitor.steps]
    monitor.start()
    gate.release(60)
    assert monitor.wait(PATIENCE)
    assert monitor.status == "finished" and monitor.steps == steps and ended
    frame = monitor.to_dataframe()
    assert list(frame.columns) == ["step", "tokens", "loss", "fvu", "l0", "dead", "lr", "sparsity"] and len(frame) == 60
    assert len(monitor.figure.data) == 4


def test_monitor_stop_closes_the_run():
    ended = []

    def forever():
        try:
            while True:
                yield sample_records.training(1)[0]
        finally:
            ended.append(True)

    monitor = TrainingMonitor(forever())
    monitor.start()
    while not monitor.steps:
        time.sleep(0.001)
    monitor.stop()
    assert monitor.wait(PATIENCE)
    assert monitor.status == "stopped" and ended
    monitor.start()  # for good
    assert monitor.status == "stopped"


def test_monitor_shows_what_went_wrong():
    def run():
        yield from sample_records.training(3)
        raise FloatingPointError("the loss is not a number at step 4")

    monitor = TrainingMonitor(run())
    monitor.start()
    with pytest.raises(FloatingPointError):
        monitor.wait(PATIENCE)
    assert monitor.status == "error" and "step 4" in monitor.error and len(points(monitor)) == 3


def test_curves_stay_small_and_end_at_the_last_step():
    monitor = TrainingMonitor(sample_records.training(5000))
    assert monitor.total == 5000
    monitor.start()
    monitor.wait(PATIENCE)
    assert len(points(monitor)) <= 401 and points(monitor)[-1][0] == 5000


# -- FeaturePlane ----------------------------------------------------------------------------------------------------


def test_readouts_are_dot_products():
    plane = FeaturePlane([90, 0, 40], point=(0.6, -0.35))
    angles = np.radians([90, 0, 40])
    by_matrix = np.stack([np.cos(angles), np.sin(angles)], axis=1) @ np.array([0.6, -0.35])
    np.testing.assert_allclose(plane.readouts, by_matrix, atol=1e-12)
    plane.point = (0.0, 1.0)
    assert plane.readouts == pytest.approx((1.0, 0.0, math.sin(math.radians(40))), abs=1e-12)


def test_two_orthogonal_features_read_their_own(data):
    plane = FeaturePlane([90, 0], point=(0.0, 0.8))
    assert plane.readouts == pytest.approx((0.8, 0.0), abs=1e-12)


def test_interference_is_the_cosine_of_the_angle():
    plane = FeaturePlane([90, 0], labels=["green", "blue"])
    plane.angles = [90, 0, 135]
    table = plane.interference
    assert table.loc["green", "orange"] == pytest.approx(math.cos(math.radians(45)), abs=1e-12)
    assert table.loc["blue", "orange"] == pytest.approx(-math.sqrt(0.5), abs=1e-12)
    assert list(plane.to_dataframe()["label"]) == ["green", "blue", "orange"]


def test_plane_refuses_what_it_cannot_draw():
    for arguments in ({"angles": []}, {"angles": range(9)}, {"angles": [0, 1], "labels": ["one"]}):
        with pytest.raises(ValueError, match="direction"):
            FeaturePlane(**arguments)
    with pytest.raises(traitlets.TraitError, match="within"):
        FeaturePlane(point=(2.0, 0.0))
    for unit in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="unit"):
            FeaturePlane(unit=unit)
    plane = FeaturePlane()
    for bad in ([math.nan, 0.0], [9, 9], ["a", 0], None, [0.1]):
        from_front_end(plane, point=bad)
        assert plane.point == (0.45, 0.9) and plane.error
    from_front_end(plane, angles=[0, math.inf])
    assert plane.angles == [90.0, 0.0]
    from_front_end(plane, point=[0.25, 0.5])
    assert plane.readouts == pytest.approx((0.5, 0.25), abs=1e-12)


def test_eight_directions_and_what_a_relu_leaves():
    plane = FeaturePlane([45 * i for i in range(8)], point=(1.0, 0.0))
    by_hand = [math.cos(i * math.pi / 4) for i in range(8)]
    assert plane.readouts == pytest.approx(by_hand, abs=1e-12)
    frame = plane.to_dataframe()
    assert frame["relu"].to_numpy() == pytest.approx([max(0, c) for c in by_hand], abs=1e-12)
    assert len(set(frame["label"])) == 8
    np.testing.assert_allclose(plane.interference.to_numpy()[0], by_hand, atol=1e-12)


def test_a_larger_unit_moves_the_edge_and_not_the_readout():
    plane = FeaturePlane([0, 60], point=(20.0, 0.0), unit=20)
    assert plane.readouts == pytest.approx((20.0, 10.0), abs=1e-12)
    with pytest.raises(traitlets.TraitError, match="within -30 to 30"):
        plane.point = (31.0, 0.0)
    assert "unit=20.0" in plane.to_code()


def test_a_token_in_the_plane_of_two_features_reads_what_the_whole_space_reads():
    dice = np.random.default_rng(3)
    for _ in range(50):
        x = dice.normal(size=40) * 30
        directions = dice.normal(size=(2, 40)) * [[0.1], [7.0]]
        plane = FeaturePlane.of(x, directions, labels=["one", "two"])
        in_a_cell = [x @ d / np.linalg.norm(d) for d in directions]
        assert plane.readouts == pytest.approx(in_a_cell, abs=1e-6 * np.linalg.norm(x))
        cosine = directions[0] @ directions[1] / np.prod(np.linalg.norm(directions, axis=1))
        assert plane.interference.loc["one", "two"] == pytest.approx(cosine, abs=1e-12)
    basis = np.linalg.qr(directions.T)[0]  # by a second method: how much of the length lies in the plane
    assert f"{np.linalg.norm(basis.T @ x) / np.linalg.norm(x):.0%} of its length" in plane.note


def test_a_plane_needs_two_directions_that_span_it():
    x = np.ones(3)
    for directions, words in (
        ([[1, 0, 0], [-2, 0, 0]], "one line"),
        ([[1, 0, 0], [0, 0, 0]], "length 0"),
        ([[1, 0, 0], [0, math.nan, 0]], "not finite"),
        ([[1, 0, 0]], "shape|directions"),
        ([[1, 0], [0, 1]], "directions"),
    ):
        with pytest.raises(ValueError, match=words):
            FeaturePlane.of(x, directions)
    still = FeaturePlane.of(np.zeros(3), [[1, 0, 0], [0, 1, 0]])
    assert still.readouts == (0.0, 0.0)


# -- all of them -----------------------------------------------------------------------------------------------------


def instruments():
    return [getattr(widgets, name) for name in widgets.__all__ if name != "Selection"]


def test_names_do_not_collide_with_ipywidgets():
    """A method of ours that hides one of theirs breaks in a browser only."""
    import anywidget

    meant = {"__init__", "__module__", "__doc__", "__repr__", "_repr_mimebundle_", "open", "close"}
    meant |= {"get_state", "set_state", "notify_change", "_esm", "_css"}
    for kind in (_base.Instrument, Settings, *instruments()):
        ours = {name for name in vars(kind) if not name.startswith("__")} - meant
        assert not ours & set(dir(anywidget.AnyWidget)) - {
            "_trait_default_generators",
            "_traits",
            "_all_trait_default_generators",
            "_static_immutable_initial_values",
            "_descriptors",
            "_instance_inits",
        }


def test_incomplete_characters_and_missing_kl_travel(data):
    def half(prompt, clamps, *, n_tokens, seed, temperature):
        yield Token(5, "", -1.0, math.nan)
        yield Token(6, "é", -1.0, 0.5)

    panel = panel_of(data, half)
    panel.write()
    panel.wait(PATIENCE)
    assert panel._texts["clamped"] == [[5, "", -1, None], [6, "é", -1, 0.5]]
    assert panel.clamped.text == "é"


@pytest.mark.parametrize("name", ["dashboard", "panel", "dose", "monitor", "plane"])
def test_every_instrument_makes_a_page_and_a_bundle(data, name, tmp_path):
    widget = {
        "dashboard": lambda: FeatureDashboard(data),
        "panel": lambda: panel_of(data, sample_records.Writer()),
        "dose": lambda: DoseResponse(sample_records.dose_response()),
        "monitor": lambda: TrainingMonitor(sample_records.training(5)),
        "plane": lambda: FeaturePlane(),
    }[name]()
    page = widget.to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    assert widget.to_html() == page
    bundle, _ = widget._repr_mimebundle_()
    assert " at 0x" not in bundle["text/plain"] and bundle["text/html"]
    widget.close()
    widget.close()  # twice does no harm
