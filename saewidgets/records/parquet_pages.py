"""How large the columns of a Parquet file become, from its footer and the headers of its pages, before anything is
decoded.

A page of one repeated value takes a few bytes, whatever number of values it holds, and the sizes in the footer are
those of the pages. So the values are counted page by page, as the reader will go through them, and held against the
footer.

    https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift, in Thrift's compact protocol
"""

from __future__ import annotations

from typing import Any

MAX_FOOTER = 32 << 20  # bytes; it holds the texts of tokens that are no UTF-8
MAX_FIELDS = 20_000  # of the footer; a file of 1 row group takes 4,000
MAX_DEPTH = 16
VALUE_BYTES = 100  # of a number or an empty text as a Python object, with its places in lists and dicts
_MAGIC = b"PAR1"
# Another writer's name makes the reader mend what that writer is known to have done wrong.
_WRITER = b"parquet-cpp-arrow"

_TRUE, _FALSE, _BYTE, _INT16, _INT32, _INT64, _DOUBLE, _TEXT, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_DATA, _DICTIONARY, _DATA_2 = 0, 2, 3  # kinds of pages
_PLAIN, _BY_DICTIONARY = (0, 3), (2, 8)  # encodings; 3: runs of booleans
_BYTE_ARRAY = 6  # physical type of a text
_NO_CODEC, _ZSTD = 0, 6


class NotOurs(ValueError):
    """A Parquet file that was not written here, and why."""


class Thrift:
    """Values in Thrift's compact protocol, from a buffer. A struct is a dict: number of the field -> (type, value)."""

    def __init__(self, raw: memoryview, max_fields: int) -> None:
        self.raw, self.at, self.left = raw, 0, max_fields

    def struct(self, depth: int = 0) -> dict[int, tuple[int, Any]]:
        """The fields up to the struct's end."""
        out: dict[int, tuple[int, Any]] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            kind = head & 15
            if number in out:
                raise NotOurs("a field stands twice")
            out[number] = (kind, kind == _TRUE) if kind in (_TRUE, _FALSE) else (kind, self._value(kind, depth))
        return out

    def _value(self, kind: int, depth: int) -> Any:
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH:
            raise NotOurs("more fields than a dashboard has")
        if kind in (_INT16, _INT32, _INT64):
            return self._integer()
        if kind == _TEXT:
            return self._bytes(self._varint())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_LIST, _SET):
            head = self._byte()
            n = head >> 4 if head >> 4 < 15 else self._varint()
            if n > self.left:
                raise NotOurs("more fields than a dashboard has")
            return (head & 15, [self._value(head & 15, depth + 1) for _ in range(n)])
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        raise NotOurs(f"a field of the kind {kind}")

    def _bytes(self, n: int) -> memoryview:
        if n > len(self.raw) - self.at:
            raise NotOurs("cut off")
        self.at += n
        return self.raw[self.at - n : self.at]

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _varint(self) -> int:
        out = shift = 0
        while shift < 70:
            byte = self._byte()
            out |= (byte & 127) << shift
            if byte < 128:
                return out
            shift += 7
        raise NotOurs("a number without an end")

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def decoded_bytes(raw: memoryview, decompress: Any) -> int:
    """At most so many bytes do the columns of this file take as Python objects.

    `decompress(page, n_bytes)` unpacks a zstd page. Raises NotOurs, and decodes nothing but dictionaries of texts.
    """
    if len(raw) < 12 or raw[-4:] != _MAGIC or raw[:4] != _MAGIC:
        raise NotOurs("its first or last bytes are no Parquet file's")
    n_footer = int.from_bytes(raw[-8:-4], "little")
    if n_footer > min(MAX_FOOTER, len(raw) - 12):
        raise NotOurs(f"a footer of {n_footer:,} bytes")
    pages = raw[: len(raw) - 8 - n_footer]
    footer = Thrift(raw[len(pages) : -8], MAX_FIELDS).struct()
    if not bytes(_get(footer, 6, _TEXT)).startswith(_WRITER):
        raise NotOurs("another program wrote it")
    total = 0
    for group in _structs(footer, 4):
        for column in _structs(group, 1):
            if 1 in column:
                raise NotOurs("a column in another file")
            total += _column(pages, _get(column, 3, _STRUCT), decompress)
    return total


def _column(raw: memoryview, about: dict[int, tuple[int, Any]], decompress: Any) -> int:
    """At most so many bytes one column chunk takes, decoded."""
    text, codec, stated = _get(about, 1, _INT32) == _BYTE_ARRAY, _get(about, 4, _INT32), _get(about, 5, _INT64)
    if stated == 0:
        return 0  # and the reader looks at no page
    start, size = _get(about, 9, _INT64), _get(about, 7, _INT64)
    if 11 in about and 0 < _get(about, 11, _INT64) < start:
        start = _get(about, 11, _INT64)
    if codec not in (_NO_CODEC, _ZSTD) or start < 4 or size < 0 or start + size > len(raw):
        raise NotOurs("a column that is packed or placed as none of ours")
    total = values = longest = 0
    while size > 0:
        reader = Thrift(raw[start : start + size], 200)
        page = reader.struct()
        unpacked, packed = _get(page, 2, _INT32), _get(page, 3, _INT32)
        kind = _get(page, 1, _INT32)
        if unpacked < 0 or not 0 <= packed <= size - reader.at:
            raise NotOurs("a page that ends beyond its column")
        data = raw[start + reader.at : start + reader.at + packed]
        start, size = start + reader.at + packed, size - reader.at - packed
        if unpacked > max(1 << 22, 200 * len(raw)):
            raise NotOurs(f"a page that unpacks to {unpacked:,} bytes")
        if kind == _DICTIONARY:
            n = _get(_get(page, 7, _STRUCT), 1, _INT32)
            total += unpacked + max(n, 0) * VALUE_BYTES
            if text and packed:
                plain = data if codec == _NO_CODEC else memoryview(decompress(data, unpacked))
                longest = max(longest, _longest(plain))
            continue
        if kind not in (_DATA, _DATA_2):
            raise NotOurs("a page of another kind")
        header = _get(page, 5 if kind == _DATA else 8, _STRUCT)
        n, encoding = _get(header, 1, _INT32), _get(header, 2 if kind == _DATA else 4, _INT32)
        if n < 0 or encoding not in (*_PLAIN, *_BY_DICTIONARY):
            raise NotOurs("a page that is encoded as none of ours")
        values += n
        total += unpacked + n * (VALUE_BYTES + (longest if text and encoding in _BY_DICTIONARY else 0))
    if values != stated:
        raise NotOurs(f"a column of {stated:,} values by the footer, {values:,} by its pages")
    return total


def _longest(plain: memoryview) -> int:
    """Bytes of the longest text of a dictionary: 4 bytes of length, then the text, one after the other."""
    at = longest = 0
    while at < len(plain):
        n = int.from_bytes(plain[at : at + 4], "little")
        at += 4 + n
        longest = max(longest, n)
    return longest


def _get(struct: dict[int, tuple[int, Any]], number: int, kind: int) -> Any:
    """A field's value. Under another type the reader would pass over it."""
    found, value = struct.get(number, (0, None))
    if found != kind:
        raise NotOurs(f"field {number} is missing, or of another type")
    return value


def _structs(struct: dict[int, tuple[int, Any]], number: int) -> list[dict[int, tuple[int, Any]]]:
    """A list of structs."""
    kind, values = _get(struct, number, _LIST)
    if values and kind != _STRUCT:
        raise NotOurs(f"field {number} is not a list of structs")
    return list(values)
