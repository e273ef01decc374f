"""The Python that opens again what a record names, for every `to_code`."""

from __future__ import annotations

from saewidgets.records.features import Passport

_BUNDLED = "miniworld"
_DTYPES = ("bfloat16", "float16")
# A model that is loaded by another name than its own: (own name, what its weights were) -> the name to type.
_LOADED_AS = {("HuggingFaceTB/SmolLM2-135M-Instruct", "Q4_1"): "smollm2"}


def model_code(name: str = "", weights: str = "") -> str:
    """The call that loads a model, by its name and what a `Passport` says of its weights; without a name the bundled one.

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


def sae_code(name: str = "") -> str:
    """The call that loads an SAE by its name; without one the bundled one.

    Example:
        >>> sae_code("miniworld-512")
        "sw.load_sae('miniworld-512')"
    """
    return f"sw.load_sae({repr(str(name)) if name else ''})"


def corpus_code(name: str = "") -> str:
    """The line that makes `corpus`: the bundled one, or a place for texts of one's own, which no record holds.

    Example:
        >>> corpus_code("miniworld, 2000 documents, seed 1"), corpus_code("20 texts")
        ('corpus = sw.load_corpus()', "corpus = ...  # your texts: '20 texts'")
    """
    bundled = not name or str(name).startswith(_BUNDLED)
    return "corpus = sw.load_corpus()" if bundled else f"corpus = ...  # your texts: {str(name)!r}"


def pair_code(passport: Passport) -> str:
    """The line that makes `model` and `sae` as a passport names them."""
    return f"model, sae = {model_code(passport.model_name, passport.weights)}, {sae_code(passport.sae_name)}"
