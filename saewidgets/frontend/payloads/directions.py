"""What the directions lab draws, as JSON."""

from __future__ import annotations

from typing import Any

from saewidgets.frontend.payloads.numbers import number
from saewidgets.languages import said
from saewidgets.records import DirectionsData, WordRelation, WordSpace
from saewidgets.records.directions import EMBEDDING

__all__ = ["directions"]


def directions(data: DirectionsData) -> dict[str, Any]:
    """All spaces and relations of a record."""
    skipped = ""
    if data.skipped_words:
        some = ", ".join(data.skipped_words[:6]) + (", ..." if len(data.skipped_words) > 6 else "")
        n = len(data.skipped_words)
        skipped = said(
            "; 1 word is of several tokens: {some}" if n == 1 else "; {n:,} words are of several tokens: {some}",
            n=n,
            some=some,
        )
    weights = f", {data.weights}" if data.weights else ""
    return {
        "title": said("Are relations between words directions?"),
        "note": said(
            "{n:,} questions of {questions}, asked {model}{weights}{skipped}",
            n=data.n_questions,
            questions=data.questions,
            model=data.model_name or said("a model"),
            weights=weights,
            skipped=skipped,
        ),
        "spaces": [_space(space, data) for space in data.spaces],
    }


def _space(space: WordSpace, data: DirectionsData) -> dict[str, Any]:
    embedded = space.name == EMBEDDING
    if embedded:
        read = said("rows of the embedding")
    elif data.template == "{}":
        read = said("read at the word's own token at the beginning of a text")
    else:
        read = said("read at the word's token in {template!r}", template=data.template.format("…"))
    return {
        "name": space.name,
        "label": said("embedding") if embedded else space.name,
        "note": said("{n:,} words are candidates for an answer; vectors are {read}.", n=space.n_words, read=read),
        "sae": space.sae_name,
        "relations": [_relation(relation) for relation in space.relations],
    }


def _relation(r: WordRelation) -> dict[str, Any]:
    shares = {"offset": r.correct, "kept": r.kept, "neighbor": r.neighbor}
    return {
        "name": r.name,
        "n": r.n,
        "skipped": r.skipped,
        "shares": {name: number(count / r.n) if r.n else None for name, count in shares.items()}
        | {"chance": number(r.chance)},
        "parallel": number(r.parallel),
        "null": number(r.null),
        "high": number(r.null_high),
        "p": number(r.p),
        "length": number(r.length),
        "explained": number(r.explained),
        "pairs": [[p.a, p.b, *map(number, (*p.at, *p.to))] for p in r.pairs],
        "answers": [[x.a, x.b, x.c, x.d, x.answer, x.kept, x.neighbor, x.rank] for x in r.answers],
        "parts": [[f.feature, f.label, *map(number, (f.share, f.before, f.after))] for f in r.features],
        "error": number(r.error),
    }
