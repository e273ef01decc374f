"""The site: built without a warning, every frame alive in a browser, every public name and page in its place.

A small site is built as the whole one is: every page of docs/ and of the reference, with one short notebook that is run, and
the gallery on sample records. Where SAEWIDGETS_SITE names a built site, that one is looked at.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from live_lab import watched_page

import saewidgets as sw

ROOT = Path(__file__).parents[2]
sys.path[:0] = [path for path in [str(ROOT / "scripts")] if path not in sys.path]
SHORT = [
    ("markdown", "# A short notebook\n\nThe angle is $\\cos 45° = \\sqrt{2}/2$, not `$5`.\n\n$$a_f = \\max(0, x)$$"),
    ("code", 'import sys\n\nif "google.colab" in sys.modules:\n    %pip install nothing'),
    ("code", "import saewidgets as sw\n\nsw.FeaturePlane(angles=(0, 60))"),
    ("markdown", "<details><summary>Open</summary>\n\nIt is **a half**, see `docs/miniworld.md`.\n</details>"),
    ("code", 'import sys\n\nprint("3 < 4")\nprint("not for " + "readers", file=sys.stderr)\n{"a": [1, 2]}'),
    ("code", 'import pandas as pd\n\npd.DataFrame({"one": [1.5], "two <b>": ["x_y_z"]})'),
    ("code", "plane = sw.FeaturePlane(angles=(0, 90))\nplane"),
    ("code", "plane.point = (0.25, -0.5)"),
]
SMALL = pytest.mark.skipif("SAEWIDGETS_SITE" in os.environ, reason="the whole site has no short notebook")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The folder of what the short notebook left, which ran once, as the script runs one."""
    from website import kept as keeping

    folder = tmp_path_factory.mktemp("kept")
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    notebook.cells = [make[kind](text) for kind, text in SHORT]
    source = folder / "short.ipynb"
    nbformat.write(notebook, source)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), before)))
    try:
        return keeping.run(source, folder / "kept").parent
    finally:
        os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


@pytest.fixture(scope="module")
def site(kept, tmp_path_factory):
    """The folder of a built site; that it has no problem is seen here."""
    if "SAEWIDGETS_SITE" in os.environ:
        return Path(os.environ["SAEWIDGETS_SITE"]).resolve()
    import build_docs
    import instruments

    # Every tutorial has its page, so that links lead somewhere: that of the short notebook, under each name.
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        if notebook.stem != build_docs.CHAT:
            shutil.copytree(kept / "short", kept / notebook.stem)
    out = tmp_path_factory.mktemp("site")
    panel = instruments.MAKE["ClampPanel"]()
    panel.wait(60)
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert build_docs.build(out, kept, notebooks, live=panel.to_html()) == []
    return out / "site"


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.browser
def test_every_frame_shows_something(site, browser):
    """Each page that has frames, and each page that stands in one: drawn, without an error, without leaving this machine."""
    framed = [path for path in site.rglob("*.html") if "<iframe" in text(path)]
    assert len(framed) >= 3
    live = {match for path in framed for match in re.findall(r'<iframe src="([^"]+)"', text(path))}
    pages = sorted({(site / "live" / Path(name).name).resolve() for name in live})
    assert len(pages) >= 14
    with watched_page(browser) as page:
        for path in pages:
            page.goto(path.as_uri())
            page.wait_for_function("() => document.querySelector('.saew-host > .saew, #chart .main-svg') !== null")
            height = page.evaluate("document.body.getBoundingClientRect().height")
            words = page.evaluate("document.body.innerText.trim().length")
            assert height > 100 and words > 20, path.name
            page.trouble.check()
        for path in framed[:3]:
            page.goto(path.as_uri())
            assert page.frame_locator("iframe >> nth=0").locator("main").count() == 1
            assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), path.name
        page.trouble.check()


@pytest.mark.parametrize("name", [name for name in sw.__all__ if name != "__version__"])
def test_every_public_name_is_in_the_reference(name, anchors):
    assert f"sw.{name}" in anchors


@pytest.fixture(scope="module")
def anchors(site):
    return {anchor for path in (site / "api").glob("*.html") for anchor in re.findall(r'id="([^"]+)"', text(path))}


def test_methods_fields_and_examples_are_in_the_reference(site, anchors):
    assert {"sw.Steerer.generate", "sw.analysis.completeness", "sw.records.Generation"} <= anchors
    steering, saes = text(site / "api" / "steering.md"), text(site / "api" / "saes.md")
    assert ">>> steer.generate(" in steering and "doctest" not in steering
    assert re.search(r"^\| `d_sae` \| `int` \| \w+", saes, re.MULTILINE)  # a field's comment


def test_llms_txt_lists_every_page_and_each_has_its_twin(site):
    listed = re.findall(r"^- \[([^\]]+)\]\(([^)]+\.md)\): (.*)$", text(site / "llms.txt"), re.MULTILINE)
    assert len(listed) > 50
    for title, page, said in listed:
        assert title and said, page
        assert (site / page).is_file()
        assert f'href="{Path(page).name}">This page as Markdown</a>' in text((site / page).with_suffix(".html"))
    drawn = {path.relative_to(site).with_suffix(".md").as_posix() for path in site.rglob("*.html")}
    assert {page for page in drawn if not page.startswith(("live/", "404"))} == {page for _, page, _ in listed}


@SMALL
def test_a_notebook_becomes_a_page(site):
    page, twin = text(site / "tutorials" / "07_directions.html"), text(site / "tutorials" / "07_directions.md")
    assert page.count("<iframe") == 2 and 'title="Feature plane: instrument 2 of this notebook"' in page
    assert "google.colab" not in page + twin and "not for readers" not in page + twin
    assert '<pre class="output" tabindex="0">3 &lt; 4</pre>' in page and "```text\n3 < 4\n```" in twin
    assert "{'a': [1, 2]}" in twin
    assert "<td>x_y_z</td>" in page and "two &lt;b&gt;" in page
    assert page.count("<math") == 2 and "<msqrt>" in page and "$5" in page
    assert (
        '<a href="../miniworld.html"><code>docs/miniworld.md</code></a>' in page and "<strong>a half</strong>" in page
    )
    assert "../live/07_directions-2.html" in twin


@SMALL
def test_an_instrument_is_kept_as_the_last_cell_left_it(site):
    page = text(site / "live" / "07_directions-2.html")
    data = json.loads(re.search(r'id="saew-data">(.*?)</script>', page)[1])
    assert data[0]["state"]["point"] == [0.25, -0.5]


@SMALL
def test_without_its_model_a_notebook_is_a_page_that_says_so(site):
    page = text(site / "tutorials" / "08_a_real_chat_model.html")
    assert "saewidgets models fetch smollm2" in page and 'src="../chat.png"' in page and "<iframe" not in page
