"""An `ActivationStore` as JSON and token rows: another process makes the same one of it, batch by batch."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.activations.harvested import HarvestedStore
from saewidgets.activations.store import ActivationStore
from saewidgets.activations.streamed import StreamedStore
from saewidgets.corpora import open_corpus
from saewidgets.files import LoadError, read_json, read_tensors, write_json, write_tensors
from saewidgets.models import Model
from saewidgets.ranks import ALONE, Ranks
from saewidgets.records import ActivationSite

FORMAT = 1


def describe(store: ActivationStore, folder: Path) -> None:
    """Write a store's description to the folder: `store.json`, and its token rows, unless it reads a cache on disk.

    Raises ValueError, with what to type, where its model does not say how it is loaded.
    """
    data: dict[str, Any] = {
        "format": FORMAT,
        "site": store._given_site.to_dict(),
        "batch_size": store.batch_size,
        "seed": store.seed,
        "buffer_tokens": store.buffer_tokens,
        "epochs": store.epochs,
        "normalize": store._normalize,
        "seeks_bound": store._seeks_bound,
    }
    if isinstance(store, HarvestedStore):
        data["cache"] = os.path.abspath(store.folder)
    elif store._cache is not None:
        data["cache"] = os.path.abspath(store._cache.path)
    else:
        assert store.model is not None
        data["model"] = source_of(store.model)
        if store._seeks_bound and "_bound" in store.__dict__:  # measured already: the same for all who go on
            data |= {"site": {**data["site"], "max_norm": store._bound}, "seeks_bound": False}
            if store._bound is None:
                del data["site"]["max_norm"]
    if isinstance(store, StreamedStore):
        data["stream"] = store.spec
    folder.mkdir(parents=True, exist_ok=True)
    if "model" in data and "stream" not in data:
        write_tensors(folder / "rows.safetensors", {"rows": store._rows, "wanted": store._wanted})
    write_json(folder / "store.json", data, indent=1)


def described(
    folder: Path, load: Callable[[dict[str, Any]], Model], *, device: str | None = None, ranks: Ranks = ALONE
) -> ActivationStore:
    """The store that `describe` wrote.

    Args:
        folder: where.
        load: makes the model of its `Model.source`.
        device: where the batches are wanted; None: where the model is.
        ranks: the processes that read together: each runs the model over its share, and all get every batch.

    Raises LoadError, and nothing else, on a folder that holds no such description.
    """
    data = read_json(folder / "store.json")
    try:
        sizes: dict[str, Any] = {name: data[name] for name in ("batch_size", "seed", "buffer_tokens", "epochs")}
        if "cache" in data:
            store = ActivationStore.from_disk(data["cache"], device=device or "cpu", verify=ranks.first, **sizes)
        elif "stream" in data:
            stream = dict(data["stream"])
            store = ActivationStore(
                load(data["model"]),
                ActivationSite.from_dict(data["site"]),
                open_corpus(**stream.pop("corpus")),
                normalize=bool(data["normalize"]),
                outliers="keep",
                device=device,
                **stream,
                **sizes,
            )
            store._given_site = ActivationSite.from_dict(data["site"])  # with its bound, which "keep" leaves out
            store._seeks_bound = bool(data["seeks_bound"])
        else:
            arrays = read_tensors(folder / "rows.safetensors", names={"rows", "wanted"}, max_bytes=1 << 36)
            store = ActivationStore.__new__(ActivationStore)
            store.model, store._cache, store._normalize = load(data["model"]), None, bool(data["normalize"])
            where = store.model.device if device is None else device
            site = ActivationSite.from_dict(data["site"])
            store._begin(site, arrays["rows"], arrays["wanted"].astype(np.bool_), device=where, **sizes)
            store._seeks_bound = bool(data["seeks_bound"])
    except (KeyError, TypeError, ValueError) as error:
        raise LoadError(folder / "store.json", f"not a store: {type(error).__name__}: {error}") from error
    store._readers = ranks
    return store


def source_of(model: Model) -> dict[str, Any]:
    """How another process loads this model: `Model.source`. Raises ValueError, with what to type, where it has none."""
    if model.source is None:
        raise ValueError(
            f"the model {model.name} was made in this process, and another one cannot make it again: load it by its name or "
            "from its folder, sw.load_model('gpt2') or sw.load_model('folder'), or read its activations to disk first, "
            "store = store.cache('folder')"
        )
    return dict(model.source)
