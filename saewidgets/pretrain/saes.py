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
    """What the three SAEs share."""

    hook_name: str = "blocks.2.hook_resid_post"  # the middle of 6 layers
    sizes: tuple[int, ...] = (512, 2048, 8192)
    prefixes: tuple[int, ...] = (128, 512, 2048)  # nested dictionaries, below each size
    k: int = 24
    documents: int = 30_000
    batch_size: int = 2048
    steps: int = 4_000
    lr: float = 2e-3
    seed: int = 0


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


def train_sae(model: Model, activations: Tensor, d_sae: int, settings: SAESettings) -> SAE:
    """One Matryoshka TopK SAE; inputs are scaled so that mean |s x|^2 = d_in (S2)."""
    d_in = activations.shape[1]
    scale = float((d_in / activations.double().square().sum(-1).mean()).sqrt())
    where = site(model, settings.hook_name, scale)
    sae = SAE(SAEConfig(d_in, d_sae, architecture="topk", k=settings.k, site=where, seed=settings.seed))
    prefixes = (*(p for p in settings.prefixes if p < d_sae), d_sae)
    config = TrainConfig(steps=settings.steps, lr=settings.lr, lr_decay=0.3, prefixes=prefixes)
    for step in train(sae, shuffled(activations, settings.batch_size, settings.seed), config):
        if step.step % 500 == 0:
            print(f"{d_sae}: step {step.step}/{settings.steps}  fvu {step.fvu:.4f}  dead {step.dead:.3f}", flush=True)
    return sae


def make_saes(folder: Path, settings: SAESettings | None = None) -> None:
    """Train and write the bundled SAEs (float16), and print their quality on documents that were not trained on."""
    settings = settings or SAESettings()
    model = load_model()
    activations = activations_of_corpus(model, settings.hook_name, settings.documents)
    for d_sae in settings.sizes:
        sae = train_sae(model, activations, d_sae, settings)
        sae.save(folder / f"miniworld-{d_sae}", dtype="float16")
        print(d_sae, quality(model, SAE.load(folder / f"miniworld-{d_sae}"), load_corpus(1000)), flush=True)
