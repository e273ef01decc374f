"""Charts: pure functions from records to Plotly figures. Nothing here computes with a model, and nothing displays itself.

Example:
    >>> from saewidgets import views
    >>> views.activation_histogram(data.features[31])  # doctest: +SKIP
"""

from saewidgets.views.dose_response import dose_response
from saewidgets.views.features import activation_histogram, density_histogram, logit_effects
from saewidgets.views.geometry import feature_plane
from saewidgets.views.parts import token_features
from saewidgets.views.phases import phase_diagram
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
from saewidgets.views.training import firing_density, scaling_curves, sweep_frontier, training_curves

__all__ = [
    "activation_histogram",
    "density_histogram",
    "dimensionality_scatter",
    "dimensions_per_feature",
    "dose_response",
    "feature_plane",
    "firing_density",
    "gram_matrix",
    "logit_effects",
    "norm_bars",
    "phase_diagram",
    "polytope",
    "scaling_curves",
    "stack_plot",
    "superposition_arrows",
    "sweep_frontier",
    "token_features",
    "token_shift",
    "toy_trajectory",
    "training_curves",
    "vulnerability",
]
