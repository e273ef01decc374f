"""The stages `choose`, `report` and `bundle`: from a chat model, an SAE and texts to the clamps that are shipped.

    python -m saewidgets.pretrain chat choose --out RUN --sae NAME
    python -m saewidgets.pretrain chat report --out RUN --sae NAME
    python -m saewidgets.pretrain chat bundle --out RUN --sae NAME --clamps clamps.json --docs docs/measured.md

Each goes on where it was cut short; what `bundle` writes is packed with the SAE by the stage `pack`. RUN/choice-NAME
gets candidates.jsonl, choose.jsonl, fresh.jsonl, report.jsonl and controls.jsonl, one line per subject each. All 80
subjects take about 20 minutes of one core to choose and as long to report.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from saewidgets.chat import DTYPE, MODEL, Subject, subject, subjects
from saewidgets.files import LoadError, parse_json, unknown, write_json, write_text
from saewidgets.models import load_model
from saewidgets.pretrain.chat.answers import Writer
from saewidgets.pretrain.chat.choose import choose
from saewidgets.pretrain.chat.reading import ChatText, Reading, balanced, read_features
from saewidgets.pretrain.chat.report import CONTROLS_FILE, REPORT, fresh_texts, report
from saewidgets.pretrain.chat.saes import SAES
from saewidgets.pretrain.chat.tables import clamps_of, section, with_section
from saewidgets.pretrain.chat.write import read_texts
from saewidgets.sae import SAE

SEVERAL = ("golden-gate",)  # several features together are tried as well
FIRST = ("golden-gate", "golden-gate+")  # measured however little they promise
PER_SUBJECT, OTHERS = 10, 160  # texts that are read to choose features
BENT = "bent.jsonl"  # beside an SAE whose rows were bent
FRESH = "fresh.jsonl"
SECTION = "SmolLM2: every subject that was tried"

AddStage = Callable[[str, Callable[[argparse.Namespace], None], str], argparse.ArgumentParser]


def add_stages(stage: AddStage) -> None:
    """Add the stages with a function that adds one."""
    first = stage("choose", choose_stage, "search and try what makes the model speak as each subject")
    second = stage("report", report_stage, "measure what was chosen with fresh seeds, beside its controls")
    third = stage("bundle", bundle_stage, "write the clamps, and the table of all subjects into a Markdown file")
    for parser in (first, second, third):
        parser.add_argument(
            "--sae", required=True, metavar="NAME", help="of a finished SAE, such as smollm2-12-8192-k32"
        )
    for parser in (first, second):
        parser.add_argument("--only", nargs="+", default=[], metavar="KEY", help="these subjects, such as pirate")
    second.add_argument("--most", type=int, help="measure at most so many, the most promising first")
    third.add_argument("--clamps", type=Path, help="the clamps' file to write")
    third.add_argument("--docs", type=Path, help="the Markdown file, whose marked section is replaced")
    third.add_argument("--machine", default="", help="what the table says of the machine")


def choose_stage(chosen: argparse.Namespace) -> None:
    """Choose the settings."""
    for line in _Session(chosen).choose():
        print(line["subject"], json.dumps(line.get("chosen"), ensure_ascii=False), flush=True)


def report_stage(chosen: argparse.Namespace) -> None:
    """Measure them."""
    for line in _Session(chosen).report(chosen.most):
        print(line["subject"], "steerable" if line["steerable"] else "", json.dumps(line["first"]), flush=True)


def bundle_stage(chosen: argparse.Namespace) -> None:
    """Write what is shipped and what is told of it."""
    folder = folder_of(chosen.out, chosen.sae)
    (head, *settings), (_, *measured), (_, *others) = (
        _lines(folder / name) for name in ("choose.jsonl", REPORT, CONTROLS_FILE)
    )
    by_key = {line["subject"]: line for line in others}
    measured = [{**line, **by_key.get(line["subject"], {})} for line in measured]
    about = head["made_with"]
    bent = bent_rows(chosen.out / SAES / chosen.sae)
    if chosen.clamps is not None:
        write_json(chosen.clamps, clamps_of(about, settings, measured, subjects(), bent), indent=1)
    if chosen.docs is not None:
        made = ", ".join(filter(None, [chosen.machine, f"{datetime.date.today():%B %Y}"]))
        before = chosen.docs.read_text(encoding="utf-8") if chosen.docs.exists() else ""
        body = section(SECTION, about, settings, measured, subjects(), made, bent)
        write_text(chosen.docs, with_section(before, body))


def bent_rows(sae: Path) -> dict[int, float]:
    """{feature: cosine} of an SAE's decoder rows that the stage `bend` bent; none of another SAE."""
    if not (sae / BENT).is_file():
        return {}
    return {line["feature"]: line["cosine"] for line in _lines(sae / BENT)[1:]}


def folder_of(run: Path, sae: str) -> Path:
    """Where the results of an SAE are kept."""
    return run / f"choice-{sae}"


def chat_texts(run: Path) -> list[ChatText]:
    """The texts that the stage write wrote. Raises LoadError where there are none."""
    return [
        ChatText(t.subject, t.user, t.answer, t.system, t.person == "first", t.split == "held_out")
        for t in read_texts(run)
    ]


class _Session:
    """What choose and report share: the model, the SAE, the texts as its features read them."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.subjects: tuple[Subject, ...] = tuple(map(subject, chosen.only)) or subjects()
        path = chosen.out / SAES / chosen.sae
        if not path.exists():
            finished = [found.name for found in (chosen.out / SAES).glob("*") if found.is_dir()]
            raise ValueError(unknown("finished SAE", chosen.sae, finished))
        self.texts = texts_for(chosen.out, self.subjects)
        self.folder = folder_of(chosen.out, chosen.sae)
        self.about: dict[str, Any] = {"model": MODEL, "dtype": DTYPE, "sae": chosen.sae}
        sae = SAE.load(path)
        self.writer = Writer(load_model(MODEL, dtype=DTYPE), sae)
        self.reading = reading_of(self.texts, self.writer)

    def choose(self) -> list[dict[str, Any]]:
        return choose(self.writer, self.reading, self.subjects, self.folder, several=SEVERAL, about=self.about)

    def report(self, most: int | None = None) -> list[dict[str, Any]]:
        chosen = self.choose()
        kept = balanced(self.texts, PER_SUBJECT, OTHERS, lambda text: text.held_out and not text.first_person)
        fresh = fresh_texts(self.writer, self.subjects, self.folder / FRESH)
        held_out = read_features(self.writer.model, self.writer.sae, [*fresh, *kept])
        return report(
            self.writer,
            self.reading,
            held_out,
            self.subjects,
            chosen,
            self.folder,
            about=self.about,
            first=FIRST,
            most=most,
        )


def texts_for(run: Path, wanted: Sequence[Subject]) -> list[ChatText]:
    """The texts of a run; those about other measured subjects count as about none."""
    return for_subjects(chat_texts(run), [own.key for own in wanted])


def reading_of(texts: Sequence[ChatText], writer: Writer) -> Reading:
    """The features over the texts on which they are chosen, of all that were not held out."""
    chosen_on = balanced(texts, PER_SUBJECT, OTHERS, lambda text: not text.held_out)
    return read_features(writer.model, writer.sae, chosen_on)


def for_subjects(texts: Sequence[ChatText], keys: Sequence[str]) -> list[ChatText]:
    """The texts, of which those about other measured subjects count as about none."""
    return [text if text.subject in keys else replace(text, subject="") for text in texts]


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of results, the first of which says what it was made with. Raises LoadError without it."""
    if not path.is_file():
        raise LoadError(path, "it is not there: run the stages choose and report first")
    return [parse_json(path, line) for line in path.read_bytes().splitlines()]
