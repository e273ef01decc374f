"""Texts being written by a decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from saewidgets.decoder.engine import Decoder, Function


class DecoderRun:
    """One text or a batch of them being written by a `Decoder`: `begin` reads the prompt, `step` one more token of each
    row.

    Rows come in groups of `each` that share their edit, so that the prompt is read once per group. Below the edited
    site the edited and the unedited model are one, so they part only there; as long as the edit changes no bit they do
    not part at all.
    """

    def __init__(
        self, decoder: Decoder, hook_name: str | None, edit: Function | None, *, groups: int, each: int, reference: bool
    ) -> None:
        self.decoder, self.edit, self.groups, self.each = decoder, edit, groups, each
        self.reference = reference
        self.first: int
        self.first, self.inner = (hook_name and decoder.site(hook_name)) or (decoder.n_layers, "")
        self.parted = False  # whether an edit has changed something
        self.reading = False  # the prompt: one row per group, all of them edited
        self.start = 0
        self.caches: list[Tensor] = []

    @property
    def rows(self) -> int:
        """Texts in the batch."""
        return self.groups * self.each

    def begin(self, tokens: Sequence[int], n_more: int) -> tuple[Tensor, Tensor]:
        """Logits [row, d_vocab] of the edited and of the unedited model after a prompt that all rows share."""
        decoder, n = self.decoder, len(tokens)
        prefix = decoder.prefix(tokens)
        own = prefix.logits.expand(self.rows, -1)
        room = min(n + n_more, decoder.n_ctx)
        both = self.rows * (1 + self.reference)
        self.caches = [decoder.room(self.rows if i < self.first else both, room) for i in range(decoder.n_layers)]
        self.start = n
        for cache, known in zip(self.caches[: self.first], prefix.cache, strict=False):
            cache[:, :n] = known
        if self.edit is None:
            return own, own
        x = decoder.residual(tokens, min(self.first, decoder.n_layers)).expand(self.groups, -1, -1).clone()
        edited = x if self.inner else self._edited(x.clone(), 0)
        self.parted = self.reading = bool(self.inner) or not torch.equal(edited, x)
        for i in range(self.first, decoder.n_layers):
            self.caches[i][self.rows if self.parted else 0 :, :n] = prefix.cache[i]
        if not self.parted:
            return own, own
        for i in range(self.first, decoder.n_layers):
            cache = self.caches[i] if self.each == 1 else decoder.room(self.groups, n)
            edited = decoder.block(i, edited, cache, 0, *self._within(i), last=i == decoder.n_layers - 1)
            if self.each > 1:
                self.caches[i][: self.rows, :n] = cache.repeat_interleave(self.each, 0)
        self.reading = False
        return decoder.logits(edited[:, -1]).repeat_interleave(self.each, 0), own

    def step(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [row, d_vocab] of the edited and of the unedited model after one more token in each row, int64 [row].

        Without `reference` the second are the first.
        """
        decoder, start, rows = self.decoder, self.start, self.rows
        x = decoder.embedded(tokens[:, None], start)
        for i in range(min(self.first, decoder.n_layers)):
            x = decoder.block(i, x, self.caches[i], start)
        self.start += 1
        if self.edit is not None:
            x = self._branched(x, start)
        for i in range(self.first, decoder.n_layers):
            x = decoder.block(i, x, self.caches[i], start, *self._within(i))
        logits = decoder.logits(x[:, -1])
        return logits[:rows], logits[-rows:]

    def keep(self, rows: Tensor, groups: int, edit: Function | None) -> None:
        """Go on with these rows only, int64 [row], in `groups` groups, under an edit that knows them."""
        both = torch.cat([rows, rows + self.rows]) if self.reference else rows
        for i, cache in enumerate(self.caches):
            kept = cache.new_empty(len(rows if i < self.first else both), *cache.shape[1:])
            kept[:, : self.start] = cache[rows if i < self.first else both, : self.start]
            self.caches[i] = kept
        self.groups, self.each, self.edit = groups, len(rows) // groups, edit

    def _branched(self, x: Tensor, start: int) -> Tensor:
        """What goes on above the site: the edited rows, and below them the unedited ones once the two have parted."""
        edited = x if self.inner else self._edited(x.clone(), start)
        if not self.parted:
            if not self.inner and torch.equal(edited, x):
                return x
            self.parted = True
            if self.reference:
                for cache in self.caches[self.first :]:
                    cache[self.rows :, :start] = cache[: self.rows, :start]
        return torch.cat([edited, x]) if self.reference else edited

    def _within(self, layer: int) -> tuple[str, Function | None]:
        """The place within this layer where the edit acts, and the edit, which leaves the unedited rows alone."""
        if not self.inner or layer != self.first or self.edit is None:
            return "", None

        def edit(x: Tensor, start: int) -> Tensor:
            if self.reading:
                return self._edited(x, start)
            return torch.cat([self._edited(x[: self.rows], start), x[self.rows :]])

        return self.inner, edit

    def _edited(self, x: Tensor, start: int) -> Tensor:
        assert self.edit is not None
        found = self.edit(x, start)
        if found.shape != x.shape:
            raise ValueError(f"an edit turned {list(x.shape)} into {list(found.shape)}: it must keep the shape")
        return found.to(x.dtype)
