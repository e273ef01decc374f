"""What the finished SAEs are worth in the model: loss recovered and KL on texts that were held out, in two precisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.activations.cache import Cache
from saewidgets.analysis.quality import quality
from saewidgets.chat import MODEL
from saewidgets.doctor import diagnose
from saewidgets.files import read_json, write_json
from saewidgets.models import Model, load_model, padded_rows
from saewidgets.pretrain.chat.activations import FOLDER
from saewidgets.sae import SAE

DTYPES = ("bfloat16", "float32")
SHOWN = ("n_tokens", "fvu", "l0", "loss_clean", "loss_spliced", "loss_ablated", "kl_spliced", "kl_ablated")


def make_figures(folder: Path, paths: Sequence[Path], n_texts: int) -> None:
    """Add "model" to the figures.json of each SAE: by precision of the weights, what `quality` measures on held-out
    chat and prose, and what the doctor says.
    """
    for dtype in DTYPES:
        model = load_model(MODEL, dtype=dtype)
        for path in paths:
            sae = SAE.load(path)
            assert sae.config.site is not None
            layer = folder / FOLDER / sae.config.site.hook_name.split(".")[1]
            held = {kind: held_rows(layer, kind, n_texts) for kind in ("chat", "prose")}
            found = read_json(path / "figures.json")
            found.setdefault("model", {})[dtype] = measured(model, sae, held)
            write_json(path / "figures.json", found, indent=1)
            print(path.name, dtype, found["model"][dtype], flush=True)


def held_rows(layer: Path, kind: str, n: int) -> np.ndarray:
    """The first `n` rows of tokens of one kind that were held out, int32 [row, pos], padded with -1."""
    parts = [Cache(path, verify=False).tokens for path in sorted(layer.glob(f"held-{kind}-[0-9]*"))]
    return padded_rows([row[row >= 0] for part in parts for row in part][:n])


def measured(model: Model, sae: SAE, held: dict[str, np.ndarray]) -> dict[str, Any]:
    """`quality` of each kind of rows, with the loss recovered, and the doctor's verdict on the rows of chat."""
    found: dict[str, Any] = {"weights": model.quantization}
    for kind, rows in held.items():
        own = quality(model, sae, rows, progress=False)
        shown = {name: round(float(value), 5) for name, value in asdict(own).items() if name in SHOWN}
        found[kind] = {**shown, "loss_recovered": round(own.loss_recovered, 4)}
    verdict = diagnose(model, sae, held["chat"], progress=False)
    found["doctor"] = {"fits": verdict.fits, "says": verdict.sentence()}
    return found
