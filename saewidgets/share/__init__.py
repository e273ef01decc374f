"""What others' tools open: feature dashboards for Neuronpedia, and a feature's direction for llama.cpp and repeng.

Each is imported when it is first used, so what needs no model does not bring in torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_MODULES = {
    "NeuronpediaBatches": "neuronpedia",
    "save_control_vector": "control_vector",
    "save_neuronpedia": "neuronpedia",
}

__all__ = ["NeuronpediaBatches", "save_control_vector", "save_neuronpedia"]

if TYPE_CHECKING:
    from saewidgets.share.control_vector import save_control_vector
    from saewidgets.share.neuronpedia import NeuronpediaBatches, save_neuronpedia


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"saewidgets.share has no {name!r}; it has {', '.join(__all__)}", name=name)
    from saewidgets.elsewhere import torch_for

    with torch_for(f"sw.share.{name}"):
        value = getattr(import_module(f"saewidgets.share.{_MODULES[name]}"), name)
    globals()[name] = value  # the next use finds it at once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
