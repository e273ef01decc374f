"""Text being written: one forward pass a token, over the lean loop where it is proven and TransformerLens elsewhere; and the luck."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor

from saewidgets.models.backends import Backend
from saewidgets.models.edit import Edit
from saewidgets.models.gate import Gate
from saewidgets.models.lean import Lean
from saewidgets.models.lean_run import LeanRun

LUCK_BYTES = 64 << 20  # the most memory that drawn noise may take


class Pass(Protocol):
    """`Model._pass`: the lock, no gradients, and an edit's hook for one forward pass."""

    def __call__(self, edit: Any, *, start: int = 0, rows: int | None = None) -> AbstractContextManager[Any]:
        """Enter it, run the pass, leave it."""
        ...


class HookedRun:
    """A batch of texts written by TransformerLens itself: the edited rows first, then the unedited ones if asked."""

    def __init__(self, backend: Backend, forward_pass: Pass, edit: Any, *, rows: int, reference: bool) -> None:
        self.backend, self.forward_pass, self.edit = backend, forward_pass, edit
        self.rows, self.reference = rows, reference
        self.cache = backend.new_cache(rows * (1 + reference))
        self.start = 0

    def read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [row, d_vocab] of the edited and of the unedited model after the next tokens, [row, n]."""
        both = tokens.repeat(2, 1) if self.reference else tokens
        with self.forward_pass(self.edit, start=self.start, rows=self.rows if self.reference else None):
            logits = self.backend.forward(both, self.cache)[:, -1]
        self.start += tokens.shape[1]
        return logits[: self.rows], logits[-self.rows :]


class Run:
    """A batch of texts that continue one prompt, over whichever of the two loops may be used now.

    A hook that comes on the model in the middle of a text (for good, or in this thread) is heard from the next token on: the rest
    of the text is then written by TransformerLens, which reads the text so far again. Begin it with the lock held: which loop
    writes must not depend on what another thread does at the moment.
    """

    def __init__(
        self,
        prompt: Tensor,
        lean: Lean | None,
        hooked: Callable[[Edit | None, int], HookedRun],
        lock: Gate,
        *,
        edit: Edit | None,
        groups: int,
        each: int,
        reference: bool,
        n_more: int,
    ) -> None:
        self.lock, self.hooked, self.lean, self.edit = lock, hooked, lean, edit
        self.read = [prompt.expand(groups * each, -1)]  # [row, pos] so far, in parts
        self.n_more = n_more
        self.fast: LeanRun | None = None
        self.slow: HookedRun | None = None
        if lean is not None and lean.quiet():
            at, function = (edit.hook_name, edit.function) if edit is not None else (None, None)
            self.fast = LeanRun(lean, at, function, groups=groups, each=each, reference=reference)
        else:
            self.slow = hooked(edit, groups * each)

    def begin(self) -> tuple[Tensor, Tensor]:
        """Logits [row, d_vocab] after the prompt, of the edited and of the unedited model; float32 both."""
        with self.lock, torch.no_grad():
            if self.fast is None:
                return self._slowly(self.read[0])
            return self.fast.begin(self.read[0][0].tolist(), self.n_more)

    def step(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The same after one more token in each row, int64 [row]."""
        self.read.append(tokens[:, None])
        with self.lock, torch.no_grad():
            if self.fast is not None and self.lean is not None and self.lean.quiet():
                return self.fast.step(tokens)
            if self.slow is None:
                self.fast, self.slow = None, self.hooked(self.edit, len(tokens))
                return self._slowly(torch.cat(self.read, 1))
            return self._slowly(tokens[:, None])

    def keep(self, rows: Tensor, edit: Edit) -> bool:
        """Go on with these rows only, int64 [row], each a group of its own. False where that cannot be: nothing has changed."""
        if self.fast is None or self.slow is not None:
            return False
        self.read, self.edit = [torch.cat(self.read, 1)[rows]], edit
        self.fast.keep(rows, len(rows), edit.function)
        return True

    def _slowly(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        assert self.slow is not None
        edited, plain = self.slow.read(tokens)
        return edited.float(), plain.float()


class Luck:
    """Gumbel noise by seed, drawn once and kept, since a slider that moves does not change it. Safe to share between threads.

    Step t of a seed is the t-th draw of `d_vocab` numbers from a generator of that seed.
    """

    def __init__(self, max_bytes: int = LUCK_BYTES) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], tuple[torch.Generator, list[Tensor]]] = OrderedDict()

    def of(self, seed: int, d_vocab: int) -> Iterator[Tensor]:
        """float64 [d_vocab] on the CPU for step 0, 1, ..."""
        with self._lock:
            key = (seed, d_vocab)
            found = self._kept.pop(key, None) or (torch.Generator().manual_seed(seed), [])
            self._kept[key] = found  # the latest last
            while len(self._kept) > 1 and sum(8 * v * len(d) for (_, v), (_, d) in self._kept.items()) > self.max_bytes:
                self._kept.popitem(last=False)
        generator, drawn = found
        for step in range(max(self.max_bytes // (8 * d_vocab), 1)):
            with self._lock:
                if step == len(drawn):
                    drawn.append(gumbel(d_vocab, generator))
            yield drawn[step]
        own = torch.Generator()  # what is too long to keep is drawn anew each time
        own.set_state(generator.get_state())
        while True:
            yield gumbel(d_vocab, own)


def gumbel(d_vocab: int, generator: torch.Generator) -> Tensor:
    """float64 [d_vocab], -log(-log(u)) of uniform u."""
    uniform = torch.rand(d_vocab, dtype=torch.float64, generator=generator)
    return -(-uniform.log()).log()


def draw(logits: Tensor, temperature: float, noise: Tensor) -> Tensor:
    """argmax(logits / temperature + noise), [row] of [row, d_vocab] both; the argmax of the logits at temperature 0."""
    if temperature == 0:
        return logits.argmax(-1)
    return (logits.double().cpu() / temperature + noise).argmax(-1).to(logits.device)


def finite(logits: Tensor) -> Tensor:
    """bool [row]: whether there is a next token, of [row, d_vocab]: no nan, no +inf, not all -inf (some may be: tokens ruled out)."""
    return logits.amax(-1).isfinite()
