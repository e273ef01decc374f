"""The only way to disk: bounded, checked reading and atomic writing.

A file that nobody vouches for must not cost time, memory or a surprise. So everything that a file claims about itself is
checked before memory is set aside for it, numbers must be finite, and every failure is one exception, `LoadError`.
Nothing here can run code from a file: the formats are safetensors and JSON, never pickle.
"""

from saewidgets.files.errors import LoadError, plain, short
from saewidgets.files.names import nearest, unknown
from saewidgets.files.reading import (
    MAX_NDIM,
    MAX_TENSORS,
    TensorEntry,
    open_regular,
    parse_json,
    read_json,
    read_tensors,
    sha256,
    tensor_entries,
)
from saewidgets.files.writing import (
    new_folder,
    write_bytes,
    write_json,
    write_tensor_stream,
    write_tensors,
    write_text,
)

__all__ = [
    "MAX_NDIM",
    "MAX_TENSORS",
    "LoadError",
    "TensorEntry",
    "nearest",
    "new_folder",
    "open_regular",
    "parse_json",
    "plain",
    "read_json",
    "read_tensors",
    "sha256",
    "short",
    "tensor_entries",
    "unknown",
    "write_bytes",
    "write_json",
    "write_tensor_stream",
    "write_tensors",
    "write_text",
]
