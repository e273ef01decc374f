"""Judges that follow a rule: a regular expression, a list of words, or how much likelier text is where it holds."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from saewidgets.files import unknown
from saewidgets.records.arguments import asked, expect, listed, real
from saewidgets.records.judging import NEAR, Passage, Verdict

Stretches = list[tuple[int, int]]
_UNSEEN = 1000  # characters that share the one which is added to the text at large


class PatternJudge:
    """A judge with a regular expression: 3 where the marked token shares a character with a match, 2 with a match
    within 5 tokens, 1 with one elsewhere in the passage, 0 with none. It asks the rule, whatever the claim says.

    Of several marked tokens, more than half must lie in matches for a 3. A passage without marks gets 3 where there is
    a match, and else 0.

    Args:
        pattern: a regular expression, as text or compiled.
        name: of the judge; by default the pattern.

    Raises ValueError for a pattern that cannot be compiled.

    Example:
        >>> judge = PatternJudge(r"\\bpirat\\w*")
        >>> [v.score for v in judge("pirates", [Passage(("A", " pirate", " sang"), (1, 2, 3), (i,)) for i in range(3)])]
        [2, 3, 2]
    """

    kind = "rule"

    def __init__(self, pattern: str | re.Pattern[str], *, name: str = "") -> None:
        expect(pattern, (str, re.Pattern), "pattern", "PatternJudge", r"give a regular expression, such as r'\bfog\b'")
        try:
            self.pattern = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        self.name = name or f"/{self.pattern.pattern}/"

    def __call__(self, claim: str, passages: Sequence[Passage]) -> list[Verdict]:
        return [self._judged(passage) for passage in passages]

    def _judged(self, passage: Passage) -> Verdict:
        text = passage.text
        found = [(m.start(), m.end(), m.group()) for m in self.pattern.finditer(text) if m.end() > m.start()]
        if not found:
            return Verdict(0, "no match in the passage")
        if not passage.marked:
            return Verdict(3, f"a match in the passage: {found[0][2]!r}")
        score, nearest = placed(passage, [(a, b) for a, b, _ in found])
        where = {3: "at the mark", 2: f"within {NEAR} tokens", 1: "elsewhere in the passage"}[score]
        return Verdict(score, f"a match {where}: {found[nearest][2]!r}")


def words_judge(words: Iterable[str], *, name: str = "") -> PatternJudge:
    """A `PatternJudge` of a list of words or phrases, in any case, as whole words.

    Raises TypeError for a single text, ValueError where there is no word.

    Example:
        >>> words_judge(["fog", "Golden Gate"]).pattern.findall("Fog at the golden gate; foggy")
        ['Fog', 'golden gate']
    """
    chosen = listed(words, "words", "'fog'")
    if not chosen or not all(isinstance(word, str) and word.strip() for word in chosen):
        raise ValueError(f"words_judge needs one word or more, each a text, not {chosen!r}")
    longest = sorted({word.strip() for word in chosen}, key=lambda word: (-len(word), word))
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in longest), re.IGNORECASE)
    shown = ", ".join(chosen[:3]) + (", ..." if len(chosen) > 3 else "")
    return PatternJudge(pattern, name=name or f"words: {shown}")


def placed(passage: Passage, stretches: Stretches) -> tuple[int, int]:
    """(score, which stretch is the nearest) of the marked tokens beside stretches of characters, of which there is one
    or more: 3 where more than half of the marked tokens share a character with one, 2 within 5 tokens, else 1.
    """
    held = [_overlapping(passage, stretch) for stretch in stretches]  # tokens of each
    every = {i for own in held for i in own}
    inside = sum(i in every for i in passage.marked)
    away = [min((abs(i - m) for i in own for m in passage.marked), default=math.inf) for own in held]
    nearest = min(range(len(held)), key=lambda n: away[n])
    if 2 * inside > len(passage.marked):
        return 3, nearest
    return (2 if away[nearest] <= NEAR else 1), nearest


def _overlapping(passage: Passage, stretch: tuple[int, int]) -> list[int]:
    start, stop = stretch
    spans = (passage.characters(i) for i in range(len(passage.tokens)))
    return [i for i, (first, last) in enumerate(spans) if first < stop and last > start]


class LikelihoodJudge:
    """A judge with a log-likelihood ratio of strings: how much likelier the marked text is where a rule holds than in
    text at large (Bricken et al. 2023 prove features of Arabic, DNA and base64 so).

        r = log P(s | rule) / P(s),  P(s) = product over the characters of s

    `inside` gives P(s | rule); P(s) is by the characters of `at_large`, to which one more is added, a thousandth of
    each that it lacks. 3 where r per character is `least` or more at the marked token, 2 at a token within 5, 1
    elsewhere in the passage, 0 nowhere. A passage without marks gets 3 where it holds anywhere.

    Args:
        inside: a function from a character to its probability where the rule holds; or a ready rule: "dna", "base64",
            or a Unicode block such as "arabic" (see `READY`).
        at_large: text, or texts, that say how common each character is at large, such as the corpus.
        least: nats per character; 0: likelier than in text at large.
        shortest: characters, spaces left out, in a run of them around the marked token for which the rule must hold: a
            single "A" is no DNA. None: as the ready rule has it, or 1.
        name: of the judge.

    Raises ValueError on a rule that is not there, with those there are.

    Example:
        >>> judge = LikelihoodJudge("dna", at_large="the cat sat on the mat, " * 9)
        >>> [v.score for v in judge("DNA", [Passage((" GATT", "ACAG", "!"), (1, 2, 3), (i,)) for i in range(3)])]
        [3, 3, 2]
    """

    kind = "likelihood"

    def __init__(
        self,
        inside: str | Callable[[str], float],
        at_large: str | Iterable[str],
        *,
        least: float = 0.0,
        shortest: int | None = None,
        name: str = "",
    ) -> None:
        own_shortest = 1
        if isinstance(inside, str):
            if inside not in READY:
                raise ValueError(unknown("ready rule", inside, READY))
            name = name or f"likelihood: {inside}"
            inside, own_shortest = READY[inside]
        expect(inside, asked(inside), "inside", "LikelihoodJudge", 'give a function of a character, or "dna"')
        texts = [at_large] if isinstance(at_large, str) else listed(at_large, "at_large", "text")
        self.inside, self.least = inside, real(least, "least")
        self.shortest = own_shortest if shortest is None else shortest
        self.name = name or "likelihood"
        self._count = Counter(c for text in texts for c in text if not c.isspace())
        self._total = sum(self._count.values()) + 1

    def ratio(self, text: str) -> float:
        """The mean over the characters of a text, spaces left out, of log P(c | rule) / P(c), nats; -inf where the rule
        excludes one, or for no character.
        """
        solid = [c for c in text if not c.isspace()]
        if not solid:
            return -math.inf
        inside = [self.inside(c) for c in solid]
        if min(inside) <= 0:
            return -math.inf
        large = ((self._count[c] + 1 / _UNSEEN) / self._total for c in solid)
        return sum(math.log(a / b) for a, b in zip(inside, large, strict=True)) / len(solid)

    def __call__(self, claim: str, passages: Sequence[Passage]) -> list[Verdict]:
        return [self._judged(passage) for passage in passages]

    def _judged(self, passage: Passage) -> Verdict:
        stretches = self._stretches(passage.text)
        if not stretches:
            return Verdict(0, "nowhere in the passage likelier by the rule")
        score, nearest = placed(passage, stretches) if passage.marked else (3, 0)
        first, stop = stretches[nearest]
        piece = passage.text[first:stop]
        return Verdict(score, f"{self.ratio(piece):.1f} nats per character for {piece[:24]!r}")

    def _stretches(self, text: str) -> Stretches:
        """Runs of characters that the rule admits, long enough and likely enough by it."""
        out = []
        for match in re.finditer(r"\S+", text):
            first = None
            for i in range(match.start(), match.end() + 1):
                own = i < match.end() and self.inside(text[i]) > 0
                if own and first is None:
                    first = i
                elif not own and first is not None:
                    if i - first >= self.shortest and self.ratio(text[first:i]) >= self.least:
                        out.append((first, i))
                    first = None
        return out


def _even(characters: str) -> Callable[[str], float]:
    each = dict.fromkeys(characters, 1 / len(characters))
    return lambda c: each.get(c, 0.0)


def _script(name: str, size: int) -> Callable[[str], float]:
    """Letters of a Unicode script, each as likely: `size` is about how many there are in use."""
    return lambda c: 1 / size if unicodedata.name(c, "").startswith(name) else 0.0


_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
# Ready rule -> (P(c | rule), the shortest run of characters that counts).
READY: dict[str, tuple[Callable[[str], float], int]] = {
    "dna": (_even("ACGT"), 4),
    "base64": (_even(_BASE64), 16),
    "hexadecimal": (_even("0123456789abcdef"), 8),
    "arabic": (_script("ARABIC", 64), 1),
    "chinese": (_script("CJK UNIFIED IDEOGRAPH", 4000), 1),
    "cyrillic": (_script("CYRILLIC", 66), 1),
    "devanagari": (_script("DEVANAGARI", 80), 1),
    "greek": (_script("GREEK", 70), 1),
    "hangul": (_script("HANGUL", 2400), 1),
    "hebrew": (_script("HEBREW", 32), 1),
    "japanese": (lambda c: 1 / 180 if unicodedata.name(c, "").startswith(("HIRAGANA", "KATAKANA")) else 0.0, 1),
    "thai": (_script("THAI", 80), 1),
}
