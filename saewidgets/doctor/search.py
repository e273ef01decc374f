"""From a reading of an SAE's inputs to the one under which it explains most, one change at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from saewidgets.doctor.readings import Bench, Fit, Reading, hook_points, scales
from saewidgets.records import Finding

BETTER = {
    "hook": 0.85,
    "b_dec": 0.85,
    "scale": 0.7,
    "normalization": 0.7,
    "centering": 0.85,
    "BOS": 0.97,
}  # of the FVU before
AT_LEAST = 0.01  # FVU that a change must save besides; a BOS must instead help in 4 of 5 texts
USELESS = 0.9  # FVU from which an SAE says next to nothing about its input
POOR = 0.4  # FVU that few published SAEs have where they belong: .1 to .3 is usual
# Random directions explain a little of everything, somewhere most of all. So an SAE that is useless where it reads is
# told of another place only if that makes it as good as a trained one.
EXPLAINS = 0.5


@dataclass
class Search:
    """From the reading as it is to the best one, one change at a time."""

    bench: Bench
    own: Reading  # what the SAE says
    now: Reading
    fit: Fit

    def __post_init__(self) -> None:
        self.first, self.first_fit = self.now, self.fit
        self.tried: dict[Reading, Fit] = {self.now: self.fit}
        self.steps: list[tuple[str, Reading, Fit, Reading, Fit]] = []  # topic, from, its fit, to, its fit

    def run(self) -> None:
        """At most one change a topic."""
        done: set[str] = set()
        while len(done) < len(BETTER):
            found: list[tuple[float, str, Reading, Fit]] = []
            for topic, reading in self._changes():
                if topic in done:
                    continue
                if reading not in self.tried:
                    self.tried[reading] = self.bench.fit(reading)
                fit = self.tried[reading]
                if self._helps(topic, fit):
                    found.append((fit.fvu, topic, reading, fit))
            if not found:
                break
            _, topic, reading, fit = min(found, key=lambda f: f[0])
            self.steps.append((topic, self.now, self.fit, reading, fit))
            self.now, self.fit = reading, fit
            done.add(topic)
        if "scale" in done and self.steps[-1][0] != "scale":  # it was measured where the SAE does not belong
            for _, value in scales(self.bench.inputs(self.now)):
                reading = replace(self.now, scale=value)
                self.tried[reading] = fit = self.tried.get(reading) or self.bench.fit(reading)
                if fit.fvu < self.fit.fvu:
                    self.now, self.fit = reading, fit

    def _helps(self, topic: str, fit: Fit) -> bool:
        if not fit.fvu < BETTER[topic] * finite(self.fit.fvu):
            return False
        if topic == "BOS":
            return len(fit.by_text) >= 5 and float(np.mean(fit.by_text < self.fit.by_text)) >= 0.8
        return finite(self.fit.fvu) - fit.fvu > AT_LEAST and fit.l0 > 0

    def _changes(self) -> list[tuple[str, Reading]]:
        now, model = self.now, self.bench.model
        out = [("hook", replace(now, hook_name=h)) for h in self.bench.load(hook_points(model, now.hook_name), now.bos)]
        if model.bos_token_id is not None:
            out.append(("BOS", replace(now, bos=not now.bos)))
        out.append(("b_dec", replace(now, subtracts_b_dec=not now.subtracts_b_dec)))
        if now.normalization == "none":
            x = self.bench.inputs(now)
            out += [("scale", replace(now, scale=value)) for _, value in scales(x)]
            out.append(("centering", replace(now, centering="centered")))
            out.append(("centering", replace(now, centering="restored")))
        for normalization in ("none", "layer_norm"):
            if normalization != now.normalization and self.bench.sae.config.d_in > 1:
                out.append(("normalization", replace(now, normalization=normalization, scale=1.0)))
        return [(topic, reading) for topic, reading in out if reading != now]

    @property
    def found(self) -> bool:
        """Whether the best reading explains enough to be told."""
        lost = finite(self.first_fit.fvu) >= POOR or self.first.hook_name != self.own.hook_name
        return finite(self.fit.fvu) < (EXPLAINS if lost else USELESS)

    def findings(self) -> list[Finding]:
        """What fits and what does not, one finding a topic."""
        if not self.found and self.first_fit.fvu < USELESS and self.first == self.own:
            say = f"FVU {self.first_fit.fvu:.3f}, more than an SAE usually leaves; of {len(self.tried) - 1} other ways to read it none explains half."
            return [Finding("fit", None, say, "train the SAE longer, or take one of more active features")]
        if not self.found:
            # Of readings that all explain next to nothing, one explains less than another by chance.
            say = (
                f"FVU {self.first_fit.fvu:.3f} as it is, and {self.fit.fvu:.3f} at the best of {len(self.tried) - 1} other ways to "
                "read it: it is not trained, or was trained on activations of another model."
            )
            return [Finding("fit", False, say, "check the model's name and revision; or train the SAE")]
        out: list[Finding] = []
        if self.own.hook_name and self.own.hook_name != self.first.hook_name:
            say = f"nothing of its width is there; it fits {self.first.hook_name} best (FVU {self.first_fit.fvu:.3f})."
            out.append(Finding("hook", False, say, f"sw.load_sae(..., site=sw.site(model, {self.first.hook_name!r}))"))
        said = {f.topic for f in out}
        for topic, before, fit_before, after, fit_after in self.steps:
            change = f"FVU {fit_before.fvu:.3f}, L0 {fit_before.l0:.3g} as it is; FVU {fit_after.fvu:.3f}, L0 {fit_after.l0:.3g}"
            if topic not in said:
                said.add(topic)
                out.append(_mistake(topic, before, replace(after, scale=self.now.scale), change))
        if not self.own.hook_name:
            hook = self.now.hook_name
            say = (
                f"this SAE does not say where it reads; of what was tried it fits {hook} best (FVU {self.fit.fvu:.3f})."
            )
            out.append(Finding("site", None, say, f"sw.load_sae(..., site=sw.site(model, {hook!r}))"))
        if not out:
            say = f"FVU {self.fit.fvu:.3f}, L0 {self.fit.l0:.3g}; of {len(self.tried) - 1} other ways to read it none is better."
            out.append(Finding("fit", True, say))
        for topic, words in _FINE.items():
            if topic not in said and (topic != "hook" or self.own.hook_name):
                out.append(Finding(topic, True, words.format(self.now)))
        return out


_FINE = {
    "hook": "{0.hook_name} is where it fits best.",
    "BOS": "bos={0.bos} is as it was trained, or makes no difference.",
    "b_dec": "apply_b_dec_to_input={0.subtracts_b_dec} fits.",
    "scale": "scale {0.scale:.4g} fits, or makes no difference.",
    "centering": "the activations' centering fits, or makes no difference.",
}


def _mistake(topic: str, before: Reading, after: Reading, change: str) -> Finding:
    if topic == "hook":
        say = f"it was meant for {after.hook_name}, not {before.hook_name or 'nowhere'}: {change} there."
        return Finding(
            topic, False, say, f"sw.load_sae(..., site=sw.site(model, {after.hook_name!r}, {after.scale:.6g}))"
        )
    if topic == "BOS":
        was = "with" if after.bos else "without"
        say = f"it was trained on texts {was} a beginning-of-text token: {change} {was} one."
        return Finding(topic, False, say, f"model.prepend_bos = {after.bos}")
    if topic == "b_dec":
        verb = "subtracts" if after.subtracts_b_dec else "does not subtract"
        say = f"its encoder {verb} b_dec from its input: {change} so."
        return Finding(topic, False, say, f"SAEConfig(..., apply_b_dec_to_input={after.subtracts_b_dec})")
    if topic == "scale":
        say = f"its input scale is nearer {after.scale:.4g} than {before.scale:.4g}: {change} at that."
        return Finding(topic, False, say, f"sw.site(model, {after.hook_name!r}, scale={after.scale:.6g})")
    if topic == "normalization":
        say = f"it reads inputs under {after.normalization!r}, not {before.normalization!r}: {change} so."
        return Finding(topic, False, say, f"SAEConfig(..., input_normalization={after.normalization!r})")
    if after.centering == "centered":
        say = f"it was trained on centered activations (processed weights), and this model's have a mean: {change} centered."
        return Finding(
            topic,
            False,
            say,
            "load the model with center_writing_weights=True, as HookedTransformer.from_pretrained does",
        )
    say = f"it was trained on activations with a mean (weights as published), and this model's have none: {change} with it put on."
    return Finding(
        topic, False, say, "load the model without processing, as HookedTransformer.from_pretrained_no_processing does"
    )


def finite(value: float) -> float:
    """The value; infinity for nan, so that it loses every comparison."""
    return value if np.isfinite(value) else float("inf")
