"""The part of a clamp panel that writes more answers, of other seeds, once both texts are there."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
import traitlets

from saewidgets.records import ClampRecording
from saewidgets.records.arguments import whole
from saewidgets.widgets._live import Ticket
from saewidgets.widgets._waiting import Waiting
from saewidgets.widgets.clamp.answers import NONE, Answers, next_seeds
from saewidgets.widgets.clamp.settings import MOST, Settings
from saewidgets.widgets.clamp.texts import Request

PAUSE = 0.25  # seconds between two updates of the list


class MoreAnswers(Settings, Waiting):
    """A panel with a list of answers. The panel's own worker writes them, in the same job as the two texts."""

    status: Any
    _now: Request | None
    _answers: traitlets.Dict[Any, Any] = traitlets.Dict(NONE).tag(sync=True)
    _more: Answers | None = None
    _listed = 0.0  # when the list was sent last

    def write(self) -> None:
        """Begin to write the two texts."""
        raise NotImplementedError

    def write_answers(self, n: int | None = None) -> None:
        """Begin to write `n` more answers (by default `n_answers`), each of a seed of its own, without the clamps and with
        them from the same random numbers; returns at once, and `wait()` waits for them. They follow the seeds that are
        there already. Whatever is moved meanwhile ends them, as `stop()` does.

        Raises ValueError where there is no further seed: a recording has only so many, and 64 are kept at most.

        Example:
            >>> panel.write_answers(8); panel.wait(); panel.answers_to_dataframe()["holds_clamped"].mean()  # doctest: +SKIP
            0.875
        """
        n = self.n_answers if n is None else whole(n, "n", minimum=1, maximum=MOST)
        with self._guard:
            if self._more is not None and self._more.writing:
                return  # they are on their way
            if self._now is None or not (self._now.told or self.status == "writing"):
                self.write()
            assert self._now is not None
            if self._more is None:
                self._more = self._asked(self._now)
            self._more.begin(next_seeds(self.source, self._more.seeds, self.seed, n))
            self.error = ""
            self._list()
            self._listed = 0.0  # the first words are shown at once
            if self._now.rests:
                self._now.rests, self.status = False, "answering"
                self._submit(self._now)

    @property
    def answers(self) -> ClampRecording:
        """The answers of other seeds as far as they got, as a record: to save, or to play back in a panel of its own."""
        more = self._more or self._asked(None)
        return more.recording({clamp.feature: self.data[clamp.feature].maximum for clamp in self.clamps})

    def answers_to_dataframe(self) -> pd.DataFrame:
        """One row per seed: seed, default, clamped (the texts), holds_default, holds_clamped (whether a text holds one of
        the words of `look_for`, None where none are looked for), perplexity_default, perplexity_clamped (of the text under
        the model as it is, where the source can tell).
        """
        return (self._more or self._asked(None)).to_dataframe(self.look_for)

    def _asked(self, request: Request | None) -> Answers:
        """An empty list of what the settings, or the texts that are shown, ask for."""
        clamped = None if request is None else request.clamped
        given = self if clamped is None else clamped
        return Answers(given.prompt, tuple(given.clamps), given.temperature, given.n_tokens)

    def _submit(self, request: Request) -> None:
        raise NotImplementedError

    def _fits(self, request: Request) -> None:
        """The settings moved: answers to something else go, and nothing is written any more."""
        more = self._more
        if more is None:
            return
        if more.writing:
            more.end()
        if more.key != self._asked(request).key:
            self._more = None
        self._list()

    def _ended(self) -> None:
        """The job was stopped, or the source raised: what was written stays."""
        if self._now is not None:
            self._now.rests = True
        if self._more is not None and self._more.writing:
            self._more.end()
            self._list()

    def _answer_on(self, request: Request, ticket: Ticket) -> float | None:
        """One more step of the answers; None where nobody waits for any."""
        with self._guard:
            more = self._more
            if more is None or not more.writing:
                request.rests = True
                return None
            ticket.shown = True  # a slider that moves ends this at once
            if not ticket.cancelled:
                self.status = "answering"
        try:
            more.advance(self.source)
        except Exception as error:
            with self._guard:
                more.end()
                request.rests = True
                if not ticket.replaced:
                    self.status = "error"
                    self._list()
                    self._failed(error)
            return None
        if more.writing and time.monotonic() < self._listed + PAUSE:
            return 0.0
        with self._guard:
            if ticket.cancelled:
                return 0.0
            self._list()
            if not more.writing:
                self.status = "idle"
        return 0.0

    @traitlets.observe("look_for")
    def _looked_for(self, change: Any) -> None:
        if self._more is not None:
            self._list()

    def _list(self) -> None:
        self._listed = time.monotonic()
        self._answers = NONE if self._more is None else self._more.sendable(self.look_for)
