"""How fast SAEs train: one step, against SAELens, dictionary_learning and sparsify, each in a process and an
environment of its own.

    for each peer P, with its PACKAGE==VERSION:
        python -m venv peers/P
        echo /path/to/this/environment/lib/python3.11/site-packages > peers/P/lib/python3.11/site-packages/torch.pth
        peers/P/bin/pip install PACKAGE==VERSION      # sae-lens==6.54.12 | eai-sparsify==1.3.3
        peers/P/bin/pip install --no-deps dictionary-learning==0.1.0 nnsight==0.8.1 zstandard

The .pth line lends them this environment's torch, so that all multiply with the same libraries; `--no-deps` keeps pip
from bringing another one for a package that only plots.

    python benchmarks/training.py --python saelens=peers/saelens/bin/python ... [--rounds 9] [--threads 1]
        [--jobs topk,batchtopk,relu,relu1%] [--shapes 64/512/2048,128/1024/4096] [--ways ...] [--breakdown] [--harvest]

A shape is d_in/d_sae/batch; k = 32. A round runs every way once, one after the other, each some steps in its own
process; ratios are medians over rounds of paired ratios. The clock is the process's CPU time (all its threads), which
other programs disturb least; `--clock wall` where nothing else runs. Ours is the whole of `next(run)`: selection,
gradients, clipping, Adam, unit rows, firing counts, the copy by which a failed step is undone. "relu" has half its
activations on, as at the start; "relu1%" about 1 %, held there by a learning rate of nearly nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

WAYS = ("ours", "ours, MKL", "ours, no numba", "encoder product", "saelens", "dictionary_learning", "sparsify")
ENVIRONMENT = {"ours, MKL": {"SAEWIDGETS_PRODUCT": "addmm"}}
K = 32


# -- a way, in its process ---------------------------------------------------------------------------------------------


def batches(d_in: int, n: int) -> list[Any]:
    import torch

    generator = torch.Generator().manual_seed(0)
    return [torch.randn(n, d_in, generator=generator) for _ in range(4)]


def hold_density(W_enc: Any, b_enc: Any, x: Any, share: float) -> None:
    """Biases at which this share of the activations is on."""
    import torch

    with torch.no_grad():
        pre = (x[:512] @ W_enc).flatten()
        b_enc.fill_(-float(pre.topk(int(share * pre.numel())).values[-1]))


def ours(job: str, d_in: int, d_sae: int, n: int) -> Callable[[int], None]:
    import saewidgets as sw

    data = batches(d_in, n)
    architecture = "relu" if job.startswith("relu") else job
    more = {} if architecture == "relu" else {"k": K}
    sae = sw.SAE(sw.SAEConfig(d_in, d_sae, architecture, **more))
    if job == "relu1%":
        hold_density(sae.W_enc, sae.b_enc, data[0], 0.01)
    config = sw.TrainConfig(steps=10**9, lr=1e-12 if job == "relu1%" else 1e-4)
    run = sw.train(sae, (data[i % 4] for i in iter(int, 1) for i in range(4)), config)

    def steps(count: int) -> None:
        for _ in range(count):
            next(run)

    return steps


def without_numba(job: str, d_in: int, d_sae: int, n: int) -> Callable[[int], None]:
    class Blocked:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name.split(".")[0] in ("numba", "llvmlite"):
                raise ImportError(name)

    sys.meta_path.insert(0, Blocked())  # type: ignore[arg-type]
    return ours(job, d_in, d_sae, n)


def encoder_product(job: str, d_in: int, d_sae: int, n: int) -> Callable[[int], None]:
    """The roofline of a sparse step: 256 rows at a time, by the faster way."""
    import torch

    from saewidgets.kernels.product import product

    x, W, b = torch.randn(n, d_in), torch.randn(d_in, d_sae), torch.randn(d_sae)
    rows = min(n, max(256, (1 << 18) // d_sae))
    out = torch.empty(rows, d_sae)

    def steps(count: int) -> None:
        for _ in range(count):
            for first in range(0, n, rows):
                product(x[first : first + rows], W, b, out=out)

    return steps


def saelens(job: str, d_in: int, d_sae: int, n: int) -> Callable[[int], None]:
    import sae_lens
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    names = {"topk": "TopK", "batchtopk": "BatchTopK"}
    name = names.get(job, "Standard")
    more = {"l1_coefficient": 1.0} if name == "Standard" else {"k": K}
    kind = getattr(sae_lens, f"{name}TrainingSAE")
    config = getattr(sae_lens, f"{name}TrainingSAEConfig")(
        d_in=d_in, d_sae=d_sae, dtype="float32", device="cpu", **more
    )
    data = batches(d_in, n)
    sae = kind(config)
    if job == "relu1%":
        hold_density(sae.W_enc, sae.b_enc, data[0], 0.01)
    trainer = SAETrainer(
        cfg=SAETrainerConfig(
            total_training_samples=n * 10**6,
            train_batch_size_samples=n,
            lr=1e-12 if job == "relu1%" else 1e-4,
            lr_end=1e-12,
        ),
        sae=sae,
        data_provider=iter(()),
    )

    def steps(count: int) -> None:
        for i in range(count):
            trainer._train_step(sae=sae, sae_in=data[i % 4])
            trainer.n_training_steps += 1

    return steps


def dictionary_learning(job: str, d_in: int, d_sae: int, n: int) -> Callable[[int], None]:
    from dictionary_learning.trainers.batch_top_k import BatchTopKTrainer
    from dictionary_learning.trainers.standard import StandardTrainerAprilUpdate
    from dictionary_learning.trainers.top_k import TopKTrainer

    same = {"steps": 10**6, "activation_dim": d_in, "dict_size": d_sae, "layer": 0, "lm_name": "", "device": "cpu"}
    data = batches(d_in, n)
    if job == "topk":
        trainer = TopKTrainer(k=K, lr=1e-4, **same)
    elif job == "batchtopk":
        trainer = BatchTopKTrainer(k=K, lr=1e-4, **same)
    else:
        trainer = StandardTrainerAprilUpdate(lr=1e-12 if job == "relu1%" else 1e-4, **same)
        if job == "relu1%":
            hold_density(trainer.ae.encoder.weight.T, trainer.ae.encoder.bias, data[0], 0.01)
    done = [1]  # step 0 looks for a geometric median

    def steps(count: int) -> None:
        for i in range(count):
            trainer.update(done[0], data[i % 4])
            done[0] += 1

    return steps


def sparsify(job: str, d_in: int, d_sae: int, n: int) -> Callable[[int], None]:
    import torch
    from sparsify import SparseCoder, SparseCoderConfig

    if job != "topk":
        raise SystemExit("sparsify has no such architecture")
    sae = SparseCoder(d_in, SparseCoderConfig(num_latents=d_sae, k=K), device="cpu")
    optimizer = torch.optim.Adam(sae.parameters(), lr=1e-4)
    data = batches(d_in, n)
    since = torch.zeros(d_sae, dtype=torch.long)

    def steps(count: int) -> None:  # what its trainer does for one hook point
        for i in range(count):
            sae.set_decoder_norm_to_unit_norm()
            out = sae(data[i % 4], dead_mask=None)
            (out.fvu + out.auxk_loss / 32).backward()
            sae.remove_gradient_parallel_to_decoder_directions()
            optimizer.step()
            optimizer.zero_grad()
            since.add_(n)
            since[out.latent_indices.flatten()] = 0

    return steps


def harvest_model() -> tuple[Any, Any]:
    import torch
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    config = HookedTransformerConfig(
        n_layers=4, d_model=128, n_heads=4, d_head=32, d_mlp=512, n_ctx=128, d_vocab=4096, act_fn="gelu_new", seed=0
    )
    model = HookedTransformer(config).eval().requires_grad_(False)
    return model, torch.randint(0, 4096, (32, 128), generator=torch.Generator().manual_seed(0))


def harvest_ours(job: str, *_: int) -> Callable[[int], None]:
    import numpy as np

    from saewidgets.activations import harvest
    from saewidgets.models import Model

    hooked, ids = harvest_model()
    model, rows = Model.wrap(hooked), ids.numpy().astype(np.int32)
    wanted = np.ones(rows.shape, bool)

    def steps(count: int) -> None:
        for _ in range(count):
            for _ in harvest(model, "blocks.2.hook_resid_post", rows, wanted):
                pass

    return steps


def harvest_saelens(job: str, *_: int) -> Callable[[int], None]:
    """Its ActivationsStore's pattern."""
    import torch

    model, ids = harvest_model()
    name = "blocks.2.hook_resid_post"

    @torch.no_grad()
    def steps(count: int) -> None:
        for _ in range(count):
            model.run_with_cache(ids, names_filter=[name], stop_at_layer=3, prepend_bos=False)[1][name].flatten(0, 1)

    return steps


MAKE: dict[str, Callable[..., Callable[[int], None]]] = {
    "ours": ours,
    "ours, MKL": ours,
    "ours, no numba": without_numba,
    "encoder product": encoder_product,
    "saelens": saelens,
    "dictionary_learning": dictionary_learning,
    "sparsify": sparsify,
    "harvest": harvest_ours,
    "harvest, saelens": harvest_saelens,
}


def worker(way: str, job: str, shape: str) -> None:
    """Answer each number on stdin with the seconds of so many steps, of CPU and of the wall."""
    steps = MAKE[way](job, *(int(n) for n in shape.split("/")))
    steps(3)
    print("ready", flush=True)
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        steps(int(line))
        print(f"@ {time.process_time() - cpu} {time.perf_counter() - wall}", flush=True)


# -- all of them, turn by turn -----------------------------------------------------------------------------------------


class Way:
    """A process that does steps when it is asked."""

    def __init__(self, name: str, python: str, job: str, shape: str, threads: int, *, file: str = __file__) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"}
        environment |= ENVIRONMENT.get(name, {})
        command = [python, file, "--worker", name, job, shape]
        self.name = name
        self.seconds: list[float] = []
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )

    def answer(self, start: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(start):
                return line
        assert self.process.stderr is not None
        raise RuntimeError(f"{self.name}: {self.process.stderr.read().strip().splitlines()[-1:]}")

    def time(self, steps: int, clock: str) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        _, cpu, wall = self.answer("@").split()
        return float(cpu if clock == "cpu" else wall) / steps

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


def compare(names: list[str], job: str, shape: str, options: argparse.Namespace, python: dict[str, str]) -> None:
    ways: list[Way] = []
    for name in names:
        way = Way(name, python.get(name, sys.executable), job, shape, options.threads)
        try:
            way.answer("ready")
        except RuntimeError as error:
            print(f"  ({error})")
            way.close()
        else:
            ways.append(way)
    try:
        counts = {way.name: max(1, round(options.seconds / way.time(1, options.clock))) for way in ways}
        for _ in range(options.rounds):
            for way in ways:
                way.seconds.append(way.time(counts[way.name], options.clock))
    finally:
        for way in ways:
            way.close()
    base = ways[0].seconds
    print(f"\n| {job} {shape} | ms (median) | ms (least) | times {ways[0].name} |\n|---|---|---|---|")
    for way in ways:
        ratio = statistics.median(s / b for s, b in zip(way.seconds, base, strict=True))
        print(
            f"| {way.name} | {statistics.median(way.seconds) * 1e3:.2f} | {min(way.seconds) * 1e3:.2f} | {ratio:.2f} |"
        )
    sys.stdout.flush()


def breakdown(job: str, shape: str, steps: int = 20) -> None:
    """Where a step of ours goes, by this thread's clock."""
    import torch

    from saewidgets.kernels.sparse_cpu import SparseCPU
    from saewidgets.training.objectives.base import Objective
    from saewidgets.training.run import Run

    spent: dict[str, float] = {}

    def timed(owner: type, name: str, label: str) -> None:
        plain = getattr(owner, name)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            start = time.thread_time()
            result = plain(*args, **kwargs)
            spent[label] = spent.get(label, 0.0) + time.thread_time() - start
            return result

        setattr(owner, name, wrapper)

    timed(SparseCPU, "_top_rows", "selection")
    timed(SparseCPU, "top_k", "product and selection")
    timed(SparseCPU, "_decode", "decoding and slopes")
    timed(SparseCPU, "_gradients", "weights' gradients")
    timed(Objective, "project", "radial part of the gradient")
    timed(Objective, "after_step", "unit rows")
    timed(Run, "_keep", "copy to undo a step")
    timed(torch.optim.Adam, "step", "Adam")
    timed(torch.nn.utils, "clip_grad_norm_", "clipping")
    go = ours(job, *(int(n) for n in shape.split("/")))
    go(3)
    spent.clear()
    start = time.thread_time()
    go(steps)
    total = time.thread_time() - start
    spent["product"] = spent.pop("product and selection", 0.0) - spent.get("selection", 0.0)
    spent["the rest"] = total - sum(spent.values())
    print(f"\n| where a {job} step {shape} goes | ms | share |\n|---|---|---|")
    for label, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"| {label} | {seconds / steps * 1e3:.2f} | {seconds / total:.0%} |")
    print(f"| all | {total / steps * 1e3:.2f} | |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], help="peer=path of its environment's python")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.1, help="of each way, in each round; at least one step")
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu")
    parser.add_argument("--jobs", default="topk,batchtopk,relu,relu1%")
    parser.add_argument("--shapes", default="64/512/2048,128/1024/4096,512/4096/4096")
    parser.add_argument("--ways", default=";".join(WAYS), help="separated by ;")
    parser.add_argument("--breakdown", action="store_true")
    parser.add_argument("--harvest", action="store_true")
    options = parser.parse_args()
    python = dict(pair.split("=", 1) for pair in options.python)
    names = [n for n in options.ways.split(";") if n in python or n.startswith(("ours", "encoder"))]
    print(f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {options.threads} thread(s), {options.clock} clock")
    if options.harvest:
        compare(["harvest", "harvest, saelens"], "4096 tokens", "0", options, python)
    for job in filter(None, options.jobs.split(",")):
        for shape in options.shapes.split(","):
            compare([n for n in names if n != "sparsify" or job == "topk"], job, shape, options, python)
    if options.breakdown:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
        for shape in options.shapes.split(","):
            breakdown("topk", shape)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:5])
    else:
        main()
