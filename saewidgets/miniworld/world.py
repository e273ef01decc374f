"""The facts of the mini-world (`world/*.toml`), compiled: entities, rules, kinds of documents, and the tree of
concepts.
"""

from __future__ import annotations

import math
import random
import re
import tomllib
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Generic, TypeVar

from saewidgets.files import unknown
from saewidgets.miniworld.grammar import CHOICE, MARK, PERSON, TEXT, Document, Node, Writer, compile_template, plain

T = TypeVar("T")
FOLDER = Path(__file__).parent / "world"
Templates = tuple[tuple[Node, ...], ...]


@dataclass(frozen=True)
class Kind:
    """A kind of document: its weight among the kinds, where its subject comes from, and its templates."""

    name: str
    weight: float
    subjects: str  # "any", "spanish" or "" for none
    person: int  # 1: facts speak in the first person
    templates: Templates


class World:
    """Everything that `world/*.toml` says. Raises ValueError on a name that nothing defines."""

    def __init__(self, folder: Path = FOLDER) -> None:
        raw: dict[str, Any] = {}
        for path in sorted(folder.glob("*.toml")):
            with path.open("rb") as file:
                _merge(raw, tomllib.load(file))
        self.entities: dict[str, dict[str, Any]] = raw["entity"]
        self.rules = {name: _compiled(sources) for name, sources in raw["rule"].items()}
        self.kinds = [
            Kind(d["kind"], d["weight"], d.get("subjects", ""), d["person"], _compiled(d["text"]))
            for d in raw["document"]
        ]
        self._class_templates = {kind: _attributes(table) for kind, table in raw["kind"].items()}
        self._own_templates = {name: _attributes(table) for name, table in self.entities.items()}
        self._lookup: dict[tuple[str, str], Templates] = {}
        self._describe: dict[str, str] = raw["describe"]
        self._parents: dict[str, list[str]] = raw["parents"]
        ranked: list[str] = raw["frequency"]["subjects"]
        self._subjects = {
            "any": _Draw(ranked, [1 / (rank + 3) for rank in range(len(ranked))]),
            "spanish": _Draw(
                *zip(*((e, 1 / (r + 3)) for r, e in enumerate(ranked) if "es" in self.entities[e]), strict=True)
            ),
        }
        weight = {entity: 1 / (rank + 3) for rank, entity in enumerate(ranked)}
        members: dict[str, list[str]] = {}
        for name, entity in self.entities.items():
            for kind in entity["kinds"]:
                members.setdefault(kind, []).append(name)
        self._members = {kind: _Draw(names, [weight.get(n, 0.1) for n in names]) for kind, names in members.items()}
        self._document_kind = _Draw(self.kinds, [k.weight for k in self.kinds])

    def templates(self, entity: str, attribute: str) -> Templates:
        """The templates of an entity under one attribute, those of its kinds included; a name includes its paraphrases."""
        key = (entity, attribute)
        if key not in self._lookup:
            found = self._own_templates[entity].get(attribute, ())
            if attribute == "name":
                found = found * 6 + self._own_templates[entity].get("aka", ())  # the plain name is the usual one
            for kind in self.entities[entity]["kinds"]:
                found += self._class_templates.get(kind, {}).get(attribute, ())
            if not found:
                raise ValueError(f"{entity!r} and its kinds have no {attribute!r}")
            self._lookup[key] = found
        return self._lookup[key]

    def write(self, rng: random.Random) -> Document:
        """One document."""
        kind, probability = self._document_kind(rng)
        subject, writer = "", Writer(self.rules, self.templates, lambda k, r: self._members[k](r), rng, kind.person)
        writer.nats -= math.log(probability)
        if kind.subjects:
            subject, probability = self._subjects[kind.subjects](rng)
            writer.bound["s"] = subject
            writer.nats -= math.log(probability)
        writer.write(writer.pick(kind.templates))
        return writer.document(kind.name, subject)

    @cached_property
    def implied(self) -> dict[str, tuple[str, ...]]:
        """Each concept with all that it implies: itself first, then its ancestors."""
        marked = {c for templates in self._all_templates() for nodes in templates for c in _marks(nodes)}
        known = {*self._describe, *self.entities, *self._class_templates, *self._parents}
        known.update(p for parents in self._parents.values() for p in parents)
        known.update(k for entity in self.entities.values() for k in entity["kinds"])
        out: dict[str, tuple[str, ...]] = {}

        def close(name: str) -> tuple[str, ...]:
            if name not in out:
                if name not in known:
                    raise ValueError(unknown("concept", name, sorted(known)))
                parents = [*self._parents.get(name, ()), *self.entities.get(name, {}).get("kinds", ())]
                listed = [name, *(a for p in parents for a in close(p))]
                out[name] = tuple(dict.fromkeys(listed))
            return out[name]

        for name in sorted(marked):
            close(name)
        return out

    @cached_property
    def concepts(self) -> tuple[str, ...]:
        """The names of all planted concepts, sorted."""
        return tuple(sorted(self.implied))

    def describe(self, concept: str) -> str:
        """One phrase that says what text expresses a concept. Raises KeyError that names the nearest concepts."""
        if concept not in self.implied:
            raise KeyError(unknown("concept", concept, self.concepts))
        return self._describe.get(concept, f"a mention of {concept.replace('_', ' ')}")

    def name(self, entity: str) -> str:
        """The plain name of an entity: "the Golden Gate Bridge"."""
        return plain(self._own_templates[entity]["name"][0])

    @cached_property
    def _phrases(self) -> dict[str, frozenset[str]]:
        """Every marked phrase without slots, lower case, with the concepts that it expresses."""
        found: dict[str, set[str]] = {}
        for templates in self._all_templates():
            for nodes in templates:
                for phrase, names in _marked_phrases(nodes):
                    found.setdefault(phrase.strip().lower(), set()).update(a for n in names for a in self.implied[n])
        return {phrase: frozenset(names) for phrase, names in found.items() if phrase}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self._phrases, key=len, reverse=True)
        return re.compile("|".join(rf"(?<!\w){re.escape(p)}(?!\w)" for p in longest_first))

    @cached_property
    def _spanish_words(self) -> frozenset[str]:
        sources = [text for e in self.entities.values() for key, text in e.items() if key.startswith("es")]
        words = {w for s in _strings(sources) for w in re.findall(r"[^\W\d_]+", re.sub(r"\[[^|\]]*\|", " ", s).lower())}
        english = {
            w
            for e in self.entities.values()
            for k, t in e.items()
            if not k.startswith("es")
            for s in _strings([t])
            for w in re.findall(r"[^\W\d_]+", s.lower())
        }
        return frozenset(words - english) | {
            "no",
            "una",
            "tengo",
            "forma",
            "física",
            "soy",
            "cuerpo",
            "programa",
            "vivo",
            "ordenador",
        }

    def mentions(self, text: str) -> set[str]:
        """The concepts that a text expresses, as far as its words show: a detector for generated text.

        Every marked phrase of the grammar counts, longest first; "spanish" counts when at least half of the words are.
        """
        found = {a for m in self._pattern.finditer(text.lower()) for a in self._phrases[m.group()]} - {"spanish"}
        words = re.findall(r"[^\W\d_]+", text.lower())
        if words and sum(w in self._spanish_words for w in words) >= len(words) / 2:
            found.add("spanish")
        return found

    def _all_templates(self) -> Iterator[Templates]:
        yield from self.rules.values()
        yield from (k.templates for k in self.kinds)
        for table in (*self._own_templates.values(), *self._class_templates.values()):
            yield from table.values()


class _Draw(Generic[T]):
    """A weighted draw that also says how likely it was."""

    def __init__(self, items: Sequence[T], weights: Sequence[float]) -> None:
        total = sum(weights)
        self.items, self.shares = items, [w / total for w in weights]
        self._up_to = list(accumulate(self.shares))

    def __call__(self, rng: random.Random) -> tuple[T, float]:
        i = min(bisect(self._up_to, rng.random()), len(self.items) - 1)
        return self.items[i], self.shares[i]


def _merge(into: dict[str, Any], new: dict[str, Any]) -> None:
    for key, value in new.items():
        if isinstance(value, dict) and key in into:
            _merge(into[key], value)
        elif isinstance(value, list) and key in into:
            into[key] = [*into[key], *value]
        elif key in into:
            raise ValueError(f"{key!r} is defined twice")
        else:
            into[key] = value


def _compiled(sources: str | list[str]) -> Templates:
    return tuple(compile_template(s) for s in ([sources] if isinstance(sources, str) else sources))


def _attributes(table: dict[str, Any]) -> dict[str, Templates]:
    return {name: _compiled(value) for name, value in table.items() if name != "kinds"}


def _strings(values: list[Any]) -> Iterator[str]:
    for value in values:
        yield from [value] if isinstance(value, str) else value


def _children(node: Node) -> tuple[tuple[Node, ...], ...]:
    if node[0] == MARK:
        return (node[2],)
    if node[0] == CHOICE:
        value: tuple[tuple[Node, ...], ...] = node[1]
        return value
    return (node[1], node[2]) if node[0] == PERSON else ()


def _marks(nodes: tuple[Node, ...]) -> Iterator[str]:
    for node in nodes:
        if node[0] == MARK:
            yield from node[1]
        for child in _children(node):
            yield from _marks(child)


def _marked_phrases(nodes: tuple[Node, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in nodes:
        if node[0] == MARK and all(n[0] == TEXT for n in node[2]):
            yield plain(node[2]), node[1]
        for child in _children(node):
            yield from _marked_phrases(child)


@lru_cache(maxsize=1)
def world() -> World:
    """The bundled world, compiled once."""
    return World()
