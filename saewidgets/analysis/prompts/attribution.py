"""What each active feature does to the next token of a text: by gradient, by ablation, and to the loss of every token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from saewidgets.activations import check_pair, quick_activations
from saewidgets.analysis.prompts.activations import prompt_activations, token_losses
from saewidgets.models import Model
from saewidgets.records import PromptActivations
from saewidgets.records.arguments import require_features
from saewidgets.sae import SAE, refuse_transcoder

LOGIT_CELLS = 1 << 23  # logits held at once: 32 MB
ROWS = 64  # texts in one forward pass


def attribution(
    model: Model | nn.Module, sae: SAE, text: str, target: str | int, baseline_token: str | int = ""
) -> pd.DataFrame:
    """How much each activation in a text adds to a logit difference after its last token (Templeton et al. 2024).

    With x_p the model's activation at token p, a_fp the SAE activation of feature f there, d_fp what one unit of it
    adds there (`SAE.directions_at`), and D the difference of two logits after the last token, logit(target) -
    logit(baseline):

        attribution_fp = a_fp  d_fp . dD/dx_p                the local linear effect, against an activation of 0
        ablation_fp    = D(x) - D(x with x_p - a_fp d_fp)    the same by a second forward pass: f clamped to 0 at p alone

    Both are in logits, above 0 where the activation raises the difference. What the SAE does not explain stays in x. The two
    correlations of that paper, attribution with ablation and activation with ablation, are Pearson's r over all rows:
    `frame.attrs["correlations"]`, as from `PromptActivations.correlations`.

    Args:
        target: the text of one token, as exact as a space before it, or its id.
        baseline_token: likewise; "": the mean logit over the vocabulary.

    Returns:
        One row an activation: position, token, feature, activation, attribution, ablation; the largest |attribution|
            first.

    Raises ValueError as `prompt_activations` does, and on a target that is not one token.

    Example:
        >>> attribution(model, sae, "The weather made Ada feel", " sad", " happy").head()
    """
    model, _ = check_pair(model, sae, "attribution", reconstructs=True)
    found = with_attribution(model, sae, prompt_activations(model, sae, text), target, baseline_token)
    frame = found.to_dataframe()[["position", "token", "feature", "activation", "attribution", "ablation"]]
    frame = frame.iloc[np.argsort(-frame["attribution"].abs().to_numpy(), kind="stable")].reset_index(drop=True)
    frame.attrs["correlations"] = found.correlations()
    return frame


def with_attribution(
    model: Model,
    sae: SAE,
    found: PromptActivations,
    target: str | int,
    baseline: str | int = "",
    *,
    budget: int | None = None,
) -> PromptActivations:
    """The same record with `attribution`, `ablation` and what they are of. See `attribution` for the definitions.

    Args:
        budget: the most tokens that may be run to ablate, where an entry costs those from its own to the last. The
            entries of largest |attribution| are ablated first, at least one, and the others have nan. None: all are
            ablated.
    """
    refuse_transcoder(sae.config, "attribution")
    wanted = model.one_token(target)
    against = None if baseline == "" else model.one_token(baseline)

    def difference(logits: Tensor) -> Tensor:  # [row, pos, d_vocab] -> [row]
        last = logits[:, -1].float()
        return last[:, wanted] - (last.mean(-1) if against is None else last[:, against])

    ids = torch.tensor(found.token_ids, device=model.device)
    hook_name = found.passport.site.hook_name
    clean, gradient = model.gradient(ids, hook_name, difference, wanted=1)  # [1], [1, pos, d_in]
    position = torch.from_numpy(found.position.astype(np.int64)).to(gradient.device)
    x = quick_activations(model, ids[None], hook_name)[0, position]  # [n, d_in], of each entry's token
    steps = _steps(sae, found, x).to(gradient.device)  # [n, d_in]
    linear = (steps * gradient[0, position].float()).sum(-1).cpu().numpy()

    # By the same arithmetic as what it is compared with.
    ((_, unmoved),) = model.pushed_logits(ids, hook_name, torch.tensor([len(ids) - 1]), x.new_zeros(1, x.shape[-1]))
    unchanged = difference(unmoved[:, None])
    ablation = np.full(len(linear), np.nan, np.float32)
    chosen = torch.from_numpy(_within(linear, len(ids) - found.position, budget)).to(gradient.device)
    pushes = model.pushed_logits(ids, hook_name, position[chosen], -steps[chosen])
    for rows, logits in pushes:
        own = chosen[rows.to(chosen.device)].cpu().numpy()
        ablation[own] = (unchanged.to(logits.device) - difference(logits[:, None])).cpu().numpy()
    return replace(
        found,
        target=model.display([wanted])[0],
        baseline="" if against is None else model.display([against])[0],
        logit_difference=float(clean[0]),
        attribution=linear,
        ablation=ablation,
    )


def with_losses(
    model: Model, sae: SAE, found: PromptActivations, features: Sequence[int] | None = None
) -> PromptActivations:
    """The same record with `loss_effect`: what each token's loss becomes without a feature, minus what it is.

    A feature is left out of the whole text at once: x_p - a_fp d_fp at every token p, which is what clamping it to 0
    there does. Above 0, the feature helps to predict the token; its own activation there has no part in that, only
    those at earlier tokens.

    Args:
        features: which ones to measure; None: all that are active. One that is not active changes nothing and is left
            out. The rows of the others are nan.

    Raises IndexError on a feature that the SAE does not have.
    """
    refuse_transcoder(sae.config, "a feature's effect on the loss")
    require_features(features or (), found.passport.d_sae)
    chosen = np.arange(len(found.listed)) if features is None else np.flatnonzero(np.isin(found.listed, list(features)))
    ids = torch.tensor(found.token_ids, device=model.device)
    home = sae.W_dec.device
    numbers = torch.from_numpy(found.listed[chosen].astype(np.int64))
    dense = torch.zeros(len(found.listed), len(ids), dtype=torch.float32)
    entry_row = np.searchsorted(found.listed, found.feature).astype(np.int64)
    dense[torch.from_numpy(entry_row), torch.from_numpy(found.position.astype(np.int64))] = torch.from_numpy(
        np.array(found.value)
    )
    dense = dense[torch.from_numpy(chosen)].to(home)
    effect = np.full((len(found.listed), len(ids)), np.nan, np.float32)
    effect[chosen, 1:] = 0.0
    begins = (dense > 0).int().argmax(1).cpu().numpy()  # the first token of each row that its feature moves
    hook_name, last = found.passport.site.hook_name, len(ids) - 1
    x = quick_activations(model, ids[None], hook_name)  # [1, pos, d_in]
    # Read by the same arithmetic as without a feature: in bfloat16 two ways of reading differ by more than it does.
    everywhere = torch.arange(last)
    logits = model.resumed_text_logits(ids, hook_name, 0, x, torch.zeros_like(everywhere), everywhere)
    known = token_losses(logits, ids[1:]).cpu().numpy()
    for block in _blocks(begins, last, LOGIT_CELLS // model.d_vocab):
        start = int(begins[block].min())
        step = dense[block, start:][..., None] * sae.directions_at(x[:, start:].to(home), numbers[block][:, None])
        without = x[:, start:] - step.to(x.device, x.dtype)  # [row, pos - start, d_in]
        row, position = np.nonzero(np.arange(last) >= begins[block][:, None])
        place = torch.from_numpy(row), torch.from_numpy(position)
        logits = model.resumed_text_logits(ids, hook_name, start, without, *place)
        losses = token_losses(logits, ids[position + 1]).cpu().numpy()
        effect[chosen[block][row], position + 1] = losses - known[position]
    return replace(found, loss_effect=effect)


def _within(linear: np.ndarray, cost: np.ndarray, budget: int | None) -> np.ndarray:
    """int64: the entries of largest |attribution| whose costs together stay within a budget."""
    order = np.argsort(-np.abs(linear), kind="stable")
    if budget is None:
        return order
    return order[: max(1, int(np.searchsorted(np.cumsum(cost[order]), budget, side="right")))]


def _steps(sae: SAE, found: PromptActivations, x: Tensor) -> Tensor:
    """[n, d_in]: a_fp d_fp of every entry, in model units; x [n, d_in] is what flows at each entry's token."""
    feature = torch.from_numpy(found.feature.astype(np.int64))
    value = torch.from_numpy(np.array(found.value)).to(sae.W_dec.device)
    return value[:, None] * sae.directions_at(x.to(sae.W_dec.device), feature)


def _blocks(begins: np.ndarray, last: int, room: int) -> Iterator[np.ndarray]:
    """The numbers of the rows whose first token stands before the last, those of like first token together: at most
    `ROWS` at a time, and as many as have `room` for their logits.
    """
    rows = np.argsort(begins, kind="stable")
    rows = rows[begins[rows] < last]
    while len(rows):
        n = max(1, int(np.searchsorted(np.cumsum(last - begins[rows]), room, side="right")))
        yield rows[: min(n, ROWS)]
        rows = rows[min(n, ROWS) :]
