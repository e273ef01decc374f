"""The mini-world's tokenizer: a byte-level BPE, as GPT-2's, trained on the mini-world's own text."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from saewidgets.files import LoadError

# imported where a text is cut: an instrument with records alone asks this room for a prompt, and must open without it
if TYPE_CHECKING:
    from tokenizers import Tokenizer

MODEL_FOLDER = Path(__file__).parent / "model"
SEPARATOR = "<|endoftext|>"  # begins every document; id 0


def train_tokenizer(texts: Iterable[str], vocabulary: int = 2048) -> Tokenizer:
    """A byte-level BPE with at most `vocabulary` entries, every byte and the separator (id 0) among them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[SEPARATOR],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


@lru_cache(maxsize=1)
def load_tokenizer() -> Tokenizer:
    """The bundled tokenizer. Raises LoadError where its file is missing or broken."""
    from tokenizers import Tokenizer

    path = MODEL_FOLDER / "tokenizer.json"
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises a bare Exception
        raise LoadError(path, f"not a tokenizer: {error}") from error
