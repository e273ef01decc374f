"""How long, how fast, and how sparse: the settings of one training."""

from __future__ import annotations

import math
from dataclasses import dataclass

from saewidgets.files import unknown

PRECISIONS = ("float32", "bf16")


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast. Shares are of `steps`.

    Raises ValueError on a value that cannot be.

    Example:
        >>> config = TrainConfig(steps=1000, lr=1e-3, lr_warmup=0.0)
        >>> config.lr_at(0), config.lr_at(900), config.lr_at(1000)
        (0.001, 0.0005, 0.0)
    """

    steps: int
    lr: float = 5e-4  # Adam's, at its highest
    betas: tuple[float, float] = (0.9, 0.999)  # Adam's
    lr_warmup: float = 0.02  # share over which the learning rate rises linearly
    lr_decay: float = 0.2  # share, at the end, over which it falls linearly to 0
    l1_warmup: float = 0.05  # relu only: share over which lambda rises linearly from 0
    grad_clip: float = 1.0  # largest norm of the whole gradient
    dead_window: int = 500_000  # a feature is dead that has not fired for so many tokens
    aux_k: int | None = None  # topk only: dead features in AuxK at each token; None: d_in / 2; 0: no AuxK
    aux_coefficient: float = 1 / 32  # topk only: weight of AuxK
    prefixes: tuple[
        int, ...
    ] = ()  # topk only: sizes of the nested dictionaries of a Matryoshka SAE, d_sae last; (): flat
    precision: str = "float32"  # "bf16": the encoder's product in bfloat16 (topk only), faster and a little coarser

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be 1 or more, not {self.steps}")
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise ValueError(f"lr must be positive, not {self.lr}")
        for name in ("lr_warmup", "lr_decay", "l1_warmup"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share of the steps, 0 to 1, not {getattr(self, name)}")
        if not self.grad_clip > 0:
            raise ValueError(f"grad_clip must be positive, not {self.grad_clip}")
        if self.dead_window < 1:
            raise ValueError(f"dead_window must be 1 token or more, not {self.dead_window}")
        object.__setattr__(self, "prefixes", tuple(self.prefixes))
        if list(self.prefixes) != sorted({p for p in self.prefixes if p > 0}):
            raise ValueError(f"prefixes must be positive and ascending, not {self.prefixes}")
        if self.precision not in PRECISIONS:
            raise ValueError(unknown("precision", self.precision, PRECISIONS))

    @classmethod
    def anthropic_april_2024(cls, steps: int = 200_000) -> TrainConfig:
        """The schedule that *Scaling Monosemanticity* refers to (S6), for a ReLU SAE with l1_coefficient = 5.

        Adam (0.9, 0.999) at 5e-5, constant, then falling to 0 over the last 20 %; lambda rises over the first 5 %; gradient
        norm clipped to 1; no resampling. It expects inputs with mean |x|^2 = d_in and batches of 2048 to 4096.
        """
        return cls(
            steps, lr=5e-5, betas=(0.9, 0.999), lr_warmup=0.0, lr_decay=0.2, l1_warmup=0.05, grad_clip=1.0, aux_k=0
        )

    def lr_at(self, step: int) -> float:
        """Learning rate after `step` finished steps: the next step uses it."""
        rise = min(1.0, (step + 1) / (self.lr_warmup * self.steps + 1))
        fall = min(1.0, (self.steps - step) / (self.lr_decay * self.steps)) if self.lr_decay else 1.0
        return self.lr * rise * max(fall, 0.0)

    def l1_at(self, step: int) -> float:
        """Share of lambda in force after `step` finished steps: 0 at first, 1 from `l1_warmup` on."""
        return min(1.0, step / (self.l1_warmup * self.steps)) if self.l1_warmup else 1.0
