"""Whether an SAE and a model belong together: hook point, layer, beginning-of-text token, centering, scale, weights."""

from saewidgets.doctor.examination import diagnose
from saewidgets.doctor.meeting import meet

__all__ = ["diagnose", "meet"]
