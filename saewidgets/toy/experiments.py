"""The experiments of *Toy Models of Superposition* and of three papers that followed, as configurations to change at will."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from saewidgets.files import unknown
from saewidgets.records import ToyConfig
from saewidgets.records.arguments import whole


@dataclass(frozen=True)
class Experiment:
    """One experiment: what it asks, what the paper found, and the numbers to train it with."""

    name: str  # e.g. "M12"
    title: str
    part: str  # of the paper: what the experiment is about, as one of few headings
    look_for: str  # one sentence: where in the pictures the answer is seen
    question: str  # to think about before looking
    outcome: str  # what comes out; where the paper reports something else, it says so
    config: ToyConfig


def experiment(name: str, *, starts: int | None = None, **changes: Any) -> ToyConfig:
    """The configuration of an experiment of the paper, by its short name; `changes` replace fields of `ToyConfig`.

    Which of several stable solutions a model finds is chance, so a setting is trained from several starts, which stand
    together among the instances; `ToyRun.best` has the best of each setting.

    Args:
        name: such as "M0", see `experiments`.
        starts: models of each setting; None: as many as the experiment has, or those of `n_instances` where that is
            changed.

    Raises ValueError with the nearest names if there is none, and for what `ToyConfig` refuses.

    Example:
        >>> config = experiment("M0", steps=100)  # three densities, eight starts each
        >>> config.n_features, config.n_hidden, config.n_instances
        (5, 2, 24)
        >>> experiment("M0", starts=2).feature_probability
        ((1.0,), (1.0,), (0.2,), (0.2,), (0.1,), (0.1,))
    """
    table = _table()
    if name not in table:
        raise ValueError(unknown("experiment", name, table))
    row = table[name]
    if starts is None:
        starts = 1 if "n_instances" in changes else int(row.get("starts", 1))
    return _repeated(ToyConfig(**{**_fields(row["config"]), **changes}), whole(starts, "starts", minimum=1))


def experiments() -> dict[str, Experiment]:
    """All of them, by short name, in the paper's order.

    Example:
        >>> experiments()["M12"].config.relation
        'anticorrelated'
    """
    return {
        name: Experiment(
            name, row["title"], row["part"], row["look_for"], row["question"], row["outcome"], experiment(name)
        )
        for name, row in _table().items()
    }


@cache
def _table() -> dict[str, Any]:
    text = resources.files("saewidgets.toy").joinpath("experiments.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    """Fields of a `ToyConfig`, where a mapping of importance stands for a geometric series over the features."""
    out = dict(row)
    if isinstance(out.get("importance"), dict):
        out["importance"] = (float(out["importance"]["decay"]) ** np.arange(out["n_features"])).tolist()
    if "sets" in out:
        out["sets"] = tuple(map(tuple, out["sets"]))
    return out


def _repeated(config: ToyConfig, times: int) -> ToyConfig:
    """Each instance several times in a row."""
    rows: dict[str, Any] = {}
    for name, axes in (("feature_probability", 2), ("importance", 2), ("data_size", 1)):
        values = getattr(config, name)
        if np.ndim(values) == axes and len(values) > 1:
            rows[name] = tuple(row for row in values for _ in range(times))
    return replace(config, n_instances=config.n_instances * times, **rows)
