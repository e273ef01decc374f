"""What a person has set in an instrument: one record per instrument, to save, to hand out, and to put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from saewidgets.files import read_json, unknown, write_json
from saewidgets.records import typed
from saewidgets.records.dialogues import Dialogue
from saewidgets.records.toy_config import ToyConfig

FORMAT = 1  # of the saved file; raised when an older reader would misread
MAX_BYTES = 16 << 20


@dataclass(frozen=True)
class InstrumentState:
    """What a person has set in an instrument. Every instrument has a class of its own, whose fields are named as its
    traits are.

    It holds choices only: neither the data that the instrument shows, nor what was measured or written.

    Example:
        >>> state = PlaneState(point=(0.5, 1.0), angles=(90.0, 0.0))
        >>> state.to_dict()
        {'format': 1, 'instrument': 'plane', 'point': [0.5, 1.0], 'angles': [90.0, 0.0]}
        >>> InstrumentState.from_dict(state.to_dict()) == state
        True
    """

    instrument: ClassVar[str] = ""

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON types, with its format and the name of its instrument."""
        return {"format": FORMAT, "instrument": self.instrument} | {
            name: _json(value) for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, data: Any, where: str = "") -> Self:
        """The record that `to_dict` gave. On `InstrumentState` itself, whichever instrument it is of.

        Raises:
            ValueError: another format, an instrument that is not known or not this one, a field that is missing,
                unknown or of another type; `where` stands before it.
        """
        typed.check_format(data, "a saved state of", (FORMAT,))
        name = data.get("instrument")
        known = {kind.instrument: kind for kind in InstrumentState.__subclasses__()}
        if name not in known:
            raise ValueError(unknown("instrument", name, known))
        kind = known[name]
        if not issubclass(kind, cls):
            raise ValueError(f"this is the state of the instrument {name!r}, not of {cls.instrument!r}")
        own = {key: value for key, value in data.items() if key not in ("format", "instrument")}
        return typed.record(kind, own, where)

    def save(self, path: str | Path) -> None:
        """Write the record as JSON."""
        write_json(path, self.to_dict(), indent=2)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The record that `save` wrote. Raises LoadError for a file that holds none, or that of another instrument."""
        data = read_json(path, max_bytes=MAX_BYTES)
        with typed.refusing(path):
            return cls.from_dict(data)

    @classmethod
    def of(cls, instrument: Any) -> Self:
        """What an object with traits of these names holds now."""
        return cls(**{f.name: _frozen(getattr(instrument, f.name)) for f in fields(cls)})

    def traits(self) -> dict[str, Any]:
        """The values by the names of the traits: lists where traits take lists."""
        return {f.name: _thawed(getattr(self, f.name)) for f in fields(self)}


@dataclass(frozen=True)
class ArchitectureState(InstrumentState):
    """Of an `ArchitecturePanel`."""

    instrument = "architecture"
    position: int  # of the token that is looked at
    feature: int | None


@dataclass(frozen=True)
class ClampState(InstrumentState):
    """Of a `ClampPanel`."""

    instrument = "clamp"
    prompt: str | Dialogue
    features: tuple[int, ...]  # rows, in order
    multiples: Mapping[int, float | None]  # feature -> multiple of its maximum; None or absent is off
    scope: int | str
    temperature: float
    seed: int
    n_tokens: int
    compare: str
    feature: int | None
    n_answers: int = 8  # of other seeds that are written at a time
    look_for: str = ""  # words and phrases to look for in them, between commas
    logprobs: bool = False  # whether each token's log-probability is drawn


@dataclass(frozen=True)
class CompletenessState(InstrumentState):
    """Of a `CompletenessLab`."""

    instrument = "completeness"
    sae: str  # whose concepts are listed
    concept: str  # the one that is taken apart


@dataclass(frozen=True)
class DashboardState(InstrumentState):
    """Of a `FeatureDashboard`."""

    instrument = "dashboard"
    feature: int
    token: tuple[int, ...] | None  # context, position
    interval: tuple[float, ...] | None  # feature, low, high in SAE units


@dataclass(frozen=True)
class DirectionsState(InstrumentState):
    """Of a `DirectionsLab`."""

    instrument = "directions"
    space: str  # the hook point whose vectors are shown
    relation: str


@dataclass(frozen=True)
class DoseState(InstrumentState):
    """Of a `DoseResponse`."""

    instrument = "dose_response"
    kind: str
    multiple: float  # of the feature's maximum


@dataclass(frozen=True)
class GradingState(InstrumentState):
    """Of a `GradingSheet`."""

    instrument = "grading"
    grades: tuple[tuple[int | None, float], ...]  # in the order given: score, None for "cannot say"; seconds


@dataclass(frozen=True)
class MapState(InstrumentState):
    """Of a `FeatureMap`."""

    instrument = "map"
    feature: int | None
    point: int | None
    chosen: tuple[int, ...]  # points inside the lasso
    color: str
    size: str
    links: str
    shown: tuple[int, ...]  # indices of the SAEs that are drawn


@dataclass(frozen=True)
class PlaneState(InstrumentState):
    """Of a `FeaturePlane`."""

    instrument = "plane"
    point: tuple[float, float]
    angles: tuple[float, ...]  # degrees


@dataclass(frozen=True)
class ProbeState(InstrumentState):
    """Of a `FeatureProbe`."""

    instrument = "probe"
    text: str | Dialogue
    feature: int | None
    pinned: tuple[int, ...]
    position: int | None
    sort: str
    target: str
    baseline: str
    beside: tuple[str | Dialogue, ...] = ()


@dataclass(frozen=True)
class SearchState(InstrumentState):
    """Of a `FeatureSearch`."""

    instrument = "search"
    mode: str
    query: str
    other: str
    regex: bool
    case: bool
    relative: bool
    feature: int | None
    words: bool = False
    scope: int | str = "all"
    combine: str = "mean"
    at_least: float = 0.0
    at_most: float = 0.0


@dataclass(frozen=True)
class SpecificityState(InstrumentState):
    """Of a `SpecificityLab`."""

    instrument = "specificity"
    level: int  # interval whose examples are shown, 0 the weakest
    score: int | None  # of the examples that are shown; None: all of them
    judge: str  # whose scores are drawn


@dataclass(frozen=True)
class SuperpositionState(InstrumentState):
    """Of a `SuperpositionLab`."""

    instrument = "superposition"
    n_features: int
    n_hidden: int
    densities: tuple[float, ...]  # P(x_i != 0), one per model
    importance_decay: float
    relation: str
    set_size: int
    activation: str
    hidden: str
    task: str
    l1: float
    steps: int
    tries: int
    seed: int
    selected: int
    snapshot: int
    preset: str = ""  # the experiment that was chosen last
    shows: str = "models"  # "models" | "phases"
    sae_features: int = 0  # of the SAE that is trained on a model; 0 is twice as many as that has
    sae_architecture: str = "relu"
    view: str = "overview"  # the group of views that is open
    marked: int | None = None  # a feature of the toy models
    attack: float = 0.1  # length of the attack that is drawn, in mean lengths of an input
    sample: int = 1  # the input that is attacked, a number of a sample
    recipe: ToyConfig | None = None  # what the settings began with, as of a run


@dataclass(frozen=True)
class TrainingState(InstrumentState):
    """Of a `TrainingMonitor`."""

    instrument = "training"
    selected: str  # name of the run in front


def _frozen(value: Any) -> Any:
    """A trait's value, so that what is done to the trait later does not reach the record."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    return dict(value) if isinstance(value, Mapping) else value


def _thawed(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_thawed(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


def _json(value: Any) -> Any:
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else _thawed(value)
