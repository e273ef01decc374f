"""What a grading sheet draws, as JSON: nothing of how strongly a feature is active, or of what others have said."""

from __future__ import annotations

from typing import Any

from saewidgets.frontend.payloads.numbers import Pool, number
from saewidgets.languages import said
from saewidgets.records import RUBRIC, Grading, Passage, Specificity

__all__ = ["compared", "grading"]


def grading(sheet: Grading, *, kept: str = "") -> dict[str, Any]:
    """The fixed part: claim, rubric, and the passages in their order, each as tokens by place, and which are marked.
    kept: where the answers are saved.
    """
    pool = Pool()
    return {
        "claim": sheet.claim.replace("_", " "),
        "name": said(sheet.name),
        "rubric": [[score, said(RUBRIC[score])] for score in sorted(RUBRIC, reverse=True)],
        "kept": kept,
        "passages": [_passage(passage, pool) for passage in sheet.passages],
        "pool": pool.rows,
    }


def compared(sheet: Grading, data: Specificity | None) -> list[list[Any]]:
    """How far a sheet agrees with each judge of the record that it was drawn from: [judge, n, kappa with its interval,
    share of equal scores]; none before it is done, when that would tell what is yet to be graded.
    """
    if data is None or not sheet.done:
        return []
    table = data.judged_by(sheet.run(data)).agreement(against=sheet.name)
    return [
        [row["judge"], row["n"], [number(row[name]) for name in ("kappa", "low", "high")], number(row["same"])]
        for row in table.to_dict("records")
    ]


def _passage(passage: Passage, pool: Pool) -> list[list[int]]:
    """[tokens by place, marked]. A token without a text of its own, the first of a character of several, goes with the
    next.
    """
    places: list[int] = []
    marked: list[int] = []
    open_mark = False
    for i, (token, number_of) in enumerate(zip(passage.tokens, passage.ids, strict=True)):
        open_mark = open_mark or i in passage.marked
        if not token and i + 1 < len(passage.tokens):
            continue
        if open_mark:
            marked.append(len(places))
        places.append(pool.place(number_of, token))
        open_mark = False
    return [places, marked]
