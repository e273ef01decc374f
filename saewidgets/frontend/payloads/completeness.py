"""What a completeness lab draws, as JSON."""

from __future__ import annotations

import math
from typing import Any

from saewidgets.frontend.payloads.numbers import number, short
from saewidgets.languages import said
from saewidgets.records import Completeness, Sigmoid

__all__ = ["completeness"]


def completeness(data: Completeness) -> dict[str, Any]:
    """All SAEs and concepts of a record; x is the log10 of a concept's share of the tokens."""
    summary = data.summary()
    n = len(set(data.concept))
    return {
        "title": said("Has every concept a feature?"),
        "note": said(
            "{n:,} concepts, each with a feature where the best one's F1 is {bound:g} or more on documents that did not "
            "choose it; {tokens:,} tokens of {corpus}, read by {model}",
            n=n,
            bound=data.bound,
            tokens=data.n_tokens,
            corpus=data.corpus or said("a corpus"),
            model=data.model_name or said("a model"),
        ),
        "bound": data.bound,
        "plain": _curve(data.plain),
        "rescaled": _curve(data.rescaled),
        "saes": [
            {
                "name": name,
                "alive": int(data.alive[i]),
                "n": int(summary.loc[name, "n_concepts"]),
                "share": number(summary.loc[name, "share"]),
                "half": number(summary.loc[name, "half_at"]),
                "curve": _curve(data.curves[i]),
                "groups": [
                    [*map(number, (r.x, r.share, r.low, r.high)), int(r.n)] for r in data.groups(name).itertuples()
                ],
                "concepts": [_concept(data, row) for row, own in enumerate(data.sae) if own == name],
            }
            for i, name in enumerate(data.saes)
        ],
    }


def _curve(curve: Sigmoid) -> list[Any]:
    """[slope, middle, loss]; no middle where all concepts have a feature, or none."""
    return [number(curve.slope), number(curve.middle), number(curve.loss)]


def _concept(data: Completeness, row: int) -> dict[str, Any]:
    """parts: [feature, recall, precision, mean]; steps: [feature, F1 with those before]."""
    parts, steps = data.part_row == row, data.step_row == row
    columns = (data.part_feature, data.part_recall, data.part_precision, data.part_mean)
    shown = [[int(f), *map(short, numbers)] for f, *numbers in zip(*(c[parts].tolist() for c in columns), strict=True)]
    frequency = float(data.frequency[row])
    return {
        "name": data.concept[row],
        "x": number(math.log10(frequency)) if frequency > 0 else None,
        "has": bool(data.has[row]),
        "feature": int(data.feature[row]),
        "f1": short(float(data.f1[row])),
        "parts": shown,
        "steps": [
            [f, short(v)] for f, v in zip(data.step_feature[steps].tolist(), data.step_f1[steps].tolist(), strict=True)
        ],
    }
