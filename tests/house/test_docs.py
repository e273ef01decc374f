"""What the README and the notebooks promise is there: names, commands, files."""

from __future__ import annotations

import ast
import json
import re
import textwrap
import tomllib
from pathlib import Path

import pytest

import saewidgets as sw
from saewidgets import cli

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("README*.md")), ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def text_of(path: Path) -> str:
    """A page as it is; of a notebook, all cells."""
    text = path.read_text(encoding="utf-8")
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"]) if path.suffix == ".ipynb" else text


@pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_name_written_with_sw_is_public(path):
    names = set(re.findall(r"\bsw\.([A-Za-z_]+)", text_of(path)))
    assert names - set(sw.__all__) == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_in_a_page_is_python(path):
    for block in re.findall(r"```python\n(.*?)```", text_of(path), flags=re.DOTALL):
        ast.parse(textwrap.dedent(block))


def blocks_of(path: Path) -> list[str]:
    """What a page tells to type in Python."""
    return re.findall(r"```python\n(.*?)```", text_of(path), flags=re.DOTALL)


def test_the_readme_is_short_and_begins_with_a_picture():
    text = text_of(ROOT / "README.md")
    assert len(text.split()) < 700
    assert re.match(r"# saewidgets\n\n!\[[^]]+\]\(docs/chat\.png\)\n", text)


def test_what_the_first_steps_tell_to_type_runs(tmp_path, monkeypatch):
    """The blocks one after the other, as they stand; what needs a network says so, and is left out. The README's is
    the first of them.
    """
    monkeypatch.chdir(tmp_path)
    blocks = blocks_of(ROOT / "docs" / "first_steps.md")
    assert blocks_of(ROOT / "README.md") == blocks[:1]
    assert len(blocks) >= 4
    typed: dict[str, object] = {}
    for block in blocks:
        exec("\n".join(line for line in block.splitlines() if not line.endswith("this one with a network")), typed)
    assert (tmp_path / "for_saelens").is_dir()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_on_colab_a_notebook_installs_what_it_uses(path):
    text = text_of(path)
    assert "load_model" not in text or re.search(r'%pip install -q "saewidgets\[models\]==', text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_inside_the_repository_leads_somewhere(path):
    targets = re.findall(r"\]\(([^)#\s]+)", text_of(path))
    missing = [t for t in targets if "://" not in t and not (path.parent / t).exists()]
    assert missing == []


def test_the_readme_gives_two_commands_and_the_page_of_installing_all_that_start_knows():
    two = re.findall(r"^```\npython3 scripts/start\.py (\w+)\n```$", text_of(ROOT / "README.md"), flags=re.M)
    assert two == ["chat", "test"]
    commands, _, _ = text_of(ROOT / "docs" / "install.md").partition("## Piece by piece")
    rows = re.findall(r"^\| `(\w+)` \|", commands, flags=re.M)
    assert rows == ["chat", "lab", "demo", "test"]
    known = re.search(r"arguments\[0\] not in \((.*?)\)", text_of(ROOT / "scripts" / "start.py"))[1]
    assert sorted(re.findall(r"\w+", known)) == sorted(rows)
    assert {"lab", "demo"} <= set(cli._parser()._subparsers._group_actions[0].choices)  # argparse has no public way


def test_the_page_of_installing_has_every_extra_of_a_user():
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    extras = re.findall(r"^\| `saewidgets(?:\[(\w+)\])?` \|", text_of(ROOT / "docs" / "install.md"), flags=re.M)
    ours = {"test", "dev", "docs"}  # of those who work on the package
    assert sorted(extras) == sorted(["", *(project["optional-dependencies"].keys() - ours)])


def test_the_tables_have_every_instrument_and_every_notebook():
    names = re.findall(r"^\| `(\w+)` \|", text_of(ROOT / "docs" / "instruments.md"), flags=re.M)
    instruments = [n for n in sw.widgets.__all__ if hasattr(getattr(sw.widgets, n), "_esm")]
    assert sorted(names) == sorted([*instruments, *(path.stem for path in NOTEBOOKS)])


def test_ci_runs_the_test_command_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.rstrip().endswith("\npython3 scripts/start.py test")
