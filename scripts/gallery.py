"""Every instrument at four widths in both themes, to be looked at: `scripts/screenshot.py --all`.

The data are the sample records of the tests or, with `--demo`, the bundled model's and SAE's (minutes), made once and
kept as views.json in the folder; delete it to have them made anew. The pages are written each time, so they show the
front end as it is. Each instrument is drawn as in a notebook, with its controls, and nobody to answer.
"""

from __future__ import annotations

import html
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "browser")]

from live_lab import chromium, jupyterlab, open_notebook, run_all, watched_page  # noqa: E402
from ten import TALL, wait_for_ten, write_ten  # noqa: E402

import saewidgets as sw  # noqa: E402
from saewidgets import export  # noqa: E402

THEMES = ("light", "dark")
# Width that is meant -> that of the window: a phone's own, and those of an instrument in it, with 20 px of page on
# either side.
WIDTHS = {"390": 390, "900": 940, "1008": 1048, "1440": 1480}
LAB = "lab"  # JupyterLab, 1440 px wide with its file list open: 1008 px for an instrument
TEXT = "We took a boat under the orange bridge in San Francisco. Then we saw the Tower Bridge."


def makers() -> dict[str, Callable[[], Any]]:
    """What makes each instrument, of the bundled data; the slow ones with little of it."""
    demo = sw.load_demo()
    bridge = demo.clamps["golden_gate_bridge"]
    steer = sw.Steerer(demo.model, demo.sae)

    def clamp() -> Any:
        panel = sw.ClampPanel(
            steer, demo.data, features=[bridge.feature], prompt=demo.clamps.prompt, windows=demo.windows, seed=2
        )
        panel.multiples = {bridge.feature: bridge.multiple}
        panel.wait(120)
        return panel

    def doses() -> Any:
        multiples = [-1.0, 0.0, 0.5, 1.0, 1.4, 2.0, 4.0]
        sweep = sw.dose_response(
            demo.model,
            demo.sae,
            bridge.feature,
            prompt=demo.clamps.prompt,
            acts=demo.acts,
            multiples=multiples,
            seeds=range(2),
        )
        return sw.DoseResponse(sweep)

    def training() -> Any:
        site = sw.site(demo.model, demo.sae.config.site.hook_name)
        store = sw.ActivationStore(demo.model, site, demo.corpus, batch_size=512, seed=0)
        sae = sw.SAE(sw.SAEConfig(demo.sae.config.d_in, 256, architecture="topk", k=12, site=store.site))
        monitor = sw.TrainingMonitor(sw.train(sae, store, sw.TrainConfig(steps=120)))
        monitor.start()
        monitor.wait(120)
        return monitor

    return {
        "plane": lambda: sw.FeaturePlane(angles=(0, 90, 45), point=(0.9, 0.6)),
        "clamp": clamp,
        "dashboard": lambda: sw.FeatureDashboard(demo.data, feature=bridge.feature),
        "map": lambda: sw.FeatureMap(sw.feature_map(demo.sae, demo.acts, model=demo.model, corpus=demo.corpus)),
        "probe": lambda: sw.FeatureProbe(
            sw.prober(demo.model, demo.sae, demo.acts), TEXT, labels=demo.labels, feature=bridge.feature
        ),
        "search": lambda: sw.FeatureSearch(demo.data, "bridge"),
        "superposition": lambda: sw.SuperpositionLab(n_features=5, n_hidden=2, densities=[1.0, 0.2, 0.05]),
        "training": training,
        "dose_response": doses,
        "architecture": lambda: sw.ArchitecturePanel(sw.token_parts(demo.model, demo.sae, TEXT)),
    }


def samples() -> dict[str, Callable[[], Any]]:
    """What makes each instrument, of the sample records."""
    import instruments

    return dict(instruments.MAKE)


def views(folder: Path, *, demo: bool = False) -> dict[str, dict[str, Any]]:
    """The view of each instrument, from views.json where it is there (views-demo.json for `demo`)."""
    kept = folder / ("views-demo.json" if demo else "views.json")
    if not kept.is_file():
        made = {}
        for name, make in (makers() if demo else samples()).items():
            instrument = make()
            if hasattr(instrument, "wait"):
                instrument.wait(120)
            view = instrument._view()
            made[view["instrument"]] = view
            print(f"made {name}", flush=True)
        kept.write_text(export.embed(made), encoding="ascii")
    return json.loads(kept.read_text(encoding="ascii"))


def gallery(folder: Path, *, demo: bool = False) -> None:
    """Write NAME-WIDTH-THEME.png of every instrument, and contact-THEME.png with all of a theme, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = views(folder, demo=demo)
    for name, view in drawn.items():
        view["state"]["_static"] = bool(view["lookup"])  # what looks up its records needs a page that answers
        (folder / f"{name}.html").write_text(export.page(name, [view]), encoding="utf-8")
    with chromium() as browser:
        for theme in THEMES:
            with watched_page(browser, theme=theme) as page:
                for name in drawn:
                    page.goto((folder / f"{name}.html").resolve().as_uri())
                    page.wait_for_selector(".saew-host > .saew")
                    for width, window in WIDTHS.items():
                        page.set_viewport_size({"width": window, "height": 200})
                        page.wait_for_timeout(400)  # charts follow the width
                        page.screenshot(path=folder / f"{name}-{width}-{theme}.png", full_page=True)
            in_jupyterlab(browser, folder, theme)
            contact_sheet(browser, folder, list(drawn), theme)


def in_jupyterlab(browser: Any, folder: Path, theme: str) -> None:
    """NAME-lab-THEME.png: the instruments of the sample records, in a notebook."""
    with tempfile.TemporaryDirectory() as root, jupyterlab(Path(root) / "lab", theme=theme) as lab:
        write_ten(lab, "all.ipynb")
        with watched_page(browser, height=TALL, theme=theme) as page:
            page.set_viewport_size({"width": 1440, "height": TALL})
            open_notebook(page, lab, "all.ipynb")
            run_all(page)
            wait_for_ten(page)
            page.wait_for_timeout(1_000)
            for one in page.locator(".saew-host > .saew").all():
                name = one.evaluate("(el) => [...el.classList].find((c) => c.startsWith('saew-')).slice(5)")
                name = {"lab": "superposition", "dose-response": "dose_response"}.get(
                    name, name
                )  # those of the modules
                one.screenshot(path=folder / f"{name}-{LAB}-{theme}.png")


def contact_sheet(browser: Any, folder: Path, names: list[str], theme: str) -> None:
    """contact-THEME.html and .png: a row per instrument, a column per width."""
    columns = [*WIDTHS, LAB]

    def cell(name: str, width: str) -> str:
        source = f"{html.escape(name)}-{width}-{theme}.png"
        return f'<td><a href="{source}"><img alt="{html.escape(name)} at {width}" src="{source}"></a></td>'

    rows = "".join(f"<tr><th>{name}</th>{''.join(cell(name, w) for w in columns)}</tr>" for name in names)
    head = "".join(f"<th>{width}</th>" for width in columns)
    style = "body { font: 16px sans-serif; } td { vertical-align: top; } img { width: 440px; border: 1px solid #999; }"
    sheet = folder / f"contact-{theme}.html"
    sheet.write_text(f"<!doctype html><style>{style}</style><table><tr><th></th>{head}</tr>{rows}</table>")
    with watched_page(browser) as page:
        page.set_viewport_size({"width": 2420, "height": 900})
        page.goto(sheet.resolve().as_uri())
        page.screenshot(path=sheet.with_suffix(".png"), full_page=True)
    print(sheet.with_suffix(".png"), flush=True)
