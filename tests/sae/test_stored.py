"""An SAE in 8 bits: what a file holds, how far that is from the weights, and files that are damaged."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from saewidgets.files import LoadError
from saewidgets.formats import load_sae, save_sae
from saewidgets.sae import ARCHITECTURES, SAE, SAEConfig


def make(architecture="topk", d_out=None, seed=0):
    """Rows of many lengths, one of them zero, and no bias at zero."""
    sae = SAE(SAEConfig(6, 20, architecture, k=3, seed=seed, d_out=d_out, skip=d_out is not None), name="mine")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in sae.weights.values():
            p.add_(torch.randn(p.shape, generator=generator) * torch.logspace(-6, 3, p.shape[-1]))
        sae.W_dec[4] = 0
    return sae


def test_a_row_is_whole_numbers_times_a_scale(tmp_path):
    """By hand: the largest of a row is 127 steps, each other number the nearest step, per feature."""
    sae = SAE(SAEConfig(3, 2))
    with torch.no_grad():
        sae.W_dec.copy_(torch.tensor([[127.0, -1.4, 0.6], [0.0, -63.5, 10.3]]))
        sae.W_enc.copy_(torch.tensor([[254.0, 0.0], [3.1, 0.0], [-2.9, 0.0]]))
        sae.b_enc.copy_(torch.tensor([0.1, -1e-9]))
    sae.save(tmp_path, dtype="int8")
    held = load_file(tmp_path / "weights.safetensors")
    assert held["W_dec"].dtype == held["W_enc"].dtype == np.int8 and held["b_enc"].dtype == np.float32
    assert held["W_dec"].tolist() == [[127, -1, 1], [0, -127, 21]] and held["W_dec_scale"].tolist() == [1.0, 0.5]
    assert held["W_enc"].tolist() == [[127, 0], [2, 0], [-1, 0]] and held["W_enc_scale"].tolist() == [2.0, 0.0]
    loaded = SAE.load(tmp_path)
    assert loaded.W_dec.tolist() == [[127.0, -1.0, 1.0], [0.0, -63.5, 10.5]]
    assert loaded.W_enc.tolist() == [[254.0, 0.0], [4.0, 0.0], [-2.0, 0.0]]
    assert torch.equal(loaded.b_enc, sae.b_enc) and loaded.W_dec.dtype == torch.float32
    error = (0.4**2 + 0.4**2 + 0.2**2) ** 0.5 / (127**2 + 1.4**2 + 0.6**2 + 63.5**2 + 10.3**2) ** 0.5
    stored = json.loads((tmp_path / "config.json").read_text())["stored"]
    assert stored["dtype"] == "int8" and stored["relative_error"]["W_dec"] == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("architecture", [*ARCHITECTURES])
def test_every_number_is_within_half_a_step_and_stays(architecture, tmp_path):
    sae = make(architecture)
    save_sae(sae.rounded("float32"), tmp_path / "exact")
    sae.save(tmp_path / "one", dtype="int8")
    loaded = load_sae(tmp_path / "one")
    for name, axis in (("W_enc", 0), ("W_dec", 1)):
        own, got = sae.weights[name].detach(), loaded.weights[name].detach()
        step = own.abs().amax(axis, keepdim=True) / 127
        assert ((got - own).abs() <= 0.5001 * step).all()
    assert all(torch.equal(loaded.weights[n], sae.weights[n]) for n in sae.weights if n not in ("W_enc", "W_dec"))
    assert (loaded.config, loaded.digest) == (sae.config, sae.rounded("int8").digest)
    assert load_sae(tmp_path / "exact").digest == sae.digest != loaded.digest
    loaded.save(tmp_path / "two", dtype="int8")  # what was rounded is stored as it is: the same bytes
    one, two = (load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_transcoder_is_stored_too(tmp_path):
    sae = make(d_out=5)
    sae.save(tmp_path, dtype="int8")
    loaded = SAE.load(tmp_path)
    assert loaded.config == sae.config and torch.equal(loaded.W_skip, sae.W_skip)
    assert loaded.W_dec.shape == (20, 5) and torch.allclose(
        loaded.W_dec, sae.W_dec, atol=float(sae.W_dec.detach().max()) / 200
    )
    with pytest.raises(ValueError, match="transcoder predicts"):
        sae.storage_error(torch.randn(9, 6))


def test_the_error_is_stated(tmp_path):
    """FVU before and after, by a second method, in the function and in the file."""
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(1)) + 2
    sae = SAE(SAEConfig(6, 20, "topk", k=3))
    sae.save(tmp_path, dtype="int8", sample=x)
    stored = json.loads((tmp_path / "config.json").read_text())["stored"]
    loaded = SAE.load(tmp_path)
    for key, one in (("fvu", sae), ("fvu_stored", loaded)):
        x_hat = one(x).detach().numpy()
        expected = np.mean((x.numpy() - x_hat) ** 2) / np.var(x.numpy(), axis=0).mean()
        assert stored[key] == pytest.approx(float(expected), rel=1e-5)
    assert stored["fvu"] != stored["fvu_stored"] and stored["n_vectors"] == 50
    assert stored == {"dtype": "int8", **sae.storage_error(x)}
    assert sae.storage_error(x, "float32")["fvu_stored"] == sae.fvu(x) == pytest.approx(sae.fvu(x, batch_size=7))


def rewritten(folder, change):
    """The file's arrays changed by another program, which leaves no digest."""
    arrays = load_file(folder / "weights.safetensors")
    change(arrays)
    config = json.loads((folder / "config.json").read_text())
    del config["weights_sha256"]
    (folder / "config.json").write_text(json.dumps(config))
    save_file(arrays, folder / "weights.safetensors")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a.pop("W_dec_scale"), "W_dec_scale"),
        (lambda a: a.update(W_dec=a["W_dec"].astype(np.int16)), "W_dec is int16"),
        (lambda a: a.update(W_enc=np.ascontiguousarray(a["W_enc"].T)), r"W_enc is int8 \[20, 6\]"),
        (lambda a: a.update(W_enc_scale=a["W_enc_scale"][:-1]), r"W_enc_scale is float32 \[19\]"),
        (lambda a: a.update(W_enc_scale=a["W_enc_scale"] * np.float32(-1)), "negative"),
        (lambda a: a.update(W_enc_scale=np.full(20, 3e38, np.float32)), "too large"),
        (lambda a: a["W_dec"].__setitem__((0, 0), -128), "-128"),
        (lambda a: a.update(more=a["b_enc"]), "expected the arrays"),
        (lambda a: a.update(b_enc=a["W_dec_scale"].astype(np.int32)), "b_enc is int32"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, change, said):
    make().save(tmp_path, dtype="int8")
    rewritten(tmp_path, change)
    with pytest.raises(LoadError, match=said):
        SAE.load(tmp_path)


@pytest.mark.parametrize("stored", [None, "int8", {"dtype": "int4"}, {}])
def test_another_storage_is_refused(tmp_path, stored):
    make().save(tmp_path, dtype="int8")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"stored": stored}))
    with pytest.raises(LoadError, match="this version reads int8"):
        SAE.load(tmp_path)


def test_a_flipped_bit_is_found(tmp_path):
    make().save(tmp_path, dtype="int8")
    path = tmp_path / "weights.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 1
    path.write_bytes(raw)
    with pytest.raises(LoadError, match="SHA-256"):
        SAE.load(tmp_path)


def test_the_error_of_the_file_is_covered_by_its_digest(tmp_path):
    """The weights carry the config, with what was stated of them: where it was changed, the stated one is taken."""
    make().save(tmp_path, dtype="int8")
    config = json.loads((tmp_path / "config.json").read_text())
    for key in ("weights_sha256",):
        config[key] = "0" * 64
    (tmp_path / "config.json").write_text(json.dumps(config | {"k": 2}))
    with pytest.warns(UserWarning, match="belongs to other weights"):
        assert SAE.load(tmp_path).config.k == 3


@pytest.mark.parametrize(("value", "name"), [(float("inf"), "W_dec"), (float("nan"), "W_enc"), (3.4028234e38, "W_dec")])
def test_what_is_not_finite_is_not_stored(tmp_path, value, name):
    """The last is the largest float32: its scale, rounded up, would take it over the edge."""
    sae = make()
    with torch.no_grad():
        sae.weights[name][1, 2] = value
    with pytest.raises(ValueError, match=f"{name} would hold values that are not finite in int8"):
        sae.save(tmp_path / "new", dtype="int8")
    assert not (tmp_path / "new").exists()
