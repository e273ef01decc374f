"""What a run of a notebook leaves for the site, from nbval's cells and from this process in the place of a kernel."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import ipywidgets
import nbformat
import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

import saewidgets as sw

ROOT = Path(__file__).parents[2]
sys.path[:0] = [path for path in [str(ROOT / "scripts")] if path not in sys.path]


def run(code):
    exec(code, {})


def shown(widget) -> dict:
    """The output of a cell that shows a widget."""
    data = {"application/vnd.jupyter.widget-view+json": {"model_id": widget.model_id}, "text/plain": "a widget"}
    return nbformat.v4.new_output("display_data", data)


@pytest.fixture
def notebook(tmp_path):
    """A notebook of two cells, on disk."""
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_markdown_cell("# Two"), *(nbformat.v4.new_code_cell(code) for code in ("a", "b"))]
    nbformat.write(made, tmp_path / "two.ipynb")
    return tmp_path / "two.ipynb"


def test_instruments_become_pages_and_progress_bars_go(notebook, tmp_path):
    from website import kept

    plane = sw.FeaturePlane(angles=(0, 60))
    pair = ipywidgets.HBox([sw.FeaturePlane(angles=(0, 10)), sw.FeaturePlane(angles=(0, 20))])
    outputs = [[shown(plane), shown(ipywidgets.HBox([ipywidgets.FloatProgress()]))], [shown(pair), shown(plane)]]
    plane.angles = (0, 45)  # after its cell
    own = kept.save(notebook, outputs, tmp_path / "kept", run)
    cells = nbformat.read(own / "notebook.ipynb", 4).cells[1:]
    views = [[output.data[kept.WIDGET] for output in cell.outputs] for cell in cells]
    assert [[view["page"] for view in row] for row in views] == [["1.html"], ["2.html", "1.html"]]
    assert [[view["instrument"] for view in row] for row in views] == [["FeaturePlane"], ["HBox", "FeaturePlane"]]
    data = [
        json.loads((own / name).read_text().split('id="saew-data">')[1].split("</script>")[0])
        for name in ("1.html", "2.html")
    ]
    assert [[view["state"]["angles"] for view in page] for page in data] == [[[0, 45]], [[0, 10], [0, 20]]]


def test_a_page_that_cannot_be_written_says_why(notebook, tmp_path):
    from website import kept

    class Broken(sw.FeaturePlane):
        def to_html(self, path=None):
            raise ValueError("no picture today")

    with pytest.raises(RuntimeError, match=r"two\.ipynb: a page .*\n(.*\n)*ValueError: no picture today"):
        kept.save(notebook, [[shown(Broken())], []], tmp_path / "kept", run)
    with pytest.raises(RuntimeError, match="did not write"):
        kept.save(notebook, [[shown(sw.FeaturePlane())], []], tmp_path / "kept", lambda code: None)


@pytest.fixture
def teardown(monkeypatch, tmp_path):
    """The hook of notebooks/conftest.py, with the variable set."""
    monkeypatch.setenv("SAEWIDGETS_KEEP_OUTPUTS", str(tmp_path / "kept"))
    spec = importlib.util.spec_from_file_location("notebooks_conftest", ROOT / "notebooks" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pytest_runtest_teardown


def cells(notebook, outputs) -> list:
    """nbval's items of a notebook, after they ran."""
    kernel = SimpleNamespace(
        execute_cell_input=lambda code, allow_stdin: run(code), await_reply=lambda asked, timeout: None
    )
    file = SimpleNamespace(nb=nbformat.read(notebook, 4), kernel=kernel)
    return [
        SimpleNamespace(path=notebook, parent=file, cell_num=i, test_outputs=given) for i, given in enumerate(outputs)
    ]


def test_nbval_keeps_what_the_hook_asks_it_for():
    assert {"test_outputs", "cell_num", "parent"} <= set(IPyNbCell.__init__.__code__.co_names)
    assert callable(RunningKernel.execute_cell_input) and callable(RunningKernel.await_reply)


@pytest.mark.parametrize("case", ["whole", "an error", "a cell that did not run", "one cell of two"])
def test_only_a_notebook_that_ran_whole_and_well_is_kept(teardown, notebook, tmp_path, case):
    said = nbformat.v4.new_output("stream", name="stdout", text="hello")
    error = nbformat.v4.new_output("error", ename="E", evalue="e", traceback=[])
    second = {"an error": [error], "a cell that did not run": None}.get(case, [said])
    items = cells(notebook, [[said], second])[: 1 if case == "one cell of two" else 2]
    for item, following in zip(items, [*items[1:], None], strict=True):
        teardown(item, following)
    left = tmp_path / "kept" / "two" / "notebook.ipynb"
    assert left.exists() == (case == "whole")
    if case == "whole":
        assert [cell.outputs[0].text for cell in nbformat.read(left, 4).cells[1:]] == ["hello", "hello"]
