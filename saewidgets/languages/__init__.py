"""The languages of the instruments: which one is spoken, and the sentences of the Python side in it.

English stands in the code, `said("{n:,} texts", n=12)`, and is the key of the tables of the other languages, one file
per language. The tables of the front end stand in `saewidgets/frontend/languages/`. Exceptions stay English. A sentence
that a table lacks is shown in English; a test finds each.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

__all__ = [
    "LANGUAGES",
    "VARIABLE",
    "html_language",
    "language",
    "retold",
    "said",
    "set_language",
    "spoken",
    "table",
    "to_say",
]

LANGUAGES = {"en": "English", "zh": "Simplified Chinese"}
VARIABLE = "SAEWIDGETS_LANGUAGE"  # the language that a process begins with, which a kernel inherits from its server
_FILLED = re.compile(r"\\\{(\w+)\\\}")  # {name} in an escaped pattern
_TAGS = {"en": "en", "zh": "zh-CN"}  # as HTML names them: browsers choose fonts and voices by it

_chosen: str | None = None  # by `set_language`
_here: ContextVar[str | None] = ContextVar("saewidgets_language", default=None)  # inside `spoken`


def set_language(language: str) -> None:
    """Choose the language of the instruments that are made from now on in this process: their words, messages, charts
    and exported pages. An instrument that is there already keeps the language that it was made in; run its cell again
    to change it. Exceptions stay English.

    Args:
        language: "en" for English or "zh" for Simplified Chinese. The environment variable SAEWIDGETS_LANGUAGE says
            which one a process begins with; English by default.

    Raises:
        ValueError: another language.

    Example:
        >>> import saewidgets as sw
        >>> sw.set_language("zh")
        >>> sw.FeaturePlane().to_html().splitlines()[1]
        '<html lang="zh-CN">'
        >>> sw.set_language("en")
    """
    global _chosen
    _chosen = _known(language)


def language() -> str:
    """The language that is spoken here: that of `spoken` around it, else of `set_language`, else of the environment.

    Raises:
        ValueError: SAEWIDGETS_LANGUAGE names a language that is not there.
    """
    inside = _here.get()
    if inside is not None:
        return inside
    if _chosen is not None:
        return _chosen
    given = os.environ.get(VARIABLE) or "en"
    try:
        return _known(given)
    except ValueError as error:
        raise ValueError(f"the environment variable {VARIABLE} is wrong: {error}") from None


@contextmanager
def spoken(language: str) -> Iterator[None]:
    """Speak `language` inside the block, whatever is set outside: an instrument keeps the one that it was made in."""
    token = _here.set(_known(language))
    try:
        yield
    finally:
        _here.reset(token)


def said(english: str, /, **values: object) -> str:
    """A sentence in the language that is spoken, filled in as by `str.format` where there are values.

    Example:
        >>> said("{n:,} texts", n=1200)
        '1,200 texts'
    """
    now = language()
    text = english if now == "en" else table(now).get(english, english)
    return text.format(**values) if values else text


def retold(text: str) -> str:
    """A finished English text, of an exception or a record, in the language that is spoken; as it is where the language
    does not know it.

    Example:
        >>> with spoken("zh"):
        ...     retold("pick a feature first")
        '请先选一个特征'
    """
    now = language()
    if now == "en":
        return text
    for pattern, other in _patterns(now):
        if match := pattern.fullmatch(text):
            return other.format(**match.groupdict())
    return text


def to_say(english: str, /) -> str:
    """The sentence itself, which a table holds until `said(...)` is called with it."""
    return english


def html_language(language: str) -> str:
    """How HTML names a language.

    Example:
        >>> html_language("zh")
        'zh-CN'
    """
    return _TAGS[_known(language)]


def _known(language: str) -> str:
    if language not in LANGUAGES:
        valid = " or ".join(f"{name!r} ({of})" for name, of in LANGUAGES.items())
        raise ValueError(f"unknown language {language!r}; type {valid}")
    return language


@cache
def _patterns(language: str) -> list[tuple[re.Pattern[str], str]]:
    """[(pattern of an English text, the same in `language`)]; what says most of its own comes first."""
    told = table(language, "told")
    order = sorted(told, key=lambda english: -len(_FILLED.sub("", re.escape(english))))
    return [
        (re.compile(_FILLED.sub(r"(?P<\1>.+?)", re.escape(english)), re.DOTALL), told[english]) for english in order
    ]


@cache
def table(language: str, kind: str = "said") -> Mapping[str, str]:
    """English -> the same in `language`, from `<language>.toml` beside this module: what is "said", or what is "told"
    again.
    """
    with (Path(__file__).parent / f"{language}.toml").open("rb") as file:
        return {entry["en"]: entry[language] for entry in tomllib.load(file)[kind]}
