"""What a clamp does to the text as it grows."""

from saewidgets.analysis.doses.axbench import steering_benchmark
from saewidgets.analysis.doses.dose_response import dose_response

__all__ = [
    "dose_response",
    "steering_benchmark",
]
