"""Reads the imports of a package and says which of them break the house's floors.

A room is a module or a folder at the top of the package; it stands on one floor. An import may go to a lower floor or stay
within its own room. `broken(root, floors)` checks a whole tree from its source alone: nothing is imported, so an import
inside a function counts as much as one at the top of a file, and a missing dependency changes nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

FLOORS: dict[str, float] = {
    "bars": 0,
    "elsewhere": 0,
    "files": 0,
    "kernels": 0,
    "records": 0.5,
    "caches": 1,
    "miniworld": 1,
    "models": 2,
    "sae": 2,
    "activations": 3,
    "formats": 3,
    "toy": 3,
    "doctor": 3.5,
    "training": 4,
    "steering": 4,
    "analysis": 5,
    "views": 6,
    "frontend": 6,
    "export": 7,
    "widgets": 8,
    "quickstart": 9,
    "pretrain": 9,
    "cli": 9,
    "warmup": 9,
    "__main__": 10,
    "__init__": 10,  # the list of public names: it sees every room, and no room may import from it
}

HIGHEST_TORCH = 5
TORCH_ABOVE = {"pretrain", "cli", "warmup"}
LOWEST_PLOTLY = 6
TRANSFORMER_LENS = {"models"}


def broken(root: Path, floors: Mapping[str, float] = FLOORS) -> list[str]:
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


def _complaint(room: str, module: str, name: str, root: Path, floors: Mapping[str, float]) -> str:
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
