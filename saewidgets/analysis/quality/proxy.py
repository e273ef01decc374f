"""Computational proxies: does a feature fire on what a rule, a planted concept or a likelihood ratio says it should?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from saewidgets.models import Model
from saewidgets.records import ConceptProxy, FeatureActivations
from saewidgets.records.arguments import asked, expect


def concept_proxy(
    acts: FeatureActivations, feature: int, score: Any, *, name: str = "", bins: int = 50
) -> ConceptProxy:
    """A feature's activations against a score of each token that needs no model (Bricken et al. 2023).

    Args:
        acts: of `feature_activations`.
        feature: which one.
        score: [context, pos], bool or number, of each token of `acts.tokens`: `corpus.concept_mask(...)`,
            `token_scores(...)` or `log_likelihood_ratio(...)`. Tokens that do not count are left out, whatever stands
            there.
        name: what the score tells, for titles.
        bins: of equal width between 0 and the feature's maximum.

    Raises ValueError on scores of another shape or that are not finite, IndexError on a feature that does not exist.

    Example:
        >>> mask = corpus.concept_mask("golden_gate_bridge")
        >>> found = concept_proxy(acts, 31, mask, name="golden_gate_bridge")
        >>> found.pearson, found.precision
        >>> sw.views.proxy_histogram(found)
    """
    expect(acts, FeatureActivations, "acts", "concept_proxy")
    given = np.asarray(score)
    if given.shape != acts.tokens.shape:
        raise ValueError(f"score must have shape {acts.tokens.shape}, one number per token of acts, not {given.shape}")
    if bins < 1:
        raise ValueError(f"a histogram needs one bin or more, not {bins}")
    told = np.where(acts.counted, given, 0).astype(np.float64)
    if not np.isfinite(told).all():
        raise ValueError("a score of a counted token is not finite")
    context, position, value = acts.of(feature)
    own = told[context, position]
    high = float(value.max()) if len(value) else 1.0
    edges = np.linspace(0, high, bins + 1)
    place = np.clip(np.searchsorted(edges, value.astype(np.float64), "right") - 1, 0, bins - 1)
    n = np.bincount(place, minlength=bins)
    yes = np.bincount(place[own > 0], minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, own, minlength=bins) / n
    whole = told[acts.counted]
    n_yes = int((whole > 0).sum())
    return ConceptProxy(
        feature,
        name,
        edges,
        n,
        yes,
        mean,
        len(whole) - len(value),
        n_yes - int(yes.sum()),
        _pearson(value.astype(np.float64), own, whole),
        _pearson(np.ones(len(value)), (own > 0).astype(np.float64), (whole > 0).astype(np.float64)),
    )


def token_scores(model: Model, acts: FeatureActivations, rule: Callable[[str], Any]) -> np.ndarray:
    """A rule of one's own, asked of the text of each token: float64 [context, pos], 0 at padding.

    The text is the token's display text, with its space: `lambda t: t.strip().isdigit()`, or a Unicode block by `ord`.

    Example:
        >>> capitals = token_scores(model, acts, lambda text: text.strip()[:1].isupper())
    """
    model = Model.wrap(model)
    expect(acts, FeatureActivations, "acts", "token_scores")
    expect(rule, asked(rule), "rule", "token_scores", "give a function of a token's text, such as str.isalpha")
    ids, back = np.unique(acts.tokens, return_inverse=True)
    known = ids >= 0
    found = np.zeros(len(ids))
    found[known] = [float(rule(text)) for text in Model.wrap(model).display(ids[known])]
    return found[back].reshape(acts.tokens.shape)


def log_likelihood_ratio(acts: FeatureActivations, mask: np.ndarray) -> np.ndarray:
    """How much likelier each token is where something is expressed than anywhere: float64 [context, pos], nats, 0 at
    padding.

        r(t) = log P(t | mask) / P(t),  P(t | mask) = (n_mask(t) + P(t)) / (N_mask + 1),  P(t) = n(t) / N

    over counted tokens; the added P(t), worth one token in all, keeps it finite. Where a mask is sharp, the ratio is
    graded.

    Raises ValueError on a mask of another shape than the tokens.

    Example:
        >>> score = log_likelihood_ratio(acts, corpus.concept_mask("golden_gate_bridge"))
    """
    expect(acts, FeatureActivations, "acts", "log_likelihood_ratio")
    told = np.asarray(mask, bool)
    if told.shape != acts.tokens.shape:
        raise ValueError(f"mask must have shape {acts.tokens.shape}, one bool per token of acts, not {told.shape}")
    size = int(acts.tokens.max(initial=0)) + 1
    every = np.bincount(acts.tokens[acts.counted], minlength=size)
    where = np.bincount(acts.tokens[acts.counted & told], minlength=size)
    share = every / max(every.sum(), 1)
    ratio = np.zeros(size)
    seen = every > 0
    ratio[seen] = np.log((where[seen] / share[seen] + 1) / (where.sum() + 1))
    return np.where(acts.counted, ratio[np.maximum(acts.tokens, 0)], 0.0)


def _pearson(value: np.ndarray, own: np.ndarray, whole: np.ndarray) -> float:
    """Pearson's r of a sparse variable, `value` where the other is `own` and 0 elsewhere, with `whole`; nan where one
    is flat.
    """
    n = len(whole)
    if not n:
        return float("nan")
    around = value.sum() / n, whole.sum() / n
    spread = (value @ value / n - around[0] ** 2) * (((whole - around[1]) ** 2).sum() / n)
    if not spread > 0:
        return float("nan")
    return float((value @ own / n - around[0] * around[1]) / np.sqrt(spread))
