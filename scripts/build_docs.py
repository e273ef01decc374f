"""Build the site: `python scripts/build_docs.py`, with no network; then open build/site/index.html.

It wants the extra `docs` beside `lab`. The tutorials are the notebooks as they ran:

    SAEWIDGETS_KEEP_OUTPUTS=kept python -m pytest notebooks   # the tests run them, and leave what they show in kept/
    python scripts/build_docs.py --kept kept                  # no notebook runs a second time

Without --kept the notebooks run here first (about fifteen minutes of one core), and what they leave stays in build/kept,
for the next time. A notebook whose model is not on this machine (SmolLM2, 93 MB, `saewidgets models fetch smollm2`) gets
a page that says so. Zensical's warnings are errors, and so is whatever `website.check` finds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts")]
CHAT = "08_a_real_chat_model"
WITHOUT_CHAT = (
    "This notebook needs SmolLM2-135M-Instruct, which was not on the machine that built this site: "
    "`saewidgets models fetch smollm2` fetches it (93 MB). Here are its prose and its code, and a picture of it."
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kept", type=Path, help="the folder that SAEWIDGETS_KEEP_OUTPUTS named when the tests ran")
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="gets docs/ and site/; build/ by default")
    parser.add_argument("--again", action="store_true", help="without --kept: run all notebooks, also those that did")
    args = parser.parse_args()
    began = time.monotonic()
    kept = args.kept.resolve() if args.kept else run_notebooks(args.out.resolve() / "kept", again=args.again)
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    found = build(args.out.resolve(), kept, notebooks, live=live_page())
    for problem in found:
        print(problem, file=sys.stderr)
    site = args.out.resolve() / "site"
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    print(f"{site}: {len(list(site.rglob('*.html')))} pages, {size / 1e6:.1f} MB, {time.monotonic() - began:.0f} s")
    return 1 if found else 0


def build(out: Path, kept: Path, notebooks: Sequence[Path], live: str) -> list[str]:
    """Build out/site from out/docs; returns what is wrong with it.

    Args:
        out: the folder of both, which are made anew.
        kept: what the notebooks left, see `website.kept`.
        notebooks: those that the tutorials are made of; one that left nothing gets a page without outputs, if it is
            the chat model's.
        live: the page of the front page's instrument.

    Raises:
        SystemExit: a notebook left nothing, or Zensical warns.
    """
    from website import check, frames, twins
    from website import kept as keeping
    from website.assemble import assemble, sample_pages
    from website.reference import reference
    from website.tutorials import absent, tutorial

    import saewidgets as sw

    docs, site = out / "docs", out / "site"
    for folder in (docs, site):
        shutil.rmtree(folder, ignore_errors=True)
    made = []
    for notebook in notebooks:
        if (kept / notebook.stem / keeping.NOTEBOOK).is_file():
            made.append(tutorial(kept / notebook.stem, docs))
        elif notebook.stem == CHAT:
            made.append(absent(notebook.stem, notebook, WITHOUT_CHAT, "../chat.png"))
        else:
            raise SystemExit(
                f"{notebook.name} left nothing in {kept}: run `python -m pytest notebooks` with the variable "
                f"{keeping.VARIABLE}={kept}, or leave out --kept"
            )
    shown: dict[str, Path] = {}
    for one in made:
        for instrument, page in one.frames if one.name != CHAT else ():
            if page.name != frames.LIVE:  # the front page has it
                shown.setdefault(instrument, page)
    instruments = [name for name in sw.widgets.__all__ if hasattr(getattr(sw, name), "to_html")]
    missing = [name for name in instruments if name not in shown]
    shown = {name: page for name, page in shown.items() if name in instruments} | sample_pages(docs / "live", missing)
    sources = assemble(docs, made, reference(), live, shown)
    said = twins.config()
    nav = twins.complete(said["nav"], sources.twins)
    # Paths in a configuration are taken from where it lies.
    written = out / "mkdocs.yml"
    written.write_text(
        yaml.safe_dump(said | {"docs_dir": "docs", "site_dir": "site", "nav": nav}, sort_keys=False), encoding="utf-8"
    )
    zensical(written)
    twins.write(site, sources.twins, nav)
    return check.problems(site)


def zensical(config: Path) -> None:
    """Build what a configuration says. Raises SystemExit, after its warnings, where there is one."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", str(config)]
    ran = subprocess.run(command, cwd=config.parent, check=False, capture_output=True, text=True)
    if ran.returncode or "arning" in ran.stdout + ran.stderr:
        raise SystemExit(f"zensical:\n{ran.stdout}{ran.stderr}")


def run_notebooks(kept: Path, *, again: bool = False) -> Path:
    """Run every notebook that did not run since it was changed, with one thread and its own seeds."""
    from website import kept as keeping

    from saewidgets.models import cached_models

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    there = {model.name for model in cached_models()}
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        before = kept / notebook.stem / keeping.NOTEBOOK
        if not again and before.is_file() and before.stat().st_mtime > notebook.stat().st_mtime:
            continue
        if notebook.stem == CHAT and "smollm2" not in there:
            continue
        print(f"running {notebook.name}", flush=True)
        keeping.run(notebook, kept)
    return kept


def live_page() -> str:
    """The front page's instrument: the bundled model's clamp panel, as a page that carries the model."""
    import saewidgets as sw

    demo = sw.load_demo()
    bridge = demo.clamps["golden_gate_bridge"]
    panel = sw.ClampPanel(
        sw.Steerer(demo.model, demo.sae),
        demo.data,
        multiples={bridge.feature: bridge.multiple},
        prompt=demo.clamps.prompt,
        windows=demo.windows,
        seed=2,
    )
    panel.wait(300)
    return panel.to_html(live=True)


if __name__ == "__main__":
    raise SystemExit(main())
