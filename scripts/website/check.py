"""What the finished site must keep: every link leads somewhere, nothing comes from elsewhere, nothing is too large."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

TOTAL = 30_000_000  # bytes of the site, without the frames of SmolLM2's notebook
PAGE = 3_000_000  # bytes of one page
LIVE = 8_500_000  # bytes of a page that carries a model
# Pages that carry a model or belong to one, which the total leaves out.
SMOLLM2 = re.compile(r"^live/08_a_real_chat_model-\d+\.html$")
CARRIES = re.compile(r"^live/clamp\.html$")
ABSENT = "404.html"  # its links begin at the root of whatever serves it
# What a page loads, element -> attribute. A link is <a href>, and may lead anywhere.
LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "link": "href",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "form": "action",
}


@dataclass
class _Page(HTMLParser):
    """The links of a page, what it loads, and the anchors that it has."""

    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    untitled: int = 0  # frames without a title

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in LOADS and LOADS[tag] in given and given.get("rel") not in ("canonical", "alternate"):
            self.loads.append(given[LOADS[tag]])
        if "style" in given:
            self.loads += _in_css(given["style"])
        if tag == "iframe" and not given.get("title"):
            self.untitled += 1


def _in_css(text: str) -> list[str]:
    return re.findall(r"""(?:url\(\s*|@import\s+)["']?([^"')\s;]+)""", text)


def problems(site: Path) -> list[str]:
    """All that is wrong with the site in a folder, one sentence each."""
    files = {path.relative_to(site).as_posix(): path for path in sorted(site.rglob("*")) if path.is_file()}
    pages = {name: _parsed(path) for name, path in files.items() if name.endswith(".html")}
    found = [*_links(files, pages), *_outside(files, pages), *_sizes(files)]
    for name, page in pages.items():
        found += [f"{name}: {page.untitled} frames have no title"] if page.untitled else []
    return found


def _parsed(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _links(files: dict[str, Path], pages: dict[str, _Page]) -> Iterator[str]:
    for name, page in pages.items():
        for target in [*page.links, *page.loads] if name != ABSENT else ():
            parts = urlsplit(target)
            if parts.scheme or parts.netloc or (not parts.path and not parts.fragment):
                continue
            there = _resolved(name, unquote(parts.path))
            if there not in files:
                yield f"{name}: its link {target} leads nowhere"
            elif not parts.fragment or there not in pages or there.startswith("live/"):  # there it says what is set
                continue
            elif unquote(parts.fragment) not in pages[there].anchors:
                yield f"{name}: its link {target} leads to no place of that page"


def _resolved(page: str, target: str) -> str:
    if not target:
        return page
    parts = page.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _outside(files: dict[str, Path], pages: dict[str, _Page]) -> Iterator[str]:
    loaded = [(name, target) for name, page in pages.items() for target in page.loads]
    for name, path in files.items():
        if name.endswith((".css", ".html")):
            text = path.read_text(encoding="utf-8")
            sheets = [text] if name.endswith(".css") else re.findall(r"<style[^>]*>(.*?)</style>", text, re.DOTALL)
            loaded += [(name, target) for sheet in sheets for target in _in_css(sheet)]
    for name, target in loaded:
        if target.startswith(("http:", "https:", "//", "ftp:", "ws:", "wss:")):
            yield f"{name} asks for {target[:100]}, which is not of this site"


def _sizes(files: dict[str, Path]) -> Iterator[str]:
    sizes = {name: path.stat().st_size for name, path in files.items()}
    total = sum(size for name, size in sizes.items() if not SMOLLM2.match(name))
    if total > TOTAL:
        yield f"the site takes {total / 1e6:.1f} MB, more than {TOTAL / 1e6:.0f}"
    for name, size in sizes.items():
        most = LIVE if CARRIES.match(name) else PAGE
        if name.endswith((".html", ".md")) and size > most:
            yield f"{name} takes {size / 1e6:.1f} MB, more than {most / 1e6:.1f}"
