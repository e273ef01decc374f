"""ReLU SAEs with L1 as their sparsity."""

from __future__ import annotations

from torch import Tensor

from saewidgets.sae import SAE
from saewidgets.training.objectives.base import DenseObjective


class ReLU(DenseObjective):
    """Templeton et al. 2024, *Scaling Monosemanticity* (S4): L1 weighted by the decoder's norms, which are free.

        L = mean over the rows of ( |y - x_hat|^2 + lambda sum_i a_i |W_dec_i| )

    The same for a_i -> c a_i, W_dec_i -> W_dec_i / c. The squared error is summed over d_in; lambda is
    `SAEConfig.l1_coefficient`, on inputs with mean |x|^2 = d_in.
    """

    architectures = ("relu",)
    unit_rows = False

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


def relu_loss(sae: SAE, x: Tensor, l1_coefficient: float) -> tuple[Tensor, Tensor, Tensor]:
    """The loss of *Scaling Monosemanticity* (S4) on x [batch, d_in] in model units.

        L = mean over the batch of ( |s x - x_hat|^2 + lambda sum_i a_i |W_dec_i| )

    The squared error is summed over d_in, in SAE units. Returns (L, sum of the squared error, activations [batch, d_sae]).
    """
    a = sae.encode(x)
    squared_error = (a @ sae.W_dec + sae.b_dec - sae.to_sae_units(x)).square().sum()
    sparsity = (a @ sae.W_dec.norm(dim=-1)).sum()
    return (squared_error + l1_coefficient * sparsity) / len(x), squared_error, a
