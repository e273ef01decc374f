"""How long a person waits at a live page: a clamp panel that carries its model, opened from a disk in headless Chromium.

python benchmarks/live_page.py [moves]

Figures from the page: from opening to the first text; from a slider's move, from rest, to the first changed token, and
to the end of the clamped text; from asking for both texts anew to their end, at most 60 tokens each; and beside them
the size of the file, and the load of the machine before and after.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from live_lab import CHROME, chromium, watched_page  # noqa: E402

import saewidgets as sw  # noqa: E402

# Resolves with [ms to the first change of the clamped text, ms until both are finished, tokens of the clamped one].
MOVE = """(slider, place) => new Promise((resolve, reject) => {
    const panel = slider.closest('.saew-clamp');
    const text = panel.querySelector('.saew-pane-clamped .saew-text');
    const status = panel.querySelector('.saew-status');
    const before = text.textContent;
    const began = performance.now();
    let first = 0;
    const look = () => {
        if (!first && text.textContent !== before) first = performance.now() - began;
        if (!first || status.dataset.status !== 'idle') return;
        watch.disconnect();
        resolve([first, performance.now() - began, text.children.length]);
    };
    const watch = new MutationObserver(look);
    watch.observe(panel, { childList: true, subtree: true, characterData: true, attributes: true });
    setTimeout(() => reject(new Error(`after 20 s: ${status.dataset.status}, first ${first}`)), 20000);
    slider.value = String(place * Number(slider.max));
    slider.dispatchEvent(new Event('input', { bubbles: true }));
})"""

# Resolves with [ms until both texts are written anew, tokens of the default text, of the clamped one].
AGAIN = """(panel) => new Promise((resolve) => {
    const status = panel.querySelector('.saew-status');
    const began = performance.now();
    new MutationObserver((_, watch) => {
        if (status.dataset.status !== 'idle') return;
        watch.disconnect();
        resolve([performance.now() - began, ...[...panel.querySelectorAll('.saew-text')].map((t) => t.children.length)]);
    }).observe(status, { attributes: true });
    panel.querySelector('.saew-do .saew-button').click();
})"""

PROMPT = "The fog over the"  # texts after it end late
PLACES = 0.42, 0.6  # shares of the slider: about 1.2 and 2.1 times the maximum


def main(moves: int = 20) -> None:
    measured = sw.load_clamps()
    entry = measured["golden_gate_bridge"]
    model, sae = sw.load_model(), sw.load_sae(entry.sae)
    acts = sw.feature_activations(model, sae, sw.load_corpus(200))
    data = sw.dashboard_data(model, sae, acts)
    options = {"multiples": {entry.feature: 1.0}, "prompt": PROMPT}
    panel = sw.ClampPanel(sw.Steerer(model, sae), data, **options)
    print(f"load before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder, chromium() as browser, watched_page(browser) as page:
        path = Path(folder) / "live.html"
        began = time.perf_counter()
        panel.to_html(path, live=True)
        print(f"written in {time.perf_counter() - began:.1f} s, {path.stat().st_size / 1e6:.2f} MB")
        began = time.perf_counter()
        page.goto(path.as_uri())
        page.wait_for_selector(".saew-pane-clamped .saew-token")
        print(f"first token {time.perf_counter() - began:.2f} s after opening")
        page.wait_for_selector(".saew-status[data-status=idle]")
        page.wait_for_timeout(2000)
        slider = page.get_by_role("slider").first
        found = []
        for i in range(moves):
            found.append(slider.evaluate(MOVE, PLACES[i % 2]))
            page.wait_for_timeout(700)  # what is measured after a text has ended, too
        again = []
        for _ in range(moves):
            again.append(page.locator(".saew-clamp").evaluate(AGAIN))
            page.wait_for_timeout(700)
        first, whole, n = zip(*found, strict=True)
        print(f"first token: median {statistics.median(first):.0f} ms, worst {max(first):.0f} ms")
        print(
            f"the clamped text ({n[0]} and {n[1]} tokens): median {statistics.median(whole):.0f} ms, worst {max(whole):.0f} ms"
        )
        both = [ms for ms, *_ in again]
        print(f"both ({again[0][1:]} tokens): median {statistics.median(both):.0f} ms, worst {max(both):.0f} ms")
        print(f"load after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    if not CHROME:
        raise SystemExit("no Chromium or Chrome on the PATH (or named by CHROME)")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
