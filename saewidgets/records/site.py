"""Where an SAE reads, and in which coordinates."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from saewidgets.records import typed
from saewidgets.records.arguments import real, whole


@dataclass(frozen=True)
class ActivationSite:
    """One hook point of one model, with everything that changes the numbers read there.

    An SAE carries the site that it was trained at. A model in other coordinates is refused (`models.belonging`),
    because the result would look right and be wrong. Raises TypeError or ValueError on a `d_in`, `scale` or `max_norm`
    that cannot be.

    Example:
        >>> ActivationSite("miniworld", "blocks.2.hook_resid_post", d_in=160).weight_processing
        'none'
    """

    model_name: str
    hook_name: str  # a TransformerLens hook point, e.g. "blocks.2.hook_resid_post"
    d_in: int  # width of one activation vector
    # "none": weights as published; "folded": layer norm folded, writing weights centered.
    weight_processing: str = "none"
    prepend_bos: bool = True  # whether every text begins with the beginning-of-text token
    scale: float = 1.0  # SAE units per model unit: the SAE sees scale * activation
    # A few values of the model's embedding, to tell another revision; (): not known. Two devices may differ in the last
    # digit.
    fingerprint: tuple[float, ...] = field(default=(), compare=False)
    # |x| in model units above which a token does not count, since what stands there is no activation like the others
    # but an attention sink; None: all count.
    max_norm: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "d_in", whole(self.d_in, "d_in", minimum=1))
        object.__setattr__(self, "scale", real(self.scale, "scale"))
        if self.scale <= 0:
            raise ValueError(f"scale must be a positive finite number, not {self.scale}")
        if self.max_norm is not None:
            object.__setattr__(self, "max_norm", real(self.max_norm, "max_norm"))
            if self.max_norm <= 0:
                raise ValueError(f"max_norm must be a positive finite number or None, not {self.max_norm}")

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types, without a fingerprint that is not known and a bound that is not there."""
        data = asdict(self)
        if self.max_norm is None:
            del data["max_norm"]
        if self.fingerprint:
            data["fingerprint"] = list(self.fingerprint)
        else:
            del data["fingerprint"]
        return data

    @classmethod
    def from_dict(cls, data: Any) -> ActivationSite:
        """The inverse of `to_dict`. Raises ValueError on a missing, unknown or wrong field."""
        return typed.record(cls, data, "site")
