"""The training monitor in a real JupyterLab: start, pause, resume, stop and keep, an error and its remedy, a sweep; and
as a page.
"""

from __future__ import annotations

import re

import pytest
import sample_records
from live_lab import run_all, scroll_to, write_notebook
from playwright.sync_api import expect

from saewidgets.widgets import TrainingMonitor

pytestmark = pytest.mark.browser

PATIENCE = 90_000  # ms, on a busy machine

PREPARE = """
import itertools, torch
import saewidgets as sw

class Stream:
    broken_at = None
    def __iter__(self):
        return self.batches()
    def batches(self, start=0):
        for i in itertools.count(start):
            if i == self.broken_at:
                self.broken_at = None
                raise OSError(28, "No space left on device")
            yield torch.randn(64, 8, generator=torch.Generator().manual_seed(i))

def sae():
    return sw.SAE(sw.SAEConfig(8, 32, architecture="topk", k=3))

class Slow(Stream):
    def batches(self, start=0):
        import time
        for batch in super().batches(start):
            time.sleep(0.01)
            yield batch
"""


SLOW = "slow = sw.train(sae(), Slow(), sw.TrainConfig(steps=100_000, lr=1e-2))\nmonitor = sw.TrainingMonitor(slow)\nmonitor"
BROKEN = (
    "stream = Stream()\nstream.broken_at = 40\nbroken = sw.train(sae(), stream, sw.TrainConfig(steps=80, lr=1e-2))\n"
    "monitor = sw.TrainingMonitor(broken)\nmonitor.start()\nmonitor"
)
NAN = (
    "bad = [torch.randn(64, 8) for _ in range(9)] + [torch.full((64, 8), float('nan'))]\n"
    "monitor = sw.TrainingMonitor(sw.train(sae(), bad, sw.TrainConfig(steps=80)))\nmonitor.start()\nmonitor"
)
SWEEP = (
    "grid = sw.training.sweep_grid(8, (16, 32), (1, 3), sw.TrainConfig(steps=60, lr=1e-2))\n"
    "monitor = sw.TrainingMonitor(sw.train_sweep(grid, Stream()))\nmonitor.start()\nmonitor"
)


@pytest.fixture(scope="module")
def shown(lab, desk):
    """A page on which one notebook with a monitor for each test has been run: a kernel takes longer than these
    trainings.
    """
    write_notebook(lab, "training.ipynb", PREPARE, SLOW, BROKEN, NAN, SWEEP)
    with desk.notebook(lab, "training.ipynb") as page:
        run_all(page)
        yield page


def monitor_of(page, source: str):
    """The monitor under the cell that holds `source`."""
    line = next(line for line in source.split("\n") if line.startswith("monitor = "))
    scroll_to(page, line)
    return page.locator(".jp-CodeCell").filter(has_text=line).get_by_role("group", name="Training monitor")


def step_of(monitor) -> int:
    text = monitor.locator(".saew-fact", has_text="Step").first.locator(".saew-value").inner_text()
    return int(text.replace(",", "")) if text != "–" else 0


def test_start_pause_resume_stop_and_keep(ran):
    monitor = monitor_of(ran, SLOW)
    status = monitor.locator(".saew-status")
    expect(status).to_have_text("ready", timeout=PATIENCE)
    expect(monitor.get_by_role("button", name="Stop and keep")).to_be_disabled()
    expect(monitor.get_by_text("Nothing has been trained yet.")).to_be_visible()
    expect(monitor.get_by_role("figure")).to_have_count(0)  # no headings over nothing
    monitor.get_by_role("button", name="Start").click()
    expect(status).to_have_text("training", timeout=PATIENCE)
    expect(monitor.locator(".saew-curves [role=img]").first).to_have_attribute(
        "aria-label", re.compile(r"at step [1-9]"), timeout=PATIENCE
    )
    monitor.get_by_role("button", name="Pause").click()
    expect(status).to_have_text("paused", timeout=PATIENCE)
    resume = monitor.get_by_role("button", name="Resume")
    expect(resume).to_be_enabled(timeout=PATIENCE)
    paused_at = step_of(monitor)
    assert paused_at > 0
    resume.focus()
    ran.keyboard.press("Enter")  # the keyboard does what the mouse does
    expect(status).to_have_text("training", timeout=PATIENCE)
    ran.wait_for_function(
        "([picture, paused]) => Number(picture.querySelector('.saew-value').textContent.replace(',', '')) > paused + 3",
        arg=[monitor.element_handle(), paused_at],
        timeout=PATIENCE,
    )
    monitor.get_by_role("button", name="Stop and keep").click()
    expect(status).to_contain_text("the SAE is kept as it is", timeout=PATIENCE)
    expect(monitor.locator(".saew-buttons")).to_be_hidden()  # nothing is left to press
    expect(monitor.get_by_role("img", name="How often features fire")).to_be_visible()


def test_an_error_is_told_with_its_remedy_and_the_run_goes_on(ran):
    monitor = monitor_of(ran, BROKEN)
    alert = monitor.get_by_role("alert")
    expect(alert).to_contain_text("The disk is full. Free some space", timeout=PATIENCE)
    expect(alert).to_contain_text("The SAE keeps the weights of step 40.")
    expect(monitor.locator(".saew-status")).to_have_text("failed")
    monitor.get_by_role("button", name="Try again").click()
    expect(monitor.locator(".saew-status")).to_have_text("finished", timeout=PATIENCE)
    expect(alert).to_be_hidden()
    assert step_of(monitor) == 80
    expect(monitor.locator(".saew-curves")).to_contain_text("off for the last 500,000 tokens")
    expect(monitor.locator(".saew-curves")).to_contain_text("% explained")


def test_a_loss_that_is_not_finite_is_told(ran):
    alert = monitor_of(ran, NAN).get_by_role("alert")
    expect(alert).to_contain_text("the weights are still those of step 9", timeout=PATIENCE)


def test_a_sweep_forms_its_frontier_and_a_run_can_be_brought_to_the_front(ran):
    monitor = monitor_of(ran, SWEEP)
    expect(monitor.locator(".saew-status")).to_have_text("finished", timeout=PATIENCE)
    expect(monitor.locator(".saew-point")).to_have_count(4)
    last = monitor.get_by_role("radio", name="topk 32, k = 3")
    expect(last).not_to_be_checked()
    monitor.get_by_role("radio").first.focus()
    ran.keyboard.press("ArrowUp")  # around to the last
    expect(last).to_be_checked()
    expect(monitor.get_by_role("img", name="4 runs; topk 32, k = 3")).to_have_count(
        6
    )  # of a sweep over k, k has a curve, too


# -- as a page without a kernel --------------------------------------------------------------------------------------


@pytest.fixture
def show(page, tmp_path):
    def opened(monitor):
        path = tmp_path / "page.html"
        path.write_bytes(monitor.to_html().encode())
        page.goto(path.as_uri())
        return page

    return opened


@pytest.mark.parametrize("width", [800, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_shows_a_finished_sweep(show, page, width, scheme):
    page.set_viewport_size({"width": width, "height": 1000})
    page.emulate_media(color_scheme=scheme)
    page = show(TrainingMonitor(sample_records.training_record()))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    buttons = page.locator("button:visible:not(.saew-term)")  # words that explain themselves are buttons, too
    expect(buttons).to_have_text(["Reset", "What am I looking at?"])  # nothing to train without a kernel
    chart = page.get_by_role("img", name="Unexplained variance against active features")
    table = page.locator(".saew-runs-list")
    assert table.evaluate("e => e.scrollWidth - e.clientWidth") == 0, "the last column is not cut"
    tops = page.locator(".saew-curve:visible svg").evaluate_all(
        "all => all.map((e) => Math.round(e.getBoundingClientRect().top))"
    )
    assert len(set(tops)) == (2 if width == 1600 else 3), "six charts in rows, each of which begins at one height"
    label = chart.get_attribute("aria-label")
    assert "2048, k = 12: 12 active, 0.0901 unexplained, on the front." in label
    assert "512, k = 12: 12 active, 0.14 unexplained." in label
    page.locator(".saew-point").nth(3).click()
    expect(page.get_by_role("radio", checked=True)).to_have_count(1)
    expect(page.get_by_text("stopped: step 41: the loss is nan; lower lr")).to_be_visible()


def test_hostile_names_are_text(show):
    name = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"
    page = show(TrainingMonitor({name: sample_records.training(5), "b": sample_records.training(5)}))
    expect(page.get_by_role("radio", name="onerror")).to_be_visible()
    assert page.title() == "Training monitor" and page.locator("img").count() == 0
