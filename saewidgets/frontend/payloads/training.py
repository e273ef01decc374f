"""What a training monitor draws, as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from saewidgets.frontend.payloads.numbers import histogram, number
from saewidgets.records import TrainStep, firing_histogram

__all__ = ["curve", "density"]

_CURVES = ("loss", "fvu", "l0", "dead", "lr", "sparsity")


def curve(steps: Sequence[TrainStep], most: int = 400) -> list[list[Any]]:
    """At most `most` + 1 steps, evenly spaced and always the last, as [step, tokens, loss, fvu, l0, dead, lr,
    sparsity].
    """
    stride = max(1, math.ceil(len(steps) / most))
    chosen = list(steps[::stride])
    if steps and chosen[-1] is not steps[-1]:
        chosen.append(steps[-1])
    return [[s.step, s.tokens, *(number(getattr(s, name)) for name in _CURVES)] for s in chosen]


def density(rates: Any) -> dict[str, Any] | None:
    """How many features fire how often: counts in bins of log10 of their rates, and how many are silent."""
    if rates is None:
        return None
    found, silent = firing_histogram(rates)
    return {**histogram(found), "silent": silent}
