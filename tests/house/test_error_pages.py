"""Each message that the pages about errors quote is one that the source says."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "errors").glob("*.md"))
HOLE = "\0"  # where an f-string puts a value
SHORTEST = 18  # characters of its own that a quoted message must have, or it would be found anywhere


@functools.cache
def said() -> tuple[str, ...]:
    """Every text in the package's source, values replaced by holes; and the words of its front end."""
    found = []
    for path in (ROOT / "saewidgets").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else HOLE for part in node.values)
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    for path in (ROOT / "saewidgets" / "frontend").rglob("words.js"):
        found += re.findall(r'"((?:[^"\\]|\\.)*)"', path.read_text(encoding="utf-8"))
    return tuple(text for text in found if len(text) >= SHORTEST)


def in_source(message: str) -> bool:
    """Whether one text of the source has all the pieces of a message, in order; … stands for anything."""
    pieces = [piece.strip() for piece in message.split("…")]
    assert sum(map(len, pieces)) >= SHORTEST, message
    wanted = re.compile(".*".join(map(re.escape, pieces)), re.DOTALL)
    return any(wanted.search(text) for text in said())


def messages() -> list[tuple[str, str]]:
    """(page, message) of every block of text in the pages."""
    found = []
    for path in PAGES:
        for block in re.findall(r"^```text\n(.*?)\n```$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            found.append((path.stem, " ".join(block.split())))
    return found


@pytest.mark.parametrize(("page", "message"), messages(), ids=lambda value: value[:40])
def test_a_quoted_message_is_in_the_source(page, message):
    assert in_source(message), f"docs/errors/{page}.md quotes what nothing says"


def test_a_message_that_nothing_says_is_found_out():
    assert not in_source("this SAE was trained in other colors (SAE, not model): …")
    assert not in_source("tokens that do not fit … the context of the moon is … tokens")


@pytest.mark.parametrize("path", [path for path in PAGES if path.stem != "index"], ids=lambda path: path.stem)
def test_a_page_says_what_why_and_what_to_type(path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["What it says", "Why", "What to type"]
    assert any(page == path.stem for page, _ in messages())
    assert f"]({path.name})" in (path.parent / "index.md").read_text(encoding="utf-8")
