"""The two texts of a clamp panel while they are being written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from saewidgets.records import Dialogue, Generation, Intervention, NotFiniteError, TextSource, Token

KEPT = 8  # default texts that are remembered


@dataclass
class Text:
    """A text that is being written. It can be left half written and taken up again."""

    prompt: str | Dialogue
    clamps: tuple[Intervention, ...]
    seed: int
    temperature: float
    n_tokens: int
    tokens: list[Token] = field(default_factory=list)
    done: bool = False
    stopped: str = ""  # why it broke off: logits that are not finite
    source: Iterator[Token] | None = None
    # Of a comparison: finds `clamps` once the text is begun, which may take a while, and what it is found from.
    instead: Callable[[], tuple[Intervention, ...]] | None = None
    asked: tuple[Any, ...] = ()

    @property
    def key(self) -> tuple[Any, ...]:
        """What it was asked for: two texts of one key are the same text."""
        return (self.prompt, self.asked or self.clamps, self.seed, self.temperature, self.n_tokens)

    def advance(self, write: TextSource) -> None:
        """Write one more token, unless the text is finished."""
        if self.done:
            return
        if self.instead is not None:
            self.clamps, self.instead = self.instead(), None
        if self.source is None:
            self.source = iter(
                write(self.prompt, self.clamps, n_tokens=self.n_tokens, seed=self.seed, temperature=self.temperature)
            )
        try:
            token = next(self.source, None)
        except NotFiniteError as error:  # what was written stands
            token, self.stopped = None, str(error)
        if token is not None:
            self.tokens.append(token)
        if token is None or len(self.tokens) >= self.n_tokens:
            self.done, self.source = True, None

    def generation(self) -> Generation:
        """As far as it got."""
        return Generation(self.prompt, tuple(self.tokens), self.clamps, self.seed, self.temperature, self.stopped)


@dataclass
class Request:
    """The texts of one setting of the panel; default and clamped are one and the same where nothing is clamped."""

    default: Text
    clamped: Text
    multiples: dict[int, float]  # {feature: multiple of its maximum} that was asked for: the clamps in a person's unit
    under: dict[int, float]  # {feature: multiple} of the clamped text; a recording gives the nearest that it holds
    scope: str | int = "all"
    other: Text | None = None  # written under what is compared with the clamp
    room: int | None = None  # tokens that the context leaves after the prompt, where the source knows it
    told: bool = False  # all texts are finished, and shown to their last token
    measured: bool = False  # the clamped features were read again, where the source can
    rests: bool = False  # the worker is done with it

    @property
    def texts(self) -> list[Text]:
        """Each text once."""
        found = [self.clamped] if self.default is self.clamped else [self.clamped, self.default]
        return found if self.other is None else [*found, self.other]

    @property
    def key(self) -> tuple[Any, ...]:
        """What it asks for: two requests of one key write the same texts."""
        return tuple(text.key for text in self.texts)

    @property
    def stopped(self) -> str:
        """Why a text broke off, of the first that did; empty where none did."""
        return next((text.stopped for text in self.texts if text.stopped), "")

    @property
    def done(self) -> bool:
        """All texts are finished."""
        return all(text.done for text in self.texts)


class Defaults:
    """The latest unclamped texts: a slider that moves does not change them, so each is written once."""

    def __init__(self) -> None:
        self._texts: dict[tuple[Any, ...], Text] = {}

    def take(self, fresh: Text) -> Text:
        """The text that was begun before for the same settings, or else `fresh`."""
        text = self._texts.pop(fresh.key, fresh)
        self._texts[text.key] = text  # the latest last
        while len(self._texts) > KEPT:
            del self._texts[next(iter(self._texts))]
        return text

    def clear(self) -> None:
        """Forget all: a source that raised cannot be taken up again, and a person may want it written again."""
        self._texts.clear()


def parting(a: Sequence[Token], b: Sequence[Token]) -> int | None:
    """Index of the first token at which two texts part; None where one is a beginning of the other.

    Example:
        >>> parting([Token(5, "I", 0.0, 0.0), Token(7, " am", 0.0, 0.0)], [Token(5, "I", 0.0, 0.0), Token(8, " have", 0.0, 0.0)])
        1
    """
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x.id != y.id), None)
