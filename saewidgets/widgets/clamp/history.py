"""What was tried in a clamp panel: the settings of each finished text, and the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saewidgets.frontend import payloads
from saewidgets.records import Clamp, Dialogue, Generation, Subject, TriedClamp

KEPT = 20  # tries that are remembered, the latest first
SHOWN = 160  # characters of a text that its entry shows


@dataclass(frozen=True)
class Try:
    """One setting of the panel and what the model wrote under it."""

    prompt: str | Dialogue
    multiples: dict[int, float]  # {feature: multiple of its maximum} of what was clamped; empty: nothing was
    scope: str | int
    temperature: float
    seed: int
    n_tokens: int
    generation: Generation  # the clamped text, finished

    @property
    def settings(self) -> tuple[Any, ...]:
        """What makes two tries the same."""
        return (
            self.prompt,
            tuple(self.multiples.items()),
            self.scope if self.multiples else "all",
            self.temperature,
            self.seed,
            self.n_tokens,
        )

    def found(self, subject: Subject) -> TriedClamp:
        """The same as a record of its own."""
        clamps = tuple(c for c in self.generation.clamps if isinstance(c, Clamp))
        return TriedClamp(
            self.prompt,
            clamps,
            self.generation.text,
            dict(self.multiples),
            self.seed,
            self.temperature,
            self.n_tokens,
            subject,
        )

    def sendable(self) -> dict[str, Any]:
        """Its entry in the page."""
        text = self.generation.text.strip()
        return {
            "prompt": payloads.spoken(self.prompt),
            "multiples": [[f, m] for f, m in self.multiples.items()],
            "scope": self.scope,
            "temperature": self.temperature,
            "seed": self.seed,
            "n_tokens": self.n_tokens,
            "text": text[:SHOWN] + "…" * (len(text) > SHOWN),
        }


def added(history: tuple[Try, ...], new: Try) -> tuple[Try, ...]:
    """The history with `new` at its front; what was tried again moves there, and the oldest go."""
    return (new, *(old for old in history if old.settings != new.settings))[:KEPT]
