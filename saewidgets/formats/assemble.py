"""From a producer's arrays and words to an `SAE`."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.files import LoadError, short
from saewidgets.records import ActivationSite
from saewidgets.sae import SAE, SAEConfig, checked

NO_SCALE = (
    "it was trained on inputs times sqrt(d_in) / mean |x|, a number that the files do not hold: give "
    "load_sae(..., site=ActivationSite(..., scale=that number))"
)


def assemble(
    path: str | Path,
    architecture: str,
    weights: Mapping[str, np.ndarray],
    *,
    site: ActivationSite | None,
    name: str = "",
    **options: Any,
) -> SAE:
    """An SAE of these weights, under our names and in our shapes; sizes are W_enc's. `options` go to SAEConfig.

    Raises LoadError if they do not fit together, or not the site.
    """
    for weight, array in weights.items():
        if not isinstance(array, np.ndarray):
            raise LoadError(path, f"its {weight} is not an array")
    d_in, d_sae = matrix(path, weights, "W_enc").shape
    try:
        config = SAEConfig(int(d_in), int(d_sae), architecture, site=site, **options)
    except ValueError as error:
        raise LoadError(path, str(error)) from error
    return SAE.from_weights(config, checked(path, config, weights), name=name)


def placed(model_name: str | None, hook_name: str | None, d_in: int, **more: Any) -> ActivationSite | None:
    """The site that a file names, or None where it does not name one."""
    return ActivationSite(model_name, hook_name, d_in, **more) if model_name and hook_name else None


def matrix(path: str | Path, weights: Mapping[str, Any], name: str) -> np.ndarray:
    """One array with two axes, neither empty, or LoadError."""
    found = weights.get(name)
    if not isinstance(found, np.ndarray) or found.ndim != 2 or 0 in found.shape:
        raise LoadError(path, f"it holds no matrix {name}")
    return found


def count(path: str | Path, weights: Mapping[str, Any], name: str) -> int:
    """A whole number of 1 or more, or LoadError."""
    found = number(path, weights, name)
    if found < 1 or found != int(found):
        raise LoadError(path, f"{name} = {found:g} is not a number of features")
    return int(found)


def mean_count(path: str | Path, weights: Mapping[str, Any], name: str) -> int:
    """A number of features on average: the nearest whole one, of 1 or more, or LoadError.

    BatchTopK needs it in training alone. Which features are on is up to the threshold, which the file holds.
    """
    found = number(path, weights, name)
    if found <= 0:
        raise LoadError(path, f"{name} = {found:g} is not a number of features")
    kept = max(1, math.floor(found + 0.5))
    if kept != found:
        warnings.warn(
            f"{path}: {name} = {found:g} is kept as {kept}; the threshold says which features are on", stacklevel=2
        )
    return kept


def number(path: str | Path, weights: Mapping[str, Any], name: str) -> float:
    """One finite number, as itself or as an array of one, or LoadError."""
    found = weights.get(name)
    if isinstance(found, np.ndarray) and found.size == 1:
        found = found.reshape(()).item()
    if isinstance(found, int | float) and not isinstance(found, bool) and abs(found) < 1e30:
        return float(found)
    raise LoadError(path, f"it holds no number {name}")


def named_text(path: str | Path, data: Mapping[str, Any], name: str) -> str | None:
    """A text of a config, or None where it is null or left out; LoadError for anything else."""
    found = data.get(name)
    if found is not None and not (isinstance(found, str) and 0 < len(found) < 200):
        raise LoadError(path, f"{name} must be text, not {short(found)}")
    return found


def processed(site: ActivationSite | None, weight_processing: str | None) -> ActivationSite | None:
    """The site with the weight processing that a release is known for."""
    return replace(site, weight_processing=weight_processing) if site and weight_processing else site
