"""Which features might make the model speak as a subject: by what they read, by the words they promote, by what they
do.

Three searches propose, and a push decides: each proposed feature's direction is added at one length while the question
is read, and what counts is how likely "I am a pirate" becomes as the answer. Since a subject is steerable only where
the feature also reads it, the best of those that do come first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from saewidgets.analysis.search import rank_by_effect
from saewidgets.chat import Subject
from saewidgets.models import Model
from saewidgets.pretrain.chat.answers import BOUNDS, Asked, Writer
from saewidgets.pretrain.chat.reading import Detection, Reading, best_detection

PROPOSED = 6  # by each search
PUSHED = 16  # by the search by effect, of all features
# Nats: log-probability of "I am <name>" from which on a candidate is promising without a search by effect.
ENOUGH = -5.0
SHARES = (0.3, 0.4)  # lengths of the pushes over the median length of an activation
ON = 0.2  # of its maximum: from here on a feature counts as active in a text
KEPT = 3
DIRECTIONS = 512  # whose logits are made at a time


@dataclass(frozen=True)
class Candidate:
    """A feature, and what each search said of it."""

    feature: int
    maximum: float  # largest activation over the texts read
    contrast: float  # F1 of the share of its mass in the subject's texts and the share of them where it is on
    words: float  # how far it raises the logits of the name's words, standard deviations over the vocabulary
    effect: float  # log-probability of "I am <name>" under its push, nats, the mean over the ways to say it
    by: tuple[str, ...]  # which searches proposed it
    detection: Detection | None  # over the third-person texts that it was chosen on; None without any about the subject

    @property
    def reads(self) -> bool:
        """Whether it tells the texts about its subject from others well enough."""
        d = self.detection
        return d is not None and d.precision >= BOUNDS["precision"] and d.recall >= BOUNDS["recall"]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Candidate:
        """Of what `to_dict` gave."""
        own = None if data["detection"] is None else Detection(**data["detection"])
        return Candidate(**{**data, "by": tuple(data["by"]), "detection": own})


def sayings(subject: Subject) -> list[str]:
    """What the answers whose probability counts begin with.

    Example:
        >>> from saewidgets.chat import subject
        >>> sayings(subject("pirate"))
        ['I am a pirate', "I'm a pirate"]
    """
    return [f"I am {subject.name}", f"I'm {subject.name}"]


def contrast(reading: Reading, key: str) -> np.ndarray:
    """float [d_sae]: harmonic mean of the share of a feature's activation that lies in texts about a subject, subjects
    weighing alike, and the share of those texts where it is on.
    """
    about = reading.about(key)
    if not about.any():
        return np.zeros(reading.peak.shape[1])
    mass = reading.by_subject[key] / np.maximum(sum(reading.by_subject.values()), 1e-9)
    on = (reading.peak[about].astype(np.float32) > ON * np.maximum(reading.maximum, 1e-9)).mean(0)
    return np.asarray(2 * mass * on / np.maximum(mass + on, 1e-9), float)


def difference(reading: Reading, key: str, lengths: np.ndarray) -> np.ndarray:
    """float [d_sae]: how much longer each feature's part of the activations is in a subject's texts than in others."""
    if not reading.about(key).any():
        return np.zeros(len(lengths))
    others = [mean for other, mean in reading.by_subject.items() if other != key]
    rest = np.mean(others, 0) if others else 0.0
    return np.asarray((reading.by_subject[key] - rest) * lengths, float)


@torch.inference_mode()
def word_scores(model: Model, directions: np.ndarray, subjects: Sequence[Subject]) -> dict[str, np.ndarray]:
    """{key: float32 [d_sae]}: how far each feature's direction raises the logits of the name's words, mean over the
    words, in standard deviations over the vocabulary.
    """
    tokens = {
        s.key: sorted({int(model.continuation(f" {word}")[0]) for word in s.title.split() if word.lower() != "of"})
        for s in subjects
    }
    columns = sorted({token for own in tokens.values() for token in own})
    found = np.zeros((len(directions), len(columns)), np.float32)
    for begin in range(0, len(directions), DIRECTIONS):
        logits = model.direction_logits(torch.from_numpy(directions[begin : begin + DIRECTIONS])).float()
        spread = logits.std(-1, keepdim=True).clamp_min(1e-9)
        found[begin : begin + DIRECTIONS] = (logits[:, columns] / spread).cpu().numpy()
    return {key: found[:, [columns.index(t) for t in own]].mean(1) for key, own in tokens.items()}


def pushed(writer: Writer, subject: Subject, features: Sequence[int], length: float) -> np.ndarray:
    """float64 [feature]: the log-probability of "I am <name>" as the answer to the question under a push along each
    feature, nats; the mean over the ways to say it, at the better of the two lengths.
    """
    model = writer.model
    prompt = writer.ids(Asked())
    rows = torch.from_numpy(writer.directions[list(features)]).to(model.device)
    units = rows / rows.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    after = [model.continuation(said).tolist() for said in sayings(subject)]
    best = np.full(len(features), -np.inf)
    for share in SHARES:
        found = np.zeros(len(features))
        for part, logprobs in model.pushed_logprobs(prompt, after, writer.hook_name, share * length * units):
            found[part.numpy()] = logprobs.mean(1)
        best = np.maximum(best, found)
    return best


def candidates(
    writer: Writer, reading: Reading, subject: Subject, words: np.ndarray, *, n: int = KEPT
) -> list[Candidate]:
    """The `n` features to try for a subject, best effect first; where there are features that read it, at least one of
    them is among these, and at most one is not.

    `words` is the subject's row of `word_scores`. Only features that fire in the texts are looked at. The search by
    effect, which costs the most, is made where the others found nothing that is of `ENOUGH` effect.
    """
    live = reading.maximum > 0
    lengths = np.linalg.norm(writer.directions, axis=1)
    read = contrast(reading, subject.key)
    searches = {
        "contrast": read,
        "difference": difference(reading, subject.key, lengths),
        "words": np.where(live, words, 0.0),
    }
    by: dict[int, list[str]] = {}
    for name, values in searches.items():
        for feature in np.argsort(-values, kind="stable")[:PROPOSED]:
            if values[feature] > 0 and live[feature]:
                by.setdefault(int(feature), []).append(name)
    effect = dict(zip(by, pushed(writer, subject, list(by), reading.length), strict=True)) if by else {}
    if max(effect.values(), default=-np.inf) < ENOUGH:
        ranking = rank_by_effect(
            writer.model,
            writer.sae,
            writer.ids(Asked()),
            sayings(subject),
            share=SHARES[0],
            n_pushed=PUSHED,
            progress=False,
        )
        found = [own.feature for own in ranking.effects if live[own.feature]][:PROPOSED]
        for feature in found:
            by.setdefault(feature, []).append("effect")
        new = [feature for feature in found if feature not in effect]
        effect |= dict(zip(new, pushed(writer, subject, new, reading.length), strict=True)) if new else {}
    third = reading.of(lambda text: not text.first_person)
    positive = third.about(subject.key)
    tried = [
        Candidate(
            f,
            float(reading.maximum[f]),
            float(read[f]),
            float(words[f]),
            float(effect[f]),
            tuple(by[f]),
            best_detection(third.peak[:, f], positive) if positive.any() else None,
        )
        for f in sorted(effect)
    ]
    ranked = sorted(tried, key=lambda c: (-c.effect, c.feature))
    readers = [c for c in ranked if c.reads][: max(n - 1, 1)]
    rest = [c for c in ranked if c not in readers]
    return sorted([*readers, *rest[: n - len(readers)]], key=lambda c: (-c.effect, c.feature))
