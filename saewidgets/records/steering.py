"""Clamps, what they are compared with, and the text that a model writes under them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

TEMPERATURE = 0.5  # at which text is sampled unless one says otherwise, and at which the bundled clamps were measured


@dataclass(frozen=True)
class Clamp:
    """Set one feature to one value.

    `value` is in SAE activation units, not in multiples of the feature's maximum: 0 ablates the feature.
    `scope` says at which token positions (S17): "all", "prompt" (given tokens), "generated" (sampled tokens), an integer t, "from
    position t on", or "token t", that position alone (position 0 is the beginning-of-text token where there is one).

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
        _check_scope(self.scope)


@dataclass(frozen=True)
class Steer:
    """Add one vector: x' = x + scale * vector. What a clamp is compared with (S18), and no clamp: it sets nothing.

    `vector` is in model units, as wide as the site where it is added. `scope` is that of a `Clamp`. The numbers are rounded to
    float32, as the model reads them. Make one with `add_feature`, `mean_difference` or `noise_like`.

    Raises ValueError on an empty vector, a number that is not finite, or a scope that is none.

    Example:
        >>> Steer((3.0, 4.0), scale=2.0, name="east").norm
        10.0
    """

    vector: tuple[float, ...] = field(repr=False)  # [d_in], model units
    scale: float = 1.0  # how much of it is added
    scope: str | int = "all"
    name: str = ""  # what it is, for people: "mean difference"
    origin: str = ""  # Python that gives this `Steer` at scale 1, where there is some, for `clamp_code`

    def __post_init__(self) -> None:
        with np.errstate(over="ignore"):  # refused below, as a sentence
            vector = tuple(np.asarray(self.vector, np.float32).reshape(-1).tolist())
        object.__setattr__(self, "vector", vector)
        object.__setattr__(self, "scale", float(self.scale))
        if not vector or not all(map(math.isfinite, (*vector, self.scale))):
            raise ValueError("a vector to add must hold at least one number, and it and its scale must be finite")
        _check_scope(self.scope)

    @property
    def norm(self) -> float:
        """Length of what is added, |scale| * |vector|, in model units."""
        return abs(self.scale) * math.hypot(*self.vector)


Intervention = Clamp | Steer  # what a person may do to the activations at one site


def _check_scope(scope: str | int) -> None:
    named = isinstance(scope, str) and (scope in ("all", "prompt", "generated") or one_token(scope) is not None)
    counted = isinstance(scope, int) and not isinstance(scope, bool) and scope >= 0
    if not (named or counted):
        raise ValueError(
            f"scope must be 'all', 'prompt', 'generated', a position t >= 0 (from there on) or 'token t' (there alone), not {scope!r}"
        )


def one_token(scope: str | int) -> int | None:
    """The position of a scope that covers one token; None for any other.

    Example:
        >>> one_token("token 8"), one_token("all"), one_token(8)
        (8, None, None)
    """
    found = re.fullmatch(r"token (0|[1-9][0-9]{0,8})", scope) if isinstance(scope, str) else None
    return int(found[1]) if found else None


def intervention(data: dict[str, Any]) -> Intervention:
    """A `Clamp` or a `Steer` from its fields as JSON types. Raises TypeError or ValueError on anything else."""
    return Steer(**data) if "vector" in data else Clamp(**data)


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
    clamps: tuple[Intervention, ...]  # the comparisons (`Steer`) too
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
            clamps=tuple(intervention(c) for c in data["clamps"]),
            seed=data["seed"],
            temperature=data["temperature"],
        )


class TextSource(Protocol):
    """Whatever writes text under clamps: a live `Steerer`, or a recording of one.

    It may also have `waiting(seconds) -> str`: why the next token has to wait, after waiting up to `seconds`; "" where it need not.
    """

    def __call__(
        self, prompt: str, clamps: Sequence[Intervention], *, n_tokens: int, seed: int, temperature: float
    ) -> Iterator[Token]:
        """Yield at most `n_tokens` tokens that continue `prompt`."""
        ...


def clamp_code(
    prompt: str,
    clamps: Sequence[Intervention],
    *,
    n_tokens: int,
    seed: int,
    temperature: float,
    model_name: str = "",
    sae_name: str = "",
) -> str:
    """Python that repeats a generation, to paste in a cell (`ClampPanel.to_code`); without names, on the bundled model and SAE."""
    model = repr(model_name) if model_name not in ("", "miniworld") else ""
    listed = ", ".join(_code(c) for c in clamps)
    return (
        "import saewidgets as sw\n"
        f"model, sae = sw.load_model({model}), sw.load_sae({sae_name and repr(sae_name)})\n"
        "steer = sw.Steerer(model, sae)\n"
        f"print(steer.generate({prompt!r}, [{listed}], n_tokens={n_tokens}, seed={seed}, temperature={temperature}).text)"
    )


def _code(clamp: Intervention) -> str:
    if isinstance(clamp, Clamp):
        return f"sw.{clamp!r}"
    vector = f"{clamp.origin}.vector" if clamp.origin else repr(clamp.vector)
    return f"sw.Steer({vector}, scale={clamp.scale}, scope={clamp.scope!r}, name={clamp.name!r})"
