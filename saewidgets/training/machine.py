"""What the bits of a training depend on besides its settings: a run that goes on elsewhere says so."""

from __future__ import annotations

import warnings
from importlib.metadata import PackageNotFoundError, version

import torch

from saewidgets.files import LoadError, parse_json, printable
from saewidgets.kernels import product


def facts(device: torch.device) -> dict[str, str]:
    """What must be equal for a resumed run to repeat the bits of one that went on.

    `product` is the way of the dense float32 product, which each process chooses by a trial; "" where it has not
    chosen.

    Example:
        >>> sorted(facts(torch.device("cpu")))
        ['device', 'numba', 'product', 'threads', 'torch']
    """
    return {
        "torch": torch.__version__,
        "numba": _numba(),
        "threads": str(torch.get_num_threads()) if device.type == "cpu" else "",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "product": product.chosen_so_far(),
    }


def continue_as(written: bytes, device: torch.device) -> None:
    """Take the product that the checkpoint's process took, if this one has none yet; warn of everything else that
    differs.
    """
    try:
        then = {str(name): str(value) for name, value in parse_json("checkpoint", written).items()}
    except LoadError:
        return  # a later version's: nothing to compare with
    if then.get("product"):
        product.choose(then["product"])
    now = facts(device)
    differ = [f"{name} {then[name] or 'none'}, here {now[name] or 'none'}" for name in now if _differs(then, now, name)]
    if differ:
        warnings.warn(
            f"this checkpoint was written with {printable('; '.join(differ))}: the run goes on, but not bit for bit",
            stacklevel=6,
        )


def _differs(then: dict[str, str], now: dict[str, str], name: str) -> bool:
    if name == "product" and not (then.get(name) and now[name]):
        return False
    return name in then and then[name] != now[name]


def _numba() -> str:
    try:
        return version("numba")
    except PackageNotFoundError:
        return ""
