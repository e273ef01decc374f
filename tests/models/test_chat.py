"""Chat templates: those of well-known models as transformers renders them, and those that would never end."""

from __future__ import annotations

import shutil

import pytest
from chat_templates import CHATML, GEMMA, LLAMA_3, MIXED

from saewidgets.models import load_model
from saewidgets.models.chat import render

pytest.importorskip("jinja2")

WHO = [{"role": "user", "content": " Who are you, <é>? "}]
SYSTEM = [{"role": "system", "content": "Be a cat."}]
NAMES = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}


def test_well_known_templates_by_hand():
    assert render(CHATML, WHO, NAMES) == "<|im_start|>user\n Who are you, <é>? <|im_end|>\n<|im_start|>assistant\n"
    assert render(LLAMA_3, SYSTEM + WHO, {"bos_token": "<B>"}) == (
        "<B><|start_header_id|>system<|end_header_id|>\n\nBe a cat.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"
        "Who are you, <é>?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    assert render(GEMMA, WHO, {"bos_token": "<bos>"}) == (
        "<bos><start_of_turn>user\nWho are you, <é>?<end_of_turn>\n<start_of_turn>model\n"
    )
    with pytest.raises(ValueError, match=r"^System role not supported$"):
        render(GEMMA, SYSTEM + WHO, NAMES)


@pytest.mark.parametrize("template", [CHATML, LLAMA_3, GEMMA, MIXED], ids=["ChatML", "Llama 3", "Gemma", "mixed"])
def test_a_template_is_rendered_as_transformers_does_it(tiny_model, template):
    tokenizer = tiny_model.hooked.tokenizer
    names = {name: str(token) for name, token in tokenizer.special_tokens_map.items()}
    for turns in (WHO, [*WHO, {"role": "assistant", "content": "An owl."}, *WHO]):
        expected = tokenizer.apply_chat_template(
            turns, chat_template=template, tokenize=False, add_generation_prompt=True
        )
        assert render(template, turns, names) == expected


ENDLESS = {
    "nested loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "a long text": "{{ ('a' * 3000000000) | length }}",
    "text that doubles": "{% set ns = namespace(t='a') %}{% for i in range(60) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}",
    "a wide text": "{{ 'a' | center(3000000000) | length }}",
    "a format": "{{ '%3000000000d' % 1 }}",
    "a large number": "{{ (10 ** (10 ** 9)) % 7 }}",
    "itself": "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "much text": "{% for a in range(99999) %}{{ 'a' * 99 }}{% endfor %}",
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_template_that_takes_time_or_memory_is_a_sentence(tiny_folder, tmp_path, kind):
    folder = tmp_path / "talker"
    shutil.copytree(tiny_folder, folder)
    (folder / "chat_template.jinja").write_text(ENDLESS[kind], encoding="utf-8")
    model = load_model(folder)
    with pytest.raises(ValueError, match="the chat template of talker does not take this dialogue: ") as refused:
        model.chat("hi")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ raise_exception.__globals__ }}",
        "{{ namespace.__init__.__globals__ }}",
        "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
        "{% set ns = namespace(__class__=1) %}{{ ns }}",
        "{{ messages.append(1) }}",
        "{% include 'x' %}",
    ],
)
def test_a_template_reaches_nothing(template):
    try:
        assert render(template, WHO, NAMES) == ""
    except ValueError:
        pass


def test_a_text_is_rendered_once(monkeypatch):
    from saewidgets.models import chat

    first = render("{{ messages[0].content }} once", WHO, NAMES)

    def refuse(*args, **options):
        raise AssertionError("another process")

    monkeypatch.setattr(chat.subprocess, "run", refuse)
    assert render("{{ messages[0].content }} once", WHO, NAMES) == first
    with pytest.raises(AssertionError):  # this one depends on the day
        render("{{ strftime_now('%Y') }}", WHO, NAMES)
