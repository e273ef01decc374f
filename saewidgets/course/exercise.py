"""What an exercise is, and what is said of an answer to it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from saewidgets.course.told import told


@dataclass(frozen=True)
class Said:
    """A sentence: a template, and the values that go into it.

    Example:
        >>> Said("Asked was at most {most}.", {"most": 8}).text
        'Asked was at most 8.'
    """

    template: str
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The sentence as it is read, in the language that is spoken."""
        return told(self.template).format(**self.values)


def right(template: str, **values: Any) -> Said:
    """What a check returns of a right answer."""
    return Said(template, values)


class Wrong(Exception):
    """What a check raises of a wrong answer: the sentence that says what is wrong with it.

    Example:
        >>> raise Wrong("{n} is one too many.", n=3)
        Traceback (most recent call last):
        ...
        saewidgets.course.exercise.Wrong: 3 is one too many.
    """

    def __init__(self, template: str, **values: Any) -> None:
        self.said = Said(template, values)
        super().__init__(self.said.text)


@dataclass(frozen=True)
class Exercise:
    """One exercise of a notebook."""

    key: str  # "01.2": notebook and number
    question: str  # as the notebook asks it; Markdown
    hints: tuple[str, ...]  # from a nudge to nearly the whole way; Markdown
    solution: str  # the answer and how one comes to it; Markdown
    check: Callable[[Any], Said]  # praises a right answer, and raises `Wrong` on any other


class Note:
    """A piece of Markdown that a cell shows as its result.

    Example:
        >>> Note("*Look* at the ReLU.")
        *Look* at the ReLU.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_markdown_(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Checked:
    """What `check` says of an answer. It is true where the answer is right.

    Example:
        >>> Checked("01.1", True, Said("Four."))
        ✓ 01.1  Four.
    """

    key: str
    passed: bool | None  # None: there was no answer yet
    said: Said
    after: str = ""  # what to do next; Markdown

    @property
    def mark(self) -> str:
        """A tick, a cross, or a dash for no answer."""
        return {True: "✓", False: "✗", None: "–"}[self.passed]

    def __bool__(self) -> bool:
        return bool(self.passed)

    def __repr__(self) -> str:
        return " ".join(filter(None, (f"{self.mark} {self.key} ", self.said.text, re.sub("`", "", self.after))))

    def _repr_html_(self) -> str:
        color = {True: "#1a7f37", False: "#c2410c", None: "#6b7280"}[self.passed]
        code = re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(f"{self.said.text} {self.after}".strip()))
        return (
            f'<div style="border-left: 4px solid {color}; padding: 4px 12px">'
            f"<b>{self.mark} {html.escape(self.key)}</b>&ensp;{code}</div>"
        )
