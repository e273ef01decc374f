"""Whether an SAE and a model belong together: hook point, layer, beginning-of-text token, centering, scale, weights."""

from saewidgets.doctor.diagnose import diagnose
from saewidgets.doctor.meeting import meet

__all__ = ["diagnose", "meet"]
