"""What an SAE loses, what the model loses by it, and how often each feature fires. One batch of texts in memory at a
time.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.activations import TOKENS_PER_PASS, check_pair, corpus_rows, harvest, length_sorted, quick_activations
from saewidgets.bars import bar, muted
from saewidgets.memory import CELLS
from saewidgets.models import Long, Model
from saewidgets.records import ActivationSite, Firing, Quality
from saewidgets.sae import ARCHITECTURES, SAE, above, top_share, unexplained
from saewidgets.sae.norms import CURE, doubt


@torch.inference_mode()
def quality(
    model: Model | nn.Module,
    sae: SAE,
    corpus: Any,
    *,
    include_special: bool = False,
    long: Long = "split",
    progress: bool = True,
) -> Quality:
    """Measure an SAE on a corpus (see `models.read_corpus` for what a corpus can be, and what `long` does with a text
    longer than the model's context).

    With x [d_in] the activation at a counted token, x_hat the SAE's reconstruction, m the mean of x over the counted
    tokens:

        fvu = sum |x - x_hat|^2 / sum |x - m|^2          mse = mean (x - x_hat)^2
        recovered = (ablated - spliced) / (ablated - clean), of the loss, and of KL(clean || .)

    The replaced activations are those of counted tokens; the beginning-of-text token keeps its own, which few SAEs were
    trained on, unless `include_special`; so does a token whose activation is longer than the site's `max_norm`. Losses
    are over the real tokens that follow another one, separators included. A vector of length 0 has cosine 0, and stays
    out of the mean of |x_hat| / |x|. `progress=False` draws no bars. Raises ValueError if the model does not have the
    SAE's site in the same coordinates, or if the corpus is empty.

    Example:
        >>> quality(model, sae, sw.load_corpus(200, seed=2)).loss_recovered  # doctest: +SKIP
    """
    model, site = check_pair(model, sae, "quality", reconstructs=True)
    rows, wanted = _wanted(model, corpus, include_special, long)
    d_in, device = sae.config.d_in, sae.W_enc.device

    # Sums are kept in float64 and about the first block's mean: E x^2 - (E x)^2 would cancel far from 0.
    n, n_long, active, squared_error, squared, cosine, ratio = 0, 0, 0, 0.0, 0.0, 0.0, 0.0
    shift: Tensor | None = None
    distances: list[Tensor] = []  # |x - shift|^2 of each token
    total = torch.zeros(d_in, dtype=torch.float64, device=device)
    fired = torch.zeros(sae.config.d_sae, dtype=torch.bool, device=device)
    with bar(int(wanted.sum()), "reconstructing", "tokens", progress=progress) as advance:
        for x in _blocks(model, sae, site, rows, wanted):
            a = sae.encode(x)
            x_hat = sae.decode(a, x)
            squared_error += float((x_hat - x).square().sum(dtype=torch.float64))
            shift = x.mean(0) if shift is None else shift
            total += (x - shift).sum(0, dtype=torch.float64)
            squared += float((x - shift).square().sum(dtype=torch.float64))
            distances.append((x - shift).square().sum(-1).cpu())
            length, length_hat = x.double().norm(dim=-1), x_hat.double().norm(dim=-1)
            product = length * length_hat
            cosine += float(((x.double() * x_hat.double()).sum(-1) / product)[product > 0].sum())
            ratio += float((length_hat / length)[length > 0].sum())
            n_long += int((length > 0).sum())
            active += int((a > 0).sum())
            fired |= (a > 0).any(0)
            n += len(x)
            advance(len(x))
    if shift is None:
        raise ValueError("the corpus has no tokens besides special ones")
    variance = squared - float(total.square().sum()) / n
    mean = (shift.double() + total / n).float()
    share = top_share(torch.cat(distances))
    if doubt(share):
        warnings.warn(f"{doubt(share)}. {CURE}", stacklevel=2)
    with muted(not progress):
        n_predictions, loss, kl = _losses(model, sae, site, rows, wanted, mean)
    return Quality(
        fvu=unexplained(squared_error, variance, n * float(mean.double().square().sum())),
        l0=active / n,
        dead_share=1.0 - float(fired.double().mean()),
        loss_clean=loss[0],
        loss_spliced=loss[1],
        loss_ablated=loss[2],
        n_tokens=n,
        n_predictions=n_predictions,
        mse=squared_error / (n * d_in),
        cosine=cosine / n,
        l2_ratio=ratio / n_long if n_long else float("nan"),
        loss_mean_ablated=loss[3],
        kl_spliced=kl[1],
        kl_ablated=kl[2],
        kl_mean_ablated=kl[3],
        n_left_out=int(wanted.sum()) - n,
        top_share=share,
    )


@torch.inference_mode()
def firing(
    model: Model | nn.Module,
    sae: SAE,
    corpus: Any,
    *,
    include_special: bool = False,
    long: Long = "split",
    progress: bool = True,
) -> Firing:
    """How often each feature fires over a corpus, with its encoder bias and the cosine of its encoder and decoder.

    `progress=False` draws no bar. Raises ValueError as `quality` does.

    Example:
        >>> firing(model, sae, sw.load_corpus()).to_dataframe()["cluster"].value_counts()  # doctest: +SKIP
    """
    model, site = check_pair(model, sae, "firing")
    rows, wanted = _wanted(model, corpus, include_special, long)
    count = torch.zeros(sae.config.d_sae, dtype=torch.int64, device=sae.W_enc.device)
    total = torch.zeros(sae.config.d_sae, dtype=torch.float64, device=sae.W_enc.device)
    n = 0
    with bar(int(wanted.sum()), "counting features", "tokens", progress=progress) as advance:
        for x in _blocks(model, sae, site, rows, wanted):
            a = sae.encode(x)
            count += (a > 0).sum(0)
            total += a.sum(0, dtype=torch.float64)
            n += len(x)
            advance(len(x))
    if not n:
        raise ValueError("the corpus has no tokens besides special ones")
    bias = getattr(sae, ARCHITECTURES[sae.config.architecture].pre_bias)
    alignment = nn.functional.cosine_similarity(sae.W_enc.double().T, sae.W_dec.double(), dim=-1)
    return Firing(
        count=count.cpu().numpy(),
        total=total.cpu().numpy(),
        n_tokens=n,
        bias=bias.detach().double().cpu().numpy(),
        alignment=alignment.detach().cpu().numpy(),
    )


def _wanted(model: Model, corpus: Any, include_special: bool, long: Long) -> tuple[np.ndarray, np.ndarray]:
    rows, counted = corpus_rows(model, corpus, long)
    return rows, rows >= 0 if include_special else counted


def _blocks(model: Model, sae: SAE, site: ActivationSite, rows: np.ndarray, wanted: np.ndarray) -> Iterator[Tensor]:
    """x [n, d_in] on the SAE's device, so few at a time that their activations fit in `CELLS`."""
    for _, _, acts in harvest(model, site.hook_name, rows, wanted, max_norm=site.max_norm):
        yield from acts.to(sae.W_enc.device).split(max(1, CELLS // sae.config.d_sae))


def _losses(
    model: Model, sae: SAE, site: ActivationSite, rows: np.ndarray, wanted: np.ndarray, mean: Tensor
) -> tuple[int, list[float], list[float]]:
    """(predictions, mean cross-entropy, mean KL from the clean model), each clean, spliced, zero-ablated, mean-ablated."""
    losses, divergences, n = np.zeros(4), np.zeros(4), 0
    with bar(int((rows[(rows >= 0).sum(1) > 1] >= 0).sum()), "measuring losses", "tokens") as advance:
        for own in length_sorted(rows, (rows >= 0).sum(1) > 1, TOKENS_PER_PASS):
            width = int((rows[own] >= 0).sum(1).max())
            tokens = torch.from_numpy(rows[own, :width].astype(np.int64)).to(model.device)
            x = quick_activations(model, tokens, site.hook_name)  # [text, pos, d_in]
            mask = torch.from_numpy(wanted[own, :width]).to(x.device)[..., None] & ~above(x, site.max_norm)[..., None]
            parts = x.flatten(0, 1).to(sae.W_enc.device).split(max(1, CELLS // sae.config.d_sae))
            back = torch.cat([sae(part).to(x) for part in parts]).view(x.shape)
            replaced = [x, *(torch.where(mask, other, x) for other in (back, torch.zeros_like(x), mean.to(x)))]
            loss, divergence = model.resumed_losses(tokens, site.hook_name, replaced)  # [flow, prediction]
            losses, divergences, n = losses + loss.sum(1), divergences + divergence.sum(1), n + loss.shape[1]
            advance(int((rows[own] >= 0).sum()))
    if not n:
        return 0, [float("nan")] * 4, [float("nan")] * 4
    return n, (losses / n).tolist(), (divergences / n).tolist()
