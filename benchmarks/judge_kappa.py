"""How far a chat model of 135 million parameters agrees with planted labels, as a judge. No claim rests on it.

Weighted kappa of SmolLM2-135M-Instruct against the planted labels, over activations of some concepts' best features in
the mini-world. It is asked in two ways: to write JSON, as `LanguageJudge` does, one passage a prompt, of a part of the
passages; and for one digit, for which the likeliest of 0 to 3 is taken, so that it cannot refuse. Beside it a judge that
always says the same (kappa 0). Text: `python benchmarks/judge_kappa.py [passages per concept, by default 40]`.
"""

from __future__ import annotations

import sys

import pandas as pd

import saewidgets as sw
from saewidgets.analysis import judges
from saewidgets.records import agreement
from saewidgets.records.judging import RUBRIC, Passage

CONCEPTS = ("animal", "guitar", "owl")
ASKED = (
    "How well does the text between « and » fit a concept?\nThe concept: {claim}\nThe passage: {passage}\n\n"
    "{rubric}\n\nAnswer with one digit, 0, 1, 2 or 3, and nothing else."
)


def main(n: int = 40) -> None:
    model, sae, corpus = sw.load_model(), sw.load_sae(), sw.load_corpus(400)
    acts = sw.feature_activations(model, sae, corpus, progress=False)
    scores = sw.concept_scores(acts, corpus, progress=False).set_index("concept")
    small = sw.load_model("smollm2", dtype="bfloat16")
    digits = [int(small.tokens(str(score), prepend_bos=False)[-1]) for score in range(4)]

    def digit(claim: str, passage: Passage) -> int:
        rubric = "\n".join(f"{score}: {words}" for score, words in RUBRIC.items())
        asked = ASKED.format(claim=claim, passage=passage.shown(), rubric=rubric)
        return int(small.logits(small.tokens(sw.Dialogue([("user", asked)])))[0, -1, digits].argmax())

    planted = judges.planted_judge(corpus)
    one = judges.FunctionJudge(digit, name="one digit")
    always = judges.FunctionJudge(lambda claim, passage: 3, name="always 3")
    chat = judges.LanguageJudge(judges.ModelChat(small, n_tokens=60), batch=1, retries=0, name="JSON")
    tables, both = [], {}
    for concept in CONCEPTS:
        feature = int(scores.loc[concept, "feature"])
        for each, judged in ((max(1, n // 10), [planted, one, always]), (1, [planted, chat])):
            found = sw.specificity(
                model, sae, acts, feature, concept, judged, scores=False, per_interval=each, progress=False
            )
            run = found.run_of(judged[1].name)
            print(concept, f"{run.name}: {len(run.scores)} passages, {run.n_refused} refused, {run.spent}", flush=True)
            tables += [found.agreement().assign(concept=concept)] if run.n_refused < len(run.scores) else []
            for judge in judged:
                both.setdefault((judged[1].name, judge.name), []).extend(found.run_of(judge.name).scores)
    print(pd.concat(tables).round(2).to_string())
    told = agreement(both["one digit", planted.name], both["one digit", "one digit"])
    print(f"together, one digit: {told}")


if __name__ == "__main__":
    main(*(int(given) for given in sys.argv[1:]))
