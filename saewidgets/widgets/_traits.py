"""Traits that refuse, as traits do, what no array and no browser can hold."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import traitlets

from saewidgets.records.readers import said

SEEDS = 2**63 - 1  # the largest that a random generator takes

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
