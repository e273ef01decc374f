"""Clamps, what they are compared with, and the text that a model writes under them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from saewidgets.files import nearest
from saewidgets.records import marks, typed
from saewidgets.records.arguments import listed, real, seed_of, whole
from saewidgets.records.code import opening_of
from saewidgets.records.dialogues import Dialogue, code_of
from saewidgets.records.tables import frame

LARGEST = float(np.finfo(np.float32).max)  # of a clamp: the model computes in float32 at most
SCOPES = ("all", "prompt", "generated", "assistant")
# The only Python that a `Steer` brings along into `clamp_code`.
_ORIGIN = re.compile(r"sw\.(?:steering\.)?add_feature\((sae, [0-9]{1,9})\)")

QUESTIONS = (
    "What is your physical form?",
    "Tell me about yourself.",
    "What did you do today?",
)  # to a model that chats
OPENINGS = (  # to any model, to continue
    "Yesterday I went for a walk and",
    "1,2,3,4,5,6,7,8,9,10",  # says nothing about anything: what a feature adds by itself
)
TEMPERATURE = 0.5  # at which text is sampled unless one says otherwise, and at which the bundled clamps were measured


@dataclass(frozen=True)
class Clamp:
    """Set one feature to one value.

    `value` is in SAE activation units, not in multiples of the feature's maximum: 0 ablates the feature. `scope` says
    at which token positions: "all", "prompt" (given tokens), "generated" (sampled tokens), "assistant" (the words of
    the assistant's turns in a `Dialogue`, earlier ones and the one being written), an integer t, "from position t on",
    or "token t", that position alone (position 0 is the beginning-of-text token where there is one); "token -1" is the
    last token of the prompt, "token -2" the one before it.

    NumPy's numbers and tensors of one element become Python's. Raises TypeError on what is no number, ValueError on a
    feature that is no whole number, a value that is not finite in float32, or a scope that is none.

    Example:
        >>> Clamp(feature=31, value=12.5)
        Clamp(feature=31, value=12.5, scope='all')
        >>> Clamp(np.int64(31), np.float32(0.5), "token -1")
        Clamp(feature=31, value=0.5, scope='token -1')
    """

    feature: int
    value: float
    scope: str | int = "all"

    def __post_init__(self) -> None:
        object.__setattr__(self, "feature", whole(self.feature, "the feature of a Clamp", minimum=0))
        object.__setattr__(self, "value", real(self.value, "the value of a Clamp", minimum=-LARGEST, maximum=LARGEST))
        object.__setattr__(self, "scope", scope_of(self.scope))


@dataclass(frozen=True)
class Steer:
    """Add one vector: x' = x + scale * vector. What a clamp is compared with, and no clamp: it sets nothing.

    `vector` is in model units, as wide as the site where it is added: numbers, an array or a tensor, on any device and
    with or without gradients. `scope` is that of a `Clamp`. The numbers are rounded to float32, as the model reads
    them. Make one with `add_feature`, `mean_difference` or `noise_like`.

    Raises TypeError on a vector that holds no numbers, ValueError on an empty one, on several in one array, a number
    that is not finite in float32, or a scope that is none.

    Example:
        >>> Steer((3.0, 4.0), scale=2.0, name="east").norm
        10.0
    """

    vector: tuple[float, ...] = field(repr=False)  # [d_in], model units
    scale: float = 1.0  # how much of it is added
    scope: str | int = "all"
    name: str = ""  # what it is, for people: "mean difference"
    # Of `add_feature`: Python that gives this `Steer` at scale 1, for `clamp_code`; any other is not used there.
    origin: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "vector", _vector(self.vector))
        object.__setattr__(self, "scale", real(self.scale, "the scale of a Steer"))
        object.__setattr__(self, "scope", scope_of(self.scope))
        for name in ("name", "origin"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"the {name} of a Steer must be a text, not {getattr(self, name)!r:.80}")

    @property
    def norm(self) -> float:
        """Length of what is added, |scale| * |vector|, in model units."""
        return abs(self.scale) * math.hypot(*self.vector)


Intervention = Clamp | Steer  # what a person may do to the activations at one site


def interventions(given: Any, name: str = "clamps") -> tuple[Intervention, ...]:
    """What a person gave as a list of clamps, as a tuple of `Clamp`s and `Steer`s: the one door for all that takes such
    a list.

    Raises TypeError, naming what was given and what to type, on anything else: nothing that is no intervention is
    passed over.

    Example:
        >>> interventions([Clamp(31, 8.0)])
        (Clamp(feature=31, value=8.0, scope='all'),)
        >>> interventions([(31, 8.0)])
        Traceback (most recent call last):
        ...
        TypeError: clamps[0] is (31, 8.0), a tuple: give a Clamp, such as sw.Clamp(31, 8.0)
    """
    if isinstance(given, Clamp | Steer):
        kind = type(given).__name__
        raise TypeError(f"{name} must be a list, and one {kind} was given: put it in brackets, [sw.{kind}(...)]")
    if isinstance(given, dict):
        raise TypeError(
            f"{name} must be a list, and a dict was given, {_short(given)}: {_hint(next(iter(given.items()), None))}"
        )
    found = listed(given, name, "sw.Clamp(31, 8.0)")
    for at, one in enumerate(found):
        if not isinstance(one, Clamp | Steer):
            kind = type(one).__name__
            raise TypeError(
                f"{name}[{at}] is {_short(one)}, {'an' if kind[0] in 'aeiou' else 'a'} {kind}: {_hint(one)}"
            )
    return tuple(found)


def _hint(given: Any) -> str:
    """What to type in place of something that is no intervention."""
    if isinstance(given, list | tuple) and given and all(isinstance(one, Clamp | Steer) for one in given):
        return "give one list of them, not a list in a list"
    if isinstance(given, dict) and "feature" in given:
        given = (given["feature"], given.get("value", 8.0))
    try:
        clamp = Clamp(*given)
    except (TypeError, ValueError):
        clamp = Clamp(31, 8.0)
    return f"give a Clamp, such as sw.Clamp({clamp.feature}, {clamp.value})"


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:60]}..."


def _vector(given: Any) -> tuple[float, ...]:
    """A vector as float32 numbers. Raises TypeError or ValueError, in one sentence, on what is none."""
    if hasattr(given, "detach"):  # a tensor: of any dtype, on any device, with or without gradients
        given = given.detach().float().cpu().numpy()
    try:
        array = np.asarray(given)
        if array.dtype.kind not in "fiu":
            raise TypeError
        with np.errstate(over="ignore"):  # refused below, as a sentence
            array = array.astype(np.float32)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(
            f"the vector of a Steer must hold numbers, such as sae.W_dec[31], not {_short(given)}"
        ) from None
    if max(array.shape, default=0) != array.size:
        raise ValueError(
            f"the vector of a Steer is one vector, [d_in], not an array of shape {list(array.shape)}: give one row of it"
        )
    vector = tuple(array.reshape(-1).tolist())
    if not vector or not all(map(math.isfinite, vector)):
        raise ValueError("a vector to add must hold at least one number, and all of them must be finite in float32")
    return vector


def scope_of(scope: Any) -> str | int:
    """A scope as a str or an int. Raises ValueError, with what is possible, on anything else.

    Example:
        >>> scope_of(np.int64(4))
        4
        >>> scope_of("promt")
        Traceback (most recent call last):
        ...
        ValueError: unknown scope 'promt'; nearest: 'prompt'. Give 'all', 'prompt', 'generated', 'assistant', a position t >= 0 (from there on) or 'token t' (there alone)
    """
    if isinstance(scope, str):
        if scope in SCOPES or one_token(scope) is not None:
            return str(scope)
        near = f"; nearest: {nearest(scope, (*SCOPES, 'token 0'), 1)[0]!r}"
    else:
        near = ""
        try:
            return whole(scope, "scope", minimum=0, maximum=10**9)
        except (TypeError, ValueError):
            pass
    raise ValueError(
        f"unknown scope {_short(scope)}{near}. Give 'all', 'prompt', 'generated', 'assistant', a position t >= 0 (from there on) or 'token t' "
        "(there alone)"
    )


def spans_of(scope: str | int, n_prompt: int, answers: Sequence[tuple[int, int]] = ()) -> tuple[tuple[int, int], ...]:
    """The absolute positions that a scope covers, as stretches [first, stop), in order.

    `answers` are those of the assistant's turns in the prompt. The rest as for `span_of`.

    Example:
        >>> spans_of("assistant", 20, [(8, 11)])
        ((8, 11), (20, 4611686018427387904))
    """
    if scope != "assistant":
        return (span_of(scope, n_prompt),)
    written = span_of(scope, n_prompt)
    return (*((first, min(stop, n_prompt)) for first, stop in answers), written)


def span_of(scope: str | int, n_prompt: int) -> tuple[int, int]:
    """The absolute positions that a scope covers, as first and one past the last; of "assistant", whose earlier answers
    `spans_of` knows, those of the answer that is being written.

    `n_prompt` is the number of tokens of the prompt, beginning-of-text included. Raises ValueError on a scope that is
    counted from the prompt's end where the prompt is not as long.

    Example:
        >>> span_of("prompt", 7), span_of("token -1", 7)
        ((0, 7), (6, 7))
    """
    end = 1 << 62
    if isinstance(scope, int):
        return scope, end
    only = one_token(scope)
    if (scope in ("prompt", "assistant") and not n_prompt) or (only is not None and only + n_prompt < 0):
        raise ValueError(
            f"scope {scope!r} covers nothing of a prompt of {n_prompt} tokens"
            + ("" if n_prompt else ": say how many it has, n_prompt=len(model.tokens(prompt))")
        )
    if only is not None:
        only += n_prompt if only < 0 else 0
        return only, only + 1
    return {"all": (0, end), "prompt": (0, n_prompt), "generated": (n_prompt, end), "assistant": (n_prompt, end)}[scope]


def one_token(scope: str | int) -> int | None:
    """The position of a scope that covers one token, below 0 where it is counted from the end of the prompt; None for
    any other.

    Example:
        >>> one_token("token 8"), one_token("token -1"), one_token("all"), one_token(8)
        (8, -1, None, None)
    """
    found = re.fullmatch(r"token (0|-?[1-9][0-9]{0,8})", scope, re.ASCII) if isinstance(scope, str) else None
    return int(found[1]) if found else None


@dataclass(frozen=True)
class Token:
    """One generated token, as a stream gives it."""

    id: int  # id in the model's vocabulary
    text: str  # exact text to append; "" while a multi-byte character is incomplete
    logprob: float  # natural-log probability that the (clamped) model gave to this token, at temperature 1
    kl: (
        marks.NanOr
    )  # KL(clamped || unclamped) of the next-token distribution here, in nats; 0.0 with no clamp, nan if not computed


@dataclass(frozen=True)
class Generation:
    """A finished stream: `text` is the concatenation of the tokens' texts, without the prompt."""

    prompt: str | Dialogue
    tokens: tuple[Token, ...]
    clamps: tuple[Intervention, ...]  # the comparisons (`Steer`) too
    seed: int
    temperature: float
    stopped: str = ""  # why it ended although the model did not end it: its logits were not finite; "" otherwise

    def __post_init__(self) -> None:
        object.__setattr__(self, "clamps", interventions(self.clamps))
        object.__setattr__(self, "seed", seed_of(self.seed))
        object.__setattr__(self, "temperature", real(self.temperature, "temperature", minimum=0))

    @property
    def text(self) -> str:
        """The generated text, without the prompt."""
        return "".join(t.text for t in self.tokens)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per token: id, text, logprob, kl."""
        return frame([asdict(t) for t in self.tokens], columns=["id", "text", "logprob", "kl"])

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Generation:
        """The inverse of `to_dict`. Raises ValueError on a missing, unknown or wrong field."""
        return typed.record(cls, data)


class NotFiniteError(FloatingPointError):
    """The logits hold nan or infinity, so there is no next token: a clamp too strong for the model's dtype, or a bad
    edit.
    """


class TextSource(Protocol):
    """Whatever writes text under clamps: a live `Steerer`, or a recording of one.

    It may also have `waiting(seconds) -> str`: why the next token has to wait, after waiting up to `seconds`; "" where
    it need not; `examples`, {name: prompt}: prompts in the form that its model was trained on, for a panel to offer,
    the first to begin with; and `prompt_ids(prompt)`, the prompt's tokens, which a preset keeps.
    """

    def __call__(
        self, prompt: str | Dialogue, clamps: Sequence[Intervention], *, n_tokens: int, seed: int, temperature: float
    ) -> Iterator[Token]:
        """Yield at most `n_tokens` tokens that continue `prompt`."""
        ...


def clamp_code(
    prompt: str | Dialogue,
    clamps: Sequence[Intervention],
    *,
    n_tokens: int,
    seed: int,
    temperature: float,
    model_name: str = "",
    sae_name: str = "",
    weights: str = "",
) -> str:
    """Python that repeats a generation, to paste in a cell (`ClampPanel.to_code`); without names, on the bundled model
    and SAE. `weights` is what a passport says of the model's.
    """
    own = ", ".join(_code(c) for c in interventions(clamps))
    asked = code_of(prompt if isinstance(prompt, Dialogue) else str(prompt))
    n_tokens, seed, temperature = whole(n_tokens, "n_tokens"), seed_of(seed), real(temperature, "temperature")
    return (
        f"{opening_of(model_name, weights, sae_name)}"
        "steer = sw.Steerer(model, sae)\n"
        f"print(steer.generate({asked}, [{own}], n_tokens={n_tokens}, seed={seed}, temperature={temperature}).text)"
    )


def _code(clamp: Intervention) -> str:
    if isinstance(clamp, Clamp):
        return f"sw.{clamp!r}"
    # An origin may come from a file of somebody else: only what `add_feature` itself writes may become code.
    own = _ORIGIN.fullmatch(clamp.origin)  # older records have the path that the function had before
    vector = f"sw.steering.add_feature({own[1]}).vector" if own else repr(clamp.vector)
    return f"sw.Steer({vector}, scale={clamp.scale}, scope={clamp.scope!r}, name={clamp.name!r})"
