"""The only way to disk: bounded, checked reading and atomic writing.

A file that nobody vouches for must not cost time, memory or a surprise. So everything that a file claims about itself is
checked before memory is set aside for it, numbers must be finite, and every failure is one exception, `LoadError`.
Nothing here can run code from a file: the formats are safetensors and JSON, never pickle.
"""

from saewidgets.files.errors import LoadError, plain, short
from saewidgets.files.json_reading import parse_json, read_json
from saewidgets.files.names import nearest, unknown
from saewidgets.files.opening import open_regular, present, sha256
from saewidgets.files.reading import MAX_NDIM, MAX_TENSORS, all_finite, read_tensors
from saewidgets.files.writing import new_folder, write_bytes, write_json, write_tensors, write_text

__all__ = [
    "MAX_NDIM",
    "MAX_TENSORS",
    "LoadError",
    "all_finite",
    "nearest",
    "new_folder",
    "open_regular",
    "parse_json",
    "plain",
    "present",
    "read_json",
    "read_tensors",
    "sha256",
    "short",
    "unknown",
    "write_bytes",
    "write_json",
    "write_tensors",
    "write_text",
]
