"""Functions that jump, with the pseudo-derivatives by which their thresholds are learned (Rajamanoharan et al. 2024).

With K(u) = 1 where |u| < 1/2, else 0, and eps the bandwidth, z [rows, n] and theta [n]:

    jump:           z where z > theta, else 0;   d/dz = H(z - theta),   d/dtheta := -(theta / eps) K((z - theta) / eps)
    step_function:  H(z - theta);                d/dz := 0,             d/dtheta := -(1 / eps) K((z - theta) / eps)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Jump(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, theta: Tensor, eps: float) -> Tensor:
        ctx.save_for_backward(z, theta)
        ctx.eps = eps
        return z * (z > theta)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, None]:
        (g,) = gradients
        z, theta = ctx.saved_tensors
        near = ((z - theta).abs() < ctx.eps / 2).to(g.dtype)
        return g * (z > theta), -(theta / ctx.eps) * (near * g).sum(0), None


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, theta: Tensor, eps: float) -> Tensor:
        ctx.save_for_backward(z, theta)
        ctx.eps = eps
        return (z > theta).to(theta.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[None, Tensor, None]:
        (g,) = gradients
        z, theta = ctx.saved_tensors
        near = ((z - theta).abs() < ctx.eps / 2).to(g.dtype)
        return None, -(near * g).sum(0) / ctx.eps, None


def jump(z: Tensor, theta: Tensor, eps: float) -> Tensor:
    """z [rows, n] where it is above theta [n], else 0.

    Example:
        >>> jump(torch.tensor([[0.5, 2.0]]), torch.tensor([1.0, 1.0]), 0.1).tolist()
        [[0.0, 2.0]]
    """
    value: Tensor = _Jump.apply(z, theta, eps)  # type: ignore[no-untyped-call]
    return value


def step_function(z: Tensor, theta: Tensor, eps: float) -> Tensor:
    """1 where z [rows, n] is above theta [n], else 0.

    Example:
        >>> step_function(torch.tensor([[0.5, 2.0]]), torch.tensor([1.0, 1.0]), 0.1).tolist()
        [[0.0, 1.0]]
    """
    value: Tensor = _Step.apply(z, theta, eps)  # type: ignore[no-untyped-call]
    return value
