"""What comes with the package for a real chat model: its SAE, texts that it wrote itself, and measured clamps.

`python -m saewidgets.pretrain chat` makes all three; the model itself is fetched by `load_model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from saewidgets.files import LoadError, read_json
from saewidgets.records import ChatClamps, typed

MODEL = "smollm2"  # as `load_model` takes it
MODEL_NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"  # as it calls itself
DTYPE = "bfloat16"  # of the weights that everything was made with
SAES_FOLDER = Path(__file__).parent / "saes"
CLAMPS_FILE = Path(__file__).parent / "clamps.json"
TEXTS_FILE = Path(__file__).parent / "texts.json"


@dataclass(frozen=True)
class OwnText:
    """A text that the model wrote itself: what it was asked, and its answer. No SAE was trained on it."""

    subject: str  # key of what it is about, see `subjects`; "" for something else
    system: str  # the instruction before it; "" is the model's own
    user: str
    answer: str


@dataclass(frozen=True)
class OwnTexts:
    """The texts that a model wrote itself."""

    model: str
    texts: tuple[OwnText, ...]


@cache
def load_clamps() -> ChatClamps:
    """The measured clamps of the bundled SAE of a chat model: a mapping from subjects' keys to `ChatClamp`, the best
    first. Raises LoadError where the file is missing or broken.

    Example:
        >>> clamps = load_clamps()
        >>> clamps.question, clamps["detective"].steerable
        ('What are you?', True)
    """
    data = _read(CLAMPS_FILE)
    with typed.refusing(CLAMPS_FILE):
        return ChatClamps.from_dict(data)


@cache
def load_texts() -> tuple[OwnText, ...]:
    """A few hundred texts that the chat model wrote itself, about nearly every subject and about other things; none was
    trained on. Raises LoadError where the file is missing or broken.

    Example:
        >>> len(load_texts()) > 100
        True
    """
    data = _read(TEXTS_FILE)
    with typed.refusing(TEXTS_FILE):
        return typed.record(OwnTexts, data).texts


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        how = "`python -m saewidgets.pretrain chat --help` says how to make it"
        raise LoadError(path, f"this version of saewidgets carries no SAE of a chat model: {how}")
    return read_json(path)
