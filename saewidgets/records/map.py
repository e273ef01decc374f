"""A map of features: the decoder directions of one or several SAEs in one plane."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd

from saewidgets.files import unknown
from saewidgets.languages import said
from saewidgets.records import marks
from saewidgets.records.candidates import SteeringScores
from saewidgets.records.marks import Axes
from saewidgets.records.saved import Saved
from saewidgets.records.tables import frame

_PointInts = Annotated[np.ndarray, Axes("point", dtype=np.int32)]
_PointShorts = Annotated[np.ndarray, Axes("point", dtype=np.int16)]
_PointFloats = Annotated[np.ndarray, Axes("point", dtype=np.float32)]
_LinkInts = Annotated[np.ndarray, Axes("link", dtype=np.int32)]
_LinkFloats = Annotated[np.ndarray, Axes("link", dtype=np.float32)]

_FLOATS = ("x", "y", "density", "maximum", "precision")
_INTS = ("sae", "feature", "concept", "parent", "child", "cluster", "order")


@dataclass(frozen=True)
class MapSAE:
    """One of the SAEs on a map."""

    name: str
    d_sae: int  # features that it has, on the map or not
    n_tokens: int = 0  # counted tokens behind its densities and maxima; 0 where there are none
    corpus: str = ""  # of those tokens
    model: str = ""  # whose activations it reads; "" where that is not known
    weights: str = ""  # number format of that model's weights, as in a `Passport`
    sae: str = ""  # `SAE.digest`; "" in records from before there was one


@dataclass(frozen=True)
class MapRegion:
    """A part of a map by what is frequent there; see `analysis.map.regions`."""

    name: str  # one or two words that its features share: promoted tokens, labels or concepts
    x: float  # where the name stands, in the units of the points
    y: float
    n: int  # features that have one of these words


@dataclass(frozen=True, eq=False)
class FeatureMapData(Saved):
    """Features as points, with what is known of each, and the links between SAEs of different size.

    Points stand SAE by SAE, in each in ascending order of the feature. What is unknown is nan, -1 or empty.

    Example:
        >>> nan = np.full(2, np.nan, np.float32)
        >>> places = np.float32([0, 1])
        >>> features = FeatureMapData(
        ...     (MapSAE("a", 8), MapSAE("b", 16)), np.int16([0, 1]), np.int32([3, 9]), places, places, nan, nan,
        ...     np.int16([-1, -1]), nan, ("", ""), ((), ()), parent=np.int32([0]), child=np.int32([1]), cosine=np.float32([0.75]),
        ... )
        >>> features.point(9, "b"), features.children(0)["feature"].tolist()
        (1, [9])
    """

    KIND = "map"
    MAX_BYTES = 256 << 20

    saes: tuple[MapSAE, ...]
    sae: _PointShorts  # index into `saes`
    feature: _PointInts  # number in its SAE
    x: _PointFloats  # -1 to 1, to the right; distances have no unit
    y: _PointFloats  # -1 to 1, upward
    density: _PointFloats  # share of counted tokens at which it is active
    maximum: _PointFloats  # largest activation over the corpus, SAE units
    concept: _PointShorts  # index into `concepts` of the planted concept that it fires on; -1 for none
    precision: _PointFloats  # share of the tokens at which it is active that express `concept`
    labels: Annotated[tuple[str, ...], Axes("point")]  # what it stands for, where somebody said so
    # That it promotes most, strongest first; display texts.
    tokens: Annotated[tuple[tuple[str, ...], ...], Axes("point")]
    concepts: tuple[str, ...] = ()
    parent: _LinkInts = None  # type: ignore[assignment]  # point of the smaller SAE; see `analysis.map.links`
    child: _LinkInts = None  # type: ignore[assignment]  # point of the larger SAE
    cosine: _LinkFloats = None  # type: ignore[assignment]  # of the two decoder rows
    # Of features that hang together, -1 for none; all -1 where none were sought. See `analysis.map.clusters`.
    cluster: _PointInts = None  # type: ignore[assignment]
    order: _PointInts = None  # type: ignore[assignment]  # place in a row of near ones, from 0; all -1 without one
    threshold: float = 0.5  # the smallest cosine of a link
    method: str = "neighbors"  # of the projection: see `analysis.map.layout.METHODS`
    neighbors: int = 15  # nearest directions that the projection keeps together
    min_dist: float = 0.05  # how close it may put two points, in its own units
    seed: int = 0
    regions: tuple[MapRegion, ...] = ()  # the best named first; none in a file of an older version

    def __post_init__(self) -> None:
        for name, kind in (("parent", np.int32), ("child", np.int32), ("cosine", np.float32)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.zeros(0, kind))
        for name in ("cluster", "order"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.full(len(self.feature), -1, np.int32))
        marks.fit(self)
        n = len(self.feature)
        ends = np.concatenate([self.parent, self.child])
        if len(ends) and not (ends.min() >= 0 and ends.max() < n):
            raise ValueError(f"a link ends at a point that is not among the {n}")
        if n and not (self.sae.min() >= 0 and self.sae.max() < len(self.saes)):
            raise ValueError(f"a point belongs to an SAE that is not among the {len(self.saes)}")
        if n and not (self.concept.min() >= -1 and self.concept.max() < len(self.concepts)):
            raise ValueError(f"a point has a concept that is not among the {len(self.concepts)}")
        if not (np.isfinite(self.x).all() and np.isfinite(self.y).all()):
            raise ValueError("a point has no place: its x or y is not finite")
        if n and self.cluster.min() < -1:
            raise ValueError(f"a cluster is numbered from 0, or -1 for none, not {self.cluster.min()}")
        if n and (self.order != -1).any() and not np.array_equal(np.sort(self.order), np.arange(n)):
            raise ValueError(f"the order does not have each place from 0 to {n - 1} once")
        for region in self.regions:
            if not (math.isfinite(region.x) and math.isfinite(region.y)):
                raise ValueError(f"the region {region.name!r} has no place: its x or y is not finite")

    def __len__(self) -> int:
        return len(self.feature)

    def which(self, sae: str | int) -> int:
        """Index of an SAE given by name or index. Raises ValueError that names those that are here."""
        names = [s.name for s in self.saes]
        if isinstance(sae, str):
            if sae not in names:
                raise ValueError(unknown("SAE of this map", sae, names))
            return names.index(sae)
        if not 0 <= sae < len(names):
            raise ValueError(f"SAE {sae} is not on this map, which has {len(names)}: {', '.join(names)}")
        return int(sae)

    def scored(self, scores: Iterable[SteeringScores], name: str) -> np.ndarray:
        """float64 [point]: the "input" or "output" score of each, nan where there is none.

        Raises ValueError on scores of an SAE that is not on the map.
        """
        out: np.ndarray = np.full(len(self), np.nan)
        for one in scores:
            own = self.sae == self.which(one.sae_name)
            out[own] = one.column(name, self.feature[own].tolist())
        return out

    def point(self, feature: int, sae: str | int = 0) -> int:
        """The point of a feature. Raises ValueError that names the nearest features of that SAE that are here."""
        which = self.which(sae)
        own = np.flatnonzero(self.sae == which)
        at = int(np.searchsorted(self.feature[own], feature))
        if at < len(own) and self.feature[own[at]] == feature:
            return int(own[at])
        near = np.sort(self.feature[own][np.argsort(np.abs(self.feature[own] - feature), kind="stable")[:5]])
        raise ValueError(
            f"feature {feature} of {self.saes[which].name} is not on this map; nearest: {', '.join(map(str, near))}"
        )

    def inside(self, polygon: Sequence[tuple[float, float]]) -> np.ndarray:
        """int64: the points inside a polygon of places (x, y): a ray to the right crosses its border an odd number of
        times.
        """
        within = np.zeros(len(self), bool)
        corners = [*polygon]
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            crosses = (y0 > self.y) != (y1 > self.y)
            with np.errstate(divide="ignore", invalid="ignore"):
                within ^= crosses & (self.x < (x1 - x0) * (self.y - y0) / np.float64(y1 - y0) + x0)
        return np.flatnonzero(within)

    def children(self, point: int) -> pd.DataFrame:
        """The features of larger SAEs that are linked to this one: the columns of `to_dataframe` and cosine, highest
        first.
        """
        return self._linked(self.child[self.parent == point], self.cosine[self.parent == point])

    def parents(self, point: int) -> pd.DataFrame:
        """The features of smaller SAEs that this one is linked to, one per size at most; columns as of `children`."""
        return self._linked(self.parent[self.child == point], self.cosine[self.child == point])

    def _linked(self, points: np.ndarray, cosine: np.ndarray) -> pd.DataFrame:
        order = np.argsort(-cosine, kind="stable")
        return self.to_dataframe(points[order].tolist()).assign(cosine=cosine[order])

    def to_dataframe(self, points: Iterable[int] | None = None) -> pd.DataFrame:
        """One row a point, of all or of some: point, sae (name), feature, label, concept, precision, density, maximum,
        tokens, x, y, cluster, order.

        Raises IndexError on a point that does not exist.
        """
        own = np.arange(len(self)) if points is None else np.asarray([*points], np.int64)
        if len(own) and not (own.min() >= 0 and own.max() < len(self)):
            raise IndexError(f"this map has the points 0 to {len(self) - 1}")
        names, concepts = [s.name for s in self.saes], (*self.concepts, "")
        return frame(
            {
                "point": own,
                "sae": [names[i] for i in self.sae[own]],
                "feature": self.feature[own],
                "label": [self.labels[i] for i in own],
                "concept": [concepts[i] for i in self.concept[own]],
                "precision": self.precision[own],
                "density": self.density[own],
                "maximum": self.maximum[own],
                "tokens": [self.tokens[i] for i in own],
                "x": self.x[own],
                "y": self.y[own],
                "cluster": self.cluster[own],
                "order": self.order[own],
            }
        )

    def sentence(self) -> str:
        """Where the map comes from, in one line."""
        saes = ", ".join(f"{s.name} ({s.d_sae:,})" for s in self.saes)
        known = next((s for s in self.saes if s.n_tokens), None)
        text = said("; {n:,} tokens of {corpus}", n=known.n_tokens, corpus=known.corpus) if known else ""
        how = ""
        if self.method != "pca":
            how = said("{n} neighbors, min_dist {least:g}, ", n=self.neighbors, least=self.min_dist)
        return said(
            "Decoder directions of {saes}; projection {method}, {how}seed {seed}{text}",
            saes=saes,
            method=self.method,
            how=how,
            seed=self.seed,
            text=text,
        )

    # -- files -------------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types, a column a list; nan as None."""
        return {
            "format": self.FORMAT,
            "saes": [vars(s) for s in self.saes],
            **{name: getattr(self, name).tolist() for name in _INTS},
            **{name: _numbers(getattr(self, name)) for name in (*_FLOATS, "cosine")},
            "labels": list(self.labels),
            "tokens": [list(t) for t in self.tokens],
            "concepts": list(self.concepts),
            **{name: getattr(self, name) for name in ("threshold", "method", "neighbors", "min_dist", "seed")},
            "regions": [vars(region) for region in self.regions],
        }

    def to_json(self, path: str | Path | None = None) -> str:
        """The record as JSON text, the same bytes for the same record; written to `path` as well if given."""
        if path is not None:
            self.save(path)
        return json.dumps(self.to_dict(), allow_nan=False, separators=(",", ":"))


def _numbers(column: np.ndarray) -> list[float | None]:
    """float32 values with the nine digits that bring each back exactly; None for what is not finite."""
    return [float(f"{v:.9g}") if np.isfinite(v) else None for v in column.tolist()]
