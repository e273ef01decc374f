"""The models that saewidgets keeps in the user's cache: where, how large, and away with them."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from saewidgets.files import unknown

VARIABLE = "SAEWIDGETS_CACHE"


@dataclass(frozen=True)
class Cached:
    """One model in the cache."""

    name: str
    folder: Path
    n_bytes: int


def cache_folder() -> Path:
    """The folder of cached models: below $SAEWIDGETS_CACHE where that is set, else where the system keeps a user's
    caches.
    """
    said = os.environ.get(VARIABLE)
    if said:
        return Path(said).expanduser() / "models"
    try:
        from platformdirs import user_cache_path
    except ImportError as error:
        raise ImportError(
            f'where caches are kept is told by the package platformdirs: pip install "saewidgets[models]", or set {VARIABLE}'
        ) from error
    return user_cache_path("saewidgets", appauthor=False) / "models"


def cached_models() -> list[Cached]:
    """What is in the cache, by name. Unfinished downloads are not listed.

    Example:
        >>> [(model.name, model.n_bytes) for model in cached_models()]  # doctest: +SKIP
        [('smollm2', 541231104)]
    """
    folder = cache_folder()
    if not folder.is_dir():
        return []
    found = [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    return [Cached(p.name, p, sum(f.stat().st_size for f in p.rglob("*") if f.is_file())) for p in found]


def remove_cached(name: str) -> Cached:
    """Delete one model from the cache; what was deleted. Raises ValueError for one that is not there."""
    models = {model.name: model for model in cached_models()}
    if name not in models:
        raise ValueError(unknown("cached model", name, models))
    shutil.rmtree(models[name].folder)
    return models[name]
