"""Small models: rows M0, M1, M3 to M5, M10 to M13, M15 and M17."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from toy_models import column, cosines, ranked, trained

from saewidgets.analysis.toys import geometry as geo
from saewidgets.analysis.toys import superposition_theory as theory
from saewidgets.analysis.toys.families import perturbed_families
from saewidgets.toy import experiment, phase_diagram, train_toy
from superposition_rows.kinds import Found, best, claim, counted, listed


@claim(
    "M0",
    '`experiment("M0")` as it stands, the best of 8 at each density. p = 1: the two most important, orthogonal, the '
    "others below 0.2; 0.2: two antipodal pairs, the least important left out; 0.1: a pentagon, D = 0.40, 72° apart",
)
def m0_shapes(seed: int) -> Found:
    run = train_toy(experiment("M0", seed=seed)).run()
    dense, middle, sparse = run.final[run.best]
    angle = np.degrees(np.arccos(np.clip(cosines(dense)[0, 1], -1, 1)))
    norms = geo.norms(dense)
    shapes = [geo.feature_graph(W).shapes() for W in (middle, sparse)]
    turns = np.sort(np.degrees(np.arctan2(sparse[1], sparse[0])))
    gaps = np.diff(np.append(turns, turns[0] + 360))
    D = geo.feature_dimensionality(sparse)
    agrees = (
        np.abs(norms[:2] - 1).max() < 0.05 and norms[2:].max() < 0.2 and abs(angle - 90) < 3
        and shapes == [("digon", "digon"), ("pentagon",)] and int(np.argmin(geo.norms(middle))) == 4
        and np.abs(D - 0.4).max() < 0.03 and np.abs(gaps - 72).max() < 6
    )  # fmt: skip
    return Found(
        f"{angle:.0f}° and norms {listed(norms)}; {counted(shapes[0])}; {counted(shapes[1])}, D {D.min():.2f} to "
        f"{D.max():.2f}, {gaps.min():.0f}° to {gaps.max():.0f}°",
        bool(agrees),
    )


@claim("M0", "at p = 0.1 more than half of the starts end in the pentagon, nearly all the others in two pairs")
def m0_starts(seed: int) -> Found:
    run = trained("M0", 96, n_instances=1, feature_probability=0.1, seed=seed)
    shapes = [geo.feature_graph(W).shapes() for W in run.final]
    pentagons, pairs = shapes.count(("pentagon",)), shapes.count(("digon", "digon"))
    return Found(f"{pentagons} and {pairs} of 96", pentagons > 48 and pentagons + pairs >= 90)


@claim(
    "M1",
    "without ReLU: W^T W is the identity on the five most important features, 0 elsewhere, at p = 1, 0.3, 0.1 (to "
    "0.02, after the preset's 5,000 steps)",
)
def m1_linear(seed: int) -> Found:
    run = trained("M1-linear", 1, n_instances=3, feature_probability=column(1.0, 0.3, 0.1), steps=5000, seed=seed)
    target = np.diag([1.0] * 5 + [0.0] * 15)
    apart = [float(np.abs(geo.gram(W) - target).max()) for W in run.final]
    return Found(f"largest difference {listed(apart, 3)}", max(apart) < 0.02)


M1_DENSITIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)


@lru_cache(maxsize=1)
def _m1(seed: int):
    run = trained("M1", 6, n_instances=6, feature_probability=column(*M1_DENSITIES), seed=seed)
    return run, ranked(run, 6)[:, 0]


@claim(
    "M1",
    "represented features: 5 at p = 1, more at each rarer density to 0.01, ten or eleven at 0.03 (five antipodal "
    "pairs, or three and a pentagon); all alone or in pairs where p is 0.1 or more (best of 6)",
)
def m1_pairs(seed: int) -> Found:
    run, first = _m1(seed)
    counts = (geo.norms(run.final[first]) > geo.REPRESENTED).sum(1)
    shapes = [geo.feature_graph(run.final[i]).shapes() for i in first]
    agrees = (
        counts[0] == 5 and (np.diff(counts[:5]) > 0).all()
        and counted(shapes[3]) in ("5 digon", "3 digon, 1 pentagon")
        and all(set(names) <= {"single", "digon"} for names in shapes[:3])
    )  # fmt: skip
    text = f"{', '.join(map(str, counts))} at p = {', '.join(map(str, M1_DENSITIES))}; {counted(shapes[3])} at 0.03"
    return Found(text, bool(agrees))


@claim("M1", "biases at p = 1, 0.3, 0.1: near 0 for features that are represented, p / 2 for those left out")
def m1_biases(seed: int) -> Found:
    run, first = _m1(seed)
    text, agrees = [], True
    for cell, p in enumerate(M1_DENSITIES[:3]):
        W, b = run.final[first[cell]], run.biases[-1, first[cell]]
        learned, ignored = b[geo.norms(W) > 0.97], b[geo.norms(W) < 0.2]
        agrees &= bool(np.abs(learned).max() < 0.06 and np.abs(ignored - p / 2).max() < 0.03)
        text.append(f"{np.abs(learned).max():.3f} and {ignored.mean():.3f}")
    return Found("; ".join(text), agrees)


@claim(
    "M3",
    "loss = sum of p^k (1 - p)^(n - k) L_k, and Var(x_i) (benefit + interference) for the linear model: within 1 % "
    "of sampling",
)
def m3(seed: int) -> Found:
    rng = np.random.default_rng(seed)
    W, b, importance, p = rng.normal(size=(2, 5)) * 0.6, rng.normal(size=5) * 0.1, 0.9 ** np.arange(5), 0.3
    x = rng.random((1_000_000, 5)) * (rng.random((1_000_000, 5)) < p)
    sampled = (np.square(x - np.maximum(x @ geo.gram(W) + b, 0)) @ importance).mean()
    split = theory.sparse_terms(W, b, p, importance, n_samples=60_000, seed=seed).contributions.sum()
    centered = np.full(5, p / 2) - geo.gram(W) @ np.full(5, p / 2)
    linear = (np.square(x - x @ geo.gram(W) - centered) @ importance).mean()
    closed = float(theory.ignored_loss(p)) * theory.linear_terms(W, importance).total
    apart = [abs(split / sampled - 1), abs(closed / linear - 1)]
    return Found(f"{100 * apart[0]:.2f} % and {100 * apart[1]:.2f} %", max(apart) < 0.01)


@lru_cache(maxsize=2)
def _diagram(m: int, seed: int):
    densities, importances = np.geomspace(0.05, 1, 8), np.geomspace(0.1, 10, 8)
    return phase_diagram(m + 1, m, densities, importances, 12, steps=1000, seed=seed)


def _cells(m: int, seed: int) -> Found:
    diagram = _diagram(m, seed)
    right = theory.empirical_phases(diagram.weights[:, :, 0]) == theory.theory_phases(m + 1, m, diagram.x, diagram.y)
    return Found(f"{right.sum()} of 64", bool(right.sum() >= 58))


@claim(
    "M4",
    "two in one: on a grid of 64 cells, the best of 12 models is in the phase of the theory in nine of ten or more",
)
def m4(seed: int) -> Found:
    return _cells(1, seed)


@claim("M4", "of all the models (each cell's worst aside) seven to nine of ten are in the right phase")
def m4_all(seed: int) -> Found:
    diagram = _diagram(1, seed)
    expected = theory.theory_phases(2, 1, diagram.x, diagram.y)[:, :, None]
    share = float((theory.empirical_phases(diagram.weights[:, :, :-1]) == expected).mean())
    return Found(f"{100 * share:.0f} %", 0.7 < share < 0.9)


@claim("M5", "three in two: 64 cells, as for two in one")
def m5(seed: int) -> Found:
    return _cells(2, seed)


@claim(
    "M10",
    "the loss curves of the pentagon and of two pairs cross where the one is 2.35 (p = 0.1), 3.7 (0.05), 5.4 (0.02) "
    "times rarer; computed, without a start",
)
def m10_curves(seed: int) -> Found:
    del seed  # nothing here is drawn
    times = [1 / perturbed_families(p, np.geomspace(0.15, 0.5, 9)).crossing for p in (0.1, 0.05, 0.02)]
    return Found(f"{listed(times)} times", bool(np.allclose(times, [2.35, 3.72, 5.42], rtol=0.02)))


@claim(
    "M10",
    "training agrees: the best of 24 is two pairs where the one is a fifth rarer than at the crossing, a pentagon "
    "where it is a fifth less rare (p = 0.1 and 0.05)",
)
def m10_trained(seed: int) -> Found:
    text, agrees = [], True
    for base, times in ((0.1, 2.35), (0.05, 3.72)):
        p = np.full((2, 5), base)
        p[:, 0] /= [times * 1.2, times / 1.2]
        run = trained("M10", 24, n_instances=2, feature_probability=p, seed=seed)
        kept = [int((geo.norms(run.final[i[0]]) > geo.REPRESENTED).sum()) for i in best(run, 24, seed, 24)]
        agrees &= kept == [4, 5]
        text.append(f"{kept[0]} and {kept[1]} features are kept")
    return Found("; ".join(text), agrees)


@claim(
    "M10",
    "before it breaks the rare feature of the pentagon is longer than the others, and its neighbors are closer to "
    "it than 72° (p = 0.05, three times rarer)",
)
def m10_deforms(seed: int) -> Found:
    p = np.full(5, 0.05)
    p[0] /= 3
    run = trained("M10", 24, n_instances=1, feature_probability=p, seed=seed)
    whole = [W for W in run.final[ranked(run, 24)[0]] if geo.norms(W).min() > geo.REPRESENTED]
    if not whole:
        return Found("no pentagon among 24", False)
    norms = geo.norms(whole[0])
    nearest = float(np.degrees(np.arccos(np.sort(cosines(whole[0])[0])[-3:-1])).mean())
    longer = norms[0] / norms[1:].mean()
    return Found(f"{longer:.2f} times as long, {nearest:.0f}°", bool(longer > 1.015 and nearest < 70))


@claim(
    "M11",
    "correlated pairs: the five best of 20 have both pairs orthogonal (|cosine| below 0.1), each feature opposite "
    "one of the other pair",
)
def m11(seed: int) -> Found:
    run = trained("M11", 20, n_instances=1, feature_probability=0.05, seed=seed)
    five = [cosines(run.final[i]) for i in ranked(run, 20)[0, :5]]
    within = max(abs(c[0, 1]) for c in five), max(abs(c[2, 3]) for c in five)
    opposite = max(c.min(1).max() for c in five)
    return Found(
        f"|cosine| up to {max(within):.3f}; opposite {opposite:.3f}", bool(max(within) < 0.1 and opposite < -0.95)
    )


@claim("M12", "anticorrelated pairs: opposite, with a loss of 0 to rounding, in a third to two thirds of 30 starts")
def m12(seed: int) -> Found:
    text, agrees = [], True
    for p in (0.05, 0.1):
        run = trained("M12", 30, n_instances=1, feature_probability=p, seed=seed)
        order = ranked(run, 30)[0]
        pairs = [bool(cosines(run.final[i])[[0, 2], [1, 3]].max() < -0.98) for i in order]
        loss = run.losses[-1, order[0]]
        agrees &= pairs[0] and loss < 1e-5 and 6 <= sum(pairs) <= 24
        text.append(f"{sum(pairs)} at p = {p}, loss {loss:.0e}")
    return Found("; ".join(text), bool(agrees))


def collapsed(W: np.ndarray) -> int:
    """How many of the pairs (0, 1), (2, 3), (4, 5) have become one direction."""
    cosine = cosines(W)
    return sum(int(cosine[2 * s, 2 * s + 1] > 0.9) for s in range(3))


@claim(
    "M13",
    "three correlated pairs at p = 0.02: hexagons with each pair a side, or one pair collapsed; both among 32 "
    "starts, and nearly nothing else",
)
def m13(seed: int) -> Found:
    run = trained("M13", 32, n_instances=1, feature_probability=0.02, seed=seed)
    hexagons = ones = 0
    for W in run.final:
        order = np.argsort(np.arctan2(W[1], W[0]))
        sides = {frozenset((int(a) // 2, int(b) // 2)) for a, b in zip(order, np.roll(order, -1), strict=True)}
        whole = {frozenset((s,)) for s in range(3)} <= sides and geo.norms(W).min() > 0.8
        hexagons += int(whole and collapsed(W) == 0)
        ones += int(collapsed(W) == 1)
    return Found(
        f"{hexagons} hexagons, {ones} with a collapsed pair", hexagons >= 4 and ones >= 4 and hexagons + ones >= 28
    )


M15_DENSITIES = (0.03, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6)


@lru_cache(maxsize=1)
def _m15(seed: int):
    run = trained("M15", 80, n_instances=10, feature_probability=column(*M15_DENSITIES), seed=seed)
    return run, [i[0] for i in best(run, 80, seed)]


@claim(
    "M15",
    "collapsed pairs in the best of 80 starts, told on 400,000 inputs: none at p = 0.03 and 0.05, one at 0.1, two "
    "from 0.15 to 0.3, three from 0.4",
)
def m15(seed: int) -> Found:
    run, first = _m15(seed)
    counts = [collapsed(run.final[i]) for i in first]
    text = ", ".join(f"{n} at {p}" for p, n in zip(M15_DENSITIES, counts, strict=True))
    return Found(text, counts == [0, 0, 1, 2, 2, 2, 2, 3, 3, 3])


@claim("M15", "at 0.6 principal components: the two of a pair are alike, and W^T W projects on a plane of pair sums")
def m15_dense(seed: int) -> Found:
    run, first = _m15(seed)
    W = run.final[first[-1]]
    apart = float(np.abs(W[:, ::2] - W[:, 1::2]).max())
    singular = np.linalg.svd(W, compute_uv=False)
    text = f"a pair's two differ by {apart:.3f}; singular values {listed(singular)}"
    return Found(text, bool(apart < 0.08 and np.abs(singular - 1).max() < 0.15))


@lru_cache(maxsize=1)
def _m17(seed: int):
    run = trained("M17", 16, n_instances=1, steps=experiment("M17").steps, snapshots=100, seed=seed)
    return run, best(run, 16, seed)[0][0]


@claim(
    "M17",
    "two sets of three in three dimensions: an octahedron (D = 0.50 each), each feature opposite one of the other set "
    "(cosine below -0.95; best of 16, told on 400,000 inputs)",
)
def m17(seed: int) -> Found:
    run, i = _m17(seed)
    cosine, D = cosines(run.final[i]), geo.feature_dimensionality(run.final[i])
    opposite = np.argmin(cosine, axis=1)
    sets_face = sorted(opposite[:3]) == [3, 4, 5]
    agrees = sets_face and cosine.min(1).max() < -0.95 and np.abs(D - 0.5).max() < 0.03
    where = "the other" if sets_face else "its own"
    return Found(
        f"D {D.min():.2f} to {D.max():.2f}, opposite one of {where} set at {cosine.min(1).max():.3f}", bool(agrees)
    )


@claim("M17", "reached in bursts: a quarter of the first half's intervals holds eight tenths of the loss's fall")
def m17_bursts(seed: int) -> Found:
    run, i = _m17(seed)
    losses = run.losses[:, i]
    fall = -np.diff(losses) / (losses[0] - losses[-1])
    early = run.steps[1:] < 0.5 * run.steps[-1]
    share = float(np.sort(fall[early])[::-1][: early.sum() // 4].sum())
    return Found(f"{100 * share:.0f} %", share > 0.8)
