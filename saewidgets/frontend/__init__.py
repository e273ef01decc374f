"""The ES modules and style sheets that draw the instruments, in a notebook and in an exported page alike.

`instruments/<name>/` holds one instrument, `shared/` what two of them need, `page/` the stand-in for a kernel,
`engine/` what computes a model in such a page, `styles/` the sheets, `payloads/` the Python that turns records into what is drawn. The modules are plain files that
import one another; no bundler and no framework. A notebook wants each instrument as one module without relative
imports, so `esm` joins a module and what it imports, each in a scope of its own:

    const $shared_numbers = (() => { ...; return {num,percent}; })();

and an import becomes `const {num}=$shared_numbers;`. Comments, types and the white space that only orders a text
stay behind; nothing else is changed.

English stands in the modules. Another language replaces its tables: `languages/<language>/clamp.js` holds what the clamp
panel's `words.js` and `notes.js` export, `shared.js`, `page.js`, `live.js` and `engine.js` those of the other folders.
One language is sent, never two.

Tokens are text that nobody vouches for: the modules write to the page through `textContent` and `createElement` only.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from saewidgets.languages import LANGUAGES

__all__ = ["INSTRUMENTS", "css", "engine", "esm", "program"]

_FOLDER = Path(__file__).parent
_PAGE = {"shim": "page/shim.js", "live": "page/live/index.js"}
_LIFE = "shared/life.js"  # around an instrument that has a kernel
INSTRUMENTS = tuple(sorted(path.parent.name for path in _FOLDER.glob("instruments/*/index.js")))

_TABLES = ("words.js", "notes.js", "glossary.js")  # modules of which a language has its own tables
_TABLE = re.compile(r"^export const (\w+) = \{\n.*?^\};\n", re.MULTILINE | re.DOTALL)
_IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"\n]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|const|class) (\w+))", re.MULTILINE)
_DEFAULT = re.compile(r"^export default (?=\S)", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)  # what the three above did not take
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
_OPEN_TEMPLATE = re.compile(r"^[^`\n]*`(?:[^`\n]*`[^`\n]*`)*[^`\n]*$", re.MULTILINE)  # an odd number of backticks
_SHEET_COMMENT = re.compile(r"^[ \t]*/\*(?:(?!\*/).)*\*/[ \t]*\n", re.MULTILINE | re.DOTALL)
_SHEET_SPACE = re.compile(r" ?([{;])(?: |(?=\n))+")  # within a rule
_COLON = re.compile(r"(?<=[\w-]): (?=[^{}\n]*[;}])")  # after the name of a property
_RULE = re.compile(r"^(\.saew [^{}\n]*) \{[^{}\n]*\}\n", re.MULTILINE)  # of one line, not within another
_CLASS = re.compile(r"saew-[\w-]+")
_COLOR = re.compile(r"--saew-\w*")
_COLOR_SET = re.compile(r"^ *(--saew-\w+): [^\n]*\n", re.MULTILINE)
_NESTED = re.compile(r"\([^()]*\)")
_TYPE = re.compile(r"(?<=[ (\[{])/\*\* @type [^\n]*?\*/ ?")  # a type within a line
_ASIDE = re.compile(r"(?<=[;,{]) // [^\n\"'`]*$", re.MULTILINE)  # after a statement; without a quote, so in no string
_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*\*(?:(?!\*/).)*\*/[ \t]*)\n", re.MULTILINE | re.DOTALL)


@cache
def css(*names: str) -> str:
    """The style sheet of the instruments `names`: of the base what they use, and a sheet for each of them.

    Raises:
        ValueError: an instrument that is not there.
    """
    for name in names:
        _known(name)
    sheets = ["base", *dict.fromkeys(names)]
    texts = [(_FOLDER / "styles" / f"{sheet}.css").read_text(encoding="utf-8") for sheet in sheets]
    if names:
        modules = "".join(map(esm, names))
        texts[0] = _of_use(texts[0], modules)
        texts[0] = _colors_of_use(texts[0], modules + "".join(texts[1:]))
    text = "\n".join(texts)
    bare = _SHEET_SPACE.sub(r"\1", _INDENT.sub("", _SHEET_COMMENT.sub("", text)))
    bare = _COLON.sub(":", bare).replace(";}", "}").replace("\n\n", "\n")
    return bare.replace(", ", ",").replace(" > ", ">")


@cache
def esm(name: str, language: str = "en") -> str:
    """The instrument `name` (dashboard, clamp, ...) as one ES module, `_esm` of its widget, which says when its kernel
    is gone. Where `language` is not English its model has it in the trait `_language`.

    Raises:
        ValueError: an instrument or a language that is not there, a module that imports what is not there, or a circle
            of imports.
    """
    _known(name)
    entry = f"instruments/{name}/index.js"
    both = _joined(entry, _LIFE, language=language)
    return f"{both}export default {_variable(_LIFE)}.watched({_variable(entry)}.default);\n"


@cache
def program(name: str, language: str = "en") -> str:
    """The instrument `name` as a JavaScript expression that evaluates to `{render}`, `shim` to what mounts one, or `live` to
    what answers one in a page.

    Raises:
        ValueError: as `esm`.
    """
    if name in _PAGE:
        entry, value = _PAGE[name], _variable(_PAGE[name])
    else:
        _known(name)
        entry = f"instruments/{name}/index.js"
        value = f"{_variable(entry)}.default"
    return f"(() => {{\n{_joined(entry, language=language)}return {value};\n}})()"


@cache
def engine(language: str = "en") -> str:
    """What computes a model in a page, as a JavaScript function that gives it: to be called, or to be sent to a worker as
    the text that it is.
    """
    entry = "engine/worker.js"
    return f"() => {{\n{_joined(entry, language=language)}return {_variable(entry)};\n}}"


def _of_use(sheet: str, modules: str) -> str:
    """A sheet without the rules for classes that the modules never write."""
    written = set(_CLASS.findall(modules))
    begun = tuple(name for name in written if name.endswith("-"))  # "saew-kind-" and what is added to it

    def wanted(selector: str) -> bool:
        return all(name in written or name.startswith(begun) for name in _CLASS.findall(selector))

    def kept(rule: re.Match[str]) -> str:
        return rule[0] if any(map(wanted, _NESTED.sub("", rule[1]).split(","))) else ""

    return _RULE.sub(kept, sheet)


def _colors_of_use(sheet: str, others: str) -> str:
    """A sheet without the numbered colors that nobody names: neither it, nor the modules and the sheets beside it.

    Those of --saew-c are for all: a kernel names them, too.
    """
    named = {"--saew-c", *_COLOR.findall(_COLOR_SET.sub("", sheet)), *_COLOR.findall(others)}
    begun = tuple(name for name in named if not name[-1].isdigit())  # a number is added to it

    def kept(line: re.Match[str]) -> str:
        return line[0] if line[1] in named or line[1].startswith(begun) else ""

    return _COLOR_SET.sub(kept, sheet)


def _known(name: str) -> None:
    if name not in INSTRUMENTS:
        raise ValueError(f"no instrument {name!r}; there are {', '.join(INSTRUMENTS)}")


def _variable(module: str) -> str:
    return "$" + re.sub(r"\W", "_", module.removesuffix(".js").removeprefix("instruments/"))


class _Module(NamedTuple):
    """A module by itself: its text in a scope of its own, the names that it exports, and those that it imports, each
    with the module that they are from.
    """

    text: str
    exported: frozenset[str]
    imported: tuple[tuple[str, frozenset[str]], ...]


def _joined(*entries: str, folder: Path = _FOLDER, language: str = "en") -> str:
    """The texts of modules after the texts of all that they import, each once and in a scope of its own, with the tables
    of `language`.
    """
    if language not in LANGUAGES:
        raise ValueError(f"no language {language!r}; there are {', '.join(LANGUAGES)}")
    done: dict[str, _Module] = {}

    def add(module: str, path: tuple[str, ...]) -> frozenset[str]:
        if module in done:
            return done[module].exported
        if module in path:
            raise ValueError(f"a circle of imports: {' -> '.join([*path[path.index(module) :], module])}")
        try:
            own = _scoped(module, _translated(module, folder, language))
        except FileNotFoundError:
            raise ValueError(f"{path[-1] if path else module} imports {module}, which is not there") from None
        for other, names in own.imported:
            for missing in sorted(names - add(other, (*path, module))):
                raise ValueError(f"{module} imports {missing} from {other}, which does not export it")
        done[module] = own
        return own.exported

    for entry in entries:
        add(entry, ())
    return "".join(own.text for own in done.values())


def _translated(module: str, folder: Path, language: str) -> str:
    """The text of a module, in which the tables of `language` take the place of the English ones."""
    text = (folder / module).read_text(encoding="utf-8")
    if language == "en" or PurePosixPath(module).name not in _TABLES:
        return text
    source = f"languages/{language}/{PurePosixPath(module).parent.name}.js"
    own = {table[1]: table[0] for table in _TABLE.finditer((folder / source).read_text(encoding="utf-8"))}

    def table(match: re.Match[str]) -> str:
        if match[1] not in own:
            raise ValueError(f"{source} has no table {match[1]} for {module}")
        return own[match[1]]

    return _TABLE.sub(table, text)


@cache  # most modules are part of most instruments
def _scoped(module: str, text: str) -> _Module:
    imported: list[tuple[str, frozenset[str]]] = []

    def binding(match: re.Match[str]) -> str:
        names = [name.split() for name in match[1].split(",") if name.strip()]
        other = _resolved(module, match[2])
        imported.append((other, frozenset(name[0] for name in names)))
        inside = ",".join(f"{name[0]}:{name[-1]}" if len(name) == 3 else name[0] for name in names)
        return f"const {{{inside}}}={_variable(other)};\n"

    text = _IMPORT.sub(binding, text)
    exported = _EXPORT.findall(text)
    shown = ",".join(exported)
    text, defaults = _DEFAULT.subn("const $default = ", _EXPORT.sub("", text))
    if defaults:
        exported.append("default")
        shown = f"{shown},default:$default" if shown else "default:$default"
    for line in _LEFT.findall(text):
        raise ValueError(f"{module} has an import or export in a form that is not joined: {line.strip()}")
    body = _ASIDE.sub("", _TYPE.sub("", _COMMENT.sub("", text))).strip("\n")
    for line in _OPEN_TEMPLATE.findall(body):
        raise ValueError(f"{module} has a template of several lines, whose spaces would be lost: {line.strip()}")
    body = _squeezed(_INDENT.sub("", body))
    scoped = f"const {_variable(module)} = (() => {{\n{body}\nreturn {{{shown}}};\n}})();\n"
    return _Module(scoped, frozenset(exported), tuple(imported))


def _squeezed(body: str) -> str:
    """Lines joined where a bracket, a comma or a semicolon says that they may be, and no comment is in the way; what is
    bound to an import keeps a line of its own.
    """
    lines: list[str] = []
    for line in filter(None, body.split("\n")):
        open_end = bool(lines) and "//" not in lines[-1] and not lines[-1].startswith("const {")
        if open_end and (lines[-1][-1] in "{([,;" or line[0] in ")]}"):
            lines[-1] += line
        else:
            lines.append(line)
    return "\n".join(lines).replace(") => ", ")=>")


def _resolved(module: str, relative: str) -> str:
    """The module, from the front end's folder, that `module` calls `relative`."""
    parts: list[str] = []
    for part in (*PurePosixPath(module).parent.parts, *relative.split("/")):
        if part == "..":
            if not parts:
                raise ValueError(f"{module} imports {relative}, outside the front end")
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
