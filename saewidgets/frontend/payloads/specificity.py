"""What a specificity lab draws, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saewidgets.frontend.payloads.features import example
from saewidgets.frontend.payloads.numbers import Pool, histogram, number, sendable
from saewidgets.languages import retold, said
from saewidgets.records import RUBRIC, FieldScore, JudgeRun, Sensitivity, Specificity

__all__ = ["judged_examples", "specificity_lab"]


def specificity_lab(data: Specificity) -> dict[str, Any]:
    """The fixed part: everything but the examples."""
    where = said(" at {site}", site=data.hook_name) if data.hook_name else ""
    corpus = said(" of {n:,} tokens of {corpus}", n=data.n_tokens, corpus=data.corpus) if data.corpus else ""
    agreed = [None, *data.agreement().to_dict("records")]  # of each judge with the first
    return {
        "title": said("Specificity of #{feature}: {claim}", feature=data.feature, claim=data.claim.replace("_", " ")),
        "note": said(
            "{n:,} of {of:,} activations{corpus}, at most {most} from each of {intervals} intervals; {sae} on {model}{where}",
            n=len(data.examples),
            of=sum(data.counts),
            corpus=corpus,
            most=data.per_interval or said("all"),
            intervals=data.n_intervals,
            sae=data.sae_name or "SAE",
            model=data.model_name or said("its model"),
            where=where,
        ),
        "maximum": number(data.maximum),
        "edges": [number(edge) for edge in data.edges],
        "active": list(data.counts),
        "histogram": histogram(data.histogram),
        "rubric": [[score, said(RUBRIC[score])] for score in sorted(RUBRIC, reverse=True)],
        "judges": [_judge(data, run, found) for run, found in zip(data.judges, agreed, strict=True)],
        "sensitivity": [_recall(data, one) for one in data.sensitivity],
        "scores": [_score(score) for score in data.scores],
    }


def judged_examples(data: Specificity, level: int) -> dict[str, Any]:
    """The examples of one interval, strongest first: each as a dashboard's, with s, the scores, and r, the reasons, one
    per judge.
    """
    pool = Pool()
    own = [i for i, e in enumerate(data.examples) if e.interval == level]
    own.sort(key=lambda i: -data.examples[i].maximum)
    items = []
    for i in own:
        drawn = example(data.examples[i], pool)
        drawn["s"] = [run.scores[i] for run in data.judges]
        drawn["r"] = [sendable(run.reasons[i]) for run in data.judges]
        items.append(drawn)
    return {"level": level, "items": items, "pool": pool.rows}


def _judge(data: Specificity, run: JudgeRun, agreed: Mapping[Any, Any] | None) -> dict[str, Any]:
    """rows: one per interval, [n, refused, then (share, low, high) of the scores 3, 2, 1, 0]; above: (share, low, high)
    of a 3 among the activations from each edge on; kappa and same: how far it agrees with the first judge.
    """
    both = agreed if agreed is not None and agreed["n"] else None  # None where no passage has both scores
    rows = [
        [
            int(row["n"]),
            int(row["refused"]),
            *(
                [number(row[f"s{score}"]), number(row[f"s{score}_low"]), number(row[f"s{score}_high"])]
                for score in sorted(RUBRIC, reverse=True)
            ),
        ]
        for row in data.table(run.name).to_dict("records")
    ]
    return {
        "name": run.name,
        "kind": said(run.kind),
        "seconds": number(run.seconds),
        "refused": run.n_refused,
        "spent": [[said(name), number(value)] for name, value in run.spent.items()],
        "kappa": None if both is None else [number(both[name]) for name in ("kappa", "low", "high")],
        "same": None if both is None else number(both["same"]),
        "rows": rows,
        "above": [[number(x) for x in data.specific(run.name, above=edge)] for edge in data.edges[:-1]],
    }


def _recall(data: Specificity, one: Sensitivity) -> dict[str, Any]:
    """above: (share, low, high) of the cases with an activation above each edge."""
    shares = [one.recall(edge) for edge in data.edges[:-1]]
    return {
        "name": one.name,
        "what": one.what,
        "n": len(one.maxima),
        "above": [[number(s.value), number(s.low), number(s.high)] for s in shares],
    }


def _score(score: FieldScore) -> dict[str, Any]:
    return {
        "name": said(score.name),
        "value": number(score.value),
        "low": number(score.low),
        "high": number(score.high),
        "chance": number(score.chance),
        "n": score.n,
        "refused": score.n_refused,
        "judge": score.judge,
        "what": retold(score.what),
    }
