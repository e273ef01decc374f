"""Do features take apart what a model knows of one thing? Swap those of one attribute, and see what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.activations import check_pair
from saewidgets.files import unknown
from saewidgets.models import Model
from saewidgets.records import SwapCount, SwapScores
from saewidgets.records.arguments import expect, listed, seed_of, whole
from saewidgets.sae import SAE

PLACES = ("entity", "end")
METHODS = ("features", "all features", "activation", "random", "none")


class Knower(Protocol):
    """What a model says of some entities: the part of it that a swap goes through."""

    def read(self, attribute: str) -> Tensor:
        """float32 [entity, d]: what flows at the entity's last token, in the prompt for an attribute."""

    def scores(self, attribute: str, base: Tensor, x: Tensor) -> Tensor:
        """float32 [n, entity + 1]: the scores of the entities' answers after the prompts of entities base [n], with x
        [n, d] at their last token; in the last column the best score of anything else.
        """


def attribute_swaps(
    model: Model | nn.Module,
    sae: SAE,
    entities: Sequence[str],
    prompts: Mapping[str, Sequence[str]],
    answers: Mapping[str, Sequence[str]],
    *,
    at: str = "entity",
    k: int = 5,
    seed: int = 0,
) -> SwapScores:
    """Swap the features of one attribute of an entity for another entity's: does that attribute follow, and do the
    others stay? RAVEL's cause and isolation scores (Huang et al. 2024), for each attribute in turn.

    The swap is made at the last token of the entity, or of the prompt, and the next token after the prompt is the answer. Half of the
    pairs of entities, drawn by `seed`, choose the features: each that is active in either is swapped alone, and the k
    are taken that raise the source's answer over the base's most and move the other attributes' least (the mean rise,
    less the mean rise of the others, in logits). The other half tells, by:

        features      these k, x + sum over them of (a_f(source) - a_f(base)) d_f
        all features  all of them, the error of the reconstruction left as it is
        activation    the whole activation of the source
        random        k features at random of those that are active in the base or the source
        none          nothing

    In RAVEL and SAEBench a mask over features is trained by gradients, here it is chosen by single swaps.

    Args:
        entities: such as ["Paris", "Rome"].
        prompts: {attribute: one prompt per entity, with its name in it}.
        answers: {attribute: the answer after each prompt, without the space before it}; its first token counts.
        at: "entity", the token with which the name first ends, as in RAVEL; or "end", the last token of the prompt:
            where the layers below an SAE have already carried on what they know of the entity, a swap at its own token
            comes too late, and "activation" has a cause of 0.
        k: features per attribute.

    Entities of which the model does not answer every attribute rightly by itself are left out, and named.

    Raises ValueError where an attribute has not one prompt and one answer per entity, where a prompt lacks its entity, an unknown `at`, or where fewer than three entities are left.

    Example:
        >>> from saewidgets.miniworld import city_swaps
        >>> attribute_swaps(model, sae, *city_swaps()).summary()  # doctest: +SKIP
    """
    model, site = check_pair(model, sae, "attribute_swaps", reconstructs=True)
    names = listed(entities, "entities", "'Paris'")
    if len(prompts) < 2 or set(prompts) != set(answers):
        raise ValueError(
            f"give two or more attributes with prompts and answers, not {sorted(prompts)} and {sorted(answers)}"
        )
    for what, table in (("prompts", prompts), ("answers", answers)):
        for attribute, own in table.items():
            expect(own, isinstance(own, (list, tuple)), f"{what}[{attribute!r}]", "attribute_swaps", "give a list")
            if len(own) != len(names):
                raise ValueError(f"{what}[{attribute!r}] must be {len(names)}, one per entity, not {len(own)}")
    for attribute, own in prompts.items():
        for name, prompt in zip(names, own, strict=True):
            if name not in prompt:
                raise ValueError(f"the prompt {prompt!r} for {attribute!r} does not name {name!r}")
    if at not in PLACES:
        raise ValueError(unknown("place", at, PLACES))
    knower = _Prompts(model, site.hook_name, names, prompts, answers, at)
    about = {"model_name": model.name, "sae_name": sae.name, "hook_name": site.hook_name, "at": at}
    with torch.inference_mode():
        return swap_scores(knower, sae, names, tuple(prompts), k=k, seed=seed, **about)


class _Prompts:
    """A model's answers about some entities."""

    def __init__(
        self,
        model: Model,
        hook_name: str,
        names: Sequence[str],
        prompts: Mapping[str, Sequence[str]],
        answers: Mapping[str, Sequence[str]],
        at: str,
    ) -> None:
        self.model, self.hook_name = model, hook_name
        self.tokens: dict[str, list[Tensor]] = {}
        self.place: dict[str, list[int]] = {}
        self.answer: dict[str, Tensor] = {}  # the first token of each
        self.flow: dict[str, list[Tensor]] = {}  # what flows through each prompt, [pos, d]
        for attribute, own in prompts.items():
            self.tokens[attribute] = [model.tokens(prompt) for prompt in own]
            ends = [prompt.index(name) + len(name) for prompt, name in zip(own, names, strict=True)]
            starts = [p[:end] if at == "entity" else p for p, end in zip(own, ends, strict=True)]
            self.place[attribute] = [len(model.tokens(start)) - 1 for start in starts]
            self.answer[attribute] = torch.tensor([int(model.continuation(f" {a}")[0]) for a in answers[attribute]])
            self.flow[attribute] = [model.activations(t, hook_name)[0] for t in self.tokens[attribute]]

    def read(self, attribute: str) -> Tensor:
        return torch.stack([x[at] for x, at in zip(self.flow[attribute], self.place[attribute], strict=True)]).float()

    def scores(self, attribute: str, base: Tensor, x: Tensor) -> Tensor:
        answer = self.answer[attribute]
        out = torch.empty(len(base), len(answer) + 1)
        for b in base.unique().tolist():
            own = (base == b).nonzero()[:, 0]
            flow = self.flow[attribute][b].repeat(len(own), 1, 1)
            flow[:, self.place[attribute][b]] = x[own].to(flow)
            tokens = self.tokens[attribute][b].expand(len(own), -1)
            last = torch.full((len(own),), tokens.shape[1] - 1)
            logits = self.model.resumed_logits(tokens, self.hook_name, flow, torch.arange(len(own)), last).float().cpu()
            out[own, :-1] = logits[:, answer]
            logits[:, answer] = -torch.inf
            out[own, -1] = logits.max(1).values
        return out


def swap_scores(
    knower: Knower,
    sae: SAE,
    names: Sequence[str],
    attributes: Sequence[str],
    *,
    k: int = 5,
    seed: int = 0,
    **about: str,
) -> SwapScores:
    """`attribute_swaps` of anything that is a `Knower`."""
    k, seed = whole(k, "k", minimum=1, maximum=sae.config.d_sae), seed_of(seed)
    x = {a: knower.read(a) for a in attributes}
    every = torch.arange(len(names))
    right = torch.stack([_answered(knower.scores(a, every, x[a])) == every for a in attributes]).all(0)
    kept = every[right].tolist()
    if len(kept) < 3:
        missed = ", ".join(n for n, own in zip(names, right.tolist(), strict=True) if not own)
        raise ValueError(f"the model answers all attributes of {len(kept)} entities, not of {missed}; 3 are needed")
    pairs = np.random.default_rng(seed).permutation(list(permutations(kept, 2)))
    choosing, telling = (torch.from_numpy(part) for part in (pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]))
    acts = {a: sae.encode(x[a]) for a in attributes}
    chosen = _chosen(knower, sae, x, acts, choosing, k)
    counts = []
    for method in METHODS:
        rng = np.random.default_rng([seed, 1])
        for swapped in attributes:
            rows = [_active(acts[swapped], pair) for pair in telling]
            lot = [rng.permutation(own)[:k].tolist() for own in rows] if method == "random" else None
            for read in attributes:
                new = _swapped(sae, x[read], acts[read], telling, method, chosen[swapped], lot)
                said = _answered(knower.scores(read, telling[:, 0], new))
                wanted = telling[:, 1] if read == swapped else telling[:, 0]
                counts.append(SwapCount(method, swapped, read, int((said == wanted).sum()), len(telling)))
    return SwapScores(
        tuple(attributes), tuple(counts), {a: tuple(own) for a, own in chosen.items()},
        tuple(names[i] for i in kept), tuple(n for i, n in enumerate(names) if i not in kept), **about,
    )  # fmt: skip


def _answered(scores: Tensor) -> Tensor:
    """int64 [n]: the entity whose answer it is; -1 where it is none's."""
    best = scores.argmax(1)
    return torch.where(best < scores.shape[1] - 1, best, -1)


def _active(acts: Tensor, pair: Tensor) -> np.ndarray:
    """The features that are active in the base or the source."""
    value: np.ndarray = (acts[pair] > 0).any(0).nonzero()[:, 0].numpy()
    return value


def _swapped(
    sae: SAE, x: Tensor, acts: Tensor, pairs: Tensor, method: str, chosen: Sequence[int], lot: list[list[int]] | None
) -> Tensor:
    """float32 [pair, d]: the bases' activations after a swap."""
    base, source = pairs.T
    if method == "none":
        return x[base]
    if method == "activation":
        return x[source]
    change = acts[source] - acts[base]  # [pair, d_sae]
    if method != "all features":
        kept = torch.zeros_like(change)
        if lot is None:
            kept[:, list(chosen)] = 1
        else:
            for i, own in enumerate(lot):
                kept[i, own] = 1
        change = change * kept
    return x[base] + change @ sae.decoder_directions.float()


def _chosen(
    knower: Knower, sae: SAE, x: Mapping[str, Tensor], acts: Mapping[str, Tensor], pairs: Tensor, k: int
) -> dict[str, list[int]]:
    """Per attribute the k features that move it most and the others least, each swapped alone in the choosing pairs."""
    attributes, d_sae = list(x), sae.config.d_sae
    rise = torch.zeros(len(attributes), d_sae)  # logits, summed over pairs
    for i, attribute in enumerate(attributes):
        own = acts[attribute]
        which = [(p, f) for p, pair in enumerate(pairs) for f in _active(own, pair)]
        pair, feature = torch.tensor(which).T
        base, source = pairs[pair].T
        change = own[source, feature] - own[base, feature]
        new = x[attribute][base] + change[:, None] * sae.decoder_directions.float()[feature]
        before = knower.scores(attribute, pairs[:, 0], x[attribute][pairs[:, 0]])
        for part in torch.arange(len(which)).split(512):
            after = knower.scores(attribute, base[part], new[part])
            at, to = (torch.arange(len(part)), base[part]), (torch.arange(len(part)), source[part])
            gain = (after[to] - after[at]) - (before[pair[part], source[part]] - before[pair[part], base[part]])
            rise[i].index_add_(0, feature[part], gain)
    rise /= len(pairs)
    found = {}
    for i, attribute in enumerate(attributes):
        others = [j for j in range(len(attributes)) if j != i]
        found[attribute] = (rise[i] - rise[others].mean(0)).topk(k).indices.tolist()
    return found
