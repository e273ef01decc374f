"""What a person sets in the superposition lab: traits made from the fields of `ToyConfig`, and the configuration they
give.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import traitlets

from saewidgets.analysis.toys import gallery
from saewidgets.files import unknown
from saewidgets.records import ToyRun
from saewidgets.records.toy_config import ACTIVATIONS, RELATIONS, TASKS
from saewidgets.toy import ToyConfig
from saewidgets.widgets._traits import Real, Whole

DENSITIES = (1.0, 0.5, 0.3, 0.2, 0.14, 0.1, 0.07, 0.05)
MOST = 8  # densities side by side
LARGEST = {"n_features": 1000, "n_hidden": 200}
WEIGHTS = 300_000  # of all models together, about: with larger models fewer are tried
CHOICES = {"activation": ACTIVATIONS, "hidden": ACTIVATIONS, "task": TASKS, "relation": RELATIONS}
FIELDS = {field.name: field for field in fields(ToyConfig)}
KINDS = {"int": Whole, "float": Real}


def of_config(name: str, low: float | None = None, high: float | None = None, *, begin: Any = None, about: str) -> Any:
    """The trait of a field of `ToyConfig`: its kind, its choices, and its default unless the lab begins with another."""
    field = FIELDS[name]
    default = field.default if begin is None else begin
    if name in CHOICES:
        return traitlets.Enum(CHOICES[name], default, help=about).tag(sync=True)
    return KINDS[str(field.type)](default, min=low, max=high, help=about).tag(sync=True)


class ToySettings(traitlets.HasTraits):
    """The settings of the superposition lab. A trait refuses what is out of its range, in one sentence."""

    n_features = of_config("n_features", 1, LARGEST["n_features"], begin=5, about="n")
    n_hidden = of_config("n_hidden", 1, LARGEST["n_hidden"], begin=2, about="m")
    densities = traitlets.List(Real(), list(DENSITIES), minlen=1, maxlen=MOST, help="P(x_i != 0), one per model.")
    densities.tag(sync=True)
    importance_decay = Real(0.9, min=0.01, max=1.0, help="Importance of feature i is this to the power i.")
    importance_decay.tag(sync=True)
    relation = of_config("relation", about="Whether the features of a set are on together, or never.")
    set_size = Whole(2, min=1, max=1000, help="Features in each set.").tag(sync=True)
    activation = of_config("activation", about="Of the read-out.")
    hidden = of_config("hidden", about="Of the hidden layer.")
    task = of_config("task", about="Give back x, or compute |x|.")
    l1 = of_config("l1", 0.0, 10.0, about="Weight of |h| in the loss.")
    steps = of_config("steps", 1, 100_000, begin=1000, about="Of training.")
    tries = Whole(16, min=1, max=100, help="Models trained for each density; the best is shown.").tag(sync=True)
    seed = of_config("seed", 0, 2**31 - 1, about="Of the starts and the inputs.")

    @property
    def models_each(self) -> int:
        """Models trained for each density: `tries`, or fewer where they are large."""
        numbers: int = len(self.densities) * self.n_features * self.n_hidden
        return max(1, min(int(self.tries), WEIGHTS // numbers))

    @property
    def config(self) -> dict[str, Any]:
        """The settings as the fields of `ToyConfig`; `models_each` instances for each density, those of one density
        together.
        """
        n, size = self.n_features, min(self.set_size, self.n_features)
        tied = self.relation != "independent"
        most = 1 / size if self.relation == "anticorrelated" else 1.0  # of a set at most one feature is on
        given = {
            **{name: getattr(self, name) for name in SETTINGS},
            "n_instances": len(self.densities) * self.models_each,
            "feature_probability": [[min(p, most)] for p in self.densities for _ in range(self.models_each)],
            "importance": [self.importance_decay**i for i in range(n)],
            "sets": tuple(tuple(range(i, i + size)) for i in range(0, n - size + 1, size)) if tied else (),
            "batch_size": 256,
            "lr": 1e-2,
            "schedule": "cosine",
            "snapshots": 40,
        }
        return {name: given[name] for name in FIELDS if name in given}

    def to_code(self) -> str:
        """Python that trains these models again and shows them, to paste in a cell."""
        densities = [row[0] for row in self.config["feature_probability"][:: self.models_each]]
        written = {name: repr(value) for name, value in self.config.items()} | {
            "feature_probability": f"np.repeat({densities!r}, {self.models_each})[:, None]",
            "importance": f"{self.importance_decay!r} ** np.arange({self.n_features})",
        }
        arguments = "\n".join(f"    {name}={value}," for name, value in written.items())
        return (
            "import numpy as np\nimport saewidgets as sw\n\n"
            f"config = sw.ToyConfig(\n{arguments}\n)\nsw.SuperpositionLab(run=sw.train_toy(config).run())"
        )

    @traitlets.validate("densities")
    def _check_densities(self, proposal: Any) -> list[float]:
        for p in proposal["value"]:
            if not 0 < p <= 1:
                raise traitlets.TraitError(
                    f"a density is the share of inputs in which a feature is on, above 0 to 1, not {p}"
                )
        return list(proposal["value"])


SETTINGS = tuple(ToySettings.class_trait_names(sync=True))


def check_names(settings: dict[str, Any]) -> None:
    """TypeError, with the nearest names, for a keyword that is no setting."""
    for name in settings:
        if name not in SETTINGS:
            raise TypeError(unknown("setting", name, (*SETTINGS, "run", "train")))


def settings_of(run: ToyRun) -> dict[str, Any]:
    """The settings that come closest to a recorded run."""
    best = gallery.chosen(run, gallery.spread(run.best, MOST))
    first, second = (float(x) for x in (*best.importance[0, :2], best.importance[0, 0])[:2])
    decay = min(1.0, max(0.01, round(second / first, 4))) if first > 0 and math.isfinite(second) else 1.0
    return {
        "n_features": min(run.n_features, LARGEST["n_features"]),
        "n_hidden": min(run.n_hidden, LARGEST["n_hidden"]),
        "densities": np.clip(best.feature_probability.mean(1), 1e-3, 1).round(4).tolist(),
        "importance_decay": decay,
        "set_size": len(run.sets[0]) if run.sets else 2,
        **{name: getattr(run, name) for name in CHOICES},
    }


def settings_of_config(config: ToyConfig) -> dict[str, Any]:
    """The settings that come closest to a configuration."""
    best = config.probabilities
    _, first = np.unique(np.concatenate([best, config.importances], axis=1), axis=0, return_index=True)
    rows = np.sort(first)
    p, importance = best[rows], config.importances[0]
    return {
        "n_features": config.n_features,
        "n_hidden": config.n_hidden,
        "densities": np.clip(p.mean(1), 1e-3, 1).round(4).tolist()[:MOST],
        "importance_decay": round(float(importance[1] / importance[0]), 4),
        "set_size": len(config.sets[0]) if config.sets else 2,
        "l1": config.l1,
        "steps": config.steps,
        "tries": max(16, min(100, config.n_instances // len(rows))),
        **{name: getattr(config, name) for name in CHOICES},
    }
