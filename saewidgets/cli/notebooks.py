"""The notebooks that the package carries, and their index, copied to a folder of the person: what they changed there is never written
over.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from saewidgets.cli.translated import ENGLISH, in_language
from saewidgets.files import LoadError, read_json, sha256, write_bytes, write_json

PACKAGE = Path(__file__).resolve().parents[1]
TOUR = "00_tour.ipynb"
CHAT = "08_a_real_chat_model.ipynb"
INDEX = "README.md"  # lists them, with times
FOLDER = "saewidgets-notebooks"
MANIFEST = ".saewidgets.json"  # which version of each notebook was copied last: its name and its SHA-256


def carried() -> Path:
    """The folder of the notebooks that came with the package: a clone's own, or the one inside an installed package.

    Raises FileNotFoundError where neither holds the tour.
    """
    clone, inside = PACKAGE.parent / "notebooks", PACKAGE / "notebooks"
    for folder in (clone, inside):
        if (folder / TOUR).is_file():
            return folder
    raise FileNotFoundError(f"{TOUR} is neither in {clone} nor in {inside}; install saewidgets again")


def folder_for(language: str) -> Path:
    """Where the notebooks go unless a person says otherwise: each language has a folder of its own.

    Example:
        >>> str(folder_for("en")), str(folder_for("zh"))
        ('saewidgets-notebooks', 'saewidgets-notebooks-zh')
    """
    return Path(FOLDER if language == ENGLISH else f"{FOLDER}-{language}")


def copy_notebooks(source: Path, target: Path, version: str, language: str = ENGLISH) -> tuple[Path, list[str]]:
    """Bring the notebooks in `target` up to date with those of `source`, written in a language; returns the absolute
    folder and sentences to show.

    A notebook that is missing is copied. One that is still what was copied is replaced. One that the person has changed
    (run and saved, too) stays as it is, and a newer version is put beside it once, as `00_tour-0.2.0.ipynb`, with a
    sentence. What was copied is known by its SHA-256, in a manifest in `target`. If `target` is `source`, nothing is
    copied.

    Raises FileNotFoundError for a link to nowhere, at the folder or at one of its notebooks: nothing is written through
    it. Raises ValueError for a language in which the notebooks cannot be written, and for one other than English in the
    folder that the English ones come from.
    """
    target = target.expanduser()
    _refuse_dangling(target)
    target = target.resolve()
    if target == source.resolve():
        if language != ENGLISH:
            raise ValueError(f"{target} holds the English notebooks; give another folder for those in {language!r}")
        return target, []
    notebooks = [*sorted(source.glob("*.ipynb")), *source.glob(INDEX)]
    written = {notebook: in_language(notebook, language) for notebook in notebooks}  # before anything is: it may refuse
    for notebook in notebooks:
        _refuse_dangling(target / notebook.name)
    target.mkdir(parents=True, exist_ok=True)
    given = _manifest(target / MANIFEST)
    said = []
    for notebook, content in written.items():
        newest = hashlib.sha256(content).hexdigest()
        own = target / notebook.name
        if not own.exists() or _untouched(own, given):
            _put(content, own, newest)
        elif newest not in (given.get(notebook.name), sha256(own)):  # theirs, and a version that they do not have yet
            beside = _beside(own, version, newest, given)
            _put(content, beside, newest)
            given[beside.name] = newest
            said.append(
                f"{own.name} is as you left it; the version that came with saewidgets {version} is {beside.name}"
            )
        given[notebook.name] = newest
    write_json(target / MANIFEST, given)
    return target, said


def _put(content: bytes, place: Path, newest: str) -> None:
    if not place.exists() or sha256(place) != newest:
        write_bytes(place, content)  # the content alone: the copy is writable


def _untouched(path: Path, given: dict[str, str]) -> bool:
    return not path.is_symlink() and sha256(path) == given.get(path.name)


def _beside(own: Path, version: str, newest: str, given: dict[str, str]) -> Path:
    """Where the newer version of a notebook goes: a free name, or that of a copy which nobody changed."""
    number = 1
    while True:
        path = own.with_name(f"{own.stem}-{version}{f'-{number}' if number > 1 else ''}{own.suffix}")
        if not os.path.lexists(path) or _untouched(path, given) or sha256(path) == newest:
            return path
        number += 1


def _manifest(path: Path) -> dict[str, str]:
    """What was copied before. A manifest that cannot be read knows nothing: then every notebook counts as changed."""
    try:
        found = read_json(path)
    except (FileNotFoundError, LoadError):
        return {}
    return {str(name): digest for name, digest in found.items() if isinstance(digest, str)}


def _refuse_dangling(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        raise FileNotFoundError(f"{path} is a link to {os.readlink(path)}, which is not there: remove the link first")
