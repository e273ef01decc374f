"""Which features are active on a text of one's own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.activations import check_pair
from saewidgets.doctor.meeting import verdict
from saewidgets.models import Edit, Model, Prompt, counted_tokens
from saewidgets.records import Dialogue, FeatureActivations, Passport, PromptActivations
from saewidgets.records.arguments import expect
from saewidgets.records.dialogues import prompt_of
from saewidgets.sae import SAE, above

NO_CORPUS = "no corpus (maxima, densities and quantiles unknown)"


def prompt_activations(
    model: Model | nn.Module,
    sae: SAE,
    text: Prompt,
    acts: FeatureActivations | None = None,
    *,
    labels: Mapping[int, str] | None = None,
) -> PromptActivations:
    """Every feature that is active on a text, token by token, in one forward pass.

    Args:
        model: the model that the SAE reads.
        sae: its `config.site` says where.
        text: what to read, a text, a dialogue or token ids; "" is the beginning-of-text token alone.
        acts: the same SAE's activations over a corpus, for each feature's maximum and density, and the quantile of each
            activation among the feature's non-zero ones.
        labels: what features stand for, where known.

    Raises ValueError if the model does not have the SAE's site in the same coordinates, if `acts` are of another SAE,
    or if the text has no token or too many.

    Example:
        >>> found = prompt_activations(model, sae, "They walked over the Golden Gate Bridge.", acts)
        >>> found.by_feature().head()
    """
    model, _ = check_pair(model, sae, "prompt_activations")
    return read_text(model, sae, text, check_acts(sae, acts), labels or {})


def check_acts(sae: SAE, acts: FeatureActivations | None) -> FeatureActivations | None:
    """The activations themselves. Raises TypeError on something else, ValueError if they are of an SAE of another size."""
    if acts is not None:
        expect(acts, FeatureActivations, "acts", "an instrument of this SAE")
    if acts is not None and acts.d_sae != sae.config.d_sae:
        raise ValueError(f"the activations are of {acts.d_sae} features, the SAE has {sae.config.d_sae}")
    return acts


@torch.inference_mode()
def read_text(
    model: Model, sae: SAE, text: Prompt, acts: FeatureActivations | None, labels: Mapping[int, str]
) -> PromptActivations:
    """`prompt_activations` where the site and the corpus are known to fit."""
    site = sae.config.site
    assert site is not None  # check_site has seen it
    dialogue, turn = prompt_of(text), None
    if isinstance(dialogue, Dialogue):
        shown = model.rendered(dialogue)
        text, turn = shown.text, shown.turn
    ids = model.tokens(text)
    if not len(ids):
        raise ValueError(f"the text has no tokens, and {model.name} puts none before it: write something")
    counted = counted_tokens(model, ids[None].cpu().numpy())[0]
    x, logits = _forward(model, site.hook_name, ids)
    counted = counted & ~above(x, site.max_norm).cpu().numpy()
    feature, position, value = _entries(sae, x, counted)
    loss = np.full(len(ids), np.nan, np.float32)
    loss[1:] = token_losses(logits[0, :-1], ids[1:]).cpu().numpy()
    listed = np.unique(feature)
    table = model.display(ids)
    passport = Passport(
        site,
        acts.corpus if acts is not None else NO_CORPUS,
        acts.n_tokens if acts is not None else 0,
        sae.config.d_sae,
        sae.config.architecture,
        sae.name,
        verdict(model, sae, acts.tokens if acts is not None else None),
        model.weights,
        model.name,
    )
    maximum, density, quantile = _in_corpus(acts, listed, feature, value)
    return PromptActivations(
        text=model.written(text),
        tokens=tuple(table),
        token_ids=tuple(ids.tolist()),
        counted=tuple(counted.tolist()),
        feature=feature,
        position=position,
        value=value,
        listed=listed,
        passport=passport,
        maximum=maximum,
        density=density,
        quantile=quantile,
        loss=loss,
        labels={f: labels[f] for f in listed.tolist() if f in labels},
        dialogue=dialogue if isinstance(dialogue, Dialogue) else None,
        turn=turn,
    )


def _forward(model: Model, hook_name: str, ids: Tensor) -> tuple[Tensor, Tensor]:
    """(activations [pos, d_in] at the hook, logits [1, pos, d_vocab]) of token ids [pos], in one pass."""
    quick = model.fast_activations(ids[None], hook_name)  # [1, pos, d_in]
    if quick is not None:
        everywhere = torch.arange(len(ids))
        logits = model.resumed_logits(ids[None], hook_name, quick, torch.zeros_like(everywhere), everywhere)
        return quick[0], logits[None]
    seen: list[Tensor] = []

    def keep(x: Tensor, start: int) -> Tensor:
        seen.append(x[0].clone())
        return x

    logits = model.logits(ids, Edit(hook_name, keep))
    if not seen:
        raise ValueError(f"{hook_name} exists in {model.name}, but nothing flows through it in a plain forward pass")
    return seen[0], logits


def token_losses(logits: Tensor, target: Tensor) -> Tensor:
    """float32 [n], nats: -log p of tokens int64 [n], from logits [n, d_vocab] before each."""
    known = logits.float()
    return known.logsumexp(-1) - known.gather(-1, target.to(known.device)[:, None])[:, 0]


def _entries(sae: SAE, x: Tensor, counted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(feature, position, value) of the non-zero activations of x [pos, d_in], in the order of the record."""
    a = sae.encode(x.to(sae.W_enc.device)).float()
    a[torch.from_numpy(~counted).to(a.device)] = 0.0
    position, feature = (i.cpu().numpy().astype(np.int32) for i in a.nonzero(as_tuple=True))
    value = a[a > 0].cpu().numpy()  # in the same order
    order = np.lexsort((feature, -value, position))
    return feature[order], position[order], value[order]


def _in_corpus(
    acts: FeatureActivations | None, listed: np.ndarray, feature: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(maximum [n_listed], density [n_listed], quantile [n]) over the corpus; nan where there is none to compare with."""
    maximum, density = np.full(len(listed), np.nan, np.float32), np.full(len(listed), np.nan, np.float32)
    quantile = np.full(len(value), np.nan, np.float32)
    if acts is None:
        return maximum, density, quantile
    by_feature = np.argsort(feature, kind="stable")
    stops = np.searchsorted(feature[by_feature], listed, side="right").tolist()
    for i, (f, first, stop) in enumerate(zip(listed.tolist(), [0, *stops], stops, strict=False)):
        known = acts.of(f)[2]
        maximum[i] = known.max(initial=0.0)
        density[i] = len(known) / max(acts.n_tokens, 1)
        if len(known):
            own = by_feature[first:stop]
            quantile[own] = np.searchsorted(np.sort(known), value[own], side="right") / len(known)
    return maximum, density, quantile
