"""The Python that opens again what a record names, for every `to_code`."""

from __future__ import annotations

import re

from saewidgets.records.features import Passport

_BUNDLED = "miniworld"
_DTYPES = ("bfloat16", "float16")
# The name of a corpus of the mini-world, see `miniworld.load_corpus` and `Corpus.split`.
_DOCUMENTS = re.compile(r"miniworld, (\d+) documents, seed (\d+)(?:, in rows of (\d+) tokens)?")
# A model that is loaded by another name than its own: (own name, what its weights were) -> the name to type.
_LOADED_AS = {("HuggingFaceTB/SmolLM2-135M-Instruct", "Q4_1"): "smollm2"}


def model_code(name: str = "", weights: str = "") -> str:
    """The call that loads a model, by its name and what a `Passport` says of its weights; without a name the bundled
    one.

    Example:
        >>> model_code("HuggingFaceTB/SmolLM2-135M-Instruct", "bfloat16, from Q4_1")
        "sw.load_model('smollm2', dtype='bfloat16')"
        >>> model_code("gpt2"), model_code("miniworld")
        ("sw.load_model('gpt2')", 'sw.load_model()')
    """
    dtype, _, before = weights.partition(", from ")
    name = _LOADED_AS.get((name, before), name)
    given = [repr(str(name))] if name not in ("", _BUNDLED) else []
    given += [f"dtype={dtype!r}"] if dtype in _DTYPES else []
    return f"sw.load_model({', '.join(given)})"


def sae_code(name: str = "") -> str | None:
    """The call that loads an SAE by its name; without one the bundled one. None for a name that cannot be typed: what
    an SAE of one's own is called says nothing of where its files are.

    Example:
        >>> sae_code("miniworld-512"), sae_code("gpt2-small-res-jb/blocks.8.hook_resid_pre")
        ("sw.load_sae('miniworld-512')", "sw.load_sae('gpt2-small-res-jb/blocks.8.hook_resid_pre')")
        >>> sae_code("mine") is None
        True
    """
    name = str(name)
    if name and "/" not in name and not name.startswith(f"{_BUNDLED}-"):
        return None
    return f"sw.load_sae({repr(name) if name else ''})"


def corpus_code(name: str = "") -> str:
    """The line that makes `corpus`: the mini-world's, of as many documents and the seed that the name says, or a place
    for texts of one's own, which no record holds.

    Example:
        >>> corpus_code("miniworld, 2000 documents, seed 1"), corpus_code("miniworld, 400 documents, seed 3")
        ('corpus = sw.load_corpus()', 'corpus = sw.load_corpus(400, seed=3)')
        >>> corpus_code("20 texts")
        "corpus = ...  # your texts: '20 texts'"
    """
    if name and not str(name).startswith(_BUNDLED):
        return f"corpus = ...  # your texts: {str(name)!r}"
    found = _DOCUMENTS.match(str(name))
    n, seed, width = found.groups() if found else ("2000", "1", None)
    given = ([n] if n != "2000" else []) + ([f"seed={seed}"] if seed != "1" else [])
    return f"corpus = sw.load_corpus({', '.join(given)})" + (f".split({width})" if width else "")


def opening(passport: Passport | None, *, corpus: bool = True) -> str:
    """The lines that every `to_code` begins with: the import, and `model`, `sae` and `corpus` as a passport names them;
    without a passport, the bundled ones.

    Example:
        >>> print(opening(None), end="")
        import saewidgets as sw
        model, sae = sw.load_model(), sw.load_sae()
        corpus = sw.load_corpus()
    """
    if passport is None:
        return opening_of(corpus="" if corpus else None)
    return opening_of(
        passport.model_name, passport.weights, passport.sae_name, corpus=passport.corpus if corpus else None
    )


def opening_of(model: str = "", weights: str = "", sae: str | None = "", *, corpus: str | None = None) -> str:
    """The same by names, for a record that has no passport. Where one of the two last is None there is no line that
    makes it; an SAE of one's own has a line to fill in.

    Example:
        >>> print(opening_of("gpt2", sae=None, corpus="20 texts"), end="")
        import saewidgets as sw
        model = sw.load_model('gpt2')
        corpus = ...  # your texts: '20 texts'
    """
    made = model_code(model, weights)
    if sae is None:
        lines = [f"model = {made}"]
    elif (model and not sae) or (loaded := sae_code(sae)) is None:  # of a model by name, so not just the bundled one
        called = f" {str(sae)!r}" if sae else ""
        lines = [f"model = {made}", f"sae = ...  # your SAE{called}: sw.load_sae of its folder, or train it again"]
    else:
        lines = [f"model, sae = {made}, {loaded}"]
    lines += [] if corpus is None else [corpus_code(corpus)]
    return "".join(f"{line}\n" for line in ("import saewidgets as sw", *lines))
