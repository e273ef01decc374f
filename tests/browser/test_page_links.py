"""The address of an exported page: what a person set is in it and comes back from it; what is not of the page is left
out.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from urllib.parse import quote, unquote

import pytest
import sample_records
from instruments import CHANGES, MAKE

import saewidgets as sw
from saewidgets import export
from saewidgets.records import Clamp, ClampRecording

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=30_000)  # ms; a busy machine is slow, not wrong
pytestmark = pytest.mark.browser

# Traits whose changes in CHANGES a page without a kernel can make as well, and those of a kind of its own.
MORE = {
    "DoseResponse": {"_point": None},
    "SuperpositionLab": {"view": "matrix", "marked": 1},
    "FeatureSearch": {"feature": 31},
    "ClampPanel": {"logprobs": True},
    "TrainingMonitor": {},
}
SHARED = ("feature", "token", "interval")


@pytest.fixture
def show(page, tmp_path):
    def opened(text, fragment=""):
        path = tmp_path / "page.html"
        path.write_text(text)
        page.goto("about:blank")
        page.goto(path.as_uri() + fragment)
        expect(page.locator(".saew").first).to_be_visible()
        return page

    return opened


def note(page):
    return page.locator(".saew-page-note")


def asked(view, name):
    """{key of the address: value} that the page of an instrument may be asked for."""
    wanted = {**CHANGES[name], **MORE.get(name, {})}
    if "_point" in wanted:
        wanted["_point"] = view["links"]["_point"]["of"][-1]
    own = {key: value for key, value in wanted.items() if key in view["links"]}
    return {key if key in SHARED else f"{view['instrument']}.{key}": value for key, value in own.items()}


def fragment(wanted):
    return "#" + "&".join(f"{key}={quote(json.dumps(value, separators=(',', ':')))}" for key, value in wanted.items())


def address(page):
    _, _, text = page.url.partition("#")
    return {key: json.loads(unquote(value)) for key, value in (pair.split("=") for pair in text.split("&") if pair)}


def test_each_instrument_opens_at_its_address_and_is_reset(show):
    """A page tells nobody its traits, so this reads them where they come back: Reset writes each that was set to the
    address, as it was at the beginning.
    """
    for name, make in sorted(MAKE.items()):
        text = make().to_html()
        (view,) = json.loads(re.search(r'id="saew-data">(.*?)</script>', text)[1])
        wanted, state = asked(view, name), view["state"]
        if name == "GradingSheet":  # grades are a person's own: a page shows them, and no address sets them
            assert view["links"] == {}
            continue
        page = show(text, fragment(wanted))
        assert wanted or name == "TrainingMonitor", name
        expect(note(page), name).to_be_hidden()
        history = page.evaluate("history.length")
        page.get_by_role("button", name="Reset", exact=True).click()
        begun = {key: state[key.rpartition(".")[2]] for key in wanted}
        changed = {key for key in wanted if json.dumps(wanted[key]) != json.dumps(begun[key])}
        if changed:
            expect(page, name).not_to_have_url(re.compile(re.escape(fragment(wanted)) + "$"))
            begun = json.loads(json.dumps(begun))
            for _ in range(100):  # an address is written a few times a second
                if {key: address(page)[key] for key in wanted} == begun:
                    break
                page.wait_for_timeout(50)
            assert {key: address(page)[key] for key in wanted} == begun, name
        assert page.evaluate("history.length") == history, name


def recorded():
    """The bridge at 0 and 2 times its maximum with seeds 0 and 1."""
    writer = sample_records.Writer()
    data = sample_records.dashboard()
    texts = tuple(
        sw.records.Generation(
            "I am", tuple(writer("I am", clamps, n_tokens=20, seed=s, temperature=0.5)), clamps, s, 0.5
        )
        for s in (0, 1)
        for clamps in ((), (Clamp(31, 0.0),), (Clamp(31, 25.0),))
    )
    recording = ClampRecording("I am", texts, {31: data[31].maximum}, 20)
    return sw.ClampPanel(recording, data, multiples={31: 0.0})


def test_what_is_set_is_in_the_address_and_comes_back(show):
    """A slider of a recorded panel: the text of the address is the one that was seen."""
    html = recorded().to_html()
    page = show(html)
    assert "#" not in page.url  # nothing was set yet
    length = page.evaluate("history.length")
    seed = page.get_by_label("Seed", exact=False).first
    clamped = page.locator(".saew-pane").nth(1)
    before = clamped.inner_text()
    page.locator("input[type=range]").first.press("End")
    expect(page).to_have_url(re.compile("#.*multiples"))
    expect(clamped).not_to_have_text(before)
    seen, link = clamped.inner_text(), page.url
    assert page.evaluate("history.length") == length
    assert set(address(page)) == {"clamp.multiples"} and address(page)["clamp.multiples"]["31"] > 1
    show(html, "#" + link.partition("#")[2])
    assert clamped.inner_text() == seen and page.url == link
    assert seed.count()


def test_a_hostile_address_sets_nothing_and_says_so(show):
    data = replace(sample_records.dashboard(), passport=replace(sample_records.dashboard().passport, sae="0f" * 32))
    html = export.dashboard_html(data, feature=31, features=[31, 42, 57])
    title = "Golden Gate Bridge"
    bad = [
        "#feature=57&feature=-1",
        "#feature=7",  # no feature of this page
        "#feature=57&sae=1e1e1e1e",
        "#feature=57&dashboard.names=%7B%7D",
        "#__proto__=1",
        "#feature=%22%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%22",
        "#token=%5B1e400,2%5D",
        "#%E0%A4%A",
        "#" + "a" * 100_000,
    ]
    page = show(html, bad[1])
    for one in bad:
        page.evaluate(f"location.hash = {json.dumps(one)}")
        expect(page.locator("h2 .saew-title"), one).to_have_text(title)
        expect(note(page), one).to_contain_text("nothing of it was set")
    assert page.locator("img").count() == 0
    page.get_by_role("button", name="Next feature").click()
    expect(note(page)).to_be_hidden()  # the address is this page's own again
    assert page.url.endswith("#feature=42&sae=0f0f0f0f")
    show(html, "#feature=57&sae=0f0f0f0f")
    expect(page.locator("h2 .saew-title")).to_have_text("Spanish")
    expect(note(page)).to_be_hidden()
    show(html, "#feature=57")  # a link by hand, or of before
    expect(page.locator("h2 .saew-title")).to_have_text("Spanish")
