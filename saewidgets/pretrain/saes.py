"""The bundled SAEs: one stream of activations, three sizes, trained by this project's own trainer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from saewidgets.activations import corpus_rows, harvest
from saewidgets.analysis.quality import quality
from saewidgets.miniworld import load_corpus
from saewidgets.models import Model, load_model, site
from saewidgets.sae import SAE, SAEConfig
from saewidgets.training import TrainConfig, train

TRAIN_SEED = 2  # the corpus that SAEs are trained on; seed 1, `load_corpus`'s default, is never trained on


@dataclass(frozen=True)
class SAESettings:
    """How one SAE is trained."""

    d_sae: int
    prefixes: tuple[int, ...]  # nested dictionaries; (d_sae,) is a flat one
    k: int
    steps: int
    hook_name: str = "blocks.2.hook_resid_post"  # the middle of 6 layers
    batch_size: int = 2048
    lr: float = 2e-3
    seed: int = 0


# The two larger ones are nested, and tell most concepts apart. The small one is flat and sparse: each of its features carries
# all of a concept instead of sharing it with a broader one, which makes it the better one to clamp for many concepts.
BUNDLED = (
    SAESettings(512, (512,), k=12, steps=2500),
    SAESettings(2048, (128, 512, 2048), k=24, steps=2500),
    SAESettings(8192, (128, 512, 2048, 8192), k=24, steps=1000),
)
DOCUMENTS = 24_000  # of the corpus that they are trained on


def activations_of_corpus(model: Model, hook_name: str, documents: int) -> Tensor:
    """Every counted activation [token, d_in] of a training corpus, in memory."""
    rows, counted = corpus_rows(model, load_corpus(documents, TRAIN_SEED))
    return torch.cat([acts for _, _, acts in harvest(model, hook_name, rows, counted)])


def shuffled(activations: Tensor, batch_size: int, seed: int) -> Iterator[Tensor]:
    """Endless epochs over activations, each in another order."""
    rng = np.random.default_rng(seed)
    while True:
        order = torch.from_numpy(rng.permutation(len(activations)))
        for part in order.split(batch_size):
            if len(part) == batch_size:
                yield activations[part]


def train_sae(model: Model, activations: Tensor, settings: SAESettings) -> SAE:
    """One TopK SAE; inputs are scaled so that mean |s x|^2 = d_in (S2)."""
    d_in = activations.shape[1]
    scale = float((d_in / activations.double().square().sum(-1).mean()).sqrt())
    where = site(model, settings.hook_name, scale)
    sae = SAE(SAEConfig(d_in, settings.d_sae, architecture="topk", k=settings.k, site=where, seed=settings.seed))
    config = TrainConfig(steps=settings.steps, lr=settings.lr, lr_decay=0.3, prefixes=settings.prefixes)
    for step in train(sae, shuffled(activations, settings.batch_size, settings.seed), config):
        if step.step % 500 == 0:
            print(
                f"{settings.d_sae}: step {step.step}/{settings.steps}  fvu {step.fvu:.4f}  dead {step.dead:.3f}",
                flush=True,
            )
    return sae


def make_saes(folder: Path) -> None:
    """Train and write the bundled SAEs (float16), and print their quality on documents that were not trained on."""
    model = load_model()
    activations = activations_of_corpus(model, BUNDLED[0].hook_name, DOCUMENTS)
    for settings in BUNDLED:
        name = f"miniworld-{settings.d_sae}"
        train_sae(model, activations, settings).save(folder / name, dtype="float16")
        print(name, quality(model, SAE.load(folder / name), load_corpus(1000)), flush=True)
