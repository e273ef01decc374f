"""Which SAE fits which model: by coordinates, not by spelling; and what the refusal advises can be typed."""

from __future__ import annotations

import copy
import json
import re
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import saewidgets as sw
from saewidgets.activations import check_pair, check_site
from saewidgets.models import Model, fingerprint, load_model
from saewidgets.models.belonging import ROUNDING, differences, embedding_apart, same_name
from saewidgets.models.bridged import hooked_class
from saewidgets.models.hub import official_name
from saewidgets.records import ActivationSite
from saewidgets.sae import SAE, SAEConfig

transformers = pytest.importorskip("transformers")
lens = pytest.importorskip("transformer_lens")
PUBLISHED = Path(__file__).parents[1] / "fixtures" / "published"
HOOK = "blocks.0.hook_resid_post"


# -- every release, on the model that one would type -----------------------------------------------------------------

OLD = {"hook_point_layer": 8, "hook_point_head_index": None, "context_size": 128, "normalize_activations": False}
# release -> (an id, the fixture that has its layout, keys of its config as published, names that one types)
RELEASES = {
    "gpt2-small-res-jb": (
        "blocks.8.hook_resid_pre",
        "saelens/flat_topk",
        OLD
        | {"model_name": "gpt2-small", "hook_point": "blocks.8.hook_resid_pre", "model_from_pretrained_kwargs": None},
        ("gpt2", "gpt2-small"),
    ),
    "gpt2-small-resid-post-v5-32k": (
        "blocks.8.hook_resid_post",
        "saelens/flat_topk",
        OLD | {"model_name": "gpt2-small", "hook_name": "blocks.8.hook_resid_post", "model_from_pretrained_kwargs": {}},
        ("gpt2", "gpt2-small"),
    ),
    "gpt2-small-resid-mid-v5-32k": (
        "blocks.8.hook_resid_mid",
        "saelens/flat_topk",
        OLD | {"model_name": "gpt2-small", "hook_name": "blocks.8.hook_resid_mid", "model_from_pretrained_kwargs": {}},
        ("gpt2",),
    ),
    "gpt2-small-mlp-out-v5-32k": (
        "blocks.8.hook_mlp_out",
        "saelens/flat_topk",
        OLD | {"model_name": "gpt2-small", "hook_name": "blocks.8.hook_mlp_out", "model_from_pretrained_kwargs": {}},
        ("gpt2",),
    ),
    "pythia-70m-deduped-res-sm": (
        "blocks.3.hook_resid_post",
        "saelens/flat_topk",
        OLD | {"model_name": "pythia-70m-deduped", "hook_name": "blocks.3.hook_resid_post", "hook_point": None},
        ("pythia-70m-deduped", "EleutherAI/pythia-70m-deduped"),
    ),
    "pythia-70m-deduped-mlp-sm": (
        "blocks.3.hook_mlp_out",
        "saelens/flat_topk",
        OLD | {"model_name": "pythia-70m-deduped", "hook_name": "blocks.3.hook_mlp_out", "hook_point": None},
        ("EleutherAI/pythia-70m-deduped",),
    ),
    "gemma-2b-res-jb": (
        "blocks.6.hook_resid_post",
        "saelens/flat_topk",
        OLD | {"model_name": "gemma-2b", "hook_point": "blocks.6.hook_resid_post"},
        ("gemma-2b", "google/gemma-2b"),
    ),
    "gemma-scope-2b-pt-res": (
        "layer_20/width_16k/average_l0_71",
        "gemma_scope/gemma-scope-2b-pt-res/layer_3/width_32/average_l0_9",
        {},
        ("gemma-2-2b", "google/gemma-2-2b"),
    ),
    "gemma-scope-2b-pt-mlp": (
        "layer_0/width_65k/average_l0_12",
        "gemma_scope/gemma-scope-2b-pt-res/layer_3/width_32/average_l0_9",
        {},
        ("google/gemma-2-2b",),
    ),
    "gemma-scope-9b-pt-res": (
        "layer_27/width_131k/average_l0_96",
        "gemma_scope/gemma-scope-2b-pt-res/layer_3/width_32/average_l0_9",
        {},
        ("gemma-2-9b",),
    ),
    "gemma-scope-9b-it-res": (
        "layer_31/width_16k/average_l0_14",
        "gemma_scope/gemma-scope-2b-pt-res/layer_3/width_32/average_l0_9",
        {},
        ("gemma-2-9b-it", "google/gemma-2-9b-it"),
    ),
    "gemma-scope-2-270m-pt-res": (
        "layer_5_width_16k_l0_big",
        "gemma_scope/gemma-scope-2-270m-pt/resid_post/layer_3_width_32_l0_small",
        {},
        ("gemma-3-270m", "google/gemma-3-270m"),
    ),
    "gemma-scope-2-1b-pt-res": (
        "layer_22_width_16k_l0_big",
        "gemma_scope/gemma-scope-2-270m-pt/resid_post/layer_3_width_32_l0_small",
        {},
        ("google/gemma-3-1b-pt", "gemma-3-1b-pt"),
    ),
    "sae_bench_pythia70m_sweep_topk_ctx128_0730": (
        "blocks.4.hook_resid_post__trainer_13",
        "dictionary_learning/AutoEncoderTopK",
        {"trainer": {"lm_name": "EleutherAI/pythia-70m-deduped", "layer": 4, "submodule_name": "resid_post_layer_4"}},
        ("pythia-70m-deduped", "EleutherAI/pythia-70m-deduped"),
    ),
}


def published(release, tmp_path, monkeypatch):
    """A release's SAE, planted in a hub's cache with the release's own keys and opened by its name."""
    from huggingface_hub import constants

    from saewidgets.formats import hub

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    id_, fixture, keys, _ = RELEASES[release]
    place = hub.resolve(f"{release}/{id_}")
    root = tmp_path / ("models--" + place.repo.replace("/", "--"))
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text("0" * 40)
    folder = root / "snapshots" / ("0" * 40) / place.path
    shutil.copytree(PUBLISHED / fixture, folder)
    for file in folder.glob("*.json"):
        had = json.loads(file.read_text())
        merged = {k: had[k] | v if isinstance(v, dict) and isinstance(had.get(k), dict) else v for k, v in keys.items()}
        merged = {**had, **merged, **({"model_from_pretrained_kwargs": {}} if "hook_point_layer" in keys else {})}
        file.write_text(json.dumps({k: v for k, v in merged.items() if v is not None}))
    return sw.load_sae(f"{release}/{id_}")


@pytest.fixture(scope="module")
def plays():
    """`load_model` as of the hub: a random model, 16 wide, under the name and with the norms of the real one."""

    def load(name, weight_processing="auto", n_layers=32):
        official = official_name(name)
        assert official is not None, f"{name} cannot be typed"
        rms = "gemma" in official
        folded = weight_processing == "folded" or (weight_processing == "auto" and not rms)
        cfg = lens.HookedTransformerConfig(
            n_layers=n_layers,
            d_model=16,
            n_ctx=8,
            d_head=8,
            n_heads=2,
            d_mlp=16,
            d_vocab=32,
            act_fn="gelu",
            normalization_type=("RMS" if rms else "LN") + ("Pre" if folded else ""),
            seed=0,
            device="cpu",
        )
        with torch.random.fork_rng(devices=[]):
            model = Model(lens.HookedTransformer(cfg), name=official)
        model.bos_token_id, model.prepend_bos = 0, True
        return model

    return load


@pytest.mark.skipif(hooked_class() is None, reason="TransformerLens 4 has no HookedTransformer")
@pytest.mark.parametrize("release", RELEASES)
def test_every_release_fits_the_model_that_one_types(release, plays, tmp_path, monkeypatch):
    sae = published(release, tmp_path, monkeypatch)
    site = sae.config.site
    assert site is not None
    n_layers = 1 + int(site.hook_name.split(".")[1])
    for typed in RELEASES[release][3]:
        model = plays(typed, n_layers=n_layers)
        try:
            check_site(model, site)
        except ValueError as error:
            # A LayerNorm's folded weights are other coordinates: the sentence says what to type, and that fits.
            assert "weight_processing: none, not folded" in str(error) and "gemma" not in typed
            model = plays(*_load_line(str(error)), n_layers)
            check_site(model, site)
        assert check_pair(model, sae, "a test", reconstructs=True)[1] == site


def _load_line(sentence):
    """The arguments of the load_model(...) that a sentence advises: (name, weight_processing)."""
    found = re.search(r"model = sw\.load_model\('([^']+)', weight_processing='(\w+)'\)", sentence)
    assert found, sentence
    return found.groups()


# -- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("gpt2", "gpt2-small", True),
        ("openai-community/gpt2", "gpt2-small", True),
        ("GPT2-Small", "gpt2", True),
        ("gpt2", "gpt2-medium", False),
        ("pythia-70m-deduped", "EleutherAI/pythia-70m-deduped", True),
        ("pythia-70m", "EleutherAI/pythia-70m-deduped", False),
        ("google/gemma-3-4b-pt", "gemma-3-4b-pt", True),
        ("gemma-2-2b", "gemma-2-2b-it", False),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "unsloth/meta-llama-3-8b-instruct", True),
        ("smollm2", "HuggingFaceTB/SmolLM2-135M-Instruct", True),
        ("mine", "theirs", False),
    ],
)
def test_names_of_one_model(a, b, same):
    assert same_name(a, b) is same and same_name(b, a) is same


def test_an_alias_fits_and_another_size_does_not(tiny_model):
    named = Model(tiny_model.hooked, name="gpt2")
    site = replace(sw.site(named, HOOK), fingerprint=())
    for alias in ("gpt2", "gpt2-small", "openai-community/gpt2"):
        check_site(named, replace(site, model_name=alias))
    with pytest.raises(
        ValueError, match=r"model_name: gpt2-medium, not gpt2; type model = sw.load_model\('gpt2-medium'"
    ):
        check_site(named, replace(site, model_name="gpt2-medium"))


@pytest.mark.parametrize(("n_layers", "layer"), [(1, 0), (2, 0), (3, 0), (6, 2), (12, 5)])
def test_the_site_that_nobody_named_is_halfway_through_the_model(tiny_model, monkeypatch, n_layers, layer):
    asked = []
    monkeypatch.setattr(tiny_model, "n_layers", n_layers)
    monkeypatch.setattr(
        tiny_model, "activations", lambda tokens, hook_name: asked.append(hook_name) or torch.zeros(1, 1, 16)
    )
    assert sw.site(tiny_model).hook_name == f"blocks.{layer}.hook_resid_post"
    assert asked == [f"blocks.{layer}.hook_resid_post"], "its width is measured there"
    assert sw.site(tiny_model, "blocks.0.hook_resid_pre").hook_name == "blocks.0.hook_resid_pre"


# -- the embedding decides -------------------------------------------------------------------------------------------


def test_the_embedding_decides_whatever_the_names_are(tiny_model):
    site = sw.site(tiny_model, HOOK)
    check_site(tiny_model, replace(site, model_name="someone/else"))  # its embedding is this model's: it is this model
    other = tuple(2 * v for v in site.fingerprint)
    with pytest.raises(ValueError, match=r"fingerprint: the embedding .*, not one .* away; type .*revision=") as error:
        check_site(tiny_model, replace(site, fingerprint=other))
    assert "site=sw.site(model, 'blocks.0.hook_resid_post')" in str(error.value)
    with pytest.raises(ValueError, match="model_name: someone/else, not tiny"):
        check_site(tiny_model, replace(site, model_name="someone/else", fingerprint=other))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_copy_in_16_bits_is_the_same_model(tiny_model, dtype):
    half = Model(copy.deepcopy(tiny_model.hooked).to(dtype), name="tiny")
    half.bos_token_id, half.prepend_bos = tiny_model.bos_token_id, tiny_model.prepend_bos
    for here, there in ((tiny_model, half), (half, tiny_model)):
        site = replace(sw.site(there, HOOK), model_name="another name")
        assert differences(here, site) == [] and 0 < embedding_apart(here, site) <= 2.0**-8
        scaled = replace(
            site, fingerprint=tuple(32**0.5 * v for v in site.fingerprint)
        )  # Gemma's, as TransformerLens has it
        assert differences(here, scaled) == []


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=8, max_size=8).filter(lambda v: max(map(abs, v)) > 1e-3))
def test_roundings_stay_below_the_tolerance(values):
    """By the definition of the formats: off by 2^-8 and 2^-11 of a value, and 2^-25 where float16 has no more
    exponents.
    """
    exact = torch.tensor(values, dtype=torch.float32)
    copies = [exact, exact.bfloat16().float(), exact.half().float(), exact.half().bfloat16().float()]
    root = torch.tensor(576**0.5)
    scaled = [(c.bfloat16() * root.bfloat16()).float() / root for c in copies]
    for a in (*copies, *scaled):
        for b in (*copies, *scaled):
            assert (a - b).abs().max() <= ROUNDING * b.abs().max()


def test_a_quantized_copy_is_known_by_its_name(tiny_model):
    quantized = Model(tiny_model.hooked, name="tiny")
    quantized.bos_token_id, quantized.prepend_bos = tiny_model.bos_token_id, tiny_model.prepend_bos
    site = sw.site(quantized, HOOK)
    coarse = replace(site, fingerprint=tuple(1.1 * v for v in site.fingerprint))
    assert [d.field for d in differences(quantized, coarse)] == ["fingerprint"]
    quantized.quantization = "Q4_1"
    assert differences(quantized, coarse) == []
    found = sw.diagnose(quantized, SAE(SAEConfig(32, 48, "topk", k=4, site=coarse)), ["The bridge is red"] * 4)
    assert any(f.topic == "fingerprint" and f.fits is None and "Q4_1" in f.sentence for f in found.findings)


# -- folded norms ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["Llama", "Gemma2", "GPTNeoX"])
def pair(request, tmp_path_factory, tiny_folder):
    """(architecture, the model as published, the same with folded norms)."""
    folder = tmp_path_factory.mktemp(request.param) / request.param
    config = getattr(transformers, f"{request.param}Config")(
        vocab_size=320,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        bos_token_id=0,
        eos_token_id=0,
        **({"head_dim": 8, "num_key_value_heads": 2} if request.param == "Gemma2" else {}),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = transformers.AutoModelForCausalLM.from_config(config)
        for weight in made.parameters():
            torch.nn.init.normal_(weight, mean=1.0 if weight.ndim == 1 else 0.0, std=0.3)
    made.save_pretrained(folder)
    shutil.copy(tiny_folder / "tokenizer.json", folder)
    return request.param, *(load_model(folder, weight_processing=w) for w in ("none", "folded"))


STREAM = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out")


def test_folding_an_rms_norm_leaves_the_stream_and_centering_does_not(pair):
    architecture, plain, folded = pair
    assert (plain.weight_processing, folded.weight_processing) == ("none", "folded")
    ids = torch.randint(1, 320, (2, 24), generator=torch.Generator().manual_seed(1))
    for name in (f"blocks.{layer}.{point}" for layer in (0, 1) for point in STREAM):
        if name not in plain.hook_names or (architecture == "GPTNeoX" and "resid_mid" in name):
            continue
        a, b = plain.activations(ids, name), folded.activations(ids, name)
        for here, there in ((plain, folded), (folded, plain)):
            site = sw.site(there, name)
            if architecture == "GPTNeoX":
                with pytest.raises(
                    ValueError, match=r"weight_processing: (\w+), not \w+; type .*weight_processing='\1'"
                ):
                    check_site(here, site)
            else:
                check_site(here, site)
                torch.testing.assert_close(a, b, atol=1e-4 * float(a.abs().max()), rtol=0)


def test_what_reads_a_norm_is_not_the_stream(pair):
    _, plain, folded = pair
    site = sw.site(plain, "blocks.1.ln2.hook_normalized")
    with pytest.raises(ValueError, match="weight_processing: none, not folded"):
        check_site(folded, site)


# -- what is advised can be typed ------------------------------------------------------------------------------------


def test_each_advice_is_followed(tmp_path):
    """The sentence's own lines, run; a step at a time, until the SAE fits."""
    name = tmp_path / "mine"
    sae = SAE(SAEConfig(160, 64, "topk", k=4, site=sw.site(load_model(), "blocks.2.hook_resid_post")))
    sae.save(name)
    model = load_model(weight_processing="folded")
    model.prepend_bos = False
    with pytest.raises(ValueError, match="weight_processing: none, not folded; prepend_bos: True, not False") as error:
        check_site(model, sae.config.site)
    for line in str(error.value).partition("; type ")[2].split(", and "):
        scope = {"sw": sw, "model": model}
        exec(line, scope)
        model = scope["model"]
    check_site(model, sae.config.site)


def test_a_model_without_a_beginning_is_told_how_to_get_one(tiny_model):
    bare = Model(tiny_model.hooked, name="tiny")
    bare.bos_token_id, bare.prepend_bos, bare.eos_token_id = None, False, 0
    site = sw.site(tiny_model, HOOK)
    with pytest.raises(ValueError, match=r"prepend_bos: True, not False; type (.*)$") as error:
        check_site(bare, site)
    exec(str(error.value).partition("; type ")[2], {"model": bare})
    check_site(bare, site)


def test_the_passport_names_the_model_and_its_numbers(tiny_model):
    named = Model(copy.deepcopy(tiny_model.hooked).to(torch.bfloat16), name="openai-community/gpt2")
    named.quantization = "Q4_1"
    site = ActivationSite("gpt2-small", HOOK, 32, prepend_bos=named.prepend_bos, fingerprint=fingerprint(named))
    sae = SAE(SAEConfig(32, 48, "topk", k=4, site=site))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        acts = sw.feature_activations(named, sae, [[0, 3, 4], [0, 5, 6, 7]])
        sentence = sw.dashboard_data(named, sae, acts).passport.sentence()
    assert "on openai-community/gpt2 at blocks.0.hook_resid_post" in sentence
    assert "bfloat16, from Q4_1" in sentence
