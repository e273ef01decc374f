"""Sparse features to train on, and what a trained toy model makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from saewidgets.kernels import toy_torch
from saewidgets.records import ToyConfig, ToyRun
from saewidgets.records.arguments import seed_of
from saewidgets.records.toy import the_best
from saewidgets.toy.training import spec_of


def sample_features(config: ToyConfig, n: int, generator: torch.Generator | None = None) -> Tensor:
    """Inputs as the models of `config` see them: float32 [instance, n, n_features], on the generator's device.

    x_i is 0 with probability 1 - p_i, else uniform in [0, 1] ([-1, 1] for the task "absolute"), independent but for the
    sets of `config`. Without a generator, one seeded with `config.seed` on the CPU.

    Example:
        >>> x = sample_features(ToyConfig(n_features=5, n_hidden=2, feature_probability=0.1), 1000)
        >>> list(x.shape), bool(x.max() < 1)
        ([1, 1000, 5], True)
    """
    if n < 1:
        raise ValueError(f"n must be 1 input or more, not {n}")
    return toy_torch.sample(spec_of(config), n, generator or torch.Generator().manual_seed(config.seed))


@dataclass(frozen=True, eq=False)
class ToyActivations:
    """The hidden layer of one trained toy model, with the truth that an SAE is to find again."""

    hidden: Tensor  # float32 [n, n_hidden], h
    features: Tensor  # float32 [n, n_features], the inputs x behind them
    directions: Tensor  # float32 [n_features, n_hidden], the columns of W: what the features look like in h

    def batches(self, size: int, steps: int, seed: int = 0) -> list[Tensor]:
        """`steps` batches of `size` activations each, drawn with replacement: what `sw.train` takes."""
        seed = seed_of(seed)
        generator = torch.Generator().manual_seed(seed)
        return [self.hidden[torch.randint(len(self.hidden), (size,), generator=generator)] for _ in range(steps)]


def activations(run: ToyRun, instance: int | None = None, n: int = 100_000, *, seed: int = 0) -> ToyActivations:
    """Hidden activations of the last snapshot's model on n fresh inputs.

    `instance` None is the one with the lowest loss, where all models of the run have one setting: losses of other densities
    or importances are of other problems.

    Raises ValueError for None in a run of several settings, IndexError for an instance that does not exist.

    Example:
        >>> from saewidgets.toy import train_toy
        >>> run = train_toy(ToyConfig(n_features=5, n_hidden=2, steps=2, snapshots=2)).run()
        >>> list(activations(run, n=100).hidden.shape)
        [100, 2]
    """
    seed = seed_of(seed)
    instance = the_best(run) if instance is None else instance
    if not 0 <= instance < run.n_instances:
        raise IndexError(f"instance {instance} does not exist: this run has instances 0 to {run.n_instances - 1}")
    config = ToyConfig(
        n_features=run.n_features,
        n_hidden=run.n_hidden,
        feature_probability=run.feature_probability[instance],
        task=run.task,
        sets=run.sets,
        relation=run.relation,
        inputs=run.inputs,
        seed=seed,
    )
    x = sample_features(config, n)[0]
    W = torch.tensor(run.weights[-1, instance])
    h = x @ W.T
    return ToyActivations(h.relu() if run.hidden == "relu" else h, x, W.T.contiguous())
