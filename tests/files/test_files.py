"""The door to disk: what is refused, what comes back exactly, and what a failed write leaves behind."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.files import (
    LoadError,
    nearest,
    new_folder,
    printable,
    read_json,
    read_tensors,
    unknown,
    write_json,
    write_tensors,
    write_text,
)
from saewidgets.files import writing as files


def raw_file(path: Path, header: object, data: bytes = b"") -> Path:
    """A file in safetensors' layout with any header at all."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


# -- tensors ---------------------------------------------------------------------------------------------------------

ARRAYS = {
    "f64": np.array([[1.5, -2.0], [0.0, 3.25]]),
    "f32": np.arange(6, dtype=np.float32).reshape(2, 3),
    "f16": np.array([0.5, -0.0], np.float16),
    "i64": np.array([-(2**62), 7]),
    "i32": np.array([[-1]], np.int32),
    "i8": np.array([-128, 127], np.int8),
    "u8": np.array([0, 255], np.uint8),
    "bool": np.array([[True, False]]),
    "scalar": np.array(2.5, np.float32),
    "empty": np.zeros((0, 4), np.float32),
    "transposed": np.arange(6.0).reshape(2, 3).T,
}


def test_arrays_come_back_with_their_bits_shapes_and_dtypes(tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(path, ARRAYS, metadata={"made": "here"})
    found = read_tensors(path)
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape, name
        assert found[name].tobytes() == array.tobytes(), name
        assert found[name].flags.writeable


def test_the_safetensors_library_reads_the_same_numbers(tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(path, ARRAYS)
    theirs = safetensors.numpy.load_file(path)
    for name, array in read_tensors(path).items():
        np.testing.assert_array_equal(array, theirs[name])


def test_bfloat16_is_widened_exactly(tmp_path):
    # 0x3FC0 is 1.5 in bfloat16, 0xC000 is -2, 0x7F7F the largest: 2^127 * (2 - 2^-7)
    path = raw_file(
        tmp_path / "b.safetensors", {"x": entry("BF16", (3,), (0, 6))}, struct.pack("<3H", 0x3FC0, 0xC000, 0x7F7F)
    )
    np.testing.assert_array_equal(read_tensors(path)["x"], np.array([1.5, -2.0, 2.0**127 * (2 - 2.0**-7)], np.float32))


eight = b"\0" * 8
nan32 = struct.pack("<2f", float("nan"), 0)
HOSTILE = {
    "empty": b"",
    "shorter than a length": b"\1\2\3",
    "68 MB header": struct.pack("<Q", 68 << 20) + b"{" + b" " * 100,
    "a legal header of 2 MB": (b"{}" + b" " * (2 << 20), b""),
    "header of 2^63 bytes": struct.pack("<Q", 1 << 63) + b"{}",
    "header cut off": struct.pack("<Q", 500) + b"{}",
    "header no JSON": (b"not json", b""),
    "header a list": ([], b""),
    "header no UTF-8": (b'{"\xff": 1}', b""),
    "deep header": (b"[" * 50_000, b""),
    "NaN in the header": (b'{"x": NaN}', b""),
    "duplicate names": (b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"x":1}', eight),
    "metadata of numbers": ({"__metadata__": {"a": 1}}, b""),
    "entry no object": ({"x": 3}, b""),
    "entry incomplete": ({"x": {"dtype": "F32", "shape": [2]}}, eight),
    "unknown dtype": ({"x": entry("F8_E4M3", (8,), (0, 8))}, eight),
    "dtype a list": ({"x": entry(["F32"])}, eight),
    "negative shape": ({"x": entry(shape=(-1, -2))}, eight),
    "shape of floats": ({"x": entry(shape=(2.0,))}, eight),
    "shape of booleans": ({"x": entry(shape=(True, 2))}, eight),
    "2^40 values announced": ({"x": entry(shape=(1 << 40,), offsets=(0, 1 << 42))}, eight),
    "shape too long": ({"x": entry(shape=(1,) * 9, offsets=(0, 4))}, b"\0" * 4),
    "shape does not fit": ({"x": entry(shape=(3,))}, eight),
    "offsets backward": ({"x": entry(offsets=(8, 0))}, eight),
    "offsets of three": ({"x": entry(offsets=(0, 4, 8))}, eight),
    "truncated data": ({"x": entry()}, b"\0" * 7),
    "bytes left over": ({"x": entry()}, b"\0" * 9),
    "gap": ({"x": entry(offsets=(4, 12))}, b"\0" * 12),
    "overlap": ({"x": entry(), "y": entry(offsets=(4, 12))}, b"\0" * 12),
    "NaN": ({"x": entry()}, nan32),
    "infinity": ({"x": entry("F16", (4,), (0, 8))}, struct.pack("<4e", 0, float("inf"), 0, 0)),
    "NaN in bfloat16": ({"x": entry("BF16", (4,), (0, 8))}, struct.pack("<4H", 0x7FC0, 0, 0, 0)),
    "boolean of 2": ({"x": entry("BOOL", (8,), (0, 8))}, b"\2" + b"\0" * 7),
    "65 arrays": ({f"x{i}": entry(shape=(0,), offsets=(0, 0)) for i in range(65)}, b""),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_a_load_error(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        raw_file(path, *content)
    with pytest.raises(LoadError) as error:
        read_tensors(path)
    assert error.value.path == path
    assert str(error.value) == f"{path}: {error.value.reason}" and len(error.value.reason) < 300


def test_what_is_no_file_is_a_load_error(tmp_path):
    if hasattr(os, "mkfifo"):  # a pipe that nobody writes to would block whoever opens it
        os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "none", tmp_path / "pipe", tmp_path / ("n" * 300), "nul\0byte"):
        for read in (read_tensors, read_json):
            with pytest.raises(LoadError):
                read(path)


def test_limits_hold_before_anything_is_read(tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"x": np.zeros(1000, np.float32)})
    with pytest.raises(LoadError, match="more than the 1,000 allowed"):
        read_tensors(path, max_bytes=1000)
    bf16 = raw_file(tmp_path / "b.safetensors", {"x": entry("BF16", (1000,), (0, 2000))}, b"\0" * 2000)
    with pytest.raises(LoadError, match="take 4,000 bytes"):  # it doubles when it is widened
        read_tensors(bf16, max_bytes=3000)
    huge = tmp_path / "huge.json"
    with open(huge, "wb") as file:
        file.truncate((1 << 20) + 1)
    with pytest.raises(LoadError, match="more than the 1,048,576 allowed"):
        read_json(huge)


def test_names_are_a_whitelist(tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"x": np.zeros(2), "y": np.zeros(2)})
    assert set(read_tensors(path, names={"x", "y"})) == {"x", "y"}
    for names in ({"x"}, {"x", "y", "z"}, set()):
        with pytest.raises(LoadError, match="expected the arrays"):
            read_tensors(path, names=names)


def sound_bytes() -> bytes:
    arrays = {
        "W": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4),
        "b": np.zeros(4, np.float16),
        "on": np.ones(3, bool),
    }
    return safetensors.numpy.save(arrays, {"k": "v"})


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(sound_bytes()) - 1), st.integers(0, 255)), max_size=6),
    keep=st.integers(0, len(sound_bytes())) | st.just(len(sound_bytes())),
)
def test_a_mutated_file_loads_finite_or_is_a_load_error(tmp_path_factory, changes, keep):
    content = bytearray(sound_bytes())
    for at, value in changes:
        content[at] = value
    path = tmp_path_factory.getbasetemp() / "mutant.safetensors"
    path.write_bytes(content[:keep])
    try:
        found = read_tensors(path)
    except LoadError:
        return
    assert all(np.isfinite(array).all() for array in found.values())


# -- JSON ------------------------------------------------------------------------------------------------------------


def test_json_comes_back_in_order(tmp_path):
    data = {"z": [1, 2.5, None, True], "a": {"deep": "⏎ é \ud83d </script>"}}
    write_json(tmp_path / "a.json", data)
    assert read_json(tmp_path / "a.json") == data
    assert list(read_json(tmp_path / "a.json")) == ["z", "a"]
    write_json(tmp_path / "b.json", data, indent=2)
    assert read_json(tmp_path / "b.json") == data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1]",
        b'"text"',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": 1',
        b"\xff\xfe{}",
        b'{"a":' * 20_000,
    ],
)
def test_bad_json_is_a_load_error(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(LoadError):
        read_json(path)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    content=st.binary(max_size=60) | st.text(alphabet='{}[]":,0123456789.eE+-NaInfity \\u', max_size=60).map(str.encode)
)
def test_any_bytes_are_an_object_or_a_load_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content)
    with contextlib.suppress(LoadError):
        assert isinstance(read_json(path), dict)


# -- writing ---------------------------------------------------------------------------------------------------------

WRITES = {
    "tensors": lambda path: write_tensors(path, {"x": np.ones(3)}),
    "json": lambda path: write_json(path, {"new": 1}),
    "text": lambda path: write_text(path, "new"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, write, step):
    path = tmp_path / "kept"
    path.write_bytes(b"old")

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(OSError, match="No space left"):
        write(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["kept"]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_the_rename_happens_when_the_new_file_is_whole(tmp_path, monkeypatch, write):
    path = tmp_path / "a"
    write(tmp_path / "whole")
    seen = []
    rename = os.replace
    monkeypatch.setattr(files.os, "replace", lambda new, old: (seen.append(Path(new).read_bytes()), rename(new, old)))
    write(path)
    assert seen == [(tmp_path / "whole").read_bytes()] == [path.read_bytes()]


def test_a_later_write_sweeps_what_a_killed_process_left(tmp_path):
    old, young, other = (
        tmp_path / name for name in (".a.json.0123456789ab.tmp", ".a.json.fedcba987654.tmp", ".b.json.0123456789ab.tmp")
    )
    for stray in (old, young, other):
        stray.write_bytes(b"half")
    for stray in (old, other):
        os.utime(stray, (0, time.time() - 2 * files.STRAY_AFTER))
    write_json(tmp_path / "a.json", {})
    assert not old.exists()
    assert young.exists() and other.exists()  # one may still be written to, the other is another file's


@pytest.mark.parametrize(
    "name", [".a.json.mine.tmp", ".a.json.0123456789AB.tmp", ".a.json.0123456789abc.tmp", ".a.json.x.0123456789ab.tmp"]
)
def test_nothing_else_is_ever_swept(tmp_path, name):
    mine = tmp_path / name
    mine.mkdir()
    os.utime(mine, (1, 1))
    write_json(tmp_path / "a.json", {})
    assert mine.exists()


def test_a_folder_is_as_young_as_the_youngest_file_at_any_depth(tmp_path):
    old, young = (tmp_path / f".cache.{mark}.tmp" for mark in ("0123456789ab", "fedcba987654"))
    for folder in (old, young):
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "a" / "b" / "rows").write_bytes(b"half")
        for path in (folder / "a" / "b" / "rows", folder / "a" / "b", folder / "a", folder):
            os.utime(path, (1, 1))
    (young / "a" / "b" / "rows").write_bytes(b"more")
    with new_folder(tmp_path / "cache"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [young.name, "cache"]


@pytest.mark.parametrize("name", ["a" * 255, "漢" * 80, "漢" * 85, "é" * 127])
def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path, name):
    write_json(tmp_path / name, {"a": 1})
    assert read_json(tmp_path / name) == {"a": 1}
    assert os.listdir(tmp_path) == [name]


# -- permissions and links


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_permissions_stay_and_are_there_from_the_first_byte(tmp_path, monkeypatch, write, mode):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(mode)
    seen, sync = [], os.fsync
    monkeypatch.setattr(files.os, "fsync", lambda fd: (seen.append(os.fstat(fd)), sync(fd))[1])
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode == stat.S_IMODE(seen[0].st_mode)
    assert path.read_bytes() != b"old"


def test_a_new_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_json(tmp_path / "ours", {})
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_read_only_file_is_left_as_it_was(tmp_path, write):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o400)
    with pytest.raises(PermissionError, match=r"read-only file, left as it was.*'.*a'"):
        write(path)
    assert path.read_bytes() == b"old" and stat.S_IMODE(path.stat().st_mode) == 0o400
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_link_is_written_through(tmp_path, write):
    (tmp_path / "real").mkdir()
    target, link, again = tmp_path / "real" / "a", tmp_path / "link", tmp_path / "again"
    target.write_bytes(b"old")
    link.symlink_to("real/a")
    again.symlink_to("link")
    write(again)
    write(tmp_path / "plain")
    assert again.is_symlink() and link.is_symlink()
    assert target.read_bytes() == (tmp_path / "plain").read_bytes()
    assert os.listdir(target.parent) == ["a"]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_link_to_nowhere_is_refused(tmp_path, write):
    link = tmp_path / "link"
    link.symlink_to("elsewhere")
    with pytest.raises(FileNotFoundError, match="is not there: remove the link first"):
        write(link)
    assert os.listdir(tmp_path) == ["link"]
    with pytest.raises(FileExistsError), new_folder(link):
        pass


# -- a file's words


def test_a_load_error_is_one_short_printable_line(tmp_path):
    """Escape sequences, line ends, text that runs backward, and half a pair."""
    error = LoadError(tmp_path / "a\x1b[2J", "the key '\x1b]0;owned\x07' \n\u202e \ud800 stands twice")
    assert str(error).isprintable()
    assert error.reason == r"the key '\x1b]0;owned\x07'  \u202e \ud800 stands twice"
    assert error.path == tmp_path / "a\x1b[2J"
    long = LoadError("a", f"expected {'x' * 500_000}, found {'y' * 500_000}")
    assert len(str(long)) < 700 and str(long).startswith("a: expected x") and str(long).endswith("y")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(text=st.text(st.characters(), max_size=200), most=st.integers(20, 300))
def test_any_text_is_made_printable_and_plain_text_stays(text, most):
    found = printable(text, most)
    assert found.isprintable() and len(found) <= 10 * most
    if text.isprintable() and len(text) <= most:
        assert found == text


def test_what_cannot_be_read_back_is_not_written(tmp_path):
    path = tmp_path / "a"
    for value in (
        np.array([np.nan]),
        np.array([np.inf], np.float16),
        np.array([1j]),
        np.array(["text"]),
        np.array([1], np.uint16),
    ):
        with pytest.raises(ValueError):
            write_tensors(path, {"x": value})
    with pytest.raises(ValueError):
        write_json(path, {"x": float("nan")})
    assert not path.exists()


# -- names -----------------------------------------------------------------------------------------------------------


def test_nearest_names():
    hooks = ["hook_embed", "blocks.2.hook_resid_post", "blocks.2.hook_resid_pre", "blocks.11.hook_mlp_out"]
    assert nearest("blocks.2.resid_post", hooks, n=2) == ["blocks.2.hook_resid_post", "blocks.2.hook_resid_pre"]
    assert nearest("COLOR", ["size", "color", "color"]) == ["color", "size"]
    assert unknown("concept", "colour", ["color"]) == "unknown concept 'colour'; nearest: color"
    assert unknown("SAE", "x", []) == "unknown SAE 'x'; no SAE is known here"
