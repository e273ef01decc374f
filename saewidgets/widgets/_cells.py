"""Which cell made an instrument, and the end of what a cell made when it runs again.

ipywidgets keeps every open widget alive for as long as the kernel lives, and IPython keeps whatever a cell shows, as
`Out[n]` and `_n`. A cell that runs again therefore closes the instruments of its last run, and takes them out of
IPython's history: a sentence stands there in their place. Who holds such an instrument in a variable keeps it with its
data; it is closed, and no more.
"""

from __future__ import annotations

import gc
import hashlib
import re
import sys
import weakref
from collections.abc import Mapping
from typing import Any

import ipywidgets

from saewidgets.memory import give_back

# Cell -> (execution, instruments made by it).
MADE: dict[str, tuple[str, list[weakref.ref[Any]]]] = {}
_OLD: weakref.WeakSet[Any] = weakref.WeakSet()  # shells in which something was replaced by the cell that is running
_HISTORY = re.compile(r"_{1,3}|_\d+")  # the names under which IPython keeps what cells have shown


class Replaced:
    """What `Out[n]` holds in place of an instrument whose cell has run again."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __repr__(self) -> str:
        return f"<{self._what}: its cell ran again and made a new one>"


def now() -> tuple[str, str] | None:
    """(the notebook cell that is running, this run of it); None outside a notebook.

    A cell is known by the id that the front end sends. Where that sends none, it is known by its text, so that two
    cells of one text count as one there.
    """
    message = getattr(_shell(), "parent_header", None)
    if not isinstance(message, dict):
        return None
    run = (message.get("header") or {}).get("msg_id")
    cell = (message.get("metadata") or {}).get("cellId")
    code = (message.get("content") or {}).get("code")
    if not cell and isinstance(code, str):
        cell = hashlib.sha256(code.encode(errors="replace")).hexdigest()
    return (cell, run) if cell and run else None


def add(instrument: Any) -> str:
    """Note that the cell that is running made `instrument`, and close what an earlier run of it made. Returns the cell,
    "" for none.
    """
    found = now()
    if found is None:
        return ""
    cell, run = found
    before, made = MADE.get(cell, (run, []))
    if before != run:
        _replace([old for ref in made if (old := ref()) is not None])
        made = []
    made.append(weakref.ref(instrument))
    MADE[cell] = (run, made)
    return cell


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def _replace(old: list[Any]) -> None:
    """Close instruments, and boxes of nothing but such, and have IPython's history let go of them."""
    for instrument in old:
        instrument.close()
    gone = {id(instrument): instrument for instrument in old}
    for box in [w for w in _open_widgets().values() if isinstance(w, ipywidgets.Box)]:
        if box.children and all(id(child) in gone for child in box.children):
            box.close()
            gone[id(box)] = box
    shell = _shell()
    if shell is None:
        return
    names = shell.user_ns
    for held in (names.get("_oh", {}), names, vars(shell.displayhook)):
        for name, value in list(held.items()):
            if id(value) in gone and (held is not names or _HISTORY.fullmatch(name)):
                held[name] = Replaced(repr(value))
                if held is names and name in shell.user_ns_hidden:
                    shell.user_ns_hidden[name] = held[name]  # IPython tells its own `_` from a user's by this
    if shell not in _OLD:
        _OLD.add(shell)
        shell.events.register("post_run_cell", _collect)


def _open_widgets() -> Mapping[str, Any]:
    """Every open widget; to ask ipywidgets 8 for them by a public name warns."""
    found = getattr(ipywidgets.widgets.widget, "_instances", None)
    value: Mapping[str, Any] = ipywidgets.Widget.widgets if found is None else found  # ipywidgets 7
    return value


def _collect(result: Any) -> None:
    """After a cell that replaced something: its variables hold the new instruments only now."""
    shell = _shell()
    shell.events.unregister("post_run_cell", _collect)
    _OLD.discard(shell)
    gc.collect()
    give_back()
