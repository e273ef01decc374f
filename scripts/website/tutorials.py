"""A notebook that was kept, as a page: its prose, its code, what it printed, and its instruments in frames.

`page` is Markdown with HTML in it, for the site; `twin` is Markdown alone, for whoever reads that.
"""

from __future__ import annotations

import html
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from website import frames, math
from website.kept import NOTEBOOK, WIDGET

PLOTLY = "application/vnd.plotly.v1+json"
# What a reader of the site needs none of: the cell that installs the package on Google Colab.
HIDDEN = re.compile(r"google\.colab")
# Instruments, by notebook and place, that the front page has as a page that computes: it is shown here, too.
COMPUTED = {("00_tour", 0)}
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Tutorial:
    """A notebook's page and its twin."""

    name: str  # of the notebook, without its ending
    title: str
    page: str
    twin: str
    frames: tuple[tuple[str, Path], ...]  # (instrument, its page in the site), in order


def tutorial(kept: Path, site: Path) -> Tutorial:
    """Make a tutorial of the folder of one kept notebook; its frames are written to `site`/live.

    Raises:
        ValueError: a notebook that begins with no heading.
    """
    notebook = nbformat.read(kept / NOTEBOOK, as_version=4)
    name = kept.name
    found = re.match(r"# (.+)", "".join(notebook.cells[0].source))
    if found is None:
        raise ValueError(f"{name}.ipynb begins with no heading: its first cell must begin with '# '")
    live = site / "live"
    live.mkdir(parents=True, exist_ok=True)
    pages, twins, shown = [], [], []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            pages.append(prose(cell.source))
            twins.append(cell.source)
            continue
        if HIDDEN.search(cell.source):
            continue
        code = f"```python\n{cell.source}\n```"
        pages.append(code)
        twins.append(code)
        for output in cell.outputs:
            data = output.get("data", {})
            if WIDGET in data:
                view = data[WIDGET]
                if (name, len(shown)) in COMPUTED:
                    file = live / frames.LIVE
                else:
                    file = live / f"{name}-{len(shown) + 1}.html"
                    shutil.copyfile(kept / view["page"], file)
                shown.append((view["instrument"], file))
                title = f"{view['title']}: instrument {len(shown)} of this notebook"
                pages.append(frames.frame(f"../live/{file.name}", title, view["instrument"]))
                twins.append(f"[{title}](../live/{file.name})")
            elif PLOTLY in data:
                file = live / f"{name}-{len(shown) + 1}.html"
                title = f"Chart: figure {len(shown) + 1} of this notebook"
                file.write_text(frames.chart(title, data[PLOTLY]), encoding="utf-8")
                shown.append(("Figure", file))
                pages.append(frames.frame(f"../live/{file.name}", title, "Figure"))
                twins.append(f"[{title}](../live/{file.name})")
            else:
                page, twin = _printed(output)
                pages.append(page)
                twins.append(twin)
    source = f"This page is the notebook `notebooks/{name}.ipynb` as it ran. To run it yourself: `saewidgets lab`."
    note = f'!!! note ""\n\n    {source} Instruments are shown as their last cell left them, and can be used here; '
    note += "what needs the model to compute anew rests.\n"
    pages.insert(1, note)
    twins.insert(1, source)
    return Tutorial(name, found[1], _joined(pages), _joined(twins), tuple(shown))


def absent(name: str, source: Path, why: str, picture: str) -> Tutorial:
    """The page of a notebook that did not run: its prose and code, a picture, and the reason."""
    notebook = nbformat.read(source, as_version=4)
    title = re.match(r"# (.+)", "".join(notebook.cells[0].source))
    assert title, source
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif not HIDDEN.search(cell.source):
            parts.append(f"```python\n{cell.source}\n```")
    note = f'!!! note "Without its outputs"\n\n    {why}\n'
    shown = f"![What the notebook shows in JupyterLab]({picture})"
    pages = [prose(part) for part in parts]
    pages[1:1] = [note, shown]
    return Tutorial(name, title[1], _joined(pages), _joined([parts[0], why, shown, *parts[1:]]), ())


def prose(text: str) -> str:
    """The Markdown of a notebook as the site's parser wants it: folded parts are parsed, equations are drawn."""
    text = re.sub(r"<details>", '<details markdown="1">', text)
    return math.rendered(text)


def _joined(parts: list[str]) -> str:
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def _printed(output: Any) -> tuple[str, str]:
    """What a cell printed or gave, as HTML and as Markdown; nothing of what it logs while it works."""
    if output.output_type == "stream":
        text = "" if output.name == "stderr" else ANSI.sub("", output.text).rstrip()
        return _block(text), _fence(text)
    data = output.get("data", {})
    plain = ANSI.sub("", "".join(data.get("text/plain", ""))).rstrip()
    rich = "".join(data.get("text/html", ""))
    return (_table(rich) if "<table" in rich else _block(plain)), _fence(plain)


def _block(text: str) -> str:
    return f'<pre class="output" tabindex="0">{html.escape(text)}</pre>' if text else ""


def _fence(text: str) -> str:
    return f"```text\n{text}\n```" if text else ""


def _table(rich: str) -> str:
    """The HTML of a table of pandas, without its style sheet for JupyterLab, as one block of Markdown."""
    rich = re.sub(r"<style scoped>.*?</style>", "", rich, flags=re.DOTALL)
    rich = rich.replace('border="1" ', "")
    lines = [line.strip() for line in rich.splitlines() if line.strip()]
    return '<div class="output table" tabindex="0">' + "\n".join(lines) + "</div>"
