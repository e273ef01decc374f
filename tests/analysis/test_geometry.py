"""Geometry of superposition: shares worked out by hand, laws under rotation, polytopes and the matrices they are
(M7-M9).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.analysis.toys import geometry as geo
from saewidgets.records import ToyRun

HALF = np.sqrt(0.5)


def rotation(rng, m):
    return np.linalg.qr(rng.normal(size=(m, m)))[0]


def test_measures_by_hand():
    """Features at 0 and 45 degrees, the second twice as long, the third absent."""
    W = np.array([[1.0, 2 * HALF, 0.0], [0.0, 2 * HALF, 0.0]])
    assert geo.norms(W) == pytest.approx([1, 2, 0])
    assert geo.gram(W)[0] == pytest.approx([1, 2 * HALF, 0])
    assert geo.superposition(W) == pytest.approx([2, 0.5, 0])  # (2 cos 45)^2, (1 cos 45)^2
    assert geo.feature_dimensionality(W) == pytest.approx([1 / (1 + 2), 4 / (4 + 0.5), 0])
    assert geo.dimensions_per_feature(W) == pytest.approx(2 / 5)
    assert geo.dimensions_per_feature(np.zeros((2, 3))) == np.inf


@given(seed=st.integers(0, 10_000), m=st.integers(1, 5), n=st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_shares_lie_between_0_and_1_and_do_not_exceed_the_dimensions(seed, m, n):
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(m, n)) * rng.integers(0, 2, n)
    D = geo.feature_dimensionality(W)
    assert (D >= 0).all() and (D <= 1 + 1e-9).all()
    assert D.sum() <= np.linalg.matrix_rank(W) + 1e-9
    assert geo.feature_dimensionality(rotation(rng, m) @ W) == pytest.approx(D)
    assert geo.feature_dimensionality(3 * W) == pytest.approx(D)  # a share has no unit
    one_by_one = [sum((W[:, i] @ W[:, j]) ** 2 for j in range(n)) for i in range(n)]
    expected = [(W[:, i] @ W[:, i]) ** 2 / s if s else 0 for i, s in enumerate(one_by_one)]
    assert pytest.approx(expected) == D


def test_leading_axes_are_snapshots_and_instances():
    W = np.random.default_rng(0).normal(size=(3, 4, 2, 5))
    assert geo.feature_dimensionality(W)[2, 1] == pytest.approx(geo.feature_dimensionality(W[2, 1]))
    assert geo.dimensions_per_feature(W).shape == (3, 4)
    assert geo.canonical(W)[1, 3] == pytest.approx(geo.canonical(W[1, 3]))
    with pytest.raises(ValueError, match="n_hidden, n_features"):
        geo.norms(np.ones(3))


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("single", [1]),
        ("digon", [1 / 2] * 2),
        ("triangle", [2 / 3] * 3),
        ("pentagon", [2 / 5] * 5),
        ("tetrahedron", [3 / 4] * 4),
        ("square antiprism", [3 / 8] * 8),
        ("square", [1 / 2] * 4),
        ("octahedron", [1 / 2] * 6),
        ("triangular bipyramid", [2 / 3] * 3 + [1 / 2] * 2),
        ("pentagonal bipyramid", [2 / 5] * 5 + [1 / 2] * 2),
    ],
)
def test_m7_m8_polytopes_have_their_shares(name, share):
    """The lines of the dimensionality scatter; tegum products keep the shares of their parts (M8), and all dimensions
    are used.
    """
    polytope = geo.POLYTOPES[name]
    assert polytope.dimensionality == pytest.approx(share, abs=1e-12)
    assert geo.norms(polytope.points) == pytest.approx(1)
    assert polytope.dimensionality.sum() == pytest.approx(len(polytope.points))


def test_m8_the_graph_takes_a_tegum_product_apart():
    rng = np.random.default_rng(1)
    parts = ["triangle", "digon", "tetrahedron", "pentagon", "square antiprism"]
    whole = geo.tegum(*(geo.POLYTOPES[p] for p in parts))
    assert whole.name == "triangle + digon + tetrahedron + pentagon + square antiprism"
    W = rotation(rng, len(whole.points)) @ whole.points
    shuffled = rng.permutation(W.shape[1])
    graph = geo.feature_graph(np.hstack([W[:, shuffled], np.zeros((len(W), 1))]))
    assert sorted(graph.shapes()) == sorted(parts)
    assert graph.part[-1] == -1  # the absent one belongs to no part
    assert graph.n_parts == 5
    for part in range(5):
        members = graph.features_of(part)
        D = geo.feature_dimensionality(W[:, shuffled])[members]
        assert D.sum() == pytest.approx(graph.rank[part])
    assert geo.feature_graph(geo.POLYTOPES["digon"].points).edges.tolist() == [[0, 1]]
    assert geo.feature_graph(geo.simplex(7).points, threshold=0.1).shapes() == ("7 in 6",)


def test_a_kind_is_told_by_angles_and_shares_and_not_by_counting():
    right = np.pi / 2
    crossed = [[np.cos(a) for a in (0, 1, right, right + 1)], [np.sin(a) for a in (0, 1, right, right + 1)]]
    assert geo.feature_graph(crossed).kinds == ("other",) and geo.feature_graph(crossed).shapes() == ("4 in 2",)
    together = geo.feature_graph([[1.0, 1.0]])  # one direction twice fills half a dimension each, and is no digon
    assert together.kinds == ("other",) and together.dimensionality.tolist() == [0.5, 0.5]
    assert geo.feature_graph([[1.0, -1.0]]).kinds == ("digon",)
    lopsided = geo.feature_graph([[1.0, -0.6]])  # shares 1 / 1.36 and 0.36 / 1.36
    assert lopsided.dimensionality == pytest.approx([1 / 1.36, 0.36 / 1.36]) and lopsided.kinds == ("other",)
    square = geo.feature_graph(geo.POLYTOPES["square"].points)
    assert square.kinds == ("digon", "digon")
    bent = np.array(geo.POLYTOPES["pentagon"].points)
    assert geo.feature_graph(bent @ np.diag([1, 1, 1, 1, 1.1])).kinds == ("pentagon",)  # as trained ones are
    for n, name in ((5, "4-simplex"), (6, "5-simplex")):
        assert geo.feature_graph(geo.simplex(n).points, threshold=0.1).kinds == (name,)


def test_an_edge_weighs_what_the_two_add_to_one_another_and_its_angle_is_of_unit_directions():
    graph = geo.feature_graph([[2.0, -1.5, 0.0, 0.1], [0.0, 0.0, 0.7, 0.1]])  # the last is left out
    assert graph.edges.tolist() == [[0, 1]] and graph.weight.tolist() == [3.0] and graph.cosine.tolist() == [-1.0]
    assert graph.part.tolist() == [0, 0, 1, -1] and graph.rank.tolist() == [1, 1]
    assert graph.kinds[1] == "single"
    nothing = geo.feature_graph(np.zeros((2, 3)))
    assert nothing.n_parts == 0 and nothing.kinds == () and nothing.edges.shape == (0, 2)


def test_a_run_gives_the_graph_of_its_best_model_or_of_the_one_that_is_named():
    W = np.stack([geo.POLYTOPES["pentagon"].points, np.eye(2, 5)]).astype(np.float32)[None]
    p = np.full((2, 5), 0.1, np.float32)
    run = ToyRun(W, W[:, :, 0], np.array([0]), np.float32([[0.2, 0.1]]), p, np.ones((2, 5), np.float32))
    assert geo.feature_graph(run).kinds == ("single", "single")
    assert geo.feature_graph(run, 0).kinds == ("pentagon",)
    with pytest.raises(ValueError, match=r"2 settings: say which, e.g. instance=0"):
        geo.feature_graph(replace(run, feature_probability=p / [[1], [2]]))


def test_the_bipyramids_graph_has_the_edges_of_its_parts():
    graph = geo.feature_graph(geo.POLYTOPES["triangular bipyramid"].points)
    assert graph.edges.tolist() == [[0, 1], [0, 2], [1, 2], [3, 4]]
    assert graph.weight == pytest.approx([0.5, 0.5, 0.5, 1])


@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_m9_orthogonal_to_all_ones_is_the_simplex(n):
    """W orthogonal to (1, ..., 1) <-> n points equally far apart: equal norms, every cosine -1 / (n - 1), D = (n - 1) /
    n.
    """
    W = geo.orthogonal_to(np.ones(n))
    assert W @ np.ones(n) == pytest.approx(np.zeros(n - 1), abs=1e-12)
    assert pytest.approx(np.eye(n - 1), abs=1e-12) == W @ W.T
    assert geo.gram(W) == pytest.approx(np.eye(n) - 1 / n, abs=1e-12)
    unit = geo.simplex(n)
    assert geo.gram(unit.points) == pytest.approx(np.where(np.eye(n) > 0, 1, -1 / (n - 1)), abs=1e-12)
    assert unit.dimensionality == pytest.approx((n - 1) / n)
    back = geo.null_space(W)
    assert np.abs(back) == pytest.approx(np.full((1, n), n**-0.5))


def test_m9_other_known_matrices():
    triangle, tetrahedron = geo.POLYTOPES["triangle"], geo.POLYTOPES["tetrahedron"]
    assert geo.gram(geo.simplex(3).points) == pytest.approx(geo.gram(triangle.points))
    assert geo.gram(geo.simplex(4).points) == pytest.approx(geo.gram(tetrahedron.points))
    two = geo.orthogonal_to([[1, 1, 0, 0], [0, 0, 1, 1]])  # two digons
    assert geo.feature_graph(two).shapes() == ("digon", "digon")
    dedicated = geo.orthogonal_to([0, 0, 1])
    assert geo.norms(dedicated) == pytest.approx([1, 1, 0])
    pentagon = geo.POLYTOPES["pentagon"].points  # its null space is that of the other two frequencies of the circle
    null = geo.null_space(pentagon)
    assert null.shape == (3, 5)
    assert pentagon @ null.T == pytest.approx(np.zeros((2, 3)), abs=1e-12)
    assert geo.gram(pentagon) == pytest.approx(2.5 * geo.gram(geo.orthogonal_to(null)))
    for bad in ([[1, 0], [0, 1]], [[1, 1, 0], [2, 2, 0]]):
        with pytest.raises(ValueError, match="leave no such matrix"):
            geo.orthogonal_to(bad)
    with pytest.raises(ValueError, match="two points or more"):
        geo.simplex(1)


@given(seed=st.integers(0, 10_000), m=st.integers(1, 4), n=st.integers(2, 7))
@settings(max_examples=60, deadline=None)
def test_canonical_forgets_the_rotation_and_nothing_else(seed, m, n):
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(m, n))
    still = geo.canonical(W)
    assert geo.canonical(rotation(rng, m) @ W) == pytest.approx(still, abs=1e-6)
    assert geo.gram(still) == pytest.approx(geo.gram(W))
    first = int(np.argmax(geo.norms(W) > geo.REPRESENTED)) if (geo.norms(W) > geo.REPRESENTED).any() else 0
    assert still[1:, first] == pytest.approx(0, abs=1e-9)
    assert still[0, first] >= 0


@given(seed=st.integers(0, 10_000), m=st.integers(1, 4), n=st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_align_is_the_closest_turn(seed, m, n):
    rng = np.random.default_rng(seed)
    reference, W = rng.normal(size=(2, m, n))
    turned = geo.align(W, reference)
    assert geo.gram(turned) == pytest.approx(geo.gram(W))
    distance = np.linalg.norm(turned - reference)
    for _ in range(5):
        assert distance <= np.linalg.norm(rotation(rng, m) @ W - reference) + 1e-9
    assert geo.align(rotation(rng, m) @ reference, reference) == pytest.approx(reference)


def test_align_refuses_other_sizes():
    with pytest.raises(ValueError, match=r"W is \[2, 3\], the reference \[2, 4\]"):
        geo.align(np.ones((2, 3)), np.ones((2, 4)))


def test_canonical_run_turns_an_instance_once():
    """A model that turns while it learns keeps turning in the picture; the ends of all instances agree."""
    rng = np.random.default_rng(2)
    end = np.array([[1.0, -1.0, 0.0], [0.0, 0.0, 1.0]])
    angles = np.linspace(0, 1, 4)
    turn = np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles])
    weights = np.stack([turn @ (rotation(rng, 2) @ end) for _ in range(3)], axis=1)  # [snapshot, instance, 2, 3]
    turned = geo.canonical_run(weights)
    assert turned[-1] == pytest.approx(np.broadcast_to(end, (3, 2, 3)), abs=1e-9)
    steps = np.linalg.norm(np.diff(weights, axis=0), axis=(2, 3))
    assert np.linalg.norm(np.diff(turned, axis=0), axis=(2, 3)) == pytest.approx(steps)
    with pytest.raises(ValueError, match="a run is"):
        geo.canonical_run(end)


def test_the_graph_is_of_one_model():
    with pytest.raises(ValueError, match="of one model"):
        geo.feature_graph(np.ones((1, 2, 3)))


def test_the_rank_of_a_part_counts_every_direction_that_it_fills():
    """Two unit features at 60 degrees: eigenvalues 1.5 and 0.5, two dimensions."""
    assert geo.feature_graph([[1, 0.5], [0, 0.75**0.5]]).shapes() == ("2 in 2",)


def test_null_space_of_rows_of_unequal_length():
    assert np.abs(geo.null_space([[2, 0, 0], [0, 1, 0]])) == pytest.approx(np.array([[0, 0, 1]]))
