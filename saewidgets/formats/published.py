"""Which SAEs are published where: `published.json`, by rule, and what their own files leave out.

A release is a list of ids, each the name of one SAE, and of the folder or file in a repository that it stands for. An
entry of the file may hold several releases (`each`: the words that differ), and ids are patterns over axes:

    {"id": "layer_{layer}_width_{width}", "path": "resid_post/{id}", "layer": "0-25", "width": ["16k", "262k"]}

An axis is a list, "a-b" for whole numbers, "$word" for a word of `each`, or "*" for any number. `table` has the L0s
that there are, {width: by layer}; `map` is {id: path}; `canonical_of` names the release whose SAE of average L0 nearest
to 100 (of two as near, the smaller, but where `but` says otherwise) is called canonical at each layer and width.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from saewidgets.files import nearest
from saewidgets.records.tables import frame

CANONICAL_L0 = 100
_DATA = Path(__file__).with_name("published.json")
_AXES = ("layer", "width", "l0", "trainer", "step")
_KINDS = {
    "hook_resid_pre": "the residual stream before a layer",
    "hook_resid_mid": "the residual stream in the middle of a layer",
    "hook_resid_post": "the residual stream after a layer",
    "hook_mlp_out": "what an MLP adds to the residual stream",
    "hook_attn_out": "what attention adds to the residual stream",
    "attn.hook_z": "the outputs of a layer's heads, as one vector",
}
_WHY_NOT = "a transcoder writes at another site than it reads: a clamp needs an SAE that reconstructs what it reads"


@dataclass(frozen=True)
class Facts:
    """What a release is known for and its files leave out; None: nothing."""

    weight_processing: str | None = None
    scale: float | None = None  # SAE units per model unit
    normalization: str | None = None  # in SAELens's words


@dataclass(frozen=True)
class Release:
    """SAEs that were published together."""

    name: str
    repo: str  # owner/repo on the hub
    model: str
    hook: str  # what each reads, without "blocks.n."; of transcoders "read -> predicted"
    producer: str
    patterns: tuple[dict[str, Any], ...]  # see the module
    weight_processing: str | None = None
    normalization: str | None = None
    scale: dict[str, float] = field(default_factory=dict)  # by id
    not_read: str = ""  # why load_sae refuses it

    @cached_property
    def ids(self) -> dict[str, str]:
        """{id: path in the repository} of all SAEs that can be listed."""
        return {one: path for pattern in self.patterns for one, path, _ in _listed(pattern)}

    @property
    def example(self) -> str:
        """One id: of the layer in the middle."""
        ids = list(self.ids)
        return ids[len(ids) // 2]

    def path(self, sae_id: str) -> str | None:
        """Where in the repository an SAE is; None for an id that there is not."""
        found = self.ids.get(sae_id)
        return found if found is not None else self._of_any_number(sae_id)

    def _of_any_number(self, sae_id: str) -> str | None:
        """The path of an id with an axis that cannot be listed, such as the step of a checkpoint."""
        for pattern in self.patterns:
            if "*" in pattern.values():
                shape = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>\\d+)", re.escape(pattern["id"]))
                match = re.fullmatch(shape, sae_id)
                if match and all(v in _values(pattern[a]) for a, v in match.groupdict().items() if pattern[a] != "*"):
                    return str(pattern["path"]).format(id=sae_id, **match.groupdict())
        return None

    def axis(self, name: str) -> list[str]:
        """The values of one axis, such as "layer", over all SAEs that can be listed."""
        found = (values.get(name) for pattern in self.patterns for _, _, values in _listed(pattern))
        return list(dict.fromkeys(value for value in found if value is not None))

    def facts(self, sae_id: str) -> Facts:
        """What is known of one of its SAEs."""
        return Facts(self.weight_processing, self.scale.get(sae_id), self.normalization)


def releases(text: str = "") -> pd.DataFrame:
    """The releases of SAEs that `load_sae` opens by name, and a few that it does not, each with the reason.

    Args:
        text: words that a release's name, model, producer or hook must all hold, in any case; "": all releases.

    Returns a DataFrame, one row per release: release (its name), example (what to give `load_sae`), model (as the hub
    calls it), hook (the hook point in each layer, "read -> predicted" for transcoders), layers (a list of numbers),
    widths (a list, where the names tell), saes (how many names can be listed), what (in words), clampable (whether a
    feature can be clamped), why_not.

    Example:
        >>> releases("gemma-scope-2-1b-pt res").release.tolist()
        ['gemma-scope-2-1b-pt-res', 'gemma-scope-2-1b-pt-res-all']
    """
    words = text.lower().split()
    rows = []
    for release in known().values():
        if not all(
            word in f"{release.name} {release.model} {release.producer} {release.hook}".lower() for word in words
        ):
            continue
        across = "->" in release.hook
        why = f"not read: {release.not_read}" if release.not_read else _WHY_NOT if across else ""
        kind = "transcoders from an MLP's input to its output" if across else f"SAEs of {_KINDS[release.hook]}"
        rows.append(
            {
                "release": release.name,
                "example": f"{release.name}/{release.example}",
                "model": release.model,
                "hook": release.hook,
                "layers": sorted({int(layer) for layer in release.axis("layer")}),
                "widths": release.axis("width"),
                "saes": len(release.ids),
                "what": f"{release.producer}: {kind}",
                "clampable": not why,
                "why_not": why,
            }
        )
    columns = ("release", "example", "model", "hook", "layers", "widths", "saes", "what", "clampable", "why_not")
    return frame(rows, columns)


def facts(origin: str) -> Facts:
    """What is known of the SAE at "owner/repo/path" beyond its files; of any other address, nothing."""
    return _facts().get(origin.rstrip("/"), Facts())


def no_such_id(release: Release, sae_id: str) -> str:
    """One sentence for an id that a release does not have."""
    near = nearest(sae_id, release.ids)
    like = f"its names are like {release.name}/{release.example}"
    return f"{release.name} has no SAE {sae_id!r}; {like}" + (f"; nearest: {', '.join(near)}" if near else "")


@lru_cache(maxsize=1)
def known() -> dict[str, Release]:
    """All releases, by name."""
    found: dict[str, Release] = {}
    for entry in json.loads(_DATA.read_text(encoding="utf-8")):
        if "canonical_of" in entry:
            found[entry["release"]] = _canonical(found[entry["canonical_of"]], entry)
            continue
        for each in entry.get("each", [{}]):
            data = {key: _filled(value, each) for key, value in entry.items() if key not in ("each", "release", "ids")}
            name = _filled(entry["release"], each)
            found[name] = Release(name, patterns=tuple(_filled(entry["ids"], each)), **data)
    return found


@lru_cache(maxsize=1)
def _facts() -> dict[str, Facts]:
    return {
        f"{release.repo}/{path}": release.facts(sae_id)
        for release in known().values()
        if release.weight_processing or release.normalization or release.scale
        for sae_id, path in release.ids.items()
    }


def _filled(value: Any, words: dict[str, Any]) -> Any:
    """The value with the words of `each` in place of "{word}" and "$word"."""
    if isinstance(value, str):
        if value[:1] == "$":
            return words[value[1:]]
        for word, text in words.items():
            value = value.replace(f"{{{word}}}", str(text))
        return value
    if isinstance(value, list):
        return [_filled(item, words) for item in value]
    return {_filled(k, words): _filled(v, words) for k, v in value.items()} if isinstance(value, dict) else value


def _listed(pattern: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """(id, path, its place on each axis) of all SAEs of a pattern."""
    if "map" in pattern:
        for sae_id, path in pattern["map"].items():
            layer = re.search(r"(?:blocks\.|layer_?)(\d+)", sae_id)
            yield sae_id, path, {"layer": layer[1]} if layer else {}
        return
    for values in _places(pattern):
        sae_id = pattern["id"].format(**values)
        yield sae_id, pattern["path"].format(id=sae_id, **values), values


def _places(pattern: dict[str, Any]) -> Iterator[dict[str, str]]:
    """All places on a pattern's axes."""
    if "table" in pattern:
        for width, layer, l0s in _rows(pattern):
            for l0 in l0s:
                yield {"layer": layer, "width": width, "l0": l0}
        return
    axes = [name for name in _AXES if name in pattern]
    if not any(pattern[name] == "*" for name in axes):
        for chosen in itertools.product(*(_values(pattern[name]) for name in axes)):
            yield dict(zip(axes, chosen, strict=True))


def _rows(pattern: dict[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """(width, layer, average L0s) of a table."""
    for width, by_layer in pattern.get("table", {}).items():
        pairs = by_layer.items() if isinstance(by_layer, dict) else enumerate(by_layer)
        for layer, l0s in pairs:
            yield width, str(layer), l0s.split()


def _values(axis: Any) -> list[str]:
    """The values of an axis, as text."""
    if isinstance(axis, str):
        first, last = axis.split("-")
        return [str(n) for n in range(int(first), int(last) + 1)]
    return [str(value) for value in axis]


def _canonical(of: Release, entry: dict[str, Any]) -> Release:
    """The release whose ids name, for each layer and width, the SAE of average L0 nearest to 100."""
    paths = {}
    for pattern in of.patterns:
        for width, layer, l0s in _rows(pattern):
            place = f"layer_{layer}/width_{width}"
            best = min(l0s, key=lambda l0: (abs(int(l0) - CANONICAL_L0), int(l0)))
            paths[f"{place}/canonical"] = f"{place}/average_l0_{entry.get('but', {}).get(place, best)}"
    return replace(of, name=entry["release"], patterns=({"map": paths},))
