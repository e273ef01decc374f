"""The fused layer: torch's numbers, each row alone to the last bit, and used only where it is proven and quicker."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.decoder import (
    Decoder,
    DecoderParts,
    DecoderWeights,
    Fused,
    LayerWeights,
    Linear,
    Norm,
    fused_of,
    timing,
)
from saewidgets.decoder.parts import ACTIVATIONS
from saewidgets.models import Edit, load_model
from saewidgets.models.decoders import HookedDecoder, decoder_of

pytest.importorskip("numba")
from saewidgets.kernels import layer_numba as kernels

PROMPT = [0, 9, 8, 30, 31]
HOOK = "blocks.0.hook_resid_post"
PUSH = torch.linspace(-1, 1, 32)


@pytest.fixture(autouse=True)
def always_quicker(monkeypatch):
    """The machine's speed is not what is tested here."""
    monkeypatch.setattr(timing, "_QUICKER", {})
    monkeypatch.setattr(timing, "_tried", lambda decoder, layer: 64)


@pytest.fixture
def own(tiny_folder):
    return load_model(tiny_folder)


def used(model) -> HookedDecoder:
    decoder = decoder_of(model.hooked, model.logits, model.read)
    assert decoder is not None
    return decoder


def bare(heads: int, d_head: int, d_model: int, d_mlp: int, kind: str, seed: int = 0) -> Decoder:
    """A decoder of one random layer, of any shape."""
    generator = torch.Generator().manual_seed(seed)
    width = heads * d_head

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator) * 0.3

    embedding = random(7, d_model)
    gains = Norm(random(d_model) + 1, random(d_model))

    def linear(d_in: int, d_out: int) -> Linear:
        return Linear(random(d_in, d_out), random(d_out))

    layer = LayerWeights(
        qkv=(linear(d_model, 3 * width),), out=linear(width, d_model),
        mlp_in=(linear(d_model, d_mlp),), mlp_out=linear(d_mlp, d_model),
        norm_attention=gains, norm_mlp=Norm(),
    )  # fmt: skip
    parts = DecoderParts(n_ctx=64, n_heads=heads, d_head=d_head, activation=kind)
    final = Norm(), linear(d_model, 11)
    return Decoder(parts, DecoderWeights(embedding, torch.zeros(64, d_model), [layer], *final))


# -- the same numbers ------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 11), st.integers(2, 21), st.integers(1, 37)),
    kind=st.sampled_from(kernels.ACTIVATIONS),
    rows=st.integers(1, 4),
    n=st.integers(1, 6),
    start=st.sampled_from([0, 1, 9]),
    last=st.booleans(),
    seed=st.integers(0, 9),
)
def test_a_layer_is_torchs_at_any_shape(shape, kind, rows, n, start, last, seed):
    decoder = bare(*shape, kind, seed)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, n, decoder.d_model, generator=generator)
    cache = torch.randn(rows, start + n, 2, decoder.parts.n_heads, decoder.parts.d_head, generator=generator)
    other = cache.clone()
    expected = decoder.block(0, x, cache, start)
    only = decoder.block(0, x, cache, start, last=last)
    decoder.fused = Fused(decoder)
    found = decoder.block(0, x, other, start, last=last)
    assert found.shape == only.shape and found.shape[1] == (1 if last else n)
    torch.testing.assert_close(only, expected[:, -only.shape[1] :], atol=2e-5, rtol=2e-5)
    torch.testing.assert_close(found, only, atol=2e-5, rtol=2e-5)
    torch.testing.assert_close(other, cache, atol=2e-5, rtol=2e-5)
    fused_logits = decoder.logits(found[:, -1])
    decoder.fused = None
    torch.testing.assert_close(fused_logits, decoder.logits(only[:, -1]), atol=2e-5, rtol=2e-5)


def test_a_row_does_not_know_its_neighbors_and_a_token_not_its_followers():
    """Bit for bit: what a row gives alone it gives in a batch, and a prompt read at once is one read token by token."""
    decoder = bare(3, 5, 20, 43, "gelu_tanh")
    decoder.fused = Fused(decoder)
    x = torch.randn(4, 9, 20, generator=torch.Generator().manual_seed(1))
    cache = decoder.room(4, 9)
    whole = decoder.block(0, x, cache, 0)
    for row in range(4):
        own = decoder.room(1, 9)
        assert torch.equal(decoder.block(0, x[row : row + 1], own, 0)[0], whole[row])
        assert torch.equal(own[0], cache[row])
        own = decoder.room(1, 9)
        for t in range(9):
            assert torch.equal(decoder.block(0, x[row : row + 1, t : t + 1], own, t)[0, 0], whole[row, t])


def test_exp_to_eight_digits_and_finite_beyond():
    y = np.linspace(-40, 40, 4001)
    found = np.array([kernels.exp(v) for v in y])
    np.testing.assert_allclose(found, np.exp(y), rtol=3e-8)
    assert kernels.exp(-1e9) == kernels.exp(-40.0) < 1e-17 and np.isfinite(kernels.exp(1e9))
    assert np.isnan(kernels.exp(float("nan")))


@pytest.mark.parametrize("kind", kernels.ACTIVATIONS)
def test_activations_are_torchs_far_out_too(kind):
    x = torch.cat([torch.linspace(-12, 12, 977), torch.tensor([-3e4, -300.0, -41.0, 0.0, -0.0, 41.0, 300.0, 3e4])])
    found = x.numpy()[None].copy()
    kernels.activate(found, kernels.ACTIVATIONS.index(kind))
    expected = ACTIVATIONS[kind](x)
    torch.testing.assert_close(torch.from_numpy(found[0]), expected, atol=1e-6, rtol=1e-6)
    nan = np.full((1, 3), np.nan, np.float32)
    kernels.activate(nan, kernels.ACTIVATIONS.index(kind))
    assert np.isnan(nan).all()


# -- where it is used ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["hooked", "bridge"])
def test_texts_are_those_of_torch_and_of_transformer_lens(tiny_folder, backend):
    model = load_model(tiny_folder, backend=backend)
    edit = Edit(HOOK, lambda x, start: x + 2 * PUSH)

    def texts():
        return [
            (token, logits)
            for e, reference in ((None, False), (edit, False), (edit, True))
            for token, _, logits in model.stream(PROMPT, n_tokens=12, seed=4, edit=e, reference=reference)
        ]

    decoder = used(model)
    assert decoder.fused is not None and decoder.fused.most == 64
    quick, decoder.fused = texts(), None
    plain, model.use_decoder = texts(), False
    hooked = texts()
    for a, b, c in zip(quick, plain, hooked, strict=True):
        assert a[0] == b[0] == c[0]
        torch.testing.assert_close(a[1], b[1], atol=1e-5, rtol=0)
        torch.testing.assert_close(a[1], c[1], atol=1e-5, rtol=0)


def test_it_reads_the_models_own_memory(own):
    decoder = used(own)
    assert decoder.fused is not None
    W_in = own.hooked.blocks[0].mlp.W_in.detach().numpy()
    assert any(np.shares_memory(weight, W_in) for weight in decoder.fused._layers[0])


@pytest.mark.parametrize("part", ["block", "logits"])
def test_a_fused_layer_that_is_a_thousandth_off_is_not_used(own, monkeypatch, part):
    true = getattr(Fused, part)
    monkeypatch.setattr(Fused, part, lambda *args: true(*args) * 1.001)
    assert used(own).fused is None


@pytest.mark.parametrize("name", ["numba", "saewidgets.kernels.layer_numba"])
def test_without_numba_torch_does_it(own, monkeypatch, name):
    import saewidgets.kernels

    monkeypatch.delattr(saewidgets.kernels, "layer_numba")
    monkeypatch.delitem(sys.modules, "saewidgets.kernels.layer_numba")
    monkeypatch.delitem(sys.modules, "saewidgets.kernels.jit_numba", raising=False)
    monkeypatch.setitem(sys.modules, name, None)
    assert used(own).fused is None
    assert len(list(own.stream(PROMPT, n_tokens=3, seed=1))) == 3


def test_where_torch_is_quicker_torch_does_it(own, monkeypatch):
    monkeypatch.setattr(timing, "_tried", lambda decoder, layer: 0)
    assert used(own).fused is None


def test_more_tokens_than_it_is_good_for_go_to_torch(own, monkeypatch):
    monkeypatch.setattr(timing, "_tried", lambda decoder, layer: 4)
    decoder, sizes = used(own), []
    block = Fused.block
    monkeypatch.setattr(
        Fused, "block", lambda self, i, x, *rest: sizes.append(x.shape[0] * x.shape[1]) or block(self, i, x, *rest)
    )
    list(own.stream(PROMPT, n_tokens=3, seed=1, edit=Edit(HOOK, lambda x, start: x + PUSH), reference=True))
    assert decoder.fused is not None and set(sizes) == {1, 2}  # and not the five of the prompt


@pytest.mark.parametrize("weight", [torch.ones(4, 6).T, torch.ones(4, 4, dtype=torch.bfloat16)])
def test_weights_of_another_kind_are_refused(weight):
    decoder = bare(1, 2, 4, 4, "relu")
    layer = SimpleNamespace(**{**vars(decoder.weights.layers[0]), "mlp_in": (Linear(weight),)})
    decoder.weights = SimpleNamespace(**{**vars(decoder.weights), "layers": [layer]})
    with pytest.raises(ValueError, match="float32 on the CPU, laid out row after row"):
        Fused(decoder)
    assert fused_of(decoder) is None


def test_what_is_quicker_is_measured_once_a_shape(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(timing, "_QUICKER", {})
    decoder, asked = bare(1, 2, 4, 4, "relu"), []
    times = iter([[2.0, 1.0], [2.0, 2.0], [2.0, 2.1]])  # quicker at 1, level at 2, slower at 4
    monkeypatch.setattr(timing, "_least_times", lambda *runs: asked.append([run() for run in runs]) or next(times))
    assert Fused(decoder).most == 2 == Fused(decoder).most
    assert len(asked) == 3
    for plain, quick in asked:
        torch.testing.assert_close(plain, quick)
