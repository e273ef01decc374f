"""The course in another language: one table per language, keyed by the English sentence that stands in the code."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from saewidgets.languages import language


def told(english: str) -> str:
    """A sentence of the course, or the template of one, in the language that is spoken.

    What the language's table lacks stays English; a test finds each.

    Example:
        >>> from saewidgets.languages import spoken
        >>> with spoken("zh"):
        ...     told("This takes one clamp; yours are {n}.")
        '这里要填一个钳制；你填了 {n} 个。'
    """
    now = language()
    return english if now == "en" else table(now).get(english, english)


@cache
def table(language: str) -> Mapping[str, str]:
    """English -> the same in `language`, from `<language>.toml` beside this module; empty where there is none."""
    path = Path(__file__).parent / f"{language}.toml"
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        return {entry["en"]: entry[language] for entry in tomllib.load(file)["said"]}
