"""The small ES modules and the style sheet that draw the instruments, in a notebook and in an exported page alike.

The modules are plain files, `*.js`, that import one another; no bundler and no framework. A notebook wants each instrument
as one module without relative imports, so `esm` joins a module and what it imports, in order, and nothing else is changed.
`program` gives the same text as the expression of an object `{render}` for a page that shows several instruments.

Tokens are text that nobody vouches for: the modules write to the page through `textContent` and `createElement` only.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

__all__ = ["css", "esm", "program"]

_FOLDER = Path(__file__).parent
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class)\b)", re.MULTILINE)
_DEFAULT = "export default { render };\n"


@cache
def css() -> str:
    """The style sheet of every instrument."""
    return (_FOLDER / "saewidgets.css").read_text(encoding="utf-8")


@cache
def esm(name: str) -> str:
    """The instrument `name` (dashboard, clamp, training, plane) as one ES module, `_esm` of its widget."""
    return _joined(name) + _DEFAULT


@cache
def program(name: str) -> str:
    """The instrument `name` as a JavaScript expression that evaluates to `{render}`, or `shim` to what mounts one."""
    return f"(() => {{\n{_joined(name)}return {{ {'mount' if name == 'shim' else 'render'} }};\n}})()"


def _joined(name: str) -> str:
    """The text of a module after the texts of all that it imports, each once."""
    parts: dict[str, str] = {}

    def add(module: str) -> None:
        text = (_FOLDER / f"{module}.js").read_text(encoding="utf-8")
        for needed in _IMPORT.findall(text):
            if needed not in parts:
                add(needed)
        parts[module] = _EXPORT.sub("", _IMPORT.sub("", text)).replace(_DEFAULT, "")

    add(name)
    return "".join(parts.values())
