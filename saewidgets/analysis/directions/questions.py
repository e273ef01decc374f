"""Question sets of analogies, from files in the forms in which they are published."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

from saewidgets.files import LoadError, open_regular, plain
from saewidgets.miniworld import CLAMPS_FILE
from saewidgets.records import Analogy, AnalogySet, typed
from saewidgets.records.arguments import expect
from saewidgets.records.directions import OWN_QUESTIONS

MAX_BYTES = 16 << 20
MSR = 8000  # questions of the MSR set, whose categories follow from their order
_ADJECTIVES = ("JJ_JJR", "JJR_JJ", "JJ_JJS", "JJS_JJ", "JJS_JJR", "JJR_JJS")
_VERBS = ("VB_VBD", "VBD_VB", "VB_VBZ", "VBZ_VB", "VBZ_VBD", "VBD_VBZ")


def read_analogies(path: str | Path, name: str = "") -> AnalogySet:
    """Questions from a file, in any of these forms, told apart by what stands in it:

        : section          the Google set (word2vec's questions-words.txt): sections, then four words a line
        a b c d            four words a line without sections: the MSR syntactic set, whose categories follow from the
                           order of its 8,000 questions; of another length all are one section, "all"
        category a b c d   with tabs between, and a first line that says so
        : section          sections, then two words a line: every two pairs of a section are asked both ways
        a b

    Args:
        path: a text file in UTF-8.
        name: of the set; by default that of the file.

    Raises LoadError, and nothing else, on a file that is not there or in none of these forms; it names the line.

    Example:
        >>> read_analogies("questions-words.txt").sections[:2]  # doctest: +SKIP
        ('capital-common-countries', 'capital-world')
    """
    expect(path, (str, Path), "path", "read_analogies", "give the path of a file of questions")
    lines = [(number, line) for number, line in enumerate(read_lines(path), 1) if line.strip()]
    with typed.refusing(path):
        if not lines:
            raise ValueError("there is no question in it")
        return AnalogySet(name or Path(path).stem, _questions(lines))


def load_analogies() -> AnalogySet:
    """The package's own questions: six relations between words that are one token each in the bundled model, and in
    most models of English.

    Example:
        >>> len(load_analogies()), load_analogies().sections[:2]
        (550, ('capital', 'gender'))
    """
    return read_analogies(CLAMPS_FILE.with_name("analogies.txt"), OWN_QUESTIONS)


def read_lines(path: str | Path) -> list[str]:
    """The lines of a text file. Raises LoadError, and nothing else, where there is none to be read."""
    try:
        with open_regular(path, MAX_BYTES) as (file, _):
            return file.read().decode("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise error if isinstance(error, LoadError) else LoadError(path, plain(error)) from error


def _questions(lines: list[tuple[int, str]]) -> tuple[Analogy, ...]:
    if lines[0][1].split("\t") == ["category", "a", "b", "c", "d"]:
        rows = [(number, line.split("\t")) for number, line in lines[1:]]
        for number, row in rows:
            if len(row) != 5 or not all(row):
                raise ValueError(f"line {number} has {len(row)} columns, not a category and four words")
        return tuple(Analogy(*row) for _, row in rows)
    if not lines[0][1].startswith(":"):
        four = [_split(number, line, (4,)) for number, line in lines]
        sections = _msr_sections() if len(four) == MSR else ["all"] * len(four)
        return tuple(Analogy(section, *words) for section, words in zip(sections, four, strict=True))
    found: list[Analogy] = []
    section, pairs = "", list[list[str]]()
    for number, line in [*lines, (0, ":")]:
        if not line.startswith(":"):
            words = _split(number, line, (2, 4))
            if len(words) == 4:
                found.append(Analogy(section, *words))
            else:
                pairs.append(words)
            continue
        found += [Analogy(section, *one, *other) for one, other in permutations(pairs, 2)]
        section, pairs = line[1:].strip(), []
        if number and not section:
            raise ValueError(f"line {number} begins a section without a name")
    if not found:
        raise ValueError("there is no question in it: a section of pairs needs two of them")
    return tuple(found)


def _split(number: int, line: str, allowed: tuple[int, ...]) -> list[str]:
    words = line.split()
    if len(words) not in allowed:
        raise ValueError(
            f"line {number} has {len(words)} words, not {' or '.join(map(str, allowed))}: {line.strip()!r:.60}"
        )
    return words


def _msr_sections() -> list[str]:
    """The directed category of each question of the MSR set, by its place."""
    return [
        *(_ADJECTIVES[i % 6] for i in range(3000)),
        *(("NN_NNS", "NNS_NN")[i % 2] for i in range(1000)),
        *(("NN_NNPOS", "NNPOS_NN")[i % 2] for i in range(1000)),
        *(_VERBS[i % 6] for i in range(3000)),
    ]
