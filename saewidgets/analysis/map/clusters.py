"""Features that hang together, and a row in which near ones stand together, as on the map of Bricken et al. 2023."""

from __future__ import annotations

import numpy as np

from saewidgets.analysis.map.layout import layout

SMALLEST = 3  # features of a cluster
SPACE = 10  # dimensions in which clusters are sought
MIN_DIST = 0.1  # of that space


def clusters(directions: np.ndarray, *, method: str, neighbors: int, seed: int) -> np.ndarray:
    """int32 [n]: the cluster of each unit vector [n, d], -1 for none, by HDBSCAN with clusters of three or more over a
    layout in ten dimensions (min_dist .1).

    Raises ImportError without scikit-learn, which the extra `map` brings.
    """
    try:
        from sklearn.cluster import HDBSCAN
    except ImportError as error:
        raise ImportError("clusters=True needs scikit-learn: pip install 'saewidgets[map]', or leave it out") from error
    if len(directions) < SMALLEST:
        return np.full(len(directions), -1, np.int32)
    places = layout(directions, method=method, neighbors=neighbors, min_dist=MIN_DIST, seed=seed, dims=SPACE)
    found = HDBSCAN(min_cluster_size=SMALLEST, copy=True).fit_predict(places.astype(np.float64))
    return np.asarray(found, np.int32)


def in_a_row(directions: np.ndarray, *, method: str, neighbors: int, min_dist: float, seed: int) -> np.ndarray:
    """int32 [n]: the place of each unit vector [n, d] in a row, from 0, by a layout in one dimension."""
    places = layout(directions, method=method, neighbors=neighbors, min_dist=min_dist, seed=seed, dims=1)[:, 0]
    row = np.empty(len(places), np.int32)
    row[np.argsort(places, kind="stable")] = np.arange(len(places), dtype=np.int32)
    return row
