"""What a notebook calls: check an answer, ask for a hint, for the solution."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from typing import Any

from saewidgets.course import progress
from saewidgets.course.answers import missing
from saewidgets.course.exercise import Checked, Exercise, Note, Said, Wrong
from saewidgets.course.told import told
from saewidgets.files import unknown
from saewidgets.records.arguments import expect

TABLES = ("superposition", "training", "dashboard", "searching", "clamping", "claims", "relations", "chat")
TRIES = 2  # wrong ones, after which a hint is offered

_tries: Counter[str] = Counter()  # wrong answers of this kernel
_hints: Counter[str] = Counter()  # hints given so far


@lru_cache(maxsize=1)
def exercises() -> dict[str, Exercise]:
    """All exercises by key, in the order of the notebooks.

    Example:
        >>> list(exercises())[:2]
        ['01.1', '01.2']
    """
    tables = (import_module(f"saewidgets.course.tables.{name}").EXERCISES for name in TABLES)
    return {one.key: one for table in tables for one in table}


def exercise(key: str) -> Exercise:
    """One exercise, in the language that is spoken. Raises TypeError on a key that is none, ValueError on an unknown one,
    with all of its notebook's or the nearest.

    Example:
        >>> print(exercise("05.1").question.partition(":")[0])
        Write the clamp that ablates the bridge's feature in the generated tokens only
    """
    known = exercises()
    if isinstance(key, float):
        key = f"{key:04.1f}"  # 1.2 is 01.2
    expect(key, str, "key", "an exercise", "give its number, such as '01.2'")
    if key not in known:
        own = [other for other in known if other[:2] == key[:2]]
        raise ValueError(
            f"unknown exercise {key!r}; there are {', '.join(own)}" if own else unknown("exercise", key, known)
        )
    one = known[key]
    hints = tuple(told(hint) for hint in one.hints)
    return replace(one, question=told(one.question), hints=hints, solution=told(one.solution))


def check(key: str, answer: Any = ...) -> Checked:
    """Judge the answer to an exercise of the notebooks, and say what is wrong with it.

    The right answer is computed, not looked up, so a check may take some seconds. In a workshop with a plan each try is
    noted in the participant's file. Where there is no answer yet (`...`, None, an empty text) it says so.

    Args:
        key: of the exercise, such as "01.2".
        answer: a number, a text, a list, a clamp or an SAE, as the exercise asks.

    Returns:
        What is said of it; true where the answer is right.

    Raises ValueError on an unknown exercise, with the nearest ones.

    Example:
        >>> check("01.1", 10)
        ✗ 01.1  All ten read something before the ReLU. Which of their cosines are positive?
        >>> bool(check("01.1", 4))
        True
    """
    asked = exercise(key)
    if missing(answer):
        return Checked(asked.key, None, Said("No answer yet: put yours in place of the three dots."), _offer(asked.key))
    try:
        said, passed = asked.check(answer), True
    except Wrong as error:
        said, passed = error.said, False
    progress.note(asked.key, passed, said.text)
    _tries[asked.key] += not passed
    stuck = not passed and _tries[asked.key] >= TRIES
    return Checked(asked.key, passed, said, _offer(asked.key) if stuck else "")


def _offer(key: str) -> str:
    return Said("`sw.hint({key!r})` has a hint.", {"key": key}).text


def hint(key: str) -> Note:
    """A hint for an exercise; the next one each time it is called, and after the last the first again.

    Raises ValueError on an unknown exercise.

    Example:
        >>> hint("01.1")
        **Hint 1 of 2.** What a feature reads is the cosine of its angle to green. For which angles is a cosine positive?
    """
    asked = exercise(key)
    i = _hints[asked.key] % len(asked.hints)
    _hints[asked.key] += 1
    values = {"i": i + 1, "n": len(asked.hints), "hint": asked.hints[i]}
    return Note(Said("**Hint {i} of {n}.** {hint}", values).text)


def solution(key: str) -> Note:
    """The solution of an exercise, and how one comes to it. Raises ValueError on an unknown exercise.

    Example:
        >>> solution("05.3").text[:17]
        '**Solution.** 60:'
    """
    return Note(Said("**Solution.** {solution}", {"solution": exercise(key).solution}).text)
