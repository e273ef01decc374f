"""The decoder computes the common families part by part: with any part taken away it gives something else, and is not
proven.
"""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace

import pytest
import torch
from families import ARCHITECTURES, make

from saewidgets.decoder import Decoder, DecoderParts, Linear, Rotary, attention, engine, joined, proven
from saewidgets.models import Edit, Model, layouts
from saewidgets.models.decoders import decoder_of
from saewidgets.models.layouts import laid_out

GPT2 = {
    "vocab_size": 320, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 96, "bos_token_id": 0, "eos_token_id": 0,
    "scale_attn_by_inverse_layer_idx": True, "tie_word_embeddings": False,
}  # fmt: skip
FAMILIES = {"gpt2": ("GPT2Config", GPT2), **{name: case[:2] for name, case in ARCHITECTURES.items()}}
IDS = torch.randint(1, 320, (2, 72), generator=torch.Generator().manual_seed(2))
PLACES = ("hook_resid_pre", "hook_attn_out", "hook_resid_mid", "hook_mlp_out", "hook_resid_post")


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def family(request):
    """(name, Model, its decoder, transformers' logits of `IDS`, its greedy text after 20 of them)."""
    config, settings = FAMILIES[request.param]
    theirs = make(config, settings)
    with torch.no_grad():
        logits = theirs(IDS).logits
        text = theirs.generate(IDS[:1, :20], max_new_tokens=24, do_sample=False, eos_token_id=None)[0, 20:].tolist()
    model = Model(theirs)
    model.eos_token_id = None
    decoder = decoder_of(model.hooked, model.logits, model.read)
    assert decoder is not None
    return request.param, model, decoder, logits, text


def logits_of(decoder: Decoder) -> torch.Tensor:
    with torch.no_grad():
        x = decoder.read(IDS, f"blocks.{decoder.n_layers - 1}.hook_resid_post")
        return decoder.logits(x.flatten(0, 1)).view(*IDS.shape, -1)


# -- the same numbers ------------------------------------------------------------------------------------------------


def test_logits_and_greedy_text_are_transformers(family, monkeypatch):
    _, model, decoder, logits, text = family
    torch.testing.assert_close(logits_of(decoder), logits, atol=2e-4, rtol=1e-5)

    def refuse(*args, **kwargs):
        raise AssertionError("this should have gone through the decoder")

    monkeypatch.setattr(type(model._passes.backend), "forward", refuse)
    assert [token for token, *_ in model.stream(IDS[0, :20], n_tokens=24, temperature=0)] == text


@pytest.mark.parametrize("place", PLACES)
def test_a_site_is_read_and_edited_as_the_model_does_or_left_to_it(family, place):
    _, model, decoder, _, _ = family
    name = f"blocks.1.{place}"
    if place == "hook_resid_mid" and decoder.parts.residual == "parallel":
        assert decoder.site(name) is None
        return
    found, expected = model.fast_activations(IDS, name), model.activations(IDS, name)
    assert found is not None
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-5)
    push = torch.randn(32, generator=torch.Generator().manual_seed(3))
    edit = Edit(name, lambda x, start: x + push)
    stepped = list(model.stream(IDS[0, :20], n_tokens=9, temperature=0, edit=edit, reference=True))
    whole = torch.tensor([[*IDS[0, :20].tolist(), *(token for token, *_ in stepped)]])
    for row, how in enumerate((edit, None)):
        at_once = model.logits(whole, how)[0, 19:-1]
        torch.testing.assert_close(torch.stack([logits[row] for *_, logits in stepped]), at_once, atol=1e-4, rtol=1e-4)


def test_a_pass_is_taken_up_at_the_site(family):
    _, model, _, _, _ = family
    name, prompt = "blocks.0.hook_resid_post", IDS[0, :30]
    push = torch.randn(3, 32, generator=torch.Generator().manual_seed(4))
    position = torch.tensor([2, 25, 2])
    for rows, found in model.pushed_logits(prompt, name, position, push):
        for row, logits in zip(rows.tolist(), found, strict=True):

            def pushed(x, start, row=row):
                return x.index_add(1, position[row : row + 1], push[row][None, None])

            torch.testing.assert_close(logits, model.logits(prompt, Edit(name, pushed))[0, -1], atol=1e-4, rtol=1e-4)
    x = model.activations(IDS, name) * 1.1
    row, at = torch.tensor([0, 1, 1]), torch.tensor([70, 3, 40])
    expected = model.logits(IDS, Edit(name, lambda own, start: x))[row, at]
    torch.testing.assert_close(model.resumed_logits(IDS, name, x, row, at), expected, atol=1e-4, rtol=1e-4)
    continuations = [[5, 6, 7], [9]]
    for own, logprobs in zip(continuations, model.logprobs(prompt, continuations), strict=True):
        whole = model.logits(prompt.tolist() + own)[0].double().log_softmax(-1)
        assert logprobs.tolist() == pytest.approx([float(whole[29 + i, t]) for i, t in enumerate(own)], abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_16_bits_it_is_as_near_to_transformers_as_that_is_to_float32(family, dtype, monkeypatch):
    """The models' own rounding is followed; where products are summed in another order a step of it may differ."""
    name, _, _, exact, _ = family
    monkeypatch.setattr(layouts, "SMALL", 0)  # every matrix where it lies
    theirs = make(*FAMILIES[name]).to(dtype)
    with torch.no_grad():
        expected = theirs(IDS).logits.float()
        decoder = Decoder(*laid_out(Model(theirs).hooked))
        prefixes = [decoder.residual(row.tolist(), decoder.n_layers) for row in IDS]
        found = torch.stack([decoder.logits(x) for x in prefixes])
    assert found.dtype == dtype
    assert (found.float() - expected).abs().mean() <= (expected - exact).abs().mean()
    if decoder.parts.norm == "rms":
        other = {"before gain": "after gain", "after gain": "before gain"}[decoder.parts.norm_rounds]
        changed = Decoder(replace(decoder.parts, norm_rounds=other), decoder.weights)
        assert not torch.equal(changed.logits(changed.residual(IDS[0].tolist(), 3)), found[0])


# -- each part matters -----------------------------------------------------------------------------------------------


def with_layers(weights, change):
    return replace(weights, layers=[change(layer) for layer in weights.layers])


def without_bias(name):
    def change(layer):
        old = getattr(layer, name)
        new = Linear(old.W) if isinstance(old, Linear) else tuple(Linear(linear.W) for linear in old)
        return replace(layer, **{name: new})

    return lambda parts, weights: (parts, with_layers(weights, change))


def other_heads(parts, weights):
    """The heads that have keys and values in another order."""
    width, d_kv = parts.n_heads * parts.d_head, parts.kv_heads * parts.d_head

    def change(layer):
        (own,) = layer.qkv
        order = torch.arange(own.W.shape[1])
        for start in (width, width + d_kv):
            order[start : start + d_kv] = order[start : start + d_kv].roll(parts.d_head)
        return replace(layer, qkv=(Linear(own.W[:, order], None if own.b is None else own.b[order]),))

    return parts, with_layers(weights, change)


def norms_moved(parts, weights):
    """Norms before in the place of those after, and none after in the place of those around."""
    if parts.norm_place == "around":
        bare = {"norm_attention_out": None, "norm_mlp_out": None}
        return replace(parts, norm_place="before"), with_layers(weights, lambda layer: replace(layer, **bare))

    def change(layer):
        moved = {"norm_attention": layer.norm_attention_out, "norm_mlp": layer.norm_mlp_out}
        return replace(layer, norm_attention_out=None, norm_mlp_out=None, **moved)

    return replace(parts, norm_place="before"), with_layers(weights, change)


def no_gate(parts, weights):
    def change(layer):
        W = layer.mlp_in[-1].W
        return replace(layer, mlp_in=(Linear(W[:, -layer.mlp_out.W.shape[0] :]),))

    return replace(parts, mlp="plain"), with_layers(weights, change)


def no_qk_norm(parts, weights):
    bare = {"norm_q": None, "norm_k": None}
    return replace(parts, qk_norm="none"), with_layers(weights, lambda layer: replace(layer, **bare))


def other_table(change):
    def changed(parts, weights):
        return parts, replace(weights, rotaries=[change(table, parts) for table in weights.rotaries])

    return changed


def plain_base(table, parts):
    return Rotary(10_000.0 ** -(torch.arange(0, table.d, 2) / table.d))


def whole_head(table, parts):
    return Rotary(10_000.0 ** -(torch.arange(0, parts.d_head, 2) / parts.d_head))


def set_to(**values):
    return lambda parts, weights: (replace(parts, **values), weights)


def wider(parts, weights):
    return replace(parts, windows=tuple(w and w + 1 for w in parts.windows)), weights


def no_positions(parts, weights):
    if parts.positions == "learned":
        return replace(parts, positions="rotary", rotary=(None,) * 3), replace(weights, positions=None)
    return replace(parts, rotary=(None,) * 3), weights


# name -> (the field of DecoderParts, or the weights, that it is about; whether a model has it; how it is taken away)
REMOVALS = {
    "grouped heads": ("n_kv_heads", lambda p, w: p.kv_heads < p.n_heads, other_heads),
    "kind of norm": ("norm", lambda p, w: p.norm == "rms", set_to(norm="layer")),
    "eps": ("norm_eps", lambda p, w: True, set_to(norm_eps=0.05)),
    "1 + w": ("norm_offset", lambda p, w: p.norm_offset, set_to(norm_offset=0.0)),
    "place of norms": ("norm_place", lambda p, w: p.norm_place != "before", norms_moved),
    "positions": ("positions", lambda p, w: True, no_positions),
    "layers without positions": ("rotary", lambda p, w: None in (p.rotary or ()), set_to(rotary=(0, 0, 0))),
    "second base": ("rotary", lambda p, w: len(w.rotaries) > 1, set_to(rotary=(0, 0, 0))),
    "scaled": ("rotary", lambda p, w: len(w.rotaries) == 1 and scaled(w.rotaries[0]), other_table(plain_base)),
    "partial": ("rotary", lambda p, w: w.rotaries and w.rotaries[0].d < p.d_head, other_table(whole_head)),
    "windows": ("windows", lambda p, w: p.windows, set_to(windows=None)),
    "width of windows": ("windows", lambda p, w: p.windows, wider),
    "scale of scores": ("attention_scale", lambda p, w: True, lambda p, w: (replace(p, attention_scale=p.scale(0) * 0.9), w)),
    "scale by layer": ("attention_scale_by_layer", lambda p, w: p.attention_scale_by_layer, set_to(attention_scale_by_layer=False)),
    "q/k norm": ("qk_norm", lambda p, w: p.qk_norm != "none", no_qk_norm),
    "cap of scores": ("score_cap", lambda p, w: p.score_cap, set_to(score_cap=None)),
    "gate": ("mlp", lambda p, w: p.mlp == "gated", no_gate),
    "activation": ("activation", lambda p, w: True, lambda p, w: (replace(p, activation="relu"), w)),
    "residual": ("residual", lambda p, w: p.residual == "parallel", set_to(residual="sequential")),
    "scale of embedding": ("embedding_scale", lambda p, w: p.embedding_scale != 1, set_to(embedding_scale=1.0)),
    "cap of logits": ("logit_cap", lambda p, w: p.logit_cap, set_to(logit_cap=None)),
    "bias of q, k, v": ("qkv", lambda p, w: w.layers[0].qkv[0].b is not None, without_bias("qkv")),
    "bias of o": ("out", lambda p, w: w.layers[0].out.b is not None, without_bias("out")),
    "bias into the MLP": ("mlp_in", lambda p, w: w.layers[0].mlp_in[0].b is not None, without_bias("mlp_in")),
    "bias out of the MLP": ("mlp_out", lambda p, w: w.layers[0].mlp_out.b is not None, without_bias("mlp_out")),
}  # fmt: skip


def scaled(table):
    return not torch.allclose(table.inv_freq, plain_base(table, None).inv_freq)


def removals(decoder):
    return [name for name, (_, has, _) in REMOVALS.items() if has(decoder.parts, decoder.weights)]


def test_any_part_taken_away_moves_a_logit_and_is_not_proven(family):
    _, model, decoder, logits, _ = family
    for name in removals(decoder):
        changed = Decoder(*REMOVALS[name][2](decoder.parts, decoder.weights))
        assert (logits_of(changed) - logits).abs().max() >= 0.01, name
        assert not proven(changed, model.logits, model.read), name


def test_together_the_families_have_every_part():
    found = set()
    for config, settings in FAMILIES.values():
        parts, weights = laid_out(Model(make(config, settings)).hooked)
        found |= {REMOVALS[name][0] for name in removals(SimpleNamespace(parts=parts, weights=weights))}
    refused_otherwise = {"n_ctx", "n_heads", "d_head", "embedding_norm", "attention"}  # sizes, and one value only
    by_rounding = {"norm_rounds"}  # seen in 16 bits
    assert {field.name for field in fields(DecoderParts)} - refused_otherwise - by_rounding <= found


# -- long texts, and what only they would show -----------------------------------------------------------------------


def test_of_a_long_prompt_only_what_is_asked_for_is_kept(family, monkeypatch):
    _, _, decoder, _, _ = family
    prompt, n_bytes = IDS[0].tolist(), 72 * 32 * 4
    decoder.prefixes.clear()
    with torch.no_grad():
        expected = [decoder.residual(prompt, layer) for layer in range(4)]
        logits = decoder.prefix(prompt).logits
        assert len(decoder.prefix(prompt).residual) == 4
        decoder.prefixes.clear()
        monkeypatch.setattr(engine, "RESIDUAL_BYTES", 2 * n_bytes)
        assert len(decoder.prefix(prompt).residual) == 0
        torch.testing.assert_close(decoder.prefix(prompt).logits, logits, atol=1e-4, rtol=0)
        for layer in (1, 3, 2, 0):
            torch.testing.assert_close(decoder.residual(prompt, layer), expected[layer], atol=1e-4, rtol=1e-5)
            assert layer in decoder.prefix(prompt).residual and len(decoder.prefix(prompt).residual) <= 2
    heads = decoder.parts.kv_heads
    assert {tuple(cache.shape) for cache in decoder.prefix(prompt).cache} == {(1, 72, 2, heads, decoder.parts.d_head)}
    decoder.prefixes.clear()


def test_scores_of_many_tokens_are_written_out_some_queries_at_a_time(family, monkeypatch):
    _, _, decoder, logits, _ = family
    monkeypatch.setattr(attention, "CELLS", 2 * 4 * 72 * 5)  # five queries of two rows
    torch.testing.assert_close(logits_of(decoder), logits, atol=2e-4, rtol=1e-5)


def test_weights_are_read_where_they_lie(family, monkeypatch):
    _, model, _, _, _ = family
    monkeypatch.setattr(layouts, "SMALL", 0)
    kept = [t for m in model.hooked.modules() for t in (*m._parameters.values(), *m._buffers.values()) if t is not None]
    own = {t.untyped_storage().data_ptr() for t in kept}
    _, weights = laid_out(model.hooked)
    assert all(t.untyped_storage().data_ptr() in own for t in weights.tensors())


def test_the_text_of_the_proof_outgrows_the_windows():
    config, settings, _ = ARCHITECTURES["mistral"]
    model = Model(make(config, settings | {"sliding_window": 30}))
    decoder = decoder_of(model.hooked, model.logits, model.read)
    assert decoder is not None and decoder.parts.windows == (30, 30, 30)
    for change in (set_to(windows=(31,) * 3), set_to(windows=(29,) * 3)):
        assert not proven(Decoder(*change(decoder.parts, decoder.weights)), model.logits, model.read)


SAID = {
    "chunked_attention": ({"layer_types": ["full_attention", "chunked_attention"]}, "chunked_attention"),
    "window by another name": ({"window_size": 256}, "window_size"),
    "every other layer local": ({"attention_layers": ["global", "local"]}, "attention_layers"),
    "scores that grow with the position": ({"rope_parameters": {"llama_4_scaling_beta": 0.1}}, "llama_4_scaling_beta"),
    "known windows": ({"layer_types": ["full_attention", "sliding_attention"], "sliding_window": 4096}, "causal"),
}


@pytest.mark.parametrize("case", SAID)
def test_a_way_of_attention_that_short_texts_would_not_show_is_refused_by_its_name(case):
    settings, said = SAID[case]
    found = layouts._attention_kind(SimpleNamespace(**settings))
    assert found == said
    parts = DecoderParts(n_ctx=9, n_heads=1, d_head=2, attention=found)
    assert bool(parts.not_computed()) == (said != "causal")


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_angles_that_depend_on_the_length_of_the_text_are_refused_by_their_name(kind):
    more = {"factor": 2.0, "original_max_position_embeddings": 16, "rope_theta": 1e4}
    factors = {"short_factor": [1.0] * 4, "long_factor": [2.0] * 4} if kind == "longrope" else {}
    settings = ARCHITECTURES["llama"][1] | {"rope_parameters": {"rope_type": kind, **more, **factors}}
    model = Model(make("LlamaConfig", settings))
    with pytest.raises(ValueError, match=f"positions '{kind}': its angles depend on the text's length"):
        laid_out(model.hooked)
    assert decoder_of(model.hooked, model.logits, model.read) is None


@pytest.mark.parametrize("kind", ["linear", "yarn"])
def test_other_scalings_are_the_models_own(kind):
    more = {"factor": 2.0, "original_max_position_embeddings": 16, "rope_theta": 1e4}
    settings = ARCHITECTURES["llama"][1] | {"rope_parameters": {"rope_type": kind, **more}}
    model = Model(make("LlamaConfig", settings))
    decoder = decoder_of(model.hooked, model.logits, model.read)
    assert decoder is not None
    torch.testing.assert_close(logits_of(decoder), model.logits(IDS), atol=2e-4, rtol=1e-5)
    assert scaled(decoder.weights.rotaries[0])


def test_neighbors_in_memory_are_one_matrix_and_others_are_not():
    fused, bias = torch.randn(8, 5), torch.randn(8)
    q, k = Linear(fused[:6].T, bias[:6]), Linear(fused[6:].T, bias[6:])
    one = joined([q, k])
    assert one is not None and torch.equal(one.W, fused.T) and torch.equal(one.b, bias)
    assert one.W.data_ptr() == fused.data_ptr()
    for others in ([k, q], [q, Linear(k.W)], [q, Linear(k.W, bias[6:].clone())], [q, Linear(k.W.clone(), k.b)]):
        assert joined(others) is None


# -- gradients -------------------------------------------------------------------------------------------------------


def score(logits):
    """Of the last three tokens, each with a weight of its own."""
    logprobs = logits[:, -3:].float().log_softmax(-1)
    return logprobs[:, 0, 5] - 2 * logprobs[:, 1, 9] + logprobs[:, 2, :40].logsumexp(-1)


@pytest.mark.parametrize(("place", "inference"), [("0.hook_resid_post", True), ("2.hook_resid_post", False)])
def test_a_gradient_above_the_site_is_the_whole_networks(family, monkeypatch, place, inference):
    _, model, _, _, _ = family
    name, push = f"blocks.{place}", 0.3 * torch.randn(2, 72, 32, generator=torch.Generator().manual_seed(5))
    rows = IDS.clone()
    rows[1] = rows[0]
    cases = [(IDS, push, {"wanted": 3}), (IDS, None, {}), (rows, push, {"wanted": 5})]
    monkeypatch.setattr(model, "use_decoder", False)
    expected = [model.gradient(ids, name, score, own, **more) for ids, own, more in cases]
    monkeypatch.setattr(model, "use_decoder", True)
    model.fast_activations(IDS, name)
    with torch.inference_mode(inference):
        list(model.stream(IDS[0, :20], n_tokens=2, seed=0))  # what it keeps must serve a gradient
        assert model._decoder_at(name) is not None
        monkeypatch.setattr(type(model._passes.backend), "forward", None)
        found = [model.gradient(ids, name, score, own, **more) for ids, own, more in cases]
    for (scores, gradient), (own, theirs) in zip(found, expected, strict=True):
        torch.testing.assert_close(scores, own, atol=2e-4, rtol=1e-5)
        assert (gradient - theirs).abs().max() <= 1e-4 * theirs.abs().max() and theirs.abs().max() > 1e-3
    assert all(p.grad is None for p in model.hooked.parameters())


def test_a_gradient_in_16_bits_is_as_near_to_float32s_as_the_models_own():
    name = "blocks.0.hook_resid_post"
    exact = Model(make(*FAMILIES["llama"]))
    half = Model(make(*FAMILIES["llama"]).to(torch.bfloat16))
    _, expected = exact.gradient(IDS, name, score)
    found = []
    for use_decoder in (True, False):
        half.use_decoder = use_decoder
        assert (half._decoder_at(name) is not None) == use_decoder
        found.append(half.gradient(IDS, name, score, wanted=3)[1])
    off = [float((own.float() - expected).norm() / expected.norm()) for own in found]
    assert found[0].dtype == torch.bfloat16 and off[0] <= 1.25 * off[1] < 0.5  # weights as large as these round badly


def test_more_tokens_than_there_are_cannot_be_wanted(family):
    with pytest.raises(ValueError, match="wanted 9 tokens' logits, and there are 4"):
        family[1].gradient(IDS[:, :4], "blocks.0.hook_resid_post", score, wanted=9)
