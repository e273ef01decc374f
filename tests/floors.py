"""Reads the imports of a package and says which of them break the house's floors.

A room is a module or a folder at the top of the package; it stands on one floor. An import may go to a lower floor or stay
within its own room. `broken(root, floors)` checks a whole tree from its source alone: nothing is imported, so an import
inside a function counts as much as one at the top of a file, and a missing dependency changes nothing.

`circles(root)` looks inside the rooms: modules that need one another, each of which can only be read with all the others.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

FLOORS: dict[str, int] = {
    "bars": 0,
    "memory": 0,
    "elsewhere": 0,
    "files": 0,
    "languages": 0,
    "kernels": 0,
    "ranks": 0,
    "records": 1,
    "miniworld": 2,
    "chat": 2,
    "corpora": 2,
    "decoder": 2,
    "models": 3,
    "sae": 3,
    "activations": 4,
    "formats": 4,
    "toy": 4,
    "doctor": 5,
    "training": 6,
    "steering": 6,
    "analysis": 7,
    "cluster": 7,
    "share": 7,
    "course": 8,
    "views": 8,
    "frontend": 8,
    "export": 9,
    "widgets": 10,
    "quickstart": 11,
    "pretrain": 11,
    "cli": 11,
    "warmup": 11,
    "__main__": 12,
    "__init__": 12,  # the list of public names: it sees every room, and no room may import from it
}

HIGHEST_TORCH = 7
TORCH_ABOVE = {"pretrain", "cli", "warmup"}
LOWEST_PLOTLY = 8
TRANSFORMER_LENS = {"models"}
ONLY = {"frontend": {"languages", "records"}}  # rooms that may import from these alone


def broken(root: Path, floors: Mapping[str, int] = FLOORS) -> list[str]:
    """One sentence for each import in the package folder `root` that breaks a rule, in the order of the files."""
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        room = parts[0]
        where = path.relative_to(root.parent).as_posix()
        if room not in floors:
            found.append(f"{where}: {room!r} has no floor; give it one in tests/floors.py and in CONTRIBUTING.md")
            continue
        for line, module, name in _imports(path, parts, root):
            complaint = _complaint(room, module, name, root, floors)
            if complaint:
                found.append(f"{where}:{line}: {complaint}")
    return found


def circles(root: Path) -> list[str]:
    """One sentence for each group of modules of one room in the package folder `root` that import each other in a circle.

    Imports for type checkers alone count too. Between rooms there is no circle where `broken` finds nothing.
    """
    files = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        files[".".join((root.name, *(parts[:-1] if parts[-1] == "__init__" else parts)))] = (path, parts)
    needs: dict[str, set[str]] = {module: set() for module in files}
    for module, (path, parts) in files.items():
        for _, base, name in _imports(path, parts, root):
            other = f"{base}.{name}" if f"{base}.{name}" in files else base
            if other != module and other in files and files[other][1][0] == parts[0]:
                needs[module].add(other)
    reached = {module: _reached(module, needs) for module in needs}
    groups = {frozenset(o for o in reached[m] if m in reached[o]) for m in needs if m in reached[m]}
    shown = sorted(sorted(files[m][0].relative_to(root.parent).as_posix() for m in group) for group in groups)
    return [f"{', '.join(group)} import each other in a circle" for group in shown]


def _reached(start: str, needs: Mapping[str, set[str]]) -> set[str]:
    """All that `start` needs, and what that needs; `start` itself only if there is a way back."""
    found: set[str] = set()
    ahead = [start]
    while ahead:
        for module in needs[ahead.pop()] - found:
            found.add(module)
            ahead.append(module)
    return found


JS_IMPORT = re.compile(
    r"""\b(?:from|import)\s*\(?\s*["']([^"'\s]+)["']"""
)  # also in a comment: types are imported there


def broken_modules(frontend: Path) -> list[str]:
    """One sentence for each import among the ES modules below `frontend` that goes through a wall, in the order of the files.

    An instrument imports from its own folder and from `shared/`, the page from `shared/`, shared modules from one another, the
    engine from itself: it runs where there is no page. Types (`types/`) are for all, and the page knows those of the engine,
    which it is never joined with. What has no path, a package, is nobody's.
    """
    found = []
    for path in sorted(frontend.rglob("*.js")):
        where = path.relative_to(frontend).as_posix()
        own = "/".join(where.split("/")[: 2 if where.startswith("instruments/") else 1])
        for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for target in JS_IMPORT.findall(text):
                complaint = _through_a_wall(where, own, target, type_only=text.lstrip().startswith(("/**", "*")))
                if complaint:
                    found.append(f"{where}:{line}: {complaint}")
    return found


def _through_a_wall(where: str, own: str, target: str, *, type_only: bool) -> str:
    if not target.startswith("."):
        return f"imports the package {target!r}; there is no bundler"
    other = posixpath.normpath(posixpath.join(posixpath.dirname(where), target))
    if own == "page" and type_only and other.startswith("engine/"):
        return ""
    if other.startswith("types/") or other.startswith(own + "/"):
        return ""
    if own == "engine":
        return f"imports {other}; engine/ may import its own modules alone"
    if other.startswith("shared/"):
        return ""
    return f"imports {other}; {own}/ may import its own modules and shared/"


def _complaint(room: str, module: str, name: str, root: Path, floors: Mapping[str, int]) -> str:
    top, *rest = module.split(".")
    if top == root.name:
        other = rest[0] if rest else _room_of_name(name, root)
        if other == room:
            return ""
        if other not in floors:
            return f"imports {other!r}, which has no floor"
        if floors[other] >= floors[room]:
            way = "sideways" if floors[other] == floors[room] else "upward"
            return f"{room!r} (floor {floors[room]}) imports {way} from {other!r} (floor {floors[other]})"
        if room in ONLY and other not in ONLY[room]:
            return f"{room!r} imports {other!r}; it may import {', '.join(sorted(ONLY[room]))} and nothing else"
    elif top == "torch" and floors[room] > HIGHEST_TORCH and room not in TORCH_ABOVE:
        return f"imports torch on floor {floors[room]}; above floor {HIGHEST_TORCH} there are only records"
    elif top == "plotly" and floors[room] < LOWEST_PLOTLY:
        return f"imports plotly on floor {floors[room]}; below floor {LOWEST_PLOTLY} nothing draws"
    elif top == "transformer_lens" and room not in TRANSFORMER_LENS:
        return "imports transformer_lens; only 'models' may"
    return ""


def _room_of_name(name: str, root: Path) -> str:
    """The room that `from saewidgets import name` reaches: a module of that name, or else the package's own list of names."""
    is_room = name and ((root / f"{name}.py").is_file() or (root / name).is_dir())
    return name if is_room else "__init__"


def _imports(path: Path, parts: tuple[str, ...], root: Path) -> Iterator[tuple[int, str, str]]:
    """(line, absolute module, imported name or "") for every import statement and import_module("...") call."""
    package = (root.name, *parts[:-1])  # of the file, whether it is a module or an __init__
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, module, alias.name
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0]
            if called in ("import_module", "__import__") and isinstance(first, ast.Constant):
                yield node.lineno, str(first.value), ""
