"""Write one offline page of an SAE's most interesting features, to search, to sort and to send.

    .venv/bin/python scripts/feature_page.py OUT.html [--sae NAME] [--texts FILE] [--features 2000] [--effects 24]

Of a chat model's bundled SAE by default, over the texts that come with it; more texts of the model's own, as
`python -m saewidgets.pretrain chat write` writes them (JSON Lines), make better examples. Which features, in this
order:

1. those with a measured clamp;
2. those that tell a subject's texts from all others by contrast: for each subject the one with the best F1 over the
   texts, active or not, where that is at least .5. It is labeled with the subject;
3. of the rest those that are active at five tokens or more and at less than 1 % of them, the largest activation first.

What ablating a feature does to its examples is measured for the first of them (--effects), at some seconds each.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import saewidgets as sw
from saewidgets import chat
from saewidgets.analysis.setup import RARE, in_chat_form
from saewidgets.chat import OwnText
from saewidgets.files import LoadError, parse_json
from saewidgets.records import DashboardData, FeatureActivations

LIMIT = 15_000_000  # bytes of the page
LEAST_F1 = 0.5  # of a label by contrast
TEXTS = 1500  # that are read of a file


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--sae", default="", help="a bundled SAE or a folder (default: the bundled one of SmolLM2)")
    parser.add_argument("--texts", type=Path, help="JSON Lines with subject, system, user and answer")
    parser.add_argument("--features", type=int, default=2000, help="at most so many (default: %(default)s)")
    parser.add_argument("--effects", type=int, default=24, help="measure those of so many (default: %(default)s)")
    given = parser.parse_args()
    try:
        clamps = chat.load_clamps() if chat.CLAMPS_FILE.is_file() else None
        sae = sw.load_sae(given.sae or chat.load_clamps().sae)
        texts = chat.load_texts() if given.texts is None else texts_of(given.texts)
    except (LoadError, ValueError) as error:
        print(f"feature_page.py: {error}", file=sys.stderr)
        return 2
    model = sw.load_model(chat.MODEL, dtype=chat.DTYPE)
    acts = sw.feature_activations(model, sae, in_chat_form(model, texts))
    measured = {} if clamps is None else clamps.of(sae.name).labels
    labels = by_contrast(acts, [text.subject for text in texts]) | measured
    features = interesting(acts, labels, measured, given.features)
    data = sw.dashboard_data(model, sae, acts, sorted(features), labels=labels, n_top=8, n_intervals=4, per_interval=1)
    data = with_effects(data, features[: given.effects])
    page = sw.FeatureDashboard(data, feature=features[0]).to_html(given.out, effects=False)
    size = len(page.encode())
    print(f"{given.out}: {len(features):,} features, {len(labels)} of them labeled, {size / 1e6:.1f} MB")
    return int(size > LIMIT)


def texts_of(path: Path) -> list[OwnText]:
    """Texts of a file, at most `TEXTS`, drawn evenly; those that were held out where there are enough."""
    rows = [parse_json(path, line) for line in path.read_bytes().split(b"\n")[:-1]]
    held_out = [row for row in rows if row.get("split") == "held_out"]
    rows = held_out if len(held_out) >= TEXTS else rows
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(TEXTS, len(rows))).astype(int))
    own = [rows[i] for i in chosen if rows[i]["answer"].strip()]
    return [OwnText(row["subject"], row["system"] or "", row["user"], row["answer"].strip()) for row in own]


def by_contrast(acts: FeatureActivations, subjects: Sequence[str]) -> dict[int, str]:
    """{feature: the subject whose texts it tells best from all others}, where its F1 is at least `LEAST_F1`.

    A text counts as found where the feature is active at any of its tokens above a tenth of its maximum; the prompt is
    part of the text.
    """
    about = np.asarray(subjects)
    context_of = acts.text if acts.text is not None else np.arange(len(acts.tokens))
    found = np.zeros((acts.d_sae, len(about)), bool)
    for feature in range(acts.d_sae):
        context, _, value = acts.of(feature)
        found[feature, context_of[context[value > 0.1 * acts.maximum[feature]]]] = True
    n_found = found.sum(1)
    best: dict[int, tuple[float, str]] = {}
    for subject in chat.subjects():
        own = about == subject.key
        if own.sum() < 2:
            continue
        hits = found[:, own].sum(1)
        f1 = 2 * hits / np.maximum(n_found + own.sum(), 1)
        feature = int(f1.argmax())
        if f1[feature] >= LEAST_F1:
            best[feature] = max(best.get(feature, (0.0, "")), (float(f1[feature]), subject.title))
    return {feature: title for feature, (_, title) in best.items()}


def interesting(acts: FeatureActivations, labels: Mapping[int, str], measured: Mapping[int, str], n: int) -> list[int]:
    """The features of the page, the first `n` by the rule above."""
    on = np.round(acts.density * acts.n_tokens)
    rest = np.flatnonzero((on >= 5) & (acts.density < RARE))
    rest = rest[np.argsort(-acts.maximum[rest], kind="stable")]
    alive = [f for f in (*measured, *labels, *rest.tolist()) if acts.maximum[f] > 0]
    return list(dict.fromkeys(alive))[:n]


def with_effects(data: DashboardData, features: Sequence[int]) -> DashboardData:
    """The same records, some of them with what ablating the feature does."""
    kept = data.subset(data.features)
    return replace(kept, features={**kept.features, **{f: data.measured(f) for f in features}})


if __name__ == "__main__":
    sys.exit(main())
