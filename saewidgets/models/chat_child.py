"""Renders one chat template, in a process of its own: `models.chat` starts this file, and nothing else imports it.

Standard input holds one JSON object (see `main`), standard output gets {"text": ...} or {"error": ...}. A template of a
file is a program, though one that reaches nothing: it can loop for ever or fill the memory, and inside the interpreter
nothing stops it. So the limits are those of the system. Where it has none (Windows) the parent's deadline holds alone.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from datetime import datetime
from typing import Any


def limit(cpu_s: int, memory: int) -> None:
    """Let this process have `cpu_s` more seconds of a processor and `memory` more bytes."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + cpu_s
    held = 256 << 20
    with suppress(OSError, ValueError, IndexError), open("/proc/self/statm") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    for kind, most in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, held + memory)):
        with suppress(OSError, ValueError):  # a limit of the system's own may be lower, or the system without it
            resource.setrlimit(kind, (most, most))


def environment() -> Any:
    """A sandbox with what chat templates of the Hugging Face hub expect: loop controls, `raise_exception`,
    `generation`, ...
    """
    import jinja2
    from jinja2 import ext, nodes, sandbox, utils

    class Generation(ext.Extension):
        """{% generation %} ... {% endgeneration %} marks what the model wrote; here it is what stands in it."""

        tags = frozenset({"generation"})  # type: ignore[assignment]

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body).set_lineno(line)

    def public(name: Any) -> Any:
        if str(name).startswith("_"):
            raise jinja2.exceptions.SecurityError(f"a namespace takes no name with an underscore: {name!r}")
        return name

    class Namespace(utils.Namespace):  # which answers every `self.name` from what a template put there
        def __init__(*args: Any, **names: Any) -> None:
            self, *rest = args
            utils.Namespace.__init__(self, {public(name): value for name, value in dict(*rest, **names).items()})

        def __setitem__(self, name: str, value: Any) -> None:
            utils.Namespace.__setitem__(self, public(name), value)

    def raise_exception(message: str) -> None:
        raise jinja2.exceptions.TemplateError(message)

    def tojson(
        value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
    ) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    made = sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, ext.loopcontrols]
    )
    made.filters["tojson"] = tojson
    made.globals.update(
        raise_exception=raise_exception, strftime_now=lambda form: datetime.now().strftime(form), namespace=Namespace
    )
    made.globals.pop("lipsum", None)
    return made


def main() -> None:
    """Read {"path", "template", "variables", "cpu_s", "memory", "characters"}, write the text or what was wrong."""
    given = json.load(sys.stdin)
    sys.path[:] = given["path"]  # jinja2 stands where the parent has it
    made = environment()
    limit(given["cpu_s"], given["memory"])
    parts: list[str] = []
    room = given["characters"]
    try:
        for part in made.from_string(given["template"]).generate(**given["variables"]):
            room -= len(part)
            if room < 0:
                raise ValueError(f"it makes more than {given['characters']:,} characters")
            parts.append(part)
        answer = {"text": "".join(parts)}
    except MemoryError:
        parts.clear()
        answer = {"error": "it takes too much memory"}
    except RecursionError:
        answer = {"error": "it calls itself without end"}
    except Exception as error:  # whatever a template runs into, on its own account or by what it was given
        answer = {"error": (str(error).strip() or type(error).__name__)[:500]}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
