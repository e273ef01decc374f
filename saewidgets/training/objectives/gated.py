"""Gated SAEs."""

from __future__ import annotations

from torch import Tensor

from saewidgets.sae.architectures import fold_decoder_norms
from saewidgets.training.objectives.base import DenseObjective


class Gated(DenseObjective):
    """Rajamanoharan et al. 2024, *Improving Dictionary Learning with Gated Sparse Autoencoders*.

        L = mean over the rows of ( |y - x_hat|^2 + lambda sum_i max(0, gate_i) + |y - x_hat_frozen(max(0, gate))|^2 )

        gate = z W_enc + b_gate,   a = H(gate) max(0, z W_enc exp(r_mag) + b_mag),   |W_dec_i| = 1

    The gate gets no gradient through H. It learns from the last two terms; in the last, the decoder is held fixed, so
    that it does not bend towards the gate. b_dec starts at the first batch's mean.
    """

    architectures = ("gated",)
    resampled = True

    def sparsity_at(self, step: int) -> float:
        """lambda."""
        return self.sae.config.l1_coefficient * self.config.l1_at(step)

    def prepare(self, x: Tensor, y: Tensor) -> None:
        """Unit rows, b_dec at the mean."""
        fold_decoder_norms(self.sae.config.architecture, self.sae.weights)
        self._center(y)

    def loss(self, x: Tensor, y: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """See the class."""
        sae = self.sae
        shared = sae.encoder_input(x) @ sae.W_enc
        gate = shared + sae.b_gate
        a = (shared * sae.r_mag.exp() + sae.b_mag).relu() * (gate > 0)
        on = gate.relu()
        squared_error = (self.decode(a) - y).square().sum()
        l1 = self.sparsity_at(step) * on.sum()
        aux = (on @ sae.W_dec.detach() + sae.b_dec.detach() - y).square().sum()
        parts = {"error": squared_error, "l1": l1, "aux": aux}
        loss = (squared_error + l1 + aux) / len(x)
        return loss, squared_error, a, {name: part / len(x) for name, part in parts.items()}
