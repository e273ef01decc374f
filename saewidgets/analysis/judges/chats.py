"""Functions from a prompt to a reply: a server that speaks OpenAI's protocol, and a model of one's own."""

from __future__ import annotations

import email.utils
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

from torch import nn

from saewidgets.files import short
from saewidgets.models import Model
from saewidgets.records import Dialogue
from saewidgets.records.arguments import real, whole

MAX_BODY = 8 << 20  # bytes of an answer
WAIT = 1.0  # seconds before the second try, doubled each time, where the server does not say
LONGEST_WAIT = 60.0  # seconds; a server that asks for more is not waited for


class OpenAIChat:
    """A chat server with an address ending in /v1: OpenAI's, or a local llama.cpp, Ollama or vLLM. `chat(prompt)` gives
    its reply.

    A busy server (429) is asked again after the time that it names, one that fails (5xx, a timeout, an answer that is
    no JSON) after a growing pause. Requests go to the address given and nowhere else: a redirection is an error.

    Args:
        url: such as "http://localhost:11434/v1".
        model: its name there.
        key: sent as a bearer token. It is kept out of the repr and of every error.
        attempts: per prompt.
        timeout: seconds to wait for one answer.
        dollars: (per million tokens read, per million written), for `spent["dollars"]`.
        n_tokens: at most so many are written.

    `spent` counts requests, retries, tokens read and written as the server tells them, and dollars where prices are
    given.

    Raises:
        ValueError: an address that is none.
        PermissionError: at a call: the server refuses the key or the request (4xx).
        ConnectionRefusedError: at a call: nobody listens there.
        ConnectionError: at a call: no answer after all attempts.

    Example:
        >>> chat = OpenAIChat("http://localhost:11434/v1", "llama3.2")
        >>> chat("Say hello.")  # doctest: +SKIP
        'Hello.'
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str = "",
        attempts: int = 4,
        timeout: float = 60.0,
        dollars: tuple[float, float] | None = None,
        n_tokens: int = 1000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"{url!r} is no address: give one such as http://localhost:11434/v1")
        self.name, self.url = model, url.rstrip("/") + "/chat/completions"
        self._key, self._sleep = key, sleep
        self.attempts, self.timeout = whole(attempts, "attempts", minimum=1), real(timeout, "timeout", minimum=0.001)
        self.dollars, self.n_tokens = dollars, whole(n_tokens, "n_tokens", minimum=1)
        self.spent: dict[str, float] = {"requests": 0, "retries": 0, "tokens read": 0, "tokens written": 0}
        if dollars is not None:
            self.spent["dollars"] = 0.0
        self._opener = urllib.request.build_opener(_Stay)

    def __repr__(self) -> str:
        return f"OpenAIChat({self.url!r}, {self.name!r})"

    def __call__(self, prompt: str) -> str:
        """The reply to one prompt."""
        wrong = ""
        for attempt in range(self.attempts):
            if attempt:
                self.spent["retries"] += 1
            try:
                return self._reply(self._post(prompt))
            except urllib.error.HTTPError as error:
                wrong, pause = self._refused(error), _asked_for(error)
            except urllib.error.URLError as error:
                if isinstance(error.reason, ConnectionRefusedError):
                    raise ConnectionRefusedError(f"nobody listens at {self.url}: start the server there") from error
                wrong, pause = str(error.reason), None
            except (TimeoutError, OSError, ValueError) as error:
                wrong, pause = str(error) or type(error).__name__, None
            pause = WAIT * 2**attempt if pause is None else pause
            if pause > LONGEST_WAIT:
                wrong += f" (it asks to be left alone for {pause:.0f} s)"
                break
            if attempt + 1 < self.attempts:
                self._sleep(pause)
        raise ConnectionError(f"no answer from {self.url}: {wrong}")

    def _post(self, prompt: str) -> Any:
        body = {
            "model": self.name,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0,
            "max_tokens": self.n_tokens,
        }
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers, method="POST")
        self.spent["requests"] += 1
        with self._opener.open(request, timeout=self.timeout) as answer:
            raw = answer.read(MAX_BODY + 1)
        if len(raw) > MAX_BODY:
            raise ValueError(f"an answer of more than {MAX_BODY:,} bytes")
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise ValueError(f"an answer that is no JSON: {short(raw[:80])}") from None

    def _reply(self, answer: Any) -> str:
        try:
            text = answer["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            text = None
        if not isinstance(text, str):
            raise ValueError(f"an answer without choices[0].message.content: {short(answer)}")
        usage = answer.get("usage") if isinstance(answer.get("usage"), dict) else {}
        read, written = (_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens"))
        self.spent["tokens read"] += read
        self.spent["tokens written"] += written
        if self.dollars is not None:
            self.spent["dollars"] += (read * self.dollars[0] + written * self.dollars[1]) / 1e6
        return text

    def _refused(self, error: urllib.error.HTTPError) -> str:
        """What the server said; PermissionError for what another try would not change."""
        with error:
            said = short(error.read(2000).decode("utf-8", "replace"))
        told = f"HTTP {error.code}, {said}"
        if self._key:
            told = told.replace(self._key, "...")
        if error.code < 500 and error.code not in (408, 409, 425, 429):
            raise PermissionError(f"{self.url} refuses the request: {told}") from None
        return told


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: the key would go along."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _asked_for(error: urllib.error.HTTPError) -> float | None:
    """The seconds that a server asks one to wait: a number, or until a date; None where it does not say."""
    told = error.headers.get("Retry-After") if error.headers else None
    if told is None:
        return None
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(told).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _count(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0


class ModelChat:
    """Any model that chats, as a function from a prompt to its reply, at temperature 0. A small model judges badly:
    look at its kappa before you believe a score.

    Args:
        model: one with a chat template (`model.chats`).
        n_tokens: at most so many are written.
        system: an instruction ahead of the prompt.

    `spent` counts the tokens read and written. Raises ValueError for a model that does not chat; at a call, for a
    prompt that does not fit its context.

    Example:
        >>> chat = ModelChat(model, n_tokens=8)
        >>> isinstance(chat("What is your physical form?"), str)
        True
    """

    def __init__(self, model: Model | nn.Module, *, n_tokens: int = 300, system: str = "") -> None:
        self.model = Model.wrap(model)
        if not self.model.chats:
            raise ValueError(f"{self.model.name} does not chat: give a model that was trained on dialogues")
        self.n_tokens, self.system = whole(n_tokens, "n_tokens", minimum=1), system
        self.name = self.model.name
        self.spent: dict[str, float] = {"tokens read": 0, "tokens written": 0}

    def __call__(self, prompt: str) -> str:
        """The reply to one prompt."""
        order = [("system", self.system)] if self.system else []
        dialogue = Dialogue((*order, ("user", prompt)))  # type: ignore[arg-type]  # pairs are turns
        ids = self.model.tokens(dialogue)
        written = [i for i, _, _ in self.model.stream(ids, n_tokens=self.n_tokens, temperature=0.0)]
        self.spent["tokens read"] += len(ids)
        self.spent["tokens written"] += len(written)
        return "".join(self.model.token_text(written, after=ids))
