"""Text being written: one forward pass per token, over the decoder where it is proven and TransformerLens elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor

from saewidgets.decoder import DecoderRun, Edit, run_of
from saewidgets.models.decoders import HookedDecoder
from saewidgets.models.passes import Passes


class HookedRun:
    """A batch of texts written by TransformerLens itself: the edited rows first, then the unedited ones if asked."""

    def __init__(self, passes: Passes, edit: Edit | None, *, rows: int, reference: bool) -> None:
        self.passes, self.edit, self.rows, self.reference = passes, edit, rows, reference
        self.cache = passes.backend.new_cache(rows * (1 + reference))
        self.start = 0

    def read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [row, d_vocab] of the edited and of the unedited model after the next tokens, [row, n]."""
        both = tokens.repeat(2, 1) if self.reference else tokens
        with self.passes.edited(self.edit, start=self.start, rows=self.rows if self.reference else None):
            logits = self.passes.backend.forward(both, self.cache)[:, -1]
        self.start += tokens.shape[1]
        return logits[: self.rows], logits[-self.rows :]


class Run:
    """A batch of texts that continue one prompt, over whichever of the two loops may be used now.

    A hook that comes on the model in the middle of a text (for good, or in this thread) is heard from the next token
    on: the rest of the text is then written by TransformerLens, which reads the text so far again. Begin it with the
    lock held: which loop writes must not depend on what another thread does at the moment.
    """

    def __init__(
        self,
        prompt: Tensor,
        decoder: HookedDecoder | None,
        passes: Passes,
        *,
        edit: Edit | None,
        groups: int,
        each: int,
        reference: bool,
        n_more: int,
    ) -> None:
        self.passes, self.decoder, self.edit, self.reference = passes, decoder, edit, reference
        self.read = [prompt.expand(groups * each, -1)]  # [row, pos] so far, in parts
        self.n_more = n_more
        self.fast: DecoderRun | None = None
        self.slow: HookedRun | None = None
        if decoder is not None and decoder.quiet():
            at, function = (edit.hook_name, edit.function) if edit is not None else (None, None)
            self.fast = run_of(decoder, at, function, groups=groups, each=each, reference=reference)
        else:
            self.slow = self._hooked(groups * each)

    def begin(self) -> tuple[Tensor, Tensor]:
        """Logits [row, d_vocab] after the prompt, of the edited and of the unedited model; float32 both."""
        with self.passes.lock, torch.no_grad():
            if self.fast is None:
                return self._slowly(self.read[0])
            return _wide(self.fast.begin(self.read[0][0].tolist(), self.n_more))

    def step(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The same after one more token in each row, int64 [row]."""
        self.read.append(tokens[:, None])
        with self.passes.lock, torch.no_grad():
            if self.fast is not None and self.decoder is not None and self.decoder.quiet():
                return _wide(self.fast.step(tokens))
            if self.slow is None:
                self.fast, self.slow = None, self._hooked(len(tokens))
                return self._slowly(torch.cat(self.read, 1))
            return self._slowly(tokens[:, None])

    def keep(self, rows: Tensor, edit: Edit | None) -> bool:
        """Go on with these rows only, int64 [row], each a group of its own; `edit` is the one that knows them, None where
        there was none. False where that cannot be: nothing has changed.
        """
        if self.fast is None or self.slow is not None:
            return False
        self.read, self.edit = [torch.cat(self.read, 1)[rows]], edit
        self.fast.keep(rows, len(rows), None if edit is None else edit.function)
        return True

    def _hooked(self, rows: int) -> HookedRun:
        return HookedRun(self.passes, self.edit, rows=rows, reference=self.reference)

    def _slowly(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        assert self.slow is not None
        return _wide(self.slow.read(tokens))


def _wide(logits: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Both in float32, and one where they are one."""
    edited = logits[0].float()
    return edited, edited if logits[1] is logits[0] else logits[1].float()
