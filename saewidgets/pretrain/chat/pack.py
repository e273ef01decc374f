"""The stage `pack`: an SAE in 8 bits and texts of the model's own into the package, beside the clamps that were
measured.

python -m saewidgets.pretrain chat pack --out RUN --sae NAME [--clamps clamps.json] [--into saewidgets/chat]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

import saewidgets.chat as chat
from saewidgets.activations import harvest
from saewidgets.analysis import feature_activations
from saewidgets.analysis.setup import in_chat_form
from saewidgets.chat import OwnText
from saewidgets.files import LoadError, parse_json, read_json, write_json
from saewidgets.formats import load_sae
from saewidgets.models import Model, load_model, read_corpus
from saewidgets.pretrain.chat.become import FRESH, AddStage, folder_of
from saewidgets.pretrain.chat.saes import SAES
from saewidgets.pretrain.chat.write import TEXTS
from saewidgets.records import ChatClamps
from saewidgets.sae import SAE

PER_SUBJECT, OTHERS = 3, 40  # texts that are carried: they are read when the demonstration begins
LONGEST = 450  # characters of an answer that are carried
SAMPLE = 8192  # tokens on which the error of storage is stated


def pack(
    sae: Path, texts: Path, into: Path, *, clamps: Path | None = None, name: str = "", fresh: Path | None = None
) -> str:
    """Write the SAE (int8), the texts and the clamps into the folder of `saewidgets.chat`. Returns the SAE's name
    there.

    Args:
        sae: a folder.
        texts: what the stage `write` wrote: JSON Lines with subject, split, system, user and answer. Those that were
            held out are carried.
        clamps: what the stage `bundle` wrote of this SAE; its name in there becomes the new one.
        fresh: what the stage `report` wrote about the subjects, if it is there: of those that no held-out text is
            about, texts of it are carried.
        name: of the SAE; "smollm2-" and its number of features where none is given.
    """
    own = load_sae(sae)
    rows = rows_of(texts)
    carried = chosen([*rows, *fresh_rows(fresh, rows)] if fresh is not None and fresh.is_file() else rows)
    if not carried:
        raise ValueError(f"{texts} holds no text that was held out")
    name = name or f"smollm2-{own.config.d_sae}"
    measured = None if clamps is None else renamed(read_json(clamps), {own.name, sae.name}, name)
    known = None if measured is None else ChatClamps.from_dict(measured)  # refuses what no version would read
    model = load_model(chat.MODEL, dtype=chat.DTYPE)
    if known is not None:
        carried = strongest_first(carried, largest_of(model, own, carried, known))
    own.name = name
    own.save(into / "saes" / name, dtype="int8", sample=sample_of(model, own, carried))
    written = {"model": chat.MODEL_NAME, "texts": [asdict(text) for text in carried]}
    write_json(into / chat.TEXTS_FILE.name, written, indent=0)
    if measured is not None:
        write_json(into / chat.CLAMPS_FILE.name, measured, indent=1)
    return name


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of texts; a last line that is being written is left out."""
    return [parse_json(path, line) for line in path.read_bytes().split(b"\n")[:-1]]


def fresh_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Texts that the report wrote, as `rows_of` gives them, about the subjects that none of the rows held out is
    about.
    """
    there = {row["subject"] for row in rows if row["split"] == "held_out"}
    found = [line for line in rows_of(path)[1:] if line["subject"] not in there]
    kind = {"person": "third", "split": "held_out", "system": ""}
    return [
        {**kind, "subject": line["subject"], "user": user, "answer": answer}
        for line in found
        for user, answer in line["texts"]
    ]


def chosen(rows: Iterable[Mapping[str, Any]], per_subject: int = PER_SUBJECT, others: int = OTHERS) -> list[OwnText]:
    """Held-out texts: the first few of each subject in the subjects' order, then some about other things.

    The third person comes first, as it says more about a subject; an answer is cut at a sentence's end.
    """
    kept: dict[str, list[OwnText]] = {key: [] for key in (*(subject.key for subject in chat.subjects()), "")}
    held_out = [row for row in rows if row["split"] == "held_out" and row["answer"].strip()]
    for row in sorted(held_out, key=lambda row: row["person"] == "first"):
        own = kept.get(row["subject"])
        if own is not None and len(own) < (per_subject if row["subject"] else others):
            answer = cut(row["answer"].strip())
            own.append(OwnText(row["subject"], row["system"] or "", row["user"].strip(), answer))
    return [text for own in kept.values() for text in own]


def strongest_first(texts: Sequence[OwnText], largest: Mapping[str, np.ndarray]) -> list[OwnText]:
    """The texts, those about each subject by `largest` of its key [text], the largest first: the demonstration reads
    the first ones only, and what a feature reads should be among them. Subjects stay in the order in which they come.

    Example:
        >>> owl, other, wise = (OwnText(key, "", "", answer) for key, answer in (("owl", "a"), ("", "b"), ("owl", "c")))
        >>> [text.answer for text in strongest_first([owl, other, wise], {"owl": np.array([1.0, 0.0, 2.0])})]
        ['c', 'a', 'b']
    """
    subjects = list(dict.fromkeys(text.subject for text in texts))
    none = np.zeros(len(texts))
    numbers = sorted(
        range(len(texts)),
        key=lambda n: (subjects.index(texts[n].subject), -largest.get(texts[n].subject, none)[n]),
    )
    return [texts[n] for n in numbers]


def largest_of(model: Model, sae: SAE, texts: Sequence[OwnText], clamps: ChatClamps) -> dict[str, np.ndarray]:
    """{key of a clamp: the largest activation of its feature in each of the texts [text]}."""
    acts = feature_activations(model, sae, in_chat_form(model, texts))
    return {key: acts.dense(clamp.feature).max(1) for key, clamp in clamps.items()}


def cut(answer: str, longest: int = LONGEST) -> str:
    """An answer of at most so many characters, up to the last end of a sentence where there is one."""
    short = answer[:longest]
    end = max(short.rfind(mark) for mark in ".!?")
    return short[: end + 1] if end > 0 else short


def renamed(clamps: dict[str, Any], old: set[str], new: str) -> dict[str, Any]:
    """Clamps of an SAE that is called otherwise now. Raises ValueError where they are another SAE's."""
    if clamps.get("sae") not in old | {new}:
        raise ValueError(f"the clamps are of the SAE {clamps.get('sae')!r}, not of {' or '.join(sorted(old))}")
    entries = {key: {**entry, "sae": new} for key, entry in clamps["clamps"].items()}
    return {**clamps, "sae": new, "clamps": entries}


@torch.inference_mode()
def sample_of(model: Model, sae: SAE, texts: Sequence[OwnText]) -> torch.Tensor:
    """Activations [token, d_in] of the carried texts at the SAE's site: what the error of storage is stated on."""
    site = sae.config.site
    if site is None:
        raise LoadError(sae.name, "the SAE does not say where it reads")
    order = np.random.default_rng(0).permutation(len(texts))
    read = read_corpus(model, in_chat_form(model, [texts[i] for i in order]))
    found: list[torch.Tensor] = []
    for _, _, x in harvest(model, site.hook_name, read.rows, read.counted, max_norm=site.max_norm):
        found.append(x.float().cpu())
        if sum(map(len, found)) >= SAMPLE:
            break
    return torch.cat(found)[:SAMPLE]


def add_stage(stage: AddStage) -> None:
    """Add the stage with a function that adds one."""
    own = stage("pack", pack_stage, "put an SAE (8 bit), texts and the clamps of `bundle` into the package")
    own.add_argument("--sae", required=True, metavar="NAME", help="of a finished SAE, such as smollm2-12-8192-k32-5M")
    own.add_argument("--clamps", type=Path, help="what the stage bundle wrote")
    own.add_argument("--into", type=Path, default=chat.CLAMPS_FILE.parent, help="default: %(default)s")
    own.add_argument("--name", default="", help="of the SAE in the package (default: smollm2- and its features)")


def pack_stage(chosen: argparse.Namespace) -> None:
    """Put them there."""
    folder = chosen.out / SAES / chosen.sae
    if not folder.is_dir():
        raise LoadError(folder, "no such SAE: run the stage `saes` first")
    fresh = folder_of(chosen.out, chosen.sae) / FRESH
    print(pack(folder, chosen.out / TEXTS, chosen.into, clamps=chosen.clamps, name=chosen.name, fresh=fresh))
