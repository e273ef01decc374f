"""One training step's loss and gradients for a ReLU SAE with an L1 penalty: plain, dense in closed form, and sparse.

    L = mean over the rows of ( |y - x_hat|^2 + lambda sum_i a_i n_i ),   a = max(0, z W_enc + b_enc),   x_hat = a W_dec + b_dec

with n_i = |W_dec_i| (Templeton et al. 2024) or 1 (Bricken et al. 2023). With g = dL/dx_hat and s = (g W_dec^T + lambda
n / rows) where a > 0, else 0: dW_dec = a^T g + lambda (sum a_i / rows) W_dec_i / n_i, dW_enc = z^T s, db_enc = sum s.
Five dense products, where differentiating the definition takes six and as many passes over fresh memory. An SAE begins
with half its activations on; when training has brought that under `DENSE`, one dense product is left, and loops over
what is on (`sparse_cpu`).

Which of the two is taken depends on the rows and the weights alone, so that a run that goes on takes the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from saewidgets.kernels import numba_sparse

if TYPE_CHECKING:
    from saewidgets.kernels.sparse_cpu import SparseCPU

PIECE = 1 << 20  # pre-activations in a piece of a dense step, 4 MB
# W_enc [d_in, d_sae], b_enc [d_sae], W_dec [d_sae, d_out], b_dec [d_out].
Weights = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class ReLUStep:
    """Loss, its parts and the gradients of one micro-batch."""

    loss: Tensor  # scalar
    cost: Tensor  # scalar: the second term of the loss, with lambda
    squared_error: Tensor  # scalar: sum over the rows of |y - x_hat|^2
    fired: Tensor  # int64 [d_sae]: at how many of the rows each feature was on
    gradients: Weights  # of `loss`
    sparse: bool  # whether by loops over what is on


def relu_l1(z: Tensor, y: Tensor, weights: Weights, l1: float, *, weighted: bool) -> Tensor:
    """The loss by its definition, for autograd to differentiate: the plain version. `z` may depend on b_dec."""
    W_enc, b_enc, W_dec, b_dec = weights
    a = (z @ W_enc + b_enc).relu()
    norm = W_dec.norm(dim=-1) if weighted else W_dec.new_ones(len(W_dec))
    return ((a @ W_dec + b_dec - y).square().sum() + l1 * (a @ norm).sum()) / len(z)


class FastReLU:
    """The same loss and its gradients. Keeps its large buffers from one call to the next.

    Example:
        >>> weights = torch.eye(2), torch.zeros(2), torch.eye(2), torch.zeros(2)
        >>> x = torch.tensor([[3.0, -1.0]])
        >>> step = FastReLU.where_it_can(x, weights)
        >>> step is None or float(step(x, x, weights, 2.0, weighted=True, subtracted=False).loss) == 7.0
        True
    """

    def __init__(self, make: Callable[[], SparseCPU]) -> None:
        self._sparse = make()

    @classmethod
    def where_it_can(cls, x: Tensor, weights: Weights) -> FastReLU | None:
        """One, if there is numba, and these are float32 on the CPU; else None."""
        make = numba_sparse(x, *weights)
        return None if make is None else cls(make)

    @torch.no_grad()
    def __call__(
        self, z: Tensor, y: Tensor, weights: Weights, l1: float, *, weighted: bool, subtracted: bool
    ) -> ReLUStep:
        """Loss and gradients at z [rows, d_in], what the encoder multiplies, and the target y [rows, d_out].

        l1: lambda. weighted: whether by the norms of W_dec's rows. subtracted: whether z is x - b_dec.
        """
        W_enc, b_enc, W_dec, b_dec = (w.detach().contiguous() for w in weights)
        weights = W_enc, b_enc, W_dec, b_dec
        if W_enc.shape != (z.shape[1], len(W_dec)) or y.shape != (len(z), W_dec.shape[1]):
            shapes = [list(t.shape) for t in (z, y, W_enc, W_dec)]
            raise ValueError(f"z, y, W_enc and W_dec have shapes {shapes}, which do not fit together")
        z, target = z.contiguous(), y - b_dec
        rows = self._sparse.positive(z, weights)
        if rows is None:
            return self._dense(z, target, weights, l1, weighted, subtracted)
        found = self._sparse.step(rows, z, target, weights, subtracted=subtracted, l1=l1, weighted=weighted)
        return ReLUStep(found.loss, found.cost, found.squared_error, found.fired, found.gradients, True)

    def _dense(
        self, z: Tensor, target: Tensor, weights: Weights, l1: float, weighted: bool, subtracted: bool
    ) -> ReLUStep:
        """By five products, a piece of the rows at a time."""
        from saewidgets.kernels import sparse_numba as loops
        from saewidgets.kernels.product import product
        from saewidgets.kernels.sparse_cpu import prices

        W_enc, b_enc, W_dec, _ = weights
        n, d_sae, d_out = len(z), len(W_dec), W_dec.shape[1]
        price, pull = prices(W_dec, l1 / n, weighted)
        count, length, db_enc = (np.zeros(d_sae, np.float32) for _ in range(3))
        shapes = (d_out, d_sae), (len(W_enc), d_sae), (d_out,)
        dW_dec_t, dW_enc, db_dec = (torch.zeros(shape, dtype=torch.float32) for shape in shapes)
        total = 0.0
        share: Any = self._sparse.share
        step = min(n, max(256, PIECE // d_sae))
        out = [torch.from_numpy(self._sparse.buffer(name, (step, d_sae))) for name in ("a", "slopes")]
        left = torch.from_numpy(self._sparse.buffer("left", (step, d_out)))
        more = [
            torch.from_numpy(self._sparse.buffer(name, (len(t), d_sae)))
            for name, t in (("dec", dW_dec_t), ("enc", dW_enc))
        ]
        for first in range(0, n, step):
            z_part, m = z[first : first + step], min(step, n - first)
            a = product(z_part, W_enc, b_enc, out=out[0][:m])
            share(lambda low, high, a=a: loops.relu_columns(low, high, a.numpy(), count, length), d_sae, a.numel())
            g = product(a, W_dec, out=left[:m]).sub_(target[first : first + m])
            total += float(g.square().sum(dtype=torch.float64))
            g.mul_(2 / n)
            s = product(g, W_dec.t(), out=out[1][:m])
            share(
                lambda low, high, a=a, s=s: loops.slope_columns(low, high, s.numpy(), a.numpy(), price, db_enc),
                d_sae,
                a.numel(),
            )
            dW_dec_t += product(g.t(), a, out=more[0])
            dW_enc += product(z_part.t(), s, out=more[1])
            db_dec += g.sum(0)
        dW_dec = torch.empty(d_sae, d_out, dtype=torch.float32)
        fixed = dW_dec_t.numpy(), W_dec.numpy(), pull, length, dW_dec.numpy()
        share(lambda low, high: loops.add_transposed(low, high, *fixed), d_sae, dW_dec.numel())
        cost = float(np.dot(price.astype(np.float64), length)) if price.size else 0.0
        db = torch.from_numpy(db_enc)
        if subtracted:
            db_dec -= W_enc @ db
        fired = torch.from_numpy(count).to(torch.int64)
        loss, cost_of, squared_error = (
            torch.tensor(float(v), dtype=torch.float32) for v in (total / n + cost, cost, total)
        )
        return ReLUStep(loss, cost_of, squared_error, fired, (dW_enc, db, dW_dec, db_dec), False)
