"""What is refused where an SAE is asked for."""

from __future__ import annotations

from typing import Any

from saewidgets.sae.autoencoder import SAE
from saewidgets.sae.config import SAEConfig


def check_sae(given: Any, purpose: str) -> SAE:
    """What was given, if it is an SAE. Raises TypeError, in one sentence, on a model, a path or anything else.

    Example:
        >>> check_sae("miniworld-512", "a clamp")
        Traceback (most recent call last):
        ...
        TypeError: a clamp needs an SAE, and 'miniworld-512' was given, a str: open it with sw.load_sae('miniworld-512')
    """
    if isinstance(given, SAE):
        return given
    kind, shown = type(given).__name__, ""
    hint = "give an SAE, such as sw.load_sae()"
    if isinstance(given, str):
        shown, hint = f"{given!r:.80} was given, a str", f"open it with sw.load_sae({given!r:.80})"
    elif hasattr(given, "hook_dict") or hasattr(given, "hooked"):
        hint = "that is a model, and the SAE, such as sw.load_sae(), belongs there: models come first, SAEs second"
    article = "an" if kind[:1] in "AEIOUaeiou" else "a"
    raise TypeError(f"{purpose} needs an SAE, and {shown or f'{article} {kind} was given'}: {hint}")


def refuse_transcoder(config: SAEConfig, purpose: str) -> None:
    """ValueError for a transcoder, where `purpose` needs an SAE that reconstructs what it reads.

    Example:
        >>> refuse_transcoder(SAEConfig(d_in=4, d_sae=8), "a clamp")
    """
    if config.is_transcoder:
        there = config.out_site.hook_name if config.out_site is not None else f"another site, {config.d_out} wide"
        raise ValueError(f"{purpose} needs an SAE that reconstructs what it reads; this transcoder predicts {there}")
