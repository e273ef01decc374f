"""The dose-response instrument: what it chooses, what it shows, what it refuses."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from types import SimpleNamespace

import ipywidgets
import pytest
import sample_records
import traitlets

from saewidgets.records import DoseResponseData
from saewidgets.widgets import DoseResponse, _base


@pytest.fixture(scope="module")
def sweep() -> DoseResponseData:
    return sample_records.dose_response()


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


def test_it_begins_inside_the_window_and_shows_those_texts(sweep):
    chart = DoseResponse(sweep)
    low, high = sweep.window
    assert chart.window == (low, high) and chart.kind == "clamp" and low <= chart.multiple <= high
    assert chart.texts == sweep.at("clamp", chart.multiple)
    assert chart._shown["texts"] == [[t.seed, t.text, t.concept, ""] for t in chart.texts]


def test_a_point_is_chosen_from_python_and_from_the_page(sweep):
    chart = DoseResponse(sweep)
    chart.kind, chart.multiple = "add", 2.9  # the nearest that was measured
    assert chart._point == "add 3" and chart.multiple == 3.0
    assert [row[1] for row in chart._shown["texts"]] == [t.text for t in sweep.at("add", 3.0)]
    chart.set_state({"_point": "noise 0.5"})
    assert (chart.kind, chart.multiple) == ("noise", 0.5)
    assert [row[1] for row in chart._shown["texts"]] == [t.text for t in sweep.at("noise", 0.5)]
    chart.set_state({"_point": "clamp 0"})  # the same texts may stand at two points: each says whose they are
    at_clamp = chart._shown
    chart.set_state({"_point": "add 0"})
    assert (at_clamp["key"], chart._shown["key"]) == ("clamp 0", "add 0")
    chart.kind = "prompt"  # has one strength only
    assert chart.multiple == 0.0 and chart._point == "prompt 0"


@pytest.mark.parametrize("state", [{"_point": "clamp 99"}, {"_point": 3}, {"_point": None}, {"_point": "<b>"}])
def test_a_bad_point_from_the_browser_is_refused_and_said(sweep, state):
    chart = DoseResponse(sweep)
    before = (chart._point, chart._shown)
    chart.set_state(state)
    assert (chart._point, chart._shown) == before and chart.error


def test_it_refuses_what_is_not_there(sweep):
    with pytest.raises(ValueError, match="no texts"):
        DoseResponse(replace(sweep, texts=()))
    with pytest.raises(ValueError, match="clmp"):
        DoseResponse(sweep, kind="clmp")
    with pytest.raises(ValueError, match="bound"):
        DoseResponse(sweep, concept_rat=0.5)
    with pytest.raises(ValueError, match="finite"):
        DoseResponse(sweep, multiple=math.nan)
    with pytest.raises(traitlets.TraitError, match="kind"):
        DoseResponse(sweep).kind = "clmp"


def test_figures_are_those_of_the_summary(sweep):
    chart = DoseResponse(sweep)
    table = sweep.summary()
    assert chart.to_dataframe().equals(table)
    points = chart._sweep["points"]
    assert [(p["kind"], p["multiple"], p["n"]) for p in points] == list(
        zip(table["kind"], table["multiple"], table["n"], strict=True)
    )
    for p, row in zip(points, table.to_dict("records"), strict=True):
        for name in ("concept_rate", "perplexity_ratio", "kl", "distinct_2"):
            assert p[name] == pytest.approx([row[name], row[f"{name}_low"], row[f"{name}_high"]], rel=1e-5, abs=1e-9)
        assert p["repeats"][0] == row["repeats"] and p["passes"] == row["passes"]


def test_other_bounds_give_another_window(sweep):
    strict = DoseResponse(sweep, perplexity_ratio=1.35)
    assert strict.window == sweep.window_of("clamp", perplexity_ratio=1.35) != sweep.window
    assert strict._sweep["bounds"]["perplexity_ratio"] == 1.35
    assert strict.figure.layout.shapes != DoseResponse(sweep).figure.layout.shapes
    none = DoseResponse(sweep, concept_rate=1.01)
    assert none.window is None and none._sweep["window"] is None and none.multiple == 10.0


def test_the_page_carries_every_text_and_is_the_same_each_time(sweep):
    chart = DoseResponse(sweep)
    assert chart.to_html() == DoseResponse(sweep).to_html()
    lookup = chart._view()["lookup"]
    assert (lookup["from"], lookup["to"]) == ("_point", "_shown")
    carried = [row for point in lookup["table"].values() for row in point["texts"]]
    assert len(carried) == len(sweep.texts)
    json.dumps(chart._view(), allow_nan=False)
    assert len(DoseResponse(sweep).to_html()) < 160_000


def test_what_is_not_finite_leaves_a_gap(sweep):
    blind = replace(
        sweep, texts=tuple(replace(t, concept=None, perplexity=math.inf) for t in sweep.texts), own_perplexity=math.nan
    )
    chart = DoseResponse(blind)
    assert chart.window is None
    assert all(p["concept_rate"][0] is None and p["perplexity_ratio"][0] is None for p in chart._sweep["points"])
    json.dumps(chart._view(), allow_nan=False)


def test_code_repr_and_bundle(sweep, tmp_path):
    chart = DoseResponse(sweep)
    code = chart.to_code()
    compile(code, "code", "exec")
    assert "    31,\n    maximum=12.5,\n" in code and "concept='golden_gate_bridge'" in code
    assert "sw.load_sae('miniworld-2048')" in code and "1.4" in code
    assert repr(chart) == "DoseResponse(feature=31, kind='clamp', multiple=1.6, texts=342)"
    bundle, _ = chart._repr_mimebundle_()
    assert "<table>" in bundle["text/html"] and "Golden Gate Bridge" in bundle["text/html"]
    page = chart.to_html(tmp_path / "dose.html")
    assert (tmp_path / "dose.html").read_text(encoding="utf-8") == page


def test_a_text_that_broke_off_is_sent_with_its_reason():
    why = "the logits are not finite after 7 tokens"
    sweep = sample_records.dose_response()
    broken = next(i for i, text in enumerate(sweep.texts) if (text.kind, text.multiple) == ("clamp", 3.0))
    texts = [replace(text, stopped=why) if i == broken else text for i, text in enumerate(sweep.texts)]
    chart = DoseResponse(replace(sweep, texts=tuple(texts)), kind="clamp", multiple=3.0)
    assert [row[3] for row in chart._shown["texts"]].count(why) == 1
    stopped = {point["key"]: point["stopped"] for point in chart._sweep["points"]}
    assert stopped["clamp 3"] == 1 and sum(stopped.values()) == 1


class _Carrier:
    """A steerer by its names, which carries nothing."""

    def __init__(self, model="miniworld", sae="miniworld-2048", site="blocks.2.hook_resid_post"):
        self.model, self.sae, self.hook_name = SimpleNamespace(name=model), SimpleNamespace(name=sae), site

    def carried(self, features):
        raise AssertionError("nothing is carried before the source was looked at")


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"live": True}, TypeError, "a sweep holds no model: to_html(path, live=True, steer=sw.Steerer(model, sae))"),
        ({"live": True, "steer": sample_records.Writer()}, TypeError, "Writer has none to give"),
        ({"steer": _Carrier()}, TypeError, "steer is carried by a live page only"),
        ({"live": True, "steer": _Carrier(model="gpt2")}, ValueError, "the model 'miniworld', and steer has 'gpt2'"),
        ({"live": True, "steer": _Carrier(sae="mine")}, ValueError, "the SAE 'miniworld-2048', and steer has 'mine'"),
        ({"live": True, "steer": _Carrier(site="ln_final.hook_normalized")}, ValueError, "the site 'blocks.2.hook_"),
    ],
)
def test_a_live_page_of_what_cannot_write_the_sweep_is_refused(sweep, tmp_path, options, kind, said):
    with pytest.raises(kind, match=re.escape(said)):
        DoseResponse(sweep).to_html(tmp_path / "page.html", **options)
    assert not (tmp_path / "page.html").exists()
