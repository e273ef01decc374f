"""What a dose-response draws, as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from saewidgets.frontend.payloads.numbers import number, sendable
from saewidgets.records import DoseText

__all__ = ["dose_key", "dose_points", "dose_texts"]


def dose_points(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of `DoseResponseData.summary` as a page draws them: each measure as [mean, low, high]."""
    return [
        {
            "key": dose_key(str(row["kind"]), float(row["multiple"])),
            "kind": str(row["kind"]),
            "multiple": number(row["multiple"]),
            "n": int(row["n"]),
            "stopped": int(row["stopped"]),
            "passes": bool(row["passes"]),
            "repeats": [number(row["repeats"]), None, None],
            **{
                name: [number(row[name]), number(row[f"{name}_low"]), number(row[f"{name}_high"])]
                for name in ("concept_rate", "perplexity_ratio", "kl", "distinct_2")
            },
        }
        for row in table.to_dict("records")
    ]


def dose_texts(key: str, texts: Iterable[DoseText]) -> dict[str, Any]:
    """The texts of one point as [seed, text, concept, why it broke off or ""], under its key."""
    return {"key": key, "texts": [[t.seed, sendable(t.text), t.concept, sendable(t.stopped)] for t in texts]}


def dose_key(kind: str, multiple: float) -> str:
    """What a page calls one point of a sweep.

    Example:
        >>> dose_key("clamp", 1.4)
        'clamp 1.4'
    """
    return f"{kind} {number(multiple)}"
