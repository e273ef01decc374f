"""More answers of other seeds in a clamp panel: was it luck?"""

from __future__ import annotations

import threading

import ipywidgets
import pytest
import sample_records
import traitlets

from saewidgets.frontend import payloads
from saewidgets.records import Clamp, ClampRecording, Dialogue, Generation, NotFiniteError, Token
from saewidgets.records.phrases import pattern_of, phrases_of
from saewidgets.widgets import ClampPanel, _base
from saewidgets.widgets.clamp.answers import MOST, next_seeds

PATIENCE = 20.0
CLAMP = (Clamp(31, 50.0),)  # 4 times the maximum in the sample records


@pytest.fixture
def data():
    return sample_records.dashboard()


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


def said(clamps, seed):
    return f" Seed {seed} {'saw the bridge' if clamps and seed % 3 else 'saw nothing'}."


class Batched(sample_records.Writer):
    """A source that writes many texts at a time, a word each per step; clamped texts of seeds that 3 does not divide hold a
    bridge. `gate`, where it is given, must be set for every step but the first.
    """

    gate: threading.Event | None = None

    def stream_batch(self, prompts, grid, seeds, *, n_tokens, temperature, kl):
        assert not kl
        self.asked = (prompts, grid, list(seeds))
        self.stream = Stream(
            self, prompts[0], [(tuple(clamps), seed) for clamps in grid for seed in seeds], temperature
        )
        return self.stream

    def perplexities(self, prompt, texts):
        return [1.0 + len(ids) for ids in texts]


class Stream:
    def __init__(self, source, prompt, rows, temperature):
        self.source, self.prompt, self.rows, self.temperature, self.n = source, prompt, rows, temperature, 0
        self.total = 5 * len(rows)

    def __iter__(self):
        for self.n in range(1, 6):
            if self.n > 1 and self.source.gate is not None:
                assert self.source.gate.wait(PATIENCE)
            yield len(self.rows)

    def texts(self):
        return [
            Generation(
                f"<bos>{self.prompt}" if isinstance(self.prompt, str) else self.prompt,  # as a tokenizer gives it back
                tuple(Token(i, f" {w}", -0.5, 0.0) for i, w in enumerate(said(clamps, seed).split()[: self.n])),
                clamps, seed, self.temperature,
            )
            for clamps, seed in self.rows
        ]  # fmt: skip


def panel_of(data, source, **options) -> ClampPanel:
    panel = ClampPanel(source, data, **{"multiples": {31: 4.0}, "seed": 6, **options})
    panel.write()
    assert panel.wait(PATIENCE)
    return panel


@pytest.mark.parametrize("prompt", ["Who?", Dialogue([("user", "Who?")])])
def test_answers_are_of_the_next_seeds_in_one_batch_and_say_what_they_hold(data, prompt):
    source = Batched()
    panel = panel_of(data, source, prompt=prompt, look_for="Bridge, tower")
    panel.write_answers(4)
    assert panel.wait(PATIENCE) and panel.status == "idle"
    assert source.asked == ([prompt], [(), CLAMP], [7, 8, 9, 10])
    found = panel.answers_to_dataframe()
    assert found["seed"].tolist() == [7, 8, 9, 10]
    assert found["holds_default"].tolist() == [False] * 4
    assert found["holds_clamped"].tolist() == [True, True, False, True]
    assert found["clamped"].tolist() == [said(CLAMP, seed) for seed in (7, 8, 9, 10)]
    assert found["perplexity_clamped"].tolist() == [6.0, 6.0, 5.0, 6.0] and set(found["perplexity_default"]) == {5.0}
    assert panel._answers["share"] is None and len(panel._answers["rows"]) == 4
    panel._message("more")  # the button: eight more, after those
    assert panel.wait(PATIENCE)
    assert [row["seed"] for row in panel._answers["rows"]] == list(range(7, 19))


def test_the_record_of_the_answers_saves_and_plays(data, tmp_path):
    panel = panel_of(data, Batched(), prompt="Who?")
    assert panel.answers == ClampRecording("Who?", (), {31: 12.5}, panel.n_tokens)  # nobody has asked
    panel.write_answers(3)
    panel.wait(PATIENCE)
    panel.answers.save(tmp_path / "answers.json")
    read = ClampRecording.load(tmp_path / "answers.json")
    assert read == panel.answers and read.seeds == (7, 8, 9) and read.maxima == {31: 12.5}
    again = panel_of(data, read, multiples={31: 4.0}, seed=7)
    assert again.clamped.text == said(CLAMP, 7)
    again.write_answers(8)  # a recording has its own seeds, and no more
    again.wait(PATIENCE)
    assert [row["seed"] for row in again._answers["rows"]] == [8, 9]
    assert again.answers_to_dataframe()["clamped"].tolist() == [said(CLAMP, 8), said(CLAMP, 9)]
    with pytest.raises(ValueError, match="holds no more seeds than 7, 8, 9"):
        again.write_answers()


def test_what_is_moved_ends_them_and_what_they_no_longer_answer_goes(data):
    source = Batched()
    panel = panel_of(data, source)
    source.gate = threading.Event()
    panel.write_answers(2)
    stream = wait_for_step(source, panel)
    panel.multiples = {31: 2.0}
    source.gate.set()
    assert panel.wait(PATIENCE)
    assert stream.n <= 2 and panel._answers == {"share": None, "rows": []}
    assert panel.status == "idle" and panel.clamped.clamps == (Clamp(31, 25.0),)
    panel.write_answers(2)
    panel.wait(PATIENCE)
    panel.seed = 3  # another seed of the same
    panel.wait(PATIENCE)
    assert [row["seed"] for row in panel._answers["rows"]] == [7, 8]
    panel.n_tokens = 30
    panel.wait(PATIENCE)
    assert panel._answers["rows"] == []


def test_stopped_answers_stay_as_they_are_and_more_can_follow(data):
    source = Batched()
    panel = panel_of(data, source)
    source.gate = threading.Event()
    panel.write_answers(2)
    wait_for_step(source, panel)
    assert panel.status == "answering" and panel._answers["share"] is not None
    panel.write_answers(2)  # they are on their way: nothing is asked twice
    panel.stop()
    source.gate.set()
    assert panel.wait(PATIENCE) and panel.status == "stopped"
    assert panel._answers["share"] is None and [row["seed"] for row in panel._answers["rows"]] == [7, 8]
    panel.write_answers(1)
    assert panel.wait(PATIENCE) and panel.status == "idle"
    assert panel.answers_to_dataframe()["clamped"].tolist()[2] == said(CLAMP, 9)


def wait_for_step(source, panel) -> Stream:
    """The stream, once a step of it was shown."""
    shown = threading.Event()

    def look(change=None):
        if any(row["default"] for row in panel._answers["rows"]):
            shown.set()

    panel.observe(look, "_answers")
    look()
    assert shown.wait(PATIENCE)
    return source.stream


def test_asked_before_the_texts_are_there_they_follow_them(data):
    panel = ClampPanel(Batched(delay=0.005), data, multiples={31: 4.0})
    panel.write_answers(2)
    assert panel.status == "writing"
    assert panel.wait(PATIENCE)
    assert panel.clamped.text.startswith(" I am the Golden Gate") and len(panel.history) == 1
    assert [row["seed"] for row in panel._answers["rows"]] == [1, 2]


def test_a_source_of_one_text_at_a_time_writes_them_one_after_the_other(data):
    source = sample_records.Writer()
    panel = panel_of(data, source, look_for="suspension bridge")
    source.calls.clear()
    panel.write_answers(2)
    assert panel.wait(PATIENCE)
    assert [clamps for _, clamps in source.calls] == [(), CLAMP, (), CLAMP]
    found = panel.answers_to_dataframe()
    assert found["holds_clamped"].tolist() == [True, True] and found["holds_default"].tolist() == [False, False]
    assert found["perplexity_clamped"].tolist() == [None, None]
    panel.multiples = {31: None}
    panel.wait(PATIENCE)
    panel.write_answers(1)
    panel.wait(PATIENCE)
    (row,) = panel._answers["rows"]
    assert row["clamped"] is None and row["default"]["holds"] is False


def test_an_error_is_said_and_the_panel_goes_on(data):
    source = Batched()
    panel = panel_of(data, source)
    source.perplexities = lambda prompt, texts: 1 / 0
    panel.write_answers(2)
    with pytest.raises(ZeroDivisionError):
        panel.wait(PATIENCE)
    assert panel.status == "error" and len(panel._answers["rows"]) == 2 and panel._answers["share"] is None
    del source.perplexities
    panel.write_answers(1)
    assert panel.wait(PATIENCE) and panel.status == "idle" and panel.error == ""


def test_answers_to_a_text_that_cannot_be_written_are_not_waited_for(data):
    source = sample_records.Writer(fail=ValueError("no such prompt"))
    panel = ClampPanel(source, data, multiples={31: 4.0})
    panel.write_answers(2)
    with pytest.raises(ValueError, match="no such prompt"):
        panel.wait(PATIENCE)
    assert panel.status == "error" and panel._answers["share"] is None
    source.fail = None
    panel.write_answers(1)
    assert panel.wait(PATIENCE) and panel.status == "idle"
    assert panel.answers_to_dataframe()["clamped"].tolist()[-1].startswith(" I am the Golden Gate")


def test_stopped_before_it_began_it_can_be_asked_again(data):
    panel = panel_of(data, Batched())
    panel.write_answers(2)
    panel.stop()  # most likely before the worker has taken it
    panel.wait(PATIENCE)
    panel.write_answers(1)
    assert panel.wait(PATIENCE) and panel.status == "idle"
    assert panel.answers_to_dataframe()["clamped"].tolist()[-1] == said(CLAMP, 9)


def test_a_text_that_breaks_off_says_why(data):
    class Breaking(sample_records.Writer):
        def __call__(self, prompt, clamps, **settings):
            for i, token in enumerate(super().__call__(prompt, clamps, **settings)):
                if clamps and i == 2 and settings["seed"] == 1:
                    raise NotFiniteError("the logits are not finite after 2 tokens")
                yield token

    panel = panel_of(data, Breaking(), seed=0)
    panel.write_answers(2)
    panel.wait(PATIENCE)
    stopped = [row["clamped"]["stopped"] for row in panel._answers["rows"]]
    assert stopped == ["the logits are not finite after 2 tokens", ""]


def test_another_word_is_looked_for_in_what_is_there(data):
    panel = panel_of(data, Batched())
    panel.write_answers(2)
    panel.wait(PATIENCE)
    assert panel._answers["rows"][0]["clamped"]["holds"] is None
    panel.look_for = "BRIDGE"
    assert panel._answers["rows"][0]["clamped"]["parts"] == [["Seed 7 saw the ", False], ["bridge", True], [".", False]]
    panel.set_state({"n_answers": MOST + 1})
    assert panel.n_answers == 8 and "n_answers" in panel.error
    with pytest.raises(traitlets.TraitError):
        panel.n_answers = 0


def test_the_seeds_end_with_as_many_as_are_kept():
    assert next_seeds(None, [], 3, 2) == [4, 5]
    assert next_seeds(None, range(60), 0, 8) == [60, 61, 62, 63]
    with pytest.raises(ValueError, match="64 answers are there, which is the most"):
        next_seeds(None, range(MOST), 0, 1)


def test_phrases_are_found_whole_in_any_case():
    assert phrases_of(" fog , golden gate,, ") == ["fog", "golden gate"] and phrases_of(" , ") == []
    found = pattern_of(["fog", "C++"])
    assert found.findall("Foggy fog, FOG; c++ and c+++") == ["fog", "FOG", "c++", "c++"]
    text = Generation("Hi", (Token(1, " fog \n", -0.5, 0.0),), (), 0, 0.5)
    assert payloads.answer(text, found, float("inf")) == {
        "parts": [["fog", True]], "holds": True, "perplexity": None, "stopped": "",
    }  # fmt: skip
