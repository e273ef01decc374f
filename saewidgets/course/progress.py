"""Who solved what, and when: one CSV per participant, to which every try adds a line.

`saewidgets lab --workshop` names the file in the environment of the kernels. A line is written in one piece at the end
of the file, so two kernels may write to one file at the same time, and what is there is never written over.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from saewidgets.files import append_line, open_regular

if TYPE_CHECKING:
    import pandas as pd

PROGRESS = "SAEWIDGETS_PROGRESS"  # the environment variable that names the file
PARTICIPANT = "SAEWIDGETS_PARTICIPANT"
LARGEST = 32_000_000  # bytes of a file that is read
COLUMNS = ("time", "participant", "exercise", "passed", "said")


def note(exercise: str, passed: bool, said: str) -> None:
    """Add one try to the participant's file, where there is one. Raises OSError where it cannot be written."""
    path = os.environ.get(PROGRESS)
    if path:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        row = (at, os.environ.get(PARTICIPANT, ""), exercise, "yes" if passed else "no", said[:500])
        append_line(path, _line(row), header=_line(COLUMNS))


def read_progress(path: str | Path) -> pd.DataFrame:
    """Every try in a participant's file, in the order in which they were made.

    Returns one row per try: time (UTC), participant, exercise, passed (bool), said. A last line that was cut off, as by
    a full disk, is left out.

    Raises FileNotFoundError where there is no file, LoadError where it is too large to be one, ValueError where its
    columns are others.

    Example:
        >>> read_progress("progress-ada.csv")  # doctest: +SKIP
    """
    import pandas as pd

    with open_regular(path, LARGEST) as (file, _):
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    head, *rows = list(csv.reader(lines)) or [[]]
    if tuple(head) != COLUMNS:
        raise ValueError(f"{path} is no record of progress: its first line must be {','.join(COLUMNS)}")
    whole = [row for row in rows if len(row) == len(COLUMNS) and row[3] in ("yes", "no")]
    table = pd.DataFrame(whole, columns=list(COLUMNS))
    table["time"] = pd.to_datetime(table["time"], utc=True)
    table["passed"] = table["passed"] == "yes"
    return table


def progress_table(paths: Iterable[str | Path]) -> pd.DataFrame:
    """What a class has solved: participants' files, one row per participant and exercise.

    Returns columns participant, exercise, passed (whether any try was right), tries (up to and with the first right
    one), first (time of the first try) and solved (time of the first right one, or NaT). A participant without a name
    has that of the file.

    Example:
        >>> progress_table(Path("collected").glob("progress-*.csv"))  # doctest: +SKIP
    """
    import pandas as pd

    rows = []
    for path in map(Path, paths):
        table = read_progress(path)
        table["participant"] = table["participant"].where(table["participant"] != "", path.stem)
        for (who, exercise), tries in table.groupby(["participant", "exercise"], sort=True):
            hits = tries["passed"].to_numpy().nonzero()[0]
            solved = tries["time"].iloc[hits[0]] if len(hits) else pd.NaT
            n = int(hits[0]) + 1 if len(hits) else len(tries)
            rows.append((who, exercise, bool(len(hits)), n, tries["time"].iloc[0], solved))
    return pd.DataFrame(rows, columns=["participant", "exercise", "passed", "tries", "first", "solved"])


def _line(row: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([" ".join(str(cell).split()) for cell in row])
    return out.getvalue()
