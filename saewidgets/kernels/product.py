"""The dense float32 product, by the fastest exact way that this machine has.

On some processors torch's usual float32 product (MKL) runs at half the speed that oneDNN reaches on the same numbers;
on others both are equal. So the first product of a process tries both for some milliseconds. The one that torch
documents is kept unless the other is faster by `MARGIN`: between ways of equal speed a noisy clock must not choose,
since they round differently, and a run that goes on must go on with the same one. `SAEWIDGETS_PRODUCT` = addmm or
onednn decides without trying.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

MARGIN = 1.25  # how much faster the other way must be
_TRIAL = (256, 256, 1024)  # rows, d_in, d_sae: 0.13 GFLOP, about a millisecond
_ROUNDS = 5

_ASKED: dict[str, str] = {}  # "way": what `choose` was given first

Way = Callable[[Tensor, Tensor, Tensor | None, Tensor], Tensor]


def product(a: Tensor, b: Tensor, bias: Tensor | None = None, *, out: Tensor) -> Tensor:
    """a [n, m] @ b [m, p] + bias [p], float32 on the CPU; the result is `out` or another tensor of its shape.

    Example:
        >>> product(torch.ones(2, 3), torch.ones(3, 4), out=torch.empty(2, 4)).tolist()
        [[3.0, 3.0, 3.0, 3.0], [3.0, 3.0, 3.0, 3.0]]
    """
    return WAYS[chosen()](a, b, bias, out)


@cache
def chosen() -> str:
    """The name of the way that `product` takes in this process. Raises ValueError if the environment names another."""
    asked = os.environ.get("SAEWIDGETS_PRODUCT", "")
    if asked:
        if asked not in WAYS:
            raise ValueError(f"SAEWIDGETS_PRODUCT is {asked!r}; it can be {' or '.join(WAYS)}")
        return asked
    if "way" in _ASKED:
        return _ASKED["way"]
    if not _has_onednn():
        return "addmm"
    seconds = trial()
    return "onednn" if seconds["onednn"] * MARGIN < seconds["addmm"] else "addmm"


def chosen_so_far() -> str:
    """`chosen()` where that needs no trial; "" if this process has made no product yet and nothing decides which."""
    decided = chosen.cache_info().currsize or _ASKED or os.environ.get("SAEWIDGETS_PRODUCT")
    return chosen() if decided else ""


def choose(way: str) -> None:
    """Take this way from now on, as the process whose run goes on here did; without effect once a way is chosen."""
    if chosen.cache_info().currsize:
        return
    if way in WAYS and (way == "addmm" or _has_onednn()) and not os.environ.get("SAEWIDGETS_PRODUCT"):
        _ASKED.setdefault("way", way)


def trial() -> dict[str, float]:
    """Seconds of one product by each way, the least of some: of this thread's own time, so that a busy machine counts
    little.
    """
    n, m, p = _TRIAL
    generator = torch.Generator().manual_seed(0)
    a, b = (
        torch.randn(n, m, generator=generator, dtype=torch.float32),
        torch.randn(m, p, generator=generator, dtype=torch.float32),
    )
    bias, out = torch.zeros(p, dtype=torch.float32), torch.empty(n, p, dtype=torch.float32)
    best = dict.fromkeys(WAYS, float("inf"))
    for _ in range(_ROUNDS + 1):  # the first, in which a library sets itself up, is never the least
        for name, way in WAYS.items():
            start = time.thread_time()
            way(a, b, bias, out)
            best[name] = min(best[name], time.thread_time() - start)
    return best


def _addmm(a: Tensor, b: Tensor, bias: Tensor | None, out: Tensor) -> Tensor:
    return torch.mm(a, b, out=out) if bias is None else torch.addmm(bias, a, b, out=out)


def _onednn(a: Tensor, b: Tensor, bias: Tensor | None, out: Tensor) -> Tensor:
    # Not of torch's public names: `_has_onednn` tries it before it is used.
    value: Tensor = torch.ops.mkldnn._linear_pointwise(a, b.t(), bias, "none", [], "")
    return value


WAYS: dict[str, Way] = {"addmm": _addmm, "onednn": _onednn}


def _has_onednn() -> bool:
    """Whether that operator is there and gives products, for every layout that is used here."""
    a, b, bias = (torch.arange(n, dtype=torch.float32) for n in (6, 12, 4))
    a, b = a.view(2, 3), b.view(3, 4)
    out = torch.empty(2, 4, dtype=torch.float32)
    try:
        exact = all(
            torch.equal(_onednn(left, right, bias, out), left @ right + bias)
            for left in (a, a.t().contiguous().t())
            for right in (b, b.t().contiguous().t())
        )
    except Exception:  # whatever a private operator may raise in another torch
        return False
    return exact and torch.equal(_onednn(a, b, None, out), a @ b)
