"""Long work shows itself, says nothing where it is quick or told to be silent, and leaves nothing behind when it is
broken off.
"""

from __future__ import annotations

import threading
import time

import pytest
import torch

import saewidgets as sw
from saewidgets import bars, export
from saewidgets.analysis.search import rank_by_effect
from saewidgets.bars import bar, muted
from saewidgets.doctor.meeting import meet
from saewidgets.sae import SAE, SAEConfig

POST = "blocks.2.hook_resid_post"


@pytest.fixture(scope="module")
def model():
    return sw.load_model()


@pytest.fixture(scope="module")
def sae(model):
    found = sw.load_sae("miniworld-512")
    meet(model, found)  # else the first test would see that it does
    return found


@pytest.fixture(scope="module")
def corpus():
    return sw.load_corpus(40, seed=8)


@pytest.fixture(scope="module")
def acts(model, sae, corpus):
    return sw.feature_activations(model, sae, corpus, progress=False)


class Seen:
    """What tqdm was told."""

    made: list[Seen]

    def __init__(self, total=None, desc="", unit="", **options):
        self.total, self.desc, self.unit, self.n, self.closed = total, desc, unit, 0, False
        self.start_t = time.time()
        Seen.made.append(self)

    def update(self, n):
        self.n += n

    def refresh(self):
        pass

    def close(self):
        self.closed = True


@pytest.fixture
def seen(monkeypatch):
    """The bars that are drawn, with no delay."""
    import tqdm.auto

    Seen.made = []
    monkeypatch.setattr(tqdm.auto, "tqdm", Seen)
    monkeypatch.setattr(bars, "DELAY", -1.0)
    return Seen.made


WORK = {
    "feature_activations": (lambda m, s, c, a, p, **o: sw.feature_activations(m, s, c, **o), ["reading features"]),
    "quality": (lambda m, s, c, a, p, **o: sw.quality(m, s, c, **o), ["reconstructing", "measuring losses"]),
    "firing": (lambda m, s, c, a, p, **o: sw.analysis.quality.firing(m, s, c, **o), ["counting features"]),
    "concept_scores": (lambda m, s, c, a, p, **o: sw.concept_scores(a, c, **o), ["scoring concepts"]),
    "concept_detectors": (
        lambda m, s, c, a, p, **o: sw.analysis.quality.concept_detectors(a, c, **o),
        ["trying thresholds", "scoring concepts", "choosing detectors"],
    ),
    "absorption": (
        lambda m, s, c, a, p, **o: sw.analysis.quality.absorption(m, s, c, acts=a, detectors=sw.analysis.quality.concept_detectors(a, c, progress=False), **o),
        ["reading directions of concepts", "reading concepts that are there"],
    ),
    "compare_detectors": (
        lambda m, s, c, a, p, **o: sw.analysis.compare_detectors(m, s, c, acts=a, ks=(1,), baselines=False, **o),
        ["trying thresholds", "fitting sparse probes"],
    ),
    "neuron_overlap": (lambda m, s, c, a, p, **o: sw.analysis.neuron_overlap(m, s, a, n_tokens=500, **o), ["reading neurons"]),
    "match_features": (lambda m, s, c, a, p, **o: sw.analysis.quality.match_features(a, a, **o), ["matching features"]),
    "splitting": (lambda m, s, c, a, p, **o: sw.analysis.quality.splitting(s, s, a, a, **o), ["matching features"]),
    "feature_map": (
        lambda m, s, c, a, p, **o: sw.feature_map(s, a, model=m, corpus=c, **o),
        ["finding neighbors", "placing features", "naming features"],
    ),
    "cache": (
        lambda m, s, c, a, p, **o: sw.ActivationStore(m, sw.site(m, POST), c).cache(p / "cache", **o),
        ["reading activations", "writing activations"],
    ),
    "cache that does not fit": (
        lambda m, s, c, a, p, **o: sw.ActivationStore(m, sw.site(m, POST), c, buffer_tokens=300).cache(p / "cache", **o),
        ["reading activations", "writing activations"],
    ),
    "measured": (
        lambda m, s, c, a, p, **o: sw.dashboard_data(m, s, a).measured(31, **o),
        ["making records", "leaving features out", "reading neurons"],
    ),
    "save": (lambda m, s, c, a, p, **o: sw.dashboard_data(m, s, a, [1, 31]).save(p / "d.json", **o), ["making records"]),
    "to_html": (
        lambda m, s, c, a, p, **o: export.dashboard_html(sw.dashboard_data(m, s, a, [1, 31]), p / "d.html", **o),
        ["making records", "leaving features out", "reading neurons", "drawing features"],
    ),
    "record_clamps": (
        lambda m, s, c, a, p, **o: sw.record_clamps(sw.Steerer(m, s), "The cat", [[sw.Clamp(31, 8.0)]], n_tokens=2, **o),
        ["writing"],
    ),
    "jacobian_lens": (
        lambda m, s, c, a, p, **o: sw.analysis.jacobian_lens(m, c.texts[:2], skip=1, longest=6, hook_names=POST, **o),
        ["going back"],
    ),
    "steering_scores": (lambda m, s, c, a, p, **o: sw.analysis.steering_scores(m, s, a, features=[31], **o), ["raising"]),
    "directions": (
        lambda m, s, c, a, p, **o: sw.analysis.directions.directions(m, candidates=(), n_shuffles=5, **o),
        ["asking"],
    ),
    "dose_response": (
        lambda m, s, c, a, p, **o: sw.dose_response(
            m, s, 31, maximum=4.0, prompt="The cat", multiples=[0, 1], kinds=["clamp"], seeds=[0, 1], n_tokens=3, **o
        ),
        ["writing"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WORK)
def test_long_work_counts_to_its_end_and_is_silent_when_told(name, seen, model, sae, corpus, acts, tmp_path):
    work, bars_of = WORK[name]
    (tmp_path / "quiet").mkdir()
    work(model, sae, corpus, acts, tmp_path / "quiet", progress=False)
    assert seen == []
    work(model, sae, corpus, acts, tmp_path)
    assert [b.desc for b in seen] == bars_of
    assert all(b.n == b.total > 0 and b.closed for b in seen), [(b.desc, b.n, b.total) for b in seen]


@pytest.mark.parametrize(
    "name", ["feature_activations", "quality", "cache", "cache that does not fit", "to_html", "save"]
)
def test_broken_off_it_leaves_no_file_no_hook_and_no_bar(name, seen, monkeypatch, model, sae, corpus, acts, tmp_path):
    hooks = lambda: sum(len(module._forward_hooks) for module in model.hooked.modules())  # noqa: E731
    before = hooks()

    class Broken(Seen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            if self.desc == WORK[name][1][-1]:
                raise KeyboardInterrupt

    import tqdm.auto

    monkeypatch.setattr(tqdm.auto, "tqdm", Broken)
    with pytest.raises(KeyboardInterrupt):
        WORK[name][0](model, sae, corpus, acts, tmp_path)
    assert list(tmp_path.iterdir()) == [] and hooks() == before
    assert all(b.closed for b in seen[:-1])
    monkeypatch.setattr(tqdm.auto, "tqdm", Seen)
    del seen[:]
    WORK[name][0](model, sae, corpus, acts, tmp_path)  # a bar that was left open would silence this one
    assert [b.desc for b in seen] == WORK[name][1]


def test_the_search_of_the_doctor_is_counted(seen, model):
    generator = torch.Generator().manual_seed(0)
    fresh = SAE(SAEConfig(160, 64, "topk", k=8, site=sw.site(model, POST)))
    strange = {name: torch.randn(w.shape, generator=generator) / 12 for name, w in fresh.weights.items()}
    found = sw.diagnose(model, SAE.from_weights(fresh.config, strange))
    assert [(b.desc, b.total) for b in seen] == [("checking how the SAE fits", None)]
    assert seen[0].n >= len(found.trials) > 20 and seen[0].closed
    sw.diagnose(model, SAE.from_weights(fresh.config, strange), progress=False)
    assert len(seen) == 1


def test_quick_work_prints_nothing_and_slow_work_a_whole_bar(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(bars, "_clock", lambda: now[0])

    def work(seconds):
        with bar(20, "adding", "numbers") as advance:
            for _ in range(20):
                now[0] += seconds
                advance(1)

    work(0.02)
    assert capsys.readouterr() == ("", "")
    work(0.03)  # .6 s: the bar comes with the 17th
    out, err = capsys.readouterr()
    assert out == "" and "adding: " in err and "20/20" in err and "0/20" not in err.replace("20/20", "")


def test_one_bar_at_a_time_and_none_in_a_worker(seen):
    def work():
        with bar(2, "outer", "things") as advance:
            advance(1)
            with bar(5, "inner", "things") as inner:
                inner(5)
            advance(1)

    work()
    assert [(b.desc, b.n) for b in seen] == [("outer", 2)]
    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    assert len(seen) == 1
    with muted():
        work()
    assert len(seen) == 1
    with muted(False):
        work()
    assert len(seen) == 2


def test_a_cache_is_refused_before_the_work(model, corpus, tmp_path):
    store = sw.ActivationStore(model, sw.site(model, POST), corpus)
    with pytest.raises(FileExistsError, match="is there already"):
        store.cache(tmp_path)
    assert store._held is None  # nothing was read


def test_whoever_watches_is_told_how_far_work_is_and_can_end_it(model, sae, acts):
    told = []

    def look(done, total):
        told.append((done, total))
        if len(told) == 4:
            raise InterruptedError

    def work():
        with bars.watched(look), pytest.raises(InterruptedError):
            rank_by_effect(model, sae, "The cat", " sat", acts, n_pushed=12)
        rank_by_effect(model, sae, "The cat", " sat", acts, n_pushed=2)  # nobody watches this one
        told.append("end")

    thread = threading.Thread(target=work)  # as an instrument's worker
    thread.start()
    thread.join()
    # As it begins, before the first gradient, after the pushes that it chose, before the second gradient.
    assert told == [(0, 12), (0, 12), (3, 12), (3, 12), "end"]
