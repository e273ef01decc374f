"""ClampPanel: sliders on features, and what the model writes without and with them."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import index
from typing import Any

import pandas as pd
import traitlets

from saewidgets import export
from saewidgets.frontend import css, esm, payload
from saewidgets.records import Clamp, DashboardData, Generation, TextSource, Token, clamp_code
from saewidgets.widgets._base import Instrument, present
from saewidgets.widgets._live import Live, Ticket
from saewidgets.widgets.selection import Selection

PROMPT = "Human: What is your physical form?\nAssistant:"
EXAMPLES = (
    PROMPT,
    "Human: Tell me about yourself.\nAssistant:",
    "Human: What did you do today?\nAssistant:",
    "Yesterday I went for a walk and",
)
INTERVAL = 0.05  # seconds between two updates of the texts: at most 20 a second
KEPT = 8  # default texts that are remembered
LARGEST = 1000.0  # multiples of the maximum that the exact box takes


@dataclass
class _Text:
    """A text that is being written. It can be left half written and taken up again."""

    prompt: str
    clamps: tuple[Clamp, ...]
    seed: int
    temperature: float
    n_tokens: int
    tokens: list[Token] = field(default_factory=list)
    done: bool = False
    source: Iterator[Token] | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.prompt, self.clamps, self.seed, self.temperature, self.n_tokens)

    def advance(self, write: TextSource) -> None:
        """Write one more token, unless the text is finished."""
        if self.done:
            return
        if self.source is None:
            self.source = iter(
                write(self.prompt, self.clamps, n_tokens=self.n_tokens, seed=self.seed, temperature=self.temperature)
            )
        token = next(self.source, None)
        if token is not None:
            self.tokens.append(token)
        if token is None or len(self.tokens) >= self.n_tokens:
            self.done, self.source = True, None

    def generation(self) -> Generation:
        return Generation(self.prompt, tuple(self.tokens), self.clamps, self.seed, self.temperature)


@dataclass
class _Request:
    """The two texts of one setting of the panel."""

    default: _Text
    clamped: _Text


class ClampPanel(Instrument):
    """Clamp features while the model writes: `x' = x + sum_f (value_f - a_f(x)) W_dec[f]` (Templeton et al. 2024).

    A slider sets a feature to a multiple of the largest activation that it reaches on the dashboard's corpus: 0 ablates it,
    and "off", which is not 0, leaves it alone. The default text is written once for each prompt, seed, temperature and
    length; the clamped text is written anew whenever something moves, with the same random numbers, so that the two texts
    part only where the clamp changed the model's mind. Both appear token by token while the kernel stays free.

    Args:
        source: writes text under clamps, e.g. `Steerer(model, sae)`.
        data: the records that name the features and give their maxima.
        features: rows to show. By default the features of `multiples`, or else the selected one.
        multiples: {feature: multiple of its maximum} to begin with; features that are not named begin off.
        prompt: the text to continue.
        windows: {feature: (low, high)}, multiples between which the clamp was measured to work; drawn on its slider.
        examples: prompts to choose from.
        selection: share the selected feature; a feature that is selected elsewhere gets a row here.
        scope: where the clamps hold: "all", "prompt", "generated", or a position t, "from token t on".

    Raises:
        ValueError: a feature that is not in `data`; the message names the nearest ones that are.

    Example:
        >>> panel = ClampPanel(steer, data, multiples={31: 4.0})  # doctest: +SKIP
        >>> panel.write(); panel.wait(); panel.clamped.text  # doctest: +SKIP
        ' I am the Golden Gate Bridge. ...'
    """

    _esm = esm("clamp")
    _css = css()
    _instrument = "clamp"
    _carried = (
        "prompt", "features", "multiples", "scope", "temperature", "seed", "n_tokens", "feature", "status",
        "_rows", "_index", "_texts", "_examples", "_passport",
    )  # fmt: skip

    prompt = traitlets.Unicode(PROMPT, help="The text to continue.").tag(sync=True)
    features = traitlets.List(traitlets.Int(), help="The features that have a row, in order.").tag(sync=True)
    multiples: traitlets.Dict[Any, Any] = traitlets.Dict(
        help="{feature: multiple of its maximum}; None or absent is off, 0 ablates."
    ).tag(
        sync=True,
        to_json=lambda value, _: {str(k): v for k, v in value.items()},
        from_json=lambda value, _: {int(k): v for k, v in value.items()},
    )
    scope = traitlets.Union([traitlets.Int(), traitlets.Unicode()], default_value="all").tag(sync=True)
    temperature = traitlets.Float(0.5, help="0 takes the likeliest token each time.").tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    n_tokens = traitlets.Int(60, help="At most so many tokens are written.").tag(sync=True)
    feature = traitlets.Int(None, allow_none=True, help="The selected feature.").tag(sync=True)
    status = traitlets.Enum(("idle", "writing", "stopped", "error"), "idle").tag(sync=True)
    _live: Live
    _rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _index: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _texts = traitlets.Dict().tag(sync=True)  # both texts in one trait: one message an update
    _examples: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _passport = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        source: TextSource,
        data: DashboardData,
        *,
        features: Sequence[int] | None = None,
        multiples: Mapping[int, float | None] | None = None,
        prompt: str = PROMPT,
        windows: Mapping[int, tuple[float, float]] | None = None,
        examples: Sequence[str] = EXAMPLES,
        selection: Selection | None = None,
        scope: str | int = "all",
        seed: int = 0,
        temperature: float = 0.5,
        n_tokens: int = 60,
    ) -> None:
        self.source = source
        self.data = data
        self.windows = dict(windows or {})
        rows = list(dict.fromkeys(map(index, [*(features or ()), *(multiples or ())])))
        self._visitor: int | None = None  # a row that the selection brought, and may take away again
        self._defaults: dict[tuple[Any, ...], _Text] = {}
        self._now: _Request | None = None  # the texts that are shown
        self._sent = 0.0
        for feature in rows:
            export.require(data, feature)
        self._live = Live(self)
        super().__init__(
            prompt=prompt,
            features=rows,
            multiples={index(f): m for f, m in (multiples or {}).items()},
            scope=scope,
            seed=seed,
            temperature=temperature,
            n_tokens=n_tokens,
            feature=rows[0] if rows else None,
            _index=payload.wire(payload.index(data)),
            _examples=list(examples),
            _passport=payload.wire(payload.passport(data)),
        )
        self._describe()
        self._texts = self._drawn()
        self._follow(selection)
        self.observe(self._moved, names=["prompt", "features", "multiples", "scope", "temperature", "seed", "n_tokens"])

    # -- what one asks of it -----------------------------------------------------------------------------------------

    @property
    def clamps(self) -> tuple[Clamp, ...]:
        """The clamps that the sliders stand for, in SAE units; features that are off are not among them."""
        return tuple(
            Clamp(f, multiple * self.data[f].maximum, self.scope)
            for f in self.features
            if (multiple := self.multiples.get(f)) is not None
        )

    @property
    def default(self) -> Generation:
        """What the model wrote without clamps, as far as it got."""
        return (self._now or self._request()).default.generation()

    @property
    def clamped(self) -> Generation:
        """What the model wrote with the clamps, as far as it got."""
        return (self._now or self._request()).clamped.generation()

    def write(self) -> None:
        """Begin to write; returns at once. A text that is being written with other settings is dropped."""
        request = self._request()
        if (
            self._now is not None
            and self._now.clamped.key == request.clamped.key
            and self.status in ("idle", "writing")
        ):
            return  # it is there, or on its way
        self._now = request
        self.error = ""
        self.status = "writing"
        self._live.submit(ClampPanel._step, request)

    def stop(self) -> None:
        """Stop writing; what was written stays."""
        self._live.stop()
        if self.status == "writing":
            self.status = "stopped"

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the texts are written; False where `timeout` seconds did not suffice. Raises what went wrong."""
        finished = self._live.wait(timeout)
        self.check()
        return finished

    def to_dataframe(self) -> pd.DataFrame:
        """One row a token of both texts: pane (default, clamped), position, id, text, logprob, kl."""
        parts = [
            generation.to_dataframe().assign(pane=name, position=range(len(generation.tokens)))
            for name, generation in (("default", self.default), ("clamped", self.clamped))
        ]
        return pd.concat(parts, ignore_index=True)[["pane", "position", "id", "text", "logprob", "kl"]]

    def to_code(self) -> str:
        """Python that writes the clamped text again, to paste in a cell."""
        return clamp_code(
            self.prompt, self.clamps, n_tokens=self.n_tokens, seed=self.seed, temperature=self.temperature
        )

    # -- writing: these run in the worker ----------------------------------------------------------------------------

    def _step(self, ticket: Ticket) -> float | None:
        """One more token of each text; shown now if the last update is long enough ago."""
        request: _Request = ticket.request
        request.clamped.advance(self.source)
        if request.default is not request.clamped:
            request.default.advance(self.source)
        end = request.clamped.done and request.default.done
        early = self._sent + INTERVAL - time.monotonic()
        if early > 0:
            return early if end else 0.0
        with self._guard:
            if ticket.cancelled:
                return 0.0  # stopped meanwhile: the worker will notice
            self._publish(request)
            ticket.shown = True
            if not ticket.replaced:
                self.status = "idle" if end else "writing"
        return None if end else 0.0

    def _dropped(self, ticket: Ticket) -> None:
        if not ticket.replaced and self._now is ticket.request is not None:  # stopped, not replaced: the last words
            with self._guard:
                self._publish(ticket.request)

    def _failed(self, error: BaseException) -> None:
        with self._guard:
            if self._live.busy:
                self._defaults.clear()  # a source that raised cannot be taken up again
                self._now = None
                self.status = "error"
            super()._failed(error)

    def _publish(self, request: _Request) -> None:
        self._sent = time.monotonic()
        self._texts = self._drawn(request)

    # -- settings ----------------------------------------------------------------------------------------------------

    def _request(self) -> _Request:
        """The texts that the settings ask for. A default text that was begun before is taken up again."""

        def text(clamps: tuple[Clamp, ...]) -> _Text:
            return _Text(self.prompt, clamps, self.seed, self.temperature, self.n_tokens)

        default = text(())
        default = self._defaults.pop(default.key, default)
        self._defaults[default.key] = default  # the latest last
        while len(self._defaults) > KEPT:
            del self._defaults[next(iter(self._defaults))]
        clamps = self.clamps
        return _Request(default, text(clamps) if clamps else default)

    def _drawn(self, request: _Request | None = None) -> dict[str, Any]:
        """The trait `_texts`."""
        shown = request or _Request(_Text("", (), 0, 0.0, 0), _Text("", (), 0, 0.0, 0))
        return {
            "default": payload.wire(payload.stream(shown.default.tokens)),
            "clamped": payload.wire(payload.stream(shown.clamped.tokens)),
            "code": payload.wire(self.to_code()),
        }

    def _describe(self) -> None:
        """The fixed part of each row."""
        self._rows = [
            {
                "feature": f,
                "label": payload.wire(self.data[f].label),
                "maximum": payload.number(self.data[f].maximum),
                "promoted": [payload.wire(effect.token) for effect in self.data[f].promoted[:3]],
                "window": [payload.number(x) for x in self.windows[f]] if f in self.windows else None,
            }
            for f in self.features
        ]

    def _moved(self, change: Any) -> None:
        if change["name"] == "features":
            self._describe()
        if self._now is not None or self.status == "error":
            self.write()

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
            if self.status != "writing":
                self._now = None
                self.write()
        elif kind == "stop":
            self.stop()
        else:
            raise ValueError(f"a message of an unknown kind: {kind!r:.80}")

    @traitlets.validate("features")
    def _check_features(self, proposal: Any) -> list[int]:
        return list(dict.fromkeys(present(self.data, feature) for feature in proposal["value"]))

    @traitlets.validate("multiples")
    def _check_multiples(self, proposal: Any) -> dict[int, float | None]:
        for feature, multiple in proposal["value"].items():
            present(self.data, feature)
            if multiple is None:
                continue
            number = isinstance(multiple, (int, float)) and not isinstance(multiple, bool)
            if not (number and math.isfinite(multiple) and abs(multiple) <= LARGEST):
                raise traitlets.TraitError(
                    f"feature {feature}: a multiple must be a number from {-LARGEST:g} to {LARGEST:g}, not {multiple!r}"
                )
        return dict(proposal["value"])

    @traitlets.validate("scope")
    def _check_scope(self, proposal: Any) -> str | int:
        try:
            return Clamp(0, 0.0, proposal["value"]).scope
        except ValueError as error:  # it lists what is possible
            raise traitlets.TraitError(str(error)) from None

    @traitlets.validate("temperature")
    def _check_temperature(self, proposal: Any) -> float:
        if not 0 <= proposal["value"] <= 10:
            raise traitlets.TraitError(f"the temperature must lie between 0 and 10, not {proposal['value']}")
        return proposal["value"]

    @traitlets.validate("seed", "n_tokens")
    def _check_count(self, proposal: Any) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        low, high = (1, 2000) if name == "n_tokens" else (0, 2**63 - 1)
        if not low <= value <= high:
            raise traitlets.TraitError(f"{name} must lie between {low} and {high}, not {value}")
        return value

    # -- pictures without a kernel -----------------------------------------------------------------------------------

    def _summary(self) -> dict[str, Any]:
        on = {f: m for f in self.features if (m := self.multiples.get(f)) is not None}
        return {"features": self.features, "multiples": on, "prompt": self.prompt}

    def _fallback(self) -> str:
        rows = "".join(
            f"<tr><th>{name}</th><td>{html.escape(payload.wire(generation.text))}</td></tr>"
            for name, generation in (("Default", self.default), ("Clamped", self.clamped))
            if generation.tokens
        )
        prompt = html.escape(payload.wire(self.prompt))
        return f'<pre class="tex2jax_ignore mathjax_ignore">{prompt}</pre><table class="tex2jax_ignore mathjax_ignore">{rows}</table>'
