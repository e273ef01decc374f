"""`scripts/house.py` on a small tree whose figures are known."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "house.py"


@pytest.fixture(scope="module")
def house():
    spec = importlib.util.spec_from_file_location("house_figures", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LONG = (
    "def f():\n" + '    """Said.\n\n    In two paragraphs.\n    """\n' + "    x = 1\n" * 80
)  # 81 lines besides what is said
DOC = '''"""A module (T8).

Example:
    >>> 1 + 1
    2
    >>> load()  # doctest: +SKIP
"""
'''
SCRIPT_TEXT = (
    """\
export const short = (x) => x.map((y) => y / 2); // not a function in braces { (
const text = "}" + '{' + `a } ${[1].map((x) => {
  return `${x}`;
})} {`;
function long(a = {}) {
  if (a) {
    return /[/}"]/.test(a) / 2;
  }
"""
    + "  a();\n" * 76
    + "}\nclass A {\n  told() {\n    for (const b of []) {\n    }\n  }\n}\n"
)


@pytest.fixture
def tree(tmp_path):
    files = {
        "saewidgets/__init__.py": '__all__ = ["a", "b", "c"]\n',
        "saewidgets/sae/a.py": DOC + "from saewidgets.sae import b\n" + LONG,
        "saewidgets/sae/b.py": "from saewidgets.sae.a import f\n" + "x = 1\n" * 399 + f"y = '{'y' * 115}'\n",
        "saewidgets/frontend/x.js": SCRIPT_TEXT,
        "saewidgets/frontend/x.css": "a{}",
        "tests/test_beside.py": "",
        "tests/sae/test_sae.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_figures_of_a_known_tree(house, tree):
    python = [(tree / f"saewidgets/{name}").read_text() for name in ("__init__.py", "sae/a.py", "sae/b.py")]
    assert house.figures(tree) == {
        "Python: files": 3,
        "  lines": sum(len(text.splitlines()) for text in python),
        "Python: files over 400 lines": 1,  # b.py has 401, a.py less than 100
        "Python: functions over 80 lines": 1,
        "Python: longest function, lines": 81,
        "Python: lines over 120 columns": 1,
        "circles of imports inside a room": 1,
        "names at the top": 3,
        "examples in docstrings": 2,
        "  marked to be skipped": 1,
        "  docstrings that doctest cannot read": 0,
        "codes such as (T8)": 1,
        "JavaScript: files": 1,
        "  lines ": len(SCRIPT_TEXT.splitlines()),
        "JavaScript: files over 400 lines": 0,
        "JavaScript: functions over 80 lines": 1,
        "JavaScript: longest function, lines": 81,
        "JavaScript: lines over 120 columns": 0,
        "styles, bytes": 3,
        "files of tests": 2,
        "  beside the folders": 1,
    }


def test_functions_of_javascript_are_told_from_other_braces(house):
    assert house.script_function_lengths(SCRIPT_TEXT) == [3, 81, 4]  # in a template, the long one, the method


def test_what_other_programs_say_is_counted_by_room_and_left_out_where_they_break_off(house, tree, monkeypatch):
    compiler = tree / "tests/frontend/node_modules/.bin/tsc"
    compiler.parent.mkdir(parents=True)
    compiler.write_text("")
    said = {
        "mypy": (
            1,
            "saewidgets/sae/a.py:3: error: No\nsaewidgets/sae/b.py:1: error: No\nsaewidgets/cli.py:2: error: No\n",
        ),
        "tsc": (2, "x.js(1,2): error TS7006: No\n"),
    }

    def run(command, **_):
        code, text = said["tsc" if "tsc" in command[0] else "mypy"]
        return SimpleNamespace(returncode=code, stdout=text)

    monkeypatch.setattr(house.subprocess, "run", run)
    both = {"mypy --strict: errors": 3, "  in cli": 1, "  in sae": 2, "TypeScript: errors": 1}
    assert house.slow_figures(tree) == both
    said["tsc"] = (127, "node: not found")
    said["mypy"] = (2, "saewidgets/sae/a.py:3: error: Invalid syntax\n")
    assert house.slow_figures(tree) == {}


def test_two_trees_stand_side_by_side(house, tree, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["house.py", str(tree), str(tree)])
    assert house.main() == 0
    rows = {row[:42].strip(): row.split()[-2:] for row in capsys.readouterr().out.splitlines()}
    assert rows["names at the top"] == ["3", "3"] and rows["Python: longest function, lines"] == ["81", "81"]


def test_what_is_no_tree_is_named(house, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["house.py", str(tmp_path / "nowhere")])
    assert house.main() == 2
    assert "nowhere' is neither a folder that holds saewidgets/ nor a commit of this clone" in capsys.readouterr().err
