"""One training step's loss and gradients for a TopK SAE: plain, and fast.

With B rows of d_in numbers and only k of d_sae activations non-zero in each, a step needs one dense matmul, the
encoder's. Decoding reads k rows of W_dec a token, and each feature's gradient sums over the tokens at which it was on.
The fast version does that with gathers, or on the CPU by compiled loops where numba is at hand (`sparse_cpu`); the
plain one is dense autograd, and tests hold them together.

A Matryoshka SAE (Bussmann et al. 2025) nests dictionaries: the features below each of `prefixes` must reconstruct x by
themselves too. The first ones then learn the broad concepts, which a flat dictionary splits up.

Here x is in SAE units, and rows are [batch, d_in].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from saewidgets.kernels import numba_sparse

Weights = tuple[Tensor, Tensor, Tensor, Tensor]  # W_enc [d_in, d_sae], b_enc [d_sae], W_dec [d_sae, d_in], b_dec [d_in]


@dataclass(frozen=True)
class AuxK:
    """The auxiliary loss of Gao et al. 2024: dead features learn to explain what the live ones left over.

    coefficient * |e - e_hat|^2, with e = x - x_hat held fixed and e_hat the k largest dead activations times their
    rows.
    """

    dead: Tensor  # int64 [n_dead], features that have not fired for long
    k: int  # how many of them take part at each token
    coefficient: float = 1 / 32


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
    """The same loss and its gradients, by gathers. Keeps its large buffers from one call to the next.

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
        # Where each part of the dictionary but the first begins.
        self.parts = torch.tensor(prefixes[:-1], dtype=torch.int64)
        self.dtype = torch.bfloat16 if bf16 else torch.float32
        self._buffer: Tensor | None = None
        self._sparse: Any = None  # a `SparseCPU`, from the first step that uses one

    @torch.no_grad()
    def __call__(self, x: Tensor, weights: Weights, aux: AuxK | None = None) -> TopKStep:
        """Loss, activations and gradients for one batch x [batch, d_in]."""
        fused = numba_sparse(x, *weights)
        return self._by_gathers(x, weights, aux) if fused is None else self._by_loops(fused, x, weights, aux)

    def _by_loops(self, make: Callable[..., Any], x: Tensor, weights: Weights, aux: AuxK | None) -> TopKStep:
        """On the CPU with numba."""
        if self._sparse is None:
            self._sparse = make(bf16=self.dtype is torch.bfloat16)
        held = tuple(w.detach().contiguous() for w in weights)
        centered = x - held[3]
        prefixes = (*self.parts.tolist(), len(held[2]))
        rows, dead_rows = self._sparse.top_k(centered, held, self.k, aux)
        found = self._sparse.step(
            rows, centered, centered, held, subtracted=True, prefixes=prefixes, dead=aux, dead_rows=dead_rows
        )
        indices, values = (torch.from_numpy(a).view(len(x), -1) for a in (rows.feature, rows.value))
        return TopKStep(found.loss, found.squared_error, indices, values, found.gradients, found.auxiliary, found.fired)

    def _by_gathers(self, x: Tensor, weights: Weights, aux: AuxK | None) -> TopKStep:
        """By torch's own operators, on any device."""
        W_enc, b_enc, W_dec, b_dec = (w.detach() for w in weights)
        centered = x - b_dec
        pre = self._pre_activations(centered, W_enc, b_enc)
        values, indices = top_k(pre, self.k)
        part = torch.bucketize(indices, self.parts.to(x.device), right=True)  # [batch, k], of the dictionary
        errors: list[Tensor] = []  # x_hat - x, by the features up to each part
        for j in range(len(self.parts) + 1):
            error = errors[-1] if errors else b_dec - x
            errors.append(error + _decode(indices, values * (part == j), W_dec))
        error = errors[-1]
        squared_error = error.square().sum()
        loss = sum((e.square().sum() for e in errors[:-1]), squared_error) / (len(errors) * len(x))
        # What part j decodes to stands in reconstruction j and all later ones: [part, batch, d_in], d loss / d that.
        g = torch.stack(errors).mul_(2 / (len(errors) * len(x))).flip(0).cumsum(0).flip(0)
        slopes = torch.stack([_slopes(indices, values, W_dec, g[j]) * (part == j) for j in range(len(g))]).sum(0)
        dW_dec, dW_enc, db_enc = _weight_gradients(indices, values, slopes, g, part, centered, len(W_dec))
        auxiliary = torch.zeros_like(loss)
        if aux is not None:
            W_dead = W_dec[aux.dead]
            values_dead, which = top_k(pre[:, aux.dead], min(aux.k, len(aux.dead)))
            left = _decode(which, values_dead, W_dead) + error  # e_hat - e
            auxiliary = aux.coefficient * left.square().sum() / len(x)
            loss = loss + auxiliary
            g_dead = left * (2 * aux.coefficient / len(x))
            slopes_dead = _slopes(which, values_dead, W_dead, g_dead)
            one_part = torch.zeros_like(which)
            added = _weight_gradients(which, values_dead, slopes_dead, g_dead[None], one_part, centered, len(W_dead))
            for total, part in zip((dW_dec, dW_enc, db_enc), added, strict=True):
                total.index_add_(0, aux.dead, part)
        db_dec = g[0].sum(0) - W_enc @ db_enc  # as an output bias, and as what is subtracted before the encoder
        gradients = (dW_enc.T, db_enc, dW_dec, db_dec)
        fired = torch.bincount(indices[values > 0], minlength=len(W_dec))
        return TopKStep(loss, squared_error, indices, values, gradients, auxiliary, fired)

    def _pre_activations(self, x: Tensor, W_enc: Tensor, b_enc: Tensor) -> Tensor:
        """[batch, d_sae], valid until the next call. Fresh memory of this size would cost as much as the product."""
        shape = (len(x), len(b_enc))
        if self._buffer is None or self._buffer.shape != shape or self._buffer.device != x.device:
            self._buffer = torch.empty(shape, dtype=self.dtype, device=x.device)
        return torch.addmm(b_enc.to(self.dtype), x.to(self.dtype), W_enc.to(self.dtype), out=self._buffer)


def top_k(pre: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """(values, indices) [batch, k] of max(0, TopK_k(pre)), in float32 and in no stated order."""
    values, indices = pre.topk(k, dim=-1, sorted=False)
    return values.float().relu_(), indices


def _decode(indices: Tensor, values: Tensor, W_dec: Tensor) -> Tensor:
    """sum_j values[b, j] W_dec[indices[b, j]]: [batch, d_in]."""
    return F.embedding_bag(indices, W_dec, per_sample_weights=values, mode="sum")


def _slopes(indices: Tensor, values: Tensor, W_dec: Tensor, g: Tensor) -> Tensor:
    """d loss / d pre-activation [batch, k]: g_b . W_dec[indices[b, j]], and 0 where the ReLU is off.

    Autograd of `_decode` runs these dot products without writing out the gathered rows.
    """
    with torch.enable_grad():
        leaf = values.detach().requires_grad_()
        (slopes,) = torch.autograd.grad(_decode(indices, leaf, W_dec), leaf, g)
    return slopes * (values > 0)


def _weight_gradients(
    indices: Tensor, values: Tensor, slopes: Tensor, g: Tensor, part: Tensor, x: Tensor, n: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of n features' decoder rows [n, d_in], encoder columns (as rows) [n, d_in] and encoder biases [n].

    g is [part, batch, d_in], and part [batch, k] says which of it an activation goes by.
    dW_dec[f] = sum value g_b, dW_enc[f] = sum slope x_b, db_enc[f] = sum slope, over the (b, j) with indices[b, j] = f.
    """
    flat = indices.reshape(-1)
    order = flat.to(torch.int32).argsort(stable=True)  # stable: sums run in the same order every time
    row = order // indices.shape[-1]
    counts = torch.bincount(flat, minlength=n)
    start = counts.cumsum(0) - counts
    of_part = part.reshape(-1)[order] * len(x) + row
    dW_dec = F.embedding_bag(of_part, g.flatten(0, 1), start, mode="sum", per_sample_weights=values.reshape(-1)[order])
    dW_enc = F.embedding_bag(row, x, start, mode="sum", per_sample_weights=slopes.reshape(-1)[order])
    db_enc = torch.zeros(n, dtype=slopes.dtype, device=slopes.device).index_add_(0, flat, slopes.reshape(-1))
    return dW_dec, dW_enc, db_enc
