"""Dashboards as Parquet: one row per feature, examples as nested columns, all else as JSON in the file's metadata."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from saewidgets.files import LoadError, open_regular, parse_json, write_bytes
from saewidgets.records.parquet_pages import NotOurs, decoded_bytes

ABOUT = b"saewidgets"  # the metadata key that holds what is not a feature
FREE_BYTES = 256 << 20  # as Python objects, that a file of any size may decode to
MAX_RATIO = 500  # decoded bytes per byte of a larger one; a dashboard of the same five texts again and again has 210
MISSING = "Parquet needs pyarrow, which is not installed: pip install pyarrow, or write JSON with to_json instead"


def write_rows(path: str | Path, rows: Iterable[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    """Write features, as of `dataclasses.asdict`, atomically.

    Raises ImportError without pyarrow, and ValueError on a text that has no UTF-8, half of a surrogate pair, and on a
    record that repeats itself so often that its file would be taken for a bomb.
    """
    pa, pq = _pyarrow()
    schema = _schema(pa).with_metadata({ABOUT: json.dumps(about, allow_nan=False)})
    try:
        table = pa.Table.from_pylist(list(rows), schema=schema)
    except UnicodeEncodeError as error:
        raise ValueError("a token holds half of a surrogate pair, which Parquet cannot: write JSON instead") from error
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    raw = sink.getvalue().to_pybytes()
    if excess := _excess(pa, raw):
        raise ValueError(f"not written: it would be {excess}: write JSON instead")
    write_bytes(path, raw)


def read_rows(
    path: str | Path, *, max_bytes: int, check: Callable[[dict[str, Any]], None] = lambda about: None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """(features, all else) of a file that `write_rows` wrote; `check` is given all else before a feature is decoded.

    Raises ImportError without pyarrow, and LoadError for whatever is wrong with the file: what its columns decode to is
    bounded, page by page, before memory is set aside. ValueError of `check` is a LoadError as well.
    """
    pa, pq = _pyarrow()
    try:
        with open_regular(path, max_bytes) as (file, size):
            raw = file.read(size)
        if excess := _excess(pa, raw):
            raise LoadError(path, excess)
        opened = pq.ParquetFile(pa.BufferReader(raw))
        wanted, found = _schema(pa), opened.schema_arrow
        text = (found.metadata or {}).get(ABOUT)
        if text is None or not found.equals(wanted):
            raise LoadError(path, "not a dashboard: its columns are others")
        about = parse_json(path, text)
        check(about)
        return opened.read(use_threads=False).to_pylist(), about
    except NotOurs as error:
        raise LoadError(path, f"not a dashboard as to_parquet writes it: {error}") from error
    except (OSError, ValueError, MemoryError, OverflowError, pa.ArrowException) as error:
        raise LoadError(path, f"not a readable Parquet file: {str(error)[:200]}") from error


def _excess(pa: Any, raw: bytes) -> str:
    """What is too much about a file, "" where nothing is. Raises NotOurs."""
    decoded = decoded_bytes(memoryview(raw), lambda page, n: pa.Codec("zstd").decompress(page, n, asbytes=True))
    allowed = max(FREE_BYTES, MAX_RATIO * len(raw))
    return (
        f"{len(raw):,} bytes that decode to as many as {decoded:,}, more than the {allowed:,} allowed"
        if decoded > allowed
        else ""
    )


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow  # type: ignore[import-untyped]
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(MISSING) from error
    return pyarrow, parquet


def _schema(pa: Any) -> Any:
    """The columns: the fields of `FeatureData`, in their order."""
    whole, real, text = pa.int64(), pa.float64(), pa.string()

    def struct(**fields: Any) -> Any:
        return pa.struct(list(fields.items()))

    histogram = struct(edges=pa.list_(real), counts=pa.list_(whole))
    effects = pa.list_(struct(token=text, token_id=whole, logit=real))
    moved = struct(at=whole, promoted=effects, suppressed=effects)
    example = struct(
        tokens=pa.list_(text),
        token_ids=pa.list_(whole),
        activations=pa.list_(real),
        peak=whole,
        context=whole,
        position=whole,
        interval=whole,
        loss_effects=pa.list_(real),
        moved=pa.list_(moved),
    )
    neighbor = struct(feature=whole, cosine=real, encoder_cosine=real)
    neuron = struct(layer=whole, neuron=whole, decoder_cosine=real, encoder_cosine=real, pearson=real, cosine=real)
    return pa.schema(
        {
            "feature": whole,
            "maximum": real,
            "density": real,
            "top": pa.list_(example),
            "intervals": pa.list_(example),
            "histogram": histogram,
            "promoted": effects,
            "suppressed": effects,
            "neighbors": pa.list_(neighbor),
            "label": text,
            "logit_histogram": histogram,
            "encoder_neighbors": pa.list_(neighbor),
            "correlated": pa.list_(struct(feature=whole, pearson=real, cosine=real, decoder_cosine=real)),
            "aligned_neurons": pa.list_(neuron),
            "correlated_neurons": pa.list_(neuron),
            "neuron_tokens": whole,
            "measured": pa.bool_(),
        }
    )
