"""An SAE taken apart, token by token (Bricken et al. 2023; the two layers of the tour)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from saewidgets.activations import check_pair
from saewidgets.analysis.features.promoted import promoted_tokens
from saewidgets.doctor.meeting import verdict
from saewidgets.models import Model
from saewidgets.records import Passport
from saewidgets.records.parts import TokenParts
from saewidgets.sae import SAE

N_PROMOTED = 3  # tokens per feature, to tell features without a label apart


@torch.no_grad()
def token_parts(
    model: Model | nn.Module, sae: SAE, text: str, *, labels: Mapping[int, str] | None = None
) -> TokenParts:
    """What the SAE computes for every token of a text: activation, pre-activations, active features, parts,
    reconstruction, error.

    Args:
        model: the model that the SAE reads; a TransformerLens model will do.
        sae: with a site, of this very model.
        text: as the model's tokenizer takes it; tokens beyond the model's context are refused by the model.
        labels: {feature: what it stands for}.

    Raises:
        TypeError: a model or an SAE that is something else. ValueError: a text without tokens; an SAE without a site,
            or of another model.

    Example:
        >>> parts = token_parts(model, sae, "The fog covers the Golden Gate Bridge.")
        >>> parts.mismatch(-1) < 1e-5
        True
    """
    model, site = check_pair(model, sae, "token_parts", reconstructs=True)
    tokens = model.tokens(text)
    if not len(tokens):
        raise ValueError(f"the text has no tokens, and {model.name} puts none before it: write something")
    fit = verdict(model, sae)  # warns if the two do not belong together
    x = model.activations(tokens, site.hook_name)[0].to(sae.W_enc.device).float()  # [pos, d_in]
    a = sae.encode(x)  # [pos, d_sae]
    used = (a > 0).any(0).nonzero().squeeze(1)  # [used]
    arrays = {
        "x": x,
        "pre": sae.pre_activations(x),
        "x_hat": sae.decode(a, x),
        "features": used,
        "activations": a[:, used],
        "directions": sae.decoder_rows(used),
        "offset": sae.b_dec.detach() / sae.scale,
        "units": sae.spread(x).expand(len(x), 1)[:, 0],
        "center": x.mean(-1) if sae.config.input_normalization == "layer_norm" else torch.zeros(len(x)),
    }
    names = labels or {}
    return TokenParts(
        tokens=tuple(model.display(tokens)),
        text=model.written(text),
        passport=Passport(
            site, "", 0, sae.config.d_sae, sae.config.architecture, sae.name, fit, model.weights, model.name
        ),
        labels=tuple(names.get(feature, "") for feature in used.tolist()),
        promoted=tuple(promoted_tokens(model, sae, used.cpu().numpy(), N_PROMOTED)),
        **{
            name: part.to("cpu", part.dtype if name == "features" else torch.float32).contiguous().numpy()
            for name, part in arrays.items()
        },
    )
