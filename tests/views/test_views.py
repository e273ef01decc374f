"""The charts say what the records say."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
import sample_records
from hostile import HOSTILE

from saewidgets import views
from saewidgets.analysis.toys import memorization
from saewidgets.analysis.toys.bases import BasisAlignment
from saewidgets.frontend import INSTRUMENTS, css
from saewidgets.records import FeatureActivations, Generation, Histogram, Token
from saewidgets.toy import ToyConfig, train_toy, training_inputs
from saewidgets.views import _style


@pytest.fixture(scope="module")
def data():
    return sample_records.dashboard()


def test_activation_histogram_holds_the_counts(data):
    small = replace(data[31], histogram=Histogram((0.0, 2.0, 4.0), (30, 10)), label="")
    (bars,) = views.activation_histogram(small).data
    assert list(bars.x) == [1.0, 3.0] and list(bars.y) == [30, 10] and list(bars.width) == [2.0, 2.0]
    assert [list(row) for row in bars.customdata] == [[0.0, 2.0, 0.75], [2.0, 4.0, 0.25]]


def test_logit_effects_are_in_order_and_apart(data):
    (bars,) = views.logit_effects(data[31]).data
    assert list(bars.x) == sorted(bars.x, reverse=True)
    assert len(bars.x) == 20 and len(set(bars.y)) == 20
    assert set(bars.marker.color) == {_style.UP, _style.DOWN}


def test_density_histogram_counts_every_feature_once(data):
    (bars,) = views.density_histogram(data).data
    assert sum(bars.y) == 5
    acts = FeatureActivations(  # feature 0 on one of 4 tokens, feature 1 never, feature 2 on two
        tokens=np.zeros((1, 4), np.int32),
        context=np.zeros(3, np.int32),
        position=np.array([0, 1, 2], np.int32),
        value=np.ones(3, np.float32),
        start=np.array([0, 1, 1, 3]),
        counted=np.ones((1, 4), bool),
    )
    fig = views.density_histogram(acts)
    assert sum(fig.data[0].y) == 2 and "1 never fire" in fig.layout.title.text
    middles = [x for x, n in zip(fig.data[0].x, fig.data[0].y, strict=True) if n]
    assert np.allclose(middles, np.log10([0.25, 0.5]), atol=fig.data[0].width / 2 + 1e-9)


def test_training_curves_leave_gaps_where_nothing_is_finite():
    steps = sample_records.training(4)
    steps[2] = replace(steps[2], loss=math.nan)
    fig = views.training_curves(steps)
    assert [trace.y[0] for trace in fig.data] == [steps[0].loss, steps[0].fvu, steps[0].l0, steps[0].dead]
    assert fig.data[0].y[2] is None and fig.data[0].connectgaps is False
    assert list(fig.data[1].x) == [1, 2, 3, 4]


def test_feature_plane_draws_the_projection():
    fig = views.feature_plane([90, 30], (0.4, 0.8))
    drop = fig.data[1]
    read = 0.4 * math.cos(math.radians(30)) + 0.8 * math.sin(math.radians(30))
    assert drop.line.dash == "dash"
    assert drop.x[1] == pytest.approx(read * math.cos(math.radians(30)), abs=1e-12)
    across = (drop.x[1] - 0.4, drop.y[1] - 0.8)  # perpendicular to the direction
    assert across[0] * math.cos(math.radians(30)) + across[1] * math.sin(math.radians(30)) == pytest.approx(
        0, abs=1e-12
    )


def test_dose_response_draws_what_the_summary_says():
    sweep = sample_records.dose_response()
    table = sweep.summary()
    fig = views.dose_response(sweep)
    clamp = table[table["kind"] == "clamp"].sort_values("multiple")
    rates = next(t for t in fig.data if t.name == "clamp the feature" and t.xaxis == "x")
    assert list(rates.y) == list(clamp["concept_rate"])
    assert [x * abs(x) for x in rates.x] == pytest.approx(list(clamp["multiple"]))  # the axis is a signed square root
    assert list(rates.customdata) == list(clamp["multiple"])
    ratios = next(t for t in fig.data if t.name == "clamp the feature" and t.xaxis == "x2")
    assert list(ratios.y) == list(clamp["perplexity_ratio"]) and fig.layout.yaxis2.type == "log"
    band = fig.data[[t.name for t in fig.data].index("clamp the feature") - 1]  # drawn just before its line
    assert band.fill == "toself" and sorted(band.y) == sorted([*clamp["concept_rate_low"], *clamp["concept_rate_high"]])
    shaded = [s for s in fig.layout.shapes if s.type == "rect"]
    low, high = sweep.window
    assert len(shaded) == 5
    assert shaded[0].x0 < math.sqrt(low) < math.sqrt(high) < shaded[0].x1 and shaded[0].x1 - shaded[0].x0 < 0.5
    level = next(t for t in fig.data if t.name == "a prompt instead")
    assert level.mode == "lines" and set(level.y) == {1.0}
    names = [t.name for t in fig.data if t.showlegend]
    assert len(names) == len(set(names)) == len(sweep.kinds)


def test_dose_response_without_a_window_or_a_concept():
    sweep = sample_records.dose_response()
    assert not [s for s in views.dose_response(sweep, concept_rate=1.01).layout.shapes if s.type == "rect"]
    blind = replace(sweep, texts=tuple(replace(t, concept=None, perplexity=math.inf) for t in sweep.texts), concept="")
    fig = views.dose_response(blind)
    assert all(y is None for t in fig.data if t.xaxis == "x" for y in t.y)
    fig.to_json()


def test_token_shift_skips_what_was_not_computed():
    tokens = (Token(1, " a", -0.5, 0.25), Token(2, "", -0.5, math.nan))
    (bars,) = views.token_shift(Generation("p", tokens, (), 0, 0.8)).data
    assert list(bars.y) == [0.25, None]


def test_figures_are_plain_and_stand_on_any_background(data):
    figures = [
        views.activation_histogram(data[31]),
        views.logit_effects(data[31]),
        views.density_histogram(data),
        views.training_curves(sample_records.training(5)),
        views.feature_plane([0, 90], (0, 1)),
        views.dose_response(sample_records.dose_response()),
    ]
    for fig in figures:
        assert type(fig) is go.Figure
        assert fig.layout.paper_bgcolor == fig.layout.plot_bgcolor == "rgba(0,0,0,0)"
        assert fig.layout.font.color == _style.NEUTRAL


@pytest.mark.parametrize("token", HOSTILE, ids=lambda token: ascii(token)[:24])
def test_plotly_sees_no_markup_in_tokens(data, token):
    """Plotly reads tags, entities and TeX wherever it shows text."""
    hostile = sample_records.with_token(data, token)[31]
    fig = views.logit_effects(hostile)
    shown = [*fig.layout.yaxis.ticktext, fig.layout.title.text, *(row[0] for row in fig.data[0].customdata)]
    for text in shown:
        assert "<" not in text and ">" not in text and "$" not in text
        assert text and len(text) < 200_000
    assert all(len(text) < 200 for text in fig.layout.yaxis.ticktext)


def test_colors_are_those_of_the_style_sheet():
    sheet = css(*INSTRUMENTS)
    for color in (_style.HOT, _style.UP, _style.DOWN, _style.PROMPT, *_style.CURVES, *_style.DIRECTIONS):
        assert color in sheet


@pytest.fixture(scope="module")
def on_data():
    """Two sizes of the data set, two starts each."""
    config = ToyConfig(8, 2, 4, 0.4, data_size=(30, 3, 3, 30), steps=60, batch_size=16, snapshots=2)
    return train_toy(config).run()


def test_double_descent_has_the_losses_and_the_shares_of_each_size(on_data):
    rows = memorization.double_descent(on_data)
    fig = views.double_descent(rows)
    by_name = {(t.name, t.mode): t for t in fig.data if t.name}
    fresh = by_name["on fresh inputs", "lines"]
    assert list(fresh.x) == [3, 30]
    assert list(fresh.y) == pytest.approx(
        [np.median(on_data.losses[-1, [1, 2]]), np.median(on_data.losses[-1, [0, 3]])]
    )
    features, inputs = by_name["features", "markers"], by_name["training inputs", "markers"]
    assert list(features.x) == [3] * 8 + [30] * 8 and list(inputs.x) == [3] * 3 + [30] * 30
    assert list(features.y[:8]) == pytest.approx(list(rows[0].features))
    assert list(inputs.y[:3]) == pytest.approx(list(rows[0].examples))
    assert list(by_name["m / T", "lines"].y) == pytest.approx([2 / 3, 2 / 30])
    with pytest.raises(TypeError, match=r"memorization\.double_descent"):
        views.double_descent([])


def test_features_stand_above_the_hidden_vectors_of_the_inputs(on_data):
    fig = views.features_and_examples(on_data, [1])
    marks = [t for t in fig.data if t.mode == "markers"]
    W = on_data.final[1]
    h = W @ training_inputs(on_data)[1].T
    assert np.allclose([marks[0].x, marks[0].y], W) and np.allclose([marks[1].x, marks[1].y], h, atol=1e-6)
    assert fig.layout.annotations[0].text == "T = 3"
    assert [a.text for a in views.features_and_examples(on_data).layout.annotations] == ["T = 3", "T = 30"]
    with pytest.raises(ValueError, match="arrows in the plane need 2 hidden dimensions, not 3"):
        views.features_and_examples(train_toy(ToyConfig(4, 3, data_size=5, steps=1, snapshots=2)).run())


def test_hidden_coordinates_fall_from_the_largest():
    shares = np.array([[0.1, 0.7, 0.2], [0.3, 0.3, 0.4]])
    fig = views.hidden_coordinates(BasisAlignment(np.array([4.0, 1.1]), np.ones(2), shares, 1.5))
    assert [list(t.y) for t in fig.data] == [[0.7, 0.2, 0.1], [0.4, 0.3, 0.3]]
    assert [t.name for t in fig.data] == ["model 1: kurtosis 4.0", "model 2: kurtosis 1.1"]
    assert fig.layout.shapes[0].y0 == pytest.approx(1 / 3)
