"""Records as the JSON that the instruments draw. Short keys where there are thousands of them.

Every number is rounded to what can be read off a screen (`DIGITS` significant digits), so pages stay small and their bytes
do not depend on the last bit of a float. Non-finite numbers become null: they are not JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from saewidgets.records import (
    Clamp,
    ClampRecording,
    DashboardData,
    DoseText,
    FeatureData,
    FeatureExample,
    Histogram,
    Passport,
    Steer,
    Token,
    TokenEffect,
    TrainStep,
    clamp_code,
    firing_histogram,
)

__all__ = [
    "curve",
    "density",
    "dose_key",
    "dose_points",
    "dose_texts",
    "feature",
    "index",
    "measured",
    "number",
    "passport",
    "recorded",
    "recording",
    "stream",
    "wire",
]

DIGITS = 6
_CURVES = ("loss", "fvu", "l0", "dead", "lr", "sparsity")
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
    """What `Steerer.measure` found, one row a feature and site: means over the tokens, without the first, and how much of
    the change at the clamp itself is left there (`kept`). The beginning-of-text token is large at every later site.
    """
    if frame.empty:
        return []
    inner = frame[frame["position"] > 0] if (frame["position"] > 0).any() else frame
    means = inner.groupby(["feature", "hook_name", "measure"], sort=False)[["default", "clamped"]].mean().reset_index()
    rows = []
    for feature, sites in means.groupby("feature", sort=False):
        change = sites["clamped"] - sites["default"]
        at_clamp = change.where(sites["measure"] == "activation").max()
        rows += [
            {
                "feature": int(feature),
                "site": str(hook_name),
                "measure": str(measure),
                "default": number(default),
                "clamped": number(clamped),
                "kept": number((clamped - default) / at_clamp) if at_clamp else None,
            }
            for hook_name, measure, default, clamped in zip(
                sites["hook_name"], sites["measure"], sites["default"], sites["clamped"], strict=True
            )
        ]
    return rows


def dose_points(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of `DoseResponseData.summary` as a page draws them: each measure as [mean, low, high]."""
    return [
        {
            "key": dose_key(str(row["kind"]), float(row["multiple"])),
            "kind": str(row["kind"]),
            "multiple": number(row["multiple"]),
            "n": int(row["n"]),
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
    """The texts of one point as [seed, text, concept], under its key."""
    return {"key": key, "texts": [[t.seed, wire(t.text), t.concept] for t in texts]}


def dose_key(kind: str, multiple: float) -> str:
    """What a page calls one point of a sweep.

    Example:
        >>> dose_key("clamp", 1.4)
        'clamp 1.4'
    """
    return f"{kind} {number(multiple)}"


def recording(source: ClampRecording, maxima: Mapping[int, float], passport: Passport) -> dict[str, Any]:
    """A recorded grid as a page plays it back. Tokens that look alike are named once, in `pool`; `t` holds, for each token,
    its place there, its log-probability and its KL. Texts under added vectors stay behind: a panel has no slider for them.

    Args:
        maxima: of the features of the panel, exact, so that the page finds the same nearest text as `source.nearest`.
        passport: names the model and the SAE in the code that repeats a text.
    """
    pool: dict[tuple[int, str], int] = {}
    texts = []
    for g in source.generations:
        if any(isinstance(c, Steer) for c in g.clamps):
            continue
        flat: list[float | int | None] = []
        for token in g.tokens:
            flat += [pool.setdefault((token.id, token.text), len(pool)), _short(token.logprob), _short(token.kl)]
        code = clamp_code(
            g.prompt,
            g.clamps,
            n_tokens=source.n_tokens,
            seed=g.seed,
            temperature=g.temperature,
            model_name=passport.site.model_name,
            sae_name=passport.sae_name,
        )
        clamps = [[c.feature, c.value, str(c.scope)] for c in g.clamps if isinstance(c, Clamp)]
        texts.append({"seed": g.seed, "clamps": clamps, "t": flat, "code": wire(code)})
    return {
        "pool": [[i, wire(text)] for i, text in pool],
        "units": {str(f): source.maxima.get(f, 1.0) for f in source.features},
        "maxima": {str(f): m for f, m in maxima.items()},
        "texts": texts,
    }


def recorded(source: ClampRecording, maxima: Mapping[int, float]) -> dict[str, Any]:
    """What a recording holds, for the controls: its seeds, its scopes, and for each feature the multiples of `maxima`."""
    return {
        "seeds": list(source.seeds),
        "scopes": list(source.scopes) or ["all"],
        "multiples": {str(f): [number(v / m) for v in source.values(f)] for f, m in maxima.items() if m},
    }


def _short(x: float) -> float | int | None:
    """As many digits as a tooltip shows: there are thousands of these in a page."""
    return number(float(f"{x:.3g}"))


def curve(steps: Sequence[TrainStep], most: int = 400) -> list[list[Any]]:
    """At most `most` + 1 steps, evenly spaced and always the last, as [step, tokens, loss, fvu, l0, dead, lr, sparsity]."""
    stride = max(1, math.ceil(len(steps) / most))
    chosen = list(steps[::stride])
    if steps and chosen[-1] is not steps[-1]:
        chosen.append(steps[-1])
    return [[s.step, s.tokens, *(number(getattr(s, name)) for name in _CURVES)] for s in chosen]


def density(rates: Any) -> dict[str, Any] | None:
    """How many features fire how often: counts in bins of log10 of their rates, and how many are silent."""
    if rates is None:
        return None
    histogram, silent = firing_histogram(rates)
    return {**_histogram(histogram), "silent": silent}


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
