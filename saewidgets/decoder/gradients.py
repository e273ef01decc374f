"""A decoder's layers above a site with gradients through them."""

from __future__ import annotations

from torch import Tensor

from saewidgets.decoder.engine import Decoder
from saewidgets.decoder.products import plain_product


def differentiable_logits(decoder: Decoder, layer: int, x: Tensor, wanted: int) -> Tensor:
    """Logits [row, wanted, d_vocab] at the last `wanted` tokens, with x [row, pos, d_model] flowing into `layer`: such
    that torch can go back to x. Call it where gradients are on.

    No compiled layer is used and no cache, and every product is torch's own.
    """
    for i in range(layer, decoder.n_layers):
        x = decoder.block(i, x, last=wanted == 1 and i == decoder.n_layers - 1, product=plain_product)
    rows = x[:, -wanted:]
    return decoder.unembedded(rows.flatten(0, 1)).view(*rows.shape[:2], -1)
