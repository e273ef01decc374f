"""A decoder resumed on one text in many ways at once: with pushes at a run of tokens, or with other activations from one
token on. What comes before is computed once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from saewidgets.decoder.engine import Decoder


def pushed_continuations(
    decoder: Decoder, prompt: Sequence[int], rows: Tensor, layer: int, first: int, stop: int, push: Tensor
) -> Tensor:
    """Logits [push, row, n, d_vocab] before each token of rows int64 [row, n] after a prompt, with push [push, d_model]
    added at tokens `first` to `stop` - 1 to what flows into `layer`.

    Layers below are computed once, and so are the tokens before `first`; the prompt is read once per push, for all
    rows.
    """
    prefix, n_prompt = decoder.prefix(prompt), len(prompt)
    (n_rows, n), n_pushes = rows.shape, len(push)
    begins = min(first, n_prompt)  # the prompt from here on is read anew
    x = decoder.residual(prompt, layer)[begins:].repeat(n_pushes, 1, 1)  # [push, pos - begins, d_model]
    x[:, : max(min(stop, n_prompt) - begins, 0)] += push[:, None]

    y = decoder.embedded(rows[:, :-1], n_prompt)  # [row, n - 1, d_model]
    for i, known in enumerate(prefix.cache[:layer] if n > 1 else ()):
        y = decoder.block(i, y, decoder.room(n_rows, n_prompt + n - 1, known), n_prompt)
    y = y.repeat(n_pushes, 1, 1)  # [push * row, n - 1, d_model]
    y[:, max(first - n_prompt, 0) : max(stop - n_prompt, 0)] += push.repeat_interleave(n_rows, 0)[:, None]

    for i in range(layer, decoder.n_layers):
        cache = decoder.room(n_pushes, n_prompt, prefix.cache[i][:, :begins])
        if begins < n_prompt:
            x = decoder.block(i, x, cache, begins, last=i == decoder.n_layers - 1)
        if n > 1:
            longer = decoder.room(n_pushes * n_rows, n_prompt + n - 1, cache.repeat_interleave(n_rows, 0))
            y = decoder.block(i, y, longer, n_prompt)
    last = decoder.logits(x[:, -1]) if begins < n_prompt else prefix.logits.expand(n_pushes, -1)
    last = last[:, None, None].expand(-1, n_rows, -1, -1)
    if n == 1:
        return last
    rest = decoder.logits(y.flatten(0, 1)).view(n_pushes, n_rows, n - 1, -1)
    return torch.cat([last, rest], 2)


def resumed_text(
    decoder: Decoder, tokens: Sequence[int], layer: int, start: int, x: Tensor, row: Tensor, position: Tensor
) -> Tensor:
    """Logits [n, d_vocab] at some tokens (row and position int64 [n], from `start` on) of a text, with x [row, pos -
    start, d_model] flowing into `layer` from token `start` on in place of its own.
    """
    prefix = decoder.prefix(tokens)
    for i in range(layer, decoder.n_layers):
        x = decoder.block(i, x, decoder.room(len(x), len(tokens), prefix.cache[i][:, :start]), start)
    return decoder.logits(x[row, position - start])
