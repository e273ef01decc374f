"""Dialogues in the instruments: set from Python and from the page, answered, asked further, kept, and read."""

from __future__ import annotations

import json

import ipywidgets
import pytest
import sample_records
import traitlets

import saewidgets as sw
from saewidgets.records import Dialogue, InstrumentState, PromptActivations
from saewidgets.records.states import ClampState
from saewidgets.widgets import ClampPanel, DoseResponse, FeatureProbe

PATIENCE = 20.0
TURNS = [{"role": "system", "content": "You are an owl."}, {"role": "user", "content": "Who are you?"}]
TALK = Dialogue(TURNS)


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()


@pytest.fixture(scope="module")
def pair():
    return sw.load_model(), sw.load_sae("miniworld-512")


@pytest.fixture
def panel():
    return ClampPanel(
        sample_records.Writer(), sample_records.dashboard(), multiples={31: 1.0}, prompt=TURNS, n_tokens=6
    )


def test_a_panel_answers_and_asks_further(panel):
    assert panel.prompt == TALK and panel.get_state("prompt")["prompt"] == TURNS
    panel.write()
    assert panel.wait(PATIENCE)
    answer = panel.clamped
    assert answer.prompt == TALK and answer.text
    panel.ask("What do you eat?")
    assert panel.wait(PATIENCE)
    assert panel.prompt == TALK.answered(answer.text).asked("What do you eat?") and panel.clamped.prompt == panel.prompt
    assert [tried.prompt for tried in panel.history] == [panel.prompt, TALK]
    assert panel._history[1]["prompt"] == TURNS
    panel.restore(1)
    assert panel.prompt == TALK
    panel.prompt = "Once"
    with pytest.raises(ValueError, match=r"a text is continued, not answered: set panel.prompt = sw.Dialogue"):
        panel.ask("Why?")


def test_the_page_sets_turns_and_words(panel):
    panel.set_state({"prompt": [*TURNS, {"role": "assistant", "content": "An owl"}]})
    assert panel.prompt == TALK.answered("An owl")
    panel.set_state({"prompt": "Once"})
    assert panel.prompt == "Once"
    for wrong in (3, [{"role": "usr", "content": "Hi"}], [{"role": "system", "content": "Hi"}]):
        with pytest.raises(traitlets.TraitError):
            panel.prompt = wrong
    assert panel.prompt == "Once"


def test_state_page_and_code_keep_a_dialogue(panel):
    panel.scope = "assistant"
    state = panel.state()
    opened = InstrumentState.from_dict(json.loads(json.dumps(state.to_dict())))
    assert opened == state and opened.prompt == TALK and opened.scope == "assistant"
    panel.prompt = "Once"
    panel.set(opened)
    assert panel.prompt == TALK
    assert f"sw.{TALK!r}" in panel.to_code()
    assert json.dumps(TURNS[1], separators=(",", ":")) in panel.to_html().replace('": "', '":"').replace('", "', '","')
    older = state.to_dict() | {"prompt": "Once"}  # as it was before there were dialogues
    assert ClampState.from_dict(older).prompt == "Once"


def test_a_probe_knows_whose_word_a_token_is(pair, tmp_path):
    model, sae = pair
    probe = FeatureProbe(sw.prober(model, sae), TALK)
    pieces = model.token_text(probe.data.token_ids)
    said = ["".join(p for p, n in zip(pieces, probe.data.turn, strict=True) if n == at) for at in (-1, 0, 1)]
    assert said == ["<|endoftext|>\nHuman:\nAssistant:", "You are an owl.", " Who are you?"]
    assert probe._prompt["roles"] == ["system", "user"] and probe._prompt["turn"] == list(probe.data.turn)
    assert probe.data.text == model.rendered(TALK).text
    plain = FeatureProbe(sw.prober(model, sae), probe.data.text)
    assert plain.data.turn is None and plain._prompt["turn"] is None
    assert plain.data.feature.tolist() == probe.data.feature.tolist()
    probe.set_state({"text": [*TURNS, {"role": "assistant", "content": "An owl."}]})
    assert probe.wait(PATIENCE) and probe.data.dialogue == TALK.answered("An owl.")
    assert f"text=sw.{probe.text!r}" in probe.to_code()
    assert InstrumentState.from_dict(json.loads(json.dumps(probe.state().to_dict()))) == probe.state()
    probe.data.save(tmp_path / "reading.json")
    saved = PromptActivations.load(tmp_path / "reading.json")
    assert saved.dialogue == probe.data.dialogue and saved.turn == probe.data.turn
    assert FeatureProbe(saved).text == probe.text
    older = {k: v for k, v in saved.to_dict().items() if k not in ("dialogue", "turn")}
    assert PromptActivations.from_dict(older).turn is None
    with pytest.raises(ValueError, match="`turn` does not say of each of"):
        PromptActivations.from_dict(saved.to_dict() | {"turn": [9]})


def test_a_dose_response_answers_a_dialogue(pair, tmp_path):
    model, sae = pair
    given = {"kinds": ("clamp",), "multiples": (0.0, 2.0), "seeds": (0,), "n_tokens": 12, "temperature": 0.0}
    asked = TALK.answered("An owl.").asked("What do you eat?")
    data = sw.dose_response(model, sae, 31, maximum=6.0, prompt=asked, scope="assistant", progress=False, **given)
    steer = sw.Steerer(model, sae)
    expected = steer.generate(asked, [sw.Clamp(31, 12.0, "assistant")], n_tokens=12, temperature=0.0)
    assert data.at("clamp", 2.0)[0].text == expected.text.strip() and data.prompt == asked
    data.save(tmp_path / "dose.json")
    assert sw.DoseResponseData.load(tmp_path / "dose.json").prompt == asked
    shown = DoseResponse(data)
    assert shown._sweep["prompt"] == asked.messages() and f"prompt=sw.{asked!r}" in shown.to_code()


def test_a_planted_concept_is_asked_for_in_the_instruction(pair):
    model, sae = pair
    given = {"kinds": ("prompt",), "seeds": (0,), "n_tokens": 3, "maximum": 6.0, "progress": False}
    data = sw.dose_response(model, sae, 31, prompt=TURNS[1:], concept="owl", **given)
    assert data.steering_prompt == Dialogue([("system", "You are an owl."), ("user", "Who are you?")])
