"""Ways to a model: folders that are not sound, names on the hub without a network, models without a tokenizer."""

from __future__ import annotations

import json
import re
import shutil
import socket

import numpy as np
import pytest
import torch

import saewidgets as sw
from saewidgets.files import LoadError, read_tensors, write_json, write_tensors
from saewidgets.models import Model, load_model
from saewidgets.models.hub import official_name

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def llama(tmp_path_factory, tiny_folder):
    """A sound Llama in two shards or more, in bfloat16."""
    folder = tmp_path_factory.mktemp("llama") / "llama"
    config = transformers.LlamaConfig(
        vocab_size=320,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        bos_token_id=0,
        eos_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.LlamaForCausalLM(config).bfloat16().save_pretrained(folder, max_shard_size="20KB")
    shutil.copy(tiny_folder / "tokenizer.json", folder)
    return folder


@pytest.fixture
def broken(llama, tmp_path):
    """A copy to break."""
    return shutil.copytree(llama, tmp_path / "mine")


def change(folder, **keys):
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", config | keys)


def index(folder):
    return json.loads((folder / "model.safetensors.index.json").read_text())


def rename(folder, name):
    """A weight is there under a name that no part asks for: transformers would make up the one that is missing."""
    files = index(folder)["weight_map"]
    arrays = read_tensors(folder / files[name])
    write_tensors(folder / files[name], {f"{k}_" if k == name else k: v for k, v in arrays.items()}, {"format": "pt"})
    write_json(
        folder / "model.safetensors.index.json",
        {"metadata": {}, "weight_map": {f"{k}_" if k == name else k: v for k, v in files.items()}},
    )


def test_dtype_is_the_files_or_what_is_asked(llama):
    assert load_model(llama, dtype="auto").dtype == torch.bfloat16
    assert load_model(llama).dtype == torch.float32
    half = load_model(llama, dtype=torch.float16)
    assert half.dtype == torch.float16 and half.weights == "float16"
    assert half.logits([1, 2, 3]).isfinite().all()
    for wrong in ("float8", torch.int8, 16):
        with pytest.raises(ValueError, match="dtype must be 'auto'"):
            load_model(llama, dtype=wrong)


def test_a_gpt2_folder_in_another_format_and_in_shards(tiny_folder, tmp_path):
    whole = load_model(tiny_folder)
    model = transformers.GPT2LMHeadModel.from_pretrained(tiny_folder)
    model.config.activation_function = "gelu_pytorch_tanh"  # another name of the same function
    model.save_pretrained(tmp_path / "tiny", max_shard_size="20KB")
    shutil.copy(tiny_folder / "tokenizer.json", tmp_path / "tiny")
    ids = torch.arange(1, 40)
    torch.testing.assert_close(load_model(tmp_path / "tiny").logits(ids), whole.logits(ids), atol=1e-5, rtol=1e-5)
    half = load_model(tiny_folder, dtype="bf16")
    assert half.dtype == torch.bfloat16
    assert (half.logits(ids).float() - whole.logits(ids)).abs().max() < 0.05 * whole.logits(ids).abs().max()


def test_folding_is_chosen(llama, tiny_folder):
    plain, folded = (load_model(tiny_folder, weight_processing=w) for w in ("none", "folded"))
    assert (plain.weight_processing, folded.weight_processing) == ("none", "folded")
    ids = torch.arange(1, 30)
    torch.testing.assert_close(plain.logits(ids).log_softmax(-1), folded.logits(ids).log_softmax(-1), atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="unknown weight_processing 'fold'; nearest: folded"):
        load_model(llama, weight_processing="fold")


FAULTS = {
    "unknown type": (lambda f: change(f, model_type="lama"), "model_type 'lama' is no text model that transformers"),
    "own code": (
        lambda f: change(f, model_type="mine", auto_map={"AutoModelForCausalLM": "code.Mine"}),
        r"its own code \(auto_map\) is never run",
    ),
    "no bridge": (lambda f: change(f, model_type="biogpt"), "TransformerLens .*has no bridge for BioGptForCausalLM"),
    "quantized": (
        lambda f: change(f, quantization_config={"quant_method": "gptq"}),
        r"quantized \(gptq\): load it with",
    ),
    "larger than its files": (
        lambda f: change(f, hidden_size=4096),
        "it describes a model of .* numbers, and the files",
    ),
    "no end of layers": (lambda f: change(f, num_hidden_layers=10**9), "it speaks of 1000000000 layers"),
    "another layer": (lambda f: change(f, num_hidden_layers=3, vocab_size=100), "missing|another shape"),
    "a weight of another name": (lambda f: rename(f, "model.layers.1.mlp.up_proj.weight"), "up_proj.weight is missing"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), r"no such file; .*tokenizer=None"),
    "a shard gone": (lambda f: sorted(f.glob("model-*"))[0].unlink(), "No such file"),
    "out of the folder": (
        lambda f: write_json(f / "model.safetensors.index.json", {"weight_map": {"x": "../other.safetensors"}}),
        "is not the name of a safetensors file in the same folder",
    ),
    "index that lies": (
        lambda f: write_json(
            f / "model.safetensors.index.json",
            {"weight_map": index(f)["weight_map"] | {"nothing": next(iter(index(f)["weight_map"].values()))}},
        ),
        "it says that nothing is in .* which does not hold it",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_with_a_folder_is_one_sentence(broken, fault):
    spoil, message = FAULTS[fault]
    spoil(broken)
    with pytest.raises(LoadError, match=message) as caught:
        load_model(broken)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_a_pickle_is_not_opened_and_the_way_out_is_said(broken):
    for file in broken.glob("model*"):
        file.unlink()
    (broken / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(
        LoadError, match=r"pytorch_model.bin is a pickle.*convert it: .*save_pretrained\('new-folder'\)"
    ):
        load_model(broken)


def test_values_that_are_not_finite_are_refused(broken):
    shard = sorted(broken.glob("model-*"))[0]
    arrays = read_tensors(shard)
    name = next(iter(arrays))
    large = np.full_like(arrays[name], 1e30)
    write_tensors(shard, arrays | {name: large}, {"format": "pt"})
    assert load_model(broken).dtype == torch.float32
    with pytest.raises(LoadError, match=f"{name} holds values that are not finite in float16.* dtype='bfloat16'"):
        load_model(broken, dtype="float16")


def test_code_of_its_own_is_said_to_be_left_out(broken):
    change(broken, auto_map={"AutoModelForCausalLM": "code.Mine"})
    (broken / "code.py").write_text("raise SystemExit('ran')")
    with pytest.warns(UserWarning, match=r"names code of its own \(auto_map\), which is never run"):
        assert load_model(broken).n_layers == 2


def test_a_missing_beginning_token_is_not_made_up(broken):
    """Qwen: config.json names an id, and the tokenizer says that there is none. TransformerLens puts the end in its
    place.
    """
    write_json(broken / "tokenizer_config.json", {"bos_token": None, "eos_token": "<|endoftext|>"})
    model = load_model(broken)
    assert (model.bos_token_id, model.eos_token_id, model.prepend_bos) == (None, 0, False)
    assert model.tokens("The").tolist()[0] != 0


def test_a_hooked_transformer_of_a_llama_folder_is_refused_at_once(llama):
    with pytest.raises(ValueError, match=r"llama is a 'llama', .*leave backend at 'auto'"):
        load_model(llama, backend="hooked")


def test_a_model_in_memory_with_its_tokenizer(llama):
    hf_model = transformers.AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(llama / "tokenizer.json"), bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    )
    model = Model(hf_model, tokenizer)
    assert (model.name, model.bos_token_id, model.prepend_bos) == ("llama", 0, True)
    ids = model.tokens("The bridge")
    assert model.written(ids[1:]) == "The bridge"
    torch.testing.assert_close(model.logits(ids), load_model(llama).logits(ids), atol=1e-5, rtol=1e-5)
    with pytest.raises(TypeError, match="a tokenizer goes with a transformers model"):
        Model(model.hooked, tokenizer)


@pytest.fixture
def othello(llama):
    """A model that knows token ids alone."""
    return load_model(llama, tokenizer=None)


def test_a_model_without_a_tokenizer_is_clamped_probed_and_diagnosed_by_ids(othello):
    site = sw.site(othello, "blocks.0.hook_resid_post")
    sae = sw.SAE(sw.SAEConfig(32, 64, "topk", k=8, site=site))
    steered = sw.Steerer(othello, sae).generate([1, 2, 3], [sw.Clamp(5, 30.0)], n_tokens=6, temperature=0)
    assert steered.prompt == "<id 1><id 2><id 3>" and len(steered.tokens) > 0
    assert all(token.text == f"<id {token.id}>" for token in steered.tokens)
    plain = sw.Steerer(othello, sae).generate([1, 2, 3], n_tokens=6, temperature=0)
    assert [t.id for t in plain.tokens] == [t for t, *_ in othello.stream([1, 2, 3], n_tokens=6, temperature=0)]
    found = sw.prompt_activations(othello, sae, [1, 2, 3])
    assert found.token_ids == (1, 2, 3) and found.text == "<id 1><id 2><id 3>"
    assert sw.diagnose(othello, sae, n_tokens=128).n_tokens > 0
    for wrong, message in [
        ([[1, 2]], "give a text, or token ids in one row, not values of shape [1, 2]"),
        ([0.5], "token ids are whole numbers, not float32"),
        ([-1], "token -1 does not exist"),
        ([320], "token 320 does not exist"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            othello.tokens(wrong)


# --- names on the hub


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("gpt2-small", "gpt2"),
        ("gpt2", "gpt2"),
        ("pythia-70m-deduped", "EleutherAI/pythia-70m-deduped"),
        ("gemma-2-2b", "google/gemma-2-2b"),
        ("GPT2-Small", "gpt2"),
        ("someone/something", "someone/something"),
        ("minworld", None),
    ],
)
def test_common_short_names(typed, name):
    assert official_name(typed) == name


@pytest.mark.parametrize("name", ["gpt2-small", "saewidgets-tests/no-such-model"])
def test_without_a_network_one_question_is_asked_and_one_sentence_said(monkeypatch, tmp_path, capfd, name):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    asked = []

    def refuse(host, *args, **options):
        asked.append(host)
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(LoadError, match=r"not loaded from the Hugging Face hub \(the hub cannot be reached") as caught:
        load_model(name)
    # Once in a process the hub's client also asks for a list of its own; its usual way was six tries for each file.
    assert 1 <= len(asked) <= 2 and "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def hub_cache(monkeypatch, tmp_path):
    """An empty cache of the hub, and the hub out of reach; put(name, folder) puts a repository into it."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))

    def put(name, folder):
        repository = tmp_path / ("models--" + name.replace("/", "--"))
        shutil.copytree(folder, repository / "snapshots" / "0123abc")
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("0123abc")

    return put


def test_a_cached_hub_model_loads_offline_under_its_name(hub_cache, llama):
    hub_cache("someone/llama", llama)
    model = load_model("someone/llama")
    assert (model.name, model.weight_processing) == ("someone/llama", "none")  # RMSNorm: nothing to fold
    ids = torch.arange(1, 20)
    torch.testing.assert_close(model.logits(ids), load_model(llama).logits(ids))
    with pytest.raises(LoadError, match=r"not loaded from the Hugging Face hub"):
        load_model("someone/llama", revision="other")
    with pytest.raises(ValueError, match="revision='main' is of a model on the hub"):
        load_model(llama, revision="main")


def test_a_hub_model_of_transformer_lens_table_is_folded_and_means_the_same(hub_cache, tiny_folder, tmp_path):
    published = shutil.copytree(tiny_folder, tmp_path / "published")
    change(published, n_ctx=64)  # as the config on the hub has it, and TransformerLens reads it
    hub_cache("gpt2", published)
    model, plain = load_model("gpt2-small"), load_model("gpt2", weight_processing="none")
    if not any(cls.__name__ == "HookedTransformer" for cls in type(model.hooked).__mro__):
        assert type(model.hooked).__name__ == "TransformerBridge"  # TransformerLens 4
    assert (model.name, model.weight_processing, plain.weight_processing) == ("gpt2", "folded", "none")
    ids, own = torch.arange(1, 30), load_model(tiny_folder)
    torch.testing.assert_close(plain.logits(ids), own.logits(ids), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model.logits(ids).log_softmax(-1), own.logits(ids).log_softmax(-1), atol=1e-4, rtol=1e-4)
    assert model.tokens("The bridge").tolist() == own.tokens("The bridge").tolist()


def test_a_pickle_on_the_hub_is_refused(hub_cache, llama, tmp_path):
    folder = shutil.copytree(llama, tmp_path / "old")
    for file in folder.glob("model*"):
        file.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    hub_cache("someone/old", folder)
    with pytest.raises(LoadError, match="not loaded from the Hugging Face hub"):
        load_model("someone/old")


def test_a_file_that_is_no_gguf(tmp_path):
    pytest.importorskip("gguf")
    (tmp_path / "x.gguf").write_bytes(b"GGML" + bytes(60))
    with pytest.raises(LoadError, match="not a GGUF file"):
        load_model(tmp_path / "x.gguf")
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + bytes(60))
    with pytest.raises(LoadError, match="transformers does not read it"):
        load_model(tmp_path / "x.gguf")
    (tmp_path / "x.txt").write_bytes(b"")
    with pytest.raises(LoadError, match=r"a file is read if it is a \.gguf"):
        load_model(tmp_path / "x.txt")
