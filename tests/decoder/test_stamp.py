"""Weights that are edited are seen, however it was done and however little: by the stamp, the next text, clamp and
reading.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.analysis.prompts import prober
from saewidgets.decoder import WeightStamp
from saewidgets.models import load_model, site
from saewidgets.records import Clamp
from saewidgets.sae import SAE, SAEConfig
from saewidgets.steering import Steerer

HOOK = "blocks.0.hook_resid_post"
KINDS = {
    "rows": lambda n: torch.randn(n, 3),
    "columns": lambda n: torch.randn(n, 3).T,
    "every second": lambda n: torch.randn(n, 2)[:, 0],
    "part of a storage": lambda n: torch.randn(n + 7)[3 : n + 3],
    "half": lambda n: torch.randn(n).bfloat16(),
    "double": lambda n: torch.randn(n).double(),
    "numbers": lambda n: torch.arange(n),
    "truth": lambda n: torch.rand(n) > 0.5,
}


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    n=st.integers(1, 5000),
    at=st.floats(0, 1, exclude_max=True),
    other=st.floats(0, 1, exclude_max=True),
)
def test_any_one_number_and_any_two_that_change_places_are_seen(kind, n, at, other):
    tensor = KINDS[kind](n)
    array = tensor.data
    places = [
        tuple(int(i) for i in np.unravel_index(int(share * tensor.numel()), tensor.shape)) for share in (at, other)
    ]
    stamp = WeightStamp([torch.zeros(5), tensor])
    assert stamp.holds([*stamp._tensors])
    a, b = (array[place].item() for place in places)
    version = tensor._version
    tensor.data[places[0]] = not a if kind == "truth" else a + max(1.0, abs(a))
    assert tensor._version == version, "torch would have told"
    assert not stamp.holds([*stamp._tensors])
    tensor.data[places[0]] = a
    assert stamp.holds([*stamp._tensors])
    tensor.data[places[0]], tensor.data[places[1]] = b, a
    assert stamp.holds([*stamp._tensors]) == (a == b)


def test_a_sign_of_zero_and_a_nan_are_numbers_too():
    tensor = torch.zeros(2000)
    tensor[7] = float("nan")
    stamp = WeightStamp([tensor])
    assert stamp.holds([tensor])  # nan is not unequal to itself here
    tensor.data[1500] = -0.0
    assert not stamp.holds([tensor])


def test_another_tensor_of_the_same_numbers_or_one_more_or_none_is_another_state():
    tensor = torch.ones(4)
    stamp = WeightStamp([tensor])
    assert not stamp.holds([torch.ones(4)]) and not stamp.holds([tensor, tensor]) and not stamp.holds([])
    assert WeightStamp([torch.zeros(0)]).holds([]) is False


def test_other_devices_sum_what_numpy_sums(monkeypatch):
    """The device's own way, on the CPU: both are sums modulo 2^64 with the same weights."""
    from saewidgets.decoder import stamp

    monkeypatch.setattr(stamp, "CHUNK", 2 * 8 * stamp.ROW)
    raw = torch.randint(
        0, 256, (5 * 8 * stamp.ROW + 13,), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    words = [
        int.from_bytes(raw[i : i + 8].numpy().tobytes(), "little", signed=True) for i in range(0, 8 * stamp.ROW, 8)
    ]
    by_hand = sum(int(w) * x for w, x in zip(stamp._WEIGHTS, words, strict=True)) % 2**64
    found = stamp._summed_all([raw])
    assert found == stamp._summed_all([raw.numpy()])
    assert int.from_bytes(found[:8], "little") == by_hand and found[-13:] == raw[-13:].numpy().tobytes()


# -- what is written and read with edited weights --------------------------------------------------------------------


def through_data(model):
    model.hooked.unembed.W_U.data[:, 7] += 100.0


def through_numpy(model):
    model.hooked.unembed.W_U.detach().numpy()[:, 7] += 100.0


def one_bias(model):
    model.hooked.blocks[1].mlp.b_out.data[3] = 1000.0


def one_embedding(model):
    model.hooked.embed.W_E.data[9, 5] += 10.0


def new_parameter(model):
    unembed = model.hooked.unembed
    unembed.W_U = torch.nn.Parameter(unembed.W_U.detach() * -1)


def new_module(model):
    block = model.hooked.blocks[1]
    mlp = copy.deepcopy(block.mlp)
    mlp.W_out.data.mul_(-3)
    block.mlp = mlp


def new_state(model):
    model.hooked.load_state_dict({k: v * 1.5 if k.endswith("W_O") else v for k, v in model.hooked.state_dict().items()})


@pytest.mark.parametrize(
    "edit", [through_data, through_numpy, one_bias, one_embedding, new_parameter, new_module, new_state]
)
def test_the_next_text_and_reading_are_those_of_the_edited_model(tiny_folder, edit):
    model = load_model(tiny_folder)
    if not hasattr(type(model.hooked), "sample_datapoint"):
        pytest.skip("the names are those of a HookedTransformer")
    sae = SAE(SAEConfig(32, 64, "relu", site=site(model, HOOK)))
    probe = prober(model, sae)

    def found(model, probe):
        texts = [t for seed in range(3) for t, *_ in model.stream([0, 9, 8], n_tokens=6, seed=seed)]
        logprobs = np.concatenate(model.logprobs([0, 9, 8], [[5, 6], [7]])).round(4).tolist()
        return texts, logprobs, np.round(probe("The fog").loss, 3).tolist() if probe else None

    before = found(model, probe)
    edit(model)
    after = found(model, None)
    reading = probe("The fog")
    assert (after[0], after[1]) != before[:2]
    model.use_decoder = False
    plainly = found(model, None)
    assert after[0] == plainly[0] and np.allclose(after[1], plainly[1], atol=1e-3)
    assert np.allclose(reading.loss, prober(model, sae)("The fog").loss, equal_nan=True)


@pytest.mark.parametrize("architecture", ["relu", "topk", "jumprelu", "gated", "batchtopk"])
@pytest.mark.parametrize("name", ["W_enc", "W_dec", "b_dec"])
@pytest.mark.filterwarnings("ignore:this SAE does not fit")
def test_a_clamp_is_that_of_the_edited_sae(tiny_model, architecture, name):
    sae = SAE(SAEConfig(32, 64, architecture, k=8, site=site(tiny_model, HOOK)))
    prompt = [0, 9, 8]

    def text(steer):
        edit = steer._edit([Clamp(5, 2.0), Clamp(9, 0.0)], len(prompt))
        return torch.stack([logits for *_, logits in tiny_model.stream(prompt, n_tokens=4, seed=1, edit=edit)])

    steer = Steerer(tiny_model, sae)
    before = text(steer)
    weight = getattr(sae, name)
    weight.data[..., 5] += 3.0
    assert not torch.equal(text(steer)[0], before[0]) or (architecture, name) not in [
        ("relu", "W_enc"),
        ("relu", "W_dec"),
    ]
    assert torch.equal(text(steer), text(Steerer(tiny_model, sae)))
    setattr(sae, name, torch.nn.Parameter(weight.detach() * -1.0))  # another parameter in its place
    assert torch.equal(text(steer), text(Steerer(tiny_model, sae)))
