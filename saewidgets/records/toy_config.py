"""What a toy model is and how it is trained: the one place that says it. `toy.train_toy` works by it, a `ToyRun` keeps it,
and the superposition lab's settings and code are read from it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from numbers import Real
from typing import Annotated, Any

import numpy as np

from saewidgets.files import unknown
from saewidgets.kernels.toy import INPUTS, OPTIMIZERS, SCHEDULES
from saewidgets.records.marks import Nested

ACTIVATIONS = ("relu", "linear")
TASKS = ("reconstruct", "absolute")
RELATIONS = ("independent", "correlated", "anticorrelated")
SPACINGS = ("log", "even")
LARGEST = 1 << 28  # weights of all instances together: 1 GB
Values = Annotated[float | Sequence[Any] | np.ndarray, Nested()]


@dataclass(frozen=True)
class ToyConfig:
    """Toy models of superposition (Elhage et al. 2022), `n_instances` of them trained side by side.

        h = W x,  x' = ReLU(W^T h + b),  loss = sum_i importance_i (x_i - x'_i)^2

    with x_i = 0 with probability 1 - feature_probability, else uniform in [0, 1]. `feature_probability` and
    `importance` are numbers, one value a feature, or arrays that broadcast to [n_instances, n_features]: one value an
    instance is a column, [[1.0], [0.2]].

    A `ToyRun` keeps the whole of it, and a file the whole of that. A field that is added here must by default do what was
    done before there was one: a file that lacks it was written then.

    Raises ValueError, in one sentence, for a value that cannot be.

    Example:
        >>> config = ToyConfig(n_features=5, n_hidden=2, feature_probability=0.1)
        >>> config.probabilities.shape
        (1, 5)
    """

    n_features: int
    n_hidden: int
    n_instances: int = 1
    feature_probability: Values = 1.0  # P(x_i != 0), 0 to 1: one minus the sparsity S
    importance: Values = 1.0  # weight of a feature's squared error, 0 or more
    activation: str = "relu"  # of the output: "relu" | "linear"
    hidden: str = "linear"  # of the hidden layer: "linear" | "relu" (a privileged basis)
    task: str = "reconstruct"  # "absolute": x in [-1, 1], the target is |x|, and the decoder is free of W
    sets: tuple[tuple[int, ...], ...] = ()  # features that `relation` ties together, disjoint
    relation: str = "independent"  # "correlated": a set is on together; "anticorrelated": at most one of a set is on
    steps: int = 5_000
    batch_size: int = 1024
    inputs: str = "uniform"  # x as drawn | "normalized": x / |x| | "binary": 1 for each feature that is on
    # T: how many inputs they train on, one number or a sequence, one per instance; None: always fresh ones
    data_size: int | tuple[int, ...] | None = None
    data_seed: int | None = None  # of these inputs; None: `seed`
    optimizer: str = "adam"  # "adam" | "sgd", without momentum
    lr: float = 1e-2  # Adam's, at its highest; with "cosine" it ends lower, sooner, than the usual constant 1e-3
    schedule: str = "cosine"  # of the learning rate: "constant" | "linear" | "cosine", the latter two down to 0
    weight_decay: float = 0.0  # decoupled, as AdamW's, on W and D
    l1: float = 0.0  # weight of sum_k |h_k|, a mean over the batch, in the loss
    adversarial: float = 0.0  # L2 length of the attack trained against, as a share of the mean length of x
    snapshots: int = 50  # kept at most, the first and the last included
    spacing: str = "log"  # of the snapshots: "log" | "even"
    seed: int = 0
    device: str | None = None  # torch's name; None: the CPU, or a GPU where there is one and the work is large

    def __post_init__(self) -> None:
        for name, least in (
            ("n_features", 1), ("n_hidden", 1), ("n_instances", 1), ("steps", 1), ("batch_size", 1), ("snapshots", 2),
            ("seed", 0),
        ):  # fmt: skip
            self._check_whole(name, least)
        size = self.n_instances * self.n_features * self.n_hidden
        if size > LARGEST:
            raise ValueError(
                f"{self.n_instances:,} instances of {self.n_features:,} x {self.n_hidden:,} are {size:,} weights, more "
                f"than the {LARGEST:,} allowed: train fewer at a time"
            )
        for name, valid in (
            ("activation", ACTIVATIONS), ("hidden", ACTIVATIONS), ("task", TASKS), ("relation", RELATIONS),
            ("schedule", SCHEDULES), ("spacing", SPACINGS), ("inputs", INPUTS), ("optimizer", OPTIMIZERS),
        ):  # fmt: skip
            if getattr(self, name) not in valid:
                raise ValueError(unknown(name, getattr(self, name), valid))
        for name in ("lr", "weight_decay", "l1", "adversarial"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not math.isfinite(value) or value < 0 or (name == "lr" and value == 0):
                raise ValueError(f"{name} must be {'above 0' if name == 'lr' else '0 or more'}, not {value!r}")
            object.__setattr__(self, name, float(value))
        for name, most in (("feature_probability", 1.0), ("importance", math.inf)):
            self._check_values(name, most)
        self._check_sets()
        self._check_data()

    @property
    def probabilities(self) -> np.ndarray:
        """P(x_i != 0), float32 [instance, n_features]."""
        # In C order, as each other layout would be compiled for anew.
        return np.array(self.values_of("feature_probability"), order="C")

    @property
    def importances(self) -> np.ndarray:
        """Weights of the squared errors, float32 [instance, n_features]."""
        return np.array(self.values_of("importance"), order="C")

    @property
    def setting_of(self) -> np.ndarray:
        """int64 [instance]: the number of each one's setting, which is its probabilities, its importances and the size of
        its data set; settings are numbered as they come.

        Example:
            >>> ToyConfig(5, 2, 4, [[0.2], [0.1], [0.2], [0.1]]).setting_of.tolist()
            [0, 1, 0, 1]
        """
        sizes = np.zeros(self.n_instances) if self.data_sizes is None else self.data_sizes
        return setting_of(self.values_of("feature_probability"), self.values_of("importance"), sizes)

    @property
    def data_sizes(self) -> np.ndarray | None:
        """int64 [instance]: T, how many inputs each instance trains on; None where they are always fresh."""
        if self.data_size is None:
            return None
        return np.array(np.broadcast_to(np.asarray(self.data_size, np.int64), self.n_instances))

    @property
    def snapshot_steps(self) -> np.ndarray:
        """int64 [snapshot]: after how many optimizer steps one is kept; from 0 to `steps`."""
        if self.spacing == "even" or self.snapshots == 2:
            return np.unique(np.linspace(0, self.steps, self.snapshots).round().astype(np.int64))
        logs = np.geomspace(1, self.steps, self.snapshots - 1).round().astype(np.int64)
        return np.unique(np.concatenate([[0], logs]))

    def values_of(self, name: str) -> np.ndarray:
        """`feature_probability` or `importance` as float32 [instance, n_features], a view that takes no memory."""
        values = np.asarray(getattr(self, name), np.float32)
        return np.broadcast_to(values, (self.n_instances, self.n_features))

    def to_code(self) -> str:
        """Python that makes this configuration and calls it `config`, to paste in a cell; what has its default is left
        out.

        Example:
            >>> print(ToyConfig(n_features=5, n_hidden=2, l1=0.1).to_code())
            import saewidgets as sw
            <BLANKLINE>
            config = sw.ToyConfig(
                n_features=5,
                n_hidden=2,
                l1=0.1,
            )
        """
        written = {
            f.name: _code(getattr(self, f.name))
            for f in fields(self)
            if f.default is MISSING or getattr(self, f.name) != f.default
        }
        arguments = "".join(f"    {name}={value},\n" for name, value in written.items())
        numpy = "import numpy as np\n" if "np." in arguments else ""
        return f"{numpy}import saewidgets as sw\n\nconfig = sw.ToyConfig(\n{arguments})"

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types: `ToyConfig(**config.to_dict())` is the same configuration."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    def _check_whole(self, name: str, least: int) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise ValueError(f"{name} must be a whole number, {least} or more, not {value!r}")
        object.__setattr__(self, name, int(value))

    def _check_values(self, name: str, most: float) -> None:
        try:
            values = np.asarray(getattr(self, name), np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"{name} must be a number or an array of numbers, not {getattr(self, name)!r}") from None
        shape = (self.n_instances, self.n_features)
        if values.ndim > 2 or any(a not in (1, b) for a, b in zip(values.shape[::-1], shape[::-1], strict=False)):
            raise ValueError(
                f"{name} has shape {list(values.shape)}, which does not broadcast to [instance, feature] = {list(shape)}; "
                "one value an instance is a column, [instance, 1]"
            )
        bad = values[~((values >= 0) & (values <= most) & np.isfinite(values))]
        if bad.size:
            raise ValueError(f"{name} must be {'0 to 1' if most == 1 else 'finite and 0 or more'}, not {bad[0]:g}")
        object.__setattr__(self, name, _frozen(values.tolist()))

    def _check_sets(self) -> None:
        sets = tuple(tuple(sorted(int(f) for f in members)) for members in self.sets)
        object.__setattr__(self, "sets", sets)
        named = [f for members in sets for f in members]
        if not all(sets):
            raise ValueError("sets holds an empty set; leave it out")
        if any(not 0 <= f < self.n_features for f in named):
            bad = next(f for f in named if not 0 <= f < self.n_features)
            raise ValueError(f"sets names feature {bad}; there are features 0 to {self.n_features - 1}")
        if len(named) != len(set(named)):
            twice = next(f for f in named if named.count(f) > 1)
            raise ValueError(f"sets names feature {twice} more than once; each feature belongs to one set at most")
        if self.relation != "independent" and not sets:
            raise ValueError(f"relation {self.relation!r} needs sets, e.g. sets=((0, 1), (2, 3))")
        for members in sets:
            p = self.values_of("feature_probability")[:, list(members)]
            if self.relation == "correlated" and (p != p[:, :1]).any():
                raise ValueError(f"the correlated set {members} needs one feature_probability: they are on together")
            if self.relation == "anticorrelated" and p.sum(1).max() > 1 + 1e-6:
                raise ValueError(
                    f"the anticorrelated set {members} has feature_probability summing to {p.sum(1).max():.4g}, "
                    "more than 1: at most one of a set is on"
                )

    def _check_data(self) -> None:
        if self.data_seed is not None:
            if self.data_size is None:
                raise ValueError(f"data_seed={self.data_seed!r} needs data_size: without one, inputs are always fresh")
            self._check_whole("data_seed", 0)
        if self.data_size is None:
            return
        sizes = np.asarray(self.data_size)
        whole = sizes.dtype.kind in "iu" and sizes.ndim <= 1 and sizes.size > 0 and sizes.min() >= 1
        if not whole or sizes.size not in (1, self.n_instances):
            raise ValueError(
                f"data_size must be a whole number, 1 or more, or {self.n_instances} of them, one per instance, "
                f"not {self.data_size!r}"
            )
        if int(sizes.max()) * self.n_features * self.n_instances > LARGEST:
            raise ValueError(
                f"a data set of {int(sizes.max()):,} inputs of {self.n_features:,} features, for {self.n_instances:,} "
                f"instances, is more than the {LARGEST:,} numbers allowed: take a smaller one"
            )
        object.__setattr__(self, "data_size", _frozen(sizes.tolist()))


def setting_of(feature_probability: np.ndarray, importance: np.ndarray, data_sizes: np.ndarray) -> np.ndarray:
    """int64 [instance]: instances with the same numbers share a setting, and these are numbered as they come."""
    values = np.concatenate([feature_probability, importance, data_sizes[:, None]], axis=1)
    _, first, group = np.unique(values, axis=0, return_index=True, return_inverse=True)
    value: np.ndarray = np.argsort(np.argsort(first))[group.ravel()]
    return value


def _frozen(value: Any) -> Any:
    """Lists as tuples, so that configurations compare and hash."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _code(value: Any) -> str:
    """Python for the value of a field: for rows that stand in it several times, and for powers, what makes them."""
    rows = isinstance(value, tuple) and value and all(isinstance(row, tuple) for row in value)
    if rows and all(len(row) == len(value[0]) and all(isinstance(x, float) for x in row) for row in value):
        times = _times(value)
        if times > 1 and len(value[0]) == 1:
            return f"np.repeat({[row[0] for row in value[::times]]!r}, {times})[:, None]"
        if times > 1:
            return f"np.repeat({[list(row) for row in value[::times]]!r}, {times}, axis=0)"
    if isinstance(value, tuple) and len(value) > 2 and all(isinstance(x, float) for x in value):
        if value == tuple((value[1] ** np.arange(len(value))).tolist()):
            return f"{value[1]!r} ** np.arange({len(value)})"
        if len({*value}) == 1:
            return f"np.full({len(value)}, {value[0]!r})"
    return repr(_plain(value)) if isinstance(value, tuple) and value else repr(value)


def _times(rows: tuple[Any, ...]) -> int:
    """How often each row stands in a block of its own, all blocks being as long."""
    first = next((i for i, row in enumerate(rows) if row != rows[0]), len(rows))
    even = len(rows) % first == 0 and all(rows[i] == rows[i - i % first] for i in range(len(rows)))
    return first if even else 1
