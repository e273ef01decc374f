"""A clamp panel as a page that answers by itself: the model and the SAE travel in it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from saewidgets.frontend.payloads import settable
from saewidgets.records import ClampRecording, Dialogue
from saewidgets.records.steering import SCOPES
from saewidgets.widgets.clamp.answers import NONE
from saewidgets.widgets.clamp.settings import LARGEST

LARGEST_SEED = 2**53  # that a page holds exactly


def live_page(panel: Any, path: str | Path | None) -> str:
    """See `ClampPanel.to_html`."""
    _check(panel)
    summaries = {row.feature: row for row in panel.data.summaries}
    carried = panel.source.carried(summaries)
    _check_dialogues(panel, carried.about["speech"])
    view = panel._view()
    state = {
        **view["state"],
        "compare": "",
        "_comparisons": [],  # what the source offers by itself is Python, too
        "_answers": NONE,
        "_history": panel._history,
    }
    live = {
        "maxima": {str(f): row.maximum for f, row in summaries.items()},
        "windows": {str(f): list(window) for f, window in panel.windows.items()},
        "opening": panel.to_code().partition("print(steer.generate(")[0],
    }
    html: str = panel._live_page(
        {**view, "state": state, "live": live, "links": _links(panel, summaries)}, path, carried
    )
    return html


def _links(panel: Any, features: Iterable[int]) -> dict[str, settable.Allowed]:
    """What a link to the page may set: all that a person can."""
    known = settable.one_of(features)
    scopes = (settable.one_of(SCOPES), settable.whole(0, 10**9), settable.text(20, r"^token (0|-?[1-9][0-9]{0,8})$"))
    own = {
        "features": settable.several(known, 64),
        "multiples": settable.by_key(known["of"], settable.optional(settable.number(-LARGEST, LARGEST))),
        "scope": settable.either(*scopes),
        "temperature": settable.number(0, 10),
        "seed": settable.whole(0, LARGEST_SEED),
        "n_tokens": settable.whole(1, 2_000),
        "look_for": settable.text(500),
        "logprobs": settable.one_of((False, True)),
        "feature": settable.optional(known),
    }
    return own if isinstance(panel.prompt, Dialogue) else {"prompt": settable.text(3_000), **own}


def _check(panel: Any) -> None:
    """Raise, before anything is made, for a panel that no page can answer."""
    if isinstance(panel.source, ClampRecording):
        raise TypeError(
            "a recording has its texts already, and no model: panel.to_html(path), without live=True, plays it in a page"
        )
    if not callable(getattr(panel.source, "carried", None)):
        raise TypeError(
            f"live=True carries a model into the page, and the source, {type(panel.source).__name__}, has none to give: make "
            "the panel of sw.Steerer(model, sae)"
        )
    asked = dict.fromkeys([*panel._asked_comparisons, *([panel.compare] if panel.compare else [])])
    if asked:
        names = ", ".join(map(repr, asked))
        raise ValueError(
            f"comparisons are Python, which a page cannot run: {names}; make the panel without them, or write the page "
            "without live=True"
        )
    if panel.seed > LARGEST_SEED:
        raise ValueError(
            f"a page holds seeds up to {LARGEST_SEED} exactly, and the seed is {panel.seed}: set panel.seed"
        )


def _check_dialogues(panel: Any, speech: dict[str, Any]) -> None:
    """Raise ValueError where a dialogue is to be put in a form that only Python can render."""
    given = [panel.prompt, *(tried.prompt for tried in panel.history), *(prompt for _, prompt in panel._examples)]
    if not speech["chat_format"] and any(isinstance(prompt, Dialogue | list) for prompt in given):
        raise ValueError(
            f"a page cannot run the chat template of {speech['name']}: give its prompts as texts, ClampPanel(..., "
            "prompt=model.chat('Who are you?'), examples=[...])"
        )
