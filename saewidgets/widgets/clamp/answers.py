"""More answers of other seeds, without the clamps and with them: was it luck?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from saewidgets.frontend import payloads
from saewidgets.records import ClampRecording, Dialogue, Generation, Intervention, TextSource
from saewidgets.records.phrases import pattern_of, phrases_of
from saewidgets.records.tables import frame
from saewidgets.widgets.clamp.settings import MOST
from saewidgets.widgets.clamp.texts import Text

Clamps = tuple[Intervention, ...]
COLUMNS = ("seed", "default", "clamped", "holds_default", "holds_clamped", "perplexity_default", "perplexity_clamped")


@dataclass
class Answers:
    """The answers to one prompt under one set of clamps, of as many seeds as somebody has asked for."""

    prompt: str | Dialogue
    clamps: Clamps
    temperature: float
    n_tokens: int
    seeds: list[int] = field(default_factory=list)  # one row each
    texts: dict[tuple[Clamps, int], Generation] = field(default_factory=dict)
    perplexity: dict[tuple[Clamps, int], float] = field(default_factory=dict)  # under the model as it is
    share: float = 1.0  # of what is being written that is there
    _steps: Iterator[None] | None = None
    _begun: tuple[int, ...] = ()  # seeds that are being written

    @property
    def key(self) -> tuple[Any, ...]:
        """What they answer: the same with any seed."""
        return (self.prompt, self.clamps, self.temperature, self.n_tokens)

    @property
    def sets(self) -> list[Clamps]:
        """The columns: without the clamps, and with them where there are any."""
        return [(), self.clamps] if self.clamps else [()]

    @property
    def writing(self) -> bool:
        """Whether some are being written."""
        return bool(self._begun)

    def begin(self, seeds: Sequence[int]) -> None:
        """Ask for the answers of these seeds; `advance` writes them."""
        self.seeds += seeds
        self._begun, self._steps, self.share = tuple(seeds), None, 0.0

    def end(self) -> None:
        """Leave it at what was written."""
        self._begun, self._steps, self.share = (), None, 1.0

    def advance(self, source: TextSource) -> None:
        """One step of all that are being written."""
        if self._steps is None:
            self._steps = self._written(source, self._begun)
        if next(self._steps, self) is self:
            self.end()

    def _written(self, source: TextSource, seeds: Sequence[int]) -> Iterator[None]:
        stream = _stream(source, self, seeds)
        done = 0
        for n in stream:
            done += n
            self.share = done / max(stream.total, 1)
            self._take(stream.texts(), seeds)
            yield
        self._take(stream.texts(), seeds)
        judge: Callable[..., list[float]] | None = getattr(source, "perplexities", None)
        if judge is not None:
            places = [(clamps, seed) for clamps in self.sets for seed in seeds]
            found = judge(self.prompt, [[token.id for token in self.texts[place].tokens] for place in places])
            self.perplexity |= dict(zip(places, found, strict=True))

    def _take(self, texts: Sequence[Generation], seeds: Sequence[int]) -> None:
        places = [(clamps, seed) for clamps in self.sets for seed in seeds]
        self.texts |= {place: replace(text, prompt=self.prompt) for place, text in zip(places, texts, strict=True)}

    def recording(self, maxima: Mapping[int, float]) -> ClampRecording:
        """The texts as far as they got, as a record."""
        return ClampRecording(self.prompt, tuple(self.texts.values()), maxima, self.n_tokens)

    def to_dataframe(self, look_for: str) -> pd.DataFrame:
        """One row per seed: the two texts, whether each holds one of the words, and how likely the model as it is finds
        it.
        """
        wanted = _wanted(look_for)
        rows = []
        for seed in self.seeds:
            texts = [self.texts.get((clamps, seed)) for clamps in ((), self.clamps)]
            rows.append(
                (
                    seed,
                    *("" if text is None else text.text for text in texts),
                    *(None if wanted is None or text is None else bool(wanted.search(text.text)) for text in texts),
                    *(self.perplexity.get((clamps, seed)) for clamps in ((), self.clamps)),
                )
            )
        return frame(rows, columns=list(COLUMNS))

    def sendable(self, look_for: str) -> dict[str, Any]:
        """The trait `_answers`."""
        wanted = _wanted(look_for)

        def text(clamps: Clamps, seed: int) -> dict[str, Any] | None:
            found = self.texts.get((clamps, seed))
            return None if found is None else payloads.answer(found, wanted, self.perplexity.get((clamps, seed)))

        return {
            "share": self.share if self.writing else None,
            "rows": [
                {"seed": seed, "default": text((), seed), "clamped": text(self.clamps, seed) if self.clamps else None}
                for seed in self.seeds
            ],
        }


NONE: dict[str, Any] = {"share": None, "rows": []}


def _wanted(look_for: str) -> re.Pattern[str] | None:
    """What finds the words that are looked for, between commas; None where there are none."""
    phrases = phrases_of(look_for)
    return pattern_of(phrases) if phrases else None


def next_seeds(source: Any, taken: Sequence[int], seed: int, n: int) -> list[int]:
    """`n` seeds that are not taken yet: those after `seed`, or of a recording those that it holds.

    Raises ValueError, with what can be done, where there is none left.
    """
    if isinstance(source, ClampRecording):
        left = [own for own in source.seeds if own != seed and own not in taken][:n]
        if not left:
            raise ValueError(f"the recording holds no more seeds than {', '.join(map(str, source.seeds))}")
        return left
    n = min(n, MOST - len(taken))
    if n < 1:
        raise ValueError(f"{MOST} answers are there, which is the most: move a slider or change the prompt for others")
    begin = max([seed, *taken]) + 1
    return list(range(begin, begin + n))


def _stream(source: TextSource, asked: Answers, seeds: Sequence[int]) -> Any:
    """What writes them: all in one batch where the source can, else one after the other."""
    batch = getattr(source, "stream_batch", None)
    how = {"n_tokens": asked.n_tokens, "temperature": asked.temperature}
    if batch is not None:
        return batch([asked.prompt], asked.sets, seeds, kl=False, **how)
    return _OneByOne(source, asked, seeds)


class _OneByOne:
    """What `Steerer.stream_batch` gives, of a source that writes one text at a time: both of a seed in turn."""

    def __init__(self, source: TextSource, asked: Answers, seeds: Sequence[int]) -> None:
        self._source, self._n_tokens = source, asked.n_tokens
        self._texts = {
            (clamps, seed): Text(asked.prompt, clamps, seed, asked.temperature, asked.n_tokens)
            for clamps in asked.sets
            for seed in seeds
        }
        self._order = [self._texts[clamps, seed] for seed in seeds for clamps in asked.sets]
        self.total = len(self._order) * asked.n_tokens

    def __iter__(self) -> Iterator[int]:
        for text in self._order:
            while not text.done:
                before = len(text.tokens)
                text.advance(self._source)
                yield len(text.tokens) - before
            yield self._n_tokens - len(text.tokens)

    def texts(self) -> list[Generation]:
        return [text.generation() for text in self._texts.values()]
