"""What a doctor found when an SAE met a model."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass

import pandas as pd

from saewidgets.records.tables import frame


@dataclass(frozen=True)
class Trial:
    """One way of reading the SAE's inputs, and how well the SAE does on them."""

    change: str  # what differs from the way it was read, "" for nothing
    hook_name: str
    fvu: float  # fraction of variance unexplained, about the mean of the inputs so read
    l0: float  # mean number of active features a token
    loss_recovered: float = float("nan")  # 1: splicing it in costs the model nothing; nan where it was not measured


@dataclass(frozen=True)
class Finding:
    """One question that the doctor asked."""

    topic: str  # "hook", "BOS", "scale", ...
    fits: bool | None  # None: it could not be told
    sentence: str  # what was found, with its values
    action: str = ""  # what to type next, "" where there is nothing to do


@dataclass(frozen=True)
class Diagnosis:
    """Whether an SAE and a model belong together, and what to do if not. Printed, it is the verdict in sentences."""

    model_name: str
    sae_name: str
    hook_name: str
    n_tokens: int  # that were run; special tokens not counted
    findings: tuple[Finding, ...]
    trials: tuple[Trial, ...]  # the first is the way it was read

    @property
    def fits(self) -> bool:
        """Whether nothing was found that does not fit."""
        return all(f.fits is not False for f in self.findings)

    @property
    def wrong(self) -> tuple[str, ...]:
        """The topics that do not fit."""
        return tuple(f.topic for f in self.findings if f.fits is False)

    def sentence(self) -> str:
        """The verdict in one line, as it stands in passports."""
        if not self.fits:
            return "does not fit the model: " + " ".join(f.sentence for f in self.findings if f.fits is False)
        if not self.trials:
            return "fit to the model not measured"
        own = self.trials[0]
        return f"fit to the model checked on {self.n_tokens:,} tokens: FVU {own.fvu:.3f}, L0 {own.l0:.3g}"

    def to_dataframe(self) -> pd.DataFrame:
        """One row a trial: change, hook_name, fvu, l0, loss_recovered."""
        columns = list(Trial.__dataclass_fields__)
        return frame([[getattr(t, c) for c in columns] for t in self.trials], columns=columns)

    def __str__(self) -> str:
        lines = [self._headline()]
        for f in self.findings:
            lines.append(f"  {_MARKS[f.fits]} {f.topic}: {f.sentence}")
            if f.action:
                lines.append(f"      next: {f.action}")
        if len(self.trials) > 1:
            lines.append("  tried:")
            for t in (self.trials[0], *sorted(self.trials[1:], key=lambda t: _last(t.fvu))[:6]):
                recovered = f", loss recovered {t.loss_recovered:.3f}" if math.isfinite(t.loss_recovered) else ""
                lines.append(f"      {t.change or 'as it is'}: FVU {t.fvu:.3f}, L0 {t.l0:.3g}{recovered}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{_MARKS[f.fits]}</td><th style='text-align:left'>{html.escape(f.topic)}</th>"
            f"<td style='text-align:left'>{html.escape(f.sentence)}"
            + (f"<br><code>{html.escape(f.action)}</code>" if f.action else "")
            + "</td></tr>"
            for f in self.findings
        )
        return f"<div class='tex2jax_ignore mathjax_ignore'><b>{html.escape(self._headline())}</b><table>{rows}</table></div>"

    def _headline(self) -> str:
        verdict = "fits" if self.fits else f"does not fit ({', '.join(self.wrong)})"
        return f"{self.sae_name or 'The SAE'} on {self.model_name} at {self.hook_name or 'no site'}: {verdict}"


_MARKS = {True: "✓", False: "✗", None: "?"}


def _last(value: float) -> float:
    return value if math.isfinite(value) else math.inf
