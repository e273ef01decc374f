"""From tokens to a trained TopK SAE: harvest, shuffle and steps together, against SAELens's own store and trainer.

    python benchmarks/end_to_end.py --python saelens=peers/saelens/bin/python [--rounds 3] [--batches 48] [--clock wall]

The environment is made as in benchmarks/training.py, and so is the model: 4 layers of width 128, contexts of 128 random
tokens. Each side reads `blocks.2.hook_resid_post`, keeps 65,536 activations in its buffer, and trains d_sae = 1024, k =
32 on batches of 4,096 for one pass, 48 batches or 196,608 tokens. Timed is everything after the model and the token ids
are in memory; they take turns, in processes of their own, each after one short pass to warm up.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import training as bench

HOOK, D_IN, D_SAE, BATCH, BUFFER, CONTEXT, PROMPTS = "blocks.2.hook_resid_post", 128, 1024, 4096, 1 << 16, 128, 32


def token_rows(n: int) -> Any:
    """[n, CONTEXT] token ids."""
    import torch

    return torch.randint(0, 4096, (n, CONTEXT), generator=torch.Generator().manual_seed(1))


def ours() -> Callable[[int], None]:
    import numpy as np

    import saewidgets as sw
    from saewidgets.models import Model

    model = Model.wrap(bench.harvest_model()[0])

    def whole(n: int) -> None:
        rows = token_rows(n * BATCH // CONTEXT).numpy().astype(np.int32)
        site = sw.site(model, HOOK)
        store = sw.ActivationStore(model, site, rows, batch_size=BATCH, buffer_tokens=BUFFER, normalize=False, epochs=1)
        sae = sw.SAE(sw.SAEConfig(D_IN, D_SAE, "topk", k=bench.K, site=store.site))
        assert len(list(sw.train(sae, store, sw.TrainConfig(steps=n, lr=1e-4)))) == n

    return whole


def saelens() -> Callable[[int], None]:
    import sae_lens
    import torch
    from datasets import Dataset
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.activations_store import ActivationsStore
    from sae_lens.training.sae_trainer import SAETrainer

    model, _ = bench.harvest_model()

    def whole(n: int) -> None:
        # Its mixing buffer is filled before the first batch, and what is left in it at the end goes unused: a few more
        # rows.
        rows = token_rows(n * BATCH // CONTEXT + 2 * BUFFER // CONTEXT)
        store = ActivationsStore(
            model=model,
            dataset=Dataset.from_dict({"tokens": rows.tolist()}),
            streaming=False,
            hook_name=HOOK,
            hook_head_index=None,
            context_size=CONTEXT,
            d_in=D_IN,
            n_batches_in_buffer=BUFFER // CONTEXT,
            total_training_tokens=n * BATCH,
            store_batch_size_prompts=PROMPTS,
            train_batch_size_tokens=BATCH,
            prepend_bos=False,
            normalize_activations="none",
            device=torch.device("cpu"),
            dtype="float32",
            sequence_separator_token=None,
        )
        sae = sae_lens.TopKTrainingSAE(
            sae_lens.TopKTrainingSAEConfig(d_in=D_IN, d_sae=D_SAE, k=bench.K, dtype="float32", device="cpu")
        )
        config = SAETrainerConfig(
            total_training_samples=n * BATCH, train_batch_size_samples=BATCH, lr=1e-4, lr_end=1e-5
        )
        trainer = SAETrainer(cfg=config, sae=sae, data_provider=store)
        for _ in range(n):
            trainer._train_step(sae=sae, sae_in=next(store))
            trainer.n_training_steps += 1

    return whole


def worker(way: str) -> None:
    """Answer each number on stdin with the seconds that so many batches took, of CPU and of the wall."""
    whole = {"ours": ours, "saelens": saelens}[way]()
    whole(4)
    print("ready", flush=True)
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        whole(int(line))
        print(f"@ {time.process_time() - cpu} {time.perf_counter() - wall}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], help="saelens=PATH")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batches", type=int, default=48)
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu")
    options = parser.parse_args()
    python = {"ours": sys.executable} | dict(pair.split("=", 1) for pair in options.python)
    ways = [bench.Way(name, python[name], "", "", options.threads, file=__file__) for name in python]
    seconds: dict[str, list[float]] = {way.name: [] for way in ways}
    try:
        for way in ways:
            way.answer("ready")
        for _ in range(options.rounds):
            for way in ways:
                seconds[way.name].append(options.batches * way.time(options.batches, options.clock))
    finally:
        for way in ways:
            way.close()
    print(f"{time.strftime('%Y-%m-%d')}, {options.threads} thread(s), {options.clock} clock, {options.rounds} rounds")
    print(
        f"\n| {options.batches * BATCH:,} tokens to an SAE | s (median) | s (least) | times ours |\n|---|---|---|---|"
    )
    for name, own in seconds.items():
        ratio = statistics.median(s / o for s, o in zip(own, seconds["ours"], strict=True))
        print(f"| {name} | {statistics.median(own):.2f} | {min(own):.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2])
    else:
        main()
