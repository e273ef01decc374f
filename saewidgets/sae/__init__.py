"""The sparse autoencoder: configuration, architectures, encode, decode, save and load. It knows vectors, not
transformers.
"""

from saewidgets.sae.architectures import ARCHITECTURES
from saewidgets.sae.autoencoder import (
    JUMPRELU_INIT_THRESHOLD,
    SAE,
    bundled_names,
    load_bundled,
)
from saewidgets.sae.checks import check_sae, refuse_transcoder
from saewidgets.sae.config import INPUT_NORMALIZATIONS, SAEConfig
from saewidgets.sae.norms import above, norm_bound, top_share
from saewidgets.sae.stored import MAX_BYTES, checked, shapes
from saewidgets.sae.variance import unexplained

__all__ = [
    "ARCHITECTURES",
    "INPUT_NORMALIZATIONS",
    "JUMPRELU_INIT_THRESHOLD",
    "MAX_BYTES",
    "SAE",
    "SAEConfig",
    "above",
    "bundled_names",
    "check_sae",
    "checked",
    "load_bundled",
    "norm_bound",
    "refuse_transcoder",
    "shapes",
    "top_share",
    "unexplained",
]
