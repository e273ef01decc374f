"""The next token under many small pushes, each at one token of the same prompt."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from saewidgets.models.edit import Edit
from saewidgets.models.model import Model

ROWS = 64  # pushes in one forward pass
CELLS = 1 << 23  # logits held at once: 32 MB


def pushed_logits(
    model: Model, prompt: Tensor, hook_name: str, position: Tensor, push: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits after a prompt [pos] for every push [n, d], added to the activation at token `position` [n] of a hook point.

    Yields (which pushes, int64 [m]; logits [m, d_vocab]), all of one position together, positions ascending. Where the lean loop is
    proven, only what a push can change is computed: the tokens from its own on, the layers above the hook point.
    Raises ValueError on an unknown hook.
    """
    for at in position.unique().tolist():
        whole = (position == at).nonzero()[:, 0]
        for rows in whole.split(max(1, min(ROWS, CELLS // (model.d_vocab * len(prompt))))):
            yield rows, _after(model, prompt, hook_name, at, push[rows])


def _after(model: Model, prompt: Tensor, hook_name: str, at: int, push: Tensor) -> Tensor:
    """float32 [row, d_vocab] for pushes [row, d] at one token."""
    with model.lock, torch.no_grad():
        found = model._lean_at(hook_name)
        if found is not None:
            lean, layer = found
            return lean.pushed(prompt.tolist(), layer, at, push.to(lean.embed.device, lean.embed.dtype)).float()

    def pushed(x: Tensor, start: int) -> Tensor:
        x = x.clone()
        x[:, at] += push.to(x.device, x.dtype)
        return x

    return model.logits(prompt.expand(len(push), -1), Edit(hook_name, pushed))[:, -1].float()
