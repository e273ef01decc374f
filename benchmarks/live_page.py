"""How long a person waits at a live page: a clamp panel that carries its model, opened from a disk in headless Chromium.

python benchmarks/live_page.py [moves]

Figures from the page: from opening to the first text; from a slider's move, from rest, to the first changed token, and
to both texts of 60 tokens; and beside them the size of the file. In node, what a token takes without a page.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from live_lab import CHROME, chromium, watched_page  # noqa: E402

import saewidgets as sw  # noqa: E402

# Resolves with [ms to the first change of the clamped text, ms until it is finished, its tokens].
MOVE = """(slider) => new Promise((resolve) => {
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
    slider.value = String(Number(slider.value) + Number(slider.step) * (slider.saewStep = -(slider.saewStep ?? 8)));
    slider.dispatchEvent(new Event('input', { bubbles: true }));
})"""


def main(moves: int = 20) -> None:
    measured = sw.load_clamps()
    entry = measured["golden_gate_bridge"]
    model, sae = sw.load_model(), sw.load_sae(entry.sae)
    acts = sw.feature_activations(model, sae, sw.load_corpus(200))
    data = sw.dashboard_data(model, sae, acts)
    options = {"multiples": {entry.feature: 1.0}, "prompt": measured.prompt}
    panel = sw.ClampPanel(sw.Steerer(model, sae), data, **options)
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
        found = [slider.evaluate(MOVE) for _ in range(moves)]
        first, whole, n = zip(*found, strict=True)
        print(f"first token: median {statistics.median(first):.0f} ms, worst {max(first):.0f} ms")
        print(
            f"both texts ({round(statistics.mean(n))} tokens): median {statistics.median(whole):.0f} ms, worst {max(whole):.0f} ms"
        )


if __name__ == "__main__":
    if not CHROME:
        raise SystemExit("no Chromium or Chrome on the PATH (or named by CHROME)")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
