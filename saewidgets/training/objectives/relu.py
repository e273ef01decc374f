"""ReLU SAEs, with L1 as their sparsity or a power below 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from saewidgets.kernels.relu import FastReLU
from saewidgets.sae import SAE
from saewidgets.sae.architectures import fold_decoder_norms
from saewidgets.training.config import TrainConfig
from saewidgets.training.objectives.base import DenseObjective, Gradients, Pair
from saewidgets.training.objectives.topk import add_gradients

QUEUE = 10  # p-annealing: steps over which the sums behind lambda are taken
FLAT_BELOW = 1e-3  # p-annealing: activations under it get the slope at it, since that of a^p grows without bound


class _L1(DenseObjective):
    """A squared error and lambda times a sum of activations: its gradient is known in closed form (`kernels.relu`)."""

    weighted: ClassVar[bool]  # whether an activation counts by its decoder row's norm
    term: ClassVar[str]  # what the second term is called

    def __init__(self, sae: SAE, config: TrainConfig) -> None:
        super().__init__(sae, config)
        weights = sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec
        self._fast = FastReLU.where_it_can(sae.W_dec, weights) if config.precision == "float32" else None

    def gradients(self, x: Tensor, y: Tensor, *, step: int, dead: Tensor, share: float = 1.0) -> Gradients:
        """See `Objective.gradients`."""
        weights = self.sae.W_enc, self.sae.b_enc, self.sae.W_dec, self.sae.b_dec
        if self._fast is None or list(self.weights) != ["W_enc", "b_enc", "W_dec", "b_dec"]:
            return super().gradients(x, y, step=step, dead=dead, share=share)
        with torch.no_grad():
            z, subtracted = self.sae.encoder_input(x), self.sae.config.subtracts_b_dec
            done = self._fast(z, y, weights, self.sparsity_at(step), weighted=self.weighted, subtracted=subtracted)
            add_gradients(weights, done.gradients, share)
        parts = {"error": done.squared_error / len(x), self.term: done.cost}
        return Gradients(done.loss, done.squared_error, done.fired, parts)


class ReLU(_L1):
    """Templeton et al. 2024, *Scaling Monosemanticity*: L1 weighted by the decoder's norms, which are free.

        L = mean over the rows of ( |y - x_hat|^2 + lambda sum_i a_i |W_dec_i| )

    The same for a_i -> c a_i, W_dec_i -> W_dec_i / c. The squared error is summed over d_in; lambda is
    `SAEConfig.l1_coefficient`, on inputs with mean |x|^2 = d_in.
    """

    architectures = ("relu",)
    unit_rows = False
    resampled = True
    weighted = True
    term = "l1"

    def sparsity_at(self, step: int) -> float:
        """lambda."""
        return self.sae.config.l1_coefficient * self.config.l1_at(step)

    def loss(self, x: Tensor, y: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """See the class."""
        a = self.encode(x)
        squared_error = (self.decode(a) - y).square().sum()
        sparsity = (a @ self.sae.W_dec.norm(dim=-1)).sum()
        coefficient = self.sparsity_at(step)
        loss = (squared_error + coefficient * sparsity) / len(x)
        return loss, squared_error, a, {"error": squared_error / len(x), "l1": coefficient * sparsity / len(x)}


class UnitNormReLU(_L1):
    """Bricken et al. 2023, *Towards Monosemanticity*: decoder rows of norm 1, b_dec subtracted before the encoder.

        L = mean over the rows of ( |y - x_hat|^2 + lambda sum_i a_i ),   |W_dec_i| = 1

    The part of the gradient along a row is taken out before Adam sees it, and rows are put back to norm 1 after each
    step. b_dec starts at the first batch's geometric median. Rows of other norms are folded into the encoder first.
    """

    architectures = ("relu",)
    resampled = True
    weighted = False
    term = "sparsity"

    def __init__(self, sae: SAE, config: TrainConfig) -> None:
        super().__init__(sae, config)
        if not sae.config.subtracts_b_dec and not sae.config.is_transcoder:
            raise ValueError(
                "this objective subtracts b_dec before the encoder: make the SAE with apply_b_dec_to_input=True"
            )

    def sparsity_at(self, step: int) -> float:
        """lambda."""
        return self.sae.config.l1_coefficient * self.config.l1_at(step)

    def prepare(self, x: Tensor, y: Tensor) -> None:
        """Rows of norm 1; b_dec at the geometric median."""
        fold_decoder_norms(self.sae.config.architecture, self.sae.weights)
        with torch.no_grad():
            if not self.sae.b_dec.any():
                self.sae.b_dec.copy_(geometric_median(y))

    def loss(self, x: Tensor, y: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """See the class."""
        a = self.encode(x)
        squared_error = (self.decode(a) - y).square().sum()
        sparsity = self.sparsity_at(step) * self.penalty(a, step)
        loss = (squared_error + sparsity) / len(x)
        return loss, squared_error, a, {"error": squared_error / len(x), "sparsity": sparsity / len(x)}

    def penalty(self, a: Tensor, step: int) -> Tensor:
        """sum of a."""
        return a.sum()


class PAnnealing(UnitNormReLU):
    """Karvonen et al. 2024, *Measuring Progress in Dictionary Learning*: L1 that turns into something nearer to L0.

        L = mean over the rows of ( |y - x_hat|^2 + lambda_s sum_i a_i^p_s ),   p_s from 1 down to `p_end`

    p stays 1 for the share `p_hold` of the steps and then falls in 10 equal steps. At each of them lambda is multiplied
    by sum a^p_old / sum a^p_new over the last 10 batches, so that the term keeps its size. Below a = 0.001 the slope is
    that at 0.001, since p a^(p - 1) has no bound. Otherwise as `UnitNormReLU`.
    """

    def __init__(self, sae: SAE, config: TrainConfig) -> None:
        super().__init__(sae, config)
        self._fast = None  # its second term is another
        device = sae.W_dec.device
        self.state["lambda"] = torch.ones((), dtype=torch.float64, device=device)  # factor on lambda so far
        self.state["sums"] = torch.zeros(QUEUE, 2, dtype=torch.float64, device=device)  # of a^p, a^p_next
        self._latest = torch.zeros(2, dtype=torch.float64, device=device)
        self._factor: tuple[int, float] | None = None  # the state's lambda, and torch's count of its changes then

    def sparsity_at(self, step: int) -> float:
        """lambda, as adapted so far."""
        held = self.state["lambda"]
        if self._factor is None or self._factor[0] != held._version:  # a look at it is a wait for a GPU
            self._factor = held._version, float(held)
        return super().sparsity_at(step) * self._factor[1]

    def survey(self, parts: Sequence[Pair], step: int, rows: int) -> None:
        """Begin the batch's sums anew."""
        self._latest.zero_()

    def penalty(self, a: Tensor, step: int) -> Tensor:
        """sum of a^p."""
        now, later = self.config.p_at(step), self._next(step)
        total = power(a, now).sum()
        with torch.no_grad():
            self._latest += torch.stack([total.detach(), power(a, later).sum()]).double()
        return total

    def _next(self, step: int) -> float:
        """The exponent that follows the one after `step` finished steps."""
        now = self.config.p_at(step)
        return next((p for s in range(step, self.config.steps) if (p := self.config.p_at(s)) != now), now)

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Unit rows; lambda where p changes."""
        super().after_step(step)
        self.state["sums"][step % QUEUE] = self.ranks.sum(self._latest)
        if self.config.p_at(step) != self.config.p_at(step - 1):
            old, new = self.state["sums"].sum(0)
            if float(new) > 0:
                self.state["lambda"] *= old / new
            self.state["sums"].zero_()


def power(a: Tensor, p: float) -> Tensor:
    """a^p for a >= 0, and below `FLAT_BELOW` the straight line from 0 that meets it there."""
    return a * a.clamp_min(FLAT_BELOW) ** (p - 1)


@torch.no_grad()
def geometric_median(x: Tensor, steps: int = 100) -> Tensor:
    """The point [d] with the least sum of distances to the rows of x [n, d] (Weiszfeld's iteration, in float64).

    Example:
        >>> geometric_median(torch.tensor([[0.0], [1.0], [50.0]])).round().item()
        1.0
    """
    rows = x.double()
    point = rows.mean(0)
    for _ in range(steps):
        weight = 1 / (rows - point).norm(dim=-1).clamp_min(1e-12)
        moved = (weight @ rows) / weight.sum()
        if float((moved - point).norm()) <= 1e-9 * float(point.norm() + 1e-30):
            value: Tensor = moved.to(x.dtype)
            return value
        point = moved
    return point.to(x.dtype)


def relu_loss(sae: SAE, x: Tensor, l1_coefficient: float) -> tuple[Tensor, Tensor, Tensor]:
    """The loss of *Scaling Monosemanticity* on x [batch, d_in] in model units.

        L = mean over the batch of ( |s x - x_hat|^2 + lambda sum_i a_i |W_dec_i| )

    The squared error is summed over d_in, in SAE units. Returns (L, sum of the squared error, activations [batch,
    d_sae]).
    """
    a = sae.encode(x)
    squared_error = (a @ sae.W_dec + sae.b_dec - sae.to_sae_units(x)).square().sum()
    sparsity = (a @ sae.W_dec.norm(dim=-1)).sum()
    return (squared_error + l1_coefficient * sparsity) / len(x), squared_error, a
