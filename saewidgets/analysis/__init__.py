"""One question a module, answered as data: records, frozen dataclasses, or tables.

A module is imported when it is first used, `sw.analysis.geometry`.
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    path = f"{__name__}.{name}"
    try:
        return import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise  # a library that is not installed
    raise AttributeError(f"saewidgets.analysis has no module {name!r}", name=name)
