"""Work that is done ahead of who asks for it, in one thread, as far as a bound allows."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")
JOIN = 5.0  # seconds that the end waits for a thread that is inside somebody's generator


def ahead(make: Callable[[], Iterator[T]], most: int, size: Callable[[T], int]) -> Generator[T, None, None]:
    """What `make()` gives, in its order, made in a thread of its own while the caller works on what came before.

    The thread begins when the first one is asked for. It stops as soon as what waits is `most` large or more, by
    `size`, and goes on when some of it was taken. What it raises is raised here, after all that came before it. To close
    the generator, or to drop it, ends the thread and closes the iterator.

    Example:
        >>> list(ahead(lambda: iter("abc"), most=2, size=len))
        ['a', 'b', 'c']
    """
    line = _Line[T](most, size)
    thread = threading.Thread(target=line.fill, args=(make,), name="saewidgets-ahead", daemon=True)
    thread.start()
    try:
        yield from line.taken()
    finally:
        line.stop()
        if thread is not threading.current_thread():  # which may be the one that finds it to be garbage
            thread.join(JOIN)


class _Line(Generic[T]):
    """What waits to be taken, and how the thread ended."""

    def __init__(self, most: int, size: Callable[[T], int]) -> None:
        self._most, self._size = most, size
        self._waiting: deque[tuple[T, int]] = deque()
        self._large = 0
        self._over = self._stopped = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def fill(self, make: Callable[[], Iterator[T]]) -> None:
        """The thread: takes from the iterator until it ends or nobody wants more."""
        iterator: Any = None
        try:
            iterator = make()
            for item in iterator:
                if not self._put(item):
                    break
        except BaseException as error:  # KeyboardInterrupt too: whoever waits must hear of it
            self._error = error
        finally:
            try:
                if hasattr(iterator, "close"):  # in this thread, which alone is inside it
                    iterator.close()
            finally:
                with self._changed:
                    self._over = True
                    self._changed.notify_all()

    def _put(self, item: T) -> bool:
        """Wait for room; False once it is not wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._large < self._most)
            if self._stopped:
                return False
            size = self._size(item)
            self._waiting.append((item, size))
            self._large += size
            self._changed.notify_all()
            return True

    def taken(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._over)
                if not self._waiting:
                    break
                item, size = self._waiting.popleft()
                self._large -= size
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()
