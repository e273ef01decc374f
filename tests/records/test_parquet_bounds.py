"""Parquet: what its pages decode to is counted before one is decoded."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import sample_records

from saewidgets.files import LoadError
from saewidgets.records import DashboardData


def rows_with(tokens: list[str], path: Path) -> Path:
    """A Parquet file of one feature whose first example has these tokens, written past our own bound."""
    pa = pytest.importorskip("pyarrow")
    from dataclasses import asdict

    from pyarrow import parquet

    from saewidgets.records.parquet import ABOUT, _schema

    data = sample_records.dashboard()
    row = asdict(next(iter(data.features.values())))
    row["top"][0]["tokens"] = tokens
    schema = _schema(pa).with_metadata({ABOUT: json.dumps(data._about())})
    parquet.write_table(pa.Table.from_pylist([row], schema=schema), path, compression="zstd")
    return path


def decoded(path: Path) -> int:
    import pyarrow as pa

    from saewidgets.records.parquet_pages import decoded_bytes

    return decoded_bytes(memoryview(path.read_bytes()), lambda p, n: pa.Codec("zstd").decompress(p, n, asbytes=True))


def test_a_parquet_file_of_one_repeated_value_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    path = rows_with(["A" * 32] * 2_500_000, tmp_path / "bomb.parquet")
    assert path.stat().st_size < 60_000
    from pyarrow import parquet

    monkeypatch.setattr(parquet.ParquetFile, "read", lambda *a, **k: pytest.fail("it was decoded"))
    with pytest.raises(LoadError, match="that decode to as many as 3"):
        DashboardData.from_parquet(path)
    long = rows_with(["A" * 50_000] * 10_000, tmp_path / "long.parquet")  # few values, but half a GB of text
    with pytest.raises(LoadError, match="that decode to as many as 5"):
        DashboardData.from_parquet(long)


def test_values_are_counted_by_their_pages_not_by_the_footer(tmp_path):
    """The footer's number of values, 1,000 of them and one list of others, is changed to 4 where it stands."""
    path = rows_with(["b"] * 1000, tmp_path / "a.parquet")
    raw = path.read_bytes()
    n = sum(len(e.tokens) for e in next(iter(sample_records.dashboard().features.values())).top[1:]) + 1000
    varint = bytes([(2 * n & 127) | 128, 2 * n >> 7])
    footer = len(raw) - 8 - int.from_bytes(raw[-8:-4], "little")
    assert raw[footer:].count(varint) >= 1
    path.write_bytes(raw[:footer] + raw[footer:].replace(varint, b"\x88\x00"))
    with pytest.raises(LoadError, match="by the footer"):
        DashboardData.from_parquet(path)


def test_what_a_parquet_file_decodes_to_is_not_underestimated(tmp_path):
    """Held against sys.getsizeof over all that `to_pylist` gives."""
    data = sample_records.dashboard()
    data.to_parquet(tmp_path / "a.parquet")
    from pyarrow import parquet

    def size(value) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return sys.getsizeof(value) + sum(map(size, inner))

    for path in (tmp_path / "a.parquet", rows_with([f"token {i}" for i in range(5000)], tmp_path / "b.parquet")):
        assert size(parquet.read_table(path).to_pylist()) < decoded(path)
    assert DashboardData.from_parquet(tmp_path / "a.parquet") == data


def test_a_dashboard_that_would_be_taken_for_a_bomb_is_not_written(tmp_path):
    pytest.importorskip("pyarrow")
    data = sample_records.dashboard()
    first = next(iter(data.features.values()))
    example = replace(first.top[0], tokens=("A" * 100_000,) * 3000)
    with pytest.raises(ValueError, match="write JSON instead"):
        replace(data, features={0: replace(first, top=(example,))}).to_parquet(tmp_path / "a.parquet")
    assert not (tmp_path / "a.parquet").exists()
    none = replace(data, features={})
    none.to_parquet(tmp_path / "none.parquet")
    assert DashboardData.from_parquet(tmp_path / "none.parquet") == none
