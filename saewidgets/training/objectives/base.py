"""What the loop asks of a loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from saewidgets.ranks import ALONE, Ranks
from saewidgets.sae import ARCHITECTURES, SAE
from saewidgets.training.config import TrainConfig

Pair = tuple[Tensor, Tensor]  # x [rows, d_in] and what to reconstruct, y [rows, d_out], both in SAE units


@dataclass(frozen=True)
class Gradients:
    """The loss of a micro-batch and its parts; the gradients stand in `.grad`."""

    loss: Tensor  # scalar, mean over the rows
    squared_error: Tensor  # scalar, sum over the rows of |y - x_hat|^2
    fired: Tensor  # int64 [d_sae], at how many of the rows each feature was on
    parts: Mapping[str, Tensor] = field(default_factory=dict)  # scalars, the loss's named terms, mean over the rows


class Objective:
    """A loss for an SAE's weights, and what belongs to it: how it starts, what it does after a step and at the end.

    One is made for each run. It knows vectors in SAE units (after scale or normalization) and no optimizer. Whatever it
    must remember from step to step is a tensor in `state`, so that a checkpoint holds it and a step that fails can be
    undone.
    """

    architectures: ClassVar[tuple[str, ...]]  # whose weights it trains
    unit_rows: ClassVar[bool] = True  # whether rows of W_dec are held at norm 1
    resampled: ClassVar[bool] = False  # whether its dead features may be drawn anew
    speaks: ClassVar[bool] = False  # whether ranks exchange words within `gradients`, so that none may do it twice

    def __init__(self, sae: SAE, config: TrainConfig) -> None:
        self.sae = sae
        self.config = config
        self.state: dict[str, Tensor] = {}
        self.ranks: Ranks = ALONE  # of whose batch each process sees its own rows only

    @property
    def weights(self) -> dict[str, Tensor]:
        """What the optimizer moves, by name."""
        learned = dict(self.sae.named_parameters())
        return {name: learned[name] for name in self.sae.weights if name in learned}

    def sparsity_at(self, step: int) -> float:
        """The coefficient in force after `step` finished steps: lambda, or k."""
        raise NotImplementedError

    def prepare(self, x: Tensor, y: Tensor) -> None:
        """Before the first step, with its rows: where the weights start."""

    def survey(self, parts: Sequence[Pair], step: int, rows: int) -> None:
        """Before the gradients of a step: its rows, in the parts in which they will come. What has to be known of all.

        rows: of the whole batch, those of other ranks among them.
        """

    def gradients(self, x: Tensor, y: Tensor, *, step: int, dead: Tensor, share: float = 1.0) -> Gradients:
        """Add `share` times the gradient of the mean loss over these rows to each weight's `.grad`.

        step: finished steps; dead: int64 [n], the features that have not fired for long; share: of the whole batch,
            these rows.
        """
        raise NotImplementedError

    @torch.no_grad()
    def row_errors(self, x: Tensor, y: Tensor) -> Tensor:
        """[rows]: |y - x_hat|^2 as at inference, x and y in SAE units."""
        return (self.decode(self.encode(x)) - y).square().sum(-1)

    def encode(self, x: Tensor) -> Tensor:
        """Activations [rows, d_sae] of x in SAE units, as at inference; of a TopK SAE before TopK."""
        return ARCHITECTURES[self.sae.config.architecture].encode(self.sae.encoder_input(x), self.sae.encoder())

    def decode(self, a: Tensor) -> Tensor:
        """x_hat [rows, d_out] in SAE units."""
        return a @ self.sae.W_dec + self.sae.b_dec

    @torch.no_grad()
    def project(self) -> None:
        """After the gradients. Where rows of W_dec have norm 1, the part along a row would only be undone afterwards."""
        if self.unit_rows:
            W_dec, gradient = self.sae.W_dec, self.sae.W_dec.grad
            assert gradient is not None
            along = torch.linalg.vecdot(W_dec, gradient)
            gradient.addcmul_(W_dec, along[:, None], value=-1)

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """After the optimizer's step, the `step`-th: what the weights must keep to."""
        if self.unit_rows:
            self.sae.W_dec.div_(self.sae.W_dec.norm(dim=-1, keepdim=True))

    def finish(self) -> None:
        """After the last step: what inference needs."""

    def _center(self, y: Tensor) -> None:
        """Start b_dec at the mean, so that no feature has to learn it; one that is not 0 any more is left as it is."""
        with torch.no_grad():
            if not self.sae.b_dec.any():
                self.sae.b_dec.copy_(y.mean(0))


class DenseObjective(Objective):
    """A loss written with dense products, whose gradient is autograd's."""

    def loss(self, x: Tensor, y: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """(loss, sum of the squared error, activations [rows, d_sae], named terms of the loss)."""
        raise NotImplementedError

    def gradients(self, x: Tensor, y: Tensor, *, step: int, dead: Tensor, share: float = 1.0) -> Gradients:
        """See `Objective.gradients`."""
        bf16 = self.config.precision == "bf16"
        with torch.enable_grad():
            # No cache of cast weights: one that outlived an interrupt would stand for weights that have moved since.
            with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16, cache_enabled=False):
                loss, squared_error, a, parts = self.loss(x, y, step)
            (loss * share).backward()
        named = {name: part.detach() for name, part in parts.items()}
        return Gradients(loss.detach(), squared_error.detach(), (a.detach() > 0).sum(0), named)
