"""A labeled corpus in two halves: one to choose and fit on, one to tell on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from saewidgets.activations import harvest
from saewidgets.analysis.quality.concepts import Labeled, LabelsByToken, feature_of, token_of
from saewidgets.analysis.quality.detectors import halves
from saewidgets.analysis.quality.probes import cross_fitted, fit_logistic
from saewidgets.bars import bar
from saewidgets.models import Model
from saewidgets.records import FeatureActivations

STRENGTHS = (0.03, 1.0)  # C of the probes: each concept takes the one with the smaller loss out of fold


@dataclass(frozen=True, eq=False)
class Halved:
    """The two halves of a corpus, their tokens as rows: row i of a half is its i-th counted token."""

    acts: FeatureActivations
    choosing: FeatureActivations
    telling: FeatureActivations
    labels: LabelsByToken  # of the choosing half
    truth: LabelsByToken  # of the telling half
    fold: np.ndarray  # bool [row of the choosing half]: of two folds, by document
    document: np.ndarray  # int64 [row of the telling half]

    @classmethod
    def of(cls, acts: FeatureActivations, corpus: Labeled, seed: int) -> Halved:
        choosing, telling = halves(acts, seed)
        text = acts.text_of_context[np.nonzero(choosing.counted)[0]]
        own = np.unique(text)
        fold = np.isin(text, np.random.default_rng([seed, 2]).permutation(own)[: len(own) // 2])
        document = np.unique(acts.text_of_context[np.nonzero(telling.counted)[0]], return_inverse=True)[1]
        labels, truth = (LabelsByToken.of(half, corpus) for half in (choosing, telling))
        return cls(acts, choosing, telling, labels, truth, fold, document)

    def rows(self, half: FeatureActivations, token: np.ndarray) -> np.ndarray:
        """int64: the rows of some counted tokens of a half."""
        value: np.ndarray = self._row_of_token[half is self.telling][token]
        return value

    @cached_property
    def _row_of_token(self) -> tuple[np.ndarray, np.ndarray]:
        """int64 [token] of the choosing half, and of the telling one."""
        choosing, telling = (np.cumsum(half.counted.ravel()) - 1 for half in (self.choosing, self.telling))
        return choosing, telling

    def read(self, model: Model, hook_name: str) -> tuple[Tensor, Tensor]:
        """float32 [row, d]: what flows through a hook point at the tokens of either half."""
        out: list[Tensor] = []
        width = self.acts.tokens.shape[1]
        for half in (self.choosing, self.telling):
            rows: Tensor | None = None
            at = np.cumsum(half.counted.ravel()) - 1
            with bar(half.n_tokens, f"reading {hook_name}", "tokens") as advance:
                for context, position, x in harvest(model, hook_name, half.tokens, half.counted):
                    rows = torch.empty(half.n_tokens, x.shape[1], device=x.device) if rows is None else rows
                    rows[torch.from_numpy(at[context.astype(np.int64) * width + position]).to(x.device)] = x
                    advance(len(context))
            assert rows is not None  # a half has tokens
            out.append(rows)
        return out[0], out[1]

    def chosen(self, concept: int) -> np.ndarray:
        """int64: the rows of a concept's tokens in the choosing half."""
        return self.rows(self.choosing, self.labels.token[self.labels.concept == concept])

    def truth_of_choosing(self, device: torch.device) -> Tensor:
        """float32 [row of the choosing half, concept]: 1 at the tokens of each concept."""
        y = torch.zeros(self.choosing.n_tokens, len(self.labels.n_tokens), device=device)
        row = torch.from_numpy(self.rows(self.choosing, self.labels.token)).to(device)
        y[row, torch.from_numpy(self.labels.concept).to(device)] = 1
        return y


def column(halved: Halved, half: FeatureActivations, feature: int) -> np.ndarray:
    """float32 [row]: one feature's activation at every token of a half."""
    out = np.zeros(half.n_tokens, np.float32)
    own = slice(int(half.start[feature]), int(half.start[feature + 1]))
    out[halved.rows(half, token_of(half, feature))] = half.value[own]
    return out


def ranked(halved: Halved, concepts: np.ndarray, most: int) -> np.ndarray:
    """int64 [concept, most]: features by |mean on the concept - mean off it| in the choosing half, largest first."""
    half, labels = halved.choosing, halved.labels
    n_concepts, n = len(labels.n_tokens), half.n_tokens
    feature = feature_of(half)
    on = np.zeros(n_concepts * half.d_sae)
    for pair, concept in labels.pairs(half):
        on += np.bincount(concept * half.d_sae + feature[pair], half.value[pair], minlength=len(on))
    on = on.reshape(n_concepts, half.d_sae)[concepts]
    total = np.bincount(feature, half.value, minlength=half.d_sae)
    own = labels.n_tokens[concepts, None]
    apart = np.abs(on / np.maximum(own, 1) - (total - on) / np.maximum(n - own, 1))
    return np.argsort(-apart, axis=1, kind="stable")[:, :most]


@dataclass(frozen=True, eq=False)
class Probes:
    """Logistic regressions on the activations at a site, one per concept."""

    directions: Tensor  # float32 [d, probe], in the units of the activations
    scores: Tensor  # float32 [row of the telling half, probe], log-odds
    aside: Tensor  # float32 [row of the choosing half, probe], log-odds by the probe of the other fold
    strength: Tensor  # float32 [probe], C


def fit_probes(halved: Halved, x: tuple[Tensor, Tensor], y: Tensor) -> Probes:
    """Probes fitted to one half, of y [row of it, probe], read in the other. x are the activations of both."""
    mean, scale = x[0].mean(0), x[0].std(0).clamp_min(1e-6)
    choosing, telling = ((half - mean) / scale for half in x)
    fold = torch.from_numpy(halved.fold).to(choosing.device)
    best_loss = torch.full((y.shape[1],), torch.inf, device=y.device)
    strength, aside = torch.ones_like(best_loss), torch.zeros_like(y)
    with bar(2 * len(STRENGTHS) + 1, "fitting probes", "fits") as advance:
        for c in STRENGTHS:
            s = cross_fitted(choosing, y, fold, c)
            loss = (softplus(s) - y * s).sum(0)
            better = loss < best_loss
            best_loss[better], strength[better], aside[:, better] = loss[better], c, s[:, better]
            advance(2)
        w, b = fit_logistic(choosing, y, strength)
        advance(1)
    return Probes(w / scale[:, None], telling @ w + b, aside, strength)
