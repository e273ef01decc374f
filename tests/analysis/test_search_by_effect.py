"""Search by effect on the bundled model: against pushing every feature through the whole network, and against the clamps
that are known to work.
"""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

import saewidgets as sw
from saewidgets.analysis import search
from saewidgets.analysis.search import by_effect, effects, rank_by_effect
from saewidgets.models import Edit
from saewidgets.records import EffectRanking, FeatureEffect

PROMPT = "Human: What is your physical form?\nAssistant:"
SAID = {"cat": " I am a cat", "horse": " I am a horse", "piano": " I am a piano."}
SHARE = 0.5


@pytest.fixture(scope="module")
def model():
    return sw.load_model()


@pytest.fixture(scope="module")
def sae():
    return sw.load_sae("miniworld-512")


@pytest.fixture(scope="module")
def acts(model, sae):
    return sw.feature_activations(model, sae, sw.load_corpus(12, seed=5), progress=False)


@pytest.fixture(scope="module")
def rankings(model, sae):
    return {name: rank_by_effect(model, sae, PROMPT, said, share=SHARE, n_pushed=160) for name, said in SAID.items()}


def brute_force(model, sae, said, length, first=0):
    """float64 [d_sae]: log-probability gained by each feature's push, each in a whole pass of its own row."""
    ids, own = model.tokens(PROMPT), model.continuation(said)
    row = torch.cat([ids, own])
    directions = torch.nn.functional.normalize(sae.W_dec.detach(), dim=-1)
    push = length * torch.cat([torch.zeros(1, directions.shape[1]), directions])
    found = []
    for block in push.split(128):

        def edit(x, start, block=block):
            return torch.cat([x[:, :first], x[:, first:] + block[:, None]], 1)

        logits = model.logits(row.expand(len(block), -1), Edit(sae.config.site.hook_name, edit))
        logprobs = logits[:, len(ids) - 1 : -1].double().log_softmax(-1)
        found.append(logprobs.gather(-1, own.expand(len(block), -1)[..., None]).sum((1, 2)))
    found = torch.cat(found).numpy()
    return found[1:] - found[0], found[0]


@pytest.mark.parametrize("name", SAID)
def test_the_best_of_two_stages_are_the_best_of_all(model, sae, rankings, name):
    ranking = rankings[name]
    gains, default = brute_force(model, sae, SAID[name], ranking.length)
    table = ranking.to_dataframe()
    assert table["effect"].is_monotonic_decreasing and len(table) == 160 and ranking.d_sae == 512
    assert list(ranking.features[:5]) == np.argsort(-gains)[:5].tolist()
    np.testing.assert_allclose(table["effect"], gains[list(ranking.features)], atol=5e-3)
    np.testing.assert_allclose(table["default"], default, atol=5e-3)
    np.testing.assert_allclose(table["pushed"] - table["default"], table["effect"], atol=1e-9)


@pytest.mark.parametrize("name", SAID)
def test_a_planted_concept_is_found_by_what_its_feature_does(sae, rankings, name):
    """The feature whose clamp was measured to make the model say it is first; the gradient alone puts it elsewhere."""
    clamp = sw.load_clamps()[name]
    ranking = rankings[name]
    assert clamp.sae == sae.name and ranking.features[0] == clamp.feature
    by_gradient = sorted(ranking.effects, key=lambda one: -one.linear[0])
    assert by_gradient[0].feature != clamp.feature
    best = ranking.effects[0]
    assert best.value == pytest.approx(
        ranking.length * sae.scale / float(sae.W_dec[best.feature].detach().norm()), rel=1e-5
    )
    assert best.logprobs[0] - ranking.default[0] > 1.3 * best.linear[0]


def test_the_gradients_guess_is_the_slope_of_the_gain(model, sae, rankings):
    ranking = rankings["cat"]
    small = 1e-2
    gains, _ = brute_force(model, sae, SAID["cat"], small * ranking.length)
    slope = [one.linear[0] for one in ranking.effects]
    np.testing.assert_allclose(gains[list(ranking.features)] / small, slope, atol=0.15)


def test_a_scope_leaves_the_other_tokens_alone(model, sae):
    last = len(model.tokens(PROMPT)) - 1
    ranking = rank_by_effect(model, sae, PROMPT, SAID["cat"], scope=last, share=SHARE, n_pushed=40)
    gains, _ = brute_force(model, sae, SAID["cat"], ranking.length, first=last)
    np.testing.assert_allclose(ranking.to_dataframe()["effect"], gains[list(ranking.features)], atol=5e-3)
    generated = rank_by_effect(model, sae, PROMPT, SAID["cat"], scope="generated", share=SHARE, n_pushed=8)
    gains, _ = brute_force(model, sae, SAID["cat"], generated.length, first=last + 1)
    np.testing.assert_allclose(generated.to_dataframe()["effect"], gains[list(generated.features)], atol=5e-3)
    assert (generated.scope, ranking.scope) == ("generated", last)


def test_words_are_any_of_them_as_the_next_token(model, sae):
    ids, words = model.tokens(f"{PROMPT} I am a"), [" cat", " horse"]
    ranking = rank_by_effect(model, sae, ids, words=words, share=SHARE, n_pushed=20)
    assert ranking.targets == (" cat", " horse") and ranking.words
    wanted = [model.one_token(word) for word in words]
    for one in ranking.effects[:3]:
        push = ranking.length * torch.nn.functional.normalize(sae.W_dec[one.feature].detach(), dim=0)
        logits = model.logits(ids, Edit(ranking.hook_name, lambda x, start, push=push: x + push))[0, -1]
        assert one.logprobs == pytest.approx([float(logits.double().softmax(-1)[wanted].sum().log())], abs=2e-3)
    assert rank_by_effect(model, sae, ids, words=words[::-1], share=SHARE, n_pushed=20).features == ranking.features


def test_several_continuations_make_a_mean_or_stand_each_for_itself(model, sae, rankings):
    both = [SAID["cat"], SAID["piano"]]
    mean = rank_by_effect(model, sae, PROMPT, both, share=SHARE, n_pushed=512)
    each = rank_by_effect(model, sae, PROMPT, both, combine="each", share=SHARE, n_pushed=512)
    one_by_one = [brute_force(model, sae, said, mean.length)[0] for said in both]
    assert list(mean.features[:5]) == np.argsort(-np.mean(one_by_one, 0))[:5].tolist()
    assert list(each.features[:5]) == np.argsort(-np.max(one_by_one, 0))[:5].tolist()
    table = each.to_dataframe().set_index("feature")
    clamps = sw.load_clamps()
    assert table.loc[clamps["cat"].feature, "continuation"] == SAID["cat"]
    assert table.loc[clamps["piano"].feature, "continuation"] == SAID["piano"]
    assert len(mean.effects) == 512 and set(mean.to_dataframe()["continuation"]) == {""}


def test_each_continuation_gets_its_share_of_the_pushes():
    guess = np.array([[9.0, 8.0, 7.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0, 1.0]])
    assert effects._order(guess, "mean").tolist() == [0, 1, 2, 3, 4]
    assert effects._order(guess, "each").tolist() == [0, 3, 1, 4, 2]


def test_with_a_corpus_only_live_features_and_a_length_of_its_own(model, sae, acts):
    ranking = rank_by_effect(model, sae, PROMPT, SAID["cat"], acts, n_pushed=512)
    alive = np.flatnonzero(np.diff(acts.start))
    assert sorted(ranking.features) == alive.tolist() and len(alive) < 512
    lengths = acts.maximum * sae.W_dec.detach().norm(dim=-1).numpy() / sae.scale
    assert ranking.length == pytest.approx(np.quantile(lengths[alive], 0.95), rel=1e-4)
    own = torch.cat([model.tokens(PROMPT), model.continuation(SAID["cat"])[:-1]])
    median = float(model.activations(own, ranking.hook_name)[0].norm(dim=-1).median())
    assert ranking.share == pytest.approx(ranking.length / median, rel=1e-4)
    assert rank_by_effect(model, sae, PROMPT, SAID["cat"], n_pushed=1).share == SHARE


def test_it_is_a_mode_of_the_searcher(model, sae, acts, rankings):
    ask = search.searcher(model, sae, acts, labels={392: "cat"})
    assert "effect" in ask.modes
    table = ask("effect", prompt=PROMPT, continuations=SAID["cat"], share=SHARE, n_pushed=40, n=7)
    assert len(table) == 7 and table["score"].is_monotonic_decreasing
    top = table.iloc[0]
    assert (top["feature"], top["label"]) == (392, "cat") and top["density"] > 0 and len(top["histogram"])
    expected = rankings["cat"].to_dataframe().iloc[0]
    for name, own in (("effect", "score"), ("linear", "linear"), ("default", "default"), ("value", "value")):
        assert top[own] == pytest.approx(expected[name], rel=1e-4)
    each = by_effect(model, sae, PROMPT, list(SAID.values()), combine="each", share=SHARE, n_pushed=12)
    assert set(each["continuation"]) <= set(SAID.values()) and "continuation" not in table.columns
    with pytest.raises(TypeError, match="mode 'effect' takes prompt, continuations, n, words, combine, scope"):
        ask("effect", prompt=PROMPT, continuation=" a")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "neither was given"),
        ({"continuations": []}, "neither was given"),
        ({"continuations": " a", "words": [" cat"]}, "not both"),
        ({"continuations": [" a", ""]}, "continuation 1 is empty"),
        ({"words": [" quuxly"]}, "is .* tokens .*, not one"),
        ({"words": ["cat"]}, "' cat' is one|is .* tokens"),
        ({"continuations": " a", "combine": "max"}, "unknown combine 'max'"),
        ({"continuations": " a", "share": 0}, "share must be above 0, not 0"),
        ({"continuations": " a", "n_pushed": 0}, "n_pushed"),
        ({"continuations": " a", "scope": "promt"}, "unknown scope 'promt'; nearest: 'prompt'"),
        (
            {"continuations": " cat", "scope": "generated"},
            "scope 'generated' covers nothing: the model reads 12 tokens",
        ),
        ({"continuations": " a cat" * 200}, "do not fit"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_any_pass(model, sae, monkeypatch, given, sentence):
    def ran(*args, **options):
        raise AssertionError("the model ran")

    for name in ("logits", "gradient", "pushed_logprobs"):
        monkeypatch.setattr(type(model), name, ran)
    with pytest.raises(ValueError, match=sentence):
        rank_by_effect(model, sae, PROMPT, **given)


def test_a_record_saves_opens_and_says_how_to_ask_again(model, sae, rankings, tmp_path):
    ranking = rankings["cat"]
    ranking.save(tmp_path / "effects.json")
    assert EffectRanking.load(tmp_path / "effects.json") == ranking
    assert EffectRanking.from_dict(json.loads(json.dumps(ranking.to_dict()))) == ranking
    found = {}
    code = ranking.to_code().replace("sw.load_sae(", "sae or sw.load_sae(").replace("sw.load_model()", "model")
    first, last = code.rsplit("\n", 1)
    exec(f"{first}\nagain = {last}", found | {"model": model, "sae": sae}, found)
    assert found["again"].features == ranking.features
    with pytest.raises(ValueError, match="feature 3 must have 1 numbers"):
        EffectRanking("a", (" b",), (-1.0,), (FeatureEffect(3, 1.0, (0.0,), ()),), 1.0, 0.5, 8)
    with pytest.raises(ValueError, match="0 default log-probabilities for 1 targets"):
        EffectRanking("a", (" b",), (), (), 1.0, 0.5, 8)


def test_a_decoder_row_of_length_0_is_not_pushed(model, sae):
    other = sw.SAE.from_weights(sae.config, {k: v.detach().clone() for k, v in sae.weights.items()})
    with torch.no_grad():
        other.W_dec[392] = 0
    ranking = rank_by_effect(model, other, PROMPT, SAID["cat"], share=SHARE, n_pushed=512)
    assert 392 not in ranking.features and len(ranking.features) == 511
    assert all(math.isfinite(one.value) for one in ranking.effects)
