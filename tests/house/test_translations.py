"""The notebooks in their other languages: complete, in step with the English ones, and with the same code, formulas, links
and numbers in them.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest
from chinese import CHINESE, changed, faults

from saewidgets import cli
from saewidgets.cli import notebooks, translated
from saewidgets.cli.translated import SHARED, Table

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
DOCUMENTS = [*NOTEBOOKS, FOLDER / "README.md"]
RUN = "; run: python scripts/write_translations.py zh"


def cells(content: bytes, kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(content)["cells"] if cell["cell_type"] == kind]


def said(path: Path) -> tuple[list[str], list[str], list[str]]:
    """The paragraphs, comments and strings of an English notebook."""
    markdown, code = translated.sources(path)
    prose = [paragraph for cell in markdown for paragraph in translated.paragraphs(cell)]
    fenced = [part for cell in markdown for part in translated.fences(cell)]
    comments = [comment for cell in [*code, *fenced] for comment in translated.comments(cell)]
    return prose, comments, [text for cell in code for text in translated.strings(cell)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_paragraph_comment_and_string_has_its_chinese(path):
    table = translated.table_of(path, "zh")
    prose, comments, strings = said(path)
    assert [p for p in prose if translated.key(p) not in table.prose] == [], RUN
    assert [c for c in comments if c not in table.code and c not in table.keep] == [], RUN
    assert [s for s in strings if s not in table.code and s not in table.keep] == [], RUN


def test_no_translation_has_lost_its_english():
    everything: set[str] = set()
    for path in DOCUMENTS:
        prose, comments, strings = said(path)
        own = {*map(translated.key, prose), *comments, *strings}
        table = translated.read_table(FOLDER / "zh" / f"{path.stem}.toml", "zh")
        assert {*table.prose, *table.code, *table.keep} - own == set(), f"{path.name}{RUN}"
        everything |= own
    table = translated.read_table(FOLDER / "zh" / SHARED, "zh")
    assert {*table.prose, *table.code, *table.keep} - everything == set(), RUN
    tables = {path.stem for path in (FOLDER / "zh").glob("*.toml")}
    assert tables == {path.stem for path in DOCUMENTS} | {Path(SHARED).stem}


def test_code_formulas_links_tags_and_numbers_stand_in_the_chinese_too():
    wrong = []
    for path in sorted((FOLDER / "zh").glob("*.toml")):
        with path.open("rb") as file:
            entries = tomllib.load(file).get("prose", [])
        wrong += [(path.name, what, entry["zh"]) for entry in entries for what in changed(entry["en"], entry["zh"])]
    assert wrong == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_code_is_the_english_notebooks_and_speaks_its_language(path):
    """Every cell is the same program but for what its strings say; the first is what Colab runs."""
    other = translated.in_language(path, "zh")
    before, after = cells(path.read_bytes(), "code"), cells(other, "code")
    assert [spoken(cell) for cell in before] == [spoken(cell).replace(SAID, "") for cell in after]
    assert sum('sw.set_language("zh")' in cell for cell in after) == 1
    assert re.findall(r"^ *%.*$", after[0], re.MULTILINE) == re.findall(r"^ *%.*$", before[0], re.MULTILINE)
    same = [{k: v for k, v in cell.items() if k != "source"} for cell in json.loads(other)["cells"]]
    assert same == [{k: v for k, v in cell.items() if k != "source"} for cell in json.loads(path.read_bytes())["cells"]]


SAID = "sw.set_language('…')\n"


def spoken(cell: str) -> str:
    """A cell's program, without comments, with one string in the place of all, whatever stands in braces kept."""
    tree = ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", cell, flags=re.MULTILINE))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = "…"
        if isinstance(node, ast.JoinedStr):
            node.values = [value for value in node.values if isinstance(value, ast.FormattedValue)]
    return ast.unparse(tree) + "\n"


# --- as it reads


def test_the_faults_of_a_chinese_sentence_are_found():
    assert faults("**特征**在 2 个词元上激活：`x`，共 $n$ 个。") == []
    assert faults("特征,激活")[0].startswith("half-width") and faults("有2个")[0].startswith("no space")
    assert faults("前面的**粗体。**后面")[0].startswith("stars") and faults("特征 激活")[0].startswith("space in")
    assert faults("**特征") == ["** is not closed"]


@pytest.mark.parametrize("path", sorted((FOLDER / "zh").glob("*.toml")), ids=lambda path: path.stem)
def test_the_chinese_is_set_as_chinese(path):
    table = translated.read_table(path, "zh")
    wrong = {text: found for text in table.prose.values() if (found := faults(text))}
    wrong |= {text: found for text in table.code.values() if text.startswith("#") and (found := faults(text[1:]))}
    assert wrong == {}
    assert [t for t in table.prose.values() if not re.search(CHINESE, t)] == []


# --- the mechanism


@pytest.fixture
def small(tmp_path):
    """A folder with one notebook and its Chinese table."""
    (tmp_path / "zh").mkdir()
    source = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Head\n", "\n", "Some\n", "words.\n", "\n", "$$x$$"]},
        {
            "cell_type": "code",
            "metadata": {},
            "source": ["import saewidgets as sw\n", 'print("λ two words")  # a note'],
        },
    ]
    (tmp_path / "00_tour.ipynb").write_text(json.dumps({"cells": source, "nbformat": 4}))
    (tmp_path / "zh" / SHARED).write_text("[[prose]]\nen = '''# Head'''\nzh = '''# 标题'''\n")
    table = "[[prose]]\nen = '''Some words.'''\nzh = '''一些话。'''\n[[code]]\nen = '''# a note'''\nzh = '''# 注'''\n"
    table += "[[code]]\nen = '''\"λ two words\"'''\nzh = '''\"两个词\"'''\n"
    (tmp_path / "zh" / "00_tour.toml").write_text(table)
    return tmp_path


def test_a_notebook_is_made_from_the_english_one_and_its_table(small):
    made = translated.in_language(small / "00_tour.ipynb", "zh")
    assert cells(made, "markdown") == ["# 标题\n\n一些话。\n\n$$x$$"]
    assert cells(made, "code") == ['import saewidgets as sw\nsw.set_language("zh")\nprint("两个词")  # 注']
    assert translated.in_language(small / "00_tour.ipynb", "en") == (small / "00_tour.ipynb").read_bytes()


def test_what_was_rewritten_in_english_stays_english_until_it_is_translated(small):
    notebook = small / "00_tour.ipynb"
    notebook.write_text(notebook.read_text().replace("words.", "other words."))
    assert cells(translated.in_language(notebook, "zh"), "markdown") == ["# 标题\n\nSome\nother words.\n\n$$x$$"]


def test_a_language_without_tables_is_refused_before_anything_is_written(small, tmp_path):
    with pytest.raises(ValueError, match=r"unknown language of the notebooks 'zz'.*there are en, zh"):
        notebooks.copy_notebooks(small, tmp_path / "mine", "0.1.0", "zz")
    assert not (tmp_path / "mine").exists()
    with pytest.raises(ValueError, match="holds the English notebooks"):
        notebooks.copy_notebooks(small, small, "0.1.0", "zh")


def test_a_changed_copy_is_never_written_over_in_another_language_either(small, tmp_path):
    folder, said = notebooks.copy_notebooks(small, tmp_path / "mine", "0.1.0", "zh")
    own = folder / "00_tour.ipynb"
    assert "一些话" in own.read_text(encoding="utf-8") and said == []
    own.write_text("what I wrote")
    (small / "zh" / "00_tour.toml").write_text("[[prose]]\nen = '''Some words.'''\nzh = '''几句话。'''\n")
    _, said = notebooks.copy_notebooks(small, folder, "0.1.0", "zh")
    assert own.read_text() == "what I wrote" and "00_tour-0.1.0.ipynb" in said[0]
    assert "几句话" in (folder / "00_tour-0.1.0.ipynb").read_text(encoding="utf-8")


def test_code_between_paragraphs_has_no_words():
    cell = "Type this:\n\n    torchrun it\n\n```python\nrun()  # and this\n\nstop()\n```\n\n$$y$$"
    assert translated.paragraphs(cell) == ["Type this:"] and translated.fences(cell) == [
        "run()  # and this\n\nstop()\n"
    ]
    table = Table(prose={"Type this:": "输入："}, code={"# and this": "# 还有这个"})
    assert translated.translate_prose(cell, table) == cell.replace("Type this:", "输入：").replace(
        "and this", "还有这个"
    )


def test_code_in_words_is_cut_where_python_cuts_it():
    source = 'x = f"a {b} c"  # [pos], two\n    \n# [d_sae]\ny = "one"'
    assert translated.comments(source) == ["# [pos], two"]
    assert translated.strings('f"two {words}"; "one"; "th, td"; """A sentence here."""') == [
        'f"two {words}"',
        '"th, td"',
        '"""A sentence here."""',
    ]
    table = Table(code={'f"a {b} c"': 'f"甲 {b}"', "# [pos], two": "# [pos]，二"})
    assert translated.translate_code(source, table) == 'x = f"甲 {b}"  # [pos]，二\n    \n# [d_sae]\ny = "one"'
    assert translated.translate_code("if x:\n    %pip install y  # two words", table).startswith("if x:\n    %pip")


@pytest.mark.parametrize("asked", ["option", "environment"])
def test_lab_writes_the_notebooks_of_a_language_into_a_folder_of_their_own(tmp_path, monkeypatch, asked):
    class Done:
        returncode = 0

    started = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli.subprocess, "run", lambda command, **_: started.append(command) or Done())
    if asked == "environment":
        monkeypatch.setattr("saewidgets.languages._chosen", None)  # another test may have chosen one
        monkeypatch.setenv("SAEWIDGETS_LANGUAGE", "zh")
    assert cli.main(["lab", "--no-browser", *(["--language", "zh"] if asked == "option" else [])]) == 0
    folder = tmp_path / "saewidgets-notebooks-zh"
    assert f"--ServerApp.root_dir={folder}" in started[0]
    assert {path.name for path in folder.glob("*.ipynb")} == {path.name for path in NOTEBOOKS}
    assert cells((folder / "00_tour.ipynb").read_bytes(), "markdown")[0].startswith("# 导览")
    assert (folder / "README.md").read_text(encoding="utf-8").startswith("# 课程")


def test_a_workshop_has_its_notebooks_in_the_language_too(tmp_path, monkeypatch):
    class Done:
        returncode = 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli.subprocess, "run", lambda *_, **__: Done())
    (tmp_path / "morning.toml").write_text('notebooks = ["05_clamp"]\nlock = ["prose"]\n')
    assert cli.main(["lab", "--no-browser", "--workshop", "morning.toml", "--language", "zh"]) == 0
    (notebook,) = (tmp_path / "morning-zh").glob("*.ipynb")
    first = json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]
    assert "".join(first["source"]).startswith("# 钳制") and first["metadata"]["editable"] is False
