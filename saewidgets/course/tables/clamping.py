"""Exercises of 05_clamp.ipynb."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from saewidgets.course import answers, setting
from saewidgets.course.exercise import Exercise, Said, Wrong, right
from saewidgets.miniworld import load_clamps, world
from saewidgets.records import Clamp
from saewidgets.records.shares import share
from saewidgets.steering import Steerer

BRIDGE = "golden_gate_bridge"
TO_BE = "dog"
SEED = 2
N_TOKENS = 40
RATE = 0.8  # share of the answers that name the concept
WIDEST = 0.2  # of its interval
STAMMERS = re.compile(r"\b(\w+) \1\b")  # a word twice in a row


def ablation(answer: Any) -> Said:
    """The clamp that ablates the bridge's feature in the generated tokens only."""
    bridge = load_clamps()[BRIDGE].feature
    found = answers.one_clamp(answer)
    if found.feature != bridge:
        raise Wrong("That clamps feature {own}; the bridge's is {bridge}.", own=found.feature, bridge=bridge)
    if found.value != 0:
        raise Wrong("It holds the feature at {value:g}. To ablate is to hold it at 0.", value=found.value)
    if found.scope != "generated":
        raise Wrong(
            'It holds at {scope!r} tokens; asked were the generated ones: scope="generated".', scope=found.scope
        )
    return right("Yes. The prompt is read as ever, and nothing that is written afterwards may use the feature.")


def to_be_a_dog(answer: Any) -> Said:
    """Clamps under which the bundled model says, at one seed, that it is a dog, without stammering."""
    given = answers.clamps(answer)
    d_sae = setting.sae().config.d_sae
    for clamp in given:
        answers.feature(clamp.feature, d_sae)
    said = written(given)
    named = TO_BE in world().mentions(said)
    broken = STAMMERS.search(said)
    if named and broken is None:
        return right("Yes: {said!r}", said=said)
    if named:
        raise Wrong(
            "It names the dog, and stammers ({twice!r}): {said!r} Clamp less.",
            twice=broken[0] if broken else "",
            said=said,
        )
    if broken is not None:
        raise Wrong("It only stammers: {said!r} Another feature, or a lower value.", said=said)
    raise Wrong("It says {said!r} There is no dog in it: another feature, or a higher value.", said=said)


@lru_cache(maxsize=32)
def written(clamps: tuple[Clamp, ...]) -> str:
    """What the bundled model answers under some clamps of its SAE."""
    steer = Steerer(setting.model(), setting.sae())
    return steer.generate(load_clamps().prompt, clamps, seed=SEED, n_tokens=N_TOKENS).text.strip()


def seeds_needed(answer: Any) -> Said:
    """The fewest seeds at which a share of 80 % has an interval narrower than 20 percentage points."""
    expected = next(n for n in range(5, 1000, 5) if _width(n) < WIDEST)
    found = answers.whole(answer)
    if found == expected:
        interval = share(round(RATE * found), found)
        return right("Yes: {n} seeds give {low:.0%} to {high:.0%}.", n=found, low=interval.low, high=interval.high)
    if found < 5 or found % 5:
        raise Wrong("With {n} seeds a share cannot be exactly 80 %: it takes a multiple of 5.", n=found)
    interval = share(round(RATE * found), found)
    said = {"n": found, "low": interval.low, "high": interval.high, "width": 100 * _width(found)}
    if found < expected:
        raise Wrong("{n} seeds give {low:.0%} to {high:.0%}, {width:.1f} points: too wide. More seeds.", **said)
    raise Wrong("{n} seeds are enough, {width:.1f} points; fewer would do.", **said)


def _width(n: int) -> float:
    found = share(round(RATE * n), n)
    return found.high - found.low


EXERCISES = (
    Exercise(
        "05.1",
        "Write the clamp that ablates the bridge's feature in the generated tokens only: an `sw.Clamp`.",
        (
            "To ablate is to hold at 0. Section 3 lists the scopes.",
            "`sw.Clamp(feature, value, scope)`; the feature is `bridge`.",
        ),
        '`sw.Clamp(bridge, 0.0, "generated")`. Off is something else: a feature that is not clamped keeps its own value.',
        ablation,
    ),
    Exercise(
        "05.2",
        "Make the model say that it is a **dog**, in whole sentences: give a list of clamps of this SAE. It is judged on "
        "the notebook's prompt, at seed 2.",
        (
            "`measured` has clamps of other concepts. Which feature is the dog's, and how far may it go?",
            '`entry = measured["dog"]`; a clamp\'s value is in SAE units, the multiple times the maximum.',
        ),
        '`[measured["dog"].clamp()]`, which is `sw.Clamp(47, 2.0 * 6.92)`. At half of that an owl answers, at twice as much '
        "the model stammers.",
        to_be_a_dog,
    ),
    Exercise(
        "05.3",
        "How many seeds does a point of the dose-response need, so that a share of 80 % has a 95 % interval narrower than "
        "20 percentage points? Give the smallest number.",
        (
            "With 20 seeds it was 58 to 92 %, so 34 points. An interval shrinks with the square root of the number.",
            "Try multiples of 5 with Wilson's interval, `sw.records.shares.share(round(0.8 * n), n)`, which has `low` and `high`.",
        ),
        "60: three times as many as in section 6. `next(n for n in range(5, 500, 5) if ...)` with Wilson's interval finds it.",
        seeds_needed,
    ),
)
