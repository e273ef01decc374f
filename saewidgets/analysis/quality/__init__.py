"""How good an SAE is: what it loses, what the model loses by it, and how well its features match known concepts."""

from saewidgets.analysis.quality.absorption import absorption
from saewidgets.analysis.quality.baselines import compare_detectors
from saewidgets.analysis.quality.completeness import completeness
from saewidgets.analysis.quality.concepts import Labeled, concept_auroc, concept_scores
from saewidgets.analysis.quality.detectors import concept_detectors
from saewidgets.analysis.quality.matching import logit_pair, match_features, splitting
from saewidgets.analysis.quality.measure import firing, quality
from saewidgets.analysis.quality.overlap import neuron_overlap
from saewidgets.analysis.quality.proxy import concept_proxy, log_likelihood_ratio, token_scores
from saewidgets.analysis.quality.saebench_absorption import saebench_absorption
from saewidgets.analysis.quality.scaling import iso_compute, power_law, scaling_law
from saewidgets.analysis.quality.swaps import attribute_swaps
from saewidgets.records import Quality

__all__ = [
    "Labeled",
    "Quality",
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
    "quality",
    "saebench_absorption",
    "scaling_law",
    "splitting",
    "token_scores",
]
