"""Where in a model activations are read: the site of a hook point, and what tells one model from another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saewidgets.models.model import Model
from saewidgets.records import ActivationSite


def site(model: Model | nn.Module, hook_name: str | None = None, scale: float = 1.0) -> ActivationSite:
    """The site of a hook point in this model, its width measured.

    Args:
        hook_name: by default the residual stream halfway through the model, as in Templeton et al. 2024: after the
            first n_layers // 2 layers (after the only one of a model of one).

    Raises ValueError on an unknown hook (with the nearest names) or one that does not hold one vector per token.

    Example:
        >>> site(model).hook_name  # of 6 layers
        'blocks.2.hook_resid_post'
        >>> site(model, "blocks.2.hook_resid_post").d_in
        160
    """
    model = Model.wrap(model)
    if hook_name is None:
        hook_name = f"blocks.{max(model.n_layers // 2 - 1, 0)}.hook_resid_post"
    d_in = model.activations([0], hook_name).shape[-1]
    return ActivationSite(
        model.name, hook_name, d_in, model.weight_processing, model.prepend_bos, scale, fingerprint(model)
    )


def fingerprint(model: Model) -> tuple[float, ...]:
    """Eight values from the embedding, spread over its rows and columns: another model, revision or weight processing
    has others. () for a model without one.
    """
    W_E = getattr(getattr(model, "hooked", None), "W_E", None)
    if not isinstance(W_E, Tensor) or W_E.ndim != 2:
        return ()
    n = torch.arange(1, 9, dtype=torch.float64)
    row, column = (
        (n * golden % 1 * size).long() for golden, size in zip((0.6180339887, 0.7548776662), W_E.shape, strict=True)
    )
    values = W_E.detach()[row.to(W_E.device), column.to(W_E.device)]
    return tuple(float(f"{v:.6g}") for v in values.float().tolist())
