"""The stages `choose`, `report` and `bundle`: from a chat model, an SAE and texts to the clamps that are shipped.

    python -m saewidgets.pretrain chat choose --sae SAE --texts TEXTS --out FOLDER
    python -m saewidgets.pretrain chat report --sae SAE --texts TEXTS --out FOLDER
    python -m saewidgets.pretrain chat bundle --out FOLDER --clamps clamps.json --docs docs/measured.md

Each goes on where it was cut short. FOLDER holds candidates.jsonl, choose.jsonl, fresh.jsonl, report.jsonl and
controls.jsonl, one line per subject each.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from saewidgets.chat.subjects import Subject, subject, subjects
from saewidgets.files import LoadError, parse_json, write_json, write_text
from saewidgets.formats import load_sae
from saewidgets.models import load_model
from saewidgets.pretrain.chat.answers import Writer
from saewidgets.pretrain.chat.choose import choose
from saewidgets.pretrain.chat.reading import ChatText, Reading, balanced, read_texts
from saewidgets.pretrain.chat.report import fresh_texts, report
from saewidgets.pretrain.chat.tables import clamps_of, section, with_section

MODEL = "smollm2"
DTYPE = "bfloat16"
FIRST = ("golden-gate", "golden-gate+")  # measured however little they promise
PER_SUBJECT, OTHERS = 10, 160  # texts that are read to choose features
SECTION = "SmolLM2: every subject that was tried"


def load_texts(path: Path) -> list[ChatText]:
    """The texts that `write` wrote: one JSON object per line, with subject, person, split, system, user and answer.

    A last line that is being written is left out. Raises LoadError on a line without those fields.
    """
    found = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        row = parse_json(path, line)
        try:
            found.append(
                ChatText(
                    subject=row["subject"],
                    user=row["user"],
                    answer=row["answer"],
                    system=row["system"] or "",
                    first_person=row["person"] == "first",
                    held_out=row["split"] == "held_out",
                )
            )
        except KeyError as error:
            raise LoadError(path, f"line {number} has no {error.args[0]!r}: give what the stage write wrote") from None
    return found


class Session:
    """What the stages choose and report share: the model, the SAE, the texts as the SAE reads them."""

    def __init__(self, sae: str, texts: Path, out: Path, only: Sequence[str] = (), also: Sequence[Path] = ()) -> None:
        self.subjects: tuple[Subject, ...] = tuple(map(subject, only)) or subjects()
        self.out = out
        given = load_texts(texts)
        if not given:
            raise ValueError(f"{texts} has no text yet: run the stage write first")
        own = load_sae(sae)
        self.writer = Writer(load_model(MODEL, dtype=DTYPE), own)
        self.held_out_texts = [t for t in given if t.held_out and not t.first_person]
        self.about: dict[str, Any] = {"model": MODEL, "dtype": DTYPE, "sae": own.name or Path(sae).name}
        chosen_on = balanced(given, PER_SUBJECT, OTHERS, lambda text: not text.held_out)
        self.reading: Reading = read_texts(self.writer.model, own, chosen_on)

    def choose(self) -> list[dict[str, Any]]:
        """The stage choose."""
        return choose(
            self.writer,
            self.reading,
            self.subjects,
            self.out,
            several=("golden-gate",),
            about=self.about,
        )

    def report(self, most: int | None = None) -> list[dict[str, Any]]:
        """The stage report, after choose."""
        chosen = self.choose()
        fresh = fresh_texts(self.writer, self.subjects, self.out / "fresh.jsonl")
        texts = [*fresh, *balanced(self.held_out_texts, PER_SUBJECT, OTHERS, lambda text: True)]
        held_out = read_texts(self.writer.model, self.writer.sae, texts)
        return report(
            self.writer,
            self.reading,
            held_out,
            self.subjects,
            chosen,
            self.out,
            about=self.about,
            first=FIRST,
            most=most,
        )


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of results, the first of which says what it was made with. Raises LoadError without it."""
    if not path.exists():
        raise LoadError(path, "is not there: run the stage that writes it")
    return [parse_json(path, line) for line in path.read_bytes().splitlines()]


def bundle(out: Path, clamps: Path | None, docs: Path | None, machine: str) -> None:
    """Write the clamps that are shipped, and the table of all subjects into its marked place in a Markdown file."""
    head, *chosen = lines_of(out / "choose.jsonl")
    _, *measured = lines_of(out / "report.jsonl")
    others = {line["subject"]: line for line in lines_of(out / "controls.jsonl")[1:]}
    measured = [{**line, **others.get(line["subject"], {})} for line in measured]
    about = head["made_with"]
    if clamps is not None:
        write_json(clamps, clamps_of(about, chosen, measured, subjects()), indent=1)
    if docs is not None:
        made = f"{machine}, {datetime.date.today():%B %Y}" if machine else f"{datetime.date.today():%B %Y}"
        body = section(SECTION, about, chosen, measured, subjects(), made)
        write_text(docs, with_section(docs.read_text(encoding="utf-8") if docs.exists() else "", body))


def add_stages(stages: Any) -> None:
    """Add the stages to the sub-parser of `chat`."""
    for name, about in (
        ("choose", "search and try the feature and strength that make the model speak as each subject"),
        ("report", "measure the promising ones with fresh seeds, beside their controls"),
    ):
        stage = stages.add_parser(name, help=about)
        stage.add_argument("--sae", required=True, help="a folder")
        stage.add_argument("--texts", type=Path, required=True, help="what the stage write wrote (JSON Lines)")
        stage.add_argument("--out", type=Path, required=True, help="a folder; a run found there is gone on with")
        stage.add_argument("--only", nargs="+", default=[], metavar="KEY", help="these subjects alone")
        if name == "report":
            stage.add_argument("--most", type=int, help="measure at most so many, the most promising first")
        stage.set_defaults(run=_choose if name == "choose" else _report)
    stage = stages.add_parser("bundle", help="write clamps.json, and the table of all subjects into a Markdown file")
    stage.add_argument("--out", type=Path, required=True, help="the folder of choose and report")
    stage.add_argument("--clamps", type=Path, help="the clamps' file to write")
    stage.add_argument("--docs", type=Path, help="the Markdown file, whose marked section is replaced")
    stage.add_argument("--machine", default="", help="what to say of the machine in the table")
    stage.set_defaults(run=_bundle)


def _session(given: argparse.Namespace) -> Session:
    for key in given.only:
        subject(key)  # raises on one that there is not, before anything is loaded
    if not given.texts.is_file():
        raise LoadError(given.texts, "is not there: give the file that the stage write wrote")
    return Session(given.sae, given.texts, given.out, given.only)


def _choose(given: argparse.Namespace) -> None:
    for line in _session(given).choose():
        print(line["subject"], json.dumps(line.get("chosen")), repr(line.get("example", "")), flush=True)


def _report(given: argparse.Namespace) -> None:
    for line in _session(given).report(given.most):
        print(line["subject"], "steerable" if line["steerable"] else "", json.dumps(line["first"]), flush=True)


def _bundle(given: argparse.Namespace) -> None:
    bundle(given.out, given.clamps, given.docs, given.machine)


STAGES: dict[str, Callable[[argparse.Namespace], None]] = {"choose": _choose, "report": _report, "bundle": _bundle}
