"""The features of one SAE over one corpus, as one record: read feature by feature, saved as JSON or Parquet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from saewidgets.bars import bar, muted
from saewidgets.files import LoadError, parse_json, read_json, write_text
from saewidgets.records import typed
from saewidgets.records.features import (
    FeatureData,
    FeatureExample,
    FeatureSummary,
    Histogram,
    Passport,
)
from saewidgets.records.labels import ReaderLabels
from saewidgets.records.tables import frame

FORMAT = 2  # of `DashboardData.save`; raised when an older reader would misread
READS = (1, 2)
MAX_BYTES = 1 << 30  # of a file that is read


@runtime_checkable
class FeatureSource(Protocol):
    """Features that are made when they are asked for (`analysis.dashboard_data`), beyond what any mapping can do."""

    def summaries(self) -> tuple[FeatureSummary, ...]:
        """Every feature in ascending order, without making its record."""
        ...

    def measured(self, features: Iterable[int]) -> Iterable[FeatureData]:
        """These features, with what needs forward passes of the model."""
        ...

    def between(self, feature: int, low: float, high: float, n: int) -> tuple[FeatureExample, ...]:
        """Examples whose activation lies in [low, high), drawn at random, strongest first."""
        ...


def not_here(feature: int, features: Iterable[int]) -> str:
    """The sentence about a feature that a dashboard does not have, with the nearest numbers of those that it has."""
    near = sorted(features, key=lambda f: abs(f - int(feature)))[:5]
    return f"feature {feature} is not in this dashboard; nearest: {', '.join(map(str, near))}"


@dataclass(frozen=True)
class DashboardData:
    """The features of one SAE over one corpus, ready to draw.

    `features` is a plain dict where the record was loaded or made by hand; the one that `dashboard_data` gives makes
    each feature when it is first asked for. Everything here works with both.
    """

    passport: Passport
    features: Mapping[int, FeatureData] = field(default_factory=dict)
    # Hex, of the ids whose display text is not their own UTF-8.
    token_bytes: Mapping[int, str] = field(default_factory=dict)
    log_density: Histogram | None = None  # log10 of the density of all live features
    n_dead: int = 0  # features that never fire on this corpus
    per_context: int | None = None  # tokens of each context that examples were chosen among; None: all

    def __post_init__(self) -> None:
        if self.per_context is not None and self.per_context < 1:
            raise ValueError(f"per_context is {self.per_context}: give 1 or more, or None for all tokens")

    def __getitem__(self, feature: int) -> FeatureData:
        """One feature. Raises KeyError that names the nearest features that are here."""
        if feature not in self.features:
            raise KeyError(not_here(feature, self.features))
        return self.features[feature]

    @cached_property
    def summaries(self) -> tuple[FeatureSummary, ...]:
        """What a list says of every feature, in ascending order."""
        if isinstance(self.features, FeatureSource):
            return self.features.summaries()
        return tuple(FeatureSummary.of(self.features[f]) for f in sorted(self.features))

    @property
    def live(self) -> bool:
        """Whether the model is at hand: effects can be measured and further examples drawn."""
        return isinstance(self.features, FeatureSource)

    def measured(self, feature: int, *, progress: bool = True) -> FeatureData:
        """One feature with loss effects, moved logits and correlated neurons, where the model is at hand; else as it
        is.

        It takes two forward passes of the texts that are shown, and the first feature one over a sample of the corpus.
        `progress=False` draws no bars.
        """
        found = self[feature]
        if found.measured or not isinstance(self.features, FeatureSource):
            return found
        with muted(not progress):
            (found,) = self.features.measured([feature])
        return found

    def between(self, feature: int, low: float, high: float, n: int = 10) -> tuple[FeatureExample, ...]:
        """Up to n examples whose activation lies in [low, high), strongest first: a bin of the histogram.

        They are drawn from the whole corpus where that is at hand, and else from the examples of the record.
        """
        if isinstance(self.features, FeatureSource):
            return self.features.between(feature, low, high, n)
        unique = {(e.context, e.position + e.peak): e for e in (*self[feature].intervals, *self[feature].top)}
        inside = [e for e in unique.values() if low <= e.maximum < high]
        return tuple(sorted(inside, key=lambda e: -e.maximum)[:n])

    def subset(self, features: Iterable[int], *, effects: bool = False, progress: bool = True) -> DashboardData:
        """A record with these features only, each made now. Raises KeyError on one that is not here.

        `effects` measures what needs the model (see `measured`), all of it together, which is cheaper than one by one.
        `progress=False` draws no bars.
        """
        chosen = sorted(set(features))
        for feature in chosen:
            if feature not in self.features:
                self[feature]  # raises, with the nearest ones
        if effects and isinstance(self.features, FeatureSource):
            with muted(not progress):
                made = {f.feature: f for f in self.features.measured(chosen)}
        else:
            made = {}
            with bar(len(chosen), "making records", "features", progress=progress) as advance:
                for f in chosen:
                    made[f] = self.features[f]
                    advance(1)
        return replace(self, features=made)

    def relabeled(self, labels: ReaderLabels) -> DashboardData:
        """This record with what its reader calls the features of this SAE in place of the labels that they came with;
        each feature is made now.

        Example:
            >>> data.relabeled(selection.labels).save("with_my_labels.json")  # doctest: +SKIP
        """
        own = labels.of(self.passport.sae) if self.passport.sae else {}
        made = self.subset(self.features).features
        return replace(self, features={f: replace(each, label=own.get(f, each.label)) for f, each in made.items()})

    def to_dataframe(self) -> pd.DataFrame:
        """One row per feature: feature, label, density, maximum, and the three most promoted tokens."""
        return frame(
            [
                {
                    "feature": f.feature,
                    "label": f.label,
                    "density": f.density,
                    "maximum": f.maximum,
                    "promotes": " ".join(repr(t) for t in f.promoted[:3]),
                }
                for f in self.summaries
            ],
            columns=["feature", "label", "density", "maximum", "promotes"],
        )

    # -- JSON and Parquet ----------------------------------------------------------------------------------------------

    def to_dict(self, *, progress: bool = True) -> dict[str, Any]:
        """The fields as JSON types. `progress=False` draws no bar, here and where it is saved."""
        return {**self._about(), "features": self._rows(progress)}

    def _rows(self, progress: bool) -> list[dict[str, Any]]:
        """Every feature as JSON types; each is made now."""
        rows = []
        with bar(len(self.features), "making records", "features", progress=progress) as advance:
            for feature in self.features.values():
                rows.append(asdict(feature))
                advance(1)
        return rows

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DashboardData:
        """The inverse of `to_dict`. Raises ValueError on a missing, unknown or wrong field."""
        about = {name: own for name, own in data.items() if name not in ("format", "features")}
        listed = typed.value(tuple[FeatureData, ...], data.get("features"), "features")
        for number, n in Counter(f.feature for f in listed).items():
            if n > 1:
                raise ValueError(f"features holds feature {number} more than once")
        made = typed.record(cls, about, features={f.feature: f for f in listed})
        for number in made.features:
            if not 0 <= number < made.passport.d_sae:
                raise ValueError(f"feature {number} is not one of the {made.passport.d_sae} of the SAE")
        return made

    def to_json(self, path: str | Path | None = None, *, progress: bool = True) -> str:
        """The record as JSON text; written to `path`, atomically, if given. The same record gives the same text."""
        text = json.dumps(self.to_dict(progress=progress), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
        if path is not None:
            write_text(path, text)
        return text

    @classmethod
    def from_json(cls, text: str) -> DashboardData:
        """The inverse of `to_json`. Raises ValueError, in one sentence, on a text that is not one."""
        try:
            return cls._opened("the text", parse_json("the text", text.encode()))
        except (LoadError, ValueError) as error:
            raise ValueError(f"not a dashboard in JSON: {error}") from None

    def save(self, path: str | Path, *, progress: bool = True) -> None:
        """Write one JSON file, atomically."""
        self.to_json(path, progress=progress)

    @classmethod
    def load(cls, path: str | Path) -> DashboardData:
        """Read what `save` wrote. Raises LoadError, and nothing else, on a file that does not hold it."""
        return cls._opened(path, read_json(path, max_bytes=MAX_BYTES))

    def to_parquet(self, path: str | Path, *, progress: bool = True) -> None:
        """Write one Parquet file, one row per feature, its examples as nested columns, atomically.

        Raises ImportError, saying what to install, where pyarrow is missing.
        """
        from saewidgets.records.parquet import write_rows

        write_rows(path, self._rows(progress), self._about())

    @classmethod
    def from_parquet(cls, path: str | Path) -> DashboardData:
        """Read what `to_parquet` wrote. Raises LoadError, and nothing else, on a file that does not hold it.

        Raises ImportError, saying what to install, where pyarrow is missing.
        """
        from saewidgets.records.parquet import read_rows

        rows, about = read_rows(path, max_bytes=MAX_BYTES, check=cls._check_format)
        return cls._opened(path, {**about, "features": rows})

    def _about(self) -> dict[str, Any]:
        """All but the features."""
        return {
            "format": FORMAT,
            "passport": asdict(self.passport),
            "token_bytes": {str(i): raw for i, raw in sorted(self.token_bytes.items())},
            "log_density": None if self.log_density is None else asdict(self.log_density),
            "n_dead": self.n_dead,
            # Only where it says something: a file without it is read by versions that do not know it.
            **({} if self.per_context is None else {"per_context": self.per_context}),
        }

    @staticmethod
    def _check_format(data: Any) -> None:
        typed.check_format(data, "dashboard", READS)

    @classmethod
    def _opened(cls, path: str | Path, data: Any) -> DashboardData:
        return typed.opened(path, data, "dashboard", READS, cls.from_dict)
