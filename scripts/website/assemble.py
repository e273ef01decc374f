"""The sources of the site in one folder: the pages of docs/, the tutorials, the gallery and the reference.

Pages of docs/ are read in the repository, too. There they link to notebooks and to code; here a notebook becomes its
tutorial, and what the site does not have becomes plain text. A name such as `sw.Steerer` leads to the reference.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from website import frames
from website.reference import Reference
from website.tutorials import Tutorial

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# Where docs/gallery.md, docs/api/index.md and others say what is made here.
PLACE = re.compile(r"^<!-- (\w+) -->$", re.MULTILINE)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_CODE = re.compile(r"(?<!\[)`([^`\n]+)`(?!\])")
_FENCE = re.compile(
    r"(^```.*?^```$|<(?:pre|iframe|figure|math)\b.*?</(?:pre|iframe|figure|math)>)", re.MULTILINE | re.DOTALL
)


@dataclass
class Sources:
    """What was put together in a folder."""

    folder: Path
    twins: dict[str, str] = field(default_factory=dict)  # page -> its Markdown for readers of Markdown

    def add(self, page: str, text: str, twin: str | None = None) -> None:
        """Write a page, `tutorials/00_tour.md`; its twin is the same where there is none of its own."""
        path = self.folder / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.twins[page] = without_frames(re.sub(r" \{ #[\w.-]+ \}$", "", text if twin is None else twin, flags=re.M))


def assemble(
    folder: Path, tutorials: Sequence[Tutorial], reference: Reference, live: str, gallery: Mapping[str, Path]
) -> Sources:
    """Write everything that Zensical reads into `folder`, which is made anew where `live/` has been put.

    Args:
        folder: where; the frames of the tutorials are in `folder`/live.
        tutorials: of the notebooks.
        reference: the API.
        live: the page of the front page's instrument.
        gallery: {name of an instrument: the page that shows it, in `folder`/live}.
    """
    sources = Sources(folder)
    (folder / "live").mkdir(parents=True, exist_ok=True)
    (folder / "live" / frames.LIVE).write_text(live, encoding="utf-8")
    if any("Figure" in dict(tutorial.frames) for tutorial in tutorials):
        from plotly.offline import get_plotlyjs

        (folder / "live" / frames.PLOTLY).write_text(get_plotlyjs(), encoding="utf-8")
    linked = {entry.path: f"api/{entry.page}.md#{entry.path}" for entry in reference.entries}
    linked |= {f"notebooks/{one.name}.ipynb": f"tutorials/{one.name}.md" for one in tutorials}
    linked |= {f"{one.name}.ipynb": f"tutorials/{one.name}.md" for one in tutorials}
    linked |= {f"docs/{path.name}": path.name for path in DOCS.glob("*.md")}
    linked["notebooks/README.md"] = "tutorials/index.md"
    fill = {
        "gallery": lambda: _gallery(gallery, tutorials),
        "course": _course,
        "reference": lambda: reference.pages["index"],
    }
    for path in sorted(DOCS.rglob("*")):
        name = path.relative_to(DOCS).as_posix()
        if path.suffix == ".md":
            sources.add(name, _page(name, path.read_text(encoding="utf-8"), linked, fill))
        elif path.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)
    for one in tutorials:
        page = f"tutorials/{one.name}.md"
        sources.add(page, _page(page, one.page, linked, fill), _page(page, one.twin, linked, fill))
    for name, text in reference.pages.items():
        if name != "index":
            sources.add(f"api/{name}.md", text)
    return sources


def sample_pages(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """Pages of instruments on the made-up records of the tests, for the gallery: {name: page}."""
    sys.path[:0] = [path for path in (str(ROOT / "tests"),) if path not in sys.path]
    import instruments

    made = {}
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        instrument = instruments.MAKE[name]()
        if hasattr(instrument, "wait"):
            instrument.wait(120)
        made[name] = folder / f"sample-{name}.html"
        instrument.to_html(made[name])
    return made


def _page(page: str, text: str, linked: Mapping[str, str], fill: Mapping[str, Callable[[], str]]) -> str:
    """A page of docs/ as the site has it: its places filled, its links and names leading to pages of the site."""
    text = PLACE.sub(lambda found: fill[found[1]]() if found[1] in fill else found[0], text)

    def to(target: str) -> str:
        return posixpath.relpath(target, posixpath.dirname(page) or ".")

    def link(found: re.Match[str]) -> str:
        picture, label, target = found.groups()
        if "://" in target or target.startswith(("#", "mailto:")):
            return found[0]
        path, _, anchor = target.partition("#")
        whole = os.path.normpath(DOCS / posixpath.dirname(page) / path)
        inside = Path(whole).relative_to(ROOT).as_posix() if Path(whole).is_relative_to(ROOT) else ""
        if inside in linked:
            return f"{picture}[{label}]({to(linked[inside])}{'#' + anchor if anchor else ''})"
        return found[0] if not inside or inside.startswith("docs/") else label

    def name(found: re.Match[str]) -> str:
        code = found[1]
        known = linked.get(code) or linked.get(re.sub(r"\(.*\)$", "", code, flags=re.DOTALL))
        return f"[`{code}`]({to(known)})" if known and known.partition("#")[0] != page else found[0]

    out = []
    for part in _FENCE.split(text):
        if part.startswith(("```", "<pre", "<iframe", "<figure", "<math")):
            out.append(part)
            continue
        part = _LINK.sub(link, part)
        lines = [line if line.startswith("#") else _outside_links(line, name) for line in part.split("\n")]
        out.append("\n".join(lines))
    return "".join(out)


def _outside_links(line: str, name: Callable[[re.Match[str]], str]) -> str:
    """`name` for every piece of code in a line that is in no link already."""
    parts = re.split(r"(\[(?:[^\[\]]|\[[^\]]*\])*\]\([^)\s]+\))", line)
    return "".join(part if i % 2 else _CODE.sub(name, part) for i, part in enumerate(parts))


def _course() -> str:
    """The course of the notebooks, without its heading; its links as from a folder of docs/."""
    text = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"\A# .+\n", "", text).strip()
    return re.sub(r"\]\((\w+\.ipynb)\)", r"](../../notebooks/\1)", text)


def _gallery(pages: Mapping[str, Path], tutorials: Sequence[Tutorial]) -> str:
    """One section per instrument: what it is, and the instrument."""
    import saewidgets as sw
    from website import docstrings

    parts = []
    for name, path in sorted(pages.items()):
        said = docstrings.first_sentence(getattr(sw, name).__doc__ or "")
        origin = next((one for one in tutorials if any(file == path for _, file in one.frames)), None)
        whence = f"From [{origin.title}](tutorials/{origin.name}.md)." if origin else "On made-up records."
        shown = frames.frame(f"live/{path.name}", f"{name} in the gallery", name)
        parts.append(f"## {name}\n\n{said} `sw.{name}`\n\n{shown}\n\n{whence}\n{{: .from }}")
    return "\n\n".join(parts)


def without_frames(text: str) -> str:
    """Markdown in which each frame is a link to its page."""

    def link(found: re.Match[str]) -> str:
        attributes = dict(re.findall(r'(\w+)="([^"]*)"', found[0]))
        return f"[{attributes.get('title', 'Instrument')}]({attributes['src']})"

    text = re.sub(r'<figure class="live">\s*<iframe.*?</figure>', link, text, flags=re.DOTALL)
    return re.sub(r"\n\{: [^}]*\}", "", text)
