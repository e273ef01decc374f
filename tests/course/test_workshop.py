"""A workshop's plan: what it opens, what it locks, what it refuses, and what it keeps of each participant."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

import saewidgets as sw
from saewidgets import cli, course
from saewidgets.cli import plans
from saewidgets.cli.notebooks import carried
from saewidgets.files import LoadError
from saewidgets.models.allowed import MODELS, check_allowed

ROOT = Path(__file__).parents[2]
KNOWN = ["00_tour.ipynb", "03_feature_dashboard.ipynb", "05_clamp.ipynb"]


def plan_of(tmp_path, text):
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return plans.read_plan(path, KNOWN)


def test_a_plan_is_read(tmp_path):
    plan = plan_of(
        tmp_path,
        'title = "One hour"\nnotebooks = ["05_clamp", "00_tour.ipynb"]\nlock = ["prose"]\nmodels = ["miniworld"]\nterminal = false\n',
    )
    assert plan == plans.Plan(
        ("05_clamp.ipynb", "00_tour.ipynb"), "One hour", ("prose",), ("miniworld",), terminal=False
    )


def test_the_plan_in_the_repository_can_be_followed():
    plan = plans.read_plan(ROOT / "binder" / "workshop.toml", [path.name for path in carried().glob("*.ipynb")])
    assert plan.notebooks[0] == "00_tour.ipynb" and plan.lock == ("prose", "code") and not plan.terminal


@pytest.mark.parametrize(
    ("text", "line", "what", "write"),
    [
        ('title = "x"\n', "", "names no notebooks", 'notebooks = ["00_tour", "05_clamp"]'),
        ("# a plan\nnotebooks = []\n", "line 2", "is empty", 'notebooks = ["00_tour"]'),
        ('notebooks = "00_tour"\n', "line 1", "no list of texts", 'notebooks = ["00_tour"]'),
        ('notebooks = [\n  "00_tour",\n  "05_clmap",\n]\n', "line 3", "there is no notebook '05_clmap'", '"05_clamp"'),
        ('notebooks = ["00_tour", "00_tour"]\n', "line 1", "twice", "each notebook once"),
        ('notebooks = ["00_tour"]\nnotbooks = 1\n', "line 2", "unknown setting 'notbooks'", "notebooks"),
        ('notebooks = ["00_tour"]\nlock = ["text"]\n', "line 2", "'text' is nothing", 'lock = ["prose", "code"]'),
        ('notebooks = ["00_tour"]\nlock = true\n', "line 2", "no list of texts", 'lock = ["prose"]'),
        ('notebooks = ["00_tour"]\n\nterminal = "no"\n', "line 3", "terminal is 'no'", "terminal = false"),
        ('notebooks = ["00_tour"]\nprojector = 1\n', "line 2", "projector is 1", "projector = true"),
        ('notebooks = ["00_tour"]\nmodels = []\n', "line 2", "models is []", 'models = ["miniworld"]'),
        ('notebooks = ["00_tour"]\ntitle = 3\n', "line 2", "no text", 'title = "One hour'),
        ('notebooks = ["00_tour"\nlock = []\n', "line 2", "no TOML", "one setting a line"),
    ],
)
def test_a_bad_plan_is_refused_with_the_line_and_what_to_write(tmp_path, text, line, what, write):
    with pytest.raises(LoadError) as refused:
        plan_of(tmp_path, text)
    said = str(refused.value)
    assert line in said and what in said and write in said.partition("Write")[2]


def test_no_plan_and_no_text_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no plan"):
        plans.read_plan(tmp_path / "none.toml", KNOWN)
    (tmp_path / "plan.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(LoadError, match="UTF-8"):
        plans.read_plan(tmp_path / "plan.toml", KNOWN)


# --- what is opened


@pytest.fixture
def started(monkeypatch, tmp_path):
    """What would be started; in an empty folder of one's own."""
    runs: list[SimpleNamespace] = []

    def run(command, *, env, check):
        themes = (
            Path(env.get("JUPYTERLAB_SETTINGS_DIR", "")) / "@jupyterlab/apputils-extension/themes.jupyterlab-settings"
        )
        chosen = json.loads(themes.read_text()) if "user-settings" in str(themes) else None  # gone when `lab` is done
        runs.append(SimpleNamespace(command=command, env=env, themes=chosen))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(cli.subprocess, "run", run)
    monkeypatch.chdir(tmp_path)
    return runs


def follow(tmp_path, text, *more):
    (tmp_path / "hour.toml").write_text(text)
    return cli.main(["lab", "--workshop", "hour.toml", "--no-browser", *more])


def test_a_workshop_opens_the_notebooks_of_its_plan_and_no_others(started, tmp_path, capsys):
    text = 'title = "One hour"\nnotebooks = ["05_clamp", "00_tour"]\nmodels = ["miniworld"]\nterminal = false\n'
    assert follow(tmp_path, text, "--participant", "Ada L.") == 0
    (run,) = started
    assert sorted(path.name for path in (tmp_path / "hour").glob("*.ipynb")) == ["00_tour.ipynb", "05_clamp.ipynb"]
    assert f"--ServerApp.root_dir={tmp_path / 'hour'}" in run.command
    assert "--LabApp.default_url=/lab/tree/05_clamp.ipynb" in run.command
    assert "--ServerApp.terminals_enabled=False" in run.command and "--LabApp.extension_manager=readonly" in run.command
    assert run.env[MODELS] == "miniworld"
    assert run.env["SAEWIDGETS_PROGRESS"] == str(tmp_path / "hour" / "progress-Ada-L.csv")
    assert run.env["SAEWIDGETS_PARTICIPANT"] == "Ada L."
    assert "One hour" in capsys.readouterr().out


def test_locked_cells_can_be_run_and_neither_changed_nor_deleted_and_answers_can_be_changed(started, tmp_path):
    assert follow(tmp_path, 'notebooks = ["05_clamp"]\nlock = ["prose", "code"]\n') == 0
    made = json.loads((tmp_path / "hour" / "05_clamp.ipynb").read_text(encoding="utf-8"))
    source = json.loads((carried() / "05_clamp.ipynb").read_text(encoding="utf-8"))
    assert [cell["source"] for cell in made["cells"]] == [cell["source"] for cell in source["cells"]]
    own = {cell["id"] for cell in made["cells"] if cell["metadata"].get("editable", True)}
    assert own == {"exercise-05-1-answer", "exercise-05-2-answer", "exercise-05-3-answer"}
    assert all(cell["metadata"]["deletable"] is False for cell in made["cells"])
    hidden = next(cell for cell in made["cells"] if cell["id"] == "clamp-01")
    assert hidden["metadata"]["jupyter"] == {"source_hidden": True}, "what a cell had stays"


def test_prose_alone_may_be_locked(started, tmp_path):
    assert follow(tmp_path, 'notebooks = ["05_clamp"]\nlock = ["prose"]\n') == 0
    made = json.loads((tmp_path / "hour" / "05_clamp.ipynb").read_text(encoding="utf-8"))
    assert {c["cell_type"] for c in made["cells"] if not c["metadata"].get("editable", True)} == {"markdown"}


def test_what_a_participant_changed_is_kept_when_the_workshop_goes_on(started, tmp_path):
    text = 'notebooks = ["05_clamp"]\nlock = ["prose"]\n'
    assert follow(tmp_path, text) == 0
    own = tmp_path / "hour" / "05_clamp.ipynb"
    own.write_text(own.read_text().replace("answer = ...", "answer = 60"))
    before = own.read_bytes()
    assert follow(tmp_path, text) == 0
    assert own.read_bytes() == before and len(list((tmp_path / "hour").glob("*.ipynb"))) == 1


def test_a_bad_plan_starts_nothing_and_makes_no_folder(started, tmp_path, capsys):
    assert follow(tmp_path, 'notebooks = ["05_clmap"]\n') == 2
    said = capsys.readouterr().err
    assert "line 1" in said and said.count("\n") == 1 and not started and not (tmp_path / "hour").exists()
    assert cli.main(["lab", "--workshop", "hour.toml", "--chat"]) == 2
    assert "08_a_real_chat_model" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--projector"], ["--workshop", "p.toml"]])
def test_a_projector_gets_larger_type_and_keeps_what_a_person_chose(started, tmp_path, monkeypatch, words):
    theirs = tmp_path / "settings"
    themes = theirs / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    themes.parent.mkdir(parents=True)
    themes.write_text('// mine\n{"theme": "JupyterLab Dark", "overrides": {"code-font-family": "Hack"}}\n')
    monkeypatch.setenv("JUPYTERLAB_SETTINGS_DIR", str(theirs))
    (tmp_path / "p.toml").write_text('notebooks = ["00_tour"]\nprojector = true\n')
    before = themes.read_bytes()
    assert cli.main(["lab", "--no-browser", "--folder", "mine", *words]) == 0
    chosen = started[0].themes
    sizes = {name: int(size.removesuffix("px")) for name, size in chosen["overrides"].items() if size.endswith("px")}
    assert sizes["content-font-size1"] >= 18 and sizes["code-font-size"] >= 16 and sizes["ui-font-size1"] > 13
    assert chosen["theme"] == "JupyterLab Dark" and chosen["overrides"]["code-font-family"] == "Hack"
    assert themes.read_bytes() == before, "their own file stays as it is"


def test_without_a_projector_the_settings_are_the_person_s_own(started, tmp_path):
    assert follow(tmp_path, 'notebooks = ["00_tour"]\n') == 0
    assert started[0].env.get("JUPYTERLAB_SETTINGS_DIR") == os.environ.get("JUPYTERLAB_SETTINGS_DIR")


# --- which models


def test_a_plan_limits_the_models(monkeypatch):
    monkeypatch.setenv(MODELS, "miniworld,some/folder")
    with pytest.raises(
        ValueError, match=r"does not open the model 'gpt2'; type sw.load_model\('miniworld'\) or sw.load"
    ):
        sw.load_model("gpt2")
    with pytest.raises(ValueError, match="smollm2"):
        sw.load_demo("smollm2")
    check_allowed("miniworld")
    monkeypatch.delenv(MODELS)
    check_allowed("gpt2")


# --- progress


def test_each_try_is_one_line_and_a_table_sums_them_up(monkeypatch, tmp_path):
    path = tmp_path / "progress-ada.csv"
    monkeypatch.setenv("SAEWIDGETS_PROGRESS", str(path))
    monkeypatch.setenv("SAEWIDGETS_PARTICIPANT", "Ada, of the first row")
    for answer in (..., 10, 6, 4, 4):
        sw.check("01.1", answer)
    sw.check("05.3", 20)
    tries = course.read_progress(path)
    assert tries["passed"].tolist() == [False, False, True, True, False], "a missing answer is no try"
    assert tries["exercise"].tolist() == ["01.1"] * 4 + ["05.3"] and set(tries["participant"]) == {
        "Ada, of the first row"
    }
    table = course.progress_table([path]).set_index("exercise")
    assert table.loc["01.1", ["passed", "tries"]].tolist() == [True, 3]
    assert table.loc["05.3", ["passed", "tries"]].tolist() == [False, 1] and pd.isna(table.loc["05.3", "solved"])
    assert table.loc["01.1", "solved"] == tries["time"][2]


def test_without_a_workshop_nothing_is_written(monkeypatch, tmp_path):
    monkeypatch.delenv("SAEWIDGETS_PROGRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    sw.check("01.1", 4)
    assert list(tmp_path.iterdir()) == []


def test_two_kernels_write_to_one_file(tmp_path):
    """Four processes at once, 50 lines each: all are there, whole, under one head."""
    path = tmp_path / "progress-ada.csv"
    code = (
        "import sys; from saewidgets.files import append_line\n"
        "for i in range(50): append_line(sys.argv[1], f'{sys.argv[2]},{i},' + 'x' * 300 + '\\n', header='who,i,x\\n')"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(path), str(n)]) for n in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    lines = path.read_text().splitlines()
    assert lines[0] == "who,i,x" and lines.count("who,i,x") == 1
    assert sorted(lines[1:]) == sorted(f"{n},{i}," + "x" * 300 for n in range(4) for i in range(50))


def test_a_line_that_was_cut_off_spoils_no_other(monkeypatch, tmp_path):
    path = tmp_path / "progress.csv"
    monkeypatch.setenv("SAEWIDGETS_PROGRESS", str(path))
    sw.check("01.1", 4)
    with path.open("a") as file:
        file.write("2026-01-01T00:00:00+00:00,ada,01")
    sw.check("01.1", 10)
    assert course.read_progress(path)["passed"].tolist() == [True, False]
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="its first line must be time,participant,exercise,passed,said"):
        course.read_progress(path)
