"""What producers of SAEs really write in their configs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from saewidgets.files import LoadError, read_tensors, write_tensors
from saewidgets.formats import load_sae, save_sae
from saewidgets.records import ActivationSite
from saewidgets.sae import SAE, SAEConfig

ROOT = Path(__file__).resolve().parents[2]
SITE = ActivationSite("m", "blocks.0.hook_resid_pre", 8)


def copied(name: str, folder: Path, file: str, **changes) -> Path:
    import shutil

    target = Path(shutil.copytree(ROOT / "tests/fixtures/published" / name, folder / Path(name).name))
    data = json.loads((target / file).read_text())
    (target / file).write_text(json.dumps(data | changes))
    return target


def test_null_flags_mean_what_is_left_out(tmp_path):
    plain = load_sae(ROOT / "tests/fixtures/published/saelens/topk")
    data = json.loads((ROOT / "tests/fixtures/published/saelens/topk/cfg.json").read_text())
    folder = copied(
        "saelens/topk",
        tmp_path,
        "cfg.json",
        apply_b_dec_to_input=None,
        rescale_acts_by_decoder_norm=None,
        metadata=data["metadata"] | {"prepend_bos": None, "lr": float("nan"), "most": float("inf")},
    )
    assert load_sae(folder).config == plain.config and plain.config.site.prepend_bos
    path = folder / "cfg.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_sae(folder).config == plain.config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"normalize_activations": ["none"]}, "normalizes its inputs by"),
        ({"k": float("nan")}, "no number k"),
        ({"d_in": float("nan")}, "d_in = nan"),
        ({"architecture": {}}, "unknown architecture"),
    ],
)
def test_what_is_read_from_a_producers_file_is_checked(tmp_path, change, words):
    with pytest.raises(LoadError, match=words):
        load_sae(copied("saelens/topk", tmp_path, "cfg.json", **change))


@pytest.mark.parametrize(("k", "kept"), [(6.5, 7), (0.25, 1), (5, 5)])
def test_the_mean_k_of_batchtopk_may_be_a_fraction(tmp_path, k, kept):
    """The features are those above the threshold, k or no k: by hand, relu(pre) where it is larger than 0.5."""
    sae = SAE(SAEConfig(8, 16, "batchtopk", k=3, site=SITE))
    save_sae(sae, tmp_path, "saelens")
    weights = read_tensors(tmp_path / "sae_weights.safetensors")
    weights["threshold"] = np.full(16, 0.5, np.float32)
    write_tensors(tmp_path / "sae_weights.safetensors", weights)
    data = json.loads((tmp_path / "cfg.json").read_text())
    del data["weights_sha256"]  # a producer writes none, and these are other weights now
    (tmp_path / "cfg.json").write_text(json.dumps(data | {"architecture": "batchtopk", "k": k}))
    if k == kept:
        found = load_sae(tmp_path)
    else:
        with pytest.warns(UserWarning, match=f"k = {k:g} is kept as {kept}"):
            found = load_sae(tmp_path)
    assert found.config.architecture == "batchtopk" and found.config.k == kept
    x = torch.randn(20, 8, generator=torch.Generator().manual_seed(1))
    pre = (x - found.b_dec) @ found.W_enc + found.b_enc
    torch.testing.assert_close(found.encode(x), torch.where(pre > 0.5, pre, 0.0))
    for bad in (0, -2, "6.5", None):
        (tmp_path / "cfg.json").write_text(json.dumps(data | {"architecture": "batchtopk", "k": bad}))
        with pytest.raises(LoadError, match="k"):
            load_sae(tmp_path)


@pytest.mark.parametrize(
    ("module", "io", "hook"),
    [
        ("mlp_out_layer_3", "out", "blocks.3.hook_mlp_out"),
        ("mlp_out_layer_3", None, "blocks.3.hook_mlp_out"),
        ("resid_post_layer_3", "out", "blocks.3.hook_resid_post"),
        ("resid_post_layer_3", "in", "blocks.3.hook_resid_pre"),
    ],
)
def test_an_sae_on_its_modules_input_is_not_placed_at_its_output(tmp_path, module, io, hook):
    trainer = {"dict_class": "BatchTopKSAE", "lm_name": "a/m", "layer": 3, "submodule_name": module, "k": 5}
    folder = copied("dictionary_learning/BatchTopKSAE", tmp_path, "config.json", trainer=trainer, buffer={"io": io})
    assert load_sae(folder).config.site == ActivationSite("m", hook, 16)


def test_an_mlps_input_has_no_place_and_two_sides_are_a_transcoder(tmp_path):
    trainer = {"dict_class": "BatchTopKSAE", "lm_name": "a/m", "layer": 3, "submodule_name": "mlp_out_layer_3", "k": 5}
    where = ("dictionary_learning/BatchTopKSAE", tmp_path, "config.json")
    folder = copied(*where, trainer=trainer, buffer={"io": "in"})
    with pytest.warns(UserWarning, match=r"what the MLP of layer 3 is given.*give load_sae\(..., site="):
        assert load_sae(folder).config.site is None
    site = ActivationSite("m", "blocks.3.ln2.hook_normalized", 16)
    assert load_sae(folder, site=site).config.site == site
    for side, words in (("in_and_out", "transcoder"), ("up", "side 'up'"), ([1], "side")):
        data = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(data | {"buffer": {"io": side}}))
        with pytest.raises(LoadError, match=words):
            load_sae(folder)
