"""What a feature dashboard shows, as data."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from saewidgets.languages import retold, said
from saewidgets.records.marks import Axes
from saewidgets.records.site import ActivationSite


@dataclass(frozen=True)
class TokenEffect:
    """An effect on the logit of one vocabulary entry."""

    token: str  # display text
    token_id: int
    logit: float  # logit added, mean over the vocabulary subtracted; of a direct effect: for each unit of activation


@dataclass(frozen=True)
class MovedLogits:
    """What a feature does to the next token after one token of an example: clean logits minus those without the
    feature.
    """

    at: int  # index into the `tokens` of its example
    promoted: tuple[TokenEffect, ...]  # raised most first
    suppressed: tuple[TokenEffect, ...]  # lowered most first


@dataclass(frozen=True)
class FeatureExample:
    """A window of text around one activation."""

    tokens: Annotated[tuple[str, ...], Axes("token")]  # display text of each token, in order
    token_ids: Annotated[tuple[int, ...], Axes("token")]
    activations: Annotated[tuple[float, ...], Axes("token")]  # of this feature, SAE units
    peak: int  # index into `tokens` of the activation that the example was chosen for
    context: int  # row of the corpus
    position: int  # column of the corpus at which `tokens[0]` stands
    interval: int = -1  # -1: among the top examples; 0..k-1: from activation interval i, 0 the weakest
    # nats, one per token: its loss where the feature is left out of the whole context, minus its loss as it is. Above 0
    # the feature helps to predict it. None at a first token, which nothing predicts; () where it was not measured
    loss_effects: Annotated[tuple[float | None, ...], Axes("token", or_none=True)] = ()
    moved: tuple[MovedLogits, ...] = ()  # at the tokens where the feature is active; () where it was not measured

    def __post_init__(self) -> None:
        n = len(self.tokens)
        for name, at in (("peak", self.peak), *(("moved", m.at) for m in self.moved)):
            if not 0 <= at < n:
                raise ValueError(f"{name} is at token {at} of an example of {n}")

    @property
    def maximum(self) -> float:
        """The activation at `peak`."""
        return self.activations[self.peak]


@dataclass(frozen=True)
class Histogram:
    """Counts in adjoining bins."""

    edges: Annotated[tuple[float, ...], Axes("bin + 1")]  # ascending
    counts: Annotated[tuple[int, ...], Axes("bin")]

    def __post_init__(self) -> None:
        if any(a > b for a, b in pairwise(self.edges)):
            raise ValueError("the edges do not ascend")
        if any(c < 0 for c in self.counts):
            raise ValueError(f"a count is {min(self.counts)}, below 0")


@dataclass(frozen=True)
class Neighbor:
    """Another feature nearby."""

    feature: int
    cosine: float  # between decoder rows
    encoder_cosine: float | None = None  # between encoder columns


@dataclass(frozen=True)
class Correlation:
    """Another feature that is active at the same tokens, over all counted tokens of the corpus."""

    feature: int
    pearson: float  # of the two activations
    cosine: float  # of the two activations, no mean subtracted
    decoder_cosine: float


@dataclass(frozen=True)
class NeuronLink:
    """A neuron of the MLP of the same layer, beside a feature."""

    layer: int
    neuron: int
    # of what the neuron writes and the feature's decoder row; of the neuron's own axis where the SAE reads neurons
    decoder_cosine: float
    encoder_cosine: float  # the same with the feature's encoder column
    pearson: float | None = None  # of the neuron's activation and the feature's; None where it was not measured
    cosine: float | None = None  # of the two activations, no mean subtracted


@dataclass(frozen=True)
class FeatureData:
    """Everything a dashboard shows of one feature."""

    feature: int
    maximum: float  # largest activation over the corpus, SAE units
    density: float  # share of counted tokens at which it is active
    top: tuple[FeatureExample, ...]  # strongest first, at most one a context
    intervals: tuple[FeatureExample, ...]  # sampled inside equal activation intervals, strongest interval first
    histogram: Histogram  # of the non-zero activations
    promoted: tuple[TokenEffect, ...]  # largest direct logit effect first
    suppressed: tuple[TokenEffect, ...]  # smallest first
    neighbors: tuple[Neighbor, ...]  # nearest decoder direction first
    label: str = ""  # what it stands for, where known: a planted concept, or a person's note
    logit_histogram: Histogram | None = None  # of the direct logit effects on the whole vocabulary
    encoder_neighbors: tuple[Neighbor, ...] = ()  # nearest encoder direction first
    correlated: tuple[Correlation, ...] = ()  # largest Pearson correlation first
    aligned_neurons: tuple[NeuronLink, ...] = ()  # largest |decoder_cosine| first
    correlated_neurons: tuple[NeuronLink, ...] = ()  # largest Pearson correlation first
    neuron_tokens: int = 0  # tokens behind `correlated_neurons`
    # Whether the forward passes were made that loss effects, moved logits and correlated neurons need.
    measured: bool = False


@dataclass(frozen=True)
class Passport:
    """Where the figures of a dashboard come from. Printed on it, and in every export."""

    site: ActivationSite
    corpus: str  # e.g. "miniworld, 4000 documents, seed 1"
    n_tokens: int  # counted tokens behind every density and maximum
    d_sae: int
    architecture: str
    sae_name: str = ""
    fit: str = ""  # what the doctor says of model and SAE, "" where nobody asked
    weights: str = ""  # number format of the model's weights and what they were before, "" for plain float32
    model: str = ""  # name of the model that was run, as on the hub; "": that of the site
    sae: str = ""  # `SAE.digest`; "" in records from before there was one

    @property
    def model_name(self) -> str:
        """The model that was run: by its own name, or, where a record has none, by that of the site."""
        return self.model or self.site.model_name

    def sentence(self) -> str:
        """The passport in one line."""
        name = f"{self.sae_name}: " if self.sae_name else ""
        weights = f", {self.weights}" if self.weights else ""
        bound = ""
        if self.site.max_norm is not None:
            bound = said(", tokens of |x| up to {norm:.4g}", norm=self.site.max_norm)
        return said(
            "{name}{architecture} SAE, {d_sae:,} features, on {model} at {site} (weights {processing}, BOS "
            "{bos}{weights}{bound}); {n:,} tokens of {corpus}{fit}",
            name=name,
            architecture=self.architecture,
            d_sae=self.d_sae,
            model=self.model_name,
            site=self.site.hook_name,
            processing=self.site.weight_processing,
            bos=said("yes") if self.site.prepend_bos else said("no"),
            weights=weights,
            bound=bound,
            n=self.n_tokens,
            corpus=self.corpus,
            fit=said("; ") + retold(self.fit) if self.fit else "",
        )


@dataclass(frozen=True)
class FeatureSummary:
    """What a list says of a feature."""

    feature: int
    label: str
    density: float  # share of counted tokens at which it is active
    maximum: float  # largest activation over the corpus, SAE units
    promoted: tuple[str, ...]  # display texts, largest direct logit effect first

    @classmethod
    def of(cls, data: FeatureData, promoted: int = 5) -> FeatureSummary:
        """The summary of a record, with so many tokens."""
        texts = tuple(effect.token for effect in data.promoted[:promoted])
        return cls(data.feature, data.label, data.density, data.maximum, texts)
