"""Chat templates, rendered under a deadline and bounds of memory and length."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

CPU_S = 1  # second of one processor that a template may take; those of the hub take a few thousandths
DEADLINE_S = 60.0  # in all, on a machine that is busy with other things
MEMORY = 128 << 20  # bytes
CHARACTERS = 1 << 20  # of the text
CHILD = Path(__file__).with_name("chat_child.py")


def render(template: str, turns: Sequence[Mapping[str, str]], names: Mapping[str, str]) -> str:
    """A dialogue in the form of a chat template, up to where the model's answer begins.

    Args:
        template: in Jinja's language, as models of the Hugging Face hub have it.
        turns: {"role", "content"} each.
        names: texts that the template may ask for, such as "bos_token".

    A template comes with a model's files, and nobody vouches for it. It is run in Jinja's sandbox, and in a process of
    its own that ends after about a second of processor time or with 128 MB.

    Raises:
        ValueError: for a template that is none, refuses the dialogue, or reaches one of the bounds: what was wrong, in
            one sentence.
        ImportError: jinja2 is not installed, or has known holes in its sandbox.

    Example:
        >>> render("{% for m in messages %}{{ m.content }}{{ eos }}{% endfor %}", [{"role": "user", "content": "Hi"}], {"eos": "."})
        'Hi.'
    """
    _require_jinja()
    now = "strftime_now" in template  # the text depends on the day
    return (_render if now else _remembered)(json.dumps([template, list(turns), dict(names)]))


def _render(request: str) -> str:
    template, turns, names = json.loads(request)
    variables = {"messages": turns, "tools": None, "documents": None, "add_generation_prompt": True, **names}
    given: dict[str, Any] = {
        "path": sys.path,
        "template": template,
        "variables": variables,
        "cpu_s": CPU_S,
        "memory": MEMORY,
        "characters": CHARACTERS,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(CHILD)],
            input=json.dumps(given).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=DEADLINE_S,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"it does not end within {DEADLINE_S:g} seconds") from None
    except (OSError, TypeError) as error:  # no interpreter to start
        raise ValueError(f"a process to run it in cannot be started: {error}") from error
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise ValueError(
            f"it does not end within {CPU_S} second of processor time, or takes more than {MEMORY >> 20} MB"
        ) from None
    if "text" not in answer:
        raise ValueError(answer["error"])
    return str(answer["text"])


_remembered = lru_cache(maxsize=64)(_render)


def _require_jinja() -> None:
    try:
        found = version("jinja2")
    except PackageNotFoundError:
        raise ImportError('a chat template needs jinja2: pip install "jinja2>=3.1.6"') from None
    if tuple(int(n) for n in found.split(".")[:3] if n.isdigit()) < (3, 1, 6):
        raise ImportError(f'jinja2 {found} has known holes in its sandbox: pip install -U "jinja2>=3.1.6"')
