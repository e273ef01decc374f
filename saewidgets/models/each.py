"""Many texts at a time: prompts continued in one batch, each in its own way, and several sites read in one pass. That
is how a corpus is written, and how the activations of it are read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from saewidgets.decoder import reads
from saewidgets.decoder.products import quick_product
from saewidgets.models.decoders import HookedDecoder
from saewidgets.models.model import Model
from saewidgets.models.writing import KEPT_SHARE, padded
from saewidgets.records.arguments import listed, real, seed_of, whole


def continue_each(
    model: Model, prompts: Sequence[Sequence[int]], *, n_tokens: int, temperature: float, seeds: Sequence[int]
) -> list[list[int]]:
    """Continue each prompt once, all in one batch: up to `n_tokens` token ids each, without the token that ends a text.

    `Model.sample` continues one prompt many times; here every row has its own, of any length. The rows are read
    together up to the length of the shortest; then each step reads the next token of the longer prompts, and draws one
    for the others, so prompts of nearly one length go best together. A token is drawn where a number between 0 and 1
    falls among the probabilities at `temperature`; the numbers depend on the row's seed alone. Temperature 0 takes the
    likeliest. In 16 bits the text of a row may depend on the rows beside it, where two tokens are as good as tied.

    Raises ValueError for an empty prompt, one that leaves no room in the context, or a seed, temperature or number of
    tokens that cannot be.

    Example:
        >>> model = load_model()
        >>> prompts = [model.tokens("The Golden Gate Bridge is").tolist(), model.tokens("I live in").tolist()]
        >>> [len(text) for text in continue_each(model, prompts, n_tokens=5, temperature=0.8, seeds=[0, 1])]
        [5, 5]
    """
    n_tokens, temperature = whole(n_tokens, "n_tokens", minimum=1), real(temperature, "temperature", minimum=0)
    seeds = [seed_of(seed) for seed in listed(seeds, "seeds", "0")]
    if len(seeds) != len(prompts):
        raise ValueError(f"give one seed per prompt: {len(prompts)} prompts and {len(seeds)} seeds")
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    if int(lengths.min()) < 1:
        raise ValueError(f"prompt {int(lengths.argmin())} is empty: give at least one token")
    longest = int(lengths.max())
    if longest + n_tokens > model.n_ctx:
        raise ValueError(
            f"a prompt of {longest} tokens and {n_tokens} more do not fit in the context of {model.n_ctx}: "
            "give a shorter prompt, or a smaller n_tokens"
        )
    rows, _ = padded(prompts, torch.device("cpu"))
    uniform = torch.from_numpy(np.stack([np.random.default_rng(seed).random(n_tokens) for seed in seeds]))
    with model.lock, torch.no_grad():
        decoder = model._decoder()
        fast = decoder if decoder is not None and decoder.quiet() else None
        return _continued(model, fast, rows, lengths, uniform, temperature)


def read_sites(model: Model, tokens: Tensor, hook_names: Sequence[str]) -> dict[str, Tensor]:
    """`Model.read` of sites of the residual stream between layers, to float rounding and faster: [batch, pos, d_model]
    each.

    tokens int64 [batch, pos]; padding -1 on the right. The layers are run once, up to the last site. Where the decoder
    is not proven to read the sites as TransformerLens does, it is `Model.read` itself.
    """
    hook_names = listed(hook_names, "hook_names", "'blocks.2.hook_resid_post'")
    with model.lock, torch.no_grad():
        decoder = model._decoder()
        if (
            decoder is None
            or not decoder.quiet()
            or not all(reads(decoder, name, model.activations) for name in hook_names)
        ):
            return model.read(tokens.clamp(min=0), hook_names)
        places = {name: decoder.site(name) for name in hook_names}
        layers = {name: place[0] for name, place in places.items() if place is not None and not place[1]}
        if len(layers) < len(hook_names):
            return model.read(tokens.clamp(min=0), hook_names)
        x, found = decoder.embedded(tokens.to(model.device).clamp(min=0), 0), {}
        for i in range(max(layers.values(), default=0) + 1):
            found.update({name: x for name, layer in layers.items() if layer == i})
            if i < max(layers.values()):
                x = decoder.block(i, x, product=quick_product)
        return found


def drawn(logits: Tensor, temperature: float, uniform: Tensor) -> Tensor:
    """Tokens [row] of logits [row, d_vocab]: the first at which the summed probabilities pass uniform [row], in 0 to 1.

    Example:
        >>> drawn(torch.tensor([[0.5, 0.3, 0.2]]).log(), 1.0, torch.tensor([0.6], dtype=torch.float64))
        tensor([1])
    """
    if temperature == 0:
        return logits.argmax(-1)
    total = torch.softmax(logits.float() / temperature, -1).cumsum_(-1)
    last = total[:, -1]
    at = torch.minimum(uniform.to(total) * last, last.nextafter(torch.zeros_like(last)))  # a number may round up to 1
    return torch.searchsorted(total, at[:, None], right=True)[:, 0]


def _continued(
    model: Model, decoder: HookedDecoder | None, prompts: Tensor, lengths: Tensor, uniform: Tensor, temperature: float
) -> list[list[int]]:
    """See `continue_each`: prompts int64 [row, longest], padded on the right with 0; uniform [row, n_tokens]."""
    n, first, longest = uniform.shape[1], int(lengths.min()), prompts.shape[1]
    found: list[list[int]] = [[] for _ in lengths]
    rows, live = torch.arange(len(lengths)), torch.ones(len(lengths), dtype=torch.bool)
    ends = torch.tensor(sorted(model.end_token_ids), dtype=torch.long)
    reader = _Reader(model, decoder, len(rows), longest + n)
    shared = _shared(prompts, first - 1)
    reader.share(prompts[:1, :shared])
    logits = reader.read(prompts[:, shared:first])
    for at in range(first, longest + n):  # the place of the token that is found now
        step = at - lengths[rows]  # of each row's own text; below 0 within its prompt
        tokens = drawn(logits, temperature, uniform[rows, step.clamp(0, n - 1)].to(logits.device)).cpu()
        tokens = torch.where(step < 0, prompts[rows, min(at, longest - 1)], tokens)
        live &= (step < 0) | ~torch.isin(tokens, ends)
        own = live & (step >= 0)
        for row, token in zip(rows[own].tolist(), tokens[own].tolist(), strict=True):
            found[row].append(token)
        live &= step < n - 1
        if not live.any():
            break
        if int(live.sum()) < KEPT_SHARE * len(rows):
            kept = live.nonzero()[:, 0]
            reader.keep(kept)
            rows, tokens, live = rows[kept], tokens[kept], live[kept]
        logits = reader.read(tokens[:, None])
    return found


def _shared(prompts: Tensor, most: int) -> int:
    """How many tokens all prompts [row, pos] begin with alike, `most` at most."""
    other = (prompts != prompts[:1]).any(0).nonzero()
    return min(most, int(other[0]) if len(other) else prompts.shape[1])


class _Reader:
    """Rows of tokens that are read piece by piece: by the decoder with a cache, or all of them anew by TransformerLens."""

    def __init__(self, model: Model, decoder: HookedDecoder | None, rows: int, n: int) -> None:
        self.model, self.decoder = model, decoder
        self.known = torch.empty(rows, 0, dtype=torch.long)  # without a decoder: the tokens so far
        self.start = 0
        self.caches = [] if decoder is None else [decoder.room(rows, n) for _ in range(decoder.n_layers)]

    def share(self, tokens: Tensor) -> None:
        """Begin all rows with these tokens, int64 [1, pos]: they are read once."""
        self.known, n = tokens.expand(len(self.known), -1), tokens.shape[1]
        if self.decoder is None or not n:
            return
        x = self.decoder.embedded(tokens.to(self.model.device), 0)
        for i, cache in enumerate(self.caches):
            own = self.decoder.room(1, n)
            x = self.decoder.block(i, x, own, 0, product=quick_product)
            cache[:, :n] = own
        self.start = n

    def read(self, tokens: Tensor) -> Tensor:
        """Logits [row, d_vocab] after the next tokens, int64 [row, pos]."""
        if self.decoder is None:
            self.known = torch.cat([self.known, tokens], 1)
            return self.model.logits(self.known)[:, -1]
        x = self.decoder.embedded(tokens.to(self.model.device), self.start)
        for i, cache in enumerate(self.caches):
            # Many rows: not the fused layer, which is for few.
            x = self.decoder.block(i, x, cache, self.start, last=i == len(self.caches) - 1, product=quick_product)
        self.start += tokens.shape[1]
        return self.decoder.unembedded(x[:, -1])

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only, int64 [row]."""
        self.known = self.known[rows]
        for i, cache in enumerate(self.caches):
            kept = cache.new_empty(len(rows), *cache.shape[1:])
            kept[:, : self.start] = cache[rows.to(cache.device), : self.start]
            self.caches[i] = kept
