"""The function that `FeatureProbe` asks: a text in, the features on it out, measured as far as one wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from saewidgets.activations import check_pair
from saewidgets.analysis.prompts.activations import check_acts, read_text
from saewidgets.analysis.prompts.attribution import with_attribution, with_losses
from saewidgets.decoder import WeightStamp
from saewidgets.models import Model
from saewidgets.records import Dialogue, FeatureActivations, Prober, PromptActivations
from saewidgets.records.carried import Carried
from saewidgets.records.dialogues import prompt_of
from saewidgets.sae import SAE
from saewidgets.steering.carried import carried


def prober(
    model: Model | nn.Module,
    sae: SAE,
    acts: FeatureActivations | None = None,
    *,
    labels: Mapping[int, str] | None = None,
) -> Prober:
    """What `FeatureProbe` calls with every text: see `records.Prober` for its shape.

    Args:
        model, sae, acts, labels: see `prompt_activations`. They are checked here, once.

    In a long text the ablations of a logit difference stop at a budget, the entries of largest |attribution| first (see
    `attribution.with_attribution`); up to 25 tokens or so all are ablated. `attribution` ablates all of any text.

    A call keeps the last text that it read, so that asking for a target or for losses afterwards reads nothing again,
    unless a weight has changed.

    Raises ValueError if the three do not belong together.

    Example:
        >>> probe = prober(model, sae, acts)
        >>> found = probe("The weather made Ada feel", target=" sad", baseline=" happy")
        >>> found.correlations()
    """
    model, _ = check_pair(model, sae, "a prober")
    return _Prober(model, sae, acts, labels or {})


BUDGET = 1 << 14  # tokens run for one logit difference, about a second on one core


class _Prober:
    """See `prober`. Safe to call from several threads."""

    def __init__(self, model: Model, sae: SAE, acts: FeatureActivations | None, labels: Mapping[int, str]) -> None:
        self.model, self.sae, self.acts, self.labels = model, sae, check_acts(sae, acts), labels
        self._last: tuple[PromptActivations, WeightStamp] | None = None  # the last text, and the weights that read it

    def __call__(
        self,
        text: str | Dialogue | Sequence[Mapping[str, str]],
        *,
        target: str | int = "",
        baseline: str | int = "",
        losses: bool | Sequence[int] = False,
    ) -> PromptActivations:
        """See `records.Prober`."""
        text = prompt_of(text)
        last, weights = self._last, [*self.model.hooked.parameters(), *self.sae.state_dict(keep_vars=True).values()]
        if last is not None and text == (last[0].dialogue or last[0].text) and last[1].holds(weights):
            found = last[0]
        else:
            stamp = WeightStamp(weights)
            found = read_text(self.model, self.sae, text, self.acts, self.labels)
            self._last = found, stamp
        if target != "":
            found = with_attribution(self.model, self.sae, found, target, baseline, budget=BUDGET)
        if losses is not False:
            found = with_losses(self.model, self.sae, found, None if losses is True else losses)
        return found

    def carried(self) -> Carried:
        """The model and the SAE as a page carries them, to read texts without a kernel; see `Steerer.carried`."""
        assert self.sae.config.site is not None  # check_pair has seen it
        return carried(self.model, self.sae, self.sae.config.site.hook_name, range(self.sae.config.d_sae))

    def known(self) -> dict[int, tuple[float, float]]:
        """{feature: (maximum, density)} over the corpus; {} without one."""
        if self.acts is None:
            return {}
        densities = self.acts.density.tolist()
        return {f: (float(m), densities[f]) for f, m in enumerate(self.acts.maximum.tolist())}

    def display(self) -> list[str]:
        """What every token is shown as."""
        return self.model.display(range(self.model.d_vocab))

    def prompt_ids(self, text: str | Dialogue) -> tuple[int, ...]:
        """See `Steerer.prompt_ids`."""
        return tuple(self.model.tokens(text).tolist())

    def waiting(self, seconds: float = 0.0) -> str:
        """See `Steerer.waiting`."""
        return self.model.lock.waiting(seconds)

    def __repr__(self) -> str:
        corpus = self.acts.corpus if self.acts is not None else "no corpus"
        return f"prober({self.model.name}, {self.sae.name or 'SAE'}, {corpus})"
