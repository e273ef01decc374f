"""A model, its SAE, and what its features do over a corpus, in one call: what every instrument begins with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

import saewidgets.chat as chat
from saewidgets.activations import check_pair
from saewidgets.analysis.features import dashboard_data, feature_activations
from saewidgets.analysis.quality import concept_scores
from saewidgets.bars import muted
from saewidgets.doctor.examination import default_texts
from saewidgets.files import unknown
from saewidgets.formats import load_sae
from saewidgets.miniworld import NAME, Corpus, load_clamps, load_corpus, own_corpus
from saewidgets.models import Model, load_model
from saewidgets.models.prompts import Prompts
from saewidgets.records import ChatClamp, ChatClamps, DashboardData, FeatureActivations, MeasuredClamp, MeasuredClamps
from saewidgets.records.arguments import whole
from saewidgets.sae import SAE

N_TEXTS = 400  # of the short corpus that is read where none is given: about two seconds with the bundled model
TELLS = 0.95  # AUROC from which a feature is labeled with a planted concept
RARE = 0.01  # share of tokens: a feature that is active at more is seldom about one thing
CARRIED = 60  # texts that come with the chat model's SAE, read when it is opened
OFFERED = 0.25  # share of the measured answers that say "it is me"


@dataclass(frozen=True, eq=False)
class Setup:
    """A model, an SAE, and what the SAE's features do over a corpus. `load_demo` gives the bundled ones.

    Example:
        >>> demo = load_demo()  # doctest: +SKIP
        >>> bridge = demo.clamps["golden_gate_bridge"].feature  # doctest: +SKIP
        >>> sw.ClampPanel(sw.Steerer(demo.model, demo.sae), demo.data, features=[bridge],
        ...               prompt=demo.clamps.prompt, windows=demo.windows)  # doctest: +SKIP
    """

    model: Model
    sae: SAE
    corpus: Any  # what was read: a labeled `Corpus` of the mini-world, texts, or token rows
    acts: FeatureActivations  # of every feature over `corpus`
    data: DashboardData  # the records of the features that fired, with labels where they are known
    labels: Mapping[int, str]  # {feature: what it stands for}: planted concepts and labels that were given
    # the measured clamps of the bundled SAEs, of whatever SAE this is; see `windows` and `presets`
    clamps: MeasuredClamps | ChatClamps

    @property
    def windows(self) -> dict[int, tuple[float, float]]:
        """{feature: (lowest, highest multiple)} between which the clamp of a feature of this SAE was measured to work,
        in multiples of the maxima of `data`; {} for an SAE that is not bundled. Of a chat model one multiple was
        measured, so lowest and highest are the same.
        """
        found: dict[int, tuple[float, float]] = {}
        for entry in self._own().values():
            here = float(self.acts.maximum[entry.feature])  # over this corpus; the measured one is over another
            if isinstance(entry, ChatClamp):
                values = [entry.value] * 2 if entry.steerable and not entry.others else []
            else:
                values = [multiple * entry.maximum for multiple in entry.window]
            if values and here > 0 and entry.feature not in found:
                low, high = (round(value / here, 4) for value in values)
                found[entry.feature] = (low, high)
        return found

    @property
    def presets(self) -> dict[str, dict[int, float]]:
        """{what the model then speaks as: {feature: multiple of its maximum in `data`}}, the measured clamps of this
        SAE as `ClampPanel` takes them; {} for an SAE that is not bundled. A subject whose features never fire over this
        corpus is left out, and a chat model's where less than a quarter of the measured answers say "it is me".
        """
        found: dict[str, dict[int, float]] = {}
        for entry in self._own().values():
            if isinstance(entry, ChatClamp) and entry.is_it < OFFERED:
                continue
            if all(self.acts.maximum[feature] > 0 for feature in entry.values):
                own = {f: round(v / float(self.acts.maximum[f]), 4) for f, v in entry.values.items()}
                several = f"{len(own)} features" if len(own) > 1 else "one feature"
                found[f"{entry.label} ({several})" if entry.label in found else entry.label] = own
        return found

    def _own(self) -> Mapping[str, MeasuredClamp | ChatClamp]:
        """The measured clamps of this SAE; none where it is another model's."""
        return self.clamps.of(self.sae.name) if self.clamps is _measured(self.model) else {}

    @property
    def feature(self) -> int:
        """A feature worth looking at first: that of the first measured clamp, or the strongest of those that are rare.

        Of features in `data` that fire at five tokens or more and at less than 1 % of them, the one of largest maximum;
        of all of them where there is none of that kind.
        """
        known = np.array(sorted(self.data.features))
        for feature in self.windows:
            if feature in self.data.features:
                return feature
        density = self.acts.density[known]
        rare = known[(density * self.acts.n_tokens >= 5) & (density < RARE)]
        among = rare if len(rare) else known
        return int(among[self.acts.maximum[among].argmax()])

    def __repr__(self) -> str:
        return (
            f"Setup({self.model.name!r}, {self.sae.name or 'SAE'!r}, {len(self.data.features):,} features over "
            f"{self.acts.n_tokens:,} tokens of {self.data.passport.corpus})"
        )


def load_demo(name: str = NAME) -> Setup:
    """A model, its bundled SAE, texts, and what the features do over them.

    Args:
        name: "miniworld", the bundled model: its SAE of 2,048 features and its labeled corpus; offline, about ten
            seconds. "smollm2", a real chat model, in bfloat16: its bundled SAE, and texts that it wrote itself; offline
            once the model is fetched, which `load_model` does.

    Raises ValueError on another name; LoadError where the chat model cannot be had.

    Example:
        >>> demo = load_demo()  # doctest: +SKIP
        >>> demo.data[demo.clamps["golden_gate_bridge"].feature].label  # doctest: +SKIP
        'golden gate bridge'
    """
    if name == NAME:
        return set_up(load_model(), load_sae(), load_corpus())
    if name != chat.MODEL:
        raise ValueError(unknown("demo", name, (NAME, chat.MODEL)))
    sae = load_sae(chat.load_clamps().sae)  # refuses before the model is fetched
    return set_up(load_model(chat.MODEL, dtype=chat.DTYPE), sae)


def set_up(
    model: Model | nn.Module,
    sae: SAE,
    corpus: Any = None,
    *,
    features: Sequence[int] | None = None,
    labels: Mapping[int, str] | None = None,
    n_texts: int = N_TEXTS,
    progress: bool = True,
) -> Setup:
    """Read a corpus with a model and its SAE, and make the features' records; a feature's own record is made when it is
    asked for.

    Args:
        model, sae: that belong together.
        corpus: see `feature_activations`. None: `short_corpus(model, n_texts)`.
        features: which features the records hold; all that fire by default.
        labels: {feature: what it stands for}. They come before the planted concepts, which are known for the
            mini-world's corpus.
        n_texts: of the short corpus.
        progress: show bars, where a part of it takes more than half a second.

    Raises ValueError if the model does not have the SAE's site, TypeError on what is no model or no SAE.
    """
    model, _ = check_pair(model, sae, "to explore features", reconstructs=True)
    n_texts = whole(n_texts, "n_texts", minimum=1)
    corpus = short_corpus(model, n_texts) if corpus is None else corpus
    with muted(not progress):
        acts = feature_activations(model, sae, corpus)
        clamps = _measured(model)
        known = planted_labels(acts, corpus) if isinstance(corpus, Corpus) and model.name == NAME else {}
        known |= (clamps.of(sae.name).labels if clamps else {}) | dict(labels or {})
        data = dashboard_data(model, sae, acts, features, labels=known)
    return Setup(model, sae, corpus, acts, data, known, clamps or load_clamps())


def short_corpus(model: Model, n_texts: int = N_TEXTS) -> Any:
    """Texts to read where none were given: documents of the mini-world, labeled for its own model, and for the chat
    model with a bundled SAE texts that it wrote itself. For another model they are plain texts, after a few paragraphs
    of ordinary English; one without a tokenizer writes its own token rows.

    Example:
        >>> short_corpus(load_model("gpt2"))[0]  # doctest: +SKIP
        'The harbor was quiet in the early morning, ...'
    """
    own = own_corpus(model.name, n_texts)
    if own is not None:
        return own
    if model.name == chat.MODEL_NAME and chat.TEXTS_FILE.is_file():
        first = told_first(chat.load_texts(), list(_measured(model) or ()))
        return in_chat_form(model, first[: min(n_texts, CARRIED)])
    texts = default_texts(model)
    return [*texts, *load_corpus(n_texts).texts] if model.has_tokenizer else texts


def told_first(texts: Iterable[chat.OwnText], clamped: Sequence[str]) -> list[chat.OwnText]:
    """Texts in the order in which they are worth reading, which takes a real model a while: the first about each
    subject that has a measured clamp, in the clamps' order, then the second about each, and so on; then the others.
    """
    place = {key: i for i, key in enumerate(clamped)}
    seen: Counter[str] = Counter()
    order: list[tuple[tuple[bool, int, int], chat.OwnText]] = []
    for text in texts:
        order.append(((text.subject not in place, seen[text.subject], place.get(text.subject, 0)), text))
        seen[text.subject] += 1
    return [text for _, text in sorted(order, key=lambda own: own[0])]


def planted_labels(acts: FeatureActivations, corpus: Corpus) -> dict[int, str]:
    """{feature: the concepts that it tells}: those of which it is the best feature, at an AUROC above 0.95."""
    scores = concept_scores(acts, corpus).set_index("concept")
    told = scores.loc[scores["auroc"] > TELLS, "feature"]
    return {
        int(feature): ", ".join(concept.replace("_", " ") for concept in group.index)
        for feature, group in told.groupby(told)
    }


def in_chat_form(model: Model, texts: Sequence[chat.OwnText]) -> list[str]:
    """Texts that the chat model wrote itself, each after what it was asked, in its chat form."""
    prompts = Prompts(model)
    return [prompts.text(text.user, text.system) + text.answer for text in texts]


def _measured(model: Model) -> MeasuredClamps | ChatClamps | None:
    """The measured clamps of the bundled SAEs of a model; None where it has none."""
    if model.name == NAME:
        return load_clamps()
    return chat.load_clamps() if model.name == chat.MODEL_NAME and chat.CLAMPS_FILE.is_file() else None
