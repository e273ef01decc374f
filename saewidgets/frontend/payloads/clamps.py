"""What a clamp panel draws of generated texts, recorded ones and measurements, as JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from saewidgets.frontend.payloads.numbers import number, sendable, short
from saewidgets.records import Clamp, ClampRecording, Generation, Intervention, Passport, Steer, Token, clamp_code
from saewidgets.records.steering import span_of

__all__ = ["answer", "measured", "recorded", "recording", "stream"]


def stream(tokens: Iterable[Token]) -> list[list[Any]]:
    """Generated tokens as [id, text, logprob, kl]."""
    return [[t.id, t.text, number(t.logprob), number(t.kl)] for t in tokens]


def answer(text: Generation, wanted: re.Pattern[str] | None, perplexity: float | None) -> dict[str, Any]:
    """One of several answers: its text in parts, each [text, whether `wanted` found it]; whether it found any, None where
    nothing is looked for; and its perplexity, None where that is not known.

    Example:
        >>> answer(Generation("Hi", (Token(7, " Fog is fog", -0.5, 0.0),), (), 0, 0.5), re.compile("(?i)fog"), 2.5)["parts"]
        [['Fog', True], [' is ', False], ['fog', True]]
    """
    said, parts, at = text.text.strip(), [], 0
    for match in wanted.finditer(said) if wanted is not None else ():
        parts += [[said[at : match.start()], False], [match[0], True]]
        at = match.end()
    parts.append([said[at:], False])
    return {
        "parts": [part for part in parts if part[0]],
        "holds": None if wanted is None else len(parts) > 1,
        "perplexity": number(perplexity) if perplexity is not None and math.isfinite(perplexity) else None,
        "stopped": text.stopped,
    }


def measured(
    frame: pd.DataFrame, clamps: Iterable[Intervention], multiples: Mapping[int, float], *, n_written: int = 0
) -> list[dict[str, Any]]:
    """What `Steerer.measure` found, per feature: what it was set to, then one row per site.

    The figures of a site are means over the tokens that the feature's clamp covers, without the first of the text where
    there are others: the beginning-of-text token is large at every later site. `kept` is, of what was set, how much the
    encoder reads back; at later sites, of the change at the clamp, how much is left; in the row of what was set, its
    multiple of the maximum.

    Args:
        frame: of the prompt's tokens and of the last `n_written`, which came after it.
        clamps: what was done; the last of a feature counts.
        multiples: {feature: multiple of its maximum} of what was set.
    """
    if frame.empty:
        return []
    n_prompt = int(frame["position"].max()) + 1 - n_written
    set_to = {clamp.feature: clamp for clamp in clamps if isinstance(clamp, Clamp)}
    rows = []
    for feature, own in frame.groupby("feature", sort=False):
        clamp = set_to[int(feature)]
        rows.append(_row(int(feature), "", "set", None, clamp.value, multiples.get(int(feature))))
        first, stop = span_of(clamp.scope, n_prompt)
        covered = own[(own["position"] >= first) & (own["position"] < stop)]
        inner = covered[covered["position"] > 0]
        sites = (covered if inner.empty else inner).groupby(["hook_name", "measure"], sort=False)
        means = sites[["default", "clamped"]].mean().reset_index()
        change = means["clamped"] - means["default"]
        at_clamp = float(change.where(means["measure"] == "activation").max())
        for hook_name, measure, default, clamped in means.itertuples(index=False):
            here = measure == "activation"
            part, whole = (clamped, clamp.value) if here else (clamped - default, at_clamp)
            rows.append(
                _row(int(feature), hook_name, measure, default, clamped, float(part) / whole if whole else None)
            )
    return rows


def _row(
    feature: int, site: str, measure: str, default: float | None, clamped: float, kept: float | None
) -> dict[str, Any]:
    return {
        "feature": feature,
        "site": site,
        "measure": measure,
        "default": None if default is None else number(default),
        "clamped": number(clamped),
        "kept": None if kept is None else number(kept),
    }


def recording(source: ClampRecording, maxima: Mapping[int, float], passport: Passport) -> dict[str, Any]:
    """A recorded grid as a page plays it back. Tokens that look alike are named once, in `pool`; `t` holds, for each
    token, its place there, its log-probability and its KL. Texts under added vectors stay behind: a panel has no slider
    for them.

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
