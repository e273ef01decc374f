"""Whether scores of a feature tell how wide its usable window is, of clamps that were measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from saewidgets.analysis.ranks import centered_ranks, spearman
from saewidgets.files import unknown
from saewidgets.records import MeasuredClamps, SteeringScores
from saewidgets.records.arguments import expect, seed_of, whole
from saewidgets.records.tables import frame

MEASURES = ("width", "octaves", "concept_rate", "perplexity_ratio")


def scored_windows(
    clamps: MeasuredClamps, scores: Mapping[str, SteeringScores | Sequence[SteeringScores]]
) -> pd.DataFrame:
    """The measured clamps with the scores of their features beside them: one row per concept and lens.

    Args:
        clamps: such as `load_clamps()`.
        scores: {name of the SAE: its `SteeringScores`, or several by other lenses}. Clamps of other SAEs are left out.

    Returns:
        concept, sae, feature, lens, multiple, low and high (the usable window, in multiples of the maximum), width
        (high - low), octaves (log2(high / low)), concept_rate, perplexity_ratio, input, output, and output_percentile:
        the share of the SAE's scored features whose output score is not above this one's.

    Raises KeyError on a feature that was not scored, ValueError where no clamp is of an SAE that was.

    Example:
        >>> scores = {"miniworld-512": steering_scores(model, sae, acts)}  # doctest: +SKIP
        >>> table = scored_windows(load_clamps(), scores)  # doctest: +SKIP
    """
    expect(clamps, MeasuredClamps, "clamps", "scored_windows", "give sw.load_clamps()")
    told = isinstance(scores, Mapping) and all(
        isinstance(one, SteeringScores)
        for given in scores.values()
        for one in ([given] if not isinstance(given, (list, tuple)) else given)
    )
    expect(scores, told, "scores", "scored_windows", "give {name of the SAE: steering_scores(model, sae, acts)}")
    rows = []
    for concept, entry in clamps.items():
        given = scores.get(entry.sae, ())
        for one in [given] if isinstance(given, SteeringScores) else given:
            own = one.of(entry.feature)
            low, high = entry.window
            measured = {
                "multiple": entry.multiple,
                "low": low,
                "high": high,
                "width": high - low,
                "octaves": math.log2(high / low),
                "concept_rate": entry.concept_rate,
                "perplexity_ratio": entry.perplexity_ratio,
            }
            percentile = float(np.mean(np.array(one.output) <= own["output"]))
            known = {"concept": concept, "sae": entry.sae, "feature": entry.feature, "lens": one.lens}
            scored = {"input": own["input"], "output": own["output"], "output_percentile": percentile}
            rows.append(known | measured | scored)
    if not rows:
        raise ValueError(unknown("SAE with measured clamps", next(iter(scores), ""), {e.sae for e in clamps.values()}))
    return frame(rows)


def score_correlations(
    table: pd.DataFrame, measures: Sequence[str] = MEASURES, *, n_shuffles: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """Spearman's rank correlation of each score with each measure of the clamps, by lens.

    p is the share of shufflings of the measure whose correlation is as far from 0, one added above and below.

    Args:
        table: of `scored_windows`.
        measures: columns of it.

    Returns:
        One row per lens, score and measure: lens, score, measure, n (clamps with both), spearman, p. nan where all
        values of a column are equal, or fewer than three are there.

    Example:
        >>> score_correlations(table)  # doctest: +SKIP
    """
    expect(table, pd.DataFrame, "table", "score_correlations", "give scored_windows(clamps, scores)")
    rng, n_shuffles = np.random.default_rng(seed_of(seed)), whole(n_shuffles, "n_shuffles", minimum=1)
    rows = []
    for lens, own in table.groupby("lens", sort=False):
        for score in ("input", "output"):
            for measure in measures:
                both = own[[score, measure]].dropna().to_numpy(float)
                rho, p = _spearman(both[:, 0], both[:, 1], rng, n_shuffles)
                rows.append((lens, score, measure, len(both), rho, p))
    return frame(rows, columns=["lens", "score", "measure", "n", "spearman", "p"])


def _spearman(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, n: int) -> tuple[float, float]:
    """(Spearman's rank correlation; p of two sides by shuffling)."""
    rho = spearman(x, y)
    if len(x) < 3 or math.isnan(rho):
        return math.nan, math.nan
    a, b = centered_ranks(x), centered_ranks(y)
    shuffled = rng.permuted(np.tile(b, (n, 1)), axis=1) @ a / math.sqrt((a @ a) * (b @ b))
    return rho, (1 + int((np.abs(shuffled) >= abs(rho) - 1e-12).sum())) / (n + 1)
