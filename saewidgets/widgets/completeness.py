"""CompletenessLab: which concepts of a family have a feature, by how frequent they are and how large the SAE is."""

from __future__ import annotations

from typing import Any

import pandas as pd
import traitlets

from saewidgets.files import unknown
from saewidgets.frontend import css, esm, payloads
from saewidgets.frontend.payloads import settable
from saewidgets.records import Completeness, Subject
from saewidgets.records.arguments import expect
from saewidgets.records.code import opening_of
from saewidgets.records.states import CompletenessState
from saewidgets.widgets._base import Instrument, plain_table


class CompletenessLab(Instrument):
    """The share of concepts that have a feature against their frequency, in SAEs of several sizes (Templeton et al.
    2024): a sigmoid for each, the frequency at which half have one beside 1 / (live features), and whether the curves
    become one once frequencies are counted in features. A click on a concept without a feature takes it apart: what is
    active on it, and how well those features tell it together.

    Args:
        data: from `analysis.completeness(model, {"small": sae, "large": other}, corpus)`, or `Completeness.load(path)`.
        sae: whose concepts are listed first; the first SAE by default.
        concept: which is taken apart first; by default the most frequent one without a feature.

    Raises:
        ValueError: a record without a concept, or an SAE or concept that is not there.

    Example:
        >>> lab = CompletenessLab(data, sae="large")  # doctest: +SKIP
        >>> lab.concept = "owl"  # as a click on it  # doctest: +SKIP
        >>> lab.data.together("large", "owl")  # doctest: +SKIP
    """

    _esm = esm("completeness")
    _css = css("completeness")
    _instrument = "completeness"
    _states = CompletenessState
    _carried = ("_lab", "sae", "concept", "_code")

    sae = traitlets.Unicode(help="The SAE whose concepts are listed.").tag(sync=True)
    concept = traitlets.Unicode(help="The concept that is taken apart.").tag(sync=True)
    _lab = traitlets.Dict().tag(sync=True)
    _code = traitlets.Unicode().tag(sync=True)

    def __init__(self, data: Completeness, *, sae: str | None = None, concept: str | None = None) -> None:
        self.data = expect(data, Completeness, "data", "CompletenessLab")
        if not data.concept:
            raise ValueError("there is nothing to show: no concept was looked for")
        if sae is None:
            sae = data.sae[0]
        if sae not in self._names["sae"]:
            raise ValueError(unknown("SAE", sae, self._names["sae"]))
        if concept is None:
            own = [i for i, name in enumerate(data.sae) if name == sae] or [0]
            concept = data.concept[min(own, key=lambda i: (bool(data.has[i]), -data.frequency[i]))]
        if concept not in self._names["concept"]:
            raise ValueError(unknown("concept", concept, self._names["concept"]))
        super().__init__(_lab=payloads.completeness(data), _code=self.to_code(), sae=sae, concept=concept)

    # -- what one asks of it -----------------------------------------------------------------------------------------

    @property
    def figure(self) -> Any:
        """Both charts as a plain Plotly figure."""
        from saewidgets.views import completeness

        return completeness(self.data)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per SAE and concept: see `Completeness.to_dataframe`."""
        return self.data.to_dataframe()

    def to_code(self) -> str:
        """Python that measures it again, to paste in a cell; SAEs are in words where their files are not known."""
        d, concepts = self.data, self._names["concept"]
        return (
            f"{opening_of(d.model_name, d.weights, None, corpus=d.corpus)}"
            f"saes = ...  # your SAEs by name: {', '.join(map(repr, d.saes))}\n"
            f"data = sw.analysis.completeness(model, saes, corpus, {concepts!r}, bound={d.bound!r})\n"
            "sw.CompletenessLab(data)"
        )

    # -- traits ------------------------------------------------------------------------------------------------------

    @property
    def _names(self) -> dict[str, list[str]]:
        """What may be chosen, by trait."""
        return {"sae": list(self.data.saes), "concept": sorted(set(self.data.concept))}

    @traitlets.validate("sae", "concept")
    def _check_name(self, proposal: Any) -> str:
        trait, value = proposal["trait"].name, proposal["value"]
        if value not in self._names[trait]:
            raise traitlets.TraitError(unknown("SAE" if trait == "sae" else trait, value, self._names[trait]))
        return str(value)

    # -- pictures without a kernel -----------------------------------------------------------------------------------

    def _links(self) -> dict[str, settable.Allowed]:
        return {name: settable.one_of(names) for name, names in self._names.items()}

    def _subject(self) -> Subject:
        return Subject(self.data.model_name, saes=self.data.saes, digests=("",) * len(self.data.saes))

    def _summary(self) -> dict[str, Any]:
        return {"sae": self.sae, "concept": self.concept, "saes": list(self.data.saes)}

    def _fallback(self) -> str:
        columns = ("sae", "alive", "n_concepts", "share", "half_at", "threshold")
        return plain_table(self._lab["title"], self.data.summary().reset_index(), columns)
