"""The exported page: hostile text comes back exact, nothing is fetched, the bytes are the same each time."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import sample_records
from hostile import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets import export, frontend
from saewidgets.records import DashboardData, FeatureExample, MovedLogits, TokenEffect


class Outline(HTMLParser):
    """The elements of a page and the text of its scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles: list[str] = []
        self.policy = ""
        self.links: list[str] = []
        self._open = ""
        self._attributes: dict[str, str | None] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self._open, self._attributes = tag, dict(attributes)
        self.links += [value for name, value in attributes if name in ("href", "src", "action", "srcset")]
        if self._attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = self._attributes["content"]

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        if self._open == "script":
            self.scripts.append((self._attributes, data))
        elif self._open == "style":
            self.styles.append(data)

    @property
    def data(self):
        return json.loads(next(text for attributes, text in self.scripts if attributes.get("id") == "saew-data"))


def table(view):
    """What a dashboard's page carries of its features, tokens as [id, text, ...] again."""
    packed = json.loads(zlib.decompress(base64.b64decode(view["lookup"]["packed"])))
    for feature in packed["table"].values():
        for example in feature["top"] + feature["intervals"]:
            example["t"] = [packed["_pool"][place] for place in example["t"]]
    return packed["table"]


@pytest.fixture(scope="module")
def data() -> DashboardData:
    return sample_records.dashboard()


@pytest.fixture(scope="module")
def plain(data) -> list[str]:
    return Outline(export.dashboard_html(data)).elements


@pytest.mark.parametrize("token", HOSTILE, ids=lambda token: ascii(token)[:24])
def test_hostile_text_comes_back_exact_and_adds_no_element(data, plain, token):
    page = export.dashboard_html(sample_records.with_token(data, token), title=token)
    page.encode("utf-8")
    outline = Outline(page)
    assert outline.elements == plain
    (view,) = outline.data
    shown = table(view)["31"]
    token = re.sub(
        r"[\ud800-\udfff]", lambda half: f"⟨U+{ord(half[0]):04X}⟩", token
    )  # half a pair is named, as in a notebook
    assert shown["label"] == token
    assert {example["t"][0][1] for example in shown["top"]} == {token}
    assert {effect["token"] for effect in shown["promoted"] + shown["suppressed"]} == {token}
    assert view["state"]["_index"][0]["promoted"][0] == token
    assert token in view["state"]["_passport"]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(st.characters(), max_size=40))
def test_any_text_survives_embedding(text):
    embedded = export.embed([text])
    assert json.loads(embedded) == [text]
    assert embedded.isascii() and not set(embedded) & set("<>&")


def test_numbers_that_are_not_json_are_refused():
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            export.embed({"x": bad})


def test_the_policy_admits_exactly_what_the_page_carries(data):
    outline = Outline(export.dashboard_html(data))
    assert "default-src 'none'" in outline.policy
    assert "unsafe" not in outline.policy and "http" not in outline.policy and "*" not in outline.policy

    def source(text):
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    (style,) = outline.styles
    assert f"style-src {source(style)};" in outline.policy
    ((_, module),) = [s for s in outline.scripts if s[0].get("type") == "module"]
    assert f"script-src {source(module)};" in outline.policy
    assert len(outline.scripts) == 2


def test_the_page_fetches_nothing_and_stores_nothing(data):
    page = export.dashboard_html(data)
    assert Outline(page).links == []
    urls = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`]*", page))
    assert urls == {"http://www.w3.org/2000/svg"}  # a name, not an address
    for word in (
        "localStorage",
        "sessionStorage",
        "document.cookie",
        "indexedDB",
        "fetch(",
        "XMLHttpRequest",
        "@import",
    ):
        assert word not in page.replace("touch localStorage or cookies", "")


def test_the_page_tells_nothing_of_the_machine(data, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    page = export.dashboard_html(data)
    for secret in ("hf_secret", os.path.expanduser("~") + "/", os.getcwd()):
        assert secret not in page


def test_the_same_records_give_the_same_bytes(data, tmp_path):
    once = export.dashboard_html(data, tmp_path / "a.html")
    again = DashboardData(data.passport, dict(reversed(data.features.items())))
    assert export.dashboard_html(again) == once
    assert (tmp_path / "a.html").read_bytes() == once.encode()


def test_twenty_features_fit_in_a_megabyte(data):
    """With everything that is measured, and no two alike: noise, which does not compress. Real features take a quarter
    of it.
    """
    dice = random.Random(0)

    def effects(n):
        return tuple(TokenEffect(f"t{i}", i, dice.gauss(0, 1)) for i in (dice.randrange(2000) for _ in range(n)))

    def example(interval):
        on = [dice.random() < 0.25 or i == 8 for i in range(17)]
        ids = tuple(dice.randrange(2000) for _ in range(17))
        moved = tuple(MovedLogits(i, effects(5), effects(5)) for i in range(17) if on[i])
        return FeatureExample(
            tuple(f" token{i}" for i in ids),
            ids,
            tuple(dice.uniform(0, 12) if o else 0.0 for o in on),
            8,
            dice.randrange(4000),
            dice.randrange(100),
            interval,
            tuple(dice.gauss(0, 0.3) if dice.random() < 0.5 else 0.0 for _ in on),
            moved,
        )

    def one(f):
        intervals = tuple(example(i) for i in range(10) for _ in range(5))
        return replace(
            data[31], feature=f, top=tuple(example(-1) for _ in range(20)), intervals=intervals, measured=True
        )

    many = DashboardData(data.passport, {f: one(f) for f in range(20)}, dict.fromkeys(range(0, 2000, 50), "0a"))
    page = export.dashboard_html(many)
    assert len(page.encode()) < 1_000_000


def test_a_choice_of_features(data):
    page = export.dashboard_html(data, features=[57, 42], feature=57)
    (view,) = Outline(page).data
    assert sorted(table(view)) == ["42", "57"]
    assert view["state"]["feature"] == 57
    for options in ({"features": [1]}, {"features": [31], "feature": 42}):
        with pytest.raises(ValueError, match="nearest: "):
            export.dashboard_html(data, **options)
    with pytest.raises(ValueError, match="empty"):
        export.dashboard_html(DashboardData(data.passport, {}))


def test_several_instruments_share_a_page(data):
    view = export.dashboard_view(data)
    plane = {
        "instrument": "plane",
        "state": {"point": [0, 1], "angles": [0], "labels": ["x"], "error": ""},
        "lookup": None,
    }
    outline = Outline(export.page("two", [view, plane]))
    assert [v["instrument"] for v in outline.data] == ["dashboard", "plane"]
    assert outline.elements.count("div") == 2


# -- the modules that travel with it ---------------------------------------------------------------------------------

INSTRUMENTS = frontend.INSTRUMENTS


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_modules_are_joined_without_a_rest(name):
    text = frontend.esm(name)
    assert not re.search(r"^\s*import\b", text, re.MULTILINE)
    assert re.findall(r"^export .*$", text, re.MULTILINE) == [
        f"export default $shared_life.watched(${name}_index.default);"
    ]
    scopes = re.findall(r"^const (\$\w+) = \(\(\) => \{$", text, re.MULTILINE)
    assert len(scopes) == len(set(scopes))
    used = set(re.findall(r"^const \{[^}]*\}=(\$\w+);$", text, re.MULTILINE)) | {"$shared_life"}
    assert used == set(scopes) - {f"${name}_index"}  # each is there once, and somebody needs it
    # All that a notebook is sent for one instrument; of it 16 kB explain its words and its parts. The superposition lab
    # is a chooser, a phase diagram and fifteen views in six groups.
    assert len(text) + len(frontend.css(name)) < (200_000 if name == "superposition" else 124_000)


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_every_color_that_an_instrument_names_is_in_its_sheet(name):
    sheet = frontend.css(name)
    there = set(re.findall(r"(--saew-\w+):", sheet))
    named = re.findall(r"--saew-\w+", frontend.esm(name) + sheet)
    assert {color for color in named if color[-1].isdigit()} <= there
    for family, n in (
        ("c", 5),
        ("d", 8),
        ("on", 8),
        ("p", 5),
        ("k", 7),
        ("r", 5),
    ):  # a number is added where it is used
        whole = {f"--saew-{family}{i}" for i in range(1, n + 1)}
        assert whole <= there or (f"--saew-{family}" not in named and "--saew-" not in named)
    assert "--saew-c1" in there and ("--saew-k1" in there) == (name == "map")  # and what nobody names is not sent


@pytest.mark.parametrize("name", [*INSTRUMENTS, "shim"])
def test_modules_write_text_only(name):
    text = frontend.program(name)
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser"):
        assert way not in text
    assert "</script" not in text.lower() and "<!--" not in text and "\r" not in text


def test_a_page_has_one_main_part_under_one_heading_of_the_first_level():
    view = {"instrument": "plane", "state": {}, "lookup": None}
    page = export.page("<b>Planes</b>", [view, view])
    elements = Outline(page).elements
    assert elements.count("main") == elements.count("h1") == 1 and "b" not in elements
    inside = page[page.index("<main>") : page.index("</main>")]
    assert inside.count('class="saew-mount"') == 2 and ">&lt;b&gt;Planes&lt;/b&gt;</h1>" in inside
