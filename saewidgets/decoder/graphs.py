"""Texts written one token at a time by steps whose shapes never change, so that a GPU can run each as one graph.

A small model's token takes a GPU less time than it takes Python to launch the token's some hundred kernels. Here the
caches have the length that the text may come to have, the position is a number on the device, and attention looks at
all of the cache behind a mask: the layers below the edited site are one graph, those above it another, and the edit
itself, a function of Python, runs between them as ever. Elsewhere than on CUDA the same operations run one by one,
which is how tests hold them to `DecoderRun`.

Whether it pays has not been measured on a GPU yet: `benchmarks/gpu.py` does, and `SAEWIDGETS_GRAPHS=1` in the environment
switches it on.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from saewidgets.decoder.attention import Moving
from saewidgets.decoder.engine import Decoder, Function
from saewidgets.decoder.run import DecoderRun

WARM = 3  # calls of a pass before it is captured, in which libraries set themselves up


def run_of(
    decoder: Decoder, hook_name: str | None, edit: Function | None, *, groups: int, each: int, reference: bool
) -> DecoderRun:
    """A `DecoderRun`, or one by graphs where the environment asks for them and the model is on a CUDA device."""
    asked = os.environ.get("SAEWIDGETS_GRAPHS") == "1" and decoder.embedding.device.type == "cuda"
    kind = GraphRun if asked else DecoderRun
    return kind(decoder, hook_name, edit, groups=groups, each=each, reference=reference)


class GraphRun(DecoderRun):
    """A `DecoderRun` whose steps never change their shapes; an edit within a layer is left to `DecoderRun`'s own."""

    def begin(self, tokens: Sequence[int], n_more: int) -> tuple[Tensor, Tensor]:
        """See `DecoderRun.begin`."""
        found = super().begin(tokens, n_more)
        self._passes: dict[tuple[bool, int], _Pass] = {}
        for layer in self.decoder.layers:
            if layer.rotary is not None:
                layer.rotary.ready(self.caches[0].shape[1])
        for cache in self.caches:  # what is not written yet stands behind the mask, and a nan in it would come through
            cache[:, self.start :] = 0
        return found

    def step(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """See `DecoderRun.step`."""
        if self.inner:
            return super().step(tokens)
        start, rows = self.start, self.rows
        x = self._pass(False, len(tokens))(tokens[:, None], start)
        self.start += 1
        if self.edit is not None:
            x = self._branched(x, start)
        logits = self._pass(True, len(x))(x, start).clone()  # the next step writes over it
        return logits[:rows], logits[-rows:]

    def keep(self, rows: Tensor, groups: int, edit: Function | None) -> None:
        """See `DecoderRun.keep`."""
        super().keep(rows, groups, edit)
        self._passes = {}
        for cache in self.caches:
            cache[:, self.start :] = 0

    def _pass(self, upper: bool, rows: int) -> _Pass:
        if (upper, rows) not in self._passes:
            n = self.decoder.n_layers
            layers = range(min(self.first, n), n) if upper else range(min(self.first, n))
            self._passes[upper, rows] = _Pass(self.decoder, layers, self.caches, upper)
        return self._passes[upper, rows]


class _Pass:
    """One token of each row through some layers, from the embedding on or to the logits."""

    def __init__(self, decoder: Decoder, layers: range, caches: Sequence[Tensor], upper: bool) -> None:
        self.decoder, self.layers, self.caches, self.upper = decoder, layers, caches, upper
        self.position = torch.zeros(1, dtype=torch.int64, device=decoder.embedding.device)
        self.given: Tensor | None = None
        self.graph: Any = None
        self.out = self.position
        self.calls = 0

    def __call__(self, given: Tensor, start: int) -> Tensor:
        """What flows out for tokens [row, 1], or for x [row, 1, d_model], of the token at `start`; valid until the next
        call.
        """
        self.position.fill_(start)
        if self.given is None:
            self.given = torch.empty_like(given)
        self.given.copy_(given)
        self.calls += 1
        if self.graph is None and self.calls == WARM + 1 and self.position.device.type == "cuda":
            self._capture()
        if self.graph is None:
            return self._computed(self.given)
        self.graph.replay()
        return self.out

    def _computed(self, given: Tensor) -> Tensor:
        decoder, start = self.decoder, Moving(self.position)
        x = given if self.upper else decoder.embedded(given, start)
        for i in self.layers:
            x = decoder.block(i, x, self.caches[i], start)
        return decoder.logits(x[:, -1]) if self.upper else x

    def _capture(self) -> None:
        """Nothing is computed by it. Where it fails, the operations go on one by one."""
        assert self.given is not None
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may use the GPU meanwhile
                self.out = self._computed(self.given)
            self.graph = graph
        except RuntimeError:
            self.graph = None
