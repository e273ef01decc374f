"""Exercises of 02_train_an_sae.ipynb."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from saewidgets.analysis.quality import quality
from saewidgets.course import answers, setting
from saewidgets.course.exercise import Exercise, Said, Wrong, right
from saewidgets.miniworld import load_corpus
from saewidgets.sae import SAE, SAEConfig

MOST_L0 = 8.0
MOST_FVU = 0.25
D_SAE = 512  # of the notebook's SAE
BUNDLED = "miniworld-512"  # which reads at the same site
N_HELD_OUT = 25  # documents that nothing was trained on
NEAR = 0.06  # share by which a measured number may differ: other documents


def sparser(answer: Any) -> Said:
    """An SAE with an L0 of at most 8 and an FVU of at most 0.25, on documents that it has not seen."""
    if not isinstance(answer, SAE):
        if hasattr(answer, "sae"):
            raise Wrong(
                "That is the run, not the SAE: give {kind}.sae, once the run has ended.", kind=type(answer).__name__
            )
        raise Wrong("This takes an SAE, sw.SAE(sw.SAEConfig(...)), not {given}.", given=answers.shown(answer))
    site = setting.hook_of(BUNDLED)
    own = answer.config.site
    if own is None:
        raise Wrong("Your SAE does not say where it reads: give sw.SAEConfig(..., site=store.site).")
    if own.hook_name != site:
        raise Wrong("Your SAE reads {own}; asked was {site}.", own=own.hook_name, site=site)
    found = quality(setting.model(), answer, load_corpus(N_HELD_OUT), progress=False)
    if found.fvu > 0.9:
        raise Wrong(
            "Its FVU is {fvu:.2f}, no better than the mean: has it been trained? sw.train is a generator, and trains "
            "while one goes through it.",
            fvu=found.fvu,
        )
    if found.l0 > MOST_L0:
        raise Wrong("Your SAE has L0 {l0:.1f}; asked was at most {most:g}: lower k.", l0=found.l0, most=MOST_L0)
    if found.fvu > MOST_FVU:
        raise Wrong(
            "L0 is {l0:.1f}, as asked; the FVU is {fvu:.3f}, and asked was at most {most:g}: more steps, a higher learning "
            "rate, or a k nearer to 8.",
            l0=found.l0,
            fvu=found.fvu,
            most=MOST_FVU,
        )
    return right("Yes: L0 {l0:.1f} and FVU {fvu:.3f}, on documents that it has not seen.", l0=found.l0, fvu=found.fvu)


def weights(answer: Any) -> Said:
    """How many numbers the notebook's SAE has learned."""
    d_in = setting.sae(BUNDLED).config.d_in
    expected = sum(weight.numel() for weight in SAE(SAEConfig(d_in, D_SAE, architecture="topk", k=12)).weights.values())
    found = answers.whole(answer)
    if found == expected:
        return right("Yes: {n:,}, nearly all of them in the two matrices.", n=expected)
    if found == 2 * d_in * D_SAE:
        raise Wrong("{n:,} are the two matrices. There are two biases as well.", n=found)
    if found == d_in * D_SAE:
        raise Wrong("{n:,} is one matrix. The decoder has one of its own.", n=found)
    if found == d_in * D_SAE + D_SAE + d_in:
        raise Wrong("That has one matrix. Encoder and decoder have one each.")
    if found in (2 * d_in * D_SAE + D_SAE, 2 * d_in * D_SAE + d_in):
        raise Wrong(
            "Both matrices and one bias. There are b_enc, one number per feature, and b_dec, one per dimension."
        )
    raise Wrong("Not {n:,}: add up the sizes in sae.weights.", n=found)


def answering_nothing(answer: Any) -> Said:
    """The FVU of an SAE that reconstructs every x as 0."""
    expected = _fvu_of_zero()
    found = answers.number(answer)
    if abs(found / expected - 1) <= NEAR:
        return right("Yes, about {fvu:.2f}: more than 1, because the mean of x is not 0.", fvu=expected)
    if found == 1:
        raise Wrong("1 is the FVU of an SAE that answers with the mean. The mean of x is not 0.")
    if found == 0:
        raise Wrong("0 would be a perfect SAE: every error 0.")
    if abs(found * expected - 1) <= NEAR:
        raise Wrong(
            "{found:.2f} is the fraction the other way up: the error stands above, the variance below.", found=found
        )
    if found < 1:
        raise Wrong("An FVU below 1 is better than the mean; can an SAE that answers 0 be?")
    raise Wrong("Not {found:g}. Put x̂ = 0 into the formula: Σ|x|² above, Σ|x − x̄|² below.", found=found)


@lru_cache(maxsize=1)
def _fvu_of_zero() -> float:
    model, hook_name = setting.model(), setting.hook_of(BUNDLED)
    rows = [model.activations(model.tokens(text), hook_name)[0, 1:] for text in load_corpus(N_HELD_OUT).texts]
    x = np.concatenate([row.detach().cpu().numpy() for row in rows]).astype(np.float64)  # [token, d_in]
    return float((x**2).sum() / ((x - x.mean(0)) ** 2).sum())


EXERCISES = (
    Exercise(
        "02.1",
        "What is the FVU of an SAE that answers $\\hat x = 0$, whatever it is given? Take a few thousand vectors "
        "from `store` and compute it.",
        (
            "`x = next(iter(store))` gives 1,024 vectors. Put $\\hat x = 0$ into the formula of section 2.",
            "$\\sum |x|^2$ stands above. Below stands the same with the mean vector taken away first: `x - x.mean(0)`.",
        ),
        "`(x**2).sum() / ((x - x.mean(0))**2).sum()`, about 1.5. An FVU can be above 1: 1 is what the *mean* "
        "gets, and 0 is worse than the mean. Watch for it in the first steps of a training.",
        answering_nothing,
    ),
    Exercise(
        "02.2",
        "How many numbers has the SAE of section 2 learned, weights and biases together?",
        (
            "It has two matrices and two biases: `sae.weights` holds them.",
            "160 × 512 for each matrix, 512 for `b_enc`, 160 for `b_dec`.",
        ),
        "2 × 160 × 512 + 512 + 160 = 164,512: `sum(w.numel() for w in sae.weights.values())`. That is a twelfth of "
        "what the model itself has.",
        weights,
    ),
    Exercise(
        "02.3",
        "Train an SAE at the same site that keeps at most **8** features per token and still has an FVU of at most "
        "**0.25**. Give the SAE.",
        (
            "Take `settings` and `config` of section 2 and change `k`. A few hundred steps are enough.",
            '`own = sw.SAE(sw.SAEConfig(160, 512, architecture="topk", k=8, site=store.site))`, then go through '
            "`sw.train(own, store, sw.TrainConfig(steps=300, lr=4e-3))`.",
        ),
        "As in the second hint, with `for _ in sw.train(...): pass`. After 300 steps its FVU is about 0.16: "
        "a lower L0 costs a higher FVU, and the frontier of section 5 says how much.",
        sparser,
    ),
)
