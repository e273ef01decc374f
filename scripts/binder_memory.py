"""What Binder would need of memory: its folder laid out as repo2docker does, with two notebooks open, below 2 GB. By hand.

    .venv/bin/python scripts/binder_memory.py [--folder FOLDER] [--python PYTHON]

A clone of what is committed, an environment of its own with binder/requirements.txt, binder/postBuild in it, and
JupyterLab below binder/start, in a control group with 2 GB where one can be made (as root, on Linux); without one the
memory is measured and not limited. A headless Chromium, outside the group, opens the tour and the notebook of the clamp
and runs both whole, side by side. Prints the peak and writes it into docs/other_stacks.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "browser")]

from environments import TOKEN, machine, put, versions  # noqa: E402

LIMIT = 2 << 30  # bytes, Binder's
NOTEBOOKS = ("00_tour.ipynb", "05_clamp.ipynb")
PATIENCE = 1800.0  # seconds for a notebook on a busy machine


def laid_out(folder: Path, python: str, *, built: bool) -> tuple[Path, dict[str, str]]:
    """(the clone, the environment variables of what runs in it), installed as repo2docker does unless it is `built`."""
    repo, env = folder / "repo", folder / "env"
    if not built:
        shutil.rmtree(repo, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(repo)], check=True)
    if not (env / "bin" / "python").exists():
        subprocess.run([python, "-m", "venv", str(env)], check=True)
    home = folder / "home"  # postBuild purges pip's cache, which is not to be this person's
    home.mkdir(exist_ok=True)
    own = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "OMP_NUM_THREADS", "VIRTUAL_ENV")}
    own |= {"PATH": f"{env / 'bin'}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "NB_PYTHON_PREFIX": str(env)}
    if built:
        return repo, own
    subprocess.run(["pip", "install", "--quiet", "-r", "binder/requirements.txt"], cwd=repo, env=own, check=True)
    subprocess.run(["pip", "install", "--quiet", "--force-reinstall", "--no-deps", "."], cwd=repo, env=own, check=True)
    subprocess.run(["bash", "binder/postBuild"], cwd=repo, env=own, check=True)
    return repo, own


class Group:
    """A control group of memory, of either version; without one the memory of the processes is added up."""

    def __init__(self) -> None:
        self.first, self.second = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
        self.folder: Path | None = None
        self.limited = False
        for at, limit in ((self.first, "memory.limit_in_bytes"), (self.second, "memory.max")):
            folder = at / f"saewidgets-{os.getpid()}"
            try:
                folder.mkdir()
                (folder / limit).write_text(str(LIMIT))
            except OSError:
                if folder.exists():
                    folder.rmdir()
                continue
            self.folder, self.limited = folder, True
            break

    def enter(self) -> None:
        """Called by the process that is to be in it, and by its children as well."""
        if self.folder:
            (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def used(self, root: int) -> int:
        """Bytes of memory that cannot be given back: without pages of files that are cached."""
        if self.folder:
            stat = dict(line.split() for line in (self.folder / "memory.stat").read_text().splitlines())
            return int(stat.get("total_rss") or stat.get("anon") or 0) + int(stat.get("total_shmem") or stat["shmem"])
        return sum(map(_pss, _family(root)))

    def peak(self) -> int:
        """The most that the kernel counted, caches of files among it; 0 where there is no group."""
        for name in ("memory.max_usage_in_bytes", "memory.peak"):
            if self.folder and (self.folder / name).exists():
                return int((self.folder / name).read_text())
        return 0

    def killed(self) -> int:
        """Processes that were ended for want of memory."""
        for name in ("memory.oom_control", "memory.events"):
            if self.folder and (self.folder / name).exists():
                stat = dict(line.split() for line in (self.folder / name).read_text().splitlines())
                return int(stat.get("oom_kill", 0))
        return 0

    def close(self) -> None:
        """Remove it, empty as it is."""
        if self.folder:
            self.folder.rmdir()


def _family(root: int) -> set[int]:
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


def _pss(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next(int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Pss:"))


@contextmanager
def started(repo: Path, env: dict[str, str], group: Group, log: Path) -> Iterator[tuple[str, int]]:
    """(the address of JupyterLab below binder/start, its process)."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    options = [f"--port={port}", "--ip=127.0.0.1", "--no-browser", "--allow-root", f"--IdentityProvider.token={TOKEN}"]
    command = ["bash", "binder/start", "jupyter", "lab", *options, "--expose-app-in-browser"]
    with log.open("w") as out:
        server = subprocess.Popen(
            command, cwd=repo, env=env, stdout=out, stderr=subprocess.STDOUT, preexec_fn=group.enter, process_group=0
        )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(480):
            if server.poll() is not None:
                raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")
            try:
                urllib.request.urlopen(f"{address}/api/status?token={TOKEN}", timeout=1)
                break
            except OSError:
                time.sleep(0.25)
        yield address, server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def run_both(address: str) -> dict[str, float]:
    """{notebook: seconds until its last cell was through}: both are open, and their cells run at the same time."""
    from live_lab import chromium, new_page

    ready = """async () => {
        const panel = jupyterapp.shell.currentWidget;
        await panel.context.ready;
        await panel.sessionContext.ready;
        await panel.sessionContext.session.kernel.info;
        window.ranAll = false;
        jupyterapp.commands.execute("notebook:run-all-cells").then(() => { window.ranAll = true; });
    }"""
    amiss = """() => jupyterapp.shell.currentWidget.context.model.toJSON().cells.flatMap((cell) => cell.outputs ?? [])
        .filter((out) => out.output_type === "error").map((out) => `${out.ename}: ${out.evalue}`)"""
    took = {}
    with chromium() as browser:
        pages = {}
        for i, name in enumerate(NOTEBOOKS):
            page = pages[name] = new_page(browser)
            page.set_default_timeout(PATIENCE * 1000)
            page.goto(f"{address}/lab/workspaces/w{i}/tree/notebooks/{name}?token={TOKEN}")
            page.wait_for_selector(".jp-NotebookPanel:visible .jp-Cell")
            page.evaluate(ready)
        began = time.monotonic()
        for name, page in pages.items():
            page.wait_for_function("() => window.ranAll", timeout=PATIENCE * 1000)
            took[name] = time.monotonic() - began
            if raised := page.evaluate(amiss):
                raise RuntimeError(f"{name}: {raised}")
        time.sleep(5)  # both stand there, run through
        for page in pages.values():
            page.context.close()
    return took


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--folder", type=Path, help="where clone and environment are made and kept (default: temporary)"
    )
    parser.add_argument("--python", default=sys.executable, help="Binder's is the one of binder/runtime.txt")
    parser.add_argument("--built", action="store_true", help="take what an earlier run laid out in --folder")
    parser.add_argument("--build", action="store_true", help="lay out and stop")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (chosen.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        repo, env = laid_out(folder, chosen.python, built=chosen.built)
        if chosen.build:
            return 0
        have = versions(folder / "env" / "bin" / "python", ("torch", "jupyterlab", "ipykernel", "transformer-lens"))
        group, samples, over = Group(), [0], threading.Event()
        try:
            with started(repo, env, group, folder / "log") as (address, server):

                def sample() -> None:
                    while not over.wait(0.5):
                        samples.append(group.used(server))

                idle = group.used(server)
                threading.Thread(target=sample, daemon=True).start()
                took = run_both(address)
                over.set()
            peak, cached, killed = max(samples), group.peak(), group.killed()
        finally:
            over.set()
            group.close()
    what = ", ".join(f"{name} {version}" for name, version in have.items())
    limit = "in a control group limited to 2 GB" if group.limited else "not limited, PSS of all processes added up"
    lines = [f"{machine()}. {what}; `OMP_NUM_THREADS=1`, {limit}.", "", "| | |", "|---|---:|"]
    lines += [f"| JupyterLab alone | {idle / 1e6:,.0f} MB |"]
    lines += [f"| at most, both notebooks open and run whole at the same time | **{peak / 1e6:,.0f} MB** |"]
    lines += [f"| the same with cached pages of files, which are given back when wanted | {cached / 1e6:,.0f} MB |"]
    lines += [f"| processes ended for want of memory | {killed} |"]
    lines += [f"| `{name}` through after | {seconds:,.0f} s |" for name, seconds in took.items()]
    print("\n".join(lines))
    put("binder", lines)
    return 0 if peak < LIMIT and not killed else 1


if __name__ == "__main__":
    sys.exit(main())
