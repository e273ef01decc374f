"""The SAE's equations, and files that nobody vouches for."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from saewidgets import sae as sae_module
from saewidgets.files import LoadError
from saewidgets.records import ActivationSite
from saewidgets.sae import SAE, SAEConfig, load_sae

SITE = ActivationSite("tiny", "blocks.1.hook_resid_pre", 6, scale=2.5)


def make(architecture="topk", *, d_sae=20, k=3, site=SITE, seed=0, name=""):
    """An SAE with nothing at zero or one."""
    sae = SAE(SAEConfig(6, d_sae, architecture, k=k, site=site, seed=seed), name=name)
    generator = torch.Generator().manual_seed(seed + 100)
    with torch.no_grad():
        for p in sae.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=generator))
    return sae


@pytest.fixture
def x():
    return torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(9))


def test_relu_by_hand():
    """d_in 2, d_sae 3, scale 2: x = (1, -1) becomes (2, -2)."""
    sae = SAE(SAEConfig(2, 3, "relu", site=ActivationSite("m", "h", 2, scale=2.0)))
    with torch.no_grad():
        sae.W_enc.copy_(torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]]))
        sae.b_enc.copy_(torch.tensor([0.5, 3.0, 1.0]))
        sae.W_dec.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]]))
        sae.b_dec.copy_(torch.tensor([0.0, 1.0]))
    x = torch.tensor([1.0, -1.0])
    assert sae.encode(x).tolist() == [2.5, 1.0, 0.0]  # 2 + .5, -2 + 3, -2 + 1 < 0
    assert sae(x).tolist() == [1.25, 1.5]  # (2.5, 2 * 1 + 1) / 2


def test_topk_by_hand():
    """As above with k = 1 and b_dec subtracted first: (2, -2) - (0, 1) = (2, -3)."""
    sae = SAE(SAEConfig(2, 3, "topk", k=1, site=ActivationSite("m", "h", 2, scale=2.0)))
    with torch.no_grad():
        sae.W_enc.copy_(torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]]))
        sae.b_enc.copy_(torch.tensor([0.5, 4.0, 1.0]))
        sae.W_dec.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]]))
        sae.b_dec.copy_(torch.tensor([0.0, 1.0]))
    x = torch.tensor([1.0, -1.0])
    assert sae.encode(x).tolist() == [2.5, 0.0, 0.0]
    assert sae(x).tolist() == [1.25, 0.5]


def test_fresh_weights_are_as_the_papers_say():
    for architecture, norm in (("relu", 0.1), ("topk", 1.0)):
        sae = SAE(SAEConfig(16, 40, architecture))
        assert torch.allclose(sae.W_dec.norm(dim=-1), torch.full((40,), norm))
        assert torch.equal(sae.W_enc, sae.W_dec.T)
        assert not sae.b_enc.any() and not sae.b_dec.any()


def test_the_seed_alone_decides_the_weights():
    before = torch.get_rng_state()
    a, b, c = (SAE(SAEConfig(6, 20, seed=s)) for s in (1, 1, 2))
    assert torch.equal(a.W_dec, b.W_dec) and not torch.equal(a.W_dec, c.W_dec)
    assert torch.equal(torch.get_rng_state(), before)


def test_topk_keeps_the_k_largest(x):
    sae = make(k=3)
    a = sae.encode(x).detach()
    pre = sae.pre_activations(x).relu().detach()
    for kept, all_ in zip(a.reshape(-1, 20), pre.reshape(-1, 20), strict=True):
        expected = torch.zeros(20)
        for i in sorted(range(20), key=lambda i: -float(all_[i]))[:3]:
            expected[i] = all_[i]
        assert torch.equal(kept, expected)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    k=st.integers(1, 12),
    value=st.sampled_from([0.0, 1.0, -1.0, 1e4, 1e-38, 1e-45]),
    rows=st.integers(0, 3),
    tie=st.booleans(),
)
def test_at_most_k_fire_and_everything_is_finite(k, value, rows, tie):
    sae = SAE(SAEConfig(4, 12, "topk", k=k))
    if tie:
        with torch.no_grad():
            sae.W_enc.fill_(1.0)
    x = torch.full((rows, 4), value)
    a = sae.encode(x).detach()
    assert a.shape == (rows, 12)
    assert (a >= 0).all() and ((a > 0).sum(-1) <= k).all()
    assert sae(x).isfinite().all()
    if tie and value >= 1:
        assert ((a > 0).sum(-1) == k).all()


def test_sparse_and_dense_paths_agree(x):
    sae = make()
    indices, values = sae.encode_sparse(x)
    dense = torch.zeros(4, 5, 20).scatter(-1, indices, values)
    assert torch.equal(dense, sae.encode(x))
    assert torch.allclose(sae.decode_sparse(indices, values), sae.decode(dense), atol=1e-6)
    assert torch.allclose(sae(x), sae.decode(sae.encode(x)), atol=1e-6)


def test_encode_sparse_needs_topk(x):
    with pytest.raises(ValueError, match="use encode"):
        make("relu").encode_sparse(x)


@pytest.mark.parametrize("architecture", ["relu", "topk"])
def test_some_features_alone_equal_those_among_all(architecture, x):
    sae = make(architecture)
    some = sae.activations_of(x, [7, 0, 7])
    assert torch.allclose(some, sae.encode(x)[..., [7, 0, 7]], atol=1e-5)
    for wrong in (20, -1):
        with pytest.raises(IndexError, match="features 0 to 19"):
            sae.activations_of(x, [wrong])


@pytest.mark.parametrize("architecture", ["relu", "topk"])
def test_the_scale_is_in_the_equations_once(architecture, x):
    """An SAE with scale s on x is the SAE with scale 1 on s x, its output divided by s (known bugs 1 to 3, 17)."""
    sae, bare = make(architecture), make(architecture, site=None)
    assert torch.allclose(sae.encode(x), bare.encode(2.5 * x))
    assert torch.allclose(sae(x), bare(2.5 * x) / 2.5, atol=1e-6)
    a = sae.encode(x).detach()
    assert torch.allclose(sae.decode(a), a @ sae.decoder_directions + sae.b_dec / 2.5, atol=1e-5)


def test_folding_norms_leaves_the_reconstruction(x):
    sae = make("relu")
    with torch.no_grad():
        sae.W_dec[3] = 0.0
    folded = sae.fold_W_dec_norm()
    norm = sae.W_dec.norm(dim=-1)
    assert (folded(x) - sae(x)).abs().max() < 1e-5
    assert torch.allclose(folded.encode(x), sae.encode(x) * norm, atol=1e-5)
    assert torch.allclose(folded.W_dec.norm(dim=-1), (norm > 0).float())
    with pytest.raises(ValueError, match="which features are on"):
        make("topk").fold_W_dec_norm()


def test_forward_changes_nothing_but_its_output(x):
    sae = make()
    before = {k: v.clone() for k, v in sae.state_dict().items()}
    given_x = x.clone()
    sae(x)
    assert torch.equal(x, given_x)
    assert all(torch.equal(before[k], v) for k, v in sae.state_dict().items())


def test_another_width_is_refused():
    for call in (make().encode, make().decode, make("relu").encode):
        with pytest.raises(ValueError, match=r"expected \[\.\.\., d_"):
            call(torch.zeros(2, 7))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"d_sae": 0}, "d_sae"),
        ({"d_in": 2.0}, "d_in"),
        ({"architecture": "tpok"}, "nearest: topk"),
        ({"architecture": "topk", "k": 9}, "k = 9"),
        ({"l1_coefficient": float("nan")}, "l1_coefficient"),
        ({"site": SITE}, "6 wide"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_config_that_cannot_be_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        SAEConfig(**({"d_in": 4, "d_sae": 8} | wrong))


# -- files --


@pytest.mark.parametrize("architecture", ["relu", "topk"])
def test_saved_and_loaded_bitwise(architecture, tmp_path):
    sae = make(architecture, name="mine")
    sae.save(tmp_path / "deep" / "folder")
    loaded = SAE.load(tmp_path / "deep" / "folder")
    assert (loaded.config, loaded.name) == (sae.config, "mine")
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), sae.parameters(), strict=True))
    assert all(p.requires_grad for p in loaded.parameters())


def test_float16_halves_the_file_and_keeps_three_digits(tmp_path, x):
    sae = make("relu")
    sae.save(tmp_path, dtype="float16")
    loaded = SAE.load(tmp_path)
    assert loaded.W_dec.dtype == torch.float32
    assert torch.equal(loaded.W_dec, sae.W_dec.half().float())
    with pytest.raises(ValueError, match="unknown dtype"):
        sae.save(tmp_path, dtype="float8")


@pytest.mark.parametrize(("value", "dtype"), [(float("nan"), "float32"), (float("inf"), "float32"), (1e6, "float16")])
def test_weights_that_are_not_finite_are_not_saved(tmp_path, value, dtype):
    sae = make()
    with torch.no_grad():
        sae.b_dec[0] = value
    with pytest.raises(ValueError, match="b_dec"):
        sae.save(tmp_path / "new", dtype=dtype)
    assert not (tmp_path / "new").exists()


def broken_configs():
    """What a config.json may hold instead."""
    good = {
        "format": 1,
        "d_in": 6,
        "d_sae": 20,
        "architecture": "topk",
        "k": 3,
        "l1_coefficient": 5.0,
        "site": SITE.to_dict(),
        "seed": 0,
    }
    for key, values in {
        "format": [2, None, "1"],
        "d_in": [0, -6, 6.0, "6", True, None, 7, 2**70],
        "d_sae": [0, 21, [20], 2**60],
        "architecture": ["jump", 3, None],
        "k": [0, 21, 3.5, None],
        "l1_coefficient": [-1, "5", None, True],
        "seed": [-1, "0", None],
    }.items():
        for value in values:
            yield key, {**good, key: value}
    for key, value in {
        "scale": 0,
        "d_in": 7,
        "model_name": 3,
        "prepend_bos": 1,
        "hook_name": None,
        "extra": 1,
    }.items():
        yield f"site.{key}", {**good, "site": {**good["site"], key: value}}
    yield "site list", {**good, "site": [1]}
    yield "site short", {**good, "site": {"model_name": "m"}}
    for key in ("format", "d_in", "d_sae", "architecture"):
        yield f"no {key}", {k: v for k, v in good.items() if k != key}


@pytest.mark.parametrize(("what", "config"), list(broken_configs()), ids=lambda v: v if isinstance(v, str) else "")
def test_a_broken_config_gives_load_error(tmp_path, what, config):
    make().save(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(LoadError):
        SAE.load(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"a": NaN}', '{"d_in": 1, "d_in": 2}', "\x00", "[" * 100_000])
def test_a_config_that_is_no_object_gives_load_error(tmp_path, text):
    make().save(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(LoadError):
        SAE.load(tmp_path)


def test_broken_weights_give_load_error(tmp_path):
    sae = make()
    good = {name: p.detach().numpy() for name, p in sae.named_parameters()}
    cases = [
        {k: v for k, v in good.items() if k != "b_enc"},
        {**good, "extra": np.zeros(3, np.float32)},
        {**good, "W_enc": good["W_enc"].T.copy()},
        {**good, "b_dec": np.zeros(6, np.int32)},
        {**good, "b_dec": np.full(6, np.nan, np.float32)},
        {**good, "b_dec": np.full(6, 1e300)},  # finite in float64, not in float32
        {**good, "W_dec": np.zeros((0, 6), np.float32)},
    ]
    for tensors in cases:
        sae.save(tmp_path)
        save_file(tensors, tmp_path / "weights.safetensors")
        with pytest.raises(LoadError):
            SAE.load(tmp_path)


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_mutated_file_loads_or_gives_load_error(tmp_path, data):
    make().save(tmp_path)
    path = tmp_path / data.draw(st.sampled_from(["weights.safetensors", "config.json"]))
    raw = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(0, len(raw))) :]
    for _ in range(data.draw(st.integers(0, 6))):
        if raw:
            raw[data.draw(st.integers(0, min(len(raw), 400) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    try:
        with warnings.catch_warnings(action="ignore"):
            loaded = SAE.load(tmp_path)
    except LoadError:
        return
    assert all(p.isfinite().all() for p in loaded.parameters())
    assert loaded(torch.zeros(2, loaded.config.d_in)).shape == (2, loaded.config.d_in)


def test_missing_files_give_load_error(tmp_path):
    with pytest.raises(LoadError):
        SAE.load(tmp_path / "nowhere")
    make().save(tmp_path)
    (tmp_path / "weights.safetensors").unlink()
    with pytest.raises(LoadError):
        SAE.load(tmp_path)


def test_an_unknown_key_is_ignored_with_a_warning(tmp_path):
    make().save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "color": 3}))
    with pytest.warns(UserWarning, match="color"):
        SAE.load(tmp_path)


def test_load_sae_by_name_folder_and_file(tmp_path, monkeypatch):
    monkeypatch.setattr(sae_module, "_BUNDLED", tmp_path)
    make().save(tmp_path / "miniworld-2048")
    make().save(tmp_path / "miniworld-512")
    assert load_sae().name == "miniworld-2048"
    assert load_sae(tmp_path / "miniworld-512").config.k == 3
    assert load_sae(str(tmp_path / "miniworld-512" / "weights.safetensors")).config.k == 3
    with pytest.raises(ValueError, match="unknown SAE 'miniworld-2408'; nearest: miniworld-2048"):
        load_sae("miniworld-2408")
    with pytest.raises(ValueError, match="hub is not built yet"):
        load_sae("gpt2-small-res-jb/blocks.8.hook_resid_pre")
