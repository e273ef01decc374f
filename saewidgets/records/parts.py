"""What an SAE makes of each token of a text, in parts that add up."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from saewidgets.files import LoadError, parse_json, read_tensors, write_tensors
from saewidgets.records import marks, typed
from saewidgets.records.features import Passport
from saewidgets.records.marks import Axes

_LATER = ("units", "center")  # older files have none: theirs are SAEs that do not normalize their inputs
_PerToken = Annotated[np.ndarray, Axes("pos", "d_in", dtype=np.floating)]


@dataclass(frozen=True, eq=False)
class TokenParts:
    """Two layers with a threshold between them, number by number, for every token of a text.

        pre = W_enc x + b_enc,  a = ReLU or TopK of pre,  x_hat = sum_f a_f direction_f + offset,  error = x - x_hat

    An SAE that normalizes its inputs has a unit u_p and, under layer norm, a center c_p of its own at each token:

        x_hat_p = u_p (sum_f a_f direction_f + offset) + c_p

    Example:
        >>> parts = TokenParts(
        ...     (" a",), np.ones((1, 2)), np.array([[3.0, -1.0]]), np.array([[0.5, 0.75]]), np.array([0]),
        ...     np.array([[3.0]]), np.array([[0.25, 0.25]]), np.array([-0.25, 0.0]), ("",)
        ... )
        >>> parts.contributions(0).tolist(), parts.error[0].tolist()
        ([[0.75, 0.75]], [0.5, 0.25])
    """

    tokens: Annotated[tuple[str, ...], Axes("pos")]  # display text of each token
    x: _PerToken  # the activation, model units
    pre: Annotated[np.ndarray, Axes("pos", "d_sae", dtype=np.floating)]  # pre-activations, SAE units
    x_hat: _PerToken  # what the SAE itself gives back, model units
    # Features that are on at one token at least, ascending.
    features: Annotated[np.ndarray, Axes("used", dtype=np.integer)]
    activations: Annotated[np.ndarray, Axes("pos", "used", dtype=np.floating)]  # SAE units
    # What one unit of activation adds to x_hat, times `units` there.
    directions: Annotated[np.ndarray, Axes("used", "d_in", dtype=np.floating)]
    # What the decoder says when no feature is on, but for `units` and `center`.
    offset: Annotated[np.ndarray, Axes("d_in", dtype=np.floating)]
    labels: Annotated[tuple[str, ...], Axes("used")]  # of the used features; empty where a feature has none
    units: Annotated[np.ndarray, Axes("pos", dtype=np.floating)] = None  # type: ignore[assignment]  # u; None: 1 at each token
    center: Annotated[np.ndarray, Axes("pos", dtype=np.floating)] = None  # type: ignore[assignment]  # c, model units; None: 0
    text: str = ""  # what was read; "" in files that are older than this field
    passport: Passport | None = None  # of model and SAE, without a corpus; None in such files
    # Tokens that each used feature promotes most, display texts, the strongest first; None: nothing is known of any.
    promoted: Annotated[tuple[tuple[str, ...], ...], Axes("used")] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        for name, otherwise in (("units", 1.0), ("center", 0.0)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.full(len(self.tokens), otherwise, np.float32))
        if self.promoted is None:
            object.__setattr__(self, "promoted", ((),) * len(self.labels))

    @property
    def error(self) -> np.ndarray:
        """float [pos, d_in]: what the SAE does not explain, x - x_hat."""
        value: np.ndarray = self.x - self.x_hat
        return value

    def offset_at(self, position: int) -> np.ndarray:
        """float [d_in]: what the decoder says at a token when no feature is on there."""
        return np.asarray(self.offset * self.units[position] + self.center[position])

    def active(self, position: int) -> np.ndarray:
        """int64 [active]: rows of `features` that are on at a token, strongest first."""
        a = self.activations[position]
        order = np.argsort(-a, kind="stable")
        value: np.ndarray = order[a[order] > 0]
        return value

    def contributions(self, position: int) -> np.ndarray:
        """float [active, d_in]: what each active feature adds to the reconstruction, strongest activation first."""
        on = self.active(position)
        return np.asarray(self.activations[position, on, None] * self.units[position] * self.directions[on])

    def mismatch(self, position: int) -> float:
        """Largest difference between the sum of the parts, offset included, and the SAE's own reconstruction."""
        whole = self.contributions(position).sum(0, dtype=np.float64) + self.offset_at(position)
        return float(np.abs(whole - self.x_hat[position]).max())

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, atomically."""
        words = json.dumps([self.tokens, self.labels], ensure_ascii=True).encode()
        passport = None if self.passport is None else asdict(self.passport)
        about = json.dumps(
            {"text": self.text, "passport": passport, "promoted": self.promoted}, ensure_ascii=True
        ).encode()
        write_tensors(
            path,
            {name: getattr(self, name) for name in marks.dtypes(TokenParts)}
            | {"words": np.frombuffer(words, np.uint8), "about": np.frombuffer(about, np.uint8)},
        )

    @classmethod
    def load(cls, path: str | Path) -> TokenParts:
        """Read what `save` wrote. Raises LoadError, and nothing else, on a file that does not hold it."""
        tensors = read_tensors(path)
        wanted = {*marks.dtypes(cls), "words", "about"}
        if set(tensors) not in (wanted, wanted - {"about"}, wanted - {"about", *_LATER}):
            raise LoadError(path, f"expected the arrays {sorted(wanted)}, found {sorted(tensors)}")
        raw = tensors.pop("words").tobytes()
        raw_about = tensors.pop("about").tobytes() if "about" in tensors else b"{}"
        with typed.refusing(path):
            words = parse_json(path, b'{"words":' + raw + b"}")
            tokens, labels = typed.record(_Words, words).words
            known = typed.record(_About, parse_json(path, raw_about), "about")
            about: dict[str, Any] = {"text": known.text, "passport": known.passport}
            if known.promoted is not None:
                about["promoted"] = known.promoted
            return typed.record(cls, tensors, tokens=tokens, labels=labels, **about)


@dataclass(frozen=True)
class _About:
    """What was read, and by whom."""

    text: str = ""
    passport: Passport | None = None
    promoted: tuple[tuple[str, ...], ...] | None = None


@dataclass(frozen=True)
class _Words:
    """The texts of a file: the tokens, and the labels of the features."""

    words: tuple[tuple[str, ...], tuple[str, ...]]
