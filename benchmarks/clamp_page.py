"""How long a person waits at the clamp panel: from the slider's move to the first changed token in the page, in a real
JupyterLab.

python benchmarks/clamp_page.py [moves]

Two figures from the page: single moves, each from rest; and a drag of 30 moves in 1.5 s, from its last move to the
first update that
names the last value. Printed before them: what the model itself takes in Python, without a page. No text can come
sooner.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from live_lab import CHROME, chromium, jupyterlab, open_notebook, run_all, scroll_to, watched_page  # noqa: E402

CELLS = (
    """
import time
import saewidgets as sw
measured = sw.load_clamps()
entry = measured["golden_gate_bridge"]
model, sae = sw.load_model(), sw.load_sae(entry.sae)
acts = sw.feature_activations(model, sae, sw.load_corpus(200))
data = sw.dashboard_data(model, sae, acts, features=[entry.feature])
steer = sw.Steerer(model, sae)
panel = sw.ClampPanel(steer, data, multiples={entry.feature: 1.0}, prompt=measured.prompt)
panel
""",
    """
clamp = [sw.Clamp(entry.feature, entry.maximum)]
first, whole = [], []
for _ in range(20):
    began = time.perf_counter()
    tokens = steer(measured.prompt, clamp, n_tokens=40)
    next(tokens)
    first.append(time.perf_counter() - began)
    n = 1 + sum(1 for _ in tokens)
    whole.append((time.perf_counter() - began) / n)
print(f"in Python: first token after {sorted(first)[10] * 1e3:.1f} ms, {sorted(whole)[10] * 1e3:.2f} ms a token")
""",
)
# Resolves with ms from the slider's input to the first change of the clamped text.
MOVE = """(slider) => new Promise((resolve) => {
    const panel = slider.closest('.saew-clamp');
    const text = panel.querySelector('.saew-pane-clamped .saew-text');
    const before = text.textContent;
    const began = performance.now();
    const watch = new MutationObserver(() => {
        if (text.textContent === before) return;
        watch.disconnect();
        resolve(performance.now() - began);
    });
    watch.observe(text, { childList: true, subtree: true, characterData: true });
    slider.value = Number(slider.value) + (Number(slider.value) > 480 ? -140 : 140); // of 1000, from 0.7 to 1.4 times the maximum
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    setTimeout(() => { watch.disconnect(); resolve(null); }, 5000);
})"""
# Resolves with ms from the last of 30 moves to the first update that names the last value.
DRAG = """(slider) => new Promise((resolve) => {
    const panel = slider.closest('.saew-clamp');
    const under = panel.querySelector('.saew-pane-clamped .saew-under');
    let [i, began, last] = [0, 0, ''];
    const watch = new MutationObserver(() => {
        if (!last || !under.textContent.includes(` ${last}×`)) return;
        watch.disconnect();
        resolve(performance.now() - began);
    });
    watch.observe(under, { childList: true, subtree: true, characterData: true });
    const from = Number(slider.value) > 180 ? 20 : 380; // of 1000: -8 or 1 times the maximum
    const timer = setInterval(() => {
        i += 1;
        slider.value = from + 10 * i;
        slider.dispatchEvent(new Event('input', { bubbles: true }));
        if (i < 30) return;
        clearInterval(timer);
        began = performance.now();
        last = slider.getAttribute('aria-valuetext').split('×')[0];
    }, 50);
    setTimeout(() => { watch.disconnect(); resolve(null); }, 12000);
})"""


def main(moves: int) -> int:
    if not CHROME:
        print("clamp_page.py: no Chromium or Chrome on the PATH; or name one in CHROME", file=sys.stderr)
        return 2
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder) / "lab") as lab:
        nbformat.write(notebook, lab.folder / "clamp.ipynb")
        with chromium() as browser, watched_page(browser) as page:
            open_notebook(page, lab, "clamp.ipynb")
            run_all(page)
            print(page.locator(".jp-OutputArea-output pre").last.inner_text().strip())
            scroll_to(page, "sw.ClampPanel(")
            panel = page.get_by_role("group", name="Clamp panel")
            idle = panel.locator(".saew-do [data-status=idle]")
            slider = panel.get_by_role("slider")
            for name, script, n in (("one move", MOVE, moves), ("end of a drag", DRAG, max(moves // 4, 3))):
                times = []
                for _ in range(n):
                    idle.wait_for(timeout=60_000)
                    page.wait_for_timeout(200)  # a person's hand; and the last update is no longer fresh
                    times.append(slider.evaluate(script))
                found = sorted(t for t in times if t is not None)
                if found:
                    print(
                        f"{name}: median {statistics.median(found):.0f} ms, fastest {found[0]:.0f}, "
                        f"slowest {found[-1]:.0f} ({len(found)} of {n} changed the text)"
                    )
            page.trouble.check()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
