"""Plant silent bugs, one at a time, in a copy of the package, and see which test catches each.

    .venv/bin/python scripts/plant_bugs.py [NUMBER ...] [--timeout SECONDS]

Each bug is one change of the source or several (all must be caught). A change is a text that stands exactly once in its
file; where files have moved, the first of its places that fits is taken. It fails if more than one bug is not caught,
or if a change no longer fits anywhere. `planted/published.py` has bugs of published tools, `planted/own.py` some that
this package had. Before that, the named tests are run on the unchanged copy: they must pass.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from planted import BUGS
from planted.kinds import Place, Plant

ROOT = Path(__file__).resolve().parents[1]
ENOUGH = len(BUGS) - 1
COPIED = ("saewidgets", "tests", "pyproject.toml")


def main() -> int:
    """Plant, run, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("number", nargs="*", type=int, help="of the bugs to plant; all by default")
    parser.add_argument("--timeout", type=float, default=240, help="seconds for the tests of one change")
    options = parser.parse_args()
    if not hasattr(os, "fork"):
        print("plant_bugs.py: this needs a system with fork", file=sys.stderr)
        return 2
    warm()
    chosen = [bug for bug in BUGS if not options.number or bug.number in options.number]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            source = ROOT / name
            ignored = shutil.ignore_patterns("__pycache__", "browser")
            shutil.copytree(source, copy / name, ignore=ignored) if source.is_dir() else shutil.copy(
                source, copy / name
            )
        fitting = [p for bug in chosen for p in bug.plants if fit(copy, p) is not None]
        tests = sorted({test for p in fitting for test in p.tests})
        passed, output = run(copy, tests, 4 * options.timeout)
        if not passed:
            print(f"the tests fail on the unchanged package:\n{output[-3000:]}", file=sys.stderr)
            return 2
        caught, stale = 0, 0
        print(f"{'bug':>3}  {'caught':<6}  {'what is planted':<62}  by")
        for bug in chosen:
            found = [attempt(copy, p, options.timeout) for p in bug.plants]
            stale += sum(word == "no longer fits" for word, _, _ in found)
            known = [word for word, _, _ in found if word != "not here"]
            good = bool(known) and all(word == "yes" for word in known)
            caught += good
            for i, (word, by, seconds) in enumerate(found):
                title = bug.title if i == 0 else f"  again, change {i + 1}"
                print(f"{bug.number:>3}  {word:<6}  {title:<62}  {by} ({seconds:.0f} s)", flush=True)
    print(f"\n{caught} of {len(chosen)} bugs caught" + (f"; {stale} changes no longer fit the source" if stale else ""))
    wanted = ENOUGH if len(chosen) == len(BUGS) else len(chosen)
    return 0 if caught >= wanted and not stale else 1


def fit(copy: Path, planted: Plant) -> Place | None:
    """The first place whose text stands exactly once, or None."""
    for place in planted.places:
        path = copy / "saewidgets" / place.file
        if path.is_file() and path.read_text(encoding="utf-8").count(place.text) == 1:
            return place
    return None


def attempt(copy: Path, planted: Plant, timeout: float) -> tuple[str, str, float]:
    """("yes", "no", "not here" or "no longer fits"; the tests that failed; seconds)."""
    place = fit(copy, planted)
    if place is None:
        there = any((copy / "saewidgets" / p.file).is_file() for p in planted.places)
        return ("not here" if planted.optional and not there else "no longer fits"), planted.places[0].file, 0.0
    path = copy / "saewidgets" / place.file
    original = path.read_text(encoding="utf-8")
    begin = time.perf_counter()
    try:
        path.write_text(original.replace(place.text, place.bug), encoding="utf-8")
        passed, output = run(copy, planted.tests, timeout)
    finally:
        path.write_text(original, encoding="utf-8")
    failed = sorted(set(re.findall(r"^(?:FAILED|ERROR) tests/(\S+?)(?:\[| |$)", output, re.M)))
    told = ", ".join(failed) or ("nothing" if passed else "nothing in time")
    return ("yes" if failed else "no"), told, time.perf_counter() - begin


def run(copy: Path, tests: list[str] | tuple[str, ...], timeout: float) -> tuple[bool, str]:
    """(whether these tests pass on the copy, what pytest said).

    A child of this process runs them, which has the large libraries in memory already: most of the time would go there.
    """
    there = [f"tests/{test}" for test in tests if (copy / "tests" / test.split("::")[0]).is_file()]
    said = copy / "said.txt"
    child = os.fork()
    if child == 0:
        status = 70
        try:
            os.chdir(copy)
            with said.open("w", encoding="utf-8") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
                status = tested(copy, there)
        finally:
            os._exit(status)
    end = time.monotonic() + timeout
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False, "timeout"
        time.sleep(0.05)
    output, code = said.read_text(encoding="utf-8", errors="replace"), os.waitstatus_to_exitcode(status)
    if code not in (0, 1):  # 1: tests failed; anything else says that they did not run
        raise RuntimeError(f"pytest could not run {' '.join(there)} ({code}):\n{output[-3000:]}")
    return code == 0, output


def tested(copy: Path, tests: list[str]) -> int:
    """Pytest's exit code for these tests, on the package in `copy`."""
    import pytest

    sys.path[:] = [str(copy), *(p for p in sys.path if Path(p or ".").resolve() != ROOT)]
    sys.dont_write_bytecode = True
    options = ["-q", "--no-header", "--tb=no", "-x", "-p", "no:cacheprovider", "-W", "ignore"]
    code = int(pytest.main([*options, *tests]))
    import saewidgets

    if not str(saewidgets.__file__).startswith(str(copy)):
        print(f"the tests imported {saewidgets.__file__}, not the copy")
        return 71
    sys.stdout.flush()
    return code


def warm() -> None:
    """Import what every test imports and nobody changes here."""
    for name in ("torch", "pandas", "plotly.graph_objects", "hypothesis", "transformers", "transformer_lens", "nbval"):
        with contextlib.suppress(ImportError):
            import_module(name)


if __name__ == "__main__":
    raise SystemExit(main())
