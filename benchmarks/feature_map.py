"""How long a map of the bundled SAEs takes, how much of the neighborhoods it keeps, and how large its page is.

    python benchmarks/feature_map.py [--umap]

Seconds are processor seconds of one thread and of the wall. "kept" is the share of the 15 nearest directions by cosine
that are among the 15 nearest in the plane; "linked" the share of links (cosine 0.5 or more between SAEs of different
size) whose ends are closer than 99 of 100 random pairs of points.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

import saewidgets as sw
from saewidgets.analysis.map.feature_map import links
from saewidgets.analysis.map.layout import layout, nearest, unit_rows

NAMES = ("miniworld-512", "miniworld-2048", "miniworld-8192", "miniworld-1024-roles")
K = 15


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--umap", action="store_true", help="also the library umap-learn (the extra `map`)")
    with_umap = parser.parse_args().umap
    torch.set_num_threads(1)
    saes = [sw.load_sae(name) for name in NAMES]
    rows = [unit_rows(sae.W_dec.detach().numpy()) for sae in saes]
    directions = np.concatenate(rows)
    parent, child, _ = links(rows, [len(r) for r in rows])
    index, _ = nearest(directions, K)
    chance = np.random.default_rng(0).uniform(-1, 1, (len(directions), 2)).astype(np.float32)
    print(f"{len(directions):,} features, {len(parent):,} links")
    report("chance", chance, index, parent, child, "")
    for method in ("neighbors", "pca", *(["umap"] if with_umap else [])):
        wall, own = time.perf_counter(), time.process_time()
        places = layout(directions, method=method)
        wall, own = time.perf_counter() - wall, time.process_time() - own
        report(method, places, index, parent, child, f"{own:.1f} s of one thread, {wall:.1f} s of the wall")
    page = sw.FeatureMap(sw.feature_map(saes, model=sw.load_model(), method="pca")).to_html()
    print(f"page: {len(page.encode()):,} bytes, without densities and concepts")


def report(name: str, places: np.ndarray, index: np.ndarray, parent: np.ndarray, child: np.ndarray, took: str) -> None:
    points = torch.from_numpy(places)
    kept = 0
    for first in range(0, len(points), 1024):
        apart = torch.cdist(points[first : first + 1024], points)
        own = torch.arange(len(apart))
        apart[own, own + first] = torch.inf
        near = apart.topk(K, largest=False).indices.numpy()
        kept += sum(
            len(set(a) & set(b)) for a, b in zip(near.tolist(), index[first : first + 1024].tolist(), strict=True)
        )
    dice = np.random.default_rng(1)
    one, other = dice.integers(len(places), size=(2, 50_000))
    close = np.quantile(np.linalg.norm(places[one] - places[other], axis=1), 0.01)
    linked = float(np.mean(np.linalg.norm(places[parent] - places[child], axis=1) <= close))
    print(f"{name:10} kept {kept / len(places) / K:.4f}  linked {linked:.3f}  {took}")


if __name__ == "__main__":
    main()
