"""Feature completeness on concepts planted by hand, and absorption by SAEBench's definition on activations written
down.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fake_model import PlantedModel

import saewidgets as sw
from saewidgets import views
from saewidgets.analysis.features import feature_activations
from saewidgets.analysis.quality import completeness, saebench_absorption
from saewidgets.analysis.quality.completeness import fit_sigmoid
from saewidgets.analysis.quality.saebench_absorption import _part
from saewidgets.models import site
from saewidgets.records import AbsorptionRates, Completeness, FeatureActivations
from saewidgets.sae import SAE, SAEConfig

N_DOCS, N_CONCEPTS = 12, 14
COUNTS = [round(40 / (r + 1)) for r in range(N_CONCEPTS)]  # tokens of each concept in every document


def labeled():
    """Concept r stands on COUNTS[r] tokens of each document, and 60 tokens are of none."""
    line = np.repeat([*range(N_CONCEPTS), -1], [*COUNTS, 60])
    tokens = np.tile(np.append(0, line + 2), (N_DOCS, 1)).astype(np.int32)
    doc, position = np.nonzero(tokens >= 2)
    return SimpleNamespace(
        token_rows=tokens,
        concepts=tuple(f"c{r}" for r in range(N_CONCEPTS)),
        label_doc=doc,
        label_pos=position,
        label_concept=tokens[doc, position] - 2,
    )


def with_features(corpus, n):
    """Activations of n features, one for each of the n - 1 commonest concepts, and one that is on wherever those are
    off.
    """
    value = np.minimum(corpus.token_rows - 2, n - 1)
    value[corpus.token_rows == 1] = n - 1  # of no concept
    doc, position = np.nonzero(np.arange(corpus.token_rows.shape[1])[None].repeat(N_DOCS, 0) > 0)
    feature = value[doc, position]
    order = np.lexsort((position, doc, feature))
    return FeatureActivations(
        tokens=corpus.token_rows,
        context=doc[order].astype(np.int32),
        position=position[order].astype(np.int32),
        value=np.ones(len(order), np.float32),
        start=np.append(0, np.cumsum(np.bincount(feature, minlength=n + 1))),
        counted=corpus.token_rows > 0,
    )


@pytest.fixture(scope="module")
def found():
    corpus = labeled()
    acts = {name: with_features(corpus, n) for name, n in (("small", 4), ("large", 8))}
    saes = {name: SAE(SAEConfig(4, len(a.start) - 1)) for name, a in acts.items()}
    return completeness(None, saes, corpus, acts=acts, progress=False)


def test_what_has_a_feature_and_what_makes_up_the_rest(found):
    table = found.to_dataframe()
    for name, n in (("small", 4), ("large", 8)):
        own = table[table["sae"] == name].set_index("concept")
        assert own["has"].tolist() == [True] * (n - 1) + [False] * (N_CONCEPTS - n + 1)
        assert own["f1"].iloc[0] == 1
    total = sum(COUNTS) + 60
    assert table["frequency"].iloc[2] == pytest.approx(COUNTS[2] / total)
    assert table["per_feature"].iloc[2] == pytest.approx(4 * COUNTS[2] / total)
    parts = found.parts("small", "c7")
    rest = sum(COUNTS[3:]) + 60
    assert parts.iloc[0].tolist() == [3, 1.0, pytest.approx(COUNTS[7] / rest), 1.0] and len(parts) == 1
    assert found.parts("large", "c1")["precision"].tolist() == [1.0]
    with pytest.raises(ValueError, match=r"unknown concept 'c77'.*c7"):
        found.parts("small", "c77")


def test_half_lies_between_the_last_that_has_one_and_the_first_that_has_none(found):
    total = sum(COUNTS) + 60
    summary = found.summary()
    for name, n in (("small", 4), ("large", 8)):
        assert COUNTS[n - 1] / total < summary["half_at"][name] < COUNTS[n - 2] / total
        assert summary["threshold"][name] == 1 / n and summary["alive"][name] == n
    # Twice the features, half the frequency: one curve once it is counted in features, and none before.
    assert found.rescaled.loss < 0.5 * found.plain.loss
    assert summary["slope"].min() > 5


def test_no_concept_can_be_complete_by_chance(found):
    """Labels of other tokens: nothing has a feature, and the curve is flat."""
    corpus = labeled()
    dice = np.random.default_rng(0)
    corpus.label_pos = dice.integers(1, corpus.token_rows.shape[1], len(corpus.label_pos))
    acts = with_features(corpus, 8)
    wrong = completeness(None, {"large": SAE(SAEConfig(4, 8))}, corpus, acts={"large": acts}, progress=False)
    assert not wrong.has.any() and np.isnan(wrong.curves[0].middle)
    assert wrong.curves[0].at(np.array([-5.0, 0.0])).tolist() != [0, 1]


def test_a_sigmoid_by_the_likelihood_of_a_grid():
    dice = np.random.default_rng(2)
    x = dice.uniform(-5, -1, 400)
    has = dice.random(400) < 1 / (1 + np.exp(-3 * (x + 3.2)))
    curve = fit_sigmoid(x, has)
    grid = [(s, m) for s in np.linspace(2, 4, 21) for m in np.linspace(-3.6, -2.8, 41)]

    def loss(slope, middle):
        odds = slope * (x - middle)
        return np.mean(np.logaddexp(0, odds) - has * odds)

    slope, middle = min(grid, key=lambda sm: loss(*sm))
    assert curve.middle == pytest.approx(middle, abs=0.05) and curve.slope == pytest.approx(slope, abs=0.2)
    assert curve.loss == pytest.approx(loss(curve.slope, curve.middle)) and curve.loss <= loss(slope, middle) + 1e-4


def test_completeness_comes_back_and_is_drawn(found, tmp_path):
    found.save(tmp_path / "c.json")
    again = Completeness.load(tmp_path / "c.json")
    assert again.to_dict() == found.to_dict()
    fig = views.completeness(again)
    texts = [t for own in fig.data if own.hovertext is not None for t in own.hovertext]
    assert any("c7" in t and "feature 3" in t for t in texts)
    with pytest.raises(ValueError, match=r"unknown concept 'owl'"):
        completeness(None, {"a": SAE(SAEConfig(4, 8))}, labeled(), ["owl"])
    with pytest.raises(TypeError, match="saes"):
        completeness(None, SAE(SAEConfig(4, 8)), labeled())


def test_features_that_together_tell_a_concept_are_taken_while_they_help():
    """By hand: of 10 tokens the concept is the first 4. Feature 0 is on 0, 1; 1 on 2, 8; 2 on 3 and all others; 3 on 0."""
    on = {0: [0, 1], 1: [2, 8], 2: [3, 4, 5, 6, 7, 8, 9], 3: [0]}
    corpus = SimpleNamespace(
        token_rows=np.arange(20, dtype=np.int32).reshape(2, 10),
        concepts=("four",),
        label_doc=np.repeat([0, 1], 4),
        label_pos=np.tile(np.arange(4), 2),
        label_concept=np.zeros(8, int),
    )
    pairs = [(f, doc, p) for f in on for doc in (0, 1) for p in on[f]]
    acts = FeatureActivations(
        tokens=corpus.token_rows,
        context=np.array([d for _, d, _ in pairs], np.int32),
        position=np.array([p for _, _, p in pairs], np.int32),
        value=np.ones(len(pairs), np.float32),
        start=np.append(0, np.cumsum([2 * len(on[f]) for f in on])),
        counted=np.ones((2, 10), bool),
    )
    found = completeness(None, {"a": SAE(SAEConfig(4, 4))}, corpus, min_tokens=1, acts={"a": acts}, progress=False)
    steps = found.together("a", "four")
    # 0 alone: 2 * 2 / (2 + 4); with 1: 3 hits of 4 active, 2 * 3 / (4 + 4); 2 would add one hit and five others.
    assert steps["feature"].tolist() == [0, 1] and steps["f1"].tolist() == pytest.approx([4 / 6, 6 / 8])


def test_groups_are_of_like_frequency_and_hold_every_concept(found):
    groups = found.groups("large", 4)
    assert groups["n"].tolist() == [4, 4, 3, 3] and groups["x"].is_monotonic_increasing
    assert groups["share"].tolist() == [0, 0.25, 1, 1]  # c0 to c6 have one; c6 is the commonest of the second group
    assert groups["low"][2] == pytest.approx(0.4385, abs=1e-4)  # Wilson's, of 3 in 3
    with pytest.raises(ValueError, match="unknown SAE 'largest'"):
        found.groups("largest")


# -- absorption --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, projection, expected",
    [
        # feature 0 is the concept's own; 1 and 2 have cosine 0.5 with it, 3 has 0.05, 4 has 0.01
        ({0: 1.0}, 1.0, (False, 0.0)),  # it says it alone
        ({1: 2.0}, 1.0, (True, 1.0)),  # another says it alone, and gives 1.0 of 1.0
        ({1: 0.7}, 1.0, (False, 0.0)),  # 0.35 is too little
        ({0: 0.5, 1: 2.0}, 1.0, (False, 0.5)),  # 0.5 is left to take
        ({0: 0.2, 1: 1.0}, 1.0, (False, 0.5 / 0.7)),  # less is taken than is left
        ({0: 0.5, 1: 0.4, 2: 0.4}, 1.0, (False, 0.4 / 0.9)),  # two together
        ({3: 20.0}, 1.0, (True, 0.0)),  # enough cosine to take all, too little to take a part
        ({4: 100.0}, 1.0, (False, 0.0)),
        ({1: 2.0}, -1.0, (False, 0.0)),
        ({}, 1.0, (False, 0.0)),
    ],
)
def test_each_condition_of_absorption_by_hand(values, projection, expected):
    along = cosine = np.array([1.0, 0.5, 0.5, 0.05, 0.01])
    feature, value = np.array([*values], np.int64), np.array([*values.values()], np.float64)
    full, fraction = _part(feature, value, along, cosine, [0], projection)
    assert (full, fraction) == (expected[0], pytest.approx(expected[1]))


@pytest.mark.parametrize("absorbs", [True, False])
def test_an_absorbing_sae_is_told_from_one_that_does_not(absorbs, tmp_path):
    """Tokens 1 and 2 are fruit, 1 an apple, which has axis 1 too, 3 and 4 neither. Fruit is axis 0. Feature 0 says
    fruit; in the absorbing SAE it is silent on apples, where feature 1, whose row has fruit in it, says it.
    """
    model = PlantedModel(
        np.array([[0, 0, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1], *[[0, 0, 0, 0]] * 4])
    )
    sae = SAE(SAEConfig(4, 3, site=site(model, "h")))
    with torch.no_grad():
        sae.W_enc.copy_(torch.tensor([[1.0, -1.0 * absorbs, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0]]).T)
        sae.W_dec.copy_(torch.tensor([[1.0, 0, 0, 0], [1.0 * absorbs, 1.0, 0, 0], [0.0, 0, 1.0, 0]]))
    # 28 pears to an apple: the apple's feature gains too little to be one of fruit's own.
    tokens = np.array([*[[0, 2, 2, 2, 2, 3, 4, 2, 2]] * 4, [0, 2, 1, 2, 3, 4, 3, 2, 2]] * 10, np.int32)
    corpus = SimpleNamespace(concepts=("fruit", "other"), token_rows=tokens)
    corpus.label_doc, corpus.label_pos = np.nonzero(tokens > 0)
    corpus.label_concept = (tokens[corpus.label_doc, corpus.label_pos] > 2).astype(int)
    acts = feature_activations(model, sae, corpus)
    found = saebench_absorption(model, sae, corpus, ["fruit"], acts=acts, progress=False)
    row = found.to_dataframe().iloc[0]
    assert row["probe_f1"] == 1 and row["main"] == (0,) and found.n_left_out == 0
    apples = int((tokens == 1).sum())
    assert 0 < row["n_tokens"] < (tokens > 0).sum()
    if absorbs:
        assert 0 < row["full"] <= apples and row["full_rate"] == found.full_rate
        assert row["fraction"] == pytest.approx(row["full"] / row["n_tokens"])  # of an apple all, of a pear nothing
    else:
        assert row["full"] == 0 and row["fraction"] == pytest.approx(0, abs=1e-6)
    found.save(tmp_path / "a.json")
    assert AbsorptionRates.load(tmp_path / "a.json").to_dict() == found.to_dict()
    with pytest.raises(ValueError, match=r"unknown concept 'fruits'.*fruit"):
        sw.analysis.quality.saebench_absorption(model, sae, corpus, ["fruits"], acts=acts)
