"""Bring the tables of the notebooks' translations in step with the English notebooks.

    python scripts/write_translations.py zh

Each table is written anew in the order of its notebook: what has a translation keeps it, what is new stands there with an
empty one to be filled in, and what no notebook says any more is gone. Prints how many wait. What two notebooks say goes
to `shared.toml`.
"""

from __future__ import annotations

import argparse
import tomllib
from collections import Counter
from pathlib import Path

from saewidgets.cli import translated
from saewidgets.cli.translated import SHARED, Table
from saewidgets.files import write_text

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
HEAD = (
    "# In the order of the notebook; `en` is the key. After a change there: python scripts/write_translations.py {}\n"
)


def said(notebook: Path) -> tuple[list[str], list[str]]:
    """The paragraphs and the comments and strings of a notebook, each once."""
    prose: dict[str, str] = {}
    code: dict[str, None] = {}
    markdown, cells = translated.sources(notebook)
    for source in markdown:
        prose |= {translated.key(one): one for one in translated.paragraphs(source)}
        for fence in translated.fences(source):
            code |= dict.fromkeys(translated.comments(fence))
    for source in cells:
        code |= dict.fromkeys([*translated.comments(source), *translated.strings(source)])
    return list(prose.values()), list(code)


def literal(text: str) -> str:
    if "'''" in text:
        raise ValueError(f"three quotes in one paragraph cannot stand in a table: {text!r}")
    return f"'''\n{text}'''" if "\n" in text or len(text) > 100 else f"'''{text}'''"


def entry(part: str, language: str, english: str, other: str) -> str:
    return f"\n[[{part}]]\nen = {literal(english)}\n{language} = {literal(other)}\n"


def write(path: Path, language: str, prose: list[str], code: list[str], known: Table) -> int:
    """Write one table. Returns how many entries have no translation."""
    keep = [text for text in code if text in known.keep]
    code = [text for text in code if text not in known.keep]
    text = HEAD.format(language)
    if keep:
        text += "keep = [\n" + "".join(f"    {literal(one)},\n" for one in keep) + "]\n"
    text += "".join(entry("prose", language, one, known.prose.get(translated.key(one), "")) for one in prose)
    text += "".join(entry("code", language, one, known.code.get(one, "")) for one in code)
    tomllib.loads(text)
    write_text(path, text)
    return sum(translated.key(one) not in known.prose for one in prose) + sum(one not in known.code for one in code)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("language")
    language = parser.parse_args().language
    folder = NOTEBOOKS / language
    folder.mkdir(exist_ok=True)
    notebooks = [*sorted(NOTEBOOKS.glob("*.ipynb")), NOTEBOOKS / "README.md"]
    everything = {notebook: said(notebook) for notebook in notebooks}
    known = Table()
    for path in sorted(folder.glob("*.toml")):
        known = translated.read_table(path, language).over(known)

    counted = Counter(translated.key(one) for prose, _ in everything.values() for one in prose)
    counted += Counter(one for _, code in everything.values() for one in code)
    shared: tuple[dict[str, str], dict[str, None]] = ({}, {})
    for notebook, (prose, code) in everything.items():
        shared[0].update({translated.key(one): one for one in prose if counted[translated.key(one)] > 1})
        shared[1].update(dict.fromkeys(one for one in code if counted[one] > 1))
        own = [one for one in prose if counted[translated.key(one)] == 1], [one for one in code if counted[one] == 1]
        before = translated.table_of(notebook, language).over(known)
        print(f"{notebook.name:<32} {write(folder / f'{notebook.stem}.toml', language, *own, before)} to translate")
    print(
        f"{SHARED:<32} {write(folder / SHARED, language, list(shared[0].values()), list(shared[1]), known)} to translate"
    )


if __name__ == "__main__":
    main()
