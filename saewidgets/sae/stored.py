"""How files hold an SAE's weights: as they are, in 16 bits, or in 8 bits with one scale per feature."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from saewidgets.files import LoadError, all_finite, unknown
from saewidgets.sae.architectures import ARCHITECTURES
from saewidgets.sae.config import SAEConfig

MAX_BYTES = 1 << 32  # of one SAE's weights
DTYPES = ("float32", "float16", "int8")  # that a file may hold
# In int8: of these two, one row per feature. The axis is the one that the row runs along.
ROWS = {"W_enc": 0, "W_dec": 1}
SCALE = "_scale"  # after the name of such a weight: its scales, float32 [d_sae]
_LARGEST = 127  # the other whole numbers of 8 bits are their opposites: -128 is not used
_BITS = 16  # of a scale: with 7 of a whole number 23, so that their product is exact in float32


def shapes(config: SAEConfig) -> dict[str, tuple[int, ...]]:
    """The weights of such an SAE and their shapes, in the order of its files.

    Example:
        >>> shapes(SAEConfig(d_in=4, d_sae=8, architecture="jumprelu"))["threshold"]
        (8,)
    """
    first = {"W_enc": (config.d_in, config.d_sae)}
    own = dict.fromkeys(ARCHITECTURES[config.architecture].weights, (config.d_sae,))
    width = config.output_width
    skip = {"W_skip": (config.d_in, width)} if config.skip else {}
    return {**first, **own, "W_dec": (config.d_sae, width), "b_dec": (width,), **skip}


def checked(path: str | Path, config: SAEConfig, weights: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Arrays from a file as float32 tensors, if they are this config's weights, in its shapes, and finite; else
    LoadError.
    """
    wanted, out = shapes(config), {}
    if set(weights) != set(wanted):
        raise LoadError(path, f"expected the arrays {sorted(wanted)}, found {sorted(weights)}")
    for name, shape in wanted.items():
        found = weights[name]
        if found.shape != shape or found.dtype.kind != "f":
            raise LoadError(path, f"{name} is {found.dtype} {list(found.shape)}, expected floats {list(shape)}")
        with np.errstate(over="ignore"):
            array = np.ascontiguousarray(found, dtype=np.float32)
        if not all_finite(array):
            raise LoadError(path, f"{name} holds values that are not finite")
        out[name] = torch.from_numpy(array)
    return out


@dataclass(frozen=True)
class Packed:
    """Weights as a file holds them, and how far they are from those that were given."""

    arrays: dict[str, np.ndarray]
    dtype: str
    relative_error: dict[str, float]  # of each weight that was rounded: |stored - given| / |given|, Frobenius norms


def pack(weights: Mapping[str, Tensor], dtype: str) -> Packed:
    """Weights as arrays of a file. In int8 each row of W_enc and W_dec, one per feature, is whole numbers from -127 to
    127 times a scale; what is small beside them stays float32.

    Rounding is to the nearest, so an error is at most half a scale, which is the row's largest number divided by 127.
    What `unpack` gives is packed into the same bytes again. Raises ValueError for a dtype that is none, and for a
    weight that is not finite, or would not be.
    """
    if dtype not in DTYPES:
        raise ValueError(unknown("dtype", str(dtype), DTYPES))
    given = {name: weight.detach().float().cpu().numpy() for name, weight in weights.items()}
    arrays: dict[str, np.ndarray] = {}
    stored: dict[str, np.ndarray] = {}
    for name, array in given.items():
        with np.errstate(over="ignore", invalid="ignore"):  # an overflow is reported below, as a sentence
            if dtype == "int8" and name in ROWS:
                arrays[name], arrays[name + SCALE] = _whole(array, ROWS[name])
                stored[name] = _restored(arrays[name], arrays[name + SCALE], ROWS[name])
            else:
                arrays[name] = array.astype("float32" if dtype == "int8" else dtype)
                stored[name] = arrays[name]
    bad = [name for name, array in stored.items() if not all_finite(array)]
    if bad:
        raise ValueError(f"not saved: {', '.join(bad)} would hold values that are not finite in {dtype}")
    rounded = () if dtype == "float32" else given if dtype == "float16" else ROWS
    return Packed(arrays, dtype, {name: _distance(stored[name], given[name]) for name in rounded})


def unpack(path: str | Path, config: SAEConfig, arrays: Mapping[str, np.ndarray], dtype: str) -> dict[str, Tensor]:
    """The weights, float32, that a file of this dtype holds. Raises LoadError for what is no such SAE."""
    if dtype != "int8":
        return checked(path, config, arrays)
    wanted = shapes(config)
    if sum(math.prod(shape) for shape in wanted.values()) * 4 > MAX_BYTES:
        raise LoadError(path, f"in float32 its weights take more than the {MAX_BYTES:,} bytes allowed")
    weights = {name: array for name, array in arrays.items() if name not in (n + SCALE for n in ROWS)}
    for name, axis in ROWS.items():
        found, scale = weights.get(name), arrays.get(name + SCALE)
        if found is None or scale is None or found.dtype != np.int8 or found.shape != wanted[name]:
            held = "none" if found is None else f"{found.dtype} {list(found.shape)}"
            raise LoadError(path, f"{name} is {held}, expected int8 {list(wanted[name])} and {name + SCALE}")
        if scale.dtype != np.float32 or scale.shape != (config.d_sae,):
            raise LoadError(path, f"{name + SCALE} is {scale.dtype} {list(scale.shape)}, not float32 [{config.d_sae}]")
        if not (scale.min() >= 0 and float(scale.max()) * _LARGEST <= float(np.finfo(np.float32).max)):
            raise LoadError(path, f"{name + SCALE} holds a scale that is negative or too large")
        if found.min() < -_LARGEST:
            raise LoadError(path, f"{name} holds -128, which no weight is stored as")
        weights[name] = _restored(found, scale, axis)
    return checked(path, config, weights)


def _whole(array: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """int8 and float32 scales, whose product is the array, rounded."""
    largest = np.abs(array).max(axis).astype(np.float64)
    mantissa, exponent = np.frexp(largest / _LARGEST)
    scale = np.ldexp(np.ceil(mantissa * 2.0**_BITS) / 2.0**_BITS, exponent).astype(np.float32)
    steps = array / np.expand_dims(np.where(scale > 0, scale, 1.0).astype(np.float32), axis)
    return np.clip(np.rint(steps), -_LARGEST, _LARGEST).astype(np.int8), scale


def _restored(whole: np.ndarray, scale: np.ndarray, axis: int) -> np.ndarray:
    product: np.ndarray = whole.astype(np.float32) * np.expand_dims(scale, axis)
    return product


def _distance(stored: np.ndarray, given: np.ndarray) -> float:
    length = float(np.linalg.norm(given))
    return float(np.linalg.norm(stored.astype(np.float32) - given)) / length if length else 0.0
