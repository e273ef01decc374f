"""Words and phrases to look for in a text: whole, in any case."""

from __future__ import annotations

import re
from collections.abc import Sequence


def phrases_of(text: str) -> list[str]:
    """The words and phrases of a list that somebody typed, between commas.

    Example:
        >>> phrases_of("golden gate, fog,")
        ['golden gate', 'fog']
    """
    return [phrase for part in text.split(",") if (phrase := part.strip())]


def pattern_of(phrases: Sequence[str]) -> re.Pattern[str]:
    """What finds any of some words and phrases in a text, each whole and in any case. Raises ValueError on none, or an
    empty one.

    Example:
        >>> pattern_of(["fog", "golden gate"]).findall("Fog over the Golden Gate, foggy")
        ['Fog', 'Golden Gate']
    """
    if not phrases or not all(isinstance(p, str) and p.strip() for p in phrases):
        raise ValueError(f"give at least one word or phrase to look for, none of them empty, not {phrases!r:.80}")
    return re.compile("|".join(rf"(?<!\w){re.escape(p.strip())}(?!\w)" for p in phrases), re.IGNORECASE)
