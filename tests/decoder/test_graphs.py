"""Steps whose shapes never change give the text that `DecoderRun` gives, for every way of position and attention."""

from __future__ import annotations

import pytest
import torch

from saewidgets.decoder import (
    Decoder,
    DecoderParts,
    DecoderRun,
    DecoderWeights,
    GraphRun,
    LayerWeights,
    Linear,
    Norm,
    Rotary,
    run_of,
)  # fmt: skip

D, VOCAB, LAYERS = 16, 50, 3
PROMPT, N_CTX = [3, 14, 15, 9, 26], 24


def decoder(dtype=torch.float32, **parts):
    """Random weights; `parts` in the place of a rotary, gated RMSNorm model's with grouped keys."""
    given = {
        "n_heads": 4, "d_head": 4, "n_kv_heads": 2, "norm": "rms", "positions": "rotary", "mlp": "gated", "activation": "silu",
    } | parts  # fmt: skip
    said = DecoderParts(N_CTX, **given)
    g = torch.Generator().manual_seed(0)

    def linear(m, n):
        return Linear((torch.randn(n, m, generator=g) / m**0.5).to(dtype).t())

    def norm():
        bias = torch.randn(D, generator=g).to(dtype) if said.norm == "layer" else None
        return Norm((1 + 0.1 * torch.randn(D, generator=g)).to(dtype), bias)

    kv = said.kv_heads * said.d_head
    mlp = (linear(D, 24), linear(D, 24)) if said.mlp == "gated" else (linear(D, 24),)
    layers = [
        LayerWeights((linear(D, 16), linear(D, kv), linear(D, kv)), linear(16, D), mlp, linear(24, D), norm(), norm())
        for _ in range(LAYERS)
    ]
    rotaries = [Rotary(torch.tensor([1.0, 0.3]))] if said.positions == "rotary" else []
    table = None if rotaries else torch.randn(N_CTX, D, generator=g).to(dtype)
    embedding = torch.randn(VOCAB, D, generator=g).to(dtype)
    return Decoder(said, DecoderWeights(embedding, table, layers, norm(), linear(D, VOCAB), rotaries))


def push(x, start):
    return x + 0.7 * torch.linspace(-1, 1, x.shape[-1]).to(x)


def late(x, start):
    """Nothing in the prompt: edited and unedited part in the middle of the text."""
    return push(x, start) if start >= len(PROMPT) + 2 else x


def logits(kind, model, hook, edit, *, groups=1, each=1, reference=False, steps=8, keep=None):
    run = kind(model, hook, edit, groups=groups, each=each, reference=reference)
    found = [torch.stack(run.begin(PROMPT, steps))]
    for step in range(steps):
        tokens = (torch.arange(run.rows) * 7 + step * 5) % VOCAB
        found.append(torch.stack(run.step(tokens)))
        if step == keep:
            run.keep(torch.tensor([0, 2]), 2, edit)
    return found


WAYS = {
    "rotary, grouped": {},
    "learned positions, GPT-2": {
        "n_kv_heads": None, "norm": "layer", "positions": "learned", "mlp": "plain", "activation": "gelu_tanh",
    },
    "a window that the text outgrows": {"windows": (4, None, 4)},
    "capped scores": {"score_cap": 5.0, "logit_cap": 3.0},
    "parallel": {"residual": "parallel"},
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("way", WAYS)
def test_logits_are_those_of_the_run_that_grows(way, dtype):
    model = decoder(dtype, **WAYS[way])
    with torch.no_grad():
        for edit in (None, push, late):
            hook = None if edit is None else "blocks.1.hook_resid_pre"
            each = [logits(kind, model, hook, edit, reference=edit is not None) for kind in (GraphRun, DecoderRun)]
            for step, (found, expected) in enumerate(zip(*each, strict=True)):
                exact = {} if dtype is torch.float32 else {"atol": 0.15, "rtol": 0.05}
                assert torch.allclose(found.float(), expected.float(), **({"atol": 1e-5} | exact)), (edit, step)


@pytest.mark.parametrize("hook", ["blocks.0.hook_resid_pre", "blocks.2.hook_resid_post", "blocks.1.hook_mlp_out"])
def test_a_batch_from_which_rows_drop_out(hook):
    model = decoder()
    with torch.no_grad():
        each = [logits(kind, model, hook, push, each=3, keep=3) for kind in (GraphRun, DecoderRun)]
    for found, expected in zip(*each, strict=True):
        assert found.shape == expected.shape and torch.allclose(found, expected, atol=1e-5)


def test_what_was_given_stays_when_the_next_token_comes():
    model = decoder()
    with torch.no_grad():
        run = GraphRun(model, None, None, groups=1, each=1, reference=False)
        run.begin(PROMPT, 5)
        first = run.step(torch.tensor([4]))[0]
        kept = first.clone()
        run.step(torch.tensor([7]))
    assert torch.equal(first, kept)


def test_memory_that_was_never_written_does_not_come_through(monkeypatch):
    model = decoder()
    room = model.room
    monkeypatch.setattr(
        model, "room", lambda *given: room(*given) if len(given) > 2 else torch.full_like(room(*given), torch.nan)
    )
    with torch.no_grad():
        found = logits(GraphRun, model, "blocks.1.hook_resid_pre", push, reference=True)
    assert all(bool(step.isfinite().all()) for step in found)


def test_graphs_are_asked_for_and_are_for_cuda(monkeypatch):
    monkeypatch.setenv("SAEWIDGETS_GRAPHS", "1")
    assert type(run_of(decoder(), None, None, groups=1, each=1, reference=False)) is DecoderRun
