"""Code to paste names the model, the SAE and the texts that a record names, whatever they are."""

from __future__ import annotations

import ast
from dataclasses import replace

import ipywidgets
import numpy as np
import pandas as pd
import pytest
import sample_records
import torch

import saewidgets as sw
from saewidgets.records.code import corpus_code, model_code, opening, sae_code
from saewidgets.steering import Steerer
from saewidgets.training import train
from saewidgets.widgets import ClampPanel
from saewidgets.widgets.explorer import Explorer

SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()


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
    assert opening(board().passport) == (
        "import saewidgets as sw\n"
        "model = sw.load_model('smollm2', dtype='bfloat16')\n"
        "sae = ...  # your SAE 'mine': sw.load_sae of its folder, or train it again\n"
        "corpus = ...  # your texts: '20 texts'\n"
    )


@pytest.mark.parametrize("name", ["", "mine", "miniworld", "t8k\nimport os"])
def test_an_sae_whose_files_nobody_named_is_a_line_to_fill_in(name):
    code = opening(replace(board().passport, sae_name=name))
    assert "load_sae(" not in code and code.splitlines()[2].startswith("sae = ...  # your SAE")
    assert len(code.splitlines()) == 4 and len(ast.parse(code).body) == 4  # a name never becomes code


def the_map(data):
    own = data.passport
    shown = sample_records.feature_map()
    saes = tuple(replace(s, model=own.model_name, weights=own.weights, corpus=own.corpus) for s in shown.saes)
    return sw.FeatureMap(replace(shown, saes=saes))


def the_monitor(data):
    sae = sw.SAE(sw.SAEConfig(4, 8, "topk", k=2, site=replace(data.passport.site, d_in=4)))
    return sw.TrainingMonitor(train(sae, [torch.randn(16, 4)], sw.TrainConfig(steps=1)))


def the_view(data):
    probe = sw.FeatureProbe(replace(sample_records.prompt(), passport=data.passport))
    return Explorer(ClampPanel(sample_records.Writer(), data), sw.FeatureDashboard(data, feature=31), probe)


def the_directions(data):
    shown = sample_records.directions()
    spaces = tuple(replace(space, sae_name=data.passport.sae_name) for space in shown.spaces)
    named = {"model_name": data.passport.model_name, "weights": data.passport.weights, "spaces": spaces}
    return sw.DirectionsLab(replace(shown, **named))


RELEASED = "gpt2-small-res-jb/blocks.8.hook_resid_pre"
MAKE = {
    "dashboard": sw.FeatureDashboard,
    "search": lambda data: sw.FeatureSearch(data, "bridge"),
    "clamp": lambda data: ClampPanel(sample_records.Writer(), data, features=[31]),
    "probe": lambda data: sw.FeatureProbe(replace(sample_records.prompt(), passport=data.passport)),
    "dose-response": lambda data: sw.DoseResponse(
        replace(
            sample_records.dose_response(),
            model_name=data.passport.model_name,
            sae_name=data.passport.sae_name,
            weights=data.passport.weights,
            corpus=data.passport.corpus,
        )
    ),
    "specificity": lambda data: sw.SpecificityLab(
        replace(
            sample_records.specificity(),
            model_name=data.passport.model_name,
            sae_name=data.passport.sae_name,
            weights=data.passport.weights,
            corpus=data.passport.corpus,
        )
    ),
    "directions": the_directions,
    "map": the_map,
    "architecture": lambda data: sw.ArchitecturePanel(
        replace(sample_records.token_parts(), text="Golden Gate.", passport=data.passport)
    ),
    "monitor": the_monitor,
    "explorer": the_view,
}


@pytest.mark.parametrize(
    ("name", "weights", "loaded"),
    [(SMOLLM2, "bfloat16, from Q4_1", "'smollm2'"), ("gpt2", "", "'gpt2'")],
    ids=["smollm2", "gpt2"],
)
@pytest.mark.parametrize("make", MAKE)
def test_every_instrument_names_its_own_model(make, name, weights, loaded):
    data = board()
    site = replace(data.passport.site, model_name=name)
    passport = replace(data.passport, site=site, weights=weights, sae_name=RELEASED)
    shown = MAKE[make](replace(data, passport=passport))
    found = calls(shown.to_code())
    if make == "monitor":  # a site does not know what the weights are, so the hub's own name stands there
        assert found["load_model"] == [repr(name)]
    else:
        assert found["load_model"] == [loaded, *(["'bfloat16'"] if weights else [])]
    assert "load_corpus" not in found
    if make == "map":
        assert "for name in ['small', 'large']" in shown.to_code()
    elif make != "monitor":
        assert found["load_sae"] == [f"{RELEASED!r}"]


def test_the_two_layers_keep_the_text_that_they_are_of(tmp_path):
    parts = replace(sample_records.token_parts(), text='The "Golden Gate"\nBridge', passport=board().passport)
    parts.save(tmp_path / "parts.safetensors")
    again = sw.records.TokenParts.load(tmp_path / "parts.safetensors")
    assert (again.text, again.passport) == (parts.text, parts.passport)
    code = sw.ArchitecturePanel(again, position=1).to_code()
    scope = {"sw": None}
    exec(next(line for line in code.splitlines() if line.startswith("text = ")), scope)
    assert scope["text"] == parts.text and code.endswith("sw.ArchitecturePanel(parts, position=1)")
    old = sw.ArchitecturePanel(sample_records.token_parts()).to_code()  # of a file from before the text was kept
    assert "text = ...  # your text: ' Golden Gate.'" in old


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("miniworld, 400 documents, seed 1", "corpus = sw.load_corpus(400)"),
        ("miniworld, 2000 documents, seed 3", "corpus = sw.load_corpus(seed=3)"),
        ("miniworld, 60 documents, seed 3, in rows of 32 tokens", "corpus = sw.load_corpus(60, seed=3).split(32)"),
        ("miniworld, 60 documents, seed 1 (2 of 60 texts split)", "corpus = sw.load_corpus(60)"),
    ],
)
def test_the_corpus_of_the_mini_world_comes_back_as_large_as_it_was(name, line):
    assert corpus_code(name) == line


# --- the code runs, and gives what it is of


@pytest.fixture(scope="module")
def small():
    """A few documents read by a bundled SAE, and the records that every instrument below shows."""
    model, sae, corpus = sw.load_model(), sw.load_sae("miniworld-512"), sw.load_corpus(60)
    acts = sw.feature_activations(model, sae, corpus, progress=False)
    return model, sae, corpus, acts, sw.dashboard_data(model, sae, acts, progress=False)


@pytest.fixture
def rerun(small, monkeypatch):
    """What the last line of a piece of code gives, with the models of `small` where it loads them anew."""
    model, sae, *_ = small
    monkeypatch.setattr(sw, "load_model", lambda *a, **k: model)
    monkeypatch.setattr(sw, "load_sae", lambda name: sae)

    def run(shown):
        *body, last = ast.parse(shown.to_code()).body
        scope: dict[str, object] = {}
        exec(compile(ast.Module(body, []), "to_code", "exec"), scope)
        return eval(compile(ast.Expression(last.value), "to_code", "eval"), scope)

    return run


def test_the_code_of_a_dashboard_and_of_a_probe_gives_them_again(small, rerun):
    model, sae, _corpus, acts, data = small
    board = sw.FeatureDashboard(data, feature=data.summaries[5].feature)
    again = rerun(board)
    assert board.wait(60) and again.wait(60)  # both measure what is shown in the background
    assert again.shown == board.shown and again.data.passport == data.passport
    probe = sw.FeatureProbe(sw.prober(model, sae, acts), "The fog is cold.", pinned=[3], sort="share")
    again = rerun(probe)
    assert (again.feature, again.pinned, again.sort) == (probe.feature, [3], "share")
    pd.testing.assert_frame_equal(again.to_dataframe(), probe.to_dataframe())


def test_the_code_of_a_search_and_of_the_two_layers_gives_them_again(small, rerun):
    model, sae, corpus, acts, data = small
    search = sw.FeatureSearch(sw.searcher(model, sae, acts, corpus=corpus, data=data), " bridge", mode="token")
    search.wait(60)
    again = rerun(search)
    again.wait(60)
    assert len(search.data) and again.data.feature.tolist() == search.data.feature.tolist()
    panel = sw.ArchitecturePanel(sw.token_parts(model, sae, "The fog is cold."), position=2)
    again = rerun(panel)
    assert again.position == 2 and again._shown == panel._shown


def test_the_code_of_a_map_gives_the_same_places(small, rerun):
    model, sae, corpus, acts, _ = small
    shown = sw.FeatureMap(sw.feature_map([sae], [acts], model=model, corpus=corpus, method="pca", progress=False))
    again = rerun(shown)
    assert again.data.concepts == shown.data.concepts and np.array_equal(again.data.x, shown.data.x)


def test_the_code_of_a_clamp_writes_the_same_text(small, rerun, capsys):
    model, sae, _, _, data = small
    feature = data.summaries[5].feature
    panel = ClampPanel(Steerer(model, sae), data, multiples={feature: 1.5}, n_tokens=8, seed=3)
    panel.write()
    panel.wait(60)
    rerun(panel)
    assert capsys.readouterr().out == panel.clamped.text + "\n" != "\n"


def test_the_code_of_a_sweep_measures_the_same_texts(small, rerun):
    model, sae, _, acts, data = small
    sweep = sw.dose_response(model, sae, data.summaries[5].feature, prompt="The fog", multiples=[1.0], seeds=[4, 7], n_tokens=6,
                             acts=acts, scope="generated", concept="fog", kinds=["clamp", "random_feature"], progress=False)  # fmt: skip
    again = rerun(sw.DoseResponse(sweep))
    assert again.data == sweep and {t.kind for t in sweep.texts} == {"none", "clamp", "random_feature"}


def test_the_code_of_one_view_opens_it_on_the_same_feature(small, rerun):
    model, sae, *_ = small
    view = sw.explore(model, sae, feature=data_feature(small), n_texts=60, progress=False)
    again = rerun(view)
    assert again.feature == view.feature == again.clamp.feature == again.probe.feature
    assert again.data.passport == view.data.passport and again.data.passport.corpus == "miniworld, 60 documents, seed 1"


def data_feature(small):
    return small[-1].summaries[5].feature


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


def test_a_source_without_prompts_of_its_own_gets_those_that_its_model_knows():
    panel = ClampPanel(sample_records.Writer(), board())  # of another model than the bundled one
    assert panel.prompt == "Yesterday I went for a walk and" and len(panel._examples) == 2
    panel = ClampPanel(sample_records.Writer(), sample_records.dashboard())
    assert panel.prompt == "Human: What is your physical form?\nAssistant:"
    assert panel._examples[0] == ["What is your physical form?", panel.prompt]
