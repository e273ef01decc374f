"""A dose-response as a page that writes by itself what its sweep does not hold: the model and the SAE travel in it."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from saewidgets.frontend import payloads
from saewidgets.frontend.payloads import settable
from saewidgets.records import Dialogue, DoseResponseData

LARGEST = 1000  # multiples of the maximum
LARGEST_SEED = 2**31 - 1  # that can be typed


def live_page(chart: Any, steer: Any, path: str | Path | None) -> str:
    """See `DoseResponse.to_html`."""
    from saewidgets.analysis.doses.text_measures import TURN  # with torch, which a chart of a record does without

    data: DoseResponseData = chart.data
    _check(data, steer)
    carried = steer.carried([data.feature])
    _check_prompts(data, carried.about["speech"])
    view = chart._view()
    known = {
        "none": True,
        "clamp": True,
        # A unit of activation is no fixed vector where the SAE normalizes its inputs.
        "add": carried.about["sae"]["input_normalization"] == "none",
        "prompt": bool(data.steering_prompt),
    }
    begin = chart.multiple if chart.window is None else sum(chart.window) / 2
    state = {
        **view["state"],
        "_writes": [kind for kind in data.kinds if known.get(kind, False)],
        "_turn": TURN.pattern,
        "_written": None,
        "strength": min(max(round(begin, 3), -LARGEST), LARGEST),
        "seed": next(seed for seed in count() if seed not in {t.seed for t in data.texts}),
    }
    live = {
        "feature": data.feature,
        "maximum": data.maximum,
        "prompt": payloads.spoken(data.prompt),
        "steering_prompt": payloads.spoken(data.steering_prompt) if data.steering_prompt else None,
        "scope": data.scope,
        "temperature": data.temperature,
        "n_tokens": data.n_tokens,
        "table": view["lookup"]["table"],
    }
    own = {"strength": settable.number(-LARGEST, LARGEST), "seed": settable.whole(0, LARGEST_SEED)}
    view = {**view, "state": state, "lookup": None, "live": live, "links": view["links"] | own}
    html: str = chart._live_page(view, path, carried)
    return html


def _check(data: DoseResponseData, steer: Any) -> None:
    """Raise, before anything is made, for a source that cannot write what the sweep wrote."""
    if not callable(getattr(steer, "carried", None)):
        what = "a sweep holds no model" if steer is None else f"{type(steer).__name__} has none to give"
        raise TypeError(
            f"live=True carries a model into the page, and {what}: to_html(path, live=True, steer=sw.Steerer(model, sae))"
        )
    own = {"model": data.model_name, "SAE": data.sae_name, "site": data.hook_name}
    given = {"model": steer.model.name, "SAE": steer.sae.name, "site": steer.hook_name}
    for what, name in own.items():
        if name and given[what] and name != given[what]:
            raise ValueError(
                f"the sweep was written with the {what} {name!r}, and steer has {given[what]!r}: its texts would belong to "
                "other curves; make steer of the sweep's own model and SAE"
            )


def _check_prompts(data: DoseResponseData, speech: dict[str, Any]) -> None:
    """Raise ValueError where a dialogue is to be put in a form that only Python can render."""
    if not speech["chat_format"] and any(isinstance(p, Dialogue) for p in (data.prompt, data.steering_prompt)):
        raise ValueError(
            f"a page cannot run the chat template of {speech['name']}: measure the sweep after a text, dose_response(..., "
            "prompt=model.chat('Who are you?'))"
        )
