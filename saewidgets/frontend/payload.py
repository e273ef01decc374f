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
    Neighbor,
    NeuronLink,
    Passport,
    Steer,
    Token,
    TokenEffect,
    TrainStep,
    clamp_code,
    firing_histogram,
)
from saewidgets.records.tables import sayable

__all__ = [
    "Pool",
    "about",
    "curve",
    "density",
    "dose_key",
    "dose_points",
    "dose_texts",
    "examples_between",
    "feature",
    "index",
    "measured",
    "number",
    "passport",
    "recorded",
    "recording",
    "short",
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
    return sayable(data)


def passport(data: DashboardData) -> str:
    """Where the figures come from, in one line."""
    return data.passport.sentence()


def index(data: DashboardData) -> list[dict[str, Any]]:
    """One row a feature, in ascending order: what a search looks through."""
    return [
        {"feature": f.feature, "label": f.label, "density": number(f.density), "promoted": list(f.promoted[:PROMOTED])}
        for f in data.summaries
    ]


def about(data: DashboardData) -> dict[str, Any]:
    """What a dashboard says of all features together, and whether the bytes of its tokens are known."""
    density = data.log_density
    return {
        "bytes": bool(data.token_bytes),
        "density": None if density is None else _histogram(density),
        "dead": data.n_dead,
    }


class Pool:
    """Tokens that examples name by their place here: `rows` holds [id, text], and a third, the bytes, where the text hides them."""

    def __init__(self, token_bytes: Mapping[int, str] | None = None) -> None:
        self._bytes = token_bytes or {}
        self._places: dict[tuple[int, str], int] = {}

    def place(self, token_id: int, text: str) -> int:
        """Where a token stands, from now on."""
        return self._places.setdefault((token_id, text), len(self._places))

    @property
    def rows(self) -> list[list[Any]]:
        """The tokens, in the order of their places."""
        return [[i, text, self._bytes[i]] if i in self._bytes else [i, text] for i, text in self._places]


def feature(f: FeatureData, token_bytes: Mapping[int, str] | None = None, pool: Pool | None = None) -> dict[str, Any]:
    """Everything that a dashboard draws of one feature. With a pool of the caller's own, the feature carries none itself."""
    own = Pool(token_bytes) if pool is None else pool
    drawn = {
        "feature": f.feature,
        "label": f.label,
        "maximum": number(f.maximum),
        "density": number(f.density),
        "top": [_example(e, own) for e in f.top],
        "intervals": [_example(e, own) for e in f.intervals],
        "histogram": _histogram(f.histogram),
        "promoted": [_effect(e) for e in f.promoted],
        "suppressed": [_effect(e) for e in f.suppressed],
        "neighbors": [_neighbor(n) for n in f.neighbors],
        "encoder": [_neighbor(n) for n in f.encoder_neighbors],
        "correlated": [[c.feature, short(c.pearson), short(c.cosine), short(c.decoder_cosine)] for c in f.correlated],
        "aligned": [_neuron(n) for n in f.aligned_neurons],
        "neurons": [_neuron(n) for n in f.correlated_neurons],
        "sample": f.neuron_tokens,
        "logits": None if f.logit_histogram is None else _histogram(f.logit_histogram),
        "measured": f.measured,
    }
    return {**drawn, "pool": own.rows} if pool is None else drawn


def examples_between(data: DashboardData, feature: int, low: float, high: float) -> dict[str, Any]:
    """Examples of one bin of a feature's histogram. Where a record without its corpus has none, those of the level around it."""
    f = data[feature]
    low, high = (_snapped(x, f.histogram.edges) for x in (low, high))
    found, around = data.between(feature, low, high), None
    if not found and f.intervals:
        levels = 1 + max(e.interval for e in f.intervals)
        level = min(int(((low + high) / 2) * levels / (f.maximum or 1.0)), levels - 1)
        found = tuple(e for e in f.intervals if e.interval == level)
        around = [number(f.maximum * level / levels), number(f.maximum * (level + 1) / levels)]
    pool = Pool(data.token_bytes)
    items = [_example(e, pool) for e in found]
    return {"interval": [feature, number(low), number(high)], "around": around, "items": items, "pool": pool.rows}


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


def short(x: float | None) -> float | int | None:
    """As many digits as a tooltip shows: there are thousands of these in a page."""
    return None if x is None else number(float(f"{x:.3g}"))


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


def _snapped(x: float, edges: Sequence[float]) -> float:
    """The edge that a page shows as x, in all its digits; x itself where there is none."""
    near = min(edges, key=lambda edge: abs(edge - x))
    return near if abs(near - x) <= 1e-5 * abs(edges[-1]) else x


def _example(e: FeatureExample, pool: Pool) -> dict[str, Any]:
    """t: tokens by place, a: activations, l: loss effects in thousandths of a nat, m: [token, up, down], each [place, logit, ...]."""
    drawn = {
        "t": [pool.place(i, text) for i, text in zip(e.token_ids, e.tokens, strict=True)],
        "a": [number(float(f"{a:.4g}")) for a in e.activations],
        "p": e.peak,
        "c": e.context,
        "s": e.position,
        "v": e.interval,
    }
    if e.loss_effects:
        drawn["l"] = [None if v is None else round(1000 * v) for v in e.loss_effects]
    if e.moved:
        drawn["m"] = [[m.at, _moved(m.promoted, pool), _moved(m.suppressed, pool)] for m in e.moved]
    return drawn


def _moved(effects: Iterable[TokenEffect], pool: Pool) -> list[Any]:
    flat: list[Any] = []
    for effect in effects:
        flat += [pool.place(effect.token_id, effect.token), number(round(effect.logit, 2))]
    return flat


def _neighbor(n: Neighbor) -> dict[str, Any]:
    return {"feature": n.feature, "cosine": short(n.cosine), "encoder": short(n.encoder_cosine)}


def _neuron(n: NeuronLink) -> list[Any]:
    return [n.layer, n.neuron, short(n.decoder_cosine), short(n.encoder_cosine), short(n.pearson)]


def _histogram(histogram: Histogram) -> dict[str, Any]:
    """Edges as the two ends, where the bins are of equal width; all of them otherwise."""
    edges = histogram.edges
    n = len(histogram.counts)
    width = (edges[-1] - edges[0]) / n if n else 0.0
    equal = n > 1 and all(abs(e - edges[0] - i * width) <= 1e-6 * abs(width) for i, e in enumerate(edges))
    return {"edges": [number(x) for x in ((edges[0], edges[-1]) if equal else edges)], "counts": list(histogram.counts)}


def _effect(effect: TokenEffect) -> dict[str, Any]:
    return {"token": effect.token, "id": effect.token_id, "logit": number(effect.logit)}
