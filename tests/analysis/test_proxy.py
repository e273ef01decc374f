"""Computational proxies: correlations by numpy on dense arrays, counts and a likelihood ratio by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import saewidgets as sw
from saewidgets import views
from saewidgets.records import FeatureActivations
from saewidgets.views import _style


def acts_of(dense: np.ndarray, tokens: np.ndarray, counted: np.ndarray) -> FeatureActivations:
    """From dense activations [feature, context, pos]."""
    feature, context, position = np.nonzero(dense)
    start = np.searchsorted(feature, np.arange(len(dense) + 1)).astype(np.int64)
    value = dense[feature, context, position].astype(np.float32)
    return FeatureActivations(tokens, context.astype(np.int32), position.astype(np.int32), value, start, counted)


@pytest.fixture
def acts() -> FeatureActivations:
    """Eight counted tokens; the feature fires at 1, 2, 4 and 4, and is silent at four."""
    tokens = np.array([[0, 5, 6, 5, 7], [0, 5, 6, 7, 8], [0, -1, -1, -1, -1]], np.int32)
    dense = np.zeros((2, 3, 5))
    dense[0] = [[0, 1, 2, 0, 0], [0, 4, 4, 0, 0], [0, 0, 0, 0, 0]]
    return acts_of(dense, tokens, tokens > 0)


MASK = np.array([[1, 0, 1, 0, 1], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]], bool)  # yes at 2, 4, 4 and one silent token


def test_bins_and_shares_by_hand(acts):
    found = sw.analysis.concept_proxy(acts, 0, MASK, name="bridge", bins=2)
    assert found.edges.tolist() == [0, 2, 4]
    assert found.n.tolist() == [1, 3] and found.yes.tolist() == [0, 3]  # a bin holds its lower edge, the last its upper
    assert found.mean.tolist() == [0, 1]
    assert (found.n_tokens, found.n_silent, found.yes_silent) == (8, 4, 1)
    assert (found.precision, found.recall) == (0.75, 0.75)
    assert found.pearson_binary == pytest.approx(0.5)  # 3 of 4 in both: (3 3 - 1 1) / (4 4)
    assert found.to_dataframe().columns.tolist() == ["low", "high", "n", "yes", "mean"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_correlations_are_those_of_the_dense_arrays(seed):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(-1, 6, (4, 7)).astype(np.int32)
    counted = tokens > 0
    dense = rng.integers(0, 4, (1, 4, 7)) * counted
    score = rng.normal(size=(4, 7))
    score[~counted] = np.nan  # what does not count may hold anything
    found = sw.analysis.concept_proxy(acts_of(dense, tokens, counted), 0, score)
    a, s = dense[0][counted].astype(float), score[counted]
    assert found.n.sum() == (a > 0).sum() and found.yes.sum() == ((a > 0) & (s > 0)).sum()
    for r, x, y in ((found.pearson, a, s), (found.pearson_binary, a > 0, s > 0)):
        if len(a) > 1 and np.ptp(x.astype(float)) and np.ptp(y.astype(float)):
            assert r == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-9)


def test_a_silent_feature_and_wrong_scores(acts):
    found = sw.analysis.concept_proxy(acts, 1, MASK)
    assert found.n.sum() == 0 and math.isnan(found.pearson) and math.isnan(found.precision) and found.recall == 0
    assert views.proxy_histogram(found).data[0].y == ()
    with pytest.raises(ValueError, match="one number per token"):
        sw.analysis.concept_proxy(acts, 0, MASK[:2])
    with pytest.raises(ValueError, match="not finite"):
        sw.analysis.concept_proxy(acts, 0, np.full(MASK.shape, np.inf))
    with pytest.raises(IndexError, match="features 0 to 1"):
        sw.analysis.concept_proxy(acts, 2, MASK)


def test_the_likelihood_ratio_by_hand(acts):
    ratio = sw.analysis.log_likelihood_ratio(acts, MASK)
    # counted: 5 5 5, 6 6, 7 7, 8; yes: 6 7 5 6. r(6) = log((2 / (2/8) + 1) / 5), r(8) = log(1 / 5)
    assert ratio[0, 2] == pytest.approx(math.log(9 / 5)) and ratio[1, 4] == pytest.approx(math.log(1 / 5))
    assert ratio[0, 1] == ratio[1, 1] == pytest.approx(math.log((1 / (3 / 8) + 1) / 5))
    assert not ratio[~acts.counted].any()
    shares = {t: (acts.tokens[acts.counted] == t).mean() for t in (5, 6, 7, 8)}
    first = {int(t): r for t, r in zip(acts.tokens[acts.counted], ratio[acts.counted], strict=True)}
    assert sum(shares[t] * math.exp(first[t]) for t in shares) == pytest.approx(1)  # it is a distribution


def test_the_histogram_takes_the_color_of_the_proxy(acts):
    (bars,) = views.proxy_histogram(sw.analysis.concept_proxy(acts, 0, MASK, name="<b>", bins=2)).data
    assert list(bars.y) == [1, 3] and list(bars.marker.color) == [0, 1]
    assert (bars.marker.cmin, bars.marker.cmax) == (0, 1)
    fig = views.proxy_histogram(sw.analysis.concept_proxy(acts, 0, MASK * 4.0 - 2, name="<b>", bins=2))
    assert list(fig.data[0].marker.color) == [-2, 2] and (fig.data[0].marker.cmin, fig.data[0].marker.cmax) == (-2, 2)
    assert "<b>" not in fig.layout.title.text and _style.text("<b>") in fig.layout.title.text


def test_a_rule_of_ones_own_and_the_planted_concept_on_the_bundled_model():
    corpus = sw.load_corpus(200)
    model, sae = sw.load_model(), sw.load_sae("miniworld-512")
    acts = sw.feature_activations(model, sae, corpus)
    best = sw.concept_scores(acts, corpus).dropna().sort_values("f1").iloc[-1]
    mask = corpus.concept_mask(best.concept)
    found = sw.analysis.concept_proxy(acts, best.feature, mask)
    assert (found.precision, found.recall) == (pytest.approx(best.precision), pytest.approx(best.recall))
    graded = sw.analysis.concept_proxy(acts, best.feature, sw.analysis.log_likelihood_ratio(acts, mask))
    assert found.pearson > 0.5 and graded.pearson > 0.2  # a detector is one by the graded proxy as well
    text = model.display(acts.tokens[:1, 1:4][0])[0]
    score = sw.analysis.token_scores(model, acts, lambda t: t == text)
    np.testing.assert_array_equal(score == 1, acts.tokens == acts.tokens[0, 1])
