"""What may be asked of a transcoder: what it reads, by every way; what it writes at the site that it reads, by none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import saewidgets as sw
from saewidgets.activations import ActivationStore
from saewidgets.analysis.search import by_direction, by_prompt, by_prompts, by_token_promoted
from saewidgets.models import site
from saewidgets.sae import SAE, SAEConfig
from saewidgets.steering.comparisons import add_feature

X, Y = "blocks.1.hook_resid_mid", "blocks.1.hook_mlp_out"
TEXTS = ["The bridge over the bay", "is red", "and the fog is cold. The fog is over the bay.", "Bay"]
TEXT = TEXTS[2]
REFUSAL = f"needs an SAE that reconstructs what it reads; this transcoder predicts {Y}"


@pytest.fixture(scope="module")
def transcoder(tiny_model):
    sites = [ActivationStore(tiny_model, site(tiny_model, hook), TEXTS).site for hook in (X, Y)]
    return SAE(SAEConfig(32, 48, "topk", k=4, site=sites[0], out_site=sites[1]), name="mlp 1")


@pytest.fixture(scope="module")
def acts(tiny_model, transcoder):
    return sw.feature_activations(tiny_model, transcoder, TEXTS)


def test_it_is_read_as_an_sae_is(tiny_model, transcoder, acts):
    """a = TopK(s x W_enc + b_enc) of the input site, without b_dec, over a corpus and over a text."""
    ids = tiny_model.tokens(TEXT)
    pre = transcoder.scale * tiny_model.activations(ids, X)[0] @ transcoder.W_enc + transcoder.b_enc
    values, features = (part.detach().numpy() for part in pre.topk(4))
    want = np.zeros((len(ids), 48), np.float32)
    np.put_along_axis(want, features, np.maximum(values, 0), 1)
    want[0] = 0.0  # the beginning of text does not count
    found = sw.prompt_activations(tiny_model, transcoder, TEXT, acts)
    got = np.zeros_like(want)
    got[found.position, found.feature] = found.value
    np.testing.assert_allclose(got, want, atol=1e-5)
    for feature in range(48):
        context, position, value = acts.of(feature)
        own = context == 2
        np.testing.assert_allclose(value[own], want[position[own], feature], atol=1e-5)
    assert sw.prober(tiny_model, transcoder, acts)(TEXT).value.tolist() == found.value.tolist()
    assert len(by_prompt(tiny_model, transcoder, TEXT, -1, acts)) == (want[-1] > 0).sum()
    assert len(by_prompts(tiny_model, transcoder, [TEXT], acts=acts))


USES = {
    "a dashboard": lambda m, t, a: sw.dashboard_data(m, t, a),
    "a map": lambda m, t, a: sw.feature_map(t, a, model=m),
    "attribution": lambda m, t, a: sw.prober(m, t, a)(TEXT, target=int(m.tokens(TEXT)[2])),
    "a feature's effect on the loss": lambda m, t, a: sw.prober(m, t, a)(TEXT, losses=True),
    "a search by direction": lambda m, t, a: by_direction(m, t, 3, a),
    "a search by promoted token": lambda m, t, a: by_token_promoted(m, t, int(m.tokens(TEXT)[2]), a),
    "token_parts": lambda m, t, a: sw.token_parts(m, t, TEXT),
    "absorption": lambda m, t, a: sw.analysis.quality.absorption(m, t, sw.load_corpus(2)),
    "diagnose": lambda m, t, a: sw.diagnose(m, t),
    "quality": lambda m, t, a: sw.quality(m, t, TEXTS),
    "add_feature": lambda m, t, a: add_feature(t, 3, 1.0),
    "a clamp": lambda m, t, a: sw.Steerer(m, t),
}


@pytest.mark.parametrize("use", USES)
def test_what_needs_a_reconstruction_is_refused(tiny_model, transcoder, acts, use):
    """Its decoder writes elsewhere: there would be numbers, and they would mean nothing."""
    with pytest.raises(ValueError) as refused:
        USES[use](tiny_model, transcoder, acts)
    assert str(refused.value) == f"{use} {REFUSAL}"


def test_a_text_that_was_read_stays_readable_after_a_refusal(tiny_model, transcoder, acts):
    probe = sw.prober(tiny_model, transcoder, acts)
    with pytest.raises(ValueError, match="attribution needs"):
        probe(TEXT, target=5)
    assert torch.isfinite(torch.from_numpy(np.array(probe(TEXT).value))).all()
