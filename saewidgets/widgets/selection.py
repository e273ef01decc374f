"""One selection; whatever shares it follows."""

from __future__ import annotations

import traitlets


class Selection(traitlets.HasTraits):
    """The feature that several instruments look at together. Not a widget itself: it has no picture.

    Example:
        >>> selection = Selection()
        >>> selection.observe(lambda change: print("feature", change["new"]), names=["feature"])
        >>> selection.feature = 31
        feature 31
    """

    feature = traitlets.Int(None, allow_none=True, help="The selected feature; None before the first choice.")

    def __repr__(self) -> str:
        return f"Selection(feature={self.feature})"
