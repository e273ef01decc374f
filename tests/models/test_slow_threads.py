"""The sentence about torch's threads: said once, from a measurement, and without changing anybody's number of threads."""

from __future__ import annotations

import threading
import warnings

import pytest
import torch

import saewidgets as sw
from saewidgets.models import threads


@pytest.fixture
def machine(monkeypatch):
    """Four threads, and a clock by which a product takes as long as is planted for that number of threads."""
    seconds = {4: 0.05, 1: 0.0004}
    own = threading.local()
    now, calls = [0.0], [0]

    def clock():
        calls[0] += 1
        if calls[0] % 2 == 0:  # the end of a product
            now[0] += seconds[getattr(own, "number", 4)]
        return now[0]

    monkeypatch.setattr(threads, "_clock", clock)
    monkeypatch.setattr(torch, "get_num_threads", lambda: getattr(own, "number", 4))
    monkeypatch.setattr(torch, "set_num_threads", lambda n: setattr(own, "number", n))
    monkeypatch.setattr(threads, "checked", False)
    return seconds


def test_threads_that_wait_for_each_other_are_told_once(machine):
    with pytest.warns(UserWarning, match=r"torch's 4 threads .* 125 times .*torch.set_num_threads\(1\)"):
        threads.check_threads()
    assert torch.get_num_threads() == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threads.check_threads()


@pytest.mark.parametrize(("together", "alone"), [(0.002, 0.0001), (0.05, 0.03), (0.5, 0.051)])
def test_a_quick_machine_and_a_slow_one_are_not_accused(machine, together, alone):
    machine.update({4: together, 1: alone})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threads.check_threads()


def test_a_steerer_and_a_store_ask(machine):
    model, sae = sw.load_model(), sw.load_sae("miniworld-512")
    with pytest.warns(UserWarning, match="torch's 4 threads"):
        sw.Steerer(model, sae)
    threads.checked = False
    with pytest.warns(UserWarning, match="torch's 4 threads"):
        sw.ActivationStore(model, sae.config.site, ["The cat sat."])


def test_another_thread_keeps_its_number():
    """What the measurement relies on: the number of threads is each thread's own."""
    before = torch.get_num_threads()
    assert threads._alone(before) > 0
    assert torch.get_num_threads() == before
    found = []
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert found == [before]
