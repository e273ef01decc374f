"""Write saewidgets/frontend/types/model.d.ts: the traits of each instrument as the page sees them, from the Python
classes.

    .venv/bin/python scripts/write_types.py            # writes the file
    .venv/bin/python scripts/write_types.py --check    # exits with 1 where it is not current

A trait that holds a dict is `Record<string, any>`: what is inside is a payload, and the instrument's own files say its
shape.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import traitlets

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "saewidgets" / "frontend" / "types" / "model.d.ts"
HEAD = """// The traits of each instrument. Written by scripts/write_types.py from the Python classes: change those, and run it again.

/** Of every instrument. */
export interface SharedTraits {
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where the file is not current")
    now = types()
    if parser.parse_args().check:
        return int(not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != now)
    TARGET.write_text(now, encoding="utf-8")
    return 0


def types() -> str:
    """The text of the file."""
    sys.path.insert(0, str(ROOT))
    from saewidgets import widgets
    from saewidgets.widgets._base import Instrument

    shared = _own(Instrument)
    text = HEAD + _lines(shared) + "  /** Set by a page without a kernel. */\n  _static?: boolean;\n"
    text += "}\n"
    for name in sorted(widgets.__all__):
        kind = getattr(widgets, name)
        if issubclass(kind, Instrument):
            own = {trait: value for trait, value in _own(kind).items() if trait not in shared}
            text += f"\nexport interface {name}Traits extends SharedTraits {{\n{_lines(own)}}}\n"
    return text


def _own(kind: type[traitlets.HasTraits]) -> dict[str, traitlets.TraitType[Any, Any]]:
    """The synced traits that an instrument adds to those of every widget, by name."""
    import anywidget

    known = set(anywidget.AnyWidget.class_trait_names()) | {"_esm", "_css", "_anywidget_id"}
    return {name: trait for name, trait in sorted(kind.class_traits(sync=True).items()) if name not in known}


def _lines(traits: dict[str, traitlets.TraitType[Any, Any]]) -> str:
    out = ""
    for name, trait in traits.items():
        if trait.help:
            out += f"  /** {trait.help} */\n"
        out += f"  {name}: {kind_of(trait)};\n"
    return out


def kind_of(trait: Any) -> str:
    """The TypeScript type of what a trait sends.

    Example:
        >>> kind_of(traitlets.List(traitlets.Unicode(), allow_none=True))
        'string[] | null'
    """
    kind = _kind_of(trait)
    return f"{kind} | null" if getattr(trait, "allow_none", False) and kind != "any" else kind


def _kind_of(trait: Any) -> str:
    if hasattr(trait, "typescript"):
        return str(trait.typescript)
    if isinstance(trait, traitlets.Enum):
        return " | ".join("null" if value is None else f'"{value}"' for value in trait.values)
    if isinstance(trait, traitlets.Bool):
        return "boolean"
    if isinstance(trait, (traitlets.Int, traitlets.Float)):
        return "number"
    if isinstance(trait, traitlets.Unicode):
        return "string"
    if isinstance(trait, traitlets.Bytes):
        return "DataView"
    if isinstance(trait, traitlets.Dict):
        value = getattr(trait, "_value_trait", None)
        return f"Record<string, {kind_of(value) if value is not None else 'any'}>"
    if isinstance(trait, traitlets.Tuple):
        inner = [kind_of(one) for one in trait._traits]
        return f"[{', '.join(inner)}]" if inner else "any[]"
    if isinstance(trait, traitlets.List):
        inner = kind_of(trait._trait) if trait._trait is not None else "any"
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if isinstance(trait, traitlets.Union):
        return " | ".join(dict.fromkeys(kind_of(one) for one in trait.trait_types))
    return "any"


if __name__ == "__main__":
    sys.exit(main())
