"""The clamp: as a tensor function (`edits`), beside what it is compared with (`comparisons`), and as a source of text
(`steerer`).
"""

from saewidgets.steering.batches import write_rows
from saewidgets.steering.comparisons import add_feature, mean_difference, noise_like, random_live_feature
from saewidgets.steering.edits import check_features, clamp_edit, intervention_edit, row_edit
from saewidgets.steering.few_shot import FewShot
from saewidgets.steering.steerer import Steerer, record_clamps

__all__ = [
    "FewShot",
    "Steerer",
    "add_feature",
    "check_features",
    "clamp_edit",
    "intervention_edit",
    "mean_difference",
    "noise_like",
    "random_live_feature",
    "record_clamps",
    "row_edit",
    "write_rows",
]
