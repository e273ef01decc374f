"""Dialogues: what was said by whom, before a model's template makes a text of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saewidgets.files import unknown
from saewidgets.records.arguments import kind_of, listed

ROLES = ("system", "user", "assistant")
EXAMPLE = '{"role": "user", "content": "Who are you?"}'


@dataclass(frozen=True)
class Turn:
    """What one side said. `role` is "system" (an instruction ahead of the dialogue), "user" or "assistant" (the model).

    Raises ValueError for another role, with the nearest; TypeError for what is no text.
    """

    role: str
    text: str

    def __post_init__(self) -> None:
        for name in ("role", "text"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"the {name} of a turn is a text, not {kind_of(getattr(self, name))}: give {EXAMPLE}")
        if self.role not in ROLES:
            raise ValueError(unknown("role", self.role, ROLES))


@dataclass(frozen=True, repr=False)
class Dialogue:
    """Turns of a system, a user and an assistant: a prompt for a model that was trained on dialogues.

    The model's own template makes a text of it, which ends where the assistant's answer begins. Where the last turn is
    the assistant's, it is left open: the model writes on in it.

    Args:
        turns: each a `Turn`, (role, text), or {"role": ..., "content": ...} as chat templates have it.

    Raises TypeError or ValueError, naming the turn, for one that is none; a role that does not exist; a dialogue
    without a user's or assistant's turn at its end; an instruction ("system") that does not come first.

    Example:
        >>> asked = Dialogue([("system", "You are a cat."), ("user", "Who are you?")])
        >>> asked.answered(" A cat.").asked("What do you eat?").turns[-2:]
        (Turn(role='assistant', text='A cat.'), Turn(role='user', text='What do you eat?'))
    """

    turns: tuple[Turn, ...]

    def __post_init__(self) -> None:
        given = listed(self.turns, "the turns of a Dialogue", EXAMPLE)
        turns = tuple(_turn(one, f"turn {at} of the dialogue") for at, one in enumerate(given))
        if not turns or turns[-1].role == "system":
            raise ValueError(f"a dialogue ends with what the user says, or the assistant: add {EXAMPLE}")
        if any(turn.role == "system" for turn in turns[1:]):
            raise ValueError("the turn of the role 'system', an instruction, comes first in a dialogue, and once")
        object.__setattr__(self, "turns", turns)

    def __repr__(self) -> str:
        return f"Dialogue({[(turn.role, turn.text) for turn in self.turns]!r})"

    def __len__(self) -> int:
        """Number of turns."""
        return len(self.turns)

    def answered(self, text: str) -> Dialogue:
        """The dialogue with the assistant's answer at its end; where its last turn is the assistant's, that goes on with
        `text`. Space around the answer is left out.
        """
        *before, last = self.turns
        if last.role == "assistant":
            return Dialogue((*before, Turn("assistant", (last.text + text).strip())))
        return Dialogue((*self.turns, Turn("assistant", text.strip())))

    def asked(self, text: str) -> Dialogue:
        """The dialogue with what the user says next at its end."""
        return Dialogue((*self.turns, Turn("user", text)))

    def messages(self) -> list[dict[str, str]]:
        """The turns as chat templates take them, {"role": ..., "content": ...} each."""
        return [{"role": turn.role, "content": turn.text} for turn in self.turns]


def prompt_of(given: Any) -> Any:
    """What a person gave as a prompt: a list of turns as a `Dialogue`, anything else as it is.

    Example:
        >>> prompt_of([{"role": "user", "content": "Hi"}]), prompt_of("Hi"), prompt_of([0, 872])
        (Dialogue([('user', 'Hi')]), 'Hi', [0, 872])
    """
    turns = isinstance(given, list | tuple) and given and any(isinstance(one, Turn | Mapping) for one in given)
    return Dialogue(tuple(given)) if turns else given


def code_of(value: Any) -> str:
    """Python for a value, a `Dialogue` by its public name.

    Example:
        >>> code_of(Dialogue([("user", "Hi")])), code_of("Hi")
        ("sw.Dialogue([('user', 'Hi')])", "'Hi'")
    """
    return f"sw.{value!r}" if isinstance(value, Dialogue) else repr(value)


def _turn(given: Any, where: str) -> Turn:
    if isinstance(given, Turn):
        return given
    if isinstance(given, Mapping):
        keys = {key: given[key] for key in given}
        text = "content" if "content" in keys else "text"
        if set(keys) == {"role", text}:
            return Turn(keys["role"], keys[text])
    elif isinstance(given, list | tuple) and len(given) == 2:
        return Turn(*given)
    raise TypeError(f"{where} is {kind_of(given)} {given!r:.60}: give {EXAMPLE}")
