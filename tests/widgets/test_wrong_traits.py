"""What an instrument is told, by Python or by a page, and cannot be: refused, the old value stands, and it can be used
after.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import ipywidgets
import pytest
import traitlets
from instruments import MAKE

import saewidgets as sw
from saewidgets.widgets import _base
from saewidgets.widgets._traits import Real, Whole

GARBAGE: list[Any] = [
    *(2**31, -(2**31) - 1, 2**63, 10**30, 10**400, -(10**400), 1e300, math.nan, math.inf, 1.5, True, None),
    *("abc", "", [], [2**31], [None], {}, {"a": [1]}, [[]]),
]


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


def made(name: str) -> _base.Instrument:
    widget = MAKE[name]()
    if hasattr(widget, "wait"):
        widget.wait(20)
    return widget


def inner(trait: Any) -> Iterator[Any]:
    """A trait and the traits of its entries."""
    yield trait
    for name in ("_trait", "_key_trait", "_value_trait"):
        if isinstance(getattr(trait, name, None), traitlets.TraitType):
            yield from inner(getattr(trait, name))
    for each in (*(getattr(trait, "_traits", None) or ()), *(getattr(trait, "trait_types", None) or ())):
        yield from inner(each)


def own(widget: _base.Instrument) -> dict[str, Any]:
    return {n: t for n, t in widget.traits().items() if issubclass(t.this_class, _base.Instrument)}


@pytest.mark.parametrize("name", sorted(MAKE))
def test_every_number_of_every_instrument_is_of_the_bounded_kind(name):
    found = [t for trait in own(made(name)).values() for t in inner(trait)]
    for trait in found:
        if isinstance(trait, traitlets.Int):
            assert isinstance(trait, Whole), trait.name
        if isinstance(trait, traitlets.Float):
            assert isinstance(trait, Real), trait.name


def test_a_whole_number_has_bounds_and_is_no_bool():
    class Box(traitlets.HasTraits):
        n = Whole(0)
        wide = Whole(0, min=0, max=2**40)
        some = traitlets.List(Whole())
        maybe = Whole(None, allow_none=True)
        x = Real(0.0)

    box = Box(n=3.0, wide=2**40, some=[1, 2], maybe=None)
    assert (box.n, type(box.n), box.wide, box.some, box.maybe) == (3, int, 2**40, [1, 2], None)
    for field, value in (("n", True), ("n", 2**31), ("n", 1.5), ("n", "1"), ("n", math.nan), ("n", None), ("wide", -1)):
        with pytest.raises(traitlets.TraitError, match=f"{field} must be a whole number from"):
            setattr(box, field, value)
    with pytest.raises(traitlets.TraitError, match="x must be a number, not a whole number of about 401 digits"):
        box.x = 10**400
    with pytest.raises(traitlets.TraitError, match="not a whole number of about 401 digits"):
        box.some = [10**400]
    assert (box.n, box.wide, box.some) == (3, 2**40, [1, 2])


@pytest.mark.parametrize("name", sorted(MAKE))
def test_garbage_in_python_is_a_trait_error_or_taken(name):
    widget = made(name)
    for trait in own(widget):
        if trait.startswith("_") or widget.traits()[trait].read_only:
            continue
        before = getattr(widget, trait)
        for value in GARBAGE:
            try:
                setattr(widget, trait, value)
            except (traitlets.TraitError, ValueError):
                assert getattr(widget, trait) == before
            if hasattr(widget, "wait") and getattr(widget, trait) != before:
                widget.wait()  # what a value that was taken set going, such as a training, sets traits in its turn
            before = getattr(widget, trait)
            widget.to_html()


@pytest.mark.parametrize("name", sorted(MAKE))
def test_garbage_from_a_page_is_said_in_the_banner_and_leaves_a_page_that_can_be_exported(name):
    widget = made(name)
    for trait in own(widget):
        for value in GARBAGE:
            before = getattr(widget, trait)
            widget.set_state({trait: value})
            if trait.startswith("_") and trait not in type(widget)._from_page:
                assert getattr(widget, trait) == before
                assert "a page cannot set" in widget.error
        widget.error = ""
        widget.to_html()
        repr(widget), widget.to_code(), widget.to_dataframe()


@pytest.mark.parametrize("value", [2**31, 10**30, -(2**40), 1e300])
def test_a_feature_that_no_array_can_hold_leaves_the_map_as_it_was(value):
    features = MAKE["FeatureMap"]()
    features.feature = 3
    with pytest.raises(traitlets.TraitError, match="feature must be a whole number from"):
        features.feature = value
    features.set_state({"feature": value})
    assert (features.feature, features.point) == (3, 3) and "feature must be a whole number" in features.error
    features.set_state({"feature": 5})
    assert (features.feature, features.point, features.error) == (5, 5, "")
    features.to_html()


def test_what_another_error_than_a_trait_error_refuses_is_put_back():
    class Odd(sw.FeaturePlane):
        @traitlets.validate("note")
        def _check_note(self, proposal: Any) -> str:
            if proposal["value"] == "bad":
                raise OverflowError("too much")
            return proposal["value"]

    plane = Odd(note="good")
    plane.set_state({"note": "bad"})
    assert plane.note == "good" and "too much" in plane.error


def test_a_plane_keeps_as_many_labels_as_directions():
    plane = sw.FeaturePlane([0.0, 90.0], labels=["a", "b"])
    for labels in ([], ["a"]):
        with pytest.raises(traitlets.TraitError, match=f"2 directions need as many labels, not {len(labels)}"):
            plane.labels = labels
        plane.set_state({"labels": labels})
        assert plane.labels[:2] == ["a", "b"] and "need as many labels" in plane.error
    plane.labels = ["c", "d"]
    with pytest.raises(traitlets.TraitError, match="3 directions need as many labels, not 2"):
        plane.angles = [0.0, 10.0, 20.0]
    assert len(plane.to_dataframe()) == 2
