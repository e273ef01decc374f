"""Progress bars for long work, in a notebook and in a terminal; none where the work is quick."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

DELAY = 0.5  # seconds that pass before a bar is drawn: what takes less says nothing

_OPEN = threading.local()
_clock = time.perf_counter


@contextmanager
def bar(total: int | None, what: str, unit: str, *, progress: bool = True) -> Iterator[Callable[[int], None]]:
    """A tqdm bar around long work; gives the function to call with how much more is done.

    It is drawn at the first call after half a second, so that quick work prints nothing and costs nothing. Inside
    another bar, and in any thread but the main one (an instrument's worker has its own way to show what it does), none
    is drawn. Whatever ends the block, a KeyboardInterrupt included, closes the bar.

    Args:
        total: of the whole work, in units; None where it is not known beforehand.
        what: is being done, in a word or two; stands before the bar.
        unit: the plural of what is counted, e.g. "tokens".
        progress: False draws nothing, also for the work inside.

    Example:
        >>> with bar(3, "adding", "numbers") as advance:
        ...     for number in (1, 2, 3):
        ...         advance(1)
    """
    if getattr(_OPEN, "bar", None) is not None:
        yield _nothing
        return
    shown = _Bar(total, what, unit, progress and threading.current_thread() is threading.main_thread())
    _OPEN.bar = shown
    try:
        shown.tell()
        yield shown.advance
    finally:
        _OPEN.bar = None
        shown.close()


@contextmanager
def watched(look: Callable[[int, int | None], None]) -> Iterator[None]:
    """The bars of the work inside, drawn or not, tell `look` how much is done and of how much, None where that is not
    known: as each begins, and whenever it is told more. What `look` raises ends the work.

    Example:
        >>> with watched(lambda done, total: print(done, total)), bar(2, "adding", "numbers") as advance:
        ...     advance(1)
        0 2
        1 2
    """
    before = getattr(_OPEN, "look", None)
    _OPEN.look = look
    try:
        yield
    finally:
        _OPEN.look = before


@contextmanager
def muted(quiet: bool = True) -> Iterator[None]:
    """The work inside draws no bars, if `quiet`: for a function that takes `progress` and calls others that have bars
    of theirs.
    """
    with bar(None, "", "", progress=False) if quiet else nullcontext():
        yield


class _Bar:
    """A tqdm bar that is made late: one of a notebook is a dozen widgets from the start, drawn or not."""

    def __init__(self, total: int | None, what: str, unit: str, drawn: bool) -> None:
        self.total, self.what, self.unit, self.drawn = total, what, unit, drawn
        self.begun, self.done = _clock(), 0
        self._tqdm: Any = None
        self._look: Callable[[int, int | None], None] | None = getattr(_OPEN, "look", None)

    def tell(self) -> None:
        if self._look is not None:
            self._look(self.done, self.total)

    def advance(self, n: int) -> None:
        self.done += n
        self.tell()
        if not self.drawn:
            return
        if self._tqdm is not None:
            self._tqdm.update(n)
        elif _clock() - self.begun >= DELAY:
            self._draw()

    def _draw(self) -> None:
        from tqdm.auto import tqdm  # here, since it costs as much as quick work does

        many = (self.total or 0) >= 10_000
        # With a delay it does not draw itself at 0 first.
        self._tqdm = tqdm(
            total=self.total, desc=self.what, unit=f" {self.unit}", unit_scale=many, dynamic_ncols=True, delay=1e-9
        )
        self._tqdm.start_t -= _clock() - self.begun  # when the work began, not the bar
        self._tqdm.n = self.done
        self._tqdm.refresh()

    def close(self) -> None:
        if self._tqdm is not None:
            self._tqdm.close()


def _nothing(n: int) -> None:
    """For work inside other work that has a bar already."""
