"""What the README and the notebooks promise is there: names, commands, files."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

import saewidgets as sw
from saewidgets import cli

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("README*.md")), ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def text_of(path: Path) -> str:
    """A page as it is; of a notebook, all cells."""
    text = path.read_text(encoding="utf-8")
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"]) if path.suffix == ".ipynb" else text


@pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS], ids=lambda path: path.name)
def test_every_name_written_with_sw_is_public(path):
    names = set(re.findall(r"\bsw\.([A-Za-z_]+)", text_of(path)))
    assert names - set(sw.__all__) == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_python_in_a_page_is_python(path):
    for block in re.findall(r"```python\n(.*?)```", text_of(path), flags=re.DOTALL):
        ast.parse(block)


def test_what_the_readme_tells_to_type_runs(tmp_path, monkeypatch):
    """Its blocks one after the other, as they stand; what needs a network says so, and is left out."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", text_of(ROOT / "README.md"), flags=re.DOTALL)
    assert len(blocks) >= 4
    typed: dict[str, object] = {}
    for block in blocks:
        exec("\n".join(line for line in block.splitlines() if not line.endswith("this one with a network")), typed)
    assert (tmp_path / "for_saelens").is_dir()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_on_colab_a_notebook_installs_what_it_uses(path):
    text = text_of(path)
    assert "load_model" not in text or re.search(r'%pip install -q "saewidgets\[models\]==', text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_inside_the_repository_leads_somewhere(path):
    targets = re.findall(r"\]\(([^)#\s]+)", text_of(path))
    missing = [t for t in targets if "://" not in t and not (path.parent / t).exists()]
    assert missing == []


def test_the_readme_gives_the_commands_that_start_knows():
    commands = re.findall(r"python3 scripts/start.py (\w+)", text_of(ROOT / "README.md"))
    assert commands[:3] == ["chat", "lab", "test"]
    assert set(commands) <= {"chat", "lab", "test", "demo"}
    assert {"lab", "demo"} <= set(cli._parser()._subparsers._group_actions[0].choices)  # argparse has no public way


def test_ci_runs_the_test_command_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.rstrip().endswith("\npython3 scripts/start.py test")
