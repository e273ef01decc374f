"""What a feature probe draws of one text, as JSON; see `numbers` for the rounding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from saewidgets.frontend.payloads.features import PROMOTED
from saewidgets.frontend.payloads.numbers import number, sendable
from saewidgets.records import DashboardData, PromptActivations

__all__ = ["prompt"]


def prompt(
    data: PromptActivations, *, labels: Mapping[int, str] | None = None, dashboard: DashboardData | None = None
) -> dict[str, Any]:
    """A text with its features: `tokens` as [id, display text], `features` with p, the positions, and beside it a, the
    activations.

    Args:
        data: the record.
        labels: what features stand for; the record's own labels come second, the dashboard's third.
        dashboard: names features without a label by the tokens that they promote.
    """
    features = []
    for row, feature in enumerate(data.listed.tolist()):
        own = data.feature == feature
        known = dashboard.features.get(feature) if dashboard is not None else None
        label = (labels or {}).get(feature) or data.labels.get(feature) or (known.label if known is not None else "")
        features.append(
            {
                "feature": feature,
                "label": sendable(label),
                "promoted": [sendable(e.token) for e in known.promoted[:PROMOTED]] if known is not None else [],
                "maximum": number(data.maximum[row]),
                "density": number(data.density[row]),
                "p": data.position[own].tolist(),
                "a": _numbers(data.value[own]),
                "quantile": _measured(data.quantile, own),
                "attribution": _measured(data.attribution, own),
                "ablation": _measured(data.ablation, own),
            }
        )
    return {
        "text": sendable(data.text),
        "tokens": [[i, sendable(text)] for i, text in zip(data.token_ids, data.tokens, strict=True)],
        "counted": list(data.counted),
        "turn": None if data.turn is None else list(data.turn),
        "roles": [] if data.dialogue is None else [turn.role for turn in data.dialogue.turns],
        "features": features,
        "losses": _losses(data),
        "measured": _target(data),
    }


def _target(data: PromptActivations) -> dict[str, Any] | None:
    """The logit difference that was asked for, and how well attribution and activation foretell an ablation."""
    if data.attribution is None or data.ablation is None:
        return None
    attribution, activation = data.correlations()
    return {
        "target": sendable(data.target),
        "baseline": sendable(data.baseline),
        "difference": number(data.logit_difference),
        "attribution": number(attribution),
        "activation": number(activation),
        "n": data.n_ablated,
    }


def _losses(data: PromptActivations) -> dict[str, list[Any]]:
    """{feature: what leaving it out adds to the loss of each token} of the features for which it was measured."""
    if data.loss_effect is None:
        return {}
    rows = {str(f): data.loss_effect[row] for row, f in enumerate(data.listed.tolist())}
    return {f: _numbers(effect) for f, effect in rows.items() if not np.isnan(effect).all()}


def _numbers(values: np.ndarray) -> list[Any]:
    return [number(v) for v in values]


def _measured(values: np.ndarray | None, own: np.ndarray) -> list[Any] | None:
    """The entries of one feature; None where nothing was measured."""
    if values is None or np.isnan(values[own]).all():
        return None
    return _numbers(values[own])
