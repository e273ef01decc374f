"""What the toy models of superposition leave behind: a training, and a map of many."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np

from saewidgets.files import LoadError, parse_json, read_tensors, write_tensors
from saewidgets.records import marks, typed
from saewidgets.records.marks import Axes, OneOf
from saewidgets.records.toy_config import ACTIVATIONS, RELATIONS, TASKS, ToyConfig, setting_of

AXES = ("density", "importance", "features")

_TEXTS = ("activation", "hidden", "task", "relation")
_OWN = (
    "task",
    "activation",
    "hidden",
    "relation",
    "sets",
    "n_features",
    "n_hidden",
)  # what a run and its recipe both say

_PerFeature = Annotated[np.ndarray, Axes("instance", "n_features", dtype=np.float32)]
_TrainLosses = Annotated[np.ndarray, Axes("snapshot", "instance", dtype=np.float32)]
_Decoder = Annotated[np.ndarray, Axes("snapshot", "instance", "n_features", "n_hidden", dtype=np.float32)]


@dataclass(frozen=True, eq=False)
class ToyRun:
    """Snapshots of toy models (Elhage et al. 2022) while they trained, many instances side by side.

        h = W x            (or ReLU(W x): `hidden`)
        x' = act(W^T h + b)    (or act(D h + b), with a decoder D of its own)

    Column i of W is the direction that stands for feature i in the hidden space. The target is x, or |x| for the task
    "absolute"; the loss is the sum over features of importance_i (target_i - x'_i)^2, averaged over inputs.

    `recipe` says how they were trained, to the last number: `train_toy(run.recipe).run()` is the same run again, bit for
    bit where the same loop trains it (see `train_toy`). It is None where nobody recorded it: in a run made by hand, and in
    a file written before runs kept theirs.

    Raises ValueError for a recipe that describes other models.

    Example:
        >>> zero = np.zeros((1, 1, 2, 5), np.float32)
        >>> ones = np.ones((1, 5), np.float32)
        >>> run = ToyRun(zero, zero[:, :, 0], np.array([0]), np.ones((1, 1), np.float32), ones, ones)
        >>> run.n_features, run.n_hidden, run.n_instances
        (5, 2, 1)
    """

    weights: Annotated[np.ndarray, Axes("snapshot", "instance", "n_hidden", "n_features", dtype=np.float32)]  # W
    biases: Annotated[np.ndarray, Axes("snapshot", "instance", "n_features", dtype=np.float32)]  # b
    steps: Annotated[np.ndarray, Axes("snapshot", dtype=np.int64)]  # optimizer steps done, ascending; the first is 0
    # Expected loss, estimated on one sample fixed for the whole run.
    losses: Annotated[np.ndarray, Axes("snapshot", "instance", dtype=np.float32)]
    feature_probability: _PerFeature  # P(x_i != 0): 1 minus the sparsity S
    importance: _PerFeature  # weight of a feature's squared error
    decoder: _Decoder | None = None  # None: W^T
    activation: Annotated[str, OneOf(ACTIVATIONS)] = "relu"  # act: "relu" | "linear"
    hidden: Annotated[str, OneOf(ACTIVATIONS)] = "linear"  # of the hidden layer: "linear" | "relu"
    # "reconstruct": x in [0, 1], target x; "absolute": x in [-1, 1], target |x|
    task: Annotated[str, OneOf(TASKS)] = "reconstruct"
    sets: tuple[
        tuple[int, ...], ...
    ] = ()  # features that `relation` ties together, disjoint; the others are independent
    # "independent" | "correlated": a set is on together | "anticorrelated": one of it at most
    relation: Annotated[str, OneOf(RELATIONS)] = "independent"
    # Loss on the data set that each model trained on; None where its inputs were always fresh.
    train_losses: _TrainLosses | None = None
    recipe: ToyConfig | None = None  # how all of them were trained; None: not recorded
    # The number of each among the models of the recipe, where a run holds some of them; None: all, in their order.
    instances: Annotated[np.ndarray, Axes("instance", dtype=np.int64)] | None = None

    def __post_init__(self) -> None:
        recipe = self.recipe
        if recipe is None:
            return
        for name in _OWN:
            if getattr(recipe, name) != getattr(self, name):
                raise ValueError(
                    f"the recipe has {name} {getattr(recipe, name)!r}, the run {getattr(self, name)!r}: give the recipe that "
                    "trained these models, or recipe=None"
                )
        of = np.arange(self.n_instances) if self.instances is None else self.instances
        if self.instances is None and self.n_instances != recipe.n_instances:
            raise ValueError(
                f"the recipe has {recipe.n_instances} instances, the run {self.n_instances}: say which with `instances`"
            )
        if len(of) and not 0 <= of.min() <= of.max() < recipe.n_instances:
            raise ValueError(f"instances has {of.max()}; the recipe has instances 0 to {recipe.n_instances - 1}")
        if (recipe.data_size is None) != (self.train_losses is None):
            raise ValueError(
                f"the recipe has data_size {recipe.data_size!r}, and the run {'no' if self.train_losses is None else 'has'} "
                "train_losses: a run has them where its models trained on a data set, and there only"
            )
        for name in ("feature_probability", "importance"):
            if not np.array_equal(recipe.values_of(name)[of], getattr(self, name)):
                raise ValueError(f"the {name} of the recipe is not that of the run's models")

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
    def inputs(self) -> str:
        """What was done to the inputs, see `ToyConfig.inputs`; "uniform", as they are drawn, where nobody recorded it."""
        return "uniform" if self.recipe is None else self.recipe.inputs

    @property
    def data_sizes(self) -> np.ndarray:
        """int64 [instance]: T, how many inputs each trained on; 0 where they were always fresh, or nobody recorded it."""
        sizes = None if self.recipe is None else self.recipe.data_sizes
        if sizes is None:
            return np.zeros(self.n_instances, np.int64)
        return sizes if self.instances is None else sizes[self.instances]

    @property
    def settings(self) -> tuple[np.ndarray, ...]:
        """The distinct settings: of each, its instances (int64 [k]), from the lowest final loss to the highest.

        Instances have one setting where their feature probabilities, importances and sizes of the data set are equal.
        Settings stand in the order of their first instances. The loss is the one they were trained on: that on the data
        set where there is one. A loss that is not a number counts as the highest.

        Example:
            >>> W, ones = np.ones((1, 3, 1, 2), np.float32), np.ones((3, 2), np.float32)
            >>> losses = np.float32([[0.3, 0.1, 0.2]])
            >>> run = ToyRun(W, W[:, :, 0], np.array([0]), losses, ones / [[2], [1], [2]], ones)
            >>> [setting.tolist() for setting in run.settings]
            [[2, 0], [1]]
        """
        group = setting_of(self.feature_probability, self.importance, self.data_sizes)
        final = (self.losses if self.train_losses is None else self.train_losses)[-1]
        losses = np.nan_to_num(final, nan=np.inf, posinf=np.inf)
        order = np.lexsort((losses, group))  # setting by setting, the lowest loss first; equal ones in their order
        return tuple(np.split(order, np.cumsum(np.bincount(group))[:-1]))

    @property
    def best(self) -> np.ndarray:
        """int64 [setting]: of each of `settings` the instance with the lowest loss in the last snapshot."""
        return np.array([setting[0] for setting in self.settings], np.int64)

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
        if self.recipe is not None:
            tensors["recipe"] = np.frombuffer(json.dumps(self.recipe.to_dict()).encode(), np.uint8)
        if self.instances is not None:
            tensors["instances"] = self.instances
        if self.train_losses is not None:
            tensors["train_losses"] = self.train_losses
        write_tensors(_file(path, "toy_run"), tensors)

    @classmethod
    def load(cls, path: str | Path) -> ToyRun:
        """Read what `save` wrote; a file from before runs kept their recipe gives one whose `recipe` is None.

        Raises LoadError, and nothing else, on a file that does not hold a run.
        """
        path = _file(path, "toy_run")
        tensors = read_tensors(path)
        optional = {"decoder", "recipe", "instances", "train_losses"}
        _require_names(path, tensors, {*marks.dtypes(cls), *_TEXTS, "set_of"} - optional | (optional & set(tensors)))
        recipe = tensors.pop("recipe", None)
        of = tensors.pop("set_of")
        weights = tensors["weights"]
        if weights.ndim == 4 and of.ndim == 1 and len(of) != weights.shape[3]:  # before the sets are made
            raise LoadError(path, f"set_of has {len(of)} entries for {weights.shape[3]} features")
        texts = {name: typed.text_of(tensors.pop(name)) for name in _TEXTS}
        with typed.refusing(path):
            made = None if recipe is None else _recipe(path, recipe)
            run = typed.record(cls, {**tensors, **texts}, sets=_sets(path, of), recipe=made)
        if 0 in run.weights.shape:
            raise LoadError(path, f"weights has shape {list(run.weights.shape)}: there is nothing in it")
        if run.steps[0] != 0 or (run.steps[1:] <= run.steps[:-1]).any():
            raise LoadError(path, "the steps do not begin at 0 and ascend")
        if run.feature_probability.min() < 0 or run.feature_probability.max() > 1:
            raise LoadError(path, "a feature probability is outside 0 to 1")
        losses = run.losses if run.train_losses is None else np.minimum(run.losses, run.train_losses)
        if run.importance.min() < 0 or losses.min() < 0:
            raise LoadError(path, "an importance or a loss is negative")
        return run


@dataclass(frozen=True, eq=False)
class PhaseDiagram:
    """Many small models over a grid of two settings: what becomes of the feature whose importance varies, the last one.

    As in the paper, several models are trained in each cell, the worst is dropped and the others are averaged. A
    direction that has norm 0 was not learned; one with norm 1 and no superposition has a dimension for itself.
    """

    x_name: Annotated[str, OneOf(AXES)]  # what varies from left to right: "density" | "importance" | "features"
    y_name: Annotated[str, OneOf(AXES)]  # what varies from bottom to top
    # Ascending: P(x_i != 0), importance of the last feature against 1, or n_features.
    x: Annotated[np.ndarray, Axes("x", dtype=np.float64)]
    y: Annotated[np.ndarray, Axes("y", dtype=np.float64)]
    # lowest loss first; columns beyond a cell's n are 0
    weights: Annotated[np.ndarray, Axes("y", "x", "model", "n_hidden", "n_features", dtype=np.float32)]
    losses: Annotated[np.ndarray, Axes("y", "x", "model", dtype=np.float32)]  # expected loss of each, ascending
    density: Annotated[np.ndarray, Axes("y", "x", dtype=np.float64)]  # of every feature
    importance: Annotated[np.ndarray, Axes("y", "x", dtype=np.float64)]  # of the last feature; the others have 1
    features: Annotated[np.ndarray, Axes("y", "x", dtype=np.int64)]  # n_features of the cell
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
    def of_best(self) -> PhaseDiagram:
        """The diagram of the model with the lowest loss of each cell, alone."""
        return replace(self, weights=self.weights[:, :, :1], losses=self.losses[:, :, :1], dropped=0)

    @property
    def norms(self) -> np.ndarray:
        """float32 [y, x]: |W_last|, the mean over the models that were kept."""
        last, _ = self._last()
        value: np.ndarray = np.linalg.norm(last, axis=-1)[..., : self._kept].mean(-1)
        return value

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
        value: np.ndarray = np.where(norm > 1e-3, shared, 0.0)[..., : self._kept].mean(-1).astype(np.float32)
        return value

    @property
    def loss(self) -> np.ndarray:
        """float32 [y, x]: mean expected loss of the models kept."""
        value: np.ndarray = self.losses[..., : self._kept].mean(-1)
        return value

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
        _require_names(path, tensors, {*marks.dtypes(cls), "x_name", "y_name", "dropped"})
        texts = {name: typed.text_of(tensors.pop(name)) for name in ("x_name", "y_name")}
        dropped = tensors.pop("dropped")
        with typed.refusing(path):
            (only,) = typed.value(tuple[int], dropped.tolist(), "dropped")
            diagram = typed.record(cls, {**tensors, **texts}, dropped=only)
        if diagram.x_name == diagram.y_name:
            raise LoadError(path, f"both axes are {diagram.x_name!r}")
        if 0 in diagram.weights.shape:
            raise LoadError(path, f"weights has shape {list(diagram.weights.shape)}: there is nothing in it")
        if not 0 <= only < max(diagram.n_models, 2):
            raise LoadError(path, f"{only} of {diagram.n_models} models dropped")
        n = diagram.weights.shape[-1]
        if diagram.features.min() < 1 or diagram.features.max() > n:
            raise LoadError(path, f"a cell has a number of features outside 1 to {n}")
        return diagram


def the_best(run: ToyRun) -> int:
    """The instance with the lowest final loss, where all models of a run have one setting.

    Raises ValueError for a run of several: losses of other densities or importances are of other problems.
    """
    best = run.best
    if len(best) > 1:
        raise ValueError(
            f"this run has models of {len(best)} settings: say which, e.g. instance={best[0]}; run.best has the best of each"
        )
    return int(best[0])


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
    sizes = np.bincount(of[of >= 0])
    if not sizes.all():
        raise LoadError(path, "one of the sets is empty")
    members = np.argsort(of, kind="stable")[len(of) - sizes.sum() :]  # set by set, each ascending
    return tuple(tuple(own.tolist()) for own in np.split(members, np.cumsum(sizes)[:-1]) if len(own))


def _recipe(path: str | Path, raw: np.ndarray) -> ToyConfig:
    return typed.record(ToyConfig, parse_json(path, raw.tobytes()), "recipe")


def _file(path: str | Path, name: str) -> Path:
    # os.path, which takes a name that is too long for one that is not there: reading it is then a LoadError
    return Path(path) / f"{name}.safetensors" if os.path.isdir(path) else Path(path)


def _require_names(path: str | Path, tensors: dict[str, np.ndarray], names: set[str]) -> None:
    if set(tensors) != names:
        raise LoadError(path, f"expected the arrays {sorted(names)}, found {sorted(tensors)}")
