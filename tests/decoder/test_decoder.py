"""The decoder writes what TransformerLens writes, wherever a clamp sits, and steps aside where it could be wrong."""

from __future__ import annotations

import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.decoder import Decoder, engine
from saewidgets.models import Edit, Model, load_model
from saewidgets.models.decoders import HookedDecoder, decoder_of
from saewidgets.models.layouts import parts_of
from saewidgets.models.sampling import Gumbel, gumbel

PROMPT = [0, 9, 8, 30, 31]
PLACES = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out")
SITES = [f"blocks.{layer}.{place}" for layer in (0, 1) for place in PLACES]
HOOK = "blocks.0.hook_resid_post"
PUSH = torch.linspace(-1, 1, 32)


def every_third(x: torch.Tensor, start: int) -> torch.Tensor:
    positions = torch.arange(start, start + x.shape[1])[:, None]
    return x + torch.where(positions % 3 == 1, 4.0, 0.0) * PUSH


@pytest.fixture(scope="module", params=["hooked", "bridge"])
def model(request, tiny_folder):
    return load_model(tiny_folder, backend=request.param)


@pytest.fixture
def own(model, tiny_folder):
    """A model of one's own, to be changed."""
    return load_model(tiny_folder, backend="hooked" if "Hooked" in type(model.hooked).__name__ else "bridge")


@pytest.fixture
def plainly(model):
    """`plainly(ask)`: what `ask()` gives while the decoder is off."""

    def ask(what, model=model):
        model.use_decoder = False
        try:
            return what()
        finally:
            model.use_decoder = True

    return ask


def used(model: Model) -> HookedDecoder | None:
    return decoder_of(model.hooked, model.logits, model.read)


def texts(model: Model, edit: Edit | None = None, **options):
    return list(model.stream(PROMPT, **({"n_tokens": 20, "seed": 3, "edit": edit} | options)))


def same(found, expected) -> None:
    assert [t for t, *_ in found] == [t for t, *_ in expected]
    for (_, p, logits), (_, q, others) in zip(found, expected, strict=True):
        assert p == pytest.approx(q, abs=1e-5)
        torch.testing.assert_close(logits, others, atol=1e-5, rtol=0)


# -- the same numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["hooked", "bridge"])
def test_it_is_used_for_the_bundled_model(backend):
    assert used(load_model(backend=backend)) is not None


def test_it_is_used_where_layer_norms_are_folded(tiny_folder):
    bridge = load_model(tiny_folder, backend="bridge").hooked
    bridge.enable_compatibility_mode(disable_warnings=True)
    folded = Model.wrap(bridge)
    assert folded.weight_processing == "folded" and used(folded) is not None
    found = texts(folded)
    folded.use_decoder = False
    same(found, texts(folded))


@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize("site", [None, *SITES])
def test_tokens_and_logits_are_transformer_lenss(model, plainly, monkeypatch, site, reference):
    assert used(model) is not None
    edit = None if site is None else Edit(site, every_third)
    expected = plainly(lambda: texts(model, edit, reference=reference))
    texts(model, edit)  # the site is tried on first use

    def refuse(*args, **kwargs):
        raise AssertionError("this should have gone through the decoder")

    if "resid_mid" not in str(site) or "Hooked" in type(model.hooked).__name__:
        monkeypatch.setattr(type(model._passes.backend), "forward", refuse)
    same(texts(model, edit, reference=reference), expected)
    same(texts(model, edit, reference=reference), expected)  # from the kept prompt


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    prompt=st.lists(st.integers(1, 319), min_size=1, max_size=30),
    site=st.sampled_from(SITES),
    first=st.integers(0, 40),
    size=st.floats(-5, 5),
    temperature=st.sampled_from([0.0, 0.7]),
)
def test_any_prompt_any_place_any_strength(tiny_model, prompt, site, first, size, temperature):
    def function(x, start):
        positions = torch.arange(start, start + x.shape[1])[:, None]
        return torch.where(positions >= first, x + size * PUSH, x)

    options = {"n_tokens": 6, "temperature": temperature, "edit": Edit(site, function), "reference": True}
    found = list(tiny_model.stream(prompt, **options))
    tiny_model.use_decoder = False
    try:
        same(found, list(tiny_model.stream(prompt, **options)))
    finally:
        tiny_model.use_decoder = True


def test_an_edit_that_changes_no_bit_parts_nothing(model):
    """Until an edit changes something the two models are one: their logits keep all their bits, and KL is exactly 0."""
    clean = texts(model)
    for function in (lambda x, start: x, lambda x, start: x.clone()):
        for token, (_, _, logits) in zip(clean, texts(model, Edit(HOOK, function), reference=True), strict=True):
            assert torch.equal(logits[0], logits[1]) and torch.equal(logits[0], token[2])


def test_two_models_that_part_late_are_as_if_each_had_run_alone(model, plainly):
    late = Edit(HOOK, lambda x, start: x + 3 * PUSH * (start >= 9))
    same(texts(model, late, reference=True), plainly(lambda: texts(model, late, reference=True)))
    found = texts(model, late, reference=True)
    assert [torch.equal(logits[0], logits[1]) for *_, logits in found[:5]] == [True] * 5
    assert not torch.equal(found[5][2][0], found[5][2][1])


def test_an_edit_in_place_does_not_reach_what_is_kept(model):
    edit = Edit(HOOK, every_third)
    before = texts(model), texts(model, edit)

    def scribble(x, start):
        x += PUSH * 100.0
        return x

    for site in (s for s in SITES if "resid_mid" not in s):  # which a bridge leaves to its own modules
        found = texts(model, Edit(site, scribble), reference=True)
        same(found, texts(model, Edit(site, lambda x, start: x + PUSH * 100.0), reference=True))
        assert not torch.equal(found[-1][2][0], found[-1][2][1])
    after = texts(model), texts(model, edit)
    for old, new in zip(before, after, strict=True):
        assert all(torch.equal(a[2], b[2]) for a, b in zip(old, new, strict=True))


# -- batches ---------------------------------------------------------------------------------------------------------


def by_row(model, seeds, **options):
    found: list[list[int]] = [[] for _ in seeds]
    logits: list[list[torch.Tensor]] = [[] for _ in seeds]
    for rows, tokens, edited, plain in model.batch(PROMPT, n_tokens=20, temperature=1.5, seeds=seeds, **options):
        for row, token, e, p in zip(rows.tolist(), tokens.tolist(), edited, plain, strict=True):
            found[row].append(token)
            logits[row].append(torch.stack([e, p]))
    return found, logits


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("use_decoder", [False, True])
def test_a_batch_in_groups_writes_what_streams_write(model, monkeypatch, compact, use_decoder):
    """Three groups of four seeds, another push in each; some rows end early, and their neighbors do not notice."""
    pushes = torch.tensor([0.0, 1.0, -2.0])

    def push_of(rows):
        own = pushes[torch.tensor(rows) // 4]

        def function(x, start):
            return x + own[:, None, None] * PUSH

        return Edit(HOOK, function)

    def grouped(x, start):
        return x + pushes.repeat_interleave(x.shape[0] // 3)[:, None, None] * PUSH

    seeds = [4, 5, 6, 7] * 3
    ends = list(model.stream(PROMPT, n_tokens=20, temperature=1.5, seed=5))[6][0]
    monkeypatch.setattr(model, "eos_token_id", ends)  # so that one text ends early, and its neighbors go on
    model.use_decoder = use_decoder
    try:
        found, logits = by_row(
            model, seeds, groups=3, edit=Edit(HOOK, grouped), edit_of=push_of if compact else None, reference=True
        )
        lengths = [len(row) for row in found]
        assert min(lengths) <= 6 and max(lengths) == 20
        for r, seed in enumerate(seeds):
            edit = Edit(HOOK, lambda x, start, r=r: x + pushes[r // 4] * PUSH)
            alone = list(model.stream(PROMPT, n_tokens=20, temperature=1.5, seed=seed, edit=edit, reference=True))
            assert found[r] == [t for t, *_ in alone]
            for a, (_, _, b) in zip(logits[r], alone, strict=True):
                torch.testing.assert_close(a, b, atol=3e-5, rtol=0)  # of 12 rows and of one: rounded otherwise
    finally:
        model.use_decoder = True
    with pytest.raises(ValueError, match="5 rows do not make 2 groups"):
        next(model.batch(PROMPT, n_tokens=1, temperature=1.0, seeds=range(5), groups=2))


@pytest.mark.parametrize("use_decoder", [False, True])
def test_forced_logprobs_are_those_of_whole_passes(model, use_decoder):
    rows = [[5, 6, 7], [], [9], [11, 12, 13, 14, 15, 16], [9]]
    model.use_decoder = use_decoder
    try:
        found = model.logprobs(PROMPT, rows)
    finally:
        model.use_decoder = True
    for own, logprobs in zip(rows, found, strict=True):
        whole = model.logits(PROMPT + own)[0].double().log_softmax(-1)
        expected = [float(whole[len(PROMPT) - 1 + i, token]) for i, token in enumerate(own)]
        assert logprobs.tolist() == pytest.approx(expected, abs=1e-5)
    with pytest.raises(ValueError, match="do not fit"):
        model.logprobs(PROMPT, [[1] * 60])


# -- where it steps aside --------------------------------------------------------------------------------------------


def test_a_users_own_hook_is_heard(own, plainly):
    clean = texts(own)

    def push(module, inputs, output):
        return output + 3 * PUSH

    handle = own.hooked.hook_dict["blocks.1.hook_resid_pre"].register_forward_hook(push)
    try:
        hooked = texts(own)
        assert [t for t, *_ in hooked] != [t for t, *_ in clean]
        same(hooked, plainly(lambda: texts(own), own))
    finally:
        handle.remove()
    assert all(torch.equal(a[2], b[2]) for a, b in zip(clean, texts(own), strict=True))


@pytest.mark.parametrize("edit", [None, Edit(HOOK, every_third)])
def test_a_hook_that_comes_in_the_middle_of_a_text_is_heard_from_there_on(own, edit):
    stream = own.stream(PROMPT, n_tokens=9, seed=3, edit=edit, reference=edit is not None)
    written = [next(stream)[0] for _ in range(4)]
    handle = own.hooked.hook_dict["blocks.1.hook_resid_post"].register_forward_hook(lambda m, i, o: o + 2 * PUSH)
    try:
        _, _, logits = next(stream)
        expected = own.logits(PROMPT + written, edit)[0, -1]
        torch.testing.assert_close(logits[0] if edit else logits, expected, atol=1e-5, rtol=0)
    finally:
        handle.remove()


CHANGES = {
    "in place": lambda p: p.mul_(1.5),
    "through data": lambda p: p.data.mul_(1.5),
    "data replaced": lambda p: setattr(p, "data", p.data * 1.5),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_weights_are_seen(own, plainly, change):
    before = texts(own)
    for name, parameter in list(own.hooked.named_parameters()):
        if name.endswith(("W_in", "c_fc._original_component.weight")):
            with torch.no_grad():
                CHANGES[change](parameter)
    after = texts(own)
    assert not torch.equal(after[0][2], before[0][2])
    same(after, plainly(lambda: texts(own), own))


def test_a_replaced_parameter_is_seen(own, plainly):
    before = texts(own)
    for module in own.hooked.modules():
        if "weight" in module._parameters and module._parameters["weight"] is not None:
            module.weight = torch.nn.Parameter(module.weight.detach() * 1.1)
        if "W_in" in module._parameters:
            module.W_in = torch.nn.Parameter(module.W_in.detach() * 1.1)
    after = texts(own)
    assert not torch.equal(after[0][2], before[0][2])
    same(after, plainly(lambda: texts(own), own))


# Settings of TransformerLens, and the part by whose name a decoder refuses them, or None: it is used.
ARCHITECTURES = {
    "rotary": ({"positional_embedding_type": "rotary", "rotary_dim": 8}, None),
    "rotary of pairs": ({"positional_embedding_type": "rotary", "rotary_dim": 4, "rotary_adjacent_pairs": True}, None),
    "attention only": ({"attn_only": True}, "mlp 'none'"),
    "alibi": ({"positional_embedding_type": "alibi"}, "positions 'alibi'"),
    "parallel": ({"parallel_attn_mlp": True}, None),
    "gated": ({"gated_mlp": True}, None),
    "local attention": ({"use_local_attn": True, "window_size": 4, "attn_types": ["local", "global"]}, None),
    "RMS": ({"normalization_type": "RMS"}, None),
    "soft cap": ({"output_logits_soft_cap": 2.0, "initializer_range": 0.4}, None),
    "another scale": ({"attn_scale": 1.0}, None),
    "fewer keys and values": ({"n_key_value_heads": 1}, None),
    "sandwich": ({"normalization_type": "RMS", "use_normalization_before_and_after": True}, None),
    "norms after": (
        {
            "normalization_type": "RMS",
            "original_architecture": "Olmo2ForCausalLM",
            "positional_embedding_type": "rotary",
        }
        | {"rotary_dim": 8, "gated_mlp": True},
        None,
    ),
    "two bases": (
        {
            "normalization_type": "RMS",
            "use_normalization_before_and_after": True,
            "use_qk_norm": True,
            "gated_mlp": True,
        }
        | {
            "positional_embedding_type": "rotary",
            "rotary_dim": 8,
            "rotary_base": 1_000_000,
            "rotary_base_local": 10_000,
        }
        | {"use_local_attn": True, "window_size": 4, "attn_types": ["local", "global"]},
        None,
    ),
    "no norm": ({"normalization_type": None}, "norm 'None'"),
}


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_another_architecture_is_computed_or_refused_by_its_name(kind):
    """And either way the text is that of whole passes."""
    transformer_lens = pytest.importorskip("transformer_lens")
    try:
        HookedTransformer = transformer_lens.HookedTransformer
    except ImportError:  # what TransformerLens 4 raises, with a hint
        pytest.skip("TransformerLens 4 has no HookedTransformer")
    cfg = {"n_layers": 2, "d_model": 16, "n_ctx": 24, "d_head": 8, "n_heads": 2, "d_mlp": 32, "d_vocab": 50, "seed": 1}
    cfg |= {"act_fn": "relu", "normalization_type": "LN", "device": "cpu", "initializer_range": 0.8}
    settings, refused = ARCHITECTURES[kind]
    with torch.random.fork_rng(devices=[]), pytest.warns(DeprecationWarning):
        hooked = HookedTransformer(cfg | settings)
    model = Model.wrap(hooked.eval())
    assert [part.split(" (")[0] for part in parts_of(hooked.cfg).not_computed()] == ([refused] if refused else [])
    assert (used(model) is None) == bool(refused)
    text = [1, 2, 3]
    for token, _, logits in model.stream([1, 2, 3], n_tokens=9, temperature=0, edit=Edit(HOOK, lambda x, start: x + 1)):
        torch.testing.assert_close(
            logits, model.logits(text, Edit(HOOK, lambda x, start: x + 1))[0, -1], atol=1e-4, rtol=1e-4
        )
        text.append(token)


@pytest.mark.parametrize("place", ["block", "embedded", "logits"])
def test_a_loop_that_is_a_thousandth_off_is_not_used(own, plainly, monkeypatch, place):
    true = getattr(Decoder, place)
    monkeypatch.setattr(Decoder, place, lambda *args, **kwargs: true(*args, **kwargs) * 1.001)
    assert used(own) is None
    same(texts(own), plainly(lambda: texts(own), own))


def test_training_mode_and_other_sites_go_through_the_modules(own, plainly):
    edit = Edit("blocks.1.mlp.hook_post", lambda x, start: x * 0.5)
    assert used(own).site(edit.hook_name) is None
    same(texts(own, edit), plainly(lambda: texts(own, edit), own))
    assert [t for t, *_ in texts(own, edit)] != [t for t, *_ in texts(own)]
    own.hooked.train()
    assert not used(own) or not used(own).quiet()


# -- what is kept ----------------------------------------------------------------------------------------------------


def test_the_prompt_is_read_once(model, monkeypatch):
    loop = used(model)
    loop.prefixes.clear()
    ran: list[tuple[int, int]] = []
    block = Decoder.block

    def counted(self, index, x, *args, **kwargs):
        ran.append((index, x.shape[1]))
        return block(self, index, x, *args, **kwargs)

    monkeypatch.setattr(Decoder, "block", counted)
    edit = Edit(HOOK, lambda x, start: x + PUSH)
    texts(model, edit, n_tokens=3, reference=True)
    assert [r for r in ran if r[1] > 1] == [
        (0, 5),
        (1, 5),
        (1, 5),
    ]  # the prompt clean, then layer 1 again under the edit
    ran.clear()
    texts(model, Edit(HOOK, lambda x, start: x + 2 * PUSH), n_tokens=3, reference=True)
    assert [r for r in ran if r[1] > 1] == [(1, 5)]  # another slider value: what is above the site only
    ran.clear()
    texts(model, n_tokens=3)
    assert [r for r in ran if r[1] > 1] == []


def test_only_so_many_prompts_are_kept(model, monkeypatch):
    loop = used(model)
    for i in range(20):
        list(model.stream([0, i + 1], n_tokens=1))
    assert list(loop.prefixes) == [(0, i + 1) for i in range(20 - engine.PREFIXES, 20)]
    monkeypatch.setattr(engine, "PREFIX_BYTES", 1)
    list(model.stream([0, 50], n_tokens=1))
    assert list(loop.prefixes) == [(0, 50)]


def test_a_stream_waits_for_the_lock(model):
    """Whoever holds the model's lock has it alone, the decoder included."""
    found = []
    stream = model.stream(PROMPT, n_tokens=3)
    next(stream)
    with model.lock:
        thread = threading.Thread(target=lambda: found.append(next(stream)[0]))
        thread.start()
        thread.join(0.2)
        assert thread.is_alive() and not found
    thread.join(10)
    assert len(found) == 1


def test_neither_loop_keeps_a_model_alive(tiny_folder):
    import gc
    import weakref

    model = load_model(tiny_folder)
    texts(model)
    ref = weakref.ref(model.hooked)
    del model
    gc.collect()
    assert ref() is None


def test_noise_is_that_of_the_seed_however_long_and_however_often():
    expected = torch.Generator().manual_seed(7)
    rows = [gumbel(10, expected) for _ in range(12)]
    noise = Gumbel(max_bytes=5 * 8 * 10)  # five steps are kept
    for _ in range(2):
        found = noise.of(7, 10)
        assert all(torch.equal(next(found), row) for row in rows)
    halves = noise.of(7, 10), noise.of(7, 10)
    next(halves[0])
    assert torch.equal(next(halves[1]), rows[0]) and torch.equal(next(halves[0]), rows[1])
    for seed in range(5):
        next(noise.of(seed, 10))
    assert len(noise._kept) <= 5
    again = noise.of(7, 10)
    assert all(torch.equal(next(again), row) for row in rows)
