"""Judge features by spans that people have labeled: for each label the feature that tells it best, and its specificity.

    .venv/bin/python scripts/human_labels.py dialogues.jsonl --model smollm2 --dtype bfloat16 --sae folder --out pages

A file holds one {"text": ..., "spans": [[first, stop, label], ...]} per line. Printed are, by label, the feature and
how well it does on texts in which it was not chosen; written are the records and a page of each.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import saewidgets as sw
from saewidgets.analysis import judges


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("texts", nargs="+", type=Path, help="files of labeled texts, one JSON object per line")
    parser.add_argument("--model", help="its name; the bundled one by default")
    parser.add_argument("--dtype", help="number format of its weights")
    parser.add_argument("--sae", help="a folder, a file, or release/id; the bundled one by default")
    parser.add_argument("--most", type=int, default=200, help="texts that are read (default: 200)")
    parser.add_argument("--labels", nargs="*", help="only these")
    parser.add_argument("--least", type=int, default=20, help="labeled tokens that a label must have (default: 20)")
    parser.add_argument("--out", type=Path, help="a folder for the records and pages")
    chosen = parser.parse_args()
    model = sw.load_model(
        *([chosen.model] if chosen.model else []), **({"dtype": chosen.dtype} if chosen.dtype else {})
    )
    sae = sw.load_sae(*([chosen.sae] if chosen.sae else []))
    corpus = judges.label_tokens(model, judges.read_spans(*chosen.texts, most=chosen.most))
    print(f"{corpus}, {int((corpus.token_rows >= 0).sum()):,} tokens, {corpus.n_lost} spans without a token")
    acts = sw.feature_activations(model, sae, corpus)
    found = sw.analysis.concept_detectors(acts, corpus).to_dataframe().set_index("concept")
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
    print(
        f"{'label':24} {'feature':>7} {'tokens':>6} {'prec.':>5} {'recall':>6} {'F1':>5} {'AUROC':>6} {'specific':>9} "
        f"{'from half':>9} {'found':>6} {'detection':>9}"
    )
    for label, row in found.sort_values("f1", ascending=False).iterrows():
        if row["feature"] < 0 or row["n_tokens"] < chosen.least or (chosen.labels and label not in chosen.labels):
            continue
        feature = int(row["feature"])
        data = sw.specificity(model, sae, acts, feature, str(label), corpus=corpus, window=16)
        whole, half = data.specific()[0], data.specific(above=data.maximum / 2)[0]
        recall = data.sensitivity[0].recall(row["threshold"]).value
        detection = next((s.value for s in data.scores if s.name == "detection"), float("nan"))
        print(
            f"{label:24} {feature:7} {int(row['n_tokens']):6} {row['precision']:5.2f} {row['recall']:6.2f} {row['f1']:5.2f} "
            f"{row['auroc']:6.3f} {whole:9.1%} {half:9.1%} {recall:6.1%} {detection:9.2f}",
            flush=True,
        )
        if chosen.out:
            data.save(chosen.out / f"{label}.json")
            sw.SpecificityLab(data).to_html(chosen.out / f"{label}.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
