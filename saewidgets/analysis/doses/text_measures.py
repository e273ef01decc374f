"""What is measured on a text alone: where an answer ends, repetition, distinct words, whether it expresses a concept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from saewidgets.miniworld import world
from saewidgets.records.phrases import pattern_of

TURN = re.compile(r"\n\s*(Human|Assistant):")

Detector = Callable[[str], bool]


def answer(text: str, end: str = "") -> str:
    """The answer itself: what comes before the next turn of the dialogue, or before `end`, where there is one."""
    return text[: _answer_stop(text, end)].strip()


def answer_length(pieces: Sequence[str], end: str = "") -> int:
    """How many of a text's tokens, given as their texts, belong to the answer: those that begin before the next turn,
    or before `end`.
    """
    text = "".join(pieces)
    stop = _answer_stop(text, end)
    if stop == len(text):
        return len(pieces)
    begins = accumulate(map(len, pieces), initial=0)
    return sum(begin < stop for begin, _ in zip(begins, pieces, strict=False))


def _answer_stop(text: str, end: str) -> int:
    found = TURN.search(text)
    stop = found.start() if found else len(text)
    return min(stop, text.index(end)) if end and end in text else stop


def words(text: str) -> list[str]:
    """The words of a text in lower case, punctuation aside."""
    return re.findall(r"[^\W_]+", text.lower())


def trigram_repeats(text: str) -> int:
    """How often the most frequent three words in a row stand in a text (case and punctuation aside); 0 below three
    words.
    """
    own = words(text)
    counts = Counter(zip(own, own[1:], own[2:], strict=False))
    return max(counts.values(), default=0)


def distinct(text: str, n: int) -> float:
    """distinct-n: different runs of n words over all runs of n words (Li et al. 2016); 0 where there is none.

    Example:
        >>> distinct("to be or not to be", 1), distinct("to be or not to be", 2)
        (0.6666666666666666, 0.8)
    """
    own = words(text)
    runs = list(zip(*(own[i:] for i in range(n)), strict=False))
    return len(set(runs)) / len(runs) if runs else 0.0


def detector(concept: str | Detector | Iterable[str] | None) -> tuple[str, Detector | None]:
    """(name, function that says whether a text expresses the concept) of what a user may give.

    A planted concept of the mini-world by name, a function of the text, or words and phrases of which one must stand in
    the text, whole and in any case. Another string is such a phrase. None looks for nothing. Raises ValueError on an
    empty phrase or list.
    """
    if concept is None:
        return "", None
    if callable(concept):
        return getattr(concept, "__name__", "function"), concept
    if isinstance(concept, str) and concept in world().implied:
        planted = concept
        return planted, lambda text: planted in world().mentions(text)
    phrases = [concept] if isinstance(concept, str) else list(concept)
    pattern = pattern_of(phrases)
    return ", ".join(p.strip() for p in phrases), lambda text: bool(pattern.search(text))
