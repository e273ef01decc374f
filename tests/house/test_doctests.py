"""Every example of every docstring runs, and gives what it says. One without a stated output only has to run."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest
import torch

import saewidgets as sw

# What needs a network, a folder of one's own, or minutes is marked SKIP where it stands; numba's and Triton's modules
# have no examples, and Triton is there on a machine with a GPU only.
MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(sw.__path__, "saewidgets.")
    if not found.name.endswith(("__main__", "_numba", "_triton"))
)


class Checker(doctest.OutputChecker):
    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return not want or super().check_output(want, got, optionflags)


def examples(module) -> list[doctest.DocTest]:
    """The docstrings of a module that have an example to run."""
    found = doctest.DocTestFinder(exclude_empty=True).find(module, module.__name__)
    return [t for t in found if any(doctest.SKIP not in example.options for example in t.examples)]


def ran(test: doctest.DocTest) -> str:
    """What went wrong in the examples of one docstring; "" where nothing did."""
    said: list[str] = []
    # Without `verbose=False` it would read pytest's own -v, and tell what went well too.
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(Checker(), verbose=False, optionflags=flags)
    runner.run(test, out=said.append)
    return "".join(said)


@pytest.fixture(scope="module")
def at_hand():
    """The names that examples use without making them: the public ones, the bundled model and SAE, and a short corpus
    read.
    """
    model, sae = sw.load_model(), sw.load_sae()
    corpus = sw.load_corpus(30)
    return {name: getattr(sw, name) for name in sw.__all__} | {
        "sw": sw,
        "np": np,
        "torch": torch,
        "model": model,
        "sae": sae,
        "corpus": corpus,
        "acts": sw.feature_activations(model, sae, corpus, progress=False),
        "steer": sw.Steerer(model, sae),
        "tokens": model.tokens("The cat sat"),
        "texts": ["The cat sat on the mat."] * 20,
        "hook_name": sae.config.site.hook_name,
        "selection": sw.Selection(),
    }


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name, at_hand, tmp_path, monkeypatch):
    module = importlib.import_module(name)
    monkeypatch.chdir(tmp_path)
    for test in examples(module):
        test.globs.update({key: value for key, value in at_hand.items() if key not in test.globs})
        said = ran(test)
        assert not said, said


def test_an_example_that_gives_something_else_is_found():
    def read(text: str) -> doctest.DocTest:
        return doctest.DocTestParser().get_doctest(text, {}, "example", None, None)

    assert "Expected:\n    3\nGot:\n    2" in ran(read(">>> 1 + 1\n3\n"))
    assert "ZeroDivisionError" in ran(read(">>> 1 / 0\n"))  # without an output it has to run all the same
    assert ran(read(">>> 1 + 1\n2\n>>> [0]\n")) == ""
