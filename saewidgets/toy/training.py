"""Training toy models: a generator that works in short turns, so that a picture can stay live beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from saewidgets.elsewhere import torch_for
from saewidgets.kernels import toy as kernel
from saewidgets.kernels.toy import ToySpec, ToyState
from saewidgets.records import ToyConfig, ToyRun
from saewidgets.records.arguments import expect

TURN = 0.05  # seconds of work between two looks at the world
LARGE = 1 << 26  # weights times batch from which a GPU is looked for
LOOKED_AT = 1 << 24  # numbers of fresh inputs from which a look between two snapshots estimates the losses, about


class Engine(Protocol):
    """What advances a `ToyState`."""

    def advance(self, n_steps: int) -> np.ndarray:
        """Do optimizer steps; the mean over them of each instance's batch loss."""
        ...


@dataclass(frozen=True, eq=False)
class ToyStep:
    """Where a training stands."""

    steps_done: int  # optimizer steps
    losses: np.ndarray  # float32 [instance], mean batch loss since the last ToyStep


class ToyTraining:
    """A training under way: `next(training)` works for about 50 ms and gives a `ToyStep`. Not to call `next` is to
    pause.

    How the work is cut into turns changes nothing in its result.
    """

    def __init__(self, config: ToyConfig) -> None:
        self.config = config
        self.spec = spec_of(config)
        self.state = ToyState.start(self.spec, config.n_hidden, untied=config.task == "absolute")
        self._engine = _engine(self.spec, self.state, config.device)
        self._marks = config.snapshot_steps
        self._kept: list[tuple[int, dict[str, np.ndarray], np.ndarray, np.ndarray]] = []
        self._pace = 1.0  # steps a turn, as measured
        self._keep()

    @property
    def steps_done(self) -> int:
        """Optimizer steps finished."""
        return self.state.step

    @property
    def done(self) -> bool:
        """Whether all steps are finished."""
        return self.state.step >= self.config.steps

    def __iter__(self) -> ToyTraining:
        return self

    def __next__(self) -> ToyStep:
        """Raises FloatingPointError if a weight is no longer finite."""
        if self.done:
            raise StopIteration
        began, first = time.perf_counter(), self.state.step
        total = np.zeros(self.config.n_instances)
        while not self.done:
            mark = int(self._marks[np.searchsorted(self._marks, self.state.step, side="right")])
            left = TURN - (time.perf_counter() - began)
            n = min(mark - self.state.step, max(1, int(self._pace * left / TURN)))
            start = time.perf_counter()
            total += n * self._engine.advance(n).astype(np.float64)
            spent = max(time.perf_counter() - start, 1e-6)
            self._pace = min(n * TURN / spent, 4 * max(self._pace, n))
            self._check()
            if self.state.step == mark:
                self._keep()
            if time.perf_counter() - began > 0.7 * TURN:
                break
        return ToyStep(self.state.step, (total / (self.state.step - first)).astype(np.float32))

    def run(self, progress: Callable[[ToyStep], object] | None = None) -> ToyRun:
        """Finish the training; `progress` is called after each turn."""
        for step in self:
            if progress is not None:
                progress(step)
        return self.record()

    def record(self) -> ToyRun:
        """The snapshots so far, the present weights the last of them.

        Of very many models a look at steps that are no snapshot estimates the losses from fewer inputs, so that it costs
        less than the training.
        """
        kept = self._kept
        if kept[-1][0] != self.state.step:
            kept = [*kept, self._snapshot(LOOKED_AT)]
        config = self.config
        return ToyRun(
            weights=np.stack([parts["W"] for _, parts, *_ in kept]),
            biases=np.stack([parts["b"] for _, parts, *_ in kept]),
            steps=np.array([step for step, *_ in kept], np.int64),
            losses=np.stack([losses for *_, losses, _ in kept]),
            feature_probability=config.probabilities,
            importance=config.importances,
            decoder=np.stack([parts["D"] for _, parts, *_ in kept]) if self.state.D is not None else None,
            activation=config.activation,
            hidden=config.hidden,
            task=config.task,
            sets=config.sets,
            relation=config.relation,
            train_losses=np.stack([own for *_, own in kept]) if self.spec.data is not None else None,
            recipe=config,
        )

    def _keep(self) -> None:
        self._kept.append(self._snapshot())

    def _snapshot(self, most: int | None = None) -> tuple[int, dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """(step, parts, loss on fresh inputs, loss on the data set, empty without one). At most about `most` numbers of
        fresh inputs are read, over all models.
        """
        state, spec = self.state, self.spec
        measured = spec, state.W, state.b, state.D
        inputs = evaluation_size(spec)
        if most is not None:
            inputs = min(inputs, max(1024, most // spec.lo.size))
        losses = self._measure("expected_loss")(*measured, inputs)
        own = self._measure("data_loss")(*measured) if spec.data is not None else np.zeros(0, np.float32)
        return state.step, {name: part.copy() for name, part in state.parts.items()}, losses, own

    def _measure(self, name: str) -> Callable[..., np.ndarray]:
        """The engine's own way to compute a loss, where it has one, or the plain one."""
        measure: Callable[..., np.ndarray] = getattr(self._engine, name, getattr(kernel, name))
        return measure

    def _check(self) -> None:
        if not all(np.isfinite(part).all() for part in self.state.parts.values()):
            raise FloatingPointError(f"the weights are not finite after {self.state.step:,} steps; lower lr")


def train_toy(config: ToyConfig) -> ToyTraining:
    """Train toy models. Nothing has run until the result is iterated; `.run()` does it all and gives a `ToyRun`.

    The fused loop of `kernels.toy_numba` does the work where numba is installed, batched products of torch elsewhere
    and on a GPU; losses agree in distribution. With the fused loop the numbers depend on the configuration alone, not
    on the number of threads.

    Example:
        >>> run = train_toy(ToyConfig(n_features=2, n_hidden=1, steps=3, snapshots=2)).run()
        >>> run.weights.shape, run.steps.tolist()
        ((2, 1, 1, 2), [0, 3])
    """
    expect(config, ToyConfig, "config", "train_toy")
    return ToyTraining(config)


def training_inputs(of: ToyConfig | ToyRun) -> tuple[np.ndarray, ...]:
    """The data set of each instance, float32 [T, n_features], as its models trained on it.

    Raises ValueError where inputs were fresh at every step, and for a run that does not say how it was trained.

    Example:
        >>> [x.shape for x in training_inputs(ToyConfig(5, 2, n_instances=2, data_size=[3, 100]))]
        [(3, 5), (100, 5)]
    """
    expect(of, (ToyConfig, ToyRun), "of", "training_inputs")
    config = recipe_of(of) if isinstance(of, ToyRun) else of
    sets = spec_of(replace(config, adversarial=0.0)).data  # an attack changes nothing in it, and its length takes long
    if sets is None:
        raise ValueError("these models saw fresh inputs at every step and have no data set; give data_size=100, say")
    some = of.instances if isinstance(of, ToyRun) and of.instances is not None else range(config.n_instances)
    return tuple(sets.of(int(i)) for i in some)


def recipe_of(run: ToyRun) -> ToyConfig:
    """The configuration that trained a run. Raises ValueError where the run does not say."""
    if run.recipe is None:
        raise ValueError("this run does not say how it was trained; train it again with sw.train_toy(config).run()")
    return run.recipe


def spec_of(config: ToyConfig) -> ToySpec:
    """What the kernels are told of a configuration."""
    gate, shared, lo, hi = kernel.gates(config.probabilities, config.sets, config.relation)
    spec = ToySpec(
        gate,
        shared,
        lo,
        hi,
        config.importances,
        batch_size=config.batch_size,
        seed=config.seed,
        total_steps=config.steps,
        lr=config.lr,
        schedule=config.schedule,
        weight_decay=config.weight_decay,
        relu=config.activation == "relu",
        relu_hidden=config.hidden == "relu",
        absolute=config.task == "absolute",
        l1=config.l1,
        inputs=config.inputs,
        optimizer=config.optimizer,
    )
    if (sizes := config.data_sizes) is not None:
        seed = config.seed if config.data_seed is None else config.data_seed
        spec = replace(spec, data=kernel.data_sets(spec, sizes, seed))
    if not config.adversarial:
        return spec
    x = kernel.evaluation_inputs(spec, 4096)
    return replace(spec, radius=(config.adversarial * np.linalg.norm(x, axis=-1).mean(1)).astype(np.float32))


def evaluation_size(spec: ToySpec) -> int:
    """Inputs on which the expected loss of a snapshot is estimated."""
    return int(np.clip((1 << 19) // spec.lo.shape[1], 2048, 16384))


def _engine(spec: ToySpec, state: ToyState, device: str | None) -> Engine:
    """The fused loop on the CPU where it can be had; else torch, on the GPU where there is one and the work fills it."""
    if device is None and state.W.size * spec.batch_size > LARGE and _has_gpu():
        device = "cuda"
    if device is None or device == "cpu":
        try:
            from saewidgets.kernels.toy_numba import NumbaToy
        except ImportError:  # numba is an extra, and lags behind new versions of Python
            pass
        else:
            return NumbaToy(spec, state)
    cpu = device in (None, "cpu")
    how = 'pip install "saewidgets[fast]", whose loops do without it' if cpu else 'pip install "saewidgets[torch]"'
    with torch_for("a toy model's training" if cpu else f'a toy model\'s training with device="{device}"', how):
        from saewidgets.kernels.toy_torch import TorchToy

    return TorchToy(spec, state, device or "cpu")


def _has_gpu() -> bool:
    try:
        import torch
    except ModuleNotFoundError:  # an extra, which numba's loop does without
        return False
    return torch.cuda.is_available()
