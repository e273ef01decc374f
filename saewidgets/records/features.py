"""What a feature dashboard shows, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from saewidgets.files import LoadError, read_json, write_json
from saewidgets.records.site import ActivationSite

FORMAT = 1  # of `DashboardData.save`; raised when an older reader would misread


@dataclass(frozen=True)
class FeatureExample:
    """A window of text around one activation."""

    tokens: tuple[str, ...]  # display text of each token, in order
    token_ids: tuple[int, ...]
    activations: tuple[float, ...]  # of this feature, SAE units, one a token
    peak: int  # index into `tokens` of the activation that the example was chosen for
    context: int  # row of the corpus
    position: int  # column of the corpus at which `tokens[0]` stands
    interval: int = -1  # -1: among the top examples; 0..k-1: from activation interval i, 0 the weakest

    @property
    def maximum(self) -> float:
        """The activation at `peak`."""
        return self.activations[self.peak]


@dataclass(frozen=True)
class Histogram:
    """Counts in adjoining bins."""

    edges: tuple[float, ...]  # len(counts) + 1, ascending
    counts: tuple[int, ...]


@dataclass(frozen=True)
class TokenEffect:
    """A direct effect on one vocabulary entry."""

    token: str  # display text
    token_id: int
    logit: float  # logit added for each unit of activation, mean over the vocabulary subtracted


@dataclass(frozen=True)
class Neighbor:
    """Another feature nearby."""

    feature: int
    cosine: float  # between decoder rows


@dataclass(frozen=True)
class FeatureData:
    """Everything a dashboard shows of one feature."""

    feature: int
    maximum: float  # largest activation over the corpus, SAE units
    density: float  # share of counted tokens at which it is active
    top: tuple[FeatureExample, ...]  # strongest first, at most one a context
    intervals: tuple[FeatureExample, ...]  # sampled inside equal activation intervals, strongest interval first (S10)
    histogram: Histogram  # of the non-zero activations
    promoted: tuple[TokenEffect, ...]  # largest direct logit effect first
    suppressed: tuple[TokenEffect, ...]  # smallest first
    neighbors: tuple[Neighbor, ...]  # nearest decoder direction first
    label: str = ""  # what it stands for, where known: a planted concept, or a person's note


@dataclass(frozen=True)
class Passport:
    """Where the figures of a dashboard come from. Printed on it, and in every export."""

    site: ActivationSite
    corpus: str  # e.g. "miniworld, 4000 documents, seed 1"
    n_tokens: int  # counted tokens behind every density and maximum
    d_sae: int
    architecture: str
    sae_name: str = ""
    fit: str = ""  # what the doctor says of model and SAE, "" where nobody asked

    def sentence(self) -> str:
        """The passport in one line."""
        name = f"{self.sae_name}: " if self.sae_name else ""
        return (
            f"{name}{self.architecture} SAE, {self.d_sae:,} features, on {self.site.model_name} at {self.site.hook_name} "
            f"(weights {self.site.weight_processing}, BOS {'yes' if self.site.prepend_bos else 'no'}); "
            f"{self.n_tokens:,} tokens of {self.corpus}" + (f"; {self.fit}" if self.fit else "")
        )


@dataclass(frozen=True)
class DashboardData:
    """The features of one SAE over one corpus, ready to draw with no model at hand."""

    passport: Passport
    features: Mapping[int, FeatureData] = field(default_factory=dict)

    def __getitem__(self, feature: int) -> FeatureData:
        """One feature. Raises KeyError that names the nearest features that are here."""
        if feature not in self.features:
            near = sorted(self.features, key=lambda f: abs(f - int(feature)))[:5]
            raise KeyError(f"feature {feature} is not in this dashboard; nearest: {', '.join(map(str, near))}")
        return self.features[feature]

    def to_dataframe(self) -> pd.DataFrame:
        """One row a feature: feature, label, density, maximum, and the three most promoted tokens."""
        return pd.DataFrame(
            [
                {
                    "feature": f.feature,
                    "label": f.label,
                    "density": f.density,
                    "maximum": f.maximum,
                    "promotes": " ".join(repr(t.token) for t in f.promoted[:3]),
                }
                for f in self.features.values()
            ],
            columns=["feature", "label", "density", "maximum", "promotes"],
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types."""
        return {
            "format": FORMAT,
            "passport": asdict(self.passport),
            "features": [asdict(f) for f in self.features.values()],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> DashboardData:
        """The inverse of `to_dict`. Raises KeyError or TypeError on a missing or unknown field."""
        passport = dict(data["passport"])
        passport["site"] = ActivationSite.from_dict(passport["site"])
        features = [_feature(f) for f in data["features"]]
        return cls(Passport(**passport), {f.feature: f for f in features})

    def save(self, path: str | Path) -> None:
        """Write one JSON file, atomically."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> DashboardData:
        """Read what `save` wrote. Raises LoadError, and nothing else, on a file that does not hold it."""
        data = read_json(path, max_bytes=256 << 20)
        if data.get("format") != FORMAT:
            raise LoadError(path, f"dashboard format {data.get('format')!r}; this version reads format {FORMAT}")
        try:
            return cls.from_dict(data)
        except (KeyError, TypeError, ValueError) as error:
            raise LoadError(path, f"not a saved dashboard: {error}") from error


def _feature(data: dict[str, Any]) -> FeatureData:
    return FeatureData(
        **{
            **data,
            "top": tuple(_example(e) for e in data["top"]),
            "intervals": tuple(_example(e) for e in data["intervals"]),
            "histogram": Histogram(tuple(data["histogram"]["edges"]), tuple(data["histogram"]["counts"])),
            "promoted": tuple(TokenEffect(**t) for t in data["promoted"]),
            "suppressed": tuple(TokenEffect(**t) for t in data["suppressed"]),
            "neighbors": tuple(Neighbor(**n) for n in data["neighbors"]),
        }
    )


def _example(data: dict[str, Any]) -> FeatureExample:
    listed = {name: tuple(data[name]) for name in ("tokens", "token_ids", "activations")}
    return FeatureExample(**{**data, **listed})
