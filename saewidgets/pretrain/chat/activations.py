"""The activations that the SAEs are trained on: of the model's own texts and of prose, on disk, at several layers at
once.

A folder per layer holds parts, each a cache of a thousand rows as `ActivationStore.cache` writes them, so that a corpus
that is still being written can be read as far as it goes, and a run that was stopped goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from saewidgets.activations import TOKENS_PER_PASS, length_sorted
from saewidgets.activations.cache import SHARD_BYTES, Cache
from saewidgets.activations.writing import as_tensor, write_store
from saewidgets.files import LoadError, read_json, write_json
from saewidgets.models import Model, counted_tokens, padded_rows, read_sites, site
from saewidgets.records import ActivationSite
from saewidgets.sae import above, norm_bound

LAYERS = (9, 12, 15)
PART = 1000  # rows of one part
SAMPLE = 400  # rows of each kind on which scale and bound are measured
SITES = "sites.json"
FOLDER = "activations"


def hook_of(layer: int) -> str:
    """The hook point after a layer.

    Example:
        >>> hook_of(12)
        'blocks.12.hook_resid_post'
    """
    return f"blocks.{layer}.hook_resid_post"


def activations_of(
    model: Model, rows: Sequence[Sequence[int]], hook_names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Tensor]]:
    """Rows of token ids in one pass of the model.

    Returns tokens int32 [row, pos] padded with -1; wanted bool [row, pos], those that are no special token; the order
    in which rows were read; and at each hook the wanted tokens' activations, bfloat16 [token, d_in], row after row in
    that order.
    """
    tokens = padded_rows(rows)
    wanted = counted_tokens(model, tokens)
    parts: dict[str, list[Tensor]] = {name: [] for name in hook_names}
    order = []
    for own in length_sorted(tokens, np.any(wanted, axis=1), TOKENS_PER_PASS):
        block = tokens[own]
        block = block[:, : (block >= 0).sum(1).max()]
        found = read_sites(model, torch.from_numpy(block.astype(np.int64)), hook_names)
        mask = torch.from_numpy(wanted[own, : block.shape[1]])
        order.append(own)
        for name in hook_names:
            parts[name].append(found[name][mask.to(found[name].device)].to("cpu", torch.bfloat16))
    return tokens, wanted, np.concatenate(order), {name: torch.cat(own) for name, own in parts.items()}


def measured_sites(
    model: Model, folder: Path, layers: Sequence[int], rows: Sequence[Sequence[int]]
) -> dict[str, ActivationSite]:
    """The site of each layer with its scale and the norm above which a token is left out, measured on some rows once
    and kept in `folder`/sites.json. Raises LoadError where that file is of other layers.
    """
    path, names = folder / SITES, [hook_of(layer) for layer in layers]
    if not path.exists():
        *_, found = activations_of(model, rows, names)
        sites = {name: _measured(site(model, name), found[name].float()) for name in names}
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, {name: own.to_dict() for name, own in sites.items()})
    kept = read_json(path)
    if set(kept) != set(names):
        raise LoadError(path, f"it is of {', '.join(kept)}, not of {', '.join(names)}: give another folder")
    return {name: ActivationSite.from_dict(kept[name]) for name in names}


def _measured(where: ActivationSite, x: Tensor) -> ActivationSite:
    bound = norm_bound(torch.linalg.vector_norm(x, dim=-1))
    kept = x[~above(x, bound)]
    scale = (where.d_in / kept.double().square().sum(-1).mean()).sqrt()
    return replace(where, scale=float(f"{float(scale):.6g}"), max_norm=bound)


def write_activations(
    model: Model,
    folder: Path,
    sites: dict[str, ActivationSite],
    kind: str,
    rows: Sequence[Sequence[int]],
    *,
    part: int = PART,
    rest: bool = True,
) -> int:
    """Write the parts of one kind of rows that are not there yet, and give the number of tokens of all of them.

    Part n holds rows n * `part` on, in `folder`/<layer>/<kind>-<n>. Without `rest`, the rows after the last whole part
    are left for a later run.
    """
    n_tokens = 0
    for first in range(0, len(rows) if rest else len(rows) - part + 1, part):
        name = f"{kind}-{first // part:03}"
        paths = {hook: folder / hook.split(".")[1] / name for hook in sites}
        missing = [hook for hook, path in paths.items() if not path.exists()]
        if missing:
            tokens, wanted, order, found = activations_of(model, rows[first : first + part], missing)
            for hook in missing:
                paths[hook].parent.mkdir(parents=True, exist_ok=True)
                write_store(
                    paths[hook],
                    [found[hook]],
                    order=order,
                    rows=tokens,
                    wanted=wanted,
                    site=sites[hook],
                    dtype="bfloat16",
                    shard_bytes=SHARD_BYTES,
                )
        n_tokens += int(Cache(paths[next(iter(sites))], verify=False).wanted.sum())
    return n_tokens


def load_activations(folder: Path, layer: int, kinds: Sequence[str]) -> tuple[ActivationSite, Tensor]:
    """The site of a layer and all activations of some kinds, bfloat16 [token, d_in], those left out not among them.

    Raises LoadError where there is no part of one of the kinds.
    """
    parts: list[Tensor] = []
    where: ActivationSite | None = None
    for kind in kinds:
        paths = sorted((folder / str(layer)).glob(f"{kind}-[0-9]*"))
        if not paths:
            raise LoadError(folder / str(layer), f"no activations of {kind}: run the stage `activations` first")
        for path in paths:
            cache = Cache(path, verify=False)
            where = cache.site
            parts += list(_rows(cache))
    assert where is not None
    return where, torch.cat(parts)


def _rows(cache: Cache) -> Iterator[Tensor]:
    """The rows of a cache that count, bfloat16, document after document."""
    sizes = cache.wanted.sum(1)
    for doc in np.flatnonzero(sizes):
        own = np.array(cache.rows(int(cache.start[doc]), int(sizes[doc])))  # torch reads no memory that is read-only
        yield as_tensor(own, cache.dtype)[torch.from_numpy(cache.kept[doc][cache.wanted[doc]])].bfloat16()


def shuffled(x: Tensor, batch_size: int, seed: int) -> Iterator[Tensor]:
    """Endless epochs over x [token, d_in], each in another order, float32 batches [batch_size, d_in]."""
    rng = np.random.default_rng(seed)
    while True:
        for part in torch.from_numpy(rng.permutation(len(x))).split(batch_size):
            if len(part) == batch_size:
                yield x[part].float()
