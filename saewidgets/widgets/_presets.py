"""Settings of an instrument with what they were set on: given, saved, and taken back where they belong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from saewidgets.records.arguments import expect
from saewidgets.records.dialogues import Dialogue
from saewidgets.records.presets import Preset, Subject
from saewidgets.records.states import ClampState, InstrumentState


class Settable(Protocol):
    """What is asked of an instrument."""

    _states: type[InstrumentState]

    def state(self) -> InstrumentState:
        """What is set now."""
        ...

    def _subject(self) -> Subject: ...
    def _prompt_ids(self, state: Any) -> tuple[int, ...] | None: ...
    def _maxima(self, features: Iterable[int]) -> dict[int, float]: ...


def made(instrument: Settable, path: str | Path | None) -> Preset:
    """What `Instrument.to_preset` gives."""
    state = instrument.state()
    values = {}
    if isinstance(state, ClampState):
        maxima = instrument._maxima(state.features)
        values = {f: m * maxima[f] for f, m in state.multiples.items() if m is not None and f in maxima}
    preset = Preset(state, instrument._subject(), instrument._prompt_ids(state), values)
    if path is not None:
        preset.save(path)
    return preset


def wanted(instrument: Settable, given: Preset | str | Path) -> InstrumentState:
    """The state that a preset asks of this instrument. Raises ValueError where it does not belong to it."""
    name = type(instrument).__name__
    if isinstance(given, Preset):
        preset = given
    else:
        how = "give a Preset or the path of one"
        preset = Preset.load(expect(given, (str, Path), "preset", f"{name}.load_preset", how))
    state = preset.state
    if not isinstance(state, instrument._states):
        raise ValueError(f"this preset is of the instrument {state.instrument!r}, and this is a {name}")
    differs = preset.subject.against(instrument._subject())
    if differs:
        raise ValueError(f"this preset and this {name} are of two different things: {differs}")
    ids = None if preset.prompt_ids is None else instrument._prompt_ids(state)
    if ids is not None and ids != preset.prompt_ids:
        raise ValueError(
            f"the prompt of this preset is {len(preset.prompt_ids or ())} tokens, and other ones in this {name} "
            f"({len(ids)}): its model has another tokenizer"
        )
    return _rescaled(instrument, state, preset.values)


def _rescaled(instrument: Settable, state: InstrumentState, values: Mapping[int, float]) -> InstrumentState:
    """A clamp's values as multiples of the maxima that this instrument has: another corpus has others."""
    if not isinstance(state, ClampState) or not values:
        return state
    maxima = instrument._maxima(state.features)
    multiples: dict[int, Any] = dict(state.multiples)
    for feature, value in values.items():
        before = multiples.get(feature)
        if (
            before is not None
            and maxima.get(feature, 0) > 0
            and abs(before * maxima[feature] - value) > 1e-6 * abs(value)
        ):
            multiples[feature] = value / maxima[feature]
    return replace(state, multiples=multiples)


def tokens_of(source: Any, prompt: str | Dialogue) -> tuple[int, ...] | None:
    """The tokens of a prompt, from a source that has them to give; None where it has not, or takes no such prompt."""
    read = getattr(source, "prompt_ids", None)
    if not callable(read):
        return None
    try:
        return tuple(map(int, read(prompt)))
    except ValueError:
        return None
