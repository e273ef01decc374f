"""Where an SAE reads, and in which coordinates."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from saewidgets.files import short


@dataclass(frozen=True)
class ActivationSite:
    """One hook point of one model, with everything that changes the numbers read there.

    An SAE carries the site that it was trained at. A model in other coordinates is refused (`mismatches`), because the
    result would look right and be wrong.

    Example:
        >>> a = ActivationSite("miniworld", "blocks.2.hook_resid_post", d_in=160)
        >>> b = ActivationSite("gpt2", "blocks.2.hook_resid_post", d_in=768)
        >>> a.mismatches(b)
        ['model_name: miniworld, not gpt2', 'd_in: 160, not 768']
    """

    model_name: str
    hook_name: str  # a TransformerLens hook point, e.g. "blocks.2.hook_resid_post"
    d_in: int  # width of one activation vector
    weight_processing: str = (
        "none"  # "none": weights as published; "folded": layer norm folded, writing weights centered
    )
    prepend_bos: bool = True  # whether every text begins with the beginning-of-text token
    scale: float = 1.0  # SAE units per model unit: the SAE sees scale * activation
    # A few values of the model's embedding, to tell another revision; (): not known. Two devices may differ in the last digit.
    fingerprint: tuple[float, ...] = field(default=(), compare=False)

    def mismatches(self, other: ActivationSite) -> list[str]:
        """What differs between two sites, one phrase a field; `scale` belongs to the SAE and is not compared."""
        fields = ("model_name", "hook_name", "d_in", "weight_processing", "prepend_bos")
        return [
            f"{name}: {getattr(self, name)}, not {getattr(other, name)}"
            for name in fields
            if getattr(self, name) != getattr(other, name)
        ]

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types, without a fingerprint that is not known."""
        data = asdict(self)
        if self.fingerprint:
            data["fingerprint"] = list(self.fingerprint)
        else:
            del data["fingerprint"]
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ActivationSite:
        """The inverse of `to_dict`. Raises TypeError on a missing or unknown field."""
        return cls(**{**data, "fingerprint": tuple(data.get("fingerprint", ()))})


def site_from(data: Any) -> ActivationSite:
    """`ActivationSite.from_dict` for JSON that nobody vouches for. Raises TypeError or ValueError on what is not a site.

    Example:
        >>> site_from({"model_name": "m", "hook_name": "blocks.0.hook_resid_post", "d_in": 8, "scale": -1.0})
        Traceback (most recent call last):
        ValueError: site.scale must be a positive finite number, not -1.0
    """
    if not isinstance(data, dict):
        raise TypeError("site is not an object")
    site = ActivationSite.from_dict(data)
    kinds = {"model_name": str, "hook_name": str, "d_in": int, "weight_processing": str, "prepend_bos": bool}
    for name, kind in kinds.items():
        if type(getattr(site, name)) is not kind:
            raise ValueError(f"site.{name} must be {kind.__name__}, not {short(getattr(site, name))}")
    if site.d_in < 1:
        raise ValueError(f"site.d_in must be 1 or more, not {short(site.d_in)}")
    if not all(_is_finite(v) for v in site.fingerprint):
        raise ValueError(f"site.fingerprint must be finite numbers, not {short(site.fingerprint)}")
    if not (_is_finite(site.scale) and site.scale > 0):
        raise ValueError(f"site.scale must be a positive finite number, not {short(site.scale)}")
    return site


def _is_finite(value: Any) -> bool:
    # An integer of 400 digits is no float, and `isfinite` raises on it.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
