"""Two processes that share each batch end where one process ends that takes it all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from saewidgets.ranks import ALONE, Ranks
from saewidgets.training import OBJECTIVES

SCRIPT = Path(__file__).with_name("equal_ranks.py")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What equal_ranks.py found: its two processes are started once for all tests."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, str(SCRIPT), str(folder)]
    ranks = [subprocess.Popen([*command, str(rank)], env={**os.environ, "OMP_NUM_THREADS": "1"}) for rank in (0, 1)]
    try:
        assert [rank.wait(300) for rank in ranks] == [0, 0]
    finally:
        for rank in ranks:
            rank.kill()
    return json.loads((folder / "rank-0.json").read_text())


def test_every_objective_by_two_processes_is_that_of_one(report):
    sys.path.insert(0, str(SCRIPT.parent))
    import equal_ranks

    used = {more.get("objective") or fields["architecture"] for fields, more in equal_ranks.KINDS.values()}
    assert used == set(OBJECTIVES)
    far = {name: found for name, (found, _) in report.items() if not found <= 1e-6}
    assert not far
    assert len(report) == len(equal_ranks.KINDS) + sum(
        fields["architecture"] in ("topk", "batchtopk") for fields, _ in equal_ranks.KINDS.values()
    )


def test_there_were_dead_features_to_revive(report):
    for name in ("relu-resampled", "topk", "batchtopk", "gated", "transcoder"):
        assert report[name][1] >= 9 / 48, name


@pytest.mark.parametrize("n", [1, 7, 200, 1000, 5000])
def test_the_nth_largest_is_that_of_a_sort(n):
    values = torch.rand(1000, generator=torch.Generator().manual_seed(n)).mul(3).relu()
    values[::7] = 0.5
    expected = np.sort(values.numpy())[::-1][n - 1] if n <= 1000 else 0.0
    assert float(ALONE.nth_largest(values, n)) == expected
    assert ALONE.nth_largest(torch.cat([values, torch.tensor([torch.nan])]), n).isnan()


def test_shares_are_disjoint_and_cover_every_row():
    for n, size in ((7, 2), (2, 3), (61, 8), (0, 2)):
        shares = [range(n)[Ranks(rank, size).share_of(n)] for rank in range(size)]
        assert [row for share in shares for row in share] == list(range(n))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
