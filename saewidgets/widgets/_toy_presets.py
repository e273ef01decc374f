"""The experiments of the paper in the superposition lab: chosen by name, and what has been changed since is known."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import traitlets

from saewidgets.files import unknown
from saewidgets.languages import language, said
from saewidgets.records import ToyConfig
from saewidgets.records.states import SuperpositionState
from saewidgets.toy import experiment, experiments, phase_experiments
from saewidgets.widgets._toy_recipe import OWN, settings_of
from saewidgets.widgets._toy_settings import SETTINGS

SHOWS = ("models", "phases")


def catalog() -> Mapping[str, dict[str, Any]]:
    """Every experiment by its short name, in the paper's order: part, title, question, look_for, outcome, in the language
    that is spoken, and the settings that it sets.
    """
    return _catalog(language())


@cache
def _catalog(spoken: str) -> Mapping[str, dict[str, Any]]:
    rows = {}
    for name, one in experiments().items():
        rows[name] = _told(one) | {"settings": settings_of(one.config) | {"shows": "models"}}
    for name, diagram in phase_experiments().items():
        own = {"n_features": diagram.n_features, "n_hidden": diagram.n_hidden, "shows": "phases"}
        rows[name] = _told(diagram) | {"settings": own}
    return {name: rows[name] for name in sorted(rows, key=_number)}


def require_preset(name: str) -> None:
    """TraitError, with the nearest names, for an experiment that there is not."""
    if name not in catalog():
        raise traitlets.TraitError(unknown("experiment", name, catalog()))


def preset_recipe(name: str) -> ToyConfig | None:
    """What an experiment trains in the lab: its configuration, in batches that let a picture follow; None for a phase
    diagram.
    """
    if name in phase_experiments():
        return None
    config = experiment(name)
    return dataclasses.replace(config, batch_size=min(config.batch_size, OWN["batch_size"]))


def _told(one: Any) -> dict[str, Any]:
    told = {key: said(getattr(one, key)) for key in ("part", "title", "question", "look_for", "outcome")}
    return {"name": one.name} | told


def _number(name: str) -> int:
    """12 of "M12" and of "M12-linear": sorting keeps the order of equal ones."""
    found = re.match(r"M(\d+)", name)
    return int(found[1]) if found else 1 << 30


class ToyPresets(traitlets.HasTraits):
    """Which experiment is chosen. Setting `preset` sets everything that it sets, and trains it."""

    preset = traitlets.Unicode("", help='The experiment of the paper that was chosen last, such as "M0"; "" is none.')
    preset.tag(sync=True)
    shows = traitlets.Enum(SHOWS, "models", help="Models side by side, or a phase diagram.").tag(sync=True)
    _presets: Any = traitlets.List().tag(sync=True)  # what there is to choose from
    _chosen_before = traitlets.Bool(False).tag(sync=True)  # whether there is a choice to take back
    _before: SuperpositionState | None = None  # what was set before the present choice
    _together = False  # several settings change at once: none of them starts or sets anything else
    status: Any
    selected: Any
    hold_sync: Any
    state: Any
    set: Any
    start: Any
    _tell: Any

    @traitlets.default("_presets")
    def _listed(self) -> list[dict[str, Any]]:
        return list(catalog().values())

    @traitlets.validate("preset")
    def _check_preset(self, proposal: Any) -> str:
        name: str = proposal["value"]
        if name:
            require_preset(name)
        return name

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """Setting -> (what it is now, what the chosen experiment has), of those that differ; empty without one."""
        own = catalog()[self.preset]["settings"] if self.preset else {}
        return {name: (getattr(self, name), value) for name, value in own.items() if getattr(self, name) != value}

    def back(self) -> None:
        """Take the last choice of an experiment back: everything is set as it was before it, and trained if models were
        shown then.

        Raises ValueError where none was chosen.
        """
        before = self._before
        if before is None:
            raise ValueError("no experiment was chosen that could be taken back; choose one, e.g. lab.preset = 'M0'")
        self._before, self._chosen_before = None, False
        self.set(before)

    def _adopted(self, name: str) -> dict[str, Any]:
        """What an experiment sets: traits and values, a phase diagram few of them."""
        own: dict[str, Any] = catalog()[name]["settings"]
        return own | {"recipe": preset_recipe(name)}

    def _adopt(self, *, chosen: bool = False) -> None:
        """Set what the chosen experiment sets, and train it if anything was trained before."""
        with self._at_once(changed=chosen):
            for name, value in self._adopted(self.preset).items():
                setattr(self, name, value)
            self.selected = 0

    @contextlib.contextmanager
    def _at_once(self, *, changed: bool = False) -> Iterator[None]:
        """Settings that change inside are one change: what is trained after it is trained once."""
        names = (*SETTINGS, "shows", "preset", "recipe")
        before = [getattr(self, name) for name in names]
        self._together = True
        try:
            with self.hold_sync():
                yield
        finally:
            self._together = False
        self._tell()
        changed = changed or before != [getattr(self, name) for name in names]
        if changed and self.status != "ready":
            self.start()

    def _preset_chosen(self, change: Any) -> None:
        if self._together or not change["new"]:
            return
        self._before = dataclasses.replace(self.state(), preset=change["old"])
        self._chosen_before = True
        self._adopt(chosen=True)
