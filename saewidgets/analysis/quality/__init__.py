"""How good an SAE is: what it loses, what the model loses by it, and how well its features match known concepts."""

from saewidgets.analysis.quality.absorption import absorption
from saewidgets.analysis.quality.concepts import Labeled, concept_auroc, concept_scores
from saewidgets.analysis.quality.detectors import concept_detectors
from saewidgets.analysis.quality.matching import match_features, splitting
from saewidgets.analysis.quality.measure import firing, quality
from saewidgets.analysis.quality.proxy import concept_proxy, log_likelihood_ratio, token_scores
from saewidgets.analysis.quality.scaling import iso_compute, power_law, scaling_law
from saewidgets.records import Quality

__all__ = [
    "Labeled",
    "Quality",
    "absorption",
    "concept_auroc",
    "concept_detectors",
    "concept_proxy",
    "concept_scores",
    "firing",
    "iso_compute",
    "log_likelihood_ratio",
    "match_features",
    "power_law",
    "quality",
    "scaling_law",
    "splitting",
    "token_scores",
]
