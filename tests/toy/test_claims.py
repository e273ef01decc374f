"""The claims of docs/superposition.md: each has a function that tries it, some are tried here, and the script says so."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest

from saewidgets.toy import experiments

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "superposition.md").read_text(encoding="utf-8")
SEED = 31337  # of no preset, no other test and no table


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("rerun_superposition")


def lines_of_table() -> list[list[str]]:
    """The cells of each row of the docs' table, its heading first."""
    table = DOCS.split("## Every claim, rerun")[1]
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in table.splitlines()
        if line.startswith("| ")
    ]


def test_every_preset_and_every_row_that_the_docs_name_has_a_claim(script):
    rows = set(script.rows())
    assert rows >= {f"M{number}" for number in range(24)}
    of_presets = {name if name in rows else name.rsplit("-", 1)[0] for name in experiments()}
    assert of_presets <= rows
    assert set(re.findall(r"^\*\*(M\d+)", DOCS, re.M)) <= {row.split("-")[0] for row in rows}


def test_the_docs_table_is_what_the_script_prints(script):
    """Every claim, word for word and in order, with what two seeds found; all of it agrees."""
    heading, *body = lines_of_table()
    assert heading[:2] == ["row", "claim"] and len(heading) == 4
    expected = [[row, script.escaped(c.text)] for row in script.rows() for c in script.CLAIMS if c.row == row]
    assert [cells[:2] for cells in body] == expected
    assert all(cells[2] and cells[3] for cells in body)
    assert "not run" not in DOCS and "does not agree" not in DOCS


@pytest.mark.parametrize("row", ["M3", "M9", "M11", "M14", "M20"])
def test_quick_rows_agree_for_a_seed_that_chose_nothing(script, row, capsys, tmp_path):
    saved = tmp_path / "found.jsonl"
    assert script.rerun(SEED, [row], saved) == 0
    printed = capsys.readouterr().out
    assert re.search(rf"^{row} +agrees ", printed) and printed.endswith("all agree\n")
    results = [json.loads(line) for line in saved.read_text(encoding="utf-8").splitlines()]
    assert [r["claim"] for r in results] == [c.text for c in script.CLAIMS if c.row == row]
    assert all(r["agrees"] and r["seed"] == SEED for r in results)


def test_a_claim_that_does_not_agree_is_told_and_fails(script, monkeypatch, capsys):
    kinds = importlib.import_module("superposition_rows.kinds")
    claims = [kinds.Claim("M9", "one | two", lambda seed: kinds.Found(f"{seed} | three", seed == 2))]
    monkeypatch.setattr(script, "CLAIMS", claims)
    assert script.rerun(2, ["M9"]) == 0
    assert script.rerun(4, ["M9"]) == 1
    assert "M9   DOES NOT  one | two\n     found: 4 | three" in capsys.readouterr().out
    monkeypatch.setattr(script, "rows", lambda: ["M9"])
    result = {"row": "M9", "claim": "one | two", "seed": 4, "found": "4 | three", "agrees": False}
    assert script.table([result]).splitlines()[2] == r"| M9 | one \| two | 4 \| three **(does not agree)** |"


def test_a_row_that_does_not_exist_and_a_missing_seed_are_refused(script, monkeypatch, capsys):
    for typed, say in ((["--seed", "1", "M99"], "there is no row M99; there are M0, M1"), (["M9"], "give a seed")):
        monkeypatch.setattr("sys.argv", ["rerun_superposition.py", *typed])
        with pytest.raises(SystemExit):
            script.main()
        assert say in capsys.readouterr().err
