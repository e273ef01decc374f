"""Where the decoder directions of one or several SAEs lie, in the plane and to one another."""

from saewidgets.analysis.map.feature_map import feature_map, links
from saewidgets.analysis.map.regions import regions

__all__ = [
    "feature_map",
    "links",
    "regions",
]
