"""The only way to disk: bounded, checked reading and atomic writing.

A file that nobody vouches for must not cost time, memory or a surprise. So everything that a file claims about itself
is checked before memory is set aside for it, numbers must be finite, and every failure is one exception, `LoadError`.
Nothing here can run code from a file: the formats are safetensors and JSON, never pickle.
"""

from saewidgets.files.digest import KEY as DIGEST
from saewidgets.files.errors import LoadError, plain, printable, short
from saewidgets.files.json_reading import parse_json, read_json
from saewidgets.files.names import nearest, unknown
from saewidgets.files.opening import open_regular, present, sha256
from saewidgets.files.pairs import read_pair, write_pair
from saewidgets.files.reading import (
    MAX_NDIM,
    MAX_TENSORS,
    TensorEntry,
    all_finite,
    read_tensors,
    read_tensors_and_metadata,
    tensor_entries,
    tensor_layout,
)
from saewidgets.files.writing import (
    STRAY_AFTER,
    append_line,
    new_folder,
    sweep,
    write_bytes,
    write_json,
    write_tensor_stream,
    write_tensors,
    write_text,
)

__all__ = [
    "DIGEST",
    "MAX_NDIM",
    "MAX_TENSORS",
    "STRAY_AFTER",
    "LoadError",
    "TensorEntry",
    "all_finite",
    "append_line",
    "nearest",
    "new_folder",
    "open_regular",
    "parse_json",
    "plain",
    "present",
    "printable",
    "read_json",
    "read_pair",
    "read_tensors",
    "read_tensors_and_metadata",
    "sha256",
    "short",
    "sweep",
    "tensor_entries",
    "tensor_layout",
    "unknown",
    "write_bytes",
    "write_json",
    "write_pair",
    "write_tensor_stream",
    "write_tensors",
    "write_text",
]
