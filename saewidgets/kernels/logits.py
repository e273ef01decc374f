"""What logits say of the token that came, and how far they are from other logits: by torch, or compiled on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor


def compared(logits: Sequence[Tensor], target: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(loss, divergence), float64 [set, n] each, in nats, of several sets of logits [n, d_vocab] on the same tokens.

        loss = logsumexp_v l_v - l_target,    divergence = KL(p || q) = sum_v p_v (log p_v - log q_v)

    with p the softmax of the first set and q that of each. The sets are float32 or 16 bits, target is int64 [n].

    Example:
        >>> flat, sure = torch.zeros(1, 2), torch.tensor([[0.0, -100.0]])
        >>> loss, divergence = compared([sure, flat], torch.tensor([0]))
        >>> loss.round(4).tolist(), divergence.round(4).tolist()
        ([[0.0], [0.6931]], [[0.0], [0.6931]])
    """
    quick = _compiled() if all(_read(own) for own in logits) else None
    if quick is None:
        return plain_compared(logits, target)
    loss, divergence = (np.zeros((len(logits), len(target))) for _ in range(2))
    first = _array(logits[0])
    for i, own in enumerate(logits):
        quick(first, _array(own), target.cpu().numpy(), loss[i], divergence[i], i > 0)
    return loss, divergence


def plain_compared(logits: Sequence[Tensor], target: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """`compared` by torch."""
    losses, divergences = list[Tensor](), list[Tensor]()
    p, entropy = torch.empty(0), torch.empty(0)
    for i, own in enumerate(map(Tensor.float, logits)):
        total = own.logsumexp(-1)
        losses.append(total - own.gather(-1, target.to(own.device)[:, None])[:, 0])
        if not i:  # KL(p || q) = sum p log p - sum p log q, each log a logit less its row's logsumexp
            p = (own - total[:, None]).exp_()
            entropy = torch.linalg.vecdot(p, own) - total
        divergences.append(entropy - (torch.linalg.vecdot(p, own) - total))
    loss, divergence = (torch.stack(found).double().cpu().numpy() for found in (losses, divergences))
    return loss, divergence


def _read(logits: Tensor) -> bool:
    """Whether the compiled way reads them."""
    kinds = (torch.float32, torch.bfloat16)
    return logits.device.type == "cpu" and logits.dtype in kinds and logits.is_contiguous() and logits.numel() > 0


def _array(logits: Tensor) -> Any:
    """The same memory as an array, bfloat16 as uint16."""
    own = logits.detach()
    return own.numpy() if own.dtype == torch.float32 else own.view(torch.int16).numpy().view(np.uint16)


@cache
def _compiled() -> Callable[..., None] | None:
    try:
        from saewidgets.kernels import logits_numba
    except ImportError:  # an extra
        return None
    found: Callable[..., None] = logits_numba.compared
    return found
