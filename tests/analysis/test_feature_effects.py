"""What a dashboard says beyond its examples, each number by a second method: plain hooks, numpy, plain loops."""

from __future__ import annotations

import base64
import json
import re
import sys
import zlib
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import sample_records
import torch
from hostile import HOSTILE

from saewidgets import export
from saewidgets.activations import ActivationStore
from saewidgets.analysis.features import dashboard_data, feature_activations
from saewidgets.analysis.features import records as feature_records
from saewidgets.analysis.features.correlations import sample_contexts
from saewidgets.files import LoadError
from saewidgets.models import Model, site
from saewidgets.records import DashboardData, FeatureActivations
from saewidgets.sae import SAE, SAEConfig
from saewidgets.widgets import FeatureDashboard

HOOK = "blocks.1.hook_resid_pre"
TEXTS = ["The bridge over the bay", "is red", "and the fog is cold. The fog is over the bay.", "Bay", "cold cold cold"]
SIZES = {"n_top": 3, "n_intervals": 4, "per_interval": 2, "window": 3}


@pytest.fixture(scope="module", params=["topk", "relu", "layer_norm"])
def sae(request, tiny_model):
    store = ActivationStore(tiny_model, site(tiny_model, HOOK), TEXTS)
    kind = "relu" if request.param == "layer_norm" else request.param
    normalization = "layer_norm" if request.param == "layer_norm" else "none"
    where = site(tiny_model, HOOK) if request.param == "layer_norm" else store.site
    sae = SAE(SAEConfig(32, 48, kind, k=4, site=where, seed=1, input_normalization=normalization), name="tiny")
    with torch.no_grad():
        if kind == "relu":
            sae.b_enc.copy_(-torch.arange(48.0) / 24)
            sae.W_dec.mul_(10)  # a fresh one is small, and so would its effects be
        sae.b_enc[7] = -100.0
        sae.W_dec.mul_(torch.linspace(0.5, 2, 48)[:, None])
    return sae


@pytest.fixture(scope="module")
def acts(tiny_model, sae):
    return feature_activations(tiny_model, sae, TEXTS)


@pytest.fixture(scope="module")
def data(tiny_model, sae, acts):
    return dashboard_data(tiny_model, sae, acts, **SIZES, corpus_name="five")


@pytest.fixture(scope="module")
def busiest(acts):
    """The five features with the most activations."""
    return np.argsort(-np.diff(acts.start))[:5].tolist()


def brute_force(model: Model, sae, acts, feature: int, context: int):
    """(clean logits, logits without the feature) of a whole context: TransformerLens's own hooks, and the SAE's own
    decode.
    """
    ids = torch.tensor(acts.tokens[context][acts.tokens[context] >= 0].astype(np.int64))[None]
    counted = torch.from_numpy(acts.counted[context][: ids.shape[1]])

    def hook(x, hook):
        a = sae.encode(x)
        without = a.clone()
        without[..., feature] = torch.where(counted, torch.zeros(()), a[..., feature])
        return x + sae.decode(without, x) - sae.decode(a, x)

    with torch.no_grad():
        clean = model.hooked(ids)[0]
        return clean, model.hooked.run_with_hooks(ids, fwd_hooks=[(HOOK, hook)])[0], ids[0]


def test_loss_effects_and_moved_logits_equal_a_pass_of_the_whole_context(tiny_model, sae, acts, data, busiest):
    seen = 0
    for f in busiest:
        found = data.measured(f)
        assert found.measured and found.histogram == data[f].histogram
        for e in found.top + found.intervals:
            clean, without, ids = brute_force(tiny_model, sae, acts, f, e.context)
            assert len(e.loss_effects) == len(e.tokens)
            for i, effect in enumerate(e.loss_effects):
                p = e.position + i
                loss = [-torch.log_softmax(logits[p - 1], -1)[ids[p]].item() for logits in (without, clean)]
                assert effect == pytest.approx(loss[0] - loss[1], abs=2e-4)
            assert [m.at for m in e.moved] == [i for i, a in enumerate(e.activations) if a > 0]
            for m in e.moved:
                change = clean[e.position + m.at] - without[e.position + m.at]
                change -= change.mean()
                order = change.argsort(descending=True)
                assert [t.logit for t in m.promoted] == pytest.approx(change[order[:5]].tolist(), abs=2e-4)
                assert [t.logit for t in m.suppressed] == pytest.approx(change[order.flip(0)[:5]].tolist(), abs=2e-4)
                assert m.promoted[0].token == tiny_model.display([m.promoted[0].token_id])[0]
                seen += abs(m.promoted[0].logit) > 0.01
    assert seen > 20, "the feature does something here: the test could fail"


def test_before_its_first_activation_a_feature_has_no_effect_at_all(data, acts, busiest):
    for f in busiest:
        context, position, _ = acts.of(f)
        first = {c: int(position[context == c].min()) for c in set(context.tolist())}
        for e in data.measured(f).top:
            for i, effect in enumerate(e.loss_effects):
                if e.position + i <= first[e.context]:
                    assert effect == 0.0


def test_many_features_measured_together_give_what_each_gives_alone(tiny_model, sae, acts, busiest, monkeypatch):
    monkeypatch.setattr("saewidgets.analysis.features.ablation.TOKENS", 40)  # several passes
    together = dashboard_data(tiny_model, sae, acts, **SIZES).subset(busiest, effects=True)
    for f in busiest:
        alone = dashboard_data(tiny_model, sae, acts, **SIZES).measured(f)
        for a, b in zip(together[f].top, alone.top, strict=True):
            assert a.loss_effects == pytest.approx(b.loss_effects, abs=2e-4)
            assert [[t.token_id for t in m.promoted[:1]] for m in a.moved] == [
                [t.token_id for t in m.promoted[:1]] for m in b.moved
            ]
        assert together[f].correlated_neurons == alone.correlated_neurons


def test_a_first_token_without_anything_before_it_has_no_loss(tiny_model, sae, acts):
    """A model that puts nothing before a text: nothing predicts its first token, so there is no loss to change."""
    rows = np.array([[5, 6, 7, 8]], np.int32)
    start = np.zeros(49, np.int64)
    start[4:] = 2
    own = FeatureActivations(
        rows, np.zeros(2, np.int32), np.array([0, 2], np.int32), np.float32([2, 1]), start, rows >= 0
    )
    (example,) = dashboard_data(tiny_model, sae, own, [3], n_intervals=0).measured(3).top
    assert example.loss_effects[0] is None and all(isinstance(v, float) for v in example.loss_effects[1:])
    assert [m.at for m in example.moved] == [0, 2]


@pytest.mark.parametrize("use_decoder", [True, False])
def test_a_pass_taken_up_at_a_hook_point_ends_where_the_whole_one_does(tiny_model, use_decoder):
    rows = torch.tensor([[0, 5, 6, 7], [0, 8, 9, -1]])
    x = tiny_model.activations(rows, HOOK)
    whole = tiny_model.logits(rows)
    row, position = torch.tensor([0, 0, 1]), torch.tensor([1, 3, 2])
    tiny_model.use_decoder = use_decoder
    try:
        assert torch.allclose(tiny_model.resumed_logits(rows, HOOK, x, row, position), whole[row, position], atol=1e-4)
        moved = tiny_model.resumed_logits(rows, HOOK, x + torch.linspace(-1, 1, 32), row, position)
    finally:
        tiny_model.use_decoder = True
    assert not torch.allclose(moved, whole[row, position], atol=1e-4)


# -- correlations ------------------------------------------------------------------------------------------------------


def dense(acts) -> np.ndarray:
    """float64 [token, d_sae], counted tokens only."""
    return np.stack([acts.dense(f)[acts.counted] for f in range(acts.d_sae)], 1).astype(np.float64)


def test_correlated_features_are_those_of_numpy(data, sae, acts, busiest):
    a = dense(acts)
    W = sae.W_dec.detach().double().numpy()
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        r = np.corrcoef(a.T)
    for f in busiest:
        together = [g for g in range(48) if g != f and (a[:, f] * a[:, g]).any() and np.isfinite(r[f, g])]
        expected = sorted(together, key=lambda g: -r[f, g])[:3]
        found = data[f].correlated
        assert [c.pearson for c in found] == pytest.approx([r[f, g] for g in expected], abs=1e-6)
        assert [c.feature for c in found] == expected
        for c in found:
            norm = np.linalg.norm(a[:, f]) * np.linalg.norm(a[:, c.feature])
            assert c.cosine == pytest.approx(a[:, f] @ a[:, c.feature] / norm, abs=1e-6)
            assert c.decoder_cosine == pytest.approx(W[f] @ W[c.feature], abs=1e-5)


def neuron_activations(model, acts) -> np.ndarray:
    """float64 [token, d_mlp] of layer 1, one text at a time."""
    found = []
    for row, counted in zip(acts.tokens, acts.counted, strict=True):
        ids = torch.tensor(row[row >= 0].astype(np.int64))
        with torch.no_grad():
            cache = model.hooked.run_with_cache(ids[None])[1]
        found.append(cache["blocks.1.mlp.hook_post"][0][torch.from_numpy(counted[: len(ids)])])
    return torch.cat(found).double().numpy()


def test_correlated_neurons_are_those_of_numpy(tiny_model, data, acts, busiest):
    a, neurons = dense(acts), neuron_activations(tiny_model, acts)
    for f in busiest:
        r = np.array([np.corrcoef(a[:, f], n)[0, 1] for n in neurons.T])
        found = data.measured(f)
        assert found.neuron_tokens == acts.n_tokens  # so few that all of them are read
        assert [n.neuron for n in found.correlated_neurons] == np.argsort(-r, kind="stable")[:3].tolist()
        for link in found.correlated_neurons + found.aligned_neurons:
            assert link.layer == 1
            assert link.pearson == pytest.approx(r[link.neuron], abs=1e-5)
            n = neurons[:, link.neuron]
            assert link.cosine == pytest.approx(a[:, f] @ n / np.linalg.norm(a[:, f]) / np.linalg.norm(n), abs=1e-5)


def test_aligned_neurons_write_where_the_feature_points(tiny_model, acts, sae, busiest):
    data = dashboard_data(tiny_model, sae, acts, **SIZES)

    def unit(W):
        W = W.detach().double().numpy()
        return W / np.linalg.norm(W, axis=-1, keepdims=True)

    writes = unit(tiny_model.hooked.blocks[1].mlp.W_out)
    for f in busiest:
        decoder, encoder = writes @ unit(sae.W_dec[f]), writes @ unit(sae.W_enc[:, f])
        found = data[f].aligned_neurons
        assert [n.neuron for n in found] == np.argsort(-np.abs(decoder), kind="stable")[:3].tolist()
        assert [n.decoder_cosine for n in found] == pytest.approx([decoder[n.neuron] for n in found], abs=1e-5)
        assert [n.encoder_cosine for n in found] == pytest.approx([encoder[n.neuron] for n in found], abs=1e-5)
        assert found[0].pearson is None  # not measured yet in this record
    assert all(n.pearson is not None for n in data.measured(busiest[0]).aligned_neurons)


def test_where_there_is_no_mlp_beside_the_site_there_are_no_neurons(tiny_model):
    where = site(tiny_model, "hook_embed")
    sae = SAE(SAEConfig(32, 48, "relu", site=where))
    acts = feature_activations(tiny_model, sae, TEXTS)
    data = dashboard_data(tiny_model, sae, acts, **SIZES)
    found = data.measured(next(iter(data.features)))
    assert (found.aligned_neurons, found.correlated_neurons, found.neuron_tokens) == ((), (), 0)
    assert found.top[0].loss_effects


def test_an_sae_on_the_neurons_themselves_names_their_axes(tiny_model):
    where = site(tiny_model, "blocks.0.mlp.hook_post")
    sae = SAE(SAEConfig(where.d_in, 16, "relu", site=where))
    with torch.no_grad():
        sae.W_dec[5] = 0.0
        sae.W_dec[5, 9] = -2.0
        sae.W_dec[5, 3] = 0.5
    acts = feature_activations(tiny_model, sae, TEXTS)
    found = dashboard_data(tiny_model, sae, acts, [5], **SIZES)[5].aligned_neurons
    assert [(n.layer, n.neuron) for n in found[:2]] == [(0, 9), (0, 3)]
    assert found[0].decoder_cosine == pytest.approx(-2 / np.sqrt(4.25), abs=1e-5)


def test_a_sample_holds_whole_contexts_and_enough_of_them(acts):
    chosen = sample_contexts(acts, 10, seed=3)
    held = acts.counted[chosen].sum()
    assert held >= 10 and held - acts.counted[chosen].sum(1).min() < 10 + acts.counted.sum(1).max()
    assert (sample_contexts(acts, 10, seed=3) == chosen).all()
    assert sample_contexts(acts, 10**9, seed=3).all()


# -- histograms and bins -----------------------------------------------------------------------------------------------


def test_logit_and_density_histograms_are_those_of_numpy(tiny_model, data, sae, acts, busiest):
    for f in busiest:
        logits = tiny_model.direction_logits(sae.decoder_directions[f : f + 1])[0].numpy()
        counts, edges = np.histogram(logits, bins=50)
        assert data[f].logit_histogram.counts == tuple(counts)
        assert data[f].logit_histogram.edges == pytest.approx(edges)
    density = acts.density[acts.density > 0]
    counts, edges = np.histogram(np.log10(density), bins=50)
    assert data.log_density.counts == tuple(counts)
    assert data.log_density.edges == pytest.approx(edges)
    assert data.n_dead == 48 - len(density) > 0


def test_a_bin_gives_examples_of_its_own_interval(data, acts, busiest):
    f = busiest[0]
    value = acts.of(f)[2]
    edges = data[f].histogram.edges
    found = [data.between(f, low, high, n=1000) for low, high in pairwise(edges)]
    assert [len(e) for e in found] == list(data[f].histogram.counts)
    assert sum(map(len, found)) == len(value)
    for (low, high), examples in zip(pairwise(edges), found, strict=True):
        assert all(np.float32(low) <= e.maximum <= np.float32(high) for e in examples)
        assert [e.maximum for e in examples] == sorted((e.maximum for e in examples), reverse=True)
    saved = data.subset([f])  # no corpus at hand: from the record's own examples
    own = {(e.context, e.position + e.peak) for e in saved[f].top + saved[f].intervals}
    listed = [(e.context, e.position + e.peak) for low, high in pairwise(edges) for e in saved.between(f, low, high)]
    assert (
        len(listed) == len(set(listed))
        and set(listed) | {(e.context, e.position + e.peak) for e in saved[f].top if e.maximum == saved[f].maximum}
        == own
    )


# -- a record that is made on demand -----------------------------------------------------------------------------------


def test_summaries_say_what_the_records_say(data):
    assert len(data.summaries) == len(data.features)
    for summary, (f, feature) in zip(data.summaries, data.features.items(), strict=True):
        assert (summary.feature, summary.density, summary.maximum) == (f, feature.density, feature.maximum)
        assert summary.promoted == tuple(t.token for t in feature.promoted[:5])


def test_a_record_is_made_once_and_few_are_kept(tiny_model, sae, acts, monkeypatch):
    monkeypatch.setattr(feature_records, "KEPT", 2)
    data = dashboard_data(tiny_model, sae, acts, **SIZES)
    one, two, three = list(data.features)[:3]
    first = data[one]
    assert data[one] is first
    data[two]
    data[three]
    assert len(data.features._kept) == 2
    assert data[one] is not first and data[one] == first
    assert [f.feature for f in data.features.values()] == list(data.features)
    assert dict(data.features.items()) == data.features


def test_token_bytes_are_known_where_the_display_hides_them(tiny_model, data):
    ids = tiny_model.vocabulary.encode("é\n  a")
    for i in ids:
        shown = tiny_model.display([i])[0]
        raw = bytes.fromhex(data.token_bytes[i]) if i in data.token_bytes else shown.encode()
        assert raw == tiny_model.vocabulary.raw(i)
    assert b"".join(tiny_model.vocabulary.raw(i) for i in ids) == "é\n  a".encode()


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(data, busiest):
    return data.subset(busiest, effects=True)


def test_json_and_parquet_give_the_record_back(whole, tmp_path):
    assert DashboardData.from_json(whole.to_json()) == whole
    whole.save(tmp_path / "d.json")
    assert DashboardData.load(tmp_path / "d.json") == whole
    pytest.importorskip("pyarrow")
    whole.to_parquet(tmp_path / "d.parquet")
    assert DashboardData.from_parquet(tmp_path / "d.parquet") == whole
    once = (tmp_path / "d.parquet").read_bytes()
    whole.to_parquet(tmp_path / "d.parquet")
    assert (tmp_path / "d.parquet").read_bytes() == once


def test_a_dashboard_of_the_first_format_opens(whole, tmp_path):
    old = json.loads(whole.to_json())
    old = {"format": 1, "passport": old["passport"], "features": old["features"]}
    new = {
        "logit_histogram",
        "encoder_neighbors",
        "correlated",
        "aligned_neurons",
        "correlated_neurons",
        "neuron_tokens",
        "measured",
    }
    for feature in old["features"]:
        for name in new:
            del feature[name]
        for neighbor in feature["neighbors"]:
            del neighbor["encoder_cosine"]
        for example in feature["top"] + feature["intervals"]:
            del example["loss_effects"], example["moved"]
    found = DashboardData.from_json(json.dumps(old))
    assert found[whole.summaries[0].feature].promoted == whole[whole.summaries[0].feature].promoted
    assert found.summaries == whole.summaries
    with pytest.raises(ValueError, match="format 9; this version reads formats 1 to 2"):
        DashboardData.from_json(json.dumps({**old, "format": 9}))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 2}', '{"format": 2, "features": 3, "passport": {}}', "[" * 100_000]
)
def test_a_text_that_is_no_dashboard_is_refused_in_one_sentence(text):
    with pytest.raises(ValueError, match="not a dashboard in JSON"):
        DashboardData.from_json(text)


def test_a_file_that_is_no_dashboard_is_refused(tmp_path):
    pytest.importorskip("pyarrow")
    import pandas as pd

    path = tmp_path / "other.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(LoadError, match="not a dashboard"):
        DashboardData.from_parquet(path)
    for raw in (b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1"):
        path.write_bytes(raw)
        with pytest.raises(LoadError):
            DashboardData.from_parquet(path)
    with pytest.raises(LoadError):
        DashboardData.from_parquet(tmp_path / "absent.parquet")


def test_without_pyarrow_a_sentence_says_what_to_do(whole, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="pip install pyarrow, or write JSON"):
        whole.to_parquet(tmp_path / "d.parquet")
    with pytest.raises(ImportError, match="pip install pyarrow"):
        DashboardData.from_parquet(tmp_path / "d.parquet")


@pytest.mark.parametrize("token", HOSTILE, ids=lambda token: ascii(token)[:24])
def test_hostile_text_comes_back_from_both_files(token, tmp_path):
    data = sample_records.with_token(sample_records.dashboard(), token)
    assert DashboardData.from_json(data.to_json()) == data
    pytest.importorskip("pyarrow")
    if any(0xD800 <= ord(c) <= 0xDFFF for c in token):
        with pytest.raises(ValueError, match="surrogate"):
            data.to_parquet(tmp_path / "d.parquet")
    else:
        data.to_parquet(tmp_path / "d.parquet")
        assert DashboardData.from_parquet(tmp_path / "d.parquet") == data


def test_a_label_survives_every_way(whole):
    labelled = replace(whole, features={f: replace(x, label="fog, <b>") for f, x in whole.features.items()})
    assert {s.label for s in DashboardData.from_json(labelled.to_json()).summaries} == {"fog, <b>"}


# -- in a notebook -----------------------------------------------------------------------------------------------------


def test_effects_come_in_the_background_and_the_newest_feature_wins(tiny_model, sae, acts, busiest):
    data = dashboard_data(tiny_model, sae, acts, **SIZES)
    board = FeatureDashboard(data, feature=busiest[0])
    try:
        assert board.wait(60)
        board.check()
        assert board._shown["measured"] and not board._measuring
        assert board._shown["top"][0]["l"] and board.shown.top[0].loss_effects
        for f in busiest[1:]:
            board.feature = f
            assert board._shown["feature"] == f  # at once; what needs the model follows
        assert board.wait(60)
        assert board._shown["feature"] == busiest[-1] and board._shown["measured"]
        thousandths = [None if v is None else round(1000 * v) for v in board.shown.top[0].loss_effects]
        assert board._shown["top"][0]["l"] == thousandths
        edges = board.shown.histogram.edges
        board.interval = [busiest[-1], edges[0], edges[25]]
        assert len(board._bin["items"]) == min(10, sum(board.shown.histogram.counts[:25]))
    finally:
        board.close()


def test_an_error_while_measuring_is_said_and_the_page_stays(tiny_model, sae, acts, busiest, monkeypatch):
    data = dashboard_data(tiny_model, sae, acts, **SIZES)

    def broken(*args):
        raise RuntimeError("the model is gone")

    monkeypatch.setattr(feature_records, "with_effects", broken)
    board = FeatureDashboard(data, feature=busiest[0])
    try:
        assert board.wait(60)
        assert "the model is gone" in board.error and not board._measuring
        assert board._shown["feature"] == busiest[0]
        with pytest.raises(RuntimeError, match="gone"):
            board.check()
    finally:
        board.close()


def test_a_page_measures_what_it_carries_unless_told_not_to(tiny_model, sae, acts, busiest):
    def table(page):
        (packed,) = re.findall(r'"packed":"([^"]+)"', page)
        return json.loads(zlib.decompress(base64.b64decode(packed)))["table"]

    data = dashboard_data(tiny_model, sae, acts, **SIZES)
    plain = table(export.dashboard_html(data, features=busiest, effects=False))
    assert not any(f["measured"] for f in plain.values())
    full = export.dashboard_html(data, features=busiest)
    assert sorted(table(full)) == sorted(map(str, busiest))
    assert all(f["measured"] and f["top"][0]["l"] for f in table(full).values())
    assert export.dashboard_html(data, features=reversed(busiest)) == full
