"""The commands: what they say, what they copy, and how they refuse."""

from __future__ import annotations

import re
import sys

import pytest

from saewidgets import cli


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The command as a wheel installs it: no clone around the package, the notebooks inside it."""
    package = tmp_path / "site-packages" / "saewidgets"
    (package / "notebooks").mkdir(parents=True)
    (package / "notebooks" / cli.TOUR).write_text("the tour")
    (package / "notebooks" / "01_more.ipynb").write_text("more")
    monkeypatch.setattr(cli, "PACKAGE", package)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return package


def test_a_clone_is_opened_where_it_is():
    folder = cli.notebooks_folder()
    assert (folder / cli.TOUR).is_file()
    assert folder == cli.PACKAGE.parent / "notebooks"


def test_an_installed_package_copies_its_notebooks_to_a_folder_of_the_person(installed):
    folder = cli.notebooks_folder()
    assert folder.name == "saewidgets-notebooks"
    assert sorted(p.name for p in folder.iterdir()) == [cli.TOUR, "01_more.ipynb"]


def test_a_copy_is_writable_and_keeps_what_the_person_changed(installed):
    (installed / "notebooks" / cli.TOUR).chmod(0o444)
    mine = cli.notebooks_folder() / cli.TOUR
    mine.write_text("my notes")
    assert (cli.notebooks_folder() / cli.TOUR).read_text() == "my notes"


@pytest.mark.parametrize("at", ["folder", "notebook"])
def test_nothing_is_written_through_a_link_to_nowhere(installed, tmp_path, at, capsys):
    folder, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    if at == "folder":
        folder.symlink_to(elsewhere)
    else:
        folder.mkdir()
        (folder / cli.TOUR).symlink_to(elsewhere)
    assert cli.main(["lab", "--no-browser", "--folder", str(folder)]) == 2
    assert not elsewhere.exists()
    told = capsys.readouterr().err
    assert "is not there: remove the link first" in told and told.count("\n") == 1


def test_lab_starts_jupyterlab_at_the_tour_on_this_machine_alone(installed, monkeypatch, capsys):
    started = []

    class Done:
        returncode = 0

    monkeypatch.setattr(cli.subprocess, "run", lambda command, **_: started.append(command) or Done())
    assert cli.main(["lab", "--no-browser", "--port", "9123"]) == 0
    (command,) = started
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert "--ServerApp.port=9123" in command
    assert "--no-browser" in command
    assert f"--LabApp.default_url=/lab/tree/{cli.TOUR}" in command
    assert not any("ip=" in word for word in command), "Jupyter's own default is the loopback address"
    assert "saewidgets-notebooks" in capsys.readouterr().out


def test_lab_without_jupyterlab_says_what_to_type(monkeypatch, capsys):
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    assert cli.main(["lab"]) == 2
    assert (
        capsys.readouterr().err == 'saewidgets lab: JupyterLab is not installed; type: pip install "saewidgets[lab]"\n'
    )


def test_a_missing_tour_is_one_sentence(installed, capsys):
    (installed / "notebooks" / cli.TOUR).unlink()
    assert cli.main(["lab"]) == 2
    error = capsys.readouterr().err
    assert cli.TOUR in error
    assert error.count("\n") == 1


def test_the_demo_gives_two_answers_and_a_page(tmp_path, capsys):
    assert cli.main(["demo", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    default, clamped = re.findall(r"^\[.+\]\n(.+)$", said, flags=re.M)
    assert "bridge" not in default.lower()
    assert "bridge" in clamped.lower()
    page = (tmp_path / "out" / "golden_gate_bridge.html").read_text(encoding="utf-8")
    assert "<html" in page
    assert not re.search(r"""(src|href)=["']?https?://""", page)


def test_an_unknown_concept_names_the_nearest(tmp_path, capsys):
    assert cli.main(["demo", "--concept", "golden_gate", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("saewidgets demo: unknown concept to clamp 'golden_gate'; nearest: golden_gate_bridge")
    assert error.count("\n") == 1


def test_a_file_in_the_way_is_one_sentence(tmp_path, capsys):
    (tmp_path / "out").write_text("in the way")
    assert cli.main(["demo", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_unknown_command_exits_with_2(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["dmo"])
    assert stop.value.code == 2


def test_models_lists_and_removes_what_is_cached(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SAEWIDGETS_CACHE", str(tmp_path))
    assert cli.main(["models"]) == 0
    assert "type: saewidgets models fetch smollm2" in capsys.readouterr().out
    folder = tmp_path / "models" / "smollm2"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(3_000_000))
    assert cli.main(["models"]) == 0
    assert capsys.readouterr().out.split()[:3] == ["smollm2", "3", "MB"]
    assert cli.main(["models", "remove"]) == 2
    assert "type: saewidgets models remove smollm2" in capsys.readouterr().err
    assert cli.main(["models", "fetch", "smolm2"]) == 2
    assert "unknown model to fetch 'smolm2'; nearest: smollm2" in capsys.readouterr().err
    assert cli.main(["models", "remove", "smollm2"]) == 0 and not folder.exists()
    assert capsys.readouterr().out == "Removed smollm2: 3 MB\n"
