"""A language model with hooks, safe to share between threads."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.files import unknown
from saewidgets.models.backends import Backend, backend_of
from saewidgets.models.edit import Edit
from saewidgets.models.lean import Lean, lean_of
from saewidgets.models.runs import HookedRun, Luck, Run, draw, gumbel
from saewidgets.models.vocabulary import Vocabulary
from saewidgets.records import ActivationSite

Tokens = Tensor | np.ndarray | Sequence[int] | Sequence[Sequence[int]]

KEPT_SHARE = 0.8  # of a batch's rows: where fewer are running, the others are dropped
FORCED_LOGITS = 1 << 23  # logits at a time where texts are only read

# One lock for each TransformerLens object, however many `Model`s hold it.
_LOCKS: weakref.WeakKeyDictionary[nn.Module, threading.RLock] = weakref.WeakKeyDictionary()
_LOCKS_GUARD = threading.Lock()


class _Captured(Exception):
    """Carries an activation out of a forward pass."""

    def __init__(self, activation: Tensor) -> None:
        self.activation = activation


class Model:
    """A TransformerLens model behind a short list of verbs. Make one with `load_model` or `Model.wrap`.

    Every forward pass takes one lock, and its hooks answer in its own thread only, so a clamp that streams in one thread
    leaves a forward pass in another clean, bit for bit. No hook outlives its forward pass, and a hook that you added to
    `hooked` yourself stays.

    Example:
        >>> model = load_model()  # doctest: +SKIP
        >>> model.logits(model.tokens("The cat sat")).shape  # doctest: +SKIP
        torch.Size([1, 4, 2048])
    """

    def __init__(self, hooked: Any, *, name: str | None = None, vocabulary: Vocabulary | None = None) -> None:
        self._backend: Backend = backend_of(hooked)
        self.hooked = hooked
        cfg = self.hooked.cfg
        self.name: str = name or str(cfg.model_name)
        self.n_layers: int = cfg.n_layers
        self.d_model: int = cfg.d_model
        self.d_vocab: int = cfg.d_vocab
        self.n_ctx: int = cfg.n_ctx
        self.weight_processing = "folded" if self._backend.folded() else "none"
        tokenizer = self.hooked.tokenizer
        self.bos_token_id: int | None = getattr(tokenizer, "bos_token_id", None)
        self.eos_token_id: int | None = getattr(tokenizer, "eos_token_id", None)
        self.prepend_bos: bool = self.bos_token_id is not None and bool(getattr(cfg, "default_prepend_bos", True))
        if vocabulary is None and getattr(tokenizer, "backend_tokenizer", None) is not None:
            vocabulary = Vocabulary(tokenizer.backend_tokenizer, self.d_vocab)
        self._vocabulary = vocabulary
        self.lean = True  # whether texts may be written by the lean loop (`models.lean`) where it is proven
        self._luck = Luck()
        self._points: dict[str, nn.Module] = {}  # hook points that were asked for, by name
        with _LOCKS_GUARD:
            self.lock = _LOCKS.setdefault(hooked, threading.RLock())

    @classmethod
    def wrap(cls, model: Model | nn.Module) -> Model:
        """A `Model` over a HookedTransformer or TransformerBridge of your own; a `Model` comes back as it is.

        Raises TypeError for anything else.
        """
        return model if isinstance(model, Model) else cls(model)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.hooked.parameters()).device

    def __repr__(self) -> str:
        return (
            f"Model({self.name!r}, n_layers={self.n_layers}, d_model={self.d_model}, d_vocab={self.d_vocab}, "
            f"n_ctx={self.n_ctx}, weights={self.weight_processing!r}, over {type(self.hooked).__name__})"
        )

    # -- text --------------------------------------------------------------------------------------------------------

    @property
    def vocabulary(self) -> Vocabulary:
        """Ids and their texts. Raises ValueError if the model came without a tokenizer."""
        if self._vocabulary is None:
            raise ValueError(f"{self.name} has no tokenizer that can be read: give token ids instead of text")
        return self._vocabulary

    def tokens(self, text: str, *, prepend_bos: bool | None = None) -> Tensor:
        """Token ids of a text, int64 [pos] on the model's device; the beginning-of-text token first if `prepend_bos` says so
        (None: as this model was trained).

        Raises ValueError if they do not fit in the context.
        """
        ids = self.vocabulary.encode(text)
        if self.prepend_bos if prepend_bos is None else prepend_bos:
            if self.bos_token_id is None:
                raise ValueError(f"{self.name} has no beginning-of-text token to prepend")
            ids = [self.bos_token_id, *ids]
        self._check_length(len(ids))
        return torch.tensor(ids, dtype=torch.long, device=self.device)

    def token_text(self, ids: Tokens) -> list[str]:
        """The exact text of each token; together they are the decoded text.

        A token that ends inside a multi-byte character gives "", and the token that completes it gives the character.
        """
        return self.vocabulary.pieces(_ids(ids))

    def text_reader(self) -> Callable[[int], str]:
        """A function for a stream: give it each next token id, get the text to append (see `token_text`)."""
        return self.vocabulary.reader()

    def display(self, ids: Tokens) -> list[str]:
        """One visible string for each token: a line end as ⏎, spaces alone as ␣, half a character as <0xE9>; never empty."""
        if self._vocabulary is None:
            return [f"<id {i}>" for i in _ids(ids)]
        return self._vocabulary.display(_ids(ids))

    def one_token(self, text: str | int) -> int:
        """The id of a text that is one token, or of its display form (`display`); an id comes back as it is.

        A space before a word is part of its token: " sad" and "sad" are two. Raises ValueError, with what may have been meant,
        on a text that is not one token or an id that does not exist.
        """
        if not isinstance(text, str):
            if not 0 <= int(text) < self.d_vocab:
                raise ValueError(f"token {text} does not exist: {self.name} has tokens 0 to {self.d_vocab - 1}")
            return int(text)
        if not text:
            raise ValueError("give the text of one token, not an empty one")
        ids = self.vocabulary.encode(text)
        if len(ids) == 1:
            return ids[0]
        table = self.vocabulary.table
        if text in table:
            return table.index(text)
        spaced = self.vocabulary.encode(f" {text}")
        hint = f"{f' {text}'!r} is one" if len(spaced) == 1 else "give one of them, or another single token"
        parts = ", ".join(map(repr, self.display(ids[:8]))) + (", ..." if len(ids) > 8 else "")
        raise ValueError(f"{text[:60]!r} is {len(ids)} tokens ({parts}), not one: {hint}")

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
        rows = self._rows(tokens)
        with self._pass(edit):
            return self._backend.forward(rows)

    def activations(self, tokens: Tokens, hook_name: str) -> Tensor:
        """What flows through a hook point: [batch, pos, d] for tokens [batch, pos] or [pos] (right padding as in `logits`).

        The forward pass ends there, so an early layer costs little.
        Raises ValueError on an unknown hook, or one that this model does not compute.
        """
        rows = self._rows(tokens)

        def capture(activation: Tensor, start: int) -> Tensor:
            raise _Captured(activation)

        try:
            with self._pass(Edit(hook_name, capture)):
                self._backend.forward(rows)
        except _Captured as captured:
            return captured.activation.clone()
        raise ValueError(f"{hook_name} exists in {self.name}, but nothing flows through it in a plain forward pass")

    def read(self, tokens: Tokens, hook_names: Sequence[str], edit: Edit | None = None) -> dict[str, Tensor]:
        """What flows through several hook points in one forward pass, edited if asked: {name: [batch, pos, d]}.

        At the edited site it is the activation after the edit. Right padding as in `logits`.
        Raises ValueError on an unknown hook, or one through which nothing flows in a plain forward pass.
        """
        rows = self._rows(tokens)
        points = {name: self._point(name) for name in hook_names}
        found: dict[str, Tensor] = {}
        owner = threading.get_ident()

        def keep(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
            def hook(module: nn.Module, inputs: Any, activation: Tensor) -> None:
                if threading.get_ident() == owner:
                    found[name] = activation.clone()

            return hook

        with self._pass(edit):  # its hook comes first, so that ours sees what it made
            handles = [point.register_forward_hook(keep(name)) for name, point in points.items()]
            try:
                self._backend.forward(rows)
            finally:
                for handle in handles:
                    handle.remove()
        for name in hook_names:
            if name not in found:
                raise ValueError(f"{name} exists in {self.name}, but nothing flows through it in a plain forward pass")
        return found

    def gradient(self, tokens: Tokens, hook_name: str, score: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """How a score of the logits depends on what flows through a hook point, in one pass forward and one back.

        `score` takes the logits [batch, pos, d_vocab] and gives one number a row, [batch]; a row's score must depend on its own
        logits alone. Returns (scores [batch], gradient [batch, pos, d]). Weights keep no gradient of it.
        Raises ValueError on an unknown hook, or one on which the logits do not depend.
        """
        rows = self._rows(tokens)
        point = self._point(hook_name)
        owner = threading.get_ident()
        leaves: list[Tensor] = []

        def hook(module: nn.Module, inputs: Any, activation: Tensor) -> Tensor | None:
            if threading.get_ident() != owner:
                return None
            leaves.append(activation.detach().clone().requires_grad_())
            return leaves[-1]

        with self.lock, torch.inference_mode(False), torch.enable_grad():
            handle = point.register_forward_hook(hook)
            try:
                scores = score(self._backend.forward(rows.clone()))
            finally:
                handle.remove()
            found = torch.autograd.grad(scores.sum(), leaves, allow_unused=True) if leaves else (None,)
        if len(found) != 1 or found[0] is None:
            raise ValueError(f"the logits of {self.name} do not depend on {hook_name} in a plain forward pass")
        return scores.detach(), found[0]

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

        Raises ValueError, at the call, on an empty prompt, one that leaves no room, or a bad temperature.
        """
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
        for _ in range(min(n_tokens, self.n_ctx - ids.shape[1] + 1)):
            if cancel is not None and cancel():
                return
            if run is None:
                run = self._run(ids, edit, 1, 1, reference, n_tokens)
                edited, plain = run.begin()
            else:
                edited, plain = run.step(tokens)
            tokens = draw(edited, temperature, next(noise))
            token = int(tokens[0])
            if token == self.eos_token_id:
                return
            logprob = float(edited[0, token].double() - edited[0].double().logsumexp(-1))
            yield token, logprob, torch.cat([edited, plain]) if reference else edited[0]

    def sample(
        self, prompt: Tokens, *, n_tokens: int, temperature: float, seeds: Sequence[int], edit: Edit | None = None
    ) -> list[list[int]]:
        """Continue one prompt [pos] once for each seed, all in one batch: the token ids of each row.

        Row r is what `stream` gives with `seeds[r]` (up to rounding, where two tokens are as good as tied), at a fraction of the
        cost. `edit` sees all rows at once, [row, pos, d], and may treat each in its own way.
        Raises ValueError as `stream` does.
        """
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
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """One step of all rows at a time, for those that are still running: (rows [n], tokens [n], logits [n, d_vocab] of the
        edited model, and of the unedited one). A row stops at the end-of-text token, which is not given.

        Rows may form `groups`, each of as many rows in a row, that share their edit: `edit` then sees one row a group while the prompt is read,
        [group, pos, d], and all rows after it, [row, 1, d]. With `edit_of`, which gives the edit for some of the rows only,
        rows that have stopped cost nothing. Without `reference` the unedited logits are the edited ones.
        Raises ValueError as `stream` does, or where the rows do not make whole groups.
        """
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
            if lean is not None and lean.quiet():
                with self.lock, torch.no_grad():
                    logits = lean.forced(ids[0].tolist(), own)
            else:
                logits = self.logits(torch.cat([ids.expand(len(part), -1), own], 1))[:, before - 1 : -1]
            picked = logits.gather(-1, own[..., None])[..., 0].double() - logits.logsumexp(-1).double()
            for i, row in zip(part, picked.cpu().numpy(), strict=True):
                found[i] = row[: len(continuations[i])].copy()
        return found

    def _lean(self) -> Lean | None:
        return lean_of(self.hooked, self.logits, self.activations) if self.lean else None

    def _lean_at(self, hook_name: str) -> tuple[Lean, int] | None:
        """The lean loop and the first layer above a hook point of the residual stream, where it is proven to reach it."""
        lean = self._lean()
        place = lean.site(hook_name) if lean is not None and lean.quiet() else None
        if lean is None or place is None or place[1]:
            return None
        reached = lean.reaches(hook_name, lambda tokens, function: self.logits(tokens, Edit(hook_name, function)))
        return (lean, place[0]) if reached else None

    def _run(self, ids: Tensor, edit: Edit | None, groups: int, each: int, reference: bool, n_more: int) -> Run:
        """The loop that writes: the lean one where it is proven for this model and reaches the edit, or TransformerLens's."""
        reference = reference and edit is not None

        def hooked(edit: Edit | None, rows: int) -> HookedRun:
            return HookedRun(self._backend, self._pass, edit, rows=rows, reference=reference)

        with self.lock:
            lean = self._lean()
            if lean is not None and edit is not None:
                name = edit.hook_name
                if not lean.reaches(name, lambda tokens, function: self.logits(tokens, Edit(name, function))):
                    lean = None
        return Run(
            ids, lean, hooked, self.lock, edit=edit, groups=groups, each=each, reference=reference, n_more=n_more
        )

    def direction_logits(self, directions: Tensor) -> Tensor:
        """The direct effect of residual-stream directions [n, d_model] on the logits: [n, d_vocab].

            effect = ((d - mean d) * gain) W_U, minus its mean over the vocabulary

        with the gain of the final layer norm (already inside W_U where weights are folded). It is the effect at a final
        layer norm of scale 1; the true one is divided by that scale, which differs from token to token. What later layers do
        with the direction is not in it. (A norm that does not center, as in RMSNorm models, skips the first subtraction.)
        """
        with self.lock, torch.no_grad():
            gain, centers, W_U = self._backend.final_weights()
            d = directions.detach().to(W_U.device, W_U.dtype)
            if centers:
                d = d - d.mean(-1, keepdim=True)
            effect = (d if gain is None else d * gain) @ W_U  # [n, d_vocab]
            return effect - effect.mean(-1, keepdim=True)

    # -- inside ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _pass(self, edit: Edit | None, *, start: int = 0, rows: int | None = None) -> Iterator[None]:
        """The lock, no gradients, and one hook that answers in this thread only and goes away whatever happens.

        The hook is put on the hook point as PyTorch does it. TransformerLens's own context managers clear whatever they
        find on their way out, a user's hooks included.
        """
        owner = threading.get_ident()

        def hook(module: nn.Module, inputs: Any, activation: Tensor) -> Tensor | None:
            if edit is None or threading.get_ident() != owner:
                return None
            if activation.ndim != 3:
                raise ValueError(
                    f"{edit.hook_name} holds {activation.ndim} axes, not [batch, pos, d]: it cannot be a site"
                )
            if rows is None:
                return edit.function(activation, start)
            return torch.cat([edit.function(activation[:rows], start), activation[rows:]])

        with self.lock, torch.no_grad():
            if edit is None:
                yield
                return
            handle = self._point(edit.hook_name).register_forward_hook(hook)
            try:
                yield
            finally:
                handle.remove()

    def _point(self, hook_name: str) -> nn.Module:
        if hook_name not in self._points:  # a bridge takes 1 ms to list its hooks, too long for every token
            points = self.hooked.hook_dict
            if hook_name not in points:
                raise ValueError(unknown("hook", hook_name, points))
            self._points[hook_name] = points[hook_name]
        return self._points[hook_name]

    def _rows(self, tokens: Tokens) -> Tensor:
        """int64 [batch, pos] on the model's device, padding replaced by a token that can be embedded."""
        rows = torch.as_tensor(tokens).to(self.device, torch.long)
        rows = rows[None] if rows.ndim == 1 else rows
        if rows.ndim != 2:
            raise ValueError(f"tokens must be [pos] or [batch, pos], not of shape {list(rows.shape)}")
        self._check_length(rows.shape[1])
        if rows.numel() and int(rows.max()) >= self.d_vocab:
            raise ValueError(f"token {int(rows.max())} does not exist: {self.name} has tokens 0 to {self.d_vocab - 1}")
        return rows.clamp(min=0)

    def _prompt(self, prompt: Tokens, temperature: float, edit: Edit | None) -> Tensor:
        """The prompt as [1, pos]. Raises ValueError if it, the temperature or the edit's site will not do."""
        ids = self._rows(prompt)
        if ids.shape[0] != 1 or ids.shape[1] == 0:
            raise ValueError(
                f"give one prompt of at least one token to continue, not tokens of shape {list(ids.shape)}"
            )
        if not (temperature >= 0 and temperature < float("inf")):
            raise ValueError(f"temperature must be 0 or more and finite, not {temperature}")
        if edit is not None:
            self._point(edit.hook_name)
        return ids

    def _check_length(self, n: int) -> None:
        if n > self.n_ctx:
            raise ValueError(f"{n} tokens do not fit: the context of {self.name} is {self.n_ctx} tokens")


def site(model: Model | nn.Module, hook_name: str, scale: float = 1.0) -> ActivationSite:
    """The site of a hook point in this model, its width measured.

    Raises ValueError on an unknown hook (with the nearest names) or one that does not hold one vector a token.

    Example:
        >>> site(model, "blocks.2.hook_resid_post").d_in  # doctest: +SKIP
        160
    """
    model = Model.wrap(model)
    d_in = model.activations([0], hook_name).shape[-1]
    return ActivationSite(model.name, hook_name, d_in, model.weight_processing, model.prepend_bos, scale)


def _ids(tokens: Tokens) -> list[int]:
    return torch.as_tensor(tokens).reshape(-1).tolist()
