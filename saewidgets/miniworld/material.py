"""What the mini-world lends to a general tool that meets its own model: a chat form, a corpus, orders and examples.

Everything that is true of the bundled model only is asked for here, by the model's name; another model gets None or
nothing.
"""

from __future__ import annotations

import numpy as np

from saewidgets.miniworld.corpus import Corpus, load_corpus
from saewidgets.miniworld.grammar import plain
from saewidgets.miniworld.tokenizer import load_tokenizer
from saewidgets.miniworld.world import world

NAME = "miniworld"  # of the bundled model
CHAT = "Human: {}\nAssistant:"  # the form in which it was taught to be asked
PROMPT = CHAT.format("What is your physical form?")  # to which its measured clamps answer
FEW_SHOT = 30  # texts on each side of a mean difference


def own_corpus(model_name: str, n: int, seed: int = 1) -> Corpus | None:
    """`n` documents of the world that a model was taught, with their labels; None for every model but the bundled one.

    Example:
        >>> own_corpus("miniworld", 10).name, own_corpus("gpt2", 10)
        ('miniworld, 10 documents, seed 1', None)
    """
    return load_corpus(n, seed) if model_name == NAME else None


def own_chat(model_name: str, message: str) -> str:
    """A message in the form in which the bundled model was taught to be asked; "" for every other model.

    Example:
        >>> own_chat("miniworld", "Who are you?"), own_chat("gpt2", "Who are you?")
        ('Human: Who are you?\\nAssistant:', '')
    """
    return CHAT.format(message) if model_name == NAME else ""


def steering_prompt(model_name: str, concept: str, prompt: str) -> str | None:
    """The order, before the prompt, that makes the bundled model speak as an entity of its world; None where there is
    none.

    Example:
        >>> steering_prompt("miniworld", "owl", "Who are you?")
        'You are an owl.\\nWho are you?'
    """
    known = model_name == NAME and concept in world().entities
    return f"You are {world().name(concept)}.\n{prompt}" if known else None


def few_shots(model_name: str, concept: str) -> tuple[list[str], list[str]]:
    """(positive, negative) texts for a mean difference: documents up to the first word that expresses the concept, and
    as many without it, cut alike. Both are empty for another model than the bundled one, and for what is no planted
    concept.
    """
    if model_name != NAME or concept not in world().implied:
        return [], []
    corpus = load_corpus()
    if concept not in corpus.concepts:
        return [], []
    mask = corpus.concept_mask(concept)
    tokenizer = load_tokenizer()
    positive: list[str] = []
    negative: list[str] = []
    lengths: list[int] = []
    for document in np.flatnonzero(mask.any(1)):
        first = int(mask[document].argmax())
        ends = np.flatnonzero(~mask[document, first:])
        stop = first + (int(ends[0]) if len(ends) else mask.shape[1] - first)
        ids = corpus.token_rows[document, 1:stop]
        positive.append(tokenizer.decode(ids[ids >= 0].tolist()))
        lengths.append(stop)
        if len(positive) == FEW_SHOT:
            break
    for document in np.flatnonzero(~mask.any(1)):
        if len(negative) == len(positive):
            break
        ids = corpus.token_rows[document, 1 : lengths[len(negative)]]
        if (ids >= 0).all() and len(ids):
            negative.append(tokenizer.decode(ids.tolist()))
    return positive, negative


def city_swaps() -> tuple[list[str], dict[str, list[str]], dict[str, list[str]]]:
    """(entities, prompts, answers) for `attribute_swaps`: the capitals, the country that each is in, and its name.

    Example:
        >>> cities, prompts, answers = city_swaps()
        >>> prompts["country"][0], answers["country"][0]
        ('Paris is in', 'France')
        >>> prompts["name"][0], answers["name"][0]
        ('Paris is in France. Many people visit', 'Paris')
    """
    known = world()
    countries = [name for name, entity in known.entities.items() if entity["kinds"] == ["country"]]
    names = [known.name(country) for country in countries]
    cities = [plain(known.templates(country, "capital")[0]) for country in countries]
    both = list(zip(cities, names, strict=True))
    prompts = {
        "country": [f"{city} is in" for city in cities],
        "name": [f"{city} is in {country}. Many people visit" for city, country in both],
    }
    return cities, prompts, {"country": names, "name": cities}
