"""What a training on many ranks costs, predicted: seconds, memory and bytes moved, from what one rank takes.

    python benchmarks/scale.py --measure          rates of this machine, from steps of one rank and from all_reduce
    python benchmarks/scale.py --check            the same, then 1 and 2 real ranks (gloo) beside the prediction
    python benchmarks/scale.py --table [--out docs/scale_predicted.md]      the table for 8 and 80 GPUs

Every rank holds the whole SAE and reads rows of its own; gradients are summed by one all_reduce per step, which is all
that is moved. A step's seconds are a sum of four parts, each an amount (counted here, by hand in the test) over a rate:

    encoder     2 rows d_in d_sae FLOP                          over the product's FLOP/s
    sparse      4 rows k d_in numbers gathered                  over numbers/s (decode, slopes, both weights' gradients)
    weights     `WEIGHT_BYTES` for each parameter and `CELL_BYTES` for each pre-activation   over the memory's bytes/s
    moved       2 (W - 1) / W gradients of W ranks, 2 (W - 1) messages     over the link

Rates of this machine are measured; those of a GPU are its data sheet's, times the share of it that such work usually
gets, until `benchmarks/gpu.py` has measured them: give them as `--rates encoder=...,sparse=...,memory=...,fixed=...`.
Parts are added, as nothing overlaps here. `--clock cpu` measures processor time of all of a rank's threads in place of the
clock's: on a machine that others keep busy it leaves out waiting, for a core and for the other rank alike.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Bytes of float32 that a step reads or writes for each parameter: the gradient written (4); the part along W_dec's rows
# taken off (half of the parameters: 8 + 12); the norm (4) and the clipping (8); the copies by which a step that fails
# is undone, of weights and both moments (3 x 8); Adam, which reads weight, gradient and moments and writes all but the
# gradient (16 + 12); rows of norm 1 (half: 4 + 8); the look whether the weights are finite (4).
ADAM_BYTES = 16 + 12
WEIGHT_BYTES = 4 + (8 + 12) // 2 + 4 + 8 + 3 * 8 + ADAM_BYTES + (4 + 8) // 2 + 4
HELD_BYTES = 4 * (1 + 1 + 2 + 3)  # of each parameter: weight, gradient, Adam's moments, copies of all but the gradient
CELL_BYTES = 4 * 3  # of each pre-activation: the product writes it, the selection reads it twice
PIECE = 1 << 26  # pre-activations that are held at a time


@dataclass(frozen=True)
class Job:
    """A TopK training on `ranks` ranks, each with `rows` rows per step."""

    d_in: int
    d_sae: int
    k: int
    rows: int
    ranks: int = 1
    tokens: int = 1_000_000_000  # of the whole training

    @property
    def parameters(self) -> int:
        """Numbers that are learned: W_enc, W_dec, b_enc, b_dec."""
        return 2 * self.d_in * self.d_sae + self.d_sae + self.d_in

    @property
    def encoder_flop(self) -> int:
        """Of one rank's encoder product."""
        return 2 * self.rows * self.d_in * self.d_sae

    @property
    def gathered(self) -> int:
        """Numbers that one rank's four sparse products read by their index."""
        return 4 * self.rows * self.k * self.d_in

    @property
    def memory_bytes(self) -> int:
        """What one rank reads and writes in the order of its memory."""
        return WEIGHT_BYTES * self.parameters + CELL_BYTES * self.rows * self.d_sae

    @property
    def held_bytes(self) -> int:
        """Memory of one rank: parameters, the pre-activations of a piece, and six arrays of the batch's size."""
        piece = min(self.rows * self.d_sae, max(PIECE, self.d_sae))
        return HELD_BYTES * self.parameters + 4 * piece + 6 * 4 * self.rows * self.d_in

    @property
    def moved_bytes(self) -> int:
        """What one rank sends per step, and receives: a ring's all_reduce of the gradient."""
        return round(2 * (self.ranks - 1) / self.ranks * 4 * self.parameters)

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole training."""
        return -(-self.tokens // (self.rows * self.ranks))


@dataclass(frozen=True)
class Rates:
    """What a machine does in a second."""

    encoder: float  # FLOP of the encoder's product
    sparse: float  # numbers gathered
    memory: float  # bytes
    link: float = float("inf")  # bytes that a rank sends, and receives at the same time
    message: float = 0.0  # seconds that a message takes whatever its size
    fixed: float = 0.0  # seconds of a step that do not grow: launches, waits, Python


@dataclass(frozen=True)
class Prediction:
    """Seconds of one step, by part."""

    encoder: float
    sparse: float
    weights: float
    moved: float
    fixed: float

    @property
    def seconds(self) -> float:
        """Of the whole step."""
        return self.encoder + self.sparse + self.weights + self.moved + self.fixed


def predict(job: Job, rates: Rates) -> Prediction:
    """One step of every rank, all at the same time."""
    return Prediction(
        job.encoder_flop / rates.encoder,
        job.gathered / rates.sparse,
        job.memory_bytes / rates.memory,
        job.moved_bytes / rates.link + 2 * (job.ranks - 1) * rates.message,
        rates.fixed,
    )


# -- what is measured --------------------------------------------------------------------------------------------------

SHAPES = (  # d_in, d_sae, k, rows: each part is the largest somewhere
    (64, 1024, 8, 512), (64, 1024, 64, 512), (64, 1024, 8, 4096), (256, 4096, 8, 64), (256, 2048, 16, 1024),
    (128, 4096, 32, 1024),
)  # fmt: skip
TINY = ((16, 64, 4, 32), (16, 64, 16, 32), (16, 256, 4, 128), (32, 256, 4, 16), (32, 128, 8, 64))


def run_of(job: Job, device: str = "cpu") -> Any:
    """A training that never ends, on random rows."""
    import torch

    import saewidgets as sw

    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(job.rows, job.d_in, generator=generator).to(device) for _ in range(4)]
    sae = sw.SAE(sw.SAEConfig(job.d_in, job.d_sae, architecture="topk", k=job.k)).to(device)
    forever = (batches[i % 4] for i in iter(int, 1) for i in range(4))
    return sw.train(sae, forever, sw.TrainConfig(steps=10**9))


def now() -> float:
    """Seconds of the clock, or of this process's threads where `SCALE_CLOCK` says cpu."""
    return time.process_time() if os.environ.get("SCALE_CLOCK") == "cpu" else time.perf_counter()


def seconds_of(run: Any, rounds: int) -> float:
    """The least of single steps: what other programs take is not in it, as far as may be."""
    next(run)
    next(run)
    taken = []
    for _ in range(rounds):
        begun = now()
        next(run)
        taken.append(now() - begun)
    return min(taken)


def fitted(jobs: Sequence[Job], seconds: Sequence[float]) -> Rates:
    """The rates under which the prediction is nearest to what was measured, as shares of it; none is negative."""
    import numpy as np
    from scipy.optimize import nnls

    amounts = np.array([[j.encoder_flop, j.gathered, j.memory_bytes, 1.0] for j in jobs], float)
    scale = amounts.max(0)
    each, _ = nnls(amounts / scale / np.asarray(seconds)[:, None], np.ones(len(jobs)))
    per = [float(share / s) for share, s in zip(each, scale, strict=True)]  # seconds for one of each
    return Rates(*(1 / max(p, 1e-15) for p in per[:3]), fixed=per[3])


def measured(shapes: Sequence[tuple[int, int, int, int]], rounds: int, device: str = "cpu") -> Rates:
    """Rates of one rank on this machine."""
    jobs = [Job(*shape) for shape in shapes]
    seconds = [seconds_of(run_of(job, device), rounds) for job in jobs]
    rates = fitted(jobs, seconds)
    for job, taken in zip(jobs, seconds, strict=True):
        name = f"{job.d_in}/{job.d_sae}/{job.rows}, k = {job.k}"
        print(f"  {name:28} {1e3 * taken:8.2f} ms, predicted {1e3 * predict(job, rates).seconds:8.2f} ms")
    return rates


# -- two ranks ---------------------------------------------------------------------------------------------------------


def as_rank(rank: int, ranks: int, folder: str, shapes: Sequence[tuple[int, int, int, int]], rounds: int) -> None:
    """In a process of its own: times all_reduce at two sizes, then steps whose gradients are summed over the ranks."""
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=ranks)
    found: dict[str, Any] = {"reduce": [], "steps": []}
    for numbers in (1 << 10, 1 << 20):
        flat = torch.ones(numbers)
        taken = []
        for _ in range(rounds + 1):
            dist.barrier()
            begun = now()
            dist.all_reduce(flat)
            taken.append(now() - begun)
        found["reduce"].append((4 * numbers, min(taken[1:])))
    for shape in shapes:
        run = run_of(Job(*shape))
        sum_over_ranks(run, ranks)
        found["steps"].append(seconds_of(run, rounds))
    if rank == 0:
        torch.save(found, f"{folder}/found")
    dist.barrier()
    dist.destroy_process_group()


def sum_over_ranks(run: Any, ranks: int) -> None:
    """Make the gradients of a run the mean over the ranks, by one all_reduce."""
    import torch
    import torch.distributed as dist

    own = run._gradients

    def gradients(x: Any, y: Any) -> Any:
        found = own(x, y)
        grads = [weight.grad for weight in run.objective.weights.values()]
        flat = torch.cat([grad.flatten() for grad in grads])
        dist.all_reduce(flat)
        for grad, part in zip(grads, flat.div_(ranks).split([g.numel() for g in grads]), strict=True):
            grad.copy_(part.view_as(grad))
        return found

    run._gradients = gradients


def on_ranks(ranks: int, shapes: Sequence[tuple[int, int, int, int]], rounds: int) -> dict[str, Any]:
    """What rank 0 of so many found; every one in a process of its own."""
    import torch
    import torch.multiprocessing as mp

    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(as_rank, (ranks, folder, list(shapes), rounds), nprocs=ranks)
        found: dict[str, Any] = torch.load(f"{folder}/found", weights_only=True)
    return found


def link_of(reduced: Sequence[tuple[int, float]], ranks: int) -> tuple[float, float]:
    """(bytes/s, seconds per message) from two sizes of all_reduce."""
    (few, short), (many, long) = reduced
    share = 2 * (ranks - 1) / ranks
    rate = share * (many - few) / max(long - short, 1e-9)
    return rate, max(0.0, short - share * few / rate) / (2 * (ranks - 1))


def check(shapes: Sequence[tuple[int, int, int, int]], rounds: int) -> list[tuple[Job, float, float]]:
    """(job, seconds measured, seconds predicted) of 1 and 2 real ranks, from rates of one."""
    import torch

    torch.set_num_threads(1)  # as each rank has
    print("one rank, here:")
    rates = measured(shapes, rounds)
    own = [shape for shape in shapes if shape[3] >= 32][-3:]
    found = on_ranks(2, own, rounds)
    link, message = link_of(found["reduce"], 2)
    rates = replace(rates, link=link, message=message)
    print(f"all_reduce of 2 ranks: {link / 1e9:.2f} GB/s, {1e6 * message:.0f} us for a message; {rates}")
    rows = []
    for shape, seconds in zip(own, found["steps"], strict=True):
        job = Job(*shape, ranks=2)
        rows.append((job, seconds, predict(job, rates).seconds))
        print(
            f"  2 ranks, {job.d_in}/{job.d_sae}/{job.rows} each: {1e3 * seconds:.2f} ms, predicted {1e3 * rows[-1][2]:.2f} ms"
        )
    return rows


# -- the table ---------------------------------------------------------------------------------------------------------

# Data sheets, dense: H100 SXM 989 TFLOP/s bf16, 3.35 TB/s; NVLink 450 GB/s each way; one 400 Gb/s port per GPU between
# machines. Shares of them that such work usually gets: products .6, memory .8, links .8. Gathers come from memory and
# cache, 4 bytes each at the memory's rate.
H100 = Rates(encoder=0.6 * 989e12, sparse=0.8 * 3.35e12 / 4, memory=0.8 * 3.35e12, fixed=3e-4)
NVLINK, NETWORK = (0.8 * 450e9, 5e-6), (0.8 * 50e9, 1e-5)  # bytes/s, seconds per message
CASES = ((768, 24_576, 32), (2304, 65_536, 64), (4096, 131_072, 64))
ROWS = 4096


def table(rates: Rates) -> str:
    """Markdown, for `docs/scale_predicted.md`."""
    head = "| d_in / d_sae / k | GPUs | step, ms | of it all_reduce | tokens/s | memory of a GPU, GB | moved by a GPU per step, GB | 1 B tokens, hours |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for d_in, d_sae, k in CASES:
        for ranks in (1, 8, 80):
            link, message = NVLINK if ranks <= 8 else NETWORK
            job = Job(d_in, d_sae, k, ROWS, ranks)
            one = predict(job, replace(rates, link=link, message=message))
            speed, hours = ranks * ROWS / one.seconds, job.steps * one.seconds / 3600
            cells = [
                f"{d_in:,} / {d_sae:,} / {k}", f"{ranks}", f"{1e3 * one.seconds:.1f}", f"{one.moved / one.seconds:.0%}",
                f"{float(f'{speed:.3g}'):,.0f}", f"{job.held_bytes / 1e9:.1f}", f"{job.moved_bytes / 1e9:.2f}", f"{hours:.2f}",
            ]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def rates_from(text: str) -> Rates:
    """`H100` with what "encoder=1e15,fixed=2e-4" changes of it."""
    given = dict(part.split("=", 1) for part in text.split(",")) if text else {}
    return replace(H100, **{name: float(value) for name, value in given.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--rates", default="", help="of the GPU in the table, in place of an H100's")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--tiny", action="store_true", help="small shapes, to see that it runs")
    parser.add_argument("--out", type=Path, help="a file whose part after its line of dashes becomes the table")
    given = parser.parse_args()
    os.environ["SCALE_CLOCK"] = given.clock  # the ranks are processes of their own
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    shapes = TINY if given.tiny else SHAPES
    if given.check:
        check(shapes, given.rounds)
    elif given.measure:
        print(measured(shapes, given.rounds))
    if given.table or not (given.check or given.measure):
        made = table(rates_from(given.rates))
        if given.out is None:
            print(made)
        else:
            text = given.out.read_text(encoding="utf-8")
            first, last = text.index("| d_in / d_sae / k |"), text.rindex("|\n") + 2
            given.out.write_text(text[:first] + made + "\n" + text[last:], encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
