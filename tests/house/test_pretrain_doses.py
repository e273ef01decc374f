"""Many features clamped in one batch: every figure against the same one worked out one text at a time."""

import math

import pytest

from saewidgets.analysis.doses.text_measures import answer
from saewidgets.models import site
from saewidgets.pretrain.doses import Dose, dose_answers, forced_logprobs
from saewidgets.records import Clamp
from saewidgets.sae import SAE, SAEConfig
from saewidgets.steering import Steerer

HOOK = "blocks.0.hook_resid_post"
PROMPT = "The cat"


@pytest.fixture(scope="module", params=["relu", "topk", "layer_norm"])
def sae(request, tiny_model):
    where = site(tiny_model, HOOK)
    kind = {"architecture": "topk", "input_normalization": "layer_norm"}  # as OpenAI's
    kind = kind if request.param == "layer_norm" else {"architecture": request.param}
    return SAE(SAEConfig(where.d_in, 48, k=6, site=where, seed=3, **kind)).requires_grad_(False)


def test_a_sweep_writes_what_the_steerer_writes(tiny_model, sae):
    doses = [Dose(2, 1.0, 3.0), Dose(5, -2.0, 3.0)]
    table = dose_answers(tiny_model, sae, PROMPT, doses, seeds=[0, 4], n_tokens=6, rows_per_batch=3)
    steer = Steerer(tiny_model, sae)
    for row in table.itertuples():
        clamps = [Clamp(row.feature, row.multiple * 3.0)]
        tokens = steer.generate(PROMPT, clamps, n_tokens=6, seed=row.seed, kl=False).tokens
        assert row.answer == answer("".join(tiny_model.token_text([t.id for t in tokens])))
    assert len(table) == 4


def test_forced_logprobs_are_the_steerers(tiny_model, sae):
    doses = [Dose(f, 1.5, 2.0) for f in (1, 9, 30)]
    found = forced_logprobs(tiny_model, sae, PROMPT, doses, ["sat.", "ran far"], rows_per_batch=2)
    steer = Steerer(tiny_model, sae)
    for dose, logprob in zip(doses, found, strict=True):
        clamps = [Clamp(dose.feature, dose.value)]
        expected = -sum(math.log(steer.perplexity(PROMPT, " " + a, clamps)) for a in ("sat.", "ran far")) / 2
        assert logprob == pytest.approx(expected, rel=1e-4)
