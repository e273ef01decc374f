"""A value of the wrong kind at any public door: one sentence that names the argument or says what to type, never an
AttributeError.
"""

from __future__ import annotations

import inspect
import re
import warnings

import ipywidgets
import pandas as pd
import pytest
import sample_records
import traitlets

import saewidgets as sw
from saewidgets.analysis import judges
from saewidgets.analysis import quality as wing
from saewidgets.analysis.prompts.attribution import attribution
from saewidgets.analysis.quality.proxy import concept_proxy, log_likelihood_ratio, token_scores
from saewidgets.analysis.quality.scaling import iso_compute, scaling_law
from saewidgets.records import quality_table
from saewidgets.steering import add_feature, mean_difference, noise_like, random_live_feature
from saewidgets.training.sweep import sweep_grid

warnings.simplefilter("ignore")
HOOK = "blocks.0.hook_resid_post"
TEXTS = ["The bridge over the bay is red and the fog is cold.", "The fog"]
PLAIN = {"None": None, "text": "gpt2", "list": [object()], "frame": pd.DataFrame({"a": [1]}), "number": 3.5}

# At the top and in the wings of `analysis`: not doors, and why.
OTHERS = {
    "LoadError": "an error",
    "Labeled": "a protocol, which nobody makes",
    "progress": "passes on the steps of whatever one can walk over",
    "Selection": "all of its settings are traits, and optional: see test_wrong_traits.py",
    # Records and settings: what they refuse stands in test_wrong_values.py, test_given.py, test_settings.py and models/test_dialogues.py.
    **dict.fromkeys(
        ("Clamp", "ClampRecording", "DashboardData", "Dialogue", "DoseResponseData", "Edit", "Quality", "SAEConfig"), ""
    ),
    # What these refuse stands in cluster/test_jobs.py and cluster/test_ray.py.
    **dict.fromkeys(("Processes", "Ray", "save_job"), ""),
    "Findings": "",
    "Specificity": "",
    **dict.fromkeys(("check", "hint", "solution"), "the number of an exercise: see course/test_exercises.py"),
    "set_language": "one of the languages: see languages/test_languages.py",
    "projector": "two instruments: see widgets/test_projector.py",
    "load_demo": "a name of two: see chat/test_bundled_chat.py",
    # Judges: what they refuse stands in analysis/test_judges.py, test_spans.py and test_language_judge.py.
    **dict.fromkeys(
        ("FlippedJudge", "FunctionJudge", "LabelJudge", "LanguageJudge", "LikelihoodJudge", "ModelChat"), ""
    ),
    **dict.fromkeys(("OpenAIChat", "PatternJudge", "label_tokens", "planted_judge", "read_spans", "run_judge"), ""),
    "words_judge": "",
    **dict.fromkeys(("Steer", "ToyConfig", "TrainConfig", "TrainingRecord"), ""),
}


def dose_response(model, sae, feature):
    return sw.dose_response(model, sae, feature, prompt="The fog", maximum=1.0)


def attribute_swaps(model, sae):
    prompts = {"place": ["{} is in"], "kind": ["{} is a"]}
    answers = {"place": ["Rome", "Paris"], "kind": ["bridge", "tower"]}
    return sw.analysis.attribute_swaps(model, sae, ["A", "B"], prompts, answers)


def steering_benchmark(model, sae, feature):
    return sw.analysis.steering_benchmark(model, sae, feature, "owl", maximum=1.0)


def yes(claim, passages):
    return [3] * len(passages)


def specificity(model, sae, acts, feature, claim):
    return sw.specificity(model, sae, acts, feature, claim, yes, scores=False)


# Callable -> its required arguments in order, each by what `given` holds of it.
DOORS = {
    dose_response: ("model", "sae", "count"),
    attribute_swaps: ("model", "sae"),
    steering_benchmark: ("model", "sae", "count"),
    sw.FeatureDashboard: ("data",),
    sw.ClampPanel: ("steerer", "records"),
    sw.FeatureProbe: ("prober", "text"),
    sw.FeatureSearch: ("searcher",),
    sw.FeatureMap: ("map",),
    sw.ArchitecturePanel: ("parts",),
    sw.CompletenessLab: ("completeness",),
    sw.DirectionsLab: ("directions",),
    sw.DoseResponse: ("sweep",),
    sw.GradingSheet: ("judged",),
    sw.SpecificityLab: ("judged",),
    specificity: ("model", "sae", "acts", "count", "claim"),
    judges.detection: ("model", "acts", "count", "claim", "judge"),
    judges.fuzzing: ("model", "acts", "count", "claim", "judge"),
    judges.intruder: ("model", "acts", "count", "claim", "judge"),
    judges.saebench: ("model", "acts", "count", "claim", "judge"),
    judges.field_scores: ("model", "sae", "acts", "count", "claim", "judge"),
    judges.logit_judgment: ("model", "sae", "count", "claim", "judge"),
    sw.TrainingMonitor: ("run",),
    sw.FeaturePlane: ("angles",),
    sw.SuperpositionLab: ("size",),
    sw.explore: ("model", "sae", "read"),
    sw.Steerer: ("model", "sae"),
    sw.Model: ("model",),
    sw.SAE: ("sae_config",),
    sw.site: ("model", "hook_if_any"),
    sw.feature_activations: ("model", "sae", "texts"),
    sw.dashboard_data: ("model", "sae", "acts"),
    sw.prober: ("model", "sae", "acts"),
    sw.prompt_activations: ("model", "sae", "text", "acts"),
    sw.searcher: ("model", "sae", "acts"),
    sw.token_parts: ("model", "sae", "text"),
    sw.feature_map: ("sae", "acts"),
    sw.quality: ("model", "sae", "texts"),
    sw.diagnose: ("model", "sae", "read"),
    sw.concept_scores: ("acts", "corpus"),
    sw.save_sae: ("sae", "folder"),
    sw.load_sae: ("name",),
    sw.load_model: ("name",),
    sw.load_corpus: ("count",),
    sw.ActivationStore: ("model", "site", "texts"),
    sw.harvest: ("model", "site", "texts", "folder"),
    sw.open_corpus: ("texts",),
    sw.train: ("sae", "batches", "train_config"),
    sw.train_sweep: ("runs", "batches"),
    sw.train_toy: ("toy_config",),
    sw.record_clamps: ("steerer", "text", "grid"),
    sw.clamp_edit: ("sae", "clamps"),
    sw.analysis.jacobian_lens: ("model", "read"),
    sw.analysis.steering_scores: ("model", "sae", "acts"),
    attribution: ("model", "sae", "text", "text"),
    wing.firing: ("model", "sae", "texts"),
    wing.match_features: ("acts", "acts"),
    wing.splitting: ("sae", "sae", "acts", "acts"),
    wing.concept_detectors: ("acts", "corpus"),
    wing.absorption: ("model", "sae", "corpus"),
    wing.saebench_absorption: ("model", "sae", "corpus"),
    wing.compare_detectors: ("model", "sae", "corpus"),
    wing.completeness: ("model", "saes", "corpus"),
    wing.neuron_overlap: ("model", "sae", "acts"),
    wing.logit_pair: ("model", "pair", "couple"),
    wing.concept_auroc: ("acts", "corpus"),
    wing.power_law: ("numbers", "numbers"),
    concept_proxy: ("acts", "count", "mask"),
    token_scores: ("model", "acts", "rule"),
    log_likelihood_ratio: ("acts", "mask"),
    scaling_law: ("sweep_run",),
    iso_compute: ("sweep_run",),
    quality_table: ("found",),
    add_feature: ("sae", "count"),
    mean_difference: ("model", "hook", "texts", "texts"),
    noise_like: ("steer", "count"),
    random_live_feature: ("acts", "count"),
    sweep_grid: ("width", "counts", "counts", "train_config"),
}
# What an argument takes besides its own kind, so that it is no mistake there.
ALSO = {
    "model": {"hooked"},
    "texts": {"text", "frame", "list"},  # a list is walked over: its members are refused
    "read": {"text", "frame", "list", "None"},
    "data": {"data"},
    "acts": {"None", "data"},
    "corpus": set(),
    "prober": {"probed"},
    "searcher": {"data"},
    "text": {"None", "list"},
    "records": {"None"},
    "folder": {"text"},
    "name": {"text"},
    "site": {"text"},
    "hook": {"text"},
    "hook_if_any": {"text", "None"},
    "batches": {"list", "frame", "acts"},
    "claim": {"text"},
    "count": {"number"},
    "size": {"None"},
    "width": {"number"},
    "sweep_run": {"frame"},
}

# The words that stand for an argument in a sentence about it, where they are not its name.
CALLED = {
    "sae": "needs an SAE",
    "model": "needs a model|a model is needed",
    "read": "the corpus",
    "text": "give a text|a token is given",
    "angles": "an angle",
    "acts": "for acts",
    "train_config": "needs a TrainConfig",
}


@pytest.fixture(scope="module")
def given(tiny_model):
    """One value of every kind, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sae = sw.SAE(sw.SAEConfig(32, 48, "topk", k=6, site=sw.site(tiny_model, HOOK)), name="tiny")
        acts = sw.feature_activations(tiny_model, sae, TEXTS, progress=False)
        config = sw.TrainConfig(steps=1)
        data = sample_records.dashboard()
        return {
            **PLAIN,
            "model": tiny_model,
            "hooked": tiny_model.hooked,
            "sae": sae,
            "acts": acts,
            "data": data,
            "records": data,
            "steerer": sw.Steerer(tiny_model, sae),
            "prober": sw.prober(tiny_model, sae),
            "probed": sample_records.prompt(),
            "searcher": sw.searcher(tiny_model, sae, acts),
            "map": sample_records.feature_map(),
            "parts": sample_records.token_parts(),
            "directions": sample_records.directions(),
            "sweep": sample_records.dose_response(),
            "completeness": sample_records.completeness(),
            "judged": sample_records.specificity(),
            "claim": "fog",
            "judge": yes,
            "run": sample_records.training(3),
            "angles": [0, 90],
            "counts": [4],
            "count": 3,
            "width": 8,
            "size": 8,
            "numbers": [1.0, 2.0],
            "sae_config": sae.config,
            "train_config": config,
            "toy_config": object,
            "corpus": sw.load_corpus(3),
            "text": TEXTS[1],
            "texts": TEXTS,
            "read": TEXTS,
            "hook": HOOK,
            "hook_if_any": HOOK,
            "site": sae.config.site,
            "folder": "nowhere",
            "name": "nowhere",
            "batches": [],
            "runs": {"a": (sae, config)},
            "grid": [],
            "clamps": [],
            "rule": str.isalpha,
            "mask": acts.tokens > 5,
            "steer": add_feature(sae, 3),
            "sweep_run": None,
            "found": {},
            "saes": {"tiny": sae},
            "pair": (sae, sae),
            "couple": (3, 5),
        }


WRONG = ("model", "sae", "hooked", "text", "None", "list", "frame", "data", "acts")


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_a_wrong_kind_is_refused_with_a_sentence(given, door, tmp_path):
    names = DOORS[door]
    parameters = list(inspect.signature(door).parameters)
    bad = []
    for at, name in enumerate(names):
        for kind in WRONG:
            if kind == name or kind in ALSO.get(name, set()) or given[kind] is given[name]:
                continue
            arguments = [given[n] if n != "folder" else tmp_path / "x" for n in names]
            arguments[at] = given[kind]
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    door(*arguments)
            except (TypeError, ValueError, traitlets.TraitError) as error:
                said = str(error)
                called = f"{parameters[at]}|{CALLED[name]}" if name in CALLED else parameters[at]
                helps = re.search(rf"(?<![\w.])({called})(?!\w)", said)
                if not helps or "object has no attribute" in said or ("argument" in said and "positional" in said):
                    bad.append(f"{name}={kind}: {type(error).__name__}: {said[:200]}")
            except Exception as error:
                bad.append(f"{name}={kind}: {type(error).__name__}: {str(error)[:200]}")
            else:
                bad.append(f"{name}={kind}: taken without a word")
    ipywidgets.Widget.close_all()
    assert not bad, "\n".join(bad)


def test_every_public_callable_is_a_door_or_none():
    rooms = [
        sw,
        sw.analysis,
        *(getattr(sw.analysis, wing) for wing in ("doses", "features", "map", "prompts", "quality")),
    ]
    public = [(name, getattr(room, name)) for room in rooms for name in room.__all__]
    asking = {name for name, value in public if callable(value) and takes(value)}
    assert asking - {door.__name__ for door in DOORS} == set(OTHERS) & asking
    assert set(OTHERS) <= asking


def takes(value):
    """Whether a callable has an argument."""
    return bool(inspect.signature(value).parameters)
