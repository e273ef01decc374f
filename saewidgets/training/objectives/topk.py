"""TopK SAEs, flat and nested (Matryoshka)."""

from __future__ import annotations

import torch
from torch import Tensor

from saewidgets.kernels.topk import AuxK, FastTopK
from saewidgets.sae import SAE
from saewidgets.training.config import TrainConfig
from saewidgets.training.objectives.base import Gradients, Objective


class TopK(Objective):
    """Gao et al. 2024, *Scaling and evaluating sparse autoencoders*: exactly k features a token, no sparsity term.

        L = mean over the rows of ( |y - x_hat|^2 + alpha |e - e_hat|^2 ),   a = max(0, TopK_k(pre))

    AuxK: e = y - x_hat held fixed, e_hat the `aux_k` largest dead activations times their rows, alpha = `aux_coefficient`.
    With `prefixes` (Bussmann et al. 2025, Matryoshka) the first term is the mean over the nested dictionaries, each of which
    must reconstruct y by itself. Decoder rows have norm 1, and b_dec starts at the first batch's mean.
    """

    architectures = ("topk",)

    def __init__(self, sae: SAE, config: TrainConfig) -> None:
        super().__init__(sae, config)
        self._fast = FastTopK(sae.config.k, prefixes=config.prefixes, bf16=config.precision == "bf16")

    def sparsity_at(self, step: int) -> float:
        """k."""
        return self.sae.config.k

    def prepare(self, x: Tensor, y: Tensor) -> None:
        """b_dec starts at the mean."""
        self._center(y)

    @torch.no_grad()
    def gradients(self, x: Tensor, y: Tensor, *, step: int, dead: Tensor, share: float = 1.0) -> Gradients:
        """See `Objective.gradients`."""
        done = self._fast(x, tuple(self.weights.values()), self.aux(dead))  # type: ignore[arg-type]
        add_gradients(self.weights.values(), done.gradients, share)
        fired = torch.bincount(done.indices[done.values > 0], minlength=self.sae.config.d_sae)
        return Gradients(done.loss, done.squared_error, fired)

    def aux(self, dead: Tensor) -> AuxK | None:
        """AuxK for these dead features, or None where there is none to do."""
        k = self.sae.config.d_in // 2 if self.config.aux_k is None else self.config.aux_k
        return AuxK(dead, k, self.config.aux_coefficient) if k and len(dead) else None


def add_gradients(weights: object, gradients: object, share: float) -> None:
    """Add share * gradient to each weight's `.grad`."""
    for weight, gradient in zip(weights, gradients, strict=True):  # type: ignore[call-overload]
        if weight.grad is None:
            weight.grad = gradient.contiguous() if share == 1 else gradient.contiguous() * share
        else:
            weight.grad.add_(gradient, alpha=share)
