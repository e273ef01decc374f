"""The ways to find features behind one function, by the name of the way: what `FeatureSearch` asks."""

from __future__ import annotations

import inspect
from typing import Any

import pandas as pd
from torch import nn

from saewidgets.activations import check_pair
from saewidgets.analysis.judges.explain import Writer, label_of
from saewidgets.analysis.judges.windows import Windows
from saewidgets.analysis.prompts.activations import NO_CORPUS, check_acts
from saewidgets.analysis.search.by_texts import by_attribution, by_classifier
from saewidgets.analysis.search.effects import by_effect, rank_by_effect
from saewidgets.analysis.search.ways import (
    Labels,
    by_concept,
    by_direction,
    by_prompt,
    by_prompts,
    by_text,
    by_token_promoted,
)
from saewidgets.files import unknown
from saewidgets.miniworld import Corpus
from saewidgets.models import Model
from saewidgets.records import DashboardData, FeatureActivations, Passport, Searcher, SteeringScores
from saewidgets.records.arguments import asked, expect, require_features
from saewidgets.sae import SAE

WRITTEN = 20  # features of an answer that a writer names
SHOWN = 12  # windows that it sees of each


def searcher(
    model: Model | nn.Module,
    sae: SAE,
    acts: FeatureActivations | None = None,
    *,
    corpus: Corpus | None = None,
    data: DashboardData | None = None,
    labels: Labels = None,
    scores: SteeringScores | None = None,
    writer: Writer | None = None,
) -> Searcher:
    """What `FeatureSearch` asks: all the ways of `analysis.search` behind one function (see `records.Searcher`).

    Args:
        acts: over a corpus, for densities, maxima and top tokens.
        corpus: labeled text that `acts` are over, for mode "concept".
        data: for mode "text", and for labels.
        labels: what features stand for; before those of `data`.
        scores: from `steering_scores`: two more columns of every result, input_score and output_score, nan for a feature
            that was not scored. A feature with a high output score steers well.
        writer: names what is found and has no label, the first 20 of an answer, by twelve windows of `acts`, once each;
            "(automatic)" stands after such a name, which nobody has tested (`written_label` does). A
            `judges.PlantedWriter(corpus)`, `judges.LanguageWriter(ask)`, or a function.

    Raises ValueError if they do not belong together, or there is a writer and no `acts`.

    Example:
        >>> search = searcher(model, sae, acts, corpus=corpus, data=data)  # doctest: +SKIP
        >>> search("token", token=" Bridge")  # doctest: +SKIP
    """
    check_pair(model, sae, "a searcher")  # a model given as the SAE is said to be one
    return _Searcher(Model.wrap(model), sae, check_acts(sae, acts), corpus, data, labels, scores, writer)


class _Searcher:
    """See `searcher`."""

    def __init__(
        self,
        model: Model,
        sae: SAE,
        acts: FeatureActivations | None,
        corpus: Corpus | None,
        data: DashboardData | None,
        labels: Labels,
        scores: SteeringScores | None,
        writer: Writer | None,
    ) -> None:
        _, site = check_pair(model, sae, "a searcher")
        if data is not None:
            expect(data, DashboardData, "data", "searcher")
        if corpus is not None:
            expect(
                corpus,
                hasattr(corpus, "concepts"),
                "corpus",
                "searcher",
                "give a labeled corpus, such as sw.load_corpus()",
            )
        if data is not None and data.passport.d_sae != sae.config.d_sae:
            raise ValueError(f"the dashboard is of {data.passport.d_sae} features, the SAE has {sae.config.d_sae}")
        if scores is not None:
            expect(scores, SteeringScores, "scores", "searcher", "give sw.analysis.steering_scores(model, sae, acts)")
            require_features(scores.feature, sae.config.d_sae)
            scores.of_sae(sae.name)
        if writer is not None:
            expect(writer, asked(writer), "writer", "searcher", "give one, such as judges.PlantedWriter(corpus)")
            if acts is None:
                raise ValueError(
                    "a writer names features by their activations: give searcher(model, sae, acts, writer=...)"
                )
        known = {} if data is None else {f.feature: f.label for f in data.features.values() if f.label}
        common: dict[str, Any] = {"labels": {**known, **(labels or {})}}
        self._ways: dict[str, Any] = {
            "prompt": lambda **q: by_prompt(model, sae, acts=acts, **common, **q),
            "prompts": lambda **q: by_prompts(model, sae, acts=acts, **common, **q),
            "classifier": lambda **q: by_classifier(model, sae, acts=acts, **common, **q),
            "direction": lambda **q: by_direction(model, sae, acts=acts, **common, **q),
            "token": lambda **q: by_token_promoted(model, sae, acts=acts, **common, **q),
            "attribution": lambda **q: by_attribution(model, sae, acts=acts, **common, **q),
            "effect": lambda **q: by_effect(model, sae, acts=acts, **common, **q),
        }
        if data is not None:
            self._ways["text"] = lambda **q: by_text(data, **q)
        if corpus is not None and acts is not None:
            self._ways["concept"] = lambda **q: by_concept(model, acts, corpus, **common, **q)
        self.modes = tuple(self._ways)
        corpus_name, n_tokens = (NO_CORPUS, 0) if acts is None else (acts.corpus, acts.n_tokens)
        self.passport = Passport(
            site,
            corpus_name,
            n_tokens,
            sae.config.d_sae,
            sae.config.architecture,
            sae.name,
            weights=model.weights,
            sae=sae.digest,
        )
        self.concepts = tuple(corpus.concepts) if "concept" in self._ways and corpus is not None else ()
        self._model, self._acts = model, acts
        self.scores, self.writer = scores, writer
        self._written: dict[int, str] = {}

    def __call__(self, mode: str, **query: Any) -> pd.DataFrame:
        """See `records.Searcher`."""
        if mode not in self._ways:
            missing = {"text": "give searcher(..., data=)", "concept": "give searcher(..., acts, corpus=)"}
            raise ValueError(
                f"mode {mode!r} has nothing to search in: {missing[mode]}"
                if mode in missing
                else unknown("mode", mode, self.modes)
            )
        known = _KEYWORDS[mode]
        for name in query:
            if name not in known:
                raise TypeError(f"mode {mode!r} takes {', '.join(known)}, not {name!r}")
        found: pd.DataFrame = self._ways[mode](**query)
        if self.writer is not None:
            found["label"] = [
                label or (self._automatic(feature) if at < WRITTEN else "")
                for at, (feature, label) in enumerate(zip(found["feature"].tolist(), found["label"], strict=True))
            ]
        if self.scores is None:
            return found
        own = found["feature"].tolist()
        return found.assign(
            input_score=self.scores.column("input", own), output_score=self.scores.column("output", own)
        )

    def _automatic(self, feature: int) -> str:
        """What the writer calls a feature, asked once; "" for one that is never active."""
        if feature not in self._written:
            assert self._acts is not None and self.writer is not None
            windows = Windows(self._model, self._acts, feature)
            shown = windows.spread(SHOWN)
            self._written[feature] = f"{label_of(windows, shown, self.writer)} (automatic)" if shown else ""
        return self._written[feature]

    def waiting(self, seconds: float = 0.0) -> str:
        """See `Steerer.waiting`."""
        return self._model.lock.waiting(seconds)


def _own_keywords(*asks: Any) -> tuple[str, ...]:
    """What a mode takes: the keywords of its function, and of another that it hands them on to, but for those that the
    searcher fills in.
    """
    filled = ("model", "sae", "acts", "labels", "data", "corpus", "options")
    names = (name for ask in asks for name in inspect.signature(ask).parameters if name not in filled)
    return tuple(dict.fromkeys(names))


_ASKED: dict[str, tuple[Any, ...]] = {
    "prompt": (by_prompt,),
    "prompts": (by_prompts,),
    "classifier": (by_classifier,),
    "direction": (by_direction,),
    "token": (by_token_promoted,),
    "attribution": (by_attribution,),
    "effect": (by_effect, rank_by_effect),
    "text": (by_text,),
    "concept": (by_concept,),
}
_KEYWORDS = {mode: _own_keywords(*asks) for mode, asks in _ASKED.items()}
