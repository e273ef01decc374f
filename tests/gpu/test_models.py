"""A model and an SAE on the device: what is read, what is written under a clamp, and what is measured, as on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("transformer_lens")

import saewidgets as sw
from saewidgets.activations import rows as reading

TEXTS = [
    "The cat sat on the mat. It was a black cat.",
    "Human: What is your physical form?\nAssistant: I am a cat.",
] * 3
PROMPT = "The cat"


@pytest.fixture(scope="module")
def on_the_cpu():
    return sw.load_model(), sw.load_sae()


@pytest.fixture
def pair(device, moved):
    """(model, SAE) on the device."""
    if not moved:
        moved += [sw.load_model(), sw.load_sae().to(device)]
        moved[0].hooked.to(device)
    assert moved[0].device == moved[1].W_dec.device == device
    return tuple(moved)


@pytest.fixture(scope="module")
def moved():
    """What `pair` has moved, once for all tests."""
    return []


def test_activations_of_a_corpus(pair, on_the_cpu, monkeypatch):
    monkeypatch.setattr(reading, "TOKENS_PER_PASS", 24)
    found, expected = (sw.feature_activations(*each, TEXTS, progress=False) for each in (pair, on_the_cpu))
    assert np.array_equal(found.start, expected.start) and np.array_equal(found.position, expected.position)
    assert np.array_equal(found.context, expected.context) and np.allclose(found.value, expected.value, atol=1e-3)


def test_a_store_gives_the_cpus_batches(pair, on_the_cpu, device):
    site = on_the_cpu[1].config.site
    batches = [next(iter(sw.ActivationStore(m, site, TEXTS, batch_size=16))) for m in (pair[0], on_the_cpu[0])]
    assert batches[0].device == device and torch.allclose(batches[0].to("cpu"), batches[1], atol=1e-3)


def test_a_cache_is_written_and_read_there(pair, device, tmp_path):
    store = sw.ActivationStore(pair[0], pair[1].config.site, TEXTS, batch_size=16, epochs=1)
    first = [b.to("cpu") for b in store]
    again = list(store.cache(tmp_path / "cache", progress=False))
    assert all(b.device == device for b in again)
    assert all(torch.equal(a, b.to("cpu")) for a, b in zip(first, again, strict=True))


def test_the_decoder_is_used_and_its_weights_are_watched(pair):
    model, _ = pair
    with model.lock:
        decoder = model._decoder()
        assert decoder is not None and decoder.fused is None and decoder.current()
        weight = next(model.hooked.parameters()).data
        before = weight.clone()
        weight[0, 0] += 1e-3
        assert not decoder.current()
        weight.copy_(before)


@pytest.mark.parametrize("clamps", [[], [sw.Clamp(31, 8.0)], [sw.Clamp(31, 8.0, "generated"), sw.Clamp(7, 0.0)]])
def test_greedy_text_under_clamps(clamps, pair, on_the_cpu):
    found, expected = (
        sw.Steerer(*each).generate(PROMPT, clamps, n_tokens=8, temperature=0) for each in (pair, on_the_cpu)
    )
    assert found.text == expected.text
    assert [t.kl for t in found.tokens] == pytest.approx([t.kl for t in expected.tokens], abs=1e-3)


def test_sampled_text_and_a_batch_of_it(pair, on_the_cpu):
    grid = [[], [sw.Clamp(31, 4.0)], [sw.Clamp(31, 8.0), sw.Clamp(7, 2.0)]]
    found, expected = (
        sw.Steerer(*each).generate_batch([PROMPT], grid, seeds=(0, 1), n_tokens=6, progress=False)
        for each in (pair, on_the_cpu)
    )
    assert [g.text for g in found] == [g.text for g in expected]


def test_perplexity_and_effects(pair, on_the_cpu):
    found, expected = (
        sw.Steerer(*each).perplexity(PROMPT, " sat on the mat.", [sw.Clamp(31, 4.0)]) for each in (pair, on_the_cpu)
    )
    assert found == pytest.approx(expected, rel=1e-3)
    acts = sw.feature_activations(*pair, TEXTS, progress=False)
    feature = int(np.argmax(np.diff(acts.start)))
    data = [sw.dashboard_data(*each, acts, [feature], progress=False).measured(feature) for each in (pair, on_the_cpu)]
    assert [t.token for t in data[0].promoted] == [t.token for t in data[1].promoted]
    assert data[0].top[0].loss_effects[1:] == pytest.approx(data[1].top[0].loss_effects[1:], abs=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_sae_of_another_dtype_encodes_and_decodes(dtype, on_the_cpu, device):
    x = torch.randn(5, 3, on_the_cpu[1].config.d_in, generator=torch.Generator().manual_seed(0)) * 3
    sae, own = sw.load_sae().to(device, dtype), on_the_cpu[1]
    found, expected = sae(x.to(device, dtype)).to("cpu").float(), own(x)
    assert torch.allclose(found, expected, atol=1e-3 if dtype is torch.float32 else 0.6)
    assert int((sae.encode(x.to(device, dtype)) > 0).sum()) == int((own.encode(x) > 0).sum())
