"""A real JupyterLab on the loopback address, and a headless Chromium to look at it: for the browser tests and
scripts/screenshot.py.

The server has its own configuration, data and runtime folders, so it neither sees nor touches a person's Jupyter. The
browser starts without the services that would call home; whatever still leaves the machine is recorded on the page and
fails the test.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat

from saewidgets.cli.jupyter import settings

CHROME = os.environ.get("CHROME") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
QUIET = (
    "--no-sandbox",  # containers have no user namespaces
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTH, HEIGHT = 1280, 1000  # px of a window
PATIENCE = 30_000  # ms; a busy machine is slow, not wrong
TOKEN = "t"
# What anywidget says of a module that takes over two seconds to load. The instrument hears its kernel all the same: test_slow_start.py.
SLOW_START = "[anywidget] Failed to initialize model."
LOCAL = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "file:", "about:")


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    url: str
    folder: Path  # what it shows; put notebooks here

    def address(self, notebook: str) -> str:
        """Where a notebook of the folder opens, in a workspace of its own."""
        return f"{self.url}/lab/tree/{notebook}?token={TOKEN}&reset"


@contextmanager
def jupyterlab(root: Path, *, theme: str = "light") -> Iterator[Lab]:
    """Start a server whose every file is under `root`; stop it at the end. RuntimeError with its log if it does not
    start.
    """
    folder = root / "notebooks"
    folder.mkdir(parents=True)
    _settings(root / "settings", theme)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    env = os.environ | {
        "OMP_WAIT_POLICY": "passive",  # as `saewidgets lab` sets it
        "JUPYTER_CONFIG_DIR": str(root / "config"),
        "JUPYTER_DATA_DIR": str(root / "data"),
        "JUPYTER_RUNTIME_DIR": str(root / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(root / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(root / "workspaces"),
        "IPYTHONDIR": str(root / "ipython"),
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
        *(f"--port={port}", "--port-retries=0", f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={TOKEN}"),
        "--expose-app-in-browser",  # so that a test can ask the page which kernel is ready
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    log = root / "log"
    with log.open("w") as out:
        server = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT)
    lab = Lab(f"http://127.0.0.1:{port}", folder)
    try:
        for _ in range(480):
            if server.poll() is not None:
                raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")
            try:
                urllib.request.urlopen(f"{lab.url}/api/status?token={TOKEN}", timeout=1)
                break
            except OSError:
                time.sleep(0.25)
        else:
            raise RuntimeError(f"JupyterLab did not answer in two minutes:\n{log.read_text()[-3000:]}")
        yield lab
    finally:
        server.terminate()
        server.wait(30)


def _settings(folder: Path, theme: str) -> None:
    chosen: dict[str, dict[str, Any]] = {
        **settings(),  # as `saewidgets lab` sets them
        "@jupyterlab/apputils-extension:themes": {
            "theme": "JupyterLab Dark" if theme == "dark" else "JupyterLab Light"
        },
    }
    for name, values in chosen.items():
        path = folder / f"{name.replace(':', '/')}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser, as Playwright's object."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROME, headless=True, args=list(QUIET))
        yield browser
        browser.close()


@dataclass
class Trouble:
    """What a page did that it should not have done."""

    external: list[str] = field(default_factory=list)  # addresses outside this machine that it asked for
    errors: list[str] = field(default_factory=list)  # console errors and uncaught exceptions

    def watch(self, page: Any) -> None:
        """Record from now on."""
        page.on("request", lambda request: self._address(request.url))
        page.on("websocket", lambda socket_: self._address(socket_.url))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)) if str(error) != SLOW_START else None)

    def check(self) -> None:
        """AssertionError with whatever was recorded."""
        assert self.external == []
        assert self.errors == []

    def forget(self) -> None:
        """As before anything was recorded."""
        self.external.clear()
        self.errors.clear()

    def _address(self, url: str) -> None:
        if not url.startswith(LOCAL):
            self.external.append(url)


def new_page(browser: Any, *, height: int = HEIGHT, theme: str = "light") -> Any:
    """A page in a fresh context, with its `Trouble` as `page.trouble`."""
    context = browser.new_context(viewport={"width": WIDTH, "height": height}, color_scheme=theme)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.trouble = Trouble()
    page.trouble.watch(page)
    return page


@contextmanager
def watched_page(browser: Any, *, height: int = HEIGHT, theme: str = "light") -> Iterator[Any]:
    """A page of its own, closed at the end, the kernel of its notebook with it."""
    page = new_page(browser, height=height, theme=theme)
    yield page
    # A server keeps the kernel of a notebook whose page is gone, and the kernel its memory and its work.
    page.evaluate("async () => { await globalThis.jupyterapp?.shell.currentWidget?.sessionContext?.shutdown(); }")
    page.context.close()


class KeptPage:
    """One page for one test after another: to make a new one takes longer than most of them, and so does JupyterLab to
    load.

    Whatever a test may set on a page is set back before the next one has it. A page that no longer answers is left for
    a new one.
    """

    def __init__(self, browser: Any):
        self._browser = browser
        self._page: Any = None
        self._heard: list[tuple[str, Any]] = []  # (event, listener) of the test that has the page

    @contextmanager
    def leaf(self) -> Iterator[Any]:
        """The page, blank."""
        page = self._as_new(HEIGHT)
        try:
            yield page
        finally:
            self._leave_unless(lambda: page.goto("about:blank"))

    @contextmanager
    def notebook(self, lab: Lab, name: str, *, height: int = HEIGHT) -> Iterator[Any]:
        """The page, on which JupyterLab shows that notebook and its kernel is there. At the end both are put away."""
        # The kernel first: a server keeps one whose notebook is gone. Whether to save it, as close() asks, nobody would
        # answer.
        put_away = """async () => {
            const panel = jupyterapp.shell.currentWidget;
            await panel.sessionContext.shutdown();
            panel.dispose();
        }"""
        page = self._as_new(height)
        try:
            open_notebook(page, lab, name)
            yield page
        finally:
            self._leave_unless(lambda: page.evaluate(put_away))

    def close(self) -> None:
        """Close the page, whatever state it is in."""
        if self._page is not None:
            with suppress(Exception):  # it may have crashed
                self._page.context.close()
        self._page = None
        self._heard.clear()

    def _as_new(self, height: int) -> Any:
        if self._page is not None:
            self._leave_unless(lambda: self._set_back(height))
        if self._page is None:
            self._page = new_page(self._browser, height=height)
            on = self._page.on

            def listen(event: str, f: Any) -> None:
                self._heard.append((event, f))
                on(event, f)

            self._page.on = listen
        return self._page

    def _leave_unless(self, done: Callable[[], Any]) -> None:
        """Do it; where that fails, a new page will be made."""
        try:
            done()
        except Exception:
            self.close()

    def _set_back(self, height: int) -> None:
        page = self._page
        for event, f in self._heard:
            page.remove_listener(event, f)
        self._heard.clear()
        page.set_default_timeout(PATIENCE)
        page.context.clear_permissions()
        for key in ("Shift", "Control", "Alt", "Meta"):
            page.keyboard.up(key)
        page.mouse.up()
        page.mouse.move(0, 0)
        page.emulate_media(media="null", color_scheme="light", reduced_motion="null", forced_colors="null")
        page.set_viewport_size({"width": WIDTH, "height": height})
        page.trouble.forget()


def write_notebook(lab: Lab, name: str, *cells: str) -> Path:
    """Write a notebook of these cells where `lab` shows it."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, lab.folder / name)
    return lab.folder / name


def open_notebook(page: Any, lab: Lab, name: str) -> None:
    """Show a notebook and wait until its kernel is there; on a page that has shown one before, without loading
    JupyterLab again.
    """
    if page.url.startswith(lab.url):
        page.evaluate("async (path) => { await jupyterapp.commands.execute('docmanager:open', { path }); }", name)
    else:
        page.goto(lab.address(name))
    page.wait_for_selector(".jp-NotebookPanel:visible .jp-Cell")
    # The indicator says "idle" before there is a kernel at all, so the page's own objects are asked.
    page.evaluate(
        """async () => {
            const panel = jupyterapp.shell.currentWidget;
            await panel.context.ready;
            await panel.sessionContext.ready;
            await panel.sessionContext.session.kernel.info;
        }"""
    )


def run_all(page: Any, *, timeout: float = 300) -> None:
    """Run every cell and wait for the last. AssertionError with the traceback's last lines if a cell raised."""
    # A promise that is returned would be serialized, and a command's result cannot be.
    page.evaluate(
        """() => {
            window.ranAll = false;
            jupyterapp.commands.execute("notebook:run-all-cells").then(() => { window.ranAll = true; });
        }"""
    )
    page.wait_for_function("() => window.ranAll", timeout=timeout * 1000)
    raised = page.evaluate(
        """() => jupyterapp.shell.currentWidget.context.model.toJSON().cells
            .flatMap(cell => cell.outputs ?? [])
            .filter(output => output.output_type === "error")
            .map(output => `${output.ename}: ${output.evalue}`)"""
    )
    assert raised == []


def scroll_to(page: Any, source: str) -> None:
    """Bring the cell whose source contains `source` to the top of the window: JupyterLab draws what is far away late."""
    page.evaluate(
        """async (source) => {
            const notebook = jupyterapp.shell.currentWidget.content;
            const index = notebook.widgets.findIndex(cell => cell.model.sharedModel.getSource().includes(source));
            if (index < 0) throw new Error(`no cell contains ${source}`);
            notebook.activeCellIndex = index;
            await notebook.scrollToItem(index, "start");
        }""",
        source,
    )


SCALE = (
    (-10, 0.0),
    (-3, 0.08),
    (0, 0.18),
    (3, 0.78),
    (5, 0.87),
    (10, 1.0),
)  # of a clamp's slider: (multiple, share of its length)


def clamp_x(slider: Any, multiple: float) -> float:
    """Where the middle of a clamp slider's handle is on the page for a multiple, in px."""
    (low, left), (high, right) = next(pair for pair in pairwise(SCALE) if multiple <= pair[1][0])
    share = left + (right - left) * (multiple - low) / (high - low)
    box, thumb = slider.bounding_box(), 16  # the handle's width, from the style sheet
    return float(box["x"] + thumb / 2 + (box["width"] - thumb) * share)


def drag_clamp(page: Any, slider: Any, start: float, end: float, *, steps: int = 25) -> None:
    """Take hold of a clamp slider's handle at one multiple, drag it to another, and let go."""
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(clamp_x(slider, start), y)
    page.mouse.down()
    page.mouse.move(clamp_x(slider, end), y, steps=steps)
    page.mouse.up()


def multiple_of(slider: Any) -> float:
    """The multiple that a clamp slider says to a screen reader; 0 where it is off, which is where its handle begins."""
    said = slider.get_attribute("aria-valuetext")
    found = re.match(r"[−\d.]+", said)
    return float(found[0].replace("−", "-")) if found else 0.0
