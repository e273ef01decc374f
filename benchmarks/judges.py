"""Time of judging: 1,000 activations of one feature by planted labels, by words, and the field's scores.

.venv/bin/python benchmarks/judges.py
"""

from __future__ import annotations

import time

import saewidgets as sw
from saewidgets.analysis import judges


def main() -> None:
    model, sae, corpus = sw.load_model(), sw.load_sae(), sw.load_corpus()
    acts = sw.feature_activations(model, sae, corpus, progress=False)
    feature = int((acts.start[1:] - acts.start[:-1]).argmax())  # one with activations in every interval
    planted, words = judges.planted_judge(corpus), judges.words_judge(["owl", "tiger", "bird"])

    def judged(**options: object) -> None:
        sw.specificity(model, sae, acts, feature, "animal", scores=False, progress=False, **options)

    work = {
        "1,000 activations by planted labels": lambda: judged(judges=planted),
        "1,000 activations by a list of words": lambda: judged(judges=words),
        "the same with sensitivity, new texts included": lambda: judged(corpus=corpus),
        "the field's five scores": lambda: judges.field_scores(model, sae, acts, feature, "animal", planted),
    }
    for name, do in work.items():
        times = []
        for _ in range(3):
            began = time.perf_counter()
            do()
            times.append(time.perf_counter() - began)
        print(f"{name:48} {min(times):6.2f} s  (first {times[0]:.2f} s)")


if __name__ == "__main__":
    main()
