"""Code to paste names the model, the SAE and the texts that a record names, whatever they are."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest
import sample_records

import saewidgets as sw
from saewidgets.records.code import corpus_code, model_code, pair_code, sae_code
from saewidgets.steering import Steerer
from saewidgets.widgets import ClampPanel

SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"


def board():
    """A dashboard of another model than the bundled one."""
    data = sample_records.dashboard()
    site = replace(data.passport.site, model_name=SMOLLM2)
    passport = replace(data.passport, site=site, corpus="20 texts", sae_name="mine", weights="bfloat16, from Q4_1")
    return replace(data, passport=passport)


def calls(code: str) -> dict[str, list[str]]:
    """{name of a function of saewidgets: its arguments as Python} of code that parses."""
    found = {}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found[node.func.attr] = [ast.unparse(a) for a in (*node.args, *(k.value for k in node.keywords))]
    return found


@pytest.mark.parametrize(
    ("name", "weights", "expected"),
    [
        ("", "", "sw.load_model()"),
        ("miniworld", "", "sw.load_model()"),
        ("miniworld", "bfloat16", "sw.load_model(dtype='bfloat16')"),
        ("gpt2", "", "sw.load_model('gpt2')"),
        ("google/gemma-2-2b", "float16", "sw.load_model('google/gemma-2-2b', dtype='float16')"),
        (SMOLLM2, "bfloat16, from Q4_1", "sw.load_model('smollm2', dtype='bfloat16')"),
        (SMOLLM2, "float32, from Q4_1", "sw.load_model('smollm2')"),
        (SMOLLM2, "bfloat16", f"sw.load_model({SMOLLM2!r}, dtype='bfloat16')"),  # the hub's own weights
        (
            "x')\nimport os",
            "y",
            'sw.load_model("x\')\\nimport os")',
        ),  # a name from a file of somebody else stays a name
    ],
)
def test_a_model_is_loaded_by_what_it_is_called(name, weights, expected):
    assert model_code(name, weights) == expected
    ast.parse(expected)


def test_other_texts_are_not_taken_for_the_bundled_corpus():
    assert corpus_code("miniworld, 2000 documents, seed 1") == "corpus = sw.load_corpus()"
    assert corpus_code("20 texts\nimport os") == "corpus = ...  # your texts: '20 texts\\nimport os'"
    assert sae_code() == "sw.load_sae()"
    assert pair_code(board().passport) == "model, sae = sw.load_model('smollm2', dtype='bfloat16'), sw.load_sae('mine')"


@pytest.mark.parametrize(
    "make",
    [
        sw.FeatureDashboard,
        lambda data: sw.FeatureSearch(data, "bridge"),
        lambda data: ClampPanel(sample_records.Writer(), data, features=[31]),
        lambda data: sw.FeatureProbe(replace(sample_records.prompt(), passport=data.passport)),
        lambda data: sw.DoseResponse(replace(sample_records.dose_response(), model_name=SMOLLM2, sae_name="mine")),
    ],
    ids=["dashboard", "search", "clamp", "probe", "dose-response"],
)
def test_every_instrument_names_its_own_model(make):
    found = calls(make(board()).to_code())
    assert found["load_model"][0] in ("'smollm2'", repr(SMOLLM2)) and found["load_sae"] == ["'mine'"]
    assert "load_corpus" not in found


def test_a_search_with_a_model_knows_whose_features_it_finds(tiny_model, tiny_sae):
    source = sw.searcher(tiny_model, tiny_sae)
    shown = sw.FeatureSearch(source, mode="token")
    assert shown._passport == source.passport.sentence() and tiny_model.name in shown._passport
    assert calls(shown.to_code())["load_model"] == [repr(tiny_model.name)]


@pytest.fixture
def tiny_sae(tiny_model):
    return sw.SAE(sw.SAEConfig(32, 48, "topk", k=4, site=sw.site(tiny_model, "blocks.1.hook_resid_post")))


# --- prompts to begin with


def test_a_panel_begins_in_its_models_own_form(tiny_model, tiny_sae, monkeypatch):
    steer = Steerer(tiny_model, tiny_sae)
    monkeypatch.setattr(tiny_model, "chat_format", "[INST] {} [/INST]")
    panel = ClampPanel(steer, sample_records.dashboard())
    assert panel.prompt == "[INST] What is your physical form? [/INST]"
    assert panel._examples[1] == ["Tell me about yourself.", "[INST] Tell me about yourself. [/INST]"]
    assert ClampPanel(steer, sample_records.dashboard(), prompt="The cat").prompt == "The cat"

    monkeypatch.setattr(tiny_model, "chat_format", "")
    assert not tiny_model.chats
    panel = ClampPanel(steer, sample_records.dashboard())  # a base model: nothing in a form that it never saw
    assert panel.prompt == "Yesterday I went for a walk and" and len(panel._examples) == 2

    monkeypatch.setattr(tiny_model, "_vocabulary", None)
    assert steer.examples == {} and ClampPanel(steer, sample_records.dashboard()).prompt == ""


def test_a_template_that_refuses_leaves_texts_to_continue(tiny_model, tiny_sae, monkeypatch):
    def refuse(message, **options):
        raise ValueError("the chat template does not take this dialogue")

    monkeypatch.setattr(tiny_model, "chat_format", "{}")
    monkeypatch.setattr(tiny_model, "chat", refuse)
    assert list(Steerer(tiny_model, tiny_sae).examples) == ["Yesterday I went for a walk and", "1,2,3,4,5,6,7,8,9,10"]


def test_prompts_of_ones_own_have_names_or_are_their_own():
    def made(examples):
        return ClampPanel(sample_records.Writer(), sample_records.dashboard(), examples=examples)._examples

    assert made(["The cat"]) == [["The cat", "The cat"]]
    assert made({"cat": "<|user|>The cat"}) == [["cat", "<|user|>The cat"]]
    with pytest.raises(TypeError, match="examples must be a list, such as"):
        made("The cat")
    with pytest.raises(TypeError, match="examples are texts, and 3 was given, a int"):
        made([3])


def test_a_source_without_prompts_of_its_own_gets_the_mini_worlds():
    panel = ClampPanel(sample_records.Writer(), sample_records.dashboard())
    assert panel.prompt == "Human: What is your physical form?\nAssistant:"
    assert panel._examples[0] == ["What is your physical form?", panel.prompt]
