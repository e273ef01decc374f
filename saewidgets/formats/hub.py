"""From "release/id" or "owner/repo:path" to a folder with one SAE's files, through the Hugging Face hub's own cache."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from saewidgets.files import LoadError, unknown
from saewidgets.formats import published

# What an SAE's folder may hold that is of use here; nothing else is downloaded.
_NAMES = (
    "config.json",
    "weights.safetensors",
    "cfg.json",
    "sae_weights.safetensors",
    "sae.safetensors",
    "params.npz",
    "params.safetensors",
    "ae.pt",
    "hyperparams.json",
    "checkpoints/final.safetensors",
)
_ABOVE = ("config.json", "config.yaml")  # in the folder that holds the SAE's
_SUFFIXES = (".pt", ".pth", ".npz", ".safetensors")


@dataclass(frozen=True)
class Place:
    """One SAE on the hub."""

    repo: str  # owner/repo
    path: str  # of a folder or of one file in it; "": the repository itself

    @property
    def origin(self) -> str:
        """repo and path in one, as producers' paths are read."""
        return f"{self.repo}/{self.path}".rstrip("/")


def resolve(name: str) -> Place | None:
    """Where on the hub "release/id" or "owner/repo:path" is; None for a name of neither form.

    Raises ValueError, with what there is, for a known release without such an id, for one that is not read, and for a
    path that is not plain.

    Example:
        >>> resolve("gpt2-small-res-jb/blocks.8.hook_resid_pre").repo
        'jbloom/GPT2-Small-SAEs-Reformatted'
        >>> resolve("gemma-scope-2b-pt-res-canonical/layer_20/width_16k/canonical").path
        'layer_20/width_16k/average_l0_71'
        >>> resolve("google/gemma-scope-2b-pt-res:layer_20/width_16k/average_l0_71").path
        'layer_20/width_16k/average_l0_71'
    """
    direct = re.fullmatch(r"([\w.-]+/[\w.-]+):(.*)", name)
    if direct:
        path = direct[2].strip("/")
        if not re.fullmatch(r"[\w./=+@ -]*", path) or ".." in path.split("/"):
            raise ValueError(f"{path!r} is not the path of a folder or file in a repository")
        return Place(direct[1], path)
    release_name, _, sae_id = name.partition("/")
    release = published.known().get(release_name)
    if release is None:
        return None
    if release.not_read:
        raise ValueError(f"{release.name} is not read: {release.not_read}")
    path = release.path(sae_id)
    if path is None:
        raise ValueError(published.no_such_id(release, sae_id))
    return Place(release.repo, path)


def fetch(place: Place) -> Path:
    """Download what is there and not yet in the hub's cache, with the hub's progress bars; the folder or file.

    Raises LoadError, in one sentence, if the hub cannot be reached or has no such repository, or asks for a login.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise LoadError(place.origin, "reading from the hub needs the package huggingface_hub") from error
    own = [place.path] if place.path.endswith(_SUFFIXES) else []  # some folders are called x.pt
    own += [path.removesuffix(".pt") + "_cfg.json" for path in own]
    prefix = f"{place.path}/" if place.path else ""
    above = "/".join(place.path.split("/")[:-1])
    wanted = [*own, *(prefix + name for name in _NAMES), *(f"{above}/{name}".lstrip("/") for name in _ABOVE)]
    try:
        root = Path(snapshot_download(place.repo, allow_patterns=wanted))
    except Exception as error:  # the hub's client has a kind for each status, and its transport's kinds besides
        raise LoadError(place.origin, _why(error)) from error
    path = root / place.path
    if not path.exists():
        raise LoadError(
            place.origin,
            "the repository has no such folder or file, or it is not in the cache and the hub is out of reach",
        )
    return path


def _why(error: BaseException) -> str:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "GatedRepoError" in kinds:
        return "the repository asks for a login: accept its terms on the hub, then run `hf auth login`"
    if kinds & {"RepositoryNotFoundError", "RevisionNotFoundError", "HFValidationError"}:
        return "the hub has no such repository, or it is private"
    return (
        "the hub cannot be reached and the files are not in its cache: connect and try again, or copy the SAE's folder "
        "here and give its path"
    )


def unknown_name(name: str, bundled: list[str]) -> str:
    """One sentence for a name that is neither bundled, nor a path, nor on the hub."""
    release, slash, _ = name.partition("/")
    return (
        (unknown("release of SAEs", release, published.known()) if slash else unknown("SAE", name, bundled))
        + "; or give a folder or file that is there, 'release/id' of one in sw.formats.releases(), or 'owner/repo:path' on the hub"
    )
