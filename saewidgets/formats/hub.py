"""From "release/id" or "owner/repo:path" to a folder with one SAE's files, through the Hugging Face hub's own cache."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from saewidgets.files import LoadError, unknown

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
)
_SUFFIXES = (".pt", ".npz", ".safetensors")


@dataclass(frozen=True)
class Release:
    """Where a release's SAEs are: the id's parts fill the folder's name."""

    repo: str  # owner/repo on the hub
    id: str  # a regular expression for the whole id
    folder: str  # in the repository; \\1 is the id's first group
    example: str  # an id
    weight_processing: str | None = None  # what the SAE's files leave out, where they do


def _layers(repo: str, hook: str, folder: str, example: int, **more: str) -> Release:
    return Release(repo, rf"blocks\.(\d+)\.{hook}", folder, f"blocks.{example}.{hook}", **more)


def _scope(repo: str, example: str) -> Release:
    return Release(f"google/{repo}", r"((?:layer_\d+|embedding)/width_\w+/average_l0_\d+)", r"\1", example)


RELEASES: dict[str, Release] = {
    "gpt2-small-res-jb": Release(
        "jbloom/GPT2-Small-SAEs-Reformatted",
        r"(blocks\.\d+\.hook_resid_(?:pre|post))",
        r"\1",
        "blocks.8.hook_resid_pre",
        weight_processing="folded",
    ),
    "gpt2-small-resid-post-v5-32k": _layers(
        "jbloom/GPT2-Small-OAI-v5-32k-resid-post-SAEs", "hook_resid_post", r"v5_32k_layer_\1.pt", 8
    ),
    "gpt2-small-resid-mid-v5-32k": _layers(
        "jbloom/GPT2-Small-OAI-v5-32k-resid-mid-SAEs", "hook_resid_mid", r"v5_32k_layer_\1", 8
    ),
    "gpt2-small-mlp-out-v5-32k": _layers(
        "jbloom/GPT2-Small-OAI-v5-32k-mlp-out-SAEs", "hook_mlp_out", r"v5_32k_layer_\1", 8
    ),
    "pythia-70m-deduped-res-sm": _layers(
        "ctigges/pythia-70m-deduped__res-sm_processed", "hook_resid_post", r"\1-res-sm", 3
    ),
    "pythia-70m-deduped-mlp-sm": _layers(
        "ctigges/pythia-70m-deduped__mlp-sm_processed", "hook_mlp_out", r"\1-mlp-sm", 3
    ),
    "gemma-2b-res-jb": _layers(
        "jbloom/Gemma-2b-Residual-Stream-SAEs", "hook_resid_post", r"gemma_2b_blocks.\1.hook_resid_post_16384", 6
    ),
    "gemma-scope-2b-pt-res": _scope("gemma-scope-2b-pt-res", "layer_20/width_16k/average_l0_71"),
    "gemma-scope-2b-pt-mlp": _scope("gemma-scope-2b-pt-mlp", "layer_0/width_65k/average_l0_12"),
    "gemma-scope-9b-pt-res": _scope("gemma-scope-9b-pt-res", "layer_27/width_131k/average_l0_96"),
    "gemma-scope-9b-it-res": _scope("gemma-scope-9b-it-res", "layer_31/width_16k/average_l0_14"),
    "gemma-scope-2-270m-pt-res": Release(
        "google/gemma-scope-2-270m-pt", r"(layer_\d+_width_\w+)", r"resid_post/\1", "layer_5_width_16k_l0_big"
    ),
    "gemma-scope-2-1b-pt-res": Release(
        "google/gemma-scope-2-1b-pt", r"(layer_\d+_width_\w+)", r"resid_post/\1", "layer_22_width_16k_l0_big"
    ),
    "sae_bench_pythia70m_sweep_topk_ctx128_0730": Release(
        "canrager/lm_sae",
        r"blocks\.(\d+)\.hook_resid_post__(trainer_\d+)",
        r"pythia70m_sweep_topk_ctx128_0730/resid_post_layer_\1/\2",
        "blocks.4.hook_resid_post__trainer_13",
    ),
}


@dataclass(frozen=True)
class Place:
    """One SAE on the hub."""

    repo: str  # owner/repo
    path: str  # of a folder or of one file in it; "": the repository itself
    weight_processing: str | None = None  # where a release is known for it

    @property
    def origin(self) -> str:
        """repo and path in one, as producers' paths are read."""
        return f"{self.repo}/{self.path}".rstrip("/")


def resolve(name: str) -> Place | None:
    """Where on the hub "release/id" or "owner/repo:path" is; None for a name of neither form.

    Raises ValueError, with what there is, for a known release without such an id, and for a path that is not plain.

    Example:
        >>> resolve("gpt2-small-res-jb/blocks.8.hook_resid_pre").repo
        'jbloom/GPT2-Small-SAEs-Reformatted'
        >>> resolve("google/gemma-scope-2b-pt-res:layer_20/width_16k/average_l0_71").path
        'layer_20/width_16k/average_l0_71'
    """
    direct = re.fullmatch(r"([\w.-]+/[\w.-]+):(.*)", name)
    if direct:
        path = direct[2].strip("/")
        if not re.fullmatch(r"[\w./=+@ -]*", path) or ".." in path.split("/"):
            raise ValueError(f"{path!r} is not the path of a folder or file in a repository")
        return Place(direct[1], path)
    release, _, sae_id = name.partition("/")
    if release not in RELEASES:
        return None
    known = RELEASES[release]
    found = re.fullmatch(known.id, sae_id)
    if not found:
        raise ValueError(f"{release} has no SAE {sae_id!r}; its names are like {release}/{known.example}")
    return Place(known.repo, found.expand(known.folder), known.weight_processing)


def fetch(place: Place) -> Path:
    """Download what is there and not yet in the hub's cache, with the hub's progress bars; the folder or file.

    Raises LoadError, in one sentence, if the hub cannot be reached or has no such repository, or asks for a login.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise LoadError(place.origin, "reading from the hub needs the package huggingface_hub") from error
    own = [place.path] if place.path.endswith(_SUFFIXES) else []  # some folders are called x.pt
    prefix = f"{place.path}/" if place.path else ""
    above = "/".join(place.path.split("/")[:-1])
    wanted = [*own, *(prefix + name for name in _NAMES), f"{above}/config.json" if above else "config.json"]
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
    return (
        unknown("SAE", name, [*bundled, *RELEASES])
        + "; or give a folder or file that is there, 'release/id' of a known release, or 'owner/repo:path' on the hub"
    )
