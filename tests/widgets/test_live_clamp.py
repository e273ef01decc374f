"""What a live page of a clamp panel refuses, before anything is written, and what it carries."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import families
import pytest
import sample_records

import saewidgets as sw
from saewidgets.models.carried import carried_model
from saewidgets.records import Clamp, ClampRecording, Generation, Token, carried


class Carrier(sample_records.Writer):
    """Writes without a model, and carries one that is not there."""

    def carried(self, features):
        raise AssertionError("nothing is carried before the panel was looked at")


def refused(tmp_path, panel, kind):
    path = tmp_path / "page.html"
    with pytest.raises(kind) as error:
        panel.to_html(path, live=True)
    assert not path.exists() and panel.to_html()  # a picture it still is
    return str(error.value)


def test_a_source_without_a_model_is_refused(tmp_path):
    data = sample_records.dashboard()
    said = refused(tmp_path, sw.ClampPanel(sample_records.Writer(), data), TypeError)
    assert said.endswith("the source, Writer, has none to give: make the panel of sw.Steerer(model, sae)")
    tokens = (Token(1, " I", -1.0, 0.0),)
    recording = ClampRecording("Hi", (Generation("Hi", tokens, (), 0, 0.5),), {}, 1)
    said = refused(tmp_path, sw.ClampPanel(recording, data), TypeError)
    assert said.startswith("a recording has its texts already, and no model: panel.to_html(path), without live=True")


def test_comparisons_and_large_seeds_are_refused(tmp_path):
    data = sample_records.dashboard()
    panel = sw.ClampPanel(
        Carrier(), data, comparisons={"half": lambda clamps: [Clamp(c.feature, c.value / 2) for c in clamps]}
    )
    assert refused(tmp_path, panel, ValueError).startswith("comparisons are Python, which a page cannot run: 'half';")
    panel = sw.ClampPanel(Carrier(), data, seed=2**60 + 1)
    assert str(2**60 + 1) in refused(tmp_path, panel, ValueError)


def test_another_family_is_refused_by_its_parts():
    config, settings, _ = families.ARCHITECTURES["llama"]
    model = sw.Model(families.make(config, settings), name="a llama")
    with pytest.raises(ValueError, match=re.escape("a llama has norm 'rms', positions 'rotary', mlp 'gated'")) as error:
        carried_model(model, "blocks.1.hook_resid_post")
    assert "GPT-2's family" in str(error.value) and "record_clamps" in str(error.value)


def test_what_is_too_large_is_refused_with_both_sizes():
    carried.check_size(12 << 20, "they")
    with pytest.raises(
        ValueError,
        match=r"the weights of big are 134,515,008 numbers, 269 MB at 16 bits each, and a live page takes 25 MB",
    ):
        carried.check_size(134_515_008, "the weights of big")


def test_a_number_that_16_bits_cannot_hold_is_refused():
    import numpy as np

    with pytest.raises(ValueError, match="embedding of big holds 70000"):
        carried.flat({"embedding": np.array([1.0, -7e4])}, "big")
    shapes, weights = carried.flat({"a": np.ones((2, 3)), "b": np.array([0.5, 2.0])}, "small")
    found = carried.Carried({"shapes": shapes}, weights)
    assert found.array("b").tolist() == [0.5, 2.0] and found.array("a").shape == (2, 3)


def test_a_page_carries_what_its_sliders_need(tmp_path):
    """Maxima to the last bit, so that a clamp in the page is the clamp here."""
    data = sample_records.dashboard()
    features = dict(data.features)
    features[31] = replace(features[31], maximum=7.644661426544189)
    data = replace(data, features=features)
    model, sae = sw.load_model(), sw.load_sae()
    panel = sw.ClampPanel(sw.Steerer(model, sae), data, multiples={31: 1.0}, windows={31: (1.0, 2.0)}, prompt="I")
    text = panel.to_html(live=True)
    view = json.loads(re.search(r'id="saew-data">(.*?)</script>', text)[1])[0]
    assert view["live"]["maxima"]["31"] == 7.644661426544189 and view["live"]["windows"] == {"31": [1.0, 2.0]}
    assert panel.to_code().startswith(view["live"]["opening"]) and view["live"]["opening"].endswith(
        "sw.Steerer(model, sae)\n"
    )
    assert "worker-src blob:;" in text and "worker-src" not in panel.to_html()
    found = panel.source.carried([42, 31])
    assert found.about["sae"]["features"] == [31, 42] and list(found.about["shapes"]["sae.W_dec"]) == [2, 160]
    assert (found.array("sae.W_dec") == sae.W_dec[[31, 42]].detach().half().numpy()).all()
