"""One step of SAE training, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TrainStep:
    """What one optimizer step measured. `pd.DataFrame(run)` makes a table of a whole run."""

    step: int  # 1 after the first optimizer step
    tokens: int  # activation vectors seen so far, this step included
    loss: float  # the optimized loss, mean over the batch
    fvu: float  # fraction of variance unexplained on this batch: sum |x - x_hat|^2 / sum |x - mean x|^2
    l0: float  # mean number of active features per token
    dead: float  # share (0 to 1) of features that have not fired in the last `dead_window` tokens
    lr: float  # learning rate of this step
    sparsity: float = 0.0  # the coefficient in force: lambda, or k where a TopK of some kind chooses
    # The loss's terms by name, mean over the batch; their sum: loss.
    parts: Mapping[str, float] = field(default_factory=dict)
