"""Every instrument in other people's stacks, by hand: Google Colab's versions, Notebook 7, and JupyterLab without subshells.

    .venv/bin/python scripts/other_stacks.py                        # all of it; writes docs/other_stacks.md
    .venv/bin/python scripts/other_stacks.py --only colab --folder /tmp/stacks
    .venv/bin/python scripts/other_stacks.py --only plan --freeze pip-freeze.gpu.txt

Each stack is an environment of its own below the folder, made once, with the wheel of this clone in it and no torch: the
instruments draw the sample records of the tests. In headless Chromium each must be drawn, and what is done to it in the
page must reach the kernel and come back to the page. `plan` asks pip what an install would change beside the versions
that Colab has, which are written into an environment as metadata alone: nothing of them is fetched. Its whole list is
pip-freeze.gpu.txt of github.com/googlecolab/backend-info; without --freeze the few that matter are taken from below.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
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

PAGE = ROOT / "docs" / "other_stacks.md"
TOKEN = "t"
PATIENCE = 60_000  # ms; a busy machine is slow, not wrong

# What Colab has, as of 2026-08-19 (Python 3.13), that an instrument or this package's install touches.
COLAB = {
    "anywidget": "0.9.21",
    "ipykernel": "6.17.1",
    "ipywidgets": "7.7.1",
    "notebook": "6.5.7",
    "pandas": "2.2.3",
    "plotly": "5.24.1",
}
HAS = COLAB | {
    "accelerate": "1.14.0",
    "beartype": "0.22.9",
    "datasets": "4.0.0",
    "einops": "0.8.2",
    "huggingface_hub": "1.27.0",
    "numba": "0.61.2",
    "numpy": "2.1.3",
    "platformdirs": "4.11.3",
    "pyarrow": "18.1.0",
    "safetensors": "0.8.0",
    "sentencepiece": "0.2.2",
    "tokenizers": "0.22.2",
    "torch": "2.11.0+cu128",
    "tqdm": "4.67.3",
    "transformers": "5.15.0",
    "wandb": "0.28.1",
}
KEPT = ("torch", "numpy", "pandas", "ipywidgets", "ipykernel", "notebook")  # what an install may not move


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
        (*(f"{name}=={version}" for name, version in COLAB.items()), "setuptools==75.2.0"),
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


def python_for(stack: Stack, wanted: str | None) -> str:
    """The Python of a stack: for Colab's versions Colab's own, 3.13, or 3.12, where one is on the PATH."""
    if wanted or not stack.classic:
        return wanted or sys.executable
    for name in ("python3.13", "python3.12"):
        if subprocess.run(["bash", "-c", f"{name} -c ''"], capture_output=True, check=False).returncode == 0:
            return name
    return sys.executable


def wheel_of(folder: Path) -> Path:
    """The wheel of this clone as it is."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def environment(folder: Path, python: str, wheel: Path | None, needs: tuple[str, ...]) -> Path:
    """The Python of an environment with `needs`, and the wheel if given; made where it is not there yet."""
    own = folder / "env" / "bin" / "python"
    if not own.exists():
        subprocess.run([python, "-m", "venv", str(folder / "env")], check=True)
    pip = [str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *needs, *([str(wheel)] if wheel else [])], check=True)
    if wheel:  # of the same version as the one that may be there, and newer
        subprocess.run([*pip, "--force-reinstall", "--no-deps", str(wheel)], check=True)
    return own


def versions(python: Path, names: tuple[str, ...]) -> dict[str, str]:
    """{package: version} of what is installed there, and "python"."""
    code = (
        "import importlib.metadata as m, json, platform, sys; have = {d.name.lower(): d.version for d in m.distributions()};"
        "print(json.dumps({'python': platform.python_version()} | {n: have[n] for n in sys.argv[1:] if n in have}))"
    )
    done = subprocess.run([str(python), "-c", code, *names], check=True, capture_output=True, text=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


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


def write_notebook(path: Path, cells: list[str]) -> None:
    """A notebook of these cells."""
    python = {"name": "python3", "display_name": "Python 3", "language": "python"}
    code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    made = {
        "cells": [{**code, "source": cell} for cell in cells],
        "metadata": {"kernelspec": python},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made))


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


# --- what an install would change -----------------------------------------------------------------------------------


def frozen(path: Path | None) -> dict[str, str]:
    """{package: version} of a `pip freeze`; a package from an address has the version that the address names."""
    if path is None:
        return HAS
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if at := re.match(r"([\w.-]+)==(\S+)", line):
            found[at[1]] = at[2]
        elif at := re.match(r"([\w.-]+) @ \S*/[\w.]+-(\d[^-]*)-", line):
            found[at[1]] = at[2].replace("%2B", "+")
    return found


def plan(folder: Path, python: str, wheel: Path, extra: str, has: dict[str, str]) -> dict[str, str]:
    """{package: version} that pip would install there, were `has` all that is there."""
    own = folder / "env" / "bin" / "python"
    shutil.rmtree(folder / "env", ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(folder / "env")], check=True)
    (site,) = (folder / "env").glob("lib/python*/site-packages")
    for name, version in has.items():
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "RECORD").write_text("")
        (info / "INSTALLER").write_text("pip\n")
    report = folder / "report.json"
    command = [str(own), "-m", "pip", "install", "--dry-run", "--quiet", "--disable-pip-version-check"]
    asked = f"{wheel}[{extra}]" if extra else str(wheel)
    subprocess.run([*command, "--report", str(report), asked], check=True)
    return {i["metadata"]["name"]: i["metadata"]["version"] for i in json.loads(report.read_text())["install"]}


def plan_section(folder: Path, python: str, wheel: Path, freeze: Path | None) -> tuple[list[str], bool]:
    """What installs would add and change, as lines of the page; and whether what may not move stays."""
    has = frozen(freeze)
    known = {name.lower().replace("_", "-"): version for name, version in has.items()}
    version = subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    said = ", ".join(f"{name} {known[name]}" for name in KEPT)
    lines = [f"Beside {len(has)} packages of Colab's, {said}, on Python {version}:", ""]
    lines += ["| `pip install` of | adds | changes |", "|---|---|---|"]
    sound = True
    for extra in ("", "models"):
        new = plan(folder / "plan", python, wheel, extra, has)
        own = {name: v for name, v in new.items() if name != "saewidgets"}
        moved = {n: v for n, v in own.items() if n.lower().replace("_", "-") in known}
        sound &= not {name.lower() for name in moved} & set(KEPT)
        changes = ", ".join(f"{n} {known[n.lower().replace('_', '-')]} to {v}" for n, v in moved.items()) or "nothing"
        added = ", ".join(sorted(set(own) - set(moved), key=str.lower)) or "nothing"
        lines.append(f"| `saewidgets{f'[{extra}]' if extra else ''}` | {added} | {changes} |")
        print(lines[-1], flush=True)
    return [*lines, "", f"{', '.join(KEPT)}: {'none of them moves' if sound else '**MOVED**'}."], sound


# --- the page -------------------------------------------------------------------------------------------------------


def machine() -> str:
    """The day, and what it was tried on."""
    return f"{datetime.date.today()}, {platform.system()}, {os.cpu_count()} cores"


def put(section: str, lines: list[str], page: Path = PAGE) -> None:
    """Put lines into their section of a page of docs/, in place of what stood there."""
    begin, end = f"<!-- {section} -->", f"<!-- end of {section} -->"
    text = page.read_text(encoding="utf-8")
    head, _, rest = text.partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        raise ValueError(f"{page.name} has no section between {begin} and {end}: add both lines where it belongs")
    page.write_text("\n".join([head + begin, *lines, end]) + tail, encoding="utf-8")
    print(f"{page}: {section}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    names = [stack.name for stack in STACKS]
    parser.add_argument("--folder", type=Path, help="where the environments are made and kept (default: temporary)")
    parser.add_argument("--only", choices=[*names, "plan"], action="append", help="one of them; may be given again")
    parser.add_argument("--python", help="the Python of every environment, and of the plan")
    parser.add_argument("--freeze", type=Path, help="all that Colab has, as `pip freeze` prints it")
    chosen = parser.parse_args()
    wanted = chosen.only or [*names, "plan"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = (chosen.folder or Path(temporary)).resolve()
        wheel = wheel_of(folder / "wheel")
        sound = True
        for stack in (stack for stack in STACKS if stack.name in wanted):
            sound &= one(stack, folder / stack.name, python_for(stack, chosen.python), wheel)
        if "plan" in wanted:
            lines, kept = plan_section(folder, python_for(STACKS[0], chosen.python), wheel, chosen.freeze)
            put("plan", [machine() + ".", "", *lines])
            sound &= kept
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
