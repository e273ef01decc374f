"""A change to the activations at one site."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Edit:
    """A change to the activations at one hook point, for one forward pass at a time.

    `function(activation, start)` takes the activation [batch, pos, d] and the absolute position of its first column (not 0
    when earlier tokens are in the key-value cache), and returns a tensor of the same shape. It may ask the model in its turn:
    that pass is one of its own, without this edit.

    Example:
        >>> silence = Edit("blocks.2.hook_resid_post", lambda x, start: 0 * x)
    """

    hook_name: str
    function: Callable[[Tensor, int], Tensor]
