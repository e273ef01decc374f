"""How a `Model` writes: one text token by token, or a batch of them; and what it gives to a text that is there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saewidgets.models.backends import Backend
from saewidgets.models.edit import Edit
from saewidgets.models.gate import Gate
from saewidgets.models.lean import Lean
from saewidgets.models.lean_proof import lean_of, reaches
from saewidgets.models.runs import HookedRun, Luck, Run, draw, finite, gumbel
from saewidgets.records import NotFiniteError
from saewidgets.records.arguments import listed, real, seed_of, whole

Tokens = Tensor | np.ndarray | Sequence[int] | Sequence[Sequence[int]]

KEPT_SHARE = 0.8  # of a batch's rows: where fewer are running, the others are dropped
LOOK_UP = 0.1  # seconds between two looks at `cancel` while another thread has its hooks on the model
FORCED_LOGITS = 1 << 23  # logits at a time where texts are only read


class Writing(ABC):
    """The part of a `Model` that writes. It asks the rest for single forward passes."""

    hooked: Any  # a HookedTransformer or a TransformerBridge
    lock: Gate
    device: torch.device
    d_vocab: int
    n_ctx: int
    eos_token_id: int | None
    lean: bool  # whether texts may be written by the lean loop (`models.lean`) where it is proven
    _backend: Backend
    _luck: Luck

    @abstractmethod
    def logits(self, tokens: Tokens, edit: Edit | None = None) -> Tensor:
        """See `Model`."""

    @abstractmethod
    def activations(self, tokens: Tokens, hook_name: str) -> Tensor:
        """See `Model`."""

    @abstractmethod
    def _pass(self, edit: Edit | None, *, start: int = 0, rows: int | None = None) -> AbstractContextManager[Any]: ...

    @abstractmethod
    def _prompt(self, prompt: Tokens, temperature: float, edit: Edit | None) -> Tensor: ...

    @abstractmethod
    def _check_length(self, n: int) -> None: ...

    def stream(
        self,
        prompt: Tokens,
        *,
        n_tokens: int,
        temperature: float = 1.0,
        seed: int = 0,
        edit: Edit | None = None,
        reference: bool = False,
        cancel: Callable[[], bool] | None = None,
    ) -> Iterator[tuple[int, float, Tensor]]:
        """Continue a prompt [pos], one token at a time: (token id, its log-probability at temperature 1, logits).

        Sampling is argmax(logits / temperature + Gumbel noise), and the noise of step t depends on `seed` and t alone. So two
        streams with one seed share their luck and part only where their distributions do. Temperature 0 takes the argmax.
        It ends after `n_tokens`, when the model writes its end-of-text token (which is not given), when the context is full,
        or as soon as `cancel()` is true. The lock is held during a forward pass, not between tokens; no global random state
        is read or changed.

        With `reference`, the logits are [2, d_vocab]: row 0 of the edited model, row 1 of the unedited one on the same tokens,
        both from one forward pass. Otherwise they are [d_vocab].

        Raises ValueError, at the call, on an empty prompt, one that leaves no room, a bad temperature, seed or number of tokens; and
        NotFiniteError in the place of a token where the edited logits are not finite: there is no next token then.
        """
        n_tokens, seed = whole(n_tokens, "n_tokens", minimum=0), seed_of(seed)
        temperature = real(temperature, "temperature", minimum=0)
        ids = self._prompt(prompt, temperature, edit)
        return self._stream(ids, n_tokens, temperature, seed, edit, reference, cancel)

    def _stream(
        self,
        ids: Tensor,
        n_tokens: int,
        temperature: float,
        seed: int,
        edit: Edit | None,
        reference: bool,
        cancel: Callable[[], bool] | None,
    ) -> Iterator[tuple[int, float, Tensor]]:
        noise = self._luck.of(seed, self.d_vocab)
        run, tokens = None, ids[0, :0]
        for n in range(min(n_tokens, self.n_ctx - ids.shape[1] + 1)):
            while cancel is not None:
                if cancel():
                    return
                if not self.lock.waiting(LOOK_UP):
                    break
            if run is None:
                run = self._run(ids, edit, 1, 1, reference, n_tokens)
                edited, plain = run.begin()
            else:
                edited, plain = run.step(tokens)
            if not bool(finite(edited)):
                raise self.not_finite(f"after {n} tokens", edit)
            tokens = draw(edited, temperature, next(noise))
            token = int(tokens[0])
            if token == self.eos_token_id:
                return
            logprob = float(edited[0].double().log_softmax(-1)[token])
            yield token, logprob, torch.cat([edited, plain]) if reference else edited[0]

    def sample(
        self, prompt: Tokens, *, n_tokens: int, temperature: float, seeds: Sequence[int], edit: Edit | None = None
    ) -> list[list[int]]:
        """Continue one prompt [pos] once for each seed, all in one batch: the token ids of each row.

        Row r is what `stream` gives with `seeds[r]` (up to rounding, where two tokens are as good as tied), at a fraction of the
        cost. `edit` sees all rows at once, [row, pos, d], and may treat each in its own way.
        Raises ValueError as `stream` does.
        """
        seeds = [seed_of(seed) for seed in listed(seeds, "seeds", "0")]
        found: list[list[int]] = [[] for _ in seeds]
        for rows, tokens, *_ in self.batch(prompt, n_tokens=n_tokens, temperature=temperature, seeds=seeds, edit=edit):
            for row, token in zip(rows.tolist(), tokens.tolist(), strict=True):
                found[row].append(token)
        return found

    def batch(
        self,
        prompt: Tokens,
        *,
        n_tokens: int,
        temperature: float,
        seeds: Sequence[int],
        groups: int | None = None,
        edit: Edit | None = None,
        edit_of: Callable[[list[int]], Edit] | None = None,
        reference: bool = False,
        broken: Callable[[list[int]], None] | None = None,
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """One step of all rows at a time, for those that are still running: (rows [n], tokens [n], logits [n, d_vocab] of the
        edited model, and of the unedited one). A row stops at the end-of-text token, which is not given.

        Rows may form `groups`, each of as many rows in a row, that share their edit: `edit` then sees one row a group while the prompt is read,
        [group, pos, d], and all rows after it, [row, 1, d]. With `edit_of`, which gives the edit for some of the rows only,
        rows that have stopped cost nothing. Without `reference` the unedited logits are the edited ones. A row whose edited logits are
        not finite stops there, and `broken` is called with the numbers of such rows; without it that raises NotFiniteError.
        Raises ValueError as `stream` does, or where the rows do not make whole groups.
        """
        n_tokens, seeds = (
            whole(n_tokens, "n_tokens", minimum=0),
            [seed_of(seed) for seed in listed(seeds, "seeds", "0")],
        )
        temperature = real(temperature, "temperature", minimum=0)
        groups = len(seeds) if groups is None else groups
        if groups < 1 or len(seeds) % groups:
            raise ValueError(f"{len(seeds)} rows do not make {groups} groups of one size")
        ids = self._prompt(prompt, temperature, edit)
        distinct = list(dict.fromkeys(seeds))
        generators = [torch.Generator().manual_seed(seed) for seed in distinct]
        place = torch.tensor([distinct.index(seed) for seed in seeds])
        rows, running = torch.arange(len(seeds)), torch.ones(len(seeds), dtype=torch.bool)
        run = self._run(ids, edit, groups, len(seeds) // groups, reference, n_tokens)
        tokens = ids[0, :0]
        for n in range(min(n_tokens, self.n_ctx - ids.shape[1] + 1)):
            edited, plain = run.step(tokens) if n else run.begin()
            noise = torch.stack([gumbel(self.d_vocab, generator) for generator in generators])
            tokens = draw(edited, temperature, noise[place[rows]])
            sound = finite(edited).cpu()
            if not sound.all():
                lost = rows[running & ~sound].tolist()
                if lost and broken is None:
                    raise self.not_finite(f"after {n} tokens of the text of seed {seeds[lost[0]]}", edit)
                if lost and broken is not None:
                    broken(lost)
                running = running & sound
            if self.eos_token_id is not None:
                running = running & (tokens.cpu() != self.eos_token_id)
            if not running.any():
                return
            if running.all():
                yield rows, tokens, edited, plain
                continue
            yield rows[running], tokens[running], edited[running], plain[running]
            if edit_of is not None and int(running.sum()) < KEPT_SHARE * len(rows):
                kept = running.nonzero()[:, 0]
                if run.keep(kept, edit_of(rows[kept].tolist())):
                    rows, tokens, running = rows[kept], tokens[kept], running[kept]

    def logprobs(self, prompt: Tokens, continuations: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """What the model gives each continuation of a prompt [pos], token by token: float64 arrays of log-probabilities, nats.

        The prompt is read once. Raises ValueError on an empty prompt, or where both do not fit in the context.
        """
        ids = self._prompt(prompt, 0.0, None)
        before, found = ids.shape[1], [np.zeros(0) for _ in continuations]
        self._check_length(before + max(map(len, continuations), default=0))
        order = sorted((i for i, c in enumerate(continuations) if len(c)), key=lambda i: len(continuations[i]))
        with self.lock:
            lean = self._lean()
        while order:  # texts of like length together; no more logits at a time than memory is good for
            n = max(1, FORCED_LOGITS // (self.d_vocab * len(continuations[order[-1]])))
            part, order = order[-n:], order[:-n]
            rows = torch.full((len(part), len(continuations[part[-1]])), -1, dtype=torch.long)
            for row, i in zip(rows, part, strict=True):
                row[: len(continuations[i])] = torch.as_tensor(continuations[i])
            own = rows.clamp(min=0).to(self.device)
            with self.lock, torch.no_grad():
                if lean is not None and lean.quiet():
                    logits = lean.forced(ids[0].tolist(), own)
                else:
                    logits = self.logits(torch.cat([ids.expand(len(part), -1), own], 1))[:, before - 1 : -1]
            picked = logits.gather(-1, own[..., None])[..., 0].double() - logits.logsumexp(-1).double()
            for i, row in zip(part, picked.cpu().numpy(), strict=True):
                found[i] = row[: len(continuations[i])].copy()
        return found

    def not_finite(self, where: str, edit: Edit | None) -> NotFiniteError:
        """The error for logits that are not finite somewhere: it says why, as far as that is known."""
        dtype = str(next(self.hooked.parameters()).dtype).removeprefix("torch.")
        if edit is None:
            why = f"the activations overflow in {dtype} though nothing was changed, or a weight is not finite"
        elif dtype == "float16":
            why = "the activations overflow in float16: use a weaker clamp, or the model in float32 or bfloat16"
        else:
            why = f"the activations overflow in {dtype}, or the edit gives nan: use a weaker clamp, or mend the edit"
        return NotFiniteError(f"the logits are not finite {where}: {why}")

    def _lean(self) -> Lean | None:
        return lean_of(self.hooked, self.logits, self.activations) if self.lean else None

    def _lean_at(self, hook_name: str) -> tuple[Lean, int] | None:
        """The lean loop and the first layer above a hook point of the residual stream, where it is proven to reach it."""
        lean = self._lean()
        place = lean.site(hook_name) if lean is not None and lean.quiet() else None
        if lean is None or place is None or place[1]:
            return None
        return (lean, place[0]) if reaches(lean, hook_name, self.logits) else None

    def _run(self, ids: Tensor, edit: Edit | None, groups: int, each: int, reference: bool, n_more: int) -> Run:
        """The loop that writes: the lean one where it is proven for this model and reaches the edit, or TransformerLens's."""
        reference = reference and edit is not None

        def hooked(edit: Edit | None, rows: int) -> HookedRun:
            return HookedRun(self._backend, self._pass, edit, rows=rows, reference=reference)

        with self.lock:
            lean = self._lean()
            if lean is not None and edit is not None and not reaches(lean, edit.hook_name, self.logits):
                lean = None
            return Run(
                ids, lean, hooked, self.lock, edit=edit, groups=groups, each=each, reference=reference, n_more=n_more
            )
