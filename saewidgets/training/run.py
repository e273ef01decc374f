"""Training an SAE: a generator of `TrainStep`, one optimizer step for each `next`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saewidgets.records import TrainStep
from saewidgets.sae import SAE
from saewidgets.training import checkpoint
from saewidgets.training.config import TrainConfig
from saewidgets.training.objectives import Gradients, objective


class Run:
    """A training under way: `next(run)` does one step and gives its `TrainStep`. Not to call `next` is to pause.

    `sae` is trained in place, so it can be looked at between steps. `history` holds the steps so far. Whatever interrupts a
    step, `sae` holds the weights of the last whole one, and `next(run)` does the interrupted step anew on the same batch.
    """

    def __init__(
        self,
        sae: SAE,
        batches: Iterable[Tensor],
        config: TrainConfig,
        *,
        resume: str | Path | None = None,
    ) -> None:
        self.sae = sae
        self.config = config
        self.step = 0
        self.tokens = 0
        self.history: list[TrainStep] = []
        self.objective = objective(sae, config)
        device, d_sae = sae.W_dec.device, sae.config.d_sae
        self._batches = batches
        self._iterator: Iterator[Any] | None = None
        self._fetching = False  # whether the last fetch was cut short
        self._pending: tuple[int, Tensor, Tensor] | None = None  # a batch, and the number of its step
        self._since_fired = torch.zeros(d_sae, dtype=torch.int64, device=device)  # tokens
        self._fired = torch.zeros(2, d_sae, dtype=torch.int64, device=device)  # tokens, now and before
        self._window = torch.zeros(2, dtype=torch.int64)  # tokens in each of the two
        self._weights = self.objective.weights
        self._adam = torch.optim.Adam(self._weights.values(), lr=config.lr, betas=config.betas, fused=True)
        for weight in self._weights.values():
            self._adam.state[weight] = {
                "step": torch.zeros((), device=device),
                "exp_avg": torch.zeros_like(weight, requires_grad=False),
                "exp_avg_sq": torch.zeros_like(weight, requires_grad=False),
            }
        self._saved: dict[str, Tensor] = {}  # copies of `tensors`, from before the step under way
        self._saved_counts = (0, 0, 0)
        self._torn = False  # whether `tensors` may be those of half a step, and the copies those of the last whole one
        if resume is not None:
            checkpoint.restore(self, resume)

    def __iter__(self) -> Run:
        return self

    def __next__(self) -> TrainStep:
        """One optimizer step. Raises FloatingPointError, with the weights of the step before, if the loss is not finite."""
        if self._torn:  # an interrupt came while another one was being handled
            self._undo()
        if self.step >= self.config.steps:
            raise StopIteration
        try:
            return self._step()
        except BaseException:
            self._undo()
            raise

    def save(self, path: str | Path) -> None:
        """Write a checkpoint, one file, atomically: weights, Adam's moments, counters, and both configurations.

        `train(sae, batches, config, resume=path)` then goes on bit for bit as if it had not stopped, on the same machine,
        torch and thread count, if `batches` gives the same batches again. Raises ValueError if a weight is not finite.
        """
        if self._torn:
            self._undo()
        checkpoint.save(self, path)

    def firing_rates(self) -> np.ndarray:
        """float64 [d_sae]: the share of tokens at which each feature was on, over the last tokens.

        Over the last `dead_window` to twice as many tokens, or all so far if they are fewer; nan before the first step.
        """
        with np.errstate(invalid="ignore"):
            return self._fired.sum(0).cpu().numpy() / np.float64(int(self._window.sum()))

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All tensors that a step changes, by their names in a checkpoint."""
        found: dict[str, Tensor] = {"since_fired": self._since_fired, "fired": self._fired, "window": self._window}
        for name, weight in self.sae.weights.items():
            found[name] = weight.detach()
        for name, weight in self._weights.items():
            for moment in ("exp_avg", "exp_avg_sq"):
                found[f"{moment}.{name}"] = self._adam.state[weight][moment]
        return found | {f"objective.{name}": value for name, value in self.objective.state.items()}

    # -- one step ----------------------------------------------------------------------------------------------------

    def _step(self) -> TrainStep:
        x, y = self._next_batch()
        if self.step == 0:
            self._keep()
            self.objective.prepare(x, y)
        lr = self.config.lr_at(self.step)
        for weight in self._weights.values():
            weight.grad = None
        dead = (self._since_fired >= self.config.dead_window).nonzero()[:, 0]
        found = self.objective.gradients(x, y, step=self.step, dead=dead)
        self._require_finite("loss", float(found.loss))
        self.objective.project()
        norm = torch.nn.utils.clip_grad_norm_(self._weights.values(), self.config.grad_clip)
        self._require_finite("gradient's norm", float(norm))
        if not self._torn:
            self._keep()
        record = self._commit(found, x, y, lr)
        self._torn = False
        return record

    def _commit(self, found: Gradients, x: Tensor, y: Tensor, lr: float) -> TrainStep:
        """Change everything that a step changes; `_undo` can take it back."""
        for group in self._adam.param_groups:
            group["lr"] = lr
        self._adam.step()
        self._adam.zero_grad()
        self.objective.after_step(self.step + 1)
        self._count(found.fired, len(x))
        self.step += 1
        self.tokens += len(x)
        variance = (y - y.mean(0)).square().sum()
        record = TrainStep(
            step=self.step,
            tokens=self.tokens,
            loss=float(found.loss),
            fvu=float(found.squared_error / variance),
            l0=float(found.fired.sum()) / len(x),
            dead=float((self._since_fired >= self.config.dead_window).float().mean()),
            lr=lr,
        )
        if self.step == self.config.steps:
            self.objective.finish()
        self.history.append(record)
        return record

    def _count(self, fired: Tensor, rows: int) -> None:
        """Who fired at this step, and who has not for how long."""
        self._since_fired += rows
        self._since_fired[fired > 0] = 0
        if int(self._window[0]) >= self.config.dead_window:
            self._fired[1] = self._fired[0]
            self._fired[0] = 0
            self._window[1] = self._window[0]
            self._window[0] = 0
        self._fired[0] += fired
        self._window[0] += rows

    def _keep(self) -> None:
        """Copy what the step is about to change."""
        self._saved_counts = (self.step, self.tokens, len(self.history))
        for name, tensor in self.tensors.items():
            if name in self._saved:
                self._saved[name].copy_(tensor)
            else:
                self._saved[name] = tensor.clone()
        self._torn = True

    def _undo(self) -> None:
        """Back to the last whole step, if one is under way."""
        for weight in self._weights.values():
            weight.grad = None
        if not self._torn:
            return
        for name, tensor in self.tensors.items():
            tensor.copy_(self._saved[name])
        self.step, self.tokens, n = self._saved_counts
        del self.history[n:]
        self.set_adam_steps()
        self._torn = False

    def set_adam_steps(self) -> None:
        """Adam's own count of steps, by which it corrects its moments, is the run's."""
        for weight in self._weights.values():
            self._adam.state[weight]["step"].fill_(float(self.step))

    def _next_batch(self) -> tuple[Tensor, Tensor]:
        """The batch of this step, in SAE units."""
        if self._pending is not None and self._pending[0] == self.step:
            return self._pending[1:]
        # Every step takes one batch, so a run that goes on starts at batch number `step`. A store can jump there. An iterator
        # that was interrupted is started anew, unless it is all there is.
        if self._iterator is None or (self._fetching and iter(self._batches) is not self._batches):
            jump = getattr(self._batches, "batches", None)
            self._iterator = iter(jump(start=self.step)) if jump else islice(self._batches, self.step, None)
        self._fetching = True
        batch = next(self._iterator, None)
        if batch is None:
            raise ValueError(f"the batches ran out after {self.step:,} of {self.config.steps:,} steps")
        if batch.ndim != 2 or batch.shape[1] != self.sae.config.d_in:
            raise ValueError(f"expected batches [batch, d_in = {self.sae.config.d_in}], not {list(batch.shape)}")
        x = self.sae.to_sae_units(batch.to(self.sae.W_dec.device, torch.float32))
        self._pending = (self.step, x, x)
        self._fetching = False
        return x, x

    def _require_finite(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            raise FloatingPointError(
                f"step {self.step + 1}: the {what} is {value}; the weights are still those of step {self.step}. "
                "Look for bad values in the batch, or lower lr."
            )


def train(
    sae: SAE,
    batches: Iterable[Tensor],
    config: TrainConfig,
    *,
    resume: str | Path | None = None,
) -> Run:
    """Train `sae`, in place, on batches [batch, d_in] in model units. Nothing runs until the result is iterated.

    TopK: loss |x - x_hat|^2 plus AuxK (Gao et al. 2024), over nested dictionaries where `config.prefixes` names them; decoder
    rows keep norm 1; b_dec starts at the first batch's mean.
    ReLU: `relu_loss`, decoder norms free (Templeton et al. 2024). Losses are in SAE units.

    Args:
        sae: trained in place, on its own device.
        batches: an `ActivationStore`, or any iterable of batches; it must last for `config.steps` batches.
        config: how long and how fast.
        resume: a checkpoint that `Run.save` wrote under the same configurations; LoadError if it is not one.

    Raises, while it is iterated: FloatingPointError if the loss is not finite, ValueError if the batches run out.

    Example:
        >>> from saewidgets.sae import SAEConfig
        >>> sae = SAE(SAEConfig(d_in=4, d_sae=16, architecture="topk", k=2))
        >>> run = train(sae, [torch.randn(32, 4) for _ in range(3)], TrainConfig(steps=3))
        >>> [step.tokens for step in run]
        [32, 64, 96]
    """
    return Run(sae, batches, config, resume=resume)
