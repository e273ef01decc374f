"""Whether a text of the mini-world answers the question that was asked: read from the grammar that writes both."""

from __future__ import annotations

import re
from functools import cache

from saewidgets.files import unknown
from saewidgets.miniworld.grammar import CHOICE, MARK, PERSON, SLOT, TEXT, Node, plain
from saewidgets.miniworld.world import Templates, world

ASKED = ("form", "who", "place", "does", "likes")  # what a question of the mini-world may be about

_TURN = re.compile(r"\A\s*Human:|\n\s*Assistant:\s*\Z")
_ANYTHING = r"[^.!?\n]+"


def question_kind(question: str) -> str:
    """What a question asks for, one of `ASKED`; the marks of a dialogue's turns around it are passed over.

    Raises ValueError on a question that the grammar does not ask.

    Example:
        >>> question_kind("Human: What is your physical form?\\nAssistant:"), question_kind("Where do you live?")
        ('form', 'place')
    """
    asked = _TURN.sub("", question).strip()
    for kind in ASKED:
        if re.fullmatch(_any(world().rules[f"ask_{kind}"]), asked):
            return kind
    known = [plain(t) for kind in ASKED for t in world().rules[f"ask_{kind}"]]
    raise ValueError(unknown("question of the mini-world", asked, known))


def answers(question: str, text: str) -> int:
    """How well a text does what a question of the mini-world asks: 2, 1 or 0.

    2 where it holds a sentence, whole, that the grammar writes in answer to such a question: a fact of that kind about
    any entity, in the first or third person, or what the assistant says of itself; to "who", that one is somebody. 1
    where it holds one that answers another question. 0 where it holds none.

    Whose fact it is does not matter: that is what the concept is rated for. Spanish answers are not told apart by
    kind, and get a 1.

    Example:
        >>> asked = "Where do you live?"
        >>> answers(asked, "I am a cat. I sit at the window and watch the street.")  # a place
        2
        >>> answers(asked, "I hunt mice in the garden."), answers(asked, "Cat cat of the the.")  # what it does; nothing
        (1, 0)
    """
    kind = question_kind(question)
    if _answer_pattern(kind).search(text):
        return 2
    return int(any(_answer_pattern(other).search(text) for other in (*ASKED, "es")))


@cache
def _answer_pattern(kind: str) -> re.Pattern[str]:
    if kind == "es":
        found = [_any(_facts("es")), _any(world().rules["es_am"]), _any(world().rules["es_ai"])]
    else:
        facts = (*world().rules["am"], *world().rules["ai_am"]) if kind == "who" else _facts(kind)
        found = [_any(facts), _any(world().rules[f"ai_{kind}"])]
    return re.compile(rf"(?<!\w)(?:{'|'.join(found)})(?!\w)", re.IGNORECASE)


def _facts(attribute: str) -> Templates:
    """The templates of all entities under one attribute, each once."""
    found: dict[int, tuple[Node, ...]] = {}
    for entity in world().entities:
        try:
            own = world().templates(entity, attribute)
        except ValueError:  # it has none
            continue
        found |= {id(template): template for template in own}
    return tuple(found.values())


def _any(templates: Templates) -> str:
    return "(?:" + "|".join(_pattern(nodes) for nodes in templates) + ")"


@cache
def _name(attribute: str) -> str:
    """What stands for the name of any entity, {s} in a template; for a fact of it, anything within a sentence."""
    return _any(_facts(attribute)) if attribute in ("name", "es_name") else _ANYTHING


def _pattern(nodes: tuple[Node, ...]) -> str:
    """A regular expression for all that a template may write; a name may be any entity's."""
    out = []
    for node in nodes:
        kind = node[0]
        if kind == TEXT:
            out.append(re.escape(node[1]))
        elif kind == MARK:
            out.append(_pattern(node[2]))
        elif kind == CHOICE:
            out.append(_any(node[1]))
        elif kind == PERSON:
            out.append(_any((node[1], node[2])))
        elif kind == SLOT:
            rule = None if node[2] else world().rules.get(node[1])
            out.append(_name(node[2] or "name") if rule is None else _any(rule))
    return "".join(out)
