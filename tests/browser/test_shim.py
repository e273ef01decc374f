"""The instruments' own modules in a page without a kernel: drawn, driven by keys, legible, literal, silent.

The page is what `to_html` writes; fixture `page` fails a test on any console error and any request that leaves the machine.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import sample_records
from hostile import HOSTILE

from saewidgets import export
from saewidgets.records import DashboardData, Token
from saewidgets.widgets import ClampPanel, FeaturePlane, TrainingMonitor

pytestmark = pytest.mark.browser

# WCAG contrast of every token's word with what is painted behind it.
CONTRAST = """() => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext('2d', {willReadFrequently: true});
  const painted = (...colors) => {
    for (const color of colors) { pen.fillStyle = color; pen.fillRect(0, 0, 1, 1); }
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const card = getComputedStyle(document.querySelector('.saew')).backgroundColor;
  return [...document.querySelectorAll('SELECTOR')].filter((el) => el.offsetParent).map((el) => {
    const style = getComputedStyle(el);
    const back = painted(card, style.backgroundColor);
    const ink = painted(card, style.backgroundColor, style.color);
    const [a, b] = [light(back), light(ink)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  });
}"""


def contrasts(page, selector: str) -> list[float]:
    return page.evaluate(CONTRAST.replace("SELECTOR", selector))


@pytest.fixture
def data() -> DashboardData:
    return sample_records.dashboard()


@pytest.fixture
def show(page, tmp_path):
    """Write a page to disk, open it from there, and return Playwright's page."""

    def opened(text: str, anchor: str = ""):
        path = tmp_path / "page.html"
        path.write_bytes(text.encode("utf-8"))
        page.goto("about:blank")
        page.goto(path.as_uri() + anchor)
        page.wait_for_selector(".saew")
        return page

    return opened


def live(widget) -> str:
    """A page whose controls are not switched off: what a notebook shows, with nobody to answer."""
    view = widget._view()
    view["state"]["_static"] = False
    return export.page("live", [view])


# -- dashboard -------------------------------------------------------------------------------------------------------


def test_dashboard_says_what_the_record_says(show, data):
    page = show(export.dashboard_html(data, feature=31))
    board = page.get_by_role("group", name="Feature dashboard")
    assert board.get_by_role("heading", level=2).inner_text().split("\n") == ["Feature 31", "Golden Gate Bridge"]
    assert board.locator("h2 .saew-title").bounding_box()["height"] > 20  # seen, unlike the page's own headings
    text = board.inner_text()
    assert "12.5" in text and "412,345 tokens of miniworld, 4000 documents, seed 1" in text
    assert page.locator(".saew-main > section .saew-example").count() == 20
    strip = page.locator(".saew-strip").first
    assert strip.text_content() == "".join(data[31].top[0].tokens)
    assert board.get_by_role("group", name="non-zero activations, from 0 to 12.5").is_visible()
    assert page.locator(".saew-up code").all_inner_texts() == [t.token.replace(" ", "·") for t in data[31].promoted]


def test_dashboard_goes_where_one_asks(show, data):
    page = show(export.dashboard_html(data, feature=31))
    title = page.locator("h2 .saew-title")
    page.get_by_role("button", name="Next feature").click()
    assert title.inner_text() == "owl"
    page.get_by_role("button", name="Previous feature").click()
    page.get_by_role("button", name="Previous feature").click()
    assert title.inner_text() == "plural"
    number = page.get_by_role("spinbutton", name="Feature number")
    number.fill("57")
    number.press("Enter")
    assert title.inner_text() == "Spanish"
    number.fill("58")  # not here: the box shows again what is
    number.press("Enter")
    assert number.input_value() == "57"
    page.get_by_role("button", name="#31 Golden Gate Bridge").click()  # a neighbor
    assert title.inner_text() == "Golden Gate Bridge"
    assert page.evaluate("document.activeElement.tagName") == "H2"
    assert page.get_by_role("button", name="#1999").is_disabled()


def test_search_by_keys(show, data):
    page = show(export.dashboard_html(data, feature=31))
    search = page.get_by_role("combobox", name="Search features")
    search.press_sequentially("hoots")  # a promoted token
    assert page.get_by_role("listbox").get_by_role("option").all_inner_texts()[0].startswith("#42")
    search.press("Enter")
    assert page.locator("h2 .saew-title").inner_text() == "owl"
    search.focus()
    assert page.get_by_role("listbox").get_by_role("option").count() == 5
    search.press("ArrowDown")
    search.press("ArrowDown")
    active = search.get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    search.press("Enter")
    assert page.locator("h2 .saew-title").inner_text() == "owl"
    search.press_sequentially("no such thing")
    assert page.get_by_text("No feature matches.").is_visible()
    search.press("Escape")
    assert search.input_value() == "" and page.get_by_role("listbox").count() == 0


def test_tokens_by_keys(show, data, page):
    page.set_viewport_size({"width": 1700, "height": 900})  # each example on one line
    show(export.dashboard_html(data, feature=31))
    stops = page.locator(".saew-main > section .saew-token[tabindex='0']")
    assert stops.count() == 1  # one tab stop for the whole list
    stops.first.focus()
    tip = page.get_by_role("tooltip")
    assert "activation" in tip.inner_text()
    first = data[31].top[0]
    page.keyboard.press("ArrowRight")
    focused = "document.activeElement.textContent"
    assert page.evaluate(focused) == first.tokens[1]
    assert str(first.token_ids[1]) in tip.inner_text()
    page.keyboard.press("End")
    assert page.evaluate(focused) == first.tokens[-1]
    page.keyboard.press("Home")
    assert page.evaluate(focused) == first.tokens[0]
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == data[31].top[1].tokens[0]
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == first.tokens[0]


def test_link_opens_on_a_feature(show, data):
    page = show(export.dashboard_html(data, feature=31), "#feature=57")
    assert page.locator("h2 .saew-title").inner_text() == "Spanish"


def test_a_long_index_is_searched(show, data):
    many = {f: replace(data[31], feature=f, label=f"label {f}", top=(), intervals=()) for f in range(600)}
    page = show(export.dashboard_html(DashboardData(data.passport, many)))
    search = page.get_by_role("combobox", name="Search features")
    search.fill("label 577")
    assert page.get_by_role("listbox").get_by_role("option").count() == 1
    search.fill("577")
    assert page.get_by_role("listbox").get_by_role("option").first.inner_text().startswith("#577")
    assert page.get_by_text("It never fired on this corpus.").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_tokens_of_every_heat_are_legible(show, data, page, theme):
    page.emulate_media(color_scheme=theme)
    f = data[31]
    ladder = replace(f.top[0], tokens=tuple(f" w{i}" for i in range(101)), token_ids=tuple(range(101)),
                     activations=tuple(f.maximum * i / 100 for i in range(101)), peak=100)  # fmt: skip
    show(export.dashboard_html(DashboardData(data.passport, {31: replace(f, top=(ladder,))})))
    assert page.locator(".saew").get_attribute("data-theme") == theme
    ratios = contrasts(page, ".saew-word")
    assert len(ratios) >= 101 and min(ratios) >= 4.5
    assert min(contrasts(page, ".saew-note, .saew-faint, .saew-number, .saew-id, .saew-kicker, .saew-value, h4")) >= 4.5


@pytest.mark.parametrize("where", ["jupyter", "vscode", "colab"])
def test_the_theme_of_the_page_around_is_followed(show, data, page, where):
    show(export.dashboard_html(data))
    root = page.locator(".saew")
    assert root.get_attribute("data-theme") == "light"
    page.evaluate(
        {
            "jupyter": "document.body.dataset.jpThemeLight = 'false'",
            "vscode": "document.body.className = 'vscode-dark'",
            "colab": "document.documentElement.setAttribute('theme', 'dark')",
        }[where]
    )
    page.wait_for_function("document.querySelector('.saew').dataset.theme === 'dark'")


@pytest.mark.parametrize("width", [700, 1000, 1600])
@pytest.mark.parametrize("kind", ["dashboard", "clamp", "training", "plane", "token"])
def test_nothing_is_wider_than_the_page(show, data, page, kind, width):
    page.set_viewport_size({"width": width, "height": 900})
    text = {
        "dashboard": lambda: export.dashboard_html(data),
        "clamp": lambda: live(written(data)),
        "training": lambda: live(trained()),
        "plane": lambda: live(FeaturePlane([45 * i for i in range(8)])),
        "token": lambda: live(FeaturePlane.of([40.0, 30, 90], [[1, 0, 0.2], [0.2, 1, 0]], labels=["feature 1271"] * 2)),
    }[kind]()
    show(text)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    overflowing = page.evaluate(
        "() => [...document.querySelectorAll('.saew button, .saew input, .saew svg, .saew table')]"
        ".filter(e => e.offsetParent !== null && e.getBoundingClientRect().right > innerWidth).length"
    )
    assert overflowing == 0
    if kind in ("plane", "token"):  # a long name keeps out of its neighbor
        assert page.evaluate(
            """() => [...document.querySelectorAll('.saew-plane-row')].every((row) => {
                const [name, output] = [row.querySelector('.saew-name'), row.querySelector('output')];
                const right = Math.max(...[...name.children].map((part) => part.getBoundingClientRect().right));
                const [a, b] = [name.getBoundingClientRect(), output.getBoundingClientRect()];
                return Math.abs(a.top - b.top) > 20 || right <= b.left || b.right <= a.left;
            })"""
        )


# -- hostile text ----------------------------------------------------------------------------------------------------


def test_hostile_tokens_are_literal_and_quiet(show, data, page):
    """All of them in one page: each shown, each exact in its tooltip's id, no element made, nothing run."""
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    f = data[31]
    n = len(HOSTILE)
    one = replace(f.top[0], tokens=HOSTILE, token_ids=tuple(range(n)), activations=tuple(1.0 for _ in HOSTILE), peak=0)
    effects = tuple(replace(f.promoted[0], token=token, token_id=i) for i, token in enumerate(HOSTILE))
    hostile = replace(f, top=(one,), intervals=(), promoted=effects, suppressed=(), label=HOSTILE[0], neighbors=())
    show(export.dashboard_html(DashboardData(replace(data.passport, corpus=HOSTILE[0]), {31: hostile})))
    assert page.locator(".saew-main .saew-token").count() == n
    assert page.locator("h2 .saew-title").text_content() == HOSTILE[0]
    assert page.locator("img, iframe, base, object, .saew script, .saew a, .saew [onmouseover]").count() == 0
    shown = page.locator(".saew-main .saew-token").all_text_contents()
    for token, text in zip(HOSTILE, shown, strict=True):
        assert text, ascii(token)[:40]
        printable = token.isascii() and token.isprintable() and 0 < len(token) <= 40 and token.strip()
        if printable:
            assert text == token  # literal
        assert len(text) <= 400
    listed = page.locator(".saew-up code").all_text_contents()
    assert all(listed) and listed[HOSTILE.index("\n")] == "⏎" and listed[HOSTILE.index("")] == "⟨empty⟩"
    assert listed[HOSTILE.index("\ud83d")] == "⟨U+D83D⟩"
    tall = page.evaluate(
        "() => Math.max(...[...document.querySelectorAll('.saew-logits li')].map(e => e.offsetHeight))"
    )
    assert tall <= 24
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.querySelector('.saew-example').saewTokens.length") == n
    page.locator(".saew-main .saew-token").nth(HOSTILE.index("<!--<script>")).hover()
    assert "<!--<script>" in page.get_by_role("tooltip").inner_text()


def test_works_in_a_sandboxed_frame(page, data, tmp_path):
    """As Jupyter serves files: an opaque origin, where localStorage raises."""
    inner = tmp_path / "inner.html"
    inner.write_text(export.dashboard_html(data, feature=31), encoding="utf-8")
    outer = tmp_path / "outer.html"
    outer.write_text('<iframe sandbox="allow-scripts" src="inner.html" width="1200" height="900"></iframe>')
    page.goto(outer.as_uri())
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Next feature").click()
    assert frame.locator("h2 .saew-title").inner_text() == "owl"


# -- clamp panel -----------------------------------------------------------------------------------------------------


def written(data, **options) -> ClampPanel:
    options = {"multiples": {31: 4.0, 42: None}, "windows": {31: (2.0, 5.0)}} | options
    panel = ClampPanel(sample_records.Writer(), data, **options)
    panel.write()
    assert panel.wait(20)
    panel.close()
    return panel


def test_panel_shows_both_texts_and_where_they_part(show, data):
    page = show(written(data).to_html())
    default, clamped = page.get_by_role("log", name="Default"), page.get_by_role("log", name="Clamped")
    assert default.text_content().startswith(" I am an AI .")
    assert clamped.text_content().startswith(" I am the Golden Gate Bridge .")
    assert default.locator(".saew-diff").all_text_contents() == [" an"]
    assert clamped.locator(".saew-diff").all_text_contents() == [" the"]
    clamped.locator(".saew-token").nth(2).hover()
    tip = page.get_by_role("tooltip").inner_text()
    assert "probability" in tip and "nats" in tip
    assert page.get_by_role("slider").first.is_disabled()  # a recording


def test_sliders_by_keys_and_off_apart_from_zero(show, data):
    page = show(live(written(data)))
    slider = page.get_by_role("slider", name="#31 Golden Gate Bridge: clamp to this multiple")
    box = page.get_by_role("spinbutton", name="#31 Golden Gate Bridge: exact multiple")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert box.input_value() == "4.05"  # a fine step: it works from 2 to 5 times the maximum
    assert slider.get_attribute("aria-valuetext") == "4.05×, where it works"
    assert page.locator(".saew-units").first.inner_text().startswith("= 50.6")  # 4.05 x 12.5 = 50.625
    page.keyboard.press("Home")
    assert (slider.get_attribute("aria-valuetext"), box.input_value()) == ("−10×", "-10")
    box.fill("0")
    box.press("Enter")
    assert slider.get_attribute("aria-valuetext") == "0 (ablated)"
    switch = page.get_by_role("switch", name="Clamp #31")
    assert switch.is_checked()
    switch.press("Space")
    assert not switch.is_checked() and slider.get_attribute("aria-valuetext") == "off"
    box.fill("12.5")  # beyond the slider, exactly
    box.press("Enter")
    assert switch.is_checked() and page.get_by_text("= 156").is_visible()
    assert slider.get_attribute("aria-valuetext") == "12.5×, beyond the end of the slider"
    assert page.get_by_text("▸", exact=True).is_visible()
    page.get_by_role("button", name="works here: 2 to 5×").click()
    assert box.input_value() == "3.5"


def test_arrows_reach_a_slider_though_the_page_around_listens(show, data, page):
    """Jupyter takes arrow keys in the capture phase, on the document."""
    show(live(written(data)))
    page.evaluate(
        "window.taken = 0; document.addEventListener('keydown', (e) => { window.taken += 1; e.preventDefault(); }, true)"
    )
    slider = page.get_by_role("slider").first
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "3.95×, where it works" and page.evaluate("window.taken") == 0
    page.keyboard.press("Control+s")  # not ours: the page around saves
    assert page.evaluate("window.taken") >= 1


def test_rows_come_and_go(show, data):
    page = show(live(written(data)))
    page.get_by_role("combobox", name="Add a feature").fill("span")
    page.keyboard.press("Enter")
    assert page.evaluate("JSON.parse(document.getElementById('saew-data').textContent)[0].state.features") == [31, 42]
    page.get_by_role("button", name="Remove #42 owl").click()


def test_every_control_has_a_name_and_can_be_reached(show, data):
    for text in (live(written(data)), export.dashboard_html(data), live(FeaturePlane([90, 0, 40])), live(trained())):
        page = show(text)
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll('button, input, select, textarea, [role=slider]')].filter((el) =>
                !(el.getAttribute('aria-label') || el.textContent.trim() || el.labels?.[0]?.textContent.trim())).length"""
        )
        assert unnamed == 0
        page.keyboard.press("Tab")
        ring = page.evaluate(
            "(({outlineStyle, strokeWidth}) => [outlineStyle, strokeWidth])(getComputedStyle(document.activeElement))"
        )
        if page.evaluate("document.activeElement === document.body"):
            continue  # a finished run has nothing left to press
        assert ring[0] != "none" or ring[1] == "4px"  # the point of the plane is drawn, its ring too


def test_a_token_between_two_halves_of_a_character_takes_no_room(show, data):
    def half(prompt, clamps, *, n_tokens, seed, temperature):
        yield Token(5, "", -1.0, math.nan)
        yield Token(6, "é", -1.0, math.nan)
        yield Token(7, "<b>\n", -1.0, math.nan)

    panel = ClampPanel(half, data)
    panel.write()
    panel.wait(20)
    page = show(panel.to_html())
    assert page.get_by_role("log", name="Default").text_content() == "é<b>⏎\n"


def test_the_error_line_is_an_alert(show, data):
    panel = written(data)
    panel.error = "RuntimeError: <b>the model is on fire</b>"
    page = show(live(panel))
    alert = page.get_by_role("alert")
    assert "RuntimeError: <b>the model is on fire</b>" in alert.inner_text()
    page.get_by_role("button", name="Dismiss the message").click()
    assert alert.count() == 0 or not alert.is_visible()


# -- training and plane ----------------------------------------------------------------------------------------------


def trained() -> TrainingMonitor:
    monitor = TrainingMonitor(sample_records.training(120))
    monitor.start()
    assert monitor.wait(20)
    monitor.close()
    return monitor


def test_training_curves_say_their_last_value(show):
    page = show(trained().to_html())
    last = sample_records.training(120)[-1]
    labels = [image.get_attribute("aria-label") for image in page.get_by_role("img").all()]
    assert len(labels) == 5 and all("at step 120" in label for label in labels)
    assert not page.get_by_text("How often features fire").is_visible()  # a list of steps does not say
    assert f"{last.l0:.3g}" in labels[2]
    assert page.get_by_role("status").inner_text() == "finished"


def read_outs(page) -> list[float]:
    cells = page.locator(".saew-plane-side section:nth-child(2) tr td:nth-child(2)").all_inner_texts()
    return [float(cell.replace("\u2212", "-")) for cell in cells]


def test_plane_by_keys_and_by_mouse(show):
    page = show(FeaturePlane([90, 0, 40], point=(0.0, 1.0)).to_html())
    assert read_outs(page) == pytest.approx([1, 0, math.sin(math.radians(40))], abs=6e-4)
    handle = page.get_by_role("slider", name="Activation point")
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    assert read_outs(page)[:2] == pytest.approx([0.75, 0.05], abs=1e-9)
    assert handle.get_attribute("aria-valuetext") == "x 0.05, y 0.75"
    box = page.locator(".saew-plane-picture").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 5 / 6, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    assert read_outs(page) == pytest.approx([0, 1, math.cos(math.radians(40))], abs=0.02)
    page.get_by_role("button", name="Snap the point").nth(2).click()
    assert read_outs(page) == pytest.approx([math.sin(math.radians(40)), math.cos(math.radians(40)), 1], abs=6e-4)


def test_plane_angles_and_number_of_directions(show):
    page = show(FeaturePlane([90, 0], point=(0.0, 1.0)).to_html())
    assert page.locator(".saew-drop").count() == 2
    page.get_by_role("button", name="Add a direction").click()
    assert page.locator(".saew-drop").count() == 3
    angle = page.get_by_role("slider", name="Angle of orange")
    angle.focus()
    page.keyboard.press("ArrowRight")
    assert angle.input_value() == "46"
    assert read_outs(page)[2] == pytest.approx(math.sin(math.radians(46)), abs=6e-4)
    page.get_by_role("button", name="Remove green").click()
    assert page.locator(".saew-drop").count() == 2


def angles_of(page) -> list[float]:
    return [float(tip.get_attribute("aria-valuenow")) for tip in page.get_by_role("slider", name="Direction of").all()]


def test_plane_arrows_by_mouse_and_by_keys(show):
    """An arrow's head is dragged to 150 degrees; the read-outs are those of the angle that it then says."""
    page = show(FeaturePlane([90, 0], point=(0.0, 1.0)).to_html())
    tip = page.get_by_role("slider", name="Direction of blue")
    box = page.locator(".saew-plane-picture").bounding_box()

    def at(degrees, radius=1.0):
        reach = box["width"] / 2 / 1.5
        a = math.radians(degrees)
        return (
            box["x"] + box["width"] / 2 + radius * reach * math.cos(a),
            box["y"] + box["height"] / 2 - radius * reach * math.sin(a),
        )

    page.mouse.move(*at(0))
    page.mouse.down()
    page.mouse.move(*at(70, 1.2), steps=5)
    page.mouse.move(*at(150, 0.8), steps=5)
    page.mouse.up()
    angle = float(tip.get_attribute("aria-valuenow"))
    assert angle == pytest.approx(150, abs=1)
    assert read_outs(page) == pytest.approx([1, math.sin(math.radians(angle))], abs=1e-3)
    tip.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowLeft")
    assert float(tip.get_attribute("aria-valuenow")) == pytest.approx(angle + 16, abs=0.11)
    lent = page.locator(".saew-lent").count()
    assert lent == 1  # the focused arrow shows what it casts on the other


def test_plane_takes_eight_directions_and_spreads_them(show):
    page = show(FeaturePlane([90, 0], point=(0.0, 1.0)).to_html())
    add = page.get_by_role("button", name="Add a direction")
    for _ in range(6):
        add.click()
    assert not add.is_visible() and page.locator(".saew-drop").count() == 8
    assert len({round(a % 180, 3) for a in angles_of(page)}) == 8  # no two on one line
    page.get_by_role("button", name="Spread evenly").click()
    assert sorted(angles_of(page)) == pytest.approx([45 * i for i in range(8)])
    by_hand = [math.sin(math.radians(90 + 45 * i)) for i in range(8)]
    assert read_outs(page) == pytest.approx(by_hand, abs=6e-4)
    relu = page.locator(".saew-plane-side section:nth-child(2) tr td:nth-child(3)").all_inner_texts()
    assert [float(x) for x in relu] == pytest.approx([max(0, x) for x in by_hand], abs=6e-4)


def test_motion_is_not_forced_on_anyone(show, data, page):
    page.emulate_media(reduced_motion="reduce")
    panel = written(data)
    panel.status = "writing"
    show(live(panel))
    names = page.evaluate(
        "[...document.querySelectorAll('.saew *')].map(e => getComputedStyle(e, '::before').animationName).filter(n => n !== 'none')"
    )
    assert names == []
