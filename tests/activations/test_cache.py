"""Activations on disk and in memory: the same batches, each row once an epoch, each at its own token."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections import Counter

import numpy as np
import pytest
import torch
from fake_model import SITE, FakeModel, as_rows, expected_rows, random_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

import saewidgets as sw
from saewidgets.activations import ActivationStore, cache, corpus_rows, harvest
from saewidgets.files import LoadError

TEXTS = ["The bridge is red", "fog", "The bay is cold and the fog", "red bridge over the bay over the fog", "a"]


def pairs(first, second):
    first, second = list(first), list(second)
    assert len(first) == len(second)
    return zip(first, second, strict=True)


# -- disk as memory ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("buffer_tokens", [40, 10_000])
@pytest.mark.parametrize("shard_bytes", [600, 1 << 28])
def test_batches_from_disk_are_those_from_memory(tmp_path, dtype, buffer_tokens, shard_bytes):
    sizes = {"batch_size": 16, "seed": 3, "epochs": 3, "buffer_tokens": buffer_tokens}
    memory = ActivationStore(FakeModel(), SITE, random_rows(), **sizes)
    disk = memory.cache(tmp_path / "cache", dtype=dtype, shard_bytes=shard_bytes)
    again = ActivationStore.from_disk(tmp_path / "cache", **sizes)
    assert (len(list((tmp_path / "cache").glob("rows-*"))) > 1) == (shard_bytes == 600)
    exact = getattr(torch, dtype)
    for a, b in pairs(memory, disk):
        assert b.dtype == torch.float32 and torch.equal(a.to(exact).float(), b)
    for a, b in pairs(disk.batches(start=5), again.batches(start=5)):
        assert torch.equal(a, b)
    assert again.model is None and again.site == memory.site and again.n_tokens == memory.n_tokens


@pytest.mark.parametrize("buffer_tokens", [20, 10_000])
def test_a_real_model_gives_the_same_bits(tmp_path, tiny_model, buffer_tokens):
    """Where the corpus fits in the buffer, both read what one set of forward passes gave; where it does not, a pass of
    other documents may round otherwise, and nothing but rounding may differ.
    """
    site = sw.site(tiny_model, "blocks.0.hook_resid_post")
    memory = ActivationStore(tiny_model, site, TEXTS, batch_size=4, epochs=2, buffer_tokens=buffer_tokens)
    disk = memory.cache(tmp_path / "cache")
    for a, b in pairs(memory, disk):
        assert torch.equal(a, b) if buffer_tokens == 10_000 else torch.allclose(a, b, atol=1e-5)
    assert disk.site == memory.site and disk.site.scale != 1.0


def test_a_shard_is_a_safetensors_file_that_anybody_can_open(tmp_path):
    store = ActivationStore(FakeModel(), SITE, random_rows(), epochs=1)
    store.cache(tmp_path / "cache", dtype="bfloat16")
    rows = load_file(tmp_path / "cache" / "rows-00000.safetensors")["activations"]
    assert rows.dtype == torch.bfloat16
    assert sorted(tuple(int(v) for v in row) for row in rows) == expected_rows(random_rows())


def test_a_corpus_that_fits_is_run_once_for_scale_batches_and_disk(tmp_path):
    model = FakeModel()
    store = ActivationStore(model, SITE, random_rows(), batch_size=16, epochs=1)
    next(iter(store))
    before = len(model.passes)
    list(store.cache(tmp_path / "cache"))
    assert len(model.passes) == before == 1


def test_training_from_disk_is_training_from_memory(tmp_path):
    memory = ActivationStore(FakeModel(), SITE, random_rows(), batch_size=16)
    disk = memory.cache(tmp_path / "cache")
    saes = [sw.SAE(sw.SAEConfig(4, 16, architecture="topk", k=2, site=memory.site)) for _ in range(2)]
    for sae, store in zip(saes, (memory, disk), strict=True):
        list(sw.train(sae, store, sw.TrainConfig(steps=12)))
    assert torch.equal(saes[0].W_dec, saes[1].W_dec) and torch.equal(saes[0].W_enc, saes[1].W_enc)


@pytest.mark.parametrize("architecture", ["topk", "batchtopk", "relu", "jumprelu", "gated"])
@pytest.mark.parametrize("source", ["memory", "disk"])
def test_a_training_stopped_anywhere_goes_on_bit_for_bit(tmp_path, architecture, source):
    """Cuts on either side of a buffer's end and of an epoch's (240 to 280 rows an epoch, 60 a buffer, 16 a batch)."""

    def store():
        if source == "disk":
            return ActivationStore.from_disk(tmp_path / "cache", batch_size=16, buffer_tokens=60)
        return ActivationStore(FakeModel(), SITE, random_rows(), batch_size=16, buffer_tokens=60)

    def fresh():
        return sw.SAE(sw.SAEConfig(4, 12, architecture=architecture, k=2, l1_coefficient=0.1))

    if source == "disk":
        ActivationStore(FakeModel(), SITE, random_rows()).cache(tmp_path / "cache")
    config = sw.TrainConfig(steps=40, lr=1e-3, dead_window=300)
    whole = sw.train(fresh(), store(), config)
    saved = {}
    for step in whole:
        if step.step in (1, 3, 4, 14, 16, 17, 39):
            saved[step.step] = tmp_path / f"{step.step}.safetensors"
            whole.save(saved[step.step])
    assert len(saved) == 7 and store().n_tokens < 17 * 16
    for cut, path in saved.items():
        resumed = sw.train(fresh(), store(), config, resume=path)
        steps = list(resumed)
        assert steps == whole.history[cut:]
        for name, tensor in whole.tensors.items():
            assert torch.equal(tensor, resumed.tensors[name]), (cut, name)


def test_readers_do_not_disturb_one_another(tmp_path):
    ActivationStore(FakeModel(), SITE, random_rows(), epochs=1).cache(tmp_path / "cache", shard_bytes=600)
    sizes = {"batch_size": 8, "epochs": 2, "buffer_tokens": 30}
    alone = list(ActivationStore.from_disk(tmp_path / "cache", **sizes))
    found = {}

    def read(name):
        found[name] = list(ActivationStore.from_disk(tmp_path / "cache", **sizes))

    threads = [threading.Thread(target=read, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for batches in found.values():
        assert all(torch.equal(a, b) for a, b in pairs(alone, batches))


# -- what is broken is refused ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "cache"
    ActivationStore(FakeModel(), SITE, random_rows(), epochs=1).cache(path, shard_bytes=600)
    return path


def files_of(path):
    return sorted(file.name for file in path.iterdir())


def test_every_file_cut_short_or_missing_is_refused(whole, tmp_path):
    names = files_of(whole)
    assert len(names) > 4
    for i, name in enumerate(names):
        for j, damage in enumerate(("cut", "gone", "longer", "empty")):
            path = shutil.copytree(whole, tmp_path / f"{i}-{j}")
            data = (path / name).read_bytes()
            if damage == "gone":
                (path / name).unlink()
            else:
                (path / name).write_bytes({"cut": data[:-1], "longer": data + b"\0", "empty": b""}[damage])
            if name == "manifest.json" and damage == "cut":
                continue  # the last byte is a line end
            words = {"cut": "truncated", "gone": "missing", "longer": "too long", "empty": "truncated"}[damage]
            for verify in (True, False):
                with pytest.raises(LoadError, match=words if name != "manifest.json" else None):
                    ActivationStore.from_disk(path, verify=verify)


def test_one_flipped_bit_is_found(whole, tmp_path):
    for i, name in enumerate(n for n in files_of(whole) if n != "manifest.json"):
        path = shutil.copytree(whole, tmp_path / str(i))
        data = bytearray((path / name).read_bytes())
        data[-3] ^= 1
        (path / name).write_bytes(data)
        with pytest.raises(LoadError, match="changed"):
            ActivationStore.from_disk(path)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"dtype": "float64"},
        {"dtype": "float16"},
        {"rows": 1},
        {"rows": None},
        {"site": {}},
        {"site": None},
        {"shards": []},
        {"shards": [1]},
        {"shards": [{"file": "../rows-00000.safetensors", "rows": 1, "bytes": 1, "sha256": ""}]},
        {"index": {"file": "manifest.json", "bytes": 1, "sha256": ""}},
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(whole, tmp_path, change):
    path = shutil.copytree(whole, tmp_path / "cache")
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | change))
    with pytest.raises(LoadError):
        ActivationStore.from_disk(path, verify=False)


@pytest.mark.parametrize(
    "change",
    [{"scale": -1}, {"scale": 0}, {"scale": "x"}, {"scale": 10**400}, {"hook_name": ["x"]}, {"d_in": 0}, {"extra": 1}],
)
def test_a_site_that_is_none_is_refused(whole, tmp_path, change):
    path = shutil.copytree(whole, tmp_path / "cache")
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["site"] |= change
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(LoadError):
        ActivationStore.from_disk(path, verify=False)


def test_rows_that_are_not_finite_are_found_under_a_hash_made_anew(whole, tmp_path):
    path = shutil.copytree(whole, tmp_path / "cache")
    manifest = json.loads((path / "manifest.json").read_text())
    shard = path / manifest["shards"][-1]["file"]
    kind = {"float32": np.float32, "float16": np.float16}[manifest["dtype"]]
    data = bytearray(shard.read_bytes())
    data[-np.dtype(kind).itemsize :] = kind("nan").tobytes()
    shard.write_bytes(data)
    manifest["shards"][-1]["sha256"] = hashlib.sha256(data).hexdigest()
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(LoadError, match="not finite"):
        ActivationStore.from_disk(path)


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    model, folder = FakeModel(), tmp_path / "deep"
    sound, calls = model.activations, []

    def broken(tokens, hook_name):
        calls.append(1)
        if len(calls) > 3:
            raise OSError(28, "No space left on device")
        return sound(tokens, hook_name)

    model.activations = broken
    store = ActivationStore(model, SITE, random_rows(), buffer_tokens=60, epochs=1)
    with pytest.raises(OSError, match="No space"):
        for _ in range(9):
            store.cache(folder / "cache")
            shutil.rmtree(folder / "cache")
    assert not folder.exists() or not list(folder.iterdir())
    model.activations = sound
    assert as_rows(store.cache(folder / "cache")) == expected_rows(random_rows())
    with pytest.raises(FileExistsError, match="there already"):
        store.cache(folder / "cache")


def test_what_a_killed_process_left_is_swept_and_what_another_one_writes_is_not(tmp_path):
    for name, age in (("0123456789ab", 10_000), ("fedcba987654", 0)):
        folder = tmp_path / f".cache.{name}.tmp"
        folder.mkdir()
        (folder / "rows-00000.safetensors").write_bytes(b"half")
        then = time.time() - age
        os.utime(folder / "rows-00000.safetensors", (then, then))
        os.utime(folder, (time.time() - 10_000,) * 2)  # a folder's own time stands still while a file in it grows
    ActivationStore(FakeModel(), SITE, random_rows(), epochs=1).cache(tmp_path / "cache")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".cache.fedcba987654.tmp", "cache"]


def test_what_a_type_cannot_hold_is_not_written(tmp_path):
    model = FakeModel()
    sound = model.activations
    model.activations = lambda tokens, hook_name: 1e5 * sound(tokens, hook_name)
    store = ActivationStore(model, SITE, random_rows(), epochs=1)
    with pytest.raises(ValueError, match="bfloat16 or float32"):
        store.cache(tmp_path / "cache", dtype="float16")
    assert not list(tmp_path.iterdir())
    store.cache(tmp_path / "bf16", dtype="bfloat16")
    with pytest.raises(ValueError, match="unknown dtype 'float8'"):
        store.cache(tmp_path / "other", dtype="float8")


def test_a_bfloat16_that_is_not_finite_is_found():
    for bits, finite in ((0x7F80, False), (0xFF80, False), (0x7FC1, False), (0x7F7F, True), (0x0000, True)):
        chunk = np.full((1, 4), bits, np.uint16)
        assert bool(torch.from_numpy(chunk.view(np.int16)).view(torch.bfloat16).isfinite().all()) == finite
        if finite:
            cache.require_finite(chunk, "bfloat16")
        else:
            with pytest.raises(ValueError, match="not finite"):
                cache.require_finite(chunk, "bfloat16")


# -- every row once an epoch, well mixed -------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 30),
    batch=st.integers(1, 50),
    buffer=st.integers(1, 300),
    epochs=st.integers(1, 3),
    seed=st.integers(0, 99),
    disk=st.booleans(),
)
def test_every_row_comes_exactly_once_an_epoch(tmp_path_factory, n, batch, buffer, epochs, seed, disk):
    rows = random_rows(n, seed=seed)
    expected = expected_rows(rows)
    if not expected:
        return
    sizes = {"batch_size": batch, "seed": seed, "epochs": epochs, "buffer_tokens": buffer}
    store = ActivationStore(FakeModel(), SITE, rows, **sizes)
    if disk:
        store = store.cache(tmp_path_factory.mktemp("cache") / "cache")
    assert as_rows(store) == sorted(expected * epochs)
    flat = torch.cat(list(store))
    for epoch in range(epochs):  # each epoch by itself, too
        assert as_rows([flat[epoch * len(expected) : (epoch + 1) * len(expected)]]) == expected


def test_positions_are_spread_evenly_over_an_epoch():
    """Chi-square of (position in its document) against (tenth of the epoch): far from the tail of chance."""
    rows = np.full((400, 21), -1, np.int32)
    rows[:, 0] = 0
    rows[:, 1:] = 1 + (np.arange(400)[:, None] + np.arange(20)) % 49
    store = ActivationStore(FakeModel(), SITE, rows, batch_size=500, epochs=1, buffer_tokens=2000)
    position = torch.cat(list(store))[:, 1].long().numpy()
    table = np.stack([np.bincount(part, minlength=21)[1:] for part in np.split(position, 10)])
    expected = table.sum(0) / 10
    statistic = ((table - expected) ** 2 / expected).sum()
    freedom = 9 * 19
    assert abs(statistic - freedom) < 4 * np.sqrt(2 * freedom)  # mean and spread of chi-square with 171 degrees


# -- each activation at its own token, no special one ----------------------------------------------------------


@pytest.mark.parametrize("padding_side", ["left", "right"])
@pytest.mark.parametrize("prepend", [True, False])
def test_each_row_is_the_last_position_of_its_own_prefix(tiny_model, padding_side, prepend):
    """Bugs 6 to 9: whatever way the tokenizer pads, and with a beginning token or without, texts read together give
    each token the activation that it has where the text ends with it.
    """
    hook = "blocks.1.hook_resid_post"
    tokenizer = tiny_model.hooked.tokenizer
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abc the fog"), rng.integers(1, 30))) for _ in range(25)] + TEXTS
    kept = tokenizer.padding_side if tokenizer is not None else None
    try:
        if tokenizer is not None:
            tokenizer.padding_side = padding_side
        listed = [tiny_model.tokens(text, prepend_bos=prepend) for text in texts]
        rows, counted = corpus_rows(tiny_model, listed)
        checked = Counter()
        for context, position, acts in harvest(tiny_model, hook, rows, counted, tokens_per_pass=100):
            for c, p, x in zip(context, position, acts, strict=True):
                if (int(c) + int(p)) % 7:
                    continue  # a seventh of all tokens, every one of them another prefix
                prefix = torch.from_numpy(rows[c : c + 1, : p + 1].astype(np.int64))
                alone = tiny_model.activations(prefix, hook)[0, -1]
                torch.testing.assert_close(x, alone, atol=1e-5, rtol=1e-5)
                checked[int(c)] += 1
        assert sum(checked.values()) > 40
        if tokenizer is not None:
            assert tokenizer.padding_side == padding_side  # the setting survives (bug 9)
    finally:
        if tokenizer is not None:
            tokenizer.padding_side = kept


def test_padding_and_company_change_no_row(tiny_model):
    """The same documents one by one, together, and beside a long one: the same multiset of rows, to rounding."""
    hook = "blocks.1.hook_resid_post"

    def rows_of(texts, **sizes):
        rows, counted = corpus_rows(tiny_model, texts)
        found = {}
        for context, position, acts in harvest(tiny_model, hook, rows, counted, **sizes):
            found |= {(int(c), int(p)): x for c, p, x in zip(context, position, acts, strict=True)}
        return found

    together = rows_of(TEXTS)
    alone = rows_of(TEXTS, tokens_per_pass=1)
    crowded = rows_of([*TEXTS, "fog " * 20])
    assert set(together) == set(alone) and set(together) <= set(crowded)
    for key, x in together.items():
        torch.testing.assert_close(x, alone[key], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(x, crowded[key], atol=1e-5, rtol=1e-5)


class Marking(FakeModel):
    """A model with more special tokens than the first."""

    special_token_ids = frozenset({0, 7, 9})


def test_no_special_token_is_kept_unless_asked_for(tmp_path):
    rng = np.random.default_rng(5)
    for case in range(100):
        rows = random_rows(6, seed=case)
        rows[rows > 0] = rng.integers(0, 12, int((rows > 0).sum()))  # special ones in the middle, too
        real = rows >= 0
        plain = sorted(rows[real & ~np.isin(rows, [0, 7, 9])].tolist())
        if not plain:
            continue
        store = ActivationStore(Marking(), SITE, rows, batch_size=1000, epochs=1)
        if case % 10 == 0:
            store = store.cache(tmp_path / str(case))
        assert sorted(int(t) for batch in store for t in batch[:, 0]) == plain
        asked = ActivationStore(Marking(), SITE, rows, batch_size=1000, epochs=1, include_special=True)
        assert sum(len(batch) for batch in asked) == int(real.sum())


def test_a_models_special_tokens_are_those_of_its_tokenizer(tiny_model):
    assert tiny_model.special_token_ids == {0}
    _, counted = corpus_rows(tiny_model, ["a<|endoftext|>b"])
    assert int((~counted).sum()) == 2 and counted.sum() == 2
