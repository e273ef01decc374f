"""Charts: pure functions from records to Plotly figures. Nothing here computes with a model, and nothing displays
itself.

Example:
    >>> from saewidgets import views
    >>> views.activation_histogram(data.features[31])  # doctest: +SKIP
"""

from saewidgets.views.detectors import completeness, detector_comparison, neuron_overlap
from saewidgets.views.dose_response import dose_response
from saewidgets.views.features import activation_histogram, density_histogram, logit_effects, proxy_histogram
from saewidgets.views.geometry import feature_plane
from saewidgets.views.map import feature_map
from saewidgets.views.parts import token_features
from saewidgets.views.phases import phase_diagram
from saewidgets.views.quality import (
    absorption,
    concept_detectors,
    feature_matches,
    firing_density,
    logit_pair,
    quality_measures,
    split_counts,
)
from saewidgets.views.specificity import specificity
from saewidgets.views.text import token_shift
from saewidgets.views.toy import (
    dimensionality_scatter,
    dimensions_per_feature,
    gram_matrix,
    norm_bars,
    polytope,
    stack_plot,
    superposition_arrows,
    toy_trajectory,
    vulnerability,
)
from saewidgets.views.toy_data import double_descent, features_and_examples, hidden_coordinates
from saewidgets.views.training import firing_rates, scaling_curves, sweep_frontier, training_curves

__all__ = [
    "absorption",
    "activation_histogram",
    "completeness",
    "concept_detectors",
    "density_histogram",
    "detector_comparison",
    "dimensionality_scatter",
    "dimensions_per_feature",
    "dose_response",
    "double_descent",
    "feature_map",
    "feature_matches",
    "feature_plane",
    "features_and_examples",
    "firing_density",
    "firing_rates",
    "gram_matrix",
    "hidden_coordinates",
    "logit_effects",
    "logit_pair",
    "neuron_overlap",
    "norm_bars",
    "phase_diagram",
    "polytope",
    "proxy_histogram",
    "quality_measures",
    "scaling_curves",
    "specificity",
    "split_counts",
    "stack_plot",
    "superposition_arrows",
    "sweep_frontier",
    "token_features",
    "token_shift",
    "toy_trajectory",
    "training_curves",
    "vulnerability",
]
