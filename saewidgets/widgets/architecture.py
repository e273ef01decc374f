"""ArchitecturePanel: the two layers of an SAE with live numbers for one token."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import traitlets

from saewidgets.frontend import css, esm, payloads
from saewidgets.frontend.payloads import settable
from saewidgets.languages import said
from saewidgets.records import Subject, TokenParts
from saewidgets.records.arguments import expect
from saewidgets.records.code import opening
from saewidgets.records.states import ArchitectureState
from saewidgets.records.tables import frame
from saewidgets.widgets._base import Instrument
from saewidgets.widgets._traits import Whole
from saewidgets.widgets.selection import Selection

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST = 40  # active features that are listed; the others are counted
CURVE = 200  # points of the curve of pre-activations


class ArchitecturePanel(Instrument):
    """What an SAE does to one token: up to many features, a threshold that leaves few, back down, and what is lost.

        pre = W_enc x + b_enc,  a = ReLU or TopK of pre,  x_hat = sum_f a_f W_dec[f] + offset,  error = x - x_hat

    Choose a token of the text, and follow it from left to right. Every number can be computed in a cell from `parts`. A
    feature that is on is opened by a click in whatever shares the selection.

    Args:
        parts: of `token_parts(model, sae, text)`, or a recording.
        position: the token to begin with; by default the one whose strongest feature is the strongest.
        selection: share the feature with other instruments. One that is silent at this token is marked nowhere.

    Raises:
        ValueError: no tokens, or a position that is not there.

    Example:
        >>> ArchitecturePanel(token_parts(model, sae, "Fog covers the Golden Gate Bridge."))
    """

    _esm = esm("architecture")
    _css = css("architecture")
    _instrument = "architecture"
    _states = ArchitectureState
    _carried = ("position", "feature", "_tokens", "_shown")

    position = Whole(0, help="The token that is looked at.").tag(sync=True)
    feature = Whole(None, allow_none=True, min=0, help="The selected feature.").tag(sync=True)
    _tokens: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _shown = traitlets.Dict().tag(sync=True)

    def __init__(self, parts: TokenParts, *, position: int | None = None, selection: Selection | None = None) -> None:
        expect(parts, TokenParts, "parts", "ArchitecturePanel")
        if not parts.tokens:
            raise ValueError("there is no token to look at: the text is empty")
        self.parts = parts
        if position is None:
            strongest = parts.activations.max(1, initial=0.0)
            strongest[0] = -1 if len(strongest) > 1 else 0  # the first token's activation is unlike all others
            position = int(strongest.argmax())
        position = int(position)
        if not -len(parts.tokens) <= position < len(parts.tokens):
            raise ValueError(f"token {position} is not in this text of {len(parts.tokens)} tokens")
        position %= len(parts.tokens)
        super().__init__(
            position=position,
            _tokens=list(parts.tokens),
            _shown=self._drawn(position),
        )
        self._follow(selection)

    @property
    def data(self) -> TokenParts:
        """The record behind the panel, `parts`."""
        return self.parts

    def to_dataframe(self) -> pd.DataFrame:
        """One row per active feature of the token: feature, label, activation, length of its part, share of the
        reconstruction.

        The share is the part's projection on x_hat - offset, over that one's squared length; shares sum to 1.
        """
        parts, at = self.parts, self.position
        on, pieces = parts.active(at), parts.contributions(at).astype(np.float64)
        whole = pieces.sum(0)
        return frame(
            {
                "feature": parts.features[on],
                "label": [parts.labels[k] for k in on],
                "activation": parts.activations[at, on],
                "length": np.linalg.norm(pieces, axis=1),
                "share": pieces @ whole / max(float(whole @ whole), 1e-300),
            }
        )

    @property
    def figure(self) -> Figure:
        """The active features of the token as a plain Plotly figure."""
        from saewidgets.views import token_features

        return token_features(self.parts, self.position)

    def to_code(self) -> str:
        """Python that computes these numbers, to paste in a cell."""
        known = self.parts.text or self.parts.passport is not None
        text = repr(self.parts.text) if known else f"...  # your text: {''.join(self.parts.tokens)!r}"
        return (
            f"{opening(self.parts.passport, corpus=False)}"
            f"text = {text}\nparts = sw.token_parts(model, sae, text)\nsw.ArchitecturePanel(parts, position={self.position})"
        )

    def _view(self) -> dict[str, Any]:
        table = {str(i): self._drawn(i) for i in range(len(self.parts.tokens))}
        return {**super()._view(), "lookup": {"from": "position", "to": "_shown", "table": table}}

    def _drawn(self, at: int) -> dict[str, Any]:
        """What the front end draws of a token."""
        parts = self.parts
        on = parts.active(at)
        pre = np.sort(parts.pre[at])[::-1]
        kept = _spread(len(pre))
        error = parts.error[at]
        around = parts.x[at] - parts.offset_at(at)
        lengths = np.linalg.norm(parts.contributions(at), axis=1)
        return {
            "x": _rounded(parts.x[at]),
            "x_hat": _rounded(parts.x_hat[at]),
            "error": _rounded(error),
            "x_length": payloads.number(float(np.linalg.norm(parts.x[at]))),
            "x_hat_length": payloads.number(float(np.linalg.norm(parts.x_hat[at]))),
            "error_length": payloads.number(float(np.linalg.norm(error))),
            "unexplained": payloads.number(float(error @ error) / max(float(around @ around), 1e-300)),
            "mismatch": payloads.number(parts.mismatch(at)),
            "d_sae": len(pre),
            "pre": [[int(k), payloads.number(float(pre[k]))] for k in kept],
            "active": len(on),
            "rows": [
                [
                    int(parts.features[k]),
                    parts.labels[k],
                    payloads.number(float(parts.activations[at, k])),
                    payloads.number(float(length)),
                    list(parts.promoted[k]),
                ]
                for k, length in zip(on[:MOST].tolist(), lengths[:MOST], strict=True)
            ],
        }

    @traitlets.validate("position")
    def _check_position(self, proposal: Any) -> int:
        if not 0 <= proposal["value"] < len(self.parts.tokens):
            raise traitlets.TraitError(
                f"token {proposal['value']} is not in this text: its tokens are 0 to {len(self.parts.tokens) - 1}"
            )
        value: int = proposal["value"]
        return value

    @traitlets.observe("position")
    def _position_changed(self, change: Any) -> None:
        if self._shown:
            self._shown = self._drawn(self.position)

    def _links(self) -> dict[str, settable.Allowed]:
        return {
            "position": settable.whole(0, len(self.parts.tokens) - 1),
            "feature": settable.optional(settable.whole(0, 1 << 31)),
        }

    def _subject(self) -> Subject:
        return Subject.of(self.parts.passport)

    def _summary(self) -> dict[str, Any]:
        return {
            "token": self.parts.tokens[self.position],
            "position": self.position,
            "active": len(self.parts.active(self.position)),
        }

    def _fallback(self) -> str:
        rows = "".join(
            f"<tr><td>#{feature}</td><td>{html.escape(label)}</td><td>{a:.4g}</td><td>{length:.4g}</td></tr>"
            for feature, label, a, length, _ in self.to_dataframe().itertuples(index=False)
        )
        token = html.escape(self.parts.tokens[self.position])
        return (
            f"<p>{said('Token {at}', at=self.position)}, <code>{token}</code></p><table><tr><th>{said('feature')}</th>"
            f"<th>{said('label')}</th><th>{said('activation')}</th><th>{said('length of its part')}</th></tr>{rows}</table>"
        )


def _rounded(values: np.ndarray) -> list[float]:
    """Three significant digits do for a color."""
    return [float(f"{v:.3g}") for v in values.tolist()]


def _spread(count: int) -> np.ndarray:
    """Indices of a sorted curve, dense at its beginning, where the few large values are."""
    if count <= CURVE:
        return np.arange(count)
    return np.unique(np.concatenate([[0], np.geomspace(1, count - 1, CURVE).round().astype(int)]))
