"""The features on one text, against plain loops; the record, by hand; hostile texts; saving."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest
import torch
from hostile import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.activations import ActivationStore
from saewidgets.analysis.features import feature_activations
from saewidgets.analysis.prompts import prober, prompt_activations
from saewidgets.files import LoadError
from saewidgets.models import site
from saewidgets.records import ActivationSite, FeatureActivations, Passport, PromptActivations
from saewidgets.sae import SAE, SAEConfig

HOOK = "blocks.0.hook_resid_post"
TEXTS = ["The bridge over the bay", "is red", "and the fog is cold. The fog is over the bay.", "Bay", "cold cold cold"]
TEXT = "The fog over the red bridge is cold"


@pytest.fixture(scope="module", params=["topk", "relu"])
def sae(request, tiny_model):
    store = ActivationStore(tiny_model, site(tiny_model, HOOK), TEXTS)
    sae = SAE(SAEConfig(32, 48, request.param, k=4, site=store.site, seed=1), name="tiny")
    with torch.no_grad():
        sae.b_enc.copy_(-torch.arange(48.0) / 24)
        if request.param == "relu":  # rows of norm 1, and about a quarter of the features active
            sae.W_enc.mul_(10)
            sae.W_dec.mul_(10)
            sae.b_enc.sub_(0.3)
        sae.b_enc[7] = -100.0
        sae.W_dec.mul_(torch.linspace(0.5, 2, 48)[:, None])
    return sae


@pytest.fixture(scope="module")
def acts(tiny_model, sae):
    return feature_activations(tiny_model, sae, TEXTS)


@pytest.fixture(scope="module")
def found(tiny_model, sae, acts):
    return prompt_activations(tiny_model, sae, TEXT, acts, labels={3: "three", 7: "never"})


def entries(found):
    return list(zip(found.position.tolist(), found.feature.tolist(), found.value.tolist(), strict=True))


# -- the numbers -----------------------------------------------------------------------------------------------------


def test_entries_are_the_activations_token_by_token(tiny_model, sae, found):
    ids = tiny_model.tokens(TEXT)
    x = tiny_model.activations(ids, HOOK)[0]
    expected = {}
    for p in range(1, len(ids)):  # 0 is the beginning of the text
        a = sae.encode(x[p]).detach()
        expected |= {(p, f): float(a[f]) for f in a.nonzero()[:, 0].tolist()}
    assert {(p, f) for p, f, _ in entries(found)} == set(expected)
    for p, f, value in entries(found):
        assert value == pytest.approx(expected[p, f], rel=1e-4, abs=1e-5)
    assert entries(found) == sorted(entries(found), key=lambda e: (e[0], -e[2], e[1]))
    assert found.listed.tolist() == sorted({f for _, f in expected})
    assert found.token_ids == tuple(ids.tolist())
    assert found.tokens == tuple(tiny_model.display(ids))
    assert found.counted == (False, *[True] * (len(ids) - 1))


def test_the_special_token_in_the_middle_of_a_text_holds_no_activation(tiny_model, sae):
    found = prompt_activations(tiny_model, sae, "red<|endoftext|>bay")
    assert found.token_ids.count(0) == 2
    middle = found.token_ids.index(0, 1)
    assert not found.counted[middle] and middle not in found.position.tolist()


def test_losses_are_negative_log_probabilities_of_each_token(tiny_model, found):
    ids = tiny_model.tokens(TEXT)
    logits = tiny_model.logits(ids)[0].double()
    assert math.isnan(found.loss[0])
    for p in range(1, len(ids)):
        p_token = torch.softmax(logits[p - 1], -1)[ids[p]]
        assert found.loss[p] == pytest.approx(-math.log(p_token), abs=1e-4)


def test_maxima_densities_and_quantiles_are_those_of_the_corpus(found, acts):
    for i, f in enumerate(found.listed.tolist()):
        known = acts.of(f)[2]
        assert found.maximum[i] == (known.max() if len(known) else 0)
        assert found.density[i] == pytest.approx(len(known) / acts.n_tokens)
    for (_, f, value), quantile in zip(entries(found), found.quantile, strict=True):
        known = acts.of(f)[2].tolist()
        if known:
            assert quantile == pytest.approx(sum(v <= np.float32(value) for v in known) / len(known))
        else:
            assert math.isnan(quantile)
    assert found.passport.n_tokens == acts.n_tokens
    assert found.labels == ({3: "three"} if 3 in found.listed else {})


def test_a_quantile_counts_equal_activations(tiny_model, sae, found):
    """A corpus in which a feature has half of this activation, this very one twice, and the double of it."""
    f, value = int(found.feature[0]), found.value[0]
    start = np.zeros(49, np.int64)
    start[f + 1 :] = 4
    acts = FeatureActivations(
        tokens=np.full((1, 5), 9, np.int32),
        context=np.zeros(4, np.int32),
        position=np.arange(4, dtype=np.int32),
        value=np.array([value * 2, value, value / 2, value], np.float32),
        start=start,
        counted=np.ones((1, 5), bool),
    )
    again = prompt_activations(tiny_model, sae, TEXT, acts)
    row = again.listed.tolist().index(f)
    assert again.quantile[0] == 0.75
    assert (again.maximum[row], again.density[row]) == (value * 2, np.float32(0.8))
    others = again.listed != f
    assert (again.maximum[others] == 0).all() and (again.density[others] == 0).all()
    assert np.isnan(again.quantile[again.feature != f]).all()


def test_without_a_corpus_they_are_unknown(tiny_model, sae, found):
    bare = prompt_activations(tiny_model, sae, TEXT)
    assert entries(bare) == entries(found)
    for array in (bare.maximum, bare.density, bare.quantile):
        assert np.isnan(array).all() and len(array)
    assert bare.passport.n_tokens == 0 and "no corpus" in bare.passport.sentence()


def test_what_does_not_belong_together_is_refused(tiny_model, sae, acts):
    other = SAE(SAEConfig(32, 8, site=sae.config.site))
    for ask in (prompt_activations, lambda m, s, t, a: prober(m, s, a)):
        with pytest.raises(ValueError, match="of 48 features, the SAE has 8"):
            ask(tiny_model, other, TEXT, acts)
        with pytest.raises(ValueError, match="does not say where it reads"):
            ask(tiny_model, SAE(SAEConfig(32, 8)), TEXT, None)


def test_a_prober_gives_what_prompt_activations_gives(tiny_model, sae, acts, found):
    probe = prober(tiny_model, sae, acts, labels={3: "three", 7: "never"})
    assert probe(TEXT).to_dict() == found.to_dict()
    measured = probe(TEXT, target=" bay", losses=[int(found.listed[0])])
    assert measured.attribution is not None and measured.loss_effect is not None
    assert probe(TEXT).to_dict() == found.to_dict()  # what was measured once does not stick
    assert probe("red").text == "red"


# -- the record, by hand ---------------------------------------------------------------------------------------------


def record(**changes):
    """Three tokens after the beginning of the text; features 2, 5 and 9 of 10."""
    fields = {
        "text": "red red bay",
        "tokens": ("<|endoftext|>", "red", " red", " bay"),
        "token_ids": (0, 11, 12, 13),
        "counted": (False, True, True, True),
        "feature": [5, 2, 5, 9],
        "position": [1, 1, 2, 3],
        "value": [4.0, 1.0, 2.0, 3.0],
        "listed": [2, 5, 9],
        "passport": Passport(ActivationSite("m", "h", 4), "c", 100, 10, "relu"),
        "maximum": [1.0, 8.0, 4.0],
        "density": [0.5, 0.25, 0.125],
        "quantile": [0.5, 1.0, 0.25, 0.75],
        "loss": [math.nan, 3.0, 2.0, 1.0],
        "labels": {5: "red"},
        "target": " x",
        "baseline": " y",
        "logit_difference": 1.5,
        "attribution": [1.0, 2.0, 3.0, 4.0],
        "ablation": [1.0, 3.0, 2.0, 4.0],
        "loss_effect": [[math.nan, 0.0, 0.5, -0.25], [math.nan, 0.0, 1.0, 2.0], [math.nan, 0.0, 0.0, 0.0]],
    }
    return PromptActivations(**{**fields, **changes})


def test_one_feature_over_the_text():
    assert record().of(5).tolist() == [0, 4, 2, 0]
    assert record().of(0).tolist() == [0, 0, 0, 0]
    for wrong in (-1, 10):
        with pytest.raises(IndexError, match="features 0 to 9"):
            record().of(wrong)


def test_the_loss_effect_of_an_entry_is_on_the_token_after_it():
    assert record().next_loss_effect.tolist()[:3] == [1.0, 0.5, 2.0]  # 5 at 1 -> token 2; 2 at 1 -> 2; 5 at 2 -> 3
    assert math.isnan(record().next_loss_effect[3])
    assert record(loss_effect=None).next_loss_effect is None


def test_correlations_by_hand():
    # attribution 1 2 3 4, ablation 1 3 2 4: r = 4 / 5; activation 4 1 2 3: deviations 1.5 -1.5 -.5 .5 x -1.5 .5 -.5 1.5
    # = -2 / 5
    assert record().correlations() == pytest.approx((0.8, -0.4))
    assert record().n_ablated == 4
    some = record(ablation=[1.0, math.nan, 2.0, 6.0])
    assert some.n_ablated == 3
    assert some.correlations()[0] == pytest.approx(np.corrcoef([1, 3, 4], [1, 2, 6])[0, 1])
    for nothing in (record(ablation=None), record(ablation=[1.0] * 4), record(ablation=[math.nan] * 4)):
        assert all(map(math.isnan, nothing.correlations()))


def test_the_table_of_entries():
    frame = record().to_dataframe()
    assert frame.columns.tolist() == [
        *("position", "token", "feature", "label", "activation", "quantile", "maximum", "density"),
        *("attribution", "ablation", "loss_effect"),
    ]
    assert frame.iloc[2].tolist()[:8] == [2, " red", 5, "red", 2.0, 0.25, 8.0, 0.25]
    assert "ablation" not in record(ablation=None).to_dataframe().columns


def test_the_table_of_features_by_hand():
    frame = record().by_feature()
    assert frame["feature"].tolist() == [2, 9, 5]  # shares of the maximum: 1, 0.75, 0.5
    red = frame.iloc[2]
    assert (red["label"], red["n"], red["activation"], red["position"], red["token"]) == ("red", 2, 4.0, 1, "red")
    assert (red["quantile"], red["attribution"], red["ablation"], red["loss_effect"]) == (0.5, 4.0, 3.0, 3.0)
    unknown = record(maximum=[math.nan] * 3, passport=Passport(ActivationSite("m", "h", 4), "no corpus", 0, 10, "relu"))
    assert unknown.by_feature()["feature"].tolist() == [5, 9, 2]
    some = record(ablation=[1.0, 3.0, math.nan, 4.0]).by_feature().set_index("feature")["ablation"]
    assert math.isnan(some[5]) and some[2] == 3.0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"value": [4.0, 1.0, 2.0]}, 'value has 3 entries along "n", expected 4 as in feature'),
        ({"loss": [1.0]}, 'loss has 1 entry along "pos", expected 4 as in tokens'),
        ({"loss_effect": np.zeros((3, 3))}, 'loss_effect has 3 entries along "pos", expected 4'),
        ({"listed": [2, 5, 8]}, "not the features of the entries"),
        ({"value": [4.0, 1.0, -2.0, 3.0]}, "not a positive finite number"),
        ({"value": [4.0, 1.0, math.nan, 3.0]}, "not a positive finite number"),
        ({"value": [1.0, 4.0, 2.0, 3.0]}, "not sorted"),
        ({"position": [1, 1, 3, 2]}, "not sorted"),
        ({"position": [1, 1, 2, 4]}, "outside 0 to 3"),
        ({"passport": Passport(ActivationSite("m", "h", 4), "c", 1, 9, "relu")}, "outside 0 to 8"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        record(**changes)


# -- saving ----------------------------------------------------------------------------------------------------------


def same(a: PromptActivations, b: PromptActivations) -> bool:
    for name in a.__dataclass_fields__:
        x, y = getattr(a, name), getattr(b, name)
        if isinstance(x, np.ndarray):
            if x.dtype != y.dtype or not np.array_equal(x, y, equal_nan=x.dtype.kind == "f"):
                return False
        elif x != y and not (name == "logit_difference" and math.isnan(x) and math.isnan(y)):
            return False
    return True


def test_saved_activations_open_equal(tmp_path, tiny_model, sae, acts):
    probe = prober(tiny_model, sae, acts)
    for i, own in enumerate((record(), probe(TEXT), probe(TEXT, target=" bay", losses=True), probe(""))):
        own.save(tmp_path / f"{i}.json")
        assert same(PromptActivations.load(tmp_path / f"{i}.json"), own)


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(codec=None), max_size=30), st.dictionaries(st.integers(0, 9), st.text(max_size=9)))
def test_any_text_survives_the_file(tmp_path_factory, text, labels):
    path = tmp_path_factory.mktemp("any") / "p.json"
    own = record(text=text, tokens=(text, text, "", "x"), labels=labels)
    own.save(path)
    assert same(PromptActivations.load(path), own)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("feature"),
        lambda d: d.update(format=2),
        lambda d: d.update(extra=1),
        lambda d: d.update(text=5),
        lambda d: d.update(labels=[]),
        lambda d: d.update(labels={"x": "y"}),
        lambda d: d.update(tokens=["a", "b"]),
        lambda d: d.update(tokens=[1, 2, 3, 4]),
        lambda d: d.update(token_ids=[0, 1, 2, 2.5]),
        lambda d: d.update(counted=[0, 1, 1, 1]),
        lambda d: d.update(feature=[5, 2, 5, "9"]),
        lambda d: d.update(feature=[5, 2, 5, 9e9]),
        lambda d: d.update(feature=[5, 2, 5, 10**30]),
        lambda d: d.update(feature=None),
        lambda d: d.update(value=[[4.0], [1.0], [2.0], [3.0]]),
        lambda d: d.update(value=[4.0, 1.0, None, 3.0]),
        lambda d: d.update(loss_effect=[1.0, 2.0, 3.0]),
        lambda d: d.update(loss_effect=[[0.0] * 4, [0.0] * 3, [0.0] * 4]),
        lambda d: d.update(logit_difference="much"),
        lambda d: d.update(passport=None),
        lambda d: d["passport"].pop("site"),
        lambda d: d["passport"].update(site={"model_name": "m"}),
        lambda d: d["passport"].update(d_sae="many"),
    ],
)
def test_a_file_that_holds_something_else_is_one_error(tmp_path, spoil):
    data = copy.deepcopy(record().to_dict())
    spoil(data)
    (tmp_path / "p.json").write_text(json.dumps(data))
    with pytest.raises(LoadError, match=r"p\.json"):
        PromptActivations.load(tmp_path / "p.json")


def test_a_file_of_the_wrong_kind_is_one_error(tmp_path):
    (tmp_path / "p.json").write_text("[1, 2")
    for name in ("p.json", "none.json"):
        with pytest.raises(LoadError):
            PromptActivations.load(tmp_path / name)


# -- hostile texts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_every_text_is_read_or_refused_in_a_sentence(tiny_model, sae, text):
    try:
        found = prompt_activations(tiny_model, sae, text)
    except ValueError as error:
        lone = any("\ud800" <= c <= "\udfff" for c in text)
        assert ("surrogate" in str(error)) if lone else ("do not fit" in str(error)), error
        return
    # No character is lost; of a text that begins with the beginning-of-text token, that is the first token.
    assert tiny_model.vocabulary.decode(found.token_ids[1:]) == text.removeprefix("<|endoftext|>")
    assert all(t and t == tiny_model.display([i])[0] for t, i in zip(found.tokens, found.token_ids, strict=True))
    assert found.text == text and len(found.tokens) == len(found.loss)


def test_a_text_of_nothing_is_the_beginning_of_text_alone(tiny_model, sae):
    found = prompt_activations(tiny_model, sae, "")
    assert (found.token_ids, len(found.value), found.by_feature().shape[0]) == ((0,), 0, 0)
    assert found.to_dataframe().empty
