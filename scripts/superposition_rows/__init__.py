"""Every claim of docs/superposition.md, as a function of a seed: what `rerun_superposition.py` runs.

A claim is a sentence and a short function that tries it. The sentences stand here; the docs print them.
"""

from superposition_rows import follow_up, many, neurons, recovering, small
from superposition_rows.kinds import CLAIMS, Claim, Found

__all__ = ["CLAIMS", "Claim", "Found", "follow_up", "many", "neurons", "recovering", "rows", "small"]


def rows() -> list[str]:
    """The rows that have claims, in the paper's order, the SAE's last."""

    def place(row: str) -> tuple[int, str]:
        return int(row[1:].split("-")[0]) if row.startswith("M") else 100, row

    return sorted({one.row for one in CLAIMS}, key=place)
