"""The one-line door: a model and an SAE in, instruments out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from saewidgets.analysis.prompts.prober import prober
from saewidgets.analysis.setup import N_TEXTS, set_up
from saewidgets.steering import Steerer
from saewidgets.widgets import ClampPanel, FeatureDashboard, FeatureProbe, Selection
from saewidgets.widgets.explorer import Explorer

__all__ = ["explore"]


def explore(
    model: Any,
    sae: Any,
    corpus: Any = None,
    *,
    feature: int | None = None,
    features: Sequence[int] | None = None,
    prompt: str | None = None,
    text: str | None = None,
    labels: Mapping[int, str] | None = None,
    n_texts: int = N_TEXTS,
    progress: bool = True,
) -> Explorer:
    """A clamp panel, a dashboard and a probe of one model and one SAE, under each other, sharing one selection.

    What a feature does is measured over a corpus, with a bar; a feature's record is made once it is looked at.

    Args:
        model: a `Model`, a HookedTransformer, a TransformerBridge or a transformers model.
        sae: of one of its sites.
        corpus: what maxima, densities and examples are of, see `feature_activations`. By default a short one: documents
            of the mini-world, and a few paragraphs of ordinary English for every model but the bundled one.
        feature: the one to begin with; by default one with a measured clamp, or the strongest of those that are rare.
        features: which features the dashboard has; all that fire by default.
        prompt: that the panel continues; by default the first of the model's own, see `Steerer.examples`.
        text: that the probe reads; by default the strongest example of `feature`.
        labels: {feature: what it stands for}, where known.
        n_texts: documents of the short corpus.
        progress: show bars, where a part of it takes more than half a second.

    Raises:
        TypeError: for what is no model, or no SAE.
        ValueError: if the SAE is of another model or site, or `feature` does not fire on the corpus.

    Example:
        >>> import saewidgets as sw
        >>> sw.explore(sw.load_model(), sw.load_sae())  # doctest: +SKIP
        >>> sw.explore(model, sae, my_texts, feature=31)  # doctest: +SKIP
    """
    steer_of = Steerer(model, sae)  # refuses what does not belong together, before the corpus is read
    if not steer_of.model.has_tokenizer:
        raise ValueError(
            f"explore needs a model that reads text, and {steer_of.model.name} has no tokenizer: give token rows to "
            "sw.feature_activations(model, sae, rows), and its result to sw.dashboard_data and sw.FeatureDashboard"
        )
    ready = set_up(steer_of.model, sae, corpus, features=features, labels=labels, n_texts=n_texts, progress=progress)
    selection = Selection()
    board = FeatureDashboard(ready.data, feature=ready.feature if feature is None else feature, selection=selection)
    if text is None:
        text = ready.model.written([i for i in board.shown.top[0].token_ids if i not in ready.model.special_token_ids])
    panel = ClampPanel(
        steer_of,
        ready.data,
        features=[board.feature],
        prompt=prompt,
        windows=ready.windows,
        selection=selection,
    )
    probe = FeatureProbe(
        prober(ready.model, sae, ready.acts, labels=ready.labels), text, dashboard=ready.data, selection=selection
    )
    return Explorer(panel, board, probe, n_texts=n_texts if corpus is None else None)
