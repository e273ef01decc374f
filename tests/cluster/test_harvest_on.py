"""What other processes are asked to harvest or to stream is what this one would: tried without starting them."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch

import saewidgets as sw
from saewidgets.cluster import save_job, work
from saewidgets.cluster.harvesting import harvest_on, main
from saewidgets.records.jobs import steps_of
from saewidgets.training import TrainConfig, train
from saewidgets.training.run import Run

TEXTS = [f"The bridge over the bay is red and the fog is cold, {n}." for n in range(60)]


class Done:
    """A group of processes that have ended."""

    running, why = False, ""

    def kill(self):
        pass


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for n in range(3):
        (folder / f"{n}.txt").write_text("\n".join(TEXTS[n::3]))
    return folder


@pytest.fixture(scope="module")
def model(tiny_folder):
    return sw.load_model(tiny_folder)


def rows_of(store):
    return sorted(
        (row.sequence, row.piece, row.tokens.tobytes(), row.activations.numpy().tobytes()) for row in store.rows()
    )


def test_two_ranks_write_what_one_writes_byte_for_byte(model, shards, tmp_path, monkeypatch):
    site = sw.site(model, "blocks.1.hook_resid_pre")

    class Here:
        """Runs the ranks in this process, one after another."""

        def harvest(self, model, site, corpus, folder, options):
            def start(command, logs):
                for rank in ("0", "1"):
                    with monkeypatch.context() as env:
                        env.setenv("RANK", rank)
                        env.setenv("WORLD_SIZE", "2")
                        main(command[-1])
                return Done()

            harvest_on(start, "cpu", model, site, corpus, folder, options)

    one = sw.harvest(model, site, sw.open_corpus(str(shards)), tmp_path / "one", dtype="float32", progress=False)
    two = sw.harvest(model, site, sw.open_corpus(str(shards)), tmp_path / "two", dtype="float32", on=Here())
    assert rows_of(one) == rows_of(two) and len(rows_of(one)) == 60
    assert one.site == two.site
    with pytest.raises(ValueError, match="open_corpus"):
        sw.harvest(model, site, TEXTS, tmp_path / "three", on=Here())
    with pytest.raises(TypeError, match="Processes"):
        sw.harvest(model, site, sw.open_corpus(str(shards)), tmp_path / "three", on=2)
    assert not (tmp_path / "three").exists()


def test_a_job_on_a_streamed_corpus_goes_on_where_it_stood(model, shards, tmp_path):
    site = sw.site(model, "blocks.1.hook_resid_pre")

    def store():
        return sw.ActivationStore(model, site, sw.open_corpus(str(shards), seed=2), batch_size=16, buffer_tokens=200)

    config = TrainConfig(steps=300)
    sae = sw.SAE(sw.SAEConfig(site.d_in, 32, "topk", k=4, site=store().site))
    job = save_job(tmp_path / "job", sae, store(), config, every=100, device="cpu")

    def stop():
        while job.status().step < 5:
            time.sleep(0.005)
        job.ask("stop")

    threading.Thread(target=stop).start()
    assert work(job.path) == 0 and job.status().status == "stopped" and 5 <= job.status().step < 300
    whole = train(sae, store(), config)
    assert work(job.path) == 0
    assert list(whole) == steps_of(job.path)["run"]
    ended = Run(sw.SAE.load(job.path / "start" / "000"), [], config, resume=job.path / "checkpoints" / "000")
    assert torch.equal(ended.sae.W_dec, sae.W_dec)
    assert np.isfinite([step.loss for step in whole.history]).all()
