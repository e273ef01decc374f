"""A model in bfloat16 or float16: every verb that takes a model and an SAE works on it, and gives what float32 gives,
but for rounding.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch

import saewidgets as sw
from saewidgets.activations import ActivationStore
from saewidgets.analysis.search import by_direction, by_prompt, by_prompts, by_token_promoted
from saewidgets.models import load_model
from saewidgets.records import Clamp
from saewidgets.sae import SAE, SAEConfig
from saewidgets.steering import Steerer

HOOK = "blocks.0.hook_resid_post"
TEXTS = ["The bridge over the bay is red", "and the fog is cold.", "The bay is red and the bridge is cold"] * 4
DTYPES = ("bfloat16", "float16")
# What a float of that format is off by, at most, as a share of itself. A residual stream is a sum of a few dozen of
# them.
UNIT = {"bfloat16": 2.0**-8, "float16": 2.0**-11}


@pytest.fixture(scope="module", params=DTYPES)
def half(request, tiny_folder):
    """(dtype, the tiny model in it)."""
    return request.param, load_model(tiny_folder, dtype=request.param)


@pytest.fixture(scope="module")
def sae(tiny_model):
    """Trained a little on float32 activations, so that it explains something."""
    torch.manual_seed(0)
    store = ActivationStore(tiny_model, sw.site(tiny_model, HOOK), TEXTS, batch_size=64)
    own = SAE(SAEConfig(32, 48, "topk", k=6, site=store.site), name="tiny")
    for _ in sw.train(own, store, sw.TrainConfig(steps=200, lr=3e-3, dead_window=1 << 20)):
        pass
    return own


@pytest.fixture(autouse=True)
def quietly():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*of the variance.*")
        yield


def _acts(model, sae):
    return sw.feature_activations(model, sae, TEXTS, progress=False)


def _effects(model, sae):
    acts = _acts(model, sae)
    feature = int(acts.maximum.argmax())
    return sw.dashboard_data(model, sae, acts, [feature], progress=False).measured(feature)


def _dose(model, sae):
    return sw.dose_response(
        model, sae, 3, maximum=4.0, prompt=TEXTS[0], concept=["bay"], multiples=(0.0, 1.0), seeds=range(2), n_tokens=4
    )


def _generate(model, sae, **more):
    return Steerer(model, sae).generate(TEXTS[0], [Clamp(3, 4.0)], n_tokens=5, **more)


# name -> what is done; each gives a record, a table or numbers, all of which must be finite
VERBS = {
    "site": lambda m, s: sw.site(m, HOOK).to_dict(),
    "feature_activations": lambda m, s: _acts(m, s).value,
    "dashboard_data": lambda m, s: sw.dashboard_data(m, s, _acts(m, s), progress=False),
    "measured": lambda m, s: _effects(m, s).top[0].loss_effects,
    "FeatureDashboard": lambda m, s: sw.FeatureDashboard(sw.dashboard_data(m, s, _acts(m, s), progress=False)),
    "prompt_activations": lambda m, s: sw.prompt_activations(m, s, TEXTS[0]).value,
    "prober": lambda m, s: sw.prober(m, s)(TEXTS[1]).value,
    "attribution": lambda m, s: sw.analysis.attribution(m, s, TEXTS[0], " cold", " red"),
    "token_parts": lambda m, s: sw.token_parts(m, s, TEXTS[0]).mismatch(-1),
    "quality": lambda m, s: sw.quality(m, s, TEXTS, progress=False).to_dataframe(),
    "firing": lambda m, s: sw.analysis.quality.firing(m, s, TEXTS, progress=False).total,
    "match_features": lambda m, s: sw.analysis.quality.match_features(
        _acts(m, s), _acts(m, s), (s, s), m, progress=False
    ),
    "feature_map": lambda m, s: sw.feature_map(s, _acts(m, s), model=m, progress=False),
    "by_prompt": lambda m, s: by_prompt(m, s, TEXTS[0]),
    "by_prompts": lambda m, s: by_prompts(m, s, TEXTS[:1], TEXTS[1:2]),
    "by_direction": lambda m, s: by_direction(m, s, 3),
    "by_direction tensor": lambda m, s: by_direction(m, s, torch.ones(32)),
    "by_token_promoted": lambda m, s: by_token_promoted(m, s, " red"),
    "searcher": lambda m, s: sw.searcher(m, s, _acts(m, s)),
    "mean_difference": lambda m, s: sw.steering.mean_difference(m, HOOK, TEXTS[:1], TEXTS[1:2]),
    "generate": lambda m, s: np.array([float(len(_generate(m, s).tokens))]),
    "generate with kl": lambda m, s: _generate(m, s, kl=True),
    "measure": lambda m, s: Steerer(m, s).measure(TEXTS[0], [Clamp(3, 4.0)], [3, 5]),
    "dose_response": _dose,
    "diagnose": lambda m, s: [t.fvu for t in sw.diagnose(m, s, TEXTS, progress=False).trials],
}


def finite(found):
    """Whether every number in it is finite or nan, and it can be shown."""
    if hasattr(found, "to_dataframe"):
        found = found.to_dataframe()
    if hasattr(found, "select_dtypes"):
        return bool((~np.isinf(found.select_dtypes("number").to_numpy(float, na_value=np.nan))).all())
    if isinstance(found, (int, float)):
        return math.isfinite(found)
    if isinstance(found, np.ndarray):
        return bool(np.isfinite(found).all())
    return True


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_works(half, sae, verb):
    _, model = half
    assert finite(VERBS[verb](model, sae))


def test_an_sae_of_float32_fits_and_reads_the_same(half, sae, tiny_model):
    dtype, model = half
    assert model.dtype == getattr(torch, dtype)
    exact, found = _acts(tiny_model, sae), _acts(model, sae)
    scale = float(exact.value.max())
    for f in np.flatnonzero(np.diff(exact.start)):
        off = np.abs(exact.dense(f) - found.dense(f))
        # A feature that is chosen or not by a rounding differs by its whole, small activation; a few do.
        assert np.median(off) <= 16 * UNIT[dtype] * scale
    a, b = sw.quality(tiny_model, sae, TEXTS, progress=False), sw.quality(model, sae, TEXTS, progress=False)
    assert b.fvu == pytest.approx(a.fvu, abs=16 * UNIT[dtype]) and b.l0 == pytest.approx(a.l0, abs=0.2)
    assert b.loss_clean == pytest.approx(a.loss_clean, rel=32 * UNIT[dtype])


def test_training_on_16_bit_activations_fits_the_float32_model(half, tiny_model):
    """What is lost is the rounding: |x - x16| <= 32 u |x| here, which adds its square to the FVU about the mean, and no
    more.
    """
    dtype, model = half
    store = ActivationStore(model, sw.site(model, HOOK), TEXTS, batch_size=64)
    batch = next(iter(store))
    assert batch.dtype == torch.float32
    exact = next(iter(ActivationStore(tiny_model, sw.site(tiny_model, HOOK), TEXTS, batch_size=64)))
    assert float((batch - exact).norm() / exact.norm()) <= 4 * UNIT[dtype]
    torch.manual_seed(0)
    own = SAE(SAEConfig(32, 48, "topk", k=6, site=store.site))
    step = list(sw.train(own, store, sw.TrainConfig(steps=200, lr=3e-3, dead_window=1 << 20)))[-1]
    assert math.isfinite(step.loss) and step.fvu < 0.5
    here, there = (sw.quality(m, own, TEXTS, progress=False).fvu for m in (model, tiny_model))
    assert there == pytest.approx(here, abs=16 * UNIT[dtype])
    found = sw.diagnose(tiny_model, own, TEXTS, progress=False)
    assert not any(f.topic in ("fingerprint", "model") and f.fits is False for f in found.findings)


def test_a_clamp_does_what_it_does_in_float32(half, sae, tiny_model):
    dtype, model = half
    ids = tiny_model.tokens(TEXTS[0])[None]
    edit = sw.Edit(HOOK, sw.clamp_edit(sae, [Clamp(3, 4.0)]))
    a, b = tiny_model.read(ids, ["blocks.1.hook_resid_pre"], edit), model.read(ids, ["blocks.1.hook_resid_pre"], edit)
    exact, found = a["blocks.1.hook_resid_pre"], b["blocks.1.hook_resid_pre"]
    assert found.dtype == getattr(torch, dtype)
    # Where the rounding decides whether the feature was active itself, the clamp begins elsewhere: at a token or two.
    off = (found.float() - exact).norm(dim=-1) / exact.norm(dim=-1)
    assert float(off.median()) <= 8 * UNIT[dtype]


def test_effects_are_those_of_float32_within_32_units_of_the_largest(half, sae, tiny_model):
    """What a feature does to the losses, and what features push one token over another, where both formats have them."""
    dtype, model = half
    feature = int(_acts(tiny_model, sae).maximum.argmax())
    tables = []
    for m in (tiny_model, model):
        record = sw.dashboard_data(m, sae, _acts(m, sae), [feature], progress=False).measured(feature)
        losses = {(e.context, e.position, i): v for e in record.top for i, v in enumerate(e.loss_effects)}
        pushes = sw.analysis.attribution(m, sae, TEXTS[0], " cold", " red").set_index(["position", "feature"])
        tables.append((losses, pushes["ablation"].to_dict(), pushes["attribution"].to_dict()))
    for exact, found in zip(*tables, strict=True):
        both = exact.keys() & found.keys()
        assert len(both) > len(exact) / 2
        largest = max(map(abs, exact.values()))
        assert max(abs(exact[at] - found[at]) for at in both) <= 32 * UNIT[dtype] * largest
