"""Vectors that are many times longer than the others: where they begin, and whether a few hold most of the variance."""

from __future__ import annotations

import math

import torch
from torch import Tensor

TIMES = 3.5  # the median norm, from which a vector is outlying at the least
SPREADS = 6.0  # or so many standard deviations of log norms above it, where norms vary more
FARTHEST = 0.01  # share of the tokens, those farthest from the mean,
MOST = 0.5  # that hold more than this share of the variance: then the variance says little of the others
FEW = 100  # tokens of which the farthest hundredth is not one yet


def norm_bound(norms: Tensor) -> float | None:
    """The norm above which a vector is an outlier among these, of which most may not be: median * max(3.5, exp(6 s)).

    s is a robust standard deviation of log norms, 1.4826 times the median of |log norm - log median|. What language
    models keep at attention sinks (the first word of a text, say) is 4 to 180 times as long as the rest, whose s is
    about 0.15; where norms of all sizes occur, as in what an MLP adds, s is larger and nothing is out of the ordinary.
    None where all are 0 or none is finite.

    Example:
        >>> norm_bound(torch.tensor([100.0, 100.0, 100.0, 25_000.0]))
        350.0
    """
    logs = norms[norms.isfinite() & (norms > 0)].double().log()
    if not len(logs):
        return None
    middle = logs.median()
    spread = 1.4826 * float((logs - middle).abs().median())
    return float(f"{math.exp(float(middle) + max(math.log(TIMES), SPREADS * spread)):.6g}")


def above(x: Tensor, max_norm: float | None) -> Tensor:
    """bool [...]: which vectors of x [..., d] are longer than the bound. One that is not finite is none: it must not go
    unseen.

    Example:
        >>> above(torch.tensor([[3.0, 4.0], [0.3, 0.4], [float("inf"), 0.0]]), 1.0).tolist()
        [True, False, False]
    """
    if max_norm is None:
        return torch.zeros(x.shape[:-1], dtype=torch.bool, device=x.device)
    norm = torch.linalg.vector_norm(x.float(), dim=-1)
    value: Tensor = (norm > max_norm) & norm.isfinite()
    return value


def top_share(squared_distances: Tensor) -> float:
    """The share (0 to 1) of sum |x - m|^2 that the hundredth of the tokens hold which are farthest from the mean m.

    About .02 for vectors of like length; near 1 where a few are attention sinks, and then an FVU is about those alone.
    0 for fewer than 100 tokens, or where they do not vary.

    Args:
        squared_distances: |x - m|^2 of each token, [n].

    Example:
        >>> top_share(torch.tensor([1.0] * 99 + [99.0]))
        0.5
    """
    n, total = len(squared_distances), float(squared_distances.sum(dtype=torch.float64))
    if n < FEW or not 0 < total < math.inf:
        return 0.0
    return float(squared_distances.topk(math.ceil(FARTHEST * n)).values.sum(dtype=torch.float64)) / total


def doubt(share: float) -> str:
    """What is to be said where `top_share` is that large; "" where it is not."""
    if not share > MOST:
        return ""
    return (
        f"the 1 % of the tokens that are farthest from the mean hold {share:.0%} of the variance, as attention sinks do: FVU and "
        "loss are about those alone"
    )


CURE = 'train on sw.ActivationStore(..., outliers="leave out"), whose site says which tokens count'
