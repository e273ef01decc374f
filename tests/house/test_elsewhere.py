"""What somebody who knows TransformerLens, SAELens or ARENA's notebooks types first gives an answer, or a sentence with
what to type.
"""

from __future__ import annotations

import re

import ipywidgets
import pytest
import torch

import saewidgets as sw
from saewidgets import elsewhere

HOOK = "blocks.0.hook_resid_post"

# What is typed -> words of the answer. `sae` and `model` are a small pair.
SAID = {
    "sw.HookedTransformer.from_pretrained('gpt2')": r'sw.load_model\("gpt2"\)',
    "sw.HookedSAETransformer.from_pretrained('gpt2')": r"sw.load_sae\(name\)",
    "sw.from_pretrained('gpt2')": r'sw.load_model\("gpt2"\)',
    "sw.ActivationsStore.from_sae(model, sae)": r"sw.ActivationStore\(model, site, corpus\)",
    "sw.SAE.from_pretrained('gpt2-small-res-jb', 'blocks.8.hook_resid_pre')": r"sw.load_sae\('gpt2-small-res-jb/blocks.8.hook_resid_pre'\)",
    "sw.SAE.from_pretrained(release='r', sae_id='s')": r"sw.load_sae\('r/s'\)",
    "sae.cfg": r"sae.config; the hook point is sae.config.site.hook_name",
    "sae.hook_name": "sae.config.site.hook_name",
    "sae.nothing": "nothing",
    "model.run_with_cache('text')": r"model.read\(tokens, hook_names\)",
    "model.run_with_hooks('text')": r"sw.Edit\(hook_name, function\)",
    "model.run_with_saes('text', saes=[sae])": r"sw.Steerer\(model, sae\)",
    "model.to_tokens('text')": r"model.tokens\(text\)",
    "model.to_str_tokens('text')": r"model.display\(tokens\)",
    "model.to_single_token(' the')": r"model.one_token\(text\)",
    "model.cfg": "model.n_layers",
    "model.tokenizer": "model.hooked.tokenizer",
    "model.nothing": "model.hooked is the TransformerLens object",
    "model('text')": r"model.logits\(model.tokens\('text'\)\)",
    "sw.evaluate(model, sae)": r"sw.quality\(model, sae, corpus\)",
    "sw.ablate": r"sw.Clamp\(feature, 0.0\)",
    "sw.probe": r"sw.prober\(model, sae\)",
    "sw.dashboard": r"sw.dashboard_data\(model, sae, acts\)",
    "sw.TopKSAE": 'architecture="topk"',
    "sw.JumpReLUSAE": 'architecture="jumprelu"',
    "sw.ClampPanel(model, sae)": r"sw.ClampPanel\(sw.Steerer\(model, sae\), data\).*sw.explore",
    "sw.FeatureDashboard(model, sae)": r"cannot take a Model and an SAE: type sw.FeatureDashboard\(sw.dashboard_data\(",
    "sw.ArchitecturePanel(model, sae, 'text')": r"type sw.ArchitecturePanel\(sw.token_parts\(model, sae, text\)\)",
    "sw.FeatureMap(model, sae)": r"sw.explore\(model, sae\) opens a pair",
    "sw.FeatureDashboard(sae)": r"not an SAE: sw.explore\(model, sae\) opens one, or make it with sw.dashboard_data",
    "sw.FeatureProbe(model, sae)": r"sw.FeatureProbe\(sw.prober\(model, sae\)\)",
    "sw.TrainingMonitor(sae)": r"sw.TrainingMonitor\(sw.train\(",
    "sw.FeatureSearch(model, sae)": r"sw.FeatureSearch\(sw.searcher\(model, sae, acts\)\)",
    "sw.quality(sae, model, ['text'])": "give the model first",
    "sw.searcher(model, sae)('token', text='x')": r"mode 'token' takes token, n, not 'text'",
    "sw.searcher(model, sae)('prompt', query='x')": r"mode 'prompt' takes text, position, relative, n, not 'query'",
}


@pytest.fixture(scope="module")
def pair(tiny_model):
    sae = sw.SAE(sw.SAEConfig(32, 48, "topk", k=6, site=sw.site(tiny_model, HOOK)), name="tiny")
    return {"sw": sw, "model": tiny_model, "sae": sae}


@pytest.mark.parametrize("typed", SAID)
def test_a_name_from_elsewhere_is_answered_with_what_to_type(pair, typed):
    with pytest.raises((AttributeError, TypeError)) as caught:
        eval(typed, dict(pair))
    assert re.search(SAID[typed], str(caught.value)), caught.value


@pytest.mark.filterwarnings("ignore:this SAE does not fit")
def test_what_simply_works(pair):
    model, sae = pair["model"], pair["sae"]
    assert sae.W_dec.shape == (48, 32) and isinstance(sae(torch.zeros(1, 32)), torch.Tensor)
    assert model.hooked.cfg.n_layers == model.n_layers
    text = model.generate("The fog", n_tokens=6, seed=3)
    assert text == sw.Steerer(model, sae).generate("The fog", n_tokens=6, seed=3).text != ""
    assert model.generate("The fog", n_tokens=6, seed=4, temperature=0) == model.generate(
        "The fog", n_tokens=6, temperature=0
    )
    panel = sw.ClampPanel(sw.Steerer(model, sae))  # its records are made
    assert panel.data.passport.sae_name == "tiny" and panel.data.passport.n_tokens > 100
    ipywidgets.Widget.close_all()


@pytest.mark.parametrize("table", [elsewhere.PACKAGE, elsewhere.MODEL, elsewhere.SAE], ids=["package", "model", "sae"])
def test_what_the_tables_say_to_type_is_there(pair, table):
    """Every dotted name in a sentence is a public name, or an attribute of what it is said of."""
    for name, said in table.items():
        for root, path in re.findall(r"\b(sw|model|sae)((?:\.\w+)+)", said):
            value = pair[root]
            for part in path[1:].split("."):
                assert hasattr(value, part), f"{name}: {root}{path}"
                value = getattr(value, part)


def test_no_name_of_the_tables_is_taken(pair):
    assert not set(elsewhere.PACKAGE) & set(sw.__all__)
    for root, table in (("model", elsewhere.MODEL), ("sae", elsewhere.SAE)):
        assert [n for n in table if n != "from_pretrained" and hasattr(pair[root], n)] == []


def test_every_name_that_moved_is_where_its_sentence_says():
    for name, path in sw._PATHS.items():
        found = sw
        for part in path.split(".")[1:]:
            found = getattr(found, part)
        assert found.__name__ == name and name not in sw.__all__
