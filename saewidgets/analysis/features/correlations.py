"""Which features and which neurons are active together, by Pearson's r over the tokens of a corpus."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from saewidgets.activations import harvest
from saewidgets.bars import bar
from saewidgets.models import Model
from saewidgets.records import Correlation, FeatureActivations, NeuronLink
from saewidgets.sae import SAE

ROWS = 512  # features whose correlations are computed at a time

_LAYER = re.compile(r"blocks\.(\d+)\.")


class TokenIndex:
    """The activations of a corpus a second time, by token: which features are active beside a given one.

    Takes 8 bytes per activation and 8 a token, and is made when it is first used.
    """

    def __init__(self, acts: FeatureActivations) -> None:
        self.acts = acts
        self.n = max(acts.n_tokens, 1)
        self.width = acts.tokens.shape[1]
        self._making = threading.Lock()  # two threads may ask at once, and it is large

    @cached_property
    def _by_token(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(feature [nnz], value [nnz], start [context * pos + 1]), sorted by token."""
        cell = self.acts.context.astype(np.int64) * self.width + self.acts.position
        order = np.argsort(cell, kind="stable")
        start = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=self.acts.tokens.size))])
        del cell
        feature = np.repeat(np.arange(self.acts.d_sae, dtype=np.int32), np.diff(self.acts.start))
        return feature[order], self.acts.value[order], start

    @cached_property
    def sums(self) -> tuple[np.ndarray, np.ndarray]:
        """float64 [d_sae] both: sum of a_f and sum of a_f^2 over the corpus."""
        return _sums(self.acts.value, self.acts.start, 1), _sums(self.acts.value, self.acts.start, 2)

    def at(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(which of the cells, feature, value) of every activation at some tokens, cell = context * pos + position."""
        with self._making:
            feature, value, start = self._by_token
        count = start[cells + 1] - start[cells]
        which = np.repeat(np.arange(len(cells)), count)
        index = np.arange(len(which)) + (start[cells] - (np.cumsum(count) - count))[which]
        return which, feature[index], value[index]

    def products(self, feature: int) -> np.ndarray:
        """float64 [d_sae]: sum over the tokens of a_feature a_g, for every feature g."""
        context, position, value = self.acts.of(feature)
        which, others, theirs = self.at(context.astype(np.int64) * self.width + position)
        return np.bincount(others, value[which].astype(np.float64) * theirs, minlength=self.acts.d_sae)

    def correlated(self, feature: int, unit: Tensor, n: int) -> tuple[Correlation, ...]:
        """The n other features of largest r over all counted tokens; unit [d_sae, d_in] are the decoder's directions.

            r = (E[a_f a_g] - E[a_f] E[a_g]) / (sd a_f  sd a_g),  cosine = E[a_f a_g] / sqrt(E[a_f^2] E[a_g^2])

        Only features that share an active token are listed.
        """
        products = self.products(feature)
        total, squares = self.sums
        r, cosine = pearson(products, total[feature], squares[feature], total, squares, self.n)
        r = np.where(products > 0, r, -2.0)
        r[feature] = -2.0
        best = np.argsort(-r, kind="stable")[:n]
        best = best[r[best] > -2.0]
        decoder = (unit[best] @ unit[feature]).tolist()
        return tuple(Correlation(int(g), float(r[g]), float(cosine[g]), d) for g, d in zip(best, decoder, strict=True))


class NeuronCorrelations:
    """The neurons of the MLP of the layer that an SAE reads, beside its features.

    Which neurons write where a feature points (`aligned`) needs weights alone. Which are active together with it (`of`)
    is measured once, for all features, over a sample of the corpus; the number of its tokens is in every record.
    """

    def __init__(self, model: Model, sae: SAE, index: TokenIndex, *, n_tokens: int, seed: int) -> None:
        self.model, self.sae, self.index = model, sae, index
        self.n_tokens, self.seed = n_tokens, seed
        site = sae.config.site
        self.site_name = site.hook_name if site is not None else ""
        found = _LAYER.match(self.site_name)
        self.layer = int(found[1]) if found else -1
        self._measuring = threading.Lock()
        self.reads_neurons = self.layer >= 0 and self.site_name.endswith(".mlp.hook_post")

    @cached_property
    def _unit(self) -> Tensor | None:
        """[d_mlp, d_in]: what each neuron writes, of length 1, in the space that the SAE reads; None where there is no
        such thing.
        """
        if self.layer < 0:
            return None
        if self.reads_neurons:
            return torch.eye(self.sae.config.d_in)
        try:
            writes = self.model.neuron_writes(self.layer).float().cpu()
        except ValueError:
            return None
        return F.normalize(writes, dim=-1) if writes.shape[1] == self.sae.config.d_in else None

    def _cosines(self, feature: int) -> tuple[np.ndarray, np.ndarray]:
        assert self._unit is not None
        decoder, encoder = self.sae.W_dec[feature], self.sae.W_enc[:, feature]
        both = [(self._unit @ F.normalize(v.detach().float().cpu(), dim=-1)).numpy() for v in (decoder, encoder)]
        return both[0], both[1]

    def aligned(self, feature: int, n: int) -> tuple[NeuronLink, ...]:
        """The n neurons of largest |cosine| with the feature's decoder row; () where the site has no neurons beside it."""
        if self._unit is None:
            return ()
        decoder, encoder = self._cosines(feature)
        best = np.argsort(-np.abs(decoder), kind="stable")[:n]
        return tuple(NeuronLink(self.layer, int(k), float(decoder[k]), float(encoder[k])) for k in best)

    def of(self, feature: int, n: int) -> Mapping[str, Any]:
        """The measured fields of a record: `correlated_neurons`, and `aligned_neurons` with their correlations."""
        with self._measuring:
            measured = self._measured if self._unit is not None else None
        if measured is None:
            return {}
        r, cosine, counted = measured
        decoder, encoder = self._cosines(feature)

        def link(k: int) -> NeuronLink:
            known = np.isfinite(r[feature, k])
            return NeuronLink(
                self.layer,
                k,
                float(decoder[k]),
                float(encoder[k]),
                float(r[feature, k]) if known else None,
                float(cosine[feature, k]) if known else None,
            )

        ranked = np.where(np.isfinite(r[feature]), r[feature], -2.0)
        best = np.argsort(-ranked, kind="stable")[:n]
        strongest = np.argsort(-np.abs(decoder), kind="stable")[:n]
        return {
            "correlated_neurons": tuple(link(int(k)) for k in best if ranked[k] > -2.0),
            "aligned_neurons": tuple(link(int(k)) for k in strongest),
            "neuron_tokens": counted,
        }

    @cached_property
    def _measured(self) -> tuple[np.ndarray, np.ndarray, int] | None:
        """(r [d_sae, d_mlp], cosine [d_sae, d_mlp], tokens behind them); not finite where either is constant there."""
        acts, d_sae = self.index.acts, self.sae.config.d_sae
        chosen = sample_contexts(acts, self.n_tokens, self.seed)
        wanted = acts.counted & chosen[:, None]
        hook_name = f"blocks.{self.layer}.mlp.hook_post"
        products: Tensor | None = None
        total = squares = torch.zeros((), dtype=torch.float32)
        a_total, a_squares = np.zeros(d_sae), np.zeros(d_sae)
        try:
            with bar(int(wanted.sum()), "reading neurons", "tokens") as advance:
                for context, position, neurons in harvest(self.model, hook_name, acts.tokens, wanted):
                    neurons = neurons.cpu()  # [n, d_mlp]
                    which, feature, value = self.index.at(context.astype(np.int64) * self.index.width + position)
                    order = np.argsort(feature, kind="stable")
                    first = np.searchsorted(feature[order], np.arange(d_sae))
                    products_here = F.embedding_bag(
                        torch.from_numpy(which[order]),
                        neurons,
                        torch.from_numpy(first),
                        mode="sum",
                        per_sample_weights=torch.from_numpy(np.ascontiguousarray(value[order])),
                    )  # [d_sae, d_mlp], sum over these tokens of a_f n_k
                    products = products_here if products is None else products.add_(products_here)
                    total = total + neurons.sum(0, dtype=torch.float64)
                    squares = squares + neurons.double().square().sum(0)
                    a_total += np.bincount(feature, value, minlength=d_sae)
                    a_squares += np.bincount(feature, value.astype(np.float64) ** 2, minlength=d_sae)
                    advance(len(context))
        except ValueError:  # this model computes its MLP elsewhere
            return None
        if products is None:
            return None
        n = int(wanted.sum())
        r, cosine = np.empty(products.shape, np.float32), np.empty(products.shape, np.float32)
        for begin in range(0, d_sae, ROWS):  # whole tables in float64 would be several times as large
            own = slice(begin, begin + ROWS)
            r[own], cosine[own] = pearson(
                products[own].double().numpy(),
                a_total[own, None],
                a_squares[own, None],
                total.numpy(),
                squares.numpy(),
                n,
            )
        return r, cosine, n


def sample_contexts(acts: FeatureActivations, n_tokens: int, seed: int) -> np.ndarray:
    """bool [context]: contexts drawn at random until they hold n_tokens counted tokens, or all of them."""
    order = np.random.default_rng([seed, 1]).permutation(len(acts.tokens))
    held = np.cumsum(acts.counted[order].sum(1))
    out = np.zeros(len(acts.tokens), bool)
    out[order[: int(np.searchsorted(held, n_tokens)) + 1]] = True
    return out


def _sums(value: np.ndarray, start: np.ndarray, power: int) -> np.ndarray:
    """float64 [d_sae]: sum of value^power of each feature."""
    out = np.zeros(len(start) - 1)
    for f in np.flatnonzero(np.diff(start)):  # one feature at a time: a float64 copy of all values would be large
        out[f] = (value[start[f] : start[f + 1]].astype(np.float64) ** power).sum()
    return out


def pearson(
    products: np.ndarray, a: np.ndarray, aa: np.ndarray, b: np.ndarray, bb: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """(r, cosine) from sums over n tokens of a b, a, a^2, b and b^2; nan where one of them is constant."""
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(np.maximum(aa / n - (a / n) ** 2, 0) * np.maximum(bb / n - (b / n) ** 2, 0))
        size = np.sqrt(aa * bb)
        # Below a billionth of their size, what is left of a spread is rounding.
        r = np.where(spread * n > 1e-9 * size, (products / n - (a / n) * (b / n)) / spread, np.nan)
        return np.clip(r, -1, 1), products / size
