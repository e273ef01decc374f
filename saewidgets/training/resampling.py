"""Dead features drawn anew, for losses in which they would stay dead."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from saewidgets.sae import SAE

SHARE_OF_NORM = 0.2  # of a fresh encoder column, against the mean live one


@torch.no_grad()
def resample(
    sae: SAE,
    x: Tensor,
    y: Tensor,
    error: Tensor,
    dead: Tensor,
    moments: Mapping[str, Mapping[str, Tensor]],
    seed: int,
) -> Tensor:
    """Give dead features the directions of inputs that are badly reconstructed (Bricken et al. 2023), in place.

    For each dead feature a row is drawn with p proportional to its loss squared, without replacement while there are
    enough. Its decoder row becomes the direction of y - b_dec (norm 1 where rows have norm 1, else the mean live norm),
    its encoder column the direction of what the encoder reads there, times 0.2 of the mean norm of live columns; biases
    and r_mag 0, Adam's moments of all of it 0.

    Args:
        sae: changed in place.
        x: rows [n, d_in] in SAE units, and y [n, d_out] what to reconstruct of them.
        error: [n], each row's squared error.
        dead: int64, the features to draw anew.
        moments: Adam's, by weight's name: "exp_avg" and "exp_avg_sq" of the weight's shape.
        seed: of a generator of its own.

    Returns the features that were drawn: all of `dead`, or none where every row has no error.
    """
    weight = (error.double() / error.double().max().clamp_min(1e-300)).square().cpu()
    candidates = int((weight > 0).sum())
    if not candidates or not len(dead):
        return dead[:0]
    generator = torch.Generator().manual_seed(seed)
    rows = torch.multinomial(weight, len(dead), replacement=candidates < len(dead), generator=generator).to(x.device)
    live = torch.ones(sae.config.d_sae, dtype=torch.bool, device=dead.device)
    live[dead] = False
    columns, decoder = sae.W_enc.norm(dim=0), sae.W_dec.norm(dim=-1)
    encoder_norm = columns[live].mean() if live.any() else columns.mean()
    decoder_norm = decoder[live].mean() if live.any() else decoder.mean()
    tiny = torch.finfo(x.dtype).tiny
    z, target = sae.encoder_input(x[rows]), y[rows] - sae.b_dec
    sae.W_enc[:, dead] = (z / z.norm(dim=-1, keepdim=True).clamp_min(tiny) * (SHARE_OF_NORM * encoder_norm)).T
    sae.W_dec[dead] = target / target.norm(dim=-1, keepdim=True).clamp_min(tiny) * decoder_norm
    for name, value in sae.weights.items():
        if name in ("b_enc", "b_gate", "b_mag", "r_mag"):
            value[dead] = 0.0
    for name, pair in moments.items():
        for moment in pair.values():
            if name == "W_enc":
                moment[:, dead] = 0.0
            elif name != "b_dec":
                moment[dead] = 0.0
    return dead
