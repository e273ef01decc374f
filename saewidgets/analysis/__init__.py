"""One question a module, answered as data: records, frozen dataclasses, or tables. The modules of a subject are a wing.

What the wings list is here as well, imported when it is first used: `sw.analysis.attribution` is the function,
`sw.analysis.geometry` the module of `sw.analysis.toys`, and `sw.analysis.quality` the wing, whose function of that name
is `sw.analysis.quality.quality` (and `sw.quality`).

Example:
    >>> import saewidgets as sw
    >>> sw.analysis.geometry.norms([[3.0, 0.0], [4.0, 1.0]])
    array([5., 1.])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Wing -> what it lists. The TYPE_CHECKING block and `__all__` say the same to type checkers and editors;
# tests/house/test_import.py holds them together.
_WINGS: dict[str, tuple[str, ...]] = {
    "features": (
        "MONOSEMANTICITY",
        "dashboard_data",
        "feature_activations",
    ),
    "prompts": (
        "attribution",
        "prober",
        "prompt_activations",
        "token_parts",
    ),
    "quality": (
        "Labeled",
        "absorption",
        "attribute_swaps",
        "compare_detectors",
        "completeness",
        "concept_auroc",
        "concept_detectors",
        "concept_proxy",
        "concept_scores",
        "firing",
        "iso_compute",
        "log_likelihood_ratio",
        "logit_pair",
        "match_features",
        "neuron_overlap",
        "power_law",
        "saebench_absorption",
        "scaling_law",
        "splitting",
        "token_scores",
    ),
    "judges": (
        "FlippedJudge",
        "FunctionJudge",
        "LabelJudge",
        "LanguageJudge",
        "LikelihoodJudge",
        "ModelChat",
        "OpenAIChat",
        "PatternJudge",
        "detection",
        "field_scores",
        "fuzzing",
        "intruder",
        "label_tokens",
        "logit_judgment",
        "planted_judge",
        "read_spans",
        "run_judge",
        "saebench",
        "specificity",
        "words_judge",
    ),
    "search": ("searcher",),
    "candidates": ("jacobian_lens", "steering_scores"),
    "setup": ("load_demo",),
    "doses": ("dose_response", "steering_benchmark"),
    "directions": (),
    "map": ("feature_map",),
    "toys": (
        "bases",
        "codes",
        "families",
        "gallery",
        "geometry",
        "loss_curves",
        "memorization",
        "neurons",
        "recovery",
        "sae_recovery",
        "superposition_theory",
    ),
}
_HOME = {name: wing for wing, names in _WINGS.items() for name in names}

__all__ = [
    "MONOSEMANTICITY",
    "FlippedJudge",
    "FunctionJudge",
    "LabelJudge",
    "Labeled",
    "LanguageJudge",
    "LikelihoodJudge",
    "ModelChat",
    "OpenAIChat",
    "PatternJudge",
    "absorption",
    "attribute_swaps",
    "attribution",
    "bases",
    "candidates",
    "codes",
    "compare_detectors",
    "completeness",
    "concept_auroc",
    "concept_detectors",
    "concept_proxy",
    "concept_scores",
    "dashboard_data",
    "detection",
    "directions",
    "dose_response",
    "doses",
    "families",
    "feature_activations",
    "feature_map",
    "features",
    "field_scores",
    "firing",
    "fuzzing",
    "gallery",
    "geometry",
    "intruder",
    "iso_compute",
    "jacobian_lens",
    "judges",
    "label_tokens",
    "load_demo",
    "log_likelihood_ratio",
    "logit_judgment",
    "logit_pair",
    "loss_curves",
    "map",
    "match_features",
    "memorization",
    "neuron_overlap",
    "neurons",
    "planted_judge",
    "power_law",
    "prober",
    "prompt_activations",
    "prompts",
    "quality",
    "read_spans",
    "recovery",
    "run_judge",
    "sae_recovery",
    "saebench",
    "saebench_absorption",
    "scaling_law",
    "search",
    "searcher",
    "setup",
    "specificity",
    "splitting",
    "steering_benchmark",
    "steering_scores",
    "superposition_theory",
    "token_parts",
    "token_scores",
    "toys",
    "words_judge",
]

if TYPE_CHECKING:
    from saewidgets.analysis import (
        candidates,
        directions,
        doses,
        features,
        judges,
        map,
        prompts,
        quality,
        search,
        setup,
        toys,
    )
    from saewidgets.analysis.candidates import jacobian_lens, steering_scores
    from saewidgets.analysis.doses import dose_response, steering_benchmark
    from saewidgets.analysis.features import MONOSEMANTICITY, dashboard_data, feature_activations
    from saewidgets.analysis.judges import (
        FlippedJudge,
        FunctionJudge,
        LabelJudge,
        LanguageJudge,
        LikelihoodJudge,
        ModelChat,
        OpenAIChat,
        PatternJudge,
        detection,
        field_scores,
        fuzzing,
        intruder,
        label_tokens,
        logit_judgment,
        planted_judge,
        read_spans,
        run_judge,
        saebench,
        specificity,
        words_judge,
    )
    from saewidgets.analysis.map import feature_map
    from saewidgets.analysis.prompts import attribution, prober, prompt_activations, token_parts
    from saewidgets.analysis.quality import (
        Labeled,
        absorption,
        attribute_swaps,
        compare_detectors,
        completeness,
        concept_auroc,
        concept_detectors,
        concept_proxy,
        concept_scores,
        firing,
        iso_compute,
        log_likelihood_ratio,
        logit_pair,
        match_features,
        neuron_overlap,
        power_law,
        saebench_absorption,
        scaling_law,
        splitting,
        token_scores,
    )
    from saewidgets.analysis.search import searcher
    from saewidgets.analysis.setup import load_demo
    from saewidgets.analysis.toys import (
        bases,
        codes,
        families,
        gallery,
        geometry,
        loss_curves,
        memorization,
        neurons,
        recovery,
        sae_recovery,
        superposition_theory,
    )


def __getattr__(name: str) -> Any:
    if name in _WINGS or name in _HOME:
        from saewidgets.elsewhere import torch_for

        with torch_for(f"sw.analysis.{name}"):
            wing = import_module(f"{__name__}.{_HOME.get(name, name)}")
        if name in _WINGS:
            return wing
        value = getattr(wing, name)
        globals()[name] = value  # the next use finds it at once
        return value
    from saewidgets.analysis.toys import MOVED  # only a mistake needs these
    from saewidgets.files import unknown

    if name in MOVED:
        raise AttributeError(f"saewidgets.analysis has no {name!r} any more; type {MOVED[name]}", name=name)
    known = () if name.startswith("_") else __all__
    raise AttributeError(unknown("name of saewidgets.analysis", name, known), name=name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
