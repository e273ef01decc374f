"""Feature activations and dashboard data, against plain loops over the same model and SAE."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saewidgets.activations import ActivationStore
from saewidgets.analysis.features import MONOSEMANTICITY, dashboard_data, feature_activations
from saewidgets.models import site
from saewidgets.records import DashboardData, FeatureActivations
from saewidgets.sae import SAE, SAEConfig

HOOK = "blocks.1.hook_resid_pre"
TEXTS = ["The bridge over the bay", "is red", "and the fog is cold. The fog is over the bay.", "Bay", "cold cold cold"]


@pytest.fixture(scope="module", params=["topk", "relu"])
def sae(request, tiny_model):
    store = ActivationStore(tiny_model, site(tiny_model, HOOK), TEXTS)
    sae = SAE(SAEConfig(32, 48, request.param, k=4, site=store.site, seed=1), name="tiny")
    with torch.no_grad():
        sae.b_enc.copy_(-torch.arange(48.0) / 24)  # so that features differ in how often they fire, and some never do
        sae.b_enc[7] = -100.0
        sae.W_dec.mul_(torch.linspace(0.5, 2, 48)[:, None])
    return sae


@pytest.fixture(scope="module")
def acts(tiny_model, sae):
    return feature_activations(tiny_model, sae, TEXTS)


@pytest.fixture(scope="module")
def data(tiny_model, sae, acts):
    return dashboard_data(tiny_model, sae, acts, n_top=3, n_intervals=4, per_interval=2, window=3, corpus_name="five")


def by_hand(model, sae):
    """{(context, position, feature): activation}, one text at a time and dense."""
    out = {}
    for context, text in enumerate(TEXTS):
        a = sae.encode(model.activations(model.tokens(text), HOOK)[0]).detach()
        for position in range(1, len(a)):
            for feature in a[position].nonzero()[:, 0].tolist():
                out[context, position, feature] = float(a[position, feature])
    return out


def test_activations_equal_those_of_one_text_at_a_time(tiny_model, sae, acts):
    expected = by_hand(tiny_model, sae)
    found = {}
    for f in range(acts.d_sae):
        context, position, value = acts.of(f)
        found |= {(c, p, f): v for c, p, v in zip(context.tolist(), position.tolist(), value.tolist(), strict=True)}
        assert sorted(zip(context, position, strict=True)) == list(zip(context, position, strict=True))
    assert set(found) == set(expected)
    assert all(found[k] == pytest.approx(expected[k], rel=1e-4, abs=1e-5) for k in expected)
    assert acts.n_tokens == sum(len(tiny_model.tokens(t)) - 1 for t in TEXTS)
    assert (acts.value > 0).all()


def test_no_special_token_and_no_padding_has_an_activation(acts):
    assert acts.tokens[acts.context, acts.position].min() > 0
    assert not acts.counted[:, 0].any()


def test_a_model_without_the_site_is_refused(tiny_model):
    bare = SAE(SAEConfig(32, 8))
    with pytest.raises(ValueError, match="does not say where it reads"):
        feature_activations(tiny_model, bare, TEXTS)
    from dataclasses import replace

    other = replace(site(tiny_model, HOOK), model_name="gpt2", fingerprint=())
    with pytest.raises(ValueError, match="model_name: gpt2, not tiny"):
        feature_activations(tiny_model, SAE(SAEConfig(32, 8, site=other)), TEXTS)


def test_every_alive_feature_is_there_in_order(data, acts):
    alive = np.flatnonzero(np.diff(acts.start)).tolist()
    assert list(data.features) == alive
    assert 7 not in alive
    for f, feature in data.features.items():
        _, _, value = acts.of(f)
        assert feature.maximum == value.max()
        assert feature.density == len(value) / acts.n_tokens
    assert data.passport.n_tokens == acts.n_tokens
    assert (data.passport.corpus, data.passport.sae_name) == ("five", "tiny")


def test_top_examples_are_the_strongest_of_each_context(data, acts):
    for f, feature in data.features.items():
        best: dict[int, tuple[float, int]] = {}
        for c, p, v in zip(*acts.of(f), strict=True):
            if c not in best or v > best[c][0]:
                best[c] = (v, p)
        expected = sorted(((-v, c, p) for c, (v, p) in best.items()))[:3]
        found = [(-e.maximum, e.context, e.position + e.peak) for e in feature.top]
        assert found == expected
        assert all(e.interval == -1 for e in feature.top)


def test_examples_show_the_text_and_activations_around_the_peak(data, acts, tiny_model):
    for f, feature in data.features.items():
        dense = acts.dense(f)
        for e in feature.top + feature.intervals:
            peak = e.position + e.peak
            length = int((acts.tokens[e.context] >= 0).sum())
            own = slice(max(1, peak - 3), min(length, peak + 4))  # column 0 is the beginning-of-text token
            assert e.position == own.start
            assert list(e.token_ids) == acts.tokens[e.context, own].tolist()
            assert list(e.activations) == dense[e.context, own].tolist()
            assert list(e.tokens) == tiny_model.display(list(e.token_ids))


def test_interval_examples_lie_in_their_interval_and_fill_it(data, acts):
    for f, feature in data.features.items():
        value = acts.of(f)[2].astype(np.float64)
        edges = np.linspace(0, value.max(), 5)
        inside = np.clip(np.searchsorted(edges, value, side="right") - 1, 0, 3)
        wanted = [i for i in (3, 2, 1, 0) for _ in range(min(2, int((inside == i).sum())))]
        assert [e.interval for e in feature.intervals] == wanted
        for e in feature.intervals:
            assert edges[e.interval] <= e.maximum <= edges[e.interval + 1]
        assert len({(e.context, e.position + e.peak) for e in feature.intervals}) == len(feature.intervals)


def test_histogram_equals_numpy(data, acts):
    for f, feature in data.features.items():
        value = acts.of(f)[2].astype(np.float64)
        counts, edges = np.histogram(value, bins=50, range=(0, value.max()))
        assert feature.histogram.edges == pytest.approx(edges)
        assert feature.histogram.counts == tuple(counts)


def test_logit_effects_are_the_ends_of_the_direct_effect(data, sae, tiny_model):
    for f in list(data.features)[:5]:
        logits = tiny_model.direction_logits(sae.W_dec[f : f + 1].detach() / sae.scale)[0]
        order = logits.argsort(descending=True)
        promoted, suppressed = data[f].promoted, data[f].suppressed
        assert len(promoted) == len(suppressed) == 10
        assert [t.logit for t in promoted] == pytest.approx(logits[order[:10]].tolist(), rel=1e-4, abs=1e-5)
        assert [t.logit for t in suppressed] == pytest.approx(logits[order.flip(0)[:10]].tolist(), rel=1e-4, abs=1e-5)
        assert promoted[0].token == tiny_model.display([promoted[0].token_id])[0]


def test_neighbors_are_the_nearest_live_decoder_rows(data, sae):
    W = sae.W_dec.detach().numpy().astype(np.float64)
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    for f, feature in data.features.items():
        others = sorted((-(W[f] @ W[g]), g) for g in data.features if g != f)[:5]
        assert [n.feature for n in feature.neighbors] == [g for _, g in others]
        assert [n.cosine for n in feature.neighbors] == pytest.approx([-c for c, _ in others], abs=1e-5)


def test_one_feature_alone_shows_the_same_as_among_all(data, sae, acts, tiny_model):
    sizes = {"n_top": 3, "n_intervals": 4, "per_interval": 2, "window": 3}
    f = list(data.features)[2]
    alone = dashboard_data(tiny_model, sae, acts, [f], **sizes, labels={f: "fog"})[f]
    among = data[f]
    assert alone.label == "fog"
    assert (alone.top, alone.intervals, alone.histogram) == (among.top, among.intervals, among.histogram)


def test_the_draw_is_seeded(sae, acts, tiny_model):
    def intervals(seed):
        data = dashboard_data(tiny_model, sae, acts, n_intervals=1, per_interval=1, seed=seed)
        return [f.intervals for f in data.features.values()]

    assert intervals(0) == intervals(0)
    assert intervals(0) != intervals(1)


def test_a_dead_feature_can_be_asked_for_and_a_missing_one_not(sae, acts, tiny_model):
    dead = dashboard_data(tiny_model, sae, acts, [7])[7]
    assert (dead.maximum, dead.density, dead.top, dead.intervals) == (0.0, 0.0, (), ())
    assert sum(dead.histogram.counts) == 0
    for wrong in (48, -1):
        with pytest.raises(IndexError, match="features 0 to 47"):
            dashboard_data(tiny_model, sae, acts, [wrong])


def test_saved_data_opens_equal(data, tmp_path):
    data.save(tmp_path / "d.json")
    assert DashboardData.load(tmp_path / "d.json") == data


def test_ties_go_to_the_first_in_the_corpus(sae, tiny_model):
    tokens = np.array([[0, 5, 6, 7], [0, 8, 9, 10]], np.int32)
    start = np.zeros(49, np.int64)
    start[4:] = 4
    acts = FeatureActivations(
        tokens=tokens,
        context=np.array([0, 0, 1, 1], np.int32),
        position=np.array([2, 3, 1, 2], np.int32),
        value=np.array([2, 2, 2, 1], np.float32),
        start=start,
        counted=tokens > 0,
    )
    top = dashboard_data(tiny_model, sae, acts, [3], n_top=5)[3].top
    assert [(e.context, e.position + e.peak) for e in top] == [(0, 2), (1, 1)]
    assert top[0].activations == (0.0, 2.0, 2.0)
    assert top[0].token_ids == (5, 6, 7)


def test_examples_chosen_among_some_tokens_of_each_context(tiny_model, sae, acts):
    """Against a plain loop; figures, and the neighbors shown around an example, stay those of all tokens."""
    sizes = {"n_top": 99, "n_intervals": 4, "per_interval": 99, "window": 2}
    whole = dashboard_data(tiny_model, sae, acts, **sizes)
    some = dashboard_data(tiny_model, sae, acts, **sizes, per_context=3, seed=5)
    assert (whole.per_context, some.per_context) == (None, 3)
    chosen = {}
    for f in some.features:
        for e in some[f].intervals:
            chosen.setdefault(e.context, set()).add(e.position + e.peak)
    assert all(len(positions) <= 3 for positions in chosen.values())
    for f in whole.features:
        a, b = whole[f], some[f]
        assert (b.maximum, b.density, b.histogram) == (a.maximum, a.density, a.histogram)
        # Every activation at a token that was drawn is there, in the same words, and no other.
        at = [e for e in a.intervals if e.position + e.peak in chosen.get(e.context, ())]
        assert sorted(b.intervals, key=lambda e: (e.context, e.position + e.peak)) == sorted(
            at, key=lambda e: (e.context, e.position + e.peak)
        )
        strongest = {e.context: max(o.maximum for o in at if o.context == e.context) for e in at}
        assert {e.context: e.maximum for e in b.top} == strongest
    # Three of nine tokens hold fewer activations than all of them do.
    assert 0 < sum(len(some[f].intervals) for f in some.features) < sum(len(whole[f].intervals) for f in whole.features)
    every = dashboard_data(tiny_model, sae, acts, **sizes, per_context=1000)
    assert every.subset(every.features).to_dict()["features"] == whole.subset(whole.features).to_dict()["features"]


def test_the_number_of_tokens_of_each_context_is_kept_and_checked(tiny_model, sae, acts):
    data = dashboard_data(tiny_model, sae, acts, [0, 1], **MONOSEMANTICITY)
    assert DashboardData.from_json(data.to_json()).per_context == 10 == data.subset([0]).per_context
    assert max(len(e.tokens) for f in (0, 1) for e in data[f].top) <= 9
    assert "per_context" not in dashboard_data(tiny_model, sae, acts, [0]).to_dict()
    with pytest.raises(ValueError, match="per_context"):
        dashboard_data(tiny_model, sae, acts, per_context=0)
    with pytest.raises(ValueError, match="per_context is 0"):
        DashboardData.from_dict({**data.to_dict(), "per_context": 0})
