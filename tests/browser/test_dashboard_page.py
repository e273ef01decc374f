"""The dashboard's exported page: hover, chosen tokens, bins, underlines, tables, permalinks; by mouse, and by keys
alone.
"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import sample_records
from hostile import HOSTILE

from saewidgets import export
from saewidgets.records import (
    Correlation,
    DashboardData,
    FeatureExample,
    Histogram,
    MovedLogits,
    Neighbor,
    NeuronLink,
    TokenEffect,
)

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


def rich(data: DashboardData, names: tuple[str, ...] = (" lighthouse", " ferry")) -> DashboardData:
    """The sample records with all that is measured: token 0 of every example helped by 0.5 nats, token 1 hurt by 0.1."""
    moved = (TokenEffect(names[0], 901, 1.25),), (TokenEffect(names[1], 902, -0.75),)

    def example(e: FeatureExample) -> FeatureExample:
        n = len(e.tokens)
        at = tuple(i for i, a in enumerate(e.activations) if a > 0)
        return replace(e, loss_effects=(0.5, -0.1, *[0.0] * (n - 2)), moved=tuple(MovedLogits(i, *moved) for i in at))

    def feature(f):
        return replace(
            f,
            top=tuple(map(example, f.top)),
            intervals=tuple(map(example, f.intervals)),
            logit_histogram=Histogram((-0.4, -0.2, 0.0, 0.2, 0.4, 0.7), (3, 400, 1500, 130, 15)),
            encoder_neighbors=(Neighbor(57, 0.21, 0.77),),
            correlated=(Correlation(104, 0.66, 0.68, 0.12),),
            aligned_neurons=(NeuronLink(2, 17, -0.5, 0.25, 0.125, 0.3),),
            correlated_neurons=(NeuronLink(2, 33, 0.1, 0.2, 0.875, 0.9),),
            neuron_tokens=65_536,
            measured=True,
        )

    return DashboardData(
        data.passport,
        {i: feature(f) for i, f in data.features.items()},
        {e.token_ids[0]: "f09f" for f in data.features.values() for e in f.top},
        Histogram((-4.0, -3.0, -2.0, -1.0), (5, 60, 9)),
        7,
    )


@pytest.fixture
def data() -> DashboardData:
    return rich(sample_records.dashboard())


@pytest.fixture
def show(page, tmp_path):
    """Write a page to disk, open it from there, and return Playwright's page."""

    def opened(text: str, anchor: str = ""):
        path = tmp_path / "page.html"
        path.write_bytes(text.encode("utf-8"))
        page.goto("about:blank")
        page.goto(path.as_uri() + anchor)
        page.wait_for_selector(".saew-heading")
        return page

    return opened


def facts(page) -> dict[str, str]:
    """What the tooltip says, by name."""
    rows = page.get_by_role("tooltip").locator("> div")
    return dict(tuple(row.locator("span").all_inner_texts()[:2]) for row in rows.all())


def test_a_token_tells_its_numbers(show, data):
    page = show(export.dashboard_html(data, feature=31))
    e = data[31].top[0]
    page.locator(".saew-example").first.locator(".saew-token").nth(e.peak).hover()
    said = facts(page)
    assert said["id"] == str(e.token_ids[e.peak])
    assert said["bytes"] == e.tokens[e.peak].encode().hex(" ").upper()
    assert said["activation"] == f"{e.maximum:.3g}"
    assert said["its loss without the feature"] == ("0 nats" if e.peak > 1 else "+0.5 nats")
    assert said["makes likelier next"] == "·lighthouse +1.25"
    assert said["makes less likely next"] == "·ferry −0.75"
    page.locator(".saew-example").first.locator(".saew-token").first.hover()
    said = facts(page)
    assert said["bytes"] == "F0 9F", "the bytes that the record names, where the text hides them"
    assert said["its loss without the feature"] == "+0.5 nats"


def test_underlines_tell_helped_from_hurt_without_color(show, data):
    page = show(export.dashboard_html(data, feature=31))
    row = page.locator(".saew-example").first
    styles = [
        row.locator(".saew-token").nth(i).locator(".saew-word").evaluate("e => getComputedStyle(e).borderBottomStyle")
        for i in range(3)
    ]
    assert styles == ["solid", "dashed", "none"]
    widths = [
        row.locator(".saew-token").nth(i).locator(".saew-word").evaluate("e => getComputedStyle(e).borderBottomWidth")
        for i in range(2)
    ]
    assert widths == ["4px", "2px"]  # half a nat is strong, a tenth is not
    legend = page.locator(".saew-underlines")
    expect(legend).to_contain_text("less likely without it")
    expect(legend).to_contain_text("likelier without it")
    plain = show(export.dashboard_html(sample_records.dashboard(), feature=31))
    expect(plain.locator(".saew-underlines")).to_have_count(0)  # not measured: nothing claimed


def test_tables_and_charts_say_what_the_record_says(show, data):
    page = show(export.dashboard_html(data, feature=31))
    rows = [
        [cell.strip() for cell in row.split("\t")] for row in page.locator(".saew-links tbody tr").all_inner_texts()
    ]
    flat = [" ".join(" ".join(row).split()) for row in rows]
    assert "#57 Spanish 0.77 0.21" in flat  # nearest by encoder
    assert "#104 plural 0.66 0.68 0.12" in flat  # active at the same tokens
    assert "2 · 17 −0.50 0.25 0.13" in flat or "2 · 17 −0.50 0.25 0.12" in flat
    assert "2 · 33 0.10 0.20 0.88" in flat
    expect(page.locator(".saew-tables")).to_contain_text("over 65,536 tokens")
    expect(page.get_by_role("img", name=re.compile("2,048 tokens of the vocabulary"))).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("Histogram of 74 features"))).to_be_visible()
    expect(page.locator(".saew-side").first).to_contain_text("7 never fire here")
    assert page.locator(".saew-mark-up").count() == len(data[31].promoted)


def test_a_bin_shows_its_examples_and_lets_them_go(show, data):
    page = show(export.dashboard_html(data, feature=31))
    f = data[31]
    edges, e = f.histogram.edges, f.intervals[7]
    at = max(i for i, edge in enumerate(edges) if edge <= e.maximum)
    inside = {x.maximum for x in f.top + f.intervals if edges[at] <= x.maximum < edges[at + 1]}
    hit = page.locator(".saew-hit").nth(at)
    hit.click()
    box = page.locator(".saew-bin")
    expect(box).to_contain_text("Examples with activation")
    shown = box.locator(".saew-example .saew-number").all_inner_texts()
    assert {float(x) for x in shown} == {float(f"{x:.3g}") for x in inside}
    expect(hit).to_have_attribute("aria-pressed", "true")
    hit.click()
    expect(box).to_be_hidden()
    hit.click()
    box.get_by_role("button", name="Close these examples").click()
    expect(box).to_be_hidden()
    expect(hit).to_have_attribute("aria-pressed", "false")


def test_a_chosen_token_stays_in_view_wherever_it_stands(show, data):
    page = show(export.dashboard_html(data, feature=31))
    token = page.locator(".saew-example").first.locator(".saew-token").nth(2)
    token.click()
    panel = page.locator(".saew-chosen-token")
    expect(panel).to_contain_text("Chosen token")
    expect(panel).to_contain_text(f"document {data[31].top[0].context}, token {data[31].top[0].position + 2}")
    expect(token).to_have_attribute("aria-current", "true")
    panel.get_by_role("button", name="Let go of this token").click()
    expect(panel).to_be_hidden()
    expect(token).not_to_have_attribute("aria-current", "true")


def test_the_keyboard_alone_does_it_all(show, data):
    page = show(export.dashboard_html(data, feature=31))
    page.locator(".saew-example .saew-token[tabindex='0']").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".saew-chosen-token")).to_contain_text("its loss without the feature")
    expect(page.locator(".saew-chosen-token")).to_contain_text("−0.1 nats")
    page.locator(".saew-hit[tabindex='0']").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".saew-bin")).to_be_visible()
    assert page.evaluate("document.activeElement.classList.contains('saew-hit')")
    assert page.locator(".saew-hit[tabindex='0']").count() == 1  # one stop of the tab key, not fifty
    page.keyboard.press("Escape")
    neighbor = page.get_by_role("button", name="#57 Spanish").first
    neighbor.focus()
    page.keyboard.press("Enter")
    expect(page.locator("h2 .saew-title")).to_have_text("Spanish")
    expect(page.locator(".saew-bin")).to_be_hidden()  # the bar was another feature's


def test_the_address_follows_and_leads(show, data, page):
    show(export.dashboard_html(data, feature=31), "#feature=57")
    expect(page.locator("h2 .saew-title")).to_have_text("Spanish")
    page.get_by_role("button", name="Next feature").click()
    expect(page.locator("h2 .saew-kicker")).to_have_text("Feature 88")
    assert page.url.endswith("#feature=88")
    page.evaluate("location.hash = '#feature=42'")
    expect(page.locator("h2 .saew-title")).to_have_text("owl")
    page.evaluate("location.hash = '#feature=7'")  # not on this page: it stays
    expect(page.locator("h2 .saew-title")).to_have_text("owl")


def test_two_dashboards_on_a_page_share_the_selection(show, data, page):
    views = [export.dashboard_view(data, feature=31) for _ in range(2)]
    show(export.page("two", views))
    one, two = page.get_by_role("group", name="Feature dashboard").all()
    one.locator(".saew-example").first.locator(".saew-token").nth(2).click()
    expect(two.locator(".saew-chosen-token")).to_be_visible()
    two.locator(".saew-hit:not(.saew-hollow)").first.click()
    expect(one.locator(".saew-bin")).to_be_visible()
    one.get_by_role("button", name="#57 Spanish").first.click()
    expect(two.locator("h2 .saew-title")).to_have_text("Spanish")


def test_a_page_of_one_feature_is_small_enough_to_draw_at_once(show, data):
    """The number of elements is what a feature change takes its time for; no clock of a busy machine decides a test."""
    page = show(export.dashboard_html(data, feature=31))
    assert page.evaluate("document.querySelectorAll('.saew *').length") < 6_000


def test_hostile_moved_tokens_are_literal_and_quiet(show, page):
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    data = rich(sample_records.dashboard())
    f = data[31]
    effects = tuple(TokenEffect(token, i, 1.0) for i, token in enumerate(HOSTILE))
    n = len(f.top[0].tokens)
    first = replace(f.top[0], moved=(MovedLogits(0, effects, effects[::-1]),), activations=(1.0,) * n, peak=0)
    hostile = replace(f, top=(first,), intervals=(), label=HOSTILE[0])
    show(export.dashboard_html(DashboardData(data.passport, {31: hostile}, {5: "zz<b>"})))
    page.locator(".saew-example .saew-token").first.click()
    panel = page.locator(".saew-chosen-token")
    expect(panel).to_contain_text("<!--<script>")
    assert page.locator("img, iframe, base, object, .saew script, .saew a, .saew [onmouseover]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [480, 800, 1600])
def test_nothing_is_wider_than_the_page_with_all_measured(show, data, page, width):
    page.set_viewport_size({"width": width, "height": 900})
    show(export.dashboard_html(data, feature=31))
    page.locator(".saew-hit:not(.saew-hollow)").first.click()
    page.locator(".saew-example .saew-token").first.click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def bytes_of(text: str) -> tuple[str, ...]:
    """Display texts of a text that is cut into its bytes."""
    return tuple(f"<0x{b:02X}>" if b > 0x7F else chr(b) for b in text.encode())


def test_bytes_show_their_character_over_the_run_of_their_tokens(show, data, page):
    page.set_viewport_size({"width": 480, "height": 900})
    tokens = (" We", *bytes_of("🌉"), " go", *bytes_of("你好"), *bytes_of("שלום"), " <0xF0>")
    n = len(tokens)
    e = replace(
        data[31].top[0],
        tokens=tokens,
        token_ids=tuple(range(n)),
        activations=(1.0,) * n,
        peak=0,
        loss_effects=(),
        moved=(),
    )
    show(export.dashboard_html(DashboardData(data.passport, {31: replace(data[31], top=(e,), intervals=())})))
    chips = page.locator(".saew-example .saew-token")
    assert chips.count() == n  # each byte stays a token: it can be pointed at and chosen
    slim = [i for i in range(n) if "saew-slim" in chips.nth(i).get_attribute("class")]
    assert slim == [2, 3, 4, 7, 8, 10, 11, 13, 15, 17, 19]
    assert [chips.nth(i).inner_text() for i in (1, 6, 9, 12, 20)] == ["🌉", "你", "好", "ש", " <0xF0>"]
    boxes = [chips.nth(i).locator(".saew-word").evaluate("e => e.getClientRects().length") for i in range(n)]
    assert boxes == [1] * n, "no chip is broken in two"
    assert all(chips.nth(i).bounding_box()["width"] < 10 for i in slim)
    chips.nth(3).hover()
    said = facts(page)
    assert (said["token"], said["part of"]) == ("<0x8C>", "🌉, token 3 of 4")
    letters = [chips.nth(i).bounding_box()["x"] for i in range(12, 20)]  # and their slim halves
    assert letters == sorted(letters, reverse=True), "Hebrew is read from right to left"


def test_examples_that_read_the_same_are_one_row_that_opens(show, data, page):
    e = data[31].top[0]
    top = (*(replace(e, context=i) for i in range(11)), data[31].top[1])
    show(export.dashboard_html(DashboardData(data.passport, {31: replace(data[31], top=top, intervals=())})))
    rows = page.locator(".saew-example:visible")
    expect(rows).to_have_count(2)
    times = page.get_by_role("button", name="× 11")
    expect(times).to_have_text("× 11")
    times.click()
    expect(rows).to_have_count(12)
    expect(times).to_have_attribute("aria-expanded", "true")
    rows.nth(10).locator(".saew-token").first.click()
    expect(page.locator(".saew-chosen-token")).to_contain_text("document 10,")
    times.click()
    expect(rows).to_have_count(2)
    page.get_by_role("searchbox").fill(e.tokens[e.peak].strip())
    assert page.locator(".saew-filter [role=status]").inner_text().startswith("1"), (
        "the filter looks through all of them"
    )


@pytest.mark.parametrize(("width", "columns"), [(1008, 3), (900, 2), (390, 1)])
def test_the_columns_fit_the_page(show, data, page, width, columns):
    page.set_viewport_size({"width": width + 40, "height": 900})
    show(export.dashboard_html(data, feature=31))
    assert page.locator(".saew").bounding_box()["width"] == width
    tops = [page.locator(f".saew-{part}").bounding_box()["y"] for part in ("main", "side", "tables")]
    assert tops.count(tops[0]) == columns
    if columns == 3:  # what tells most is on the first screen
        for part in (".saew-heading", ".saew-pickable", ".saew-example:visible >> nth=5", ".saew-up li >> nth=9"):
            box = page.locator(part).first.bounding_box()
            assert box["y"] + box["height"] < 900, part
    cut = page.evaluate(
        "[...document.querySelectorAll('.saew-links thead th')].filter(e => e.scrollWidth > e.clientWidth).length"
    )
    assert cut == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_chosen_token_is_told_without_one_word_per_line(show, data, page):
    page.set_viewport_size({"width": 1048, "height": 900})
    show(export.dashboard_html(data, feature=31))
    page.locator(".saew-example").first.locator(".saew-token").first.click()
    card = page.locator(".saew-chosen-token")
    tall = card.locator("dt").evaluate_all("all => Math.max(...all.map(e => e.offsetHeight))")
    assert tall < 40  # two lines at most
    expect(card).to_contain_text("+0.5 nats")
    expect(card).not_to_contain_text("F0 9F")  # bytes and id are the tooltip's


def test_a_readers_label_stands_beside_the_given_one(show, data, page):
    show(export.dashboard_html(data, feature=31, names={31: "my \u202ebridge", 42: "wise bird"}))
    expect(page.locator("h2 .saew-title")).to_have_text("my ⟨U+202E⟩bridge")
    expect(page.locator(".saew-given")).to_have_text("your label · given label: Golden Gate Bridge")
    expect(page.locator(".saew-neighbor", has_text="#42").first).to_contain_text("wise bird")
    page.get_by_role("combobox", name="Search features").fill("wise")
    expect(page.get_by_role("listbox").get_by_role("option")).to_contain_text("#42wise bird · owl")
    assert page.get_by_role("button", name="Name this feature").count() == 0  # nobody would keep it
