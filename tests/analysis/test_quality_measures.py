"""Every measure of quality against a second way of computing it: numpy in float64, one token, pair or feature at a
time.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fake_model import PlantedModel
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets import views
from saewidgets.activations import ActivationStore
from saewidgets.analysis.quality import (
    absorption,
    concept_detectors,
    concept_scores,
    firing,
    logit_pair,
    match_features,
    quality,
    splitting,
)
from saewidgets.analysis.quality.detectors import best_thresholds, halves
from saewidgets.models import Edit, Model, site
from saewidgets.records import FeatureActivations, Firing, Quality, quality_table
from saewidgets.sae import SAE, SAEConfig

HOOK = "blocks.1.hook_resid_pre"
TEXTS = ["The bridge over the bay", "is red", "and the fog is cold. The fog is over the bay.", "Bay"]
KINDS = [
    {"architecture": "relu"},
    {"architecture": "topk", "k": 4},
    {"architecture": "jumprelu"},
    {"architecture": "gated"},
    {"architecture": "batchtopk", "k": 4},
    {"architecture": "relu", "input_normalization": "layer_norm"},
    {"architecture": "topk", "k": 4, "input_normalization": "unit_norm"},
    {"architecture": "jumprelu", "apply_b_dec_to_input": True},
]


def made(model, *, d_sae=48, seed=1, **options):
    """A random SAE at HOOK with biases that matter."""
    scale = 1.0 if options.get("input_normalization") else ActivationStore(model, site(model, HOOK), TEXTS).site.scale
    sae = SAE(SAEConfig(32, d_sae, site=site(model, HOOK, scale), seed=seed, **options))
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sae.weights.items():
            if name not in ("W_enc", "W_dec"):
                weight.add_(0.1 * torch.randn(weight.shape, generator=dice).abs())
    return sae


def each_token(model, *, bos=False):
    return torch.cat([model.activations(model.tokens(t), HOOK)[0, 0 if bos else 1 :] for t in TEXTS])


def test_rows_that_are_all_the_same_have_no_fvu(tiny_model):
    """What is left of their variance is rounding, and an error over that is a number without a meaning."""
    same = np.tile(np.array(tiny_model.tokens(TEXTS[0])[:2].tolist(), np.int32), (9, 1))
    found = quality(tiny_model, made(tiny_model, architecture="topk", k=4), same)
    assert np.isnan(found.fvu) and found.mse > 0 and found.l0 > 0


@pytest.mark.parametrize("options", KINDS, ids=lambda o: "-".join(map(str, o.values())))
@pytest.mark.parametrize("special", [False, True])
def test_all_measures_one_token_at_a_time(tiny_model, options, special):
    sae = made(tiny_model, **options)
    found = quality(tiny_model, sae, TEXTS, include_special=special)
    rows = each_token(tiny_model, bos=special)
    x = rows.numpy().astype(np.float64)
    a = np.stack([sae.encode(row).detach().numpy() for row in rows])
    x_hat = np.stack([sae(row).detach().numpy() for row in rows]).astype(np.float64)
    assert found.n_tokens == found.dead_window == len(x)
    assert found.l0 == pytest.approx((a > 0).sum(1).mean())
    assert found.dead_share == pytest.approx((a == 0).all(0).mean())
    assert found.fvu == pytest.approx(((x - x_hat) ** 2).sum() / (x.var(0).sum() * len(x)), rel=1e-4)
    assert found.mse == pytest.approx(np.mean((x - x_hat) ** 2), rel=1e-4)
    norms = np.linalg.norm(x, axis=1), np.linalg.norm(x_hat, axis=1)
    assert found.cosine == pytest.approx(np.mean((x * x_hat).sum(1) / (norms[0] * norms[1])), rel=1e-4)
    assert found.l2_ratio == pytest.approx(np.mean(norms[1] / norms[0]), rel=1e-4)


@pytest.mark.parametrize("special", [False, True])
def test_losses_and_divergences_one_text_at_a_time(tiny_model, special):
    sae = made(tiny_model, architecture="topk", k=4)
    found = quality(tiny_model, sae, TEXTS, include_special=special)
    mean = each_token(tiny_model, bos=special).double().mean(0).float()
    begin = 0 if special else 1

    def edited(new):
        return Edit(HOOK, lambda x, start: torch.cat([x[:, :begin], new(x[:, begin:])], dim=1))

    edits = {
        "clean": None,
        "spliced": edited(lambda x: sae(x).detach()),
        "ablated": edited(torch.zeros_like),
        "mean_ablated": edited(lambda x: mean.expand_as(x)),
    }
    losses, divergences, n = dict.fromkeys(edits, 0.0), dict.fromkeys(edits, 0.0), 0
    for text in TEXTS:
        ids = tiny_model.tokens(text)
        n += len(ids) - 1
        p = tiny_model.logits(ids)[0, :-1].double().numpy()
        p = np.exp(p - np.logaddexp.reduce(p, axis=1, keepdims=True))
        for name, edit in edits.items():
            q = tiny_model.logits(ids, edit)[0, :-1].double().numpy()
            q = np.exp(q - np.logaddexp.reduce(q, axis=1, keepdims=True))
            losses[name] -= np.log(q[np.arange(len(q)), ids[1:].numpy()]).sum()
            divergences[name] += (p * np.log(p / q)).sum()
    for name in edits:
        assert getattr(found, f"loss_{name}") == pytest.approx(losses[name] / n, rel=1e-4)
        if name != "clean":
            assert getattr(found, f"kl_{name}") == pytest.approx(divergences[name] / n, rel=1e-3, abs=1e-5)
    assert found.kl_recovered == pytest.approx(1 - divergences["spliced"] / divergences["ablated"], rel=1e-3)
    assert found.kl_recovered_mean == pytest.approx(1 - divergences["spliced"] / divergences["mean_ablated"], rel=1e-3)
    rise = losses["mean_ablated"] - losses["clean"]
    assert found.loss_recovered_mean == pytest.approx((losses["mean_ablated"] - losses["spliced"]) / rise, rel=1e-3)


def test_the_mean_as_reconstruction_recovers_nothing_over_the_mean(tiny_model):
    sae = SAE(SAEConfig(32, 4, site=site(tiny_model, HOOK)))
    with torch.no_grad():
        sae.b_enc.fill_(-1e6)
        sae.b_dec.copy_(each_token(tiny_model).mean(0))
    found = quality(tiny_model, sae, TEXTS)
    assert found.explained_variance == pytest.approx(0, abs=1e-4)
    assert found.loss_recovered_mean == pytest.approx(0, abs=1e-4)
    assert found.kl_recovered_mean == pytest.approx(0, abs=1e-4)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(power=st.integers(-6, 6))
def test_scaling_activations_and_the_sites_scale_changes_no_ratio(tiny_model, power):
    """Bug 3 of the field: a normalization that evaluation forgets. The same SAE in other units is as good."""
    c = 2.0**power

    class Scaled(Model):
        def activations(self, tokens, hook_name):
            return c * super().activations(tokens, hook_name)

    sae = made(tiny_model, architecture="jumprelu")
    plain = quality(tiny_model, sae, TEXTS)
    own = sae.config.site
    other = SAE.from_weights(
        replace(sae.config, site=replace(own, scale=own.scale / c)), {k: w.detach() for k, w in sae.weights.items()}
    )
    model = Scaled(tiny_model.hooked, name=tiny_model.name, vocabulary=tiny_model.vocabulary)
    model.bos_token_id, model.prepend_bos = tiny_model.bos_token_id, tiny_model.prepend_bos
    scaled = quality(model, other, TEXTS)
    for name in ("fvu", "l0", "dead_share", "cosine", "l2_ratio"):
        assert getattr(scaled, name) == pytest.approx(getattr(plain, name), rel=1e-5)
    assert scaled.mse == pytest.approx(c * c * plain.mse, rel=1e-5)


def test_nothing_to_recover_is_not_a_number():
    q = Quality(0.1, 1.0, 0.0, 2.0, 2.0, 2.0, 10, 9)
    assert np.isnan(q.loss_recovered) and np.isnan(q.kl_recovered)
    table = quality_table({"a": q, "b": replace(q, fvu=0.5)})
    assert table.loc["b", "explained_variance"] == 0.5 and list(table.index) == ["a", "b"]


@pytest.mark.parametrize("options", KINDS, ids=lambda o: "-".join(map(str, o.values())))
def test_firing_by_a_count_of_tokens(tiny_model, options):
    sae = made(tiny_model, **options)
    found = firing(tiny_model, sae, TEXTS)
    a = np.stack([sae.encode(row).detach().numpy() for row in each_token(tiny_model)]).astype(np.float64)
    assert found.n_tokens == len(a)
    assert np.abs(found.count - (a > 0).sum(0)).max() <= 1  # a product may round to either side of a threshold
    assert found.total == pytest.approx(a.sum(0), rel=1e-3, abs=1e-3)
    W_enc, W_dec = (w.detach().double().numpy() for w in (sae.W_enc, sae.W_dec))
    for f in (0, 7):
        cosine = W_enc[:, f] @ W_dec[f] / np.linalg.norm(W_enc[:, f]) / np.linalg.norm(W_dec[f])
        assert found.alignment[f] == pytest.approx(cosine)


def counts(*groups):
    """A Firing with `n` features of each density, of 10 million tokens."""
    count = np.concatenate([np.full(n, round(d * 10**7)) for n, d in groups]).astype(np.int64)
    zero = np.zeros(len(count))
    return Firing(count, zero, 10**7, zero, zero)


def test_the_ultralow_cluster_is_what_lies_below_the_valley():
    dice = np.random.default_rng(0)
    usual = [(1, 10**x) for x in dice.normal(-3, 0.6, 400)]
    low = [(1, 10**x) for x in dice.normal(-6.3, 0.2, 100)]
    found = counts(*usual, *low, (7, 0))
    assert 10**-5.8 < found.ultralow_below < 10**-4.5
    table = found.to_dataframe()
    assert table["cluster"].value_counts().to_dict() == pytest.approx({"usual": 400, "ultralow": 100, "dead": 7}, abs=3)
    assert counts(*usual).ultralow_below == 0  # one hump has no cluster
    assert counts(*usual, *[(1, 0.4 + 0.001 * i) for i in range(60)]).ultralow_below == 0  # a dense minority is not one
    assert counts((40, 0.01)).ultralow_below == 0
    assert counts((3, 0)).ultralow_below == 0 and counts((3, 0)).dead.all()


# -- concepts ----------------------------------------------------------------------------------------------------------


def corpus_of(truth):
    """truth: bool [concept, doc, pos]"""
    concept, doc, pos = (a.astype(np.int32) for a in np.nonzero(truth))
    names = tuple(f"c{i}" for i in range(len(truth)))
    return SimpleNamespace(concepts=names, label_doc=doc, label_pos=pos, label_concept=concept)


def acts_of(dense, tokens, counted):
    feature, context, position = np.nonzero(dense)
    start = np.searchsorted(feature, np.arange(len(dense) + 1)).astype(np.int64)
    value = dense[feature, context, position].astype(np.float32)
    return FeatureActivations(tokens, context.astype(np.int32), position.astype(np.int32), value, start, counted)


def random_case(seed, n_features=5, n_docs=6, width=9, n_concepts=3):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(1, 9, (n_docs, width)).astype(np.int32)
    tokens[:, 0] = 0
    counted = tokens > 0
    dense = rng.integers(0, 4, (n_features, n_docs, width)) * rng.integers(0, 2, (n_features, n_docs, width)) * counted
    truth = (rng.random((n_concepts, n_docs, width)) < 0.3) & counted
    return acts_of(dense, tokens, counted), corpus_of(truth), dense, truth, counted


def f1_of(said, truth):
    return 2 * (said & truth).sum() / max(said.sum() + truth.sum(), 1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_the_best_threshold_of_all(seed):
    acts, corpus, dense, truth, _ = random_case(seed)
    f1, threshold = best_thresholds(acts, corpus)
    for f in range(len(dense)):
        for c in range(len(truth)):
            tried = {t: f1_of(dense[f] >= t, truth[c]) for t in (1, 2, 3)}
            assert f1[f, c] == pytest.approx(max(tried.values()))
            if f1[f, c]:
                assert tried[threshold[f, c]] == pytest.approx(f1[f, c])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_detectors_are_chosen_on_one_half_and_told_on_the_other(seed):
    acts, corpus, dense, truth, _ = random_case(seed)
    first, second = halves(acts, seed)
    one, two = first.counted.any(1), second.counted.any(1)
    assert one.sum() == 3 and not (one & two).any()
    found = concept_detectors(acts, corpus, seed=seed)
    for c in range(len(truth)):
        tried = {
            (f, t): f1_of((dense[f] >= t) & one[:, None], truth[c] & one[:, None]) for f in range(5) for t in (1, 2, 3)
        }
        best = max(tried.values())
        if best == 0:
            assert found.feature[c] == -1 and found.splits[c] == ()
            continue
        f, t = int(found.feature[c]), float(found.threshold[c])
        assert tried[f, t] == pytest.approx(best) == pytest.approx(found.chosen_f1[c])
        said, true = (dense[f] >= t) & two[:, None], truth[c] & two[:, None]
        assert found.n_tokens[c] == true.sum()
        if true.any():
            assert found.recall[c] == pytest.approx((said & true).sum() / true.sum())
            assert found.f1[c] == pytest.approx(f1_of(said, true))
        if said.any():
            assert found.precision[c] == pytest.approx((said & true).sum() / said.sum())


def test_three_features_share_a_concept_and_a_fourth_is_not_one_of_them():
    """The concept is at positions 1 to 6 of each of 8 documents; features 0, 1 and 2 have two positions each, feature 3
    all else.
    """
    tokens = np.ones((8, 10), np.int32)
    tokens[:, 0] = 0
    dense = np.zeros((4, 8, 10))
    for f in range(3):
        dense[f, :, 1 + 2 * f : 3 + 2 * f] = 1 + f
    dense[3, :, 7:] = 5
    truth = np.zeros((1, 8, 10), bool)
    truth[0, :, 1:7] = True
    acts, corpus = acts_of(dense, tokens, tokens > 0), corpus_of(truth)
    found = concept_detectors(acts, corpus)
    assert sorted(found.splits[0]) == [0, 1, 2]
    assert (found.precision[0], found.recall[0], found.f1[0]) == (1, pytest.approx(1 / 3), pytest.approx(0.5))
    assert found.to_dataframe()["n_features"].tolist() == [3]
    bars = views.split_counts(found).data[0]
    assert dict(zip(bars.x, bars.y, strict=True))[3] == 1
    assert concept_scores(acts, corpus)["recall"][0] == pytest.approx(1 / 3)


def test_absorption_by_hand():
    """Token 1 is an apple, 2 a pear, 3 and 4 something else. Fruit is axis 0, apple axis 1. Feature 0 says fruit, but
    not on apples: there feature 1, whose direction has fruit in it, says it. Every apple is absorbed, no pear is.
    """
    x = np.array([[0, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], *[[0, 0, 0, 0]] * 4])
    model = PlantedModel(x)
    sae = SAE(SAEConfig(4, 3, site=site(model, "h")))
    with torch.no_grad():
        sae.W_enc.copy_(torch.tensor([[1.0, -1.0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0]]).T)
        sae.W_dec.copy_(torch.tensor([[1.0, 0, 0, 0], [1.0, 1.0, 0, 0], [0.0, 0, 1.0, 0]]))
    tokens = np.array([[0, 1, 2, 3, 4]] * 8, np.int32)
    truth = np.zeros((3, 8, 5), bool)  # fruit, apple, pear
    truth[0, :, 1:3] = truth[1, :, 1] = truth[2, :, 2] = True
    corpus = corpus_of(truth)
    corpus.concepts, corpus.token_rows = ("fruit", "apple", "pear"), tokens
    implied = {"fruit": ("fruit",), "apple": ("apple", "fruit"), "pear": ("pear", "fruit")}
    found = absorption(model, sae, corpus, implied).to_dataframe().set_index("child")
    # Feature 0 alone has F1 2/3 for fruit; with feature 1 it has 1, so both would share it: apples are then not silent.
    assert set(found.loc["apple", "parent_features"]) == {0, 1}
    assert found.loc["apple", "silent"] == 0 and found["absorbed"].sum() == 0

    from saewidgets.analysis.features import feature_activations

    acts = feature_activations(model, sae, corpus)
    strict = replace(concept_detectors(acts, corpus), splits=((0,), (1,), (2,)))
    result = absorption(model, sae, corpus, implied, acts=acts, detectors=strict)
    found = result.to_dataframe().set_index("child")
    assert found.loc["apple", ["n_tokens", "silent", "absorbed"]].tolist() == [
        4,
        4,
        4,
    ]  # one a document of the telling half
    assert found.loc["pear", ["n_tokens", "silent", "absorbed"]].tolist() == [4, 0, 0]
    # d = mean(fruit) - mean(rest) = (1, 1/2, 1/2, -1); feature 1's row is (1, 1, 0, 0)
    assert found.loc["apple", "cosine"] == pytest.approx(1.5 / np.sqrt(2.5) / np.sqrt(2))
    assert result.rate == 0.5
    assert views.absorption(result).data[0].x == (1.0,)

    with torch.no_grad():  # a child whose direction has no fruit in it takes nothing over
        sae.W_dec[1] = torch.tensor([0.0, 0.0, 0.0, 1.0])
    assert absorption(model, sae, corpus, implied, acts=acts, detectors=strict).rate == 0
    with pytest.raises(ValueError, match="another corpus"):
        absorption(model, sae, corpus, implied, acts=acts, detectors=replace(strict, concepts=("x",)))


# -- two SAEs ----------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_matches_by_corrcoef(seed):
    acts, _, dense, _, counted = random_case(seed, n_features=5)
    other = random_case(seed + 1, n_features=7)[2] * counted
    second = acts_of(other, acts.tokens, acts.counted)
    found = match_features(acts, second)
    a, b = (d[:, counted].astype(np.float64) for d in (dense, other))
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.corrcoef(np.concatenate([a, b]))[: len(a), len(a) :]
    r = np.where((a @ b.T > 0) & np.isfinite(r), r, -np.inf)
    assert found.feature.tolist() == np.flatnonzero(a.any(1)).tolist()
    for f, match, correlation, mutual in zip(found.feature, found.match, found.correlation, found.mutual, strict=True):
        if np.isfinite(r[f]).any():
            assert correlation == pytest.approx(r[f].max()) == pytest.approx(r[f, match])
            assert mutual == (r[:, match].argmax() == f)
        else:
            assert match == -1


def test_a_match_by_chance_is_far_below_one_and_a_shuffled_sae_is_no_better():
    """Two seeds of one world: feature f of either is on at the same tokens. The null says what luck would give."""
    dice = np.random.default_rng(0)
    tokens = np.ones((30, 21), np.int32)
    tokens[:, 0] = 0
    dense = dice.random((6, 30, 21)) * (dice.random((6, 30, 21)) < 0.1) * (tokens > 0)
    one, two = acts_of(dense, tokens, tokens > 0), acts_of(dense[::-1] * 2.0, tokens, tokens > 0)
    found = match_features(one, two, null=True, progress=False)
    assert found.match.tolist() == [5, 4, 3, 2, 1, 0] and found.correlation == pytest.approx(1)
    assert len(found.null) == 6 and (found.null < 0.35).all()
    luck = match_features(one, acts_of(dense[:, ::-1], tokens, tokens > 0), null=True, progress=False)
    assert np.abs(np.median(luck.correlation) - np.median(luck.null)) < 0.1
    assert "null" in found.to_dataframe() and "null" not in match_features(one, two, progress=False).to_dataframe()
    assert [own.name for own in views.feature_matches(found).data][-1] == "by chance"


def test_a_pair_of_features_by_their_logits(tiny_model):
    sae, other = made(tiny_model, architecture="relu"), made(tiny_model, architecture="relu", seed=4)
    pair = logit_pair(tiny_model, (sae, other), (3, 5))
    direct = tiny_model.direction_logits(torch.stack([sae.decoder_directions[3], other.decoder_directions[5]]))
    a, b = direct.detach().double().numpy()
    assert pair.first == pytest.approx(a, abs=1e-5) and pair.correlation == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert logit_pair(tiny_model, (sae, sae), (3, 3)).correlation == pytest.approx(1)
    points, names = views.logit_pair(pair, n=2).data
    assert len(points.x) == tiny_model.d_vocab and float(max(a)) in list(names.x) and float(max(b)) in list(names.y)
    with pytest.raises(IndexError, match="48"):
        logit_pair(tiny_model, (sae, sae), (3, 48))


def test_two_seeds_of_one_dictionary_are_matched(tiny_model):
    """The same features in another order: every live one is found again, in activations, decoder and logits."""
    from saewidgets.analysis.features import feature_activations

    sae = made(tiny_model, architecture="relu")
    order = np.random.default_rng(0).permutation(48)
    moved = {
        k: w.detach()[..., order] if k == "W_enc" or w.shape == (48,) else w.detach() for k, w in sae.weights.items()
    }
    moved["W_dec"] = sae.W_dec.detach()[order]
    other = SAE.from_weights(sae.config, moved)
    acts = [feature_activations(tiny_model, s, TEXTS) for s in (sae, other)]
    found = match_features(*acts, (sae, other), tiny_model)
    assert order[found.match].tolist() == found.feature.tolist()
    assert found.mutual.all()
    for name in ("correlation", "cosine", "logit_correlation"):
        assert getattr(found, name) == pytest.approx(1, abs=1e-4)
    assert sum(views.feature_matches(found).data[0].y) == len(found.feature)

    a, b = tiny_model.direction_logits(torch.stack([sae.decoder_directions[0], sae.decoder_directions[5]])).numpy()
    fake = replace(acts[1], start=acts[1].start.copy())  # a pair that is not itself, by numpy
    pair = match_features(acts[0], fake, (sae, sae), tiny_model)
    f = int(np.flatnonzero(pair.feature == 0)[0])
    b = tiny_model.direction_logits(sae.decoder_directions[pair.match[f]][None])[0].numpy()
    assert pair.logit_correlation[f] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-4)
    with pytest.raises(ValueError, match="different tokens"):
        match_features(acts[0], feature_activations(tiny_model, sae, TEXTS[:2]))


def test_children_by_hand():
    """Feature 0 splits into 0 and 1 (near, and together with it); 2 is near feature 1 but never with it; 3 is dead."""
    small, large = SAE(SAEConfig(2, 2)), SAE(SAEConfig(2, 4))
    with torch.no_grad():
        small.W_dec.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        large.W_dec.copy_(torch.tensor([[3.0, 0.3], [1.0, -1.0], [0.0, 1.0], [1.0, 0.0]]))
    tokens = np.array([[0, 1, 2, 3, 4, 5]], np.int32)
    a, b = np.zeros((2, 1, 6)), np.zeros((4, 1, 6))
    a[0, 0, 1:4], a[1, 0, 5] = 1, 1
    b[0, 0, 1:3], b[1, 0, 3:5], b[2, 0, 4] = 1, 1, 1
    found = splitting(small, large, acts_of(a, tokens, tokens > 0), acts_of(b, tokens, tokens > 0))
    assert found.parent.tolist() == [0, 0, -1, -1]
    assert found.children(0).tolist() == [0, 1] and found.n_children.tolist() == [2, 0]
    assert found.cosine[:2] == pytest.approx([1 / np.sqrt(1.01), np.sqrt(0.5)])
    assert found.together.tolist() == [1.0, 0.5, 0.0, 0.0]
    assert found.to_dataframe()["child"].tolist() == [0, 1]
    assert views.split_counts(found).data[0].y.tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="no cosine"):
        splitting(small, SAE(SAEConfig(3, 4)), *[acts_of(a, tokens, tokens > 0)] * 2)


# -- charts ------------------------------------------------------------------------------------------------------------


def test_charts_say_what_the_records_say():
    q = Quality(0.2, 3.0, 0.25, 1.0, 1.5, 6.0, 1000, 900, 0.1, 0.9, 0.8, 2.0, 0.1, 4.0, 1.0)
    fig = views.quality_measures({"a <b>": q, "c": replace(q, kl_ablated=float("nan"))})
    assert fig.data[0].x == pytest.approx((0.8, 0.9, 0.8, 0.9, 0.5, 0.975, 0.9))
    assert fig.data[1].x[5] is None
    assert "&lt;b&gt;" in fig.data[0].name and "25.0% dead in 1,000 tokens" in fig.data[0].name
    found = counts((30, 1e-2), (5, 1e-6), (4, 0))
    fig = views.firing_density(found)
    bars = [trace for trace in fig.data if trace.type == "bar"]
    assert [sum(trace.y) for trace in bars] == [30, 5]
    assert "4 of 39 never fired in 10,000,000 tokens" in fig.layout.title.text
    acts, corpus, *_ = random_case(3)
    d = concept_detectors(acts, corpus)
    fig = views.concept_detectors(d)
    shown = np.isfinite(d.f1) & np.isfinite(d.precision)
    assert np.allclose(fig.data[-1].x, d.recall[shown]) and np.allclose(fig.data[-1].y, d.precision[shown])
    fig.to_json()
