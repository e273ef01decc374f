"""The stages of `python -m saewidgets.pretrain chat`, in the order in which they are run."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from saewidgets.chat import DTYPE, MODEL, more_subjects, subject, subjects
from saewidgets.files import LoadError, unknown
from saewidgets.models import Model, load_model
from saewidgets.pretrain.chat.activations import FOLDER, LAYERS, PART, SAMPLE, measured_sites, write_activations
from saewidgets.pretrain.chat.become import add_stages
from saewidgets.pretrain.chat.bend import add_bend
from saewidgets.pretrain.chat.pack import add_stage
from saewidgets.pretrain.chat.plan import make_plan
from saewidgets.pretrain.chat.saes import SAES, SWEEP, make_saes, recipe_of
from saewidgets.pretrain.chat.write import read_texts, write_texts

PROSE_TOKENS = 500_000
PROSE_HELD = 12  # every twelfth row of prose is kept out of training
HELD_PART = 200  # rows of one part of what is held out, which there is less of
JUDGED = 4  # every fourth subject, the first among them: enough to compare SAEs by


def add_parser(jobs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The job `chat` and its stages."""
    chat = jobs.add_parser("chat", help="the SAEs of a real chat model, stage by stage")
    stages = chat.add_subparsers(dest="stage", required=True)

    def stage(name: str, run: Callable[[argparse.Namespace], None], about: str) -> argparse.ArgumentParser:
        parser = stages.add_parser(name, help=about)
        parser.add_argument("--out", type=Path, required=True, help="the folder of the run, the same for all stages")
        parser.set_defaults(run=run)
        return parser

    write = stage("write", write_stage, "the model writes texts about the subjects; goes on where it was stopped")
    write.add_argument("--each", type=_positive, default=62, help="texts about every measured subject")
    write.add_argument("--background-each", type=_positive, default=2, help="texts about every other subject")
    write.add_argument("--seed", type=_seed, default=0)

    activations = stage("activations", activations_stage, "read the model on its texts and on prose")
    activations.add_argument("--prose", type=Path, nargs="+", required=True, help="files or folders of texts")
    activations.add_argument("--prose-tokens", type=_positive, default=PROSE_TOKENS)
    activations.add_argument("--layers", type=int, nargs="+", default=list(LAYERS))
    activations.add_argument("--seed", type=_seed, default=0)
    activations.add_argument("--unfinished", action="store_true", help="leave what a running `write` has not filled")

    saes = stage("saes", saes_stage, "train the SAEs of the sweep")
    saes.add_argument("--only", nargs="+", metavar="NAME", help="these alone, such as " + SWEEP[0].name)
    saes.add_argument("--tokens", type=_positive, help="that each sees; its name says how many")

    judged = stage("judge", judge_stage, "compare the SAEs by what their features make the model say")
    judged.add_argument("--subjects", nargs="+", metavar="KEY", help="such as pirate; every fourth if not given")

    add_bend(stage)
    add_stages(stage)
    add_stage(stage)

    figures = stage("figures", figures_stage, "measure finished SAEs in the model: loss recovered, KL, bits of weights")
    figures.add_argument("--only", nargs="+", metavar="NAME", required=True)
    figures.add_argument("--texts", type=_positive, default=60, help="held-out texts of each kind")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"1 or more, not {value}")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"a seed is 0 or more, not {value}")
    return value


def _model() -> Model:
    return load_model(MODEL, dtype=DTYPE)


def write_stage(chosen: argparse.Namespace) -> None:
    """Write the corpus."""
    plan = make_plan(
        subjects(), more_subjects(), each=chosen.each, background_each=chosen.background_each, seed=chosen.seed
    )
    write_texts(_model(), plan, chosen.out, seed=chosen.seed)


def activations_stage(chosen: argparse.Namespace) -> None:
    """Write the activations of the corpus and of prose."""
    from saewidgets.pretrain.chat.prose import prose_rows

    missing = [path for path in chosen.prose if not path.exists()]
    if missing:
        raise LoadError(missing[0], "it is not there: give a file or folder of texts after --prose")
    texts = read_texts(chosen.out)
    model = _model()
    wrong = [layer for layer in chosen.layers if not 0 <= layer < model.n_layers]
    if wrong:
        raise ValueError(f"layer {wrong[0]}: {model.name} has layers 0 to {model.n_layers - 1}")
    prose = prose_rows(model, chosen.prose, chosen.prose_tokens, chosen.seed)
    rows: dict[str, list[Sequence[int]]] = {
        "chat": [text.ids for text in texts if text.split == "train"],
        "prose": [row for i, row in enumerate(prose) if i % PROSE_HELD],
        "held-chat": [text.ids for text in texts if text.split == "held_out"],
        "held-prose": list(prose[::PROSE_HELD]),
    }
    folder = chosen.out / FOLDER
    sites = measured_sites(model, folder, chosen.layers, [*rows["chat"][:SAMPLE], *rows["prose"][:SAMPLE]])
    for kind, own in rows.items():
        rest = not (chosen.unfinished and kind.endswith("chat"))
        part = HELD_PART if kind.startswith("held") else PART
        n_tokens = write_activations(model, folder, sites, kind, own, part=part, rest=rest)
        print(f"{kind}: {n_tokens:,} tokens", flush=True)


def saes_stage(chosen: argparse.Namespace) -> None:
    """Train the SAEs."""
    names = [recipe.name for recipe in SWEEP] if chosen.only is None else chosen.only
    make_saes(chosen.out, [recipe_of(name, chosen.tokens) for name in names])


def judge_stage(chosen: argparse.Namespace) -> None:
    """Compare the SAEs."""
    from saewidgets.pretrain.chat.judging import judge_all

    picked = subjects()[::JUDGED] if chosen.subjects is None else [subject(key) for key in chosen.subjects]
    paths = sorted(path.parent for path in (chosen.out / SAES).glob("*/figures.json"))
    if not paths:
        raise LoadError(chosen.out / SAES, "no SAE in it: run the stage `saes` first")
    judge_all(_model(), paths, picked)


def figures_stage(chosen: argparse.Namespace) -> None:
    """Measure some SAEs in the model."""
    from saewidgets.pretrain.chat.figures import make_figures

    known = {path.parent.name: path.parent for path in (chosen.out / SAES).glob("*/figures.json")}
    for name in chosen.only:
        if name not in known:
            raise ValueError(unknown("finished SAE", name, known))
    make_figures(chosen.out, [known[name] for name in chosen.only], chosen.texts)
