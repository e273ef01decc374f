"""Whether a model and an SAE were given, and belong together."""

from __future__ import annotations

from typing import Any

from saewidgets.models import Model
from saewidgets.models.belonging import differences, refusal
from saewidgets.records import ActivationSite
from saewidgets.sae import SAE, check_sae, refuse_transcoder


def check_pair(model: Any, sae: Any, purpose: str, *, reconstructs: bool = False) -> tuple[Model, ActivationSite]:
    """The model, wrapped, and the SAE's site in it: the one check that all that takes a model and an SAE begins with.

    Raises TypeError where one of the two is something else (the other one, say), and ValueError, saying what differs,
    where the SAE was trained in other coordinates (the numbers would look right and be wrong), or is a transcoder where
    one that `reconstructs` is needed.

    Example:
        >>> model, site = check_pair(hooked_transformer, sae, "attribution")  # doctest: +SKIP
    """
    if isinstance(model, SAE):
        given = "another SAE" if isinstance(sae, SAE) else f"a {type(sae).__name__}"
        raise TypeError(
            f"{purpose} needs a model, then an SAE, and an SAE and {given} were given: give the model first, such as sw.load_model()"
        )
    check_sae(sae, purpose)
    if reconstructs:
        refuse_transcoder(sae.config, purpose)
    model = Model.wrap(model)
    return model, check_site(model, sae.config.site)


def check_site(model: Model, site: ActivationSite | None) -> ActivationSite:
    """The site itself, if this model has it in the same coordinates.

    Raises ValueError, saying what differs and what to type, if not: the numbers would look right and be wrong.
    """
    if site is None:
        raise ValueError(
            "this SAE does not say where it reads: give its SAEConfig a site, such as "
            "SAEConfig(..., site=sw.site(model, 'blocks.2.hook_resid_post'))"
        )
    found = differences(model, site)
    if found:
        raise ValueError(refusal(site, found))
    return site
