"""Ray as the place of a training: tried where Ray is installed, refused with what to type where it is not."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

import saewidgets as sw
from saewidgets.sae import SAE
from saewidgets.training import TrainConfig


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_words_say_what_to_type(tmp_path):
    with pytest.raises(ImportError, match=r"saewidgets\[ray\]"):
        sw.Ray(2, folder=tmp_path / "job")


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_two_workers_of_ray_train_what_one_process_does(tmp_path, sae, store):
    import ray

    ray.init(num_cpus=2, include_dashboard=False)
    try:
        config = TrainConfig(steps=40)
        mine = SAE(sae.config)
        steps = list(sw.train(mine, store, config, on=sw.Ray(2, folder=tmp_path / "job", device="cpu")))
        list(sw.train(sae, store, config))
        assert [step.step for step in steps] == list(range(1, 41))
        assert torch.allclose(mine.W_dec, sae.W_dec, atol=1e-6)
    finally:
        ray.shutdown()
