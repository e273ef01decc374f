"""Exercises of 08_a_real_chat_model.ipynb. They ask about what was measured, so they need no model."""

from __future__ import annotations

import math
from typing import Any

from saewidgets.chat import load_clamps
from saewidgets.course import answers
from saewidgets.course.exercise import Exercise, Said, Wrong, right
from saewidgets.files import nearest

NEAR = 0.02


def talks_about_it(answer: Any) -> Said:
    """The subject with the largest difference between naming it and being it."""
    own = {clamp.label.lower(): clamp for clamp in reversed(list(load_clamps().values()))}
    given = answers.text(answer).strip().lower()
    if given not in own:
        raise Wrong(
            "No subject {given!r} was measured; nearest: {near}.", given=given, near=", ".join(nearest(given, own))
        )
    gap = {label: round(clamp.names - clamp.is_it, 6) for label, clamp in own.items()}
    found = own[given]
    said = {"label": found.label, "names": found.names, "is_it": found.is_it, "gap": 100 * gap[given]}
    if gap[given] == max(gap.values()):
        return right("Yes: {names:.0%} of the answers name it, {is_it:.0%} say they are it.", **said)
    if gap[given] <= 0:
        raise Wrong("{label}: whatever names it also says it is it. Asked was the largest difference.", **said)
    raise Wrong("{label}: {names:.0%} − {is_it:.0%} is {gap:.0f} points. There is a larger difference.", **said)


def half_a_dragon(answer: Any) -> Said:
    """The dragon's clamp at half of its measured value, in the assistant's words only."""
    entry = load_clamps()["dragon"]
    found = answers.one_clamp(answer)
    asked = entry.value / 2
    if found.feature != entry.feature:
        raise Wrong("That clamps feature {own}; the dragon's is {f}.", own=found.feature, f=entry.feature)
    if math.isclose(found.value, entry.value, rel_tol=NEAR):
        raise Wrong("{value:.2f} is the whole value. Asked was half of it.", value=found.value)
    if math.isclose(found.value, entry.multiple / 2, rel_tol=NEAR) or math.isclose(found.value, 0.5):
        raise Wrong(
            "{value:.2f} is in multiples of the maximum. A clamp's value is in SAE units: about {asked:.1f}.",
            value=found.value,
            asked=asked,
        )
    if not math.isclose(found.value, asked, rel_tol=NEAR):
        raise Wrong(
            "It holds the feature at {value:.2f}; half of the measured value is about {asked:.1f}.",
            value=found.value,
            asked=asked,
        )
    if found.scope != "assistant":
        raise Wrong(
            "The value is right. It holds at {scope!r} tokens; asked were the assistant's words.", scope=found.scope
        )
    return right("Yes. Try it in the panel: is half a dragon a dragon?")


EXERCISES = (
    Exercise(
        "08.1",
        "Some clamps make the model *talk about* a thing rather than be it. For which subject is the difference between "
        "*names* and *is it* the largest?",
        (
            "The table of this section has both columns: subtract them.",
            '`(table["names"] - table["is_it"]).sort_values()`',
        ),
        '`(table["names"] - table["is_it"]).idxmax()`. A language is not easily *been*: the model speaks of it, or in it.',
        talks_about_it,
    ),
    Exercise(
        "08.2",
        "Write the `sw.Clamp` that holds the dragon's feature at *half* of its measured value, in the assistant's words only.",
        (
            '`demo.clamps["dragon"]` has the feature and the value. Which scope is it?',
            '`sw.Clamp(feature, value, scope)`, with the scope `"assistant"`.',
        ),
        '`entry = demo.clamps["dragon"]`, then `sw.Clamp(entry.feature, entry.value / 2, "assistant")`.',
        half_a_dragon,
    ),
)
