"""Activations of outlying norm: left out by a stated bound, counted, and never in silence; and short texts packed in
rows.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import saewidgets as sw
from saewidgets.activations import ActivationStore
from saewidgets.files import LoadError
from saewidgets.models import Model, read_corpus
from saewidgets.models.corpora import packed
from saewidgets.records import ActivationSite
from saewidgets.sae import SAE, SAEConfig, above, norm_bound, top_share, unexplained

HOOK = "blocks.2.hook_resid_post"
WIDTH = 16
SINK = 7  # the token whose activation is a sink


class Sinking(Model):
    """A model of 100 tokens whose activation at the hook is a random vector of its own; that of one token is 200 times
    as long.
    """

    def __init__(self):
        self.name, self.prepend_bos, self.bos_token_id, self.eos_token_id = "sinking", True, 0, 99
        self.weight_processing, self.hooked, self.quantization, self.centers = "none", None, "", True
        self.d_model, self.d_vocab, self.n_ctx, self._special = WIDTH, 100, 32, frozenset((0,))
        self.table = torch.randn(100, WIDTH, generator=torch.Generator().manual_seed(0))
        self.table[SINK] *= 200.0
        self.passes = 0

    device = torch.device("cpu")

    def activations(self, tokens, hook_name):
        self.passes += 1
        return self.table[torch.as_tensor(tokens).clamp(min=0)]


def texts(n=60, seed=1):
    """Rows that begin with 0; one in three has the sink as its first word."""
    rng = np.random.default_rng(seed)
    rows = [[0, *rng.integers(8, 99, rng.integers(3, 14)).tolist()] for _ in range(n)]
    for row in rows[::3]:
        row[1] = SINK
    return rows


def store(model=None, **options):
    model = model or Sinking()
    given = options.pop("texts", None) or texts()
    return ActivationStore(model, ActivationSite("sinking", HOOK, WIDTH), given, **{"batch_size": 16} | options)


def ids_of(model, batches):
    """The token of each row, found again in the model's table."""
    rows = torch.cat(list(batches))
    return torch.cdist(rows, model.table).argmin(1).tolist()


# -- the bound -------------------------------------------------------------------------------------------------------


def test_the_bound_is_robust():
    ordinary = torch.exp(0.14 * torch.randn(10_000, generator=torch.Generator().manual_seed(0))) * 140
    assert norm_bound(ordinary) == pytest.approx(3.5 * 140, rel=0.02)
    with_sinks = torch.cat([ordinary, torch.full((3000,), 25_000.0)])  # even where every tenth word is one or more
    assert norm_bound(with_sinks) == pytest.approx(3.5 * 140, rel=0.1)
    assert norm_bound(torch.tensor([2.0, 2.0, 2.0, float("nan"), float("inf"), 0.0])) == 7.0
    assert norm_bound(torch.zeros(4)) is None and norm_bound(torch.empty(0)) is None


def test_norms_of_all_sizes_are_nothing_out_of_the_ordinary():
    """Spread over log sizes with s = 0.8: 6 s above the median stands none of 10,000, where 3.5 times it would cut 6 %."""
    norms = torch.exp(0.8 * torch.randn(10_000, generator=torch.Generator().manual_seed(0)))
    assert (norms > 3.5).float().mean() > 0.05
    assert not (norms > norm_bound(norms)).any()


@given(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=50), st.floats(0.01, 100.0))
def test_the_bound_scales_with_the_norms_and_leaves_most(norms, factor):
    norms = torch.tensor(norms)
    bound = norm_bound(norms)
    assert (norms <= bound).sum() >= len(norms) / 2
    assert norm_bound(norms * factor) == pytest.approx(bound * factor, rel=1e-4)


def test_top_share_by_hand():
    assert top_share(torch.ones(200)) == pytest.approx(0.01)
    assert top_share(torch.tensor([1.0] * 198 + [99.0, 99.0])) == pytest.approx(0.5)
    assert top_share(torch.ones(99)) == 0.0 and top_share(torch.zeros(200)) == 0.0


# -- the store -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("buffer_tokens", [1 << 18, 40])
def test_sinks_are_left_out_counted_and_stated(buffer_tokens):
    model = Sinking()
    own = store(model, epochs=2, buffer_tokens=buffer_tokens)
    expected = sorted(t for row in texts() for t in row[1:] if t != SINK)
    found = ids_of(model, own.batches())
    assert sorted(found[: len(expected)]) == expected and sorted(found[len(expected) :]) == expected
    assert own.left_out == 20 and own.n_tokens == len(expected) + 20
    norms = model.table[[t for row in texts() for t in row[1:]]].norm(dim=-1)
    assert own.site.max_norm == pytest.approx(norm_bound(norms)) and "tokens left out: 20" in repr(own)
    kept = model.table[expected]
    assert own.site.scale == pytest.approx(float((WIDTH / kept.square().sum(1).mean()).sqrt()), rel=1e-5)


def test_a_corpus_that_fits_is_run_once_all_the_same():
    model = Sinking()
    own = store(model, epochs=1)
    _ = own.site
    n = model.passes
    list(own)
    assert model.passes == n == 1


@pytest.mark.parametrize("buffer_tokens", [1 << 18, 40])
def test_a_stream_with_outliers_can_be_entered_at_any_batch(buffer_tokens):
    whole = list(store(epochs=3, buffer_tokens=buffer_tokens).batches())
    for start in (0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        rest = list(store(epochs=3, buffer_tokens=buffer_tokens).batches(start))
        assert len(rest) == len(whole) - start
        assert all(torch.equal(a, b) for a, b in zip(rest, whole[start:], strict=True))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("buffer_tokens", [1 << 18, 40])
def test_a_cache_keeps_the_rule_and_the_count(tmp_path, dtype, buffer_tokens):
    model = Sinking()
    model.table[SINK] *= 1e4  # float16 ends at 65,504
    memory = store(model, epochs=2, buffer_tokens=buffer_tokens)
    disk = memory.cache(tmp_path / "cache", dtype=dtype)
    assert disk.site == memory.site and disk.site.max_norm is not None
    assert disk.left_out == 20
    for a, b in zip(disk.batches(), memory.batches(), strict=True):
        torch.testing.assert_close(a, b.to(getattr(torch, dtype)).float(), atol=0, rtol=0)
    again = list(ActivationStore.from_disk(tmp_path / "cache", batch_size=16, epochs=2, buffer_tokens=buffer_tokens))
    assert all(torch.equal(a, b) for a, b in zip(again, disk.batches(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(disk.batches(5), again[5:], strict=True))


def test_a_cache_whose_mask_does_not_fit_is_refused(tmp_path):
    from saewidgets.files import read_json, read_tensors, sha256, write_json, write_tensors

    store().cache(tmp_path / "cache")
    index, manifest = tmp_path / "cache" / "index.safetensors", tmp_path / "cache" / "manifest.json"
    arrays = read_tensors(index)
    arrays["kept"] = ~arrays["wanted"]
    write_tensors(index, arrays)
    found = read_json(manifest)
    found["index"] |= {"bytes": index.stat().st_size, "sha256": sha256(index)}
    write_json(manifest, found)
    with pytest.raises(LoadError, match="the index does not fit the rows"):
        ActivationStore.from_disk(tmp_path / "cache")


def test_what_is_done_is_chosen():
    model = Sinking()
    keep = store(model, epochs=1, outliers="keep")
    assert SINK in ids_of(model, keep) and keep.left_out == 0 and keep.site.max_norm is None
    given = store(model, epochs=1, outliers=1e6)
    assert SINK in ids_of(model, given) and given.site.max_norm == 1e6
    tight = store(model, epochs=1, outliers=4.0)
    assert max(model.table[ids_of(model, tight)].norm(dim=-1)) <= 4.0 < max(model.table[8:99].norm(dim=-1))
    own = ActivationStore(model, replace(ActivationSite("sinking", HOOK, WIDTH), max_norm=4.0), texts(), epochs=1)
    assert own.site.max_norm == 4.0
    with pytest.raises(ValueError, match=r"unknown way with outliers 'drop'.*or give the largest norm that counts"):
        store(outliers="drop")
    with pytest.raises(ValueError, match="max_norm must be a positive finite number or None, not 0"):
        store(outliers=0)
    with pytest.raises(ValueError, match=r"every token's activation is longer than 1e-06"):
        next(iter(store(outliers=1e-6, normalize=False)))


def test_a_value_that_is_not_finite_is_no_outlier():
    """It must be seen: leaving it out would hide a broken model."""
    model = Sinking()
    model.table[SINK] = float("inf")
    assert not torch.cat(list(store(model, epochs=1, normalize=False))).isfinite().all()


def test_the_site_is_read_as_it_was_written(tmp_path):
    site = ActivationSite("m", HOOK, WIDTH, max_norm=350.0)
    assert ActivationSite.from_dict(site.to_dict()) == site
    old = ActivationSite("m", HOOK, WIDTH).to_dict()
    assert "max_norm" not in old and ActivationSite.from_dict(old).max_norm is None
    for wrong in (0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="max_norm must be"):
            ActivationSite("m", HOOK, WIDTH, max_norm=wrong)
    SAE(SAEConfig(WIDTH, 32, "topk", k=4, site=site)).save(tmp_path / "sae")
    assert SAE.load(tmp_path / "sae").config.site == site


@pytest.mark.parametrize("name", ["miniworld-512", "miniworld-2048"])
def test_no_token_of_the_mini_world_is_outlying(name):
    """Its numbers are those of a store that keeps everything, bit for bit."""
    model, sae = sw.load_model(), sw.load_sae(name)
    site = replace(sae.config.site, scale=1.0)
    corpus = sw.load_corpus(48, seed=1)
    own, keep = (ActivationStore(model, site, corpus, batch_size=512, outliers=o) for o in ("leave out", "keep"))
    assert own.site.scale == keep.site.scale and own.site.max_norm > 0
    assert all(torch.equal(a, b) for a, b, _ in zip(own, keep, range(4), strict=False))
    assert own.left_out == 0


# -- whoever reads with the SAE --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sinks(tiny_folder):
    """A tiny model in which the token that stands at position 3 is a sink: the site, and the norm of the others."""
    model = sw.load_model(tiny_folder)
    with torch.no_grad():
        model.hooked.pos_embed.W_pos[3] *= 400.0
    site = sw.site(model, "blocks.0.hook_resid_post")
    x = model.activations(torch.arange(1, 13)[None], "blocks.0.hook_resid_post")[0].norm(dim=-1)
    assert x[3] > 20 * x.median()
    return model, replace(site, max_norm=norm_bound(x))


def test_what_is_outlying_counts_nowhere(sinks):
    model, site = sinks
    own = SAE(SAEConfig(32, 48, "topk", k=6, site=site))
    blind = SAE.from_weights(
        replace(own.config, site=replace(site, max_norm=None)), {n: w.detach() for n, w in own.weights.items()}
    )
    rng = np.random.default_rng(0)
    rows = [[0, *rng.integers(1, 300, 11).tolist()] for _ in range(20)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        acts, every = (sw.feature_activations(model, sae, rows) for sae in (own, blind))
        found = sw.quality(model, own, rows)
        prompt = sw.prompt_activations(model, own, rows[0])
    assert every.n_tokens == 220 and acts.n_tokens == 200 and not acts.counted[:, 3].any()
    assert "20 tokens of outlying norm left out" in acts.corpus
    for f in np.flatnonzero(np.diff(every.start)):
        context, position, value = every.of(f)
        keep = position != 3
        for a, b in zip(acts.of(f), (context[keep], position[keep], value[keep]), strict=True):
            np.testing.assert_array_equal(a, b)
    x = model.activations(torch.tensor(rows), site.hook_name)[:, [1, 2, *range(4, 12)]].reshape(-1, 32)
    x_hat = own(x).detach()
    variance = float((x - x.mean(0)).square().sum())
    assert found.n_tokens == 200 and found.n_left_out == 20
    assert found.fvu == pytest.approx(unexplained(float((x - x_hat).square().sum()), variance, 0.0), rel=1e-4)
    assert not prompt.counted[3] and prompt.counted[2]
    data = sw.dashboard_data(model, own, acts)
    assert f"tokens of |x| up to {site.max_norm:.4g}" in data.passport.sentence()


def test_a_spliced_pass_leaves_sinks_as_they_are(sinks):
    """An SAE that gives zeros, spliced everywhere else, is zero-ablation everywhere else."""
    model, site = sinks
    sae = SAE(SAEConfig(32, 48, "topk", k=6, site=site))
    with torch.no_grad():
        for weight in sae.weights.values():
            weight.zero_()
    rows = [[0, *range(5, 15)], [0, *range(30, 40)]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = sw.quality(model, sae, rows)

    def zeros(x, start):
        out = torch.zeros_like(x)
        out[:, [0, 3]] = x[:, [0, 3]]
        return out

    ids = torch.tensor(rows)
    logprob = model.logits(ids, sw.Edit(site.hook_name, zeros))[:, :-1].log_softmax(-1)
    loss = -float(logprob.gather(-1, ids[:, 1:, None]).mean())
    assert found.loss_spliced == pytest.approx(loss, rel=1e-5) and found.loss_ablated == pytest.approx(loss, rel=1e-5)


def test_a_few_that_hold_the_variance_are_told(sinks):
    model, site = sinks
    sae = SAE(SAEConfig(32, 48, "topk", k=6, site=replace(site, max_norm=None)))
    rows = [[0, *range(5, 5 + n)] for n in (3, *[2] * 120)]  # one sink in 243 tokens
    with pytest.warns(UserWarning, match=r'hold \d+% of the variance, as attention sinks do.*outliers="leave out"'):
        found = sw.quality(model, sae, rows)
    assert found.top_share > 0.5
    said = [f for f in sw.diagnose(model, sae, rows).findings if f.topic == "outliers"]
    assert len(said) == 1 and said[0].fits is None and "leave out" in said[0].action
    assert "1 of 243 tokens, of outlying norm, are left out here" in said[0].sentence
    bounded = SAE.from_weights(replace(sae.config, site=site), {n: w.detach() for n, w in sae.weights.items()})
    assert not [f for f in sw.diagnose(model, bounded, rows).findings if f.topic == "outliers"]


def test_a_training_says_so_once_and_the_monitor_shows_it():
    batch = torch.randn(400, WIDTH, generator=torch.Generator().manual_seed(0))
    batch[3] *= 200
    sae = SAE(SAEConfig(WIDTH, 32, "topk", k=4))
    with pytest.warns(UserWarning, match="In the batch of step 1 the 1 % of the tokens") as said:
        run = sw.train(sae, [batch] * 12, sw.TrainConfig(steps=12))
        steps = list(run)
    assert len(steps) == 12 and len([w for w in said if "In the batch" in str(w.message)]) == 1
    monitor = sw.TrainingMonitor(run)
    monitor._look()
    assert "attention sinks" in monitor.error
    monitor.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(sw.train(SAE(SAEConfig(WIDTH, 32, "topk", k=4)), [batch[4:]] * 2, sw.TrainConfig(steps=2)))


# -- packing ---------------------------------------------------------------------------------------------------------


def test_packed_rows_by_hand():
    model = Sinking()
    model.n_ctx = 8
    given = [[0, 11, 12], [0, 13], [0, 14, 15, 16, 17], [18, 19], [0, 21]]
    found = packed(model, read_corpus(model, given))
    assert found.rows.tolist() == [
        [0, 11, 12, 0, 13, -1, -1, -1],
        [0, 14, 15, 16, 17, 0, 18, 19],
        [0, 21, -1, -1, -1, -1, -1, -1],
    ]
    assert (found.n_packed, found.text.tolist()) == (4, [0, 2, 4])
    assert not found.counted[found.rows == 0].any() and found.counted.sum() == 10
    model.bos_token_id = None
    model._special = frozenset()
    bare = packed(model, read_corpus(model, [[11, 12], [13]]))
    assert bare.rows.tolist() == [[11, 12, 99, 13]] and bare.counted.tolist() == [[True, True, False, True]]
    model.eos_token_id = None
    with pytest.raises(ValueError, match="no token to put between packed texts; leave pack out"):
        packed(model, read_corpus(model, [[11, 12], [13]]))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(1, 98), min_size=1, max_size=7), min_size=1, max_size=30))
def test_packing_keeps_every_token_in_its_order(bodies):
    model = Sinking()
    model.n_ctx = 8
    found = packed(model, read_corpus(model, [[0, *body] for body in bodies]))
    assert found.rows[found.counted].tolist() == [t for body in bodies for t in body]
    assert found.rows.shape[1] <= 8 and (found.rows[:, 0] == 0).all()
    longest = [len(row[row >= 0]) for row in found.rows]
    firsts = [len(bodies[n]) + 1 for n in found.text]
    assert all(a + b > 8 for a, b in zip(longest, firsts[1:], strict=False))  # the next text did not fit


def test_a_packed_store_gives_the_same_tokens_in_fewer_rows():
    model = Sinking()
    plain, own = store(model, epochs=1), store(model, epochs=1, pack=True)
    assert own.n_packed == 60 and len(own._rows) < len(plain._rows) / 2 and "texts packed: 60" in repr(own)
    assert sorted(ids_of(model, own)) == sorted(ids_of(model, plain))
    assert not above(torch.cat(list(own)), own.site.max_norm).any()


def test_the_doctor_leaves_out_special_tokens_as_the_store_does(tiny_model):
    """Wherever they stand: a chat template's are as unlike the rest as the beginning of a text."""
    from saewidgets.doctor.readings import Bench, Reading

    sae = SAE(SAEConfig(32, 48, "topk", k=6, site=sw.site(tiny_model, "blocks.0.hook_resid_post")))
    rows = [[5, 6, 0, 7, 8, 9], [10, 0, 11, 12]]  # 0 is the tiny model's special token
    bench = Bench(tiny_model, sae, rows)
    reading = Reading("blocks.0.hook_resid_post", True, True, 1.0, "none")
    x = tiny_model.activations(torch.tensor([[0, *rows[0]], [0, *rows[1], -1, -1]]), reading.hook_name)
    expected = torch.cat([x[0, [1, 2, 4, 5, 6]], x[1, [1, 3, 4]]])
    assert bench.n_tokens == 8
    torch.testing.assert_close(bench.inputs(reading), expected)
    error = (sae(expected) - expected).square().sum(-1).detach()
    variance = (expected - expected.mean(0)).square().sum()
    found = bench.fit(reading)
    assert found.fvu == pytest.approx(float(error.sum() / variance), rel=1e-4)
    by_text = [float(error[:5].sum() / variance), float(error[5:].sum() / variance)]
    assert found.by_text.tolist() == pytest.approx(by_text, rel=1e-4)
