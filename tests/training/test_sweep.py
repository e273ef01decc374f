"""A sweep: every batch made once, each run what it would be alone, a run that fails fails alone, saved and resumed bit
for bit.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import saewidgets as sw
from saewidgets.files import LoadError
from saewidgets.training import TrainConfig, train
from saewidgets.training import sweep as sweeps
from saewidgets.training.sweep import sweep_grid, train_sweep

D = 6
STATE = ("W_enc", "b_enc", "W_dec", "b_dec")


class Stream:
    """Batches that know how often they were made, and where the stream was entered."""

    def __init__(self, n: int = 1000) -> None:
        self.n, self.made, self.entered = n, [], []

    def make(self, i: int) -> torch.Tensor:
        return torch.randn(32, D, generator=torch.Generator().manual_seed(i))

    def batches(self, start: int = 0):
        self.entered.append(start)
        for i in range(start, self.n):
            self.made.append(i)
            yield self.make(i)

    def __iter__(self):
        return self.batches()


def pieces(steps: int = 12, **lengths: int):
    grid = sweep_grid(D, (8, 16), (1, 2), TrainConfig(steps=steps, lr=1e-2, dead_window=100))
    grid["relu"] = (
        sw.SAE(sw.SAEConfig(D, 8, architecture="relu", l1_coefficient=0.1)),
        TrainConfig(steps=steps, lr=1e-2),
    )
    return grid


def same(a: sw.SAE, b: sw.SAE) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in STATE)


def test_each_batch_is_made_once_and_each_run_is_what_it_would_be_alone():
    stream = Stream()
    sweep = train_sweep(pieces(), stream)
    steps = list(sweep)
    assert stream.made == list(range(12)) and stream.entered == [0]
    assert len(steps) == 12 and list(steps[0]) == list(pieces())
    for name, (sae, config) in pieces().items():
        alone = list(train(sae, Stream(), config))
        assert same(sae, sweep.saes[name])
        assert [step[name] for step in steps] == alone == sweep.runs[name].history


def test_a_shorter_run_ends_and_the_others_go_on():
    grid = pieces(9)
    name = next(iter(grid))
    grid[name] = (grid[name][0], TrainConfig(steps=4))
    steps = list(train_sweep(grid, Stream()))
    assert [name in step for step in steps] == [True] * 4 + [False] * 5
    assert len(steps) == 9 and all(len(step) == 4 for step in steps[4:])


def test_a_plain_list_and_a_plain_iterator_serve_too():
    batches = [Stream().make(i) for i in range(12)]
    results = []
    for given in (batches, iter(batches), Stream()):
        sweep = train_sweep(pieces(), given)
        list(sweep)
        results.append(sweep.saes["relu"])
    assert same(results[0], results[1]) and same(results[0], results[2])
    with pytest.raises(ValueError, match="ran out after 3 of 12"):
        list(train_sweep(pieces(), batches[:3]))


def test_a_run_whose_loss_is_not_finite_stops_alone_and_says_so():
    grid = pieces()
    sae, config = grid["relu"]
    grid["relu"] = (sae, TrainConfig(steps=12, lr=1e-2))
    with torch.no_grad():
        sae.b_enc.fill_(1e30)  # its squared error overflows
    before = sae.W_dec.clone()
    sweep = train_sweep(grid, Stream())
    with pytest.warns(UserWarning, match="run 'relu' stopped, the others go on: step 1: the loss"):
        first = next(sweep)
    assert "relu" not in first and len(first) == 4
    rest = list(sweep)
    assert len(rest) == 11 and list(sweep.failed) == ["relu"]
    assert torch.equal(sae.W_dec, before)
    for name in first:
        alone, config = pieces()[name]
        list(train(alone, Stream(), config))
        assert same(alone, sweep.saes[name])


def test_a_run_that_does_not_fit_in_memory_stops_alone():
    grid = pieces()
    sweep = train_sweep(grid, Stream())
    next(sweep)
    run = sweep.runs["relu"]
    kept = run.sae.W_dec.clone()

    def too_large(*args, **kwargs):
        raise MemoryError("no memory for the optimizer's step")

    run.objective.gradients = too_large
    with pytest.warns(UserWarning, match="run 'relu' stopped, the others go on: no memory"):
        rest = list(sweep)
    assert len(rest) == 11 and all(len(step) == 4 for step in rest)
    assert torch.equal(run.sae.W_dec, kept) and run.step == 1


def test_a_bad_batch_ends_the_sweep_with_the_last_good_weights():
    bad = [Stream().make(0), Stream().make(1), torch.full((32, D), float("nan"))]
    sweep = train_sweep(pieces(), bad)
    next(sweep), next(sweep)
    kept = {name: sae.W_dec.clone() for name, sae in sweep.saes.items()}
    with pytest.warns(UserWarning), pytest.raises(FloatingPointError, match="every run of the sweep has stopped"):
        next(sweep)
    assert all(torch.equal(kept[name], sae.W_dec) for name, sae in sweep.saes.items())


@pytest.mark.parametrize("cut", range(0, 12, 2))
def test_a_saved_sweep_goes_on_bit_for_bit(tmp_path, cut):
    whole = train_sweep(pieces(), Stream())
    list(whole)
    first = train_sweep(pieces(), Stream())
    for _ in range(cut):
        next(first)
    first.save(tmp_path / "sweep")
    stream = Stream()
    second = train_sweep(pieces(), stream, resume=tmp_path / "sweep")
    assert second.step == cut and second.runs["relu"].history == first.runs["relu"].history
    list(second)
    assert stream.made == list(range(cut, 12))
    for name in whole.runs:
        assert same(whole.saes[name], second.saes[name])
        assert whole.runs[name].history == second.runs[name].history


def test_a_failed_run_stays_failed_after_resuming(tmp_path):
    def grid():
        made = pieces()
        with torch.no_grad():
            made["relu"][0].b_enc.fill_(1e30)
        return made

    sweep = train_sweep(grid(), Stream())
    with pytest.warns(UserWarning):
        next(sweep)
    sweep.save(tmp_path)
    again = train_sweep(grid(), Stream(), resume=tmp_path)
    assert again.failed == sweep.failed
    assert all("relu" not in step for step in again)


@pytest.mark.parametrize("at", [0, 1, 2, 4])
def test_an_interrupt_between_two_runs_is_made_good_by_the_next_step(at):
    whole = train_sweep(pieces(), Stream())
    list(whole)
    sweep = train_sweep(pieces(), Stream())
    next(sweep)
    name = list(sweep.runs)[at]
    run = sweep.runs[name]
    sound = run.objective.gradients

    def interrupted(*args, **kwargs):
        run.objective.gradients = sound
        raise KeyboardInterrupt

    run.objective.gradients = interrupted
    with pytest.raises(KeyboardInterrupt):
        next(sweep)
    if at:
        with pytest.raises(ValueError, match="one more step"):
            sweep.save("never")
    steps = list(sweep)
    assert len(steps) == 11 and all(len(step) == 5 for step in steps)
    assert all(same(whole.saes[name], sweep.saes[name]) for name in whole.runs)


def test_an_interrupt_inside_the_stream_loses_no_batch():
    class Torn(Stream):
        broke = False

        def make(self, i):
            if i == 5 and not self.broke:
                self.broke = True
                raise KeyboardInterrupt
            return super().make(i)

    whole = train_sweep(pieces(), Stream())
    list(whole)
    sweep = train_sweep(pieces(), Torn())
    with pytest.raises(KeyboardInterrupt):
        list(sweep)
    list(sweep)
    assert all(same(whole.saes[name], sweep.saes[name]) for name in whole.runs)


@pytest.fixture
def saved(tmp_path):
    sweep = train_sweep(pieces(), Stream())
    next(sweep)
    sweep.save(tmp_path / "sweep")
    return tmp_path / "sweep"


def test_what_does_not_fit_is_refused(saved, tmp_path):
    files = [file.name for file in saved.iterdir()]
    assert len(files) == 7
    for i, name in enumerate(files):
        path = shutil.copytree(saved, tmp_path / str(i))
        data = bytearray((path / name).read_bytes())
        data[-2] ^= 255
        (path / name).write_bytes(data)
        with pytest.raises(LoadError):
            train_sweep(pieces(), Stream(), resume=path)
        (path / name).unlink()
        with pytest.raises(LoadError):
            train_sweep(pieces(), Stream(), resume=path)
    other = dict(list(pieces().items())[:3])
    with pytest.raises(LoadError, match="it holds the runs"):
        train_sweep(other, Stream(), resume=saved)
    with pytest.raises(LoadError, match="another SAEConfig or TrainConfig"):
        train_sweep(pieces(13), Stream(), resume=saved)
    manifest = json.loads((saved / "sweep.json").read_text())
    manifest["runs"][0]["file"] = "../elsewhere"
    (saved / "sweep.json").write_text(json.dumps(manifest))
    with pytest.raises(LoadError, match="not one of its folder"):
        train_sweep(pieces(), Stream(), resume=saved)


def test_a_full_disk_at_any_file_leaves_the_old_sweep_whole(saved, monkeypatch):
    import saewidgets.files.writing as files

    before = sorted(file.name for file in saved.iterdir())
    sweep = train_sweep(pieces(), Stream(), resume=saved)
    next(sweep)
    real, calls = files._write_atomic, []
    for failing in range(7):
        calls.clear()

        def full(path, data, failing=failing):
            calls.append(path)
            if len(calls) == failing + 1:
                raise OSError(28, "No space left on device")
            real(path, data)

        monkeypatch.setattr(files, "_write_atomic", full)
        with pytest.raises(OSError, match="No space"):
            sweep.save(saved)
        assert sorted(file.name for file in saved.iterdir()) == before
        assert train_sweep(pieces(), Stream(), resume=saved).step == 1
    monkeypatch.setattr(files, "_write_atomic", real)
    next(sweep)  # the sweep itself took no harm
    sweep.save(saved)
    assert train_sweep(pieces(), Stream(), resume=saved).step == 3
    assert len(list(saved.iterdir())) == 7  # what the manifest names, and nothing older


@pytest.mark.parametrize("after", [False, True])
def test_an_interrupt_around_the_last_write_leaves_one_whole_sweep(saved, monkeypatch, after):
    import saewidgets.files.writing as files

    sweep = train_sweep(pieces(), Stream(), resume=saved)
    next(sweep)
    real = files._write_atomic

    def interrupted(path, data):
        if path.name != "sweep.json" or after:
            real(path, data)
        if path.name == "sweep.json":
            raise KeyboardInterrupt

    monkeypatch.setattr(files, "_write_atomic", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep.save(saved)
    assert train_sweep(pieces(), Stream(), resume=saved).step == (2 if after else 1)


def test_a_save_removes_the_sweep_that_it_replaces_and_nothing_that_is_not_its_own(saved):
    first = {file.name for file in saved.iterdir()}
    own = ["run-best.safetensors", "history-of-all.safetensors", ".run-000.mine.tmp", "run-000-0a1b2c3d.safetensors"]
    strays = [".run-000-0a1b2c3d.safetensors.0123456789ab.tmp", "run-001-aaaaaaaa.safetensors"]
    for name in (*own, *strays):
        (saved / name).write_bytes(b"x")
    for name in (*own[:3], *strays):  # the fourth is one that another process is writing just now
        os.utime(saved / name, (1, 1))
    sweep = train_sweep(pieces(), Stream(), resume=saved)
    next(sweep)
    sweep.save(saved)
    there = {file.name for file in saved.iterdir()}
    assert there >= set(own) and not there & set(strays)
    assert there & first == {"sweep.json"}
    assert len(there) == 7 + len(own)


def test_two_processes_that_save_into_one_folder_lose_nothing(saved, monkeypatch):
    """The other one saves at each moment of ours: before each of our files, and before our manifest."""
    import saewidgets.files.writing as files

    ours, theirs = (train_sweep(pieces(), Stream(), resume=saved) for _ in range(2))
    next(ours), next(theirs), next(theirs)
    real, within = files._write_atomic, []
    for moment in range(7):
        calls = []

        def between(path, data, calls=calls, moment=moment):
            if not within:
                calls.append(path)
                if len(calls) == moment + 1:
                    within.append(True)
                    theirs.save(saved)
                    assert train_sweep(pieces(), Stream(), resume=saved).step == 3
                    within.clear()
            real(path, data)

        monkeypatch.setattr(files, "_write_atomic", between)
        ours.save(saved)
        assert len(calls) == 7
        assert train_sweep(pieces(), Stream(), resume=saved).step == 2
    old = [file for file in saved.iterdir() if file.name not in sweeps._named(saved) | {"sweep.json"}]
    for file in old:
        os.utime(file, (1, 1))
    ours.save(saved)
    assert len(list(saved.iterdir())) == 7


@pytest.mark.parametrize("step", [-1, 10**400, 3.0, True, "1", None, 0, 3])
def test_a_step_that_is_not_the_runs_own_is_refused(saved, step):
    manifest = json.loads((saved / "sweep.json").read_text())
    assert manifest["step"] == 1
    (saved / "sweep.json").write_text(json.dumps(manifest | {"step": step}))
    if step == 0:  # an interrupt may have come after the runs' step
        assert train_sweep(pieces(), Stream(), resume=saved).step == 0
        return
    with pytest.raises(LoadError) as error:
        train_sweep(pieces(), Stream(), resume=saved)
    assert len(str(error.value)) < 400


TOGETHER = """
import sys
from pathlib import Path
import torch
import saewidgets as sw
from saewidgets.training import TrainConfig, train
from saewidgets.training.sweep import train_sweep
root, k = Path(sys.argv[1]), int(sys.argv[2])
batches = [torch.randn(16, 6, generator=torch.Generator().manual_seed(i)) for i in range(30)]
sweep = train_sweep({"only": (sw.SAE(sw.SAEConfig(6, 12, "topk", k=2)), TrainConfig(steps=30))}, batches)
run = train(sw.SAE(sw.SAEConfig(6, 12, "topk", k=k)), batches, TrainConfig(steps=30))
(root / str(k)).touch()
while not all((root / str(i)).exists() for i in (2, 3)):  # both begin at once
    pass
for _ in zip(sweep, run):
    sweep.save(root / "sweep")
    run.save(root / "checkpoints")
"""


def test_two_processes_at_once(tmp_path):
    """One folder for the sweeps of both, one for the checkpoints of both: neither fails, and all of it goes on."""
    (tmp_path / "checkpoints").mkdir()
    root = Path(__file__).parents[2]
    both = [
        subprocess.Popen(
            [sys.executable, "-c", TOGETHER, str(tmp_path), k],
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        for k in ("2", "3")
    ]
    assert [(process.wait(300), process.stderr.read()) for process in both] == [(0, b""), (0, b"")]
    batches = [torch.randn(16, 6, generator=torch.Generator().manual_seed(i)) for i in range(30)]
    runs = {"only": (sw.SAE(sw.SAEConfig(6, 12, "topk", k=2)), TrainConfig(steps=30))}
    assert train_sweep(runs, batches, resume=tmp_path / "sweep").step == 30
    for k in (2, 3):
        sae = sw.SAE(sw.SAEConfig(6, 12, "topk", k=k))
        assert train(sae, batches, TrainConfig(steps=30), resume=tmp_path / "checkpoints").step == 30
    assert len(list((tmp_path / "checkpoints").iterdir())) == 4


def test_a_grid_names_its_runs_and_fits_a_matryoshka_to_each_size():
    grid = sweep_grid(D, (8, 16), (1, 2), TrainConfig(steps=1, prefixes=(4, 8, 12)))
    assert list(grid) == ["topk 8, k = 1", "topk 8, k = 2", "topk 16, k = 1", "topk 16, k = 2"]
    assert [config.prefixes for _, config in grid.values()] == [(4, 8)] * 2 + [(4, 8, 12, 16)] * 2
    assert [(sae.config.d_sae, sae.config.k) for sae, _ in grid.values()] == [(8, 1), (8, 2), (16, 1), (16, 2)]
    rates = sweep_grid(D, (8,), (1, 2), TrainConfig(steps=1, lr=0.5), rates=(1e-3, 4e-3))
    assert [(name, config.lr) for name, (_, config) in rates.items()] == [
        (f"topk 8, k = {k}, lr = {lr:g}", lr) for k in (1, 2) for lr in (1e-3, 4e-3)
    ]
    relu = sweep_grid(D, (8,), (0.5, 1.0), TrainConfig(steps=1), architecture="relu")
    assert [sae.config.l1_coefficient for sae, _ in relu.values()] == [0.5, 1.0]


def test_what_cannot_be_a_sweep_is_refused():
    with pytest.raises(ValueError, match="at least one run"):
        train_sweep({}, Stream())
    sae = sw.SAE(sw.SAEConfig(D, 8))
    with pytest.raises(ValueError, match="same SAE object"):
        train_sweep({"a": (sae, TrainConfig(steps=1)), "b": (sae, TrainConfig(steps=1))}, Stream())


def test_a_sweep_is_a_table():
    sweep = train_sweep(pieces(5), Stream())
    list(sweep)
    table = sweep.to_dataframe()
    assert len(table) == 25 and table.groupby("run")["step"].max().eq(5).all()
    assert table[table.run == "topk 16, k = 2"][["d_in", "d_sae", "k"]].iloc[0].tolist() == [D, 16, 2]
    assert table[table.run == "relu"]["k"].isna().all()


def test_progress_says_loss_fvu_and_l0_and_changes_nothing():
    shown = io.StringIO()
    sae, config = pieces()["topk 16, k = 2"]
    steps = list(sw.progress(train(sae, Stream(), config), file=shown, mininterval=0))
    assert len(steps) == 12 and steps == list(train(*_again("topk 16, k = 2")))
    text = shown.getvalue()
    assert "12/12" in text and f"loss={steps[-1].loss:.4g}" in text and "L0=2" in text and "FVU=" in text
    shown = io.StringIO()
    assert len(list(sw.progress(train_sweep(pieces(3), Stream()), file=shown))) == 3
    assert "3/3" in shown.getvalue() and "relu=" in shown.getvalue()


def _again(name):
    sae, config = pieces()[name]
    return sae, Stream(), config
