"""The carried notebooks in another language: made from the English ones and one table per notebook, when they are copied.

`notebooks/zh/00_tour.toml` holds what is said in `00_tour.ipynb`: each paragraph of its Markdown, each comment and each
shown text of its code, in English and in Chinese; `shared.toml` beside it what several notebooks say. The English is the
key, its line breaks aside: so a sentence that was changed is a sentence without a translation, and stays English until
somebody writes one. No code is held twice. `scripts/write_translations.py` puts new paragraphs into the tables.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saewidgets.files import unknown

ENGLISH = "en"
SHARED = "shared.toml"

_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_GAP = re.compile(r"(\n\s*\n|\n(?=</details>))")
# What is the same in every language: code, formulas, tags, addresses.
_NO_WORDS = re.compile(r"`[^`]+`|\$\$.+?\$\$|\$[^$]+\$|<[^>]+>|\]\([^)]*\)", re.DOTALL)
_MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)
_IMPORT = re.compile(r"^import saewidgets as sw$", re.MULTILINE)


@dataclass(frozen=True)
class Table:
    """What one notebook says, in one language.

    Attributes:
        prose: English paragraph -> translated, by `key`.
        code: comment or string as it stands in the code -> the same translated.
        keep: strings of the code that stay English: what the model reads, names of columns and of instruments' parts.
    """

    prose: dict[str, str] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    keep: frozenset[str] = frozenset()

    def over(self, other: Table) -> Table:
        """Both, with this one's entries first."""
        return Table(other.prose | self.prose, other.code | self.code, other.keep | self.keep)


def languages(source: Path) -> list[str]:
    """The languages in which the notebooks of a folder can be written, English first."""
    return [ENGLISH, *sorted(path.parent.name for path in source.glob(f"*/{SHARED}"))]


def in_language(notebook: Path, language: str) -> bytes:
    """A notebook, or the page beside them, as it is copied: English ones byte for byte, others with every paragraph that
    has a translation.

    Raises:
        ValueError: no folder beside the notebook has that language.
    """
    if language == ENGLISH:
        return notebook.read_bytes()
    known = languages(notebook.parent)
    if language not in known:
        raise ValueError(unknown("language of the notebooks", language, known) + f"; there are {', '.join(known)}")
    table = table_of(notebook, language)
    if notebook.suffix == ".md":
        return translate_prose(notebook.read_text(encoding="utf-8"), table).encode()
    content = json.loads(notebook.read_bytes())
    for cell in content["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            said = translate_prose(source, table)
        else:
            said = _IMPORT.sub(rf'\g<0>\nsw.set_language("{language}")', translate_code(source, table))
        cell["source"] = said.splitlines(keepends=True)
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()


def table_of(notebook: Path, language: str) -> Table:
    """The table of a notebook, and behind it what all notebooks share. A notebook without one has what is shared."""
    folder = notebook.parent / language
    return read_table(folder / f"{notebook.stem}.toml", language).over(read_table(folder / SHARED, language))


def read_table(path: Path, language: str) -> Table:
    """One file of translations; an entry whose translation is empty counts as none. No file is an empty table."""
    if not path.is_file():
        return Table()
    with path.open("rb") as file:
        found: dict[str, Any] = tomllib.load(file)

    def entries(part: str, named: Callable[[str], str]) -> dict[str, str]:
        return {named(entry[ENGLISH]): entry[language] for entry in found.get(part, []) if entry[language]}

    return Table(entries("prose", key), entries("code", str), frozenset(found.get("keep", [])))


def key(paragraph: str) -> str:
    """A paragraph without its line breaks, which say nothing."""
    return " ".join(paragraph.split())


def sources(notebook: Path) -> tuple[list[str], list[str]]:
    """The Markdown cells and the code cells of a notebook; a page of Markdown is one cell."""
    if notebook.suffix == ".md":
        return [notebook.read_text(encoding="utf-8")], []
    cells = json.loads(notebook.read_bytes())["cells"]
    kinds: dict[str, list[str]] = {"markdown": [], "code": []}
    for cell in cells:
        kinds[cell["cell_type"]].append("".join(cell["source"]))
    return kinds["markdown"], kinds["code"]


# --- prose


def translate_prose(markdown: str, table: Table) -> str:
    """A Markdown cell, paragraph by paragraph. What has no translation stays as it is."""
    return "".join(
        table.prose.get(key(piece), piece) if speaks else piece for piece, speaks in _pieces(markdown, table)
    )


def paragraphs(markdown: str) -> list[str]:
    """The paragraphs of a Markdown cell that have words to translate: a list, a table and a heading are one each."""
    return [piece for piece, speaks in _pieces(markdown, Table()) if speaks]


def fences(markdown: str) -> list[str]:
    """The code between the fences of a Markdown cell."""
    return [part.partition("\n")[2].removesuffix("```") for part in _FENCE.split(markdown)[1::2]]


def wordless(text: str) -> str:
    """What is left of a text without its code, formulas, tags and addresses."""
    return _NO_WORDS.sub(" ", text)


def _pieces(markdown: str, table: Table) -> Iterator[tuple[str, bool]]:
    """The pieces that make up the cell when they are joined, each with whether it speaks; fenced code is translated."""
    for number, part in enumerate(_FENCE.split(markdown)):
        if number % 2:
            opening = part.partition("\n")[0]
            yield f"{opening}\n{translate_code(fences(part)[0], table)}```", False
            continue
        for piece in _GAP.split(part):
            indented = all(line.startswith("    ") for line in piece.splitlines())  # code, too
            yield piece, not indented and re.search(r"[^\W\d_]", wordless(piece)) is not None


# --- code


def translate_code(source: str, table: Table) -> str:
    """A code cell with its comments, and the strings that the table knows, translated; the code is the same."""
    lines = source.splitlines(keepends=True)
    for (row, start), (last, stop), text in sorted(_spans(source), reverse=True):  # from the end: places stay true
        if text in table.code:
            after = lines[last][stop:]
            lines[row : last + 1] = [lines[row][:start] + table.code[text] + after]
    return "".join(lines)


def comments(source: str) -> list[str]:
    """The comments of a code cell that have words; one that only names a shape, `# [pos, d_sae]`, has none."""
    found = [text for _, _, text in sorted(_spans(source)) if text.startswith("#")]
    return [text for text in found if re.search(r"[A-Za-z]{2}", re.sub(r"\[[^]]*\]", "", text))]


def strings(source: str) -> list[str]:
    """The string literals of a code cell that read as words, as they stand there: those with a blank between letters."""
    found = [text for _, _, text in sorted(_spans(source)) if not text.startswith("#")]
    return [text for text in found if re.search(r"[A-Za-z]{2,}[:,]? +\S", text)]


def _spans(source: str) -> list[tuple[tuple[int, int], tuple[int, int], str]]:
    """Where each comment and each outermost string literal begins and ends: line and character, both from 0."""
    plain = _MAGIC.sub(r"\1pass", source)  # IPython's own lines are no Python
    lines = plain.splitlines()
    found = []
    for token in tokenize.generate_tokens(io.StringIO(plain).readline):
        if token.type == tokenize.COMMENT:
            found.append(((token.start[0] - 1, token.start[1]), (token.end[0] - 1, token.end[1]), token.string))

    def place(row: int, column: int) -> tuple[int, int]:  # ast counts bytes
        return row - 1, len(lines[row - 1].encode()[:column].decode())

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            assert node.end_lineno is not None and node.end_col_offset is not None
            text = ast.get_source_segment(plain, node) or ""
            found.append((place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset), text))
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(plain))
    return found
