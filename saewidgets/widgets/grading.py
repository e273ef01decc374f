"""GradingSheet: a person as a judge, blind: passages one by one, in no order, scored 0 to 3 by keyboard."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import traitlets

from saewidgets.frontend import css, esm, payloads
from saewidgets.languages import said
from saewidgets.records import RUBRIC, Grading, Passage, Specificity, Subject
from saewidgets.records.arguments import kind_of
from saewidgets.records.grading import Grade
from saewidgets.records.states import GradingState
from saewidgets.widgets._base import Instrument
from saewidgets.widgets.specificity import measured_again


class GradingSheet(Instrument):
    """Passages of a claim to be graded by a person who does not know how strongly the feature is active: shuffled, one
    at a time, the marked token framed, 0 to 3 by keyboard or button.

    The answers are a judge, as any other: `sheet.judge` goes to `sw.specificity(..., judges=[sheet.judge])`, with the
    time that they took and what the person could not say. `sheet.judged` is the record that the passages were drawn
    from with the person among its judges, for `SpecificityLab` and for kappa against the others. Those are shown on the
    sheet only once the last passage is graded.

    Args:
        source: what to grade: activations of a `Specificity`, or passages (`sw.records.Passage`), then with `claim`.
        claim: what is claimed of the marked tokens; by default that of the `Specificity`.
        n: draw so many, evenly from the intervals of a `Specificity`; by default all.
        path: a JSON file in which every answer is saved as it is given. One that is there already is opened, and the
            sheet goes on where it was left.
        name: of the judge: who grades.
        seed: of the draw and the order.

    Raises:
        ValueError: nothing to grade, n above what there is, passages without a claim, or a `path` that holds the sheet
            of another claim, other passages or somebody else.
        LoadError: a `path` that holds no sheet.

    Example:
        >>> sheet = sw.GradingSheet(found, n=60, path="animal-me.json", name="me")  # doctest: +SKIP
        >>> sheet  # grade, as many as you like; run the cell another day to go on  # doctest: +SKIP
        >>> sheet.judged.agreement(against="me")  # doctest: +SKIP
    """

    _esm = esm("grading")
    _css = css("grading")
    _instrument = "grading"
    _states = GradingState
    _carried = ("_sheet", "grades", "_compared", "_code")

    grades: traitlets.List[Any] = traitlets.List(
        traitlets.List(), help="The answers in the order given, each [score or None, seconds that it took]."
    ).tag(sync=True)
    _sheet = traitlets.Dict().tag(sync=True)
    _compared: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _code = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        source: Specificity | Iterable[Passage],
        claim: str | None = None,
        *,
        n: int | None = None,
        path: str | Path | None = None,
        name: str = "a person",
        seed: int = 0,
    ) -> None:
        if not isinstance(source, Specificity | str) and isinstance(source, Iterable):
            source = list(source)
        self._source = source if isinstance(source, Specificity) else None
        self._path = None if path is None else Path(path)
        fresh = Grading.of(_claim(source, claim), source, n=n, name=name, seed=seed)
        self._blank = fresh if self._path is None else _opened(self._path, fresh)
        self._saved = self._blank.grades  # as the file has them
        begun = [[g.score, g.seconds] for g in self._blank.grades]
        kept = "" if self._path is None else self._path.name
        super().__init__(_sheet=payloads.grading(self._blank, kept=kept), grades=begun, _code=self.to_code())

    # -- what one asks of it -----------------------------------------------------------------------------------------

    @property
    def data(self) -> Grading:
        """The passages as they are shown, and the answers so far."""
        return _with(self._blank, self.grades)

    @property
    def judge(self) -> Grading:
        """The answers so far as a judge, for `sw.specificity` and `run_judge`. It stays as it is while you go on."""
        return self.data

    @property
    def judged(self) -> Specificity:
        """The record that the passages were drawn from, with the person among its judges.

        Raises ValueError where the passages are of no record.
        """
        if self._source is None:
            raise ValueError("these passages are of no record: give judge=sheet.judge to sw.specificity instead")
        return self._source.judged_by(self.data.run(self._source))

    def to_dataframe(self) -> pd.DataFrame:
        """One row per answer, in the order given: score, seconds, text."""
        return self.data.to_dataframe()

    def to_code(self) -> str:
        """Python that opens the same sheet again, to paste in a cell."""
        sheet = self._blank
        given = "data, " if self._source is not None else f"passages, {sheet.claim!r}, "
        opening = (
            "import saewidgets as sw\npassages = ...  # your passages: a list of sw.records.Passage\n"
            if self._source is None
            else measured_again(self._source)
        )
        n = f"n={len(sheet.passages)}, "
        path = "" if self._path is None else f"path={str(self._path)!r}, "
        return f"{opening}sw.GradingSheet({given}{n}{path}name={sheet.name!r}, seed={sheet.seed})"

    # -- traits ------------------------------------------------------------------------------------------------------

    @traitlets.validate("grades")
    def _check_grades(self, proposal: Any) -> list[list[Any]]:
        try:
            checked = _with(self._blank, proposal["value"])
        except (TypeError, ValueError) as error:
            raise traitlets.TraitError(str(error)) from None
        return [[g.score, g.seconds] for g in checked.grades]

    @traitlets.observe("grades")
    def _grades_changed(self, change: Any) -> None:
        sheet = self.data
        self._compared = payloads.compared(sheet, self._source)
        if self._path is not None and sheet.grades != self._saved:
            sheet.save(self._path)
            self._saved = sheet.grades

    # -- pictures without a kernel -----------------------------------------------------------------------------------

    def _subject(self) -> Subject:
        return Subject() if self._source is None else Subject.named(self._source)

    def _prompt_ids(self, state: Any) -> tuple[int, ...]:
        """The tokens that are asked about: answers belong to these and to no others."""
        return tuple(passage.ids[at] for passage in self._blank.passages for at in passage.marked)

    def _summary(self) -> dict[str, Any]:
        sheet = self.data
        return {"claim": sheet.claim, "name": sheet.name, "graded": len(sheet.grades), "of": len(sheet.passages)}

    def _fallback(self) -> str:
        sheet = self.data
        counts = said(", ").join(
            said("{n} with {score}", n=sum(g.score == score for g in sheet.grades), score=score)
            for score in sorted(RUBRIC)
        )
        told = said(
            "Grading sheet of {claim!r} by {name}: {n} of {of} passages graded, {counts}, {refused} not said.",
            claim=sheet.claim.replace("_", " "),
            name=said(sheet.name),
            n=len(sheet.grades),
            of=len(sheet.passages),
            counts=counts,
            refused=sheet.n_refused,
        )
        return f'<p class="tex2jax_ignore mathjax_ignore">{html.escape(told)}</p>'


def _claim(source: Any, claim: str | None) -> str:
    """The claim that is graded. Refuses what is nothing to grade, and a claim that is missing."""
    if isinstance(source, Specificity):
        if claim not in (None, source.claim):
            raise ValueError(
                f"the record is of the claim {source.claim!r}, not {claim!r}: leave claim out, or measure that one"
            )
        return source.claim
    # __init__ has made a list of whatever can be one
    if not isinstance(source, list) or not all(isinstance(one, Passage) for one in source):
        raise TypeError(
            f"GradingSheet cannot take for source {kind_of(source)}: give a Specificity, made with "
            "sw.specificity(model, sae, acts, feature, claim, corpus=corpus), or a list of sw.records.Passage"
        )
    if claim is None:
        raise ValueError('passages alone claim nothing: give claim="golden gate bridge", or what they are to show')
    return claim


def _opened(path: Path, fresh: Grading) -> Grading:
    """The sheet in a file that goes on with `fresh`, or `fresh` where there is no file."""
    if not path.exists():
        return fresh
    found = Grading.load(path)
    other = next(
        (name for name in ("claim", "name") if getattr(found, name) != getattr(fresh, name)),
        "" if set(found.passages) == set(fresh.passages) else "passages",
    )
    if other:
        own = {"claim": repr(found.claim), "name": repr(found.name), "passages": "others"}[other]
        raise ValueError(
            f"{path} holds a sheet whose {other} {'are' if other == 'passages' else 'is'} {own}: give another path, or "
            "the same claim, name, n and seed as then"
        )
    return found


def _with(sheet: Grading, grades: Iterable[Any]) -> Grading:
    """A sheet with these answers. Raises TypeError or ValueError on what is no answer."""
    done = []
    for i, one in enumerate(grades):
        if not isinstance(one, list | tuple) or len(one) != 2:
            raise ValueError(f"answer {i} must be [score or None, seconds], not {one!r:.60}")
        try:
            done.append(Grade(one[0], one[1] if isinstance(one[1], float) else float(one[1])))
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"answer {i}, {one!r:.60}: {error}") from None
    return replace(sheet, grades=tuple(done))
