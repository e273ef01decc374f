"""The rest of a forward pass, from what flows through a hook point on."""

from __future__ import annotations

import torch
from torch import Tensor

from saewidgets.models.edit import Edit
from saewidgets.models.model import Model


def resumed_logits(model: Model, tokens: Tensor, hook_name: str, x: Tensor, row: Tensor, position: Tensor) -> Tensor:
    """float32 [n, d_vocab]: logits after some tokens, with x [row, pos, d] flowing through the hook point in place of its own.

    Args:
        tokens: int64 [row, pos], padded on the right with -1.
        row, position: int64 [n] each, the tokens whose logits are wanted.

    Where the lean loop is proven, only the layers above the hook point are computed, and the unembedding where it is wanted.
    Raises ValueError on an unknown hook.

    Example:
        >>> x = model.activations(tokens, hook_name)  # doctest: +SKIP
        >>> resumed_logits(model, tokens, hook_name, x, row, position)  # = model.logits(tokens)[row, position]  # doctest: +SKIP
    """
    with model.lock, torch.no_grad():
        found = model._lean_at(hook_name)
        if found is not None:
            lean, layer = found
            flow = x.to(lean.embed.device, lean.embed.dtype)
            for i in range(layer, lean.n_layers):
                flow = lean.block(i, flow, lean.room(*flow.shape[:2]), 0)
            return lean.logits(flow[row.to(flow.device), position.to(flow.device)]).float()

    def put(own: Tensor, start: int) -> Tensor:
        return x.to(own.device, own.dtype)

    logits = model.logits(tokens, Edit(hook_name, put))
    return logits[row.to(logits.device), position.to(logits.device)].float()
