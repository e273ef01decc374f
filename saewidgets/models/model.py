"""A language model with hooks, safe to share between threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.decoder import Edit, reaches, reads
from saewidgets.elsewhere import MODEL, instead
from saewidgets.models.backends import backend_of, neuron_writes
from saewidgets.models.bridged import ends_of_text, taken_up
from saewidgets.models.effects import Effects
from saewidgets.models.gate import guard
from saewidgets.models.passes import Passes
from saewidgets.models.runs import Run
from saewidgets.models.sampling import Gumbel
from saewidgets.models.texts import Tokens
from saewidgets.models.vocabulary import Vocabulary
from saewidgets.models.writing import (
    batched,
    forced_logprobs,
    not_finite_error,
    streamed,
    turn,
)
from saewidgets.records import TEMPERATURE, NotFiniteError
from saewidgets.records.arguments import listed, real, seed_of, whole


class Model(Effects):
    """A TransformerLens model behind a short list of verbs. Make one with `load_model`, or of a model in memory with
    `Model(hooked)` or `Model(hf_model, tokenizer)`.

    Every forward pass takes one lock, `lock`, and its hooks answer in that pass only, so a clamp that streams in one
    thread leaves a forward pass in another clean, bit for bit. No hook outlives its forward pass.

    `hooked`, the TransformerLens object itself, may be used beside it from any thread: its `run_with_cache`,
    `run_with_hooks` and plain calls take the same lock. Hooks that you add to it (`with hooked.hooks(...)`,
    `hooked.add_hook`) act in your thread, on the verbs of this class as well; other threads wait until they are gone,
    and a panel says so. Those of `add_perma_hook` act in all threads.

    Example:
        >>> model = load_model()
        >>> model.logits(model.tokens("The cat sat")).shape
        torch.Size([1, 5, 2048])
    """

    def __init__(
        self, hooked: Any, tokenizer: Any = None, *, name: str | None = None, vocabulary: Vocabulary | None = None
    ) -> None:
        """`hooked` is a HookedTransformer, a TransformerBridge, or a model of the transformers library, over which a
        bridge is laid (it shares the model's modules, wraps them, and puts the model in eval mode). `tokenizer`, in
        transformers' class, goes with the last; without one the model is used by token ids.

        Raises TypeError for anything else, ValueError for an architecture that TransformerLens has no bridge for.
        """
        hooked, tokenizer, name, end = taken_up(hooked, tokenizer, name)
        backend = backend_of(hooked)
        self.hooked, self.name, cfg = hooked, name, hooked.cfg
        self.source: dict[str, Any] | None = None  # what `load_model` was given, as JSON; None: made in this process
        self.quantization = ""  # what the weights were before they became floats again, such as "Q4_1"
        self.n_layers: int = cfg.n_layers
        self.d_model: int = cfg.d_model
        self.d_vocab: int = cfg.d_vocab
        self.n_ctx: int = cfg.n_ctx
        self.weight_processing = "folded" if backend.folded() else "none"
        self.centers = backend.centers()  # whether its norms take the mean off (LayerNorm; not RMSNorm)
        self.bos_token_id: int | None = getattr(tokenizer, "bos_token_id", None)
        eos = getattr(tokenizer, "eos_token_id", None)
        self.eos_token_id: int | None = end if eos is None else eos
        self.prepend_bos: bool = self.bos_token_id is not None and bool(getattr(cfg, "default_prepend_bos", True))
        if vocabulary is None and getattr(tokenizer, "backend_tokenizer", None) is not None:
            vocabulary = Vocabulary(tokenizer.backend_tokenizer, self.d_vocab)
        self._vocabulary = vocabulary
        # As they are now: a token that others come to call special later must not drop out of a count.
        self._special = frozenset(getattr(tokenizer, "all_special_ids", None) or ())
        self.chat_format = ""  # with {} for the message, where the tokenizer has no template of its own
        self._turn_end: tuple[str, str] | None = None
        self._ends = ends_of_text(hooked)
        self.use_decoder = True  # where it is proven (`models.decoders`); False: every pass is TransformerLens's own
        self.lock = guard(hooked)  # one for each TransformerLens object, however many `Model`s hold it
        self._passes = Passes(backend, self.lock, self.name)
        self._gumbel = Gumbel()

    @classmethod
    def wrap(cls, model: Model | nn.Module) -> Model:
        """A `Model` over a HookedTransformer, TransformerBridge or transformers model of your own; a `Model` comes back
        as it is.

        Raises TypeError for anything else.
        """
        return model if isinstance(model, Model) else cls(model)

    def __getattr__(self, name: str) -> Any:
        """Only for what is not there: a name of TransformerLens's is told what it is called here."""
        said = instead("a Model", name, MODEL) or f"a Model has no {name!r}; see dir(model)"
        raise AttributeError(f"{said}; model.hooked is the TransformerLens object itself", name=name, obj=self)

    def __call__(self, *given: Any, **options: Any) -> Any:
        """A `Model` is not called: says what to type. Raises TypeError."""
        raise TypeError(
            "a Model is not called: type model.logits(model.tokens('text')) for logits, model.generate('text') for text, "
            "or model.hooked('text'), TransformerLens's own"
        )

    def generate(
        self, prompt: str | Tokens, *, n_tokens: int = 60, temperature: float = TEMPERATURE, seed: int = 0
    ) -> str:
        """The text with which the model continues a prompt, without it. With clamps: `Steerer.generate`.

        One seed gives one text; temperature 0 takes the likeliest token each time. Raises ValueError on an empty prompt
        of a model without a beginning-of-text token, one too long, or a bad number.

        Example:
            >>> load_model().generate("The cat", n_tokens=5, temperature=0)  # doctest: +SKIP
        """
        ids = self.tokens(prompt)
        read = self.text_reader(after=ids)
        written = self.stream(ids, n_tokens=n_tokens, temperature=temperature, seed=seed)
        return "".join(read(token) for token, *_ in written)

    @property
    def device(self) -> torch.device:  # type: ignore[override]  # weights may be moved
        """Where the weights are."""
        value: torch.device = next(self.hooked.parameters()).device
        return value

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the weights."""
        value: torch.dtype = next(self.hooked.parameters()).dtype
        return value

    @property
    def weights(self) -> str:
        """What the weights are, as a passport says it: "bfloat16, from Q4_1"; "" for float32 that were never anything
        else.
        """
        stored = "" if self.dtype == torch.float32 and not self.quantization else str(self.dtype).removeprefix("torch.")
        return stored + (f", from {self.quantization}" if self.quantization else "")

    def __repr__(self) -> str:
        return (
            f"Model({self.name!r}, n_layers={self.n_layers}, d_model={self.d_model}, d_vocab={self.d_vocab}, "
            f"n_ctx={self.n_ctx}, weights={self.weight_processing!r}, over {type(self.hooked).__name__})"
        )

    # -- forward passes ----------------------------------------------------------------------------------------------

    @property
    def hook_names(self) -> list[str]:
        """The names of all hook points, TransformerLens's classic ones included."""
        return list(self.hooked.hook_dict)

    def logits(self, tokens: Tokens, edit: Edit | None = None) -> Tensor:
        """Logits [batch, pos, d_vocab] of tokens [batch, pos] or [pos], with one site edited if asked.

        Rows may be padded on the right with -1: attention looks back only, so earlier positions do not see it.
        Raises ValueError on an unknown hook or a row longer than the context.
        """
        return self._passes.logits(self._rows(tokens), edit)

    def activations(self, tokens: Tokens, hook_name: str) -> Tensor:
        """What flows through a hook point: [batch, pos, d] for tokens [batch, pos] or [pos] (right padding as in
        `logits`).

        Queries, keys, values and z (`attn.hook_z`) come as one vector per token, head after head: d = n_heads * d_head.
        The forward pass ends there, so an early layer costs little.
        Raises ValueError on an unknown hook, or one that this model does not compute.
        """
        return self._passes.captured(self._rows(tokens), hook_name)

    def read(self, tokens: Tokens, hook_names: Sequence[str], edit: Edit | None = None) -> dict[str, Tensor]:
        """What flows through several hook points in one forward pass, edited if asked: {name: [batch, pos, d]}.

        At the edited site it is the activation after the edit. Right padding as in `logits`.
        Raises ValueError on an unknown hook, or one through which nothing flows in a plain forward pass.
        """
        return self._passes.read(self._rows(tokens), hook_names, edit)

    def direction_logits(self, directions: Tensor) -> Tensor:
        """The direct effect of residual-stream directions [n, d_model] on the logits: [n, d_vocab].

            effect = ((d - mean d) * gain) W_U, minus its mean over the vocabulary

        with the gain of the final layer norm (already inside W_U where weights are folded). It is the effect at a final
        layer norm of scale 1; the true one is divided by that scale, which differs from token to token. What later
        layers do with the direction is not in it. (A norm that does not center, as in RMSNorm models, skips the first
        subtraction.)
        """
        with self.lock, torch.no_grad():
            gain, centers, W_U = self._passes.backend.final_weights()
            d = directions.detach().to(W_U.device, W_U.dtype)
            if centers:
                d = d - d.mean(-1, keepdim=True)
            effect = (d if gain is None else d * gain) @ W_U  # [n, d_vocab]
            return effect - effect.mean(-1, keepdim=True)

    def neuron_writes(self, layer: int) -> Tensor:
        """What each neuron of a layer's MLP adds to the residual stream for one unit of activation: W_out [d_mlp,
        d_model].

        Raises ValueError where the layer has no such weights.
        """
        return neuron_writes(self.hooked, layer, self.name)

    # -- writing -----------------------------------------------------------------------------------------------------

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

        Sampling is argmax(logits / temperature + Gumbel noise), and the noise of step t depends on `seed` and t alone.
        So two streams with one seed share their noise and part only where their distributions do. Temperature 0 takes
        the argmax. It ends after `n_tokens`, when the model writes a token of `end_token_ids` (which is not given), when the
        context is full, or as soon as `cancel()` is true. The lock is held during a forward pass, not between tokens;
        no global random state is read or changed.

        With `reference`, the logits are [2, d_vocab]: row 0 of the edited model, row 1 of the unedited one on the same
        tokens, both from one forward pass. Otherwise they are [d_vocab].

        Raises ValueError, at the call, on an empty prompt, one that leaves no room, a bad temperature, seed or number
        of tokens; and NotFiniteError in the place of a token where the edited logits are not finite: there is no next
        token then.
        """
        n_tokens, seed = whole(n_tokens, "n_tokens", minimum=0), seed_of(seed)
        temperature = real(temperature, "temperature", minimum=0)
        ids = self._prompt(prompt, edit)
        return streamed(
            lambda: self._run(ids, edit, 1, 1, reference, n_tokens),
            self._gumbel.of(seed, self.d_vocab),
            steps=min(n_tokens, self.n_ctx - ids.shape[1] + 1),
            temperature=temperature,
            ends=self.end_token_ids,
            reference=reference,
            go_on=lambda: turn(self.lock, cancel),
            error=lambda where: self.not_finite(where, edit),
        )

    def sample(
        self, prompt: Tokens, *, n_tokens: int, temperature: float, seeds: Sequence[int], edit: Edit | None = None
    ) -> list[list[int]]:
        """Continue one prompt [pos] once for each seed, all in one batch: the token ids of each row.

        Row r is what `stream` gives with `seeds[r]` (up to rounding, where two tokens are as good as tied), at a
        fraction of the cost. `edit` sees all rows at once, [row, pos, d], and may treat each in its own way. Raises
        ValueError as `stream` does.
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
        """One step of all rows at a time, for those that are still running: (rows [n], tokens [n], logits [n, d_vocab]
        of the edited model, and of the unedited one). A row stops at a token of `end_token_ids`, which is not given.

        Rows may form `groups`, each of as many rows in a row, that share their edit: `edit` then sees one row a group
        while the prompt is read, [group, pos, d], and all rows after it, [row, 1, d]. With `edit_of`, which gives the
        edit for some of the rows only, or without an edit, rows that have stopped cost nothing. Without `reference` the unedited logits are
        the edited ones. A row whose edited logits are not finite stops there, and `broken` is called with the numbers
        of such rows; without it that raises NotFiniteError. Raises ValueError as `stream` does, or where the rows do
        not make whole groups.
        """
        n_tokens, temperature = whole(n_tokens, "n_tokens", minimum=0), real(temperature, "temperature", minimum=0)
        seeds = [seed_of(seed) for seed in listed(seeds, "seeds", "0")]
        groups = len(seeds) if groups is None else groups
        if groups < 1 or len(seeds) % groups:
            raise ValueError(f"{len(seeds)} rows do not make {groups} groups of one size")
        ids = self._prompt(prompt, edit)
        return batched(
            lambda: self._run(ids, edit, groups, len(seeds) // groups, reference, n_tokens),
            seeds,
            steps=min(n_tokens, self.n_ctx - ids.shape[1] + 1),
            d_vocab=self.d_vocab,
            temperature=temperature,
            ends=self.end_token_ids,
            keep=lambda run, kept, rows: (
                (edit is None or edit_of is not None)
                and run.keep(kept, None if edit_of is None else edit_of(rows.tolist()))
            ),
            broken=broken,
            error=lambda where: self.not_finite(where, edit),
        )

    def logprobs(self, prompt: Tokens, continuations: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """What the model gives each continuation of a prompt [pos], token by token: float64 arrays of
        log-probabilities, nats.

        The prompt is read once. Raises ValueError on an empty prompt, or where both do not fit in the context.
        """
        ids = self._one_row(prompt)
        before = ids.shape[1]
        self._check_length(before + max(map(len, continuations), default=0))
        with self.lock:
            decoder = self._decoder()

        def logits(rows: Tensor) -> Tensor:
            with self.lock, torch.no_grad():
                if decoder is not None and decoder.quiet():
                    return decoder.forced(ids[0].tolist(), rows)
                return self.logits(torch.cat([ids.expand(len(rows), -1), rows], 1))[:, before - 1 : -1]

        return forced_logprobs(logits, continuations, d_vocab=self.d_vocab, device=self.device)

    def not_finite(self, where: str, edit: Edit | None) -> NotFiniteError:
        """The error for logits that are not finite somewhere: it says why, as far as that is known."""
        return not_finite_error(where, str(self.dtype).removeprefix("torch."), edited=edit is not None)

    def fast_activations(self, tokens: Tensor, hook_name: str) -> Tensor | None:
        """`activations(tokens, hook_name)`, [batch, pos, d] for int64 [batch, pos], to float rounding; None where only
        hooks can.

        Where the decoder was seen to read that site as TransformerLens does, a forward pass for training an SAE is a
        few dozen tensor operations up to the site and no further. Padding as for `activations`, which says what is
        wrong with tokens too.
        """
        if type(self).activations is not Model.activations:
            return None  # it has a way of its own
        if tokens.ndim != 2 or not tokens.numel() or tokens.shape[1] > self.n_ctx or int(tokens.max()) >= self.d_vocab:
            return None
        with self.lock, torch.no_grad():
            decoder = self._decoder()
            if decoder is None or not decoder.quiet() or not reads(decoder, hook_name, self.activations):
                return None
            return decoder.read(tokens.to(self.device).clamp(min=0), hook_name)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _prompt(self, prompt: Tokens, edit: Edit | None) -> Tensor:
        """A prompt to continue, as [1, pos]. Raises ValueError if it or the edit's site will not do."""
        ids = self._one_row(prompt)
        if edit is not None:
            self._passes.point(edit.hook_name)
        return ids

    def _run(self, ids: Tensor, edit: Edit | None, groups: int, each: int, reference: bool, n_more: int) -> Run:
        """The loop that writes: over the decoder where it is proven and reaches the edit, or TransformerLens's."""
        reference = reference and edit is not None
        with self.lock:
            decoder = self._decoder()
            if decoder is not None and edit is not None and not reaches(decoder, edit.hook_name, self.logits):
                decoder = None
            return Run(
                ids, decoder, self._passes, edit=edit, groups=groups, each=each, reference=reference, n_more=n_more
            )
