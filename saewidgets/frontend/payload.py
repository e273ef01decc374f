"""Records as the JSON that the instruments draw. Short keys where there are thousands of them.

Every number is rounded to what can be read off a screen (`DIGITS` significant digits), so pages stay small and their bytes
do not depend on the last bit of a float. Non-finite numbers become null: they are not JSON.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from saewidgets.records import DashboardData, FeatureData, FeatureExample, Histogram, Token, TokenEffect, TrainStep

__all__ = ["curve", "feature", "index", "measured", "number", "passport", "stream", "wire"]

DIGITS = 6
PROMOTED = 5  # tokens a feature is found by


def number(x: float) -> float | int | None:
    """A float with `DIGITS` significant digits; whole numbers as int, NaN and infinity as None."""
    x = float(x)
    if not math.isfinite(x):
        return None
    rounded = float(f"{x:.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def wire(data: Any) -> Any:
    """JSON data, or a string, without lone surrogates, which no message to a browser can carry; each is named instead.

    Example:
        >>> wire(["a\\ud83db", 3])
        ['a⟨U+D83D⟩b', 3]
    """
    if isinstance(data, str):
        if data.isascii():
            return data
        return "".join(f"⟨U+{ord(c):04X}⟩" if 0xD800 <= ord(c) <= 0xDFFF else c for c in data)
    if isinstance(data, list):
        return [wire(item) for item in data]
    if isinstance(data, dict):
        return {key: wire(item) for key, item in data.items()}
    return data


def passport(data: DashboardData) -> str:
    """Where the figures come from, in one line."""
    return data.passport.sentence()


def index(data: DashboardData) -> list[dict[str, Any]]:
    """One row a feature, in ascending order: what a search looks through."""
    return [
        {
            "feature": f.feature,
            "label": f.label,
            "density": number(f.density),
            "promoted": [effect.token for effect in f.promoted[:PROMOTED]],
        }
        for _, f in sorted(data.features.items())
    ]


def feature(f: FeatureData) -> dict[str, Any]:
    """Everything that a dashboard draws of one feature."""
    return {
        "feature": f.feature,
        "label": f.label,
        "maximum": number(f.maximum),
        "density": number(f.density),
        "top": [_example(e) for e in f.top],
        "intervals": [_example(e) for e in f.intervals],
        "histogram": _histogram(f.histogram),
        "promoted": [_effect(e) for e in f.promoted],
        "suppressed": [_effect(e) for e in f.suppressed],
        "neighbors": [{"feature": n.feature, "cosine": number(n.cosine)} for n in f.neighbors],
    }


def stream(tokens: Iterable[Token]) -> list[list[Any]]:
    """Generated tokens as [id, text, logprob, kl]."""
    return [[t.id, t.text, number(t.logprob), number(t.kl)] for t in tokens]


def measured(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A table of measurements, one dictionary a row: numbers rounded, all else as text."""
    return [
        {
            str(name): number(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else str(value)
            for name, value in row.items()
        }
        for row in frame.to_dict("records")
    ]


def curve(steps: Sequence[TrainStep], most: int = 400) -> list[list[Any]]:
    """At most `most` + 1 steps, evenly spaced and always the last, as [step, tokens, loss, fvu, l0, dead, lr]."""
    stride = max(1, math.ceil(len(steps) / most))
    chosen = list(steps[::stride])
    if steps and chosen[-1] is not steps[-1]:
        chosen.append(steps[-1])
    return [
        [s.step, s.tokens, number(s.loss), number(s.fvu), number(s.l0), number(s.dead), number(s.lr)] for s in chosen
    ]


def _example(e: FeatureExample) -> dict[str, Any]:
    return {
        "t": list(e.tokens),
        "i": list(e.token_ids),
        "a": [number(a) for a in e.activations],
        "p": e.peak,
        "c": e.context,
        "s": e.position,
        "v": e.interval,
    }


def _histogram(histogram: Histogram) -> dict[str, Any]:
    return {"edges": [number(x) for x in histogram.edges], "counts": list(histogram.counts)}


def _effect(effect: TokenEffect) -> dict[str, Any]:
    return {"token": effect.token, "id": effect.token_id, "logit": number(effect.logit)}
