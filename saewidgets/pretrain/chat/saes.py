"""The SAEs: a sweep over layers, widths and sparsity on a million tokens each, and the best of it on more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saewidgets.files import unknown, write_json
from saewidgets.pretrain.chat.activations import FOLDER, load_activations, shuffled
from saewidgets.sae import SAE, SAEConfig
from saewidgets.training import TrainConfig, train

SAES = "saes"
DONE = "DONE"  # one line per finished SAE: name, path, FVU on chat and prose that were held out, L0, dead share
BATCH = 2048
KINDS = ("chat", "prose")


@dataclass(frozen=True)
class Recipe:
    """How one SAE is trained.

    Attributes:
        layer: whose output it reads.
        d_sae, k: its features, and how many of them are active per token.
        tokens: that it sees, repeats included.
        architecture: "topk" or "batchtopk".
        prefixes: sizes of nested dictionaries, d_sae last; () is a flat one.
        kinds: the activations that it is trained on, "chat" and "prose".
    """

    layer: int
    d_sae: int
    k: int
    tokens: int = 1_000_000
    architecture: str = "topk"
    prefixes: tuple[int, ...] = ()
    kinds: tuple[str, ...] = KINDS
    lr: float = 1e-3
    seed: int = 0

    @property
    def name(self) -> str:
        """Such as "smollm2-12-8192-k32-1M"."""
        kind = "" if self.architecture == "topk" else f"-{self.architecture}"
        nested = "-nested" if self.prefixes else ""
        only = "" if self.kinds == KINDS else f"-{'-'.join(self.kinds)}"
        amount = f"{self.tokens / 1e6:g}M" if self.tokens >= 100_000 else str(self.tokens)
        return f"smollm2-{self.layer}-{self.d_sae}-k{self.k}{kind}{nested}{only}-{amount}"


# First the two that the trial found good; then what differs from them in one thing at a time.
SWEEP: tuple[Recipe, ...] = (
    Recipe(12, 8192, 32),
    Recipe(12, 2048, 32),
    Recipe(12, 4096, 32),
    Recipe(12, 8192, 16),
    Recipe(12, 8192, 64),
    Recipe(12, 2048, 16),
    Recipe(12, 2048, 64),
    Recipe(15, 8192, 32),
    Recipe(15, 2048, 32),
    Recipe(9, 8192, 32),
    Recipe(9, 2048, 32),
    Recipe(12, 4096, 32, architecture="batchtopk"),
    Recipe(12, 4096, 32, prefixes=(512, 2048, 4096)),
    Recipe(12, 8192, 32, kinds=("chat",)),
    Recipe(12, 16384, 32),
)


def recipe_of(name: str, tokens: int | None = None) -> Recipe:
    """The recipe of the sweep with this name, for another number of tokens if one is given.

    Raises ValueError for another name, with the nearest.
    """
    known = {recipe.name: recipe for recipe in SWEEP}
    if name not in known:
        raise ValueError(unknown("SAE of the sweep", name, known))
    return known[name] if tokens is None else Recipe(**{**asdict(known[name]), "tokens": tokens})


def make_saes(folder: Path, recipes: list[Recipe]) -> list[Path]:
    """Train each SAE that is not there yet into `folder`/saes/<name>, and give their paths.

    Beside the SAE stands figures.json; one line of `folder`/saes/DONE says that it is whole.
    """
    held: dict[int, dict[str, Tensor]] = {}
    loaded: tuple[tuple[Any, ...], Any] | None = None  # the activations of the SAE before: two are too much for memory
    paths = []
    for recipe in recipes:
        path = folder / SAES / recipe.name
        paths.append(path)
        if (path / "figures.json").exists():
            continue
        key = (recipe.layer, recipe.kinds)
        if loaded is None or loaded[0] != key:
            loaded = None
            loaded = key, load_activations(folder / FOLDER, recipe.layer, recipe.kinds)
        if recipe.layer not in held:
            held = {recipe.layer: held_out(folder, recipe.layer)}
        where, x = loaded[1]
        began = time.process_time()
        sae, dead = trained(recipe, where, x)
        seconds = time.process_time() - began
        sae.save(path, dtype="float16")
        found = {
            "recipe": asdict(recipe),
            "distinct_tokens": len(x),
            "training_cpu_seconds": round(seconds, 1),
            "dead": dead,
        }
        finish(path, found, held[recipe.layer])
    return paths


def held_out(run: Path, layer: int) -> dict[str, Tensor]:
    """{kind: activations [token, d_in] at a layer} that no SAE was trained on."""
    return {kind: load_activations(run / FOLDER, layer, [f"held-{kind}"])[1] for kind in KINDS}


def finish(path: Path, found: Mapping[str, Any], held: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
    """Write figures.json beside a saved SAE, and its line into DONE: what was `found`, with "dead" in it, and how it
    reconstructs what was held out, which is given back.
    """
    sae = SAE.load(path)
    measured = {kind: reconstruction(sae, rows) for kind, rows in held.items()}
    write_json(path / "figures.json", {**found, **measured}, indent=1)
    line = [f"{measured[kind]['fvu']:.4f}" for kind in KINDS]
    line += [f"{measured['chat']['l0']:.1f}", f"{found['dead']:.4f}"]
    with (path.parent / DONE).open("a", encoding="utf-8") as file:
        file.write("\t".join([path.name, str(path), *line]) + "\n")
    return measured


def trained(recipe: Recipe, where: Any, x: Tensor) -> tuple[SAE, float]:
    """An SAE trained on activations x [token, d_in], and the share of its features that are dead at the end."""
    config = SAEConfig(
        where.d_in, recipe.d_sae, architecture=recipe.architecture, k=recipe.k, site=where, seed=recipe.seed
    )
    sae = SAE(config, name=recipe.name)
    steps = max(1, recipe.tokens // BATCH)
    settings = TrainConfig(steps=steps, lr=recipe.lr, prefixes=recipe.prefixes, precision="bf16")
    dead = 0.0
    for step in train(sae, shuffled(x, min(BATCH, len(x)), recipe.seed), settings):
        dead = step.dead
        if step.step % 250 == 0 or step.step == steps:
            print(f"{recipe.name}: step {step.step}/{steps}  fvu {step.fvu:.4f}  dead {step.dead:.4f}", flush=True)
    return sae, dead


@torch.no_grad()
def reconstruction(sae: SAE, x: Tensor) -> dict[str, float]:
    """How an SAE reconstructs activations x [token, d_in]: FVU about their mean, L0, and the share of features that
    are silent on all of them.
    """
    middle = x.double().mean(0)
    lost = total = active = 0.0
    fired = torch.zeros(sae.config.d_sae, dtype=torch.bool)
    for part in x.split(BATCH):
        part = part.float()
        a = sae.encode(part)
        lost += float((sae.decode(a, part) - part).square().sum(dtype=torch.float64))
        total += float((part.double() - middle).square().sum())
        active += float((a > 0).sum())
        fired |= (a > 0).any(0)
    return {"tokens": len(x), "fvu": lost / total, "l0": active / len(x), "silent": float((~fired).double().mean())}
