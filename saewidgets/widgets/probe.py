"""FeatureProbe: type a text, and see which features are active at each of its tokens."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from saewidgets.frontend import css, esm, payloads
from saewidgets.frontend.payloads import settable
from saewidgets.languages import said
from saewidgets.records import DashboardData, Dialogue, Prober, PromptActivations, Turn
from saewidgets.records.arguments import asked, expect, listed, require_features
from saewidgets.records.code import opening
from saewidgets.records.dialogues import code_of, prompt_of
from saewidgets.records.states import ProbeState
from saewidgets.widgets._live import Live, Ticket
from saewidgets.widgets._presets import tokens_of
from saewidgets.widgets._probe_page import live_page
from saewidgets.widgets._readings import strongest, with_known
from saewidgets.widgets._traits import PROMPT_JSON, PromptTrait, Whole
from saewidgets.widgets._waiting import Waiting
from saewidgets.widgets.selection import Selection

TEXT = "They walked over the Golden Gate Bridge in the fog."
SORTS = ("activation", "share", "quantile", "attribution", "ablation", "loss_effect")
ABLATED = 1 << 14  # tokens run to ablate the listed features, one text per feature: about a second
BESIDE = 12  # other texts at once, as in the page
PINS = 5  # features that are colored at once; the style sheet has as many colors


@dataclass(frozen=True)
class _Request:
    """One reading to be made."""

    text: str | Dialogue
    target: str = ""  # where there is one, attribution and ablation, too
    baseline: str = ""
    ablated: tuple[int, ...] = ()  # features whose ablation is measured on every token's loss


class FeatureProbe(Waiting):
    """Every feature that is active on a text, token by token (the second interface of Bricken et al. 2023).

    Point at a token for its strongest features, pick a feature to see its heat over the text, pin up to five to see
    them at once. The features are listed by activation, by its share of the corpus maximum, by its quantile among the
    feature's own activations in the corpus, and, once they were asked for, by attribution to a logit difference, by the
    effect of ablation on it (Templeton et al. 2024), and by that on the loss. A new text is read in a worker as it is
    typed; the latest one wins. Other texts stand beside it, each with the heat of the same feature.

    Args:
        source: reads texts, e.g. `prober(model, sae, acts)`; or a saved `PromptActivations`, whose text then stays as
            it is.
        text: to begin with, or a dialogue (`Dialogue`, or a list of its turns); a saved reading has its own.
        beside: up to twelve other texts or dialogues; their readings are in `readings`.
        feature: whose heat is shown first; by default the selection's, or else the one strongest for its maximum.
        pinned: features that are colored beside it.
        sort: what the list is sorted by.
        target: the next token whose logit is asked for when `measure()` is called; together with `baseline`.
        baseline: the token whose logit is subtracted; "" for the mean over the vocabulary.
        labels: {feature: what it stands for}.
        dashboard: records that name the features that have no label.
        selection: share the feature with other instruments.

    Raises:
        ValueError: a text that the source refuses, a feature that the SAE does not have, too many pins or texts, or
            texts beside a saved reading.

    Example:
        >>> probe = FeatureProbe(prober(model, sae, acts), text="They walked over the bridge.")
        >>> probe.text = "An owl sat in the oak."; probe.wait()
        >>> probe.to_dataframe().head()
    """

    _esm = esm("probe")
    _css = css("probe")
    _instrument = "probe"
    _states = ProbeState
    _carried = (
        "text", "beside", "feature", "pinned", "position", "sort", "target", "baseline", "status", "_prompt", "_beside",
        "_names", "_can", "_passport",
    )  # fmt: skip

    text = PromptTrait(help="What is read: a text, or a dialogue in the model's own form.").tag(
        sync=True, **PROMPT_JSON
    )
    beside: traitlets.List[Any] = traitlets.List(
        PromptTrait(), help="Other texts, in which the same feature is shown."
    ).tag(
        sync=True,
        to_json=lambda value, _: [payloads.spoken(prompt) for prompt in value],
        from_json=lambda value, _: [prompt_of(prompt) for prompt in value],
    )
    feature = Whole(None, allow_none=True, help="The feature whose heat is shown.").tag(sync=True)
    pinned = traitlets.List(Whole(), help="Features in colors of their own.").tag(sync=True)
    position = Whole(None, allow_none=True, help="The token whose features are listed; None: all.").tag(sync=True)
    sort = traitlets.Enum(SORTS, "activation", help="What the features are sorted by.").tag(sync=True)
    target = traitlets.Unicode(help="The next token whose logit is asked for.").tag(sync=True)
    baseline = traitlets.Unicode(help="The token whose logit is subtracted; empty: the mean.").tag(sync=True)
    status = traitlets.Enum(("idle", "reading", "measuring", "error"), "idle").tag(sync=True)
    _live: Live
    _prompt = traitlets.Dict().tag(sync=True)
    _beside: traitlets.List[Any] = traitlets.List().tag(sync=True)  # one of them per text beside
    _names = traitlets.Dict().tag(sync=True)  # of pinned and picked features that may be silent in this text
    _can: traitlets.List[Any] = traitlets.List().tag(sync=True)  # what the source can do: read, measure, ablate
    _passport = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        source: Prober | PromptActivations,
        text: str | Dialogue | Sequence[Mapping[str, str]] | None = None,
        *,
        beside: Sequence[str | Dialogue | Sequence[Mapping[str, str]]] = (),
        feature: int | None = None,
        pinned: Sequence[int] = (),
        sort: str = "activation",
        target: str = "",
        baseline: str = "",
        labels: Mapping[int, str] | None = None,
        dashboard: DashboardData | None = None,
        selection: Selection | None = None,
    ) -> None:
        expect(
            source,
            isinstance(source, PromptActivations) or asked(source),
            "source",
            "FeatureProbe",
            "give what reads texts, sw.FeatureProbe(sw.prober(model, sae)), or a saved PromptActivations; sw.explore(model, sae) opens one",
        )
        if text is not None:
            expect(
                prompt_of(text),
                (str, Dialogue),
                "text",
                "FeatureProbe",
                "give a text, such as 'The cat sat'; the SAE goes into sw.prober(model, sae)",
            )
        begin: str | Dialogue | None = prompt_of(text)
        self.source = source
        self.labels = dict(labels or {})
        self.dashboard = dashboard
        saved = source if isinstance(source, PromptActivations) else None
        if saved is not None and begin not in (None, saved.dialogue or saved.text):
            raise ValueError(
                "a saved reading has its own text; give a function, such as prober(model, sae), to read another"
            )
        self.data = source if isinstance(source, PromptActivations) else source(TEXT if begin is None else begin)
        others = self._others(saved, listed(beside, "beside", "'The cat sat'"))
        self._read = {other: self._reading(other) for other in others}  # the texts beside, and what was read there
        self.seconds = 0.0  # that the latest reading took
        self._d_sae = self.data.passport.d_sae
        chosen = None if feature is None else self._known(index(feature))
        pins = self._pins(list(map(index, pinned)))
        if chosen is None and (selection is None or selection.feature is None):
            chosen = strongest(self.data)
        self._live = Live(self)
        super().__init__(
            text=self.data.dialogue or self.data.text,
            beside=others,
            feature=chosen,
            pinned=pins,
            sort=sort,
            target=self.data.target or target,
            baseline=self.data.baseline or baseline,
            _can=[] if saved is not None else ["read", "measure", "ablate"],
            _prompt=self._drawn(self.data),
            _beside=[self._drawn(reading) for reading in self._read.values()],
            _passport=self.data.passport.sentence(),
        )
        self._name()
        self._follow(selection)
        self.observe(self._typed, names=["text", "beside"])

    # -- what one asks of it -----------------------------------------------------------------------------------------

    @property
    def readings(self) -> tuple[PromptActivations, ...]:
        """What was read of each text beside, in their order, as far as they were read."""
        return tuple(self._read[other] for other in self.beside if other in self._read)

    def measure(self, target: str | None = None, baseline: str | None = None) -> None:
        """Measure attribution and ablation for the logit of `target` after the last token, less that of `baseline`, in
        the background; `wait()` waits for them. Without arguments the tokens of the two traits.
        """
        if target is not None:
            self.target = target
        if baseline is not None:
            self.baseline = baseline
        if not self.target:
            raise ValueError('name the next token first, as it is spelled, such as " Bridge" with its space')
        self._submit(_Request(self.text, self.target, self.baseline))

    def ablate(self) -> None:
        """Measure what leaving the chosen feature out of the text adds to the loss of each token, in the background."""
        if self.feature is None:
            raise ValueError("pick a feature first")
        if self.feature not in self.data.listed:
            raise ValueError(f"feature {self.feature} is nowhere active in this text: ablating it changes nothing")
        self._submit(_Request(self.text, ablated=(self.feature,)))

    def ablate_listed(self) -> None:
        """The same, in the background, for every feature that is listed: those at the chosen token, or of the whole
        text. Then the table sorts by loss effect. Of a long text only as many features as a second allows, the nearest
        to their maximum first.
        """
        data = self.data
        own = np.ones(len(data.feature), bool) if self.position is None else data.position == self.position
        if not own.any():
            raise ValueError("no feature is active here: there is nothing to ablate")
        row = np.searchsorted(data.listed, data.feature[own])
        known = data.maximum[row] > 0  # nan is not
        share = np.where(known, data.value[own] / np.where(known, data.maximum[row], 1.0), 0.0)
        order = np.lexsort((-data.value[own], -share))
        listed = list(dict.fromkeys(data.feature[own][order].tolist()))
        self.sort = "loss_effect"
        self._submit(_Request(self.text, ablated=tuple(listed[: max(1, ABLATED // max(len(data), 1))])))

    def to_dataframe(self) -> pd.DataFrame:
        """One row per token and active feature, see `PromptActivations.to_dataframe`; `data.by_feature()` has one per
        feature.
        """
        return self.data.to_dataframe()

    def to_code(self) -> str:
        """Python that shows this text again, to paste in a cell."""
        passport = self.data.passport
        options = "".join(
            f", {key}={value!r}"
            for key, value in (("feature", self.feature), ("pinned", list(self.pinned)), ("sort", self.sort))
            if value not in (None, [], "activation")
        )
        beside = f", beside=[{', '.join(map(code_of, self.beside))}]" if self.beside else ""
        known = bool(passport.n_tokens)
        return (
            opening(passport, corpus=known)
            + ("acts = sw.feature_activations(model, sae, corpus)\n" if known else "")
            + f"probe = sw.FeatureProbe(sw.prober(model, sae{', acts' if known else ''}), text={code_of(self.text)}{beside}{options})\n"
            + (
                f"probe.measure({self.data.target!r}, {self.data.baseline!r})\n"
                if self.data.attribution is not None
                else ""
            )
            + "probe"
        )

    # -- reading -----------------------------------------------------------------------------------------------------

    def _typed(self, change: Any) -> None:
        self._submit(_Request(self.text))

    def _reading(self, prompt: str | Dialogue) -> PromptActivations:
        assert not isinstance(self.source, PromptActivations)
        found: PromptActivations = self.source(prompt)
        return found

    @staticmethod
    def _others(saved: PromptActivations | None, beside: Sequence[Any]) -> list[str | Dialogue]:
        """Texts beside, each once. ValueError where there are too many, or the reading is a saved one."""
        others = list(dict.fromkeys(_sendable(prompt_of(other)) for other in beside))
        if others and saved is not None:
            raise ValueError(
                "a saved reading has one text; give a function, such as prober(model, sae), to read others"
            )
        if len(others) > BESIDE:
            raise ValueError(f"at most {BESIDE} texts stand beside the one in front, not {len(others)}")
        return others

    def _submit(self, request: _Request) -> None:
        if isinstance(self.source, PromptActivations):
            raise ValueError("a saved reading cannot be measured further; give a function, such as prober(model, sae)")
        with self._guard:
            self.status = "measuring" if request.target or request.ablated else "reading"
        self._live.submit(FeatureProbe._step, request)

    def _step(self, ticket: Ticket) -> float | None:
        """Read one text and show it. One that was typed meanwhile comes next, so what is shown last is the latest."""
        request: _Request = ticket.request
        assert not isinstance(self.source, PromptActivations)
        if self._held_up(ticket):
            return 0.0
        began = time.perf_counter()
        wanted = list(self.beside)  # before the text in front, which the source may keep at hand
        read = {other: self._read[other] if other in self._read else self._reading(other) for other in wanted}
        data = self.source(
            request.text,
            target=request.target,
            baseline=request.baseline,
            losses=list(request.ablated) if request.ablated else False,
        )
        data = with_known(data, self.data)
        drawn = self._drawn(data)
        if ticket.cancelled:
            return None
        with self._guard:
            self.data, self.seconds = data, time.perf_counter() - began
            if self.position is not None and self.position >= len(data):
                self.position = None
            self.error = ""
            self._prompt = drawn
            if wanted == list(self.beside):
                self._read = read
                self._beside = [self._drawn(reading) for reading in read.values()]
            ticket.shown = True
            if not ticket.replaced:
                self.status = "idle"
        return None

    def _failed(self, error: BaseException) -> None:
        with self._guard:
            if self.status in ("reading", "measuring"):
                self.status = "error"
            super()._failed(error)

    def _message(self, kind: str) -> None:
        actions = {"measure": self.measure, "ablate": self.ablate, "ablate_listed": self.ablate_listed}
        if kind not in actions:
            raise ValueError(f"a message of an unknown kind: {kind!r:.80}")
        self.error = ""
        actions[kind]()

    # -- traits ------------------------------------------------------------------------------------------------------

    def _known(self, feature: int) -> int:
        require_features([feature], self._d_sae)
        return feature

    def _pins(self, pinned: list[int]) -> list[int]:
        pins = list(dict.fromkeys(map(self._known, pinned)))
        if len(pins) > PINS:
            raise ValueError(f"at most {PINS} features can be pinned at once; unpin one of {pins[:PINS]} first")
        return pins

    @traitlets.validate("text")
    def _check_text(self, proposal: Any) -> str | Dialogue:
        text = _sendable(proposal["value"])
        source = self.source
        if isinstance(source, PromptActivations) and text != _sendable(source.dialogue or source.text):
            raise traitlets.TraitError("this probe shows a saved reading, whose text stays as it is")
        return text

    @traitlets.validate("beside")
    def _check_beside(self, proposal: Any) -> list[str | Dialogue]:
        source = self.source
        try:
            return self._others(source if isinstance(source, PromptActivations) else None, proposal["value"])
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None

    @traitlets.validate("feature")
    def _check_feature(self, proposal: Any) -> int | None:
        try:
            return None if proposal["value"] is None else self._known(proposal["value"])
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None

    @traitlets.validate("pinned")
    def _check_pinned(self, proposal: Any) -> list[int]:
        try:
            return self._pins(proposal["value"])
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None

    @traitlets.validate("position")
    def _check_position(self, proposal: Any) -> int | None:
        value: int | None = proposal["value"]
        if value is not None and not 0 <= value < len(self.data):
            raise traitlets.TraitError(f"there is no token {value}: this text has tokens 0 to {len(self.data) - 1}")
        return value

    @traitlets.observe("feature", "pinned")
    def _name(self, change: Any = None) -> None:
        wanted = dict.fromkeys([*self.pinned, *([] if self.feature is None else [self.feature])])
        self._names = {str(f): self._label(f) for f in wanted}

    def _label(self, feature: int) -> str:
        known = self.dashboard.features.get(feature) if self.dashboard is not None else None
        own = self._own_labels(self.data.passport.sae)
        return (
            own.get(feature)
            or self.labels.get(feature)
            or self.data.labels.get(feature)
            or (known.label if known is not None else "")
        )

    def _drawn(self, data: PromptActivations) -> dict[str, Any]:
        labels = {**self.labels, **self._own_labels(data.passport.sae)}
        return payloads.prompt(data, labels=labels, dashboard=self.dashboard)

    def _relabel(self) -> None:
        with self._guard:
            self._prompt = self._drawn(self.data)
            self._beside = [self._drawn(reading) for reading in self.readings]
            self._name()

    # -- pictures without a kernel -----------------------------------------------------------------------------------

    def to_html(self, path: str | Path | None = None, *, live: bool = False) -> str:
        """This probe as one self-contained page, without a kernel and without a network; written to `path` if given.

        With `live`, the page carries the model and the SAE, as numbers of 16 bits, and reads whatever is typed in it.
        Quantiles and what `measure` and `ablate` ask for need Python. Without, it is a picture of this text.

        Raises:
            ValueError: with `live`, a model that a page cannot carry, see `ClampPanel.to_html`.
            TypeError: with `live`, a source that has no model, such as a saved reading.

        Example:
            >>> sw.FeatureProbe(sw.prober(model, sae, acts)).to_html("probe.html", live=True)  # doctest: +SKIP
        """
        return live_page(self, path) if live else super().to_html(path)

    def _links(self) -> dict[str, settable.Allowed]:
        feature = settable.whole(0, self._d_sae - 1)
        return {
            "feature": settable.optional(feature),
            "pinned": settable.several(feature, PINS),
            "position": settable.optional(settable.whole(0, len(self.data) - 1)),
            "sort": settable.one_of(SORTS),
        }

    def _prompt_ids(self, state: ProbeState) -> tuple[int, ...] | None:
        if state.text == (self.data.dialogue or self.data.text):
            return self.data.token_ids
        return tokens_of(self.source, state.text)

    def _summary(self) -> dict[str, Any]:
        return {
            "text": self.data.text,
            "tokens": len(self.data),
            "features": len(self.data.listed),
            "feature": self.feature,
        }

    def _fallback(self) -> str:
        columns = ("feature", "label", "activation", "token")
        head = "".join(f"<th>{said(name)}</th>" for name in columns)
        tokens = [text for _, text in self._prompt["tokens"]]
        peaks = [(max(zip(f["a"], f["p"], strict=True), key=lambda e: e[0]), f) for f in self._prompt["features"]]
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td>{html.escape(cell)}</td>"
                for cell in (f"#{f['feature']}", f["label"], f"{value:.4g}", repr(tokens[position][:40]))
            )
            + "</tr>"
            for (value, position), f in sorted(peaks, key=lambda row: -row[0][0])[:10]
        )
        text = html.escape(self.data.text[:2000])
        return (
            f'<p class="tex2jax_ignore mathjax_ignore">{text}</p><table class="tex2jax_ignore mathjax_ignore">'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )


def _sendable(prompt: str | Dialogue) -> str | Dialogue:
    """A prompt without what no message to a browser can carry."""
    if isinstance(prompt, Dialogue):
        return Dialogue(tuple(Turn(turn.role, payloads.sendable(turn.text)) for turn in prompt.turns))
    return str(payloads.sendable(prompt))
