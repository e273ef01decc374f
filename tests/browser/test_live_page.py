"""A clamp panel's page that carries its model, opened from a disk with the network off: typed in, dragged, and compared
with what Python writes on the same weights, rounded to 16 bits.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import sample_records
import torch
from hostile import HOSTILE
from live_lab import clamp_x, multiple_of, watched_page

import saewidgets as sw
from saewidgets.records import DashboardData

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

BRIDGE, MAXIMUM = 96, 7.64466142654419
PROMPT = "Human: What is your physical form?\nAssistant:"
N_TOKENS = 12
PATIENCE = 60_000  # ms


@pytest.fixture(scope="module")
def steer():
    model, sae = sw.load_model(), sw.load_sae()
    with torch.no_grad():
        for p in (*model.hooked.parameters(), *sae.parameters()):
            p.data = p.data.half().float()
    return sw.Steerer(model, sae)


def panel(steer, token="golden gate bridge", **options) -> sw.ClampPanel:
    """A panel on six features, of which the bridge's is the model's own; `token` is its label and what it promotes."""
    data = sample_records.with_token(sample_records.dashboard(), token)
    bridge = replace(data[31], feature=BRIDGE, maximum=MAXIMUM)
    data = DashboardData(data.passport, {**data.features, BRIDGE: bridge})
    how = {"multiples": {BRIDGE: 1.35}, "prompt": PROMPT, "n_tokens": N_TOKENS, "temperature": 0.0} | options
    return sw.ClampPanel(steer, data, **how)


@pytest.fixture(scope="module")
def file(steer, tmp_path_factory):
    path = tmp_path_factory.mktemp("live") / "bridge.html"
    text = panel(steer).to_html(path, live=True)
    assert path.read_text(encoding="utf-8") == text
    assert len(text) < 8_000_000
    return path


@pytest.fixture(params=[1280, 390])
def opened(request, browser, file):
    """The page at a width, with the network off."""
    with watched_page(browser) as page:
        page.set_viewport_size({"width": request.param, "height": 900})
        page.context.set_offline(True)
        page.goto(file.as_uri())
        yield page
        page.trouble.check()


def expects(page, steer, prompt, multiple, scope="all", **how):
    """Wait until the page shows what Python writes."""
    how = {"n_tokens": N_TOKENS, "temperature": 0.0} | how
    clamps = [sw.Clamp(BRIDGE, multiple * MAXIMUM, scope)]
    for name, own in (("Default", ()), ("Clamped", clamps)):
        text = steer.generate(prompt, own, **how).text
        assert text.strip()
        said = page.get_by_role("log", name=name)
        expect(said).to_have_text(text.replace("\n", "⏎\n"), timeout=PATIENCE)
    page.wait_for_selector(".saew-status[data-status=idle]", timeout=PATIENCE)
    page.wait_for_timeout(900)  # a kernel that does not answer is called busy after so long
    assert not page.locator(".saew-waiting").is_visible()


def test_types_drags_and_writes_what_python_writes(opened, steer):
    page = opened
    expects(page, steer, PROMPT, 1.35)
    measured = page.get_by_role("table").filter(has_text="blocks.5.hook_resid_post").first
    measured.wait_for(timeout=PATIENCE)  # was read again at every later layer
    box = page.get_by_role("textbox", name="Prompt")
    box.fill("The fog over the")
    expects(page, steer, "The fog over the", 1.35)
    slider = page.get_by_role("slider", name=f"#{BRIDGE}")
    slider.scroll_into_view_if_needed()
    area = slider.bounding_box()
    page.mouse.move(clamp_x(slider, 1.35), area["y"] + area["height"] / 2)
    page.mouse.down()
    page.mouse.move(area["x"] + 0.7 * area["width"], area["y"] + area["height"] / 2, steps=12)
    page.mouse.up()
    moved = multiple_of(slider)
    assert moved > 1.5
    expects(page, steer, "The fog over the", moved)
    page.get_by_label("Where").select_option("prompt")
    page.get_by_label("Temperature").fill("0.8")
    page.get_by_label("Seed").fill("11")
    page.get_by_label("Seed").press("Enter")
    expects(page, steer, "The fog over the", moved, "prompt", temperature=0.8, seed=11)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("opened", [390], indirect=True)
def test_more_features_answers_code_and_what_was_tried(opened, steer):
    page = opened
    expects(page, steer, PROMPT, 1.35)
    page.get_by_label("How many").fill("2")
    page.get_by_label("How many").press("Enter")
    page.get_by_label("Words to look for").fill("bridge")
    page.get_by_role("button", name="2 more answers").click()
    rows = page.locator(".saew-answer-list tbody tr")
    expect(rows).to_have_count(2, timeout=PATIENCE)
    expect(rows.nth(1)).to_contain_text("perplexity", timeout=PATIENCE)
    page.wait_for_selector(".saew-status[data-status=idle]", timeout=PATIENCE)
    clamp = sw.Clamp(BRIDGE, 1.35 * MAXIMUM)
    for row, seed in enumerate((1, 2)):
        text = steer.generate(PROMPT, [clamp], n_tokens=N_TOKENS, temperature=0.0, seed=seed).text.strip()
        assert " ".join(text.split()) in " ".join(rows.nth(row).inner_text().split())
    assert "1 more answer" not in page.locator(".saew-answers").inner_text()
    find = page.get_by_role("combobox", name="Add a feature to clamp")
    find.fill("42")
    page.get_by_role("option").first.click()
    assert page.get_by_role("slider").count() == 2
    exact = page.get_by_role("spinbutton", name="#42").first
    exact.fill("1.5")
    exact.press("Enter")
    expect(page.get_by_text("What was tried (2)")).to_be_visible(timeout=PATIENCE)
    both = [clamp, sw.Clamp(42, 1.5 * 12.0)]
    text = steer.generate(PROMPT, both, n_tokens=N_TOKENS, temperature=0.0).text
    expect(page.get_by_role("log", name="Clamped")).to_have_text(text.replace("\n", "⏎\n"), timeout=PATIENCE)
    exact.fill("4000")  # beyond what Python takes: said, and left as it was
    exact.press("Enter")
    expect(page.get_by_text("must be a number from -1000 to 1000, not 4000")).to_be_visible()
    assert multiple_of(page.get_by_role("slider", name="#42")) == 1.5
    page.get_by_text("The same in Python").click()
    code = page.locator(".saew-details pre").inner_text()
    assert f"sw.Clamp(feature=42, value={1.5 * 12.0}, scope='all')" in code and repr(PROMPT) in code


def test_without_workers_the_page_computes_by_itself(browser, steer, file):
    with watched_page(browser) as page:
        page.add_init_script("window.Worker = class { constructor() { throw new Error('refused'); } };")
        page.goto(file.as_uri())
        expects(page, steer, PROMPT, 1.35)
        page.get_by_role("textbox", name="Prompt").fill("I")
        expects(page, steer, "I", 1.35)
        page.trouble.check()


def test_a_probe_reads_what_is_typed(browser, steer, tmp_path):
    path = tmp_path / "probe.html"
    prober = sw.prober(steer.model, steer.sae)
    sw.FeatureProbe(prober, text="I").to_html(path, live=True)
    typed = "The fog over the bridge"
    found = prober(typed)
    strongest = found.feature[found.value.argmax()]
    with watched_page(browser) as page:
        page.context.set_offline(True)
        page.goto(path.as_uri())
        page.get_by_role("textbox", name="Text").fill(typed)
        expect(page.locator(".saew-probe-list")).to_contain_text(f"{len(found.listed)} features", timeout=PATIENCE)
        assert page.locator(".saew-probe-list tbody tr").first.inner_text().count(f"#{strongest}")
        assert page.locator(".saew-probe-strip .saew-token").count() == len(found)
        assert page.get_by_role("button", name="Measure").count() == 0  # Python's alone
        page.trouble.check()


def test_a_dose_response_writes_what_its_sweep_does_not_hold(browser, steer, tmp_path):
    data = replace(
        sample_records.dose_response(2), feature=BRIDGE, maximum=MAXIMUM, n_tokens=N_TOKENS, steering_prompt="I am"
    )
    path = tmp_path / "dose.html"
    sw.DoseResponse(data, multiple=1.4).to_html(path, live=True, steer=steer)
    with watched_page(browser) as page:
        page.context.set_offline(True)
        page.goto(path.as_uri())
        here = page.get_by_role("region", name="Write another")
        button = here.locator(".saew-button")

        def write(kind, strength, seed, clamps, prompt=PROMPT):
            for name, value in (("Strength", strength), ("Seed", seed)):
                if value is not None:
                    here.get_by_label(name).fill(value)
            button.click()
            for title, own, asked in (("Nothing done", [], PROMPT), (kind, clamps, prompt)):
                text = steer.generate(asked, own, n_tokens=N_TOKENS, temperature=data.temperature, seed=int(seed)).text
                assert text.strip()
                expect(here.get_by_role("log", name=title)).to_have_text(text, timeout=PATIENCE)
            expect(button).to_have_text("Write", timeout=PATIENCE)

        expect(here.get_by_role("log")).to_have_count(0)  # nothing before it is asked for
        curves = page.locator(".saew-dose-charts").inner_html()
        write("clamp the feature at 1.43×", "1.43", "11", [sw.Clamp(BRIDGE, 1.43 * MAXIMUM)])
        expect(here).to_contain_text("seed 11: written here, by the model in this page; it is not part of the curves.")
        write("clamp the feature at 1.4×", "1.4", "1", [sw.Clamp(BRIDGE, 1.4 * MAXIMUM)])
        expect(here).to_contain_text("which have their own text of it above")
        assert page.locator(".saew-dose-charts").inner_html() == curves
        assert "strength=1.4" in page.url and "seed=1" in page.url
        here.get_by_label("Strength").fill("4000")
        here.get_by_label("Strength").press("Enter")
        expect(here).to_contain_text("a number from −1000 to 1000; it stays 1.4")
        page.get_by_text("add its direction").first.click()
        expect(page.locator(".saew-dose-reading")).to_contain_text("add its direction at 1.4×")  # the recorded ones
        adds = sw.steering.add_feature(steer.sae, BRIDGE, 0.9 * MAXIMUM)
        write("add its direction at 0.9×", "0.9", "11", [adds])
        page.get_by_text("a prompt instead").first.click()
        write("a prompt instead", None, "3", [], "I am")
        page.get_by_text("noise of equal length").first.click()
        expect(button).to_be_disabled()
        expect(here).to_contain_text("This page cannot write what “noise of equal length” does")
        page.get_by_role("button", name="What am I looking at?").click()
        expect(page.get_by_role("dialog")).to_contain_text("A text that the sweep does not hold: this page writes it.")
        page.trouble.check()


def test_text_that_is_no_markup_stays_text(browser, steer, tmp_path):
    """Labels, tokens, prompts and examples of nobody's making; nothing of them runs, and all can be read."""
    nasty = "".join(text for text in HOSTILE if len(text) < 100 and "\ud83d" not in text and "\ude00" not in text)
    path = tmp_path / "hostile.html"
    made = panel(steer, nasty, prompt=nasty[:60], examples={nasty: nasty[:80]}, look_for="</script>", n_tokens=2)
    made.to_html(path, live=True)
    with watched_page(browser) as page:
        page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
        page.goto(path.as_uri())
        page.wait_for_selector(".saew-status[data-status=idle]", timeout=PATIENCE)
        text = steer.generate(nasty[:60], [], n_tokens=2, temperature=0.0).text
        expect(page.get_by_role("log", name="Default")).to_have_text(text.replace("\n", "⏎\n"), timeout=PATIENCE)
        typed = "</script><img src=x onerror=alert(1)>"
        page.get_by_role("textbox", name="Prompt").fill(typed)
        expect(page.get_by_text("What was tried (2)")).to_be_visible(timeout=PATIENCE)
        assert page.locator("img, iframe, svg[onload]").count() == 0
        assert typed in page.locator(".saew-details pre").first.text_content()
        page.trouble.check()
