"""Every claim of docs/superposition.md, tried again with a seed of yours: row, claim, found, and whether it agrees.

    python3 scripts/rerun_superposition.py --seed 7                    # all rows, some minutes of one core
    python3 scripts/rerun_superposition.py --seed 7 M0 M19             # some of them
    python3 scripts/rerun_superposition.py --seed 7 M0 --save out.jsonl  # and adds the results to a file
    python3 scripts/rerun_superposition.py --table out.jsonl           # files of results as the table of the docs

It ends with 1 if a claim does not agree. The seed is that of the starts, the inputs of the training, and the inputs on
which the best is told. `OMP_NUM_THREADS=1` keeps it to one core.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "scripts")]

from superposition_rows import CLAIMS, rows  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(rows())}; all of them unless given")
    parser.add_argument("--seed", type=int, help="0 or more")
    parser.add_argument("--save", type=Path, metavar="FILE", help="add one line of JSON per claim to this file")
    parser.add_argument(
        "--table", type=Path, nargs="+", metavar="FILE", help="run nothing: print such files as a table"
    )
    options = parser.parse_args()
    if options.table:
        print(table([json.loads(line) for path in options.table for line in path.read_text("utf-8").splitlines()]))
        return 0
    unknown = sorted(set(options.rows) - set(rows()))
    if unknown:
        parser.error(f"there is no row {', '.join(unknown)}; there are {', '.join(rows())}")
    if options.seed is None or options.seed < 0:
        parser.error("give a seed, 0 or more: --seed 7")
    return rerun(options.seed, options.rows or rows(), options.save)


def rerun(seed: int, wanted: list[str], save: Path | None = None) -> int:
    """Try the claims of some rows; 1 if one does not agree, else 0."""
    wrong = 0
    for row in wanted:
        wall, processor = time.perf_counter(), time.process_time()
        for one in (c for c in CLAIMS if c.row == row):
            found = one.find(seed)
            agrees = bool(found.agrees)
            wrong += not agrees
            print(f"{row:<4} {'agrees' if agrees else 'DOES NOT'}  {one.text}\n     found: {found.text}", flush=True)
            if save is not None:
                result = {"row": row, "claim": one.text, "seed": seed, "found": found.text, "agrees": agrees}
                with save.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(result, ensure_ascii=False) + "\n")
        spent = time.perf_counter() - wall, time.process_time() - processor
        print(f"     {row}: {spent[0]:.1f} s, {spent[1]:.1f} s of the processor", flush=True)
    print("all agree" if not wrong else f"{wrong} do not agree")
    return int(wrong > 0)


def table(results: list[dict]) -> str:
    """Markdown: one row per claim, what each seed found; the last result of a claim and seed counts."""
    seeds = list(dict.fromkeys(result["seed"] for result in results))
    found = {(result["row"], result["claim"], result["seed"]): result for result in results}
    lines = [f"| row | claim | {' | '.join(f'seed {seed}' for seed in seeds)} |", "|---" * (2 + len(seeds)) + "|"]
    for row in rows():
        for one in (c for c in CLAIMS if c.row == row):
            cells = [found.get((row, one.text, seed)) for seed in seeds]
            texts = [
                "not run" if c is None else c["found"] + ("" if c["agrees"] else " **(does not agree)**") for c in cells
            ]
            lines.append(f"| {row} | {escaped(one.text)} | {' | '.join(map(escaped, texts))} |")
    return "\n".join(lines)


def escaped(text: str) -> str:
    """A text as it stands in a cell of a table."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
