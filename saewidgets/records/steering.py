"""Clamps, and the text that a clamped model writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import pandas as pd


@dataclass(frozen=True)
class Clamp:
    """Set one feature to one value.

    `value` is in SAE activation units, not in multiples of the feature's maximum: 0 ablates the feature.
    `scope` says at which token positions: "all", "prompt" (given tokens), "generated" (sampled tokens), or an integer t,
    "from position t on" (position 0 is the beginning-of-text token where there is one).

    Example:
        >>> Clamp(feature=31, value=12.5)
        Clamp(feature=31, value=12.5, scope='all')
    """

    feature: int
    value: float
    scope: str | int = "all"

    def __post_init__(self) -> None:
        if self.feature < 0:
            raise ValueError(f"feature must be 0 or more, not {self.feature}")
        if not (self.value == self.value and abs(self.value) < float("inf")):
            raise ValueError(f"a clamp value must be a finite number, not {self.value}")
        named = isinstance(self.scope, str) and self.scope in ("all", "prompt", "generated")
        counted = isinstance(self.scope, int) and not isinstance(self.scope, bool) and self.scope >= 0
        if not (named or counted):
            raise ValueError(f"scope must be 'all', 'prompt', 'generated' or a position t >= 0, not {self.scope!r}")


@dataclass(frozen=True)
class Token:
    """One generated token, as a stream gives it."""

    id: int  # id in the model's vocabulary
    text: str  # exact text to append; "" while a multi-byte character is incomplete
    logprob: float  # natural-log probability that the (clamped) model gave to this token, at temperature 1
    kl: float  # KL(clamped || unclamped) of the next-token distribution here, in nats; 0.0 with no clamp, nan if not computed


@dataclass(frozen=True)
class Generation:
    """A finished stream: `text` is the concatenation of the tokens' texts, without the prompt."""

    prompt: str
    tokens: tuple[Token, ...]
    clamps: tuple[Clamp, ...]
    seed: int
    temperature: float

    @property
    def text(self) -> str:
        """The generated text, without the prompt."""
        return "".join(t.text for t in self.tokens)

    def to_dataframe(self) -> pd.DataFrame:
        """One row a token: id, text, logprob, kl."""
        return pd.DataFrame([asdict(t) for t in self.tokens], columns=["id", "text", "logprob", "kl"])

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Generation:
        """The inverse of `to_dict`."""
        return cls(
            prompt=data["prompt"],
            tokens=tuple(Token(**t) for t in data["tokens"]),
            clamps=tuple(Clamp(**c) for c in data["clamps"]),
            seed=data["seed"],
            temperature=data["temperature"],
        )


class TextSource(Protocol):
    """Whatever writes text under clamps: a live `Steerer`, or a recording of one."""

    def __call__(
        self, prompt: str, clamps: Sequence[Clamp], *, n_tokens: int, seed: int, temperature: float
    ) -> Iterator[Token]:
        """Yield at most `n_tokens` tokens that continue `prompt`."""
        ...


def clamp_code(prompt: str, clamps: Sequence[Clamp], *, n_tokens: int, seed: int, temperature: float) -> str:
    """Python that repeats a generation, to paste in a cell (`ClampPanel.to_code`)."""
    listed = ", ".join(repr(c) for c in clamps).replace("Clamp(", "sw.Clamp(")
    return (
        "import saewidgets as sw\n"
        "model, sae = sw.load_model(), sw.load_sae()\n"
        "steer = sw.Steerer(model, sae)\n"
        f"print(steer.generate({prompt!r}, [{listed}], n_tokens={n_tokens}, seed={seed}, temperature={temperature}).text)"
    )
