"""Losses with something else flowing through a site: those of whole passes, over the decoder and without it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saewidgets.decoder import Edit
from saewidgets.models import effects, load_model

SITE = "blocks.0.hook_resid_post"


@pytest.mark.parametrize("use_decoder", [True, False])
@pytest.mark.parametrize("cells", [1 << 24, 1])  # all at once, and a token or a text at a time
def test_losses_and_divergences_are_those_of_whole_passes(tiny_folder, monkeypatch, use_decoder, cells):
    model = load_model(tiny_folder)
    model.use_decoder = use_decoder
    monkeypatch.setattr(effects, "CELLS", cells)
    tokens = torch.randint(0, model.d_vocab, (3, 7), generator=torch.Generator().manual_seed(4))
    tokens[1, 4:] = -1  # padding
    x = model.activations(tokens, SITE)
    flows = [x, 0.5 * x, torch.zeros_like(x)]
    loss, divergence = model.resumed_losses(tokens, SITE, flows)
    row, position = (tokens[:, 1:] >= 0).nonzero(as_tuple=True)
    assert loss.shape == divergence.shape == (3, 15)
    logs = [
        model.logits(tokens, Edit(SITE, lambda own, start, flow=flow: flow))[row, position].double().log_softmax(-1)
        for flow in flows
    ]
    for i, log in enumerate(logs):
        assert np.allclose(loss[i], -log[torch.arange(15), tokens[row, position + 1]].numpy(), atol=1e-5)
        assert np.allclose(divergence[i], (logs[0].exp() * (logs[0] - log)).sum(-1).numpy(), atol=1e-5)
    assert divergence[0].max() == 0 and divergence[2].min() > 1e-4
