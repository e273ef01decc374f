"""What a row of the table is made of, and how the best of many starts is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from toy_models import ranked

from saewidgets.records import ToyRun
from saewidgets.toy import ToyConfig, sample_features

LARGE = 400_000  # inputs behind a loss that decides between models: a run's own is on 16,384 at most


@dataclass(frozen=True)
class Found:
    """What one rerun of a claim gave."""

    text: str
    agrees: bool


@dataclass(frozen=True)
class Claim:
    """One sentence of docs/superposition.md, and what tries it."""

    row: str  # e.g. "M12"
    text: str
    find: Callable[[int], Found]  # from a seed


CLAIMS: list[Claim] = []


def claim(row: str, text: str) -> Callable[[Callable[[int], Found]], Callable[[int], Found]]:
    """Enter a function of a seed as what tries the sentence `text` of `row`."""

    def enter(find: Callable[[int], Found]) -> Callable[[int], Found]:
        CLAIMS.append(Claim(row, text, find))
        return find

    return enter


def losses_of(run: ToyRun, instances: np.ndarray, seed: int, n: int = LARGE) -> np.ndarray:
    """float64 [instance]: expected losses of models of one setting, all on the same n inputs."""
    first = int(instances[0])
    config = ToyConfig(
        run.n_features, run.n_hidden, feature_probability=run.feature_probability[first], task=run.task, sets=run.sets,
        relation=run.relation, seed=seed + 1,
    )  # fmt: skip
    x = sample_features(config, n)[0].numpy()
    target = np.abs(x) if run.task == "absolute" else x
    found = []
    for i in instances:
        h = x @ run.final[i].T
        h = np.maximum(h, 0) if run.hidden == "relu" else h
        out = h @ (run.final[i] if run.decoder is None else run.decoder[-1, i].T) + run.biases[-1, i]
        out = np.maximum(out, 0) if run.activation == "relu" else out
        found.append(np.square(target - out).mean(0, dtype=np.float64) @ run.importance[i])
    return np.array(found)


def best(run: ToyRun, k: int, seed: int, among: int = 20) -> list[np.ndarray]:
    """[cell] of int64 [among]: of each cell's k starts the best by the run's own losses, ordered by `losses_of`."""
    found = []
    for instances in ranked(run, k):
        some = instances[:among]
        found.append(some[np.argsort(losses_of(run, some, seed), kind="stable")])
    return found


def listed(values: object, digits: int = 2) -> str:
    """Numbers in a row, for reading."""
    return ", ".join(f"{float(v):.{digits}f}" for v in np.ravel(np.asarray(values)))


def counted(names: tuple[str, ...]) -> str:
    """Shapes and how many of each: "2 digon, 1 single"."""
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(sorted(names))) or "nothing"
