"""What the clamp panel measures, remembers, plays back and refuses to mix up."""

from __future__ import annotations

import json
import math
import sys
import time
import types

import ipywidgets
import pandas as pd
import pytest
import sample_records
import traitlets

from saewidgets.frontend import payloads
from saewidgets.records import Clamp, ClampRecording, Generation, Steer, Token
from saewidgets.widgets import ClampPanel, Selection, _base
from saewidgets.widgets.clamp.history import KEPT, Try, added
from saewidgets.widgets.clamp.texts import parting

PATIENCE = 20.0
MAXIMUM = 12.5  # of feature 31 in the sample records


@pytest.fixture
def data():
    return sample_records.dashboard()


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


class Measuring(sample_records.Writer):
    """A source that can measure: activation = the clamp's value, then half of it, then a quarter, at each later site."""

    broken: Exception | None = None

    def __init__(self, **options):
        super().__init__(**options)
        self.measured = []

    def measure(self, prompt, clamps, features, hook_names=None, *, tokens=()):
        self.measured.append((prompt, tuple(clamps), list(features), len(tokens)))
        if self.broken is not None:
            raise self.broken
        rows = []
        for clamp in clamps:
            for layer, share in ((2, 1.0), (3, 0.5), (4, 0.25)):
                for position in range(3):
                    own = 1.0 if position else 700.0  # the beginning-of-text token is not like the others
                    rows.append(
                        (
                            clamp.feature,
                            f"blocks.{layer}.hook_resid_post",
                            "activation" if layer == 2 else "projection",
                            position,
                            "x",
                            own,
                            own + share * (clamp.value - 1.0) if position else 700.0,
                        )
                    )
        return pd.DataFrame(
            rows, columns=["feature", "hook_name", "measure", "position", "token", "default", "clamped"]
        )


def panel_of(data, source, **options) -> ClampPanel:
    panel = ClampPanel(source, data, **{"multiples": {31: 4.0}, **options})
    panel.write()
    assert panel.wait(PATIENCE)
    return panel


# -- measured again --------------------------------------------------------------------------------------------------


def test_the_clamped_feature_is_measured_once_the_text_is_there(data):
    source = Measuring()
    panel = panel_of(data, source)
    assert source.measured == [(panel.prompt, (Clamp(31, 50.0),), [31], len(panel.clamped.tokens))]
    assert len(panel.measured) == 9
    # The first position stays out; the change at the clamp is 49, half of it is kept one layer up, a quarter two up.
    assert [(r["site"], r["default"], r["clamped"], r["kept"]) for r in panel._measured] == [
        ("", None, 50, 4),  # set to 50, four times the maximum
        ("blocks.2.hook_resid_post", 1, 50, 1),
        ("blocks.3.hook_resid_post", 1, 25.5, 0.5),
        ("blocks.4.hook_resid_post", 1, 13.25, 0.25),
    ]
    panel.multiples = {31: None}
    panel.wait(PATIENCE)
    assert len(source.measured) == 1 and panel.measured.empty and panel._measured == []


def test_several_features_are_measured_apart(data):
    panel = panel_of(data, Measuring(), multiples={31: 4.0, 42: 2.0})
    assert [(r["feature"], r["kept"]) for r in panel._measured] == [
        (31, 4), (31, 1), (31, 0.5), (31, 0.25), (42, 2), (42, 1), (42, 0.5), (42, 0.25),
    ]  # fmt: skip


def test_a_measurement_that_fails_leaves_the_texts(data):
    source = Measuring()
    source.broken = RuntimeError("no such hook")
    panel = ClampPanel(source, data, multiples={31: 4.0})
    panel.write()
    with pytest.raises(RuntimeError, match="no such hook"):
        panel.wait(PATIENCE)
    assert panel.status == "idle" and panel.clamped.text.startswith(" I am the Golden Gate")
    assert panel._measured == [] and "no such hook" in panel.error


def test_kept_is_unknown_where_the_clamp_changed_nothing():
    frame = pd.DataFrame(
        [(7, "blocks.0.hook_resid_post", "activation", 1, "x", 2.0, 2.0)],
        columns=["feature", "hook_name", "measure", "position", "token", "default", "clamped"],
    )
    later = frame.assign(hook_name="blocks.1.hook_resid_post", measure="projection")
    rows = payloads.measured(pd.concat([frame, later]), [Clamp(7, 2.0)], {7: 0.5})
    assert [(r["measure"], r["kept"]) for r in rows] == [("set", 0.5), ("activation", 1), ("projection", None)]
    assert payloads.measured(pd.DataFrame(), [], {}) == []


def test_what_the_encoder_reads_back_is_a_share_of_what_was_set():
    """Set to 10: it reads 9 on the two tokens that the clamp covers, and what lies outside the clamp counts for
    nothing.
    """
    reading = {
        "all": [500, 9, 9, 0],
        "prompt": [9, 9, 0, 0],
        "generated": [0, 0, 9, 9],
        2: [0, 0, 9, 9],
        "token -1": [0, 9, 0, 0],
    }
    for scope, clamped in reading.items():
        frame = pd.DataFrame(
            [(7, "blocks.0.hook_resid_post", "activation", i, "x", 0.0, float(c)) for i, c in enumerate(clamped)],
            columns=["feature", "hook_name", "measure", "position", "token", "default", "clamped"],
        )
        if scope == "all":
            frame = frame[frame["position"] < 3]  # the beginning-of-text token, and two more
        made, read = payloads.measured(frame, [Clamp(7, 10.0, scope)], {7: 2.5}, n_written=1 if scope == "all" else 2)
        assert (made["clamped"], made["kept"]) == (10, 2.5)
        assert (read["clamped"], read["kept"]) == (9, 0.9), scope


def test_an_ablated_feature_has_no_share_of_what_was_set():
    frame = pd.DataFrame(
        [(7, "h", "activation", 1, "x", 4.0, 0.0), (7, "later", "projection", 1, "x", 4.0, 1.0)],
        columns=["feature", "hook_name", "measure", "position", "token", "default", "clamped"],
    )
    rows = payloads.measured(frame, [Clamp(7, 0.0)], {7: 0.0})
    assert [r["kept"] for r in rows] == [0, None, 0.75]  # further up three quarters of the change are left


# -- the end of the context, and what is not shown any more ----------------------------------------------------------


class Narrow(Measuring):
    """A source with a context of 12 tokens, that tells how many can follow a prompt, one token per word."""

    N_CTX = 12

    def room(self, prompt):
        self.asked = [*getattr(self, "asked", []), prompt]
        return max(0, self.N_CTX - len(prompt.split()) + 1)

    def __call__(self, prompt, clamps, **settings):
        left = self.N_CTX - len(prompt.split()) + 1
        if left <= 0:
            raise ValueError(f"{len(prompt.split())} tokens do not fit")
        settings["n_tokens"] = min(settings["n_tokens"], left)
        yield from super().__call__(prompt, clamps, **settings)

    def measure(self, prompt, clamps, features, hook_names=None, *, tokens=()):
        assert len(prompt.split()) + len(tokens) <= self.N_CTX, "more than the context holds"
        return super().measure(prompt, clamps, features, hook_names, tokens=tokens)


def test_writing_ends_where_the_context_does_and_is_still_measured(data):
    source = Narrow()
    panel = panel_of(data, source, prompt="a b c d", n_tokens=400)
    assert len(panel.clamped.tokens) == 9, (
        "4 read and 8 more fill the context; from the full one a last token is written"
    )
    assert (panel._texts["room"], panel._texts["done"], panel.error) == (9, True, "")
    assert source.measured[0][-1] == 8 and panel._measured, "the last token was never read"


def test_the_room_is_asked_for_once_per_prompt(data):
    source = Narrow()
    panel = panel_of(data, source, prompt="a b c d")
    panel.multiples = {31: 2.0}
    panel.wait(PATIENCE)
    assert source.asked.count("a b c d") == 1, "a slider that moves does not read the prompt again"


def test_texts_of_before_a_refusal_are_marked_until_new_ones_come(data):
    panel = panel_of(data, Narrow(), prompt="a b c d")
    before = panel._texts["clamped"]
    assert "stale" not in panel._texts
    panel.prompt = "word " * 30
    with pytest.raises(ValueError, match="30 tokens do not fit"):
        panel.wait(PATIENCE)
    assert (panel._texts["stale"], panel._texts["clamped"], panel.status) == (True, before, "error")
    panel.prompt = "a b c"
    assert panel.wait(PATIENCE)
    assert "stale" not in panel._texts


def test_a_source_that_cannot_tell_its_room_is_not_asked(data):
    class Odd(sample_records.Writer):
        def room(self, prompt):
            raise RuntimeError("no tokenizer")

    assert panel_of(data, Odd())._texts["room"] is None
    assert panel_of(data, sample_records.Writer())._texts["room"] is None


# -- what was tried --------------------------------------------------------------------------------------------------


def test_a_long_text_that_was_tried_shows_that_it_goes_on(data):
    panel = panel_of(data, sample_records.Writer())
    whole = panel.clamped.text.strip()
    assert panel._history[0]["text"] == whole, "a short one is whole"
    long = Try("p", {}, "all", 0.8, 0, 60, Generation("p", (Token(0, "x" * 161, 0.0, 0.0),), (), 0, 0.8))
    assert long.sendable()["text"] == "x" * 160 + "…"


def test_history_is_the_finished_texts_latest_first_each_once(data):
    panel = panel_of(data, sample_records.Writer())
    for multiple in (1.0, 2.0, 1.0):
        panel.multiples = {31: multiple}
        panel.wait(PATIENCE)
    assert [tried.multiples for tried in panel.history] == [{31: 1.0}, {31: 2.0}, {31: 4.0}]
    assert [entry["multiples"] for entry in panel._history] == [[[31, 1.0]], [[31, 2.0]], [[31, 4.0]]]
    assert all(tried.generation.text.startswith(" I am the Golden Gate") for tried in panel.history)


def test_restore_brings_back_settings_and_text(data):
    panel = panel_of(data, sample_records.Writer(), scope="prompt", seed=3)
    before = panel.clamped
    panel.features = [42, 31]
    panel.multiples = {31: None, 42: 2.0}
    panel.scope, panel.seed, panel.prompt, panel.n_tokens = "all", 5, "Yesterday", 9
    panel.wait(PATIENCE)
    assert panel.clamped != before
    panel.restore(-1)
    panel.wait(PATIENCE)
    assert panel.clamped == before
    assert (panel.features, panel.multiples, panel.scope, panel.seed, panel.n_tokens) == (
        [42, 31],
        {42: None, 31: 4.0},
        "prompt",
        3,
        60,
    )
    with pytest.raises(IndexError):
        panel.restore(99)


def test_the_browser_restores_with_one_message(data):
    writer = sample_records.Writer()
    panel = panel_of(data, writer, seed=3)
    panel.multiples, panel.seed = {31: 2.0}, 4
    panel.wait(PATIENCE)
    begun = len(writer.calls)
    panel.set_state({"features": [31], "multiples": {"31": 4.0}, "seed": 3, "prompt": panel.prompt, "scope": "all"})
    panel.wait(PATIENCE)
    assert panel.clamped.tokens[-2].text == " 50"
    assert len(writer.calls) == begun + 1, "the default text of seed 3 was remembered, and one text written"


def test_a_stopped_text_is_no_history(data):
    panel = ClampPanel(sample_records.Writer(delay=0.01), data, multiples={31: 4.0})
    panel.write()
    while len(panel.clamped.tokens) < 3:
        time.sleep(0.002)
    panel.stop()
    panel.wait(PATIENCE)
    assert panel.history == ()


def test_history_is_bounded():
    text = Generation("p", (), (), 0, 0.8)
    history = ()
    for i in range(2 * KEPT):
        history = added(history, Try("p", {31: float(i)}, "all", 0.8, 0, 60, text))
    assert len(history) == KEPT and history[0].multiples == {31: 2.0 * KEPT - 1}
    nothing = Try("p", {}, "all", 0.8, 0, 60, text)
    assert added((nothing,), Try("p", {}, "prompt", 0.8, 0, 60, text))[1:] == (), "no clamp has no scope"


def test_parting_is_the_first_token_that_differs():
    a, b, c = (Token(i, str(i), 0.0, 0.0) for i in range(3))
    assert parting((a, b, c), (a, c, c)) == 1
    assert parting((a, b), (a, b, c)) is None
    assert parting((), (a,)) is None


def test_the_panel_knows_where_its_texts_part(data):
    panel = panel_of(data, sample_records.Writer())
    assert panel.parting == 2  # " I am an AI" and " I am the Golden"
    panel.multiples = {31: None}
    panel.wait(PATIENCE)
    assert panel.parting is None


# -- newest wins, and nothing is mixed up ----------------------------------------------------------------------------


def test_every_update_names_the_clamps_of_its_own_text(data):
    panel = ClampPanel(sample_records.Writer(delay=0.002), data, multiples={31: 1.0})
    seen = []
    panel.observe(lambda change: seen.append(change["new"]), names=["_texts"])
    panel.write()
    for i in range(300):
        panel.set_state({"multiples": {"31": 0.1 + i / 100}})
        time.sleep(0.001)
    assert panel.wait(PATIENCE)
    finished = [t for t in seen if len(t["clamped"]) > 2 and t["clamped"][-1][1] == "\n"]
    assert finished
    for texts in finished:
        ((feature, multiple),) = texts["under"]
        assert feature == 31 and texts["clamped"][-2][1] == f" {multiple * MAXIMUM:g}"
    assert all(texts["clamped"] for texts in seen), "each started answer showed at least one token"
    assert seen[-1]["under"] == [[31, pytest.approx(3.09)]]


def test_a_text_that_was_shown_gives_way_at_once(data):
    """It is not written to its end while a newer one waits."""
    drawn = {}

    def counting(prompt, clamps, *, n_tokens, seed, temperature):
        for i in range(n_tokens):
            drawn[clamps] = i + 1
            if clamps == (Clamp(31, MAXIMUM),) and i == 3:
                while not panel._live._shared.pending:  # go on once the newer one waits
                    time.sleep(0.001)
            if clamps == (Clamp(31, MAXIMUM),) and i == 1:
                time.sleep(0.06)  # long enough for an update to be due
            yield Token(i, f" {i}", -0.5, 0.1)

    panel = ClampPanel(counting, data, multiples={31: 1.0}, n_tokens=500)
    panel.write()
    while not panel._texts["clamped"]:
        time.sleep(0.001)
    panel.multiples = {31: 2.0}
    assert panel.wait(PATIENCE)
    assert drawn[(Clamp(31, MAXIMUM),)] <= 5 and drawn[(Clamp(31, 2 * MAXIMUM),)] == 500


def test_a_bad_value_does_not_disturb_the_text_that_is_being_written(data):
    panel = ClampPanel(sample_records.Writer(delay=0.01), data, multiples={31: 4.0})
    panel.write()
    while len(panel.clamped.tokens) < 2:
        time.sleep(0.002)
    panel.set_state({"temperature": -3})
    assert "temperature" in panel.error and panel.status == "writing"
    panel._live.wait(PATIENCE)
    assert panel.status == "idle" and panel.clamped.tokens[-2].text == " 50"
    assert panel._texts["under"] == [[31, 4.0]]


def test_an_error_of_a_text_that_nobody_waits_for_is_not_shown(data):
    def fragile(prompt, clamps, *, n_tokens, seed, temperature):
        for i in range(5):
            time.sleep(0.01)
            if clamps and clamps[0].value > 100 and i == 0:
                while not panel._live._shared.pending:  # a newer job waits when this one breaks
                    time.sleep(0.001)
                raise RuntimeError("too strong")
            yield Token(i, f" {i}", -0.5, 0.1)

    panel = ClampPanel(fragile, data, multiples={31: 9.0})
    panel.write()
    panel.multiples = {31: 1.0}
    assert panel.wait(PATIENCE)
    assert (panel.status, panel.error, len(panel.clamped.tokens)) == ("idle", "", 5)


def test_write_again_asks_for_both_texts_anew(data):
    writer = sample_records.Writer()
    panel = panel_of(data, writer)
    panel._message("write")
    panel.wait(PATIENCE)
    assert [clamps for _, clamps in writer.calls].count(()) == 2 and len(writer.calls) == 4


def test_a_ping_is_answered(data):
    panel = ClampPanel(sample_records.Writer(), data)
    panel._handle_custom_msg({"kind": "ping"}, [])
    assert panel._heard == 1 and panel.status == "idle" and panel.error == ""


def test_a_ping_brings_what_was_lost(data):
    panel = panel_of(data, sample_records.Writer())
    panel._handle_custom_msg({"kind": "ping", "set": {"multiples": {"31": 2.5}, "seed": panel.seed, "nobody": 1}}, [])
    assert panel.multiples == {31: 2.5} and panel._mended == 1 and panel.wait(PATIENCE)
    assert panel.clamped.text.endswith(" 31.25\n")
    panel._handle_custom_msg({"kind": "ping", "set": {"multiples": {"31": 2.5}}}, [])
    assert panel._mended == 1, "nothing was missed"
    panel._handle_custom_msg({"kind": "ping", "set": {"multiples": {"31": "much"}}}, [])
    assert panel.multiples == {31: 2.5} and panel.error


def test_a_ping_does_not_take_back_what_the_kernel_has_changed_since(data):
    """The page says again what it has set, before it can have heard that code in the notebook set something else."""
    panel = panel_of(data, sample_records.Writer())
    panel.set_state({"seed": 5})
    panel.seed = 6
    panel._handle_custom_msg({"kind": "ping", "set": {"seed": 5}}, [])
    assert (panel.seed, panel._mended, panel._heard) == (6, 0, 1)
    panel._handle_custom_msg({"kind": "ping", "set": {"seed": 7}}, [])  # set afterwards, and lost
    assert (panel.seed, panel._mended) == (7, 1)


@pytest.mark.parametrize("subshells", [True, False, None])
def test_a_kernel_that_answers_between_cells_only_is_named(data, monkeypatch, subshells):
    kernel = (
        types.SimpleNamespace() if subshells is None else types.SimpleNamespace(_supports_kernel_subshells=subshells)
    )
    shell = types.SimpleNamespace(kernel=kernel, parent_header=None)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "ipykernel", types.SimpleNamespace(__version__="6.29.5"))
    reason = _kernel_reason()
    assert (reason == "") if subshells else ("ipykernel 6.29.5" in reason and "between cells" in reason)


def _kernel_reason() -> str:
    from saewidgets.widgets.clamp.panel import _why_not_while_busy

    return _why_not_while_busy()


def test_no_kernel_no_reason():
    assert _kernel_reason() == ""


# -- comparisons -----------------------------------------------------------------------------------------------------


def other_feature(clamps):
    return [Clamp(42, c.value, c.scope) for c in clamps]


def test_a_third_text_is_written_under_what_is_compared(data):
    writer = sample_records.Writer()
    panel = panel_of(data, writer, comparisons={"another feature": other_feature})
    assert panel.compared is None and panel._texts["other"] is None
    panel.compare = "another feature"
    panel.wait(PATIENCE)
    assert panel.compared.clamps == (Clamp(42, 50.0),) and panel.compared.tokens[-2].text == " 50"
    assert [row[1] for row in panel._texts["other"]] == [t.text for t in panel.compared.tokens]
    assert set(panel.to_dataframe()["pane"]) == {"default", "clamped", "compared"}
    panel.multiples = {31: 2.0}  # it follows the slider
    panel.wait(PATIENCE)
    assert panel.compared.clamps == (Clamp(42, 25.0),)
    panel.multiples = {31: None}  # nothing is clamped, so there is nothing to compare
    panel.wait(PATIENCE)
    assert panel.compared is None and panel._texts["other"] is None
    with pytest.raises(traitlets.TraitError, match="comparison"):
        panel.compare = "another featur"
    panel.set_state({"compare": "<b>"})
    assert panel.compare == "another feature" and panel.error


# -- recordings ------------------------------------------------------------------------------------------------------


def recording(multiples=(-4.0, 0.0, 2.0, 4.0), seeds=(0, 1), scope="all") -> ClampRecording:
    writer = sample_records.Writer()
    texts = []
    for seed in seeds:
        for clamps in ((), *((Clamp(31, m * MAXIMUM, scope),) for m in multiples)):
            tokens = tuple(writer("Who?", clamps, n_tokens=60, seed=seed, temperature=0.5))
            texts.append(Generation("Who?", tokens, clamps, seed, 0.5))
    return ClampRecording("Who?", tuple(texts), {31: MAXIMUM})


def test_a_recording_brings_its_own_settings_and_says_what_it_shows(data):
    panel = ClampPanel(recording(seeds=(7, 8)), data)
    assert (panel.prompt, panel.seed, panel.temperature, panel.features) == ("Who?", 7, 0.5, [31])
    panel.write()
    assert panel.wait(PATIENCE) and panel.clamped == panel.default
    panel.multiples = {31: 3.2}
    assert panel.wait(PATIENCE)
    assert panel.clamped.tokens[-2].text == " 50", "4 is nearer to 3.2 than 2"
    assert panel._texts["under"] == [[31, 4.0]]
    assert panel.history[0].multiples == {31: 3.2}
    assert panel._recorded == {"seeds": [7, 8], "scopes": ["all"], "multiples": {"31": [-4, 0, 2, 4]}}


def test_what_was_not_recorded_is_said(data):
    panel = ClampPanel(recording(), data, seed=5)
    panel.write()
    with pytest.raises(ValueError, match="seed 5 was not recorded; recorded are 0, 1"):
        panel.wait(PATIENCE)
    panel.seed = 1
    panel.scope = "prompt"
    panel.multiples = {31: 2.0}
    with pytest.raises(ValueError, match="was not recorded"):
        panel.wait(PATIENCE)
    panel.scope = "all"
    assert panel.wait(PATIENCE) and panel.error == ""


def test_the_page_of_a_recording_is_small_complete_and_the_same_each_time(data):
    grid = recording(multiples=[m / 2 for m in range(-20, 21)], seeds=range(4))
    panel = ClampPanel(grid, data, multiples={31: 2.0})
    page = panel.to_html()
    assert page == ClampPanel(grid, data, multiples={31: 2.0}).to_html()
    tokens = sum(len(g.tokens) for g in grid.generations)
    bare = len(ClampPanel(sample_records.Writer(), data, multiples={31: 2.0}).to_html())
    assert len(page) - bare < 20 * tokens + 420 * len(grid.generations), "20 bytes a token, and the code of each text"
    held = panel._view()["state"]["_recording"]
    assert len(held["texts"]) == len(grid.generations)
    for text, g in zip(held["texts"], grid.generations, strict=True):
        flat = text["t"]
        assert [tuple(held["pool"][i]) for i in flat[::3]] == [(t.id, t.text) for t in g.tokens]
        assert flat[1::3] == pytest.approx([t.logprob for t in g.tokens], rel=5e-3)
        assert flat[2::3] == pytest.approx([t.kl for t in g.tokens], rel=5e-3)
        assert text["clamps"] == [[c.feature, c.value, str(c.scope)] for c in g.clamps]
    json.dumps(held, allow_nan=False)


def test_a_page_leaves_added_vectors_behind(data):
    base = recording()
    steered = Generation("Who?", (Token(1, " x", -0.5, math.nan),), (Steer((1.0, 0.0)),), 0, 0.5)
    mixed = ClampRecording("Who?", (*base.generations, steered), {31: MAXIMUM})
    held = payloads.recording(mixed, {31: MAXIMUM}, data.passport)
    assert data.passport.sae_name in held["texts"][0]["code"]
    assert len(held["texts"]) == len(base.generations)


def test_an_empty_recording_opens(data):
    panel = ClampPanel(ClampRecording("Who?", ()), data, features=[31])
    assert panel.prompt == "" and panel.to_html()  # it holds no prompt, and none is made up
    with pytest.raises(traitlets.TraitError):
        panel.features = [1]


def test_rows_that_were_named_are_the_rows_and_a_later_choice_brings_its_own(data):
    selection = Selection(feature=42)
    panel = ClampPanel(sample_records.Writer(), data, features=[31], selection=selection)
    assert panel.features == [31] == [row["feature"] for row in panel._rows]
    assert (panel.feature, selection.feature) == (31, 42)  # to open it moves nothing
    selection.feature = 57
    assert panel.features == [31, 57] == [row["feature"] for row in panel._rows]
    assert panel.feature == 57


def test_without_named_rows_the_selected_feature_is_drawn_from_the_start(data):
    panel = ClampPanel(sample_records.Writer(), data, selection=Selection(feature=42))
    assert panel.features == [42] == [row["feature"] for row in panel._rows]


def test_presets_are_set_by_name(data):
    """A preset's features become the rows, at its multiples, and nothing else stays clamped."""
    one, other = sorted(data.features)[:2]
    presets = {"a pirate": {one: 1.0}, "both": {other: 0.5, one: 1.25}}
    panel = ClampPanel(sample_records.Writer(), data, presets=presets)
    assert (panel.features, panel.on) == ([one], {one: 1.0}), "it begins with the first"
    assert panel._presets == [["a pirate", [[one, 1.0]]], ["both", [[other, 0.5], [one, 1.25]]]]
    panel.become("both")
    assert panel.wait(PATIENCE)
    assert panel.features == [other, one] and panel.clamped.clamps == panel.clamps
    assert [(c.feature, c.value) for c in panel.clamps] == [
        (f, presets["both"][f] * data[f].maximum) for f in (other, one)
    ]
    panel.become("a pirate")
    assert panel.wait(PATIENCE) and panel.on == {one: 1.0} == dict(panel.history[0].multiples)
    with pytest.raises(ValueError, match=r"unknown preset 'pirate'.*a pirate"):
        panel.become("pirate")


def test_presets_leave_alone_what_was_given(data):
    one, other = sorted(data.features)[:2]
    presets = {"a pirate": {one: 1.0}}
    assert ClampPanel(sample_records.Writer(), data, presets=presets, features=[other]).on == {}
    assert ClampPanel(sample_records.Writer(), data, presets=presets, multiples={other: 2}).on == {other: 2.0}
    assert ClampPanel(sample_records.Writer(), data).presets == {}


@pytest.mark.parametrize(
    ("presets", "error", "said"),
    [
        ([31], TypeError, "presets is a list"),
        ({"pirate": 31}, TypeError, r"presets\['pirate'\] is 31"),
        ({"pirate": {}}, TypeError, "pirate"),
        ({3: {31: 1.0}}, TypeError, r"presets\[3\]"),
        ({"pirate": {31: float("nan")}}, ValueError, r"a multiple of presets\['pirate'\]"),
        ({"pirate": {10**6: 1.0}}, ValueError, "1000000"),
    ],
)
def test_presets_of_another_form_are_refused(data, presets, error, said):
    with pytest.raises(error, match=said):
        ClampPanel(sample_records.Writer(), data, presets=presets)
