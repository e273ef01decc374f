"""Started twice, as rank 0 and rank 1: every objective by two processes, and rank 0 compares with one.

equal_ranks.py FOLDER RANK       writes FOLDER/rank-0.json: name -> [largest difference, largest share of dead features]
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from saewidgets.cluster import work
from saewidgets.ranks import ALONE, Ranks
from saewidgets.sae import SAE, SAEConfig
from saewidgets.training import TrainConfig
from saewidgets.training.run import Run

STEPS, D, D_SAE, ROWS = 20, 12, 48, 61  # rows: an odd number, so that the ranks' shares differ
UNIT = {"architecture": "relu", "apply_b_dec_to_input": True}
TOPK, BATCH = {"architecture": "topk", "k": 4}, {"architecture": "batchtopk", "k": 4}

# name -> (SAEConfig's fields, TrainConfig's)
KINDS = {
    "relu": ({"architecture": "relu"}, {}),
    "relu-resampled": ({"architecture": "relu"}, {"resample_at": (7, 13), "dead_window": 130}),
    "unit": (UNIT, {"objective": "relu_unit_norm", "resample_at": (9,), "dead_window": 130}),
    "p-annealing": (UNIT, {"objective": "relu_p_annealing", "p_hold": 0.2, "p_end": 0.7, "l1_warmup": 0.0}),
    "topk": (TOPK, {"k_start": 8, "k_anneal": 0.5, "dead_window": 130}),
    "matryoshka": (TOPK, {"prefixes": (12, D_SAE), "dead_window": 130}),
    "batchtopk": (BATCH, {"dead_window": 130}),
    "batchtopk-parts": (BATCH, {"dead_window": 130, "micro_batch": 17}),
    "batch-matryoshka": (BATCH, {"prefixes": (12, D_SAE), "lr_shape": "cosine"}),
    "jumprelu": ({"architecture": "jumprelu"}, {"bandwidth": 0.2}),
    "jumprelu-tanh": ({"architecture": "jumprelu"}, {"objective": "jumprelu_tanh"}),
    "gated": ({"architecture": "gated"}, {"resample_at": (11,), "dead_window": 130}),
    "clipped": (TOPK, {"grad_clip": 0.01, "lr": 0.02}),
    "transcoder": ({**TOPK, "d_out": 7}, {"dead_window": 130}),
    "transcoder-batch": ({**BATCH, "d_out": 7}, {"dead_window": 130}),
    "relu-parts": ({"architecture": "relu"}, {"micro_batch": 7}),
}


def batches(width: int) -> list:
    generator = torch.Generator().manual_seed(5)
    x = [2 * torch.randn(ROWS, D, generator=generator) + 1 for _ in range(STEPS)]
    return x if width == D else [(own, torch.randn(ROWS, width, generator=generator)) for own in x]


def begun(name: str, ranks: Ranks) -> Run:
    fields, more = KINDS[name]
    config = SAEConfig(D, D_SAE, seed=3, **fields)
    sae = SAE(config)
    with torch.no_grad():  # some features that never fire, for AuxK and resampling
        sae.weights["b_gate" if config.architecture == "gated" else "b_enc"][:9] = -60.0
    return Run(sae, batches(config.output_width), TrainConfig(steps=STEPS, **{"lr": 3e-3, **more}), ranks=ranks)


def distance(run: Run, other: Run) -> float:
    """The largest difference of any weight, moment or measured number, relative to the largest of its kind."""
    found = [0.0]
    for name, tensor in run.tensors.items():
        own, its = tensor.double(), other.tensors[name].double()
        found.append(float((own - its).abs().max() / its.abs().max().clamp_min(1e-30)))
    for step, its in zip(run.history, other.history, strict=True):
        assert (step.step, step.tokens, step.lr, step.sparsity) == (its.step, its.tokens, its.lr, its.sparsity) or (
            abs(step.sparsity - its.sparsity) <= 1e-6 * its.sparsity
        )
        pairs = [(getattr(step, field), getattr(its, field)) for field in ("loss", "fvu", "l0", "dead")]
        pairs += [(step.parts[part], value) for part, value in its.parts.items()]
        found += [abs(a - b) / max(abs(b), 1e-3) for a, b in pairs]
    return max(found)


def main(folder: Path, rank: int) -> None:
    dist.init_process_group("gloo", f"file://{folder}/meet", timeout=timedelta(seconds=120), rank=rank, world_size=2)
    report: dict[str, list[float]] = {}
    for loops in (True, False):
        for name, (fields, _) in KINDS.items():
            if not loops and fields["architecture"] not in ("topk", "batchtopk"):
                continue  # it has none
            runs = [begun(name, ranks) for ranks in (Ranks(rank, 2), ALONE)][: 2 if rank == 0 else 1]
            for run in runs:
                if not loops:
                    run.objective.loops = None  # as on a GPU: torch's own operators
                list(run)
            if rank == 0:
                dead = max(step.dead for step in runs[0].history)
                report[f"{name}{'' if loops else ', plain'}"] = [distance(*runs), dead]
    (folder / f"rank-{rank}.json").write_text(json.dumps(report))
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2"}
    for job in ("sweep", "harvested"):  # which the same two processes train
        if (folder / job).is_dir():
            assert work(folder / job) == 0
    dist.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]))
