"""A decoder on plain tensors: the numbers of its equations, and every part that it does not compute refused by name."""

from __future__ import annotations

import math
import re
from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from saewidgets.decoder import Decoder, DecoderParts, DecoderRun, DecoderWeights, LayerWeights, Linear, Norm
from saewidgets.models.layouts import parts_of

HEADS, D_HEAD, D_MODEL, D_MLP, D_VOCAB, N_CTX = 2, 3, 8, 10, 13, 12
PARTS = DecoderParts(n_ctx=N_CTX, n_heads=HEADS, d_head=D_HEAD, activation="relu")
TEXT = [3, 1, 4, 1, 5, 9]


@pytest.fixture(scope="module")
def weights() -> DecoderWeights:
    generator = torch.Generator().manual_seed(2)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator) * 0.5

    width = HEADS * D_HEAD

    def linear(d_in: int, d_out: int) -> Linear:
        return Linear(random(d_in, d_out), random(d_out))

    layers = [
        LayerWeights(
            qkv=(linear(D_MODEL, 3 * width),),
            out=linear(width, D_MODEL),
            mlp_in=(linear(D_MODEL, D_MLP),),
            mlp_out=linear(D_MLP, D_MODEL),
            norm_attention=Norm(random(D_MODEL) + 1, random(D_MODEL)),
            norm_mlp=Norm(),
        )
        for _ in range(2)
    ]
    return DecoderWeights(
        random(D_VOCAB, D_MODEL), random(N_CTX, D_MODEL), layers, Norm(random(D_MODEL)), linear(D_MODEL, D_VOCAB)
    )


def norm(x, weights):
    """float64 layer norm of one vector."""
    gain, bias = (0 if w is None else w.double().numpy() for w in weights)
    x = x - x.mean()
    x = x / math.sqrt((x * x).mean() + PARTS.norm_eps)
    return x * (1 if weights[0] is None else gain) + bias


def by_hand(
    weights: DecoderWeights, tokens: list[int], push: np.ndarray | None = None, at: int = 0
) -> list[np.ndarray]:
    """Residual stream before each layer and after the last, then logits, [pos, ...] each: one token and one head at a
    time, in float64; `push` is added to what flows into layer 1 at token `at`.
    """
    n = len(tokens)
    x = [weights.embedding[t].double().numpy() + weights.positions[i].double().numpy() for i, t in enumerate(tokens)]
    found = [np.array(x)]
    for number, w in enumerate(weights.layers):
        if number == 1 and push is not None:
            x[at] = x[at] + push
        W_QKV, b_QKV, W_O, b_O, W_in, b_in, W_out, b_out = (
            t.double().numpy() for t in (*w.qkv[0], *w.out, *w.mlp_in[0], *w.mlp_out)
        )
        qkv = [(norm(row, w.norm_attention) @ W_QKV + b_QKV).reshape(3, HEADS, D_HEAD) for row in x]
        middle = []
        for i in range(n):
            z = []
            for head in range(HEADS):
                scores = np.array([qkv[i][0, head] @ qkv[j][1, head] / math.sqrt(D_HEAD) for j in range(i + 1)])
                share = np.exp(scores - scores.max())
                share /= share.sum()
                z.append(sum(p * qkv[j][2, head] for j, p in enumerate(share)))
            middle.append(x[i] + np.concatenate(z) @ W_O + b_O)
        x = [row + np.maximum(norm(row, w.norm_mlp) @ W_in + b_in, 0) @ W_out + b_out for row in middle]
        found.append(np.array(x))
    found.append(np.array([norm(row, weights.norm_final) for row in x]) @ weights.unembedding.W.double().numpy())
    found[-1] = found[-1] + weights.unembedding.b.double().numpy()
    return found


def close(found: torch.Tensor, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)


def test_every_way_through_it_gives_the_numbers_of_the_equations(weights):
    decoder, (first, second, out, logits) = Decoder(PARTS, weights), by_hand(weights, TEXT)
    rows = torch.tensor([TEXT])
    for name, expected in (("0.hook_resid_pre", first), ("1.hook_resid_pre", second), ("1.hook_resid_post", out)):
        close(decoder.read(rows, f"blocks.{name}")[0], expected)
    close(decoder.read(rows, "blocks.0.hook_resid_mid")[0] + decoder.read(rows, "blocks.0.hook_mlp_out")[0], second)
    close(decoder.read(rows, "blocks.0.hook_resid_mid")[0] - decoder.read(rows, "blocks.0.hook_attn_out")[0], first)
    for layer, expected in enumerate((first, second, out)):
        close(decoder.residual(TEXT, layer), expected)
    close(decoder.forced(TEXT[:2], torch.tensor([[*TEXT[2:], 0]]))[0], logits[1:])
    run = DecoderRun(decoder, None, None, groups=1, each=1, reference=False)
    close(run.begin(TEXT[:3], 3)[0][0], logits[2])
    close(torch.cat([run.step(torch.tensor([t]))[0] for t in TEXT[3:]]), logits[3:])


def test_a_pass_taken_up_in_the_middle_gives_the_numbers_of_the_equations(weights):
    decoder, push = Decoder(PARTS, weights), torch.linspace(-2, 2, D_MODEL)
    *_, logits = by_hand(weights, TEXT, push.double().numpy(), at=2)
    close(decoder.pushed(TEXT, 1, 2, push[None])[0], logits[-1])
    x = decoder.read(torch.tensor([TEXT]), "blocks.1.hook_resid_pre")
    x[0, 2] += push
    close(decoder.resumed(1, x, torch.tensor([0, 0]), torch.tensor([5, 2])), logits[[5, 2]])


def test_the_products_of_a_block_are_those_that_it_is_given(weights):
    decoder, asked = Decoder(PARTS, weights), []
    x = decoder.embedded(torch.tensor([TEXT]), 0)

    def product(bias, a, W):
        asked.append(tuple(W.shape))
        return torch.addmm(bias, a, W)

    before = x.clone()
    found = decoder.block(0, x, product=product)
    width = HEADS * D_HEAD
    assert asked == [(D_MODEL, 3 * width), (width, D_MODEL), (D_MODEL, D_MLP), (D_MLP, D_MODEL)]
    assert torch.equal(found, decoder.block(0, x, decoder.room(1, len(TEXT)))) and torch.equal(x, before)


# -- what is refused -------------------------------------------------------------------------------------------------

OTHERS = {
    "n_kv_heads": (3, "n_kv_heads 3 (only a divisor of 2, n_heads)"),
    "norm": ("batch", "norm 'batch' (only 'layer', 'rms')"),
    "norm_rounds": ("never", "norm_rounds 'never' (only 'before gain', 'after gain')"),
    "norm_place": ("between", "norm_place 'between' (only 'before', 'after', 'around')"),
    "embedding_norm": (True, "embedding_norm True (only False)"),
    "positions": ("alibi", "positions 'alibi' (only 'learned', 'rotary')"),
    "attention": ("bidirectional", "attention 'bidirectional' (only 'causal')"),
    "qk_norm": ("row", "qk_norm 'row' (only 'none', 'head', 'whole')"),
    "mlp": ("experts", "mlp 'experts' (only 'plain', 'gated')"),
    "activation": ("solu", "activation 'solu' (only 'gelu_tanh', 'gelu', 'relu', 'silu')"),
    "residual": ("none", "residual 'none' (only 'sequential', 'parallel')"),
}


def with_parts(**changes) -> DecoderParts:
    return DecoderParts(**{**vars(PARTS), **changes})


def test_every_part_that_is_a_word_can_be_refused():
    """The others are numbers, each of which is computed."""
    numbers = {"n_ctx", "n_heads", "d_head", "norm_eps", "norm_offset", "rotary", "windows", "attention_scale"}
    numbers |= {"attention_scale_by_layer", "score_cap", "embedding_scale", "logit_cap"}
    assert set(OTHERS) == {field.name for field in fields(DecoderParts)} - numbers


@pytest.mark.parametrize("name", OTHERS)
def test_a_part_that_is_not_computed_is_refused_by_its_name(weights, name):
    value, phrase = OTHERS[name]
    parts = with_parts(**{name: value})
    assert parts.not_computed() == [phrase]
    with pytest.raises(ValueError, match=f"^a Decoder does not compute {re.escape(phrase)}$"):
        Decoder(parts, weights)


def test_several_parts_are_refused_together_and_gpt2s_values_spelled_out_are_not():
    others = with_parts(norm="batch", positions="alibi", mlp="experts", n_kv_heads=3)
    assert [phrase.split()[0] for phrase in others.not_computed()] == ["n_kv_heads", "norm", "positions", "mlp"]
    assert not with_parts(n_kv_heads=HEADS, attention_scale=1 / math.sqrt(D_HEAD)).not_computed()


def test_weights_that_do_not_fit_the_parts_or_each_other_are_refused(weights):
    with pytest.raises(
        ValueError, match=r"W_QKV of layer 0 is \[\[8, 18\]\], and 3 heads of 3, 3 with .* need \[8, 27\] or"
    ):
        Decoder(with_parts(n_heads=3), weights)
    with pytest.raises(ValueError, match=r"W_in of layer 0 is \[\[8, 10\]\], and a gated MLP of 10 needs \[8, 20\]"):
        Decoder(with_parts(mlp="gated"), weights)
    with pytest.raises(ValueError, match="norm_attention_out, norm_mlp_out of layer 0: norms around, q/k norm 'none'"):
        Decoder(with_parts(norm_place="around"), weights)
    with pytest.raises(ValueError, match="positions 'rotary' with a table"):
        Decoder(with_parts(positions="rotary"), weights)
    with pytest.raises(ValueError, match=r"differ in type or place: torch.float32 on cpu, torch.float64 on cpu"):
        unembedding = Linear(*(t.double() for t in weights.unembedding))
        Decoder(PARTS, DecoderWeights(**{**vars(weights), "unembedding": unembedding}))


# -- what a configuration of TransformerLens says --------------------------------------------------------------------

GPT2 = {
    "n_ctx": 64, "n_heads": 4, "d_head": 16, "d_model": 64, "eps": 1e-6, "act_fn": "gelu_new",
    "positional_embedding_type": "standard", "normalization_type": "LNPre",
}  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({}, {}),
        ({"attn_scale": 4.0, "output_logits_soft_cap": -1.0, "attention_dir": "causal"}, {"attention_scale": 0.25}),
        ({"uses_rms_norm": True}, {"norm": "rms"}),
        ({"normalization_type": None}, {"norm": "None"}),
        ({"n_key_value_heads": 2}, {"n_kv_heads": 2}),
        ({"attention_dir": "bidirectional"}, {"attention": "bidirectional"}),
        ({"use_attn_scale": False}, {"attention_scale": 1.0}),
        ({"attn_scale": 8.0}, {"attention_scale": 0.125}),
        ({"scale_attn_by_inverse_layer_idx": True}, {"attention_scale_by_layer": True}),
        ({"attn_scores_soft_cap": 50.0}, {"score_cap": 50.0}),
        ({"num_experts": 8, "gated_mlp": True}, {"mlp": "experts"}),
        ({"scale_embedding": True}, {"embedding_scale": 8.0}),
        ({"use_local_attn": True, "window_size": 4, "attn_types": ["global", "local"]}, {"windows": (None, 4)}),
        (
            {"use_normalization_before_and_after": True, "use_qk_norm": True},
            {"norm_place": "around", "qk_norm": "head"},
        ),
        ({"post_embedding_ln": True, "act_fn": "solu_ln"}, {"embedding_norm": True, "activation": "solu_ln"}),
    ],
)
def test_a_configuration_is_said_in_parts(setting, said):
    parts = parts_of(SimpleNamespace(**(GPT2 | setting)))
    assert parts == DecoderParts(**({"n_ctx": 64, "n_heads": 4, "d_head": 16, "norm_eps": 1e-6} | said))
