"""Dialogues in a model's own form: where each turn's words stand, and at which tokens an answer ends."""

from __future__ import annotations

import shutil

import pytest
from chat_templates import CHATML, GEMMA, LLAMA_3, MIXED

from saewidgets.models import load_model
from saewidgets.records import Dialogue, Turn

pytest.importorskip("jinja2")
TALK = Dialogue(
    [
        ("user", "user"),  # what the template itself says, too
        ("assistant", "An owl: é ø."),
        ("user", " Why? "),
    ]
)


def spoken(model, dialogue):
    """The text of the tokens of each turn, and of those of the template."""
    shown = model.rendered(dialogue)
    assert model.text_ids(model.written(dialogue)) == list(shown.ids) and len(shown.turn) == len(shown.ids)
    pieces = model.token_text(shown.ids)
    return ["".join(p for p, n in zip(pieces, shown.turn, strict=True) if n == at) for at in range(-1, len(dialogue))]


@pytest.fixture
def talker(tiny_folder, tmp_path):
    """A function that gives the tiny model with a chat template."""

    def made(template):
        folder = tmp_path / "talker"
        shutil.copytree(tiny_folder, folder)
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
        return load_model(folder)

    return made


@pytest.mark.parametrize(
    ("template", "around", "words"),
    [
        (
            CHATML,
            "<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n<|im_start|>user\n<|im_end|>\n"
            "<|im_start|>assistant\n",
            [" Why? "],
        ),
        (
            LLAMA_3,
            "<|start_header_id|>user<|end_header_id|>\n\n<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
            "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            ["Why?"],
        ),
        (
            GEMMA,
            "<start_of_turn>user\n<end_of_turn>\n<start_of_turn>model\n<end_of_turn>\n<start_of_turn>user\n"
            "<end_of_turn>\n<start_of_turn>model\n",
            ["Why?"],
        ),
    ],
    ids=["ChatML", "Llama 3", "Gemma"],
)
def test_every_token_is_of_its_turn_or_of_the_template(talker, template, around, words):
    model = talker(template)
    template_own, *turns = spoken(model, TALK)
    assert turns == ["user", "An owl: é ø.", *words]
    assert template_own.removeprefix("<|endoftext|>") == around
    shown = model.rendered(TALK)
    ((first, stop),) = model.answers(TALK)
    assert "".join(model.token_text(shown.ids)[first:stop]) == "An owl: é ø."


def test_a_last_answer_is_left_open_and_one_writes_on_in_it(talker):
    model = talker(CHATML)
    asked = Dialogue(TALK.turns[:1])
    begun = asked.answered("An o")
    assert model.rendered(begun).text == model.rendered(asked).text + "An o"
    ((first, stop),) = model.answers(begun)
    assert stop == len(model.tokens(begun)) and "".join(model.token_text(model.tokens(begun))[first:]) == "An o"


def test_where_a_template_changes_the_words_that_is_said(talker):
    model = talker(MIXED)  # it writes them as JSON
    quoted = Dialogue([*TALK.turns[:1], ("assistant", 'An "owl".'), *TALK.turns[2:]])
    assert model.rendered(quoted).turn is None and '"An \\"owl\\"."' in model.rendered(quoted).text
    with pytest.raises(ValueError, match="the chat template of talker changes what is said, so it cannot be told"):
        model.answers(quoted)
    assert model.answers(Dialogue(TALK.turns[:1])) == ()  # nothing to be told


def test_without_a_template_a_sentence_says_what_to_give(tiny_model):
    with pytest.raises(ValueError, match=r"tiny has no chat template: write the prompt as a text"):
        tiny_model.tokens([{"role": "user", "content": "Hi"}])
    with pytest.raises(ValueError, match=r"this prompt is a text: give its turns, such as sw.Dialogue"):
        tiny_model.answers("Hi")


def test_the_mini_worlds_form_by_hand():
    model = load_model()
    order = Dialogue([("system", "You are an owl."), *[(t.role, t.text) for t in TALK.turns[:2]], ("user", "Why?")])
    assert model.rendered(order).text == (
        "You are an owl.\nHuman: user\nAssistant: An owl: é ø.\nHuman: Why?\nAssistant:"
    )
    assert spoken(model, order)[1:] == ["You are an owl.", " user", " An owl: é ø.", " Why?"]
    assert model.turn_end_text(order) == "\nHuman:" and model.turn_end_text("Human: Why?") == ""


def test_a_special_token_that_ends_a_turn_ends_a_text(talker, monkeypatch):
    model = talker("{% for m in messages %}{{ m.role }}: {{ m.content }}<|endoftext|>\n{% endfor %}assistant:")
    assert model.turn_end.startswith("<|endoftext|>") and model.turn_end_text(TALK) == ""
    monkeypatch.setattr(model, "eos_token_id", 7)
    assert model.end_token_ids == {0, 7}  # "<|endoftext|>" is token 0
    greedy = [token for token, *_ in model.stream(model.tokens("Hi"), n_tokens=12, temperature=0)]
    monkeypatch.setattr(model, "eos_token_id", greedy[3])
    stop = greedy.index(greedy[3])
    assert [token for token, *_ in model.stream(model.tokens("Hi"), n_tokens=12, temperature=0)] == greedy[:stop]


def test_a_generation_config_ends_a_text():
    from types import SimpleNamespace

    from saewidgets.models.bridged import ends_of_text

    original = SimpleNamespace(
        config=SimpleNamespace(eos_token_id=1), generation_config=SimpleNamespace(eos_token_id=[1, 107])
    )
    assert ends_of_text(SimpleNamespace(original_model=original)) == (1, 107) and ends_of_text(object()) == ()


@pytest.mark.parametrize(
    ("turns", "error", "sentence"),
    [
        ([], ValueError, "a dialogue ends with what the user says"),
        ([("system", "Be kind.")], ValueError, "a dialogue ends with what the user says"),
        ([("user", "Hi"), ("system", "Be kind.")], ValueError, "a dialogue ends with"),
        ([("user", "Hi"), ("system", "Be kind."), ("user", "Hi")], ValueError, "comes first in a dialogue"),
        ([("usr", "Hi")], ValueError, "unknown role 'usr'; nearest: user"),
        ([("user", 3)], TypeError, "the text of a turn is a text, not 3, an int"),
        ([{"role": "user"}], TypeError, "turn 0 of the dialogue is a dict"),
        (["Hi"], TypeError, "turn 0 of the dialogue is 'Hi', a str"),
        ("Hi", TypeError, "the turns of a Dialogue must be a list"),
    ],
)
def test_what_is_no_dialogue_is_a_sentence(turns, error, sentence):
    with pytest.raises(error, match=sentence):
        Dialogue(turns)


def test_a_dialogue_goes_on():
    asked = Dialogue([{"role": "user", "content": "Who?"}])
    assert asked == Dialogue((Turn("user", "Who?"),)) and eval(repr(asked)) == asked
    on = asked.answered(" A cat.\n").asked("Why?")
    assert on.messages()[1:] == [{"role": "assistant", "content": "A cat."}, {"role": "user", "content": "Why?"}]
    assert asked.answered("A").answered(" cat. ").turns[-1].text == "A cat."
