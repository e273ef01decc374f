"""Find features by texts: by what they add to a logit after one, and by how they tell some from others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from saewidgets.activations import check_pair
from saewidgets.analysis.prompts.activations import check_acts, prompt_activations
from saewidgets.analysis.prompts.attribution import with_attribution
from saewidgets.analysis.quality.probes import fit_logistic
from saewidgets.analysis.search.ways import Labels, found_frame, strongest
from saewidgets.models import Model
from saewidgets.records import FeatureActivations
from saewidgets.records.search import N_FOUND
from saewidgets.sae import SAE

CANDIDATES = 64  # features that a classifier reads at most: those that tell the texts apart best, each by itself
TEXTS_EACH = 2  # texts for each of them: of more features some fit any few texts by luck
FOLDS = 10  # at most, of the texts that are left out
LEAST = 2  # texts of either kind


def by_attribution(
    model: Model | nn.Module,
    sae: SAE,
    text: str,
    target: str | int,
    baseline_token: str | int = "",
    acts: FeatureActivations | None = None,
    *,
    n: int = N_FOUND,
    labels: Labels = None,
) -> pd.DataFrame:
    """The features that add most to a logit difference after a text, by the local linear effect (Templeton et al.
    2024).

    Args:
        target: the token whose logit counts, as its text, as exact as a space before it, or its id.
        baseline_token: the token whose logit is subtracted; "": the mean over the vocabulary.

    Returns:
        Score is the feature's attribution summed over the tokens of the text, in logits (see `attribution`): below 0
        where it lowers the difference. The column active is the number of tokens at which it is active.

    Raises ValueError as `prompt_activations` does, and on a target that is not one token.

    Example:
        >>> by_attribution(model, sae, "The weather made Ada feel", " sad", " happy", acts).head()
    """
    model, _ = check_pair(model, sae, "a search by attribution", reconstructs=True)
    found = prompt_activations(model, sae, text, acts)
    found = with_attribution(model, sae, found, target, baseline_token, budget=0)
    feature, place = np.unique(found.feature, return_inverse=True)
    assert found.attribution is not None
    total = np.bincount(place, found.attribution.astype(np.float64), len(feature))
    active = np.bincount(place, minlength=len(feature)).astype(np.float64)
    return found_frame(model, acts, labels, feature, total, n, active=active)


def by_classifier(
    model: Model | nn.Module,
    sae: SAE,
    positive: Sequence[str],
    negative: Sequence[str],
    acts: FeatureActivations | None = None,
    *,
    n: int = N_FOUND,
    labels: Labels = None,
) -> pd.DataFrame:
    """The features by which a small classifier tells some texts from others: unlike `by_prompts`, it takes one that
    fires in most of them.

    With m_f(t) the largest activation of feature f at any token of text t, in standard deviations over the texts, a
    logistic regression with a penalty (`fit_logistic`, C = 1) reads the features whose m_f tell the texts best by
    themselves: one for every two texts, 64 at most.

    Args:
        positive, negative: two texts or more of each; the beginning-of-text token does not count.

    Returns:
        Score is the feature's weight: by how much one standard deviation of it raises the log-odds of the first kind.
        The column auroc is how well it tells the texts by itself: the chance that it is stronger in one of the first
        kind than in one of the second, ties counting half. `frame.attrs["held_out"]` is the share of texts that are
        told right by classifiers that have not seen them, features chosen anew each time (up to ten parts), each kind
        weighing the same: .5 is chance.

    Raises ValueError with fewer than two texts of a kind, or on one without a token besides the beginning of text.

    Example:
        >>> by_classifier(model, sae, ["An owl sat.", "Two owls."], ["A cat sat.", "Two dogs."], acts).head()
    """
    model = Model.wrap(model)
    for name, texts in (("positive", positive), ("negative", negative)):
        if isinstance(texts, str) or len(texts) < LEAST:
            given = 1 if isinstance(texts, str) else len(texts)
            raise ValueError(f"a classifier needs {LEAST} {name} texts or more, not {given}")
    check_acts(sae, acts)
    x = strongest(model, sae, [*positive, *negative])
    y = np.arange(len(x)) < len(positive)
    chosen, weight = _classifier(x, y)
    found = found_frame(model, acts, labels, chosen, weight, n, auroc=_auroc(x[:, chosen], y))
    found.attrs["held_out"] = _held_out(x, y)
    return found


def _auroc(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """float64 [feature] of x [text, feature] and y bool [text], from the ranks of the first kind (Mann and Whitney)."""
    n, rest = int(y.sum()), int((~y).sum())
    ranks = pd.DataFrame(x).rank().to_numpy()[y]  # from 1, equal ones share theirs
    return np.asarray((ranks.sum(0) - n * (n + 1) / 2) / (n * rest), np.float64)


def _classifier(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(features, their weights in standard deviations), of x float64 [text, d_sae] and y bool [text]."""
    live = np.flatnonzero(x.std(0) > 0)
    if not len(live):
        raise ValueError("no feature is stronger in one of these texts than in another: give others, or more")
    tells = np.abs(_auroc(x[:, live], y) - 0.5)
    chosen = np.sort(live[np.lexsort((live, -tells))[: min(CANDIDATES, max(1, len(y) // TEXTS_EACH))]])
    own = (x[:, chosen] - x[:, chosen].mean(0)) / x[:, chosen].std(0)
    weight, _ = fit_logistic(torch.from_numpy(own).float(), torch.from_numpy(y[:, None].astype(np.float32)))
    return chosen, weight[:, 0].double().numpy()


def _held_out(x: np.ndarray, y: np.ndarray) -> float:
    """The mean over both kinds of the share that is told right, each text by a classifier fitted without its part."""
    folds = min(FOLDS, int(y.sum()), int((~y).sum()))
    part = np.empty(len(y), np.int64)
    for kind in (y, ~y):  # in turn, so every part has both kinds
        part[kind] = np.arange(int(kind.sum())) % folds
    right = np.zeros(len(y))
    for k in range(folds):
        rest = part != k
        chosen, weight = _classifier(x[rest], y[rest])
        mean, spread = x[rest][:, chosen].mean(0), x[rest][:, chosen].std(0)
        own = (x[:, chosen] - mean) / spread @ weight
        middle = (own[rest & y].mean() + own[rest & ~y].mean()) / 2  # both kinds weigh the same, however many they are
        right[~rest] = np.where(own[~rest] == middle, 0.5, (own[~rest] > middle) == y[~rest])
    return float((right[y].mean() + right[~y].mean()) / 2)
