"""Sweeps of clamps: every batched figure against the same one worked out one text at a time."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from saewidgets.analysis.doses.dose_response import dose_response
from saewidgets.analysis.doses.text_measures import answer, answer_length, detector, distinct, trigram_repeats
from saewidgets.analysis.doses.writing import perplexities
from saewidgets.files import LoadError, write_json
from saewidgets.miniworld import few_shots, world
from saewidgets.models import site
from saewidgets.records import Clamp, DoseResponseData, DoseText
from saewidgets.records.dose_response import bootstrap, wilson
from saewidgets.sae import SAE, SAEConfig
from saewidgets.steering import (
    Steerer,
    add_feature,
    clamp_edit,
    mean_difference,
    noise_like,
    random_live_feature,
    row_edit,
)

HOOK = "blocks.0.hook_resid_post"
PROMPT = "The cat"


@pytest.fixture(scope="module", params=["relu", "topk", "layer_norm"])
def sae(request, tiny_model):
    where = site(tiny_model, HOOK)
    kind = {"architecture": "topk", "input_normalization": "layer_norm"}  # as OpenAI's
    kind = kind if request.param == "layer_norm" else {"architecture": request.param}
    return SAE(SAEConfig(where.d_in, 48, k=6, site=where, seed=3, **kind)).requires_grad_(False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I am here. I am here.", 2),  # "i am here" twice; no other three words stand twice
        ("red red red red", 2),
        ("One two three", 1),
        ("two words", 0),
        ("", 0),
    ],
)
def test_trigram_repeats_by_hand(text, expected):
    assert trigram_repeats(text) == expected


def test_an_answer_ends_where_the_next_turn_begins():
    assert answer(" I am a cat.\nHuman: Where?\nAssistant: Here.") == "I am a cat."
    assert answer(" I am Human: yes ") == "I am Human: yes"


def test_each_row_has_its_own_clamp(sae):
    x = torch.randn(3, 5, sae.config.d_in, generator=torch.Generator().manual_seed(0))
    moved = row_edit(sae, [Clamp(7, 2.0), Clamp(0, 0.0), Clamp(7, -1.5)])(x, 0)
    for row, (feature, value) in enumerate([(7, 2.0), (0, 0.0), (7, -1.5)]):
        alone = clamp_edit(sae, [Clamp(feature, value)])(x[row : row + 1], 0)
        assert torch.allclose(moved[row], alone[0], atol=1e-5)


def test_perplexities_are_the_steerers(tiny_model, sae):
    answers = ["sat on a mat.", "x"]
    found = perplexities(tiny_model, PROMPT, answers)
    steer = Steerer(tiny_model, sae)
    assert found == pytest.approx([steer.perplexity(PROMPT, " " + a) for a in answers], rel=1e-4)


# -- one feature in full ---------------------------------------------------------------------------------------------

OPTIONS = {"n_tokens": 8, "temperature": 0.9}
LIVE = {0: 1.5, 2: 3.0, 5: 0.0, 9: 2.0}
POSITIVE, NEGATIVE = ["The fog is red", "The bay"], ["The cold bridge", "is"]


@pytest.fixture(scope="module", params=["relu", "topk"])
def plain_sae(request, tiny_model):
    where = site(tiny_model, HOOK)
    return SAE(SAEConfig(where.d_in, 48, request.param, k=6, site=where, seed=3)).requires_grad_(False)


@pytest.fixture(scope="module")
def sweep(tiny_model, plain_sae):
    return dose_response(
        tiny_model,
        plain_sae,
        2,
        prompt=PROMPT,
        concept=["e"],
        multiples=(0.0, 1.0, -4.0),
        seeds=[0, 4, 5],
        acts=LIVE,
        positive=POSITIVE,
        negative=NEGATIVE,
        steering_prompt="A bridge. The cat",
        rows_per_batch=5,
        **OPTIONS,
    )


def test_a_sweep_is_every_kind_at_every_multiple_and_seed(sweep):
    table = sweep.to_dataframe()
    sizes = {"none": 3, "clamp": 9, "add": 9, "mean_difference": 9, "random_feature": 9, "noise": 9, "prompt": 3}
    assert table.groupby("kind", sort=False).size().to_dict() == sizes
    assert (sweep.maximum, sweep.concept, sweep.perplexity_prompt) == (3.0, "e", "A bridge. The cat")
    assert sweep.multiples("noise") == [-4.0, 0.0, 1.0] and sweep.multiples("prompt") == [0.0]
    assert [t.seed for t in sweep.at("clamp", -3.0)] == [0, 4, 5] and sweep.at("clamp", -3.0)[0].multiple == -4.0


def test_each_text_of_a_sweep_is_the_steerers(tiny_model, plain_sae, sweep):
    sae = plain_sae
    """Text, KL and perplexity of all 51 rows, one text at a time, with the intervention that the docstring names."""
    steer = Steerer(tiny_model, sae)
    length = add_feature(sae, 2, 3.0).norm  # of M d_f
    few_shot = mean_difference(tiny_model, HOOK, POSITIVE, NEGATIVE)
    for t in sweep.texts:
        other = random_live_feature({f: m for f, m in LIVE.items() if f != 2}, t.seed)
        noise = noise_like(add_feature(sae, 2), t.seed)
        done = {
            "none": [],
            "clamp": [Clamp(2, 3.0 * t.multiple)],
            "add": [add_feature(sae, 2, 3.0 * t.multiple)],
            "mean_difference": [replace(few_shot, scale=t.multiple * length / few_shot.norm)],
            "random_feature": [Clamp(other, LIVE[other] * t.multiple)],
            "noise": [replace(noise, scale=t.multiple * 3.0)],
            "prompt": [],
        }[t.kind]
        prompt = sweep.steering_prompt if t.kind == "prompt" else PROMPT
        alone = steer.generate(prompt, done, seed=t.seed, **OPTIONS)
        pieces = tiny_model.token_text([token.id for token in alone.tokens])
        assert t.text == answer("".join(pieces))
        assert t.n_tokens == answer_length(pieces)
        kls = [token.kl for token in alone.tokens[: t.n_tokens]]
        assert t.kl == pytest.approx(np.mean(kls) if kls else 0.0, abs=1e-5)
        expected = steer.perplexity(sweep.perplexity_prompt, " " + t.text) if t.text else math.inf
        assert t.perplexity == pytest.approx(expected, rel=1e-4)
        assert t.concept == ("e" in [w.lower() for w in __import__("re").findall(r"\w+", t.text)])
        assert (t.repeats, t.distinct_2) == (trigram_repeats(t.text), distinct(t.text, 2))
    own = [t.perplexity for t in sweep.texts if t.kind == "prompt"]
    assert sweep.own_perplexity == pytest.approx(math.exp(np.mean(np.log(own))), rel=1e-6)


def test_where_a_unit_has_no_length_nothing_is_added(tiny_model):
    where = site(tiny_model, HOOK)
    kind = {"architecture": "topk", "k": 6, "input_normalization": "layer_norm"}
    sae = SAE(SAEConfig(where.d_in, 48, site=where, seed=3, **kind)).requires_grad_(False)
    options = {"maximum": 3.0, "prompt": PROMPT, "multiples": [1.0], "seeds": [0], "n_tokens": 3, "acts": LIVE}
    texts = dose_response(tiny_model, sae, 2, positive=["a"], negative=["b"], **options).texts
    assert {t.kind for t in texts} == {"none", "clamp", "random_feature"}
    for kind in ("add", "noise", "mean_difference"):
        with pytest.raises(ValueError, match="does not normalize its inputs"):
            dose_response(tiny_model, sae, 2, kinds=[kind], **options)


def test_what_is_missing_is_left_out_or_refused(tiny_model, plain_sae):
    sae = plain_sae
    options = {"prompt": PROMPT, "maximum": 3.0, "multiples": (1.0,), "seeds": [0], "n_tokens": 2}
    bare = dose_response(tiny_model, sae, 2, **options)
    assert bare.kinds == ("none", "clamp", "add", "noise")
    assert bare.summary()["concept_rate"].isna().all() and bare.window is None
    assert [t.concept for t in bare.texts] == [None] * 4
    for kind, needs in (
        ("prompt", "a steering_prompt"),
        ("random_feature", "acts"),
        ("mean_difference", "positive and"),
    ):
        with pytest.raises(ValueError, match=f"kind '{kind}' needs {needs}"):
            dose_response(tiny_model, sae, 2, kinds=["clamp", kind], **options)
    with pytest.raises(ValueError, match="unknown kind 'clmp'; nearest: clamp"):
        dose_response(tiny_model, sae, 2, kinds=["clmp"], **options)
    with pytest.raises(ValueError, match="give the maximum of feature 7"):
        dose_response(tiny_model, sae, 7, acts=LIVE, **(options | {"maximum": None}))
    with pytest.raises(ValueError, match="feature 48 does not exist"):
        dose_response(tiny_model, sae, 48, **options)


def test_the_mini_world_has_its_own_texts_for_the_mean_difference():
    positive, negative = few_shots("miniworld", "owl")
    assert len(positive) == len(negative) == 30
    assert all("owl" in world().mentions(text) for text in positive)
    assert not any("owl" in world().mentions(text) for text in negative)
    assert all(text.rsplit(maxsplit=1)[-1].lower().strip(".,") for text in positive)
    ends = [" ".join(text.lower().split()[-4:]) for text in positive]
    assert all(world().mentions(end) & {"owl"} for end in ends), "a text ends with the words that express the concept"


# -- measures of a text ----------------------------------------------------------------------------------------------


def test_distinct_by_hand():
    assert distinct("to be or not to be", 1) == 4 / 6
    assert distinct("to be or not to be", 2) == 4 / 5
    assert distinct("One", 2) == distinct("", 1) == 0.0


def test_detectors():
    cases = [
        ("owl", "An owl sat there.", True),
        ("owl", "A cat sat there.", False),
        ("sat on", "It SAT ON it.", True),
        ("sat on", "It sat onto it.", False),
        (["cat", "dogs"], "Two dogs.", True),
        (["cat"], "A catalog.", False),
        (["c++"], "I write C++ here.", True),
        (lambda text: len(text) > 3, "long", True),
    ]
    for concept, text, expected in cases:
        name, found = detector(concept)
        assert found(text) is expected, (name, text)
    assert detector(None) == ("", None)
    for bad in ([], ["a", " "], "", [3]):
        with pytest.raises(ValueError, match="at least one word or phrase"):
            detector(bad)


def test_an_answers_tokens():
    pieces = [" I", " am", ".\n", "Hum", "an:", " no"]
    assert answer_length(pieces) == 3  # the turn begins within the third
    assert answer_length([" I", " am"]) == 2 and answer_length([]) == 0
    assert answer_length(["\nHuman:", " x"]) == 0


# -- the record ------------------------------------------------------------------------------------------------------


def text_row(kind, multiple, seed, concept=True, perplexity=4.0, kl=0.5, repeats=1):
    return DoseText(kind, multiple, seed, f"{kind} {seed}", concept, perplexity, kl, repeats, 0.9, 1.0, 7)


def made(*rows, **fields):
    return DoseResponseData("Hi", 3, 2.0, tuple(rows), own_perplexity=4.0, **fields)


def test_wilson_holds_the_rates_that_the_score_test_keeps():
    """An end of the interval is a rate p at which the share seen lies 1.96 standard errors away: |share - p| = z
    sqrt(p(1-p)/n).
    """
    for hits, n in ((8, 10), (1, 3), (13, 20), (0, 20), (20, 20)):
        share, low, high = wilson(pd.Series([True] * hits + [False] * (n - hits)))
        assert share == hits / n and 0 <= low <= share <= high <= 1
        for end in (low, high):
            if 0 < end < 1:
                assert abs(share - end) == pytest.approx(1.959963984540054 * math.sqrt(end * (1 - end) / n), rel=1e-9)
    assert (low, high) == (
        pytest.approx(20 / (20 + 1.959963984540054**2)),
        1.0,
    )  # all of 20: the lower end is n / (n + z^2)
    assert all(math.isnan(x) for x in wilson(pd.Series([True, None])))


def test_the_bootstrap_interval_is_a_means():
    figures = np.random.default_rng(1).normal(3.0, 2.0, 400)
    mean, low, high = bootstrap(figures)
    half = 1.96 * figures.std() / 20
    assert mean == pytest.approx(figures.mean())
    assert low == pytest.approx(mean - half, abs=0.15 * half) and high == pytest.approx(mean + half, abs=0.15 * half)
    assert bootstrap(figures) == (mean, low, high)
    assert bootstrap(np.array([2.0] * 5), math.exp) == (math.exp(2), math.exp(2), math.exp(2))
    assert bootstrap(np.array([1.0, math.inf]))[0] == math.inf


def test_the_summary_by_hand():
    data = made(
        text_row("clamp", 2.0, 0, True, perplexity=2.0, kl=1.0, repeats=1),
        text_row("clamp", 2.0, 1, False, perplexity=8.0, kl=3.0, repeats=4),
    )
    row = data.summary().iloc[0]
    assert (row["n"], row["concept_rate"], row["repeats"], row["kl"]) == (2, 0.5, 4, 2.0)
    assert row["perplexity"] == pytest.approx(4.0) and row["perplexity_ratio"] == pytest.approx(1.0)
    assert (row["perplexity_low"], row["perplexity_high"]) == pytest.approx((2.0, 8.0))
    assert not row["passes"]
    assert data.summary(concept_rate=0.5, repeats=4)["passes"].all()


def rates(*passing):
    """Texts of the clamp at multiples 0, 1, 2, ...; True where all bounds hold."""
    return [text_row("clamp", float(m), seed, on) for m, on in enumerate(passing) for seed in range(3)]


@pytest.mark.parametrize(
    ("passing", "window"),
    [
        ((False, True, True, False), (1.0, 2.0)),
        ((True, False, True, True), (2.0, 3.0)),
        ((False, False), None),
        ((False, True), (1.0, 1.0)),
    ],
)
def test_the_window_is_the_longest_run_that_passes(passing, window):
    assert made(*rates(*passing)).window == window
    assert made(*reversed(rates(*passing))).window == window


def test_each_bound_closes_the_window():
    sound = rates(True, True)
    for bad in (
        {"concept": False},
        {"repeats": 3},
        {"perplexity": 4.0 * 2.01**3},  # one of three texts: the mean of logs is 2.01 times as large
    ):
        data = made(*sound[:3], text_row("clamp", 1.0, 0, **bad), *sound[4:])
        assert data.window == (0.0, 0.0), bad
    data = made(*sound[:3], text_row("clamp", 1.0, 0, False), *sound[4:])
    assert data.window_of("clamp", concept_rate=0.6) == (0.0, 1.0)
    assert made(*data.texts, bounds={"concept_rate": 0.6}).window == (0.0, 1.0)
    with pytest.raises(ValueError, match=r"unknown bound 'rate'; nearest: .*concept_rate"):
        data.window_of("clamp", rate=0.6)
    with pytest.raises(ValueError, match="unknown kind 'add'"):
        data.window_of("add")


def test_of_two_windows_the_one_with_more_of_the_concept():
    rows = [
        text_row("clamp", m, s, on)
        for m, hits in ((0, 4), (1, 0), (2, 5))
        for s, on in enumerate([True] * hits + [False] * (5 - hits))
    ]
    assert made(*rows).window == (2.0, 2.0)


def test_a_sweep_goes_to_disk_and_back(sweep, tmp_path):
    odd = made(text_row("clamp", 0.0, 0, None, perplexity=math.inf), concept="x", scope=3, bounds={"repeats": 5})
    for data in (sweep, odd):
        data.save(tmp_path / "sweep.json")
        assert DoseResponseData.load(tmp_path / "sweep.json") == data
    good = sweep.to_dict()
    for bad in (
        good | {"format": 9},
        {k: v for k, v in good.items() if k != "texts"},
        good | {"texts": [{"kind": "clamp"}]},
        good | {"texts": 3},
        good | {"surprise": 1},
        good | {"bounds": {"nothing": 1}},
        good | {"own_perplexity": "x"},
        good | {"own_perplexity": 0.0},
        good | {"texts": [good["texts"][0] | {"perplexity": 0.0}]},
        good | {"texts": [good["texts"][0] | {"perplexity": -2.0}]},
    ):
        write_json(tmp_path / "bad.json", bad)
        with pytest.raises(LoadError):
            DoseResponseData.load(tmp_path / "bad.json")
