"""What somebody found out: labels given, clamps tried, notes; one file to hand in, and to open again."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from saewidgets.files import short, write_text
from saewidgets.records.arguments import whole
from saewidgets.records.dialogues import Dialogue
from saewidgets.records.labels import ReaderLabels, check_label
from saewidgets.records.presets import Subject
from saewidgets.records.saved import Saved
from saewidgets.records.steering import Clamp
from saewidgets.records.tables import frame, sayable

LONGEST_NOTE = 10_000  # characters
_STYLE = (
    "html{color-scheme:light dark}body{max-width:60rem;margin:2rem auto;padding:0 1rem;font:16px/1.5 system-ui,sans-serif}"
    "div{overflow-x:auto}table{border-collapse:collapse;width:100%}th,td{padding:.3rem .6rem;text-align:left;"
    "vertical-align:top;border-bottom:1px solid color-mix(in srgb,currentColor 25%,transparent);overflow-wrap:anywhere}"
    "th{white-space:nowrap}td.n{width:1%}td.t{white-space:pre-wrap;min-width:8rem}"
)


@dataclass(frozen=True)
class FoundLabel:
    """What a feature was called."""

    feature: int
    label: str
    subject: Subject = field(default_factory=Subject)  # whose feature

    def __post_init__(self) -> None:
        whole(self.feature, "the feature of a label", minimum=0)
        check_label(self.feature, self.label)


@dataclass(frozen=True)
class TriedClamp:
    """A text that was written under clamps."""

    prompt: str | Dialogue
    clamps: tuple[Clamp, ...]  # values in SAE activation units; () is the model as it is
    text: str  # that was written, without the prompt
    multiples: Mapping[int, float] = field(default_factory=dict)  # feature -> multiple of its maximum
    seed: int = 0
    temperature: float = 0.0
    n_tokens: int = 0  # at most so many
    subject: Subject = field(default_factory=Subject)


@dataclass(frozen=True)
class Note:
    """A remark, of a feature or of nothing in particular."""

    text: str
    feature: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip() or len(self.text) > LONGEST_NOTE:
            raise ValueError(f"a note is a text of 1 to {LONGEST_NOTE:,} characters, not {short(self.text)}")
        if self.feature is not None:
            whole(self.feature, "the feature of a note", minimum=0)


@dataclass(frozen=True)
class Findings(Saved):
    """Labels, clamps and notes, with the model and the SAE that they are of: one file to hand in and to open again.

    `Findings.of(panel, board)` takes what was labeled and tried in instruments; `+` puts two together.

    Example:
        >>> mine = Findings(author="Ada").noted("It speaks of towers, too.", feature=31)
        >>> mine.save("mine.json")
        >>> Findings.load("mine.json") == mine
        True
        >>> mine.to_dataframe()["what"].tolist()
        ['note']
    """

    KIND = "findings"

    title: str = "My findings"
    author: str = ""
    labels: tuple[FoundLabel, ...] = ()
    tries: tuple[TriedClamp, ...] = ()
    notes: tuple[Note, ...] = ()

    @classmethod
    def of(cls, *instruments: Any, title: str = "My findings", author: str = "") -> Findings:
        """What instruments hold: the reader's labels, and of clamp panels the finished tries, the earliest first.

        Raises TypeError for what is no instrument.

        Example:
            >>> Findings.of(panel, board, author="Ada").save("ada.json")  # doctest: +SKIP
        """
        found = cls(title, author)
        for one in instruments:
            gives = getattr(one, "findings", None)
            if isinstance(one, type) or not callable(gives):
                raise TypeError(f"Findings.of takes instruments, such as a ClampPanel, not a {type(one).__name__}")
            found = found + gives()
        return found

    def __add__(self, other: Findings) -> Findings:
        """Both; what both hold stands once, and a feature has the label that `other` gives it."""
        if not isinstance(other, Findings):
            return NotImplemented
        named = {_whose(own): own for own in (*self.labels, *other.labels)}
        return replace(
            self,
            author=self.author or other.author,
            labels=tuple(named.values()),
            tries=_once((*self.tries, *other.tries)),
            notes=_once((*self.notes, *other.notes)),
        )

    def noted(self, text: str, feature: int | None = None) -> Findings:
        """These with one more note. Raises ValueError on an empty one, or one of more than 10,000 characters."""
        return replace(self, notes=(*self.notes, Note(text, None if feature is None else whole(feature, "feature"))))

    @property
    def reader_labels(self) -> ReaderLabels:
        """The labels as a selection has them, of the SAEs whose digest is known:
        `selection.labels = mine.reader_labels`.
        """
        found: dict[str, dict[int, str]] = {}
        for own in self.labels:
            for digest in filter(None, own.subject.digests[:1]):
                found.setdefault(digest, {})[own.feature] = own.label.strip()
        return ReaderLabels(found)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per label, try and note, in this order: what, feature, text, multiples, seed, prompt, sae."""
        columns = ["what", "feature", "text", "multiples", "seed", "prompt", "sae"]
        rows: list[list[Any]] = [
            ["label", own.feature, own.label, "", None, "", _sae(own.subject)] for own in self.labels
        ]
        for tried in self.tries:
            one = next(iter(tried.clamps)).feature if len(tried.clamps) == 1 else None
            rows.append(["clamp", one, tried.text, _under(tried), tried.seed, _said(tried.prompt), _sae(tried.subject)])
        rows += [["note", note.feature, note.text, "", None, "", ""] for note in self.notes]
        table = frame([dict(zip(columns, row, strict=True)) for row in rows], columns=columns)
        return table.astype({"feature": "Int64", "seed": "Int64"})

    def to_html(self, path: str | Path | None = None) -> str:
        """One page to read, without scripts or a network; written to `path`, atomically, where that is given."""
        title = _text(self.title)
        policy = f"default-src 'none'; style-src 'sha256-{_sha256(_STYLE)}'; base-uri 'none'; form-action 'none'"
        by = f"<p>{_text(self.author)}</p>\n" if self.author else ""
        page = (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{by}"
            f"{self._repr_html_()}</main>\n</body>\n</html>\n"
        )
        if path is not None:
            write_text(path, page)
        return page

    def _repr_html_(self) -> str:
        """The tables, each text of them escaped."""
        labels = _table(
            "Labels", ("Feature", "Label", "SAE"), [(own.feature, own.label, _sae(own.subject)) for own in self.labels]
        )
        tries = _table(
            "Clamps",
            ("Clamped", "Prompt", "Text", "Seed", "SAE"),
            [(_under(t) or "nothing", _said(t.prompt), t.text.strip(), t.seed, _sae(t.subject)) for t in self.tries],
        )
        notes = _table(
            "Notes", ("Feature", "Note"), [("" if n.feature is None else n.feature, n.text) for n in self.notes]
        )
        return labels + tries + notes or "<p>Nothing was found yet.</p>\n"


def _whose(own: FoundLabel) -> tuple[Any, ...]:
    """One feature, whatever it is called: of weights where they are known."""
    known = own.subject.digests[:1] if any(own.subject.digests) else (own.subject.model, *own.subject.saes)
    return own.feature, known


def _once(entries: Sequence[Any]) -> tuple[Any, ...]:
    kept: list[Any] = []
    for entry in entries:
        if entry not in kept:
            kept.append(entry)
    return tuple(kept)


def _sae(subject: Subject) -> str:
    return ", ".join(filter(None, (*subject.saes, subject.model)))


def _under(tried: TriedClamp) -> str:
    """Clamps in words: "#31 at 1.5×", where the maximum is known, else in SAE units."""
    said = []
    for clamp in tried.clamps:
        multiple = tried.multiples.get(clamp.feature)
        strength = f"{clamp.value:.4g}" if multiple is None else f"{multiple:.4g}×"
        scope = clamp.scope if isinstance(clamp.scope, str) else f"from {clamp.scope}"
        said.append(f"#{clamp.feature} at {strength}" + ("" if scope == "all" else f" ({scope})"))
    return " + ".join(said)


def _said(prompt: str | Dialogue) -> str:
    return prompt if isinstance(prompt, str) else "\n".join(f"{turn.role}: {turn.text}" for turn in prompt.turns)


def _table(title: str, head: Iterable[str], rows: Sequence[Sequence[Any]]) -> str:
    if not rows:
        return ""
    names = "".join(f'<th scope="col">{name}</th>' for name in head)
    body = "".join(
        "<tr>" + "".join(f'<td class="{"n" if isinstance(c, int) else "t"}">{_text(c)}</td>' for c in row) + "</tr>"
        for row in rows
    )
    table = f'<table class="tex2jax_ignore mathjax_ignore"><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>'
    return f'<h2>{title}</h2>\n<div tabindex="0" role="region" aria-label="{title}">{table}</div>\n'


def _text(value: Any) -> str:
    return html.escape(str(sayable(value)))


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
