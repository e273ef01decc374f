"""Dialogues as JSON."""

from __future__ import annotations

from typing import Any

from saewidgets.frontend.payloads.numbers import sendable
from saewidgets.records import Dialogue

__all__ = ["spoken"]


def spoken(prompt: str | Dialogue) -> str | list[dict[str, Any]]:
    """A prompt as the page has it: a text, or [{"role", "content"}] of a dialogue."""
    if isinstance(prompt, Dialogue):
        return [{"role": turn.role, "content": sendable(turn.text)} for turn in prompt.turns]
    return prompt
