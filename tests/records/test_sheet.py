"""A feature's sheet: points by hand from a judged record, and "not measured" where nothing was."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from sample_records import specificity

from saewidgets.records import FieldScore, ScoreSheet, SteeringScores

LOGITS = FieldScore("logits", 0.8, 0.7, 0.9, 0.5, 100, 0, "planted labels", "promoted tokens")


def steering(feature=31, sae_name="miniworld-2048"):
    return SteeringScores(
        (feature,), (0.25,), (0.125,), (0.5,), (3,), (40,), ((" bridge",),), "From my experience,", 10.0, 3.0,
        sae_name=sae_name,
    )  # fmt: skip


def test_the_points_are_those_of_the_rules():
    found = replace(specificity(), scores=(*specificity().scores, LOGITS))
    sheet = ScoreSheet.of(found, steering())
    value = {line.item: line.value for line in sheet.lines}
    assert list(value)[:4] == ["confidence", "consistency of activations", "consistency of logits", "specificity"]
    assert sum(line.of for line in sheet.lines) == 14
    kappa = found.agreement().loc[0, "kappa"]
    assert value["confidence"] == sum(kappa >= bound for bound in (0.4, 0.6, 0.8))
    scores = [(e.interval, s) for e, s in zip(found.examples, found.judges[0].scores, strict=True)]
    by_interval = [[s >= 2 for i, s in scores if i == j] for j in range(1, 10)]
    assert value["consistency of activations"] == pytest.approx(5 * sum(sum(b) / len(b) for b in by_interval) / 9)
    assert value["consistency of logits"] == pytest.approx(3 * (0.8 - 0.5) / 0.5)
    weight = {j: found.counts[j] for j in range(5, 10)}
    threes = {j: [s == 3 for i, s in scores if i == j] for j in weight}
    share = sum(w * sum(threes[j]) / len(threes[j]) for j, w in weight.items()) / sum(weight.values())
    assert value["specificity"] == pytest.approx(3 * share)
    assert sheet.points == (pytest.approx(sum(value[line.item] for line in sheet.lines if line.of)), 14)
    assert (value["detection"], value["input score"], value["output score"]) == (0.87, 0.25, 0.125)
    assert value["sensitivity, spans"] == 59 / 60  # the first span's maximum is 0


def test_what_was_not_measured_is_said_and_counts_for_nothing(tmp_path):
    alone = replace(specificity(), judges=specificity().judges[:1], scores=(), sensitivity=())
    sheet = ScoreSheet.of(alone, steering(feature=5))
    table = sheet.to_dataframe().set_index("item")
    missing = {"confidence", "consistency of logits", "sensitivity", "detection", "fuzzing", "intruder", "SAEBench"}
    assert set(table.index[table["value"] == "not measured"]) == missing | {"input score", "output score"}
    assert sheet.points[1] == 8 and "second judge" in table.loc["confidence", "how"]
    sheet.save(tmp_path / "sheet.json")
    again = ScoreSheet.load(tmp_path / "sheet.json")
    assert again.to_dataframe().equals(sheet.to_dataframe()) and math.isnan(again.lines[0].value)


def test_a_persons_points_stand_instead_of_the_rule_and_within_bounds():
    sheet = ScoreSheet.of(specificity(), points={"confidence": 2, "consistency of logits": 0})
    assert [(line.value, line.how) for line in sheet.lines[:3:2]] == [(2, "by a person"), (0, "by a person")]
    with pytest.raises(ValueError, match="confidence has 0 to 3 points, not 4"):
        ScoreSheet.of(specificity(), points={"confidence": 4})
    with pytest.raises(ValueError, match="unknown part of the rubric 'logits'"):
        ScoreSheet.of(specificity(), points={"logits": 1})
    with pytest.raises(ValueError, match="are of 'miniworld-512'"):
        ScoreSheet.of(specificity(), steering(sae_name="miniworld-512"))
