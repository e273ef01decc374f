"""The doctor names each mistake that is planted, and cries at nothing that fits."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

import saewidgets as sw
from saewidgets.doctor.examination import compare_devices, untrained
from saewidgets.doctor.meeting import meet, verdict
from saewidgets.doctor.readings import Bench, Reading, hook_points, short_texts
from saewidgets.doctor.search import POOR, USELESS
from saewidgets.frontend import payloads
from saewidgets.models import Model, fingerprint
from saewidgets.records import ActivationSite, Diagnosis, Finding, Trial
from saewidgets.sae import SAE, SAEConfig, bundled_names, unexplained

POST = "blocks.2.hook_resid_post"


def _has_hooked_transformer() -> bool:
    try:
        import transformer_lens

        return hasattr(transformer_lens, "HookedTransformer")
    except ImportError:  # what asking TransformerLens 4 for it raises, with a hint
        return False


@pytest.fixture(scope="module")
def model():
    return sw.load_model()


@pytest.fixture(scope="module")
def sae():
    return sw.load_sae("miniworld-512")


def changed(sae, *, weights=None, **config):
    """A copy under another config; `site_...` goes to the site."""
    own = {k.removeprefix("site_"): config.pop(k) for k in list(config) if k.startswith("site_")}
    new = replace(sae.config, site=replace(sae.config.site, **own), **config)
    return SAE.from_weights(new, weights or {k: w.detach().clone() for k, w in sae.weights.items()}, name="planted")


def twin(model, change=lambda hooked: None, **settings):
    """Another model like this one, its weights changed."""
    hooked = copy.deepcopy(model.hooked)
    with torch.no_grad():
        change(hooked)
    other = Model(hooked, name=model.name, vocabulary=model.vocabulary)
    other.bos_token_id, other.prepend_bos = model.bos_token_id, model.prepend_bos
    for name, value in settings.items():
        setattr(other, name, value)
    return other


def actions(found, topic):
    (action,) = [f.action for f in found.findings if f.topic == topic and f.fits is False]
    return action


@pytest.mark.parametrize("name", [name for name in bundled_names() if name.startswith("miniworld")])
def test_the_bundled_saes_fit(model, name):
    found = sw.diagnose(model, sw.load_sae(name))
    assert found.fits and found.wrong == (), str(found)
    assert found.n_tokens == 512
    assert found.trials[0].loss_recovered > 0.95
    assert {"fingerprint", "fit", "hook", "BOS", "b_dec", "scale", "centering"} <= {f.topic for f in found.findings}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert meet(model, sw.load_sae(name), sw.load_corpus(30, seed=8)).fits


@pytest.mark.parametrize(
    ("planted", "where"),
    [
        ("blocks.2.hook_resid_pre", "the same layer, before it"),
        ("blocks.3.hook_resid_post", "the next layer"),
        ("blocks.1.hook_resid_post", "the layer before"),
        ("blocks.5.hook_resid_post", "far away"),
        ("blocks.2.hook_mlp_out", "what is added, not the stream"),
    ],
)
def test_a_wrong_hook_or_layer(model, sae, planted, where):
    found = sw.diagnose(model, changed(sae, site_hook_name=planted))
    assert found.wrong == ("hook",), f"{where}: {found}"
    assert POST in actions(found, "hook")
    assert found.trials[0].hook_name == planted and found.trials[0].fvu > 0.15


def test_a_hook_that_does_not_exist(model, sae):
    found = sw.diagnose(model, changed(sae, site_hook_name="blocks.12.hook_resid_post"))
    assert found.wrong == ("hook name", "hook") and POST in actions(found, "hook")
    assert "nearest" in str(found)


def test_no_site_at_all(model, sae):
    bare = SAE.from_weights(replace(sae.config, site=None), {k: w.detach() for k, w in sae.weights.items()})
    found = sw.diagnose(model, bare)
    site = [f for f in found.findings if f.topic == "site"]
    assert POST in site[0].action and site[0].fits is None
    assert "scale" in found.wrong  # without a site it reads model units


@pytest.mark.parametrize("factor", [1 / 0.076, 4.0, 0.25])
def test_a_wrong_scale(model, sae, factor):
    found = sw.diagnose(model, changed(sae, site_scale=sae.scale * factor))
    assert found.wrong == ("scale",), str(found)
    assert float(actions(found, "scale").split("scale=")[1].rstrip(")")) == pytest.approx(sae.scale, rel=0.05)


def test_b_dec_on_the_wrong_side(model, sae):
    found = sw.diagnose(model, changed(sae, apply_b_dec_to_input=False))
    assert found.wrong == ("b_dec",) and "apply_b_dec_to_input=True" in actions(found, "b_dec")


def test_two_mistakes_are_both_named(model, sae):
    found = sw.diagnose(model, changed(sae, site_scale=1.0, site_hook_name="blocks.3.hook_resid_post"))
    assert set(found.wrong) == {"scale", "hook"}
    assert POST in actions(found, "hook")
    assert float(actions(found, "scale").split("scale=")[1].rstrip(")")) == pytest.approx(sae.scale, rel=0.05)


def test_texts_without_their_beginning(model, sae):
    """The model runs without a beginning-of-text token, and nothing in the SAE's file says otherwise."""
    without = twin(model, prepend_bos=False)
    found = sw.diagnose(without, changed(sae, site_prepend_bos=False))
    assert found.wrong == ("BOS",), str(found)
    assert actions(found, "BOS") == "model.prepend_bos = True"
    assert set(sw.diagnose(without, sae).wrong) == {"BOS", "BOS recorded"}


def uncentered(hooked):
    """The same function of its tokens: every layer norm takes off the mean that this puts on."""
    hooked.embed.W_E += 1.5


@pytest.mark.skipif(not _has_hooked_transformer(), reason="TransformerLens 4 has no HookedTransformer")
def test_centered_where_it_should_not_be_and_the_other_way(model, sae):
    """A mean on every activation vector changes no logit, and ruins an SAE that was trained without it."""
    shifted = twin(model, uncentered)
    ids = model.tokens("The Golden Gate Bridge is famous.")
    assert torch.allclose(shifted.logits(ids), model.logits(ids), atol=1e-3)
    blind = changed(sae, site_fingerprint=())
    found = sw.diagnose(shifted, blind)
    assert found.wrong == ("centering",), str(found)
    assert "center_writing_weights" in actions(found, "centering")

    weights = {k: w.detach().clone() for k, w in sae.weights.items()}
    weights["b_dec"] += 1.5 * sae.scale  # as if it had been trained on the shifted model
    moved = changed(blind, weights=weights)
    assert sw.diagnose(shifted, moved).fits
    found = sw.diagnose(model, moved)
    assert found.wrong == ("centering",) and "no_processing" in actions(found, "centering")


@pytest.mark.skipif(not _has_hooked_transformer(), reason="TransformerLens 4 has no HookedTransformer")
def test_processed_weights_are_told_by_record_and_by_fingerprint(model, sae):
    folded = twin(model, lambda h: h.process_weights_(fold_ln=True, center_writing_weights=True, center_unembed=True))
    assert folded.weight_processing == "folded"
    found = sw.diagnose(folded, sae)
    assert (
        found.wrong == ("weights", "fingerprint") and actions(found, "weights") == "model = sw.load_model('miniworld')"
    )
    back = sw.diagnose(model, changed(sae, site_weight_processing="folded", site_fingerprint=fingerprint(folded)))
    assert back.wrong == ("weights", "fingerprint") and "weight_processing='folded'" in actions(back, "weights")


def test_another_revision_of_the_model(model, sae):
    def retrain(hooked):
        generator = torch.Generator().manual_seed(0)
        for p in hooked.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * p.std())

    found = sw.diagnose(twin(model, retrain), sae)
    assert "fingerprint" in found.wrong and not found.fits
    assert "same revision" in actions(found, "fingerprint")


def test_a_fingerprint_survives_the_other_backend_and_half_precision(model):
    own = fingerprint(model)
    assert len(own) == 8 and fingerprint(sw.load_model(backend="bridge")) == own
    half = fingerprint(twin(model, lambda h: h.to(torch.bfloat16)))
    assert np.abs(np.subtract(own, half)).max() < 0.01 * np.abs(own).max()


def test_weights_that_are_not_finite_and_features_that_are_silent(model, sae):
    broken = changed(sae)
    with torch.no_grad():
        broken.W_dec[3, :2] = float("nan")
    found = sw.diagnose(model, broken)
    assert found.wrong == ("weights",) and "2 values of W_dec" in str(found) and found.trials == ()
    silent = changed(sae)
    with torch.no_grad():
        silent.b_enc.fill_(-1e6)
    found = sw.diagnose(model, silent)
    assert "dead" in found.wrong and found.trials[0].l0 == 0


def test_an_untrained_sae_explains_nothing(model):
    fresh = SAE(SAEConfig(160, 64, site=sw.site(model, POST)))
    found = sw.diagnose(model, fresh)
    assert "fit" in found.wrong and "not trained" in str(found)


@pytest.mark.parametrize(
    ("architecture", "options", "hook_name"),
    [
        ("topk", {"k": 12}, POST),  # explains most at another hook point, a quarter of it
        ("topk", {"k": 12}, "blocks.3.hook_mlp_out"),
        ("topk", {"k": 40}, None),
        ("relu", {}, POST),
        ("batchtopk", {"k": 12}, POST),
    ],
)
def test_an_untrained_sae_is_not_told_where_it_belongs(model, architecture, options, hook_name):
    """Random directions explain a quarter of the variance at some hook point: that is not where it was trained."""
    where = None if hook_name is None else sw.site(model, hook_name)
    fresh = SAE(SAEConfig(160, 512, architecture, site=where, **options))
    noisy = {name: w.detach() + 0.3 * torch.randn(w.shape) * w.detach().std() for name, w in fresh.weights.items()}
    for sae, words in ((fresh, "not trained"), (SAE.from_weights(fresh.config, noisy), "")):
        found = sw.diagnose(model, sae)
        (fit,) = [f for f in found.findings if f.topic == "fit"]
        assert fit.fits is not True and words in fit.sentence, str(found)
        assert not {f.topic for f in found.findings} & {"hook", "site", "scale", "b_dec", "normalization"}, str(found)
        assert "meant for" not in str(found) and "sw.site" not in str(found)


def test_an_sae_that_training_has_begun_with_is_not_called_untrained(model):
    fresh = SAE(SAEConfig(160, 256, "topk", k=8, site=sw.site(model, POST)))
    assert untrained(fresh)
    x = model.activations(sw.load_corpus(16, seed=4).token_rows, POST)[:, 1:17].reshape(-1, 160)
    for _ in sw.train(fresh, [x] * 40, sw.TrainConfig(steps=40, lr=1e-2)):
        pass
    assert not untrained(fresh)
    assert not any(untrained(sw.load_sae(name)) for name in bundled_names())


def test_a_width_that_is_nowhere(model):
    found = sw.diagnose(model, SAE(SAEConfig(7, 16, site=ActivationSite("miniworld", POST, 7))))
    assert "hook" in found.wrong and "7 numbers" in str(found)


def test_devices_are_compared_at_the_real_tokens():
    ids = torch.tensor([[5, 6, -1]])
    there = torch.randn(1, 3, 9, generator=torch.Generator().manual_seed(0))
    here = there.clone()
    here[0, 2] += 99  # padding
    assert compare_devices(here, there, ids, "mps").fits
    here[0, 1, 4] += 0.5
    found = compare_devices(here, there, ids, "mps")
    assert found.fits is False and "device='cpu'" in found.action


def test_the_other_architectures_and_normalizations(model, sae):
    """A JumpReLU SAE and one that normalizes its inputs, made of the same directions, on inputs that they fit."""
    x = model.activations(sw.load_corpus(8, seed=4).token_rows, POST)[:, 1:9].reshape(-1, 160)
    normal = changed(sae, site_scale=1.0, input_normalization="layer_norm")
    assert sw.diagnose(model, normal).fits
    wrong = sw.diagnose(model, changed(sae, site_scale=1.0))
    assert set(wrong.wrong) <= {"scale", "normalization"} and wrong.wrong
    assert torch.isfinite(normal(x)).all()


# -- the meeting ------------------------------------------------------------------------------------------------------


def test_a_meeting_warns_once_and_is_asked_again_when_weights_change(model, sae):
    wrong = changed(sae, site_scale=sae.scale / 6)  # hopeless as it is read, so that the meeting looks further
    corpus = sw.load_corpus(30, seed=8)
    with pytest.warns(UserWarning, match="does not fit the model.*scale is nearer.*sw.diagnose"):
        acts = sw.feature_activations(model, wrong, corpus)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = sw.dashboard_data(model, wrong, acts, [0])
        sw.Steerer(model, wrong)
        first = meet(model, wrong)
        assert first is meet(model, wrong)
    assert "scale is nearer" in data.passport.fit and data.passport.fit in payloads.passport(data)
    with torch.no_grad():
        wrong.b_dec.zero_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        second = meet(model, wrong)
        wrong.W_enc.data[0, 0] += 1  # which torch does not count
        assert first is not second is not meet(model, wrong)


class Counting(Model):
    """Counts the token positions that are run through it, padding included."""

    def __init__(self, other):
        super().__init__(copy.deepcopy(other.hooked), name=other.name, vocabulary=other.vocabulary)
        self.bos_token_id, self.prepend_bos = other.bos_token_id, other.prepend_bos
        self.ran, self.at = [], []

        def note(name):
            return lambda module, inputs, output: self.at.append(name)

        self.hooked.hook_dict["hook_embed"].register_forward_hook(
            lambda module, inputs, output: self.ran.append(output.shape[0] * output.shape[1])
        )
        for layer in range(self.n_layers):
            self.hooked.hook_dict[f"blocks.{layer}.hook_resid_post"].register_forward_hook(note(layer))


@pytest.mark.parametrize(
    "text",
    [
        None,
        ["a long text that goes on and on. " * 9] + ["short"] * 400,
        ["one"],
        ["The cat sat."] * 900,
    ],
)
def test_a_meeting_costs_one_pass_of_512_tokens_at_most(model, sae, text):
    counting = Counting(model)
    real = changed(sae, site_hook_name="blocks.3.hook_resid_post")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of unusual texts it explains less
        found = meet(counting, real, text)
    assert 0.25 < found.trials[0].fvu < USELESS and found.fits  # as real SAEs have it: no long examination
    assert len(counting.ran) == 1 and counting.ran[0] <= 512
    assert max(counting.at) <= 3  # the pass ends at the site
    assert meet(counting, real, ["another text"]) is found and len(counting.ran) == 1
    assert len(found.trials) == 1 and found.n_tokens >= 64


def test_a_poor_fit_is_said_without_a_search(model, sae):
    counting = Counting(model)
    wrong = changed(sae, site_scale=1.0)
    with pytest.warns(UserWarning, match=r"leaves 60% of the variance in these texts.*sw.diagnose"):
        found = meet(counting, wrong)
    assert POOR < found.trials[0].fvu < USELESS and len(counting.ran) == 1
    assert found.sentence().startswith("fit to the model checked on 256 tokens: FVU 0.597")


def test_inputs_that_do_not_vary_have_no_fvu(model, sae):
    """Equal rows differ from their rounded mean by rounding alone; an error over that is a number without a meaning."""
    ids = model.tokens("The cat", prepend_bos=False)[:1].tolist()
    rows = [ids * 1] * 200
    bench = Bench(model, sae, rows)
    found = bench.fit(Reading(POST, True, sae.config.subtracts_b_dec, sae.scale, "none"))
    assert np.isnan(found.fvu) and found.l0 > 0
    assert unexplained(1.0, 1e-9, 1e3) != unexplained(1.0, 1e-9, 1e3)
    assert unexplained(1.0, 4.0, 1e6) == 0.25 and unexplained(0.0, 1e-3, 0.0) == 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert meet(twin(model), changed(sae), np.array(rows)).fits


def test_a_setting_that_differs_is_what_is_advised(model, sae):
    """The model is the right one and only its texts begin otherwise: no other model is to be loaded."""
    without = twin(model, prepend_bos=False)
    for refused in (lambda: sw.Steerer(without, sae), lambda: sw.feature_activations(without, sae, ["The cat"])):
        with pytest.raises(ValueError, match=r"prepend_bos: True, not False.*type model.prepend_bos = True$") as error:
            refused()
        assert "from_pretrained" not in str(error.value) and "load_model" not in str(error.value)
    without.prepend_bos = True
    sw.Steerer(without, sae)


def test_the_verdict_stands_on_dashboards_exports_and_prompts(model, sae, tmp_path):
    acts = sw.feature_activations(model, sae, sw.load_corpus(30, seed=8))
    data = sw.dashboard_data(model, sae, acts, [0, 1])
    assert data.passport.fit.startswith("fit to the model checked on 256 tokens: FVU 0.")
    data.save(tmp_path / "d.json")
    assert sw.DashboardData.load(tmp_path / "d.json").passport == data.passport
    assert data.passport.fit in sw.FeatureDashboard(data).to_html()
    found = sw.prompt_activations(model, sae, "The Golden Gate Bridge", acts)
    found.save(tmp_path / "p.json")
    assert sw.records.PromptActivations.load(tmp_path / "p.json").passport.fit == data.passport.fit


def test_what_cannot_be_checked_is_not_a_mistake(sae):
    class Bare(Model):
        def __init__(self):
            self.name = "bare"

    assert verdict(Bare(), sae) == ""


# -- records and texts ------------------------------------------------------------------------------------------------


def test_a_diagnosis_reads_as_text_table_and_escaped_html():
    found = Diagnosis(
        "m<b>",
        "s",
        POST,
        512,
        (Finding("hook", False, "it was <script>alert(1)</script>.", "type & run"), Finding("BOS", None, "unknown.")),
        (Trial("", POST, 0.5, 3.0, 0.25), Trial("at <i>", "h", 0.1, 4.0)),
    )
    assert not found.fits and found.wrong == ("hook",)
    assert found.sentence() == "does not fit the model: it was <script>alert(1)</script>."
    text = str(found)
    assert "✗ hook" in text and "next: type & run" in text and "as it is: FVU 0.500, L0 3, loss recovered 0.250" in text
    assert found.to_dataframe()["fvu"].tolist() == [0.5, 0.1]
    page = found._repr_html_()
    assert "<script" not in page and "&lt;script&gt;" in page and "m&lt;b&gt;" in page and "type &amp; run" in page
    assert replace(found, findings=(), trials=()).sentence() == "fit to the model not measured"


def test_texts_of_every_kind_become_short_beginnings(model):
    corpus = sw.load_corpus(30, seed=8)
    texts, bos = short_texts(model, corpus, 512)
    assert bos and sum(map(len, texts)) == 512 and all(0 not in t for t in texts)
    again, bos = short_texts(model, list(corpus.texts), 512)
    assert again == texts and bos is model.prepend_bos
    long, bos = short_texts(model, [list(range(1, 200)) * 3], 128)
    assert not bos and len(long) == 8 and [i for row in long for i in row] == (list(range(1, 200)) * 3)[:128]
    with pytest.raises(ValueError, match="no tokens"):
        short_texts(model, [""], 512)


def test_hook_points_of_another_kind_are_sought_in_other_layers(model):
    found = hook_points(model, "blocks.2.mlp.hook_post")
    assert "blocks.3.mlp.hook_post" in found and "blocks.0.hook_resid_pre" in found
    assert set(found) <= set(model.hook_names)
