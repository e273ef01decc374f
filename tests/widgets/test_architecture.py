"""The panel of an SAE's two layers: parts that add up, by hand and in the bundled model."""

from __future__ import annotations

import ipywidgets
import numpy as np
import pytest
import sample_records
import torch
import traitlets
from hostile import HOSTILE

import saewidgets as sw
from saewidgets import views
from saewidgets.files import read_tensors, write_tensors
from saewidgets.widgets import ArchitecturePanel


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()


@pytest.fixture
def parts() -> sw.records.TokenParts:
    return sample_records.token_parts()


# -- the record ------------------------------------------------------------------------------------------------------


def test_parts_by_hand(parts):
    assert parts.active(1).tolist() == [1, 0]  # 4 before 1
    np.testing.assert_allclose(parts.contributions(1), [[0, 4], [3, 0]])
    np.testing.assert_allclose(parts.x_hat[1], [3.5, 3.5])
    np.testing.assert_allclose(parts.error, [[0, 3], [4, 0], [1, 0]])
    assert [parts.mismatch(i) for i in range(3)] == [0, 0, 0]
    assert parts.contributions(2).shape == (0, 2)  # nothing is on: the offset alone
    np.testing.assert_allclose(parts.x_hat[2], parts.offset)


def test_a_wrong_reconstruction_is_seen(parts):
    parts.x_hat[1, 0] += 0.25
    assert parts.mismatch(1) == 0.25 and parts.mismatch(0) == 0


def test_parts_save_and_load(parts, tmp_path):
    path = tmp_path / "parts.safetensors"
    parts.save(path)
    again = sw.records.TokenParts.load(path)
    assert (again.tokens, again.labels, again.promoted) == (parts.tokens, parts.labels, parts.promoted)
    for name in ("x", "pre", "x_hat", "features", "activations", "directions", "offset"):
        np.testing.assert_array_equal(getattr(again, name), getattr(parts, name))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": None}, "expected the arrays"),
        ({"x": np.zeros((3, 5))}, 'x_hat has 2 entries along "d_in", expected 5 as in x'),
        ({"offset": np.zeros(7)}, "offset has 7 entries"),
        ({"pre": np.zeros(3)}, r"pre has shape \[3\], not \[pos, d_sae\]"),
        ({"features": np.arange(9)}, "expected 9 as in features"),
        ({"words": np.frombuffer(b"{", np.uint8)}, "not JSON"),
        ({"words": np.frombuffer(b"3", np.uint8)}, "words is 3, not a list of 2"),
        ({"about": np.frombuffer(b'{"promoted": [["a"]]}', np.uint8)}, "promoted has 1 entry along"),
    ],
)
def test_a_file_that_holds_something_else_is_a_load_error(parts, tmp_path, change, words):
    path = tmp_path / "parts.safetensors"
    parts.save(path)
    tensors = {**read_tensors(path), **change}
    write_tensors(path, {name: value for name, value in tensors.items() if value is not None})
    with pytest.raises(sw.LoadError, match=words):
        sw.records.TokenParts.load(path)


# -- the analysis ----------------------------------------------------------------------------------------------------


def test_parts_add_up_to_the_reconstruction_of_the_bundled_sae():
    model, sae = sw.load_model(), sw.load_sae()
    text = "The fog covers the Golden Gate Bridge."
    parts = sw.token_parts(model, sae, text, labels={1: "one"})
    tokens = model.tokens(text)
    assert parts.tokens == tuple(model.display(tokens))
    x = model.activations(tokens, sae.config.site.hook_name)[0]
    a = sae.encode(x)
    np.testing.assert_allclose(parts.x, x.numpy())
    for i in range(len(tokens)):
        assert parts.mismatch(i) < 1e-5
        assert len(parts.active(i)) == int((a[i] > 0).sum())
        second = parts.offset + parts.contributions(i).sum(0) + parts.error[i]  # parts and error give the whole again
        np.testing.assert_allclose(second, x[i].numpy(), atol=1e-4)
    thresholds = np.sort(parts.pre, axis=1)[:, -sae.config.k]
    np.testing.assert_allclose(
        parts.activations.min(1, where=parts.activations > 0, initial=np.inf), thresholds, rtol=1e-5
    )
    logits = model.direction_logits(sae.decoder_directions[parts.features[:1]])[
        0
    ]  # what the strongest of all tokens is
    assert parts.promoted[0][0] == model.display([int(logits.argmax())])[0]
    assert [len(row) for row in parts.promoted] == [3] * len(parts.features)
    if 1 in parts.features:
        assert parts.labels[list(parts.features).index(1)] == "one"


def test_an_sae_without_a_site_or_of_another_model_is_refused(tiny_model):
    with pytest.raises(ValueError, match="does not say where it reads"):
        sw.token_parts(tiny_model, sw.SAE(sw.SAEConfig(d_in=4, d_sae=8)), "a")
    with pytest.raises(ValueError, match="model_name: miniworld, not tiny"):
        sw.token_parts(tiny_model, sw.load_sae(), "a")
    with pytest.raises(TypeError, match="an Identity was given"):
        sw.token_parts(torch.nn.Identity(), sw.load_sae(), "a")


# -- the panel -------------------------------------------------------------------------------------------------------


def test_the_panel_shows_a_token_and_follows_the_trait(parts):
    panel = ArchitecturePanel(parts)
    assert panel.position == 1  # the strongest feature, the first token aside
    assert panel._shown["rows"] == [[31, "Golden Gate Bridge", 4, 4, [" Bridge"]], [7, "", 1, 3, [" Gate", " bridge"]]]
    assert panel._shown["error_length"] == 4 and panel._shown["mismatch"] == 0
    assert panel._shown["unexplained"] == pytest.approx(16 / (7**2 + 4**2))  # x - offset is (7, 4)
    assert [v for _, v in panel._shown["pre"]] == [4, 1, 0, -2]
    panel.position = 2
    assert panel._shown["rows"] == [] and panel._shown["active"] == 0
    frame = ArchitecturePanel(parts, position=1).to_dataframe()
    assert frame["share"].tolist() == pytest.approx([16 / 25, 9 / 25])
    assert frame["feature"].tolist() == [31, 7] and frame["length"].tolist() == [4, 3]


def test_the_panel_refuses_a_token_that_is_not_there(parts):
    with pytest.raises(ValueError, match="token 3 is not in this text of 3 tokens"):
        ArchitecturePanel(parts, position=3)
    assert ArchitecturePanel(parts, position=-1).position == 2
    panel = ArchitecturePanel(parts, position=0)
    for bad in (3, -1, "1", None, 1.5):
        panel.set_state({"position": bad})
        assert panel.position == 0 and panel.error
    with pytest.raises(traitlets.TraitError):
        panel.position = 99
    empty = sample_records.token_parts(())
    with pytest.raises(ValueError, match="empty"):
        ArchitecturePanel(empty)


def test_page_bundle_code_and_chart(parts):
    panel = ArchitecturePanel(parts)
    assert panel.to_html() == panel.to_html()
    bundle, _ = panel._repr_mimebundle_()
    assert bundle["text/plain"] == "ArchitecturePanel(token=' Gate', position=1, active=2)"
    assert "Golden Gate Bridge" in bundle["text/html"]
    assert "position=1" in panel.to_code()
    (bars,) = panel.figure.data
    assert list(bars.x) == [4, 3]
    assert list(views.token_features(parts, 1).layout.yaxis.ticktext) == ["#31 Golden Gate Bridge", "#7"]
    panel.close()
    assert len(ipywidgets.widgets.widget._instances) == 0


@pytest.mark.parametrize("token", HOSTILE, ids=lambda token: ascii(token)[:24])
def test_hostile_text_stays_text(token):
    from dataclasses import replace

    parts = replace(sample_records.token_parts((token, token, token)), labels=(token,) * 3)
    panel = ArchitecturePanel(parts)
    assert token not in panel._fallback() or "<" not in token
    str(panel.get_state()).encode("utf-8")
    assert "<script>alert" not in panel.to_html().replace("\\u003c", "")
