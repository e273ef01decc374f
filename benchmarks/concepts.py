"""How long it takes to tell every concept of the mini-world by an SAE's features, and by what needs no SAE.

.venv/bin/python benchmarks/concepts.py [DOCUMENTS] [all]
"""

from __future__ import annotations

import sys
import time

import saewidgets as sw
from saewidgets.analysis import compare_detectors


def main() -> None:
    """Print seconds on the clock and of the processor, then the medians by method."""
    documents = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    everything = "all" in sys.argv[2:]
    model, sae, corpus = sw.load_model(), sw.load_sae(), sw.load_corpus(documents)
    acts = sw.feature_activations(model, sae, corpus, progress=False)
    print(
        f"{len(corpus.concepts)} concepts, {acts.d_sae:,} features, {acts.n_tokens:,} tokens, {len(acts.value):,} activations"
    )
    wall, cpu = time.perf_counter(), time.process_time()
    ks = (1, 2, 5, 16) if everything else ()
    found = compare_detectors(model, sae, corpus, acts=acts, ks=ks, baselines=everything, progress=False)
    print(f"{time.perf_counter() - wall:.1f} s, of which {time.process_time() - cpu:.1f} s of one processor")
    print(found.summary().round(3).to_string())


if __name__ == "__main__":
    main()
