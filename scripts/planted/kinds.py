"""What a planted bug is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A text of the package that stands once in its file, and what the bug has in its stead."""

    file: str  # below saewidgets/
    text: str
    bug: str


@dataclass(frozen=True)
class Plant:
    """One change, and the tests that should see it."""

    tests: tuple[str, ...]  # below tests/, as pytest names them
    places: tuple[Place, ...]  # alternatives: the first that fits is taken
    optional: bool = False  # whether a tree without any of the files has nothing to get wrong there


@dataclass(frozen=True)
class Bug:
    """A known silent bug."""

    number: int
    title: str
    plants: tuple[Plant, ...]


def plant(tests: str, *places: tuple[str, str, str], optional: bool = False) -> Plant:
    """A Plant from one string of test names, separated by spaces."""
    return Plant(tuple(tests.split()), tuple(Place(*place) for place in places), optional)
