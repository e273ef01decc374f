"""A stranger's three ways to a changed text, walked and timed by hand: a page, a clone, Colab's cell. Writes docs/paths.md.

    .venv/bin/python scripts/walk_paths.py [--only page] [--folder FOLDER] [--torch REQUIREMENT]

A headless Chromium does what docs/paths.md says that a person does, as fast as it can: what it measures is the time that
a person waits. Each clock begins after all is installed. Colab's environment has the versions of scripts/environments.py
and --torch (by default whatever pip gets), and its cell installs the wheel of this clone.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "browser")]

from environments import (  # noqa: E402
    COLAB,
    HAS,
    TOKEN,
    environment,
    machine,
    processor_seconds,
    put,
    versions,
    wheel_of,
    write_notebook,
)
from firefox import live_page  # noqa: E402
from live_lab import chromium, drag_clamp, new_page  # noqa: E402
from other_stacks import STACKS, served  # noqa: E402

import saewidgets as sw  # noqa: E402

PAGE = ROOT / "docs" / "paths.md"
PATIENCE = 300_000  # ms
TOUR = "00_tour.ipynb"
CLAMPED = ".saew-clamp .saew-pane-clamped .saew-text"
WRITTEN = f"() => document.querySelector('{CLAMPED}')?.textContent.trim()"
SPENT = "processor time of the server and its kernel, from their start"  # what an idle machine would take, about
IDLE = ".saew-clamp .saew-status[data-status=idle]"


class Clock:
    """Seconds since it began, by what had happened then."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.marks: dict[str, float] = {}

    def mark(self, what: str) -> None:
        """Note that this has happened."""
        self.marks[what] = time.monotonic() - self.began
        print(f"  {what}: {self.marks[what]:.1f} s", flush=True)


def change(page: Any, clock: Clock) -> None:
    """Wait for the panel's first text, drag the slider into its window, and wait until the clamped text says so."""
    multiple = sw.load_clamps()["golden_gate_bridge"].multiple
    page.wait_for_function(WRITTEN, timeout=PATIENCE)
    clock.mark("the default text begins")
    slider = page.locator(".saew-clamp input[type=range]").first
    slider.scroll_into_view_if_needed()
    page.wait_for_selector(IDLE, timeout=PATIENCE)  # a person reads the text first
    own = page.locator(CLAMPED).inner_text()
    drag_clamp(page, slider, 0, multiple, steps=10)
    changed = "([at, own]) => { const now = document.querySelector(at).textContent.trim(); return now && now !== own; }"
    page.wait_for_function(changed, arg=[CLAMPED, own.strip()], timeout=PATIENCE)
    clock.mark("the first changed text")
    page.wait_for_selector(IDLE, timeout=PATIENCE)
    clock.mark(f'it is whole: "{page.locator(CLAMPED).inner_text().strip()[:60]}"')


def page_path(page: Any, folder: Path, torch: str) -> tuple[str, Clock]:
    """A file that carries its model, as it comes by a link or a message."""
    path = folder / "live.html"
    if not path.exists():
        live_page(path)
    clock = Clock()
    page.goto(path.as_uri())
    change(page, clock)
    return f"{path.stat().st_size / 1e6:.1f} MB, from a file, with no network", clock


def clone_path(page: Any, folder: Path, torch: str) -> tuple[str, Clock]:
    """What `python3 scripts/start.py lab` starts once it has installed: JupyterLab at the tour."""
    env = os.environ | {"JUPYTER_RUNTIME_DIR": str(folder / "runtime"), "IPYTHONDIR": str(folder / "ipython")}
    command = [sys.executable, "-m", "saewidgets", "lab", "--no-browser", "--folder", str(folder / "notebooks")]
    began = time.monotonic()
    with (folder / "lab.log").open("w") as log:
        server = subprocess.Popen([*command, "--port=8931"], env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        address = None
        while not address:
            if server.poll() is not None or time.monotonic() - began > 120:
                raise RuntimeError((folder / "lab.log").read_text()[-2000:])
            time.sleep(0.2)
            address = re.search(r"http://127\.0\.0\.1:\d+/\S*token=\w+", (folder / "lab.log").read_text())
        started = time.monotonic() - began
        clock = Clock()
        page.goto(address[0])
        page.wait_for_selector(".jp-NotebookPanel:visible .jp-Cell", timeout=PATIENCE)
        clock.mark("the tour is shown")
        idle = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
        page.wait_for_selector(idle, state="attached", timeout=PATIENCE)
        page.wait_for_function("() => document.activeElement?.classList.contains('jp-Cell')", timeout=PATIENCE)
        for _ in range(3):  # as the tour says; JupyterLab has its first cell in focus
            page.keyboard.press("Shift+Enter")
            page.wait_for_timeout(300)
        page.wait_for_selector(".saew-clamp", timeout=PATIENCE)
        clock.mark("the panel is shown")
        change(page, clock)
        clock.marks[SPENT] = processor_seconds(server.pid)
    finally:
        server.terminate()
        server.wait(30)
    return f"JupyterLab's server had started after {started:.0f} s", clock


def colab_path(page: Any, folder: Path, torch: str) -> tuple[str, Clock]:
    """The first cells of the tour in Colab's versions: one installs, the next shows the panel."""
    stack, home = STACKS[0], folder / "colab"
    cells = ["".join(c["source"]) for c in json.loads((ROOT / "notebooks" / TOUR).read_text())["cells"][:3]]
    assert "%pip install" in cells[1] and "ClampPanel" in cells[2], "the tour begins otherwise"
    wheel = wheel_of(folder / "wheel")
    own = environment(
        home,
        sys.executable,
        None,
        (torch, *(f"{n}=={v}" for n, v in HAS.items() if n != "torch")),
    )
    subprocess.run(
        [str(own), "-m", "pip", "uninstall", "--quiet", "--yes", "saewidgets", "transformer-lens"], check=True
    )
    before = versions(own, ("torch", *COLAB, "numpy", "transformers", "numba"))
    write_notebook(home / "notebooks" / TOUR, [f'%pip install -q "{wheel}[models]"', cells[2]])
    with served(stack, own, home) as (address, server):
        page.goto(f"{address}{stack.path}{TOUR}?token={TOKEN}")
        page.wait_for_function("() => window.Jupyter?.notebook?.kernel?.info_reply?.status === 'ok'", timeout=PATIENCE)
        done = "(i) => { const p = Jupyter.notebook.get_cell(i).input_prompt_number; return p && p !== '*'; }"
        began = time.monotonic()
        page.evaluate("() => { Jupyter.notebook.execute_cells([0]); }")
        page.wait_for_function(done, arg=0, timeout=4 * PATIENCE)
        installed = time.monotonic() - began
        clock = Clock()
        page.evaluate("() => { Jupyter.notebook.execute_cells([1]); }")
        page.wait_for_selector(".saew-clamp", timeout=PATIENCE)
        clock.mark("the panel is shown")
        change(page, clock)
        clock.marks[SPENT] = processor_seconds(server)
    after = versions(own, tuple(before))
    assert after == before, f"the cell's install moved {before} to {after}"
    what = ", ".join(f"{name} {version}" for name, version in after.items())
    return f"{what}; the cell's install took {installed:.0f} s and moved none of these", clock


PATHS: dict[str, tuple[str, Callable[[Any, Path, str], tuple[str, Clock]]]] = {
    "page": ("The link to a live page", page_path),
    "clone": ("The clone and one command", clone_path),
    "colab": ("The Colab cell", colab_path),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", choices=list(PATHS), action="append", help="one of them; may be given again")
    parser.add_argument("--folder", type=Path, help="where files and Colab's environment are kept (default: temporary)")
    parser.add_argument("--torch", default="torch", help="the PyTorch of Colab's environment, for pip")
    chosen = parser.parse_args()
    late = False
    with tempfile.TemporaryDirectory() as temporary, chromium() as browser:
        folder = (chosen.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for name in chosen.only or PATHS:
            title, walk = PATHS[name]
            print(title, flush=True)
            page = new_page(browser)
            page.set_default_timeout(PATIENCE)
            load = os.getloadavg()[0]
            said, clock = walk(page, folder, chosen.torch)
            page.screenshot(path=folder / f"{name}.png")
            page.context.close()
            late |= clock.marks["the first changed text"] > 60
            lines = [f"{machine()}, load {load:.1f} before, {os.getloadavg()[0]:.1f} after. {said}.", ""]
            lines += ["| | seconds |", "|---|---:|"]
            lines += [f"| {what} | {seconds:.1f} |" for what, seconds in clock.marks.items()]
            put(name, lines, PAGE)
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
