"""One selection; whatever shares it follows."""

from __future__ import annotations

import traitlets

from saewidgets.records.labels import ReaderLabels
from saewidgets.widgets._traits import Real, Whole


class Selection(traitlets.HasTraits):
    """What several instruments look at together: a feature, a token of the corpus, a stretch of activations, and what
    the reader calls features. Not a widget itself.

    Example:
        >>> selection = Selection()
        >>> selection.observe(lambda change: print("feature", change["new"]), names=["feature"])
        >>> selection.feature = 31
        feature 31
        >>> selection.labels.save("my_labels.json")
    """

    feature = Whole(None, allow_none=True, help="The selected feature; None before the first choice.")
    token = traitlets.List(Whole(), None, allow_none=True, help="[context, position] in the corpus, or None.")
    interval = traitlets.List(
        Real(),
        None,
        allow_none=True,
        help="[feature, low, high]: activations of a feature from low to high, or None.",
    )

    labels = traitlets.Instance(
        ReaderLabels,
        (),
        help="What the reader calls features: a dashboard that shares the selection reads and writes it; panels, probes and maps show it.",
    )

    def __repr__(self) -> str:
        return f"Selection(feature={self.feature})"
