"""Numbers as people give them: NumPy's, torch's, pandas', made Python's own or refused in one sentence.

What is taken is taken exactly: a fraction where a whole number is meant, a truth value, a text or an array is refused,
and nothing is rounded. Whoever holds the result can hash it, compare it and write it as JSON.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T")
SEEDS = 2**63 - 1  # the largest seed: what torch's generators take


def whole(value: Any, name: str, *, minimum: int | None = None, maximum: int | None = None) -> int:
    """A whole number as an int: Python's, NumPy's, or a tensor or array of one element. 31.0 is one, 31.9 and True are
    none.

    Raises TypeError on what is no number, ValueError on a fraction or a number outside the bounds; both name the
    argument and the value.

    Example:
        >>> import numpy as np
        >>> whole(np.int64(3), "seed"), whole(31.0, "feature")
        (3, 31)
        >>> whole(31.9, "feature", minimum=0)
        Traceback (most recent call last):
        ...
        ValueError: feature must be a whole number of 0 or more, not 31.9
    """
    bounds = _bounds(minimum, maximum)
    try:
        found = _number(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number{bounds}, not {_shown(value)}") from None
    inside = isinstance(found, int) or (math.isfinite(found) and found == int(found))
    if inside:
        found = int(found)
        inside = (minimum is None or found >= minimum) and (maximum is None or found <= maximum)
    if not inside:
        raise ValueError(f"{name} must be a whole number{bounds}, not {_shown(value)}")
    return int(found)


def real(value: Any, name: str, *, minimum: float | None = None, maximum: float | None = None) -> float:
    """A finite number as a float: Python's, NumPy's, or a tensor or array of one element.

    Raises TypeError on what is no number, ValueError on nan, infinity or a number outside the bounds; both name the
    argument and the value.

    Example:
        >>> import numpy as np
        >>> real(np.float32(0.5), "temperature")
        0.5
    """
    bounds = _bounds(minimum, maximum)
    try:
        found = float(_number(value))
    except TypeError:
        raise TypeError(f"{name} must be a finite number{bounds}, not {_shown(value)}") from None
    except OverflowError:  # an integer beyond the largest float
        found = math.inf
    if (
        not math.isfinite(found)
        or (minimum is not None and found < minimum)
        or (maximum is not None and found > maximum)
    ):
        raise ValueError(f"{name} must be a finite number{bounds}, not {_shown(value)}")
    return found


# Class -> the line that makes one. By name: most of these classes are of higher floors.
_MADE = {
    "ClampRecording": "sw.record_clamps(steerer, prompt, grid)",
    "Completeness": 'sw.analysis.completeness(model, {"small": sae, "large": other}, corpus)',
    "Corpus": "sw.load_corpus()",
    "DashboardData": "sw.dashboard_data(model, sae, acts)",
    "DirectionsData": "sw.analysis.directions.directions(model, sae=sae)",
    "DoseResponseData": "sw.dose_response(model, sae, feature, prompt=prompt, acts=acts)",
    "FeatureActivations": "sw.feature_activations(model, sae, corpus)",
    "FeatureMapData": "sw.feature_map(sae, acts, model=model)",
    "SAE": "sw.load_sae()",
    "SAEConfig": "sw.SAEConfig(d_in=768, d_sae=4096)",
    "Specificity": "sw.specificity(model, sae, acts, feature, claim, corpus=corpus)",
    "Steer": "sw.steering.add_feature(sae, 31)",
    "Steerer": "sw.Steerer(model, sae)",
    "Sweep": "sw.train_sweep(runs, batches)",
    "TokenParts": "sw.token_parts(model, sae, text)",
    "ToyConfig": "sw.ToyConfig(n_features=5, n_hidden=2)",
    "ToyRun": "sw.train_toy(config).run()",
    "TrainConfig": "sw.TrainConfig(steps=1000)",
}


def expect(value: T, kind: type | tuple[type, ...] | bool, name: str, to: str, how: str = "") -> T:
    """The value, if it is of the kind that an argument takes; else TypeError that says what to give, what was given,
    and what to type.

    Args:
        value: what was given.
        kind: one class or several; or whether the value will do, where no class says so.
        name: of the argument.
        to: what takes it, such as "FeatureDashboard".
        how: what makes such a value, where it is not the one line known for the (first) class.

    Example:
        >>> expect("31", int, "feature", "a clamp", "give a number")
        Traceback (most recent call last):
        ...
        TypeError: a clamp takes for feature an int, not '31', a str: give a number
    """
    if kind if isinstance(kind, bool) else isinstance(value, kind):
        return value
    classes = () if isinstance(kind, bool) else kind if isinstance(kind, tuple) else (kind,)
    wanted = " or ".join(_article(c.__name__) for c in classes)
    made = how or f"make it with {_MADE[classes[0].__name__]}"
    takes = f"takes for {name} {wanted}, not" if wanted else f"cannot take for {name}"
    raise TypeError(f"{to} {takes} {kind_of(value)}: {made}")


def asked(value: Any) -> bool:
    """Whether a value is a function or an object that an instrument may call: no class, and no model or SAE, though
    torch's are callable.
    """
    return callable(value) and not isinstance(value, type) and not any(hasattr(value, n) for n in ("forward", "hooked"))


def kind_of(value: Any) -> str:
    """What a value is, in a sentence: "an SAE", "None", "'text', a str".

    Example:
        >>> kind_of([1]), kind_of("a"), kind_of(None)
        ('a list', "'a', a str", 'None')
    """
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    short = f"{value!r:.60}, " if isinstance(value, str | bool | int | float) else ""
    return short + _article(type(value).__name__)


def _article(name: str) -> str:
    return f"{'an' if name[:1] in 'AEIOUaeio' or name.startswith('SAE') else 'a'} {name}"


def seed_of(value: Any, name: str = "seed") -> int:
    """A seed as an int, 0 to 2^63 - 1. Raises TypeError or ValueError on anything else."""
    return whole(value, name, minimum=0, maximum=SEEDS)


class UnknownFeatureError(IndexError, ValueError):
    """A feature that an SAE does not have. Both an IndexError and a ValueError: it is an index, and an argument."""


def require_features(features: Iterable[Any], d_sae: int) -> list[int]:
    """Features as ints, if an SAE of `d_sae` features has them all.

    Raises UnknownFeatureError, with the range, on the first that it does not have; TypeError or ValueError on what is
    no whole number.

    Example:
        >>> require_features([3, 47], 48)
        [3, 47]
        >>> require_features([48], 48)
        Traceback (most recent call last):
        ...
        saewidgets.records.arguments.UnknownFeatureError: feature 48 does not exist: this SAE has features 0 to 47
    """
    found = [whole(feature, "feature") for feature in features]
    for feature in found:
        if not 0 <= feature < d_sae:
            raise UnknownFeatureError(f"feature {feature} does not exist: this SAE has features 0 to {d_sae - 1}")
    return found


def listed(values: Any, name: str, one: str) -> list[Any]:
    """What one can walk over as a list: a list, tuple, range, set, array or generator. `one` is the singular, for the
    sentence.

    Raises TypeError, with what to type, on a single thing, a text, None or a mapping, where a list is meant.

    Example:
        >>> listed(range(2), "seeds", "seed")
        [0, 1]
        >>> listed(3, "seeds", "seed")
        Traceback (most recent call last):
        ...
        TypeError: seeds must be a list, such as [seed, ...], not 3
    """
    plain = isinstance(values, str | bytes | dict) or values is None or getattr(values, "ndim", 1) == 0
    if plain or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list, such as [{one}, ...], not {_shown(values)}")
    return list(values)


def _number(value: Any) -> int | float:
    """The Python number behind a value; TypeError where there is none."""
    if (
        not isinstance(value, numbers.Number)
        and hasattr(value, "item")
        and math.prod(getattr(value, "shape", (0,))) == 1
    ):
        value = value.item()  # an array, a tensor or a NumPy scalar
    if isinstance(value, bool) or (isinstance(value, numbers.Complex) and not isinstance(value, numbers.Real)):
        raise TypeError
    try:
        return operator.index(value)
    except TypeError:
        if not hasattr(value, "__float__"):
            raise
        return float(value)


def _bounds(minimum: float | None, maximum: float | None) -> str:
    if minimum is not None and maximum is not None:
        return f" from {minimum} to {maximum}"
    return f" of {minimum} or more" if minimum is not None else f" of {maximum} or less" if maximum is not None else ""


def _shown(value: Any) -> str:
    """A value in a sentence; a number as Python writes it, and nothing long."""
    try:
        if hasattr(value, "item") and math.prod(getattr(value, "shape", (0,))) == 1:
            value = value.item()
        text = repr(value)
    except Exception:  # a repr that fails must not hide what was wrong
        text = f"an object of type {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:60]}... ({type(value).__name__})"
