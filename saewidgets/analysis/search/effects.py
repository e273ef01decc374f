"""Find features by what they do: those that raise the probability of a text after a prompt, or of words as the next
token.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from saewidgets.activations import check_pair
from saewidgets.analysis.prompts.activations import check_acts
from saewidgets.analysis.search.ways import Labels, found_frame
from saewidgets.bars import bar
from saewidgets.files import unknown
from saewidgets.models import Model, Tokens
from saewidgets.records import EffectRanking, FeatureActivations, FeatureEffect
from saewidgets.records.arguments import real, whole
from saewidgets.records.effects import COMBINED
from saewidgets.records.search import N_FOUND
from saewidgets.records.steering import scope_of, span_of
from saewidgets.sae import SAE

N_PUSHED = 256  # features that are pushed, of all
ROUNDS = 4  # in which they are chosen
BEST = 4  # features at whose pushes the gradient of the next round is taken
SHARE = 0.5  # of the median length at the site, where no corpus says how strong features get
STRONG = 0.95  # quantile over features of what each adds at its maximum
GRADIENT_LOGITS = 1 << 23  # logits at a time where a gradient is kept: 32 MB, a few times over


def rank_by_effect(
    model: Model | nn.Module,
    sae: SAE,
    prompt: str | Tokens,
    continuations: str | Sequence[str | Sequence[int]] = (),
    acts: FeatureActivations | None = None,
    *,
    words: str | int | Sequence[str | int] = (),
    combine: str = "mean",
    scope: str | int = "all",
    share: float | None = None,
    n_pushed: int = N_PUSHED,
    labels: Labels = None,
    progress: bool = True,
) -> EffectRanking:
    """The features that raise the log-probability of a continuation after a prompt, or of words as the next token.

    All features are compared at pushes of one length: with u_f = d_f / |d_f| the direction of feature f's decoder row,
    x' = x + length * u_f at every token of the scope. The gradient of the target at x, summed over those tokens, says
    of all features at once what a small push would do,

        linear_f = length * sum_p (d target / d x_p) . u_f

    and that is wrong where it matters most: a strong feature bends the model's path. So the gradient only chooses whom
    to push. The best by it are pushed, with the layers after the site run on; the next are chosen by the gradient
    where the best so far are pushed, and so on in four rounds. Ranked is by what the pushes did, and what the gradient
    had said stays beside it.

    Args:
        prompt: text or token ids.
        continuations: what follows the prompt, exactly as written, the space in front included: one text or several,
            each a text or token ids.
        acts: over a corpus. Only features that fire in it are looked at, and they say how long the push is.
        words: in place of continuations: texts of one token each, or ids. The target is the log-probability that the
            next token is any of them.
        combine: of several continuations. "mean": score is the mean gain. "each": the largest gain in any one.
        scope: which tokens are pushed, as of a `Clamp`; those of the continuation come after the prompt's.
        share: length of the push as a share of the median length of the activations at the site, over these texts. By
            default, with `acts`, the 95th percentile over the features of what each adds at its maximum; else 0.5.
        n_pushed: how many features are pushed.
        labels: what features stand for.
        progress: show a bar, if it takes more than half a second.

    Returns:
        The features that were pushed, the best first: gains in nats, each with the gradient's guess.

    Raises ValueError on neither or both of continuations and words, an empty one, a word that is not one token, texts
    that do not fit in the context, a scope that covers nothing, an unknown `combine`, a share that is not above 0, and
    if model and SAE do not belong together; NotFiniteError where the logits are not finite.

    Example:
        >>> rank_by_effect(model, sae, "I am", " a cat.").to_dataframe().head()
    """
    model, site = check_pair(model, sae, "a search by effect", reconstructs=True)
    check_acts(sae, acts)
    if combine not in COMBINED:
        raise ValueError(unknown("combine", combine, COMBINED))
    n_pushed = whole(n_pushed, "n_pushed", minimum=1)
    target = _Target(model, site.hook_name, prompt, continuations, words, scope)
    rows = sae.decoder_directions.float().to(model.device)
    units = rows / rows.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)  # [d_sae, d_in]
    x = target.activations()
    median = float(torch.linalg.vector_norm(x.float(), dim=-1).median())
    lengths = (rows.norm(dim=-1) * sae.spread(x).float().median().to(rows.device)).cpu().numpy()  # of one unit
    share = _share(acts, lengths, median) if share is None else real(share, "share")
    if not share > 0:
        raise ValueError(f"share must be above 0, not {share}: with no push nothing changes")
    possible = lengths > 0 if acts is None else (lengths > 0) & (np.diff(acts.start) > 0)
    pushes = share * median * units
    linear, default, logprobs = _rounds(target, pushes, possible, combine, n_pushed, progress)
    tried = np.flatnonzero(~np.isnan(logprobs[:, 0]))
    order = tried[np.lexsort((tried, -_combined(logprobs[tried] - default, combine)))].tolist()
    return EffectRanking(
        prompt=model.written(prompt),
        targets=target.names,
        default=tuple(default.tolist()),
        effects=tuple(
            FeatureEffect(
                f, share * median / float(lengths[f]), tuple(linear[:, f].tolist()), tuple(logprobs[f].tolist())
            )
            for f in order
        ),
        length=share * median,
        share=share,
        d_sae=sae.config.d_sae,
        words=target.any_of,
        combine=combine,
        scope=target.scope,
        model_name=model.name,
        sae_name=sae.name,
        hook_name=site.hook_name,
        weights=model.weights,
        corpus="" if acts is None else acts.corpus,
        labels={f: labels[f] for f in order if f in labels} if labels else {},
    )


def by_effect(
    model: Model | nn.Module,
    sae: SAE,
    prompt: str | Tokens,
    continuations: str | Sequence[str | Sequence[int]] = (),
    acts: FeatureActivations | None = None,
    *,
    n: int = N_FOUND,
    labels: Labels = None,
    **options: Any,
) -> pd.DataFrame:
    """`rank_by_effect` as a table of a search: score is the gain in nats.

    Takes the options of `rank_by_effect`: words, combine, scope, share, n_pushed, progress. Further columns are those of
    `EffectRanking.to_dataframe`: linear, default, pushed, value, and with combine="each" continuation.

    Example:
        >>> by_effect(model, sae, "I am", " a cat.", acts).head()
    """
    ranking = rank_by_effect(model, sae, prompt, continuations, acts, labels=labels, **options)
    own = ranking.to_dataframe()
    extra = ["linear", "default", "pushed", "value", *(["continuation"] if ranking.combine == "each" else [])]
    columns = {name: own[name].to_numpy() for name in extra}
    feature, score = own["feature"].to_numpy(np.int64), own["effect"].to_numpy(float)
    return found_frame(Model.wrap(model), acts, labels, feature, score, n, **columns)


class _Target:
    """What is to become more probable: continuations of a prompt, or any of some words as its next token."""

    def __init__(
        self,
        model: Model,
        hook_name: str,
        prompt: str | Tokens,
        continuations: str | Sequence[str | Sequence[int]],
        words: str | int | Sequence[str | int],
        scope: str | int,
    ) -> None:
        self.model, self.hook_name = model, hook_name
        self.ids = model.tokens(prompt)
        if not len(self.ids):
            raise ValueError(f"{model.name} has no beginning-of-text token, so it needs a prompt to continue")
        given: list[Any] = [continuations] if isinstance(continuations, str) and continuations else list(continuations)
        wanted = [words] if isinstance(words, str | int) else list(words)
        if bool(given) == bool(wanted):
            raise ValueError(
                "give what should follow the prompt: continuations, such as ' a pirate', or words, such as "
                f"words=[' pirate'], {'not both' if given else 'and neither was given'}"
            )
        self.any_of = bool(wanted)  # one target: the next token is any of these
        if given and all(isinstance(one, int | np.integer) and not isinstance(one, bool) for one in given):
            given = [given]  # token ids of one continuation
        for at, one in enumerate(given):
            if hasattr(one, "__len__") and not len(one):
                raise ValueError(f"continuation {at} is empty: write what should follow the prompt, or leave it out")
        self.after: list[list[int]] = (
            [[token] for token in dict.fromkeys(map(model.one_token, wanted))]
            if self.any_of
            else [model.continuation(one).tolist() for one in given]
        )
        self.names = tuple(
            model.display([token for (token,) in self.after]) if self.any_of else map(model.written, given)
        )
        longest = max(self.after, key=len)
        model.tokens([*self.ids.tolist(), *longest])  # raises where both do not fit in the context
        self.scope = scope_of(scope)
        self.first, self.stop = span_of(self.scope, len(self.ids))
        n_read = len(self.ids) + len(longest) - 1
        if self.first >= n_read:
            raise ValueError(
                f"scope {self.scope!r} covers nothing: the model reads {n_read} tokens here, numbers 0 to {n_read - 1}, "
                f"{len(self.ids)} of them the prompt's"
            )
        read = [[]] if self.any_of else [own[:-1] for own in self.after]
        self.texts = [[*self.ids.tolist(), *own] for own in read]  # what is read, once per target

    def activations(self) -> Tensor:
        """[n, d_in]: what flows at the site at all tokens of the texts, those of the prompt once per continuation."""
        read = [self.model.activations(torch.tensor(text), self.hook_name)[0] for text in self.texts]
        return torch.cat(read)

    def logprobs(self, push: Tensor) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(which pushes, float64 [m, target]) for pushes [n, d_in]. Raises NotFiniteError."""
        span = (self.first, self.stop)
        for part, found in self.model.pushed_logprobs(self.ids, self.after, self.hook_name, push, span=span):
            if not np.isfinite(found).all():
                raise self.model.not_finite(f"after {self.model.written(self.ids)!r:.40} under a push", None)
            yield part.numpy(), np.logaddexp.reduce(found, axis=1, keepdims=True) if self.any_of else found

    def gradient(self, push: Tensor) -> Tensor:
        """float32 [target, d_in]: the gradient of each target's log-probability, summed over the tokens that are pushed,
        mean over pushes [n, d_in] at which it is taken.
        """
        found = []
        for own, text in zip(self.after, self.texts, strict=not self.any_of):
            ids = torch.tensor(text, device=self.model.device)
            inside = torch.zeros(len(ids), device=self.model.device)
            inside[self.first : self.stop] = 1
            total = torch.zeros(push.shape[1], device=self.model.device)
            n_read = len(ids) - len(self.ids) + 1  # tokens whose logits are asked for
            for part in push.split(max(1, GRADIENT_LOGITS // (self.model.d_vocab * len(ids)))):
                moved = inside[:, None] * part[:, None].to(inside)  # [push, pos, d_in]
                rows = ids.expand(len(part), -1)
                _, gradient = self.model.gradient(rows, self.hook_name, self._score(own), moved, wanted=n_read)
                total += (gradient.float() * inside[:, None]).sum((0, 1))
            found.append(total / len(push))
        return torch.stack(found)

    def _score(self, own: list[int]) -> Any:
        """The target as a function of logits [row, n, d_vocab] from the prompt's last token on."""

        def score(logits: Tensor) -> Tensor:
            logprobs = logits.float().log_softmax(-1)
            if self.any_of:
                return logprobs[:, 0, torch.tensor([token for (token,) in self.after])].logsumexp(-1)
            return logprobs[:, torch.arange(len(own)), torch.tensor(own)].sum(-1)

        return score


def _rounds(
    target: _Target, pushes: Tensor, possible: np.ndarray, combine: str, n_pushed: int, progress: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(linear [target, d_sae], default [target], log-probabilities [d_sae, target], nan for what was not pushed)."""
    ((_, found),) = target.logprobs(pushes.new_zeros(1, pushes.shape[1]))
    default = found[0]
    logprobs = np.full((len(pushes), len(default)), np.nan)
    linear = np.zeros((len(default), len(pushes)))
    n_pushed = min(n_pushed, int(possible.sum()))
    at = pushes.new_zeros(1, pushes.shape[1])
    with bar(n_pushed, "pushing", "features", progress=progress) as advance:
        for nth in range(ROUNDS):
            advance(0)  # a gradient takes as long as many pushes: whoever watches may end it before
            guess = (target.gradient(at.to(target.model.device)) @ pushes.T).double().cpu().numpy()  # [target, d_sae]
            linear = guess if nth == 0 else linear
            open_ones = np.flatnonzero(possible & np.isnan(logprobs[:, 0]))
            left = n_pushed - (int(possible.sum()) - len(open_ones))
            chosen = open_ones[_order(guess[:, open_ones], combine)][: math.ceil(left / (ROUNDS - nth))]
            if not len(chosen):
                break
            for part, found in target.logprobs(pushes[torch.from_numpy(chosen).to(pushes.device)]):
                logprobs[chosen[part]] = found
                advance(len(part))
            tried = np.flatnonzero(~np.isnan(logprobs[:, 0]))
            best = tried[np.argsort(-_combined(logprobs[tried] - default, combine), kind="stable")[:BEST]]
            at = pushes[torch.from_numpy(best).to(pushes.device)]
    return linear, default, logprobs


def _order(guess: np.ndarray, combine: str) -> np.ndarray:
    """The columns of guesses [target, n] in the order in which to push them: by their mean, or each target's best in
    turn.
    """
    if combine == "mean":
        return np.argsort(-guess.mean(0), kind="stable")
    ranks: np.ndarray = np.argsort(np.argsort(-guess, axis=1, kind="stable"), axis=1, kind="stable")
    return np.argsort(ranks.min(0), kind="stable")


def _combined(gains: np.ndarray, combine: str) -> np.ndarray:
    """Gains [n, target] -> scores [n]."""
    scores: np.ndarray = gains.mean(1) if combine == "mean" else gains.max(1)
    return scores


def _share(acts: FeatureActivations | None, lengths: np.ndarray, median: float) -> float:
    """The length of a push over the median length at the site, where nobody says it."""
    if acts is None or not median > 0:
        return SHARE
    strongest = acts.maximum[acts.maximum > 0] * lengths[acts.maximum > 0]
    return float(np.quantile(strongest, STRONG)) / median if len(strongest) else SHARE
