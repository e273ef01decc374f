"""The passes of a `Model` that begin at a site: what comes before it is computed once, and what comes after it only
where it is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from saewidgets.decoder import Edit, differentiable_logits, pushed_continuations, reaches, reads, resumed_text
from saewidgets.kernels.logits import compared
from saewidgets.memory import CELLS
from saewidgets.models.decoders import HookedDecoder, decoder_of
from saewidgets.models.gate import Gate
from saewidgets.models.passes import Passes
from saewidgets.models.texts import Texts, Tokens
from saewidgets.models.writing import padded, pushed_at, summed_logprobs
from saewidgets.records.arguments import whole

PUSHES = 64  # in one forward pass
PUSHED_LOGITS = 1 << 23  # logits at a time where pushes are tried: 32 MB


class Effects(Texts):
    """The part of a `Model` that says what a change at a hook point does to the logits.

    Where the decoder is proven (`models.decoders`), only the layers above the hook point run, from the first token that
    changes on; elsewhere whole passes of TransformerLens give the same.
    """

    use_decoder: bool
    lock: Gate
    _passes: Passes

    def logits(self, tokens: Tokens, edit: Edit | None = None) -> Tensor:
        """See `Model.logits`."""
        raise NotImplementedError

    def activations(self, tokens: Tokens, hook_name: str) -> Tensor:
        """See `Model.activations`."""
        raise NotImplementedError

    def read(self, tokens: Tokens, hook_names: Sequence[str], edit: Edit | None = None) -> dict[str, Tensor]:
        """See `Model.read`."""
        raise NotImplementedError

    def gradient(
        self,
        tokens: Tokens,
        hook_name: str,
        score: Callable[[Tensor], Tensor],
        push: Tensor | None = None,
        *,
        wanted: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """How a score of the logits depends on what flows through a hook point, in one pass forward and one back.

        `score` takes the logits [batch, pos, d_vocab] and gives one number per row, [batch]; a row's score must depend
        on its own logits alone. With `wanted` it gets those of the last so many tokens only, which are then all that
        are made. A `push` [batch, pos, d] is added at the hook point first.

        Returns (scores [batch], gradient [batch, pos, d]). Weights keep no gradient of it. Where the decoder is proven,
        only the layers above the hook point are gone through forward and back. Raises ValueError on an unknown hook,
        one on which the logits do not depend, or `wanted` more than there are tokens.

        Example:
            >>> ids = model.tokens("The cat sat")
            >>> model.gradient(ids, hook_name, lambda logits: logits[:, -1, 7], wanted=1)[1].shape
            torch.Size([1, 5, 160])
        """
        rows = self._rows(tokens)
        n = rows.shape[1] if wanted is None else whole(wanted, "wanted", minimum=1)
        if n > rows.shape[1]:
            raise ValueError(f"wanted {n} tokens' logits, and there are {rows.shape[1]} tokens; give at most that")
        with self.lock, torch.inference_mode(False):
            with torch.no_grad():
                found = self._decoder_at(hook_name)
            if found is not None and reads(found[0], hook_name, self.activations):
                decoder, layer = found
                with torch.no_grad():
                    same = len(rows) > 1 and bool((rows == rows[:1]).all())  # one text in many ways is read once
                    own = (rows[:1] if same else rows).clone().clamp_(min=0)
                    x = decoder.read(own, hook_name).expand(len(rows), -1, -1)
                x = (x.clone() if push is None else x + push.to(x)).requires_grad_()
                with torch.enable_grad():
                    scores = score(differentiable_logits(decoder, layer, x, n))
                    (gradient,) = torch.autograd.grad(scores.sum(), x)
                return scores.detach(), gradient
            return self._passes.gradient(rows, hook_name, lambda logits: score(logits[:, -n:]), push)

    def linked(self, tokens: Tokens, hook_names: Sequence[str]) -> dict[str, Tensor]:
        """What flows through several hook points in one forward pass of TransformerLens, with the graph between them:
        {name: [batch, pos, d]}.

        torch can go back from any of them to one that lies before it; of what is before the first, nothing is kept.
        Rows may be padded on the right with -1. Raises ValueError on an unknown hook, or one through which nothing
        flows in a plain forward pass.

        Example:
            >>> flows = model.linked(model.tokens("The cat sat"), ["blocks.1.hook_resid_post", "blocks.3.hook_resid_post"])
            >>> first, last = flows.values()
            >>> torch.autograd.grad(last.sum(), first)[0].shape
            torch.Size([1, 5, 160])
        """
        return self._passes.linked(self._rows(tokens), hook_names)

    def resumed_logits(self, tokens: Tensor, hook_name: str, x: Tensor, row: Tensor, position: Tensor) -> Tensor:
        """float32 [n, d_vocab]: logits after some tokens, with x [row, pos, d] flowing through a hook point in place of
        its own.

        `tokens` are int64 [row, pos], padded on the right with -1; `row` and `position`, int64 [n] each, say whose
        logits are wanted. Where the decoder is proven, only the layers above the hook point are computed, and the
        unembedding where it is wanted. Raises ValueError on an unknown hook.

        Example:
            >>> x = model.activations(tokens, hook_name)  # doctest: +SKIP
            >>> model.resumed_logits(tokens, hook_name, x, row, position)  # = logits(tokens)[row, position]  # doctest: +SKIP
        """
        with self.lock, torch.no_grad():
            if (found := self._decoder_at(hook_name)) is not None:
                decoder, layer = found
                flow, place = x.to(decoder.embedding), (row.to(self.device), position.to(self.device))
                return decoder.resumed(layer, flow, *place).float()
        return self._replaced_logits(tokens, hook_name, 0, x, row, position)

    def resumed_losses(self, tokens: Tensor, hook_name: str, flows: Sequence[Tensor]) -> tuple[np.ndarray, np.ndarray]:
        """(loss, divergence), float64 [flow, n] each, in nats, with each of some flows x [row, pos, d] in place of what
        flows through a hook point: the loss of every token that follows another, and the KL divergence of the
        distribution before it from the first flow's.

        `tokens` are int64 [row, pos], padded on the right with -1. The n tokens come row by row. No more logits are
        held than `CELLS`. Raises ValueError on an unknown hook.

        Example:
            >>> x = model.activations(tokens, hook_name)  # doctest: +SKIP
            >>> loss, divergence = model.resumed_losses(tokens, hook_name, [x, 0 * x])  # doctest: +SKIP
        """
        row, position = (tokens[:, 1:] >= 0).nonzero(as_tuple=True)
        target, some = tokens[row, position + 1], max(1, CELLS // self.d_vocab)
        found = [(np.empty((len(flows), 0)),) * 2]
        with self.lock, torch.no_grad():
            if (place := self._decoder_at(hook_name)) is not None:
                decoder, layer = place
                at = row.to(self.device), position.to(self.device)
                out = [decoder.flown(layer, x.to(decoder.embedding))[at] for x in flows]  # [n, d_model] each
                for first in range(0, len(row), some):
                    own = slice(first, first + some)
                    found.append(compared([decoder.logits(x[own]) for x in out], target[own]))
        if place is None:
            each = max(1, some // tokens.shape[1])  # texts at a time, of which all logits are made
            for first in range(0, len(tokens), each):
                block = slice(first, first + each)
                here = (row >= first) & (row < first + each)
                at = row[here] - first, position[here]
                logits = [self._replaced_logits(tokens[block], hook_name, 0, x[block], *at) for x in flows]
                found.append(compared(logits, target[here]))
        loss, divergence = (np.concatenate(parts, 1) for parts in zip(*found, strict=True))
        return loss, divergence

    def resumed_text_logits(
        self, text: Tensor, hook_name: str, start: int, x: Tensor, row: Tensor, position: Tensor
    ) -> Tensor:
        """float32 [n, d_vocab]: `resumed_logits` of one text [pos] in many ways, with x [row, pos - start, d] flowing
        through a hook point from token `start` on; every `position` is `start` or later.

        Where the decoder is proven, nothing before `start` is computed again. Raises ValueError on an unknown hook.

        Example:
            >>> text, row, position = model.tokens("The cat sat"), torch.tensor([0]), torch.tensor([3])
            >>> x = model.activations(text, hook_name)[:, 2:]
            >>> model.resumed_text_logits(text, hook_name, 2, x, row, position).shape
            torch.Size([1, 2048])
        """
        with self.lock, torch.no_grad():
            if (found := self._decoder_at(hook_name)) is not None:
                decoder, layer = found
                flow, place = x.to(decoder.embedding), (row.to(self.device), position.to(self.device))
                return resumed_text(decoder, text.tolist(), layer, start, flow, *place).float()
        return self._replaced_logits(text.expand(len(x), -1), hook_name, start, x, row, position)

    def pushed_logits(
        self, prompt: Tensor, hook_name: str, position: Tensor, push: Tensor
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Logits after a prompt [pos] for every push [n, d], added to the activation at token `position` [n] of a hook
        point.

        Yields (which pushes, int64 [m]; logits float32 [m, d_vocab]), all of one position together, positions
        ascending. Where the decoder is proven, only what a push can change is computed: the tokens from its own on, the
        layers above the hook point. Raises ValueError on an unknown hook.
        """
        with self.lock, torch.no_grad():
            found = self._decoder_at(hook_name)  # one look at the weights for all passes

        def logits(at: int, push: Tensor) -> Tensor:  # [row, d] -> [row, d_vocab]
            with self.lock, torch.no_grad():
                if found is not None and found[0].quiet():
                    decoder, layer = found
                    return decoder.pushed(prompt.tolist(), layer, at, push.to(decoder.embedding)).float()
            edit = Edit(hook_name, pushed_at(push, at, at + 1))
            return self.logits(prompt.expand(len(push), -1), edit)[:, -1].float()

        width = 1 if found is not None else len(prompt)  # tokens whose logits are made
        most = max(1, min(PUSHES, PUSHED_LOGITS // (self.d_vocab * width)))
        for at in position.unique().tolist():
            for rows in (position == at).nonzero()[:, 0].split(most):
                yield rows, logits(at, push[rows])

    def pushed_logprobs(
        self,
        prompt: Tokens,
        continuations: Sequence[Sequence[int]],
        hook_name: str,
        push: Tensor,
        *,
        span: tuple[int, int] = (0, 1 << 62),
    ) -> Iterator[tuple[Tensor, np.ndarray]]:
        """The log-probability of each continuation (token ids) of a prompt [pos], in nats, under every push [n, d],
        added to the activation at a hook point at every token from span[0] to span[1] - 1.

        Yields (which pushes, int64 [m]; float64 [m, continuation]), pushes in order. Tokens are counted from the
        prompt's first on; those of a continuation come after the prompt's. A push of zeros gives what the model gives
        by itself, by the very same arithmetic. Where the decoder is proven, only what a push can change is computed:
        the tokens from the span's first on, the layers above the hook point, the unembedding before the continuations'
        tokens. Raises ValueError on an unknown hook, an empty prompt or continuation, or where both do not fit in the
        context.

        Example:
            >>> ids, after = model.tokens("I am"), [model.continuation(" a cat").tolist()]
            >>> list(model.pushed_logprobs(ids, after, hook_name, sae.decoder_directions[:2]))
        """
        ids = self._one_row(prompt)
        self._passes.point(hook_name)
        rows, real = padded(continuations, self.device)
        (n_rows, n), n_prompt = rows.shape, ids.shape[1]
        self._check_length(n_prompt + n)
        with self.lock, torch.no_grad():
            found = self._decoder_at(hook_name)

        def logits(push: Tensor) -> Tensor:  # [push, d] -> [push, row, n, d_vocab]
            with self.lock, torch.no_grad():
                if found is not None and found[0].quiet():
                    decoder, layer = found
                    flow = push.to(decoder.embedding)
                    return pushed_continuations(decoder, ids[0].tolist(), rows, layer, *span, flow).float()
            texts = torch.cat([ids.expand(n_rows, -1), rows[:, :-1]], 1).repeat(len(push), 1)
            edit = Edit(hook_name, pushed_at(push.repeat_interleave(n_rows, 0), *span))
            return self.logits(texts, edit)[:, -n:].float().view(len(push), n_rows, n, -1)

        width = n if found is not None else n_prompt + n
        most = max(1, min(PUSHES, PUSHED_LOGITS // (self.d_vocab * n_rows * width)))
        for part in torch.arange(len(push)).split(most):
            yield part, summed_logprobs(logits(push[part.to(push.device)]), rows, real)

    def _replaced_logits(
        self, tokens: Tensor, hook_name: str, start: int, x: Tensor, row: Tensor, position: Tensor
    ) -> Tensor:
        """float32 [n, d_vocab] by a whole pass over tokens [row, pos], with x [row, pos - start, d] flowing through a
        hook point from token `start` on in place of its own.
        """

        def other(own: Tensor, begin: int) -> Tensor:
            return torch.cat([own[:, :start], x.to(own)], 1)

        logits = self.logits(tokens, Edit(hook_name, other))
        return logits[row.to(logits.device), position.to(logits.device)].float()

    # -- the decoder -------------------------------------------------------------------------------------------------

    def _decoder(self) -> HookedDecoder | None:
        """The proven decoder, or None. Call it with the lock held."""
        return decoder_of(self.hooked, self.logits, self.read) if self.use_decoder else None

    def _decoder_at(self, hook_name: str) -> tuple[HookedDecoder, int] | None:
        """The decoder and the first layer above a hook point of the residual stream, where it is proven to reach it."""
        decoder = self._decoder()
        place = decoder.site(hook_name) if decoder is not None and decoder.quiet() else None
        if decoder is None or place is None or place[1]:
            return None
        return (decoder, place[0]) if reaches(decoder, hook_name, self.logits) else None
