"""A workshop's plan: which notebooks a class gets, and what of them nobody can change by accident.

    title = "One hour with features"
    notebooks = ["00_tour", "05_clamp"]   # in the order of the day; the first one opens
    lock = ["prose", "code"]              # cells that can be run, but neither changed nor deleted
    models = ["miniworld"]                # names that sw.load_model opens
    terminal = false                      # no terminals, no installing of extensions
    projector = true                      # larger type

Only `notebooks` must be there. A plan that cannot be followed is refused with the line and what to write.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saewidgets.cli.translated import ENGLISH, in_language
from saewidgets.files import LoadError, nearest, open_regular, write_text

LARGEST = 100_000  # bytes of a plan
LOCKS = ("prose", "code")
ANSWER = "-answer"  # ends the id of a cell that is the learner's own


@dataclass(frozen=True)
class Plan:
    """What a workshop opens, and what is locked in it."""

    notebooks: tuple[str, ...]  # file names, in the order of the day
    title: str = ""
    lock: tuple[str, ...] = ()  # of LOCKS
    models: tuple[str, ...] = ()  # names that load_model opens; () for all
    terminal: bool = True  # whether JupyterLab has terminals and an extension manager
    projector: bool = False


def read_plan(path: Path, known: Sequence[str]) -> Plan:
    """A plan from its file.

    Args:
        path: of a TOML file.
        known: file names of the notebooks that there are.

    Raises FileNotFoundError where there is no such file, and LoadError with the line, what is wrong there, and what to
    write, for a plan that cannot be followed.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no plan {path}; docs/teaching.md has one to begin with")
    with open_regular(path, LARGEST) as (file, _):
        try:
            text = file.read().decode("utf-8")
        except UnicodeDecodeError:
            raise LoadError(path, "not text in UTF-8: save it as plain text") from None
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LoadError(path, f'no TOML: {error}. Write one setting a line, such as notebooks = ["00_tour"]') from None
    return _Reader(path, text, given, known).plan()


class _Reader:
    """One plan while it is read: its text is kept, to name the line of what is wrong."""

    def __init__(self, path: Path, text: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
        self.path, self.lines, self.given, self.known = path, text.splitlines(), given, known
        self.checks: dict[str, Callable[[Any], Any]] = {
            "title": self._text,
            "notebooks": self._notebooks,
            "lock": self._lock,
            "models": self._models,
            "terminal": lambda value: self._yes_or_no("terminal", value),
            "projector": lambda value: self._yes_or_no("projector", value),
        }

    def plan(self) -> Plan:
        for key in self.given:
            if key not in self.checks:
                raise self._wrong(key, f"unknown setting {key!r}", f"one of {', '.join(self.checks)}", key)
        if "notebooks" not in self.given:
            raise LoadError(self.path, 'it names no notebooks. Write: notebooks = ["00_tour", "05_clamp"]')
        return Plan(**{key: self.checks[key](value) for key, value in self.given.items()})

    def _text(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self._wrong("title", f"title is {value!r}, no text", 'title = "One hour with features"')
        return value

    def _notebooks(self, value: Any) -> tuple[str, ...]:
        names = tuple(f"{name.removesuffix('.ipynb')}.ipynb" for name in self._names("notebooks", value, "00_tour"))
        if not names:
            raise self._wrong("notebooks", "notebooks is empty", 'notebooks = ["00_tour"]')
        for name, written in zip(names, value, strict=True):
            if name not in self.known:
                near = " or ".join(f'"{other.removesuffix(".ipynb")}"' for other in nearest(name, self.known))
                raise self._wrong("notebooks", f"there is no notebook {written!r}", near, written)
            if names.count(name) > 1:
                raise self._wrong("notebooks", f"{written!r} stands there twice", "each notebook once", written)
        return names

    def _lock(self, value: Any) -> tuple[str, ...]:
        names = self._names("lock", value, "prose")
        for name in names:
            if name not in LOCKS:
                raise self._wrong("lock", f"{name!r} is nothing that can be locked", 'lock = ["prose", "code"]', name)
        return names

    def _models(self, value: Any) -> tuple[str, ...]:
        names = self._names("models", value, "miniworld")
        if not names or any("," in name for name in names):
            raise self._wrong("models", f"models is {value!r}", 'models = ["miniworld"], or leave the line out')
        return names

    def _names(self, key: str, value: Any, example: str) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self._wrong(key, f"{key} is {value!r}, no list of texts", f'{key} = ["{example}"]')
        return tuple(value)

    def _yes_or_no(self, key: str, value: Any) -> bool:
        if not isinstance(value, bool):
            raise self._wrong(key, f"{key} is {value!r}", f"{key} = true or {key} = false")
        return value

    def _wrong(self, key: str, what: str, write: str, part: str = "") -> LoadError:
        return LoadError(self.path, f"line {self._line(key, part)}: {what}. Write {write}")

    def _line(self, key: str, part: str) -> int:
        """Where `key` is set, or from there on the line that holds `part`; counted from 1."""
        begins = re.compile(rf"\s*(\[+\s*)?[\"']?{re.escape(key)}\b")
        first = next((i for i, line in enumerate(self.lines) if begins.match(line)), 0)
        return next((i for i, line in enumerate(self.lines) if i >= first and part in line), first) + 1


def write_chosen(plan: Plan, source: Path, target: Path, language: str = ENGLISH) -> None:
    """Write a plan's notebooks into the folder `target`, in a language, with the cells locked that the plan locks."""
    for name in plan.notebooks:
        notebook = json.loads(in_language(source / name, language))
        for cell in notebook["cells"]:
            _lock(cell, plan.lock)
        write_text(target / name, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


def _lock(cell: dict[str, Any], locks: Sequence[str]) -> None:
    """A locked cell can be run, but neither changed nor deleted; a learner's answer is never locked, only kept."""
    if ("code" if cell["cell_type"] == "code" else "prose") in locks:
        own = cell.get("id", "").endswith(ANSWER)
        cell["metadata"] = cell["metadata"] | {"deletable": False} | ({} if own else {"editable": False})
