"""The tokens whose logits some features raise most, by direct effect."""

from __future__ import annotations

import numpy as np
import torch

from saewidgets.memory import CELLS
from saewidgets.models import Model
from saewidgets.sae import SAE


def promoted_tokens(model: Model, sae: SAE, features: np.ndarray, n: int) -> list[tuple[str, ...]]:
    """Display texts of the n tokens that each of some features promotes most, the first the strongest.

    By `Model.direction_logits`; empty for each feature of an SAE that does not write to the residual stream.

    Args:
        model: the model that the SAE reads.
        sae: whose decoder directions are taken.
        features: int64 [k], which features.
        n: tokens per feature.
    """
    directions = sae.decoder_directions[torch.from_numpy(features)].to(model.device)
    if directions.shape[-1] != model.d_model or not len(features):
        return [()] * len(features)
    best = [
        model.direction_logits(block).topk(min(n, model.d_vocab), dim=1).indices.cpu()
        for block in directions.split(max(1, CELLS // model.d_vocab))
    ]
    rows = torch.cat(best).tolist()
    used = sorted({token for row in rows for token in row})
    texts = dict(zip(used, model.display(used), strict=True))
    return [tuple(texts[token] for token in row) for row in rows]
