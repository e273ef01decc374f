"""Points in the plane for directions in many dimensions: near where the cosine is high.

Three ways. "neighbors" keeps each direction near its nearest ones; it needs torch alone and takes seconds. "umap" is
the library umap-learn (the extra `map`) with the same parameters; compiling it costs more than a minute on its first
run. "pca" is the projection on the two directions of largest variance: honest about large distances, blind to
neighborhoods.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from saewidgets.bars import bar

METHODS = ("neighbors", "umap", "pca")
EPOCHS = 200
NEGATIVES = 5  # points that push for each neighbor that pulls
_ROWS = 1024  # of the matrix of cosines held at once
_LONGEST = 4.0  # the longest pull or push of one pair, before the step size
_SMOOTHING = 30  # steps of the starting position over the graph of neighbors


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """float32 [n, d] of length 1; a row of length 0 stays 0. Raises ValueError unless they are finite and [n, d]."""
    vectors = np.asarray(vectors, np.float32)
    if vectors.ndim != 2:
        raise ValueError(f"expected directions [n, d], not of shape {list(vectors.shape)}")
    length = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(length).all():
        raise ValueError("a direction is not finite: it points nowhere")
    return (vectors / np.where(length == 0, 1, length)).astype(np.float32)


def nearest(directions: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest other rows of each row of unit vectors [n, d], nearest first: (int64 [n, k], cosine float32 [n,
    k]).
    """
    rows = torch.from_numpy(np.ascontiguousarray(directions, np.float32))
    index, cosine = [], []
    with bar(len(rows), "finding neighbors", "features") as advance:
        for first in range(0, len(rows), _ROWS):
            block = rows[first : first + _ROWS] @ rows.T
            own = torch.arange(len(block))
            block[own, own + first] = -torch.inf
            value, where = block.topk(k, dim=1)
            index.append(where.numpy())
            cosine.append(value.numpy())
            advance(len(block))
    return np.concatenate(index), np.concatenate(cosine)


def layout(
    directions: np.ndarray,
    *,
    method: str = "neighbors",
    neighbors: int = 15,
    min_dist: float = 0.05,
    seed: int = 0,
    dims: int = 2,
) -> np.ndarray:
    """float32 [n, dims]: a place in the plane, or another space, for each unit vector [n, d]; the longest side reaches
    from -1 to 1.

    The same input, method and seed give the same places on the same machine, however many threads PyTorch has. See
    `feature_map` for the parameters.
    """
    n = len(directions)
    with _one_thread():
        if n <= dims + 1 or method == "pca":
            places = _largest(directions, dims)
        elif method == "umap":
            places = _umap(directions, min(neighbors, n - 1), min_dist, seed, dims)
        else:
            places = _neighbors(directions, min(neighbors, n - 1), min_dist, seed, dims)
    low, high = places.min(0, initial=0.0), places.max(0, initial=0.0)
    if n:
        low, high = places.min(0), places.max(0)
    value: np.ndarray = ((places - (low + high) / 2) / (max((high - low).max(initial=0.0), 1e-12) / 2)).astype(
        np.float32
    )
    return value


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in one order: with more threads their last bits differ, and 200 steps make another map of that."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _largest(directions: np.ndarray, dims: int) -> np.ndarray:
    """float64 [n, dims]: the first principal components, each with its largest entry positive."""
    rows = torch.from_numpy(np.asarray(directions, np.float64))
    centered = rows - rows.mean(0, keepdim=True) if len(rows) else rows
    axes = torch.linalg.eigh(centered.T @ centered).eigenvectors.flip(1)[:, :dims]
    places = np.zeros((len(rows), dims))
    places[:, : axes.shape[1]] = (centered @ axes).numpy()
    for column in range(dims):
        if len(places) and places[np.abs(places[:, column]).argmax(), column] < 0:
            places[:, column] *= -1
    return places


def _umap(directions: np.ndarray, neighbors: int, min_dist: float, seed: int, dims: int) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from umap import UMAP
    except ImportError as error:
        raise ImportError(
            "method='umap' needs umap-learn: pip install 'saewidgets[map]', or take method='neighbors', which needs nothing more"
        ) from error
    model = UMAP(
        n_neighbors=max(2, neighbors),
        n_components=dims,
        min_dist=min_dist,
        metric="cosine",
        random_state=seed,
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about small inputs and about threads, which a seed forbids
        return np.asarray(model.fit_transform(directions), np.float64)


# -- the layout by neighbors -----------------------------------------------------------------------------------------


def _neighbors(directions: np.ndarray, k: int, min_dist: float, seed: int, dims: int) -> np.ndarray:
    """Pull neighbors together, push random pairs apart (the objective of McInnes, Healy & Melville 2018, eqs. 15 to
    18).

    A pair is drawn with its weight in each epoch; all pairs of an epoch act at once, so the result depends on the seed
    alone.
    """
    head, tail, weight = graph(*nearest(directions, k))
    dice = torch.Generator().manual_seed(seed)
    n = len(directions)
    places = _start(directions, head, tail, weight, dice, dims)
    a, b = curve(min_dist)
    chance = weight / weight.max()
    with bar(EPOCHS, "placing features", "steps") as advance:
        for epoch in range(EPOCHS):
            step = 1 - epoch / EPOCHS
            drawn = torch.rand(len(chance), generator=dice, dtype=torch.float32) < chance
            i, j = head[drawn], tail[drawn]
            move = torch.zeros_like(places)
            apart = places[i] - places[j]
            squared = apart.square().sum(1)
            power = squared.clamp_min(1e-12).pow(b)
            pull = (-2 * a * b * power / squared.clamp_min(1e-12) / (1 + a * power))[:, None] * apart
            pull = pull.clamp(-_LONGEST, _LONGEST)
            move.index_add_(0, i, pull).index_add_(0, j, pull, alpha=-1)
            i = i.repeat(NEGATIVES)
            j = torch.randint(n, (len(i),), generator=dice)
            apart = places[i] - places[j]
            squared = apart.square().sum(1)
            push = (2 * b / ((1e-3 + squared) * (1 + a * squared.pow(b))))[:, None] * apart
            move.index_add_(0, i, push.clamp(-_LONGEST, _LONGEST))
            places = places + step * move.clamp(-_LONGEST, _LONGEST)
            advance(1)
    return places.double().numpy()


def graph(index: np.ndarray, cosine: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """The weighted graph of neighbors, both directions of each pair: (from, to int64 [pairs], weight float32 [pairs],
    in (0, 1]).

    With d = 1 - cosine, rho_i the distance to the nearest neighbor and sigma_i such that the weights of i add up to
    log2 k,

        w_ij = exp(-max(0, d_ij - rho_i) / sigma_i),  and the pair gets w_ij + w_ji - w_ij w_ji.
    """
    n, k = index.shape
    d = 1 - cosine.astype(np.float64)
    rho = d[:, :1]
    beyond = np.maximum(d - rho, 0)
    low, high = np.full((n, 1), 1e-6), np.full((n, 1), 1e3)
    for _ in range(60):  # bisection in the logarithm
        sigma = np.sqrt(low * high)
        more = np.exp(-beyond / sigma).sum(1, keepdims=True) < math.log2(max(k, 2))
        low, high = np.where(more, sigma, low), np.where(more, high, sigma)
    w = np.exp(-beyond / np.sqrt(low * high)).ravel()
    i, j = np.repeat(np.arange(n), k), index.ravel()
    key = np.concatenate([i * n + j, j * n + i])
    both, place = np.unique(key, return_inverse=True)
    there, back = np.zeros(len(both)), np.zeros(len(both))
    there[place[: len(w)]] = w
    back[place[len(w) :]] = w
    weight = there + back - there * back
    head, tail = np.divmod(both, n)
    return torch.from_numpy(head), torch.from_numpy(tail), torch.from_numpy(weight.astype(np.float32))


def _start(
    directions: np.ndarray, head: Tensor, tail: Tensor, weight: Tensor, dice: torch.Generator, dims: int
) -> Tensor:
    """float32 [n, dims]: the principal components, smoothed over the graph so that neighbors begin together, about 10
    wide.
    """
    places = torch.from_numpy(_largest(directions, dims))
    w = weight.double()
    total = torch.zeros(len(places), dtype=torch.float64).index_add_(0, head, w)[:, None]
    for _ in range(_SMOOTHING):
        mean = torch.zeros_like(places).index_add_(0, head, w[:, None] * places[tail]) / total
        places = torch.linalg.qr((places + mean) / 2 - ((places + mean) / 2).mean(0)).Q
    places = 10 * places / places.abs().max(0).values.clamp_min(1e-12)
    return (places + 1e-2 * torch.randn(places.shape, generator=dice, dtype=torch.float64)).float()


def curve(min_dist: float, spread: float = 1.0) -> tuple[float, float]:
    """(a, b) such that 1 / (1 + a x^(2b)) comes nearest to 1 up to min_dist and exp(-(x - min_dist) / spread) beyond.

    Least squares over x in [0, 3 spread], by Gauss-Newton steps.

    Example:
        >>> a, b = curve(0.1)
        >>> round(a, 2), round(b, 2)  # what the reference implementation fits for its default
        (1.58, 0.9)
    """
    x = np.linspace(0, 3 * spread, 300)[1:]
    wanted = np.where(x < min_dist, 1.0, np.exp(-(x - min_dist) / spread))
    a, b = 1.5, 0.9
    for _ in range(60):
        power = x ** (2 * b)
        given = 1 / (1 + a * power)
        slope = np.stack([-power * given**2, -a * power * 2 * np.log(x) * given**2], 1)
        da, db = np.linalg.lstsq(slope, wanted - given, rcond=None)[0]
        a, b = max(1e-3, a + 0.5 * da), max(1e-2, b + 0.5 * db)
    return float(a), float(b)
