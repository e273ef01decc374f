"""The bundled SAEs: three sizes on the world's own documents, and one on roles, trained by this project's own trainer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from saewidgets.activations import corpus_rows, harvest
from saewidgets.analysis.quality import quality
from saewidgets.miniworld import Corpus, load_corpus
from saewidgets.miniworld.corpus import label, write_documents
from saewidgets.models import Model, load_model, site
from saewidgets.sae import SAE, SAEConfig
from saewidgets.training import TrainConfig, train

TRAIN_SEED = 2  # the corpus that SAEs are trained on; seed 1, `load_corpus`'s default, is never trained on


@dataclass(frozen=True)
class SAESettings:
    """How one SAE is trained."""

    name: str
    d_sae: int
    prefixes: tuple[int, ...]  # nested dictionaries; (d_sae,) is a flat one
    k: int
    steps: int
    roles: bool = False  # trained on `role_corpus`, not on documents as the world writes them
    hook_name: str = "blocks.2.hook_resid_post"  # the middle of 6 layers
    batch_size: int = 2048
    lr: float = 2e-3
    seed: int = 0


# A family of three sizes, the two larger ones nested: they tell most concepts apart. The small one is flat and sparse,
# so that each feature carries all of a concept instead of sharing it with a broader one, which makes it the better one
# to clamp. The fourth goes further that way: flat, sparser, and from documents in which rare subjects speak as often as
# frequent ones.
BUNDLED = (
    SAESettings("miniworld-512", 512, (512,), k=12, steps=2500),
    SAESettings("miniworld-2048", 2048, (128, 512, 2048), k=24, steps=2500),
    SAESettings("miniworld-8192", 8192, (128, 512, 2048, 8192), k=24, steps=1000),
    SAESettings("miniworld-1024-roles", 1024, (1024,), k=8, steps=4000, roles=True),
)
DOCUMENTS = 24_000  # of the corpus that the family is trained on
ROLE_KINDS = frozenset({"persona", "addressed", "monologue"})  # somebody speaks as the subject of the document


def role_corpus(documents: int = 120_000, *, a_subject: int = 300, a_kind: int = 1200) -> Corpus:
    """The first `a_subject` documents in which each subject speaks, and the first `a_kind` of every other kind.

    The world draws its subjects by Zipf's law; here a tennis player speaks as often as the Golden Gate Bridge.
    """
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for document in write_documents(documents, TRAIN_SEED):
        role = document.kind in ROLE_KINDS
        key = ("role", document.subject) if role else ("kind", document.kind)
        seen[key] += 1
        if seen[key] <= (a_subject if role else a_kind):
            kept.append(document)
    return label(kept, name=f"miniworld roles, {len(kept)} documents, seed {TRAIN_SEED}")


def activations_of_corpus(model: Model, hook_name: str, corpus: Corpus) -> Tensor:
    """Every counted activation [token, d_in] of a corpus, in memory."""
    rows, counted = corpus_rows(model, corpus)
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
    """One TopK SAE; inputs are scaled so that mean |s x|^2 = d_in."""
    d_in = activations.shape[1]
    scale = float((d_in / activations.double().square().sum(-1).mean()).sqrt())
    where = site(model, settings.hook_name, scale)
    sae = SAE(SAEConfig(d_in, settings.d_sae, architecture="topk", k=settings.k, site=where, seed=settings.seed))
    config = TrainConfig(steps=settings.steps, lr=settings.lr, lr_decay=0.3, prefixes=settings.prefixes)
    for step in train(sae, shuffled(activations, settings.batch_size, settings.seed), config):
        if step.step % 500 == 0:
            print(
                f"{settings.name}: step {step.step}/{settings.steps}  fvu {step.fvu:.4f}  dead {step.dead:.3f}",
                flush=True,
            )
    return sae


def make_saes(folder: Path, names: Sequence[str] | None = None) -> None:
    """Train and write the bundled SAEs (float16), or those of the given names, and print their quality on held-out
    documents.
    """
    model = load_model()
    chosen = [settings for settings in BUNDLED if names is None or settings.name in names]
    for roles in (False, True):
        group = [settings for settings in chosen if settings.roles == roles]
        if not group:
            continue
        corpus = role_corpus() if roles else load_corpus(DOCUMENTS, TRAIN_SEED)
        activations = activations_of_corpus(model, group[0].hook_name, corpus)
        for settings in group:
            train_sae(model, activations, settings).save(folder / settings.name, dtype="float16")
            measured = quality(model, SAE.load(folder / settings.name), load_corpus(1000))
            print(settings.name, measured, flush=True)
