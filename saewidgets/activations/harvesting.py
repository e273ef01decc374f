"""The activations of a whole corpus at one site, written to a folder as they are read: by one process or by several, and
to go on with whenever it stopped.

The folder holds `harvest.json`, what is harvested; for every rank a journal, `rank-<...>.json`, the shards that it wrote
and the place in the corpus after the last one; per shard `rows-<...>.safetensors`, activations, and
`index-<...>.safetensors`, the tokens that they are of; and once all are done `manifest.json`. Each file is written whole or
not at all, and a shard counts from the moment in which its journal names it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import nn

from saewidgets.activations.cache import DTYPES, checked_file, require_finite, shard_header
from saewidgets.activations.groups import NONE, Group, groups, read_group
from saewidgets.activations.harvested import FORMAT, HarvestedStore
from saewidgets.activations.store import ActivationStore
from saewidgets.activations.writing import as_numpy
from saewidgets.bars import bar
from saewidgets.corpora import Position, StreamedCorpus, open_corpus
from saewidgets.files import LoadError, read_json, sha256, short, unknown, write_bytes, write_json, write_tensors
from saewidgets.models import Long, Model
from saewidgets.models.streams import RowStream
from saewidgets.records import ActivationSite
from saewidgets.records.arguments import asked, expect, whole
from saewidgets.sae import above

SHARD_BYTES = 1 << 26
MAX_JSON = 1 << 28  # bytes of a journal: some hundred a shard
_JOURNAL = re.compile(r"rank-(\d+)-(\d+)-of-(\d+)\.json")  # start, rank, ranks


def harvest(
    model: Model | nn.Module,
    site: ActivationSite,
    corpus: Any,
    folder: str | Path,
    *,
    texts: int | None = None,
    dtype: str = "bfloat16",
    shard_bytes: int = SHARD_BYTES,
    include_special: bool = False,
    normalize: bool = True,
    long: Long = "split",
    outliers: str | float = "leave out",
    pack: bool = False,
    progress: bool = True,
    on: Place | None = None,
) -> HarvestedStore:
    """Write the activations of one epoch of a corpus at one site to a folder, a shard after another, and give a store that
    reads them from there.

    Memory holds one shard, however large the corpus is. What is interrupted goes on when the same is asked again: what was
    written stays. `ActivationStore.from_disk(folder)` opens the folder later, without the model.

    Args:
        model: a `Model`, or a TransformerLens model.
        site: from `sw.site(model, hook_name)`.
        corpus: from `sw.open_corpus`, or what that takes.
        folder: to make, or in which to go on.
        texts: only the first so many of the corpus's order.
        dtype: "float32", or "bfloat16" or "float16" at half the size.
        shard_bytes: about the size of one file of activations.
        include_special, normalize, long, outliers, pack: as for `ActivationStore`; tokens of outlying norm are not written.
        progress: show a bar.
        on: other processes to write it, such as `sw.Processes(8)`, each the texts that are its own; there is no bar then.

    Raises:
        LoadError: for a folder that holds another harvest, or a damaged one, and for a bad line of a shard.
        FileExistsError: for a folder that holds something else.
        ValueError: for a corpus without tokens, or an activation that is not finite in `dtype`.
        OSError: if the disk is full; what was written before stands.

    Example:
        >>> store = sw.harvest(model, site, sw.open_corpus("data/*.jsonl"), "runs/acts")  # doctest: +SKIP
        >>> run = sw.train(sae, store, sw.TrainConfig(steps=100_000))  # doctest: +SKIP
    """
    options: dict[str, Any] = {
        "texts": texts,
        "dtype": dtype,
        "shard_bytes": shard_bytes,
        "include_special": include_special,
        "normalize": normalize,
        "long": long,
        "outliers": outliers,
        "pack": pack,
    }
    if on is None:
        harvest_rank(model, site, corpus, folder, progress=progress, **options)
    else:
        fits = asked(getattr(on, "harvest", None)) and not isinstance(on, type)
        expect(on, fits, "on", "harvest", "give sw.Processes(2)")
        on.harvest(model, site, corpus, folder, options)
    found = ActivationStore.from_disk(folder, verify=False)
    assert isinstance(found, HarvestedStore)
    return found


class Place(Protocol):
    """Where else to harvest: `sw.Processes`."""

    def harvest(
        self, model: Any, site: ActivationSite, corpus: Any, folder: str | Path, options: Mapping[str, Any]
    ) -> None:
        """As the function `harvest`, with all its other arguments as `options`."""


def harvest_rank(
    model: Model | nn.Module,
    site: ActivationSite,
    corpus: Any,
    folder: str | Path,
    *,
    rank: int = 0,
    ranks: int = 1,
    texts: int | None = None,
    dtype: str = "bfloat16",
    shard_bytes: int = SHARD_BYTES,
    include_special: bool = False,
    normalize: bool = True,
    long: Long = "split",
    outliers: str | float = "leave out",
    pack: bool = False,
    progress: bool = True,
) -> bool:
    """One rank's part of `harvest`: the texts of the numbers rank, rank + ranks, ... Returns whether the harvest is whole.

    Ranks share the folder and nothing else; the one that is done last writes the manifest. Any number of ranks goes on
    where any other stopped, once no process of that one is left. Which rank read a text decides in which shard it stands,
    and, with `pack`, which texts share its row.

    Raises as `harvest` does.
    """
    if dtype not in DTYPES:
        raise ValueError(unknown("dtype", dtype, DTYPES))
    where = _local(folder)
    if not isinstance(corpus, StreamedCorpus):
        corpus = open_corpus(corpus)
    # Which measures the site, and refuses what cannot be.
    store = ActivationStore(
        model,
        site,
        corpus,
        batch_size=whole(ranks, "ranks", minimum=1),
        include_special=include_special,
        normalize=normalize,
        long=long,
        outliers=outliers,
        pack=pack,
        rank=rank,
        ranks=ranks,
    )
    texts = None if texts is None else whole(texts, "texts", minimum=1)
    asked = {
        "format": FORMAT,
        "corpus": corpus.fingerprint,
        "texts": texts,
        "dtype": dtype,
        "include_special": include_special,
        "normalize": normalize,
        "long": long,
        "outliers": outliers,
        "pack": pack,
    }
    found = _begin(where, asked, store)
    if (where / "manifest.json").exists():
        return True
    wrote = _Journal.opened(where, store.rank, store.ranks)
    own = Model.wrap(model)
    stream = RowStream(own, corpus, long=long, pack=pack, rank=rank, ranks=ranks, until=texts, begun=wrote.begun)
    if not wrote.done:
        most = max(1, whole(shard_bytes, "shard_bytes", minimum=1) // (found.d_in * DTYPES[dtype][0].itemsize))
        with (
            closing(stream.rows(wrote.position, epochs=1)) as rows,
            bar(None, "writing activations", "tokens", progress=progress) as advance,
        ):
            for group in groups(rows, most, include_special):
                wrote.add(group.after, *_shard(own, found, group, dtype), site=found, dtype=dtype)
                advance(group.n)
        wrote.finish()
    return _finish(where, found, dtype, ranks)


def _local(folder: str | Path) -> Path:
    if "://" in str(folder):
        raise ValueError(
            f"{short(str(folder))} is a URL; a harvest is written to a folder that this machine sees as one"
        )
    return Path(folder)


def _begin(folder: Path, asked: Mapping[str, Any], store: ActivationStore) -> ActivationSite:
    """The site with its scale and bound: as the folder's harvest has it, or measured and written down."""
    path = folder / "harvest.json"
    if path.exists():
        said = read_json(path)
        site = said.pop("site", None)
        for name, value in asked.items():
            if said.get(name) != value:
                raise LoadError(
                    folder,
                    f"it holds a harvest with {name} = {short(said.get(name))}, not {short(value)}: choose another folder",
                )
        try:
            found = ActivationSite.from_dict(site)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise LoadError(path, f"not a site: {error}") from error
        own = store._given_site
        if (found.model_name, found.hook_name, found.d_in) != (own.model_name, own.hook_name, own.d_in):
            raise LoadError(
                folder,
                f"it holds a harvest of {found.model_name} at {found.hook_name}, not of {own.model_name} at {own.hook_name}",
            )
        return found
    if folder.exists() and (not folder.is_dir() or any(not file.name.startswith(".") for file in folder.iterdir())):
        raise FileExistsError(f"{folder} is there already, and no harvest; choose another name, or remove it first")
    found = store.site
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, {**asked, "site": found.to_dict()}, indent=1)
    return found


class _Journal:
    """What one rank wrote, and what is done altogether. A start is a number of ranks that go together; a later start goes
    on where the ones before it stopped.
    """

    def __init__(self, folder: Path, start: int, rank: int, ranks: int) -> None:
        self._folder = folder
        self._name = f"{start:02}-{rank:04}"
        self._path = folder / f"rank-{start:02}-{rank:04}-of-{ranks:04}.json"
        self._before = [entry for entry in _journals(folder) if entry["start"] < start]
        self.data: dict[str, Any] = {"position": [0, 0, 0], "left_out": 0, "done": False, "shards": []}
        if self._path.exists():
            self.data = _read_journal(self._path)

    @classmethod
    def opened(cls, folder: Path, rank: int, ranks: int) -> _Journal:
        """That of this rank in the last start, if that had as many ranks; else in a new one."""
        found = _journals(folder)
        last = max((entry["start"] for entry in found), default=0)
        if any(entry["ranks"] != ranks for entry in found if entry["start"] == last):
            last += 1
        return cls(folder, last, rank, ranks)

    @property
    def position(self) -> Position:
        return Position(*self.data["position"])

    @property
    def done(self) -> bool:
        return bool(self.data["done"])

    def begun(self, number: int) -> int | None:
        """The first piece that no earlier start has written of a text; None where all of it is."""
        first = 0
        for entry in self._before:
            if number % entry["ranks"] == entry["rank"]:
                _, sequence, piece = entry["position"]
                if entry["done"] or number < sequence:
                    return None
                if number == sequence:
                    first = max(first, piece)
        return first

    def add(
        self,
        after: Position,
        rows: np.ndarray,
        index: Mapping[str, np.ndarray],
        left_out: int,
        *,
        site: Any,
        dtype: str,
    ) -> None:
        """Write a shard, and then that it is there."""
        if len(rows):
            number = f"{self._name}-{len(self.data['shards']):06}"
            header = shard_header(len(rows), site.d_in, dtype)
            data = np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data
            digest = hashlib.sha256(header)
            digest.update(data)
            write_bytes(self._folder / f"rows-{number}.safetensors", [header, data])
            path = self._folder / f"index-{number}.safetensors"
            write_tensors(path, index)
            self.data["shards"].append(
                {
                    "file": f"rows-{number}.safetensors",
                    "rows": len(rows),
                    "bytes": len(header) + len(data),
                    "sha256": digest.hexdigest(),
                    "index": {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)},
                }
            )
        self.data["position"] = list(after)
        self.data["left_out"] += left_out
        write_json(self._path, self.data)

    def finish(self) -> None:
        self.data["done"] = True
        write_json(self._path, self.data)


def _journals(folder: Path) -> list[dict[str, Any]]:
    """What every rank of every start wrote, in the order of their names."""
    found = []
    for path in sorted(folder.glob("rank-*.json")):
        name = _JOURNAL.fullmatch(path.name)
        if name:
            start, rank, ranks = map(int, name.groups())
            found.append({"start": start, "rank": rank, "ranks": ranks, **_read_journal(path)})
    return found


def _read_journal(path: Path) -> dict[str, Any]:
    data = read_json(path, max_bytes=MAX_JSON)
    try:
        position = Position(*(whole(v, "position", minimum=0) for v in data["position"]))
        shards = [{**e, "rows": whole(e["rows"], "rows", minimum=1)} for e in data["shards"]]
        return {
            "position": list(position),
            "left_out": whole(data["left_out"], "left_out", minimum=0),
            "done": data["done"] is True,
            "shards": shards,
        }
    except (KeyError, TypeError, ValueError) as error:
        raise LoadError(path, f"not the journal of a harvest: {type(error).__name__}: {error}") from error


def _shard(
    model: Model, site: ActivationSite, group: Group, dtype: str
) -> tuple[np.ndarray, dict[str, np.ndarray], int]:
    """(activations [n, d_in] of a group, row after row, as a file holds them; of what tokens they are; how many were left
    out).
    """
    kind, _ = DTYPES[dtype]
    first = np.cumsum([0, *(len(row.ids) for row in group.rows)])  # of each row among all tokens
    values = np.zeros((group.n, site.d_in), kind)
    wanted = np.concatenate(group.wanted)
    slot = np.cumsum(wanted) - 1  # [token], the row of `values` that is a wanted token's
    kept = wanted.copy()
    for row, position, acts in read_group(model, site.hook_name, group):
        at = first[row] + position
        out = above(acts, site.max_norm)
        acts = acts.masked_fill(out[:, None], 0.0) if bool(out.any()) else acts
        block = as_numpy(acts, dtype)
        require_finite(block, dtype)
        values[slot[at]] = block
        kept[at] = ~out.cpu().numpy()
    n = int(kept.sum())
    index = {
        "tokens": np.concatenate([row.ids for row in group.rows]).astype(np.int32),
        "wanted": kept,
        "length": np.diff(first).astype(np.int32),
        "sequence": np.array([row.at.sequence for row in group.rows], np.int64),
        "piece": np.array([row.at.piece for row in group.rows], np.int32),
    }
    return values if n == group.n else values[kept[wanted]], index, group.n - n


def _finish(folder: Path, site: ActivationSite, dtype: str, ranks: int) -> bool:
    """Write the manifest if every rank of the last start is done."""
    found = _journals(folder)
    last = max(entry["start"] for entry in found)
    if sum(entry["done"] for entry in found if entry["start"] == last) < ranks:
        return False
    shards = [shard for entry in found for shard in entry["shards"]]
    if not shards:
        raise ValueError(NONE)
    for shard in shards:
        checked_file(folder, shard, False)
    write_json(
        folder / "manifest.json",
        {
            "format": FORMAT,
            "dtype": dtype,
            "site": site.to_dict(),
            "rows": sum(shard["rows"] for shard in shards),
            "left_out": sum(entry["left_out"] for entry in found),
            "shards": shards,
        },
    )
    return True
