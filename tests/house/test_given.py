"""What a person gives is used or refused, before any work is done: clamps, numbers, seeds, scopes, kinds."""

from __future__ import annotations

import decimal
import fractions
import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import saewidgets as sw
from saewidgets.activations import check_pair
from saewidgets.analysis.search import by_token_promoted
from saewidgets.models.passes import Passes
from saewidgets.records import Analogy, AnalogySet, Clamp, ClampRecording, Generation, Steer, clamp_code, interventions
from saewidgets.records.arguments import SEEDS, listed, real, seed_of, whole
from saewidgets.sae import SAE, SAEConfig
from saewidgets.steering import (
    Steerer,
    add_feature,
    clamp_edit,
    intervention_edit,
    mean_difference,
    noise_like,
    record_clamps,
    row_edit,
)

HOOK = "blocks.0.hook_resid_post"
PROMPT = "The fog"

NO_CLAMPS = {
    "a tuple": ([(31, 60.0)], r"clamps\[0\] is \(31, 60.0\), a tuple: give a Clamp, such as sw.Clamp\(31, 60.0\)"),
    "a dict": (
        [{"feature": 31, "value": 60.0}],
        r"clamps\[0\] is .*, a dict: give a Clamp, such as sw.Clamp\(31, 60.0\)",
    ),
    "a mapping": ({31: 60.0}, r"a dict was given, \{31: 60.0\}: give a Clamp, such as sw.Clamp\(31, 60.0\)"),
    "nested": ([[Clamp(3, 6.0)]], r"clamps\[0\] is \[Clamp.*, a list: give one list of them"),
    "None in it": ([Clamp(3, 6.0), None], r"clamps\[1\] is None, a NoneType: give a Clamp"),
    "None": (None, r"must be a list, such as \[sw.Clamp\(31, 8.0\), ...\], not None"),
    "a text": ("31", "must be a list, .* not '31'"),
    "a number": (31, "must be a list, .* not 31"),
    "features": (np.array([3, 5]), r"clamps\[0\] is np.int64\(3\)"),
    "one clamp": (Clamp(3, 6.0), r"one Clamp was given: put it in brackets, \[sw.Clamp"),
}


@pytest.fixture(scope="module")
def sae(tiny_model):
    return SAE(SAEConfig(32, 48, "topk", k=6, site=sw.site(tiny_model, HOOK)), name="tiny")


@pytest.fixture(scope="module")
def steer(tiny_model, sae):
    return Steerer(tiny_model, sae)


DOORS = {
    "call": lambda s, c: s(PROMPT, c, n_tokens=3),
    "generate": lambda s, c: s.generate(PROMPT, c, n_tokens=3),
    "perplexity": lambda s, c: s.perplexity(PROMPT, " is", c),
    "measure": lambda s, c: s.measure(PROMPT, c, [3]),
    "record_clamps": lambda s, c: record_clamps(s, PROMPT, [c], n_tokens=3),
    "clamp_edit": lambda s, c: clamp_edit(s.sae, c),
    "intervention_edit": lambda s, c: intervention_edit(s.sae, c),
    "nearest": lambda s, c: ClampRecording(PROMPT, (Generation(PROMPT, (), (), 0, 0.5),)).nearest(c, 0),
    "code": lambda s, c: clamp_code(PROMPT, c, n_tokens=3, seed=0, temperature=0.5),
    "Generation": lambda s, c: Generation(PROMPT, (), c, 0, 0.5),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", NO_CLAMPS)
def test_what_is_no_clamp_is_refused_at_every_door_and_nothing_runs(steer, monkeypatch, door, kind):
    monkeypatch.setattr(Passes, "edited", lambda *a, **k: pytest.fail("the model ran"))
    given, words = NO_CLAMPS[kind]
    with pytest.raises(TypeError, match=words.replace("clamps", r"(clamps|grid\[0\])")):
        DOORS[door](steer, given)


def test_rows_may_be_none_and_nothing_else_that_is_no_clamp(sae):
    row_edit(sae, [None, Clamp(3, 1.0)])
    with pytest.raises(TypeError, match=r"rows\[0\] is \(3, 1.0\), a tuple"):
        row_edit(sae, [(3, 1.0)])
    with pytest.raises(TypeError, match=r"rows\[2\] is \(3, 1.0\), a tuple"):
        row_edit(sae, [None, [Clamp(3, 1.0), Clamp(4, 0.0)], (3, 1.0)])
    with pytest.raises(TypeError, match="takes Clamps only, not the Steer 'add feature 3'"):
        clamp_edit(sae, [add_feature(sae, 3)])


def test_a_comparison_of_the_panel_that_gives_no_clamps_is_said(tiny_model, sae, steer):
    acts = sw.feature_activations(tiny_model, sae, ["The bridge over the bay is red and the fog is cold."])
    data = sw.dashboard_data(tiny_model, sae, acts)
    feature = int(data.alive[0]) if hasattr(data, "alive") else int(np.flatnonzero(np.diff(acts.start))[0])
    panel = sw.ClampPanel(steer, data, features=np.array([feature]), multiples={np.int64(feature): np.float32(0.5)}, prompt=PROMPT,
                          seed=np.int64(3), n_tokens=np.int64(4), temperature=np.float32(0.5))  # fmt: skip
    assert panel.features == [feature] and type(panel.features[0]) is int and panel.seed == 3
    assert panel.multiples == {feature: 0.5}
    panel.write()
    assert panel.wait(60) and panel.clamped.clamps[0].value == 0.5 * data[feature].maximum
    with pytest.raises(TypeError, match="features must be a list, such as"):
        sw.ClampPanel(steer, data, features=feature)
    odd = sw.ClampPanel(steer, data, multiples={feature: 1.0}, prompt=PROMPT, comparisons={"x": lambda c: [(3, 1.0)]})
    with pytest.raises(TypeError, match=r"comparisons\['x'\]\(clamps\)\[0\] is \(3, 1.0\)"):
        odd.compare = "x"
        odd.write()
        odd.wait(60)


# -- numbers -----------------------------------------------------------------------------------------------------------

WHOLES = [3, 3.0, np.int64(3), np.uint8(3), np.float32(3), torch.tensor(3), torch.tensor([3]), torch.tensor(3.0).bfloat16(),
          np.array(3), fractions.Fraction(3), decimal.Decimal(3), pd.Series([3]).max()]  # fmt: skip
NOT_WHOLE = [31.9, np.float32(0.5), math.nan, math.inf, -1, torch.tensor(2.5), decimal.Decimal("2.5")]
NO_NUMBERS = [
    True,
    np.True_,
    torch.tensor(True),
    "3",
    b"3",
    None,
    [3],
    np.array([3, 5]),
    1j,
    np.complex64(1),
    pd.NA,
    object(),
]


def named(value):
    """An id that is the same in every process: the repr of a bare object holds its address."""
    return "object" if type(value) is object else repr(value)


@pytest.mark.parametrize("value", WHOLES, ids=repr)
def test_a_whole_number_of_any_kind_becomes_an_int(value):
    assert whole(value, "x") == 3 and type(whole(value, "x")) is int
    assert type(real(value, "x")) is float and real(value, "x") == 3.0
    clamp = Clamp(value, value, value)
    assert (type(clamp.feature), type(clamp.value), type(clamp.scope)) == (int, float, int)
    assert hash(clamp) == hash(Clamp(3, 3.0, 3)) and json.dumps(vars(clamp))


@pytest.mark.parametrize("value", NOT_WHOLE, ids=repr)
def test_what_is_no_whole_number_is_not_rounded(value):
    with pytest.raises(ValueError, match=r"x must be a whole number of 0 or more, not "):
        whole(value, "x", minimum=0)
    with pytest.raises(ValueError, match="the feature of a Clamp must be a whole number"):
        Clamp(value, 1.0)


@pytest.mark.parametrize("value", NO_NUMBERS, ids=named)
def test_what_is_no_number_is_named(value):
    for check in (whole, real, seed_of):
        with pytest.raises(TypeError, match=r"x must be a .*number.*, not "):
            check(value, "x")
    for build in (lambda: Clamp(value, 1.0), lambda: Clamp(3, value), lambda: Steer((1.0,), value)):
        with pytest.raises(TypeError, match=r"must be a .*number"):
            build()


@given(st.integers() | st.floats())
def test_a_number_is_kept_exactly_or_refused(value):
    try:
        found = whole(value, "x", minimum=-(2**70), maximum=2**70)
    except ValueError:
        assert not (math.isfinite(value) and value == int(value) and abs(value) <= 2**70)
    else:
        assert found == value and type(found) is int
    try:
        assert real(value, "x") == float(value)
    except ValueError:
        assert isinstance(value, int) or not math.isfinite(value)


def test_a_value_beyond_float32_is_refused_and_the_largest_is_not():
    assert Clamp(3, 3.4e38).value == 3.4e38
    for value in (3.5e38, -1e39, 10**400, math.nan):
        with pytest.raises(ValueError, match="the value of a Clamp must be a finite number"):
            Clamp(3, value)


@pytest.mark.parametrize("seed", [1.5, -1, 2**63, 2**64, math.nan])
def test_a_seed_that_is_none_is_refused_before_any_text(steer, monkeypatch, seed):
    monkeypatch.setattr(Passes, "edited", lambda *a, **k: pytest.fail("the model ran"))
    tokens = steer.model.tokens(PROMPT)
    calls = (
        lambda: steer(PROMPT, seed=seed),
        lambda: steer.generate(PROMPT, seed=seed),
        lambda: record_clamps(steer, PROMPT, [[]], seeds=[0, seed]),
        lambda: steer.model.stream(tokens, n_tokens=3, seed=seed),
        lambda: steer.model.sample(tokens, n_tokens=3, temperature=1.0, seeds=[0, seed]),
        lambda: noise_like(Steer((3.0, 4.0)), seed),
    )
    for call in calls:
        with pytest.raises(ValueError, match=f"seed must be a whole number from 0 to {SEEDS}, not {seed}"):
            call()


def test_numpy_s_numbers_give_the_same_text(steer):
    plain = steer.generate(PROMPT, [Clamp(3, 5.0)], n_tokens=4, seed=3, temperature=0.5)
    kinds = {"n_tokens": np.int64(4), "seed": np.int64(3), "temperature": np.float32(0.5)}
    assert steer.generate(PROMPT, [Clamp(np.int64(3), torch.tensor(5.0))], **kinds) == plain
    recording = record_clamps(
        steer, PROMPT, [[Clamp(np.int32(3), np.float32(5))]], seeds=np.arange(2), n_tokens=np.int64(3)
    )
    assert json.dumps(recording.to_dict())
    for options, words in (({"n_tokens": -1}, "n_tokens must be"), ({"n_tokens": 2.5}, "n_tokens must be"),
                           ({"temperature": -1}, "temperature must be"), ({"temperature": math.nan}, "temperature must be")):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            steer(PROMPT, **options)
    with pytest.raises(TypeError, match="seeds must be a list"):
        record_clamps(steer, PROMPT, [[]], seeds=3)
    assert listed((i for i in range(2)), "x", "1") == [0, 1]


@pytest.mark.parametrize("feature", [2.5, math.nan])
def test_a_fraction_of_a_feature_is_refused(steer, sae, feature):
    for call in (lambda: add_feature(sae, feature), lambda: steer.measure(PROMPT, [], [feature])):
        with pytest.raises(ValueError, match="feature must be a whole number"):
            call()


# -- scopes ------------------------------------------------------------------------------------------------------------


def test_scopes_are_known_or_refused_with_the_nearest():
    for scope in ("all", "prompt", "generated", 0, np.int64(7), "token 0", "token 12", "token -1", np.str_("all")):
        assert type(Clamp(3, 1.0, scope).scope) in (int, str)
    for scope, near in (("promt", "prompt"), ("All", "all"), ("token", "token 0"), ("token -0", "token 0")):
        with pytest.raises(ValueError, match=f"unknown scope '{scope}'; nearest: '{near}'"):
            Clamp(3, 1.0, scope)
    for scope in (-1, 1.5, True, None, ["all"]):
        with pytest.raises(ValueError, match=r"unknown scope .* Give 'all', 'prompt'"):
            Steer((1.0,), scope=scope)


def test_token_minus_1_is_the_last_of_the_prompt(steer, sae):
    n = len(steer.model.tokens(PROMPT))
    last = steer.generate(PROMPT, [Clamp(3, 50.0, "token -1")], n_tokens=4)
    assert last.tokens == steer.generate(PROMPT, [Clamp(3, 50.0, f"token {n - 1}")], n_tokens=4).tokens
    assert last.tokens != steer.generate(PROMPT, n_tokens=4).tokens
    x = torch.randn(1, 6, 32)
    moved = (clamp_edit(sae, [Clamp(3, 50.0, "token -2")], n_prompt=5)(x, 0) != x).any(-1)[0]
    assert moved.tolist() == [False, False, False, True, False, False]


def test_a_scope_that_covers_nothing_is_said(steer, sae):
    n = len(steer.model.tokens(PROMPT))
    with pytest.raises(ValueError, match=rf"scope 'token -{n + 1}' covers nothing of a prompt of {n} tokens"):
        steer(PROMPT, [Clamp(3, 1.0, f"token -{n + 1}")])
    for scope in (n + 2, f"token {n + 2}"):
        with pytest.raises(ValueError, match=f"covers nothing: the model reads {n + 2} tokens here"):
            steer(PROMPT, [Clamp(3, 1.0, scope)], n_tokens=3)
        steer(PROMPT, [Clamp(3, 1.0, scope)], n_tokens=4)
    for edit in (clamp_edit, intervention_edit, row_edit):
        with pytest.raises(ValueError, match=r"scope 'prompt' covers nothing .* n_prompt="):
            edit(sae, [Clamp(3, 1.0, "prompt")])


# -- vectors -----------------------------------------------------------------------------------------------------------


def test_a_vector_may_be_any_tensor_or_array(sae):
    row = sae.W_dec[5]
    wanted = Steer(tuple(row.tolist()))
    assert Steer(row) == wanted == Steer(row.detach().numpy()) == Steer(row.double()) == Steer(sae.W_dec[5:6])
    assert Steer(row.bfloat16()).vector == tuple(row.bfloat16().float().tolist())
    assert Steer([torch.tensor(1.0), 2]).vector == (1.0, 2.0) and json.dumps(vars(Steer(row)))
    for vector in ("abc", None, ["a"], [True], [[1.0], [1.0, 2.0]]):
        with pytest.raises(TypeError, match="the vector of a Steer must hold numbers"):
            Steer(vector)
    with pytest.raises(ValueError, match=r"not an array of shape \[2, 32\]: give one row"):
        Steer(sae.W_dec[:2])


# -- kinds -------------------------------------------------------------------------------------------------------------


def busiest(model, sae) -> int:
    return int(np.diff(sw.feature_activations(model, sae, [PROMPT]).start).argmax())


def yes(claim, passages):
    return [3] * len(passages)


PAIRS = {
    "feature_activations": lambda m, s: sw.feature_activations(m, s, [PROMPT]),
    "quality": lambda m, s: sw.quality(m, s, [PROMPT]),
    "firing": lambda m, s: sw.analysis.quality.firing(m, s, [PROMPT]),
    "attribution": lambda m, s: sw.analysis.attribution(m, s, PROMPT, " cold"),
    "prompt_activations": lambda m, s: sw.prompt_activations(m, s, PROMPT),
    "prober": lambda m, s: sw.prober(m, s),
    "token_parts": lambda m, s: sw.token_parts(m, s, PROMPT),
    "Steerer": lambda m, s: sw.Steerer(m, s),
    "dose_response": lambda m, s: sw.dose_response(
        m, s, 3, maximum=1.0, prompt=PROMPT, multiples=[1.0], seeds=[0], n_tokens=2
    ),
    "specificity": lambda m, s: sw.specificity(
        m, s, sw.feature_activations(m, s, [PROMPT]), busiest(m, s), "fog", yes, scores=False
    ),
    "steering_scores": lambda m, s: sw.analysis.steering_scores(m, s),
    "directions": lambda m, s: sw.analysis.directions.directions(
        m, AnalogySet("bay", (Analogy("x", "the", "bay", "is", "cold"),)), s, candidates=["red", "fog", "bridge"]
    ),
    "by_token_promoted": lambda m, s: by_token_promoted(m, s, " cold"),
}


@pytest.mark.parametrize("door", PAIRS)
def test_swapped_kinds_and_other_models_are_one_sentence_and_a_transformerlens_model_will_do(tiny_model, sae, door):
    call = PAIRS[door]
    with pytest.raises(
        TypeError, match=r"needs a model, then an SAE, and an SAE and a Model were given: give the model first"
    ):
        call(sae, tiny_model)
    with pytest.raises(TypeError, match=r"needs an SAE, and a Model was given: that is a model"):
        call(tiny_model, tiny_model)
    with pytest.raises(
        TypeError,
        match=r"needs an SAE, and 'miniworld-512' was given, a str: open it with sw.load_sae\('miniworld-512'\)",
    ):
        call(tiny_model, "miniworld-512")
    with pytest.raises(TypeError, match=r"a model is needed here, .* and 'gpt2', a str was given"):
        call("gpt2", sae)
    with pytest.raises(ValueError, match=r"in other coordinates .*model_name: miniworld, not tiny"):
        call(tiny_model, sw.load_sae())
    with pytest.raises(ValueError, match="does not say where it reads"):
        call(tiny_model, SAE(SAEConfig(32, 48)))
    call(tiny_model.hooked, sae)


def test_a_site_of_another_model_and_a_hooked_transformer_for_the_mean_difference(tiny_model, sae):
    texts = (["the fog"], ["the bay"])
    steer = mean_difference(tiny_model.hooked, HOOK, *texts)
    assert steer == mean_difference(tiny_model, sae.config.site, *texts)
    with pytest.raises(ValueError, match="model_name: miniworld, not tiny"):
        mean_difference(tiny_model, sw.load_sae().config.site, *texts)
    with pytest.raises(TypeError, match="site must be a hook's name"):
        mean_difference(tiny_model, sae, *texts)
    assert check_pair(tiny_model, sae, "this")[1] is sae.config.site


# -- what comes from files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    [
        "__import__('os').system('echo hi') or x",
        "sw.steering.add_feature(sae, 31) or __import__('os')",
        "sw.steering.add_feature(sae, 31)\nimport os",
        "sw.steering.add_feature(sae, 31).vector, __import__('os')",
        "sw.steering.add_feature(sae, \u0663)",
        "sw.steering.add_feature(sae, __import__('os'))",
    ],
)
def test_no_word_of_a_file_becomes_code(origin):
    code = clamp_code(PROMPT, [Steer((0.5,), origin=origin)], n_tokens=3, seed=0, temperature=0.5)
    assert "import os" not in code and "__import__" not in code and "add_feature" not in code
    assert "sw.Steer((0.5,), scale=1.0" in code
    for options in ({"seed": "__import__('os')"}, {"n_tokens": "1) or x"}, {"temperature": "0.5).text) #"}):
        with pytest.raises(TypeError):
            clamp_code(PROMPT, [], **{"n_tokens": 3, "seed": 0, "temperature": 0.5, **options})


def test_the_origin_of_add_feature_still_does(sae):
    code = clamp_code(PROMPT, [add_feature(sae, np.int64(3), 2.0)], n_tokens=3, seed=0, temperature=0.5)
    assert "sw.Steer(sw.steering.add_feature(sae, 3).vector, scale=2.0" in code
    assert interventions([add_feature(sae, 3)])[0].scale == 1.0
