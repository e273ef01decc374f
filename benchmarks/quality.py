"""The tables of docs/quality.md: every measure of quality of the bundled SAEs, on held-out documents of the mini-world.

.venv/bin/python benchmarks/quality.py [DOCUMENTS]
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise

import numpy as np
import pandas as pd

import saewidgets as sw
from saewidgets.records import quality_table
from saewidgets.sae import bundled_names


def main() -> None:
    """Print Markdown."""
    documents = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    tables = sys.argv[2:] or ["measures", "concepts", "sizes"]
    model, corpus = sw.load_model(), sw.load_corpus(documents)
    names = sorted(
        (n for n in bundled_names() if n.startswith("miniworld")),
        key=lambda n: (n.endswith("roles"), sw.load_sae(n).config.d_sae),
    )
    saes = {name: sw.load_sae(name) for name in names}
    print(f"On {corpus.name}: {corpus.n_tokens:,} tokens.\n")
    begin = time.perf_counter()
    if "measures" in tables:
        found = quality_table({name: sw.quality(model, sae, corpus) for name, sae in saes.items()})
        shown = found.drop(columns=["n_tokens", "n_predictions", "dead_window"])  # the corpus's, as said above
        print(markdown(shown.T.map(lambda v: f"{v:.4g}"), "measure"), flush=True)
    if tables == ["measures"]:
        return
    acts = {name: sw.feature_activations(model, sae, corpus) for name, sae in saes.items()}
    rows, detectors = {}, {}
    for name, sae in saes.items() if "concepts" in tables else ():
        d = detectors[name] = sw.analysis.quality.concept_detectors(acts[name], corpus)
        a = sw.analysis.quality.absorption(model, sae, corpus, acts=acts[name], detectors=d)
        f = sw.analysis.quality.firing(model, sae, corpus)
        known = np.isfinite(d.f1)
        density = np.quantile(f.density[~f.dead], [0.1, 0.5, 0.9])
        rows[name] = {
            "concepts told": int(known.sum()),
            "median F1": np.nanmedian(d.f1),
            "median F1 where chosen": np.nanmedian(d.chosen_f1[known]),
            "median precision": np.nanmedian(d.precision),
            "median recall": np.nanmedian(d.recall),
            "median AUROC": np.nanmedian(d.auroc),
            "features a concept": np.mean([len(s) for s in d.splits if s]),
            "tokens counted for absorption": sum(p.n_tokens for p in a.pairs),
            "general features silent": sum(p.silent for p in a.pairs) / sum(p.n_tokens for p in a.pairs),
            "absorbed": a.rate,
            "density, 10 %": density[0],
            "density, median": density[1],
            "density, 90 %": density[2],
            "ultralow features": int(f.ultralow.sum()),
        }
    if rows:
        print(markdown(pd.DataFrame(rows).map(lambda v: f"{v:.4g}"), "against planted concepts"), flush=True)
    pairs = {}
    family = [name for name in names if not name.endswith("roles")]
    for small, large in pairwise(family) if "sizes" in tables else ():
        s = sw.analysis.quality.splitting(saes[small], saes[large], acts[small], acts[large])
        m = sw.analysis.quality.match_features(acts[small], acts[large], (saes[small], saes[large]), model)
        known = m.match >= 0
        pairs[f"{small} in {large}"] = {
            "features with a child": int((s.n_children > 0).sum()),
            "with two or more": int((s.n_children > 1).sum()),
            "children": int(s.n_children.sum()),
            "median best correlation": np.median(m.correlation[known]),
            "mutual": m.mutual.mean(),
            "median logit correlation": np.nanmedian(m.logit_correlation),
        }
    if pairs:
        print(markdown(pd.DataFrame(pairs).map(lambda v: f"{v:.4g}"), "two sizes"))
    print(f"{time.perf_counter() - begin:.0f} s in all")


def markdown(table: pd.DataFrame, corner: str) -> str:
    """A table with its row names."""
    lines = ["| " + " | ".join([corner, *table.columns]) + " |", "|" + "---|" * (len(table.columns) + 1)]
    lines += [
        "| " + " | ".join([str(name), *row]) + " |" for name, row in zip(table.index, table.to_numpy(), strict=True)
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
