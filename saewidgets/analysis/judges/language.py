"""A language model as a judge, through any function from a prompt to a reply."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from saewidgets.analysis.judges.running import name_of
from saewidgets.bars import bar
from saewidgets.files import short
from saewidgets.records.arguments import asked, expect, whole
from saewidgets.records.judging import RUBRIC, Passage, Verdict

MAX_REPLY = 1 << 20  # characters of a reply that are looked at
TASK = """You grade how well pieces of text fit a description. In each passage below some text stands between « and ».
The description: {claim}

Give each passage one score:
{rubric}
{numbered}

Answer with a JSON list of {n} objects in the order of the passages, and nothing else:
[{{"score": 0, "reason": "a few words"}}, ...]"""
WHOLE = """You say whether passages of text fit a description.
The description: {claim}

Give each passage the score 3 if it is in the passage, and 0 if it is not.
{numbered}

Answer with a JSON list of {n} objects in the order of the passages, and nothing else:
[{{"score": 0, "reason": "a few words"}}, ...]"""
ODD = """All but one of the passages below have something in common in the text between « and ». Find the one that has not.
{numbered}

Answer with its number alone, 1 to {n}."""


class AnswerError(ValueError):
    """A reply from which no answer can be read."""


class LanguageJudge:
    """A language model that grades passages by the rubric, several in one prompt.

    A reply that cannot be read (no JSON, a wrong number of scores, a score outside 0 to 3) is asked for once more; what
    is still missing then is a refusal, with its reason, and so is a prompt whose call fails. Nothing is guessed.

    Args:
        ask: a function from a prompt to a reply, such as `OpenAIChat(url, model)` or `ModelChat(model)`. An error that
            it raises as `PermissionError` or `ConnectionRefusedError` (a wrong key or address, of which every call
            would die) is passed on; any other is a refusal.
        batch: passages in one prompt.
        retries: how often an unreadable reply is asked for again.
        name: of the judge; by default that of `ask`.

    Example:
        >>> judge = LanguageJudge(lambda prompt: '[{"score": 3, "reason": "it is red"}]', name="always 3")
        >>> judge("red", [Passage(("red",), (7,), (0,))])
        [Verdict(score=3, reason='it is red')]
    """

    kind = "language model"

    def __init__(self, ask: Callable[[str], str], *, batch: int = 5, retries: int = 1, name: str = "") -> None:
        expect(ask, asked(ask), "ask", "LanguageJudge", "give a function of a prompt, such as OpenAIChat(url, model)")
        self.ask = ask
        self.batch, self.retries = whole(batch, "batch", minimum=1), whole(retries, "retries", minimum=0)
        self.name = name or name_of(ask)
        self._prompts = self._unreadable = 0

    @property
    def spent(self) -> dict[str, float]:
        """Prompts, unreadable replies, and what `ask` counts itself."""
        return {"prompts": self._prompts, "unreadable": self._unreadable, **getattr(self.ask, "spent", {})}

    def __call__(self, claim: str, passages: Sequence[Passage]) -> list[Verdict]:
        out: list[Verdict] = []
        with bar(len(passages), f"asking {self.name}", "passages") as advance:
            for first in range(0, len(passages), self.batch):
                own = passages[first : first + self.batch]
                out += self._asked(claim, own)
                advance(len(own))
        return out

    def pick(self, passages: Sequence[Passage]) -> int | None:
        """Which passage lacks what the marks of the others have in common; None where it gives no answer."""
        prompt = ODD.format(numbered=_numbered(passages), n=len(passages))
        reply = self._reply(prompt)
        found = re.search(r"\d+", reply or "")
        number = int(found[0][:9]) if found else 0
        return number - 1 if 1 <= number <= len(passages) else None

    def _asked(self, claim: str, passages: Sequence[Passage]) -> list[Verdict]:
        if any(bool(p.marked) != bool(passages[0].marked) for p in passages):  # each kind has a prompt of its own
            return [v for p in passages for v in self._asked(claim, [p])]
        rubric = "\n".join(f"{score}: {words}" for score, words in RUBRIC.items())
        task = TASK if passages[0].marked else WHOLE
        prompt = task.format(claim=claim, rubric=rubric, numbered=_numbered(passages), n=len(passages))
        wrong = ""
        for _ in range(1 + self.retries):
            try:
                reply = self._reply(prompt)
                return verdicts_in(reply, len(passages))
            except AnswerError as error:
                self._unreadable += 1
                wrong = str(error)
            except (PermissionError, ConnectionRefusedError):
                raise
            except Exception as error:  # whatever a function of somebody's own may raise: the passage has no score then
                wrong = f"{type(error).__name__}: {error}"[:300]
                break
        return [Verdict(None, wrong)] * len(passages)

    def _reply(self, prompt: str) -> str:
        self._prompts += 1
        reply = self.ask(prompt)
        if not isinstance(reply, str):
            raise AnswerError(f"the reply is {short(reply)}, not a text")
        return reply


def _numbered(passages: Sequence[Passage]) -> str:
    return "\n".join(f"\nPassage {i}:\n{p.shown() if p.marked else p.text}" for i, p in enumerate(passages, 1))


def verdicts_in(reply: str, n: int) -> list[Verdict]:
    """The n verdicts that a reply holds as a JSON list, whatever stands around it; one that is no score is a refusal.

    Raises AnswerError where there is no such list, or one of another length.

    Example:
        >>> verdicts_in('Sure: [{"score": 2, "reason": "near"}, {"score": 7}]', 2)
        [Verdict(score=2, reason='near'), Verdict(score=None, reason='7 is no score from 0 to 3')]
    """
    text = reply[:MAX_REPLY]
    first, last = text.find("["), text.rfind("]")
    if first < 0 or last < first:
        raise AnswerError(f"no JSON list in the reply {short(reply)}")
    try:
        listed = json.loads(text[first : last + 1])
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"the reply is not JSON: {error}") from None
    if not isinstance(listed, list) or len(listed) != n:
        raise AnswerError(f"the reply holds {len(listed)} answers to {n} passages")
    return [_verdict(one) for one in listed]


def _verdict(one: Any) -> Verdict:
    score, reason = (one.get("score"), one.get("reason", "")) if isinstance(one, dict) else (one, "")
    if isinstance(score, str) and score.strip() in {"0", "1", "2", "3"}:
        score = int(score)
    if type(score) is not int or score not in RUBRIC:
        return Verdict(None, f"{short(score)} is no score from 0 to 3")
    return Verdict(score, str(reason)[:500])
