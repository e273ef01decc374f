"""Run a notebook in a real JupyterLab and take its picture: docs/tour.png, and docs/tour-dark.png in the dark theme.

    .venv/bin/python scripts/screenshot.py [--chat | --all [FOLDER] [--demo]]

`--chat` takes that of the real chat model, which is fetched first: docs/chat.png and docs/chat-dark.png.
`--all` instead makes every instrument at four widths and in JupyterLab, in both themes, in FOLDER (screenshots/, which
git ignores), to be looked at before a release: contact-light.png and contact-dark.png show all at once.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from live_lab import CHROME, chromium, jupyterlab, open_notebook, run_all, scroll_to, watched_page  # noqa: E402

from saewidgets.cli.notebooks import CHAT, TOUR  # noqa: E402
from saewidgets.miniworld import load_clamps  # noqa: E402

HERO = "panel = sw.ClampPanel("  # the cell that the README shows
# The clamp panel, once both texts are written.
WRITTEN = '[role="group"][aria-label="Clamp panel"] .saew-pane-clamped .saew-count:not(:empty)'
READY = '[role="group"][aria-label="Clamp panel"] .saew-status[data-status="idle"]'
PATIENCE = 1_200_000  # ms, for a real model on a busy machine
# The file list says nothing here, and the panel wants the room.
WIDER = "() => { jupyterapp.commands.execute('application:toggle-left-area'); }"
THEME = "async (theme) => { await jupyterapp.commands.execute('apputils:change-theme', { theme }); }"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--all",
        type=Path,
        nargs="?",
        const=ROOT / "screenshots",
        metavar="FOLDER",
        help="instead make every instrument at every width in both themes, here (default: screenshots/)",
    )
    parser.add_argument(
        "--demo", action="store_true", help="with --all: of the bundled model's features, which takes minutes"
    )
    parser.add_argument("--chat", action="store_true", help="instead of the tour's the picture of a real chat model")
    chosen = parser.parse_args()
    everything = chosen.all
    if not CHROME:
        print("screenshot.py: no Chromium or Chrome on the PATH; or name one in CHROME", file=sys.stderr)
        return 2
    if everything:
        from gallery import gallery

        gallery(everything, demo=chosen.demo)
        return 0
    (ROOT / "docs").mkdir(exist_ok=True)
    if chosen.chat:
        chat()
        return 0
    for theme in ("light", "dark"):
        with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder) / "lab", theme=theme) as lab:
            shutil.copyfile(ROOT / "notebooks" / TOUR, lab.folder / TOUR)
            with chromium() as browser, watched_page(browser, height=1000, theme=theme) as page:
                open_notebook(page, lab, TOUR)
                run_all(page)
                clamp(page)
                take(page, HERO, ROOT / "docs" / ("tour.png" if theme == "light" else "tour-dark.png"))
                page.trouble.check()
    return 0


def chat() -> None:
    """The chat model's notebook is run once, and pictured in one theme after the other."""
    with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder) / "lab") as lab:
        shutil.copyfile(ROOT / "notebooks" / CHAT, lab.folder / CHAT)
        with chromium() as browser, watched_page(browser, height=1000) as page:
            page.set_default_timeout(PATIENCE)
            open_notebook(page, lab, CHAT)
            run_all(page, timeout=PATIENCE / 1000)
            page.evaluate(WIDER)
            for theme, name in (("Light", "chat.png"), ("Dark", "chat-dark.png")):
                page.evaluate(THEME, f"JupyterLab {theme}")
                scroll_to(page, HERO)
                page.wait_for_selector(WRITTEN)
                page.wait_for_selector(READY)
                take(page, HERO, ROOT / "docs" / name)
            page.trouble.check()


def clamp(page: Any) -> None:
    """Set the bridge's slider to the multiple that was measured to work."""
    multiple = load_clamps()["golden_gate_bridge"].multiple
    scroll_to(page, HERO)
    panel = page.get_by_role("group", name="Clamp panel")
    page.evaluate(WIDER)
    box = panel.get_by_role("spinbutton", name="exact multiple").first
    box.fill(str(multiple))
    box.press("Enter")
    box.blur()


def take(page: Any, source: str, path: Path) -> None:
    """A picture of the window with one cell at its top, or the clamp panel."""
    scroll_to(page, source)
    if source == HERO:
        page.get_by_role("group", name="Clamp panel").evaluate(
            "panel => { panel.style.scrollMarginTop = '14px'; panel.scrollIntoView({block: 'start'}); }"
        )
    page.wait_for_timeout(4_000)  # streams come to their end, charts settle
    page.screenshot(path=path)
    print(path)


if __name__ == "__main__":
    sys.exit(main())
