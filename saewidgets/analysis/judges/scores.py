"""Scores of an explanation by their published definitions: detection, fuzzing, intruder, SAEBench's 14, logits."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from contextlib import suppress

import numpy as np
import torch
from torch import nn

from saewidgets.activations import check_pair
from saewidgets.analysis.judges.running import name_of, run_judge
from saewidgets.analysis.judges.windows import Window, Windows
from saewidgets.models import Model
from saewidgets.records import FeatureActivations
from saewidgets.records.arguments import asked, expect, require_features, seed_of, whole
from saewidgets.records.judging import Judge, Passage
from saewidgets.records.shares import share
from saewidgets.records.specificity import FieldScore
from saewidgets.sae import SAE

STRONG = 0.3  # of the maximum, from which a token is marked (delphi)
WEAK = 0.01  # of the maximum, from which it is marked (SAEBench)


def field_scores(
    model: Model | nn.Module,
    sae: SAE,
    acts: FeatureActivations,
    feature: int,
    claim: str,
    judge: Judge,
    *,
    seed: int = 0,
) -> tuple[FieldScore, ...]:
    """All the scores of this module, one after the other, of one claim about one feature; those that cannot be had are
    left out (the logits of an SAE that does not write to the residual stream, or windows of a feature that fires in
    every one).

    Example:
        >>> [(s.name, s.value) for s in field_scores(model, sae, acts, 31, "owl", planted_judge(corpus))]  # doctest: +SKIP
    """
    model, _ = check_pair(model, sae, "field_scores")
    found = []
    for score in (detection, fuzzing, intruder, saebench):
        with suppress(TooFewError):
            found.append(score(model, acts, feature, claim, judge, seed=seed))
    if sae.decoder_directions.shape[-1] == model.d_model:
        found.append(logit_judgment(model, sae, feature, claim, judge, seed=seed))
    return tuple(found)


class TooFewError(ValueError):
    """Too few windows for a score."""


def detection(
    model: Model | nn.Module,
    acts: FeatureActivations,
    feature: int,
    claim: str,
    judge: Judge,
    *,
    n: int = 50,
    seed: int = 0,
    without: Collection[int] = (),
) -> FieldScore:
    """Balanced accuracy of a judge that reads windows, unmarked, and says in which the feature is active (delphi;
    Paulo et al. 2024).

        (share of active windows told + share of inactive windows told) / 2

    n active windows, as many from each tenth of them by strength, and n inactive ones at random; none from the rows of
    the corpus in `without`. Its 95 % interval treats both shares as independent. Raises ValueError where there are
    fewer than 5 of either.

    Example:
        >>> detection(model, acts, 31, "owl", planted_judge(corpus)).value  # doctest: +SKIP
    """
    windows = _windows(model, acts, feature, claim, judge, n=n, seed=seed)
    active, quiet = _enough(windows, n, without)
    passages = [windows.passage(w) for w in (*active, *quiet)]
    what = "does the judge tell windows in which the feature is active, unmarked? Balanced accuracy"
    return _balanced("detection", what, passages, len(active), judge, claim, windows.rng)


def fuzzing(
    model: Model | nn.Module,
    acts: FeatureActivations,
    feature: int,
    claim: str,
    judge: Judge,
    *,
    n: int = 50,
    seed: int = 0,
    without: Collection[int] = (),
) -> FieldScore:
    """Balanced accuracy of a judge that says whether the marked tokens are the right ones (delphi; Paulo et al. 2024).

    In an active window the tokens of at least 0.3 of the feature's maximum are marked (its strongest one, where none
    is); in an inactive one as many at random as in an active window on average, rounded up. `without` as for
    `detection`. Raises ValueError where there are fewer than 5 of either.

    Example:
        >>> fuzzing(model, acts, 31, "owl", planted_judge(corpus)).value  # doctest: +SKIP
    """
    windows = _windows(model, acts, feature, claim, judge, n=n, seed=seed)
    active, quiet = _enough(windows, n, without)
    most = float(acts.maximum[windows.feature])
    right = [strong_tokens(w, STRONG * most) for w in active]
    wrong = [_random_marks(w, right, windows.rng) for w in quiet]
    passages = [windows.passage(w, m) for w, m in zip((*active, *quiet), (*right, *wrong), strict=True)]
    what = "does the judge tell rightly marked tokens from wrongly marked ones? Balanced accuracy"
    return _balanced("fuzzing", what, passages, len(active), judge, claim, windows.rng)


def intruder(
    model: Model | nn.Module,
    acts: FeatureActivations,
    feature: int,
    claim: str,
    judge: Judge,
    *,
    n: int = 50,
    size: int = 5,
    seed: int = 0,
) -> FieldScore:
    """How often a judge finds the one inactive window among `size`, of which the others are active, all from one tenth
    by strength (delphi's intruder test). Chance is 1/size.

    Tokens are marked as in `fuzzing`. A judge with a method `pick(passages)` is asked for the odd one and is not told
    the claim; of any other the window with the lowest score is taken, and a tie counts as no answer. The tenths are
    gone through in turn. Raises ValueError where there are fewer than 5 inactive windows, or no tenth has `size` - 1.

    Example:
        >>> intruder(model, acts, 31, "owl", planted_judge(corpus)).chance  # doctest: +SKIP
        0.2
    """
    windows = _windows(model, acts, feature, claim, judge, n=n, seed=seed)
    size = whole(size, "size", minimum=2)
    _, quiet = _enough(windows, n)
    tenths = [part for part in windows.tenths() if len(part) >= size - 1]
    if not tenths:
        raise TooFewError(f"no tenth of the active windows of feature {feature} has {size - 1} of them")
    most, rng = float(acts.maximum[windows.feature]), windows.rng
    hits = refused = 0
    for i, odd in enumerate(quiet):
        part = tenths[i % len(tenths)]
        others = [part[j] for j in rng.permutation(len(part))[: size - 1].tolist()]
        marks = [strong_tokens(w, STRONG * most) for w in others]
        shown = [windows.passage(w, m) for w, m in zip(others, marks, strict=True)]
        at = int(rng.integers(size))
        shown.insert(at, windows.passage(odd, _random_marks(odd, marks, rng)))
        picked = _picked(judge, claim, shown)
        hits += picked == at
        refused += picked is None
    found = share(hits, len(quiet))
    what = f"does the judge find the inactive window among {size}?"
    return FieldScore("intruder", found.value, found.low, found.high, 1 / size, found.n, refused, name_of(judge), what)


def saebench(
    model: Model | nn.Module, acts: FeatureActivations, feature: int, claim: str, judge: Judge, *, seed: int = 0
) -> FieldScore:
    """The share that a judge tells rightly of 14 shuffled windows: 2 strongest, 2 drawn with a chance proportional to
    their maximum, 10 inactive (the autointerp score of SAEBench).

    A window has 10 tokens on each side of its strongest one. Unlike there, the inactive windows are drawn at random
    among those without an activation. Ten of the 14 are inactive, so a judge who says no to all of them gets 10/14; a
    coin gets 1/2. Raises ValueError where there are fewer than 4 active or 10 inactive windows.

    Example:
        >>> saebench(model, acts, 31, "owl", planted_judge(corpus)).n  # doctest: +SKIP
        14
    """
    windows = _windows(model, acts, feature, claim, judge, width=21, seed=seed)
    quiet = windows.quiet(10)
    if len(windows.active) < 4 or len(quiet) < 10:
        raise TooFewError(
            f"feature {feature} has {len(windows.active)} active and {len(quiet)} inactive windows of 4 and 10"
        )
    top, rest = windows.active[:2], windows.active[2:]
    chance = np.array([w.maximum for w in rest])
    drawn = windows.rng.choice(len(rest), size=2, replace=False, p=chance / chance.sum())
    active = [*top, *(rest[i] for i in drawn.tolist())]
    passages = [windows.passage(w) for w in (*active, *quiet)]
    what = "how many of 14 windows (2 strongest, 2 by strength, 10 inactive) does the judge tell rightly?"
    return _told("SAEBench", what, passages, len(active), judge, claim, windows.rng)


def logit_judgment(
    model: Model | nn.Module, sae: SAE, feature: int, claim: str, judge: Judge, *, n: int = 50, seed: int = 0
) -> FieldScore:
    """The share of tokens of which a judge says rightly whether the feature promotes them (Bricken et al. 2023): n from
    ranks 10 to 60 of its direct logit effects, and n at random from the rest of the vocabulary.

    The judge sees the claim and the token alone. Chance is 1/2. Raises ValueError for an SAE that does not write to the
    residual stream.

    Example:
        >>> logit_judgment(model, sae, 31, "owl", planted_judge(corpus)).n  # doctest: +SKIP
        100
    """
    model, _ = check_pair(model, sae, "logit_judgment")
    _asking(claim, judge)
    (feature,) = require_features([feature], sae.config.d_sae)
    directions = sae.decoder_directions
    if directions.shape[-1] != model.d_model:
        raise ValueError("this SAE does not write to the residual stream, so its features have no direct logit effects")
    with torch.inference_mode():
        effect = model.direction_logits(directions[feature : feature + 1].to(model.device))[0].float().cpu().numpy()
    special = np.array(sorted(model.special_token_ids), np.int64)
    order = np.argsort(-effect, kind="stable")
    order = order[~np.isin(order, special)]
    rng = np.random.default_rng(seed_of(seed))
    near, rest = order[10:60], order[60:]
    n = min(whole(n, "n", minimum=1), len(near), len(rest))
    promoted, others = rng.permutation(near)[:n].tolist(), rng.permutation(rest)[:n].tolist()
    ids = [*promoted, *others]
    texts = model.display(ids)
    passages = [Passage((text,), (i,), (0,)) for i, text in zip(ids, texts, strict=True)]
    what = "does the judge tell tokens that the feature promotes (ranks 10 to 60) from random ones?"
    return _told("logits", what, passages, n, judge, claim, rng)


def _windows(
    model: Model | nn.Module,
    acts: FeatureActivations,
    feature: int,
    claim: str,
    judge: Judge,
    *,
    n: int = 50,
    width: int = 32,
    seed: int = 0,
) -> Windows:
    """The windows of a feature; whatever is wrong with what was given is said first."""
    model = Model.wrap(model)
    expect(acts, FeatureActivations, "acts", "a score")
    _asking(claim, judge)
    whole(n, "n, the number of windows,", minimum=5)
    return Windows(model, acts, feature, width=width, seed=seed_of(seed))


def _asking(claim: str, judge: Judge) -> None:
    expect(claim, str, "claim", "a score", 'say what the feature stands for, such as "golden_gate_bridge"')
    expect(judge, asked(judge), "judge", "a score", "give one, such as sw.analysis.planted_judge(corpus)")


def _enough(windows: Windows, n: int, without: Collection[int] = ()) -> tuple[list[Window], list[Window]]:
    active, quiet = windows.spread(n, without), windows.quiet(n, without)
    if len(active) < 5 or len(quiet) < 5:
        raise TooFewError(
            f"feature {windows.feature} has {len(active)} active and {len(quiet)} inactive windows; a score needs 5 of each"
        )
    return active, quiet


def strong_tokens(window: Window, least: float) -> list[int]:
    """The tokens of a window with at least so much activation; its strongest one, where there is none."""
    return [i for i, value in enumerate(window.values) if value >= least and value > 0] or [window.peak]


def _random_marks(window: Window, like: Sequence[Sequence[int]], rng: np.random.Generator) -> list[int]:
    """Tokens of a window at random: as many as the marks in `like` are on average, rounded up."""
    n = math.ceil(sum(map(len, like)) / len(like))
    drawn: list[int] = np.sort(rng.permutation(len(window.values))[:n]).tolist()
    return drawn


def _answers(judge: Judge, claim: str, passages: Sequence[Passage], rng: np.random.Generator) -> list[bool | None]:
    """Yes (a score of 3), no, or None for a refusal; the judge sees them shuffled."""
    order = rng.permutation(len(passages)).tolist()
    run = run_judge(judge, claim, [passages[i] for i in order])
    out: list[bool | None] = [None] * len(passages)
    for i, score in zip(order, run.scores, strict=True):
        out[i] = None if score is None else score == 3
    return out


def _told(
    name: str,
    what: str,
    passages: Sequence[Passage],
    n_yes: int,
    judge: Judge,
    claim: str,
    rng: np.random.Generator,
) -> FieldScore:
    """The share of right answers, which are yes on the first `n_yes` passages; a refusal is a wrong one."""
    answers = _answers(judge, claim, passages, rng)
    found = share(sum(a is (i < n_yes) for i, a in enumerate(answers)), len(passages))
    refused = sum(a is None for a in answers)
    return FieldScore(name, found.value, found.low, found.high, 0.5, found.n, refused, name_of(judge), what)


def _balanced(
    name: str,
    what: str,
    passages: Sequence[Passage],
    n_active: int,
    judge: Judge,
    claim: str,
    rng: np.random.Generator,
) -> FieldScore:
    """(TPR + TNR) / 2; a refusal is a wrong answer."""
    answers = _answers(judge, claim, passages, rng)
    yes = share(sum(a is True for a in answers[:n_active]), n_active)
    no = share(sum(a is False for a in answers[n_active:]), len(passages) - n_active)
    value = (yes.value + no.value) / 2
    # Newcombe's square-and-add of the two Wilson intervals (1998)
    down = math.hypot(yes.value - yes.low, no.value - no.low) / 2
    up = math.hypot(yes.high - yes.value, no.high - no.value) / 2
    refused = sum(a is None for a in answers)
    low, high = max(0.0, value - down), min(1.0, value + up)
    return FieldScore(name, value, low, high, 0.5, len(passages), refused, name_of(judge), what)


def _picked(judge: Judge, claim: str, passages: Sequence[Passage]) -> int | None:
    pick = getattr(judge, "pick", None)
    if pick is not None:
        found: int | None = pick(passages)
        return found
    scores = run_judge(judge, claim, passages).scores
    known = [s for s in scores if s is not None]
    if not known or scores.count(min(known)) > 1:
        return None
    return scores.index(min(known))
