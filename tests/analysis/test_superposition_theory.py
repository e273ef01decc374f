"""Closed forms against sampling: M3's terms, the candidates of M4 and M5, the attack of M18."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.analysis.toys import geometry as geo
from saewidgets.analysis.toys import superposition_theory as theory

N = 400_000


def sample(n, p, n_samples=N, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n_samples, n)) * (rng.random((n_samples, n)) < p)


def sampled_loss(W, b, p, importance=1.0, *, relu=True, seed=0):
    x = sample(np.shape(W)[1], p, seed=seed)
    out = x @ geo.gram(W) + b
    out = np.maximum(out, 0) if relu else out
    return float((np.square(x - out) * importance).sum(1).mean())


@pytest.mark.parametrize("p", [0.2, 0.4, 0.8, 1.0])
def test_m4_losses_of_the_candidates(p):
    """An ignored feature costs p/3 - p^2/4, each of an antipodal pair p^2/6."""
    table = {name: float(loss[0, 0]) for name, loss in theory.candidate_losses(2, 1, [p], [2.5]).items()}
    importance = np.array([1.0, 2.5])
    sampled = {
        "ignore the extra one": sampled_loss([[1, 0]], [0, p / 2], p, importance),
        "ignore the other": sampled_loss([[0, 1]], [p / 2, 0], p, importance),
        "extra one in a pair": sampled_loss([[1, -1]], [0, 0], p, importance),
    }
    assert table == pytest.approx(sampled, rel=0.03)
    assert theory.antipodal_loss(p, 0.5) * 2 == pytest.approx(sampled_loss([[1, -1]], [0, 0], [p, 0.5]), rel=0.03)


def test_m4_the_boundary_of_superposition():
    """At equal importance p = 4/7; elsewhere the boundary of the table is that of the formula, and has two legs."""
    assert theory.pair_boundary(1.0) == pytest.approx(4 / 7)
    densities, importances = np.linspace(0.01, 1, 397), np.geomspace(0.1, 10, 41)
    phases = theory.theory_phases(2, 1, densities, importances)
    for row, importance in enumerate(importances):
        paired = densities[phases[row] == theory.SUPERPOSITION]
        assert paired.max() == pytest.approx(theory.pair_boundary(importance), abs=0.003)
        above = phases[row, densities > paired.max()]
        assert (above == (theory.NOT_LEARNED if importance < 1 else theory.DEDICATED)).all() or importance == 1
    assert set(np.unique(phases)) == {0, 1, 2}
    assert theory.pair_boundary(0.1) == pytest.approx(0.2 / 1.25)
    assert theory.pair_boundary(10.0) == pytest.approx(2 / 12.5)  # the same: swap the features, and scale by 10


@pytest.mark.parametrize("p", [0.2, 0.6])
@pytest.mark.parametrize("extra", [0.3, 3.0])
def test_m5_losses_of_the_candidates(p, extra):
    """Each candidate is a W orthogonal to the vector the row names, its columns made unit."""
    importance = np.array([1.0, 1.0, extra])
    vectors = {
        "ignore the extra one": ([0, 0, 1], [0, 0, p / 2]),
        "ignore the other": ([1, 0, 0], [p / 2, 0, 0]),
        "extra one in a pair": ([0, 1, 1], [0, 0, 0]),
        "the others in a pair": ([1, 1, 0], [0, 0, 0]),
    }
    table = theory.candidate_losses(3, 2, [p], [extra])
    assert list(table) == list(vectors)
    for name, (vector, bias) in vectors.items():
        W = geo.orthogonal_to(vector)
        norm = geo.norms(W)
        W = W / np.where(norm > 1e-9, norm, 1)
        assert W @ vector == pytest.approx(np.zeros(2), abs=1e-9)
        assert float(table[name][0, 0]) == pytest.approx(sampled_loss(W, bias, p, importance), rel=0.03)


def test_m5_regions():
    """Important and sparse: the others pair up and the extra feature has its own dimension. Dense and unimportant: left
    out.
    """
    phases = theory.theory_phases(3, 2, [0.05, 1.0], [0.1, 0.5, 2.0, 10.0])
    assert phases[:, 0].tolist() == [theory.SUPERPOSITION, theory.SUPERPOSITION, theory.DEDICATED, theory.DEDICATED]
    assert phases[:, 1].tolist() == [theory.NOT_LEARNED, theory.NOT_LEARNED, theory.DEDICATED, theory.DEDICATED]
    with pytest.raises(ValueError, match="not 5 in 2"):
        theory.candidate_losses(5, 2, [0.1], [1.0])


def test_empirical_phases_read_the_extra_feature():
    W = np.array([[[1.0, 0.0]], [[0.0, 1.0]], [[1.0, -1.0]], [[1.0, -0.3]]])
    assert theory.empirical_phases(W).tolist() == [
        theory.NOT_LEARNED,
        theory.DEDICATED,
        theory.SUPERPOSITION,
        theory.NOT_LEARNED,
    ]
    assert theory.empirical_phases(W, feature=0).tolist()[:3] == [2, 0, 1]


@given(seed=st.integers(0, 1000), n=st.integers(1, 5), m=st.integers(1, 3))
@settings(max_examples=10, deadline=None)
def test_m3_the_linear_loss_is_benefit_plus_interference(seed, n, m):
    """With the best bias, E L = Var(x_i) (benefit + interference), here by the covariance of the error."""
    rng = np.random.default_rng(seed)
    W, importance = rng.normal(size=(m, n)) / 2, rng.random(n) + 0.1
    terms = theory.linear_terms(W, importance)
    error = np.eye(n) - geo.gram(W)  # x - x' of centered x
    assert terms.total == pytest.approx(float((importance * np.diagonal(error @ error.T)).sum()))
    assert (terms.interference >= -1e-12).all()


def test_m3_the_linear_loss_by_sampling():
    W = np.array([[0.9, -0.4, 0.1], [0.2, 0.7, 0.0]])
    p, importance = 0.4, np.array([1.0, 0.5, 0.25])
    mean = p / 2
    best_bias = mean - geo.gram(W) @ np.full(3, mean)
    expected = float(theory.ignored_loss(p)) * theory.linear_terms(W, importance).total
    assert sampled_loss(W, best_bias, p, importance, relu=False) == pytest.approx(expected, rel=0.01)


def test_m3_orthogonal_features_do_not_interfere_and_paired_ones_only_interfere():
    assert theory.linear_terms(np.eye(2)).total == 0
    pair = theory.linear_terms([[1.0, -1.0]])
    assert pair.feature_benefit.tolist() == [0, 0]
    assert pair.interference.tolist() == [1, 1]


@given(alpha=st.sampled_from([0.0, 1.0]), beta=st.floats(-2, 2), b=st.floats(-1, 1))
@settings(max_examples=200, deadline=None)
def test_m3_the_integral_of_one_output(alpha, beta, b):
    x = (np.arange(20_000) + 0.5) / 20_000
    expected = np.square(alpha * x - np.maximum(beta * x + b, 0)).mean()
    assert float(theory.squared_error(alpha, beta, b)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_m3_the_loss_by_the_number_of_active_features(p):
    """L = sum_k p^k (1-p)^(n-k) L_k, against a loss sampled without knowing k."""
    rng = np.random.default_rng(5)
    W, b, importance = rng.normal(size=(2, 5)) * 0.6, rng.normal(size=5) * 0.1, 0.9 ** np.arange(5)
    terms = theory.sparse_terms(W, b, p, importance, n_samples=60_000)
    assert terms.contributions.sum() == pytest.approx(sampled_loss(W, b, p, importance), rel=0.01)
    assert terms.terms[0] == pytest.approx(float(importance @ np.square(np.maximum(b, 0))))
    assert terms.benefit.sum() + terms.interference.sum() == pytest.approx(terms.terms[1])
    x = np.zeros((N, 5))
    x[:, 2] = np.random.default_rng(1).random(N)
    error = np.square(x - np.maximum(x @ geo.gram(W) + b, 0)).mean(0) * importance
    assert terms.benefit[2] == pytest.approx(error[2], rel=0.01)
    assert terms.interference[2] == pytest.approx(error.sum() - error[2], rel=0.01)
    counts = terms.weights * [1, 5, 10, 10, 5, 1]
    assert counts.sum() == pytest.approx(1)


def test_m3_the_thomson_analogy():
    """With biases 0 and unit features, the 1-sparse term is an energy of points on a sphere: sum of ReLU(W_i . W_j)^2 /
    3.

    So obtuse angles are free, and the pentagon beats five random points.
    """
    pentagon = geo.POLYTOPES["pentagon"].points
    energy = theory.sparse_terms(pentagon, np.zeros(5), 0.1).terms[1]
    assert energy == pytest.approx(5 * 2 * np.cos(2 * np.pi / 5) ** 2 / 3)
    rng = np.random.default_rng(0)
    for _ in range(50):
        angle = rng.uniform(0, 2 * np.pi, 5)
        assert theory.sparse_terms([np.cos(angle), np.sin(angle)], np.zeros(5), 0.1).terms[1] >= energy
    for name in ("digon", "triangle", "square", "tetrahedron", "octahedron"):
        polytope = geo.POLYTOPES[name].points
        assert theory.sparse_terms(polytope, np.zeros(polytope.shape[1]), 0.1).terms[1] == pytest.approx(0, abs=1e-12)


def test_m18_the_attack_is_the_worst_for_one_output_and_grows_with_features_per_dimension():
    """|(W^T W)_i|^2 = |W_i|^4 / D_i: for unit features, the squared change of an output is radius^2 / D_i."""
    for name in ("single", "digon", "triangle", "tetrahedron", "pentagon"):
        W = geo.POLYTOPES[name].points
        n = W.shape[1]
        assert np.linalg.norm(geo.gram(W), axis=1) ** 2 == pytest.approx(1 / geo.feature_dimensionality(W))
        x = np.full((1, n), 0.0)
        x[0, 0] = 0.5
        clean, hit = theory.attack(W, np.zeros(n), x, 0.1)
        error = 0.5 - np.maximum(x @ geo.gram(W), 0)[0, 0]
        assert error == pytest.approx(0)
        # feature 0 is open there, so it alone moves by radius / sqrt(D_0) under its own attack
        assert (hit - clean)[0] >= 0.01 / geo.feature_dimensionality(W)[0] - 1e-9


def test_m18_no_random_step_of_that_length_is_much_worse():
    rng = np.random.default_rng(3)
    W, b = geo.POLYTOPES["pentagon"].points, np.full(5, -0.05)
    x = sample(5, 0.2, 200, seed=4)
    clean, hit = theory.attack(W, b, x, 0.1)
    assert (hit >= clean).all()
    best = clean.copy()
    for _ in range(300):
        step = rng.normal(size=x.shape)
        step *= 0.1 / np.linalg.norm(step, axis=1, keepdims=True)
        best = np.maximum(best, np.square(x - np.maximum((x + step) @ geo.gram(W) + b, 0)).sum(1))
    assert (best - clean).mean() <= 1.3 * (hit - clean).mean()
    dedicated = theory.vulnerability(np.eye(2, 5), np.zeros(5), 0.2)
    assert theory.vulnerability(W, np.zeros(5), 0.2) > 1.5 * dedicated


def test_m18_an_attack_goes_both_ways():
    """One feature, exactly read. Off, only a step up shows; on, a step down counts as much; past the ReLU's edge,
    nothing more.
    """
    _, hit = theory.attack([[1.0]], [0.0], [[0.0], [0.5]], 0.1)
    assert hit == pytest.approx([0.01, 0.01])
    _, up = theory.attack([[1.0]], [-0.1], [[0.0], [1.0]], 0.1)
    assert up == pytest.approx([0, 0.04])  # 1 - 0.1 is read; a step down makes it 0.2 short


def test_m18_vulnerability_is_for_a_squared_unit_of_attack():
    """Every feature with a dimension of its own: the error is the attack, whatever its length."""
    for share in (0.05, 0.1, 0.4):
        assert theory.vulnerability(np.eye(3), np.zeros(3), 0.3, share=share) == pytest.approx(1)


@pytest.mark.parametrize("size", theory.KNOWN)
def test_the_borders_lie_between_cells_of_different_phase(size):
    """Both sides of every piece, a two hundredths apart, are in different phases."""
    ends = theory.phase_borders(*size, (0.02, 1.0), (0.1, 10.0))
    middle = np.exp(np.log(ends).mean(1))  # [piece, (density, importance)]
    along = np.log(ends[:, 1]) - np.log(ends[:, 0])
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    across *= 0.02 / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    one, other = np.exp(np.log(middle) + across), np.exp(np.log(middle) - across)
    phases = [
        np.array([theory.theory_phases(*size, [x], [y])[0, 0] for x, y in np.minimum(side, [1, 99])])
        for side in (one, other)
    ]
    inside = (one[:, 0] < 1) & (other[:, 0] < 1)
    assert (phases[0] != phases[1])[inside].mean() > 0.97 and len(ends) > 90  # three phases meet in a point


def test_the_border_of_a_pair_is_the_one_in_closed_form():
    ends = theory.phase_borders(2, 1, (0.02, 1.0), (0.1, 10.0)).reshape(-1, 2)
    curved = ends[np.abs(np.log(ends[:, 1])) > 0.05]
    assert curved[:, 0] == pytest.approx(theory.pair_boundary(curved[:, 1]), rel=2e-3)
    straight = ends[ends[:, 0] > 0.62]  # left out against a dimension of its own: equal importance
    assert straight[np.abs(np.log(straight[:, 1])) < 0.05][:, 1] == pytest.approx(1, abs=1e-6)


def test_the_expected_loss_of_different_densities():
    """A pair of opposites errs by min(x_i, x_j)^2 in both outputs, with both on: (I_i + I_j) p_i p_j / 6."""
    assert theory.expected_loss([[1.0, -1.0]], [0, 0], [0.5, 0.2], [1, 2]) == pytest.approx(3 * 0.1 / 6, rel=0.06)
    assert theory.expected_loss([[1.0, -1.0]], [0, 0], [0.5, 0.0]) == 0
    with pytest.raises(ValueError, match="at most 10 features, not of 11"):
        theory.expected_loss(np.zeros((1, 11)), 0.0, 0.5)
