"""Dialogues in the form of a model: as a text, and which of its tokens are whose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from saewidgets.records import Dialogue

Messages = list[dict[str, str]]
Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class RenderedDialogue:
    """A dialogue as its model reads it."""

    text: str  # what the template makes of it, without the beginning-of-text token where `tokens` puts one before it
    ids: tuple[int, ...]  # [pos], as `Model.tokens` gives them
    # of each token, the number of the turn that it is text of; -1 for the template's own. None: it cannot be told
    turn: tuple[int, ...] | None


def by_format(form: str, messages: Messages) -> str:
    """A dialogue in the mini-world's form, "Human: {}\\nAssistant:", up to where the answer begins."""
    text = ""
    for message in messages:
        if message["role"] == "user":
            text += form.replace("{}", message["content"])
        else:  # an answer follows a space, an order stands in a line of its own
            text += (" " if message["role"] == "assistant" else "") + message["content"] + "\n"
    return text


def text_of(dialogue: Dialogue, render: Callable[[Messages], str]) -> str:
    """A dialogue as a text. `render` makes one of turns, up to where an answer begins; a turn of the assistant's that
    comes last follows that.
    """
    messages, open_text = _parted(dialogue)
    return _opened(render(messages), open_text)


def text_and_spans(dialogue: Dialogue, render: Callable[[Messages], str]) -> tuple[str, Spans | None]:
    """`text_of`, and the characters [first, stop) of each turn's words in it.

    Where each turn's words stand is told by rendering marks in their place: what is around the marks is the template's,
    and the two together must be the text. None where they are not, as with a template that changes the words.
    """
    messages, open_text = _parted(dialogue)
    text = render(messages)
    spans, whole = _spans(text, messages, render), _opened(text, open_text)
    if spans is not None and open_text is not None:
        spans = (*spans, (len(text), len(whole)))
    return whole, spans


def _parted(dialogue: Dialogue) -> tuple[Messages, str | None]:
    """The turns that a template is given, and the text of an assistant's turn that comes last; None where none does."""
    messages, last = dialogue.messages(), dialogue.turns[-1]
    return (messages[:-1], last.text) if last.role == "assistant" else (messages, None)


def _opened(text: str, open_text: str | None) -> str:
    if open_text is None:
        return text
    gap = "" if text[-1:].isspace() or text.endswith(">") or open_text[:1].isspace() else " "
    return text + gap + open_text


def _spans(text: str, messages: Messages, render: Callable[[Messages], str]) -> Spans | None:
    around = pieces([message["role"] for message in messages], render)
    if around is None or not text.startswith(around[0]):
        return None
    at, spans = len(around[0]), []
    for message, after in zip(messages, around[1:], strict=True):
        words = message["content"]
        # A template may take the space off around the words.
        fits = [w for w in (words, words.strip(), words.lstrip(), words.rstrip()) if text.startswith(w + after, at)]
        if not fits:
            return None
        spans.append((at, at + len(fits[0])))
        at += len(fits[0]) + len(after)
    return tuple(spans) if at == len(text) else None


def pieces(roles: Sequence[str], render: Callable[[Messages], str]) -> list[str] | None:
    """What a template puts before, between and after turns of these roles; None where the turns' words do not stand in
    it as they are, each once and in order.
    """
    marks = [f"\ue000{at}\ue001" for at in range(len(roles))]
    text = render([{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)])
    found = []
    for mark in marks:
        if text.count(mark) != 1:
            return None
        before, text = text.split(mark)
        found.append(before)
    return [*found, text]


def token_turns(spans: Spans, offsets: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Of each token, the turn whose characters it holds; -1 where it holds none.

    `offsets` are a tokenizer's, which may leave spaces out: a token begins where the one before it ended.
    """
    found, begin = [], 0
    for _, stop in offsets:
        first = begin if begin < stop else stop - 1  # a part of a character that has begun before
        found.append(next((n for n, (a, b) in enumerate(spans) if first < b and stop > a), -1))
        begin = max(begin, stop)
    return tuple(found)


def answers_of(dialogue: Dialogue, turn: Sequence[int]) -> Spans:
    """The tokens [first, stop) of each of the assistant's turns."""
    found = []
    for number, one in enumerate(dialogue.turns):
        own = [at for at, n in enumerate(turn) if n == number]
        if one.role == "assistant" and own:
            found.append((own[0], own[-1] + 1))
    return tuple(found)


def end_of_turn(render: Callable[[Messages], str]) -> str:
    """What a template puts after an answer, up to what the user says next; "" where it cannot be told.

    Example:
        >>> end_of_turn(lambda messages: by_format("Human: {}\\nAssistant:", messages))
        '\\nHuman:'
    """
    found = pieces(["user", "assistant", "user"], render)
    return "" if found is None else found[2].rstrip()
