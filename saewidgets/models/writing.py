"""The loops in which a `Model` writes: one text token by token, or a batch of them; and what it gives to texts that are
there.

They get what they need as functions: the run that gives logits, the error for logits that are not finite.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from saewidgets.models.gate import Gate
from saewidgets.models.runs import Run
from saewidgets.models.sampling import draw, finite, gumbels
from saewidgets.records import NotFiniteError

LOOK_UP = 0.1  # seconds between two looks at `cancel` while another thread has its hooks on the model
KEPT_SHARE = 0.8  # of a batch's rows: where fewer are running, the others are dropped
FORCED_LOGITS = 1 << 23  # logits at a time where texts are only read


def turn(lock: Gate, cancel: Callable[[], bool] | None) -> bool:
    """Whether to write the next token: False once `cancel()` is true, also while another thread has its hooks on the
    model.

    Without `cancel` nothing is waited for here: the pass itself waits.
    """
    while cancel is not None and not cancel():
        if not lock.waiting(LOOK_UP):
            return True
    return cancel is None


def streamed(
    begin: Callable[[], Run],
    noise: Iterator[Tensor],
    *,
    steps: int,
    temperature: float,
    ends: Collection[int],
    reference: bool,
    go_on: Callable[[], bool],
    error: Callable[[str], Exception],
) -> Iterator[tuple[int, float, Tensor]]:
    """One text of a run of one row: see `Model.stream`.

    `begin` makes the run when the first token is asked for; `go_on`, asked before each token, may wait; `error(where)`
    is raised where logits are not finite; `ends` are the tokens at which a text ends.
    """
    run, tokens = None, torch.empty(0)
    for n in range(steps):
        if not go_on():
            return
        if run is None:
            run = begin()
            edited, plain = run.begin()
        else:
            edited, plain = run.step(tokens)
        if not bool(finite(edited)):
            raise error(f"after {n} tokens")
        tokens = draw(edited, temperature, next(noise))
        token = int(tokens[0])
        if token in ends:
            return
        logprob = float(edited[0].double().log_softmax(-1)[token])
        yield token, logprob, torch.cat([edited, plain]) if reference else edited[0]


def batched(
    begin: Callable[[], Run],
    seeds: Sequence[int],
    *,
    steps: int,
    d_vocab: int,
    temperature: float,
    ends: Collection[int],
    keep: Callable[[Run, Tensor, Tensor], bool],
    broken: Callable[[list[int]], None] | None,
    error: Callable[[str], Exception],
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """A run of one row per seed, step by step: see `Model.batch`.

    `keep(run, kept, rows)` lets a run go on with its rows `kept` only, which are the batch's `rows`, and says whether
    it does; the rest as in `streamed`.
    """
    distinct = list(dict.fromkeys(seeds))
    generators = [torch.Generator().manual_seed(seed) for seed in distinct]
    place = torch.tensor([distinct.index(seed) for seed in seeds])
    rows, running = torch.arange(len(seeds)), torch.ones(len(seeds), dtype=torch.bool)
    last = torch.tensor(sorted(ends), dtype=torch.long)
    run, tokens = begin(), torch.empty(0)
    for n in range(steps):
        edited, plain = run.step(tokens) if n else run.begin()
        noise = gumbels(generators, d_vocab) if temperature else torch.empty(0)
        tokens = draw(edited, temperature, noise, place[rows])
        sound = finite(edited).cpu()
        if not sound.all():
            lost = rows[running & ~sound].tolist()
            if lost and broken is None:
                raise error(f"after {n} tokens of the text of seed {seeds[lost[0]]}")
            if lost and broken is not None:
                broken(lost)
            running = running & sound
        if ends:
            running = running & ~torch.isin(tokens.cpu(), last)
        if not running.any():
            return
        if running.all():
            yield rows, tokens, edited, plain
            continue
        yield rows[running], tokens[running], edited[running], plain[running]
        if int(running.sum()) < KEPT_SHARE * len(rows):
            kept = running.nonzero()[:, 0]
            if keep(run, kept, rows[kept]):
                rows, tokens, running = rows[kept], tokens[kept], running[kept]


def forced_logprobs(
    logits: Callable[[Tensor], Tensor], continuations: Sequence[Sequence[int]], *, d_vocab: int, device: torch.device
) -> list[np.ndarray]:
    """The log-probability of each token of each continuation, float64 arrays, nats.

    `logits(rows)` gives [row, n, d_vocab] before each token of rows int64 [row, n], padded on the right with token 0.
    """
    found = [np.zeros(0) for _ in continuations]
    order = sorted((i for i, c in enumerate(continuations) if len(c)), key=lambda i: len(continuations[i]))
    while order:  # texts of like length together; no more logits at a time than memory is good for
        n = max(1, FORCED_LOGITS // (d_vocab * len(continuations[order[-1]])))
        part, order = order[-n:], order[:-n]
        rows, _ = padded([continuations[i] for i in part], device)
        for i, row in zip(part, _token_logprobs(logits(rows).float(), rows).cpu().numpy(), strict=True):
            found[i] = row[: len(continuations[i])].copy()
    return found


def padded(continuations: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Continuations as rows int64 [row, n], padded on the right with token 0, and which of them are tokens of theirs,
    bool [row, n]. Raises ValueError where there is none, or one without a token.
    """
    lengths = torch.tensor([len(c) for c in continuations], dtype=torch.long)
    if not len(lengths) or not int(lengths.min()):
        raise ValueError("give at least one continuation, and at least one token in each")
    real = torch.arange(int(lengths.max())) < lengths[:, None]
    rows = torch.zeros(real.shape, dtype=torch.long)
    rows[real] = torch.as_tensor([int(token) for own in continuations for token in own])
    return rows.to(device), real.to(device)


def pushed_at(push: Tensor, first: int, stop: int) -> Callable[[Tensor, int], Tensor]:
    """A push [row, d] at tokens `first` to `stop` - 1 as an edit's function."""

    def pushed(x: Tensor, start: int) -> Tensor:  # [row, pos, d]
        x = x.clone()
        x[:, max(first - start, 0) : max(stop - start, 0)] += push.to(x)[:, None]
        return x

    return pushed


def summed_logprobs(logits: Tensor, rows: Tensor, real: Tensor) -> np.ndarray:
    """float64 [push, row]: the log-probability of whole continuations, nats, from logits [push, row, n, d_vocab] before
    each of their tokens; rows and real as `padded` gives them.
    """
    logprobs = _token_logprobs(logits, rows.expand(len(logits), -1, -1))  # [push, row, n]
    found: np.ndarray = torch.where(real, logprobs, 0.0).sum(-1).cpu().numpy()
    return found


def _token_logprobs(logits: Tensor, tokens: Tensor) -> Tensor:
    """float64 [...]: the log-probability of each token [...], nats, from logits [..., d_vocab] before it."""
    return logits.gather(-1, tokens[..., None])[..., 0].double() - logits.logsumexp(-1).double()


def not_finite_error(where: str, dtype: str, *, edited: bool) -> NotFiniteError:
    """The error for logits that are not finite somewhere: it says why, as far as that is known. `dtype` is the
    weights'.
    """
    if not edited:
        why = f"the activations overflow in {dtype} though nothing was changed, or a weight is not finite"
    elif dtype == "float16":
        why = "the activations overflow in float16: use a weaker clamp, or the model in float32 or bfloat16"
    else:
        why = f"the activations overflow in {dtype}, or the edit gives nan: use a weaker clamp, or mend the edit"
    return NotFiniteError(f"the logits are not finite {where}: {why}")
