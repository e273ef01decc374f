"""Each published layout, written anew with its producer's names: the numbers are its producer's formula, by hand in
float64.

Where a producer's package is at hand, tests/formats/test_formats.py holds us to what the package itself computes.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import saewidgets as sw
from saewidgets.files import LoadError
from saewidgets.formats import load_sae, save_sae
from saewidgets.models import Edit, Model, site

D_IN, D_SAE, D_OUT = 6, 20, 5
RNG = np.random.default_rng(11)
X = RNG.normal(size=(40, D_IN)).astype(np.float32)
W_ENC, W_DEC, B_ENC, B_DEC = (
    RNG.normal(size=shape).astype(np.float32) for shape in ((D_IN, D_SAE), (D_SAE, D_IN), (D_SAE,), (D_IN,))
)
W_OUT, B_OUT, W_SKIP = (RNG.normal(size=s).astype(np.float32) for s in ((D_SAE, D_OUT), (D_OUT,), (D_IN, D_OUT)))
THRESHOLD = RNG.uniform(0.5, 3.0, size=D_SAE).astype(np.float32)
TORCH = {name: torch.from_numpy(array) for name, array in {"W_enc": W_ENC, "W_dec": W_DEC}.items()}


def relu(z: np.ndarray) -> np.ndarray:
    return np.maximum(z.astype(np.float64) @ W_ENC + B_ENC, 0)


def jump(pre: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    return np.where(pre > threshold, np.maximum(pre, 0), 0)


def top(z: np.ndarray, k: int) -> np.ndarray:
    pre = z.astype(np.float64) @ W_ENC + B_ENC
    return np.maximum(np.where(pre >= np.sort(pre, axis=1)[:, [-k]], pre, 0), 0)


def npz(folder: Path, **arrays: np.ndarray) -> Path:
    folder.mkdir(parents=True)
    np.savez(folder / "params.npz", **arrays)
    return folder


def tensors(path: Path, config: dict | None = None, about: str = "config.json", **arrays: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    if config is not None:
        (path.parent / about).write_text(json.dumps(config))
    return path.parent


def pt(path: Path, **arrays: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}, path)
    return path


SAE_1 = {"W_enc": W_ENC, "W_dec": W_DEC, "b_enc": B_ENC, "b_dec": B_DEC, "threshold": THRESHOLD}
ACROSS_1 = SAE_1 | {"W_dec": W_OUT, "b_dec": B_OUT}
SAE_2 = {"w_" + n[2:] if n.startswith("W_") else n: a for n, a in SAE_1.items()}
ACROSS_2 = {"w_" + n[2:] if n.startswith("W_") else n: a for n, a in ACROSS_1.items()}

PLAIN = {"W_enc": W_ENC, "W_dec": W_DEC, "b_enc": B_ENC, "b_dec": B_DEC}
S_IN, S_OUT = 2.5, 0.5  # of Llama Scope: sqrt(d) / mean norm
HYPER = {
    "act_fn": "jumprelu",
    "d_model": D_IN,
    "d_sae": D_SAE,
    "jump_relu_threshold": 0.4,
    "norm_activation": "dataset-wise",
    "hook_point_in": "blocks.7.hook_resid_post",
    "hook_point_out": "blocks.7.hook_resid_post",
    "dataset_average_activation_norm": {"in": D_IN**0.5 / S_IN, "out": D_IN**0.5 / S_IN},
}
NORMS = np.linalg.norm(W_DEC.astype(np.float64), axis=1)


def linear(encoder: str, decoder: str, dec: np.ndarray = W_DEC, b_dec: np.ndarray = B_DEC) -> dict[str, np.ndarray]:
    return {
        f"{encoder}.weight": W_ENC.T,
        f"{encoder}.bias": B_ENC,
        f"{decoder}.weight": dec.T,
        f"{decoder}.bias": b_dec,
    }


def llama_scope(folder: Path, **changes: object) -> Path:
    tensors(folder / "checkpoints/final.safetensors", **linear("encoder", "decoder"))
    (folder / "hyperparams.json").write_text(json.dumps(HYPER | changes))
    return folder


def circuit_tracer(folder: Path, **arrays: np.ndarray) -> Path:
    tensors(folder / "layer_3.safetensors", W_enc=W_ENC.T, W_dec=W_OUT, b_enc=B_ENC, b_dec=B_OUT, **arrays)
    hooks = "feature_input_hook: mlp.hook_in\nfeature_output_hook: hook_mlp_out"
    (folder / "config.yaml").write_text(f"# Qwen\nmodel_name: 'Qwen/Qwen3-0.6B'\nscan: x\n{hooks}\n")
    return folder / "layer_3.safetensors"


def across_saelens(folder: Path, architecture: str, **arrays: np.ndarray) -> Path:
    about = {
        "model_name": "gpt2",
        "hook_name": "blocks.2.ln2.hook_normalized",
        "hook_name_out": "blocks.2.hook_mlp_out",
    }
    cfg = {"architecture": architecture, "d_in": D_IN, "d_sae": D_SAE, "d_out": D_OUT, "metadata": about}
    arrays |= {"W_enc": W_ENC, "W_dec": W_OUT, "b_enc": B_ENC, "b_dec": B_OUT}
    return tensors(folder / "sae_weights.safetensors", cfg, "cfg.json", **arrays)


def hook_z_kk(folder: Path) -> Path:
    (folder / "x").mkdir(parents=True)
    about = {"act_size": D_IN, "dict_size": D_SAE, "act_name": "blocks.5.attn.hook_z"}
    (folder / "x/gpt2-small_L5_Hcat_z_v9_cfg.json").write_text(json.dumps(about))
    return pt(folder / "x/gpt2-small_L5_Hcat_z_v9.pt", **PLAIN)


@dataclass(frozen=True)
class Case:
    """A layout: how it is written, where it then reads, and what its producer computes."""

    write: Callable[[Path], Path]
    place: tuple[str, str, str | None]  # model, what it reads, what a transcoder predicts
    architecture: str
    features: np.ndarray  # [row, d_sae]
    x_hat: np.ndarray  # [row, d_in] or [row, d_out]
    scale: float = 1.0
    k: int | None = None


def case(write, model, hook, architecture, a, *, out=None, skip=False, scale=1.0, k=None) -> Case:
    x_hat = (a @ W_OUT + B_OUT if out else a @ W_DEC + B_DEC) / scale
    x_hat = x_hat + X.astype(np.float64) @ W_SKIP if skip else x_hat
    return Case(write, (model, hook, out), architecture, a, x_hat, scale, k)


JUMPED = jump(relu(X), THRESHOLD)
SCOPE_2 = "gemma-scope-2-1b-it"
MODULE = "model.layers.4."
WITH_NORMS = jump(S_IN * X.astype(np.float64) @ W_ENC + B_ENC, S_IN * 0.4 / NORMS)
CASES = {
    "gemma scope 1, residual stream": case(
        lambda f: npz(f / "gemma-scope-27b-pt-res/layer_10/width_131k/average_l0_106", **SAE_1),
        *("gemma-2-27b", "blocks.10.hook_resid_post", "jumprelu", JUMPED),
    ),
    "gemma scope 1, heads": case(
        lambda f: npz(f / "gemma-scope-9b-pt-att/layer_3/width_16k/average_l0_5", **SAE_1),
        *("gemma-2-9b", "blocks.3.attn.hook_z", "jumprelu", JUMPED),
    ),
    "gemma scope 1, transcoder": case(
        lambda f: npz(f / "gemma-scope-2b-pt-transcoders/layer_0/width_16k/average_l0_76", **ACROSS_1),
        *("gemma-2-2b", "blocks.0.ln2.hook_normalized", "jumprelu", JUMPED),
        out="blocks.0.hook_mlp_out",
    ),
    "gemma scope 2, by its path": case(
        lambda f: tensors(f / SCOPE_2 / "mlp_out_all/layer_4_width_16k_l0_big/params.safetensors", **SAE_2),
        *("gemma-3-1b-it", "blocks.4.hook_mlp_out", "jumprelu", JUMPED),
    ),
    "gemma scope 2, heads, by its config": case(
        lambda f: tensors(
            f / "layer_4_width_16k_l0_big/params.safetensors",
            {"model_name": "gemma-v3-4b-it", "hf_hook_point_in": MODULE + "self_attn.o_proj.input"},
            **SAE_2,
        ),
        *("gemma-3-4b-it", "blocks.4.attn.hook_z", "jumprelu", JUMPED),
    ),
    "gemma scope 2, transcoder by its path": case(
        lambda f: tensors(f / SCOPE_2 / "transcoder_all/layer_4_width_16k_l0_big/params.safetensors", **ACROSS_2),
        *("gemma-3-1b-it", "blocks.4.mlp.hook_in", "jumprelu", JUMPED),
        out="blocks.4.hook_mlp_out",
    ),
    "gemma scope 2, affine transcoder": case(
        lambda f: tensors(
            f / "layer_4_width_16k_l0_big_affine/params.safetensors",
            {
                "model_name": "google/gemma-3-270m-pt",
                "hf_hook_point_in": MODULE + "pre_feedforward_layernorm.output",
                "hf_hook_point_out": MODULE + "post_feedforward_layernorm.output",
            },
            **ACROSS_2,
            affine_skip_connection=W_SKIP,
        ),
        *("gemma-3-270m", "blocks.4.mlp.hook_in", "jumprelu", JUMPED),
        out="blocks.4.hook_mlp_out",
        skip=True,
    ),
    "qwen-scope": case(
        lambda f: pt(
            f / "SAE-Res-Qwen3.5-35B-A3B-Base-W128K-L0_4/layer31.sae.pt",
            **PLAIN | {"W_enc": W_ENC.T, "W_dec": W_DEC.T},
        ),
        *("Qwen/Qwen3.5-35B-A3B-Base", "blocks.31.hook_resid_post", "topk", top(X, 4)),
        k=4,
    ),
    "goodfire": case(
        lambda f: pt(f / "Llama-3.1-8B-Instruct-SAE-l19.pth", **linear("encoder_linear", "decoder_linear")),
        *("meta-llama/Llama-3.1-8B-Instruct", "blocks.19.hook_resid_post", "relu", relu(X)),
    ),
    "qresearch": case(
        lambda f: pt(f / "DeepSeek-R1-Distill-Llama-8B-SAE-l19.pt", **linear("encoder", "decoder")),
        *("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "blocks.19.hook_resid_post", "relu", relu(X)),
    ),
    "heads of gpt2": case(hook_z_kk, *("gpt2-small", "blocks.5.attn.hook_z", "relu", relu(X - B_DEC)), out=None),
    "llama scope": case(
        lambda f: llama_scope(f / "Llama3_1-8B-Base-L7R-8x"),
        *("meta-llama/Llama-3.1-8B", "blocks.7.hook_resid_post", "jumprelu", WITH_NORMS),
        scale=S_IN,
    ),
    "llama scope, one threshold": case(
        lambda f: llama_scope(f / "L7R", sparsity_include_decoder_norm=False),
        *("meta-llama/Llama-3.1-8B", "blocks.7.hook_resid_post", "jumprelu"),
        jump(S_IN * X.astype(np.float64) @ W_ENC + B_ENC, S_IN * 0.4),
        scale=S_IN,
    ),
    "circuit-tracer": case(
        circuit_tracer, *("Qwen/Qwen3-0.6B", "blocks.3.mlp.hook_in", "relu", relu(X)), out="blocks.3.hook_mlp_out"
    ),
    "circuit-tracer, skip": case(
        lambda f: circuit_tracer(f, W_skip=W_SKIP.T),
        *("Qwen/Qwen3-0.6B", "blocks.3.mlp.hook_in", "relu", relu(X)),
        out="blocks.3.hook_mlp_out",
        skip=True,
    ),
    "saelens transcoder": case(
        lambda f: across_saelens(f, "transcoder"),
        *("gpt2", "blocks.2.ln2.hook_normalized", "relu", relu(X)),
        out="blocks.2.hook_mlp_out",
    ),
    "saelens jumprelu transcoder with a skip": case(
        lambda f: across_saelens(f, "jumprelu_skip_transcoder", threshold=THRESHOLD, W_skip=W_SKIP.T),
        *("gpt2", "blocks.2.ln2.hook_normalized", "jumprelu", JUMPED),
        out="blocks.2.hook_mlp_out",
        skip=True,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_layout_is_read_as_its_producer_computes_it(tmp_path, name):
    one = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sae = load_sae(one.write(tmp_path))
    config = sae.config
    model, hook, out = one.place
    assert (config.site.model_name, config.site.hook_name) == (model, hook)
    assert (config.out_site and config.out_site.hook_name) == out and config.is_transcoder == (out is not None)
    assert config.architecture == one.architecture and (one.k is None or config.k == one.k)
    assert config.site.scale == pytest.approx(one.scale) and config.site.prepend_bos
    with torch.no_grad():
        features, x_hat = sae.encode(torch.from_numpy(X)), sae(torch.from_numpy(X))
    assert 0.02 < (one.features > 0).mean() < 0.9
    assert np.array_equal(features.numpy() > 0, one.features > 0)
    np.testing.assert_allclose(features, one.features, atol=1e-4)
    np.testing.assert_allclose(x_hat, one.x_hat, atol=2e-4)


def test_a_llama_scope_transcoder_has_a_scale_on_each_side(tmp_path):
    """y_hat = (a W_dec + b_dec) / s_out, s_out from the mean norm of what it predicts."""
    hooks = {"hook_point_in": "blocks.7.ln2.hook_normalized", "hook_point_out": "blocks.7.hook_mlp_out"}
    norms = {"in": D_IN**0.5 / S_IN, "out": D_IN**0.5 / S_OUT}
    sae = load_sae(llama_scope(tmp_path / "L7TC", **hooks, dataset_average_activation_norm=norms))
    assert (sae.config.site.scale, sae.config.out_site.scale) == (pytest.approx(S_IN), pytest.approx(S_OUT))
    np.testing.assert_allclose(sae(torch.from_numpy(X)).detach(), (WITH_NORMS @ W_DEC + B_DEC) / S_OUT, atol=2e-4)


def test_the_r1_distills_scale_is_the_releases(tmp_path):
    """Its files hold log(threshold), and no scale: a folder alone is refused with what to type."""
    log = np.log(THRESHOLD)
    arrays = linear("encoder", "decoder") | {"log_jumprelu_threshold": log}
    folder = tensors(tmp_path / "L3R/sae_weights.safetensors", {"hook_point_in": "blocks.3.hook_resid_post"}, **arrays)
    with pytest.raises(LoadError, match=r"site=ActivationSite\(\.\.\., scale="):
        load_sae(folder)
    sae = load_sae(folder, site=sw.records.ActivationSite("r1", "blocks.3.hook_resid_post", D_IN, scale=2.0))
    wanted = jump(2.0 * X.astype(np.float64) @ W_ENC + B_ENC, THRESHOLD)
    np.testing.assert_allclose(sae.encode(torch.from_numpy(X)).detach(), wanted, atol=1e-4)


# -- where a config and a path differ --------------------------------------------------------------------------------


def gemma_2(folder: Path, **config: str) -> Path:
    return tensors(folder / "params.safetensors", config, **SAE_2)


def test_the_config_of_gemma_scope_2_wins_over_its_path_and_says_so(tmp_path):
    module = "model.layers.17.post_feedforward_layernorm.output"
    folder = gemma_2(
        tmp_path / "resid_post/layer_17_width_16k_l0_big", hf_hook_point_in=module, model_name="gemma-3-1b-it"
    )
    with pytest.warns(
        UserWarning, match=r"config says blocks\.17\.hook_mlp_out, and its path blocks\.17\.hook_resid_post"
    ):
        assert load_sae(folder).config.site.hook_name == "blocks.17.hook_mlp_out"
    folder = gemma_2(tmp_path / f"{SCOPE_2}/x", hf_hook_point_in="model.layers.3.output", model_name="gemma-3-4b-pt")
    with pytest.warns(UserWarning, match="config says gemma-3-4b-pt, and its path gemma-3-1b-it"):
        assert load_sae(folder).config.site.model_name == "gemma-3-4b-pt"


def test_a_module_that_is_not_known_has_no_hook_point(tmp_path):
    folder = gemma_2(tmp_path / "a", hf_hook_point_in="model.layers.3.mlp.act.output", model_name="gemma-3-4b-pt")
    with pytest.warns(UserWarning, match=r"which hook point 'model\.layers\.3\.mlp\.act\.output' is, is not known"):
        assert load_sae(folder).config.site is None


def test_a_cross_layer_transcoder_is_refused(tmp_path):
    folder = tensors(tmp_path / "a/params.safetensors", **SAE_2 | {"w_dec": np.stack([W_DEC, W_DEC], 1)})
    with pytest.raises(LoadError, match="writes to several layers"):
        load_sae(folder)


def test_a_qwen_scope_file_alone_says_what_it_lacks(tmp_path):
    with pytest.raises(LoadError, match=r"keep them, as in SAE-Res-Qwen3-1\.7B-Base-W32K-L0_50/layer3\.sae\.pt"):
        load_sae(pt(tmp_path / "layer3.sae.pt", **PLAIN | {"W_enc": W_ENC.T, "W_dec": W_DEC.T}))


def test_a_sparsify_transcoder_is_topk_of_its_modules_input(tmp_path):
    """a = TopK(relu(x W_enc + b_enc)), y_hat = a W_dec + b_dec + x W_skip^T."""
    arrays = {"encoder.weight": W_ENC.T, "encoder.bias": B_ENC, "W_dec": W_OUT, "b_dec": B_OUT, "W_skip": W_SKIP.T}
    folder = tensors(tmp_path / "layers.3.mlp/sae.safetensors", {"k": 4, "transcode": True}, "cfg.json", **arrays)
    (tmp_path / "config.json").write_text(json.dumps({"model": "HuggingFaceTB/SmolLM2-135M"}))
    sae = load_sae(folder)
    assert (sae.config.site.hook_name, sae.config.out_site.hook_name) == (
        "blocks.3.mlp.hook_in",
        "blocks.3.hook_mlp_out",
    )
    a = top(X, 4)
    np.testing.assert_allclose(sae.encode(torch.from_numpy(X)).detach(), a, atol=1e-4)
    np.testing.assert_allclose(sae(torch.from_numpy(X)).detach(), a @ W_OUT + B_OUT + X @ W_SKIP, atol=2e-4)


# -- what a hook point is --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gemma():
    """A random Gemma 3 of three layers: (transformers model, the same as a Model)."""
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "head_dim": 6}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "query_pre_attn_scalar": 6}
    config = transformers.Gemma3TextConfig(**sizes, **heads, max_position_embeddings=64, sliding_window=4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        hf = transformers.Gemma3ForCausalLM(config).eval()
        with torch.no_grad():
            for p in hf.parameters():
                p.add_(0.3 * torch.randn_like(p))
    return hf


def test_the_modules_that_gemma_scope_2_names_are_these_hook_points(gemma):
    """By hooks of PyTorch's own on transformers' modules: norms with random gains stand before and after the MLP."""
    ids, seen, layer = torch.tensor([[2, 5, 9, 33, 12, 7]]), {}, gemma.model.layers[1]
    modules = {
        "output": layer,
        "post_feedforward_layernorm.output": layer.post_feedforward_layernorm,
        "pre_feedforward_layernorm.output": layer.pre_feedforward_layernorm,
    }
    handles = [
        module.register_forward_hook(
            lambda m, i, o, name=name: seen.__setitem__(name, (o[0] if isinstance(o, tuple) else o).detach().clone())
        )
        for name, module in modules.items()
    ]
    o_proj = layer.self_attn.o_proj
    handles.append(
        o_proj.register_forward_pre_hook(lambda m, i: seen.__setitem__("self_attn.o_proj.input", i[0].clone()))
    )
    with torch.no_grad():
        gemma(ids)
    for handle in handles:
        handle.remove()
    model = Model(gemma)
    from saewidgets.formats.gemma_scope import _MODULES_2

    assert set(_MODULES_2) == set(seen)
    for module, hook in _MODULES_2.items():
        torch.testing.assert_close(model.activations(ids, f"blocks.1.{hook}"), seen[module], atol=1e-5, rtol=1e-5)


def test_an_sae_on_heads_is_clamped(tiny_model, tmp_path):
    """A clamp at hook_z moves the flat vector of heads by (value - activation) d, as TransformerLens's own hook does by
    hand.
    """
    hook = "blocks.1.attn.hook_z"
    cfg = tiny_model.hooked.cfg
    own = sw.SAE(sw.SAEConfig(cfg.n_heads * cfg.d_head, 24, "relu", site=site(tiny_model, hook)))
    save_sae(own, tmp_path, "saelens")
    assert json.loads((tmp_path / "cfg.json").read_text())["reshape_activations"] == "hook_z"
    sae = load_sae(tmp_path)
    assert sae.config.site == own.config.site
    tokens = tiny_model.tokens("The fog is over the bay.")
    from saewidgets.steering.edits import Clamp, clamp_edit

    clamped = tiny_model.logits(tokens, Edit(hook, clamp_edit(sae, [Clamp(3, 2.0)])))

    def by_hand(z, hook):
        flat = z.reshape(*z.shape[:2], -1)
        a = (flat @ sae.W_enc + sae.b_enc).relu()[..., 3:4]
        return (flat + (2.0 - a) * sae.W_dec[3]).view_as(z)

    with torch.no_grad():
        wanted = tiny_model.hooked.run_with_hooks(tokens[None], fwd_hooks=[(hook, by_hand)])
    torch.testing.assert_close(clamped, wanted, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(clamped, tiny_model.logits(tokens), atol=1e-3)


# -- files that nobody vouches for -----------------------------------------------------------------------------------

HOSTILE = [None, [], {}, -1, 0, 1e308, 5e-324, True, "", "x" * 300, "blocks.1." * 30]


def loads_or_refuses(path: Path) -> None:
    try:
        load_sae(path)
    except LoadError:
        pass


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("gemma scope 1")])
def test_a_config_with_anything_in_it_loads_or_gives_load_error(tmp_path, name):
    """Every value of every config is replaced by what does not belong there."""
    path = CASES[name].write(tmp_path)
    for about in tmp_path.rglob("*.json"):
        text = about.read_text()
        for key in json.loads(text):
            for bad in HOSTILE:
                about.write_text(json.dumps(json.loads(text) | {key: bad}))
                loads_or_refuses(path)
        about.write_text(text)


def stored(file: Path) -> dict[str, np.ndarray]:
    if file.suffix == ".npz":
        return dict(np.load(file))
    if file.suffix == ".safetensors":
        return load_file(file)
    return {name: tensor.numpy() for name, tensor in torch.load(file, weights_only=True).items()}


def store(file: Path, arrays: dict[str, np.ndarray]) -> None:
    if file.suffix == ".npz":
        np.savez(file, **arrays)
    elif file.suffix == ".safetensors":
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, file)
    else:
        pt(file, **arrays)


CHANGES = {
    "empty": lambda a: a[:0],
    "cut": lambda a: a[:-1],
    "with an axis more": lambda a: a[None],
    "whole numbers": lambda a: a.astype(np.int64),
    "left out": lambda a: None,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_arrays_that_do_not_fit_are_refused(tmp_path, name):
    """One array at a time is left out, or is of another shape or kind."""
    path = CASES[name].write(tmp_path)
    (file,) = (f for f in tmp_path.rglob("*") if f.suffix in (".npz", ".safetensors", ".pt", ".pth"))
    own = stored(file)
    for array in own:
        for change, changed in CHANGES.items():
            arrays = own | {array: changed(own[array])}
            store(file, {n: a for n, a in arrays.items() if a is not None})
            if change == "left out" and array in ("W_skip", "affine_skip_connection", "threshold"):
                loads_or_refuses(path)  # a whole transcoder or SAE of another kind
                continue
            if change == "cut" and array.lower() == "w_enc" and "gemma" in name and CASES[name].place[2]:
                continue  # a whole transcoder that reads one number less
            with pytest.raises(LoadError):
                load_sae(path)
