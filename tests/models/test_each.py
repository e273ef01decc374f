"""Prompts of several lengths continued in one batch, and several sites read in one pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import saewidgets as sw
from saewidgets.models import continue_each, read_sites
from saewidgets.models.each import drawn


@pytest.fixture(scope="module")
def model():
    return sw.load_model()


@pytest.fixture(scope="module")
def prompts(model):
    texts = ["The Golden Gate Bridge is", "Human: Who are you?\nAssistant:", "A", "The cat sat on the mat, and the dog"]
    return [model.tokens(text).tolist() for text in texts]


def test_each_row_is_what_it_would_be_alone(model, prompts):
    greedy = continue_each(model, prompts, n_tokens=12, temperature=0.0, seeds=range(4))
    for prompt, text in zip(prompts, greedy, strict=True):
        assert text == model.sample(prompt, n_tokens=12, temperature=0.0, seeds=[0])[0]
    together = continue_each(model, prompts, n_tokens=12, temperature=0.8, seeds=[5, 6, 7, 8])
    alone = [
        continue_each(model, [prompt], n_tokens=12, temperature=0.8, seeds=[seed])[0]
        for prompt, seed in zip(prompts, [5, 6, 7, 8], strict=True)
    ]
    assert together == alone
    assert continue_each(model, prompts[:1], n_tokens=12, temperature=0.8, seeds=[9])[0] != alone[0]


def test_rows_that_end_early_leave_the_others_as_they_are(model, prompts):
    many = prompts * 4
    texts = continue_each(model, many, n_tokens=60, temperature=1.0, seeds=range(len(many)))
    assert min(map(len, texts)) < 60  # some end of themselves, so that rows were dropped on the way
    for at in (0, 5, 10, 15):
        assert texts[at] == continue_each(model, [many[at]], n_tokens=60, temperature=1.0, seeds=[at])[0]
    assert not any(token in model.end_token_ids for text in texts for token in text)


def test_a_model_without_a_decoder_writes_the_same(model, prompts):
    fast = continue_each(model, prompts, n_tokens=6, temperature=0.8, seeds=range(4))
    model.use_decoder = False
    try:
        assert continue_each(model, prompts, n_tokens=6, temperature=0.8, seeds=range(4)) == fast
        slow = read_sites(model, torch.tensor([prompts[0]]), ["blocks.2.hook_resid_post"])
    finally:
        model.use_decoder = True
    quick = read_sites(model, torch.tensor([prompts[0]]), ["blocks.2.hook_resid_post"])
    torch.testing.assert_close(
        quick["blocks.2.hook_resid_post"], slow["blocks.2.hook_resid_post"], rtol=1e-4, atol=1e-4
    )


def test_tokens_are_drawn_by_their_probabilities():
    p = torch.tensor([0.5, 0.3, 0.2])
    uniform = torch.from_numpy(np.random.default_rng(0).random(20_000))
    counts = torch.bincount(drawn(p.log().expand(20_000, -1), 1.0, uniform), minlength=3) / 20_000
    torch.testing.assert_close(counts, p, atol=0.012, rtol=0)
    sharp = torch.bincount(drawn(p.log().expand(20_000, -1), 0.5, uniform), minlength=3) / 20_000
    torch.testing.assert_close(sharp, torch.tensor([0.25, 0.09, 0.04]) / 0.38, atol=0.012, rtol=0)
    ruled_out = torch.tensor([[-torch.inf, 0.0, -torch.inf]])
    for u in (0.0, 0.5, 1.0 - 2**-53):
        assert drawn(ruled_out, 1.0, torch.tensor([u], dtype=torch.float64)).tolist() == [1]


def test_all_sites_of_one_pass_are_those_of_passes_of_their_own(model, prompts):
    names = [f"blocks.{i}.hook_resid_post" for i in (0, 2, 4)]
    tokens = torch.full((4, max(map(len, prompts))), -1)
    for row, prompt in zip(tokens, prompts, strict=True):
        row[: len(prompt)] = torch.tensor(prompt)
    found = read_sites(model, tokens, names)
    for name in names:
        for row, prompt in enumerate(prompts):
            alone = model.activations(torch.tensor(prompt), name)
            torch.testing.assert_close(
                found[name][row, : len(prompt)], alone.view(len(prompt), -1), rtol=1e-4, atol=1e-4
            )


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"prompts": [[]], "seeds": [0]}, "prompt 0 is empty"),
        ({"prompts": [[1]], "seeds": [0, 1]}, "1 prompts and 2 seeds"),
        ({"prompts": [[1] * 300], "seeds": [0]}, "do not fit in the context"),
        ({"temperature": -1.0}, "temperature"),
        ({"n_tokens": 0}, "n_tokens"),
    ],
)
def test_what_cannot_be_is_refused(model, change, match):
    given = {"prompts": [[1]], "seeds": [0], "n_tokens": 5, "temperature": 1.0} | change
    with pytest.raises(ValueError, match=match):
        continue_each(model, given.pop("prompts"), **given)
