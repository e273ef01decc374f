"""DirectionsLab: whether relations between words are directions, in the embedding and in the middle of a model."""

from __future__ import annotations

from typing import Any

import pandas as pd
import traitlets

from saewidgets.files import unknown
from saewidgets.frontend import css, esm, payloads
from saewidgets.frontend.payloads import settable
from saewidgets.records import DirectionsData, Subject
from saewidgets.records.arguments import expect
from saewidgets.records.code import opening_of
from saewidgets.records.directions import OWN_QUESTIONS
from saewidgets.records.states import DirectionsState
from saewidgets.widgets._base import Instrument, plain_table


class DirectionsLab(Instrument):
    """Analogies between words against their baselines, the pairs of a relation in the plane, and what their mean offset
    is made of.

    "a is to b as c is to" is answered by the word nearest to b - a + c. The table sets that beside what the same
    vectors answer with a, b and c among the candidates, what the nearest neighbor of c answers with no offset at all,
    and what chance would: an accuracy alone says little.

    Args:
        data: from `analysis.directions.directions(model, sae=sae)`, or `DirectionsData.load(path)`.
        space: the hook point to begin with; the first one by default.
        relation: the relation to begin with; the first one by default.

    Raises:
        ValueError: a space or relation that is not there.

    Example:
        >>> lab = DirectionsLab(data, relation="gender")  # doctest: +SKIP
        >>> lab.to_dataframe()[["space", "relation", "accuracy", "neighbor"]]  # doctest: +SKIP
    """

    _esm = esm("directions")
    _css = css("directions")
    _instrument = "directions"
    _states = DirectionsState
    _carried = ("_lab", "space", "relation", "_code")

    space = traitlets.Unicode(help="The hook point whose vectors are shown.").tag(sync=True)
    relation = traitlets.Unicode(help="The relation that is shown.").tag(sync=True)
    _lab = traitlets.Dict().tag(sync=True)
    _code = traitlets.Unicode().tag(sync=True)

    def __init__(self, data: DirectionsData, *, space: str | None = None, relation: str | None = None) -> None:
        self.data = expect(data, DirectionsData, "data", "DirectionsLab")
        space = data.spaces[0].name if space is None else space
        relation = data.spaces[0].relations[0].name if relation is None else relation
        for name, given in (("space", space), ("relation", relation)):
            if given not in self._names[name]:
                raise ValueError(unknown(name, given, self._names[name]))
        super().__init__(_lab=payloads.directions(data), _code=self.to_code(), space=space, relation=relation)

    # -- what one asks of it -----------------------------------------------------------------------------------------

    def to_dataframe(self) -> pd.DataFrame:
        """One row per space and relation: see `DirectionsData.to_dataframe`."""
        return self.data.to_dataframe()

    def to_code(self) -> str:
        """Python that measures it again, to paste in a cell. A question set that is not the package's own is named as a
        file to be read.
        """
        d = self.data
        sae = next((space.sae_name for space in d.spaces if space.sae_name), "")
        own = d.questions == OWN_QUESTIONS
        read = "" if own else f"questions = sw.analysis.directions.read_analogies({d.questions + '.txt'!r})\n"
        names = [space.name for space in d.spaces]
        lines = ["    model,\n", *([] if own else ["    questions,\n"]), *(["    sae=sae,\n"] if sae else [])]
        lines += [f"    hook_names={names!r},\n", *([f"    template={d.template!r},\n"] if d.template != "{}" else [])]
        opening = opening_of(d.model_name, d.weights, sae or None)
        return f"{opening}{read}data = sw.analysis.directions.directions(\n{''.join(lines)})\nsw.DirectionsLab(data)"

    # -- traits ------------------------------------------------------------------------------------------------------

    @property
    def _names(self) -> dict[str, list[str]]:
        """What may be chosen, by trait."""
        spaces = self.data.spaces
        return {"space": [s.name for s in spaces], "relation": [r.name for r in spaces[0].relations]}

    @traitlets.validate("space", "relation")
    def _check_name(self, proposal: Any) -> str:
        trait, value = proposal["trait"].name, proposal["value"]
        if value not in self._names[trait]:
            raise traitlets.TraitError(unknown(trait, value, self._names[trait]))
        return str(value)

    # -- pictures without a kernel -----------------------------------------------------------------------------------

    def _links(self) -> dict[str, settable.Allowed]:
        return {name: settable.one_of(names) for name, names in self._names.items()}

    def _subject(self) -> Subject:
        return Subject(self.data.model_name)

    def _summary(self) -> dict[str, Any]:
        return {"space": self.space, "relation": self.relation, "questions": self.data.n_questions}

    def _fallback(self) -> str:
        columns = ("space", "relation", "n", "accuracy", "inputs_kept", "neighbor", "chance", "parallel")
        return plain_table(self._lab["title"], self.to_dataframe(), columns)
