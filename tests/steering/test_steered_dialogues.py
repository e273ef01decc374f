"""Dialogues under clamps: scope "assistant" against an edit made by hand, and where an answer ends."""

from __future__ import annotations

import pytest
import torch

from saewidgets.formats import load_sae
from saewidgets.miniworld import load_clamps
from saewidgets.models import Edit, load_model
from saewidgets.records import Clamp, ClampRecording, Dialogue, Generation, NotFiniteError, Steer, Token, clamp_code
from saewidgets.steering import Steerer, record_clamps
from saewidgets.steering.turns import until

TALK = Dialogue(
    [
        ("user", "Who are you?"),
        ("assistant", "I am a cat. I love warm milk."),
        ("user", "What do you eat?"),
    ]
)


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def steer(model):
    return Steerer(model, load_sae())


def by_hand(steer, interventions, spans):
    """x + (value - a(x)) d, or + scale v, at the tokens of these spans and nowhere else."""
    sae = steer.sae

    def edit(x, start):
        position = torch.arange(start, start + x.shape[1])
        on = torch.zeros(len(position), dtype=torch.bool)
        for first, stop in spans:
            on |= (position >= first) & (position < stop)
        moved = x.clone()
        for one in interventions:
            if isinstance(one, Clamp):
                push = (one.value - sae.encode(x)[..., one.feature, None]) * sae.decoder_rows([one.feature])[0]
            else:
                push = one.scale * torch.tensor(one.vector)
            moved = moved + torch.where(on[:, None], push, 0.0)
        return moved

    return Edit(steer.hook_name, edit)


@pytest.mark.parametrize("kind", ["clamp", "steer", "both"])
def test_scope_assistant_is_an_edit_at_the_assistants_words_alone(model, steer, kind):
    known = load_clamps()["golden_gate_bridge"]
    clamp = Clamp(known.feature, 1.5 * known.maximum, "assistant")
    vector = Steer(tuple(steer.sae.W_dec[known.feature].tolist()), 6.0, "assistant")
    done = {"clamp": [clamp], "steer": [vector], "both": [clamp, vector]}[kind]
    ids = model.tokens(TALK)
    pieces = model.token_text(ids)
    words = "".join(pieces)
    begins = [sum(map(len, pieces[:at])) for at in range(len(pieces))]
    first = begins.index(words.index(" I am a cat."))  # found in the text, not by the method itself
    stop = begins.index(words.index("\nHuman: What"))
    assert model.answers(TALK) == ((first, stop),)
    n = 12
    hand = by_hand(steer, done, [(first, stop), (len(ids), 1 << 30)])
    expected = list(model.stream(ids, n_tokens=n, temperature=0, edit=hand))
    got = steer.generate(TALK, done, n_tokens=n, temperature=0, kl=False)
    assert [t.id for t in got.tokens] == [token for token, *_ in expected][: len(got.tokens)]
    assert [t.logprob for t in got.tokens] == pytest.approx([p for _, p, _ in expected][: len(got.tokens)], abs=2e-4)
    alone = steer.generate(TALK, _scoped(done, "generated"), n_tokens=n, temperature=0, kl=False)
    first_of = [(g.tokens[0].id, round(g.tokens[0].logprob, 3)) for g in (alone, got)]
    assert first_of[0] != first_of[1]  # the earlier answer counts
    batch = steer.generate_batch([TALK], [done, []], [0], n_tokens=n, temperature=0, kl=False)
    assert batch[0].text == got.text and batch[0].prompt == TALK


def _scoped(done, scope):
    return [Clamp(c.feature, c.value, scope) if isinstance(c, Clamp) else Steer(c.vector, c.scale, scope) for c in done]


def test_scope_assistant_needs_a_dialogue(steer):
    with pytest.raises(ValueError, match=r"scope 'assistant' is of a dialogue, and this prompt is a text"):
        steer("The cat", [Clamp(31, 8.0, "assistant")])
    with pytest.raises(ValueError, match=r"scope 'assistant' is of a dialogue"):
        steer.generate_batch("The cat", [[Clamp(31, 8.0, "assistant")]])


def test_an_answer_ends_with_its_turn(model, steer):
    asked = Dialogue([("user", "Who are you?")])
    whole = model.generate(model.rendered(asked).text, n_tokens=60, seed=0)
    assert "\nHuman: " in whole  # by itself it goes on with the next turn
    answer = steer.generate(asked, seed=0)
    assert answer.text == whole[: whole.index("\nHuman: ")]
    assert steer.generate_batch(asked, seeds=[0])[0].text == answer.text
    on = asked.answered(answer.text).asked("What do you eat?")
    assert steer.generate(on, n_tokens=3).prompt == on
    assert steer.generate(on.messages(), n_tokens=3) == steer.generate(on, n_tokens=3)


def test_what_may_begin_a_turn_is_held_back_and_given_if_it_does_not():
    tokens = [
        Token(at, text, -1.0, 0.0) for at, text in enumerate([" I", "\n", "\nHum", "ble", ".\n", "Human", ":", " x"])
    ]
    found = list(until(tokens, "\nHuman:"))
    assert [t.text for t in found] == [" I", "\n", "\nHum", "ble", "."] and [t.id for t in found] == [0, 1, 2, 3, 4]
    assert list(until(tokens[:3], "\nHuman:")) == tokens[:3] and list(until(tokens, "")) == tokens

    def broken():
        yield from tokens[:2]
        raise NotFiniteError("here")

    kept = []
    with pytest.raises(NotFiniteError, match="here"):
        for token in until(broken(), "\nHuman:"):
            kept.append(token)
    assert kept == tokens[:2]


def test_records_keep_dialogues_and_older_files_open(steer, tmp_path):
    recording = record_clamps(steer, TALK, [[Clamp(31, 8.0, "assistant")]], n_tokens=3, progress=False)
    recording.save(tmp_path / "talk.json")
    opened = ClampRecording.load(tmp_path / "talk.json")
    assert opened == recording and opened.prompt == TALK and opened.scopes == ("assistant",)
    assert list(opened(TALK, [], n_tokens=3, seed=0, temperature=0.5)) == list(opened.generations[0].tokens)
    text = recording.generations[0]
    assert Generation.from_dict(text.to_dict()) == text
    older = Generation("Hi", (), (), 0, 0.5)
    assert older.to_dict()["prompt"] == "Hi" and Generation.from_dict(older.to_dict()) == older


def test_the_code_of_a_dialogue_runs(steer):
    code = clamp_code(TALK, [Clamp(31, 8.0, "assistant")], n_tokens=3, seed=0, temperature=0.0)
    *_, line = code.splitlines()
    import saewidgets as sw

    said = []
    exec(line, {"sw": sw, "steer": steer, "print": said.append})
    assert said == [steer.generate(TALK, [Clamp(31, 8.0, "assistant")], n_tokens=3, temperature=0.0).text]
