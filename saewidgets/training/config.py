"""How long, how fast, and how sparse: the settings of one training."""

from __future__ import annotations

import math
from dataclasses import dataclass

from saewidgets.files import unknown

PRECISIONS = ("float32", "bf16")
LR_SHAPES = ("linear", "cosine")
P_UPDATES = 10  # of the exponent, in p-annealing


@dataclass(frozen=True)
class TrainConfig:
    """How long, how fast and how sparse. Shares are of `steps`. Lambda and k themselves are the SAE's: `SAEConfig`.

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
    lr_decay: float = 0.2  # share, at the end, over which it falls to 0
    l1_warmup: float = 0.05  # share over which lambda rises linearly from `l1_start` times itself
    grad_clip: float = 1.0  # largest norm of the whole gradient
    dead_window: int = 500_000  # a feature is dead that has not fired for so many tokens
    aux_k: int | None = None  # topk, batchtopk: dead features in AuxK at each token; None: d_in / 2; 0: no AuxK
    aux_coefficient: float = 1 / 32  # topk, batchtopk: weight of AuxK
    prefixes: tuple[int, ...] = ()  # topk, batchtopk: sizes of a Matryoshka SAE's dictionaries, d_sae last; (): flat
    precision: str = "float32"  # "bf16": products in bfloat16 (of TopK and BatchTopK the encoder's), a little coarser
    objective: str = ""  # which loss, of `OBJECTIVES`; "": the first of the SAE's architecture
    lr_shape: str = "linear"  # of the decay: "linear" or "cosine"
    l1_start: float = 0.0  # share of lambda in force at the first step
    k_start: int | None = None  # topk, batchtopk: k at the first step; None: the SAE's k throughout
    k_anneal: float = 0.1  # share over which k goes linearly from k_start to the SAE's k
    bandwidth: float | None = None  # jumprelu: width of the pseudo-derivative, in SAE units; None: the paper's
    tanh_scale: float = 4.0  # jumprelu_tanh: c of tanh(c a |W_dec|)
    pre_act_coefficient: float = 3e-6  # jumprelu_tanh: weight of the pre-activation loss
    p_end: float = 0.2  # relu_p_annealing: the last exponent; the first is 1
    p_hold: float = 0.3  # relu_p_annealing: share over which the exponent stays 1
    resample_at: tuple[int, ...] = ()  # relu and gated: steps after which dead features are drawn anew; (): never
    micro_batch: int | None = None  # rows whose gradient is taken at a time, summed over the batch; None: all at once

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
        self._check_more()
        object.__setattr__(self, "prefixes", tuple(self.prefixes))
        if list(self.prefixes) != sorted({p for p in self.prefixes if p > 0}):
            raise ValueError(f"prefixes must be positive and ascending, not {self.prefixes}")
        if self.precision not in PRECISIONS:
            raise ValueError(unknown("precision", self.precision, PRECISIONS))

    def _check_more(self) -> None:
        if self.lr_shape not in LR_SHAPES:
            raise ValueError(unknown("lr_shape", str(self.lr_shape), LR_SHAPES))
        for name in ("l1_start", "k_anneal", "p_hold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share, 0 to 1, not {getattr(self, name)}")
        if not 0 < self.p_end <= 1:
            raise ValueError(f"p_end is an exponent above 0 and at most 1, not {self.p_end}")
        for name in ("k_start", "micro_batch", "bandwidth", "tanh_scale"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive, not {value}")
        for name in ("aux_coefficient", "pre_act_coefficient"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} must be a finite number of 0 or more, not {getattr(self, name)}")
        object.__setattr__(self, "resample_at", tuple(sorted(set(self.resample_at))))
        if self.resample_at and not 1 <= self.resample_at[0] <= self.resample_at[-1] <= self.steps:
            raise ValueError(f"resample_at names steps from 1 to {self.steps}, not {self.resample_at}")

    @classmethod
    def anthropic_april_2024(cls, steps: int = 200_000) -> TrainConfig:
        """The schedule that *Scaling Monosemanticity* refers to, for a ReLU SAE with l1_coefficient = 5.

        Adam (0.9, 0.999) at 5e-5, constant, then falling to 0 over the last 20 %; lambda rises over the first 5 %;
        gradient norm clipped to 1; no resampling. It expects inputs with mean |x|^2 = d_in and batches of 2048 to 4096.
        """
        return cls(
            steps, lr=5e-5, betas=(0.9, 0.999), lr_warmup=0.0, lr_decay=0.2, l1_warmup=0.05, grad_clip=1.0, aux_k=0
        )

    @classmethod
    def anthropic_january_2025(cls, steps: int = 200_000) -> TrainConfig:
        """The recipe of *Dictionary Learning Optimization Techniques* (Anthropic, January 2025), for a JumpReLU SAE.

        The tanh loss with bandwidth 2, c = 4 and a pre-activation loss of 3e-6; Adam at 2e-4, falling to 0 over the
        last 20 %; lambda rises over the whole training, to 20 in the paper: give SAEConfig(l1_coefficient=20). Inputs
        with mean
        |x|^2 = d_in.
        """
        return cls(
            steps,
            lr=2e-4,
            lr_warmup=0.0,
            lr_decay=0.2,
            l1_warmup=1.0,
            objective="jumprelu_tanh",
            bandwidth=2.0,
            aux_k=0,
        )

    @classmethod
    def bricken_2023(cls, steps: int = 1_000_000) -> TrainConfig:
        """The recipe of *Towards Monosemanticity*: unit decoder rows, dead features resampled 4 times.

        Give SAEConfig(apply_b_dec_to_input=True). In the paper: batches of 8192, a million steps, resampling after 25,
        50, 75 and 100 thousand of features that did not fire in the last 12,500; other lengths keep these proportions.
        """
        at = tuple(max(1, steps * n // 40) for n in (1, 2, 3, 4))
        window = max(1, 8192 * (steps // 80))
        return cls(
            steps, lr=1e-3, lr_warmup=0.0, l1_warmup=0.0, objective="relu_unit_norm", resample_at=at, dead_window=window
        )

    def lr_at(self, step: int) -> float:
        """Learning rate after `step` finished steps: the next step uses it."""
        rise = min(1.0, (step + 1) / (self.lr_warmup * self.steps + 1))
        fall = min(1.0, (self.steps - step) / (self.lr_decay * self.steps)) if self.lr_decay else 1.0
        fall = max(fall, 0.0)
        if self.lr_shape == "cosine":
            fall = (1 - math.cos(math.pi * fall)) / 2
        return self.lr * rise * fall

    def l1_at(self, step: int) -> float:
        """Share of lambda in force after `step` finished steps: `l1_start` at first, 1 from `l1_warmup` on."""
        risen = min(1.0, step / (self.l1_warmup * self.steps)) if self.l1_warmup else 1.0
        return self.l1_start + (1 - self.l1_start) * risen

    def k_at(self, step: int, k: int) -> int:
        """k in force after `step` finished steps, for an SAE whose own is `k`."""
        if self.k_start is None:
            return k
        gone = min(1.0, step / (self.k_anneal * self.steps)) if self.k_anneal else 1.0
        return round(self.k_start + (k - self.k_start) * gone)

    def p_at(self, step: int) -> float:
        """The exponent of p-annealing after `step` finished steps: 1, then down to `p_end` in `P_UPDATES` equal steps."""
        first = self.p_hold * self.steps
        if step < first or first >= self.steps:
            return 1.0
        done = min(P_UPDATES, 1 + int((step - first) * P_UPDATES / (self.steps - first)))
        return 1.0 - (1.0 - self.p_end) * done / P_UPDATES
