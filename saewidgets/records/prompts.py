"""What every feature does on one text, as data: the second interface of Bricken et al. 2023."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Protocol

import numpy as np
import pandas as pd

from saewidgets.records import marks
from saewidgets.records.arguments import require_features
from saewidgets.records.dialogues import Dialogue
from saewidgets.records.features import Passport
from saewidgets.records.marks import Axes
from saewidgets.records.saved import Saved
from saewidgets.records.tables import frame

_EntryInts = Annotated[np.ndarray, Axes("n", dtype=np.int32)]
_EntryFloats = Annotated[np.ndarray, Axes("n", dtype=np.float32)]
_ListedInts = Annotated[np.ndarray, Axes("n_listed", dtype=np.int32)]
_ListedFloats = Annotated[np.ndarray, Axes("n_listed", dtype=np.float32)]
_TokenFloats = Annotated[np.ndarray, Axes("pos", dtype=np.float32)]
_LossEffects = Annotated[np.ndarray, Axes("n_listed", "pos", dtype=np.float32)]


@dataclass(frozen=True, eq=False)
class PromptActivations(Saved):
    """Every (token, feature) pair with a non-zero activation in one text, and what was measured of each.

    Entry i says that feature `feature[i]` has activation `value[i]` at token `position[i]`. Entries are sorted by
    position, and within one by falling activation, then by feature. Arrays over `listed` hold one number for each
    feature that is active anywhere in the text. Measures that nobody asked for are None; a number that has no meaning
    is nan.

    Raises ValueError on arrays that do not fit one another, or entries out of order.
    """

    KIND = "prompt"
    MAX_BYTES = 256 << 20

    text: str
    tokens: Annotated[tuple[str, ...], Axes("pos")]  # display text of each token, the beginning-of-text token included
    token_ids: Annotated[tuple[int, ...], Axes("pos")]
    counted: Annotated[tuple[bool, ...], Axes("pos")]  # False at special tokens, where no activation is kept
    feature: _EntryInts
    position: _EntryInts  # index into `tokens`
    value: _EntryFloats  # activation in SAE units, > 0
    listed: _ListedInts  # the features of `feature`, each once, ascending
    passport: Passport  # `n_tokens` is 0 where no corpus was given
    maximum: _ListedFloats  # largest activation over the corpus, SAE units; nan without a corpus
    density: _ListedFloats  # share of corpus tokens at which it is active; nan without a corpus
    quantile: _EntryFloats  # share of the feature's non-zero activations in the corpus that are at most `value`
    loss: _TokenFloats  # nats: -log p(this token | those before); nan at the first
    labels: Mapping[int, str] = field(default_factory=dict)  # what listed features stand for, where known
    target: str = ""  # display text of the token whose logit was asked for after the last token; "": none was
    baseline: str = ""  # of the token whose logit is subtracted; "": the mean over the vocabulary
    logit_difference: marks.NanOr = math.nan  # logit of `target` minus that of `baseline`
    attribution: _EntryFloats | None = None  # logits: activation x decoder row . gradient
    # logits: difference as it is, minus that without this one activation; nan: not measured
    ablation: _EntryFloats | None = None
    # nats: loss without the feature anywhere, minus `loss`
    loss_effect: _LossEffects | None = None
    dialogue: Dialogue | None = None  # that `text` is the model's own form of; older files have none
    # of each token, the turn whose words it holds, -1 for the template's own; None: no dialogue, or it cannot be told
    turn: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name, dtype in marks.dtypes(PromptActivations).items():
            array = getattr(self, name)
            if array is not None:
                array = np.ascontiguousarray(array, dtype)
                object.__setattr__(self, name, array)
        object.__setattr__(self, "labels", {int(f): str(label) for f, label in self.labels.items()})
        if self.loss_effect is not None and not len(
            self.loss_effect
        ):  # a list of no rows does not say how long they are
            object.__setattr__(self, "loss_effect", np.zeros((0, len(self.tokens)), np.float32))
        marks.fit(self)
        problem = self._problem()
        if problem:
            raise ValueError(problem)

    def _problem(self) -> str:
        n, pos = len(self.value), len(self.tokens)
        turns = 0 if self.dialogue is None else len(self.dialogue)
        if self.turn is not None and (len(self.turn) != pos or not all(-1 <= n < turns for n in self.turn)):
            return f"`turn` does not say of each of {pos} tokens which of {turns} turns it is of"
        if not np.array_equal(np.unique(self.feature), self.listed):
            return "`listed` is not the features of the entries, each once and ascending"
        if n and (self.listed[0] < 0 or self.listed[-1] >= self.passport.d_sae):
            return f"a feature lies outside 0 to {self.passport.d_sae - 1}"
        if n and (self.position.min() < 0 or self.position.max() >= pos):
            return f"an entry stands at a position outside 0 to {pos - 1}"
        if not (np.isfinite(self.value).all() and (self.value > 0).all()):
            return "an activation is not a positive finite number"
        order = np.lexsort((self.feature, -self.value, self.position))
        if not np.array_equal(order, np.arange(n)):
            return "the entries are not sorted by position, falling activation and feature"
        return ""

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self.tokens)

    def __repr__(self) -> str:
        return f"PromptActivations({len(self)} tokens, {len(self.listed)} features, {len(self.value)} activations)"

    def of(self, feature: int) -> np.ndarray:
        """float32 [pos]: one feature's activation at every token; zeros for one that is nowhere active.

        Raises IndexError on a feature that the SAE does not have.
        """
        (feature,) = require_features([feature], self.passport.d_sae)
        out = np.zeros(len(self), np.float32)
        own = self.feature == feature
        out[self.position[own]] = self.value[own]
        return out

    @property
    def next_loss_effect(self) -> np.ndarray | None:
        """float32 [n], nats: what leaving the entry's feature out of the whole text does to the loss of the token after
        it.

        nan at the last token; None where it was not measured. Above 0: the feature helps to predict that token.
        """
        if self.loss_effect is None:
            return None
        out = np.full(len(self.value), np.nan, np.float32)
        inside = self.position + 1 < len(self)
        row = np.searchsorted(self.listed, self.feature[inside])
        out[inside] = self.loss_effect[row, self.position[inside] + 1]
        return out

    def correlations(self) -> tuple[float, float]:
        """Pearson's r over the entries that were ablated: (attribution with ablation, activation with ablation).

        nan where the measures are missing, there are fewer than two entries, or one of the columns is constant.
        `n_ablated` says how many there are: where not all are, those of largest |attribution|.
        """
        if self.attribution is None or self.ablation is None:
            return math.nan, math.nan
        own = np.isfinite(self.ablation)
        return _pearson(self.attribution[own], self.ablation[own]), _pearson(self.value[own], self.ablation[own])

    @property
    def n_ablated(self) -> int:
        """Entries whose ablation was measured."""
        return 0 if self.ablation is None else int(np.isfinite(self.ablation).sum())

    def to_dataframe(self) -> pd.DataFrame:
        """One row an entry: position, token, feature, label, activation, quantile, maximum, density, attribution,
        ablation, loss_effect (on the next token). Measures that nobody asked for are left out.
        """
        row = np.searchsorted(self.listed, self.feature)
        columns: dict[str, Any] = {
            "position": self.position,
            "token": [self.tokens[p] for p in self.position.tolist()],
            "feature": self.feature,
            "label": [self.labels.get(f, "") for f in self.feature.tolist()],
            "activation": self.value,
            "quantile": self.quantile,
            "maximum": self.maximum[row],
            "density": self.density[row],
        }
        measures = {"attribution": self.attribution, "ablation": self.ablation, "loss_effect": self.next_loss_effect}
        return frame(columns | {name: own for name, own in measures.items() if own is not None})

    def by_feature(self) -> pd.DataFrame:
        """One row per feature: feature, label, n (tokens at which it is active), activation (its largest here),
        position (of that), token (there), quantile (of that), maximum and density (over the corpus), and, where they
        were measured, attribution and ablation (sums over its tokens, nan if one was not measured), loss_effect (sum
        over the text, nats). Strongest share of its maximum first, or strongest activation without a corpus.
        """
        entries = self.to_dataframe().drop(columns="loss_effect", errors="ignore")
        best = entries.sort_values(["activation", "position"], ascending=[False, True], kind="stable")
        best = best.drop_duplicates("feature").set_index("feature").sort_index()
        grouped = entries.groupby("feature")
        best.insert(1, "n", grouped.size())
        for name in {"attribution", "ablation"} & set(entries.columns):
            best[name] = grouped[name].agg(lambda own: own.sum(skipna=False))
        if self.loss_effect is not None:
            best["loss_effect"] = np.nansum(self.loss_effect.astype(np.float64), axis=1)
        share = best["activation"] / best["maximum"] if self.passport.n_tokens else best["activation"]
        order = np.argsort(-share.fillna(0.0).to_numpy(), kind="stable")
        names = ["feature", "label", "n", "activation", "position", "token", "quantile", "maximum", "density"]
        names += [name for name in ("attribution", "ablation", "loss_effect") if name in best.columns]
        return best.reset_index().iloc[order].reset_index(drop=True)[names]

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types; nan is null."""
        data: dict[str, Any] = {"format": self.FORMAT}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                value = _listed(value)
            elif name == "passport" or isinstance(value, Dialogue):
                value = asdict(value)
            elif name == "labels":
                value = {str(f): label for f, label in value.items()}
            elif name == "logit_difference":
                value = None if math.isnan(value) else value
            data[name] = list(value) if isinstance(value, tuple) else value
        return data


class Prober(Protocol):
    """Whatever says which features are active on a text: `prober(model, sae)`, or saved records behind a function."""

    def __call__(
        self, text: str | Dialogue, *, target: str = "", baseline: str = "", losses: bool | Sequence[int] = False
    ) -> PromptActivations:
        """The features on `text`.

        With `target`, the text of one token, also attribution and ablation of its logit after the last token, less that
        of `baseline` ("": the mean over the vocabulary). With `losses`, also what leaving each feature out does to the
        loss of every token; a list of features measures those alone, and the other rows are nan. Raises ValueError on a
        text that does not fit, or a target that is not one token.
        """
        ...


def _listed(array: np.ndarray) -> list[Any]:
    if array.dtype.kind != "f":
        value: list[Any] = array.tolist()
        return value
    values = [None if math.isnan(v) else v for v in array.ravel().tolist()]
    if array.ndim == 1:
        return values
    return [values[i : i + array.shape[1]] for i in range(0, len(values), array.shape[1])]


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of two columns, in float64; nan where it has none."""
    if len(a) < 2:
        return math.nan
    x, y = (v.astype(np.float64) - v.mean(dtype=np.float64) for v in (a, b))
    scale = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / scale if scale > 0 else math.nan
