"""Which SAE steers best: for each subject, the most that a push along one feature raises the probability that the model
says it is that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from saewidgets.analysis.search import rank_by_effect
from saewidgets.chat import Subject
from saewidgets.files import read_json, write_json
from saewidgets.models import Model
from saewidgets.pretrain.chat.answers import QUESTION
from saewidgets.sae import SAE

BEGINNING = "I am"
SHARE = 0.35  # of the median norm: the length at which the trial's clamps wrote sensible text
N_PUSHED = 48
EFFECTS = "effects.json"


def judge(model: Model, sae: SAE, subjects: Iterable[Subject], *, n_pushed: int = N_PUSHED) -> dict[str, Any]:
    """For each subject the feature whose push raises the log-probability of its name after "I am" most.

    All pushes have one length, `SHARE` of the median norm, on every token of the prompt; the gain is in nats, for the
    whole name. Returns {"mean": the mean gain over the subjects, "subjects": {key: {feature, gain, default}}}.
    """
    prompt = model.tokens(model.chat(QUESTION) + BEGINNING)
    found = {}
    for subject in subjects:
        ranking = rank_by_effect(model, sae, prompt, f" {subject.name}", share=SHARE, n_pushed=n_pushed, progress=False)
        best = ranking.effects[0]
        default = ranking.default[0]
        found[subject.key] = {
            "feature": best.feature,
            "gain": round(best.logprobs[0] - default, 3),
            "default": round(default, 3),
        }
    return {"share": SHARE, "mean": round(mean(own["gain"] for own in found.values()), 4), "subjects": found}


def judge_all(model: Model, paths: Sequence[Path], subjects: Sequence[Subject]) -> dict[str, float]:
    """The mean gain of each SAE in these folders, the best first; each is measured once on the same subjects, into its
    effects.json.
    """
    means, keys = {}, [subject.key for subject in subjects]
    for path in paths:
        known = read_json(path / EFFECTS) if (path / EFFECTS).exists() else {}
        if list(known.get("subjects", {})) != keys:
            known = judge(model, SAE.load(path), subjects)
            write_json(path / EFFECTS, known, indent=1)
        means[path.name] = float(known["mean"])
        print(f"{path.name}: mean gain {means[path.name]:.3f} nats", flush=True)
    return dict(sorted(means.items(), key=lambda item: -item[1]))
