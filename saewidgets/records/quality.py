"""How good an SAE is, as numbers and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd

from saewidgets.records.arguments import expect
from saewidgets.records.tables import frame


@dataclass(frozen=True)
class Quality:
    """One SAE on one corpus. Tokens are the counted ones: neither padding nor, unless asked for, special ones.

    Losses are next-token cross-entropies of the model in nats per token, KL divergences are from the clean model's
    next-token distribution, nats per token as well. "Spliced" has x_hat in place of x; "ablated" has 0, "mean-ablated"
    the mean of x.

    Example:
        >>> q = Quality(fvu=0.1, l0=12.0, dead_share=0.0, loss_clean=1.0, loss_spliced=1.5, loss_ablated=6.0, n_tokens=99, n_predictions=98)
        >>> q.explained_variance, q.loss_recovered
        (0.9, 0.9)
    """

    fvu: float  # fraction of variance unexplained: sum |x - x_hat|^2 / sum |x - mean x|^2
    l0: float  # mean number of active features a token
    dead_share: float  # share (0 to 1) of features that never fired in `dead_window` tokens
    loss_clean: float  # of the model itself
    loss_spliced: float  # with x_hat in place of x
    loss_ablated: float  # with 0 in place of x
    n_tokens: int  # tokens behind all that is not a loss or a divergence
    n_predictions: int  # next tokens behind the losses and divergences
    mse: float = float("nan")  # mean of (x - x_hat)^2 over tokens and dimensions, model units squared
    cosine: float = float("nan")  # mean over tokens of cos(x, x_hat)
    l2_ratio: float = float("nan")  # mean over tokens of |x_hat| / |x|: below 1 is shrinkage
    loss_mean_ablated: float = float("nan")  # with the mean of x in place of x
    kl_spliced: float = float("nan")  # KL(clean || spliced)
    kl_ablated: float = float("nan")  # KL(clean || ablated)
    kl_mean_ablated: float = float("nan")  # KL(clean || mean-ablated)
    n_left_out: int = 0  # tokens that do not count since their activation is longer than the site's `max_norm`
    top_share: float = 0.0  # share of the variance that the 1 % of the tokens farthest from the mean hold

    @property
    def explained_variance(self) -> float:
        """1 - fvu: variance about the mean. 0 for an SAE that always gives the mean, 1 for a perfect one."""
        return 1.0 - self.fvu

    @property
    def dead_window(self) -> int:
        """Tokens over which a feature had to be silent to be called dead: all that were counted."""
        return self.n_tokens

    @property
    def loss_recovered(self) -> float:
        """(ablated - spliced) / (ablated - clean): 1 if the SAE costs the model nothing, 0 if it is as bad as zeros."""
        return _share(self.loss_ablated, self.loss_spliced, self.loss_clean)

    @property
    def loss_recovered_mean(self) -> float:
        """The same with the mean of x for zeros, a harder baseline: 0 if the SAE is as bad as a constant."""
        return _share(self.loss_mean_ablated, self.loss_spliced, self.loss_clean)

    @property
    def kl_recovered(self) -> float:
        """1 - KL(clean || spliced) / KL(clean || ablated)."""
        return _share(self.kl_ablated, self.kl_spliced, 0.0)

    @property
    def kl_recovered_mean(self) -> float:
        """1 - KL(clean || spliced) / KL(clean || mean-ablated)."""
        return _share(self.kl_mean_ablated, self.kl_spliced, 0.0)

    def to_dataframe(self, name: str = "SAE") -> pd.DataFrame:
        """One row, `name` its index, one column a number; the derived ones included."""
        derived = ("explained_variance", "loss_recovered", "loss_recovered_mean", "kl_recovered", "kl_recovered_mean")
        row = asdict(self) | {key: getattr(self, key) for key in (*derived, "dead_window")}
        return frame([row], index=[name])


def quality_table(found: Mapping[str, Quality]) -> pd.DataFrame:
    """One row an SAE: what `Quality.to_dataframe` has."""
    fits = isinstance(found, Mapping) and all(isinstance(q, Quality) for q in found.values()) and found
    expect(found, bool(fits), "found", "quality_table", "give {name: sw.quality(model, sae, corpus)}")
    return pd.concat([q.to_dataframe(name) for name, q in found.items()])


@dataclass(frozen=True, eq=False)
class Firing:
    """How often each feature fires, and what its weights look like (Bricken et al. 2023, the ultralow-density cluster)."""

    count: np.ndarray  # int64 [d_sae], counted tokens at which the feature is active
    total: np.ndarray  # float64 [d_sae], sum of its activations, SAE units
    n_tokens: int  # counted tokens: the window in which a feature was dead or not
    bias: np.ndarray  # float64 [d_sae], encoder bias, SAE units
    alignment: np.ndarray  # float64 [d_sae], cosine of the feature's encoder column and decoder row

    @property
    def density(self) -> np.ndarray:
        """float64 [d_sae], share of tokens at which each feature is active."""
        return self.count / max(self.n_tokens, 1)

    @property
    def dead(self) -> np.ndarray:
        """bool [d_sae], never active in `n_tokens` tokens."""
        value: np.ndarray = self.count == 0
        return value

    @property
    def ultralow_below(self) -> float:
        """The density that parts the ultralow cluster from the rest, or 0 where there is no such cluster.

        The density of log10 densities is smoothed (Gaussian, 0.2 decades). A cluster is what lies below a valley that
        is less than half as high as the peaks on both its sides, which stand a decade apart or more; the lowest such
        valley counts. It holds fewer than half of the live features: otherwise it is the dense ones that are unusual.
        """
        logs = np.log10(self.density[~self.dead])
        if not len(logs):
            return 0.0
        grid = np.arange(logs.min() - 1, logs.max() + 1.02, 0.02)
        smooth = np.zeros(len(grid))
        for value, n in zip(*np.unique(logs, return_counts=True), strict=True):
            smooth += n * np.exp(-(((grid - value) / 0.2) ** 2) / 2)
        left, right = np.maximum.accumulate(smooth), np.maximum.accumulate(smooth[::-1])[::-1]
        valley = smooth < 0.5 * np.minimum(left, right)
        # A peak to the left and one to the right, a decade apart: where the running maxima were reached.
        peak_left = grid[[int(np.argmax(smooth[: i + 1])) for i in range(len(grid))]]
        peak_right = grid[[i + int(np.argmax(smooth[i:])) for i in range(len(grid))]]
        valley &= peak_right - peak_left >= 1
        # Above the median it is the dense ones that stand apart.
        valley &= np.searchsorted(np.sort(logs), grid) < len(logs) / 2
        if not valley.any():
            return 0.0
        first = int(np.argmax(valley))
        last = first + int(np.argmin(np.append(valley[first:], False)))
        return float(10 ** grid[first + int(np.argmin(smooth[first:last]))])

    @property
    def ultralow(self) -> np.ndarray:
        """bool [d_sae], alive and below `ultralow_below`."""
        return ~self.dead & (self.density < self.ultralow_below)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per feature: feature, density, mean_active (its mean activation where it fires), bias, alignment,
        cluster.
        """
        cluster = np.where(self.dead, "dead", np.where(self.ultralow, "ultralow", "usual"))
        with np.errstate(invalid="ignore"):
            mean = self.total / self.count
        return frame(
            {
                "feature": np.arange(len(self.count)),
                "density": self.density,
                "mean_active": mean,
                "bias": self.bias,
                "alignment": self.alignment,
                "cluster": cluster,
            }
        )


@dataclass(frozen=True, eq=False)
class ConceptDetectors:
    """For each planted concept, the feature and threshold that tell it best, chosen on one half of the documents and
    told on the other. nan and -1 where a half has no token of the concept.
    """

    concepts: tuple[str, ...]
    feature: np.ndarray  # int64 [concept], the best one by F1 on the choosing half, -1 for none
    threshold: np.ndarray  # float64 [concept], SAE units: the feature says yes at activations of this or more
    precision: np.ndarray  # float64 [concept], on the telling half, as are the next three
    recall: np.ndarray  # float64 [concept]
    f1: np.ndarray  # float64 [concept]
    auroc: np.ndarray  # float64 [concept], of the feature, whatever the threshold
    chosen_f1: np.ndarray  # float64 [concept], F1 on the choosing half: how much of it was luck shows beside `f1`
    n_tokens: np.ndarray  # int64 [concept], tokens of the concept in the telling half
    splits: tuple[tuple[int, ...], ...]  # features that share the concept, best first; see `concept_detectors`

    def to_dataframe(self) -> pd.DataFrame:
        """One row a concept: every field, and n_features, how many features share it."""
        return frame(
            {
                "concept": self.concepts,
                "feature": self.feature,
                "threshold": self.threshold,
                "precision": self.precision,
                "recall": self.recall,
                "f1": self.f1,
                "auroc": self.auroc,
                "chosen_f1": self.chosen_f1,
                "n_tokens": self.n_tokens,
                "n_features": [len(s) for s in self.splits],
                "splits": self.splits,
            }
        )


@dataclass(frozen=True)
class AbsorbedPair:
    """A general concept and one that it contains."""

    parent: str
    child: str
    parent_features: tuple[int, ...]  # that stand for the general concept
    child_feature: int  # that stands for the specific one, -1 for none
    cosine: float  # between the child feature's decoder row and the general concept's direction
    n_tokens: int  # tokens of the child at which the general concept is represented
    silent: int  # of those, tokens at which every parent feature is silent
    absorbed: int  # of those, tokens at which the child's feature stands in for them

    @property
    def rate(self) -> float:
        """absorbed / n_tokens, nan for none."""
        return self.absorbed / self.n_tokens if self.n_tokens else float("nan")


@dataclass(frozen=True)
class Absorption:
    """Feature absorption over all pairs of nested concepts. See `saewidgets.analysis.quality.absorption`."""

    pairs: tuple[AbsorbedPair, ...]

    @property
    def rate(self) -> float:
        """Absorbed share of all tokens counted, over all pairs; nan for none."""
        n = sum(p.n_tokens for p in self.pairs)
        return sum(p.absorbed for p in self.pairs) / n if n else float("nan")

    def to_dataframe(self) -> pd.DataFrame:
        """One row a pair, the fields of `AbsorbedPair` and the rate."""
        columns = [*AbsorbedPair.__dataclass_fields__, "rate"]
        return frame([[getattr(p, c) for c in columns] for p in self.pairs], columns=columns)


@dataclass(frozen=True, eq=False)
class FeatureMatches:
    """For each live feature of one SAE, the feature of another whose activations correlate with its own most."""

    feature: np.ndarray  # int64 [n], live features of the first
    match: np.ndarray  # int64 [n], of the second, -1 where no feature is ever active together with it
    correlation: np.ndarray  # float64 [n], Pearson's, over all counted tokens
    mutual: np.ndarray  # bool [n], whether the match's own best is this feature
    cosine: np.ndarray  # float64 [n], between the decoder rows; nan where the SAEs read different widths
    logit_correlation: np.ndarray  # float64 [n], Pearson's between their direct logit effects; nan without a model
    # float64 [n], the correlation of the best match with the other's tokens shuffled, -1 for none; empty where it was
    # not asked for
    null: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def to_dataframe(self) -> pd.DataFrame:
        """One row per feature, the fields above; `null` where it was asked for."""
        names = [name for name in self.__dataclass_fields__ if name != "null" or len(self.null)]
        return frame({name: getattr(self, name) for name in names})


@dataclass(frozen=True, eq=False)
class LogitPair:
    """The direct logit effects of one feature of each of two SAEs. See `saewidgets.analysis.quality.logit_pair`."""

    tokens: tuple[str, ...]  # [d_vocab]
    first: np.ndarray  # float64 [d_vocab], what a unit of the first's decoder direction adds to each logit, mean 0
    second: np.ndarray  # float64 [d_vocab]
    features: tuple[int, int]
    saes: tuple[str, str]  # names, "" where not known

    @property
    def correlation(self) -> float:
        """Pearson's over the vocabulary."""
        return float(np.corrcoef(self.first, self.second)[0, 1])

    def to_dataframe(self) -> pd.DataFrame:
        """One row per token: token, first, second."""
        return frame({"token": self.tokens, "first": self.first, "second": self.second})


@dataclass(frozen=True, eq=False)
class Splitting:
    """Which features of a larger SAE continue each feature of a smaller one (feature splitting)."""

    parent: np.ndarray  # int64 [d_large], feature of the smaller SAE, -1 for none
    cosine: (
        np.ndarray
    )  # float64 [d_large], decoder cosine with that parent (the largest over parents where it has none)
    together: np.ndarray  # float64 [d_large], share of the child's tokens at which that parent is active too
    alive: np.ndarray  # bool [d_small], live features of the smaller SAE

    @property
    def n_children(self) -> np.ndarray:
        """int64 [d_small], children of each feature of the smaller SAE."""
        return np.bincount(self.parent[self.parent >= 0], minlength=len(self.alive))

    def children(self, feature: int) -> np.ndarray:
        """int64: the children of a feature of the smaller SAE, the nearest first."""
        own = np.flatnonzero(self.parent == feature)
        return own[np.argsort(-self.cosine[own], kind="stable")]

    def to_dataframe(self) -> pd.DataFrame:
        """One row a child: child, parent, cosine, together."""
        own = np.flatnonzero(self.parent >= 0)
        return frame(
            {"child": own, "parent": self.parent[own], "cosine": self.cosine[own], "together": self.together[own]}
        )


def _share(worst: float, found: float, best: float) -> float:
    return (worst - found) / (worst - best) if worst != best else float("nan")
