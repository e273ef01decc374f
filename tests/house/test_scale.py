"""The arithmetic of `benchmarks/scale.py`, by hand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scale():
    spec = importlib.util.spec_from_file_location("scale", ROOT / "benchmarks" / "scale.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["scale"]


def test_what_a_step_holds_reads_and_moves(scale):
    job = scale.Job(d_in=10, d_sae=100, k=3, rows=8, ranks=4, tokens=1000)
    assert job.parameters == 1000 + 1000 + 100 + 10
    assert job.encoder_flop == 2 * 8 * 10 * 100  # a product and a sum for each pair
    assert job.gathered == 4 * 8 * 3 * 10
    # 88 bytes a parameter and 12 a pre-activation: the sums in the module, added up again.
    assert job.memory_bytes == (4 + 10 + 4 + 8 + 24 + 28 + 6 + 4) * 2110 + 12 * 8 * 100
    # 2,110 gradients of 4 bytes: each rank sends 3 quarters of them twice.
    assert job.moved_bytes == 2 * 3 * (2110 * 4) // 4 == 12_660
    assert job.steps == 32  # 31 of 32 rows are 992
    # weight, gradient, two moments, three copies: 28 bytes each; all of the pre-activations fit in a piece.
    assert job.held_bytes == 28 * 2110 + 4 * 8 * 100 + 6 * 4 * 8 * 10
    assert scale.ADAM_BYTES == 28 and scale.Job(10, 100, 3, 8).moved_bytes == 0


def test_seconds_are_amounts_over_rates(scale):
    job = scale.Job(d_in=10, d_sae=100, k=3, rows=8, ranks=2)
    rates = scale.Rates(encoder=16_000, sparse=480, memory=job.memory_bytes / 3, link=8440 / 5, message=0.5, fixed=7)
    found = scale.predict(job, rates)
    assert (found.encoder, found.sparse, found.weights, found.fixed) == pytest.approx((1, 2, 3, 7))
    assert found.moved == pytest.approx(5 + 2 * 0.5)  # one whole gradient, two messages
    assert found.seconds == pytest.approx(1 + 2 + 3 + 6 + 7)


def test_rates_are_found_again_from_times_that_follow_them(scale):
    pytest.importorskip("scipy")
    true = scale.Rates(encoder=2e11, sparse=1e9, memory=2e10, fixed=1e-3)
    jobs = [scale.Job(*shape) for shape in scale.SHAPES]
    found = scale.fitted(jobs, [scale.predict(job, true).seconds for job in jobs])
    for name in ("encoder", "sparse", "memory", "fixed"):
        assert getattr(found, name) == pytest.approx(getattr(true, name), rel=1e-6)


def test_a_link_is_found_again_from_two_sizes(scale):
    rate, message = 1e9, 2e-4
    times = [(size, 2 * 3 / 4 * size / rate + 6 * message) for size in (4096, 1 << 22)]
    assert scale.link_of(times, 4) == pytest.approx((rate, message))


def test_the_table_in_the_docs_is_the_one_that_is_printed(scale):
    text = (ROOT / "docs" / "scale_predicted.md").read_text(encoding="utf-8")
    assert scale.table(scale.H100) in text and "predicted" in text.lower()
