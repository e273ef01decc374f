"""What every feature does on texts about each subject: how strong it gets in each text, and what flows there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from saewidgets.activations import check_pair, harvest
from saewidgets.models import Model, counted_tokens, padded_rows
from saewidgets.models.prompts import Prompts
from saewidgets.sae import SAE

MOST_ANSWER_TOKENS = 96  # of a text that are read


@dataclass(frozen=True)
class ChatText:
    """One text that the model wrote itself: what it was asked, what it answered, and what that is about."""

    subject: str  # key; "" for one that is not measured
    user: str
    answer: str
    system: str = ""  # "" is the template's own
    first_person: bool = False  # whether it was asked to speak as the subject
    held_out: bool = False  # no SAE was trained on it


@dataclass(frozen=True)
class Reading:
    """The features of an SAE over texts; rows are the texts, columns the features. Only the answers are read."""

    texts: tuple[ChatText, ...]
    peak: np.ndarray  # float16 [text, d_sae], the largest activation, SAE units
    mean: np.ndarray  # float16 [text, d_sae], mean over the answer's tokens
    flow: np.ndarray  # float32 [text, d_in], mean activation at the site over them
    length: float  # median length of an activation at the site

    @cached_property
    def maximum(self) -> np.ndarray:
        """float32 [d_sae]: each feature's largest activation over all texts."""
        found: np.ndarray = self.peak.max(0).astype(np.float32)
        return found

    @cached_property
    def subjects(self) -> np.ndarray:
        """[text]: the subjects' keys."""
        return np.array([text.subject for text in self.texts])

    @cached_property
    def by_subject(self) -> dict[str, np.ndarray]:
        """{key: float32 [d_sae]}: the mean over each subject's texts, so that subjects weigh alike."""
        return {
            str(key): self.mean[self.subjects == key].astype(np.float32).mean(0) for key in np.unique(self.subjects)
        }

    def of(self, wanted: Callable[[ChatText], bool]) -> Reading:
        """The same over some of the texts."""
        rows = [row for row, text in enumerate(self.texts) if wanted(text)]
        texts = tuple(self.texts[row] for row in rows)
        return Reading(texts, self.peak[rows], self.mean[rows], self.flow[rows], self.length)

    def about(self, key: str) -> np.ndarray:
        """bool [text]: which texts are about a subject."""
        found: np.ndarray = self.subjects == key
        return found


@torch.inference_mode()
def read_features(model: Model, sae: SAE, texts: Sequence[ChatText]) -> Reading:
    """Read texts, each after what was asked; what was asked is read too, and does not count.

    Raises ValueError where the SAE does not belong to the model, and where there is no text.
    """
    model, site = check_pair(model, sae, "a reading of texts")
    if not texts:
        raise ValueError("give at least one text to read")
    prompts = Prompts(model)
    rows = [
        (prompts(text.user, text.system).tolist(), model.continuation(text.answer).tolist()[:MOST_ANSWER_TOKENS])
        for text in texts
    ]
    tokens = padded_rows([[*before, *own] for before, own in rows])
    wanted = counted_tokens(model, tokens)
    for own, (before, _) in zip(wanted, rows, strict=True):
        own[: len(before)] = False
    peak = np.zeros((len(rows), sae.config.d_sae), np.float16)
    mean = np.zeros_like(peak)
    flow = np.zeros((len(rows), sae.config.d_in), np.float32)
    lengths = []
    for context, _, x in harvest(model, site.hook_name, tokens, wanted, max_norm=site.max_norm):
        lengths.append(torch.linalg.vector_norm(x, dim=-1).cpu().numpy())
        starts = np.flatnonzero(np.diff(context, prepend=-1))
        for start, stop in zip(starts, [*starts[1:], len(context)], strict=True):
            row, part = context[start], x[start:stop]
            z = sae.encode(part.to(sae.W_enc.device)).float()  # [token, d_sae]
            peak[row], mean[row] = z.amax(0).cpu().numpy(), z.mean(0).cpu().numpy()
            flow[row] = part.mean(0).cpu().numpy()
    return Reading(tuple(texts), peak, mean, flow, float(np.median(np.concatenate(lengths))))


def balanced(
    texts: Iterable[ChatText], per_subject: int, others: int, wanted: Callable[[ChatText], bool], seed: int = 0
) -> list[ChatText]:
    """At most so many wanted texts of each subject, and of those about no subject, drawn by seed, in the order given."""
    given = [text for text in texts if wanted(text) and text.answer.strip()]
    left: dict[str, int] = {"": others}
    chosen = []
    for at in np.random.default_rng(seed).permutation(len(given)):
        key = given[at].subject
        if left.setdefault(key, per_subject):
            left[key] -= 1
            chosen.append(int(at))
    return [given[at] for at in sorted(chosen)]


@dataclass(frozen=True)
class Detection:
    """How a feature tells texts about a subject from others."""

    threshold: float  # a text counts where the feature gets above it, SAE units
    precision: float
    recall: float
    f1: float
    n_positive: int  # texts about the subject
    n: int  # texts


def best_threshold(score: np.ndarray, positive: np.ndarray) -> float:
    """The threshold above which the F1 of telling the positive texts is largest; halfway between two scores."""
    order = np.argsort(-score, kind="stable")
    own = score[order].astype(np.float64)
    hits = np.cumsum(positive[order])
    f1 = 2 * hits / (np.arange(1, len(own) + 1) + max(int(positive.sum()), 1))
    ends = np.append(own[1:] < own[:-1], True)  # equal scores are on the same side
    at = int(np.argmax(np.where(ends, f1, -1.0)))
    below = own[at + 1] if at + 1 < len(own) else 0.0
    return float((own[at] + below) / 2)


def detection(score: np.ndarray, positive: np.ndarray, threshold: float) -> Detection:
    """Precision, recall and F1 of "the score is above the threshold" over texts; 0 where there is nothing to divide by."""
    said = score.astype(np.float64) > threshold
    hits, n_said, n_positive = int((said & positive).sum()), int(said.sum()), int(positive.sum())
    precision, recall = hits / max(n_said, 1), hits / max(n_positive, 1)
    f1 = 2 * hits / max(n_said + n_positive, 1)
    return Detection(threshold, precision, recall, f1, n_positive, len(score))


def best_detection(score: np.ndarray, positive: np.ndarray) -> Detection:
    """`detection` at `best_threshold`."""
    return detection(score, positive, best_threshold(score, positive))
