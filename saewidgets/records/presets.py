"""What a person set in an instrument, with the model and the SAEs that it was set on: a small file to hand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saewidgets.files import write_json
from saewidgets.records import typed
from saewidgets.records.features import Passport
from saewidgets.records.saved import Saved
from saewidgets.records.states import InstrumentState

# Embeddings further apart, as a share of their largest value, are not copies of one, whatever the precision of either.
_ROUNDING = 2.0**-6


@dataclass(frozen=True)
class Subject:
    """A model and the SAEs that an instrument looks at, as far as its records say; "" and () are not known.

    Example:
        >>> one = Subject("miniworld", saes=("miniworld-512",), digests=("0f" * 32,))
        >>> one.against(Subject("miniworld", saes=("a copy",), digests=("0f" * 32,)))
        ''
        >>> one.against(Subject("miniworld", saes=("miniworld-2048",), digests=("1e" * 32,)))
        "the SAE 'miniworld-512' (0f0f0f0f) and the SAE 'miniworld-2048' (1e1e1e1e)"
    """

    model: str = ""  # its name
    fingerprint: tuple[float, ...] = ()  # a few values of its embedding
    hook_name: str = ""  # where the SAE reads
    saes: tuple[str, ...] = ()  # their names
    digests: tuple[str, ...] = ()  # `SAE.digest` of each

    def __post_init__(self) -> None:
        if len(self.digests) != len(self.saes):
            raise ValueError(
                f"{len(self.saes)} SAEs have {len(self.digests)} digests: give one per SAE, '' where unknown"
            )

    @classmethod
    def of(cls, passport: Passport | None) -> Subject:
        """The subject of a passport; one of which nothing is known for None."""
        if passport is None:
            return cls()
        site = passport.site
        return cls(passport.model_name, site.fingerprint, site.hook_name, (passport.sae_name,), (passport.sae,))

    @classmethod
    def named(cls, record: Any) -> Subject:
        """The subject of a record that names model, SAE and hook point itself."""
        return cls(record.model_name, (), record.hook_name, (record.sae_name,), ("",))

    def against(self, other: Subject) -> str:
        """What is another here and there, both by their names; "" where nothing that both know differs. Weights decide
        where both are known, and a name only where they are not.
        """
        apart = _apart(self.fingerprint, other.fingerprint)
        named = bool(self.model and other.model) and _plain(self.model) != _plain(other.model)
        if apart is True or (apart is None and named):
            both = f"the model {self.model or 'without a name'!r} and the model {other.model or 'without a name'!r}"
            return both if named else f"{both}, whose embeddings differ"
        if self.saes and other.saes and len(self.saes) != len(other.saes):
            return f"{_several(self.saes)} and {_several(other.saes)}"
        for name, digest, its_name, its_digest in zip(self.saes, self.digests, other.saes, other.digests, strict=False):
            differ = digest != its_digest if digest and its_digest else bool(name and its_name) and name != its_name
            if differ:
                return f"the SAE {_sae(name, digest)} and the SAE {_sae(its_name, its_digest)}"
        if self.hook_name and other.hook_name and self.hook_name != other.hook_name:
            return f"an SAE at {self.hook_name} and one at {other.hook_name}"
        return ""


@dataclass(frozen=True)
class Preset(Saved):
    """The settings of one instrument, and what they were set on. Every instrument gives one, `.to_preset()`, and takes
    one, `.load_preset(preset)`.

    Example:
        >>> from saewidgets.records.states import PlaneState
        >>> state = PlaneState(point=(0.5, 1.0), angles=(90.0, 0.0))
        >>> Preset(state).save("mine.json")
        >>> Preset.load("mine.json").state == state
        True
    """

    KIND = "preset"
    MAX_BYTES = 16 << 20

    state: InstrumentState
    subject: Subject = field(default_factory=Subject)
    prompt_ids: tuple[int, ...] | None = (
        None  # exact tokens of the state's prompt or text, where a tokenizer was at hand
    )
    values: Mapping[int, float] = field(default_factory=dict)  # clamped feature -> its value in SAE activation units

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types."""
        return super().to_dict() | {
            "state": self.state.to_dict(),
            "values": {str(f): v for f, v in self.values.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Preset:
        """The inverse of `to_dict`. Raises ValueError on a missing, unknown or wrong field."""
        rest = {name: value for name, value in data.items() if name not in ("format", "state")}
        if "state" not in data:
            raise ValueError("the field 'state' is missing")
        return typed.record(cls, rest, state=InstrumentState.from_dict(data["state"], "state"))

    def save(self, path: str | Path) -> None:
        """Write one JSON file, atomically."""
        write_json(path, self.to_dict(), indent=2)


def _apart(a: tuple[float, ...], b: tuple[float, ...]) -> bool | None:
    """Whether two embeddings are not copies of one; None where that is not known."""
    if not a or len(a) != len(b):
        return None
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) > _ROUNDING * max(max(map(abs, b)), 1e-30)


def _plain(name: str) -> str:
    return name.rsplit("/", 1)[-1].lower()


def _sae(name: str, digest: str) -> str:
    return f"{name or 'without a name'!r}" + (f" ({digest[:8]})" if digest else "")


def _several(names: tuple[str, ...]) -> str:
    return f"{len(names)} SAEs ({', '.join(name or 'without a name' for name in names)})"
