"""Two processes that share each batch end where one process ends that takes it all."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import saewidgets as sw
from saewidgets.activations import ActivationStore
from saewidgets.cluster import save_job
from saewidgets.ranks import ALONE, Ranks
from saewidgets.records.jobs import JobFolder, steps_of
from saewidgets.sae import SAE, SAEConfig
from saewidgets.training import OBJECTIVES, TrainConfig, train
from saewidgets.training.run import Run

SCRIPT = Path(__file__).with_name("equal_ranks.py")


HARVESTED = TrainConfig(steps=30, lr=2e-3)
RUNS = {"small": (16, 30), "large": (48, 40), "bursting": (24, 40)}  # name -> features, steps


def sweep():
    """{name: (sae, config)}; one of them ends early, and one has a loss that is soon not finite."""
    return {
        name: (
            SAE(SAEConfig(12, d_sae, "topk", k=4)),
            TrainConfig(steps=steps, lr=1e30 if name == "bursting" else 1e-3),
        )
        for name, (d_sae, steps) in RUNS.items()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ranks")


@pytest.fixture(scope="module")
def report(folder, cache, tiny_model):
    """What equal_ranks.py found: its two processes are started once for all tests."""
    store = ActivationStore.from_disk(cache, batch_size=64, buffer_tokens=400, seed=3)
    save_job(folder / "sweep", sweep(), store, device="cpu")
    site = sw.site(tiny_model, "blocks.0.hook_resid_pre")
    texts = [f"The bridge over the bay is red, {n}." for n in range(40)]
    acts = sw.harvest(tiny_model, site, texts, folder / "acts", progress=False)
    of_disk = ActivationStore.from_disk(folder / "acts", batch_size=62, seed=1)
    sae = SAE(SAEConfig(site.d_in, 64, "batchtopk", k=4, site=acts.site))
    save_job(folder / "harvested", sae, of_disk, HARVESTED, device="cpu")
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


def test_a_sweep_s_runs_are_shared_out_and_each_is_what_it_would_be_alone(report, folder, cache):
    """The activations are read by both ranks together; whoever trains a run, its weights are those of one process."""
    steps = steps_of(folder / "sweep")
    for name, (sae, config) in sweep().items():
        alone = train(sae, ActivationStore.from_disk(cache, batch_size=64, buffer_tokens=400, seed=3), config)
        with contextlib.suppress(FloatingPointError):
            list(alone)
        assert steps[name] == alone.history, name
        number = list(RUNS).index(name)
        if alone.history:
            other = Run(SAE(sae.config), [], config, resume=folder / "sweep" / "checkpoints" / f"{number:03}")
            assert all(torch.equal(tensor, other.tensors[own]) for own, tensor in alone.tensors.items())
    assert "not finite" in "".join(
        said for _, said in JobFolder(folder / "sweep").progress().more() if isinstance(said, str)
    ) or (len(steps["bursting"]) < 40)
    assert JobFolder(folder / "sweep").status().status == "finished"


def test_a_harvest_is_trained_on_by_two_as_by_one(report, folder):
    own = ActivationStore.from_disk(folder / "acts", batch_size=62, seed=1)
    sae = SAE.load(folder / "harvested" / "start" / "000")
    list(train(sae, own, HARVESTED))
    start = SAE.load(folder / "harvested" / "start" / "000")
    other = Run(start, [], HARVESTED, resume=folder / "harvested" / "checkpoints" / "000").sae
    assert len(steps_of(folder / "harvested")["run"]) == 30
    for name, weight in sae.weights.items():
        assert float((weight - other.weights[name]).abs().max()) <= 1e-6 * float(weight.abs().max()), name


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
