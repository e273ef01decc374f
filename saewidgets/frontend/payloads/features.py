"""What a dashboard draws of features, as JSON. Short keys where there are thousands of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from saewidgets.frontend.payloads.numbers import Pool, histogram, number, short
from saewidgets.records import (
    DashboardData,
    FeatureData,
    FeatureExample,
    Neighbor,
    NeuronLink,
    SteeringScores,
    TokenEffect,
)

__all__ = ["about", "example", "examples_between", "feature", "index", "passport"]

PROMOTED = 5  # tokens a feature is found by


def passport(data: DashboardData) -> str:
    """Where the figures come from, in one line."""
    return data.passport.sentence()


def index(
    data: DashboardData, names: Mapping[int, str] | None = None, scores: SteeringScores | None = None
) -> list[dict[str, Any]]:
    """One row per feature, in ascending order: what a search looks through. `names` are the reader's labels, which come
    first; `given` is then the label that the feature came with. With `scores`, input and output, null where unknown.
    """
    own = names or {}
    rows = []
    told = {}
    if scores is not None:
        columns = (scores.feature, scores.input, scores.output)
        told = {f: {"input": short(i), "output": short(o)} for f, i, o in zip(*columns, strict=True)}
    for f in data.summaries:
        row = {"feature": f.feature, "label": own.get(f.feature, f.label), "density": number(f.density)}
        row["promoted"] = list(f.promoted[:PROMOTED])
        row |= told.get(f.feature, {})
        rows.append(row | ({"given": f.label} if f.feature in own else {}))
    return rows


def about(data: DashboardData) -> dict[str, Any]:
    """What a dashboard says of all features together, whether the bytes of its tokens are known, and whether it can be
    told which SAE a reader's labels would be of.
    """
    density = data.log_density
    return {
        "bytes": bool(data.token_bytes),
        "density": None if density is None else histogram(density),
        "dead": data.n_dead,
        "named": bool(data.passport.sae),
        "perContext": data.per_context,
    }


def feature(f: FeatureData, token_bytes: Mapping[int, str] | None = None, pool: Pool | None = None) -> dict[str, Any]:
    """Everything that a dashboard draws of one feature. With a pool of the caller's own, the feature carries none
    itself.
    """
    own = Pool(token_bytes) if pool is None else pool
    drawn = {
        "feature": f.feature,
        "label": f.label,
        "maximum": number(f.maximum),
        "density": number(f.density),
        "top": [example(e, own) for e in f.top],
        "intervals": [example(e, own) for e in f.intervals],
        "histogram": histogram(f.histogram),
        "promoted": [_effect(e) for e in f.promoted],
        "suppressed": [_effect(e) for e in f.suppressed],
        "neighbors": [_neighbor(n) for n in f.neighbors],
        "encoder": [_neighbor(n) for n in f.encoder_neighbors],
        "correlated": [[c.feature, short(c.pearson), short(c.cosine), short(c.decoder_cosine)] for c in f.correlated],
        "aligned": [_neuron(n) for n in f.aligned_neurons],
        "neurons": [_neuron(n) for n in f.correlated_neurons],
        "sample": f.neuron_tokens,
        "logits": None if f.logit_histogram is None else histogram(f.logit_histogram),
        "measured": f.measured,
    }
    return {**drawn, "pool": own.rows} if pool is None else drawn


def examples_between(data: DashboardData, feature: int, low: float, high: float) -> dict[str, Any]:
    """Examples of one bin of a feature's histogram. Where a record without its corpus has none, those of the level
    around it.
    """
    f = data[feature]
    low, high = (_snapped(x, f.histogram.edges) for x in (low, high))
    found, around = data.between(feature, low, high), None
    if not found and f.intervals:
        levels = 1 + max(e.interval for e in f.intervals)
        level = min(int(((low + high) / 2) * levels / (f.maximum or 1.0)), levels - 1)
        found = tuple(e for e in f.intervals if e.interval == level)
        around = [number(f.maximum * level / levels), number(f.maximum * (level + 1) / levels)]
    pool = Pool(data.token_bytes)
    items = [example(e, pool) for e in found]
    return {"interval": [feature, number(low), number(high)], "around": around, "items": items, "pool": pool.rows}


def _snapped(x: float, edges: Sequence[float]) -> float:
    """The edge that a page shows as x, in all its digits; x itself where there is none."""
    near = min(edges, key=lambda edge: abs(edge - x))
    return near if abs(near - x) <= 1e-5 * abs(edges[-1]) else x


def example(e: FeatureExample, pool: Pool) -> dict[str, Any]:
    """t: tokens by place, a: activations, l: loss effects in thousandths of a nat, m: [token, up, down], each [place,
    logit, ...].
    """
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


def _effect(effect: TokenEffect) -> dict[str, Any]:
    return {"token": effect.token, "id": effect.token_id, "logit": number(effect.logit)}
