"""What a clamp panel draws of generated texts, recorded ones and measurements, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from saewidgets.frontend.payloads.numbers import number, sendable, short
from saewidgets.records import Clamp, ClampRecording, Passport, Steer, Token, clamp_code

__all__ = ["measured", "recorded", "recording", "stream"]


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
        at_clamp = float(change.where(sites["measure"] == "activation").max())
        rows += [
            {
                "feature": int(feature),
                "site": str(hook_name),
                "measure": str(measure),
                "default": number(default),
                "clamped": number(clamped),
                "kept": number(float(clamped - default) / at_clamp) if at_clamp else None,
            }
            for hook_name, measure, default, clamped in zip(
                sites["hook_name"], sites["measure"], sites["default"], sites["clamped"], strict=True
            )
        ]
    return rows


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
            flat += [pool.setdefault((token.id, token.text), len(pool)), short(token.logprob), short(token.kl)]
        code = clamp_code(
            g.prompt,
            g.clamps,
            n_tokens=source.n_tokens,
            seed=g.seed,
            temperature=g.temperature,
            model_name=passport.model_name,
            sae_name=passport.sae_name,
            weights=passport.weights,
        )
        clamps = [[c.feature, c.value, str(c.scope)] for c in g.clamps if isinstance(c, Clamp)]
        texts.append({"seed": g.seed, "clamps": clamps, "t": flat, "code": sendable(code)})
    return {
        "pool": [[i, sendable(text)] for i, text in pool],
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
