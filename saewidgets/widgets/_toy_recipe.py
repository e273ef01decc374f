"""The recipe that the superposition lab began with, as of a run: the settings that show it, what is trained when some of
them are moved, and what is said of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import fields
from typing import Any

import numpy as np

from saewidgets.analysis.toys import gallery
from saewidgets.languages import said, to_say
from saewidgets.records import ToyConfig, ToyRun

MOST = 8  # densities side by side
WEIGHTS = 300_000  # of all models together, about: with larger models fewer are tried
RANGES = {
    **{"n_features": (1, 1000), "n_hidden": (1, 200), "steps": (1, 100_000), "tries": (1, 100), "seed": (0, 2**31 - 1)},
    **{"l1": (0.0, 10.0), "importance_decay": (0.01, 1.0), "set_size": (1, 1000)},
}
# What the lab trains with where nobody says otherwise.
OWN: dict[str, Any] = {"batch_size": 256, "lr": 1e-2, "schedule": "cosine", "snapshots": 40}
# Field of a configuration -> the settings that it is made of, where they are not the one of its name.
MADE_OF = {"sets": {"relation", "set_size", "n_features"}, "importance": {"importance_decay", "n_features"}}
DENSITIES = {"densities", "n_features", "relation", "set_size"}  # what the densities of the features are made of
# Fields that have words of their own in `said_of`, or none there.
SAID = {
    *(
        "lr",
        "schedule",
        "batch_size",
        "adversarial",
        "snapshots",
        "spacing",
        "device",
        "feature_probability",
        "importance",
    ),
    *("n_instances", "sets", "data_size", "data_seed"),
}


def recipe_for(run: ToyRun) -> ToyConfig | None:
    """What trained a run; where nobody recorded that, what is known of it, the rest as the lab has it. None where no
    configuration trains such models.
    """
    if run.recipe is not None:
        return run.recipe
    names = ("activation", "hidden", "task", "sets", "relation")
    known: dict[str, Any] = {**OWN, **{name: getattr(run, name) for name in names}}
    try:
        return ToyConfig(
            n_features=run.n_features,
            n_hidden=run.n_hidden,
            n_instances=run.n_instances,
            feature_probability=plain_values(run.feature_probability),
            importance=plain_values(run.importance),
            steps=max(1, int(run.steps[-1])),
            **known,
        )
    except ValueError:
        return None


def plain_values(values: np.ndarray) -> Any:
    """float32 [instance, n_features] as a number, a row or a column where it is one; as few digits as tell them apart."""
    if (values == values[:, :1]).all():
        values = values[:, :1]
    if (values == values[:1]).all():
        values = values[0]
    flat = [float(str(x)) for x in values.astype(np.float32).ravel()]
    return flat[0] if len(flat) == 1 else np.reshape(flat, values.shape).tolist()


def clipped(name: str, value: Any) -> Any:
    """A value within what the setting of this name can be."""
    low, high = RANGES[name]
    return type(low)(min(max(value, low), high))


def settings_of(recipe: ToyConfig) -> dict[str, Any]:
    """The settings that come closest to a recipe."""
    group = recipe.setting_of
    firsts = np.unique(group, return_index=True)[1]
    p = recipe.probabilities[gallery.spread(firsts, MOST)].mean(1, dtype=np.float64)
    importance = recipe.importances[0].astype(np.float64)
    decay = importance[1] / importance[0] if len(importance) > 1 and importance[0] > 0 else 1.0
    return {
        "n_features": clipped("n_features", recipe.n_features),
        "n_hidden": clipped("n_hidden", recipe.n_hidden),
        "densities": np.clip(p, 1e-3, 1).round(4).tolist(),
        "importance_decay": clipped("importance_decay", round(float(decay), 4)),
        "set_size": clipped("set_size", len(recipe.sets[0]) if recipe.sets else 2),
        "l1": clipped("l1", recipe.l1),
        "steps": clipped("steps", recipe.steps),
        "tries": clipped("tries", starts_of(recipe)),
        "seed": clipped("seed", recipe.seed),
        **{name: getattr(recipe, name) for name in ("relation", "activation", "hidden", "task")},
    }


def starts_of(recipe: ToyConfig) -> int:
    """Models of each setting, their mean where settings differ in it."""
    return max(1, round(recipe.n_instances / (int(recipe.setting_of.max()) + 1)))


def starts_within(starts: int, settings: int, n_features: int, n_hidden: int) -> int:
    """So many models of each setting, or fewer where they are large."""
    return max(1, min(starts, WEIGHTS // (settings * n_features * n_hidden)))


def moved_from(recipe: ToyConfig, now: Mapping[str, Any]) -> set[str]:
    """The settings that are not as the recipe has them; the size of sets counts where there are any."""
    moved = {name for name, value in settings_of(recipe).items() if now[name] != value}
    return moved - {"set_size"} if now["relation"] == recipe.relation == "independent" else moved


def combined(recipe: ToyConfig, moved: Set[str], plain: Mapping[str, Any], tries: int) -> dict[str, Any]:
    """The recipe with what the moved settings stand for as `plain` has it, and all else as it was.

    Args:
        recipe: what the settings began with.
        moved: the settings that are other than they were.
        plain: the fields of a configuration as the settings alone give them.
        tries: models of each setting, where that was moved.
    """
    out = recipe.to_dict()
    for name in out:
        if moved & MADE_OF.get(name, {name}) and name not in ("feature_probability", "n_instances"):
            out[name] = plain[name]
    many = {name: _rows(out[name]) > 1 for name in ("feature_probability", "importance")}
    if moved & DENSITIES:
        most = 1 / max(map(len, out["sets"])) if out["relation"] == "anticorrelated" else 1.0
        out["n_instances"] = plain["n_instances"]
        out["feature_probability"] = [[min(row[0], most)] for row in plain["feature_probability"]]
        if many["importance"]:  # these went with the settings that there are no longer
            out["importance"] = plain["importance"]
        if isinstance(out["data_size"], list):
            out["data_size"] = max(out["data_size"])
        return out
    group = recipe.setting_of
    settings = int(group.max()) + 1
    each = starts_of(recipe)
    wanted = starts_within(tries if "tries" in moved else each, settings, out["n_features"], out["n_hidden"])
    if "tries" in moved or (wanted < each and moved & {"n_hidden"}):
        kept = np.repeat(np.unique(group, return_index=True)[1], wanted).tolist()
        out["n_instances"] = len(kept)
        for name in (*(name for name, true in many.items() if true), "data_size"):
            out[name] = [out[name][i] for i in kept] if isinstance(out[name], list) else out[name]
    return out


def _rows(values: Any) -> int:
    """Instances that a field says something about, one by one."""
    return len(values) if isinstance(values, list) and values and isinstance(values[0], list) else 1


BY_FEATURE = to_say("one density per feature")
BY_HAND = to_say("importances of their own")
BY_SIZE = to_say("data sets of several sizes")


def lead_of(moved: Set[str], *, recorded: bool) -> str:
    """How what is trained next stands to the run that the lab began with, a sentence without its full stop.

    Args:
        moved: the settings that are other than they were.
        recorded: whether the run kept its recipe, or `recipe_for` put one together.
    """
    if not recorded:
        return said("How this run was trained is not recorded: the lab's own rate, batches and seed stand in")
    if moved:
        names = said(", ").join(sorted(said(name.replace("_", " ")) for name in moved))
        return said("Trained next: the run's recipe, but for {names}", names=names)
    return said("Trained next: the run again, seed and all")


def said_of(lead: str, recipe: ToyConfig, config: ToyConfig) -> str:
    """What a person should know of what is trained next: what no setting shows, and what of the recipe is lost.

    Args:
        lead: a sentence without its full stop to begin with, or nothing.
        recipe: what the settings began with.
        config: what is trained next.
    """
    sentences, hidden = [lead] if lead else [], unseen(config)
    if hidden:
        sentences.append(said("No slider shows: {hidden}", hidden=said("; ").join(hidden)))
    lost = [said(words) for words in (BY_FEATURE, BY_HAND, BY_SIZE)]
    gone = [words for words in unseen(recipe) if words in lost and words not in hidden]
    if gone:
        sentences.append(said("No longer, as a slider was moved: {gone}", gone=said(" and ").join(gone)))
    return "".join(said("{sentence}. ", sentence=sentence) for sentence in sentences).strip()


def unseen(config: ToyConfig) -> list[str]:
    """What a configuration has that the settings cannot show, each in a few words."""
    shown = settings_of(config)
    rate = said("learning rate {rate:g}", rate=config.lr)
    if config.schedule != OWN["schedule"]:
        rate = said("{rate}, {schedule}", rate=rate, schedule=said(config.schedule))
    p, importance = config.values_of("feature_probability"), config.values_of("importance")
    settings, each = int(config.setting_of.max()) + 1, starts_of(config)
    found = [
        (said(BY_FEATURE), (p != p[:, :1]).any()),
        (
            said(BY_HAND),
            not np.allclose(importance, shown["importance_decay"] ** np.arange(config.n_features), rtol=1e-3),
        ),
        (said("{n:,} settings, {shown} of them on the sliders", n=settings, shown=MOST), settings > MOST),
        (said("{n:,} models of each setting", n=each), each > RANGES["tries"][1]),
        (
            rate,
            (config.lr, config.schedule) != (OWN["lr"], OWN["schedule"]),
        ),
        (said("batches of {n:,}", n=config.batch_size), config.batch_size != OWN["batch_size"]),
        (said(BY_SIZE), isinstance(config.data_size, tuple) and len({*config.data_size}) > 1),
        (
            said("a data set of {n:,} inputs, not fresh ones", n=np.max(config.data_size or 0)),
            isinstance(config.data_size, int),
        ),
        (said("an attack of {share:g} of the mean length of x", share=config.adversarial), config.adversarial > 0),
    ]
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name in RANGES:
            found.append((f"{said(field.name.replace('_', ' '))} {value:,}", value != shown[field.name]))
        elif field.name not in SAID | {*shown}:
            found.append((f"{said(field.name.replace('_', ' '))} {value}", value != field.default))
    return [words for words, true in found if true]
