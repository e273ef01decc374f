"""Every objective trains on the device as on the CPU, in float32 and bf16, and the host seldom waits for it."""

from __future__ import annotations

import pytest
import torch

from saewidgets.kernels.topk import AuxK, FastTopK
from saewidgets.sae import SAE, SAEConfig
from saewidgets.training import OBJECTIVES, TrainConfig, train

FIELDS = {
    "topk": {"k": 3},
    "batchtopk": {"k": 3},
    "relu_unit_norm": {"l1_coefficient": 0.7, "apply_b_dec_to_input": True},
    "relu_p_annealing": {"l1_coefficient": 0.7, "apply_b_dec_to_input": True},
}
STEPS = 6
# Of one step without dead features: its numbers, and whether the weights are finite after it. BatchTopK has to know how
# many activations are on.
WAITS = {"batchtopk": 4}


def trained(name, device, precision="float32", *, d_out=None, window=10**6, waits=None, **more):
    """(losses, weights on the CPU, waits of each step) of a short training."""
    architecture = next(iter(OBJECTIVES[name].architectures))
    fields = FIELDS.get(name, {"l1_coefficient": 0.7})
    if d_out is not None:
        fields = {k: v for k, v in fields.items() if k != "apply_b_dec_to_input"} | {"d_out": d_out}
    sae = SAE(SAEConfig(6, 40, architecture=architecture, seed=3, **fields)).to(device)
    generator = torch.Generator().manual_seed(1)
    batches = [torch.randn(32, 6, generator=generator) for _ in range(STEPS)]
    if d_out is not None:
        batches = [(x.to(device), x[:, :d_out].to(device)) for x in batches]
    else:
        batches = [x.to(device) for x in batches]
    config = TrainConfig(steps=STEPS, objective=name, precision=precision, dead_window=window, lr=1e-3, **more)
    run, counts = train(sae, batches, config), []
    for _ in range(STEPS):
        if waits is not None:
            waits.clear()
        next(run)
        if waits is not None:
            counts.append(len(waits))
    weights = {key: w.detach().to("cpu") for key, w in sae.weights.items()}
    assert all(w.device.type == "cpu" for w in weights.values())
    return [step.loss for step in run.history], weights, counts


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_training_is_that_of_the_cpu(name, precision, device, waits):
    losses, weights, counts = trained(name, device, precision, waits=waits)
    expected, theirs, _ = trained(name, "cpu", precision)
    rough = precision == "bf16"  # whose sums another device, or another kernel, rounds elsewhere
    assert losses == pytest.approx(expected, rel=3e-2 if rough else 1e-4)
    for key, weight in weights.items():
        assert torch.allclose(weight, theirs[key], atol=2e-2 if rough else 2e-4), key
    # Of p-annealing, steps at which the exponent falls have two more.
    assert all(n <= WAITS.get(name, 2) + 2 * (name == "relu_p_annealing") for n in counts[1:]), counts


@pytest.mark.parametrize("name", ["topk", "batchtopk"])
@pytest.mark.parametrize("settings", [{"aux_k": 4}, {"aux_k": 30}, {"prefixes": (8, 40)}, {"micro_batch": 20}])
def test_dead_features_nested_dictionaries_and_parts_of_a_batch(name, settings, device):
    losses, weights, _ = trained(name, device, window=40, **settings)
    expected, theirs, _ = trained(name, "cpu", window=40, **settings)
    assert losses == pytest.approx(expected, rel=1e-4)
    assert all(torch.allclose(w, theirs[key], atol=2e-4) for key, w in weights.items())


@pytest.mark.parametrize("name", ["topk", "batchtopk", "relu"])
def test_a_transcoder(name, device):
    losses, *_ = trained(name, device, d_out=4)
    assert losses == pytest.approx(trained(name, "cpu", d_out=4)[0], rel=1e-4)


def test_dead_features_drawn_anew(device):
    losses, *_ = trained("relu_unit_norm", device, window=40, resample_at=(2, 4))
    assert losses == pytest.approx(trained("relu_unit_norm", "cpu", window=40, resample_at=(2, 4))[0], rel=1e-4)


def test_a_checkpoint_goes_on_there(device, tmp_path):
    def run(steps, resume=None):
        sae = SAE(SAEConfig(6, 40, architecture="batchtopk", k=3)).to(device)
        batches = [torch.randn(16, 6, generator=torch.Generator().manual_seed(i)).to(device) for i in range(4)]
        going = train(sae, batches, TrainConfig(steps=4), resume=resume)
        for _ in range(steps):
            next(going)
        return going

    run(2).save(tmp_path / "half.safetensors")
    on, whole = run(2, tmp_path / "half.safetensors"), run(4)
    assert on.step == whole.step == 4
    assert all(
        torch.equal(w.to("cpu"), v.to("cpu")) for w, v in zip(on.tensors.values(), whole.tensors.values(), strict=True)
    )
    assert on.firing_rates().shape == (40,)


def test_one_step_of_topk_is_dense_autograds(device):
    """float64 autograd of the definition on the CPU, against the step on the device: gradients to 1e-5."""
    from saewidgets.kernels.topk import topk_loss

    g = torch.Generator().manual_seed(0)
    weights = tuple(torch.randn(s, generator=g) for s in ((12, 2100), (2100,), (2100, 12), (12,)))
    x, dead = torch.randn(9, 12, generator=g), torch.arange(0, 400, 2)
    leaves = tuple(w.double().requires_grad_() for w in weights)
    loss = topk_loss(x.double(), leaves, 5, AuxK(dead, 6, 0.7))
    expected = torch.autograd.grad(loss, leaves)
    step = FastTopK(5)(x.to(device), tuple(w.to(device) for w in weights), AuxK(dead.to(device), 6, 0.7))
    assert float(step.loss) == pytest.approx(float(loss.detach()), rel=1e-5)
    for found, exact in zip(step.gradients, expected, strict=True):
        scale = max(1.0, float(exact.abs().max()))
        assert float((found.to("cpu").double() - exact).abs().max()) < 1e-5 * scale
