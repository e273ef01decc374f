"""Notebooks as they ran: each cell's outputs, and each instrument that was shown as the page of its `to_html`.

`KeptRun.save` is called at the end of a run, by whoever ran the cells: nbval in the tests, where SAEWIDGETS_KEEP_OUTPUTS
names a folder, or `run` here. So no notebook has to run a second time for the site. What is kept of NAME.ipynb lies in
FOLDER/NAME/: `notebook.ipynb` with its outputs, and `1.html`, `2.html` ... An instrument is kept as it was when the
last cell had run, which is how it looks in a notebook that was run from top to bottom.
"""

from __future__ import annotations

import html
import json
import os
import re
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat

SCRIPTS = Path(__file__).resolve().parents[1]
VARIABLE = "SAEWIDGETS_KEEP_OUTPUTS"
WIDGET = "application/vnd.jupyter.widget-view+json"
NOTEBOOK, PAGES = "notebook.ipynb", "pages.json"
FAILED = "failed"  # in the list of pages: why there are none
NEAR = 5  # neighbors that a dashboard's page carries
PATIENCE = 300  # s, for what an instrument computes after its cell has ended


def save(
    source: Path, outputs: Sequence[Sequence[dict[str, Any]]], folder: Path, execute: Callable[[str], Any]
) -> Path:
    """Keep a notebook that has just run, while its kernel lives; returns its folder in `folder`.

    Args:
        source: the notebook.
        outputs: of each of its code cells, in order, as nbformat has them.
        folder: where notebooks are kept.
        execute: runs code in the notebook's kernel and waits until it is done.

    Raises:
        RuntimeError: a page that the kernel was to write is not there.
    """
    notebook = nbformat.read(source, as_version=4)
    own = folder / source.stem
    own.mkdir(parents=True, exist_ok=True)
    for old in own.iterdir():
        old.unlink()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, given in zip(cells, outputs, strict=True):
        cell.outputs = [nbformat.from_dict(dict(output)) for output in given]
    ids = [output.data[WIDGET]["model_id"] for cell in cells for output in cell.outputs if _is_widget(output)]
    if ids:
        execute(
            f"import sys; sys.path.insert(0, {str(SCRIPTS)!r})\n"
            f"from website.kept import in_kernel; in_kernel({str(own)!r}, {ids!r})"
        )
        if not (own / PAGES).is_file():
            raise RuntimeError(f"{source.name}: its kernel did not write the pages of its instruments")
        pages = json.loads((own / PAGES).read_text(encoding="utf-8"))
        if FAILED in pages:
            raise RuntimeError(f"{source.name}: a page of its instruments could not be written:\n{pages[FAILED]}")
        for cell in cells:
            cell.outputs = [output for output in cell.outputs if not _is_widget(output) or _place(output, pages)]
    nbformat.write(notebook, own / NOTEBOOK)
    return own


def _is_widget(output: Any) -> bool:
    return WIDGET in output.get("data", {})


def _place(output: Any, pages: dict[str, dict[str, str]]) -> bool:
    """Write into a widget's output which page is its instrument's; False where it is none, such as a progress bar."""
    view = output.data[WIDGET]
    view.update(pages.get(view["model_id"], {}))
    return "page" in view


def in_kernel(folder: str, models: Sequence[str]) -> None:
    """In the kernel of a notebook: `write_pages`, whose failure is left where `save` finds it."""
    from saewidgets.files import write_text

    try:
        pages: dict[str, Any] = write_pages(Path(folder), models)
    except Exception:
        pages = {FAILED: traceback.format_exc()}
    write_text(Path(folder) / PAGES, json.dumps(pages))


def write_pages(folder: Path, models: Sequence[str]) -> dict[str, dict[str, str]]:
    """The instrument of each model id as a page, `1.html` and so on; {model id: its file, title and kind}."""
    from ipywidgets.widgets.widget import _instances  # model id -> widget; the public name for it is deprecated

    from saewidgets import export
    from saewidgets.files import write_text
    from saewidgets.widgets import FeatureDashboard

    pages: dict[str, dict[str, str]] = {}
    for model in dict.fromkeys(models):
        widget = _instances.get(model)
        inside = _instruments(widget)
        if not inside:
            continue
        for instrument in inside:
            _begin(instrument)
            if hasattr(instrument, "wait") and instrument.wait(PATIENCE) is False:
                raise RuntimeError(f"{instrument!r} was not done after {PATIENCE} s")
        if isinstance(widget, FeatureDashboard):
            text = widget.to_html(features=_near(widget), progress=False)
        elif inside == [widget]:
            text = widget.to_html()
        else:  # a box of several
            text = export.page("Instruments", [instrument._view() for instrument in inside])
        name = f"{len(pages) + 1}.html"
        write_text(folder / name, text)
        pages[model] = {"page": name, "title": title_of(text), "instrument": type(widget).__name__}
    return pages


def _begin(instrument: Any) -> None:
    """Have an instrument do what it does by itself once it is on a screen."""
    from saewidgets.widgets import ClampPanel, SuperpositionLab

    if isinstance(instrument, ClampPanel) and not instrument.default.tokens:
        instrument.write()
    if isinstance(instrument, SuperpositionLab):
        try:
            _ = instrument.data
        except ValueError:  # nothing is trained yet
            instrument.start()


def _near(board: Any) -> list[int]:
    """The feature of a dashboard and its nearest ones: a page of all of them would carry ten megabytes and more."""
    return [board.feature, *(neighbor.feature for neighbor in board.data[board.feature].neighbors[:NEAR])]


def _instruments(widget: Any) -> list[Any]:
    """The instruments of a widget: itself, or what its boxes hold."""
    if hasattr(widget, "to_html"):
        return [widget]
    return [one for child in getattr(widget, "children", ()) for one in _instruments(child)]


def run(source: Path, folder: Path) -> Path:
    """Run a notebook from top to bottom and keep it. Raises nbclient's CellExecutionError where a cell does."""
    from nbclient import NotebookClient

    notebook = nbformat.read(source, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        store_widget_state=False,
        resources={"metadata": {"path": str(source.parent)}},
    )

    def execute(code: str) -> None:
        cell = nbformat.v4.new_code_cell(code)
        notebook.cells.append(cell)
        client.execute_cell(cell, len(notebook.cells) - 1)

    with client.setup_kernel(env=os.environ | {"OMP_WAIT_POLICY": "passive"}):
        for index, cell in enumerate(list(notebook.cells)):
            client.execute_cell(cell, index)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        return save(source, [cell.outputs for cell in code], folder, execute)


def title_of(page: str) -> str:
    """The title of a page of HTML."""
    found = re.search(r"<title>(.*?)</title>", page)
    return html.unescape(found[1]) if found else ""
