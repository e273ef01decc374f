"""A recorded grid of clamps: the texts that a model wrote, to be played back with no model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import pandas as pd

from saewidgets.records import marks, typed
from saewidgets.records.arguments import real, whole
from saewidgets.records.dialogues import Dialogue
from saewidgets.records.marks import Axes
from saewidgets.records.saved import Saved
from saewidgets.records.steering import (
    Clamp,
    Generation,
    Intervention,
    NotFiniteError,
    Steer,
    Token,
    interventions,
)
from saewidgets.records.tables import frame


@dataclass(frozen=True)
class ClampRecording(Saved):
    """What a model wrote after one prompt: once for each set of clamps in a grid, and for each seed. A `TextSource`.

    A slider stands where nobody recorded, so `nearest` gives the recorded clamps of the same features and scopes that
    lie closest (in multiples of each feature's maximum) and the text written under those; its `clamps` say which they
    were. Make one with `record_clamps`.

    Raises ValueError on texts of another prompt or temperature, or a text that stands twice.

    Example:
        >>> text = Generation("Hi", (Token(7, " there", -0.5, 0.0),), (Clamp(31, 8.0),), seed=0, temperature=0.8)
        >>> recording = ClampRecording("Hi", (text,), {31: 4.0})
        >>> recording.nearest([Clamp(31, 9.5)], seed=0).clamps
        (Clamp(feature=31, value=8.0, scope='all'),)
    """

    KIND = "recording"
    MAX_BYTES = 256 << 20

    prompt: str | Dialogue
    generations: tuple[Generation, ...]  # one for each set of clamps and each seed; () of clamps is the default text
    maxima: Mapping[int, float] = field(default_factory=dict)  # feature -> its maximum, SAE units
    n_tokens: int = 0  # at most so many tokens were asked for; 0: as many as the longest text has

    def __post_init__(self) -> None:
        strange = [g for g in self.generations if g.prompt != self.prompt]
        if strange:
            raise ValueError(f"a recording holds one prompt, {self.prompt!r:.60}, not also {strange[0].prompt!r:.60}")
        if len({g.temperature for g in self.generations}) > 1:
            raise ValueError("a recording holds one temperature: record each in its own")
        for g in self.generations:
            if g.seed < 0 or not g.temperature >= 0:
                raise ValueError(f"a text has seed {g.seed} and temperature {g.temperature}: neither can be below 0")
        if len({(g.clamps, g.seed) for g in self.generations}) < len(self.generations):
            raise ValueError("two texts of one recording have the same clamps and the same seed")
        maxima = {whole(f, "a feature of maxima"): real(m, "a maximum") for f, m in self.maxima.items()}
        object.__setattr__(self, "maxima", maxima)
        longest = max((len(g.tokens) for g in self.generations), default=0)
        object.__setattr__(self, "n_tokens", max(whole(self.n_tokens, "n_tokens", minimum=0), longest))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that were recorded, in order."""
        return tuple(dict.fromkeys(g.seed for g in self.generations))

    @property
    def temperature(self) -> float:
        """The temperature of every text; nan for an empty recording."""
        return self.generations[0].temperature if self.generations else float("nan")

    @property
    def features(self) -> tuple[int, ...]:
        """The features that are clamped in some text, in order of appearance."""
        return tuple(dict.fromkeys(c.feature for g in self.generations for c in g.clamps if isinstance(c, Clamp)))

    @property
    def scopes(self) -> tuple[str | int, ...]:
        """The scopes that were recorded, in order of appearance."""
        return tuple(dict.fromkeys(c.scope for g in self.generations for c in g.clamps))

    def values(self, feature: int) -> list[float]:
        """The values to which this feature was clamped, in SAE units, sorted. [] where it never was."""
        found = {c.value for g in self.generations for c in g.clamps if isinstance(c, Clamp) and c.feature == feature}
        return sorted(found)

    def multiples(self, feature: int) -> list[float]:
        """`values` as multiples of the feature's maximum, rounded to a millionth. Raises KeyError for an unknown
        maximum.
        """
        return [round(value / self.maxima[feature], 6) for value in self.values(feature)]

    def nearest(self, clamps: Sequence[Intervention], seed: int) -> Generation:
        """The recorded text closest to these clamps, with this seed.

        Only texts with the same features and scopes count; of two that are as near the one with the weaker clamps is
        taken. Raises ValueError, with what was recorded, where there is none.
        """
        clamps = interventions(clamps)
        own = [g for g in self.generations if g.seed == seed]
        if not own:
            raise ValueError(f"seed {seed} was not recorded; recorded are {', '.join(map(str, self.seeds)) or 'none'}")
        wanted = {_kind(c): _amount(c) for c in clamps}
        alike = [g for g in own if {_kind(c) for c in g.clamps} == set(wanted)]
        if not alike:
            sets = dict.fromkeys(tuple(_name(c) for c in g.clamps) for g in own)
            listed = "; ".join(" with ".join(s) or "none" for s in sets)
            asked = " with ".join(_name(c) for c in clamps) or "no clamp"
            raise ValueError(f"{asked} was not recorded; recorded are {listed}")

        def unit(kind: tuple[Any, ...]) -> float:
            return self.maxima.get(kind[0], 1.0) or 1.0 if isinstance(kind[0], int) else 1.0

        def distance(text: Generation) -> tuple[float, float]:
            has = {_kind(c): _amount(c) for c in text.clamps}
            apart = sum(((has[k] - wanted[k]) / unit(k)) ** 2 for k in wanted)
            return apart, sum((v / unit(k)) ** 2 for k, v in has.items())

        return min(alike, key=distance)

    def __call__(
        self,
        prompt: str | Dialogue,
        clamps: Sequence[Intervention] = (),
        *,
        n_tokens: int,
        seed: int,
        temperature: float,
    ) -> Iterator[Token]:
        """The tokens of `nearest`, at most `n_tokens` of them.

        Raises ValueError, at the call, on another prompt or temperature, and as `nearest` does; NotFiniteError where
        the text that was recorded broke off so.
        """
        if prompt != self.prompt:
            raise ValueError(f"this recording answers one prompt, {self.prompt!r:.80}: another needs the model")
        if temperature != self.temperature:
            raise ValueError(f"this recording was made at temperature {self.temperature:g}: another needs the model")
        return _played(self.nearest(clamps, seed), n_tokens)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per text: clamps (as text), seed, n_tokens, kl (mean nats per token), text, stopped (why it broke
        off).
        """
        return frame(
            [
                (
                    ", ".join(f"{_name(c)} = {_amount(c):g}" for c in g.clamps),
                    g.seed,
                    len(g.tokens),
                    sum(t.kl for t in g.tokens) / len(g.tokens) if g.tokens else 0.0,
                    g.text,
                    g.stopped,
                )
                for g in self.generations
            ],
            columns=["clamps", "seed", "n_tokens", "kl", "text", "stopped"],
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types, each text's tokens as columns; a KL that was not computed is null."""
        return {
            "format": self.FORMAT,
            "prompt": asdict(self.prompt) if isinstance(self.prompt, Dialogue) else self.prompt,
            "temperature": self.temperature if self.generations else None,
            "n_tokens": self.n_tokens,
            "maxima": {str(f): m for f, m in self.maxima.items()},
            "generations": [
                {
                    "clamps": [asdict(c) for c in g.clamps],
                    "seed": g.seed,
                    "id": [t.id for t in g.tokens],
                    "text": [t.text for t in g.tokens],
                    "logprob": [t.logprob for t in g.tokens],
                    "kl": [t.kl if t.kl == t.kl else None for t in g.tokens],
                    "stopped": g.stopped,
                }
                for g in self.generations
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ClampRecording:
        """The inverse of `to_dict`. Raises ValueError on a missing, unknown or wrong field."""
        own = typed.record(_Saved, {name: value for name, value in data.items() if name != "format"})
        if own.temperature is None and own.generations:
            raise ValueError("temperature is null, not a number")
        generations = tuple(
            Generation(
                own.prompt,
                tuple(map(Token, g.id, g.text, g.logprob, g.kl)),
                g.clamps,
                g.seed,
                own.temperature or 0.0,
                g.stopped,
            )
            for g in own.generations
        )
        return cls(own.prompt, generations, own.maxima, own.n_tokens)


@dataclass(frozen=True)
class _SavedText:
    """One text as a file holds it: its tokens as columns."""

    clamps: tuple[Intervention, ...]
    seed: int
    id: Annotated[tuple[int, ...], Axes("token")]
    text: Annotated[tuple[str, ...], Axes("token")]
    logprob: Annotated[tuple[float, ...], Axes("token")]
    kl: Annotated[tuple[marks.NanOr, ...], Axes("token")]
    stopped: str = ""  # older files have none


@dataclass(frozen=True)
class _Saved:
    """A recording as a file holds it."""

    prompt: str | Dialogue
    temperature: float | None  # null where there is no text
    n_tokens: int
    maxima: Mapping[int, float]
    generations: tuple[_SavedText, ...]


def _played(text: Generation, n_tokens: int) -> Iterator[Token]:
    yield from text.tokens[:n_tokens]
    if text.stopped and n_tokens > len(text.tokens):
        raise NotFiniteError(text.stopped)


def _kind(clamp: Intervention) -> tuple[Any, ...]:
    """What must be alike for two clamps to differ in their strength only."""
    return (clamp.vector if isinstance(clamp, Steer) else clamp.feature, clamp.scope)


def _amount(clamp: Intervention) -> float:
    return clamp.scale if isinstance(clamp, Steer) else clamp.value


def _name(clamp: Intervention) -> str:
    where = "" if clamp.scope == "all" else f" ({clamp.scope})"
    return (clamp.name or "vector" if isinstance(clamp, Steer) else f"feature {clamp.feature}") + where
