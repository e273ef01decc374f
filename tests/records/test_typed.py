"""The reader of records: what an annotation says is what a file may hold, and where it is wrong is told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.records import Clamp, Generation, Steer, Token
from saewidgets.records.marks import Axes, NanOr, Null, OneOf, fit
from saewidgets.records.typed import record, value


@dataclass(frozen=True)
class Leaf:
    name: str
    size: int = 0


@dataclass(frozen=True)
class Tree:
    words: tuple[str, ...]
    leaves: tuple[Leaf, ...] = ()
    by_number: Mapping[int, float] = field(default_factory=dict)
    mode: Literal["slow", "fast"] = "slow"
    shade: Annotated[str, OneOf(("dark", "light"))] = "dark"
    height: float | None = None
    scope: str | int = "all"
    kl: NanOr = 0.0
    worst: Annotated[float, Null(math.inf)] = 1.0
    pair: tuple[str, bool] = ("", False)
    rows: tuple[tuple[str, ...], ...] = ()
    x: Annotated[np.ndarray, Axes("n", dtype=np.float32)] | None = None
    y: Annotated[np.ndarray, Axes("n", dtype=np.int16)] | None = None
    z: Annotated[np.ndarray, Axes("n", "m", dtype=np.floating)] | None = None

    def __post_init__(self) -> None:
        if "forbidden" in self.words:
            raise ValueError("a word is forbidden")


GOOD = {
    "words": ["a"],
    "leaves": [{"name": "b", "size": 3}],
    "by_number": {"31": 2.5},
    "rows": [["c"], []],
    "pair": ["d", True],
}

WRONG = {
    "words.0=3": ({"words": [3]}, "words[0] is 3, not a text"),
    "words a text": ({"words": "abc"}, "words is 'abc', not a list"),
    "words null": ({"words": None}, "words is null, not a list"),
    "a bool is no number": ({"leaves": [{"name": "b", "size": True}]}, "leaves[0].size is true, not a whole number"),
    "a fraction": ({"leaves": [{"name": "b", "size": 1.0}]}, "leaves[0].size is 1.0, not a whole number"),
    "a huge number": ({"leaves": [{"name": "b", "size": 10**400}]}, "a whole number of about 401 digits, out of range"),
    "2^63": ({"leaves": [{"name": "b", "size": 2**63}]}, "leaves[0].size is a whole number of about 20 digits, out of range"),
    "no name": ({"leaves": [{"size": 1}]}, "leaves[0] has no 'name', which every Leaf has"),
    "a stranger": ({"leaves": [{"name": "b", "sise": 1}]}, "leaves[0] has an unknown field 'sise'; nearest: size"),
    "a list for a leaf": ({"leaves": [["b", 1]]}, "leaves[0] is a list, not an object"),
    "a leaf for a list": ({"leaves": {"name": "b"}}, "leaves is an object, not a list"),
    "a key": ({"by_number": {"x": 1.0}}, "by_number has the key 'x', not a whole number"),
    "a key with a zero": ({"by_number": {"01": 1.0}}, "by_number has the key '01', not a whole number"),
    "a value": ({"by_number": {"31": "1"}}, "by_number[31] is '1', not a number"),
    "inf": ({"by_number": {"31": math.inf}}, "by_number[31] is inf, out of range"),
    "a huge float": ({"by_number": {"31": 10**400}}, "by_number[31] is a whole number of about 401 digits, out of range"),
    "literal": ({"mode": "fats"}, "mode is 'fats', not one of 'slow', 'fast'"),
    "one of": ({"shade": 1}, "shade is 1, not one of 'dark', 'light'"),
    "optional": ({"height": "x"}, "height is 'x', not a number"),
    "union": ({"scope": 1.5}, "scope is 1.5, not a text or a whole number"),
    "nan as text": ({"kl": "nan"}, "kl is 'nan', not a number"),
    "pair": ({"pair": ["d"]}, "pair is a list of 1, not a list of 2"),
    "pair.1": ({"pair": ["d", 1]}, "pair[1] is 1, not true or false"),
    "rows flat": ({"rows": ["ab"]}, "rows[0] is 'ab', not a list"),
    "array of text": ({"x": [1.0, "2"]}, "x[1] is '2', not a number"),
    "array flat": ({"x": 3}, "x is 3, not a list"),
    "array too large": ({"x": [0.5, 1e300]}, "x[1] is 1e+300, out of range"),
    "array of ints": ({"y": [1, 2.0]}, "y[1] is 2.0, not a whole number"),
    "array of small ints": ({"y": [1, 40_000]}, "y[1] is 40000, out of range"),
    "array of bools": ({"y": [True]}, "y[0] is true, not a whole number"),
    "ragged": ({"z": [[1.0], [1.0, 2.0]]}, "z[1] has 2 entries, the first row 1"),
    "another dtype": ({"x": np.zeros(2)}, "x is float64, not float32"),
    "another family": ({"z": np.zeros((1, 1), int)}, "z is int64, not floating"),
    "axes": ({"x": [1.0, 2.0], "y": [1]}, 'y has 1 entry along "n", expected 2 as in x'),
    "number of axes": ({"z": np.zeros(2)}, "z has shape [2], not [n, m]"),
    "its own refusal": ({"words": ["forbidden"]}, "a word is forbidden"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "sentence"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_refused_with_its_place_and_what_stands_there(change, sentence):
    with pytest.raises(ValueError) as caught:
        record(Tree, {**GOOD, **change})
    assert sentence in str(caught.value)


def test_what_is_right_comes_through_as_it_is():
    tree = record(
        Tree,
        {**GOOD, "kl": None, "worst": None, "height": 2, "scope": 3, "x": [1, None], "y": [-5, 7], "z": [[1.5], [2]]},
    )
    assert (tree.words, tree.leaves, tree.rows, tree.pair) == (("a",), (Leaf("b", 3),), (("c",), ()), ("d", True))
    assert tree.by_number == {31: 2.5} and type(tree.height) is float and tree.scope == 3
    assert math.isnan(tree.kl) and tree.worst == math.inf
    assert tree.x.dtype == np.float32 and tree.x[0] == 1 and np.isnan(tree.x[1])
    assert tree.y.dtype == np.int16 and tree.y.tolist() == [-5, 7] and tree.z.tolist() == [[1.5], [2.0]]
    assert record(Tree, {"words": ["half of a pair \ud83d"]}).words == ("half of a pair \ud83d",)


def test_columns_of_one_axis_are_as_long_as_one_another():
    @dataclass(frozen=True)
    class Bins:
        edges: Annotated[tuple[float, ...], Axes("bin + 1")]
        counts: Annotated[tuple[int, ...], Axes("bin")]
        names: Annotated[tuple[str, ...], Axes("bin", or_none=True)] = ()

    fit(Bins((0.0, 1.0, 2.0), (5, 3)))
    fit(Bins((0.0, 1.0, 2.0), (5, 3), ("a", "b")))
    with pytest.raises(ValueError, match=r'^counts has 3 entries along "bin", expected 2 as in edges$'):
        fit(Bins((0.0, 1.0, 2.0), (5, 3, 1)))
    with pytest.raises(ValueError, match=r'^names has 1 entry along "bin", expected 2 as in edges$'):
        fit(Bins((0.0, 1.0, 2.0), (5, 3), ("a",)))


def test_a_union_of_two_records_is_read_as_the_one_whose_fields_it_has():
    text = Generation("Hi", (Token(7, " a", -0.5, math.nan),), (Clamp(3, 2.0, "prompt"), Steer((1.0, 2.0))), 0, 0.5)
    again = Generation.from_dict(text.to_dict())
    assert again.clamps == text.clamps and math.isnan(again.tokens[0].kl)
    with pytest.raises(ValueError, match=r"^clamps\[0\]\.value is '2', not a number$"):
        Generation.from_dict({**text.to_dict(), "clamps": [{"feature": 3, "value": "2"}]})
    with pytest.raises(ValueError, match=r"^clamps\[0\]: unknown scope 'al'; nearest: 'all'"):
        Generation.from_dict({**text.to_dict(), "clamps": [{"feature": 3, "value": 2.0, "scope": "al"}]})


@pytest.mark.parametrize("kind", [bool | str, str | bool])
def test_a_union_says_the_same_however_it_is_written(kind):
    """The two are equal, so a cache of readers gives both what was made for the first."""
    with pytest.raises(ValueError, match=r"^x is 1\.5, not a text or true or false$"):
        value(kind, 1.5, "x")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_each_kind_takes_its_own_type_and_no_other(found):
    """By a second method, `isinstance` on the whole; a bool is neither a number nor a whole number."""
    whole = isinstance(found, int) and not isinstance(found, bool)
    finite = (whole and abs(found) < 2**63) or (isinstance(found, float) and math.isfinite(found))
    expected = {
        str: isinstance(found, str),
        bool: isinstance(found, bool),
        int: whole and abs(found) < 2**63,
        float: finite,
        tuple[str, ...]: isinstance(found, list) and all(isinstance(x, str) for x in found),
        tuple[bool, ...]: isinstance(found, list) and all(isinstance(x, bool) for x in found),
        dict[str, str]: isinstance(found, dict) and all(isinstance(x, str) for x in found.values()),
    }
    for kind, fits in expected.items():
        try:
            value(kind, found, "x")
            took = True
        except ValueError as error:
            took = False
            assert str(error).startswith("x")
        assert took == fits, (kind, found)
