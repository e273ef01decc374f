"""LayerNorm and RMSNorm, rounded where the models round."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from saewidgets.decoder.parts import DecoderParts
from saewidgets.decoder.weights import Norm


def prepared(norm: Norm | None, parts: DecoderParts) -> Norm | None:
    """The norm with the gain that `normed` multiplies with: offset added, and in float32 where 16 bits are rounded last."""
    if norm is None or norm.gain is None or parts.norm == "layer":
        return norm
    gain = norm.gain
    if parts.norm_rounds == "after gain":
        gain = gain.float()
    return Norm(gain + parts.norm_offset if parts.norm_offset else gain, norm.bias)


def normed(x: Tensor, norm: Norm, parts: DecoderParts) -> Tensor:
    """x [..., d] normed over its last axis, in fresh memory.

        layer:  (x - mean x) / sqrt(var x + eps) * gain + bias
        rms:    x / sqrt(mean x^2 + eps) * gain

    In 16 bits the norm is computed in float32; an RMSNorm is rounded before or after the gain (`norm_rounds`).
    """
    d, eps = x.shape[-1:], parts.norm_eps
    if parts.norm == "layer":
        return torch.layer_norm(x, d, norm.gain, norm.bias, eps)
    if norm.gain is None or norm.gain.dtype == x.dtype == torch.float32:
        return F.rms_norm(x, d, norm.gain, eps)
    if norm.gain.dtype == x.dtype:  # each of the two is rounded
        return F.rms_norm(x, d, None, eps) * norm.gain
    return F.rms_norm(x.float(), d, norm.gain, eps).to(x.dtype)
