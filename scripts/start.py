"""Install saewidgets into .venv beside this clone, and start it: needs Python 3.11 or newer, and nothing else.

    python3 scripts/start.py lab      # install, then open JupyterLab at the tour
    python3 scripts/start.py chat     # install, fetch a real chat model (93 MB), then open JupyterLab at its notebook
    python3 scripts/start.py test     # install, then lint, check types and run every test
    python3 scripts/start.py demo     # install, then print a default and a clamped answer
    python3 scripts/start.py lab --gpu      # the same with PyTorch's CUDA build (Linux, Windows: whatever the package index gives)

Versions are those of constraints.txt. A second run installs nothing unless pyproject.toml or constraints.txt changed.
What follows lab or chat, test or demo goes on to `saewidgets lab`, pytest, or `saewidgets demo`. Without more, pytest
runs every test in two processes; with more, what it is told, in one, as ever.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
CONSTRAINTS = ROOT / "constraints.txt"
EVERY_TEST = (
    "-n",
    "3",
    "--durations=15",
)  # three workers on two cores: one of them waits for a browser; about 9 GB at most
CHECKS = (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",))
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 11):
        return refuse(f"saewidgets needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    if not arguments or arguments[0] not in ("lab", "chat", "test", "demo"):
        return refuse("say what to start: python3 scripts/start.py lab, chat, test or demo")
    what, rest = arguments[0], arguments[1:]
    gpu = "--gpu" in rest
    rest = [argument for argument in rest if argument != "--gpu"]
    try:
        python = install("test" if what == "test" else "lab", gpu=gpu)
        with loops_compiled_beside(python):
            for check in CHECKS if what == "test" else ():
                run(python, "-m", *check)
        if what == "test":
            run(python, "-m", "pytest", *(rest or EVERY_TEST))
        elif what == "chat":
            run(python, "-m", "saewidgets", "lab", "--chat", *rest)
        else:
            run(python, "-m", "saewidgets", what, *rest)
    except subprocess.CalledProcessError as error:
        return error.returncode
    except KeyboardInterrupt:
        return 130
    return 0


def install(extra: str, *, gpu: bool) -> Path:
    """The Python of .venv, with this clone and its `extra` installed."""
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = VENV / f"installed-{extra}{'-gpu' if gpu else ''}"
    wanted = versions()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    if not python.exists():
        print(f"Making {VENV}", flush=True)
        try:
            venv.create(VENV, with_pip=True)
        except subprocess.CalledProcessError:
            raise SystemExit(
                "this Python has no ensurepip, so no environment can be made; on Debian and Ubuntu: sudo apt install python3-venv"
            ) from None
    print("Installing (a few minutes the first time)", flush=True)
    # Python compiles what it imports when it does: a part of what is installed, and a minute less to wait.
    pip = (python, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", "-c", CONSTRAINTS)
    if not gpu:
        install_cpu_torch(pip)
    run(*pip, "-e", f"{ROOT}[{extra}]")
    stamp.write_text(wanted)
    return python


def versions() -> str:
    """Another text where other versions are wanted."""
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + CONSTRAINTS.read_bytes()).hexdigest()


def install_cpu_torch(pip: tuple[object, ...]) -> None:
    """PyTorch's CPU build, where the default is another one.

    On Linux the package index holds the CUDA build, which brings several gigabytes with it. PyTorch's own index is
    asked for that one package, with no dependencies, rather than added as a second index for everything. Where it
    cannot be reached, the configured index decides.
    """
    if not sys.platform.startswith("linux"):
        return
    torch = re.search(r"^torch==(\S+)", CONSTRAINTS.read_text(), flags=re.M)
    assert torch, "constraints.txt pins torch"
    build = f"torch=={torch[1]}"
    direct = [*pip, "--no-deps", "--retries", "1", "--timeout", "20", "--index-url", CPU_WHEELS, build]
    if subprocess.run(list(map(str, direct)), capture_output=True, check=False).returncode:
        print(f"{CPU_WHEELS} could not be reached: taking {build} from the configured package index", flush=True)
        run(*pip, build)


@contextmanager
def loops_compiled_beside(python: Path) -> Iterator[None]:
    """Once after an installation, compile the fast loops on one core while what is inside runs on another."""
    stamp, wanted = VENV / "compiled", versions()
    if stamp.exists() and stamp.read_text() == wanted:
        yield
        return
    beside = threading.Thread(target=compile_loops, args=(python,))
    beside.start()
    try:
        yield
    finally:
        beside.join()
        stamp.write_text(wanted)


def compile_loops(python: Path) -> None:
    """Compile now what a first text and a first training step would wait for. Whatever goes wrong here costs time
    later.
    """
    print("Compiling fast loops, once (up to a minute)", flush=True)
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}  # the checks run beside it: two threads would wait for each other
    if subprocess.run([str(python), "-m", "saewidgets.warmup"], check=False, cwd=ROOT, env=alone).returncode:
        print("They will be compiled when they are first used", flush=True)


def run(*command: object) -> None:
    words = list(map(str, command))
    print("+", " ".join(words[2:] if words[1] == "-m" else words), flush=True)
    subprocess.run(words, check=True, cwd=ROOT)


def refuse(sentence: str) -> int:
    print(f"start.py: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
