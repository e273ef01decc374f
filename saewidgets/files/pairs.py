"""A config and its weights: two files, saved and read as one.

The weights are one safetensors file whose metadata hold the config as well, so that the rename of that one file is the
whole transaction. The config's own file, which people and other programs read, names the SHA-256 of the weights that it
belongs to. While weights are replaced, that file holds the old config inside an object that is no config: a program
that knows nothing of this finds the old pair, the new pair, or a config that it refuses, and never one's config with
the other's weights.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.files import digest
from saewidgets.files.errors import LoadError
from saewidgets.files.json_reading import parse_json, read_json
from saewidgets.files.reading import MAX_TENSORS, read_tensors_and_metadata
from saewidgets.files.writing import Staged, alone, json_bytes, tensor_parts, write_json

IN_WEIGHTS = "saewidgets.config"  # in the weights' metadata: the config, as JSON
IN_CONFIG = "weights_sha256"  # in the config's file: the SHA-256 that the weights carry
BEFORE = "being_replaced"  # in the config's file while a save is under way: what it held before


def write_pair(
    config_path: Path, config: Mapping[str, Any], weights_path: Path, tensors: Mapping[str, np.ndarray]
) -> None:
    """Write both files, in one folder, which is made if it is not there: killed at any moment, the old pair or the new
    is there.

    Raises ValueError, and writes nothing, for a value that is not finite; OSError if the disk refuses: the old pair
    then stands.
    """
    parts, sha256 = tensor_parts(weights_path, tensors, {IN_WEIGHTS: json.dumps(config, allow_nan=False)})
    config_path.parent.mkdir(parents=True, exist_ok=True)
    with alone(config_path.parent), ExitStack() as stack:
        weights = stack.enter_context(Staged(weights_path, parts))
        new = stack.enter_context(Staged(config_path, json_bytes({**config, IN_CONFIG: sha256})))
        before = _present(config_path) if weights_path.exists() else None
        between = before is not None and BEFORE not in before and _alone(before) != config
        if between:
            write_json(config_path, {BEFORE: before})
        try:
            weights.replace()
        except BaseException:  # a disk that refuses, or an interrupt, which may come after the rename too
            with suppress(OSError):  # if that fails as well, `read_pair` still finds the right pair
                if not weights.waiting:
                    new.replace()
                elif between:
                    write_json(config_path, before or {})
            raise
        new.replace()


def read_pair(
    config_path: Path, weights_path: Path, *, max_bytes: int, max_tensors: int = MAX_TENSORS, foreign: bool = False
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The config and the arrays that belong together, of what `write_pair` wrote, finished or not, or of any other two
    files.

    Where the two files do not belong together, the config inside the weights is taken, with a warning if that is
    another one. A config that names no weights, as older versions and other programs wrote it, is taken as it is;
    `foreign` is that of `read_json`.

    Raises LoadError, and nothing else, for files that are missing, too large or unsound, and for a config of other
    weights where the weights hold no config.
    """
    given = _config(config_path, weights_path, foreign)
    for _ in range(3):
        tensors, metadata = read_tensors_and_metadata(weights_path, max_bytes=max_bytes, max_tensors=max_tensors)
        earlier = given
        if given is None or given.get(IN_CONFIG) == metadata.get(digest.KEY):
            break
        given = _config(config_path, weights_path, foreign)
        if given == earlier:  # otherwise another process has just saved: its weights are next
            break
    replacing = given is not None and BEFORE in given
    config = given[BEFORE] if given is not None and replacing else given
    if replacing and not isinstance(config, dict):
        raise LoadError(config_path, f"{BEFORE} is not an object")
    own = parse_json(weights_path, metadata[IN_WEIGHTS].encode()) if IN_WEIGHTS in metadata else None
    if config is not None and (IN_CONFIG not in config and not (replacing and own)):
        return config, tensors
    if config is not None and config.get(IN_CONFIG) == metadata.get(digest.KEY):
        return _alone(config), tensors
    if own is None:
        if config is None:
            raise LoadError(config_path, "this file is missing")
        raise LoadError(
            config_path,
            f"it belongs to other weights than those in {weights_path.name} (SHA-256); if they were changed on purpose, remove "
            f"{IN_CONFIG} from it",
        )
    if config is not None and not replacing and _alone(config) != own:
        warnings.warn(
            f"{LoadError(config_path, 'it belongs to other weights')}; those in {weights_path.name} hold a config of their own, "
            "which is used: save again to put this right",
            stacklevel=4,
        )
    return own, tensors


def _config(path: Path, weights_path: Path, foreign: bool) -> dict[str, Any] | None:
    """What the config's file holds; None if only the weights are there."""
    return read_json(path, foreign=foreign) if path.exists() or not weights_path.exists() else None


def _present(path: Path) -> dict[str, Any] | None:
    """The config that is there now; {} for a file that is none."""
    try:
        found: dict[str, Any] = _finite(read_json(path, foreign=True))
        return found
    except LoadError:
        return {} if path.exists() else None


def _finite(value: Any) -> Any:
    """Another program's JSON with null for numbers that are not finite, which no file of ours holds."""
    if isinstance(value, dict):
        return {name: _finite(own) for name, own in value.items()}
    if isinstance(value, list):
        return [_finite(own) for own in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _alone(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config without the name of its weights."""
    return {name: value for name, value in config.items() if name != IN_CONFIG}
