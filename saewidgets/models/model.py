"""A language model with hooks, safe to share between threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from saewidgets.elsewhere import MODEL, instead
from saewidgets.files import unknown
from saewidgets.models.backends import Backend, backend_of
from saewidgets.models.bridged import bridge_over, end_of_text, is_transformers_model, own_name
from saewidgets.models.edit import Edit
from saewidgets.models.gate import guard
from saewidgets.models.runs import Luck
from saewidgets.models.texts import Texts, integers
from saewidgets.models.vocabulary import Vocabulary
from saewidgets.models.writing import Tokens, Writing
from saewidgets.records import TEMPERATURE, ActivationSite
from saewidgets.records.arguments import expect

_PER_HEAD = ("hook_q", "hook_k", "hook_v", "hook_z")  # [batch, pos, head, d_head] on a HookedTransformer


def _flat(hook_name: str, activation: Tensor) -> Tensor:
    """One vector a token: at a per-head hook point head after head, [batch, pos, head * d_head], as a bridge has it."""
    per_head = activation.ndim == 4 and hook_name.rpartition(".")[2] in _PER_HEAD
    return activation.flatten(2) if per_head else activation


class _Captured(Exception):
    """Carries an activation out of a forward pass."""

    def __init__(self, activation: Tensor) -> None:
        self.activation = activation


class Model(Texts, Writing):
    """A TransformerLens model behind a short list of verbs. Make one with `load_model`, or of a model in memory with
    `Model(hooked)` or `Model(hf_model, tokenizer)`.

    Every forward pass takes one lock, `lock`, and its hooks answer in that pass only, so a clamp that streams in one thread
    leaves a forward pass in another clean, bit for bit. No hook outlives its forward pass.

    `hooked`, the TransformerLens object itself, may be used beside it from any thread: its `run_with_cache`, `run_with_hooks` and
    plain calls take the same lock. Hooks that you add to it (`with hooked.hooks(...)`, `hooked.add_hook`) act in your thread, on
    the verbs of this class as well; other threads wait until they are gone, and a panel says so. Those of `add_perma_hook` act
    in all threads.

    Example:
        >>> model = load_model()  # doctest: +SKIP
        >>> model.logits(model.tokens("The cat sat")).shape  # doctest: +SKIP
        torch.Size([1, 4, 2048])
    """

    def __init__(
        self, hooked: Any, tokenizer: Any = None, *, name: str | None = None, vocabulary: Vocabulary | None = None
    ) -> None:
        """`hooked` is a HookedTransformer, a TransformerBridge, or a model of the transformers library, over which a bridge is
        laid (it shares the model's modules, wraps them, and puts the model in eval mode). `tokenizer`, in transformers' class,
        goes with the last; without one the model is used by token ids.

        Raises TypeError for anything else, ValueError for an architecture that TransformerLens has no bridge for.
        """
        if is_transformers_model(hooked):
            name = name or own_name(str(getattr(hooked, "name_or_path", "") or type(hooked).__name__))
            end = end_of_text(hooked)
            hooked = bridge_over(hooked, tokenizer, name)
        elif tokenizer is not None:
            raise TypeError(f"a tokenizer goes with a transformers model; a {type(hooked).__name__} has its own")
        else:
            end, tokenizer = None, getattr(hooked, "tokenizer", None)
        self._backend: Backend = backend_of(hooked)
        self.hooked = hooked
        cfg = self.hooked.cfg
        self.name: str = name or own_name(str(cfg.model_name))
        self.quantization = ""  # what the weights were before they became floats again, such as "Q4_1"
        self.n_layers: int = cfg.n_layers
        self.d_model: int = cfg.d_model
        self.d_vocab: int = cfg.d_vocab
        self.n_ctx: int = cfg.n_ctx
        self.weight_processing = "folded" if self._backend.folded() else "none"
        self.centers = self._backend.centers()  # whether its norms take the mean off (LayerNorm; not RMSNorm)
        self.bos_token_id: int | None = getattr(tokenizer, "bos_token_id", None)
        self.eos_token_id: int | None = getattr(tokenizer, "eos_token_id", end)
        if self.eos_token_id is None:
            self.eos_token_id = end
        self.prepend_bos: bool = self.bos_token_id is not None and bool(getattr(cfg, "default_prepend_bos", True))
        if vocabulary is None and getattr(tokenizer, "backend_tokenizer", None) is not None:
            vocabulary = Vocabulary(tokenizer.backend_tokenizer, self.d_vocab)
        self._vocabulary = vocabulary
        # As they are now: a token that others come to call special later must not drop out of a count.
        self._special = frozenset(getattr(tokenizer, "all_special_ids", None) or ())
        self.chat_format = ""  # with {} for the message, where the tokenizer has no template of its own
        self.lean = True
        self._luck = Luck()
        self._points: dict[str, nn.Module] = {}  # hook points that were asked for, by name
        self.lock = guard(hooked)  # one for each TransformerLens object, however many `Model`s hold it

    @classmethod
    def wrap(cls, model: Model | nn.Module) -> Model:
        """A `Model` over a HookedTransformer, TransformerBridge or transformers model of your own; a `Model` comes back as it is.

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

        One seed gives one text; temperature 0 takes the likeliest token each time.
        Raises ValueError on an empty prompt of a model without a beginning-of-text token, one too long, or a bad number.

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
        return next(self.hooked.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the weights."""
        return next(self.hooked.parameters()).dtype

    @property
    def weights(self) -> str:
        """What the weights are, as a passport says it: "bfloat16, from Q4_1"; "" for float32 that were never anything else."""
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
        rows = self._rows(tokens)
        with self._pass(edit):
            return self._backend.forward(rows)

    def activations(self, tokens: Tokens, hook_name: str) -> Tensor:
        """What flows through a hook point: [batch, pos, d] for tokens [batch, pos] or [pos] (right padding as in `logits`).

        Queries, keys, values and z (`attn.hook_z`) come as one vector a token, head after head: d = n_heads * d_head.
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

        def keep(name: str, ours: Callable[[], bool]) -> Callable[[nn.Module, Any, Tensor], None]:
            def hook(module: nn.Module, inputs: Any, activation: Tensor) -> None:
                if ours():
                    found[name] = _flat(name, activation).clone()

            return hook

        with self._pass(edit) as ours:  # its hook comes first, so that ours sees what it made
            handles = [point.register_forward_hook(keep(name, ours)) for name, point in points.items()]
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
        leaves: list[Tensor] = []

        def hook(module: nn.Module, inputs: Any, activation: Tensor) -> Tensor | None:
            if not ours():
                return None
            leaves.append(_flat(hook_name, activation).detach().clone().requires_grad_())
            return leaves[-1].view(activation.shape)

        with self.lock, torch.inference_mode(False), torch.enable_grad():
            ours = self._ours()
            handle = point.register_forward_hook(hook)
            try:
                logits = self._backend.forward(rows.clone())
            finally:
                handle.remove()
            scores = score(logits)
            found = torch.autograd.grad(scores.sum(), leaves, allow_unused=True) if leaves else (None,)
        if len(found) != 1 or found[0] is None:
            raise ValueError(f"the logits of {self.name} do not depend on {hook_name} in a plain forward pass")
        return scores.detach(), found[0]

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

    def neuron_writes(self, layer: int) -> Tensor:
        """What each neuron of a layer's MLP adds to the residual stream for one unit of activation: W_out [d_mlp, d_model].

        Raises ValueError where the layer has no such weights.
        """
        try:
            block: Any = self.hooked.blocks[layer]
            weights = block.mlp.W_out.detach()
        except (AttributeError, IndexError, TypeError) as error:
            raise ValueError(f"layer {layer} of {self.name} has no MLP whose neurons can be read: {error}") from None
        if weights.ndim != 2:
            raise ValueError(
                f"the MLP of layer {layer} of {self.name} is in several parts: its neurons are not one list"
            )
        return weights

    # -- inside ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _pass(self, edit: Edit | None, *, start: int = 0, rows: int | None = None) -> Iterator[Callable[[], bool]]:
        """The lock, no gradients, and one hook that answers in this pass only and goes away whatever happens.

        It gives what says to a hook whether it is asked in this pass. The hook is put on the hook point as PyTorch does it:
        TransformerLens's own context managers clear whatever they find on their way out, a user's hooks included.
        """

        def hook(module: nn.Module, inputs: Any, activation: Tensor) -> Tensor | None:
            if edit is None or not ours():
                return None
            shape, activation = activation.shape, _flat(edit.hook_name, activation)
            if activation.ndim != 3:
                raise ValueError(
                    f"{edit.hook_name} holds {activation.ndim} axes, not [batch, pos, d]: it cannot be a site"
                )
            moved = edit.function(activation[:rows], start)
            moved = moved if rows is None else torch.cat([moved, activation[rows:]])
            return moved if len(shape) == 3 else moved.reshape(shape)

        with self.lock, torch.no_grad():
            ours = self._ours()
            if edit is None:
                yield ours
                return
            handle = self._point(edit.hook_name).register_forward_hook(hook)
            try:
                yield ours
            finally:
                handle.remove()

    def _ours(self) -> Callable[[], bool]:
        """Whether a hook is asked in the next forward pass of this thread, and not in one within it: an edit's function, or a
        hook of the user's, may ask the model something of its own. Call it with the lock held."""
        owner, depth, gate = threading.get_ident(), self.lock.depth + 1, self.lock
        return lambda: gate.depth <= depth and threading.get_ident() == owner

    def _point(self, hook_name: str) -> nn.Module:
        how = "give a name such as 'blocks.2.hook_resid_post'; model.hook_names lists them"
        expect(hook_name, str, "hook_name", "a model", how)
        if hook_name not in self._points:  # a bridge takes 1 ms to list its hooks, too long for every token
            points = self.hooked.hook_dict
            if hook_name not in points:
                raise ValueError(unknown("hook", hook_name, points))
            self._points[hook_name] = points[hook_name]
        return self._points[hook_name]

    def _rows(self, tokens: Tokens) -> Tensor:
        """int64 [batch, pos] on the model's device, padding replaced by a token that can be embedded."""
        rows = integers(tokens).to(self.device, torch.long)
        rows = rows[None] if rows.ndim == 1 else rows
        if rows.ndim != 2:
            raise ValueError(f"tokens must be [pos] or [batch, pos], not of shape {list(rows.shape)}")
        self._check_length(rows.shape[1])
        if rows.numel() and int(rows.max()) >= self.d_vocab:
            raise ValueError(f"token {int(rows.max())} does not exist: {self.name} has tokens 0 to {self.d_vocab - 1}")
        if rows.numel() == 0 or int(rows.min()) >= 0:
            return rows
        if bool(((rows[:, :-1] < 0) & (rows[:, 1:] >= 0)).any()):  # attention would look at it
            raise ValueError("a row has padding (-1) before a token; pad on the right")
        return rows.clamp(min=0)

    def _prompt(self, prompt: Tokens, temperature: float, edit: Edit | None) -> Tensor:
        """The prompt as [1, pos]. Raises ValueError if it, the temperature or the edit's site will not do."""
        ids = self._rows(prompt)
        if bool((integers(prompt) < 0).any()):
            raise ValueError("a prompt ends with padding (-1), which would be continued: leave it out")
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
            raise ValueError(
                f"{n} tokens do not fit: the context of {self.name} is {self.n_ctx} tokens; take {n - self.n_ctx} off"
            )


def site(model: Model | nn.Module, hook_name: str, scale: float = 1.0) -> ActivationSite:
    """The site of a hook point in this model, its width measured.

    Raises ValueError on an unknown hook (with the nearest names) or one that does not hold one vector a token.

    Example:
        >>> site(model, "blocks.2.hook_resid_post").d_in  # doctest: +SKIP
        160
    """
    model = Model.wrap(model)
    d_in = model.activations([0], hook_name).shape[-1]
    return ActivationSite(
        model.name, hook_name, d_in, model.weight_processing, model.prepend_bos, scale, fingerprint(model)
    )


def fingerprint(model: Model) -> tuple[float, ...]:
    """Eight values from the embedding, spread over its rows and columns: another model, revision or weight processing has
    others. () for a model without one."""
    W_E = getattr(getattr(model, "hooked", None), "W_E", None)
    if not isinstance(W_E, Tensor) or W_E.ndim != 2:
        return ()
    n = torch.arange(1, 9, dtype=torch.float64)
    row, column = (
        (n * golden % 1 * size).long() for golden, size in zip((0.6180339887, 0.7548776662), W_E.shape, strict=True)
    )
    values = W_E.detach()[row.to(W_E.device), column.to(W_E.device)]
    return tuple(float(f"{v:.6g}") for v in values.float().tolist())
