"""A map of features: the decoder directions of one or several SAEs in one plane (S20, T12)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from saewidgets.files import LoadError, read_json, unknown, write_json

FORMAT = 1  # of `FeatureMapData.save`; raised when an older reader would misread
_FLOATS = ("x", "y", "density", "maximum", "precision")
_INTS: dict[str, type[np.integer[Any]]] = {"sae": np.int16, "feature": np.int32, "concept": np.int16}
_LINK: dict[str, type[np.integer[Any]]] = {"parent": np.int32, "child": np.int32}


@dataclass(frozen=True)
class MapSAE:
    """One of the SAEs on a map."""

    name: str
    d_sae: int  # features that it has, on the map or not
    n_tokens: int = 0  # counted tokens behind its densities and maxima; 0 where there are none
    corpus: str = ""  # of those tokens


@dataclass(frozen=True, eq=False)
class FeatureMapData:
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

    saes: tuple[MapSAE, ...]
    sae: np.ndarray  # int16 [point], index into `saes`
    feature: np.ndarray  # int32 [point], number in its SAE
    x: np.ndarray  # float32 [point], -1 to 1, to the right; distances have no unit
    y: np.ndarray  # float32 [point], -1 to 1, upward
    density: np.ndarray  # float32 [point], share of counted tokens at which it is active
    maximum: np.ndarray  # float32 [point], largest activation over the corpus, SAE units
    concept: np.ndarray  # int16 [point], index into `concepts` of the planted concept that it fires on; -1 for none
    precision: np.ndarray  # float32 [point], share of the tokens at which it is active that express `concept`
    labels: tuple[str, ...]  # [point], what it stands for, where somebody said so
    tokens: tuple[tuple[str, ...], ...]  # [point], display texts of the tokens that it promotes most, strongest first
    concepts: tuple[str, ...] = ()
    parent: np.ndarray = None  # type: ignore[assignment]  # int32 [link], point of the smaller SAE; see `analysis.map.links`
    child: np.ndarray = None  # type: ignore[assignment]  # int32 [link], point of the larger SAE
    cosine: np.ndarray = None  # type: ignore[assignment]  # float32 [link], of the two decoder rows
    threshold: float = 0.5  # the smallest cosine of a link
    method: str = "neighbors"  # of the projection: see `analysis.map_layout.METHODS`
    neighbors: int = 15  # nearest directions that the projection keeps together
    min_dist: float = 0.05  # how close it may put two points, in its own units
    seed: int = 0

    def __post_init__(self) -> None:
        for name, kind in (*_LINK.items(), ("cosine", np.float32)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.zeros(0, kind))
        n = len(self.feature)
        for name in (*_INTS, *_FLOATS, "labels", "tokens"):
            if len(getattr(self, name)) != n:
                raise ValueError(f"{name} has {len(getattr(self, name))} entries for {n} points")
        if not len(self.parent) == len(self.child) == len(self.cosine):
            raise ValueError("parent, child and cosine of the links are not of one length")
        ends = np.concatenate([self.parent, self.child])
        if len(ends) and not (ends.min() >= 0 and ends.max() < n):
            raise ValueError(f"a link ends at a point that is not among the {n}")
        if n and not (self.sae.min() >= 0 and self.sae.max() < len(self.saes)):
            raise ValueError(f"a point belongs to an SAE that is not among the {len(self.saes)}")
        if n and not (self.concept.min() >= -1 and self.concept.max() < len(self.concepts)):
            raise ValueError(f"a point has a concept that is not among the {len(self.concepts)}")
        if not (np.isfinite(self.x).all() and np.isfinite(self.y).all()):
            raise ValueError("a point has no place: its x or y is not finite")

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
        """int64: the points inside a polygon of places (x, y): a ray to the right crosses its border an odd number of times."""
        within = np.zeros(len(self), bool)
        corners = [*polygon]
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            crosses = (y0 > self.y) != (y1 > self.y)
            with np.errstate(divide="ignore", invalid="ignore"):
                within ^= crosses & (self.x < (x1 - x0) * (self.y - y0) / np.float64(y1 - y0) + x0)
        return np.flatnonzero(within)

    def children(self, point: int) -> pd.DataFrame:
        """The features of larger SAEs that are linked to this one: the columns of `to_dataframe` and cosine, highest first."""
        return self._linked(self.child[self.parent == point], self.cosine[self.parent == point])

    def parents(self, point: int) -> pd.DataFrame:
        """The features of smaller SAEs that this one is linked to, one a size at most; columns as of `children`."""
        return self._linked(self.parent[self.child == point], self.cosine[self.child == point])

    def _linked(self, points: np.ndarray, cosine: np.ndarray) -> pd.DataFrame:
        order = np.argsort(-cosine, kind="stable")
        return self.to_dataframe(points[order].tolist()).assign(cosine=cosine[order])

    def to_dataframe(self, points: Iterable[int] | None = None) -> pd.DataFrame:
        """One row a point, of all or of some: point, sae (name), feature, label, concept, precision, density, maximum, tokens, x, y.

        Raises IndexError on a point that does not exist.
        """
        own = np.arange(len(self)) if points is None else np.asarray([*points], np.int64)
        if len(own) and not (own.min() >= 0 and own.max() < len(self)):
            raise IndexError(f"this map has the points 0 to {len(self) - 1}")
        names, concepts = [s.name for s in self.saes], (*self.concepts, "")
        return pd.DataFrame(
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
            }
        )

    def sentence(self) -> str:
        """Where the map comes from, in one line."""
        saes = ", ".join(f"{s.name} ({s.d_sae:,})" for s in self.saes)
        known = next((s for s in self.saes if s.n_tokens), None)
        text = f"; {known.n_tokens:,} tokens of {known.corpus}" if known else ""
        how = f"{self.neighbors} neighbors, min_dist {self.min_dist:g}, " if self.method != "pca" else ""
        return f"Decoder directions of {saes}; projection {self.method}, {how}seed {self.seed}{text}"

    # -- files -------------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types, a column a list; nan as None."""
        return {
            "format": FORMAT,
            "saes": [vars(s) for s in self.saes],
            **{name: getattr(self, name).tolist() for name in (*_INTS, *_LINK)},
            **{name: _numbers(getattr(self, name)) for name in (*_FLOATS, "cosine")},
            "labels": list(self.labels),
            "tokens": [list(t) for t in self.tokens],
            "concepts": list(self.concepts),
            **{name: getattr(self, name) for name in ("threshold", "method", "neighbors", "min_dist", "seed")},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FeatureMapData:
        """The inverse of `to_dict`. Raises KeyError, TypeError or ValueError on what is missing or does not fit."""
        given = {name: value for name, value in data.items() if name != "format"}
        given["saes"] = tuple(MapSAE(**s) for s in given["saes"])
        for name, kind in (*_INTS.items(), *_LINK.items()):
            given[name] = _whole(name, given[name], kind)
        for name in (*_FLOATS, "cosine"):
            given[name] = np.array([np.nan if v is None else float(v) for v in given[name]], np.float32)
        given["labels"] = tuple(map(_text, given["labels"]))
        given["tokens"] = tuple(tuple(map(_text, t)) for t in given["tokens"])
        given["concepts"] = tuple(map(_text, given["concepts"]))
        return cls(**given)

    def to_json(self, path: str | Path | None = None) -> str:
        """The record as JSON text, the same bytes for the same record; written to `path` as well if given."""
        if path is not None:
            self.save(path)
        return json.dumps(self.to_dict(), allow_nan=False, separators=(",", ":"))

    def save(self, path: str | Path) -> None:
        """Write one JSON file, atomically."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> FeatureMapData:
        """Read what `save` wrote. Raises LoadError, and nothing else, on a file that does not hold it."""
        data = read_json(path, max_bytes=256 << 20)
        if data.get("format") != FORMAT:
            raise LoadError(path, f"map format {data.get('format')!r}; this version reads format {FORMAT}")
        try:
            return cls.from_dict(data)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise LoadError(path, f"not a saved map: {error}") from error


def _numbers(column: np.ndarray) -> list[float | None]:
    """float32 values with the nine digits that bring each back exactly; None for what is not finite."""
    return [float(f"{v:.9g}") if np.isfinite(v) else None for v in column.tolist()]


def _whole(name: str, values: Sequence[Any], kind: type[np.integer[Any]]) -> np.ndarray:
    if not all(type(v) is int for v in values):
        raise ValueError(f"{name} holds something that is not a whole number")
    column = np.array(values, np.int64)
    if len(column) and not (np.iinfo(kind).min <= column.min() and column.max() <= np.iinfo(kind).max):
        raise ValueError(f"{name} holds a number that is out of range")
    return column.astype(kind)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a text, not {value!r:.40}")
    return value
