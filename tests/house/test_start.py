"""scripts/start.py: what it installs, in which order, and how it refuses. Nothing is installed here."""

from __future__ import annotations

import importlib.util
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest
from order import LONGEST, longest_first

ROOT = Path(__file__).parents[2]


@pytest.fixture
def start(tmp_path, monkeypatch):
    """The script as a module, in a made-up clone, with every command recorded in `start.commands` instead of run."""
    spec = importlib.util.spec_from_file_location("start", ROOT / "scripts" / "start.py")
    start = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(start)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    start.commands, start.unreachable, start.uncompiled = [], False, False

    def record(command, *, check, **_):
        words = [str(word) for word in command]
        start.commands.append(words)
        failed = (start.unreachable and "--index-url" in words) or (start.uncompiled and "saewidgets.warmup" in words)
        if failed and check:
            raise subprocess.CalledProcessError(1, words)
        return subprocess.CompletedProcess(words, int(failed))

    def create(folder, with_pip):
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").touch()

    monkeypatch.setattr(start, "ROOT", tmp_path)
    monkeypatch.setattr(start, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(start, "CONSTRAINTS", tmp_path / "constraints.txt")
    monkeypatch.setattr(start.subprocess, "run", record)
    monkeypatch.setattr(start.venv, "create", create)
    monkeypatch.setattr(start.sys, "platform", "linux")
    monkeypatch.setattr(start.os, "name", "posix")
    return start


def installs(start):
    return [command for command in start.commands if "install" in command]


def test_torch_comes_first_alone_and_from_its_own_index(start):
    assert start.main(["lab"]) == 0
    torch, package = installs(start)
    assert torch[-1].startswith("torch==")
    assert "--no-deps" in torch
    assert torch[torch.index("--index-url") + 1] == start.CPU_WHEELS
    assert package[-1].endswith("[lab]")
    assert "--index-url" not in package and "--extra-index-url" not in package
    assert all(str(start.CONSTRAINTS) in command for command in (torch, package))
    assert start.commands[-1][1:] == ["-m", "saewidgets", "lab"]


def test_without_pytorchs_index_the_configured_one_decides(start):
    start.unreachable = True
    assert start.main(["demo", "--seed", "3"]) == 0
    tried, torch, package = installs(start)
    assert "--index-url" in tried and "--index-url" not in torch
    assert torch[-1] == tried[-1]
    assert package[-1].endswith("[lab]")
    assert start.commands[-1][1:] == ["-m", "saewidgets", "demo", "--seed", "3"]


@pytest.mark.parametrize(("platform", "words"), [("linux", ["lab", "--gpu"]), ("darwin", ["lab"]), ("win32", ["lab"])])
def test_elsewhere_torch_is_an_ordinary_dependency(start, monkeypatch, platform, words):
    monkeypatch.setattr(start.sys, "platform", platform)
    assert start.main(words) == 0
    (package,) = installs(start)
    assert package[-1].endswith("[lab]")
    assert start.commands[-1][1:] == ["-m", "saewidgets", "lab"]


def test_a_second_run_installs_nothing_until_the_versions_change(start):
    start.main(["lab"])
    first = len(installs(start))
    start.main(["lab"])
    assert len(installs(start)) == first
    start.CONSTRAINTS.write_text(start.CONSTRAINTS.read_text() + "wheel==1.0\n")
    start.main(["lab"])
    assert len(installs(start)) == 2 * first


def test_loops_are_compiled_once_right_after_installing(start):
    for _ in range(2):
        start.main(["lab"])
    assert [command[-1] for command in start.commands if "--index-url" not in command] == [
        *(installs(start)[-1][-1], "saewidgets.warmup", "lab"),
        "lab",  # the second run
    ]


def test_what_ci_installs_beforehand_is_installed_once_and_its_loops_are_compiled(start):
    start.install("test", gpu=False)
    first = len(start.commands)
    assert start.main(["test"]) == 0
    assert len(installs(start)) == first
    assert [command[2] for command in start.commands].count("saewidgets.warmup") == 1


def test_loops_that_do_not_compile_stop_nothing(start, capsys):
    start.uncompiled = True
    assert start.main(["lab"]) == 0
    assert start.commands[-1][1:] == ["-m", "saewidgets", "lab"]
    assert "when they are first used" in capsys.readouterr().out


def test_the_test_command_checks_everything_and_pytest_comes_last(start):
    assert start.main(["test", "-k", "floors"]) == 0
    commands = [command[2:] for command in start.commands if "install" not in command]
    assert ["saewidgets.warmup"] in commands[:-1]  # beside the checks, and done before the first test
    commands.remove(["saewidgets.warmup"])
    assert commands == [
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["mypy"],
        ["pytest", "-k", "floors"],
    ]


def test_a_failing_check_ends_with_its_status(start, monkeypatch):
    def fail(command, **_):
        raise subprocess.CalledProcessError(3, command)

    start.main(["lab"])
    monkeypatch.setattr(start.subprocess, "run", fail)
    (start.VENV / "installed-test").write_text(start.versions())
    assert start.main(["test"]) == 3


def test_without_more_every_test_runs_in_two_processes(start):
    assert start.main(["test"]) == 0
    assert start.commands[-1][2:] == ["pytest", "-n", "3", "--durations=15"]
    assert start.main(["test", "--gpu"]) == 0
    assert start.commands[-1][2:] == ["pytest", "-n", "3", "--durations=15"]


def test_the_files_that_two_workers_begin_with_are_there_and_each_stays_together():
    files = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "notebooks").glob("*.ipynb")]
    assert set(LONGEST) - {path.name for path in files} == set()
    Item = namedtuple("Item", "path number")
    items = [Item(Path(name), n) for name in ("test_a.py", LONGEST[1], "test_b.py", LONGEST[0]) for n in range(2)]
    longest_first(items)
    assert [(item.path.name, item.number) for item in items] == [
        (name, n) for name in (LONGEST[0], LONGEST[1], "test_a.py", "test_b.py") for n in range(2)
    ]


@pytest.mark.parametrize("words", [[], ["tset"]])
def test_an_unknown_word_is_refused(start, words, capsys):
    assert start.main(words) == 2
    assert "lab, chat, test or demo" in capsys.readouterr().err
    assert start.commands == []


def test_an_old_python_is_told_so(start, monkeypatch, capsys):
    monkeypatch.setattr(start.sys, "version_info", (3, 10, 2))
    assert start.main(["lab"]) == 2
    assert "needs Python 3.11 or newer" in capsys.readouterr().err
    assert start.commands == []


def test_chat_opens_the_lab_at_the_chat_model_with_what_is_given(start):
    assert start.main(["chat", "--no-browser"]) == 0
    assert start.commands[-1][1:] == ["-m", "saewidgets", "lab", "--chat", "--no-browser"]
    assert any(command[-1].endswith("[lab]") for command in installs(start))
