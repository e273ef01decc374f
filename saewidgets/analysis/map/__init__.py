"""Where the decoder directions of one or several SAEs lie, in the plane and to one another."""

from saewidgets.analysis.map.feature_map import feature_map

__all__ = [
    "feature_map",
]
