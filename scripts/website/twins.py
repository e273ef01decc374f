"""For readers of Markdown: each page beside its HTML, and llms.txt, the list of them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

CONFIG = Path(__file__).resolve().parents[2] / "mkdocs.yml"

# Folder of docs/ -> the section of a page that no navigation names; ELSE for those at the top.
SECTIONS = {"tutorials": "Tutorials", "howto": "How to", "errors": "When something fails", "api": "Reference"}
ELSE = "Explanations"


def config() -> dict[str, Any]:
    """mkdocs.yml."""
    made: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return made


def in_nav(entries: list[Any]) -> Iterator[str]:
    """The pages of a navigation, in order."""
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            if isinstance(value, str):
                yield value
            else:
                yield from in_nav(value)


def complete(nav: list[Any], pages: Iterable[str]) -> list[Any]:
    """A navigation with the pages that it does not name at the end of their folder's section.

    Example:
        >>> complete([{"How to": ["howto/index.md"]}], ["howto/index.md", "howto/new.md"])
        [{'How to': ['howto/index.md', 'howto/new.md']}]
    """
    named = set(in_nav(nav))
    left = sorted(page for page in pages if page not in named)
    made = []
    for section in nav:
        for name, inside in section.items():
            own = [page for page in left if SECTIONS.get(page.split("/")[0], ELSE) == name]
            made.append({name: [*inside, *own] if isinstance(inside, list) else inside})
    return made


def write(site: Path, twins: Mapping[str, str], nav: list[Any]) -> None:
    """Put `page.md` beside each `page.html`, say so in it, and write llms.txt, in the order of the navigation."""
    for page, text in twins.items():
        twin = site / page
        twin.write_text(text, encoding="utf-8")
        drawn = twin.with_suffix(".html")
        markup = drawn.read_text(encoding="utf-8")
        said = f'<p class="twin"><a href="{html.escape(twin.name)}">This page as Markdown</a></p>'
        before, end, after = markup.rpartition("</article>")
        drawn.write_text(f"{before}{said}\n{end}{after}", encoding="utf-8")
    (site / "llms.txt").write_text(_list(twins, nav), encoding="utf-8")


def _list(twins: Mapping[str, str], nav: list[Any]) -> str:
    told = config()
    lines = [f"# {told['site_name']}", "", f"> {told['site_description']}"]
    for section in nav:
        for name, inside in section.items():
            lines += ["", f"## {name}", ""]
            for page in in_nav([inside] if isinstance(inside, str) else inside):
                text = twins[page]
                title = re.search(r"^# (.+)$", text, re.MULTILINE)
                lines.append(f"- [{title[1] if title else page}]({page}): {_first(text)}")
    return "\n".join(lines) + "\n"


def _first(text: str) -> str:
    """The first sentence of the first paragraph of prose."""
    for block in text.split("\n\n"):
        block = block.strip()
        if block and block[0] not in "#!<[|`->{:" and not block.startswith("This page is the notebook"):
            block = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"</?\w+>", "", " ".join(block.split())))
            return re.split(r"(?<=[.?!:])[*]* ", block)[0]
    return ""
