"""What every instrument has: an error line, a deterministic repr, a picture where there is no kernel, a clean end."""

from __future__ import annotations

import base64
import functools
import html
import inspect
import math
import re
import threading
import uuid
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import anywidget
import ipywidgets
import pandas as pd
import traitlets

from saewidgets import export
from saewidgets.files import write_text
from saewidgets.frontend import esm, payloads
from saewidgets.frontend.payloads import sendable, settable
from saewidgets.languages import language, retold, said, spoken
from saewidgets.records import DashboardData, Dialogue, Findings, FoundLabel, NotFiniteError, Passport, Preset, Subject
from saewidgets.records.arguments import kind_of
from saewidgets.records.carried import Carried
from saewidgets.records.states import InstrumentState
from saewidgets.widgets import _cells, _presets
from saewidgets.widgets._live import Live
from saewidgets.widgets._traits import Whole
from saewidgets.widgets.selection import Selection

_OURS = ("_esm", "_css")  # long texts of our own


# Instrument -> the line that shows a model and an SAE with it.
_OF_A_PAIR = {
    "ArchitecturePanel": "type sw.ArchitecturePanel(sw.token_parts(model, sae, text)); ",
    "CompletenessLab": 'type sw.CompletenessLab(sw.analysis.completeness(model, {"small": sae}, corpus)); ',
    "DirectionsLab": "type sw.DirectionsLab(sw.analysis.directions.directions(model, sae=sae)); ",
    "DoseResponse": "type sw.DoseResponse(sw.dose_response(model, sae, feature, prompt=prompt, acts=acts)); ",
    "FeatureDashboard": "type sw.FeatureDashboard(sw.dashboard_data(model, sae, acts)); ",
    "FeatureMap": "type sw.FeatureMap(sw.feature_map(sae, acts, model=model)); ",
    "GradingSheet": "type sw.GradingSheet(sw.specificity(model, sae, acts, feature, claim, corpus=corpus)); ",
    "SpecificityLab": "type sw.SpecificityLab(sw.specificity(model, sae, acts, feature, claim, corpus=corpus)); ",
    "TrainingMonitor": "type sw.TrainingMonitor(sw.train(sae, store, sw.TrainConfig(steps=1000))); ",
}


class Instrument(anywidget.AnyWidget):
    """The base of the instruments. `error` holds what went wrong last; `check()` raises it."""

    error = traitlets.Unicode("", help="What went wrong last, in one sentence; empty when nothing did.").tag(sync=True)

    _id = traitlets.Unicode("").tag(sync=True)  # of its model in a page
    _language = traitlets.Unicode("en").tag(sync=True)  # that it was made in, and keeps
    _heard = Whole(0).tag(sync=True)  # pings answered
    _mended = Whole(0).tag(sync=True)  # pings that brought what had been lost
    feature: Any  # the trait of those that look at one feature
    _instrument: ClassVar[str] = ""  # name of the ES module in saewidgets/frontend
    _shares: ClassVar[tuple[str, ...]] = ("feature",)  # traits that follow a `Selection`
    _from_page: ClassVar[tuple[str, ...]] = ()  # private traits that a page may set
    _carried: ClassVar[tuple[str, ...]] = ()  # traits that a page without a kernel needs
    _states: ClassVar[type[InstrumentState]]  # the record of what a person sets
    selection: Selection | None = None  # what it shares
    _begun: InstrumentState | None = None  # what was set when it was first shown, or before a person set anything
    _came: Mapping[str, Any] = MappingProxyType({})  # what the page has set, as it came last
    _live: Live | None = None  # the worker, where there is one
    _unfollow: Callable[[], None] | None = None
    _made_layout: ipywidgets.Layout | None = None

    def __init_subclass__(cls, **named: Any) -> None:
        """What it hands out to be read, pages and figures, is in its own language, whatever is spoken around it."""
        super().__init_subclass__(**named)
        for name in ("to_html", "figure", "frontier"):
            own = cls.__dict__.get(name)
            if isinstance(own, property) and own.fget is not None:
                setattr(cls, name, property(_in_own_language(own.fget), doc=own.__doc__))
            elif callable(own):
                setattr(cls, name, _in_own_language(own))

    def __new__(cls, *given: Any, **named: Any) -> Instrument:
        """Refuses, with what to type, a model and an SAE where an instrument of that pair has no such arguments."""
        if len(given) > 1 and any(hasattr(value, "hooked") or hasattr(value, "forward") for value in given):
            try:
                inspect.signature(cls.__init__).bind(None, *given, **named)
            except TypeError:
                what = " and ".join(map(kind_of, given))
                made = _OF_A_PAIR.get(cls.__name__, "")
                raise TypeError(
                    f"{cls.__name__} cannot take {what}: {made}sw.explore(model, sae) opens a pair in one line"
                ) from None
        result: Instrument = super().__new__(cls, *given, **named)
        return result

    def __init__(self, **traits: Any) -> None:
        self._guard = threading.RLock()  # traits are written by the kernel's thread and by the worker
        self._exception: BaseException | None = None
        if (spoken_here := language()) != "en":
            traits |= {"_language": spoken_here, "_esm": esm(self._instrument, spoken_here)}
        super().__init__(**traits)
        if "layout" not in traits:
            self._made_layout = self.layout
        self.on_msg(_receive)
        self._made_in = _cells.add(self)

    # -- what a person sees ------------------------------------------------------------------------------------------

    def _summary(self) -> dict[str, Any]:
        """What the repr names, in order."""
        return {}

    def _fallback(self) -> str:
        """HTML for a reader without a kernel; every text in it is escaped."""
        return f"<p>{said('{widget}: run the cell to bring it to life.', widget=html.escape(repr(self)))}</p>"

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self._summary().items())
        return f"{type(self).__name__}({inside})"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        shown = super()._repr_mimebundle_(**kwargs)
        if shown is None:
            return None
        self._begin()
        bundle, metadata = shown
        with spoken(self._language):
            return {**bundle, "text/plain": repr(self), "text/html": sendable(self._fallback())}, metadata

    def notify_change(self, change: Any) -> None:
        """What follows from a change is said in the instrument's own language, whatever is spoken around it."""
        with spoken(self._language):
            super().notify_change(change)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """What leaves for the page: texts of nobody's making, so that half of a surrogate pair is named, which no
        message can carry.
        """
        state = super().get_state(key, drop_defaults)
        return {name: value if name in _OURS else sendable(value) for name, value in state.items()}

    # -- what a person has set ---------------------------------------------------------------------------------------

    def state(self) -> InstrumentState:
        """What is set now, as a record: to save, to hand out, and to put back with `set`.

        Example:
            >>> plane = FeaturePlane()  # doctest: +SKIP
            >>> plane.state().save("mine.json")  # doctest: +SKIP
            >>> plane.set(PlaneState.load("mine.json"))  # doctest: +SKIP
        """
        return self._states.of(self)

    def set(self, state: InstrumentState) -> None:
        """Set everything that `state` holds, at once.

        Raises:
            TypeError: the state of another instrument.
            TraitError: a value that this instrument refuses, such as a feature that its data does not have; nothing is
                set then.
        """
        if not isinstance(state, self._states):
            raise TypeError(
                f"{type(self).__name__}.set takes a {self._states.__name__}, such as its own state(); "
                f"a {type(state).__name__} was given"
            )
        self._begin()
        with self._guard, self.hold_sync(), self.hold_trait_notifications():
            for name, value in state.traits().items():
                if getattr(self, name) != value:
                    setattr(self, name, value)

    def reset(self) -> None:
        """Set everything as it was when the instrument was first shown, or before it was first set."""
        if self._begun is not None:
            self.set(self._begun)

    def _begin(self) -> None:
        if self._begun is None:
            self._begun = self.state()

    def to_preset(self, path: str | Path | None = None) -> Preset:
        """What is set now, with the model, the SAEs and the exact tokens of the prompt that it was set on: to hand on,
        and to take back with `load_preset`. Written to `path`, as JSON, where that is given.

        Example:
            >>> panel.to_preset("bridge.json")  # doctest: +SKIP
        """
        return _presets.made(self, path)

    def load_preset(self, preset: Preset | str | Path) -> None:
        """Set what a `Preset`, or the file of one, holds. A clamp keeps its value in SAE units where its feature has
        another maximum here.

        Raises:
            LoadError: a file that holds no preset.
            ValueError: a preset of another instrument, another model or other SAEs, both of which the sentence names,
                or of a prompt that is other tokens here; nothing is set then.
            TraitError: a value that this instrument refuses; nothing is set then.

        Example:
            >>> panel.load_preset("bridge.json")  # doctest: +SKIP
        """
        self.set(_presets.wanted(self, preset))

    def findings(self) -> Findings:
        """What the reader found out here: the labels of a shared selection, of the SAEs that are shown, and in a
        `ClampPanel` its finished tries. `Findings.of` puts those of several instruments together.

        Example:
            >>> panel.findings().noted("It takes itself for the bridge.", feature=31)  # doctest: +SKIP
        """
        about = self._subject()
        labels = []
        for name, digest in zip(about.saes, about.digests, strict=True):
            one = replace(about, saes=(name,), digests=(digest,))
            labels += [FoundLabel(f, label, one) for f, label in self._found_labels(digest).items()]
        return Findings(labels=tuple(labels))

    def _found_labels(self, sae: str) -> dict[int, str]:
        """{feature: label} that the reader gave to features of the SAE with this digest."""
        return self._own_labels(sae)

    def _subject(self) -> Subject:
        """The model and the SAEs that it looks at."""
        passport = getattr(getattr(self, "data", None), "passport", None)
        return Subject.of(passport if isinstance(passport, Passport) else None)

    def _prompt_ids(self, state: Any) -> tuple[int, ...] | None:
        """The tokens of the prompt of one of its states; None where it has none, or nothing here reads one."""
        return None

    def _maxima(self, features: Iterable[int]) -> dict[int, float]:
        """{feature: largest activation, SAE units} of those that are known."""
        return {}

    # -- pages -------------------------------------------------------------------------------------------------------

    def _view(self) -> dict[str, Any]:
        """The view of `export.page` that shows this instrument as it is now."""
        state = {name: _plain(getattr(self, name)) for name in ("error", *self._carried)}
        sae = next(iter(self._subject().digests), "")[: export.LINKED]
        return {"instrument": self._instrument, "state": state, "lookup": None, "links": self._links(), "sae": sae}

    def _links(self) -> dict[str, settable.Allowed]:
        """What a person can set in a page without a kernel: for each trait the values that it may have."""
        return {}

    def to_html(self, path: str | Path | None = None) -> str:
        """This instrument as one self-contained page, without a kernel and without a network; written to `path` if
        given.
        """
        with spoken(self._language):
            return self._page(self._view(), path)

    def _page(self, view: export.View, path: str | Path | None, carried: Carried | None = None) -> str:
        title = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(self).__name__).capitalize()  # "Feature map"
        text = export.page(said(title), [view], fallback=self._fallback(), carried=carried)
        if path is not None:
            write_text(path, text)
        return text

    def _live_page(self, view: dict[str, Any], path: str | Path | None, carried: Carried) -> str:
        """A page that answers by itself: `view["live"]` is what its kernel needs. It begins at rest, whatever the kernel in
        this process is doing.
        """
        state = {**view["state"], "error": "", "status": "idle", "waiting": "", "_heard": 0}
        return self._page({**view, "state": state}, path, carried)

    # -- errors ------------------------------------------------------------------------------------------------------

    def _failed(self, error: BaseException) -> None:
        """Show an error in the instrument; ipywidgets would swallow it."""
        self._exception = error
        with self._guard, spoken(self._language):
            self.error = _told(_sentence(error))

    def _dropped(self, ticket: Any) -> None:
        """A job of this instrument was ended before it was done."""

    def check(self) -> None:
        """Raise what `error` tells of, with its traceback; do nothing where there is none."""
        if self.error and self._exception is not None:
            raise self._exception

    @traitlets.observe("error")
    def _error_changed(self, change: Any) -> None:
        if not change["new"]:
            self._exception = None

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """What the page wants to change. A bad value is refused, said in the banner, and the old one shown again."""
        with self._guard:
            self._begin()
            before = {name: self._trait_values.get(name) for name in sync_data if name in self.keys}
            own = sorted(name for name in before if self._is_own(name))
            try:
                super().set_state({name: value for name, value in sync_data.items() if name not in own})
                self._came = {**self._came, **sync_data}
                if own:
                    raise ValueError(f"a page cannot set {', '.join(own)}: it was left as it is")
            except Exception as error:
                if not isinstance(
                    error, (traitlets.TraitError, ValueError)
                ):  # traitlets puts back after its own error only
                    self._trait_values.update(before)
                self._failed(error)
                self.send_state([*before])

    def _is_own(self, name: str) -> bool:
        """Whether a trait is the kernel's to set: what it draws is derived from its data, and no page has a say in
        that.
        """
        kept = name.startswith("_") and name not in self._from_page
        return kept and issubclass(self.traits()[name].this_class, Instrument)

    def _catch_up(self, wanted: dict[str, Any]) -> bool:
        """Set what the front end has set, where the message that said so is late or lost; False where none was.

        What came, and was then changed here, was not lost: the page has yet to hear of the change.
        """
        now = self.get_state([name for name in wanted if name in self.keys])
        came = {name for name in now if name in self._came and self._came[name] == wanted[name]}
        missed = {name: wanted[name] for name, value in now.items() if value != wanted[name] and name not in came}
        if missed:
            self.set_state(missed)
        return bool(missed)

    def _message(self, kind: str) -> None:
        """A button was pressed in the front end."""

    # -- selection, and the end --------------------------------------------------------------------------------------

    def _follow(self, selection: Selection | None) -> None:
        """Share `feature`, and what else the instrument shares, with a selection, in both directions, without being
        kept alive by it; and read the reader's labels.
        """
        if selection is None:
            return
        self.selection = selection
        me = weakref.ref(self)

        def selected(change: Any) -> None:
            instrument = me()
            if instrument is None or (change["name"] == "feature" and change["new"] is None):
                return
            try:
                if change["name"] == "feature":
                    instrument._select(change["new"])
                else:
                    setattr(instrument, change["name"], change["new"])
            except (KeyError, ValueError, traitlets.TraitError) as error:
                instrument._failed(error)

        def chosen(change: Any) -> None:
            if change["name"] != "feature" or change["new"] is not None:
                setattr(selection, change["name"], change["new"])

        def relabeled(change: Any) -> None:
            if (instrument := me()) is not None:
                instrument._relabel()

        names = list(self._shares)
        selection.observe(selected, names=names)
        selection.observe(relabeled, names=["labels"])
        self.observe(chosen, names=names)

        def leave() -> None:
            selection.unobserve(selected, names=names)
            selection.unobserve(relabeled, names=["labels"])

        self._unfollow = leave
        if selection.labels:
            self._relabel()
        for name in names[1:]:
            selected({"name": name, "new": getattr(selection, name)})
        if selection.feature is not None:
            self._join(selection.feature)
        elif getattr(self, "feature", None) is not None:
            selection.feature = self.feature

    def _join(self, feature: int) -> None:
        """The shared selection has `feature` as the instrument joins it."""
        self._select(feature)

    def _select(self, feature: int) -> None:
        """The shared selection moved to `feature`."""
        self.feature = feature

    def _own_labels(self, sae: str) -> dict[int, str]:
        """{feature: label} that the reader has given to features of the SAE with this digest, where a selection is
        shared.
        """
        return {} if self.selection is None or not sae else self.selection.labels.of(sae)

    def _relabel(self) -> None:
        """Draw what shows labels again: the reader has given one, or taken one away."""

    def open(self) -> None:
        """Open its comm, under a name that its page is told with everything else."""
        self._id = self._model_id = getattr(self, "_model_id", None) or uuid.uuid4().hex
        super().open()

    def close(self) -> None:
        """End the instrument: its work, its comm and its views."""
        if self._live is not None:
            self._live.close()
        if self._unfollow is not None:
            self._unfollow()
            self._unfollow = None
        if self._made_layout is not None:
            self._made_layout.close()  # ipywidgets makes one for each widget, and forgets it
            self._made_layout = None
        super().close()


def _in_own_language(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def wrapped(self: Instrument, *given: Any, **named: Any) -> Any:
        with spoken(self._language):
            return method(self, *given, **named)

    return wrapped


def present(data: DashboardData, feature: int) -> int:
    """`feature`, if it is in `data`; else TraitError, which is what makes traitlets put the old value back."""
    try:
        export.require(data, feature)
    except ValueError as error:
        raise traitlets.TraitError(str(error)) from None
    return feature


def plain_table(title: str, table: pd.DataFrame, columns: Sequence[str]) -> str:
    """Columns of a table as HTML for a reader without scripts, every text escaped; no word where a number is nan."""

    def cell(value: Any) -> str:
        if isinstance(value, float):
            return "" if math.isnan(value) else f"{value:.3g}"
        return html.escape(str(value))

    head = "".join(f"<th>{html.escape(said(name.replace('_', ' ')))}</th>" for name in columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{cell(row[name])}</td>" for name in columns) + "</tr>"
        for row in table.to_dict("records")
    )
    return (
        f'<p class="tex2jax_ignore mathjax_ignore">{html.escape(title)}</p>'
        f'<table class="tex2jax_ignore mathjax_ignore"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    )


def _receive(instrument: Instrument, content: Any, buffers: Any) -> None:
    """A custom message. A module function: a bound method would keep the instrument alive."""
    with spoken(instrument._language):
        _received(instrument, content)


def _received(instrument: Instrument, content: Any) -> None:
    try:
        kind = content.get("kind") if isinstance(content, dict) else None
        if not isinstance(kind, str):
            raise ValueError(f"a message of an unknown kind: {content!r:.80}")
        wanted = content.get("set")
        missed = isinstance(wanted, dict) and instrument._catch_up(wanted)
        if kind == "ping":
            instrument._mended += missed
            instrument._heard += 1
        elif kind == "reset":
            instrument.reset()
        else:
            instrument._message(kind)
    except Exception as error:
        instrument._failed(error)


def _sentence(error: BaseException) -> str:
    """An exception in one line for a person: its own words, and its kind where these do not speak for themselves."""
    words = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    words = words.strip() or "no further word"
    if isinstance(error, (ValueError, KeyError, LookupError, NotFiniteError, traitlets.TraitError)):
        return words
    return f"{type(error).__name__}: {words}"


def _told(sentence: str) -> str:
    """The sentence of an exception in the language that is spoken; as it is, and called English, where that has none."""
    told = retold(sentence)
    return said("In English: {words}", words=sentence) if told == sentence and language() != "en" else told


def _plain(value: Any) -> Any:
    """A trait's value as JSON types; bytes as {"base64": ...}, which the page turns into a DataView again."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, Dialogue):
        return payloads.spoken(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
