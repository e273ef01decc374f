"""Many features: rows M2, M6 to M9, M14, M16 and M18."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from toy_models import column, trained

from saewidgets.analysis.toys import geometry as geo
from saewidgets.analysis.toys import superposition_theory as theory
from saewidgets.records import ToyRun
from superposition_rows.kinds import Found, best, claim, counted, listed


@claim(
    "M2",
    "80 in 20 is 20 in 5, larger: dimensions per feature at p = 1, 0.3, 0.1, 0.03, 0.01 differ by less than 0.09 "
    "(of five dimensions one more feature is as much)",
)
def m2(seed: int) -> Found:
    densities = column(1.0, 0.3, 0.1, 0.03, 0.01)
    large = trained("M2", 1, n_instances=5, feature_probability=densities, steps=800, batch_size=256, seed=seed)
    small = trained("M1", 6, n_instances=5, feature_probability=densities, seed=seed)
    first = [instances[0] for instances in best(small, 6, seed)]
    both = geo.dimensions_per_feature(large.final), geo.dimensions_per_feature(small.final[first])
    return Found(f"{listed(both[0])} and {listed(both[1])}", bool(np.abs(both[0] - both[1]).max() < 0.09))


INVERSE = (1.0, 1.25, 1.6, 2.0, 2.3, 2.6, 3.0, 3.5, 5.0, 8.0, 12.0, 20.0)


@lru_cache(maxsize=1)
def _uniform(seed: int):
    """200 equal features in 20 dimensions (the paper: 400 in 30), one model for each of `INVERSE`."""
    p = column(*(1 / inverse for inverse in INVERSE))
    return trained(
        "M6", 1, n_features=200, n_hidden=20, n_instances=len(INVERSE), feature_probability=p, steps=2500,
        batch_size=256, seed=seed,
    )  # fmt: skip


@claim(
    "M6",
    "200 equal features in 20: dimensions per feature stay within 0.03 of 1 to 1/p = 1.25, and of 1/2 from 2.3 to "
    "3.5, and fall from there on",
)
def m6(seed: int) -> Found:
    D, inverse = geo.dimensions_per_feature(_uniform(seed).final), np.array(INVERSE)
    agrees = (
        np.abs(D[:2] - 1).max() < 0.03 and np.abs(D[(inverse > 2) & (inverse < 4)] - 0.5).max() < 0.03
        and (np.diff(D[inverse > 3]) < 0).all() and D[-1] < 0.2
    )  # fmt: skip
    return Found(f"{listed(D)} at 1/p = {', '.join(f'{i:g}' for i in INVERSE)}", bool(agrees))


@claim("M6", "on the plateau at 1/2 (1/p = 2.6) nine of ten represented features or more are in antipodal pairs")
def m6_pairs(seed: int) -> Found:
    W = _uniform(seed).final[INVERSE.index(2.6)]
    graph = geo.feature_graph(W)
    paired = 2 * graph.shapes().count("digon") / max(int((graph.part >= 0).sum()), 1)
    return Found(f"{100 * paired:.0f} %", paired > 0.9)


MANY = (0.6, 0.4, 0.25, 0.22)
FEW = (0.8, 0.7, 0.55, 0.45, 0.35)
PART = {(4, 3): "tetrahedron", (3, 2): "triangle", (2, 1): "digon", (5, 2): "pentagon", (8, 3): "square antiprism"}


@dataclass(frozen=True)
class _Part:
    """One connected part of one model."""

    n_features: int  # of the model
    density: float
    kind: str  # by angles and shares, see `feature_graph`
    size: tuple[int, int]  # (features, dimensions)
    D: np.ndarray  # of its features


@lru_cache(maxsize=1)
def _parts(seed: int) -> tuple[_Part, ...]:
    """100 and 22 equal features in 15 dimensions; with 22, features are few enough to be in tetrahedra."""
    many = trained(
        "M7", 2, n_features=100, n_hidden=15, n_instances=len(MANY), feature_probability=column(*MANY), steps=4000,
        batch_size=256, lr=3e-3, seed=seed,
    )  # fmt: skip
    few = trained(
        "M7", 8, n_features=22, n_hidden=15, n_instances=len(FEW), feature_probability=column(*FEW), lr=5e-3, seed=seed
    )
    parts = []
    for run in (many, few):
        for W, p in zip(run.final, run.feature_probability[:, 0], strict=True):
            graph = geo.feature_graph(W)
            for part, kind in enumerate(graph.kinds):
                own = graph.features_of(part)
                size = (len(own), int(graph.rank[part]))
                parts.append(_Part(run.n_features, round(float(p), 4), kind, size, graph.dimensionality[own]))
    return tuple(parts)


@claim(
    "M7",
    "parts of 4 features in 3 dimensions (of 22 in 15, p = 0.35 to 0.55), 3 in 2, 2 in 1, 5 in 2 and 8 in 3 have "
    "median shares 3/4, 2/3, 1/2, 2/5, 3/8 of a dimension (to 0.02), and half of each or more are the polytope by "
    "their angles",
)
def m7(seed: int) -> Found:
    text, agrees = [], True
    for size, name in PART.items():
        some = [part for part in _parts(seed) if part.size == size]
        if name == "tetrahedron":
            some = [part for part in some if part.n_features == 22 and part.density < 0.6]
        middle = float(np.median(np.concatenate([part.D for part in some]))) if some else float("nan")
        regular = sum(part.kind == name for part in some)
        agrees &= abs(middle - size[1] / size[0]) < 0.02 and 2 * regular >= len(some)
        text.append(f"{regular} of {len(some)} {name} {middle:.3f}")
    return Found(", ".join(text), agrees)


@claim(
    "M7",
    "tetrahedra are clean (median 0.73 to 0.77) with 22 features in 15 dimensions at p = 0.35 to 0.55; at 0.7 and "
    "0.8, where features that are left out keep a little norm, four in three are rare and have less",
)
def m7_tetrahedra(seed: int) -> Found:
    text, agrees, numbers = [], True, []
    for p in FEW:
        shares = [part.D for part in _parts(seed) if (part.n_features, part.density, part.size) == (22, p, (4, 3))]
        numbers.append(len(shares))
        middle = float(np.median(np.concatenate(shares))) if shares else float("nan")
        agrees &= abs(middle - 0.75) < 0.02 if p < 0.6 else not middle >= 0.75
        text.append(f"{len(shares)} at p = {p}, {middle:.2f}" if shares else f"none at {p}")
    return Found(", ".join(text), agrees and sum(numbers[:2]) < sum(numbers[2:]))


@claim(
    "M8",
    "trained models are tegum products: two thirds of their connected parts or more are polytopes that `feature_graph` "
    "knows",
)
def m8(seed: int) -> Found:
    kinds = tuple(part.kind for part in _parts(seed))
    share = 1 - kinds.count(geo.OTHER) / len(kinds)
    return Found(f"{100 * share:.0f} %: {counted(kinds)}", share > 2 / 3)


@claim(
    "M9",
    "the rows orthogonal to (1, 1, 1) give the triangle, to (1, ..., 1) the simplex, and the null space gives the "
    "vector back, whatever the rotation: exact to 1e-12",
)
def m9(seed: int) -> Found:
    rng = np.random.default_rng(seed)
    worst = 0.0
    for n in (3, 4, 5, 8):
        turn = np.linalg.qr(rng.normal(size=(n - 1, n - 1)))[0]
        W = turn @ geo.orthogonal_to(np.ones(n))
        unit = W / geo.norms(W)
        expected = np.where(np.eye(n) > 0, 1, -1 / (n - 1))
        if n == 3:
            expected = geo.gram(geo.POLYTOPES["triangle"].points)
        worst = max(worst, np.abs(geo.gram(unit) - expected).max())
        worst = max(worst, np.abs(np.abs(geo.null_space(W)) - n**-0.5).max())
    return Found(f"largest difference {worst:.0e}", bool(worst < 1e-12))


@claim(
    "M14",
    "two correlated sets of ten in ten dimensions: W^T W has two blocks near the identity (below 0.06 off the "
    "diagonal), and 0.28 to 0.33 between them, where two unrelated bases have 0.316 (root mean squares; best of 8)",
)
def m14(seed: int) -> Found:
    run = trained("M14", 8, n_instances=1, seed=seed)
    G = geo.gram(run.final[run.best[0]])
    blocks = [G[:10, :10], G[10:, 10:]]
    diagonal = np.concatenate([np.diagonal(block) for block in blocks])
    off = max(float(np.sqrt(np.square(block - np.diag(np.diagonal(block))).mean())) for block in blocks)
    across = float(np.sqrt(np.square(G[:10, 10:]).mean()))
    agrees = np.abs(diagonal - 1).max() < 0.15 and off < 0.06 and 0.28 < across < 0.33
    text = f"{off:.3f} off the diagonal, {across:.3f} between; diagonal {diagonal.min():.2f} to {diagonal.max():.2f}"
    return Found(text, bool(agrees))


@claim(
    "M16",
    "40 features in 8 dimensions, ending in pairs: after the first tenth of the steps, interval by interval, the "
    "fall of the loss and the movement of the D_i correlate at 0.9 or more",
)
def m16(seed: int) -> Found:
    run = trained("M16", 4, n_features=40, n_hidden=8, feature_probability=0.33, snapshots=100, steps=4000, seed=seed)
    D = geo.feature_dimensionality(run.weights)  # [snapshot, instance, feature]
    later = run.steps[:-1] >= 0.1 * run.steps[-1]
    found = []
    for i in range(run.n_instances):
        if geo.feature_graph(run.final[i]).shapes() == ("digon",) * 8:
            fall = -np.diff(run.losses[:, i])[later]
            found.append(np.corrcoef(fall, np.abs(np.diff(D[:, i], axis=0)).sum(1)[later])[0, 1])
    return Found(f"{len(found)} of 4 end in eight pairs: {listed(found)}", len(found) >= 2 and min(found) > 0.9)


M18_DENSITIES = (1.0, 0.66, 0.5, 0.4, 0.33, 0.25, 0.2, 0.14, 0.1, 0.07)


@lru_cache(maxsize=1)
def _attacked(seed: int):
    """(features per dimension, vulnerability relative to the densest, gain of one output), by density."""
    run = trained("M18", 1, n_features=60, n_hidden=12, n_instances=len(M18_DENSITIES),
                  feature_probability=column(*M18_DENSITIES), batch_size=256, seed=seed)  # fmt: skip
    hurt = np.array(
        [theory.vulnerability(*one, seed=seed) for one in zip(run.final, run.biases[-1], M18_DENSITIES, strict=True)]
    )
    return 1 / geo.dimensions_per_feature(run.final), hurt / hurt[0], _gain(run)


@claim(
    "M18",
    "60 features in 12: from dense to sparse (p = 0.07) an attack of a tenth of the mean length adds more than "
    "three times as much to the loss for its squared length, correlated above 0.95 with the features per dimension",
)
def m18(seed: int) -> Found:
    per_dimension, hurt, _ = _attacked(seed)
    together = float(np.corrcoef(per_dimension, hurt)[0, 1])
    return Found(
        f"{listed(hurt, 1)} times for {listed(per_dimension, 1)}; {together:.3f}",
        bool(hurt[-1] > 3 and together > 0.95),
    )


@claim(
    "M18",
    "what the worst attack on one output gains, |W_i|⁴ / D_i, is the features per dimension to within a sixth from "
    "p = 0.5 down (60 in 12; not denser, and not for the sparsest of larger models)",
)
def m18_one_output(seed: int) -> Found:
    per_dimension, _, gain = _attacked(seed)
    ratio = gain / per_dimension
    return Found(listed(ratio), bool(np.abs(ratio[2:] - 1).max() < 1 / 6))


@claim(
    "M18",
    "for 100 features in 20 at p = 0.048, 0.031 and 0.02 that gain is 1.15 to 1.5 times the features per dimension",
)
def m18_sparser(seed: int) -> Found:
    run = trained("M18", 1, n_instances=3, feature_probability=column(0.048, 0.031, 0.02), batch_size=256, seed=seed)
    ratio = _gain(run) * geo.dimensions_per_feature(run.final)
    return Found(listed(ratio), bool(((ratio > 1.15) & (ratio < 1.5)).all()))


def _gain(run: ToyRun) -> np.ndarray:
    """float64 [instance]: |(W^T W)_i|^2 = |W_i|^4 / D_i, the mean over represented features."""
    return np.array([np.square(geo.gram(W)).sum(1)[geo.norms(W) > geo.REPRESENTED].mean() for W in run.final])


STRENGTHS = (0.0, 0.2, 0.5, 0.8, 1.2)


@claim(
    "M18",
    "20 in 5 at p = 0.05, trained against attacks of 0, 20, 50, 80, 120 % of the mean length: ever fewer features "
    "per dimension, more than 2.5 at 20 %, fewer than 2 at 80 %, and a higher clean loss each time",
)
def m18_training(seed: int) -> Found:
    runs = [trained("M18", 1, n_features=20, n_hidden=5, n_instances=3, feature_probability=0.05, adversarial=strength,
                    steps=1500, batch_size=256, seed=seed) for strength in STRENGTHS]  # fmt: skip
    per_dimension = np.array([(1 / geo.dimensions_per_feature(run.final)).mean() for run in runs])
    losses = np.array([run.losses[-1].mean() for run in runs])
    agrees = (
        (np.diff(per_dimension) < 0).all() and (np.diff(losses) > 0).all() and per_dimension[1] > 2.5
        and per_dimension[3] < 2
    )  # fmt: skip
    return Found(f"{listed(per_dimension, 1)}; loss {listed(losses, 3)}", bool(agrees))
