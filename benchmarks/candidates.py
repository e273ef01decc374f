"""Steering scores of the bundled SAEs: how long they take, and whether they tell the usable window of a clamp.

Prints the seconds for all features, the rank correlations of the scores with the windows of the measured clamps, by
logit lens and by Jacobian lens, and how many of the twenty promoted tokens are words of the concept by each. Text:
`python benchmarks/candidates.py [texts behind the lens, by default 32]`.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import saewidgets as sw
from saewidgets.analysis.candidates import jacobian_lens, score_correlations, scored_windows, steering_scores


def concept_tokens(model, corpus, concept: str) -> set[str]:
    """The display texts of tokens half or more of whose places in a labeled corpus express a concept."""
    tokens = corpus.token_rows
    own = np.bincount(tokens[corpus.concept_mask(concept)], minlength=model.d_vocab)
    every = np.bincount(tokens[tokens >= 0], minlength=model.d_vocab)
    return set(model.display(np.flatnonzero(2 * own > every).tolist()))


def main(n_texts: int = 32) -> None:
    model, corpus = sw.load_model(), sw.load_corpus()
    sae = sw.load_sae("miniworld-2048")
    began = time.perf_counter()
    long = sorted(sw.load_corpus(10 * n_texts, seed=3).texts, key=len)[-n_texts:]
    lens = jacobian_lens(model, long, hook_names=sae.config.site.hook_name)
    print(f"{lens.name}: {time.perf_counter() - began:.1f} s")
    scores = {}
    for name in ("miniworld-2048", "miniworld-1024-roles", "miniworld-512"):
        sae = sw.load_sae(name)
        acts = sw.feature_activations(model, sae, corpus)
        began = time.perf_counter()
        scores[name] = [steering_scores(model, sae, acts, lens=one) for one in (None, lens)]
        print(f"{name}: {time.perf_counter() - began:.1f} s for both lenses")
    table = scored_windows(sw.load_clamps(), scores)
    promoted = [
        {one.lens: one for one in scores[row.sae]}[row.lens].of(row.feature)["tokens"] for row in table.itertuples()
    ]
    words = {concept: concept_tokens(model, corpus, concept) for concept in table["concept"].unique()}
    table["on_concept"] = [
        sum(token in words[concept] for token in own) for concept, own in zip(table["concept"], promoted, strict=True)
    ]
    columns = ["input", "output", "output_percentile", "on_concept"]
    print(table.groupby("lens")[columns].median().round(3).to_string())
    print(table.groupby("lens")[columns].mean().round(3).to_string())
    print(score_correlations(table).round(3).to_string(index=False))


if __name__ == "__main__":
    main(*(int(given) for given in sys.argv[1:]))
