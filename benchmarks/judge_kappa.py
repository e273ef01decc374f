"""How far a chat model of 135 million parameters agrees with planted labels, as a judge. No claim rests on it.

Weighted kappa of SmolLM2-135M-Instruct against the planted labels, over activations of some concepts' best features in
the mini-world. Beside it a judge that always says the same (kappa 0). Text: `python benchmarks/judge_kappa.py [passages per
concept, by default 20]`.
"""

from __future__ import annotations

import sys

import pandas as pd

import saewidgets as sw
from saewidgets.analysis import judges

CONCEPTS = ("animal", "guitar", "owl")


def main(n: int = 20) -> None:
    model, sae, corpus = sw.load_model(), sw.load_sae(), sw.load_corpus(400)
    acts = sw.feature_activations(model, sae, corpus, progress=False)
    scores = sw.concept_scores(acts, corpus, progress=False).set_index("concept")
    chat = judges.LanguageJudge(judges.ModelChat(sw.load_model("smollm2", dtype="bfloat16")), name="SmolLM2-135M")
    always = judges.FunctionJudge(lambda claim, passage: 3, name="always 3")
    tables = []
    for concept in CONCEPTS:
        found = sw.specificity(
            model, sae, acts, int(scores.loc[concept, "feature"]), concept, [judges.planted_judge(corpus), chat, always],
            scores=False, per_interval=max(1, n // 10), progress=False,
        )  # fmt: skip
        run = found.run_of("SmolLM2-135M")
        print(concept, f"{len(run.scores)} passages, {run.n_refused} refused, {run.spent}", flush=True)
        tables.append(found.agreement().assign(concept=concept))
    print(pd.concat(tables).round(2).to_string())


if __name__ == "__main__":
    main(*(int(given) for given in sys.argv[1:]))
