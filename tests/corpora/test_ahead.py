"""Work ahead of who asks for it: bounded, in order, and over when nobody wants more."""

from __future__ import annotations

import threading

import pytest

from saewidgets.corpora import ahead


def threads():
    return [t for t in threading.enumerate() if t.name == "saewidgets-ahead"]


def test_it_gives_what_comes_in_its_order():
    assert list(ahead(lambda: iter(range(500)), 3, lambda _: 1)) == list(range(500))
    assert list(ahead(lambda: iter(()), 3, lambda _: 1)) == []
    assert threads() == []


def test_it_works_ahead_as_far_as_the_bound_and_no_further():
    """The maker signals what it has begun; the taker waits for that signal, and for no time."""
    begun = [threading.Event() for _ in range(12)]

    def make():
        for i in range(12):
            begun[i].set()
            yield i

    found = ahead(make, 6, lambda _: 2)  # three wait, the fourth is made
    assert next(found) == 0
    assert begun[3].wait(10)
    assert not begun[6].is_set()  # 0 was taken; 1, 2 and 3 wait, 4 may be held
    assert [next(found) for _ in range(3)] == [1, 2, 3]
    assert begun[6].wait(10) and not begun[10].is_set()
    found.close()
    assert threads() == [] and not begun[11].is_set()


def test_an_exception_comes_after_what_came_before_it():
    def make():
        yield 1
        yield 2
        raise LookupError("line 3")

    found = ahead(make, 100, lambda _: 1)
    assert next(found) == 1 and next(found) == 2
    with pytest.raises(LookupError, match="line 3"):
        next(found)
    assert threads() == []
    with pytest.raises(ZeroDivisionError):
        next(ahead(lambda: iter([1 // 0]), 1, lambda _: 1))


def test_who_stops_taking_ends_the_thread_and_closes_the_iterator():
    closed = threading.Event()

    def make():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    found = ahead(make, 4, lambda _: 1)
    next(found)
    assert len(threads()) == 1
    del found
    assert closed.wait(10) and threads() == []


def test_it_may_be_dropped_by_its_own_thread():
    """As where that thread collects garbage, of which it is part."""
    held, dropped = [], threading.Event()

    def make():
        yield 0
        assert dropped.wait(10)
        held.pop().close()
        yield 1

    found = ahead(make, 1, lambda _: 1)
    held.append(found)
    assert next(found) == 0
    (own,) = threads()
    del found
    dropped.set()
    own.join(10)
    assert not own.is_alive() and held == []


def test_nothing_begins_before_something_is_asked_for():
    made = []
    found = ahead(lambda: made.append(1) or iter("a"), 1, len)
    assert made == [] and threads() == []
    assert list(found) == ["a"] and made == [1]
