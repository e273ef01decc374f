"""The mini-world: a small language with planted concepts, its labeled corpus, and the weights trained on it.

The concepts that a text expresses are known token by token, so a claim about a feature can be scored against the truth.
"""

from saewidgets.miniworld.answers import ASKED, answers, question_kind
from saewidgets.miniworld.clamps import CLAMPS_FILE, SAES_FOLDER, load_clamps
from saewidgets.miniworld.corpus import Corpus, load_corpus
from saewidgets.miniworld.material import (
    CHAT,
    NAME,
    PROMPT,
    city_swaps,
    few_shots,
    own_chat,
    own_corpus,
    steering_prompt,
)
from saewidgets.miniworld.tokenizer import MODEL_FOLDER, load_tokenizer, train_tokenizer
from saewidgets.miniworld.world import World, world

__all__ = [
    "ASKED",
    "CHAT",
    "CLAMPS_FILE",
    "MODEL_FOLDER",
    "NAME",
    "PROMPT",
    "SAES_FOLDER",
    "Corpus",
    "World",
    "answers",
    "city_swaps",
    "few_shots",
    "load_clamps",
    "load_corpus",
    "load_tokenizer",
    "own_chat",
    "own_corpus",
    "question_kind",
    "steering_prompt",
    "train_tokenizer",
    "world",
]
