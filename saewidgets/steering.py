"""The clamp as a tensor function, and the clamped model as a source of text.

    x' = x + sum over clamped f of (value_f - a_f(x)) * d_f

with a_f(x) the feature's own activation and d_f its decoder row in model units. The SAE's reconstruction error stays in x
(Templeton et al. 2024, "Scaling Monosemanticity", appendix on steering: there x is split into reconstruction and error, and
the two forms are equal). Written like this, value_f = a_f(x) and ablating a feature that is off change no bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from saewidgets.models import Edit, Model, site
from saewidgets.records import Clamp, Generation, Token
from saewidgets.sae import SAE


def clamp_edit(sae: SAE, clamps: Sequence[Clamp], *, n_prompt: int = 0) -> Callable[[Tensor, int], Tensor]:
    """The clamps as a function of an activation [batch, pos, d_in] and the absolute position of its first column.

    `n_prompt` is the number of prompt tokens (beginning-of-text included): "prompt" covers positions 0 to n_prompt - 1,
    "generated" those from n_prompt on. Where two clamps of one feature cover a position, the later one in the list holds there.
    The sum is taken in float32 and returned in the activation's dtype; positions that no clamp moves keep their bits.

    Raises ValueError, with the valid range, on a feature outside the SAE.

    Example:
        >>> edit = clamp_edit(sae, [Clamp(feature=31, value=0.0)])  # doctest: +SKIP
        >>> model.logits(tokens, Edit("blocks.2.hook_resid_post", edit))  # doctest: +SKIP
    """
    check_features(sae, clamps)
    clamps = tuple(clamps)
    features = list(dict.fromkeys(c.feature for c in clamps))
    with torch.no_grad():
        directions = sae.decoder_directions[features].float()  # [n, d_in], model units

    @torch.no_grad()
    def edit(x: Tensor, start: int) -> Tensor:
        target, on = _targets(clamps, features, start, x.shape[1], n_prompt)  # [pos, n] both
        if not on.any():
            return x
        own = sae.activations_of(x.to(directions.device).float(), features).to(x.device)  # [batch, pos, n]
        change = torch.where(on.to(x.device), target.to(x.device) - own, 0.0)
        moved = (x.float() + change @ directions.to(x.device)).to(x.dtype)
        # Where nothing changes x is passed on as it is: adding zeros would still turn -0.0 into 0.0.
        return torch.where((change != 0).any(-1, keepdim=True), moved, x)

    return edit


def check_features(sae: SAE, clamps: Sequence[Clamp]) -> None:
    """Raise ValueError, with the valid range, if a clamp names a feature that this SAE does not have."""
    for clamp in clamps:
        if clamp.feature >= sae.config.d_sae:
            raise ValueError(
                f"unknown feature {clamp.feature}: this SAE has features 0 to {sae.config.d_sae - 1}; "
                f"nearest: {sae.config.d_sae - 1}"
            )


class Steerer:
    """A model that writes under clamps: the `TextSource` of a `ClampPanel`.

    The SAE must have been trained at a site of this very model (name, hook point, weight processing, beginning-of-text
    token): in other coordinates the result would look right and be wrong.

    Raises ValueError if the SAE's site is not this model's, and TypeError if `model` is not a model.

    Example:
        >>> steer = Steerer(load_model(), load_sae())  # doctest: +SKIP
        >>> steer.generate("The cat", [Clamp(feature=31, value=8.0)], n_tokens=20).text  # doctest: +SKIP
    """

    def __init__(self, model: Model | nn.Module, sae: SAE) -> None:
        self.model = Model.wrap(model)
        self.sae = sae
        own = sae.config.site
        if own is None:
            raise ValueError(
                "this SAE does not say where it reads: give its SAEConfig a site, such as "
                "sw.site(model, 'blocks.2.hook_resid_post')"
            )
        mismatches = own.mismatches(site(self.model, own.hook_name))
        if mismatches:
            raise ValueError(
                f"this SAE was trained in other coordinates than this model's ({'; '.join(mismatches)}): "
                f"load the model that it was trained on, {own.model_name} with weights {own.weight_processing!r}"
            )
        self.hook_name = own.hook_name

    def __repr__(self) -> str:
        return f"Steerer({self.model.name!r}, {self.sae.name or 'SAE'!r}, at {self.hook_name!r})"

    def __call__(
        self,
        prompt: str,
        clamps: Sequence[Clamp] = (),
        *,
        n_tokens: int = 60,
        seed: int = 0,
        temperature: float = 0.5,
        kl: bool = True,
        cancel: Callable[[], bool] | None = None,
    ) -> Iterator[Token]:
        """Yield at most `n_tokens` tokens that continue `prompt`, each as soon as it is there.

        One seed gives one text, and the same luck at each step whatever the clamps, so a clamped text parts from the unclamped
        one only where the clamp makes it. It ends early at the model's end-of-text token, at a full context, or once `cancel()`
        is true. With `kl`, each token carries KL(clamped || unclamped) in nats, both on the text so far; the unclamped model
        runs as a second row of the same forward pass.

        Raises ValueError, at the call, on a feature outside the SAE, a prompt too long, or a bad temperature.
        """
        tokens = self.model.tokens(prompt)
        if not len(tokens):
            raise ValueError(f"{self.model.name} has no beginning-of-text token, so it needs a prompt to continue")
        reference = kl and bool(clamps)
        stream = self.model.stream(
            tokens,
            n_tokens=n_tokens,
            temperature=temperature,
            seed=seed,
            edit=self._edit(clamps, len(tokens)),
            reference=reference,
            cancel=cancel,
        )
        return self._texts(stream, reference, 0.0 if not clamps else math.nan)

    def _texts(self, stream: Iterator[tuple[int, float, Tensor]], reference: bool, otherwise: float) -> Iterator[Token]:
        read = self.model.text_reader()
        for token, logprob, logits in stream:
            yield Token(token, read(token), logprob, _kl(*logits) if reference else otherwise)

    def generate(self, prompt: str, clamps: Sequence[Clamp] = (), **options: Any) -> Generation:
        """The whole text at once. Takes the options of a call: n_tokens, seed, temperature, kl, cancel."""
        tokens = tuple(self(prompt, clamps, **options))
        return Generation(
            prompt, tokens, tuple(clamps), seed=options.get("seed", 0), temperature=options.get("temperature", 0.5)
        )

    def perplexity(self, prompt: str, text: str, clamps: Sequence[Clamp] = ()) -> float:
        """exp(mean negative log-probability) of `text` after `prompt`, at temperature 1, under the clamps.

        1 is certainty; d_vocab is a blind guess. Scope "generated" covers the tokens of `text`.
        Raises ValueError if `text` has no token, or both do not fit in the context.
        """
        before = self.model.tokens(prompt)
        own = self.model.tokens(text, prepend_bos=False)
        if not len(before) or not len(own):
            raise ValueError("perplexity needs a text of at least one token, and a token before it")
        tokens = torch.cat([before, own])
        logits = self.model.logits(tokens, self._edit(clamps, len(before)))[0, len(before) - 1 : -1]  # [n, d_vocab]
        logprobs = logits.double().log_softmax(-1)[torch.arange(len(own)), own]
        return float(torch.exp(-logprobs.mean()))

    def _edit(self, clamps: Sequence[Clamp], n_prompt: int) -> Edit | None:
        return Edit(self.hook_name, clamp_edit(self.sae, clamps, n_prompt=n_prompt)) if clamps else None


def _targets(
    clamps: Sequence[Clamp], features: Sequence[int], start: int, n: int, n_prompt: int
) -> tuple[Tensor, Tensor]:
    """(value to set [pos, feature], whether to set it [pos, feature]) for positions start to start + n - 1."""
    target = torch.zeros(n, len(features))
    on = torch.zeros(n, len(features), dtype=torch.bool)
    for clamp in clamps:
        first, stop = _scope(clamp.scope, n_prompt)
        rows = slice(max(first - start, 0), max(stop - start, 0))
        column = features.index(clamp.feature)
        target[rows, column] = clamp.value
        on[rows, column] = True
    return target, on


def _scope(scope: str | int, n_prompt: int) -> tuple[int, int]:
    """The absolute positions that a scope covers, as first and one past the last."""
    end = 1 << 62
    if isinstance(scope, int):
        return scope, end
    return {"all": (0, end), "prompt": (0, n_prompt), "generated": (n_prompt, end)}[scope]


def _kl(clamped: Tensor, unclamped: Tensor) -> float:
    """KL(clamped || unclamped) of two next-token distributions given as logits, in nats; float64, never below 0."""
    p, q = clamped.double().log_softmax(-1), unclamped.double().log_softmax(-1)
    return max(float((p.exp() * (p - q)).sum()), 0.0)
