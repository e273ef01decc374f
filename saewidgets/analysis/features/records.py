"""The records of features, each made when it is first asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saewidgets.analysis.features.ablation import with_effects
from saewidgets.analysis.features.correlations import NeuronCorrelations, TokenIndex
from saewidgets.analysis.features.examples import (
    N_BINS,
    Entries,
    bins_of,
    chance,
    drawn_positions,
    drawn_tokens,
    histograms,
    top_positions,
    windows,
)
from saewidgets.bars import bar
from saewidgets.memory import CELLS
from saewidgets.models import Model
from saewidgets.records import (
    FeatureActivations,
    FeatureData,
    FeatureExample,
    FeatureSummary,
    Histogram,
    Neighbor,
    TokenEffect,
)
from saewidgets.sae import SAE

N_EFFECTS = 10  # tokens promoted, and suppressed
N_SUMMARY = 5  # tokens that a list names a feature by
N_NEIGHBORS = 5
N_ENCODER = 3  # nearest encoder directions
N_CORRELATED = 3
N_NEURONS = 3
KEPT = 256  # records that stay in memory
BLOCK = 64  # features that are made together when all of them are asked for


@dataclass(frozen=True)
class Settings:
    """How many examples, and of what size; see `dashboard_data`."""

    n_top: int
    n_intervals: int
    per_interval: int
    window: int
    neuron_tokens: int
    seed: int
    per_context: int | None = None


class FeatureRecords(Mapping[int, FeatureData]):
    """Chosen features of one SAE over one corpus, as a mapping whose values are made on demand. Safe to share between
    threads.
    """

    def __init__(
        self,
        model: Model,
        sae: SAE,
        acts: FeatureActivations,
        chosen: np.ndarray,
        settings: Settings,
        labels: Mapping[int, str],
    ) -> None:
        self.model, self.sae, self.acts, self.settings = model, sae, acts, settings
        self.labels = dict(labels)
        self._chosen = chosen
        self._places = {f: i for i, f in enumerate(chosen.tolist())}
        self._density = acts.density
        self._kept: OrderedDict[int, FeatureData] = OrderedDict()
        self._lock = threading.Lock()

    # -- a mapping ---------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._chosen)

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __contains__(self, feature: object) -> bool:
        return feature in self._places

    def __getitem__(self, feature: int) -> FeatureData:
        if feature not in self._places:
            raise KeyError(feature)
        with self._lock:
            found = self._kept.get(feature)
        if found is None:
            (found,) = self._made([feature])
        return self._keep(found)

    def values(self) -> Any:
        """The records in ascending order, made a block at a time; they are not kept."""
        return _Values(self)

    def items(self) -> Any:
        """(feature, record) in ascending order, made a block at a time; they are not kept."""
        return _Items(self)

    def _all(self) -> Iterator[FeatureData]:
        for first in range(0, len(self._chosen), BLOCK):
            own = self._chosen[first : first + BLOCK].tolist()
            with self._lock:
                kept = {f: self._kept[f] for f in own if f in self._kept}
            made = iter(self._made([f for f in own if f not in kept]))
            yield from [kept[f] if f in kept else next(made) for f in own]

    def _keep(self, data: FeatureData) -> FeatureData:
        with self._lock:  # held for a moment only: another thread may measure while this one turns to the next feature
            before = self._kept.pop(data.feature, data)
            self._kept[data.feature] = data = before if before.measured else data
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return data

    # -- a source ----------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def summaries(self) -> tuple[FeatureSummary, ...]:
        """Every feature in ascending order, without its examples."""
        maximum = self.acts.maximum
        best: list[list[int]] = []
        for logits, _ in self._direct(self._chosen):
            best += logits.topk(min(N_SUMMARY, logits.shape[-1]), dim=-1).indices.tolist()
        return tuple(
            FeatureSummary(
                f,
                self.labels.get(f, ""),
                float(self._density[f]),
                float(maximum[f]),
                tuple(self._texts[t] for t in ids),
            )
            for f, ids in zip(self._places, best or [[]] * len(self._places), strict=True)
        )

    def measured(self, features: Iterable[int]) -> list[FeatureData]:
        """These features with loss effects, moved logits and correlated neurons."""
        chosen, found = list(features), []
        with bar(len(chosen), "making records", "features") as advance:
            for f in chosen:
                found.append(self[f])
                advance(1)
        todo = [f for f in found if not f.measured]
        if not todo:
            return found
        done = with_effects(self.model, self.sae, self.acts, todo, self._texts)
        done = [self._keep(replace(f, measured=True, **self._neurons.of(f.feature, N_NEURONS))) for f in done]
        by_feature = {f.feature: f for f in done}
        return [by_feature.get(f.feature, f) for f in found]

    def between(self, feature: int, low: float, high: float, n: int) -> tuple[FeatureExample, ...]:
        """Examples whose activation lies in [low, high), drawn by the seed, strongest first; the maximum is in the last
        interval.
        """
        entries = Entries.of(self.acts, np.array([feature]))
        inside = (entries.value >= low) & (
            (entries.value < high) | ((entries.value == entries.maximum[0]) & (high >= entries.value))
        )
        picked = np.flatnonzero(inside)
        picked = picked[np.argsort(chance(entries, self.settings.seed)[picked], kind="stable")[:n]]
        picked = picked[np.argsort(-entries.value[picked], kind="stable")]
        interval = (
            bins_of(entries, self.settings.n_intervals) if self.settings.n_intervals else np.full(len(entries.row), -1)
        )
        (found,) = windows(self.acts, entries, picked, interval[picked], self.settings.window, self._texts)
        return tuple(found)

    # -- making ------------------------------------------------------------------------------------------------------

    @cached_property
    def _texts(self) -> list[str]:
        return self.model.display(list(range(self.model.d_vocab)))

    @cached_property
    def _drawn(self) -> np.ndarray | None:
        """bool [context, pos]: the tokens that an example may be chosen for; None: all."""
        n = self.settings.per_context
        return None if n is None else drawn_tokens(self.acts.counted, n, self.settings.seed)

    def _eligible(self, entries: Entries) -> np.ndarray:
        """Positions in `entries` of what an example may be chosen for, ascending."""
        if self._drawn is None:
            return np.arange(len(entries.value))
        return np.flatnonzero(self._drawn[entries.context, self.acts.position[entries.index]])

    @cached_property
    def _alive(self) -> np.ndarray:
        return np.flatnonzero(np.diff(self.acts.start))

    @cached_property
    def _unit(self) -> tuple[Tensor, Tensor]:
        """[d_sae, d_in] both: decoder rows and encoder columns of length 1."""
        W_dec, W_enc = self.sae.W_dec.detach(), self.sae.W_enc.detach().T
        return tuple(torch.nn.functional.normalize(W.float(), dim=-1) for W in (W_dec, W_enc))  # type: ignore[return-value]

    @cached_property
    def _tokens(self) -> TokenIndex:
        return TokenIndex(self.acts)

    @cached_property
    def _neurons(self) -> NeuronCorrelations:
        return NeuronCorrelations(
            self.model, self.sae, self._tokens, n_tokens=self.settings.neuron_tokens, seed=self.settings.seed
        )

    @torch.inference_mode()
    def _made(self, features: Sequence[int]) -> list[FeatureData]:
        """The records of some features, ascending, without what needs a forward pass."""
        if not features:
            return []
        chosen = np.asarray(features, np.int64)
        s = self.settings
        entries = Entries.of(self.acts, chosen)
        own = self._eligible(entries)
        seen = entries.only(own)
        positions, interval = top_positions(seen, s.n_top)
        top = windows(self.acts, entries, own[positions], interval, s.window, self._texts)
        positions, interval = drawn_positions(seen, s.n_intervals, s.per_interval, s.seed)
        drawn = windows(self.acts, entries, own[positions], interval, s.window, self._texts)
        counted = histograms(entries)
        effects = self._logit_effects(chosen)
        near, near_encoder = self._neighbors(chosen)
        return [
            FeatureData(
                feature=f,
                maximum=float(entries.maximum[i]),
                density=float(self._density[f]),
                top=tuple(top[i]),
                intervals=tuple(drawn[i]),
                histogram=counted[i],
                promoted=effects[i][0],
                suppressed=effects[i][1],
                neighbors=near[i],
                label=self.labels.get(f, ""),
                logit_histogram=effects[i][2],
                encoder_neighbors=near_encoder[i],
                correlated=self._tokens.correlated(f, self._unit[0], N_CORRELATED),
                aligned_neurons=self._neurons.aligned(f, N_NEURONS),
            )
            for i, f in enumerate(chosen.tolist())
        ]

    def _direct(self, chosen: np.ndarray) -> Iterator[tuple[Tensor, np.ndarray]]:
        """([features, d_vocab] direct logit effects, which features), some at a time; nothing where they cannot be
        read.

        What an SAE says of neurons goes on through their own output weights. Of a query, a key or a single head it is
        not known.
        """
        directions = self.sae.decoder_rows(torch.from_numpy(chosen))
        if self._neurons.reads_neurons:
            directions = directions.to(self.model.device) @ self.model.neuron_writes(self._neurons.layer)
        if directions.shape[-1] != self.model.d_model:
            return
        step = max(1, CELLS // self.model.d_vocab)
        for first in range(0, len(chosen), step):
            block = directions[first : first + step].to(self.model.device)
            yield self.model.direction_logits(block).float(), chosen[first : first + step]

    def _logit_effects(
        self, chosen: np.ndarray
    ) -> list[tuple[tuple[TokenEffect, ...], tuple[TokenEffect, ...], Histogram | None]]:
        """(promoted, suppressed, all as a histogram) by direct effect, for each unit of activation."""
        out: list[tuple[tuple[TokenEffect, ...], tuple[TokenEffect, ...], Histogram | None]] = []
        n = min(N_EFFECTS, self.model.d_vocab)
        for logits, block in self._direct(chosen):
            ends = [logits.topk(n, dim=-1, largest=largest) for largest in (True, False)]
            listed = [(end.indices.tolist(), end.values.tolist()) for end in ends]
            rows = logits.cpu().numpy()
            for i in range(len(block)):
                promoted, suppressed = (
                    tuple(TokenEffect(self._texts[t], t, v) for t, v in zip(ids[i], values[i], strict=True))
                    for ids, values in listed
                )
                counts, edges = np.histogram(rows[i], bins=N_BINS)
                out.append((promoted, suppressed, Histogram(tuple(edges.tolist()), tuple(counts.tolist()))))
        return out or [((), (), None)] * len(chosen)

    def _neighbors(self, chosen: np.ndarray) -> tuple[list[tuple[Neighbor, ...]], list[tuple[Neighbor, ...]]]:
        """The live features with the nearest decoder directions, and those with the nearest encoder directions."""
        decoder, encoder = self._unit
        others = torch.from_numpy(self._alive).to(decoder.device)
        by_decoder: list[tuple[Neighbor, ...]] = []
        by_encoder: list[tuple[Neighbor, ...]] = []
        everyone = len(self._alive) == len(decoder)
        for block in torch.from_numpy(chosen).to(decoder.device).split(max(1, CELLS // max(1, len(others)))):
            itself = block[:, None] == others
            both = [unit[block] @ (unit if everyone else unit[others]).T for unit in (decoder, encoder)]
            for own, out, n in ((0, by_decoder, N_NEIGHBORS), (1, by_encoder, N_ENCODER)):
                ranked = both[own].masked_fill(itself, -2.0)
                best = ranked.topk(min(n, len(others)), dim=-1)
                cosines = [c.gather(-1, best.indices).tolist() for c in both]
                for ids, *values in zip(others[best.indices].tolist(), best.values.tolist(), *cosines, strict=True):
                    out.append(
                        tuple(Neighbor(f, d, e) for f, rank, d, e in zip(ids, *values, strict=True) if rank > -2.0)
                    )
        return by_decoder, by_encoder


class _Values:
    def __init__(self, records: FeatureRecords) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[FeatureData]:
        return self._records._all()


class _Items(_Values):
    def __iter__(self) -> Iterator[Any]:
        return ((f.feature, f) for f in self._records._all())
