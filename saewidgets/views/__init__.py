"""Charts: pure functions from records to Plotly figures. Nothing here computes with a model, and nothing displays itself.

Example:
    >>> from saewidgets import views
    >>> views.activation_histogram(data.features[31])  # doctest: +SKIP
"""

from saewidgets.views.dose_response import dose_response
from saewidgets.views.features import activation_histogram, density_histogram, logit_effects
from saewidgets.views.geometry import feature_plane
from saewidgets.views.text import token_shift
from saewidgets.views.training import training_curves

__all__ = [
    "activation_histogram",
    "density_histogram",
    "dose_response",
    "feature_plane",
    "logit_effects",
    "token_shift",
    "training_curves",
]
