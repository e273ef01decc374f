"""One line opens three instruments on any model and SAE, and the bundled ones come as one record."""

from __future__ import annotations

import json

import ipywidgets
import numpy as np
import pytest

import saewidgets as sw
from saewidgets import miniworld
from saewidgets.analysis import setup
from saewidgets.doctor.texts import ENGLISH
from saewidgets.records import MeasuredClamps
from saewidgets.widgets import _cells


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()
    _cells.MADE.clear()


@pytest.fixture(scope="module")
def demo(request):
    """What `load_demo` gives, of a smaller corpus."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setup, "load_corpus", lambda: miniworld.load_corpus(300))
        return sw.load_demo()


def test_the_demo_holds_what_every_instrument_takes(demo):
    clamp = demo.clamps["golden_gate_bridge"]
    assert demo.data[clamp.feature].label == "golden gate bridge" and demo.feature == clamp.feature
    scores = sw.concept_scores(demo.acts, demo.corpus).set_index("concept")
    tells = scores[scores["auroc"] > 0.95]
    assert len(tells) > 10
    own = demo.clamps.of(demo.sae.name)
    assert set(demo.labels) == {*tells["feature"], *own.labels}
    assert "2,048" not in repr(demo) and "miniworld, 300 documents, seed 1" in repr(demo)


def test_a_window_is_of_the_same_activations_over_any_corpus(demo):
    """A window is in multiples of a maximum over 2,000 documents; over fewer the maximum is smaller, and the multiples
    larger.
    """
    own = demo.clamps.of(demo.sae.name)
    assert demo.windows
    for entry in own.values():
        if entry.feature not in demo.windows:
            assert demo.acts.maximum[entry.feature] == 0
            continue
        low, high = np.array(demo.windows[entry.feature]) * demo.acts.maximum[entry.feature]
        assert (low, high) == pytest.approx(tuple(m * entry.maximum for m in entry.window), rel=1e-3)


def test_a_preset_holds_what_was_measured(demo):
    """Every measured clamp of this SAE whose feature fires over the corpus is one, in multiples of the maxima there."""
    own = [entry for entry in demo.clamps.of(demo.sae.name).values() if demo.acts.maximum[entry.feature] > 0]
    assert own and list(demo.presets) == [entry.label for entry in own]
    for entry, preset in zip(own, demo.presets.values(), strict=True):
        held = {feature: multiple * demo.acts.maximum[feature] for feature, multiple in preset.items()}
        assert held == pytest.approx({entry.feature: entry.value}, rel=1e-3)


def test_measured_clamps_are_read_by_name_and_by_concept():
    clamps = sw.load_clamps()
    raw = json.loads(miniworld.CLAMPS_FILE.read_text())
    entry = clamps["cat"]
    assert (entry.sae, entry.feature, entry.window) == ("miniworld-512", 392, (1.2, 1.8))
    assert entry.clamp("prompt") == sw.Clamp(392, 1.55 * 7.1458, "prompt") and entry.value == 1.55 * 7.1458
    assert entry.values == {392: entry.value}
    assert list(clamps) == list(raw["clamps"]) and clamps.tried == raw["tried"] and clamps.prompt == raw["prompt"]
    assert clamps.of("miniworld-512").windows[392] == (1.2, 1.8) and 96 not in clamps.of("miniworld-512").labels
    with pytest.raises(KeyError, match="unknown concept with a measured clamp 'catt'; nearest: cat"):
        clamps["catt"]
    with pytest.raises(KeyError, match="the concepts are keys of this record itself"):
        clamps["clamps"]
    with pytest.raises(ValueError, match=r"has no 'window', which every MeasuredClamp has"):
        del raw["clamps"]["cat"]["window"]
        MeasuredClamps.from_dict(raw)


def test_three_instruments_share_one_feature(demo):
    view = sw.explore(demo.model, demo.sae, demo.corpus, progress=False)
    bridge = demo.clamps["golden_gate_bridge"].feature
    assert view.children == (view.clamp, view.dashboard, view.probe)
    assert view.feature == bridge and view.clamp.features == [bridge] and view.clamp.windows == demo.windows
    assert view.clamp.prompt == demo.clamps.prompt and bridge in view.probe.data.listed
    other = next(f for f in demo.labels if f != bridge and f in view.data.features)
    view.dashboard.feature = other
    assert view.clamp.feature == view.probe.feature == view.selection.feature == other
    assert view.to_code().endswith(f"corpus = sw.load_corpus(300)\nsw.explore(model, sae, corpus, feature={other})")


def test_a_model_of_ones_own_is_explored_on_plain_texts(tiny_model, tmp_path):
    sae = sw.SAE(sw.SAEConfig(32, 48, "topk", k=6, site=sw.site(tiny_model, "blocks.0.hook_resid_post")), name="tiny")
    with pytest.warns(UserWarning):  # it is not trained
        view = sw.explore(tiny_model, sae, n_texts=5, labels={3: "three"}, progress=False)
    assert view.data.passport.corpus.startswith(f"{len(ENGLISH) + 5} texts") and view.clamp.windows == {}
    assert view.probe.text and view.data[3].label == "three"
    assert view.to_code().splitlines()[-1] == f"sw.explore(model, sae, feature={view.feature}, n_texts=5)"
    page = view.to_html(tmp_path / "view.html")
    assert page.count('class="saew-mount"') == 3 and (tmp_path / "view.html").read_text(encoding="utf-8") == page
    rare = [f for f in view.data.features if view.data[f].density * view.data.passport.n_tokens >= 5]
    assert view.data[view.feature].maximum <= max(view.data[f].maximum for f in rare)


def test_a_view_that_is_closed_lets_go_of_its_parts(demo):
    view = sw.explore(demo.model, demo.sae, demo.corpus, progress=False)
    parts = view.children
    view.close()
    assert all(part.comm is None for part in (*parts, view))


def test_what_does_not_belong_together_is_refused_before_the_corpus_is_read(demo, tiny_model, monkeypatch):
    monkeypatch.setattr(setup, "feature_activations", lambda *a, **k: pytest.fail("the corpus was read"))
    with pytest.raises(TypeError, match="give the model first"):
        sw.explore(demo.sae, demo.model)
    with pytest.raises(ValueError, match="miniworld"):
        sw.explore(tiny_model, demo.sae)
    with pytest.raises(ValueError, match="n_texts must be a whole number of 1 or more, not 0"):
        sw.explore(demo.model, demo.sae, n_texts=0)
    monkeypatch.setattr(tiny_model, "_vocabulary", None)
    sae = sw.SAE(sw.SAEConfig(32, 48, "topk", k=6, site=sw.site(tiny_model, "blocks.0.hook_resid_post")))
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="has no tokenizer: give token rows"):
        sw.explore(tiny_model, sae)
