"""JumpReLU SAEs: a threshold for each feature, learned through pseudo-derivatives.

    J(z, theta) = z where z > theta, else 0;   H(z - theta) = 1 where z > theta, else 0;   K(u) = 1 where |u| < 1/2, else 0

    d J / d z = H(z - theta)      d J / d theta := -(theta / eps) K((z - theta) / eps)
    d H / d z := 0                d H / d theta := -(1 / eps) K((z - theta) / eps)

The thresholds themselves are learned, not their logarithms: in log space a small one hardly moves under Adam. They are
kept at 0 or more.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from saewidgets.kernels.pseudo import jump, step_function
from saewidgets.sae import JUMPRELU_INIT_THRESHOLD, SAE
from saewidgets.sae.architectures import fold_decoder_norms
from saewidgets.training.config import TrainConfig
from saewidgets.training.objectives.base import DenseObjective

PAPER_BANDWIDTH = 1e-3  # Rajamanoharan et al. 2024, on inputs with mean |x|^2 = 1
TANH_BANDWIDTH, TANH_THRESHOLD = 2.0, 0.1  # Anthropic, January 2025, on inputs with mean |x|^2 = d_in
START_RATE = 10_000  # the same: features start on at a share START_RATE / d_sae of the tokens


class _JumpReLU(DenseObjective):
    """What the two losses share."""

    architectures = ("jumprelu",)
    first_bandwidth: float
    first_threshold: float

    def __init__(self, sae: SAE, config: TrainConfig) -> None:
        super().__init__(sae, config)
        self.bandwidth = self.first_bandwidth if config.bandwidth is None else config.bandwidth

    def sparsity_at(self, step: int) -> float:
        """lambda."""
        return self.sae.config.l1_coefficient * self.config.l1_at(step)

    def pre(self, x: Tensor) -> Tensor:
        """Pre-activations [rows, d_sae]."""
        return self.sae.encoder_input(x) @ self.sae.W_enc + self.sae.b_enc

    def _start_thresholds(self) -> None:
        """Thresholds that are still a fresh SAE's start where this loss has them."""
        with torch.no_grad():
            if bool((self.sae.threshold == JUMPRELU_INIT_THRESHOLD).all()):
                self.sae.threshold.fill_(self.first_threshold)

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Unit rows where the loss has them; thresholds of 0 or more."""
        super().after_step(step)
        self.sae.threshold.clamp_(min=0)


class JumpReLUL0(_JumpReLU):
    """Rajamanoharan et al. 2024, *Jumping Ahead*: the number of active features itself as the sparsity term.

        L = mean over the rows of ( |y - x_hat|^2 + lambda sum_i H(pre_i - theta_i) ),   a = J(pre, theta),   |W_dec_i| = 1

    Only thresholds feel the second term. eps and the first thresholds are 0.001 on inputs of mean |x|^2 = 1, so 0.001
    sqrt(d_in) here; where few samples fall within eps of a threshold, a larger `bandwidth` learns faster.
    """

    def __init__(self, sae: SAE, config: TrainConfig) -> None:
        self.first_bandwidth = self.first_threshold = PAPER_BANDWIDTH * sae.config.d_in**0.5
        super().__init__(sae, config)

    def prepare(self, x: Tensor, y: Tensor) -> None:
        """Unit rows, first thresholds."""
        self._start_thresholds()
        fold_decoder_norms(self.sae.config.architecture, self.sae.weights)

    def loss(self, x: Tensor, y: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """See the class."""
        pre = self.pre(x)
        a = jump(pre, self.sae.threshold, self.bandwidth)
        squared_error = (self.decode(a) - y).square().sum()
        l0 = self.sparsity_at(step) * step_function(pre, self.sae.threshold, self.bandwidth).sum()
        return (squared_error + l0) / len(x), squared_error, a, {"error": squared_error / len(x), "l0": l0 / len(x)}


class JumpReLUTanh(_JumpReLU):
    """Anthropic, January 2025 (*Dictionary Learning Optimization Techniques*): tanh as a smooth count, free decoder
    norms.

        L = mean over the rows of ( |y - x_hat|^2 + lambda sum_i tanh(c a_i |W_dec_i|)
                                    + lambda_P sum_i max(0, theta_i - pre_i) |W_dec_i| ),   a = J(pre, theta)

    All weights feel the second term; the third pulls features that are off towards being on, so that few die. c is
    `tanh_scale`, lambda_P `pre_act_coefficient`, eps = 2, thresholds start at 0.1, and biases so that a feature is on
    at a share 10,000 / d_sae of the first batch (where that is under 1/2).
    """

    unit_rows = False
    first_bandwidth = TANH_BANDWIDTH
    first_threshold = TANH_THRESHOLD

    def prepare(self, x: Tensor, y: Tensor) -> None:
        """First thresholds and biases."""
        self._start_thresholds()
        rate = START_RATE / self.sae.config.d_sae
        with torch.no_grad():
            if rate < 0.5 and not self.sae.b_enc.any():
                n = max(1, round(rate * len(x)))
                self.sae.b_enc.copy_(self.sae.threshold - self.pre(x).topk(n, dim=0).values[-1])

    def loss(self, x: Tensor, y: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """See the class."""
        pre, norm = self.pre(x), self.sae.W_dec.norm(dim=-1)
        a = jump(pre, self.sae.threshold, self.bandwidth)
        squared_error = (self.decode(a) - y).square().sum()
        tanh = self.sparsity_at(step) * torch.tanh(self.config.tanh_scale * a * norm).sum()
        off = self.config.pre_act_coefficient * ((self.sae.threshold - pre).relu() * norm).sum()
        parts: dict[str, Any] = {"error": squared_error, "tanh": tanh, "pre_act": off}
        loss = (squared_error + tanh + off) / len(x)
        return loss, squared_error, a, {name: part / len(x) for name, part in parts.items()}
