"""What must come out of small toy models (rows M0, M1, M4, M5, M10-M13, M15, M17): trained here, best of k as the paper
does.
"""

from __future__ import annotations

import numpy as np
import pytest
from toy_models import column, cosines, ranked, trained

from saewidgets.analysis.toys import geometry as geo
from saewidgets.analysis.toys import superposition_theory as theory
from saewidgets.toy import experiment, phase_diagram, train_toy


@pytest.mark.parametrize("seed", range(100, 110))
def test_m0_orthogonal_then_two_digons_then_a_pentagon(seed):
    """5 in 2, importance 0.9^i. S = 0: two orthogonal, three at 0. S = 0.8: two antipodal pairs, one at 0. S = 0.9: a
    pentagon. Of the preset, in batches of a quarter, on seeds that did not choose it.
    """
    run = train_toy(experiment("M0", seed=seed, batch_size=256, snapshots=2)).run()
    assert run.n_instances == 24 and len(run.settings) == 3
    dense, middle, sparse = run.final[run.best]

    assert geo.norms(dense)[:2] == pytest.approx(1, abs=0.05)
    assert geo.norms(dense)[2:] == pytest.approx(0, abs=0.2)
    assert cosines(dense)[0, 1] == pytest.approx(0, abs=0.05)

    assert geo.feature_graph(middle).shapes() == ("digon", "digon")
    assert np.sort(geo.norms(middle)) == pytest.approx([0, 1, 1, 1, 1], abs=0.1)
    assert np.argmin(geo.norms(middle)) == 4  # the least important one
    assert np.sort(geo.feature_dimensionality(middle)) == pytest.approx([0, 0.5, 0.5, 0.5, 0.5], abs=0.03)

    assert geo.feature_graph(sparse).shapes() == ("pentagon",)
    assert geo.feature_dimensionality(sparse) == pytest.approx(0.4, abs=0.03)
    angles = np.sort(np.degrees(np.arctan2(sparse[1], sparse[0])))
    assert np.diff(np.append(angles, angles[0] + 360)) == pytest.approx(72, abs=6)


def test_m0_starts_end_in_a_pentagon_or_in_two_digons():
    """At S = 0.9 both are stable: which one comes out is the start's doing, and best of k matters."""
    run = trained("M0", 24, n_instances=1, feature_probability=0.1)
    shapes = [geo.feature_graph(W).shapes() for W in run.final]
    assert shapes.count(("pentagon",)) >= 6
    assert shapes.count(("pentagon",)) + shapes.count(("digon", "digon")) >= 22


def test_m1_linear_keeps_the_top_five_at_every_density():
    run = trained("M1-linear", 1)
    dense = run.final[0]
    assert geo.gram(dense)[:5, :5] == pytest.approx(np.eye(5), abs=0.02)
    assert geo.norms(dense)[5:] == pytest.approx(0, abs=0.05)
    norms = geo.norms(run.final[:3])  # at the lowest densities 2000 steps are short
    assert norms[:, :5] == pytest.approx(1, abs=0.1)
    assert norms[:, 5:] == pytest.approx(0, abs=0.3)


def test_m1_less_important_features_enter_as_antipodal_pairs():
    """20 in 5, importance 0.7^i. Bias 0 for the learned, E[x] = p / 2 for the ignored."""
    run = trained("M1", 3)
    best = ranked(run, 3)[:, 0]
    dense = run.final[best[0]]
    assert geo.gram(dense)[:5, :5] == pytest.approx(np.eye(5), abs=0.05)
    assert geo.norms(dense)[5:] == pytest.approx(0, abs=0.1)
    for cell, p in ((0, 1.0), (1, 0.3), (2, 0.1)):
        W, b = run.final[best[cell]], run.biases[-1, best[cell]]
        learned, ignored = geo.norms(W) > 0.97, geo.norms(W) < 0.2
        assert b[learned] == pytest.approx(0, abs=0.06)
        assert b[ignored] == pytest.approx(p / 2, abs=0.03)
        assert set(geo.feature_graph(W).shapes()) <= {"single", "digon"}
        assert geo.feature_dimensionality(W)[0] > 0.95 or p < 0.3  # the most important one shares last
    counts = (geo.norms(run.final[best]) > 0.5).sum(1)
    assert counts[0] == 5
    assert 6 <= counts[1] <= 8  # two pairs at 0.3
    assert counts[3] == 10  # five pairs at 0.03
    assert geo.feature_graph(run.final[best[3]]).shapes() == ("digon",) * 5
    assert (np.diff(counts[:5]) >= 0).all() and counts[4] > 10


@pytest.fixture(scope="module")
def diagrams():
    """12 models a cell, 8 x 8 cells. Rarer features are left out: there, the sample behind a run's losses has too few
    inputs with two features on to tell which model is best.
    """
    densities, importances = np.geomspace(0.05, 1, 8), np.geomspace(0.1, 10, 8)
    return {m: phase_diagram(m + 1, m, densities, importances, 12, steps=1000) for m in (1, 2)}


@pytest.mark.parametrize("m", [1, 2])
def test_m4_m5_phase_diagrams_match_theory(diagrams, m):
    """The best model of a cell is in the phase that theory says: in 9 of 10 cells, and in all but one far from a
    boundary.
    """
    diagram = diagrams[m]
    found = theory.empirical_phases(diagram.weights[:, :, 0])
    expected = theory.theory_phases(m + 1, m, diagram.x, diagram.y)
    assert (found == expected).mean() >= 0.9
    padded = np.pad(expected, 1, mode="edge")
    rows, columns = expected.shape
    around = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    inside = np.all([shifted == expected for shifted in around], axis=0)
    assert inside.sum() >= 20
    assert (found != expected)[inside].sum() <= 1
    assert set(np.unique(found)) == {0, 1, 2}


def test_m4_the_average_picture_shows_the_three_regions(diagrams):
    """The worst dropped, the others averaged. Not learned: norm 0. Dedicated: norm 1, nothing shared. Paired: both near
    1.
    """
    diagram = diagrams[1]
    assert diagram.norms[0, -1] < 0.1  # unimportant and dense
    assert diagram.norms[-1, -1] == pytest.approx(1, abs=0.05) and diagram.superposition[-1, -1] < 0.1
    paired = diagram.y > 1, diagram.x < 0.15
    assert diagram.norms[np.ix_(*paired)].mean() > 0.8
    assert diagram.superposition[np.ix_(*paired)].mean() > 0.6


def test_m4_no_trained_model_is_much_worse_or_better_than_the_best_candidate(diagrams):
    """A free scale and bias make the pair a little cheaper than p^2 (1 + I) / 6 where its boundary runs; nowhere else."""
    diagram = diagrams[1]
    table = theory.candidate_losses(2, 1, diagram.x, diagram.y)
    ratio = diagram.losses[:, :, 0] / np.min(np.stack(list(table.values())), axis=0)
    dense = diagram.x > 0.15
    assert ratio[:, dense].max() < 1.1
    assert ratio[:, dense].min() > 0.8


FACTORS = np.array([0.1, 0.2, 0.35, 0.6, 1.0, 2.0])


@pytest.fixture(scope="module")
def perturbed():
    """By base density: (pentagon's best loss, two digons' best loss) [factor, 2], best W of each factor, inf for none."""
    found = {}
    for base in (0.05, 0.1):
        p = np.full((len(FACTORS), 5), base)
        p[:, 0] *= FACTORS
        run = trained("M10", 12, n_instances=len(FACTORS), feature_probability=p)
        losses, best = np.full((len(FACTORS), 2), np.inf), []
        for cell, instances in enumerate(ranked(run, 12)):
            best.append(run.final[instances[0]])
            for i in instances:
                norms = geo.norms(run.final[i])
                family = 0 if (norms > 0.5).all() else 1 if norms[0] < 0.5 and (norms[1:] > 0.5).all() else None
                if family is not None:
                    losses[cell, family] = min(losses[cell, family], _loss(run, i))
        found[base] = losses, best
    return found


def _loss(run, i):
    """Expected loss of one model, on a larger sample than a run's own, the same for every model of a density."""
    rng = np.random.default_rng(0)
    x = rng.random((200_000, 5)) * (rng.random((200_000, 5)) < run.feature_probability[i])
    return float(np.square(x - np.maximum(x @ geo.gram(run.final[i]) + run.biases[-1, i], 0)).sum(1).mean())


@pytest.mark.parametrize(("base", "low", "high"), [(0.05, 0.2, 0.35), (0.1, 0.35, 0.6)])
def test_m10_the_loss_curves_of_both_families_cross(perturbed, base, low, high):
    """Equal: the pentagon. Much rarer: two digons, the rare one at 0. The curves cross between factors `low` and
    `high`.

    At base density 0.1 that is 1.7 to 2.9 times rarer (the paper: about 2.5); at 0.05, 2.9 to 5 times.
    """
    losses, best = perturbed[base]
    pentagon, digons = losses.T
    assert (digons[low >= FACTORS] < pentagon[low >= FACTORS]).all()
    assert (pentagon[high <= FACTORS] < digons[high <= FACTORS]).all()
    rare = best[0]
    assert geo.norms(rare) == pytest.approx([0, 1, 1, 1, 1], abs=0.1)
    assert geo.feature_graph(rare).shapes() == ("digon", "digon")
    equal = best[list(FACTORS).index(1.0)]
    assert geo.feature_graph(equal).shapes() == ("pentagon",)
    assert geo.feature_dimensionality(equal) == pytest.approx(0.4, abs=0.03)


def test_m10_the_pentagon_deforms_before_it_breaks(perturbed):
    """The rarer feature is longer, and its neighbors are farther from one another, than in the regular pentagon."""
    _, best = perturbed[0.05]
    deformed, regular = best[list(FACTORS).index(0.35)], best[list(FACTORS).index(1.0)]
    assert geo.norms(deformed)[0] > 1.02 * geo.norms(deformed)[1:].mean()
    assert geo.norms(regular)[0] == pytest.approx(geo.norms(regular)[1:].mean(), rel=0.02)

    def to_nearest(W):
        return np.degrees(np.arccos(np.sort(cosines(W)[0])[-3:-1])).mean()  # from feature 0 to its two neighbors

    assert to_nearest(regular) == pytest.approx(72, abs=3)
    assert to_nearest(deformed) < 0.97 * to_nearest(regular)


@pytest.mark.parametrize("p", [0.05, 0.1])
def test_m11_correlated_features_are_orthogonal(p):
    """And antipodal to one of the other set: five best of 20."""
    run = trained("M11", 20, n_instances=1, feature_probability=p)
    for i in ranked(run, 20)[0, :5]:
        cosine = cosines(run.final[i])
        assert geo.norms(run.final[i]) == pytest.approx(1, abs=0.05)
        assert [cosine[0, 1], cosine[2, 3]] == pytest.approx([0, 0], abs=0.15)
        assert cosine.min(1) == pytest.approx(-1, abs=0.05)


@pytest.mark.parametrize("p", [0.05, 0.1])
def test_m12_anticorrelated_features_are_opposite(p):
    """Then there is no interference at all, and the loss is 0."""
    run = trained("M12", 30, n_instances=1, feature_probability=p)
    for i in ranked(run, 30)[0, :5]:
        cosine = cosines(run.final[i])
        assert geo.norms(run.final[i]) == pytest.approx(1, abs=0.02)
        assert [cosine[0, 1], cosine[2, 3]] == pytest.approx([-1, -1], abs=0.02)
        assert abs(cosine[0, 2]) < 0.1
        assert run.losses[-1, i] < 1e-4


def test_m13_three_pairs_lie_side_by_side():
    """A hexagon at p = 0.02, each pair one of its sides; at 0.05 a pair may collapse to one direction."""
    run = trained("M13", 16, n_instances=1, feature_probability=0.02)
    W = next(run.final[i] for i in ranked(run, 16)[0, :8] if not _collapsed(run.final[i]))
    order = np.argsort(np.arctan2(W[1], W[0]))
    pairs = {frozenset((int(a) // 2, int(b) // 2)) for a, b in zip(order, np.roll(order, -1), strict=True)}
    assert {frozenset((s,)) for s in range(3)} <= pairs  # both of a set are neighbors on the circle
    assert geo.norms(W) == pytest.approx(1, abs=0.1)
    cosine = cosines(W)
    assert [cosine[0, 1], cosine[2, 3], cosine[4, 5]] == pytest.approx([0.45] * 3, abs=0.15)  # 60 degrees or so
    both = trained("M13", 16, n_instances=1, feature_probability=0.05)
    collapsed = [_collapsed(both.final[i]) for i in ranked(both, 16)[0]]
    assert 0 in collapsed and max(collapsed) >= 1


def _collapsed(W):
    """How many of the pairs (0, 1), (2, 3), (4, 5) have become one direction."""
    cosine = cosines(W)
    return sum(cosine[2 * s, 2 * s + 1] > 0.9 for s in range(3))


def test_m15_pairs_collapse_one_by_one():
    """None up to 0.05, one at 0.1, two at 0.2, three at 0.45; from 0.5 on, principal components."""
    densities = (0.03, 0.1, 0.2, 0.45, 0.6)
    run = trained("M15", 12, n_instances=5, feature_probability=column(*densities))
    best = ranked(run, 12)[:, 0]
    assert [_collapsed(run.final[i]) for i in best] == [0, 1, 2, 3, 3]
    two_of_a_pair = geo.norms(run.final[best[1]])
    assert (two_of_a_pair > 0.6).all()  # a collapsed pair: its sum is kept, 1/sqrt 2 each
    # Principal components: a pair's two features are alike and W^T W is a projection on a plane of pair sums.
    dense = run.final[best[4]]
    assert dense[:, ::2] == pytest.approx(dense[:, 1::2], abs=0.08)
    singular = np.linalg.svd(dense, compute_uv=False)
    assert singular == pytest.approx([1, 1], abs=0.15)


@pytest.fixture(scope="module")
def octahedron():
    return trained("M17", 2, steps=experiment("M17").steps, snapshots=100)


def test_m17_ends_as_an_octahedron_with_the_sets_opposite(octahedron):
    W = octahedron.final[octahedron.best[0]]
    assert geo.feature_dimensionality(W) == pytest.approx(0.5, abs=0.03)
    cosine = cosines(W)
    opposite = np.argmin(cosine, axis=1)
    assert cosine[np.arange(6), opposite] == pytest.approx(-1, abs=0.12)
    assert sorted(opposite[:3]) == [3, 4, 5]  # each one's opposite belongs to the other set
    assert np.abs(cosine[:3, :3] - np.eye(3)).max() < 0.2
    assert np.abs(cosine[3:, 3:] - np.eye(3)).max() < 0.2


def test_m17_is_reached_in_stages(octahedron):
    """The loss falls in bursts: 8 tenths of what it falls in all in a quarter of the first half's steps."""
    losses = octahedron.losses[:, octahedron.best[0]]
    fall = -np.diff(losses) / (losses[0] - losses[-1])
    early = octahedron.steps[1:] < 0.5 * octahedron.steps[-1]
    assert losses[-1] < 0.25 * losses[0]
    assert np.sort(fall[early])[::-1][: early.sum() // 4].sum() > 0.8
