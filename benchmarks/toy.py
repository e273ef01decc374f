"""How fast toy models train: against the loop that published notebooks use (einsum, autograd, AdamW), written afresh
here.

python benchmarks/toy.py [--rounds 7] [--threads 1] [--seconds 0.3] [--clock cpu] [--device cuda] [--no-phase]

Each round runs the three ways one after the other; a ratio is the median over rounds of the paired ratios, so that a
busy machine disturbs both sides. Microseconds are the fastest round's. Batch 1024, density 0.1, float32. Nothing is
counted of what a notebook does beside its steps (progress bars, learning rate schedules), and of ours, nothing of the
expected losses.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--rounds", type=int, default=7)
arguments.add_argument("--threads", type=int, default=1)
arguments.add_argument("--seconds", type=float, default=0.3, help="of each way, in each round")
arguments.add_argument("--device", default="cpu", help="of the torch ways")
arguments.add_argument(
    "--clock", choices=("wall", "cpu"), default="wall", help="cpu: where other programs are busy too"
)
arguments.add_argument("--no-phase", action="store_true", help="leave out the phase diagram of 1,000 models")
options = arguments.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)

import torch  # noqa: E402

import saewidgets as sw  # noqa: E402
from saewidgets.kernels.toy import ToyState  # noqa: E402
from saewidgets.kernels.toy_torch import TorchToy  # noqa: E402
from saewidgets.toy.training import spec_of  # noqa: E402

SHAPES = ((1, 5, 2), (8, 5, 2), (64, 5, 2), (10, 20, 5), (7, 80, 20), (1000, 2, 1), (2500, 5, 2), (1, 400, 30))
BATCH, DENSITY = 1024, 0.1
Way = Callable[[int], object]  # does so many steps


def published(instances: int, n: int, m: int) -> Way:
    """The usual loop: two uniform draws an input, two einsums, mean squared error, autograd, AdamW."""
    device = options.device
    W = torch.nn.Parameter(torch.nn.init.xavier_normal_(torch.empty(instances, n, m, device=device)))
    b = torch.nn.Parameter(torch.zeros(instances, n, device=device))
    optimizer = torch.optim.AdamW([W, b], lr=1e-3)
    importance = torch.ones(n, device=device)

    def steps(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad(set_to_none=True)
            x = torch.rand(BATCH, instances, n, device=device)
            x = torch.where(
                torch.rand(BATCH, instances, n, device=device) <= DENSITY, x, torch.zeros((), device=device)
            )
            hidden = torch.einsum("bif,ifh->bih", x, W)
            out = torch.relu(torch.einsum("bih,ifh->bif", hidden, W) + b)
            error = importance * (x - out) ** 2
            error.mean(dim=(0, 2)).sum().backward()
            optimizer.step()
        if device != "cpu":
            torch.cuda.synchronize()

    return steps


def closed_form(instances: int, n: int, m: int) -> Way:
    """`kernels.toy_torch`."""
    spec = spec_of(sw.ToyConfig(n, m, instances, DENSITY, batch_size=BATCH))
    return TorchToy(spec, ToyState.start(spec, m, untied=False), options.device).advance


def fused(instances: int, n: int, m: int) -> Way:
    """`kernels.toy_numba`."""
    from saewidgets.kernels.toy_numba import NumbaToy

    spec = spec_of(sw.ToyConfig(n, m, instances, DENSITY, batch_size=BATCH))
    return NumbaToy(spec, ToyState.start(spec, m, untied=False), options.threads).advance


clock = time.process_time if options.clock == "cpu" else time.perf_counter


def timed(way: Way, count: int) -> float:
    """Seconds a step."""
    start = clock()
    way(count)
    return (clock() - start) / count


def compare(shape: tuple[int, int, int]) -> None:
    ways = [make(*shape) for make in (published, closed_form, fused)]
    for way in ways:
        way(2)
    counts = [max(1, int(options.seconds / timed(way, 3))) for way in ways]
    rounds = [[timed(way, count) for way, count in zip(ways, counts, strict=True)] for _ in range(options.rounds)]
    best = [min(column) * 1e6 for column in zip(*rounds, strict=True)]
    ratios = [statistics.median(r[0] / r[i] for r in rounds) for i in (1, 2)]
    low, high = min(r[0] / r[2] for r in rounds), max(r[0] / r[2] for r in rounds)
    instances, n, m = shape
    print(
        f"| {instances:5,} x {n:3} -> {m:2} | {best[0]:9,.0f} | {best[1]:9,.0f} | {best[2]:9,.1f} | {best[0] / 100:8,.1f} s | "
        f"{best[2] / 100:7,.2f} s | {ratios[0]:5.1f} | **{ratios[1]:5.1f}** ({low:.0f} to {high:.0f}) |",
        flush=True,
    )


def phase() -> None:
    start = clock()
    diagram = sw.toy.phase_diagram(2, 1)
    spent = clock() - start
    cells = diagram.losses.shape[0] * diagram.losses.shape[1]
    print(f"\nPhase diagram 2 -> 1, {cells} cells of {diagram.n_models} models, 2,000 steps each: {spent:.1f} s")


if __name__ == "__main__":
    torch.set_num_threads(options.threads)
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; {options.threads} thread(s), torch ways on "
        f"{options.device}; Python {platform.python_version()}, torch {torch.__version__}; {options.rounds} rounds, {options.clock} time\n"
    )
    print(
        "| models | published, us/step | torch, us/step | fused, us/step | published, 10 k | fused, 10 k | x torch | x fused |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for shape in SHAPES:
        compare(shape)
    if not options.no_phase:
        phase()
