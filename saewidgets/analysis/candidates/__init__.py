"""Which feature to clamp: scores that tell without writing a text, and how they compare with what clamps do."""

from saewidgets.analysis.candidates.jacobian import jacobian_lens
from saewidgets.analysis.candidates.scores import steering_scores
from saewidgets.analysis.candidates.windows import score_correlations, scored_windows

__all__ = ["jacobian_lens", "score_correlations", "scored_windows", "steering_scores"]
