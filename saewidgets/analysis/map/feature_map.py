"""A map of features: where the decoder directions of one or several SAEs lie, and how features split as an SAE grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from saewidgets.activations import check_pair
from saewidgets.analysis.features.promoted import promoted_tokens
from saewidgets.analysis.map.clusters import clusters as clusters_of
from saewidgets.analysis.map.clusters import in_a_row
from saewidgets.analysis.map.layout import METHODS, layout, unit_rows
from saewidgets.analysis.map.regions import regions
from saewidgets.analysis.quality import Labeled
from saewidgets.bars import bar, muted
from saewidgets.files import unknown
from saewidgets.models import Model
from saewidgets.records import DashboardData, FeatureActivations
from saewidgets.records.arguments import expect, seed_of
from saewidgets.records.map import FeatureMapData, MapSAE
from saewidgets.sae import SAE, check_sae, refuse_transcoder

LINKED = 0.5  # cosine from which a feature of a larger SAE counts as part of one of a smaller
SURE = 0.5  # share of a feature's active tokens that must express a concept
N_TOKENS = 5  # promoted tokens of a point

Known = DashboardData | FeatureActivations


def feature_map(
    saes: SAE | Sequence[SAE],
    data: Known | Sequence[Known | None] | None = None,
    *,
    model: Model | nn.Module | None = None,
    corpus: Labeled | None = None,
    labels: Mapping[str, Mapping[int, str]] | None = None,
    alive: bool = False,
    method: str = "neighbors",
    neighbors: int = 15,
    min_dist: float = 0.05,
    threshold: float = LINKED,
    clusters: bool = False,
    in_order: bool = False,
    seed: int = 0,
    progress: bool = True,
) -> FeatureMapData:
    """Every feature of one or several SAEs as a point in one plane, near those whose decoder rows point the same way.

    Distances are between decoder rows of unit length, d_fg = 1 - cos(W_dec[f], W_dec[g]), across all SAEs together; so
    SAEs of different size can be compared, as in the maps of Bricken et al. 2023 and Templeton et al. 2024. Only who is
    near whom is kept, and even that in part: docs/map.md says what the picture does and does not mean. Parts of it are
    named by what is frequent there (see `regions`).

    Args:
        saes: of the same site (the same d_in at least), with different names.
        data: what is known of the features of each SAE, in the same order, None for nothing: a `DashboardData` gives
            labels, densities, maxima and promoted tokens; a `FeatureActivations` densities and maxima. A single one
            belongs to the single SAE.
        model: gives the promoted tokens of every feature, by direct effect (see `Model.direction_logits`).
        corpus: labeled text that the `FeatureActivations` are over; gives each feature the concept that it fires on, if
            that is so at half of its active tokens (see `best_concepts`).
        labels: {name of the SAE: {feature: what it stands for}}, before those of `data`.
        alive: leave out features that `data` says never fire.
        method: "neighbors" (built in, seconds), "umap" (the extra `map`; more than a minute on its first use in a
            process), or "pca".
        neighbors: nearest directions that the projection keeps together.
        min_dist: how close it may put two points.
        threshold: the smallest cosine of a link (see `links`).
        clusters: find features that hang together, by HDBSCAN in ten dimensions; needs scikit-learn (the extra `map`) and
            takes as long as the map again. `FeatureMap(..., color="cluster")` shows them.
        in_order: put the features in a row in which near ones stand together, by a projection on a line; it orders lists.
        seed: of the projections.
        progress: show bars, where a part of it takes more than half a second.

    Raises:
        ValueError: no SAE, SAEs of different width or equal names, data that belongs to another SAE, an unknown method.
        ImportError: method "umap" without umap-learn, or `clusters` without scikit-learn.

    Example:
        >>> saes = [sw.load_sae(f"miniworld-{n}") for n in (512, 2048)]  # doctest: +SKIP
        >>> acts = [sw.feature_activations(model, sae, corpus) for sae in saes]  # doctest: +SKIP
        >>> sw.FeatureMap(sw.feature_map(saes, acts, model=model, corpus=corpus))  # doctest: +SKIP
    """
    seed = seed_of(seed)
    saes = [saes] if isinstance(saes, SAE) else [check_sae(sae, "feature_map") for sae in _several(saes, "saes", SAE)]
    single = data is None or isinstance(data, DashboardData | FeatureActivations)
    known: list[Any] = [data] if single else list(_several(data, "data", FeatureActivations))
    known = [None] * len(saes) if data is None else known
    for own in known:
        if own is not None:
            expect(own, (FeatureActivations, DashboardData), "data", "feature_map")
    names = _check(saes, known)
    if method not in METHODS:
        raise ValueError(unknown("method", method, METHODS))
    if neighbors < 2:
        raise ValueError(f"neighbors must be 2 or more, not {neighbors}")
    kept = [_kept(sae, own, alive) for sae, own in zip(saes, known, strict=True)]
    rows = [unit_rows(sae.W_dec.detach().float().cpu().numpy()[own]) for sae, own in zip(saes, kept, strict=True)]
    everything = np.concatenate(rows)
    with muted(not progress):
        # First what may be refused.
        cluster = clusters_of(everything, method=method, neighbors=neighbors, seed=seed) if clusters else None
        places = layout(everything, method=method, neighbors=neighbors, min_dist=min_dist, seed=seed)
        order = (
            in_a_row(everything, method=method, neighbors=neighbors, min_dist=min_dist, seed=seed) if in_order else None
        )
    parent, child, cosine = links(rows, [sae.config.d_sae for sae in saes], threshold=threshold)

    wrapped = None if model is None else Model.wrap(model)
    with muted(not progress):
        columns = [
            _facts(sae, own, features, wrapped, corpus, (labels or {}).get(name, {}))
            for sae, own, features, name in zip(saes, known, kept, names, strict=True)
        ]
    density, maximum, concept, precision, texts, tokens = zip(*columns, strict=True)
    made = FeatureMapData(
        saes=tuple(_about(sae, own, name, wrapped) for sae, own, name in zip(saes, known, names, strict=True)),
        sae=np.repeat(np.arange(len(saes), dtype=np.int16), [len(own) for own in kept]),
        feature=np.concatenate(kept).astype(np.int32),
        x=np.ascontiguousarray(places[:, 0]),
        y=np.ascontiguousarray(places[:, 1]),
        density=np.concatenate(density),
        maximum=np.concatenate(maximum),
        concept=np.concatenate(concept),
        precision=np.concatenate(precision),
        labels=tuple(text for part in texts for text in part),
        tokens=tuple(row for part in tokens for row in part),
        concepts=() if corpus is None else tuple(corpus.concepts),
        parent=parent,
        child=child,
        cosine=cosine,
        cluster=cluster,  # type: ignore[arg-type]  # the record fills in what was not asked for
        order=order,  # type: ignore[arg-type]
        threshold=threshold,
        method=method,
        neighbors=neighbors,
        min_dist=min_dist,
        seed=seed,
    )
    return replace(made, regions=regions(made))


def links(
    rows: Sequence[np.ndarray], sizes: Sequence[int], *, threshold: float = LINKED
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How features of small SAEs split in larger ones: (parent int32 [link], child int32 [link], cosine float32
    [link]).

    For every pair of SAEs of which B is larger than A, each feature g of B has one parent in A at most: the feature f
    of A with the largest cosine to it, if that is `threshold` or more,

        f = argmax_f' cos(W_A[f'], W_B[g]),  cos(W_A[f], W_B[g]) >= threshold.

    A feature with two children or more in B has split. It is a statement about directions: whether parent and children
    are active on the same tokens is another question.

    Args:
        rows: unit decoder rows of each SAE [n, d]; points count through them, one SAE after the other.
        sizes: of the SAEs; those of equal size are not linked.
        threshold: smallest cosine.

    Example:
        >>> links([np.eye(2), np.array([[0.8, 0.6], [0.6, 0.8], [-1.0, 0.0]])], [2, 3])[:2]
        (array([0, 1], dtype=int32), array([2, 3], dtype=int32))
    """
    first = np.cumsum([0, *(len(r) for r in rows)])
    found = []
    for a in range(len(rows)):
        for b in range(len(rows)):
            if sizes[a] >= sizes[b] or not len(rows[a]) or not len(rows[b]):
                continue
            of_a, of_b = (torch.from_numpy(np.ascontiguousarray(rows[i], np.float32)) for i in (a, b))
            for start in range(0, len(of_b), 1024):
                value, where = (of_b[start : start + 1024] @ of_a.T).max(1)
                own = (value >= threshold).nonzero()[:, 0]
                ends = (where[own].numpy() + first[a], own.numpy() + start + first[b], value[own].numpy())
                found.append(np.stack([end.astype(np.float64) for end in ends]))
    parent, child, cosine = np.concatenate(found, 1) if found else np.zeros((3, 0))
    order = np.lexsort((child, parent))
    return parent[order].astype(np.int32), child[order].astype(np.int32), cosine[order].astype(np.float32)


def best_concepts(acts: FeatureActivations, corpus: Labeled) -> tuple[np.ndarray, np.ndarray]:
    """For each feature the concept that it fires on, and how surely: (int16 [d_sae], precision float32 [d_sae]).

        precision = |active and concept| / |active|,  F1 = 2 |active and concept| / (|active| + |concept|),  over counted tokens.

    Of the concepts whose precision is 0.5 or more, the one with the largest F1, which of a concept and the wider ones
    that it implies is the one that fits; of equal ones the first. -1 and nan where there is none.

    Raises ValueError if the labels are of another corpus.
    """
    own = getattr(corpus, "token_rows", None)
    if own is not None and not np.array_equal(own, acts.tokens):
        raise ValueError("the activations are over another corpus than the labels")
    width, n_concepts = acts.tokens.shape[1], len(corpus.concepts)
    says = np.zeros((acts.tokens.size, n_concepts), np.uint8)
    says[np.asarray(corpus.label_doc, np.int64) * width + corpus.label_pos, corpus.label_concept] = 1
    says[~acts.counted.ravel()] = 0
    n_concept = says.sum(0, dtype=np.int64)
    cell = acts.context.astype(np.int64) * width + acts.position
    n_active = np.diff(acts.start)
    concept, precision = np.full(acts.d_sae, -1, np.int16), np.full(acts.d_sae, np.nan, np.float32)
    with bar(int((n_active > 0).sum()), "naming features", "features") as advance:
        for feature in np.flatnonzero(n_active) if n_concepts else ():
            both = says[cell[acts.start[feature] : acts.start[feature + 1]]].sum(0, dtype=np.int64)
            share = both / n_active[feature]
            if (share >= SURE).any():
                best = int(np.argmax(np.where(share >= SURE, 2 * both / (n_active[feature] + n_concept), -1)))
                concept[feature], precision[feature] = best, share[best]
            advance(1)
    return concept, precision


def _check(saes: Sequence[SAE], known: Sequence[Known | None]) -> list[str]:
    """The names of the SAEs, given ones where they have none."""
    if not saes:
        raise ValueError("give at least one SAE: a map without one has no points")
    for sae in saes:
        check_sae(sae, "a map")
        refuse_transcoder(sae.config, "a map")
    widths = sorted({sae.config.d_in for sae in saes})
    if len(widths) > 1:
        raise ValueError(f"the SAEs read activations of different width ({widths}): one map needs one space")
    names = [sae.name or f"SAE {i} ({sae.config.d_sae})" for i, sae in enumerate(saes)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two SAEs are called {twice[0]!r}: give them names of their own")
    if len(known) != len(saes):
        raise ValueError(f"{len(known)} data for {len(saes)} SAEs: give one for each, None where nothing is known")
    for name, sae, own in zip(names, saes, known, strict=True):
        size = None if own is None else own.passport.d_sae if isinstance(own, DashboardData) else own.d_sae
        if size not in (None, sae.config.d_sae):
            raise ValueError(f"{name} has {sae.config.d_sae} features, the data given for it {size}")
    return names


def _several(given: Any, name: str, kind: type) -> Sequence[Any]:
    """What was given, if it is a list or tuple; else TypeError."""
    return expect(given, (kind, list, tuple), name, "feature_map")


def _kept(sae: SAE, known: Known | None, alive: bool) -> np.ndarray:
    """int64: the features that are on the map, ascending."""
    everything = np.arange(sae.config.d_sae)
    if not alive or known is None:
        return everything
    if isinstance(known, FeatureActivations):
        return np.flatnonzero(np.diff(known.start))
    return np.array(sorted(f for f, record in known.features.items() if record.density > 0), np.int64)


def _about(sae: SAE, known: Known | None, name: str, model: Model | None) -> MapSAE:
    read, weights = sae.config.site.model_name if sae.config.site is not None else "", ""
    if model is not None:
        read, weights = model.name, model.weights
    n_tokens, corpus = 0, ""
    if isinstance(known, DashboardData):
        n_tokens, corpus = known.passport.n_tokens, known.passport.corpus
        if model is None:
            read, weights = known.passport.model_name, known.passport.weights
    elif known is not None:
        n_tokens, corpus = known.n_tokens, known.corpus
    return MapSAE(name, sae.config.d_sae, n_tokens, corpus, read, weights, sae.digest)


Facts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[str], list[tuple[str, ...]]]


def _facts(
    sae: SAE,
    known: Known | None,
    features: np.ndarray,
    model: Model | None,
    corpus: Labeled | None,
    labels: Mapping[int, str],
) -> Facts:
    """(density, maximum, concept, precision, labels, tokens) of some features of one SAE."""
    n = len(features)
    density, maximum, precision = (np.full(n, np.nan, np.float32) for _ in range(3))
    concept = np.full(n, -1, np.int16)
    texts = [labels.get(f, "") for f in features.tolist()]
    tokens: list[tuple[str, ...]] = [()] * n
    if isinstance(known, FeatureActivations):
        density, maximum = known.density[features].astype(np.float32), known.maximum[features]
        if corpus is not None:
            concept, precision = (column[features] for column in best_concepts(known, corpus))
    elif known is not None:
        for i, f in enumerate(features.tolist()):
            if (record := known.features.get(f)) is not None:
                density[i], maximum[i] = record.density, record.maximum
                texts[i] = texts[i] or record.label
                tokens[i] = tuple(effect.token for effect in record.promoted[:N_TOKENS])
    if model is not None:
        check_pair(model, sae, "a map")
        tokens = promoted_tokens(model, sae, features, N_TOKENS)
    return density, maximum, concept, precision, texts, tokens
