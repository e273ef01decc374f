"""What the toy models of superposition leave behind: a training, and a map of many."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.files import LoadError, read_tensors, write_tensors

ACTIVATIONS = ("relu", "linear")
TASKS = ("reconstruct", "absolute")
RELATIONS = ("independent", "correlated", "anticorrelated")
AXES = ("density", "importance", "features")

_TEXTS = ("activation", "hidden", "task", "relation")


@dataclass(frozen=True, eq=False)
class ToyRun:
    """Snapshots of toy models (Elhage et al. 2022) while they trained, many instances side by side.

        h = W x            (or ReLU(W x): `hidden`)
        x' = act(W^T h + b)    (or act(D h + b), with a decoder D of its own)

    Column i of W is the direction that stands for feature i in the hidden space. The target is x, or |x| for the task
    "absolute"; the loss is the sum over features of importance_i (target_i - x'_i)^2, averaged over inputs.

    Example:
        >>> zero = np.zeros((1, 1, 2, 5), np.float32)
        >>> ones = np.ones((1, 5), np.float32)
        >>> run = ToyRun(zero, zero[:, :, 0], np.array([0]), np.ones((1, 1), np.float32), ones, ones)
        >>> run.n_features, run.n_hidden, run.n_instances
        (5, 2, 1)
    """

    weights: np.ndarray  # float32 [snapshot, instance, n_hidden, n_features], W
    biases: np.ndarray  # float32 [snapshot, instance, n_features], b
    steps: np.ndarray  # int64 [snapshot], optimizer steps done, ascending; the first is 0
    losses: np.ndarray  # float32 [snapshot, instance], expected loss, estimated on one sample fixed for the whole run
    feature_probability: np.ndarray  # float32 [instance, n_features], P(x_i != 0): 1 minus the sparsity S
    importance: np.ndarray  # float32 [instance, n_features], weight of a feature's squared error
    decoder: np.ndarray | None = None  # float32 [snapshot, instance, n_features, n_hidden]; None: W^T
    activation: str = "relu"  # act: "relu" | "linear"
    hidden: str = "linear"  # of the hidden layer: "linear" | "relu"
    task: str = "reconstruct"  # "reconstruct": x in [0, 1], target x; "absolute": x in [-1, 1], target |x|
    sets: tuple[
        tuple[int, ...], ...
    ] = ()  # features that `relation` ties together, disjoint; the others are independent
    relation: str = (
        "independent"  # "independent" | "correlated": a set is on together | "anticorrelated": one of it at most
    )

    @property
    def n_instances(self) -> int:
        """Models trained side by side."""
        return int(self.weights.shape[1])

    @property
    def n_hidden(self) -> int:
        """Hidden dimensions, m."""
        return int(self.weights.shape[2])

    @property
    def n_features(self) -> int:
        """Features, n."""
        return int(self.weights.shape[3])

    @property
    def final(self) -> np.ndarray:
        """W of the last snapshot, [instance, n_hidden, n_features]."""
        return np.asarray(self.weights[-1])

    @property
    def decoders(self) -> np.ndarray:
        """What multiplies h: the decoder, or W^T. [snapshot, instance, n_features, n_hidden]."""
        return self.weights.swapaxes(-1, -2) if self.decoder is None else self.decoder

    @property
    def best(self) -> int:
        """The instance with the lowest loss in the last snapshot."""
        return int(np.argmin(self.losses[-1]))

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, atomically. In a folder that exists, it is called toy_run.safetensors."""
        tensors = {
            "weights": self.weights,
            "biases": self.biases,
            "steps": np.asarray(self.steps, np.int64),
            "losses": self.losses,
            "feature_probability": self.feature_probability,
            "importance": self.importance,
            "set_of": set_of(self.sets, self.n_features),
        }
        for name in _TEXTS:
            tensors[name] = np.frombuffer(getattr(self, name).encode(), np.uint8)
        if self.decoder is not None:
            tensors["decoder"] = self.decoder
        write_tensors(_file(path, "toy_run"), tensors)

    @classmethod
    def load(cls, path: str | Path) -> ToyRun:
        """Read what `save` wrote. Raises LoadError, and nothing else, on a file that does not hold it."""
        path = _file(path, "toy_run")
        tensors = read_tensors(path)
        decoder = tensors.pop("decoder", None)
        floats = ("weights", "biases", "losses", "feature_probability", "importance")
        _require_names(path, tensors, {*floats, *_TEXTS, "steps", "set_of"})
        texts = {name: tensors.pop(name).tobytes().decode(errors="replace") for name in _TEXTS}
        for name, valid in zip(_TEXTS, (ACTIVATIONS, ACTIVATIONS, TASKS, RELATIONS), strict=True):
            if texts[name] not in valid:
                raise LoadError(path, f"{name} is {texts[name][:40]!r}, not one of {', '.join(valid)}")
        of = tensors.pop("set_of")
        sets = _sets(path, of)
        named: dict[str, Any] = {**tensors, **texts}
        run = cls(**named, decoder=decoder, sets=sets)
        shape = run.weights.shape
        if len(shape) != 4 or 0 in shape:
            raise LoadError(path, f"weights of shape {list(shape)}, not [snapshot, instance, n_hidden, n_features]")
        s, i, m, n = shape
        _require_shapes(
            path,
            {
                "weights": (run.weights, np.float32, (s, i, m, n)),
                "biases": (run.biases, np.float32, (s, i, n)),
                "steps": (run.steps, np.int64, (s,)),
                "set_of": (of, np.int64, (n,)),
                "losses": (run.losses, np.float32, (s, i)),
                "feature_probability": (run.feature_probability, np.float32, (i, n)),
                "importance": (run.importance, np.float32, (i, n)),
                **({} if decoder is None else {"decoder": (decoder, np.float32, (s, i, n, m))}),
            },
        )
        if run.steps[0] != 0 or (run.steps[1:] <= run.steps[:-1]).any():
            raise LoadError(path, "the steps do not begin at 0 and ascend")
        if run.feature_probability.min() < 0 or run.feature_probability.max() > 1:
            raise LoadError(path, "a feature probability is outside 0 to 1")
        if run.importance.min() < 0 or run.losses.min() < 0:
            raise LoadError(path, "an importance or a loss is negative")
        return run


@dataclass(frozen=True, eq=False)
class PhaseDiagram:
    """Many small models over a grid of two settings: what becomes of the feature whose importance varies, the last one.

    As in the paper, several models are trained in each cell, the worst is dropped and the others are averaged. A
    direction that has norm 0 was not learned; one with norm 1 and no superposition has a dimension for itself.
    """

    x_name: str  # what varies from left to right: "density" | "importance" | "features"
    y_name: str  # what varies from bottom to top
    x: np.ndarray  # float64 [x], ascending: P(x_i != 0), importance of the last feature against 1, or n_features
    y: np.ndarray  # float64 [y]
    weights: (
        np.ndarray
    )  # float32 [y, x, model, n_hidden, n_features], lowest loss first; columns beyond a cell's n are 0
    losses: np.ndarray  # float32 [y, x, model], expected loss of each, ascending
    density: np.ndarray  # float64 [y, x], of every feature
    importance: np.ndarray  # float64 [y, x], of the last feature; the others have 1
    features: np.ndarray  # int64 [y, x], n_features of the cell
    dropped: int = 1  # models of each cell, the worst ones, that the averages leave out

    @property
    def n_hidden(self) -> int:
        """Hidden dimensions, m."""
        return int(self.weights.shape[3])

    @property
    def n_models(self) -> int:
        """Models in each cell."""
        return int(self.weights.shape[2])

    @property
    def norms(self) -> np.ndarray:
        """float32 [y, x]: |W_last|, the mean over the models that were kept."""
        last, _ = self._last()
        return np.linalg.norm(last, axis=-1)[..., : self._kept].mean(-1)

    @property
    def superposition(self) -> np.ndarray:
        """float32 [y, x]: sum over j != last of (W^_last . W_j)^2, W^ of length 1, the mean over the models kept.

        0: a dimension for itself; 1: shared with one other feature entirely. Where a model left the feature out
        (norm under 1e-3) it counts as 0.
        """
        last, others = self._last()
        norm = np.linalg.norm(last, axis=-1)
        unit = last / np.maximum(norm, 1e-3)[..., None]
        shared = np.square(np.einsum("yxkm,yxkmn->yxkn", unit, others)).sum(-1)
        return np.where(norm > 1e-3, shared, 0.0)[..., : self._kept].mean(-1).astype(np.float32)

    @property
    def loss(self) -> np.ndarray:
        """float32 [y, x]: mean expected loss of the models kept."""
        return self.losses[..., : self._kept].mean(-1)

    @property
    def _kept(self) -> int:
        return max(self.n_models - self.dropped, 1)

    def _last(self) -> tuple[np.ndarray, np.ndarray]:
        """(direction of each cell's last feature [y, x, model, m], all directions with that one set to 0)."""
        at = (self.features - 1)[:, :, None, None, None]
        last = np.take_along_axis(self.weights, at, axis=-1)
        others = self.weights.copy()
        np.put_along_axis(others, at, 0.0, axis=-1)
        return last[..., 0], others

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, atomically. In a folder that exists, it is called phase_diagram.safetensors."""
        names = ("x", "y", "weights", "losses", "density", "importance", "features")
        tensors = {name: np.asarray(getattr(self, name)) for name in names}
        for name in ("x_name", "y_name"):
            tensors[name] = np.frombuffer(getattr(self, name).encode(), np.uint8)
        write_tensors(_file(path, "phase_diagram"), {**tensors, "dropped": np.array([self.dropped], np.int64)})

    @classmethod
    def load(cls, path: str | Path) -> PhaseDiagram:
        """Read what `save` wrote. Raises LoadError, and nothing else, on a file that does not hold it."""
        path = _file(path, "phase_diagram")
        tensors = read_tensors(path)
        arrays = {"x", "y", "weights", "losses", "density", "importance", "features"}
        _require_names(path, tensors, {*arrays, "x_name", "y_name", "dropped"})
        texts = {name: tensors.pop(name).tobytes().decode(errors="replace") for name in ("x_name", "y_name")}
        for name, text in texts.items():
            if text not in AXES:
                raise LoadError(path, f"{name} is {text[:40]!r}, not one of {', '.join(AXES)}")
        if texts["x_name"] == texts["y_name"]:
            raise LoadError(path, f"both axes are {texts['x_name']!r}")
        shape = tensors["weights"].shape
        if len(shape) != 5 or 0 in shape:
            raise LoadError(path, f"weights of shape {list(shape)}, not [y, x, model, n_hidden, n_features]")
        rows, columns, models, _, n = shape
        _require_shapes(
            path,
            {
                "weights": (tensors["weights"], np.float32, shape),
                "losses": (tensors["losses"], np.float32, (rows, columns, models)),
                "x": (tensors["x"], np.float64, (columns,)),
                "y": (tensors["y"], np.float64, (rows,)),
                "density": (tensors["density"], np.float64, (rows, columns)),
                "importance": (tensors["importance"], np.float64, (rows, columns)),
                "features": (tensors["features"], np.int64, (rows, columns)),
                "dropped": (tensors["dropped"], np.int64, (1,)),
            },
        )
        dropped = int(tensors.pop("dropped")[0])
        if not 0 <= dropped < max(models, 2):
            raise LoadError(path, f"{dropped} of {models} models dropped")
        if tensors["features"].min() < 1 or tensors["features"].max() > n:
            raise LoadError(path, f"a cell has a number of features outside 1 to {n}")
        named: dict[str, Any] = {**tensors, **texts}
        return cls(**named, dropped=dropped)


def set_of(sets: tuple[tuple[int, ...], ...], n_features: int) -> np.ndarray:
    """int64 [n_features]: which set each feature belongs to, -1 for none."""
    out = np.full(n_features, -1, np.int64)
    for s, members in enumerate(sets):
        out[list(members)] = s
    return out


def _sets(path: str | Path, of: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """The inverse of `set_of`."""
    if of.dtype != np.int64 or of.ndim != 1 or (len(of) and not -1 <= of.min() <= of.max() < len(of)):
        raise LoadError(path, "set_of does not say which set each feature belongs to")
    order = np.argsort(of, kind="stable")  # features by their set, ascending within it
    first = np.searchsorted(of[order], np.arange(int(of.max(initial=-1)) + 2)).tolist()
    members = order.tolist()
    sets = tuple(tuple(members[a:b]) for a, b in pairwise(first))
    if not all(sets):
        raise LoadError(path, "one of the sets is empty")
    return sets


def _file(path: str | Path, name: str) -> Path:
    # os.path, which takes a name that is too long for one that is not there: reading it is then a LoadError
    return Path(path) / f"{name}.safetensors" if os.path.isdir(path) else Path(path)


def _require_names(path: str | Path, tensors: dict[str, np.ndarray], names: set[str]) -> None:
    if set(tensors) != names:
        raise LoadError(path, f"expected the arrays {sorted(names)}, found {sorted(tensors)}")


def _require_shapes(path: str | Path, expected: dict[str, tuple[np.ndarray, Any, tuple[int, ...]]]) -> None:
    for name, (array, dtype, shape) in expected.items():
        if array.dtype != dtype or array.shape != shape:
            raise LoadError(path, f"{name} is {array.dtype} {list(array.shape)}, not {np.dtype(dtype)} {list(shape)}")
