"""Answers as people type them, made numbers, texts and clamps, or refused with what to type instead."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Any

from saewidgets.course.exercise import Wrong
from saewidgets.records import Clamp
from saewidgets.records.arguments import real


def missing(answer: Any) -> bool:
    """Whether there is no answer yet: `...`, None, an empty text, list or array, or "..." as a text.

    Example:
        >>> [missing(answer) for answer in (..., None, "", " ... ", [], 0, False)]
        [True, True, True, True, True, False, False]
    """
    if answer is None or answer is ...:
        return True
    if isinstance(answer, str):
        return answer.strip(" .…") == ""
    return isinstance(answer, list | tuple | dict | set) and (not len(answer) or all(one is ... for one in answer))


def number(answer: Any) -> float:
    """A number: Python's, NumPy's, or a tensor of one element. Raises Wrong on anything else."""
    if isinstance(answer, str):
        raise Wrong("This takes a number, without quotation marks: not {answer!r}.", answer=answer)
    if isinstance(answer, bool):
        raise Wrong("This takes a number, not {answer}.", answer=answer)
    if isinstance(answer, list | tuple | set):
        raise Wrong("This takes one number, not a list of {n}.", n=len(answer))
    try:
        return real(answer, "the answer")
    except (TypeError, ValueError):
        raise Wrong("This takes one finite number, not {answer}.", answer=shown(answer)) from None


def whole(answer: Any) -> int:
    """A whole number. Raises Wrong on a fraction and on what is no number."""
    found = number(answer)
    if found != int(found):
        raise Wrong("This takes a whole number, not {found:g}.", found=found)
    return int(found)


def feature(answer: Any, d_sae: int) -> int:
    """The number of a feature of an SAE. Raises Wrong outside 0 to d_sae - 1."""
    found = whole(answer)
    if not 0 <= found < d_sae:
        raise Wrong("This SAE's features are 0 to {last}; there is no feature {found}.", last=d_sae - 1, found=found)
    return found


def text(answer: Any) -> str:
    """A text. Raises Wrong on anything else."""
    if not isinstance(answer, str):
        raise Wrong("This takes a text in quotation marks, not {answer}.", answer=shown(answer))
    return answer


def texts(answer: Any, n: int) -> tuple[str, ...]:
    """A list of n texts. Raises Wrong on anything else."""
    if isinstance(answer, str) and len(answer.split()) == n:
        answer = answer.split()
    if not isinstance(answer, list | tuple) or not all(isinstance(one, str) for one in answer):
        raise Wrong("This takes a list of {n} texts, not {answer}.", n=n, answer=shown(answer))
    if len(answer) != n:
        raise Wrong("This takes a list of {n} texts; yours has {own}.", n=n, own=len(answer))
    return tuple(answer)


def clamps(answer: Any) -> tuple[Clamp, ...]:
    """One clamp or a list of them. Raises Wrong on anything else."""
    given = (answer,) if isinstance(answer, Clamp) or not isinstance(answer, Iterable) else tuple(answer)
    strange = [one for one in given if not isinstance(one, Clamp)]
    if strange:
        raise Wrong("This takes a list of clamps, [sw.Clamp(feature, value)], not {answer}.", answer=shown(answer))
    return given


def one_clamp(answer: Any) -> Clamp:
    """One clamp, in a list or alone. Raises Wrong on anything else."""
    given = clamps(answer)
    if len(given) != 1:
        raise Wrong("This takes one clamp; yours are {n}.", n=len(given))
    return given[0]


def shown(answer: Any) -> str:
    """What a person gave, short enough for a sentence: what kind of thing it is, where it is long."""
    said = repr(answer)
    if len(said) <= 40 and "\n" not in said:
        return said
    size = f" of {len(answer)}" if isinstance(answer, Sized) else ""
    return f"{type(answer).__name__}{size}"
