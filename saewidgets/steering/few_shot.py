"""The few-shot baseline in the place of clamps: a mean difference of activations, made as strong as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor, nn

from saewidgets.activations import check_pair
from saewidgets.models import Edit, Model
from saewidgets.models.sampling import finite
from saewidgets.records import Clamp, DashboardData, FeatureData, Steer
from saewidgets.records.arguments import expect
from saewidgets.sae import SAE
from saewidgets.steering.comparisons import mean_difference
from saewidgets.steering.edits import check_feature, intervention_edit

Contrast = tuple[Sequence[str], Sequence[str]]  # texts with what a feature stands for, texts without
TEXTS = 8  # of each kind, of a dashboard's
READ = 4  # texts without it over which strengths are compared
MOST = 1024  # tenths: the largest scale that is tried
STEP = 0.1  # between two scales, as in the paper


class FewShot:
    """A comparison for a `ClampPanel`: clamps -> the `Steer` in their place (Templeton et al. 2024, where a few-shot
    vector is compared with a feature). A `Steerer` brings its own along.

    The vector is the mean activation at the last token of texts with what the feature stands for, less that of texts
    without (`mean_difference`). Its scale, found by binary search to 0.1, is the one at which it moves the predictions
    as far as the clamps do: the mean over the tokens of four of the texts without, cut to one length, of

        KL(moved || as the model is), in nats,

    with both acting at every token. So the two texts are compared at one strength, not at the best of each. Of several
    clamps each has its own vector, and a share in the sum that is its part of sum |value| |d|, with its sign.

    Args:
        examples: {feature: (texts with what it stands for, texts without)}; or a dashboard: up to eight of a feature's
            top examples, each up to its strongest token, against the first of up to eight other features.

    Raises TypeError on examples of another kind, and ValueError if the SAE and the model do not belong together; at the
    call ValueError where the clamps have several scopes, or a feature has no texts.

    Example:
        >>> instead = FewShot(model, sae, {31: (["We saw the Golden Gate Bridge"], ["We saw the old mill"])})
        >>> instead([Clamp(31, 8.0)])[0].name  # doctest: +SKIP
        'mean difference at scale 3.4'
    """

    def __init__(self, model: Model | nn.Module, sae: SAE, examples: DashboardData | Mapping[int, Contrast]) -> None:
        expect(examples, (DashboardData, Mapping), "examples", "FewShot")
        self.model, site = check_pair(model, sae, "a mean difference", reconstructs=True)
        self.sae, self._hook_name, self._examples = sae, site.hook_name, examples
        self._vectors: dict[int, Tensor] = {}
        self._scales: dict[tuple[Clamp, ...], float] = {}

    def __call__(self, clamps: Sequence[Clamp]) -> list[Steer]:
        clamps = tuple(clamps)
        scopes = list(dict.fromkeys(c.scope for c in clamps))
        if len(scopes) > 1:
            raise ValueError(
                f"a mean difference stands for clamps of one scope, not of {', '.join(map(repr, scopes))}: "
                "clamp them one at a time"
            )
        if not clamps:
            return []
        vector = tuple(self._vector(clamps).tolist())
        everywhere = tuple(replace(c, scope="all") for c in clamps)
        if everywhere not in self._scales:
            self._scales[everywhere] = self._scale(everywhere, Steer(vector))
        scale = self._scales[everywhere]
        return [Steer(vector, scale, scopes[0], f"mean difference at scale {scale:.1f}")]

    def _vector(self, clamps: Sequence[Clamp]) -> Tensor:
        """float64 [d_in], model units."""
        for c in clamps:
            if c.feature not in self._vectors:
                found = mean_difference(self.model, self._hook_name, *self._texts(c.feature))
                self._vectors[c.feature] = torch.tensor(found.vector, dtype=torch.float64)
        lengths = self.sae.decoder_rows([c.feature for c in clamps]).norm(dim=-1).double().cpu()
        push = torch.tensor([c.value for c in clamps], dtype=torch.float64) * lengths
        total = float(push.abs().sum())
        share = push / total if total else torch.zeros_like(push)
        return share @ torch.stack([self._vectors[c.feature] for c in clamps])

    def _texts(self, feature: int) -> Contrast:
        feature = check_feature(self.sae, feature)
        if isinstance(self._examples, DashboardData):
            return self._of_dashboard(self._examples, feature)
        if feature not in self._examples:
            raise ValueError(
                f"there are no texts for feature {feature}: give FewShot(model, sae, {{{feature}: (with, without)}})"
            )
        return self._examples[feature]

    def _of_dashboard(self, data: DashboardData, feature: int) -> Contrast:
        others = [f for f in data.features.values() if f.feature != feature and f.top]
        own = data.features.get(feature)
        if own is None or not own.top or not others:
            raise ValueError(
                f"the dashboard has no examples of feature {feature} and of others to tell it from: "
                f"give texts of your own, FewShot(model, sae, {{{feature}: (with, without)}})"
            )
        spread = sorted({round(i * (len(others) - 1) / (TEXTS - 1)) for i in range(TEXTS)})
        return self._beginnings(own, TEXTS), [text for i in spread for text in self._beginnings(others[i], 1)]

    def _beginnings(self, feature: FeatureData, n: int) -> list[str]:
        """The strongest examples, each up to its strongest token."""
        begin = self.model.bos_token_id
        cut = ([i for i in e.token_ids[: e.peak + 1] if i != begin] for e in feature.top[:n])
        return [self.model.written(ids) for ids in cut if ids]

    def _scale(self, clamps: Sequence[Clamp], steer: Steer) -> float:
        """To 0.1: where KL reaches that of the clamps, the nearer of the two scales around it; 0 of nothing."""
        if not any(steer.vector):
            return 0.0
        rows = [self.model.tokens(text) for text in self._texts(clamps[0].feature)[1][:READ]]
        shortest = min(map(len, rows))
        tokens = torch.stack([row[:shortest] for row in rows])
        before = self.model.logits(tokens).double().log_softmax(-1)

        def moved(instead: Sequence[Clamp | Steer]) -> float:
            edit = Edit(self._hook_name, intervention_edit(self.sae, instead))
            logits = self.model.logits(tokens, edit)
            if not bool(finite(logits).all()):
                return float("inf")
            after = logits.double().log_softmax(-1)
            return float((after.exp() * (after - before)).sum(-1).mean())

        @cache
        def at(tenths: int) -> float:  # the two ends are asked for again
            return moved([replace(steer, scale=STEP * tenths)])

        wanted = moved(clamps)
        low, high = 0, 1
        while high < MOST and at(high) < wanted:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if at(middle) >= wanted else (middle, high)
        nearer = low if wanted - at(low) < at(high) - wanted else high
        return round(STEP * nearer, 1)
