"""Whether a feature is but a neuron: the largest correlation of each feature with any neuron up to the SAE's site."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saewidgets.activations import check_pair, length_sorted
from saewidgets.analysis.features.correlations import TokenIndex, pearson, sample_contexts
from saewidgets.analysis.quality.baselines import neuron_layers
from saewidgets.bars import bar
from saewidgets.models import Model
from saewidgets.records import FeatureActivations, NeuronOverlap
from saewidgets.records.arguments import expect, require_features, seed_of, whole
from saewidgets.sae import SAE

N_FEATURES = 2048  # at most so many, at random, where none are named


@torch.inference_mode()
def neuron_overlap(
    model: Model | nn.Module,
    sae: SAE,
    acts: FeatureActivations,
    *,
    features: Sequence[int] | None = None,
    n_tokens: int = 1 << 16,
    n_control: int = 200,
    seed: int = 0,
    progress: bool = True,
) -> NeuronOverlap:
    """For each feature the neuron, of any MLP up to the SAE's site, whose activations correlate with it most.

    Templeton et al. 2024 ask this of a random sample of features: for 82 % of them no neuron reaches |r| = 0.3. Two
    controls stand beside it. Neurons drawn at random, each with the most alike of all others: how alike neurons are to
    one another. And the same features with their tokens shuffled: how large the largest of so many |r| is by chance.

    Args:
        acts: `sw.feature_activations(model, sae, corpus)`.
        features: which ones; None: up to 2,048 live ones, drawn by `seed`.
        n_tokens: about so many tokens of the corpus are read, in whole contexts drawn by `seed`.
        n_control: random neurons.

    Raises ValueError where the model has no neurons before the SAE's site, or `acts` holds no activation.

    Example:
        >>> neuron_overlap(model, sae, acts).share_at_most(0.3)  # doctest: +SKIP
    """
    expect(acts, FeatureActivations, "acts", "neuron_overlap")
    model, site = check_pair(model, sae, "neuron_overlap")
    seed, n_control = seed_of(seed), whole(n_control, "n_control", minimum=0)
    hooks = [h for h in neuron_layers(site.hook_name) if h in set(model.hook_names)]
    if not hooks:
        raise ValueError(f"{model.name} has no neurons before {site.hook_name}: give an SAE of a later site")
    rng = np.random.default_rng([seed, 4])
    alive = np.flatnonzero(np.diff(acts.start))
    if features is None:
        chosen = np.sort(rng.permutation(alive)[:N_FEATURES])
    else:
        chosen = np.array(require_features(features, acts.d_sae), np.int64)
    if not len(chosen):
        raise ValueError("no feature fires in these activations: give those over more text")
    wanted = acts.counted & sample_contexts(acts, whole(n_tokens, "n_tokens", minimum=1), seed)[:, None]
    sums = _Sums(TokenIndex(acts), chosen, wanted, hooks, n_control, rng)
    with bar(int(wanted.sum()), "reading neurons", "tokens", progress=progress) as advance:
        for own in length_sorted(acts.tokens, wanted.any(1)):
            width = int((acts.tokens[own] >= 0).sum(1).max())
            row, position = np.nonzero(wanted[own, :width])
            tokens = torch.from_numpy(acts.tokens[own, :width].astype(np.int64))
            read = model.read(tokens, hooks)
            at = torch.from_numpy(row), torch.from_numpy(position)
            sums.add(
                [read[h].cpu()[at].float() for h in hooks], own[row].astype(np.int64) * acts.tokens.shape[1] + position
            )
            advance(len(row))
    return sums.overlap(sae.name)


class _Sums:
    """Sums over tokens of what correlations are made of, for the neurons of several layers."""

    def __init__(
        self,
        index: TokenIndex,
        chosen: np.ndarray,
        wanted: np.ndarray,
        hooks: list[str],
        n_control: int,
        rng: np.random.Generator,
    ) -> None:
        self.index, self.chosen, self.hooks, self.n_control, self.rng = index, chosen, hooks, n_control, rng
        self.slot = np.full(index.acts.d_sae, -1)
        self.slot[chosen] = np.arange(len(chosen))
        cells = np.flatnonzero(wanted)
        self.elsewhere = np.full(wanted.size, -1)
        self.elsewhere[cells] = rng.permutation(cells)  # the token whose features stand in, shuffled
        self.n = len(cells)
        self.drawn = np.zeros(0, np.int64)  # the control neurons, counted through all layers
        self.control: list[tuple[int, int]] = []  # the same as (layer of `hooks`, neuron)
        self.products: list[list[Tensor]] = []  # per layer: features, shuffled features, control neurons [those, d_mlp]
        self.total: list[Tensor] = []
        self.squares: list[Tensor] = []

    def add(self, layers: list[Tensor], cells: np.ndarray) -> None:
        """The neurons [token, d_mlp] of every layer, at some tokens."""
        if not self.products:
            everything = [(layer, k) for layer, x in enumerate(layers) for k in range(x.shape[1])]
            self.drawn = np.sort(self.rng.permutation(len(everything))[: self.n_control])
            self.control = [everything[i] for i in self.drawn]
            sizes = (len(self.chosen), len(self.chosen), len(self.control))
            self.products = [[torch.zeros(n, x.shape[1], dtype=torch.float64) for n in sizes] for x in layers]
            self.total = [torch.zeros(x.shape[1], dtype=torch.float64) for x in layers]
            self.squares = [torch.zeros(x.shape[1], dtype=torch.float64) for x in layers]
        bags = [self._bag(at) for at in (cells, self.elsewhere[cells])]
        picked = [layers[layer][:, k] for layer, k in self.control]
        control = torch.stack(picked) if picked else torch.zeros(0, len(cells))
        for layer, x in enumerate(layers):
            for products, (which, first, value) in zip(self.products[layer], bags, strict=False):
                products += F.embedding_bag(which, x, first, mode="sum", per_sample_weights=value)
            self.products[layer][2] += control @ x
            self.total[layer] += x.sum(0, dtype=torch.float64)
            self.squares[layer] += x.double().square().sum(0)

    def _bag(self, cells: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """(tokens, first entry of each feature, value) of the chosen features at some tokens, sorted by feature."""
        which, feature, value = self.index.at(cells)
        slot = self.slot[feature]
        order = np.argsort(slot, kind="stable")[int((slot < 0).sum()) :]
        first = np.searchsorted(slot[order], np.arange(len(self.chosen)))
        return torch.from_numpy(which[order]), torch.from_numpy(first), torch.from_numpy(value[order])

    def overlap(self, sae_name: str) -> NeuronOverlap:
        """The largest |r| of each."""
        cells = np.flatnonzero(self.elsewhere >= 0)
        _, feature, value = self.index.at(cells)
        slot = self.slot[feature]
        value = value[slot >= 0].astype(np.float64)
        a, aa = (np.bincount(slot[slot >= 0], value**p, minlength=len(self.chosen)) for p in (1, 2))
        total, squares = torch.cat(self.total).numpy(), torch.cat(self.squares).numpy()
        own, shuffled, control = (torch.cat(p, 1).numpy() for p in zip(*self.products, strict=True))
        layer = np.repeat(np.arange(len(self.hooks)), [len(t) for t in self.total])
        neuron = np.concatenate([np.arange(len(t)) for t in self.total])
        r, best = _largest(pearson(own, a[:, None], aa[:, None], total, squares, self.n)[0])
        by_chance, _ = _largest(pearson(shuffled, a[:, None], aa[:, None], total, squares, self.n)[0])
        among = pearson(control, total[self.drawn, None], squares[self.drawn, None], total, squares, self.n)[0]
        among[np.arange(len(among)), self.drawn] = np.nan
        numbers = np.array([int(h.split(".")[1]) for h in self.hooks])
        return NeuronOverlap(
            feature=self.chosen,
            r=r,
            layer=np.where(best >= 0, numbers[layer[best]], -1),
            neuron=np.where(best >= 0, neuron[best], -1),
            control=_largest(among)[0],
            shuffled=by_chance,
            layers=tuple(numbers.tolist()),
            n_neurons=len(total),
            n_tokens=self.n,
            sae_name=sae_name,
        )


def _largest(r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(r of the largest |r| of each row, its column); nan and -1 for a row of nan."""
    size = np.where(np.isfinite(r), np.abs(r), -1.0)
    at = size.argmax(1) if r.size else np.zeros(0, np.int64)
    each = np.arange(len(r))
    known = size[each, at] >= 0
    return np.where(known, r[each, at], np.nan), np.where(known, at, -1)
