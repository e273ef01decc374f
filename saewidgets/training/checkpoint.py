"""A run on disk: one safetensors file, from which it goes on bit for bit; or a folder of the last two."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from saewidgets.files import LoadError, read_tensors, write_tensors
from saewidgets.sae import MAX_BYTES
from saewidgets.training import machine

if TYPE_CHECKING:
    from saewidgets.training.run import Run

# Of `TrainConfig`, in every checkpoint. A field that came later stands in one only where it is not at its default, so that
# older checkpoints go on.
_FIRST: tuple[str, ...] = (
    "steps",
    "lr",
    "betas",
    "lr_warmup",
    "lr_decay",
    "l1_warmup",
    "grad_clip",
    "dead_window",
    "aux_k",
)
_FIRST += ("aux_coefficient", "prefixes", "precision")
_LATER = ("fired", "window", "micro_batch", "machine", "digest")  # arrays that older checkpoints do not hold
_NO_NUMBERS = ("config", "machine", "digest")

KEPT = 2  # checkpoints in a folder


def save(run: Run, path: str | Path) -> None:
    """Write the run's checkpoint, atomically. Raises ValueError if a weight is not finite, OSError if the disk refuses."""
    tensors: dict[str, np.ndarray] = {
        "step": np.array([run.step, run.tokens], np.int64),
        "config": np.frombuffer(_fingerprint(run).encode(), np.uint8),
        "micro_batch": np.array([run.micro_batch or 0], np.int64),
        "machine": np.frombuffer(json.dumps(machine.facts(run.sae.W_dec.device)).encode(), np.uint8),
    }
    tensors |= {name: tensor.cpu().numpy() for name, tensor in run.tensors.items()}
    tensors["digest"] = _digest(tensors)
    if not Path(path).is_dir():
        write_tensors(path, tensors)
        return
    write_tensors(Path(path) / f"step-{run.step:09}.safetensors", tensors)
    for old in _in_folder(Path(path))[KEPT:]:
        old.unlink(missing_ok=True)


def restore(run: Run, path: str | Path) -> None:
    """Put a run where the checkpoint's stood. Raises LoadError, and changes nothing, on anything but such a checkpoint.

    Of a folder the last one written is taken; if that cannot be, the one before, with a warning.
    """
    if not os.path.isdir(path):  # also where the name is too long to be looked up
        _put(run, _read(run, path))
        return
    refused: list[LoadError] = []
    for file in _in_folder(Path(path)):
        try:
            tensors = _read(run, file)
        except LoadError as error:
            refused.append(error)
            continue
        for earlier in refused:
            warnings.warn(f"{earlier}; the run goes on from {file.name}, the checkpoint before", stacklevel=4)
        _put(run, tensors)
        return
    raise refused[0] if refused else LoadError(path, "there is no checkpoint in this folder")


def _in_folder(folder: Path) -> list[Path]:
    """Its checkpoints, the last one written first: by time, since a run may have begun anew in the folder of an older one."""
    found = [(file.stat().st_mtime_ns, file.name, file) for file in folder.glob("step-*.safetensors")]
    return [file for *_, file in sorted(found, reverse=True)]


def _read(run: Run, path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint of this run; LoadError on anything else."""
    tensors = read_tensors(path, max_bytes=4 * MAX_BYTES)
    own = run.tensors
    if "config" in tensors and bytes(tensors["config"].astype(np.uint8)) != _fingerprint(run).encode():
        raise LoadError(path, "this checkpoint was written with another SAEConfig or TrainConfig")
    wanted = {"step", "config", *own, *_LATER}
    if set(tensors) | set(_LATER) != wanted:
        raise LoadError(path, f"expected the arrays {sorted(wanted)}, found {sorted(tensors)}")
    expected = {name: (tensor.cpu().numpy().dtype, tuple(tensor.shape)) for name, tensor in own.items()}
    if "digest" in tensors and not np.array_equal(tensors["digest"], _digest(tensors)):
        raise LoadError(path, "its contents are not those that were written: the file was damaged")
    expected |= {"step": (np.dtype(np.int64), (2,)), "micro_batch": (np.dtype(np.int64), (1,))}
    for name, array in tensors.items():
        if name not in _NO_NUMBERS and (array.dtype, array.shape) != expected[name]:
            raise LoadError(path, f"{name} is {array.dtype} {list(array.shape)}")
    return tensors


def _put(run: Run, tensors: Mapping[str, np.ndarray]) -> None:
    """Make a run what these arrays say."""
    if "machine" in tensors:
        machine.continue_as(bytes(tensors["machine"].astype(np.uint8)), run.sae.W_dec.device)
    for name, tensor in run.tensors.items():
        if name in tensors:
            with torch.no_grad():
                tensor.copy_(torch.from_numpy(tensors[name]))
    run.step, run.tokens = (int(n) for n in tensors["step"])
    run.micro_batch = int(tensors.get("micro_batch", [0])[0]) or run.config.micro_batch
    run.set_adam_steps()


def _digest(tensors: Mapping[str, np.ndarray]) -> np.ndarray:
    """SHA-256 over all other arrays: uint8 [32]."""
    total = hashlib.sha256()
    for name in sorted(set(tensors) - {"digest"}):
        array = np.ascontiguousarray(tensors[name])
        total.update(f"{name} {array.dtype.str} {array.shape}".encode())
        total.update(array.data)
    return np.frombuffer(total.digest(), np.uint8)


def _fingerprint(run: Run) -> str:
    """What must be equal for a checkpoint to be continued."""
    sae = {name: value for name, value in run.sae.config.to_dict().items() if name != "format"}
    default = asdict(type(run.config)(steps=1))
    config = {name: value for name, value in asdict(run.config).items() if name in _FIRST or value != default[name]}
    return json.dumps({"sae": sae, "train": config}, sort_keys=True)
