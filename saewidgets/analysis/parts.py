"""An SAE taken apart, token by token (Bricken et al. 2023; the two layers of the tour)."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from saewidgets.models import Model
from saewidgets.records.parts import TokenParts
from saewidgets.sae import SAE, refuse_transcoder


@torch.no_grad()
def token_parts(model: Model, sae: SAE, text: str, *, labels: Mapping[int, str] | None = None) -> TokenParts:
    """What the SAE computes for every token of a text: activation, pre-activations, active features, parts, reconstruction, error.

    Args:
        model: the model that the SAE reads.
        sae: with a site.
        text: as the model's tokenizer takes it; tokens beyond the model's context are refused by the model.
        labels: {feature: what it stands for}.

    Raises:
        ValueError: an SAE without a site.

    Example:
        >>> parts = token_parts(model, sae, "The fog covers the Golden Gate Bridge.")  # doctest: +SKIP
        >>> parts.mismatch(-1) < 1e-5  # doctest: +SKIP
        True
    """
    refuse_transcoder(sae.config, "token_parts")
    if sae.config.site is None:
        raise ValueError("this SAE has no site: it does not say where in the model it reads")
    tokens = model.tokens(text)
    x = model.activations(tokens, sae.config.site.hook_name)[0]  # [pos, d_in]
    a = sae.encode(x)  # [pos, d_sae]
    used = (a > 0).any(0).nonzero().squeeze(1)  # [used]
    arrays = {
        "x": x,
        "pre": sae.pre_activations(x),
        "x_hat": sae.decode(a),
        "features": used,
        "activations": a[:, used],
        "directions": sae.decoder_directions[used],
        "offset": sae.b_dec.detach() / sae.scale,
    }
    names = labels or {}
    return TokenParts(
        tokens=tuple(model.display(tokens)),
        labels=tuple(names.get(feature, "") for feature in used.tolist()),
        **{name: part.cpu().contiguous().numpy() for name, part in arrays.items()},
    )
