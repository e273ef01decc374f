"""What vectors answer to "a is to b as c is to", and how often they are right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from saewidgets.records import Analogy, AnalogySet, AnsweredAnalogy, WordVectors
from saewidgets.records.arguments import expect

_BLOCK = 1 << 24  # cosines at a time: 64 MB


def unit(vectors: np.ndarray) -> np.ndarray:
    """[n, d], of the same type: each vector at length 1; one of length 0 stays."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    value: np.ndarray = (vectors / np.where(lengths > 0, lengths, 1)).astype(vectors.dtype, copy=False)
    return value


def answers(vectors: WordVectors, questions: AnalogySet | Sequence[Analogy]) -> list[AnsweredAnalogy]:
    """What the vectors answer to each question whose four words they have, in order.

    With every vector x of length 1 and y = x_b - x_a + x_c, the answer is the word w with the largest cos(x_w, y)
    (Mikolov, Yih, Zweig 2013): with a, b and c left out of the candidates, as evaluations do, and with all words as
    candidates, where c or b itself is often the nearest. Beside it stands the nearest neighbor of c, which no offset
    went into: where it is right as often, the offset did nothing (Linzen 2016).

    Raises TypeError on what is no `WordVectors`, and ValueError where fewer than five words have vectors.

    Example:
        >>> answers(vectors, load_analogies().section("gender"))[0].answer  # doctest: +SKIP
        'queen'
    """
    expect(vectors, WordVectors, "vectors", "answers", "give word_vectors(model, words)")
    given = questions.questions if isinstance(questions, AnalogySet) else tuple(questions)
    index, x = vectors.index, unit(vectors.vectors)
    if len(x) < 5:
        raise ValueError(f"an answer needs a choice, and {len(x)} words have vectors: give the words of the vocabulary")
    known = [q for q in given if all(word in index for word in q.words)]
    at = np.array([[index[word] for word in q.words] for q in known], np.int64).reshape(-1, 4)
    out: list[AnsweredAnalogy] = []
    size = max(1, _BLOCK // len(x))
    for begin in range(0, len(known), size):
        part = at[begin : begin + size]
        a, b, c, d = part.T
        rows = np.arange(len(part))
        scores = (x[b] - x[a] + x[c]) @ x.T  # [question, word]: the length of y does not change which is largest
        kept = scores.argmax(1)
        _leave_out(scores, part)
        best = scores.argmax(1)
        rank = (scores > scores[rows, d][:, None]).sum(1)
        near = x[c] @ x.T
        _leave_out(near, part)
        neighbor = near.argmax(1)
        for i, q in enumerate(known[begin : begin + size]):
            answer, with_inputs, nearest = (vectors.words[int(found[i])] for found in (best, kept, neighbor))
            out.append(AnsweredAnalogy(*q.words, answer, with_inputs, nearest, int(rank[i])))
    return out


def _leave_out(scores: np.ndarray, part: np.ndarray) -> None:
    """Take a, b and c out of the candidates; a question whose d is among them keeps it, and cannot be right."""
    for column in range(3):
        scores[np.arange(len(part)), part[:, column]] = -np.inf


def score_analogies(answered: Sequence[AnsweredAnalogy]) -> dict[str, float]:
    """How many of some answers are right: {"n", "correct", "kept", "neighbor"} as numbers of questions, and "chance".

    chance is the share of right answers that these very answers would have if they were shuffled among the questions:
    what one gets for knowing which words can be an answer at all.

    Example:
        >>> one = AnsweredAnalogy("man", "king", "woman", "queen", "queen", "king", "girl", 0)
        >>> score_analogies([one])
        {'n': 1, 'correct': 1, 'kept': 0, 'neighbor': 0, 'chance': 1.0}
    """
    n = len(answered)
    said: dict[str, int] = {}
    meant: dict[str, int] = {}
    for one in answered:
        said[one.answer] = said.get(one.answer, 0) + 1
        meant[one.d] = meant.get(one.d, 0) + 1
    return {
        "n": n,
        "correct": sum(one.answer == one.d for one in answered),
        "kept": sum(one.kept == one.d for one in answered),
        "neighbor": sum(one.neighbor == one.d for one in answered),
        "chance": sum(count * meant.get(word, 0) for word, count in said.items()) / n**2 if n else float("nan"),
    }
