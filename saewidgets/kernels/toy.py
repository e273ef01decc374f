"""What a toy-model kernel is given and what it moves: the problem, the weights, and the sampler that both kernels
follow.

`toy_torch` advances the weights by batched matrix products, `toy_numba` by one fused loop; tests hold their gradients
to autograd and their inputs to `inputs` here. Inputs come from a counter-based generator: a number is a hash of (seed,
instance, step, stream, sample), so an instance sees the same data whoever trains beside it and however many threads
there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EVALUATION = 1 << 40  # the "step" from which evaluation samples are drawn: no training reaches it
DATA = EVALUATION + 1  # and the one from which a finite data set is
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam's
SCHEDULES = ("constant", "linear", "cosine")
OPTIMIZERS = ("adam", "sgd")
INPUTS = ("uniform", "normalized", "binary")
_NEVER = 2.0  # a gate value that no uniform number reaches


@dataclass(frozen=True)
class DataSets:
    """The inputs that each instance trains on again and again, where it does not see fresh ones at every step."""

    x: np.ndarray  # float32 [n_features, stored]; instances whose features are on alike share a stretch of it
    start: np.ndarray  # int64 [instance], the first of its inputs in x
    size: np.ndarray  # int64 [instance], how many follow, T

    def of(self, instance: int) -> np.ndarray:
        """float32 [T, n_features]: the data set of one instance."""
        first = self.start[instance]
        value: np.ndarray = self.x[:, first : first + self.size[instance]].T
        return value


@dataclass(frozen=True)
class ToySpec:
    """The problem. A feature is on where its gate's uniform number u lies in [lo, hi).

    Its value is then (u - lo) / (hi - lo), itself uniform, or a second number, from the feature's own stream, where
    several features share a gate and are on together.
    """

    gate: np.ndarray  # int64 [n_features], the stream whose number decides; below n_streams
    shared: np.ndarray  # bool [n_features], the value comes from stream i, not from the gate
    lo: np.ndarray  # float32 [instance, n_features]
    hi: np.ndarray  # float32 [instance, n_features], hi - lo = P(x_i != 0)
    importance: np.ndarray  # float32 [instance, n_features]
    batch_size: int
    seed: int
    total_steps: int
    lr: float
    schedule: str = "constant"  # one of SCHEDULES
    weight_decay: float = 0.0  # AdamW's, decoupled
    relu: bool = True  # of the output
    relu_hidden: bool = False
    absolute: bool = False  # x in [-1, 1], target |x|
    l1: float = 0.0  # weight of sum_k |h_k|
    radius: np.ndarray | None = None  # float32 [instance], L2 length of the attack trained against; None: clean inputs
    inputs: str = "uniform"  # one of INPUTS, see `shaped`
    optimizer: str = "adam"  # one of OPTIMIZERS; "sgd" has no momentum
    data: DataSets | None = None  # None: fresh inputs at every step

    @property
    def n_streams(self) -> int:
        """Uniform numbers drawn for one input: one per feature, and one per gate that features share."""
        return int(self.gate.max()) + 1

    def lr_at(self, step: int) -> float:
        """Learning rate of the step that follows `step` finished ones."""
        share = step / self.total_steps
        fall = {"constant": 1.0, "linear": 1 - share, "cosine": 0.5 + 0.5 * np.cos(np.pi * share)}[self.schedule]
        return self.lr * float(fall)


@dataclass
class ToyState:
    """The weights and Adam's moments, changed in place."""

    W: np.ndarray  # float32 [instance, n_hidden, n_features]
    b: np.ndarray  # float32 [instance, n_features]
    D: np.ndarray | None  # float32 [instance, n_features, n_hidden]; None: W^T
    moments: dict[str, tuple[np.ndarray, np.ndarray]]  # by name, the shapes of W, b, D
    step: int = 0

    @classmethod
    def start(cls, spec: ToySpec, n_hidden: int, *, untied: bool) -> ToyState:
        """b = 0 and normal weights of variance 2 / (n + m); an instance's depend on the seed and its number alone.

        A free decoder starts as |W|^T. With signs of its own, half of all outputs would start on the closed side of
        their ReLU for x > 0 and half for x < 0, where no gradient reaches them: final losses of M21 are then 5 to 10
        times as high.
        """
        instances, n = spec.lo.shape
        scale = np.sqrt(2 / (n + n_hidden))
        dice = np.random.default_rng([spec.seed, 0])
        W = (scale * dice.standard_normal((instances, n_hidden, n))).astype(np.float32)
        D = np.ascontiguousarray(np.abs(W).swapaxes(1, 2)) if untied else None
        parts = {"W": W, "b": np.zeros((instances, n), np.float32), **({} if D is None else {"D": D})}
        return cls(W, parts["b"], D, {k: (np.zeros_like(v), np.zeros_like(v)) for k, v in parts.items()})

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """W, b, and D where there is one."""
        return {"W": self.W, "b": self.b, **({} if self.D is None else {"D": self.D})}


def gates(
    probability: np.ndarray, sets: tuple[tuple[int, ...], ...], relation: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(gate, shared, lo, hi) of a `ToySpec` for P(x_i != 0) [instance, n_features] and sets of related features.

    Correlated: a set has one gate, and each of its features a value of its own. Anticorrelated: a set has one gate, and
    its features lie side by side in it, so that at most one is on. All others: a gate each.
    """
    n = probability.shape[1]
    gate = np.arange(n)
    shared = np.zeros(n, bool)
    lo = np.zeros_like(probability, dtype=np.float32)
    for s, members in enumerate(sets if relation != "independent" else ()):
        index = list(members)
        gate[index] = n + s
        shared[index] = relation == "correlated"
        if relation == "anticorrelated":
            lo[:, index[1:]] = np.cumsum(probability[:, index[:-1]], axis=1)
    hi = (lo + probability).astype(np.float32)
    lo, hi = np.where(probability > 0, [lo, hi], _NEVER).astype(np.float32)
    return gate, shared, lo, hi


def uniforms(seed: int, instance: int, step: int, stream: int, n: int) -> np.ndarray:
    """float32 [n], in [0, 1): the numbers of one stream at one step, samples 0 to n - 1."""
    key = mix(np.array([seed], np.uint64))
    for part in (instance, step, stream):
        key = mix(key + np.uint64(part))
    low, high = (key & np.uint64(0xFFFFFFFF)).astype(np.uint32), (key >> np.uint64(32)).astype(np.uint32)
    x = np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B9) + low
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x21F0AAAD)
    x ^= high
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x735A2D97)
    x ^= x >> np.uint32(15)
    return (x >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def mix(key: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64 (Steele et al. 2014), uint64 to uint64."""
    z = key + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def inputs(spec: ToySpec, u: np.ndarray, instances: slice | np.ndarray = slice(None)) -> np.ndarray:
    """float32 [instance, ..., n_features]: inputs from uniform numbers u [instance or 1, ..., n_streams]."""
    middle = (1,) * (u.ndim - 2)
    lo, hi = (a[instances].reshape(-1, *middle, a.shape[1]) for a in (spec.lo, spec.hi))
    at_gate = u[..., spec.gate]
    on = (at_gate >= lo) & (at_gate < hi)
    value = np.where(spec.shared, u[..., : len(spec.gate)], (at_gate - lo) / np.maximum(hi - lo, 1e-30))
    if spec.absolute:
        value = 2 * value - 1
    return shaped(spec, np.where(on, value, 0).astype(np.float32))


def shaped(spec: ToySpec, x: np.ndarray) -> np.ndarray:
    """Inputs [..., n_features] as `spec.inputs` wants them: as drawn, divided by their length, or each value its sign.

    An input in which nothing is on has no length and stays 0.
    """
    if spec.inputs == "normalized":
        length = np.sqrt(np.square(x).sum(-1, keepdims=True))
        return (x / np.where(length > 0, length, 1)).astype(np.float32)
    return np.sign(x) if spec.inputs == "binary" else x


def data_sets(spec: ToySpec, sizes: np.ndarray, seed: int) -> DataSets:
    """A data set for each instance, of sizes [instance] inputs, drawn as `spec` says from streams of their own.

    Instance and weights' seed have no part in it: a set is the first T inputs of one long list, so that a larger set
    holds the smaller ones, and several starts share one.
    """
    rows = np.concatenate([spec.lo, spec.hi], axis=1)
    _, group = np.unique(rows, axis=0, return_inverse=True)
    group = group.ravel()
    start, parts, stored = np.zeros(len(sizes), np.int64), [], 0
    for g in range(int(group.max()) + 1):
        members = np.flatnonzero(group == g)
        n = int(sizes[members].max())
        u = np.stack([uniforms(seed, 0, DATA, s, n) for s in range(spec.n_streams)], axis=-1)
        parts.append(inputs(spec, u[None], slice(members[0], members[0] + 1))[0].T)
        start[members] = stored
        stored += n
    return DataSets(np.ascontiguousarray(np.concatenate(parts, axis=1)), start, sizes.astype(np.int64))


def evaluation_inputs(spec: ToySpec, n: int, instances: slice | np.ndarray = slice(None)) -> np.ndarray:
    """float32 [instance, n, n_features]: the same uniform numbers for every instance, so that losses compare."""
    u = np.stack([uniforms(spec.seed, 0, EVALUATION, s, n) for s in range(spec.n_streams)], axis=-1)
    return inputs(spec, u[None], instances)


def outputs(spec: ToySpec, W: np.ndarray, b: np.ndarray, D: np.ndarray | None, x: np.ndarray) -> np.ndarray:
    """x' [instance, n, n_features] for inputs of that shape."""
    h = x @ W.swapaxes(1, 2)
    if spec.relu_hidden:
        h = np.maximum(h, 0)
    y = h @ (W if D is None else D.swapaxes(1, 2)) + b[:, None]
    value: np.ndarray = np.maximum(y, 0) if spec.relu else y
    return value


def data_loss(spec: ToySpec, W: np.ndarray, b: np.ndarray, D: np.ndarray | None) -> np.ndarray:
    """float32 [instance]: mean over its own data set of sum_i importance_i (target_i - x'_i)^2, the training loss."""
    assert spec.data is not None
    out = []
    for i in range(len(W)):
        x = spec.data.of(i)[None]
        error = outputs(spec, W[i : i + 1], b[i : i + 1], None if D is None else D[i : i + 1], x)
        error -= np.abs(x) if spec.absolute else x
        out.append(float((error[0] ** 2 @ spec.importance[i]).mean()))
    return np.array(out, np.float32)


def expected_loss(spec: ToySpec, W: np.ndarray, b: np.ndarray, D: np.ndarray | None, n: int) -> np.ndarray:
    """float32 [instance]: mean over n fixed inputs of sum_i importance_i (target_i - x'_i)^2."""
    size = max(1, (1 << 21) // (n * spec.lo.shape[1]))  # instances at a time: 8 MB of inputs
    out = []
    for first in range(0, len(W), size):
        part = slice(first, first + size)
        x = evaluation_inputs(spec, n, part)
        error = outputs(spec, W[part], b[part], None if D is None else D[part], x)
        error -= np.abs(x) if spec.absolute else x
        out.append(np.einsum("isn,isn,in->i", error, error, spec.importance[part]) / n)
    return np.concatenate(out).astype(np.float32)
