"""ClampPanel: sliders on features, and what the model writes without and with them.

`settings` holds what a person can turn, `texts` the two texts that are being written, `history` what was tried before,
and `panel` the instrument that joins them to a worker and to the page.
"""

from saewidgets.widgets.clamp.panel import ClampPanel

__all__ = ["ClampPanel"]
