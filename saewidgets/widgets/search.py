"""FeatureSearch: one box, several ways to find a feature; what is found opens in whatever shares the selection."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import traitlets

from saewidgets import bars
from saewidgets.files import unknown
from saewidgets.frontend import css, esm, payloads
from saewidgets.frontend.payloads import settable
from saewidgets.languages import said
from saewidgets.records import DashboardData, Passport, Searcher, Subject
from saewidgets.records.arguments import asked, expect
from saewidgets.records.code import opening
from saewidgets.records.effects import COMBINED
from saewidgets.records.search import COLUMNS, MODES, N_FOUND, SavedSearch
from saewidgets.records.states import SearchState
from saewidgets.records.steering import scope_of
from saewidgets.records.tables import frame
from saewidgets.widgets._live import Live, Ticket
from saewidgets.widgets._traits import Real, Whole
from saewidgets.widgets._waiting import Waiting
from saewidgets.widgets.selection import Selection

ASKS_MODEL = (
    "prompt",
    "prompts",
    "classifier",
    "attribution",
    "effect",
)  # the modes that run the model, and so wait for its hooks
IN_ORDER = (  # as the modes are listed
    *("text", "token", "direction", "prompt", "prompts", "classifier", "attribution", "effect", "concept"),
)
ASKED = (
    "mode",
    "query",
    "other",
    "regex",
    "case",
    "relative",
    "words",
    "scope",
    "combine",
    "at_least",
    "at_most",
)  # the traits that make a question
EFFECT: dict[str, Any] = {"scope": "all", "combine": "mean"}  # of mode "effect", unless one says otherwise
LIMITS: dict[str, Any] = {"at_least": 0.0, "at_most": 0.0}  # of mode "prompts"
LARGEST = 1e9  # of a threshold
INTERVAL = 0.2  # seconds between two messages of how far a search has got


class _EndedError(Exception):
    """A search was ended before it was done."""


class FeatureSearch(Waiting):
    """Find a feature by text in its examples, by a token that it promotes, by a feature that it is close to, by a text
    at one of its tokens, by texts with it and texts without (all of them, or as a small classifier tells them), by what
    it adds to a logit or makes the model say, or by a planted concept (Templeton et al. 2024).

    What is found is a table with each feature's score, the histogram of its activations and the tokens at which it is
    strongest. A click or Enter opens a feature in whatever shares the selection.

    Args:
        source: finds features, e.g. `searcher(model, sae, acts, corpus=corpus, data=data)`; or a `DashboardData`, in
            which text, promoted tokens and neighbors are found with no model.
        query: the question; what it holds depends on the mode: a text, a token, a feature number, texts one a line, a
            prompt, a concept.
        mode: "text", "token", "direction", "prompt", "prompts", "classifier", "attribution", "effect" or "concept", of
            those that the source knows.
        other: mode "prompt": read the text up to this word; modes "prompts" and "classifier": the texts without the
            feature, one a line; mode "attribution": the next token, and on a second line the one whose logit is
            subtracted; mode "effect": what should follow the prompt, one text per line. A word gets a space in front
            where the prompt ends without one.
        regex: mode "text": the query is a regular expression.
        case: mode "text": tell upper from lower case.
        relative: mode "prompt": activations as shares of the features' maxima over the corpus.
        words: mode "effect": the lines are single tokens, any of which should come next.
        scope: mode "effect": which tokens are pushed, as of a `Clamp`; "assistant" is what follows the prompt.
        at_least: mode "prompts": in each text with it a feature is active beyond this, in SAE units.
        at_most: mode "prompts": in each text without it a feature stays at or below this.
        combine: mode "effect", of several continuations: "mean" takes the mean gain, "each" the largest in any one.
        labels: {feature: what it stands for}, for those without a label.
        selection: where a feature opens.

    Raises:
        ValueError: an unknown mode, or a question that cannot be asked.

    Example:
        >>> search = FeatureSearch(data, "golden gate", selection=selection)  # doctest: +SKIP
        >>> search.to_dataframe()["feature"].tolist()  # doctest: +SKIP
        [31]
    """

    _esm = esm("search")
    _css = css("search")
    _instrument = "search"
    _states = SearchState
    _carried = (*ASKED, "feature", "status", "_share", "_modes", "_concepts", "_results", "_passport")

    mode = traitlets.Unicode(help="What kind of question is asked.").tag(sync=True)
    query = traitlets.Unicode(help="The question.").tag(sync=True)
    other = traitlets.Unicode(help="Its second part, where the mode has one.").tag(sync=True)
    regex = traitlets.Bool(False, help="Whether the text is a regular expression.").tag(sync=True)
    case = traitlets.Bool(False, help="Whether upper and lower case differ.").tag(sync=True)
    relative = traitlets.Bool(False, help="Whether activations are shares of the maxima.").tag(sync=True)
    words = traitlets.Bool(False, help="Whether any of the words should come next.").tag(sync=True)
    scope = traitlets.Union([Whole(), traitlets.Unicode()], default_value="all", help="Which tokens are pushed.").tag(
        sync=True
    )
    combine = traitlets.Unicode("mean", help="What counts of several continuations.").tag(sync=True)
    at_least = Real(0.0, min=0.0, max=LARGEST, help="Least activation in the texts with it.").tag(sync=True)
    at_most = Real(0.0, min=0.0, max=LARGEST, help="Largest activation in the texts without it.").tag(sync=True)
    feature = Whole(None, allow_none=True, help="The feature that was opened.").tag(sync=True)
    status = traitlets.Enum(("idle", "searching", "stopped", "error"), "idle").tag(sync=True)
    _share = Real(None, allow_none=True).tag(sync=True)  # of the search that runs, where that is known
    _live: Live
    _modes: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _concepts: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _results = traitlets.Dict().tag(sync=True)
    _passport = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        source: Searcher | DashboardData,
        query: str = "",
        *,
        mode: str | None = None,
        other: str = "",
        regex: bool = False,
        case: bool = False,
        relative: bool = False,
        words: bool = False,
        scope: str | int = "all",
        combine: str = "mean",
        at_least: float = 0.0,
        at_most: float = 0.0,
        labels: Mapping[int, str] | None = None,
        selection: Selection | None = None,
    ) -> None:
        expect(
            source,
            isinstance(source, DashboardData) or (asked(source) and hasattr(source, "modes")),
            "source",
            "FeatureSearch",
            "give what finds features, sw.FeatureSearch(sw.searcher(model, sae, acts)), or a DashboardData",
        )
        self.source: Searcher = SavedSearch(source) if isinstance(source, DashboardData) else source
        self.labels = dict(labels or {})
        self.data: pd.DataFrame = _nothing()  # what was found last, see `Searcher`
        passport = self._known_passport(self.source)
        modes = [m for m in IN_ORDER if m in self.source.modes]
        if not modes:
            raise ValueError(f"the source knows none of the modes {', '.join(MODES)}")
        if mode is not None and mode not in modes:
            raise ValueError(unknown("mode", mode, modes))
        self._live = Live(self)
        super().__init__(
            mode=modes[0] if mode is None else mode,
            query=query,
            other=other,
            regex=regex,
            case=case,
            relative=relative,
            words=words,
            scope=scope,
            combine=combine,
            at_least=at_least,
            at_most=at_most,
            feature=None if selection is None else selection.feature,
            _modes=modes,
            _concepts=list(self.source.concepts),
            _results={
                "mode": "",
                "rows": [],
                "most": N_FOUND,
                "relative": False,
                "query": "",
                "other": "",
                "held_out": None,
            },
            _passport="" if passport is None else passport.sentence(),
        )
        if query.strip():
            self._show(self._found(self._question()), self._question())
        self._follow(selection)
        self.observe(self._other_mode, names=["mode"])

    # -- what one asks of it -----------------------------------------------------------------------------------------

    def search(self, query: str | None = None, **question: Any) -> None:
        """Ask, in the background; `wait()` waits for the answer. Without arguments the question of the traits.

        Args:
            query: the question.
            question: mode, other, regex, case, relative, words, scope, combine, at_least or at_most, to be set too.
        """
        for name in question:
            if name not in ASKED:
                raise ValueError(unknown("part of a question", name, ASKED))
        with self._guard:
            if "mode" in question:
                self.mode = question.pop("mode")
            for name, value in question.items():
                setattr(self, name, value)
            if query is not None:
                self.query = query
            self.error = ""
            self.status, self._share = "searching", 0.0 if self.mode == "effect" else None
        self._live.submit(FeatureSearch._step, self._question())

    def stop(self) -> None:
        """End the search that runs: what was found before stays."""
        self._live.stop()
        with self._guard:
            if self.status == "searching":
                self.status, self.waiting, self._share = "stopped", "", None

    def to_dataframe(self) -> pd.DataFrame:
        """What was found, best first: feature, label, score, density, maximum, tokens, histogram, see `Searcher`."""
        return self.data.copy()

    def to_code(self) -> str:
        """Python that asks this again, to paste in a cell."""
        defaults = {"other": "", "regex": False, "case": False, "relative": False, "words": False} | EFFECT | LIMITS
        options = "".join(f", {k}={getattr(self, k)!r}" for k, v in defaults.items() if getattr(self, k) != v)
        scored = (
            ", scores=sw.analysis.steering_scores(model, sae, acts)" if getattr(self.source, "scores", None) else ""
        )
        return (
            f"{opening(self._known_passport(self.source))}"
            "acts = sw.feature_activations(model, sae, corpus)\n"
            "source = sw.searcher(model, sae, acts, corpus=corpus, data=sw.dashboard_data(model, sae, acts)"
            f"{scored})\n"
            f"sw.FeatureSearch(source, {self.query!r}, mode={self.mode!r}{options})"
        )

    @staticmethod
    def _known_passport(source: Any) -> Passport | None:
        """Whose features a source searches, where it says so or has records that do."""
        found = getattr(source, "passport", None) or getattr(getattr(source, "data", None), "passport", None)
        return found if isinstance(found, Passport) else None

    # -- asking ------------------------------------------------------------------------------------------------------

    def _question(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ASKED}

    def _found(self, question: Mapping[str, Any]) -> pd.DataFrame:
        """The source's answer to what stands in the boxes."""
        query, other = question["query"], question["other"]
        if not query.strip():
            return _nothing()
        match question["mode"]:
            case "text":
                return self.source("text", pattern=query, regex=question["regex"], case=question["case"])
            case "token":
                return self._by_token(query)
            case "direction":
                number = query.strip().removeprefix("#")
                if not number.isdecimal():
                    raise ValueError(f"a feature is a number, such as 31, not {query.strip()[:40]!r}")
                return self.source("direction", direction=int(number))
            case "prompt":
                options = {"relative": True} if question["relative"] else {}
                return self.source("prompt", text=_up_to(query, other.strip()), **options)
            case "prompts":
                limits = {name: question[name] for name, usual in LIMITS.items() if question[name] != usual}
                return self.source("prompts", positive=_lines(query), negative=_lines(other), **limits)
            case "classifier":
                return self.source("classifier", positive=_lines(query), negative=_lines(other))
            case "attribution":
                following = _after(query, other)
                if not 1 <= len(following) <= 2:
                    raise ValueError(
                        "write the next token on one line, and on a second, if any, what it is compared with"
                    )
                against = {"baseline_token": following[1]} if len(following) == 2 else {}
                return self.source("attribution", text=query, target=following[0], **against)
            case "effect":
                wanted = _after(query, other)
                if not wanted:
                    raise ValueError("write what should follow the prompt, one continuation per line")
                chosen = {name: question[name] for name, usual in EFFECT.items() if question[name] != usual}
                return self.source(
                    "effect", prompt=query, **{"words" if question["words"] else "continuations": wanted}, **chosen
                )
            case "concept":
                name = query.strip()
                known = self.source.concepts
                return self.source("concept", concept=name if name in known else name.lower().replace(" ", "_"))
        raise ValueError(unknown("mode", question["mode"], self._modes))

    def _by_token(self, token: str) -> pd.DataFrame:
        """By the token as typed; where that is none, by the word with the space in front that most words have."""
        try:
            return self.source("token", token=token)
        except ValueError:
            if token.startswith(" "):
                raise
            try:
                return self.source("token", token=f" {token}")
            except ValueError:
                pass
            raise

    def _step(self, ticket: Ticket) -> float | None:
        question = ticket.request
        if question["mode"] in ASKS_MODEL and self._held_up(ticket):
            return 0.0
        try:
            with bars.watched(self._watch(ticket)):
                found = self._found(question)
        except _EndedError:
            return None
        if ticket.cancelled:
            return None
        with self._guard:
            self.error = ""
            self._share = None
            self._show(found, question)
            ticket.shown = True
            if not ticket.replaced:
                self.status = "idle"
        return None

    def _watch(self, ticket: Ticket) -> Callable[[int, int | None], None]:
        """What the bars of a search tell: it ends once it is stopped or another question waits."""
        told = time.monotonic()

        def look(done: int, total: int | None) -> None:
            nonlocal told
            if ticket.cancelled or ticket.replaced:
                raise _EndedError
            if total and time.monotonic() >= told + INTERVAL:
                told = time.monotonic()
                with self._guard:
                    if not ticket.cancelled:
                        self._share = done / total

        return look

    def _show(self, found: pd.DataFrame, question: Mapping[str, Any]) -> None:
        self.data = found
        rows = [
            {
                "feature": int(r["feature"]),
                "label": str(r["label"]) or self.labels.get(int(r["feature"]), ""),
                "score": payloads.number(r["score"]),
                "density": payloads.number(r["density"]),
                "maximum": payloads.number(r["maximum"]),
                "tokens": list(r["tokens"]),
                "counts": [int(c) for c in r["histogram"]],
                "extra": {name: payloads.number(r[name]) for name in found.columns if name not in COLUMNS},
            }
            for r in found.to_dict("records")
        ]
        self._results = {
            "mode": question["mode"] if question["query"].strip() else "",
            "rows": rows,
            "most": N_FOUND,
            "relative": bool(question["relative"] and question["mode"] == "prompt"),
            "query": question["query"],
            "other": question["other"],
            "held_out": found.attrs.get("held_out"),
        }

    def _failed(self, error: BaseException) -> None:
        with self._guard:
            self._share = None
            if self.status == "searching":
                self.status = "error"
            super()._failed(error)

    def _message(self, kind: str) -> None:
        if kind == "stop":
            self.stop()
        elif kind == "search":
            self.search()
        else:
            raise ValueError(f"a message of an unknown kind: {kind!r:.80}")

    # -- traits ------------------------------------------------------------------------------------------------------

    def _other_mode(self, change: Any) -> None:
        """Another kind of question: what stands in the boxes answers none of them."""
        with self._guard:
            self.query = self.other = self.error = ""

    @traitlets.validate("mode")
    def _check_mode(self, proposal: Any) -> str:
        if proposal["value"] not in self.source.modes:
            raise traitlets.TraitError(unknown("mode", proposal["value"], self.source.modes))
        return str(proposal["value"])

    @traitlets.validate("scope")
    def _check_scope(self, proposal: Any) -> str | int:
        try:
            return scope_of(proposal["value"])
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None

    @traitlets.validate("combine")
    def _check_combine(self, proposal: Any) -> str:
        if proposal["value"] not in COMBINED:
            raise traitlets.TraitError(unknown("combine", proposal["value"], COMBINED))
        return str(proposal["value"])

    @traitlets.validate("query", "other")
    def _check_query(self, proposal: Any) -> str:
        return str(payloads.sendable(proposal["value"]))

    @traitlets.validate("feature")
    def _check_feature(self, proposal: Any) -> int | None:
        if proposal["value"] is not None and proposal["value"] < 0:
            raise traitlets.TraitError(f"a feature is a number from 0, not {proposal['value']}")
        value: int | None = proposal["value"]
        return value

    # -- pictures without a kernel -----------------------------------------------------------------------------------

    def _links(self) -> dict[str, settable.Allowed]:
        return {"feature": settable.optional(settable.one_of(int(row["feature"]) for row in self._results["rows"]))}

    def _subject(self) -> Subject:
        return Subject.of(self._known_passport(self.source))

    def _summary(self) -> dict[str, Any]:
        return {"mode": self.mode, "query": self.query, "found": len(self.data), "feature": self.feature}

    def _fallback(self) -> str:
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td>{html.escape(cell)}</td>"
                for cell in (
                    f"#{row['feature']}",
                    row["label"],
                    f"{row['score']}",
                    " ".join(repr(t[:40]) for t in row["tokens"]),
                )
            )
            + "</tr>"
            for row in self._results["rows"][:10]
        )
        head = "".join(f"<th>{said(name)}</th>" for name in ("feature", "label", "score", "strongest on"))
        asked = html.escape(f"{self.mode}: {self.query[:2000]}")
        return (
            f'<p class="tex2jax_ignore mathjax_ignore">{asked}</p><table class="tex2jax_ignore mathjax_ignore">'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )


def _nothing() -> pd.DataFrame:
    return frame(columns=list(COLUMNS))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _after(prompt: str, lines: str) -> list[str]:
    """What should follow a prompt, one text per line: as written, but a word has a space in front unless the prompt
    ends with one.
    """
    space = "" if not prompt or prompt[-1].isspace() else " "
    return [f"{space}{line}" if line[0].isalnum() else line for line in lines.splitlines() if line.strip()]


def _up_to(text: str, word: str) -> str:
    """The text up to the end of the last `word` in it: its features at that word do not depend on what comes after."""
    if not word:
        return text
    at = text.rfind(word)
    if at < 0:
        raise ValueError(f"{word[:40]!r} does not stand in the text")
    return text[: at + len(word)]
