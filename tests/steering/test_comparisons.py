"""What a clamp is compared with: vectors to add, worked out by hand; they mix with clamps and change nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.models import Edit, load_model, site
from saewidgets.records import ActivationSite, Clamp, Generation, Steer, Token, clamp_code
from saewidgets.sae import ARCHITECTURES, SAE, SAEConfig
from saewidgets.steering import (
    Steerer,
    add_feature,
    clamp_edit,
    intervention_edit,
    mean_difference,
    noise_like,
    random_live_feature,
    row_edit,
)

HOOK = "blocks.0.hook_resid_post"
PROMPT = "The bridge over the bay"


def random_sae(architecture: str, own: ActivationSite) -> SAE:
    sae = SAE(SAEConfig(d_in=own.d_in, d_sae=48, architecture=architecture, k=6, site=own))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
        for name in {"b_enc", "b_gate", "b_mag"} & set(sae.weights):
            sae.weights[name].sub_(1.0)
    return sae


@pytest.fixture(scope="module", params=["hooked", "bridge"])
def model(request, tiny_folder):
    return load_model(tiny_folder, backend=request.param)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def sae(request):
    return random_sae(request.param, ActivationSite("tiny", HOOK, 32, scale=1.7))


@pytest.fixture
def x():
    return torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(3))


# -- the vectors -----------------------------------------------------------------------------------------------------


def test_an_sae_of_four_numbers_by_hand():
    """d_in 2, two features. Feature 1 reads x_1 - 1 and writes (0, 2); the site's scale is 2, so d_1 = (0, 1) in model
    units.
    """
    sae = SAE(SAEConfig(d_in=2, d_sae=2, site=ActivationSite("none", "none", 2, scale=2.0)))
    with torch.no_grad():
        sae.W_enc.copy_(torch.eye(2)), sae.b_enc.copy_(torch.tensor([0.0, -1.0]))
        sae.W_dec.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]])), sae.b_dec.zero_()
    x = torch.tensor([[[1.0, 3.0], [1.0, 0.25]]])  # a_1 = relu(2 x_1 - 1) = 5, then 0
    added = intervention_edit(sae, [add_feature(sae, 1, 4.0)])(x, 0)
    assert added.tolist() == [[[1.0, 7.0], [1.0, 4.25]]]  # x + 4 (0, 1), whatever a_1 is
    clamped = intervention_edit(sae, [Clamp(1, 4.0)])(x, 0)
    assert clamped.tolist() == [[[1.0, 2.0], [1.0, 4.25]]]  # x + (4 - a_1) (0, 1)
    both = intervention_edit(sae, [add_feature(sae, 1, 4.0), Clamp(1, 4.0)])(x, 0)
    assert both.tolist() == [[[1.0, 6.0], [1.0, 8.25]]]  # a_1 is read from x, not from what was added
    assert add_feature(sae, 1, 4.0).norm == 4.0


def test_adding_the_missing_amount_is_the_clamp(sae, x):
    """x + (v - a_f(x)) d_f at one position: the clamp, written as a vector."""
    feature = int(sae.encode(x)[0, 4].argmax())
    own = float(sae.activations_of(x, [feature])[0, 4, 0].detach())
    assert own > 0
    here = x[:1, 4:5]
    added = intervention_edit(sae, [add_feature(sae, feature, 6.0 - own)])(here, 0)
    torch.testing.assert_close(added, clamp_edit(sae, [Clamp(feature, 6.0)])(here, 0), atol=1e-5, rtol=0)


def test_the_mean_difference_is_that_of_the_last_tokens(model):
    positive, negative = ["The fog is red", "The bay"], ["The cold bridge", "is", "The fog"]

    def last(text):  # a pass of its own, read by the classic cache of the whole text
        return model.activations(model.tokens(text), HOOK)[0, -1].double().numpy()

    expected = np.mean([last(t) for t in positive], 0) - np.mean([last(t) for t in negative], 0)
    for where in (HOOK, site(model, HOOK)):
        steer = mean_difference(model, where, positive, negative)
        np.testing.assert_allclose(steer.vector, expected, atol=1e-6)
        assert steer.scale == 1 and steer.norm == pytest.approx(np.linalg.norm(expected), rel=1e-6)
    opposite = mean_difference(model, HOOK, negative, positive)
    np.testing.assert_allclose(opposite.vector, -expected, atol=1e-6)
    for bad in (([], negative), (positive, []), ("The fog", negative)):
        with pytest.raises(ValueError, match="give a list of at least one"):
            mean_difference(model, HOOK, *bad)
    with pytest.raises(ValueError, match="unknown hook"):
        mean_difference(model, "blocks.0.resid", positive, negative)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**31), scale=st.floats(-50, 50), n=st.integers(2, 300), length=st.floats(1e-3, 1e3))
def test_noise_has_the_length_asked_and_is_the_seeds(seed, scale, n, length):
    steer = Steer((length, *[0.0] * (n - 1)), scale, 3)
    noise = noise_like(steer, seed)
    assert noise.norm == pytest.approx(steer.norm, rel=1e-5, abs=1e-12)
    assert (noise.scale, noise.scope) == (steer.scale, 3)
    assert noise == noise_like(steer, seed) != noise_like(steer, seed + 1)


def test_noise_points_anywhere():
    """2,000 directions in 3 dimensions: the mean is within 4 standard errors, sqrt(1/3 / 2000) each, of 0."""
    vectors = np.array([noise_like(Steer((1.0, 0.0, 0.0)), seed).vector for seed in range(2000)])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert (np.abs(vectors.mean(0)) < 4 * math.sqrt(1 / 3 / 2000)).all()


def test_a_random_live_feature_is_live():
    maxima = {0: 0.0, 3: 1.0, 5: 2.0, 9: 0.0, 11: 0.5}
    found = [random_live_feature(maxima, seed, exclude=[5]) for seed in range(200)]
    assert set(found) == {3, 11} and 60 < found.count(3) < 140
    assert found == [random_live_feature(maxima, seed, exclude=[5]) for seed in range(200)]
    with pytest.raises(ValueError, match="no live feature"):
        random_live_feature({0: 0.0}, 0)


# -- what they do to an activation -----------------------------------------------------------------------------------


def test_nothing_added_changes_no_bit(sae, x):
    x[0, 0, 0] = -0.0
    zero = replace(add_feature(sae, 5), scale=0.0)
    assert torch.equal(intervention_edit(sae, [zero])(x, 0), x)
    assert torch.signbit(intervention_edit(sae, [zero])(x, 0)[0, 0, 0])
    late = replace(add_feature(sae, 5, 9.0), scope=7)
    moved = intervention_edit(sae, [late])(x, 0)
    assert torch.equal(moved[:, :7], x[:, :7]) and not torch.equal(moved[:, 7:], x[:, 7:])


@pytest.mark.parametrize(
    ("scope", "covers"), [("all", {0, 1, 2, 3, 4}), ("prompt", {0, 1, 2}), ("generated", {3, 4}), (4, {4})]
)
def test_a_scope_covers_its_positions(sae, x, scope, covers):
    x = x[:, :5]
    edit = intervention_edit(sae, [replace(add_feature(sae, 2, 3.0), scope=scope)], n_prompt=3)
    moved = edit(x, 0)
    assert {t for t in range(5) if not torch.equal(moved[:, t], x[:, t])} == covers
    pieces = [edit(x[:, :3], 0), edit(x[:, 3:4], 3), edit(x[:, 4:], 4)]
    assert torch.equal(torch.cat(pieces, 1), moved)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data(), each=st.integers(1, 3), start=st.integers(0, 5))
def test_each_row_gets_its_own_intervention(data, each, start):
    """Rows of clamps, vectors and nothing, each held to the same intervention alone; clean rows keep their bits."""
    for architecture in ARCHITECTURES:
        sae = random_sae(architecture, ActivationSite("tiny", HOOK, 32, scale=1.7))
        scopes = st.sampled_from(["all", "prompt", "generated", 4])
        value = st.floats(-10, 10, width=32)
        one = st.one_of(
            st.none(),
            st.builds(Clamp, st.integers(0, 47), value, scopes),
            st.builds(lambda f, v, s, sae=sae: add_feature(sae, f, v, s), st.integers(0, 47), value, scopes),
        )
        several = st.lists(one.filter(lambda o: o is not None), max_size=3)  # of one feature at one place, at times
        rows = data.draw(st.lists(st.one_of(one, several), min_size=1, max_size=5))
        x = torch.randn(len(rows) * each, 4, 32, generator=torch.Generator().manual_seed(5))
        moved = row_edit(sae, rows, n_prompt=3)(x, start)
        for r, intervention in enumerate(rows):
            part = slice(r * each, (r + 1) * each)
            if not intervention:
                assert torch.equal(moved[part], x[part])
            else:
                own = intervention if isinstance(intervention, list) else [intervention]
                alone = intervention_edit(sae, own, n_prompt=3)(x[part], start)
                torch.testing.assert_close(moved[part], alone, atol=1e-5, rtol=1e-5)


def test_what_does_not_fit_is_refused(sae):
    for edit in (intervention_edit, row_edit):
        with pytest.raises(ValueError, match=r"3 wide.*reads 32"):
            edit(sae, [Steer((1.0, 2.0, 3.0), name="short")])
        with pytest.raises(ValueError, match="feature 48 does not exist: this SAE has features 0 to 47"):
            edit(sae, [Clamp(48, 1.0)])
    with pytest.raises(ValueError, match="feature -1 does not exist"):
        add_feature(sae, -1)
    for bad in ((), (math.nan,), (1e39,)):
        with pytest.raises(ValueError, match="must hold at least one number"):
            Steer(bad)
    with pytest.raises(ValueError, match=r"unknown scope .* nearest: .* Give .all."):
        Steer((1.0,), scope="some")


# -- in a text -------------------------------------------------------------------------------------------------------


def test_a_steerer_takes_both_and_greedy_text_is_that_of_whole_passes(model, sae):
    steer = Steerer(model, sae)
    mixed = [Clamp(12, 6.0), noise_like(add_feature(sae, 5, 4.0, "generated"), 4)]
    prompt = model.tokens(PROMPT)
    edit = Edit(HOOK, intervention_edit(sae, mixed, n_prompt=len(prompt)))
    text = prompt.tolist()
    for token in steer(PROMPT, mixed, n_tokens=12, temperature=0):
        logits = model.logits(text, edit)[0, -1].double()
        clean = model.logits(text)[0, -1].double()
        p, q = logits.log_softmax(-1), clean.log_softmax(-1)
        assert token.id == int(logits.argmax())
        assert token.kl == pytest.approx(float((p.exp() * (p - q)).sum()), abs=1e-5)
        text.append(token.id)
    assert len(text) == len(prompt) + 12


def test_what_is_measured_after_the_clamp(model, sae):
    """Against passes of the whole text, and numpy: the feature read again at its site, its direction's share later on."""
    steer = Steerer(model, sae)
    later = "blocks.1.hook_resid_post"
    clamps = [Clamp(3, 6.0, "generated")]
    written = list(steer(PROMPT, clamps, n_tokens=3, temperature=0))
    found = steer.measure(PROMPT, clamps, [3, 8], tokens=written)
    ids = [*model.tokens(PROMPT).tolist(), *(t.id for t in written)]
    n_prompt = len(ids) - 3
    assert list(found.columns) == ["feature", "hook_name", "measure", "position", "token", "default", "clamped"]
    assert len(found) == 2 * 2 * len(ids)
    edit = clamp_edit(sae, clamps, n_prompt=n_prompt)
    x = {name: model.activations(ids, name) for name in (HOOK, later)}
    seen = {}
    model.logits(ids, Edit(HOOK, lambda a, start: seen.setdefault(HOOK, edit(a, start))))
    for f in (3, 8):
        d = sae.decoder_directions[f].double().numpy()
        own_rows = found[(found["feature"] == f) & (found["hook_name"] == HOOK)]
        assert set(own_rows["measure"]) == {"activation"}
        np.testing.assert_allclose(own_rows["default"], sae.encode(x[HOOK])[0, :, f].detach().numpy(), atol=1e-4)
        np.testing.assert_allclose(own_rows["clamped"], sae.encode(seen[HOOK])[0, :, f].detach().numpy(), atol=1e-4)
        up = found[(found["feature"] == f) & (found["hook_name"] == later)]
        assert set(up["measure"]) == {"projection"}
        np.testing.assert_allclose(up["default"], x[later][0].double().numpy() @ d / (d @ d), atol=1e-4)
        assert up["default"].to_numpy()[:n_prompt] == pytest.approx(up["clamped"].to_numpy()[:n_prompt], abs=1e-5)
        assert np.abs(up["default"].to_numpy()[n_prompt:] - up["clamped"].to_numpy()[n_prompt:]).max() > 1e-2
    with pytest.raises(ValueError, match="unknown hook"):
        steer.measure(PROMPT, clamps, [3], ["blocks.0.hook_nothing"])
    with pytest.raises(ValueError, match="is 128 wide"):
        steer.measure(PROMPT, clamps, [3], ["blocks.0.mlp.hook_post"])
    with pytest.raises(ValueError, match="feature 48 does not exist"):
        steer.measure(PROMPT, clamps, [48])


def test_reading_several_sites_leaves_no_hook(model):
    names = [HOOK, "blocks.1.hook_resid_post"]
    before = sum(len(p._forward_hooks) for p in model.hooked.modules())
    found = model.read(PROMPT_IDS, names, Edit(HOOK, lambda a, start: a + 1.0))
    torch.testing.assert_close(found[HOOK], model.activations(PROMPT_IDS, HOOK) + 1.0)
    torch.testing.assert_close(model.read(PROMPT_IDS, names)[names[1]], model.activations(PROMPT_IDS, names[1]))

    def broken(a, start):
        raise ArithmeticError

    for bad in (lambda: model.read(PROMPT_IDS, names, Edit(HOOK, broken)), lambda: model.read(PROMPT_IDS, ["nowhere"])):
        with pytest.raises((ArithmeticError, ValueError)):
            bad()
    assert sum(len(p._forward_hooks) for p in model.hooked.modules()) == before


PROMPT_IDS = [0, 5, 9, 33]


def test_the_records_go_through_json_and_code(sae):
    steer = add_feature(sae, 3, 2.5, "generated")
    text = Generation("Hi", (Token(1, "a", -0.5, 0.0),), (Clamp(3, 1.0), steer), 4, 0.8)
    assert Generation.from_dict(text.to_dict()) == text
    code = clamp_code("Hi", text.clamps, n_tokens=5, seed=4, temperature=0.8)
    listed = code[code.index("[") : code.index("], n_tokens") + 1]
    import saewidgets as sw

    assert eval(listed, {"sw": sw, "sae": sae}) == [Clamp(3, 1.0), replace(steer, origin="")]
    assert "sw.load_model(), sw.load_sae()\n" in code
    own = clamp_code("Hi", (), n_tokens=5, seed=4, temperature=0.8, model_name="gpt2", sae_name="miniworld-512")
    assert "sw.load_model('gpt2'), sw.load_sae('miniworld-512')\n" in own
    bare = clamp_code("Hi", [noise_like(steer, 1)], n_tokens=5, seed=4, temperature=0.8)
    listed = bare[bare.index("[") : bare.index("], n_tokens") + 1]
    assert eval(listed, {"sw": sw})[0].vector == noise_like(steer, 1).vector


def test_no_fixed_vector_stands_for_a_feature_of_normalized_inputs():
    sae = SAE(SAEConfig(d_in=32, d_sae=48, input_normalization="layer_norm"))
    with pytest.raises(ValueError, match="no fixed vector under layer_norm: use a Clamp"):
        add_feature(sae, 1)
