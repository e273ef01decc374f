"""Which models may be opened: all, unless a workshop's plan names some."""

from __future__ import annotations

import os

MODELS = "SAEWIDGETS_MODELS"  # the environment variable: names, with commas between them


def check_allowed(name: str) -> None:
    """Raises ValueError for a model that the workshop in which one works does not open, with those that it does.

    Example:
        >>> check_allowed("gpt2")
    """
    allowed = [one for one in os.environ.get(MODELS, "").split(",") if one]
    if allowed and name not in allowed:
        opened = " or ".join(f"sw.load_model({one!r})" for one in allowed)
        raise ValueError(
            f"the plan of this workshop does not open the model {name!r}; type {opened}, or start JupyterLab without it"
        )
