"""Figures of the house: what is long, what goes in circles, what is public, what is checked. One column per tree.

    .venv/bin/python scripts/house.py [TREE ...] [--slow]

A TREE is a folder or a commit; by default it is this clone alone. `scripts/house.py 5904f75 .` sets that commit beside
it. `--slow` adds what other programs say: mypy --strict by room (minutes), and TypeScript where tests/frontend has it
installed.
"""

from __future__ import annotations

import argparse
import ast
import doctest
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from floors import circles  # noqa: E402

PACKAGE = "saewidgets"
LONG_FILE, LONG_FUNCTION, WIDE = 400, 80, 120  # lines, lines, columns
# A letter and a number such as "(T8)": of a list that no reader has.
CODES = re.compile(r"\([MST]\d{1,2}(?:[,;: )-])")
CONTROL = {
    "if",
    "for",
    "while",
    "switch",
    "catch",
    "with",
}  # words before a parenthesis and a block that is no function
# What a slash begins, in JavaScript: a regular expression after one of these, a division after anything else.
BEFORE_REGEX = set("(,=:[!&|?{};+-*%<>~^") | {""}
WORDS_BEFORE_REGEX = {"return", "typeof", "case", "in", "of", "yield", "await", "void", "delete"}
TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|[\w$]+|\s+|=>|.", re.S)
REGEX = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/\w*")


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("tree", nargs="*", default=[str(ROOT)], help="a folder or a commit")
    parser.add_argument("--slow", action="store_true", help="mypy --strict and TypeScript as well")
    options = parser.parse_args()
    columns = []
    with tempfile.TemporaryDirectory() as folder:
        for i, tree in enumerate(options.tree):
            try:
                root = tree_of(tree, Path(folder) / str(i))
            except ValueError as error:
                print(f"house.py: {error}", file=sys.stderr)
                return 2
            columns.append(figures(root) | (slow_figures(root) if options.slow else {}))
    print(table([Path(tree).resolve().name if Path(tree).is_dir() else tree for tree in options.tree], columns))
    return 0


def tree_of(tree: str, folder: Path) -> Path:
    """The folder that holds a tree: itself, or `folder` with the files of a commit. ValueError where there is neither."""
    if (Path(tree) / PACKAGE).is_dir():
        return Path(tree).resolve()
    done = subprocess.run(["git", "-C", str(ROOT), "archive", tree, PACKAGE, "tests"], capture_output=True)
    if done.returncode:
        raise ValueError(f"{tree!r} is neither a folder that holds {PACKAGE}/ nor a commit of this clone")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def figures(root: Path) -> dict[str, object]:
    """Name -> number, of what the sources alone say."""
    package = root / PACKAGE
    python = [(path, path.read_text(encoding="utf-8")) for path in sorted(package.rglob("*.py"))]
    scripts = [(path, path.read_text(encoding="utf-8")) for path in sorted(package.rglob("*.js"))]
    trees = [ast.parse(text) for _, text in python]
    docs = [doc for tree in trees for doc in docstrings(tree)]
    read = [examples(doc) for doc in docs]
    found = [example for own in read for example in own or ()]
    styles = sum(path.stat().st_size for path in package.rglob("*.css"))
    return {
        **sizes("Python", [text for _, text in python], [n for tree in trees for n in function_lengths(tree)]),
        "circles of imports inside a room": len(circles(package)),
        "names at the top": len(public_names(package / "__init__.py")),
        "examples in docstrings": len(found),
        "  marked to be skipped": sum(doctest.SKIP in example.options for example in found),
        "  docstrings that doctest cannot read": sum(own is None for own in read),
        "codes such as (T8)": sum(len(CODES.findall(text)) for _, text in python),
        **sizes(
            "JavaScript", [t for _, t in scripts], [n for _, text in scripts for n in script_function_lengths(text)]
        ),
        "styles, bytes": styles,
        "files of tests": len(list((root / "tests").rglob("test_*.py"))),
        "  beside the folders": len(list((root / "tests").glob("test_*.py"))),
    }


def sizes(language: str, texts: list[str], functions: list[int]) -> dict[str, object]:
    """Files and functions of one language, and those that are too long."""
    lines = [text.splitlines() for text in texts]
    return {
        f"{language}: files": len(texts),
        "  lines" + " " * (language != "Python"): sum(map(len, lines)),
        f"{language}: files over {LONG_FILE} lines": sum(len(own) > LONG_FILE for own in lines),
        f"{language}: functions over {LONG_FUNCTION} lines": sum(n > LONG_FUNCTION for n in functions),
        f"{language}: longest function, lines": max(functions, default=0),
        f"{language}: lines over {WIDE} columns": sum(len(line) > WIDE for own in lines for line in own),
    }


def docstrings(tree: ast.Module) -> Iterator[str]:
    """Every docstring of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def examples(doc: str) -> list[doctest.Example] | None:
    """The examples of a docstring; None where doctest cannot read them."""
    try:
        return doctest.DocTestParser().get_examples(doc)
    except ValueError:
        return None


def function_lengths(tree: ast.Module) -> Iterator[int]:
    """The lines of each function, without its docstring, which is as long as it has to be."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            doc = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
            told = doc.end_lineno - doc.lineno + 1 if doc is not None and doc.end_lineno else 0
            yield (node.end_lineno or node.lineno) - node.lineno + 1 - told


def public_names(path: Path) -> list[str]:
    """`__all__` of a module, as its source has it."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == ["__all__"]:
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


def script_function_lengths(text: str) -> list[int]:
    """The lines of each function of a JavaScript module that has a body in braces, the one that ends first first."""
    found: list[int] = []
    opened: list[
        tuple[str, str, int]
    ] = []  # the bracket; of a brace "function" or "", of a parenthesis the word before; line
    before = ""  # the last token but spaces and comments
    closed = ""  # the word before the parenthesis that was closed last
    for token, line in tokens(text):
        if token == "(":
            opened.append(("(", before, line))
        elif token in "[{":
            kind = "function" if before == "=>" or (before == ")" and closed not in CONTROL) else ""
            opened.append((token, kind, line))
        elif token in ")]}" and opened:
            _, kind, first = opened.pop()
            if token == ")":
                closed = kind
            elif kind == "function" and token == "}":
                found.append(line - first + 1)
        before = token
    return found


def tokens(text: str) -> Iterator[tuple[str, int]]:
    """(token, line) of JavaScript, without comments and the insides of texts; what stands in `${}` counts as code."""
    at, before = 0, ""
    templates: list[int] = []  # of the templates around this place: braces open inside their `${`
    inside = False  # a template's text
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        if inside:
            match = re.compile(r"(?:\\.|(?!\$\{)[^`\\])*(`|\$\{)", re.S).match(text, at)
            if match is None:
                return
            at, inside = match.end(), False
            if match[1] == "${":
                templates.append(0)
            else:
                yield "text", line
                before = "text"
            continue
        match = (REGEX.match(text, at) if regex_may_begin(before) else None) or TOKEN.match(text, at)
        assert match is not None
        token, at = match[0], match.end()
        if token.isspace() or token.startswith(("//", "/*")):
            continue
        if token == "`":
            inside = True
            continue
        if token == "}" and templates and templates[-1] == 0:
            templates.pop()
            inside = True
            continue
        if templates and token in "{}":
            templates[-1] += 1 if token == "{" else -1
        before = "text" if len(token) > 1 and token[0] in "\"'/" else token
        yield before, line


def regex_may_begin(before: str) -> bool:
    """Whether a slash after this token begins a regular expression."""
    return before in BEFORE_REGEX or before in WORDS_BEFORE_REGEX or before == "=>"


def slow_figures(root: Path) -> dict[str, object]:
    """What mypy and TypeScript say. A program that is not there, or breaks off, gives no figure."""
    found: dict[str, object] = {}
    settings = ["--strict", "--no-error-summary", "--config-file", str(ROOT / "pyproject.toml")]
    done = subprocess.run([sys.executable, "-m", "mypy", *settings, PACKAGE], capture_output=True, text=True, cwd=root)
    rooms = Counter(re.findall(rf"^{PACKAGE}[/\\](\w+)\S*: error:", done.stdout, re.M))
    if done.returncode == (1 if rooms else 0):
        found |= {"mypy --strict: errors": sum(rooms.values())}
        found |= {f"  in {room}": n for room, n in sorted(rooms.items())}
    compiler = root / "tests" / "frontend" / "node_modules" / ".bin" / "tsc"
    if compiler.exists():
        done = subprocess.run([str(compiler), "--noEmit"], capture_output=True, text=True, cwd=compiler.parents[2])
        errors = len(re.findall(r": error TS\d+:", done.stdout))
        if (done.returncode == 0) == (errors == 0):
            found["TypeScript: errors"] = errors
    return found


def table(names: list[str], columns: list[dict[str, object]]) -> str:
    """The figures as text; "-" where a tree has none."""
    rows = list(dict.fromkeys(name for column in columns for name in column))
    wide = max(len(row) for row in rows)
    lines = [" " * wide + "".join(f"  {name[:12]:>12}" for name in names)]
    for row in rows:
        lines.append(f"{row:<{wide}}" + "".join(f"  {column.get(row, '-')!s:>12}" for column in columns))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
