"""Where an SAE reads, and in which coordinates."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from saewidgets.records import typed
from saewidgets.records.arguments import real, whole


@dataclass(frozen=True)
class ActivationSite:
    """One hook point of one model, with everything that changes the numbers read there.

    An SAE carries the site that it was trained at. A model in other coordinates is refused (`mismatches`), because the
    result would look right and be wrong. Raises TypeError or ValueError on a `d_in` or a `scale` that cannot be.

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "d_in", whole(self.d_in, "d_in", minimum=1))
        object.__setattr__(self, "scale", real(self.scale, "scale"))
        if self.scale <= 0:
            raise ValueError(f"scale must be a positive finite number, not {self.scale}")

    def mismatches(self, other: ActivationSite) -> list[str]:
        """What differs between two sites, one phrase a field; `scale` belongs to the SAE and is not compared."""
        return [f"{name}: {getattr(self, name)}, not {getattr(other, name)}" for name in self._differing(other)]

    def remedies(self, other: ActivationSite) -> dict[str, str]:
        """{field: what to type} for each field of `mismatches` that another model, or a setting of it, cures.

        Example:
            >>> a = ActivationSite("gpt2", "blocks.2.hook_resid_post", 768, prepend_bos=True)
            >>> a.remedies(ActivationSite("gpt2", "blocks.2.hook_resid_post", 768, prepend_bos=False))
            {'prepend_bos': 'model.prepend_bos = True'}
        """
        known = {
            "model_name": f"sw.load_model({self.model_name!r})",
            "weight_processing": _PROCESSING.get(self.weight_processing, ""),
            "prepend_bos": f"model.prepend_bos = {self.prepend_bos}",
        }
        return {name: known[name] for name in self._differing(other) if name in known}

    def _differing(self, other: ActivationSite) -> list[str]:
        fields = ("model_name", "hook_name", "d_in", "weight_processing", "prepend_bos")
        return [name for name in fields if getattr(self, name) != getattr(other, name)]

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types, without a fingerprint that is not known."""
        data = asdict(self)
        if self.fingerprint:
            data["fingerprint"] = list(self.fingerprint)
        else:
            del data["fingerprint"]
        return data

    @classmethod
    def from_dict(cls, data: Any) -> ActivationSite:
        """The inverse of `to_dict`. Raises ValueError on a missing, unknown or wrong field."""
        return typed.record(cls, data, "site")


_PROCESSING = {
    "folded": "HookedTransformer.from_pretrained(name), which folds layer norms and centers writing weights",
    "none": "HookedTransformer.from_pretrained_no_processing(name), which leaves weights as published",
}
