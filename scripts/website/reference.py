"""The API reference, from the docstrings: every public name of the package and of its rooms, in groups.

A name is described once, on the page of the room that it comes from, under the shortest path that one types: first
those at the top (`sw.Steerer`), then those of the room (`sw.steering.add_feature`).
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from website import docstrings

PACKAGE = "saewidgets"
OTHER = "instruments"  # the page of what comes from a room that is not named below
# Page -> its title, and the rooms whose names it has.
PAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "instruments": ("Instruments", ("widgets", "quickstart")),
    "models": ("Models", ("models", "chat", "decoder")),
    "saes": ("Sparse autoencoders and their files", ("sae", "formats", "doctor", "files")),
    "activations": ("Texts and activations", ("activations", "miniworld")),
    "training": ("Training", ("training",)),
    "steering": ("Steering", ("steering",)),
    "analysis": ("Analysis", ("analysis",)),
    "toy": ("Toy models", ("toy",)),
    "records": ("Records", ("records",)),
    "views": ("Charts", ("views",)),
    "sharing": ("Pages and files for others", ("share", "export")),
}
LONG = 88  # characters of a signature in one line


@dataclass
class Entry:
    """A public name, and where it is described."""

    path: str  # what one types, such as sw.steering.add_feature
    value: Any
    page: str

    @property
    def kind(self) -> str:
        if inspect.isclass(self.value):
            return "class"
        if inspect.ismodule(self.value):
            return "room"
        return "function" if callable(self.value) else "value"


@dataclass
class Reference:
    """All entries, and the Markdown of each page."""

    entries: list[Entry] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)


def reference() -> Reference:
    """The whole reference. Raises ValueError where a public name has no docstring."""
    made = Reference()
    _collect(made)
    linked = {entry.path: f"{entry.page}.md#{entry.path}" for entry in made.entries}
    for entry in made.entries:  # a docstring says `Steerer`, not `sw.Steerer`
        linked.setdefault(entry.path.rpartition(".")[2], f"{entry.page}.md#{entry.path}")

    def link(name: str) -> str | None:
        name = re.sub(r"\(.*\)$", "", name, flags=re.DOTALL)
        return linked.get(name)

    for page, (title, _) in PAGES.items():
        own = [entry for entry in made.entries if entry.page == page]
        made.pages[page] = _page(title, own, link)
    made.pages["index"] = _index(made.entries)
    return made


def _collect(made: Reference) -> None:
    import saewidgets as sw

    seen: set[int] = set()
    rooms = []
    for name in sw.__all__:
        value = getattr(sw, name)
        if inspect.ismodule(value):
            rooms.append((name, value))
        elif name != "__version__":
            seen.add(id(value))
            made.entries.append(Entry(f"sw.{name}", value, _page_of(value)))
    for name, module in rooms:
        made.entries += _room(f"sw.{name}", module, _page_of(module), seen)
    bare = [e.path for e in made.entries if e.kind in ("class", "function", "room") and not inspect.getdoc(e.value)]
    if bare:
        raise ValueError(f"no docstring: {', '.join(bare)}")


def _room(path: str, module: ModuleType, page: str, seen: set[int]) -> Iterator[Entry]:
    """A room, and the names of it that were not described before, those of its own rooms last."""
    seen.add(id(module))
    yield Entry(path, module, page)
    inner = []
    for name in sorted(getattr(module, "__all__", ()), key=str.lower):
        value = getattr(module, name)
        if inspect.ismodule(value):
            if id(value) not in seen and value.__name__.startswith(PACKAGE):
                inner.append((name, value))
        elif id(value) not in seen:
            if callable(value):  # small numbers and texts may be one object under two names
                seen.add(id(value))
            yield Entry(f"{path}.{name}", value, page)
    for name, value in inner:
        yield from _room(f"{path}.{name}", value, page, seen)


def _page_of(value: Any) -> str:
    module = value.__name__ if inspect.ismodule(value) else value.__module__
    room = [*module.split("."), ""][1]
    return next((page for page, (_, rooms) in PAGES.items() if room in rooms), OTHER)


def _index(entries: list[Entry]) -> str:
    lines = [
        "# Reference",
        "",
        "Every public name, from its docstring. `import saewidgets as sw` makes those at the top; the others are reached "
        "through their room, as `sw.analysis.completeness`.",
        "",
    ]
    for page, (title, _) in PAGES.items():
        top = [e for e in entries if e.page == page and e.path.count(".") == 1 and e.kind != "room"]
        lines += [f"## [{title}]({page}.md)", ""]
        rooms = ", ".join(f"[`{e.path}`]({page}.md#{e.path})" for e in entries if e.page == page and e.kind == "room")
        if top:
            lines += [*(f"- [`{e.path}`]({page}.md#{e.path}): {_said(e)}" for e in top), ""]
        if rooms:
            lines += [f"Rooms: {rooms}.", ""]
    return "\n".join(lines)


def _said(entry: Entry) -> str:
    return docstrings.first_sentence(inspect.getdoc(entry.value) or "").replace("\n", " ")


def _page(title: str, entries: list[Entry], link: docstrings.Link) -> str:
    parts = [f"# {title}"]
    parts += [_entry(entry, link) for entry in entries]
    if any(entry.path == "sw.widgets" for entry in entries):
        from saewidgets.widgets._base import Instrument

        said = "What every instrument has. " + docstrings.inline("`sw.ClampPanel` and the others inherit it.", link)
        parts.append(
            f"## Every instrument {{ #every-instrument }}\n\n{said}\n\n{_members(Instrument, 'instrument', link)}"
        )
    return "\n\n".join(parts) + "\n"


def _entry(entry: Entry, link: docstrings.Link) -> str:
    head = f"## {entry.path} {{ #{entry.path} }}"
    if entry.kind == "value":
        shown = repr(entry.value)
        more = f" = {shown}" if len(shown) <= 300 and " at 0x" not in shown else f"  # {type(entry.value).__name__}"
        return f"{head}\n\n```python\n{entry.path}{more}\n```"
    said = docstrings.markdown(inspect.getdoc(entry.value) or "", link)
    if entry.kind == "room":
        return f"{head}\n\n{said}"
    parts = [head, f"```python\n{signature(entry.path, entry.value)}\n```", said]
    if entry.kind == "class":
        parts += [_fields(entry.value, link), _traits(entry.value, link), _members(entry.value, entry.path, link)]
    return "\n\n".join(part for part in parts if part)


def signature(path: str, value: Any) -> str:
    """A call as one types it, with the types and defaults of its arguments; wrapped where it is long."""
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return path
    arguments, keyword_only = [], False
    for name, one in found.parameters.items():
        if name in ("self", "cls"):
            continue
        if one.kind is one.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            if not any(a.startswith("*") for a in arguments):
                arguments.append("*")
        if one.kind is one.VAR_POSITIONAL:
            keyword_only = True
        arguments.append(_plain(str(one)))
    returns = found.return_annotation
    end = "" if returns is inspect.Signature.empty or inspect.isclass(value) else f" -> {_plain(str(returns))}"
    line = f"{path}({', '.join(arguments)}){end}"
    if len(line) <= LONG:
        return line
    return f"{path}(\n" + "".join(f"    {argument},\n" for argument in arguments) + f"){end}"


def _plain(text: str) -> str:
    """An annotation without its quotes and module paths, an object's repr without its address."""
    text = re.sub(r"(?:typing|collections\.abc|pathlib|saewidgets(?:\.\w+)*|numpy|torch|pandas)\.(?=[A-Z])", "", text)
    text = re.sub(r"^(\*{0,2}\w+: )'(.*)'( = |$)", r"\1\2\3", text)
    text = re.sub(r"^'(.*)'$", r"\1", text)
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def _fields(cls: type, link: docstrings.Link) -> str:
    """The fields of a record, with the comment that stands beside each in its source."""
    if not dataclasses.is_dataclass(cls):
        return ""
    said = comments(cls)
    rows = []
    for one in dataclasses.fields(cls):
        if one.name.startswith("_"):
            continue
        kind = one.type if isinstance(one.type, str) else getattr(one.type, "__name__", str(one.type))
        rows.append(
            f"| `{one.name}` | `{kind.replace('|', chr(92) + '|')}` | {docstrings.inline(said.get(one.name, ''), link)} |"
        )
    return "\n".join(["| field | type | |", "|---|---|---|", *rows]) if rows else ""


def comments(cls: type) -> dict[str, str]:
    """{field: the comment at the end of its line, and of the lines that go on with it} of a class."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not base.__module__.startswith(PACKAGE) or not dataclasses.is_dataclass(base):
            continue
        lines = textwrap.dedent(inspect.getsource(base)).splitlines()
        for node in ast.parse("\n".join(lines)).body[0].body:  # type: ignore[attr-defined]
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                after = lines[node.end_lineno - 1][node.end_col_offset :]  # type: ignore[operator]
                said = [after.split("#", 1)[1].strip()] if "#" in after else []
                for line in lines[node.end_lineno :] if said else ():
                    if not line.strip().startswith("#"):
                        break
                    said.append(line.strip(" #"))
                if said:
                    found[node.target.id] = " ".join(said)
    return found


def _traits(cls: type, link: docstrings.Link) -> str:
    """The traits of an instrument that say what they are."""
    if not hasattr(cls, "class_traits"):
        return ""
    rows = [
        f"| `{name}` | {docstrings.inline(trait.help, link)} |"
        for name, trait in sorted(cls.class_traits().items())
        if trait.help and not name.startswith("_") and str(trait.this_class.__module__).startswith(PACKAGE)
    ]
    return "\n".join(["| trait | |", "|---|---|", *rows]) if rows else ""


def _members(cls: type, path: str, link: docstrings.Link) -> str:
    """The public methods and properties that a class of this package defines itself and says something about."""
    parts = []
    for name, value in vars(cls).items():
        if name.startswith("_"):
            continue
        if isinstance(value, property):
            head, said = f"{path}.{name}", inspect.getdoc(value.fget)
        elif inspect.isfunction(value) or isinstance(value, (classmethod, staticmethod)):
            head, said = signature(f"{path}.{name}", getattr(cls, name)), inspect.getdoc(getattr(cls, name))
        else:
            continue
        if said:
            parts.append(
                f"### .{name} {{ #{path}.{name} }}\n\n```python\n{head}\n```\n\n{docstrings.markdown(said, link)}"
            )
    return "\n\n".join(parts)
