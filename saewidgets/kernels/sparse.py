"""One training step's loss and gradients for an SAE of which any set of activations is on: BatchTopK, transcoders.

The same products as in `kernels.topk`, for a number of active features that differs from row to row, and for a target
that need not be the input. The dense product is the encoder's, which the caller does; the plain version is dense
autograd, and a test holds the two together.

Rows are [rows, d_in] and [rows, d_out], in SAE units.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from saewidgets.kernels.topk import AuxK


@dataclass(frozen=True)
class Active:
    """The activations that are on, one entry each, sorted by row."""

    row: Tensor  # int64 [n]
    feature: Tensor  # int64 [n]
    value: Tensor  # float32 [n], above 0
    n_rows: int


@dataclass(frozen=True)
class SparseStep:
    """Loss, its parts and the gradients of one micro-batch."""

    loss: Tensor  # scalar: mean over rows and prefixes of |y - x_hat|^2, + `auxiliary`
    auxiliary: Tensor  # scalar: the auxiliary loss, with its coefficient
    squared_error: Tensor  # scalar: sum over the rows of |y - x_hat|^2, all features
    gradients: tuple[Tensor, Tensor, Tensor, Tensor]  # of W_enc, b_enc, W_dec, b_dec


def above(pre: Tensor, cut: Tensor | float) -> Active:
    """The activations of pre [rows, d_sae] that are positive and no less than `cut`."""
    row, feature = ((pre >= cut) & (pre > 0)).nonzero(as_tuple=True)
    return Active(row, feature, _wide(pre[row, feature]), len(pre))


def largest(pre: Tensor, k: int) -> Active:
    """The positive ones among the k largest of each row of pre [rows, d_sae]."""
    values, indices = pre.topk(min(k, pre.shape[-1]), dim=-1, sorted=False)
    row, column = (~(values <= 0)).nonzero(as_tuple=True)  # a nan stays, and shows in the loss
    return Active(row, indices[row, column], _wide(values[row, column]), len(pre))


def kept(pre: Tensor, n: int) -> Tensor:
    """The n largest of all positive values in pre [rows, d_sae], in no stated order; zeros fill up."""
    return _wide(pre.flatten().topk(min(n, pre.numel()), sorted=False).values).relu()


def nth_largest(pre: Tensor, n: int, hint: float = 0.0) -> Tensor:
    """The n-th largest of all values in pre [rows, d_sae], or 0 where that is negative: the smallest of `kept`.

    A `hint` of what it may be makes it fast: values under it are looked at only if fewer than n lie above. It changes
    nothing else.
    """
    n = min(n, pre.numel())
    if hint > 0:
        high = pre[~(pre <= hint)]  # a nan stays, and is the largest
        if len(high) >= n:
            return _wide(high).kthvalue(len(high) - n + 1).values.relu()
    return _wide(pre.flatten()).kthvalue(pre.numel() - n + 1).values.relu()


def _wide(values: Tensor) -> Tensor:
    """bfloat16 as float32."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


@torch.no_grad()
def sparse_step(
    active: Active,
    pre: Tensor,
    z: Tensor,
    y: Tensor,
    weights: tuple[Tensor, Tensor, Tensor, Tensor],
    *,
    subtracted: bool,
    prefixes: tuple[int, ...] = (),
    aux: AuxK | None = None,
) -> SparseStep:
    """Loss and gradients for rows whose activations are chosen already.

    Args:
        active: which activations are on. The choice is held fixed: no gradient goes through it.
        pre: pre-activations [rows, d_sae], of which AuxK takes the dead ones.
        z: what the encoder multiplied, [rows, d_in].
        y: the target [rows, d_out].
        weights: W_enc [d_in, d_sae], b_enc, W_dec [d_sae, d_out], b_dec.
        subtracted: whether b_dec was subtracted from x to make z.
        prefixes: of a Matryoshka SAE, see `kernels.topk`; () is a flat one.
        aux: dead features that learn too.
    """
    W_enc, _, W_dec, b_dec = (w.detach() for w in weights)
    n = len(y)
    parts = torch.tensor(prefixes[:-1], dtype=torch.int64, device=y.device)
    part = torch.bucketize(active.feature, parts, right=True)
    errors: list[Tensor] = []
    for j in range(len(parts) + 1):
        error = errors[-1] if errors else b_dec - y
        errors.append(error + _decode(active, active.value * (part == j), W_dec))
    error = errors[-1]
    squared_error = error.square().sum()
    loss = sum((e.square().sum() for e in errors[:-1]), squared_error) / (len(errors) * n)
    # What part j decodes to stands in reconstruction j and all later ones: [part, rows, d_out], d loss / d that.
    g = torch.stack(errors).mul_(2 / (len(errors) * n)).flip(0).cumsum(0).flip(0)
    slopes = torch.stack([_slopes(active, W_dec, g[j]) * (part == j) for j in range(len(g))]).sum(0)
    dW_dec, dW_enc, db_enc = _weight_gradients(active, slopes, g, part, z, len(W_dec))
    auxiliary = torch.zeros_like(loss)
    if aux is not None:
        W_dead = W_dec[aux.dead]
        dead = largest(pre[:, aux.dead], aux.k)
        left = _decode(dead, dead.value, W_dead) + error  # e_hat - e
        auxiliary = aux.coefficient * left.square().sum() / n
        g_dead = left * (2 * aux.coefficient / n)
        one_part = torch.zeros_like(dead.row)
        added = _weight_gradients(dead, _slopes(dead, W_dead, g_dead), g_dead[None], one_part, z, len(W_dead))
        for total, extra in zip((dW_dec, dW_enc, db_enc), added, strict=True):
            total.index_add_(0, aux.dead, extra)
    db_dec = g[0].sum(0)
    if subtracted:
        db_dec = db_dec - W_enc @ db_enc
    return SparseStep(loss + auxiliary, auxiliary, squared_error, (dW_enc.T, db_enc, dW_dec, db_dec))


def _starts(sorted_ids: Tensor, n: int) -> Tensor:
    """Where each of 0 .. n - 1 begins in a sorted list."""
    counts = torch.bincount(sorted_ids, minlength=n)
    return counts.cumsum(0) - counts


def _decode(active: Active, values: Tensor, W_dec: Tensor) -> Tensor:
    """The sum of value * W_dec[feature] over each row's entries: [rows, d_out]."""
    starts = _starts(active.row, active.n_rows)
    return F.embedding_bag(active.feature, W_dec, starts, per_sample_weights=values, mode="sum")


def _slopes(active: Active, W_dec: Tensor, g: Tensor) -> Tensor:
    """d loss / d value [n]: g[row] . W_dec[feature], without writing out the gathered rows."""
    with torch.enable_grad():
        leaf = active.value.detach().requires_grad_()
        (slopes,) = torch.autograd.grad(_decode(active, leaf, W_dec), leaf, g)
    return slopes


def _weight_gradients(
    active: Active, slopes: Tensor, g: Tensor, part: Tensor, z: Tensor, n: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of n features' decoder rows [n, d_out], encoder columns (as rows) [n, d_in] and encoder biases [n]."""
    order = active.feature.argsort(stable=True)  # stable: sums run in the same order every time
    starts = _starts(active.feature, n)
    row = active.row[order]
    of_part = part[order] * len(z) + row
    dW_dec = F.embedding_bag(of_part, g.flatten(0, 1), starts, mode="sum", per_sample_weights=active.value[order])
    dW_enc = F.embedding_bag(row, z, starts, mode="sum", per_sample_weights=slopes[order])
    db_enc = torch.zeros(n, dtype=slopes.dtype, device=slopes.device).index_add_(0, active.feature, slopes)
    return dW_dec, dW_enc, db_enc
