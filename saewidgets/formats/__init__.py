"""Published SAE files, one module a layout: into `SAE`, and out of it.

`load_sae` tells the layouts apart by their files' names, and single `.pt` files by their arrays; `releases` lists what
has a name. Everything is read through checks (see `untrusted` and `saewidgets.files`); a file that fails one gives
`LoadError`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from saewidgets.files import LoadError, present, unknown
from saewidgets.formats import (
    circuit_tracer,
    dictionary_learning,
    gemma_scope,
    hub,
    llama_scope,
    openai,
    published,
    saelens,
    single_files,
    sparsify,
)
from saewidgets.formats.assemble import processed
from saewidgets.formats.published import releases
from saewidgets.formats.untrusted import read_pt
from saewidgets.records import ActivationSite
from saewidgets.records.arguments import expect
from saewidgets.sae import SAE, bundled_names, check_sae, load_bundled

__all__ = ["load_sae", "releases", "save_sae"]

_OWN = ("config.json", "weights.safetensors")
_READERS: dict[tuple[str, ...], Callable[..., SAE]] = {
    saelens.FILES: saelens.read,
    sparsify.FILES: sparsify.read,
    gemma_scope.FILES_1: gemma_scope.read_1,
    gemma_scope.FILES_2: gemma_scope.read_2,
    dictionary_learning.FILES: dictionary_learning.read,
    llama_scope.FILES: llama_scope.read,
    llama_scope.FILES_R1: llama_scope.read_r1,
}
_WRITERS: dict[str, Callable[[SAE, Path], None]] = {"saewidgets": SAE.save, "saelens": saelens.write}


def load_sae(name: str | os.PathLike[str] = "miniworld-2048", *, site: ActivationSite | None = None) -> SAE:
    """A bundled SAE by name, one in a folder or file, or one from the Hugging Face hub.

    Args:
        name: a bundled SAE; a folder or file in a layout that docs/formats.md lists, such as SAELens's; "release/id" of
            a release in `releases()`, such as "gpt2-small-res-jb/blocks.8.hook_resid_pre"; or "owner/repo:path" on the
            hub. The last two download with progress into the hub's cache, once.
        site: where the SAE reads, in place of what its files say. Some say nothing (OpenAI's), and some leave out the
            scale. A transcoder's `out_site` stays what its files say.

    Weights come as float32 on the CPU. Raises ValueError, with the nearest names, on a name that is none of these;
    LoadError, and nothing else, on files that do not hold a sound SAE of a kind that is read, or if the hub cannot be
    reached.

    Example:
        >>> load_sae("miniworld-512").config.architecture
        'topk'
        >>> load_sae("gpt2-small-res-jb/blocks.8.hook_resid_pre").config.d_sae  # doctest: +SKIP
        24576
    """
    expect(name, (str, os.PathLike), "name", "load_sae", "give a name, such as 'miniworld-2048', or a folder")
    text = os.fspath(name)
    if isinstance(name, str) and text in bundled_names():
        return _at(load_bundled(text), site, text)
    path = Path(os.path.expanduser(text))  # not Path.expanduser, which raises on a user that is not known
    if present(path):
        return read_sae(path, origin=path.absolute().as_posix(), site=site)
    place = hub.resolve(text)
    if place is None:
        raise ValueError(hub.unknown_name(text, bundled_names()))
    sae = read_sae(hub.fetch(place), origin=place.origin, site=site)
    known = published.facts(place.origin)
    sae = sae if site else _at(sae, processed(sae.config.site, known.weight_processing), text)
    sae.name = text
    return sae


def read_sae(path: Path, *, origin: str, site: ActivationSite | None = None) -> SAE:
    """The SAE in a folder or file, whoever wrote it. `origin` is its path or address, from which some sites are read.

    Raises LoadError.
    """
    if path.is_file() and path.suffix in (".pt", ".pth") and path.name not in dictionary_learning.FILES:
        return _read_state(path, origin, site)
    if path.is_file() and circuit_tracer.recognizes(path):
        sae = circuit_tracer.read(path, origin=origin, site=site)
        sae.name = path.stem
        return sae
    folder = path if path.is_dir() else path.parent
    origin = origin if path.is_dir() else origin.rpartition("/")[0]
    try:
        there = {entry.name for entry in folder.iterdir()}
    except OSError as error:
        raise LoadError(folder, error.strerror or str(error)) from error
    if "weights.safetensors" in there:
        return _at(SAE.load(folder), site, str(folder))
    for files, reader in _READERS.items():
        if set(files) <= there:
            sae = reader(folder, origin=origin, site=site)
            sae.name = folder.name
            return sae
    expected = "; ".join(" and ".join(files) for files in (_OWN, *_READERS))
    raise LoadError(path, f"no SAE that is read here: expected {expected}; or one .pt or layer_<n>.safetensors file")


def save_sae(sae: SAE, folder: str | os.PathLike[str], producer: str = "saewidgets") -> None:
    """Write an SAE into a folder: our own format, as `sae.save(folder)`, or "saelens", which SAELens >= 6 opens.

    Raises ValueError, and writes nothing, if a weight is not finite or there is no such producer.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_sae(load_sae("miniworld-512"), folder, "saelens")
        ...     load_sae(folder).config.k
        12
    """
    if producer not in _WRITERS:
        raise ValueError(unknown("producer", producer, _WRITERS))
    check_sae(sae, "save_sae")
    expect(folder, (str, os.PathLike), "folder", "save_sae", "give a folder, such as 'my-sae'")
    _WRITERS[producer](sae, Path(folder))


def _read_state(path: Path, origin: str, site: ActivationSite | None) -> SAE:
    """One `.pt` file on its own: whose it is, its arrays say."""
    state = read_pt(path)
    if openai.recognizes(state):
        sae = openai.from_state(path, state, origin=origin, site=site)
    elif single_files.recognizes(state):
        sae = single_files.from_state(path, state, origin=origin, site=site)
    elif dictionary_learning.recognizes(state):
        sae = dictionary_learning.from_state(path, state, {}, origin=origin, site=site)
    else:
        raise LoadError(path, f"its arrays are of no SAE that is read here: {', '.join(sorted(state))[:120]}")
    sae.name = path.stem
    return sae


def _at(sae: SAE, site: ActivationSite | None, where: str) -> SAE:
    """The SAE at that site, if one is given."""
    if site is None or site == sae.config.site:
        return sae
    try:
        config = replace(sae.config, site=site)
    except ValueError as error:
        raise LoadError(where, str(error)) from error
    return SAE.from_weights(config, {name: w.detach() for name, w in sae.weights.items()}, name=sae.name)
