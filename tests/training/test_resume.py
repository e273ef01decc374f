"""A stopped training that is taken up again ends where it would have ended, to the last bit.

Every objective, the Matryoshka and transcoder forms, and the settings with a memory of their own, from three kinds of batches:
a list, an iterable that can jump, and an `ActivationStore` over a model. Cuts are random, from a fixed seed.
"""

from __future__ import annotations

import json
import os
import random
import warnings
from functools import cache

import numpy as np
import pytest
import torch

from saewidgets.activations import ActivationStore
from saewidgets.files import LoadError
from saewidgets.kernels import product
from saewidgets.models import site
from saewidgets.sae import SAE, SAEConfig
from saewidgets.training import OBJECTIVES, Pairs, TrainConfig, machine, train

STEPS, ROWS = 12, 16
SITES = ("blocks.0.hook_resid_pre", "blocks.1.hook_resid_pre")
TEXTS = ["The bridge over the bay", "is red", "and the fog is cold. The fog is over the bay.", "Bay"]
UNIT = {"architecture": "relu", "apply_b_dec_to_input": True}

# name -> (SAEConfig's fields, TrainConfig's)
KINDS = {
    "relu": ({"architecture": "relu"}, {}),
    "relu-resampled": ({"architecture": "relu"}, {"resample_at": (3, 7), "dead_window": 17}),
    "unit": (UNIT, {"objective": "relu_unit_norm", "resample_at": (4, 9), "dead_window": 17}),
    "p-annealing": (UNIT, {"objective": "relu_p_annealing", "p_hold": 0.2, "l1_warmup": 0.0}),
    "topk": ({"architecture": "topk", "k": 3}, {"k_start": 6, "k_anneal": 0.5, "dead_window": 20}),
    "matryoshka": ({"architecture": "topk", "k": 3}, {"prefixes": (8, 24), "dead_window": 20}),
    "batchtopk": ({"architecture": "batchtopk", "k": 3}, {"dead_window": 20, "micro_batch": 5}),
    "batch-matryoshka": ({"architecture": "batchtopk", "k": 3}, {"prefixes": (8, 24), "lr_shape": "cosine"}),
    "jumprelu": ({"architecture": "jumprelu"}, {"bandwidth": 0.2}),
    "jumprelu-tanh": ({"architecture": "jumprelu"}, {"objective": "jumprelu_tanh", "precision": "bf16"}),
    "gated": ({"architecture": "gated"}, {"resample_at": (5,), "dead_window": 17}),
    "transcoder": ({"architecture": "topk", "k": 3, "d_out": None}, {"dead_window": 20}),
    "transcoder-relu": ({"architecture": "relu", "d_out": None}, {"micro_batch": 7}),
}
CUTS = 5  # of each kind and source: 13 * 3 * 5 = 195


def test_every_objective_is_tried():
    used = {more.get("objective") or fields["architecture"] for fields, more in KINDS.values()}
    assert used == set(OBJECTIVES)
    assert len(KINDS) * 3 * CUTS >= 160


class Jumping:
    """Batches that can be entered anywhere, and nowhere else."""

    def __init__(self, batches):
        self.all = batches

    def batches(self, start=0):
        yield from self.all[start:]


@cache
def noise(n, d, seed):
    generator = torch.Generator().manual_seed(seed)
    return [2 * torch.randn(ROWS, d, generator=generator) + 1 for _ in range(n)]


@pytest.fixture(scope="module")
def begin(tiny_model):
    """begin(kind, source, resume) makes everything anew, as another process would."""
    d = site(tiny_model, SITES[0]).d_in

    def make(kind, source, resume=None):
        fields, more = dict(KINDS[kind][0]), KINDS[kind][1]
        transcoder = fields.pop("d_out", 0) is None
        places = [site(tiny_model, name, scale) for name, scale in zip(SITES, (0.5, 2.0), strict=True)]
        where = {"site": places[0]} | ({"out_site": places[1]} if transcoder else {})
        sae = SAE(SAEConfig(d, 24, seed=3, **fields, **where))
        if resume is not None:
            with torch.no_grad():  # everything comes from the checkpoint
                for weight in sae.weights.values():
                    weight.fill_(7.0)
        if source == "store":
            stores = [ActivationStore(tiny_model, p, TEXTS, batch_size=ROWS, buffer_tokens=40) for p in places]
            batches = Pairs(*stores) if transcoder else stores[0]
        else:
            batches = noise(STEPS, d, 0)
            batches = list(zip(batches, noise(STEPS, d, 1), strict=True)) if transcoder else batches
            batches = Jumping(batches) if source == "jumping" else batches
        return train(sae, batches, TrainConfig(steps=STEPS, lr=5e-3, **more), resume=resume)

    return make


@pytest.mark.parametrize("source", ["list", "jumping", "store"])
@pytest.mark.parametrize("kind", KINDS)
def test_going_on_equals_not_stopping_bit_for_bit(kind, source, begin, tmp_path):
    straight = begin(kind, source)
    whole = list(straight)
    end = {name: tensor.clone() for name, tensor in straight.tensors.items()}
    assert all(t.isfinite().all() for t in end.values())
    for cut in random.Random(f"{kind} {source}").sample(range(STEPS + 1), CUTS):
        first = begin(kind, source)
        for _ in range(cut):
            next(first)
        first.save(tmp_path / "checkpoint")
        second = begin(kind, source, resume=tmp_path / "checkpoint")
        assert list(second) == whole[cut:]
        assert second.tensors.keys() == end.keys()
        for name, tensor in second.tensors.items():
            assert torch.equal(tensor, end[name]), (cut, name)
        np.testing.assert_array_equal(second.firing_rates(), straight.firing_rates())


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_batch_is_the_one_that_would_have_come(kind, begin, tmp_path):
    first = begin(kind, "store")
    for _ in range(4):
        next(first)
    first.save(tmp_path / "checkpoint")
    second = begin(kind, "store", resume=tmp_path / "checkpoint")
    next(first), next(second)
    assert all(torch.equal(a, b) for a, b in zip(first._pending[1:], second._pending[1:], strict=True))


def test_a_damaged_checkpoint_is_found_out(begin, tmp_path):
    """Every byte of the numbers is under the digest, those too that would pass as numbers."""
    run = begin("topk", "list")
    next(run)
    run.save(path := tmp_path / "checkpoint")
    whole = path.read_bytes()
    rng = random.Random(0)
    start = 8 + int.from_bytes(whole[:8], "little")
    for _ in range(40):
        at = rng.randrange(start, len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(LoadError):
            begin("topk", "list", resume=path)
    path.write_bytes(whole)
    assert begin("topk", "list", resume=path).step == 1


def test_a_checkpoint_from_before_there_were_objectives_goes_on(begin, tmp_path):
    """It has neither firing counts nor a digest, and a TrainConfig of twelve fields."""
    from saewidgets.files import read_tensors, write_tensors

    straight = begin("relu", "list")
    whole = list(straight)
    first = begin("relu", "list")
    for _ in range(5):
        next(first)
    first.save(tmp_path / "new")
    tensors = read_tensors(tmp_path / "new")
    assert b"objective" not in bytes(tensors["config"]) and b"d_out" not in bytes(tensors["config"])
    for name in ("fired", "window", "micro_batch"):
        del tensors[name]
    write_tensors(tmp_path / "old", tensors)
    second = begin("relu", "list", resume=tmp_path / "old")
    assert list(second) == whole[5:]
    assert all(torch.equal(p, q) for p, q in zip(second.sae.parameters(), straight.sae.parameters(), strict=True))


# -- a folder of checkpoints -----------------------------------------------------------------------------------------


def saved(run, folder, *steps):
    """Save after each of these steps; each file a second younger than the one before."""
    for step in steps:
        while run.step < step:
            next(run)
        run.save(folder)
        newest = max(folder.glob(f"step-{step:09}-*.safetensors"), key=lambda file: file.stat().st_mtime_ns)
        for file in folder.iterdir():
            if file != newest:
                os.utime(file, ns=(0, file.stat().st_mtime_ns - 10**9))


def test_a_folder_keeps_the_last_two_and_the_last_goes_on(begin, tmp_path):
    straight = list(begin("topk", "list"))
    saved(begin("topk", "list"), tmp_path, 1, 3, 4, 8)
    assert sorted(f.name[:14] for f in tmp_path.iterdir()) == ["step-000000004", "step-000000008"]
    assert list(begin("topk", "list", resume=tmp_path)) == straight[8:]


def test_a_run_that_begins_anew_in_the_folder_keeps_its_own_checkpoints(begin, tmp_path):
    """The last two written, not the two of most steps: those would be the old run's for ever."""
    saved(begin("topk", "list"), tmp_path, 8, 10)
    saved(begin("topk", "list"), tmp_path, 2)
    assert sorted(f.name[12:14] for f in tmp_path.iterdir()) == ["02", "10"]
    assert begin("topk", "list", resume=tmp_path).step == 2


def test_where_the_last_checkpoint_is_damaged_the_one_before_goes_on(begin, tmp_path):
    straight = list(begin("topk", "list"))
    saved(begin("topk", "list"), tmp_path, 5, 9)
    (last,) = tmp_path.glob("step-000000009-*.safetensors")
    last.write_bytes(last.read_bytes()[:-7])
    with pytest.warns(UserWarning, match=r"step-000000009.*goes on from step-000000005") as warned:
        run = begin("topk", "list", resume=tmp_path)
    assert warned[0].filename == __file__
    assert list(run) == straight[5:]


def test_a_folder_without_a_whole_checkpoint_is_refused(begin, tmp_path):
    with pytest.raises(LoadError, match="no checkpoint in this folder"):
        begin("topk", "list", resume=tmp_path)
    saved(begin("topk", "list"), tmp_path, 2)
    with pytest.raises(
        LoadError, match=r"another SAEConfig or TrainConfig: .*architecture is 'topk' in it and 'batchtopk' here"
    ):
        begin("batchtopk", "list", resume=tmp_path)


def test_runs_of_other_settings_in_one_folder_lose_nothing(begin, tmp_path):
    straight = list(begin("topk", "list"))
    saved(begin("topk", "list"), tmp_path, 5, 9)
    saved(begin("relu", "list"), tmp_path, 1, 2, 9)
    assert len(list(tmp_path.iterdir())) == 4
    with warnings.catch_warnings(action="error"):
        run = begin("topk", "list", resume=tmp_path)
    assert list(run) == straight[9:]


def test_a_save_removes_nothing_that_is_not_its_own(begin, tmp_path):
    """And whatever killed processes left of checkpoints, whichever step they were at."""
    own = [tmp_path / "step-final.safetensors", tmp_path / ".step-1.mine.tmp", tmp_path / "step-000000001.safetensors"]
    strays = [tmp_path / f".step-000000001{mark}.safetensors.0123456789ab.tmp" for mark in ("", "-0a1b2c3d")]
    for file in (*own, *strays):
        file.write_bytes(b"x")
        os.utime(file, (1, 1))
    saved(begin("topk", "list"), tmp_path, 1, 2, 3)
    assert all(file.exists() for file in own)
    assert not any(file.exists() for file in strays)
    assert len(list(tmp_path.iterdir())) == len(own) + 2


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("step", [10**18, 10**18], "of a run of"),
        ("step", [-1, 5], "of a run of"),
        ("step", [5, 4], "after 4 tokens"),
        ("since_fired", -1, "since_fired"),
        ("since_fired", 10**9, "since_fired"),
        ("fired", -1, "fired"),
        ("window", -1, "window"),
        ("micro_batch", -1, "micro_batch"),
        ("exp_avg_sq.W_enc", -1, "squares below 0"),
        ("", None, "SHA-256 is missing"),
    ],
)
def test_numbers_that_no_training_reaches_are_refused(name, value, words, begin, tmp_path):
    """Under a SHA-256 made anew: sound as files go."""
    from safetensors.numpy import save_file

    from saewidgets.files import read_tensors, write_tensors

    run = begin("topk", "list")
    next(run)
    run.save(path := tmp_path / "checkpoint")
    tensors = read_tensors(path)
    if name:
        tensors[name][...] = value
        write_tensors(path, tensors)
    else:
        save_file(tensors, path)
    with pytest.raises(LoadError, match=words):
        begin("topk", "list", resume=path)


# -- another machine -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("torch", "1.0", r"torch 1\.0, here"), ("threads", "64", "threads 64, here"), ("numba", "", "numba none, here")],
)
def test_what_would_cost_the_bits_is_told(name, value, words, begin, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_numba", lambda: "0.99")
    run = begin("topk", "list")
    there = machine.facts
    monkeypatch.setattr(machine, "facts", lambda device: there(device) | {name: value})
    run.save(tmp_path / "checkpoint")
    monkeypatch.setattr(machine, "facts", there)
    with pytest.warns(UserWarning, match=f"written with {words}.*not bit for bit"):
        begin("topk", "list", resume=tmp_path / "checkpoint")


def test_the_same_machine_says_nothing(begin, tmp_path):
    run = begin("topk", "list")
    run.save(tmp_path / "checkpoint")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        begin("topk", "list", resume=tmp_path / "checkpoint")


@pytest.mark.parametrize("way", product.WAYS)
def test_a_new_process_takes_the_checkpoints_product(way, monkeypatch):
    """A trial chooses it, and two processes may choose differently; a run that goes on must not."""
    monkeypatch.delenv("SAEWIDGETS_PRODUCT", raising=False)
    monkeypatch.setattr(product, "chosen", cache(product.chosen.__wrapped__))
    monkeypatch.setattr(product, "_ASKED", {})
    monkeypatch.setattr(product, "_has_onednn", lambda: True)
    monkeypatch.setattr(product, "trial", lambda: pytest.fail("it was known"))
    device = torch.device("cpu")
    assert machine.facts(device)["product"] == ""
    other = next(name for name in product.WAYS if name != way)
    machine.continue_as(json.dumps(machine.facts(device) | {"product": way}).encode(), device)
    assert product.chosen() == way == machine.facts(device)["product"]
    with pytest.warns(UserWarning, match=f"product {other}, here {way}"):  # too late for another one
        machine.continue_as(json.dumps(machine.facts(device) | {"product": other}).encode(), device)
    assert product.chosen() == way
