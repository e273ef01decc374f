"""Every instrument on a real chat model, SmolLM2-135M-Instruct in bfloat16, in one notebook of a real JupyterLab."""

from __future__ import annotations

import re

import pytest
from live_lab import run_all, scroll_to, write_notebook

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)  # ms; a busy machine is slow, not wrong
pytestmark = pytest.mark.browser
PATIENCE = 120_000  # ms for a text to be written on a busy machine

MODEL = """
import torch

import saewidgets as sw

torch.set_num_threads(1)  # as the check of a busy machine advises: a browser runs beside this
model = sw.load_model("smollm2", dtype="bfloat16")
texts = [
    "The old bridge stands in the fog above the bay, and the ferries pass below it.",
    "An owl sat in the oak at night and watched the mice in the grass.",
    "To bake bread you need flour, water, salt and yeast, and a hot oven.",
    "The train from Vienna to Prague leaves at seven in the morning.",
    "In 1969 two people walked on the Moon and came back with rocks.",
    "def add(a, b):\\n    return a + b",
    "Buenos días, señora. ¿Dónde está la estación?",
    "She plays the violin in the evening, and her brother sings.",
    "Water boils at 100 degrees Celsius at sea level.",
    "The company said that its profit rose by 12 percent in the third quarter.",
    "Rain fell on the garden, and the roses opened the next day.",
    "He paid ten dollars for the book and left the change on the table.",
    "A triangle has three sides, and its angles add up to 180 degrees.",
    "The doctor told him to rest, to drink tea and to come back on Monday.",
    "Dear Sir or Madam, thank you for your letter of last week.",
    "The lighthouse keeper climbed the stairs and lit the lamp.",
    "Cats sleep most of the day; dogs wait at the door.",
    "Paris is the capital of France, and Rome is the capital of Italy.",
    "The volcano threw ash over the island for three weeks.",
    model.chat("What is a bridge?") + "A bridge carries a road over water or a valley.",
]
store = sw.ActivationStore(model, sw.site(model, "blocks.12.hook_resid_post"), texts, batch_size=128)
sae = sw.SAE(sw.SAEConfig(model.d_model, 512, "topk", k=8, site=store.site), name="small")
"""
MONITOR = """
monitor = sw.TrainingMonitor(sw.train(sae, store, sw.TrainConfig(steps=24, lr=2e-3)))
monitor.start()
assert monitor.wait(120)
monitor
"""
DATA = """
sae.requires_grad_(False)
acts = sw.feature_activations(model, sae, texts)
strongest = [f for f in range(512) if len(acts.of(f)[2]) > 3][:8]
data = sw.dashboard_data(model, sae, acts, features=strongest, labels={strongest[0]: "the first one"})
selection = sw.Selection()
"""
DASHBOARD = "sw.FeatureDashboard(data, feature=strongest[0], selection=selection)"
PROBE = "sw.FeatureProbe(sw.prober(model, sae, acts), model.chat('What is a bridge?'))"
TALK = "sw.FeatureProbe(sw.prober(model, sae), sw.Dialogue([('system', 'Be brief.'), ('user', 'Hi')]))"
SEARCH = "sw.FeatureSearch(sw.searcher(model, sae, acts, data=data), mode='token', selection=selection)"
MAP = "sw.FeatureMap(sw.feature_map(sae, acts, model=model))"
CLAMP = """
steer = sw.Steerer(model, sae)
panel = sw.ClampPanel(steer, data, features=[strongest[0]], n_tokens=12, temperature=0)
panel
"""
DOSE = """
dose = sw.dose_response(model, sae, strongest[0], prompt=model.chat("What is the largest planet?"), acts=acts,
                        concept="planet", multiples=(0, 2, 8), kinds=("clamp", "add"), seeds=range(2), n_tokens=8,
                        temperature=0)
sw.DoseResponse(dose)
"""
ARCHITECTURE = "sw.ArchitecturePanel(sw.token_parts(model, sae, model.chat('What is a bridge?')))"
PLANE = """
x = model.activations(model.tokens(texts[0]), sae.config.site.hook_name)[0, 3].float()
sw.FeaturePlane.of(x, sae.decoder_directions[strongest[:2]], labels=["one", "two"])
"""
CELLS = (MODEL, MONITOR, DATA, DASHBOARD, PROBE, TALK, SEARCH, MAP, CLAMP, DOSE, ARCHITECTURE, PLANE)


@pytest.fixture(scope="module")
def shown(smollm2, lab, desk):
    """A page on which the whole notebook has been run, once for this module; 1440 pixels wide, beside the file browser."""
    write_notebook(lab, "smollm2.ipynb", *map(str.strip, CELLS))
    with desk.notebook(lab, "smollm2.ipynb") as page:
        page.set_viewport_size({"width": 1440, "height": 1000})
        run_all(page, timeout=600)
        yield page


def instrument(page, source: str, name: str):
    """The instrument under the cell that holds `source`, without an error in it and no wider than its cell."""
    scroll_to(page, source.strip().splitlines()[-1])
    found = (
        page.locator(".jp-CodeCell").filter(has_text=source.strip().splitlines()[-1]).get_by_role("group", name=name)
    )
    expect(found).to_be_visible()
    expect(found.locator("[role=alert]:visible")).to_have_count(0)
    box = found.bounding_box()
    assert box["width"] > 600 and box["x"] + box["width"] <= 1440
    assert found.evaluate("element => element.scrollWidth <= element.clientWidth + 1"), "it spills over its own frame"
    return found


def test_the_training_is_shown(ran):
    monitor = instrument(ran, "monitor.start()\nassert monitor.wait(120)", "Training monitor")
    expect(monitor.get_by_role("status")).to_have_text("finished")
    expect(monitor.get_by_role("img", name="How often features fire")).to_be_visible()


def test_the_dashboard_shows_real_text_and_goes_on_to_another_feature(ran):
    board = instrument(ran, DASHBOARD, "Feature dashboard")
    expect(board.locator(".saew-heading .saew-title")).to_have_text("the first one")
    expect(board.locator(".saew-example").first).to_be_visible()
    expect(board.locator(".saew-footer")).to_contain_text(re.compile("SmolLM2-135M-Instruct.*bfloat16, from Q4_1"))
    number = board.get_by_role("spinbutton", name="Feature number")
    first = number.input_value()
    board.get_by_role("button", name="Next feature").click()
    expect(number).not_to_have_value(first)


def test_the_probe_reads_a_chat_prompt_and_what_is_typed(ran):
    probe = instrument(ran, PROBE, "Feature probe")
    strip = probe.get_by_role("group", name="Tokens of the text")
    expect(strip.locator(".saew-token").first).to_have_text("<|im_start|>")  # once: the template's own is not doubled
    assert strip.locator(".saew-token", has_text="<|im_start|>").count() == 3  # system, user, assistant
    probe.get_by_label("Text: type or paste").fill("The owl sat")
    expect(strip.locator(".saew-token")).to_have_text(["<|im_start|>", "The", " owl", " sat"])
    probe.get_by_label("Next token").fill(" on")
    probe.get_by_role("button", name="Measure").click()
    expect(probe.get_by_text(re.compile(r"Correlation with the ablation, over \d+ activations"))).to_be_visible()


def test_the_probe_folds_the_template_of_a_dialogue_away(ran):
    probe = instrument(ran, TALK, "Feature probe")
    strip = probe.get_by_role("group", name="Tokens of the text")
    expect(strip.locator(".saew-role")).to_have_text(["system", "user", "assistant"])
    expect(strip.locator(".saew-token")).to_have_text(["Be", " brief", ".", "Hi"])
    probe.get_by_role("button", name="Show the template's tokens").click()
    assert strip.locator(".saew-token", has_text="<|im_start|>").count() == 3


def test_a_search_finds_features_by_a_token(ran):
    search = instrument(ran, SEARCH, "Feature search")
    query = search.get_by_role("textbox").first
    query.fill(" bridge")
    query.press("Enter")
    expect(search.locator("tbody tr").first).to_contain_text("#")


def test_the_map_has_every_feature_and_says_what_one_promotes(ran):
    shown = instrument(ran, MAP, "Feature map")
    expect(shown.get_by_role("application")).to_have_attribute("aria-label", re.compile("512"))


def test_a_clamp_changes_what_the_model_says_in_its_own_chat_form(ran):
    panel = instrument(ran, CLAMP, "Clamp panel")
    turns = panel.get_by_role("group", name="Turns of the dialogue")
    prompt = turns.get_by_role("textbox", name="user")
    expect(prompt).to_have_value("What is your physical form?")  # the template's own tokens are folded away
    assert prompt.evaluate("box => box.scrollHeight <= box.clientHeight + 1"), "the question is in sight"
    asked = "What is the largest planet?"  # a clear first choice at each token: any processor's rounding says the same
    idle = panel.locator("[role=status][data-status=idle]")
    idle.wait_for(timeout=PATIENCE)
    prompt.fill(asked)
    default, clamped = (panel.get_by_role("log", name=name) for name in ("Default", "Clamped"))
    expect(default).to_contain_text("The largest planet", timeout=PATIENCE)
    idle.wait_for(timeout=PATIENCE)
    own = default.inner_text()
    assert clamped.inner_text() == own, "nothing is clamped yet"
    slider = panel.get_by_role("slider", name=re.compile("multiple"))
    slider.focus()
    slider.press("End")
    expect(clamped).not_to_have_text(own, use_inner_text=True, timeout=PATIENCE)
    idle.wait_for(timeout=PATIENCE)
    assert default.inner_text() == own
    rows = panel.locator(".saew-measured-table tbody tr")
    expect(rows).to_have_count(
        7, timeout=PATIENCE
    )  # what was set; of 18 sites the clamp's own, and those from the next to the last
    expect(rows.nth(2)).to_contain_text("blocks.13.hook_resid_post")
    expect(rows.last).to_contain_text("blocks.29.hook_resid_post")
    panel.get_by_role("button", name="Show all 18 rows").click()
    expect(rows).to_have_count(19)

    panel.get_by_role("textbox", name="What the user says next").fill("And of Italy?")
    panel.get_by_role("button", name="Answer", exact=True).click()
    expect(turns.get_by_role("textbox")).to_have_count(3)  # the clamped answer was taken over
    expect(turns.get_by_role("textbox").nth(2)).to_have_value("And of Italy?")
    expect(default).not_to_have_text(own, use_inner_text=True, timeout=PATIENCE)
    idle.wait_for(timeout=PATIENCE)
    panel.get_by_role("button", name="Tell me about yourself.").click()
    expect(turns.get_by_role("textbox")).to_have_count(1)
    expect(prompt).to_have_value("Tell me about yourself.")
    idle.wait_for(timeout=PATIENCE)


def test_the_dose_response_shows_each_text(ran):
    dose = instrument(ran, "sw.DoseResponse(dose)", "Dose-response")
    texts = dose.get_by_role("list").filter(has_text="The largest planet")
    strength = dose.get_by_role("slider", name="Strength")
    strength.focus()
    strength.press("Home")
    expect(texts.first).to_be_visible()  # undisturbed, the model answers the question


def test_one_token_goes_through_the_sae(ran):
    panel = instrument(ran, ARCHITECTURE, "Architecture panel")
    picks = panel.get_by_role("radio")
    expect(picks.first).to_have_text("<|im_start|>")
    picks.nth(5).click()
    expect(picks.nth(5)).to_be_checked()


def test_the_plane_holds_an_activation_of_the_model(ran):
    plane = instrument(ran, PLANE, "Feature plane")
    before = plane.inner_text()
    plane.get_by_role("slider", name="Activation point").focus()
    ran.keyboard.press("ArrowUp")
    expect(plane).not_to_have_text(before, use_inner_text=True)
