"""SpecificityLab: is a feature active where its concept is, and nowhere else? Scores by strength, and examples."""

from __future__ import annotations

import html
from typing import Any

import pandas as pd
import traitlets

from saewidgets import export, views
from saewidgets.files import unknown
from saewidgets.frontend import css, esm, payloads
from saewidgets.frontend.payloads import settable
from saewidgets.languages import said
from saewidgets.records import FeatureExample, Specificity, Subject
from saewidgets.records.arguments import expect
from saewidgets.records.code import opening_of
from saewidgets.records.states import SpecificityState
from saewidgets.widgets._base import Instrument
from saewidgets.widgets._traits import Whole
from saewidgets.widgets.selection import Selection


class SpecificityLab(Instrument):
    """The specificity of a feature: how judges score its activations, by how strong they are, from 0 (the concept is
    nowhere in the text) to 3 (the token is the concept itself); over the histogram of all activations, beside the
    feature's recall, with the examples of each interval to read.

    Args:
        data: from `sw.specificity(...)` or `Specificity.load(path)`.
        level: the interval whose examples are shown first, 0 the weakest; the strongest with examples by default.
        judge: whose scores are drawn first; the first judge by default.
        selection: an interval that is chosen here selects the lab's feature in whatever shares it. The lab itself
            stays.

    Raises:
        ValueError: nothing that was judged, or a level or judge that is not there.

    Example:
        >>> sw.SpecificityLab(sw.specificity(model, sae, acts, 31, "owl", corpus=corpus))  # doctest: +SKIP
    """

    _esm = esm("specificity")
    _css = css("specificity")
    _instrument = "specificity"
    _states = SpecificityState
    _carried = ("level", "score", "judge", "_lab", "_shown", "_code")

    feature = Whole(read_only=True, help="The feature that was judged.")
    level = Whole(0, help="The interval whose examples are shown, 0 the weakest.").tag(sync=True)
    score = Whole(None, allow_none=True, help="Only examples with this score are shown; None: all.").tag(sync=True)
    judge = traitlets.Unicode(help="Whose scores are drawn.").tag(sync=True)
    _lab = traitlets.Dict().tag(sync=True)
    _shown = traitlets.Dict().tag(sync=True)
    _code = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        data: Specificity,
        *,
        level: int | None = None,
        judge: str | None = None,
        selection: Selection | None = None,
    ) -> None:
        expect(data, Specificity, "data", "SpecificityLab")
        if not data.examples:
            raise ValueError("there is nothing to show: no activation was judged")
        self.data = data
        self._levels = sorted({e.interval for e in data.examples})  # those with examples
        first = self._levels[-1] if level is None else level
        if first not in self._levels:
            raise ValueError(unknown("level with examples", first, self._levels))
        super().__init__(
            _lab=payloads.specificity_lab(data),
            _shown=payloads.judged_examples(data, first),
            _code=self.to_code(),
            level=first,
            judge=data.run_of(judge).name,
        )
        self.set_trait("feature", data.feature)
        self.selection = selection
        if selection is not None and selection.feature is None:
            selection.feature = data.feature

    # -- what one asks of it -----------------------------------------------------------------------------------------

    @property
    def examples(self) -> tuple[FeatureExample, ...]:
        """The examples that are shown: those of the level, with the score, where one is chosen."""
        scores = self.data.run_of(self.judge).scores
        return tuple(
            e
            for e, s in zip(self.data.examples, scores, strict=True)
            if e.interval == self.level and self.score in (None, s)
        )

    @property
    def figure(self) -> Any:
        """The shares by interval over the histogram, as a plain Plotly figure."""
        return views.specificity(self.data, self.judge)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per interval: shares of each score of the chosen judge, see `Specificity.table`."""
        return self.data.table(self.judge)

    def to_code(self) -> str:
        """Python that measures it again, to paste in a cell. Judges other than a corpus's labels are named in words
        only.
        """
        return f"{measured_again(self.data)}sw.SpecificityLab(data)"

    # -- traits ------------------------------------------------------------------------------------------------------

    @traitlets.validate("level")
    def _check_level(self, proposal: Any) -> int:
        if proposal["value"] not in self._levels:
            raise traitlets.TraitError(unknown("level with examples", proposal["value"], self._levels))
        return int(proposal["value"])

    @traitlets.validate("score")
    def _check_score(self, proposal: Any) -> int | None:
        if proposal["value"] not in (None, 0, 1, 2, 3):
            raise traitlets.TraitError(f"a score is 0, 1, 2 or 3, or None for all, not {proposal['value']}")
        return None if proposal["value"] is None else int(proposal["value"])

    @traitlets.validate("judge")
    def _check_judge(self, proposal: Any) -> str:
        names = [run.name for run in self.data.judges]
        if proposal["value"] not in names:
            raise traitlets.TraitError(unknown("judge", proposal["value"], names))
        return str(proposal["value"])

    @traitlets.observe("level")
    def _level_changed(self, change: Any) -> None:
        self._shown = payloads.judged_examples(self.data, change["new"])
        if self.selection is not None:
            self.selection.feature = self.feature

    # -- pictures without a kernel -----------------------------------------------------------------------------------

    def _view(self) -> dict[str, Any]:
        table = {str(level): payloads.judged_examples(self.data, level) for level in self._levels}
        lookup = {"from": "level", "to": "_shown", "packed": export.pack({"table": table})}
        return {**super()._view(), "lookup": lookup}

    def _links(self) -> dict[str, settable.Allowed]:
        return {
            "level": settable.one_of(self._levels),
            "score": settable.one_of((None, 0, 1, 2, 3)),
            "judge": settable.one_of(run.name for run in self.data.judges),
        }

    def _subject(self) -> Subject:
        return Subject.named(self.data)

    def _summary(self) -> dict[str, Any]:
        return {
            "feature": self.data.feature,
            "claim": self.data.claim,
            "judge": self.judge,
            "judged": len(self.data.examples),
        }

    def _fallback(self) -> str:
        head = "".join(f"<th>{said(name)}</th>" for name in ("activation", "judged", "score 3", "2", "1", "0"))
        rows = "".join(
            "<tr>"
            + f"<td>{said('{low:.3g} to {high:.3g}', low=row['low'], high=row['high'])}</td><td>{row['n']}</td>"
            + "".join(f"<td>{row[f's{score}']:.0%}</td>" if row["n"] else "<td></td>" for score in (3, 2, 1, 0))
            + "</tr>"
            for row in self.to_dataframe().to_dict("records")
        )
        title = html.escape(said("{title} (judge: {judge})", title=self._lab["title"], judge=self.judge))
        return (
            f'<p class="tex2jax_ignore mathjax_ignore">{title}</p>'
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )


def measured_again(d: Specificity) -> str:
    """The lines that make `data` anew."""
    others = [run.name for run in d.judges if run.kind not in ("planted", "spans")]
    given = [name for name, there in (("corpus", len(others) < len(d.judges)), ("judges", bool(others))) if there]
    arguments = ["model", "sae", "acts", str(d.feature), repr(d.claim), *(f"{name}={name}" for name in given)]
    arguments += [f"n_intervals={d.n_intervals}", f"per_interval={d.per_interval or 100}", f"seed={d.seed}"]
    return (
        f"{opening_of(d.model_name, d.weights, d.sae_name, corpus=d.corpus)}"
        "acts = sw.feature_activations(model, sae, corpus)\n"
        + (f"judges = ...  # your judges: {', '.join(map(repr, others))}\n" if others else "")
        + "data = sw.specificity(\n"
        + "".join(f"    {argument},\n" for argument in arguments)
        + ")\n"
    )
