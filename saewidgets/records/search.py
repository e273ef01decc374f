"""Features found by a question, as a table; and the one question that saved examples answer with no model."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pandas as pd

from saewidgets.records.dashboards import DashboardData
from saewidgets.records.features import FeatureExample
from saewidgets.records.tables import frame

COLUMNS = ("feature", "label", "score", "density", "maximum", "tokens", "histogram")
MODES = ("prompt", "prompts", "classifier", "direction", "token", "attribution", "effect", "text", "concept")
N_FOUND = 50  # rows of a result unless one asks for another number
N_TOKENS = 5  # of `tokens`
N_BARS = 20  # of `histogram`

_SIGNS = str.maketrans({"⏎": "\n", "␣": " ", "⇥": "\t", "␍": "\r"})


class Searcher(Protocol):
    """Whatever finds features: `searcher(model, sae, acts)`, or `ExampleSearch` over saved records.

    A result has one row per feature, the best first: feature, label, score (what it is depends on the mode), density
    (share of corpus tokens), maximum (SAE units), tokens (display texts of the tokens at which it is most active, each
    once, strongest first), and histogram (counts of its non-zero activations in equal parts of 0 to its maximum: a
    sparkline). A mode may add columns. It may also have `passport`, a `Passport` that says whose features it finds; an
    instrument shows it. And it may have `waiting(seconds) -> str`: why a mode that runs the model has to wait, after
    waiting up to `seconds`; "" where it need not.
    """

    modes: tuple[str, ...]  # those of MODES that it knows
    concepts: tuple[str, ...]  # names for mode "concept", () where there are none

    def __call__(self, mode: str, **query: Any) -> pd.DataFrame:
        """Ask in one mode.

        prompt: text, position=-1. prompts: positive, negative=(), at_least=0.0, at_most=0.0. classifier: positive,
        negative. direction: direction (a feature or a vector). token: token. attribution: text, target,
        baseline_token="". effect: prompt, continuations=() or words=(), combine="mean", scope="all",
        share=None, n_pushed=256. text: pattern, regex=False, case=False. concept: concept. Each takes n=50,
        the most rows. Raises ValueError or IndexError, in one sentence, on a question that cannot be asked.
        """
        ...


class ExampleSearch:
    """A `Searcher` over the examples of a saved dashboard: mode "text" alone, with no model.

    Example:
        >>> found = ExampleSearch(data)("text", pattern="golden gate")  # doctest: +SKIP
    """

    modes: tuple[str, ...] = ("text",)
    concepts: tuple[str, ...] = ()

    def __init__(self, data: DashboardData) -> None:
        self.data = data

    def __call__(self, mode: str, **query: Any) -> pd.DataFrame:
        """See `Searcher`."""
        if mode != "text":
            raise ValueError(f"saved examples can be searched by text only, not by {mode!r}: that needs a model")
        return by_text(self.data, **query)


class SavedSearch(ExampleSearch):
    """A `Searcher` over the records of a saved dashboard, with no model: by text, by a token among the promoted ones
    that they list, and by the neighbors that they list.
    """

    modes: tuple[str, ...] = ("text", "token", "direction")

    def __call__(self, mode: str, **query: Any) -> pd.DataFrame:
        """See `Searcher`."""
        if mode == "token":
            return self._by_token(**query)
        if mode == "direction":
            return self._by_neighbor(**query)
        return super().__call__(mode, **query)

    def _by_token(self, token: str, n: int = N_FOUND) -> pd.DataFrame:
        """Score is the logit that a feature adds to the token for each unit of activation."""
        scores = {f.feature: e.logit for f in self.data.features.values() for e in f.promoted if e.token == token}
        if not scores:
            raise ValueError(f"no feature of these records lists {token!r} among the tokens that it promotes most")
        return self._frame(scores, n)

    def _by_neighbor(self, direction: int, n: int = N_FOUND) -> pd.DataFrame:
        """Score is the cosine of the two decoder rows."""
        own = self.data[direction].neighbors
        return self._frame({e.feature: e.cosine for e in own if e.feature in self.data.features}, n)

    def _frame(self, scores: Mapping[int, float], n: int) -> pd.DataFrame:
        rows = []
        for feature in sorted(scores, key=lambda f: (-scores[f], f))[:n]:
            f = self.data[feature]
            tokens = tuple(dict.fromkeys(e.tokens[e.peak] for e in f.top))[:5]
            rows.append((feature, f.label, scores[feature], f.density, f.maximum, tokens, f.histogram.counts))
        return frame(rows, columns=list(COLUMNS))


def by_text(
    data: DashboardData, pattern: str, regex: bool = False, case: bool = False, *, n: int = N_FOUND
) -> pd.DataFrame:
    """The features with examples in whose text a pattern stands.

    The text of an example is its tokens in a row, with a line end where a token shows ⏎. `regex` takes the pattern as a
    Python regular expression, `case` tells upper from lower case.

    Returns:
        The columns of `Searcher`; score is the number of matching examples, and at_peak says in how many of them a
        match covers (part of) the token for which the example was chosen. Highest score first, then at_peak, then lower
        feature.

    Raises ValueError on an empty pattern, or one that is not a regular expression.

    Example:
        >>> by_text(data, r"golden (gate|retriever)", regex=True)  # doctest: +SKIP
    """
    wanted = compile_pattern(pattern, regex, case)
    rows = []
    for feature in data.features.values():
        hits = [spans for example in feature.top + feature.intervals if (spans := matches(example, wanted))]
        if hits:
            rows.append((feature, len(hits), sum(any(covers for _, _, covers in spans) for spans in hits)))
    rows.sort(key=lambda row: (-row[1], -row[2], row[0].feature))
    return frame(
        [
            {
                "feature": f.feature,
                "label": f.label,
                "score": float(score),
                "density": f.density,
                "maximum": f.maximum,
                "tokens": tuple(dict.fromkeys(e.tokens[e.peak] for e in f.top))[:N_TOKENS],
                "histogram": _fewer(f.histogram.counts, N_BARS),
                "at_peak": at_peak,
            }
            for f, score, at_peak in rows[:n]
        ],
        columns=[*COLUMNS, "at_peak"],
    )


def matches(example: FeatureExample, wanted: re.Pattern[str]) -> list[tuple[int, int, bool]]:
    """Where a pattern stands in an example: (first token, one past the last, whether the peak is among them); [] for
    nowhere.

    A match of no characters does not count.
    """
    ends, total = [], 0
    for token in example.tokens:
        total += len(token)
        ends.append(total)
    text = "".join(example.tokens).translate(_SIGNS)
    return [
        (first, stop, first <= example.peak < stop)
        for match in wanted.finditer(text)
        if match.end() > match.start()
        for first, stop in [(_token_at(ends, match.start()), _token_at(ends, match.end() - 1) + 1)]
    ]


def compile_pattern(pattern: str, regex: bool = False, case: bool = False) -> re.Pattern[str]:
    """The pattern, ready to search with. Raises ValueError on an empty one, or one that is not a regular expression."""
    if not pattern:
        raise ValueError("the pattern is empty: give some text to look for")
    try:
        return re.compile(pattern if regex else re.escape(pattern), 0 if case else re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(
            f"{pattern[:60]!r} is not a regular expression ({error}): mend it, or search for it as plain text"
        ) from error


def _token_at(ends: Sequence[int], character: int) -> int:
    return bisect_right(ends, character)


def _fewer(counts: Sequence[int], n: int) -> tuple[int, ...]:
    """The same counts in n wider bins; a bin of the finer histogram goes where its middle lies."""
    out = [0] * n
    for i, count in enumerate(counts):
        out[int((i + 0.5) * n / len(counts))] += count
    return tuple(out)
