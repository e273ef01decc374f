"""The Jacobian lens: what a direction in the middle of a model becomes at its end, on average over texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.bars import bar
from saewidgets.models import Model, read_corpus
from saewidgets.records import JacobianLens
from saewidgets.records.arguments import listed, whole

SKIP = 16  # tokens at the beginning of a text, which are read in a way of their own
LONGEST = 128  # tokens of a text that are read
ROWS = 16  # texts in one pass


def jacobian_lens(
    model: Model | nn.Module,
    texts: Any,
    *,
    hook_names: str | Sequence[str] | None = None,
    skip: int = SKIP,
    longest: int = LONGEST,
    rows: int = ROWS,
    progress: bool = True,
) -> JacobianLens:
    """One matrix per layer: how a direction of the residual stream there moves its end, on average over texts.

    With h_l the residual stream at a hook point and h_end that after the last layer,

        J_l[i, j] = mean over source tokens s of  sum over target tokens t of  d h_end[t, i] / d h_l[s, j]

    over all tokens of the texts but the first `skip`, padding and special tokens. Later tokens that read a direction
    through attention are in it, which the logit lens leaves out. The tokens that a direction d promotes are those of
    `model.direction_logits` at J_l d, and J_l^T w is the direction there that moves a token's unembedding w most.

    It costs one pass back through the model per dimension and `rows` texts: seconds on the bundled model. For a large
    one give the hook point of the SAE alone, and a few texts.

    Args:
        texts: a list of them, or what else `read_corpus` takes.
        hook_names: of the residual stream; by default after each layer.
        skip: tokens at the beginning of each text that are neither source nor target.
        longest: tokens of a text that are read; at most the model's context.
        rows: texts in one pass.
        progress: show a bar, if it takes more than half a second.

    Raises ValueError on an unknown hook point, one that the end does not depend on, or texts of which no token is left.

    Example:
        >>> text = "They walked over the Golden Gate Bridge in the thick fog of an early morning."
        >>> lens = jacobian_lens(model, [text], skip=4)
        >>> lens.matrices["blocks.3.hook_resid_post"].shape
        (160, 160)
    """
    model = Model.wrap(model)
    skip, rows = whole(skip, "skip", minimum=0), whole(rows, "rows", minimum=1)
    longest = min(whole(longest, "longest", minimum=1), model.n_ctx)
    target = f"blocks.{model.n_layers - 1}.hook_resid_post"
    if hook_names is None:
        names = [f"blocks.{layer}.hook_resid_post" for layer in range(model.n_layers)]
    elif isinstance(hook_names, str):
        names = [hook_names]
    else:
        names = listed(hook_names, "hook_names", "'blocks.2.hook_resid_post'")
    read = read_corpus(model, texts)
    tokens, counted = read.rows[:, :longest], read.counted[:, :longest].copy()
    counted[:, :skip] = False
    used = np.flatnonzero(counted.any(1))
    if not len(used):
        raise ValueError(
            f"no token is left: the longest of {read.n_texts} texts has {int((read.rows >= 0).sum(1).max())} tokens, and "
            f"the first {skip} are skipped; give longer texts, or a smaller skip"
        )
    sums = {name: torch.zeros(model.d_model, model.d_model, dtype=torch.float64) for name in names}
    with bar(len(used) * model.d_model, "going back", "passes", progress=progress) as advance:
        for begin in range(0, len(used), rows):
            part = used[begin : begin + rows]
            length = int((tokens[part] >= 0).sum(1).max())
            own = torch.from_numpy(tokens[part, :length].astype(np.int64))
            on = torch.from_numpy(counted[part, :length]).to(model.device)
            flows = model.linked(own, list(dict.fromkeys([*names, target])))
            for i in range(model.d_model):
                for name, row in zip(names, _row(flows, names, target, on, i), strict=True):
                    sums[name][i] += row
                advance(len(part))
    n_tokens = int(counted.sum())
    return JacobianLens(
        {name: (total / n_tokens).float().numpy() for name, total in sums.items()},
        target,
        skip,
        len(used),
        n_tokens,
        model.name,
        model.weights,
        getattr(texts, "name", "") or f"{read.n_texts:,} texts",
    )


def _row(flows: dict[str, Tensor], names: list[str], target: str, on: Tensor, i: int) -> list[Tensor]:
    """Row i of each matrix before the division, float64 [d]: summed over sources, with all targets at once."""
    end = flows[target]
    pull = torch.zeros_like(end)
    pull[..., i] = on.to(end.dtype)
    found = torch.autograd.grad(end, [flows[name] for name in names], pull, retain_graph=True, allow_unused=True)
    lacking = [name for name, gradient in zip(names, found, strict=True) if gradient is None]
    if lacking:
        raise ValueError(f"{target} does not depend on {', '.join(lacking)}: give a hook point of the residual stream")
    return [(gradient.double() * on[..., None]).sum((0, 1)).cpu() for gradient in found]
