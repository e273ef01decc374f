"""What a Chinese translation must keep of its English text, and how it is to be set."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

CHINESE = r"[㐀-鿿]"
# Code, formulas, link targets and what is filled in: the same in both languages, and one mark where a sentence is read.
_SAME = {
    "code": r"`[^`]+`",
    "formulas": r"\$\$.+?\$\$|\$[^$]+\$",
    "links": r"\]\([^)]*\)",
}
_TAGS = r"<[^>]+>"
_FILLED = r"\{\w*(?:![rsa])?(?::[^{}]*)?\}"
_ROWS = r"(?m)^(?:\||- |#+ )"  # how many rows, points and headings there are


def changed(english: str, chinese: str) -> list[str]:
    """What of a text is not the same in its translation: code, formulas, link targets, tags, rows, what is filled in,
    and numbers in digits, of which the Chinese may have more.
    """
    found = []
    for name, pattern in {**_SAME, "tags": _TAGS, "filled in": _FILLED, "rows": _ROWS}.items():
        before, after = (
            Counter(" ".join(piece.split()) for piece in re.findall(pattern, text, re.DOTALL))  # wrapped or not
            for text in (english, chinese)
        )
        if before != after:
            found.append(f"{name}: {dict(before - after)} became {dict(after - before)}")
    lost = _numbers(english) - _numbers(chinese)
    return found + [f"numbers: {dict(lost)}"] * bool(lost)


def _numbers(text: str) -> Counter[str]:
    """What stands in digits outside code and formulas, as 2,048 and 0.5."""
    return Counter(re.findall(r"\d+(?:[.,]\d+)*", _plain(text, "")))


def _plain(text: str, mark: str) -> str:
    """A text without tags and link targets, and with `mark` in the place of each code, formula and value."""
    bare = re.sub(_SAME["links"], "]", re.sub(_TAGS, "", text))
    return re.sub("|".join([_SAME["code"], _SAME["formulas"], _FILLED]), mark, bare, flags=re.DOTALL)


def faults(text: str) -> list[str]:
    """What a Chinese typesetter would mark, and what CommonMark would not set as bold."""
    plain = _plain(text, "x")
    bare = plain.replace("*", "")
    found = [f"half-width {m[0]!r}" for m in re.finditer(rf"{CHINESE}[,;:?!]|[,;:?!]{CHINESE}|{CHINESE}\.(?!\.)", bare)]
    found += [f"no space in {m[0]!r}" for m in re.finditer(rf"{CHINESE}[A-Za-z0-9]|[A-Za-z0-9]{CHINESE}", bare)]
    found += [f"space in {m[0]!r}" for m in re.finditer(rf"{CHINESE} +{CHINESE}", plain)]
    opened: list[str] = []
    for m in re.finditer(r"\*+", plain):
        before, after = plain[m.start() - 1 : m.start()] or " ", plain[m.end() : m.end() + 1] or " "
        if opened and opened[-1] == m[0]:
            opened.pop()
            marks = not before.isspace() and (not _mark(before) or after.isspace() or _mark(after))
        else:
            opened.append(m[0])
            marks = not after.isspace() and (not _mark(after) or before.isspace() or _mark(before))
        if not marks:
            found.append(f"stars that mark nothing in {plain[max(0, m.start() - 5) : m.end() + 5]!r}")
    return found + [f"{stars} is not closed" for stars in opened]


def _mark(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"
