"""Labels of features, written from examples by one reader and scored by another who has not seen them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from saewidgets.analysis.judges.labels import LabelJudge
from saewidgets.analysis.judges.scores import STRONG, TooFewError, detection, fuzzing, strong_tokens
from saewidgets.analysis.judges.windows import Window, Windows
from saewidgets.models import Model
from saewidgets.records import FeatureActivations
from saewidgets.records.arguments import asked, expect, seed_of, whole
from saewidgets.records.judging import Judge, Passage
from saewidgets.records.specificity import WrittenLabel

MAX_LABEL = 300  # characters
TASK = """Below are pieces of text. In each, the words that a hidden detector responds to stand between « and », and a number
from 1 to 10 says how strongly it responds to the strongest of them. Say in a few words what it responds to.
{numbered}

Answer with the description alone, in at most ten words."""

Writer = Callable[[Sequence[Passage], Sequence[int]], str]


def written_label(
    model: Model | nn.Module,
    acts: FeatureActivations,
    feature: int,
    writer: Writer,
    judge: Judge,
    *,
    n_shown: int = 40,
    n: int = 50,
    seed: int = 0,
) -> WrittenLabel:
    """A label for a feature, written from examples, with its detection and fuzzing scores on other texts (the automatic
    interpretation of delphi; Paulo et al. 2024).

    Args:
        model: for the texts of tokens.
        acts: of `feature_activations`.
        feature: which one.
        writer: called with passages, whose strong tokens are marked, and how strong each is (1 to 10, the activation
            over the maximum, rounded up); returns the label. `PlantedWriter(corpus)`, `LanguageWriter(ask)`, or a
            function.
        judge: scores the label. It gets no passage from a row of the corpus that the writer saw.
        n_shown: windows that the writer sees, as many from each tenth of them by strength.
        n: active windows, and inactive ones, of each score.
        seed: of the draws.

    Raises ValueError where too few windows are left for a score, or the writer gives no text; TypeError for what is no
    writer or judge.

    Example:
        >>> written_label(model, acts, 31, PlantedWriter(corpus), planted_judge(corpus)).label  # doctest: +SKIP
        'owl'
    """
    model = Model.wrap(model)
    expect(acts, FeatureActivations, "acts", "written_label")
    expect(writer, asked(writer), "writer", "written_label", "give one, such as PlantedWriter(corpus)")
    expect(judge, asked(judge), "judge", "written_label", "give one, such as planted_judge(corpus)")
    windows = Windows(model, acts, feature, seed=seed_of(seed))
    shown = windows.spread(whole(n_shown, "n_shown", minimum=1))
    label = label_of(windows, shown, writer)
    seen = frozenset(w.context for w in shown)
    scores = [
        score(model, acts, windows.feature, label, judge, n=n, seed=seed, without=seen)
        for score in (detection, fuzzing)
    ]
    return WrittenLabel(windows.feature, label, len(shown), *scores)


def label_of(windows: Windows, shown: Sequence[Window], writer: Writer) -> str:
    """What the writer calls a feature by some of its windows, in one line. Raises ValueError where there is none, or it
    gives no text.
    """
    if not shown:
        raise TooFewError(f"feature {windows.feature} is never active, so there is nothing to write a label from")
    most = windows.active[0].maximum
    passages = [windows.passage(w, strong_tokens(w, STRONG * most)) for w in shown]
    label = writer(passages, [math.ceil(10 * w.maximum / most) for w in shown])
    if not isinstance(label, str) or not label.strip():
        raise ValueError(f"the writer gave {label!r}, not a label")
    return " ".join(label.split())[:MAX_LABEL]


class PlantedWriter:
    """Writes the name of the concept that tells the marked tokens best: the one whose share among them exceeds its
    share of the whole corpus most.

    Args:
        corpus: with labels, the one that the passages are cut from.
    """

    def __init__(self, corpus: Any) -> None:
        self.judge, self.corpus = LabelJudge(corpus), corpus

    def __call__(self, passages: Sequence[Passage], strengths: Sequence[int]) -> str:
        places = [(p.context, p.position + i) for p in passages for i in p.marked]
        rows, columns = (list(axis) for axis in zip(*places, strict=True))
        n_tokens = int((self.corpus.token_rows >= 0).sum())

        def lift(concept: str) -> float:
            mask = self.judge.labels(concept).mask
            return float(mask[rows, columns].mean() - mask.sum() / n_tokens)

        best: str = max(self.corpus.concepts, key=lift)
        return best


class LanguageWriter:
    """Asks a language model for a label, through a function from a prompt to a reply.

    Example:
        >>> writer = LanguageWriter(lambda prompt: ' "birds of prey" ')
        >>> writer([Passage(("An", " owl"), (1, 2), (1,))], [9])
        'birds of prey'
    """

    def __init__(self, ask: Callable[[str], str]) -> None:
        self.ask = expect(ask, asked(ask), "ask", "LanguageWriter", "give a function of a prompt")

    def __call__(self, passages: Sequence[Passage], strengths: Sequence[int]) -> str:
        pairs = enumerate(zip(passages, strengths, strict=True), 1)
        numbered = "\n".join(f"\nText {i} (strength {s} of 10):\n{p.shown()}" for i, (p, s) in pairs)
        reply = self.ask(TASK.format(numbered=numbered))
        return reply.strip().strip('"').strip() if isinstance(reply, str) else ""
