"""Which feature to clamp: scores that tell without writing a text, and the lens that reads a direction at the end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd

from saewidgets.files import LoadError, parse_json, read_tensors, unknown, write_tensors
from saewidgets.records import marks, typed
from saewidgets.records.marks import Axes, NanOr
from saewidgets.records.saved import Saved
from saewidgets.records.tables import frame

FORMAT = 1  # of the saved lens; raised when an older reader would misread


@dataclass(frozen=True)
class _About:
    """What stands beside the matrices of a lens in its file."""

    hook_names: tuple[str, ...]
    target: str
    skip: int
    n_texts: int
    n_tokens: int
    model_name: str = ""
    weights: str = ""
    corpus: str = ""


_SAID = tuple(name for name in _About.__dataclass_fields__ if name != "hook_names")


def _matrix(i: int) -> str:
    """What the array of the i-th hook point is called in a lens's file."""
    return f"matrix.{i}"


@dataclass(frozen=True, eq=False)
class JacobianLens:
    """How the residual stream at some hook points moves it at the end of the model, on average over texts.

    J at a hook point is the mean, over source tokens s of the texts, of the sum over target tokens t of d h_end[t] /
    d h[s]: a direction d there is, on average, J d at the end. Make it with `analysis.candidates.jacobian_lens`.

    Example:
        >>> lens.carried("blocks.2.hook_resid_post", sae.W_dec.detach().numpy()).shape  # doctest: +SKIP
        (2048, 160)
    """

    matrices: Mapping[str, np.ndarray]  # hook name: float32 [d_end, d], one row per dimension at the end
    target: str  # hook point at the end
    skip: int  # tokens at the beginning of each text that are neither source nor target
    n_texts: int  # rows of tokens that were read
    n_tokens: int  # source tokens that the mean is over
    model_name: str = ""
    weights: str = ""
    corpus: str = ""

    def carried(self, hook_name: str, directions: np.ndarray) -> np.ndarray:
        """float32 [n, d_end]: J d for directions [n, d] at a hook point.

        Raises ValueError on a hook point without a matrix, or directions of another width.
        """
        if hook_name not in self.matrices:
            raise ValueError(unknown("hook point of this lens", hook_name, self.matrices))
        matrix, given = self.matrices[hook_name], np.asarray(directions, np.float32)
        if given.ndim != 2 or given.shape[1] != matrix.shape[1]:
            raise ValueError(f"directions at {hook_name} are [n, {matrix.shape[1]}], not {list(given.shape)}")
        value: np.ndarray = given @ matrix.T
        return value

    @property
    def name(self) -> str:
        """What it is in a few words: "Jacobian lens, 5,120 tokens"."""
        return f"Jacobian lens, {self.n_tokens:,} tokens"

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, atomically."""
        known = _About(tuple(self.matrices), *(getattr(self, name) for name in _SAID))
        text = json.dumps({"format": FORMAT} | asdict(known))
        tensors = {_matrix(i): matrix for i, matrix in enumerate(self.matrices.values())}
        write_tensors(path, tensors | {"about": np.frombuffer(text.encode(), np.uint8)})

    @classmethod
    def load(cls, path: str | Path) -> JacobianLens:
        """Read what `save` wrote. Raises LoadError, and nothing else, on a file that does not hold it."""
        tensors = read_tensors(path, max_bytes=4 << 30, max_tensors=4096)
        if "about" not in tensors:
            raise LoadError(path, "not a Jacobian lens: it has no array 'about'")
        text = tensors.pop("about").tobytes()
        return typed.opened(
            path, parse_json(path, text), "Jacobian lens", (FORMAT,), lambda about: cls._from(about, tensors)
        )

    @classmethod
    def _from(cls, data: dict[str, Any], tensors: Mapping[str, np.ndarray]) -> JacobianLens:
        about = typed.record(_About, {name: value for name, value in data.items() if name != "format"})
        wanted = [_matrix(i) for i in range(len(about.hook_names))]
        if sorted(wanted) != sorted(tensors) or len(set(about.hook_names)) != len(wanted):
            raise ValueError(f"expected the arrays {wanted}, found {sorted(tensors)}")
        for name in wanted:
            if tensors[name].ndim != 2 or tensors[name].dtype.kind != "f":
                raise ValueError(f"{name} is not a matrix of numbers")
        matrices = dict(zip(about.hook_names, (tensors[name] for name in wanted), strict=True))
        return cls(matrices, *(getattr(about, name) for name in _SAID))


@dataclass(frozen=True, eq=False)
class SteeringScores(Saved):
    """Of each feature, how much its promoted tokens say of what it answers to, and of what it does when it is steered.

    With T the tokens that a feature promotes most, by the lens:

        input score   share of the feature's strongest examples whose peak token is in T; nan without an example
        output score  (1 - r / |V|) p, with p the probability of T's likeliest token after a neutral prompt when the
                      feature is raised at its last token, r the number of tokens likelier than that one, |V| the
                      size of the vocabulary

    Arad, Mueller, Belinkov 2025, "SAEs Are Good for Steering - If You Select the Right Features". A feature with a high
    input score need not have a high output score, and it is the output score that tells how well it steers. Make them
    with `analysis.candidates.steering_scores`.

    Raises ValueError where a column is of another length than `feature`.
    """

    KIND = "steering scores"
    MAX_BYTES = 256 << 20

    feature: Annotated[tuple[int, ...], Axes("feature")]  # which, ascending
    input: Annotated[tuple[NanOr, ...], Axes("feature")]  # 0 to 1, nan for a feature without an example
    output: Annotated[tuple[float, ...], Axes("feature")]  # 0 to 1
    probability: Annotated[tuple[float, ...], Axes("feature")]  # p above
    rank: Annotated[tuple[int, ...], Axes("feature")]  # r above, 0 for the likeliest token of all
    n_examples: Annotated[tuple[int, ...], Axes("feature")]  # behind the input score
    tokens: Annotated[tuple[tuple[str, ...], ...], Axes("feature")]  # display texts of T, the most promoted first
    prompt: str  # the neutral one
    strength: float  # what a feature is raised by, as a multiple of the largest activation at the last token
    amount: float  # the same, SAE units
    lens: str = "logit lens"  # by which T is found
    d_vocab: int = 0
    model_name: str = ""
    sae_name: str = ""
    hook_name: str = ""
    weights: str = ""
    corpus: str = ""  # of the examples; "" where there were none

    def __post_init__(self) -> None:
        marks.fit(self)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per feature: feature, input, output, probability, rank, n_examples, tokens."""
        names = ("feature", "input", "output", "probability", "rank", "n_examples", "tokens")
        return frame({name: list(getattr(self, name)) for name in names})

    def of(self, feature: int) -> pd.Series:
        """The row of one feature. Raises KeyError, with the nearest, on one that was not scored."""
        if feature not in self.feature:
            raise KeyError(unknown("scored feature", str(feature), [str(f) for f in self.feature]))
        return self.to_dataframe().iloc[self.feature.index(feature)]

    def of_sae(self, name: str) -> SteeringScores:
        """These scores. Raises ValueError unless they are of the SAE of this name."""
        if self.sae_name != name:
            raise ValueError(f"the scores are of {self.sae_name!r}, the SAE is {name!r}: score this one")
        return self

    def column(self, name: str, features: Iterable[int]) -> np.ndarray:
        """float64, one per feature of `features`: their "input" or "output" scores, nan where there is none."""
        known = dict(zip(self.feature, getattr(self, name), strict=True))
        return np.array([known.get(f, np.nan) for f in features], np.float64)
