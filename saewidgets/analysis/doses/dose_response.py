"""What a clamp does to the text, dose by dose: how often the concept appears, and whether the text stays fluent.

One row of a sweep is one text: a feature clamped to a multiple of its maximum, with one seed. All rows of a sweep are written
in one batch, so a grid of some hundred texts costs little more than one. `dose_response` measures one feature in full, beside
its controls; `dose_answers` and `forced_logprobs` sweep many features.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from saewidgets.analysis.doses.text_measures import Detector, answer, answer_length, detector, distinct, trigram_repeats
from saewidgets.bars import bar, muted
from saewidgets.files import unknown
from saewidgets.miniworld import few_shots
from saewidgets.miniworld import steering_prompt as own_steering_prompt
from saewidgets.models import Edit, Model
from saewidgets.records import TEMPERATURE, Clamp, DoseResponseData, DoseText, FeatureActivations, Intervention
from saewidgets.records.arguments import listed, real, seed_of, whole
from saewidgets.records.tables import frame
from saewidgets.sae import SAE
from saewidgets.steering import Steerer, add_feature, mean_difference, noise_like, random_live_feature, row_edit
from saewidgets.steering.comparisons import live_features
from saewidgets.steering.edits import check_feature

T = TypeVar("T")

KINDS = ("clamp", "add", "mean_difference", "random_feature", "noise", "prompt")
MULTIPLES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


@dataclass(frozen=True)
class Dose:
    """One feature at one strength: `value = multiple * maximum`, in SAE activation units."""

    feature: int
    multiple: float
    maximum: float  # the feature's largest activation over a corpus

    @property
    def value(self) -> float:
        """What the feature is set to."""
        return self.multiple * self.maximum


def dose_answers(
    model: Model | nn.Module,
    sae: SAE,
    prompt: str,
    doses: Iterable[Dose],
    *,
    seeds: Sequence[int] = range(20),
    n_tokens: int = 60,
    temperature: float = TEMPERATURE,
    rows_per_batch: int = 320,
) -> pd.DataFrame:
    """The clamped answers: one row a (dose, seed), with columns feature, multiple, seed, answer, repeats.

    The clamp covers every position (scope "all"), as `Steerer` does with `Clamp(feature, multiple * maximum)`.
    Raises ValueError where the SAE does not belong to the model.
    """
    steerer = Steerer(model, sae)  # refuses an SAE of other coordinates
    model, hook_name = steerer.model, steerer.hook_name
    seeds = [seed_of(seed) for seed in listed(seeds, "seeds", "0")]
    grid = [(dose, seed) for dose in doses for seed in seeds]
    tokens = model.tokens(prompt)
    found: list[str] = []
    for begin in range(0, len(grid), rows_per_batch):
        part = grid[begin : begin + rows_per_batch]
        edit = Edit(hook_name, row_clamps(sae, [d.feature for d, _ in part], [d.value for d, _ in part]))
        rows = model.sample(tokens, n_tokens=n_tokens, temperature=temperature, seeds=[s for _, s in part], edit=edit)
        found += [answer("".join(model.token_text(row, after=tokens))) for row in rows]
    return frame(
        [
            (dose.feature, dose.multiple, seed, text, trigram_repeats(text))
            for (dose, seed), text in zip(grid, found, strict=True)
        ],
        columns=["feature", "multiple", "seed", "answer", "repeats"],
    )


def row_clamps(sae: SAE, features: Sequence[int], values: Sequence[float]) -> Callable[[Tensor, int], Tensor]:
    """The clamp of `steering`, another one in each row of a batch: row r has `features[r]` set to `values[r]` everywhere."""
    index, value = torch.tensor(features), torch.tensor(values, dtype=torch.float32)[:, None]
    distinct, place = index.unique(return_inverse=True)

    @torch.no_grad()
    def edit(x: Tensor, start: int) -> Tensor:
        own = sae.activations_of(x.float(), distinct.tolist())  # [row, pos, distinct]
        own = own.gather(-1, place[:, None, None].expand(-1, x.shape[1], 1))[..., 0]  # [row, pos]
        return x + (value - own)[..., None] * sae.directions_at(x, index[:, None])

    return edit


def forced_logprobs(
    model: Model | nn.Module,
    sae: SAE,
    prompt: str,
    doses: Sequence[Dose],
    answers: Sequence[str],
    *,
    rows_per_batch: int = 256,
) -> np.ndarray:
    """float64 [dose], mean log-probability (nats a token) of given answers after `prompt`, under each dose's clamp.

    It tells what a clamp does to text without sampling any: all features of an SAE take seconds.
    """
    steerer = Steerer(model, sae)
    model, hook_name = steerer.model, steerer.hook_name
    before = model.tokens(prompt)
    total = np.zeros(len(doses))
    for text in answers:
        own = model.continuation(" " + text)
        row = torch.cat([before, own])
        for begin in range(0, len(doses), rows_per_batch):
            part = doses[begin : begin + rows_per_batch]
            edit = Edit(hook_name, row_clamps(sae, [d.feature for d in part], [d.value for d in part]))
            logits = model.logits(row.expand(len(part), -1), edit)[:, len(before) - 1 : -1]
            logprobs = logits.log_softmax(-1).gather(-1, own.expand(len(part), -1)[..., None])[..., 0]
            total[begin : begin + len(part)] += logprobs.double().mean(1).cpu().numpy()
    return total / len(answers)


def perplexities(model: Model, prompt: str, answers: Sequence[str]) -> list[float]:
    """exp(mean negative log-probability of an answer's tokens after `prompt`), one an answer, under the model as it is.

    An answer follows a space, so that an empty one is the space alone.
    """
    own = [model.continuation(" " + text).tolist() for text in answers]
    logprobs = model.logprobs(model.tokens(prompt), own)
    return [math.exp(-float(row.mean())) if len(row) else math.inf for row in logprobs]


def dose_response(
    model: Model | nn.Module,
    sae: SAE,
    feature: int,
    *,
    maximum: float | None = None,
    prompt: str,
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
    steering_prompt: str | None = None,
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

    One seed has the same luck at every kind and multiple. KL is that of the next-token distributions on the text as it is
    written. Perplexity is read under the model with nothing done to it, after the steering prompt where there is one: it asks
    whether the text is fluent where such a text is expected. Its ratio is to what the model itself writes there.

    Args:
        maximum: M in SAE units. By default that of `acts`.
        concept: what to look for in the texts: a planted concept of the mini-world, a function of a text, a word, or words.
        kinds: by default all for which there is material.
        positive, negative: texts for the mean difference, which is read at their last tokens. The mini-world has its own for a
            planted concept: documents up to a word that expresses it, and documents without it up to a like place.
        acts: feature activations over a corpus, or {feature: maximum}: the live features that "random_feature" draws from.
        steering_prompt: for a planted entity of the mini-world, "You are <name>." before the prompt by default.
        bounds: of the usable window; see `DoseResponseData`.
        progress: show a bar, if it takes more than half a second.

    Raises ValueError on an SAE of other coordinates, an unknown kind or feature, or a kind that is asked for without its material.

    Example:
        >>> clamp = load_clamps()["golden_gate_bridge"]  # doctest: +SKIP
        >>> dose_response(model, sae, clamp.feature, maximum=clamp.maximum, prompt=load_clamps().prompt,
        ...               concept="golden_gate_bridge").window  # doctest: +SKIP
        (1.2, 1.5)
    """
    steerer = Steerer(model, sae)  # refuses an SAE of other coordinates
    model, hook_name = steerer.model, steerer.hook_name
    feature = check_feature(sae, feature)
    seeds = [seed_of(seed) for seed in listed(seeds, "seeds", "0")]
    multiples = [real(multiple, "a multiple") for multiple in listed(multiples, "multiples", "1.0")]
    n_tokens = whole(n_tokens, "n_tokens", minimum=0)
    temperature = real(temperature, "temperature", minimum=0)
    fixed = sae.config.input_normalization == "none"  # else one unit of activation is another length at every token
    unit = add_feature(sae, feature, scope=scope) if fixed else None
    live = live_features(acts) if acts is not None else {}
    if maximum is None:
        if feature not in live:
            raise ValueError(f"give the maximum of feature {feature}, or acts in which it fires")
        maximum = live[feature]
    maximum = real(maximum, "maximum")
    name, found_in = detector(concept)
    if steering_prompt is None and isinstance(concept, str):
        steering_prompt = own_steering_prompt(model.name, concept, prompt)
    if (
        positive is None
        and negative is None
        and isinstance(concept, str)
        and (kinds is None or "mean_difference" in kinds)
    ):
        positive, negative = few_shots(model.name, concept)
    others = {f: m for f, m in live.items() if f != feature}
    material = {
        "add": fixed,
        "mean_difference": fixed and positive and negative,
        "random_feature": others,
        "noise": fixed,
        "prompt": steering_prompt,
    }
    wanted = _kinds(kinds, material)
    doses = [(kind, float(m)) for kind in wanted for m in ([0.0] if kind == "prompt" else dict.fromkeys(multiples))]
    few_shot = unit
    if "mean_difference" in wanted:
        few_shot = mean_difference(model, hook_name, positive or (), negative or (), scope)

    def done(kind: str, multiple: float, seed: int) -> Intervention | None:
        amount = multiple * maximum
        if kind == "clamp":
            return Clamp(feature, amount, scope)
        if kind == "random_feature":
            other = random_live_feature(others, seed)
            return Clamp(other, multiple * others[other], scope)
        if kind in ("none", "prompt") or amount == 0 or unit is None or few_shot is None:
            return None
        if kind == "add":
            return replace(unit, scale=amount)
        if kind == "noise":
            return replace(noise_like(unit, seed), scale=amount)
        return replace(few_shot, scale=amount * unit.norm / few_shot.norm)

    grid = [(kind, multiple, seed) for kind, multiple in [("none", 0.0), *doses] for seed in seeds]
    options: dict[str, Any] = {"n_tokens": n_tokens, "temperature": temperature, "rows_per_batch": rows_per_batch}
    written: dict[tuple[str, float, int], tuple[str, int, float, str]] = {}
    for text, asked in ((prompt, False), (steering_prompt or "", True)):
        part = [g for g in grid if (g[0] == "prompt") == asked]
        rows = [(done(*g), g[2]) for g in part]
        if rows:
            with muted(not progress):
                written |= dict(zip(part, _write(model, sae, text, rows, **options), strict=True))
    expected = steering_prompt or prompt
    fluent = [written[g][0] for g in grid if g[0] == ("prompt" if "prompt" in wanted else "none")]
    if steering_prompt and "prompt" not in wanted:
        with muted(not progress):
            fluent = [text for text, *_ in _write(model, sae, expected, [(None, seed) for seed in seeds], **options)]
    texts = list(dict.fromkeys([*(text for text, *_ in written.values()), *fluent]))
    measured = dict(zip(texts, perplexities(model, expected, texts), strict=True)) | {"": math.inf}
    own = [measured[text] for text in fluent]
    return DoseResponseData(
        prompt=prompt,
        feature=feature,
        maximum=float(maximum),
        texts=tuple(
            DoseText(
                kind,
                multiple,
                seed,
                text,
                None if found_in is None else bool(found_in(text)),
                measured[text],
                kl,
                trigram_repeats(text),
                distinct(text, 1),
                distinct(text, 2),
                n,
                stopped,
            )
            for kind, multiple, seed in grid
            for text, n, kl, stopped in [written[kind, multiple, seed]]
        ),
        concept=name,
        corpus=corpus or getattr(acts, "corpus", ""),
        perplexity_prompt=expected,
        own_perplexity=float(np.exp(np.mean(np.log(own)))),
        steering_prompt=steering_prompt or "",
        temperature=temperature,
        n_tokens=n_tokens,
        scope=scope,
        model_name=model.name,
        sae_name=sae.name,
        hook_name=hook_name,
        weights=model.weights,
        label=label,
        bounds=dict(bounds or {}),
    )


def _kinds(kinds: Sequence[str] | None, material: Mapping[str, object]) -> list[str]:
    """The kinds to sweep. Raises ValueError on one that does not exist or has no material."""
    steady = "an SAE that does not normalize its inputs"
    needs = {
        "add": steady,
        "noise": steady,
        "mean_difference": f"positive and negative texts, and {steady}",
        "random_feature": "acts with other live features",
        "prompt": "a steering_prompt",
    }
    if kinds is None:
        return [k for k in KINDS if k not in material or material[k]]
    for kind in kinds:
        if kind not in KINDS and kind != "none":
            raise ValueError(unknown("kind", kind, KINDS))
        if kind in material and not material[kind]:
            raise ValueError(f"kind {kind!r} needs {needs[kind]}")
    return [k for k in dict.fromkeys(kinds) if k != "none"]


def _write(
    model: Model,
    sae: SAE,
    prompt: str,
    rows: Sequence[tuple[Intervention | None, int]],
    *,
    rows_per_batch: int,
    **options: Any,
) -> list[tuple[str, int, float, str]]:
    """(answer, number of its tokens, mean KL in nats, why it broke off) of each (intervention, seed); equal rows are written once.

    Interventions that share all their seeds are written as groups, so that each reads the prompt once.
    """
    seeds_of: dict[Intervention | None, list[int]] = {}
    for intervention, seed in dict.fromkeys(rows):
        seeds_of.setdefault(intervention, []).append(seed)
    alike: dict[tuple[int, ...], list[Intervention | None]] = {}
    for intervention, seeds in seeds_of.items():
        if len(seeds) > 1:
            alike.setdefault(tuple(seeds), []).append(intervention)
    batches = [
        ([(group, seed) for group in part for seed in seeds], list(part))
        for seeds, groups in alike.items()
        for part in _parts(groups, max(rows_per_batch // len(seeds), 1))
    ]
    single = [(i, seeds[0]) for i, seeds in seeds_of.items() if len(seeds) == 1]
    batches += [(list(part), [i for i, _ in part]) for part in _parts(single, rows_per_batch)]
    found: dict[tuple[Intervention | None, int], tuple[str, int, float, str]] = {}
    tokens, hook_name = model.tokens(prompt), Steerer(model, sae).hook_name
    with bar(sum(len(batch) for batch, _ in batches), "writing", "texts") as advance:
        for batch, groups in batches:
            wanted = [intervention for intervention, _ in batch]

            def edit_of(
                kept: Sequence[int], wanted: Sequence[Intervention | None] = wanted
            ) -> Edit:  # of the rows that go on
                return Edit(hook_name, row_edit(sae, [wanted[row] for row in kept], n_prompt=len(tokens)))

            edit = Edit(hook_name, row_edit(sae, groups, n_prompt=len(tokens)))
            ids: list[list[int]] = [[] for _ in batch]
            nats: list[list[float]] = [[] for _ in batch]
            stopped: dict[int, str] = {}

            def broken(
                lost: list[int], ids: list[list[int]] = ids, stopped: dict[int, str] = stopped, edit: Edit = edit
            ) -> None:
                for row in lost:
                    stopped[row] = str(model.not_finite(f"after {len(ids[row])} tokens", edit))

            for on, new, edited, plain in model.batch(
                tokens,
                seeds=[seed for _, seed in batch],
                groups=len(groups),
                edit=edit,
                broken=broken,
                edit_of=edit_of,
                reference=True,
                **options,
            ):
                p, q = edited.log_softmax(-1), plain.log_softmax(-1)
                kl = (p.exp() * (p - q)).sum(-1).clamp(min=0)
                for row, token, measured in zip(on.tolist(), new.tolist(), kl.tolist(), strict=True):
                    ids[row].append(token)
                    nats[row].append(measured)
            for row, (key, own, kls) in enumerate(zip(batch, ids, nats, strict=True)):
                pieces = model.token_text(own, after=tokens)
                n = answer_length(pieces)
                mean = float(np.mean(kls[:n])) if n else 0.0
                found[key] = (answer("".join(pieces)), n, mean, stopped.get(row, ""))
            advance(len(batch))
    return [found[row] for row in rows]


def _parts(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """The items in order, at most `most` at a time."""
    return (items[begin : begin + most] for begin in range(0, len(items), most))
