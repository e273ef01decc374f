"""The fused layer of the common families: torch's numbers whatever the parts, each row alone to the last bit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

pytest.importorskip("numba")
from saewidgets.decoder import (
    Decoder,
    DecoderParts,
    DecoderWeights,
    FusedParts,
    LayerWeights,
    Linear,
    Norm,
    Rotary,
    fused_of,
    timing,
)

D_VOCAB, N_CTX = 19, 64
ODD, EVEN = (40, 70), (64, 96)  # d_model and d_mlp; a matrix unit takes the latter
LLAMA = DecoderParts(N_CTX, 4, 8, n_kv_heads=2, norm="rms", positions="rotary", mlp="gated", activation="silu")
GEMMA = replace(
    LLAMA, norm_place="around", norm_offset=1.0, norm_rounds="after gain", activation="gelu_tanh", windows=(3,), score_cap=2.0,
    logit_cap=3.0, qk_norm="head", attention_scale=0.5,
)  # fmt: skip
FAMILIES = {
    "llama": LLAMA,
    "qwen3": replace(LLAMA, qk_norm="head"),
    "no positions": replace(LLAMA, rotary=(None,)),
    "olmo2": replace(LLAMA, qk_norm="whole", norm_place="after"),
    "gemma": GEMMA,
    "neox": DecoderParts(N_CTX, 4, 8, positions="rotary", residual="parallel", activation="gelu"),
    "gpt2": DecoderParts(N_CTX, 4, 8),
}
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 0.02}


@pytest.fixture(autouse=True)
def always_quicker(monkeypatch):
    """The machine's speed is not what is tested here."""
    monkeypatch.setattr(timing, "_QUICKER", {})
    monkeypatch.setattr(timing, "_tried", lambda decoder, layer: 64)


def bare(
    parts: DecoderParts,
    dtype: torch.dtype,
    *,
    joined: bool = False,
    bias: bool = True,
    pairs: str = "halves",
    size: tuple[int, int] = ODD,
) -> Decoder:
    """A decoder of one random layer over weights [out, in]; `joined`: q, k and v in one matrix, and gate and up."""
    (d_model, d_mlp), generator = size, torch.Generator().manual_seed(3)

    def random(*shape: int) -> torch.Tensor:
        return (torch.randn(*shape, generator=generator) * 0.5).to(dtype)

    def linears(d_in: int, *outs: int) -> tuple[Linear, ...]:
        outs = (sum(outs),) if joined else outs
        return tuple(Linear(random(d_out, d_in).t(), random(d_out) if bias else None) for d_out in outs)

    def norm(there: bool, d: int) -> Norm | None:
        if not there:
            return None
        return Norm(random(d) + 1, random(d) if parts.norm == "layer" else None)

    d_q, d_kv = parts.n_heads * parts.d_head, parts.kv_heads * parts.d_head
    before, after, qk = parts.norm_place != "after", parts.norm_place != "before", parts.qk_norm != "none"
    whole = parts.qk_norm == "whole"
    layer = LayerWeights(
        qkv=linears(d_model, d_q, d_kv, d_kv), out=linears(d_q, d_model)[0],
        mlp_in=linears(d_model, *[d_mlp] * (1 + (parts.mlp == "gated"))), mlp_out=linears(d_mlp, d_model)[0],
        norm_attention=norm(before, d_model), norm_mlp=norm(before, d_model), norm_attention_out=norm(after, d_model),
        norm_mlp_out=norm(after, d_model), norm_q=norm(qk, d_q if whole else parts.d_head),
        norm_k=norm(qk, d_kv if whole else parts.d_head),
    )  # fmt: skip
    rotary = parts.positions == "rotary"
    return Decoder(parts, DecoderWeights(
        random(D_VOCAB, d_model), None if rotary else random(N_CTX, d_model), [layer], norm(True, d_model),
        linears(d_model, D_VOCAB)[0], [Rotary(torch.tensor([1.0, 0.3, 0.1]), pairs=pairs)] if rotary else [],
    ))  # fmt: skip


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """To rounding; in bfloat16 a number may fall on the other side of a rounding, and then what is made of it too."""
    assert found.dtype == expected.dtype and found.shape == expected.shape
    found, expected, dtype = found.float(), expected.float(), found.dtype
    assert (found - expected).abs().max() <= TOLERANCE[dtype] * expected.abs().max()
    if dtype == torch.bfloat16:
        assert (found == expected).float().mean() > 0.8


@pytest.mark.parametrize("dtype", TOLERANCE, ids=["float32", "bfloat16"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [ODD, EVEN], ids=["odd", "even"])
def test_a_layer_and_the_logits_are_torchs(family, dtype, size):
    for joined, bias, pairs, rows, n, start, last in (
        (False, False, "halves", 1, 1, 9, False), (True, True, "halves", 3, 1, 0, False), (False, True, "adjacent", 2, 6, 4, True),
        (True, False, "halves", 1, 7, 0, False),
    ):  # fmt: skip
        decoder = bare(FAMILIES[family], dtype, joined=joined, bias=bias, pairs=pairs, size=size)
        generator = torch.Generator().manual_seed(n)
        x = torch.randn(rows, n, size[0], generator=generator).to(dtype)
        cache = torch.randn(rows + 1, start + n, 2, decoder.parts.kv_heads, 8, generator=generator).to(dtype)
        other = cache.clone()
        expected = decoder.block(0, x, cache, start, last=last)
        logits = decoder.logits(expected[:, -1])
        decoder.fused = fused_of(decoder)
        assert isinstance(decoder.fused, FusedParts)
        assert_close(decoder.block(0, x, other, start, last=last), expected)
        assert_close(other, cache)
        assert_close(decoder.logits(expected[:, -1]), logits)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=["float32", "bfloat16"])
def test_a_row_does_not_know_its_neighbors_and_a_token_not_its_followers(dtype):
    """Bit for bit: what a row gives alone it gives in a batch, and a prompt read at once is one read token by token."""
    decoder = bare(GEMMA, dtype)
    decoder.fused = FusedParts(decoder)
    x = torch.randn(4, 9, ODD[0], generator=torch.Generator().manual_seed(1)).to(dtype)
    cache = decoder.room(4, 9)
    whole = decoder.block(0, x, cache, 0)
    for row in range(4):
        own = decoder.room(1, 9)
        for t in range(9):
            assert torch.equal(decoder.block(0, x[row : row + 1, t : t + 1], own, t)[0, 0], whole[row, t])
        assert torch.equal(own[0], cache[row])


def test_it_reads_matrices_where_they_lie_and_refuses_those_that_lie_the_other_way():
    decoder = bare(LLAMA, torch.bfloat16)
    fused = FusedParts(decoder)
    own = decoder.weights.layers[0].mlp_out.W
    assert fused._layers[0].mlp_out[0].ctypes.data == own.data_ptr()
    layer = replace(decoder.weights.layers[0], mlp_out=Linear(own.contiguous()))
    turned = Decoder(LLAMA, replace(decoder.weights, layers=[layer]))
    with pytest.raises(ValueError, match=r"laid out \[out, in\]"):
        FusedParts(turned)
    assert fused_of(turned) is None
