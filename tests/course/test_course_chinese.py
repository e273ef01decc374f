"""The course in Chinese: every sentence that it says, with the values, code and formulas of the English one."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from chinese import CHINESE, changed, faults

import saewidgets as sw
from saewidgets import course
from saewidgets.cli.translated import in_language
from saewidgets.course import checking
from saewidgets.course.told import table, told
from saewidgets.languages import LANGUAGES, spoken

ROOM = Path(course.__file__).parent
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def sentences() -> set[str]:
    """What the course says: the texts of the exercises, and the templates that stand in the code of the room."""
    found = {text for one in course.exercises().values() for text in (one.question, *one.hints, one.solution)}
    for path in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("right", "Wrong", "Said") and node.args:
                given = node.args[0]
                if isinstance(given, ast.Name) and given.id == "template":
                    continue  # where these are defined
                assert isinstance(given, ast.Constant), f"{path.name}:{node.lineno}: a template must stand there whole"
                found.add(given.value)
    return found


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_sentence_has_its_translation_and_no_translation_has_lost_its_sentence(language):
    own = sentences()
    assert len(own) > 200
    assert own - set(table(language)) == set(), f"write these into saewidgets/course/{language}.toml"
    assert set(table(language)) - own == set(), f"take these out of saewidgets/course/{language}.toml"


def test_values_code_formulas_and_numbers_stand_in_the_chinese_too():
    assert [(other, what) for english, other in table("zh").items() for what in changed(english, other)] == []


def test_the_chinese_is_set_as_chinese():
    assert {other: found for other in table("zh").values() if (found := faults(other))} == {}
    code = [text for text in table("zh").values() if not re.search(CHINESE, text)]
    assert all(re.fullmatch(r"`[^`]+`", text) for text in code)  # a hint may be a line of code


def test_a_check_answers_in_the_language_that_is_spoken(monkeypatch):
    for counted in ("_tries", "_hints"):
        monkeypatch.setattr(checking, counted, Counter())
    with spoken("zh"):
        assert repr(sw.check("01.1", 10)) == "✗ 01.1  在 ReLU 之前，十个都读到东西。其中哪些的余弦是正的？"
        assert repr(sw.check("01.1", "4")).startswith("✗ 01.1  这里要填一个数，不加引号：不是 '4'。")
        assert repr(sw.check("01.2")) == "– 01.2  还没有答案：把你的答案写在三个点的位置。 sw.hint('01.2') 有提示。"
        assert sw.hint("01.3").text.startswith("**提示 1（共 2 条）：** 一列是一个特征。")
        assert sw.solution("01.1").text.startswith("**解答：** 四个。")
        assert told("a sentence that no table has") == "a sentence that no table has"
    assert sw.check("01.1", 4).said.text.startswith("Yes: two neighbors")


@pytest.mark.parametrize("key", sorted(course.exercises()))
def test_a_notebook_asks_in_chinese_what_the_table_asks(key):
    (path,) = NOTEBOOKS.glob(f"{key[:2]}_*.ipynb")
    cells = {cell["id"]: "".join(cell["source"]) for cell in json.loads(in_language(path, "zh"))["cells"]}
    with spoken("zh"):
        question = course.exercise(key).question
    assert cells[f"exercise-{key.replace('.', '-')}"] == f"**练习 {key}：** {question}"
