"""One training step's loss and gradients for a TopK SAE: plain, and fast.

With B rows of d_in numbers and only k of d_sae activations non-zero in each, a step needs one dense matmul, the
encoder's. Decoding reads k rows of W_dec a token, and each feature's gradient sums over the tokens at which it was on.
The fast version does that by sums over bags (`sparse`), or on the CPU by compiled loops where numba is at hand
(`sparse_cpu`); the plain one is dense autograd, and tests hold them together.

A Matryoshka SAE (Bussmann et al. 2025) nests dictionaries: the features below each of `prefixes` must reconstruct x by
themselves too. The first ones then learn the broad concepts, which a flat dictionary splits up.

Here x is in SAE units, and rows are [batch, d_in].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from saewidgets.kernels import numba_sparse
from saewidgets.kernels.sparse import AuxK, Weights, sparse_step, top_k_of

__all__ = ["AuxK", "FastTopK", "TopKStep", "topk_loss"]


@dataclass(frozen=True)
class TopKStep:
    """Loss, its parts and the gradients of one batch."""

    loss: Tensor  # scalar: mean over batch and prefixes of |x - x_hat|^2 (+ the auxiliary loss)
    squared_error: Tensor  # scalar: sum over the batch of |x - x_hat|^2, all features
    indices: Tensor  # int64 [batch, k]
    values: Tensor  # [batch, k], >= 0
    gradients: Weights  # of `loss`
    auxiliary: Tensor  # scalar: the auxiliary loss within `loss`, with its coefficient
    fired: Tensor  # int64 [d_sae]: at how many of the rows each feature was on


def topk_loss(x: Tensor, weights: Weights, k: int, aux: AuxK | None = None, prefixes: tuple[int, ...] = ()) -> Tensor:
    """The loss by dense products, for autograd to differentiate: the plain version."""
    W_enc, b_enc, W_dec, b_dec = weights
    pre = (x - b_dec) @ W_enc + b_enc  # [batch, d_sae]
    a = _keep(pre, k)
    x_hats = [a[:, :p] @ W_dec[:p] + b_dec for p in prefixes or (len(W_dec),)]
    x_hat = x_hats[-1]
    loss = torch.stack([(x - nested).square().sum(-1).mean() for nested in x_hats]).mean()
    if aux is not None:
        e = (x - x_hat).detach()
        e_hat = _keep(pre[:, aux.dead], aux.k) @ W_dec[aux.dead]
        loss = loss + aux.coefficient * (e - e_hat).square().sum(-1).mean()
    return loss


def _keep(pre: Tensor, k: int) -> Tensor:
    """max(0, TopK_k(pre)), dense."""
    values, indices = pre.topk(min(k, pre.shape[-1]), dim=-1)
    return torch.zeros_like(pre).scatter(-1, indices, values.relu())


class FastTopK:
    """The same loss and its gradients, of what is on alone.

    `prefixes` are the sizes of the nested dictionaries, ascending, d_sae last; () is a flat one. bf16=True multiplies
    the encoder in bfloat16 (activations then carry a relative error of about 1 %), the rest in float32.

    Example:
        >>> from saewidgets.sae import SAE, SAEConfig
        >>> sae = SAE(SAEConfig(d_in=8, d_sae=32, architecture="topk", k=3))
        >>> step = FastTopK(k=3)(torch.randn(5, 8), (sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec))
        >>> [list(g.shape) for g in step.gradients]
        [[8, 32], [32], [32, 8], [8]]
    """

    def __init__(self, k: int, *, prefixes: tuple[int, ...] = (), bf16: bool = False) -> None:
        self.k = k
        self.prefixes = prefixes
        self.dtype = torch.bfloat16 if bf16 else torch.float32
        self._sparse: Any = None  # a `SparseCPU`, from the first step that uses one

    @torch.no_grad()
    def __call__(self, x: Tensor, weights: Weights, aux: AuxK | None = None) -> TopKStep:
        """Loss, activations and gradients for one batch x [batch, d_in]."""
        fused = numba_sparse(x, *weights)
        return self._by_bags(x, weights, aux) if fused is None else self._by_loops(fused, x, weights, aux)

    def _by_loops(self, make: Callable[..., Any], x: Tensor, weights: Weights, aux: AuxK | None) -> TopKStep:
        """On the CPU with numba."""
        if self._sparse is None:
            self._sparse = make(bf16=self.dtype is torch.bfloat16)
        held = tuple(w.detach().contiguous() for w in weights)
        centered = x - held[3]
        prefixes = (*self.prefixes[:-1], len(held[2]))
        rows, dead_rows = self._sparse.top_k(centered, held, self.k, aux)
        found = self._sparse.step(
            rows, centered, centered, held, subtracted=True, prefixes=prefixes, dead=aux, dead_rows=dead_rows
        )
        indices, values = (torch.from_numpy(a).view(len(x), -1) for a in (rows.feature, rows.value))
        return TopKStep(found.loss, found.squared_error, indices, values, found.gradients, found.auxiliary, found.fired)

    def _by_bags(self, x: Tensor, weights: Weights, aux: AuxK | None) -> TopKStep:
        """On any device, without [batch, d_sae]: see `sparse`."""
        W_dec, b_dec = weights[2].detach(), weights[3].detach()
        centered = x - b_dec
        active, dead = top_k_of(centered, weights, self.k, aux, self.dtype)
        found = sparse_step(active, centered, x, weights, subtracted=True, prefixes=self.prefixes, aux=aux, dead=dead)
        indices, values = active.feature.view(len(x), -1), active.value.view(len(x), -1)
        fired = active.counts(len(W_dec))
        return TopKStep(found.loss, found.squared_error, indices, values, found.gradients, found.auxiliary, fired)
