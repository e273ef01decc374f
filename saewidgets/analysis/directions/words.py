"""One vector per word: its embedding, or what flows at a hook point when the word is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn

from saewidgets.bars import bar
from saewidgets.models import Model
from saewidgets.records import WordVectors
from saewidgets.records.arguments import expect, listed
from saewidgets.records.directions import EMBEDDING

_ROWS = 256  # words in one pass
_WORD = re.compile(r"[^\W\d_]{2,}")


def word_vectors(
    model: Model | nn.Module,
    words: Iterable[str],
    hook_name: str = EMBEDDING,
    *,
    template: str = "{}",
    progress: bool = True,
) -> WordVectors:
    """The vector of each word that is one token with a space before it; the others are listed as skipped.

    At "hook_embed" it is the token's row of the embedding. At any other hook point it is what flows there at the word's
    own token when the model reads `template` with the word in it, the beginning-of-text token first where the model has
    one.

    Args:
        words: in the form in which they stand in a text; each counts once.
        hook_name: of the residual stream, such as "blocks.2.hook_resid_post".
        template: with {} for the word, as "The word is {}". What comes after the word is not read.
        progress: show a bar, if it takes more than half a second.

    Raises ValueError on a template without {}, an unknown hook point, or if no word is one token.

    Example:
        >>> word_vectors(model, ["king", "queen", "sesquipedalian"]).words
        ('king', 'queen')
    """
    model = Model.wrap(model)
    expect(template, str, "template", "word_vectors", "give a text such as 'The word is {}'")
    if template.count("{}") != 1:
        raise ValueError(f"template must hold {{}} once, for the word, not {template!r:.60}")
    wanted = list(dict.fromkeys(listed(words, "words", "'king'")))
    encode = model.vocabulary.continuation
    ids = {word: encode(f" {word}") for word in wanted}
    kept = [word for word in wanted if len(ids[word]) == 1]
    if not kept:
        raise ValueError(f"none of the {len(wanted)} words is one token of {model.name} with a space before it")
    before = model.tokens(template.partition("{}")[0].rstrip(" ")).tolist() if hook_name != EMBEDDING else []
    rows = torch.tensor([[*before, ids[word][0]] for word in kept])
    found = []
    with bar(len(kept), "reading words", "words", progress=progress) as advance:
        for part in rows.split(_ROWS):
            found.append(model.activations(part, hook_name)[:, -1].detach().float().cpu().numpy())
            advance(len(part))
    skipped = tuple(word for word in wanted if len(ids[word]) != 1)
    where = "{}" if hook_name == EMBEDDING else template
    return WordVectors(tuple(kept), np.concatenate(found), hook_name, skipped, where, model.name)


def vocabulary_words(model: Model | nn.Module, also: Sequence[str] = ()) -> tuple[str, ...]:
    """The words that are one token with a space before them: all letters, two or more. `also` come first.

    They are the candidates for an answer, as all words of the vocabulary are in the published evaluations.

    Example:
        >>> "king" in vocabulary_words(model)
        True
    """
    model = Model.wrap(model)
    texts = model.vocabulary.display(range(model.d_vocab))
    own = (text[1:] for text in texts if text.startswith(" ") and _WORD.fullmatch(text[1:]))
    return tuple(dict.fromkeys([*also, *own]))
