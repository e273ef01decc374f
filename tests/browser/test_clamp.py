"""The clamp as a person uses it: dragged, typed, canceled, broken and recovered in a real JupyterLab; played back in a
page.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import sample_records
from hostile import HOSTILE
from live_lab import clamp_x, drag_clamp, multiple_of, run_all, scroll_to, write_notebook

from saewidgets import export
from saewidgets.records import Clamp, ClampRecording, Generation, Token
from saewidgets.widgets import ClampPanel, DoseResponse

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=30_000)  # ms; a busy machine is slow, not wrong
pytestmark = pytest.mark.browser

MAXIMUM = 12.5  # of feature 31 in the sample records
TESTS = Path(__file__).parents[1]
SOURCE = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from pathlib import Path
import time

import sample_records
import saewidgets as sw

writer = sample_records.Writer(delay=0.04)

def fragile(prompt, clamps, **settings):
    strength = sum(c.value for c in clamps)
    if strength > 200:
        raise FloatingPointError("a hook broke: the activation is not finite")
    for i, token in enumerate(writer(prompt, clamps, **settings)):
        while strength == 30 and i == 5 and not Path("finish").exists():  # a long text, as long as the test wants it
            time.sleep(0.01)
        yield token

data = sample_records.dashboard()
panel = sw.ClampPanel(fragile, data, features=[31], prompt="Human: Who are you?\\nAssistant:")
panel
"""
BUSY = "while not Path('go').exists():\n    time.sleep(0.02)\nprint('done')"


# -- in JupyterLab ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shown(lab, desk):
    """A page with a panel over a source that takes its time, and a cell that keeps the kernel busy until it is told to
    stop.
    """
    (lab.folder / "go").touch()
    (lab.folder / "finish").touch()
    write_notebook(lab, "clamp.ipynb", SOURCE, BUSY)
    with desk.notebook(lab, "clamp.ipynb", height=1200) as page:
        run_all(page)
        yield page


@pytest.fixture
def panel(shown):
    """The panel at rest, its slider at 0 and off. The page may not have logged an error or asked for anything outside."""
    scroll_to(shown, "sw.ClampPanel(")
    panel = shown.get_by_role("group", name="Clamp panel")
    box = exact(panel)
    box.fill("")
    box.press("Enter")
    box.blur()
    expect(panel.get_by_text("nothing is clamped: the same text")).to_be_visible()
    ready(panel)
    yield panel
    shown.trouble.check()


def exact(panel):
    return panel.get_by_role("spinbutton", name="#31 Golden Gate Bridge: exact multiple")


def slider_of(panel):
    return panel.get_by_role("slider", name="#31 Golden Gate Bridge: clamp to this multiple")


def ready(panel) -> None:
    """The text that is shown is done. Right after a change this may still be the text before it: wait for words of the
    new one first.
    """
    expect(panel.locator(".saew-do [role=status]")).to_have_text("ready")


def ends_with_its_own_strength(panel) -> float:
    """The last word of the sample text is the value of the clamp: it must be that of the slider. Returns the multiple."""
    multiple = multiple_of(slider_of(panel))
    expect(panel.get_by_role("log", name="Clamped")).to_have_text(re.compile(rf" {multiple * MAXIMUM:g}⏎\s*$"))
    return multiple


def test_a_drag_streams_and_ends_in_the_text_of_the_last_value(shown, panel):
    clamped = panel.get_by_role("log", name="Clamped")
    before = panel.get_by_role("log", name="Default").inner_text()
    clamped.evaluate(
        """(element) => { window.seen = []; new MutationObserver(() => window.seen.push(element.textContent))
            .observe(element, { childList: true, subtree: true, characterData: true }); }"""
    )
    slider = slider_of(panel)
    drag_clamp(shown, slider, multiple_of(slider), 3.4)
    assert ends_with_its_own_strength(panel) == pytest.approx(3.4, abs=0.3)
    ready(panel)
    assert panel.get_by_role("log", name="Default").inner_text() == before
    seen = shown.evaluate("window.seen")
    final = clamped.text_content()
    beginnings = {len(text) for text in seen if text and final.startswith(text) and text != final}
    assert len(beginnings) > 3, "the text came as it was written, not all at once"
    expect(panel.get_by_text(re.compile(r"#31 at 3\.\d×, same random numbers"))).to_be_visible()
    assert clamped.locator(".saew-diff").all_text_contents() == [" the"]


def test_a_typed_value_is_exact_and_off_is_not_zero(shown, panel):
    box = exact(panel)
    box.fill("4.25")
    box.press("Enter")
    expect(panel.get_by_role("log", name="Clamped")).to_have_text(re.compile(rf" {4.25 * MAXIMUM:g}⏎\s*$"))
    switch = panel.get_by_role("switch", name="Clamp #31")
    assert switch.is_checked()
    slider_of(panel).focus()
    shown.keyboard.press("0")
    expect(panel.get_by_text("0 (ablated)")).to_be_visible()
    shown.keyboard.press("Backspace")
    expect(switch).not_to_be_checked()
    expect(panel.get_by_text("nothing is clamped: the same text")).to_be_visible()


def test_a_started_text_can_be_canceled_and_taken_up_again(shown, panel, lab):
    finish = lab.folder / "finish"
    finish.unlink()
    box = exact(panel)
    box.fill("2.4")  # the source stops for `finish` after five tokens of this one
    box.press("Enter")
    clamped = panel.get_by_role("log", name="Clamped")
    expect(clamped).to_contain_text("I am the Golden")
    panel.get_by_role("button", name="Stop").click()
    expect(panel.locator(".saew-do [role=status]")).to_have_text("stopped")
    finish.touch()
    expect(clamped).to_have_text(re.compile(r"^ I am the Golden Gate( Bridge)?( \.)?$"))
    panel.get_by_role("button", name="Write again").click()
    assert ends_with_its_own_strength(panel) == 2.4


def test_a_hook_that_breaks_is_said_and_the_next_value_works(shown, panel):
    box = exact(panel)
    box.fill("17")  # beyond the slider; the source raises there
    box.press("Enter")
    alert = panel.get_by_role("alert")
    expect(alert).to_contain_text("FloatingPointError: a hook broke: the activation is not finite")
    expect(panel.locator(".saew-do [role=status]")).to_have_text("failed")
    box.fill("3")
    box.press("Enter")
    assert ends_with_its_own_strength(panel) == 3
    expect(alert).to_be_hidden()
    box.fill("-5000")  # refused, said, and the old value shown again
    box.press("Enter")
    expect(alert).to_contain_text("a multiple must be a number from -1000 to 1000")
    box.blur()
    expect(box).to_have_value("3")
    panel.get_by_role("button", name="Dismiss the message").click()
    expect(alert).to_be_hidden()


def test_rows_come_and_go_and_what_was_tried_comes_back(shown, panel):
    box = exact(panel)
    box.fill("2")
    box.press("Enter")
    assert ends_with_its_own_strength(panel) == 2
    ready(panel)  # a text is remembered when it is done
    search = panel.get_by_role("combobox", name="Add a feature to clamp")
    search.press_sequentially("owl")
    search.press("Enter")
    owl = panel.get_by_role("spinbutton", name="#42 owl: exact multiple")
    owl.fill("1")
    owl.press("Enter")
    owl.blur()
    expect(panel.get_by_role("log", name="Clamped")).to_have_text(re.compile(r" 37⏎\s*$"))  # 2 x 12.5 + 1 x 12
    ready(panel)
    panel.locator("summary", has_text="What was tried").click()
    panel.get_by_role("button", name=re.compile(r"^#31 at 2×\s*I am")).first.click()
    expect(panel.get_by_role("log", name="Clamped")).to_have_text(re.compile(r" 25⏎\s*$"))
    expect(panel.get_by_role("switch", name="Clamp #42 owl")).not_to_be_checked()
    panel.locator("summary", has_text="What was tried").click()
    panel.get_by_role("button", name="Remove #42 owl").click()
    expect(owl).to_have_count(0)


def test_more_answers_come_as_they_are_written_and_a_slider_ends_them(shown, panel):
    box = exact(panel)
    box.fill("3")
    box.press("Enter")
    ends_with_its_own_strength(panel)
    ready(panel)
    answers = panel.locator(".saew-answers")
    for name, value in (("Words to look for", "bridge, tower"), ("How many", "2")):
        answers.get_by_label(name).fill(value)
        answers.get_by_label(name).press("Enter")
    go = answers.get_by_role("button", name="2 more answers")
    go.focus()
    shown.keyboard.press("Enter")
    expect(answers.get_by_role("button", name="Stop")).to_be_focused()
    expect(answers.get_by_role("progressbar")).to_be_visible()
    expect(answers.get_by_text("in 2 of 2 clamped answers, and in 0 of 2 default ones")).to_be_visible()
    ready(panel)
    rows = answers.locator("tbody tr")
    assert rows.count() == 2 and rows.nth(0).locator("mark").all_text_contents() == ["Bridge", "bridge"]
    assert rows.nth(0).get_by_role("img", name="does not hold them").count() == 1
    rows.nth(1).get_by_role("button").click()  # its seed, above
    seed = rows.nth(1).get_by_role("button").inner_text()
    expect(panel.get_by_label("Seed", exact=True)).to_have_value(seed)
    ready(panel)
    assert rows.count() == 2, "another seed of the same"
    go.click()
    expect(answers.get_by_role("button", name="Stop")).to_be_visible()
    slider_of(panel).press("ArrowRight")
    expect(answers.get_by_role("button", name="2 more answers")).to_be_visible()
    expect(rows).to_have_count(0)
    ends_with_its_own_strength(panel)


def keep_busy(page) -> None:
    """Run the cell that keeps the kernel busy until the file `go` is there."""
    scroll_to(page, "while not Path")
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-cell'); }")
    page.wait_for_function("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'")


def test_while_another_cell_runs_the_panel_answers_or_says_that_it_waits(shown, panel, lab):
    """JupyterLab may lose a message to a subshell on its way (tests/widgets/test_clamp_kernel.py holds the kernel's side to an
    answer). Then the panel must say so; nothing that was set may be lost.
    """
    go = lab.folder / "go"
    go.unlink()
    keep_busy(shown)
    final = re.compile(rf" {2.5 * MAXIMUM:g}⏎\s*$")
    clamped = panel.get_by_role("log", name="Clamped")
    try:
        box = exact(panel)
        box.fill("2.5")
        box.press("Enter")
        expect(clamped.filter(has_text=final).or_(panel.locator(".saew-waiting:not([hidden])")).first).to_be_visible()
        assert not go.exists()
    finally:
        go.touch()
    expect(clamped).to_have_text(final)
    expect(panel.locator(".saew-waiting")).to_be_hidden()


def test_a_change_that_was_lost_on_its_way_is_brought_again(shown, panel):
    """Once a message to the kernel is lost, the page's own machinery holds back every later change of that model."""
    shown.evaluate(
        """() => {
            const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            const send = kernel.sendShellMessage;
            window.lost = 0;
            kernel.sendShellMessage = function (msg, ...more) {
                if (window.lost || msg.content?.data?.method !== 'update') return send.call(this, msg, ...more);
                window.lost += 1;
                return { msg, done: new Promise(() => {}), dispose() {} }; // sent, and never answered
            };
        }"""
    )
    box = exact(panel)
    for multiple in ("2.5", "1.5"):
        box.fill(multiple)
        box.press("Enter")
        assert ends_with_its_own_strength(panel) == float(multiple)
    assert shown.evaluate("window.lost") == 1


# -- in a page without a kernel --------------------------------------------------------------------------------------


@pytest.fixture
def data():
    return sample_records.dashboard()


@pytest.fixture
def show(page, tmp_path):
    """Write a page to disk, open it from there, and return Playwright's page."""

    def opened(text: str):
        path = tmp_path / "page.html"
        path.write_bytes(text.encode("utf-8"))
        page.goto(path.as_uri())
        page.wait_for_selector(".saew")
        return page

    return opened


def live(widget) -> str:
    """A page whose controls are not switched off: what a notebook shows, with nobody to answer."""
    view = widget._view()
    view["state"] |= {"_static": False, "_history": getattr(widget, "_history", []), "_heard": 0, "_kernel": ""}
    return export.page("live", [view])


def recording() -> ClampRecording:
    writer = sample_records.Writer()
    texts = []
    for seed in (0, 3):
        for clamps in ((), *((Clamp(31, m * MAXIMUM),) for m in (-5.0, -2.0, 0.0, 1.0, 1.5, 2.0, 4.0, 10.0))):
            tokens = tuple(writer("Who?", clamps, n_tokens=60 - seed, seed=seed, temperature=0.8))
            texts.append(Generation("Who?", tokens[: len(tokens) - (seed == 3)], clamps, seed, 0.8))
    return ClampRecording("Who?", tuple(texts), {31: MAXIMUM})


def test_sliders_of_an_exported_recording_move_among_its_texts(show, data):
    grid = recording()
    page = show(ClampPanel(grid, data, multiples={31: 4.0}).to_html())
    clamped = page.get_by_role("log", name="Clamped")
    assert clamped.text_content() == grid.nearest([Clamp(31, 50.0)], 0).text.replace("\n", "⏎\n")
    assert page.get_by_text("recorded at #31 at 4×").is_visible()
    slider = page.get_by_role("slider")
    drag_clamp(page, slider, 4.0, 1.7)
    at = multiple_of(slider)
    assert at == pytest.approx(1.7, abs=0.06)
    nearest = grid.nearest([Clamp(31, at * MAXIMUM)], 0)
    assert clamped.text_content() == nearest.text.replace("\n", "⏎\n")
    assert page.get_by_text(f"nearest recorded: #31 at {nearest.clamps[0].value / MAXIMUM:g}×").is_visible()
    assert "value=" in page.locator(".saew-pre").text_content()
    page.get_by_role("switch").press("Space")
    assert clamped.text_content() == page.get_by_role("log", name="Default").text_content()
    assert page.get_by_text("nothing is clamped: the same text").is_visible()
    assert page.get_by_role("textbox", name="Prompt").is_disabled()


def test_the_page_finds_the_same_text_as_the_record(show, data):
    """Every tenth of a multiple, exact midpoints among them, and values beyond the slider."""
    grid = recording()
    page = show(ClampPanel(grid, data, multiples={31: 4.0}).to_html())
    box = page.get_by_role("spinbutton", name="#31 Golden Gate Bridge: exact multiple")
    clamped = page.get_by_role("log", name="Clamped")
    for seed in grid.seeds:
        page.get_by_label("Seed").select_option(str(seed))
        for multiple in [*(m / 10 for m in range(-60, 125, 5)), 0.1, 1.24, 1.26, 40.0, -40.0]:
            box.fill(f"{multiple:g}")
            box.press("Enter")
            assert clamped.text_content() == grid.nearest([Clamp(31, multiple * MAXIMUM)], seed).text.replace(
                "\n", "⏎\n"
            )


def test_two_sliders_of_a_recording_count_each_in_its_own_unit(show, data):
    units = {31: MAXIMUM, 42: 1.2}  # a small maximum weighs a step more
    texts = [
        Generation("Who?", (Token(i, f" text {i}", -0.5, 0.1),), clamps, 0, 0.8)
        for i, clamps in enumerate(
            [(), *((Clamp(31, a), Clamp(42, b)) for a, b in ((0.0, 24.0), (25.0, 0.0), (50.0, 3.0), (25.0, -12.0)))]
        )
    ]
    grid = ClampRecording("Who?", tuple(texts), units)
    page = show(ClampPanel(grid, data, multiples={31: 1.0, 42: 1.0}).to_html())
    boxes = {f: page.get_by_role("spinbutton", name=f"#{f}") for f in units}
    clamped = page.get_by_role("log", name="Clamped")
    for a in (-1, 0.9, 1.0, 1.1, 3):
        for b in (-0.6, 0.1, 0.2, 1.0, 1.2):
            for f, multiple in ((31, a), (42, b)):
                boxes[f].fill(str(multiple))
                boxes[f].press("Enter")
            asked = [Clamp(31, a * data[31].maximum), Clamp(42, b * data[42].maximum)]
            assert clamped.text_content() == grid.nearest(asked, 0).text
    page.get_by_role("switch", name="Clamp #42").uncheck()
    assert page.get_by_text("this was not recorded").is_visible()


def test_tokens_tell_their_cost_by_mouse_and_by_keys(show, data):
    page = show(ClampPanel(recording(), data, multiples={31: 4.0}).to_html())
    tip = page.get_by_role("tooltip")
    page.get_by_role("log", name="Clamped").locator(".saew-token").nth(3).hover()
    assert (
        "probability" in tip.inner_text() and "nats" in tip.inner_text() and tip.locator(".saew-tip-bar").count() == 2
    )
    page.mouse.move(5, 5)
    page.get_by_role("log", name="Clamped").locator("[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == " am" and "·am" in tip.inner_text()


def test_log_probabilities_are_shaded_and_their_mean_is_said(show, data):
    panel = ClampPanel(sample_records.Writer(), data, multiples={31: 4.0})
    panel.write()
    assert panel.wait(20)
    page = show(live(panel))
    log = page.get_by_role("log", name="Clamped")
    shade = "chip => getComputedStyle(chip.querySelector('.saew-word')).backgroundColor"
    before = log.locator(".saew-token").nth(4).evaluate(shade)
    page.get_by_role("checkbox", name="log probability of each token").check()
    # The sample text's n-th token has -0.1 - 0.05 (n mod 7) nats: of its 23 tokens the mean is -0.239.
    assert page.locator(".saew-pane-clamped .saew-count").inner_text() == "23 tokens, \u22120.239 nats per token"
    weights = log.locator(".saew-token").evaluate_all(
        "chips => chips.slice(0, 7).map(c => +c.style.getPropertyValue('--l'))"
    )
    assert weights == [pytest.approx((0.1 + 0.05 * n) / 7, abs=6e-4) for n in range(7)]
    assert log.locator(".saew-token").nth(4).evaluate(shade) != before
    log.locator(".saew-token").nth(4).hover()
    assert "log probability" in page.get_by_role("tooltip").inner_text()
    assert "\u22120.3 nats" in page.get_by_role("tooltip").inner_text()


def test_answers_of_an_exported_panel_stand_in_rows_at_every_width(show, data, page):
    panel = ClampPanel(sample_records.Writer(), data, multiples={31: 4.0}, look_for="towers")
    panel.write_answers(3)
    assert panel.wait(20)
    show(panel.to_html())
    answers = page.locator(".saew-answers")
    assert answers.get_by_text("in 3 of 3 clamped answers, and in 0 of 3 default ones").is_visible()
    assert not answers.get_by_role("button", name="more answers").is_visible()
    for width in (1008, 900, 390):
        page.set_viewport_size({"width": width, "height": 900})
        beside = answers.locator("tbody tr").nth(0).locator("td").evaluate_all("cells => cells.map(c => c.offsetLeft)")
        assert (beside[0] < beside[1]) == (width > 560)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_text_can_be_copied(show, data, page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    grid = recording()
    show(ClampPanel(grid, data, multiples={31: 4.0}).to_html())
    page.get_by_role("button", name="Copy the clamped text").click()
    expect(page.get_by_role("button", name="Copy the clamped text")).to_have_text("Copied")
    page.evaluate("document.body.append(Object.assign(document.createElement('textarea'), {id: 'paste'}))")
    page.locator("#paste").focus()
    page.keyboard.press("Control+v")
    assert page.locator("#paste").input_value() == grid.nearest([Clamp(31, 50.0)], 0).text


def test_a_kernel_that_does_not_answer_is_said(show, data):
    panel = ClampPanel(sample_records.Writer(), data, multiples={31: 4.0})
    page = show(live(panel))
    page.get_by_role("slider").press("ArrowRight")
    note = page.locator(".saew-waiting")
    expect(note).to_contain_text("The kernel is busy and has not answered yet.")
    assert multiple_of(page.get_by_role("slider")) == 4.25, "what was set is kept"


def test_a_first_text_that_takes_its_time_is_explained(show, data):
    panel = ClampPanel(sample_records.Writer(), data, multiples={31: 4.0})
    panel.status = "writing"
    page = show(live(panel))
    expect(page.locator(".saew-waiting")).to_contain_text("The first text takes some seconds")


def test_a_scope_from_a_token_on_can_be_typed(show, data):
    page = show(live(ClampPanel(sample_records.Writer(), data, multiples={31: 4.0})))
    first = page.get_by_role("spinbutton", name="First token that is clamped")
    assert first.count() == 0 or not first.is_visible()
    page.get_by_label("Where").select_option("from")
    first.fill("7")
    first.press("Enter")
    assert page.get_by_label("Where").input_value() == "from" and first.input_value() == "7"
    page.get_by_label("Where").select_option("only")
    only = page.get_by_role("spinbutton", name="The token that is clamped")
    assert only.input_value() == "7"
    page.get_by_label("Where").select_option("prompt")
    assert not only.is_visible() and not first.is_visible()


def test_hostile_texts_are_literal_everywhere(show, data, page):
    """In the texts, in the list of what was tried, in labels and in the prompt, and in the texts of a dose-response."""
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))

    def hostile(prompt, clamps, *, n_tokens, seed, temperature):
        for i, token in enumerate(HOSTILE):
            yield Token(i, token, -0.5, 0.1 if clamps else 0.0)

    labeled = sample_records.with_token(data, HOSTILE[0])
    panel = ClampPanel(
        hostile, labeled, multiples={31: 1.0}, prompt=HOSTILE[0], examples=HOSTILE, n_tokens=len(HOSTILE)
    )
    for multiple in (1.0, 2.0):
        panel.multiples = {31: multiple}
        panel.write()
        assert panel.wait(20)
    show(live(panel))
    page.locator("summary", has_text="What was tried").click()
    assert page.get_by_role("log", name="Clamped").locator(".saew-token").count() == len(HOSTILE)
    sweep = sample_records.dose_response(1)
    whole = [t for t in HOSTILE if not re.search("[\ud800-\udfff]", t)]  # a table of texts takes no lone surrogate
    texts = tuple(replace(t, text=whole[i % len(whole)]) for i, t in enumerate(sweep.texts))
    bad = "img, iframe, base, object, .saew script, .saew a, .saew [onmouseover], .saew [onerror]"
    assert page.locator(bad).count() == 0
    show(DoseResponse(replace(sweep, texts=texts, label=HOSTILE[0], concept=HOSTILE[1], prompt=HOSTILE[2])).to_html())
    for _ in range(8):
        page.get_by_role("slider").press("ArrowLeft")
    assert page.locator(bad).count() == 0 and page.locator(".saew-dose-texts li").count() == 1


# -- the slider, its band and what is said beside it -----------------------------------------------------------------


def banded(data, **options):
    """A page with a panel whose clamp works from 1.2 to 1.7 times the maximum, nothing clamped yet."""
    return live(ClampPanel(sample_records.Writer(), data, **{"features": [31], "windows": {31: (1.2, 1.7)}} | options))


def test_the_first_hand_is_led_into_the_band(show, data):
    page = show(banded(data))
    slider, hint = page.get_by_role("slider"), page.get_by_text("Drag into the green band")
    assert hint.is_visible() and page.locator(".saew-rail-arrow").is_visible()
    assert slider.get_attribute("aria-valuetext") == "off"
    assert page.locator(".saew-clamp-row").get_by_text("off", exact=True).count() == 0, "the box says it, once"
    band = page.locator(".saew-rail-window").bounding_box()
    assert band["width"] > 40, "wide enough to be hit"
    drag_clamp(page, slider, 0, 1.35)
    assert multiple_of(slider) == pytest.approx(1.35, abs=0.06)
    assert slider.get_attribute("aria-valuetext").endswith("×, where it works")
    assert not hint.is_visible()
    slider.press("Delete")
    assert slider.get_attribute("aria-valuetext") == "off" and not hint.is_visible(), "how to begin is known by now"


def test_a_click_on_the_band_or_its_label_is_for_the_middle_and_a_drag_is_not(show, data):
    page = show(banded(data))
    slider = page.get_by_role("slider")
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.click(clamp_x(slider, 1.25), y)
    assert multiple_of(slider) == 1.45
    page.mouse.click(clamp_x(slider, 2.5), y)  # beside the band a click is for where it is
    assert multiple_of(slider) == pytest.approx(2.5, abs=0.06)
    page.get_by_role("button", name="works here: 1.2 to 1.7×").click()
    assert multiple_of(slider) == 1.45
    page.mouse.click(clamp_x(slider, 1.45), y)  # on the handle itself: nothing moves
    assert multiple_of(slider) == 1.45
    drag_clamp(page, slider, 1.45, 1.6)  # it ends where it ends
    assert multiple_of(slider) == pytest.approx(1.6, abs=0.06)
    slider.press("Home")
    box = page.get_by_role("spinbutton", name="exact multiple")
    box.fill("1.35")
    box.press("Enter")
    assert slider.get_attribute("aria-valuetext") == "1.35×, where it works"


def test_a_value_out_of_range_is_said_and_the_old_one_stands(show, data):
    page = show(banded(data))
    said = page.locator(".saew-refused")
    seed = page.get_by_label("Seed", exact=True)
    for name, typed, sentence, stands in (
        ("Temperature", "50", "Temperature takes a number from 0 to 10: 50 was not taken, it is still 0.5.", "0.5"),
        ("Tokens", "2001", "Tokens takes a whole number from 1 to 2,000: 2001 was not taken, it is still 60.", "60"),
        ("Seed", "-3", "Seed takes a whole number from 0 to 2,147,483,647: -3 was not taken, it is still 0.", "0"),
        ("Seed", "1.5", "Seed takes a whole number from 0 to 2,147,483,647: 1.5 was not taken, it is still 0.", "0"),
    ):
        field = page.get_by_label(name, exact=True)
        field.fill(typed)
        field.press("Enter")
        assert said.inner_text() == sentence and field.input_value() == stands
    seed.fill("4")
    seed.press("Enter")
    assert not said.is_visible() and seed.input_value() == "4"


def test_the_fields_name_what_the_context_leaves(show, data):
    panel = ClampPanel(sample_records.Writer(), data, features=[31], n_tokens=400)
    panel._texts = {**panel._texts, "room": 236, "done": True, "default": [[1, " a", -0.5, 0.0]] * 236}
    page = show(live(panel))
    length = page.get_by_label("Tokens, at most 236 here")
    assert "at most 236 here" in length.get_attribute("title")
    assert page.get_by_text("236 tokens, the context is full").is_visible()
    length.fill("60")
    length.press("Enter")
    assert page.get_by_label("Tokens", exact=True).is_visible()


def test_an_empty_answer_is_said_and_a_text_of_before_is_dim(show, data):
    def silent(prompt, clamps, **settings):
        yield from ()

    panel = ClampPanel(silent, data, features=[31])
    panel.write()
    assert panel.wait(20)
    page = show(live(panel))
    assert page.get_by_role("log", name="Default").inner_text() == "(nothing: the text ended at once)"
    assert page.get_by_role("button", name="Copy the default text").is_visible()

    def refusing(prompt, clamps, **settings):
        if len(prompt) > 100:
            raise ValueError("it does not fit")
        yield from sample_records.Writer()(prompt, clamps, **settings)

    panel = ClampPanel(refusing, data, features=[31])
    panel.write()
    assert panel.wait(20)
    panel.prompt = "word " * 30
    with pytest.raises(ValueError, match="does not fit"):
        panel.wait(20)
    page = show(live(panel))
    expect(page.get_by_role("log", name="Default")).to_have_css("opacity", "0.45")
    assert page.get_by_text("What you see was written before this.").is_visible()


def test_panes_keep_their_height_when_a_shorter_text_comes(show, data):
    long = tuple(Token(i, f" word{i}", -0.5, 0.1) for i in range(150))
    texts = [Generation("Who?", long[: n or 9], (Clamp(31, MAXIMUM),) if n else (), 0, 0.8) for n in (0, 150)]
    page = show(ClampPanel(ClampRecording("Who?", tuple(texts), {31: MAXIMUM}), data, multiples={31: 1.0}).to_html())
    default, clamped = page.get_by_role("log", name="Default"), page.get_by_role("log", name="Clamped")
    assert default.bounding_box()["y"] == clamped.bounding_box()["y"], "the texts begin at one height"
    tall = clamped.bounding_box()["height"]
    below = page.get_by_text("The same in Python").bounding_box()["y"]
    page.get_by_role("slider").press("Delete")
    assert clamped.inner_text() == default.inner_text()
    assert clamped.bounding_box()["height"] == tall > 200
    assert page.get_by_text("The same in Python").bounding_box()["y"] == below


def test_what_was_tried_says_what_differs_and_choosing_it_sets_that(show, data):
    panel = ClampPanel(sample_records.Writer(), data, multiples={31: 2.0}, prompt="Human: Who are you?\nAssistant:")
    panel.write()
    assert panel.wait(20)
    with panel.hold_trait_notifications():  # one try; on a busy machine some of these steps are written, too
        panel.prompt, panel.seed, panel.multiples = "Human: Sing!\nAssistant:", 3, {31: 1.0}
    assert panel.wait(20)
    page = show(live(panel))
    page.locator("summary", has_text="What was tried").click()
    now, other = page.locator(".saew-try").first, page.locator(".saew-try").last
    assert now.locator("strong").count() == 0 and "(as now)" in now.inner_text()
    assert other.locator("strong").all_inner_texts() == ["#31 at 2×", "seed 0", "prompt: Human: Who are you?"]
    other.click()
    assert page.get_by_label("Seed", exact=True).input_value() == "0"
    assert multiple_of(page.get_by_role("slider")) == 2
    assert page.get_by_role("textbox", name="Prompt").input_value() == "Human: Who are you?\nAssistant:"
    assert "(as now)" in other.inner_text()


def test_tab_goes_from_the_search_to_the_next_control(show, data):
    page = show(banded(data))
    search = page.get_by_role("combobox", name="Add a feature to clamp")
    search.focus()
    expect(page.get_by_role("listbox")).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement === document.querySelector('.saew-scope select')")
    search.fill("hoots")  # a token that #42 promotes
    assert "promotes ·hoots" in page.get_by_role("option", name="#42").inner_text()


# -- dose-response ---------------------------------------------------------------------------------------------------


def test_a_point_of_a_dose_response_shows_its_texts(show):
    sweep = sample_records.dose_response()
    page = show(DoseResponse(sweep).to_html())
    texts = page.locator(".saew-dose-texts p")

    def shows(kind, multiple):
        assert texts.all_text_contents() == [t.text for t in sweep.at(kind, multiple)]

    shows("clamp", 1.6)
    strength = page.get_by_role("slider", name="Strength")
    strength.focus()
    page.keyboard.press("End")
    shows("clamp", 10.0)
    assert strength.get_attribute("aria-valuetext") == "10×"
    page.get_by_role("radio", name="add its direction").check(force=True)
    shows("add", 10.0)
    page.keyboard.press("ArrowRight")  # the next kind, as radio buttons do
    shows("mean_difference", 10.0)
    page.get_by_role("radio", name="a prompt instead").check(force=True)
    shows("prompt", 0.0)
    assert strength.is_disabled()
    page.locator("summary", has_text="All figures").click()
    row = page.get_by_role("row", name=re.compile("^clamp the feature 1.4×"))
    row.get_by_role("button").click()
    shows("clamp", 1.4)
    assert row.get_attribute("aria-selected") == "true"


def test_a_chart_of_a_dose_response_is_clicked(show, page):
    sweep = sample_records.dose_response()
    show(DoseResponse(sweep, kind="noise").to_html())
    chart = page.get_by_role("img").first
    assert re.match(r"Texts with the concept\. noise of equal length at .*×: 0 %", chart.get_attribute("aria-label"))
    plot = chart.locator(".saew-dose-mark").last  # the chosen kind is drawn last: its largest strength
    box = plot.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.locator(".saew-dose-texts p").all_text_contents() == [t.text for t in sweep.at("noise", 10.0)]
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.get_by_role("img").count() == 5


@pytest.mark.parametrize("width", [800, 1600])
def test_nothing_of_them_is_wider_than_the_page(show, data, page, width):
    page.set_viewport_size({"width": width, "height": 900})
    for text in (
        DoseResponse(sample_records.dose_response()).to_html(),
        ClampPanel(recording(), data, multiples={31: 4.0}).to_html(),
    ):
        show(text)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
