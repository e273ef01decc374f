"""The releases that have a name: each id is one place on the hub, and a folder written anew with that name reads as its
producer says.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save_file

import saewidgets as sw
from saewidgets.files import LoadError
from saewidgets.formats import hub, published
from saewidgets.formats import read_sae as read
from saewidgets.models.belonging import same_name

KNOWN = published.known()
D_IN, D_SAE = 6, 16


# -- names -----------------------------------------------------------------------------------------------------------

# As the producers' list of November 2026 (SAELens 6.54.12) has them: a name, its repository, its path there.
PLACES = {
    "gpt2-small-res-jb/blocks.8.hook_resid_pre": ("jbloom/GPT2-Small-SAEs-Reformatted", "blocks.8.hook_resid_pre"),
    "gpt2-small-resid-post-v5-32k/blocks.0.hook_resid_post": (
        "jbloom/GPT2-Small-OAI-v5-32k-resid-post-SAEs",
        "v5_32k_layer_0.pt",
    ),
    "pythia-70m-deduped-res-sm/blocks.0.hook_resid_pre": ("ctigges/pythia-70m-deduped__res-sm_processed", "e-res-sm"),
    "pythia-70m-deduped-res-sm/blocks.3.hook_resid_post": ("ctigges/pythia-70m-deduped__res-sm_processed", "3-res-sm"),
    "gemma-scope-2b-pt-res/embedding/width_4k/average_l0_6": (
        "google/gemma-scope-2b-pt-res",
        "embedding/width_4k/average_l0_6",
    ),
    "gemma-scope-2b-pt-res-canonical/layer_20/width_16k/canonical": (
        "google/gemma-scope-2b-pt-res",
        "layer_20/width_16k/average_l0_71",
    ),
    "gemma-scope-9b-pt-res-canonical/layer_0/width_16k/canonical": (
        "google/gemma-scope-9b-pt-res",
        "layer_0/width_16k/average_l0_129",
    ),
    "gemma-scope-9b-pt-att-canonical/layer_23/width_131k/canonical": (
        "google/gemma-scope-9b-pt-att",
        "layer_23/width_131k/average_l0_66",  # 34 from 100, as 134 is
    ),
    "gemma-scope-9b-pt-att-canonical/layer_27/width_16k/canonical": (
        "google/gemma-scope-9b-pt-att",
        "layer_27/width_16k/average_l0_136",  # 36 from 100, as 64 is
    ),
    "gemma-scope-27b-pt-res-canonical/layer_10/width_131k/canonical": (
        "google/gemma-scope-27b-pt-res",
        "layer_10/width_131k/average_l0_106",
    ),
    "gemma-scope-2-270m-it-res/layer_12_width_262k_l0_medium_seed_1": (
        "google/gemma-scope-2-270m-it",
        "resid_post/layer_12_width_262k_l0_medium_seed_1",
    ),
    "gemma-scope-2-1b-pt-mlp/layer_22_width_1m_l0_small": (
        "google/gemma-scope-2-1b-pt",
        "mlp_out/layer_22_width_1m_l0_small",
    ),
    "gemma-scope-2-27b-it-att-all/layer_61_width_262k_l0_big": (
        "google/gemma-scope-2-27b-it",
        "attn_out_all/layer_61_width_262k_l0_big",
    ),
    "gemma-scope-2-12b-pt-transcoders/transcoder/layer_24_width_65k_l0_medium_affine": (
        "google/gemma-scope-2-12b-pt",
        "transcoder/layer_24_width_65k_l0_medium_affine",
    ),
    "gemma-scope-2-12b-pt-transcoders-all/layer_47_width_16k_l0_big_affine": (
        "google/gemma-scope-2-12b-pt",
        "transcoder_all/layer_47_width_16k_l0_big_affine",
    ),
    "qwen-scope-3.5-27b-w80k-l100/layer63": ("Qwen/SAE-Res-Qwen3.5-27B-W80K-L0_100", "layer63.sae.pt"),
    "llama_scope_lxm_32x/l31m_32x": ("fnlp/Llama3_1-8B-Base-LXM-32x", "Llama3_1-8B-Base-L31M-32x"),
    "llama_scope_r1_distill/l0r_800m_slimpajama": (
        "fnlp/Llama-Scope-R1-Distill",
        "800M-Slimpajama-0-OpenR1-Math-220k/L0R",
    ),
    "goodfire-llama-3.3-70b-instruct/layer_50": (
        "Goodfire/Llama-3.3-70B-Instruct-SAE-l50",
        "Llama-3.3-70B-Instruct-SAE-l50.pt",
    ),
    "mwhanna-qwen3-14b-transcoders-lowl0/layer_39": ("mwhanna/qwen3-14b-transcoders-lowl0", "layer_39.safetensors"),
    "sae_bench_gemma-2-2b_topk_width-2pow12_date-1109/blocks.5.hook_resid_post__trainer_5_step_9765": (
        "canrager/saebench_gemma-2-2b_width-2pow12_date-1109",
        "gemma-2-2b_topk_width-2pow12_date-1109/resid_post_layer_5_checkpoints/trainer_5_step_9765",
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_name_is_the_place_of_the_producers_list(name):
    assert hub.resolve(name) == hub.Place(*PLACES[name])


def test_every_example_and_every_id_is_one_place():
    assert len(KNOWN) == 170
    for name, release in KNOWN.items():
        assert len(set(release.ids.values())) == len(release.ids), name
        assert "{" not in "".join([*release.ids, *release.ids.values(), release.repo, release.model, name]), name
        if not release.not_read:
            assert hub.resolve(f"{name}/{release.example}") == hub.Place(release.repo, release.ids[release.example])


def test_how_many_there_are_by_hand():
    """Layers x widths x L0s: 4 x 4 x 3 and 4 more of another seed; 26 layers x 2 widths x 2; 26 x 2; 3 data mixes x 32."""
    n = {name: len(release.ids) for name, release in KNOWN.items()}
    assert n["gemma-scope-2-1b-pt-res"] == 52 and n["gemma-scope-2-1b-pt-res-all"] == 104
    assert n["gemma-scope-2b-pt-mlp-canonical"] == 52 and n["llama_scope_r1_distill"] == 96
    assert n["gemma-scope-2b-pt-mlp"] == 260 and n["gemma-scope-9b-pt-res"] == 536


def test_an_id_that_is_not_there_gets_the_nearest(tmp_path):
    with pytest.raises(
        ValueError, match=r"has no SAE 'layer_20/width_16k/average_l0_70'.*nearest: layer_20/width_16k/average_l0_71"
    ):
        sw.load_sae("gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_70")
    with pytest.raises(
        ValueError, match=r"unknown release of SAEs 'gemma-scope-2-1b-pt-ress'; nearest: gemma-scope-2-1b-pt-res"
    ):
        sw.load_sae("gemma-scope-2-1b-pt-ress/layer_13_width_16k_l0_big")
    with pytest.raises(ValueError, match=r"no SAE 'blocks\.5\.hook_resid_post__trainer_99_step_1'"):
        hub.resolve("sae_bench_gemma-2-2b_topk_width-2pow12_date-1109/blocks.5.hook_resid_post__trainer_99_step_1")
    with pytest.raises(ValueError, match="is not read: what it encodes depends on the tokens before"):
        sw.load_sae("temporal-sae-gemma-2-2b/blocks.12.hook_resid_post")


def test_the_table_of_releases():
    table = sw.formats.releases()
    assert isinstance(table, pd.DataFrame) and len(table) == len(KNOWN)
    row = table.set_index("release").loc["gemma-scope-2-1b-pt-res"]
    assert (row.model, row.hook) == ("google/gemma-3-1b-pt", "hook_resid_post")
    assert (row.layers, row.widths, row.saes) == ([7, 13, 17, 22], ["16k", "65k", "262k", "1m"], 52)
    assert row.clampable and not row.why_not and "residual stream after a layer" in row.what
    across = sw.formats.releases("TRANSCODERS qwen")
    assert len(across) == 6 and not across.clampable.any()
    assert across.why_not.str.contains("writes at another site than it reads").all()
    assert sw.formats.releases("attn.hook_z gemma-2-2b").clampable.all()
    assert list(sw.formats.releases("no such thing").columns) == list(table.columns)
    assert sw.formats.releases("temporal").why_not.str.startswith("not read: ").all()


# -- each release, written anew --------------------------------------------------------------------------------------


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    shapes = {
        "W_enc": (D_IN, D_SAE),
        "W_dec": (D_SAE, D_IN),
        "b_enc": (D_SAE,),
        "b_dec": (D_IN,),
        "threshold": (D_SAE,),
    }
    return {name: np.abs(rng.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}


def lower(named: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"w_" + n[2:] if n.startswith("W_") else n: a for n, a in named.items()}


def linear(encoder: str, decoder: str) -> dict[str, np.ndarray]:
    w = arrays()
    names = ((encoder, "W_enc", "b_enc"), (decoder, "W_dec", "b_dec"))
    return {f"{n}.{p}": a for n, W, b in names for p, a in (("weight", w[W].T), ("bias", w[b]))}


def tensors(path: Path, found: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in found.items()}, path)


def pt(path: Path, found: dict[str, np.ndarray], **more: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in found.items()} | more, path)


def note(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))


GEMMA_2_MODULES = {
    "hook_resid_post": ("output", None),
    "attn.hook_z": ("self_attn.o_proj.input", None),
    "hook_mlp_out": ("post_feedforward_layernorm.output", None),
    "mlp.hook_in -> hook_mlp_out": ("pre_feedforward_layernorm.output", "post_feedforward_layernorm.output"),
}


def write(release: published.Release, sae_id: str, root: Path) -> None:
    """The files of one SAE, with the keys of its producer, at its path under root."""
    at, w = root / release.path(sae_id), arrays()
    layer = int(re.search(r"(\d+)", re.sub(r"^(?:gpt2|pythia)[-\w]*?_L", "", sae_id))[1])
    hook = re.sub(r"_\d+$", "", sae_id) if sae_id.startswith("blocks") else f"blocks.{layer}.{release.hook}"
    if release.producer == "Gemma Scope 1":
        at.mkdir(parents=True)
        np.savez(at / "params.npz", **w)
    elif release.producer == "Gemma Scope 2":
        affine = {"affine_skip_connection": np.eye(D_IN, dtype=np.float32)} if "affine" in sae_id else {}
        tensors(at / "params.safetensors", lower(w) | affine)
        first, last = (m and f"model.layers.{layer}.{m}" for m in GEMMA_2_MODULES[release.hook])
        cfg = {"architecture": "jump_relu", "model_name": release.model, "hf_hook_point_in": first}
        note(at / "config.json", cfg | {"hf_hook_point_out": last, "affine_connection": bool(affine)})
    elif release.producer == "Qwen-Scope":
        pt(at, {n: a.T if n.startswith("W") else a for n, a in w.items() if n != "threshold"})
    elif release.producer == "Goodfire":
        pt(at, linear("encoder_linear", "decoder_linear"))
    elif release.producer == "qresearch":
        pt(at, linear("encoder", "decoder"))
    elif release.producer == "Kissane et al. 2024":
        pt(at, {n: a for n, a in w.items() if n != "threshold"})
        about = {"act_size": D_IN, "dict_size": D_SAE, "act_name": f"blocks.{layer}.attn.hook_z"}
        note(at.with_name(at.name.removesuffix(".pt") + "_cfg.json"), about)
    elif release.name == "llama_scope_r1_distill":
        tensors(
            at / "sae_weights.safetensors", linear("encoder", "decoder") | {"log_jumprelu_threshold": w["threshold"]}
        )
        note(
            at / "config.json", {"d_model": D_IN, "expansion_factor": 8, "hook_point_in": hook, "hook_point_out": hook}
        )
    elif release.producer == "Llama Scope":
        tensors(at / "checkpoints/final.safetensors", linear("encoder", "decoder"))
        norm = {
            "dataset_average_activation_norm": {"in": 2.0, "out": 2.0},
            "jump_relu_threshold": 0.5,
            "act_fn": "jumprelu",
        }
        note(at / "hyperparams.json", norm | {"hook_point_in": hook, "hook_point_out": hook, "d_model": D_IN})
    elif release.producer == "circuit-tracer":
        tensors(at, {n: a.T if n == "W_enc" else a for n, a in w.items() if n != "threshold"})
        if "14b" not in release.name:  # those have no config
            note(at.with_name("config.yaml"), f"model_name: {release.model}\n")
    elif release.producer == "dictionary_learning":
        pt(at / "ae.pt", linear("encoder", "decoder") | {"b_dec": w["b_dec"]}, k=4, threshold=torch.tensor(0.3))
        state = torch.load(at / "ae.pt", weights_only=True)
        torch.save({n: v for n, v in state.items() if n != "decoder.bias"} | {"k": torch.tensor(4)}, at / "ae.pt")
        trainer = {"dict_class": "AutoEncoderTopK", "lm_name": release.model, "layer": layer, "k": 4}
        note(at / "config.json", {"trainer": trainer, "buffer": {"ctx_len": 128}})
    else:
        tensors(at / "sae_weights.safetensors", {n: a for n, a in w.items() if n != "threshold"})
        cfg = {"model_name": release.model, "hook_point": hook, "d_in": D_IN, "d_sae": D_SAE}
        scaled = sae_id in release.scale or release.normalization
        note(at / "cfg.json", cfg | {"normalize_activations": "expected_average_only_in" if scaled else "none"})


def expected(release: published.Release, sae_id: str) -> dict[str, object]:
    """What its producer has: architecture, whether b_dec is subtracted first, k, scale, input normalization."""
    jump = {"architecture": "jumprelu", "subtracts_b_dec": False}
    plain = {"architecture": "relu", "subtracts_b_dec": False}
    table = {
        "Gemma Scope 1": jump,
        "Gemma Scope 2": jump,
        "Llama Scope": jump | {"scale": release.scale.get(sae_id, D_IN**0.5 / 2.0)},
        "Qwen-Scope": {
            "architecture": "topk",
            "subtracts_b_dec": False,
            "k": int(re.search(r"l(\d+)$", release.name)[1]) if release.producer == "Qwen-Scope" else 0,
        },
        "Goodfire": plain,
        "qresearch": plain,
        "circuit-tracer": plain,
        "Kissane et al. 2024": {"architecture": "relu", "subtracts_b_dec": True},
        "dictionary_learning": {"architecture": "topk", "subtracts_b_dec": True, "k": 4},
        "SAELens": {
            "architecture": "relu",
            "subtracts_b_dec": True,
            "scale": release.scale.get(sae_id, 1.0),
            "input_normalization": "unit_norm" if release.normalization else "none",
            "weight_processing": release.weight_processing or "none",
        },
    }
    return {"scale": 1.0, "input_normalization": "none", "weight_processing": "none"} | table[release.producer]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", [name for name, release in KNOWN.items() if not release.not_read])
def test_a_release_written_anew_is_read_as_its_producer_has_it(tmp_path, monkeypatch, name):
    release = KNOWN[name]
    wide = 100 if release.producer == "Qwen-Scope" else 0  # k = 100 features must be there to be on
    monkeypatch.setattr(f"{__name__}.D_SAE", max(D_SAE, wide + 4))
    for sae_id in {release.example: 0, next(iter(release.ids)): 0}:
        root = tmp_path / re.sub(r"\W", "_", sae_id)
        write(release, sae_id, root)
        monkeypatch.setattr(hub, "fetch", lambda place, root=root: root / place.path)
        sae = sw.load_sae(f"{name}/{sae_id}")
        config = sae.config
        model, wanted = release.model.split("/")[-1], expected(release, sae_id)
        for typed in (release.model, model, model.upper()):  # what a user may load it by
            assert same_name(config.site.model_name, typed), (config.site.model_name, typed)
        first, _, last = release.hook.partition(" -> ")
        layer = re.search(r"\d+", sae_id.removeprefix("gpt2"))[0]
        hook = re.sub(r"_\d+$", "", sae_id.split("__")[0]) if sae_id.startswith("blocks") else f"blocks.{layer}.{first}"
        hook = (
            "hook_embed" if sae_id.startswith("embedding") else hook.replace(f"{layer}.hook_z", f"{layer}.attn.hook_z")
        )
        assert config.site.hook_name == hook
        assert (config.out_site and config.out_site.hook_name) == (f"blocks.{layer}.{last}" if last else None)
        assert config.skip == ("affine" in sae_id)
        found = {"scale": config.site.scale, "weight_processing": config.site.weight_processing}
        for key, value in wanted.items():
            assert found.get(key, getattr(config, key, None)) == pytest.approx(value), key


def test_a_scale_that_only_the_release_knows_is_refused_elsewhere(tmp_path):
    """The same folder at another address has no scale: it says what to type."""
    release = KNOWN["gpt2-small-mlp-tm"]
    sae_id = "blocks.3.hook_mlp_out"
    write(release, sae_id, tmp_path)
    folder = tmp_path / release.path(sae_id)
    with pytest.raises(LoadError, match=r"site=ActivationSite\(\.\.\., scale="):
        sw.load_sae(folder)
    found = read(folder, origin=f"{release.repo}/{release.path(sae_id)}")
    assert found.config.site.scale == release.scale[sae_id]
