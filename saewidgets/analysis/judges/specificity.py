"""Is a feature active where its concept is, and nowhere else? Activations of every strength, as judges see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from saewidgets.activations import check_pair
from saewidgets.analysis.features.examples import Entries, bins_of, drawn_positions, histograms, windows
from saewidgets.analysis.judges.labels import LabelJudge
from saewidgets.analysis.judges.passages import Passages
from saewidgets.analysis.judges.running import name_of, run_judge
from saewidgets.analysis.judges.scores import field_scores
from saewidgets.analysis.judges.sensitivity import new_text_sensitivity, span_sensitivity
from saewidgets.analysis.prompts.activations import check_acts
from saewidgets.analysis.quality.concepts import check_labeled
from saewidgets.bars import muted
from saewidgets.models import Model
from saewidgets.records import FeatureActivations, Grading
from saewidgets.records.arguments import asked, expect, require_features, seed_of, whole
from saewidgets.records.judging import Judge
from saewidgets.records.specificity import Sensitivity, Specificity
from saewidgets.sae import SAE


def specificity(
    model: Model | nn.Module,
    sae: SAE,
    acts: FeatureActivations,
    feature: int,
    claim: str,
    judges: Judge | Sequence[Judge] = (),
    *,
    corpus: Any = None,
    n_intervals: int = 10,
    per_interval: int = 100,
    window: int = 10,
    context: int | None = None,
    scores: bool = True,
    seed: int = 0,
    progress: bool = True,
) -> Specificity:
    """Activations of one feature, drawn evenly from intervals of its strength, and scored 0 to 3 by judges (Templeton
    et al. 2024).

    The intervals are linear from 0 to the feature's maximum over the corpus. From each, `per_interval` activations are
    drawn at random, or all where there are fewer. A judge sees the text around each with its token marked, never the
    activation or the interval; the order is shuffled.

    Args:
        model: for the texts of tokens, and to read new texts.
        sae: whose feature it is.
        acts: of `feature_activations`; its corpus is drawn from.
        feature: which one.
        claim: what it is said to stand for. For a judge by labels, the name of a concept, such as "golden_gate_bridge".
        judges: one or several: see `sw.analysis.judges`. With `corpus`, its labels judge first.
        corpus: labeled, the one that `acts` is over. Its labels also give the sensitivity, by the spans of the concept,
            and, where it is of the mini-world, by texts that the grammar writes anew.
        n_intervals: of equal width.
        per_interval: activations drawn from each.
        window: tokens on each side that the record keeps of each, to be read.
        context: tokens on each side that a judge sees; None: the whole row of the corpus.
        scores: also measure the field's scores of an explanation (`field_scores`) by the first judge, which must be
            one that can be asked anew, not a person's sheet.
        seed: of all draws.
        progress: show a bar where it takes more than half a second.

    Raises:
        ValueError: no judge, two of one name, a feature that never fires, a claim that is no concept of the corpus, or
            a corpus other than that of `acts`.
        TypeError: what is no judge.
        IndexError: a feature that does not exist.

    Example:
        >>> found = sw.specificity(model, sae, acts, 31, "golden_gate_bridge", corpus=corpus)
        >>> found.table()[["low", "high", "n", "s3"]]
    """
    model, site = check_pair(model, sae, "specificity")
    expect(acts, FeatureActivations, "acts", "specificity")
    check_acts(sae, acts)
    (feature,) = require_features([feature], acts.d_sae)
    n_intervals = whole(n_intervals, "n_intervals", minimum=1)
    per_interval, window = whole(per_interval, "per_interval", minimum=1), whole(window, "window", minimum=0)
    context = None if context is None else whole(context, "context", minimum=0)
    seed = seed_of(seed)
    chosen = _judges(judges, corpus, claim, acts)
    if scores and isinstance(chosen[0], Grading):
        raise ValueError(
            f"scores=True asks the first judge of other windows, which {chosen[0].name!r} has not graded: "
            "give corpus=corpus, whose labels then judge first, or scores=False"
        )
    if acts.start[feature] == acts.start[feature + 1]:
        raise ValueError(
            f"feature {feature} is never active over {acts.corpus or 'this corpus'}; choose one that fires"
        )

    entries = Entries.of(acts, np.array([feature]))
    picked, interval = drawn_positions(entries, n_intervals, per_interval, seed)
    cut = Passages(model, acts)
    own = entries.index[picked]
    passages = cut.around(acts.context[own], acts.position[own], context)
    order = np.random.default_rng(seed).permutation(len(passages)).tolist()  # judges must not see the intervals
    back = np.argsort(order).tolist()
    with muted(not progress):
        runs = []
        for judge in chosen:
            run = run_judge(judge, claim, [passages[i] for i in order])
            scores_of, reasons_of = (tuple(column[i] for i in back) for column in (run.scores, run.reasons))
            runs.append(replace(run, scores=scores_of, reasons=reasons_of))
        sensitivity = _sensitivity(model, sae, acts, feature, claim, corpus, seed)
        told = field_scores(model, sae, acts, feature, claim, chosen[0], seed=seed) if scores else ()
    (examples,) = windows(acts, entries, picked, interval, window, model.display(range(model.d_vocab)))
    return Specificity(
        feature=feature,
        claim=claim,
        maximum=float(entries.maximum[0]),
        counts=tuple(np.bincount(bins_of(entries, n_intervals), minlength=n_intervals).tolist()),
        histogram=histograms(entries)[0],
        examples=tuple(examples),
        judges=tuple(runs),
        sensitivity=sensitivity,
        scores=told,
        corpus=acts.corpus,
        n_tokens=acts.n_tokens,
        model_name=model.name,
        sae_name=sae.name,
        hook_name=site.hook_name,
        weights=model.weights,
        per_interval=per_interval,
        seed=seed,
    )


def _judges(judges: Any, corpus: Any, claim: str, acts: FeatureActivations) -> list[Judge]:
    """The judges in order, that of the corpus's labels first. What is wrong with them is said before work begins."""
    expect(claim, str, "claim", "specificity", 'say what the feature stands for, such as "golden_gate_bridge"')
    given = [judges] if asked(judges) else list(judges)
    chosen: list[Judge] = []
    if corpus is not None:
        check_labeled(corpus, "specificity")
        if not np.array_equal(np.asarray(corpus.token_rows), acts.tokens):
            split = f": give corpus.split({acts.tokens.shape[1]}) in both places" if acts.n_split else ""
            raise ValueError(f"the activations are over another corpus than the labels{split}")
        chosen.append(label_judge(corpus))
    for judge in given:
        how = "give a judge, such as planted_judge(corpus), or a function of a claim and passages"
        chosen.append(expect(judge, asked(judge), "judges", "specificity", how))
    if not chosen:
        raise ValueError("nobody is there to judge: give corpus=corpus, whose labels do, or judges=[...]")
    names = [name_of(judge) for judge in chosen]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two judges are called {name!r}: give one of them another name")
    for judge in chosen:
        if isinstance(judge, LabelJudge | Grading):
            judge.check(claim)
    return chosen


def label_judge(corpus: Any) -> LabelJudge:
    """The judge by a corpus's own labels: planted ones, or spans that people have labeled."""
    by_people = hasattr(corpus, "text_of_row")
    return LabelJudge(corpus, name="labeled spans", kind="spans") if by_people else LabelJudge(corpus)


def _sensitivity(
    model: Model, sae: SAE, acts: FeatureActivations, feature: int, claim: str, corpus: Any, seed: int
) -> tuple[Sensitivity, ...]:
    if corpus is None:
        return ()
    found = [span_sensitivity(acts, feature, corpus, claim, seed=seed)]
    if hasattr(corpus, "subjects"):  # a corpus of the mini-world, whose grammar can write more
        found.append(new_text_sensitivity(model, sae, feature, claim, seed=seed))
    return tuple(found)
