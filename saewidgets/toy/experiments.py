"""The experiments of *Toy Models of Superposition*, as configurations to change at will."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from saewidgets.files import unknown
from saewidgets.records import ToyConfig


@dataclass(frozen=True)
class Experiment:
    """One experiment: what it asks, what the paper found, and the numbers to train it with."""

    name: str  # e.g. "M12"
    title: str
    part: str  # of the paper: what the experiment is about, as one of few headings
    look_for: str  # one sentence: where in the pictures the answer is seen
    question: str  # to think about before looking
    outcome: str  # what the paper reports
    config: ToyConfig


def experiment(name: str, **changes: Any) -> ToyConfig:
    """The configuration of an experiment of the paper, by its short name; `changes` replace fields of `ToyConfig`.

    Raises ValueError with the nearest names if there is none.

    Example:
        >>> config = experiment("M0", steps=100)
        >>> config.n_features, config.n_hidden, config.n_instances
        (5, 2, 3)
    """
    table = _table()
    if name not in table:
        raise ValueError(unknown("experiment", name, table))
    return ToyConfig(**{**_fields(table[name]["config"]), **changes})


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
