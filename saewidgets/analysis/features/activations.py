"""What a feature responds to and what it does: its activations over a corpus, and everything a dashboard shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.activations import check_pair, harvest
from saewidgets.analysis.features.examples import N_BINS
from saewidgets.analysis.features.records import FeatureRecords, Settings
from saewidgets.analysis.prompts.activations import check_acts
from saewidgets.bars import bar
from saewidgets.doctor.meeting import verdict
from saewidgets.memory import CELLS, give_back
from saewidgets.models import CorpusRows, Long, Model, read_corpus
from saewidgets.records import DashboardData, FeatureActivations, Histogram, Passport
from saewidgets.records.arguments import require_features, seed_of, whole
from saewidgets.sae import SAE

DEVICE_CELLS = 1 << 26  # activations that a GPU makes at once: 256 MB of float32
_BLOCKS = 32  # of features that are sorted by themselves


@torch.inference_mode()
def feature_activations(
    model: Model | nn.Module, sae: SAE, corpus: Any, *, long: Long = "split", progress: bool = True
) -> FeatureActivations:
    """Every non-zero activation of every feature over a corpus.

    Args:
        model: the model that the SAE reads.
        sae: its `config.site` says where.
        corpus: a `Corpus`, texts, or token rows (see `models.read_corpus`).
        long: what is done with a text longer than the model's context: "split" in several contexts, "cut", or "refuse".
            The result counts them (`n_split`, `n_cut`), and says of which text each context is (`text`).
        progress: show a bar, if it takes more than half a second.

    The beginning-of-text token and padding do not count: they hold no activation and are in no denominator. Nor do
    tokens whose activation is longer than the site's `max_norm`; the result's `corpus` says how many. Raises ValueError
    if the model does not have the SAE's site in the same coordinates, or if the corpus is empty.

    Example:
        >>> acts = feature_activations(model, sae, sw.load_corpus())  # doctest: +SKIP
        >>> acts.density[31], acts.maximum[31]  # doctest: +SKIP
    """
    model, site = check_pair(model, sae, "feature_activations")
    read = read_corpus(model, corpus, long)
    rows, wanted = read.rows, read.counted
    counted = np.zeros_like(wanted)  # what is read, but for tokens of outlying norm
    verdict(model, sae, rows, progress=progress)  # warns if the two do not belong together
    found = _Collected(sae.config.d_sae, rows.size)
    with bar(int(wanted.sum()), "reading features", "tokens", progress=progress) as advance:
        for context, position, x in harvest(model, site.hook_name, rows, wanted, max_norm=site.max_norm):
            counted[context, position] = True
            cell = context * rows.shape[1] + position
            for first, token, feature, value in _non_zero(sae, x.to(sae.W_enc.device)):
                found.add(feature, cell[first:][token], value)
            advance(len(context))
    cell, value, start = found.sorted()
    position = np.remainder(cell, cell.dtype.type(rows.shape[1]))
    context = np.floor_divide(cell, cell.dtype.type(rows.shape[1]), out=cell)
    del found
    give_back()
    return FeatureActivations(
        tokens=rows,
        context=context.astype(np.int32, copy=False),
        position=position.astype(np.int32, copy=False),
        value=value,
        start=start,
        counted=counted,
        corpus=_corpus_name(corpus, read, int(wanted.sum() - counted.sum())),
        text=read.text,
        n_cut=read.n_cut,
    )


def _corpus_name(corpus: Any, read: CorpusRows, n_left_out: int) -> str:
    """What the tokens are, in a few words, with what became of long texts and of tokens of outlying norm."""
    name = getattr(corpus, "name", "")
    name = name if name and isinstance(name, str) else f"{read.n_texts:,} texts"
    notes = [read.note] if read.note else []
    if n_left_out:
        notes.append(f"{n_left_out:,} tokens of outlying norm left out")
    return f"{name} ({', '.join(notes)})" if notes else name


class _Collected:
    """Activations as they come, in blocks of features, each sorted only at the end: about 12 bytes per activation at
    the peak beside the result's own 12. One sort of all of them together took 48.
    """

    def __init__(self, d_sae: int, n_cells: int) -> None:
        self.d_sae, self.n_cells = d_sae, n_cells
        self.edges = np.unique(np.linspace(0, d_sae, min(d_sae, _BLOCKS) + 1).astype(np.int64))
        self.cell_type = np.int32 if n_cells < 1 << 31 else np.int64
        self.blocks: list[list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = [[] for _ in self.edges[1:]]

    def add(self, feature: np.ndarray, cell: np.ndarray, value: np.ndarray) -> None:
        """Some more activations, in any order."""
        order = np.argsort(feature, kind="stable")
        feature = feature[order]
        cuts = np.searchsorted(feature, self.edges)
        cell, value = cell[order].astype(self.cell_type), value[order].astype(np.float32, copy=False)
        for block, first, stop in zip(self.blocks, cuts[:-1], cuts[1:], strict=True):
            if stop > first:
                own = slice(first, stop)
                block.append((feature[own].astype(np.int32), cell[own].copy(), value[own].copy()))

    def sorted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(cell, value, start) by (feature, cell). What was collected is gone after it."""
        n = sum(len(value) for block in self.blocks for _, _, value in block)
        cells, values = np.empty(n, self.cell_type), np.empty(n, np.float32)
        counts = np.zeros(self.d_sae, np.int64)
        at = 0
        for i, block in enumerate(self.blocks):
            if not block:
                continue
            feature, cell, value = (np.concatenate(column) for column in zip(*block, strict=True))
            self.blocks[i] = []
            block.clear()
            order = np.argsort(feature.astype(np.int64) * self.n_cells + cell)
            own = slice(at, at + len(order))
            cells[own], values[own] = cell[order], value[order]
            counts += np.bincount(feature, minlength=self.d_sae)
            at += len(order)
        return cells, values, np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _non_zero(sae: SAE, x: Tensor) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """(first row, row from there, feature, value) of the activations of x [n, d_in], some rows at a time.

    [rows, d_sae] is held for so many rows alone; a GPU gets more of them at a time, and sorts them by feature, which is
    what is done with them next.
    """
    there = x.device.type != "cpu"
    step = max(1, (DEVICE_CELLS if there else CELLS) // sae.config.d_sae)
    for first in range(0, len(x), step):
        block = x[first : first + step]
        if sae.config.architecture == "topk":
            indices, values = sae.encode_sparse(block)
            row, column = (values > 0).nonzero(as_tuple=True)
            feature, value = indices[row, column], values[row, column]
        else:
            activations = sae.encode(block)
            row, feature = activations.nonzero(as_tuple=True)
            value = activations[row, feature]
        if there:
            order = feature.argsort(stable=True)
            row, feature, value = row[order], feature[order], value[order]
        yield first, row.cpu().numpy(), feature.cpu().numpy(), value.cpu().numpy()


class ExampleSettings(TypedDict):
    """Which examples a dashboard shows, as arguments of `dashboard_data`."""

    per_context: int
    window: int


# As in Bricken et al. 2023. How many intervals, and examples of each, stay those of `dashboard_data`.
MONOSEMANTICITY: ExampleSettings = {"per_context": 10, "window": 4}


def dashboard_data(
    model: Model | nn.Module,
    sae: SAE,
    acts: FeatureActivations,
    features: Sequence[int] | None = None,
    *,
    n_top: int = 20,
    n_intervals: int = 10,
    per_interval: int = 5,
    window: int = 8,
    per_context: int | None = None,
    neuron_tokens: int = 1 << 16,
    labels: Mapping[int, str] | None = None,
    corpus_name: str = "",
    seed: int = 0,
    progress: bool = True,
) -> DashboardData:
    """What a dashboard shows of some features, or of all that fired.

    A feature's record is made when it is first asked for, from the activations alone. What needs the model is made on
    demand too (`DashboardData.measured`): the effect of ablating the feature on the loss of every token shown, the
    logits that it moves there, and its correlation with the neurons of the MLP of the same layer.

    Args:
        model: for token texts, direct logit effects, and what is measured on demand.
        sae: whose features they are.
        acts: from `feature_activations` with the same SAE.
        features: which ones, in any order; None: every feature with an activation. The result is sorted by feature.
        n_top: strongest examples, at most one a context; of equal ones, the first in the corpus.
        n_intervals: intervals of equal width between 0 and the feature's maximum; an interval holds its lower edge.
        per_interval: examples drawn from each, at random by `seed`. A feature's draw does not depend on `features`.
        window: tokens shown on each side of the activation.
        per_context: examples are chosen among so many tokens of each context, drawn by `seed`; None: among all. Figures
            and a bin of the histogram are of all. `**sw.analysis.MONOSEMANTICITY` sets this and `window` as in
            Bricken et al. 2023, and the page calls its intervals as they do.
        neuron_tokens: about so many tokens of the corpus, in whole contexts drawn by `seed`, stand behind a correlation
            with a neuron.
        labels: what features stand for, where known.
        corpus_name: printed in the passport; by default the name that `acts` carries.
        seed: of the draws.
        progress: show a bar, if it takes more than half a second.

    Raises ValueError for a transcoder, for a `per_context` below 1, or if `acts`, `sae` and `model` do not belong together, IndexError on a feature
    that does not exist.

    Example:
        >>> data = dashboard_data(model, sae, acts, labels={31: "golden gate bridge"})
        >>> [t.token for t in data[31].promoted]
        >>> data.measured(31).top[0].loss_effects
    """
    seed = seed_of(seed)
    per_context = None if per_context is None else whole(per_context, "per_context", minimum=1)
    model, site = check_pair(model, sae, "a dashboard", reconstructs=True)
    check_acts(sae, acts)
    alive = np.flatnonzero(np.diff(acts.start))
    chosen = alive if features is None else np.unique(np.array(require_features(features, acts.d_sae), np.int64))
    settings = Settings(n_top, n_intervals, per_interval, window, neuron_tokens, seed, per_context)
    return DashboardData(
        Passport(
            site,
            corpus_name or acts.corpus,
            acts.n_tokens,
            acts.d_sae,
            sae.config.architecture,
            sae.name,
            verdict(model, sae, acts.tokens, progress=progress),
            model.weights,
            model.name,
            sae.digest,
        ),
        FeatureRecords(model, sae, acts, chosen, settings, labels or {}),
        token_bytes=model.odd_bytes(),
        log_density=_log_density(acts.density[alive]),
        n_dead=acts.d_sae - len(alive),
        per_context=per_context,
    )


def _log_density(density: np.ndarray) -> Histogram | None:
    """Of log10 of the densities of live features; None where there are none."""
    if not len(density):
        return None
    counts, edges = np.histogram(np.log10(density), bins=N_BINS)
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()))
