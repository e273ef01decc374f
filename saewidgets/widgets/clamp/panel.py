"""The instrument: settings in, texts out, one worker between them."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import traitlets

from saewidgets import export
from saewidgets.files import unknown
from saewidgets.frontend import css, esm, payloads
from saewidgets.frontend.payloads import settable
from saewidgets.languages import said
from saewidgets.records import (
    Clamp,
    ClampRecording,
    DashboardData,
    Dialogue,
    Findings,
    Generation,
    NotFiniteError,
    Steer,
    TextSource,
    Token,
    interventions,
)
from saewidgets.records.arguments import listed, real, seed_of, whole
from saewidgets.records.states import ClampState
from saewidgets.widgets._live import Live, Ticket
from saewidgets.widgets._presets import tokens_of
from saewidgets.widgets.clamp.given import checked_data, checked_presets
from saewidgets.widgets.clamp.history import Try, added
from saewidgets.widgets.clamp.live import live_page
from saewidgets.widgets.clamp.more import MoreAnswers
from saewidgets.widgets.clamp.settings import (
    LARGEST,
    SETTINGS,
    STANDARD,
    Comparison,
    named_prompts,
    offered,
    recorded_settings,
)
from saewidgets.widgets.clamp.texts import Defaults, Request, Text, parting
from saewidgets.widgets.selection import Selection

INTERVAL = 0.05  # seconds between two updates of the texts: at most 20 a second


class ClampPanel(MoreAnswers):
    """Clamp features while the model writes: `x' = x + sum_f (value_f - a_f(x)) W_dec[f]` (Templeton et al. 2024).

    A slider sets a feature to a multiple of the largest activation that it reaches on the dashboard's corpus: 0 ablates
    it, and "off", which is not 0, leaves it alone. The default text is written once for each prompt, seed, temperature
    and length; the clamped text is written anew whenever something moves, with the same random numbers, so that the two
    texts part only where the clamp changed the model's mind. Both appear token by token while the kernel stays free.
    When they are written, a source that can measure reads the clamped features again, at the clamp and at later layers.
    While a cell holds hooks on the model, the panel waits and `waiting` says so. Whether one text was luck, a list of
    answers of other seeds says (`write_answers`).

    Args:
        source: writes text under clamps, e.g. `Steerer(model, sae)`, or a recording of one.
        data: the records that name the features and give their maxima. Without it they are made, with a bar, from a
            short corpus, where the source holds a model and an SAE, as a `Steerer` does; see `analysis.setup`.
        features: rows to show. By default the features of `multiples`, or else the selected one.
        multiples: {feature: multiple of its maximum} to begin with; features that are not named begin off.
        prompt: the text to continue, or a dialogue (`Dialogue`, or a list of its turns), to be answered; by default the
            first of the examples that the source has of its own, which a `Steerer` puts in its model's chat form. A
            recording begins with its own prompt, scope, seed, temperature and length.
        windows: {feature: (low, high)}, multiples between which the clamp was measured to work; drawn on its slider.
        examples: prompts to choose from, or {name: prompt} where a prompt is long; by default those of the source.
        comparisons: {name: function of the clamps that gives what to do in their place}: a third text to choose, such
            as `{"add": lambda clamps: [add_feature(sae, c.feature, c.value, c.scope) for c in clamps]}`, beside those
            of the source: a `Steerer` has the mean difference, see `steering.FewShot`. The worker asks it, so it may
            take its time.
        presets: {what the model becomes: {feature: multiple}}, settings to choose by one click, such as
            `load_demo("smollm2").presets`; the panel begins with the first where neither `features` nor `multiples` is
            given.
        selection: share the selected feature; a feature that is selected elsewhere from now on gets a row here. What is
            selected already gets one only where neither `features` nor `multiples` names any.
        scope: where the clamps hold: "all", "prompt", "generated", "assistant" (the assistant's words in a dialogue), a
            position t, "from token t on", or "token t", there alone.

    Raises:
        TypeError: a source that writes no text, such as a model, or data of another kind.
        ValueError: a feature that is not in `data`; the message names the nearest ones that are.

    Example:
        >>> panel = ClampPanel(steer, data, multiples={31: 4.0})  # doctest: +SKIP
        >>> panel.write(); panel.wait(); panel.clamped.text  # doctest: +SKIP
        ' I am the Golden Gate Bridge. ...'
    """

    _esm = esm("clamp")
    _css = css("clamp")
    _instrument = "clamp"
    _states = ClampState
    _from_page = ("_texts",)  # a recording is played by the page itself
    _carried = (
        *SETTINGS, "feature", "n_answers", "look_for", "logprobs", "status", "_rows", "_answers", "_index", "_texts", "_measured",
        "_examples", "_comparisons", "_presets", "_passport", "_recorded",
    )  # fmt: skip

    status = traitlets.Enum(("idle", "writing", "answering", "stopped", "error"), "idle").tag(sync=True)
    _live: Live
    _rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _index: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _texts = traitlets.Dict().tag(sync=True)  # both texts in one trait: one message an update
    _measured: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _history: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _kernel = traitlets.Unicode().tag(sync=True)  # why a busy kernel does not answer, where that is known
    _examples: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _comparisons: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _presets: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _passport = traitlets.Unicode().tag(sync=True)
    _recorded: traitlets.Dict[Any, Any] = traitlets.Dict(None, allow_none=True).tag(sync=True)  # what a recording holds

    def __init__(
        self,
        source: TextSource,
        data: DashboardData | None = None,
        *,
        features: Sequence[int] | None = None,
        multiples: Mapping[int, float | None] | None = None,
        prompt: str | Dialogue | Sequence[Mapping[str, str]] | None = None,
        windows: Mapping[int, tuple[float, float]] | None = None,
        examples: Sequence[str | Dialogue] | Mapping[str, str | Dialogue] | None = None,
        comparisons: Mapping[str, Comparison] | None = None,
        presets: Mapping[str, Mapping[int, float]] | None = None,
        selection: Selection | None = None,
        scope: str | int | None = None,
        seed: int | None = None,
        temperature: float | None = None,
        n_tokens: int | None = None,
        look_for: str = "",
    ) -> None:
        data = checked_data(source, data)
        self.source = source
        self.data = data
        self.windows = dict(windows or {})
        own_comparisons = source.comparisons(data) if hasattr(source, "comparisons") else {}
        self.comparisons = {**own_comparisons, **(comparisons or {})}
        self._asked_comparisons = tuple(comparisons or ())  # those that somebody named
        self.presets = checked_presets(data, presets)
        if self.presets and features is None and multiples is None:
            multiples = next(iter(self.presets.values()))
        self.history: tuple[Try, ...] = ()  # finished texts and their settings, the latest first
        self.measured = pd.DataFrame()  # what the source measured after the clamp, see `Steerer.measure`
        held = source if isinstance(source, ClampRecording) else None
        given = (*(() if features is None else listed(features, "features", "31")), *(multiples or ())) or (
            held.features if held is not None else ()
        )
        rows = list(dict.fromkeys(whole(f, "feature") for f in given))
        settings: dict[str, Any] = {
            "prompt": prompt,
            "scope": scope,
            "seed": seed,
            "temperature": temperature,
            "n_tokens": n_tokens,
        }
        for name, check in (("seed", seed_of), ("n_tokens", whole), ("temperature", real)):
            if settings[name] is not None:
                settings[name] = check(settings[name], name)
        own = named_prompts(source.examples if hasattr(source, "examples") else offered(data))
        begin = STANDARD | {"prompt": next(iter(own.values()), "")} if held is None else recorded_settings(held)
        self._visitor: int | None = None  # a row that the selection brought, and may take away again
        self._defaults = Defaults()
        self._now: Request | None = None  # the texts that are shown
        self._sent = 0.0
        # A prompt, and how many tokens can follow it.
        self._roomy: tuple[str | Dialogue | None, int | None] = (None, None)
        for feature in rows:
            export.require(data, feature)
        self._live = Live(self)
        super().__init__(
            **{name: begin[name] if value is None else value for name, value in settings.items()},
            features=rows,
            multiples={
                whole(f, "feature"): m if m is None else real(m, "a multiple") for f, m in (multiples or {}).items()
            },
            feature=rows[0] if rows else None,
            look_for=look_for,
            _index=payloads.index(data),
            _examples=[
                [name, payloads.spoken(one)]
                for name, one in (own if examples is None else named_prompts(examples)).items()
            ],
            _passport=payloads.passport(data),
            _recorded=None if held is None else payloads.recorded(held, {f: data[f].maximum for f in rows}),
            _comparisons=list(self.comparisons),
            _presets=[[name, [list(pair) for pair in clamps.items()]] for name, clamps in self.presets.items()],
            _kernel=_why_not_while_busy(),
        )
        self._describe()
        self._texts = self._drawn()
        self.observe(self._moved, names=list(SETTINGS))
        self._follow(selection)

    # -- what one asks of it -----------------------------------------------------------------------------------------

    @property
    def default(self) -> Generation:
        """What the model wrote without clamps, as far as it got."""
        return (self._now or self._request()).default.generation()

    @property
    def clamped(self) -> Generation:
        """What the model wrote with the clamps, as far as it got."""
        return (self._now or self._request()).clamped.generation()

    @property
    def compared(self) -> Generation | None:
        """What the model wrote under `compare`, as far as it got; None where nothing is compared."""
        other = (self._now or self._request()).other
        return None if other is None else other.generation()

    @property
    def parting(self) -> int | None:
        """Index of the first token at which the two texts differ; None where they do not."""
        return parting(self.default.tokens, self.clamped.tokens)

    def write(self) -> None:
        """Begin to write; returns at once. A text that is being written with other settings is dropped."""
        request = self._request()
        if self._now is not None and self._now.key == request.key and self.status in ("idle", "writing", "answering"):
            return  # it is there, or on its way
        with self._guard:
            self._now = request
            self._fits(request)
            self.error = ""
            self.status = "writing"
            self._submit(request)

    def stop(self) -> None:
        """Stop writing; what was written stays."""
        self._live.stop()
        with self._guard:
            if self.status in ("writing", "answering"):
                self.status, self.waiting = "stopped", ""
            self._ended()

    def ask(self, text: str) -> None:
        """Take the clamped text over into the dialogue as the assistant's answer, and let the user say `text` next;
        then write. Raises ValueError where the prompt is a text, TypeError for what is no text.
        """
        if not isinstance(self.prompt, Dialogue):
            raise ValueError(
                "a text is continued, not answered: set panel.prompt = sw.Dialogue([('user', 'Who are you?')])"
            )
        self.prompt = self.prompt.answered(self.clamped.text).asked(text)
        self.write()

    def become(self, name: str) -> None:
        """Set one of `presets`: its features are the rows, at its multiples; then write. Raises ValueError, with the
        nearest names, on another.
        """
        if name not in self.presets:
            raise ValueError(unknown("preset", str(name), self.presets))
        with self.hold_trait_notifications(), self.hold_sync():
            self.features = list(self.presets[name])
            self.multiples = dict(self.presets[name])
        self.write()

    def restore(self, which: int | Try) -> None:
        """Go back to the settings of an earlier try: a `Try`, or its place in `history`. Its text is written again.

        Raises IndexError where `history` is shorter.
        """
        tried = which if isinstance(which, Try) else self.history[which]
        with self.hold_trait_notifications(), self.hold_sync():
            self.features = list(dict.fromkeys([*self.features, *tried.multiples]))
            self.multiples = dict.fromkeys(self.features) | tried.multiples
            for name in ("prompt", "scope", "temperature", "seed", "n_tokens"):
                setattr(self, name, getattr(tried, name))
        self.write()

    def findings(self) -> Findings:
        """The reader's labels, and the finished tries, the earliest first."""
        about = self._subject()
        return super().findings() + Findings(tries=tuple(tried.found(about) for tried in reversed(self.history)))

    def to_dataframe(self) -> pd.DataFrame:
        """One row per token of each text: pane (default, clamped, compared), position, id, text, logprob, kl."""
        parts = [
            generation.to_dataframe().assign(pane=name, position=range(len(generation.tokens)))
            for name, generation in (("default", self.default), ("clamped", self.clamped), ("compared", self.compared))
            if generation is not None
        ]
        return pd.concat(parts, ignore_index=True)[["pane", "position", "id", "text", "logprob", "kl"]]

    # -- writing: these run in the worker ----------------------------------------------------------------------------

    def _step(self, ticket: Ticket) -> float | None:
        """One more token of each text, shown now if the last update is long enough ago; at the end, the measurement."""
        request: Request = ticket.request
        if self._held_up(ticket):
            return 0.0
        if request.told and request.measured:
            return self._answer_on(request, ticket)
        if request.told:
            self._measure(request, ticket)
            request.measured = True
            return 0.0
        try:
            for text in request.texts:
                text.advance(self.source)
        except Exception as error:
            self._broke(error, ticket)
            return None
        early = self._sent + INTERVAL - time.monotonic()
        if early > 0:
            return early if request.done else 0.0
        with self._guard:
            if ticket.cancelled:
                return 0.0  # stopped meanwhile: the worker will notice
            self._publish(request)
            ticket.shown = True
            request.told = request.done
            if not ticket.replaced:
                if request.done:
                    self._remember(request)
                    if request.stopped:
                        self._failed(NotFiniteError(request.stopped))  # the texts stand
                self.status = "idle" if request.done else "writing"
        return 0.0

    def _measure(self, request: Request, ticket: Ticket) -> None:
        """Read the clamped features again, after the clamp, where the source can."""
        measure = getattr(self.source, "measure", None)
        clamped = request.clamped
        found = pd.DataFrame()
        tokens: tuple[Token, ...] = ()
        if measure is not None and clamped.clamps:
            try:
                # The token that fills the context has no place in it: it is written, and never read.
                tokens = tuple(clamped.tokens if request.room is None else clamped.tokens[: max(request.room - 1, 0)])
                found = measure(clamped.prompt, clamped.clamps, list(request.multiples), tokens=tokens)
            except Exception as error:
                if not ticket.replaced:
                    self._failed(error)  # the texts stand
        with self._guard:
            if not ticket.cancelled:
                self.measured = found
                self._measured = payloads.measured(found, clamped.clamps, request.multiples, n_written=len(tokens))

    def _dropped(self, ticket: Ticket) -> None:
        if not ticket.replaced and self._now is ticket.request is not None:  # stopped, not replaced: the last words
            with self._guard:
                self._publish(ticket.request)
                self._ended()

    def _submit(self, request: Request) -> None:
        self._live.submit(ClampPanel._step, request)

    def _broke(self, error: Exception, ticket: Ticket) -> None:
        """The source raised. A newer job that waits shows what becomes of it; else the error is said."""
        with self._guard:
            self._defaults.clear()
            if ticket.replaced:
                return
            self._ended()
            self._now = None
            self.status = "error"
            if not ticket.shown:  # what is on the page was written under other settings
                self._texts = {**self._texts, "stale": True}
            self._failed(error)

    def _publish(self, request: Request) -> None:
        self._sent = time.monotonic()
        self._texts = self._drawn(request)

    def _remember(self, request: Request) -> None:
        text = request.clamped
        new = Try(
            text.prompt, request.multiples, request.scope, text.temperature, text.seed, text.n_tokens, text.generation()
        )
        self.history = added(self.history, new)
        self._history = [tried.sendable() for tried in self.history]

    # -- settings ----------------------------------------------------------------------------------------------------

    def _request(self) -> Request:
        """The texts that the settings ask for. A default text that was begun before is taken up again."""
        now = (self.seed, self.temperature, self.n_tokens)
        default = self._defaults.take(Text(self.prompt, (), *now))
        clamps = self.clamps
        clamped = Text(self.prompt, clamps, *now) if clamps else default
        other = self._instead(Text(self.prompt, (), *now), clamps) if clamps and self.compare else None
        return Request(default, clamped, self.on, self._under(clamps), self.scope, other, self._room())

    def _instead(self, text: Text, clamps: tuple[Clamp, ...]) -> Text:
        """The text that is compared: the worker asks what to do in the place of the clamps."""
        name, compared = self.compare, self.comparisons[self.compare]
        text.instead = lambda: interventions(compared(clamps), f"comparisons[{name!r}](clamps)")
        text.asked = (name, clamps)
        return text

    def _room(self) -> int | None:
        """How many tokens the source can write after the prompt; None where it does not say, or the prompt is none that
        it takes.
        """
        if self._roomy[0] != self.prompt:
            room = getattr(self.source, "room", None)
            try:
                self._roomy = self.prompt, int(room(self.prompt)) if callable(room) else None
            except Exception:  # the text itself will say what is wrong with the prompt
                self._roomy = self.prompt, None
        return self._roomy[1]

    def _under(self, clamps: Sequence[Clamp]) -> dict[int, float]:
        """{feature: multiple} of what the clamped text is really written under: a recording has only so many."""
        if not isinstance(self.source, ClampRecording):
            return self.on
        try:
            found = self.source.nearest(clamps, self.seed)
        except ValueError:
            return {}  # the text itself will say it
        return {
            c.feature: round(c.value / self.data[c.feature].maximum, 6) for c in found.clamps if isinstance(c, Clamp)
        }

    def _drawn(self, request: Request | None = None) -> dict[str, Any]:
        """The trait `_texts`. What it was written under stands beside it: a slider may have moved on since."""
        nothing = Text("", (), 0, 0.0, 0)
        shown = request or Request(nothing, nothing, {}, {})
        return {
            "default": payloads.stream(shown.default.tokens),
            "clamped": payloads.stream(shown.clamped.tokens),
            "other": None if shown.other is None else payloads.stream(shown.other.tokens),
            "instead": ""
            if shown.other is None
            else ", ".join(c.name for c in shown.other.clamps if isinstance(c, Steer)),
            "under": [[f, m] for f, m in shown.under.items()],
            "code": self.to_code(),
            "done": request is not None and shown.done,
            "room": shown.room,
        }

    def _relabel(self) -> None:
        self._index = payloads.index(self.data, self._own_labels(self.data.passport.sae))
        self._describe()

    def _describe(self) -> None:
        """The fixed part of each row."""
        own = self._own_labels(self.data.passport.sae)
        self._rows = [
            {
                "feature": f,
                "label": own.get(f, self.data[f].label),
                "maximum": payloads.number(self.data[f].maximum),
                "promoted": [effect.token for effect in self.data[f].promoted[:3]],
                "window": [payloads.number(x) for x in self.windows[f]] if f in self.windows else None,
            }
            for f in self.features
        ]

    def _moved(self, change: Any) -> None:
        if change["name"] == "features":
            self._describe()
        if self._now is not None or self.status == "error":
            self.write()

    def _join(self, feature: int) -> None:
        if not self.features or feature in self.features:  # rows that were named are the rows
            self._select(feature)

    def _select(self, feature: int) -> None:
        export.require(self.data, feature)
        if feature not in self.features:
            kept = [f for f in self.features if f != self._visitor or self.multiples.get(f) is not None]
            self.features = [*kept, feature]
            self._visitor = feature
        self.feature = feature

    def _message(self, kind: str) -> None:
        if kind == "ready":
            if self._now is None and self.status != "error":
                self.write()
        elif kind == "write":
            if self.status not in ("writing", "answering"):
                self._now = None
                self._defaults.clear()  # whoever asks again may have changed the model
                self.write()
        elif kind == "stop":
            self.stop()
        elif kind == "more":
            self.write_answers()
        else:
            raise ValueError(f"a message of an unknown kind: {kind!r:.80}")

    # -- pictures without a kernel -----------------------------------------------------------------------------------

    def to_html(self, path: str | Path | None = None, *, live: bool = False) -> str:
        """This panel as one self-contained page, without a kernel and without a network; written to `path` if given.

        With `live`, the page carries the model and the SAE, as numbers of 16 bits, and computes them itself: prompt,
        sliders, more features and answers all work in it, on whatever opens it, with the same random numbers as here.
        That of the bundled model takes 7 MB. Without, it is a picture, or plays a recording back.

        Raises:
            ValueError: with `live`, a model that a page cannot carry: larger than 24 MB, of another family than
                GPT-2's, with a tokenizer that is no byte-level BPE; or a panel with `comparisons` of your own, which
                are Python; those that the source offers by itself are left out of the page.
            TypeError: with `live`, a source that has no model, such as a recording.

        Example:
            >>> panel = sw.ClampPanel(sw.Steerer(model, sae), data, multiples={96: 1.0})  # doctest: +SKIP
            >>> panel.to_html("bridge.html", live=True)  # doctest: +SKIP
        """
        return live_page(self, path) if live else super().to_html(path)

    def _view(self) -> dict[str, Any]:
        view = super()._view()
        if isinstance(self.source, ClampRecording):
            view["state"]["_recording"] = payloads.recording(
                self.source, {f: self.data[f].maximum for f in self.features}, self.data.passport
            )
        return view

    def _links(self) -> dict[str, settable.Allowed]:
        own = {"feature": settable.optional(settable.one_of(self.features)), "logprobs": settable.one_of((False, True))}
        if not isinstance(self.source, ClampRecording):
            return own
        multiple = settable.optional(settable.number(-LARGEST, LARGEST))
        return own | {
            "multiples": settable.by_key(self.features, multiple),
            "scope": settable.one_of(self.source.scopes),
            "seed": settable.one_of(self.source.seeds),
        }

    def _prompt_ids(self, state: ClampState) -> tuple[int, ...] | None:
        return tokens_of(self.source, state.prompt)

    def _maxima(self, features: Iterable[int]) -> dict[int, float]:
        return {f: self.data[f].maximum for f in features if f in self.data.features}

    def _summary(self) -> dict[str, Any]:
        return {"features": self.features, "multiples": self.on, "prompt": self.prompt}

    def _fallback(self) -> str:
        rows = "".join(
            f"<tr><th>{name}</th><td>{html.escape(generation.text)}</td></tr>"
            for name, generation in ((said("Default"), self.default), (said("Clamped"), self.clamped))
            if generation.tokens
        )
        asked = (
            self.prompt if isinstance(self.prompt, str) else "\n".join(f"{t.role}: {t.text}" for t in self.prompt.turns)
        )
        prompt = html.escape(asked)
        return f'<pre class="tex2jax_ignore mathjax_ignore">{prompt}</pre><table class="tex2jax_ignore mathjax_ignore">{rows}</table>'


def _why_not_while_busy() -> str:
    """Why this kernel cannot answer a panel while a cell runs; empty where it can, and where there is no kernel."""
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython() if ipython else None, "kernel", None)
    if kernel is None or getattr(kernel, "_supports_kernel_subshells", False):
        return ""
    version = getattr(sys.modules.get("ipykernel"), "__version__", said("of an unknown version"))
    return said(
        "ipykernel {version} answers between cells only; ipykernel 7 with JupyterLab 4.4 answers while one runs, too.",
        version=version,
    )
