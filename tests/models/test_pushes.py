"""Continuations under pushes against whole passes of TransformerLens, one push and one continuation at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saewidgets.models import Edit, load_model
from saewidgets.models.decoders import HookedDecoder

HOOK = "blocks.0.hook_resid_post"
AFTER = [" bridge", " red bridge over the bay", " cold fog"]


@pytest.fixture(scope="module")
def model(tiny_folder):
    return load_model(tiny_folder)


def alone(model, ids, own, hook_name, span, push):
    """One text, one pass through the whole network, the sum of its own tokens' log-probabilities."""

    def edit(x, start):
        at = torch.arange(x.shape[1])
        return x + torch.where(((at >= span[0]) & (at < span[1]))[:, None], push, 0.0)

    logits = model.logits(torch.cat([ids, torch.tensor(own)]), Edit(hook_name, edit))[0].double().log_softmax(-1)
    return sum(float(logits[len(ids) - 1 + i, token]) for i, token in enumerate(own))


@pytest.mark.parametrize("use_decoder", [True, False])
@pytest.mark.parametrize("hook_name", [HOOK, "blocks.1.hook_resid_post", "blocks.1.hook_attn_out"])
@pytest.mark.parametrize("span", [(0, 1 << 62), (3, 5), (4, 7), (6, 1 << 62), (7, 8)])
def test_every_continuation_under_every_push(model, monkeypatch, use_decoder, hook_name, span):
    monkeypatch.setattr("saewidgets.models.effects.PUSHES", 3)  # so that they come in parts
    model.use_decoder = use_decoder
    ids = model.tokens("The fog over the red")
    after = [model.continuation(text).tolist() for text in AFTER]
    assert len(ids) == 6 and len({len(own) for own in after}) > 1
    push = 2 * torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    push[0] = 0
    found = np.full((5, 3), np.nan)
    for rows, part in model.pushed_logprobs(ids, after, hook_name, push, span=span):
        found[rows] = part
    model.use_decoder = False
    expected = [[alone(model, ids, own, hook_name, span, one) for own in after] for one in push]
    np.testing.assert_allclose(found, expected, atol=2e-3)
    plain = [row.sum() for row in model.logprobs(ids, after)]
    np.testing.assert_allclose(found[0], plain, atol=2e-3)
    moved = np.abs(found[1:] - found[0]).max(0)  # per continuation; one token is not moved by what comes after it
    lengths = np.array([len(own) for own in after])
    reached = max(span[0] - 6, -1) < lengths - 1
    if hook_name == HOOK:  # after the last layer's attention nothing looks back
        assert (moved[reached] > 0.05).all() and (moved[~reached] < 1e-4).all()


def test_what_cannot_be_pushed_is_refused(model):
    ids = model.tokens("The fog")
    for after, hook_name, sentence in (
        ([], HOOK, "at least one continuation"),
        ([[3], []], HOOK, "at least one token in each"),
        ([[3]], "blocks.0.hook_resid_pst", "unknown hook"),
        ([[3] * model.n_ctx], HOOK, "do not fit"),
    ):
        with pytest.raises(ValueError, match=sentence):
            next(model.pushed_logprobs(ids, after, hook_name, torch.zeros(1, 32)))


@pytest.mark.parametrize("use_decoder", [True, False])
@pytest.mark.parametrize("hook_name", [HOOK, "blocks.1.hook_attn_out"])
@pytest.mark.parametrize("start", [0, 3, 5])
def test_a_text_resumed_from_a_token_on_is_the_whole_pass(model, use_decoder, hook_name, start):
    text = model.tokens("The fog over the red")
    x = model.activations(text, hook_name)  # [1, pos, d]
    noise = torch.randn(4, len(text) - start, 32, generator=torch.Generator().manual_seed(1))
    noise[0] = 0
    row, position = np.nonzero(np.arange(len(text)) >= np.array([start, start, 5, start])[:, None])
    place = torch.from_numpy(row), torch.from_numpy(position)
    model.use_decoder = use_decoder
    found = model.resumed_text_logits(text, hook_name, start, x[:, start:] + noise, *place)
    model.use_decoder = False
    edits = (Edit(hook_name, lambda own, begin, n=n: torch.cat([own[:, :start], own[:, start:] + n], 1)) for n in noise)
    whole = torch.stack([model.logits(text, edit)[0] for edit in edits])
    torch.testing.assert_close(found, whole[place], atol=2e-3, rtol=1e-4)
    assert (found[row != 0] - whole[0][position[row != 0]]).abs().max() > 0.1


def test_one_request_is_one_look_at_the_weights_and_the_next_sees_a_change(model, monkeypatch):
    looks, current = [], HookedDecoder.current
    monkeypatch.setattr(HookedDecoder, "current", lambda self: looks.append(1) or current(self))
    monkeypatch.setattr("saewidgets.models.effects.PUSHES", 2)
    model.use_decoder = True
    ids, position, push = model.tokens("The fog over the red"), torch.tensor([1, 1, 1, 3, 4, 0]), torch.ones(6, 32)

    def logits():
        found = torch.zeros(6, model.d_vocab)
        passes = list(model.pushed_logits(ids, HOOK, position, push))
        for rows, part in passes:
            found[rows] = part
        return found, len(passes)

    logits()  # proves the site
    looks.clear()
    before, n_passes = logits()
    assert n_passes == 5 and len(looks) == 1
    weight = next(p for name, p in model.hooked.named_parameters() if name.endswith("ln_final.w") or "unembed" in name)
    kept = weight.detach().clone()
    try:
        weight.data.mul_(1.5)
        after, _ = logits()
        model.use_decoder = False
        plainly, _ = logits()
    finally:
        weight.data.copy_(kept)
    assert (after - before).abs().max() > 0.1
    torch.testing.assert_close(after, plainly, atol=2e-3, rtol=1e-4)
