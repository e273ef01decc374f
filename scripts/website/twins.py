"""For readers of Markdown: each page beside its HTML, and llms.txt, the list of them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

CONFIG = Path(__file__).resolve().parents[2] / "mkdocs.yml"


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


def write(site: Path, twins: Mapping[str, str]) -> None:
    """Put `page.md` beside each `page.html`, say so in it, and write llms.txt."""
    for page, text in twins.items():
        twin = site / page
        twin.write_text(text, encoding="utf-8")
        drawn = twin.with_suffix(".html")
        markup = drawn.read_text(encoding="utf-8")
        said = f'<p class="twin"><a href="{html.escape(twin.name)}">This page as Markdown</a></p>'
        before, end, after = markup.rpartition("</article>")
        drawn.write_text(f"{before}{said}\n{end}{after}", encoding="utf-8")
    (site / "llms.txt").write_text(_list(twins), encoding="utf-8")


def _list(twins: Mapping[str, str]) -> str:
    told = config()
    lines = [f"# {told['site_name']}", "", f"> {told['site_description']}"]
    for section in told["nav"]:
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
