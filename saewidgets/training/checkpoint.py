"""A run on disk: one safetensors file, from which it goes on bit for bit; or a folder of the last two."""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from saewidgets.activations import StreamedStore
from saewidgets.files import DIGEST, LoadError, parse_json, read_tensors_and_metadata, sweep, write_tensors
from saewidgets.sae import MAX_BYTES, SAE
from saewidgets.training import machine
from saewidgets.training.config import TrainConfig

# Of `TrainConfig`, in every checkpoint. A field that came later stands in one only where it is not at its default, so
# that older checkpoints go on.
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
    "aux_coefficient",
    "prefixes",
    "precision",
)
# Arrays that older checkpoints do not hold; "batches" is there where these can say where they stand.
_LATER = ("fired", "window", "micro_batch", "machine", "digest", "batches")
_NO_NUMBERS = ("config", "machine", "digest", "batches")

KEPT = 2  # checkpoints of one run in a folder
# The mark is of the settings, so that runs of other settings in the same folder lose nothing. Older checkpoints have
# none.
_NAME = re.compile(r"step-\d{9,}(?:-(?P<mark>[0-9a-f]{8}))?\.safetensors")


class Resumable(Protocol):
    """What a checkpoint holds of a `Run`, and sets again."""

    sae: SAE
    config: TrainConfig
    step: int
    tokens: int
    micro_batch: int | None

    @property
    def tensors(self) -> dict[str, torch.Tensor]:
        """All tensors that a step changes, by their names in a checkpoint."""

    @property
    def stream(self) -> StreamedStore | None:
        """The batches, where their place in a corpus belongs to the checkpoint."""

    def set_adam_steps(self) -> None:
        """Make Adam's own counters those of `step`."""


def save(run: Resumable, path: str | Path) -> None:
    """Write the run's checkpoint, atomically. Raises ValueError if a weight is not finite, OSError if the disk refuses.

    In a folder it removes older checkpoints of the same settings, and what a process that was killed left there;
    nothing else.
    """
    tensors: dict[str, np.ndarray] = {
        "step": np.array([run.step, run.tokens], np.int64),
        "config": np.frombuffer(_fingerprint(run).encode(), np.uint8),
        "micro_batch": np.array([run.micro_batch or 0], np.int64),
        "machine": np.frombuffer(json.dumps(machine.facts(run.sae.W_dec.device)).encode(), np.uint8),
    }
    if run.stream is not None:
        tensors["batches"] = np.frombuffer(json.dumps(run.stream.state_dict(run.step)).encode(), np.uint8)
    tensors |= {name: tensor.cpu().numpy() for name, tensor in run.tensors.items()}
    if not Path(path).is_dir():
        write_tensors(path, tensors)
        return
    write_tensors(Path(path) / f"step-{run.step:09}-{_mark(run)}.safetensors", tensors)
    for old in [file for file in _in_folder(Path(path)) if _mark_of(file) == _mark(run)][KEPT:]:
        old.unlink(missing_ok=True)
    sweep(Path(path), _NAME.pattern)


def restore(run: Resumable, path: str | Path) -> None:
    """Put a run where the checkpoint's stood. Raises LoadError, and changes nothing, on anything but such a checkpoint.

    Of a folder the last one written by a run of these settings is taken; if that cannot be, the one before, with a
    warning.
    """
    if not os.path.isdir(path):  # also where the name is too long to be looked up
        _put(run, _read(run, path))
        return
    refused: list[LoadError] = []
    files = _in_folder(Path(path))
    own = [file for file in files if _mark_of(file) in (None, _mark(run))]
    for file in own or files:
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
    """Its checkpoints, the last one written first: by time, since a run may have begun anew in the folder of an older
    one.
    """
    found = []
    for file in folder.iterdir():
        if _NAME.fullmatch(file.name):
            with suppress(FileNotFoundError):  # another process may just have removed it
                found.append((file.stat().st_mtime_ns, file.name, file))
    return [file for *_, file in sorted(found, reverse=True)]


def _mark_of(file: Path) -> str | None:
    found = _NAME.fullmatch(file.name)
    return found["mark"] if found else None


def _mark(run: Resumable) -> str:
    """Of a run's settings, in the names of its checkpoints."""
    return hashlib.sha256(_fingerprint(run).encode()).hexdigest()[:8]


def _read(run: Resumable, path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint of this run; LoadError on anything else."""
    tensors, metadata = read_tensors_and_metadata(path, max_bytes=4 * MAX_BYTES)
    own = run.tensors
    if "config" in tensors:
        written = bytes(tensors["config"].astype(np.uint8))
        if written != _fingerprint(run).encode():
            raise LoadError(path, _other(run, parse_json(path, written)))
    wanted = {"step", "config", *own, *_LATER}
    if set(tensors) | set(_LATER) != wanted:
        raise LoadError(path, f"expected the arrays {sorted(wanted)}, found {sorted(tensors)}")
    if "digest" in tensors:  # before every file carried one in its metadata, it was an array
        if not np.array_equal(tensors["digest"], _digest(tensors)):
            raise LoadError(path, "its contents are not those that were written: the file was damaged")
    elif DIGEST not in metadata and "fired" in tensors:  # only the oldest checkpoints have neither
        raise LoadError(path, "its SHA-256 is missing: the file was changed after it was written")
    expected = {name: (tensor.cpu().numpy().dtype, tuple(tensor.shape)) for name, tensor in own.items()}
    expected |= {"step": (np.dtype(np.int64), (2,)), "micro_batch": (np.dtype(np.int64), (1,))}
    for name, array in tensors.items():
        if name not in _NO_NUMBERS and (array.dtype, array.shape) != expected[name]:
            raise LoadError(path, f"{name} is {array.dtype} {list(array.shape)}")
    _check_numbers(run, path, tensors)
    if run.stream is not None and "batches" in tensors:
        try:
            run.stream.load_state_dict(parse_json(path, bytes(tensors["batches"].astype(np.uint8))))
        except ValueError as error:
            raise LoadError(path, f"the batches are not those that it was trained on: {error}") from error
    return tensors


def _check_numbers(run: Resumable, path: str | Path, tensors: Mapping[str, np.ndarray]) -> None:
    """LoadError on counts that no training reaches, and on squares below 0."""
    step, tokens = (int(n) for n in tensors["step"])
    if not 0 <= step <= min(tokens, run.config.steps):
        raise LoadError(path, f"step {step:,} after {tokens:,} tokens, of a run of {run.config.steps:,} steps")
    counts = {"micro_batch": None, "since_fired": tokens, "window": tokens, "fired": tokens}
    for name, most in counts.items():
        if name in tensors and (tensors[name].min() < 0 or (most is not None and tensors[name].max() > most)):
            raise LoadError(path, f"{name} holds counts that are negative or more than its {tokens:,} tokens")
    for name, array in tensors.items():
        if name.startswith("exp_avg_sq.") and array.size and array.min() < 0:
            raise LoadError(path, f"{name} holds squares below 0")


def _put(run: Resumable, tensors: Mapping[str, np.ndarray]) -> None:
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
    """SHA-256 over all other arrays, as checkpoints had it before their files did: uint8 [32]."""
    total = hashlib.sha256()
    for name in sorted(set(tensors) - {"digest"}):
        array = np.ascontiguousarray(tensors[name])
        total.update(f"{name} {array.dtype.str} {array.shape}".encode())
        total.update(array.data)
    return np.frombuffer(total.digest(), np.uint8)


def _fingerprint(run: Resumable) -> str:
    """What must be equal for a checkpoint to be continued."""
    sae = {name: value for name, value in run.sae.config.to_dict().items() if name != "format"}
    default = asdict(type(run.config)(steps=1))
    config = {name: value for name, value in asdict(run.config).items() if name in _FIRST or value != default[name]}
    return json.dumps({"sae": sae, "train": config}, sort_keys=True)


def _other(run: Resumable, written: Mapping[str, Any]) -> str:
    """Which settings of a checkpoint are not the run's, and what to do."""
    own = json.loads(_fingerprint(run))
    default = {"sae": {}, "train": json.loads(json.dumps(asdict(type(run.config)(steps=1))))}
    said, steps_alone = [], True
    for part, name in (("sae", "SAEConfig"), ("train", "TrainConfig")):
        theirs = written.get(part)
        theirs = theirs if isinstance(theirs, dict) else {}
        for field in sorted({*own[part], *theirs}):
            there, here = (values.get(field, default[part].get(field)) for values in (theirs, own[part]))
            if there != here:
                said.append(f"{name}.{field} is {there!r:.60} in it and {here!r:.60} here")
                steps_alone &= field == "steps"
    message = "this checkpoint was written with another SAEConfig or TrainConfig: " + "; ".join(said)
    if said and steps_alone:  # schedules depend on the number of steps, so it would not be the same run
        message += (
            ". To train a finished run further, go on from its SAE: sw.train(sae, batches, sw.TrainConfig(steps=...))"
        )
    return message
