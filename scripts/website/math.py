"""Equations of the notebooks as MathML, which browsers draw by themselves: no script and no font from elsewhere."""

from __future__ import annotations

import re

from latex2mathml.converter import convert

# Whatever is code stays as it is; what is between dollars is an equation: $$...$$ on lines of its own, $...$ inside one.
_PART = re.compile(r"(```.*?```|`[^`\n]*`)|\$\$(.+?)\$\$|(?<![\\$\w])\$(?=\S)([^$\n]+?)(?<=\S)\$(?!\w)", re.DOTALL)


def rendered(text: str) -> str:
    """Markdown with its LaTeX equations replaced by MathML.

    Example:
        >>> rendered("so $x$ costs `$5`").startswith("so <math")
        True
    """
    return _PART.sub(_one, text)


def _one(found: re.Match[str]) -> str:
    code, block, inline = found.groups()
    if code is not None:
        return str(code)
    drawn = convert(block or inline, display="block" if block else "inline")
    # Markdown would take these for marks of emphasis.
    drawn = drawn.replace("*", "&#42;").replace("_", "&#95;")
    return f'\n\n<div class="math">{drawn}</div>\n\n' if block else drawn
