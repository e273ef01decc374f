"""A GGUF file from end to end: a tiny Qwen 2 written with the package `gguf`, opened by `load_model`."""

from __future__ import annotations

import pytest
import torch

import saewidgets as sw
from saewidgets.models.gguf import read_gguf

gguf = pytest.importorskip("gguf")

D, LAYERS, HEADS, KV, MLP, CONTEXT = 32, 2, 4, 2, 64, 64
TEXT = "the cat sat on the mat and then it went to the bridge"


@pytest.fixture(scope="module")
def qwen(tiny_folder):
    """A random Qwen 2 in transformers' class, with the tiny folder's tokenizer."""
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(tiny_folder / "tokenizer.json"))
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=D,
        intermediate_size=MLP,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV,
        max_position_embeddings=CONTEXT,
        initializer_range=0.3,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = Qwen2ForCausalLM(config).eval()
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(weight, std=0.3)
    return model, tokenizer


def written(path, qwen, kind):
    """The model as a GGUF file whose matrices are of this kind; norms and biases stay float32, as llama.cpp writes
    them.
    """
    model, tokenizer = qwen
    file = gguf.GGUFWriter(path, "qwen2")
    file.add_file_type(gguf.LlamaFileType[{"F32": "ALL_F32", "Q8_0": "MOSTLY_Q8_0"}[kind]])
    file.add_context_length(CONTEXT)
    file.add_embedding_length(D)
    file.add_block_count(LAYERS)
    file.add_feed_forward_length(MLP)
    file.add_head_count(HEADS)
    file.add_head_count_kv(KV)
    file.add_rope_freq_base(10_000.0)
    file.add_layer_norm_rms_eps(model.config.rms_norm_eps)
    file.add_vocab_size(len(tokenizer))
    vocabulary = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    merges = [" ".join(m) if isinstance(m, list) else m for m in _merges(tokenizer)]
    file.add_tokenizer_model("gpt2")
    file.add_token_list(vocabulary)
    file.add_token_types([3 if i == 0 else 1 for i in range(len(vocabulary))])  # control, normal
    file.add_token_merges(merges)
    file.add_bos_token_id(0)
    file.add_eos_token_id(0)
    names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v"}
    names |= {"self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up"}
    names |= {"mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    top = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    for name, weight in model.state_dict().items():
        stem, _, end = name.rpartition(".")
        if stem in top:
            own = top[stem]
        else:
            _, _, layer, part = stem.split(".", 3)
            own = f"blk.{layer}.{names[part]}"
        array = weight.detach().float().numpy()
        if array.ndim == 1 or kind == "F32":
            file.add_tensor(f"{own}.{end}", array)
        else:
            raw = gguf.quants.quantize(array, gguf.GGMLQuantizationType[kind])
            file.add_tensor(f"{own}.{end}", raw, raw_dtype=gguf.GGMLQuantizationType[kind])
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def _merges(tokenizer):
    import json

    return json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]


@pytest.mark.parametrize(("kind", "error"), [("F32", 1e-4), ("Q8_0", 0.2)])
def test_a_gguf_file_is_the_model_that_was_written(tmp_path, qwen, kind, error):
    """Float32 comes back as it was; of 8 bits with a scale for each 32 numbers the logits are what is left of them."""
    path = tmp_path / f"tiny-{kind}.gguf"
    written(path, qwen, kind)
    model = sw.load_model(path)
    assert (model.name, model.quantization) == ("tiny", kind)
    assert model.weights == f"float32, from {kind}"
    hf, tokenizer = qwen
    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    assert model.tokens(TEXT, prepend_bos=False).tolist() == ids
    with torch.no_grad():
        expected = hf(torch.tensor([ids])).logits
    found = model.logits([ids])
    assert float((found - expected).norm() / expected.norm()) < error
    if kind != "F32":
        assert float((found - expected).norm() / expected.norm()) > 1e-4  # it was quantized
    half = sw.load_model(path, dtype="bfloat16")
    assert half.dtype == torch.bfloat16 and half.weights == f"bfloat16, from {kind}"


def test_a_file_is_parsed_once_whoever_asks_for_it(tmp_path, qwen, monkeypatch):
    """transformers asks for the config, the tokenizer and the weights, each time anew."""
    path = tmp_path / "tiny.gguf"
    written(path, qwen, "F32")
    parsed = []

    class Reader(gguf.GGUFReader):
        def __init__(self, path):
            parsed.append(str(path))
            super().__init__(path)

    monkeypatch.setattr(gguf, "GGUFReader", Reader)
    read_gguf(path)
    assert parsed == [str(path)]
    assert gguf.GGUFReader is Reader  # for everybody else it is what it was
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(sw.LoadError):
        read_gguf(path)
    assert len(parsed) == 2 and gguf.GGUFReader is Reader
