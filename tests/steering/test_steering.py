"""The clamp does what its equation says, where its scope says, and nothing else: over both classes and all
architectures.
"""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.models import Edit, load_model, site
from saewidgets.records import TEMPERATURE, ActivationSite, Clamp
from saewidgets.sae import ARCHITECTURES, SAE, SAEConfig
from saewidgets.steering import Steerer, clamp_edit, edits
from saewidgets.steering.edits import row_edit

pytestmark = pytest.mark.usefixtures("unexamined")

HOOK = "blocks.0.hook_resid_post"
PROMPT = "The bridge over the bay"
BACKENDS = ["hooked", "bridge"]


def random_sae(architecture: str, own: ActivationSite, seed: int = 0) -> SAE:
    """Weights that no training made, with a scale that is not 1, so that a forgotten factor shows."""
    sae = SAE(SAEConfig(d_in=own.d_in, d_sae=64, architecture=architecture, k=6, site=own))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
        for name in {"b_enc", "b_gate", "b_mag"} & set(sae.weights):
            sae.weights[name].sub_(1.0)
        if "threshold" in sae.weights:
            sae.weights["threshold"].copy_(torch.rand(64, generator=generator))
    return sae


@pytest.fixture(scope="module", params=BACKENDS)
def model(request, tiny_folder):
    return load_model(tiny_folder, backend=request.param)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def sae(request, model):
    return random_sae(request.param, site(model, HOOK, scale=1.7))


@pytest.fixture(scope="module")
def steer(model, sae):
    return Steerer(model, sae)


def active(model, sae, tokens) -> torch.Tensor:
    """[pos, d_sae], the activations on these tokens."""
    with torch.no_grad():
        return sae.encode(model.activations(tokens, HOOK))[0]


def strongest(model, sae, prompt: str = PROMPT) -> int:
    """A feature that is on at some position and off at another."""
    a = active(model, sae, model.tokens(prompt))
    mixed = (a > 0).any(0) & (a == 0).any(0)
    return int((a.amax(0) * mixed).argmax())


# -- the equation ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=[*ARCHITECTURES, "layer_norm", "unit_norm"])
def each(request):
    """An SAE of every architecture, and of every input normalization."""
    if request.param in ARCHITECTURES:
        return random_sae(request.param, ActivationSite("none", "none", 32, scale=1.7))
    sae = random_sae("topk", ActivationSite("none", "none", 32))
    config = replace(sae.config, input_normalization=request.param)
    return SAE.from_weights(config, {name: weight.detach() for name, weight in sae.weights.items()})


@pytest.fixture
def x():
    return 2 * torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(8)) + 0.5


def test_the_equation_in_float64(each, x):
    """x + sum (v - a) d, worked out by numpy from the weights, for two features at once."""
    sae, f, g = each, int(each.encode(x).mean((0, 1)).argmax()), 5
    assert 0 < float((sae.encode(x) > 0).float().mean()) < 0.9
    found = clamp_edit(sae, [Clamp(f, 3.0), Clamp(g, -1.5)])(x, 0)
    rows = row_edit(sae, [Clamp(f, 3.0), Clamp(f, 3.0)])(x, 0)
    found, rows, x = found.flatten(0, 1), rows.flatten(0, 1), x.flatten(0, 1)

    w = {name: weight.detach().double().numpy() for name, weight in sae.weights.items()}
    x = x.double().numpy()
    z, unit = 1.7 * x, 1 / 1.7
    if sae.config.input_normalization == "layer_norm":
        unit = x.std(-1, ddof=1, keepdims=True)
        z = (x - x.mean(-1, keepdims=True)) / (unit + 1e-5)
    elif sae.config.input_normalization == "unit_norm":
        unit = np.linalg.norm(x, axis=-1, keepdims=True) / 32**0.5
        z = x / unit
    if sae.config.architecture not in ("relu", "jumprelu"):
        z = z - w["b_dec"]
    if sae.config.architecture == "gated":
        gate, magnitude = z @ w["W_enc"] + w["b_gate"], z @ (w["W_enc"] * np.exp(w["r_mag"])) + w["b_mag"]
        a = np.where(gate > 0, np.maximum(magnitude, 0), 0)
    else:
        pre = z @ w["W_enc"] + w["b_enc"]
        a = np.maximum(pre, 0)
        if sae.config.architecture == "topk":
            a[pre < np.sort(pre, axis=1)[:, [-6]]] = 0
        elif sae.config.architecture != "relu":
            a[pre <= w["threshold"]] = 0
    first = x + (3.0 - a[:, [f]]) * w["W_dec"][f] * unit
    expected = first + (-1.5 - a[:, [g]]) * w["W_dec"][g] * unit
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)
    np.testing.assert_allclose(rows.numpy(), first, atol=2e-5)


def test_no_change_keeps_every_bit_in_every_architecture(each, x):
    """At every vector and for every feature: its own value, and ablating what is off."""
    x = x.flatten(0, 1)
    for row in x:
        vector = row[None, None]
        own = each.activations_of(vector, range(64))[0, 0].tolist()
        assert any(own) and not all(own)
        for feature, value in enumerate(own):
            assert torch.equal(clamp_edit(each, [Clamp(feature, each_own(each, vector, feature))])(vector, 0), vector)
            if value == 0:
                assert torch.equal(clamp_edit(each, [Clamp(feature, 0.0)])(vector, 0), vector)
        several = [f for f, value in enumerate(own) if value == 0]
        assert torch.equal(clamp_edit(each, [Clamp(f, 0.0) for f in several])(vector, 0), vector)
        assert not torch.equal(clamp_edit(each, [Clamp(max(range(64), key=own.__getitem__), 0.0)])(vector, 0), vector)


def each_own(sae, x, feature):
    """A feature's activation as read alone: a product over other columns may round otherwise."""
    return float(sae.activations_of(x, [feature])[0, 0, 0].detach())


def test_a_clamped_relu_feature_reads_as_its_value_where_directions_are_apart():
    """With orthonormal W_enc = W_dec^T, encoding x' gives back the value that was set, and every other feature
    unchanged.
    """
    own = ActivationSite("none", "none", 32, scale=0.5)
    sae = SAE(SAEConfig(d_in=32, d_sae=32, site=own))
    basis = torch.linalg.qr(torch.randn(32, 32, generator=torch.Generator().manual_seed(0)))[0]
    with torch.no_grad():
        sae.W_enc.copy_(basis), sae.W_dec.copy_(basis.T)
        x = torch.randn(2, 7, 32, generator=torch.Generator().manual_seed(1))
        before, after = sae.encode(x), sae.encode(clamp_edit(sae, [Clamp(4, 2.5)])(x, 0))
    others = [f for f in range(32) if f != 4]
    on = before[..., 4] > 0  # where the feature is off, its negative pre-activation stays below the value
    torch.testing.assert_close(after[..., 4][on], torch.full_like(after[..., 4][on], 2.5))
    torch.testing.assert_close(after[..., others], before[..., others], atol=1e-5, rtol=0)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(v=st.floats(-20, 20, width=32), w=st.floats(-20, 20, width=32), f=st.integers(0, 63), g=st.integers(0, 63))
def test_clamps_are_linear_commute_and_the_later_one_rules(v, w, f, g):
    for architecture in ARCHITECTURES:
        sae = random_sae(architecture, ActivationSite("none", "none", 32, scale=1.7))
        x = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(2))

        def run(*clamps, sae=sae, x=x):
            return clamp_edit(sae, clamps)(x, 0)

        step = (run(Clamp(f, v)) - run(Clamp(f, w))).double()
        expected = (v - w) * sae.decoder_directions[f].double()
        torch.testing.assert_close(step, expected.expand_as(step), atol=1e-4, rtol=1e-5)
        if f != g:
            torch.testing.assert_close(
                run(Clamp(f, v), Clamp(g, w)), run(Clamp(g, w), Clamp(f, v)), atol=1e-4, rtol=1e-5
            )
        assert torch.equal(run(Clamp(f, v), Clamp(f, w)), run(Clamp(f, w)))


# -- nothing changes where nothing was asked -------------------------------------------------------------------------


def test_clamping_to_its_own_value_changes_no_bit(model, sae):
    """At the last position of every prefix, for every feature, on and off: the logits keep all their bits."""
    tokens = model.tokens(PROMPT)
    for n in range(1, len(tokens) + 1):
        clean, x = model.logits(tokens[:n]), model.activations(tokens[:n], HOOK)
        for feature in (*range(0, 64, 7), strongest(model, sae)):
            own = float(sae.activations_of(x, [feature])[0, -1, 0].detach())
            edit = Edit(HOOK, clamp_edit(sae, [Clamp(feature, own, scope=n - 1)]))
            assert torch.equal(model.logits(tokens[:n], edit), clean)
        several = list(range(20, 40))
        values = sae.activations_of(x, several)[0, -1].tolist()
        clamps = [Clamp(f, v, scope=n - 1) for f, v in zip(several, values, strict=True)]
        assert torch.equal(model.logits(tokens[:n], Edit(HOOK, clamp_edit(sae, clamps))), clean)


def test_ablating_what_is_off_changes_no_bit(model, sae):
    tokens = model.tokens(PROMPT)
    clean = model.logits(tokens)
    off = torch.nonzero(active(model, sae, tokens).amax(0) == 0).flatten().tolist()
    assert len(off) >= 5
    for feature in off:
        assert torch.equal(model.logits(tokens, Edit(HOOK, clamp_edit(sae, [Clamp(feature, 0.0)]))), clean)
    together = Edit(HOOK, clamp_edit(sae, [Clamp(feature, 0.0) for feature in off]))
    assert torch.equal(model.logits(tokens, together), clean)
    on = Edit(HOOK, clamp_edit(sae, [Clamp(strongest(model, sae), 0.0)]))
    assert not torch.equal(model.logits(tokens, on), clean)


@pytest.mark.parametrize("use_decoder", [True, False])
@pytest.mark.parametrize("kl", [True, False])
def test_a_text_under_a_clamp_that_changes_nothing_keeps_every_bit(model, sae, steer, monkeypatch, use_decoder, kl):
    """Token by token with the key-value cache: features ablated that are off in the whole text, and one set to its own
    value.
    """
    monkeypatch.setattr(model, "use_decoder", use_decoder)
    n, prompt = 8, model.tokens(PROMPT)
    plain = list(model.stream(prompt, n_tokens=n, seed=4))
    text = [*prompt.tolist(), *(t for t, *_ in plain)]
    a = active(model, sae, torch.tensor(text[:-1]))
    off = torch.nonzero(a.amax(0) == 0).flatten().tolist()
    assert len(plain) == n and len(off) >= 1
    clamps = [
        Clamp(feature, 0.0, scope) for feature, scope in zip(off, ("all", "prompt", "generated", 7), strict=False)
    ]
    edit = Edit(HOOK, clamp_edit(sae, clamps, n_prompt=len(prompt)))
    found = list(model.stream(prompt, n_tokens=n, seed=4, edit=edit, reference=kl and use_decoder))
    for (token, logprob, logits), (other, its, clean) in zip(found, plain, strict=True):
        assert (token, logprob) == (other, its)
        assert torch.equal(logits[0] if kl and use_decoder else logits, clean)
    tokens = list(steer(PROMPT, clamps, n_tokens=n, seed=4, temperature=1.0, kl=kl))
    assert [t.id for t in tokens] == [t for t, *_ in plain]
    if kl:
        assert [t.kl for t in tokens] == ([0.0] * n if use_decoder else [pytest.approx(0, abs=1e-9)] * n)


@pytest.mark.parametrize("use_decoder", [True, False])
def test_in_a_text_too_its_own_value_changes_no_bit(model, sae, monkeypatch, use_decoder):
    """The value is read from the very activation that the loop edits, on a prompt and again on the token after it."""
    monkeypatch.setattr(model, "use_decoder", use_decoder)
    prompt, seen = model.tokens(PROMPT), {}

    def look(x, start):
        seen[start] = x.clone()
        return x

    plain = list(model.stream(prompt, n_tokens=2, seed=4, edit=Edit(HOOK, look)))
    for start, position in ((0, len(prompt) - 1), (len(prompt), len(prompt))):
        for feature in (*range(0, 64, 9), strongest(model, sae)):
            own = float(sae.activations_of(seen[start], [feature])[0, -1, 0].detach())
            edit = Edit(HOOK, clamp_edit(sae, [Clamp(feature, own, scope=position)]))
            found = list(model.stream(prompt, n_tokens=2 if start else 1, seed=4, edit=edit))
            assert all(torch.equal(a[2], b[2]) for a, b in zip(found, plain, strict=False))


def test_a_negative_zero_keeps_its_sign():
    sae = random_sae("relu", ActivationSite("none", "none", 32))
    with torch.no_grad():
        sae.b_enc.fill_(-1e6)
    x = torch.full((1, 1, 32), -0.0)
    assert torch.signbit(clamp_edit(sae, [Clamp(1, 0.0)])(x, 0)).all()


def test_the_sae_and_the_model_are_as_before(model, sae, steer):
    weights = [p.clone() for p in (*model.hooked.parameters(), *sae.parameters())]
    state = torch.get_rng_state()
    steer.generate(PROMPT, [Clamp(3, 9.0)], n_tokens=5, seed=4)
    steer.perplexity(PROMPT, " is red", [Clamp(3, 9.0)])
    assert all(torch.equal(a, b) for a, b in zip(weights, (*model.hooked.parameters(), *sae.parameters()), strict=True))
    assert torch.equal(torch.get_rng_state(), state)


# -- scopes ----------------------------------------------------------------------------------------------------------

SCOPES = {
    "all": set(range(12)),
    "prompt": set(range(5)),
    "generated": set(range(5, 12)),
    0: set(range(12)),
    7: set(range(7, 12)),
    "token 7": {7},
    "token 0": {0},
}


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_a_scope_covers_its_positions_and_no_other(sae, scope):
    """12 positions, the first 5 of them the prompt; whole, and in the pieces that a key-value cache would show."""
    x = torch.randn(2, 12, 32, generator=torch.Generator().manual_seed(3))
    edit = clamp_edit(sae, [Clamp(2, 50.0, scope=scope)], n_prompt=5)
    moved = edit(x, 0)
    assert {t for t in range(12) if not torch.equal(moved[:, t], x[:, t])} == SCOPES[scope]
    for cuts in ([0, 5, 6, 7, 8, 9, 10, 11, 12], [0, 3, 12]):
        pieces = [edit(x[:, a:b], a) for a, b in pairwise(cuts)]
        torch.testing.assert_close(torch.cat(pieces, 1), moved, atol=1e-5, rtol=0)


def test_two_scopes_of_one_feature(sae):
    x = torch.randn(1, 12, 32, generator=torch.Generator().manual_seed(3))
    both = clamp_edit(sae, [Clamp(2, 50.0, "prompt"), Clamp(2, -50.0, "generated")], n_prompt=5)(x, 0)
    torch.testing.assert_close(both[:, :5], clamp_edit(sae, [Clamp(2, 50.0)])(x, 0)[:, :5], atol=1e-5, rtol=0)
    torch.testing.assert_close(both[:, 5:], clamp_edit(sae, [Clamp(2, -50.0)])(x, 0)[:, 5:], atol=1e-5, rtol=0)


@pytest.mark.parametrize("scope", ["all", "prompt", "generated", 7, "token 3"])
def test_greedy_text_is_the_same_with_and_without_the_cache(model, sae, steer, scope):
    clamps = [Clamp(strongest(model, sae), 30.0, scope), Clamp(9, 0.0, scope)]
    prompt = model.tokens(PROMPT)
    cached = list(steer(PROMPT, clamps, n_tokens=25, temperature=0))
    assert len(cached) == 25
    edit = Edit(HOOK, clamp_edit(sae, clamps, n_prompt=len(prompt)))
    text = prompt.tolist()
    for token in cached:
        clamped, clean = (model.logits(text, e)[0, -1].double() for e in (edit, None))
        p, q = clamped.log_softmax(-1), clean.log_softmax(-1)
        assert token.id == int(clamped.argmax())
        assert token.logprob == pytest.approx(float(p[token.id]), abs=1e-5)
        assert token.kl == pytest.approx(float((p.exp() * (p - q)).sum()), abs=1e-5)
        text.append(token.id)


# -- streams ---------------------------------------------------------------------------------------------------------


def test_one_seed_one_text_and_common_luck(model, sae, steer):
    def ids(clamps=(), **options):
        return [t.id for t in steer(PROMPT, clamps, n_tokens=12, **options)]

    clamp = [Clamp(strongest(model, sae), 20.0)]
    assert ids(clamp, seed=5) == ids(clamp, seed=5)
    assert ids(clamp, seed=5) != ids(clamp, seed=6)
    assert ids(clamp, seed=5, kl=False) == ids(clamp, seed=5)
    assert ids(clamp, seed=5) != ids(seed=5)
    late = [Clamp(clamp[0].feature, 20.0, scope=len(model.tokens(PROMPT)) + 4)]
    for seed in range(5):  # until the clamp sets in, the two texts are one
        assert ids(late, seed=seed)[:5] == ids(seed=seed)[:5]


def test_a_token_says_what_was_measured(model, sae, steer):
    clean = steer.generate(PROMPT, n_tokens=6, seed=1)
    clamped = steer.generate(PROMPT, [Clamp(strongest(model, sae), 40.0)], n_tokens=6, seed=1)
    unmeasured = list(steer(PROMPT, [Clamp(1, 4.0)], n_tokens=3, kl=False))
    assert [t.kl for t in clean.tokens] == [0.0] * 6
    assert all(t.kl > 0 for t in clamped.tokens)
    assert all(math.isnan(t.kl) for t in unmeasured)
    assert (clamped.prompt, clamped.seed, clamped.temperature) == (PROMPT, 1, TEMPERATURE)
    ids = [t.id for t in clamped.tokens]
    assert model.vocabulary.decode(ids).startswith(clamped.text)


def test_perplexity_is_that_of_the_tokens_written(model, sae, steer):
    clamps = [Clamp(strongest(model, sae), 10.0, "generated")]
    ids = model.tokens(" is red and cold", prepend_bos=False)
    text = model.tokens(PROMPT).tolist()
    nll = []
    for token in ids.tolist():
        edit = Edit(HOOK, clamp_edit(sae, clamps, n_prompt=len(model.tokens(PROMPT))))
        nll.append(-float(model.logits(text, edit)[0, -1].log_softmax(-1)[token]))
        text.append(token)
    assert steer.perplexity(PROMPT, " is red and cold", clamps) == pytest.approx(
        math.exp(sum(nll) / len(nll)), rel=1e-4
    )
    assert steer.perplexity(PROMPT, " is red and cold") != pytest.approx(math.exp(sum(nll) / len(nll)), rel=1e-4)
    with pytest.raises(ValueError, match="at least one token"):
        steer.perplexity(PROMPT, "")


def test_the_room_after_a_prompt_is_what_can_be_written(model, steer):
    whole = model.tokens(PROMPT)
    ids = whole.repeat(model.n_ctx)[: model.n_ctx - 3]
    assert steer.room(ids) == 4
    assert len(steer.generate(ids, n_tokens=50).tokens) == 4
    assert steer.room(PROMPT) == model.n_ctx - len(whole) + 1
    with pytest.raises(ValueError, match="do not fit"):
        steer.room(whole.repeat(model.n_ctx))


def test_cancel_stops_before_the_next_token(steer):
    for n in range(5):
        got = []
        for token in steer(PROMPT, [Clamp(1, 3.0)], n_tokens=30, cancel=lambda got=got, n=n: len(got) >= n):
            got.append(token)
        assert len(got) == n


def test_two_clamps_at_once_do_not_mix(model, sae, steer):
    jobs = {value: [Clamp(strongest(model, sae), value)] for value in (0.0, 25.0)}
    alone = {value: steer.generate(PROMPT, clamps, n_tokens=15, seed=2) for value, clamps in jobs.items()}
    found: dict[float, list] = {value: [] for value in jobs}

    def work(value):
        found[value] += [steer.generate(PROMPT, jobs[value], n_tokens=15, seed=2) for _ in range(4)]

    threads = [threading.Thread(target=work, args=(value,)) for value in jobs]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert alone[0.0].tokens != alone[25.0].tokens
    assert found == {value: [alone[value]] * 4 for value in jobs}


# -- refusals --------------------------------------------------------------------------------------------------------


def test_an_sae_from_elsewhere_is_refused(model, sae):
    own = sae.config.site
    unknown = {"fingerprint": ()}  # the embedding of this very model would say that it is the same, whatever its name
    for change, phrase, cure in (
        ({"model_name": "gpt2"} | unknown, "model_name: gpt2, not tiny", r"sw.load_model\('gpt2', weight"),
        ({"weight_processing": "folded"}, "weight_processing: folded, not none", "weight_processing='folded'"),
        ({"prepend_bos": False}, "prepend_bos: False, not True", "model.prepend_bos = False"),
    ):
        other = SAE(replace(sae.config, site=replace(own, **change)))
        with pytest.raises(ValueError, match=rf"trained in other coordinates .*{phrase}.*; type .*{cure}"):
            Steerer(model, other)
    narrow = SAE(SAEConfig(d_in=16, d_sae=8, site=replace(own, d_in=16)))
    with pytest.raises(ValueError, match="d_in: 16, not 32"):
        Steerer(model, narrow)
    astray = SAE(replace(sae.config, site=replace(own, hook_name="blocks.7.hook_resid_post")))
    with pytest.raises(ValueError, match=r"^unknown hook 'blocks.7.hook_resid_post'; nearest: blocks"):
        Steerer(model, astray)
    with pytest.raises(ValueError, match="does not say where it reads"):
        Steerer(model, SAE(SAEConfig(d_in=32, d_sae=8)))


def test_a_feature_outside_the_sae_is_refused_at_the_call(steer):
    for ask in (
        lambda: steer(PROMPT, [Clamp(64, 1.0)]),
        lambda: steer.perplexity(PROMPT, " red", [Clamp(64, 1.0)]),
        lambda: clamp_edit(steer.sae, [Clamp(64, 1.0)]),
    ):
        with pytest.raises(ValueError, match="feature 64 does not exist: this SAE has features 0 to 63"):
            ask()
    with pytest.raises(ValueError, match="tokens do not fit"):
        steer("\0" * 100)
    with pytest.raises(ValueError, match="temperature"):
        steer(PROMPT, temperature=-1)


# -- reading less ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subtracts", [True, False])
@pytest.mark.parametrize("n_features", [1, 3])
def test_a_feature_that_is_surely_off_is_read_without_the_others(monkeypatch, subtracts, n_features):
    """Bit for bit what the whole encoder gives, at every distance from 0; and the whole of it is read only where it
    must be.
    """
    config = SAEConfig(d_in=24, d_sae=64, architecture="topk", k=5, apply_b_dec_to_input=subtracts)
    sae = SAE(config).requires_grad_(False)
    generator = torch.Generator().manual_seed(2)
    for bias in (sae.b_enc, sae.b_dec):
        bias.copy_(torch.randn(bias.shape, generator=generator) * 0.2)
    monkeypatch.setattr(edits, "LARGE_ENCODER", 0)
    features = [7, 11, 40][:n_features]
    read, whole = edits._reader(sae, features), []
    encode = SAE.encode_sparse
    monkeypatch.setattr(SAE, "encode_sparse", lambda self, x: whole.append(len(x)) or encode(self, x))
    for i in range(300):
        x = torch.randn(1, 1, 24, generator=generator) * 10.0 ** float(torch.randint(-3, 4, (1,), generator=generator))
        if i % 3 == 0:  # on the feature's boundary, up to rounding
            z = sae.scale * x - sae.b_dec if subtracts else sae.scale * x
            w = sae.W_enc[:, 7]
            x = x - ((z @ w + sae.b_enc[7]) / (w @ w))[..., None] * w
        found = read(x)
        assert torch.equal(found, sae.activations_of(x, features))
    assert 0 < len(whole) < 300
    surely_off = -50.0 * sae.W_enc[:, features].sum(-1)[None, None]
    whole.clear()
    assert not read(surely_off).any() and not whole


CHANGES = {
    "in place": lambda w: w.mul_(-1.0),
    "through data": lambda w: w.data.mul_(-1.0),
    "through numpy": lambda w: np.negative(w.numpy(), out=w.numpy()),
    "data replaced": lambda w: setattr(w, "data", -w.data),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_slider_that_moves_reads_the_prompt_once_and_a_changed_sae_again(tiny_model, monkeypatch, change):
    """On the prompt the features are what they were; after it, under another prompt and under other weights they are
    not.
    """
    config = SAEConfig(d_in=32, d_sae=64, architecture="topk", k=6, site=site(tiny_model, HOOK))
    sae = SAE(config).requires_grad_(False)
    feature = int(active(tiny_model, sae, [0, 9, 8])[-1].argmax())
    steer, prompts, read = Steerer(tiny_model, sae), [], SAE.encode_sparse
    monkeypatch.setattr(
        SAE, "encode_sparse", lambda self, x: (x.shape[1] > 1 and prompts.append(x.shape[1])) or read(self, x)
    )

    def logits(value, prompt, steerer):
        edit = steerer._edit([Clamp(feature, value)], len(prompt))
        return [step for *_, step in tiny_model.stream(prompt, n_tokens=3, temperature=0, edit=edit)]

    def same(value, prompt):
        fresh = logits(value, prompt, Steerer(tiny_model, sae))
        assert all(torch.equal(a, b) for a, b in zip(logits(value, prompt, steer), fresh, strict=True))

    logits(9.0, [0, 9, 8], steer)  # the site is tried on first use
    prompts.clear()
    for value in (3.0, 4.0, -5.0):
        logits(value, [0, 9, 8], steer)
    assert prompts == []
    for value, prompt in ((4.0, [0, 9, 8]), (4.0, [0, 9, 7, 5]), (4.0, [0, 9, 8]), (0.0, [0, 9, 8])):
        same(value, prompt)
    before = logits(1.0, [0, 9, 8], steer)
    CHANGES[change](sae.W_enc)
    same(1.0, [0, 9, 8])
    assert not torch.equal(logits(1.0, [0, 9, 8], steer)[0], before[0])
