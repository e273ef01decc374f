"""What a person sets in the superposition lab: traits made from the fields of `ToyConfig`, and the configuration they
give.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import traitlets

from saewidgets.files import unknown
from saewidgets.records.toy_config import ACTIVATIONS, RELATIONS, TASKS, ToyConfig
from saewidgets.widgets._toy_recipe import MOST, OWN, RANGES, combined, moved_from, starts_within
from saewidgets.widgets._traits import Real, Whole

DENSITIES = (1.0, 0.5, 0.3, 0.2, 0.14, 0.1, 0.07, 0.05)
CHOICES = {"activation": ACTIVATIONS, "hidden": ACTIVATIONS, "task": TASKS, "relation": RELATIONS}
FIELDS = {field.name: field for field in fields(ToyConfig)}
KINDS = {"int": Whole, "float": Real}


def of_config(name: str, *, begin: Any = None, about: str) -> Any:
    """The trait of a field of `ToyConfig`: its kind, its choices, and its default unless the lab begins with another."""
    field = FIELDS[name]
    default = field.default if begin is None else begin
    if name in CHOICES:
        return traitlets.Enum(CHOICES[name], default, help=about).tag(sync=True)
    return within_range(KINDS[str(field.type)], name, default, about)


def within_range(kind: Any, name: str, default: Any, about: str) -> Any:
    """The trait of a number that `RANGES` bounds."""
    low, high = RANGES[name]
    return kind(default, min=low, max=high, help=about).tag(sync=True)


class ToySettings(traitlets.HasTraits):
    """The settings of the superposition lab. A trait refuses what is out of its range, in one sentence."""

    n_features = of_config("n_features", begin=5, about="n")
    n_hidden = of_config("n_hidden", begin=2, about="m")
    densities = traitlets.List(Real(), list(DENSITIES), minlen=1, maxlen=MOST, help="P(x_i != 0), one per model.")
    densities.tag(sync=True)
    importance_decay = within_range(Real, "importance_decay", 0.9, "Importance of feature i is this to the power i.")
    relation = of_config("relation", about="Whether the features of a set are on together, or never.")
    set_size = within_range(Whole, "set_size", 2, "Features in each set.")
    activation = of_config("activation", about="Of the read-out.")
    hidden = of_config("hidden", about="Of the hidden layer.")
    task = of_config("task", about="Give back x, or compute |x|.")
    l1 = of_config("l1", about="Weight of |h| in the loss.")
    steps = of_config("steps", begin=1000, about="Of training.")
    tries = within_range(Whole, "tries", 16, "Models trained for each density; the best is shown.")
    seed = of_config("seed", about="Of the starts and the inputs.")
    recipe = traitlets.Instance(
        ToyConfig, allow_none=True, help="What the settings began with, as of a run; None: nothing but themselves."
    )

    @property
    def models_each(self) -> int:
        """Models trained for each density: `tries`, or fewer where they are large."""
        return starts_within(self.tries, len(self.densities), self.n_features, self.n_hidden)

    @property
    def moved(self) -> set[str]:
        """The settings that are not as the recipe has them; of a lab without a recipe, none."""
        return (
            set() if self.recipe is None else moved_from(self.recipe, {name: getattr(self, name) for name in SETTINGS})
        )

    @property
    def config(self) -> dict[str, Any]:
        """What is trained next, as the fields of `ToyConfig`; the instances of one setting stand together.

        It is the recipe, where there is one, to the last number. A setting that is moved replaces what it stands for,
        and all else stays, also what has no setting (the learning rate, the density of each feature). The densities
        stand for those of all features: where they, the number of features or the sets are moved, each density makes
        one setting in which all features share it.
        """
        recipe = self.recipe
        plain = self._plain()
        return plain if recipe is None else combined(recipe, self.moved, plain, self.tries)

    def _plain(self) -> dict[str, Any]:
        """The fields of `ToyConfig` from the settings alone, `models_each` instances for each density."""
        n, size = self.n_features, min(self.set_size, self.n_features)
        tied = self.relation != "independent"
        most = 1 / size if self.relation == "anticorrelated" else 1.0  # of a set at most one feature is on
        given = {
            **{name: getattr(self, name) for name in SETTINGS},
            "n_instances": len(self.densities) * self.models_each,
            "feature_probability": [[min(p, most)] for p in self.densities for _ in range(self.models_each)],
            "importance": [self.importance_decay**i for i in range(n)],
            "sets": tuple(tuple(range(i, i + size)) for i in range(0, n - size + 1, size)) if tied else (),
            **OWN,
        }
        return {name: given[name] for name in FIELDS if name in given}

    def to_code(self) -> str:
        """Python that trains these models again and shows them, to paste in a cell: the same numbers, bit for bit, where
        the same loop trains them (see `sw.train_toy`).
        """
        return f"{ToyConfig(**self.config).to_code()}\nsw.SuperpositionLab(run=sw.train_toy(config).run())"

    @traitlets.validate("densities")
    def _check_densities(self, proposal: Any) -> list[float]:
        for p in proposal["value"]:
            if not 0 < p <= 1:
                raise traitlets.TraitError(
                    f"a density is the share of inputs in which a feature is on, above 0 to 1, not {p}"
                )
        return list(proposal["value"])


SETTINGS = tuple(ToySettings.class_trait_names(sync=True))  # all but the recipe


def check_names(settings: dict[str, Any]) -> None:
    """TypeError, with the nearest names, for a keyword that is no setting."""
    for name in settings:
        if name not in SETTINGS:
            raise TypeError(unknown("setting", name, (*SETTINGS, "run", "train")))
