"""Toy models of superposition: geometry, neurons, closed forms, and SAEs on their hidden layers.

Its modules are its public list, each imported when it is first used: `geometry` and `superposition_theory` need no
torch.

Example:
    >>> from saewidgets.analysis import toys
    >>> toys.geometry.norms([[3.0, 0.0], [4.0, 1.0]])
    array([5., 1.])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saewidgets.analysis.toys import (
        bases,
        codes,
        families,
        gallery,
        geometry,
        loss_curves,
        memorization,
        neurons,
        recovery,
        sae_recovery,
        superposition_theory,
    )

__all__ = [
    "bases",
    "codes",
    "families",
    "gallery",
    "geometry",
    "loss_curves",
    "memorization",
    "neurons",
    "recovery",
    "sae_recovery",
    "superposition_theory",
]

# What stood here once -> what to type.
MOVED = {"undo": "sw.analysis.sae_recovery.recover_features"}


def __getattr__(name: str) -> Any:
    if name in __all__:
        from saewidgets.elsewhere import torch_for

        with torch_for(f"sw.analysis.{name}"):
            return import_module(f"{__name__}.{name}")
    if name in MOVED:
        raise AttributeError(f"{__name__} has no {name!r} any more; type {MOVED[name]}", name=name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
