"""What `pip install saewidgets` would change on Google Colab, asked of pip by hand; nothing is installed.

    .venv/bin/python scripts/install_plan.py [--freeze pip-freeze.gpu.txt] [--python python3.13]

The versions that Colab has are written into an environment as metadata alone: nothing of them is fetched. Its whole list is
pip-freeze.gpu.txt of github.com/googlecolab/backend-info; without --freeze the few that matter are taken from
environments.py. Writes a section of docs/other_stacks.md; fails where PyTorch, numpy or another of what Colab stands on
would move.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from environments import HAS, colabs_python, machine, put, wheel_of

KEPT = ("torch", "numpy", "pandas", "ipywidgets", "ipykernel", "notebook")  # what an install may not move


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
        new_ones = sorted(set(own) - set(moved), key=str.lower)
        added = ", ".join(f"{n} {own[n]}" for n in new_ones) or "nothing"
        lines.append(f"| `saewidgets{f'[{extra}]' if extra else ''}` | {added} | {changes} |")
        print(lines[-1], flush=True)
    return [*lines, "", f"{', '.join(KEPT)}: {'none of them moves' if sound else '**MOVED**'}."], sound


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--freeze", type=Path, help="all that Colab has, as `pip freeze` prints it")
    parser.add_argument("--python", help="that pip plans for (default: Colab's, where it is on the PATH)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        lines, kept = plan_section(folder, chosen.python or colabs_python(), wheel_of(folder / "wheel"), chosen.freeze)
    put("plan", [machine() + ".", "", *lines])
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
