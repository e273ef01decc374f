"""AxBench's measure, with rules that rate, over the measured clamps of the mini-world: clamp, addition, mean difference
and prompt. Text: `python benchmarks/axbench.py [concept ...]`, by default all of them.
"""

from __future__ import annotations

import sys
import time

import pandas as pd

import saewidgets as sw
from saewidgets.analysis import steering_benchmark


def main(*concepts: str) -> None:
    model, clamps = sw.load_model(), sw.load_clamps()
    began, tables = time.process_time(), {}
    for concept in concepts or tuple(clamps):
        entry = clamps[concept]

        def expected(question: str, entry: sw.records.MeasuredClamp = entry) -> str:
            return entry.expected.replace(clamps.prompt, f"Human: {question}\nAssistant:")

        found = steering_benchmark(
            model, sw.load_sae(entry.sae), entry.feature, concept, maximum=entry.maximum, steering_prompt=expected,
            n_tokens=40, temperature=clamps.temperature, progress=False,
        )  # fmt: skip
        tables[concept] = found.summary()
        print(concept, found.summary()["overall"].round(2).to_dict(), flush=True)
    told = pd.concat(tables, names=["concept", "method"])
    print(f"{time.process_time() - began:.0f} s of one processor")
    columns = ["concept", "instruction", "fluency", "overall"]
    told = told.rename(columns={"concept": "concept rating"})
    columns[0] = "concept rating"
    mean = told.groupby("method", sort=False)[columns].mean()
    best = told["overall"].unstack("method")
    mean["at least as good as all others"] = best.eq(best.max(axis=1), axis=0).sum()
    print(mean.round(2).to_string())
    print(best.round(2).to_string())
    print(told["factor"].unstack("method").to_string())


if __name__ == "__main__":
    main(*sys.argv[1:])
