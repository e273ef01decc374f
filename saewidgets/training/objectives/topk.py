"""TopK SAEs, flat and nested (Matryoshka)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from saewidgets.kernels import numba_sparse
from saewidgets.kernels.sparse import AuxK, sparse_step, top_k_of
from saewidgets.kernels.topk import FastTopK
from saewidgets.sae import SAE
from saewidgets.sae.architectures import fold_decoder_norms
from saewidgets.training.config import TrainConfig
from saewidgets.training.objectives.base import Gradients, Objective

UNIT = 1e-2  # how far from 1 a decoder row's norm may be where training begins


class Selecting(Objective):
    """What TopK and BatchTopK share: k, AuxK, unit rows, and b_dec that starts at the first batch's mean."""

    def __init__(self, sae: SAE, config: TrainConfig) -> None:
        super().__init__(sae, config)
        k = config.k_start
        if k is not None and k > sae.config.d_sae:
            raise ValueError(f"k_start = {k} active features do not fit in d_sae = {sae.config.d_sae}")
        self.dtype = torch.bfloat16 if config.precision == "bf16" else torch.float32  # of the encoder's product
        make = numba_sparse(*self.held())
        self.loops = None if make is None else make(bf16=config.precision == "bf16")  # on the CPU with numba

    def sparsity_at(self, step: int) -> float:
        """k."""
        return self.config.k_at(step, self.sae.config.k)

    def prepare(self, x: Tensor, y: Tensor) -> None:
        """Unit rows, b_dec at the mean. Raises ValueError on rows of several norms: folding them would change what is
        on.
        """
        norm = self.sae.W_dec.detach().norm(dim=-1)
        if float((norm - 1).abs().max()) > UNIT:
            if float(norm.max()) < (1 + UNIT) * float(
                norm.min()
            ):  # a scale that was folded in: who is largest stays so
                fold_decoder_norms(self.sae.config.architecture, self.sae.weights)
                return self._center(y)
            raise ValueError(
                f"this {self.sae.config.architecture} SAE's decoder rows have norms {float(norm.min()):.3g} to "
                f"{float(norm.max()):.3g}, and training keeps them at 1: which features are on would change"
            )
        self._center(y)

    def aux(self, dead: Tensor) -> AuxK | None:
        """AuxK for these dead features, or None where there is none to do."""
        k = self.sae.config.d_in // 2 if self.config.aux_k is None else self.config.aux_k
        return AuxK(dead, k, self.config.aux_coefficient) if k and len(dead) else None

    def held(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The weights W_enc, b_enc, W_dec, b_dec without their history."""
        W_enc, b_enc, W_dec, b_dec = (w.detach() for w in self.weights.values())
        return W_enc, b_enc, W_dec, b_dec

    def pre_activations(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(z [rows, d_in], pre-activations [rows, d_sae]) of x in SAE units."""
        sae = self.sae
        z = sae.encoder_input(x)
        return z, torch.addmm(sae.b_enc.to(self.dtype), z.to(self.dtype), sae.W_enc.to(self.dtype))


class TopK(Selecting):
    """Gao et al. 2024, *Scaling and evaluating sparse autoencoders*: exactly k features a token, no sparsity term.

        L = mean over the rows of ( |y - x_hat|^2 + alpha |e - e_hat|^2 ),   a = max(0, TopK_k(pre))

    AuxK: e = y - x_hat held fixed, e_hat the `aux_k` largest dead activations times their rows, alpha =
    `aux_coefficient`. With `prefixes` (Bussmann et al. 2025, Matryoshka) the first term is the mean over the nested
    dictionaries, each of which must reconstruct y by itself. Decoder rows have norm 1, and b_dec starts at the first
    batch's mean.
    """

    architectures = ("topk",)

    def __init__(self, sae: SAE, config: TrainConfig) -> None:
        super().__init__(sae, config)
        self._fast = FastTopK(sae.config.k, prefixes=config.prefixes, bf16=config.precision == "bf16")

    @torch.no_grad()
    def gradients(self, x: Tensor, y: Tensor, *, step: int, dead: Tensor, share: float = 1.0) -> Gradients:
        """See `Objective.gradients`."""
        weights, aux, k = tuple(self.weights.values()), self.aux(dead), int(self.sparsity_at(step))
        if self.sae.config.subtracts_b_dec:
            self._fast.k = k
            done = self._fast(x, weights, aux)  # type: ignore[arg-type]
            loss, squared_error, fired = done.loss, done.squared_error, done.fired
            gradients, auxiliary = done.gradients, done.auxiliary
        elif self.loops is not None:
            held, z = self.held(), self.sae.encoder_input(x)
            rows, dead_rows = self.loops.top_k(z, held, k, aux)
            more = {"prefixes": self.config.prefixes, "dead": aux, "dead_rows": dead_rows, "subtracted": False}
            by_loops = self.loops.step(rows, z, y - held[3], held, **more)  # type: ignore[arg-type]
            loss, squared_error, fired = by_loops.loss, by_loops.squared_error, by_loops.fired
            gradients, auxiliary = by_loops.gradients, by_loops.auxiliary
        else:
            z = self.sae.encoder_input(x)
            active, dead_ones = top_k_of(z, weights, k, aux, self.dtype)  # type: ignore[arg-type]
            also: dict[str, Any] = {
                "prefixes": self.config.prefixes,
                "aux": aux,
                "dead": dead_ones,
                "subtracted": False,
            }
            found = sparse_step(active, z, y, weights, **also)  # type: ignore[arg-type]
            loss, squared_error = found.loss, found.squared_error
            fired = active.counts(self.sae.config.d_sae)
            gradients, auxiliary = found.gradients, found.auxiliary
        add_gradients(weights, gradients, share)
        return Gradients(loss, squared_error, fired, {"error": loss - auxiliary, "aux": auxiliary})


def add_gradients(weights: Iterable[Tensor], gradients: Iterable[Tensor], share: float) -> None:
    """Add share * gradient to each weight's `.grad`."""
    for weight, gradient in zip(weights, gradients, strict=True):
        if weight.grad is None:
            weight.grad = gradient.contiguous() if share == 1 else gradient.contiguous() * share
        else:
            weight.grad.add_(gradient, alpha=share)
