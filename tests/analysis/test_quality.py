"""Quality and concept scores against second methods: numpy's variance, a count of pairs, one text at a time."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.activations import ActivationStore
from saewidgets.analysis.features import feature_activations
from saewidgets.analysis.quality import concept_auroc, concept_scores, quality
from saewidgets.models import site
from saewidgets.records import FeatureActivations
from saewidgets.sae import SAE, SAEConfig

HOOK = "blocks.1.hook_resid_pre"
TEXTS = ["The bridge over the bay", "is red", "and the fog is cold. The fog is over the bay.", "Bay"]


def activations(model):
    return torch.cat([model.activations(model.tokens(t), HOOK)[0, 1:] for t in TEXTS])


@pytest.fixture(scope="module")
def sae(tiny_model):
    store = ActivationStore(tiny_model, site(tiny_model, HOOK), TEXTS)
    return SAE(SAEConfig(32, 48, "topk", k=4, site=store.site, seed=1))


def test_fvu_l0_and_dead_share_by_numpy(tiny_model, sae):
    x = activations(tiny_model).numpy().astype(np.float64)
    a = sae.encode(torch.from_numpy(x).float()).detach()
    x_hat = sae.decode(a).detach().numpy()
    q = quality(tiny_model, sae, TEXTS)
    assert q.n_tokens == len(x)
    assert q.fvu == pytest.approx(((x - x_hat) ** 2).mean(0).sum() / x.var(0).sum(), rel=1e-4)
    assert q.explained_variance == 1 - q.fvu
    assert q.l0 == pytest.approx(float((a > 0).sum(1).float().mean()))
    assert q.dead_share == pytest.approx(float(((a > 0).sum(0) == 0).float().mean()))


def test_losses_one_text_at_a_time(tiny_model, sae):
    from saewidgets.models import Edit

    def loss(function):
        total, n = 0.0, 0
        for text in TEXTS:
            tokens = tiny_model.tokens(text)
            edit = None if function is None else Edit(HOOK, function)
            logprobs = tiny_model.logits(tokens, edit)[0].log_softmax(-1)
            total -= float(logprobs[:-1].gather(1, tokens[1:, None]).sum())
            n += len(tokens) - 1
        return total / n, n

    def after_bos(new):
        return lambda x, start: torch.cat([x[:, :1], new(x[:, 1:])], dim=1)

    q = quality(tiny_model, sae, TEXTS)
    clean, n = loss(None)
    spliced, _ = loss(after_bos(lambda x: sae(x).detach()))
    ablated, _ = loss(after_bos(torch.zeros_like))
    assert q.n_predictions == n
    assert (q.loss_clean, q.loss_spliced, q.loss_ablated) == pytest.approx((clean, spliced, ablated), rel=1e-4)
    assert q.loss_recovered == pytest.approx((ablated - spliced) / (ablated - clean), rel=1e-3)


def test_an_sae_that_always_gives_the_mean_explains_nothing(tiny_model):
    sae = SAE(SAEConfig(32, 4, site=site(tiny_model, HOOK)))
    with torch.no_grad():
        sae.b_enc.fill_(-1e6)
        sae.b_dec.copy_(activations(tiny_model).mean(0))
    q = quality(tiny_model, sae, TEXTS)
    assert q.fvu == pytest.approx(1, abs=1e-4)
    assert (q.l0, q.dead_share) == (0, 1)


def test_a_perfect_sae_explains_everything_and_costs_nothing(tiny_model):
    sae = SAE(SAEConfig(32, 64, site=site(tiny_model, HOOK)))
    with torch.no_grad():  # x = max(0, x) - max(0, -x)
        eye = torch.eye(32)
        sae.W_enc.copy_(torch.cat([eye, -eye], dim=1))
        sae.W_dec.copy_(torch.cat([eye, -eye]))
    q = quality(tiny_model, sae, TEXTS)
    assert q.fvu == pytest.approx(0, abs=1e-10)
    assert q.loss_recovered == pytest.approx(1, abs=1e-4)


def test_a_high_mean_does_not_flatter():
    """Activations 1000 +- 1, reconstructed as 1000: variance about zero says 0.999999, about the mean 0."""
    import threading

    from saewidgets.models import Model

    class Shifted(Model):
        name, d_model, d_vocab, n_ctx, bos_token_id, prepend_bos, weight_processing = "s", 1, 50, 9, 0, True, "none"
        device, use_decoder = torch.device("cpu"), False

        def __init__(self):
            self.lock = threading.RLock()

        def activations(self, tokens, hook_name):
            return 999.0 + 2 * (torch.as_tensor(tokens) % 2 == 0).float().reshape(
                -1, torch.as_tensor(tokens).shape[-1], 1
            )

        def logits(self, tokens, edit=None):
            return torch.zeros(*tokens.shape, 50)

    model = Shifted()
    sae = SAE(SAEConfig(1, 2, site=site(model, "h")))
    with torch.no_grad():
        sae.b_enc.fill_(-1e9)
        sae.b_dec.fill_(1000.0)
    q = quality(model, sae, np.array([[0, 1, 2, 3, 4]], np.int32))
    assert q.fvu == pytest.approx(1, rel=1e-6)
    assert q.loss_clean == pytest.approx(np.log(50), rel=1e-6)


def corpus_of(labels, concepts):
    """labels: {(doc, pos): set of concept numbers}"""
    entries = sorted((d, p, c) for (d, p), own in labels.items() for c in own)
    doc, pos, concept = (
        (np.array(column, np.int32) for column in zip(*entries, strict=True))
        if entries
        else [np.zeros(0, np.int32)] * 3
    )
    return SimpleNamespace(concepts=tuple(concepts), label_doc=doc, label_pos=pos, label_concept=concept)


def acts_of(dense, tokens, counted):
    """FeatureActivations from dense [feature, doc, pos]."""
    feature, context, position = np.nonzero(dense)
    start = np.searchsorted(feature, np.arange(len(dense) + 1)).astype(np.int64)
    value = dense[feature, context, position].astype(np.float32)
    return FeatureActivations(tokens, context.astype(np.int32), position.astype(np.int32), value, start, counted)


def pair_auroc(activation, is_concept):
    """The share of (concept token, other token) pairs in the right order, ties half."""
    yes, no = activation[is_concept], activation[~is_concept]
    return np.mean([(a > b) + 0.5 * (a == b) for a in yes for b in no])


def test_scores_by_hand():
    """4 counted tokens; the concept is at the last two; feature 0 fires at tokens 1 and 3, feature 1 at 0 only."""
    tokens = np.array([[0, 5, 6, 7, 8]], np.int32)
    dense = np.zeros((2, 1, 5))
    dense[0, 0, 2], dense[0, 0, 4] = 1.0, 3.0
    dense[1, 0, 1] = 2.0
    acts = acts_of(dense, tokens, tokens > 0)
    corpus = corpus_of({(0, 3): {0}, (0, 4): {0, 1}}, ["bridge", "red", "never"])
    auroc = concept_auroc(acts, corpus)
    # bridge, feature 0: concept values (0, 3) against (0, 1): 0=0 half, 0<1 none, 3>0, 3>1 -> 2.5 of 4
    assert auroc[0, 0] == 2.5 / 4
    # bridge, feature 1: (0, 0) against (2, 0): two halves of 4
    assert auroc[1, 0] == 1 / 4
    # red, feature 0: 3 against (0, 1, 0)
    assert auroc[0, 1] == 1.0
    table = concept_scores(acts, corpus)
    bridge, red, never = table.itertuples(index=False)
    assert (bridge.concept, bridge.feature, bridge.n_tokens) == ("bridge", 0, 2)
    assert (bridge.precision, bridge.recall, bridge.f1) == (0.5, 0.5, 0.5)
    assert (red.feature, red.auroc, red.precision, red.recall, red.n_tokens) == (0, 1.0, 0.5, 1.0, 1)
    assert red.f1 == pytest.approx(2 / 3)
    assert (never.feature, never.n_tokens) == (-1, 0)
    assert np.isnan(never.auroc)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_auroc_equals_a_count_of_pairs(seed):
    """Random activations with many ties and zeros, random labels, padding and special tokens."""
    rng = np.random.default_rng(seed)
    n_docs, width, n_features, n_concepts = (
        rng.integers(1, 5),
        rng.integers(2, 9),
        rng.integers(1, 5),
        rng.integers(1, 4),
    )
    tokens = rng.integers(1, 9, (n_docs, width)).astype(np.int32)
    tokens[:, 0] = 0
    for row in tokens:
        row[rng.integers(1, width + 1) :] = -1
    counted = tokens > 0
    dense = rng.integers(0, 4, (n_features, n_docs, width)) * rng.integers(0, 2, (n_features, n_docs, width)) * counted
    is_concept = rng.random((n_concepts, n_docs, width)) < 0.4
    labels = {
        (d, p): {c for c in range(n_concepts) if is_concept[c, d, p]} for d in range(n_docs) for p in range(width)
    }
    auroc = concept_auroc(acts_of(dense, tokens, counted), corpus_of(labels, map(str, range(n_concepts))))
    for f in range(n_features):
        for c in range(n_concepts):
            own = is_concept[c][counted]
            if own.any() and not own.all():
                assert auroc[f, c] == pytest.approx(pair_auroc(dense[f][counted], own))
            else:
                assert np.isnan(auroc[f, c])


def test_labels_of_another_corpus_are_refused(tiny_model, sae):
    acts = feature_activations(tiny_model, sae, TEXTS)
    with pytest.raises(ValueError, match="beyond the corpus"):
        concept_auroc(acts, corpus_of({(99, 1): {0}}, ["x"]))
    other = corpus_of({(0, 1): {0}}, ["x"])
    other.token_rows = acts.tokens + 1
    with pytest.raises(ValueError, match="another corpus"):
        concept_auroc(acts, other)
