"""What goes wrong in a training, for every objective: the weights stay those of a whole step, and the run goes on.

Interrupts are raised at lines of the training code, one line at a time, by a trace function: what a Ctrl-C does,
wherever it falls. Out-of-memory errors and disk errors are raised in place of the real call.
"""

from __future__ import annotations

import errno
import itertools
import math
import os
import random
import signal
import sys
import threading
from pathlib import Path

import pytest
import torch

import saewidgets.files.writing
import saewidgets.training
from saewidgets.files import LoadError
from saewidgets.sae import SAE, SAEConfig
from saewidgets.training import OBJECTIVES, TrainConfig, train

UNIT = {"architecture": "relu", "apply_b_dec_to_input": True}
KINDS = {
    "relu": ({"architecture": "relu"}, {"resample_at": (2, 3), "dead_window": 17}),
    "relu_unit_norm": (UNIT, {}),
    "relu_p_annealing": (UNIT, {"p_hold": 0.0}),
    "topk": ({"architecture": "topk", "k": 3}, {"dead_window": 20}),
    "batchtopk": ({"architecture": "batchtopk", "k": 3}, {"dead_window": 20}),
    "jumprelu": ({"architecture": "jumprelu"}, {"bandwidth": 0.2}),
    "jumprelu_tanh": ({"architecture": "jumprelu"}, {}),
    "gated": ({"architecture": "gated"}, {"resample_at": (2,), "dead_window": 17}),
}
CODE = str(Path(saewidgets.training.__file__).parent)


def test_every_objective_is_tried():
    assert set(KINDS) == set(OBJECTIVES)


def noise(n, rows=16, d=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [2 * torch.randn(rows, d, generator=generator) + 1 for _ in range(n)]


def begin(kind, batches, steps=4, **settings):
    fields, more = KINDS[kind]
    config = TrainConfig(steps=steps, lr=5e-3, **({"objective": kind} | more | settings))
    return train(SAE(SAEConfig(6, 24, seed=3, **fields)), batches, config)


def state(run):
    return {name: tensor.clone() for name, tensor in run.tensors.items()} | {"step": torch.tensor(run.step)}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# -- interrupts ------------------------------------------------------------------------------------------------------


class InterruptAt:
    """Raises KeyboardInterrupt before the n-th line that runs in the training code; counts the lines."""

    def __init__(self, n):
        self.n, self.lines = n, 0

    def __call__(self, frame, event, _arg):
        if not frame.f_code.co_filename.startswith(CODE):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self.n:
                raise KeyboardInterrupt
        return self

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self)
        return self

    def __exit__(self, *_):
        sys.settrace(self.before)


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupt_at_any_line_leaves_a_whole_step_and_costs_no_batch(kind):
    """At every third line of the second step, which resamples where the objective does: at 30 points and more."""
    batches = noise(4)
    straight = begin(kind, batches)
    states = [state(straight)]
    for _ in straight:
        states.append(state(straight))
    run = begin(kind, batches)
    next(run)
    with InterruptAt(-1) as count:
        next(run)
    points = range(1, count.lines + 1, 3)
    assert len(points) > 30
    for point in points:
        run = begin(kind, batches)
        next(run)
        with pytest.raises(KeyboardInterrupt), InterruptAt(point):
            next(run)
        assert same(state(run), states[run.step]), point
        assert run.step == len(run.history)
        assert all(weight.grad is None for weight in run.sae.parameters())
        list(run)  # it can be taken up again, and ends where it would have
        assert same(state(run), states[4]), point


def test_an_interrupt_of_the_first_step_leaves_the_fresh_weights():
    for kind in KINDS:
        run = begin(kind, noise(4))
        fresh = state(run)
        with pytest.raises(KeyboardInterrupt), InterruptAt(60):
            next(run)
        assert same(state(run), fresh)


def test_a_second_interrupt_while_the_first_is_handled_does_no_harm(tmp_path):
    batches = noise(4)
    straight = begin("topk", batches)
    states = [state(straight)]
    for _ in straight:
        states.append(state(straight))
    run, hit = begin("topk", batches), 0
    next(run)
    with InterruptAt(-1) as count:
        next(run)
    for point in range(5, count.lines, 5):
        run = begin("topk", batches)
        next(run)
        undo, cut = run._undo, []

        def again(undo=undo, cut=cut):
            if not cut:
                cut.append(1)
                raise KeyboardInterrupt
            undo()

        run._undo = again
        with pytest.raises(KeyboardInterrupt), InterruptAt(point):
            next(run)
        hit += run._torn
        run.save(tmp_path / "checkpoint")  # mends what was left torn
        assert same(state(run), states[run.step])
        list(run)
        assert same(state(run), states[4])
    assert hit > 3


def test_real_interrupts_leave_whole_steps_and_the_handler_as_it_was():
    """SIGINT from another thread, as a kernel sends it, at moments that nobody chooses."""
    batches, handler, rng = noise(8), signal.getsignal(signal.SIGINT), random.Random(0)

    def endless():
        return begin("batchtopk", Repeated(batches), steps=100_000)

    class Repeated:
        def __init__(self, own):
            self.own = own

        def batches(self, start=0):
            for i in itertools.count(start):
                yield self.own[i % len(self.own)]

    run, straight = endless(), endless()
    for _ in range(10):
        with pytest.raises(KeyboardInterrupt):
            threading.Timer(rng.uniform(0.01, 0.04), os.kill, (os.getpid(), signal.SIGINT)).start()
            while True:
                next(run)
        while straight.step < run.step:
            next(straight)
        assert same(state(run), state(straight))
    assert signal.getsignal(signal.SIGINT) is handler
    assert torch.is_grad_enabled()


def test_an_interrupted_stream_is_entered_anew():
    """A generator that an interrupt went through is over; the batches are asked for again from the right place."""

    class Stream:
        cut = True

        def batches(self, start=0):
            for i, batch in enumerate(noise(4)):
                if i >= start:
                    if i == 2 and self.cut:
                        Stream.cut = False
                        raise KeyboardInterrupt
                    yield batch

    straight = begin("topk", noise(4))
    list(straight)
    run = begin("topk", Stream())
    next(run), next(run)
    with pytest.raises(KeyboardInterrupt):
        next(run)
    assert run.step == 2
    list(run)
    assert same(state(run), state(straight))


# -- values that are not finite --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30])
@pytest.mark.parametrize("at", [0, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_bad_values_in_a_batch_stop_before_anything_moves(kind, at, value, tmp_path):
    batches = noise(4)
    batches[at][5, 2] = value
    run = begin(kind, batches)
    for _ in range(at):
        next(run)
    before = state(run)
    with pytest.raises(FloatingPointError, match=f"step {at + 1}.*weights are still those of step {at}"):
        next(run)
    assert same(state(run), before)
    run.save(tmp_path / "checkpoint")


@pytest.mark.parametrize("kind", KINDS)
def test_a_gradient_that_is_not_finite_stops_before_anything_moves(kind):
    run = begin(kind, noise(4))
    next(run)
    before, project = state(run), run.objective.project

    def spoil():
        project()
        run.sae.W_dec.grad[3, 1] = math.nan

    run.objective.project = spoil
    with pytest.raises(FloatingPointError, match="gradient's norm is nan"):
        next(run)
    assert same(state(run), before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_that_an_update_makes_infinite_is_taken_back(kind):
    run = begin(kind, noise(4))
    next(run)
    before, after_step = state(run), run.objective.after_step

    def spoil(step):
        after_step(step)
        with torch.no_grad():
            run.sae.W_enc[0, 0] = math.inf

    run.objective.after_step = spoil
    with pytest.raises(FloatingPointError, match="weights' sum after it is inf"):
        next(run)
    assert same(state(run), before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_huge_learning_rate_never_saves_what_is_not_finite(kind, tmp_path):
    run = begin(kind, noise(30), steps=30)
    object.__setattr__(run.config, "lr", 1e30)
    with pytest.raises(FloatingPointError):
        list(run)
    assert all(p.isfinite().all() for p in run.sae.parameters())
    run.save(tmp_path / "checkpoint")
    run.sae.save(tmp_path / "sae")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [torch.ones(8, 6), torch.zeros(8, 6), torch.ones(1, 6), 1e-38 * torch.ones(4, 6)])
def test_degenerate_batches_do_not_crash(kind, batch):
    """Without variance there is no FVU: nan, and the training goes on."""
    steps = list(begin(kind, [batch] * 4))
    assert len(steps) == 4
    assert all(math.isfinite(s.loss) and (math.isnan(s.fvu) or len(batch) > 1) for s in steps)


# -- memory ----------------------------------------------------------------------------------------------------------


def short_of_memory(run, most):
    """Gradients of more than `most` rows at a time raise OutOfMemoryError; returns the sizes that were tried."""
    real, tried = run.objective.gradients, []

    def gradients(x, y, **more):
        tried.append(len(x))
        if len(x) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return real(x, y, **more)

    run.objective.gradients = gradients
    return tried


@pytest.mark.parametrize("kind", KINDS)
def test_out_of_memory_halves_the_parts_and_the_step_is_the_same(kind):
    batches = noise(4, rows=17)
    straight, run = begin(kind, batches), begin(kind, batches)
    tried = short_of_memory(run, 5)
    for a, b in zip(straight, run, strict=True):
        assert a.loss == pytest.approx(b.loss, rel=2e-3)
        assert a.l0 == pytest.approx(b.l0, rel=0.02)
        assert a.parts.keys() == b.parts.keys()
    assert tried == [17, 9] + [5, 5, 5, 2] * 4
    assert run.micro_batch == 5


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_in_parts_is_that_of_the_whole_batch(kind):
    whole, parts = begin(kind, noise(1, rows=17)), begin(kind, noise(1, rows=17), micro_batch=4)
    for run in (whole, parts):
        x = noise(1, rows=17, seed=9)[0]
        run.found = run._gradients(x, x)
    assert float(whole.found.loss) == pytest.approx(float(parts.found.loss), rel=1e-5)
    assert whole.found.fired.tolist() == parts.found.fired.tolist()
    for p, q in zip(whole.sae.parameters(), parts.sae.parameters(), strict=True):
        assert torch.allclose(p.grad, q.grad, rtol=1e-4, atol=1e-5 * float(p.grad.abs().max()) + 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_where_not_one_row_fits_it_stops_with_sizes(kind):
    run = begin(kind, noise(4))
    before = state(run)
    tried = short_of_memory(run, 0)
    with pytest.raises(MemoryError, match=r"no memory for one row of the batch: the weights take 0\.0 MB on cpu"):
        next(run)
    assert tried == [16, 8, 4, 2, 1]
    assert same(state(run), before)


def test_no_memory_for_the_optimizer_stops_with_sizes_and_a_whole_step():
    run = begin("topk", noise(4))
    next(run)
    before = state(run)
    step = run._adam.step

    def fail():
        step()
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    run._adam.step = fail
    with pytest.raises(MemoryError, match="no memory for the optimizer's step"):
        next(run)
    assert same(state(run), before)
    run._adam.step = step
    assert len(list(run)) == 3


def test_other_errors_are_not_taken_for_memory():
    run = begin("topk", noise(4))
    run.objective.gradients = lambda *_, **__: (_ for _ in ()).throw(RuntimeError("sizes differ"))
    with pytest.raises(RuntimeError, match="sizes differ"):
        next(run)


def test_the_parts_that_memory_forced_are_remembered(tmp_path):
    """Sums in other parts round otherwise, so a run that goes on must keep to them."""
    batches = noise(4, rows=17)
    run = begin("relu", batches)
    short_of_memory(run, 5)
    next(run)
    run.save(tmp_path / "checkpoint")
    list(run)
    fields, more = KINDS["relu"]
    config = TrainConfig(steps=4, lr=5e-3, objective="relu", **more)
    again = train(SAE(SAEConfig(6, 24, seed=3, **fields)), batches, config, resume=tmp_path / "checkpoint")
    list(again)
    assert again.micro_batch == 5
    assert same(state(again), state(run))


# -- the disk --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_disk_that_refuses_leaves_the_old_checkpoint_and_the_run(call, code, tmp_path, monkeypatch):
    batches, path = noise(4), tmp_path / "checkpoint"
    straight = begin("batchtopk", batches)
    list(straight)
    run = begin("batchtopk", batches)
    next(run)
    run.save(path)
    old = path.read_bytes()
    next(run)

    def refuse(*_args, **_more):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        if call == "open":
            patch.setattr(saewidgets.files.writing, "open", refuse, raising=False)
        else:
            patch.setattr(os, call, refuse)
        with pytest.raises(OSError, match=os.strerror(code)):
            run.save(path)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint"]
    list(run)
    assert same(state(run), state(straight))
    run.save(path)  # once there is room again
    assert path.read_bytes() != old


def test_an_interrupted_save_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    run, path = begin("topk", noise(4)), tmp_path / "checkpoint"
    next(run)
    run.save(path)
    old = path.read_bytes()
    next(run)
    with monkeypatch.context() as patch:

        def interrupt(_fd):
            raise KeyboardInterrupt

        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run.save(path)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint"]


def test_a_checkpoint_of_another_objective_is_refused(tmp_path):
    run = begin("jumprelu", noise(2))
    run.save(tmp_path / "checkpoint")
    config = TrainConfig(steps=4, lr=5e-3, objective="jumprelu_tanh", bandwidth=0.2)
    with pytest.raises(LoadError, match="another SAEConfig or TrainConfig"):
        train(run.sae, noise(2), config, resume=tmp_path / "checkpoint")
