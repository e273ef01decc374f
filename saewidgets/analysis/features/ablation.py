"""What leaving a feature out of a whole context does: to the loss of every token, and to the logits where it is active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from saewidgets.activations import length_sorted, quick_activations
from saewidgets.bars import bar
from saewidgets.memory import CELLS
from saewidgets.models import Model
from saewidgets.records import FeatureActivations, FeatureData, FeatureExample, MovedLogits, TokenEffect
from saewidgets.sae import SAE

N_MOVED = 5  # tokens listed at each end
TOKENS = 4096  # of one forward pass


@dataclass(frozen=True)
class _Job:
    """One feature left out of one context."""

    feature: int  # place among the features asked for
    number: int  # the feature itself
    context: int
    stop: int  # one past the last token that is shown
    active: np.ndarray  # int64, positions before `stop` where the feature is active, ascending
    value: np.ndarray  # float32, its activations there

    @property
    def begin(self) -> int:
        """The first token where the feature is active; `stop` where it is not."""
        return int(self.active[0]) if len(self.active) else self.stop


class _Clean:
    """Logits with nothing left out [n, d_vocab] at some tokens of contexts, float32, and where each stands."""

    def __init__(self, logits: Tensor, shape: torch.Size, row: Tensor, position: Tensor) -> None:
        self.logits, self.total = logits, logits.logsumexp(-1)
        self.place = torch.full(shape, -1, dtype=torch.long, device=logits.device)  # [context, pos], rows of logits
        self.place[row.to(logits.device), position.to(logits.device)] = torch.arange(len(row), device=logits.device)


@dataclass(frozen=True)
class _Effects:
    """What leaving one feature out of one text changes: the loss at each token, and the tokens that moved most."""

    loss: np.ndarray  # float64 [stop], nats; nan at a first token
    moved: dict[int, tuple[list[int], list[float], list[int], list[float]]]  # by position: ids and logits up, and down


@torch.inference_mode()
def with_effects(
    model: Model, sae: SAE, acts: FeatureActivations, features: Sequence[FeatureData], texts: Sequence[str]
) -> list[FeatureData]:
    """The same records with `loss_effects` and `moved` in every example.

    A feature is left out of the whole context at once, x_p - a_fp d_f at every counted token p, and what the SAE does
    not explain stays in x. With p(t | ...) the model's next-token probability,

        loss_effect of token t = -log p without the feature + log p with it      (nats; > 0: the feature helps to predict t)
        moved after token p    = logits with it - logits without it, minus the mean of that over the vocabulary

    A token's own activation has no part in its own loss effect: only earlier ones do, and where there are none it is 0.
    A context is read once unchanged, for all features that show it, and once more for each of them, in one batch.
    """
    assert sae.config.site is not None
    hook_name = sae.config.site.hook_name
    jobs = _jobs(acts, features)
    found: dict[tuple[int, int], _Effects] = {}
    lengths = np.zeros(len(acts.tokens), np.int64)
    for job in jobs:
        lengths[job.context] = max(lengths[job.context], job.stop)
    by_context: dict[int, list[_Job]] = {}
    for job in jobs:
        by_context.setdefault(job.context, []).append(job)
    shown = np.where(np.arange(acts.tokens.shape[1]) < lengths[:, None], acts.tokens, -1)
    room = max(1, min(TOKENS, CELLS // model.d_vocab))
    with bar(len(jobs), "leaving features out", "texts") as advance:
        for contexts in length_sorted(shown, lengths > 0, room):
            width = int(lengths[contexts].max())
            tokens = torch.from_numpy(shown[contexts, :width].astype(np.int64)).to(model.device)
            x = quick_activations(model, tokens, hook_name)  # [context, pos, d_in]
            begins = [min(job.begin for job in by_context[context]) for context in contexts.tolist()]
            after = torch.arange(width) >= torch.tensor(begins)[:, None]  # before it no feature has been active
            row, position = ((tokens >= 0) & after.to(tokens.device)).nonzero(as_tuple=True)
            clean = _Clean(model.resumed_logits(tokens, hook_name, x, row, position), tokens.shape, row, position)
            here = [(i, job) for i, context in enumerate(contexts.tolist()) for job in by_context[context]]
            per_pass = max(1, room // width)
            for first in range(0, len(here), per_pass):
                block = here[first : first + per_pass]
                found |= _ablated(model, sae, hook_name, block, tokens, x, clean)
                advance(len(block))
    return [_filled(i, f, found, texts) for i, f in enumerate(features)]


def _jobs(acts: FeatureActivations, features: Sequence[FeatureData]) -> list[_Job]:
    out = []
    for i, f in enumerate(features):
        stops: dict[int, int] = {}
        for e in (*f.top, *f.intervals):
            stops[e.context] = max(stops.get(e.context, 0), e.position + len(e.tokens))
        context, position, value = acts.of(f.feature)
        for c, stop in stops.items():
            own = slice(int(np.searchsorted(context, c)), int(np.searchsorted(context, c, side="right")))
            n = int(np.searchsorted(position[own], stop))
            out.append(_Job(i, f.feature, c, stop, position[own][:n].astype(np.int64), value[own][:n]))
    return out


def _ablated(
    model: Model,
    sae: SAE,
    hook_name: str,
    block: Sequence[tuple[int, _Job]],
    tokens: Tensor,
    x: Tensor,
    clean: _Clean,
) -> dict[tuple[int, int], _Effects]:
    """The effects of some (row of x, job), in one forward pass from the hook point on."""
    width = max(job.stop for _, job in block)
    rows = torch.tensor([i for i, _ in block], device=x.device)
    a = torch.zeros(len(block), width, dtype=torch.float32)
    for k, (_, job) in enumerate(block):
        a[k, torch.from_numpy(job.active)] = torch.from_numpy(np.array(job.value))
    own = x[rows, :width]  # [job, pos, d_in]
    home = sae.W_dec.device
    numbers = torch.tensor([job.number for _, job in block])
    step = a.to(home)[..., None] * sae.directions_at(own.to(home), numbers[:, None])
    without = own - step.to(own.device, own.dtype)

    # Logits are wanted from the first active token on: before it the two passes are one.
    wanted = [(k, q) for k, (_, job) in enumerate(block) for q in range(job.begin, job.stop)]
    if not wanted:
        return {(job.feature, job.context): _Effects(_nothing(job), {}) for _, job in block}
    device = clean.logits.device
    job_row, position = torch.tensor(wanted, device=device).T
    logits = model.resumed_logits(tokens[rows, :width], hook_name, without, job_row, position).to(device)
    context_row = rows.to(device)[job_row]
    at = clean.place[context_row, position]  # [n]
    following = (position + 1).clamp(max=tokens.shape[1] - 1)
    target = tokens.to(device)[context_row, following].clamp(min=0)[:, None]
    # -log p without it, minus -log p with it
    effect = logits.logsumexp(-1) - logits.gather(-1, target)[:, 0]
    effect -= clean.total[at] - clean.logits[at, target[:, 0]]
    is_active = (a > 0).to(device)[job_row, position]
    change = clean.logits[at[is_active]] - logits[is_active]  # [active, d_vocab], what the feature adds
    change -= change.mean(-1, keepdim=True)
    n = min(N_MOVED, change.shape[-1])
    ends = [change.topk(n, dim=-1, largest=largest) for largest in (True, False)]
    listed = [(end.indices.tolist(), end.values.tolist()) for end in ends]

    out = {}
    effects, active = effect.double().cpu().numpy(), is_active.cpu().numpy()
    first = moved_first = 0
    for _, job in block:
        begin = job.begin
        n_own = job.stop - begin
        loss = _nothing(job)
        loss[begin + 1 :] = effects[first : first + max(n_own - 1, 0)]
        moved = {}
        for q in np.flatnonzero(active[first : first + n_own]) + begin:
            (up, gains), (down, losses) = listed
            moved[int(q)] = (up[moved_first], gains[moved_first], down[moved_first], losses[moved_first])
            moved_first += 1
        first += n_own
        out[job.feature, job.context] = _Effects(loss, moved)
    return out


def _nothing(job: _Job) -> np.ndarray:
    """float64 [stop]: no effect on any token, and none to be known on the first."""
    loss = np.zeros(job.stop)
    loss[:1] = np.nan
    return loss


def _filled(i: int, f: FeatureData, found: dict[tuple[int, int], _Effects], texts: Sequence[str]) -> FeatureData:
    """The record with the effects in its examples."""

    def tokens(ids: list[int], values: list[float]) -> tuple[TokenEffect, ...]:
        return tuple(TokenEffect(texts[t], t, v) for t, v in zip(ids, values, strict=True))

    def example(e: FeatureExample) -> FeatureExample:
        own = found[i, e.context]
        span = range(e.position, e.position + len(e.tokens))
        return replace(
            e,
            loss_effects=tuple(None if np.isnan(v) else v for v in own.loss[e.position : span.stop].tolist()),
            moved=tuple(
                MovedLogits(q - e.position, tokens(up, gains), tokens(down, losses))
                for q, (up, gains, down, losses) in own.moved.items()
                if q in span
            ),
        )

    return replace(f, top=tuple(map(example, f.top)), intervals=tuple(map(example, f.intervals)))
