"""Lines that are no text: what is wrong with them, and how many there were."""

from __future__ import annotations

from saewidgets.files import short


class BadText(ValueError):
    """What is wrong with one line, row or text of a corpus, in a few words."""


class Tally:
    """Which items were bad, a bit each, so that one that is read again in the next epoch is counted once."""

    SHOWN = 5  # of which the place and the reason are kept

    def __init__(self) -> None:
        self.n = 0
        self.first: list[str] = []
        self._bits: dict[int, bytearray] = {}

    def add(self, shard: int, item: int, said: str) -> None:
        """Count item number `item` of a shard."""
        bits = self._bits.setdefault(shard, bytearray())
        if len(bits) <= item >> 3:
            bits.extend(bytes((item >> 3) + 1 - len(bits)))
        if bits[item >> 3] >> (item & 7) & 1:
            return
        bits[item >> 3] |= 1 << (item & 7)
        self.n += 1
        if len(self.first) < self.SHOWN:
            self.first.append(said)

    def __str__(self) -> str:
        more = f"; and {self.n - len(self.first):,} more" if self.n > len(self.first) else ""
        noun = "text was" if self.n == 1 else "texts were"
        return f"{self.n:,} bad {noun} left out: {'; '.join(self.first)}{more}"


def text_of(value: object, field: str) -> object:
    """A text, or a row of token ids, out of an item; of an object the one in `field`. Raises BadText on anything else.

    Example:
        >>> text_of({"text": "The cat"}, "text")
        'The cat'
    """
    if isinstance(value, dict):
        if field not in value:
            raise BadText(f"has no field {field!r}, but {short(list(value))}")
        value = value[field]
    if isinstance(value, str):
        if not value:
            raise BadText("is an empty text")
        return value
    if value is None or isinstance(value, (bytes, bytearray, bool, int, float)):
        raise BadText(f"holds {short(value)}, not a text")
    return value
