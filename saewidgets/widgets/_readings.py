"""Readings of a text beside one another: what was known before, and which feature stands out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from saewidgets.records import PromptActivations


def with_known(data: PromptActivations, before: PromptActivations) -> PromptActivations:
    """A reading with what was measured of the same text before, so that nothing is measured twice."""
    if (
        data.text != before.text
        or data.token_ids != before.token_ids
        or not np.array_equal(data.feature, before.feature)
    ):
        return data
    if data.attribution is None and before.attribution is not None:
        names = ("target", "baseline", "logit_difference", "attribution", "ablation")
        data = replace(data, **{name: getattr(before, name) for name in names})
    if before.loss_effect is not None:
        effect = before.loss_effect
        if data.loss_effect is not None:
            effect = np.where(np.isnan(data.loss_effect), effect, data.loss_effect)
        data = replace(data, loss_effect=effect)
    return data


def strongest(data: PromptActivations) -> int | None:
    """The feature that comes nearest to its corpus maximum, or the strongest where no corpus is known."""
    if not len(data.value):
        return None
    maximum = data.maximum[np.searchsorted(data.listed, data.feature)]
    known = maximum > 0  # nan is not
    share = np.where(known, data.value / np.where(known, maximum, 1.0), 0.0) if known.any() else data.value
    return int(data.feature[np.lexsort((data.feature, -share))[0]])
