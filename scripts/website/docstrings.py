"""A docstring of this package as Markdown.

The docstrings are plain text: sentences, names in backticks, equations and tables as indented lines, and sections called
Args, Raises, Returns and Example. Indented lines stay as they are written; everything else is escaped, so that `x * y`
and `a_f` are read as they stand.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

SECTIONS = {"Args": "Arguments", "Raises": "Raises", "Returns": "Returns", "Yields": "Yields", "Example": "Example"}
_HEAD = re.compile(rf"^({'|'.join(SECTIONS)}|Examples|Attributes|Note|Notes):$")
_ITEM = re.compile(r"^(\*{0,2}[\w.`, ]+(?: \([^)]*\))?): (.*)$")

Link = Callable[[str], str | None]  # a name in backticks -> where it is described, or None


def markdown(docstring: str, link: Link = lambda name: None) -> str:
    """The whole docstring; `link` says where a name that stands in backticks is described."""
    blocks: list[str] = []
    for title, lines in _sections(inspect.cleandoc(docstring).splitlines()):
        if title is None:
            blocks.append(_prose(lines, link))
        elif title in ("Example", "Examples"):
            code = "\n".join(re.sub(r"\s*# doctest: \+SKIP$", "", line) for line in _dedented(lines)).strip("\n")
            blocks.append(f"**Example**\n\n```pycon\n{code}\n```")
        else:
            blocks.append(f"**{SECTIONS.get(title, title)}**\n\n{_items(_dedented(lines), link)}")
    return "\n\n".join(block for block in blocks if block.strip())


def first_sentence(docstring: str, link: Link = lambda name: None) -> str:
    """The first sentence, in one line."""
    paragraph = " ".join(inspect.cleandoc(docstring).split("\n\n")[0].split())
    sentence = re.split(r"(?<=[a-z\])`\"0-9])(?<!et al)[.:](?= |$)", paragraph)[0]
    return inline(sentence.rstrip(".:") + ".", link)


def inline(text: str, link: Link = lambda name: None) -> str:
    """A sentence: code stays code, and links where its name is known; nothing else is a mark of Markdown."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(_code(part, link) if part.startswith("`") and len(part) > 2 else escaped(part) for part in parts)


def escaped(text: str) -> str:
    """Plain text as Markdown that shows it."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\*_\[\]|`$~^])", r"\\\1", text)


def _code(part: str, link: Link) -> str:
    where = link(part.strip("`"))
    return f"[{part}]({where})" if where else part


def _sections(lines: list[str]) -> list[tuple[str | None, list[str]]]:
    found: list[tuple[str | None, list[str]]] = [(None, [])]
    for line in lines:
        if head := _HEAD.match(line):
            found.append((head[1], []))
        elif found[-1][0] is not None and line and not line.startswith(" "):
            found.append((None, [line]))  # text after a section
        else:
            found[-1][1].append(line)
    return found


def _dedented(lines: list[str]) -> list[str]:
    return inspect.cleandoc("\n" + "\n".join(lines)).splitlines()


def _prose(lines: list[str], link: Link) -> str:
    """Paragraphs; lists stay lists, indented lines that are no part of one are shown as they stand."""
    out: list[str] = []
    block: list[str] = []

    def end() -> None:
        if not block:
            return
        if block[0].startswith("    "):
            out.append("```text\n" + "\n".join(_dedented(block)) + "\n```")
        elif block[0].lstrip().startswith("- "):
            items = re.split(r"\n\s*- ", "\n" + "\n".join(block))[1:]
            out.append("\n".join(f"- {inline(' '.join(item.split()), link)}" for item in items))
        else:
            out.append(inline(" ".join(" ".join(block).split()), link))
        block.clear()

    for line in lines:
        if not line.strip():
            end()
            continue
        fresh = line.startswith("    ") != block[0].startswith("    ") if block else False
        listed = line.startswith("- ") and bool(block) and not block[0].startswith("- ")
        if listed or (fresh and not block[0].startswith("- ")):
            end()
        block.append(line)
    end()
    return "\n\n".join(_runs_joined(out))


def _runs_joined(blocks: list[str]) -> list[str]:
    """Indented blocks with nothing but an empty line between them are one."""
    out: list[str] = []
    for block in blocks:
        if out and block.startswith("```text") and out[-1].startswith("```text"):
            out[-1] = out[-1].removesuffix("\n```") + "\n\n" + block.removeprefix("```text\n")
        else:
            out.append(block)
    return out


def _items(lines: list[str], link: Link) -> str:
    """The entries of Args and Raises, one per line that is not indented."""
    entries: list[list[str]] = []
    for line in lines:
        if line.startswith(" ") and entries:
            entries[-1].append(line.strip())
        elif line.strip():
            entries.append([line.strip()])
    out = []
    for entry in entries:
        text = " ".join(entry)
        if item := _ITEM.match(text):
            name = item[1].strip("`")
            named = (
                f"**`{name}`**"
                if re.fullmatch(r"[\w*., ]+", name) and not re.search(r"\w \w", name)
                else inline(item[1], link)
            )
            out.append(f"- {named}: {inline(item[2], link)}")
        else:
            out.append(f"- {inline(text, link)}")
    return "\n".join(out)
