"""The SAE's equations, and files that nobody vouches for."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from saewidgets.files import LoadError
from saewidgets.records import ActivationSite
from saewidgets.sae import ARCHITECTURES, SAE, SAEConfig, shapes
from saewidgets.training import TrainConfig, train

SITE = ActivationSite("tiny", "blocks.1.hook_resid_pre", 6, scale=2.5)


def make(architecture="topk", *, d_sae=20, k=3, site=SITE, seed=0, name=""):
    """An SAE with nothing at zero or one."""
    sae = SAE(SAEConfig(6, d_sae, architecture, k=k, site=site, seed=seed), name=name)
    generator = torch.Generator().manual_seed(seed + 100)
    with torch.no_grad():
        for p in sae.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=generator))
        if "threshold" in sae.weights:
            sae.threshold.copy_(0.5 * torch.rand(d_sae, generator=generator))
    return sae


def normalized(sae, normalization):
    """The same weights, reading inputs under a normalization."""
    config = replace(sae.config, input_normalization=normalization)
    return SAE.from_weights(config, {name: w.detach() for name, w in sae.weights.items()}, name=sae.name)


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


def by_hand(architecture, **weights):
    """The weights of `test_relu_by_hand`, scale 2, with others in place: x = (1, -1) becomes (2, -2)."""
    sae = SAE(SAEConfig(2, 3, architecture, site=ActivationSite("m", "h", 2, scale=2.0)))
    given = {
        "W_enc": [[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]],
        "b_enc": [0.5, 3.0, 1.0],
        "W_dec": [[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]],
        "b_dec": [0.0, 1.0],
    } | weights
    return SAE.from_weights(sae.config, {name: torch.tensor(given[name]) for name in sae.weights})


def test_jumprelu_by_hand():
    """pre = 2.5, 1, -1: a threshold of exactly pre keeps a feature off, a negative one does not let a negative through."""
    x = torch.tensor([1.0, -1.0])
    sae = by_hand("jumprelu", threshold=[2.4, 1.0, -5.0])
    assert sae.encode(x).tolist() == [2.5, 0.0, 0.0]
    assert sae(x).tolist() == [1.25, 0.5]  # (2.5, 0 + 1) / 2


def test_batchtopk_by_hand():
    """The encoder reads (2, -2) - (0, 1) = (2, -3): pre = 2.5, 0, -1."""
    assert by_hand("batchtopk", threshold=[1.0] * 3).encode(torch.tensor([1.0, -1.0])).tolist() == [2.5, 0.0, 0.0]
    assert not by_hand("batchtopk", threshold=[2.5] * 3).encode(torch.tensor([1.0, -1.0])).any()


def test_gated_by_hand():
    """z W_enc = 2, -3, -2. The gate opens 1 and 3; magnitudes are 2 * 4 - 1, -3 + 9 (shut), -2 + 1 < 0."""
    log4 = float(np.log(4))
    sae = by_hand("gated", b_gate=[-1.0, 2.0, 3.0], b_mag=[-1.0, 9.0, 1.0], r_mag=[log4, 0.0, 0.0])
    torch.testing.assert_close(sae.encode(torch.tensor([1.0, -1.0])), torch.tensor([7.0, 0.0, 0.0]))


def test_layer_norm_by_hand():
    """x = (1, 2, 6) has mean 3 and std sqrt(7) over n - 1; the decoder gives (1, 1, 1) times sqrt(7), plus 3."""
    config = SAEConfig(3, 1, "relu", input_normalization="layer_norm")
    weights = {"W_enc": torch.ones(3, 1), "b_enc": torch.ones(1), "W_dec": torch.ones(1, 3), "b_dec": torch.zeros(3)}
    sae, x = SAE.from_weights(config, weights), torch.tensor([1.0, 2.0, 6.0])
    torch.testing.assert_close(sae.encode(x), torch.tensor([1.0]), atol=1e-6, rtol=0)  # the sum of z is 0
    torch.testing.assert_close(sae(x), torch.full((3,), 3 + 7**0.5))
    with pytest.raises(ValueError, match=r"decode\(a, x\)"):
        sae.decode(torch.ones(1))


def test_unit_norm_by_hand():
    """x = (3, 4) has norm 5: z = sqrt(2) (0.6, 0.8), and a vector of zeros stays one."""
    config = SAEConfig(2, 2, "relu", input_normalization="unit_norm")
    sae = SAE.from_weights(
        config, {"W_enc": torch.eye(2), "b_enc": torch.zeros(2), "W_dec": torch.eye(2), "b_dec": torch.zeros(2)}
    )
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    torch.testing.assert_close(sae.encode(x)[0], 2**0.5 * torch.tensor([0.6, 0.8]))
    torch.testing.assert_close(sae(x), x)


@pytest.mark.parametrize("architecture", [*ARCHITECTURES])
def test_the_pre_encoder_bias_is_a_choice(architecture, x):
    """Subtracting b_dec from s x is the other SAE on x - b_dec / s."""
    on, off = (
        SAE.from_weights(
            replace(sae.config, apply_b_dec_to_input=choice), {n: w.detach() for n, w in sae.weights.items()}
        )
        for sae, choice in ((make(architecture), True), (make(architecture), False))
    )
    assert (on.config.subtracts_b_dec, off.config.subtracts_b_dec) == (True, False)
    torch.testing.assert_close(on.encode(x), off.encode(x - on.b_dec / 2.5), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(on.encode(x), off.encode(x))


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


@pytest.mark.parametrize("architecture", [*ARCHITECTURES])
def test_some_features_alone_equal_those_among_all(architecture, x):
    sae = make(architecture)
    some = sae.activations_of(x, [7, 0, 7])
    assert torch.allclose(some, sae.encode(x)[..., [7, 0, 7]], atol=1e-5)
    for wrong in (20, -1):
        with pytest.raises(IndexError, match="features 0 to 19"):
            sae.activations_of(x, [wrong])


@pytest.mark.parametrize("architecture", [*ARCHITECTURES])
def test_the_scale_is_in_the_equations_once(architecture, x):
    """An SAE with scale s on x is the SAE with scale 1 on s x, its output divided by s (known bugs 1 to 3, 17)."""
    sae, bare = make(architecture), make(architecture, site=None)
    assert torch.allclose(sae.encode(x), bare.encode(2.5 * x))
    assert torch.allclose(sae(x), bare(2.5 * x) / 2.5, atol=1e-6)
    a = sae.encode(x).detach()
    assert torch.allclose(sae.decode(a), a @ sae.decoder_directions + sae.b_dec / 2.5, atol=1e-5)


@pytest.mark.parametrize("normalization", ["none", "layer_norm", "unit_norm"])
@pytest.mark.parametrize("architecture", sorted({*ARCHITECTURES} - {"topk"}))
def test_folding_norms_leaves_the_reconstruction(architecture, normalization, x):
    sae = normalized(make(architecture, site=None), normalization)
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
        ({"apply_b_dec_to_input": 1}, "apply_b_dec_to_input"),
        ({"input_normalization": "layernorm"}, "nearest: layer_norm"),
        ({"input_normalization": "unit_norm", "site": ActivationSite("m", "h", 4, scale=2.0)}, "means nothing"),
    ],
)
def test_a_config_that_cannot_be_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        SAEConfig(**({"d_in": 4, "d_sae": 8} | wrong))


# -- files --


def test_what_format_1_can_say_is_written_as_format_1(tmp_path):
    """Older readers then open it; whatever they would misread they refuse."""
    for sae, expected in (
        (make("relu"), 1),
        (make("topk"), 1),
        (make("gated"), 2),
        (SAE(replace(make("relu").config, apply_b_dec_to_input=True)), 2),
        (SAE(replace(make("relu").config, apply_b_dec_to_input=False)), 1),
        (normalized(make("topk", site=None), "layer_norm"), 2),
    ):
        sae.save(tmp_path)
        data = json.loads((tmp_path / "config.json").read_text())
        assert data["format"] == expected
        assert ("apply_b_dec_to_input" in data) == (expected == 2)
        assert SAE.load(tmp_path).config == sae.config


@pytest.mark.parametrize("architecture", [*ARCHITECTURES])
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
        "format": [5, 0, None, "1", True],
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
    (tmp_path / "config.json").write_text(json.dumps({**config, "\x1b[2J" + "x" * 500_000: 3}))
    with pytest.warns(UserWarning, match=r"\\x1b\[2Jxx") as warned:
        SAE.load(tmp_path)
    assert str(warned[0].message).isprintable() and len(str(warned[0].message)) < 400


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("d_out", [None, 4])
def test_a_folded_scale_changes_nothing_but_the_scale(architecture, d_out):
    """The same features and x_hat for vectors that nobody scales, of transcoders too, in either unit."""
    sites = {"site": ActivationSite("m", "mid", 6, scale=0.25)}
    sites |= {"out_site": ActivationSite("m", "out", 4, scale=8.0)} if d_out else {}
    sae = SAE(SAEConfig(6, 12, architecture, k=4, **sites))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in sae.weights.values():
            weight.copy_(0.5 * torch.randn(weight.shape, generator=generator))
        x = 4 * torch.randn(50, 6, generator=generator)
        folded = sae.fold_scale()
        assert (folded.scale, folded.out_scale, sae.scale, sae.out_scale) == (1.0, 1.0, 0.25, 8.0 if d_out else 0.25)
        torch.testing.assert_close(folded.encode(x), sae.encode(x), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(folded(x), sae(x), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(folded.decoder_directions, sae.decoder_directions)
    assert (sae.encode(x) > 0).any()


# -- a transcoder with a skip connection -----------------------------------------------------------------------------


def test_a_skip_connection_is_the_formula_and_is_kept(tmp_path):
    """y_hat = (a W_dec + b_dec + s x W_skip) / s_out, before and after a save, and with the scales folded."""
    sites = [ActivationSite("m", hook, d, scale=s) for hook, d, s in (("in", 4, 0.5), ("out", 3, 2.0))]
    config = SAEConfig(4, 8, site=sites[0], out_site=sites[1], skip=True)
    generator = torch.Generator().manual_seed(3)
    weights = {name: torch.randn(shape, generator=generator) for name, shape in shapes(config).items()}
    assert weights["W_skip"].shape == (4, 3)
    sae, x = SAE.from_weights(config, weights), torch.randn(5, 4, generator=generator)
    a = (0.5 * x @ weights["W_enc"] + weights["b_enc"]).relu()
    wanted = (a @ weights["W_dec"] + weights["b_dec"] + 0.5 * x @ weights["W_skip"]) / 2.0
    sae.save(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["format"] == 4
    loaded = SAE.load(tmp_path)
    assert loaded.config == config
    for one in (sae, loaded, sae.fold_scale(), sae.fold_W_dec_norm()):
        assert torch.allclose(one(x), wanted, atol=1e-5)
    with pytest.raises(ValueError, match=r"skip connection decodes with its input: decode\(a, x\)"):
        sae.decode(a)
    with pytest.raises(ValueError, match="True only with d_out"):
        SAEConfig(4, 8, skip=True)


def test_a_skip_connection_is_not_trained():
    with pytest.raises(ValueError, match="read, not trained"):
        next(train(SAE(SAEConfig(4, 8, d_out=3, skip=True)), [], TrainConfig(steps=1)))
