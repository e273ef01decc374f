"""Corpora that are objects: lists, arrays and data sets, whose items have an index; functions, data sets and generators,
which are gone through.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from saewidgets.corpora.bad import text_of
from saewidgets.files import short


class _Given:
    """What both kinds have in common: items of one nameless shard."""

    names: tuple[str, ...] = ("the corpus",)
    reusable = True

    def __init__(self, field: str) -> None:
        self._field = field

    def value(self, shard: int, item: Any, number: int) -> Any:
        """The text or token ids of an item. Raises BadText on what is neither."""
        return text_of(item, self._field)

    def place(self, shard: int, number: int) -> str:
        """Where an item stands in its shard."""
        return f"text {number:,} (from 0)"

    def error(self, shard: int, number: int, said: str) -> Exception:
        """What is raised for a bad item."""
        return ValueError(f"{self.place(shard, number)} of the corpus {said}")

    @staticmethod
    def size(item: Any) -> int:
        """Bytes that an item takes, roughly."""
        if isinstance(item, dict):
            return sum(_Given.size(v) for v in item.values())
        return len(item) if isinstance(item, (str, bytes)) else int(getattr(item, "nbytes", 64))


class Indexed(_Given):
    """Items that can be asked for by number: of a list, an array, a data set with a length."""

    def __init__(self, items: Any, field: str) -> None:
        super().__init__(field)
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, number: int) -> Any:
        return self._items[number]


class Stream(_Given):
    """Items that come one after another, anew for each epoch.

    Args:
        make: gives an iterator over them.
        reusable: whether it can be asked for more than once.
        said: what it is, for a sentence.
    """

    def __init__(self, make: Callable[[], Iterator[Any]], field: str, *, reusable: bool, said: str) -> None:
        super().__init__(field)
        self._make, self.reusable, self._said = make, reusable, said
        self._used = False
        self._seen: deque[Any] = deque()  # of an iterator, what was looked at and will come again

    def length(self, shard: int) -> int | None:
        """Not known before it was gone through."""
        return None

    def items(self, shard: int, *, look: bool = False) -> Iterator[Any]:
        """Its items, from the first on; with `look`, those of an iterator will come again."""
        if self.reusable:
            return self._told(self._begun())
        if self._used:
            raise ValueError(
                f"the corpus is {self._said}, which can be gone through once, and was: give a function that makes a new one, "
                "open_corpus(lambda: texts()), or ask for one epoch and begin where it begins"
            )
        self._used = not look
        return self._told(self._looked_at() if look else self._all())

    def _begun(self) -> Iterator[Any]:
        found = self._make()
        if not isinstance(found, Iterable) or isinstance(found, (str, bytes)):
            raise TypeError(f"the corpus is {self._said} that gives {short(found)}; it must give an iterator of texts")
        return iter(found)

    def _looked_at(self) -> Iterator[Any]:
        yield from list(self._seen)
        for item in self._make():
            self._seen.append(item)
            yield item

    def _all(self) -> Iterator[Any]:
        while self._seen:
            yield self._seen.popleft()
        yield from self._make()

    def _told(self, found: Iterator[Any]) -> Iterator[Any]:
        number = 0
        try:
            for item in found:
                yield item
                number += 1
        except Exception as error:
            error.add_note(f"while text {number:,} (from 0) of the corpus was asked for")
            raise
