"""M10's two curves: the losses of a pentagon and of two antipodal pairs, by sampling and against trained models."""

from __future__ import annotations

import numpy as np
import pytest
from toy_models import ranked, trained

from saewidgets.analysis.toys import geometry as geo
from saewidgets.analysis.toys import superposition_theory as theory
from saewidgets.analysis.toys.families import perturbed_families


@pytest.fixture(scope="module")
def families():
    return perturbed_families(0.1, [1.0, 0.05, 0.3, 0.35, 0.4, 0.45, 0.5, 2.0])


def test_the_curves_cross_at_a_rarer_feature(families):
    """2.35 times rarer at density 0.1, near the paper's 2.5; the rarer the others, the rarer the one must be."""
    assert families.factors.tolist() == [0.05, 0.3, 0.35, 0.4, 0.45, 0.5, 1.0, 2.0]
    assert 1 / families.crossing == pytest.approx(2.35, abs=0.03)
    assert families.digons[1] < families.pentagon[1] and families.digons[-1] > families.pentagon[-1]
    rarer = perturbed_families(0.05, [0.2, 0.25, 0.3, 0.4])
    assert 1 / rarer.crossing == pytest.approx(3.72, abs=0.05)
    assert np.isnan(perturbed_families(0.1, [0.6, 1.0]).crossing)  # both on one side


def test_the_antipodal_pairs_cost_what_the_closed_form_says(families):
    """4 p^2 / 6 with unit norms and no bias, and the variance of the feature that is left out. Free norms gain less than
    a percent at this density.
    """
    left_out = theory.ignored_loss(0.1 * families.factors)
    assert families.digons - left_out == pytest.approx(4 * 0.1**2 / 6, rel=0.01)
    assert np.abs(families.digons_weights[:, :, 0]).max() == 0
    for W in families.digons_weights:
        assert geo.feature_graph(W).shapes() == ("digon", "digon")
        assert geo.norms(W)[1:] == pytest.approx(1, abs=0.02)


def test_the_pentagon_deforms_and_ends(families):
    """Regular at equal densities; the rarer feature's neighbors come closer to it; at a twentieth there is no such
    minimum.
    """
    equal, rarer = families.pentagon_weights[6], families.pentagon_weights[2]
    assert geo.feature_dimensionality(equal) == pytest.approx(0.4, abs=0.005)
    nearest = [np.sort(geo.gram(W / geo.norms(W))[0])[-3:-1].mean() for W in (equal, rarer)]
    assert nearest[0] == pytest.approx(np.cos(2 * np.pi / 5), abs=0.01)
    assert nearest[1] > nearest[0] + 0.05
    assert np.isnan(families.pentagon[0]) and np.isnan(families.pentagon_weights[0]).all()
    assert np.isfinite(families.pentagon[1:]).all()


def test_training_finds_no_better_model_of_either_kind(families):
    """A second method: the best of 8 trained models on both sides of the crossing, its loss on 400,000 inputs."""
    p = np.full((2, 5), 0.1)
    p[:, 0] *= [0.3, 1.0]
    run = trained("M10", 8, n_instances=2, feature_probability=p)
    for cell, index, losses in ((0, 1, families.digons), (1, 6, families.pentagon)):
        i = ranked(run, 8)[cell, 0]
        rng = np.random.default_rng(7)
        x = rng.random((400_000, 5)) * (rng.random((400_000, 5)) < p[cell])
        loss = np.square(x - np.maximum(x @ geo.gram(run.final[i]) + run.biases[-1, i], 0)).sum(1).mean()
        assert loss == pytest.approx(losses[index], rel=0.02)


@pytest.mark.parametrize(
    ("density", "factors", "say"),
    [(0.0, [1.0], "density must be above 0"), (0.5, [3.0], "at most 1 / density = 2"), (0.5, [], "one at least"),
     (0.5, [-1.0], "above 0")],
)  # fmt: skip
def test_a_density_that_cannot_be_is_refused(density, factors, say):
    with pytest.raises(ValueError, match=say):
        perturbed_families(density, factors)
