"""DoseResponse: what a strength does to the text, for a clamp and what it is compared with, and the texts to read."""

from __future__ import annotations

import html
import math
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import traitlets

from saewidgets import views
from saewidgets.files import unknown
from saewidgets.frontend import css, esm, payloads
from saewidgets.frontend.payloads import settable
from saewidgets.languages import said
from saewidgets.miniworld import NAME
from saewidgets.records import DoseResponseData, DoseText, Subject
from saewidgets.records.arguments import expect
from saewidgets.records.code import opening_of
from saewidgets.records.dialogues import code_of
from saewidgets.records.states import DoseState
from saewidgets.views.dose_response import DOSE_KINDS, DOSE_MEASURES
from saewidgets.widgets._base import Instrument
from saewidgets.widgets._dose_page import live_page
from saewidgets.widgets._traits import Real, Whole
from saewidgets.widgets.selection import Selection

# kind -> the style sheet's color of it; the others are gray. The symbols are those of the figure.
_COLORS = {
    "clamp": "--saew-c1",
    "add": "--saew-c2",
    "mean_difference": "--saew-c3",
    "random_feature": "--saew-c4",
    "prompt": "--saew-c5",
}


class DoseResponse(Instrument):
    """The dose-response of a feature: concept rate, perplexity, KL, repetition and distinctness against the multiple of
    its maximum, one line for each kind of intervention, 95 % bands over seeds, and the window in which every bound
    holds.

    A point that is chosen, by a click or with the keyboard, shows the texts behind it: a figure alone does not tell
    what the model wrote.

    Args:
        data: a sweep, from `dose_response(...)` or `DoseResponseData.load(path)`.
        kind: the intervention to begin with; the clamp where there is one.
        multiple: the strength to begin with, the nearest that was measured; by default the middle of the window.
        selection: a point that is chosen here selects the sweep's feature in whatever shares it. The chart itself
            stays.
        bounds: concept_rate, repeats or perplexity_ratio, in place of the record's own.

    Raises:
        ValueError: an empty sweep, or a kind or bound that is not there.

    Example:
        >>> chart = DoseResponse(data)  # doctest: +SKIP
        >>> chart.window  # doctest: +SKIP
        (1.2, 1.5)
    """

    _esm = esm("dose_response")
    _css = css("dose_response")
    _instrument = "dose_response"
    _states = DoseState
    _from_page = ("_point",)
    _carried = ("_sweep", "_point", "_shown", "_code")

    feature = Whole(read_only=True, help="The feature that the sweep is of.")
    kind = traitlets.Unicode(help="The intervention whose texts are shown.")
    multiple = Real(0.0, help="The strength whose texts are shown, in multiples of the feature's maximum.")
    _sweep = traitlets.Dict().tag(sync=True)
    _point = traitlets.Unicode().tag(sync=True)
    _shown = traitlets.Dict().tag(sync=True)
    _code = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        data: DoseResponseData,
        *,
        kind: str | None = None,
        multiple: float | None = None,
        selection: Selection | None = None,
        **bounds: float,
    ) -> None:
        expect(data, DoseResponseData, "data", "DoseResponse")
        if not data.texts:
            raise ValueError("there is nothing to show: this dose-response has no texts")
        self.data = data
        self._table = data.summary(**bounds)
        self.bounds = {**data.bounds, **bounds}
        self.window = data.window_of("clamp", **bounds) if "clamp" in data.kinds else None
        self._points = {
            payloads.dose_key(k, m): (str(k), float(m))
            for k, m in zip(self._table["kind"], self._table["multiple"], strict=True)
        }
        first = kind if kind is not None else "clamp" if "clamp" in data.kinds else data.kinds[0]
        if multiple is None:
            multiple = sum(self.window) / 2 if self.window is not None else max(data.multiples(first), key=abs)
        begin = self._nearest(first, multiple)
        super().__init__(
            _sweep=self._described(),
            _code=self.to_code(),
            _shown=payloads.dose_texts(payloads.dose_key(*begin), data.at(*begin)),
            _point=payloads.dose_key(*begin),
            kind=begin[0],
            multiple=begin[1],
        )
        self.set_trait("feature", data.feature)
        self.selection = selection
        if selection is not None and selection.feature is None:
            selection.feature = data.feature

    # -- what one asks of it -----------------------------------------------------------------------------------------

    @property
    def texts(self) -> tuple[DoseText, ...]:
        """The texts of the chosen point, in the order of their seeds."""
        return self.data.at(self.kind, self.multiple)

    @property
    def figure(self) -> go.Figure:
        """The charts as a plain Plotly figure."""
        bounds = {name: value for name, value in self.bounds.items() if value != self.data.bounds[name]}
        return views.dose_response(self.data, **bounds)

    def to_dataframe(self) -> pd.DataFrame:
        """One row a kind and multiple: means over seeds with their intervals, see `DoseResponseData.summary`."""
        return self._table.copy()

    def to_code(self) -> str:
        """Python that measures it again, to paste in a cell. What was looked for by a function is named in words only;
        the examples behind a mean difference are not recorded, so that kind comes again only where `concept` brings its
        own.
        """
        d = self.data
        kinds = tuple(k for k in d.kinds if k != "none")
        others = "random_feature" in kinds  # they are drawn from the features that fire on a corpus
        kept = tuple(k for k in kinds if k != "mean_difference" or d.model_name in ("", NAME))
        given = {
            "maximum": d.maximum,
            "prompt": d.prompt,
            "concept": d.concept or None,
            "kinds": kept,
            "multiples": self._swept(),
            "seeds": tuple(dict.fromkeys(t.seed for t in d.texts)),
            "n_tokens": d.n_tokens,
            "temperature": d.temperature,
            "scope": d.scope,
            **({"steering_prompt": d.steering_prompt} if d.steering_prompt else {}),
        }
        lines = [f"    {name}={code_of(value)},\n" for name, value in given.items()] + (
            ["    acts=acts,\n"] if others else []
        )
        return (
            f"{opening_of(d.model_name, d.weights, d.sae_name, corpus=d.corpus if others else None)}"
            + ("acts = sw.feature_activations(model, sae, corpus)\n" if others else "")
            + f"data = sw.dose_response(\n    model,\n    sae,\n    {d.feature},\n{''.join(lines)})\nsw.DoseResponse(data)"
        )

    # -- traits ------------------------------------------------------------------------------------------------------

    def _nearest(self, kind: str, multiple: float) -> tuple[str, float]:
        steps = self.data.multiples(kind)  # refuses a kind that is not there
        if not math.isfinite(multiple):
            raise ValueError(f"a multiple must be a finite number, not {multiple}")
        return kind, min(steps, key=lambda m: (abs(m - multiple), m))

    @traitlets.validate("kind")
    def _check_kind(self, proposal: Any) -> str:
        if proposal["value"] not in self.data.kinds:
            raise traitlets.TraitError(unknown("kind", proposal["value"], self.data.kinds))
        return str(proposal["value"])

    @traitlets.validate("multiple")
    def _check_multiple(self, proposal: Any) -> float:
        if not math.isfinite(proposal["value"]):
            raise traitlets.TraitError(f"a multiple must be a finite number, not {proposal['value']}")
        return float(proposal["value"])

    @traitlets.validate("_point")
    def _check_point(self, proposal: Any) -> str:
        if proposal["value"] not in self._points:
            raise traitlets.TraitError(unknown("point", proposal["value"], self._points))
        return str(proposal["value"])

    @traitlets.observe("_point")
    def _point_changed(self, change: Any) -> None:
        self.kind, self.multiple = self._points[change["new"]]
        self._shown = payloads.dose_texts(change["new"], self.texts)
        if self.selection is not None:
            self.selection.feature = self.feature

    @traitlets.observe("kind", "multiple")
    def _chosen(self, change: Any) -> None:
        self._point = payloads.dose_key(*self._nearest(self.kind, self.multiple))

    def _swept(self) -> tuple[float, ...]:
        swept = (
            "clamp" if "clamp" in self.data.kinds else max(self.data.kinds, key=lambda k: len(self.data.multiples(k)))
        )
        return tuple(self.data.multiples(swept))

    def _described(self) -> dict[str, Any]:
        """The fixed part: everything but the texts."""
        d = self.data
        label = f" {d.label}" if d.label else ""
        sought = said(", looking for {concept}", concept=d.concept.replace("_", " ")) if d.concept else ""
        where = said(" at {site}", site=d.hook_name) if d.hook_name else ""
        return {
            "title": said("Dose-response of #{feature}{label}", feature=d.feature, label=label),
            "note": said(
                "{n:,} texts of at most {n_tokens} tokens at temperature {temperature:g}{sought}; maximum "
                "{maximum:.4g}{corpus}; {sae}{where}",
                n=len(d.texts),
                n_tokens=d.n_tokens,
                temperature=d.temperature,
                sought=sought,
                maximum=d.maximum,
                corpus=said(" over {corpus}", corpus=d.corpus) if d.corpus else "",
                sae=d.sae_name or "SAE",
                where=where,
            ),
            "prompt": payloads.spoken(d.prompt),
            "window": None if self.window is None else [payloads.number(m) for m in self.window],
            "bounds": {name: payloads.number(value) for name, value in self.bounds.items()},
            "points": payloads.dose_points(self._table),
            "kinds": {
                k: {
                    "name": said(DOSE_KINDS[k][0]) if k in DOSE_KINDS else k,
                    "color": _COLORS.get(k, "--firm"),
                    "symbol": DOSE_KINDS[k][2] if k in DOSE_KINDS else "circle",
                }
                for k in d.kinds
            },
            "measures": [
                {
                    "column": column,
                    "name": said(name),
                    "log": log,
                    "share": share,
                    "bound": payloads.number(self.bounds[column]) if column in self.bounds else None,
                }
                for column, (name, log, share) in DOSE_MEASURES.items()
            ],
        }

    # -- pictures without a kernel -----------------------------------------------------------------------------------

    def to_html(self, path: str | Path | None = None, *, live: bool = False, steer: Any = None) -> str:
        """This chart as one self-contained page, without a kernel and without a network; written to `path` if given.

        With `live`, the page carries the model and the SAE, as numbers of 16 bits, and writes texts that the sweep does
        not hold: a strength between the measured ones, another seed, the text with nothing done beside it, after the
        same prompt, with the same scope, temperature and length. Their kinds are "clamp", "add", "prompt" and "none";
        what the others did (a mean difference, a random feature, noise) is not in the record.

        Args:
            live: carry the model.
            steer: with `live`, what wrote the sweep: `Steerer(model, sae)`.

        Raises:
            TypeError: `live` without `steer`, one that has no model, or `steer` without `live`.
            ValueError: a `steer` of another model, SAE or site than the sweep's, an SAE without its feature, or a model
                that a page cannot carry, see `ClampPanel.to_html`.

        Example:
            >>> sw.DoseResponse(data).to_html("dose.html", live=True, steer=sw.Steerer(model, sae))  # doctest: +SKIP
        """
        if steer is not None and not live:
            raise TypeError("steer is carried by a live page only: to_html(path, live=True, steer=steer)")
        return live_page(self, steer, path) if live else super().to_html(path)

    def _view(self) -> dict[str, Any]:
        table = {key: payloads.dose_texts(key, self.data.at(*point)) for key, point in self._points.items()}
        return {**super()._view(), "lookup": {"from": "_point", "to": "_shown", "table": table}}

    def _links(self) -> dict[str, settable.Allowed]:
        return {"_point": settable.one_of(self._points)}

    def _subject(self) -> Subject:
        return Subject.named(self.data)

    def _summary(self) -> dict[str, Any]:
        return {
            "feature": self.data.feature,
            "kind": self.kind,
            "multiple": self.multiple,
            "texts": len(self.data.texts),
        }

    def _fallback(self) -> str:
        shown = self._table[self._table["kind"].isin(["none", "clamp", "prompt"])]
        head = "".join(
            f"<th>{said(name)}</th>" for name in ("kind", "multiple", "concept", "perplexity ratio", "KL", "repeats")
        )
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td>{html.escape(cell)}</td>"
                for cell in (
                    str(r["kind"]),
                    f"{r['multiple']:g}",
                    f"{r['concept_rate']:.0%}",
                    f"{r['perplexity_ratio']:.3g}",
                    f"{r['kl']:.3g}",
                    f"{r['repeats']}",
                )
            )
            + "</tr>"
            for r in shown.to_dict("records")
        )
        title = html.escape(self._sweep["title"])
        return (
            f'<p class="tex2jax_ignore mathjax_ignore">{title}</p>'
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )
