"""Reads a package's sentences from its source: what is written to be translated, and what is not but looks as if it should be."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

MARKS = ("said", "to_say")
# What only looks like a sentence: code to paste, markup, fonts and colors, places in a Plotly figure, glob and regex.
_ASIDE = ("expect", "unknown", "within_range", "Unicode", "Callable", "Iterator")  # refusals, traits and types
_NO_SENTENCE = re.compile(
    r"sw\.|import |\n|^\s*<|^\s*/\*|rgba?\(|minmax\(|monospace|sans-serif|^(?:top|middle|bottom) (?:left|center|right)$|=\S"
)


def sentences(folder: Path) -> dict[str, str]:
    """Sentence -> where it stands first, of all that are marked by `said(...)` or `to_say(...)` in a folder or a file."""
    found: dict[str, str] = {}
    for path, tree in _trees(folder):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MARKS and node.args:
                for text in _texts(node.args[0]):
                    found.setdefault(text, f"{path.relative_to(folder.parent)}:{node.lineno}")
    return found


def unmarked(folder: Path) -> list[str]:
    """Texts of several words that reach a person and are not marked: neither a docstring, nor of an exception, nor the
    help of a trait.
    """
    found = []
    for path, tree in _trees(folder):
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            text = _plain(node)
            if text is None or _excused(node, parents):
                continue
            words = re.sub(r"%\{[^}]*\}|<[^>]*>|\{\}", "", text)
            if (
                re.search(r"[A-Za-z]{2,}\W+[A-Za-z]{2,}", words)
                and " " in words.strip()
                and not _NO_SENTENCE.search(text)
            ):
                found.append(f"{path.relative_to(folder.parent)}:{node.lineno}: {text}")
    return found


def fields_of(sentence: str) -> set[str]:
    """The names that a sentence fills in; what Plotly fills in (%{x}) keeps its sign."""
    plotly = set(re.findall(r"%\{+([^}]*)\}+", sentence))
    own = {name for _, name, _, _ in string.Formatter().parse(re.sub(r"%\{+[^}]*\}+", "", sentence)) if name}
    return own | {f"%{name}" for name in plotly}


def _trees(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in [folder] if folder.is_file() else sorted(folder.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def _texts(node: ast.expr) -> list[str]:
    """The sentences of an argument: one, or one of two."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    return [*_texts(node.body), *_texts(node.orelse)] if isinstance(node, ast.IfExp) else []


def _plain(node: ast.AST) -> str | None:
    """The text of a string, with {} for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)  # type: ignore[misc]
    return None


def _excused(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    if isinstance(parents.get(node), (ast.Expr, ast.JoinedStr, ast.FormattedValue)):
        return True
    while node in parents:
        child, node = node, parents[node]
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in (*MARKS, *_ASIDE):
            return True
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "compile":
            return True
        if isinstance(node, ast.keyword) and node.arg in ("help", "about"):
            return True
        if isinstance(node, ast.AnnAssign) and child is node.annotation:
            return True
    return False
