"""Concepts by features and by what needs no SAE: each number by a second way, and every comparison on a wrong claim."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import saewidgets as sw
from saewidgets import views
from saewidgets.analysis.quality import compare_detectors, concept_detectors, neuron_overlap
from saewidgets.analysis.quality.baselines import neuron_layers
from saewidgets.analysis.quality.dense import best_dense, exact_auroc, resampled_f1
from saewidgets.analysis.quality.probes import cross_fitted, fit_logistic, fit_nested, nested_aside
from saewidgets.records import DetectorComparison, NeuronOverlap
from saewidgets.records.shares import wilson_bounds
from saewidgets.sae import SAE, SAEConfig


def drawn():
    """300 rows of 4 numbers, the last correlated with the first, and a noisy rule."""
    dice = np.random.default_rng(5)
    x = dice.standard_normal((300, 4))
    x[:, 3] = 0.6 * x[:, 0] + 0.8 * x[:, 3]
    return x, x @ [1.5, -1, 0.3, 0] + dice.standard_normal(300) > 1.2


@pytest.mark.parametrize(
    "strength, coefficients, intercept",
    [
        (1.0, [2.36983, -1.2884, 0.3527, 0.07424], -2.08561),
        (0.03, [0.78295, -0.46194, 0.06894, 0.33067], -1.37612),
    ],
)
def test_a_probe_is_scikit_learns(strength, coefficients, intercept):
    """The numbers are those of scikit-learn 1.9.1, LogisticRegression(C=strength, tol=1e-10)."""
    x, y = drawn()
    w, b = fit_logistic(torch.tensor(x).float(), torch.tensor(y[:, None]).float(), strength)
    assert w[:, 0].tolist() == pytest.approx(coefficients, abs=2e-3)
    assert float(b) == pytest.approx(intercept, abs=2e-3)


def test_probes_are_at_the_minimum_whatever_rows_the_hessian_saw(monkeypatch):
    """Many probes at once, each with its own C: the gradient in float64 is zero, and the objective convex."""
    from saewidgets.analysis.quality import probes

    monkeypatch.setattr(probes, "HESSIAN_ROWS", 40)
    dice = np.random.default_rng(0)
    x = dice.standard_normal((500, 6))
    y = (x @ dice.standard_normal((6, 3)) + dice.logistic(size=(500, 3)) > [0, 2, 4]).astype(float)
    strength = np.array([1.0, 0.1, 3.0])
    w, b = fit_logistic(torch.tensor(x).float(), torch.tensor(y).float(), torch.tensor(strength))
    p = 1 / (1 + np.exp(-(x @ w.double().numpy() + b.double().numpy())))
    assert np.abs(x.T @ (p - y) + w.double().numpy() / strength).max() < 0.3
    assert np.abs((p - y).sum(0)).max() < 0.3
    exact = [
        fit_logistic(torch.tensor(x).float(), torch.tensor(y[:, i : i + 1]).float(), strength[i])[0] for i in range(3)
    ]
    assert torch.allclose(torch.cat(exact, 1), w, atol=0.02)


def test_silent_rows_made_one_do_not_move_a_probe():
    x, y = drawn()
    x = np.maximum(x - 1, 0)  # most rows are nothing but zeros
    apart = x + 1e-6 * (np.arange(300) % 7)[:, None]  # and here next to nothing, so that each is a row of its own
    one, many = (fit_logistic(torch.tensor(own).float(), torch.tensor(y[:, None]).float()) for own in (x, apart))
    assert (x == 0).all(1).mean() > 0.4
    for own, other in zip(one, many, strict=True):
        assert torch.allclose(own, other, atol=2e-3)


def test_probes_on_ever_more_columns_are_those_fitted_one_by_one():
    x, y = drawn()
    x = np.maximum(x - 0.5, 0)
    found = fit_nested(x, y, [1, 3, 4])
    for k, own in zip([1, 3, 4], found, strict=True):
        w, b = fit_logistic(torch.tensor(x[:, :k]).float(), torch.tensor(y[:, None]).float())
        assert own == pytest.approx([*w[:, 0].tolist(), float(b)], abs=2e-3)
        p = 1 / (1 + np.exp(-(x[:, :k] @ own[:-1] + own[-1])))
        assert np.abs(x[:, :k].T @ (p - y) + own[:-1]).max() < 1e-2  # the gradient; the objective is convex
    fold = np.arange(300) < 150
    aside = nested_aside(x, y, fold, [1, 3])
    for own, k in zip(aside, (1, 3), strict=True):
        data = (torch.tensor(x[:, :k]).float(), torch.tensor(y[:, None]).float(), torch.tensor(fold))
        assert own == pytest.approx(cross_fitted(*data)[:, 0].numpy(), abs=1e-2)
    turned = np.where(np.arange(300) == 0, ~y, y)
    moved = np.abs(aside - nested_aside(x, turned, fold, [1, 3])) > 1e-5
    assert not moved[:, :150].any() and moved[:, 150:].all()


def test_cross_fitted_odds_never_saw_their_own_row():
    """A row whose label is turned moves the odds of the other fold's rows and of none of its own."""
    x, y = drawn()
    x, y, fold = torch.tensor(x).float(), torch.tensor(y[:, None]).float(), torch.arange(300) < 150
    turned = y.clone()
    turned[0] = 1 - turned[0]
    moved = (cross_fitted(x, y, fold) - cross_fitted(x, turned, fold)).abs()[:, 0] > 1e-5
    assert not moved[:150].any() and moved[150:].all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_best_threshold_of_dense_scores_by_trying_all(seed, n, levels):
    dice = np.random.default_rng(seed)
    x = dice.integers(-levels, levels, (3, n)).astype(np.float32)
    truth = dice.random((n, 2)) < 0.4
    row, concept = np.nonzero(truth)
    f1, at = best_dense(x, row, concept, 2)
    for u in range(3):
        for c in range(2):
            own = truth[:, c]
            if not own.any():
                assert (f1[u, c], at[u, c]) == (0, np.inf)
                continue
            tried = {float(t): 2 * (own & (x[u] >= t)).sum() / ((x[u] >= t).sum() + own.sum()) for t in x[u]}
            best = max(tried.values())
            assert f1[u, c] == pytest.approx(best)
            assert at[u, c] == max(t for t, f in tried.items() if f == pytest.approx(best))


def test_auroc_by_counting_pairs_and_by_scikit_learn():
    x, y = drawn()
    for score, known in ((x[:, 0], 0.8747851851851852), (np.round(x[:, 0]), 0.8524444444444443)):  # 1.9.1's
        on, off = score[y], score[~y]
        pairs = ((on[:, None] > off) + 0.5 * (on[:, None] == off)).mean()
        assert exact_auroc(score, np.flatnonzero(y)) == pytest.approx(pairs) == pytest.approx(known)
    f1, at = best_dense(np.round(x[:, 0])[None], np.flatnonzero(y), np.zeros(y.sum(), int), 1)
    assert (f1[0, 0], at[0, 0]) == (pytest.approx(0.6626506024096385), 1.0)
    assert np.isnan(exact_auroc(x[:, 0], np.arange(300)))


def test_an_interval_over_documents_knows_that_tokens_of_one_go_together():
    """Ten documents of ten tokens, all right or all wrong: as uncertain as ten tokens, not as a hundred."""
    document = np.repeat(np.arange(10), 10)
    true = np.ones(100, bool)
    said = document < 6
    draws = np.random.default_rng(0).multinomial(10, np.full(10, 0.1), 4000).astype(np.float32)
    low, high = resampled_f1(said, true, document, draws)
    share = np.quantile(np.random.default_rng(1).binomial(10, 0.6, 100_000) / 10, (0.025, 0.975))
    assert (low, high) == pytest.approx(tuple(2 * share / (1 + share)), abs=0.05)


def test_wilson_bounds_by_solving_for_them():
    low, high = wilson_bounds(np.array([8, 0, 5]), np.array([10, 4, 0]))
    for p, share, n in ((low[0], 0.8, 10), (high[0], 0.8, 10), (high[1], 0.0, 4)):
        assert abs(p - share) == pytest.approx(1.959963984540054 * np.sqrt(p * (1 - p) / n))
    assert low[1] == 0 and np.isnan(low[2])


@pytest.mark.parametrize(
    "hook, layers",
    [
        ("blocks.2.hook_resid_post", 3),
        ("blocks.2.hook_resid_mid", 2),
        ("blocks.0.hook_resid_pre", 0),
        ("hook_embed", 0),
    ],
)
def test_the_neurons_up_to_a_site(hook, layers):
    assert neuron_layers(hook) == [f"blocks.{n}.mlp.hook_post" for n in range(layers)]


def commonest(corpus, n):
    """The same texts with the labels of their n commonest concepts."""
    chosen = np.sort(np.argsort(-np.bincount(corpus.label_concept, minlength=len(corpus.concepts)), kind="stable")[:n])
    own = np.isin(corpus.label_concept, chosen)
    return replace(
        corpus,
        concepts=tuple(corpus.concepts[c] for c in chosen),
        label_doc=corpus.label_doc[own],
        label_pos=corpus.label_pos[own],
        label_concept=np.searchsorted(chosen, corpus.label_concept[own]),
    )


@pytest.fixture(scope="module")
def small():
    model, sae, corpus = sw.load_model(), sw.load_sae("miniworld-512"), commonest(sw.load_corpus(100, seed=5), 10)
    return model, sae, corpus, sw.feature_activations(model, sae, corpus, progress=False)


@pytest.fixture(scope="module")
def compared(small):
    model, sae, corpus, acts = small
    return compare_detectors(model, sae, corpus, acts=acts, ks=(1, 5), progress=False)


def test_the_features_are_those_of_concept_detectors(small, compared):
    """Told by another way: sparse, and counted by sets of tokens."""
    known = concept_detectors(small[3], small[2], progress=False).to_dataframe().set_index("concept")
    own = compared.to_dataframe()
    own = own[own["method"] == "feature"].set_index("concept").loc[known.index]
    both = known["feature"] >= 0
    assert own["unit"][both].tolist() == [str(f) for f in known["feature"][both]]
    for name in ("threshold", "precision", "recall", "f1", "auroc", "chosen_f1"):
        told = both & np.isfinite(known[name])
        assert own[name][told].to_numpy() == pytest.approx(known[name][told].to_numpy(), rel=1e-6), name
    assert (own["n_tokens"] == known["n_tokens"]).all()


def test_a_neuron_and_a_direction_by_hand(small, compared):
    """The unit that is named, read again token by token, says yes as often and as rightly as the record says."""
    from saewidgets.analysis.quality.detectors import halves

    model, _, corpus, acts = small
    telling = halves(acts, 0)[1]
    table = compared.to_dataframe()
    row = table[(table["method"] == "neuron") & (table["n_tokens"] > 20)].sort_values("f1").iloc[-1]
    block, number = row["unit"].split(" neuron ")
    tokens = torch.from_numpy(acts.tokens.astype(np.int64)).clamp_min(0)
    values = torch.cat(
        [model.activations(t, f"{block}.mlp.hook_post")[..., int(number)] for t in tokens.split(25)]
    ).numpy()
    said = (values >= row["threshold"] - 1e-5) & telling.counted
    truth = corpus.concept_mask(row["concept"]) & telling.counted
    assert (said & truth).sum() / said.sum() == pytest.approx(row["precision"], abs=0.02)
    assert (said & truth).sum() / truth.sum() == pytest.approx(row["recall"], abs=0.02)


def test_shuffled_labels_give_chance(small):
    """Every label on a token drawn at random: whatever is chosen on one half says nothing of the other."""
    model, sae, corpus, acts = small
    doc, position = np.nonzero(acts.counted)
    at = np.random.default_rng(0).integers(len(doc), size=len(corpus.label_doc))
    wrong = replace(corpus, label_doc=doc[at].astype(np.int32), label_pos=position[at].astype(np.int32))
    found = compare_detectors(model, sae, wrong, acts=acts, ks=(1, 5), progress=False)
    table = found.to_dataframe()
    table = table[table["n_tokens"] >= 20]
    for method, own in table.groupby("method"):
        assert own["auroc"].median() == pytest.approx(0.5, abs=0.06), method
        assert own["f1"].median() < own["base_f1"].median() + 0.05, method


def test_labels_that_are_right_are_told(compared):
    summary = compared.summary()
    assert list(summary.index) == ["feature", "neuron", "direction", "probe", "k=1", "k=5"]
    assert summary["n_units"].tolist() == [512, 1920, 512, 1, 512, 512]
    assert summary["auroc"]["probe"] > 0.95
    assert summary["f1"]["probe"] > summary["f1"].drop("probe").max()
    assert summary["won"]["feature"] == 1


def test_an_sae_of_random_weights_is_told(small, compared):
    """Its best features are no better than as many random directions, which the trained one's are."""
    model, sae, corpus, _ = small
    random = SAE(SAEConfig(160, 512, "topk", k=12, site=sae.config.site, seed=3))
    acts = sw.feature_activations(model, random, corpus, progress=False)
    found = compare_detectors(model, random, corpus, acts=acts, ks=(), baselines=False, progress=False).summary()
    own = compared.summary()["f1"]
    assert found["f1"]["feature"] < own["feature"] - 0.1
    assert found["f1"]["feature"] < own["direction"] + 0.05


def test_it_comes_back_from_a_file_and_is_drawn(compared, tmp_path):
    compared.save(tmp_path / "c.json")
    again = DetectorComparison.load(tmp_path / "c.json")
    assert again.to_dict() == compared.to_dict()
    assert again.table().equals(compared.table())
    fig = views.detector_comparison(again, n=6)
    assert len(fig.data) == 6 and all(len(own.x) == 6 for own in fig.data)
    own = fig.data[-1]
    assert own.name == "best feature" and list(own.x) == sorted(own.x, reverse=True)
    assert own.x[0] == np.nanmax(again.table()["feature"])
    (tmp_path / "bad.json").write_text('{"format": 1, "methods": []}')
    with pytest.raises(sw.LoadError, match="no 'n_units'"):
        DetectorComparison.load(tmp_path / "bad.json")
    with pytest.raises(ValueError, match=r"unknown measure 'f2'.*f1"):
        again.table("f2")


def test_a_small_share_of_a_corpus_is_whole_documents(small):
    model, sae, corpus, acts = small
    found = compare_detectors(model, sae, corpus, acts=acts, ks=(), baselines=False, max_tokens=1200, progress=False)
    assert 800 < found.n_tokens + found.n_choosing <= 1200
    assert found.methods == ("feature",)


@pytest.fixture(scope="module")
def overlap(small):
    model, sae, _, acts = small
    return neuron_overlap(model, sae, acts, features=[3, 40, 7], n_control=20, progress=False)


def test_the_most_alike_neuron_by_numpy(small, overlap):
    model, _, _, acts = small
    tokens = torch.from_numpy(acts.tokens.astype(np.int64)).clamp_min(0)
    layers = [f"blocks.{n}.mlp.hook_post" for n in range(3)]
    neurons = np.concatenate(
        [torch.cat([model.activations(t, h) for t in tokens.split(25)]).numpy()[acts.counted] for h in layers],
        axis=1,
    ).astype(np.float64)
    assert overlap.n_neurons == neurons.shape[1] == 1920 and overlap.n_tokens == len(neurons)
    for i, feature in enumerate((3, 40, 7)):
        own = acts.dense(feature)[acts.counted].astype(np.float64)
        with np.errstate(invalid="ignore"):
            r = np.corrcoef(own, neurons, rowvar=False)[0, 1:]
        best = int(np.nanargmax(np.abs(r)))
        assert (overlap.layer[i], overlap.neuron[i]) == divmod(best, 640)
        assert overlap.r[i] == pytest.approx(r[best], abs=1e-4)


def test_shuffled_tokens_are_the_floor_and_a_neuron_of_its_own_is_found(small, overlap):
    """A feature that is a neuron has r = 1 with it: an SAE that reads that neuron's output, made to write it."""
    assert (np.abs(overlap.shuffled) < np.abs(overlap.r)).all()
    assert (np.abs(overlap.control) < 1 - 1e-6).all() and len(overlap.control) == 20  # itself left out
    model, _, corpus, _ = small
    hook = "blocks.0.mlp.hook_post"
    copy = SAE(SAEConfig(640, 640, "relu", site=sw.site(model, hook)))
    with torch.no_grad():
        copy.W_enc.copy_(torch.eye(640))
        copy.W_dec.copy_(torch.eye(640))
        copy.b_enc.zero_()
        copy.b_dec.zero_()
    acts = sw.feature_activations(model, copy, corpus, progress=False)
    # The neuron is a GELU, the feature its positive part: not exactly 1.
    found = neuron_overlap(model, copy, acts, features=[5, 100], n_control=0, progress=False)
    assert found.neuron.tolist() == [5, 100] and found.layer.tolist() == [0, 0]
    assert (found.r > 0.95).all() and found.share_at_most(0.3) == 0


def test_overlap_comes_back_and_is_drawn(overlap, tmp_path):
    overlap.save(tmp_path / "o.json")
    again = NeuronOverlap.load(tmp_path / "o.json")
    assert again.to_dict() == overlap.to_dict()
    assert again.share_at_most(1.0) == 1 and again.share_at_most(0.0) == 0
    fig = views.neuron_overlap(again)
    assert [own.name.split(":")[0] for own in fig.data] == [
        "features",
        "random neurons, with the others",
        "features, tokens shuffled",
    ]
    assert sum(fig.data[0].y[::2]) == pytest.approx(1)
