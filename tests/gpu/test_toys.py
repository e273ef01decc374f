"""Toy models on the device."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saewidgets.kernels import toy, toy_torch
from saewidgets.records import ToyConfig
from saewidgets.toy.training import ToyTraining, spec_of

SETTINGS = [
    {},
    {"task": "absolute", "hidden": "relu"},
    {"sets": ((0, 1),), "relation": "correlated", "l1": 0.01},
    {"sets": ((0, 1),), "relation": "anticorrelated", "feature_probability": 0.3, "adversarial": 0.2},
    {"data_size": 40, "optimizer": "sgd"},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_training_lowers_the_loss_there(settings, device):
    config = ToyConfig(5, 2, n_instances=3, steps=60, snapshots=2, batch_size=64, lr=1e-2, **settings)
    training = ToyTraining(config)
    training._engine = toy_torch.TorchToy(training.spec, training.state, device)
    run = training.run()
    assert np.isfinite(run.weights).all() and (run.losses[-1] < run.losses[0]).all()


@pytest.mark.parametrize("settings", SETTINGS[:4])
def test_loss_gradients_and_inputs_are_the_cpus(settings, device):
    spec = spec_of(ToyConfig(5, 2, n_instances=3, batch_size=64, **settings))
    state = toy.ToyState.start(spec, 2, untied=spec.absolute)
    u = torch.rand(3, 64, spec.n_streams, generator=torch.Generator().manual_seed(0))
    found = []
    for where in (device, torch.device("cpu")):
        drawn = toy_torch.Drawn.of(spec, where)
        x = drawn.inputs(spec, u.to(where), slice(None))
        parts = {name: torch.tensor(value).to(where) for name, value in state.parts.items()}
        loss, gradients = toy_torch.loss_and_gradients(spec, torch.tensor(spec.importance).to(where), x, **parts)
        found.append([t.to("cpu") for t in (x, loss, *gradients.values())])
    assert all(torch.allclose(own, cpu, atol=1e-5) for own, cpu in zip(*found, strict=True))


def test_the_expected_loss_is_numpys(device):
    spec = spec_of(ToyConfig(6, 2, n_instances=4, l1=0.3, sets=((0, 1),), relation="correlated"))
    state = toy.ToyState.start(spec, 2, untied=False)
    found = toy_torch.TorchToy(spec, state, device).expected_loss(spec, state.W, state.b, None, 500)
    assert found == pytest.approx(toy.expected_loss(spec, state.W, state.b, None, 500), rel=1e-4)
