"""Traits that refuse, as traits do, what no array and no browser can hold."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import traitlets

from saewidgets.frontend import payloads
from saewidgets.records import Dialogue
from saewidgets.records.dialogues import prompt_of
from saewidgets.records.readers import said

SEEDS = 2**63 - 1  # the largest that a random generator takes


def _prompt_to_page(value: Any, widget: Any) -> Any:
    return payloads.spoken(value)


PROMPT_JSON: dict[str, Any] = {"to_json": _prompt_to_page, "from_json": lambda value, widget: prompt_of(value)}


class PromptTrait(traitlets.TraitType[Any, Any]):
    """A text, or a dialogue: a `Dialogue` or a list of its turns. Tag it with `PROMPT_JSON`."""

    default_value = ""
    typescript = "string | { role: string; content: string }[]"  # what the page has of it

    def validate(self, obj: Any, value: Any) -> str | Dialogue:
        """The text, or the `Dialogue`; TraitError for anything else."""
        try:
            found = prompt_of(value)
        except (TypeError, ValueError) as error:
            raise traitlets.TraitError(str(error)) from None
        if not isinstance(found, str | Dialogue):
            raise traitlets.TraitError(f"{self.name} must be a text or a dialogue, not {said(value)}")
        return found


if TYPE_CHECKING:
    Whole = traitlets.Int
    Real = traitlets.Float
else:

    class Whole(traitlets.Int):
        """A whole number of 32 bits unless `min` and `max` say otherwise; a bool is none."""

        def validate(self, obj: Any, value: Any) -> Any:
            low, high = (-(2**31) if self.min is None else self.min), (2**31 - 1 if self.max is None else self.max)
            whole = value
            if isinstance(value, numbers.Real) and not isinstance(value, (bool, int)) and value == value // 1:
                whole = int(value)  # 3.0 and NumPy's numbers
            if type(whole) is not int or not low <= whole <= high:
                raise traitlets.TraitError(
                    f"{self.name or 'each'} must be a whole number from {low} to {high}, not {said(value)}"
                )
            return whole

    class Real(traitlets.Float):
        """A number, from `min` to `max` where both are given; one too large for a float is refused like any other."""

        def validate(self, obj: Any, value: Any) -> Any:
            low, high = self.min, self.max
            if low is not None and isinstance(value, numbers.Real) and not low <= value <= high:  # NaN fails too
                raise traitlets.TraitError(f"{self.name} must be a number from {low:g} to {high:g}, not {said(value)}")
            try:
                return super().validate(obj, value)
            except OverflowError:
                raise traitlets.TraitError(f"{self.name or 'each'} must be a number, not {said(value)}") from None
