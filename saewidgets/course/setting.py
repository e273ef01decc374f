"""What several checks compute with: the bundled model, an SAE, and what its features do over the mini-world's corpus."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from saewidgets.analysis.features import feature_activations
from saewidgets.formats import load_sae
from saewidgets.miniworld import Corpus, load_corpus
from saewidgets.models import Model, load_model
from saewidgets.records import FeatureActivations
from saewidgets.sae import SAE

N_DOCUMENTS = 2000  # as in the notebooks: the figures of an answer are those that one reads there


@lru_cache(maxsize=1)
def model() -> Model:
    """The bundled model."""
    return load_model()


@lru_cache(maxsize=2)
def sae(name: str = "miniworld-2048") -> SAE:
    """A bundled SAE."""
    return load_sae(name)


def corpus() -> Corpus:
    """The documents that the notebooks read."""
    return load_corpus(N_DOCUMENTS)


@lru_cache(maxsize=1)
def acts() -> FeatureActivations:
    """What the features of the bundled SAE do over the documents; a bar shows how far it is."""
    return feature_activations(model(), sae(), corpus())


@lru_cache(maxsize=256)
def read(text: str, sae_name: str = "miniworld-2048") -> np.ndarray:
    """float32 [pos, d_sae]: the activations on one text, its beginning-of-text token left out."""
    x = model().activations(model().tokens(text), hook_of(sae_name))
    found: np.ndarray = sae(sae_name).encode(x).detach().cpu().numpy()[0, 1:]
    return found


def hook_of(sae_name: str) -> str:
    """Where a bundled SAE reads."""
    site = sae(sae_name).config.site
    assert site is not None  # each of them says so
    return site.hook_name
