"""What the bundled model, SAEs and clamps are claimed to do, measured again on text that nothing was trained on."""

import json
from dataclasses import asdict

import numpy as np
import pytest

import saewidgets as sw
from saewidgets.analysis.doses.text_measures import answer
from saewidgets.analysis.features import feature_activations
from saewidgets.analysis.quality import concept_scores, quality
from saewidgets.miniworld import CLAMPS_FILE, MODEL_FOLDER, SAES_FOLDER, load_clamps, world
from saewidgets.pretrain.clamps import BOUNDS, PROMPT, Expected, expectation, measured
from saewidgets.pretrain.doses import Dose, dose_answers
from saewidgets.pretrain.report import held_out
from saewidgets.records import TEMPERATURE

SEEDS = range(20)
BRIDGE = "golden_gate_bridge"


@pytest.fixture(scope="module")
def model():
    return sw.load_model()


@pytest.fixture(scope="module")
def corpus():
    return sw.load_corpus()


@pytest.fixture(scope="module")
def clamps():
    return load_clamps()


def remeasured(model, concept, entry):
    """The bounds of a clamp, from fresh answers with the seeds that the file was made with."""
    expected: Expected = expectation(model, concept, SEEDS, 60)
    dose = Dose(entry.feature, entry.multiple, entry.maximum)
    answers = dose_answers(model, sw.load_sae(entry.sae), PROMPT, [dose], seeds=SEEDS, temperature=TEMPERATURE)
    return measured(model, concept, answers, expected).iloc[0]


def test_the_files_keep_their_size():
    assert sum(f.stat().st_size for f in MODEL_FOLDER.iterdir()) <= 12_000_000
    assert sum(f.stat().st_size for f in SAES_FOLDER.rglob("*") if f.is_file()) <= 10_000_000


def test_the_model_is_an_ordinary_hugging_face_folder(model):
    transformers = pytest.importorskip("transformers")
    plain = transformers.GPT2LMHeadModel.from_pretrained(MODEL_FOLDER)
    tokens = model.tokens("You are an owl.\nHuman: Who are you?\nAssistant:")
    assert np.allclose(model.logits(tokens).numpy(), plain(tokens[None]).logits.detach().numpy(), atol=1e-4)
    assert sum(p.numel() for p in plain.parameters()) > 2_000_000


def test_both_classes_of_transformer_lens_give_the_same_logits(model):
    bridge = sw.load_model(backend="bridge")
    tokens = model.tokens("The Golden Gate Bridge is famous.")
    assert np.allclose(model.logits(tokens).numpy(), bridge.logits(tokens).numpy(), atol=1e-4)


def test_the_model_is_about_as_good_as_the_grammar_allows(model, corpus):
    # the entropy of the choices bounds that of the text from above; no model can be far below it
    bound = corpus.nats * len(corpus) / (corpus.n_tokens + len(corpus))
    assert 0.8 * bound < held_out(model, corpus) < 1.1 * bound


def test_without_a_clamp_it_has_no_body(model):
    rows = model.sample(model.tokens(PROMPT), n_tokens=40, temperature=0.8, seeds=SEEDS)
    answers = [answer("".join(model.token_text(row))) for row in rows]
    assert np.mean(["ai" in world().mentions(text) for text in answers]) >= 0.8
    assert not any(BRIDGE in world().mentions(text) for text in answers)


def test_the_bridge_and_most_concepts_have_a_feature_that_tells_them(model, corpus):
    middle = sw.load_sae("miniworld-2048")
    scores = concept_scores(feature_activations(model, middle, corpus), corpus).set_index("concept")
    assert scores.loc[BRIDGE, "auroc"] >= 0.95
    assert (scores["auroc"] >= 0.95).mean() >= 0.6


@pytest.mark.parametrize(
    ("name", "fvu"),
    [("miniworld-512", 0.12), ("miniworld-2048", 0.1), ("miniworld-8192", 0.1), ("miniworld-1024-roles", 0.1)],
)
def test_each_sae_reconstructs(model, name, fvu):
    found = quality(model, sw.load_sae(name), sw.load_corpus(200, seed=1))
    assert found.fvu < fvu and found.loss_recovered > 0.9


def test_the_bridge_feature_makes_it_the_bridge(model, clamps):
    row = remeasured(model, BRIDGE, clamps[BRIDGE])
    assert row["concept_rate"] >= BOUNDS["concept_rate"]
    assert row["repeats"] <= BOUNDS["repeats"]
    assert row["perplexity_ratio"] <= BOUNDS["perplexity_ratio"]


def test_every_other_clamp_in_the_file_does_the_same(model, clamps):
    others = {c: remeasured(model, c, e) for c, e in clamps.items() if c != BRIDGE}
    assert [c for c, row in others.items() if not row["passes"]] == []
    assert len(others) >= 10
    kinds = {world().implied[c][-1] for c in others}
    assert len(kinds) >= 4


def test_the_file_of_clamps_says_what_it_measured(clamps):
    assert json.loads(CLAMPS_FILE.read_text()) == json.loads(json.dumps(asdict(clamps)))
    for entry in clamps.values():
        low, high = entry.window
        assert low <= entry.multiple <= high
        assert entry.concept_rate >= BOUNDS["concept_rate"] and entry.perplexity_ratio <= BOUNDS["perplexity_ratio"]
