"""What an SAE makes of each token of a text, in parts that add up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from saewidgets.files import parse_json, read_tensors, write_tensors
from saewidgets.records import marks, typed
from saewidgets.records.marks import Axes

_PerToken = Annotated[np.ndarray, Axes("pos", "d_in", dtype=np.floating)]


@dataclass(frozen=True, eq=False)
class TokenParts:
    """Two layers with a threshold between them, number by number, for every token of a text.

        pre = W_enc x + b_enc,  a = ReLU or TopK of pre,  x_hat = sum_f a_f direction_f + offset,  error = x - x_hat

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
    features: Annotated[
        np.ndarray, Axes("used", dtype=np.integer)
    ]  # features that are on at one token at least, ascending
    activations: Annotated[np.ndarray, Axes("pos", "used", dtype=np.floating)]  # SAE units
    directions: Annotated[
        np.ndarray, Axes("used", "d_in", dtype=np.floating)
    ]  # what one unit of activation adds to x_hat
    offset: Annotated[np.ndarray, Axes("d_in", dtype=np.floating)]  # what the decoder says when no feature is on
    labels: Annotated[tuple[str, ...], Axes("used")]  # of the used features; empty where a feature has none

    @property
    def error(self) -> np.ndarray:
        """float [pos, d_in]: what the SAE does not explain, x - x_hat."""
        return self.x - self.x_hat

    def active(self, position: int) -> np.ndarray:
        """int64 [active]: rows of `features` that are on at a token, strongest first."""
        a = self.activations[position]
        order = np.argsort(-a, kind="stable")
        return order[a[order] > 0]

    def contributions(self, position: int) -> np.ndarray:
        """float [active, d_in]: what each active feature adds to the reconstruction, strongest activation first."""
        on = self.active(position)
        return np.asarray(self.activations[position, on, None] * self.directions[on])

    def mismatch(self, position: int) -> float:
        """Largest difference between the sum of the parts, offset included, and the SAE's own reconstruction."""
        whole = self.contributions(position).sum(0, dtype=np.float64) + self.offset
        return float(np.abs(whole - self.x_hat[position]).max())

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, atomically."""
        words = json.dumps([self.tokens, self.labels], ensure_ascii=True).encode()
        write_tensors(
            path,
            {name: getattr(self, name) for name in marks.dtypes(TokenParts)}
            | {"words": np.frombuffer(words, np.uint8)},
        )

    @classmethod
    def load(cls, path: str | Path) -> TokenParts:
        """Read what `save` wrote. Raises LoadError, and nothing else, on a file that does not hold it."""
        tensors = read_tensors(path, names={*marks.dtypes(cls), "words"})
        raw = tensors.pop("words").tobytes()
        with typed.refusing(path):
            words = parse_json(path, b'{"words":' + raw + b"}")
            tokens, labels = typed.record(_Words, words).words
            return typed.record(cls, tensors, tokens=tokens, labels=labels)


@dataclass(frozen=True)
class _Words:
    """The texts of a file: the tokens, and the labels of the features."""

    words: tuple[tuple[str, ...], tuple[str, ...]]
