"""What the scripts that try other stacks share: environments, Colab's versions, and the pages that they write to."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "other_stacks.md"
TOKEN = "t"  # of every server

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


def colabs_python() -> str:
    """Colab's own, 3.13, or 3.12, where one is on the PATH; else this one."""
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
    """The Python of an environment with `needs`, and the wheel if given; made where it is not there yet as wanted."""
    own, stamp = folder / "env" / "bin" / "python", folder / "env" / "installed"
    wanted = " ".join([*needs, hashlib.sha256(wheel.read_bytes()).hexdigest() if wheel else ""])
    if stamp.exists() and stamp.read_text() == wanted:
        return own
    if not own.exists():
        subprocess.run([python, "-m", "venv", str(folder / "env")], check=True)
    pip = [str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *needs, *([str(wheel)] if wheel else [])], check=True)
    if wheel:  # of the same version as the one that may be there, and newer
        subprocess.run([*pip, "--force-reinstall", "--no-deps", str(wheel)], check=True)
    stamp.write_text(wanted)
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


def family(root: int) -> set[int]:
    """A process and all that descend from it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def processor_seconds(root: int) -> float:
    """Of a process and all that descend from it and still run."""
    ticks = 0
    for pid in family(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        ticks += int(fields[11]) + int(fields[12])  # utime, stime
    return ticks / os.sysconf("SC_CLK_TCK")


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
