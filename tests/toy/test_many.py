"""What must come out of the toy models with many features (rows M2, M6-M8, M14, M16, M18). Fewer features, dimensions
and steps than the paper's where the outcome stays the same; each test says so.
"""

from __future__ import annotations

import numpy as np
import pytest
from toy_models import column, trained

from saewidgets.analysis.toys import geometry as geo
from saewidgets.analysis.toys import superposition_theory as theory


def rank_correlation(x, y):
    return np.corrcoef(np.argsort(np.argsort(x)), np.argsort(np.argsort(y)))[0, 1]


def test_m2_is_a_rescaled_copy_of_m1():
    """80 in 20 and 20 in 5, the importances falling over the same share of features: the same dimensions per feature."""
    large, small = trained("M2", 1, steps=800, batch_size=256), trained("M1", 1)
    dense = large.final[0]
    assert geo.norms(dense)[:16] == pytest.approx(1, abs=0.02)
    assert geo.norms(dense)[28:] == pytest.approx(0, abs=0.1)
    assert (geo.norms(dense) ** 2).sum() == pytest.approx(20, abs=0.3)
    both = geo.dimensions_per_feature(large.final), geo.dimensions_per_feature(small.final)
    assert both[0][:5] == pytest.approx(both[1][:5], abs=0.06)  # densities 1 to 0.01
    graph = geo.feature_graph(large.final[1])  # 0.3: the important ones alone, then pairs
    shapes = dict(zip(range(graph.n_parts), graph.shapes(), strict=True))
    assert set(shapes.values()) <= {"single", "digon"}
    alone = [graph.features_of(part)[0] for part, shape in shapes.items() if shape == "single"]
    paired = [f for part, shape in shapes.items() if shape == "digon" for f in graph.features_of(part)]
    assert len(paired) >= 8 and np.mean(alone) < np.mean(paired)


@pytest.fixture(scope="module")
def uniform():
    """(1 / density, run): 200 equal features in 20 dimensions (the paper: 400 in 30)."""
    inverse = np.array([1.0, 1.25, 2.3, 2.6, 3.0, 3.5, 5.0, 8.0, 12.0, 20.0])
    return inverse, trained(
        "M6", 1, n_features=200, n_hidden=20, n_instances=len(inverse), feature_probability=column(*1 / inverse),
        steps=2500, batch_size=256,
    )  # fmt: skip


def test_m6_dimensions_per_feature_stick_at_1_and_at_one_half(uniform):
    inverse, run = uniform
    D = geo.dimensions_per_feature(run.final)
    assert D[:2] == pytest.approx(1, abs=0.03)
    plateau = (inverse > 2) & (inverse < 4)
    assert D[plateau] == pytest.approx(0.5, abs=0.03)
    assert (np.diff(D[inverse > 3]) < 0).all()  # and falls on afterwards
    slope = -np.diff(np.log(D)) / np.diff(np.log(inverse))
    steep = slope[(inverse[:-1] >= 3.5)].min()
    assert np.abs(slope[3:5]).max() < 0.25 * steep  # sticky: per factor of density, several times flatter than below
    assert D[-1] < 0.2


def test_m6_the_plateau_at_one_half_is_antipodal_pairs(uniform):
    inverse, run = uniform
    W = run.final[list(inverse).index(2.6)]
    graph = geo.feature_graph(W)
    assert graph.shapes().count("digon") >= 0.9 * graph.n_parts
    there = geo.norms(W) > 0.5
    assert (np.abs(geo.feature_dimensionality(W)[there] - 0.5) < 0.06).mean() > 0.9
    assert geo.feature_dimensionality(W)[~there].max() < 0.15


@pytest.fixture(scope="module")
def found_shapes():
    """Every connected part of many models: (its shape's name, D_i of its features).

    100 equal features in 15 dimensions, from dense to sparse, and 22 in 15, where features are few enough to be in
    tetrahedra.
    """
    many = trained(
        "M7", 2, n_features=100, n_hidden=15, n_instances=4, feature_probability=column(0.6, 0.4, 0.25, 0.22),
        steps=4000, batch_size=256, lr=3e-3,
    )  # fmt: skip
    few = trained("M7", 6, n_features=22, n_hidden=15, n_instances=2, feature_probability=column(0.5, 0.45), lr=5e-3)
    parts = []
    for W in [*many.final, *few.final]:
        graph, D = geo.feature_graph(W), geo.feature_dimensionality(W)
        parts += [(shape, D[graph.features_of(part)]) for part, shape in enumerate(graph.shapes())]
    return parts


@pytest.mark.parametrize(
    ("shape", "share"),
    [("tetrahedron", 3 / 4), ("triangle", 2 / 3), ("digon", 1 / 2), ("pentagon", 2 / 5), ("square antiprism", 3 / 8)],
)
def test_m7_features_settle_in_known_shapes(found_shapes, shape, share):
    """Each shape is found, and its features have its share of a dimension."""
    shares = [D for name, D in found_shapes if name == shape]
    assert shares
    assert np.median(np.concatenate(shares)) == pytest.approx(share, abs=0.02)


def test_m7_m8_models_are_tegum_products_of_those_shapes(found_shapes):
    """Parts that do not touch fill dimensions of their own; most of them are one of the known shapes, in the ranges
    sampled.
    """
    known = [name in geo.KINDS for name, *_ in found_shapes]
    assert np.mean(known) > 0.7
    names = {name for name, *_ in found_shapes}
    assert {"digon", "pentagon"} <= names  # such as 12 digons and 2 pentagons in one model


@pytest.mark.parametrize("seed", [0, 1])
def test_m14_two_local_almost_orthogonal_bases(seed):
    """20 in 10, two correlated sets of ten: W^T W has two blocks near the identity, and all interference between them."""
    run = trained("M14", 8, n_instances=1, seed=seed)
    G = geo.gram(run.final[run.best[0]])
    within = [G[:10, :10], G[10:, 10:]]
    for block in within:
        assert np.diagonal(block) == pytest.approx(1, abs=0.15)
        off = block - np.diag(np.diagonal(block))
        assert np.sqrt(np.square(off).mean()) < 0.06
    across = G[:10, 10:]
    assert np.sqrt(np.square(across).mean()) > 0.28  # 10 x 10 of an orthogonal matrix: 1 / sqrt(10) = 0.316
    singular = np.linalg.svd(run.final[run.best[0]][:, :10], compute_uv=False)
    assert singular == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("seed", [0, 1])
def test_m16_the_loss_falls_where_features_jump(seed):
    """40 equal features in 8 dimensions, ending in digons. After the first tenth, the loss falls in the same intervals
    in which dimensionalities change; in an order of its own it would not.
    """
    run = trained(
        "M16",
        4,
        n_features=40,
        n_hidden=8,
        feature_probability=0.33,
        steps=4000,
        batch_size=512,
        snapshots=100,
        seed=seed,
    )
    D = geo.feature_dimensionality(run.weights)  # [snapshot, instance, feature]
    later = run.steps[:-1] >= 0.1 * run.steps[-1]
    ends = [geo.feature_graph(W).shapes() for W in run.final]
    digons = [shapes == ("digon",) * 8 for shapes in ends]
    assert sum(digons) >= 2
    chance = np.random.default_rng(0)
    for i in np.flatnonzero(digons):
        fall = -np.diff(run.losses[:, i])[later]
        moved = np.abs(np.diff(D[:, i], axis=0)).sum(1)[later]
        assert np.corrcoef(fall, moved)[0, 1] > 0.8
        assert np.corrcoef(chance.permutation(fall), moved)[0, 1] < 0.4
        assert fall[np.argsort(-moved)[: later.sum() // 5]].sum() > 0.6 * fall.sum()
        levels = D[-1, i]
        assert (np.isclose(levels, 0.5, atol=0.05) | (levels < 0.05)).all()


@pytest.fixture(scope="module")
def attacked():
    """(features per dimension, relative vulnerability), by density: 60 in 12 (the paper: many more)."""
    densities = (1.0, 0.66, 0.5, 0.4, 0.33, 0.25, 0.2, 0.14, 0.1, 0.07)
    run = trained("M18", 1, n_features=60, n_hidden=12, n_instances=len(densities), feature_probability=column(*densities),
                  batch_size=256)  # fmt: skip
    hurt = [theory.vulnerability(W, b, p) for W, b, p in zip(run.final, run.biases[-1], densities, strict=True)]
    return 1 / geo.dimensions_per_feature(run.final), np.array(hurt) / hurt[0], run


def test_m18_vulnerability_tracks_features_per_dimension(attacked):
    """An L2 attack of a tenth of the mean input's length. From dense to sparse it does more than 3 times as much."""
    per_dimension, hurt, _ = attacked
    assert hurt[-1] > 3
    assert hurt[2] > 1.5  # already where features begin to share
    assert rank_correlation(hurt, per_dimension) > 0.98
    assert np.corrcoef(hurt, per_dimension)[0, 1] > 0.95


def test_m18_one_output_moves_by_the_features_per_dimension(attacked):
    """The worst attack on one output gains |(W^T W)_i|^2 = |W_i|^4 / D_i for each squared unit: 1 / D* within a sixth."""
    per_dimension, _, run = attacked
    for W, expected in list(zip(run.final, per_dimension, strict=True))[2:]:
        there = geo.norms(W) > 0.5
        gain = np.square(geo.gram(W)).sum(1)[there].mean()
        assert gain == pytest.approx(expected, rel=1 / 6)


def test_m18_adversarial_training_needs_strong_attacks_to_end_superposition():
    """20 in 5, density 0.05. Trained against attacks of 20 % of the mean length there are still 3 features a dimension;
    at 80 % fewer than 2; the clean loss rises all the way.
    """
    runs = [trained("M18", 1, n_features=20, n_hidden=5, n_instances=2, feature_probability=0.05, adversarial=strength,
                    steps=1500, batch_size=256) for strength in (0.0, 0.2, 0.8, 1.2)]  # fmt: skip
    D = np.array([geo.dimensions_per_feature(run.final).mean() for run in runs])
    assert (np.diff(D) > 0).all()
    assert D[1] < 0.4
    assert D[2] > 0.5
    assert D[3] > 0.8
    assert (np.diff([run.losses[-1].mean() for run in runs]) > 0).all()
