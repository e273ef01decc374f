"""Logits that are not finite stop a text, and whoever asked for it is told."""

from __future__ import annotations

import copy

import pytest
import torch

import saewidgets as sw
from saewidgets.models import Edit, Model
from saewidgets.models.sampling import finite
from saewidgets.records import Clamp, ClampRecording, DoseResponseData, Generation, NotFiniteError
from saewidgets.sae import SAE, SAEConfig
from saewidgets.steering import Steerer, record_clamps

HOOK = "blocks.0.hook_resid_post"
PROMPT = "The fog"
HUGE = 3e38
WORDS = r"the logits are not finite after 0 tokens: the activations overflow in float32, or the edit gives nan: use a weaker clamp"


@pytest.fixture(scope="module")
def steer(tiny_model):
    sae = SAE(SAEConfig(32, 48, "topk", k=6, site=sw.site(tiny_model, HOOK)), name="tiny")
    with torch.no_grad():
        sae.W_dec.mul_(2.0)
    return Steerer(tiny_model, sae)


def broken_after(n):
    """An edit that gives nan from position n on."""

    def edit(x, start):
        x = x.clone()
        x[:, max(n - start, 0) :] = float("nan")
        return x

    return Edit(HOOK, edit)


def test_a_row_has_a_next_token_or_not():
    inf = float("inf")
    rows = torch.tensor([[0.0, 1.0], [-inf, 1.0], [-inf, -inf], [inf, 0.0], [0.0, float("nan")]])
    assert finite(rows).tolist() == [True, True, False, False, False]


def test_a_generation_says_why_it_stopped_and_a_file_keeps_it(steer, tmp_path):
    with pytest.raises(NotFiniteError, match=WORDS):
        list(steer(PROMPT, [Clamp(3, HUGE)], n_tokens=5))
    found = steer.generate(PROMPT, [Clamp(3, HUGE)], n_tokens=5)
    assert found.tokens == () and found.stopped.startswith("the logits are not finite after 0 tokens")
    assert Generation.from_dict(found.to_dict()) == found
    assert steer.generate(PROMPT, n_tokens=5).stopped == ""
    recording = record_clamps(steer, PROMPT, [[Clamp(3, HUGE)], [Clamp(3, 5.0)]], n_tokens=4)
    recording.save(tmp_path / "clamps.json")
    again = ClampRecording.load(tmp_path / "clamps.json")
    assert again == recording and again.nearest([Clamp(3, HUGE)], 0).stopped == found.stopped
    assert again.to_dataframe()["stopped"].astype(bool).tolist() == [False, True, False]
    old = recording.to_dict()
    for text in old["generations"]:
        del text["stopped"]  # as files of before have it
    assert [g.stopped for g in ClampRecording.from_dict(old).generations] == ["", "", ""]


def test_a_played_recording_breaks_off_as_the_text_did(steer):
    recording = record_clamps(steer, PROMPT, [[Clamp(3, HUGE)]], n_tokens=4)
    with pytest.raises(NotFiniteError, match="not finite after 0 tokens"):
        list(recording(PROMPT, [Clamp(3, HUGE)], n_tokens=4, seed=0, temperature=0.5))


def test_what_was_written_before_is_kept(tiny_model):
    prompt = tiny_model.tokens(PROMPT)
    written = []
    with pytest.raises(NotFiniteError, match="after 3 tokens"):
        for token, *_ in tiny_model.stream(prompt, n_tokens=8, temperature=1.0, edit=broken_after(len(prompt) + 2)):
            written.append(token)
    clean = [token for token, *_ in tiny_model.stream(prompt, n_tokens=8, temperature=1.0)]
    assert written == clean[:3]


def test_perplexity_raises(steer):
    assert steer.perplexity(PROMPT, " is", [Clamp(3, 5.0)]) > 1
    with pytest.raises(
        NotFiniteError, match=r"the logits are not finite over the text ' is': the activations overflow"
    ):
        steer.perplexity(PROMPT, " is", [Clamp(3, HUGE)])


def test_a_batch_goes_on_without_the_row(tiny_model):
    prompt = tiny_model.tokens(PROMPT)
    lost = []

    def second_breaks(x, start):
        x = x.clone()
        x[1:2, max(len(prompt) + 1 - start, 0) :] = float("nan")
        return x

    options = {"n_tokens": 6, "temperature": 1.0, "seeds": [0, 1]}
    rows = [[], []]
    for on, tokens, *_ in tiny_model.batch(prompt, edit=Edit(HOOK, second_breaks), broken=lost.extend, **options):
        for row, token in zip(on.tolist(), tokens.tolist(), strict=True):
            rows[row].append(token)
    clean = tiny_model.sample(prompt, **options)
    assert lost == [1] and rows == [clean[0], clean[1][:2]]
    with pytest.raises(NotFiniteError, match="after 2 tokens of the text of seed 1"):
        tiny_model.sample(prompt, edit=Edit(HOOK, second_breaks), **options)


def test_a_sweep_survives_it_shows_it_and_counts_it_out(tiny_model, steer, tmp_path):
    data = sw.dose_response(
        tiny_model,
        steer.sae,
        3,
        maximum=HUGE,
        prompt=PROMPT,
        kinds=["clamp"],
        multiples=[1e-38, 1.0],
        seeds=[0, 1],
        n_tokens=4,
    )
    stopped = {(t.kind, t.multiple): t.stopped for t in data.texts}
    assert stopped["none", 0.0] == stopped["clamp", 1e-38] == ""
    assert stopped["clamp", 1.0].startswith("the logits are not finite after 0 tokens")
    table = data.summary().set_index(["kind", "multiple"])
    assert table.loc[("clamp", 1.0), "stopped"] == 2 and not table.loc[("clamp", 1.0), "passes"]
    data.save(tmp_path / "dose.json")
    assert [t.stopped for t in DoseResponseData.load(tmp_path / "dose.json").texts] == [t.stopped for t in data.texts]
    old = data.to_dict()
    for text in old["texts"]:
        del text["stopped"]
    assert {t.stopped for t in DoseResponseData.from_dict(old).texts} == {""}


def test_the_panel_says_it_in_one_sentence(tiny_model, steer):
    acts = sw.feature_activations(tiny_model, steer.sae, ["The bridge over the bay is red and the fog is cold."])
    data = sw.dashboard_data(tiny_model, steer.sae, acts)
    feature = int(acts.maximum.argmax())
    panel = sw.ClampPanel(steer, data, multiples={feature: 1.0}, prompt=PROMPT, n_tokens=4)
    strong = (Clamp(feature, HUGE),)
    type(panel).clamps, kept = property(lambda self: strong), type(panel).clamps
    try:
        panel.write()
        with pytest.raises(NotFiniteError, match="the logits are not finite after 0 tokens"):
            panel.wait(60)
    finally:
        type(panel).clamps = kept
    assert panel.status == "idle" and panel.clamped.stopped == panel.error != "" and len(panel.default.tokens) == 4
    panel.multiples = {feature: 0.5}
    assert panel.wait(60) and panel.error == "" and panel.clamped.stopped == ""


def test_float16_is_named(tiny_model):
    hooked = copy.deepcopy(tiny_model.hooked).half()
    hooked.cfg.dtype = torch.float16
    half = Model(hooked, name="tiny", vocabulary=tiny_model.vocabulary)
    sae = SAE(SAEConfig(32, 48, "topk", k=6, site=sw.site(half, HOOK)))
    found = Steerer(half, sae).generate(PROMPT, [Clamp(3, 1e6)], n_tokens=4)
    assert (
        found.text == ""
        and "the activations overflow in float16: use a weaker clamp, or the model in float32" in found.stopped
    )
