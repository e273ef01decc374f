"""Sweeps of clamps: every batched figure against the same one worked out one text at a time."""

import math

import pytest
import torch

from saewidgets.analysis.dose_response import (
    Dose,
    answer,
    dose_answers,
    forced_logprobs,
    perplexities,
    row_clamps,
    trigram_repeats,
)
from saewidgets.models import site
from saewidgets.records import Clamp
from saewidgets.sae import SAE, SAEConfig
from saewidgets.steering import Steerer, clamp_edit

HOOK = "blocks.0.hook_resid_post"
PROMPT = "The cat"


@pytest.fixture(scope="module", params=["relu", "topk"])
def sae(request, tiny_model):
    where = site(tiny_model, HOOK)
    return SAE(SAEConfig(where.d_in, 48, architecture=request.param, k=6, site=where, seed=3)).requires_grad_(False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I am here. I am here.", 2),  # "i am here" twice; no other three words stand twice
        ("red red red red", 2),
        ("One two three", 1),
        ("two words", 0),
        ("", 0),
    ],
)
def test_trigram_repeats_by_hand(text, expected):
    assert trigram_repeats(text) == expected


def test_an_answer_ends_where_the_next_turn_begins():
    assert answer(" I am a cat.\nHuman: Where?\nAssistant: Here.") == "I am a cat."
    assert answer(" I am Human: yes ") == "I am Human: yes"


def test_each_row_has_its_own_clamp(sae):
    x = torch.randn(3, 5, sae.config.d_in, generator=torch.Generator().manual_seed(0))
    moved = row_clamps(sae, [7, 0, 7], [2.0, 0.0, -1.5])(x, 0)
    for row, (feature, value) in enumerate([(7, 2.0), (0, 0.0), (7, -1.5)]):
        alone = clamp_edit(sae, [Clamp(feature, value)])(x[row : row + 1], 0)
        assert torch.allclose(moved[row], alone[0], atol=1e-5)


def test_a_sweep_writes_what_the_steerer_writes(tiny_model, sae):
    doses = [Dose(2, 1.0, 3.0), Dose(5, -2.0, 3.0)]
    table = dose_answers(tiny_model, sae, PROMPT, doses, seeds=[0, 4], n_tokens=6, rows_per_batch=3)
    steer = Steerer(tiny_model, sae)
    for row in table.itertuples():
        clamps = [Clamp(row.feature, row.multiple * 3.0)]
        tokens = steer.generate(PROMPT, clamps, n_tokens=6, seed=row.seed, kl=False).tokens
        assert row.answer == answer("".join(tiny_model.token_text([t.id for t in tokens])))
    assert len(table) == 4


def test_perplexities_are_the_steerers(tiny_model, sae):
    answers = ["sat on a mat.", "x"]
    found = perplexities(tiny_model, PROMPT, answers)
    steer = Steerer(tiny_model, sae)
    assert found == pytest.approx([steer.perplexity(PROMPT, " " + a) for a in answers], rel=1e-4)


def test_forced_logprobs_are_the_steerers(tiny_model, sae):
    doses = [Dose(f, 1.5, 2.0) for f in (1, 9, 30)]
    found = forced_logprobs(tiny_model, sae, PROMPT, doses, ["sat.", "ran far"], rows_per_batch=2)
    steer = Steerer(tiny_model, sae)
    for dose, logprob in zip(doses, found, strict=True):
        clamps = [Clamp(dose.feature, dose.value)]
        expected = -sum(math.log(steer.perplexity(PROMPT, " " + a, clamps)) for a in ("sat.", "ran far")) / 2
        assert logprob == pytest.approx(expected, rel=1e-4)
