"""A small template language that writes text and remembers what each stretch of it expresses.

    [cat,plural|cats]     the text "cats", expressing the concepts cat and plural (and what they imply)
    <big|huge>            one of the alternatives, each as likely
    {I|It}                the first in a document told in the first person, the second otherwise
    {rule}                one template of a named rule
    {x=animal}            draw an entity of a kind and call it x; writes nothing
    {x}  {x.form}         the name of x, or one of its sentences under `form`
    {^x}                  the same, with a capital letter first
    \\[  \\<  \\{  \\|       the character itself

Templates nest. A template is compiled once into nested tuples, because a corpus expands millions of nodes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Node = tuple[Any, ...]  # (kind, ...), made by `compile_template`
TEXT, MARK, CHOICE, PERSON, DRAW, SLOT = range(6)


def compile_template(source: str) -> tuple[Node, ...]:
    """Parse a template. Raises ValueError that shows where the text stops making sense."""
    nodes, end = _sequence(source, 0, "")
    if end != len(source):
        raise ValueError(f"unexpected {source[end]!r} at {end} in template {source!r}")
    return nodes


def _sequence(source: str, i: int, stops: str) -> tuple[tuple[Node, ...], int]:
    """Nodes from i up to an unescaped character of `stops`."""
    nodes: list[Node] = []
    text: list[str] = []

    def flush() -> None:
        if text:
            nodes.append((TEXT, "".join(text)))
            text.clear()

    while i < len(source) and source[i] not in stops:
        char = source[i]
        if char == "\\" and i + 1 < len(source):
            text.append(source[i + 1])
            i += 2
        elif char in "[<{":
            flush()
            node, i = {"[": _mark, "<": _choice, "{": _slot}[char](source, i + 1)
            nodes.append(node)
        else:
            text.append(char)
            i += 1
    flush()
    return tuple(nodes), i


def _closed(source: str, i: int, closing: str) -> int:
    if i >= len(source) or source[i] != closing:
        raise ValueError(f"{closing!r} missing at {i} in template {source!r}")
    return i + 1


def _mark(source: str, i: int) -> tuple[Node, int]:
    bar = source.find("|", i)
    if bar < 0:
        raise ValueError(f"'[' needs 'concept|text' at {i} in template {source!r}")
    concepts = tuple(name.strip() for name in source[i:bar].split(","))
    nodes, end = _sequence(source, bar + 1, "]")
    return (MARK, concepts, nodes), _closed(source, end, "]")


def _choice(source: str, i: int) -> tuple[Node, int]:
    options: list[tuple[Node, ...]] = []
    while True:
        nodes, i = _sequence(source, i, "|>")
        options.append(nodes)
        if i < len(source) and source[i] == "|":
            i += 1
            continue
        return (CHOICE, tuple(options)), _closed(source, i, ">")


def _slot(source: str, i: int) -> tuple[Node, int]:
    first, end = _sequence(source, i, "|}")
    if end < len(source) and source[end] == "|":
        third, end = _sequence(source, end + 1, "}")
        return (PERSON, first, third), _closed(source, end, "}")
    closed = _closed(source, end, "}")
    name = source[i:end]
    if "=" in name:
        variable, kind = name.split("=")
        return (DRAW, variable, kind), closed
    capital = name.startswith("^")
    variable, _, attribute = name.lstrip("^").partition(".")
    return (SLOT, variable, attribute, capital), closed


def plain(nodes: Sequence[Node]) -> str:
    """The first text that a template may write, without what it draws or fills in.

    Example:
        >>> plain(compile_template("<a|no> [bridge|bridge in {c.name}]."))
        'a bridge in .'
    """
    child = {MARK: lambda node: node[2], CHOICE: lambda node: node[1][0]}
    return "".join(n[1] if n[0] == TEXT else plain(child[n[0]](n)) for n in nodes if n[0] in (TEXT, *child))


@dataclass
class Document:
    """One written document."""

    text: str
    spans: list[tuple[int, int, tuple[str, ...]]]  # (first character, one past the last, concepts as marked)
    kind: str
    subject: str  # entity id, "" where the document has none
    nats: float  # -log probability of the choices made: an upper bound on that of the text


@dataclass
class Writer:
    """Expands compiled templates into one document.

    `rules` maps a rule to its templates; `attribute(entity, name)` gives the templates of an entity; `draw(kind, rng)`
    gives an entity of a kind and the probability with which it was drawn.
    """

    rules: Mapping[str, Sequence[tuple[Node, ...]]]
    attribute: Callable[[str, str], Sequence[tuple[Node, ...]]]
    draw: Callable[[str, random.Random], tuple[str, float]]
    rng: random.Random
    person: int = 3
    bound: dict[str, str] = field(default_factory=dict)
    nats: float = 0.0

    def __post_init__(self) -> None:
        self._out: list[str] = []
        self._length = 0
        self._capital = False
        self._spans: list[tuple[int, int, tuple[str, ...]]] = []
        self._used: set[int] = set()

    def write(self, nodes: Sequence[Node]) -> None:
        """Append the expansion of `nodes` to the document."""
        for node in nodes:
            kind = node[0]
            if kind == TEXT:
                text = node[1]
                if self._capital:
                    text, self._capital = text[:1].upper() + text[1:], False
                self._out.append(text)
                self._length += len(text)
            elif kind == SLOT:
                self._fill(node)
            elif kind == PERSON:
                self.write(node[1] if self.person == 1 else node[2])
            elif kind == MARK:
                begin = self._length
                self.write(node[2])
                self._spans.append((begin, self._length, node[1]))
            elif kind == CHOICE:
                self.write(self.pick(node[1]))
            else:
                self.bound[node[1]], probability = self.draw(node[2], self.rng)
                self.nats -= math.log(probability)

    def _fill(self, node: Node) -> None:
        _, variable, attribute, capital = node
        self._capital = self._capital or capital
        if variable in self.bound:
            self.write(self.pick(self.attribute(self.bound[variable], attribute or "name"), again=not attribute))
        else:
            self.write(self.pick(self.rules[variable]))

    def pick(self, options: Sequence[tuple[Node, ...]], *, again: bool = False) -> tuple[Node, ...]:
        """One option, each as likely; unless `again`, one that this document has not used yet, where there is one."""
        if len(options) == 1:
            return options[0]
        fresh = options if again else [o for o in options if id(o) not in self._used] or options
        self.nats += math.log(len(fresh))
        choice = fresh[int(self.rng.random() * len(fresh))]
        self._used.add(id(choice))
        return choice

    def document(self, kind: str, subject: str) -> Document:
        """What was written so far."""
        return Document("".join(self._out), self._spans, kind, subject, self.nats)
