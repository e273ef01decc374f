"""Which feature to clamp: the Jacobian lens against autograd, the scores against loops over whole passes, and their
rank correlations against pandas.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import saewidgets as sw
from saewidgets.analysis.candidates import jacobian_lens, score_correlations, scored_windows, steering_scores
from saewidgets.files import LoadError
from saewidgets.models import Edit
from saewidgets.records import JacobianLens, SteeringScores

HOOKS = ("blocks.0.hook_resid_post", "blocks.1.hook_resid_post")
TEXTS = ["The bridge over the bay is red and the fog is cold.", "The fog is red.", "The bay"]


@pytest.fixture(scope="module")
def lens(tiny_model):
    return jacobian_lens(tiny_model, TEXTS, skip=3, rows=2, progress=False)


def end_of(model, tokens, h):
    """[pos, d]: the stream after the last layer with h [pos, d] flowing after the first, by TransformerLens."""
    found = []

    def put(value, hook):
        return h[None]

    def take(value, hook):
        found.append(value)

    model.hooked.run_with_hooks(tokens[None], fwd_hooks=[(HOOKS[0], put), (HOOKS[1], take)])
    return found[0][0]


def test_the_jacobian_lens_is_what_autograd_gives_of_each_text_by_itself(tiny_model, lens):
    total, n = torch.zeros(32, 32, dtype=torch.float64), 0
    for text in TEXTS:
        tokens = tiny_model.tokens(text)
        _, cache = tiny_model.hooked.run_with_cache(tokens[None])
        h = cache[HOOKS[0]][0].detach()
        whole = torch.autograd.functional.jacobian(
            lambda x, tokens=tokens: end_of(tiny_model, tokens, x), h
        )  # [t, i, s, j]
        first = 3  # the beginning-of-text token is one of the three
        total += whole[first:, :, first:].sum((0, 2)).double()
        n += max(0, len(tokens) - first)
    assert lens.n_tokens == n and lens.n_texts == sum(len(tiny_model.tokens(text)) > 3 for text in TEXTS)
    np.testing.assert_allclose(lens.matrices[HOOKS[0]], (total / n).numpy(), atol=1e-5)


def test_at_the_end_the_lens_is_the_identity_and_elsewhere_it_is_not(lens):
    np.testing.assert_array_equal(lens.matrices[HOOKS[1]], np.eye(32, dtype=np.float32))
    assert np.abs(lens.matrices[HOOKS[0]] - np.eye(32)).max() > 0.1
    directions = np.arange(64, dtype=np.float32).reshape(2, 32)
    np.testing.assert_allclose(
        lens.carried(HOOKS[0], directions)[1], lens.matrices[HOOKS[0]] @ directions[1], rtol=1e-5
    )


def test_what_a_lens_refuses(tiny_model, lens):
    with pytest.raises(ValueError, match=r"no token is left: the longest of 1 texts has 2 tokens.*smaller skip"):
        jacobian_lens(tiny_model, ["The"], skip=16)
    with pytest.raises(ValueError, match=r"does not depend on ln_final.hook_normalized"):
        jacobian_lens(tiny_model, TEXTS, hook_names=["ln_final.hook_normalized"], skip=1)
    with pytest.raises(ValueError, match=r"unknown hook"):
        jacobian_lens(tiny_model, TEXTS, hook_names="blocks.0.hook_resid_pots", skip=1)
    with pytest.raises(ValueError, match=r"hook point of this lens"):
        lens.carried("blocks.0.hook_resid_pre", np.zeros((1, 32)))
    with pytest.raises(ValueError, match=r"are \[n, 32\], not \[1, 31\]"):
        lens.carried(HOOKS[0], np.zeros((1, 31)))


def test_a_lens_opens_as_it_was_saved(lens, tmp_path):
    lens.save(tmp_path / "lens.safetensors")
    again = JacobianLens.load(tmp_path / "lens.safetensors")
    assert {**vars(again), "matrices": 0} == {**vars(lens), "matrices": 0} and list(again.matrices) == list(HOOKS)
    assert all(np.array_equal(again.matrices[name], lens.matrices[name]) for name in HOOKS)
    sw.save_sae(sw.SAE(sw.SAEConfig(4, 8)), tmp_path / "sae")
    with pytest.raises(LoadError, match="not a Jacobian lens"):
        JacobianLens.load(next((tmp_path / "sae").glob("*.safetensors")))


# -- scores -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair():
    """(model, SAE, activations) of the bundled world, few of its features."""
    model, sae = sw.load_model(), sw.load_sae("miniworld-512")
    return model, sae, sw.feature_activations(model, sae, sw.load_corpus(150, seed=1), progress=False)


FEATURES = [480, 33, 392, 117, 337]  # owl, piano, cat, horse; " physical", which promotes what follows


@pytest.fixture(scope="module")
def scores(pair):
    return steering_scores(*pair, features=FEATURES, progress=False)


def test_output_scores_are_those_of_whole_passes(pair, scores):
    model, sae, _ = pair
    ids = model.tokens("From my experience,")
    hook_name = sae.config.site.hook_name
    x = model.activations(ids, hook_name)[0, -1]
    amount = 10 * float(sae.encode(x).detach().max())
    assert scores.amount == pytest.approx(amount, rel=1e-5) and scores.feature == (33, 117, 337, 392, 480)
    for at, feature in enumerate(scores.feature):
        row = sae.decoder_directions[feature]
        promoted = model.direction_logits(row[None])[0].argsort(descending=True)[:20].tolist()
        assert list(scores.tokens[at]) == model.display(promoted)

        def raised(x, start, row=row):
            return torch.cat([x[:, :-1], x[:, -1:] + amount * row], 1)

        p = model.logits(ids, Edit(hook_name, raised))[0, -1].double().softmax(-1)
        order = p.argsort(descending=True).tolist()
        rank = min(order.index(token) for token in promoted)
        best = float(p[promoted].max())
        assert scores.rank[at] == rank
        assert scores.probability[at] == pytest.approx(best, rel=1e-3)
        assert scores.output[at] == pytest.approx((1 - rank / model.d_vocab) * best, rel=1e-3)


def test_input_scores_count_the_peaks_that_are_promoted(pair, scores):
    model, _, acts = pair
    for at, feature in enumerate(scores.feature):
        context, position, value = acts.of(feature)
        peaks = pd.DataFrame({"context": context, "position": position, "value": value})
        peaks = peaks.sort_values(["value", "context", "position"], ascending=[False, True, True], kind="stable")
        peaks = peaks.drop_duplicates("context").head(100)
        texts = model.display(acts.tokens[peaks["context"], peaks["position"]].tolist())
        assert scores.n_examples[at] == len(peaks) > 5
        assert scores.input[at] == pytest.approx(np.mean([text in scores.tokens[at] for text in texts]))
    assert 0.04 < max(scores.input) < 1


def test_a_lens_that_changes_nothing_gives_the_scores_of_the_logit_lens(pair, scores):
    model, sae, acts = pair
    same = JacobianLens({sae.config.site.hook_name: np.eye(160, dtype=np.float32)}, "", 16, 1, 9, model.name)
    found = steering_scores(model, sae, acts, features=FEATURES, lens=same, progress=False)
    assert found.output == scores.output and found.input == scores.input and found.lens == "Jacobian lens, 9 tokens"
    turned = replace(same, matrices={sae.config.site.hook_name: -np.eye(160, dtype=np.float32)})
    other = steering_scores(model, sae, acts, features=FEATURES, lens=turned, progress=False)
    assert max(other.input) < 0.1 and max(other.output) < 0.5 * max(scores.output)


def test_without_examples_the_input_score_is_unknown_and_survives_the_file(pair, tmp_path):
    found = steering_scores(*pair[:2], features=[480], progress=False)
    assert math.isnan(found.input[0]) and found.n_examples == (0,) and found.corpus == ""
    found.save(tmp_path / "scores.json")
    again = SteeringScores.load(tmp_path / "scores.json")
    assert again.to_dict() == found.to_dict() and math.isnan(again.input[0])
    broken = json.loads((tmp_path / "scores.json").read_text()) | {"rank": [1, 2]}
    (tmp_path / "scores.json").write_text(json.dumps(broken))
    with pytest.raises(LoadError, match=r'2 entries along "feature"'):
        SteeringScores.load(tmp_path / "scores.json")


def test_what_scores_refuse(pair, tiny_model, lens):
    model, sae, acts = pair
    with pytest.raises(ValueError, match="strength must be above 0"):
        steering_scores(model, sae, acts, strength=0)
    with pytest.raises(IndexError, match="feature 512 does not exist"):
        steering_scores(model, sae, acts, features=[512])
    with pytest.raises(ValueError, match="the lens is of"):
        steering_scores(model, sae, acts, lens=lens)
    inside = sw.SAE(sw.SAEConfig(128, 16, site=sw.site(tiny_model, "blocks.0.mlp.hook_post")))
    with pytest.raises(ValueError, match="is 128 wide and the residual stream 32"):
        steering_scores(tiny_model, inside)
    with pytest.raises(KeyError, match="scored feature"):
        steering_scores(model, sae, features=[3], progress=False).of(4)


# -- against what clamps do -------------------------------------------------------------------------------------------


def test_clamps_and_scores_stand_side_by_side(scores):
    clamps = sw.load_clamps()
    own = clamps.of("miniworld-512")
    every = replace(scores, feature=tuple(e.feature for e in own.values()), **_columns(len(own)))
    table = scored_windows(clamps, {"miniworld-512": [every, replace(every, lens="another")]})
    assert len(table) == 2 * len(own) and set(table["lens"]) == {"logit lens", "another"}
    cat = table[(table["concept"] == "cat") & (table["lens"] == "logit lens")].iloc[0]
    assert (cat["feature"], cat["low"], cat["high"]) == (392, 1.2, 1.8)
    assert cat["width"] == pytest.approx(0.6) and cat["octaves"] == pytest.approx(math.log2(1.5))
    at = every.feature.index(392)
    assert cat["output"] == every.output[at] and cat["output_percentile"] == pytest.approx((at + 1) / len(own))
    with pytest.raises(ValueError, match="SAE with measured clamps"):
        scored_windows(clamps, {"miniworld-511": every})


def _columns(n):
    plain = {"input": (0.5,) * n, "probability": (0.5,) * n, "rank": (0,) * n, "n_examples": (9,) * n}
    return plain | {"output": tuple((i + 1) / n for i in range(n)), "tokens": (("a",),) * n}


def test_rank_correlations_are_pandas_and_a_shuffle_is_chance():
    rng = np.random.default_rng(0)
    width = np.round(rng.random(40), 1)  # with ties
    table = pd.DataFrame({"lens": "logit lens", "input": rng.random(40), "output": width + 0.3 * rng.random(40)})
    table["width"], table["constant"] = width, 1.0
    table.loc[3, "input"] = math.nan
    found = score_correlations(table, ["width", "constant"], n_shuffles=2000)
    told = found.set_index(["score", "measure"])
    ranks = table[["output", "width"]].rank()
    assert told.loc[("output", "width"), "spearman"] == pytest.approx(np.corrcoef(ranks.T)[0, 1])
    assert told.loc[("output", "width"), "p"] == pytest.approx(1 / 2001) and told.loc[("input", "width"), "n"] == 39
    assert math.isnan(told.loc[("output", "constant"), "spearman"])


def test_p_of_columns_that_have_nothing_to_do_with_each_other_is_uniform():
    rng = np.random.default_rng(1)
    found = []
    for seed in range(150):
        table = pd.DataFrame(rng.random((12, 3)), columns=["input", "output", "width"]).assign(lens="logit lens")
        found += score_correlations(table, ["width"], n_shuffles=99, seed=seed)["p"].tolist()
    assert 0.06 < np.mean(np.array(found) <= 0.1) < 0.15
    assert 0.43 < np.mean(np.array(found) <= 0.5) < 0.58


def test_a_search_shows_the_scores_of_what_it_finds(pair, scores):
    model, sae, acts = pair
    source = sw.searcher(model, sae, acts, scores=scores)
    plain = sw.searcher(model, sae, acts)("direction", direction=480)
    found = source("direction", direction=480)
    assert found.drop(columns=["input_score", "output_score"]).equals(plain)
    told = dict(zip(found["feature"], found["output_score"], strict=True))
    assert all(told[f] == scores.output[scores.feature.index(f)] for f in told if f in scores.feature)
    assert all(math.isnan(told[f]) for f in told if f not in scores.feature)
    widget = sw.FeatureSearch(source, " cat", mode="token")
    assert widget.wait(20) and {"input_score", "output_score"} <= set(widget._results["rows"][0]["extra"])
    assert "scores=sw.analysis.steering_scores(model, sae, acts)" in widget.to_code()
    widget.close()
    with pytest.raises(ValueError, match="the scores are of 'another'"):
        sw.searcher(model, sae, scores=replace(scores, sae_name="another"))
    with pytest.raises(TypeError, match="scores"):
        sw.searcher(model, sae, scores={480: 0.5})
