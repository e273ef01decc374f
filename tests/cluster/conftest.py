"""A cache of activations on disk, from which jobs start quickly: no language model is loaded."""

from __future__ import annotations

import numpy as np
import pytest

from saewidgets.activations import ActivationStore
from saewidgets.activations.cache import write_cache
from saewidgets.records import ActivationSite
from saewidgets.sae import SAE, SAEConfig

D = 12
SITE = ActivationSite("none", "blocks.0.hook_resid_pre", D)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """120 documents of 9 tokens, activations of 12 numbers."""
    folder = tmp_path_factory.mktemp("activations") / "cache"
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(120 * 9, D)).astype(np.float32) + 1
    tokens = rng.integers(0, 50, (120, 9)).astype(np.int32)
    write_cache(
        folder,
        np.split(rows, 120),
        sizes=[9] * 120,
        tokens=tokens,
        wanted=np.ones_like(tokens, bool),
        start=np.arange(120) * 9,
        site=SITE,
        dtype="float32",
    )
    return folder


@pytest.fixture
def store(cache):
    return ActivationStore.from_disk(cache, batch_size=64, buffer_tokens=400, seed=3)


@pytest.fixture
def sae():
    return SAE(SAEConfig(D, 48, "topk", k=4, seed=3))
