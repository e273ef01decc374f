"""The course in the notebooks: each says what it takes and gives, asks its exercises as the tables have them, and folds its answers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from saewidgets import course

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("0[0-8]*.ipynb"))
FIRST_STOP = 30  # minutes into a notebook, at the latest


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def source(cell):
    return "".join(cell["source"])


def text(path):
    return "\n".join(source(cell) for cell in cells(path))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_says_at_its_head_what_it_takes_and_what_it_gives(path):
    head = "\n".join(source(cell) for cell in cells(path)[:2])
    for line in (r"- \*\*Time:\*\* \d+ minutes", r"- \*\*Before this:\*\* \S", r"- \*\*After this you can\*\* \S"):
        assert re.search(line, head), line


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_its_time_is_that_of_its_sections_and_of_the_index(path):
    (minutes,) = re.findall(r"- \*\*Time:\*\* (\d+) minutes", text(path))
    sections = re.findall(r"^\| (?:\d|0).*?\| (\d+) \|", text(path), flags=re.M)
    if sections:
        assert sum(map(int, sections)) == int(minutes)
    assert re.search(rf"\[{path.stem}\]\({path.name}\) \| {minutes}\b", (FOLDER / "README.md").read_text("utf-8"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_has_a_place_to_stop(path):
    stops = re.findall(r"(\d+) minutes (?:up to here|in)", text(path))
    assert stops and int(stops[0]) <= FIRST_STOP


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_asks_its_exercises_as_the_tables_have_them_and_answers_none(path):
    own = {key: one for key, one in course.exercises().items() if key[:2] == path.name[:2]}
    found = [cell for cell in cells(path) if cell["id"].startswith("exercise-")]
    assert [cell["id"] for cell in found] == [
        f"exercise-{key.replace('.', '-')}{end}" for key in own for end in ("", "-answer")
    ]
    for (key, one), asked, answer in zip(own.items(), found[::2], found[1::2], strict=True):
        assert source(asked) == f"**Exercise {key}.** {one.question}"
        assert source(answer).startswith("answer = ...") and source(answer).endswith(f'sw.check("{key}", answer)')


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_answers_are_folded(path):
    for cell in cells(path):
        opened, closed = source(cell).count("<details>"), source(cell).count("</details>")
        assert opened == closed == source(cell).count("<summary>")
    assert text(path).count("<details>") >= 1
