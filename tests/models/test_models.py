"""One door to two TransformerLens classes: the same numbers as Hugging Face, safe under threads, clean after errors."""

from __future__ import annotations

import json
import shutil
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.files import LoadError, read_tensors, write_json, write_tensors
from saewidgets.models import Edit, Model, load_model, site
from saewidgets.models.sampling import draw, gumbel
from saewidgets.records import ActivationSite

TEXT = "The bridge over the bay is red"
HOOK = "blocks.0.hook_resid_post"


def _has_hooked_transformer() -> bool:
    try:
        from transformer_lens import HookedTransformer  # noqa: F401
    except ImportError:  # TransformerLens 4
        return False
    return True


BACKENDS = ["hooked", "bridge"] if _has_hooked_transformer() else ["bridge"]


@pytest.fixture(scope="module", params=BACKENDS)
def model(request, tiny_folder):
    return load_model(tiny_folder, backend=request.param)


@pytest.fixture(scope="module")
def hf(tiny_folder):
    from transformers import GPT2LMHeadModel

    return GPT2LMHeadModel.from_pretrained(tiny_folder).eval()


def rows(n=3, length=20, seed=0) -> torch.Tensor:
    return torch.randint(1, 320, (n, length), generator=torch.Generator().manual_seed(seed))


def n_hooks(model: Model) -> int:
    return sum(len(point._forward_hooks) for point in model.hooked.modules())


# -- the same numbers as Hugging Face --------------------------------------------------------------------------------


def test_logits_are_hugging_faces(model, hf):
    tokens = rows()
    with torch.no_grad():
        expected = hf(tokens).logits
    assert expected.abs().max() > 1
    torch.testing.assert_close(model.logits(tokens), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(model.logits(tokens[0].tolist())[0], expected[0], atol=1e-5, rtol=0)


def test_an_untied_output_matrix_is_used(tmp_path, tiny_folder, model):
    folder = shutil.copytree(tiny_folder, tmp_path / "untied")
    arrays = read_tensors(folder / "model.safetensors")
    arrays["lm_head.weight"] = 2 * arrays["transformer.wte.weight"]
    write_tensors(folder / "model.safetensors", arrays)
    backend = "hooked" if "Hooked" in type(model.hooked).__name__ else "bridge"
    doubled = load_model(folder, backend=backend)
    torch.testing.assert_close(doubled.logits(rows()), 2 * model.logits(rows()), atol=1e-4, rtol=0)


@pytest.mark.parametrize("layer", [0, 1])
def test_residuals_are_hugging_faces_hidden_states(model, hf, layer):
    hidden = []
    with torch.no_grad():
        handle = hf.transformer.h[layer].register_forward_hook(
            lambda module, inputs, output: hidden.append(output[0] if isinstance(output, tuple) else output)
        )
        hf(rows())
        handle.remove()
    found = model.activations(rows(), f"blocks.{layer}.hook_resid_post")
    torch.testing.assert_close(found, hidden[0], atol=1e-5, rtol=0)


def test_padding_on_the_right_is_not_seen(model):
    padded = rows(2)
    padded[1, 12:] = -1
    whole, alone = model.activations(padded, HOOK), model.activations(rows(2)[1, :12], HOOK)
    torch.testing.assert_close(whole[1, :12], alone[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(model.logits(padded)[1, :12], model.logits(rows(2)[1, :12])[0], atol=1e-5, rtol=0)


def test_an_edit_reaches_the_logits_as_the_weights_say(model, hf):
    """After the last block there is only ln_f and W_U, so the edited logits can be worked out from Hugging Face's
    parts.
    """
    push = torch.linspace(-3, 3, 32)
    edit = Edit("blocks.1.hook_resid_post", lambda x, start: x + push)
    with torch.no_grad():
        h = model.activations(rows(), "blocks.1.hook_resid_post")
        expected = hf.lm_head(hf.transformer.ln_f(h + push))
    found = model.logits(rows(), edit)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert (found - model.logits(rows())).abs().max() > 0.1


def test_direction_logits_are_gain_and_unembedding(model, hf):
    directions = torch.randn(4, 32, generator=torch.Generator().manual_seed(1))
    gain, W_U = hf.transformer.ln_f.weight.detach().numpy(), hf.lm_head.weight.detach().numpy().T
    d = directions.numpy()
    expected = ((d - d.mean(1, keepdims=True)) * gain) @ W_U
    expected -= expected.mean(1, keepdims=True)
    np.testing.assert_allclose(model.direction_logits(directions).numpy(), expected, atol=1e-5)


def test_a_folded_model_says_so_and_means_the_same_directions(tiny_folder, model):
    folded = load_model(tiny_folder, backend="bridge").hooked
    folded.enable_compatibility_mode(disable_warnings=True)
    folded = Model.wrap(folded)
    assert (model.weight_processing, folded.weight_processing) == ("none", "folded")
    d = torch.randn(4, 32, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(folded.direction_logits(d), model.direction_logits(d), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        folded.logits(rows()).log_softmax(-1), model.logits(rows()).log_softmax(-1), atol=1e-4, rtol=0
    )


# -- hooks and threads -----------------------------------------------------------------------------------------------


def test_no_hook_survives_an_error_and_a_users_own_stays(model):
    clean = model.logits(rows())
    fired = []
    handle = model.hooked.hook_dict[HOOK].register_forward_hook(lambda *args: fired.append(1))
    model.hooked.hook_dict["blocks.1.hook_resid_post"].add_hook(lambda tensor, hook: fired.append(2))
    before = n_hooks(model)

    def broken(x, start):
        raise ArithmeticError("inside an edit")

    attempts = [
        lambda: model.read(rows(), [HOOK], Edit(HOOK, broken)),
        lambda: model.logits(rows(), Edit(HOOK, broken)),
        lambda: list(model.stream([1, 2], n_tokens=3, edit=Edit(HOOK, broken))),
        lambda: list(model.stream([1, 2], n_tokens=3, edit=Edit(HOOK, broken), reference=True)),
        lambda: model.logits(rows(), Edit(HOOK, lambda x, start: x[..., :5])),  # a shape that the next layer refuses
        lambda: model.logits(rows(), Edit("blocks.0.hook_nothing", broken)),
    ]
    try:
        for attempt in attempts:
            with pytest.raises((ArithmeticError, ValueError, RuntimeError)):
                attempt()
            assert n_hooks(model) == before
        model.activations(rows(), HOOK)
        next(model.stream([1, 2], n_tokens=3, edit=Edit(HOOK, lambda x, start: 2 * x)))  # left unfinished
        assert n_hooks(model) == before
        fired.clear()
        assert torch.equal(model.logits(rows()), clean)
        assert fired == [1, 2]
    finally:
        handle.remove()
        model.hooked.reset_hooks()
    assert n_hooks(model) < before


@pytest.mark.parametrize("use_decoder", [True, False])
def test_a_clamp_that_streams_leaves_400_clean_forwards_clean(model, monkeypatch, use_decoder):
    monkeypatch.setattr(model, "use_decoder", use_decoder)
    prompt, tokens = [5, 6, 7], rows(1, 10)
    edit = Edit(HOOK, lambda x, start: x + 5.0)
    clean = model.logits(tokens)
    assert not torch.equal(model.logits(tokens, edit), clean)
    expected = [token for token, *_ in model.stream(prompt, n_tokens=20, seed=3, edit=edit)]
    stop, streams, wrong = threading.Event(), [], []

    def steer():
        while not stop.is_set():
            streams.append([t for t, *_ in model.stream(prompt, n_tokens=20, seed=3, edit=edit, reference=True)])

    thread = threading.Thread(target=steer)
    thread.start()
    try:
        for i in range(400):
            if not torch.equal(model.logits(tokens), clean):
                wrong.append(i)
    finally:
        stop.set()
        thread.join()
    assert wrong == []
    assert len(streams) >= 1 and all(tokens == expected for tokens in streams)


def test_even_a_forward_pass_that_takes_no_lock_is_clean(model):
    """The hook answers only in the thread that asked for it, so whoever gets round the lock is safe too."""
    tokens = rows(1, 10)
    clean = model.logits(tokens)
    inside, go_on, found = threading.Event(), threading.Event(), []

    def slow(x, start):
        inside.set()
        go_on.wait(10)
        return x + 5.0

    thread = threading.Thread(target=lambda: found.append(model.logits(tokens, Edit(HOOK, slow))))
    thread.start()
    assert inside.wait(10)
    with torch.no_grad():
        lockless = type(model.hooked).__mro__[2].forward  # the class that the guarded one derives from
        direct = lockless(model.hooked, tokens)  # while the other thread stands inside its edit
    go_on.set()
    thread.join()
    assert torch.equal(direct, clean)
    assert not torch.equal(found[0], clean)


def test_one_lock_for_each_transformer_lens_object(model, tiny_model):
    again = Model.wrap(model.hooked)
    assert Model.wrap(model) is model
    assert again.lock is model.lock
    assert tiny_model.lock is not model.lock
    with model.lock, again.lock:  # re-entrant
        again.logits(rows())
    with pytest.raises(TypeError, match=r"a model is needed here, .* and a Linear was given"):
        Model.wrap(torch.nn.Linear(2, 2))


def test_activations_may_be_trained_on_and_edited(model):
    x = model.activations(rows(), HOOK)
    W = torch.nn.Parameter(torch.ones(32))
    (x * W).sum().backward()  # an inference-mode tensor would refuse
    assert W.grad is not None and not x.requires_grad
    before = model.logits(rows())
    x += 1
    assert torch.equal(model.logits(rows()), before)


# -- streams ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use_decoder", [True, False])
@pytest.mark.parametrize("reference", [False, True])
def test_the_cache_changes_nothing(model, monkeypatch, reference, use_decoder):
    """At every step the cached logits are those of one forward pass over the whole text, and the greedy tokens are the
    same.
    """

    monkeypatch.setattr(model, "use_decoder", use_decoder)

    def function(x, start):
        positions = torch.arange(start, start + x.shape[1])[:, None]
        return x + torch.where(positions % 3 == 1, 4.0, -1.0) * torch.linspace(-1, 1, 32)

    edit, text = Edit(HOOK, function), [0, 9, 8]
    cached = list(model.stream(text, n_tokens=30, temperature=0, edit=edit, reference=reference))
    plain = list(text)
    for token, logprob, logits in cached:
        expected = model.logits(plain, edit)[0, -1]
        torch.testing.assert_close(logits[0] if reference else logits, expected, atol=1e-5, rtol=0)
        if reference:
            torch.testing.assert_close(logits[1], model.logits(plain)[0, -1], atol=1e-5, rtol=0)
        assert token == int(expected.argmax())
        assert logprob == pytest.approx(float(expected.log_softmax(-1)[token]), abs=1e-5)
        plain.append(token)
    assert len(cached) == 30


@pytest.mark.skipif("hooked" not in BACKENDS, reason="TransformerLens 4 has no HookedTransformer")
def test_a_model_without_tokenizer_streams_right(tiny_model):
    import transformer_lens

    with pytest.warns(DeprecationWarning):
        bare = transformer_lens.HookedTransformer(tiny_model.hooked.cfg.to_dict() | {"init_weights": False})
    bare.load_state_dict(tiny_model.hooked.state_dict())
    bare = Model.wrap(bare.eval())
    ours = [t for t, *_ in bare.stream([3, 4, 5], n_tokens=20, seed=1)]
    assert ours == [t for t, *_ in tiny_model.stream([3, 4, 5], n_tokens=20, seed=1)]
    assert bare.display([7]) == ["<id 7>"]
    with pytest.raises(ValueError, match="has no tokenizer"):
        bare.tokens("text")


def test_a_seed_is_a_text_and_the_luck_is_common(model):
    def text(seed, edit=None, temperature=0.8):
        return [t for t, *_ in model.stream([0, 9], n_tokens=20, seed=seed, edit=edit, temperature=temperature)]

    assert text(1) == text(1)
    assert text(1) != text(2)
    assert text(1, temperature=0) == text(2, temperature=0)
    nothing = Edit(HOOK, lambda x, start: x)
    slight = Edit(HOOK, lambda x, start: x * 1.001)
    assert all(text(seed, nothing) == text(seed) for seed in range(10))
    # A change of a thousandth must rarely change a draw. With luck of its own each run would differ at once.
    same = sum(text(seed, slight)[:5] == text(seed)[:5] for seed in range(20))
    assert same >= 18


def test_draws_follow_the_distribution():
    """Chi-squared with 3 degrees of freedom: 16.3 is exceeded once in a thousand seeds, and the seed is fixed."""
    logits, temperature, n = torch.tensor([0.0, 1.0, 2.0, -1.0]), 0.7, 4000
    noise = torch.Generator().manual_seed(0)
    counts = np.bincount([int(draw(logits[None], temperature, gumbel(4, noise))) for _ in range(n)], minlength=4)
    expected = n * (logits.double() / temperature).softmax(-1).numpy()
    assert ((counts - expected) ** 2 / expected).sum() < 16.3


def test_no_global_random_state_is_touched(tiny_folder, model):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    list(model.stream([1, 2], n_tokens=5, seed=7))
    model.activations(rows(), HOOK)
    load_model(tiny_folder)
    load_model(tiny_folder, backend="bridge")
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_a_stream_ends_where_it_must(model):
    assert (
        len(list(model.stream([1] * 60, n_tokens=50, temperature=0))) == 5
    )  # context 64: positions 60 to 64, the last unread
    calls = []
    stream = model.stream([1], n_tokens=50, temperature=0, cancel=lambda: len(calls) == 3)
    for token in stream:
        calls.append(token)
    assert len(calls) == 3
    end = Edit("blocks.1.hook_resid_post", lambda x, start: x + 1e3 * toward_end(model))
    assert list(model.stream([1], n_tokens=50, temperature=0, edit=end)) == []
    for bad in (
        {"prompt": []},
        {"prompt": [1] * 65},
        {"prompt": [[1], [2]]},
        {"temperature": -1},
        {"temperature": float("nan")},
    ):
        with pytest.raises(ValueError):  # at the call, before anything is iterated
            model.stream(**{"prompt": [1], "n_tokens": 1} | bad)


def toward_end(model: Model) -> torch.Tensor:
    """A direction whose direct effect is largest on the end-of-text token."""
    effects = model.direction_logits(torch.eye(32))  # [d_model, d_vocab]
    direction = effects[:, model.eos_token_id] - effects.mean(-1)
    assert int(model.direction_logits(direction[None]).argmax()) == model.eos_token_id == 0
    return direction


# -- text ------------------------------------------------------------------------------------------------------------


def test_tokens_begin_with_the_beginning(model):
    tokens = model.tokens(TEXT)
    assert tokens.dtype == torch.long and tokens[0] == 0
    assert torch.equal(model.tokens(TEXT, prepend_bos=False), tokens[1:])
    assert "".join(model.token_text(tokens[1:])) == TEXT
    assert model.hooked.to_tokens(TEXT)[0].tolist() == tokens.tolist()  # TransformerLens's own helper agrees
    with pytest.raises(ValueError, match="81 tokens do not fit: the context of tiny is 64 tokens"):
        model.tokens("\0" * 80)
    with pytest.raises(ValueError, match="character 1 of the text is half of a surrogate pair"):
        model.tokens("a\ud83d")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(ids=st.lists(st.integers(0, 299), max_size=40))
def test_pieces_of_any_tokens_make_the_decoded_text(tiny_model, ids):
    assert "".join(tiny_model.token_text(ids)) == tiny_model.vocabulary.decode(ids)
    read = tiny_model.text_reader()
    text = "".join(read(i) for i in ids)
    assert tiny_model.vocabulary.decode(ids).startswith(text)  # what a stream shows is never taken back


def test_half_a_character_waits_for_its_other_half(tiny_model):
    ids = tiny_model.tokens("é☃", prepend_bos=False)
    assert len(ids) == 5  # bytes C3 A9, E2 98 83
    assert tiny_model.token_text(ids) == ["", "é", "", "", "☃"]
    assert tiny_model.display(ids) == ["<0xC3>", "<0xA9>", "<0xE2>", "<0x98>", "<0x83>"]


def test_every_token_is_shown_and_told_apart(tiny_model):
    shown = tiny_model.display(range(320))
    assert all(shown) and len(set(shown)) == 320
    one = {
        text: tiny_model.display(tiny_model.tokens(text, prepend_bos=False))[0]
        for text in ("\n", "\t", " ", "a", "\x07")
    }
    assert one == {"\n": "⏎", "\t": "⇥", " ": "␣", "a": "a", "\x07": "<U+0007>"}
    assert (
        shown[0] == "<|endoftext|>"
        and shown[319] == "<id 319>"
        and tiny_model.display([-1, 400]) == ["<id -1>", "<id 400>"]
    )


def test_a_tokenizer_that_is_not_byte_level_is_read_by_its_decoder():
    from tokenizers import Tokenizer, decoders, models

    from saewidgets.models.vocabulary import Vocabulary

    vocab = {"<unk>": 0, "▁the": 1, "▁cat": 2, "<0xE2>": 3, "<0x98>": 4, "<0x83>": 5, "s": 6}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>", byte_fallback=True))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    vocabulary = Vocabulary(tokenizer, 7)
    ids = [1, 2, 6, 3, 4, 5, 2]
    assert vocabulary.pieces(ids) == ["the", " cat", "s", "", "", "☃", " cat"]
    assert "".join(vocabulary.pieces(ids)) == vocabulary.decode(ids) == "the cats☃ cat"
    assert "".join(vocabulary.pieces(ids[:5])) == vocabulary.decode(ids[:5])


# -- names, sites, refusals ------------------------------------------------------------------------------------------


def test_a_site_is_measured(model):
    assert site(model, "blocks.1.hook_resid_post").d_in == 32
    wide = site(model, "blocks.1.mlp.hook_post", scale=2.5)
    assert (wide.model_name, wide.d_in, wide.weight_processing, wide.prepend_bos, wide.scale) == (
        "tiny",
        128,
        "none",
        True,
        2.5,
    )
    assert site(model.hooked, HOOK).d_in == 32


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_bundled_model_loads_with_no_network(backend):
    model = load_model(backend=backend)
    assert (model.name, model.weight_processing, model.prepend_bos) == ("miniworld", "none", True)
    assert (model.n_layers, model.d_model, model.d_vocab, model.n_ctx) == (6, 160, 2048, 256)
    assert (model.bos_token_id, model.eos_token_id) == (0, 0) and model.display([0]) == ["<|endoftext|>"]
    shown = model.display(range(2048))
    assert all(shown) and len(set(shown)) == 2048
    assert site(model, "blocks.2.hook_resid_post") == ActivationSite("miniworld", "blocks.2.hook_resid_post", 160)


def test_unknown_names_get_the_nearest(model):
    assert HOOK in model.hook_names
    for ask in (
        lambda: site(model, "blocks.0.resid_post"),
        lambda: model.activations([1], "blocks.0.resid_post"),
        lambda: model.logits([1], Edit("blocks.0.resid_post", lambda x, start: x)),
        lambda: model.stream([1], n_tokens=1, edit=Edit("blocks.0.resid_post", lambda x, start: x)),
    ):
        with pytest.raises(
            ValueError, match=r"^unknown hook 'blocks.0.resid_post'; nearest: blocks.0.hook_resid_post, "
        ):
            ask()
    with pytest.raises(ValueError, match=r"^unknown model 'minworld'; nearest: miniworld, .*; or give a folder"):
        load_model("minworld")
    with pytest.raises(ValueError, match=r"^unknown backend 'hook'; nearest: hooked"):
        load_model(backend="hook")
    with pytest.raises(LoadError, match="no such folder"):
        load_model("./nowhere")
    with pytest.raises(ValueError, match="hook_pattern holds 4 axes"):
        site(model, "blocks.0.attn.hook_pattern")
    with pytest.raises(ValueError, match="token 320 does not exist: tiny has tokens 0 to 319"):
        model.logits([320])


def test_a_hub_model_that_cannot_be_had_is_one_sentence(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(LoadError, match=r"not loaded from the Hugging Face hub \(.*load_model\(\) needs no network"):
        load_model("saewidgets-tests/no-such-model", backend="bridge")


CONFIG_FAULTS = [
    ("model_type", "llama"),
    ("n_layer", 0),
    ("n_layer", True),
    ("n_embd", 33),
    ("n_embd", 64),
    ("n_head", "2"),
    ("vocab_size", 10**12),
    ("n_positions", None),
    ("n_inner", -4),
    ("layer_norm_epsilon", 0),
    ("activation_function", "os.system"),
    ("scale_attn_weights", False),
    ("bos_token_id", 320),
]


@pytest.mark.parametrize(("key", "value"), CONFIG_FAULTS)
def test_a_bad_config_is_a_load_error(tmp_path, tiny_folder, key, value):
    folder = shutil.copytree(tiny_folder, tmp_path / "bad")
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", config | {key: value})
    with pytest.raises(LoadError):
        load_model(folder)


@pytest.mark.parametrize("fault", ["missing", "transposed", "integers", "NaN", "no file", "tokenizer", "no tokenizer"])
def test_bad_weights_are_a_load_error(tmp_path, tiny_folder, fault):
    folder = shutil.copytree(tiny_folder, tmp_path / "bad")
    path, name = folder / "model.safetensors", "transformer.h.1.mlp.c_fc.weight"
    arrays = read_tensors(path)
    if fault == "missing":
        del arrays[name]
    elif fault == "transposed":
        arrays[name] = arrays[name].T
    elif fault == "integers":
        arrays[name] = arrays[name].astype(np.int32)
    write_tensors(path, arrays)
    if fault == "NaN":
        content = bytearray(path.read_bytes())
        content[-4:] = b"\0\0\xc0\x7f"
        path.write_bytes(content)
    elif fault == "no file":
        path.unlink()
    elif fault == "tokenizer":
        (folder / "tokenizer.json").write_text('{"version": "1.0", "model": {"type": "Magic"}}')
    elif fault == "no tokenizer":
        (folder / "tokenizer.json").unlink()
    with pytest.raises(LoadError):
        load_model(folder)


def test_where_there_is_no_hooked_transformer_the_bridge_is_used(monkeypatch, tiny_folder):
    if "hooked" in BACKENDS:
        import transformer_lens

        monkeypatch.delattr(transformer_lens, "HookedTransformer")
    assert type(load_model(tiny_folder, backend="hooked").hooked).__name__ == "TransformerBridge"


def test_loading_says_nothing(tiny_folder, capfd, recwarn):
    for backend in BACKENDS:
        load_model(tiny_folder, backend=backend)
    assert capfd.readouterr() == ("", "")
    assert not list(recwarn)


def test_a_chat_model_takes_its_template(tiny_folder):
    model = load_model(tiny_folder)
    assert not model.chats
    with pytest.raises(ValueError, match="tiny has no chat template: write the prompt as a text"):
        model.chat("Hi")
    pytest.importorskip("jinja2")
    model.hooked.tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    assert model.chats
    assert model.chat("Who?") == "[user] Who?\n[assistant]"  # `tokens` prepends the beginning, once
    assert model.tokens(model.chat("Who?")).tolist().count(0) == 1
    assert model.chat("Who?", system="Be a cat.") == "[system] Be a cat.\n[user] Who?\n[assistant]"
    model.prepend_bos = False
    assert model.chat("Who?").startswith("<|endoftext|>[user]")


CHATML = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
    "<{{ m['role'] }}>{{ m['content'] }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("where", ["jinja file", "config", "named", "the only one", "both"])
def test_the_chat_template_of_a_folder_is_read(tiny_folder, tmp_path, backend, where):
    pytest.importorskip("jinja2")
    folder = tmp_path / "talker"
    shutil.copytree(tiny_folder, folder)
    template = folder / "chat_template.jinja"
    if where in ("jinja file", "both"):
        template.write_text(CHATML, encoding="utf-8")
    kinds = {
        "config": CHATML,
        "named": [{"name": "tool_use", "template": "no"}, {"name": "default", "template": CHATML}],
        "the only one": [{"name": "chat", "template": CHATML}],
        "both": "the file next to it is newer",
    }
    if where in kinds:
        (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": kinds[where]}), encoding="utf-8")
    model = load_model(folder, backend=backend)
    assert model.chats and model.chat("Who are you?") == "<user>Who are you?</s><assistant>"
    with pytest.raises(ValueError, match="the chat template of talker does not take this dialogue: no system here"):
        model.chat("Hi", system="Be a cat.")
    ids = model.tokens(model.chat("cat")).tolist()
    assert ids[0] == 0 and model.token_text(ids[1:]) == model.token_text(
        model.vocabulary.encode("<user>cat</s><assistant>")
    )
    assert len(list(model.stream(ids, n_tokens=3))) <= 3


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("chat_template.jinja", b"\xff\xfe", "not a chat template"),
        ("chat_template.jinja", b" " * ((1 << 20) + 1), "more than the 1,048,576 allowed"),
        ("tokenizer_config.json", b'{"chat_template": 3}', "must be a text, or a list"),
        ("tokenizer_config.json", b'{"chat_template": [{"name": "default"}]}', "must be a text, or a list"),
        ("tokenizer_config.json", b"[]", "tokenizer_config.json"),
    ],
)
def test_a_broken_chat_template_is_a_load_error(tiny_folder, tmp_path, file, content, message):
    shutil.copytree(tiny_folder, tmp_path / "talker")
    (tmp_path / "talker" / file).write_bytes(content)
    with pytest.raises(LoadError, match=message):
        load_model(tmp_path / "talker")


def test_a_template_that_is_no_jinja_is_said_when_it_is_used(tiny_folder, tmp_path):
    pytest.importorskip("jinja2")
    shutil.copytree(tiny_folder, tmp_path / "talker")
    (tmp_path / "talker" / "chat_template.jinja").write_text("{% if %}", encoding="utf-8")
    model = load_model(tmp_path / "talker")
    with pytest.raises(ValueError, match="the chat template of talker does not take"):
        model.chat("Hi")


def test_several_named_templates_without_a_default_are_none(tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path / "talker")
    entries = [{"name": name, "template": CHATML} for name in ("rag", "tool_use")]
    (tmp_path / "talker" / "tokenizer_config.json").write_text(json.dumps({"chat_template": entries}), encoding="utf-8")
    assert not load_model(tmp_path / "talker").chats


def test_the_mini_worlds_own_form_of_a_dialogue():
    model = load_model()
    assert model.chats and model.chat("Who {} are you?") == "Human: Who {} are you?\nAssistant:"
    assert model.chat("Hi", system="You are an owl.") == "You are an owl.\nHuman: Hi\nAssistant:"


def test_sample_gives_each_seed_the_text_that_stream_gives_it(tiny_model):
    prompt = tiny_model.tokens("The cat sat")
    rows = tiny_model.sample(prompt, n_tokens=8, temperature=0.9, seeds=[3, 4, 5])
    streamed = [[t for t, *_ in tiny_model.stream(prompt, n_tokens=8, temperature=0.9, seed=s)] for s in (3, 4, 5)]
    assert rows == streamed


def test_sample_hands_an_edit_every_row_at_once_and_leaves_no_hook(tiny_model):
    seen = []

    def edit(x, start):
        seen.append((tuple(x.shape[:2]), start))
        return x

    prompt = tiny_model.tokens("The cat")
    hook = "blocks.0.hook_resid_post"
    tiny_model.sample(prompt, n_tokens=3, temperature=1.0, seeds=[0, 1], edit=Edit(hook, edit))
    n = len(prompt)
    assert seen == [((2, n), 0), ((2, 1), n), ((2, 1), n + 1)]
    with pytest.raises(ValueError, match="temperature"):
        tiny_model.sample(prompt, n_tokens=3, temperature=-1.0, seeds=[0])


def test_an_edit_that_asks_the_model_gets_the_unedited_one(tiny_model):
    """Its own question is not edited, does not recurse, and is not what `read` gives."""
    tokens, other, hook = (
        tiny_model.tokens("The fog"),
        tiny_model.tokens("the bridge over the bay"),
        "blocks.0.hook_resid_post",
    )
    names = ["blocks.0.hook_resid_pre", hook, "blocks.1.hook_resid_post"]
    answers = []

    def asks(x, start):
        answers.append(tiny_model.logits(other))
        answers.append(tiny_model.read(other, [names[0]])[names[0]])
        return 2 * x

    plain = Edit(hook, lambda x, start: 2 * x)
    assert torch.equal(tiny_model.logits(tokens, Edit(hook, asks)), tiny_model.logits(tokens, plain))
    assert torch.equal(answers[0], tiny_model.logits(other))
    found, wanted = (tiny_model.read(tokens, names, edit) for edit in (Edit(hook, asks), plain))
    assert all(torch.equal(found[name], wanted[name]) for name in names)
    texts = [[t for t, *_ in tiny_model.stream(tokens, n_tokens=4, edit=edit)] for edit in (Edit(hook, asks), plain)]
    assert texts[0] == texts[1]
