"""The mean difference in the place of clamps: its vector by hand, its scale by trying every one, and in a panel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import saewidgets as sw
from saewidgets.models import Edit
from saewidgets.records import Clamp, Steer
from saewidgets.sae import SAE, SAEConfig
from saewidgets.steering import FewShot, Steerer, intervention_edit, mean_difference

HOOK = "blocks.0.hook_resid_post"
TEXTS = {3: (["The fog is red", "The red bay"], ["The cold bridge", "A bay", "The fog"])}
TEXTS[4] = (["A cold fog"], TEXTS[3][1])


@pytest.fixture(scope="module")
def sae(tiny_model):
    sae = SAE(SAEConfig(32, 48, "topk", k=6, site=sw.site(tiny_model, HOOK)), name="tiny")
    with torch.no_grad():
        sae.W_dec[4] *= 3
    return sae


def moved(model, edit) -> float:
    """Mean KL(moved || as it is) over the texts without, cut to the shortest, each read by itself."""
    found = []
    rows = [model.tokens(text) for text in TEXTS[3][1]]
    for row in rows:
        row = row[: min(map(len, rows))]
        p, q = (model.logits(row, e)[0].double().softmax(-1).numpy() for e in (Edit(HOOK, edit), None))
        found.append((p * np.log(p / q)).sum(-1))
    return float(np.mean(found))


@pytest.mark.parametrize("value", [2.0, -6.0])
def test_the_scale_is_the_tenth_nearest_to_the_strength_of_the_clamp(tiny_model, sae, value):
    (steer,) = FewShot(tiny_model, sae, TEXTS)([Clamp(3, value, "generated")])
    plain = mean_difference(tiny_model, HOOK, *TEXTS[3])
    np.testing.assert_allclose(steer.vector, np.sign(value) * np.array(plain.vector), rtol=1e-6)
    assert steer.scope == "generated" and steer.name == f"mean difference at scale {steer.scale:.1f}"
    wanted = moved(tiny_model, intervention_edit(sae, [Clamp(3, value)]))
    tried = {n: moved(tiny_model, intervention_edit(sae, [Steer(steer.vector, n / 10)])) for n in range(120)}
    first = next(
        n for n in tried if tried[n] >= wanted
    )  # it rises with the scale, so every one is on one side or other
    assert first > 2, "a search, not the first that comes"
    assert round(10 * steer.scale) == min((first - 1, first), key=lambda n: abs(tried[n] - wanted))


def test_of_several_clamps_each_has_its_part_and_an_ablation_none(tiny_model, sae):
    instead = FewShot(tiny_model, sae, TEXTS)
    three, four = (np.array(mean_difference(tiny_model, HOOK, *TEXTS[f]).vector) for f in (3, 4))
    (steer,) = instead([Clamp(3, 3.0), Clamp(4, -1.0)])  # |d_4| = 3 |d_3|: both pushes are as long
    np.testing.assert_allclose(steer.vector, 0.5 * three - 0.5 * four, rtol=1e-5, atol=1e-7)
    assert instead([Clamp(3, 0.0)])[0].norm == 0 and instead([]) == []
    with pytest.raises(ValueError, match="one scope, not of 'all', 'prompt'"):
        instead([Clamp(3, 3.0), Clamp(4, 1.0, "prompt")])
    with pytest.raises(
        ValueError, match=r"no texts for feature 5: give FewShot\(model, sae, \{5: \(with, without\)\}\)"
    ):
        instead([Clamp(5, 3.0)])


def test_a_panel_offers_it_with_the_texts_of_its_dashboard(tiny_model, sae):
    corpus = ["The bridge over the bay is red and the fog is cold.", "A bay of fog.", "The red bridge is over the fog."]
    data = sw.dashboard_data(tiny_model, sae, sw.feature_activations(tiny_model, sae, corpus))
    told = [f for f in data.features.values() if f.top and f.top[0].peak]
    own, steer = told[0], Steerer(tiny_model, sae)
    panel = sw.ClampPanel(steer, data, multiples={own.feature: 2.0}, prompt="The fog", n_tokens=4)
    assert panel.comparisons.keys() == {"mean difference"} and panel.compared is None
    panel.compare = "mean difference"
    panel.write()
    assert panel.wait(60)
    (found,) = panel.compared.clamps
    positive, negative = panel.comparisons["mean difference"]._texts(own.feature)
    ends = [tiny_model.tokens(text)[-1] for text in positive]
    assert ends == [e.token_ids[e.peak] for e in own.top[:8]], "each text ends at its strongest token"
    assert len(negative) == min(8, len([f for f in data.features.values() if f.top]) - 1)
    assert found.vector == mean_difference(tiny_model, HOOK, positive, negative).vector
    assert panel._texts["instead"] == found.name
    again = steer.generate("The fog", [found], n_tokens=4, temperature=panel.temperature)
    assert panel.compared.text == again.text
    panel.multiples = {own.feature: 3.0}  # one text is dropped for the next, and so is what it was compared with
    assert panel.wait(60) and panel.compared.clamps[0].scale >= found.scale


def test_a_recording_and_a_single_feature_have_nothing_to_compare(tiny_model, sae):
    data = sw.dashboard_data(tiny_model, sae, sw.feature_activations(tiny_model, sae, ["The fog"]), features=[3])
    assert Steerer(tiny_model, sae).comparisons(data) == {}
    with pytest.raises(ValueError, match="no examples of feature 7 and of others"):
        FewShot(tiny_model, sae, data)([Clamp(7, 1.0)])
