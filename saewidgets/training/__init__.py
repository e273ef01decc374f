"""Training SAEs: one loop for every architecture, a generator of `TrainStep`.

`run` is the loop, `objectives` are the losses (one file an architecture), `checkpoint` the file from which a run goes
on, `machine` what its bits depend on besides.
"""

from saewidgets.training.config import PRECISIONS, TrainConfig
from saewidgets.training.objectives import OBJECTIVES, Objective, relu_loss
from saewidgets.training.pairs import Pairs
from saewidgets.training.run import Run, train
from saewidgets.training.sweep import Sweep, sweep_grid, train_sweep

__all__ = [
    "OBJECTIVES",
    "PRECISIONS",
    "Objective",
    "Pairs",
    "Run",
    "Sweep",
    "TrainConfig",
    "relu_loss",
    "sweep_grid",
    "train",
    "train_sweep",
]
