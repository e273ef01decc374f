"""npz and .pt: their headers and steps are looked at before anything is unpacked or unpickled."""

from __future__ import annotations

import io
import pickletools
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.files import LoadError
from saewidgets.formats import load_sae, untrusted
from saewidgets.formats.state_pickle import NotAStateDict, check_state_pickle

# -- .pt -------------------------------------------------------------------------------------------------------------


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word)) + word.encode()


def number(n: int) -> bytes:
    size = (n.bit_length() + 8) // 8
    return b"\x8a" + bytes([size]) + n.to_bytes(size, "little")


def pt(path: Path, pickle: bytes, **storages: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickle)
        archive.writestr("a/version", "3\n")
        archive.writestr("a/byteorder", "little")
        for key, content in storages.items():
            archive.writestr(f"a/data/{key.removeprefix('s')}", content)
    return path


def tensor(numbers: int, shape: int, key: str = "0", kind: str = "FloatStorage") -> bytes:
    """The opcodes of one array."""
    told = text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu") + b"J" + struct.pack("<i", numbers)
    size = b"J" + struct.pack("<i", shape) + b"\x85"
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n(("
        + told
        + b"tQK\0"
        + size
        + b"K\x01\x85\x89ccollections\nOrderedDict\n)RtR"
    )


def doubled(n: int) -> bytes:
    """A tuple of two tuples of two tuples ..., whose text and hash take 2^n steps."""
    return b")" + b"q\x01h\x01\x86" * n


COLLIDING = b"".join(number(((1 << 61) - 1) * (i + 1)) + b"N" for i in range(5000))
PICKLES = {
    "2 GB of zeros": b"}(" + text("a") + b"cbuiltins\nbytearray\n(" + number(2 << 30) + b"tRu",
    "keys that all hash to 0": b"}(" + COLLIDING + b"u",
    "a key of 2^60 steps": b"}(" + doubled(60) + b"Nu",
    "a storage of 2^60 steps": b"(" + text("storage") + doubled(60) + b"tQ",
    "whole numbers as keys": b"}(K\x01K\x02u",
    "an integer of 800 bits": b"}(" + text("a") + number(1 << 800) + b"u",
    "more steps than any": b"}" + b"N0" * 20_000,
    "items of no dict": b"K\x01(" + text("a") + b"K\x02u",
    "an empty stack": b"R",
    "no mark": b"}K\x01u",
    "what was not kept": b"h\x07",
    "state of a number": b"K\x01}b",
    "a storage larger than is there": b"}(" + text("a") + tensor(5, 5) + b"u",
    "a storage that is not there": b"}(" + text("a") + tensor(4, 4, key="9") + b"u",
    "one storage many times": b"}(" + b"".join(text(f"a{i}") + tensor(4, 4) for i in range(9)) + b"u",
    "a function that opens files": b"}(" + text("a") + b"cbuiltins\nopen\n(" + text("x") + b"tRu",
}


@pytest.mark.parametrize("pickle", PICKLES.values(), ids=PICKLES.keys())
def test_a_pickle_that_no_state_dict_needs_is_refused_before_torch_sees_it(tmp_path, monkeypatch, pickle):
    path = pt(tmp_path / "x.pt", b"\x80\x02" + pickle + b".", s0=bytes(16))
    monkeypatch.setattr(torch, "load", lambda *a, **k: pytest.fail("torch was asked"))
    with pytest.raises(LoadError):
        untrusted.read_pt(path)


def test_the_same_pickle_with_nothing_wrong_is_read(tmp_path):
    """What `tensor` writes is what torch reads, and a tied array may take its storage twice."""
    pickle = b"\x80\x02}(" + text("a") + tensor(4, 4) + text("b") + tensor(4, 4) + b"u."
    state = untrusted.read_pt(pt(tmp_path / "x.pt", pickle, s0=np.arange(4, dtype="<f4").tobytes()))
    assert state["a"].tolist() == state["b"].tolist() == [0, 1, 2, 3]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    shapes=st.lists(st.lists(st.integers(0, 4), max_size=3), max_size=4),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.bool]),
    wrap=st.sampled_from(["plain", "parameter", "module", "nested", "shared"]),
    extra=st.dictionaries(st.text(max_size=5), st.integers(-(2**62), 2**62) | st.booleans() | st.text() | st.floats()),
)
def test_every_state_dict_that_torch_writes_passes(shapes, dtype, wrap, extra):
    tensors = {f"w{i}": torch.zeros(shape, dtype=dtype) for i, shape in enumerate(shapes)}
    data: dict = {"plain": tensors, "nested": {"in": tensors, **extra}, "shared": tensors}.get(wrap, tensors) | extra
    if wrap == "parameter" and dtype.is_floating_point:
        data = {name: torch.nn.Parameter(t) if isinstance(t, torch.Tensor) else t for name, t in data.items()}
    elif wrap == "module":
        data = torch.nn.Linear(3, 2).state_dict()  # an OrderedDict with `_metadata`
    elif wrap == "shared":
        data |= {f"again {name}": t for name, t in tensors.items()}
    out = io.BytesIO()
    torch.save(data, out)
    with zipfile.ZipFile(out) as archive:
        stored = {n.split("/data/")[1]: archive.getinfo(n).file_size for n in archive.namelist() if "/data/" in n}
        pickle = archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl")))
    check_state_pickle(pickle, stored)
    assert list(pickletools.genops(pickle))
    for key in (k for k, n in stored.items() if n):
        with pytest.raises(NotAStateDict):
            check_state_pickle(pickle, stored | {key: stored[key] - 1})


def test_storages_that_lie_over_one_another_are_refused(tmp_path):
    """Ten names for one stretch of the file: torch would read it ten times."""
    path = pt(tmp_path / "x.pt", b"\x80\x02}.", s0=bytes(4000), **{f"s{i}": b"" for i in range(1, 10)})
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02")
    entries = raw[at:].split(b"PK\x01\x02")[1:]
    whole = next(e for e in entries if b"a/data/0" in e)
    for i, entry in enumerate(entries):
        if b"a/data/" in entry and entry is not whole:
            entries[i] = whole[:42] + entry[42:]  # its sum, sizes and place
    path.write_bytes(raw[:at] + b"".join(b"PK\x01\x02" + e for e in entries))
    with pytest.raises(LoadError, match="over one another"):
        untrusted.read_pt(path)


# -- npz -------------------------------------------------------------------------------------------------------------


def npz(path: Path, method: int = zipfile.ZIP_DEFLATED, **arrays) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, array in arrays.items():
            out = io.BytesIO()
            np.save(out, array)
            archive.writestr(f"{name}.npy", out.getvalue())
    return path


def gemma(d_in: int = 4, d_sae: int = 6) -> dict[str, np.ndarray]:
    shapes = {
        "W_enc": (d_in, d_sae),
        "b_enc": (d_sae,),
        "threshold": (d_sae,),
        "W_dec": (d_sae, d_in),
        "b_dec": (d_in,),
    }
    return {name: np.ones(shape, np.float32) for name, shape in shapes.items()}


def test_names_and_shapes_of_an_npz_are_looked_at_before_its_arrays(tmp_path, monkeypatch):
    path = npz(tmp_path / "params.npz", **gemma())
    assert load_sae(tmp_path).config.d_sae == 6
    monkeypatch.setattr(untrusted, "_read_npy", lambda *a: pytest.fail("an array was unpacked"))
    for change, words in (
        ({"x": np.ones(3)}, "expected the arrays"),
        ({"b_enc": np.ones(7)}, r"b_enc is \[7\], expected \[6\]"),
        ({"W_enc": np.ones(4)}, "no matrix W_enc"),
        ({"W_dec": np.ones((6, 5))}, r"b_dec is \[4\], expected \[5\]"),  # as of a transcoder to 5 numbers
        ({"threshold": np.ones(6, np.int64)}, "readable are arrays of floats"),
    ):
        npz(path, **gemma() | change)
        with pytest.raises(LoadError, match=words):
            load_sae(tmp_path)


def test_above_64_mb_an_npz_unpacks_to_ten_times_its_size_at_most(tmp_path):
    zeros = np.zeros(17 << 20, np.float32)  # 68 MB, packed to some kB
    with pytest.raises(LoadError, match="that unpack to"):
        untrusted.read_npz(npz(tmp_path / "a.npz", x=zeros))
    assert untrusted.read_npz(npz(tmp_path / "b.npz", x=zeros[: 1 << 20]))["x"].shape == (1 << 20,)
    with pytest.raises(LoadError, match="neither numpy nor torch"):
        untrusted.read_npz(npz(tmp_path / "c.npz", zipfile.ZIP_LZMA, x=zeros[:9]))


def test_arrays_of_an_npz_come_back_in_every_order_and_type(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "c": rng.normal(size=(700, 600)),  # more than one piece
        "f": np.asfortranarray(rng.normal(size=(5, 3)).astype(np.float32)),
        "half": rng.normal(size=7).astype(np.float16),
        "swapped": rng.normal(size=7).astype(">f4"),
        "none": np.zeros((0, 3)),
    }
    found = untrusted.read_npz(npz(tmp_path / "a.npz", **arrays))
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
