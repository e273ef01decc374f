"""The steered model as a source of text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from saewidgets.doctor.meeting import verdict
from saewidgets.models import Edit, Model, site
from saewidgets.records import TEMPERATURE, ClampRecording, Generation, Intervention, Token
from saewidgets.sae import SAE, refuse_transcoder
from saewidgets.steering.edits import PromptReading, check_feature, intervention_edit


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
        refuse_transcoder(sae.config, "a clamp")
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
        self._memory = PromptReading(sae)
        verdict(self.model, sae)  # warns if the two do not belong together

    def __repr__(self) -> str:
        return f"Steerer({self.model.name!r}, {self.sae.name or 'SAE'!r}, at {self.hook_name!r})"

    def __call__(
        self,
        prompt: str,
        clamps: Sequence[Intervention] = (),
        *,
        n_tokens: int = 60,
        seed: int = 0,
        temperature: float = TEMPERATURE,
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
            yield Token(token, read(token), logprob, _kl(logits) if reference else otherwise)

    def generate(self, prompt: str, clamps: Sequence[Intervention] = (), **options: Any) -> Generation:
        """The whole text at once. Takes the options of a call: n_tokens, seed, temperature, kl, cancel."""
        tokens = tuple(self(prompt, clamps, **options))
        return Generation(
            prompt,
            tokens,
            tuple(clamps),
            seed=options.get("seed", 0),
            temperature=options.get("temperature", TEMPERATURE),
        )

    def waiting(self, seconds: float = 0.0) -> str:
        """Why this thread must wait before the model writes on, after waiting up to `seconds`: another thread holds hooks on it.
        "" where it need not. A `ClampPanel` shows it; a call without it waits by itself.

        Example:
            >>> steer.waiting()  # doctest: +SKIP
            ''
        """
        return self.model.lock.waiting(seconds)

    def perplexity(self, prompt: str, text: str, clamps: Sequence[Intervention] = ()) -> float:
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

    def measure(
        self,
        prompt: str,
        clamps: Sequence[Intervention],
        features: Sequence[int],
        hook_names: Sequence[str] | None = None,
        *,
        tokens: Sequence[Token] = (),
    ) -> pd.DataFrame:
        """The features measured again after the clamp, where it acts and further up, without and with it.

        At the SAE's own site the activation a_f is read again by the SAE. At later sites there is no SAE, so what is read is
        how far the residual stream x lies along the feature's direction d_f, counted in the same SAE units:

            (x . d_f) / |d_f|^2

        Where a clamp survives, that coefficient stays high from layer to layer.

        Args:
            prompt, clamps: as for a call. Scope "generated" covers `tokens`.
            features: which features to measure.
            hook_names: where. By default at the SAE's site and after every later block.
            tokens: tokens already written after the prompt, such as those of a `Generation`.

        Returns:
            One row a (feature, site, position): feature, hook_name, measure ("activation" or "projection"), position, token
            (as it is displayed), default, clamped.

        Raises ValueError on an unknown feature or hook, or one that holds vectors of another width.

        Example:
            >>> found = steer.measure("The cat", [Clamp(31, 8.0)], [31])  # doctest: +SKIP
            >>> found.groupby("hook_name", sort=False)[["default", "clamped"]].mean()  # doctest: +SKIP
        """
        for feature in features:
            check_feature(self.sae, feature)
        before = self.model.tokens(prompt)
        ids = torch.cat([before, torch.tensor([t.id for t in tokens], dtype=torch.long, device=before.device)])
        names = list(dict.fromkeys(hook_names if hook_names is not None else self._later_sites()))
        found = [self.model.read(ids, names, edit) for edit in (None, self._edit(clamps, len(before)))]
        directions = self.sae.decoder_directions[list(features)].double()  # [feature, d_in]
        shown = self.model.display(ids)
        tables = []
        for name in names:
            here = name == self.hook_name
            read = []  # default, clamped: [pos, feature]
            for reading in found:
                x = reading[name][0].to(directions.device)
                if x.shape[-1] != self.sae.config.d_in:
                    raise ValueError(
                        f"{name} is {x.shape[-1]} wide, and the feature's direction {self.sae.config.d_in}"
                    )
                if here:
                    with torch.no_grad():
                        read.append(self.sae.activations_of(x.float(), features).cpu())
                else:
                    read.append((x.double() @ directions.T / directions.square().sum(-1)).cpu())
            for column, feature in enumerate(features):
                tables.append(
                    pd.DataFrame(
                        {
                            "feature": feature,
                            "hook_name": name,
                            "measure": "activation" if here else "projection",
                            "position": range(len(ids)),
                            "token": shown,
                            "default": read[0][:, column].numpy().astype(float),
                            "clamped": read[1][:, column].numpy().astype(float),
                        }
                    )
                )
        columns = ["feature", "hook_name", "measure", "position", "token", "default", "clamped"]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)

    def _later_sites(self) -> list[str]:
        """The SAE's own site, and the residual stream after each block from there on."""
        parts = self.hook_name.split(".")
        own = int(parts[1]) if parts[0] == "blocks" and len(parts) > 2 else -1
        after = [f"blocks.{layer}.hook_resid_post" for layer in range(max(own, 0), self.model.n_layers)]
        return list(dict.fromkeys([self.hook_name, *after]))

    def _edit(self, clamps: Sequence[Intervention], n_prompt: int) -> Edit | None:
        if not clamps:
            return None
        return Edit(self.hook_name, intervention_edit(self.sae, clamps, n_prompt=n_prompt, memory=self._memory))


def _kl(logits: Tensor) -> float:
    """KL(clamped || unclamped) of two next-token distributions given as logits [2, d_vocab], in nats; never below 0."""
    p, q = logits.double().log_softmax(-1)
    return max(float(p.exp() @ (p - q)), 0.0)


def record_clamps(
    steerer: Steerer,
    prompt: str,
    grid: Sequence[Sequence[Intervention]],
    seeds: Sequence[int] = (0,),
    *,
    n_tokens: int = 60,
    temperature: float = TEMPERATURE,
    maxima: Mapping[int, float] | None = None,
) -> ClampRecording:
    """Write a text for every set of clamps in `grid` and every seed, the default text too, and keep them for playback.

    `maxima` gives each feature's maximum in SAE units, so that the recording knows its multiples.
    Raises ValueError as a call of the steerer does.

    Example:
        >>> grid = [[Clamp(31, m * 4.0)] for m in (-2, 0, 2, 4)]  # doctest: +SKIP
        >>> record_clamps(steer, "The cat", grid, seeds=[0, 1], maxima={31: 4.0}).save("clamps.json")  # doctest: +SKIP
    """
    sets = list(dict.fromkeys([(), *(tuple(clamps) for clamps in grid)]))
    texts = tuple(
        steerer.generate(prompt, clamps, n_tokens=n_tokens, seed=seed, temperature=temperature)
        for clamps in sets
        for seed in dict.fromkeys(seeds)
    )
    return ClampRecording(prompt, texts, maxima or {}, n_tokens)
