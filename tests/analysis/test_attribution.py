"""Attribution against finite differences and a formula, ablation against one forward pass an entry, losses likewise."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from saewidgets.activations import ActivationStore
from saewidgets.analysis.prompts import prober, prompt_activations
from saewidgets.analysis.prompts.attribution import attribution, with_attribution, with_losses
from saewidgets.formats import load_sae
from saewidgets.models import Edit, load_model, site
from saewidgets.sae import SAE, SAEConfig

HOOK = "blocks.0.hook_resid_post"
LAST = "blocks.1.hook_resid_post"
TEXTS = ["The bridge over the bay", "is red", "and the fog is cold. The fog is over the bay.", "Bay", "cold cold cold"]
TEXT = "The fog over the red bridge is"


def an_sae(model, hook_name=HOOK, architecture="topk"):
    store = ActivationStore(model, site(model, hook_name), TEXTS)
    sae = SAE(SAEConfig(32, 48, architecture, k=4, site=store.site, seed=1), name="tiny")
    with torch.no_grad():
        sae.b_enc.copy_(-torch.arange(48.0) / 24)
        if architecture == "relu":  # rows of norm 1, and about a quarter of the features active
            sae.W_enc.mul_(10)
            sae.W_dec.mul_(10)
            sae.b_enc.sub_(0.3)
        sae.W_dec.mul_(torch.linspace(0.5, 2, 48)[:, None])
    return sae


@pytest.fixture(scope="module", params=["topk", "relu"])
def sae(request, tiny_model):
    return an_sae(tiny_model, architecture=request.param)


@pytest.fixture(scope="module")
def found(tiny_model, sae):
    return with_attribution(tiny_model, sae, prompt_activations(tiny_model, sae, TEXT), " cold", " red")


def difference(model, wanted, against, edit=None):
    """The logit difference after TEXT, float64; against None: the mean."""
    last = model.logits(model.tokens(TEXT), edit)[0, -1].double()
    return float(last[wanted] - (last.mean() if against is None else last[against]))


def pushed(position, vector):
    def push(x, start):
        x = x.clone()
        x[:, position] += vector.to(x.dtype)
        return x

    return push


def decoder_row(sae, feature):
    """What one unit of activation adds, in model units: from x_hat itself, and not from `decoder_directions`."""
    one = torch.zeros(1, sae.config.d_sae)
    one[0, feature] = 1.0
    with torch.no_grad():
        return (sae.decode(one) - sae.decode(0 * one))[0]


# -- the gradient ----------------------------------------------------------------------------------------------------


def test_attribution_is_the_slope_of_the_logit_difference(tiny_model, sae, found):
    """Central differences along d_f at p: (D(x + e d) - D(x - e d)) / 2e, times the activation."""
    wanted, against = tiny_model.one_token(" cold"), tiny_model.one_token(" red")
    for p, f, a, linear in zip(found.position, found.feature, found.value, found.attribution, strict=True):
        d = decoder_row(sae, int(f))
        step = 0.02 / float(d.norm())
        slope = (
            difference(tiny_model, wanted, against, Edit(HOOK, pushed(int(p), step * d)))
            - difference(tiny_model, wanted, against, Edit(HOOK, pushed(int(p), -step * d)))
        ) / (2 * step)
        assert linear == pytest.approx(float(a) * slope, rel=0.02, abs=2e-3 * float(a))


def test_attribution_below_the_final_norm_is_a_formula(tiny_model):
    """At the last site only the last token counts, and dD/dx is the layer norm's own derivative."""
    sae = an_sae(tiny_model, LAST)
    found = with_attribution(tiny_model, sae, prompt_activations(tiny_model, sae, TEXT), " cold", " red")
    x = tiny_model.activations(tiny_model.tokens(TEXT), LAST)[0, -1].double()
    hooked = tiny_model.hooked
    U = hooked.unembed.W_U.detach().double()
    gain = U[:, tiny_model.one_token(" cold")] - U[:, tiny_model.one_token(" red")]
    gain = gain * hooked.ln_final.w.detach().double()
    centered = x - x.mean()
    scale = (centered.square().mean() + 1e-5).sqrt()
    unit = centered / scale
    gradient = (gain - gain.mean() - unit * (gain * unit).mean()) / scale
    last = len(found) - 1
    assert (found.position == last).sum() == 4
    for p, f, a, linear, ablated in zip(
        found.position, found.feature, found.value, found.attribution, found.ablation, strict=True
    ):
        expected = float(a) * float(decoder_row(sae, int(f)).double() @ gradient) if p == last else 0.0
        assert linear == pytest.approx(expected, rel=1e-4, abs=1e-4)
        if p < last:
            assert ablated == pytest.approx(0.0, abs=1e-5)


def test_a_gradient_leaves_nothing_behind(tiny_model):
    ids = tiny_model.tokens(TEXT)
    before = tiny_model.logits(ids)
    with torch.inference_mode():  # where a caller may well be
        score, gradient = tiny_model.gradient(ids, HOOK, lambda logits: logits[:, -1, 5])
    assert score[0] == pytest.approx(float(before[0, -1, 5]), abs=1e-4) and not score.requires_grad
    assert gradient.shape == (1, len(ids), 32) and not gradient[0, -1].eq(0).all()
    assert all(p.grad is None for p in tiny_model.hooked.parameters())
    assert not any(point._forward_hooks for point in tiny_model.hooked.modules())
    assert torch.equal(tiny_model.logits(ids), before)
    with pytest.raises(ZeroDivisionError):
        tiny_model.gradient(ids, HOOK, lambda logits: 1 / 0)
    assert not any(point._forward_hooks for point in tiny_model.hooked.modules())


def test_rows_of_a_batch_do_not_mix_in_a_gradient(tiny_model):
    ids = torch.stack([tiny_model.tokens("red bay"), tiny_model.tokens("red fog")])
    both = tiny_model.gradient(ids, HOOK, lambda logits: logits[:, -1, 5])
    for row in (0, 1):
        alone = tiny_model.gradient(ids[row], HOOK, lambda logits: logits[:, -1, 5])
        assert torch.allclose(both[0][row], alone[0][0], atol=1e-4)
        assert torch.allclose(both[1][row], alone[1][0], atol=1e-4)


def test_a_hook_that_is_not_there_or_not_used_is_refused(tiny_model):
    with pytest.raises(ValueError, match="unknown hook"):
        tiny_model.gradient([1, 2], "blocks.9.hook_resid_post", lambda logits: logits[:, -1, 0])
    with pytest.raises(ValueError, match="do not depend"):  # a result that nothing reads unless it is asked for
        tiny_model.gradient([1, 2], "blocks.0.attn.hook_result", lambda logits: logits[:, -1, 0])


# -- ablation --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use_decoder", [True, False])
@pytest.mark.parametrize("baseline", [" red", ""])
def test_ablation_is_what_one_pass_without_the_activation_changes(tiny_folder, sae, use_decoder, baseline):
    model = load_model(tiny_folder)
    model.use_decoder = use_decoder
    found = with_attribution(model, sae, prompt_activations(model, sae, TEXT), " cold", baseline)
    wanted, against = model.one_token(" cold"), model.one_token(baseline) if baseline else None
    model.use_decoder = False
    clean = difference(model, wanted, against)
    assert found.logit_difference == pytest.approx(clean, abs=1e-3)
    assert (found.target, found.baseline) == (" cold", baseline)
    for p, f, a, ablated in zip(found.position, found.feature, found.value, found.ablation, strict=True):
        without = Edit(HOOK, pushed(int(p), -float(a) * decoder_row(sae, int(f))))
        assert ablated == pytest.approx(clean - difference(model, wanted, against, without), abs=2e-3)
    assert np.abs(found.ablation).max() > 0.1  # and there is something to see


@pytest.mark.parametrize("hook_name", [HOOK, LAST, "blocks.1.hook_resid_pre", "blocks.1.hook_attn_out"])
def test_pushes_give_the_same_logits_over_either_loop(tiny_folder, hook_name):
    model = load_model(tiny_folder)
    ids = model.tokens(TEXT)
    generator = torch.Generator().manual_seed(0)
    position = torch.tensor([3, 0, 3, len(ids) - 1])
    push = torch.randn(4, 32, generator=generator)
    both = []
    for use_decoder in (True, False):
        model.use_decoder = use_decoder
        out = torch.zeros(4, model.d_vocab)
        for rows, logits in model.pushed_logits(ids, hook_name, position, push):
            out[rows] = logits
        both.append(out)
    model.use_decoder = True
    assert (model._decoder_at(hook_name) is None) == hook_name.endswith("attn_out")
    assert torch.allclose(*both, atol=1e-3)
    for row in range(4):
        alone = model.logits(ids, Edit(hook_name, pushed(int(position[row]), push[row])))[0, -1]
        assert torch.allclose(both[0][row], alone, atol=1e-3)


def test_pushes_do_not_hold_the_model_between_two_passes(tiny_model):
    ids = tiny_model.tokens(TEXT)
    passes = tiny_model.pushed_logits(ids, HOOK, torch.tensor([1, 2]), torch.zeros(2, 32))
    next(passes)
    other = threading.Thread(target=lambda: tiny_model.logits(ids), daemon=True)
    other.start()
    other.join(20)
    assert not other.is_alive()


def test_a_budget_ablates_the_largest_attributions_first(tiny_model, sae, found):
    cost = len(found) - found.position
    order = np.argsort(-np.abs(found.attribution), kind="stable")
    budget = int(cost[order[:5]].sum())
    for given, n in ((budget, 5), (budget - 1, 4), (0, 1), (10**6, len(order))):
        some = with_attribution(tiny_model, sae, found, " cold", " red", budget=given)
        assert some.n_ablated == n
        assert np.allclose(some.ablation[order[:n]], found.ablation[order[:n]], atol=1e-4)
        assert np.isnan(some.ablation[order[n:]]).all()
        assert np.array_equal(some.attribution, found.attribution)


# -- the table -------------------------------------------------------------------------------------------------------


def test_the_table_holds_both_measures_and_the_two_correlations(tiny_model, sae, found):
    frame = attribution(tiny_model, sae, TEXT, " cold", " red")
    assert len(frame) == len(found.value)
    sizes = frame["attribution"].abs().tolist()
    assert sizes == sorted(sizes, reverse=True)
    by_entry = frame.sort_values(["position", "activation"], ascending=[True, False])
    assert by_entry["attribution"].tolist() == pytest.approx(found.attribution.tolist(), rel=1e-4, abs=1e-4)
    linear, ablated, active = (frame[name].to_numpy() for name in ("attribution", "ablation", "activation"))
    expected = np.corrcoef(linear, ablated)[0, 1], np.corrcoef(active, ablated)[0, 1]
    assert frame.attrs["correlations"] == pytest.approx(expected, abs=1e-4)


def test_a_text_without_activations_has_an_empty_table(tiny_model, sae):
    frame = attribution(tiny_model, sae, "", " cold")
    assert frame.empty and frame.columns.tolist()[-2:] == ["attribution", "ablation"]
    assert all(np.isnan(frame.attrs["correlations"]))


def test_a_target_is_one_token(tiny_model, sae):
    assert tiny_model.one_token(" cold") == tiny_model.vocabulary.encode(" cold")[0]
    assert tiny_model.one_token(7) == 7
    odd = next(i for i, t in enumerate(tiny_model.vocabulary.table) if t.startswith("<0x"))  # half a character
    assert tiny_model.one_token(tiny_model.display([odd])[0]) == odd
    for target, sentence in (
        ("cold", "' cold' is one"),
        ("The bridge over the bay", "give one of them"),
        ("", "not an empty one"),
        (320, "tokens 0 to 319"),
        (-1, "tokens 0 to 319"),
        ("\ud800", "surrogate"),
        ("A" * 100_000, "is 100000 tokens"),
    ):
        with pytest.raises(ValueError, match=sentence) as refused:
            attribution(tiny_model, sae, TEXT, target)
        assert len(str(refused.value)) < 250


# -- losses ----------------------------------------------------------------------------------------------------------


def test_loss_effects_are_what_the_losses_become_without_the_feature(tiny_model, sae, found):
    some = with_losses(tiny_model, sae, found)
    ids = tiny_model.tokens(TEXT)

    def losses(edit=None):
        logprobs = tiny_model.logits(ids, edit)[0].double().log_softmax(-1)
        return np.array([-float(logprobs[p - 1, ids[p]]) for p in range(1, len(ids))])

    clean = losses()
    for row, f in enumerate(some.listed.tolist()):
        step = torch.from_numpy(found.of(f))[:, None] * decoder_row(sae, f)
        effect = losses(Edit(HOOK, lambda x, start, step=step: x - step)) - clean
        assert np.isnan(some.loss_effect[row, 0])
        assert some.loss_effect[row, 1:] == pytest.approx(effect, abs=2e-3)
        first = int(np.flatnonzero(found.of(f))[0])
        assert some.loss_effect[row, 1 : first + 1] == pytest.approx(0.0, abs=1e-4)  # nothing acts on what came before
    assert np.nanmax(np.abs(some.loss_effect)) > 0.1
    assert np.array_equal(some.attribution, found.attribution)  # one measure does not cost the other


def test_only_the_features_asked_for_are_measured(tiny_model, sae, found):
    whole = with_losses(tiny_model, sae, found)
    wanted = [int(found.listed[-1]), int(found.listed[1])]
    absent = next(f for f in range(48) if f not in found.listed)
    some = with_losses(tiny_model, sae, found, [*wanted, absent])
    for row, f in enumerate(found.listed.tolist()):
        if f in wanted:
            assert some.loss_effect[row, 1:] == pytest.approx(whole.loss_effect[row, 1:], abs=1e-3)
        else:
            assert np.isnan(some.loss_effect[row]).all()
    for wrong in (-1, 48):
        with pytest.raises(IndexError, match="features 0 to 47"):
            prober(tiny_model, sae)(TEXT, losses=[wrong])


def test_on_the_bundled_model_a_gradient_foretells_ablation_and_the_activation_does_not():
    """On a logit difference that the text decides: r(attribution, ablation) is high, r(activation, ablation) is not."""
    model, sae = load_model(), load_sae()
    for text, target, against in (
        ("They walked over the Golden Gate", " Bridge", " Tower"),
        ("The Eiffel", " Tower", " Bridge"),
    ):
        linear, active = attribution(model, sae, text, target, against).attrs["correlations"]
        assert linear > 0.7 and active < 0.4
