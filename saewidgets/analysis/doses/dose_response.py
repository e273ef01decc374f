"""What a clamp does to the text, dose by dose: how often the concept appears, and whether the text stays fluent.

One row of a sweep is one text: a feature clamped to a multiple of its maximum, with one seed. All rows of a sweep are
written in one batch, so a grid of some hundred texts costs little more than one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from torch import nn

from saewidgets.activations import check_pair
from saewidgets.analysis.doses.text_measures import Detector, detector, distinct, trigram_repeats
from saewidgets.analysis.doses.writing import Written, perplexities, write
from saewidgets.doctor.meeting import verdict
from saewidgets.files import unknown
from saewidgets.miniworld import few_shots
from saewidgets.miniworld import steering_prompt as own_steering_prompt
from saewidgets.models import Model
from saewidgets.models.threads import check_threads
from saewidgets.records import (
    TEMPERATURE,
    Clamp,
    Dialogue,
    DoseResponseData,
    DoseText,
    FeatureActivations,
    Intervention,
    Steer,
    Turn,
)
from saewidgets.records.arguments import listed, real, seed_of, whole
from saewidgets.records.dialogues import prompt_of
from saewidgets.sae import SAE
from saewidgets.steering import add_feature, mean_difference, noise_like, random_live_feature
from saewidgets.steering.comparisons import live_features
from saewidgets.steering.edits import check_feature

MULTIPLES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


@dataclass(frozen=True)
class _Material:
    """What the kinds of a sweep are made of."""

    feature: int
    maximum: float  # M, in SAE units
    scope: str | int
    unit: Steer | None  # one unit of the feature; None where that is another vector at every token
    shots: tuple[Sequence[str], Sequence[str]] | None  # positive and negative texts of the mean difference
    others: Mapping[int, float]  # {live feature: its maximum} without the feature itself
    steering_prompt: str | Dialogue | None
    few_shot: Steer | None = None  # the mean difference, once it was read


@dataclass(frozen=True)
class _Kind:
    """One thing to sweep: what it needs, whether that is there, and what is done at a multiple with a seed."""

    needs: str
    possible: Callable[[_Material], bool]
    done: Callable[[_Material, float, int], Intervention | None]


def _clamp(m: _Material, multiple: float, seed: int) -> Intervention | None:
    return Clamp(m.feature, multiple * m.maximum, m.scope)


def _random_feature(m: _Material, multiple: float, seed: int) -> Intervention | None:
    other = random_live_feature(m.others, seed)
    return Clamp(other, multiple * m.others[other], m.scope)


def _along(vector: Callable[[_Material, Steer, int], Steer]) -> Callable[[_Material, float, int], Intervention | None]:
    """A vector added with the length of m M d_f; nothing at multiple 0."""

    def done(m: _Material, multiple: float, seed: int) -> Intervention | None:
        amount = multiple * m.maximum
        if m.unit is None or amount == 0:
            return None
        steer = vector(m, m.unit, seed)
        # The vectors of "add" and "noise" are as long as d_f: no division, which would round.
        return replace(steer, scale=amount if steer is not m.few_shot else amount * m.unit.norm / steer.norm)

    return done


def _mean_difference(m: _Material, unit: Steer, seed: int) -> Steer:
    assert m.few_shot is not None  # read before any text is written
    return m.few_shot


def _nothing(m: _Material, multiple: float, seed: int) -> Intervention | None:
    return None


_STEADY = "an SAE that does not normalize its inputs"
KINDS = {
    "clamp": _Kind("", lambda m: True, _clamp),
    "add": _Kind(_STEADY, lambda m: m.unit is not None, _along(lambda m, unit, seed: unit)),
    "mean_difference": _Kind(
        f"positive and negative texts, and {_STEADY}",
        lambda m: m.unit is not None and m.shots is not None,
        _along(_mean_difference),
    ),
    "random_feature": _Kind("acts with other live features", lambda m: bool(m.others), _random_feature),
    "noise": _Kind(_STEADY, lambda m: m.unit is not None, _along(lambda m, unit, seed: noise_like(unit, seed))),
    "prompt": _Kind("a steering_prompt", lambda m: bool(m.steering_prompt), _nothing),
}
BASE = _Kind("", lambda m: True, _nothing)  # "none": the model's own text, always measured


def dose_response(
    model: Model | nn.Module,
    sae: SAE,
    feature: int,
    *,
    maximum: float | None = None,
    prompt: str | Dialogue | Sequence[Mapping[str, str]],
    concept: str | Detector | Iterable[str] | None = None,
    multiples: Sequence[float] = MULTIPLES,
    kinds: Sequence[str] | None = None,
    seeds: Sequence[int] = range(20),
    n_tokens: int = 60,
    temperature: float = TEMPERATURE,
    scope: str | int = "all",
    positive: Sequence[str] | None = None,
    negative: Sequence[str] | None = None,
    acts: FeatureActivations | Mapping[int, float] | None = None,
    steering_prompt: str | Dialogue | None = None,
    bounds: Mapping[str, float] | None = None,
    corpus: str = "",
    label: str = "",
    rows_per_batch: int = 320,
    progress: bool = True,
) -> DoseResponseData:
    """Sweep a feature's strength and measure the text, for the clamp and for all that it should be compared with.

    At multiple m of the feature's maximum M, with d_f its direction:

        clamp             the feature is set to m M
        add               m M d_f is added
        mean_difference   the few-shot vector of `positive` and `negative` texts, as long as m M d_f, is added
        random_feature    a random live feature, another one for each seed, is set to m times its own maximum
        noise             a random vector as long as m M d_f, another one for each seed, is added
        prompt            nothing is done, but the prompt is `steering_prompt`, which asks for the concept in words
        none              nothing at all: the model's own text, always measured

    One seed draws the same random numbers at every kind and multiple. KL is that of the next-token distributions on the
    text as it is written. Perplexity is read under the model with nothing done to it, after the steering prompt where
    there is one: it asks whether the text is fluent where such a text is expected. Its ratio is to what the model
    itself writes there.

    Args:
        maximum: M in SAE units. By default that of `acts`.
        prompt: a text to continue, or a dialogue (see `Dialogue`), to be answered in the model's own form.
        concept: what to look for in the texts: a planted concept of the mini-world, a function of a text, a word, or
            words.
        kinds: by default all for which there is material.
        positive, negative: texts for the mean difference, which is read at their last tokens. The mini-world has its
            own for a planted concept: documents up to a word that expresses it, and documents without it up to a like
            place.
        acts: feature activations over a corpus, or {feature: maximum}: the live features that "random_feature" draws
            from.
        steering_prompt: for a planted entity of the mini-world, "You are <name>." before the prompt by default;
            in a dialogue, as its instruction.
        bounds: of the usable window; see `DoseResponseData`.
        progress: show a bar, if it takes more than half a second.

    Raises ValueError on an SAE of other coordinates, an unknown kind or feature, or a kind that is asked for without
    its material.

    Example:
        >>> clamp = load_clamps()["golden_gate_bridge"]  # doctest: +SKIP
        >>> dose_response(model, sae, clamp.feature, maximum=clamp.maximum, prompt=load_clamps().prompt,
        ...               concept="golden_gate_bridge").window  # doctest: +SKIP
        (1.2, 1.5)
    """
    model, site = check_pair(model, sae, "a dose-response", reconstructs=True)
    check_threads()
    verdict(model, sae)  # warns if the two do not belong together
    seeds = [seed_of(seed) for seed in listed(seeds, "seeds", "0")]
    multiples = [real(multiple, "a multiple") for multiple in listed(multiples, "multiples", "1.0")]
    asked: str | Dialogue = prompt_of(prompt)
    steering_prompt = prompt_of(steering_prompt)
    n_tokens = whole(n_tokens, "n_tokens", minimum=0)
    temperature = real(temperature, "temperature", minimum=0)
    name, found_in = detector(concept)
    if isinstance(concept, str):
        if steering_prompt is None:
            steering_prompt = _steering_prompt(model.name, concept, asked)
        if positive is None and negative is None and (kinds is None or "mean_difference" in kinds):
            positive, negative = few_shots(model.name, concept)
    material = _material(sae, feature, maximum, scope, positive, negative, acts, steering_prompt)
    wanted = _wanted(kinds, material)
    if "mean_difference" in wanted:
        few_shot = mean_difference(model, site.hook_name, positive or (), negative or (), scope)
        material = replace(material, few_shot=few_shot)
    doses = [(kind, float(m)) for kind in wanted for m in ([0.0] if kind == "prompt" else dict.fromkeys(multiples))]
    grid = [(kind, multiple, seed) for kind, multiple in [("none", 0.0), *doses] for seed in seeds]
    written = partial(write, model, sae, site.hook_name, n_tokens=n_tokens, temperature=temperature)
    written = partial(written, rows_per_batch=rows_per_batch, progress=progress)
    found: dict[tuple[str, float, int], Written] = {}
    for text, in_words in ((asked, False), (steering_prompt or "", True)):
        part = [g for g in grid if (g[0] == "prompt") == in_words]
        rows = [(KINDS.get(kind, BASE).done(material, multiple, seed), seed) for kind, multiple, seed in part]
        if rows:
            found |= zip(part, written(text, rows), strict=True)
    expected = steering_prompt or asked
    fluent = [found[g].answer for g in grid if g[0] == ("prompt" if "prompt" in wanted else "none")]
    if steering_prompt and "prompt" not in wanted:
        fluent = [one.answer for one in written(expected, [(None, seed) for seed in seeds])]
    texts = list(dict.fromkeys([*(one.answer for one in found.values()), *fluent]))
    measured = dict(zip(texts, perplexities(model, expected, texts), strict=True)) | {"": math.inf}
    return DoseResponseData(
        prompt=asked,
        feature=material.feature,
        maximum=material.maximum,
        texts=tuple(_text(*g, found[g], found_in, measured) for g in grid),
        concept=name,
        corpus=corpus or getattr(acts, "corpus", ""),
        perplexity_prompt=expected,
        own_perplexity=float(np.exp(np.mean(np.log([measured[text] for text in fluent])))),
        steering_prompt=steering_prompt or "",
        temperature=temperature,
        n_tokens=n_tokens,
        scope=scope,
        model_name=model.name,
        sae_name=sae.name,
        hook_name=site.hook_name,
        weights=model.weights,
        label=label,
        bounds=dict(bounds or {}),
    )


def _steering_prompt(model_name: str, concept: str, prompt: str | Dialogue) -> str | Dialogue | None:
    """The mini-world's order before a prompt; in a dialogue in place of its instruction. None where there is none."""
    if not isinstance(prompt, Dialogue):
        return own_steering_prompt(model_name, concept, prompt)
    order = own_steering_prompt(model_name, concept, "")
    said = [turn for turn in prompt.turns if turn.role != "system"]
    return None if order is None else Dialogue((Turn("system", order.strip()), *said))


def _material(
    sae: SAE,
    feature: int,
    maximum: float | None,
    scope: str | int,
    positive: Sequence[str] | None,
    negative: Sequence[str] | None,
    acts: FeatureActivations | Mapping[int, float] | None,
    steering_prompt: str | Dialogue | None,
) -> _Material:
    """What was given, checked. Raises ValueError on a feature outside the SAE, or one whose maximum is unknown."""
    feature = check_feature(sae, feature)
    fixed = sae.config.input_normalization == "none"  # else one unit of activation is another length at every token
    live = live_features(acts) if acts is not None else {}
    if maximum is None:
        if feature not in live:
            raise ValueError(f"give the maximum of feature {feature}, or acts in which it fires")
        maximum = live[feature]
    return _Material(
        feature,
        real(maximum, "maximum"),
        scope,
        add_feature(sae, feature, scope=scope) if fixed else None,
        (positive, negative) if positive and negative else None,
        {f: m for f, m in live.items() if f != feature},
        steering_prompt,
    )


def _wanted(kinds: Sequence[str] | None, material: _Material) -> list[str]:
    """The kinds to sweep. Raises ValueError on one that does not exist or has no material."""
    if kinds is None:
        return [name for name, kind in KINDS.items() if kind.possible(material)]
    for name in kinds:
        if name not in KINDS and name != "none":
            raise ValueError(unknown("kind", name, tuple(KINDS)))
        if name in KINDS and not KINDS[name].possible(material):
            raise ValueError(f"kind {name!r} needs {KINDS[name].needs}")
    return [name for name in dict.fromkeys(kinds) if name != "none"]


def _text(
    kind: str,
    multiple: float,
    seed: int,
    written: Written,
    found_in: Detector | None,
    perplexity: Mapping[str, float],
) -> DoseText:
    """One text of the sweep with what is measured on it."""
    text = written.answer
    return DoseText(
        kind,
        multiple,
        seed,
        text,
        concept=None if found_in is None else bool(found_in(text)),
        perplexity=perplexity[text],
        kl=written.kl,
        repeats=trigram_repeats(text),
        distinct_1=distinct(text, 1),
        distinct_2=distinct(text, 2),
        n_tokens=written.n_tokens,
        stopped=written.stopped,
    )
