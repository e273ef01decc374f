"""Every instrument in other people's stacks, by hand: Google Colab's versions, Notebook 7, and JupyterLab without subshells.

    .venv/bin/python scripts/other_stacks.py                        # all of it; writes docs/other_stacks.md
    .venv/bin/python scripts/other_stacks.py --only colab --folder /tmp/stacks

Each stack is an environment of its own below the folder, made once, with the wheel of this clone in it and no torch: the
instruments draw the sample records of the tests. In headless Chromium each must be drawn, and what is done to it in the
page must reach the kernel and come back to the page.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "browser")]

from environments import COLAB, HAS, TOKEN, colabs_python, environment, machine, put, versions, wheel_of, write_notebook  # noqa: E402

PATIENCE = 60_000  # ms; a busy machine is slow, not wrong


@dataclass(frozen=True)
class Stack:
    """One environment, and how its notebooks are served."""

    name: str
    title: str
    needs: tuple[str, ...]  # what pip gets beside the wheel
    server: tuple[str, ...]  # after `python -m`
    path: str  # of a notebook, after the address
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)  # JupyterLab's, by plugin
    classic: bool = False  # the notebook of before JupyterLab


MODERN = ("--expose-app-in-browser",)
STACKS = (
    Stack(
        "colab",
        "Colab's versions, Notebook 6.5.7",
        # Notebook 6 asks for distutils, which Python no longer has; Colab's setuptools brings it.
        (*(f"{name}=={version}" for name, version in COLAB.items()), f"numpy=={HAS['numpy']}", "setuptools==75.2.0"),
        ("notebook",),
        "/notebooks/",
        classic=True,
    ),
    Stack("notebook7", "Notebook 7", ("notebook>=7.5", "ipykernel"), ("notebook", *MODERN), "/notebooks/"),
    Stack(
        "no-subshells",
        "JupyterLab, commsOverSubshells: disabled",
        ("jupyterlab>=4.4", "ipykernel"),
        ("jupyterlab", *MODERN),
        "/lab/tree/",
        {"@jupyterlab/apputils-extension:kernels-settings": {"commsOverSubshells": "disabled"}},
    ),
)

# Instrument -> what is done to it, at what, with what; the trait that the kernel must hear; what the page shows then.
# A way of doing is a method of Playwright's Locator.
DONE: dict[str, tuple[str, str, tuple[Any, ...], str, str]] = {
    "FeaturePlane": ("button[aria-label='Snap the point to blue']", "click", (), "point", ""),
    "ClampPanel": ("input[aria-label*='exact multiple']", "type", ("1.5",), "multiples", "1.5"),
    "FeatureDashboard": ("button[aria-label='Next feature']", "click", (), "feature", "owl"),
    "FeatureMap": ("label:has-text('Color') select", "select_option", ("density",), "color", ""),
    "FeatureProbe": (".saew-token:has-text('Gate')", "click", (), "position", ""),
    "FeatureSearch": (".saew-search-query input", "type", ("owl",), "query", "owl"),
    "SuperpositionLab": ("input[aria-label='Training step']", "press", ("ArrowLeft",), "snapshot", ""),
    "TrainingMonitor": ("button:has-text('Start')", "click", (), "status", ""),
    "DoseResponse": ("label:has-text('add its direction')", "click", (), "kind", ""),
    "ArchitecturePanel": ("[aria-label^='Token 0:']", "click", (), "position", ""),
    "SpecificityLab": ("rect[role=button][aria-label^='Activation 10 ']", "click", (), "level", ""),
    "DirectionsLab": ("label:has-text('blocks.2.hook_resid_post')", "click", (), "space", ""),
    "CompletenessLab": (".saew-completeness button:text-is('large')", "click", (), "sae", ""),
    "GradingSheet": (".saew-grading-score >> nth=3", "click", (), "grades", ""),
}

# In the kernel: what an instrument hears is said below it, by a widget of ipywidgets.
HEARD = """
import ipywidgets
from IPython.display import display

def heard(instrument, trait):
    said = ipywidgets.Label("nothing heard")
    said.add_class("heard-" + type(instrument).__name__)
    display(instrument, said)
    instrument.observe(lambda change: setattr(said, "value", f"heard {trait} = {change.new!r}"[:80]), trait)
"""
FOUND = "([...document.querySelectorAll('.saew-host > .saew')].length)"


# --- environments ---------------------------------------------------------------------------------------------------


@contextmanager
def served(stack: Stack, python: Path, folder: Path) -> Iterator[str]:
    """The address of a notebook server with the settings of a stack and no others."""
    notebooks = folder / "notebooks"
    for plugin, values in {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
        **stack.settings,
    }.items():
        path = folder / "settings" / f"{plugin.replace(':', '/')}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    if stack.classic:
        options += [f"--NotebookApp.token={TOKEN}", f"--notebook-dir={notebooks}"]
    else:
        options += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={notebooks}", "--LabApp.news_url=None"]
    log = folder / "log"
    with log.open("w") as out:
        command = [str(python), "-m", *stack.server, *options]
        server = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT, cwd=folder)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(480):
            if server.poll() is not None:
                raise RuntimeError(f"{stack.title}: the server did not start:\n{log.read_text()[-2000:]}")
            try:
                urllib.request.urlopen(f"{address}/api/status?token={TOKEN}", timeout=1)
                break
            except OSError:
                time.sleep(0.25)
        yield address
    finally:
        server.terminate()
        server.wait(30)


# --- in the browser -------------------------------------------------------------------------------------------------


def instrument_cells() -> list[str]:
    """One cell per instrument, each with what it hears below it."""
    from ten import CELLS, SETUP

    named = [(re.findall(r"^sw\.(\w+)", cell)[0], cell) for cell in CELLS]
    assert [name for name, _ in named] == list(DONE), "tests/browser/ten.py has others, or in another order"
    return [SETUP + HEARD, *(f"heard({cell}, {DONE[name][3]!r})" for name, cell in named)]


def run_cells(page: Any, stack: Stack) -> None:
    """Run every cell of the notebook that is shown, once its kernel is there."""
    if stack.classic:
        page.wait_for_function(
            "() => window.Jupyter?.notebook?.kernel?.is_connected() && Jupyter.notebook.kernel.info_reply.status === 'ok'"
        )
        page.evaluate("() => { Jupyter.notebook.execute_all_cells(); }")
        return
    page.wait_for_selector(".jp-NotebookPanel:visible .jp-Cell")
    page.evaluate(
        """async () => {
            const panel = jupyterapp.shell.currentWidget;
            await panel.context.ready;
            await panel.sessionContext.ready;
            await panel.sessionContext.session.kernel.info;
            jupyterapp.commands.execute("notebook:run-all-cells");
        }"""
    )


def raised(page: Any, stack: Stack) -> list[str]:
    """What the cells raised."""
    if stack.classic:
        cells = "Jupyter.notebook.toJSON().cells"
    else:
        cells = "jupyterapp.shell.currentWidget.context.model.toJSON().cells"
    found: list[str] = page.evaluate(
        f"() => {cells}.flatMap((cell) => cell.outputs ?? []).filter((out) => out.output_type === 'error')"
        ".map((out) => `${out.ename}: ${out.evalue}`)"
    )
    return found


def work(page: Any, name: str) -> str:
    """Do to one instrument what is done to it, wait for the answer, and return what the kernel heard; or what was amiss."""
    where, how, given, _, shows = DONE[name]
    label = page.locator(f".heard-{name}").first
    label.scroll_into_view_if_needed()
    host = page.locator(".saew-host").filter(has=page.locator(".saew")).nth(list(DONE).index(name))
    at = host.locator(where).first
    at.scroll_into_view_if_needed()
    if how == "type":
        at.fill(given[0])
        at.press("Enter")
    else:
        getattr(at, how)(*given)
    page.wait_for_function(
        "(name) => document.querySelector(`.heard-${name}`).textContent.includes('heard ') &&"
        " !document.querySelector(`.heard-${name}`).textContent.includes('nothing')",
        arg=name,
    )
    if shows:
        page.wait_for_function(
            "([i, shows]) => { const host = document.querySelectorAll('.saew-host')[i];"
            " return [host.textContent, ...[...host.querySelectorAll('input')].map((b) => b.value)].join(' ').includes(shows) }",
            arg=[list(DONE).index(name), shows],
        )
    return str(label.inner_text())


def watch(stack: Stack, address: str, picture: Path) -> tuple[dict[str, str], list[str]]:
    """({instrument: what its kernel heard, or what was amiss}, what the page said of errors)."""
    from live_lab import chromium, new_page
    from ten import TALL

    found: dict[str, str] = {}
    with chromium() as browser:
        page = new_page(browser, height=TALL)
        page.set_default_timeout(PATIENCE)
        page.goto(f"{address}{stack.path}all.ipynb?token={TOKEN}")
        run_cells(page, stack)
        try:
            page.wait_for_function(f"(n) => {FOUND} === n", arg=len(DONE), timeout=4 * PATIENCE)
        except Exception as error:
            page.screenshot(path=picture)
            raise RuntimeError(
                f"{stack.title}: {page.evaluate(FOUND)} of {len(DONE)} are drawn; {raised(page, stack)}"
            ) from error
        for name in DONE:
            try:
                found[name] = work(page, name)
            except Exception as error:
                found[name] = f"AMISS: {str(error).splitlines()[0]}"
            print(f"  {name}: {found[name]}", flush=True)
        page.screenshot(path=picture)
        errors = [*raised(page, stack), *dict.fromkeys(page.trouble.errors)]
        page.context.close()
    return found, errors


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    names = [stack.name for stack in STACKS]
    parser.add_argument("--folder", type=Path, help="where the environments are made and kept (default: temporary)")
    parser.add_argument("--only", choices=names, action="append", help="one of them; may be given again")
    parser.add_argument(
        "--python", help="the Python of every environment (default: this one; Colab's for its versions)"
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (chosen.folder or Path(temporary)).resolve()
        wheel = wheel_of(folder / "wheel")
        sound = True
        for stack in (stack for stack in STACKS if stack.name in (chosen.only or names)):
            python = chosen.python or (colabs_python() if stack.classic else sys.executable)
            sound &= one(stack, folder / stack.name, python, wheel)
    return 0 if sound else 1


def one(stack: Stack, folder: Path, python: str, wheel: Path) -> bool:
    """See one stack, write its section, and say whether all was well."""
    print(stack.title, flush=True)
    own = environment(folder, python, wheel, stack.needs)
    shown = ("notebook", "jupyterlab", "ipykernel", "ipywidgets", "anywidget", "plotly", "pandas", "numpy", "torch")
    have = versions(own, shown)
    shutil.rmtree(folder / "settings", ignore_errors=True)
    write_notebook(folder / "notebooks" / "all.ipynb", instrument_cells())
    with served(stack, own, folder) as address:
        found, errors = watch(stack, address, folder / "page.png")
    amiss = {name: said for name, said in found.items() if said.startswith("AMISS")}
    print("  errors in the page:", errors or "none", flush=True)
    what = ", ".join(f"{name} {version}" for name, version in have.items())
    lines = [f"{machine()}. {what}.", "", f"{len(found) - len(amiss)} of {len(DONE)} instruments work.", ""]
    lines += ["| instrument | what the kernel heard from the page |", "|---|---|"]
    lines += [f"| `{name}` | {said.replace('|', ' ').removeprefix('heard ')} |" for name, said in found.items()]
    put(stack.name, lines)
    return not amiss


if __name__ == "__main__":
    sys.exit(main())
