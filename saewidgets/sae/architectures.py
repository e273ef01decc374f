"""How each architecture turns an input into activations, at inference.

In all of them z [..., d_in] is the input as the encoder sees it (scaled or normalized, b_dec subtracted where the SAE
does so), pre = z W_enc + b_enc, H is 1 above 0 and else 0, and the decoder is x_hat = a W_dec + b_dec.

Encoder weights have the features as their last axis, so the same functions read all features or a few: pass those
columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Encoder = Mapping[str, Tensor]  # W_enc [d_in, n], and [n] each of the others that the architecture names


@dataclass(frozen=True)
class Architecture:
    """What tells one architecture from another, besides its numbers."""

    # Z [..., d_in] and n features' weights -> a [..., n]; topk: before TopK.
    encode: Callable[[Tensor, Encoder], Tensor]
    weights: tuple[str, ...]  # the encoder's weights besides W_enc, [d_sae] each
    subtracts_b_dec: bool  # whether z has b_dec subtracted, unless the config says otherwise
    pre_bias: str = "b_enc"  # the bias in `SAE.pre_activations`


def pre_activations(z: Tensor, W_enc: Tensor, bias: Tensor) -> Tensor:
    """z W_enc + bias: [..., n]."""
    return F.linear(z, W_enc.T, bias)


def relu(z: Tensor, encoder: Encoder) -> Tensor:
    """a = max(0, pre), with L1 as its loss (Bricken et al. 2023; Templeton et al. 2024)."""
    return pre_activations(z, encoder["W_enc"], encoder["b_enc"]).relu()


def jumprelu(z: Tensor, encoder: Encoder) -> Tensor:
    """a = max(0, pre) H(pre - threshold), a threshold for each feature (Rajamanoharan et al. 2024, "Jumping Ahead").

    BatchTopK at inference is the same with one threshold, the mean over batches of the smallest activation that was
    kept (Bussmann et al. 2024, "BatchTopK Sparse Autoencoders"); a Matryoshka SAE differs in training only. It is
    stored once a feature, since folding decoder norms scales it feature by feature.
    """
    pre = pre_activations(z, encoder["W_enc"], encoder["b_enc"])
    return pre.relu() * (pre > encoder["threshold"])


def gated(z: Tensor, encoder: Encoder) -> Tensor:
    """a = H(z W_enc + b_gate) max(0, z W_mag + b_mag), W_mag = W_enc exp(r_mag) (Rajamanoharan et al. 2024, "Gated
    SAEs").

    The gate says whether a feature is on, the magnitude how much; they share directions, and differ in scale and bias.
    """
    shared = z @ encoder["W_enc"]
    on = shared + encoder["b_gate"] > 0
    return (shared * encoder["r_mag"].exp() + encoder["b_mag"]).relu() * on


ARCHITECTURES: dict[str, Architecture] = {
    # Templeton et al. 2024 have no pre-encoder bias; Bricken et al. 2023 do: apply_b_dec_to_input=True
    "relu": Architecture(relu, ("b_enc",), subtracts_b_dec=False),
    # a = max(0, TopK_k(pre)) (Gao et al. 2024): which features are on depends on all of them, so `SAE` takes the k
    # largest
    "topk": Architecture(relu, ("b_enc",), subtracts_b_dec=True),
    "jumprelu": Architecture(jumprelu, ("b_enc", "threshold"), subtracts_b_dec=False),
    "gated": Architecture(gated, ("b_gate", "b_mag", "r_mag"), subtracts_b_dec=True, pre_bias="b_gate"),
    "batchtopk": Architecture(jumprelu, ("b_enc", "threshold"), subtracts_b_dec=True),
}


@torch.no_grad()
def fold_decoder_norms(architecture: str, weights: Mapping[str, Tensor]) -> None:
    """Rows of W_dec to norm 1, in place, and their norms into the encoder: x_hat stays.

    Biases and thresholds are scaled with the encoder's columns; r_mag is a ratio and stays.
    """
    norm = weights["W_dec"].norm(dim=-1)
    if bool((norm == 1).all()):
        return
    for name in ("W_enc", *ARCHITECTURES[architecture].weights):
        if name != "r_mag":
            weights[name].mul_(norm)
    weights["W_dec"].div_(norm.clamp_min(torch.finfo(norm.dtype).tiny)[:, None])
