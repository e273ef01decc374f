"""What a clamp is compared with: vectors to add instead, and features that have nothing to do with the concept."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import nn

from saewidgets.activations import check_site
from saewidgets.models import Model
from saewidgets.records import ActivationSite, FeatureActivations, Steer
from saewidgets.records.arguments import expect, seed_of
from saewidgets.sae import SAE, check_sae, refuse_transcoder
from saewidgets.steering.edits import check_feature


def add_feature(sae: SAE, feature: int, amount: float = 1.0, scope: str | int = "all") -> Steer:
    """Add a feature's direction instead of setting the feature: x' = x + amount * d_f, whatever f's own activation is.

    `amount` is in SAE activation units, so `amount = value - a_f(x)` would be the clamp at one token. Raises
    ValueError, with the valid range, on a feature that does not exist; and for an SAE that normalizes its inputs, whose
    unit of activation is another length at every token.

    Example:
        >>> add_feature(sae, 31, 8.0)
        Steer(scale=8.0, scope='all', name='add feature 31', origin='sw.steering.add_feature(sae, 31)')
    """
    check_sae(sae, "add_feature")
    refuse_transcoder(sae.config, "add_feature")
    feature = check_feature(sae, feature)
    if sae.config.input_normalization != "none":
        raise ValueError(
            f"one unit of activation is no fixed vector under {sae.config.input_normalization}: use a Clamp, or a Steer along "
            "sae.decoder_directions[feature] with a length of your own"
        )
    vector = tuple(sae.decoder_rows([feature])[0].tolist())
    return Steer(vector, amount, scope, f"add feature {feature}", f"sw.steering.add_feature(sae, {feature})")


def mean_difference(
    model: Model | nn.Module,
    site: ActivationSite | str,
    positive: Sequence[str],
    negative: Sequence[str],
    scope: str | int = "all",
) -> Steer:
    """The few-shot baseline: mean activation at the last token of `positive` texts, minus that of `negative` ones.

    In model units, at scale 1: change it with `dataclasses.replace(steer, scale=2.0)`. `site` is a hook's name, or a
    site, which must be this model's. `model` may be a TransformerLens model as well. Raises ValueError if either list
    is empty, a text has no token, the hook does not exist, or the site is of another model.

    Example:
        >>> mean_difference(model, "blocks.2.hook_resid_post", ["I love you"], ["I see you"])
    """
    model = Model.wrap(model)
    if not isinstance(site, str | ActivationSite):
        raise TypeError(
            f"site must be a hook's name, such as 'blocks.2.hook_resid_post', or a site, such as sae.config.site, not a {type(site).__name__}"
        )
    hook_name = site if isinstance(site, str) else check_site(model, site).hook_name
    means = []
    for name, texts in (("positive", positive), ("negative", negative)):
        fits = isinstance(texts, list | tuple) and all(isinstance(text, str) for text in texts)
        if not fits or not texts:
            raise ValueError(f"give a list of at least one {name} text")
        ends = []
        for text in texts:
            tokens = model.tokens(text)
            if not len(tokens):
                raise ValueError(f"the {name} text {text!r:.40} has no token to read")
            ends.append(model.activations(tokens, hook_name)[0, -1].double())
        means.append(torch.stack(ends).mean(0))
    return Steer(tuple((means[0] - means[1]).tolist()), 1.0, scope, "mean difference")


def noise_like(steer: Steer, seed: int) -> Steer:
    """A random direction with the norm, scale and scope of `steer`: uniform on the sphere, the same one for the same
    seed.

    Example:
        >>> round(noise_like(Steer((3.0, 4.0), 2.0), seed=0).norm, 4)
        10.0
    """
    expect(steer, Steer, "steer", "noise_like")
    seed = seed_of(seed)
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(len(steer.vector), generator=generator, dtype=torch.float64)
    length = math.hypot(*steer.vector)
    vector = tuple((direction * (length / float(direction.norm()))).tolist())
    return Steer(vector, steer.scale, steer.scope, f"noise, seed {seed}")


def random_live_feature(
    acts: FeatureActivations | Mapping[int, float], seed: int, exclude: Collection[int] = ()
) -> int:
    """A feature that fires somewhere in the corpus, each as likely as any other; the same one for the same seed.

    `acts` may also be {feature: maximum}. Raises ValueError where no feature is left.
    """
    seed = seed_of(seed)
    live = [f for f in live_features(acts) if f not in exclude]
    if not live:
        raise ValueError("no live feature to choose from: all are excluded, or none ever fires")
    return random.Random(seed).choice(live)


def live_features(acts: FeatureActivations | Mapping[int, float]) -> dict[int, float]:
    """{feature: maximum} of the features that fire somewhere, in order."""
    expect(acts, (FeatureActivations, Mapping), "acts", "random_live_feature")
    pairs = acts.items() if isinstance(acts, Mapping) else enumerate(acts.maximum.tolist())
    return {int(f): float(m) for f, m in sorted(pairs) if m > 0}
