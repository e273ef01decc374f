"""Whose words are where in a dialogue: the assistant's earlier answers, and where the one that is written ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from saewidgets.models import Model, Prompt
from saewidgets.records import Intervention, NotFiniteError, Token
from saewidgets.steering.edits import Spans


def answers_asked(model: Model, prompt: Prompt, clamps: Iterable[Intervention]) -> Spans:
    """The tokens of the assistant's earlier turns, where a clamp asks for them; see `Model.answers`."""
    return model.answers(prompt) if any(clamp.scope == "assistant" for clamp in clamps) else ()


def until(tokens: Iterable[Token], end: str) -> Iterator[Token]:
    """The tokens before the text in which the next turn begins, such as "\\nHuman:"; all where `end` is "".

    Tokens that may be the beginning of it are held back until it is seen that they are not. A token that holds the last
    of the answer too keeps that part of its text.

    Example:
        >>> said = [Token(5, " I", 0.0, 0.0), Token(9, ".\\n", 0.0, 0.0), Token(7, "Human:", 0.0, 0.0)]
        >>> [token.text for token in until(said, "\\nHuman:")]
        [' I', '.']
    """
    if not end:
        yield from tokens
        return
    source, held, text = iter(tokens), list[Token](), ""
    broke: NotFiniteError | None = None
    while True:
        try:
            token = next(source, None)
        except NotFiniteError as error:  # what was written before stands
            token, broke = None, error
        if token is None:
            break
        held.append(token)
        text += token.text
        if end in text:
            yield from _cut(held, text.index(end))
            return
        begun = next((n for n in range(len(end) - 1, 0, -1) if text.endswith(end[:n])), 0)
        while held and len(text) - len(held[0].text) >= begun:
            text = text[len(held[0].text) :]
            yield held.pop(0)
    yield from held
    if broke is not None:
        raise broke


def _cut(tokens: Iterable[Token], characters: int) -> Iterator[Token]:
    """The tokens that hold the first characters of their text; the last keeps its part of them."""
    for token in tokens:
        if characters <= 0:
            return
        yield token if len(token.text) <= characters else replace(token, text=token.text[:characters])
        characters -= len(token.text)
