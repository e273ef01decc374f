"""Features by what they add after a text, and by how they tell texts from others; names that a writer gives them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import saewidgets as sw
from saewidgets.analysis import attribution, search
from saewidgets.analysis.search import by_texts
from saewidgets.sae import SAE, SAEConfig

HOOK = "blocks.0.hook_resid_post"
TEXT = "The fog over the red bridge is"
CORPUS = ["The bridge over the bay", "is red", "and the fog is cold. The fog is over the bay.", "Bay", "cold cold cold"]


@pytest.fixture(scope="module")
def sae(tiny_model):
    return SAE(SAEConfig(32, 48, "topk", k=4, site=sw.site(tiny_model, HOOK), seed=1), name="tiny")


@pytest.fixture(scope="module")
def acts(tiny_model, sae):
    return sw.feature_activations(tiny_model, sae, CORPUS)


def test_by_attribution_adds_up_what_a_feature_does_at_every_token(tiny_model, sae, acts):
    for baseline in ("", " cold"):
        each = attribution(tiny_model, sae, TEXT, " red", baseline)
        found = search.by_attribution(tiny_model, sae, TEXT, " red", baseline, acts)
        own = each.groupby("feature")["attribution"].agg(["sum", "size"])
        assert set(found["feature"]) == set(own.index) and len(own) > 4
        told = found.set_index("feature")
        np.testing.assert_allclose(told["score"], own["sum"].loc[told.index], atol=1e-6)
        assert (told["active"] == own["size"].loc[told.index]).all()
        assert (np.diff(found["score"]) <= 0).all() and found["score"].iloc[-1] < 0 < found["score"].iloc[0]
    with pytest.raises(ValueError, match="is 2 tokens"):
        search.by_attribution(tiny_model, sae, TEXT, " red bridge", acts=acts)


def test_the_classifier_weighs_what_tells_the_texts_apart(tiny_model, sae, acts):
    positive, negative = ["The fog", "fog over the bay", "red fog", "A cold fog"], ["The bridge", "is red", "Bay"]
    found = search.by_classifier(tiny_model, sae, positive, negative, acts, n=48)
    x = np.zeros((7, 48))  # the strongest activation of each text, one text at a time
    for row, text in enumerate(positive + negative):
        own = sw.feature_activations(tiny_model, sae, [text])
        x[row] = own.maximum
    y = np.array([1.0] * 4 + [0.0] * 3)
    live = np.flatnonzero(x.std(0))
    tells = {f: np.mean([(a > b) + 0.5 * (a == b) for a in x[:4, f] for b in x[4:, f]]) for f in live.tolist()}
    live = np.array(sorted(sorted(tells, key=lambda f: (-abs(tells[f] - 0.5), f))[:3]))  # one for every two texts
    assert sorted(found["feature"]) == live.tolist()
    z = torch.tensor((x[:, live] - x[:, live].mean(0)) / x[:, live].std(0))
    w = torch.zeros(len(live) + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([w], max_iter=500, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        s = z @ w[:-1] + w[-1]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(s, torch.tensor(y), reduction="sum")
        loss = loss + w[:-1].square().sum() / 2
        loss.backward()
        return loss

    optimizer.step(closure)
    told = found.set_index("feature").loc[live]
    np.testing.assert_allclose(told["score"], w.detach().numpy()[:-1], atol=2e-3)
    np.testing.assert_allclose(told["auroc"], [tells[f] for f in live.tolist()])


def test_texts_that_were_not_seen_are_told_by_what_is_there_and_not_by_luck():
    dice = np.random.default_rng(0)
    y = np.arange(24) < 8
    noise = np.maximum(dice.normal(size=(24, 300)) - 1, 0)
    told = noise.copy()
    told[y, 5] += 4
    assert by_texts._held_out(told, y) > 0.9
    assert by_texts._classifier(told, y)[0][by_texts._classifier(told, y)[1].argmax()] == 5
    shuffled = [by_texts._held_out(noise, dice.permutation(y)) for _ in range(30)]
    assert abs(np.mean(shuffled) - 0.5) < 0.1, (
        "300 features over 24 texts: of texts that were seen it would be nearly 1"
    )


def test_too_few_texts_and_texts_without_a_difference_are_refused(tiny_model, sae):
    for positive, negative, said in (
        (["fog"], ["bay", "red"], "2 positive texts or more, not 1"),
        ("The fog is here", ["bay", "red"], "2 positive texts or more, not 1"),
        (["fog", "a fog"], [], "2 negative texts or more, not 0"),
        (["fog", ""], ["bay", "red"], "one of the texts is empty"),
        (["fog", "fog"], ["fog", "fog"], "no feature is stronger in one"),
    ):
        with pytest.raises(ValueError, match=said):
            search.by_classifier(tiny_model, sae, positive, negative)


def test_a_writer_names_what_has_no_label_once(tiny_model, sae, acts):
    asked = []

    def writer(passages, strengths):
        asked.append(len(passages))
        return f" by {len(passages)}\nwindows "

    find = sw.searcher(tiny_model, sae, acts, labels={3: "three"}, writer=writer)
    found = find("prompt", text=TEXT, position=-1)
    live = found[found["density"] > 0]
    assert len(live) and all(
        label == "three" if feature == 3 else label.startswith("by ") and label.endswith(" windows (automatic)")
        for feature, label in zip(live["feature"], live["label"], strict=True)
    )
    assert (found["label"][found["density"] == 0] == "").all(), "never active over the corpus: nothing to read"
    before = len(asked)
    assert find("prompt", text=TEXT, position=-1).equals(found) and len(asked) == before
    with pytest.raises(ValueError, match="a writer names features by their activations"):
        sw.searcher(tiny_model, sae, writer=writer)
    with pytest.raises(TypeError, match="writer"):
        sw.searcher(tiny_model, sae, acts, writer="me")
