"""Input and output scores handed to a dashboard and to a map: shown where they are known, of this SAE alone."""

from __future__ import annotations

import json
import re

import ipywidgets
import numpy as np
import pytest
import sample_records
import traitlets

import saewidgets as sw
from saewidgets.widgets import _base

SCORES = sample_records.steering_scores()


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


def test_a_dashboard_lists_the_scores_that_it_was_given():
    board = sw.FeatureDashboard(sample_records.dashboard(), scores=SCORES)
    rows = {row["feature"]: row for row in board._index}
    assert [(rows[f]["input"], rows[f]["output"]) for f in (31, 42, 57)] == [(0, 0.5), (0.333, 0.05), (None, 0.005)]
    assert "output" not in rows[88] and "output" not in sw.FeatureDashboard(sample_records.dashboard())._index[0]
    table = board.to_dataframe().set_index("feature")
    assert table.loc[42, "output_score"] == 0.05 and np.isnan(table.loc[57, "input_score"])
    assert np.isnan(table.loc[88, "output_score"])
    assert board.to_code().endswith("scores=sw.analysis.steering_scores(model, sae, acts))")
    assert '"output":0.05' in re.sub(r"\s", "", board.to_html())


def test_scores_of_another_sae_are_refused():
    other = sample_records.steering_scores(sae="miniworld-512")
    with pytest.raises(ValueError, match="the scores are of 'miniworld-512', the SAE is 'miniworld-2048'"):
        sw.FeatureDashboard(sample_records.dashboard(), scores=other)
    with pytest.raises(TypeError, match="steering_scores"):
        sw.FeatureDashboard(sample_records.dashboard(), scores={31: 0.5})
    with pytest.raises(ValueError, match="miniworld-512"):
        sw.FeatureMap(sample_records.feature_map(), scores=other)


def test_a_map_is_colored_by_the_scores_of_its_own_saes():
    data = sample_records.feature_map()
    both = [sample_records.steering_scores((0, 3), "small"), sample_records.steering_scores((3, 5, 7), "large")]
    shown = sw.FeatureMap(data, scores=both, color="output")
    output = np.frombuffer(shown._map["output"], "<f4")
    known = {(data.saes[data.sae[i]].name, int(data.feature[i])): output[i] for i in np.flatnonzero(output == output)}
    expected = {("small", 0): 0.5, ("small", 3): 0.05, ("large", 3): 0.5, ("large", 5): 0.05, ("large", 7): 0.005}
    assert known == pytest.approx(expected)
    assert len(shown.figure.data[0].x) == len(data) - 5  # gray: not known
    shown.color = "input"
    assert "output" in json.dumps(sorted(shown._map)) and "steering_scores(model, sae, a)" in shown.to_code()
    plain = sw.FeatureMap(data)
    assert "output" not in plain._map
    with pytest.raises(traitlets.TraitError, match="the color 'output' needs scores"):
        plain.color = "output"
    with pytest.raises(ValueError, match="the color 'input' needs scores"):
        sw.FeatureMap(data, color="input")
