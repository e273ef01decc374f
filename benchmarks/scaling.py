"""The mini-model's own scaling law: SAEs of several sizes at several learning rates, and power laws in compute.

    python benchmarks/scaling.py RECORD.safetensors [--sizes 128 256 512 1024] [--rates 2.5e-4 1e-3 4e-3] [--steps 250]

All of them learn from the same batches, at learning rates that do not decay (Templeton et al. 2024). RECORD is for
`sw.TrainingMonitor(sw.TrainingRecord.load(RECORD))`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import saewidgets as sw
from saewidgets.analysis.quality import power_law, scaling_law
from saewidgets.training import sweep_grid

LAST = 20  # steps behind a final FVU
BEGIN = 0.1  # share of a run after which it counts, as in the monitor


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("record", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256, 512, 1024])
    parser.add_argument("--rates", type=float, nargs="+", default=[2.5e-4, 1e-3, 4e-3])
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--k", type=int, default=16)
    parser.add_argument("--documents", type=int, default=4000)
    asked = parser.parse_args()
    model = sw.load_model()
    corpus = sw.load_corpus(asked.documents, seed=3)
    store = sw.ActivationStore(model, sw.site(model), corpus, batch_size=2048, seed=0)
    config = sw.TrainConfig(steps=asked.steps, lr_decay=0.0)
    sweep = sw.train_sweep(sweep_grid(store.site, asked.sizes, [asked.k], config, rates=asked.rates), store)
    for _ in sw.progress(sweep):
        pass
    sweep.record().save(asked.record)
    table = sweep.to_dataframe()
    report(table.assign(rate=table.groupby("run")["lr"].transform("max")))


def report(table: pd.DataFrame) -> None:
    """The final FVU by size and learning rate, and the laws at the best rate of each size."""
    last = table.groupby(["d_sae", "rate"])["fvu"].apply(lambda own: own.tail(LAST).mean()).unstack()
    print(last.round(4).to_string())
    best = last.idxmin(axis=1)
    for rate in last.columns:
        own = table[table["rate"] == rate]
        ends = own.groupby("run")["tokens"].max() * own.groupby("run")["d_sae"].first() * 12 * own["d_in"].iloc[0]
        first, last = sorted(ends * BEGIN)[1], sorted(ends)[-2]  # within two runs, and past the warm-up of each
        law = scaling_law(own, np.geomspace(first, last, 8).tolist())
        print(
            f"lr {rate:g}: FVU ~ C^{law.loss.exponent:.3f} (r2 {law.loss.r_squared:.3f}), best features ~ "
            f"C^{law.features.exponent:.2f}, tokens ~ C^{law.tokens.exponent:.2f}, over {law.loss.n} budgets"
        )
    rates = power_law(best.index.to_numpy(float), best.to_numpy(float))
    print(f"best learning rate ~ d_sae^{rates.exponent:.2f} (r2 {rates.r_squared:.2f})")


if __name__ == "__main__":
    main()
