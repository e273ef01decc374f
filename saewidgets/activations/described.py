"""An `ActivationStore` as JSON and token rows: another process makes the same one of it, or several share it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saewidgets.activations.cache import read_manifest
from saewidgets.activations.harvested import FORMAT as HARVEST
from saewidgets.activations.harvested import HarvestedStore
from saewidgets.activations.store import ActivationStore
from saewidgets.activations.streamed import StreamedStore
from saewidgets.corpora import open_corpus
from saewidgets.files import LoadError, read_json, read_tensors, write_json, write_tensors
from saewidgets.models import Model
from saewidgets.ranks import ALONE, Ranks
from saewidgets.records import ActivationSite

FORMAT = 1
_READING = ("include_special", "long", "pack")  # how a stream makes rows of texts
Load = Callable[[dict[str, Any]], Model]  # makes the model of its `Model.source`


def describe(store: ActivationStore, folder: Path) -> None:
    """Write a store's description to the folder: `store.json`, and of a corpus in memory its token rows.

    Raises ValueError, with what to type, where its model or its corpus does not say how another process gets it.
    """
    data: dict[str, Any] = {
        "format": FORMAT,
        "batch_size": store.batch_size,
        "seed": store.seed,
        "buffer_tokens": store.buffer_tokens,
        "epochs": store.epochs,
    }
    rows: dict[str, np.ndarray] = {}
    if isinstance(store, HarvestedStore):
        data["disk"] = os.path.abspath(store._folder)
    elif not isinstance(store, StreamedStore) and store._cache is not None:
        data["disk"] = os.path.abspath(store._cache.path)
    else:
        assert store.model is not None
        data |= {"model": source_of(store.model), "normalize": store._normalize, **_site_of(store)}
        if isinstance(store, StreamedStore):
            data |= {"corpus": store.corpus.spec, **{name: store._settings[name] for name in _READING}}
        else:
            rows = {"rows": store._rows, "wanted": store._wanted}
    folder.mkdir(parents=True, exist_ok=True)
    if rows:
        write_tensors(folder / "rows.safetensors", rows)
    write_json(folder / "store.json", data, indent=1)


def _site_of(store: ActivationStore) -> dict[str, Any]:
    """The site as it was given, with the bound if that was measured already: the same for all who go on."""
    site = store._given_site.to_dict()
    if not store._seeks_bound or "_bound" not in store.__dict__:
        return {"site": site, "seeks_bound": store._seeks_bound}
    site.pop("max_norm", None)
    return {"site": site | ({} if store._bound is None else {"max_norm": store._bound}), "seeks_bound": False}


def described(
    folder: Path, load: Load, *, device: str | None = None, ranks: Ranks = ALONE
) -> ActivationStore | Gathered:
    """The store that `describe` wrote; of several ranks each reads its part, and all get every batch.

    A corpus in memory is read as one: the forward passes are shared out, and the batches are those of one process. Of a
    harvest or a streamed corpus each reads what is its own.

    Args:
        folder: where.
        load: makes the model.
        device: where the batches are wanted; None: where the model is.
        ranks: the processes that read together.

    Raises LoadError, and nothing else, on a folder that holds no such description.
    """
    data = read_json(folder / "store.json", max_bytes=1 << 26)
    try:
        sizes: dict[str, Any] = {name: data[name] for name in ("batch_size", "seed", "buffer_tokens", "epochs")}
        if "disk" in data:
            shared = read_manifest(data["disk"])[0] == HARVEST
            own = {"rank": ranks.rank, "ranks": ranks.size} if shared else {}
            where = "cpu" if device is None else device
            store = ActivationStore.from_disk(data["disk"], device=where, verify=ranks.first, **sizes, **own)
        elif "corpus" in data:
            store = _streamed(data, load(data["model"]), device, ranks, sizes)
        else:
            arrays = read_tensors(folder / "rows.safetensors", names={"rows", "wanted"}, max_bytes=1 << 36)
            store = _in_memory(data, load(data["model"]), device, arrays, sizes)
    except (KeyError, TypeError, ValueError) as error:
        raise LoadError(folder / "store.json", f"not a store: {type(error).__name__}: {error}") from error
    if isinstance(store, HarvestedStore | StreamedStore):
        return Gathered(store, ranks)
    store._readers = ranks
    return store


def _streamed(
    data: Mapping[str, Any], model: Model, device: str | None, ranks: Ranks, sizes: dict[str, Any]
) -> ActivationStore:
    site = ActivationSite.from_dict(data["site"])
    return StreamedStore(
        model,
        site,
        open_corpus(**data["corpus"]),
        outliers="leave out" if data["seeks_bound"] or site.max_norm is not None else "keep",
        normalize=data["normalize"],
        include_special=data["include_special"],
        long=data["long"],
        pack=data["pack"],
        device=device,
        rank=ranks.rank,
        ranks=ranks.size,
        **sizes,
    )


def _in_memory(
    data: Mapping[str, Any], model: Model, device: str | None, arrays: Mapping[str, np.ndarray], sizes: dict[str, Any]
) -> ActivationStore:
    store = ActivationStore.__new__(ActivationStore)
    store.model, store._cache, store._normalize = model, None, bool(data["normalize"])
    site = ActivationSite.from_dict(data["site"])
    where = model.device if device is None else device
    store._begin(site, arrays["rows"], arrays["wanted"].astype(np.bool_), device=where, **sizes)
    store._seeks_bound = bool(data["seeks_bound"])
    return store


class Gathered:
    """A store of which each rank reads its own part: every rank gets the whole of each batch, in the ranks' order.

    What is not a batch is the store's own.
    """

    def __init__(self, store: ActivationStore, ranks: Ranks) -> None:
        self.store = store
        self._ranks = ranks

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def __iter__(self) -> Iterator[Tensor]:
        return self.batches()

    def batches(self, start: int = 0) -> Iterator[Tensor]:
        """Batches [batch_size, d_in] from number `start` on; they end for all ranks where they end for one."""
        parts = self.store.batches(start)
        while True:
            part = next(parts, None)
            sizes = torch.zeros(self._ranks.size, dtype=torch.int64)
            sizes[self._ranks.rank] = -1 if part is None else len(part)
            given = self._ranks.sum(sizes).tolist()
            if min(given) < 0 or part is None:
                return
            whole = part.new_empty(sum(given), part.shape[1])
            pieces = whole.split(given)
            pieces[self._ranks.rank].copy_(part)
            for source, piece in enumerate(pieces):
                self._ranks.same([piece], source)
            yield whole

    def state(self, batch: int) -> dict[str, Any] | None:
        """Where this rank's stream stands before batch number `batch`; None for a store that finds that at once."""
        return self.store.state_dict(batch) if isinstance(self.store, StreamedStore) else None

    def go_on(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Be where the ranks stood of whom these are the states, however many they were."""
        if isinstance(self.store, StreamedStore):
            self.store.load_state_dict(states[0] if len(states) == self._ranks.size == 1 else states)


def source_of(model: Model) -> dict[str, Any]:
    """How another process loads this model: `Model.source`. Raises ValueError, with what to type, where it has none."""
    if model.source is None:
        raise ValueError(
            f"the model {model.name} was made in this process, and another one cannot make it again: load it by its name or "
            "from its folder, sw.load_model('gpt2') or sw.load_model('folder'), or read its activations to disk first, "
            "store = store.cache('folder')"
        )
    return dict(model.source)
